"""Logs of steps and of friction that are broken, incomplete or of something else: each is refused, or flagged, in
words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks import friction_procedure, step_response_procedure
from precision.benchmarks.execution import evaluated
from precision.errors import DataError, PlanError


def judged(tmp_path: Path, procedure: str, header: str, *columns: np.ndarray, settings: tuple[str, ...] = ()) -> str:
    """What the report of a log says in its notes."""
    path = tmp_path / "log.csv"
    lines = [header] + [
        ",".join("" if math.isnan(value) else f"{value:.10g}" for value in row) for row in zip(*columns, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    read_file = {"friction": friction_procedure, "step-response": step_response_procedure}[procedure].PROCEDURE.read_file
    assert read_file is not None
    return " ".join(note.text for note in evaluated(read_file(path, tmp_path / "runs", settings=settings)).document.notes)


def steps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = np.arange(500) / 1000
    shape = 1 - np.exp(-62.832 * t) * (np.cos(108.83 * t) + 0.57735 * np.sin(108.83 * t))
    y = np.concatenate([np.zeros(500), 1e-4 * shape, 1e-4 * (1 - shape)])
    return np.arange(1500) / 1000, np.repeat([0.0, 1e-4, 0.0], 500), y + 1e-9 * np.random.default_rng(1).normal(size=1500)


def runs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight speeds there and back at 500 Hz; 3 N, 40 N s/m, 8 kg."""
    v = np.zeros(200)
    for speed in np.geomspace(5e-3, 0.2, 8):
        for sign in (1.0, -1.0):
            up = speed * np.sin(np.linspace(0, math.pi / 2, 60)) ** 2
            v = np.concatenate([v, sign * np.concatenate([up, np.full(200, speed), up[::-1], np.zeros(40)])])
    f = 8 * np.gradient(v) * 500 + 40 * v + 3 * np.sign(v)
    return np.arange(v.size) / 500, np.cumsum(v) / 500, f + 0.02 * np.random.default_rng(1).normal(size=v.size)


def test_steps_with_gaps_profiles_or_no_set_point_are_refused(tmp_path: Path) -> None:
    t, r, y = steps()
    keep = np.ones(t.size, dtype=bool)
    keep[700:800] = False
    with pytest.raises(DataError, match="100 samples missing"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t[keep], r[keep], y[keep])
    with pytest.raises(DataError, match="100 samples missing"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t, r, np.where(keep, y, np.nan))
    with pytest.raises(DataError, match="follows a profile"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t, np.minimum(t, 1.0), y)
    with pytest.raises(DataError, match="no column 'set'"):
        judged(tmp_path, "step-response", "t_s,output_m", t, y)
    with pytest.raises(DataError, match="there is no step"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t, 0 * r, y)
    with pytest.raises(DataError, match="did not move"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t, r, 0 * y)
    with pytest.raises(PlanError, match="set is in m and output in V"):
        judged(tmp_path, "step-response", "t_s,set_m,output_V", t, r, y)
    with pytest.raises(DataError, match=r"step 1 of 2, at 0\.5 s: the window of 2 s"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", t, r, y, settings=("evaluation.window=2 s",))


def test_steps_that_were_cut_off_are_flagged(tmp_path: Path) -> None:
    t, r, y = steps()
    assert "overshoot is cut off" in judged(tmp_path, "step-response", "t_s,set_m,output_m", t, r, np.minimum(y, 1.05e-4))
    held = np.clip(1e5 * (r - y), -2, 2) + np.where(
        np.abs(r - y) < 2e-5, 1e-3 * np.random.default_rng(2).normal(size=t.size), 0
    )
    assert "the drive is at its limit" in judged(tmp_path, "step-response", "t_s,set_m,output_m,input_V", t, r, y, held)
    assert "stepped once" in judged(tmp_path, "step-response", "t_s,set_m,output_m", t, r, y)


def test_jumps_stay_jumps_when_uneven_samples_are_brought_to_even_steps(tmp_path: Path) -> None:
    t, r, y = steps()
    uneven = t + np.where(np.arange(t.size) % 2, 3e-4, 0.0)
    with pytest.raises(DataError, match="not evenly spaced"):
        judged(tmp_path, "step-response", "t_s,set_m,output_m", uneven, r, y)
    assert "Resampled by cubics" in judged(
        tmp_path, "step-response", "t_s,set_m,output_m", uneven, r, y, settings=("evaluation.resample=true",)
    )


def test_friction_without_force_without_motion_or_with_gaps_is_refused(tmp_path: Path) -> None:
    t, x, f = runs()
    low = ("evaluation.cutoff=50 Hz",)
    with pytest.raises(DataError, match="no column 'input'"):
        judged(tmp_path, "friction", "t_s,output_m", t, x)
    with pytest.raises(DataError, match="not evenly spaced"):
        judged(tmp_path, "friction", "t_s,input_N,output_m", t + np.where(np.arange(t.size) % 2, 6e-4, 0), f, x)
    keep = np.ones(t.size, dtype=bool)
    keep[900:950] = False
    with pytest.raises(DataError, match="50 samples missing"):
        judged(tmp_path, "friction", "t_s,input_N,output_m", t[keep], f[keep], x[keep])
    with pytest.raises(DataError, match="nothing moved"):
        judged(tmp_path, "friction", "t_s,input_N,output_m", t, f, 0 * x)
    with pytest.raises(PlanError, match="load is in V and output in m"):
        judged(tmp_path, "friction", "t_s,input_N,output_m,load_V", t, f, x, x)
    with pytest.raises(DataError, match=r"nothing can be evaluated: .*no stretch of constant velocity"):
        judged(
            tmp_path,
            "friction",
            "t_s,input_N,output_m",
            t,
            f,
            0.01 * np.sin(12 * t),
            settings=(*low, "evaluation.v_min=1.0"),
        )
    with pytest.raises(DataError, match="no channel set"):
        judged(tmp_path, "friction", "t_s,input_N,output_m", t, f, x, settings=("evaluation.motion=circle",))


def test_a_drive_at_its_limit_and_what_a_log_lacks_are_said(tmp_path: Path) -> None:
    t, x, f = runs()
    said = judged(
        tmp_path, "friction", "t_s,input_N,output_m", t, np.clip(f, -8, 8), x, settings=("evaluation.cutoff=50 Hz",)
    )
    assert "the drive is at its limit" in said
    said = judged(tmp_path, "friction", "t_s,input_N,output_m", t, f, x)
    assert "Friction curve" in said and "Feed-forward: not evaluated" not in said
    # at 500 Hz a cutoff of 300 Hz cannot be: the curve is there all the same
    said = judged(tmp_path, "friction", "t_s,input_N,output_m", t, f, x, settings=("evaluation.cutoff=300 Hz",))
    assert "Feed-forward: not evaluated; evaluation.cutoff is 300 Hz" in said
