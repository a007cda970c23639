"""What a Grbl 1.1, grblHAL or FluidNC controller says: lines to messages and back, no I/O.

A line is exactly one of: the answer to a line (`ok`, `error:n`), or something said without being asked: a status report `<...>`, a setting `$n=v`,
`[...]`, `ALARM:n`, the banner, `>startup:ok`. Numbers follow a strict grammar and are left in the unit of the wire: positions in mm, or in inches with
`$13=1`; settings always in mm and mm/min. `WPos = MPos - WCO`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from precision.errors import ProtocolError

LINE_BYTES: Final = 1024
SENT_BYTES: Final = 80
"""Of a line to the controller, its newline included."""
STATUS, FEED_HOLD, RESUME, SOFT_RESET = b"?", b"!", b"~", b"\x18"
STATES: Final = frozenset({"Idle", "Run", "Hold", "Jog", "Alarm", "Door", "Check", "Home", "Sleep", "Tool"})

ALARMS: Final = {
    1: "a limit switch was hit", 2: "the target is outside the soft limits", 3: "it was reset while moving, the position is lost",
    4: "the probe was not in its initial state", 5: "the probe found no contact", 6: "homing was cut off by a reset",
    7: "the safety door opened while homing", 8: "homing did not leave the limit switch", 9: "homing did not find the limit switch",
    10: "the emergency stop is pressed", 11: "homing is required first", 12: "a limit switch is engaged",
    13: "probe protection was triggered", 14: "the spindle did not reach its speed", 15: "homing did not find the second limit switch",
    16: "the power-on self test failed", 17: "a motor reports a fault", 18: "homing is configured wrongly",
    19: "its Modbus failed", 20: "its I/O expander failed", 21: "its settings memory failed", 22: "its buffer overflowed",
}
ERRORS: Final = {
    1: "a letter was expected", 2: "a number is malformed", 3: "the $ command is not known", 4: "a value is negative", 5: "homing is off ($22)",
    7: "its settings memory was unreadable and is back to defaults", 8: "it must be idle for that", 9: "it is locked by an alarm",
    10: "soft limits need homing", 11: "the line is too long", 13: "the safety door is open", 15: "the jog leaves the machine's travel",
    16: "the jog command is malformed", 20: "the command is not supported", 21: "two commands exclude each other", 22: "the feed is missing",
    23: "a value must be an integer", 28: "a value word is missing", 33: "the target is invalid",
}

_NUMBER: Final = r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,9})?"
_NUMBERS: Final = re.compile(rf"{_NUMBER}(?:,{_NUMBER}){{0,8}}")
_VALUE: Final = re.compile(_NUMBER)
_SETTING: Final = re.compile(r"\$([0-9]{1,4})=(.{0,200})")
_CODE: Final = re.compile(r"(error|ALARM):([0-9]{1,3})")
_STATE: Final = re.compile(r"([A-Za-z]{1,12})(?::([0-9]{1,3}))?")
_BRACKET: Final = re.compile(r"\[([A-Z][A-Za-z0-9 .]{0,24}):(.*)\]")
_POINT: Final = re.compile(r"G(?:5[4-9](?:\.[1-3])?|28|30|92)|TLO")
_BANNER: Final = re.compile(r"Grbl(?:HAL)? [^\[\]]{1,80}(?:\[.{0,80}\])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ok:
    """The line was taken."""


@dataclass(frozen=True, slots=True)
class Refused:
    """`error:n`: the line was not taken."""

    code: int

    def __str__(self) -> str:
        return f"error:{self.code} ({ERRORS.get(self.code, 'not explained by this driver')})"


@dataclass(frozen=True, slots=True)
class Alarm:
    """`ALARM:n`."""

    code: int

    def __str__(self) -> str:
        return f"ALARM:{self.code} ({ALARMS.get(self.code, 'not explained by this driver')})"


@dataclass(frozen=True, slots=True)
class Banner:
    """The controller has just started or was reset."""

    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """A status report. One of `machine` and `work` is there; numbers in the report's unit (mm or inch)."""

    state: str
    substate: int | None = None
    machine: tuple[float, ...] | None = None
    work: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None
    """WCO, where the report has it."""
    feed: float | None = None
    pins: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """`$n=v`; `value` is None where v is not a number."""

    number: int
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """An offset of `$#`: G54 ... G59.3, G28, G30, G92, TLO; in the report's unit."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bracket:
    """Any other `[NAME:text]`: VER, OPT, GC, MSG, AXS, PRB ..."""

    name: str
    text: str


Message = Ok | Refused | Alarm | Banner | Status | Setting | Point | Bracket


def decode(line: bytes) -> Message | None:
    """One line; None for an empty one and for the echo of a startup line.

    Raises
    ------
    ProtocolError       nothing that such a controller says
    """
    if len(line) > LINE_BYTES:
        raise ProtocolError(f"Grbl: a line of {len(line)} bytes; at most {LINE_BYTES} are read")
    try:
        text = line.decode("ascii").strip("\r\n ")
    except UnicodeDecodeError:
        raise _strange(line) from None
    if not text.isprintable():
        raise _strange(line)
    if not text or text.startswith(">"):
        return None
    if text == "ok":
        return Ok()
    if match := _CODE.fullmatch(text):
        return Refused(int(match[2])) if match[1] == "error" else Alarm(int(match[2]))
    if text.startswith("<") and text.endswith(">"):
        return _status(text[1:-1], line)
    if match := _SETTING.fullmatch(text):
        value = float(match[2]) if _VALUE.fullmatch(match[2]) else None
        return Setting(int(match[1]), value, match[2])
    if text.startswith("$N") or text == "[]":
        return None
    if match := _BRACKET.fullmatch(text):
        return Point(match[1], _numbers(match[2], line)) if _POINT.fullmatch(match[1]) else Bracket(match[1], match[2])
    if _BANNER.fullmatch(text):
        return Banner(text)
    raise _strange(line)


def _status(body: str, line: bytes) -> Status:
    """Known fields are read strictly, each once; others are skipped, as the protocol asks."""
    state, *fields = body.split("|")
    match = _STATE.fullmatch(state)
    if match is None or match[1] not in STATES:
        raise _strange(line)
    found: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition(":")
        if name in found and name in ("MPos", "WPos", "WCO", "FS", "F"):
            raise _strange(line)
        found[name] = value

    def numbers(name: str) -> tuple[float, ...] | None:
        return _numbers(found[name], line) if name in found else None

    machine, work, offset = numbers("MPos"), numbers("WPos"), numbers("WCO")
    position = machine if machine is not None else work
    if position is None or (machine is not None and work is not None) or (offset is not None and len(offset) != len(position)):
        raise _strange(line)
    feed = numbers("FS") or numbers("F")
    return Status(
        match[1], int(match[2]) if match[2] else None, machine, work, offset, feed[0] if feed else None, found.get("Pn", "")[:16],
    )


def _numbers(text: str, line: bytes) -> tuple[float, ...]:
    if _NUMBERS.fullmatch(text) is None:
        raise _strange(line)
    return tuple(float(number) for number in text.split(","))


def _strange(line: bytes) -> ProtocolError:
    return ProtocolError(f"Grbl: {line[:60]!r} is nothing that a Grbl controller says. Check address and baud rate (115200)")


def encode_line(text: str) -> bytes:
    """A line for the controller: ASCII, at most 80 bytes with its newline.

    Raises
    ------
    ValueError      longer, or other characters
    """
    if not text.isascii() or not text.isprintable() or len(text) + 1 > SENT_BYTES:
        raise ValueError(f"line {text[:100]!r}: expected printable ASCII, at most {SENT_BYTES - 1} characters")
    return text.encode("ascii") + b"\n"


def move(target_mm: Mapping[str, float], feed_mm_per_min: float) -> str:
    """A straight line to absolute work coordinates."""
    return f"G90G21G94G1{''.join(f'{axis}{decimals(value, 5)}' for axis, value in target_mm.items())}F{decimals(feed_mm_per_min, 3)}"


def dwell(duration_s: float) -> str:
    """Stand still."""
    return f"G4P{decimals(duration_s, 3)}"


def decimals(value: float, places: int) -> str:
    """At most `places` decimals, no exponent, no negative zero."""
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def work_offset(points: Mapping[str, Sequence[float]], system: str, axes: int) -> tuple[float, ...]:
    """WCO out of `$#`: the active coordinate system + G92 + the tool length (one value: along the third axis)."""
    zero = (0.0,) * axes
    tool = tuple(points.get("TLO", zero))
    if len(tool) == 1:
        tool = tuple(tool[0] if index == 2 else 0.0 for index in range(axes))
    parts = (tuple(points.get(system, ())), tuple(points.get("G92", zero)), tool)
    if any(len(part) != axes for part in parts):
        raise ProtocolError(f"Grbl: $# lists {sorted(points)[:20]}; expected {system}, G92 and TLO with {axes} values each")
    return tuple(sum(values) for values in zip(*parts, strict=True))
