"""The picture of a diagonal test: deviation along each diagonal, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit

from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, SOFT, UP_COLOR, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_COLORS: Final = (UP_COLOR, DOWN_COLOR, ACCENTS[0], ACCENTS[1], ACCENTS[2], ACCENTS[3])
_PER_UNIT: Final = {"pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}


def diagonals_chart(along_m: Mapping[str, Array], mean_m: Mapping[str, Array], *, heading: str, key_numbers: str) -> Chart:
    """along_m : diagonal -> (n,) distance from its start. mean_m : diagonal -> (2, n) mean deviation in each direction."""
    largest = max(float(np.nanmax(np.abs(values))) for values in mean_m.values()) or 1e-9
    unit = display_unit(largest, "m")
    with style():
        figure, axes = sheet(width=10.5, height=4.8)
        figure.subplots_adjust(left=0.085, right=0.9, top=0.82, bottom=0.13)
        plot: Any = axes
        ends = {}
        for color, (name, values) in zip(_COLORS, mean_m.items(), strict=False):
            place = along_m[name] * 1e3
            plot.plot(place, values[0] * _PER_UNIT[unit], color=color, linewidth=1.7)
            plot.plot(place, values[1] * _PER_UNIT[unit], color=color, linewidth=1.1, linestyle=(0, (4, 3)))
            ends[name] = (float(place[-1]), float(np.nanmean(values[:, -1])) * _PER_UNIT[unit], color)
        low, high = plot.get_ylim()
        last = -np.inf
        for name in sorted(ends, key=lambda one: ends[one][1]):
            x, y, color = ends[name]
            last = max(y, last + 0.06 * (high - low))
            plot.annotate(name, (x, last), (8, 0), textcoords="offset points", va="center", color=color, fontsize=10.5, fontweight="bold")
        plot.axhline(0, color=SOFT, linewidth=0.8)
        plot.set_xlabel("distance along the diagonal in mm")
        plot.set_ylabel(f"deviation in {unit}")
        few_ticks(plot.xaxis)
        title(plot, heading, key_numbers)
        drawing = svg(figure, salt="diagonals")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Deviation of the distance moved along each diagonal; solid in its own sense, dashed on the way back. Diagonals that spread apart show axes that are not square to "
            "each other; a slope that all share shows scales that are too long or too short."
        ),
        alt=key_numbers,
        wide=True,
    )
