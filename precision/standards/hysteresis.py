"""Hysteresis: two branches of one quantity over another that goes to and fro, their width, the area between them and
their slope.

    width(x) = |mean of y on the way back − mean of y on the way there| at x,     area = ∮ y dx of a cycle
    slope: least squares of the mean of both branches

Of force over deflection the slope is the stiffness k = dF/dx, half the width the friction that acts against it and the
area the energy that a cycle costs; of position over command the width is the lost motion. Evaluated over the middle of
the range, where the branches are complete; between cycles U = k·s/√n with Student's k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

FEWEST: Final = 64
_POINTS: Final = 101
_MIDDLE: Final = (0.35, 0.65)
"""Part of the range over which slope and mean width are taken: at its ends the branches pass into each other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A loop. Figures "width", "width_largest", "width_share", "area", "slope", "range".

    x : (101,) over the range. there, back : (cycles, 101) y on the branches with ascending and descending x.
    """

    x: Array
    there: Array
    back: Array


def evaluate(x: ArrayLike, y: ArrayLike, direction: ArrayLike, *, x_unit: str = "m", y_unit: str = "N") -> Result:
    """Evaluate a loop.

    Parameters
    ----------
    x, y : (n,) float64, n ≥ 64, at the same instants, at least one way there and one back
    direction : (n,) of x: > 0, < 0, or 0 where it stands or turns, which is left out

    Raises
    ------
    DataError       shapes, one branch only, branches that have no range in common
    """
    over = vector("x", x, fewest=FEWEST, largest=1e12)
    values = vector("y", y, size=over.size, largest=1e12)
    sense = np.sign(vector("direction", direction, size=over.size, largest=1e12)).astype(np.int64)
    branches = _branches(over, values, sense)
    if not branches[1] or not branches[-1]:
        raise DataError(
            f"{len(branches[1])} branches go up and {len(branches[-1])} go down; a loop needs at least one of each"
        )
    every = [*branches[1], *branches[-1]]
    low, high = max(float(part[0][0]) for part in every), min(float(part[0][-1]) for part in every)
    whole = max(float(part[0][-1]) for part in every) - min(float(part[0][0]) for part in every)
    if high - low < 0.5 * whole:
        raise DataError(
            f"the branches have {max(0.0, high - low):.3g} of {whole:.3g} {x_unit} in common; record cycles of one size, "
            "at least half of it is needed"
        )
    grid = np.linspace(low, high, _POINTS)
    there, back = (np.stack([np.interp(grid, *part) for part in branches[one]]) for one in (1, -1))
    cycles = min(len(there), len(back))
    there, back = there[:cycles], back[:cycles]
    inner = (grid >= low + _MIDDLE[0] * (high - low)) & (grid <= low + _MIDDLE[1] * (high - low))
    apart = back - there
    sign = 1.0 if float(apart[:, inner].mean()) >= 0 else -1.0
    widths = sign * apart[:, inner].mean(axis=1)
    mean_apart = np.abs(apart.mean(axis=0))
    areas = np.abs(np.trapezoid(apart, grid, axis=1))
    slopes = np.array(
        [np.polyfit(grid[inner] - grid.mean(), (up + down)[inner] / 2, 1)[0] for up, down in zip(there, back, strict=True)]
    )
    # Independent values of a branch: one lies between two samples. The grid may be finer than these.
    points = max(4, min(_POINTS, min(part[0].size for part in every) // 2))
    noise, independent = _noise(every, np.linspace(low, high, points)), max(1.0, (_MIDDLE[1] - _MIDDLE[0]) * points)
    span = float(max(there.max(), back.max()) - min(there.min(), back.min()))
    width, u_width = _mean(widths, 2 * noise * math.sqrt(2 / independent))
    area, u_area = _mean(areas, 2 * noise * math.sqrt(2 / points) * (high - low))
    lever = (high - low) * (_MIDDLE[1] - _MIDDLE[0])
    slope, u_slope = _mean(slopes, 2 * noise / math.sqrt(2) * math.sqrt(12 / independent) / lever)
    slope_unit, area_unit = (f"{y_unit}/{x_unit}", f"{y_unit} {x_unit}") if y_unit != x_unit else ("", f"{x_unit}²")
    if (y_unit, x_unit) == ("N", "m"):
        area_unit = "J"
    figures = [
        figure("width", "hysteresis width, mean over the middle of the range", width, y_unit, u_width, symbol="h"),
        figure("width_largest", "largest width", float(mean_apart.max()), y_unit, u_width + 4 * noise, symbol="h_max"),
        figure(
            "width_share",
            "width, share of the range of y",
            width / span if span else "y does not change",
            "",
            u_width / span if span else None,
            symbol="h/R",
        ),
        figure("area", "area of a cycle", area, area_unit, u_area, symbol="A"),
        figure("slope", "slope of the mean of both branches", slope, slope_unit, u_slope, symbol="k"),
        figure("range", "range of x", high - low, x_unit, symbol="R_x"),
    ]
    return Result(
        title="Hysteresis",
        stated=(f"{cycles} cycles", f"width and slope over the middle {100 * (_MIDDLE[1] - _MIDDLE[0]):g} % of the range"),
        figures=keyed(figures),
        flags=("one cycle: nothing is known about how much cycles differ",) if cycles == 1 else (),
        x=frozen(grid),
        there=frozen(there),
        back=frozen(back),
    )


def _branches(x: Array, y: Array, sense: NDArray[np.int64]) -> dict[int, list[tuple[Array, Array]]]:
    """Direction -> branches, each x ascending with its y. Branches of less than three quarters of the longest are starts
    and ends of the motion, and left out."""
    going = np.flatnonzero(sense)
    if going.size < FEWEST // 2:
        raise DataError(f"{going.size} samples move; at least {FEWEST // 2} are needed")
    bounds = [0, *(np.flatnonzero(np.diff(sense[going]) != 0) + 1).tolist(), going.size]
    parts = [going[a:b] for a, b in pairwise(bounds) if b - a >= 4]
    longest = max((float(np.ptp(x[part])) for part in parts), default=0.0)
    found: dict[int, list[tuple[Array, Array]]] = {1: [], -1: []}
    for part in parts:
        if float(np.ptp(x[part])) >= 0.75 * longest:
            order = np.argsort(x[part], kind="stable")
            found[int(sense[part[0]])].append((x[part][order], y[part][order]))
    return found


def _mean(values: Array, floor: float) -> tuple[float, float]:
    """Mean over the cycles and its U: their scatter, at least what the noise of the readings does to one."""
    count = values.size
    scatter = coverage_factor(count - 1) * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return float(values.mean()), math.hypot(scatter, floor)


def _noise(branches: list[tuple[Array, Array]], grid: Array) -> float:
    """Standard deviation of a point of a branch on the grid: from second differences of neighbouring points, which a
    smooth branch has none of."""
    rows = np.stack([np.interp(grid, *part) for part in branches])
    return float(np.median(np.abs(np.diff(rows, 2, axis=1)))) / 0.6745 / math.sqrt(6)
