"""SIOS nano-measuring machine (NMM): description `.dsc` and environment `.pos`, as far as a public reader documents them.

A `.dsc` names its procedure in one of its lines and, for a scan, holds numbered chapters closed by a line of dashes ("Distance beetween points" is the
file's own spelling). A `.pos` has one line a sample: x, y, z air temperature (°C), pressure (Pa), humidity (%), and where there is a sensor, the sample's
temperature (°C); in a scan three numbers come before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from precision.units import CELSIUS_ZERO_K, UM

from .outside import lines_of, number, refuse, whole

Procedure = Literal["scan", "points", "object"]
PROCEDURES: Final[dict[str, Procedure]] = {
    "Scan procedure description file": "scan",
    "NMM Control 3D Point cloud description file": "points",
    "3D Object measurement description file": "object",
}
_LENGTHS: Final = {
    "distance beetween points": "point_distance_m", "distance beetween point": "point_distance_m", "distance beetween lines": "line_distance_m",
    "scan line length": "length_m", "scan field width": "width_m", "scan speed": "speed_m_per_s",
}  # fmt: skip
_COUNTS: Final = {"number of lines": "lines", "number of scans": "scans", "number of data points in file": "points", "current data mask": "data_mask"}
_FIELD: Final = re.compile(r"(.{3,60}?)\s*:\s*(.{0,200}?)\s*")
_UNIT: Final = re.compile(r"(\S+)\s*(?:\[.{1,2}m(?:/s)?\]|rad|mm)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a `.dsc` says. procedure; lengths : name -> m or m/s; angle_rad : of the scan; counts : name -> number; comments."""

    procedure: Procedure
    lengths: dict[str, float]
    angle_rad: float | None
    counts: dict[str, int]
    comments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnvironmentSeries:
    """What a `.pos` holds. air_temperature_k (3, n): x, y, z; air_pressure_pa, relative_humidity (0 … 1), (n,); sample_temperature_k (n,) or None."""

    air_temperature_k: NDArray[np.float64]
    air_pressure_pa: NDArray[np.float64]
    relative_humidity: NDArray[np.float64]
    sample_temperature_k: NDArray[np.float64] | None


def read_description(path: Path) -> Description:
    """The description in a `.dsc`.

    Raises
    ------
    DataError       no procedure named, a number that is none (with its line), or a scan without its field
    """
    lines = lines_of(path)
    procedure = next((kind for line in lines for words, kind in PROCEDURES.items() if words in line), None)
    if procedure is None:
        refuse(path, None, f"names no procedure; one of {', '.join(PROCEDURES)} is expected")
    lengths: dict[str, float] = {}
    counts: dict[str, int] = {}
    comments: list[str] = []
    angle: float | None = None
    commenting = False
    for line, text in enumerate(lines, 1):
        text = text.strip()
        if commenting:
            if "-----------------------------------------" in text:
                commenting = False
            elif text:
                comments.append(text[:400])
            continue
        commenting = "5. Additional comments" in text
        match = _FIELD.fullmatch(text)
        if not match:
            continue
        name = re.sub(r"^[\d. ]+", "", match[1]).strip().lower()
        value = _UNIT.fullmatch(match[2])
        if name in _LENGTHS:
            lengths[_LENGTHS[name]] = number(path, line, value[1] if value else match[2], name) * UM
        elif name in _COUNTS:
            counts[_COUNTS[name]] = whole(path, line, match[2], name, highest=2**40)
        elif name == "scan angle":
            angle = number(path, line, value[1] if value else match[2], name)
    absent = [name for name in ("point_distance_m", "length_m") if procedure == "scan" and name not in lengths]
    if absent:
        refuse(path, len(lines), f"a scan without {' and '.join(absent)}; the file may be cut off")
    return Description(procedure=procedure, lengths=lengths, angle_rad=angle, counts=counts, comments=tuple(comments))


def read_environment(path: Path) -> EnvironmentSeries:
    """The environment in a `.pos`.

    Raises
    ------
    DataError       naming the line: another number of columns than the lines before, or a number that is none or not plausible
    """
    rows: list[list[float]] = []
    for line, text in enumerate(lines_of(path, ended=True), 1):
        parts = text.split()
        if not parts:
            continue
        if len(parts) not in (5, 6, 8, 9) or (rows and len(parts) != len(rows[0])):
            refuse(path, line, f"{len(parts)} numbers; {len(rows[0]) if rows else '5, 6, 8 or 9'} are expected: the file may be cut off")
        row = [number(path, line, part, "a value") for part in parts]
        pressure, humidity = row[-2:] if len(parts) in (5, 8) else row[-3:-1]
        if not (50e3 < pressure < 120e3 and 0 <= humidity <= 100):
            refuse(path, line, f"pressure {pressure:g} Pa and humidity {humidity:g} %; 50 000 to 120 000 and 0 to 100 are expected")
        rows.append(row)
    if not rows:
        refuse(path, None, "holds no sample")
    table = np.array(rows).T
    sensor = table.shape[0] in (6, 9)
    first = 3 if table.shape[0] >= 8 else 0
    return EnvironmentSeries(
        air_temperature_k=table[first : first + 3] + CELSIUS_ZERO_K, air_pressure_pa=table[first + 3], relative_humidity=table[first + 4] / 100,
        sample_temperature_k=table[first + 5] + CELSIUS_ZERO_K if sensor else None,
    )  # fmt: skip
