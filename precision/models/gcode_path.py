"""The path in the XY plane that a part program commands: lines and arcs of G-code, each with the line of the program that it stands in.

Understood: G0 G1 G2 G3 with X Y (Z), I J or R; G17; G20 G21; G90 G91; G90.1 G91.1; line numbers, comments, feeds, spindle and M words. A program begins in
mm, absolute, arc centres incremental (ISO 6983, and RS274/NGC for G90.1). A word that would move the path and is not understood is refused with its line:
the other planes, tool radius compensation, canned cycles, offsets, rotary axes, turns of more than a circle. Z is left out: a helix is its circle.

A centre that rounding put off the perpendicular bisector of its arc is moved onto it. Radii to start and end may differ by 5 µm or by 0.1 %, at most by 0.5 mm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..kernels.contour import Toolpath

Array = NDArray[np.float64]

_COMMENT: Final = re.compile(r"\([^)]*\)|;.*")
_WORD: Final = re.compile(r"([A-Z])([+-]?(?:\d+\.?\d*|\.\d+))")
_HARMLESS: Final = frozenset({4.0, 17.0, 40.0, 49.0, 54.0, 61.0, 61.1, 64.0, 80.0, 93.0, 94.0, 95.0, 96.0, 97.0})
_IDLE: Final = frozenset("NFSMTHDLQPG")
_INCH_M: Final = 0.0254


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GcodePath:
    """m segments. point_m : (2, m + 1). centre_m : (2, m). sweep_rad : (m,), 0 for a line. line : (m,) int, of the program, from 1. rapid : (m,) bool, G0."""

    point_m: Array
    centre_m: Array
    sweep_rad: Array
    line: NDArray[np.int64]
    rapid: NDArray[np.bool_]

    @property
    def length_m(self) -> Array:
        """(m,) length of each segment."""
        chord = np.hypot(*np.diff(self.point_m, axis=1))
        radius = np.hypot(*(self.point_m[:, :-1] - self.centre_m))
        return np.asarray(np.where(self.sweep_rad == 0, chord, radius * np.abs(self.sweep_rad)), dtype=np.float64)

    @property
    def toolpath(self) -> Toolpath:
        """As the contour error takes it."""
        return Toolpath(self.point_m, self.centre_m, self.sweep_rad)


@dataclass(slots=True)
class _State:
    """What stays in force from line to line."""

    x: float
    y: float
    motion: float | None = None
    scale: float = 1e-3
    absolute: bool = True
    absolute_centre: bool = False


def parse(program: str, *, start_m: tuple[float, float] = (0.0, 0.0)) -> GcodePath:
    """Read a part program.

    Parameters
    ----------
    program : text of G-code
    start_m : X, Y where it begins, m

    Raises
    ------
    DataError       naming the line: a word that is none or is not understood, an arc without centre or whose radii differ; or no motion in the plane at all

    Examples
    --------
    >>> parse("G1 X10 F600\\nG3 X0 I-5").length_m.round(6).tolist()
    [0.01, 0.015708]
    """
    state = _State(*start_m)
    points, centres, sweeps, lines, rapid = [start_m], [], [], [], []
    for number, text in enumerate(program.upper().splitlines(), 1):
        words = _words(text, number)
        target = _moved(words, state, number)
        if target is None:
            continue
        here = (state.x, state.y)
        centre, sweep = (here, 0.0) if state.motion in (0.0, 1.0) else _arc(dict(words), here, target, state, number)
        state.x, state.y = target
        if target == here and sweep == 0:
            continue
        points.append(target)
        centres.append(centre)
        sweeps.append(sweep)
        lines.append(number)
        rapid.append(state.motion == 0.0)
    if not lines:
        raise DataError("the program has no motion in the XY plane; expected at least one G0, G1, G2 or G3 with X or Y")
    return GcodePath(
        point_m=np.array(points, dtype=np.float64).T.copy(),
        centre_m=np.array(centres, dtype=np.float64).T.copy(),
        sweep_rad=np.array(sweeps, dtype=np.float64),
        line=np.array(lines, dtype=np.int64),
        rapid=np.array(rapid, dtype=np.bool_),
    )


def _words(text: str, number: int) -> list[tuple[str, float]]:
    bare = re.sub(r"\s", "", _COMMENT.sub("", text)).strip("%").removeprefix("/")
    rest = _WORD.sub("", bare)
    if rest:
        raise DataError(f"line {number}: {rest[:40]!r} is no word of G-code; expected letters with numbers, such as X1.5")
    words = [(letter, float(value)) for letter, value in _WORD.findall(bare)]
    unknown = [letter for letter, _ in words if letter not in _IDLE and letter not in "XYZIJKR"]
    if unknown:
        raise DataError(f"line {number}: the word {unknown[0]} is not understood; this reads X, Y, Z, I, J and R")
    return words


def _moved(words: list[tuple[str, float]], state: _State, number: int) -> tuple[float, float] | None:
    """Take the G words over into the state; the target of the line, or None where it does not move."""
    dwell = False
    for letter, value in words:
        if letter != "G":
            continue
        if value in (0.0, 1.0, 2.0, 3.0):
            state.motion = value
        elif value in (20.0, 21.0):
            state.scale = _INCH_M if value == 20.0 else 1e-3
        elif value in (90.0, 91.0):
            state.absolute = value == 90.0
        elif value in (90.1, 91.1):
            state.absolute_centre = value == 90.1
        elif value not in _HARMLESS:
            raise DataError(f"line {number}: G{value:g} is not understood, and the path may depend on it; this reads lines and arcs in the XY plane")
        dwell = dwell or value == 4.0
    given = dict(words)
    if dwell or not given.keys() & {"X", "Y", "I", "J", "R"}:
        return None
    if state.motion is None:
        raise DataError(f"line {number}: coordinates before any G0, G1, G2 or G3; say how to move")
    origin = (0.0, 0.0) if state.absolute else (state.x, state.y)
    x = origin[0] + given["X"] * state.scale if "X" in given else state.x
    y = origin[1] + given["Y"] * state.scale if "Y" in given else state.y
    return x, y


def _arc(given: dict[str, float], start: tuple[float, float], end: tuple[float, float], state: _State, number: int) -> tuple[tuple[float, float], float]:
    """Centre and sweep of a G2 or G3."""
    if given.get("P", 1.0) > 1:
        raise DataError(f"line {number}: P{given['P']:g} turns; this reads arcs up to a full circle")
    turn = 1.0 if state.motion == 3.0 else -1.0
    p0, p1 = np.array(start), np.array(end)
    chord = p1 - p0
    half = float(np.hypot(*chord)) / 2
    middle = (p0 + p1) / 2
    if "R" in given:
        radius = given["R"] * state.scale
        if half == 0:
            raise DataError(f"line {number}: an arc with R that ends where it begins has no one centre; give I and J")
        height2 = radius**2 - half**2
        if height2 < 0 and half - abs(radius) > 5e-6:
            raise DataError(f"line {number}: R is {radius:g} m, the ends are {2 * half:g} m apart; expected at least half of that")
        left = np.array([-chord[1], chord[0]]) / (2 * half)
        centre = middle + turn * math.copysign(1.0, radius) * math.sqrt(max(height2, 0.0)) * left
    elif given.keys() & {"I", "J"}:
        origin = np.zeros(2) if state.absolute_centre else p0
        centre = origin + np.array([given.get("I", 0.0), given.get("J", 0.0)]) * state.scale
        radius, at_end = float(np.hypot(*(p0 - centre))), float(np.hypot(*(p1 - centre)))
        apart = abs(radius - at_end)
        if radius == 0 or apart > 5e-4 or (apart > 5e-6 and apart > 1e-3 * radius):
            raise DataError(f"line {number}: the centre is {radius:g} m from the start and {at_end:g} m from the end of the arc; expected one radius above zero")
        if half > 0:
            normal = np.array([-chord[1], chord[0]]) / (2 * half)
            centre = middle + float((centre - middle) @ normal) * normal
    else:
        raise DataError(f"line {number}: an arc needs I and J, or R")
    if half == 0:
        return (float(centre[0]), float(centre[1])), turn * 2 * math.pi
    a0, a1 = (math.atan2(p[1] - centre[1], p[0] - centre[0]) for p in (p0, p1))
    return (float(centre[0]), float(centre[1])), turn * ((turn * (a1 - a0)) % (2 * math.pi))
