"""Spectral densities of a signal: PSD, LSD = √PSD, and the rms spectrum LS = √(PSD·ENBW), in which the height of a line is its rms value.

One-sided. By overlapping segments (P. D. Welch 1967; G. Heinzel et al. 2002) or by multitaper (D. J. Thomson 1982: S = Σ λ_k|Y_k|²/Σ λ_k with Slepian sequences).
Each estimate has ν degrees of freedom: 2K_eff by Welch, 2(Σλ)²/Σλ² times the number of segments by multitaper; the confidence interval of a density is
S·ν/χ². Means are taken of powers, never of decibels, which are biased.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.cosine_window import WINDOWS, cosine_window
from ..kernels.spectrum import power_spectrum
from .arrays import Array, frozen, positive
from .noise_density import confidence_factors
from .reported import Reported, figure, keyed
from .sampling import samples, warnings_of

Method = Literal["welch", "multitaper"]
Detrending = Literal["none", "constant", "linear"]

RECORD_ONLY: Final = "covers the length of the record only: no calibration of the instrument was given"
LONGEST_TAPERED: Final = 1 << 18
"""Samples of a segment whose Slepian sequences are computed."""
FEW: Final = 8.0
"""Effective averages below which a density is only good to a factor of about two (95 %: 0.55 … 2.3)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Densities. Figures: "rms", "peak_to_peak", "mean", and "enbw" (Hz).

    unit : of the signal, SI.  rate_hz, segment, overlap, window, detrend, method : of the estimate.
    frequency_hz : (m,) float64.  psd : (m,) unit²/Hz.  lower, upper : (m,) ends of the confidence interval of `psd`.
    averages, effective_averages, degrees_of_freedom : K, K_eff, ν.
    enbw_hz : equivalent noise bandwidth; by multitaper the bandwidth 2W over which a line is spread.
    correlated_lines : by how many lines a band has to be divided for the number of independent ones: by Welch n Σw⁴/(Σw²)², 1.94 for Hann.
    variance : of the samples about what was detrended; `rms` is the root of the integral of `psd`, which must agree with it (Parseval).
    """

    unit: str
    rate_hz: float
    segment: int
    overlap: int
    window: str
    detrend: Detrending
    method: Method
    frequency_hz: Array
    psd: Array
    lower: Array
    upper: Array
    confidence: float
    averages: int
    effective_averages: float
    degrees_of_freedom: float
    enbw_hz: float
    correlated_lines: float
    variance: float

    @property
    def lsd(self) -> Array:
        """(m,) amplitude density √PSD, unit/√Hz."""
        return np.sqrt(self.psd)

    @property
    def ls(self) -> Array | None:
        """(m,) rms spectrum √(PSD·ENBW), unit; None by multitaper, where a line has no height but a flat top 2W wide."""
        return np.sqrt(self.psd * self.enbw_hz) if self.method == "welch" else None

    @property
    def step_hz(self) -> float:
        """Distance of the lines."""
        return self.rate_hz / self.segment

    def band_rms(self, low_hz: float, high_hz: float) -> float:
        """rms between two frequencies: the root of the sum of PSD·step over the lines in the band, those at its ends by the part inside."""
        return math.sqrt(band_power(self.frequency_hz, self.psd, low_hz, high_hz))


def evaluate(
    values: ArrayLike,
    *,
    rate_hz: float,
    unit: str = "m",
    name: str = "signal",
    method: Method = "welch",
    segment: int | None = None,
    overlap: int | None = None,
    window: str = "hann",
    detrend: Detrending = "constant",
    tapers: float = 4.0,
    confidence: float = 0.95,
    filtered_below_hz: float | None = None,
    calibration: float | None = None,
    flags: tuple[str, ...] = (),
) -> Result:
    """Estimate the densities of a signal.

    Parameters
    ----------
    values : (n,) float64, evenly sampled (`sampling.even_record` for time stamps), any unit, named by `unit`
    rate_hz : samples a second
    segment : samples; None for an eighth of the record, but at least 64 samples: 15 half-overlapping segments (by multitaper the whole record)
    overlap : samples; None for half a segment (by multitaper 0)
    tapers : time-bandwidth product NW of the multitaper; 2NW − 1 sequences are used
    filtered_below_hz : corner of the instrument's anti-alias filter; None: not known, then a density that does not fall towards half the rate is flagged
    calibration : relative expanded uncertainty (k = 2) of the instrument's scale; None: U covers the length of the record only, and says so

    Returns
    -------
    Result

    Raises
    ------
    DataError       fewer samples than a segment, samples that are no numbers, a signal that never changes, an unknown window
    """
    x = samples(name, values)
    rate = positive("rate_hz", rate_hz, "samples a second")
    if np.ptp(x) == 0:
        raise DataError(f"{name} never changes ({x[0]:g} in {x.size} samples): not connected, or nothing was measured; there is no spectrum of it")
    length = _segment(x.size, segment, method)
    shared = (length // 2 if method == "welch" else 0) if overlap is None else overlap
    if not 0 <= shared < length:
        raise DataError(f"overlap is {shared} samples; expected 0 … {length - 1}, less than the segment")
    if method == "welch":
        if window not in WINDOWS:
            raise DataError(f"window is {window!r}; expected one of {', '.join(WINDOWS)}")
        found = power_spectrum(x, rate_hz=rate, segment=length, overlap=shared, window=window, detrend=detrend)
        frequency, density = np.asarray(found.frequency_hz), np.asarray(found.density)
        averages, effective, enbw = found.averages, float(found.effective_averages), float(found.enbw_hz)
        correlated = squared_window_bandwidth(window, length)
    elif method == "multitaper":
        frequency, density, averages, effective, enbw = _multitaper(x, rate, length, shared, tapers, detrend)
        window = f"Slepian, NW = {tapers:g}"
        correlated = effective / averages  # the tapers together use every sample once
    else:
        raise DataError(f"method is {method!r}; expected 'welch' or 'multitaper'")
    nu = 2 * effective
    low, high = confidence_factors(nu, confidence)
    used = length + (averages - 1) * (length - shared) if method == "welch" else averages * length
    residual = _detrended(x[:used], detrend)
    notes = (*flags, *warnings_of(name, x), *_notes(name, frequency, density, rate, effective, filtered_below_hz))
    return Result(
        title=f"Spectral density of {name}: {x.size} samples at {rate:g} Hz",
        stated=(
            f"one-sided, {method}, window {window}, segments of {length} overlapping by {shared}, {averages} averages (effective {effective:.4g}), detrending: {detrend}",
            f"ENBW {enbw:.6g} Hz, interval of the density at {confidence:.4g}: {low:.4f} … {high:.4f} times",
            "anti-alias filter: " + ("not stated" if filtered_below_hz is None else f"{filtered_below_hz:g} Hz"),
        ),
        figures=keyed(_figures(x, frequency, density, effective, enbw, rate / length, unit, calibration, correlated)),
        flags=notes,
        unit=unit, rate_hz=rate, segment=length, overlap=shared, window=window, detrend=detrend, method=method,
        frequency_hz=frozen(frequency), psd=frozen(density), lower=frozen(density * low), upper=frozen(density * high), confidence=confidence,
        averages=averages, effective_averages=effective, degrees_of_freedom=nu, enbw_hz=enbw, correlated_lines=correlated, variance=float(np.mean(residual**2)),
    )  # fmt: skip


def band_power(frequency_hz: Array, density: Array, low_hz: float, high_hz: float) -> float:
    """Integral of a density from `low_hz` to `high_hz`: each line stands for one step around it (half of one at the ends of the axis).

    Raises
    ------
    DataError       a band outside the lines, or upside down
    """
    if not 0 <= low_hz < high_hz:
        raise DataError(f"band {low_hz:g} … {high_hz:g} Hz; expected 0 ≤ low < high")
    if low_hz > frequency_hz[-1] or high_hz < frequency_hz[0]:
        raise DataError(f"band {low_hz:g} … {high_hz:g} Hz lies outside the spectrum, {frequency_hz[0]:g} … {frequency_hz[-1]:g} Hz")
    middle = (frequency_hz[1:] + frequency_hz[:-1]) / 2
    edges = np.concatenate([[frequency_hz[0] - (middle[0] - frequency_hz[0])], middle, [2 * frequency_hz[-1] - middle[-1]]])
    if low_hz <= frequency_hz[0]:
        low_hz = float(edges[0])
    if high_hz >= frequency_hz[-1] * (1 - 1e-12):
        high_hz = float(edges[-1])
    inside = np.clip(np.minimum(edges[1:], high_hz) - np.maximum(edges[:-1], low_hz), 0, None)
    return float(inside @ density)


def log_averaged(result: Result, *, per_decade: int = 20) -> tuple[Array, Array, Array, Array]:
    """Density averaged over bands of equal width on a logarithmic axis: frequency_hz, psd, lower, upper, each (b,).

    Powers are averaged, never decibels. Below the frequency where a band is narrower than a line the lines are kept. Neighbouring lines repeat each other and
    count once for the interval. The line at 0, which detrending took, and the one at half the rate are left out.
    """
    if not 1 <= per_decade <= 1000:
        raise DataError(f"per_decade is {per_decade}; expected 1 … 1000 bands a decade")
    f, s = result.frequency_hz[1:], result.psd[1:]
    if result.segment % 2 == 0:
        f, s = f[:-1], s[:-1]
    band = np.floor(np.log10(f / f[0]) * per_decade + 1e-9).astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(band) > 0]))
    count = np.diff(np.concatenate([starts, [f.size]]))
    frequency = np.exp(np.add.reduceat(np.log(f), starts) / count)
    density = np.add.reduceat(s, starts) / count
    independent = np.maximum(1.0, count / result.correlated_lines)
    factors = np.array([confidence_factors(result.degrees_of_freedom * n, result.confidence) for n in independent])
    return frequency, density, density * factors[:, 0], density * factors[:, 1]


def squared_window_bandwidth(window: str, n: int) -> float:
    """n Σw⁴/(Σw²)²: over how many lines the squares of a spectrum go together (Σ ρ² of neighbouring lines)."""
    w = np.asarray(cosine_window(window, n, np.zeros(1), xp=array_namespace(np.zeros(1))))
    return float(n * np.sum(w**4) / np.sum(w**2) ** 2)


def _segment(n: int, segment: int | None, method: Method) -> int:
    if segment is None:
        return min(n, LONGEST_TAPERED) if method == "multitaper" else min(n, max(64, n // 8))
    if isinstance(segment, bool) or not 8 <= segment <= n:
        raise DataError(f"segment is {segment} samples and the record has {n}; expected 8 … {n}: shorten the segment or record for longer")
    if method == "multitaper" and segment > LONGEST_TAPERED:
        raise DataError(f"segment is {segment} samples; Slepian sequences are computed for at most {LONGEST_TAPERED}")
    return int(segment)


def _detrended(x: Array, detrend: Detrending) -> Array:
    from scipy.signal import detrend as remove

    return x if detrend == "none" else np.asarray(remove(x, type=detrend), dtype=np.float64)


def _multitaper(x: Array, rate: float, length: int, shared: int, nw: float, detrend: Detrending) -> tuple[Array, Array, int, float, float]:
    """frequency, density, segments, K_eff, 2W."""
    from scipy.signal.windows import dpss

    if not 1.0 <= nw <= min(50.0, length / 4):
        raise DataError(f"tapers (NW) is {nw:g}; expected 1 … {min(50.0, length / 4):g} for {length} samples")
    if shared:
        raise DataError(f"overlap is {shared} samples; multitaper segments do not overlap: the tapers use the ends already")
    found: Any = dpss(length, nw, Kmax=max(1, int(2 * nw) - 1), return_ratios=True)
    windows, ratios = (np.asarray(part, dtype=np.float64) for part in found)
    count = x.size // length
    total: Array = np.zeros(length // 2 + 1)
    for k in range(count):
        part = _detrended(x[k * length : (k + 1) * length], detrend)
        total += np.einsum("k,kf->f", ratios, np.abs(np.fft.rfft(windows * part, axis=1)) ** 2)
    density: Array = 2 * total / (ratios.sum() * rate * count)
    density[0] /= 2
    if length % 2 == 0:
        density[-1] /= 2
    effective = count * ratios.sum() ** 2 / (ratios @ ratios)
    frequency = np.asarray(np.arange(length // 2 + 1) * (rate / length), dtype=np.float64)
    return frequency, density, count, float(effective), 2 * nw * rate / length


def _figures(
    x: Array, f: Array, s: Array, effective: float, enbw: float, step: float, unit: str, calibration: float | None, correlated: float
) -> list[Figure]:
    power = float(s.sum()) * step
    rms = math.sqrt(power)
    # Var of Σ S_k·step: each density has the relative variance 1/K_eff, and neighbouring lines go together.
    relative = math.sqrt(float((s * s).sum()) * correlated / effective) * step / power / 2
    u = 2 * relative * rms if calibration is None else rms * math.hypot(2 * relative, calibration)
    span = "grows with the length of the record; it has no uncertainty of its own"
    return [
        figure("rms", "root mean square, 0 to half the sampling rate" + (f"; U {RECORD_ONLY}" if calibration is None else ""), rms, unit, u),
        figure("peak_to_peak", f"largest minus smallest of {x.size} samples", float(np.ptp(x)), unit, span),
        figure("mean", "mean of the samples", float(x.mean()), unit, "what the mean is uncertain by depends on the drift: see the Allan deviation"),
        figure("enbw", "equivalent noise bandwidth", enbw, "Hz", "follows from the window: exact", symbol="ENBW"),
    ]


def _notes(name: str, f: Array, s: Array, rate: float, effective: float, filtered: float | None) -> list[str]:
    notes = []
    if effective < FEW:
        low, high = confidence_factors(2 * effective)
        notes.append(
            f"{effective:.3g} effective averages: each density is only known to {low:.2f} … {high:.3g} times (95 %); use shorter segments or a longer record"
        )
    if filtered is not None and filtered > rate / 2:
        notes.append(
            f"the anti-alias filter is at {filtered:g} Hz, above half the sampling rate ({rate / 2:g} Hz): what lies between folds back into the spectrum"
        )
    if filtered is None and f.size >= 50:
        top, body = s[(f > 0.4 * rate) & (f < 0.49 * rate)], s[(f > 0.1 * rate) & (f < 0.25 * rate)]
        # A white floor is as high at the end of the band as in its middle: sampled without a filter, or a floor of the instrument that a filter does not reach.
        if np.median(top) > 0.5 * np.median(body):
            notes.append(
                f"the density of {name} does not fall towards half the sampling rate ({rate / 2:g} Hz): unless the instrument filters below it, what lies above is folded "
                "into this spectrum; state the filter (filtered_below_hz) or sample faster"
            )
    return notes
