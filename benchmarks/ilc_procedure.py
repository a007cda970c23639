"""Iterative learning control as a procedure: how the plant is opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from precision.drivers.frames.driver import FrameStream
from precision.errors import PlanError

from .comparing_figures import Compared, compare
from .ilc import COLUMNS, Rig, acquire, check, preview
from .ilc_evaluation import analyse
from .ilc_plan import Parameters
from .ilc_report import document, result_dict
from .procedure import CHANGEABLE, Connected, Procedure, judged_by
from .streaming_bench import opened

if TYPE_CHECKING:
    from .execution import Outcome


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "plant", "trial_serve", plan.bench.plant) as (stream, instruments, simulated):
        if not isinstance(stream, FrameStream):
            raise PlanError('devices.plant: a driver that takes a signal is needed (driver = "frames"); this one only streams')
        yield Connected(rig=Rig(plant=stream), instruments=instruments, moving=(), lab=simulated)


def _compare(before: Outcome, after: Outcome) -> Compared:
    return compare(before, after, larger_is_better=("improvement",), neither=("rate_foretold",))


PROCEDURE = Procedure(
    name="ilc",
    title="iterative learning of a repeated motion, with the convergence that the response foretells",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=lambda plan: plan.bench.plant if plan.devices.simulated else None,
    changeable=CHANGEABLE,
    compare=_compare,
)
