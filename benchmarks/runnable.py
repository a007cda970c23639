"""What every plan that can be run states: devices, seed, how the virtual lab runs, and the machine and test that a report names."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from precision.drivers import option_faults
from precision.plan import DeviceSet, Machine, Note, Simulation, Strict, Test


class Runnable(Strict):
    """Derive a procedure's plan from this; it sets `procedure`, `title` and `devices` and adds its own sections."""

    procedure: str
    title: Note
    seed: int = Field(1, ge=0, lt=2**63, description="of everything random: targets, and the virtual lab")
    devices: DeviceSet = DeviceSet()
    simulation: Simulation = Simulation()
    machine: Machine = Machine()
    test: Test = Test()

    @model_validator(mode="after")
    def _devices_fit(self) -> Self:
        if wrong := [fault for role, device in self.devices.by_role.items() for fault in option_faults(role, device.driver, device.options)]:
            raise ValueError("; ".join(wrong))
        if self.devices.mixed:
            raise ValueError('devices: either all are on "sim://lab" or none; a run never mixes a simulated and a real device')
        return self
