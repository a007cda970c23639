"""The frequency response of several inputs and outputs as a procedure: how the plant is opened, how a log becomes a run, and which functions do
the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from precision.drivers.files import signal_csv
from precision.errors import DataError, PlanError
from precision.runs.directory import RunDirectory

from .comparing_figures import Compared, compare
from .frf_mimo import Rig, acquire, channels, check, columns, preview
from .frf_mimo_evaluation import analyse
from .frf_mimo_plan import MOST, Parameters, Recorded, Size
from .frf_mimo_report import document, result_dict
from .importing_signals import Wanted, import_signals
from .procedure import Procedure, judged_by
from .streaming_bench import connected_plant, simulated_plant

if TYPE_CHECKING:
    from .execution import Outcome


def read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with columns time, input_1 …, output_1 …, perhaps excitation_1 … and experiment, into a new run. DataError, PlanError name what is
    wrong."""
    if unit is not None:
        raise PlanError("--unit: a log has several; write them in the column names, input_1 [N]")
    inputs, outputs = (signal_csv.numbered(file, name, columns) for name in ("input", "output"))
    if not 1 <= inputs <= MOST or not 1 <= outputs <= MOST:
        raise DataError(f"{file.name}: {inputs} columns input_1 … and {outputs} columns output_1 …; 1 … {MOST} of each are expected")
    size = Size(inputs=inputs, outputs=outputs)
    names = channels(size)
    wanted = [Wanted(name="experiment", needed=False), *[Wanted(name=name, needed=not name.startswith("excitation")) for name in names]]

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        said: dict[str, str] = {}
        for ours, kinds in (("input", ("input", "excitation")), ("output", ("output",))):
            of = {name: one for name, one in found.items() if name.rpartition("_")[0] in kinds}
            if len(set(of.values())) != 1:
                listed = ", ".join(f"{name} is in {one or 'no unit'}" for name, one in sorted(of.items()))
                raise PlanError(f"{file.name}: {listed}; one unit is expected for all of them")
            said[ours] = next(iter(of.values()))
        return {"units": said, "size": {"inputs": inputs, "outputs": outputs}}

    def rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        number = np.asarray(signals.get("experiment", np.ones(time_s.size)))
        if not np.all(np.isfinite(number)) or np.any(number != np.rint(number)):
            raise DataError(f"{file.name}: the column experiment holds what is no whole number; number the experiments 1, 2, …")
        return {"experiment": number.astype(np.int64), "t_s": time_s, **{name: signals.get(name, np.full(time_s.size, np.nan)) for name in names}}

    return import_signals(file, out, Recorded, _columns_of(size), wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns)


def _columns_of(size: Size) -> Any:
    return columns(Recorded(size=size))


def _compare(before: Outcome, after: Outcome) -> Compared:
    return compare(
        before,
        after,
        neither=("f_Ms", "f_Mt", "averages", "condition_max", "condition_median", "multiple_coherence_min", "plant_condition", "rga_low", "rga_high"),
    )


PROCEDURE = Procedure(
    name="frf-mimo",
    title="frequency response of several inputs and outputs, with singular values and conditioning",
    model=Parameters,
    preview=preview,
    columns=columns,
    connect=lambda plan: connected_plant(plan, "gantry_serve", Rig, takes="an excitation"),
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=simulated_plant,
    recorded=Recorded,
    read_file=read_file,
    compare=_compare,
)
