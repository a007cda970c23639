"""Step responses as a user measures them: the ready plan, a log of one's own, and what is wrong with it named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DISK = (
    "--set",
    "bench.plant=disk-drive",
    "--set",
    "units.input=",
    "--set",
    "units.output=",
    "--set",
    "steps.sizes=[0.5, 2.0]",
    "--set",
    "steps.hold=20 ms",
    "--set",
    "safety.travel=10.0",
    "--set",
    "evaluation.dwell=1 ms",
    "--set",
    "evaluation.window=0.5 ms",
    "--set",
    "evaluation.integrals=20 ms",
)


def _written(path: Path, header: str, *columns: np.ndarray, separator: str = ",") -> Path:
    lines = [header] + [separator.join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _result(tmp_path: Path, name: str) -> dict[str, Any]:
    run = max((tmp_path / "runs").glob(f"*{name}*"), key=lambda folder: folder.stat().st_mtime)
    whole = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return whole.get("result", whole)


def _log(n: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four steps of 100 µm, up and down in turn, answered by ω = 2π·20 Hz, ζ = 0.5, at 1 kHz."""
    t = np.arange(n) / 1000.0
    shape = 1 - np.exp(-62.832 * t) * (np.cos(108.83 * t) + 0.57735 * np.sin(108.83 * t))
    r = np.repeat([0.0, 1e-4, 0.0, 1e-4, 0.0], n)
    y = np.concatenate([np.zeros(n), 1e-4 * shape, 1e-4 * (1 - shape), 1e-4 * shape, 1e-4 * (1 - shape)])
    return np.arange(r.size) / 1000.0, r, y + 1e-9 * np.random.default_rng(1).normal(size=r.size)


def test_the_ready_plan_runs_reports_and_is_judged_again(precision, tmp_path: Path) -> None:
    out = precision(
        "run", "step-response", "--set", "steps.sizes=[0.05, 0.1]", "--set", "steps.repeats=1", timeout_s=240
    ).stdout
    assert "Conforms" in out and "Sizes side by side" not in out.split("Worst of all")[0]
    figures = _result(tmp_path, "step-response-eighth-order")["figures"]
    assert figures["overshoot_ratio_2_up"]["value"] == pytest.approx(0.2155, abs=0.002)
    assert (
        figures["overshoot_2_up"]["value"] == pytest.approx(0.02155, abs=2e-4) and figures["overshoot_2_up"]["unit"] == "m"
    )
    (run,) = (tmp_path / "runs").glob("*step-response*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Normalised step responses" in page and "How to read it" in page and (run / "truth.json").exists()
    again = precision(
        "analyze", "last", "--set", "evaluation.band_share=5 %", "--set", "limits.t_exit_max=10 ms", code=1
    ).stdout
    assert "Does not conform" in again
    precision("reproduce", "last")


def test_a_step_that_never_settles_is_refused_a_time_with_its_reason(precision, tmp_path: Path) -> None:
    out = precision(
        "run", "step-response", *DISK, "--set", "evaluation.band=1e-5", "--set", "limits.overshoot_ratio_max=60 %", code=1
    ).stdout
    reason = _result(tmp_path, "step-response-disk-drive")["figures"]["t_exit_1_up"]["reason"]
    assert "band below noise" in reason
    assert "Undecided" in out and "not evaluated" in out


def test_a_log_gives_overshoot_and_settling_after_three_definitions(precision, tmp_path: Path) -> None:
    t, r, y = _log()
    _written(tmp_path / "log.csv", "Stamp (ms);Soll [µm];ActPos [µm]", 1e3 * t, 1e6 * r, 1e6 * y, separator=";")
    precision(
        "analyze",
        "log.csv",
        "--as",
        "step-response",
        "--column",
        "time=Stamp",
        "--column",
        "set=Soll",
        "--column",
        "output=ActPos",
        "--set",
        "title=Axis",
    )
    figures = _result(tmp_path, "step-response-imported")["figures"]
    assert figures["overshoot_ratio_1_up"]["value"] == pytest.approx(math.exp(-math.pi * 0.57735), abs=1e-3)
    assert figures["t_exit_1_down"]["value"] == pytest.approx(25.708e-3 * 2.5, rel=0.01)
    for key in ("t_exit_1_up", "t_entry_1_up", "t_moving_1_up", "iae_1_up", "itse_1_down"):
        assert figures[key]["uncertainty"] > 0


def test_what_is_wrong_with_a_log_is_named_with_its_exit_code(precision, tmp_path: Path) -> None:
    t, r, y = _log()
    analyze = ("analyze", "log.csv", "--as", "step-response")
    _written(tmp_path / "log.csv", "t_s,set_m,output_V", t, r, y)
    assert "set is in m and output in V" in precision(*analyze, code=2).stderr
    uneven = t + np.where(np.arange(t.size) % 2, 0.0003, 0.0)
    _written(tmp_path / "log.csv", "t_s,set_m,output_m", uneven, r, y)
    assert "not evenly spaced" in precision(*analyze, code=6).stderr
    assert "Resampled by cubics" in precision(*analyze, "--resample").stdout


def test_a_dry_run_says_what_would_be_done_and_moves_nothing(precision, tmp_path: Path) -> None:
    out = " ".join(precision("run", "step-response", "--dry-run").stdout.split())
    assert "10% of the largest" in out and "three definitions" in out and "24: sizes 0.02, 0.05, 0.1 m" in out
    assert not (tmp_path / "runs").exists()
    assert "ascending" in precision("run", "step-response", "--dry-run", "--set", "steps.sizes=[2.0, 1.0]", code=2).stderr
