"""The picture of a comparison: what each figure was, what it is, and by how much it changed against its U."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from precision.units import text

from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, INK, REST_COLOR, SOFT, sheet, style, svg, title

_COLORS: Final = {"better": ACCENTS[0], "worse": DOWN_COLOR, "no change within U": REST_COLOR, "not comparable": REST_COLOR}
_MOST: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure. before, after : magnitudes, SI. uncertainty : U (k = 2) of their difference, or None. verdict : of the comparison."""

    symbol: str
    unit: str
    before: float
    after: float
    uncertainty: float | None
    verdict: str


def difference_chart(differences: Sequence[Difference]) -> Chart:
    """Change of each figure as a share of what it was, with its U; at most 24 of them, those of the largest change."""
    shown = [one for one in differences if one.before > 0]
    shown = sorted(shown, key=lambda one: -abs(one.after / one.before - 1))[:_MOST] if len(shown) > _MOST else shown
    with style():
        figure, axes = sheet(width=10.5, height=1.5 + 0.34 * max(1, len(shown)))
        height = 1.5 + 0.34 * max(1, len(shown))
        figure.subplots_adjust(left=0.2, right=0.74, top=1 - 0.85 / height, bottom=0.55 / height)
        plot: Any = axes
        for row, one in enumerate(reversed(shown)):
            share = (one.after / one.before - 1) * 100
            color = _COLORS.get(one.verdict, REST_COLOR)
            plot.barh(row, share, height=0.6, color=color)
            if one.uncertainty is not None:
                plot.errorbar(share, row, xerr=one.uncertainty / one.before * 100, fmt="none", ecolor=INK, elinewidth=1.0, capsize=3)
            label = f"{text(one.before, one.unit, digits=3)} → {text(one.after, one.unit, digits=3)}"
            plot.annotate(label, (1.0, row), (10, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=10, color=SOFT)
        plot.set_yticks(range(len(shown)), [one.symbol for one in reversed(shown)])
        plot.axvline(0, color=SOFT, linewidth=0.9)
        low, high = plot.get_xlim()
        plot.set_xlim(max(low, -120.0), min(high, 200.0))
        plot.set_ylim(-0.6, len(shown) - 0.4)
        plot.grid(axis="x", visible=True)
        plot.grid(axis="y", visible=False)
        plot.set_xlabel("change in %")
        better, worse = (sum(one.verdict == verdict for one in differences) for verdict in ("better", "worse"))
        key = f"{better} better, {worse} worse, {len(differences) - better - worse} without a change beyond U"
        title(plot, "Before and after", key)
        drawing = svg(figure, salt="difference")
    return Chart(
        svg=drawing,
        title="Before and after",
        how_to_read="Bars to the left are figures that became smaller. The whisker is U (k = 2) of the difference: a bar that does not clear it is no change. Green: better, orange: worse, grey: no change beyond U.",
        alt=key,
        wide=True,
    )
