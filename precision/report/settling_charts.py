"""The picture of a step-and-settle test: every step's error after its reference has come to rest, on one another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit

from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, SOFT, UP_COLOR, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_PER_UNIT: Final = {"pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}


def settling_chart(time_s: list[Array], error_m: list[Array], rising: list[bool], *, band_m: float, settled_s: float | None, key_numbers: str) -> Chart:
    """Errors of all steps over the time since their reference came to rest; logarithmic, so that approach and floor are both seen."""
    largest = max(float(np.abs(one).max()) for one in error_m)
    unit = display_unit(band_m, "m")
    factor = _PER_UNIT[unit]
    with style():
        figure, axes = sheet(width=10.5, height=4.6)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.8, bottom=0.14)
        plot: Any = axes
        plot.axhspan(band_m * factor * 1e-3, band_m * factor, color=FAINT, alpha=0.8, linewidth=0)
        for time, error, up in zip(time_s, error_m, rising, strict=True):
            step = max(1, time.size // 3000)
            plot.plot(time[::step] * 1e3, np.maximum(np.abs(error[::step]), band_m * 1e-3) * factor, color=UP_COLOR if up else DOWN_COLOR, linewidth=0.8, alpha=0.8)
        plot.axhline(band_m * factor, color=INK, linewidth=1.0, linestyle=(0, (6, 3)))
        if settled_s is not None:
            plot.axvline(settled_s * 1e3, color=SOFT, linewidth=1.0, linestyle=(0, (2, 2)))
        plot.set_yscale("log")
        plot.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        plot.set_ylim(band_m * factor * 0.02, largest * factor * 1.6)
        plot.set_xlim(0, max(float(one[-1]) for one in time_s) * 1e3)
        plot.set_xlabel("time since the reference came to rest, in ms")
        plot.set_ylabel(f"|error| in {unit}")
        few_ticks(plot.xaxis)
        title(plot, "Settling of every step", key_numbers)
        drawing = svg(figure, salt="settling")
    return Chart(
        svg=drawing,
        title="Settling of every step",
        how_to_read="Each line is a step, blue up and orange down. It has settled when it has entered the shaded band for good (last exit, dotted: the slowest step).",
        alt=key_numbers,
        wide=True,
    )
