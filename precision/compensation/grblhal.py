"""grblHAL backlash compensation: `$160 + axis`, mm (needs a build with ENABLE_BACKLASH_COMPENSATION). One number an axis: no pitch errors.

With deviation = actual − target, lost motion makes the positive approach end behind the negative one: B̄ = x̄↑ − x̄↓ is negative, and the backlash is
−B̄. As a table: +b/2 moving positive, −b/2 moving negative (the controller adds it at the reversal; the constant between is the axis' zero).
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..errors import DataError
from .lines import number, numbered, refuse
from .table import Table

FORMAT: Final = "grblHAL backlash"
AXES: Final = "XYZABC"
FIRST: Final = 160
_SETTING: Final = re.compile(r"\$(\d{1,4})\s*=\s*(\S{1,40})", re.ASCII)


def write(table: Table) -> str:
    """The setting of the axis: the mean of forward − reverse over the table's points, which is −B̄.

    Raises
    ------
    DataError       an axis without a setting, or a negative backlash: the machine is overcompensated already, or the measurement's sign is wrong
    """
    if len(table.axis) != 1 or table.axis not in AXES or table.kind != "linear":
        raise DataError(f"{FORMAT}: {table.kind} axis {table.axis}; a linear one of {', '.join(AXES)} has a setting")
    backlash = float(np.mean(table.forward - table.reverse))
    if backlash < 0:
        raise DataError(
            f"{FORMAT}: the mean reversal B̄ is {-backlash * 1e6:+.3f} µm, so the positive approach ends further on than the negative one; that is no lost "
            "motion. Is a backlash set already, or the sign of the instrument wrong?"
        )
    return f"${FIRST + AXES.index(table.axis)}={backlash * 1e3:.4f}\n"


def read(text: str, *, axis: str | None = None) -> Table:
    """The backlash of an axis as a table with one point.

    Raises
    ------
    DataError       naming the line; also when the axis is not there, or several are and `axis` does not choose
    """
    found: dict[str, float] = {}
    for line, content in numbered(FORMAT, text):
        if not content.strip():
            continue
        match = _SETTING.fullmatch(content.strip())
        place = int(match[1]) - FIRST if match else -1
        if match is None or not 0 <= place < len(AXES):
            refuse(FORMAT, line, f"{content[:40]!r}; ${FIRST} … ${FIRST + len(AXES) - 1} = millimetres is expected")
        backlash = number(FORMAT, line, match[2], "the backlash")
        if backlash < 0 or AXES[place] in found:
            refuse(FORMAT, line, f"{content[:40]!r}; each axis once, zero or more, is expected")
        found[AXES[place]] = backlash * 1e-3
    wanted = axis or (next(iter(found)) if len(found) == 1 else "")
    if wanted not in found:
        refuse(FORMAT, None, f"holds the backlash of {', '.join(found) or 'no axis'}; {wanted or 'name one axis'}")
    half = np.array([found[wanted] / 2])
    return Table(axis=wanted, nominal=np.zeros(1), forward=half, reverse=-half)
