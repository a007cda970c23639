"""Readings along straight lines through the volume: what straightness, squareness and diagonal tests have in common.

A line is driven in both directions, several times; at each point the axes stand, settle and are read. `acquire` is the only code here that touches a device.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from precision.drivers.lab.process import LabProcess
from precision.drivers.roles import EnvironmentSensor, Interferometer, MotionController
from precision.errors import BeamLost, DeviceFault, PlanError, SafetyStop
from precision.runs.capture import Column

from .procedure import Sink, block

Array = NDArray[np.float64]

AXES: Final = ("X", "Y", "Z")
ZERO, POINT = 0, 1
"""Phases of the capture: the environment when a line's count was set to zero (at its first point); a reading at a point."""
UP, DOWN = 0, 1
READ, BEAM_LOST, NOT_SETTLED = 1, 2, 3

COLUMNS: Final = (
    Column("t_mono_ns", "i8", "ns", wall_clock=True),
    Column("phase", "i8", ""),
    Column("line", "i8", ""),
    Column("run", "i8", ""),
    Column("direction", "i8", ""),
    Column("point", "i8", ""),
    Column("attempt", "i8", ""),
    Column("outcome", "i8", ""),
    Column("along_m", "f8", "m"),
    Column("x_m", "f8", "m"),
    Column("y_m", "f8", "m"),
    Column("z_m", "f8", "m"),
    Column("displacement_m", "f8", "m"),
    Column("settling_change_m", "f8", "m"),
    Column("signal_quality", "f8", ""),
    Column("air_temperature_k", "f8", "K"),
    Column("air_pressure_pa", "f8", "Pa"),
    Column("relative_humidity", "f8", ""),
    Column("material_temperature_k", "f8", "K"),
)


class Operator(Protocol):
    """Whoever mounts the interferometer before a line."""

    def set_up(self, what: str, direction: Sequence[float] | None, words: str) -> None:
        """Returns when it is done. words : what to do, for a person."""
        ...

    def mount(self, reflector_m: Sequence[float], words: str) -> None:
        """Returns when the reflectors of all beams are at that offset from the spindle's reference point, and the beams as they were."""
        ...


class Person:
    """The one in front of the machine, asked on the terminal."""

    def set_up(self, what: str, direction: Sequence[float] | None, words: str) -> None:
        """Say what to do, and wait for Enter. Raises `PlanError` where nobody is there to be asked."""
        if not sys.stdin.isatty():
            raise PlanError(f"{words}: this has to be done by hand, and there is nobody to ask; run it from a terminal")
        print(f"\n{words}, then press Enter: ", end="", file=sys.stderr)
        sys.stdin.readline()

    def mount(self, reflector_m: Sequence[float], words: str) -> None:
        """As `set_up`."""
        self.set_up("reflectors", None, words)


class Simulated:
    """The virtual lab's operator."""

    def __init__(self, lab: LabProcess) -> None:
        self._lab = lab

    def set_up(self, what: str, direction: Sequence[float] | None, words: str) -> None:
        """As he is told."""
        self._lab.set_up(what, direction)

    def mount(self, reflector_m: Sequence[float], words: str) -> None:
        """Where he is told, as well as he can."""
        self._lab.mount_reflectors(reflector_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to be driven. name : in reports. start_m, end_m : (x, y, z). share : (n,) 0 … 1 of the way, ascending, where it is read. beam : axis of the
    interferometer that reads it. set_up, direction : for the operator, before the line, or None where everything stays as it was; words : the same for a person.
    reflector_m : where he mounts the reflectors of all beams before the line. with_previous : the same way as the line before, read in the same stops by another beam."""

    name: str
    start_m: tuple[float, float, float]
    end_m: tuple[float, float, float]
    share: tuple[float, ...]
    beam: int
    set_up: str | None = None
    direction: tuple[float, float, float] | None = None
    words: str = ""
    reflector_m: tuple[float, float, float] | None = None
    with_previous: bool = False

    @property
    def length_m(self) -> float:
        """From start to end."""
        return math.dist(self.start_m, self.end_m)

    def place(self, share: float) -> dict[str, float]:
        """Position of the axes at `share` of the way (below 0 and above 1: beyond the ends)."""
        return {axis: a + share * (b - a) for axis, a, b in zip(AXES, self.start_m, self.end_m, strict=True)}

    @property
    def moving(self) -> tuple[str, ...]:
        """Axes that move."""
        return tuple(axis for axis, a, b in zip(AXES, self.start_m, self.end_m, strict=True) if a != b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How every line is driven and read; SI. overshoot_m : before the first point of each direction."""

    runs: int
    feed_m_per_s: float
    overshoot_m: float
    dwell_s: float
    settling_tolerance_m: float
    settling_interval_s: float
    settling_timeout_s: float
    averaging_s: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices. interferometers : beam -> the interferometer that reads it. environments : axis -> sensors for lines along it, where they are not `environment`."""

    controller: MotionController
    interferometers: Mapping[int, Interferometer]
    environment: EnvironmentSensor
    operator: Operator
    environments: Mapping[str, EnvironmentSensor] = field(default_factory=dict)


def envelope_m(lines: Sequence[Line], manner: Manner) -> dict[str, tuple[float, float]]:
    """Axis -> lowest and highest position that will be driven to."""
    found: dict[str, tuple[float, float]] = {}
    for line in lines:
        beyond = manner.overshoot_m / line.length_m
        for share in (-beyond, 0.0, 1.0, 1.0 + beyond):
            for axis, place in line.place(share).items():
                low, high = found.get(axis, (place, place))
                found[axis] = (min(low, place), max(high, place))
    return found


def points(lines: Sequence[Line], manner: Manner) -> int:
    """Readings of all lines."""
    return sum(2 * manner.runs * len(line.share) for line in lines)


def duration_s(lines: Sequence[Line], manner: Manner) -> float:
    """Expected time on the machine."""
    each = manner.dwell_s + max(manner.settling_interval_s, manner.averaging_s) + manner.averaging_s
    driven = [line for line in lines if not line.with_previous]
    travel = sum(2 * manner.runs * (line.length_m + 2 * manner.overshoot_m) for line in driven)
    return points(driven, manner) * each + travel / manner.feed_m_per_s


def check(lines: Sequence[Line], manner: Manner, controller: MotionController) -> None:
    """Compare what will be driven with what the controller allows, read back from it now.

    Raises
    ------
    SafetyStop      an axis that is not there, a place outside the soft limits, a feed above the maximum
    """
    limits, fastest = controller.soft_limits(), controller.max_feed()
    for axis, (low, high) in envelope_m(lines, manner).items():
        if axis not in limits:
            if low == high == 0.0:
                continue  # a machine of fewer axes, and nothing is asked of this one
            raise SafetyStop(f"the controller has no axis {axis}; it reports soft limits for {', '.join(sorted(limits)) or 'none'}. Nothing was moved.")
        lowest, highest = limits[axis]
        if low < lowest or high > highest:
            raise SafetyStop(
                f"the test needs {axis} from {low * 1e3:.3f} mm to {high * 1e3:.3f} mm with overshoot, but the controller's soft limits are {lowest * 1e3:.3f} mm to "
                f"{highest * 1e3:.3f} mm. Nothing was moved; set the plan's lines or its overshoot."
            )
        if low != high and manner.feed_m_per_s > fastest.get(axis, math.inf):
            raise SafetyStop(f"the feed is {manner.feed_m_per_s * 60e3:.0f} mm/min; the controller allows {fastest[axis] * 60e3:.0f} mm/min on {axis}. Nothing was moved.")


def acquire(
    lines: Sequence[Line], manner: Manner, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]
) -> None:
    """Drive and read all lines; every reading is on disk before the next move.

    Raises
    ------
    PlanError       the instrument corrects for air by itself, or cannot average for half as long as the plan asks
    SafetyStop      as `check`, before anything moves
    BeamLost, DeviceFault   no valid reading at a point
    """
    if wrong := [beam for beam, one in rig.interferometers.items() if one.compensates_air]:
        raise PlanError(f"interferometer axis {wrong[0]} corrects for air itself; switch that off, the evaluation applies the refractive index it has measured")
    check(lines, manner, rig.controller)
    averaging_s = {}
    for beam, interferometer in rig.interferometers.items():
        averaging_s[beam] = interferometer.set_averaging(manner.averaging_s)
        if averaging_s[beam] < 0.5 * manner.averaging_s:
            raise PlanError(f"the interferometer averages over {averaging_s[beam]:.3g} s at most, the plan asks for {manner.averaging_s:g} s. Nothing was moved; lower it")
    if not rig.controller.homed:
        log("homing")
        rig.controller.home()
        check(lines, manner, rig.controller)
    for interferometer in rig.interferometers.values():
        interferometer.start()
    total, done = points(lines, manner), 0
    limits = rig.controller.soft_limits()
    for together in _driven(lines):
        line = together[0][1]
        reader = _Reader(manner, rig, sink, log, together, max(averaging_s.values()), tuple(axis for axis in AXES if axis in limits))
        reader.begin()
        for run in range(manner.runs):
            for direction in (UP, DOWN):
                order = range(len(line.share)) if direction == UP else reversed(range(len(line.share)))
                reader.approach(direction)
                for point in order:
                    progress(done, total)
                    reader.read(run, direction, point)
                    done += len(together)
    progress(total, total)


def _driven(lines: Sequence[Line]) -> list[list[tuple[int, Line]]]:
    """Lines with their numbers, those together that are read in the same stops."""
    groups: list[list[tuple[int, Line]]] = []
    for number, line in enumerate(lines):
        if line.with_previous and groups:
            first = groups[-1][0][1]
            if (line.start_m, line.end_m, line.share) != (first.start_m, first.end_m, first.share) or line.beam in [one.beam for _, one in groups[-1]]:
                raise PlanError(f"{line.name} cannot be read together with {first.name}: it is another way, or the same beam")
            groups[-1].append((number, line))
        else:
            groups.append([(number, line)])
    return groups


class _Reader:
    """One way under way, and the lines that are read on it: all in the same stops, the first one's beam says when it has settled."""

    def __init__(
        self, manner: Manner, rig: Rig, sink: Sink, log: Callable[..., None], together: Sequence[tuple[int, Line]], averaging_s: float, axes: tuple[str, ...]
    ) -> None:
        self._manner, self._rig, self._sink, self._log = manner, rig, sink, log
        self._together, self._line, self._averaging_s, self._axes = together, together[0][1], averaging_s, axes
        self._interferometer = rig.interferometers[self._line.beam]
        self._environment = next((rig.environments[axis] for axis in self._line.moving if len(self._line.moving) == 1 and axis in rig.environments), rig.environment)

    def begin(self) -> None:
        """To the line's start; the operator does his part; the count is zero there, coming from before it."""
        self._log("line", name=self._line.name, start_m=self._line.start_m, end_m=self._line.end_m)
        self._move(0.0)
        if self._line.set_up is not None:
            self._rig.operator.set_up(self._line.set_up, self._line.direction, self._line.words)
        if self._line.reflector_m is not None:
            self._rig.operator.mount(self._line.reflector_m, self._line.words)
        self.approach(UP)
        self._move(self._line.share[0])
        self._rig.controller.dwell(self._manner.dwell_s + self._averaging_s)
        for number, line in self._together:
            self._rig.interferometers[line.beam].reset()
            self._append(ZERO, number, run=-1, direction=UP, point=0, attempt=0, outcome=READ)

    def approach(self, direction: int) -> None:
        """Beyond the end from which a direction begins."""
        beyond = self._manner.overshoot_m / self._line.length_m
        self._move(-beyond if direction == UP else 1.0 + beyond)

    def read(self, run: int, direction: int, point: int) -> None:
        """Drive to a point and read it; one without a valid reading is kept as such and approached again, never averaged over."""
        for attempt in range(self._manner.repeats + 1):
            if attempt:
                self.approach(direction)
            self._move(self._line.share[point])
            self._rig.controller.dwell(self._manner.dwell_s)
            settled, change_m = self._settle()
            self._rig.controller.dwell(self._averaging_s)
            for number, line in self._together:
                reading = self._rig.interferometers[line.beam].displacement()
                outcome = BEAM_LOST if not reading.valid else NOT_SETTLED if not settled else READ
                self._append(
                    POINT, number, run=run, direction=direction, point=point, attempt=attempt, outcome=outcome, settling_change_m=change_m,
                    displacement_m=reading.value, signal_quality=math.nan if reading.signal_quality is None else reading.signal_quality,
                )  # fmt: skip
                where = f"{line.name}, point {point + 1}, run {run + 1}, {'↑↓'[direction]}"
                if outcome != READ:
                    self._log("invalid reading", line=line.name, run=run, point=point, attempt=attempt, reason=reading.reason or "not settled")
                if outcome == BEAM_LOST:
                    break
            if outcome == READ:
                return
            if outcome == BEAM_LOST:
                break
        if outcome == BEAM_LOST:
            raise BeamLost(f"{where}: the interferometer has no valid reading. Its zero is lost with the beam: realign, and start the run again.")
        raise DeviceFault(
            f"{where}: no settled reading in {self._manner.repeats + 1} approaches; look for vibration or drift, or widen the settling tolerance "
            f"({self._manner.settling_tolerance_m * 1e6:g} µm)."
        )

    def _settle(self) -> tuple[bool, float]:
        """Wait until two readings one interval apart agree; whether they did, and the last change."""
        waited, before, change = 0.0, self._interferometer.displacement(), math.nan
        while waited < self._manner.settling_timeout_s:
            self._rig.controller.dwell(self._manner.settling_interval_s)
            waited += self._manner.settling_interval_s
            after = self._interferometer.displacement()
            if not (before.valid and after.valid):
                return True, math.nan  # the reading that follows is invalid too, and says why
            change = after.value - before.value
            if abs(change) <= self._manner.settling_tolerance_m:
                return True, change
            before = after
        return False, change

    def _move(self, share: float) -> None:
        place = {axis: value for axis, value in self._line.place(share).items() if axis in self._axes}
        self._rig.controller.move_to(place, feed_m_per_s=self._manner.feed_m_per_s)

    def _append(self, phase: int, number: int, *, point: int, **given: Any) -> None:
        air, share = self._environment.read(), self._line.share[point]
        place = self._line.place(share)
        self._sink.append_and_wait(block(
            COLUMNS, phase=phase, line=number, point=point, along_m=share * self._line.length_m, x_m=place["X"], y_m=place["Y"], z_m=place["Z"],
            air_temperature_k=air.air_temperature_k, air_pressure_pa=air.air_pressure_pa, relative_humidity=air.relative_humidity,
            material_temperature_k=air.material_temperature_k, **given,
        ))  # fmt: skip
