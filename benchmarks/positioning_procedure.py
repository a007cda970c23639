"""The positioning test as a procedure: how its devices are opened, what a dry run says, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from precision.drivers import open_controller, open_environment, open_interferometer
from precision.runs.manifest import Manifest
from precision.standards.positioning_standards import ORIGINALS, STANDARDS

from .comparing import compared
from .connection import opened
from .importing import import_positioning
from .positioning import COLUMNS, Rig, acquire, check_envelope, preview
from .positioning_evaluation import analyse, incomplete
from .positioning_plan import LENGTH_CONTRIBUTORS, Evaluated, Imported, Parameters
from .positioning_report import document, result_dict, side_by_side
from .positioning_resumption import FirstPart, first_part
from .procedure import Connected, Evaluation, Outlook, Procedure, Readings, Sink
from .software_compensation import Compensated

BYTES_PER_READING = 4096
"""Generous size of one row on the disk with its framing, for the reservation before motion."""


def _outlook(plan: Parameters) -> Outlook:
    ahead = preview(plan)
    axis, cycle, instrument = plan.axis, plan.cycle, plan.instrument
    lacking = [key for key in LENGTH_CONTRIBUTORS if getattr(plan.uncertainty, key) is None]
    order = "up, then down" if cycle.type == "standard" else "each target up and down before the next"
    return Outlook(
        lines=(
            ("axis", f"{axis.name}, {ahead.target_m[0] * 1e3:.3f} … {ahead.target_m[-1] * 1e3:.3f} mm at {axis.feed * 60e3:g} mm/min"),
            ("cycle", f"{cycle.type} cycle: {ahead.target_m.size} targets × {cycle.runs} runs × 2 directions = {len(ahead.approaches)} points"),
            ("envelope", f"{ahead.lowest_m * 1e3:.3f} … {ahead.highest_m * 1e3:.3f} mm with overshoot; checked against the controller's soft limits before motion"),
            ("each point", f"dwell {cycle.dwell:g} s, settling within {cycle.settling_tolerance * 1e6:g} µm, averaged over {cycle.averaging:g} s"),
            ("standard", plan.evaluation.standard),
            ("instrument", f"axis {instrument.axis}, sign {instrument.sign}, {instrument.vacuum_wavelength * 1e9:.8g} nm, dead path {instrument.dead_path * 1e3:g} mm"),
        ),
        uncertainty="stated" if not lacking else f"not stated: {', '.join(lacking)}",
        envelope_m={axis.name: (ahead.lowest_m, ahead.highest_m)},
        duration_s=ahead.duration_s,
        points=len(ahead.approaches),
        rounds=cycle.runs,
        bytes=(len(ahead.approaches) * (cycle.repeats + 1) + 3) * BYTES_PER_READING,
        remarks=ahead.remarks,
        details=(
            *(f"target {i:>4}  {target * 1e3:12.4f} mm" for i, target in enumerate(ahead.target_m, 1)),
            f"order: {order}; {cycle.runs} runs; overshoot {cycle.overshoot * 1e3:g} mm before each reversal",
        ),
    )


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    openers: dict[str, Callable[..., Any]] = {"controller": open_controller, "interferometer": open_interferometer, "environment": open_environment}
    with opened(plan, openers, options={"interferometer": {"axis": plan.instrument.axis}}) as devices:
        yield devices.connected(Rig(**devices.by_role), moving=(devices.by_role["controller"],))


def _with_table(plan: Parameters) -> Parameters:
    """The plan with the points of the compensation file that it names."""
    if plan.compensation is None:
        return plan
    return plan.model_copy(update={"compensation": plan.compensation.read(plan.axis.name)})


def _acquire(
    plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None], beginning: FirstPart | None = None
) -> None:
    """As `positioning.acquire`, with the plan's compensation table between the procedure and the controller; the guard keeps the controller itself."""
    if plan.compensation is not None:
        log("software compensation", what=plan.compensation.sentence)
        rig = replace(rig, controller=Compensated(rig.controller, plan.compensation.table(plan.axis.name)))
    acquire(plan, rig, sink, log=log, progress=progress, beginning=beginning)


def _evaluate(plan: Evaluated, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings, standard=standard)
    if stopped is not None:
        analysis = incomplete(analysis, stopped)
    report = document(plan, analysis, readings, manifest)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


PROCEDURE = Procedure(
    name="positioning",
    title="accuracy and repeatability of positioning (ISO 230-2)",
    model=Parameters,
    recorded=Imported,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    label=lambda plan: plan.axis.name.lower(),
    prepare=_with_table,
    connect=_connect,
    check=lambda plan, rig: check_envelope(plan, preview(plan), rig.controller),
    acquire=_acquire,
    evaluate=_evaluate,
    read_file=import_positioning,
    resume=first_part,
    standards=tuple(STANDARDS),
    side_by_side=lambda plan, readings: side_by_side(plan, readings, ORIGINALS),
    compare=compared,
)
