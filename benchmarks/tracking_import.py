"""A log of command and feedback becomes a run: of one axis, of several, or a recording of LinuxCNC's servo cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from precision import plan as plans
from precision.drivers.files import linuxcnc_log, signal_csv
from precision.drivers.files.recognise import recognised
from precision.errors import DataError, PlanError
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory
from precision.units import MM

from . import tracking_steps
from .plan_files import read_plan
from .procedure import block
from .tracking import MOTOR, SOURCES, columns
from .tracking_plan import Recorded

LETTERS: Final = "xyzabcuvw"
NAMES: Final = {
    "command": ("command", "cmd", "set", "set_point", "setpoint", "reference"),
    "feedback": ("feedback", "fb", "position", "actual", "output"),
    "tool": ("tool",),
    "reported": ("reported", "ferr", "following_error"),
}
"""Column of a log of one axis -> what it may be called; `--column command=THEIRS` names any other."""
ONE_AXIS: Final = "axis"
_SERVO_PERIOD_S: Final = 1e-3


def read_file(
    file: Path,
    out: Path,
    *,
    plan: str | None = None,
    settings: Sequence[str] = (),
    unit: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> RunDirectory:
    """Read a log into a new run directory in `out`.

    Columns: time and command, feedback (tool, reported) of one axis; or x_cmd, x_fb (x_mcmd, x_tool, x_ferr), y_cmd … and line. Units stand in the names.

    Raises
    ------
    DataError       the file, with line and column named; command or feedback is missing
    PlanError       the plan or the settings; command and feedback in different units, lengths and angles together
    """
    if unit is not None:
        raise PlanError("--unit: a log has several columns; write their units in the names, command [mm]")
    kind = recognised(file)
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        whole, name = read_plan(plan)
        raw = {key: value for key, value in whole.items() if key in Recorded.model_fields}
    if kind is not None and kind.name == "planned motion of Kalico":
        raise DataError(
            f"{file.name}: is the motion that Kalico planned; it goes with the steps of its run: `precision analyze part.serial --as tracking --set steps.planned={file.name}` (docs/tracking.md)"
        )
    origin = f"{file.name} (SHA-256 {sha256_of_file(file)})"
    if kind is not None and kind.name == "Klipper step stream":
        joined = tracking_steps.read(file, _checked(raw, settings, name).steps)
        time_s, found, found_unit, origin = joined.time_s, joined.axes, "m", joined.origin
        raw["recording"] = tracking_steps.recording(joined)
        # Command and feedback are on one clock: where nobody says more, they are a tick of it apart.
        raw["uncertainty"] = {"synchronisation": f"{joined.tick_s!r} s", **raw.get("uncertainty", {})}
        raw["evaluation"] = {"lead": f"{joined.reach_s!r} s", **raw.get("evaluation", {})}
    else:
        time_s, found, found_unit = _of_linuxcnc(file) if kind is not None and kind.name.startswith("LinuxCNC servo") and not columns else _of_table(file, columns)
        raw["recording"] = {"axes": list(found), "unit": found_unit}
    checked = _checked(raw, settings, name)
    layout = _layout(found_unit)
    run = RunDirectory.create(
        out, checked.procedure, label="imported", plan=plans.dump(checked), columns=layout, simulated=False, origin=origin
    )  # fmt: skip
    with run:
        capture = run.start_capture()
        for number, signals in enumerate(found.values()):
            capture.append_and_wait(block(layout, series=number, sample=np.arange(time_s.size), t_s=time_s, **signals))
        run.finish("COMPLETE")
    return run


_layout = columns


def _checked(raw: Mapping[str, Any], settings: Sequence[str], name: str) -> Recorded:
    return plans.check(Recorded, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")


def _of_linuxcnc(file: Path) -> tuple[Any, dict[str, dict[str, Any]], str]:
    """A recording of HAL pins in mm, one row a servo cycle of 1 ms."""
    log = linuxcnc_log.read(file, servo_period_s=_SERVO_PERIOD_S)
    names = log.columns
    signals = {name: values * MM for name, values in names.items() if name.partition("_")[0] in LETTERS}
    found = _axes(file, signals, dict.fromkeys(signals, "m"), names.get("line"))
    if not found:
        raise DataError(f"{file.name}: has no pair of columns such as x_cmd and x_fb; it has {', '.join(names)[:200]}")
    return np.arange(next(iter(names.values())).size) * log.servo_period_s, found, "m"


def _of_table(file: Path, columns: Mapping[str, str] | None) -> tuple[Any, dict[str, dict[str, Any]], str]:
    """Any log with a column of time."""
    several = [f"{letter}_{source}" for letter in LETTERS for source in (*SOURCES, MOTOR)]
    alone = [name for names in NAMES.values() for name in names]
    log = signal_csv.read(file, [*alone, *several, "line"], needed=(), columns=columns)
    line = log.signals.get("line")
    found = _axes(file, log.signals, log.units, line)
    if not found:
        signals: dict[str, Any] = {}
        own: dict[str, str] = {}
        for ours, names in NAMES.items():
            there = [name for name in names if name in log.signals]
            if len(there) > 1:
                raise DataError(f"{file.name}: columns {' and '.join(there)} could both be {ours}; choose with --column {ours}=THEIRS")
            if there:
                signals[ours], own[ours] = log.signals[there[0]], log.units[there[0]]
        for needed in ("command", "feedback"):
            if needed not in signals:
                raise DataError(
                    f"{file.name}: no column {needed!r}; it has {', '.join(log.columns)[:300]}; map it with --column {needed}=THEIRS"
                )
        _one_unit(file, own)
        found = {ONE_AXIS: signals | ({} if line is None else {"line": _whole(line)})}
        return log.time_s, found, own["command"]
    units = {log.units[name] for axis in found for name in (f"{axis.lower()}_cmd", f"{axis.lower()}_fb") if name in log.units}
    if len(units) > 1:
        raise PlanError(f"{file.name}: axes in m and in rad; evaluate them one after the other: leave the columns of the others out")
    return log.time_s, found, units.pop()


def _axes(file: Path, signals: Mapping[str, Any], units: Mapping[str, str], line: Any) -> dict[str, dict[str, Any]]:
    """Axis -> its columns, for each with command and feedback; motor command before the command, as the feedback is the motor's."""
    found: dict[str, dict[str, Any]] = {}
    for letter in LETTERS:
        if f"{letter}_cmd" not in signals or f"{letter}_fb" not in signals:
            continue
        own = {ours: signals[f"{letter}_{source}"] for source, ours in SOURCES.items() if f"{letter}_{source}" in signals}
        if f"{letter}_{MOTOR}" in signals:
            own["command"] = signals[f"{letter}_{MOTOR}"]
        _one_unit(file, {f"{letter}_{source}": units[f"{letter}_{source}"] for source in (*SOURCES, MOTOR) if f"{letter}_{source}" in signals})
        found[letter.upper()] = own | ({} if line is None else {"line": _whole(line)})
    return found


def _one_unit(file: Path, units: Mapping[str, str]) -> None:
    """Raises `PlanError` where columns of one axis are in several units, or in none of a position."""
    named = ", ".join(f"{name} in {unit or 'no unit'}" for name, unit in units.items())
    if len(set(units.values())) > 1:
        raise PlanError(f"{file.name}: {named}; command and feedback of an axis are expected in one unit: correct the names of the columns")
    if not set(units.values()) <= {"m", "rad"}:
        raise PlanError(f"{file.name}: {named}; a length or an angle is expected: write it in the names of the columns, command [mm]")


def _whole(line: Any) -> Any:
    return np.where(np.isfinite(line) & (line > 0), np.nan_to_num(line), -1).astype(np.int64)
