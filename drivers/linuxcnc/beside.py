"""The program beside the controller (stream.py) as a client sees it: servo cycles, and questions that are answered in servo cycles."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, Final, NamedTuple

from precision.drivers.frames.driver import FrameStream
from precision.drivers.transport import Transport
from precision.errors import DeviceFault, ProtocolError

from .path import SYSTEMS, Origin

_AXES: Final = "XYZABCUVW"


class AxisLimits(NamedTuple):
    """What the controller keeps an axis within: machine positions in m, feed in m/s, acceleration in m/s²."""

    low_m: float
    high_m: float
    feed_m_per_s: float
    acceleration_m_per_s2: float


class Beside:
    """A connection to stream.py."""

    def __init__(self, transport: Transport, *, timeout_s: float = 5.0) -> None:
        self.link = transport
        self.frames = FrameStream(transport, timeout_s=timeout_s)
        if not self.frames.identity.startswith("LinuxCNC "):
            self.frames.close()
            raise DeviceFault(f"{transport.address} streams {self.frames.identity[:60]!r}; stream.py beside a LinuxCNC is expected")
        self._timeout_s = timeout_s

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(channel.name for channel in self.frames.channels)

    @property
    def axes(self) -> tuple[str, ...]:
        """Letters of the axes whose command is streamed, in the controller's order."""
        return tuple(axis for axis in (name.removesuffix("_cmd").upper() for name in self.names if name.endswith("_cmd")) if axis in _AXES)

    def cycles(self, duration_s: float) -> int:
        """Servo cycles in so many seconds of the controller's time, at least 1."""
        return max(1, math.ceil(duration_s * self.frames.rate_hz - 1e-9))

    def wait(self, duration_s: float) -> None:
        """Until so much of the controller's time has passed, counted in servo cycles."""
        # A computer that stalls makes it take longer; a controller that has ended is told by the program itself.
        self._ask(f"wait {self.cycles(duration_s)}", timeout_s=3 * duration_s + 20)

    def still(self, cycles: int, longest: int, tolerance_m: float) -> None:
        """Until all commands and feedbacks have stood for so many cycles; raises `DeviceFault` after `longest` cycles."""
        self._ask(f"still {cycles} {longest} {tolerance_m!r}", timeout_s=3 * longest / self.frames.rate_hz + 20)

    def mean(self, channel: str, cycles: int) -> tuple[float, float, float]:
        """(mean, lowest, highest) of a channel over the servo cycles that have just passed."""
        said = self._ask(f"mean {channel} {cycles}")
        return (_number(said, "mean"), _number(said, "low"), _number(said, "high"))

    def row(self) -> dict[str, float]:
        """Channel -> value in the last servo cycle."""
        values = self._ask("row").get("values")
        if not isinstance(values, dict) or set(values) != set(self.names):
            raise ProtocolError(f"{self.link.address}: a row is {str(values)[:80]!r}; a value for each channel is expected")
        return {name: _number(values, name) for name in self.names}

    def state(self) -> dict[str, Any]:
        """What the controller says of itself now: "estop", "on", "homed", "interpreter", "line", "following_error_fault"."""
        said = self._ask("state")
        for name, kind in (("estop", bool), ("on", bool), ("homed", bool), ("interpreter", int), ("line", int), ("following_error_fault", bool)):
            if not isinstance(said.get(name), kind):
                raise ProtocolError(f"{self.link.address}: the controller's {name} is {str(said.get(name))[:40]!r}; {kind.__name__} is expected")
        return said

    def origin(self) -> Origin:
        """Where a program's coordinates begin now; raises `DeviceFault` where they are turned against the machine's."""
        said = self.state()
        system, offsets, turned = said.get("system"), said.get("offset_m"), said.get("rotation_deg")
        if not isinstance(system, int) or not 1 <= system <= len(SYSTEMS) or not isinstance(offsets, dict):
            raise ProtocolError(f"{self.link.address}: coordinate system {str(system)[:20]!r} with {str(offsets)[:60]!r}; a number 1 … 9 and offsets are expected")
        if turned != 0:
            raise DeviceFault(f"LinuxCNC: {SYSTEMS[system - 1]} is turned by {turned}°; set its rotation to 0 (G10 L2 P{system} R0), then start again")
        return Origin(system=SYSTEMS[system - 1], offset_m={axis: _number(offsets, axis) for axis in offsets})

    def external_m(self) -> dict[str, float]:
        """Linear axis -> external offset that is on the command now, m: what a correction beside the controller adds. At standstill it is that of any row."""
        offsets = self.state().get("external_m", {})
        if not isinstance(offsets, dict):
            raise ProtocolError(f"{self.link.address}: external offsets are {str(offsets)[:60]!r}; a length for each axis is expected")
        return {axis: _number(offsets, axis) for axis in offsets}

    def limits(self) -> dict[str, AxisLimits]:
        """Linear axis -> its limits, as the controller has them now."""
        axes = self._ask("limits").get("axes")
        if not isinstance(axes, dict) or not all(isinstance(value, list) and len(value) == 4 for value in axes.values()):
            raise ProtocolError(
                f"{self.link.address}: the limits are {str(axes)[:80]!r}; lowest, highest, feed and acceleration of each axis are expected. "
                "Is the stream.py beside the controller of another version? Take this package's"
            )
        found = {}
        for axis, values in axes.items():
            kept = AxisLimits(*(_number({axis: value}, axis) for value in values))
            if not kept.low_m < kept.high_m or kept.feed_m_per_s <= 0 or kept.acceleration_m_per_s2 <= 0:
                raise ProtocolError(f"{self.link.address}: axis {axis!r} has {kept}; limits that rise, a feed and an acceleration above 0 are expected")
            found[str(axis)] = kept
        return found

    def table(self, axis: str) -> tuple[str, int, str]:
        """The compensation file of an axis: its text, its type (0 or 1), its path on the controller's computer."""
        said = self._ask(f"table {axis}")
        try:
            text = base64.b64decode(str(said.get("text")), validate=True).decode("latin-1")
        except binascii.Error:
            raise ProtocolError(f"{self.link.address}: the table of {axis} is not base64") from None
        if said.get("type") not in (0, 1):
            raise DeviceFault(f"LinuxCNC: COMP_FILE_TYPE of {axis} is {said.get('type')!r}; 0 or 1 is expected: correct the INI file")
        return text, int(said["type"]), str(said.get("path"))[:500]

    def replace(self, axis: str, text: str) -> None:
        """Put another table into the file; the old one stands beside it (`.before`)."""
        self._ask(f"replace {axis} {base64.b64encode(text.encode('ascii')).decode('ascii')}")

    def program(self, name: str, text: str) -> str:
        """Put a program where the controller can open it; its path there."""
        return str(self._ask(f"program {name} {base64.b64encode(text.encode('ascii')).decode('ascii')}").get("path"))

    def restart(self) -> None:
        """Have the controller restarted, where whoever started it has allowed that; this connection ends with it."""
        self._ask("restart")

    def pin(self, name: str) -> float | int | bool:
        """The value of a HAL pin now, in the controller's unit."""
        value = self._ask(f"get {name}").get("value")
        if not isinstance(value, bool | int | float):
            raise ProtocolError(f"{self.link.address}: pin {name} is {str(value)[:40]!r}; a number is expected")
        return value

    def close(self) -> None:
        """Let go of the link. Safe to call twice."""
        self.frames.close()

    def _ask(self, line: str, *, timeout_s: float | None = None) -> dict[str, Any]:
        return self.frames.ask(line, timeout_s=timeout_s)


def _number(said: dict[str, Any], name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"the program beside the controller says {name} = {str(value)[:40]!r}; a finite number is expected")
    return float(value)
