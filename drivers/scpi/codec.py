"""SCPI as data-acquisition switch units of the 34970A / DAQ970A kind speak it: text to numbers and back, no I/O.

Lines are ASCII and end with LF. A number is `<sign>digits[.digits][E<sign>digits]` and nothing else; the sentinels of SCPI-99 are faults:
9.9E37 (overload, an open sensor) and 9.91E37 (not a number).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from precision.errors import DeviceFault, ProtocolError

TERMINATOR: Final = b"\n"
LINE_BYTES: Final = 4096
OVERLOAD: Final = 9.9e37
NOT_A_NUMBER: Final = 9.91e37
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,2})?")
_ERROR: Final = re.compile(r'([+-]?[0-9]{1,6}),"((?:[^"]|""){0,255})"')


def text(line: bytes) -> str:
    """A line as ASCII text without its end.

    Raises
    ------
    ProtocolError       other bytes, or too long
    """
    if len(line) > LINE_BYTES:
        raise ProtocolError(f"SCPI: a line of {len(line)} bytes; at most {LINE_BYTES} are read")
    try:
        found = line.decode("ascii").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ProtocolError(f"SCPI: {line[:60]!r} is not ASCII. Check baud rate and address") from None
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in found):
        raise ProtocolError(f"SCPI: control characters in {line[:60]!r}. Check baud rate and address")
    return found


def number(word: str, what: str) -> float:
    """One reading.

    Raises
    ------
    ProtocolError       not a number in SCPI's grammar
    DeviceFault         a sentinel: overload or not a number
    """
    if _NUMBER.fullmatch(word) is None:
        raise ProtocolError(f"SCPI: {what} reads {word[:40]!r}; expected a number such as +2.00123456E+01")
    value = float(word)
    if abs(value) == NOT_A_NUMBER:
        raise DeviceFault(f"{what} reads {word} (not a number): the instrument has no value. Check its channel configuration")
    if abs(value) >= OVERLOAD:
        raise DeviceFault(f"{what} reads {word} (overload): the sensor is open or out of range. Check its wiring")
    return value


def numbers(line: bytes, what: Sequence[str]) -> tuple[float, ...]:
    """Exactly as many comma-separated readings as there are names in `what`."""
    words = text(line).split(",")
    if len(words) != len(what):
        raise ProtocolError(f"SCPI: {len(words)} readings where {len(what)} were asked for ({', '.join(what)}): {line[:60]!r}")
    return tuple(number(word.strip(" "), name) for word, name in zip(words, what, strict=True))


def error(line: bytes) -> tuple[int, str]:
    """An entry of the error queue, `+0,"No error"`."""
    match = _ERROR.fullmatch(text(line))
    if match is None:
        raise ProtocolError(f"SCPI: SYST:ERR? answered {line[:60]!r}; expected a number and a quoted text")
    return int(match[1]), match[2].replace('""', '"')


def channel_list(channels: Sequence[int]) -> str:
    """`(@101,102)`."""
    return f"(@{','.join(str(channel) for channel in channels)})"


def reading(value: float) -> str:
    """A reading as the instrument writes it: not finite becomes its sentinel."""
    if value != value:
        value = NOT_A_NUMBER
    elif abs(value) >= OVERLOAD:
        value = OVERLOAD if value > 0 else -OVERLOAD
    return f"{value:+.8E}"
