"""Going on with a positioning test that was interrupted, without pretending that nothing happened.

After an unclean stop the machine's position is not to be trusted and the interferometer's count has lost its origin. So the machine is homed and the
interferometer zeroed at the zero target, as the plan did it the first time, and the last complete approach is made again. Between its two readings lie the
repeatability of homing, that of the zero target's approach, the drift since, and the scatter of the approach itself. Where they differ by more than
`cycle.resume_tolerance` something has changed, and the test is refused. Where they agree it goes on; the difference is kept as rows of the capture and
stated in the report, and nothing is corrected by it (see `positioning_evaluation.resumptions`).

The resumed run is a run of its own: the first part's rows, unchanged but for their times, then its own. The first part's directory is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from precision import plan as plans
from precision.errors import DataError, PlanError, SafetyStop
from precision.runs.directory import RunDirectory
from precision.runs.manifest import ClockPair

from .cycle import Approach
from .positioning import APPROACH, MEASURED, preview
from .positioning_evaluation import Readings, actual_positions
from .positioning_plan import Parameters

MAY_DIFFER = ("devices", "simulation", "title", "machine", "test", "limits", "uncertainty", "evaluation")
"""Sections of the plan that do not say what was driven or read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPart:
    """What an interrupted run has.

    rows : columns of its capture, with times on this computer's present monotonic clock. done : approaches of the plan, from the first, with a valid
    reading. last : the last of these. origin : what the new run's manifest says of the first.
    """

    plan: Parameters
    rows: Readings
    done: int
    last: Approach
    origin: str

    @property
    def sentence(self) -> str:
        """What is going to be done."""
        name, total = self.origin.partition(",")[0], len(preview(self.plan).approaches)
        return f"{name} after {self.done} of {total} points, once its last target is found again within {self.plan.cycle.resume_tolerance * 1e6:g} µm"

    def refuse_unless_it_agrees(self, rows: Sequence[Mapping[str, Any]], log: Callable[..., None]) -> None:
        """Compare the approach made again, the last of `rows`, with its first reading, both corrected as the plan says.

        Raises
        ------
        SafetyStop      they differ by more than `cycle.resume_tolerance`
        """
        joined = {name: np.concatenate([column, *(row[name] for row in rows)]) for name, column in self.rows.items()}
        first = int(np.flatnonzero(_valid(self.rows))[-1])
        both = np.array([first, joined["phase"].size - 1])
        actual_m, _ = actual_positions(self.plan, joined, both)
        difference_m = float(actual_m[1] - actual_m[0])
        allowed_m = self.plan.cycle.resume_tolerance
        target_m = float(self.rows["target_m"][first])
        log("measured again", target_m=target_m, run=self.last.run, direction=self.last.direction, difference_m=difference_m, allowed_m=allowed_m)
        if not abs(difference_m) <= allowed_m:
            raise SafetyStop(
                f"the last complete target ({target_m * 1e3:.3f} mm, run {self.last.run + 1}, {'↑↓'[self.last.direction]}) is {difference_m * 1e6:+.3f} µm from where it was before "
                f"the interruption; cycle.resume_tolerance allows {allowed_m * 1e6:g} µm. The machine, its homing or the interferometer has changed: find out what, and "
                "start the test anew"
            )


def first_part(plan: Parameters, run: RunDirectory) -> FirstPart:
    """What `run` has of the test that `plan` describes.

    Raises
    ------
    PlanError       `plan` drives or reads otherwise than the plan of `run` did
    DataError       the run still lives, is complete, has a damaged capture, or holds no complete target
    """
    manifest = run.manifest
    if run.running:
        raise DataError(f"{run.name} still runs; wait for its end, or stop it, and resume it then")
    if manifest.status == "COMPLETE":
        raise DataError(f"{run.name} is complete; there is nothing left to measure. Start a new run")
    _refuse_another_plan(plan, run)
    capture = run.readings(unfinished=True)
    if capture.damage and not all(damage.tail for damage in capture.damage):
        raise DataError(f"{run.name}/capture.arrows is damaged within; `precision runs recover {run.name}` copies what is whole, but a test with a gap is not resumed: measure anew")
    approaches = preview(plan).approaches
    rows = capture.columns
    have = {(int(rows["run"][i]), int(rows["direction"][i]), int(rows["target_index"][i])) for i in np.flatnonzero(_valid(rows))}
    done = next((i for i, approach in enumerate(approaches) if (approach.run, approach.direction, approach.target_index) not in have), len(approaches))
    if done == 0:
        raise DataError(f"{run.name} holds no complete target; nothing is lost by starting a new run")
    if done == len(approaches):
        raise DataError(f"{run.name} holds all {done} approaches; `precision analyze {run.name}` evaluates them")
    return FirstPart(plan=plan, rows=_on_this_clock(rows, manifest.clock_start), done=done, last=approaches[done - 1], origin=f"{run.name}, resumed after {done} of {len(approaches)} approaches")


def _valid(rows: Readings) -> Any:
    return (rows["phase"] == APPROACH) & (rows["outcome"] == MEASURED)


def _refuse_another_plan(plan: Parameters, run: RunDirectory) -> None:
    """Refuse a plan that moves or reads in another way than the first part did."""
    if run.manifest.procedure != plan.procedure or not isinstance(run.manifest.plan.get("devices"), Mapping):
        raise PlanError(f"{run.name} is a run of {run.manifest.procedure!r} that was not driven by this program; only the plan that began a test can resume it")
    if run.manifest.simulated != plan.devices.simulated:
        raise PlanError(f"{run.name} was begun on a {'virtual' if run.manifest.simulated else 'real'} machine and the plan names the other kind; a test never mixes the two")
    before = plans.dump(plans.check(Parameters, run.manifest.plan, name=f"the plan of {run.name}"))
    now = plans.dump(plan)
    for section in MAY_DIFFER:
        before.pop(section, None)
        now.pop(section, None)
    for tree in (before, now):
        tree["cycle"] = {key: value for key, value in tree["cycle"].items() if key not in ("repeats", "resume_tolerance")}
    if before != now:
        names = [f"{key}.{name}" for key in sorted(before.keys() | now.keys()) for name in _differing(before.get(key), now.get(key))]
        raise PlanError(f"{run.name} was begun with another plan; what drives and reads must be the same: {', '.join(names)[:300]}. Resume with the plan that began it")


def _differing(before: Any, now: Any) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    return [] if before == now else ["(all)"]


def _on_this_clock(rows: Readings, begun: ClockPair) -> Readings:
    """The rows with their times carried from the first part's monotonic clock to the present one by way of the wall clock: good to a clock jump."""
    now = ClockPair.now()
    shift_ns = round((begun.wall_s - now.wall_s) * 1e9) + now.mono_ns - begun.mono_ns
    return {**rows, "t_mono_ns": rows["t_mono_ns"] + np.int64(shift_ns)}
