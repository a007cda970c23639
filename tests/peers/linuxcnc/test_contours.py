"""A part program on a real controller: it reads the G-code itself; command, feedback and tool are told apart, and what was planted comes back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from precision.cli import _exit_code
from precision.drivers.linuxcnc.cell import launch, mechanics
from precision.runs.directory import run_folders

PROGRAM = """( corners, an arc, a helix: F3000 )
G21 G90 G64 P0.05
F3000
G0 X0 Y-30
G1 X30
G1 Y0
G3 X-30 Y0 I-30
G2 X30 Y0 Z5 I30 (helix)
G1 Z0
G3 X30 Y0 I-30
G2 X30 Y0 I-30
G1 X0 Y-30
M2
"""


@pytest.fixture(scope="module")
def fast_cell(linuxcnc: None) -> Iterator[launch.Cell]:
    with launch.start(speed=20.0) as one:
        yield one


def contour(cell: launch.Cell, folder: Path, *settings: str, code: int = 0) -> dict[str, Any]:
    """result.json of one run."""
    arguments = ["run", "contour", "--machine", cell.address, *(word for one in settings for word in ("--set", one)), "--yes", "--out", str(folder)]
    assert _exit_code(arguments) == code
    (run,) = run_folders(folder)
    return dict(json.loads((run / "result.json").read_text(encoding="utf-8")))


def test_what_was_planted_comes_back_from_the_test_piece(fast_cell: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = contour(fast_cell, tmp_path, "program.size=80 mm")
    causes = result["causes"]
    axes = mechanics.RIGS["router"]
    for axis in "XY":
        found = causes[f"backlash_{axis}"]
        assert abs(found["value"] - axes[axis].lost_m[0]) < found["uncertainty"] < axes[axis].lost_m[0] / 5
    # what velocity feed-forward leaves of 1/K_v
    mismatch = (1 - axes["X"].feed_forward) / axes["X"].gain_per_s - (1 - axes["Y"].feed_forward) / axes["Y"].gain_per_s
    assert abs(causes["servo_mismatch"]["value"] - mismatch) < causes["servo_mismatch"]["uncertainty"] < 20e-6
    # a mode of ω and Q lags by 1/(Q ω) behind what moves it
    structure = sum(sign / (axes[axis].mode_q * 2 * math.pi * axes[axis].mode_hz) for axis, sign in (("X", 1), ("Y", -1)))
    assert abs(causes["structure_mismatch"]["value"] - structure) < causes["structure_mismatch"]["uncertainty"] < 0.1 * abs(structure)
    assert abs(causes["squareness"]["value"]) < causes["squareness"]["uncertainty"]  # none is planted
    largest = {source: one["figures"]["e_max"]["value"] for source, one in result["sources"].items()}
    # corners are exact stops (G61); between two points of its planner, 1 ms apart, the controller's interpolation is off by a T²/8 at most
    assert largest["command"] <= mechanics.MAX_ACCELERATION_M_PER_S2 * 1e-6 / 8 < largest["feedback"] < largest["tool"]


def test_a_program_with_blending_and_a_helix_is_run_as_it_stands(fast_cell: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = tmp_path / "part.ngc"
    part.write_text(PROGRAM, encoding="utf-8")
    result = contour(fast_cell, tmp_path / "runs", f"program.file={part}", "program.start=['0 mm', '0 mm', '0 mm']")
    lines = {one["line"]: one for one in result["lines"]}
    assert [one["kind"] for one in result["lines"]] == ["rapid", "line", "line", "arc ccw", "helix cw", "arc ccw", "arc cw", "line"]  # line 9 goes along Z alone
    assert all(one["following_m"] is not None and one["following_m"] < 60e-6 for line, one in lines.items() if line != 4)
    # blending may leave the corner between lines 5 and 6 by P0.05, and does; whole circles stay circles
    (corner,) = (one for one in result["sources"]["command"]["corners"] if (one["line"], one["next_line"]) == (5, 6))
    # On the blending arc v² = a ρ; the controller's points and the recording's rows, 1 ms apart, each cut it by (v T)²/(8 ρ) = a T²/8 = 0.13 µm.
    assert 10e-6 < corner["undershoot_m"] < 50e-6 + 0.26e-6
    assert abs(lines[10]["peaks"]["cmd"]) < 60e-6
    # the helix climbs evenly: Z follows the angle, but for its servo and, at the tool, what is planted in Z
    assert result["across"]["across_fb"]["value"] < 100e-6
    assert math.isfinite(result["across"]["across_tool"]["value"])


def test_a_program_beyond_the_limits_does_not_start(fast_cell: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = tmp_path / "part.ngc"
    part.write_text("G21 G90 F600\nG1 X199.5\nG3 X199.5 Y4 J2 I0\n", encoding="utf-8")
    code = _exit_code(["run", "contour", "--machine", fast_cell.address, "--set", f"program={part}", "--yes", "--out", str(tmp_path / "runs")])
    assert code == 5
    said = capsys.readouterr().err
    assert "G-code line 3 leads to X 201.500 mm" in said and "Nothing was moved" in said
