"""The frequency response as a procedure: how the plant is opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from precision.drivers.files import signal_csv
from precision.errors import PlanError
from precision.runs.directory import RunDirectory

from . import frf_mimo_procedure
from .comparing_figures import Compared, compare
from .frf import CHANNELS, COLUMNS, Rig, acquire, check, preview
from .frf_evaluation import analyse
from .frf_plan import Parameters, Recorded
from .frf_report import document, result_dict
from .importing_signals import Wanted, import_signals
from .procedure import Procedure, judged_by
from .streaming_bench import connected_plant, simulated_plant

if TYPE_CHECKING:
    from .execution import Outcome


def _read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with columns time, input, output, and excitation if there was one, into a new run; one with input_1 … and output_1 … into a run of
    frf-mimo. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: a log has several; write them in the column names, input [N]")
    if not {"input", "output"} & set(columns or {}) and all(signal_csv.numbered(file, name, columns) for name in ("input", "output")):
        return frf_mimo_procedure.read_file(file, out, plan=plan, settings=settings, unit=unit, columns=columns)
    wanted = [Wanted(name="excitation", needed=False), Wanted(name="input"), Wanted(name="output")]

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        if "excitation" in found and found["excitation"] != found["input"]:
            raise PlanError(
                f"{file.name}: excitation is in {found['excitation'] or 'no unit'} and input in {found['input'] or 'no unit'}; it is added to the input, so they have the same"
            )
        return {"units": {"input": found["input"], "output": found["output"]}}

    def rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        return {"t_s": time_s, **{name: signals.get(name, np.full(time_s.size, np.nan)) for name in CHANNELS}}

    return import_signals(file, out, Recorded, COLUMNS, wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns)


LARGER_IS_BETTER = ("PM", "GM_up", "delay", "MM", "f_L_first", "f_L_last", "f_T", "f_S")
_NO_MERIT = ("f_PM", "f_GM", "f_Ms", "f_Mt", "averages", "coherence_min", "coherence_median", "relative_u", "misfit")
"""Where something lies, and how well it was measured."""


def _compare(before: Outcome, after: Outcome) -> Compared:
    modes = [f"{key}_{number}" for key in ("f", "zeta", "r") for number in range(1, 21)]
    return compare(before, after, larger_is_better=LARGER_IS_BETTER, neither=(*_NO_MERIT, *modes))


PROCEDURE = Procedure(
    name="frf",
    title="frequency response of a plant, with coherence, margins and modes",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected_plant(plan, "plant_serve", Rig, takes="an excitation"),
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=simulated_plant,
    recorded=Recorded,
    read_file=_read_file,
    compare=_compare,
)
