"""Error parameters of a whole machine as files carry them: EXX, EYX, … at positions, and constants such as C0Y (ISO 230-1 names).

Errors, not corrections: actual − nominal, lengths in m and angles in rad, at positions in m (rad for rotary axes).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from .table import Array, Table

_NAME: Final = re.compile(r"E[XYZABC][XYZABC]", re.ASCII)
_CONSTANT: Final = re.compile(r"[XYZABC]0[XYZABC]", re.ASCII)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One error along one axis: position (m,) ascending, error (m,), both SI."""

    position: Array
    error: Array


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a file says of a machine. curves : "EXX" -> `Curve`. constants : "C0Y" -> m or rad."""

    curves: dict[str, Curve]
    constants: dict[str, float]

    def positioning(self, axis: str | None, format: str) -> Table:
        """The positioning error of an axis (EXX of X) as a table; the same for both directions, as these formats know none.

        Raises
        ------
        DataError       there is none, or several and `axis` does not choose
        """
        there = sorted(name for name in self.curves if name[1] == name[2])
        wanted = f"E{axis}{axis}" if axis else (there[0] if len(there) == 1 else "")
        if wanted not in self.curves:
            raise DataError(f"{format}: holds the positioning errors {', '.join(there) or 'of no axis'}; {wanted or 'name one axis'}")
        curve = self.curves[wanted]
        kind = "linear" if wanted[1] in "XYZ" else "rotary"
        return Table(axis=wanted[1], kind=kind, nominal=curve.position, forward=-curve.error, reverse=-curve.error)  # type: ignore[arg-type]


def is_curve(name: str) -> bool:
    """Whether this names an error along an axis ("EXX", "ECB")."""
    return _NAME.fullmatch(name) is not None


def is_constant(name: str) -> bool:
    """Whether this names a location error ("C0Y")."""
    return _CONSTANT.fullmatch(name) is not None


def error_unit(name: str) -> float:
    """The size in SI of the file's unit of an error: mm for lengths, rad for angles."""
    letter = name[1] if is_curve(name) else name[0]
    return 1e-3 if letter in "XYZ" else 1.0


def position_unit(axis: str) -> float:
    """The size in SI of the file's unit of a position: mm, or degrees for rotary axes."""
    return 1e-3 if axis in "XYZ" else math.pi / 180


def curve(rows: list[tuple[float, float]], name: str) -> Curve:
    """Rows (position, error) in file units as a curve in SI."""
    table = np.array(rows)
    return Curve(position=table[:, 0] * position_unit(name[2]), error=table[:, 1] * error_unit(name))


def averaged(table: Table, format: str) -> Array:
    """The errors of an averaged table, in file units. Raises `DataError` where the directions differ."""
    if not table.averaged:
        raise DataError(f"{format}: knows no direction; average the table (--averaged)")
    if table.axis not in ("X", "Y", "Z", "A", "B", "C"):
        raise DataError(f"{format}: axis {table.axis}; one of X, Y, Z, A, B, C is expected")
    return -table.forward / error_unit(f"E{table.axis}{table.axis}")
