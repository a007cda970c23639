"""Pictures of a periodic error: the ellipse that the signals draw, and the harmonics of the error before and after correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit

from .document import Chart
from .drawing import DOWN_COLOR, REST_COLOR, SOFT, UP_COLOR, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_PER_UNIT: Final = {"pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}


def harmonics_chart(before_m: Sequence[float], after_m: Sequence[float], u_m: Sequence[float], *, key_numbers: str) -> Chart:
    """Amplitudes at 1, 2, … times a period; u_m : U (k = 2) of those after."""
    unit = display_unit(max(*before_m, *after_m) or 1e-9, "m")
    factor = _PER_UNIT[unit]
    with style():
        figure, axes = sheet(width=10.5, height=4.2)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.8, bottom=0.14)
        plot: Any = axes
        order = np.arange(1, len(before_m) + 1)
        plot.bar(order - 0.18, np.array(before_m) * factor, width=0.34, color=REST_COLOR, label="before correction")
        plot.bar(order + 0.18, np.array(after_m) * factor, width=0.34, color=UP_COLOR, label="after, with U (k = 2)")
        plot.errorbar(order + 0.18, np.array(after_m) * factor, yerr=np.array(u_m) * factor, fmt="none", ecolor=SOFT, elinewidth=1.0, capsize=2.5)
        plot.set_xticks(order)
        plot.set_ylim(0, None)
        plot.set_xlabel("times a period")
        plot.set_ylabel(f"amplitude in {unit}")
        few_ticks(plot.yaxis)
        plot.legend(loc="upper right", fontsize=10, frameon=False)
        title(plot, "Harmonics of the periodic error", key_numbers)
        drawing = svg(figure, salt="harmonics")
    return Chart(
        svg=drawing,
        title="Harmonics of the periodic error",
        how_to_read=(
            "The error that repeats with every period of the signals, taken apart: once a period comes from offsets of the signals, twice from unequal gains and from a phase "
            "that is not 90°, four times from what is left of the ellipse. Bars within their U are noise."
        ),
        alt=key_numbers,
        wide=True,
    )


def phase_chart(phase_rad: Array, before_m: Array, after_m: Array) -> Chart:
    """Error over the phase, every period on every other: mean of each of 72 sectors, and the samples behind them."""
    turn = np.mod(phase_rad, 2 * np.pi)
    step = max(1, turn.size // 4000)
    unit = display_unit(float(np.quantile(np.abs(before_m), 0.999)) or 1e-9, "m")
    factor = _PER_UNIT[unit]
    sector = np.minimum((turn / (2 * np.pi) * 72).astype(int), 71)
    count = np.maximum(np.bincount(sector, minlength=72), 1)
    with style():
        figure, axes = sheet(width=10.5, height=3.9)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.82, bottom=0.15)
        plot: Any = axes
        plot.plot(np.degrees(turn[::step]), before_m[::step] * factor, ".", color=REST_COLOR, markersize=1.5, alpha=0.35, rasterized=True)
        centre = (np.arange(72) + 0.5) * 5
        for values, color, name in ((before_m, DOWN_COLOR, "before"), (after_m, UP_COLOR, "after")):
            plot.plot(centre, np.bincount(sector, values, 72) / count * factor, color=color, linewidth=1.9, label=name)
        plot.set_xlim(0, 360)
        plot.set_xticks(np.arange(0, 361, 45))
        plot.set_xlabel("phase in degrees")
        plot.set_ylabel(f"error in {unit}")
        few_ticks(plot.yaxis)
        plot.legend(loc="upper right", fontsize=10, frameon=False, ncols=2)
        title(plot, "Error over one period", "all periods of the sweep on one another; grey: single samples before correction")
        drawing = svg(figure, salt="phase")
    return Chart(
        svg=drawing,
        title="Error over one period",
        how_to_read="What the interferometer says too much or too little at each phase of its signals, before and after correction of the ellipse.",
        alt="error over one period, before and after correction",
        wide=True,
    )
