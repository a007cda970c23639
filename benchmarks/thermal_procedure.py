"""The thermal tests as a procedure: how the gauges are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .procedure import Connected, Procedure, judged_by
from .streaming_bench import opened
from .thermal import COLUMNS, Rig, acquire, check, preview
from .thermal_evaluation import analyse
from .thermal_plan import Parameters
from .thermal_report import document, result_dict


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    kind = "axis" if plan.thermal.test == "axis" else "warm-up"
    running = 0.0 if plan.thermal.test == "environment" else plan.thermal.running
    with opened(plan, "gauges", "gauges_serve", kind, controls=(f"running {running!r}",)) as (stream, instruments, simulated):
        yield Connected(rig=Rig(gauges=stream), instruments=instruments, moving=(), lab=simulated)


PROCEDURE = Procedure(
    name="thermal",
    title="thermal distortion: environment, spindle or axis (ISO 230-3)",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=lambda plan: plan.thermal.test,
)
