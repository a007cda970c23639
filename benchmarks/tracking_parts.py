"""One record taken apart: its phases with their uncertainty, its traverses at constant velocity, and the controller's own error beside ours. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.standards import following_error
from precision.standards.coverage import coverage_factor
from precision.standards.following_error import STANDSTILL, Part

from .tracking_plan import Parameters, Recorded

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPart:
    """One phase and direction: its figures, and U (k = 2) of mean, rms and largest, None where it is not stated. stretches : how often it occurs."""

    part: Part
    stretches: int
    mean_u: float | None
    rms_u: float | None
    largest_u: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traverse:
    """One stretch at constant velocity. direction +1 or −1. velocity, mean, rms : of the set-point and of the error. ripple : rms of the error without its straight line."""

    direction: int
    begin_s: float
    samples: int
    velocity: float
    mean: float
    ripple: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnError:
    """The controller's own following error beside ours. rms, largest : of it. difference : rms of the difference, with ours taken `cycles` rows later."""

    rms: float
    largest: float
    difference: float
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Standard uncertainties: of the simultaneity of command and feedback in s (None: not stated), of one reading's noise and of its count."""

    synchronisation_s: float | None
    noise: float
    count: float

    @classmethod
    def of(cls, plan: Parameters | Recorded, result: following_error.Result, feedback: Array, count: float = 0.0) -> Known:
        """count : of the feedback, as its log says; what the plan states and what is seen in it may be larger."""
        stated = plan.uncertainty
        standing = np.diff(result.error)[(result.phases[1:] == STANDSTILL) & (result.phases[:-1] == STANDSTILL)]
        seen = float(standing.std() / math.sqrt(2)) if standing.size >= 16 else 0.0
        count = max(stated.resolution, count, count_of(feedback))
        limit = stated.synchronisation
        return cls(
            synchronisation_s=None if limit is None else limit / math.sqrt(3), noise=max(stated.noise or 0.0, seen), count=count / math.sqrt(12)
        )


def count_of(feedback: Array) -> float:
    """The step of a feedback that comes in whole counts; 0 for one that does not."""
    steps = np.abs(np.diff(feedback))
    steps = steps[steps > 1e-6 * float(steps.max(initial=0.0))]
    if not steps.size:
        return 0.0
    smallest = float(steps.min())
    few = steps[steps < 20.5 * smallest] / smallest
    whole = np.abs(few - np.rint(few)) < 0.05
    # Of a continuous signal a tenth of the ratios would be whole by chance.
    return float(np.median(steps[steps < 1.5 * smallest])) if few.size >= 8 and bool(whole.all()) else 0.0


REASON: Final = "the plan's [uncertainty] does not state synchronisation"


def judged_part(part: Part, result: following_error.Result, command: Array, rate_hz: float, known: Known) -> JudgedPart:
    here = result.phases == following_error.PHASES.index(part.phase)
    here &= result.sense == {"forward": 1, "backward": -1, "none": 0}[part.direction]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], here, [False]]).astype(np.int8)))
    places = [slice(begin, end) for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
    if known.synchronisation_s is None:
        return JudgedPart(part=part, stretches=len(places), mean_u=None, rms_u=None, largest_u=None)
    speed = np.abs(np.gradient(command)) * rate_hz
    repeats = (
        [result.error[place] for place in places]
        if _alike([place.stop - place.start for place in places], [float(speed[place].max()) for place in places])
        else []
    )
    velocity = speed[here]
    mean_v, rms_v, most_v = float(velocity.mean()), float(np.sqrt(np.mean(velocity**2))), float(velocity.max())
    noise = known.noise / math.sqrt(part.samples)

    def expanded(of: Callable[[Array], float], per_second: float, reading: float) -> float:
        return 2 * math.hypot(scatter([of(piece) for piece in repeats]), per_second * (known.synchronisation_s or 0.0), known.count, reading)

    return JudgedPart(
        part=part,
        stretches=len(places),
        mean_u=expanded(lambda e: float(e.mean()), mean_v, noise),
        rms_u=expanded(lambda e: float(np.sqrt(np.mean(e**2))), rms_v, noise),
        largest_u=2 * math.hypot(most_v * known.synchronisation_s, known.count, known.noise),
    )


def _alike(samples: Sequence[int], velocity: Sequence[float]) -> bool:
    """Whether pieces repeat one motion. How far the errors of different motions are apart is no uncertainty."""
    middle, usual = float(np.median(samples)), float(np.median(velocity))
    return all(abs(one - middle) <= 0.2 * middle + 2 for one in samples) and all(abs(one - usual) <= 0.02 * usual + 1e-9 for one in velocity)


def scatter(values: Sequence[float]) -> float:
    """Standard uncertainty of the mean of repeats, widened for few of them; 0 for one."""
    n = len(values)
    return 0.0 if n < 2 else float(np.std(values, ddof=1)) / math.sqrt(n) * coverage_factor(n - 1) / 2


def traverses_of(result: following_error.Result, command: Array, time_s: Array, rate_hz: float) -> tuple[Traverse, ...]:
    found = []
    for begin, end, sign in following_error.constant_stretches(result):
        e = result.error[begin:end]
        velocity = float(command[end - 1] - command[begin]) * rate_hz / max(1, end - begin - 1)
        ripple = e - np.polynomial.Polynomial.fit(np.arange(e.size), e, 1)(np.arange(e.size)) if e.size > 2 else e - e.mean()
        found.append(
            Traverse(
                direction=sign,
                begin_s=float(time_s[begin]),
                samples=end - begin,
                velocity=velocity,
                mean=float(e.mean()),
                ripple=float(np.sqrt(np.mean(ripple**2))),
            )
        )
    return tuple(found)


def own_error(reported: Array, error: Array) -> OwnError:
    """The controller's error against ours, taken at equal rows or up to three cycles later: where they agree best."""
    offsets = range(-3, 4)
    differences = {cycles: _difference(reported, error, cycles) for cycles in offsets}
    best = min(offsets, key=lambda cycles: (differences[cycles], abs(cycles)))
    return OwnError(rms=float(np.sqrt(np.mean(reported**2))), largest=float(np.abs(reported).max()), difference=differences[best], cycles=best)


def _difference(reported: Array, error: Array, cycles: int) -> float:
    late, early = (reported[cycles:], error[: error.size - cycles]) if cycles >= 0 else (reported[:cycles], error[-cycles:])
    return float(np.sqrt(np.mean((late - early) ** 2)))
