"""The overlay measurement as a procedure: how the tool is opened, how a file of readings becomes a run, and which functions do the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from precision import plan as plans
from precision.drivers.files import overlay_csv
from precision.errors import DataError
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory

from .overlay import COLUMNS, Rig, acquire, check, preview, recipe
from .overlay_evaluation import analyse, arranged
from .overlay_plan import Parameters, Recorded
from .overlay_report import document, result_dict
from .plan_files import read_plan
from .procedure import Connected, Procedure, judged_by
from .streaming_bench import opened


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "tool", "marks_serve", "overlay", json.dumps(recipe(plan))) as (stream, instruments, simulated):
        yield Connected(rig=Rig(tool=stream), instruments=instruments, moving=(), lab=simulated)


def _read_file(
    file: Path,
    out: Path,
    *,
    plan: str | None = None,
    settings: Sequence[str] = (),
    unit: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> RunDirectory:
    """Overlay readings from a CSV into a new run.

    Raises
    ------
    DataError       the file, with line and column named
    PlanError       the plan or the settings
    """
    table = overlay_csv.read(file, unit=unit, columns=columns)
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        whole, name = read_plan(plan)
        raw = {key: value for key, value in whole.items() if key in Recorded.model_fields}
    for section, fields in (
        ("machine", {"type": "machine", "serial_number": "serial number", "location": "location"}),
        ("test", {"operator": "operator", "date": "date", "instrument": "instrument", "remarks": "remarks"}),
    ):
        known = {ours: table.header[theirs][:400] for ours, theirs in fields.items() if table.header.get(theirs)}
        if known:
            raw[section] = {**known, **raw.get(section, {})}
    checked = plans.check(Recorded, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")
    rows: dict[str, Any] = {
        "wafer": table.wafer,
        "field": table.field,
        "field_x_m": table.centre[:, 0],
        "field_y_m": table.centre[:, 1],
        "mark_x_m": table.inside[:, 0],
        "mark_y_m": table.inside[:, 1],
        "scan_up": table.scan_up,
        "dx_m": table.overlay[:, 0],
        "dy_m": table.overlay[:, 1],
    }
    try:
        arranged(rows)  # contradictions are found before a run is made of them
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error
    run = RunDirectory.create(
        out,
        checked.procedure,
        label="imported",
        plan=plans.dump(checked),
        columns=COLUMNS,
        simulated=False,
        origin=f"{file.name} (SHA-256 {sha256_of_file(file)})",
    )
    with run:
        run.start_capture().append_and_wait(rows)
        run.finish("COMPLETE")
    return run


PROCEDURE = Procedure(
    name="overlay",
    title="overlay of wafers: terms, what they leave over, what is non-correctable",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    recorded=Recorded,
    read_file=_read_file,
)
