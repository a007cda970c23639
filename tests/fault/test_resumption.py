"""An interrupted test goes on only where it finds its last position again, and says what it found."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.execution import execute
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import APPROACH, MEASURED, REMEASURED, RESUMED, ZERO, preview
from precision.benchmarks.positioning_plan import Parameters
from precision.benchmarks.positioning_resumption import first_part
from precision.drivers.lab import process
from precision.errors import DataError, PlanError, SafetyStop
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory, run_folders

SHORT = ("targets.count=3", "targets.random_offset=0 %", "cycle.runs=2")


class Cut(Exception):
    """The end of a run that was not asked for."""


def plan_with(*settings: str) -> Parameters:
    plan = checked("positioning", [*SHORT, *settings])
    assert isinstance(plan, Parameters)
    return plan


def interrupted(plan: Parameters, out: Path, after: int) -> RunDirectory:
    """A run that ended after so many approaches."""

    def cut(done: int, total: int) -> None:
        if done == after:
            raise Cut

    with pytest.raises(Cut):
        execute(plan, out, progress=cut)
    return newest(out)


def newest(out: Path) -> RunDirectory:
    return max((RunDirectory.open(folder) for folder in run_folders(out)), key=lambda run: run.manifest.clock_start.mono_ns)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of the virtual lab that ended after 5 of 12 approaches."""
    return interrupted(plan_with(), tmp_path_factory.mktemp("first"), 5)


def test_a_resumed_test_holds_both_parts_and_says_what_joins_them(part: RunDirectory, tmp_path: Path) -> None:
    before = {path.name: sha256_of_file(path) for path in part.path.iterdir()}
    outcome = execute(plan_with(), tmp_path, resume=part)
    assert {path.name: sha256_of_file(path) for path in part.path.iterdir()} == before  # the original is as it was
    run = outcome.run
    assert run.manifest.status == "COMPLETE" and run.manifest.origin == f"{part.name}, resumed after 5 of 12 approaches"
    columns, first = run.readings().columns, part.readings().columns
    count = first["phase"].size
    for name, column in first.items():
        if name != "t_mono_ns":
            assert np.array_equal(columns[name][:count], column, equal_nan=column.dtype.kind == "f"), name
    assert columns["phase"][count:].tolist() == [RESUMED, ZERO, REMEASURED, *[APPROACH] * 7, 3]
    valid = (columns["phase"] == APPROACH) & (columns["outcome"] == MEASURED)
    assert int(valid.sum()) == len(preview(plan_with()).approaches) == 12
    assert (np.diff(columns["t_mono_ns"]) > 0).all()  # both parts on one clock
    again = int(np.flatnonzero(columns["phase"] == REMEASURED)[0])
    assert [columns[name][again] for name in ("run", "direction", "target_index")] == [columns[name][count - 1] for name in ("run", "direction", "target_index")]
    (flag,) = [flag for flag in outcome.analysis.result.flags if "resumed" in flag]
    assert "interrupted after 5 approaches" in flag and "not for acceptance" in flag
    said = next(event for event in run.events() if event["event"] == "measured again")
    assert f"{said['difference_m'] * 1e6:+.2f} µm" in flag
    assert abs(said["difference_m"]) > 1e-9  # two readings of a machine that scatters
    assert "resumed" in (run.path / "report.html").read_text(encoding="utf-8")


def test_readings_count_from_the_zero_before_them(part: RunDirectory, tmp_path: Path) -> None:
    """Were the second part counted from the first zero's air, a dead path of 10 m would show; were rows counted from the later zero, so would it."""
    from precision.benchmarks.positioning_evaluation import actual_positions

    run = execute(plan_with(), tmp_path, resume=part).run
    columns = {name: column.copy() for name, column in run.readings().columns.items()}
    zeros = np.flatnonzero(columns["phase"] == ZERO)
    taken = np.flatnonzero((columns["phase"] == APPROACH) & (columns["outcome"] == MEASURED))
    far = plan_with("instrument.dead_path=10 m")
    reference, _ = actual_positions(far, columns, taken)
    columns["air_pressure_pa"][zeros[1]] += 100.0  # 1 hPa: n - 1 grows by 0.27 ppm, and 10 m by 2.7 µm
    moved, _ = actual_positions(far, columns, taken)
    change = moved - reference
    assert np.all(change[taken < zeros[1]] == 0)
    assert np.allclose(change[taken > zeros[1]], 2.66e-6, atol=0.1e-6)


def test_a_last_target_that_is_elsewhere_is_refused_and_nothing_more_is_measured(part: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(SafetyStop, match="resume_tolerance allows 1e-06 µm"):
        execute(plan_with("cycle.resume_tolerance=0.001 nm"), tmp_path, resume=part)
    run = newest(tmp_path)
    assert run.manifest.status == "ABORTED" and "find out what" in run.manifest.reason
    phases = run.readings().columns["phase"]
    assert int((phases == REMEASURED).sum()) == 1 and phases[-1] == REMEASURED
    assert int((phases == APPROACH).sum()) == 5


def test_a_run_may_be_interrupted_and_resumed_twice(part: RunDirectory, tmp_path: Path) -> None:
    def cut(done: int, total: int) -> None:
        if done == 9:
            raise Cut

    with pytest.raises(Cut):
        execute(plan_with(), tmp_path, resume=part, progress=cut)
    second = newest(tmp_path)
    outcome = execute(plan_with(), tmp_path, resume=second)
    assert sum("resumed" in flag for flag in outcome.analysis.result.flags) == 2
    assert outcome.analysis.missing == 0


def test_what_cannot_be_resumed_is_refused_before_anything_moves(part: RunDirectory, tmp_path: Path) -> None:
    complete = execute(plan_with("cycle.runs=1"), tmp_path / "complete").run
    nothing = interrupted(plan_with(), tmp_path / "nothing", 0)
    with pytest.raises(DataError, match="is complete"):
        first_part(plan_with("cycle.runs=1"), complete)
    with pytest.raises(DataError, match="no complete target"):
        first_part(plan_with(), nothing)
    with pytest.raises(PlanError, match=r"axis\.feed, cycle\.runs"):
        first_part(plan_with("cycle.runs=3", "axis.feed=1000 mm/min"), part)
    with pytest.raises(PlanError, match="never mixes"):
        first_part(plan_with(*(f"devices.{role}.address=tcp://127.0.0.1:9" for role in ("controller", "interferometer", "environment"))), part)
    first_part(plan_with("cycle.repeats=1", "limits.A=1 µm", "simulation.time_scale=5.0"), part)  # what drives and reads is the same


def test_a_run_that_was_killed_is_resumed_on_the_same_machine_from_the_command_line(lab: Any, child_run: Any, until: Any) -> None:
    """The machine stays where the supervisor stopped it, in hold; the resumed run resets, homes and goes on."""
    child = child_run()
    child.until_it_moves(approaches=2)
    os.kill(child.process.pid, signal.SIGKILL)
    child.ended()
    folder = child.folder()
    until(lambda: (folder / "supervisor.json").exists(), "the supervisor's record")
    lab.set_time_scale(math.inf)
    again = child_run(arguments=["--resume", folder.name])
    code, said = again.ended()
    assert code in (0, 1), said
    run = newest(again.out)
    assert run.manifest.status == "COMPLETE" and run.manifest.origin is not None and run.manifest.origin.startswith(folder.name)
    columns = run.readings().columns
    assert int(((columns["phase"] == APPROACH) & (columns["outcome"] == MEASURED)).sum()) == 12


def test_a_machine_whose_switch_has_moved_is_not_resumed(tmp_path: Path) -> None:
    """Another lab under the same addresses is another machine: its last target is elsewhere."""
    with process.start(seed=3) as one, process.start(seed=4) as other:
        def addresses(lab: process.LabProcess) -> list[str]:
            return [f"devices.{role}.address={lab.addresses[role]}" for role in ("controller", "interferometer", "environment")] + ["devices.controller.options.settle_s=0.0"]

        first = interrupted(plan_with(*addresses(one)), tmp_path, 5)
        with pytest.raises(SafetyStop, match="has changed"):
            execute(plan_with(*addresses(other), "cycle.resume_tolerance=0.5 µm"), tmp_path, resume=first)
        assert not other.state()["moving"]
