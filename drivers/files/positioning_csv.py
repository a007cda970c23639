"""Positioning tests from CSV: one row an approach, columns found by their names.

    # axis: X                     optional lines above the table: axis, kind (linear, rotary), unit, machine, instrument, operator, date ...
    # unit: mm
    run,direction,target_mm,actual_mm
    1,+,0.000,0.0012
    1,-,0.000,-0.0008

Columns (upper or lower case; a unit may follow in the name: `target_mm`, `target [mm]`, `target (mm)`):
    target      target, nominal, position, soll
    actual      actual, measured, reading, ist     — or —     deviation, error, abweichung  (actual − target)
    direction   direction, dir, richtung: + - up down ↑ ↓ fwd rev forward reverse 1 -1
    run         run, cycle, lauf: a whole number
Other columns are ignored. Every length column needs a unit: in its name, in a "# unit:" line, or given by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.recording import DOWN, UP
from precision.units import DIMENSIONS

from .table import Table, read_table

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "target": ("target", "nominal", "position", "soll", "target position"),
    "actual": ("actual", "measured", "reading", "ist", "actual position"),
    "deviation": ("deviation", "error", "abweichung"),
    "direction": ("direction", "dir", "richtung"),
    "run": ("run", "cycle", "lauf", "run number"),
}
_DIRECTIONS: Final = {
    **dict.fromkeys(("+", "+1", "1", "up", "u", "↑", "fwd", "forward", "pos", "positive"), UP),
    **dict.fromkeys(("-", "−", "-1", "down", "d", "↓", "rev", "bwd", "reverse", "backward", "neg", "negative"), DOWN),
}
_NAME: Final = re.compile(r"(?P<name>.*?)\s*(?:[\[(](?P<bracket>[^\])]{1,12})[\])]|_(?P<suffix>m|mm|um|µm|nm|in|rad|deg|arcsec|mrad|urad|µrad))?")
HEADER_FIELDS: Final = ("machine", "instrument", "operator", "date", "location", "serial number", "remarks")


@dataclass(frozen=True, slots=True)
class Imported:
    """Rows of a positioning test as a file gave them, in m or rad, with what its header says of the test."""

    axis: str
    kind: Literal["linear", "rotary"]
    run: NDArray[np.int64]
    direction: NDArray[np.int64]
    target: NDArray[np.float64]
    actual: NDArray[np.float64]
    header: dict[str, str]


def read(path: Path, *, unit: str | None = None, columns: Mapping[str, str] | None = None) -> Imported:
    """The positioning test in a CSV file.

    unit : for columns that state none ("mm", "deg"). columns : our name -> the file's column name, where it is not one of `NAMES`.

    Raises
    ------
    DataError       missing column, no or contradicting units, a cell that is not a number, an unknown direction: line and column named
    """
    table = read_table(path)
    place, stated = _columns(table, columns or {})
    missing = [name for name in ("target", "direction", "run") if name not in place]
    if "actual" not in place and "deviation" not in place:
        missing.append("actual (or deviation)")
    if missing:
        raise DataError(
            f"{table.name}: no column for {', '.join(missing)}. Columns found: {', '.join(table.columns)[:200]}. "
            "Rename one, or map it: --column target=NAME"
        )
    reading = "actual" if "actual" in place else "deviation"
    factor, kind = _factors(table, stated, ("target", reading), unit)
    numbers = range(len(table.rows))
    target = np.array([table.number(row, place["target"]) for row in numbers]) * factor["target"]
    actual = np.array([table.number(row, place[reading]) for row in numbers]) * factor[reading]
    return Imported(
        axis=_axis(table),
        kind=kind,
        run=np.array([_run(table, row, place["run"]) for row in numbers], dtype=np.int64),
        direction=np.array([_direction(table, row, place["direction"]) for row in numbers], dtype=np.int64),
        target=target,
        actual=actual if reading == "actual" else target + actual,
        header={key: table.meta[key] for key in HEADER_FIELDS if table.meta.get(key)},
    )


def _columns(table: Table, mapping: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
    """Our name -> column index, and our name -> the unit that the column's name states."""
    place: dict[str, int] = {}
    stated: dict[str, str] = {}
    for ours, theirs in mapping.items():
        if ours not in NAMES:
            raise DataError(f"--column {ours}={theirs}: no such column; ours are {', '.join(NAMES)}")
        if theirs not in table.columns:
            raise DataError(f"{table.name}: has no column {theirs!r}; columns found: {', '.join(table.columns)[:200]}")
    for index, written in enumerate(table.columns):
        match = _NAME.fullmatch(written)
        bare = (match["name"] if match else written).strip().lower().replace("_", " ")
        unit = (match["bracket"] or match["suffix"] or "").strip() if match else ""
        for ours, names in NAMES.items():
            if mapping.get(ours) == written or (ours not in mapping and bare in names):
                if ours in place:
                    raise DataError(f"{table.name}: columns {table.columns[place[ours]]!r} and {written!r} both read as {ours}; map one: --column {ours}=NAME")
                place[ours] = index
                if unit:
                    stated[ours] = unit
    return place, stated


def _factors(
    table: Table, stated: Mapping[str, str], needed: tuple[str, str], unit: str | None
) -> tuple[dict[str, float], Literal["linear", "rotary"]]:
    """Factor to SI of each column, and whether the axis is linear or rotary by its units."""
    general = unit or table.meta.get("unit")
    factor, dimensions = {}, {}
    for name in needed:
        written = stated.get(name) or general
        if written is None:
            raise DataError(f"{table.name}: column {name!r} states no unit; write it as {name}_mm, add a line \"# unit: mm\", or give --unit mm")
        for dimension in ("length", "angle"):
            if written in DIMENSIONS[dimension]:
                factor[name], dimensions[name] = DIMENSIONS[dimension][written], dimension
        if name not in factor:
            raise DataError(f"{table.name}: unit {written[:20]!r} of column {name!r} is neither a length nor an angle; allowed: mm, µm, nm, m, in, deg, arcsec, rad ...")
        if unit and stated.get(name) and stated[name] != unit and name == "target":
            raise DataError(f"{table.name}: --unit {unit} contradicts the column {name}, which says {stated[name]}")
    if len(set(dimensions.values())) > 1:
        raise DataError(f"{table.name}: {needed[0]} is a {dimensions[needed[0]]} and {needed[1]} a {dimensions[needed[1]]}; units are mixed")
    if needed[1] == "actual" and factor["target"] != factor["actual"]:
        raise DataError(f"{table.name}: target and actual position are in different units ({stated.get('target') or general}, {stated.get('actual') or general}); use one")
    kind: Literal["linear", "rotary"] = "linear" if dimensions["target"] == "length" else "rotary"
    if table.meta.get("kind", kind) != kind:
        raise DataError(f"{table.name}: the header says kind {table.meta['kind'][:20]!r}, the units say {kind}")
    return factor, kind


def _axis(table: Table) -> str:
    name = table.meta.get("axis", "X")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,7}", name):
        raise DataError(f"{table.name}: axis {name[:20]!r} in the header; expected a name such as X, Y2 or A")
    return name


def _run(table: Table, row: int, column: int) -> int:
    value = table.number(row, column)
    if value != int(value) or abs(value) > 1e6:
        line, cells = table.rows[row]
        raise DataError(f"{table.name}, line {line}, column {table.columns[column]!r}: {cells[column][:40]!r} is not a run number")
    return int(value)


def _direction(table: Table, row: int, column: int) -> int:
    line, cells = table.rows[row]
    direction = _DIRECTIONS.get(cells[column].lower())
    if direction is None:
        raise DataError(
            f"{table.name}, line {line}, column {table.columns[column]!r}: {cells[column][:40]!r} is not a direction; write + or -, up or down, 1 or -1"
        )
    return direction
