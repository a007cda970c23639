"""Pictures of straightness and squareness: departures from the reference line with their zone, and the two sides of a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, text

from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, FAINT, INK, SOFT, UP_COLOR, dimension, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_PER_UNIT = {"pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """One line to draw. position_m : (n,). residual_m : (directions, n) about the reference line. runs_m : (directions, n, runs) of every run, NaN where none.
    error_m : the value to print, uncertainty_m : its U or None. axis, across : names."""

    axis: str
    across: str
    position_m: Array
    residual_m: Array
    runs_m: Array
    error_m: float
    uncertainty_m: float | None


def straightness_chart(departures: Departures, *, reference: str) -> Chart:
    """Departures along the axis in both directions, every run behind their means, and the zone that holds the mean."""
    with style():
        figure, axes = sheet(width=10.5, height=4.6)
        figure.subplots_adjust(left=0.085, right=0.93, top=0.8, bottom=0.13)
        _zone(axes, departures)
        title(axes, f"Straightness of {departures.axis} in {departures.across}", _key_number(departures, reference))
        axes.set_xlabel(f"position of {departures.axis} in mm")
        drawing = svg(figure, salt=f"straightness {departures.axis}{departures.across}")
    return Chart(
        svg=drawing,
        title=f"Straightness of {departures.axis} in {departures.across}",
        how_to_read=(
            f"How far the motion along {departures.axis} leaves the {reference}, in the direction of {departures.across}. Dots are single readings, lines the means of each "
            "direction. The shaded band is the narrowest along the reference line that holds the mean: its height is the straightness error."
        ),
        alt=f"straightness error {text(departures.error_m, 'm')}",
        wide=True,
    )


def square_chart(first: Departures, second: Departures, *, slopes_rad: tuple[float, float], heading: str, key_numbers: str) -> Chart:
    """Both lines drawn as the legs of the square, departures magnified, with the angle between them."""
    magnified = max(float(np.abs(first.residual_m).max()), float(np.abs(second.residual_m).max()), *(abs(s) for s in slopes_rad)) or 1.0
    length = max(float(np.ptp(first.position_m)), float(np.ptp(second.position_m)))
    across = max(abs(slopes_rad[0] + slopes_rad[1]) * length, float(np.abs(first.residual_m).max()), float(np.abs(second.residual_m).max())) or magnified
    factor = 0.12 * length / across
    with style():
        figure, axes = sheet(width=10.5, height=6.2)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.85, bottom=0.1)
        axes.set_aspect("equal", adjustable="datalim")
        x0, y0 = float(first.position_m[0]) * 1e3, float(second.position_m[0]) * 1e3
        along_x, along_y = first.position_m * 1e3, second.position_m * 1e3
        axes.plot(along_x, np.full_like(along_x, y0), color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.plot(np.full_like(along_y, x0), along_y, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
        # The whole angle error is drawn on the second leg; the first is the reference, as the standard's sign has it.
        turned = (slopes_rad[0] + slopes_rad[1]) * (second.position_m - second.position_m[0])
        axes.plot(along_x, y0 + factor * first.residual_m.mean(axis=0) * 1e3, color=UP_COLOR, linewidth=2.0)
        axes.plot(x0 + factor * (turned + second.residual_m.mean(axis=0)) * 1e3, along_y, color=DOWN_COLOR, linewidth=2.0)
        axes.set_xlabel(f"{first.axis} in mm")
        axes.set_ylabel(f"{second.axis} in mm")
        axes.grid(axis="both")
        few_ticks(axes.xaxis)
        few_ticks(axes.yaxis)
        axes.annotate(f"departures × {_rounded(factor)}", (0.99, 0.02), xycoords="axes fraction", ha="right", fontsize=10, color=SOFT)
        title(axes, heading, key_numbers)
        drawing = svg(figure, salt=f"square {first.axis}{second.axis}")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            f"The two motions as the legs of a square, their departures magnified. Dashed: a perfect square. Blue: {first.axis}, the reference. Orange: {second.axis} with its "
            "own straightness and the whole error of the angle."
        ),
        alt=key_numbers,
        wide=True,
    )


def _zone(axes: Any, departures: Departures) -> None:
    position = departures.position_m * 1e3
    largest = float(np.nanmax(np.abs(departures.runs_m))) or float(np.abs(departures.residual_m).max()) or 1e-9
    unit = display_unit(largest, "m")
    factor = _PER_UNIT[unit]
    mean = departures.residual_m.mean(axis=0) * factor
    axes.axhspan(float(mean.min()), float(mean.max()), color=FAINT, alpha=0.7, linewidth=0)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    for direction, (color, arrow) in enumerate(zip((UP_COLOR, DOWN_COLOR), "↑↓", strict=True)):
        if direction < departures.residual_m.shape[0]:
            axes.plot(np.repeat(position, departures.runs_m.shape[2]), departures.runs_m[direction].ravel() * factor, ".", color=color, markersize=3, alpha=0.5, zorder=2)
            axes.plot(position, departures.residual_m[direction] * factor, color=color, linewidth=1.7, zorder=3, label=arrow)
    axes.plot(position, mean, color=ACCENTS[4], linewidth=1.0, linestyle=(0, (4, 3)), zorder=4)
    axes.set_ylabel(f"departure in {unit}")
    axes.set_xlim(float(position[0]), float(position[-1]))
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    dimension(axes, 1.035, float(mean.min()), float(mean.max()), text(departures.error_m, "m", digits=3))
    axes.legend(loc="upper left", fontsize=10, labelcolor=INK, frameon=False, ncols=2, handlelength=1.4, borderaxespad=0.2)


def _key_number(departures: Departures, reference: str) -> str:
    u = "U not stated" if departures.uncertainty_m is None else f"U = {text(departures.uncertainty_m, 'm', digits=2)} (k = 2)"
    return f"E = {text(departures.error_m, 'm', digits=3)}, {u}; from the {reference}"


def _rounded(factor: float) -> str:
    return f"{float(f'{factor:.2g}'):,.0f}".replace(",", " ")
