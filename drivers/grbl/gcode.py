"""The G-code that a Grbl 1.1h understands, as far as the simulator needs it: words in, one motion, dwell or offset out.

Error numbers and their order are those of Grbl 1.1h, from memory of its documentation; the ones that the recorded conversations show are tested
against them. Probing, G28/G30, tool offsets and helices are answered with error:20 (unsupported), as by a build without them.
Lengths in this file are millimetres and mm/min, the firmware's own units.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Final

MM_PER_INCH: Final = 25.4
COORDINATE_SYSTEMS: Final = ("G54", "G55", "G56", "G57", "G58", "G59")

BAD_LETTER, BAD_NUMBER, INVALID_STATEMENT, NEGATIVE_VALUE = 1, 2, 3, 4
JOG_TRAVEL, INVALID_JOG = 15, 16
UNSUPPORTED, MODAL_CONFLICT, NO_FEED, NOT_INTEGER, AXIS_CONFLICT, WORD_REPEATED, NO_AXIS_WORDS = 20, 21, 22, 23, 24, 25, 26
VALUE_MISSING, NO_SUCH_SYSTEM, G53_NEEDS_MOTION, AXIS_WORDS_EXIST, UNUSED_WORDS = 28, 29, 30, 31, 36
NO_AXIS_WORDS_IN_PLANE, INVALID_TARGET, NO_RADIUS, NO_OFFSETS_IN_PLANE = 32, 33, 34, 35

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,20}\.?\d{0,20}|\.\d{1,20})")
_GROUPS: Final = {
    **dict.fromkeys(("G0", "G1", "G2", "G3"), "motion"),
    **dict.fromkeys(("G4", "G10", "G53", "G92", "G92.1"), "once"),
    **dict.fromkeys(("G17", "G18", "G19"), "plane"),
    **dict.fromkeys(("G20", "G21"), "units"),
    **dict.fromkeys(("G90", "G91"), "distance"),
    "G94": "feed mode",
    **dict.fromkeys(COORDINATE_SYSTEMS, "system"),
    **dict.fromkeys(("M3", "M4", "M5"), "spindle"),
    **dict.fromkeys(("M8", "M9"), "coolant"),
}
"""Word -> modal group. Spindle and coolant words are accepted and change nothing but the parser state."""
_PLANES: Final = {"G17": ("X", "Y"), "G18": ("Z", "X"), "G19": ("Y", "Z")}
"""Plane -> its first and second axis; counter-clockwise (G3) is from the first to the second."""
_OFFSETS: Final = {"X": "I", "Y": "J", "Z": "K"}
_SAME_ANGLE_RAD: Final = 5e-7
"""An arc whose end is no further than this from its start is a whole turn."""
_JOG_WORDS: Final = {"G20", "G21", "G90", "G91", "G53", "G94"}


class GcodeError(Exception):
    """A line that Grbl refuses; `code` is the number after `error:`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error:{code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Move:
    """A straight line to `target_mm` (machine coordinates). `feed_mm_per_min` None is a rapid."""

    target_mm: dict[str, float]
    feed_mm_per_min: float | None
    jog: bool = False

    @property
    def extremes_mm(self) -> dict[str, tuple[float, float]]:
        """Axis -> lowest and highest place to be looked at: the target."""
        return {axis: (at, at) for axis, at in self.target_mm.items()}


@dataclass(frozen=True, slots=True)
class Arc:
    """An arc about `centre_mm` in the plane of `axes`, to `target_mm` (machine coordinates). sweep_rad : positive from the first axis to the second."""

    axes: tuple[str, str]
    centre_mm: tuple[float, float]
    sweep_rad: float
    start_mm: dict[str, float]
    target_mm: dict[str, float]
    feed_mm_per_min: float

    @property
    def radius_mm(self) -> float:
        """Of its start."""
        return math.hypot(*(self.start_mm[axis] - centre for axis, centre in zip(self.axes, self.centre_mm, strict=True)))

    @property
    def start_rad(self) -> float:
        """Angle of its start, from the first axis."""
        first, second = (self.start_mm[axis] - centre for axis, centre in zip(self.axes, self.centre_mm, strict=True))
        return math.atan2(second, first)

    @property
    def extremes_mm(self) -> dict[str, tuple[float, float]]:
        """Axis -> lowest and highest position on the way."""
        begin, end = sorted((self.start_rad, self.start_rad + self.sweep_rad))
        quarters = [k * math.pi / 2 for k in range(math.ceil(begin / (math.pi / 2)), math.floor(end / (math.pi / 2)) + 1)]
        angles = [begin, end, *quarters]
        parts = zip(self.axes, self.centre_mm, (math.cos, math.sin), strict=True)
        ways = {axis: [centre + self.radius_mm * along(angle) for angle in angles] for axis, centre, along in parts}
        return {axis: (at, at) for axis, at in self.target_mm.items()} | {axis: (min(way), max(way)) for axis, way in ways.items()}

    def continued_by(self, arc: Arc) -> bool:
        """Whether `arc` goes on about the same centre (within the rounding of a line), in the same sense and at the same feed: one motion."""
        return (self.axes == arc.axes and math.dist(self.centre_mm, arc.centre_mm) < 2e-3 and self.sweep_rad * arc.sweep_rad > 0
                and self.feed_mm_per_min == arc.feed_mm_per_min)  # fmt: skip

    def rest(self, here_mm: dict[str, float], fraction: float) -> Arc:
        """What is left of it from `here_mm`, after that fraction of its time; the time tells how many whole turns are done."""
        first, second = (here_mm[axis] - centre for axis, centre in zip(self.axes, self.centre_mm, strict=True))
        turned = math.atan2(second, first) - self.start_rad
        turned += 2 * math.pi * round((fraction * self.sweep_rad - turned) / (2 * math.pi))
        return replace(self, start_mm=here_mm, sweep_rad=self.sweep_rad - turned)


@dataclass(frozen=True, slots=True)
class Dwell:
    """G4: stand still."""

    duration_s: float


def words(line: str) -> list[tuple[str, float]]:
    """A line without blanks and comments, in capitals, as (letter, value).

    Raises
    ------
    GcodeError      1 where a letter is missing, 2 where its number is missing or odd
    """
    found: list[tuple[str, float]] = []
    at = 0
    while at < len(line):
        letter = line[at]
        if not ("A" <= letter <= "Z"):
            raise GcodeError(BAD_LETTER)
        number = _NUMBER.match(line, at + 1)
        if number is None:
            raise GcodeError(BAD_NUMBER)
        found.append((letter, float(number[0])))
        at = number.end()
    return found


@dataclass(slots=True)
class Interpreter:
    """Modal state and work offsets; `position_mm` is where the parser believes the machine will stand (machine coordinates)."""

    axes: tuple[str, ...] = ("X", "Y", "Z")
    modal: dict[str, str] = field(default_factory=dict)
    feed_mm_per_min: float = 0.0
    position_mm: dict[str, float] = field(default_factory=dict)
    systems: dict[str, dict[str, float]] = field(default_factory=dict)
    g92: dict[str, float] = field(default_factory=dict)
    offsets_changed: bool = True

    def __post_init__(self) -> None:
        self.position_mm = dict.fromkeys(self.axes, 0.0)
        self.systems = {name: dict.fromkeys(self.axes, 0.0) for name in COORDINATE_SYSTEMS}
        self.reset()

    def reset(self) -> None:
        """What a soft reset does: defaults everywhere, G92 gone, G54 ... G59 kept."""
        self.modal = {
            "motion": "G0", "system": "G54", "plane": "G17", "units": "G21", "distance": "G90", "feed mode": "G94",
            "spindle": "M5", "coolant": "M9",
        }
        self.feed_mm_per_min = 0.0
        self.g92 = dict.fromkeys(self.axes, 0.0)
        self.offsets_changed = True

    @property
    def work_offset_mm(self) -> dict[str, float]:
        """WCO: machine position minus work position."""
        system = self.systems[self.modal["system"]]
        return {axis: system[axis] + self.g92[axis] for axis in self.axes}

    def execute(self, line: str, *, jog: bool = False) -> Move | Arc | Dwell | None:
        """Check one line whole, then change the modal state and offsets and return what is to be done. A refused line changes nothing."""
        commands, values = self._sorted(line)
        if jog and (any(word not in _JOG_WORDS for word in commands.values()) or not self._axis_words(values)):
            raise GcodeError(INVALID_JOG)
        modal = {**self.modal, **{group: word for group, word in commands.items() if group in self.modal}}
        scale = MM_PER_INCH if modal["units"] == "G20" else 1.0
        once = commands.get("once")
        explicit_motion = "motion" in commands
        axis_words = self._axis_words(values)
        if once in ("G10", "G92") and explicit_motion:
            raise GcodeError(AXIS_CONFLICT)
        # A jog's feed is its own; otherwise F is modal.
        feed = values.pop("F") * scale if "F" in values else (0.0 if jog else self.feed_mm_per_min)
        for letter in "NST":
            values.pop(letter, None)
        action: Move | Arc | Dwell | None = None
        if once == "G4":
            if "P" not in values:
                raise GcodeError(VALUE_MISSING)
            action = Dwell(values.pop("P"))
        systems, g92 = self.systems, self.g92
        if once == "G10":
            systems = self._with_system_set(values, modal, scale)
            axis_words = {}
        elif once == "G92":
            if not axis_words:
                raise GcodeError(NO_AXIS_WORDS)
            system = self.systems[modal["system"]]
            g92 = {**self.g92, **{axis: self.position_mm[axis] - system[axis] - values.pop(axis) * scale for axis in axis_words}}
            axis_words = {}
        elif once == "G92.1":
            g92 = dict.fromkeys(self.axes, 0.0)
        if axis_words and once in ("G4", "G92.1") and not explicit_motion:
            raise GcodeError(AXIS_WORDS_EXIST)
        if explicit_motion or axis_words:
            round_about = not jog and modal["motion"] in ("G2", "G3")
            linear = jog or modal["motion"] == "G1"
            if (linear or round_about) and feed == 0.0:
                raise GcodeError(NO_FEED)
            if round_about:
                if not axis_words:
                    raise GcodeError(NO_AXIS_WORDS)
                target = self._target(values, modal, scale, machine=once == "G53", offset=(systems, g92))
                action = self._arc(values, modal, scale, target, set(axis_words), feed)
            elif axis_words:
                target = self._target(values, modal, scale, machine=once == "G53", offset=(systems, g92))
                action = Move(target, feed if linear else None, jog)
        if values:
            raise GcodeError(UNUSED_WORDS)
        if not jog:
            self.offsets_changed |= systems is not self.systems or g92 is not self.g92 or modal["system"] != self.modal["system"]
            self.modal, self.feed_mm_per_min, self.systems, self.g92 = modal, feed, systems, g92
        if isinstance(action, Move | Arc):
            self.position_mm = dict(action.target_mm)
        return action

    def _sorted(self, line: str) -> tuple[dict[str, str], dict[str, float]]:
        """Commands by modal group, and value words by letter."""
        commands: dict[str, str] = {}
        values: dict[str, float] = {}
        for letter, number in words(line):
            if letter in "GM":
                word = f"{letter}{number:g}"
                group = _GROUPS.get(word)
                if group is None:
                    raise GcodeError(UNSUPPORTED)
                if group in commands:
                    raise GcodeError(MODAL_CONFLICT)
                commands[group] = word
                continue
            if letter not in "FIJKLNPRST" and letter not in self.axes:
                raise GcodeError(UNSUPPORTED)
            if letter in values:
                raise GcodeError(WORD_REPEATED)
            if letter in "FNPST" and number < 0:
                raise GcodeError(NEGATIVE_VALUE)
            if letter in "LNT" and number != int(number):
                raise GcodeError(NOT_INTEGER)
            values[letter] = number
        return commands, values

    def _axis_words(self, values: dict[str, float]) -> dict[str, float]:
        return {axis: values[axis] for axis in self.axes if axis in values}

    def _with_system_set(self, values: dict[str, float], modal: dict[str, str], scale: float) -> dict[str, dict[str, float]]:
        """G10 L2 (offset itself) and L20 (offset such that here becomes the value); P0 is the active system."""
        axis_words = self._axis_words(values)
        if not axis_words:
            raise GcodeError(NO_AXIS_WORDS)
        if "P" not in values or "L" not in values:
            raise GcodeError(VALUE_MISSING)
        which, mode = values.pop("P"), values.pop("L")
        if mode not in (2, 20):
            raise GcodeError(UNSUPPORTED)
        if which != int(which) or which > len(COORDINATE_SYSTEMS):
            raise GcodeError(NO_SUCH_SYSTEM)
        name = modal["system"] if which == 0 else COORDINATE_SYSTEMS[int(which) - 1]
        system = dict(self.systems[name])
        for axis in axis_words:
            value = values.pop(axis) * scale
            system[axis] = value if mode == 2 else self.position_mm[axis] - self.g92[axis] - value
        return {**self.systems, name: system}

    def _arc(self, values: dict[str, float], modal: dict[str, str], scale: float, target: dict[str, float], named: set[str], feed: float) -> Arc:
        """The arc to `target` with the centre that I, J, K or R say."""
        axes = _PLANES[modal["plane"]]
        if not set(axes) & named:
            raise GcodeError(NO_AXIS_WORDS_IN_PLANE)
        if any(target[axis] != self.position_mm[axis] for axis in self.axes if axis not in axes):
            raise GcodeError(UNSUPPORTED)
        first, second = (self.position_mm[axis] for axis in axes)
        to_first, to_second = (target[axis] for axis in axes)
        turn = 1 if modal["motion"] == "G3" else -1
        if "R" in values:
            centre = _centre_from_radius(first, second, to_first, to_second, values.pop("R") * scale, turn)
        else:
            offsets = [values.pop(_OFFSETS[axis], None) for axis in axes]
            if offsets == [None, None]:
                raise GcodeError(NO_OFFSETS_IN_PLANE)
            centre = (first + (offsets[0] or 0.0) * scale, second + (offsets[1] or 0.0) * scale)
        radius, at_end = math.dist((first, second), centre), math.dist((to_first, to_second), centre)
        if abs(at_end - radius) > 0.005 and (abs(at_end - radius) > 0.5 or abs(at_end - radius) > 0.001 * radius):
            raise GcodeError(INVALID_TARGET)
        sweep = math.atan2(to_second - centre[1], to_first - centre[0]) - math.atan2(second - centre[1], first - centre[0])
        if turn > 0 and sweep <= _SAME_ANGLE_RAD:
            sweep += 2 * math.pi
        elif turn < 0 and sweep >= -_SAME_ANGLE_RAD:
            sweep -= 2 * math.pi
        return Arc(axes, centre, sweep, dict(self.position_mm), target, feed)

    def _target(
        self, values: dict[str, float], modal: dict[str, str], scale: float, *, machine: bool,
        offset: tuple[dict[str, dict[str, float]], dict[str, float]],
    ) -> dict[str, float]:
        systems, g92 = offset
        system = systems[modal["system"]]
        target = dict(self.position_mm)
        for axis in self._axis_words(values):
            value = values.pop(axis) * scale
            if machine:
                target[axis] = value
            elif modal["distance"] == "G91":
                target[axis] += value
            else:
                target[axis] = value + system[axis] + g92[axis]
        return target


def _centre_from_radius(first: float, second: float, to_first: float, to_second: float, radius: float, turn: int) -> tuple[float, float]:
    """Of the two circles through both points, the one whose arc is less than half a turn; the other for a negative radius."""
    x, y = to_first - first, to_second - second
    chord = math.hypot(x, y)
    if chord == 0:
        raise GcodeError(INVALID_TARGET)
    height_squared = radius**2 - (chord / 2) ** 2
    if height_squared < 0:
        raise GcodeError(NO_RADIUS)
    side = turn * math.copysign(1, radius) * math.sqrt(height_squared) / chord
    return (first + x / 2 - y * side, second + y / 2 + x * side)
