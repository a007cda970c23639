"""Whether a positioning test was made as ISO 230-2 asks: what can be seen in the recording, each departure one sentence.

Rules of the 2014 edition, from memory of the standard, applied to every edition. Not visible in a recording, hence not judged: warm-up, feed,
dwell, position of the measuring line, overshoot before each reversal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from ..recording import Positioning
from .positioning import ARROWS, Statistics, place

RUNS: Final = 5
LONG_LINEAR_M: Final = 2.0
LONG_ROTARY_RAD: Final = 2 * math.pi
LONG_SPACING_M: Final = 0.25
LONG_SPACING_RAD: Final = math.pi / 4
TARGETS_PER_METRE: Final = 5
FEWEST_TARGETS: Final = 5
RANDOM_SHARE: Final = 0.3
"""r lies within ±30 % of the interval p where the period of a periodic error is not known."""
EQUALLY_SPACED: Final = 0.01
"""Targets that follow a straight line to within this share of p count as equally spaced: no random r was added."""
_ROUNDING: Final = 1e-9


def is_long(recording: Positioning) -> bool:
    """Whether the targets span more than 2000 mm, or more than 360°."""
    limit = LONG_LINEAR_M if recording.kind == "linear" else LONG_ROTARY_RAD
    return _span(recording) > limit * (1 + _ROUNDING)


def departures(recording: Positioning, stats: Statistics) -> Iterator[str]:
    """One sentence for each departure from the test that the standard describes, none if there is none."""
    if recording.cycle == "step":
        yield "the step cycle (annex B) was used: its figures are not for acceptance and not comparable with the standard cycle"
    yield from incomplete(recording, stats)
    yield from _runs(recording, stats)
    yield from _target_count(recording)
    if recording.kind == "linear" and not is_long(recording):
        yield from _target_spacing(recording)


def incomplete(recording: Positioning, stats: Statistics) -> Iterator[str]:
    """One sentence for a direction that was not measured, and for each target with fewer approaches than others."""
    runs = stats.count.max(axis=1)
    for direction in (0, 1):
        if runs[direction] == 0:
            yield f"no approach {ARROWS[direction]} was measured; the test has approaches from both directions"
        for index in np.flatnonzero(stats.count[direction] < runs[direction]):
            found = stats.count[direction, index]
            yield f"target {index + 1} at {place(recording, int(index))} has {found} of {runs[direction]} approaches {ARROWS[direction]}"


def _span(recording: Positioning) -> float:
    return float(recording.target[-1] - recording.target[0])


def _runs(recording: Positioning, stats: Statistics) -> Iterator[str]:
    runs = stats.count.max(axis=1)
    allowed = (1, RUNS) if is_long(recording) else (RUNS,)
    for direction in (0, 1):
        if runs[direction] and runs[direction] not in allowed:
            expected = " or ".join(str(number) for number in allowed)
            yield f"{runs[direction]} run{'s' if runs[direction] > 1 else ''} {ARROWS[direction]} instead of {expected}"
    if runs.all() and runs[0] != runs[1]:
        yield f"{runs[0]} runs ↑ but {runs[1]} runs ↓; both directions have the same number"


def _target_count(recording: Positioning) -> Iterator[str]:
    count, span = recording.target.size, _span(recording)
    if recording.kind == "linear":
        if is_long(recording):
            if count > 1 and span / (count - 1) > LONG_SPACING_M * (1 + _ROUNDING):
                yield f"the average spacing of targets is {span / (count - 1) * 1e3:.4g} mm; at most 250 mm over more than 2000 mm"
            return
        needed = max(FEWEST_TARGETS, math.ceil(TARGETS_PER_METRE * span * (1 - _ROUNDING)))
        if count < needed:
            yield f"{count} targets over {span * 1e3:.6g} mm; at least {needed} (five per metre and at least five)"
        return
    if is_long(recording):
        if span / (count - 1) > LONG_SPACING_RAD * (1 + _ROUNDING):
            yield f"the average spacing of targets is {math.degrees(span / (count - 1)):.4g}°; at most 45° over more than 360°"
        return
    needed = 3 if span <= math.pi / 2 * (1 + _ROUNDING) else 5 if span <= math.pi * (1 + _ROUNDING) else 8
    if count < needed:
        yield f"{count} targets over {math.degrees(span):.6g}°; at least {needed}"


def _target_spacing(recording: Positioning) -> Iterator[str]:
    """P_i = (i − 1)·p + r with r random: neither all equal nor beyond ±30 % of p for every possible p."""
    target = recording.target
    if target.size < 3:
        return
    interval = _span(recording) / (target.size - 1)
    line = target[0] + interval * np.arange(target.size)
    if np.max(np.abs(target - line)) <= EQUALLY_SPACED * interval:
        yield (
            f"the targets are equally spaced ({interval * 1e3:.6g} mm): a periodic error whose period divides the spacing is not sampled; "
            "each target needs its own random offset r"
        )
        return
    gaps = np.diff(target)
    # Neighbours lie p·(1 ± 2·0.3) apart, so no p allows a largest gap beyond 1.6/0.4 of the smallest.
    if gaps.max() / gaps.min() > (1 + 2 * RANDOM_SHARE) / (1 - 2 * RANDOM_SHARE) * (1 + _ROUNDING):
        yield (
            f"the spacing of targets ranges from {gaps.min() * 1e3:.4g} mm to {gaps.max() * 1e3:.4g} mm: "
            "more than random offsets within ±30 % of the interval explain"
        )
