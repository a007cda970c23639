"""The motions in space that a G-code program commands: lines, arcs and helices in every plane, each with the number of its line.

`gcode_path` is a path in one plane as the contour error takes it; `in_plane` makes one of these motions.

Understood: G0 G1 G2 G3 (centre by I, J, K or by R), G17 G18 G19, G20 G21, G90 G91, G90.1 G91.1, one of G54 … G59. Words that leave the path as it is change
nothing: G4, G40, G49, G61, G61.1, G64, G80, G94, M0, M1, M3 … M5, M7 … M9, M48, M49, M62 … M66, F, S, T, N. M2 and M30 end the program. Everything else –
cutter compensation, offsets, cycles, parameters, subroutines, tool changes, rotary axes, block delete – is refused with the number of its line: a path from
which a word was left out would be another path.

A program begins in G17, G90 and G91.1. Positions are work positions. The two radii of an arc may differ by 5 µm, or by 0.1 % and at most 0.5 mm: the rule of
Grbl 1.1, from memory. The ends of an arc count, its centre is moved to fit them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

import numpy as np

from ..errors import DataError
from .gcode_path import GcodePath

MM_PER_INCH: Final = 25.4
LARGEST_M: Final = 1e4
"""A program that goes farther is none for a machine."""
MOST_CHARACTERS: Final = 64 << 20
SAME_PLACE_M: Final = 1e-9
"""An arc whose end is no farther from its start is a full turn."""

Point = tuple[float, float, float]
Pair = tuple[float, float]

_WORD: Final = re.compile(r"([A-Z])([+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))")
_AXES: Final = "XYZ"
_PLANES: Final = {"G17": (0, 1), "G18": (2, 0), "G19": (1, 2)}
"""Plane -> its first and second axis; counter-clockwise (G3) is from the first to the second."""
_NAMED: Final = {"XY": (0, 1), "ZX": (2, 0), "YZ": (1, 2)}
_GROUPS: Final = {
    **dict.fromkeys(("G0", "G1", "G2", "G3", "G80"), "motion"),
    "G4": "dwell",
    **dict.fromkeys(_PLANES, "plane"),
    **dict.fromkeys(("G20", "G21"), "units"),
    **dict.fromkeys(("G90", "G91"), "distance"),
    **dict.fromkeys(("G90.1", "G91.1"), "centre"),
    **dict.fromkeys(("G54", "G55", "G56", "G57", "G58", "G59"), "system"),
    **dict.fromkeys(("G61", "G61.1", "G64"), "path control"),
    "G40": "cutter compensation",
    "G49": "tool length",
    "G94": "feed mode",
    **dict.fromkeys(("M0", "M1", "M2", "M30"), "stop"),
    **dict.fromkeys(("M3", "M4", "M5"), "spindle"),
    **dict.fromkeys(("M7", "M8", "M9"), "coolant"),
    **dict.fromkeys(("M48", "M49"), "overrides"),
    **dict.fromkeys(("M62", "M63", "M64", "M65", "M66"), "input and output"),
}
_TAKES: Final = {"G4": "P", "G64": "PQ", **dict.fromkeys(("M62", "M63", "M64", "M65"), "P"), "M66": "PELQ"}
"""Which further letters a word takes; they do not change the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One motion of the program, in m.

    line : its number in the text, from 1. start_m, end_m : (x, y, z). rapid : G0. feed_m_per_s : None for a rapid or where the program names none.
    plane : axes of the arc's plane as indices of (x, y, z), None for a line. centre_m : in the plane's two axes.
    sweep_rad : positive from the first axis to the second; 0 for a line. Along the third axis the motion is uniform (a helix).
    """

    line: int
    start_m: Point
    end_m: Point
    rapid: bool = False
    feed_m_per_s: float | None = None
    plane: tuple[int, int] | None = None
    centre_m: Pair = (0.0, 0.0)
    sweep_rad: float = 0.0

    @property
    def length_m(self) -> float:
        """Along the motion."""
        if self.plane is None:
            return math.dist(self.start_m, self.end_m)
        radius = math.hypot(*(self.start_m[axis] - centre for axis, centre in zip(self.plane, self.centre_m, strict=True)))
        third = 3 - sum(self.plane)
        return math.hypot(radius * self.sweep_rad, self.end_m[third] - self.start_m[third])

    def at(self, share: float) -> Point:
        """Position after a share (0 … 1) of the motion: the third axis of a helix goes evenly with the angle."""
        place = [a + share * (b - a) for a, b in zip(self.start_m, self.end_m, strict=True)]
        if self.plane is not None:
            (first, second), (a, b) = self.plane, self.centre_m
            u, v = self.start_m[first] - a, self.start_m[second] - b
            cos, sin = math.cos(share * self.sweep_rad), math.sin(share * self.sweep_rad)
            place[first], place[second] = a + cos * u - sin * v, b + sin * u + cos * v
        return (place[0], place[1], place[2])

    @property
    def turning_points_m(self) -> tuple[Point, ...]:
        """Both ends, and every place within an arc at which an axis of its plane turns round: the motion stays within their box."""
        if self.plane is None:
            return (self.start_m, self.end_m)
        begin = math.atan2(self.start_m[self.plane[1]] - self.centre_m[1], self.start_m[self.plane[0]] - self.centre_m[0])
        low, high = sorted((begin, begin + self.sweep_rad))
        quarters = range(math.ceil(low / (math.pi / 2)), math.floor(high / (math.pi / 2)) + 1)
        return (self.start_m, *(self.at((k * math.pi / 2 - begin) / self.sweep_rad) for k in quarters), self.end_m)


def motions(text: str, *, start_m: Point = (0.0, 0.0, 0.0), units: str | None = None) -> tuple[Motion, ...]:
    """The motions of a program, end to end; those without length are left out.

    Parameters
    ----------
    text : the program
    start_m : (x, y, z) m where the machine stands when it begins, as work position
    units : "mm" or "inch" in which it begins; None: the program must say G20 or G21 before its first length

    Raises
    ------
    DataError       naming the line: text that is no word, a word that is not supported or repeated, two words of one modal group, a motion that cannot be had
                    (no centre, an end that is not on the circle), a place farther than `LARGEST_M`; or a program without any motion

    Examples
    --------
    >>> [(one.line, round(one.length_m, 6)) for one in motions("G21\\nG1 X10 F600\\nG18 G3 X10 Z0 I-5")]
    [(2, 0.01), (3, 0.031416)]
    """
    if units not in (None, "mm", "inch"):
        raise DataError(f"units is {units!r}; expected 'mm', 'inch' or None")
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"the program has {len(text)} characters; at most {MOST_CHARACTERS} are read: split it")
    if not all(math.isfinite(place) and abs(place) <= LARGEST_M for place in start_m):
        raise DataError(f"start_m is {start_m}; expected three finite places in m")
    reader = _Reader(position=[float(place) for place in start_m], units={"mm": "G21", "inch": "G20", None: None}[units])
    marks = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() == "%":
            marks += 1
            if marks == 2:
                break
        elif reader.take(number, line):
            break
    if not reader.motions:
        raise DataError("the program moves nothing: no line holds a G0, G1, G2 or G3 with a place to go to; give the program that was run")
    return tuple(reader.motions)


def envelope(program: Sequence[Motion]) -> dict[str, tuple[float, float]]:
    """Axis ("X", "Y", "Z") -> lowest and highest work position on the way, m, arcs included."""
    places = [place for motion in program for place in motion.turning_points_m]
    return {axis: (min(place[k] for place in places), max(place[k] for place in places)) for k, axis in enumerate(_AXES)}


def in_plane(program: tuple[Motion, ...], plane: str = "XY") -> GcodePath:
    """The projection of motions into "XY", "ZX" or "YZ": a helix about the third axis is its circle. Motions along the third axis alone have no length there.

    Raises
    ------
    DataError       an arc that lies in another plane, naming its line; no motion in the plane
    """
    if plane not in _NAMED:
        raise DataError(f"plane is {plane!r}; expected one of {', '.join(_NAMED)}")
    first, second = _NAMED[plane]
    for motion in program:
        if motion.plane not in (None, (first, second)):
            raise DataError(f"G-code line {motion.line}: an arc that does not lie in {plane}; evaluate the plane of this arc")
    kept = [motion for motion in program if motion.plane or (motion.start_m[first], motion.start_m[second]) != (motion.end_m[first], motion.end_m[second])]
    if not kept:
        raise DataError(f"the program does not move in {plane}; evaluate another plane")
    ends = [kept[0].start_m, *(motion.end_m for motion in kept)]
    return GcodePath(
        point_m=np.array([[place[first] for place in ends], [place[second] for place in ends]]),
        centre_m=np.array([motion.centre_m for motion in kept]).T.copy(),
        sweep_rad=np.array([motion.sweep_rad for motion in kept]),
        line=np.array([motion.line for motion in kept], dtype=np.int64),
        rapid=np.array([motion.rapid for motion in kept], dtype=np.bool_),
        third_m=np.array([[getattr(motion, end)[3 - first - second] for motion in kept] for end in ("start_m", "end_m")]),
    )


@dataclass(slots=True)
class _Reader:
    """Modal state, and the motions so far."""

    position: list[float]
    units: str | None
    motion: str | None = None
    plane: str = "G17"
    distance: str = "G90"
    centre: str = "G91.1"
    system: str | None = None
    feed_m_per_s: float | None = None
    motions: list[Motion] = field(default_factory=list)

    def take(self, number: int, line: str) -> bool:
        """One line; whether the program ends with it."""
        commands, values = _sorted(number, _words(number, line))
        self._modes(number, commands)
        for word in commands.values():
            for letter in _TAKES.get(word, ""):
                values.pop(letter, None)
        if "F" in values:
            feed = values.pop("F")
            if feed < 0:
                _refuse(number, f"F{feed:g} is negative; a feed is expected")
            self.feed_m_per_s = self._metres(number, feed) / 60
        places = {axis: values.pop(axis) for axis in _AXES if axis in values}
        if places and "dwell" in commands:
            _refuse(number, "G4 with a place to go to; put them on two lines")
        if places or (self.motion in ("G2", "G3") and values):
            self._move(number, places, values)
        if values:
            _refuse(number, f"nothing on this line uses the word {next(iter(values))}; it is not left out in silence: correct the line")
        return commands.get("stop") in ("M2", "M30")

    def _modes(self, number: int, commands: dict[str, str]) -> None:
        self.units = commands.get("units", self.units)
        self.plane = commands.get("plane", self.plane)
        self.distance = commands.get("distance", self.distance)
        self.centre = commands.get("centre", self.centre)
        if "motion" in commands:
            self.motion = None if commands["motion"] == "G80" else commands["motion"]
        system = commands.get("system", self.system)
        if system != self.system and (self.system is not None or self.motions):
            _refuse(number, f"{system} after motions or words of another work system; how far the two lie apart is not known: give one program for each")
        self.system = system

    def _metres(self, number: int, value: float) -> float:
        if self.units is None:
            _refuse(number, "a length before G20 or G21; say which unit the program begins in (units 'mm' or 'inch')")
        return value * (MM_PER_INCH if self.units == "G20" else 1.0) * 1e-3

    def _move(self, number: int, places: dict[str, float], values: dict[str, float]) -> None:
        if self.motion is None:
            _refuse(number, "a place to go to, but no G0, G1, G2 or G3 is in force; correct the program")
        start = (self.position[0], self.position[1], self.position[2])
        for axis, value in places.items():
            at = _AXES.index(axis)
            self.position[at] = self._metres(number, value) + (self.position[at] if self.distance == "G91" else 0.0)
        end = (self.position[0], self.position[1], self.position[2])
        if any(abs(place) > LARGEST_M for place in end):
            _refuse(number, f"goes farther than {LARGEST_M:g} m; no machine does: correct the number or the unit")
        if self.motion in ("G2", "G3"):
            self.motions.append(self._arc(number, values, start, end))
        elif start != end:
            rapid = self.motion == "G0"
            self.motions.append(Motion(line=number, start_m=start, end_m=end, rapid=rapid, feed_m_per_s=None if rapid else self.feed_m_per_s))

    def _arc(self, number: int, values: dict[str, float], start: Point, end: Point) -> Motion:
        plane = _PLANES[self.plane]
        turn = 1.0 if self.motion == "G3" else -1.0
        begin, to = ((place[plane[0]], place[plane[1]]) for place in (start, end))
        letters = tuple("IJK"[axis] for axis in plane)
        given = [values.pop(letter, None) for letter in letters]
        radius = values.pop("R", None)
        if radius is not None:
            if given != [None, None]:
                _refuse(number, "an arc with R and with a centre; one of them is expected")
            centre = _centre_from_radius(number, begin, to, self._metres(number, radius), turn)
        elif given == [None, None]:
            _refuse(number, f"an arc without R and without {' or '.join(letters)}, the centre in the plane of {self.plane}; correct the line")
        else:
            absolute = self.centre == "G90.1"
            if absolute and None in given:
                _refuse(number, f"with G90.1 an arc has both {' and '.join(letters)}; correct the line")
            a, b = (self._metres(number, value or 0.0) for value in given)
            centre = (a, b) if absolute else (begin[0] + a, begin[1] + b)
        centre, sweep = _through_both_ends(number, begin, to, centre, turn)
        return Motion(line=number, start_m=start, end_m=end, feed_m_per_s=self.feed_m_per_s, plane=plane, centre_m=centre, sweep_rad=sweep)


def _words(number: int, line: str) -> list[tuple[str, float]]:
    """(letter, value), without comments and blanks."""
    code: list[str] = []
    inside = False
    for character in line:
        if inside:
            if character == "(":
                _refuse(number, "a comment inside a comment; close the first with )")
            inside = character != ")"
        elif character == "(":
            inside = True
        elif character == ";":
            break
        elif character not in " \t\r":
            code.append(character)
    if inside:
        _refuse(number, "a comment that is not closed; a ) is expected")
    joined = "".join(code)
    joined = joined.upper() if joined.isascii() else joined
    found: list[tuple[str, float]] = []
    at = 0
    while at < len(joined):
        word = _WORD.match(joined, at)
        if word is None:
            _refuse(number, f"{joined[at : at + 20]!a} is no word such as X1.5; parameters, expressions, subroutines and block delete are not supported")
        found.append((word[1], float(word[2])))
        at = word.end()
    return found


def _sorted(number: int, words: list[tuple[str, float]]) -> tuple[dict[str, str], dict[str, float]]:
    """Commands by modal group, and values by letter."""
    commands: dict[str, str] = {}
    values: dict[str, float] = {}
    for letter, value in words:
        if letter in "GM":
            word = f"{letter}{value:.12g}"
            group = _GROUPS.get(word)
            if group is None:
                _refuse(number, f"{word} is not supported: it may change the path; expected words are G0 to G3 and those that leave the path as it is")
            if group in commands:
                _refuse(number, f"{commands[group]} and {word} on one line exclude each other ({group}); put them on two lines")
            commands[group] = word
        elif letter in "XYZIJKRFPQLE":
            if letter in values:
                _refuse(number, f"{letter} stands twice on one line; once is expected")
            values[letter] = value
        elif letter not in "STN":
            _refuse(number, f"the word {letter}{value:g} is not supported: paths of X, Y and Z are read, without rotary axes and subroutines")
    return commands, values


def _centre_from_radius(number: int, start: Pair, end: Pair, radius: float, turn: float) -> Pair:
    """Of the two circles through both points, the one whose arc is at most half a turn; the other for a negative radius."""
    x, y = end[0] - start[0], end[1] - start[1]
    chord = math.hypot(x, y)
    if chord <= SAME_PLACE_M:
        _refuse(number, "an arc with R that ends where it begins has no one centre; give it by I, J or K")
    if chord / 2 - abs(radius) > 5e-6:
        _refuse(number, f"R is {abs(radius) * 1e3:g} mm, and its ends lie {chord * 1e3:g} mm apart; no such circle passes through both")
    side = turn * math.copysign(1.0, radius) * math.sqrt(max(0.0, radius**2 - (chord / 2) ** 2)) / chord
    return (start[0] + x / 2 - y * side, start[1] + y / 2 + x * side)


def _through_both_ends(number: int, start: Pair, end: Pair, centre: Pair, turn: float) -> tuple[Pair, float]:
    """Centre and sweep of the arc that ends where the program says."""
    radius, at_end = math.dist(start, centre), math.dist(end, centre)
    if not radius > SAME_PLACE_M:
        _refuse(number, "an arc of no radius; correct its centre")
    if math.dist(start, end) <= SAME_PLACE_M:
        return centre, turn * 2 * math.pi
    sweep = math.atan2(end[1] - centre[1], end[0] - centre[0]) - math.atan2(start[1] - centre[1], start[0] - centre[0])
    sweep = turn * ((turn * sweep) % (2 * math.pi))
    across = abs(math.sin(sweep / 2))
    through = math.dist(start, end) / 2 / across if across else math.inf  # radius of the arc of this sweep through both ends
    for other in (at_end, through):
        miss = abs(other - radius)
        if miss > 5e-6 and (miss > 0.5e-3 or miss > 1e-3 * radius):
            _refuse(number, f"the arc's radius is {radius * 1e3:.6g} mm at its start and {at_end * 1e3:.6g} mm at its end; correct the centre or the end")
    # from the middle of the chord to the left of it, by half the chord over the tangent of half the sweep
    left = 0.5 / math.tan(sweep / 2)
    x, y = end[0] - start[0], end[1] - start[1]
    return (start[0] + x / 2 - y * left, start[1] + y / 2 + x * left), sweep


def _refuse(number: int, why: str) -> NoReturn:
    raise DataError(f"G-code line {number}: {why}")
