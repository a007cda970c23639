"""From the log of a scanner to MA and MSD over the slit, field by field, with their uncertainty. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.kernels.moving import moving_mean_std
from precision.models.encoder import unwrapped
from precision.standards import scan_quality as standard
from precision.standards import settling, slit
from precision.standards.reported import figure
from precision.uncertainty.readings import Readings as Gauge
from precision.units import text

from .even_log import even_log
from .procedure import Readings
from .scan_quality import AXES
from .scan_quality_plan import Parameters, Recorded

Array = NDArray[np.float64]
MOST_DRAWN: Final = 24
"""Fields that a picture shows; of more, as many evenly chosen ones beside the worst two."""
LONGEST_LOOK: Final = 1 << 20
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

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(k,) windows that lie fully inside the exposure."""
        half = self.centre_s[0] - self.time_s[0]
        return np.asarray((self.centre_s - half >= self.begin_s - 1e-9) & (self.centre_s + half <= self.end_s + 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of one field, s from the end of acceleration: when |MA| and MSD of y were largest, and when they had come within their limits (None: no limits)."""

    ma_at_s: float
    msd_at_s: float
    settled: settling.Settled | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """result : scan quality. moments : one a field. traces : of all fields, or of many fields `MOST_DRAWN` and the worst two. worst : that with the largest |MA|.
    error : which one was judged. rate_hz : of the log. uncertainty_reason : why no U is stated, or None. flags : what is to be known of the log itself."""

    result: standard.Result
    moments: tuple[Moments, ...]
    traces: tuple[FieldTrace, ...]
    worst: FieldTrace
    error: str
    rate_hz: float
    uncertainty_reason: str | None
    flags: tuple[str, ...] = ()

    @property
    def settled(self) -> tuple[settling.Settled, ...] | None:
        """When MA and MSD of y came within their limits, by field; None without limits."""
        found = tuple(one.settled for one in self.moments if one.settled is not None)
        return found or None

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures; those that lack U for want of a statement in the plan say so."""
        reason = self.uncertainty_reason
        found = {key: replace(item, uncertainty_reason=reason) if reason and item.uncertainty is None else item for key, item in self.result.figures.items()}
        return found | {figure.key: figure for figure in _settling(self.settled or ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """Rows of one field in the log, its exposure in the log's time, where its acceleration ended, and the same exposure in a record of the fields back to back."""

    rows: slice
    exposure: standard.Exposure
    begin_s: float
    back_to_back: standard.Exposure


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a scan-quality test, field by field: of a long log only the field under exposure is held.

    Raises
    ------
    DataError       no field, a log that is not sampled evenly, a gap inside an exposure, a constant speed too short for field and slit, naming the field
    """
    time = readings["t_s"]
    if time.size < 3:
        raise DataError(f"the capture holds {time.size} samples; fields are needed")
    flags: tuple[str, ...] = ()
    if isinstance(plan, Recorded):
        readings, rate_hz, flags = even_log(readings, held=("field", "scanning"), resample=plan.evaluation.resample, gaps=True)
    else:
        rate_hz = 1 / float(np.median(np.diff(time[:LONGEST_LOOK])))
    error, axes = _axes(plan, readings)
    fields = _fields(plan, readings, rate_hz)
    window = _slit(plan, rate_hz)
    known, reason = _gauges(plan, axes)
    kept = _Kept(len(fields))
    result = standard.evaluate_blocks(
        _pieces(plan, readings, error, axes, fields, window, rate_hz, kept), [field.back_to_back for field in fields], window, slit_width_m=plan.slit.width, readings=known
    )
    return Analysis(
        result=result, moments=tuple(kept.moments), traces=kept.traces, worst=kept.worst, error=error, rate_hz=rate_hz, uncertainty_reason=reason,
        flags=(*flags, *result.flags),
    )  # fmt: skip


def _pieces(
    plan: Parameters | Recorded, readings: Readings, which: str, axes: tuple[str, ...], fields: list[_Field], window: slit.Slit, rate_hz: float, kept: _Kept
) -> Iterator[dict[str, Array]]:
    """Axis -> error of one field after the other; what pictures and tables need is left in `kept`."""
    limits = plan.limits
    for field in fields:
        piece = {name: values[field.rows] for name, values in readings.items()}
        error = _error(plan, piece, which, axes)
        local, exposure = piece["t_s"], field.exposure
        gaps = np.flatnonzero(np.diff(local) > 1.5 / rate_hz)
        inside = [gap for gap in gaps if exposure.begin_s <= local[gap + 1] and local[gap] <= exposure.end_s]
        if inside:
            raise DataError(f"field {exposure.field}: samples are missing at {local[inside[0]] - field.begin_s:.4f} s from the end of acceleration; a gap cannot be averaged over")
        _follows(plan, exposure, local - field.begin_s, field.begin_s, piece["y_set_m"], error["y"])
        trace = _trace(exposure, field.begin_s, local, error["y"], window)
        both = limits.MA_y_max is not None and limits.MSD_y_max is not None
        kept.take(trace, _settled(trace, float(limits.MA_y_max or 0), float(limits.MSD_y_max or 0)) if both else None)
        yield error


class _Kept:
    """What is left of the fields once they were looked at: moments of all; traces of some, evenly chosen, and of the two worst."""

    def __init__(self, fields: int) -> None:
        self._shown = set(np.unique(np.rint(np.linspace(0, fields - 1, min(fields, MOST_DRAWN))).astype(int)).tolist())
        self._even: dict[int, FieldTrace] = {}
        self._most: dict[str, tuple[float, int, FieldTrace]] = {}
        self.moments: list[Moments] = []

    def take(self, trace: FieldTrace, settled: settling.Settled | None) -> None:
        """The next field."""
        number, inside = len(self.moments), trace.inside
        ma, msd = np.abs(trace.ma_m[inside]), trace.msd_m[inside]
        centre = trace.centre_s[inside]
        self.moments.append(Moments(ma_at_s=float(centre[ma.argmax()]), msd_at_s=float(centre[msd.argmax()]), settled=settled))
        if number in self._shown:
            self._even[number] = trace
        for name, largest in (("ma", float(ma.max())), ("msd", float(msd.max()))):
            if name not in self._most or largest > self._most[name][0]:
                self._most[name] = (largest, number, trace)

    @property
    def worst(self) -> FieldTrace:
        return self._most["ma"][2]

    @property
    def traces(self) -> tuple[FieldTrace, ...]:
        chosen = self._even | {number: trace for _, number, trace in self._most.values()}
        return tuple(chosen[number] for number in sorted(chosen))


def _settling(steps: tuple[settling.Settled, ...]) -> Iterator[Figure]:
    """Mean, standard deviation and largest settling time over the fields."""
    if not steps:
        return
    never = [number for number, one in enumerate(steps, 1) if one.time_s is None]
    more = f" and {len(never) - 8} more" if len(never) > 8 else ""
    reason = f"field {', '.join(map(str, never[:8]))}{more} of {len(steps)}: {steps[never[0] - 1].reason}" if never else ""
    times = np.array([one.time_s for one in steps if one.time_s is not None])
    u, stated = max(one.resolution_s + one.noise_s for one in steps), steps[0].stated
    name = f"time from the end of acceleration until {stated} in y"
    spread: float | str = reason or (float(times.std(ddof=1)) if times.size > 1 else "one field")
    yield figure("t_settle_mean", f"{name}, mean of {len(steps)} fields", reason or float(times.mean()), "s", u, symbol="t̄_s")
    yield figure("t_settle_sd", f"{name}, standard deviation over the fields, divisor n − 1", spread, "s", u, symbol="s_t")
    yield figure("t_settle_max", f"{name}, largest", reason or float(times.max()), "s", u, symbol="t_s max")


def _follows(plan: Parameters | Recorded, exposure: standard.Exposure, local: Array, begin: float, set_m: Array, error: Array) -> None:
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


def _axes(plan: Parameters | Recorded, readings: Readings) -> tuple[str, tuple[str, ...]]:
    """Which error is judged, and the axes that were logged for it."""
    asked = plan.evaluation.error
    for error in (asked,) if asked is not None else ("given", "synchronisation", "wafer"):
        letters = {"given": "e", "synchronisation": "wr", "wafer": "w"}[error]
        names = {axis: [f"{letter}_{axis}_{'rad' if 'R' in axis else 'm'}" for letter in letters] for axis in AXES}
        found = tuple(axis for axis in AXES if all(name in readings and _is_logged(readings[name]) for name in names[axis]))
        if "y" in found:
            return error, found
    raise DataError("the log has no error in the scan direction y; e_y, or w_y and, for the synchronisation error, r_y are needed")


def _is_logged(values: Array) -> bool:
    """Whether any of these is a reading; a long column is not copied for that."""
    return any(bool(np.isfinite(values[at : at + LONGEST_LOOK]).any()) for at in range(0, values.size, LONGEST_LOOK))


def _error(plan: Parameters | Recorded, readings: Readings, which: str, axes: tuple[str, ...]) -> dict[str, Array]:
    """Axis -> (rows,) error of the wafer, or of wafer − M·reticle, or as it was given."""
    if which == "given":
        return {axis: np.asarray(readings[f"e_{axis}_{'rad' if 'R' in axis else 'm'}"]) for axis in axes}
    found: dict[str, Array] = {}
    reduction = plan.scan.reduction
    for axis in axes:
        unit = "rad" if "R" in axis else "m"
        set_w = readings["y_set_m"] if axis == "y" else np.zeros(readings["y_set_m"].size)
        wafer, reticle = (
            _unwrapped(plan, readings[f"{letter}_{axis}_{unit}"], set_w * gain, readings["field"], unit) for letter, gain in (("w", 1.0), ("r", 1 / reduction))
        )
        found[axis] = np.asarray(wafer - set_w if which == "wafer" else (wafer - set_w) - reduction * (reticle - set_w / reduction))
    return found


def _unwrapped(plan: Parameters | Recorded, position: Array, set_point: Array, field: NDArray[np.int64], unit: str) -> Array:
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


def _fields(plan: Parameters | Recorded, readings: Readings, rate_hz: float) -> list[_Field]:
    """Every field that was scanned to its end; rows of one field stand together."""
    numbers, scanning, set_m, time = (readings[name] for name in ("field", "scanning", "y_set_m", "t_s"))
    fields: list[_Field] = []
    at, seen = 0, set[int]()
    for first, last in pairwise(_edges(numbers)):
        on = np.flatnonzero(scanning[first:last] == 1)
        if not on.size:
            continue
        number = int(numbers[first])
        if number in seen:
            raise DataError(f"field {number + 1} is scanned twice in this log; number the fields one after the other, or cut the log between its recordings")
        seen.add(number)
        local = time[first:last]
        begin, end = float(local[on[0]]), float(local[on[-1]])
        before = first + int(on[0]) - 1
        if plan.scan.settle > 0 and (before < 0 or begin - float(time[before]) > 1.5 / rate_hz):
            raise DataError(
                f"field {number + 1}: no sample stands just before its constant speed at {begin:.4f} s, so it is not known when acceleration ended, and settling cannot be counted "
                "from there; record from before it, or set scan.settle to 0 s where the log begins with the exposure"
            )
        start = begin + plan.scan.settle
        needed = plan.exposure_s
        if end - start < needed - 1 / rate_hz:
            raise DataError(
                f"field {number + 1}: constant speed lasts {(end - begin) * 1e3:.1f} ms, settling and exposure need {(plan.scan.settle + needed) * 1e3:.1f} ms "
                "(settle + (field length + slit height)/speed); the run was stopped in it, or the scan is too short"
            )
        up = set_m[first + on[-1]] > set_m[first + on[0]]
        exposure = standard.Exposure(field=str(number + 1), direction="up" if up else "down", begin_s=start, end_s=min(end, start + needed))
        low = int(np.searchsorted(local, exposure.begin_s - 0.25 / rate_hz))
        high = int(np.searchsorted(local, exposure.end_s + 0.25 / rate_hz)) - 1
        moved = replace(exposure, begin_s=(at + low) / rate_hz, end_s=(at + high) / rate_hz)
        fields.append(_Field(rows=slice(first, last), exposure=exposure, begin_s=begin, back_to_back=moved))
        at += last - first
    if not fields:
        raise DataError("no field was scanned; see the run's events.jsonl for what happened")
    return fields


def _edges(numbers: NDArray[np.int64]) -> list[int]:
    """Where runs of the same number begin, and the end; looked for piece by piece, as the column may be longer than memory."""
    found = [0]
    for at in range(0, numbers.size - 1, LONGEST_LOOK):
        found += (np.flatnonzero(np.diff(numbers[at : at + LONGEST_LOOK + 1])) + at + 1).tolist()
    return [*found, numbers.size]


def _slit(plan: Parameters | Recorded, rate_hz: float) -> slit.Slit:
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


def _gauges(plan: Parameters | Recorded, axes: tuple[str, ...]) -> tuple[dict[str, Gauge] | None, str | None]:
    known = plan.uncertainty
    lacking = [name for name in ("position_device", "position_noise") if getattr(known, name) is None]
    if any("R" in axis for axis in axes):
        lacking += [name for name in ("angle_device", "angle_noise") if getattr(known, name) is None]
    if lacking:
        return None, f"the plan's [uncertainty] lacks {', '.join(lacking)}"
    length, angle = Gauge(device=known.position_device or 0.0, noise=known.position_noise or 0.0), Gauge(device=known.angle_device or 0.0, noise=known.angle_noise or 0.0)
    return {axis: angle if "R" in axis else length for axis in axes}, None
