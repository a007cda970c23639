"""The devices of a line test, opened: controller, as many beams of the interferometer as the lines need, environment, and whoever mounts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from precision.drivers import open_controller, open_environment, open_interferometer
from precision.drivers.roles import Interferometer

from .connection import opened
from .lines import Line, Person, Rig, Simulated
from .procedure import Connected

ENVIRONMENTS: Final = {"environment": "X", "environment_y": "Y", "environment_z": "Z"}
"""Role -> axis whose screw that sensor is on; the first serves for an axis that has none."""
SCREWS: Final = {"environment_y": 105, "environment_z": 106}
"""Role -> channel of that screw's thermometer on the virtual lab's scanner."""


class _Beams:
    """Several axes of one interferometer, each on a link of its own."""

    def __init__(self, driver: str, address: str, axes: Sequence[int], options: dict[str, Any]) -> None:
        self.by_axis: dict[int, Interferometer] = {}
        with ExitStack() as stack:
            for axis in axes:
                self.by_axis[axis] = open_interferometer(driver, address, **{**options, "axis": axis})
                stack.callback(self.by_axis[axis].close)
            self._links = stack.pop_all()

    @property
    def identity(self) -> str:
        return next(iter(self.by_axis.values())).identity

    def close(self) -> None:
        self._links.close()


@contextmanager
def connected(plan: Any, lines: Sequence[Line], *, lab: Mapping[str, Any] | None = None) -> Iterator[Connected[Rig]]:
    """The plan's devices, as `lines.acquire` takes them. lab : as `connection.opened`."""
    beams = sorted({line.beam for line in lines})

    def interferometer(driver: str, address: str, **options: Any) -> _Beams:
        return _Beams(driver, address, beams, options)

    openers: dict[str, Callable[..., Any]] = {"controller": open_controller, "interferometer": interferometer, **dict.fromkeys(ENVIRONMENTS, open_environment)}
    options = {role: {"material_channel": channel} for role, channel in SCREWS.items()} if plan.devices.simulated else {}
    with opened(plan, openers, options=options, lab=lab) as devices:
        rig = Rig(
            controller=devices.by_role["controller"], interferometers=devices.by_role["interferometer"].by_axis,
            environment=devices.by_role["environment"], operator=Person() if devices.lab is None else Simulated(devices.lab),
            environments={axis: devices.by_role[role] for role, axis in ENVIRONMENTS.items() if role in devices.by_role},
        )  # fmt: skip
        yield devices.connected(rig, moving=(rig.controller,))
