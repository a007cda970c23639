"""Positioning tests from CSV: one row an approach, columns found by their names.

    # axis: X                     optional lines above the table: axis, kind (linear, rotary), unit, machine, instrument, operator, date ...
    # unit: mm
    run,direction,target_mm,actual_mm
    1,+,0.000,0.0012
    1,-,0.000,-0.0008

Columns (upper or lower case; a unit may follow in the name: `target_mm`, `target [mm]`, `target (mm)`):
    target      target, nominal, position, soll, sollposition, zielposition
    actual      actual, measured, reading, ist, istposition, messwert     — or —     deviation, error, abweichung  (actual − target)
    direction   direction, dir, richtung: + - up down ↑ ↓ fwd rev forward reverse 1 -1 auf ab vor zurück hin rück
    run         run, cycle, lauf: a whole number
Other columns are ignored. Where both actual and deviation are there, actual is used and the two must agree. Every length column needs a unit: in its name, in a "# unit:" line, or given by the caller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from precision import units
from precision.errors import DataError
from precision.recording import DOWN, UP
from precision.units import DIMENSIONS

from .table import Table, read_table

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "target": ("target", "nominal", "position", "soll", "target position", "sollposition", "soll position", "sollwert", "zielposition"),
    "actual": ("actual", "measured", "reading", "ist", "actual position", "istposition", "ist position", "istwert", "messwert"),
    "deviation": ("deviation", "error", "abweichung"),
    "direction": ("direction", "dir", "richtung"),
    "run": ("run", "cycle", "lauf", "run number"),
}
_DIRECTIONS: Final = {
    **dict.fromkeys(("+", "+1", "1", "up", "u", "↑", "fwd", "forward", "pos", "positive", "auf", "vor", "hin"), UP),
    **dict.fromkeys(("-", "−", "-1", "down", "d", "↓", "rev", "bwd", "reverse", "backward", "neg", "negative"), DOWN),
    **dict.fromkeys(("ab", "zurück", "zurueck", "rück", "rueck"), DOWN),
}
_UNIT: Final = re.compile(r"(?:[\[(](?P<bracket>[^\])]{1,12})[\])]|_(?P<suffix>m|mm|um|µm|nm|in|rad|deg|arcsec|mrad|urad|µrad))\Z")
HEADER_FIELDS: Final = ("machine", "instrument", "operator", "date", "location", "serial number", "remarks")
_GERMAN: Final = {
    "maschine": "machine", "achse": "axis", "bediener": "operator", "prüfer": "operator", "pruefer": "operator", "bediener/prüfer": "operator",
    "datum": "date", "ort": "location", "einheit": "unit", "seriennummer": "serial number", "messgerät": "instrument", "messgeraet": "instrument",
    "bemerkung": "remarks", "bemerkungen": "remarks",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """Rows of a positioning test as a file gave them, in m or rad, with what its header says of the test.

    ignored : keys of the header that mean nothing here, in lower case.
    """

    axis: str
    kind: Literal["linear", "rotary"]
    run: NDArray[np.int64]
    direction: NDArray[np.int64]
    target: NDArray[np.float64]
    actual: NDArray[np.float64]
    header: dict[str, str]
    ignored: tuple[str, ...] = ()


def read(path: Path, *, unit: str | None = None, columns: Mapping[str, str] | None = None) -> Imported:
    """The positioning test in a CSV file.

    unit : for columns that state none ("mm", "deg"). columns : our name -> the file's column name, where it is not one of `NAMES`.

    Raises
    ------
    DataError       missing column, no or contradicting units, a cell that is not a number, an unknown direction, an actual position that does not
                    fit its deviation, one approach with two readings: line and column named
    """
    table, ignored = _known_header(read_table(path))
    place, stated = _columns(table, columns or {})
    missing = [name for name in ("target", "direction", "run") if name not in place]
    if "actual" not in place and "deviation" not in place:
        missing.append("actual (or deviation)")
    if missing:
        advice = " ".join(f"--column {name.split()[0]}=NAME" for name in missing)
        raise DataError(
            f"{table.name}: no column for {', '.join(missing)}. Columns found: {', '.join(table.columns)[:200]}. "
            f"Rename one, or map it: {advice}"
        )
    reading = "actual" if "actual" in place else "deviation"
    factor, kind = _factors(table, stated, ("target", reading), unit)
    numbers = range(len(table.rows))
    target = np.array([table.number(row, place["target"]) for row in numbers]) * factor["target"]
    actual = np.array([table.number(row, place[reading]) for row in numbers]) * factor[reading]
    if reading == "actual" and "deviation" in place:
        _check_deviations(table, place, stated, unit, target, actual)
    run = np.array([_run(table, row, place["run"]) for row in numbers], dtype=np.int64)
    direction = np.array([_direction(table, row, place["direction"]) for row in numbers], dtype=np.int64)
    _check_units(table, place, stated, unit)
    units_written = [stated.get(name) or unit or table.meta.get("unit", "") for name in ("target", reading)]
    approaches = zip(target.tolist(), run.tolist(), direction.tolist(), strict=True)
    _check_repeats(table, (place["target"], place[reading]), units_written, approaches, actual.tolist())
    return Imported(
        axis=_axis(table),
        kind=kind,
        run=run,
        direction=direction,
        target=target,
        actual=actual if reading == "actual" else target + actual,
        header={key: table.meta[key] for key in HEADER_FIELDS if table.meta.get(key)},
        ignored=ignored,
    )


def _known_header(table: Table) -> tuple[Table, tuple[str, ...]]:
    """The table with the header's keys in our words, and the keys that are none of ours."""
    known: dict[str, str] = {}
    ignored = []
    for key, value in table.meta.items():
        ours = _GERMAN.get(key, key)
        if ours not in (*HEADER_FIELDS, "axis", "kind", "unit"):
            ignored.append(key)
        elif known.setdefault(ours, value) != value:
            raise DataError(f"{table.name}: the header gives {ours} twice, as {known[ours][:40]!r} and as {value[:40]!r}; remove one line")
    return replace(table, meta=known), tuple(ignored)


def _check_units(table: Table, place: Mapping[str, int], stated: Mapping[str, str], unit: str | None) -> None:
    """Refuse a "# unit:" line that is for no column of lengths: each names its own unit, and all of them another one."""
    general = table.meta.get("unit")
    columns = [ours for ours in ("target", "actual", "deviation") if ours in place]
    if general is None or unit is not None or any(ours not in stated for ours in columns):
        return
    if not any(_si(stated[ours]) == _si(general) is not None for ours in columns):
        named = ", ".join(f"{table.columns[place[ours]]!r} says {stated[ours]}" for ours in columns)
        raise DataError(f"{table.name}: the line '# unit: {general[:20]}' contradicts the columns: {named}; correct or remove one of them")


def _si(unit: str) -> tuple[str, float] | None:
    """Dimension and factor to SI, or None for an unknown unit."""
    return next(((dimension, DIMENSIONS[dimension][unit]) for dimension in ("length", "angle") if unit in DIMENSIONS[dimension]), None)


def _check_deviations(
    table: Table, place: Mapping[str, int], stated: Mapping[str, str], unit: str | None, target: NDArray[np.float64], actual: NDArray[np.float64]
) -> None:
    """Refuse a file whose columns of actual positions and of deviations contradict each other."""
    names = {ours: table.columns[place[ours]] for ours in ("actual", "deviation")}
    choose = f"say which column to use: --column actual={names['actual']!r} or --column deviation={names['deviation']!r}"
    try:
        factor, kind = _factors(table, stated, ("target", "deviation"), unit)
        given = np.array([table.number(row, place["deviation"]) for row in range(len(table.rows))]) * factor["deviation"]
    except DataError as error:
        raise DataError(f"{error}. Beside {names['actual']!r} the column {names['deviation']!r} is read to be compared; or {choose}") from None
    step = {ours: table.last_digit(place[ours]) * factor["deviation" if ours == "deviation" else "target"] for ours in ("target", "actual", "deviation")}
    # Each number is rounded by at most half its last digit. A target written with fewer digits than the reading is meant exactly: 100 mm is no 99.6 mm.
    allowed = 0.5 * (step["actual"] + step["deviation"] + min(step["target"], step["actual"])) + 4 * np.finfo(np.float64).eps * (np.abs(actual) + np.abs(target))
    whole_turn = math.inf if kind == "linear" else 2 * math.pi
    for row, (ours, theirs) in enumerate(zip((actual - target).tolist(), given.tolist(), strict=True)):
        if abs(_remainder(ours - theirs, whole_turn)) > allowed[row]:
            si_unit = "m" if kind == "linear" else "rad"
            turned = "; it seems to hold target − actual" if abs(_remainder(ours + theirs, whole_turn)) <= allowed[row] else ""
            raise DataError(
                f"{table.name}, line {table.rows[row][0]}: {names['actual']!r} gives a deviation of {units.text(_remainder(ours, whole_turn), si_unit)}, "
                f"{names['deviation']!r} says {units.text(theirs, si_unit)}{turned}; correct one, or {choose}"
            )


def _remainder(value: float, period: float) -> float:
    return value if math.isinf(period) else math.remainder(value, period)


def _check_repeats(
    table: Table, place: tuple[int, int], written: Sequence[str], approaches: Iterable[tuple[float, int, int]], readings: Sequence[float]
) -> None:
    """Refuse a file that gives two readings for one approach (target, run, direction); the same reading twice does no harm."""
    first: dict[tuple[float, int, int], int] = {}
    for row, approach in enumerate(approaches):
        before = first.setdefault(approach, row)
        if readings[before] != readings[row]:
            (earlier, old), (line, new) = table.rows[before], table.rows[row]
            raise DataError(
                f"{table.name}, line {line}: target {new[place[0]]} {written[0]} in run {approach[1]}, direction {'↑↓'[approach[2]]}, was already given in line "
                f"{earlier} with another reading ({old[place[1]]} {written[1]}, now {new[place[1]]} {written[1]}); number the runs or remove one"
            )


def _columns(table: Table, mapping: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
    """Our name -> column index, and our name -> the unit that the column's name states."""
    place: dict[str, int] = {}
    stated: dict[str, str] = {}
    for ours, theirs in mapping.items():
        if ours not in NAMES:
            raise DataError(f"--column {ours}={theirs}: no such column; ours are {', '.join(NAMES)}")
    mapped = {ours: _mapped(table, theirs) for ours, theirs in mapping.items()}
    # Who names one of the two has chosen: the other is then no concern of ours.
    chosen = mapped.keys() & {"actual", "deviation"}
    passed_over = {"actual", "deviation"} - chosen if chosen else set()
    for index, written in enumerate(table.columns):
        bare, unit = _name_and_unit(written)
        for ours, names in NAMES.items():
            found = ours not in mapped and ours not in passed_over and index not in mapped.values() and bare in names
            if mapped.get(ours) == index or found:
                if ours in place:
                    raise DataError(f"{table.name}: columns {table.columns[place[ours]]!r} and {written!r} both read as {ours}; map one: --column {ours}=NAME")
                place[ours] = index
                if unit:
                    stated[ours] = unit
    return place, stated


def _mapped(table: Table, theirs: str) -> int:
    """Index of the column that is called `theirs`: as written, or without its unit and whatever its case."""
    if theirs in table.columns:
        if table.columns.count(theirs) > 1:
            raise DataError(f"{table.name}: {table.columns.count(theirs)} columns are called {theirs!r}; rename all but one")
        return table.columns.index(theirs)
    fitting = [index for index, written in enumerate(table.columns) if _name_and_unit(written)[0] == _plain(theirs)]
    if len(fitting) > 1:
        raise DataError(f"{table.name}: {theirs!r} fits the columns {', '.join(table.columns[index] for index in fitting)[:200]}; write the whole name")
    if not fitting:
        raise DataError(f"{table.name}: has no column {theirs!r}; columns found: {', '.join(table.columns)[:200]}")
    return fitting[0]


def _name_and_unit(written: str) -> tuple[str, str]:
    """A column's name as it is compared, and the unit that it states ("" where it states none)."""
    match = _UNIT.search(written)
    if match is None:
        return _plain(written), ""
    return _plain(written[: match.start()]), (match["bracket"] or match["suffix"] or "").strip().replace("\N{GREEK SMALL LETTER MU}", "µ")


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _factors(
    table: Table, stated: Mapping[str, str], needed: tuple[str, str], unit: str | None
) -> tuple[dict[str, float], Literal["linear", "rotary"]]:
    """Factor to SI of each column, and whether the axis is linear or rotary by its units."""
    general = unit or table.meta.get("unit")
    factor, dimensions = {}, {}
    for name in needed:
        written = stated.get(name) or general
        if not written:
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
