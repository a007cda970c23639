"""Friction as a procedure: how the plant is opened, how a log becomes a run, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from precision.errors import PlanError
from precision.runs.directory import RunDirectory

from .comparing_figures import Compared, compare
from .friction import CHANNELS, COLUMNS, acquire, check, preview
from .friction_evaluation import analyse
from .friction_plan import Parameters, Recorded
from .friction_report import document, result_dict
from .importing_signals import Wanted, import_signals
from .procedure import Procedure, judged_by
from .set_points import Rig
from .streaming_bench import connected_plant, simulated_plant

if TYPE_CHECKING:
    from .execution import Outcome


def _read_file(
    file: Path,
    out: Path,
    *,
    plan: str | None = None,
    settings: Sequence[str] = (),
    unit: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> RunDirectory:
    """A log with columns time, input (the force) and output (the position), and set and load if there were any, into a
    new run. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: a log has several; write them in the column names, input [N]")
    wanted = [
        Wanted(name="input"),
        Wanted(name="output"),
        Wanted(name="set", needed=False),
        Wanted(name="load", needed=False),
    ]

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        for name in ("set", "load"):
            if found.get(name, found["output"]) != found["output"]:
                raise PlanError(
                    f"{file.name}: {name} is in {found[name] or 'no unit'} and output in {found['output'] or 'no unit'}; "
                    "both are positions, so they have the same"
                )
        return {"units": {"input": found["input"], "output": found["output"]}}

    def rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        absent = np.full(time_s.size, np.nan)
        return {
            "t_s": time_s,
            "part": np.full(time_s.size, -1, dtype=np.int64),
            **{name: signals.get(name, absent) for name in CHANNELS},
        }

    return import_signals(
        file, out, Recorded, COLUMNS, wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns
    )


LARGER_IS_BETTER = ("stiffness", "ff_r2", "ff_validated_r2")
_NO_MERIT = ("ff_mass", "stribeck_velocity", "offset", "ff_offset", "force_offset")
"""What the machine is built of, and how the test lay."""


def _compare(before: Outcome, after: Outcome) -> Compared:
    times = [f"glitch_{number}_{key}" for number in range(1, 11) for key in ("lag", "time_upper", "time_lower")]
    return compare(before, after, larger_is_better=LARGER_IS_BETTER, neither=(*_NO_MERIT, *times))


PROCEDURE = Procedure(
    name="friction",
    title="friction of a drive: curve over velocity, feed-forward, backlash and windup, hysteresis, quadrant glitches",
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
    compare=_compare,
)
