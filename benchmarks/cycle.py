"""Where an axis is measured and in what order: targets and test cycles of ISO 230-2 (from memory of the standard)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from precision.recording import DOWN, UP


def target_positions(
    *, start_m: float, end_m: float, count: int, random_offset: float, resolution_m: float, seed: int
) -> NDArray[np.float64]:
    """`count` targets between `start_m` and `end_m`: P_i = (i − 1)·p + r, r different for each target.

    r is uniform within ±`random_offset`·p (0.3 samples periodic errors of unknown period), cut at the ends of the line and rounded to the
    `resolution_m` a controller can be told, to the multiples of it that lie in the line. The same seed gives the same targets. With a resolution that
    is coarse against the line targets may coincide: the caller looks.

    Returns
    -------
    (count,) float64, m, ascending. Source: ISO 230-2:2014, clause on target positions, from memory of the standard.
    """
    spacing = (end_m - start_m) / (count - 1) if count > 1 else 0.0
    generator = np.random.Generator(np.random.Philox(key=seed))
    offset = generator.uniform(-random_offset, random_offset, count) * spacing
    nominal = start_m + spacing * np.arange(count) + offset
    # An end that is a multiple, but for the rounding of its quotient, is a target.
    first, last = math.ceil(start_m / resolution_m - 1e-6), math.floor(end_m / resolution_m + 1e-6)
    return np.clip(np.round(np.clip(nominal, start_m, end_m) / resolution_m), first, last) * resolution_m


def fewest_targets(travel_m: float) -> int:
    """The fewest targets that ISO 230-2 asks for on a linear line: 5 per metre and at least 5; above 2 m an average spacing of 250 mm at most."""
    if travel_m <= 2.0:
        return max(5, math.ceil(5 * travel_m))
    return math.ceil(travel_m / 0.250) + 1


@dataclass(frozen=True, slots=True)
class Approach:
    """Come to target `target_index` from below (UP) or above (DOWN), as part of `run` (0, 1, ...)."""

    run: int
    direction: int
    target_index: int


def standard_cycle(targets: int, runs: int) -> Iterator[Approach]:
    """All targets upwards, then all downwards, `runs` times."""
    for run in range(runs):
        yield from (Approach(run, UP, i) for i in range(targets))
        yield from (Approach(run, DOWN, i) for i in reversed(range(targets)))


def step_cycle(targets: int, runs: int) -> Iterator[Approach]:
    """All approaches at a target before the next (Annex B): quicker to drift, not for acceptance."""
    for i in range(targets):
        for run in range(runs):
            yield Approach(run, UP, i)
            yield Approach(run, DOWN, i)


def cycle(kind: Literal["standard", "step"], targets: int, runs: int) -> Sequence[Approach]:
    """The approaches of a test in their order."""
    return tuple((standard_cycle if kind == "standard" else step_cycle)(targets, runs))


def waypoints(
    approach: Approach, previous: Approach | None, target_m: NDArray[np.float64], overshoot_m: float
) -> Sequence[float]:
    """Positions in m to drive to so that the last move of the list comes to the target from the right side.

    A new direction starts from beyond: `overshoot_m` past the outermost position of the pass that ends (the overshoot before each reversal).
    """
    here = float(target_m[approach.target_index])
    sign = 1.0 if approach.direction == UP else -1.0
    if previous is not None and previous.direction == approach.direction and sign * (here - float(target_m[previous.target_index])) > 0:
        return [here]
    return [here - sign * overshoot_m, here]
