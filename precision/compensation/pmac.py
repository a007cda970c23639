"""PMAC leadscrew compensation (`DEFINE COMP`), experimental: whole numbers of 1/16 count at even distances over a span that rolls over.

    DEFINE COMP {entries},#{source},#{target},{count length}

The first entry holds at one spacing from the motor's zero, the last at the whole span, which is also the zero again: the correction there is 0 by
definition. Negative positions are the upper end of the span. The entry is added to the measured motor position (user's manual, position processing), so
that a positive one moves the motor negative: x̄ = −correction is written. That sign is read from the manual's figure and not confirmed. No direction.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..errors import DataError
from .lines import numbered, refuse, whole
from .table import MOST_POINTS, Table

FORMAT: Final = "PMAC compensation table"
_DEFINE: Final = re.compile(r"#(\d{1,2})\s+DEFINE\s+COMP\s+(\d{1,6})\s*,\s*#(\d{1,2})D?\s*,\s*#(\d{1,2})\s*,\s*(\d{1,12})", re.ASCII | re.IGNORECASE)
SIXTEENTHS: Final = 16


def write(table: Table, *, count: float = 1e-6, motor: int = 1) -> str:
    """The commands that define the table of `motor` and switch it on (I51=1). count : length of an encoder count in m.

    Raises
    ------
    DataError       two directions that differ, uneven points, no point at the motor's zero or a correction there, or a spacing of no whole count
    """
    step = table.spacing
    if step is None or not table.averaged or table.kind != "linear":
        raise DataError(f"{FORMAT}: an averaged table of a linear axis with points at even distances is expected; give --averaged and --spacing")
    if not count > 0:
        raise DataError(f"{FORMAT}: a count of {count:g} m; a length above 0 is expected")
    index = np.round(table.nominal / step).astype(np.int64)
    if np.abs(table.nominal / step - index).max() > 1e-6 or not index[0] <= 0 <= index[-1]:
        raise DataError(f"{FORMAT}: points must be multiples of the spacing and hold the motor's zero; give --offset where the run's zero is another")
    values = np.round(-table.forward / count * SIXTEENTHS).astype(np.int64)
    if values[index == 0][0] != 0:
        raise DataError(f'{FORMAT}: the correction at the motor\'s zero is 0 by definition; give --reference "0 mm"')
    # One more interval than points: the table rolls over from the highest position to the lowest across an interval that the axis never enters.
    entries = int(index[-1] - index[0]) + 1
    span = entries * step / count
    if abs(span - round(span)) > 1e-6 * entries:
        raise DataError(f"{FORMAT}: {entries} spacings are {span:.3f} counts; a whole number is expected: choose a --spacing of whole counts")
    rolled = {int(i) % entries: int(value) for i, value in zip(index, values, strict=True)}
    ordered = [rolled.get(place % entries, 0) for place in range(1, entries + 1)]
    lines = [" ".join(str(value) for value in ordered[at : at + 10]) for at in range(0, entries, 10)]
    head = "; EXPERIMENTAL: the sign is not confirmed; verify it on the machine with a small table first"
    return "\n".join([head, f"; lowest position {int(index[0])} spacings", f"#{motor} DEFINE COMP {entries},#{motor},#{motor},{round(span)}", *lines, "I51=1", ""])


def read(text: str, *, count: float = 1e-6, axis: str = "X") -> Table:
    """The table of a `DEFINE COMP` of one motor by itself, over the positions that the comment on its lowest one names; without it, from 0 up.

    Raises
    ------
    DataError       naming the line; also when there are fewer or more entries than announced
    """
    entries, span, lowest, values = 0, 0, 0, []  # type: int, int, int, list[int]
    for line, content in numbered(FORMAT, text):
        content, _, comment = content.partition(";")
        content = content.strip()
        if noted := re.fullmatch(r"\s*lowest position (-?\d{1,6}) spacings\s*", comment):
            lowest = int(noted[1])
        if not content or re.fullmatch(r"I51\s*=\s*[01]", content):
            continue
        if match := _DEFINE.fullmatch(content):
            entries, span = int(match[2]), int(match[5])
            if values or len({match[1], match[3], match[4]}) != 1 or not 2 <= entries <= MOST_POINTS or span == 0:
                refuse(FORMAT, line, f"{content[:60]!r}; one table of one motor by itself, with at least 2 entries over a length, is expected")
            continue
        if not entries:
            refuse(FORMAT, line, f"{content[:60]!r}; #1 DEFINE COMP entries,#1,#1,length is expected first")
        values += [whole(FORMAT, line, part, "an entry") for part in content.split()]
        if len(values) > entries:
            refuse(FORMAT, line, f"more than the {entries} entries that were announced")
    if not entries or len(values) != entries:
        refuse(FORMAT, None, f"{len(values)} of {entries} entries; the file may be cut off")
    if not -entries < lowest <= 0:
        refuse(FORMAT, None, f"the lowest position is said to be {lowest} spacings; it must lie between {1 - entries} and 0")
    step = span * count / entries
    index = np.arange(lowest, lowest + entries) if lowest else np.arange(0, entries + 1)
    corrections = -np.array([values[(place - 1) % entries] for place in index]) * count / SIXTEENTHS
    if not lowest:
        corrections[0] = corrections[-1]
    return Table(axis=axis, nominal=np.asarray(index * step, dtype=np.float64), forward=corrections, reverse=corrections)
