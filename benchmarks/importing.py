"""A file of readings becomes a run: kept with its plan and hashes like any other, judged by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from precision import plan as plans
from precision.drivers.files.recognise import read_positioning
from precision.errors import DataError, PlanError
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory

from .plan_files import read_plan
from .positioning_evaluation import IMPORTED_COLUMNS, imported_recording
from .positioning_plan import Imported


def import_positioning(
    file: Path,
    out: Path,
    *,
    plan: str | None = None,
    settings: Sequence[str] = (),
    unit: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> RunDirectory:
    """Read a positioning test from `file` into a new run directory in `out`.

    plan : name or path of a plan whose sections on machine, limits, uncertainty ... apply. The file's own header fills what the plan leaves open.

    Raises
    ------
    DataError       the file, with line and column named
    PlanError       the plan or the settings
    """
    recorded = read_positioning(file, unit=unit, columns=columns)
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        raw, name = read_plan(plan)
        raw = _what_an_import_takes(raw)
    raw["axis"] = {"name": recorded.axis, "kind": recorded.kind}
    _fill(raw, "machine", {"type": "machine", "serial_number": "serial number", "location": "location"}, recorded.header)
    _fill(raw, "test", {"operator": "operator", "date": "date", "instrument": "instrument", "remarks": "remarks"}, recorded.header)
    checked = plans.check(Imported, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")
    if (checked.axis.name, checked.axis.kind) != (recorded.axis, recorded.kind):
        raise PlanError(f"axis cannot be set for a recording: the file says {recorded.kind} axis {recorded.axis}, by its header and units; correct the file")
    rows = {"run": recorded.run, "direction": recorded.direction, "target": recorded.target, "actual": recorded.actual}
    try:
        imported_recording(checked, rows)  # contradictions are found before a run is made of them
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error
    run = RunDirectory.create(
        out,
        checked.procedure,
        label=f"{checked.axis.name.lower()}-imported",
        plan=plans.dump(checked),
        columns=IMPORTED_COLUMNS,
        simulated=False,
        origin=f"{file.name} (SHA-256 {sha256_of_file(file)})",
    )
    with run:
        capture = run.start_capture()
        capture.append_and_wait(rows)
        run.finish("COMPLETE")
    return run


def _what_an_import_takes(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of a plan for a machine: what also applies to a recording (not how to drive, nor which corrections to compute)."""
    taken = {key: value for key, value in raw.items() if key in Imported.model_fields and key != "axis"}
    for section in ("cycle", "evaluation"):
        if isinstance(taken.get(section), dict):
            known = Imported.model_fields[section].default
            taken[section] = {key: value for key, value in taken[section].items() if key in type(known).model_fields}
    return taken


def _fill(raw: dict[str, Any], section: str, fields: Mapping[str, str], header: Mapping[str, str]) -> None:
    """Put what the file's header says into the plan's section, where the plan says nothing."""
    known = {ours: header[theirs][:400] for ours, theirs in fields.items() if header.get(theirs)}
    if known:
        raw[section] = {**known, **raw.get(section, {})}

