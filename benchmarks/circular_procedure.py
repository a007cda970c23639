"""The circular test as a procedure: how its devices are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from precision.drivers import open_controller, open_stream
from precision.drivers.lab.ball_bar import LENGTHS_M
from precision.drivers.roles import PathController
from precision.errors import PlanError

from .circular import COLUMNS, Rig, acquire, check, operator_at_the_machine, preview
from .circular_evaluation import analyse
from .circular_import import read_file
from .circular_plan import Imported, Parameters
from .circular_report import document, result_dict
from .connection import opened
from .procedure import Connected, Procedure, judged_by


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    openers: dict[str, Callable[..., Any]] = {"controller": open_controller, "ballbar": open_stream}
    with opened(plan, openers) as devices:
        controller, lab = devices.by_role["controller"], devices.lab
        if not isinstance(controller, PathController):
            raise PlanError(f"devices.controller: driver {plan.devices.controller.driver!r} cannot drive arcs; a circular test needs one that can")

        if lab is not None and not LENGTHS_M[0] <= plan.circle.radius <= LENGTHS_M[1]:
            low, high = (f"{length_m * 1e3:g} mm" for length_m in LENGTHS_M)
            raise PlanError(f"circle.radius: {plan.circle.radius * 1e3:g} mm; the virtual lab has bars from {low} to {high}. Nothing was moved")

        def simulated_hands(what: str, position_m: Mapping[str, float], length_m: float) -> None:
            if lab is not None and position_m:
                lab.mount_ball_bar(position_m, length_m)

        # A simulated bar of a real controller hangs where its options say; nobody has to go there.
        nobody_needed = lab is not None or getattr(devices.by_role["ballbar"], "hung_in", False)
        operator = simulated_hands if nobody_needed else operator_at_the_machine
        yield devices.connected(Rig(controller, devices.by_role["ballbar"], operator), moving=(controller,))


PROCEDURE = Procedure(
    name="circular",
    title="circles with a ball bar, and what makes them not round (ISO 230-4)",
    model=Parameters,
    recorded=Imported,
    preview=preview,
    columns=lambda plan: COLUMNS,
    label=lambda plan: plan.circle.plane.lower(),
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    read_file=read_file,
)
