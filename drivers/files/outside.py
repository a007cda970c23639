"""The bytes and lines of a recording from outside: limited in size, also when it is packed, and never followed anywhere."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Final, NoReturn

from precision.errors import DataError
from precision.regular_file import at_most, open_regular

MAX_BYTES: Final = 512 * 1024 * 1024
"""Of a recording, unpacked: a minute of 3 axes at 50 kHz in text."""
LONGEST_LINE: Final = 4000


def read_bytes(path: Path, *, most: int = MAX_BYTES) -> bytes:
    """The content of a file, unpacked where it is gzip.

    Raises
    ------
    DataError       cannot be read, larger than `most`, or packed data that end early or are damaged
    """
    try:
        with open_regular(path) as file:
            data = file.read(at_most(file, most))
            if data[:2] == b"\x1f\x8b":
                file.seek(0)
                data = _unpacked(gzip.GzipFile(fileobj=file), most)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name}: the packed data are damaged or end early ({error}); copy the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > most:
        raise DataError(f"{path.name}: more than {most / 1e6:.0f} MB; cut the recording into parts")
    return data


def _unpacked(file: gzip.GzipFile, most: int) -> bytes:
    """At most one byte more than `most`, piece by piece: a reader makes room at once for all that it is asked for."""
    data = bytearray()
    while len(data) <= most and (piece := file.read(min(1 << 20, most + 1 - len(data)))):
        data += piece
    return bytes(data)


def beginning(path: Path, number: int = 4096) -> bytes:
    """The first bytes of a file, unpacked where it is gzip; b"" where it cannot be read (whoever reads it whole says why)."""
    try:
        with open_regular(path) as file:
            data = file.read(number)
            if data[:2] == b"\x1f\x8b":
                file.seek(0)
                data = gzip.GzipFile(fileobj=file).read(number)
    except (DataError, OSError, EOFError, zlib.error):
        return b""
    return data


def text_of(path: Path, *, most: int = MAX_BYTES) -> str:
    """The text of a file: UTF-8, else Windows-1252. Raises `DataError` as `read_bytes`, and for NUL bytes."""
    data = read_bytes(path, most=most)
    if b"\0" in data:
        raise DataError(f"{path.name}, line {data[: data.index(0)].count(10) + 1}: holds NUL bytes; this is not a text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def lines_of(path: Path, *, most: int = MAX_BYTES, ended: bool = False) -> list[str]:
    """The lines of a text file without their ends; line n is entry n − 1.

    ended : refuse a last line without an end, as programs never leave one: it may be cut off within a number, which would then still be a number.
    """
    lines = re.split(r"\r\n|\n|\r", text_of(path, most=most))
    if ended and lines[-1].strip():
        refuse(path, len(lines), f"the last line, {lines[-1][:40]!r}, has no end; the file is cut off")
    long = next((number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE), None)
    if long is not None:
        raise DataError(f"{path.name}, line {long}: more than {LONGEST_LINE} characters")
    return lines


def refuse(path: Path, line: int | None, fault: str) -> NoReturn:
    """Raise the `DataError` of a recording: "x.rtl, line 7: ..."."""
    raise DataError(f"{path.name}{'' if line is None else f', line {line}'}: {fault}")


_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?", re.ASCII)


def number(path: Path, line: int, text: str, what: str) -> float:
    """`text` as a finite float; nothing but digits, sign, point and exponent."""
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not abs(value) < float("inf"):
        refuse(path, line, f"{what} is {text[:40]!r}, not a number")
    return value


def whole(path: Path, line: int, text: str, what: str, *, lowest: int = 0, highest: int = 1_000_000) -> int:
    """`text` as a whole number in a range."""
    if not re.fullmatch(r"[+-]?\d{1,12}", text, re.ASCII) or not lowest <= int(text) <= highest:
        refuse(path, line, f"{what} is {text[:40]!r}; a whole number from {lowest} to {highest} is expected")
    return int(text)
