"""Grbl 1.1 and grblHAL as a motion controller. (FluidNC speaks alike, but keeps travel and feeds elsewhere than in `$$`: it is refused.)

One line at a time, each answered before the next (send-response), one target outstanding; the status is polled with the real-time `?`.
Any alarm, or a banner that was not asked for, latches FAULTED: nothing moves until a person has looked (`acknowledge_fault`) and the machine is homed
again. None of this replaces a hardware emergency stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from precision.drivers.caps import Caps
from precision.drivers.roles import Arc, Line
from precision.drivers.supervisor import EmergencyStop, Nobody, Watch
from precision.drivers.transport import SharedLink, Transport
from precision.errors import DeviceError, DeviceFault, LinkLost, PlanError, ProtocolError, SafetyStop

from . import codec
from .limits import Machine
from .path import chunks, program

_STATUS_WAIT_S: Final = 1.0
_SLACK_M: Final = 1e-9
"""Of a target at the soft limit: the arithmetic of offsets, far below a step."""
_IDLE_ELSEWHERE: Final = 5
"""Polls that may say Idle before a motion that was accepted has begun."""
_EMERGENCY: Final = EmergencyStop(
    hold=codec.FEED_HOLD, ask=codec.STATUS, standing=rb"<(?:Idle|Alarm|Check|Sleep|(?:Hold|Door)(?::0)?)[|>]", standstill_s=1.0,
    reset=codec.SOFT_RESET, restarted=rb"Grbl[^\r\n]*[\r\n]", latch=codec.FEED_HOLD,
)
"""A hold keeps the position; a reset while it still moves stops at once and loses it. In hold, lines are stored and move nothing."""
_SUPERVISED_POLL_S: Final = 0.2
_RX_BYTES: Final = 127
"""Of the firmware's receive buffer of 128, as its documentation tells senders to count."""
_Message = TypeVar("_Message", bound=codec.Message)


class Grbl:
    """A Grbl controller on an open link.

    poll_interval_s : between two status questions during a motion (the firmware asks for 10 Hz at most).
    settle_s : how long a banner is waited for after opening; None: 2 s on a serial port, since opening it resets many boards, else none.
    timeout_s : for the answer to one line.
    max_feed_m_per_s, max_acceleration_m_per_s2 : what is allowed below the controller's own $110 ... and $120 ... (see `caps`).
    clock, sleep : seconds; the tests bring their own.
    """

    def __init__(
        self, transport: Transport, *, poll_interval_s: float = 0.1, timeout_s: float = 3.0, stop_timeout_s: float = 5.0,
        settle_s: float | None = None, max_feed_m_per_s: float = math.inf, max_acceleration_m_per_s2: float = math.inf,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = transport
        self._caps = Caps(max_feed_m_per_s, max_acceleration_m_per_s2)
        self._watch: Watch = Nobody()
        self._poll_interval_s, self._timeout_s, self._stop_timeout_s = poll_interval_s, timeout_s, stop_timeout_s
        self._clock, self._sleep = clock, sleep
        self._homed = False
        self._fault = ""
        self._out_of_step = True
        self._ready = False
        self._machine: Machine | None = None
        self._offset: tuple[float, ...] = ()
        if settle_s is None:
            serial = transport.address.startswith("serial://") and "/dev/pts/" not in transport.address
            settle_s = 2.0 if serial else 0.0
        try:
            self._connect(settle_s)
        except BaseException:
            transport.close()
            raise

    # -- Device ------------------------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str:
        """Firmware version and build options, as the controller said them."""
        return self._known.identity

    def close(self) -> None:
        """Let go of the link. Does not stop a motion; `stop` does."""
        self._link.close()

    # -- Supervisable -------------------------------------------------------------------------------------------------------------

    @property
    def emergency(self) -> EmergencyStop:
        """Feed hold, a second for the standstill, reset, feed hold again."""
        return _EMERGENCY

    def stop_channel(self) -> int | None:
        """The descriptor of the link, where it has one."""
        return self._link.fileno() if isinstance(self._link, SharedLink) else None

    def watched_by(self, watch: Watch) -> None:
        """Tell `watch` of motions, and give it signs of life from wherever the link is waited for."""
        if isinstance(self._link, SharedLink):
            self._watch = watch
            self._link.alive = watch.alive
            self._poll_interval_s = min(self._poll_interval_s, _SUPERVISED_POLL_S)

    # -- MotionController ----------------------------------------------------------------------------------------------------------

    def home(self) -> None:
        """Reference all axes (`$H`).

        Raises
        ------
        SafetyStop      a fault is latched, homing is switched off, or an axis accelerates faster than allowed
        DeviceFault     homing failed
        """
        self._refuse_when_faulted()
        self._read_machine()
        if not self._known.homing:
            raise SafetyStop("Grbl: homing is off ($22=0), so positions cannot be trusted; set $22=1 once limit switches are wired")
        self._caps.check_acceleration("Grbl", self._known.acceleration_m_per_s2)
        self._homed = False
        self._watch.begin_motion()
        self._command("$H", self._known.homing_s + self._timeout_s)
        status = self._status()
        if status.state != "Idle":
            raise DeviceFault(f"Grbl: after homing the controller says {status.state}; expected Idle. Look at the machine, then home again")
        self._watch.end_motion()
        self._read_machine()
        self._homed = True

    @property
    def homed(self) -> bool:
        """Homed by this driver, and since then no alarm, reset or stop."""
        return self._homed

    @property
    def fault(self) -> str:
        """Why the controller is FAULTED; empty when it is not."""
        return self._fault

    def acknowledge_fault(self) -> None:
        """A person has looked at the machine and wants to go on. It must be homed again."""
        self._fault = ""

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        """Axis -> (lowest, highest) work position in m: travel less the homing pull-off, read back now.

        Raises
        ------
        SafetyStop      the controller does not keep its soft limits ($20=0)
        """
        self._read_machine()
        if not self._known.soft_limits:
            raise SafetyStop("Grbl: soft limits are off ($20=0), so nothing would keep the machine inside its travel; set $20=1 ($22=1 first)")
        return self._known.work_limits_m(self._offset)

    def max_feed(self) -> Mapping[str, float]:
        """Axis -> highest feed in m/s ($110 ... or the cap), read back now."""
        self._read_machine()
        return self._caps.feeds(self._known.max_feed_m_per_s)

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        """Straight line to `position_m` (work coordinates); returns when the controller stands there.

        Arrived means Idle, with each axis within half a step of its target, plus the rounding of the report (`Machine.arrival_m`).

        Raises
        ------
        SafetyStop      before anything moves: not homed, faulted, outside the soft limits, too fast, not standing still
        DeviceFault     alarm, hold, or not there in time
        """
        self._check_target(position_m, feed_m_per_s)
        status = self._status()
        if status.state != "Idle":
            raise SafetyStop(f"Grbl: the controller says {status.state}, not Idle; nothing was sent. Look at the machine, then start again")
        start = self._work_m(status)
        # What leaves this method by an exception leaves the supervisor on guard until `stop` has confirmed a standstill.
        self._watch.begin_motion()
        self._command(codec.move({axis: value * 1e3 for axis, value in position_m.items()}, feed_m_per_s * 60e3), self._timeout_s)
        distance = math.sqrt(sum((value - start[axis]) ** 2 for axis, value in position_m.items()))
        self._await_arrival(position_m, self._known.motion_s(distance, feed_m_per_s, position_m))
        self._watch.end_motion()

    def follow(self, path: Sequence[Line | Arc], *, feed_m_per_s: float) -> None:
        """Lines and arcs one after another without waiting in between (see `roles.PathController`); an arc runs within $12 of its circle.

        Lines go out as many at once as the controller's receive buffer takes, so that the planner joins arcs that belong together.

        Raises
        ------
        SafetyStop, DeviceFault     as `move_to`; soft limits are looked at over the whole way
        PlanError                   a path that G-code cannot say, or that ends where it begins
        """
        self._refuse_when_faulted()
        status = self._status()
        if status.state != "Idle":
            raise SafetyStop(f"Grbl: the controller says {status.state}, not Idle; nothing was sent. Look at the machine, then start again")
        start = self._work_m(status)
        ready = program(path, start, feed_m_per_s)
        for corner in ready.corners_m:
            self._check_target(corner, feed_m_per_s)
        if all(abs(value - start[axis]) <= 2 * self._arrival_m(axis, value) for axis, value in ready.end_m.items()):
            raise PlanError("Grbl: the path ends where it begins, so nobody could see that it has ended; let it end elsewhere")
        self._command(ready.modes)
        self._watch.begin_motion()
        for chunk in chunks(ready.lines, _RX_BYTES):
            self._send(chunk)
        self._await_arrival(ready.end_m, self._known.motion_s(ready.length_m, feed_m_per_s, ready.end_m) * len(path))
        self._watch.end_motion()

    def dwell(self, duration_s: float) -> None:
        """Stand still for `duration_s` of the controller's time (`G4`)."""
        if not 0 <= duration_s <= 86_400:
            raise PlanError(f"Grbl: a dwell of {duration_s} s; expected 0 ... 86400 s")
        self._command(codec.dwell(duration_s), 1.5 * duration_s + self._timeout_s)

    def position(self) -> Mapping[str, float]:
        """Axis -> work position in m as the controller reports it now."""
        return self._work_m(self._status())

    def stop(self) -> None:
        """Feed hold, wait until it stands, soft reset, FAULTED. Safe at any time, twice, and after a fault.

        Raises
        ------
        DeviceError     at the end, when everything has been tried and standstill is not confirmed
        """
        self._homed = False
        self._fault = self._fault or "it was stopped"
        troubles: list[str] = []
        done: list[bool] = []
        for step in (self._hold_until_standing, self._soft_reset, self._stands_after_reset):
            try:
                done.append(step())
            except Exception as trouble:  # whatever happens, the next step is tried
                done.append(False)
                troubles.append(str(trouble))
        stood, was_reset, stands = done
        if not (stands or (stood and was_reset)):
            missing = "; ".join(troubles) or ("no banner came after the reset" if stood else "it went on reporting motion, or reported nothing")
            raise DeviceError(f"Grbl at {self._link.address}: feed hold and reset were sent, but a stop is not confirmed ({missing}). Use the emergency stop")
        self._watch.end_motion()

    # -- steps of a stop -----------------------------------------------------------------------------------------------------------

    def _hold_until_standing(self) -> bool:
        self._link.write(codec.FEED_HOLD, timeout_s=_STATUS_WAIT_S)
        self._link.drain()  # an old report must not be taken for the standstill
        deadline = self._clock() + self._stop_timeout_s
        silent = 0
        while self._clock() < deadline and silent < 2:
            status = self._find(codec.Status, codec.STATUS, min(_STATUS_WAIT_S, self._stop_timeout_s))
            if status is None:
                silent += 1  # while homing, or after an alarm that wants a reset, the firmware answers no questions
            elif status.state in ("Idle", "Alarm", "Check", "Sleep") or (status.state in ("Hold", "Door") and status.substate in (0, None)):
                return True
            else:
                self._sleep(min(self._poll_interval_s, 0.1))
        return False

    def _soft_reset(self) -> bool:
        """A reset stops the step pulses at once; its banner also says that all earlier answers are through."""
        came = self._find(codec.Banner, codec.SOFT_RESET, self._timeout_s) is not None
        self._out_of_step = not came
        return came

    def _stands_after_reset(self) -> bool:
        self._link.drain()
        for _ in range(2):
            status = self._find(codec.Status, codec.STATUS, _STATUS_WAIT_S)
            if status is not None and status.state in ("Idle", "Alarm", "Check", "Sleep"):
                return True
        return False

    def _find(self, kind: type[_Message], ask: bytes, timeout_s: float) -> _Message | None:
        """Send a real-time command and wait for a message of a kind, whatever else comes; None if it does not come."""
        self._link.write(ask, timeout_s=_STATUS_WAIT_S)
        deadline = self._clock() + timeout_s
        while (left := deadline - self._clock()) > 0:
            try:
                message = codec.decode(self._link.read_until(b"\n", timeout_s=left, limit=codec.LINE_BYTES))
            except ProtocolError:
                continue
            except LinkLost:
                if self._clock() < deadline:
                    raise  # gone, not late
                break
            if isinstance(message, kind):
                return message
        self._out_of_step = True
        return None

    # -- conversation ----------------------------------------------------------------------------------------------------------------

    def _connect(self, settle_s: float) -> None:
        deadline = self._clock() + settle_s
        while (left := deadline - self._clock()) > 0:
            if b"Grbl" in self._link.read_available(left):
                break
        self._link.drain()
        status = self._status()
        if status.state == "Hold":  # left by a stop that was cut off; a reset moves nothing
            self._soft_reset()
            status = self._status()
        if status.state not in ("Idle", "Alarm"):
            raise DeviceFault(f"Grbl at {self._link.address} says {status.state}: another program moves it. Stop it, then connect again")
        self._read_machine()
        self._ready = True

    @property
    def _known(self) -> Machine:
        if self._machine is None:
            raise LinkLost(f"Grbl at {self._link.address}: not connected. Connect again")
        return self._machine

    def _read_machine(self) -> None:
        """Version, options, settings, offsets: all that positions and limits depend on."""
        info, settings = self._command("$I"), self._command("$$")
        points, modal = self._command("$#"), self._command("$G")
        self._machine = Machine.read(info, settings)
        offsets = {message.name: message.values for message in points if isinstance(message, codec.Point)}
        active = next((message.text.split() for message in modal if isinstance(message, codec.Bracket) and message.name == "GC"), [])
        system = next((word for word in active if word in offsets and word.startswith("G5")), None)
        if system is None:
            raise ProtocolError(f"Grbl: $G names no coordinate system of $#: {' '.join(active)[:80]!r}")
        self._offset = codec.work_offset(offsets, system, len(self._known.axes))

    def _next(self, timeout_s: float) -> codec.Message | None:
        """The next message. An alarm or an unexpected banner latches the fault."""
        try:
            line = self._link.read_until(b"\n", timeout_s=timeout_s, limit=codec.LINE_BYTES)
            message = codec.decode(line)
        except (LinkLost, ProtocolError):
            self._out_of_step = True
            raise
        if isinstance(message, codec.Alarm):
            self._latch(str(message))
        if isinstance(message, codec.Banner) and self._ready:
            self._latch("it was reset (its banner came)")
        return message

    def _latch(self, why: str) -> None:
        self._homed = False
        self._out_of_step = True
        self._fault = why
        raise DeviceFault(f"Grbl: {why}. Look at the machine, free it, and home it again before going on")

    def _refuse_when_faulted(self) -> None:
        if self._fault:
            raise SafetyStop(f"Grbl is FAULTED: {self._fault}. Look at the machine, then connect again and home it")

    def _command(self, text: str, timeout_s: float | None = None) -> list[codec.Message]:
        """Send a line and return what came before its `ok`."""
        self._refuse_when_faulted()
        if self._out_of_step or self._link.dirty:
            self._back_in_step()
        self._out_of_step = True  # until it is answered
        self._link.write(codec.encode_line(text), timeout_s=self._timeout_s)
        found = self._until_answered(self._timeout_s if timeout_s is None else timeout_s, text)
        self._out_of_step = False
        return found

    def _send(self, lines: Sequence[str]) -> None:
        """Send lines in one piece and return when each is answered: planned, not done."""
        self._refuse_when_faulted()
        if self._out_of_step or self._link.dirty:
            self._back_in_step()
        self._out_of_step = True
        self._link.write(b"".join(codec.encode_line(line) for line in lines), timeout_s=self._timeout_s)
        for line in lines:
            self._until_answered(self._timeout_s + self._known.homing_s, line)  # a full planner answers when a piece of the way is done
        self._out_of_step = False

    def _until_answered(self, timeout_s: float, text: str) -> list[codec.Message]:
        found: list[codec.Message] = []
        deadline = self._clock() + timeout_s
        while len(found) < 1000:
            message = self._next(max(deadline - self._clock(), 0.0))
            if isinstance(message, codec.Ok):
                return found
            if isinstance(message, codec.Refused):
                self._out_of_step = False
                raise DeviceFault(f"Grbl refuses {text!r}: {message}")
            if message is not None:
                found.append(message)
        raise ProtocolError(f"Grbl: more than 1000 lines in answer to {text!r}. Check the address")

    def _back_in_step(self) -> None:
        """Answers carry no number, but come in order: what follows the `[GC:` of a `$G` is the answer to that `$G` and to no earlier line.

        A second attempt asks for `[VER:` instead, since the first `[GC:` may still be under way.
        """
        for question, name in (("$G", "GC"), ("$I", "VER")):
            self._link.drain()
            self._link.write(codec.encode_line(question), timeout_s=self._timeout_s)
            deadline = self._clock() + self._timeout_s
            try:
                while (left := deadline - self._clock()) > 0:
                    message = self._next(left)
                    if isinstance(message, codec.Bracket) and message.name == name:
                        self._until_answered(max(deadline - self._clock(), 0.0), question)
                        self._out_of_step = False
                        return
            except LinkLost:
                continue
        raise LinkLost(f"Grbl at {self._link.address}: answers are out of step and two questions went unanswered. Connect again")

    def _status(self) -> codec.Status:
        """Ask `?` and wait for the report."""
        self._link.write(codec.STATUS, timeout_s=self._timeout_s)
        deadline = self._clock() + self._timeout_s
        while True:
            message = self._next(max(deadline - self._clock(), 0.0))
            if isinstance(message, codec.Status):
                return message
            if isinstance(message, codec.Ok | codec.Refused) and self._ready:
                self._out_of_step = True

    # -- motion ------------------------------------------------------------------------------------------------------------------------

    def _check_target(self, position_m: Mapping[str, float], feed_m_per_s: float) -> None:
        """All that keeps a target from being sent."""
        self._refuse_when_faulted()
        if not self.homed:
            raise SafetyStop("Grbl: not homed, positions are not to be trusted; home first")
        if not self._known.soft_limits:
            raise SafetyStop("Grbl: soft limits are off ($20=0); set $20=1 before moving")
        limits, fastest = self._known.work_limits_m(self._offset), self._caps.feeds(self._known.max_feed_m_per_s)
        unknown = sorted(set(position_m) - set(limits))
        if unknown or not position_m:
            raise PlanError(f"Grbl: axes {', '.join(unknown)[:40] or '(none)'}; the controller has {', '.join(limits)}")
        for axis, value in position_m.items():
            low, high = limits[axis]
            if not low - _SLACK_M <= value <= high + _SLACK_M:
                raise SafetyStop(f"Grbl: {axis} = {value * 1e3:.6g} mm is outside the soft limits {low * 1e3:.6g} ... {high * 1e3:.6g} mm; nothing was sent")
        highest = min(fastest[axis] for axis in position_m)
        # The feed is written with 3 decimals of mm/min; less than half of the last one would be no feed at all.
        if not 1e-3 / 60e3 <= feed_m_per_s <= highest * (1 + 1e-12):
            raise SafetyStop(f"Grbl: feed {feed_m_per_s * 60e3:.6g} mm/min; allowed are 0.001 ... {highest * 60e3:.6g} mm/min ($110 ... or max_feed_m_per_s); nothing was sent")
        self._caps.check_acceleration("Grbl", {axis: self._known.acceleration_m_per_s2[axis] for axis in position_m})

    def _await_arrival(self, position_m: Mapping[str, float], expected_s: float) -> None:
        deadline = self._clock() + 1.5 * expected_s + self._timeout_s
        idle_elsewhere = 0
        while True:
            status = self._status()
            here = self._work_m(status)
            if status.state == "Idle":
                off = {axis: here[axis] - value for axis, value in position_m.items() if abs(here[axis] - value) > self._arrival_m(axis, value)}
                if not off:
                    return
                idle_elsewhere += 1
                if idle_elsewhere >= _IDLE_ELSEWHERE:
                    where = ", ".join(f"{axis} off by {value * 1e6:+.3f} µm" for axis, value in off.items())
                    raise DeviceFault(f"Grbl stands still away from its target ({where}). Stop, home again, and check steps/mm ($100 ...) and offsets")
            elif status.state == "Alarm":
                self._latch("it reports Alarm during a motion")
            elif status.state != "Run":
                raise DeviceFault(f"Grbl says {status.state} during a motion: somebody held it. Stop, look at the machine, home again")
            if self._clock() > deadline:
                raise DeviceFault(f"Grbl has not arrived after {1.5 * expected_s + self._timeout_s:.3g} s (expected {expected_s:.3g} s). Stop, and look at the machine")
            self._sleep(self._poll_interval_s)

    def _work_m(self, status: codec.Status) -> dict[str, float]:
        """Axis -> work position of a report in m. A report's WCO replaces the known one."""
        axes, unit_m = self._known.axes, self._known.report_unit_m
        if status.offset is not None:
            self._offset = status.offset
        if status.work is not None:
            values = status.work
        else:
            values = tuple(a - b for a, b in zip(status.machine or (), self._offset, strict=False))
        if len(values) != len(axes) or len(self._offset) != len(axes):
            self._out_of_step = True
            raise ProtocolError(f"Grbl: a status report with {len(values)} axes; expected {len(axes)} ({''.join(axes)})")
        return {axis: value * unit_m for axis, value in zip(axes, values, strict=True)}

    def _arrival_m(self, axis: str, target_m: float) -> float:
        return self._known.arrival_m(axis, target_m, self._offset)
