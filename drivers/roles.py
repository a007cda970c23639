"""What a device can be: small protocols that procedures are written against.

Every length is in metres, every time in seconds, every temperature in kelvin. Positions are in the controller's active work coordinates.
Every method may raise `DeviceError` (`LinkLost`, `ProtocolError`, `DeviceFault`); none blocks without a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of an instrument. `valid` False comes with its `reason`, and `value` is then NaN."""

    value: float
    t_mono_ns: int
    valid: bool = True
    reason: str = ""
    signal_quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Air and material as an environment sensor saw them at one moment."""

    air_temperature_k: float
    air_pressure_pa: float
    relative_humidity: float
    """0 ... 1"""
    material_temperature_k: float
    t_mono_ns: int


@runtime_checkable
class Device(Protocol):
    """Anything with a link."""

    @property
    def identity(self) -> str:
        """What the device says it is (maker, type, serial number, firmware), as it said it: hostile text."""
        ...

    def close(self) -> None:
        """Let go of the link. Safe to call twice."""
        ...


@runtime_checkable
class MotionController(Device, Protocol):
    """A controller that moves axes, one target at a time."""

    def home(self) -> None:
        """Reference all axes; afterwards positions are trusted."""
        ...

    @property
    def homed(self) -> bool:
        """Whether positions are trusted: referenced since power-up and not stopped uncleanly since."""
        ...

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        """Axis -> (lowest, highest) work position in m that the controller allows, read back from it now."""
        ...

    def max_feed(self) -> Mapping[str, float]:
        """Axis -> highest feed in m/s, read back from the controller."""
        ...

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        """Move in a straight line and return when the controller says that it stands still there.

        Raises `SafetyStop` when not homed, outside the soft limits or faster than allowed: before anything moves.
        """
        ...

    def dwell(self, duration_s: float) -> None:
        """Stand still for `duration_s` of the controller's time; returns when it is over."""
        ...

    def position(self) -> Mapping[str, float]:
        """Axis -> work position in m as the controller reports it now."""
        ...

    def stop(self) -> None:
        """Feed hold, confirmed standstill, reset, FAULTED. Safe to call at any time, twice, and after a fault."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight piece of a path: to these work positions, m; axes that are not named stay."""

    end_m: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A piece of a circle in the plane of two axes, about `centre_m` (work positions, m), from where the piece before it ended.

    sweep_rad : positive from the first axis to the second; may be more than a turn.
    """

    axes: tuple[str, str]
    centre_m: tuple[float, float]
    sweep_rad: float


@runtime_checkable
class PathController(MotionController, Protocol):
    """A controller that also drives along lines and arcs without waiting for anybody in between."""

    def follow(self, path: Sequence[Line | Arc], *, feed_m_per_s: float) -> None:
        """Drive along `path` from where the axes stand and return when they stand at its end.

        Raises `SafetyStop` as `move_to`, for every place on the way: before anything moves; `PlanError` for a path that the controller cannot drive or whose
        end could not be told from its start.
        """
        ...


@runtime_checkable
class ProgramController(MotionController, Protocol):
    """A controller that reads G-code itself."""

    def run_program(self, text: str, *, name: str = ...) -> None:
        """Run a program to its end. Limits are the caller's to look at before; raises `DeviceFault` where the controller refuses a line or stops."""
        ...

    def program_origin(self) -> tuple[str, Mapping[str, float]]:
        """The active coordinate system ("G54"), and axis -> what is added to a program's coordinates to make those of `soft_limits` and `move_to`, m."""
        ...


@runtime_checkable
class Interferometer(Device, Protocol):
    """A displacement interferometer. Values are optical displacement at the vacuum wavelength unless `compensates_air`."""

    @property
    def compensates_air(self) -> bool:
        """Whether the instrument has divided by the refractive index already."""
        ...

    def start(self) -> None:
        """Start measuring; returns when the instrument says that it measures."""
        ...

    def set_averaging(self, duration_s: float) -> float:
        """Average each reading over the settable time nearest to `duration_s`; returns that time in s."""
        ...

    def reset(self) -> None:
        """Make the present position the zero of the displacement."""
        ...

    def displacement(self) -> Reading:
        """Displacement in m since `reset`, averaged over the time that ended now; invalid with a reason on beam loss."""
        ...


@runtime_checkable
class EnvironmentSensor(Device, Protocol):
    """Air and material temperature, pressure, humidity."""

    def read(self) -> Environment:
        """All values, now."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of a stream: its name and its SI unit ("" for a count or a flag)."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Consecutive samples of a stream.

    first_sample : sequence number of the first row, counted by the device.
    t_ns : the device's own time of the first row, ns from a zero of its choice.
    values : (n, channels) float64, SI, all finite; n is 0 in a mere sign of life.
    lost : samples that are known to be missing directly before this block. They are never made up.
    reason : why they are missing, as far as the device says.
    """

    first_sample: int
    t_ns: int
    values: NDArray[np.float64]
    lost: int = 0
    reason: str = ""


@runtime_checkable
class Stream(Device, Protocol):
    """Samples at a fixed rate, in blocks, each numbered by the device, so that a loss is seen."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What a row holds, in order."""
        ...

    @property
    def rate_hz(self) -> float:
        """Samples per second of the device's own time."""
        ...

    def start(self) -> None:
        """Let samples come; returns when the device says that they do."""
        ...

    def read(self, timeout_s: float) -> Block | None:
        """The next block; None when the device has ended its stream. A block of no rows says only that the device lives.

        Raises
        ------
        LinkLost        neither samples nor a sign of life within `timeout_s`, or the link is gone
        ProtocolError   a frame that is damaged or not allowed
        DeviceFault     the device says that something is wrong
        """
        ...

    def stop(self) -> None:
        """End the samples; what was under way is thrown away. Safe to call twice."""
        ...
