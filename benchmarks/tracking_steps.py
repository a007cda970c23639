"""Planned motion and motor steps of a batch run of Kalico become command and feedback: what step generation makes of the plan.

Both are on one clock: in batch mode the micro-controller's clock is the planner's print time times its frequency, to one tick. The motor stands at a
whole step where the position was set, so its place needs no fit. Input shapers are centred (A_i at T_i − ΣA_i T_i) and reach no further than `_REACH_S`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers import kalico
from precision.drivers.files import klipper_planned, klipper_steps
from precision.drivers.files.klipper_planned import Planned
from precision.drivers.files.klipper_steps import Steps
from precision.errors import DataError
from precision.runs.canonical import sha256_of_file
from precision.units import text

from .step_stream import PlannedSteps

Array = NDArray[np.float64]
_ADVICE: Final = (
    "motion beside the tool head (FORCE_MOVE, a motor of its own), a machine that stood for longer than 32 bits of its clock, "
    "or a configuration of another machine"
)
_REACH_S: Final = 0.25
"""By which steps may come before or after the motion that asks for them: half of the longest shaper (3HEI, 2/f) at 4 Hz."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """time_s : (n,) from 0. axes : letter -> command, feedback (n,) in m. counts_m : of each axis, one step. tick_s : of the clock that both are on.
    reach_s : by how much steps begin before the plan, or end after it: half of a centred shaper. about : what command and feedback are, a sentence each.
    origin : the files, with their sums."""

    time_s: Array
    axes: dict[str, dict[str, Array]]
    counts_m: tuple[float, ...]
    tick_s: float
    reach_s: float
    about: tuple[str, ...]
    origin: str


def read(file: Path, named: PlannedSteps) -> Joined:
    """Command and feedback of the axes that a batch run moves.

    Raises
    ------
    DataError       no planned motion is named; a file that is not what it should be, plan and steps of different runs, or that do not go together
    PlanError       dictionary or configuration are not named
    """
    if named.planned is None:
        raise DataError(
            f"{file.name}: is a step stream: what the controller asks of its motors, without what they did, so by itself it has no following error. "
            f"What step generation makes of the planned motion: run batch mode by {Path(kalico.__path__[0]) / 'planned_motion.py'} "
            "(with the Python of Kalico, see docs/tracking.md), and --set steps.planned=planned.csv. How far it leaves the programmed path: `precision analyze FILE --as contour`"
        )
    dictionary, config = named.files(file)
    plan = Path(named.planned)
    planned, digest = klipper_planned.read(plan), sha256_of_file(file)
    if planned.steps_sha256 != digest:
        raise DataError(
            f"{plan.name}: is the plan of other steps (SHA-256 {planned.steps_sha256[:12]}…) than {file.name} ({digest[:12]}…); take both from one run"
        )
    steps = klipper_steps.read(file, dictionary=dictionary, config=config, rate_hz=named.rate)
    clock_s = steps.time_s + steps.begin_s
    kept = (clock_s >= planned.not_before_s) & (clock_s <= planned.not_after_s)
    if np.count_nonzero(kept) < 2:
        raise DataError(f"{file.name}: has no steps while {plan.name} plans motion, from {planned.begin_s:.6g} s to {planned.end_s:.6g} s of print time")
    command = {axis: place[kept] for axis, place in planned.position_m(clock_s).items()}
    axes: dict[str, dict[str, Array]] = {}
    reach_s = 0.0
    step_m = {motor.axis: abs(motor.step_m) for motor in klipper_steps.read_motors(config)}
    for axis in klipper_planned.AXES:
        if _moves(file, axis, planned, steps, step_m.get(axis, 0.0)):
            origin_m = _at(planned, axis, planned.begin_s) - steps.made_m(axis, planned.not_before_s)
            found = {"command": command[axis], "feedback": steps.position_m[axis][kept] + origin_m}
            reach_s = max(reach_s, _reach(file, axis, planned, steps, clock_s[kept], found, origin_m))
            axes[axis.upper()] = found
    if not axes:
        raise DataError(f"{file.name}: none of the axes whose motors {config.name} names moves in {plan.name}")
    return Joined(
        time_s=clock_s[kept] - clock_s[kept][0],
        axes=axes,
        counts_m=tuple(steps.resolution_m[axis.lower()] for axis in axes),
        tick_s=steps.tick_s,
        reach_s=reach_s,
        about=_about(file, plan, planned, {axis: steps.resolution_m[axis.lower()] for axis in axes}),
        origin=f"{file.name} (SHA-256 {digest}), {plan.name} (SHA-256 {sha256_of_file(plan)})",
    )


def _at(planned: Planned, axis: str, time_s: float) -> float:
    return float(planned.position_m(np.array([time_s]))[axis][0])


def _moves(file: Path, axis: str, planned: Planned, steps: Steps, step_m: float) -> bool:
    """Whether an axis is planned to move by more than a step. DataError where its motor makes none meanwhile, or moves without a plan."""
    way_m, name = planned.way_m(axis), axis.upper()
    made_m = abs(steps.made_m(axis, planned.not_after_s) - steps.made_m(axis, planned.not_before_s)) if axis in steps.position_m else 0.0
    if way_m <= step_m:
        if made_m > 2 * step_m:
            raise DataError(f"{file.name}: the motor of {name} goes {text(made_m, 'm', digits=3)} from where it was, {name} is planned to stand: {_ADVICE}")
        return False
    if axis in steps.position_m:
        return True
    raise DataError(
        f"{file.name}: {name} is planned to move by {text(way_m, 'm', digits=3)}, but the stream has no step of its motor; is its motor on another "
        "micro-controller, or are dictionary and config those of another machine?"
    )


def _reach(
    file: Path, axis: str, planned: Planned, steps: Steps, clock_s: Array, found: dict[str, Array], origin_m: float
) -> float:
    """By how much the motor moves before the plan does or after it. DataError where they do not go together: they end at one place, move at one time,
    and are never further apart than a shaper brings them."""
    name, step_m = axis.upper(), steps.resolution_m[axis]
    moving = planned.moving_s(axis)
    assert moving is not None  # as `_moves` has found
    apart = origin_m + steps.made_m(axis, planned.not_after_s) - _at(planned, axis, planned.end_s)
    if abs(apart) > step_m:
        raise DataError(
            f"{file.name}: at the end {name} stands {text(abs(apart), 'm', digits=3)} from its planned position, "
            f"more than a step of {text(step_m, 'm', digits=3)}: {_ADVICE}"
        )
    changes = np.flatnonzero(np.diff(found["feedback"]))
    slack = _REACH_S + float(clock_s[1] - clock_s[0])
    begin, end = (float(clock_s[k]) for k in ((changes[0], changes[-1] + 1) if changes.size else (0, -1)))
    if begin < moving[0] - slack or end > moving[1] + slack:
        raise DataError(
            f"{file.name}: the motor of {name} moves from {begin:.6g} s to {end:.6g} s, the plan from {moving[0]:.6g} s to {moving[1]:.6g} s: {_ADVICE}"
        )
    worst = int(np.argmax(np.abs(found["command"] - found["feedback"])))
    most = planned.fastest_m_per_s(axis) * _REACH_S + step_m
    error = abs(float(found["command"][worst] - found["feedback"][worst]))
    if error > most:
        raise DataError(
            f"{file.name}: at {clock_s[worst]:.6g} s {name} is {text(error, 'm', digits=3)} from its planned position, "
            f"further than it moves within {_REACH_S:g} s: {_ADVICE}"
        )
    return max(0.0, moving[0] - begin, end - moving[1])


def _about(file: Path, plan: Path, planned: Planned, step_m: dict[str, float]) -> tuple[str, ...]:
    worth = ", ".join(f"{axis} {text(size, 'm', digits=4)}" for axis, size in step_m.items())
    said = [
        f"Command is the motion that {planned.controller} planned, {planned.moves} moves of {plan.name[:60]}; "
        f"feedback is the steps that it sends to the motors ({file.name[:60]}). There is no encoder: nothing of what motors and machine do is in it. A step is {worth}; positions are known to half of one.",
        "So the error is what step generation makes of the plan: input shaping, and steps that are sent early when they are compressed.",
    ]
    if planned.left_out:
        said.append(
            f"{planned.left_out} moves are left out: the position was set anew between them and the {planned.moves} "
            f"from {planned.begin_s:.6g} s to {planned.end_s:.6g} s of print time, the most without such a place."
        )
    return tuple(said)


def recording(joined: Joined) -> dict[str, Any]:
    """What a plan's [recording] says of it."""
    return {"axes": list(joined.axes), "unit": "m", "counts": [f"{size!r} m" for size in joined.counts_m], "about": list(joined.about)}
