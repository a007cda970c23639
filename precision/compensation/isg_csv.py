"""ISG CSV: error parameters for volumetric compensation of ISG kernels and Beckhoff TwinCAT CNC (TF5280).

A table separated by blanks, its first line the names: arguments (X, Y, Z, A, B, C; mm or degrees) and parameters (EXX, EYX, …; mm or rad). A block of
position errors (Y0A, C0Y) has no argument. `//` begins a comment, `#` a new block. Errors are actual − nominal: x̄ = −correction is written
(`negate` in the controller's list turns the sign). There is no direction.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from ..errors import DataError
from ..recording import Kind
from .lines import ascending, decimal, number, numbered, refuse
from .parameters import Curve, Parameters, averaged, curve, error_unit, is_constant, is_curve, position_unit
from .table import MOST_POINTS, Array, Table

FORMAT: Final = "ISG CSV"


def write(table: Table) -> str:
    """The positioning error of the axis, columns `X EXX`. The table must be averaged."""
    errors = averaged(table, FORMAT)
    rows = [f"{decimal(at, 6)} {decimal(error, 9)}" for at, error in zip(table.nominal / table.file_unit, errors, strict=True)]
    return "\n".join(["// errors: actual - nominal", f"{table.axis} E{table.axis}{table.axis}", *rows, ""])


def write_parameters(parameters: Parameters, *, chain: str = "") -> str:
    """All error parameters: a block for each axis, its errors at common positions, and one for the constants.

    Raises
    ------
    DataError       curves of one axis at different positions, which a table cannot hold
    """
    lines = ["// errors: actual - nominal, mm and rad, tool relative to workpiece (ISO 230-1)", *([f"// chain, workpiece to tool: {chain}"] if chain else [])]
    for axis in dict.fromkeys(name[2] for name in parameters.curves):
        names = [name for name in parameters.curves if name[2] == axis]
        at = parameters.curves[names[0]].position
        for name in names:
            if not np.array_equal(parameters.curves[name].position, at):
                raise DataError(f"{FORMAT}: {name} has other positions than {names[0]}; the errors of one axis share their positions in a table")
        columns = [decimal_column(at / position_unit(axis), 6), *(decimal_column(parameters.curves[name].error / error_unit(name), 12) for name in names)]
        lines += [*(["#"] if lines[-1][0] != "/" else []), " ".join([axis, *names]), *(" ".join(row) for row in zip(*columns, strict=True))]
    if parameters.constants:
        values = [decimal(value / error_unit(name), 12) for name, value in parameters.constants.items()]
        lines += [*(["#"] if lines[-1][0] != "/" else []), " ".join(parameters.constants), " ".join(values)]
    return "\n".join([*lines, ""])


def decimal_column(values: Array, places: int) -> list[str]:
    """Numbers of one column."""
    return [decimal(float(value), places) for value in values]


def read(text: str, *, axis: str | None = None, kind: Kind = "linear") -> Table:
    """The positioning error of an axis as a table; raises as `read_parameters`, and where there is none or the choice is open."""
    return read_parameters(text).positioning(axis, FORMAT)


def read_parameters(text: str) -> Parameters:
    """All error parameters that depend on one argument, and the constants.

    Raises
    ------
    DataError       naming the line: unknown or repeated names, rows of another width, positions not ascending; several arguments in one block
    """
    curves: dict[str, Curve] = {}
    constants: dict[str, float] = {}
    names: list[str] = []
    head, rows = 0, []  # type: int, list[tuple[int, list[float]]]
    for line, content in [*numbered(FORMAT, text), (0, "#")]:
        content = content.partition("//")[0].strip()
        if content.startswith("#"):
            if names:
                _keep(names, head, rows, curves, constants)
            names, rows = [], []
        elif content and not names:
            names, head = content.split(), line
            for name in names:
                if not (is_curve(name) or is_constant(name) or name in tuple("XYZABC")) or names.count(name) > 1:
                    refuse(FORMAT, line, f"column {name[:20]!r} is unknown or there twice; X, Y, Z, A, B, C, EXX … and C0Y … are expected")
        elif content:
            parts = content.split()
            if len(parts) != len(names) or len(rows) >= MOST_POINTS:
                refuse(FORMAT, line, f"{len(parts)} numbers; {len(names)} are expected ({' '.join(names)[:80]}), in at most {MOST_POINTS} rows")
            rows.append((line, [number(FORMAT, line, part, name) for part, name in zip(parts, names, strict=True)]))
    if not curves and not constants:
        refuse(FORMAT, None, "holds no error parameter")
    return Parameters(curves=curves, constants=constants)


def _keep(names: list[str], head: int, rows: list[tuple[int, list[float]]], curves: dict[str, Curve], constants: dict[str, float]) -> None:
    """One block into the parameters."""
    arguments = [name for name in names if len(name) == 1]
    if not rows:
        refuse(FORMAT, head, "a line of names without a row below it; the file may be cut off")
    if len(arguments) > 1:
        refuse(FORMAT, head, f"errors that depend on {' and '.join(arguments)} together are not read; one argument a block is")
    for column, name in enumerate(names):
        if name in curves or name in constants:
            refuse(FORMAT, head, f"{name} a second time")
        if is_constant(name):
            if len(rows) > 1 and len({values[column] for _, values in rows}) > 1:
                refuse(FORMAT, rows[1][0], f"{name} has more than one value")
            constants[name] = rows[0][1][column] * error_unit(name)
        elif is_curve(name):
            if arguments != [name[2]]:
                refuse(FORMAT, head, f"{name} is an error along {name[2]}; the column {name[2]} is expected beside it")
            place = names.index(name[2])
            for (_, before), (line, now) in itertools.pairwise(rows):
                ascending(FORMAT, line, before[place], now[place])
            curves[name] = curve([(values[place], values[column]) for _, values in rows], name)
