"""The spindle test as a procedure: how the gauges are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from precision.drivers import open_stream
from precision.drivers.frames.driver import FrameStream
from precision.drivers.lab import bench
from precision.runs.manifest import Instrument, Manifest

from .procedure import Connected, Evaluation, Procedure, Readings
from .spindle import COLUMNS, Rig, acquire, check, preview
from .spindle_evaluation import analyse
from .spindle_plan import Parameters
from .spindle_report import document, result_dict


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    device = plan.devices.gauges
    if not plan.devices.simulated:
        stream = open_stream(device.driver, device.address, **device.options)
        try:
            yield _connected(plan, device.address, stream, None)
        finally:
            stream.close()
        return
    scale = str(plan.simulation.time_scale or "inf")
    with bench.started("gauges_serve", "spindle", "--seed", str(plan.seed), "--time-scale", scale) as simulated:
        stream = open_stream(device.driver, simulated.address, **device.options)
        try:
            if isinstance(stream, FrameStream):
                stream.ask(f"speed {plan.spindle.speed!r}")
            yield _connected(plan, simulated.address, stream, simulated)
        finally:
            stream.close()


def _connected(plan: Parameters, address: str, stream: object, lab: bench.Bench | None) -> Connected[Rig]:
    rig = Rig(gauges=stream)  # type: ignore[arg-type]
    instrument = Instrument(driver=plan.devices.gauges.driver, address=address, identity=rig.gauges.identity)
    return Connected(rig=rig, instruments={"gauges": instrument}, moving=(), lab=lab)


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings)
    report = document(plan, analysis, manifest, stopped=stopped)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


PROCEDURE = Procedure(
    name="spindle",
    title="error motions of a spindle (ISO 230-7)",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=_evaluate,
)
