"""Frequency responses of plants with several inputs and outputs.

    P = Y U⁻¹           from n_u experiments or more whose inputs differ, line by line (least squares with more), uncertainty from the scatter of the periods
    P = S_yu S_uu⁻¹     from one record in which all inputs are moved independently
    P = G_yw G_uw⁻¹     from one record of a closed loop, by way of as many excitations w as inputs; the sensitivity is G_uw

The condition number of U (S_uu, G_uw) says by how much noise grows in the inversion: 1 for orthogonal multisines. The multiple coherence of an output is the share of
its power that all inputs together explain; the partial coherence of a pair, what the input explains of what the others leave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..kernels.spectrum import cross_spectrum
from .arrays import Array, frozen, positive
from .frequency_response import Complex, averaged, excited_lines, in_band, spectra_of_periods
from .reported import Reported, figure, keyed
from .sampling import samples

ILL: Final = 100.0
"""Condition number above which the inputs hardly differ: noise grows a hundredfold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Response(Reported):
    """Figures: "condition_max", "condition_median", "averages", "multiple_coherence_min".

    frequency_hz : (m,).  response : (m, outputs, inputs) complex128.  sd : the same shape, standard deviation of the complex entries.
    covariance : (m, outputs, inputs, outputs, inputs) E[δP_ik δP_jl*]: entries go together where the inputs are badly conditioned.
    condition : (m,) condition number of the inputs.  multiple_coherence : (m, outputs).  partial_coherence : (m, outputs, inputs), NaN for
    periodic experiments.
    """

    frequency_hz: Array
    response: Complex
    sd: Array
    covariance: Complex
    condition: Array
    multiple_coherence: Array
    partial_coherence: Array
    averages: int

    @property
    def singular_values(self) -> Array:
        """(m, min(outputs, inputs)), largest first."""
        return np.asarray(np.linalg.svd(self.response, compute_uv=False))

    @property
    def singular_values_u(self) -> Array:
        """(m, min(outputs, inputs)) standard uncertainty of the singular values: δσ = Re(uᴴ δP v)."""
        left, _, right = np.linalg.svd(self.response, full_matrices=False)
        weight = np.conj(left)[:, :, None, :] * np.conj(np.swapaxes(right, 1, 2))[:, None, :, :]  # (m, output, input, value)
        return self.component_u(weight)

    def component_u(self, weight: Complex) -> Array:
        """(m, k) standard uncertainty of the real part of Σ w_ik δP_ik, for weights (m, outputs, inputs, k)."""
        variance = np.einsum("miks,mikjl,mjls->ms", weight, self.covariance, np.conj(weight)).real / 2
        return np.asarray(np.sqrt(np.clip(variance, 0, None)))


def from_experiments(
    inputs: ArrayLike, outputs: ArrayLike, /, *, rate_hz: float, period: int, drop: int = 1, lines: ArrayLike | None = None
) -> Response:
    """Response from periodic experiments.

    Parameters
    ----------
    inputs : (experiments, inputs, n) float64.  outputs : (experiments, outputs, n)
    period, drop, lines : as for `frequency_response.from_periods`

    Raises
    ------
    DataError       fewer experiments than inputs; inputs that are the same in all experiments at some line (no rank)
    """
    u, y = _stack("inputs", inputs), _stack("outputs", outputs)
    rate = positive("rate_hz", rate_hz, "samples a second")
    experiments, n_u, n = u.shape
    if y.shape[0] != experiments or y.shape[2] != n:
        raise DataError(f"inputs has shape {u.shape} and outputs {y.shape}; expected (experiments, inputs, n) and (experiments, outputs, n)")
    if experiments < n_u:
        raise DataError(
            f"{experiments} experiments for {n_u} inputs; expected at least {n_u}, with the inputs in other proportions each time (excitation.orthogonal)"
        )
    spectra, rest = spectra_of_periods([*u.reshape(-1, n), *y.reshape(-1, n)], period=period, drop=drop)
    count = spectra[0].shape[0]
    whole = np.stack(spectra)  # (signal, period, line)
    used = excited_lines(np.abs(whole[: experiments * n_u].mean(axis=1)).max(axis=0), lines)
    # (line, period, signal, experiment)
    a = whole[: experiments * n_u, :, used].reshape(experiments, n_u, count, used.size).transpose(3, 2, 1, 0)
    b = whole[experiments * n_u :, :, used].reshape(experiments, y.shape[1], count, used.size).transpose(3, 2, 1, 0)
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    condition = np.linalg.cond(mean_a)
    _refuse_singular(condition, used * rate / period)
    inverse = np.linalg.pinv(mean_a)  # (line, experiment, input)
    response = mean_b @ inverse
    left = (b - mean_b[:, None]) - response[:, None] @ (a - mean_a[:, None])
    scatter = np.einsum("lpie,lpje->leij", left, np.conj(left)) / (count - 1) / count  # (line, experiment, output, output)
    covariance = np.einsum("leij,lek,lem->likjm", scatter, inverse, np.conj(inverse))
    power = np.sum(np.abs(b) ** 2, axis=(1, 3))
    unexplained = np.sum(np.abs(b - response[:, None] @ a) ** 2, axis=(1, 3))
    multiple = np.clip(1 - unexplained / np.where(power > 0, power, 1), 0, 1)
    flags = [f"{rest} samples at the end are no whole period and were left out"] if rest else []
    how = f"{experiments} experiments, {count} periods of {period} samples each, {drop} dropped"
    return _result(used * rate / period, response, covariance, condition, multiple, np.full(response.shape, np.nan), count, how, flags)


def from_signals(
    inputs: ArrayLike,
    outputs: ArrayLike,
    /,
    *,
    rate_hz: float,
    segment: int,
    overlap: int | None = None,
    window: str = "hann",
    band_hz: tuple[float, float] | None = None,
) -> Response:
    """Response from one record in which all inputs move independently.

    Parameters
    ----------
    inputs : (inputs, n) float64.  outputs : (outputs, n)

    Raises
    ------
    DataError       fewer averages than inputs + 1, inputs that go together
    """
    u, y = _stack("inputs", inputs, ndim=2), _stack("outputs", outputs, ndim=2)
    if u.shape[1] != y.shape[1]:
        raise DataError(f"inputs has shape {u.shape} and outputs {y.shape}; expected the same number of samples")
    signals = [*u, *y]
    shared = averaged(u.shape[1], segment, overlap, window)
    rate = positive("rate_hz", rate_hz, "samples a second")
    n_u, total = u.shape[0], len(signals)
    spectra = np.empty((total, total, segment // 2 + 1), dtype=np.complex128)
    for i in range(total):
        for k in range(i, total):
            cross = cross_spectrum(signals[k], signals[i], rate_hz=rate, segment=segment, overlap=shared, window=window)
            spectra[i, k] = np.asarray(cross.density)  # E[X_i X_k*]
            spectra[k, i] = np.conj(spectra[i, k])
    frequency, averages, effective = np.asarray(cross.frequency_hz), cross.averages, float(cross.effective_averages)
    if effective <= n_u:
        raise DataError(f"{effective:.3g} effective averages for {n_u} inputs; expected more than {n_u}: shorten the segments or record for longer")
    keep = in_band(frequency, rate, band_hz)
    matrix = spectra[:, :, keep].transpose(2, 0, 1)
    s_uu, s_yu, s_yy = matrix[:, :n_u, :n_u], matrix[:, n_u:, :n_u], np.real(np.einsum("fii->fi", matrix[:, n_u:, n_u:]))
    # Scaled by the power of each input, so that newtons and volts do not count as bad conditioning.
    norm = np.sqrt(np.real(np.einsum("fii->fi", s_uu)))
    condition = np.linalg.cond(s_uu / (norm[:, :, None] * norm[:, None, :]))
    _refuse_singular(condition, frequency[keep])
    inverse = np.linalg.inv(s_uu)
    response = s_yu @ inverse
    explained = np.real(np.einsum("fij,fij->fi", response, np.conj(s_yu)))
    multiple = np.clip(explained / s_yy, 0, 1)
    unexplained = np.clip(s_yy - explained, 0, None)
    # Leaving an input out raises what is unexplained by |P|²/(S_uu⁻¹)_jj.
    gain = np.abs(response) ** 2 / np.real(np.einsum("fii->fi", inverse))[:, None, :]
    partial = gain / (gain + unexplained[:, :, None])
    left = matrix[:, n_u:, n_u:] - response @ np.conj(np.swapaxes(s_yu, 1, 2))
    covariance = np.einsum("fij,fkl->filjk", left, inverse) / (effective - n_u + 1)
    how = f"segments of {segment} overlapping by {shared}, window {window}, {averages} averages (effective {effective:.4g})"
    return _result(frequency[keep], response, covariance, condition, multiple, partial, averages, how, [])


def indirect(
    excitations: ArrayLike, inputs: ArrayLike, outputs: ArrayLike, /, *, rate_hz: float, segment: int, overlap: int | None = None, window: str = "hann",
    band_hz: tuple[float, float] | None = None,
) -> tuple[Response, Response]:  # fmt: skip
    """Plant and sensitivity from one record of a closed loop, without the bias of the direct estimate.

    Parameters
    ----------
    excitations : (inputs, n) float64, moved independently, added to the inputs.  inputs : (inputs, n).  outputs : (outputs, n)

    Raises
    ------
    DataError       as `from_signals`; other numbers of excitations than inputs
    """
    w, u, y = (_stack(name, x, ndim=2) for name, x in (("excitations", excitations), ("inputs", inputs), ("outputs", outputs)))
    if w.shape != u.shape or u.shape[1] != y.shape[1]:
        raise DataError(f"excitations has shape {w.shape}, inputs {u.shape} and outputs {y.shape}; expected an excitation for each input, and the same number of samples")
    joint = from_signals(w, np.concatenate([u, y]), rate_hz=rate_hz, segment=segment, overlap=overlap, window=window, band_hz=band_hz)
    n, f = u.shape[0], np.array(joint.frequency_hz)
    g_u, g_y = joint.response[:, :n], joint.response[:, n:]
    condition = np.linalg.cond(g_u)
    _refuse_singular(condition, f)
    inverse = np.linalg.inv(g_u)
    plant = g_y @ inverse
    # δP = (δG_y − P δG_u) G_u⁻¹
    turn = np.concatenate([-plant, np.broadcast_to(np.eye(y.shape[0]), (f.size, y.shape[0], y.shape[0]))], axis=2)
    covariance = np.einsum("fia,fabcd,fjc,fbk,fdl->fikjl", turn, joint.covariance, np.conj(turn), inverse, np.conj(inverse), optimize=True)
    how, none = joint.stated[0], np.full(plant.shape, np.nan)
    found = _result(f, plant, covariance, condition, np.array(joint.multiple_coherence[:, n:]), none, joint.averages, f"by way of the excitations, {how}", [])
    own = np.array(joint.covariance[:, :n, :, :n, :])
    return found, _result(
        f, np.array(g_u), own, np.array(joint.condition), np.array(joint.multiple_coherence[:, :n]), np.full(g_u.shape, np.nan), joint.averages, how, []
    )


def _result(
    f: Array, response: Complex, covariance: Complex, condition: Array, multiple: Array, partial: Array, averages: int, how: str, flags: list[str]
) -> Response:
    worst = int(np.argmax(condition))
    if condition[worst] > ILL:
        flags = [
            *flags,
            f"the inputs hardly differ at {np.count_nonzero(condition > ILL)} lines: condition {condition[worst]:.3g} at {f[worst]:.5g} Hz, by which noise grows",
        ]
    response.flags.writeable = covariance.flags.writeable = False
    sd = np.sqrt(np.clip(np.einsum("mikik->mik", covariance).real, 0, None))
    count = "a count"
    return Response(
        title=f"Frequency response, {response.shape[1]} outputs over {response.shape[2]} inputs: {f.size} lines, {f[0]:.5g} … {f[-1]:.5g} Hz",
        stated=(how,),
        figures=keyed([
            figure("condition_max", f"largest condition number of the inputs, at {f[worst]:.5g} Hz", float(condition[worst]), "", "follows from the inputs as they were", symbol="κ_max"),
            figure("condition_median", "median condition number of the inputs", float(np.median(condition)), "", "follows from the inputs as they were", symbol="κ_med"),
            figure("averages", "segments or periods averaged", float(averages), "", count, symbol="n_d"),
            figure("multiple_coherence_min", "lowest multiple coherence", float(multiple.min()), "", "biased upwards by about inputs/averages where there is none", symbol="γ²_min"),
        ]),
        flags=tuple(flags),
        frequency_hz=frozen(np.asarray(f, dtype=np.float64)),
        response=response,
        sd=frozen(sd),
        covariance=covariance,
        condition=frozen(condition),
        multiple_coherence=frozen(multiple),
        partial_coherence=frozen(partial),
        averages=averages,
    )  # fmt: skip


def _refuse_singular(condition: Array, f: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~(condition < 1e10))
    if bad.size:
        raise DataError(
            f"the inputs are the same but for a factor at {f[bad[0]]:.5g} Hz ({bad.size} lines): one cannot be told from the other; excite them independently"
        )


def _stack(name: str, values: ArrayLike, *, ndim: int = 3) -> Array:
    array = np.array(values, dtype=np.float64)
    if array.ndim != ndim or 0 in array.shape:
        raise DataError(f"{name} has shape {array.shape}; expected {'(experiments, signals, n)' if ndim == 3 else '(signals, n)'}")
    flat = array.reshape(-1, array.shape[-1])
    for k, row in enumerate(flat):
        samples(f"{name}, signal {k + 1}", row)
    if math.prod(array.shape) > 2**28:
        raise DataError(f"{name} has shape {array.shape}; expected at most {2**28} samples in all")
    return array
