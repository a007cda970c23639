"""ISO 230-4: circular tests; editions 2005 and 2022. Formulas from memory of the standard.

A path in a plane of two axes, r(θ) = R + ΔR(θ), θ from the first axis (+X) towards the second (+Y). The order of the letters is the sense: XY from X to Y
(counter-clockwise), YX clockwise.

    G_XY      circular error: least distance of two concentric circles that enclose the path (minimum zone). Allowed substitute: the range of radial
              deviations from the least-squares circle (LSC). Which of the two is stated in the result.
    G(b)_XY   the same, one pair of circles around both paths
    F_max, F_min   largest and smallest ΔR, about the centre of the set-up or of the reference circle of a full circle
    D_XY      radius of the reference circle of both paths together − nominal radius

Until 2005 "error" was "deviation".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.circle import least_squares_circle
from ..uncertainty.readings import CIRCLE_GAIN, Readings
from .arrays import Array, positive, vector
from .reference_circles import minimum_zone
from .reported import Reported, figure, keyed

FEWEST_POINTS: Final = 16
FULL_CIRCLE_GAP_RAD: Final = math.radians(5)
"""A path without a gap beyond this, or beyond one and a half of its own steps, is a full circle."""
SMALLEST_ARC_RAD: Final = math.pi
"""On less than half a turn neither centre nor zone is determined by the path."""


class Sense(Enum):
    """Sense of the contouring motion."""

    XY = "counter-clockwise"
    """From the first axis to the second."""
    YX = "clockwise"

    @property
    def sign(self) -> int:
        """d: +1 counter-clockwise, −1 clockwise."""
        return 1 if self is Sense.XY else -1


class Zone(Enum):
    """Reference circle of G."""

    MINIMUM_ZONE = "minimum zone"
    LEAST_SQUARES = "range from the least-squares circle (the substitute that the standard allows)"


class Centring(Enum):
    """Centre from which F is measured, and reference circle of D."""

    LEAST_SQUARES = "least-squares circle of the path"
    MINIMUM_ZONE = "minimum-zone circle of the path"
    SET_UP = "set-up (the origin of the readings)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """One path as a ball bar or a grid encoder gave it.

    sense : `Sense`.
    angle_rad : (n,) float64, θ of each point about the centre of the readings, from the first axis towards the second; any number of turns.
    deviation_m : (n,) float64, ΔR = distance from that centre − nominal radius.
    """

    sense: Sense
    angle_rad: Array
    deviation_m: Array

    def __post_init__(self) -> None:
        if not isinstance(self.sense, Sense):
            raise DataError(f"sense is {self.sense!r}; expected Sense.XY (counter-clockwise) or Sense.YX (clockwise)")
        angle = vector("angle_rad", self.angle_rad, fewest=FEWEST_POINTS)
        object.__setattr__(self, "angle_rad", angle)
        object.__setattr__(self, "deviation_m", vector("deviation_m", self.deviation_m, size=angle.size))

    @classmethod
    def from_positions(cls, sense: Sense, first_m: ArrayLike, second_m: ArrayLike, *, radius_m: float) -> Path:
        """The path from coordinates about the programmed centre, (n,) m each, as a grid encoder or the feedback of the axes gives them."""
        x = vector("first_m", first_m, fewest=FEWEST_POINTS)
        y = vector("second_m", second_m, size=x.size)
        return cls(sense=sense, angle_rad=np.arctan2(y, x), deviation_m=np.hypot(x, y) - radius_m)

    @property
    def gap_rad(self) -> float:
        """Largest angle without a point."""
        return float(self._gaps().max())

    @property
    def largest_step_rad(self) -> float:
        """A gap beyond this is a missing piece of the circle."""
        return max(FULL_CIRCLE_GAP_RAD, 1.5 * float(np.median(self._gaps()))) * (1 + 1e-9)

    @property
    def arc_rad(self) -> float:
        """Angle that the points cover, 2π for a full circle."""
        return 2 * math.pi if self.gap_rad <= self.largest_step_rad else 2 * math.pi - self.gap_rad

    @property
    def turns_the_other_way(self) -> bool:
        """Whether the points follow one another against the stated sense."""
        step = np.angle(np.exp(1j * np.diff(self.angle_rad)))
        return bool(step.sum() * self.sense.sign < 0)

    def _gaps(self) -> Array:
        around = np.sort(np.mod(self.angle_rad, 2 * math.pi))
        gaps: Array = np.diff(around, append=around[0] + 2 * math.pi)
        return gaps


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures of a circular test, lengths in m: "G_XY", "G_YX", "G_b", "F_max_XY", "F_min_XY", "F_max_YX", "F_min_YX", "D".

    axes : first and second axis.
    radius_m, feed_m_per_s : nominal; feed None if it was not given.
    zone, centring : the conventions used.
    centre_m : sense ("XY", "YX") or "both" -> (first, second) of the centre from which F (for "both": D) was measured.
    start_angle_rad : sense -> angle of the first point.
    """

    axes: tuple[str, str]
    radius_m: float
    feed_m_per_s: float | None
    zone: Zone
    centring: Centring
    centre_m: Mapping[str, tuple[float, float]]
    start_angle_rad: Mapping[str, float]


def evaluate(
    paths: Sequence[Path],
    *,
    radius_m: float,
    feed_m_per_s: float | None = None,
    axes: tuple[str, str] = ("X", "Y"),
    zone: Zone = Zone.MINIMUM_ZONE,
    centring: Centring = Centring.LEAST_SQUARES,
    readings: Readings | None = None,
    length_uncertainty_m: float | None = None,
) -> Result:
    """Evaluate a circular test.

    Parameters
    ----------
    paths : one path, or one of each sense
    radius_m, feed_m_per_s : nominal
    zone : reference circle of G
    centring : centre of F and reference circle of D
    readings : what is known about the instrument's readings (m), for U
    length_uncertainty_m : expanded uncertainty (k = 2) of the calibrated length of the bar, for U of F and D

    Raises
    ------
    DataError       no path, two of one sense, a radius or feed that is not above zero, deviations as large as the radius, fewer than 16 points in a path

    Examples
    --------
    An ellipse of 2 µm in a circle of 150 mm:

    >>> angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    >>> ellipse = Path(sense=Sense.XY, angle_rad=angle, deviation_m=1e-6 * np.cos(2 * angle))
    >>> f"{evaluate([ellipse], radius_m=0.15)['G_XY']:.4g}"
    '2e-06'
    """
    by_sense = _checked(paths, radius_m, feed_m_per_s)
    first, second = axes
    figures: list[Figure] = []
    centres: dict[str, tuple[float, float]] = {}
    for sense in Sense:
        path = by_sense.get(sense)
        missing = f"no {sense.value} path was measured"
        names = (first + second) if sense is Sense.XY else (second + first)
        figures.append(_circular(f"G_{sense.name}", f"G_{names}", f"circular error, {sense.value}", [path] if path else [], missing, radius_m, zone, readings))
        figures += _radial(sense, names, path, missing, radius_m, centring, readings, length_uncertainty_m, centres)
    both = list(by_sense.values())
    one = "" if len(by_sense) == 2 else f"one direction only: no {next(s for s in Sense if s not in by_sense).value} path was measured"
    figures.append(_circular("G_b", f"G(b)_{first}{second}", "bidirectional circular error", [] if one else both, one, radius_m, zone, readings))
    figures.append(_mean_radial(f"D_{first}{second}", both, one, radius_m, centring, readings, length_uncertainty_m, centres))
    feed = "feed not stated" if feed_m_per_s is None else f"feed {feed_m_per_s * 60e3:g} mm/min"
    return Result(
        title=f"ISO 230-4 circular test, {first}{second}, radius {radius_m * 1e3:g} mm, {feed}",
        stated=(f"G: {zone.value}", f"centre of F and circle of D: {centring.value}"),
        figures=keyed(figures),
        flags=tuple(_flags(by_sense, radius_m, feed_m_per_s)),
        axes=axes,
        radius_m=radius_m,
        feed_m_per_s=feed_m_per_s,
        zone=zone,
        centring=centring,
        centre_m=MappingProxyType(centres),
        start_angle_rad=MappingProxyType({sense.name: float(path.angle_rad[0]) for sense, path in by_sense.items()}),
    )


def circularity(paths: Sequence[Path], radius_m: float, zone: Zone = Zone.MINIMUM_ZONE) -> float:
    """G of one path, or G(b) of several together, m."""
    x, y = _points(paths, radius_m)
    if zone is Zone.MINIMUM_ZONE:
        rings = minimum_zone(x, y)
        return float(rings.outer_radius - rings.inner_radius)
    circle = least_squares_circle(x, y)
    return float(np.ptp(np.hypot(x - circle.x, y - circle.y)))


def _checked(paths: Sequence[Path], radius_m: float, feed_m_per_s: float | None) -> dict[Sense, Path]:
    positive("radius_m", radius_m, "m")
    if feed_m_per_s is not None:
        positive("feed_m_per_s", feed_m_per_s, "m/s")
    by_sense: dict[Sense, Path] = {}
    for path in paths:
        if path.sense in by_sense:
            raise DataError(f"two {path.sense.value} paths; expected at most one of each sense: evaluate repeated runs one pair at a time")
        if np.abs(path.deviation_m).max() > radius_m / 10:
            raise DataError(f"{path.sense.value} path: a radial deviation of {np.abs(path.deviation_m).max():g} m on a radius of {radius_m:g} m; expected ΔR = r − R in m, not r")
        by_sense[path.sense] = path
    if not by_sense:
        raise DataError("no path; expected one counter-clockwise, one clockwise, or both")
    return by_sense


def _points(paths: Sequence[Path], radius_m: float) -> tuple[Array, Array]:
    angle = np.concatenate([path.angle_rad for path in paths])
    radius = radius_m + np.concatenate([path.deviation_m for path in paths])
    return radius * np.cos(angle), radius * np.sin(angle)


def too_short(paths: Sequence[Path], what: str) -> str | None:
    """Why `what` cannot be had from these paths: less than half a turn; None if it can."""
    shortest = min(path.arc_rad for path in paths)
    if shortest >= SMALLEST_ARC_RAD:
        return None
    return f"the path covers {math.degrees(shortest):.0f}°; {what} needs at least {math.degrees(SMALLEST_ARC_RAD):.0f}°"


def _circular(key: str, symbol: str, name: str, paths: list[Path], missing: str, radius_m: float, zone: Zone, readings: Readings | None) -> Figure:
    reason = missing if not paths else too_short(paths, "a zone")
    if reason:
        return figure(key, name, reason, "m", symbol=symbol)
    u = None if readings is None else readings.of_range(sum(path.angle_rad.size for path in paths), bounded=1.0 if zone is Zone.MINIMUM_ZONE else CIRCLE_GAIN)
    if zone is Zone.LEAST_SQUARES and min(path.arc_rad for path in paths) < 2 * math.pi and readings is not None:
        return figure(key, name, circularity(paths, radius_m, zone), "m", "on an arc the least-squares circle may move more than the readings err; use the minimum zone", symbol=symbol)
    return figure(key, name, circularity(paths, radius_m, zone), "m", u, symbol=symbol)


def _centre(paths: Sequence[Path], radius_m: float, centring: Centring) -> tuple[float, float, float]:
    """Centre and radius of the reference circle; the radius for the set-up centre is the mean radius."""
    x, y = _points(paths, radius_m)
    if centring is Centring.SET_UP:
        return 0.0, 0.0, float(np.hypot(x, y).mean())
    if centring is Centring.MINIMUM_ZONE:
        rings = minimum_zone(x, y)
        return float(rings.x), float(rings.y), float(rings.inner_radius + rings.outer_radius) / 2
    circle = least_squares_circle(x, y)
    return float(circle.x), float(circle.y), float(circle.radius)


def _arc(paths: Sequence[Path], centring: Centring, what: str) -> str | None:
    if centring is Centring.SET_UP:
        return None
    arc = min(path.arc_rad for path in paths)
    if arc == 2 * math.pi:
        return None
    return f"the path covers {math.degrees(arc):.0f}°; {what} about a fitted centre needs a full circle; use the set-up centre (Centring.SET_UP)"


def _radial(
    sense: Sense, names: str, path: Path | None, missing: str, radius_m: float, centring: Centring, readings: Readings | None,
    length_u: float | None, centres: dict[str, tuple[float, float]],
) -> list[Figure]:  # fmt: skip
    largest: float | str
    smallest: float | str
    reason = missing if path is None else _arc([path], centring, "F")
    u: float | str | None = None
    if reason or path is None:
        largest = smallest = reason or missing
    else:
        a, b, _ = _centre([path], radius_m, centring)
        centres[sense.name] = (a, b)
        x, y = _points([path], radius_m)
        deviation = np.hypot(x - a, y - b) - radius_m
        largest, smallest = float(deviation.max()), float(deviation.min())
        u = _with_length(None if readings is None else readings.of_extreme(path.angle_rad.size) * (1.0 if centring is Centring.SET_UP else CIRCLE_GAIN), length_u)
    return [
        figure(f"F_max_{sense.name}", f"largest radial error, {sense.value}", largest, "m", u, symbol=f"F_{names},max"),
        figure(f"F_min_{sense.name}", f"smallest radial error, {sense.value}", smallest, "m", u, symbol=f"F_{names},min"),
    ]


def _mean_radial(
    symbol: str, paths: list[Path], one: str, radius_m: float, centring: Centring, readings: Readings | None, length_u: float | None,
    centres: dict[str, tuple[float, float]],
) -> Figure:  # fmt: skip
    reason = one or _arc(paths, centring, "D")
    if reason:
        return figure("D", "mean bidirectional radial error", reason, "m", symbol=symbol)
    a, b, radius = _centre(paths, radius_m, centring)
    centres["both"] = (a, b)
    count = sum(path.angle_rad.size for path in paths)
    # The middle of a minimum zone moves by no more than the largest error; a least-squares radius is a mean.
    u = None if readings is None else readings.of_extreme(count) if centring is Centring.MINIMUM_ZONE else readings.of_mean(count)
    return figure("D", "mean bidirectional radial error", radius - radius_m, "m", _with_length(u, length_u), symbol=symbol)


def _with_length(u: float | None, length_u: float | None) -> float | str | None:
    if u is None:
        return None
    if length_u is None:
        return "the uncertainty of the calibrated length of the bar was not given"
    return math.hypot(u, length_u)


def _flags(by_sense: Mapping[Sense, Path], radius_m: float, feed_m_per_s: float | None) -> list[str]:
    flags = []
    for sense, path in by_sense.items():
        if path.turns_the_other_way:
            flags.append(swapped(path))
        if path.arc_rad < 2 * math.pi:
            short = path.arc_rad < SMALLEST_ARC_RAD
            flags.append(
                f"the {sense.value} path is an arc of {math.degrees(path.arc_rad):.0f}° with {_quadrants(path)} of 4 quadrants complete: "
                f"G_{sense.name} {'is not evaluated' if short else 'is that of the arc, at most that of the full circle'}; F and D need the centre of the set-up"
            )
        elif path.angle_rad.size < 360:
            flags.append(f"the {sense.value} path has {path.angle_rad.size} points: a reversal spike between two of them is missed, and G_{sense.name} with it")
        eccentric = abs(complex(np.mean(path.deviation_m * np.exp(-1j * path.angle_rad)))) * 2
        spread = float(np.ptp(path.deviation_m - 2 * np.real(np.mean(path.deviation_m * np.exp(-1j * path.angle_rad)) * np.exp(1j * path.angle_rad))))
        if path.arc_rad == 2 * math.pi and eccentric**2 / radius_m > 0.05 * spread:
            flags.append(
                f"the {sense.value} path is {eccentric * 1e6:.3g} µm off centre: if the angles are the commanded ones, not those of the bar, "
                f"G_{sense.name} is wrong by up to {eccentric**2 / radius_m * 1e6:.3g} µm; centre the set-up better"
            )
    if feed_m_per_s is None:
        flags.append("the feed is not stated")
    if len(by_sense) == 1:
        flags.append("one direction only: G(b) and D are not evaluated")
    return flags


def swapped(path: Path) -> str:
    """The flag of a path whose points run against its stated sense."""
    return f"the points of the {path.sense.value} path follow one another the other way round: if that is the order of motion, the two senses are swapped, and with them the signs of all that depends on direction"


def _quadrants(path: Path) -> int:
    """Quadrants without a gap beyond that of a full circle."""
    count = 0
    for quadrant in range(4):
        inside = np.sort(np.mod(path.angle_rad, 2 * math.pi) - quadrant * math.pi / 2)
        inside = inside[(inside >= 0) & (inside <= math.pi / 2)]
        edges = np.concatenate([[0.0], inside, [math.pi / 2]])
        count += bool(np.diff(edges).max() <= path.largest_step_rad)
    return count
