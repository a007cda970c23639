"""The tracking test as a procedure: how its devices are opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from precision.drivers import open_controller, open_stream
from precision.runs.manifest import Manifest

from .comparing_figures import Compared, compare
from .connection import opened
from .procedure import Connected, Evaluation, Procedure, Readings
from .tracking import Rig, acquire, check, columns, preview, with_program
from .tracking_evaluation import analyse
from .tracking_import import read_file
from .tracking_plan import Parameters, Recorded
from .tracking_report import document, result_dict

if TYPE_CHECKING:
    from .execution import Outcome


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    openers: dict[str, Callable[..., Any]] = {"controller": open_controller, "servo": open_stream}
    with opened(plan, openers) as devices:
        controller = devices.by_role["controller"]
        yield devices.connected(Rig(controller, devices.by_role["servo"]), moving=(controller,))


def _evaluate(
    plan: Parameters | Recorded, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None
) -> Evaluation:
    analysis = analyse(plan, readings)
    report = document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


LARGER_IS_BETTER = ("k_v", "loop_gain")
_NO_MERIT = ("ripple_period_forward", "ripple_period_backward", "own_difference")
"""Where a wave lies, and how well two computations agree."""


def _compare(before: Outcome, after: Outcome) -> Compared:
    keys = {row.figure.key for one in (before, after) for row in one.document.rows}
    return compare(
        before,
        after,
        larger_is_better=[key for key in keys if key.startswith(LARGER_IS_BETTER)],
        neither=[key for key in keys if key.startswith(_NO_MERIT)],
    )


PROCEDURE = Procedure(
    name="tracking",
    title="following error of moving axes by phase, time shift, velocity gain, ripple along the travel",
    model=Parameters,
    recorded=Recorded,
    preview=preview,
    columns=lambda plan: columns("m"),
    label=lambda plan: "program" if plan.program.given else "".join(plan.motion.axes).lower(),
    prepare=with_program,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=_evaluate,
    read_file=read_file,
    compare=_compare,
)
