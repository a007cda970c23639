"""The squareness test as a procedure."""

from __future__ import annotations

from precision.runs.manifest import Manifest

from .lines import COLUMNS, acquire, check
from .lines_outlook import outlook
from .lines_rig import connected
from .procedure import Evaluation, Outlook, Procedure, Readings
from .squareness_plan import PLANES, Parameters
from .straightness_evaluation import MIRROR, squareness
from .straightness_report import result_dict, squareness_document


def _outlook(plan: Parameters) -> Outlook:
    wanted = plan.squareness
    first, second = PLANES[wanted.plane]
    said = (
        ("square", f"plane {wanted.plane}: {first} from {wanted.first[0] * 1e3:.3f} to {wanted.first[1] * 1e3:.3f} mm, {second} from {wanted.second[0] * 1e3:.3f} to {wanted.second[1] * 1e3:.3f} mm"),
        ("standard", f"ISO 230-1, {plan.evaluation.reference} lines; sign: {plan.evaluation.sign}"),
    )
    lacking = [name for name in (*MIRROR, "square") if getattr(plan.uncertainty, name) is None]
    return outlook(plan.lines, plan.cycle.manner, said=said, lacking=lacking)


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = squareness(plan, readings)
    report = squareness_document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis.result, report, analysis.uncertainty_reason), analysis=analysis)


PROCEDURE = Procedure(
    name="squareness",
    title="squareness of two linear motions (ISO 230-1)",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected(plan, plan.lines),
    check=lambda plan, rig: check(plan.lines, plan.cycle.manner, rig.controller),
    acquire=lambda plan, rig, sink, *, log, progress: acquire(plan.lines, plan.cycle.manner, rig, sink, log=log, progress=progress),
    evaluate=_evaluate,
    label=lambda plan: plan.squareness.plane.lower(),
)
