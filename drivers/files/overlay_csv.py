"""Overlay readings from CSV: one row a mark, columns found by their names.

    # machine: ...              optional lines above the table
    wafer,field_x_mm,field_y_mm,mark_x_mm,mark_y_mm,scan,dx_nm,dy_nm
    1,-52,-66,-12,-15,up,13.0,-10.0

field_x, field_y : centre of the field, from the wafer's centre. mark_x, mark_y : the mark, from its field's centre. dx, dy : overlay;
empty or nan where the mark was not found. Optional: wafer (a whole number), field (a whole number; by default each centre is a field),
scan (up, down, +, -). Every length needs a unit, in its column's name (`dx_nm`, `dx [nm]`) or given by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.units import DIMENSIONS

from .table import Table, read_table

LENGTHS: Final = ("field_x", "field_y", "mark_x", "mark_y", "dx", "dy")
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "wafer": ("wafer", "wafer id", "slot"),
    "field": ("field", "field id", "shot", "exposure"),
    "field_x": ("field x", "shot x", "xs"),
    "field_y": ("field y", "shot y", "ys"),
    "mark_x": ("mark x", "xf", "in field x"),
    "mark_y": ("mark y", "yf", "in field y"),
    "scan": ("scan", "scan direction", "scan up"),
    "dx": ("dx", "overlay x", "ovl x"),
    "dy": ("dy", "overlay y", "ovl y"),
}
_UNIT: Final = re.compile(r"(?:\s*[\[(](?P<bracket>[^\])]{1,12})[\])]|_(?P<suffix>m|mm|um|µm|nm))\Z")
_UP: Final = {**dict.fromkeys(("up", "+", "u", "1", "+1", "↑"), 1), **dict.fromkeys(("down", "-", "−", "d", "-1", "0", "↓"), 0)}
_ABSENT: Final = {"", "nan", "-", "n/a", "na"}
HEADER_FIELDS: Final = ("machine", "instrument", "operator", "date", "location", "serial number", "remarks")


@dataclass(frozen=True, slots=True)
class OverlayTable:
    """Rows as the file gave them, m. wafer, field : (n,) int64; field is −1 where the file numbers none. centre, inside, overlay : (n, 2)
    float64, NaN in overlay where a mark was not found. scan_up : (n,) int64, 1, 0, or −1 where the file does not say. header : what it
    says of machine and test."""

    wafer: NDArray[np.int64]
    field: NDArray[np.int64]
    centre: NDArray[np.float64]
    inside: NDArray[np.float64]
    scan_up: NDArray[np.int64]
    overlay: NDArray[np.float64]
    header: dict[str, str]


def begins(text: str) -> bool:
    """Whether a file begins with a table of overlay: a line of column names with dx or dy, and three of the lengths, among them.

    A table that lacks one is still one of overlay; `read` says what is missing."""
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            place, _ = _columns(re.split(r"[;,\t]", line))
            return bool({"dx", "dy"} & place.keys()) and len(place.keys() & set(LENGTHS)) >= 3
    return False


def read(path: Path, *, unit: str | None = None, columns: Mapping[str, str] | None = None) -> OverlayTable:
    """The overlay readings in a CSV file.

    unit : of length columns whose name states none ("nm"). columns : our name -> the file's, where it is not one of `NAMES`.

    Raises
    ------
    DataError       missing column, no unit, a cell that is not a number, an unknown scan direction: line and column named
    """
    table = read_table(path)
    place, stated = _columns(table.columns)
    for ours, theirs in (columns or {}).items():
        if ours not in NAMES:
            raise DataError(f"--column {ours}={theirs}: no such column; ours are {', '.join(NAMES)}")
        found = [index for index, name in enumerate(table.columns) if theirs in (name, _UNIT.sub("", name))]
        if len(found) != 1:
            raise DataError(
                f"--column {ours}={theirs}: {table.name} has {'no' if not found else 'more than one'} such column; it has "
                f"{', '.join(table.columns)[:200]}"
            )
        place[ours] = found[0]
        match = _UNIT.search(table.columns[found[0]])
        stated.pop(ours, None)
        if match:
            stated[ours] = match["bracket"] or match["suffix"]
    missing = [name for name in LENGTHS if name not in place]
    if missing:
        raise DataError(
            f"{table.name}: no column for {', '.join(missing)}. Columns found: {', '.join(table.columns)[:200]}. Rename one, or map "
            f"it: --column {missing[0]}=NAME"
        )
    factor = {name: _factor(table, name, stated.get(name) or unit) for name in LENGTHS}
    rows = range(len(table.rows))

    def lengths(*names: str, absent: bool = False) -> NDArray[np.float64]:
        return np.array([[_length(table, row, place[name], absent) * factor[name] for name in names] for row in rows])

    def whole(name: str, otherwise: int) -> NDArray[np.int64]:
        if name not in place:
            return np.full(len(table.rows), otherwise, dtype=np.int64)
        return np.array([_whole(table, row, place[name]) for row in rows], dtype=np.int64)

    scan = (
        np.array([_scan(table, row, place["scan"]) for row in rows], dtype=np.int64)
        if "scan" in place
        else np.full(len(table.rows), -1, dtype=np.int64)
    )
    return OverlayTable(
        wafer=whole("wafer", 1),
        field=whole("field", -1),
        centre=lengths("field_x", "field_y"),
        inside=lengths("mark_x", "mark_y"),
        scan_up=scan,
        overlay=lengths("dx", "dy", absent=True),
        header={key: table.meta[key] for key in HEADER_FIELDS if table.meta.get(key)},
    )


def _columns(names: tuple[str, ...] | list[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Our name -> index, and our name -> the unit that the column's name states. The first of two wins."""
    place: dict[str, int] = {}
    stated: dict[str, str] = {}
    for index, name in enumerate(names):
        match = _UNIT.search(name.strip())
        bare = " ".join((name.strip()[: match.start()] if match else name.strip()).lower().replace("_", " ").split())
        ours = next((ours for ours, theirs in NAMES.items() if bare in theirs), None)
        if ours is not None and ours not in place:
            place[ours] = index
            if match:
                stated[ours] = match["bracket"] or match["suffix"]
    return place, stated


def _factor(table: Table, name: str, unit: str | None) -> float:
    known = DIMENSIONS["length"]
    if unit is None:
        raise DataError(
            f"{table.name}: column {name} has no unit; write it into the name ({name}_{'nm' if name in ('dx', 'dy') else 'mm'}), or "
            f"give --unit for all"
        )
    if unit not in known:
        raise DataError(f"{table.name}: column {name} is in {unit[:12]!r}; a length is expected: {', '.join(known)}")
    return known[unit]


def _length(table: Table, row: int, column: int, absent: bool) -> float:
    if absent and table.rows[row][1][column].lower() in _ABSENT:
        return float("nan")
    return table.number(row, column)


def _whole(table: Table, row: int, column: int) -> int:
    line, cells = table.rows[row]
    if not re.fullmatch(r"\d{1,9}", cells[column], re.ASCII):
        raise DataError(f"{table.name}, line {line}, column {table.columns[column]!r}: {cells[column][:40]!r} is not a whole number from 0")
    return int(cells[column])


def _scan(table: Table, row: int, column: int) -> int:
    line, cells = table.rows[row]
    text = cells[column].lower()
    if text not in _UP:
        raise DataError(
            f"{table.name}, line {line}, column {table.columns[column]!r}: {text[:40]!r} is no scan direction; write up or down"
        )
    return _UP[text]
