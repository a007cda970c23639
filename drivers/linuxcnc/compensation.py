"""The controller's screw compensation: read, replaced, and proven by what the controller then adds to its command.

LinuxCNC reads a table only at its start, and says nothing when it stops reading in the middle: so a new table is first read as LinuxCNC reads it, and after the
restart the axis is swept over it in both directions, with the difference of motor command and command compared in every servo cycle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from precision.compensation import linuxcnc
from precision.compensation.table import Table
from precision.errors import DataError, DeviceFault, PrecisionError
from precision.recording import DOWN, UP

from .driver import LinuxCnc

TOLERANCE_M: Final = 1e-9
"""Trims are float32 (1e-12 m of 10 µm); commands are doubles. A nanometre is far above both and far below any correction."""
_SLEW_S: Final = 0.05
"""How long the controller may take to bring in the correction of the other side: at half of 1 m/s², 0.6 mm."""
_BEYOND_M: Final = 1e-3
_CORNER_M: Final = 10e-6
"""How near to the turning point a servo cycle falls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the controller added to its command, against the table, over `cycles` servo cycles: the largest difference, m."""

    worst_m: float
    cycles: int
    low_m: float
    high_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A table that the controller uses. old : the text of the one before, for `install` to put back."""

    axis: str
    old: str
    path: str
    verified: Verified


def active(controller: LinuxCnc, axis: str) -> Table:
    """The table in the controller's file, read as the controller reads it; raises `DataError` where it would lose points."""
    text, kind, _ = controller.beside.table(axis)
    return linuxcnc.read(text, file_type=_file_type(kind), axis=axis)


def install(
    controller: LinuxCnc, axis: str, text: str, *, moving: Callable[[], AbstractContextManager[None]] = nullcontext, undoing: Callable[[], None] = lambda: None
) -> Installed:
    """Replace the table of an axis, restart, home, and verify. Where anything fails, the old table is put back and the controller restarted with it.

    moving : entered around what moves; leaves a machine that stands, whatever happens. undoing : called before the old table is put back, which nothing
    should interrupt.

    Raises
    ------
    DataError       the controller would lose points of `text`, or adds something else than it says
    DeviceError     replacing or restarting is not allowed from here, or fails; with a note on which table is active now
    """
    old, kind, path = controller.beside.table(axis)
    wanted = linuxcnc.read(text, file_type=_file_type(kind), axis=axis)
    try:
        controller.beside.replace(axis, text)
        if controller.beside.table(axis)[0] != text:
            raise DataError(f"{path} on the controller's computer is not what was written to it; look at its disk")
        controller.restart()
        if controller.beside.table(axis)[0] != text:
            raise DeviceFault("LinuxCNC did not start with the new table, and was started again with the old one")
        with moving():
            controller.home()
            verified = verify(controller, axis, wanted)
    except BaseException as error:
        undoing()
        _put_back(controller, axis, old, error)
        raise
    return Installed(axis=axis, old=old, path=path, verified=verified)


def verify(controller: LinuxCnc, axis: str, table: Table, *, within_m: tuple[float, float] = (-math.inf, math.inf)) -> Verified:
    """Sweep the axis over the table (where it lies within `within_m`) in both directions and compare what the controller adds with `table`.

    Raises
    ------
    DataError       they differ, or servo cycles are missing: where, and by how much
    """
    low, high = controller.soft_limits()[axis]
    low, high = max(low, within_m[0]), min(high, within_m[1])
    begins, ends = float(table.nominal[0]) - _BEYOND_M, float(table.nominal[-1]) + _BEYOND_M
    if max(low, begins) < min(high, ends):  # else what the table holds beyond its end is what can be looked at
        low, high = max(low, begins), min(high, ends)
    joint = controller.beside.axes.index(axis)
    command, motor = _sweep(controller, axis, low, high, min(controller.max_feed()[axis], _followed_feed(controller, joint, table)))
    offset_m = float(controller.beside.pin(f"joint.{joint}.motor-offset")) * 1e-3
    direction, steady = _sides(command, round(_SLEW_S * controller.beside.frames.rate_hz))
    difference = np.abs(motor - command - offset_m - table.correction(command, direction))[steady]
    covered = command[steady]
    if not covered.size or covered.min() > low + _CORNER_M or covered.max() < high - _CORNER_M:
        raise DataError(f"the sweep of {axis} did not cover {low * 1e3:g} … {high * 1e3:g} mm")
    worst = int(difference.argmax())
    if difference[worst] > TOLERANCE_M:
        raise DataError(
            f"the controller's correction of {axis} differs from the table by {difference[worst] * 1e6:.4f} µm at {covered[worst] * 1e3:.3f} mm; it has not "
            "read all of it, or another compensation is active. See [JOINT_n] COMP_FILE, COMP_FILE_TYPE and BACKLASH in the INI file"
        )
    return Verified(worst_m=float(difference[worst]), cycles=int(steady.sum()), low_m=low, high_m=high)


def _followed_feed(controller: LinuxCnc, joint: int, table: Table) -> float:
    """The feed, m/s, up to which the controller's correction follows the table without a lag.

    The controller slews the correction with half of the joint's acceleration a, from rest to rest in each servo cycle T: what the table asks for within a
    cycle has to be well below a T² / 2; a fifth of that is taken.
    """
    if table.nominal.size < 2:
        return math.inf
    spacing = np.diff(table.nominal)
    slope = max(float(np.abs(np.diff(side) / spacing).max()) for side in (table.forward, table.reverse))
    acceleration = 0.5e-3 * float(controller.beside.pin(f"ini.{joint}.max_acceleration"))
    return 0.1 * acceleration / controller.beside.frames.rate_hz / slope if slope > 0 else math.inf


def _sweep(controller: LinuxCnc, axis: str, low_m: float, high_m: float, feed_m_per_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(command, motor command) of every servo cycle while the axis goes up and down once, m."""
    stream = controller.another_beside()
    try:
        frames = stream.frames
        names = [channel.name for channel in frames.channels]
        columns = [names.index(f"{axis.lower()}_{kind}") for kind in ("cmd", "mcmd")]
        found: list[NDArray[np.float64]] = []
        turned = False

        def look() -> None:
            nonlocal turned
            block = frames.read(5.0)
            if block is None or block.lost:
                raise DataError(f"servo cycles are missing in the sweep of {axis}; is the computer overloaded? Nothing was verified")
            found.append(block.values[:, columns])
            turned = turned or bool(found[-1][:, 0].max(initial=low_m) > high_m - _CORNER_M)

        controller.move_to({axis: low_m}, feed_m_per_s=feed_m_per_s)
        frames.start()
        there, back = (f"G53 G1 {axis}{value * 1e3:.6f} F{feed_m_per_s * 60e3:.3f}" for value in (high_m, low_m))
        controller.run_program(f"G21 G90 G94 G61 G40\n{there}\n{back}\nM2\n", name="sweep", look=look)
        # What was under way when the program ended: up to the first cycle at the end of the way back.
        while not (turned and found[-1][-1:, 0].min(initial=high_m) < low_m + 1e-9):
            look()
        frames.stop()
    finally:
        stream.close()
    rows = np.concatenate(found)
    return rows[:, 0], rows[:, 1]


def _sides(command_m: NDArray[np.float64], slewing: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The side of each cycle (held at standstill), and where it has held long enough for the correction to be there."""
    change = np.sign(np.diff(command_m, prepend=command_m[:1]))
    moving = np.flatnonzero(change)
    if not moving.size:
        return np.zeros(command_m.size, dtype=np.int64), np.zeros(command_m.size, dtype=bool)
    last = moving[np.clip(np.searchsorted(moving, np.arange(command_m.size), side="right") - 1, 0, None)]
    side = np.where(change[last] > 0, UP, DOWN)
    starts = np.concatenate([moving[:1], np.flatnonzero(np.diff(side)) + 1])
    since = np.arange(command_m.size) - starts[np.clip(np.searchsorted(starts, np.arange(command_m.size), side="right") - 1, 0, None)]
    steady = (since >= slewing) & (np.arange(command_m.size) >= moving[0])
    steady[starts[1:] - 1] = False  # a turn within a cycle: the velocity has changed its sign, the position not yet come back
    return side, steady


def _put_back(controller: LinuxCnc, axis: str, old: str, error: BaseException) -> None:
    back = False
    try:
        controller.reconnect()  # what failed may have been cut off in the middle of an answer
        back = controller.beside.table(axis)[0] == old
        if not back:
            controller.beside.replace(axis, old)
            back = True
            controller.restart()
        error.add_note(f"the old table of {axis} is back, and the controller runs with it")
    except PrecisionError as failed:
        if back:
            error.add_note(f"the old table of {axis} is back in its file, but LinuxCNC was not restarted ({failed}): restart it by hand before the machine moves again")
            return
        error.add_note(f"THE OLD TABLE OF {axis} COULD NOT BE PUT BACK ({failed}): look at its COMP_FILE before the machine moves again")


def _file_type(kind: int) -> Literal[0, 1]:
    return 1 if kind == 1 else 0
