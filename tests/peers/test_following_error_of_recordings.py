"""Recordings of a LinuxCNC as a file: the figures that its own account of them prints, and its own following error in every row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from precision.cli import _exit_code
from precision.runs.directory import run_folders

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "linuxcnc"


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = RECORDINGS / "circle_xy_r50_f3000.csv.gz"
    if not file.is_file():
        pytest.skip("the folder of real recordings is not beside this checkout")
    folder = tmp_path_factory.mktemp("tracking")
    assert _exit_code(["analyze", str(file), "--as", "tracking", "--set", 'uncertainty.synchronisation="1 µs"', "--out", str(folder)]) == 0
    (run,) = run_folders(folder)
    found: dict[str, Any] = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return found


def test_the_largest_errors_on_the_circles_are_those_that_were_published(circle: dict[str, Any]) -> None:
    """Its README: "max following error X 8.4, Y 27.3" µm over the two circles, lines 11 and 18 of the program."""
    lines = {one["line"]: one for one in circle["lines"]}
    assert round(1e6 * max(lines[k]["largest"]["X"] for k in (11, 18)), 1) == 8.4
    assert round(1e6 * max(lines[k]["largest"]["Y"] for k in (11, 18)), 1) == 27.3
    assert lines[11]["samples"] == lines[18]["samples"] == 6283


def test_the_error_is_the_controllers_own_one_row_later(circle: dict[str, Any]) -> None:
    for series in circle["series"]:
        # The file has its lengths to 0.1 nm.
        assert series["own"]["cycles"] == 1 and series["own"]["difference_rms"] < 0.1e-9


def test_the_lags_are_those_of_the_loops(circle: dict[str, Any]) -> None:
    """P 60 and 55 /s, feed-forward 0.99 and 0.97: (1 − FF1)/P = 166.7 and 545.5 µs."""
    for axis, lag in (("X", 0.01 / 60), ("Y", 0.03 / 55)):
        found = circle["figures"][f"time_shift_{axis}"]
        assert abs(found["value"] - lag) < found["uncertainty"]
