"""How to read the charts of a positioning test, in words: only of what was measured, and of the figures that the report has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from . import symbols as indexed
from .visible_text import visible

Floats = NDArray[np.float64]


def deviation_caption(*, mean: Floats, s: Floats, coverage_factor: float, symbols: Mapping[str, str]) -> str:
    """For the main chart.

    Parameters
    ----------
    mean, s : (2, m) float64 — as in the chart; NaN where there is none.
    symbols : key -> symbol of the figures that have a value ("A", "E", "M", "B"; "P_a", "U_max" of VDI/DGQ 3441).
    """
    measured = [bool(np.any(np.isfinite(one))) for one in mean]
    bands = f", the shaded band{'s' if all(measured) else ''} the mean{'s' if all(measured) else ''} ± {coverage_factor:g}s" if np.any(np.isfinite(s)) else ""
    if all(measured):
        lines = "The lines are the means of the approaches in the positive (↑) and negative (↓) direction"
    else:
        lines = f"The line is the mean of the approaches in the {'positive (↑)' if measured[0] else 'negative (↓)'} direction, the only one measured"
    sentences = [f"Each small mark is one reading, actual minus target. {lines}{bands}."]
    shown = {key: visible(indexed.plain(symbol), longest=12) for key, symbol in symbols.items()}
    if "B" in shown:
        sentences.append(f"The widest gap between the lines is the reversal {shown['B']}.")
    elif "U_max" in shown:
        sentences.append(f"The widest gap between the lines is the largest reversal span {shown['U_max']}.")
    both = "points of the dotted mean of both directions"
    heights = [
        f"between the outermost {what} is {shown[key]}" for key, what in (("E", "means"), ("A", "band edges"), ("M", both), ("P_a", both)) if key in shown
    ]
    if heights:
        sentences.append(f"The height {'; '.join(heights)}.")
    return " ".join(sentences)


def reversal_caption(symbols: Mapping[str, str]) -> str:
    """For the bars of the reversal; `symbols` as in `deviation_caption`."""
    shown = {key: visible(indexed.plain(symbol), longest=12) for key, symbol in symbols.items()}
    dark = f"the axis value {shown['B']}" if "B" in shown else f"the largest reversal span {shown['U_max']}" if "U_max" in shown else "the largest"
    return (
        "Each bar is the mean of the ↑ approaches minus the mean of the ↓ approaches. Bars of one height (dashed: their mean) are lost motion, which a backlash value "
        f"removes; bars that change along the axis come from screw wind-up, friction or a bent guide. The dark bar is {dark}."
    )
