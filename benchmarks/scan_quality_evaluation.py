"""From the log of a scanner to MA and MSD over the slit, field by field, with their uncertainty. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.kernels.moving import moving_mean_std
from precision.models.encoder import unwrapped
from precision.standards import scan_quality as standard
from precision.standards import settling, slit
from precision.uncertainty.readings import Readings as Gauge
from precision.units import text

from .procedure import Readings
from .scan_quality import AXES
from .scan_quality_plan import Parameters

Array = NDArray[np.float64]
SAME_SPEED: Final = 0.01
"""Of the plan's speed. The window is wrong by as much, and an MSD of a ramp with it."""
LARGEST_ERROR: Final = 0.01
"""Of the field's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTrace:
    """One field, for pictures. time_s : (n,) from the end of acceleration. error_m : (n,) in y. centre_s, ma_m, msd_m : (k,) of every window. begin_s, end_s : of the exposure."""

    field: str
    direction: str
    time_s: Array
    error_m: Array
    centre_s: Array
    ma_m: Array
    msd_m: Array
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """result : scan quality. traces : one a field. settled : when MA and MSD of y came within their limits, by field (None: no limits). rate_hz : of the log.
    uncertainty_reason : why no U is stated, or None."""

    result: standard.Result
    traces: tuple[FieldTrace, ...]
    settled: tuple[settling.Settled, ...] | None
    rate_hz: float
    uncertainty_reason: str | None

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures; those that lack U for want of a statement in the plan say so."""
        reason = self.uncertainty_reason
        found = {key: replace(item, uncertainty_reason=reason) if reason and item.uncertainty is None else item for key, item in self.result.figures.items()}
        for number, one in enumerate(self.settled or (), 1):
            found[f"t_settle_{number}"] = one.figure(f"t_settle_{number}", f"t_s({number})")
        return found


def analyse(plan: Parameters, readings: Readings) -> Analysis:
    """Evaluate a scan-quality test.

    Raises
    ------
    DataError       no field, a log that is not sampled evenly, a gap inside an exposure, a constant speed too short for field and slit, naming the field
    """
    time = np.asarray(readings["t_s"])
    if time.size < 3:
        raise DataError(f"the capture holds {time.size} samples; fields are needed")
    rate_hz = 1 / float(np.median(np.diff(time)))
    error = _error(plan, readings)
    exposures, starts = _exposures(plan, readings, time, rate_hz)
    window = _slit(plan, rate_hz)
    known, reason = _gauges(plan, error)
    traces, fields = [], []
    for exposure, begin in zip(exposures, starts, strict=True):
        rows = _rows(readings, int(exposure.field) - 1)
        local = time[rows]
        gaps = np.flatnonzero(np.diff(local) > 1.5 / rate_hz)
        inside = [gap for gap in gaps if exposure.begin_s <= local[gap + 1] and local[gap] <= exposure.end_s]
        if inside:
            raise DataError(f"field {exposure.field}: samples are missing at {local[inside[0]] - begin:.4f} s from the end of acceleration; a gap cannot be averaged over")
        _follows(plan, exposure, local - begin, begin, readings["y_set_m"][rows], error["y"][rows])
        fields.append((exposure, rows))
        traces.append(_trace(exposure, begin, local, error["y"][rows], window))
    result = standard.evaluate_blocks(
        ({axis: values[rows] for axis, values in error.items()} for _, rows in fields),
        _back_to_back([exposure for exposure, _ in fields], [time[rows] for _, rows in fields], rate_hz), window, slit_width_m=plan.slit.width, readings=known,
    )  # fmt: skip
    limits = plan.limits
    settled = None
    if limits.MA_y_max is not None and limits.MSD_y_max is not None:
        settled = tuple(_settled(trace, limits.MA_y_max, limits.MSD_y_max) for trace in traces)
    return Analysis(result=result, traces=tuple(traces), settled=settled, rate_hz=rate_hz, uncertainty_reason=reason)


def _follows(plan: Parameters, exposure: standard.Exposure, local: Array, begin: float, set_m: Array, error: Array) -> None:
    """Refuse a field that was not scanned as the plan says: at another speed, or with an error that is no error of a stage which exposes."""
    inside = (local >= exposure.begin_s - begin) & (local <= exposure.end_s - begin)
    speed = abs(float(np.polynomial.polynomial.polyfit(local[inside], set_m[inside], 1)[1]))
    if abs(speed / plan.scan.speed - 1) > SAME_SPEED:
        raise DataError(
            f"field {exposure.field}: the set-point moves at {speed * 1e3:.4g} mm/s while exposing, the plan says {plan.scan.speed * 1e3:g} mm/s; the slit would be taken "
            "for longer or shorter than it is: correct scan.speed, or the unit of y_set"
        )
    largest = float(np.abs(error[inside]).max())
    if largest > LARGEST_ERROR * plan.scan.field_length:
        raise DataError(
            f"field {exposure.field}: the error in y reaches {text(largest, 'm', digits=3)} while exposing, more than {LARGEST_ERROR:.0%} of the field; this is no error of a "
            "scanning stage: check scan.reduction with its sign, scan.encoder_wrap, and the units of the positions"
        )


def _error(plan: Parameters, readings: Readings) -> dict[str, Array]:
    """Axis -> (rows,) error of the wafer, or of wafer − M·reticle, in the axes that were logged for it."""
    found: dict[str, Array] = {}
    reduction = plan.scan.reduction
    for axis in AXES:
        unit = "rad" if "R" in axis else "m"
        set_w = readings["y_set_m"] if axis == "y" else np.zeros(readings["y_set_m"].size)
        wafer, reticle = (
            _counted(plan, readings[f"{letter}_{axis}_{unit}"], set_w * gain, readings["field"], unit) for letter, gain in (("w", 1.0), ("r", 1 / reduction))
        )
        if not np.isfinite(wafer).any():
            continue
        if plan.evaluation.error == "wafer":
            found[axis] = np.asarray(wafer - set_w)
        elif np.isfinite(reticle).any():
            found[axis] = np.asarray((wafer - set_w) - reduction * (reticle - set_w / reduction))
    if "y" not in found:
        raise DataError("the log has no error in the scan direction y; w_y and, for the synchronisation error, r_y are needed")
    return found


def _counted(plan: Parameters, position: Array, set_point: Array, field: NDArray[np.int64], unit: str) -> Array:
    """The position as the stage moved, where its counter wraps: unwrapped in each field, by whole wraps next to the set-point."""
    wrap = plan.scan.encoder_wrap
    if wrap is None or unit != "m" or not np.isfinite(position).any():
        return position
    found = np.array(position, dtype=np.float64)
    for number in np.unique(field):
        rows = field == number
        moved = unwrapped(found[rows], wrap=wrap)
        found[rows] = moved - np.rint(np.nanmedian(moved - set_point[rows]) / wrap) * wrap
    return found


def _rows(readings: Readings, number: int) -> NDArray[np.intp]:
    return np.flatnonzero(readings["field"] == number)


def _exposures(plan: Parameters, readings: Readings, time: Array, rate_hz: float) -> tuple[list[standard.Exposure], list[float]]:
    """Of each field that was scanned to its end, in the time of the log; and where its acceleration ended."""
    exposures, starts = [], []
    for number in np.unique(readings["field"]).tolist():
        rows = _rows(readings, number)
        scanning = rows[readings["scanning"][rows] == 1]
        if not scanning.size:
            continue
        begin, end = float(time[scanning[0]]), float(time[scanning[-1]])
        first = begin + plan.scan.settle
        needed = plan.exposure_s
        if end - first < needed - 1 / rate_hz:
            raise DataError(
                f"field {number + 1}: constant speed lasts {(end - begin) * 1e3:.1f} ms, settling and exposure need {(plan.scan.settle + needed) * 1e3:.1f} ms "
                "(settle + (field length + slit height)/speed); the run was stopped in it, or the scan is too short"
            )
        up = readings["y_set_m"][scanning[-1]] > readings["y_set_m"][scanning[0]]
        exposures.append(standard.Exposure(field=str(number + 1), direction="up" if up else "down", begin_s=first, end_s=min(end, first + needed)))
        starts.append(begin)
    if not exposures:
        raise DataError("no field was scanned; see the run's events.jsonl for what happened")
    return exposures, starts


def _back_to_back(exposures: list[standard.Exposure], times: list[Array], rate_hz: float) -> list[standard.Exposure]:
    """The exposures in the time of a record that holds the fields' rows one after the other."""
    moved, at = [], 0
    for exposure, time in zip(exposures, times, strict=True):
        first = int(np.searchsorted(time, exposure.begin_s - 0.25 / rate_hz))
        last = int(np.searchsorted(time, exposure.end_s + 0.25 / rate_hz)) - 1
        moved.append(replace(exposure, begin_s=(at + first) / rate_hz, end_s=(at + last) / rate_hz))
        at += time.size
    return moved


def _slit(plan: Parameters, rate_hz: float) -> slit.Slit:
    wanted, duration = plan.slit, plan.slit.height / plan.scan.speed
    if wanted.shape == "trapezoidal" and wanted.ramp is not None:
        return slit.trapezoidal(duration, wanted.ramp / plan.scan.speed, rate_hz)
    if wanted.shape == "pulsed" and wanted.pulse_rate is not None:
        return slit.pulsed(duration, wanted.pulse_rate, rate_hz)
    return slit.rectangular(duration, rate_hz)


def _trace(exposure: standard.Exposure, begin: float, time: Array, error: Array, window: slit.Slit) -> FieldTrace:
    ma, msd = moving_mean_std(error, window.window)
    centre = time[: ma.size] + (window.samples - 1) / 2 / window.rate_hz - begin
    return FieldTrace(
        field=exposure.field, direction=exposure.direction, time_s=time - begin, error_m=error, centre_s=centre, ma_m=np.asarray(ma), msd_m=np.asarray(msd),
        begin_s=exposure.begin_s - begin, end_s=exposure.end_s - begin,
    )  # fmt: skip


def _settled(trace: FieldTrace, ma_limit: float, msd_limit: float) -> settling.Settled:
    """From which window on both limits hold until the exposure ends; what follows is braking."""
    before = trace.centre_s + (trace.centre_s[0] - trace.time_s[0]) <= trace.end_s + 1e-9
    return settling.moving(trace.centre_s[before], trace.ma_m[before], trace.msd_m[before], mean_limit=ma_limit, std_limit=msd_limit, unit="m")


def _gauges(plan: Parameters, error: Mapping[str, Array]) -> tuple[dict[str, Gauge] | None, str | None]:
    known = plan.uncertainty
    lacking = [name for name in ("position_device", "position_noise") if getattr(known, name) is None]
    if any("R" in axis for axis in error):
        lacking += [name for name in ("angle_device", "angle_noise") if getattr(known, name) is None]
    if lacking:
        return None, f"the plan's [uncertainty] lacks {', '.join(lacking)}"
    length, angle = Gauge(device=known.position_device or 0.0, noise=known.position_noise or 0.0), Gauge(device=known.angle_device or 0.0, noise=known.angle_noise or 0.0)
    return {axis: angle if "R" in axis else length for axis in error}, None
