"""Siemens Sinumerik: leadscrew error compensation ($AA_ENC_COMP) and, experimental, cross compensation ($AN_CEC) for both directions.

ENC_COMP (function manual K3; 808D, 828D, 840D): `$AA_ENC_COMP[encoder, N, axis]` at MIN + N·STEP, the same for both directions. The value is added to the
axis' *actual* position, and the manual says it: "a positive value moves the axis in the negative direction". So the value is the error: x̄ = −correction.
Outside the table the first or last value holds; the manual wants 0 at the reference point.

CEC has a direction (`$AN_CEC_DIRECTION` 1 or −1), so two tables make a bidirectional one. Its sign is not confirmed; the sign of ENC_COMP is written.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..errors import DataError
from ..recording import Kind
from .lines import decimal, number, numbered, refuse, whole
from .table import MOST_POINTS, Array, Table, file_unit

FORMAT: Final = "Sinumerik compensation"
PLACES: Final = 6
_ASSIGNMENT: Final = re.compile(r"\$(?P<name>A[AN]_[A-Z_]{1,40})\[(?P<place>[^\]]{1,40})\]\s*=\s*(?P<value>.{1,40}?)\s*(?:;.*)?")
_AXIS: Final = re.compile(r"[A-Z][A-Z0-9]{0,7}", re.ASCII)
_HEADER: Final = re.compile(r"%_N_\w{1,40}|CHANDATA\(\d\)|M17|M30|;.*|", re.ASCII)


def write(table: Table, *, machine_axis: str = "", encoder: int = 0) -> str:
    """The initialisation block with $AA_ENC_COMP. The table must be averaged and evenly spaced; MD38000 must offer as many points.

    machine_axis : its name in the controller ("X1"); by default the table's with "1". encoder : 0 or 1.

    Raises
    ------
    DataError       two directions that differ, uneven points, or a name that is none
    """
    step = _even(table)
    if not table.averaged:
        raise DataError(f"{FORMAT}: ENC_COMP knows no direction; average the table (--averaged), or use sinumerik-cec for both directions")
    axis = _named(machine_axis or f"{table.axis}1")
    unit = table.file_unit
    rows = [f"$AA_ENC_COMP[{encoder},{index},{axis}]={decimal(-value / unit, PLACES)}" for index, value in enumerate(table.forward)]
    place = f"[{encoder},{axis}]"
    return "\n".join(
        [
            f"%_N_{axis}_EEC_INI", "CHANDATA(1)", *rows,
            *(f"$AA_ENC_COMP_{name}{place}={text}" for name, text in _grid(table, step)), f"$AA_ENC_COMP_IS_MODULO{place}=0", "M17", "",
        ]
    )  # fmt: skip


def write_cec(table: Table, *, machine_axis: str = "", first_table: int = 0) -> str:
    """The initialisation block with one $AN_CEC table for each direction, numbered from `first_table`. Experimental: verify the sign on the machine."""
    step = _even(table)
    axis = _named(machine_axis or f"{table.axis}1")
    lines = ["%_N_NC_CEC_INI", "CHANDATA(1)", "; EXPERIMENTAL: the sign of CEC is not confirmed; verify it on the machine with a small table first"]
    for index, (direction, values) in enumerate(((1, table.forward), (-1, table.reverse)), first_table):
        lines += [f"$AN_CEC[{index},{point}]={decimal(-value / table.file_unit, PLACES)}" for point, value in enumerate(values)]
        lines += [f"$AN_CEC_INPUT_AXIS[{index}]=({axis})", f"$AN_CEC_OUTPUT_AXIS[{index}]=({axis})"]
        lines += [f"$AN_CEC_{name}[{index}]={text}" for name, text in _grid(table, step)]
        lines += [f"$AN_CEC_DIRECTION[{index}]={direction}", f"$AN_CEC_MULT_BY_TABLE[{index}]=0", f"$AN_CEC_IS_MODULO[{index}]=0"]
    return "\n".join([*lines, "M17", ""])


def _even(table: Table) -> float:
    step = table.spacing
    if step is None:
        raise DataError(f"{FORMAT}: points at even distances are expected; give --spacing or --tolerance")
    return step


def _named(axis: str) -> str:
    if not _AXIS.fullmatch(axis):
        raise DataError(f"{FORMAT}: {axis[:20]!r} is no machine axis; a name such as X1 is expected")
    return axis


def _grid(table: Table, step: float) -> tuple[tuple[str, str], ...]:
    unit = table.file_unit
    return (
        ("STEP", decimal(step / unit, PLACES)), ("MIN", decimal(table.nominal[0] / unit, PLACES)), ("MAX", decimal(table.nominal[-1] / unit, PLACES)),
    )  # fmt: skip


def read(text: str, *, axis: str = "", kind: Kind = "linear") -> Table:
    """The table in a block with $AA_ENC_COMP. `axis` : name of the result; by default the machine axis without its digit.

    Raises
    ------
    DataError       naming the line; also for a point, STEP, MIN or MAX that is missing, and for a grid that does not hold all points
    """
    values: dict[int, float] = {}
    settings: dict[str, tuple[int, float]] = {}
    machine_axis = ""
    for line, name, place, value in _assignments(text, "AA_ENC_COMP"):
        found = place[-1]
        if machine_axis and found != machine_axis:
            refuse(FORMAT, line, f"axis {found[:20]!r} after {machine_axis!r}; one axis a file is expected")
        machine_axis = found
        if name == "" and len(place) == 3:
            _put(values, line, whole(FORMAT, line, place[1], "the point", lowest=0, highest=MOST_POINTS), number(FORMAT, line, value, "the compensation value"))
        elif name and len(place) == 2:
            settings[name] = (line, number(FORMAT, line, value, f"{name.strip('_')}"))
        else:
            refuse(FORMAT, line, "$AA_ENC_COMP[encoder, point, axis] or a setting [encoder, axis] is expected")
    if not machine_axis:
        refuse(FORMAT, None, "holds no $AA_ENC_COMP")
    corrections = -_complete(values, settings, file_unit(kind))
    return _table(settings, corrections, corrections, axis or machine_axis.rstrip("0123456789"), kind)


def read_cec(text: str, *, axis: str = "", kind: Kind = "linear") -> Table:
    """The table in two $AN_CEC tables of one axis, directions 1 and −1, on the same grid; raises as `read`."""
    values: dict[str, dict[int, float]] = {}
    settings: dict[str, dict[str, tuple[int, float]]] = {}
    machine_axis = ""
    for line, name, place, value in _assignments(text, "AN_CEC"):
        index = place[0]
        if name.endswith("_AXIS") and len(place) == 1:
            found = value.strip("()")
            if machine_axis and found != machine_axis:
                refuse(FORMAT, line, f"axis {found[:20]!r} after {machine_axis!r}; a compensation of one axis by itself is expected")
            machine_axis = found
        elif name == "" and len(place) == 2:
            point = whole(FORMAT, line, place[1], "the point", lowest=0, highest=MOST_POINTS)
            _put(values.setdefault(index, {}), line, point, number(FORMAT, line, value, "the compensation value"))
        elif name and len(place) == 1:
            settings.setdefault(index, {})[name] = (line, number(FORMAT, line, value, f"{name.strip('_')}"))
        else:
            refuse(FORMAT, line, "$AN_CEC[table, point] or a setting [table] is expected")
    ways = {grid["_DIRECTION"][1]: index for index, grid in settings.items() if "_DIRECTION" in grid}
    if sorted(ways) != [-1.0, 1.0] or not machine_axis:
        refuse(FORMAT, None, f"tables for the directions {sorted(ways)}; one for 1 and one for -1 is expected, with their axis")
    up, down = (settings[ways[way]] for way in (1.0, -1.0))
    if any(up.get(name, (0, None))[1] != down.get(name, (0, None))[1] for name in ("_MIN", "_MAX", "_STEP")):
        refuse(FORMAT, up.get("_MIN", (None, 0))[0], "the two directions have different grids")
    forward, reverse = (-_complete(values.get(ways[way], {}), settings[ways[way]], file_unit(kind)) for way in (1.0, -1.0))
    return _table(up, forward, reverse, axis or machine_axis.rstrip("0123456789"), kind)


def _assignments(text: str, variable: str) -> list[tuple[int, str, list[str], str]]:
    """(line, name after the variable's, indices, value) of every assignment to it."""
    found = []
    ended = False
    for line, content in numbered(FORMAT, text):
        content = content.strip()
        match = _ASSIGNMENT.fullmatch(content)
        if match is None:
            if not _HEADER.fullmatch(content):
                refuse(FORMAT, line, f"{content[:60]!r} is not understood; ${variable}[...]=value is expected")
            ended |= content in ("M17", "M30")
            continue
        if ended or not match["name"].startswith(variable):
            refuse(FORMAT, line, f"{content[:60]!r} {'after the end of the block' if ended else f'is no ${variable}'}")
        found.append((line, match["name"].removeprefix(variable), [part.strip() for part in match["place"].split(",")], match["value"]))
    if not ended:
        refuse(FORMAT, None, "ends without M17; the file may be cut off")
    return found


def _put(values: dict[int, float], line: int, point: int, value: float) -> None:
    if point in values:
        refuse(FORMAT, line, f"point {point} a second time")
    values[point] = value


def _complete(values: dict[int, float], settings: dict[str, tuple[int, float]], unit: float) -> Array:
    """The values of all points, in SI; the controller would take a missing one as 0."""
    for name in ("_STEP", "_MIN", "_MAX"):
        if name not in settings:
            refuse(FORMAT, None, f"{name.strip('_')} is missing")
    step, low, high = (settings[name][1] for name in ("_STEP", "_MIN", "_MAX"))
    if not step > 0 or not high > low:
        refuse(FORMAT, settings["_STEP"][0], f"STEP {step:g}, MIN {low:g}, MAX {high:g}; a STEP above 0 and a MAX above MIN are expected")
    points = (high - low) / step + 1
    if abs(points - round(points)) > 1e-6 or not 2 <= points <= MOST_POINTS:
        refuse(FORMAT, settings["_MAX"][0], f"(MAX − MIN)/STEP + 1 is {points:g}; a whole number of points up to {MOST_POINTS} is expected")
    if settings.get("_IS_MODULO", (0, 0.0))[1] != 0:
        refuse(FORMAT, settings["_IS_MODULO"][0], "modulo axes are not read")
    missing = sorted(set(range(round(points))) - set(values))
    extra = sorted(set(values) - set(range(round(points))))
    if missing or extra:
        refuse(FORMAT, None, f"points {'missing' if missing else 'beyond MAX'}: {(missing or extra)[:5]}; 0 to {round(points) - 1} are expected, each once")
    return np.array([values[point] for point in range(round(points))]) * unit


def _table(settings: dict[str, tuple[int, float]], forward: Array, reverse: Array, axis: str, kind: Kind) -> Table:
    low, high = (settings[name][1] for name in ("_MIN", "_MAX"))
    nominal = np.linspace(low, high, forward.size) * file_unit(kind)
    return Table(axis=axis, kind=kind, nominal=nominal, forward=forward, reverse=reverse)
