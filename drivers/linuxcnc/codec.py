"""linuxcncrsh, the controller's text server: lines <-> messages, no I/O. As LinuxCNC 2.9 speaks it (recorded, and its manual page).

    > hello EMC name 1.0        < HELLO ACK EMCNETSVR 1.1   or  HELLO NAK (wrong password)
    > set estop off             < SET ESTOP ACK | SET ESTOP NAK | SET NAK (nothing was enabled)
    > get abs_cmd_pos           < ABS_CMD_POS 20.000000 0.000000 ...
    > get foo                   < GET FOO NAK

Answers end in \\r\\n, acknowledgements in \\n\\r, refusals in \\r\\n\\r\\n: empty lines are nothing. A line is echoed until that is switched off. An
acknowledgement says only that the line was read, neither that the controller took it nor that it is done: whoever sets something looks at the state after it.
Of several connections only the one that was enabled last is obeyed; the others are refused without a reason (`get enable` says OFF).
Positions have six decimals of the machine's unit, all axes in one answer (asked for one by its letter, it answers with the first).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from precision.errors import ProtocolError

LINE_BYTES: Final = 4096
PASSWORD: Final = "EMC"
ENABLE: Final = "EMCTOO"
SERVER: Final = "EMCNETSVR"
_NUMBER: Final = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A `set` line was read, or (not `taken`) refused; `name` is empty where the server gives none."""

    name: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Greeting:
    """The answer to `hello`: the server's name and version, or a wrong password."""

    taken: bool
    server: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `get`: what was asked for, and the rest of the line."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """`get` of something that this server does not know."""

    name: str


Message = Acknowledged | Greeting | Answer | Unknown


def encode(line: str) -> bytes:
    """A line for the server; raises ValueError for what would be more than one, or too long for its buffer."""
    if not 1 <= len(line) <= 250 or not line.isascii() or not line.isprintable():
        raise ValueError(f"{line[:80]!r}: a line of 1 to 250 printable ASCII characters is expected")
    return line.encode("ascii") + b"\r\n"


def decode(line: bytes) -> Message:
    """A line that the server sent, without its ends.

    Raises
    ------
    ProtocolError   nothing that it may say
    """
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    words = text.split()
    match words:
        case ["HELLO", "ACK", server, version]:
            return Greeting(True, server, version)
        case ["HELLO", "NAK"]:
            return Greeting(False)
        case ["SET", ("ACK" | "NAK") as said]:
            return Acknowledged("", said == "ACK")
        case ["SET", name, ("ACK" | "NAK") as said] if name.isupper():
            return Acknowledged(name, said == "ACK")
        case ["GET", ("NAK" | "ACK")]:
            return Unknown("")
        case ["GET", name, "NAK"] if name.isupper():
            return Unknown(name)
        case [name, *_] if re.fullmatch(r"[A-Z_]{2,40}", name):
            return Answer(name, text.partition(name)[2].strip())
        case _:
            raise ProtocolError(f"the controller sent {line[:60]!r}; an answer of linuxcncrsh is expected. Is this its port (5007)?")


def positions(answer: Answer, count: int) -> tuple[float, ...]:
    """The first `count` numbers of a position answer, in the machine's unit; raises `ProtocolError`."""
    words = answer.text.split()
    if len(words) < count or not all(_NUMBER.fullmatch(word) for word in words):
        raise ProtocolError(f"the controller answers {answer.name} {answer.text[:80]!r}; {count} positions with decimals are expected")
    return tuple(float(word) for word in words[:count])


def flags(answer: Answer, count: int) -> tuple[bool, ...]:
    """The first `count` of "YES NO ..."; raises `ProtocolError`."""
    words = answer.text.split()
    if len(words) < count or not set(words) <= {"YES", "NO"}:
        raise ProtocolError(f"the controller answers {answer.name} {answer.text[:80]!r}; {count} of YES or NO are expected")
    return tuple(word == "YES" for word in words[:count])


def one_of(answer: Answer, allowed: tuple[str, ...]) -> str:
    """The answer's single word; raises `ProtocolError` when it is none of `allowed`."""
    if answer.text not in allowed:
        raise ProtocolError(f"the controller answers {answer.name} {answer.text[:40]!r}; one of {', '.join(allowed)} is expected")
    return answer.text



def straight_line(position_mm: dict[str, float], feed_mm_per_min: float) -> str:
    """The MDI line of a straight move in machine coordinates: independent of every offset and mode that was active."""
    words = " ".join(f"{axis}{value:.7f}" for axis, value in position_mm.items())
    return f"set mdi G21 G90 G94 G61 G53 G1 {words} F{feed_mm_per_min:.6f}"
