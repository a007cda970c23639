"""The charts of a circular test: the paths magnified about their circle, and the errors behind them in the order of what they do.

Counter-clockwise is blue and full, clockwise vermilion and dashed (Okabe and Ito's palette), so that they differ in print and for every eye.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, in_unit, text

from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, MEAN_COLOR, REST_COLOR, SOFT, UP_COLOR, sheet, style, svg, title
from .visible_text import visible

Floats = NDArray[np.float64]

_BINS: Final = 1200
"""Angles at which a path is drawn: of all points in one, the lowest and the highest, so that no spike is lost."""
_DEPTH: Final = 0.42
"""Largest deviation on the chart, in radii of its circle."""
_MOST_BARS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnPath:
    """One path: its sense, angles from the first axis (n,), deviations from the circle about its reference centre (n,), m."""

    counter_clockwise: bool
    angle_rad: Floats
    deviation_m: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One error behind the circle: its name, its size with U as text, the circularity it alone would have (m), and its share; `repaired`: it is thought away."""

    name: str
    size: str
    circularity_m: float
    share: float
    repaired: bool = False


def polar_chart(paths: Sequence[DrawnPath], *, axes: tuple[str, str], heading: str, key_numbers: str, zone_m: tuple[float, float] | None = None) -> Chart:
    """Deviations magnified about their circle, with rings of known size, the axes' reversals and the scale.

    zone_m : lowest and highest deviation of the zone that encloses all paths, drawn as two circles.
    """
    largest = max(float(np.abs(path.deviation_m).max()) for path in paths) or 1e-9
    ring = _round(largest / 2)
    scale = _DEPTH / largest
    with style():
        figure, plot = sheet(width=7.2, height=8.0)
        figure.subplots_adjust(left=0.04, right=0.96, top=0.86, bottom=0.03)
        plot.set_aspect("equal")
        plot.axis("off")
        plot.set_xlim(-1.62, 1.62)
        plot.set_ylim(-1.62, 1.62)
        _frame(plot, axes, ring, scale, largest)
        if zone_m is not None:
            for level in zone_m:
                _round_about(plot, 1 + scale * level, color=MEAN_COLOR, linewidth=0.9, linestyle=(0, (1, 2)))
        for path in paths:
            angle, deviation = _drawn(path)
            color, dash = (UP_COLOR, "-") if path.counter_clockwise else (DOWN_COLOR, (0, (5, 1.6)))
            radius = 1 + scale * deviation
            # A gap in the data is a gap in the line.
            radius = np.where(np.diff(angle, append=angle[-1]) > math.radians(6), np.nan, radius)
            words = "counter-clockwise" if path.counter_clockwise else "clockwise"
            plot.plot(radius * np.cos(angle), radius * np.sin(angle), color=color, linewidth=1.35, linestyle=dash, label=words, zorder=4)
        plot.legend(loc="upper left", bbox_to_anchor=(0.0, 1.005), fontsize=10, handlelength=2.6, borderpad=0.2, frameon=False)
        title(plot, heading, key_numbers)
        drawing = svg(figure, salt="circular polar")
    shown = "; ".join(f"{'counter-clockwise' if path.counter_clockwise else 'clockwise'}: {text(float(path.deviation_m.min()), 'm', digits=3)} … {text(float(path.deviation_m.max()), 'm', digits=3)}" for path in paths)
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            f"The dashed circle is the nominal one about the paths' own centre; what lies outside it is too far out, magnified so that the distance of two rings is {text(ring, 'm', digits=1)}. "
            "The dotted circles enclose both paths: their distance is G(b). An oval along the diagonals that turns by 90° with the direction is servo mismatch, one that stays is squareness; "
            "an oval along the axes is a scale mismatch; a step where a path crosses an axis is backlash of the axis that turns round there, a short peak after it a reversal spike; waves that "
            "are dense in the middle of a quadrant and wide at the axes are a cyclic error of a screw or scale."
        ),
        alt=f"Radial deviations of the paths about their circle. {shown}.",
    )


def cause_chart(causes: Sequence[Cause], *, heading: str, key_numbers: str) -> Chart:
    """Bars in the order of what each error alone would make of the circle, with its size, U and share."""
    drawn = [cause for cause in causes if cause.circularity_m > 0][:_MOST_BARS]
    unit = display_unit(max((cause.circularity_m for cause in drawn), default=1e-6), "m")
    with style():
        figure, plot = sheet(width=9.6, height=1.7 + 0.42 * max(len(drawn), 2))
        figure.subplots_adjust(left=0.30, right=0.74, top=1 - 1.0 / figure.get_figheight(), bottom=0.55 / figure.get_figheight())
        for k, cause in enumerate(drawn):
            value = in_unit(cause.circularity_m, unit)
            plot.barh(k, value, height=0.62, color=FAINT if cause.repaired else UP_COLOR, edgecolor=REST_COLOR if cause.repaired else UP_COLOR, zorder=3)
            plot.annotate(f"{cause.share * 100:.1f} %", (value, k), (5, 0), textcoords="offset points", va="center", fontsize=10, color=INK)
            plot.annotate(visible(cause.size, longest=60), (1.0, k), (14, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=10, color=SOFT)
        plot.set_yticks(range(len(drawn)), [visible(cause.name, longest=48) + (" (repaired)" if cause.repaired else "") for cause in drawn])
        plot.tick_params(axis="y", length=0, labelcolor=INK)
        plot.set_ylim(len(drawn) - 0.5, -0.5)
        plot.margins(x=0.16)
        plot.set_xlim(left=0)
        plot.grid(axis="y", visible=False)
        plot.grid(axis="x", visible=True)
        plot.set_xlabel(f"circularity that the error alone would make ({unit})")
        title(plot, heading, key_numbers)
        drawing = svg(figure, salt="circular causes")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "The longest bar is what to repair first. A bar is the circularity that the error alone would make of a perfect circle, both directions together; the percentage is its share in the sum of "
            "all bars. Errors do not simply add up: what really remains after a repair is the what-if, --fix NAME."
        ),
        alt="; ".join(f"{cause.name}: {cause.size}, {cause.share * 100:.1f} %" for cause in drawn) or "No error was found.",
        wide=True,
    )


def _frame(plot: Any, axes: tuple[str, str], ring: float, scale: float, largest: float) -> None:
    """Rings, axes with their quadrants, and the scale bar."""
    count = math.ceil(largest / ring)
    for k in range(-count, count + 1):
        _round_about(plot, 1 + scale * k * ring, color=SOFT if k == 0 else FAINT, linewidth=0.9 if k == 0 else 0.8, linestyle=(0, (4, 3)) if k == 0 else "-")
        if k % math.ceil(count / 2) == 0 and k:
            at = math.radians(22.5)
            label = text(abs(k) * ring, "m", digits=2).replace(".0 ", " ")
            plot.annotate(f"{'+' if k > 0 else '−'}{label}", ((1 + scale * k * ring) * math.cos(at), (1 + scale * k * ring) * math.sin(at)), ha="center", va="center", fontsize=8.5,
                          color=SOFT, gid="halo", zorder=5)  # fmt: skip
    reach = 1 + _DEPTH + 0.04
    for angle, label in zip(np.arange(4) * math.pi / 2, (f"+{axes[0]}", f"+{axes[1]}", f"−{axes[0]}", f"−{axes[1]}"), strict=True):
        cos, sin = math.cos(angle), math.sin(angle)
        plot.plot([0.16 * cos, reach * cos], [0.16 * sin, reach * sin], color=REST_COLOR, linewidth=0.8, zorder=1)
        plot.annotate(label, (1.555 * cos, 1.555 * sin), ha="center", va="center", fontsize=11.5, fontweight="bold", color=INK)
    for angle, label in zip(math.pi / 4 + np.arange(4) * math.pi / 2, ("I", "II", "III", "IV"), strict=True):
        plot.annotate(label, (0.36 * math.cos(angle), 0.36 * math.sin(angle)), ha="center", va="center", fontsize=10.5, color=REST_COLOR)
    left = 0.86
    plot.plot([left, left + scale * ring], [-1.5, -1.5], color=INK, linewidth=2.2, solid_capstyle="butt")
    plot.annotate(text(ring, "m", digits=2).replace(".0 ", " "), (left + scale * ring / 2, -1.5), (0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=10, color=INK)


def _round_about(plot: Any, radius: float, **settings: Any) -> None:
    angle = np.linspace(0, 2 * math.pi, 361)
    plot.plot(radius * np.cos(angle), radius * np.sin(angle), zorder=2, **settings)


def _drawn(path: DrawnPath) -> tuple[Floats, Floats]:
    """The lowest and the highest point of each of `_BINS` angles, in the order of the angle, closed."""
    around = np.mod(path.angle_rad, 2 * math.pi)
    if around.size <= 2 * _BINS:
        order = np.argsort(around, kind="stable")
    else:
        number = np.minimum((around / (2 * math.pi) * _BINS).astype(np.int64), _BINS - 1)
        by_value = np.lexsort((path.deviation_m, number))
        edges = np.flatnonzero(np.diff(number[by_value], prepend=-1))
        chosen = np.unique(np.concatenate([by_value[edges], by_value[np.append(edges[1:], by_value.size) - 1]]))
        order = chosen[np.argsort(around[chosen], kind="stable")]
    angle, deviation = around[order], path.deviation_m[order]
    return np.append(angle, angle[0] + 2 * math.pi), np.append(deviation, deviation[0])


def _round(value: float) -> float:
    """The largest of 1, 2, 5·10ⁿ that is no larger."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value * (1 + 1e-12))
