"""A log of a scanner, as its owner has recorded it, becomes a scan-quality run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError, PlanError
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory

from .importing_signals import Wanted, import_signals
from .procedure import block
from .scan_quality import AXES, COLUMNS, POSITIONS
from .scan_quality_plan import Recorded

ERRORS: Final = tuple(f"e_{axis}" for axis in AXES)
RECORDED_COLUMNS: Final = (*COLUMNS, *(Column(_with_unit, "f8", "rad" if "R" in _with_unit else "m") for _with_unit in (f"{name}_{'rad' if 'R' in name else 'm'}" for name in ERRORS)))
_WANTED: Final = (
    Wanted(name="scanning"), Wanted(name="y_set"), Wanted(name="field", needed=False), *(Wanted(name=name, needed=False) for name in (*POSITIONS, *ERRORS)),
)  # fmt: skip


def read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with a column of time, scanning (not 0 at constant speed), y_set, and positions w_x … r_Rz or errors e_x … e_Rz into a new run. Fields are numbered
    from 0 in a column field, or counted.

    Raises
    ------
    DataError       the file, with line and column named
    PlanError       the plan or the settings
    """
    if unit is not None:
        raise PlanError("--unit: write it in the column names, w_y_nm or w_y [nm]")
    return import_signals(file, out, Recorded, RECORDED_COLUMNS, _WANTED, units=lambda found: _checked(file, found), rows=_rows, plan=plan, settings=settings, columns=columns)


def _checked(file: Path, units: Mapping[str, str]) -> dict[str, Any]:
    """Nothing for the plan; a column in a wrong unit, or a log without positions and errors in y, is refused."""
    if not {"w_y", "e_y"} & units.keys():
        raise DataError(f"{file.name}: no column w_y (position of the wafer stage) or e_y (error in the scan direction); map one, for example --column e_y=THEIRS")
    for name, unit in units.items():
        expected = "" if name in ("scanning", "field") else "rad" if "R" in name else "m"
        if unit != expected:
            advice = f"write it in the name, {name}_{'urad' if expected == 'rad' else 'nm'} or {name} [{'µrad' if expected == 'rad' else 'nm'}]" if not unit else "correct the column"
            raise DataError(f"{file.name}: column {name} is in {unit or 'no unit'}; {'a plain number' if not expected else 'a length' if expected == 'm' else 'an angle'} is expected: {advice}")
    return {}


def _rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
    scanning = np.where(np.isfinite(signals["scanning"]), signals["scanning"] != 0, False).astype(np.int64)
    given: dict[str, Any] = {"t_s": time_s, "scanning": scanning, "y_set_m": signals["y_set"]}
    given["field"] = _counted(scanning) if "field" not in signals else _numbered(signals["field"])
    given |= {f"{name}_{'rad' if 'R' in name else 'm'}": signals[name] for name in (*POSITIONS, *ERRORS) if name in signals}
    return block(RECORDED_COLUMNS, **given)


def _numbered(field: Any) -> NDArray[np.int64]:
    if not np.isfinite(field).all() or (field != np.rint(field)).any() or (np.abs(field) > 1e9).any():
        bad = int(np.flatnonzero(~np.isfinite(field) | (field != np.rint(field)) | (np.abs(field) > 1e9))[0])
        raise DataError(f"row {bad + 1}: field is {field[bad]}; whole numbers are expected; without the column fields are counted")
    return np.asarray(field, dtype=np.int64)


def _counted(scanning: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fields from 0, each with its constant speed inside: they change in the middle between two."""
    edges = np.diff(np.concatenate([[0], scanning, [0]]))
    rises, falls = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    field = np.zeros(scanning.size, dtype=np.int64)
    for number, (fall, rise) in enumerate(zip(falls[:-1], rises[1:], strict=True), 1):
        field[(fall + rise) // 2 :] = number
    return field
