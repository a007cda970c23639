"""Logs of signals in CSV: a line of column names with their units, then a row a sample. Time stamps, in s or another unit of time, stand in one column.

    t_s,input [N],output_um            Names are found by what they begin with; `columns` maps others.
    0.0000,0.12,3.456

Comma, semicolon or tab separate; a decimal comma is understood with the latter two. An empty cell or "nan" is a gap. Everything is returned in SI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.regular_file import open_regular

Array = NDArray[np.float64]
MAX_BYTES: Final = 1 << 30
MAX_ROWS: Final = 20_000_000
MAX_COLUMNS: Final = 200
LONGEST_LINE: Final = 16_384
TIME: Final = ("t", "time", "zeit", "time_stamp", "timestamp", "x")
FACTORS: Final[Mapping[str, tuple[str, float]]] = {
    "m": ("m", 1.0), "mm": ("m", 1e-3), "um": ("m", 1e-6), "µm": ("m", 1e-6), "nm": ("m", 1e-9), "pm": ("m", 1e-12),
    "rad": ("rad", 1.0), "mrad": ("rad", 1e-3), "urad": ("rad", 1e-6), "µrad": ("rad", 1e-6), "deg": ("rad", np.pi / 180), "arcsec": ("rad", np.pi / 648_000),
    "s": ("s", 1.0), "ms": ("s", 1e-3), "us": ("s", 1e-6), "µs": ("s", 1e-6), "ns": ("s", 1e-9), "min": ("s", 60.0), "h": ("s", 3600.0),
    "m/s": ("m/s", 1.0), "mm/s": ("m/s", 1e-3), "um/s": ("m/s", 1e-6), "µm/s": ("m/s", 1e-6), "m/s2": ("m/s2", 1.0), "m/s²": ("m/s2", 1.0), "m/s^2": ("m/s2", 1.0), "g": ("m/s2", 9.80665),
    "N": ("N", 1.0), "mN": ("N", 1e-3), "V": ("V", 1.0), "mV": ("V", 1e-3), "A": ("A", 1.0), "mA": ("A", 1e-3), "K": ("K", 1.0), "mK": ("K", 1e-3), "Hz": ("Hz", 1.0),
    "Pa": ("Pa", 1.0), "rad/s": ("rad/s", 1.0), "1": ("", 1.0), "": ("", 1.0),
}  # fmt: skip
"""Unit as it is written -> SI unit and factor."""
_NAME: Final = re.compile(r"\s*(?P<name>.*?)\s*(?:[\[(]\s*(?P<bracket>[^\])]{0,12})\s*[\])])?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """time_s : (n,).  signals, units : name -> (n,) in SI, and its SI unit.  columns : as they are written.  lines : above the table, "# key: value"."""

    time_s: Array
    signals: Mapping[str, Array]
    units: Mapping[str, str]
    columns: tuple[str, ...]
    header: Mapping[str, str]


def read(path: Path, names: Sequence[str], *, needed: Sequence[str], columns: Mapping[str, str] | None = None, timed: bool = True) -> Log:
    """Read the signals `names` of a log.

    Parameters
    ----------
    needed : those without which the file is refused.  columns : ours -> theirs, with or without the unit; "time" is ours for the time stamps.
    timed : whether there is a column of time; without one `time_s` counts the rows.

    Raises
    ------
    DataError       no such column, a unit that is none, a cell that is no number (with its line), too large a file
    """
    header, titles, separator, skipped = _head(path)
    own = ("time",) if timed else ()
    chosen = {name: place for name in (*own, *names) if (place := _place(path, titles, name, dict(columns or {}))) is not None}
    for name in (*own, *needed):
        if name not in chosen:
            raise DataError(f"{path.name}: no column {name!r}; it has {', '.join(titles)[:300]}; map it with --column {name}=THEIRS")
    read_units = {name: _unit(path, titles[place], name) for name, place in chosen.items()}
    if timed and read_units["time"][0] not in ("s", ""):
        raise DataError(f"{path.name}: the time column {titles[chosen['time']]!r} is in {read_units['time'][0]}; a time is expected")
    table = _numbers(path, [chosen[name] for name in chosen], separator, skipped, len(titles))
    values = {name: table[:, k] * read_units[name][1] for k, name in enumerate(chosen)}
    time_s = values.pop("time") if timed else np.arange(table.shape[0], dtype=np.float64)
    return Log(time_s=time_s, signals=values, units={name: read_units[name][0] for name in values}, columns=tuple(titles), header=header)


def numbered(path: Path, name: str, columns: Mapping[str, str] | None = None) -> int:
    """How many columns a log has for `name`_1, `name`_2 … without a hole, mapped ones included. DataError as `read`."""
    titles, mapped = _head(path)[1], dict(columns or {})
    count = 0
    while count < MAX_COLUMNS and _place(path, titles, f"{name}_{count + 1}", mapped) is not None:
        count += 1
    return count


def begins(text: str) -> bool:
    """Whether a file begins like a log: a column of time first, and no columns of a positioning test."""
    line = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    first = re.split(r"[,;\t]", line)[0].strip().lower()
    return bool(re.fullmatch(r"(t|time|zeit)([ _]*[\[(]?(s|ms|us|µs|ns)[\])]?)?", first)) and not re.search(r"target|nominal|soll", line.lower())


def _head(path: Path) -> tuple[dict[str, str], list[str], str, int]:
    """Lines above the table, column names, separator, and how many lines come before the first row."""
    header: dict[str, str] = {}
    with open_regular(path) as raw:
        for number in range(1, 200):
            line = raw.readline(LONGEST_LINE + 1)
            if not line:
                break
            if len(line) > LONGEST_LINE:
                raise DataError(f"{path.name}, line {number}: longer than {LONGEST_LINE} bytes; a line of column names is expected")
            if line.startswith(b"\x1f\x8b") or b"\0" in line:
                what = "is packed (gzip); unpack it" if line.startswith(b"\x1f\x8b") else "holds NUL bytes and is no text; export it as CSV"
                raise DataError(f"{path.name}: {what}, then analyze that file")
            text = line.decode("utf-8-sig", "replace").strip()
            if not text:
                continue
            if text.startswith("#"):
                key, colon, value = text[1:].partition(":")
                if colon:
                    header[key.strip().lower()[:40]] = value.strip()[:400]
                continue
            separator = max((";", "\t", ","), key=text.count)
            titles = [cell.strip().strip('"') for cell in text.split(separator)]
            if len(titles) < 2 or len(titles) > MAX_COLUMNS:
                raise DataError(
                    f"{path.name}, line {number}: {len(titles)} columns; 2 … {MAX_COLUMNS} are expected, separated by commas, semicolons or tabs"
                )
            if all(re.fullmatch(r"[+-]?[\d.,eE+-]+", title) for title in titles):
                raise DataError(
                    f'{path.name}, line {number}: numbers where column names are expected; write a line such as "t_s,input_N,output_m" above them'
                )
            return header, titles, separator, number
    raise DataError(f"{path.name}: no line of column names in the first 200 lines")


def _place(path: Path, titles: list[str], name: str, mapped: dict[str, str]) -> int | None:
    """Number of the column for one of our names."""
    wanted = mapped.get(name)
    alternatives = (wanted,) if wanted is not None else TIME if name == "time" else (name,)
    found = []
    for k, title in enumerate(titles):
        bare = _split(title)[0].lower()
        if any(title.lower() == other.lower() or bare == other.lower() for other in alternatives):
            found.append(k)
    if wanted is not None and not found:
        raise DataError(f"{path.name}: no column {wanted[:80]!r}; it has {', '.join(titles)[:300]}")
    if len(found) > 1:
        raise DataError(f"{path.name}: columns {', '.join(titles[k] for k in found)} could all be {name!r}; choose with --column {name}=THEIRS")
    return found[0] if found else None


def _split(title: str) -> tuple[str, str]:
    """Name and unit of a column: "output [µm]", "output (µm)", "output_um"."""
    match = _NAME.fullmatch(title)
    if match is not None and match["bracket"] is not None:
        return match["name"], match["bracket"].strip()
    name, underscore, unit = title.rpartition("_")
    if underscore and unit in FACTORS and unit:
        return name, unit
    return title.strip(), ""


def _unit(path: Path, title: str, name: str) -> tuple[str, float]:
    unit = _split(title)[1].replace("\N{GREEK SMALL LETTER MU}", "µ")
    if unit not in FACTORS:
        raise DataError(f"{path.name}: column {title!r} ({name}) is in {unit!r}; known are {', '.join(sorted(key for key in FACTORS if key))}")
    return FACTORS[unit]


def _numbers(path: Path, places: list[int], separator: str, skipped: int, width: int) -> Array:
    """The cells of some columns, (rows, k); NaN for empty ones."""
    rows: list[Array] = []
    total = read_bytes = 0
    with open_regular(path) as raw:
        for _ in range(skipped):
            raw.readline(LONGEST_LINE + 1)
        line_number = skipped
        while chunk := raw.readlines(1 << 22):
            read_bytes += sum(map(len, chunk))
            if read_bytes > MAX_BYTES or total > MAX_ROWS:
                raise DataError(f"{path.name}: more than {MAX_BYTES >> 20} MB or {MAX_ROWS} rows; cut it into parts")
            part = np.full((len(chunk), len(places)), np.nan)
            kept = 0
            for offset, line in enumerate(chunk, start=1):
                text = line.decode("utf-8", "replace").strip()
                if not text or text.startswith("#"):
                    continue
                cells = text.split(separator)
                if len(cells) != width:
                    raise DataError(
                        f"{path.name}, line {line_number + offset}: {len(cells)} cells, but there are {width} columns; correct or remove the line"
                    )
                for k, place in enumerate(places):
                    part[kept, k] = _number(path, line_number + offset, cells[place], separator)
                kept += 1
            line_number += len(chunk)
            total += kept
            rows.append(part[:kept])
    if not total:
        raise DataError(f"{path.name}: no rows below the column names")
    return np.concatenate(rows)


def _number(path: Path, line: int, cell: str, separator: str) -> float:
    text = cell.strip().strip('"')
    if not text or text.lower() == "nan":
        return float("nan")
    if separator != "," and "," in text:
        text = text.replace(",", ".", 1)
    try:
        if "_" in text:
            raise ValueError(text)
        value = float(text)
    except ValueError:
        raise DataError(f"{path.name}, line {line}: {cell.strip()[:40]!r} is not a number; correct or remove the row") from None
    if not np.isfinite(value):
        raise DataError(f"{path.name}, line {line}: {cell.strip()[:40]!r} is not a finite number; leave the cell empty where there is no reading")
    return value


def about(path: Path) -> str:
    """What is in the file, in words."""
    _, titles, _, _ = _head(path)
    return f"a log with the columns {', '.join(titles)[:200]}"
