"""Circles driven by a real controller: a bar on the tool sees servo, drives and mechanics; on the feedbacks no mechanics; the commands are a circle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from precision.cli import _exit_code
from precision.drivers.linuxcnc.cell import launch, mechanics
from precision.drivers.linuxcnc.driver import LinuxCnc
from precision.drivers.linuxcnc.path import Origin, program
from precision.drivers.roles import Arc, Line, PathController
from precision.errors import PlanError, SafetyStop
from precision.runs.directory import run_folders


def circle(cell: launch.Cell, folder: Path, of: str) -> dict[str, Any]:
    """The result of one circular test, at one feed."""
    arguments = ["run", "circular", "--machine", cell.address, "--set", f"devices.ballbar.options.of={of}", "--yes", "--out", str(folder)]
    assert _exit_code(arguments) == 0
    (run,) = run_folders(folder)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = result["feeds"][0]
    return found


def test_servo_drives_and_mechanics_are_told_apart(cell: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by = {of: circle(cell, tmp_path / of, of) for of in ("tool", "fb")}
    errors = {of: {name: one["circularity_m"] for name, one in result["diagnosis"]["errors"].items()} for of, result in by.items()}
    for axis in ("X", "Y"):
        planted = mechanics.RIGS["router"][axis].lost_m[0]
        # The bar's U of a backlash is 10 nm here; the vibration of the floor (up to 40 nm) is no part of it.
        assert errors["tool"][f"backlash_{axis.lower()}"] == pytest.approx(planted, abs=60e-9)
        assert abs(errors["fb"][f"backlash_{axis.lower()}"]) < 0.1e-6  # one count of the encoder
    circularity = {of: result["iso230_4"]["figures"]["G_XY"]["value"] for of, result in by.items()}
    assert 1e-6 < circularity["fb"] < circularity["tool"]


def test_a_path_is_checked_over_its_whole_way_before_anything_moves(controller: LinuxCnc) -> None:
    assert isinstance(controller, PathController)
    controller.move_to({"X": 0.15, "Y": 0.0}, feed_m_per_s=0.1)
    with pytest.raises(SafetyStop, match=r"Y 250\.0000 mm"):  # both ends are inside, the top is not
        controller.follow([Arc(axes=("X", "Y"), centre_m=(0.0, 0.0), sweep_rad=0.0001), Line(end_m={"Y": 0.25}), Line(end_m={"Y": 0.0})], feed_m_per_s=0.1)
    with pytest.raises(SafetyStop, match="soft limits"):
        controller.follow([Arc(axes=("X", "Y"), centre_m=(0.0, 0.15), sweep_rad=2 * math.pi)], feed_m_per_s=0.1)
    assert controller.beside.row()["x_cmd"] == pytest.approx(0.15, abs=1e-9)


def test_an_arc_of_more_than_a_turn_is_one_line_and_comes_back(controller: LinuxCnc) -> None:
    controller.move_to({"X": 0.01, "Y": 0.0}, feed_m_per_s=0.1)
    stream = controller.another_beside()
    stream.frames.start()
    controller.follow([Arc(axes=("X", "Y"), centre_m=(0.0, 0.0), sweep_rad=2.5 * math.pi)], feed_m_per_s=0.1)
    row = controller.beside.row()
    x_at, y_at, rows = stream.names.index("x_cmd"), stream.names.index("y_cmd"), 0
    while (block := stream.frames.read(5.0)) is not None and rows < 800:
        rows += len(block.values)
        # A joint's command is interpolated between path points 1 ms apart, at 0.1 m/s on 10 mm: a chord is 0.125 µm inside the circle.
        assert all(abs(math.hypot(x, y) - 0.01) < 0.2e-6 for x, y in block.values[:, [x_at, y_at]])
    stream.close()
    assert rows >= 800
    assert (row["x_cmd"], row["y_cmd"]) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.01, abs=1e-9))


def test_coordinates_are_the_machines_whatever_offsets_are_active(controller: LinuxCnc) -> None:
    controller.run_program("G21 G90\nG10 L2 P1 X3 Y-2\nG92 X1\nG1 X5 F3000\nM2\n")
    try:
        controller.move_to({"X": 0.02, "Y": 0.0}, feed_m_per_s=0.1)
        controller.follow([Arc(axes=("X", "Y"), centre_m=(0.0, 0.0), sweep_rad=math.pi)], feed_m_per_s=0.1)
        row = controller.beside.row()
        assert (row["x_cmd"], row["y_cmd"]) == (pytest.approx(-0.02, abs=1e-9), pytest.approx(0.0, abs=1e-9))
    finally:
        controller.run_program("G21 G90\nG10 L2 P1 X0 Y0\nG92.1\nM2\n")


def test_what_g_code_cannot_say_is_refused() -> None:
    origin = Origin(system="G54", offset_m={"X": 0.001})
    start = {"X": 0.01, "Y": 0.0, "Z": 0.0}
    for path in ([], [Arc(axes=("X", "Y"), centre_m=(0.01, 0.0), sweep_rad=1.0)], [Arc(axes=("Y", "X"), centre_m=(0.0, 0.0), sweep_rad=1.0)],
                 [Arc(axes=("X", "Y"), centre_m=(0.0, 0.0), sweep_rad=1.0), Arc(axes=("Y", "Z"), centre_m=(0.0, 1.0), sweep_rad=1.0)]):  # fmt: skip
        with pytest.raises(PlanError):
            program(path, start, 0.01, origin)
    ready = program([Arc(axes=("X", "Y"), centre_m=(0.0, 0.0), sweep_rad=2 * math.pi)], start, 0.01, origin)
    assert "G3 X9.0000000 Y0.0000000 I-10.0000000 J0.0000000 P1" in ready.text
