"""The scan-quality test as a procedure: how the interferometers are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from precision.runs.manifest import Manifest

from .procedure import Connected, Evaluation, Procedure, Readings
from .scan_quality import COLUMNS, Rig, acquire, check, constant_s, preview
from .scan_quality_evaluation import analyse
from .scan_quality_import import read_file
from .scan_quality_plan import Parameters, Recorded
from .scan_quality_report import document, result_dict
from .streaming_bench import opened


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    scan = ("--speed", repr(plan.scan.speed), "--constant", repr(constant_s(plan)), "--reduction", repr(plan.scan.reduction))
    with opened(plan, "interferometers", "scanner_serve", *scan) as (stream, instruments, simulated):
        yield Connected(rig=Rig(interferometers=stream), instruments=instruments, moving=(), lab=simulated)


def _evaluate(plan: Parameters | Recorded, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings)
    report = document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


PROCEDURE = Procedure(
    name="scan-quality",
    title="MA and MSD of a scanning stage over the exposure slit",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=_evaluate,
    recorded=Recorded,
    read_file=read_file,
)
