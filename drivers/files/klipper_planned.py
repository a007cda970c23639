"""The motion that Kalico, a Klipper, planned in batch mode, as `drivers/kalico/planned_motion.py` writes it beside the controller.

    # planned motion 1; kalico 2026.10.0.dev0; steps sha256 …
    print_time [s],accel_t [s],cruise_t [s],decel_t [s],start_x [mm],…,axes_r_x,…,start_v [mm/s],cruise_v [mm/s],accel [mm/s^2]
    0.25,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0                   the position was set: all times are 0
    0.7585,0.05,0.35,0.05,0.0,0.0,0.0,1.0,0.0,0.0,0.0,100.0,2000.0         a move: up to cruise_v, cruise, down with the same acceleration
    # end, 2 rows

Within each of its three pieces a move goes s = v·t + a·t²/2 along its direction, so the planned position is known exactly at any time. Where the position is set
(homing, SET_KINEMATIC_POSITION) it changes without a motion; what is evaluated is the stretch between two such places in which there are most moves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.regular_file import at_most, open_regular

Array = NDArray[np.float64]
MAX_BYTES: Final = 1 << 28
MAX_MOVES: Final = 2_000_000
"""Some 1 kB of memory each while they are read."""
AXES: Final = "xyz"
COLUMNS: Final = (
    "print_time [s],accel_t [s],cruise_t [s],decel_t [s],start_x [mm],start_y [mm],start_z [mm],axes_r_x,axes_r_y,axes_r_z,"
    "start_v [mm/s],cruise_v [mm/s],accel [mm/s^2]"
)  # fmt: skip
_NAMES: Final = tuple(COLUMNS.split(","))
_HEAD: Final = re.compile(r"# planned motion (\d{1,4}); (\S[^;]{0,80}); steps sha256 ([0-9a-f]{64})", re.ASCII)
_END: Final = re.compile(r"# end, (\d{1,10}) rows", re.ASCII)
_VERSION: Final = 1
_FIRST_ROW: Final = 3
"""Line of the first row."""
_LARGEST: Final = 1e9
_SAME_S: Final = 1e-9
"""Times of a plan are sums of doubles below 10⁶ s, good to 10⁻¹⁰ s."""
_SAME_MM: Final = 1e-6
"""A move ends where the next begins but for the rounding of its times, 10⁻¹⁰ of its length."""
_SAME: Final = 1e-6
"""Relative, of speeds and directions."""
_SAME_WAY: Final = 1e-9
"""What rounding leaves of a direction, 1 nm in 1 m, is no motion."""
_MM: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """Moves between two settings of the position, the most that there are.

    controller : its name and version. steps_sha256 : of the step stream of the same run. begin_s, end_s : of the first and the last move. not_before_s,
    not_after_s : halfway to the moves of another stretch, where the machine stands; −inf and inf where there are none. moves, left_out : how many, and how many in
    other stretches. _time_s, _duration_s, _speed, _acceleration : (k,) of the pieces; _start_m, _direction : (k, 3).
    """

    controller: str
    steps_sha256: str
    begin_s: float
    end_s: float
    not_before_s: float
    not_after_s: float
    moves: int
    left_out: int
    _time_s: Array
    _duration_s: Array
    _speed: Array
    _acceleration: Array
    _start_m: Array
    _direction: Array

    def position_m(self, time_s: Array) -> Mapping[str, Array]:
        """Axis -> (n,) planned position at times (n,) on the clock of the plan: p + r·(v·t + a·t²/2) within a piece, standing before, between and after them."""
        piece = np.clip(np.searchsorted(self._time_s, time_s, side="right") - 1, 0, None)
        t = np.clip(time_s - self._time_s[piece], 0.0, self._duration_s[piece])
        way = (self._speed[piece] + self._acceleration[piece] / 2 * t) * t
        return {axis: self._start_m[piece, k] + self._direction[piece, k] * way for k, axis in enumerate(AXES)}

    def way_m(self, axis: str) -> float:
        """From the lowest planned position of an axis to its highest; both lie at an end of a piece, as none turns round."""
        k = AXES.index(axis)
        end = self._direction[:, k] * (self._speed + self._acceleration / 2 * self._duration_s) * self._duration_s
        return float(np.ptp(np.concatenate([self._start_m[:, k], self._start_m[:, k] + end])))

    def moving_s(self, axis: str) -> tuple[float, float] | None:
        """When an axis begins to move for the first time, and ends for the last; None where it never does."""
        there = np.flatnonzero(np.abs(self._direction[:, AXES.index(axis)]) > _SAME_WAY)
        return (float(self._time_s[there[0]]), float(self._time_s[there[-1]] + self._duration_s[there[-1]])) if there.size else None

    def fastest_m_per_s(self, axis: str) -> float:
        """Largest planned speed of an axis."""
        end = self._speed + self._acceleration * self._duration_s
        return float((np.abs(self._direction[:, AXES.index(axis)]) * np.maximum(self._speed, end)).max())


def read(path: Path) -> Planned:
    """The planned motion in a file.

    Raises
    ------
    DataError       no such file, another or a damaged one, moves that overlap, do not fit together or are none; naming the line
    """
    lines = _lines(path)
    head = _HEAD.fullmatch(lines[0]) if lines else None
    if head is None:
        raise DataError(f"{path.name}: does not begin like a planned motion (“# planned motion 1; …”); drivers/kalico/planned_motion.py writes it, see docs/tracking.md")
    if int(head[1]) != _VERSION:
        raise DataError(f"{path.name}: is a planned motion of format {head[1]}; {_VERSION} is read: take the planned_motion.py of this version")
    if len(lines) < 2 or lines[1] != COLUMNS:
        _refuse(path, 2, f"the columns are {(lines[1] if len(lines) > 1 else '')[:80]!r}; {COLUMNS} are expected")
    end = _END.fullmatch(lines[-1])
    rows = len(lines) - _FIRST_ROW
    if end is None or int(end[1]) != rows:
        raise DataError(f"{path.name}: has no last line “# end, {max(0, rows)} rows”; the file is cut off or was changed: run planned_motion.py again")
    if rows > MAX_MOVES:
        raise DataError(f"{path.name}: {rows} rows; at most {MAX_MOVES} are read: split the program")
    values = np.empty((rows, len(_NAMES)))
    for number, line in enumerate(lines[2:-1]):
        values[number] = _row(path, number + _FIRST_ROW, line)
    _without_rounding(values)
    _check(path, values)
    return _stretch(path, values, head[2], head[3])


def begins(text: str) -> bool:
    """Whether a text begins like one."""
    return text.startswith("# planned motion ")


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            data = file.read(at_most(file, MAX_BYTES))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{path.name}: more than {MAX_BYTES >> 20} MB; split the program")
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _row(path: Path, line: int, text: str) -> list[float]:
    fields = text.split(",", len(_NAMES))
    if len(fields) != len(_NAMES):
        _refuse(path, line, f"{len(fields)} values where {len(_NAMES)} are expected")
    found = []
    for name, field in zip(_NAMES, fields, strict=True):
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not abs(value) <= _LARGEST:
            _refuse(path, line, f"{name} is {field[:40]!r}; a number is expected")
        found.append(value)
    return found


def _without_rounding(values: Array) -> None:
    """A cruise is what acceleration and deceleration leave of the way, over its speed: of a move that has none rounding may leave less than nothing, which is 0 here."""
    cruise = values[:, 2]
    cruise[(cruise < 0) & (cruise >= -_SAME_S) & (values[:, 1] + values[:, 3] > _SAME_S)] = 0.0


def _check(path: Path, values: Array) -> None:
    """Each move for itself, and that it begins when and where the one before has ended."""
    began, up, cruise, down = values[:, :4].T
    start_v, cruise_v, accel = values[:, 10:].T
    ended, set_here = began + up + cruise + down, ~np.any(values[:, 1:4], axis=1)
    slack = _SAME * np.maximum(1.0, cruise_v)
    length = np.linalg.norm(values[:, 7:10], axis=1)
    for wrong, why in (
        (np.any(values[:, :4] < 0, axis=1), "a time below 0"),
        (np.any(values[:, 10:] < 0, axis=1), "a speed or an acceleration below 0"),
        (~set_here & (np.abs(length - 1) > _SAME), "axes_r is no direction: its length is not 1"),
        (~set_here & (np.abs(start_v + accel * up - cruise_v) > slack), "start_v, accel and accel_t do not come to cruise_v"),
        (~set_here & (cruise_v - accel * down < -slack), "the move turns round: accel and decel_t are more than cruise_v"),
    ):
        if wrong.any():
            _refuse(path, int(np.argmax(wrong)) + _FIRST_ROW, why)
    if began.size < 2:
        return
    early = ended[:-1] - began[1:] > _SAME_S
    if early.any():
        k = int(np.argmax(early))
        _refuse(path, k + 1 + _FIRST_ROW, f"begins at {began[k + 1]:.9g} s, before the row before it has ended at {ended[k]:.9g} s")
    way = start_v * up + accel * up**2 / 2 + cruise_v * (cruise + down) - accel * down**2 / 2
    place = values[:, 4:7] + values[:, 7:10] * way[:, None]
    apart = np.abs(values[1:, 4:7] - place[:-1]).max(axis=1)
    jumps = ~set_here[1:] & (apart > _SAME_MM * np.maximum(1.0, way[:-1] * 1e-3))
    if jumps.any():
        k = int(np.argmax(jumps))
        _refuse(path, k + 1 + _FIRST_ROW, f"begins {apart[k]:.6g} mm from where the row before it ends, and no row between them sets the position")


def _stretch(path: Path, values: Array, controller: str, steps_sha256: str) -> Planned:
    """The moves between two settings of the position, where there are most; of equals the last."""
    set_here = ~np.any(values[:, 1:4], axis=1)
    number = np.cumsum(set_here)[~set_here]
    moves = values[~set_here]
    if not moves.shape[0]:
        raise DataError(f"{path.name}: holds no move; does the program move an axis?")
    counts = np.bincount(number)
    chosen = int(counts.size - 1 - np.argmax(counts[::-1]))
    begin, end = (int(np.searchsorted(number, chosen, side=side)) for side in ("left", "right"))
    began, ended = moves[:, 0], moves[:, 0] + moves[:, 1:4].sum(axis=1)
    own = moves[begin:end]
    # Three pieces of each move; those without duration are left out.
    start_v, cruise_v, accel = own[:, 10:].T
    duration = own[:, 1:4]
    speed = np.stack([start_v, cruise_v, cruise_v], axis=1)
    acceleration = np.stack([accel, np.zeros_like(accel), -accel], axis=1)
    way = (speed + acceleration / 2 * duration) * duration
    before = np.concatenate([np.zeros((len(own), 1)), np.cumsum(way, axis=1)[:, :2]], axis=1)
    at = own[:, :1] + np.concatenate([np.zeros((len(own), 1)), np.cumsum(duration, axis=1)[:, :2]], axis=1)
    there = duration > 0
    direction = np.repeat(own[:, None, 7:10], 3, axis=1)
    return Planned(
        controller=controller,
        steps_sha256=steps_sha256,
        begin_s=float(began[begin]),
        end_s=float(ended[end - 1]),
        not_before_s=float(ended[begin - 1] + began[begin]) / 2 if begin else -math.inf,
        not_after_s=float(ended[end - 1] + began[end]) / 2 if end < len(moves) else math.inf,
        moves=end - begin,
        left_out=len(moves) - (end - begin),
        _time_s=at[there],
        _duration_s=duration[there],
        _speed=speed[there] * _MM,
        _acceleration=acceleration[there] * _MM,
        _start_m=(own[:, None, 4:7] + direction * before[:, :, None])[there] * _MM,
        _direction=direction[there],
    )


def _refuse(path: Path, line: int, why: str) -> NoReturn:
    raise DataError(f"{path.name}, line {line}: {why}")
