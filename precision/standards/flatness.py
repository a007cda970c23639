"""ISO 230-1: flatness of a surface from lines of a level or an autocollimator: Union Jack (Moody) or grid. From memory of the standard (2012).

Each line gives height steps d·tan θ between neighbouring stations. Stations of several lines are one place of the surface. All steps are adjusted together
by least squares,

    h_{k+1} − h_k = z_{k+1} − z_k + t_line·s_k        s_k the distance of the two stations

with the heights z unknown, and the tilt t of each line too where the line has its own reference (an autocollimator, set up anew for each line). A level
refers to gravity: t = 0. For a Union Jack this is Moody's method, with its two surplus observations adjusted instead of left as closure. The closure error
is the largest distance between a line's own heights (after its best offset and tilt) and the adjusted surface.

Flatness is the range of z about the least-squares plane, or the least range about any plane (minimum zone).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.readings import LINE_GAIN, largest_normal
from .arrays import Array, frozen, positive, table, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

UNION_JACK: Final[Mapping[str, tuple[tuple[float, float], tuple[float, float]]]] = {
    "south": ((0, 0), (1, 0)), "north": ((0, 1), (1, 1)), "west": ((0, 0), (0, 1)), "east": ((1, 0), (1, 1)),
    "diagonal up": ((0, 0), (1, 1)), "diagonal down": ((0, 1), (1, 0)), "middle along x": ((0, 0.5), (1, 0.5)), "middle along y": ((0.5, 0), (0.5, 1)),
}  # fmt: skip
"""The eight lines of a Union Jack: start and end in units of length and width."""


class LineReference(Enum):
    """What the angles of a line refer to."""

    OWN = "each line has its own reference (autocollimator)"
    GRAVITY = "all lines refer to gravity (level)"


class Plane(Enum):
    """Plane from which flatness is counted."""

    LEAST_SQUARES = "least-squares plane"
    MINIMUM_ZONE = "minimum-zone planes"


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelLine:
    """A line of stations: x, y (k,) m, and heights (k,) m from any zero, as summed up from the angles."""

    name: str
    x_m: Array
    y_m: Array
    height_m: Array

    def __post_init__(self) -> None:
        x = vector(f"x_m of line {self.name}", self.x_m, fewest=2)
        for field, array in (("x_m", x), ("y_m", vector(f"y_m of line {self.name}", self.y_m, size=x.size)), ("height_m", vector(f"height_m of line {self.name}", self.height_m, size=x.size))):
            object.__setattr__(self, field, array)
        if np.any(np.hypot(np.diff(self.x_m), np.diff(self.y_m)) == 0):
            raise DataError(f"line {self.name} has two stations in one place; remove one")

    @classmethod
    def from_angles(cls, name: str, start_m: tuple[float, float], end_m: tuple[float, float], angle_rad: ArrayLike) -> LevelLine:
        """A straight line of n + 1 stations from n angles, positive where the surface rises from start to end; the feet are a step apart."""
        angle = vector(f"angle_rad of line {name}", angle_rad, fewest=1, largest=math.radians(10))
        share = np.linspace(0, 1, angle.size + 1)
        (xa, ya), (xb, yb) = start_m, end_m
        step = math.hypot(xb - xa, yb - ya) / angle.size
        height = np.concatenate([[0.0], np.cumsum(step * np.tan(angle))])
        return cls(name=name, x_m=xa + (xb - xa) * share, y_m=ya + (yb - ya) * share, height_m=height)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Flatness. Figures "flatness" and "closure", m.

    x_m, y_m, height_m : (p,) places and their heights about the reference plane.
    plane, line_reference : conventions.
    line_closure_m : name of the line -> its largest distance from the adjusted surface.
    redundancy : surplus observations.
    """

    x_m: Array
    y_m: Array
    height_m: Array
    plane: Plane
    line_reference: LineReference
    line_closure_m: Mapping[str, float]
    redundancy: int


def union_jack(angles: Mapping[str, ArrayLike], *, length_m: float, width_m: float) -> tuple[LevelLine, ...]:
    """The eight lines of a Union Jack over length (x) by width (y); `angles`: name (keys of `UNION_JACK`) -> (n,) rad, an even number along each line.

    Raises
    ------
    DataError       a line missing or unknown, an odd number of angles (the middle would be no station)
    """
    if set(angles) != set(UNION_JACK):
        raise DataError(f"lines {', '.join(sorted(set(UNION_JACK) ^ set(angles)))} are missing or unknown; expected {', '.join(UNION_JACK)}")
    lines = []
    for name, (start, end) in UNION_JACK.items():
        line = LevelLine.from_angles(name, (start[0] * length_m, start[1] * width_m), (end[0] * length_m, end[1] * width_m), angles[name])
        if line.x_m.size % 2 == 0:
            raise DataError(f"line {name} has {line.x_m.size - 1} angles; expected an even number, so that the middle of the line is a station")
        lines.append(line)
    return tuple(lines)


def grid(along_x_rad: ArrayLike, along_y_rad: ArrayLike, *, length_m: float, width_m: float) -> tuple[LevelLine, ...]:
    """The lines of a grid of nx by ny stations: along_x_rad (ny, nx − 1) one row a line along x, along_y_rad (nx, ny − 1) one row a line along y.

    Raises
    ------
    DataError       unequal grids: the two arrays do not belong to the same stations
    """
    rows, columns = table("along_x_rad", along_x_rad, (None, None), largest=math.radians(10)), table("along_y_rad", along_y_rad, (None, None), largest=math.radians(10))
    ny, nx = rows.shape[0], rows.shape[1] + 1
    if columns.shape != (nx, ny - 1):
        raise DataError(f"along_x_rad has shape {rows.shape}, a grid of {nx} by {ny} stations, but along_y_rad {columns.shape}; expected ({nx}, {ny - 1})")
    x, y = np.linspace(0, length_m, nx), np.linspace(0, width_m, ny)
    return (
        *(LevelLine.from_angles(f"row {k + 1}", (0.0, float(y[k])), (length_m, float(y[k])), rows[k]) for k in range(ny)),
        *(LevelLine.from_angles(f"column {k + 1}", (float(x[k]), 0.0), (float(x[k]), width_m), columns[k]) for k in range(nx)),
    )


def evaluate(
    lines: Sequence[LevelLine], *, line_reference: LineReference, plane: Plane = Plane.LEAST_SQUARES, instrument_uncertainty_rad: float | None = None
) -> Result:
    """Evaluate flatness.

    Parameters
    ----------
    lines : `union_jack(…)`, `grid(…)`, or any lines that cross at common stations
    line_reference : what the angles refer to
    instrument_uncertainty_rad : expanded uncertainty (k = 2) of the difference of two angles, for U; noise is estimated from the closure

    Raises
    ------
    DataError       lines that do not connect, or leave a twist of the surface open (rows and columns alone with an autocollimator: add both diagonals)
    """
    if len(lines) < 2:
        raise DataError(f"{len(lines)} lines; flatness needs lines that cross")
    x, y, index = _places(lines)
    own = line_reference is LineReference.OWN
    matrix, steps = _equations(lines, index, x.size, own)
    rank = int(np.linalg.matrix_rank(matrix))
    free = x.size + (len(lines) if own else 0) - rank
    if free > (3 if own else 1):
        raise DataError(
            f"{free - (3 if own else 1)} shape{'s' if free - (3 if own else 1) > 1 else ''} of the surface cannot be had from these {len(lines)} lines (they do not connect, or leave a twist open); "
            "expected lines that share stations, with both diagonals where each line has its own reference"
        )
    inverse = np.linalg.pinv(matrix)
    height = (inverse @ steps)[: x.size]
    redundancy = steps.size - rank
    residual = steps - matrix @ (inverse @ steps)
    plane_of = np.linalg.pinv(np.stack([x, y, np.ones_like(x)], axis=-1))
    off = np.eye(x.size) - np.stack([x, y, np.ones_like(x)], axis=-1) @ plane_of
    closure = {line.name: _closure(line, height[places], own) for line, places in zip(lines, index, strict=True)}
    height = off @ height
    if plane is Plane.MINIMUM_ZONE:
        height = _minimum_zone(x, y, height)
    return Result(
        title=f"ISO 230-1 flatness, {x.size} stations on {len(lines)} lines, {np.ptp(x) * 1e3:g} mm by {np.ptp(y) * 1e3:g} mm",
        stated=(f"reference: {plane.value}", line_reference.value),
        figures=keyed([
            figure("flatness", "flatness", float(np.ptp(height)), "m", _uncertainty(lines, off @ inverse[: x.size], residual, redundancy, instrument_uncertainty_rad)),
            _closure_figure(closure, redundancy),
        ]),
        flags=tuple(_flags(closure, redundancy, float(np.ptp(height)))),
        x_m=frozen(x),
        y_m=frozen(y),
        height_m=frozen(height),
        plane=plane,
        line_reference=line_reference,
        line_closure_m=closure,
        redundancy=redundancy,
    )  # fmt: skip


def _places(lines: Sequence[LevelLine]) -> tuple[Array, Array, list[np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """The distinct places of all stations, and for each line which of them it visits. Stations within a millionth of the size are one place."""
    x, y = np.concatenate([line.x_m for line in lines]), np.concatenate([line.y_m for line in lines])
    size = max(float(np.ptp(x)), float(np.ptp(y)))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise DataError(f"the stations span {np.ptp(x):g} m by {np.ptp(y):g} m; expected lines in two directions")
    rounded = np.round(np.stack([x, y], axis=-1) / (size * 1e-6)).astype(np.int64)
    _, first, inverse = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    ends = np.cumsum([0, *(line.x_m.size for line in lines)])
    return x[first], y[first], [inverse[a:b] for a, b in pairwise(ends)]


def _equations(lines: Sequence[LevelLine], index: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]], places: int, own: bool) -> tuple[Array, Array]:
    count = sum(line.x_m.size - 1 for line in lines)
    matrix, steps = np.zeros((count, places + (len(lines) if own else 0))), np.empty(count)
    row = 0
    for number, (line, visited) in enumerate(zip(lines, index, strict=True)):
        distance = np.hypot(np.diff(line.x_m), np.diff(line.y_m))
        for k in range(visited.size - 1):
            matrix[row, visited[k + 1]] += 1
            matrix[row, visited[k]] -= 1
            if own:
                matrix[row, places + number] = distance[k]
            steps[row] = line.height_m[k + 1] - line.height_m[k]
            row += 1
    return matrix, steps


def _minimum_zone(x: Array, y: Array, height: Array) -> Array:
    """Heights about the middle of the two parallel planes that enclose them with the least range (a linear program)."""
    from scipy.optimize import linprog

    scale = float(np.ptp(height))
    if scale == 0:
        return height
    design = np.stack([(x - x.mean()) / np.ptp(x), (y - y.mean()) / np.ptp(y), np.ones_like(x)], axis=-1)
    z, t = height / scale, np.ones((x.size, 1))
    found = linprog([0, 0, 0, 1], A_ub=np.block([[-design, -t], [design, -t]]), b_ub=np.concatenate([-z, z]), bounds=[(None, None)] * 4, method="highs")
    if not found.success:
        raise DataError(f"the minimum-zone planes were not found ({found.message}); use the least-squares plane")
    about: Array = scale * (z - design @ np.asarray(found.x)[:3])
    return about


def _closure(line: LevelLine, adjusted: Array, own: bool) -> float:
    """Largest distance of a line's own heights from the surface, after its best offset, and its best tilt where it has its own reference."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(line.x_m), np.diff(line.y_m)))])
    difference = line.height_m - adjusted
    design = np.stack([along, np.ones_like(along)] if own else [np.ones_like(along)], axis=-1)
    solution, *_ = np.linalg.lstsq(design, difference, rcond=None)
    return float(np.abs(difference - design @ solution).max())


def _closure_figure(closure: Mapping[str, float], redundancy: int) -> Figure:
    name = "closure error, largest distance of a line from the adjusted surface"
    if redundancy == 0:
        return figure("closure", name, "every station was measured just once: nothing closes; add lines", "m")
    return figure("closure", name, max(closure.values()), "m", "it is itself the measure of how well the lines agree")


def _uncertainty(lines: Sequence[LevelLine], to_height: Array, residual: Array, redundancy: int, instrument: float | None) -> float | str:
    """U: noise as the closure shows it (Student's t for its few degrees of freedom), and bounded errors of the instrument along the longest line."""
    if instrument is None:
        return "the uncertainty of the instrument's angles was not given"
    if redundancy == 0:
        return "every station was measured just once, so that the scatter is not known"
    positive("instrument_uncertainty_rad", instrument, "rad")
    s = math.sqrt(float(residual @ residual) / redundancy)
    largest = s * float(np.sqrt((to_height**2).sum(axis=1).max()))
    length = max(float(np.hypot(np.diff(line.x_m), np.diff(line.y_m)).sum()) for line in lines)
    return coverage_factor(redundancy) * largest_normal(to_height.shape[0]) * largest + LINE_GAIN * length * instrument / 4


def _flags(closure: Mapping[str, float], redundancy: int, flatness: float) -> list[str]:
    if redundancy == 0:
        return ["no line closes on others: an error of any line goes into the flatness unseen"]
    worst = max(closure, key=lambda name: closure[name])
    # Rounding of heights leaves some 1e-16 of a metre; below that there is nothing to say.
    if closure[worst] > 0.2 * flatness and closure[worst] > 1e-12:
        return [f"line {worst} closes to {closure[worst] * 1e6:.3g} µm only, against a flatness of {flatness * 1e6:.3g} µm; measure it again"]
    return []
