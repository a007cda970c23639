"""The contour test as a procedure: how its devices are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from precision.drivers import open_controller, open_stream

from .connection import opened
from .contour import COLUMNS, Rig, acquire, check, preview
from .contour_evaluation import analyse
from .contour_import import read_file
from .contour_plan import Imported, Parameters
from .contour_program import program_text, start_of
from .contour_report import document, result_dict
from .procedure import Connected, Procedure, judged_by


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    openers: dict[str, Callable[..., Any]] = {"controller": open_controller, "recorder": open_stream}
    with opened(plan, openers) as devices:
        controller = devices.by_role["controller"]
        yield devices.connected(Rig(controller, devices.by_role["recorder"]), moving=(controller,))


def _with_program(plan: Parameters) -> Parameters:
    """The plan with the text of its program, so that the run can be judged without the file."""
    program = plan.program.model_copy(update={"text": program_text(plan.program), "start": start_of(plan.program)})
    return plan.model_copy(update={"program": program})


def _label(plan: Parameters) -> str:
    return plan.program.plane.lower()


PROCEDURE = Procedure(
    name="contour",
    title="a part program driven: contour error of command, feedback and tool, line by line",
    model=Parameters,
    recorded=Imported,
    preview=preview,
    columns=lambda plan: COLUMNS,
    label=_label,
    prepare=_with_program,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    read_file=read_file,
)
