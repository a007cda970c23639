"""What is measured at a LinuxCNC: its servo cycles as a stream, and the tool of a simulated machine as an interferometer with its surroundings."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np

from precision.drivers.roles import Block, Channel, Environment, Reading
from precision.errors import DeviceError, DeviceFault, PlanError

from .beside import Beside
from .connection import Place

_MOST_CYCLES = 30_000


class ServoStream:
    """Every servo cycle: commands, motor commands, feedbacks, following errors, tool positions, the trigger, and what stream.py was told to add."""

    def __init__(self, place: Place, *, timeout_s: float = 5.0) -> None:
        self._place = place
        self._beside = _opened(place, timeout_s)

    @property
    def identity(self) -> str:
        return self._beside.frames.identity

    @property
    def simulated(self) -> bool:
        """Whether the mechanics are simulated."""
        return self._beside.frames.simulated

    @property
    def channels(self) -> tuple[Channel, ...]:
        return self._beside.frames.channels

    @property
    def rate_hz(self) -> float:
        return self._beside.frames.rate_hz

    def start(self) -> None:
        self._beside.frames.start()

    def read(self, timeout_s: float) -> Block | None:
        return self._beside.frames.read(timeout_s)

    def stop(self) -> None:
        self._beside.frames.stop()

    def close(self) -> None:
        self._beside.close()
        self._place.release()


class ToolInterferometer:
    """The tool position of simulated mechanics, as an interferometer that corrects for air would read it.

    axis : 0 is the first axis that has a tool position, in the controller's order.
    """

    compensates_air = True

    def __init__(self, place: Place, *, axis: int = 0, timeout_s: float = 5.0) -> None:
        self._place = place
        self._beside = _opened(place, timeout_s)
        tools = [name for name in self._beside.names if name.endswith("_tool")]
        try:
            if not tools:
                raise DeviceFault(f"{place.address} has no simulated tool position: a real machine is measured by a real interferometer; name it in the plan")
            if not 0 <= axis < len(tools):
                raise PlanError(f"axis {axis} of the tool's position; 0 … {len(tools) - 1} is expected, for {', '.join(name[0].upper() for name in tools)}")
        except BaseException:
            self.close()
            raise
        self._channel = tools[axis]
        self._cycles = self._beside.cycles(0.1)
        self._zero_m = 0.0

    @property
    def identity(self) -> str:
        """Of the controller, and which channel is read."""
        return f"{self._beside.frames.identity}, {self._channel} of the simulated mechanics"

    def start(self) -> None:
        """Nothing has to be started: it always measures."""
        self._beside.mean(self._channel, 1)

    def set_averaging(self, duration_s: float) -> float:
        """Average over the whole number of servo cycles nearest to `duration_s`; returns the time that is, in s."""
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise PlanError(f"an averaging time of {duration_s} s; 0 or more is expected")
        self._cycles = min(max(1, round(duration_s * self._beside.frames.rate_hz)), _MOST_CYCLES)
        return self._cycles / self._beside.frames.rate_hz

    def reset(self) -> None:
        """Make the present position the zero."""
        self._zero_m = self._beside.mean(self._channel, self._cycles)[0]

    def displacement(self) -> Reading:
        """Mean of the tool's position over the servo cycles that ended now, m since `reset`."""
        mean, _, _ = self._beside.mean(self._channel, self._cycles)
        return Reading(value=mean - self._zero_m, t_mono_ns=time.monotonic_ns())

    def close(self) -> None:
        self._beside.close()
        self._place.release()


class BallBar:
    """A ball bar between the table and the tool of a simulated machine, hung in where it is told: a stream of its extension.

    plane : two axes. first_m, second_m : centre, machine positions. radius_m : its length. of : "tool", "fb" or "cmd": the bar sees the tool; fed with the
    motors' feedbacks or the commands instead it shows the drives alone, or the path that the controller asks for.
    """

    hung_in = True
    """Nobody has to go to the machine with it."""

    def __init__(
        self, place: Place, *, plane: str = "XY", first_m: float = 0.0, second_m: float = 0.0, radius_m: float = 0.05, of: str = "tool", timeout_s: float = 5.0,
    ) -> None:
        self._place = place
        self._beside = _opened(place, timeout_s)
        names = self._beside.names
        wanted = [f"{axis.lower()}_{of}" for axis in plane]
        if missing := [name for name in wanted if name not in names]:
            self.close()
            raise DeviceFault(f"{place.address} streams no {missing[0]}; a ball bar in {plane} needs {' and '.join(wanted)}. On a real machine use a real bar")
        self._columns = [names.index(name) for name in wanted]
        self._centre_m, self._radius_m, self._of = (first_m, second_m), radius_m, of

    @property
    def identity(self) -> str:
        """Of the controller, and what the bar hangs between."""
        return f"{self._beside.frames.identity}, ball bar of {self._radius_m * 1e3:g} mm on {self._of} of the simulated mechanics"

    @property
    def simulated(self) -> bool:
        """Always."""
        return True

    @property
    def channels(self) -> tuple[Channel, ...]:
        return (Channel("extension", "m"),)

    @property
    def rate_hz(self) -> float:
        return self._beside.frames.rate_hz

    def start(self) -> None:
        self._beside.frames.start()

    def read(self, timeout_s: float) -> Block | None:
        block = self._beside.frames.read(timeout_s)
        if block is None:
            return None
        first, second = (block.values[:, column] - centre for column, centre in zip(self._columns, self._centre_m, strict=True))
        return dataclasses.replace(block, values=(np.hypot(first, second) - self._radius_m)[:, None])

    def stop(self) -> None:
        self._beside.frames.stop()

    def close(self) -> None:
        self._beside.close()
        self._place.release()


class ReferenceSurroundings:
    """The air and the material around simulated mechanics: 20 °C, 1013.25 hPa, 50 %. Simulated screws do not grow."""

    def __init__(self, place: Place, *, timeout_s: float = 5.0) -> None:
        self._place = place
        self._beside = _opened(place, timeout_s)
        if not self._beside.frames.simulated:
            self.close()
            raise DeviceFault(f"{place.address} is a real machine: its surroundings are not known by definition; name a sensor in the plan")

    @property
    def identity(self) -> str:
        """What it is."""
        return f"{self._beside.frames.identity}, reference conditions of the simulated mechanics"

    def read(self) -> Environment:
        """The reference conditions."""
        return Environment(air_temperature_k=293.15, air_pressure_pa=101325.0, relative_humidity=0.5, material_temperature_k=293.15, t_mono_ns=time.monotonic_ns())

    def close(self) -> None:
        self._beside.close()
        self._place.release()


def _opened(place: Place, timeout_s: float) -> Beside:
    try:
        return place.beside(timeout_s=timeout_s)
    except DeviceError:
        place.release()
        raise


def open_stream(address: str, *, timeout_s: float = 5.0) -> ServoStream:
    """The servo cycles of the controller at a `linuxcnc://` address; raises as `driver.connect`."""
    return ServoStream(Place(address), timeout_s=timeout_s)


def open_tool(address: str, *, axis: int = 0, timeout_s: float = 5.0) -> ToolInterferometer:
    """The simulated tool position as an interferometer."""
    return ToolInterferometer(Place(address), axis=axis, timeout_s=timeout_s)


def open_surroundings(address: str, *, timeout_s: float = 5.0) -> ReferenceSurroundings:
    """The surroundings of simulated mechanics."""
    return ReferenceSurroundings(Place(address), timeout_s=timeout_s)


def open_ball_bar(
    address: str, *, plane: str = "XY", first_m: float = 0.0, second_m: float = 0.0, radius_m: float = 0.05, of: str = "tool", timeout_s: float = 5.0
) -> BallBar:
    """A ball bar on the simulated tool position."""
    return BallBar(Place(address), plane=plane, first_m=first_m, second_m=second_m, radius_m=radius_m, of=of, timeout_s=timeout_s)
