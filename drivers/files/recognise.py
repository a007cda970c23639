"""Which recording a file is, by what it begins with: the table of readers, in plain sight. `precision analyze FILE` asks here.

Positioning tests become runs. The others are named with what they hold and the function that reads them; nothing of them is evaluated as positioning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from precision.errors import DataError, PlanError

from . import (
    ballbar_b5r,
    iso230_dat,
    klipper_accelerometer,
    klipper_planned,
    klipper_steps,
    linuxcnc_log,
    nmm,
    overlay_csv,
    positioning_csv,
    renishaw_rtl,
    renishaw_rtx,
    signal_csv,
)
from .outside import beginning
from .positioning_csv import Imported


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A kind of file. name; begins : whether the first 4 kB (suffix in lower case, text) are of it; positioning : its reader, or None; then
    `about` says what is in the file and `instead` what to do with it."""

    name: str
    begins: Callable[[str, str], bool]
    positioning: Callable[[Path], Imported] | None = None
    about: Callable[[Path], str] | None = None
    instead: str = ""
    procedure: str = "positioning"
    """which procedure reads such a file, where nobody says another"""


def _stops(path: Path) -> Imported:
    """The stops of a LinuxCNC positioning test: run, dir, target_mm, motor_cmd_mm, fb_mm, tool_mm, ..."""
    return positioning_csv.read(path, columns={"actual": "tool_mm"})


def _about_rtx(path: Path) -> str:
    record = renishaw_rtx.read(path)
    return f"a displacement record of {record.value.size} samples at {record.sample_rate_hz:g} Hz ({record.duration_s:.3g} s)"


def _about_ballbar(path: Path) -> str:
    arcs = ballbar_b5r.read(path).arcs
    return f"a ball-bar test of {len(arcs)} runs ({', '.join(f'{arc.direction} with {arc.reading.size} readings' for arc in arcs[:6])})"


def _about_acceleration(path: Path) -> str:
    record = klipper_accelerometer.read(path)
    gaps = f", {len(record.gaps)} gaps" if record.gaps else ""
    return f"accelerations of {record.time_s.size} samples at {record.sample_rate_hz:.5g} Hz{gaps}"


def _about_nmm(path: Path) -> str:
    return f"the description of a nano-measuring machine's {nmm.read_description(path).procedure} measurement"


def _about_planned(path: Path) -> str:
    planned = klipper_planned.read(path)
    return f"{planned.moves} moves that {planned.controller} planned, from {planned.begin_s:.6g} s to {planned.end_s:.6g} s of print time"


def _about_overlay(path: Path) -> str:
    table = overlay_csv.read(path)
    return f"overlay of {table.wafer.size} marks on {len(set(table.wafer.tolist()))} wafers"


RECORDINGS: Final[tuple[Recording, ...]] = (
    Recording(name="Renishaw dynamic capture (.rtx)", begins=lambda suffix, text: text.startswith("HEADER::") and bool(re.search(r"^Data:\s*$|CARTO-Dynamic", text, re.M)),
              about=_about_rtx, instead="precision.drivers.files.renishaw_rtx.read gives the samples; positioning figures need stops at targets"),
    Recording(name="Renishaw linear recording (.rtl), experimental", begins=lambda suffix, text: text.lstrip().upper().startswith("HEADER::"), positioning=renishaw_rtl.read),
    Recording(name="Renishaw ball bar (.b5r)", begins=lambda suffix, text: suffix == ".b5r" or (text.lstrip("\ufeff \r\n").startswith("<") and "RUN_DIRECTION" in text),
              about=_about_ballbar, instead="precision.drivers.files.ballbar_b5r.read gives the radial readings; their unit, radius and start angle are not in the file",
              procedure="circular"),
    Recording(name="ISO 230-2 readings of ecmc (.dat)", begins=lambda suffix, text: "TGT_DATA[" in text, positioning=iso230_dat.read),
    Recording(name="Klipper accelerometer", begins=lambda suffix, text: text.replace(" ", "").startswith(klipper_accelerometer.HEADER),
              about=_about_acceleration, instead="precision.drivers.files.klipper_accelerometer.read gives them in m/s²; positions are not in the file"),
    Recording(name="Klipper step stream", begins=lambda suffix, text: klipper_steps.begins(text.encode("latin-1", "replace")), procedure="contour",
              instead="`precision analyze FILE --as contour --set program=part.ngc --set steps.dictionary=machine.dict --set steps.config=printer.cfg` evaluates it, and with the "
              "planned motion (docs/tracking.md) --as tracking what step generation makes of it"),
    Recording(name="planned motion of Kalico", begins=lambda suffix, text: klipper_planned.begins(text), about=_about_planned, procedure="tracking",
              instead="precision.drivers.files.klipper_planned.read gives them; with its steps: `precision analyze part.serial --as tracking --set steps.planned=FILE` (docs/tracking.md)"),
    Recording(name="LinuxCNC stops", begins=lambda suffix, text: re.match(r"run,dir,target_mm,.*\btool_mm\b", text) is not None, positioning=_stops),
    Recording(name="LinuxCNC servo recording", begins=lambda suffix, text: re.match(r"sample,([a-z0-9_]+,)*x_cmd,", text) is not None, positioning=linuxcnc_log.positioning),
    Recording(name="overlay readings (CSV)", begins=lambda suffix, text: overlay_csv.begins(text), procedure="overlay",
              about=_about_overlay, instead="`precision analyze FILE --as overlay` evaluates it; precision.drivers.files.overlay_csv.read gives the rows"),
    Recording(name="log of signals (CSV)", begins=lambda suffix, text: signal_csv.begins(text), about=signal_csv.about,
              instead="`precision analyze FILE --as frf` evaluates a frequency response (columns input, output, perhaps excitation), --as stability noise and drift (column reading), "
              "--as step-response jumps of a set-point (set, output), --as friction runs at constant velocity and reversals (input, output), --as tracking following errors (command, feedback), "
              "--as scan-quality MA and MSD (scanning, y_set, w_y or e_y), --as step-settle settling (set, position), --as interferometer-linearity periodic error (cosine, sine)"),
    Recording(name="SIOS NMM description (.dsc)", begins=lambda suffix, text: any(words in text for words in nmm.PROCEDURES),
              about=_about_nmm, instead="precision.drivers.files.nmm reads it and the .pos beside it; the scan itself is not evaluated"),
)  # fmt: skip
"""In this order; a file that is none of them is a CSV of readings."""


def recognised(path: Path) -> Recording | None:
    """The kind of a file, or None for a CSV of readings (or anything else)."""
    text = beginning(path).decode("latin-1")
    if text.startswith("ï»¿"):
        text = text[3:]
    return next((kind for kind in RECORDINGS if kind.begins(path.suffix.lower(), text)), None)


_DOCUMENTS: Final = (
    (b"%PDF", "a PDF", "export the readings from the program that made it, as CSV or in its own format; a printed report does not hold them all"),
    (b"PK\x03\x04", "a workbook or another packed file (XLSX, ODS, ZIP)", "open it, save the sheet with the readings as CSV (UTF-8), and analyze that file"),
    (b"\xd0\xcf\x11\xe0", "a workbook or document of an older Office (XLS, DOC)", "open it, save the sheet with the readings as CSV (UTF-8), and analyze that file"),
)


def read_positioning(path: Path, *, unit: str | None = None, columns: Mapping[str, str] | None = None) -> Imported:
    """The positioning test in a file of any kind that holds one.

    Raises
    ------
    DataError       the file, with its line; or that it is a recording of something else
    PlanError       `unit` or `columns` for a file that states its own
    """
    begins = beginning(path).lstrip()
    for magic, what, advice in _DOCUMENTS:
        if begins.startswith(magic):
            raise DataError(f"{path.name}: is {what}, not a recording; {advice}")
    kind = recognised(path) if not columns else None
    if kind is None:
        return positioning_csv.read(path, unit=unit, columns=columns)
    if unit:
        raise PlanError(f"{path.name}: is read as {kind.name}, which states its own units; leave --unit out")
    if kind.positioning is not None:
        return kind.positioning(path)
    about = kind.about(path) if kind.about else "another recording"
    raise DataError(f"{path.name}: {kind.name}: {about}. It holds no positioning test, so there are no figures of ISO 230-2 in it; {kind.instead}")
