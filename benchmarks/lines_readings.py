"""From the columns of a line test to arrays: displacement by line, direction, point and run, and what the air and the machine were like. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError

from .lines import POINT, READ, ZERO, Line
from .procedure import Readings

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReadings:
    """One line. along_m : (n,) distance from its start. displacement_m : (2, n, runs) with NaN where nothing was read. rows : (2, n, runs) their rows in the
    capture, −1 where none. zero : row of its zero."""

    along_m: Array
    displacement_m: Array
    rows: NDArray[np.intp]
    zero: int

    def means(self, name: str) -> Array:
        """(2, n) means over the runs.

        Raises
        ------
        DataError       a point that was never read in one direction, naming it
        """
        seen = np.isfinite(self.displacement_m)
        if not seen.any(axis=2).all():
            direction, point = (int(k) for k in np.argwhere(~seen.any(axis=2))[0])
            raise DataError(f"{name}: point {point + 1} of {self.along_m.size} has no reading {'↑↓'[direction]}; the run was stopped before it. Measure the line again")
        return np.asarray(np.nanmean(self.displacement_m, axis=2))


def of_line(readings: Readings, line: Line, number: int, runs: int) -> LineReadings:
    """The readings of line `number`.

    Raises
    ------
    DataError       its zero is missing
    """
    mine = readings["line"] == number
    zeros = np.flatnonzero(mine & (readings["phase"] == ZERO))
    if zeros.size != 1:
        raise DataError(f"{line.name}: the capture has {zeros.size} rows of its zero; exactly one is expected. The run was stopped before it, or its rows are mixed")
    count = len(line.share)
    displacement = np.full((2, count, runs), np.nan)
    rows = np.full((2, count, runs), -1, dtype=np.intp)
    for row in np.flatnonzero(mine & (readings["phase"] == POINT) & (readings["outcome"] == READ)):
        where = int(readings["direction"][row]), int(readings["point"][row]), int(readings["run"][row])
        if not (0 <= where[0] < 2 and 0 <= where[1] < count and 0 <= where[2] < runs):
            raise DataError(f"{line.name}: row {int(row)} of the capture is of direction {where[0]}, point {where[1]}, run {where[2]}; the plan has no such reading")
        displacement[where], rows[where] = readings["displacement_m"][row], row
    return LineReadings(along_m=np.array(line.share) * line.length_m, displacement_m=displacement, rows=rows, zero=int(zeros[0]))
