"""Maps of a stage: its errors on a grid as a bent net, and the same for the plate that it was calibrated with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, text

from . import drawing
from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, SOFT, UP_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
_BEND: Final = 0.42
"""Of a pitch: how far the largest error is drawn."""
_MOST_LINES: Final = 41


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageMap:
    """error_m : (n, n, 2) [row, column], NaN for a place that was not seen. name, numbers : above the map. u_m : U of a point, drawn as
    circles, or None."""

    error_m: Array
    name: str
    numbers: str = ""
    u_m: float | None = None


def stage_maps(maps: Sequence[StageMap], *, pitch_m: float, heading: str) -> Chart:
    """One or two maps side by side as nets, each error magnified by the same factor in both directions of its map."""
    with drawing.style():
        from matplotlib.figure import Figure

        width, height = (10.6, 6.1) if len(maps) > 1 else (5.6, 6.3)
        figure = Figure(figsize=(width, height), dpi=72)
        figure.subplots(1, len(maps), squeeze=False)
        figure.subplots_adjust(left=0.06, right=0.99, top=1 - 82 / (height * 72), bottom=0.09, wspace=0.12)
        figure.text(0.0, 1 - 8 / (height * 72), heading, fontsize=13.5, fontweight="bold", va="top")
        figure.text(
            0.0,
            1 - 30 / (height * 72),
            "grey: where places should be; blue: where they are, magnified",
            fontsize=10.5,
            color=SOFT,
            va="top",
        )
        for axes, one in zip(figure.axes, maps, strict=True):
            _draw(axes, one, pitch_m)
        svg = drawing.svg(figure, salt="stage maps")
    return Chart(
        svg=svg,
        title=heading,
        how_to_read=(
            "The grey net is the ideal grid, the blue one has every error magnified by the factor that the arrow gives. A net that "
            "leans is an error of the angle between the "
            "axes, one that is longer than wide a difference of their scales; what is left bends with the guides and the gratings. "
            "Orange circles are U of a point."
        ),
        alt=f"{heading}: " + "; ".join(f"{one.name}: {one.numbers}" for one in maps),
        wide=len(maps) > 1,
    )


def _draw(axes: Axes, one: StageMap, pitch_m: float) -> None:
    from matplotlib.collections import CircleCollection, LineCollection

    n = one.error_m.shape[0]
    steps = (np.arange(n) - (n - 1) / 2) * pitch_m * 1e3
    x, y = np.meshgrid(steps, steps)
    length = np.hypot(one.error_m[..., 0], one.error_m[..., 1])
    largest = float(np.nanmax(length)) if np.isfinite(length).any() else 0.0
    every = max(1, math.ceil(n / _MOST_LINES))
    scale = _BEND * every * pitch_m * 1e3 / (largest or 1e-9)
    bent = np.stack([x, y], axis=-1) + scale * one.error_m
    ideal = np.stack([x, y], axis=-1)
    for net, colour, width in ((ideal, "#c3ccd5", 0.7), (bent, UP_COLOR, 1.1)):
        lines: list[Any] = [net[k] for k in range(0, n, every)] + [net[:, k] for k in range(0, n, every)]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, zorder=2 if colour == UP_COLOR else 1))
    axes.set_aspect("equal")
    edge = steps[-1] + 0.75 * every * pitch_m * 1e3
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    if one.u_m is not None:
        points = bent[::every, ::every].reshape(-1, 2)
        some = points[np.isfinite(points).all(axis=1)]
        # Points of the page: the radius on it in points, squared, times π.
        per_unit = axes.get_window_extent().width / (2 * edge)
        radius = max(0.6, scale * one.u_m * per_unit)
        axes.add_collection(
            CircleCollection(
                [math.pi * radius**2],
                offsets=some,
                transOffset=axes.transData,
                facecolors="none",
                edgecolors=DOWN_COLOR,
                linewidths=0.9,
                zorder=3,
            )
        )
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    drawing.few_ticks(axes.xaxis)
    drawing.few_ticks(axes.yaxis)
    axes.set_xlabel("x / mm")
    axes.set_ylabel("y / mm")
    drawing.panel_title(axes, one.name, one.numbers)
    if largest > 0:
        _scale_arrow(axes, scale, edge, largest)


def _scale_arrow(axes: Any, scale: float, edge: float, largest: float) -> None:
    power = 10.0 ** math.floor(math.log10(largest))
    size = max(step * power for step in (1, 2, 5) if step * power <= largest * (1 + 1e-12))
    start = edge * 0.98 - scale * size
    axes.annotate("", (start + scale * size, -1.0), (start, -1.0), xycoords=("data", "axes fraction"), annotation_clip=False)
    y = -0.075
    axes.plot(
        [start, start + scale * size],
        [y, y],
        color=INK,
        linewidth=2.2,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.annotate(
        text(size, "m", unit=display_unit(size, "m"), digits=1),
        (start, y),
        (-5, 0),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=10,
        color=INK,
    )
