"""The thermal tests as a procedure: how the gauges are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from precision.runs.manifest import Manifest

from .procedure import Connected, Evaluation, Procedure, Readings
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


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings)
    report = document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


PROCEDURE = Procedure(
    name="thermal",
    title="thermal distortion: environment, spindle or axis (ISO 230-3)",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=_evaluate,
    label=lambda plan: plan.thermal.test,
)
