"""Labels that never overprint each other and are never cut off: which targets carry their number, which bars their value.

The size of the letters is estimated from the layout font, which is wider than those the reader sees. The axes must have their final place and limits, on
a sheet of 72 dots per inch, where a pixel is a point.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from . import rounding
from .rounding import typographic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""

DIGIT: Final = 0.64
"""Width of a digit of the layout font in units of its size; a point is narrower, a minus sign 0.2 wider."""
_TARGET_SIZE: Final = 10.0
_VALUE_SIZE: Final = 9.0
_GAP: Final = 6.0
"""Points between two numbers on an axis."""
_ALL_TARGETS: Final = 40
"""Up to this many targets, the ticks are the targets themselves; beyond, round numbers."""


def text_width(text: str, size: float) -> float:
    """Width of a number in points, rather too large.

    >>> round(text_width("−3.10", 10.0), 1)
    34.0
    """
    return size * (DIGIT * len(text) + 0.2 * text.count("−"))


def place_targets(axes: Axes, x: Floats, *, keep: int | None) -> None:
    """Limits and ticks of the target axis: a tick at each target, a number where there is room for it; `keep`'s number always.

    Many targets get round numbers instead, and `keep` its own beside them.
    """
    width = axes.get_window_extent().width
    sheet: Any = axes.figure
    outside = float(sheet.bbox.x1 - axes.get_window_extent().x1)
    longest = max(text_width(text, _TARGET_SIZE) for text in (*_numbers(x[[0, -1]], 4), *_numbers(x[[0, -1]], 7)))
    margin = min(0.3, max(0.042, (longest / 2 - outside + 2) / width)) * width
    span = float(x[-1] - x[0])
    beyond = margin / (width - 2 * margin) * span if span > 0 else 1.0
    axes.set_xlim(float(x[0]) - beyond, float(x[-1]) + beyond)
    order = _priority(x.size, keep)
    if x.size <= _ALL_TARGETS:
        axes.set_xticks(x, _thinned(axes, x, order))
        return
    ticks = _round_ticks(x, width, longest)
    if keep is not None:
        ticks = np.array([x[keep], *ticks[np.abs(ticks - x[keep]) > 0]])
    texts = _thinned(axes, ticks, range(ticks.size))
    shown = [index for index, text in enumerate(texts) if text]
    axes.set_xticks(ticks[shown], [texts[index] for index in shown])


def number_bars(axes: Axes, x: Floats, values: Floats, *, bar_width: float, worst: int) -> None:
    """The value at the end of each bar, where it covers neither another value nor another bar; the worst always."""
    decimals = max(0, rounding.decimals_of(float(values[worst]), 3)) if values[worst] else 0
    bars = {int(i): _bar(axes, float(x[i]), float(values[i]), bar_width) for i in np.flatnonzero(np.isfinite(values))}
    frame = axes.get_window_extent()
    taken: list[Box] = []
    for index in [worst, *(index for index in bars if index != worst)]:
        text = typographic(rounding.rounded(float(values[index]), decimals))
        upward = values[index] >= 0
        left, bottom, right, top = bars[index]
        half, height = text_width(text, _VALUE_SIZE) / 2 + 1, 1.35 * _VALUE_SIZE
        middle = min(max((left + right) / 2, frame.x0 + half), frame.x1 - half)
        box = (middle - half, top + 2, middle + half, top + 2 + height) if upward else (middle - half, bottom - 2 - height, middle + half, bottom - 2)
        others = (*taken, *(bar for other, bar in bars.items() if other != index))
        inside = frame.y0 - 1 <= box[1] and box[3] <= frame.y1 + 1
        if index != worst and (not inside or _covers(box, others)):
            continue
        taken.append(box)
        axes.annotate(text, (float(x[index]), float(values[index])), (middle - (left + right) / 2, 3 if upward else -3), textcoords="offset points", ha="center",
                      va="bottom" if upward else "top", fontsize=_VALUE_SIZE, fontweight="bold" if index == worst else "normal", zorder=6, gid="halo")  # fmt: skip


def bar_width(axes: Axes, x: Floats) -> float:
    """Width of the bars in data: most of the narrowest gap, but three points where targets lie closer, unless they lie so close everywhere; its half fits the margin."""
    low, high = axes.get_xlim()
    if x.size < 2:
        return 0.075 * (high - low)
    three_points = 3 / axes.get_window_extent().width * (high - low)
    gaps = np.diff(x)
    return min(max(0.62 * float(gaps.min()), three_points), 0.62 * float(gaps.mean()), 0.075 * (high - low))


def _bar(axes: Axes, x: float, value: float, width: float) -> Box:
    (left, bottom), (right, top) = axes.transData.transform([(x - width / 2, min(0.0, value)), (x + width / 2, max(0.0, value))])
    return float(left), float(bottom), float(right), float(top)


def _covers(box: Box, others: Iterable[Box]) -> bool:
    return any(box[0] < right and left < box[2] and box[1] < top and bottom < box[3] for left, bottom, right, top in others)


def _priority(count: int, keep: int | None) -> list[int]:
    """In which order targets are offered a number: the one to keep, the last, the first, then from the left."""
    return list(dict.fromkeys([*([] if keep is None else [keep]), count - 1, *range(count)]))


def _thinned(axes: Axes, x: Floats, order: Iterable[int]) -> list[str]:
    """A number or "" for each x; with more digits where two of those shown would read the same."""
    order = list(order)
    points = axes.transData.transform(np.column_stack([x, np.zeros(x.size)]))[:, 0]
    for digits in (4, 5, 6, 7, 9):
        texts, shown = _numbers(x, digits), list[int]()
        taken: list[Box] = []
        for index in order:
            half = text_width(texts[index], _TARGET_SIZE) / 2 + _GAP / 2
            box = (float(points[index]) - half, 0.0, float(points[index]) + half, 1.0)
            if not _covers(box, taken):
                taken.append(box)
                shown.append(index)
        if len({texts[index] for index in shown}) == len(shown):
            break
    return [texts[index] if index in shown else "" for index in range(x.size)]


def _numbers(x: Floats, digits: int) -> list[str]:
    """Numbers as their owner wrote them, to so many digits: 100, 88.53."""
    largest = float(np.max(np.abs(x)))
    return [typographic(_plain(float(value), digits) if abs(value) > 1e-9 * largest else "0") for value in x]


def _plain(value: float, digits: int) -> str:
    return f"{Decimal(f'{value:.{digits}g}'):f}"


def _round_ticks(x: Floats, width: float, longest: float) -> Floats:
    from matplotlib.ticker import MaxNLocator

    count = max(1, min(7, int(width / (longest + 2 * _GAP))))
    ticks = np.asarray(MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(float(x[0]), float(x[-1])), dtype=np.float64)
    inside: Floats = ticks[(ticks >= x[0]) & (ticks <= x[-1])]
    return inside
