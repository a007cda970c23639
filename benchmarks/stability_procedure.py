"""In-position stability as a procedure: how the sensor is opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from precision.errors import PlanError
from precision.runs.directory import RunDirectory

from .comparing_figures import compare
from .importing_signals import Wanted, import_signals
from .procedure import Connected, Procedure, judged_by
from .stability import COLUMNS, Rig, acquire, check, preview
from .stability_evaluation import analyse
from .stability_plan import Parameters, Recorded
from .stability_report import document, result_dict
from .streaming_bench import opened, simulated_plant


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "sensor", "plant_serve", plan.bench.plant) as (stream, instruments, simulated):
        yield Connected(rig=Rig(sensor=stream), instruments=instruments, moving=(), lab=simulated)


def _read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with a column of time and one of readings ("reading", "output", or mapped) into a new run. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: write it in the column name, reading [nm]")
    return import_signals(
        file, out, Recorded, COLUMNS, [Wanted(name="reading")], units=lambda found: {"recording": {"unit": found["reading"]}},
        rows=lambda time_s, signals: {"t_s": time_s, "reading": signals["reading"]}, plan=plan, settings=settings, columns=columns,
    )  # fmt: skip


_NO_MERIT = ("mean", "enbw", "f_50", "f_90", "tau_min")
"""Where the reading stands, and where its noise lies."""

PROCEDURE = Procedure(
    name="stability",
    title="in-position noise and drift: spectrum, lines, Allan deviation",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    label=simulated_plant,
    recorded=Recorded,
    read_file=_read_file,
    compare=lambda before, after: compare(before, after, neither=_NO_MERIT),
)
