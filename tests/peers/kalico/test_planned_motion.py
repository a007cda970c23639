"""The real Kalico: what its step generation makes of the motion that it planned, measured as a following error and held against published numbers.

Kalico has its own planner, kinematics, shapers and step compressor; this package has read none of it. Input shapers: impulses A_i at T_i, here those printed in the
literature's letters for 50 Hz and ζ = 0.1; a centred shaper leaves constant velocity alone, and at constant acceleration a moves the place by a/2·ΣA_i(T_i − T̄)².
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import tracking_steps
from precision.benchmarks.step_stream import PlannedSteps
from precision.cli import _exit_code
from precision.drivers.files import klipper_planned
from precision.runs.directory import run_folders

ACCELERATION = 2.0
"""m/s², of the machine's configuration."""
STEPPER_ERROR_S = 25e-6
"""`max_stepper_error` of Klipper: steps are sent up to so much early when they are compressed, and never late."""
TO_AND_FRO = "G90\n" + "".join(f"G1 {axis}{place} F6000\nG4 P300\n" for axis in "XY" for place in (20, 0, 20, 0))
SHAPERS = "[input_shaper]\nshaper_type_x: zv\nshaper_freq_x: 50\ndamping_ratio_x: 0.1\nshaper_type_y: mzv\nshaper_freq_y: 50\ndamping_ratio_y: 0.1\n"
ZV = ((0.578286, 0.421714), (0.0, 10.05038e-3))
MZV = ((0.365128, 0.407489, 0.227383), (0.0, 7.53778e-3, 15.07557e-3))


def spread(shaper: tuple[tuple[float, ...], tuple[float, ...]]) -> float:
    """ΣA_i(T_i − T̄)², s²."""
    a, t = (np.array(one) for one in shaper)
    return float(a @ (t - a @ t) ** 2)


def evaluated(made: Any, out: Path, *more: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """result.json of `precision analyze … --as tracking`, and its series by axis."""
    assert _exit_code(["analyze", str(made.stream), "--as", "tracking", *made.settings, *(word for one in more for word in ("--set", one)), "--out", str(out)]) == 0
    (run,) = run_folders(out)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return result, {one["axis"]: one for one in result["series"]}


def value(result: dict[str, Any], key: str) -> float:
    return float(result["figures"][key]["value"])


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory, kalico_run: Callable[..., Any]) -> Any:
    return kalico_run(tmp_path_factory.mktemp("shaped"), TO_AND_FRO, more=SHAPERS, planned=True)


@pytest.mark.parametrize("step_m", [0.1e-6, 12.5e-6], ids=["0.1 µm", "12.5 µm"])
def test_without_a_shaper_the_steps_are_within_the_compression_of_the_plan(kalico_run: Callable[..., Any], tmp_path: Path, step_m: float) -> None:
    made = kalico_run(tmp_path / "batch", TO_AND_FRO, step_m=step_m, planned=True)
    result, series = evaluated(made, tmp_path / "runs")
    assert set(series) == {"X", "Y"}
    for axis in series:
        assert series[axis]["flags"] == []
        # 100 mm/s; on the way from one step to the next half a step of the motor is missing or ahead
        assert value(result, f"e_max_{axis}") <= 0.1 * STEPPER_ERROR_S + step_m
        assert -STEPPER_ERROR_S <= value(result, f"velocity_lag_{axis}") <= 1e-6
        assert value(result, f"e_standstill_{axis}") <= step_m / 2
        u = result["figures"][f"e_max_{axis}"]["uncertainty"]
        assert u == pytest.approx(2 * step_m / np.sqrt(12), rel=1e-2)  # half a step, rectangular


def test_a_shaper_leaves_constant_velocity_and_moves_constant_acceleration_by_the_published_figure(shaped: Any, tmp_path: Path) -> None:
    result, _ = evaluated(shaped, tmp_path)
    expected = {"X": ACCELERATION / 2 * spread(ZV), "Y": ACCELERATION / 2 * spread(MZV)}
    assert expected == pytest.approx({"X": 24.63347e-6, "Y": 32.58735e-6}, rel=1e-6)
    for axis, figure in expected.items():
        # a place is known to half a step of 0.1 µm, and a step comes up to half of one early
        assert value(result, f"e_max_{axis}") == pytest.approx(figure, abs=0.1e-6)
        assert value(result, f"e_constant_{axis}") <= 0.1e-6
        assert value(result, f"e_standstill_{axis}") <= 0.05e-6
        assert abs(value(result, f"time_shift_{axis}")) < STEPPER_ERROR_S
        assert abs(value(result, f"velocity_lag_{axis}")) <= 0.5e-6  # half of the time between two steps at 100 mm/s


def test_within_an_acceleration_the_steps_lead_by_that_figure_and_within_a_cruise_by_nothing(shaped: Any) -> None:
    joined = tracking_steps.read(shaped.stream, PlannedSteps(dictionary=str(shaped.dictionary), config=str(shaped.config), planned=str(shaped.planned)))
    rate = 1000.0
    for axis, shaper in (("X", ZV), ("Y", MZV)):
        command, error = joined.axes[axis]["command"], joined.axes[axis]["command"] - joined.axes[axis]["feedback"]
        acceleration = np.gradient(np.gradient(command)) * rate**2
        velocity = np.gradient(command) * rate
        reach = 20  # ms: beyond the longest half of a shaper, twice
        for planned, sign in ((ACCELERATION, 1), (-ACCELERATION, -1), (0.0, 0)):
            same = np.abs(acceleration - planned) < 1e-3
            inside = np.convolve(same, np.ones(2 * reach + 1), mode="same") > 2 * reach + 0.5
            inside &= (np.abs(velocity) > 1e-3) | (sign != 0)
            assert inside.sum() > 20
            assert float(np.mean(error[inside])) == pytest.approx(-sign * ACCELERATION / 2 * spread(shaper), abs=0.05e-6)


def test_the_figures_do_not_depend_on_the_rate(shaped: Any, tmp_path: Path) -> None:
    slow, _ = evaluated(shaped, tmp_path / "1", "steps.rate=1 kHz")
    fast, _ = evaluated(shaped, tmp_path / "2", "steps.rate=2 kHz")
    for axis in "XY":
        for key in ("e_max", "e_constant", "e_standstill"):
            assert value(fast, f"{key}_{axis}") == pytest.approx(value(slow, f"{key}_{axis}"), abs=0.1e-6)
        # 1 sample in 1000 more or less of the same transitions
        assert value(fast, f"e_rms_{axis}") == pytest.approx(value(slow, f"e_rms_{axis}"), rel=5e-3)
        assert value(fast, f"velocity_lag_{axis}") == pytest.approx(value(slow, f"velocity_lag_{axis}"), abs=1e-8)


def test_the_report_says_that_there_is_no_encoder_and_the_run_proves_its_result(shaped: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(shaped, tmp_path)
    (run,) = run_folders(tmp_path)
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "There is no encoder" in report and "kalico 2026" in report
    before = (run / "result.json").read_bytes()
    assert _exit_code(["analyze", str(run)]) == 0
    assert (run / "result.json").read_bytes() == before
    assert _exit_code(["runs", "verify", str(run)]) == 0
    assert "result and report are those of the raw data" in capsys.readouterr().out


def test_a_homed_program_is_taken_from_where_its_position_was_set_last(kalico_run: Callable[..., Any], tmp_path: Path) -> None:
    # homing drives Z for 60 s, X rests meanwhile for longer than 32 bits of a clock of 50 MHz (86 s) and then makes its way
    made = kalico_run(tmp_path / "batch", "G28\n" + TO_AND_FRO, before="", step_m=2e-6, planned=True)
    planned = klipper_planned.read(made.planned)
    assert planned.moves == 9 and planned.left_out > 6 and planned.begin_s > 190
    result, _ = evaluated(made, tmp_path / "runs")
    assert all(value(result, f"e_max_{axis}") <= 0.1 * STEPPER_ERROR_S + 2e-6 for axis in "XY")


def test_a_program_with_arcs_corners_and_another_acceleration_stays_within_half_a_step_but_for_a_corner(kalico_run: Callable[..., Any], tmp_path: Path) -> None:
    program = "G90\nG1 X10 F1200\nG1 Y10\nG1 X20 Y0\nG3 X20 Y0 I-20 J0\nG1 Z3.3 F300\nG4 P2000\nSET_VELOCITY_LIMIT ACCEL=500\nG1 X0 Y-20 Z1 F6000\n"
    made = kalico_run(tmp_path / "batch", program, step_m=1e-6, planned=True)
    planned = klipper_planned.read(made.planned)
    assert planned.moves > 1000  # chords of 0.1 mm
    result, series = evaluated(made, tmp_path / "runs")
    assert set(series) == {"X", "Y", "Z"}
    joined = tracking_steps.read(made.stream, PlannedSteps(dictionary=str(made.dictionary), config=str(made.config), planned=str(made.planned)))
    for axis in series:
        assert series[axis]["flags"] == []
        # on the way at most half of the time between two steps early, where it turns round within half of one: half a step, as far as the clock's ticks tell
        error = np.abs(joined.axes[axis]["command"] - joined.axes[axis]["feedback"])
        assert np.quantile(error, 0.999) <= 0.5e-6 + 0.1 / 50e6
        # a step that would be taken back within 0.75 ms is not sent at all: at a sharp corner one is missing
        assert value(result, f"e_max_{axis}") <= 1.5e-6


def test_bad_input_is_refused_by_name(shaped: Any, kalico_run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = kalico_run(tmp_path / "other", TO_AND_FRO, step_m=1e-6, planned=True)
    damaged = tmp_path / "damaged.csv"
    lines = shaped.planned.read_text(encoding="ascii").splitlines(keepends=True)
    damaged.write_text("".join([*lines[:4], lines[4].replace("100.0", "200.0"), *lines[5:]]), encoding="ascii")
    slower = tmp_path / "slower.dict"
    slower.write_text(shaped.dictionary.read_text(encoding="utf-8").replace("50000000", "20000000"), encoding="utf-8")
    for changed, said in (
        ({"planned": None}, "planned_motion.py"), ({"planned": other.planned}, "is the plan of other steps"), ({"planned": damaged}, "damaged.csv, line 5: start_v, accel"),
        ({"planned": tmp_path / "absent.csv"}, "cannot be read"), ({"dictionary": None}, "missing: dictionary"), ({"config": other.config}, "X is 180 mm from its planned position"),
        ({"dictionary": slower}, "the motor of X moves from"), ({"dictionary": shaped.config}, "is no dictionary"),
    ):  # fmt: skip
        named = {"dictionary": shaped.dictionary, "config": shaped.config, "planned": shaped.planned} | changed
        settings = [word for name, path in named.items() if path is not None for word in ("--set", f"steps.{name}={path}")]
        code = _exit_code(["analyze", str(shaped.stream), "--as", "tracking", *settings, "--out", str(tmp_path / "runs")])
        told = " ".join(capsys.readouterr().err.split())
        assert code in (2, 6), told
        assert said in told
    assert not (tmp_path / "runs").exists()


def test_a_motion_beside_the_tool_head_is_seen(kalico_run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = kalico_run(tmp_path / "batch", TO_AND_FRO + "FORCE_MOVE STEPPER=stepper_x DISTANCE=1 VELOCITY=5\n", step_m=1e-6, planned=True)
    assert _exit_code(["analyze", str(made.stream), "--as", "tracking", *made.settings, "--out", str(tmp_path / "runs")]) == 6
    assert "FORCE_MOVE" in capsys.readouterr().err


def test_a_program_that_ends_with_a_fault_leaves_no_plan(kalico_run: Callable[..., Any], tmp_path: Path) -> None:
    made = kalico_run(tmp_path / "out", "G90\nG1 X20 F6000\nG1 X200\n", planned=True, good=False)
    assert made.said.returncode != 0 and "ended with a fault" in made.said.stderr
    assert not made.planned.exists() and not list((tmp_path / "out").glob(".planned*"))
