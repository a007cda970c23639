"""Friction of a drive: runs at constant velocities, moves, slow reversals and circles, with position, force and, where
it is measured, the load's own position.

`acquire` is the only code here that touches a device; `friction_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError, PlanError
from precision.models import trajectory
from precision.runs.capture import Column

from . import set_points
from .friction_plan import Parameters
from .procedure import Outlook, Sink
from .set_points import Array, Rig

COLUMNS: Final = (
    Column("t_s", "f8", "s"),
    Column("part", "i8", ""),
    Column("set", "f8", ""),
    Column("input", "f8", ""),
    Column("output", "f8", ""),
    Column("load", "f8", ""),
)
CHANNELS: Final = ("set", "input", "output", "load")
REST, VELOCITIES, FIT, VALIDATION, REVERSAL, CIRCLE = range(6)
"""What a row belongs to; circles count on from `CIRCLE`."""
_REST_S: Final = 0.2
FEWEST: Final = 16
"""Samples of a circle, or of the slow reversals."""


def speeds(plan: Parameters) -> Array:
    """Velocities of the runs, ascending."""
    own = plan.velocities
    return np.geomspace(own.slowest, own.fastest, own.count)


def profile(plan: Parameters, rate_hz: float) -> tuple[Array, NDArray[np.int64]]:
    """The whole set-point (n,) and what each sample belongs to. Pure."""
    step_s, rest = 1 / rate_hz, max(1, round(_REST_S * rate_hz))
    values: list[Array] = [np.zeros(rest)]
    parts: list[NDArray[np.int64]] = [np.full(rest, REST)]

    def add(way: Array, part: int) -> None:
        values.extend([way, np.full(rest, way[-1])])
        parts.extend([np.full(way.size, part), np.full(rest, part if part in (FIT, VALIDATION) else REST)])
        if sum(one.size for one in values) > 10 * set_points.MEMORY:
            raise PlanError(f"[velocities], [moves] and [reversal] take more than {10 * set_points.MEMORY} samples at {rate_hz:g} Hz: raise velocities and accelerations")

    own = plan.velocities
    for speed in speeds(plan).tolist():
        way = _move(
            min(own.distance, speed * own.longest + speed**2 / own.acceleration),
            trajectory.Limits(velocity=speed, acceleration=own.acceleration, jerk=own.jerk),
            step_s,
        )
        add(way, VELOCITIES)
        add(way[-1] - way, VELOCITIES)
    # Other velocities and accelerations than those fitted, so that a validation is one.
    for part, shares in ((FIT, ((1.0, 1.0), (0.8, 0.5), (0.6, 0.25))), (VALIDATION, ((0.9, 0.75), (0.7, 0.4)))):
        for _ in range(plan.moves.repeats if part == FIT else 1):
            for fast, hard in shares:
                limits = trajectory.Limits(
                    velocity=fast * plan.moves.velocity, acceleration=hard * plan.moves.acceleration, jerk=plan.moves.jerk
                )
                way = _move(own.distance, limits, step_s)
                add(way, part)
                add(way[-1] - way, part)
    if plan.reversal.cycles:
        quarter = plan.reversal.amplitude / plan.reversal.velocity
        t = np.arange(_samples((4 * plan.reversal.cycles + 2) * quarter, rate_hz, "[reversal]")) / rate_hz
        add(plan.reversal.amplitude * (4 * np.abs(np.mod(t / (4 * quarter) - 0.25, 1) - 0.5) - 1), REVERSAL)
        back = max(2, round(2 * quarter * rate_hz))
        add(np.linspace(values[-1][-1], 0, back), REST)
    for number, speed in enumerate(plan.circle.speeds):
        omega = speed / plan.circle.radius
        t = np.arange(_samples(2 * np.pi * plan.circle.turns / omega if omega else np.inf, rate_hz, f"the circle at {speed:g} {plan.units.output}/s")) / rate_hz
        add(plan.circle.radius * (1 - np.cos(omega * t)), CIRCLE + number)
        add(np.linspace(values[-1][-1], 0, rest), REST)
    return np.concatenate(values), np.concatenate(parts)


def _move(distance: float, limits: trajectory.Limits, step_s: float) -> Array:
    try:
        return np.array(trajectory.plan(distance, limits, sampling_s=step_s).sampled().position)
    except DataError as error:
        raise PlanError(f"[velocities] and [moves]: {error}") from error


def _samples(duration_s: float, rate_hz: float, what: str) -> int:
    """Of a part of the set-point; PlanError where there are too few or too many."""
    count = duration_s * rate_hz
    if not FEWEST <= count <= set_points.MEMORY:
        raise PlanError(f"{what} takes {duration_s:.3g} s, {count:.3g} samples at {rate_hz:g} Hz; {FEWEST} … {set_points.MEMORY} are expected")
    return round(count)


def preview(plan: Parameters) -> Outlook:
    """What will be done. Pure."""
    own, unit = plan.velocities, plan.units.output
    set_point, _ = profile(plan, 1000.0)
    total_s = set_point.size / 1000.0
    force = (
        f"{plan.drive.force_constant:g} N/{plan.units.input or '1'}"
        if plan.drive.force_constant is not None
        else "not known: friction in the unit of the input"
    )
    more = [
        f"{plan.reversal.cycles} cycles of ±{plan.reversal.amplitude:g} {unit} at {plan.reversal.velocity:g} {unit}/s"
        if plan.reversal.cycles
        else "no slow reversals",
        f"circles of {plan.circle.radius:g} {unit} at {', '.join(f'{one:g}' for one in plan.circle.speeds)} {unit}/s"
        if plan.circle.speeds
        else "no circles",
    ]
    return Outlook(
        lines=(
            (
                "velocities",
                f"{own.count}, {own.slowest:g} … {own.fastest:g} {unit}/s, there and back, over {own.distance:g} {unit} "
                "at most",
            ),
            (
                "moves",
                f"to {plan.moves.velocity:g} {unit}/s with {plan.moves.acceleration:g} {unit}/s², for the feed-forward "
                "fit and its validation",
            ),
            ("reversals", "; ".join(more)),
            ("force", force),
            (
                "first",
                f"the fastest run at {plan.safety.probe:.0%} of its size; the whole is refused where it would pass "
                f"±{plan.safety.travel:g} {unit}".rstrip(),
            ),
            ("limits", "the controller's own travel is asked for before anything moves"),
        ),
        uncertainty="from the scatter of runs and residuals",
        envelope_m={},
        duration_s=total_s * 1.02,
        points=100,
        bytes=int(60 * 20_000 * total_s) + (1 << 20),
        remarks=()
        if plan.drive.force_constant is not None
        else ("no drive.force_constant: mass and friction are in the unit of the input",),
    )


def _range(plan: Parameters) -> set_points.Range:
    return set_points.Range(travel=plan.safety.travel, probe=plan.safety.probe, unit=plan.units.output)


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse what the device cannot do, before anything moves.

    Raises
    ------
    PlanError       channels that lack, other units than the plan's, a travel beyond the device's, a profile that the rate does not carry
    """
    plant = rig.plant
    units: dict[str, str] = {"set": plan.units.output, "input": plan.units.input, "output": plan.units.output}
    if any(channel.name == "load" for channel in plant.channels):
        units["load"] = plan.units.output
    if plan.evaluation.cutoff >= 0.4 * plant.rate_hz:
        raise PlanError(
            f"evaluation.cutoff is {plan.evaluation.cutoff:g} Hz; the plant is sampled {plant.rate_hz:g} times a second, "
            f"less than {0.4 * plant.rate_hz:g} Hz is expected"
        )
    set_point, _ = profile(plan, plant.rate_hz)
    set_points.check(plant, units, _range(plan), float(np.abs(set_point).max()), set_point.size)


def acquire(
    plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]
) -> None:
    """Try the fastest run small, then run everything.

    Raises
    ------
    SafetyStop      the output would leave, or left, the plan's travel, or the device switched off
    DataError, DeviceError      as `set_points.run`
    """
    rate_hz = rig.plant.rate_hz
    set_point, part = profile(plan, rate_hz)
    fast = plan.velocities
    first = _move(
        fast.distance, trajectory.Limits(velocity=fast.fastest, acceleration=fast.acceleration, jerk=fast.jerk), 1 / rate_hz
    )
    log("profile", samples=set_point.size, rate_hz=rate_hz, speeds=speeds(plan).tolist())

    def rows(start: int, count: int) -> dict[str, Any]:
        return {"part": part[start : start + count]}

    set_points.run(
        rig.plant,
        set_point,
        np.concatenate([first, first[::-1]]),
        _range(plan),
        COLUMNS,
        sink,
        log=log,
        progress=progress,
        rows=rows,
        names=CHANNELS,
    )
