"""Stretches of a motion at constant velocity, and what the drive's force is on the mean in each: the points of a
friction curve.

The velocity is the slope of the least-squares line over a moving window. It counts as constant where it changes by less
than 2 % from half a window before to half a window after, or by less than four times what the position's noise does to
it. The mean force has U = k·s/√m of the means of batches, with Student's k: noise that follows itself for less than a
batch is seen in it. What the velocity changes by from end to end of a stretch stands beside the force as its mean
acceleration: m times it is no friction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, positive, vector
from .coverage import coverage_factor

STEADY: Final = 0.02
_BATCHES: Final = 10
_LARGEST: Final = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """begin, end : samples, end excluded.  velocity, acceleration : mean, of the position, unit per s and s².  force,
    force_u : mean, and its U (k = 2)."""

    begin: int
    end: int
    velocity: float
    acceleration: float
    force: float
    force_u: float


def slope(position: ArrayLike, *, rate_hz: float, window: int) -> Array:
    """(n,) velocity: slope of the line through `window` samples around each; 0 at both ends, where there are not so
    many."""
    y = np.asarray(position, dtype=np.float64)
    place = np.arange(window) - (window - 1) / 2
    found = np.zeros(y.size)
    inner = np.convolve(y - y[0], place[::-1] / float(place @ place), mode="valid") * rate_hz
    found[(window - 1) // 2 : (window - 1) // 2 + inner.size] = inner
    return found


def stretches(
    position: ArrayLike,
    force: ArrayLike,
    *,
    rate_hz: float,
    reference: ArrayLike | None = None,
    window_s: float = 0.05,
    settle_s: float = 0.1,
    shortest_s: float = 0.1,
) -> tuple[Stretch, ...]:
    """Find them.

    Parameters
    ----------
    position, force : (n,) float64, equally spaced at the same instants
    reference : (n,) the set-point, by which stretches are told where it was recorded: it has no noise
    window_s : of the velocity.  settle_s : left out at the beginning of each.  shortest_s : that remains of one

    Raises
    ------
    DataError       shapes, a window that does not fit, no stretch at all
    """
    y = vector("position", position, fewest=16, largest=_LARGEST)
    f = vector("force", force, size=y.size, largest=_LARGEST)
    r = y if reference is None else vector("reference", reference, size=y.size, largest=_LARGEST)
    positive("rate_hz", rate_hz, "Hz")
    window = max(3, round(window_s * rate_hz))
    if 3 * window > y.size:
        raise DataError(
            f"the window of {window_s:g} s is {window} samples, the record has {y.size}; record longer or take a shorter "
            "window"
        )
    velocity = slope(r, rate_hz=rate_hz, window=window)
    half = window // 2
    change = np.full(y.size, math.inf)
    change[half:-half] = np.abs(velocity[2 * half :] - velocity[: -2 * half])
    noise = _noise(r) * math.sqrt(12) / window**1.5 * rate_hz
    steady = (
        (np.abs(velocity) > 10 * noise)
        & (velocity != 0)
        & (change <= np.maximum(STEADY * np.abs(velocity), 4 * math.sqrt(2) * noise))
    )
    found = []
    for begin, end in _runs(steady, velocity):
        first, last = begin + round(settle_s * rate_hz), end - half
        if last - first >= max(2 * _BATCHES, round(shortest_s * rate_hz)):
            found.append(_stretch(y, f, first, last, half, rate_hz))
    if not found:
        raise DataError(
            f"no stretch of constant velocity of at least {shortest_s:g} s after {settle_s:g} s to settle, in "
            f"{y.size / rate_hz:.4g} s; run at constant velocities, or lower "
            "evaluation.settle and evaluation.window"
        )
    return tuple(found)


def _runs(steady: NDArray[np.bool_], velocity: Array) -> list[tuple[int, int]]:
    """Begin and end of stretches that are steady and keep their direction."""
    kind = np.where(steady, np.sign(velocity), 0).astype(np.int8)
    edges = np.flatnonzero(np.diff(kind)) + 1
    bounds = [0, *edges.tolist(), kind.size]
    return [(a, b) for a, b in pairwise(bounds) if kind[a] != 0]


def _stretch(y: Array, f: Array, first: int, last: int, half: int, rate_hz: float) -> Stretch:
    quarter = max(2, min(half // 2, (last - first) // 4))
    ends = [
        float(np.polyfit(np.arange(2 * quarter), y[k : k + 2 * quarter] - y[k], 1)[0]) * rate_hz
        for k in (first, last - 2 * quarter)
    ]
    first, last = first + quarter, last - quarter  # the middles of both
    speed = float(y[last] - y[first]) * rate_hz / (last - first)
    means = np.array([batch.mean() for batch in np.array_split(f[first:last], _BATCHES)])
    u = coverage_factor(_BATCHES - 1) * float(means.std(ddof=1)) / math.sqrt(_BATCHES)
    return Stretch(
        begin=first,
        end=last,
        velocity=speed,
        acceleration=(ends[1] - ends[0]) * rate_hz / (last - first),
        force=float(f[first:last].mean()),
        force_u=u,
    )


def _noise(y: Array) -> float:
    """Standard deviation of a sample, from second differences, which a motion at this rate has hardly any of."""
    return float(np.median(np.abs(np.diff(y, 2)))) / 0.6745 / math.sqrt(6)
