"""What every evaluation of a positioning test begins with: mean deviation and standard deviation at each target and direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import units
from ..errors import DataError
from ..recording import Positioning

Array = NDArray[np.float64]
ARROWS = ("↑", "↓")


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Per target; NaN where a quantity is not defined (no approach for a mean, fewer than two for s).

    count : (2, m) int64, approaches n_i measured in each direction.
    mean : (2, m) float64, mean unidirectional deviation x̄_i↑, x̄_i↓ (divisor n_i), m or rad.
    s : (2, m) float64, standard deviation (divisor n_i − 1), m or rad.
    spread : (2, m) float64, range of the deviations, largest − smallest, m or rad.
    mean_bidirectional : (m,) float64, x̄_i = (x̄_i↑ + x̄_i↓)/2.
    reversal : (m,) float64, B_i = x̄_i↑ − x̄_i↓, signed.
    """

    count: NDArray[np.int64]
    mean: Array
    s: Array
    spread: Array
    mean_bidirectional: Array
    reversal: Array


def statistics(recording: Positioning) -> Statistics:
    """Means and standard deviations of the deviations (actual − target), two passes in float64.

    Raises
    ------
    DataError       a rotary recording whose deviations lie on both sides of ±180°, so that their mean has no meaning
    """
    deviation, valid = recording.deviation, recording.valid
    if recording.kind == "rotary" and valid.any() and np.ptp(deviation[valid]) > math.pi:
        raise DataError(
            f"rotary axis {recording.axis}: deviations from {np.degrees(deviation[valid].min()):.1f}° to {np.degrees(deviation[valid].max()):.1f}° "
            "lie on both sides of ±180°; expected the instrument's zero near the axis's zero; subtract their difference from every reading"
        )
    known = np.where(valid, deviation, 0.0)
    count = valid.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = known.sum(axis=-1) / count
        # The sum of a few hundred readings is rounded; a second pass over the residuals takes that out of the mean.
        residual = np.where(valid, known - mean[..., None], 0.0)
        mean = mean + residual.sum(axis=-1) / count
        residual = np.where(valid, known - mean[..., None], 0.0)
        s = np.sqrt((residual**2).sum(axis=-1) / np.where(count > 1, count - 1, np.nan))
    highest = np.where(valid, deviation, -np.inf).max(axis=-1, initial=-np.inf)
    lowest = np.where(valid, deviation, np.inf).min(axis=-1, initial=np.inf)
    spread = np.where(count > 0, highest - lowest, np.nan)
    arrays = {"count": count, "mean": mean, "s": s, "spread": spread, "mean_bidirectional": mean.mean(axis=0), "reversal": mean[0] - mean[1]}
    for array in arrays.values():
        array.flags.writeable = False
    return Statistics(**arrays)


def missing(recording: Positioning, stats: Statistics, direction: int, approaches: int) -> str | None:
    """Why something that needs `approaches` (1 or 2) at every target in `direction` cannot be evaluated; None if it can.

    The sentence names the first target, its position and the direction.
    """
    count = stats.count[direction]
    short = np.flatnonzero(count < approaches)
    if not short.size:
        return None
    arrow = ARROWS[direction]
    if not count.any():
        return f"no approach {arrow} was measured"
    first = int(short[0])
    others = f" (and at {short.size - 1} more)" if short.size > 1 else ""
    where = f"target {first + 1} at {place(recording, first)}{others}"
    return f"no approach {arrow} at {where}" if count[first] == 0 else f"only one approach {arrow} at {where}, so s is not defined"


def place(recording: Positioning, index: int) -> str:
    """Position of a target as text: "100 mm", "30°"."""
    value = float(recording.target[index])
    return f"{value / units.MM:.10g} mm" if recording.kind == "linear" else f"{math.degrees(value):.10g}°"
