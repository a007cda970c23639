"""Friction as a user measures it: the ready plan, logs of one's own with velocities, reversals or circles, and what is
wrong with them named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHORT = (
    "--set",
    "velocities.count=6",
    "--set",
    "velocities.longest=0.5 s",
    "--set",
    "moves.repeats=1",
    "--set",
    "reversal.cycles=2",
    "--set",
    "circle.turns=2",
    "--set",
    "circle.speeds=[0.1]",
)


def _written(path: Path, header: str, *columns: np.ndarray, separator: str = ",") -> Path:
    lines = [header] + [separator.join(f"{value:.10g}" for value in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _result(tmp_path: Path, name: str) -> dict[str, Any]:
    run = max((tmp_path / "runs").glob(f"*{name}*"), key=lambda folder: folder.stat().st_mtime)
    whole = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return whole.get("result", whole)


def _ladder() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs at eight speeds, to and fro at 500 Hz: 3 N Coulomb, 5 N static, v_s 10 mm/s, 40 N s/m, offset 0.5 N, 8 kg."""
    v = np.zeros(500)
    for speed in np.geomspace(2e-3, 0.2, 8):
        for sign in (1.0, -1.0):
            way = np.concatenate(
                [
                    speed * np.sin(np.linspace(0, math.pi / 2, 100)) ** 2,
                    np.full(500, speed),
                    speed * np.cos(np.linspace(0, math.pi / 2, 100)) ** 2,
                    np.zeros(100),
                ]
            )
            v = np.concatenate([v, sign * way])
    a = np.gradient(v) * 500
    f = 8 * a + 40 * v + np.sign(v) * (3 + 2 * np.exp(-((v / 0.01) ** 2))) + 0.5
    return np.arange(v.size) / 500, np.cumsum(v) / 500, f + 0.02 * np.random.default_rng(1).normal(size=v.size)


def test_the_ready_plan_runs_with_its_reversals_and_reproduces(precision, tmp_path: Path) -> None:
    out = precision("run", "friction", *SHORT, timeout_s=240).stdout
    assert "Conforms" in out
    figures = _result(tmp_path, "friction-emps-table")["figures"]
    for key, true in (
        ("ff_mass", 95.1089),
        ("ff_viscous", 203.5034),
        ("coulomb", 20.3935),
        ("backlash", 12e-6),
        ("lost_motion", 20e-6),
        ("stiffness", 4e6),
    ):
        assert abs(figures[key]["value"] - true) <= figures[key]["uncertainty"] * 1.5, key
    (run,) = (tmp_path / "runs").glob("*friction*")
    page = (run / "report.html").read_text(encoding="utf-8")
    for title in (
        "Friction over velocity",
        "Feed-forward model of the moves",
        "Lost motion: force over motor − load",
        "Hysteresis: force over position",
        "Quadrant glitches",
    ):
        assert title in page
    assert page.count("How to read it") == 5
    precision("reproduce", "last")


def test_without_a_force_constant_friction_is_in_volts(precision, tmp_path: Path) -> None:
    text = (
        precision("plan", "show", "friction")
        .stdout.replace("force_constant = 35.15", "# force_constant")
        .replace("force_constant_u", "# force_constant_u")
    )
    (tmp_path / "volts.toml").write_text(text.replace('plant = "emps-table"', 'plant = "emps"'), encoding="utf-8")
    out = precision("run", "volts.toml", *SHORT, code=0, timeout_s=240).stdout
    assert "no channel load" in " ".join(out.split()) and "Limits for backlash, lost_motion were given" in " ".join(
        out.split()
    )
    figures = _result(tmp_path, "friction-emps")["figures"]
    assert figures["coulomb"]["unit"] == "V"
    assert figures["coulomb"]["value"] == pytest.approx(20.3935 / 35.15, rel=0.02)


def test_a_log_of_runs_gives_the_curve_and_a_validated_model(precision, tmp_path: Path) -> None:
    t, x, f = _ladder()
    _written(tmp_path / "log.csv", "Zeit (ms);Kraft (N);ActPos [mm]", 1e3 * t, f, 1e3 * x, separator=";")
    columns = ("--column", "time=Zeit", "--column", "input=Kraft", "--column", "output=ActPos")
    precision(
        "analyze",
        "log.csv",
        "--as",
        "friction",
        *columns,
        "--set",
        "evaluation.held=false",
        "--set",
        "evaluation.v_min=0.03",
        "--set",
        "evaluation.cutoff=50 Hz",
    )
    figures = _result(tmp_path, "friction-imported")["figures"]
    for key, true in (("coulomb", 3.0), ("static", 5.0), ("viscous", 40.0), ("offset", 0.5), ("stribeck_velocity", 0.01)):
        assert figures[key]["value"] == pytest.approx(true, abs=max(1.5 * figures[key]["uncertainty"], 2e-3 * true)), key
    assert figures["ff_mass"]["unit"] == "kg" and figures["ff_mass"]["value"] == pytest.approx(8.0, rel=0.03)
    assert figures["ff_validated_r2"]["value"] > 0.99


def test_a_log_of_reversals_tells_backlash_from_windup(precision, tmp_path: Path) -> None:
    phase = np.linspace(0, 3, 12_000, endpoint=False)
    motor = 100e-6 * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
    sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
    load, held = np.empty_like(motor), 0.0
    for k, at in enumerate(motor):
        held = min(max(held, at - 10e-6), at + 10e-6)
        load[k] = held
    x = motor - load
    force = 2 * sense + 5e5 * np.sign(x) * np.maximum(np.abs(x) - 6e-6, 0)
    _written(
        tmp_path / "log.csv", "t_s,input_N,output_um,load_um", np.arange(phase.size) / 1000, force, 1e6 * motor, 1e6 * load
    )
    precision("analyze", "log.csv", "--as", "friction", "--set", "evaluation.motion=reversal")
    figures = _result(tmp_path, "friction-imported")["figures"]
    for key, true in (
        ("lost_motion", 20e-6),
        ("backlash", 12e-6),
        ("windup", 8e-6),
        ("stiffness", 5e5),
        ("load_friction", 2.0),
        ("drive_friction", 2.0),
    ):
        assert figures[key]["value"] == pytest.approx(true, rel=0.03), key
    _written(tmp_path / "log.csv", "t_s,input_N,output_um,load_V", np.arange(phase.size) / 1000, force, 1e6 * motor, load)
    assert "load is in V and output in m" in precision("analyze", "log.csv", "--as", "friction", code=2).stderr


def test_a_log_of_a_circle_gives_the_quadrant_glitches(precision, tmp_path: Path) -> None:
    t = np.arange(8000) / 1000
    r = 0.02 * np.cos(2 * math.pi * t / 2)
    late = 0.02 * np.cos(2 * math.pi * t / 2) - 2e-6 * np.where(np.sin(2 * math.pi * (t - 0.02) / 2) < 0, 1, -1)
    _written(tmp_path / "log.csv", "t_s,set_m,input_N,output_m", t, r, np.sign(np.gradient(r)), late)
    precision("analyze", "log.csv", "--as", "friction", "--set", "evaluation.motion=circle")
    figures = _result(tmp_path, "friction-imported")["figures"]
    assert figures["glitch_1_step"]["value"] == pytest.approx(-4e-6, rel=0.01)
    assert abs(figures["glitch_1_height_upper"]["value"]) == pytest.approx(4e-6, rel=0.02)
    assert figures["glitch_1_width_upper"]["value"] == pytest.approx(0.02, abs=0.003)


def test_a_dry_run_says_what_would_be_done_and_moves_nothing(precision, tmp_path: Path) -> None:
    out = " ".join(precision("run", "friction", "--dry-run").stdout.split())
    assert "12, 0.001 … 0.12 m/s, there and back" in out and "35.15 N/V" in out and "travel is asked for" in out
    assert not (tmp_path / "runs").exists()
    assert (
        "velocities.distance" in precision("run", "friction", "--dry-run", "--set", "velocities.fastest=0.5", code=2).stderr
    )
