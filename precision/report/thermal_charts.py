"""Pictures of a thermal test: drift of the tool against the workpiece over hours, the temperatures below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import CELSIUS_ZERO_K, display_unit, text

from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, FAINT, INK, REST_COLOR, SOFT, UP_COLOR, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_COLORS: Final = (UP_COLOR, DOWN_COLOR, ACCENTS[0], ACCENTS[1], ACCENTS[2], ACCENTS[3])
_NICE: Final = {"m": {"nm": 1e9, "µm": 1e6, "mm": 1e3, "pm": 1e12, "m": 1.0}, "rad": {"nrad": 1e9, "µrad": 1e6, "mrad": 1e3, "rad": 1.0, "arcsec": 206264.80624709636}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What to draw. series, fitted : name -> (n,) m or rad, drift since the start and its first-order response. temperature_k : thermometer -> (n,).
    running_s : until when something ran, or None. numbers : name -> what is printed at the end of its curve."""

    time_s: Array
    series: Mapping[str, Array]
    fitted: Mapping[str, Array]
    temperature_k: Mapping[str, Array]
    unit: str
    running_s: float | None


def drift_chart(drift: Drift, *, heading: str, key_numbers: str) -> Chart:
    """Drift and temperatures over time."""
    hours = drift.time_s / 3600
    rows = (3.0, 1.2) if drift.temperature_k else (1.0,)
    largest = max((float(np.abs(values).max()) for values in drift.series.values()), default=1.0) or 1.0
    unit = display_unit(largest, drift.unit)
    factor = _NICE[drift.unit][unit]
    with style():
        figure, axes = sheet(width=10.5, height=5.4 if drift.temperature_k else 4.2, rows=rows)
        figure.subplots_adjust(left=0.075, right=0.86, top=0.84, bottom=0.11, hspace=0.12)
        top: Any = axes[0] if drift.temperature_k else axes
        _running(top, drift, hours)
        for color, (name, values) in zip(_COLORS, drift.series.items(), strict=False):
            top.plot(hours, values * factor, color=color, linewidth=1.6)
            if name in drift.fitted:
                fit = drift.fitted[name]
                top.plot(hours[: fit.size], fit * factor, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        _names(top, {name: float(values[-1]) * factor for name, values in drift.series.items()})
        top.axhline(0, color=SOFT, linewidth=0.8)
        top.set_ylabel(f"drift in {unit}")
        few_ticks(top.yaxis)
        title(top, heading, key_numbers)
        if drift.temperature_k:
            below: Any = axes[1]
            _running(below, drift, hours)
            for color, kelvin in zip((SOFT, DOWN_COLOR, UP_COLOR), drift.temperature_k.values(), strict=False):
                below.plot(hours, kelvin - CELSIUS_ZERO_K, color=color, linewidth=1.3)
            ends = {name: float(kelvin[-1]) - CELSIUS_ZERO_K for name, kelvin in drift.temperature_k.items()}
            _names(below, ends, apart=0.2, colors=(SOFT, DOWN_COLOR, UP_COLOR))
            below.set_ylabel("°C")
            few_ticks(below.yaxis)
        figure.axes[-1].set_xlabel("time in h")
        figure.axes[-1].set_xlim(0, float(hours[-1]))
        drawing = svg(figure, salt=f"thermal {drift.unit}")
    said = "; ".join(f"{name} {text(float(values[-1]), drift.unit, digits=3)}" for name, values in drift.series.items())
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Each line is how far the tool has moved against the workpiece since the start. "
            + ("The shaded time is with the machine running. " if drift.running_s else "")
            + ("Dashed: the first-order response that was fitted; where it flattens, the machine has warmed through. " if drift.fitted else "")
            + "A part made between two moments carries the difference of the lines between them."
        ),
        alt=f"at the end: {said}",
        wide=True,
    )


def _running(axes: Any, drift: Drift, hours: Array) -> None:
    if drift.running_s:
        axes.axvspan(0, min(drift.running_s / 3600, float(hours[-1])), color=FAINT, alpha=0.55, linewidth=0, zorder=0)


def _names(axes: Any, ends: Mapping[str, float], *, apart: float = 0.075, colors: tuple[str, ...] = _COLORS) -> None:
    """Names at the ends of their curves, moved apart to `apart` of the height where they would touch."""
    low, high = axes.get_ylim()
    least = (high - low) * apart
    order = sorted(ends, key=lambda name: ends[name])
    places: list[float] = []
    for name in order:
        places.append(max(ends[name], places[-1] + least) if places else ends[name])
    shift = sum(place - ends[name] for place, name in zip(places, order, strict=True)) / max(1, len(order))
    where = dict(zip(order, (place - shift for place in places), strict=True))
    for color, name in zip(colors, ends, strict=False):
        axes.annotate(name, (1.0, where[name]), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", color=color or REST_COLOR, fontsize=10.5, fontweight="bold")
