"""Etalon exchange format ("Vendor" variant), the neutral way between volumetric measuring systems and controllers (Beckhoff TF5280 documents it).

    [EXX]
    Gridpoints = {
      -280.0 -0.001358635132        position in mm or degrees, error in mm or rad
    }
    [C0B]
    VALUE = 0.000022355737

Errors are actual − nominal, so x̄ = −correction is written; the controller subtracts them. Comments begin with `//`. There is no direction.
"""

from __future__ import annotations

import re
from typing import Final

from ..recording import Kind
from .lines import ascending, decimal, number, numbered, refuse
from .parameters import Curve, Parameters, averaged, curve, error_unit, is_constant, is_curve, position_unit
from .table import MOST_POINTS, Table

FORMAT: Final = "Etalon exchange file"
_BLOCK: Final = re.compile(r"\[([A-Z0-9]{1,8})\]", re.ASCII)
_VALUE: Final = re.compile(r"VALUE\s*=\s*(\S{1,40})", re.ASCII)
_BEGIN: Final = re.compile(r"Gridpoints\s*=\s*\{", re.ASCII)


def write(table: Table) -> str:
    """The positioning error of the axis as one block ([EXX] for X). The table must be averaged."""
    errors = averaged(table, FORMAT)
    rows = [f"  {decimal(at, 6)} {decimal(error, 12)}" for at, error in zip(table.nominal / table.file_unit, errors, strict=True)]
    name = f"E{table.axis}{table.axis}"
    return "\n".join(["// errors: actual - nominal", f"[{name}]", "Gridpoints = {", *rows, f"}}  // end of {name}", ""])


def write_parameters(parameters: Parameters, *, chain: str = "") -> str:
    """All error parameters, a block each; the chain they belong to as a comment."""
    lines = ["// errors: actual - nominal, mm and rad, tool relative to workpiece (ISO 230-1)", *([f"// chain, workpiece to tool: {chain}"] if chain else [])]
    for name, one in parameters.curves.items():
        rows = zip(one.position / position_unit(name[2]), one.error / error_unit(name), strict=True)
        lines += [f"[{name}]", "Gridpoints = {", *(f"  {decimal(at, 6)} {decimal(error, 12)}" for at, error in rows), f"}}  // end of {name}"]
    for name, value in parameters.constants.items():
        lines += [f"[{name}]", f"VALUE = {decimal(value / error_unit(name), 12)}"]
    return "\n".join([*lines, ""])


def read(text: str, *, axis: str | None = None, kind: Kind = "linear") -> Table:
    """The positioning error of an axis as a table; raises as `read_parameters`, and where there is none or the choice is open."""
    return read_parameters(text).positioning(axis, FORMAT)


def read_parameters(text: str) -> Parameters:
    """All error parameters of the file.

    Raises
    ------
    DataError       naming the line: an unknown name, a name twice, positions not ascending, a block that does not end
    """
    curves: dict[str, Curve] = {}
    constants: dict[str, float] = {}
    name, rows = "", None  # type: str, list[tuple[float, float]] | None
    opened = 0
    for line, content in numbered(FORMAT, text):
        content = content.partition("//")[0].strip()
        if not content:
            continue
        if rows is not None and content == "}":
            if not rows:
                refuse(FORMAT, line, f"[{name}] has no grid points")
            curves[name], rows, name = curve(rows, name), None, ""
        elif rows is not None:
            parts = content.split()
            if len(parts) != 2 or len(rows) >= MOST_POINTS:
                refuse(FORMAT, line, f"{content[:60]!r} in [{name}]; position and error are expected, up to {MOST_POINTS} times, then }}")
            at, error = (number(FORMAT, line, part, what) for part, what in zip(parts, ("position", "error"), strict=True))
            ascending(FORMAT, line, rows[-1][0] if rows else None, at)
            rows.append((at, error))
        elif match := _BLOCK.fullmatch(content):
            if name:
                refuse(FORMAT, line, f"[{name}] from line {opened} holds nothing")
            name, opened = match[1], line
            if not (is_curve(name) or is_constant(name)):
                refuse(FORMAT, line, f"[{name}] is no error parameter; a name such as EXX, EYX or C0Y is expected")
            if name in curves or name in constants:
                refuse(FORMAT, line, f"[{name}] a second time")
        elif name and is_constant(name) and (match := _VALUE.fullmatch(content)):
            constants[name] = number(FORMAT, line, match[1], "VALUE") * error_unit(name)
            name = ""
        elif name and is_curve(name) and _BEGIN.fullmatch(content):
            rows = []
        else:
            refuse(FORMAT, line, f"{content[:60]!r} is not understood; [NAME], then Gridpoints = {{ … }} or VALUE = … is expected")
    if name:
        refuse(FORMAT, opened, f"[{name}] does not end; the file may be cut off")
    if not curves and not constants:
        refuse(FORMAT, None, "holds no error parameter")
    return Parameters(curves=curves, constants=constants)
