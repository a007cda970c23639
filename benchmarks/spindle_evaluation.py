"""From the columns of a spindle capture to the error motions of ISO 230-7, each with its uncertainty. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import iso230_7
from precision.uncertainty.readings import Readings as Gauge

from .procedure import Readings
from .spindle import GAUGES, lacks
from .spindle_plan import Parameters

Array = NDArray[np.float64]

MEASUREMENTS: Final = {
    "radial_rotating": "radial, rotating sensitive direction (X1, Y1)",
    "radial_x": "radial, fixed sensitive direction X (X1)",
    "radial_y": "radial, fixed sensitive direction Y (Y1)",
    "axial": "axial (Z)",
    "tilt_b": "tilt about Y (X1, X2)",
    "tilt_a": "tilt about X (Y1, Y2)",
}
_SYMBOLS: Final = {"radial_rotating": "R_rot", "radial_x": "R_X", "radial_y": "R_Y", "axial": "Z", "tilt_b": "T_B", "tilt_a": "T_A"}
_CENTRES: Final = {
    "polar chart": iso230_7.Centre.POLAR_CHART, "least squares": iso230_7.Centre.LEAST_SQUARES, "minimum zone": iso230_7.Centre.MINIMUM_ZONE,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """results : measurement -> its evaluation. missing : measurement -> the gauges it lacks. revolutions : that were evaluated. speed_rad_per_s : found.
    flags : what departs from the standard. uncertainty_reason : why no U is stated, or None."""

    results: Mapping[str, iso230_7.Result]
    missing: Mapping[str, str]
    revolutions: int
    speed_rad_per_s: float
    flags: tuple[str, ...]
    uncertainty_reason: str | None

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures, key "MEASUREMENT_FIGURE"."""
        found = {}
        for name, result in self.results.items():
            for key, figure in result.figures.items():
                whole = f"{name}_{key}"
                reason = self.uncertainty_reason if figure.value is not None and figure.uncertainty is None else figure.uncertainty_reason
                found[whole] = replace(figure, key=whole, symbol=f"{_SYMBOLS[name]} {key.replace('_', ' ')}", uncertainty_reason=reason)
        return found


def analyse(plan: Parameters, readings: Readings) -> Analysis:
    """Evaluate a spindle test.

    Raises
    ------
    DataError       no gauge, no whole revolution, another speed than planned by more than 2 %
    """
    time = np.asarray(readings["t_s"])
    if time.size < 4:
        raise DataError(f"the capture holds {time.size} samples; a revolution is needed")
    gauges = [name for name in GAUGES if np.isfinite(readings[f"{name}_m"]).all()]
    if not gauges:
        raise DataError("the capture holds no gauge with values in every row; connect at least one")
    turned, flags, speed = _revolutions(plan, readings, time, gauges)
    revolutions = next(iter(turned.values())).shape[0]
    lacking = lacks(plan)
    results: dict[str, iso230_7.Result] = {}
    missing: dict[str, str] = {}
    for name in MEASUREMENTS:
        needed = _NEEDED[name]
        if absent := [gauge for gauge in needed if gauge not in turned]:
            missing[name] = f"no gauge {' and '.join(absent)}"
            continue
        values = [turned[gauge] for gauge in needed]
        whole, repeating = (None, None) if lacking else (_gauge(plan, values, artefact=True), _gauge(plan, values, artefact=False))
        result = _evaluated(name, plan, values, whole)
        if repeating is not None:  # what the artefact adds is the same in every revolution
            asynchronous = _evaluated(name, plan, values, repeating).figures["asynchronous"]
            result = replace(result, figures=MappingProxyType({**result.figures, "asynchronous": asynchronous}))
        results[name] = result
    said = [*flags, *(flag for result in results.values() for flag in result.flags), *(f"{MEASUREMENTS[name]} is not evaluated: {why}" for name, why in missing.items())]
    return Analysis(
        results=MappingProxyType(results),
        missing=MappingProxyType(missing),
        revolutions=revolutions,
        speed_rad_per_s=speed,
        flags=tuple(dict.fromkeys(said)),
        uncertainty_reason=f"the plan's [uncertainty] lacks {', '.join(lacking)}" if lacking else None,
    )


_NEEDED: Final = {
    "radial_rotating": ("X1", "Y1"), "radial_x": ("X1",), "radial_y": ("Y1",), "axial": ("Z",), "tilt_b": ("X1", "X2"), "tilt_a": ("Y2", "Y1"),
}  # fmt: skip
"""For a tilt the near gauge comes first; (far − near)/distance is then a rotation with the sign of the axis."""


def _evaluated(name: str, plan: Parameters, values: list[Array], gauge: Gauge | None) -> iso230_7.Result:
    centre, chart = _CENTRES[plan.evaluation.centre], plan.evaluation.chart_radius
    if name == "radial_rotating":
        return iso230_7.radial_rotating(values[0], values[1], centre=centre, chart_radius_m=chart, readings=gauge)
    if name == "axial":
        return iso230_7.axial(values[0], readings=gauge)
    if name.startswith("tilt"):
        return iso230_7.tilt(values[0], values[1], distance_m=plan.spindle.gauge_distance, readings=gauge)
    return iso230_7.radial_fixed(values[0], centre=centre, chart_radius_m=chart, readings=gauge)


def _gauge(plan: Parameters, values: list[Array], *, artefact: bool) -> Gauge:
    """What is known about a gauge: calibration over the range it saw, form of the ball, and the error of the angle times the steepest part of the contour."""
    known = plan.uncertainty
    calibration, noise, form = known.gauge_calibration or 0.0, known.gauge_noise or 0.0, known.artefact_form or 0.0
    span = max(float(np.ptp(one)) for one in values)
    slope = max(float(np.abs(np.diff(one.mean(axis=0), append=one.mean(axis=0)[:1])).max()) * one.shape[1] for one in values)
    return Gauge(device=calibration * span + (form if artefact else 0.0) + 2 * known.angle * slope, noise=noise)


def _revolutions(plan: Parameters, readings: Readings, time: Array, gauges: list[str]) -> tuple[dict[str, Array], list[str], float]:
    """Gauge -> (N, samples) at equal angles, flags, and the mean speed. Revolutions with a gap in them are left out."""
    step = float(np.median(np.diff(time)))
    cuts = np.flatnonzero(np.diff(time) > 1.5 * step) + 1
    pieces: dict[str, list[Array]] = {name: [] for name in gauges}
    flags: list[str] = []
    speeds: list[tuple[float, int]] = []
    reason = ""
    for rows in np.split(np.arange(time.size), cuts):
        if rows.size < 4:
            continue
        angle, pulses = readings["angle_rad"][rows], rows[np.flatnonzero(readings["index"][rows] != 0)]
        try:
            if plan.spindle.synchronisation == "encoder":
                if not np.isfinite(angle).all():
                    raise DataError("the encoder's angle is missing in some rows; set spindle.synchronisation = \"index\"")
                angle = _between_steps(angle)
                speed = abs(float(angle[-1] - angle[0])) / float(time[rows[-1]] - time[rows[0]])
            elif pulses.size < 2:
                raise DataError(f"{pulses.size} index pulses; at least 2 are needed")
            else:
                speed = 2 * math.pi * (pulses.size - 1) / float(time[pulses[-1]] - time[pulses[0]])
            _as_planned(plan, speed)
            for name in gauges:
                values = readings[f"{name}_m"][rows]
                if plan.spindle.synchronisation == "encoder":
                    found = iso230_7.resampled_by_encoder(angle, values, samples=plan.spindle.samples)
                else:
                    found, said = iso230_7.resampled_by_index(time[rows], values, time[pulses], samples=plan.spindle.samples)
                    flags += [flag for flag in said if flag not in flags]
                pieces[name].append(np.asarray(found))
        except DataError as error:
            reason = str(error)
            continue
        speeds.append((speed, found.shape[0]))
    if not speeds:
        raise DataError(f"no whole revolution can be evaluated: {reason}")
    if cuts.size:
        flags.append(f"{cuts.size} gap{'s' if cuts.size > 1 else ''} in the stream: the revolutions around are left out")
    whole = {name: np.concatenate(parts)[: plan.spindle.revolutions] for name, parts in pieces.items()}
    count = next(iter(whole.values())).shape[0]
    if count < plan.spindle.revolutions:
        flags.append(f"{count} of {plan.spindle.revolutions} revolutions could be evaluated")
    return whole, flags, sum(speed * n for speed, n in speeds) / sum(n for _, n in speeds)


def _as_planned(plan: Parameters, speed: float) -> None:
    """Raise `DataError` where the spindle turned at another speed than the plan's, by more than 2 %."""
    if abs(speed / plan.spindle.speed - 1) > 0.02:
        found, planned = speed * 30 / math.pi, plan.spindle.speed * 30 / math.pi
        raise DataError(f"the spindle turned at {found:.5g} rpm, the plan says {planned:.5g} rpm; set one or the other and measure again")


def _between_steps(angle: Array) -> Array:
    """An encoder's angle whose repeated values (slower than a step a sample) are spread evenly, so that it rises or falls throughout."""
    if not np.any(np.diff(angle) == 0):
        return angle
    first = np.concatenate([[0], np.flatnonzero(np.diff(angle) != 0) + 1])
    if first.size < 2:
        raise DataError("the encoder's angle does not change: the spindle stands")
    step = (angle[first[-1]] - angle[first[-2]]) / (first[-1] - first[-2])
    tail = angle[first[-1]] + step * np.arange(1, angle.size - first[-1])
    return np.concatenate([np.interp(np.arange(first[-1] + 1), first, angle[first]), tail])
