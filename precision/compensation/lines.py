"""Reading other people's compensation files: strict numbers, every fault with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from ..errors import DataError

MOST_CHARACTERS: Final = 16 * 1024 * 1024
LONGEST_LINE: Final = 1000
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,15}", re.ASCII)


def refuse(format: str, line: int | None, fault: str) -> NoReturn:
    """Raise the `DataError` of a file: "LinuxCNC compensation, line 7: ..."."""
    raise DataError(f"{format}{'' if line is None else f', line {line}'}: {fault}")


def text_of(path: Path) -> str:
    """The text of a compensation file.

    Raises
    ------
    DataError       no file, a device or pipe, too large, or not text
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file")
        with path.open("rb") as file:
            data = file.read(MOST_CHARACTERS + 1)
        if len(data) > MOST_CHARACTERS:
            raise DataError(f"{path}: larger than {MOST_CHARACTERS // 1024**2} MB; this is no compensation file")
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a path with a NUL byte, or text that is none
        if isinstance(error, UnicodeDecodeError):
            raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from error
        raise DataError(f"{path}: cannot be read ({error})") from error


def numbered(format: str, text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) of every line."""
    if len(text) > MOST_CHARACTERS:
        refuse(format, None, f"{len(text) / 1e6:.0f} million characters; a compensation file has at most {MOST_CHARACTERS // 1024**2} MB")
    # Only the line ends that files use: `splitlines` would also end a line at a form feed or at U+2028.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if len(line) > LONGEST_LINE:
            refuse(format, number, f"{len(line)} characters; at most {LONGEST_LINE} are read")
        if "\0" in line:
            refuse(format, number, "holds NUL characters; this is not a text file")
        yield number, line


def number(format: str, line: int, text: str, what: str) -> float:
    """`text` as a finite float; nothing but digits, sign, point and exponent."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        refuse(format, line, f"{what} is {text[:40]!r}, not a number")
    return float(text)


def whole(format: str, line: int, text: str, what: str, *, lowest: int = -(2**31), highest: int = 2**31 - 1) -> int:
    """`text` as a whole number in a range."""
    if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= highest:
        refuse(format, line, f"{what} is {text[:40]!r}; a whole number from {lowest} to {highest} is expected")
    return int(text)


def ascending(format: str, line: int, before: float | None, now: float, what: str = "position") -> None:
    """Refuse a position that does not lie above the one before it."""
    if before is not None and not now > before:
        refuse(format, line, f"{what} {now:.9g} does not lie above the one before it, {before:.9g}; ascending positions are expected")


def decimal(value: float, places: int) -> str:
    """A fixed number of decimals, never "-0"."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text
