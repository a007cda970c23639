"""The charts of a contour test: the path with its error magnified and coloured by sign, and the error along the path with the lines of the program.

Left of the path is blue, right vermilion (Okabe and Ito's palette), through grey where there is little of either: they differ in print and for every eye.
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

_POINTS: Final = 2400
"""Places along the path that are drawn: of all samples about one, the lowest and the highest error, so that no peak is lost."""
_DEPTH: Final = 0.055
"""Largest error on the drawing, as a share of the drawing's size."""
_MOST_NUMBERED: Final = 10
_COLOURS: Final = 25
_WIDTHS: Final = {"cmd": (0.9, (0, (1, 1.5)), MEAN_COLOR), "fb": (1.0, "-", DOWN_COLOR), "tool": (1.2, "-", UP_COLOR)}
"""Source -> width, dashes and colour of its line along the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A worst place: line of the program, error, place on the path (m from its begin), position of the foot (m)."""

    line: int
    deviation_m: float
    path_m: float
    foot_m: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Errors:
    """One source's error along the path. source : "cmd", "fb", "tool". name : for the legend. path_m, deviation_m : (n,)."""

    source: str
    name: str
    path_m: Floats
    deviation_m: Floats


def path_chart(
    errors: Errors, *, foot_m: Floats, normal: Floats, axes: tuple[str, str], worst: Sequence[Marked], outline_m: Floats, heading: str, key_numbers: str
) -> Chart:
    """The path, and beside it the error to its own side, magnified.

    foot_m : (2, n) on the path; normal : (2, n) to its left, of the samples of `errors`. outline_m : (2, k) of the programmed path, NaN between its parts.
    """
    chosen = _envelope(errors.path_m, errors.deviation_m)
    foot, left, error, along = foot_m[:, chosen], normal[:, chosen], errors.deviation_m[chosen], errors.path_m[chosen]
    low, high = np.nanmin(outline_m, axis=1), np.nanmax(outline_m, axis=1)
    size = float((high - low).max()) or 1.0
    largest = float(np.abs(error).max()) or 1e-9
    factor = _DEPTH * size / largest
    tall = float(np.clip((high - low)[1] / (high - low)[0] if (high - low)[0] > 0 else 2.0, 0.35, 1.25))
    unit = display_unit(largest, "m")
    with style():
        figure, plot = sheet(width=9.2, height=2.0 + 7.4 * tall)
        figure.subplots_adjust(left=0.095, right=0.86, top=1 - 1.0 / figure.get_figheight(), bottom=0.62 / figure.get_figheight())
        plot.set_aspect("equal", adjustable="datalim")
        plot.plot(outline_m[0] * 1e3, outline_m[1] * 1e3, color=REST_COLOR, linewidth=0.8, zorder=2)
        shown = (foot + factor * error * left) * 1e3
        gaps = np.concatenate([[0.0], np.diff(along)]) > max(4 * float(np.median(np.diff(along))) if along.size > 1 else 0.0, size / 50)
        _coloured(plot, shown, error / largest, gaps)
        for number, one in enumerate(worst[:_MOST_NUMBERED], 1):
            nearest = int(np.argmin(np.abs(along - one.path_m)))
            at = shown[:, nearest]
            away = left[:, nearest] * (1 if one.deviation_m >= 0 else -1)
            plot.annotate(
                str(number), at, (13 * float(away[0]), 13 * float(away[1])), textcoords="offset points", ha="center", va="center", fontsize=9, fontweight="bold",
                color="white", bbox={"boxstyle": "circle,pad=0.22", "facecolor": INK, "edgecolor": "white", "linewidth": 0.6}, zorder=6,
            )  # fmt: skip
        plot.set_xlabel(f"{axes[0]} in mm")
        plot.set_ylabel(f"{axes[1]} in mm")
        plot.margins(0.09)
        plot.grid(axis="x", visible=True)
        _scale(figure, plot, largest, unit)
        title(plot, heading, f"{key_numbers}   ·   error drawn {factor:.3g} times as large as the path")
        drawing = svg(figure, salt="contour path")
    said = "; ".join(f"{number}: line {one.line}, {text(one.deviation_m, 'm', digits=3)}" for number, one in enumerate(worst[:_MOST_NUMBERED], 1))
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            f"The grey line is the programmed path. The coloured one lies off it by the contour error, drawn {factor:.3g} times as large: blue to the left of the direction of travel, vermilion to "
            "the right; where both directions are driven, an error on the same side of the part has opposite colours. The numbers are the worst places, as in the table. A step where an axis turns "
            "round is backlash; an oval, or lines at 45° that lie apart for both directions, is servo mismatch; lines that lean are squareness; a rounded corner is the controller's or the servo's."
        ),
        alt=f"Programmed path with the contour error magnified. Worst places: {said}.",
        wide=True,
    )


def along_chart(
    sources: Sequence[Errors], *, starts_m: Sequence[float], lines: Sequence[int], worst: Sequence[Marked], heading: str, key_numbers: str, rapid: Sequence[bool]
) -> Chart:
    """The error of every source along the path; its upper edge says on which line of the program.

    starts_m, lines, rapid : of each motion, in the order of the path; the end of the last is one more in starts_m.
    """
    largest = max(float(np.abs(one.deviation_m).max()) for one in sources) or 1e-9
    unit = display_unit(largest, "m")
    with style():
        figure, plot = sheet(width=11.5, height=5.0)
        figure.subplots_adjust(left=0.075, right=0.985, top=0.74, bottom=0.125)
        for one in sources:
            chosen = _envelope(one.path_m, one.deviation_m)
            width, dashes, colour = _WIDTHS[one.source]
            at, value = one.path_m[chosen] * 1e3, in_unit(1.0, unit) * one.deviation_m[chosen]
            step = np.diff(at, prepend=at[:1])
            value = np.where(step > max(5 * float(np.median(step)), (at[-1] - at[0]) / 200), np.nan, value)
            plot.plot(at, value, color=colour, linewidth=width, linestyle=dashes, label=one.name, zorder=3 + list(_WIDTHS).index(one.source))
        plot.axhline(0.0, color=SOFT, linewidth=0.8, zorder=2)
        _line_ruler(plot, starts_m, lines, rapid)
        main = sources[-1]
        span = in_unit(largest, unit)
        for number, place in enumerate(worst[:_MOST_NUMBERED], 1):
            level = in_unit(place.deviation_m, unit)
            plot.annotate(str(number), (place.path_m * 1e3, level), (0, 10 if level >= 0 else -10), textcoords="offset points", ha="center", va="center", fontsize=8.5,
                          fontweight="bold", color=INK, gid="halo", zorder=7)  # fmt: skip
        plot.set_ylim(-1.22 * span, 1.22 * span)
        plot.set_xlim(starts_m[0] * 1e3, starts_m[-1] * 1e3)
        plot.set_xlabel("along the programmed path in mm")
        plot.set_ylabel(f"contour error in {unit}, + to the left")
        if len(sources) > 1:
            plot.legend(loc="lower left", bbox_to_anchor=(-0.005, 1.1), ncols=len(sources), fontsize=10, borderaxespad=0, borderpad=0.2, handlelength=2.2)
        title(plot, heading, "")
        plot.annotate(key_numbers, (1.0, 1.0), (0, 50), xycoords=("axes fraction", "axes fraction"), textcoords="offset points", ha="right", va="bottom", fontsize=10.5, color=SOFT)
        drawing = svg(figure, salt="contour along")
    peak = float(np.abs(main.deviation_m).max())
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "The contour error of each recorded position along the programmed path; the strip above it holds the number of the line of the program, and shades every other motion (rapids are shaded "
            "darker, and not judged unless asked for). Where the feedback shows an error already, it is the servo's; what the tool has beyond it is the mechanics'; what the command itself "
            "has is the controller's interpolation, for example a corner that it rounds."
        ),
        alt=f"Contour error along the path; the {main.name} reaches {text(peak, 'm', digits=3)}.",
        wide=True,
    )


def _line_ruler(plot: Any, starts_m: Sequence[float], lines: Sequence[int], rapid: Sequence[bool]) -> None:
    """Shaded motions and, where they have room, the numbers of their lines."""
    whole = starts_m[-1] - starts_m[0]
    for k, (line, begin, end) in enumerate(zip(lines, starts_m, starts_m[1:], strict=False)):
        # of very many motions none has room for shading
        if len(lines) <= 400 and (k % 2 or rapid[k]):
            plot.axvspan(begin * 1e3, end * 1e3, color=FAINT, alpha=0.9 if rapid[k] else 0.45, linewidth=0, zorder=0)
        if end - begin > 0.017 * whole * (0.6 + 0.4 * len(str(line))):
            plot.annotate(visible(str(line), longest=8), ((begin + end) / 2 * 1e3, 1.0), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", va="bottom", fontsize=8.5,
                          color=SOFT)  # fmt: skip
    plot.annotate("line", (0.0, 1.0), (-8, 4), xycoords="axes fraction", textcoords="offset points", ha="right", va="bottom", fontsize=8.5, color=SOFT)


def _coloured(plot: Any, points: Floats, share: Floats, gaps: NDArray[np.bool_]) -> None:
    """A line whose colour is the signed share of the largest error (−1 … 1)."""
    from matplotlib.collections import LineCollection

    pieces = np.stack([points[:, :-1].T, points[:, 1:].T], axis=1)
    value = 0.5 * (share[:-1] + share[1:])
    kept = ~gaps[1:]
    group = np.round((value + 1) / 2 * (_COLOURS - 1)).astype(np.int64)
    colours = [_blend(-1 + 2 * k / (_COLOURS - 1)) for k in range(_COLOURS)]
    plot.add_collection(LineCollection(list(pieces[kept]), colors=[colours[k] for k in group[kept]], linewidths=1.5, zorder=4, capstyle="round"))
    plot.update_datalim(points.T)


def _blend(share: float) -> str:
    """From vermilion (−1) through grey to blue (+1)."""
    end = UP_COLOR if share > 0 else DOWN_COLOR
    weight = min(1.0, math.sqrt(abs(share)))
    start = (0xC2, 0xC8, 0xCE)
    mixed = (round(a + weight * (int(end[k : k + 2], 16) - a)) for a, k in zip(start, (1, 3, 5), strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _scale(figure: Any, plot: Any, largest: float, unit: str) -> None:
    """What the colours mean, at the right edge."""
    box = plot.get_position()
    bar: Any = figure.add_axes((0.885, box.y0 + 0.25 * box.height, 0.016, 0.5 * box.height))
    for k in range(_COLOURS):
        low = -1 + 2 * k / _COLOURS
        bar.axhspan(low, low + 2 / _COLOURS, color=_blend(-1 + 2 * k / (_COLOURS - 1)), linewidth=0.8)
    bar.set_ylim(-1, 1)
    bar.set_xlim(0, 1)
    bar.set_xticks([])
    reach = text(largest, "m", digits=2)
    bar.set_yticks([-1, 0, 1], [f"−{reach}", "0", f"+{reach}"])
    bar.yaxis.tick_right()
    bar.tick_params(length=0, labelsize=9.5)
    bar.grid(visible=False)
    for spine in bar.spines.values():
        spine.set_visible(False)
    bar.annotate("left", (0.5, 1.0), (0, 6), xycoords="axes fraction", textcoords="offset points", ha="center", fontsize=9.5, color=SOFT)
    bar.annotate("right", (0.5, 0.0), (0, -14), xycoords="axes fraction", textcoords="offset points", ha="center", fontsize=9.5, color=SOFT)


def _envelope(along: Floats, value: Floats) -> NDArray[np.int64]:
    """Indices, in the order of the path, of the lowest and highest value about each of `_POINTS` places."""
    if along.size <= 2 * _POINTS:
        return np.argsort(along, kind="stable")
    span = float(np.ptp(along)) or 1.0
    number = np.minimum(((along - along.min()) / span * _POINTS).astype(np.int64), _POINTS - 1)
    by_value = np.lexsort((value, number))
    edges = np.flatnonzero(np.diff(number[by_value], prepend=-1))
    chosen = np.unique(np.concatenate([by_value[edges], by_value[np.append(edges[1:], by_value.size) - 1]]))
    return np.asarray(chosen[np.argsort(along[chosen], kind="stable")])
