"""Leadscrew error compensation "SSFK" of ISG kernels and Beckhoff TwinCAT CNC: a compensation value list (achskw*.lis).

Positions and values are whole numbers of 0.1 µm (`kw.ssfk.unit 1`; 0.0001° on rotary axes). A value is actual − nominal (manufacturer's documentation), so
it is the error: x̄ = −correction. Published check: 19866.7 µm programmed, 19856.5 µm reached moving positive, 19874.7 µm moving negative: pos −102, neg 80.
(The list beside that example gives the same point as −19866.7 µm; with that sign the differences would be opposite. The stated formula is followed.)
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np

from ..errors import DataError
from ..recording import Kind
from .lines import ascending, numbered, refuse, whole
from .table import MOST_POINTS, Table

FORMAT: Final = "SSFK compensation list"
_ENTRY: Final = re.compile(r"kw\.ssfk\.table\[(\d{1,6})\]\.(setpoint|pos|neg)", re.ASCII)
_SETTINGS: Final = ("interval", "kw_startpos", "kw_nr_max", "unit", "bilateral", "modulo", "manual_activation", "set_pos_without_comp")


def _step(kind: Kind) -> float:
    """The unit of the file's numbers: 0.1 µm or 0.0001°."""
    return 1e-7 if kind == "linear" else math.radians(1e-4)


def write(table: Table, *, axis_number: int = 1) -> str:
    """The list of axis `axis_number` (its logical number), bilateral unless the table is averaged, with explicit setpoints.

    Raises
    ------
    DataError       points that fall on the same 0.1 µm
    """
    step = _step(table.kind)
    setpoints, up, down = (np.round(values / step).astype(np.int64) for values in (table.nominal, -table.forward, -table.reverse))
    same = np.flatnonzero(np.diff(setpoints) <= 0)
    if same.size:
        raise DataError(f"{FORMAT}: points {same[0] + 1} and {same[0] + 2} fall on the same position in 0.1 µm; thin the table out with --tolerance")
    lines = [
        f"kopf.log_achs_nr {axis_number}", f"kopf.log_achs_name {table.axis}",
        "kw.ssfk.interval 0", f"kw.ssfk.kw_startpos {setpoints[0]}", f"kw.ssfk.kw_nr_max {setpoints.size}", "kw.ssfk.unit 1",
        f"kw.ssfk.bilateral {0 if table.averaged else 1}",
    ]  # fmt: skip
    lines += [f"kw.ssfk.table[{index}].setpoint {value}" for index, value in enumerate(setpoints)]
    lines += [f"kw.ssfk.table[{index}].pos {value}" for index, value in enumerate(up)]
    lines += [] if table.averaged else [f"kw.ssfk.table[{index}].neg {value}" for index, value in enumerate(down)]
    return "\n".join([*lines, ""])


def read(text: str, *, axis: str = "", kind: Kind = "linear") -> Table:
    """The table in a list with explicit setpoints or an interval. `axis` : name of the result; by default the list's.

    Raises
    ------
    DataError       naming the line; also for an entry that is missing
    """
    settings: dict[str, int] = {}
    entries: dict[str, dict[int, tuple[int, int]]] = {"setpoint": {}, "pos": {}, "neg": {}}
    name = ""
    for line, content in numbered(FORMAT, text):
        content = content.partition("#")[0].strip()
        if not content:
            continue
        key, _, value = content.partition(" ")
        value = value.strip()
        if match := _ENTRY.fullmatch(key):
            index = whole(FORMAT, line, match[1], "the index", lowest=0, highest=MOST_POINTS)
            if index in entries[match[2]]:
                refuse(FORMAT, line, f"{key} a second time")
            entries[match[2]][index] = (line, whole(FORMAT, line, value, key))
        elif key.removeprefix("kw.ssfk.") in _SETTINGS:
            settings[key.removeprefix("kw.ssfk.")] = whole(FORMAT, line, value, key)
        elif key == "kopf.log_achs_name":
            name = value
        elif not key.startswith("kopf."):
            refuse(FORMAT, line, f"{content[:60]!r} is not understood; kw.ssfk.* is expected")
    count = settings.get("kw_nr_max")
    if count is None or not 1 <= count <= MOST_POINTS:
        refuse(FORMAT, None, f"kw.ssfk.kw_nr_max is {count}; the number of points, up to {MOST_POINTS}, is expected")
    if settings.get("unit") != 1 or settings.get("modulo", 0):
        refuse(FORMAT, None, "kw.ssfk.unit 1 (0.1 µm) and no modulo axis are read; encoder increments have no length")
    bilateral = bool(settings.get("bilateral", 0))
    if settings.get("interval", 0) > 0:
        setpoints = [settings.get("kw_startpos", 0) + index * settings["interval"] for index in range(count)]
    else:
        setpoints = _column(entries["setpoint"], count, "setpoint")
        for index in range(1, count):
            ascending(FORMAT, entries["setpoint"][index][0], setpoints[index - 1], setpoints[index], "setpoint")
    up = _column(entries["pos"], count, "pos")
    down = _column(entries["neg"], count, "neg") if bilateral else up
    step = _step(kind)
    return Table(axis=axis or _axis(name), kind=kind, nominal=np.array(setpoints) * step, forward=-np.array(up) * step, reverse=-np.array(down) * step)


def _column(values: dict[int, tuple[int, int]], count: int, name: str) -> list[int]:
    missing = [index for index in range(count) if index not in values]
    extra = [index for index in values if index >= count]
    if missing or extra:
        line = values[extra[0]][0] if extra else None
        refuse(FORMAT, line, f"table[{(missing or extra)[0]}].{name} is {'missing; the file may be cut off' if missing else f'beyond kw_nr_max {count}'}")
    return [values[index][1] for index in range(count)]


def _axis(name: str) -> str:
    return name[:1] if re.fullmatch(r"[A-Z].{0,40}", name) else "X"
