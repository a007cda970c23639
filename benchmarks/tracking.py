"""The tracking test: axes are driven to and fro, or a part program is run, and command and feedback are recorded in every servo cycle meanwhile.

Each axis and feed is one record, from standstill to standstill. Its end follows from the readings: the command has passed the middle of the stroke on every
traverse, and then stood for half of the rest. `acquire` is the only code here that touches a device; `tracking_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import Block, MotionController, ProgramController, Stream
from precision.errors import DataError, DeviceFault, PlanError, SafetyStop
from precision.models.part_program import Motion as ProgramMotion
from precision.models.part_program import motions
from precision.runs.capture import Column

from .procedure import Outlook, Sink, block
from .tracking_plan import Parameters

Array = NDArray[np.float64]

SOURCES: Final = {"cmd": "command", "fb": "feedback", "tool": "tool", "ferr": "reported"}
"""What follows the axis in a channel's name ("x_cmd") -> column. The first two are needed."""
MOTOR: Final = "mcmd"
"""Command to the motor, compensation included: what the feedback of the motor is held against, where there is one."""
LINE: Final = "line"
FEWEST: Final = 64
_STANDS_M: Final = 1e-9
_ROWS: Final = 65_536
_SILENCE_S: Final = 10.0
_SIGNS_OF_LIFE: Final = 3
_FRESH_S: Final = 1e-3
_STANDS_WITHIN_S: Final = 2.0
"""Of the device's time: after the end of the motion the command stands."""
_WITHIN_S: Final = 60.0
"""For what came during the motion, on a computer however loaded."""


def columns(unit: str) -> tuple[Column, ...]:
    """series : number of axis and feed, see `records`. sample : of the stream, from 0. line : of the part program, −1 where none is known. Positions in `unit`."""
    positions = tuple(Column(name, "f8", unit) for name in SOURCES.values())
    return (Column("series", "i8", ""), Column("sample", "i8", ""), Column("t_s", "f8", "s"), *positions, Column("line", "i8", ""))


@dataclass(frozen=True, slots=True)
class Rig:
    """The controller, and the stream of its servo cycles with channels "x_cmd", "x_fb" and perhaps "x_mcmd", "x_tool", "x_ferr", "line"."""

    controller: MotionController
    servo: Stream


@dataclass(frozen=True, slots=True)
class Record:
    """Rows of one axis at one feed; of a part program at its own, feed_m_per_s None."""

    number: int
    axis: str
    feed_m_per_s: float | None
    low_m: float = 0.0
    high_m: float = 0.0

    @property
    def name(self) -> str:
        """ "X, 3000 mm/min"."""
        return self.axis if self.feed_m_per_s is None else f"{self.axis}, {self.feed_m_per_s * 60e3:g} mm/min"


def records(plan: Parameters) -> tuple[Record, ...]:
    """In the order driven; of a part program one for each axis that it moves.

    Raises
    ------
    DataError       a part program that is not understood, naming the line
    """
    if plan.program.given:
        return tuple(Record(number, axis, None, low, high) for number, (axis, (low, high)) in enumerate(program_ways(plan).items()))
    motion = plan.motion
    made: list[Record] = []
    for axis, low, high in zip(motion.axes, motion.low, motion.high, strict=True):
        made += [Record(len(made) + k, axis, feed, low, high) for k, feed in enumerate(motion.feeds)]
    return tuple(made)


def program_motions(plan: Parameters, start_m: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> tuple[ProgramMotion, ...]:
    """The motions of the plan's program, begun at `start_m`; DataError naming the line that is not understood."""
    return motions(plan.program.text or "", start_m=start_m, units=plan.program.units)


_BEGINNINGS_M: Final = ((0.0110307, 0.0130411, 0.0170503), (-0.0190607, -0.0230701, -0.0290809))
"""Two places to begin at, where no program goes: what depends on where the machine stands differs."""


def program_ways(plan: Parameters) -> dict[str, tuple[float, float]]:
    """Axis that the program moves -> lowest and highest work position that it names; arcs with their furthest points.

    The way from where the machine stands to the first of them is a straight line within the limits, if both of its ends are.

    Raises
    ------
    DataError       a motion from where the machine stands that is no straight line to a named place: where it leads is not known
    """
    found: dict[str, list[float]] = {}
    here, elsewhere = (program_motions(plan, start) for start in _BEGINNINGS_M)
    for one, other in zip(here, elsewhere, strict=True):
        for index, axis in enumerate("XYZ"):
            if one.end_m[index] == other.end_m[index]:
                found.setdefault(axis, []).append(one.end_m[index])
            elif one.end_m[index] != one.start_m[index]:
                raise DataError(
                    f"G-code line {one.line}: a motion of {axis} from where the machine stands; say with G90 where it is to go first"
                )
        if one.plane is None:
            continue
        if math.dist(one.centre_m, other.centre_m) > _STANDS_M:
            raise DataError(f"G-code line {one.line}: an arc from where the machine stands; begin with a line to where the arc starts")
        radius = math.dist(one.centre_m, tuple(one.start_m[index] for index in one.plane))
        for index, middle in zip(one.plane, one.centre_m, strict=True):
            found["XYZ"[index]] += [middle - radius, middle + radius]
    return {axis: (min(places), max(places)) for axis, places in found.items()}


def envelope(plan: Parameters) -> dict[str, tuple[float, float]]:
    """Axis -> lowest and highest work position that is driven to."""
    if plan.program.given:
        return program_ways(plan)
    motion = plan.motion
    return {axis: (low, high) for axis, low, high in zip(motion.axes, motion.low, motion.high, strict=True)}


def preview(plan: Parameters) -> Outlook:
    """What a run is going to do. Pure.

    Raises
    ------
    PlanError       a part program that cannot be read, or that would stop and wait
    """
    plan = with_program(plan)
    planned, ways, motion = records(plan), envelope(plan), plan.motion
    if plan.program.given:
        pieces = program_motions(plan)
        seconds = math.fsum(one.length_m / (one.feed_m_per_s or max(motion.feeds)) for one in pieces) + 2 * plan.program.rest
        what = (("program", f"{len(pieces)} motions on {', '.join(ways)}, to line {pieces[-1].line}"),)
    else:
        seconds = math.fsum(2 * motion.repeats * ((one.high_m - one.low_m) / (one.feed_m_per_s or 1.0) + motion.rest) for one in planned)
        feeds = ", ".join(f"{feed * 60e3:g}" for feed in motion.feeds)
        what = (
            ("motion", f"{', '.join(motion.axes)} to and fro {motion.repeats} times at {feeds} mm/min, resting {motion.rest:g} s at each end"),
        )
    remarks = (
        []
        if plan.uncertainty.synchronisation is not None
        else ["how far apart in time command and feedback of one row may be is not stated: no U of errors, shift and lag"]
    )
    return Outlook(
        lines=(
            *what,
            ("recorded", "command and feedback, tool and the controller's own error where it has them, in every servo cycle"),
            ("envelope", "; ".join(f"{axis} {low * 1e3:.3f} … {high * 1e3:.3f} mm" for axis, (low, high) in ways.items()) + "; checked against the controller's soft limits before motion"),
        ),
        envelope_m=ways,
        duration_s=seconds,
        points=1 if plan.program.given else len(planned),
        rounds=1 if plan.program.given else len(planned),
        bytes=int(seconds * 4000 * 8 * 8 * max(1, len(planned) if plan.program.given else 1)) + (1 << 20),
        uncertainty="stated" if plan.uncertainty.synchronisation is not None else "not stated: synchronisation",
        remarks=tuple(remarks),
        details=tuple(f"record {one.number + 1}: {one.name}, {one.low_m * 1e3:g} … {one.high_m * 1e3:g} mm" for one in planned),
    )  # fmt: skip


def with_program(plan: Parameters) -> Parameters:
    """The plan with the text of its part program, once that has been looked at.

    Raises
    ------
    PlanError       a file that cannot be read, a program that is not understood, or that would wait for a person or turn the spindle
    """
    if not plan.program.given:
        return plan
    from .contour_program import (
        refuse_what_no_test_does,
    )

    try:
        text = plan.program.text if plan.program.text is not None else _text_of(plan.program.file or "")
        refuse_what_no_test_does(text)
        plan = plan.model_copy(update={"program": plan.program.model_copy(update={"text": text})})
        if not program_ways(plan):
            raise PlanError("program: it moves no axis")
    except DataError as error:
        raise PlanError(f"program: {error}") from error
    return plan


def _text_of(file: str) -> str:
    from pathlib import Path

    from .contour_program import read_program
    from .tracking_plan import LONGEST_PROGRAM

    text = read_program(Path(file))
    if len(text) > LONGEST_PROGRAM:
        raise PlanError(f"{file}: {len(text)} characters; at most {LONGEST_PROGRAM} are kept in a run: split the program")
    return text


def check(plan: Parameters, rig: Rig) -> None:
    """Compare the motion with what controller and stream can do now.

    Raises
    ------
    SafetyStop      no such axis, an end outside the soft limits, a feed above the maximum
    PlanError       a stream without command or feedback of an axis, in another unit, or too slow; a controller that runs no programs
    """
    offset = _origin(plan, rig.controller)
    limits, fastest = rig.controller.soft_limits(), rig.controller.max_feed()
    for axis, way in envelope(plan).items():
        low, high = (place + offset.get(axis, 0.0) for place in way)
        if axis not in limits:
            raise SafetyStop(
                f"the controller has no axis {axis}; it reports soft limits for {', '.join(sorted(limits)) or 'none'}. Nothing was moved."
            )
        lowest, highest = limits[axis]
        if low < lowest - _STANDS_M or high > highest + _STANDS_M:
            where = "program.file" if plan.program.given else "motion.low and motion.high"
            raise SafetyStop(
                f"the motion needs {axis} from {low * 1e3:.3f} mm to {high * 1e3:.3f} mm, but the controller's soft limits are {lowest * 1e3:.3f} mm to "
                f"{highest * 1e3:.3f} mm. Nothing was moved; set {where}."
            )
        if not plan.program.given and max(plan.motion.feeds) > fastest.get(axis, math.inf) * (1 + 1e-9):
            raise SafetyStop(
                f"motion.feeds go up to {max(plan.motion.feeds) * 60e3:.0f} mm/min; the controller allows {fastest[axis] * 60e3:.0f} mm/min on {axis}. Nothing was moved."
            )
    channels = {channel.name: channel.unit for channel in rig.servo.channels}
    for axis in envelope(plan):
        for source in ("cmd", "fb"):
            name = f"{axis.lower()}_{source}"
            if name not in channels:
                raise PlanError(f"the stream has the channels {', '.join(channels)}; {name} is missing")
            if channels[name] != "m":
                raise PlanError(
                    f"channel {name} of the stream is in {channels[name] or 'no unit'}; m is expected, for command and feedback alike"
                )
    for one in records(plan):
        if one.feed_m_per_s is not None and (one.high_m - one.low_m) / one.feed_m_per_s * rig.servo.rate_hz < FEWEST:
            raise PlanError(
                f"{one.name}: a traverse gives {(one.high_m - one.low_m) / one.feed_m_per_s * rig.servo.rate_hz:.0f} samples; {FEWEST} at least are expected: lower motion.feeds"
            )


def _origin(plan: Parameters, controller: MotionController) -> Mapping[str, float]:
    """What is added to the plan's positions to make those of the soft limits; PlanError where the program selects another coordinate system, or cannot be run."""
    if not plan.program.given:
        return {}
    if not isinstance(controller, ProgramController):
        raise PlanError(
            "devices.controller: this one runs no part programs; take one that reads G-code (linuxcnc), or drive to and fro ([motion], without [program])"
        )
    from .contour_program import system_of

    active, offset = controller.program_origin()
    if (named := system_of(plan.program.text or "")) not in (None, active):
        raise PlanError(
            f"the program selects {named}, but {active} is active, whose origin the limits are looked at with: select {named} at the controller, or take the word out"
        )
    return offset


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Drive and record every axis and feed of the plan, or its program.

    Raises
    ------
    SafetyStop, PlanError   as `check`, again after homing
    DeviceFault             the stream ended, or the command never did what it should
    DeviceError             as the drivers say
    """
    check(plan, rig)  # before homing, which is the first move
    if not rig.controller.homed:
        log("homing")
        rig.controller.home()
        check(plan, rig)
    planned, rate_hz = records(plan), rig.servo.rate_hz
    if plan.program.given:
        progress(0, 1)
        log("program", lines=len((plan.program.text or "").splitlines()), axes=[one.axis for one in planned])
        listening = Listening(
            rig.servo, traverses=0, stroke_m=0.0, tail=max(1, round(plan.program.rest / 2 * rate_hz)), commands=_commands(rig, planned)
        )
        rig.controller.dwell(plan.program.rest)
        _run_program(plan, rig)
        rig.controller.dwell(plan.program.rest)
        _keep(planned, rig, listening, sink, log, first_line=1)
        progress(1, 1)
        return
    for done, one in enumerate(planned):
        progress(done, len(planned))
        feed = one.feed_m_per_s or max(plan.motion.feeds)
        rig.controller.move_to({one.axis: one.low_m}, feed_m_per_s=feed)
        rig.controller.dwell(plan.motion.rest)
        log("record", number=one.number, axis=one.axis, feed_m_per_s=feed)
        tail = max(1, round(plan.motion.rest / 2 * rate_hz))
        listening = Listening(
            rig.servo, traverses=2 * plan.motion.repeats, stroke_m=one.high_m - one.low_m, tail=tail, commands=_commands(rig, [one])
        )
        # Whatever fails here goes straight to the guard, which stops the machine: nobody waits for the stream first.
        rig.controller.dwell(plan.motion.rest)
        for _ in range(plan.motion.repeats):
            for end in (one.high_m, one.low_m):
                rig.controller.move_to({one.axis: end}, feed_m_per_s=feed)
                rig.controller.dwell(plan.motion.rest)
        _keep([one], rig, listening, sink, log)
    progress(len(planned), len(planned))


def _run_program(plan: Parameters, rig: Rig) -> None:
    from .contour_program import prepared

    assert isinstance(rig.controller, ProgramController)  # `check` has looked
    rig.controller.run_program(prepared(plan.program.text or "", plan.program.units), name="tracking")


def _commands(rig: Rig, planned: Sequence[Record]) -> list[int]:
    names = [channel.name for channel in rig.servo.channels]
    return [names.index(f"{one.axis.lower()}_cmd") for one in planned]


def _keep(planned: Sequence[Record], rig: Rig, listening: Listening, sink: Sink, log: Callable[..., None], *, first_line: int = 0) -> None:
    """What was heard, in rows of its axes. first_line : how many lines the controller was given before those of the program."""
    samples, values, lost = listening.heard()
    rig.servo.stop()
    names = [channel.name for channel in rig.servo.channels]
    for reason, count in lost:
        log("samples lost", count=count, reason=reason)
        sink.gap(reason, count)
    layout = columns("m")
    for one in planned:
        axis = one.axis.lower()
        found = {column: values[:, names.index(f"{axis}_{source}")] for source, column in SOURCES.items() if f"{axis}_{source}" in names}
        if f"{axis}_{MOTOR}" in names:
            found["command"] = values[:, names.index(f"{axis}_{MOTOR}")]
        if LINE in names and first_line:
            line = np.rint(values[:, names.index(LINE)]).astype(np.int64) - first_line
            found["line"] = np.where(line > 0, line, -1)
        for start in range(0, samples.size, _ROWS):
            part = slice(start, start + _ROWS)
            rows: dict[str, Any] = {name: column[part] for name, column in found.items()}
            sink.append_and_wait(block(layout, series=one.number, sample=samples[part], t_s=samples[part] / rig.servo.rate_hz, **rows))


class Listening:
    """Reads the stream in a thread of its own until the motion is over, so that no buffer of the device runs full meanwhile.

    traverses : how often the first command will go past the middle of its `stroke_m` upwards from where it stands. Once it has, or where there are none once
    `heard` asks, the record ends when all commands have stood for `tail` samples: what is kept of to and fro depends on the readings alone, not on when anybody looked.
    """

    def __init__(self, stream: Stream, *, traverses: int, stroke_m: float, tail: int, commands: Sequence[int]) -> None:
        self._stream, self._stroke_m, self._tail, self._commands = stream, stroke_m, tail, list(commands)
        self._left, self._waits = traverses, traverses == 0
        self._blocks: list[Block] = []
        self._error: BaseException | None = None
        self._last_call = threading.Event()
        self._middle_m, self._above = math.nan, False
        self._stood, self._at = 0, np.full(len(commands), np.nan)
        self._over = self._runs_on = False
        stream.start()
        self._thread = threading.Thread(target=self._listen, name="servo cycles", daemon=True)
        self._thread.start()

    def heard(self) -> tuple[NDArray[np.int64], Array, list[tuple[str, int]]]:
        """The motion is over: what belongs to it comes now, or never. Numbers (n,) and rows (n, channels) of the samples, and what is missing: (reason, samples).

        Raises
        ------
        DeviceError     what went wrong while reading; or the command did not do what it should
        """
        self._last_call.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._runs_on and not self._left:
            raise DeviceFault("the machine stands, but the stream's command goes on moving: are stream and controller of one machine?")
        blocks = [one for one in self._blocks if len(one.values)]
        if not blocks:
            raise DeviceFault("the stream gave no sample while the axis was driven; start it again")
        if self._left:
            raise DeviceFault(
                f"the axis was driven, but the stream's command lacks {self._left} traverses past {self._middle_m * 1e3:.3f} mm: are stream and controller of one machine?"
            )
        samples = np.concatenate([one.first_sample + np.arange(len(one.values)) for one in blocks])
        return (
            samples,
            np.concatenate([one.values for one in blocks]),
            [(one.reason or "samples are missing", one.lost) for one in blocks if one.lost],
        )

    def _listen(self) -> None:
        silent, late, called_s = 0, 0, math.inf
        try:
            while not self._over:
                asked_s = time.monotonic()
                read = self._stream.read(_SILENCE_S)
                if read is None:
                    raise DeviceFault("the stream of servo cycles ended within the motion; start it again and repeat the test")
                last_call, now_s = self._last_call.is_set(), time.monotonic()
                called_s = min(called_s, now_s) if last_call else math.inf
                # Rows that had to be waited for are not old ones of the motion.
                late = late + len(read.values) if last_call and now_s - asked_s > _FRESH_S else 0
                if late > self._tail + _STANDS_WITHIN_S * self._stream.rate_hz or now_s - called_s > _WITHIN_S:
                    self._runs_on = True
                    return
                kept = self._until_the_end(read.values[:, self._commands], last_call)
                self._blocks.append(
                    Block(first_sample=read.first_sample, t_ns=read.t_ns, values=read.values[:kept], lost=read.lost, reason=read.reason)
                )
                # Once the machine stands, signs of life without samples say that no more of them come.
                silent = silent + 1 if last_call and not len(read.values) else 0
                if silent >= _SIGNS_OF_LIFE:
                    return
        except BaseException as error:
            self._error = error

    def _until_the_end(self, command: Array, last_call: bool) -> int:
        """How many rows of a block belong to the record."""
        if not len(command) or (self._waits and not last_call):
            return len(command)
        begin = 0
        if math.isnan(self._middle_m):
            self._middle_m = float(command[0, 0]) + self._stroke_m / 2
        if self._left:
            above = command[:, 0] > self._middle_m
            passed = np.flatnonzero(np.diff(above, prepend=self._above))
            self._above = bool(above[-1])
            if passed.size < self._left:
                self._left -= int(passed.size)
                return len(command)
            begin, self._left = int(passed[self._left - 1]), 0
        for k in range(begin, len(command)):
            if np.all(np.abs(command[k] - self._at) <= _STANDS_M):
                self._stood += 1
                if self._stood >= self._tail:
                    self._over = True
                    return k + 1
            else:
                self._stood, self._at = 0, command[k]
        return len(command)
