"""LinuxCNC as a motion controller: orders over linuxcncrsh, and what is done seen in servo cycles by the program beside it (stream.py).

Positions are machine coordinates (G53). A move is over when every command and feedback has stood still for some servo cycles, with the command at its target;
a dwell is a number of servo cycles (G4 is timed on the computer's clock, and may shrink to nothing under load). One target at a time. Emergency stop, machine
off, following error and errors of the controller latch FAULTED. None of this replaces a hardware emergency stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from precision.drivers.caps import Caps
from precision.drivers.roles import Arc, Line
from precision.drivers.supervisor import EmergencyStop, Nobody, Watch
from precision.drivers.transport import SharedLink
from precision.errors import DeviceError, DeviceFault, PlanError, SafetyStop

from . import codec
from .beside import AxisLimits, Beside
from .connection import Place
from .path import program
from .shell import TAKEN, Shell

_STATE_S: Final = 5.0
"""How long a change of state may take (wall time)."""
_STALLED_S: Final = 15.0
"""A move whose command has not changed for so long (wall time) will not arrive."""
_POLL_S: Final = 0.005
_SLACK_M: Final = 1e-9
_STANDING_CYCLES: Final = 10
_SETTLING_S: Final = 5.0
_IDLE: Final = 1
_EMERGENCY: Final = EmergencyStop(
    hold=b"\r\nset enable EMCTOO\r\nset abort\r\n", ask=b"get machine\r\n", standing=rb"MACHINE OFF", standstill_s=1.0, reset=b"set estop on\r\nget estop\r\n",
    restarted=rb"ESTOP ON", latch=b"set estop on\r\n",
)  # fmt: skip
"""Abort decelerates on the path and keeps the position; emergency stop a second later takes the drives' enable away and latches."""


class LinuxCnc:
    """A LinuxCNC controller.

    place : where it is. timeout_s : for an answer. standstill_m : how far a feedback may wander in a standstill (counts of its encoder).
    max_feed_m_per_s, max_acceleration_m_per_s2 : what is allowed below the controller's own MAX_VELOCITY and MAX_ACCELERATION (see `caps`).
    """

    def __init__(
        self, place: Place, *, timeout_s: float = 5.0, standstill_m: float = 2e-6, max_feed_m_per_s: float = math.inf,
        max_acceleration_m_per_s2: float = math.inf, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._place, self._timeout_s, self._standstill_m = place, timeout_s, standstill_m
        self._caps = Caps(max_feed_m_per_s, max_acceleration_m_per_s2)
        self._clock, self._sleep = clock, sleep
        self._watch: Watch = Nobody()
        self._fault = ""
        self._shell: Shell
        self._beside: Beside
        try:
            self._connect()
        except BaseException:
            place.release()
            raise

    def _connect(self) -> None:
        self._beside = self._place.beside(timeout_s=self._timeout_s)
        try:
            self._shell = self._place.shell(timeout_s=self._timeout_s)
        except BaseException:
            self._beside.close()
            raise

    # -- Device ----------------------------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str:
        """Version of LinuxCNC and name of the machine, as its INI file has it."""
        return self._beside.frames.identity

    @property
    def simulated(self) -> bool:
        """Whether the mechanics behind it are simulated."""
        return self._beside.frames.simulated

    @property
    def beside(self) -> Beside:
        """The program beside the controller, for questions that roles do not ask."""
        return self._beside

    def another_beside(self) -> Beside:
        """One more connection to the program beside the controller, for a stream; whoever asks closes it."""
        return self._place.beside(timeout_s=self._timeout_s)

    def close(self) -> None:
        """Let go of the links. Does not stop a motion; `stop` does."""
        self._shell.close()
        self._beside.close()
        self._place.release()

    # -- Supervisable ----------------------------------------------------------------------------------------------------------------

    @property
    def emergency(self) -> EmergencyStop:
        """Abort, a second for the standstill, emergency stop."""
        return _EMERGENCY

    def stop_channel(self) -> int | None:
        """The descriptor of the text server's link."""
        return self._shell.link.fileno() if isinstance(self._shell.link, SharedLink) else None

    def watched_by(self, watch: Watch) -> None:
        """Tell `watch` of motions, and give it signs of life from wherever a link is waited for."""
        self._watch = watch
        for link in (self._shell.link, self._beside.link):
            if isinstance(link, SharedLink):
                link.alive = watch.alive

    # -- MotionController ------------------------------------------------------------------------------------------------------------

    def home(self) -> None:
        """Out of emergency stop, on, and all joints referenced as the INI file says.

        Raises
        ------
        SafetyStop      a fault is latched, or an axis accelerates faster than allowed
        DeviceFault     it stays in emergency stop, off, or unreferenced
        """
        self._refuse_when_faulted()
        self._check_acceleration(self._beside.limits())
        shell = self._shell
        shell.take_control()
        shell.errors()
        for what, wanted in (("estop", "OFF"), ("machine", "ON")):
            if shell.get(what).text != wanted:
                # Accepted is not done: sent in the wrong state it is acknowledged and dropped.
                shell.set(f"{what} {wanted.lower()}")
                shell.until(what, lambda answer, wanted=wanted: answer.text == wanted, within_s=_STATE_S, doing=f"switching {what} {wanted.lower()}")  # type: ignore[misc]
        self._mode("MANUAL")
        shell.set("teleop_enable off")
        self._watch.begin_motion()
        shell.set("home -1")
        deadline = self._clock() + 600.0
        while not self._beside.state()["homed"]:
            if errors := shell.errors():
                raise self._latched(f"homing: {'; '.join(errors)}")
            if self._clock() > deadline:
                raise self._latched("homing has not ended within 600 s")
            self._refuse_unless_on()
            self._sleep(_POLL_S)
        self._stand(_SETTLING_S)
        self._watch.end_motion()

    @property
    def homed(self) -> bool:
        """The controller says that all joints are, and this driver has not stopped it."""
        return not self._fault and bool(self._beside.state()["homed"])

    @property
    def fault(self) -> str:
        """Why the controller is FAULTED; empty when it is not."""
        return self._fault

    def acknowledge_fault(self) -> None:
        """A person has looked at the machine and wants to go on. It must be homed again."""
        self._fault = ""

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        """Linear axis -> (lowest, highest) machine position in m, the narrower of axis and joint, read back now."""
        return {axis: (kept.low_m, kept.high_m) for axis, kept in self._beside.limits().items()}

    def max_feed(self) -> Mapping[str, float]:
        """Linear axis -> highest feed in m/s, of axis and path, or the cap."""
        return self._caps.feeds({axis: kept.feed_m_per_s for axis, kept in self._beside.limits().items()})

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        """Straight line to `position_m` (machine coordinates); returns when command and feedback stand there.

        Raises
        ------
        SafetyStop      before anything moves: faulted, not homed, outside the soft limits, too fast, a program runs, in emergency stop
        DeviceFault     an error of the controller, emergency stop, a following error, or not there
        """
        self._check_target(position_m, feed_m_per_s)
        self._mode("MDI")
        self._shell.errors()
        # What leaves this method by an exception leaves the supervisor on guard until `stop` has confirmed a standstill.
        self._watch.begin_motion()
        self._shell.set(codec.straight_line({axis: value * 1e3 for axis, value in position_m.items()}, feed_m_per_s * 60e3)[4:])
        self._await_arrival(position_m)
        self._stand(_SETTLING_S)
        # The interpreter learns of the end a task cycle after the joints; until then the next order would be refused.
        deadline = self._clock() + _STATE_S
        while self._beside.state()["interpreter"] != _IDLE and self._clock() < deadline:
            self._sleep(_POLL_S)
        self._watch.end_motion()

    def follow(self, path: Sequence[Line | Arc], *, feed_m_per_s: float) -> None:
        """Lines and arcs as one program, corners exact (see `roles.PathController`); soft limits are looked at over the whole way.

        Raises
        ------
        SafetyStop, DeviceFault     as `move_to`
        PlanError                   a path that G-code cannot say
        """
        row, external = self._beside.row(), self._beside.external_m()
        start = {axis: row[f"{axis.lower()}_cmd"] - external.get(axis, 0.0) for axis in self._beside.axes}
        ready = program(path, start, feed_m_per_s, self._beside.origin())
        for corner in ready.corners_m:
            self._check_target(corner, feed_m_per_s)
        self.run_program(ready.text, name="path")
        self._await_arrival(ready.end_m)

    def dwell(self, duration_s: float) -> None:
        """Stand still for `duration_s` of the controller's time, counted in servo cycles."""
        if not 0 <= duration_s <= 86_400:
            raise PlanError(f"LinuxCNC: a dwell of {duration_s} s; expected 0 ... 86400 s")
        if duration_s > 0:
            self._beside.wait(duration_s)

    def position(self) -> Mapping[str, float]:
        """Axis -> machine position in m from the motors' encoders, without compensation and external offsets (as the controller shows it)."""
        row, external = self._beside.row(), self._beside.external_m()
        return {
            axis: row[f"{a}_fb"] - (row[f"{a}_mcmd"] - row[f"{a}_cmd"]) - external.get(axis, 0.0)
            for axis in self._beside.axes if f"{(a := axis.lower())}_fb" in row
        }  # fmt: skip

    def stop(self) -> None:
        """Abort, see the standstill in servo cycles, FAULTED; emergency stop where no standstill is seen. Safe at any time, twice, and after a fault.

        Raises
        ------
        DeviceError     everything has been tried and neither a standstill nor the emergency stop is confirmed
        """
        self._fault = self._fault or "it was stopped"
        troubles = []
        for step in (self._abort, self._emergency_stop):
            try:
                step()
                self._watch.end_motion()
                return
            except Exception as trouble:  # whatever happens, the next step is tried
                troubles.append(str(trouble))
        raise DeviceError(
            f"LinuxCNC at {self._place.address}: abort and emergency stop were sent, but a stop is not confirmed ({'; '.join(troubles)[:600]}). Use the emergency stop"
        )

    def _abort(self) -> None:
        self._shell.take_control()
        self._shell.set("abort")
        self._beside.still(_STANDING_CYCLES, self._beside.cycles(_SETTLING_S), self._standstill_m)

    def _emergency_stop(self) -> None:
        """On a fresh connection: the old one may be in the middle of something."""
        self._shell.close()
        self._shell = self._place.shell(timeout_s=self._timeout_s)
        self._shell.set("estop on")
        self._shell.until("estop", lambda answer: answer.text == "ON", within_s=_STATE_S, doing="emergency stop")

    # -- programs --------------------------------------------------------------------------------------------------------------------

    def run_program(self, text: str, *, name: str = "precision", longest_s: float = 3600.0, look: Callable[[], None] | None = None) -> None:
        """Run a G-code program to its end. look : called some hundred times a second meanwhile, for example to read a stream.

        Raises
        ------
        SafetyStop      before anything moves, as `move_to`
        DeviceFault     the controller refuses a line, stops, or the program takes longer than `longest_s` (wall time)
        """
        self._refuse_unless_ready()
        path = self._beside.program(name, text)
        self._mode("AUTO")
        self._shell.errors()
        self._shell.set(f"open {path}")
        self._watch.begin_motion()
        self._shell.set("run")
        began, started = self._clock(), False
        while True:
            state = self._beside.state()
            started = started or state["interpreter"] != _IDLE
            if errors := self._shell.errors():
                raise self._latched(f"program {name}: {'; '.join(errors)} (line {state['line']})")
            self._refuse_unless_on(state)
            if state["interpreter"] == _IDLE and (started or self._clock() - began > 1.0):
                break
            if self._clock() - began > longest_s:
                raise self._latched(f"program {name} has not ended within {longest_s:g} s (line {state['line']})")
            if look is not None:
                look()
            self._sleep(_POLL_S)
        self._stand(_SETTLING_S)
        self._watch.end_motion()

    def program_origin(self) -> tuple[str, Mapping[str, float]]:
        """The active coordinate system, and axis -> what it, G92 and tool length add to a program's coordinates to make machine coordinates, m."""
        origin = self._beside.origin()
        return origin.system, origin.offset_m

    # -- restart -----------------------------------------------------------------------------------------------------------------------

    def restart(self, *, within_s: float = 90.0) -> None:
        """Have the controller restarted, where that is allowed, and connect again. It is in emergency stop then, and not homed.

        Raises
        ------
        SafetyStop      something moves
        DeviceFault     restarting is not allowed from here: do it by hand
        LinkLost        it has not come back within `within_s`
        """
        if self._beside.state()["interpreter"] != _IDLE:
            raise SafetyStop("LinuxCNC runs a program; a restart would end it. Stop it first")
        self._beside.restart()
        self.reconnect(within_s=within_s)

    def reconnect(self, *, within_s: float = 30.0) -> None:
        """Let go of the links and take new ones, as after a restart or a conversation that was cut short; raises `LinkLost` where nobody answers within `within_s`."""
        self._shell.close()
        self._beside.close()
        deadline = self._clock() + within_s
        while True:
            self._sleep(0.2)
            try:
                self._connect()
                break
            except DeviceError:
                if self._clock() > deadline:
                    raise
        self.watched_by(self._watch)

    # -- steps -----------------------------------------------------------------------------------------------------------------------

    def _mode(self, name: str) -> None:
        if self._shell.get("mode").text != name:
            self._shell.set(f"mode {name.lower()}")
            self._shell.until("mode", lambda answer: answer.text == name, within_s=_STATE_S, doing=f"changing to mode {name.lower()}")

    def _check_target(self, position_m: Mapping[str, float], feed_m_per_s: float) -> None:
        limits = self._beside.limits()
        fastest = self._caps.feeds({axis: kept.feed_m_per_s for axis, kept in limits.items()})
        if not position_m or not (math.isfinite(feed_m_per_s) and feed_m_per_s > 0):
            raise SafetyStop(f"LinuxCNC: a move to {dict(position_m)} at {feed_m_per_s} m/s; an axis and a feed above 0 are expected. Nothing was sent")
        for axis, value in position_m.items():
            if axis not in limits:
                raise SafetyStop(f"LinuxCNC has no linear axis {axis}; it has {', '.join(limits)}. Nothing was sent")
            low, high = limits[axis].low_m, limits[axis].high_m
            if not low - _SLACK_M <= value <= high + _SLACK_M:
                raise SafetyStop(f"LinuxCNC: {axis} {value * 1e3:.4f} mm is outside its soft limits {low * 1e3:g} … {high * 1e3:g} mm. Nothing was sent")
            if feed_m_per_s > fastest[axis] * (1 + 1e-9):
                raise SafetyStop(f"LinuxCNC: {feed_m_per_s * 60e3:g} mm/min is faster than {axis} may go ({fastest[axis] * 60e3:g} mm/min). Nothing was sent")
        self._check_acceleration({axis: limits[axis] for axis in position_m})
        self._refuse_unless_ready()

    def _check_acceleration(self, limits: Mapping[str, AxisLimits]) -> None:
        self._caps.check_acceleration("LinuxCNC", {axis: kept.acceleration_m_per_s2 for axis, kept in limits.items()})

    def _refuse_unless_ready(self) -> None:
        self._refuse_when_faulted()
        if not self._shell.in_control():
            raise SafetyStop(f"LinuxCNC: {TAKEN}. Nothing was sent")
        state = self._beside.state()
        if state["estop"] or not state["on"]:
            raise SafetyStop(f"LinuxCNC is {'in emergency stop' if state['estop'] else 'off'}; nothing was sent. Home it first")
        if not state["homed"]:
            raise SafetyStop("LinuxCNC is not homed, so positions cannot be trusted; nothing was sent. Home it first")
        if state["interpreter"] != _IDLE:
            raise SafetyStop("LinuxCNC runs a program; nothing was sent. Wait for its end, or stop it")

    def _refuse_when_faulted(self) -> None:
        if self._fault:
            raise SafetyStop(f"LinuxCNC is FAULTED: {self._fault}. Look at the machine, then connect again and home it")

    def _refuse_unless_on(self, state: Mapping[str, Any] | None = None) -> None:
        """Latch what took the machine out of its motion."""
        now = self._beside.state() if state is None else state
        if now["estop"] or not now["on"] or now["following_error_fault"]:
            said = self._shell.errors()
            what = "following error" if now["following_error_fault"] else "emergency stop" if now["estop"] else "it was switched off"
            raise self._latched(f"{what}{f' ({chr(59).join(said)})' if said else ''}")

    def _latched(self, why: str) -> DeviceFault:
        self._fault = why
        return DeviceFault(f"LinuxCNC: {why}. Look at the machine, then home it again before going on")

    def _await_arrival(self, position_m: Mapping[str, float]) -> None:
        """Until every command is at its target; the command is what the controller computes, so it is there to the last digit that was sent."""
        last: dict[str, float] = {}
        changed = self._clock()
        while True:
            row = self._beside.row()
            commands = {axis: row[f"{axis.lower()}_cmd"] for axis in position_m}
            # The MDI line has 0.1 nm.
            if all(abs(commands[axis] - value) <= 1e-9 for axis, value in position_m.items()):
                return
            # Offsets of a correction beside the controller are on the joints' commands, and are whole once it has caught up.
            external = self._beside.external_m()
            if all(abs(commands[axis] - external.get(axis, 0.0) - value) <= 2e-9 for axis, value in position_m.items()):
                return
            # First what took the machine out of its motion, then what the controller says of orders it could not obey because of that.
            self._refuse_unless_on()
            if errors := self._shell.errors():
                raise self._latched("; ".join(errors))
            if commands != last:
                last, changed = commands, self._clock()
            elif self._clock() - changed > _STALLED_S:
                where = ", ".join(f"{axis} {value * 1e3:.4f} mm" for axis, value in commands.items())
                raise self._latched(f"the command stands at {where} and does not come to its target; is feed hold, single step or a feed override of 0 on?")
            self._sleep(_POLL_S)

    def _stand(self, longest_s: float) -> None:
        try:
            self._beside.still(_STANDING_CYCLES, self._beside.cycles(longest_s), self._standstill_m)
        except DeviceFault as moving:
            raise self._latched(f"no standstill: {moving}") from moving
        self._refuse_unless_on()


def connect(
    address: str, *, timeout_s: float = 5.0, standstill_m: float = 2e-6, max_feed_m_per_s: float = math.inf, max_acceleration_m_per_s2: float = math.inf
) -> LinuxCnc:
    """The controller at a `linuxcnc://` address.

    Raises
    ------
    PlanError       the address
    DeviceError     nobody there, the wrong version, or no private controller can be started: why
    """
    return LinuxCnc(
        Place(address), timeout_s=timeout_s, standstill_m=standstill_m, max_feed_m_per_s=max_feed_m_per_s, max_acceleration_m_per_s2=max_acceleration_m_per_s2
    )
