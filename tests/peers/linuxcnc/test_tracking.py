"""Following error of a controller that nobody here wrote: against its own figure (joint.N.f-error) of the same servo cycles, and against the gains of its loops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.execution import evaluated
from precision.cli import _exit_code
from precision.drivers.linuxcnc.cell import launch, mechanics
from precision.runs.directory import RunDirectory, run_folders

PROGRAM = """( lines, an arc of a quarter, and a slow line )
G21 G17 G90 G64 P0.001
F3000
G0 X0 Y0
G1 X20 Y0
G1 X20 Y30
G3 X0 Y50 I-20 J0
G4 P0.2
F900
G1 X0 Y20
F4000
G1 X-30 Y-20
G1 X0 Y0
M2
"""


@pytest.fixture(scope="module")
def quick(linuxcnc: None) -> Iterator[launch.Cell]:
    with launch.start(speed=20) as one:
        yield one


def tracked(address: str, folder: Path, *settings: str) -> RunDirectory:
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert _exit_code(["run", "tracking", "--machine", address, *arguments, "--yes", "--out", str(folder)]) == 0
    (run,) = run_folders(folder)
    return RunDirectory.open(run)


def result_of(run: RunDirectory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.path / "result.json").read_text(encoding="utf-8"))
    return found


def test_lag_and_error_are_those_of_the_controllers_own_loops(quick: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tracked(quick.address, tmp_path, "motion.repeats=1", 'motion.low=["-40 mm", "-40 mm"]', 'motion.high=["40 mm", "40 mm"]')
    figures = result_of(run)["figures"]
    for axis in ("X", "Y"):
        planted = mechanics.RIGS["router"][axis]
        # PID with velocity feed-forward: at constant velocity P·e = (1 − FF1)·v, whatever the mechanics behind the encoder are.
        lag = (1 - planted.feed_forward) / planted.gain_per_s
        found = figures[f"velocity_lag_{axis}"]
        assert found["uncertainty"] is not None and abs(found["value"] - lag) <= found["uncertainty"] < 0.05 * lag
        assert figures[f"loop_gain_{axis}"]["value"] is None and "feed-forward" in figures[f"loop_gain_{axis}"]["reason"]
        assert figures[f"ripple_forward_{axis}"]["value"] is None  # the counts of 0.1 µm beat, and are no ripple
        assert figures[f"mechanics_{axis}"]["value"] > planted.lost_m[0]
    columns = run.readings().columns
    for number, series in enumerate(result_of(run)["series"]):
        rows = columns["series"] == number
        # joint.N.f-error of a cycle is the command of the cycle before less its feedback: the same numbers, one row later.
        ours, theirs = columns["command"][rows] - columns["feedback"][rows], columns["reported"][rows]
        assert float(np.abs(ours[:-1] - theirs[1:]).max()) < 1e-12 < 1e-5 < float(np.abs(theirs).max())
        assert series["own"]["cycles"] == 1 and series["own"]["difference_rms"] < 1e-12
        assert series["own"]["largest"] == pytest.approx(figures[f"e_max_{series['axis']}"]["value"], rel=1e-9)


def test_a_part_program_has_its_error_line_by_line(quick: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "part.ngc").write_text(PROGRAM, encoding="utf-8")
    run = tracked(quick.address, tmp_path / "runs", f"program.file={tmp_path / 'part.ngc'}")
    lines = {one["line"]: one for one in result_of(run)["lines"]}
    lines.pop(4, None)  # from where the test before it ended
    assert list(lines) == [5, 6, 7, 10, 12, 13]  # those that move, by their number in the file
    x, y = (mechanics.RIGS["router"][axis] for axis in ("X", "Y"))
    lag = {"X": (1 - x.feed_forward) / x.gain_per_s, "Y": (1 - y.feed_forward) / y.gain_per_s}
    assert lines[10]["largest"]["X"] < 1e-9  # after a dwell, Y alone
    # Y alone at 50 mm/s, then at 15 mm/s: most of a line is at constant velocity.
    assert lines[6]["rms"]["Y"] == pytest.approx(0.05 * lag["Y"], rel=0.15)
    assert lines[10]["rms"]["Y"] == pytest.approx(0.015 * lag["Y"], rel=0.15)
    for one in lines.values():
        assert max(one["largest"].values()) <= one["total_largest"] <= sum(one["largest"].values()) + 1e-15
        assert one["total_rms"] == pytest.approx(np.hypot(*one["rms"].values()))
    columns = run.readings().columns
    assert sum(one["samples"] for one in lines.values()) <= int((columns["series"] == 0).sum())
    again = evaluated(run)
    report = {table.title: table for table in again.document.tables}["Following error by line of G-code"]
    assert [row[1] for row in report.rows if row[0] != "4"][:3] == ["G1 X20 Y0", "G1 X20 Y30", "G3 X0 Y50 I-20 J0"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (('motion.high=["250 mm", "60 mm"]',), "soft limits"),
        (('motion.axes=["X", "B"]',), "no axis B"),
        (('motion.feeds=["60000 mm/min"]',), "allows"),
    ],
)
def test_what_the_machine_cannot_do_is_refused_before_it_moves(
    quick: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: tuple[str, ...], said: str
) -> None:
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert _exit_code(["run", "tracking", "--machine", quick.address, *arguments, "--yes", "--out", str(tmp_path)]) == 5
    told = capsys.readouterr().err
    assert said in told and "Nothing was moved" in told
    assert not list(run_folders(tmp_path))
