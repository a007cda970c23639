"""The one stream of a procedure, opened: a real instrument's, or that of a simulated bench which is started for the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from precision.drivers import open_stream
from precision.drivers.frames.driver import FrameStream
from precision.drivers.lab import bench
from precision.drivers.roles import Stream
from precision.runs.manifest import Instrument

SIMULATED_WITHIN_S: Final = 60.0
"""A bench answers a control line once it has simulated the test; on a busy computer that takes its time."""


@contextmanager
def opened(plan: Any, role: str, module: str, *arguments: str, controls: Sequence[str] = ()) -> Iterator[tuple[Stream, dict[str, Instrument], bench.Bench | None]]:
    """The stream of `plan.devices`' only role, what the manifest says of it, and the bench where it is simulated.

    module, arguments : of `drivers.lab.bench.started`; seed and time scale are added. controls : lines for the simulated instrument before it starts.

    Raises
    ------
    PlanError, DeviceError      as `precision.drivers.open_stream`
    """
    device = plan.devices.by_role[role]
    if not plan.devices.simulated:
        stream = open_stream(device.driver, device.address, **device.options)
        try:
            yield stream, {role: Instrument(driver=device.driver, address=device.address, identity=stream.identity)}, None
        finally:
            stream.close()
        return
    scale = str(plan.simulation.time_scale or "inf")
    with bench.started(module, *arguments, "--seed", str(plan.seed), "--time-scale", scale) as simulated:
        stream = open_stream(device.driver, simulated.address, **device.options)
        try:
            if isinstance(stream, FrameStream):
                for line in controls:
                    stream.ask(line, timeout_s=SIMULATED_WITHIN_S)
            yield stream, {role: Instrument(driver=device.driver, address=simulated.address, identity=stream.identity)}, simulated
        finally:
            stream.close()
