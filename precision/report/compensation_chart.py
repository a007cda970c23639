"""The axis before and after: mean deviations of several states of one axis on one scale, and what is left of them magnified below.

For a compensation table: measured, predicted with the table, measured again. For two runs: before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from precision import units

from . import drawing, rounding
from .document import Chart
from .drawing import DOWN_COLOR, INK, UP_COLOR
from .rounding import typographic
from .visible_text import visible

Floats = NDArray[np.float64]

_MARKERS: Final = (("^", "v"), ("o", "s"), ("D", "P"))
_DASHES: Final = ("-", (0, (4, 2)), (0, (1, 1.5)))
MAGNIFIED: Final = 0.4
"""The lower panel is drawn where the later states span less than this share of the first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """One state of the axis: name in the legend, target (m,), mean (2, m) deviations ↑ and ↓ (m or rad; NaN where there is none)."""

    name: str
    target: Floats
    mean: Floats

    def __post_init__(self) -> None:
        if self.target.ndim != 1 or self.mean.shape != (2, self.target.size) or not np.any(np.isfinite(self.mean)):
            raise ValueError(f"state {self.name!r}: target has shape {self.target.shape}, mean {self.mean.shape}; (m,) and (2, m) with finite means are expected")

    @property
    def span(self) -> float:
        """Largest minus smallest mean: E."""
        return float(np.nanmax(self.mean) - np.nanmin(self.mean))


@overload
def states_chart(states: Sequence[State], *, axis: str, unit: str, title: str, key_numbers: str, format: Literal["svg"] = "svg") -> Chart: ...
@overload
def states_chart(states: Sequence[State], *, axis: str, unit: str, title: str, key_numbers: str, format: Literal["png"]) -> bytes: ...
def states_chart(states: Sequence[State], *, axis: str, unit: str, title: str, key_numbers: str, format: Literal["svg", "png"] = "svg") -> Chart | bytes:
    """Mean deviation against target for up to three states; below, the later ones alone where they are much smaller.

    Parameters
    ----------
    states : the first is the one to be improved. axis : its name. unit : "m" or "rad". key_numbers : one line under the title.

    Raises
    ------
    ValueError      no state, or more than three
    """
    if not 1 <= len(states) <= len(_MARKERS):
        raise ValueError(f"{len(states)} states; 1 to {len(_MARKERS)} are expected")
    later = list(states[1:])
    magnified = bool(later) and max(state.span for state in later) < MAGNIFIED * states[0].span
    x_unit = "deg" if unit == "rad" else "mm"
    with drawing.style():
        figure, panels = drawing.sheet(width=10.6, height=6.6 if magnified else 4.6, rows=(1.5, 1.0) if magnified else (1.0,))
        upper = panels[0] if magnified else panels
        y_unit = _draw(upper, states, list(range(len(states))), x_unit, unit)
        drawing.title(upper, title, key_numbers)
        _legend(upper, states)
        bottom = upper
        if magnified:
            bottom = panels[1]
            lower_unit = _draw(bottom, states, list(range(1, len(states))), x_unit, unit)
            bottom.set_ylabel(f"{' and '.join(visible(state.name, longest=30) for state in later)} alone ({lower_unit})")
        upper.set_ylabel(f"Deviation ({y_unit})")
        bottom.set_xlabel(f"Target position ({x_unit})")
        figure.subplots_adjust(left=0.075, right=0.985, top=0.86 if magnified else 0.8, bottom=0.085 if magnified else 0.12, hspace=0.1)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="states")
    spans = ", ".join(f"{visible(state.name, longest=40)} spans {_text(state.span, unit)}" for state in states)
    return Chart(
        svg=svg,
        title=title,
        how_to_read=(
            "The lines are the mean deviations, actual minus target, of the approaches in the positive (↑, blue) and negative (↓, orange) direction, one line style a "
            "state. The height between the outermost points of a state is its E, the gap between its two lines the reversal."
            + (" The lower panel shows the later states alone, magnified." if magnified else "")
        ),
        alt=f"Mean deviations of axis {visible(axis, longest=40)}: {spans}.",
        wide=True,
    )


def _draw(axes: object, states: Sequence[State], shown: list[int], x_unit: str, unit: str) -> str:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    largest = max(float(np.nanmax(np.abs(states[index].mean))) for index in shown)
    y_unit = units.display_unit(largest, unit)
    axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
    for index in shown:
        state = states[index]
        x = np.array([units.in_unit(float(value), x_unit) for value in state.target])
        for direction, color in enumerate((UP_COLOR, DOWN_COLOR)):
            y = np.array([units.in_unit(float(value), y_unit) for value in state.mean[direction]])
            axes.plot(x, y, color=color, linewidth=1.6 if index == 0 else 1.2, linestyle=_DASHES[index], marker=_MARKERS[index][direction], markersize=5,
                      markerfacecolor=color if index == 0 else "white", markeredgewidth=1.0, markeredgecolor=color, zorder=4 - index)  # fmt: skip
    drawing.few_ticks(axes.yaxis)
    drawing.few_ticks(axes.xaxis)
    axes.margins(y=0.12)
    return y_unit


def _legend(axes: object, states: Sequence[State]) -> None:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    assert isinstance(axes, Axes)
    entries = [
        Line2D([], [], color=color, linestyle=_DASHES[index], marker=_MARKERS[index][direction], markersize=5, markerfacecolor=color if index == 0 else "white",
               markeredgecolor=color, label=f"{visible(state.name, longest=30)} {'↑↓'[direction]}")
        for index, state in enumerate(states)
        for direction, color in enumerate((UP_COLOR, DOWN_COLOR))
    ]  # fmt: skip
    drawing.legend(axes, entries)


def _text(value: float, unit: str) -> str:
    shown = units.display_unit(value, unit)
    number = units.in_unit(value, shown)
    return f"{typographic(rounding.rounded(number, rounding.decimals_of(number, 3))) if number else '0'} {shown}"
