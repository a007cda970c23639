"""From the columns of a thermal capture to the figures of ISO 230-3, with their uncertainty. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import iso230_3
from precision.uncertainty.readings import Readings as Gauge

from .procedure import Readings
from .thermal import THERMOMETERS, gauges_of, lacks
from .thermal_plan import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """result : of ISO 230-3. temperature_k : thermometer -> (n,). uncertainty_reason : why no U is stated, or None.
    room_stated : whether the plan says what the room may add."""

    result: iso230_3.Result
    temperature_k: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]
    uncertainty_reason: str | None
    room_stated: bool

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures; those that lack U for want of a statement in the plan say so."""
        return {key: self._with_reason(key, figure) for key, figure in self.result.figures.items()}

    def _with_reason(self, key: str, figure: Figure) -> Figure:
        if figure.value is None:
            return figure
        if key.endswith(("_final", "_tau")) and not self.room_stated:
            # What the room adds looks like the machine's own response, and the scatter about the fit says nothing of it.
            return replace(figure, uncertainty=None, uncertainty_reason="the plan's [uncertainty] lacks room_drift, what the room alone may add")
        if self.uncertainty_reason and figure.uncertainty is None and figure.unit in ("m", "rad", ""):
            return replace(figure, uncertainty_reason=self.uncertainty_reason)
        return figure


def analyse(plan: Parameters, readings: Readings) -> Analysis:
    """Evaluate a thermal test.

    Raises
    ------
    DataError       no gauge with values in every row; too short a record
    """
    time = np.asarray(readings["t_s"])
    if time.size < 2:
        raise DataError(f"the capture holds {time.size} readings; a record of hours is needed")
    seen = {name: np.asarray(readings[f"{name}_m"]) for name in gauges_of(plan) if np.isfinite(readings[f"{name}_m"]).all()}
    if not seen:
        raise DataError(f"the capture holds none of the gauges {', '.join(gauges_of(plan))} with values in every row")
    temperature = {name: np.asarray(readings[f"{name}_k"]) for name in THERMOMETERS if np.isfinite(readings[f"{name}_k"]).all()}
    lacking = lacks(plan)
    gauge = None if lacking else _gauge(plan, readings, seen)
    stated = {"m": plan.uncertainty.room_drift, "rad": plan.uncertainty.room_tilt}
    room = {unit: spread for unit, spread in stated.items() if spread is not None} or None
    if plan.thermal.test == "axis":
        if len(seen) < 2:
            raise DataError(f"the capture holds only the gauge {', '.join(seen)}; near and far are needed")
        part = time <= plan.thermal.running  # the cooling down is in the capture; the evaluation is of the warming up
        result = iso230_3.axis_heating(
            time[part], seen["near"][part], seen["far"][part], distance_m=plan.thermal.target_distance,
            temperature_k={name: values[part] for name, values in temperature.items()}, readings=gauge, room=room,
        )  # fmt: skip
        temperature = {name: values[part] for name, values in temperature.items()}
    else:
        tilts = {"X1", "X2"} <= set(seen) or {"Y1", "Y2"} <= set(seen)
        record = iso230_3.Record(
            time_s=time, displacement_m=MappingProxyType(seen), sensor_distance_m=plan.thermal.gauge_distance if tilts else None, temperature_k=MappingProxyType(temperature)
        )
        if plan.thermal.test == "environment":
            result = iso230_3.environmental(record, window_s=plan.thermal.window, readings=gauge)
        else:
            stop = plan.thermal.running if plan.thermal.cooling > 0 and plan.thermal.running < time[-1] else None
            result = iso230_3.spindle_heating(record, stop_s=stop, readings=gauge, room=room)
    limit = plan.evaluation.temperature_change
    if limit is not None and "ambient" in temperature and np.ptp(temperature["ambient"]) > limit:
        said = f"the room changed by {np.ptp(temperature['ambient']):.2f} K; at most {limit:g} K were agreed"
        result = replace(result, flags=(*result.flags, said))
    reason = f"the plan's [uncertainty] lacks {', '.join(lacking)}" if lacking else None
    return Analysis(result=result, temperature_k=temperature, uncertainty_reason=reason, room_stated=room is not None)


def _gauge(plan: Parameters, readings: Readings, seen: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> Gauge:
    """One reading is the mean of an interval: its noise is that of a sample over √n."""
    known = plan.uncertainty
    span = max(float(np.ptp(values)) for values in seen.values())
    each = max(1, int(np.min(readings["samples"])))
    return Gauge(device=(known.gauge_calibration or 0.0) * span, noise=(known.gauge_noise or 0.0) / each**0.5, drift_range=known.fixture_drift or 0.0)
