"""The devices of a line test, opened: controller, as many beams of the interferometer as the lines need, environment, and whoever mounts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from precision.drivers import open_controller, open_environment, open_interferometer
from precision.drivers.roles import Interferometer

from .connection import opened
from .lines import Line, Person, Rig, Simulated
from .procedure import Connected


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
def connected(plan: Any, lines: Sequence[Line]) -> Iterator[Connected[Rig]]:
    """The plan's devices, as `lines.acquire` takes them."""
    beams = sorted({line.beam for line in lines})

    def interferometer(driver: str, address: str, **options: Any) -> _Beams:
        return _Beams(driver, address, beams, options)

    with opened(plan, {"controller": open_controller, "interferometer": interferometer, "environment": open_environment}) as devices:
        rig = Rig(
            controller=devices.by_role["controller"], interferometers=devices.by_role["interferometer"].by_axis,
            environment=devices.by_role["environment"], operator=Person() if devices.lab is None else Simulated(devices.lab),
        )  # fmt: skip
        yield devices.connected(rig, moving=(rig.controller,))
