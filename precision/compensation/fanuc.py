"""Fanuc stored pitch error compensation, experimental: parameters 3620 … 3624 and the compensation data 10000 + number.

The data are increments in detection units: the datum of a number is what the correction grows by over the interval that ends at its point. With number No
of the reference point, point k lies at (k − No)·interval from it, and its increment covers the interval from point k − 1 to point k. (B-63980; the
arrangement of numbers and the sign — here: increments of the correction, −x̄ — are from memory and not confirmed.) There is no direction:
the second set of numbers of controls with parameter 3605#0 is not written.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from .. import units
from ..errors import DataError
from .lines import numbered, refuse, whole
from .table import MOST_POINTS, Table

FORMAT: Final = "Fanuc pitch error compensation"
_WORD: Final = re.compile(r"N(\d{4,5})\s*(?:A\d{1,2}\s*)?P([+-]?\d{1,9})", re.ASCII)
_COMMENT: Final = re.compile(r"\([^()]*\)")
NUMBER, LOWEST, HIGHEST, MAGNIFICATION, INTERVAL, DATA = 3620, 3621, 3622, 3623, 3624, 10_000


def write(table: Table, *, reference: int = 100, pulse: float = 1e-6, magnification: int = 1, limit: int = 7) -> str:
    """Lines `N…P…` between `%`.

    reference : number of the reference point, which is at 0. pulse : detection unit in m. magnification : of the data (parameter 3623).
    limit : largest datum, 7 on older controls, else 127.

    Raises
    ------
    DataError       two directions that differ, uneven points, no point at 0, increments beyond the limit, numbers out of range
    """
    step = table.spacing
    if step is None or not table.averaged or table.kind != "linear":
        raise DataError(f"{FORMAT}: an averaged table of a linear axis with points at even distances is expected; give --averaged and --spacing")
    if not (pulse > 0 and magnification >= 1 and 1 <= limit <= 127):
        raise DataError(f"{FORMAT}: pulse {pulse:g} m, magnification {magnification}, limit {limit}; above 0, from 1, and 1 to 127 are expected")
    place = table.nominal / step
    index = np.round(place).astype(np.int64)
    if np.abs(place - index).max() > 1e-6:
        raise DataError(f"{FORMAT}: points must be multiples of the spacing from the reference point at 0; give --offset where the run's zero is another")
    unit = pulse * magnification
    # Round the correction and then take differences: rounded differences would add up their rounding.
    data = np.diff(np.round((table.forward - table.correction(0.0, 0)) / unit).astype(np.int64))
    worst = int(np.abs(data).argmax())
    if abs(data[worst]) > limit:
        raise DataError(
            f"{FORMAT}: the correction changes by {data[worst] * magnification} pulses of {units.text(pulse, 'm')} before {table.nominal[worst + 1] * 1e3:g} mm, "
            f"the control takes ±{limit * magnification}; give a smaller --spacing or a larger magnification"
        )
    first, last = reference + int(index[0]) + 1, reference + int(index[-1])
    if first < 0 or last > 1023:
        raise DataError(f"{FORMAT}: numbers {first} to {last}; 0 to 1023 are expected. Give another reference number or a larger --spacing")
    settings = {NUMBER: reference, LOWEST: first, HIGHEST: last, MAGNIFICATION: magnification, INTERVAL: round(step / units.UM)}
    lines = [f"N{parameter:05d}P{value}" for parameter, value in settings.items()]
    lines += [f"N{DATA + first + row:05d}P{value}" for row, value in enumerate(data)]
    return "\n".join(["%", "(EXPERIMENTAL - SIGN AND NUMBERING NOT CONFIRMED)", *lines, "%", ""])


def read(text: str, *, axis: str = "X", pulse: float = 1e-6) -> Table:
    """The table of the increments; its correction is 0 at the reference point.

    Raises
    ------
    DataError       naming the line; also for a parameter or datum that is missing
    """
    found: dict[int, tuple[int, int]] = {}
    marks = 0
    for line, content in numbered(FORMAT, text):
        content = _COMMENT.sub("", content).strip()
        if content == "%":
            marks += 1
        elif content:
            match = _WORD.fullmatch(content)
            if match is None or marks != 1:
                refuse(FORMAT, line, f"{content[:60]!r} is not understood; N…P… between two lines of % is expected")
            parameter = int(match[1])
            if parameter in found:
                refuse(FORMAT, line, f"N{parameter} a second time")
            found[parameter] = (line, whole(FORMAT, line, match[2], f"N{parameter}"))
    if marks != 2:
        refuse(FORMAT, None, f"{marks} lines of %; two are expected: the file may be cut off")
    missing = [parameter for parameter in (NUMBER, LOWEST, HIGHEST, INTERVAL) if parameter not in found]
    if missing:
        refuse(FORMAT, None, f"N{missing[0]} is missing")
    reference, first, last, interval = (found[parameter][1] for parameter in (NUMBER, LOWEST, HIGHEST, INTERVAL))
    if not (0 <= first <= last <= MOST_POINTS) or interval <= 0:
        refuse(FORMAT, found[LOWEST][0], f"numbers {first} to {last} every {interval}; ascending numbers and an interval above 0 are expected")
    numbers = range(first, last + 1)
    absent = [number for number in numbers if DATA + number not in found]
    extra = [parameter for parameter in found if parameter >= DATA and parameter - DATA not in numbers]
    if absent or extra:
        refuse(FORMAT, found[extra[0]][0] if extra else None, f"N{(extra or [DATA + absent[0]])[0]} is {'beyond N3622' if extra else 'missing; the file may be cut off'}")
    data = np.array([found[DATA + number][1] for number in numbers], dtype=np.float64)
    nominal = np.asarray((np.arange(first - 1, last + 1) - reference) * interval * units.UM, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(data)]) * pulse * found.get(MAGNIFICATION, (0, 1))[1]
    return Table(axis=axis, nominal=nominal, forward=total, reverse=total).zero_at(0.0)

