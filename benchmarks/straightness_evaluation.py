"""From the columns of straightness and squareness captures to the figures of ISO 230-1, with their uncertainty. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.standards import squareness as squareness_standard
from precision.standards import straightness as straightness_standard
from precision.standards.squareness import SquarenessSign, Trajectory
from precision.standards.straightness import ReferenceLine
from precision.uncertainty.readings import Readings as Gauge

from .lines_plan import MirrorUncertainty
from .lines_readings import LineReadings, of_line
from .procedure import Readings
from .squareness_plan import PLANES
from .squareness_plan import Parameters as SquarenessParameters
from .straightness_plan import Parameters as StraightnessParameters

Array = NDArray[np.float64]

REFERENCES: Final = {"least squares": ReferenceLine.LEAST_SQUARES, "end points": ReferenceLine.END_POINT, "minimum zone": ReferenceLine.MINIMUM_ZONE}
SIGNS: Final = {"rotation": SquarenessSign.ROTATION, "larger than 90°": SquarenessSign.LARGER_THAN_90}
MIRROR: Final = ("mirror_form", "reading_noise", "environmental_variation")


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightnessAnalysis:
    """result : of ISO 230-1. line : its readings. uncertainty_reason : why no U is stated, or None."""

    result: straightness_standard.Result
    line: LineReadings
    uncertainty_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SquarenessAnalysis:
    """result : of ISO 230-1. lines : readings of both, first and second. straightness : of both, as a by-product. uncertainty_reason : as above."""

    result: squareness_standard.Result
    lines: tuple[LineReadings, LineReadings]
    straightness: tuple[straightness_standard.Result, straightness_standard.Result]
    uncertainty_reason: str | None


def straightness(plan: StraightnessParameters, readings: Readings) -> StraightnessAnalysis:
    """Evaluate a straightness test. Raises `DataError` where points were not read."""
    line = of_line(readings, plan.lines[0], 0, plan.cycle.runs)
    wanted = plan.straightness
    gauge, reason = _gauge(plan.uncertainty, plan.cycle.runs)
    result = straightness_standard.evaluate(
        wanted.start + line.along_m, line.means(plan.lines[0].name), reference=REFERENCES[plan.evaluation.reference], axis=wanted.axis, across=wanted.across,
        readings=gauge,
    )  # fmt: skip
    return StraightnessAnalysis(result=result, line=line, uncertainty_reason=reason)


def squareness(plan: SquarenessParameters, readings: Readings) -> SquarenessAnalysis:
    """Evaluate a squareness test. Raises `DataError` where points were not read."""
    axes = PLANES[plan.squareness.plane]
    found = [of_line(readings, line, number, plan.cycle.runs) for number, line in enumerate(plan.lines)]
    gauge, reason = _gauge(plan.uncertainty, plan.cycle.runs)
    if reason is None and plan.uncertainty.square is None:
        gauge, reason = None, "the plan's [uncertainty] lacks square"
    starts = (plan.squareness.first[0], plan.squareness.second[0])
    reference = REFERENCES[plan.evaluation.reference]
    trajectories, straight = [], []
    for number, (line, start) in enumerate(zip(found, starts, strict=True)):
        both = line.means(plan.lines[number].name)
        trajectories.append(Trajectory(position_m=start + line.along_m, displacement_m=both.mean(axis=0)))
        straight.append(
            straightness_standard.evaluate(start + line.along_m, both, reference=reference, axis=axes[number], across=axes[1 - number], readings=gauge)
        )
    result = squareness_standard.squareness(
        trajectories[0], trajectories[1], sign=SIGNS[plan.evaluation.sign], axes=axes, reference=reference, readings=gauge, square_uncertainty_rad=plan.uncertainty.square
    )
    return SquarenessAnalysis(result=result, lines=(found[0], found[1]), straightness=(straight[0], straight[1]), uncertainty_reason=reason)


def _gauge(known: MirrorUncertainty, runs: int) -> tuple[Gauge | None, str | None]:
    """What is known about a mean of the runs: form of the mirror, drift, and noise over √runs; or the names of what the plan lacks."""
    lacking = [name for name in MIRROR if getattr(known, name) is None]
    if lacking:
        return None, f"the plan's [uncertainty] lacks {', '.join(lacking)}"
    return Gauge(device=known.mirror_form or 0.0, noise=(known.reading_noise or 0.0) / math.sqrt(runs), drift_range=known.environmental_variation or 0.0), None
