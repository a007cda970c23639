"""Tables of numbers in text files as people export them: any usual separator, decimal point or comma, units in the header.

Text from outside is hostile: size and cell lengths are limited, numbers follow a strict pattern, and every fault names its row and column.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from precision.errors import DataError
from precision.regular_file import open_regular

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ROWS: Final = 200_000
LONGEST_NAME: Final = 200
LONGEST_CELL: Final = 400
LONGEST_META: Final = 500
_PARTS: Final = f"a table of a positioning test has at most {MAX_BYTES // 1024**2} MB and {MAX_ROWS} rows; cut it into one file a test"
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_META: Final = re.compile(r"#\s*([^\W\d_][\w /-]{0,40}?)\s*[:=]\s*(.{0,400})")


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a table.

    meta : "# key: value" lines above the column names, keys in lower case, with blanks for underscores.
    columns : column names as written.
    rows : (line number, cells) of every data row.
    decimal : "." or ",".
    """

    name: str
    meta: dict[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal: str

    def number(self, row: int, column: int) -> float:
        """The cell as a float. Raises DataError naming line and column for anything but a plain finite number."""
        line, cells = self.rows[row]
        text = cells[column]
        plain = text.replace(",", ".") if self.decimal == "," else text
        if self.decimal == "." and "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
            raise DataError(f"{self.name}, line {line}, column {self.columns[column]!r}: {text[:40]!r} has a comma; write a decimal point, or separate the cells by semicolons")
        if not _NUMBER.fullmatch(plain) or not math.isfinite(float(plain)):
            raise DataError(f"{self.name}, line {line}, column {self.columns[column]!r}: {text[:40]!r} is not a number; correct or remove the row")
        return float(plain)

    def last_digit(self, column: int) -> float:
        """What one step of the last digit is worth, in the finest cell of a column of numbers: 0.001 for "12.345", 1 for whole numbers.

        Programs drop zeros at the end, so one cell says less than the column.
        """
        texts = (cells[column].lower().replace(",", ".").partition("e") for _, cells in self.rows)
        return min(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) for mantissa, _, exponent in texts)


def read_table(path: Path) -> Table:
    """The table in `path`: "# key: value" lines, a line of column names, rows. Separators: comma, semicolon, tab; decimal comma with the latter two.

    Raises
    ------
    DataError       not readable, not text, no rows, a row with too few or too many cells, or decimal points and commas mixed
    """
    name = path.name
    meta: dict[str, str] = {}
    columns: tuple[str, ...] = ()
    separator = ""
    rows: list[tuple[int, tuple[str, ...]]] = []
    for number, line in enumerate(_lines(path), 1):
        text = line.strip()
        if not text:
            continue
        if text.startswith("#"):
            match = _META.fullmatch(_one_way(text)) if not separator and len(text) <= LONGEST_META else None
            if match:
                meta[" ".join(match[1].lower().replace("_", " ").split())] = match[2].strip()
            continue
        if not separator:
            separator = _separator(name, number, line)
            columns = _cells(name, number, line, separator, longest=LONGEST_NAME)
            continue
        cells = _cells(name, number, line, separator, longest=LONGEST_CELL)
        if len(cells) != len(columns):
            advice = "; where commas separate cells, write decimal points" if separator == "," and len(cells) > len(columns) else ""
            raise DataError(f"{name}, line {number}: {len(cells)} cells; the header has {len(columns)} columns ({', '.join(columns)[:120]}){advice}")
        if len(rows) == MAX_ROWS:
            raise DataError(f"{name}, line {number}: more than {MAX_ROWS} rows; {_PARTS}")
        rows.append((number, cells))
    if not rows:
        raise DataError(f"{name}: no table found; expected a line with column names and at least one row below it")
    return Table(name, meta, columns, tuple(rows), _decimal(name, rows, separator))


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{path}: more than {MAX_BYTES // 1024**2} MB; {_PARTS}")
    if b"\0" in data:
        raise DataError(f"{path.name}: holds NUL bytes; this is not a text table (export it as CSV)")
    for encoding in ("utf-8-sig", "cp1252"):  # spreadsheets on Windows still write the latter
        try:
            return data.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path.name}: neither UTF-8 nor Windows-1252 text; export it as UTF-8 CSV")


def _separator(name: str, number: int, line: str) -> str:
    separator = max(";\t,", key=line.count)
    if separator not in line:
        raise DataError(f"{name}, line {number}: no separator found in the column names {line[:60]!r}; expected comma, semicolon or tab")
    return separator


def _cells(name: str, number: int, line: str, separator: str, *, longest: int) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{name}, line {number}: cannot be split into cells ({error})") from error
    for column, cell in enumerate(cells, 1):
        if len(cell) > longest:
            raise DataError(f"{name}, line {number}, column {column}: {len(cell)} characters, beginning {cell[:20]!r}; at most {longest} are expected")
    return tuple(_one_way(cell.strip()) for cell in cells)


def _one_way(text: str) -> str:
    """Text with one way of writing ü: files from some systems have u and two dots. For short texts only: it takes time by the square of their length."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _decimal(name: str, rows: Sequence[tuple[int, tuple[str, ...]]], separator: str) -> str:
    """"," where cells use a decimal comma; a file that uses both is refused, since "1.234" would then mean two things."""
    if separator == ",":
        return "."
    comma = next((number for number, cells in rows if any(re.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", cell) for cell in cells)), None)
    point = next((number for number, cells in rows if any(re.fullmatch(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", cell) for cell in cells)), None)
    if comma is not None and point is not None:
        raise DataError(f"{name}: decimal comma in line {comma} and decimal point in line {point}; use one of them throughout")
    return "," if comma is not None else "."
