"""Pictures of a spindle's error motion: polar charts, the mean contour on the cloud of all revolutions, magnified around a base circle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, text

from .document import Chart
from .drawing import DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR, style, svg

Array = NDArray[np.float64]

_HOLE: Final = 0.45
"""Radius of the smallest value over that of the largest on the chart: room for the numbers in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMotion:
    """One measurement to draw. angle_rad : (n,). revolutions : (N, n) error motion without mean and eccentricity. mean : (n,) its mean. unit : m or rad.
    synchronous, asynchronous : the values to print."""

    name: str
    angle_rad: Array
    revolutions: Array
    mean: Array
    unit: str
    synchronous: float
    asynchronous: float | None


def polar_chart(motions: list[ErrorMotion], *, heading: str) -> Chart:
    """Up to three measurements side by side, each on its own scale."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.1 * len(motions), 5.4), dpi=72)
        figure.subplots_adjust(left=0.05, right=0.95, top=0.74, bottom=0.06, wspace=0.28)
        for number, motion in enumerate(motions, 1):
            axes: Any = figure.add_subplot(1, len(motions), number, projection="polar")
            _draw(axes, motion)
        figure.text(0.0, 0.95, heading, fontsize=13.5, fontweight="bold", va="bottom")
        figure.text(0.0, 0.905, "orange: mean of all revolutions (synchronous); grey: every revolution; once-per-revolution term taken off", fontsize=10.5, color=SOFT, va="bottom")
        drawing = svg(figure, salt="spindle polar")
    words = "; ".join(f"{m.name}: synchronous {text(m.synchronous, m.unit)}, asynchronous {text(m.asynchronous, m.unit) if m.asynchronous is not None else 'not evaluated'}" for m in motions)
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Each circle is one angle of the spindle turned through 360°. The orange line is what repeats in every revolution: it shapes the roundness of a bored or "
            "turned part. The width of the grey cloud is what does not repeat: it limits the finish of the surface. The dashed circle is zero; the scale bar gives the magnification."
        ),
        alt=words,
        wide=True,
    )


def _draw(axes: Any, motion: ErrorMotion) -> None:
    largest = float(np.abs(motion.revolutions).max()) or 1.0
    base = largest * (1 + _HOLE) / (1 - _HOLE)
    closed = np.append(motion.angle_rad, motion.angle_rad[0] + 2 * math.pi)

    def around(values: Array) -> Array:
        return base + np.append(values, values[0])

    for revolution in motion.revolutions:
        axes.plot(closed, around(revolution), color=REST_COLOR, linewidth=0.5, alpha=0.35, rasterized=True)
    axes.plot(np.linspace(0, 2 * math.pi, 361), np.full(361, base), color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot(closed, around(motion.mean), color=DOWN_COLOR, linewidth=1.8)
    axes.set_ylim(0, base + 1.08 * largest)
    axes.set_yticks([])
    axes.set_xticks(np.arange(4) * math.pi / 2, ["0°", "90°", "180°", "270°"])
    axes.grid(color="#eef1f4")
    axes.spines["polar"].set_visible(False)
    unit = display_unit(largest, motion.unit)
    axes.set_title(motion.name, fontsize=11, fontweight="bold", color=INK, pad=12)
    asynchronous = "—" if motion.asynchronous is None else text(motion.asynchronous, motion.unit, unit=unit, digits=3)
    axes.text(0.5, 0.56, f"synchronous\n{text(motion.synchronous, motion.unit, unit=unit, digits=3)}", transform=axes.transAxes, ha="center", va="center", fontsize=10, color=DOWN_COLOR, fontweight="bold")
    axes.text(0.5, 0.43, f"asynchronous\n{asynchronous}", transform=axes.transAxes, ha="center", va="center", fontsize=10, color=SOFT)
    bar = _round(largest)
    axes.plot([math.pi * 1.25] * 2, [base, base + bar], color=UP_COLOR, linewidth=2.2, solid_capstyle="butt", zorder=5)
    axes.annotate(text(bar, motion.unit, unit=display_unit(bar, motion.unit), digits=1), (math.pi * 1.25, base + bar / 2), (-6, -8), textcoords="offset points", ha="right", va="top", fontsize=9, color=UP_COLOR)


def _round(value: float) -> float:
    """The largest of 1, 2, 5·10ⁿ that is no larger."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value * (1 + 1e-12))
