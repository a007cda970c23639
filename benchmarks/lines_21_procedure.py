"""The 21 errors from lines as a procedure."""

from __future__ import annotations

from precision.errors import PlanError
from precision.runs.manifest import Manifest

from .lines import AXES, COLUMNS, acquire, check
from .lines_21_evaluation import analyse, lacking
from .lines_21_evaluation import check as what_lines_tell
from .lines_21_plan import Parameters
from .lines_21_report import document, result_dict
from .lines_outlook import outlook
from .lines_rig import connected
from .procedure import Evaluation, Outlook, Procedure, Readings


def _outlook(plan: Parameters) -> Outlook:
    told = what_lines_tell(plan)
    if not told.complete:
        raise PlanError(
            f"these lines cannot tell the errors that the plan asks for: {told.sentence}. Nothing was moved; angles need reflectors at places 100 mm and more apart "
            "in X, Y and Z (optics.reflectors), squareness a square in each plane (optics.squares), or name them in evaluation.assumed_zero"
        )
    spans = ", ".join(f"{axis} {low * 1e3:g} … {high * 1e3:g} mm" for axis, (low, high) in plan.volume.spans.items())
    at = ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip(AXES, plan.volume.at_m, strict=True))
    said = (
        ("volume", f"{spans}, chain {plan.volume.chain}; lines cross at {at} mm"),
        ("set-ups", f"reflectors at {len(plan.optics.reflectors)} places, three beams read together; squares in {', '.join(plan.optics.squares) or 'no plane'}"),
        ("this plan", told.sentence),
    )
    return outlook(plan.lines, plan.cycle.manner, said=said, lacking=lacking(plan))


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings, stopped=stopped)
    report = document(plan, analysis, manifest)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


PROCEDURE = Procedure(
    name="lines-21",
    title="21 geometric errors from lines along X, Y and Z, and the volumetric error map",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected(plan, plan.lines, lab={"errors": plan.virtual_machine.errors}),
    check=lambda plan, rig: check(plan.lines, plan.cycle.manner, rig.controller),
    acquire=lambda plan, rig, sink, *, log, progress: acquire(plan.lines, plan.cycle.manner, rig, sink, log=log, progress=progress),
    evaluate=_evaluate,
    label=lambda plan: plan.volume.chain.lower(),
)
