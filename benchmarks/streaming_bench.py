"""The one stream of a procedure, opened: a real instrument's, or that of a simulated bench which is started for the run; and a plant that is driven by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from precision.drivers import open_stream
from precision.drivers.frames.driver import FrameStream
from precision.drivers.lab import bench
from precision.drivers.roles import Stream
from precision.errors import PlanError
from precision.runs.manifest import Instrument

from .procedure import Connected

RigT = TypeVar("RigT")

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


@contextmanager
def connected_plant(plan: Any, module: str, rig: Callable[..., RigT], *, takes: str) -> Iterator[Connected[RigT]]:
    """`Procedure.connect` where one plant is driven and read through one stream: the only role is `plant`, and its rig is `rig(plant=stream)`.

    module : of `drivers.lab.bench.started`, with the plan's `bench.plant`. takes : what the stream has to take as a table of samples, for the refusal.

    Raises
    ------
    PlanError       the driver only streams; also as `opened`
    DeviceError     as `opened`
    """
    with opened(plan, "plant", module, plan.bench.plant) as (stream, instruments, simulated):
        if not isinstance(stream, FrameStream):
            raise PlanError(f'devices.plant: a driver that takes {takes} is needed (driver = "frames"); this one only streams')
        yield Connected(rig=rig(plant=stream), instruments=instruments, moving=(), lab=simulated)


def simulated_plant(plan: Any) -> str | None:
    """`Procedure.label`: the plant of the virtual bench; None for a real one."""
    plant: str = plan.bench.plant
    return plant if plan.devices.simulated else None
