"""Reference circles for an evaluation: the kernels', and a linear program where a kernel proves none.

The kernels exchange the few points that touch a circle. Where points compete exactly (two paths over one another at the same angles, a symmetrical or
many-lobed error, a path that is round up to rounding) the chosen points may determine no centre, and the kernel answers NaN. Then the problem, linear in centre
and radii to first order about a centre near the optimum, is solved as a linear program, again about the new centre until it stays:

    minimum zone       minimise h − g    subject to    g ≤ r_k − u_k·δ ≤ h      r_k, u_k: distance and direction of point k from the present centre, δ its step
    circumscribed      minimise h,   inscribed    maximise g
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from ..errors import DataError
from ..kernels.circle import (
    Circle,
    Zone,
    least_squares_circle,
    maximum_inscribed_circle,
    minimum_circumscribed_circle,
    minimum_zone_circle,
)
from .arrays import Array

ROUND: Final = 1e-12
"""Points round to this share of their radius are round up to rounding, and any circle through them is the zone."""
MOST_STEPS: Final = 40
SMALLEST_REACH: Final = 1e-4
"""In units of the range of the radii; its square over 2R is nothing."""

Wanted = Literal["zone", "circumscribed", "inscribed"]
_COST: Final = {"zone": (0, 0, -1, 1), "circumscribed": (0, 0, 0, 1), "inscribed": (0, 0, -1, 0)}


def minimum_zone(x_m: Array, y_m: Array) -> Zone:
    """Common centre and radii of the two circles, least apart, that enclose (n,) points. By linear program to 1e-7 of the zone, otherwise to rounding.

    Raises
    ------
    DataError       points on a line
    """
    zone = minimum_zone_circle(x_m, y_m)
    return zone if np.isfinite(zone.x) else by_linear_program(x_m, y_m, "zone")


def minimum_circumscribed(x_m: Array, y_m: Array) -> Circle:
    """The smallest circle around (n,) points that surround its centre. Precision and errors as `minimum_zone`."""
    circle = minimum_circumscribed_circle(x_m, y_m)
    if np.isfinite(circle.x):
        return circle
    zone = by_linear_program(x_m, y_m, "circumscribed")
    return Circle(zone.x, zone.y, zone.outer_radius)


def maximum_inscribed(x_m: Array, y_m: Array) -> Circle:
    """The largest circle that none of (n,) points around it lies inside of. Precision and errors as `minimum_zone`."""
    circle = maximum_inscribed_circle(x_m, y_m)
    if np.isfinite(circle.x):
        return circle
    zone = by_linear_program(x_m, y_m, "inscribed")
    return Circle(zone.x, zone.y, zone.inner_radius)


def by_linear_program(x_m: Array, y_m: Array, wanted: Wanted) -> Zone:
    """The centre of the wanted circle, with the largest and smallest distance of the points from it, without the kernels' exchange."""
    from scipy.optimize import linprog

    circle = least_squares_circle(x_m, y_m)
    if not np.isfinite(circle.radius):
        raise DataError("the points lie on a line, or in one place; expected a path around a centre")
    best = _about(x_m, y_m, float(circle.x), float(circle.y))
    reach = 1.0
    for _ in range(MOST_STEPS):
        scale = float(best.outer_radius - best.inner_radius)
        if scale <= ROUND * float(best.outer_radius):
            break
        dx, dy = x_m - best.x, y_m - best.y
        radius = np.hypot(dx, dy)
        height = (radius - best.inner_radius) / scale
        kept = _competing(np.arctan2(dy, dx), height)
        ux, uy, one, none = dx[kept] / radius[kept], dy[kept] / radius[kept], np.ones(kept.size), np.zeros(kept.size)
        above, below = np.stack([-ux, -uy, none, -one], axis=-1), np.stack([ux, uy, one, none], axis=-1)
        # The step stays within the range of the radii, so that sectors thinned out below keep the points that matter, and within less where the last one gained
        # nothing: along a direction in which the program is flat, what counts is of second order, step²/(2R).
        limits = [(-reach, reach), (-reach, reach), (-3, 3), (-3, 3)]
        found = linprog(_COST[wanted], A_ub=np.vstack([above, below]), b_ub=np.concatenate([-height[kept], height[kept]]), bounds=limits, method="highs")
        if not found.success:
            break
        step = np.asarray(found.x) * scale
        now = _about(x_m, y_m, float(best.x + step[0]), float(best.y + step[1]))
        gained = _size(best, wanted) - _size(now, wanted)
        if gained > 0:
            best = now
        if gained <= 1e-9 * scale:
            reach /= 4
            if reach < SMALLEST_REACH:
                break
    return best


def _size(zone: Zone, wanted: Wanted) -> float:
    """What is made as small as possible."""
    if wanted == "zone":
        return float(zone.outer_radius - zone.inner_radius)
    return float(zone.outer_radius) if wanted == "circumscribed" else -float(zone.inner_radius)


def _about(x_m: Array, y_m: Array, a: float, b: float) -> Zone:
    radius = np.hypot(x_m - a, y_m - b)
    return Zone(np.float64(a), np.float64(b), radius.min(), radius.max())


def _competing(angle: Array, height: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The points that can touch a circle: where there are many, the highest and lowest in each of 720 sectors.

    Within a sector of half a degree a step of the centre by √2 of the range of radii moves points against each other by less than 0.013 of it.
    """
    if angle.size <= 2000:
        return np.arange(angle.size)
    sector = ((angle / (2 * np.pi) + 0.5) * 720).astype(np.int64)
    kept = np.zeros(angle.size, dtype=np.bool_)
    for extreme in (np.maximum, np.minimum):
        limit = np.full(721, -np.inf if extreme is np.maximum else np.inf)
        extreme.at(limit, sector, height)
        kept |= np.abs(height - limit[sector]) <= 0.02
    return np.flatnonzero(kept)
