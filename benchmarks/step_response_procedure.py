"""Step responses as a procedure: how the plant is opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from precision.errors import PlanError
from precision.runs.directory import RunDirectory

from .importing_signals import Wanted, import_signals
from .procedure import Procedure, judged_by
from .set_points import CHANNELS, Rig
from .step_response import COLUMNS, acquire, check, preview
from .step_response_evaluation import analyse
from .step_response_plan import Parameters, Recorded
from .step_response_report import document, result_dict
from .streaming_bench import connected_plant, simulated_plant


def _read_file(
    file: Path,
    out: Path,
    *,
    plan: str | None = None,
    settings: Sequence[str] = (),
    unit: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> RunDirectory:
    """A log with columns time, set, output, and input if there was one, into a new run. DataError, PlanError name what
    is wrong."""
    if unit is not None:
        raise PlanError("--unit: a log has several; write them in the column names, output [µm]")
    wanted = [Wanted(name="set"), Wanted(name="output"), Wanted(name="input", needed=False)]

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        if found["set"] != found["output"]:
            raise PlanError(
                f"{file.name}: set is in {found['set'] or 'no unit'} and output in {found['output'] or 'no unit'}; the "
                "output follows the set-point, so they have the same"
            )
        return {"units": {"output": found["output"], **({"input": found["input"]} if "input" in found else {})}}

    def rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        return {"t_s": time_s, **{name: signals.get(name, np.full(time_s.size, np.nan)) for name in CHANNELS}}

    return import_signals(
        file, out, Recorded, COLUMNS, wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns
    )


PROCEDURE = Procedure(
    name="step-response",
    title="step responses of an axis: rise, overshoot, settling by three definitions, integrals of the error, linearity over size",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=lambda plan: connected_plant(plan, "plant_serve", Rig, takes="a set-point"),
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=simulated_plant,
    recorded=Recorded,
    read_file=_read_file,
)
