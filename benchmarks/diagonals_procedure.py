"""The diagonal test as a procedure."""

from __future__ import annotations

from .diagonals_evaluation import analyse, lacks
from .diagonals_plan import Parameters
from .diagonals_report import document, result_dict
from .lines import COLUMNS, acquire, check
from .lines_outlook import outlook
from .lines_rig import connected
from .procedure import Outlook, Procedure, judged_by


def _outlook(plan: Parameters) -> Outlook:
    sides = " × ".join(f"{side * 1e3:g}" for side in plan.diagonals.sides_m)
    said = (("volume", f"{sides} mm, {plan.diagonals.kind} diagonals {', '.join(plan.names)}"), ("standard", "ISO 230-6, each diagonal by ISO 230-2:2014"))
    remarks = [] if plan.cycle.runs == 5 else [f"{plan.cycle.runs} runs; ISO 230-2 asks for 5"]
    return outlook(plan.lines, plan.cycle.manner, said=said, lacking=lacks(plan), remarks=remarks)


PROCEDURE = Procedure(
    name="diagonals",
    title="positioning on body and face diagonals (ISO 230-6)",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected(plan, plan.lines),
    check=lambda plan, rig: check(plan.lines, plan.cycle.manner, rig.controller),
    acquire=lambda plan, rig, sink, *, log, progress: acquire(plan.lines, plan.cycle.manner, rig, sink, log=log, progress=progress),
    evaluate=judged_by(analyse, document, result_dict),
    label=lambda plan: plan.diagonals.kind,
)
