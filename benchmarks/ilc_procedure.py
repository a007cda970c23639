"""Iterative learning control as a procedure: how the plant is opened, and which functions do the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparing_figures import Compared, compare
from .ilc import COLUMNS, Rig, acquire, check, preview
from .ilc_evaluation import analyse
from .ilc_plan import Parameters
from .ilc_report import document, result_dict
from .procedure import Procedure, judged_by
from .streaming_bench import connected_plant, simulated_plant

if TYPE_CHECKING:
    from .execution import Outcome


def _compare(before: Outcome, after: Outcome) -> Compared:
    return compare(before, after, larger_is_better=("improvement",), neither=("rate_foretold",))


PROCEDURE = Procedure(
    name="ilc",
    title="iterative learning of a repeated motion, with the convergence that the response foretells",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected_plant(plan, "trial_serve", Rig, takes="a signal"),
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=simulated_plant,
    compare=_compare,
)
