"""A recording of positions and the part program that was run become a run: kept with its plan and hashes like any other, judged by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import plan as plans
from precision import units
from precision.drivers.files import klipper_steps, linuxcnc_log, signal_csv
from precision.drivers.files.recognise import recognised
from precision.errors import DataError, PlanError
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory

from .contour import COLUMNS, POSITIONS
from .contour_evaluation import analyse
from .contour_plan import Imported, Program
from .contour_program import program_text
from .plan_files import read_plan
from .procedure import block

_LENGTHS: Final = ("mm", "µm", "um", "nm", "m", "in")
_ROWS: Final = 65_536


def read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """Read a recording of positions into a new run directory in `out`; the program stands in plan or settings ("program=part.ngc").

    Columns are named x_cmd, y_fb, z_tool …, with their unit ("x_cmd [mm]", "x_cmd_mm"); `columns` maps others, `unit` is of those that state none.

    Raises
    ------
    DataError       the file, with its line; the program; a recording that does not fit it
    PlanError       the plan or the settings
    """
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        whole, name = read_plan(plan)
        raw = {key: value for key, value in whole.items() if key in Imported.model_fields}
        if isinstance(raw.get("program"), dict):
            raw["program"] = {key: value for key, value in raw["program"].items() if key in Program.model_fields}
    checked = plans.check(Imported, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")
    rows = _rows(file, unit, dict(columns or {}), checked)
    checked = checked.model_copy(update={"program": checked.program.model_copy(update={"text": program_text(checked.program)})})
    try:
        analyse(checked, rows)  # what does not fit the program is found before a run is made of it
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error
    run = RunDirectory.create(
        out,
        checked.procedure,
        label=f"{checked.program.plane.lower()}-imported",
        plan=plans.dump(checked),
        columns=COLUMNS,
        simulated=False,
        origin=f"{file.name} (SHA-256 {sha256_of_file(file)})",
    )
    with run:
        capture = run.start_capture()
        for start in range(0, len(rows["t_s"]), _ROWS):
            capture.append_and_wait({key: value[start : start + _ROWS] for key, value in rows.items()})
        run.finish("COMPLETE")
    return run


def _rows(file: Path, unit: str | None, columns: dict[str, str], plan: Imported) -> dict[str, NDArray[Any]]:
    """The columns of the capture, (n,) each."""
    kind = recognised(file) if not columns else None
    if kind is not None and kind.name == "LinuxCNC servo recording":
        if unit:
            raise PlanError(f"{file.name}: is read as {kind.name}, which is in mm; leave --unit out")
        return _of_linuxcnc(file)
    if kind is not None and kind.name == "Klipper step stream":
        if unit:
            raise PlanError(f"{file.name}: is read as {kind.name}, whose unit is in the machine's configuration; leave --unit out")
        return _of_steps(file, plan)
    _refuse_binary(file)
    log = signal_csv.read(file, POSITIONS, needed=(), columns=columns)
    if not log.signals:
        raise DataError(
            f"{file.name}: has the columns {', '.join(log.columns)[:200]}; positions are expected as x_cmd, x_fb, x_tool (and y, z): command, motor feedback, tool. Map them: --column x_tool=THEIRS"
        )
    given: dict[str, NDArray[Any]] = {}
    for name, values in log.signals.items():
        stated = log.units[name]
        if stated == "m" and unit:
            raise PlanError(f"{file.name}: column {name} states its unit; leave --unit out")
        if stated not in ("m", ""):
            raise DataError(f"{file.name}: column {name} is in {stated}; a length is expected")
        if not stated and unit not in _LENGTHS:
            raise DataError(f"{file.name}: column {name} states no unit; write it into its name ({name} [mm]) or say --unit mm")
        given[f"{name}_m"] = values if stated else values * units.quantity(f"1 {unit}", "length")
    time_s = log.time_s - log.time_s[0]
    return block(COLUMNS, sample=np.arange(time_s.size), t_s=time_s, **given)


def _of_linuxcnc(file: Path) -> dict[str, NDArray[Any]]:
    log = linuxcnc_log.read(file)
    names = [name for name in POSITIONS if name in log.columns]
    count = log.columns[names[0]].size
    given: dict[str, NDArray[Any]] = {f"{name}_m": log.columns[name] * 1e-3 for name in names}
    if "line" in log.columns:
        given["line"] = np.round(log.columns["line"]).astype(np.int64)
    return block(COLUMNS, sample=np.arange(count), t_s=np.arange(count) * log.servo_period_s, **given)


def _of_steps(file: Path, plan: Imported) -> dict[str, NDArray[Any]]:
    """What a batch run of Klipper tells its motors, as command."""
    dictionary, config = plan.steps.files(file)
    steps = klipper_steps.read(file, dictionary=dictionary, config=config, rate_hz=plan.steps.rate)
    given = {f"{axis}_cmd_m": place for axis, place in steps.position_m.items()}
    return block(COLUMNS, sample=np.arange(steps.time_s.size), t_s=steps.time_s, **given)


def _refuse_binary(file: Path) -> None:
    from precision.drivers.files.outside import beginning

    if b"\0" in beginning(file):
        raise DataError(f"{file.name}: holds NUL bytes; a table of positions as text (CSV) is expected")
