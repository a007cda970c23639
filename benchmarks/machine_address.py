"""A plan at another machine: which ready plan suits a controller, and where its devices are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from precision.errors import PlanError
from precision.plan import DeviceSet

from .plan_files import read_plan, ready_plans

SCHEMES: Final = {"linuxcnc": ("linuxcnc", "linuxcnc_ballbar", "linuxcnc_tracker")}
"""Scheme of an address -> drivers of the devices that are found there."""


def at_machine(plan: str, address: str) -> tuple[str, Sequence[str]]:
    """The plan to take, and the settings that lead its devices to `address`.

    A ready plan with a variant for that controller ("positioning" has "positioning-linuxcnc") is replaced by it; another plan has to have devices with that
    controller's driver.

    Raises
    ------
    PlanError       an address of another kind, or no device of the plan has its driver
    """
    scheme = address.partition("://")[0]
    drivers = SCHEMES.get(scheme)
    if drivers is None:
        raise PlanError(f"--machine {address[:60]!r}: expected is {' or '.join(f'{known}://...' for known in SCHEMES)}; for other machines set [devices] in a plan")
    variant = f"{plan}-{scheme}"
    name = variant if variant in ready_plans() else plan
    raw, _ = read_plan(name)
    devices = raw.get("devices")
    roles = [role for role, device in devices.items() if isinstance(device, dict) and device.get("driver") in drivers] if isinstance(devices, dict) else []
    if not roles:
        raise PlanError(f"--machine {address}: no device of {name} has the driver {drivers[0]!r}; set it under [devices], for example from positioning-linuxcnc")
    return name, [f"devices.{role}.address={address}" for role in roles]


def private(devices: DeviceSet) -> bool:
    """Whether all devices belong to a controller that is started for the run: nothing real moves, and nobody has to be asked."""
    addresses = [device.address for device in devices.by_role.values()]
    return bool(addresses) and all(address.partition("?")[0] == "linuxcnc://cell" for address in addresses)
