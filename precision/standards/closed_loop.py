"""Responses measured while the loop is closed. Excitation w is added at the plant's input: u = w − C y, y = P u + v.

Direct, S_yu/S_uu tends to (P S_w − C* S_v)/(S_w + |C|² S_v): to −1/C where the noise v is large. Indirect, by way of the excitation, it has no bias:

    P = S_yw/S_uw      S = S_uw/S_ww (sensitivity)      L = 1/S − 1 (loop)      T = 1 − S

Its variance follows from what of y the plant does not explain: S_ee = S_yy − 2 Re(P* S_yu) + |P|² S_uu, var P = S_ee S_ww/(n_d |S_uw|²).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels.spectrum import cross_spectrum
from .arrays import Array, positive
from .frequency_response import Complex, Response, averaged, excited_lines, in_band, ratio, respond, spectra_of_periods
from .sampling import samples, warnings_of


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedLoop:
    """plant : output over input.  sensitivity : input over excitation, S.  loop : 1/S − 1, L.  direct : the estimate that a closed loop biases, for comparison."""

    plant: Response
    sensitivity: Response
    loop: Response
    direct: Response

    @property
    def complementary(self) -> Complex:
        """(m,) T = 1 − S."""
        return 1 - self.sensitivity.response


def indirect(
    excitation: ArrayLike,
    input: ArrayLike,
    output: ArrayLike,
    /,
    *,
    rate_hz: float,
    segment: int | None = None,
    overlap: int | None = None,
    window: str = "hann",
    period: int | None = None,
    drop: int = 1,
    lines: ArrayLike | None = None,
    input_unit: str = "N",
    output_unit: str = "m",
    band_hz: tuple[float, float] | None = None,
) -> ClosedLoop:
    """Plant, sensitivity and loop from excitation, plant input and output, all (n,) float64.

    Parameters
    ----------
    segment, overlap, window : for noise and other signals; or
    period, drop, lines : for a periodic excitation

    Raises
    ------
    DataError       neither or both of `segment` and `period`; lengths that differ; and as `frequency_response`
    """
    signals = [samples(name, x) for name, x in (("excitation", excitation), ("input", input), ("output", output))]
    if len({x.size for x in signals}) > 1:
        raise DataError(
            f"excitation, input and output have {', '.join(str(x.size) for x in signals)} samples; expected the same, taken at the same times"
        )
    if (segment is None) == (period is None):
        raise DataError("give either segment (noise and other signals) or period (periodic excitation)")
    for name, x in zip(("excitation", "input"), signals, strict=False):
        if np.ptp(x) == 0:
            raise DataError(f"{name} never changes ({x[0]:g}): the plant was not excited, or the channel is not connected")
    rate = positive("rate_hz", rate_hz, "samples a second")
    notes = [sentence for name, x in zip(("excitation", "input", "output"), signals, strict=True) for sentence in warnings_of(name, x)]
    if period is not None:
        return _periodic(signals, rate, period, drop, lines, (input_unit, output_unit), notes)
    assert segment is not None
    return _averaged(signals, rate, segment, overlap, window, band_hz, (input_unit, output_unit), notes)


def loop_of_sensitivity(sensitivity: Response) -> Response:
    """L = 1/S − 1 with |δL| = |δS|/|S|²; its coherence is that of a direct measurement with this uncertainty, 1/(1 + n_d (sd/|L|)²). DataError for a sensitivity with a unit."""
    if sensitivity.unit:
        raise DataError(f"the sensitivity is in {sensitivity.unit}; expected one without a unit: excitation and input at the same place")
    s = sensitivity.response
    loop, sd = 1 / s - 1, sensitivity.sd / np.abs(s) ** 2
    coherence = np.abs(loop) ** 2 / (np.abs(loop) ** 2 + sensitivity.effective_averages * sd**2)
    return respond(
        sensitivity.frequency_hz, loop, sd, np.where(np.isfinite(coherence), coherence, 0.0), averages=sensitivity.averages,
        effective=sensitivity.effective_averages, units=(sensitivity.input_unit, sensitivity.input_unit), rate_hz=sensitivity.rate_hz, estimator="L = 1/S − 1",
        how="from the sensitivity", flags=[flag for flag in sensitivity.flags if "coherence" not in flag],
    )  # fmt: skip


def _averaged(
    signals: list[Array],
    rate: float,
    segment: int,
    overlap: int | None,
    window: str,
    band: tuple[float, float] | None,
    units: tuple[str, str],
    notes: list[str],
) -> ClosedLoop:
    w, u, y = signals
    shared = averaged(w.size, segment, overlap, window)
    settings = {"rate_hz": rate, "segment": segment, "overlap": shared, "window": window}
    of_u, of_y, between = (cross_spectrum(a, b, **settings) for a, b in ((w, u), (w, y), (u, y)))  # type: ignore[arg-type]
    keep = in_band(np.asarray(of_u.frequency_hz), rate, band)
    f = np.asarray(of_u.frequency_hz)[keep]
    s_ww, s_uu, s_yy = (np.asarray(part)[keep] for part in (of_u.density_x, of_u.density_y, of_y.density_y))
    s_uw, s_yw, s_yu = (np.asarray(part)[keep] for part in (of_u.density, of_y.density, between.density))
    n = float(of_u.effective_averages)
    plant, sensitivity = s_yw / s_uw, s_uw / s_ww
    unexplained = np.clip(s_yy - 2 * np.real(np.conj(plant) * s_yu) + np.abs(plant) ** 2 * s_uu, 0, None)
    sd = np.sqrt(unexplained * s_ww / n) / np.abs(s_uw)
    coherence_u = np.minimum(1.0, np.abs(s_uw) ** 2 / (s_uu * s_ww))
    coherence_y = np.minimum(1.0, np.abs(s_yw) ** 2 / (s_yy * s_ww))
    sd_s = np.abs(sensitivity) * np.sqrt((1 - coherence_u) / (n * coherence_u))
    how = f"segments of {segment} overlapping by {shared}, window {window}"

    def made(response: Complex, spread: Array, coherence: Array, pair: tuple[str, str], name: str, flags: list[str]) -> Response:
        return respond(
            f, response, spread, coherence, averages=of_u.averages, effective=n, units=pair, rate_hz=rate, estimator=name, how=how, flags=flags
        )

    s = made(sensitivity, sd_s, coherence_u, (units[0], units[0]), "S = S_uw/S_ww", notes)
    direct = s_yu / s_uu
    coherence = np.minimum(1.0, np.abs(s_yu) ** 2 / (s_uu * s_yy))
    biased = "direct estimate in a closed loop: drawn towards −1/C where noise is not small beside the excitation"
    return ClosedLoop(
        plant=made(plant, sd, coherence_y, units, "P = S_yw/S_uw", notes),
        sensitivity=s,
        loop=loop_of_sensitivity(s),
        direct=made(direct, np.abs(direct) * np.sqrt((1 - coherence) / (n * coherence)), coherence, units, "S_yu/S_uu", [*notes, biased]),
    )


def _periodic(
    signals: list[Array], rate: float, period: int, drop: int, lines: ArrayLike | None, units: tuple[str, str], notes: list[str]
) -> ClosedLoop:
    spectra, rest = spectra_of_periods(signals, period=period, drop=drop)
    used = excited_lines(spectra[0].mean(axis=0), lines)
    w, u, y = (part[:, used] for part in spectra)
    if rest:
        notes = [*notes, f"{rest} samples at the end are no whole period and were left out"]
    f, count = used * rate / period, w.shape[0]

    def made(parts: tuple[Complex, Array, Array], pair: tuple[str, str], name: str) -> Response:
        how = f"{count} periods of {period} samples, {drop} dropped"
        return respond(f, *parts, averages=count, effective=float(count), units=pair, rate_hz=rate, estimator=name, how=how, flags=notes)

    s = made(ratio(w, u), (units[0], units[0]), "S = Ū/W̄")
    plant = made(ratio(u, y), units, "P = Ȳ/Ū")
    return ClosedLoop(plant=plant, sensitivity=s, loop=loop_of_sensitivity(s), direct=plant)
