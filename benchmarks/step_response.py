"""Step responses of an axis under its controller: the set-point jumps by several sizes in both directions, and what the
axis does is recorded.

`acquire` is the only code here that touches a device; `step_response_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from precision.errors import PlanError
from precision.runs.capture import Column

from . import set_points
from .procedure import Outlook, Sink
from .set_points import Array, Rig
from .step_response_plan import Parameters

COLUMNS: Final = (Column("t_s", "f8", "s"), Column("set", "f8", ""), Column("input", "f8", ""), Column("output", "f8", ""))
FEWEST_SAMPLES: Final = 50


def profile(plan: Parameters, rate_hz: float) -> Array:
    """The whole set-point at a rate: at rest at 0, then the steps of each size, repeated. Pure."""
    hold = round(plan.steps.hold * rate_hz)
    levels = [
        0.0,
        *(level for _ in range(plan.steps.repeats) for size in plan.steps.sizes for level in (size, 0.0, -size, 0.0)),
    ]
    return np.repeat(np.array(levels), hold)


def preview(plan: Parameters) -> Outlook:
    """What will be done. Pure."""
    own, unit = plan.steps, plan.units.output
    count = 4 * len(own.sizes) * own.repeats
    total_s = (count + 1) * own.hold
    band = (
        f"±{plan.evaluation.band:g} {unit}"
        if plan.evaluation.band is not None
        else f"±{100 * plan.evaluation.band_share:g} % of the step"
    )
    sizes = ", ".join(f"{size:g}" for size in own.sizes)
    return Outlook(
        lines=(
            (
                "steps",
                f"{count}: sizes {sizes} {unit}, up and down, {2 * own.repeats} each, held {own.hold:g} s".replace(
                    " ,", ","
                ),
            ),
            (
                "first",
                f"a step of {plan.safety.probe:.0%} of the largest; the whole is refused where it would pass ±{plan.safety.travel:g} {unit}".rstrip(),
            ),
            ("limits", "the controller's own travel is asked for before anything moves"),
            (
                "evaluation",
                f"rise, overshoot, settling to {band} by three definitions, IAE, ISE, ITAE, ITSE, steady-state error, "
                "linearity over size",
            ),
        ),
        uncertainty="from the scatter of the repeats, sampling and noise",
        envelope_m={},
        duration_s=total_s + own.hold,
        points=100,
        bytes=int(32 * 60_000 * total_s) + (1 << 20),
        remarks=("one size: nothing is known about linearity",) if len(own.sizes) == 1 else (),
    )


def _range(plan: Parameters) -> set_points.Range:
    return set_points.Range(travel=plan.safety.travel, probe=plan.safety.probe, unit=plan.units.output)


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse what the device cannot do, before anything moves.

    Raises
    ------
    PlanError       channels that lack, other units than the plan's, a travel beyond the device's, too few samples a step
    """
    units = {"set": plan.units.output, "input": plan.units.input, "output": plan.units.output}
    samples = round(plan.steps.hold * rig.plant.rate_hz)
    if samples < FEWEST_SAMPLES:
        raise PlanError(
            f"a step is held for {samples} samples; at least {FEWEST_SAMPLES} are needed: hold longer or sample faster"
        )
    if round(plan.evaluation.window * rig.plant.rate_hz) < 2:
        raise PlanError(
            f"evaluation.window of {plan.evaluation.window:g} s is less than two samples at {rig.plant.rate_hz:g} Hz; "
            "take a longer one"
        )
    total = samples * (1 + 4 * len(plan.steps.sizes) * plan.steps.repeats)
    set_points.check(rig.plant, units, _range(plan), plan.steps.sizes[-1], total)


def acquire(
    plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]
) -> None:
    """Try a small step, then make them all.

    Raises
    ------
    SafetyStop      the output would leave, or left, the plan's travel, or the device switched off
    DataError, DeviceError      as `set_points.run`
    """
    rate_hz = rig.plant.rate_hz
    hold = round(plan.steps.hold * rate_hz)
    first = np.repeat([0.0, plan.steps.sizes[-1]], [max(1, hold // 10), hold])
    log("steps", sizes=list(plan.steps.sizes), repeats=plan.steps.repeats, hold_samples=hold, rate_hz=rate_hz)
    set_points.run(rig.plant, profile(plan, rate_hz), first, _range(plan), COLUMNS, sink, log=log, progress=progress)
