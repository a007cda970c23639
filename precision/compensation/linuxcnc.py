"""LinuxCNC screw compensation: `[JOINT_n] COMP_FILE`, `COMP_FILE_TYPE = 0` or `1` (the user manual's ini-config; `usrmotintf.cc` of 2.9).

One point a line, `nominal forward reverse`, in the machine's unit (mm or degrees), separated by blanks:

    type 0    forward and reverse are the actual positions after approaching the nominal one; the controller makes trim = nominal − actual of them
    type 1    forward and reverse are the trims themselves

The trim is added to the motor's command, so it is our correction: type 0 writes nominal − correction = nominal + x̄, type 1 the correction = −x̄.
The controller's reader says little: it stops without a word at the first line that is not three numbers (a comment, a header, an empty line: the rest of
the table is lost), skips positions that do not ascend, keeps at most 256 points and stores trims as float32. Here all of this is refused instead.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from ..errors import DataError
from ..recording import Kind
from .lines import ascending, decimal, number, numbered, refuse
from .table import Table, file_unit

FORMAT: Final = "LinuxCNC compensation"
MOST_POINTS: Final = 256
PLACES: Final = 9
"""Decimals of mm or degrees: a picometre, far below what float32 keeps of a trim."""

FileType = Literal[0, 1]


def write(table: Table, *, file_type: FileType = 0) -> str:
    """The lines of COMP_FILE for `COMP_FILE_TYPE = file_type`.

    Raises
    ------
    DataError       more than 256 points
    """
    if table.nominal.size > MOST_POINTS:
        raise DataError(
            f"{FORMAT}: {table.nominal.size} points, but LinuxCNC keeps {MOST_POINTS} and drops the rest; thin the table out with --tolerance or --spacing"
        )
    unit = table.file_unit
    rows = []
    for nominal, *corrections in zip(table.nominal / unit, table.forward / unit, table.reverse / unit, strict=True):
        values = corrections if file_type == 1 else [nominal - correction for correction in corrections]
        rows.append(" ".join(decimal(value, PLACES) for value in (nominal, *values)))
    return "\n".join(rows) + "\n"


def read(text: str, *, file_type: FileType = 0, axis: str = "X", kind: Kind = "linear") -> Table:
    """The table that LinuxCNC makes of COMP_FILE, trims rounded to float32 as it does; refused where LinuxCNC would lose points without a word.

    Raises
    ------
    DataError       naming the line: not three numbers, not ascending, or a 257th point
    """
    unit = file_unit(kind)
    rows: list[tuple[float, float, float]] = []
    lines = list(numbered(FORMAT, text))
    if lines and lines[-1][1] == "":
        lines.pop()  # what follows the last line end
    for line, content in lines:
        parts = content.split()
        if len(parts) < 3:
            refuse(FORMAT, line, f"{content[:60]!r} is not three numbers; LinuxCNC stops reading here without a word (no comments, headers or empty lines)")
        nominal, forward, reverse = (number(FORMAT, line, part, what) for part, what in zip(parts, ("nominal", "forward", "reverse"), strict=False))
        ascending(FORMAT, line, rows[-1][0] if rows else None, nominal, "nominal position")
        if len(rows) == MOST_POINTS:
            refuse(FORMAT, line, f"point {MOST_POINTS + 1}; LinuxCNC keeps {MOST_POINTS}")
        rows.append((nominal, forward, reverse))
    if not rows:
        refuse(FORMAT, None, "no points; three numbers a line are expected")
    table = np.array(rows)
    trims = table[:, 1:] if file_type == 1 else table[:, :1] - table[:, 1:]
    stored = trims.astype(np.float32).astype(np.float64) * unit
    return Table(axis=axis, kind=kind, nominal=table[:, 0] * unit, forward=stored[:, 0], reverse=stored[:, 1])
