"""The positioning test of ISO 230-2: drive an axis to targets from both sides, read an interferometer, keep every reading.

`acquire` is the only code here that touches a device; `positioning_evaluation.analyse` judges what it left behind, now or years later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import Environment, EnvironmentSensor, Interferometer, MotionController, Reading
from precision.errors import BeamLost, DeviceFault, PlanError, SafetyStop
from precision.runs.capture import Column

from .cycle import Approach, cycle, fewest_targets, target_positions, waypoints
from .positioning_plan import Parameters

BEFORE, ZERO, APPROACH, AFTER, RESUMED, REMEASURED = 0, 1, 2, 3, 4, 5
"""Phases of the capture: environment before the first move; environment when the interferometer was zeroed; an approach; environment after the last;
in a resumed run also the environment when it was taken up again, and the last complete approach of the first part, made again. All readings refer to the
last zero before them."""

NOT_MEASURED, MEASURED, BEAM_LOST, NOT_SETTLED, STALE, IMPLAUSIBLE = 0, 1, 2, 3, 4, 5
"""What became of a reading: the `outcome` column. Only MEASURED rows are evaluated. STALE: bit for bit the reading of another target. An interferometer has
no time stamp of its own to tell an old reading by; one that has moved by millimetres and reads the same to its last digit has not looked."""

COLUMNS: Final = (
    Column("t_mono_ns", "i8", "ns", wall_clock=True),
    Column("phase", "i8", ""),
    Column("run", "i8", ""),
    Column("direction", "i8", ""),
    Column("target_index", "i8", ""),
    Column("attempt", "i8", ""),
    Column("outcome", "i8", ""),
    Column("target_m", "f8", "m"),
    Column("displacement_m", "f8", "m"),
    Column("controller_m", "f8", "m"),
    Column("settling_change_m", "f8", "m"),
    Column("signal_quality", "f8", ""),
    Column("air_temperature_k", "f8", "K"),
    Column("air_pressure_pa", "f8", "Pa"),
    Column("relative_humidity", "f8", ""),
    Column("material_temperature_k", "f8", "K"),
)


class Sink(Protocol):
    """Where rows go: returns when the row is safe."""

    def append_and_wait(self, block: Mapping[str, Any]) -> int: ...


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices of a positioning test."""

    controller: MotionController
    interferometer: Interferometer
    environment: EnvironmentSensor


class Beginning(Protocol):
    """The first part of a run that was interrupted; see `positioning_resumption`."""

    @property
    def rows(self) -> Mapping[str, Any]:
        """Everything that it recorded."""
        ...

    @property
    def done(self) -> int:
        """How many approaches of the plan, from the first, have a valid reading."""
        ...

    def refuse_unless_it_agrees(self, rows: Sequence[Mapping[str, Any]], log: Callable[..., None]) -> None:
        """Raise `SafetyStop` where the approach made again (the last of `rows`, which began with RESUMED) differs from its first reading by more than the
        plan allows."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run is going to do, known before anything moves."""

    target_m: NDArray[np.float64]
    approaches: tuple[Approach, ...]
    lowest_m: float
    highest_m: float
    duration_s: float
    """expected duration on the machine: travel at the plan's feed plus dwell, settling and averaging"""
    schedule_s: tuple[tuple[Approach, float], ...]
    """when each approach is expected to be read, from the start"""
    remarks: tuple[str, ...]


def preview(plan: Parameters) -> Preview:
    """Targets, order, envelope and expected time of a plan. Pure."""
    target_m = _targets(plan)
    approaches = tuple(cycle(plan.cycle.type, target_m.size, plan.cycle.runs))
    standing_s = plan.cycle.dwell + max(plan.cycle.settling_interval, plan.cycle.averaging) + plan.cycle.averaging
    here, elapsed_s, previous = float(target_m[0]), 0.0, None
    low = high = here
    schedule_s = []
    for approach in approaches:
        for point in waypoints(approach, previous, target_m, plan.cycle.overshoot):
            elapsed_s += abs(point - here) / plan.axis.feed
            low, high, here = min(low, point), max(high, point), point
        elapsed_s += standing_s
        schedule_s.append((approach, elapsed_s))
        previous = approach
    return Preview(
        target_m=target_m,
        approaches=approaches,
        lowest_m=low,
        highest_m=high,
        duration_s=elapsed_s,
        schedule_s=tuple(schedule_s),
        remarks=tuple(_remarks(plan, target_m)),
    )


def _targets(plan: Parameters) -> NDArray[np.float64]:
    if plan.targets.positions is not None:
        return np.array(plan.targets.positions, dtype=np.float64)
    return target_positions(
        start_m=plan.axis.start,
        end_m=plan.axis.end,
        count=plan.targets.count,
        random_offset=plan.targets.random_offset,
        resolution_m=plan.targets.resolution,
        seed=plan.seed,
    )


def _remarks(plan: Parameters, target_m: NDArray[np.float64]) -> list[str]:
    """What in the plan departs from the standard, said before the run rather than after it."""
    travel_m = float(target_m[-1] - target_m[0])
    remarks = []
    if target_m.size < fewest_targets(travel_m):
        remarks.append(f"{target_m.size} targets on {travel_m:.3f} m; ISO 230-2 asks for at least {fewest_targets(travel_m)}")
    if plan.cycle.runs != 5:
        remarks.append(f"{plan.cycle.runs} runs; ISO 230-2 asks for 5 (1 on axes longer than 2 m)")
    if plan.cycle.type == "step":
        remarks.append("the step cycle is not for acceptance (ISO 230-2, Annex B)")
    if plan.compensation is not None:
        remarks.append(plan.compensation.sentence)
    return remarks


def acquire(
    plan: Parameters,
    rig: Rig,
    sink: Sink,
    *,
    log: Callable[..., None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    beginning: Beginning | None = None,
) -> None:
    """Run the test of `plan` on `rig`; every reading is on disk before the next move.

    beginning : of a run that is resumed. Its rows come first; then the machine is homed and the interferometer zeroed anew, the last complete approach is
    made again and compared, and the test goes on after it.

    Raises
    ------
    PlanError       the instrument corrects for air, and the plan would do it again; it cannot average for even half of cycle.averaging
    SafetyStop      before anything moves: not homed, targets outside the controller's soft limits, feed above its maximum; or a resumed test that does
                    not find its last position again
    BeamLost        no valid reading at a target after the plan's repeats
    DeviceError     as the drivers say
    """
    ahead = preview(plan)
    axis = plan.axis.name
    if rig.interferometer.compensates_air and plan.evaluation.refractive_index != "off":
        raise PlanError(
            'the interferometer corrects for air itself; set instrument.compensates_air = true and evaluation.refractive_index = "off", or the index would be applied twice'
        )
    if rig.interferometer.compensates_air != plan.instrument.compensates_air:
        does = "corrects" if rig.interferometer.compensates_air else "does not correct"
        raise PlanError(f"the interferometer {does} for air; set instrument.compensates_air = {str(rig.interferometer.compensates_air).lower()}")
    check_envelope(plan, ahead, rig.controller, log)  # before homing, which is the first move
    averaging_s = rig.interferometer.set_averaging(plan.cycle.averaging)
    log("averaging", asked_s=plan.cycle.averaging, set_s=averaging_s)
    if averaging_s < 0.5 * plan.cycle.averaging:
        raise PlanError(f"cycle.averaging is {plan.cycle.averaging:g} s; the interferometer averages over {averaging_s:.3g} s at most. Nothing was moved; set cycle.averaging = \"{averaging_s:.3g} s\"")
    if beginning is not None:
        sink.append_and_wait(beginning.rows)
    if beginning is not None or not rig.controller.homed:
        log("homing")
        rig.controller.home()
        check_envelope(plan, ahead, rig.controller, log)
    rig.interferometer.start()
    begun = _record_environment(rig, sink, BEFORE if beginning is None else RESUMED)

    zero_m = float(ahead.target_m[0])
    for point in waypoints(ahead.approaches[0], None, ahead.target_m, plan.cycle.overshoot):
        rig.controller.move_to({axis: point}, feed_m_per_s=plan.axis.feed)
    rig.controller.dwell(plan.cycle.dwell + averaging_s)
    rig.interferometer.reset()
    zero = _record_environment(rig, sink, ZERO, zero_m)
    log("zero", position_m=zero_m)

    previous: Approach | None = None
    first = 0
    row: Mapping[str, Any] | None = None
    if beginning is not None:
        first = beginning.done
        previous = ahead.approaches[first - 1]
        row = _measure(plan, rig, sink, ahead.target_m, previous, None, averaging_s, log, phase=REMEASURED)
        beginning.refuse_unless_it_agrees((begun, zero, row), log)
    for done, approach in enumerate(ahead.approaches[first:], start=first):
        progress(done, len(ahead.approaches))
        row = _measure(plan, rig, sink, ahead.target_m, approach, previous, averaging_s, log, before=row)
        previous = approach
    progress(len(ahead.approaches), len(ahead.approaches))
    _record_environment(rig, sink, AFTER)


def check_envelope(
    plan: Parameters, ahead: Preview, controller: MotionController, log: Callable[..., None] = lambda event, **details: None
) -> None:
    """Compare what the test needs with what the controller allows now, read back from it.

    Raises
    ------
    SafetyStop      no such axis, targets with overshoot outside the soft limits, feed above the maximum
    """
    axis = plan.axis.name
    limits = controller.soft_limits()
    if axis not in limits:
        raise SafetyStop(f"the controller has no axis {axis}; it reports soft limits for {', '.join(sorted(limits)) or 'none'}. Nothing was moved.")
    low, high = limits[axis]
    log("soft limits", axis=axis, lowest_m=low, highest_m=high)
    if ahead.lowest_m < low or ahead.highest_m > high:
        raise SafetyStop(
            f"the test needs {axis} from {ahead.lowest_m * 1e3:.3f} mm to {ahead.highest_m * 1e3:.3f} mm (targets with overshoot), but the controller's soft "
            f"limits are {low * 1e3:.3f} mm to {high * 1e3:.3f} mm. Nothing was moved; set axis.start, axis.end or cycle.overshoot."
        )
    fastest = controller.max_feed().get(axis, math.inf)
    if plan.axis.feed > fastest:
        raise SafetyStop(
            f"axis.feed is {plan.axis.feed * 60e3:.0f} mm/min; the controller allows {fastest * 60e3:.0f} mm/min on {axis}. Nothing was moved."
        )


def _measure(
    plan: Parameters,
    rig: Rig,
    sink: Sink,
    target_m: NDArray[np.float64],
    approach: Approach,
    previous: Approach | None,
    averaging_s: float,
    log: Callable[..., None],
    *,
    phase: int = APPROACH,
    before: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Approach one target and read it; the row of the valid reading. `before`: that of the approach before.

    An approach without a valid reading is kept as such and repeated from beyond, never averaged over.
    """
    axis = plan.axis.name
    outcome = NOT_MEASURED
    for attempt in range(plan.cycle.repeats + 1):
        came_from = previous if attempt == 0 else None
        for point in waypoints(approach, came_from, target_m, plan.cycle.overshoot):
            rig.controller.move_to({axis: point}, feed_m_per_s=plan.axis.feed)
        rig.controller.dwell(plan.cycle.dwell)
        settled, change_m = _settle(plan, rig, averaging_s)
        rig.controller.dwell(averaging_s)
        reading = rig.interferometer.displacement()
        outcome = BEAM_LOST if not reading.valid else NOT_SETTLED if not settled else STALE if _is_stale(reading, approach, before) else MEASURED
        if outcome in (MEASURED, STALE) and abs(_seen_m(plan, reading) - _driven_m(target_m, approach)) > _plausible_m(plan, target_m, approach):
            outcome = IMPLAUSIBLE
        row = _row(
            phase,
            rig.environment.read(),
            reading,
            run=approach.run,
            direction=approach.direction,
            target_index=approach.target_index,
            attempt=attempt,
            outcome=outcome,
            target_m=float(target_m[approach.target_index]),
            controller_m=rig.controller.position().get(axis, math.nan),
            settling_change_m=change_m,
        )
        sink.append_and_wait(row)
        if outcome == MEASURED:
            return row
        log("invalid reading", run=approach.run, target_index=approach.target_index, attempt=attempt, reason=reading.reason or _REASONS[outcome])
        if outcome == IMPLAUSIBLE:
            raise DeviceFault(_implausible(plan, reading, target_m, approach))
        if outcome == BEAM_LOST:
            break  # an incremental count is lost with the beam: repeating the approach cannot bring the zero back
    where = f"target {approach.target_index + 1} ({target_m[approach.target_index] * 1e3:.3f} mm), run {approach.run + 1}, {'↑↓'[approach.direction]}"
    if outcome == NOT_SETTLED:
        raise DeviceFault(
            f"{where}: no settled reading in {plan.cycle.repeats + 1} approaches; readings still changed by more than "
            f"{plan.cycle.settling_tolerance * 1e6:.3g} µm after {plan.cycle.settling_timeout:g} s. Look for vibration or drift, or widen cycle.settling_tolerance."
        )
    if outcome == STALE:
        raise DeviceFault(
            f"{where}: in {plan.cycle.repeats + 1} approaches the interferometer gave the reading of another target, to its last digit. It no longer measures, or its "
            "reflector does not move with the axis: restart it, check the mounting, and start the run again."
        )
    raise BeamLost(f"{where}: the interferometer has no valid reading. Its zero is lost with the beam: realign, and start the run again.")


_REASONS: Final = {BEAM_LOST: "beam lost", NOT_SETTLED: "not settled", STALE: "the reading of another target, to its last digit",
                   IMPLAUSIBLE: "far from where the axis was driven"}  # fmt: skip


def _driven_m(target_m: NDArray[np.float64], approach: Approach) -> float:
    """How far from the interferometer's zero, the lowest target, the axis was driven."""
    return float(target_m[approach.target_index] - target_m[0])


def _seen_m(plan: Parameters, reading: Reading) -> float:
    return reading.value if plan.instrument.sign == "+" else -reading.value


def _plausible_m(plan: Parameters, target_m: NDArray[np.float64], approach: Approach) -> float:
    """The plan's bound, and 0.1 % of the distance: raw readings are 0.03 % long in air, before any correction."""
    return plan.cycle.plausible_deviation + 1e-3 * abs(_driven_m(target_m, approach))


def _implausible(plan: Parameters, reading: Reading, target_m: NDArray[np.float64], approach: Approach) -> str:
    driven, seen = _driven_m(target_m, approach) * 1e3, _seen_m(plan, reading) * 1e3
    causes = {
        "instrument.sign (its reading runs the other way)": abs(seen + driven) < 0.01 * abs(driven) + 1,
        f"instrument.axis (axis {plan.instrument.axis} of the interferometer does not look along {plan.axis.name})": abs(seen) < 0.01 * abs(driven),
    }
    likely = [cause for cause, fits in causes.items() if fits and driven] or ["instrument.axis, instrument.sign and the controller's steps per millimetre"]
    return (
        f"{plan.axis.name} was driven {driven:.3f} mm from the zero to target {approach.target_index + 1}, and the interferometer saw {seen:+.4f} mm. "
        f"Check {' or '.join(likely)}; a machine that really is that far off needs a larger cycle.plausible_deviation."
    )


def _is_stale(reading: Reading, approach: Approach, before: Mapping[str, Any] | None) -> bool:
    return before is not None and before["displacement_m"][0] == reading.value and before["target_index"][0] != approach.target_index


def _settle(plan: Parameters, rig: Rig, averaging_s: float) -> tuple[bool, float]:
    """Whether two readings one interval apart agreed within the tolerance before the timeout, and by how much the last two differed (m).

    The interval is at least the averaging time, so that the two readings share no sample.
    """
    interval_s = max(plan.cycle.settling_interval, averaging_s)
    waited_s, before, change_m = 0.0, rig.interferometer.displacement(), math.nan
    while waited_s < plan.cycle.settling_timeout:
        rig.controller.dwell(interval_s)
        waited_s += interval_s
        now = rig.interferometer.displacement()
        if not (before.valid and now.valid):
            return False, math.nan
        change_m = now.value - before.value
        if abs(change_m) <= plan.cycle.settling_tolerance:
            return True, change_m
        before = now
    return False, change_m


def _record_environment(rig: Rig, sink: Sink, phase: int, position_m: float = math.nan) -> Mapping[str, Any]:
    environment = rig.environment.read()
    nothing = Reading(value=math.nan, t_mono_ns=environment.t_mono_ns, valid=False, reason="environment only")
    row = _row(phase, environment, nothing, target_m=position_m)
    sink.append_and_wait(row)
    return row


def _row(
    phase: int,
    environment: Environment,
    reading: Reading,
    *,
    run: int = -1,
    direction: int = -1,
    target_index: int = -1,
    attempt: int = 0,
    outcome: int = NOT_MEASURED,
    target_m: float = math.nan,
    controller_m: float = math.nan,
    settling_change_m: float = math.nan,
) -> dict[str, list[int] | list[float]]:
    return {
        "t_mono_ns": [reading.t_mono_ns],
        "phase": [phase],
        "run": [run],
        "direction": [direction],
        "target_index": [target_index],
        "attempt": [attempt],
        "outcome": [outcome],
        "target_m": [target_m],
        "displacement_m": [reading.value if reading.valid else math.nan],
        "controller_m": [controller_m],
        "settling_change_m": [settling_change_m],
        "signal_quality": [math.nan if reading.signal_quality is None else reading.signal_quality],
        "air_temperature_k": [environment.air_temperature_k],
        "air_pressure_pa": [environment.air_pressure_pa],
        "relative_humidity": [environment.relative_humidity],
        "material_temperature_k": [environment.material_temperature_k],
    }
