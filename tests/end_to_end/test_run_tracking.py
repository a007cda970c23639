"""`precision run tracking` and `precision analyze FILE --as tracking` as a user types them, and what is wrong with a log, named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from precision.cli import _exit_code
from precision.drivers.lab.motion import Trapezoid

RATE_HZ = 1000.0
GAIN, RIPPLE_M, PERIOD_M = 50.0, 0.4e-6, 5e-3
MOVE = Trapezoid.over(0.1, feed_m_per_s=0.05, acceleration_m_per_s2=1.0)
REST_S = 0.6
LEG_S = MOVE.duration_s + REST_S
TIME_S = np.arange(0, 2 * LEG_S + REST_S, 1 / RATE_HZ)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """As `precision`, in this process: what is refused needs no new interpreter each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments: str, code: int = 0) -> SimpleNamespace:
        found = _exit_code(list(arguments))
        said = capsys.readouterr()
        assert found == code, f"exit {found}\n{said.out}\n{said.err}"
        return SimpleNamespace(stdout=said.out, stderr=said.err)

    return run


def _motion() -> tuple[np.ndarray, np.ndarray]:
    """Command and feedback of an axis that goes to and fro once behind a loop of 50 /s, with a ripple every 5 mm."""
    fine = np.arange(0, TIME_S[-1] + 1e-9, 1e-4)
    command = MOVE.travelled_at(fine - REST_S) - MOVE.travelled_at(fine - REST_S - LEG_S)
    feedback, at = np.empty_like(command), 0.0
    for k, place in enumerate(command.tolist()):
        at += (place - at) * (1 - np.exp(-GAIN * 1e-4))
        feedback[k] = at
    return command[::10], feedback[::10] + RIPPLE_M * np.sin(2 * np.pi * feedback[::10] / PERIOD_M)


def _written(path: Path, header: str, *columns: np.ndarray) -> Path:
    path.write_text("\n".join([header, *(",".join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True))]) + "\n", encoding="utf-8")
    return path


def _result(tmp_path: Path) -> dict[str, Any]:
    (file,) = (tmp_path / "runs").glob("*tracking*/result.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_the_ready_plan_runs_reproduces_and_has_its_figures(precision, tmp_path: Path) -> None:
    out = precision("run", "tracking", "--set", "motion.repeats=1").stdout
    for words in ("Following error", "Time and gain", "Ripple along the travel", "Conforms"):
        assert words in out
    (run,) = (tmp_path / "runs").glob("*tracking-x*")
    truth = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    figures = _result(tmp_path)["figures"]
    lag = truth["parameters"]["x"]["servo_lag_s"]
    assert abs(figures["loop_gain"]["value"] - 1 / lag) <= figures["loop_gain"]["uncertainty"]
    assert abs(figures["ripple_period_forward"]["value"] - truth["servo"]["ripple"]["X"]["period_m"]) <= 1.5 * figures["ripple_period_forward"]["uncertainty"]
    report = (run / "report.html").read_text(encoding="utf-8")
    for words in ("How to read it", "Following error, X, 6000 mm/min", "Ripple along the travel, X, 6000 mm/min", "Following error by phase", "Traverses at constant velocity"):
        assert words in report
    assert "are the same" in precision("reproduce", run.name).stdout
    changed = precision("analyze", run.name, "--set", 'limits.e_max="0.4 mm"', code=1).stdout
    assert "does not conform" in changed.lower()


def test_a_dry_run_says_what_would_move(typed, tmp_path: Path) -> None:
    out = typed("run", "tracking", "--dry-run", "--set", 'motion.feeds=["1500 mm/min", "3000 mm/min"]').stdout
    assert "X to and fro 3 times at 1500, 3000 mm/min" in out and "record 2: X, 3000 mm/min" in out
    assert "nothing moved" in out and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (('motion.high=["2 m"]',), 5, "soft limits"),
        (('motion.axes=["A"]',), 5, "no axis A"),
        (('motion.feeds=["30000 mm/min"]',), 5, "the controller allows"),
        (('motion.high=["200 mm"]',), 2, "upper end must lie above"),
        (('motion.axes=["X", "Y"]',), 2, "one of each for each axis"),
        (('motion.low=["499.9 mm"]',), 2, "samples"),
        (("program.file=nothing.ngc",), 2, "cannot be read"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_cannot_be_driven_is_refused_before_anything_moves(typed, tmp_path: Path, settings: tuple[str, ...], code: int, said: str) -> None:
    told = typed("run", "tracking", *(word for setting in settings for word in ("--set", setting)), code=code).stderr
    assert said in told.replace("\n", " ")
    assert not list((tmp_path / "runs").glob("*")) if (tmp_path / "runs").exists() else True


def test_a_program_needs_a_controller_that_reads_g_code(typed, tmp_path: Path) -> None:
    (tmp_path / "part.ngc").write_text("G21 G90\nF600\nG1 X300 Y100\nG1 X310\nM2\n", encoding="utf-8")
    assert "2 motions on X, Y" in typed("run", "tracking", "--dry-run", "--set", "program.file=part.ngc").stdout
    assert "runs no part programs" in typed("run", "tracking", "--set", "program.file=part.ngc", code=2).stderr
    (tmp_path / "part.ngc").write_text("G21 G91\nF600\nG1 X10\nM2\n", encoding="utf-8")
    assert "from where the machine stands" in typed("run", "tracking", "--dry-run", "--set", "program.file=part.ngc", code=2).stderr


def test_a_log_of_one_axis_gives_gain_lag_and_ripple(precision, tmp_path: Path) -> None:
    command, feedback = _motion()
    _written(tmp_path / "log.csv", "t_s,command [mm],feedback_um", TIME_S, 1e3 * command, 1e6 * feedback)
    out = precision("analyze", "log.csv", "--as", "tracking").stdout
    assert "synchronisation" in out
    result = _result(tmp_path)
    figures = result["figures"]
    assert figures["velocity_lag"]["uncertainty"] is None and "synchronisation" in figures["velocity_lag"]["uncertainty_reason"]
    # The log has nine digits and the loop was made in steps of 0.1 ms: half a step is 0.25 % of the lag.
    assert figures["k_v"]["value"] == pytest.approx(GAIN, rel=4e-3) and figures["loop_gain"]["value"] == pytest.approx(GAIN, rel=4e-3)
    assert figures["e_constant"]["value"] == pytest.approx(0.05 / GAIN + RIPPLE_M, rel=3e-3)
    for direction in ("forward", "backward"):
        assert figures[f"ripple_{direction}"]["value"] == pytest.approx(RIPPLE_M, rel=0.03)
        assert figures[f"ripple_period_{direction}"]["value"] == pytest.approx(PERIOD_M, rel=2e-3)
    assert {one["phase"] for one in result["series"][0]["phases"]} == {"acceleration", "constant velocity", "deceleration", "settling", "standstill"}


def test_a_log_of_several_axes_has_a_table_by_line(typed, tmp_path: Path) -> None:
    command, feedback = _motion()
    line = np.where(TIME_S < REST_S, 0, np.where(TIME_S < REST_S + LEG_S, 7, 9))
    _written(tmp_path / "log.csv", "time [ms],x_cmd_mm,x_fb_mm,y_cmd_mm,y_fb_mm,line", 1e3 * TIME_S, 1e3 * command, 1e3 * feedback, 500 * command, 500 * command, line)
    typed("analyze", "log.csv", "--as", "tracking", "--set", 'uncertainty.synchronisation="10 µs"')
    result = _result(tmp_path)
    assert [one["line"] for one in result["lines"]] == [7, 9] and set(result["lines"][0]["rms"]) == {"X", "Y"}
    assert result["lines"][0]["largest"]["X"] == pytest.approx(0.05 / GAIN, rel=0.02) and result["lines"][0]["largest"]["Y"] < 1e-9
    assert result["figures"]["e_max_X"]["uncertainty"] is not None
    (report,) = (tmp_path / "runs").glob("*/report.html")
    shown = report.read_text(encoding="utf-8").lower()
    assert all(f"largest |following error|, {axis}" in shown for axis in "xy")  # a headline says whose it is
    assert "Following error by line of G-code" in report.read_text(encoding="utf-8")


def test_the_rounding_of_a_difference_is_no_difference_to_the_controllers_own_error(typed, tmp_path: Path) -> None:
    """Decimal millimetres subtracted here and there differ by a bit of the position: 2e-18 m is no figure in pm."""
    command, feedback = (np.round(1e3 * part, 4) for part in _motion())
    _written(tmp_path / "log.csv", "t_s,command_mm,feedback_mm,reported_mm", TIME_S, command, feedback, np.round(command - feedback, 4))
    typed("analyze", "log.csv", "--as", "tracking")
    assert _result(tmp_path)["figures"]["own_difference"]["value"] == 0.0


def test_uneven_samples_are_quantified_and_resampled_when_asked_for(typed, tmp_path: Path) -> None:
    command, feedback = _motion()
    t = TIME_S + np.random.default_rng(4).uniform(-1.5e-4, 1.5e-4, TIME_S.size)
    _written(tmp_path / "log.csv", "t_s,command_m,feedback_m", t, np.interp(t, TIME_S, command), np.interp(t, TIME_S, feedback))
    said = typed("analyze", "log.csv", "--as", "tracking", code=6).stderr
    assert "not evenly spaced" in said and "jitter" in said and "--resample" in said
    assert "resampled by cubics" in typed("analyze", "log.csv", "--as", "tracking", "--resample").stdout.replace("\n", " ")
    k_v = [json.loads(file.read_text(encoding="utf-8"))["figures"]["k_v"]["value"] for file in (tmp_path / "runs").glob("*/result.json")]
    assert k_v == [pytest.approx(GAIN, rel=0.01)]


def test_a_gap_is_refused_and_a_frozen_feedback_flagged(typed, tmp_path: Path) -> None:
    command, feedback = _motion()
    keep = np.ones(TIME_S.size, dtype=bool)
    keep[1500:1540] = False
    _written(tmp_path / "gap.csv", "t_s,command_m,feedback_m", TIME_S[keep], command[keep], feedback[keep])
    assert "1 gaps, 40 samples missing" in typed("analyze", "gap.csv", "--as", "tracking", code=6).stderr
    assert "40 samples are missing" in typed("analyze", "gap.csv", "--as", "tracking", "--resample", code=6).stderr
    _written(tmp_path / "cut.csv", "t_s,command_m,feedback_m", TIME_S, command, np.minimum(feedback, 0.07))
    out = typed("analyze", "cut.csv", "--as", "tracking").stdout.replace("\n", " ")
    assert "the feedback stays at 0.07 m" in out and "saturated, clipped or frozen" in out


@pytest.mark.parametrize(
    ("header", "code", "said"),
    [
        ("t_s,command_mm,feedback_rad", 2, "expected in one unit"),
        ("t_s,command_V,feedback_V", 2, "a length or an angle is expected"),
        ("t_s,command_mm,weight_mm", 6, "no column 'feedback'"),
        ("t_s,x_cmd_mm,x_fb_deg", 2, "expected in one unit"),
        ("t_s,command_mm,position_mm,feedback_mm", 6, "could both be feedback"),
    ],
)
def test_what_is_wrong_with_the_columns_is_named(typed, tmp_path: Path, header: str, code: int, said: str) -> None:
    command, _ = _motion()
    _written(tmp_path / "log.csv", header, TIME_S, *[command] * header.count(","))
    assert said in typed("analyze", "log.csv", "--as", "tracking", code=code).stderr.replace("\n", " ")


def test_without_constant_velocity_the_gain_is_refused_with_its_reason(typed, tmp_path: Path) -> None:
    t = np.arange(0, 4, 1e-3)
    command = 0.01 * (1 - np.cos(2 * np.pi * t))
    _written(tmp_path / "log.csv", "t_s,set_mm,position_mm", t, 1e3 * command, 1e3 * np.interp(t - 2e-3, t, command))
    typed("analyze", "log.csv", "--as", "tracking")
    figures = _result(tmp_path)["figures"]
    assert figures["k_v"]["value"] is None and "no stretch at constant velocity of 0.1 s or more" in figures["k_v"]["reason"]
    assert figures["e_constant"]["value"] is None and figures["ripple_forward"]["value"] is None
    assert figures["time_shift"]["value"] == pytest.approx(2e-3, rel=1e-3)


def test_a_command_that_stands_is_refused(typed, tmp_path: Path) -> None:
    t = np.arange(0, 1, 1e-3)
    _written(tmp_path / "log.csv", "t_s,command_mm,feedback_mm", t, np.ones(t.size), np.ones(t.size))
    assert "a following error needs a motion" in typed("analyze", "log.csv", "--as", "tracking", code=6).stderr.replace("\n", " ")
