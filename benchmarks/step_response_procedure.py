"""Step responses as a procedure: how the plant is opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from precision.drivers.frames.driver import FrameStream
from precision.errors import PlanError
from precision.runs.directory import RunDirectory

from .comparing_figures import Compared, compare
from .importing_signals import Wanted, import_signals
from .procedure import Connected, Procedure, judged_by
from .set_points import CHANNELS, Rig
from .step_response import COLUMNS, acquire, check, preview
from .step_response_evaluation import analyse
from .step_response_plan import Parameters, Recorded
from .step_response_report import document, result_dict
from .streaming_bench import opened

if TYPE_CHECKING:
    from .execution import Outcome


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "plant", "plant_serve", plan.bench.plant) as (stream, instruments, simulated):
        if not isinstance(stream, FrameStream):
            raise PlanError(
                'devices.plant: a driver that takes a set-point is needed (driver = "frames"); this one only streams'
            )
        yield Connected(rig=Rig(plant=stream), instruments=instruments, moving=(), lab=simulated)


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


def _compare(before: Outcome, after: Outcome) -> Compared:
    return compare(before, after)


PROCEDURE = Procedure(
    name="step-response",
    title="step responses of an axis: rise, overshoot, settling by three definitions, integrals of the error, linearity over size",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=lambda plan: plan.bench.plant if plan.devices.simulated else None,
    recorded=Recorded,
    read_file=_read_file,
    compare=_compare,
)
