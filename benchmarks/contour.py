"""The contour test: drive a part program and record command, motor feedback and tool position while it runs.

The machine stands at the start of the program when the recording begins, and for a dwell after its end. A controller that reads G-code is given the program
itself; another one is led along its lines and arcs. Limits are looked at over the whole way, arcs included, before anything moves.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from precision.drivers.roles import Block, MotionController, PathController, ProgramController, Stream
from precision.errors import DeviceFault, PlanError, SafetyStop
from precision.models.part_program import Motion, envelope
from precision.runs.capture import Column

from .contour_plan import Parameters
from .contour_program import (
    feed_of,
    prepared,
    program_motions,
    program_text,
    refuse_what_no_test_does,
    start_of,
    stretches,
    system_of,
)
from .procedure import Outlook, Sink, block

AXES: Final = "xyz"
SOURCES: Final = ("cmd", "fb", "tool")
POSITIONS: Final = tuple(f"{axis}_{source}" for source in SOURCES for axis in AXES)
COLUMNS: Final = (
    Column("sample", "i8", ""),
    Column("t_s", "f8", "s"),
    *(Column(f"{name}_m", "f8", "m") for name in POSITIONS),
    Column("line", "i8", ""),
)
"""sample : number of the row in the recorder's count since its start. t_s : the same in its time. Positions: command, motor feedback and tool of each axis, NaN
where it was not recorded. line : of the program that the controller says it runs, −1 where it says none."""
_ROWS: Final = 65_536
_SILENCE_S: Final = 5.0
_FRESH_S: Final = 1e-3
LONGEST_S: Final = 3600.0
_RAPID_M_PER_S: Final = 0.1
"""Guess for the duration of rapids, before a controller can be asked."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices of a contour test."""

    controller: MotionController
    recorder: Stream


def preview(plan: Parameters) -> Outlook:
    """What a run is going to do. Pure but for the program's file, which is read."""
    program, text, start = program_motions(plan.program), program_text(plan.program), start_of(plan.program)
    refuse_what_no_test_does(text)
    ways = envelope(program)
    at_feed = [motion for motion in program if not motion.rapid]
    feeds = sorted({feed_of(motion) for motion in at_feed})
    if not feeds:
        raise PlanError("the program has rapid motions only; a contour is driven at a feed (G1, G2, G3 with F)")
    seconds = math.fsum(motion.length_m / (_RAPID_M_PER_S if motion.rapid else feed_of(motion)) for motion in program) + 2 * plan.program.dwell
    if seconds > LONGEST_S:
        raise PlanError(f"the program takes about {seconds:.0f} s; {LONGEST_S:g} s are recorded at most: test a part of it")
    arcs = sum(motion.plane is not None for motion in program)
    name = plan.program.file or plan.program.piece or "the plan's own text"
    lacking = [name for name in ("tool_sensor", "drift") if getattr(plan.uncertainty, name) is None]
    length = math.fsum(motion.length_m for motion in at_feed)
    return Outlook(
        lines=(
            ("program", f"{name}: {len(program)} motions ({arcs} arcs) on lines {program[0].line} … {program[-1].line}; {length * 1e3:.4g} mm at feeds of {', '.join(f'{feed * 60e3:g}' for feed in feeds[:6])} mm/min"),
            ("start", ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip("XYZ", start, strict=True)) + " mm, work coordinates"),
            ("envelope", "; ".join(f"{axis} {low * 1e3:.3f} … {high * 1e3:.3f} mm" for axis, (low, high) in ways.items()) + "; checked against the controller's soft limits before motion"),
            ("evaluation", f"in {plan.program.plane}: signed distance to the programmed path, of command, feedback and tool; alignment of the tool: {plan.evaluation.alignment}"),
        ),
        envelope_m=ways,
        duration_s=seconds,
        points=1,
        rounds=1,
        bytes=round(seconds * 2000 * 8 * len(COLUMNS)),
        uncertainty="stated" if not lacking else f"not stated for the tool: {', '.join(lacking)}",
        details=tuple(f"line {motion.line}: {kind_of(motion)} to {', '.join(f'{value * 1e3:.4f}' for value in motion.end_m)} mm" for motion in program[:200]),
    )  # fmt: skip


def kind_of(motion: Motion) -> str:
    """"rapid", "line", "arc ccw", "arc cw", or a helix."""
    if motion.plane is None:
        return "rapid" if motion.rapid else "line"
    third = 3 - sum(motion.plane)
    shape = "helix" if motion.start_m[third] != motion.end_m[third] else "arc"
    return f"{shape} {'ccw' if motion.sweep_rad > 0 else 'cw'}"


def check(plan: Parameters, rig: Rig) -> None:
    """Compare the program with what the devices can do now.

    Raises
    ------
    SafetyStop      no such axis, a way outside the soft limits, a feed above the maximum: with the line of the program
    PlanError       a controller that drives no paths, or a recorder without command, feedback and tool of the axes of the plane
    """
    program = program_motions(plan.program)
    refuse_what_no_test_does(program_text(plan.program))
    _check_recorder(plan, rig)
    if isinstance(rig.controller, ProgramController):
        active, named = rig.controller.program_origin()[0], system_of(program_text(plan.program))
        if named not in (None, active):
            raise PlanError(f"the program selects {named}, but {active} is active, whose origin the limits are looked at with: select {named} at the controller, or take the word out")
        rapid = next((motion.line for motion in program if motion.rapid), None)
        if rapid is not None and "max_feed_m_per_s" in plan.devices.controller.options:
            raise SafetyStop(
                f"G-code line {rapid}: a rapid (G0) goes as fast as the controller lets it, and devices.controller.options.max_feed_m_per_s asks for less. "
                "Nothing was moved; write G1 with a feed in its place"
            )
    else:
        if not isinstance(rig.controller, PathController):
            raise PlanError(f"devices.controller: driver {plan.devices.controller.driver!r} drives neither programs nor arcs; a contour test needs one that does")
        for _ in stretches(program, 1.0):
            pass
    limits, fastest, offset = rig.controller.soft_limits(), rig.controller.max_feed(), _offset(rig.controller)
    start = start_of(plan.program)
    for motion in program:
        places = [*motion.turning_points_m, start] if motion is program[0] else motion.turning_points_m
        for k, axis in enumerate("XYZ"):
            moved = {place[k] for place in places}
            if axis not in limits:
                if len(moved) > 1 or moved != {0.0}:
                    raise SafetyStop(f"G-code line {motion.line} needs the axis {axis}, which the controller has not; it reports {', '.join(sorted(limits))}. Nothing was moved")
                continue
            low, high = limits[axis]
            out = [value + offset.get(axis, 0.0) for value in moved if not low - 1e-9 <= value + offset.get(axis, 0.0) <= high + 1e-9]
            if out:
                raise SafetyStop(
                    f"G-code line {motion.line} leads to {axis} {out[0] * 1e3:.3f} mm; the controller's soft limits are {low * 1e3:.3f} … {high * 1e3:.3f} mm. Nothing was moved; "
                    "set program.centre, program.start, or the work offset"
                )
        if not motion.rapid:
            for k, axis in enumerate("XYZ"):
                moves = motion.start_m[k] != motion.end_m[k] or (motion.plane is not None and k in motion.plane)
                # A straight way at an angle asks less of an axis than its feed.
                share = 1.0 if motion.plane is not None or not motion.length_m else abs(motion.end_m[k] - motion.start_m[k]) / motion.length_m
                if moves and feed_of(motion) * share > fastest.get(axis, math.inf) * (1 + 1e-9):
                    raise SafetyStop(f"G-code line {motion.line}: F{feed_of(motion) * 60e3:g}, but {axis} goes {fastest[axis] * 60e3:g} mm/min at most. Nothing was moved")


def _check_recorder(plan: Parameters, rig: Rig) -> None:
    channels = {channel.name: channel.unit for channel in rig.recorder.channels}
    needed = [f"{axis.lower()}_cmd" for axis in plan.program.plane]
    if missing := [name for name in needed if channels.get(name) != "m"]:
        raise PlanError(f"devices.recorder has the channels {', '.join(channels) or 'none'}; {' and '.join(missing)} in m, the command, are expected")
    seen = [f"{axis.lower()}_{source}" for source in ("fb", "tool") for axis in plan.program.plane]
    if not any(all(channels.get(name) == "m" for name in pair) for pair in (seen[:2], seen[2:])):
        raise PlanError(f"devices.recorder has the channels {', '.join(channels)}; {seen[0]} and {seen[1]} or {seen[2]} and {seen[3]} in m are expected beside the command")


def _offset(controller: MotionController) -> Mapping[str, float]:
    return controller.program_origin()[1] if isinstance(controller, ProgramController) else {}


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Run the program and record it.

    Raises
    ------
    SafetyStop, PlanError   as `check`, again after homing
    DeviceFault             the recorder ended its stream, or saw no motion
    DeviceError             as the drivers say
    """
    check(plan, rig)  # before homing, which is the first move
    controller = rig.controller
    if not controller.homed:
        log("homing")
        controller.home()
        check(plan, rig)
    program, fastest = program_motions(plan.program), controller.max_feed()
    offset, limits = _offset(controller), controller.soft_limits()
    begin = {axis: value + offset.get(axis, 0.0) for axis, value in zip("XYZ", start_of(plan.program), strict=True) if axis in limits}
    controller.move_to(begin, feed_m_per_s=min(plan.program.approach_feed, *(fastest.get(axis, math.inf) for axis in begin)))
    progress(0, 1)
    log("program", motions=len(program), lines=program[-1].line, rate_hz=rig.recorder.rate_hz, channels=[channel.name for channel in rig.recorder.channels])
    rig.recorder.start()
    shifted = isinstance(controller, ProgramController)
    recording = Recording(rig.recorder, lambda samples, values: _append(rig.recorder, samples, values, sink, shifted=shifted), sink.gap, tail_s=plan.program.dwell / 2)
    # Whatever fails here goes straight to the guard, which stops the machine: nobody waits for the recorder first. What was recorded until then is kept.
    controller.dwell(plan.program.dwell)
    if isinstance(controller, ProgramController):
        controller.run_program(prepared(program_text(plan.program), plan.program.units), name="contour")
    elif isinstance(controller, PathController):
        for feed, pieces in stretches(program, min(fastest.get(axis, math.inf) for axis in "XYZ")):
            controller.follow(pieces, feed_m_per_s=feed)
    controller.dwell(plan.program.dwell)
    for reason, count in recording.ended():
        log("samples lost", count=count, reason=reason)
    rig.recorder.stop()
    progress(1, 1)


def _append(recorder: Stream, samples: np.ndarray, values: np.ndarray, sink: Sink, *, shifted: bool) -> None:
    names = [channel.name for channel in recorder.channels]
    for start in range(0, len(samples), _ROWS):
        part = slice(start, start + _ROWS)
        given = {f"{name}_m": values[part, names.index(name)] for name in POSITIONS if name in names}
        if "line" in names:  # the modes stand on a line of their own before the program
            given["line"] = np.maximum(-1, np.round(values[part, names.index("line")]).astype(np.int64) - shifted)
        sink.append_and_wait(block(COLUMNS, sample=samples[part], t_s=samples[part] / recorder.rate_hz, **given))


class Recording:
    """Reads a recorder in a thread of its own until the motion is over, and some time more: what is kept depends on the readings alone, not on when anybody
    looked. Rows are written once it is certain that they are kept, a second's worth at a time; what a run that breaks off has recorded is in its capture.

    write : gets numbers (n,) and values (n, channels) of rows. gap : gets the reason and how many rows are missing before the next ones.
    """

    def __init__(self, stream: Stream, write: Callable[[np.ndarray, np.ndarray], None], gap: Callable[[str, int], object], *, tail_s: float) -> None:
        self._stream, self._write, self._gap = stream, write, gap
        self._tail = max(1, round(tail_s * stream.rate_hz))
        self._command = [k for k, channel in enumerate(stream.channels) if channel.name.endswith("_cmd")]
        self._pending: list[Block] = []
        self._lost: list[tuple[str, int]] = []
        self._last: np.ndarray | None = None
        self._last_motion = -1
        """Number of the last row in which the command moved."""
        self._rows = 0
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="recorder", daemon=True)
        self._thread.start()

    def ended(self) -> list[tuple[str, int]]:
        """The machine stands: the rows to half of the last dwell are written. What is missing: (reason, rows).

        Raises
        ------
        DeviceError     what went wrong while reading; or the command never moved
        DataError       the disk did not take the rows
        """
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if not self._rows:
            raise DeviceFault("the recorder gave no sample while the program ran; look at its link")
        if self._last_motion < 0:
            raise DeviceFault("the recorder saw no motion of the command while the program ran; is it the recorder of this machine?")
        self._flush(self._last_motion + self._tail)
        return self._lost

    def _listen(self) -> None:
        silent = 0
        try:
            while True:
                over, asked_s = self._over.is_set(), time.monotonic()
                read = self._stream.read(_SILENCE_S)
                if read is None:
                    raise DeviceFault("the recorder ended its stream while the program ran; start it again and repeat the test")
                self._take(read)
                # The machine stands: what belongs to the test comes now, or (a sign of life without samples) never. Rows that had to be waited for are not old ones
                # of a dwell within the program.
                silent = silent + 1 if over and not len(read.values) else 0
                fresh = over and time.monotonic() - asked_s > _FRESH_S
                if silent >= 2 or (fresh and self._pending and self._next_of(self._pending[-1]) > self._last_motion + self._tail):
                    return
        except BaseException as error:
            self._error = error

    def _take(self, read: Block) -> None:
        """One more block; what is certain by it is written."""
        if read.lost:
            self._lost.append((read.reason or "samples are missing", read.lost))
        if not len(read.values):
            return
        self._pending.append(read)
        self._rows += len(read.values)
        command = read.values[:, self._command]
        before = command[:1] if self._last is None else self._last[None, :]
        moved = np.flatnonzero(np.any(np.diff(np.concatenate([before, command]), axis=0) != 0, axis=1))
        self._last = command[-1]
        if moved.size:
            self._last_motion = read.first_sample + int(moved[-1])
            if self._last_motion - self._pending[0].first_sample >= self._stream.rate_hz:
                self._flush(self._last_motion)

    def _flush(self, last: int) -> None:
        """Write the pending rows up to number `last`, and the gaps before them."""
        while self._pending and self._pending[0].first_sample <= last:
            one = self._pending.pop(0)
            if one.lost:
                self._gap(one.reason or "samples are missing", one.lost)
            kept = min(len(one.values), last + 1 - one.first_sample)
            self._write(one.first_sample + np.arange(kept), one.values[:kept])
            if kept < len(one.values):
                self._pending.insert(0, Block(first_sample=one.first_sample + kept, t_ns=one.t_ns, values=one.values[kept:]))

    @staticmethod
    def _next_of(block: Block) -> int:
        return block.first_sample + len(block.values)
