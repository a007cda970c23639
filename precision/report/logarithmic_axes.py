"""Axes over frequency or averaging time: logarithmic, with plain numbers at the decades and no mathematics in the text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def plain_number(value: float) -> str:
    """1000 as "1000", 0.001 as "0.001", 1e-6 as "10⁻⁶"; 2000 as "2000"."""
    if value <= 0 or not math.isfinite(value):
        return ""
    power = math.floor(math.log10(value) + 1e-9)
    if -3 <= power <= 4:
        return f"{value:.{max(0, -power)}f}".rstrip("0").rstrip(".") if power < 0 else f"{value:g}"
    lead = value / 10.0**power
    raised = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] if digit.isdigit() else "⁻" for digit in str(power))
    return f"10{raised}" if abs(lead - 1) < 1e-9 else f"{lead:g}·10{raised}"


def logarithmic(axes: Axes, which: str) -> None:
    """Make one axis ("x" or "y") logarithmic: labels at the decades, or at 1, 2 and 5 where there are few; thin lines between."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis: Any = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(max(high, 1e-300) / max(low, 1e-300)) if low > 0 else 3
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=20))
    axis.set_minor_locator(LogLocator(base=10, subs=tuple(range(1, 10)), numticks=200))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="both", which="minor", length=0)
    axes.grid(True, which="major", axis="both", color=drawing.FAINT)
    if decades < 6:
        axes.grid(True, which="minor", axis=which, color=drawing.FAINT, linewidth=0.4, alpha=0.8)  # type: ignore[arg-type]


def thinned(x: Floats, *ys: Floats, most: int = 2000) -> tuple[Floats, ...]:
    """For a drawing with a logarithmic x axis: in each of `most` bins of log x the first, the lowest and the highest of the first curve, so that lines stay seen."""
    if x.size <= most:
        return (x, *ys)
    place = np.log10(np.where(x > 0, x, x[x > 0].min()))
    edges = np.floor((place - place[0]) / max(place[-1] - place[0], 1e-12) * (most / 3)).astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(edges) > 0]))
    kept: set[int] = {0, int(x.size - 1)}
    for begin, end in zip(starts, np.append(starts[1:], x.size), strict=True):
        piece = ys[0][begin:end]
        kept |= {int(begin), int(begin + np.argmin(piece)), int(begin + np.argmax(piece))}
    chosen = np.array(sorted(kept))
    return tuple(values[chosen] for values in (x, *ys))
