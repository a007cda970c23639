"""Roundness, ISO 12181-1 and -2 (reference circles also ISO 4291, ISO 6318): from memory of the standards.

A closed profile, n radial readings at equal angles around a part of a nominal radius. Four reference circles:

    LSC   least squares, Σ (r_k − R)² least (geometric)          MCC   minimum circumscribed (outer features)
    MZC   minimum zone, r_max − r_min least                      MIC   maximum inscribed (inner features)

About each, with the deviations δ_k = r_k − R from the circle (MZC: from the middle of the zone):

    RONt = max δ − min δ      RONp = max δ      RONv = −min δ      RONq = √(Σ (δ_k − δ̄)²/n)   (about LSC δ̄ = 0 by definition; taken off for the others)

Filter: phase-correct Gaussian on the closed profile, transmission 2^−(k/k_c)² at k undulations per revolution (UPR), applied to the readings before the
circles are fitted. A high-pass keeps the once-per-revolution term, which is the eccentricity and belongs to the circle, not to the form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels import circle, closed_profile
from ..uncertainty.readings import CIRCLE_GAIN, Readings
from .arrays import Array, frozen, positive, vector
from .reference_circles import maximum_inscribed, minimum_circumscribed, minimum_zone
from .reported import Reported, figure, keyed

CUT_OFFS_UPR: Final = (15, 50, 150, 500, 1500)
SAMPLES_PER_UNDULATION: Final = 7
FEWEST_POINTS: Final = 16
HARMONICS: Final = 50


class Reference(Enum):
    """Reference circle."""

    LSC = "least-squares circle"
    MZC = "minimum-zone circles"
    MCC = "minimum circumscribed circle"
    MIC = "maximum inscribed circle"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A reference circle and the profile about it.

    centre_m : (x, y), from the axis of rotation.
    radius_m : of the circle; MZC: of the middle of the zone.
    deviation_m : (n,) float64, δ_k.
    """

    centre_m: tuple[float, float]
    radius_m: float
    deviation_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Roundness. Figures "RONt_LSC", "RONp_LSC", "RONv_LSC", "RONq_LSC", … "RONq_MIC", "eccentricity", lengths in m.

    base_radius_m : nominal radius on which the readings are drawn up.
    low_pass_upr, high_pass_upr : cut-offs, None where not filtered.
    filtered_m : (n,) float64, the readings after the filter.
    fits : name of the circle ("LSC", …) -> `Fit`.
    harmonic_upr, amplitude_m, phase_rad : (h,) the harmonics table of the filtered profile: Σ amplitude·cos(k·θ − phase); k = 1 is the eccentricity.
    eccentricity_angle_rad : direction of the centre of the LSC.
    """

    base_radius_m: float
    low_pass_upr: float | None
    high_pass_upr: float | None
    filtered_m: Array
    fits: Mapping[str, Fit]
    harmonic_upr: Array
    amplitude_m: Array
    phase_rad: Array
    eccentricity_angle_rad: float


def evaluate(
    deviation_m: ArrayLike,
    *,
    base_radius_m: float,
    angle_rad: ArrayLike | None = None,
    low_pass_upr: float | None = None,
    high_pass_upr: float | None = None,
    harmonics: int = HARMONICS,
    readings: Readings | None = None,
) -> Result:
    """Evaluate a roundness profile.

    Parameters
    ----------
    deviation_m : (n,) radial readings, from any zero that is small beside the radius, at angles 2πk/n
    base_radius_m : nominal radius of the part. A wrong one counts only with eccentricity: e²·(1/R − 1/R').
    angle_rad : (n,), if known: checked to be once around in equal steps; a repeated first point at 2π is dropped
    low_pass_upr, high_pass_upr : cut-offs of the Gaussian filters; 15, 50, 150, 500 or 1500 by the standard, others are flagged
    harmonics : highest of the table
    readings : what is known about the readings (m), for U

    Raises
    ------
    DataError       not once around in equal steps, fewer than 16 points, a profile as large as the radius, cut-offs in the wrong order, or a low-pass that
                    the sampling cannot carry (fewer than 2 points in an undulation at the cut-off)

    Examples
    --------
    >>> angle = np.arange(360) * 2 * np.pi / 360
    >>> three_lobes = evaluate(1e-6 * np.cos(3 * angle), base_radius_m=0.02)
    >>> f"{three_lobes['RONt_LSC']:.3g}", f"{three_lobes['RONq_LSC']:.3g}"
    ('2e-06', '7.07e-07')
    """
    profile, phase = _closed(deviation_m, angle_rad)
    positive("base_radius_m", base_radius_m, "m")
    if np.ptp(profile) > base_radius_m / 10 or np.abs(profile).max() > base_radius_m / 10:
        raise DataError(f"readings from {profile.min():g} m to {profile.max():g} m on a radius of {base_radius_m:g} m; expected deviations from the nominal radius, in m")
    _check_cut_offs(profile.size, low_pass_upr, high_pass_upr)
    filtered = _filtered(profile, low_pass_upr, high_pass_upr)
    angle = phase + np.arange(profile.size) * (2 * math.pi / profile.size)
    x, y = (base_radius_m + filtered) * np.cos(angle), (base_radius_m + filtered) * np.sin(angle)
    fits = {reference.name: _fit(reference, x, y) for reference in Reference}
    highest = min(harmonics, (profile.size - 1) // 2)
    amplitude, lag = closed_profile.harmonics(filtered, highest=highest)
    order = np.arange(highest + 1, dtype=np.float64)
    a, b = fits["LSC"].centre_m
    eccentric_u = None if readings is None else readings.of_range(profile.size, bounded=4 / math.pi / 2, random=1 / math.sqrt(profile.size))
    return Result(
        title=f"Roundness (ISO 12181), {profile.size} points, radius {base_radius_m * 1e3:g} mm",
        stated=(f"filter: {_filter_words(low_pass_upr, high_pass_upr)}",),
        figures=keyed([
            *(item for reference in Reference for item in _figures(reference, fits[reference.name], readings)),
            figure("eccentricity", "distance of the centre of the LSC from the axis of rotation", math.hypot(a, b), "m", eccentric_u, symbol="e"),
        ]),
        flags=tuple(_flags(profile.size, base_radius_m, low_pass_upr, high_pass_upr, math.hypot(a, b), fits)),
        base_radius_m=base_radius_m,
        low_pass_upr=low_pass_upr,
        high_pass_upr=high_pass_upr,
        filtered_m=frozen(filtered),
        fits=MappingProxyType(fits),
        harmonic_upr=frozen(order),
        amplitude_m=frozen(amplitude),
        # A profile that begins at `phase` has harmonic k ahead by k·phase.
        phase_rad=frozen(np.angle(np.exp(1j * (lag + order * phase)))),
        eccentricity_angle_rad=math.atan2(b, a),
    )  # fmt: skip


def _closed(deviation_m: ArrayLike, angle_rad: ArrayLike | None) -> tuple[Array, float]:
    """The readings once around counter-clockwise, and the angle of the first."""
    profile = vector("deviation_m", deviation_m, fewest=FEWEST_POINTS)
    if angle_rad is None:
        return profile, 0.0
    angle = vector("angle_rad", angle_rad, size=profile.size)
    turn = angle[-1] - angle[0]
    if turn < 0:
        angle, profile, turn = angle[::-1], profile[::-1], -turn
    if abs(turn - 2 * math.pi) < 1e-6:
        angle, profile = angle[:-1], profile[:-1]
    step = 2 * math.pi / profile.size
    off = float(np.abs(np.diff(angle) - step).max())
    if off > 0.1 * step:
        covered = math.degrees(abs(float(angle[-1] - angle[0])))
        raise DataError(
            f"angle_rad covers {covered:.1f}° with steps that differ from 360°/{profile.size} by up to {math.degrees(off):.3g}°; expected once around in equal steps: "
            "resample by angle; a partial profile has no roundness"
        )
    return profile, float(angle[0])


def _check_cut_offs(n: int, low: float | None, high: float | None) -> None:
    for name, value in (("low_pass_upr", low), ("high_pass_upr", high)):
        if value is not None:
            positive(name, value, "undulations per revolution")
            if 2 * value >= n:
                raise DataError(f"{name} is {value:g} UPR with {n} points; fewer than 2 points in an undulation; expected at least {SAMPLES_PER_UNDULATION * value:g} points")
    if low is not None and high is not None and high >= low:
        raise DataError(f"high_pass_upr is {high:g} and low_pass_upr {low:g}; expected the high-pass below the low-pass: nothing would be left")


def _filtered(profile: Array, low: float | None, high: float | None) -> Array:
    result: Array = profile.copy() if low is None else closed_profile.gaussian_lowpass(profile, cutoff_upr=low)
    if high is None:
        return result
    kept = _circle_part(result)
    result = result - closed_profile.gaussian_lowpass(result - kept, cutoff_upr=high)
    return result


def _circle_part(profile: Array) -> Array:
    """Mean and once-per-revolution term: radius and eccentricity."""
    angle = np.arange(profile.size) * (2 * math.pi / profile.size)
    term = 2 * np.mean(profile * np.exp(-1j * angle))
    part: Array = profile.mean() + np.real(term * np.exp(1j * angle))
    return part


def _fit(reference: Reference, x: Array, y: Array) -> Fit:
    if reference is Reference.MZC:
        zone = minimum_zone(x, y)
        a, b, radius = float(zone.x), float(zone.y), (float(zone.inner_radius) + float(zone.outer_radius)) / 2
    else:
        fit = {Reference.LSC: circle.least_squares_circle, Reference.MCC: minimum_circumscribed, Reference.MIC: maximum_inscribed}[reference]
        found = fit(x, y)
        a, b, radius = float(found.x), float(found.y), float(found.radius)
    return Fit(centre_m=(a, b), radius_m=radius, deviation_m=frozen(np.hypot(x - a, y - b) - radius))


def _figures(reference: Reference, fit: Fit, readings: Readings | None) -> list[Figure]:
    delta, n, name = fit.deviation_m, fit.deviation_m.size, reference.name
    u: float | str | None = None
    part: float | str | None = None
    if readings is not None and reference is Reference.MZC:
        u = readings.of_range(n)
        part = u / 2
    elif readings is not None and reference is Reference.LSC:
        u, part = readings.of_range(n, bounded=CIRCLE_GAIN), CIRCLE_GAIN * readings.of_extreme(n)
    elif readings is not None:
        u = part = "its circle hangs on two or three points: errors of the readings may move it by more than they are"
    words = reference.value
    centred = delta - delta.mean()
    return [
        figure(f"RONt_{name}", f"roundness, total, {words}", float(np.ptp(delta)), "m", u, symbol=f"RONt({name})"),
        figure(f"RONp_{name}", f"roundness, peak, {words}", float(delta.max()), "m", part, symbol=f"RONp({name})"),
        figure(f"RONv_{name}", f"roundness, valley, {words}", float(-delta.min()), "m", part, symbol=f"RONv({name})"),
        figure(f"RONq_{name}", f"roundness, root mean square, {words}", float(np.sqrt(np.mean(centred**2))), "m", part, symbol=f"RONq({name})"),
    ]


def _filter_words(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "none"
    if high is None:
        return f"Gaussian low-pass, 1 to {low:g} UPR"
    if low is None:
        return f"Gaussian high-pass from {high:g} UPR, eccentricity kept"
    return f"Gaussian band, {high:g} to {low:g} UPR, eccentricity kept"


def _flags(n: int, radius: float, low: float | None, high: float | None, eccentricity: float, fits: Mapping[str, Fit]) -> list[str]:
    flags = []
    if low is None:
        flags.append("no low-pass filter: RONt depends on the bandwidth of the instrument; state a cut-off (15, 50, 150, 500 or 1500 UPR)")
    elif n < SAMPLES_PER_UNDULATION * low:
        flags.append(f"{n} points for a cut-off of {low:g} UPR: {n / low:.1f} in an undulation instead of {SAMPLES_PER_UNDULATION}; RONt misses peaks between them")
    flags += [f"a cut-off of {value:g} UPR is not one of {', '.join(map(str, CUT_OFFS_UPR))}" for value in (low, high) if value is not None and value not in CUT_OFFS_UPR]
    # r = R + e cosθ drawn at the angle of the spindle is a limaçon, not a circle: it differs from one by e²/(2R)·sin²θ.
    if eccentricity**2 / (2 * radius) > 0.05 * float(np.ptp(fits["MZC"].deviation_m)):
        flags.append(f"eccentricity {eccentricity * 1e6:.4g} µm: the profile is distorted by {eccentricity**2 / (2 * radius) * 1e6:.3g} µm, which RONt contains; centre the part better")
    return flags
