"""The devices of a plan, opened by their roles: real ones, or all of them on a virtual lab that is started for the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from precision.drivers import OPTIONS
from precision.drivers.lab import process
from precision.errors import PlanError
from precision.runs.manifest import Instrument

from .procedure import Connected, Plan

RigT = TypeVar("RigT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Open devices by role, what the manifest says of them, and the virtual lab where they are its own."""

    by_role: Mapping[str, Any]
    instruments: Mapping[str, Instrument]
    lab: process.LabProcess | None

    def connected(self, rig: RigT, *, moving: tuple[Any, ...]) -> Connected[RigT]:
        """The same as a procedure's `connect` gives it. moving : the controllers that have to stop."""
        return Connected(rig=rig, instruments=self.instruments, moving=moving, lab=self.lab)


@contextmanager
def opened(
    plan: Plan, openers: Mapping[str, Callable[..., Any]], *, options: Mapping[str, Mapping[str, Any]] | None = None, lab: Mapping[str, Any] | None = None
) -> Iterator[Opened]:
    """Open every device of `plan.devices`, in the order of its fields; all links are closed at the end, the last first.

    openers : role -> how such a device is opened, for example `precision.drivers.open_controller`. options : role -> options of its driver that follow from
    the plan; those in the device's own `options` come before them. lab : more arguments of `drivers.lab.process.start`.

    Raises
    ------
    PlanError       the virtual lab has no device of that role; as the openers say
    DeviceError     no answer, or not the device it should be
    """
    with ExitStack() as stack:
        devices = plan.devices.by_role
        addresses = {role: device.address for role, device in devices.items()}
        simulated: process.LabProcess | None = None
        if plan.devices.simulated:
            simulated = stack.enter_context(
                process.start(
                    seed=plan.seed,
                    time_scale=plan.simulation.time_scale or math.inf,
                    controller=None if plan.simulation.controller == "auto" else plan.simulation.controller,
                    **(lab or {}),
                )
            )
            if absent := sorted(set(addresses) - set(simulated.addresses)):
                raise PlanError(f"devices.{absent[0]}: the virtual lab has no such device; it has {', '.join(sorted(simulated.addresses))}")
            addresses = {role: simulated.addresses[role] for role in addresses}
        by_role: dict[str, Any] = {}
        for role, device in devices.items():
            # The virtual lab is up before it is connected to; a real board may restart when its port is opened.
            at_once = {"settle_s": 0.0} if simulated and "settle_s" in OPTIONS.get(device.driver, {}) else {}
            by_role[role] = openers[role](device.driver, addresses[role], **{**at_once, **(options or {}).get(role, {}), **device.options})
            stack.callback(by_role[role].close)
        instruments = {
            role: Instrument(driver=device.driver, address=addresses[role], identity=by_role[role].identity) for role, device in devices.items()
        }
        yield Opened(by_role=by_role, instruments=instruments, lab=simulated)
