"""Servo-rate recordings of LinuxCNC (`sampler`, `halsampler -t`, or CSV with HAL pins as columns): one row a servo cycle.

A CSV has a line of names; a `halsampler` text has none, and its columns are given by the caller. Lengths are the machine's unit, mm. `sample` counts the
cycles, so a gap is seen; `overrun` in a halsampler text means lost rows. Both are refused: time is counted in rows.

A positioning test is cut out by the column `trig`, which is 1 while the axis stands at a target (a digital output set by the G-code).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.recording import DOWN, UP
from precision.units import MM

from .outside import lines_of, number, refuse
from .positioning_csv import Imported

_LARGEST = 1e15
_ROW: Final = re.compile(r"[0-9+\-.eE]+(?:,[0-9+\-.eE]+)*", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
SHORTEST_WINDOW: Final = 5
"""Cycles. A window of fewer is a G4 that shrank under load, not a measurement."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """A recording. columns : name -> (n,) float64, as the file gives them (mm, mm/s). servo_period_s : time from row to row."""

    columns: dict[str, NDArray[np.float64]]
    servo_period_s: float


def read(path: Path, *, columns: Sequence[str] | None = None, servo_period_s: float = 1e-3) -> Log:
    """The recording in a file (also .gz). columns : names, for a text without a line of names.

    Raises
    ------
    DataError       naming the line: a row of another width or with a word in it, an overrun, or a gap in `sample`
    """
    lines = lines_of(path, ended=True)
    while lines and not lines[-1].strip():
        lines.pop()
    first = 0
    if columns is None:
        names = [name.strip() for name in lines[0].split(",")] if lines else []
        if len(names) < 2 or not all(_NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
            refuse(path, 1, "a line of column names is expected, separated by commas (sample,x_cmd,...); name them for a halsampler text")
        first = 1
    else:
        names = list(columns)
    if len(lines) - first < 2:
        refuse(path, len(lines) or None, "fewer than two rows; the recording may be cut off")
    rows = []
    for line, text in enumerate(lines[first:], first + 1):
        if columns is not None:
            if "overrun" in text:
                refuse(path, line, "overrun: rows are lost, and with them the time; record again with a faster reader")
            text = ",".join(text.split())
        if not _ROW.fullmatch(text) or text.count(",") != len(names) - 1:
            refuse(path, line, f"{text[:60]!r}; {len(names)} numbers are expected ({','.join(names)[:80]})")
        rows.append(text)
    try:
        table = np.array([row.split(",") for row in rows], dtype=np.float64)
    except ValueError:  # find the cell that is none
        for line, row in enumerate(rows, first + 1):
            for name, cell in zip(names, row.split(","), strict=True):
                number(path, line, cell, name)
        raise
    sane = np.abs(table) <= _LARGEST  # false for what is no number
    if not np.all(sane):
        refuse(path, first + 1 + int(np.argwhere(~sane)[0, 0]), "a number is not finite or beyond 1e15, which no pin of a machine has; is the recording damaged?")
    found = {name: table[:, place].copy() for place, name in enumerate(names)}
    if "sample" in found:
        gap = np.flatnonzero(np.diff(found["sample"]) != 1)
        if gap.size:
            line = first + 2 + int(gap[0])
            refuse(path, line, f"sample {found['sample'][gap[0] + 1]:.0f} after {found['sample'][gap[0]]:.0f}; rows are missing, and with them the time")
    return Log(columns=found, servo_period_s=servo_period_s)


def positioning(path: Path, *, axis: str = "X", seen: str = "tool") -> Imported:
    """The positioning test in a recording with `trig`: one reading for each window, the mean of the column `<axis>_<seen>` over it.

    The target is the command (rounded to 0.1 µm), the approach its change since the window before.

    Raises
    ------
    DataError       columns that are missing, a window cut off by the recording's begin or end, too short, or in which the command moves
    """
    log = read(path)
    command_name, seen_name = f"{axis.lower()}_cmd", f"{axis.lower()}_{seen}"
    missing = [name for name in (command_name, seen_name, "trig") if name not in log.columns]
    if missing:
        raise DataError(f"{path.name}: no column {', '.join(missing)}; found: {', '.join(log.columns)[:200]}")
    command, actual, trig = (log.columns[name] for name in (command_name, seen_name, "trig"))
    edges = np.flatnonzero(np.diff(trig != 0)) + 1
    if trig[0] or trig[-1]:
        refuse(path, 2 if trig[0] else trig.size + 1, "the recording begins or ends inside a measuring window (trig); it is cut off")
    if not edges.size:
        raise DataError(f"{path.name}: trig is never 1; there is no measuring window")
    targets, readings, directions = [], [], []
    before = float(command[0])
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        line = int(start) + 2
        if end - start < SHORTEST_WINDOW:
            refuse(path, line, f"a measuring window of {end - start} cycles; at least {SHORTEST_WINDOW} are expected (was a dwell cut short?)")
        if np.ptp(command[start:end]) > 1e-7:  # the last printed digit
            refuse(path, line, "the command moves inside a measuring window; this is no positioning test (or the window opened too early)")
        target = round(float(command[start]), 4)
        travel = command[: start + 1][::-1]
        moved = np.flatnonzero(travel != travel[0])
        came_from = float(travel[moved[0]]) if moved.size else before
        if came_from == target:
            refuse(path, line, "the axis has not moved before this window; the direction of approach is unknown")
        # The mean of deviations: 0.1 nm in 100 mm would be lost in a sum of positions only in single precision, but nothing is gained by it either.
        readings.append(target + float(np.mean(actual[start:end] - target)))
        targets.append(target)
        directions.append(UP if target > came_from else DOWN)
        before = target
    seen_before: dict[tuple[float, int], int] = {}
    runs = []
    for place in zip(targets, directions, strict=True):
        seen_before[place] = seen_before.get(place, 0) + 1
        runs.append(seen_before[place])
    if len(set(seen_before.values())) > 1:
        rarest = min(seen_before, key=lambda place: seen_before[place])
        raise DataError(
            f"{path.name}: target {rarest[0]:g} mm {'↑↓'[rarest[1]]} was measured {seen_before[rarest]} times, others {max(seen_before.values())}; the recording may be cut off"
        )
    return Imported(
        axis=axis, kind="linear", run=np.array(runs, dtype=np.int64), direction=np.array(directions, dtype=np.int64), target=np.array(targets) * MM,
        actual=np.array(readings) * MM, header={"instrument": f"column {seen_name} of {path.name}"},
    )  # fmt: skip
