"""Renishaw linear recordings `.rtl`, experimental: sections of text, as two independent programs write and read them (no genuine file was seen).

    HEADER::            File type : rtl ...
    TARGET DATA::       Target-count: n     Targets : n positions in mm     Flags: 0 0 2 0 (both directions) or 0 1 2 0 (one)
    USER-TEXT::         Machine, Serial No, Date, By, Axis, Location, TITLE
    RUNS::              Run-count: k, each direction a run
    DEVIATIONS::        Run Target Data: then k·n rows "run  target  deviation", deviation in µm; odd runs ascend, even ones descend
    EOF::

Blanks around the colon are optional. A run that is not there, or a row, is refused: the figures would be those of another test.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.recording import DOWN, UP
from precision.units import MM, UM

from .outside import lines_of, number, refuse, whole
from .positioning_csv import Imported

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_BYTES: Final = 16 * 1024 * 1024
_SECTION: Final = re.compile(r"\s*([A-Za-z][A-Za-z -]{0,40}?)\s*::\s*")
_FIELD: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9 ._-]{0,40}?)\s*:\s*(.*?)\s*")
_HEADER: Final = {"machine": "machine", "serial no": "serial number", "date": "date", "by": "operator", "location": "location", "title": "remarks"}


def read(path: Path) -> Imported:
    """The positioning test in a file.

    Raises
    ------
    DataError       naming the line: not this format, angles or straightness, or a count that does not fit what is there
    """
    sections = _sections(path)
    form = _fields(path, sections, "HEADER").get("file type", (0, "rtl"))
    if form[1].lower() not in ("rtl", "iso", "linear"):
        refuse(path, form[0], f"file type {form[1][:20]!r}; linear recordings (rtl) are read, angles and straightness have units that are not known")
    about = {key: value for key, (_, value) in _fields(path, sections, "USER-TEXT").items() if value}
    axis = about.get("axis", "X")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,7}", axis):
        raise DataError(f"{path.name}: axis {axis[:20]!r}; a name such as X or Y2 is expected")
    target = _targets(path, sections)
    runs_line, runs_text = _needed(path, sections, "RUNS", "run-count")
    runs = whole(path, runs_line, runs_text, "Run-count", lowest=1, highest=1000)
    both = _both_directions(path, sections, runs)
    run, index, deviation, direction = _deviations(path, sections, runs, target.size, both)
    return Imported(
        axis=axis, kind="linear", run=run, direction=direction, target=target[index], actual=target[index] + deviation,
        header={ours: about[theirs] for theirs, ours in _HEADER.items() if theirs in about},
    )  # fmt: skip


def _sections(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Section -> its (line, text)."""
    found: dict[str, list[tuple[int, str]]] = {}
    now: list[tuple[int, str]] | None = None
    for line, text in enumerate(lines_of(path, most=MOST_BYTES), 1):
        if match := _SECTION.fullmatch(text):
            name = match[1].upper()
            if name in found:
                refuse(path, line, f"section {name} a second time")
            now = found[name] = []
        elif now is None:
            if text.strip():
                refuse(path, line, f"{text[:40]!r}; HEADER:: is expected first")
        elif text.strip():
            now.append((line, text))
    for name in ("TARGET DATA", "RUNS", "DEVIATIONS", "EOF"):
        if name not in found:
            refuse(path, None, f"has no section {name}::; the file may be cut off")
    return found


def _fields(path: Path, sections: dict[str, list[tuple[int, str]]], name: str) -> dict[str, tuple[int, str]]:
    fields = {}
    for line, text in sections.get(name, []):
        if match := _FIELD.fullmatch(text):
            fields[match[1].lower()] = (line, match[2][:400])
    return fields


def _needed(path: Path, sections: dict[str, list[tuple[int, str]]], section: str, field: str) -> tuple[int, str]:
    fields = _fields(path, sections, section)
    if field not in fields:
        refuse(path, None, f"section {section}:: has no {field.capitalize()}:")
    return fields[field]


def _targets(path: Path, sections: dict[str, list[tuple[int, str]]]) -> Array:
    line, text = _needed(path, sections, "TARGET DATA", "target-count")
    count = whole(path, line, text, "Target-count", lowest=2, highest=10_000)
    values: list[float] = []
    inside = False
    last = line
    for line, text in sections["TARGET DATA"]:
        match = _FIELD.fullmatch(text)
        if match and match[1].lower() == "targets":
            inside, text = True, match[2]
        elif match:
            inside = False
        if inside:
            values += [number(path, line, part, "a target") * MM for part in text.split()]
            last = line
    if len(values) != count:
        refuse(path, last, f"{len(values)} targets; Target-count says {count}")
    target = np.array(values)
    if not np.all(np.diff(target) > 0):
        refuse(path, last, "targets do not ascend; the directions of the runs would be unknown")
    return target


def _both_directions(path: Path, sections: dict[str, list[tuple[int, str]]], runs: int) -> bool:
    line, text = _needed(path, sections, "TARGET DATA", "flags")
    flags = text.split()
    if len(flags) < 2 or flags[1] not in ("0", "1"):
        refuse(path, line, f"Flags: {text[:40]!r}; the second is expected to be 0 (both directions) or 1 (one)")
    if flags[1] == "0" and runs % 2:
        refuse(path, line, f"both directions, but {runs} runs; each direction counts as a run, so one is missing")
    return flags[1] == "0"


def _deviations(path: Path, sections: dict[str, list[tuple[int, str]]], runs: int, targets: int, both: bool) -> tuple[Whole, Whole, Array, Whole]:
    """Columns run, target index, deviation (m), direction."""
    rows = [(line, text) for line, text in sections["DEVIATIONS"] if not re.fullmatch(r"\s*Run\s+Target\s+Data\s*:\s*", text, re.IGNORECASE)]
    found: list[tuple[int, int, float, int]] = []
    for place, (line, text) in enumerate(rows):
        parts = text.split()
        if len(parts) != 3:
            refuse(path, line, f"{text.strip()[:60]!r}; run, target and deviation are expected")
        run = whole(path, line, parts[0], "the run", lowest=1)
        index = whole(path, line, parts[1], "the target", lowest=1)
        down = both and place // targets % 2 == 1
        expected = (place // targets + 1, targets - place % targets if down else place % targets + 1)
        if (run, index) != expected or run > runs:
            refuse(path, line, f"run {run}, target {index}; run {expected[0]}, target {expected[1]} of {runs} runs over {targets} targets is expected here: is something missing?")
        deviation = number(path, line, parts[2], "the deviation") * UM
        found.append(((run + 1) // 2 if both else run, index - 1, deviation, DOWN if down else UP))
    if len(rows) != runs * targets:
        refuse(path, rows[-1][0] if rows else None, f"{len(rows)} deviations; {runs} runs over {targets} targets are {runs * targets}: the file may be cut off")
    run_numbers, indices, deviations, directions = zip(*found, strict=True)
    return np.array(run_numbers, dtype=np.int64), np.array(indices, dtype=np.int64), np.array(deviations), np.array(directions, dtype=np.int64)
