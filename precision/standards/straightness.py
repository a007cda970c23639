"""ISO 230-1: straightness of a motion, from displacements or from angles. From memory of the standard (2012, 3.6.7: three reference lines are allowed).

Points (x_k, y_k): position along the axis and displacement across it. The straightness error is the range of y_k − (a·x_k + b), the line being

    end point         through the first and the last point
    least squares     ordinary regression of y on x (distances across the axis)
    minimum zone      the line for which the range is least; it is parallel to an edge of the convex hull

Two directions are evaluated one by one, and their mean. From angles θ_i of a carriage or level whose feet are d apart, placed end to end: y_k = Σ_{i ≤ k} d·tan θ_i.

Sign: y is positive in the positive direction of the axis across, as is the slope dy/dx.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.readings import END_POINT_GAIN, Readings, line_gain
from .arrays import Array, frozen, positive, table, vector
from .reported import Reported, figure, keyed


class ReferenceLine(Enum):
    """Line from which straightness is counted."""

    END_POINT = "line through the end points"
    LEAST_SQUARES = "least-squares line"
    MINIMUM_ZONE = "mean minimum-zone line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y = intercept + slope·x (m, rad); `error` is the range of the residuals, m."""

    slope: float
    intercept: float
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Straightness. Figures "E" (of the mean of the directions), "E_up", "E_down" (m), "slope" of the mean's line (rad).

    axis, across : the moving axis, and the direction in which displacement was measured.
    reference : `ReferenceLine`.
    position_m : (n,) float64.
    displacement_m : (n,) float64, mean of the directions.
    residual_m : (directions, n) float64, each direction about its own line.
    line : of the mean.
    """

    axis: str
    across: str
    reference: ReferenceLine
    position_m: Array
    displacement_m: Array
    residual_m: Array
    line: Line


def evaluate(
    position_m: ArrayLike,
    displacement_m: ArrayLike,
    *,
    reference: ReferenceLine = ReferenceLine.LEAST_SQUARES,
    axis: str = "X",
    across: str = "Y",
    readings: Readings | None = None,
) -> Result:
    """Evaluate straightness from displacements.

    Parameters
    ----------
    position_m : (n,) ascending, n ≥ 3
    displacement_m : (n,) for one direction, or (2, n) for ↑ and ↓; a mean of runs
    reference : the line, stated in the result
    readings : what is known about one displacement reading (m), for U

    Raises
    ------
    DataError       shapes, fewer than 3 points, positions that do not ascend

    Examples
    --------
    >>> f"{evaluate([0, 0.5, 1], [0, 3e-6, 0])['E']:.2g}"
    '3e-06'
    """
    x = vector("position_m", position_m, fewest=3, ascending=True)
    array = np.asarray(displacement_m, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != x.size or (array.ndim == 2 and array.shape[0] not in (1, 2)):
        raise DataError(f"displacement_m has shape {array.shape}; expected ({x.size},), or (2, {x.size}) for both directions")
    y = table("displacement_m", np.atleast_2d(array), (None, x.size))
    mean = y.mean(axis=0)
    whole = line(x, mean, reference)
    each = [line(x, row, reference) for row in y]
    residual = np.stack([row - (one.intercept + one.slope * x) for row, one in zip(y, each, strict=True)])
    u = None if readings is None else _uncertainty(readings, x, reference)
    symbol = f"E_{across}{axis}"
    missing = "only one direction was measured"
    directions: list[Figure] = [
        figure(f"E_{key}", f"straightness, {word} direction", each[k].error if y.shape[0] == 2 else missing, "m", u, symbol=f"{symbol}{arrow}")
        for k, (key, word, arrow) in enumerate((("up", "positive", "↑"), ("down", "negative", "↓")))
    ]
    return Result(
        title=f"ISO 230-1 straightness of {axis} in {across}, {x.size} points over {(x[-1] - x[0]) * 1e3:g} mm",
        stated=(f"reference line: {reference.value}",),
        figures=keyed([
            figure("E", "straightness" if y.shape[0] == 1 else "straightness, mean of both directions", whole.error, "m", u, symbol=symbol),
            *directions,
            figure("slope", "slope of the reference line against the straightedge", whole.slope, "rad", slope_uncertainty(x, reference, readings), symbol="slope"),
        ]),
        flags=tuple(_flags(x, y.shape[0])),
        axis=axis,
        across=across,
        reference=reference,
        position_m=x,
        displacement_m=frozen(mean),
        residual_m=frozen(residual),
        line=whole,
    )  # fmt: skip


def from_angles(angle_rad: ArrayLike, *, foot_spacing_m: float) -> tuple[Array, Array]:
    """Positions (0, d, 2d, …) and displacements y_k = Σ d·tan θ_i, (n + 1,) m each, from n angles of a carriage moved by its foot spacing.

    An angle is positive where the front foot is higher (further in the positive direction across) than the rear one.

    >>> position, height = from_angles([1e-5, -1e-5], foot_spacing_m=0.1)
    >>> [round(float(h), 9) for h in height]
    [0.0, 1e-06, 0.0]
    """
    angle = vector("angle_rad", angle_rad, fewest=2, largest=math.radians(10))
    spacing = positive("foot_spacing_m", foot_spacing_m, "m")
    position: Array = spacing * np.arange(angle.size + 1, dtype=np.float64)
    displacement: Array = np.concatenate([[0.0], np.cumsum(spacing * np.tan(angle))])
    return position, displacement


def readings_from_angles(angle_readings: Readings, count: int, *, foot_spacing_m: float) -> Readings:
    """What is known about displacements that are summed up from `count` angles, each known as `angle_readings` (rad) says.

    A line takes off what grows evenly. What is left of bounded errors of range w is largest where they change sign half-way, count·d·w/4; of independent
    noise σ, in the middle, σ·d·√count/2.
    """
    spacing = positive("foot_spacing_m", foot_spacing_m, "m")
    bounded = angle_readings.device + angle_readings.drift_range + angle_readings.resolution
    return Readings(device=count * spacing * bounded / 4, noise=angle_readings.noise * spacing * math.sqrt(count) / 2)


def line(position_m: Array, displacement_m: Array, reference: ReferenceLine) -> Line:
    """The reference line of (n,) points, positions ascending."""
    x, y = position_m, displacement_m
    if reference is ReferenceLine.END_POINT:
        slope = float((y[-1] - y[0]) / (x[-1] - x[0]))
        intercept = float(y[0] - slope * x[0])
    elif reference is ReferenceLine.LEAST_SQUARES:
        centred = x - x.mean()
        slope = float(centred @ (y - y.mean()) / (centred @ centred))
        intercept = float(y.mean() - slope * x.mean())
    else:
        slope = _minimum_zone_slope(x, y)
        level = y - slope * x
        intercept = float(level.max() + level.min()) / 2
    residual = y - (intercept + slope * x)
    return Line(slope=slope, intercept=intercept, error=float(np.ptp(residual)))


def _minimum_zone_slope(x: Array, y: Array) -> float:
    """The slope of the hull's edge for which the range across is least. As the range is convex in the slope, one of the edges is the optimum."""
    edges = _hull_slopes(x, y) + _hull_slopes(x, -y, sign=-1.0)
    widths = [float(np.ptp(y - slope * x)) for slope in edges]
    return edges[int(np.argmin(widths))]


def _hull_slopes(x: Array, y: Array, sign: float = 1.0) -> list[float]:
    """Slopes of the lower convex hull (of the upper one for −y with sign −1), by Andrew's monotone chain."""
    chain: list[int] = []
    for k in range(x.size):
        while len(chain) > 1 and (y[chain[-1]] - y[chain[-2]]) * (x[k] - x[chain[-1]]) >= (y[k] - y[chain[-1]]) * (x[chain[-1]] - x[chain[-2]]):
            chain.pop()
        chain.append(k)
    return [sign * float((y[b] - y[a]) / (x[b] - x[a])) for a, b in pairwise(chain)]


def _uncertainty(readings: Readings, x: Array, reference: ReferenceLine) -> float:
    if reference is ReferenceLine.MINIMUM_ZONE:
        return readings.of_range(x.size)
    if reference is ReferenceLine.END_POINT:
        # A residual is a reading minus a mean of the two end readings with weights that sum to 1: its noise is at most √2·σ.
        return readings.of_range(x.size, bounded=END_POINT_GAIN, random=math.sqrt(2))
    return readings.of_range(x.size, bounded=line_gain(x))


def slope_uncertainty(x: Array, reference: ReferenceLine, readings: Readings | None) -> float | str | None:
    """U of the slope of the reference line through points at `x`, the reason why there is none, or None where nothing is known of the readings."""
    length = float(x[-1] - x[0])
    if readings is None:
        return None
    if reference is ReferenceLine.LEAST_SQUARES:
        return readings.of_slope(x)
    if reference is ReferenceLine.END_POINT:
        return (readings.device + readings.drift_range + readings.resolution + 2 * math.sqrt(2) * readings.noise) / length
    return "the slope of a minimum zone hangs on three points: errors of the readings may turn it by more than they are over the length"


def _flags(x: Array, directions: int) -> list[str]:
    flags = []
    if x.size < 5:
        flags.append(f"{x.size} points over {(x[-1] - x[0]) * 1e3:g} mm; fewer than 5 may miss the largest departure, and E with it")
    steps = np.diff(x)
    if steps.max() > 3 * steps.min():
        flags.append(f"steps from {steps.min() * 1e3:.4g} mm to {steps.max() * 1e3:.4g} mm: the least-squares line follows the close points, and E with it")
    if directions == 1:
        flags.append("one direction only: E may hide a reversal")
    return flags
