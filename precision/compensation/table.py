"""The compensation table of one axis, before any controller's format.

Sign, fixed here and nowhere else: deviation x̄ = actual − target; **correction = −x̄, added to the commanded position**. Where the machine goes 3 µm too
far, x̄ is +3 µm and the correction −3 µm. What a controller's file wants instead (the error, the actual position, increments) is the business of its module.

Between two points the correction is interpolated linearly, outside the table it stays that of the first or last point. `forward` holds while the axis
moves in the positive direction and stands after it, `reverse` after the negative one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import units
from ..errors import DataError
from ..recording import DOWN, UP, Kind

Array = NDArray[np.float64]

MOST_POINTS: Final = 100_000
SAME_POINT: Final = 1e-9
"""m or rad."""
LARGEST: Final = {"linear": 0.1, "rotary": math.radians(10)}
"""A correction above this is an error of units, not of a machine (m or rad)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Corrections of one axis at nominal positions.

    axis : name of the axis ("X").
    kind : "linear" (all lengths in m) or "rotary" (rad).
    nominal : (m,) float64, commanded positions, strictly ascending, m ≥ 1.
    forward, reverse : (m,) float64, correction added to the command after moving in the positive and in the negative direction.

    Raises
    ------
    DataError       no point, shapes that differ, positions not ascending, a number that is not finite, or a correction above `LARGEST`
    """

    axis: str
    kind: Kind = "linear"
    nominal: Array
    forward: Array
    reverse: Array

    def __post_init__(self) -> None:
        for name in ("nominal", "forward", "reverse"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        shapes = {name: getattr(self, name).shape for name in ("nominal", "forward", "reverse")}
        if self.nominal.ndim != 1 or not 1 <= self.nominal.size <= MOST_POINTS or len(set(shapes.values())) != 1:
            raise DataError(f"compensation table: shapes {shapes}; expected (m,) three times, with 1 to {MOST_POINTS} points")
        if not all(np.all(np.isfinite(array)) for array in (self.nominal, self.forward, self.reverse)):
            raise DataError("compensation table: a position or correction is not a finite number")
        wrong = np.flatnonzero(np.diff(self.nominal) <= 0)
        if wrong.size:
            raise DataError(f"compensation table: position {wrong[0] + 2} does not lie above the one before it; ascending positions are expected")
        largest = float(max(np.abs(self.forward).max(), np.abs(self.reverse).max()))
        if largest > LARGEST[self.kind]:
            raise DataError(
                f"compensation table: a correction of {units.text(largest, self.unit)}; at most {units.text(LARGEST[self.kind], self.unit)} is "
                "taken for one: check the units"
            )

    @property
    def unit(self) -> str:
        """SI unit of positions and corrections: "m" or "rad"."""
        return "m" if self.kind == "linear" else "rad"

    @property
    def file_unit(self) -> float:
        """The size in SI of a controller file's unit, mm or degree."""
        return file_unit(self.kind)

    @property
    def averaged(self) -> bool:
        """Whether both directions have the same corrections."""
        return bool(np.array_equal(self.forward, self.reverse))

    def correction(self, position: ArrayLike, direction: ArrayLike) -> Array:
        """What is added to a command at `position` after motion in `direction` (0 ↑, 1 ↓); both broadcast. m or rad."""
        at = np.asarray(position, dtype=np.float64)
        up, down = np.interp(at, self.nominal, self.forward), np.interp(at, self.nominal, self.reverse)
        return np.asarray(np.where(np.asarray(direction) == DOWN, down, up), dtype=np.float64)

    def apply(self, position: ArrayLike, direction: ArrayLike) -> Array:
        """The corrected command: position + correction."""
        return np.asarray(np.asarray(position, dtype=np.float64) + self.correction(position, direction), dtype=np.float64)

    def residual(self, target: ArrayLike, mean: ArrayLike) -> Array:
        """(2, m) mean deviations that are predicted at `target` (m,) once this table is active: mean (2, m) ↑, ↓ plus correction.

        The slope of the error over a correction's own length is left out: 20 µm/m over 20 µm is 0.4 nm.
        """
        at = np.asarray(target, dtype=np.float64)
        return np.asarray(mean, dtype=np.float64) + np.stack([self.correction(at, UP), self.correction(at, DOWN)])

    def as_averaged(self) -> Table:
        """The same correction for both directions, their mean: for controllers that know no direction. The reversal remains."""
        mean = (self.forward + self.reverse) / 2
        return replace(self, forward=mean, reverse=mean)

    def plus(self, other: Table) -> Table:
        """The sum of two tables of one axis, at the points of both; points closer than `SAME_POINT` are one, written twice with rounding."""
        if (self.axis, self.kind) != (other.axis, other.kind):
            raise DataError(f"compensation tables of the {self.kind} axis {self.axis} and the {other.kind} axis {other.axis} have no sum")
        points = np.union1d(self.nominal, other.nominal)
        at = points[np.concatenate([[True], np.diff(points) > SAME_POINT])]
        return replace(self, nominal=at, forward=self.correction(at, UP) + other.correction(at, UP), reverse=self.correction(at, DOWN) + other.correction(at, DOWN))

    def negative(self) -> Table:
        """The table that takes this one away."""
        return replace(self, forward=-self.forward, reverse=-self.reverse)

    def shifted(self, offset: float) -> Table:
        """The same corrections at positions moved by `offset`: from the run's coordinates to the machine's."""
        return replace(self, nominal=self.nominal + offset)

    def zero_at(self, position: float) -> Table:
        """The table with a constant subtracted so that the mean correction of both directions is 0 at `position` (the reference point).

        A constant moves the axis' zero; it changes no figure of ISO 230-2.
        """
        constant = float((self.correction(position, UP) + self.correction(position, DOWN)) / 2)
        return replace(self, forward=self.forward - constant, reverse=self.reverse - constant)

    def resampled(self, nominal: ArrayLike) -> Table:
        """The table at other positions: linear between the points, constant outside."""
        at = np.asarray(nominal, dtype=np.float64)
        return replace(self, nominal=at, forward=np.interp(at, self.nominal, self.forward), reverse=np.interp(at, self.nominal, self.reverse))

    def interpolation_error(self, other: Table) -> float:
        """The largest difference of the corrections of two tables over their common range and beyond (both are linear between points)."""
        at = np.union1d(self.nominal, other.nominal)
        return float(max(np.abs(self.correction(at, way) - other.correction(at, way)).max() for way in (UP, DOWN)))

    @property
    def spacing(self) -> float | None:
        """The distance of the points where it is the same everywhere (to 1e-9 of it), else None."""
        if self.nominal.size < 2:
            return None
        steps = np.diff(self.nominal)
        step = float((self.nominal[-1] - self.nominal[0]) / steps.size)
        # Positions are read from decimal text: their rounding in float64 is far below 1e-9 of any spacing that makes sense.
        return step if np.all(np.abs(steps - step) <= 1e-9 * step) else None


def file_unit(kind: Kind) -> float:
    """The size in SI of the unit of controllers' files: mm (linear) or degree (rotary)."""
    return units.MM if kind == "linear" else math.pi / 180


def from_means(*, axis: str, kind: Kind, target: ArrayLike, mean: ArrayLike) -> Table:
    """The table that takes away the mean deviations of a positioning test, with a point at each target.

    target : (m,) m or rad. mean : (2, m), mean unidirectional deviations x̄_i↑, x̄_i↓ (actual − target).

    Raises
    ------
    DataError       a mean that is not there: the target and direction
    """
    means = np.asarray(mean, dtype=np.float64)
    at = np.asarray(target, dtype=np.float64)
    if means.shape != (2, at.size):
        raise ValueError(f"mean has shape {means.shape}; expected (2, {at.size}): direction, target")
    missing = np.argwhere(~np.isfinite(means))
    if missing.size:
        way, index = missing[0]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"no approach {'↑↓'[way]} at target {index + 1} ({at[index] / file_unit(kind):.6g} {'mm' if kind == 'linear' else '°'}){others}: a table cannot be made there. Measure the axis "
            "again; nothing is filled in"
        )
    return Table(axis=axis, kind=kind, nominal=at, forward=-means[UP], reverse=-means[DOWN])


def fewest_points(table: Table, tolerance: float) -> Table:
    """The table with as few of its points as keep the interpolated correction within `tolerance` (m or rad) at all the others. The ends stay.

    Exact: the shortest chain of points in which each straight piece passes every point between its ends within the tolerance, in both directions.
    """
    _positive("tolerance", tolerance)
    x, m = table.nominal, table.nominal.size
    if m <= 2:
        return table
    before = np.full(m, -1)
    reached = {0}
    newest = [0]
    while before[m - 1] < 0:  # breadth first: after k rounds all that k pieces can reach; two neighbours are always a piece
        following = []
        for start in newest:
            for end in _pieces_from(table, start, tolerance, x):
                if end not in reached:
                    reached.add(end)
                    before[end] = start
                    following.append(end)
        newest = sorted(following)
    chain = [m - 1]
    while chain[-1] != 0:
        chain.append(int(before[chain[-1]]))
    keep = np.array(chain[::-1])
    return replace(table, nominal=x[keep], forward=table.forward[keep], reverse=table.reverse[keep])


def _pieces_from(table: Table, start: int, tolerance: float, x: Array) -> list[int]:
    """The ends of the straight pieces from `start` that pass every point between within the tolerance: a cone of slopes, narrowed point by point."""
    run = x[start + 1 :] - x[start]
    good = np.ones(run.size, dtype=bool)
    for values in (table.forward, table.reverse):
        rise = values[start + 1 :] - values[start]
        slope = rise / run
        lowest = np.concatenate([[-np.inf], np.maximum.accumulate((rise - tolerance) / run)[:-1]])
        highest = np.concatenate([[np.inf], np.minimum.accumulate((rise + tolerance) / run)[:-1]])
        good &= (lowest <= slope) & (slope <= highest)
    return [start + 1 + int(index) for index in np.flatnonzero(good)]


def evenly(table: Table, spacing: float, *, origin: float = 0.0) -> Table:
    """The table at equal distances, as many controllers want it: at multiples of `spacing` from `origin`, from below the first point to above the last."""
    _positive("spacing", spacing)
    first = math.floor((table.nominal[0] - origin) / spacing + 1e-9)
    last = max(first + 1, math.ceil((table.nominal[-1] - origin) / spacing - 1e-9))
    if last - first >= MOST_POINTS:
        raise DataError(f"a spacing of {units.text(spacing, table.unit)} makes {last - first + 1} points; at most {MOST_POINTS} are made")
    return table.resampled(origin + spacing * np.arange(first, last + 1))


def fewest_even_points(table: Table, tolerance: float, *, origin: float = 0.0, most: int = 2000) -> Table:
    """The widest even spacing of the series 1, 2, 2.5, 5, 10 … mm (or degrees) that keeps the interpolated correction within `tolerance` of the table's.

    Raises
    ------
    DataError       no spacing with at most `most` points does
    """
    _positive("tolerance", tolerance)
    unit = table.file_unit
    span = float(table.nominal[-1] - table.nominal[0]) / unit
    nearest = math.inf
    for decade in range(math.floor(math.log10(max(span, 1e-6))), -9, -1):
        for step in (5.0, 2.5, 2.0, 1.0):
            spacing = step * 10.0**decade
            if spacing > span > 0:
                continue
            if span / spacing + 1 > most:
                raise DataError(
                    f"no even spacing with up to {most} points keeps the interpolation within {units.text(tolerance, table.unit)}; the best has "
                    f"{units.text(nearest, table.unit)}: give a larger --tolerance, or --spacing"
                )
            even = evenly(table, spacing * unit, origin=origin)
            nearest = min(nearest, even.interpolation_error(table))
            if even.interpolation_error(table) <= tolerance:
                return even
    raise DataError(f"a travel of {span:g} has no even spacing above 1e-9 mm")


def expected_range(number: int) -> float:
    """Mean range of `number` independent standard normal values (2: 1.128, 5: 2.326): what scatter alone makes of E.

    d_N = ∫ (1 − Φ(x)^N − (1 − Φ(x))^N) dx, trapezoidal over ±10 (Tippett 1925).
    """
    from scipy.special import ndtr

    x = np.linspace(-10.0, 10.0, 4001)
    below = ndtr(x)
    return float(np.trapezoid(1 - below**number - (1 - below) ** number, x))


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}; expected a finite number above 0, in m or rad")
