"""A log of signals becomes a run: kept with its plan and hashes like any other, judged by the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from precision import plan as plans
from precision.drivers.files import signal_csv
from precision.errors import PlanError
from precision.runs.canonical import sha256_of_file
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory

from .plan_files import read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A signal of the log, by our name; needed: without it the file is refused."""

    name: str
    needed: bool = True


def import_signals(
    file: Path, out: Path, model: type[plans.Strict], columns_of_run: Sequence[Column], wanted: Sequence[Wanted], *, units: Callable[[Mapping[str, str]], dict[str, Any]],
    rows: Callable[[Any, Mapping[str, Any]], dict[str, Any]], plan: str | None, settings: Sequence[str], columns: Mapping[str, str] | None, timed: bool = True,
) -> RunDirectory:  # fmt: skip
    """Read a log into a new run directory in `out`.

    units : the SI units found -> what the plan says of them.  rows : time (n,) and signals -> rows of the capture.  timed : whether the log has a column of time.

    Raises
    ------
    DataError       the file, with line and column named
    PlanError       the plan or the settings; a plan whose units are not the file's
    """
    log = signal_csv.read(file, [one.name for one in wanted], needed=[one.name for one in wanted if one.needed], columns=columns, timed=timed)
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        whole, name = read_plan(plan)
        raw = {key: value for key, value in whole.items() if key in model.model_fields}
        if isinstance(raw.get("evaluation"), dict):
            known = type(model.model_fields["evaluation"].default).model_fields
            raw["evaluation"] = {key: value for key, value in raw["evaluation"].items() if key in known}
    for section, found in units(log.units).items():
        given = raw.get(section)
        if isinstance(given, dict) and any(given.get(key, value) != value for key, value in found.items()):
            raise PlanError(f"{name}: [{section}] says {given}, but the columns of {file.name} are in {found}; correct one of them")
        raw[section] = found
    for section, fields in (("machine", {"type": "machine", "serial_number": "serial number", "location": "location"}),
                            ("test", {"operator": "operator", "date": "date", "instrument": "instrument", "remarks": "remarks"})):  # fmt: skip
        said = {ours: log.header[theirs] for ours, theirs in fields.items() if log.header.get(theirs)}
        if said:
            raw[section] = {**said, **raw.get(section, {})}
    checked: Any = plans.check(model, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")
    run = RunDirectory.create(
        out,
        checked.procedure,
        label="imported",
        plan=plans.dump(checked),
        columns=columns_of_run,
        simulated=False,
        origin=f"{file.name} (SHA-256 {sha256_of_file(file)})",
    )
    with run:
        run.start_capture().append_and_wait(rows(log.time_s, log.signals))
        run.finish("COMPLETE")
    return run
