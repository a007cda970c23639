"""Step responses of several sizes and directions on one another, normalised, with the band and the instants of settling;
below, what is left of the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, in_unit

from . import drawing
from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, SOFT, UP_COLOR
from .visible_text import visible

Floats = NDArray[np.float64]
_POINTS: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """One group of steps. name : in the legend.  up : direction.  time_s, response, spread : (k,) since the step, mean
    of (y − y₀)/(target − y₀), and how far its steps lie from it.  band : ±, share of the step.  settled_s : last exit,
    or None."""

    name: str
    up: bool
    time_s: Floats
    response: Floats
    spread: Floats
    band: float
    settled_s: float | None


def step_chart(groups: Sequence[Response], *, title: str, key_numbers: str) -> Chart:
    """Responses above, |1 − response| on a logarithmic scale below, over the time since the step.

    Raises
    ------
    ValueError      no group
    """
    if not groups:
        raise ValueError("no group of steps; at least one is expected")
    shown_s = _shown(groups)
    unit = display_unit(shown_s, "s")
    narrow, wide = min(group.band for group in groups), max(group.band for group in groups)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=6.8, rows=(1.5, 1.0))
        above, below = axes
        above.axhspan(1 - narrow, 1 + narrow, color=FAINT, linewidth=0)
        above.axhline(1, color=SOFT, linewidth=0.8)
        below.axhline(narrow, color=INK, linewidth=1.0, linestyle=(0, (6, 3)))
        if wide > narrow * 1.001:
            below.axhline(wide, color=INK, linewidth=1.0, linestyle=(0, (6, 3)))
        floor = narrow / 50
        for number, group in enumerate(groups):
            color, line = (UP_COLOR if group.up else DOWN_COLOR), _LINES[_rank(groups, number) % len(_LINES)]
            part = _thinned(group.time_s, shown_s)
            t = np.array([in_unit(float(one), unit) for one in group.time_s[part]])
            above.fill_between(
                t,
                (group.response - group.spread)[part],
                (group.response + group.spread)[part],
                color=color,
                alpha=0.15,
                linewidth=0,
            )
            above.plot(t, group.response[part], color=color, linewidth=1.4, linestyle=line)
            below.plot(
                t, np.maximum(np.abs(1 - group.response[part]), floor), color=color, linewidth=1.0, linestyle=line, alpha=0.9
            )
            if group.settled_s is not None and group.settled_s <= shown_s:
                at = in_unit(group.settled_s, unit)
                above.plot(
                    at,
                    float(np.interp(group.settled_s, group.time_s, group.response)),
                    marker="o",
                    markersize=6.5,
                    color=color,
                    markerfacecolor="white",
                    zorder=6,
                )
                below.plot(at, group.band, marker="o", markersize=6.5, color=color, markerfacecolor="white", zorder=6)
        _frame(above, below, groups, in_unit(shown_s, unit), unit, floor)
        drawing.title(above, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(above, _handles(groups))
        figure.subplots_adjust(left=0.085, right=0.985, top=0.83, bottom=0.085, hspace=0.1)
        figure.align_ylabels(list(axes))
        svg = drawing.svg(figure, salt="steps")
    return Chart(
        svg=svg,
        title=title,
        wide=True,
        how_to_read=(
            "Every step as a share of its size, so that responses of a linear axis lie on one another; blue up, orange "
            "down, line styles for the sizes, pale the spread of "
            "the repeats. The grey strip is the tolerance band; a circle marks where a response has entered it for good "
            "(last exit). Below, what is left of the error, with the "
            "edge of the band dashed: the floor on the right is noise, or friction that holds the axis off its target."
        ),
        alt=f"Normalised step responses of {len(groups)} sizes and directions. {key_numbers}",
    )


_LINES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))


def _rank(groups: Sequence[Response], number: int) -> int:
    """Place of a group among those of its direction, so that one size has one line style."""
    return sum(1 for group in groups[:number] if group.up == groups[number].up)


def _shown(groups: Sequence[Response]) -> float:
    """Up to twice the slowest settling, at most the shortest record; all of it where nothing settles."""
    shortest = min(float(group.time_s[-1]) for group in groups)
    settled = [group.settled_s for group in groups]
    if any(one is None for one in settled):
        return shortest
    slowest = max(one for one in settled if one is not None)
    return min(shortest, 2 * slowest) if slowest > 0 else shortest


def _thinned(time_s: Floats, shown_s: float) -> slice:
    last = int(np.searchsorted(time_s, shown_s, side="right"))
    return slice(0, last, max(1, last // _POINTS))


def _frame(above: Any, below: Any, groups: Sequence[Response], shown: float, unit: str, floor: float) -> None:
    below.set_yscale("log")
    below.set_ylim(floor * 0.9, 1.5)
    below.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    below.minorticks_off()
    above.set_xlim(0, shown)
    top = max(1.05, *(float(group.response.max()) for group in groups))
    low = min(0.0, *(float(group.response.min()) for group in groups))
    above.set_ylim(low - 0.05, top + 0.08)
    above.set_ylabel("Share of the step")
    below.set_ylabel("Error, of the step")
    below.set_xlabel(f"Time since the step, in {unit}")
    drawing.few_ticks(below.xaxis)


def _handles(groups: Sequence[Response]) -> list[Any]:
    from matplotlib.lines import Line2D

    few = groups if len(groups) <= 6 else [*groups[:2], *groups[-2:]]
    return [
        Line2D(
            [],
            [],
            color=UP_COLOR if group.up else DOWN_COLOR,
            linewidth=1.6,
            linestyle=_LINES[_rank(groups, list(groups).index(group)) % len(_LINES)],
            label=visible(group.name, longest=24),
        )
        for group in few
    ]
