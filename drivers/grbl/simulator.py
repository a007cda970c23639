"""How a Grbl 1.1h controller talks. What it moves is behind `Mechanics`.

Bytes in, bytes out; time is an argument. The machine's own (lab) time advances only when a motion, dwell or homing is over, by exactly its
duration; asking for status never advances it. From memory of the firmware's documentation, tested against a recorded conversation
with the real firmware.

An arc is the exact circle (the firmware runs chords within $12 of it). Arcs that arrive in one piece and go on about one centre are one motion, as the
firmware's planner makes them, and every other motion ends at standstill. Soft limits are looked at over the whole arc before it begins.

Not simulated: probing, helices, G28/G30, safety door, sleep and overrides (their bytes are ignored, 100 % is reported).
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from . import gcode
from .activity import Activity, Kind
from .mechanics import Mechanics as Mechanics
from .settings import DEFAULTS, as_text, assigned, travel_mm

PLANNER_BLOCKS: Final = 15
RX_BYTES: Final = 128
LINE_CHARACTERS: Final = 80
"""Of the firmware's line buffer; the last one is for the terminating zero."""
WCO_EVERY: Final = {"idle": 10, "busy": 30}
"""Reports between two with WCO, from memory of the firmware's defaults; descriptions disagree on which is which."""
OVERRIDES_EVERY: Final = {"idle": 10, "busy": 20}

LOCKED, NOT_IDLE, OVERFLOW, HOMING_OFF = 9, 8, 11, 5
ALARM_SOFT_LIMIT, ALARM_RESET_IN_MOTION, ALARM_HOMING_RESET = 2, 3, 6
_NEEDS_STANDSTILL: Final = re.compile(r"G(?:0?4|10)(?![.\d])")
_ARC: Final = re.compile(r"(?:G(?:0?[23]|17|18|19|90|21|94))*(?:[XYZIJKRF][-+.\d]+)+$")
"""What may go on with an arc: an arc by word or by the mode that holds."""
_BUSY: Final = ("Run", "Jog", "Home", "Hold:0", "Hold:1")


class GrblSimulator:
    """A Grbl 1.1h controller.

    settings : changes to `settings.DEFAULTS` ($ number -> value, in the firmware's units).
    time_scale : lab seconds per wall second; infinite means that nothing is waited for.
    options : flags of `[OPT:...]`; with "Z" the machine origin is where homing ended.
    pins : what the `Pn:` field of status reports shows.
    """

    def __init__(
        self, machine: Mechanics, *, settings: Mapping[int, float] | None = None, time_scale: float = math.inf,
        axes: tuple[str, ...] = ("X", "Y", "Z"), version: str = "1.1h.20190830", options: str = "V", pins: str = "",
    ) -> None:
        if not time_scale > 0:
            raise ValueError(f"time_scale is {time_scale}; expected lab seconds per wall second, more than 0")
        self.machine = machine
        self.settings = {**DEFAULTS, **(settings or {})}
        self.time_scale = time_scale
        self.axes = axes
        self.version, self.options, self.pins = version, options, pins
        self.alarmed = bool(self.settings[22])
        self._gcode = gcode.Interpreter(axes)
        self._steps = dict.fromkeys(axes, 0)
        self._line = bytearray()
        self._overflow = False
        self._comment = b""
        self._rx: deque[int] = deque()
        self._planner: deque[gcode.Move | gcode.Arc] = deque()
        self._arc_waits = False
        """An arc begins when all bytes that have arrived are through: the next line may go on with it."""
        self._activity: Activity | None = None
        self._held: Activity | None = None
        self._hold_reports = -1  # -1 not in hold, 1 still to report Hold:1, 0 Hold:0
        self._critical = False
        self._checking = False
        self._report_wanted = False
        self._waiting_line: str | None = None
        self._wco_counter = self._overrides_counter = 0
        self._out = bytearray()
        self._read_position(1.0)
        self._gcode.position_mm = self._machine_mm()
        self._banner()

    # -- what the server calls ------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        """Bytes from the host; returns what the controller sends now."""
        self._advance(now_wall_s)
        for byte in data:
            self._byte(byte, now_wall_s)
            self._advance(now_wall_s)
        self._arcs_begin(now_wall_s)
        return self._taken()

    def poll(self, now_wall_s: float) -> bytes:
        """What the controller sends by itself by now: its banner, and answers whose time has come."""
        self._advance(now_wall_s)
        return self._taken()

    def next_event_wall_s(self) -> float | None:
        """When `poll` will have something to do; None when nothing is under way."""
        return None if self._activity is None else self._activity.end_s

    def alarm(self, code: int, now_wall_s: float) -> None:
        """Something trips (1: hard limit): the machine stops where it is and the controller locks until it is reset."""
        self._advance(now_wall_s)
        self._halt(now_wall_s)
        self._alarm(code)
        self._critical = True
        self._say("[MSG:Reset to continue]")

    @property
    def state(self) -> str:
        """As in a status report."""
        if self.alarmed:
            return "Alarm"
        if self._hold_reports >= 0:
            return f"Hold:{self._hold_reports}"
        if self._checking:
            return "Check"
        if self._activity is not None and self._activity.kind != "Dwell":
            return self._activity.kind
        return "Idle"

    # -- bytes and lines --------------------------------------------------------------------------------------------------------------

    def _byte(self, byte: int, now_s: float) -> None:
        match byte:
            case 0x18:
                self._reset(now_s)
            case 0x3F:  # ?
                if self._critical or (self._activity and self._activity.kind == "Home"):
                    self._report_wanted = True
                else:
                    self._report(now_s)
            case 0x21:  # !
                self._feed_hold(now_s)
            case 0x7E:  # ~
                self._resume(now_s)
            case 0x85:
                if self._activity is not None and self._activity.kind == "Jog":
                    self._halt(now_s)
            case _ if byte >= 0x80:
                pass
            case _ if self._blocked():
                if len(self._rx) < RX_BYTES:
                    self._rx.append(byte)
            case _:
                self._character(byte, now_s)

    def _blocked(self) -> bool:
        waiting_out = self._activity is not None and self._activity.kind in ("Dwell", "Home")
        return self._critical or waiting_out or self._hold_reports >= 0 or self._waiting_line is not None

    def _character(self, byte: int, now_s: float) -> None:
        """One byte into the line buffer, as the firmware does it: blanks, `/` and comments dropped, capitals."""
        if byte in (0x0A, 0x0D):
            line, overflow = self._line.decode("ascii"), self._overflow
            self._line.clear()
            self._overflow, self._comment = False, b""
            if overflow:
                self._say(f"error:{OVERFLOW}")
            else:
                self._execute(line, now_s)
        elif self._comment:
            if self._comment == b"(" and byte == 0x29:
                self._comment = b""
        elif byte in b"(;":
            self._comment = bytes([byte])
        elif byte <= 0x20 or byte == 0x2F:
            pass
        elif len(self._line) >= LINE_CHARACTERS - 1:
            self._overflow = True
        else:
            self._line += bytes([byte]).upper()

    def _execute(self, line: str, now_s: float) -> None:
        if not line:
            self._say("ok")  # the firmware answers an empty line before it looks at the alarm or the planner
            return
        if not _ARC.match(line):
            self._arcs_begin(now_s)
        if self._must_wait(line):
            self._waiting_line = line
            return
        try:
            answered_later = self._dollar(line, now_s) if line.startswith("$") else self._motion(line, now_s)
        except gcode.GcodeError as refused:
            self._say(f"error:{refused.code}")
            return
        if not answered_later and not self._critical:
            self._say("ok")

    def _must_wait(self, line: str) -> bool:
        """Dwells and stored offsets wait for the motion to end; a full planner holds the line back."""
        if self._activity is None or self.alarmed or line.startswith("$"):
            return line.startswith("$J=") and len(self._planner) >= PLANNER_BLOCKS
        return _NEEDS_STANDSTILL.search(line) is not None or len(self._planner) >= PLANNER_BLOCKS

    # -- G-code -----------------------------------------------------------------------------------------------------------------------

    def _motion(self, line: str, now_s: float, *, jog: bool = False) -> bool:
        """Execute; True where `ok` comes later."""
        if self.alarmed or (not jog and self.state == "Jog"):
            raise gcode.GcodeError(LOCKED)
        before = dict(self._gcode.position_mm)
        action = self._gcode.execute(line, jog=jog)
        if self._gcode.offsets_changed:
            self._gcode.offsets_changed = False
            self._wco_counter = 0
        if self._checking or action is None:
            return False
        if isinstance(action, gcode.Dwell):
            duration = self.machine.begin_dwell(action.duration_s)
            self._begin("Dwell", duration, now_s)
            return True
        if self.settings[20] and not self._inside(action):
            self._gcode.position_mm = before
            if jog:
                raise gcode.GcodeError(gcode.JOG_TRAVEL)
            self._halt(now_s)
            self._alarm(ALARM_SOFT_LIMIT)
            self._critical = True
            self._say("[MSG:Reset to continue]")
            return False
        last = self._planner[-1] if self._planner else None
        if isinstance(action, gcode.Arc) and isinstance(last, gcode.Arc) and last.continued_by(action):
            self._planner[-1] = replace(last, sweep_rad=last.sweep_rad + action.sweep_rad, target_mm=action.target_mm)
        else:
            self._planner.append(action)
        self._arc_waits = isinstance(action, gcode.Arc)
        self._start_next(now_s)
        return False

    def _arcs_begin(self, now_s: float) -> None:
        if self._arc_waits:
            self._arc_waits = False
            self._start_next(now_s)
            self._advance(now_s)

    def _inside(self, action: gcode.Move | gcode.Arc) -> bool:
        travel = travel_mm(self.settings, self.axes, origin_at_home="Z" in self.options)
        return all(travel[axis][0] <= lowest and highest <= travel[axis][1] for axis, (lowest, highest) in action.extremes_mm.items())

    def _start_next(self, now_s: float) -> None:
        while self._activity is None and self._planner and not self._arc_waits:
            move = self._planner.popleft()
            if isinstance(move, gcode.Arc):
                feed = min(move.feed_mm_per_min, *(self.settings[110 + self.axes.index(axis)] for axis in move.axes))
                centre_m = (move.centre_mm[0] * 1e-3, move.centre_mm[1] * 1e-3)
                duration = self.machine.begin_arc(move.axes, centre_m, move.sweep_rad, feed * 1e-3 / 60)
                self._begin("Run", duration, now_s, move, feed)
                continue
            steps = {axis: _nearest(move.target_mm[axis] * self._steps_per_mm(axis)) for axis in self.axes}
            delta = {axis: (steps[axis] - self._steps[axis]) / self._steps_per_mm(axis) for axis in self.axes}
            length = math.sqrt(sum(value * value for value in delta.values()))
            if length == 0.0:
                continue  # no step to take: the firmware drops such a block
            rapid = min(self.settings[110 + i] * length / abs(delta[axis]) for i, axis in enumerate(self.axes) if delta[axis])
            feed = rapid if move.feed_mm_per_min is None else min(move.feed_mm_per_min, rapid)
            target_m = {axis: steps[axis] / self._steps_per_mm(axis) * 1e-3 for axis in self.axes}
            duration = self.machine.begin_move(target_m, feed * 1e-3 / 60)
            self._begin("Jog" if move.jog else "Run", duration, now_s, move, feed)

    def _begin(self, kind: Kind, duration_lab_s: float, now_s: float, move: gcode.Move | gcode.Arc | None = None, feed_mm_per_min: float = 0.0) -> None:
        self._activity = Activity(kind, now_s, now_s + duration_lab_s / self.time_scale, duration_lab_s, move, feed_mm_per_min)

    def _advance(self, now_s: float) -> None:
        """Finish all that is over by now, and go on with what waited for it."""
        while self._activity is not None and self._activity.end_s <= now_s:
            over, self._activity = self._activity, None
            self.machine.complete()
            self._read_position(1.0)
            if over.kind == "Home":
                self._gcode.position_mm = self._machine_mm()
            if over.kind in ("Dwell", "Home"):
                self._say("ok")
            if self._report_wanted:
                self._report_wanted = False
                self._report(over.end_s)
            self._start_next(over.end_s)
            self._go_on(over.end_s)

    def _go_on(self, now_s: float) -> None:
        """Take up the line and the bytes that had to wait."""
        if self._waiting_line is not None and not self._must_wait(self._waiting_line):
            line, self._waiting_line = self._waiting_line, None
            self._execute(line, now_s)
        while self._rx and not self._blocked():
            self._character(self._rx.popleft(), now_s)

    # -- real-time commands ---------------------------------------------------------------------------------------------------------------

    def _feed_hold(self, now_s: float) -> None:
        if self.alarmed or self._checking or self._hold_reports >= 0 or (self._activity and self._activity.kind == "Home"):
            return
        if self._activity is not None and self._activity.kind == "Jog":
            self._halt(now_s)
            return
        moving = self._activity is not None and self._activity.kind == "Run"
        if self._activity is not None:
            fraction = self._activity.fraction(now_s)
            self._held = replace(self._activity, duration_lab_s=self._activity.duration_lab_s * (1.0 - fraction), whole_lab_s=self._activity.duration_lab_s)
            self._end_at(fraction)
        self._hold_reports = 1 if moving else 0

    def _resume(self, now_s: float) -> None:
        if self._hold_reports < 0:
            return
        self._hold_reports = -1
        held, self._held = self._held, None
        if held is not None and isinstance(held.move, gcode.Arc):
            self._planner.appendleft(held.move.rest(self._machine_mm(), 1.0 - held.duration_lab_s / held.whole_lab_s))
        elif held is not None and held.move is not None:
            self._planner.appendleft(held.move)
        elif held is not None:
            self._begin("Dwell", self.machine.begin_dwell(held.duration_lab_s), now_s)
        self._start_next(now_s)
        self._go_on(now_s)

    def _reset(self, now_s: float) -> None:
        kind = None if self._activity is None else self._activity.kind
        in_motion = kind in ("Run", "Jog", "Home") or self._hold_reports == 1
        locked = self.alarmed
        self._halt(now_s)
        self._hold_reports, self._held, self._critical, self._checking = -1, None, False, False
        self._waiting_line, self._overflow, self._comment = None, False, b""
        self._report_wanted = False
        self._rx.clear()
        self._line.clear()
        self._gcode.reset()
        self._wco_counter = self._overrides_counter = 0
        if in_motion:
            self._alarm(ALARM_HOMING_RESET if kind == "Home" else ALARM_RESET_IN_MOTION)
        else:
            self.alarmed = locked
        self._banner()

    def _halt(self, now_s: float) -> None:
        """What is under way ends here; what was planned is forgotten."""
        if self._activity is not None:
            self._end_at(self._activity.fraction(now_s))
        self._planner.clear()
        self._arc_waits = False
        self._gcode.position_mm = self._machine_mm()

    def _end_at(self, fraction: float) -> None:
        self._read_position(fraction)
        self._activity = None
        self.machine.hold(fraction)

    def _alarm(self, code: int) -> None:
        self.alarmed = True
        self._say(f"ALARM:{code}")

    # -- $ commands ---------------------------------------------------------------------------------------------------------------------------

    def _dollar(self, line: str, now_s: float) -> bool:
        """A `$` line; True where `ok` comes later. Raises GcodeError with the error number."""
        if line.startswith("$J="):
            if self.state not in ("Idle", "Jog"):
                raise gcode.GcodeError(NOT_IDLE)
            return self._motion(line[3:], now_s, jog=True)
        match line:
            case "$":
                self._say("[HLP:$$ $# $G $I $N $x=val $Nx=line $J=line $SLP $C $X $H ~ ! ? ctrl-x]")
            case "$G":
                self._say(f"[GC:{' '.join(self._gcode.modal[g] for g in _GC_ORDER)} T0 F{self._gcode.feed_mm_per_min:.0f} S0]")
            case "$X":
                if self.alarmed:
                    self.alarmed = False
                    self._say("[MSG:Caution: Unlocked]")
            case "$C":
                return self._toggle_check(now_s)
            case "$$" if self.state not in ("Run", "Hold:0", "Hold:1"):
                for number in sorted(self.settings):
                    self._say(as_text(self.settings, number))
            case _ if self.state not in ("Idle", "Alarm"):
                raise gcode.GcodeError(NOT_IDLE)
            case "$#":
                self._offsets()
            case "$I":
                self._say(f"[VER:{self.version}:]")
                self._say(f"[OPT:{self.options},{PLANNER_BLOCKS},{RX_BYTES}]")
            case "$H":
                if not self.settings[22]:
                    raise gcode.GcodeError(HOMING_OFF)
                self.alarmed = False
                self._begin("Home", self.machine.home(), now_s)
                return True
            case _:
                self._set(line[1:])
        return False

    def _toggle_check(self, now_s: float) -> bool:
        if self._checking:
            self._say("[MSG:Disabled]")
            self._say("ok")
            self._reset(now_s)
            return True
        if self.state != "Idle":
            raise gcode.GcodeError(NOT_IDLE)
        self._checking = True
        self._say("[MSG:Enabled]")
        return False

    def _set(self, assignment: str) -> None:
        inches = self.settings[13]
        self.settings = assigned(self.settings, assignment)
        if self.settings[13] != inches:
            self._wco_counter = 0

    # -- what it says --------------------------------------------------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        self._out += line.encode("ascii") + b"\r\n"

    def _taken(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _banner(self) -> None:
        self._say("")
        self._say(f"Grbl {self.version.partition('.20')[0]} ['$' for help]")
        if self.alarmed:
            self._say("[MSG:'$H'|'$X' to unlock]")

    def _offsets(self) -> None:
        for name, offset in self._gcode.systems.items():
            self._say(f"[{name}:{self._point(offset)}]")
        zero = self._point(dict.fromkeys(self.axes, 0.0))
        for name, point in (("G28", zero), ("G30", zero), ("G92", self._point(self._gcode.g92))):
            self._say(f"[{name}:{point}]")
        self._say(f"[TLO:{zero.partition(',')[0]}]")
        self._say(f"[PRB:{zero}:0]")

    def _report(self, now_s: float) -> None:
        fraction = 1.0 if self._activity is None else self._activity.fraction(now_s)
        if self._activity is not None:
            self._read_position(fraction)
        state = self.state
        pace: Literal["idle", "busy"] = "busy" if state in _BUSY else "idle"
        offset = self._gcode.work_offset_mm
        machine = self._machine_mm()
        if int(self.settings[10]) & 1:
            fields = [state, f"MPos:{self._point(machine)}"]
        else:
            fields = [state, f"WPos:{self._point({axis: machine[axis] - offset[axis] for axis in self.axes})}"]
        if int(self.settings[10]) & 2:
            fields.append(f"Bf:{PLANNER_BLOCKS - len(self._planner)},{RX_BYTES - len(self._rx)}")
        # The feed of the block: this simulator reports no ramps.
        feed = 0.0 if self._activity is None else self._activity.feed_mm_per_min
        fields.append(f"FS:{feed / gcode.MM_PER_INCH if self.settings[13] else feed:.0f},0")
        if self.pins:
            fields.append(f"Pn:{self.pins}")
        if self._wco_counter > 0:
            self._wco_counter -= 1
        else:
            self._wco_counter = WCO_EVERY[pace] - 1
            self._overrides_counter = max(self._overrides_counter, 1)
            fields.append(f"WCO:{self._point(offset)}")
        if self._overrides_counter > 0:
            self._overrides_counter -= 1
        else:
            self._overrides_counter = OVERRIDES_EVERY[pace] - 1
            fields.append("Ov:100,100,100")
        if self._hold_reports == 1:
            self._hold_reports = 0
        self._say(f"<{'|'.join(fields)}>")

    def _point(self, mm: Mapping[str, float]) -> str:
        if self.settings[13]:
            return ",".join(f"{mm[axis] / gcode.MM_PER_INCH:.4f}" for axis in self.axes)
        return ",".join(f"{mm[axis]:.3f}" for axis in self.axes)

    # -- steps -----------------------------------------------------------------------------------------------------------------------------------

    def _steps_per_mm(self, axis: str) -> float:
        return self.settings[100 + self.axes.index(axis)]

    def _machine_mm(self) -> dict[str, float]:
        return {axis: self._steps[axis] / self._steps_per_mm(axis) for axis in self.axes}

    def _read_position(self, fraction: float) -> None:
        """Take the reference over from the machine, in whole steps."""
        position = self.machine.commanded_position(fraction)
        for axis in self.axes:
            if axis in position:
                self._steps[axis] = _nearest(position[axis] * 1e3 * self._steps_per_mm(axis))


_GC_ORDER: Final = ("motion", "system", "plane", "units", "distance", "feed mode", "spindle", "coolant")


def _nearest(steps: float) -> int:
    """Half away from zero, as C's lround."""
    return int(math.copysign(math.floor(abs(steps) + 0.5), steps))
