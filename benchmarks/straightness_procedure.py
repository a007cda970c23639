"""The straightness test as a procedure."""

from __future__ import annotations

from precision.runs.manifest import Manifest

from .lines import COLUMNS, acquire, check
from .lines_outlook import outlook
from .lines_rig import connected
from .procedure import Evaluation, Outlook, Procedure, Readings
from .straightness_evaluation import MIRROR, straightness
from .straightness_plan import Parameters
from .straightness_report import result_dict, straightness_document


def _outlook(plan: Parameters) -> Outlook:
    wanted = plan.straightness
    remarks = [] if wanted.points >= 5 else [f"{wanted.points} points; fewer than 5 may miss the largest departure"]
    said = (
        ("line", f"{wanted.axis} from {wanted.start * 1e3:.3f} to {wanted.end * 1e3:.3f} mm, read in {wanted.across} at {wanted.points} points"),
        ("standard", f"ISO 230-1, {plan.evaluation.reference} line"),
    )
    return outlook(plan.lines, plan.cycle.manner, said=said, lacking=[name for name in MIRROR if getattr(plan.uncertainty, name) is None], remarks=remarks)


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = straightness(plan, readings)
    report = straightness_document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis.result, report, analysis.uncertainty_reason), analysis=analysis)


PROCEDURE = Procedure(
    name="straightness",
    title="straightness of a linear motion (ISO 230-1)",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected(plan, plan.lines),
    check=lambda plan, rig: check(plan.lines, plan.cycle.manner, rig.controller),
    acquire=lambda plan, rig, sink, *, log, progress: acquire(plan.lines, plan.cycle.manner, rig, sink, log=log, progress=progress),
    evaluate=_evaluate,
    label=lambda plan: f"{plan.straightness.axis}-in-{plan.straightness.across}".lower(),
)
