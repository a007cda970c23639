"""Periodic error of an interferometer or encoder with two signals in quadrature: Heydemann's correction, what remains of fourth order, harmonics.

    s = p + R cos θ,  c = q + (R/r) sin(θ − α)          the ellipse; without correction it makes errors of once and twice a period
    R' = R + ½·dev·cos 4θ,  x' = x − a·sin 4θ,  a = 0.09647·L·dev/R̄      Matus and Dai: dev = mean radius near 45°, 135° … − mean radius near 0°, 90° …

with L the period of length (λ/2n of a retroreflector in one pass, λ/4n of a plane mirror in two, the signal period of an encoder). Harmonics of the length are
least squares over the phase, never a Fourier transform in time. P. L. M. Heydemann, Applied Optics 20 (1981) 3382; the factor of a is that of the published
corrected files of a nano-measuring machine (305.25 Å at L = 316.41 nm), taken as proportional to L.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.ellipse import Ellipse, fit_ellipse
from ..kernels.quadrature import corrected, unwrapped_phase
from ..uncertainty.least_squares import correlated_covariance
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

FOURTH_ORDER: Final = 305.25e-10 / 316.409754e-9
"""a/(L·dev/R̄)"""
_NEAR_RAD: Final = math.radians(2.0)
ORDERS: Final = 8
FEWEST_PERIODS: Final = 10
_SECTORS: Final = 36
FULLEST: Final = 4.0
"""Most samples of a sector of 10° over the mean of all; beyond, or with an empty sector, the phase is not covered evenly."""
_FASTEST: Final = 0.45
"""Largest step between samples, in periods: at 0.5 the turns can no longer be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonic:
    """Error of `order` times a period: amplitude·sin(order·θ + phase), m, with its U (k = 2) from the scatter."""

    order: int
    amplitude_m: float
    phase_rad: float
    uncertainty_m: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction(Reported):
    """Ellipse of a pair of signals, and what correcting it does.

    Figures "p", "q", "ratio", "alpha", "radius_raw", "radius", "radius_sd_raw", "radius_sd", "radius_sd_fourth" (unit of the signals), "fourth" (ratio),
    "fourth_length", "length_pp" (m).
    ellipse : the fit. fourth : dev, unit of the signals. phase_rad : (n,) corrected, unwrapped in the order of the samples. length_m : (n,) with all
    corrections; length_raw_m : (n,) without any.
    """

    ellipse: Ellipse
    fourth: float
    phase_rad: Array
    length_m: Array
    length_raw_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Linearity(Reported):
    """Periodic error of a motion, before and after correction. Figures "raw_pp", "raw_rms", "pp", "rms" (m), "raw_h1" … "h8" (amplitudes, m), "explained"
    (share of the variance before that the correction took off).

    phase_rad, residual_raw_m, residual_m : (n,) phase, and position off the smooth motion before and after.
    harmonics_raw, harmonics : orders 1 … 8.
    """

    correction: Correction
    phase_rad: Array
    residual_raw_m: Array
    residual_m: Array
    harmonics_raw: tuple[Harmonic, ...]
    harmonics: tuple[Harmonic, ...]


def correct(cosine: ArrayLike, sine: ArrayLike, *, period_m: float, fourth_order: bool = True, signal_unit: str = "") -> Correction:
    """Fit the ellipse of two signals and correct them.

    Parameters
    ----------
    cosine, sine : (n,) float64, unit of the signals (counts, V), over at least a whole turn; in the order of time, or sorted by phase
    period_m : L, change of length in one turn
    fourth_order : take off what remains of fourth order too
    signal_unit : of the figures that are sizes of the signals: "V", or "" for counts

    Raises
    ------
    DataError       fewer than five samples, a short arc, no ellipse (the sentence says which), values that are not finite, a period that is none
    """
    s, c = vector("cosine", cosine, fewest=5, largest=1e15), vector("sine", sine, largest=1e15)
    if c.size != s.size:
        raise DataError(f"cosine has {s.size} samples, sine {c.size}; expected as many")
    positive("period_m", period_m, "m")
    try:
        ellipse = fit_ellipse(s, c)
        better = [np.asarray(part) for part in corrected(s, c, ellipse)]
    except ValueError as error:
        raise DataError(f"the signals give no correction: {error}. Move over at least a whole period, with both signals present") from error
    raw, _ = unwrapped_phase(s, c)
    phase, _ = unwrapped_phase(s, c, ellipse=ellipse)
    radius_raw, radius = np.hypot(s, c), np.hypot(*better)
    dev, reason = _fourth(phase, radius)
    a = FOURTH_ORDER * period_m * dev / float(radius.mean())
    flat = radius + dev / 2 * np.cos(4 * phase)
    length_raw = np.asarray(raw) / (2 * math.pi) * period_m
    length = np.asarray(phase) / (2 * math.pi) * period_m - (a * np.sin(4 * phase) if fourth_order else 0.0)
    change = (np.asarray(phase) - np.asarray(raw)) / (2 * math.pi) * period_m
    return Correction(
        title="Periodic error, correction of the ellipse (Heydemann)",
        stated=(
            f"{s.size} samples, period {period_m * 1e9:.6g} nm",
            "fourth order taken off (Matus and Dai)" if fourth_order else "fourth order left in",
            "U of p, q, r, α from the scatter of the corrected radius, for independent noise",
        ),
        figures=keyed(_parameters(ellipse, radius_raw, radius, flat, dev, reason, a, float(np.ptp(change)), signal_unit)),
        flags=tuple(_flags(np.asarray(phase), radius, ellipse, reason)),
        ellipse=ellipse,
        fourth=dev,
        phase_rad=frozen(np.array(phase)),
        length_m=frozen(np.asarray(length)),
        length_raw_m=frozen(length_raw),
    )


def linearity(
    time_s: ArrayLike, cosine: ArrayLike, sine: ArrayLike, *, period_m: float, degree: int = 3, fourth_order: bool = True, signal_unit: str = ""
) -> Linearity:
    """Periodic error of a sweep at nearly constant velocity, before and after correction.

    Parameters
    ----------
    time_s : (n,) float64 s, ascending
    cosine, sine, period_m, fourth_order, signal_unit : as `correct`
    degree : of the polynomial in time that is the smooth motion

    Raises
    ------
    DataError       as `correct`; fewer than ten periods; a phase that is not covered evenly; samples too far apart to count the turns
    """
    time = vector("time_s", time_s, fewest=5, ascending=True, largest=1e12)
    if not 1 <= degree <= 7:
        raise DataError(f"degree is {degree}; expected 1 (constant velocity) to 7")
    made = correct(cosine, sine, period_m=period_m, fourth_order=fourth_order, signal_unit=signal_unit)
    if made.phase_rad.size != time.size:
        raise DataError(f"time_s has {time.size} samples, the signals {made.phase_rad.size}; expected as many")
    _evenly_covered(made.phase_rad)
    raw, after = (_off_smooth(time, values, degree) for values in (made.length_raw_m, made.length_m))
    before_h, after_h = harmonics(made.phase_rad, raw), harmonics(made.phase_rad, after)
    figures: list[Figure] = []
    for key, words, values in (("raw_", "before correction", raw), ("", "after correction", after)):
        figures += [
            figure(f"{key}pp", f"position off the smooth motion, {words}, largest − smallest", float(np.ptp(values)), "m", symbol=f"p-p {words.split()[0]}"),
            figure(f"{key}rms", f"position off the smooth motion, {words}, rms", float(np.sqrt(np.mean(values**2))), "m", symbol=f"rms {words.split()[0]}"),
        ]
    for key, words, found in (("raw_", "before", before_h), ("", "after", after_h)):
        figures += [figure(f"{key}h{h.order}", f"amplitude at {h.order} times a period, {words} correction", h.amplitude_m, "m", h.uncertainty_m) for h in found]
    figures.append(figure("explained", "share of the variance that the correction took off", 1 - float(np.mean(after**2) / np.mean(raw**2)), ""))
    return Linearity(
        title="Periodic error of a motion",
        stated=(*made.stated, f"smooth motion: polynomial of degree {degree} in time", "harmonics by least squares over the phase"),
        figures=keyed(figures),
        flags=made.flags,
        correction=made,
        phase_rad=made.phase_rad,
        residual_raw_m=frozen(raw),
        residual_m=frozen(after),
        harmonics_raw=before_h,
        harmonics=after_h,
    )


def harmonics(phase_rad: ArrayLike, error_m: ArrayLike, *, orders: int = ORDERS) -> tuple[Harmonic, ...]:
    """Sines of 1 … `orders` times a period in an error, by least squares over the phase (an offset is fitted beside them).

    phase_rad, error_m : (n,) float64. Raises `DataError` where the phase is not covered evenly, or over fewer than ten periods.
    """
    phase = vector("phase_rad", phase_rad, fewest=2 * orders + 2, largest=1e15)
    error = vector("error_m", error_m, size=phase.size)
    _evenly_covered(phase)
    columns = np.concatenate([np.ones((1, phase.size)), *([[np.sin(k * phase), np.cos(k * phase)] for k in range(1, orders + 1)])]).T
    coefficients = np.linalg.lstsq(columns, error, rcond=None)[0]
    covariance = correlated_covariance(columns, error - columns @ coefficients)
    found = []
    for k in range(1, orders + 1):
        b, a = coefficients[2 * k - 1], coefficients[2 * k]
        u = 2 * math.sqrt(float(max(covariance[2 * k - 1, 2 * k - 1], covariance[2 * k, 2 * k])))
        found.append(Harmonic(order=k, amplitude_m=float(np.hypot(a, b)), phase_rad=float(np.arctan2(a, b)), uncertainty_m=u))
    return tuple(found)


def _fourth(phase: ArrayLike, radius: Array) -> tuple[float, str | None]:
    """dev, and why it is not known (it is then 0)."""
    eighth = np.mod(np.asarray(phase), math.pi / 2)
    on_axis = np.minimum(eighth, math.pi / 2 - eighth) < _NEAR_RAD
    between = np.abs(eighth - math.pi / 4) < _NEAR_RAD
    if not on_axis.any() or not between.any():
        return 0.0, "no samples within 2° of the axes or of the diagonals"
    return float(radius[between].mean() - radius[on_axis].mean()), None


def _parameters(ellipse: Ellipse, raw: Array, radius: Array, flat: Array, dev: float, reason: str | None, a: float, change_m: float, unit: str) -> list[Figure]:
    n, scatter = radius.size, float(flat.std())
    u = 2 * scatter * math.sqrt(2 / n)
    r = float(radius.mean())
    fourth = "fourth order"
    return [
        figure("p", "offset of the cosine signal", ellipse.p, unit, u),
        figure("q", "offset of the sine signal", ellipse.q, unit, u),
        figure("ratio", "gain of cosine over sine", ellipse.ratio, "", 2 * u / r, symbol="r"),
        figure("alpha", "departure from quadrature", ellipse.alpha_rad, "rad", 2 * u / r, symbol="α"),
        figure("radius_raw", "mean radius of the signals as they are", float(raw.mean()), unit, 2 * float(raw.std()) / math.sqrt(n), symbol="R̄ raw"),
        figure("radius", "mean radius after correction of the ellipse", r, unit, 2 * float(radius.std()) / math.sqrt(n), symbol="R̄"),
        figure("radius_sd_raw", "standard deviation of the radius as it is", float(raw.std()), unit, symbol="s_R raw"),
        figure("radius_sd", "standard deviation of the radius after the ellipse", float(radius.std()), unit, symbol="s_R"),
        figure("radius_sd_fourth", f"standard deviation of the radius after the ellipse and {fourth}", reason or scatter, unit, symbol="s_R 4th"),
        figure("fourth", f"{fourth} of the radius, relative", reason or dev / r, "", symbol="dev/R̄"),
        figure("fourth_length", f"amplitude of the length correction of {fourth}", reason or a, "m", symbol="a"),
        figure("length_pp", "length correction of the ellipse, largest − smallest", change_m, "m", symbol="p-p"),
    ]


def _flags(phase: Array, radius: Array, ellipse: Ellipse, reason: str | None) -> list[str]:
    flags = []
    spread = float(radius.std()) / ellipse.radius
    if spread > 0.05:
        flags.append(
            f"the corrected radius scatters by {spread:.1%} of its mean: noise or an amplitude that changes along the travel biases the fit (by about "
            f"{spread**2:.2%} of the radius); fit shorter pieces"
        )
    if reason is not None:
        flags.append(f"fourth order is not corrected: {reason}")
    largest = float(np.abs(np.diff(phase)).max(initial=0.0)) / (2 * math.pi)
    if largest > _FASTEST:
        flags.append(f"neighbouring samples lie up to {largest:.2f} of a period apart; beyond 0.5 turns are lost: move slower or sample faster")
    return flags


def _evenly_covered(phase: Array) -> None:
    periods = float(np.ptp(phase)) / (2 * math.pi)
    if periods < FEWEST_PERIODS:
        raise DataError(f"the motion covers {periods:.3g} periods; at least {FEWEST_PERIODS} are needed to tell harmonics from the motion itself")
    count = np.bincount((np.mod(phase, 2 * math.pi) / (2 * math.pi) * _SECTORS).astype(int) % _SECTORS, minlength=_SECTORS)
    if count.min() == 0 or count.max() > FULLEST * count.mean():
        raise DataError(
            f"the phase is not covered evenly: sectors of 10° hold {count.min()} to {count.max()} samples of {phase.size}; "
            "sweep at constant velocity, at a speed that is no simple fraction of the sampling rate"
        )


def _off_smooth(time: Array, length: Array, degree: int) -> Array:
    """Position minus its least-squares polynomial in time."""
    u = 2 * (time - time[0]) / (time[-1] - time[0]) - 1
    centred = length - length.mean()
    return np.asarray(centred - np.polynomial.legendre.legval(u, np.polynomial.legendre.legfit(u, centred, degree)))
