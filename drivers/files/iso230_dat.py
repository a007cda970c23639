"""`*_ISO230.dat` of the ecmc tools (European Spallation Source, Paul Scherrer Institute): targets and readings as assignments.

    UNIT=mm   CYCLES=5   POSITIONS=9
    TGT_DATA[i]=…            REF_DATA_FWD[i,j]=…            REF_DATA_BWD[i,j]=…        i target, j cycle, both from 1

FWD is the positive approach here, as the names say and the readings of real axes show. The *reports* that are made from these files print the two under
swapped labels; figures compared with such a report have ↑ and ↓ exchanged. Every reading that CYCLES and POSITIONS announce must be there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from precision.recording import DOWN, UP, Kind
from precision.units import DIMENSIONS

from .outside import lines_of, number, refuse, whole
from .positioning_csv import Imported

MOST_BYTES: Final = 16 * 1024 * 1024
_TARGET: Final = re.compile(r"TGT_DATA\[(\d{1,5})\]", re.ASCII)
_READING: Final = re.compile(r"REF_DATA_(FWD|BWD)\[(\d{1,5}),(\d{1,5})\]", re.ASCII)


def read(path: Path, *, axis: str = "X") -> Imported:
    """The positioning test in a file; the file does not name its axis.

    Raises
    ------
    DataError       naming the line: an assignment twice or not understood, a unit that is none, a reading that is missing
    """
    targets: dict[int, float] = {}
    readings: dict[tuple[str, int, int], tuple[int, float]] = {}
    settings: dict[str, tuple[int, str]] = {}
    last = 0
    for line, text in enumerate(lines_of(path, most=MOST_BYTES, ended=True), 1):
        text = text.partition("#")[0].strip()
        key, equals, value = (part.strip() for part in text.partition("="))
        if not text or key == "TEST_DATA":
            continue
        last = line
        if not equals:
            refuse(path, line, f"{text[:60]!r}; NAME=value is expected")
        if match := _TARGET.fullmatch(key):
            if int(match[1]) in targets:
                refuse(path, line, f"{key} a second time")
            targets[int(match[1])] = number(path, line, value, key)
        elif match := _READING.fullmatch(key):
            place = (match[1], int(match[2]), int(match[3]))
            if place in readings:
                refuse(path, line, f"{key} a second time")
            readings[place] = (line, number(path, line, value, key))
        elif re.fullmatch(r"[A-Z][A-Z0-9_]{0,40}", key):
            settings[key] = (line, value)
        else:
            refuse(path, line, f"{key[:60]!r} is not understood; TGT_DATA[i], REF_DATA_FWD[i,j] or REF_DATA_BWD[i,j] is expected")
    factor, kind = _unit(path, settings)
    positions = whole(path, *_stated(settings, "POSITIONS", str(max(targets, default=0)), last), "POSITIONS", lowest=1, highest=10_000)
    cycles = whole(path, *_stated(settings, "CYCLES", str(max((j for _, _, j in readings), default=0)), last), "CYCLES", lowest=1, highest=1000)
    missing = [f"TGT_DATA[{i}]" for i in range(1, positions + 1) if i not in targets]
    wanted = [(way, i, j) for way in ("FWD", "BWD") for i in range(1, positions + 1) for j in range(1, cycles + 1)]
    missing += [f"REF_DATA_{way}[{i},{j}]" for way, i, j in wanted if (way, i, j) not in readings]
    if missing:
        refuse(path, last, f"{missing[0]}{f' and {len(missing) - 1} more are' if len(missing) > 1 else ' is'} missing up to here; POSITIONS={positions}, CYCLES={cycles} announce them")
    extra = [place for place in readings if place not in set(wanted)]
    if extra or len(targets) > positions:
        refuse(path, readings[extra[0]][0] if extra else last, f"more than POSITIONS={positions} and CYCLES={cycles} announce")
    return Imported(
        axis=axis, kind=kind, run=np.array([j for _, _, j in wanted], dtype=np.int64),
        direction=np.array([UP if way == "FWD" else DOWN for way, _, _ in wanted], dtype=np.int64),
        target=np.array([targets[i] for _, i, _ in wanted]) * factor, actual=np.array([readings[place][1] for place in wanted]) * factor,
        header={"instrument": settings["REF_PV"][1]} if "REF_PV" in settings else {},
    )  # fmt: skip


def _stated(settings: dict[str, tuple[int, str]], name: str, otherwise: str, last: int) -> tuple[int, str]:
    return settings.get(name, (last, otherwise))


def _unit(path: Path, settings: dict[str, tuple[int, str]]) -> tuple[float, Kind]:
    line, unit = settings.get("UNIT", (0, "mm"))
    if unit in DIMENSIONS["length"]:
        return DIMENSIONS["length"][unit], "linear"
    if unit in DIMENSIONS["angle"]:
        return DIMENSIONS["angle"][unit], "rotary"
    refuse(path, line, f"UNIT={unit[:20]!r} is neither a length nor an angle")
