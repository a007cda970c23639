"""Heidenhain TNC non-linear axis error compensation, experimental: value table `*.COM` and assignment table `*.CMA`.

The value table has the columns AXISPOS, BACKLASH and one named after the corrected axis (MANUALplus 620, p. 716): values for the positive direction in the
axis' column, those measured in the negative direction in BACKLASH. The header line and the sign are not confirmed; here the values are the errors
actual − nominal (x̄ = −correction), in mm or degrees, and the header is that of the control's other free tables.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..errors import DataError
from ..recording import Kind
from .lines import ascending, decimal, number, numbered, refuse, whole
from .table import Table, file_unit

FORMAT: Final = "Heidenhain compensation table"
PLACES: Final = 5
MOST_ROWS: Final = 256
_BEGIN: Final = re.compile(r"BEGIN\s+(\S{1,40})\s+MM", re.ASCII)


def write(table: Table) -> str:
    """The value table of the axis.

    Raises
    ------
    DataError       more than 256 rows
    """
    if table.nominal.size > MOST_ROWS:
        raise DataError(f"{FORMAT}: {table.nominal.size} points; {MOST_ROWS} rows are allowed. Thin the table out with --tolerance or --spacing")
    unit = table.file_unit
    lines = [f"BEGIN {table.axis}.COM MM", f"{'NR':<6}{'AXISPOS':>14}{'BACKLASH':>14}{table.axis:>14}"]
    for row, values in enumerate(zip(table.nominal / unit, -table.reverse / unit, -table.forward / unit, strict=True)):
        lines.append(f"{row:<6}" + "".join(f"{decimal(value, PLACES):>14}" for value in values))
    return "\n".join([*lines, "[END]", ""])


def assignment(axis: str, *, file: str | None = None) -> str:
    """The assignment table that makes the control use the value table of `axis` for the axis itself."""
    return "\n".join(["BEGIN CONFIG.CMA MM", f"{'NR':<6}{'ACTIVE':>10}{axis:>16}", f"{0:<6}{'*':>10}{file or f'{axis}.COM':>16}", "[END]", ""])


def read(text: str, *, axis: str = "", kind: Kind = "linear") -> Table:
    """The table in a `*.COM` with three columns.

    Raises
    ------
    DataError       naming the line: header, columns, numbering, positions not ascending, or no [END]
    """
    named, rows, ended, began = "", [], False, False  # type: str, list[list[float]], bool, bool
    for line, content in numbered(FORMAT, text):
        content = content.strip()
        if not content:
            continue
        if ended:
            refuse(FORMAT, line, "text after [END]")
        if not began:
            if not _BEGIN.fullmatch(content):
                refuse(FORMAT, line, f"{content[:60]!r}; BEGIN NAME.COM MM is expected")
            began = True
        elif not named:
            columns = content.split()
            if len(columns) != 4 or columns[:3] != ["NR", "AXISPOS", "BACKLASH"] or not re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", columns[3]):
                refuse(FORMAT, line, f"columns {content[:60]!r}; NR AXISPOS BACKLASH and one axis are expected")
            named = columns[3]
        elif content == "[END]":
            ended = True
        else:
            parts = content.split()
            if len(parts) != 4 or whole(FORMAT, line, parts[0], "NR") != len(rows) or len(rows) >= MOST_ROWS:
                refuse(FORMAT, line, f"{content[:60]!r}; row {len(rows)} with AXISPOS, BACKLASH and {named} is expected, at most {MOST_ROWS} of them")
            values = [number(FORMAT, line, part, what) for part, what in zip(parts[1:], ("AXISPOS", "BACKLASH", named), strict=True)]
            ascending(FORMAT, line, rows[-1][0] if rows else None, values[0], "AXISPOS")
            rows.append(values)
    if not ended or not rows:
        refuse(FORMAT, None, "holds no rows, or ends without [END]: the file may be cut off")
    columns_si = np.array(rows).T * file_unit(kind)
    return Table(axis=axis or named, kind=kind, nominal=columns_si[0], forward=-columns_si[2], reverse=-columns_si[1])
