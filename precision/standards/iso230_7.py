"""ISO 230-7 (and ASME B89.3.4): error motions of a spindle. Formulas from memory of the standard (2015).

A displacement m_j(θ), revolution j = 1 … N, at n equal angles θ; m̄(θ) its mean over the revolutions.

    total error motion        m − (mean + fundamental)                 value: max − min
    synchronous               m̄ − (mean + fundamental)                 value: max − min on the polar chart
    asynchronous              value: max over θ of [max_j m_j(θ) − min_j m_j(θ)], from the polar-chart centre
    fundamental               the once-per-revolution term: of radial motion and tilt it is the eccentricity of the artefact and is taken off; of axial motion it
                              is real and is kept:  fundamental axial = 2·amplitude,  residual synchronous = what is left of the synchronous

Sensitive direction: fixed (one probe: the tool turns, as on a lathe the work) or rotating with the spindle: r = X cosθ + Y sinθ, from two probes at 90°.
Tilt = (m_2 − m_1)/L from two radial probes a distance L apart.

Centre of the synchronous value. The polar-chart value removes the fundamental by Fourier transform. A least-squares or minimum-zone circle fitted to the chart
(r = chart radius + m̄, mean and eccentricity still in) differs from it: an eccentric circle is a limaçon in polar coordinates, by e²/(2·chart radius). Which is used is
an argument and is stated in the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.circle import least_squares_circle
from ..uncertainty.readings import CIRCLE_GAIN, Readings
from .arrays import Array, frozen, positive, table, vector
from .error_separation import form
from .reference_circles import minimum_zone
from .reported import Reported, figure, keyed

FEWEST_SAMPLES: Final = 16
REVOLUTIONS: Final = 20
"""Recommended for the asynchronous value."""
STEADY_SPEED: Final = 0.01


class Centre(Enum):
    """Centre from which the synchronous value is counted."""

    POLAR_CHART = "polar-chart centre, fundamental taken off by Fourier transform"
    LEAST_SQUARES = "least-squares circle on the polar chart"
    MINIMUM_ZONE = "minimum-zone circles on the polar chart"


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Error motion of a spindle. Figures "total", "synchronous", "asynchronous", "fundamental" (m, of a tilt rad), for axial also "residual_synchronous".

    centre : how the synchronous value is counted.
    angle_rad : (n,) float64.
    mean_contour : (n,) float64, m̄ with mean and fundamental, m or rad.
    synchronous : (n,) float64, m̄ without mean and (but for axial) fundamental.
    asynchronous : (N, n) float64, m − m̄.
    offset : mean of m.
    fundamental_amplitude, fundamental_phase_rad : amplitude·cos(θ − phase).
    """

    centre: Centre
    angle_rad: Array
    mean_contour: Array
    synchronous: Array
    asynchronous: Array
    offset: float
    fundamental_amplitude: float
    fundamental_phase_rad: float


def radial_fixed(
    displacement_m: ArrayLike, *, centre: Centre = Centre.POLAR_CHART, chart_radius_m: float | None = None, readings: Readings | None = None
) -> Result:
    """Radial error motion, fixed sensitive direction.

    Parameters
    ----------
    displacement_m : (N, n) m, revolution and angle; N whole revolutions at n ≥ 16 equal angles (`resampled_by_index`, `resampled_by_encoder`)
    centre, chart_radius_m : centre of the synchronous value; the circles need the radius of the chart
    readings : what is known about the probe (m), for U

    Raises
    ------
    DataError       shapes, values that are not finite, a circle without a chart radius

    Examples
    --------
    >>> angle = np.arange(360) * 2 * np.pi / 360
    >>> result = radial_fixed(np.tile(1e-6 * np.cos(2 * angle) + 5e-6 * np.cos(angle), (20, 1)))
    >>> f"{result['synchronous']:.3g}", f"{result['fundamental']:.3g}"
    ('2e-06', '5e-06')
    """
    values = _checked("displacement_m", displacement_m)
    return _result("radial, fixed sensitive direction", values, "m", centre, chart_radius_m, readings)


def radial_rotating(
    x_m: ArrayLike, y_m: ArrayLike, *, centre: Centre = Centre.POLAR_CHART, chart_radius_m: float | None = None, readings: Readings | None = None
) -> Result:
    """Radial error motion, rotating sensitive direction: r = X cosθ + Y sinθ, with the zeros of both probes taken off.

    x_m, y_m : (N, n) m from two probes at 90°; θ = 0 is the first sample of each revolution. Otherwise as `radial_fixed`. "fundamental" is here the
    eccentricity of the artefact, the part of X + iY that turns with the spindle.
    """
    x, y = _checked("x_m", x_m), _checked("y_m", y_m)
    if x.shape != y.shape:
        raise DataError(f"x_m has shape {x.shape}, y_m {y.shape}; expected the same revolutions and angles")
    angle = _angles(x.shape[1])
    x, y = x - x.mean(), y - y.mean()
    rotating = x * np.cos(angle) + y * np.sin(angle)
    result = _result("radial, rotating sensitive direction", rotating, "m", centre, chart_radius_m, _pair(readings))
    eccentric = complex(np.mean((x + 1j * y) * np.exp(-1j * angle)))
    return _with_fundamental(result, abs(eccentric), math.atan2(eccentric.imag, eccentric.real), readings, x.size)


def axial(displacement_m: ArrayLike, *, readings: Readings | None = None) -> Result:
    """Axial error motion (face motion where measured off the axis): the fundamental is kept. (N, n) m as `radial_fixed`."""
    return _result("axial", _checked("displacement_m", displacement_m), "m", Centre.POLAR_CHART, None, readings, keep_fundamental=True)


def tilt(
    near_m: ArrayLike, far_m: ArrayLike, *, distance_m: float, readings: Readings | None = None
) -> Result:
    """Tilt error motion (rad) from two radial probes a distance apart, (N, n) m each: (far − near)/distance; the fundamental is taken off."""
    near, far = _checked("near_m", near_m), _checked("far_m", far_m)
    if near.shape != far.shape:
        raise DataError(f"near_m has shape {near.shape}, far_m {far.shape}; expected the same revolutions and angles")
    spacing = positive("distance_m", distance_m, "m")
    scaled = None
    if readings is not None:
        # Two probes: bounded errors add, noise in quadrature.
        scaled = Readings(
            device=2 * readings.device / spacing, noise=math.sqrt(2) * readings.noise / spacing, drift_range=2 * readings.drift_range / spacing,
            resolution=2 * readings.resolution / spacing,
        )  # fmt: skip
    return _result("tilt", (far - near) / spacing, "rad", Centre.POLAR_CHART, None, scaled)


def resampled_by_index(time_s: ArrayLike, values: ArrayLike, index_time_s: ArrayLike, *, samples: int) -> tuple[Array, list[str]]:
    """Readings in time, (t,), as (N, samples) at equal angles of the N whole revolutions between index pulses; and flags.

    The speed is taken as constant within a revolution. A speed that changes more than 1 % from one revolution to the next is flagged: what then is wrong in
    angle shows as false asynchronous error.

    Raises
    ------
    DataError       fewer than two pulses, pulses outside the record, fewer readings in a revolution than samples asked for
    """
    time = vector("time_s", time_s, fewest=4, ascending=True, largest=1e12)
    reading = vector("values", values, size=time.size)
    index = vector("index_time_s", index_time_s, fewest=2, ascending=True, largest=1e12)
    inside = index[(index >= time[0]) & (index <= time[-1])]
    if inside.size < 2:
        raise DataError(f"{inside.size} of {index.size} index pulses lie in the record from {time[0]:g} s to {time[-1]:g} s; expected at least 2, one revolution")
    period = np.diff(inside)
    _enough(samples, float(period.min()) / float(np.diff(time).max()))
    instants = inside[:-1, None] + period[:, None] * (np.arange(samples) / samples)
    flags = []
    if np.any(period > 1.5 * np.median(period)):
        flags.append("an index pulse is missing: two revolutions were taken as one, and synchronous and asynchronous suffer")
    elif period.size > 1 and np.abs(np.diff(period)).max() > STEADY_SPEED * period.mean():
        flags.append(f"the speed changes by up to {np.abs(np.diff(period)).max() / period.mean() * 100:.2g} % between revolutions: the asynchronous value contains errors of angle; use an encoder")
    return frozen(np.interp(instants.ravel(), time, reading).reshape(instants.shape)), flags


def resampled_by_encoder(angle_rad: ArrayLike, values: ArrayLike, *, samples: int) -> Array:
    """Readings at (t,) encoder angles (unwrapped, steadily rising or falling) as (N, samples) at equal angles of the N whole revolutions from the first multiple of 2π.

    Raises
    ------
    DataError       an angle that turns back, less than one revolution, fewer readings in a revolution than samples asked for
    """
    angle = vector("angle_rad", angle_rad, fewest=4, largest=1e9)
    reading = vector("values", values, size=angle.size)
    if angle[-1] < angle[0]:
        angle = -angle
    if not np.all(np.diff(angle) > 0):
        place = int(np.flatnonzero(~(np.diff(angle) > 0))[0])
        raise DataError(f"angle_rad turns back after reading {place + 1}; expected an unwrapped angle that rises or falls steadily")
    turn = 2 * math.pi
    first, last = math.ceil(angle[0] / turn - 1e-9), math.floor(angle[-1] / turn + 1e-9)
    # The last sample of a revolution lies a step before its end, so that a record that stops there still holds it.
    if angle[-1] >= (last + 1 - 1 / samples) * turn - 1e-9:
        last += 1
    if last - first < 1:
        raise DataError(f"the angle runs over {(angle[-1] - angle[0]) / turn:.2f} revolutions; expected a whole one from a multiple of 360° on")
    _enough(samples, turn / float(np.diff(angle).max()))
    wanted = (first + np.arange((last - first) * samples) / samples) * turn
    return frozen(np.interp(wanted, angle, reading).reshape(-1, samples))


def _enough(samples: int, readings_per_revolution: float) -> None:
    if samples < FEWEST_SAMPLES:
        raise DataError(f"{samples} samples a revolution; expected at least {FEWEST_SAMPLES}")
    if readings_per_revolution < samples * (1 - 1e-6):
        raise DataError(f"{readings_per_revolution:.1f} readings a revolution, at the fewest, for {samples} samples; expected at least as many; ask for fewer samples or read faster")


def _checked(name: str, values: ArrayLike) -> Array:
    array = table(name, values, (None, None))
    if array.shape[1] < FEWEST_SAMPLES:
        raise DataError(f"{name} has {array.shape[1]} samples a revolution (shape {array.shape}); expected (N, n) with n ≥ {FEWEST_SAMPLES}")
    return array


def _angles(samples: int) -> Array:
    angle: Array = np.arange(samples, dtype=np.float64) * (2 * math.pi / samples)
    return angle


def _result(
    what: str, values: Array, unit: str, centre: Centre, chart_radius_m: float | None, readings: Readings | None, *, keep_fundamental: bool = False
) -> Result:
    revolutions, samples = values.shape
    angle = _angles(samples)
    mean: Array = values.mean(axis=0)
    offset = float(mean.mean())
    term = complex(2 * np.mean(mean * np.exp(-1j * angle)))
    fundamental = np.real(term * np.exp(1j * angle))
    synchronous = mean - offset if keep_fundamental else form(mean)
    taken_off = offset + (0.0 if keep_fundamental else fundamental)
    averaged = None if readings is None else Readings(device=readings.device, noise=readings.noise / math.sqrt(revolutions), drift_range=readings.drift_range, resolution=readings.resolution)
    synchronous_u = None if averaged is None else averaged.of_range(samples, bounded=CIRCLE_GAIN)
    total_u = None if readings is None else readings.of_range(values.size, bounded=CIRCLE_GAIN)
    asynchronous: float | str = float(np.ptp(values, axis=0).max())
    if revolutions == 1:
        asynchronous = "one revolution: what differs between revolutions needs at least two"
    asynchronous_u = None if readings is None else readings.of_range(values.size)
    once_u = None if averaged is None else averaged.of_range(samples, bounded=2 / math.pi, random=2 / math.sqrt(samples))
    figures: list[Figure] = [
        figure("total", f"total error motion, {what}", float(np.ptp(values - taken_off)), unit, total_u),
        figure("synchronous", f"synchronous error motion, {what}", _synchronous_value(synchronous, mean, angle, centre, chart_radius_m), unit, synchronous_u),
        figure("asynchronous", f"asynchronous error motion, {what}", asynchronous, unit, asynchronous_u),
    ]
    if keep_fundamental:
        figures.append(figure("fundamental", "fundamental axial error motion, twice the amplitude", 2 * abs(term), unit, None if once_u is None else 2 * once_u))
        figures.append(figure("residual_synchronous", "residual synchronous axial error motion", float(np.ptp(synchronous - fundamental)), unit, synchronous_u))
    else:
        figures.append(figure("fundamental", "once-per-revolution term, amplitude (taken off)", abs(term), unit, once_u))
    stated = [f"centre of the synchronous value: {centre.value}"]
    if chart_radius_m is not None:
        stated.append(f"chart radius {chart_radius_m * 1e3:g} mm")
    return Result(
        title=f"ISO 230-7 error motion, {what}, {revolutions} revolutions of {samples} samples",
        stated=tuple(stated),
        figures=keyed(figures),
        flags=tuple(_flags(revolutions, samples)),
        centre=centre,
        angle_rad=frozen(angle),
        mean_contour=frozen(mean),
        synchronous=frozen(synchronous),
        asynchronous=frozen(values - mean),
        offset=offset,
        fundamental_amplitude=abs(term),
        fundamental_phase_rad=-math.atan2(term.imag, term.real),
    )


def _synchronous_value(synchronous: Array, contour: Array, angle: Array, centre: Centre, chart_radius_m: float | None) -> float:
    if centre is Centre.POLAR_CHART:
        return float(np.ptp(synchronous))
    if chart_radius_m is None:
        raise DataError(f"a {centre.value} needs chart_radius_m, the radius on which the chart is drawn; the value depends on it (by e²/(2·radius) for an eccentricity e)")
    radius = positive("chart_radius_m", chart_radius_m, "m") + contour
    if radius.min() <= 0:
        raise DataError(f"chart_radius_m is {chart_radius_m:g} with a contour down to {contour.min():g}; expected a larger chart")
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    if centre is Centre.MINIMUM_ZONE:
        zone = minimum_zone(x, y)
        return float(zone.outer_radius - zone.inner_radius)
    circle = least_squares_circle(x, y)
    return float(np.ptp(np.hypot(x - circle.x, y - circle.y)))


def _pair(readings: Readings | None) -> Readings | None:
    """X cosθ + Y sinθ of two probes: bounded errors up to √2, noise as of one."""
    if readings is None:
        return None
    return Readings(device=math.sqrt(2) * readings.device, noise=readings.noise, drift_range=math.sqrt(2) * readings.drift_range, resolution=math.sqrt(2) * readings.resolution)


def _with_fundamental(result: Result, amplitude: float, phase: float, readings: Readings | None, count: int) -> Result:
    from dataclasses import replace

    u = None if readings is None else readings.of_mean(count)
    named = figure("fundamental", "eccentricity of the artefact (taken off)", amplitude, "m", u)
    return replace(result, figures=keyed([*(item for key, item in result.figures.items() if key != "fundamental"), named]), fundamental_amplitude=amplitude, fundamental_phase_rad=phase)


def _flags(revolutions: int, samples: int) -> list[str]:
    flags = []
    if revolutions < REVOLUTIONS:
        flags.append(f"{revolutions} revolution{'s' if revolutions > 1 else ''} instead of at least {REVOLUTIONS}: the asynchronous value would grow with more")
    if samples < 7 * 15:
        flags.append(f"{samples} samples a revolution carry {samples // 7} undulations with 7 samples each: synchronous and total miss faster ones")
    return flags
