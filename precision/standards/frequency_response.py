"""Frequency response of a plant or a loop, from what went in and what came out, with its coherence and its uncertainty.

From noise, chirps and other signals, by averaged spectra (S_yu = E[Y U*]):

    H1 = S_yu/S_uu      noise on the output; noise on the input makes it too small, by 1/(1 + 1/SNR_u)
    H2 = S_yy/S_uy      noise on the input; noise on the output makes it too large
    Hv = √(H1·H2)       noise on both, in proportion to the signals: |Hv| = √(S_yy/S_uu)
    γ² = |S_yu|²/(S_uu S_yy),     relative standard uncertainty of |H|: √((1 − γ²)/(2 n_d γ²)) (Bendat and Piersol)

From a periodic excitation, over P periods: G = Ȳ/Ū, and the scatter of the periods gives its uncertainty (R. Pintelon and J. Schoukens, "System Identification:
A Frequency Domain Approach", 2012):

    s_G = |G| √([s_Y²/|Ȳ|² + s_U²/|Ū|² − 2 Re(s_YU/(Ȳ Ū*))]/P)

Coherence from one average is 1 whatever was measured, so one average is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..kernels.cosine_window import WINDOWS
from ..kernels.spectrum import cross_spectrum
from .arrays import Array, frozen, positive
from .reported import Reported, figure, keyed
from .sampling import samples, warnings_of

Complex = NDArray[np.complex128]
Estimator = Literal["H1", "H2", "Hv"]

POOR: Final = 0.8
"""Coherence below which a line is named: with 16 averages its magnitude is then known to ±18 % (k = 2)."""
ONE_AVERAGE: Final = "one average: its coherence is 1 whatever was measured, and nothing tells signal from noise"


@dataclass(frozen=True, kw_only=True, eq=False)
class Response(Reported):
    """A measured frequency response. Figures: "averages", "coherence_min", "coherence_median", "relative_u" (median of U(|G|)/|G|, k = 2).

    frequency_hz : (m,) ascending.  response : (m,) complex128, output over input.
    sd : (m,) standard deviation of the complex response: √E|δG|². Of the magnitude, and of the direction across it, it is `component_u` = sd/√2.
    coherence : (m,) 0 … 1.  averages : segments or periods.  effective_averages : as many independent ones.
    input_unit, output_unit : SI.  rate_hz : of the samples, or None.  estimator : how it was found.
    """

    frequency_hz: Array
    response: Complex
    sd: Array
    coherence: Array
    averages: int
    effective_averages: float
    input_unit: str
    output_unit: str
    rate_hz: float | None
    estimator: str

    @property
    def component_u(self) -> Array:
        """(m,) standard uncertainty of |G|, in the unit of G."""
        return self.sd / math.sqrt(2)

    @property
    def phase_rad(self) -> Array:
        """(m,) phase, unwrapped from line to line."""
        return np.unwrap(np.angle(self.response))

    @property
    def phase_u_rad(self) -> Array:
        """(m,) standard uncertainty of the phase."""
        return np.arctan2(self.component_u, np.abs(self.response))

    @property
    def unit(self) -> str:
        """Of the response: "" where output and input have the same."""
        return "" if self.input_unit == self.output_unit else f"{self.output_unit}/{self.input_unit}"


def from_signals(
    input: ArrayLike,
    output: ArrayLike,
    /,
    *,
    rate_hz: float,
    segment: int,
    overlap: int | None = None,
    window: str = "hann",
    estimator: Estimator = "H1",
    input_unit: str = "N",
    output_unit: str = "m",
    band_hz: tuple[float, float] | None = None,
    feedback: bool = False,
) -> Response:
    """Response from noise, chirps or any signals, by averaged spectra.

    Parameters
    ----------
    input, output : (n,) float64, sampled at the same times
    segment, overlap, window : as for `psd`; segments must be longer than the response rings
    estimator : "H1", "H2" or "Hv" (module docstring)
    band_hz : lines that are kept; None: all but 0 and half the rate
    feedback : whether the loop was closed around the plant; then this direct estimate is drawn towards −1/C, and flagged (`closed_loop.indirect` is not)

    Raises
    ------
    DataError       one average, an input that never changes, lengths that differ, a band without lines
    """
    u, y = samples("input", input), samples("output", output)
    if u.size != y.size:
        raise DataError(f"input has {u.size} samples and output {y.size}; expected the same, taken at the same times")
    _refuse_still("input", u)
    if estimator not in ("H1", "H2", "Hv"):
        raise DataError(f"estimator is {estimator!r}; expected 'H1' (noise on the output), 'H2' (on the input) or 'Hv' (on both)")
    shared = averaged(u.size, segment, overlap, window)
    cross = cross_spectrum(u, y, rate_hz=positive("rate_hz", rate_hz, "samples a second"), segment=segment, overlap=shared, window=window)
    s_uu, s_yy, s_yu = np.asarray(cross.density_x), np.asarray(cross.density_y), np.asarray(cross.density)
    kept = in_band(np.asarray(cross.frequency_hz), rate_hz, band_hz) & (s_uu > 1e-24 * s_uu.max()) & (np.abs(s_yu) > 0)
    if not kept.any():
        raise DataError(f"no line of the input has power in {band_hz or (0, rate_hz / 2)} Hz; excite the band that is wanted")
    f, s_uu, s_yy, s_yu = np.asarray(cross.frequency_hz)[kept], s_uu[kept], s_yy[kept], s_yu[kept]
    coherence = np.minimum(1.0, np.abs(s_yu) ** 2 / (s_uu * s_yy))
    first, second = s_yu / s_uu, s_yy / np.conj(s_yu)
    response = {"H1": first, "H2": second, "Hv": np.sqrt(np.abs(first) * np.abs(second)) * np.exp(1j * np.angle(s_yu))}[estimator]
    sd = np.abs(response) * np.sqrt((1 - coherence) / (cross.effective_averages * coherence))
    notes = [*warnings_of("input", u), *warnings_of("output", y)]
    if feedback:
        notes.append(
            "direct estimate in a closed loop: where noise is not small beside the excitation it is drawn towards −1/C; use the indirect estimate, with the excitation"
        )
    return respond(
        f, response, sd, coherence, averages=cross.averages, effective=float(cross.effective_averages), units=(input_unit, output_unit), rate_hz=rate_hz,
        estimator=estimator, how=f"segments of {segment} overlapping by {shared}, window {window}", flags=notes,
    )  # fmt: skip


def from_periods(
    input: ArrayLike,
    output: ArrayLike,
    /,
    *,
    rate_hz: float,
    period: int,
    drop: int = 1,
    lines: ArrayLike | None = None,
    input_unit: str = "N",
    output_unit: str = "m",
) -> Response:
    """Response from a periodic excitation: multisine, PRBS, repeated chirp. Where the excitation is that of a loop it is the indirect estimate, without bias.

    Parameters
    ----------
    input, output : (n,) float64; whole periods from the first sample on, a rest at the end is left out with a flag
    period : samples
    drop : periods at the beginning, while the response settles
    lines : excited lines (multiples of rate/period); None: those of the input within 60 dB of its largest

    Raises
    ------
    DataError       fewer than two periods after those dropped, lines outside 1 … below half the period, or without input
    """
    u, y = samples("input", input), samples("output", output)
    if u.size != y.size:
        raise DataError(f"input has {u.size} samples and output {y.size}; expected the same, taken at the same times")
    _refuse_still("input", u)
    rate = positive("rate_hz", rate_hz, "samples a second")
    (spectra_u, spectra_y), rest = spectra_of_periods((u, y), period=period, drop=drop)
    used = excited_lines(spectra_u.mean(axis=0), lines)
    notes = [*warnings_of("input", u), *warnings_of("output", y)]
    if rest:
        notes.append(f"{rest} samples at the end are no whole period and were left out")
    a, b = spectra_u[:, used], spectra_y[:, used]
    response, sd, coherence = ratio(a, b)
    return respond(
        used * rate / period, response, sd, coherence, averages=a.shape[0], effective=float(a.shape[0]), units=(input_unit, output_unit), rate_hz=rate,
        estimator="mean of the periods", how=f"{a.shape[0]} periods of {period} samples, {drop} dropped", flags=notes,
    )  # fmt: skip


def from_steps(
    dwells: Sequence[tuple[float, ArrayLike, ArrayLike]],
    /,
    *,
    rate_hz: float,
    settle_periods: int = 2,
    settle_s: float = 0.0,
    input_unit: str = "N",
    output_unit: str = "m",
) -> Response:
    """Response from stepped sines: at each frequency a sine, an offset and a slope fitted to blocks of whole periods.

    Parameters
    ----------
    dwells : (frequency_hz, input, output) of each frequency, ascending; the samples of one dwell
    settle_periods, settle_s : at the beginning of each dwell, not used: whichever is longer

    Raises
    ------
    DataError       a dwell with fewer than two blocks of whole periods after settling, at or above half the rate, or without input
    """
    rate = positive("rate_hz", rate_hz, "samples a second")
    if not dwells:
        raise DataError("there is no dwell; expected at least one frequency with its samples")
    frequencies = np.array([dwell[0] for dwell in dwells], dtype=np.float64)
    if not (np.all(np.diff(frequencies) > 0) and frequencies[0] > 0):
        raise DataError("the frequencies of the dwells must be above zero and ascend; sort them, and give each once")
    found, notes, fewest = [], [], 1 << 30
    for f, one, other in dwells:
        if not f < rate / 2:
            raise DataError(f"dwell at {f:g} Hz: at or above half the sampling rate of {rate:g} Hz, where it would be taken for another frequency")
        u, y = samples(f"input at {f:g} Hz", one), samples(f"output at {f:g} Hz", other)
        if u.size != y.size:
            raise DataError(f"dwell at {f:g} Hz: input has {u.size} samples and output {y.size}; expected the same")
        notes += [*warnings_of(f"input at {f:g} Hz", u), *warnings_of(f"output at {f:g} Hz", y)]
        blocks = _sine_blocks(np.stack([u, y]), f / rate, max(settle_periods, settle_s * f))
        if not np.abs(blocks[0].mean()) > 1e-12 * np.abs(u).max():
            raise DataError(f"dwell at {f:g} Hz: the input holds no sine of this frequency")
        fewest = min(fewest, blocks.shape[1])
        found.append(ratio(blocks[0][:, None], blocks[1][:, None]))
    response, sd, coherence = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return respond(
        frequencies, response, sd, coherence, averages=fewest, effective=float(fewest), units=(input_unit, output_unit), rate_hz=rate, estimator="stepped sine",
        how=f"{len(dwells)} frequencies, {settle_periods} periods or {settle_s:g} s to settle, at least {fewest} blocks of whole periods each", flags=notes,
    )  # fmt: skip


def series(first: Response, second: Response) -> Response:
    """Response of two plants one after the other, on lines that both have. DataError where the output of the first is not the input of the second, by its unit."""
    if first.output_unit != second.input_unit:
        raise DataError(
            f"the first response ends in {first.output_unit!r} and the second begins with {second.input_unit!r}; convert one, they cannot follow each other"
        )
    places = [np.flatnonzero(np.isclose(second.frequency_hz, f, rtol=1e-9, atol=0)) for f in first.frequency_hz]
    mine = np.array([k for k, place in enumerate(places) if place.size], dtype=np.int64)
    if not mine.size:
        raise DataError("the two responses share no frequency; measure both on the same lines")
    other = np.array([places[k][0] for k in mine], dtype=np.int64)
    a, b = first.response[mine], second.response[other]
    return respond(
        first.frequency_hz[mine], a * b, np.hypot(np.abs(b) * first.sd[mine], np.abs(a) * second.sd[other]), np.minimum(first.coherence[mine], second.coherence[other]),
        averages=min(first.averages, second.averages), effective=min(first.effective_averages, second.effective_averages),
        units=(first.input_unit, second.output_unit), rate_hz=first.rate_hz, estimator="product", how="product of two responses", flags=[*first.flags, *second.flags],
    )  # fmt: skip


def respond(
    frequency_hz: Array, response: Complex, sd: Array, coherence: Array, *, averages: int, effective: float, units: tuple[str, str], rate_hz: float | None,
    estimator: str, how: str, flags: Sequence[str],
) -> Response:  # fmt: skip
    """A `Response` with its figures and its flags about coherence."""
    magnitude = np.abs(response)
    relative = float(np.median(2 * sd / math.sqrt(2) / np.where(magnitude > 0, magnitude, np.inf)))
    poor = int(np.count_nonzero(coherence < POOR))
    notes = list(flags)
    if poor:
        worst = int(np.argmin(coherence))
        notes.append(
            f"coherence is below {POOR:g} at {poor} of {coherence.size} lines, lowest {coherence[worst]:.3g} at {frequency_hz[worst]:.5g} Hz: noise, a second input or a "
            "plant that is not linear; excite more there, or average longer"
        )
    if rate_hz is not None and frequency_hz[-1] > 0.4 * rate_hz:
        notes.append(
            f"lines reach to {frequency_hz[-1]:.5g} Hz, above 0.4 of the sampling rate: there aliases and the hold of the drive are part of the response"
        )
    bound = f"biased upwards by about 1/{averages} where there is none"
    figures: list[Figure] = [
        figure("averages", "segments or periods averaged", float(averages), "", "a count", symbol="n_d"),
        figure("coherence_min", "lowest coherence", float(coherence.min()), "", bound, symbol="γ²_min"),
        figure("coherence_median", "median coherence", float(np.median(coherence)), "", bound, symbol="γ²_med"),
        figure("relative_u", "median relative expanded uncertainty of the magnitude (k = 2)", relative, "", "an uncertainty itself", symbol="U/|G|"),
    ]
    return Response(
        title=f"Frequency response, {units[1]} over {units[0]}: {frequency_hz.size} lines, {frequency_hz[0]:.5g} … {frequency_hz[-1]:.5g} Hz",
        stated=(f"{estimator}, {how}",),
        figures=keyed(figures),
        flags=tuple(notes),
        frequency_hz=frozen(np.asarray(frequency_hz, dtype=np.float64)),
        response=_frozen(response),
        sd=frozen(np.asarray(sd, dtype=np.float64)),
        coherence=frozen(np.asarray(coherence, dtype=np.float64)),
        averages=averages,
        effective_averages=effective,
        input_unit=units[0],
        output_unit=units[1],
        rate_hz=rate_hz,
        estimator=estimator,
    )


def averaged(n: int, segment: int, overlap: int | None, window: str) -> int:
    """The overlap in samples; DataError for a segment that leaves one average, and for unknown windows."""
    if isinstance(segment, bool) or not isinstance(segment, int) or not 8 <= segment <= n:
        raise DataError(f"segment is {segment} samples and the record has {n}; expected 8 … {n // 2}")
    shared = segment // 2 if overlap is None else overlap
    if not 0 <= shared < segment:
        raise DataError(f"overlap is {shared} samples; expected 0 … {segment - 1}, less than the segment")
    if window not in WINDOWS:
        raise DataError(f"window is {window!r}; expected one of {', '.join(WINDOWS)}")
    if n < 2 * segment - shared:
        raise DataError(f"{ONE_AVERAGE}; the record has {n} samples and a segment {segment}: use segments of at most {n // 8}, or record for longer")
    return shared


def spectra_of_periods(signals: Sequence[Array], *, period: int, drop: int) -> tuple[list[Complex], int]:
    """For each signal (n,) the spectra of its periods (P, period//2 + 1), amplitudes of lines as rfft/period·2; and how many samples were left over.

    Raises
    ------
    DataError       a period out of range, or fewer than two periods after those dropped
    """
    n = signals[0].size
    if isinstance(period, bool) or not 8 <= period <= n:
        raise DataError(f"period is {period} samples and the record has {n}; expected 8 … {n // 2}")
    if not 0 <= drop:
        raise DataError(f"drop is {drop} periods; expected 0 or more")
    count = n // period - drop
    if count < 2:
        raise DataError(f"{max(count, 0)} periods are left of {n // period} after dropping {drop}: {ONE_AVERAGE}; record at least {drop + 2} periods")
    return [np.fft.rfft(x[drop * period : (drop + count) * period].reshape(count, period), axis=1) * (2 / period) for x in signals], n % period


def excited_lines(mean: Complex, lines: ArrayLike | None) -> NDArray[np.int64]:
    """Lines of the excitation, checked; where they are not given, those within 60 dB of the largest."""
    power = np.abs(mean)
    last = mean.size - 1
    if lines is None:
        found = np.flatnonzero(power > 1e-3 * power[1:last].max(initial=0.0))
        return found[(found > 0) & (found < last)].astype(np.int64)
    chosen = np.unique(np.asarray(lines))
    if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu" or chosen[0] < 1 or chosen[-1] >= last:
        raise DataError(f"lines must be whole numbers from 1 to {last - 1}, multiples of rate/period below half the rate; got {str(lines)[:80]}")
    silent = chosen[power[chosen] <= 1e-12 * power.max()]
    if silent.size:
        raise DataError(f"the input has no line at {silent[0]} times rate/period; expected one at each line asked for; is the period right?")
    return chosen.astype(np.int64)


def ratio(a: Complex, b: Complex) -> tuple[Complex, Array, Array]:
    """Ȳ/Ū of P periods (P, m), its standard deviation and the coherence over the periods."""
    count = a.shape[0]
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    response = mean_b / mean_a
    # s_Y² + |G|² s_U² − 2 Re(G* s_YU) is the scatter of Y − G U.
    left = (b - mean_b) - response * (a - mean_a)
    variance = np.sum(np.abs(left) ** 2, axis=0) / (count - 1)
    sd = np.sqrt(variance / count) / np.abs(mean_a)
    powers = np.mean(np.abs(a) ** 2, axis=0) * np.mean(np.abs(b) ** 2, axis=0)
    coherence = np.abs(np.mean(b * np.conj(a), axis=0)) ** 2 / np.where(powers > 0, powers, 1.0)
    return response, sd, np.minimum(coherence, 1.0)


def in_band(frequency_hz: Array, rate_hz: float, band_hz: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Lines above 0, below half the rate, and in the band. DataError for a band that is none."""
    low, high = (0.0, rate_hz) if band_hz is None else band_hz
    if not 0 <= low < high:
        raise DataError(f"band {low:g} … {high:g} Hz; expected 0 ≤ low < high")
    inside: NDArray[np.bool_] = (frequency_hz > 0) & (frequency_hz < rate_hz / 2 * (1 - 1e-12)) & (frequency_hz >= low) & (frequency_hz <= high)
    if not inside.any():
        raise DataError(f"no line lies in {low:g} … {high:g} Hz; they are {frequency_hz[1]:g} Hz apart, up to {rate_hz / 2:g} Hz")
    return inside


def _sine_blocks(x: Array, f: float, settle: float) -> Complex:
    """(2, blocks) complex amplitudes of a sine of `f` cycles a sample in blocks of (nearly) whole periods; the fit does not need them whole."""
    start = math.ceil(settle / f)
    usable = x.shape[1] - start
    periods = max(1, math.floor(usable * f / 8))
    length = round(periods / f)
    count = usable // length if length > 0 else 0
    if count < 2 or length < 4:
        raise DataError(
            f"a dwell of {x.shape[1]} samples at {f:.4g} cycles a sample leaves {max(count, 0)} blocks after settling: {ONE_AVERAGE}; dwell for {math.ceil(settle) + 4} periods or more"
        )
    j = np.arange(start, start + count * length)
    blocks = np.empty((2, count), dtype=np.complex128)
    for k in range(count):
        part = j[k * length : (k + 1) * length]
        angle = 2 * math.pi * f * part
        t = (part - part.mean()) / length
        design = (
            np.stack([np.cos(angle), np.sin(angle), np.ones(length), t], axis=1)
            if length >= 8
            else np.stack([np.cos(angle), np.sin(angle), np.ones(length)], axis=1)
        )
        solution, *_ = np.linalg.lstsq(design, x[:, part].T, rcond=None)
        blocks[:, k] = solution[0] - 1j * solution[1]
    return blocks


def _refuse_still(name: str, x: Array) -> None:
    if np.ptp(x) == 0:
        raise DataError(f"{name} never changes ({x[0]:g} in {x.size} samples): the plant was not excited, or the channel is not connected")


def _frozen(array: Any) -> Complex:
    out = np.asarray(array, dtype=np.complex128)
    out.flags.writeable = False
    return out
