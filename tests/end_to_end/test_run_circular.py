"""`precision run circular` as a user types it, its report, what-if, and recordings from elsewhere through the same evaluation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LINUXCNC = Path(__file__).resolve().parents[3] / "shared" / "data" / "linuxcnc" / "circle_xy_r50_f3000.csv.gz"


def _only(folder: Path) -> Path:
    (run,) = [path for path in folder.iterdir() if (path / "manifest.json").exists()]
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("circular")
    command = [sys.executable, "-P", "-m", "precision", "run", "circular", "--seed", "4", "--fix", "servo_mismatch", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False, env={**os.environ, "COLUMNS": "140"})
    assert done.returncode == 0, done.stderr
    return _only(out), done.stdout


def test_the_run_says_what_it_measured(run: tuple[Path, str]) -> None:
    folder, said = run
    assert "Conforms" in said and "G(b)" in said and "Δτ" in said
    result = json.loads((folder / "result.json").read_text(encoding="ascii"))
    (feed,) = result["feeds"]
    figures = feed["diagnosis"]["figures"]
    # Lag of this machine's X behind its Y: −0.352 ms, a parameter of the virtual lab.
    truth = json.loads((folder / "truth.json").read_text(encoding="ascii"))["parameters"]
    lag_s = truth["x"]["servo_lag_s"] - truth["y"]["servo_lag_s"]
    assert abs(figures["servo_mismatch"]["value"] - lag_s) <= figures["servo_mismatch"]["uncertainty"]
    assert feed["what_if"]["fixed"] == ["servo_mismatch"]
    assert feed["what_if"]["remaining"]["value"] < 0.6 * feed["iso230_4"]["figures"]["G_b"]["value"]
    assert all(figure["uncertainty"] is not None for key, figure in figures.items() if figure["value"] is not None and key not in ("circularity", "residual"))


def test_the_report_shows_paths_causes_and_the_what_if(run: tuple[Path, str]) -> None:
    html = (run[0] / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/svg+xml") == 2
    for words in ("counter-clockwise: ", "What makes the circle not round", "servo mismatch: −", "How to read it", "name for --fix", "would remain without servo_mismatch"):
        assert words in html, words
    assert not re.search(r"\bnan\b", html)


def test_a_run_is_judged_again_with_another_what_if(run: tuple[Path, str], precision) -> None:  # type: ignore[no-untyped-def]
    folder, _ = run
    said = precision("analyze", str(folder), "--fix", "backlash_x").stdout
    assert "report-changed-" in said and "without" in said
    wrong = precision("analyze", str(folder), "--fix", "blacklash_x", code=2)
    assert "no error of a circle in XY" in wrong.stderr


def test_it_reproduces_bit_for_bit(run: tuple[Path, str], precision) -> None:  # type: ignore[no-untyped-def]
    folder, _ = run
    assert "are the same" in precision("reproduce", str(folder), "--out", str(folder.parent)).stdout


def test_what_a_circle_cannot_do_is_refused_in_words(run: tuple[Path, str], precision) -> None:  # type: ignore[no-untyped-def]
    folder, _ = run
    for arguments, words, code in (
        (("run", "circular", "--resume", str(folder), "--dry-run"), "is not resumed", 2),
        (("compensate", str(folder), "--for", "linuxcnc"), "comes from a positioning test", 6),
        (("analyze", str(folder), "--standard", "vdi3441"), "it has one evaluation", 2),
        (("run", "circular", "--set", "circle.radius=600 mm", "--out", str(folder.parent / "none")), "soft limits", 5),
    ):
        assert words in precision(*arguments, code=code).stderr, arguments
    assert not (folder.parent / "none").exists()


def test_a_dry_run_lists_the_circles(precision) -> None:  # type: ignore[no-untyped-def]
    said = precision("run", "circular", "--dry-run", "--set", 'circle.feeds=["1000 mm/min", "3000 mm/min"]').stdout
    assert "circle 4: clockwise at 3000 mm/min, 45° to -405°" in said and "nothing moved" in said


@pytest.mark.skipif(not LINUXCNC.exists(), reason="the folder of real recordings is not beside this checkout")
def test_a_real_controllers_circle_gives_the_published_figures(precision, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # README of the recordings: tool G(LSC) 52.2 CCW, 52.0 CW, F −25.8 … +26.5 (of the counter-clockwise circle); lost motion of the plant X 6.0, Y 9.0 µm.
    precision("analyze", str(LINUXCNC), "--as", "circular", "--set", "evaluation.zone=least squares", "--set", "evaluation.centring=set-up", "--out", str(tmp_path))
    (feed,) = json.loads((_only(tmp_path) / "result.json").read_text(encoding="ascii"))["feeds"]
    figures = feed["iso230_4"]["figures"]
    for key, published in {"G_XY": 52.2, "G_YX": 52.0, "F_min_XY": -25.8, "F_max_XY": 26.5}.items():
        assert figures[key]["value"] == pytest.approx(published * 1e-6, abs=0.051e-6), key  # printed to 0.1 µm
    errors = feed["diagnosis"]["figures"]
    for key, made in {"backlash_x": 6.0, "backlash_y": 9.0}.items():
        assert abs(errors[key]["value"] - made * 1e-6) <= errors[key]["uncertainty"], key


def _b5r(path: Path, runs: list[tuple[str, np.ndarray]]) -> Path:  # type: ignore[type-arg]
    said = "".join(f"<RUN><RUN_DIRECTION>{direction}</RUN_DIRECTION><READINGS>{' '.join(f'{value:.3f}' for value in values)}</READINGS></RUN>" for direction, values in runs)
    path.write_text(f"<?xml version=\"1.0\"?><BALLBAR>{said}</BALLBAR>", encoding="utf-8")
    return path


def test_a_ball_bar_file_goes_through_the_same_evaluation(precision, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    angle = np.arange(3600) * 2 * np.pi / 3600
    squareness = -150e3 * 30e-6 / 2 * np.sin(2 * angle)  # µm; 30 µrad on 150 mm: G = 4.5 µm
    file = _b5r(tmp_path / "mill.b5r", [("CCW", squareness), ("CW", squareness[np.mod(-np.arange(3600), 3600)])])
    said = precision("analyze", str(file), "--out", str(tmp_path / "runs")).stdout
    assert "The file does not say feed" in said
    (feed,) = json.loads((_only(tmp_path / "runs") / "result.json").read_text(encoding="ascii"))["feeds"]
    assert feed["iso230_4"]["figures"]["G_b"]["value"] == pytest.approx(4.5e-6, abs=2e-9)  # readings to a nanometre
    assert feed["diagnosis"]["figures"]["squareness"]["value"] == pytest.approx(30e-6, abs=0.05e-6)


def test_one_direction_and_a_missing_quadrant_name_the_figure_that_suffers(precision, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    angle = np.arange(2700) * 2 * np.pi / 3600
    file = _b5r(tmp_path / "mill.b5r", [("CCW", 5 * np.cos(2 * angle))])
    said = precision("analyze", str(file), "--set", "circle.arc=269.9 deg", "--out", str(tmp_path / "runs")).stdout
    words = " ".join(said.split())
    assert "G(b) and D are not evaluated" in words and "3 of 4 quadrants complete" in words and "squareness and servo mismatch are not evaluated" in words
    (feed,) = json.loads((_only(tmp_path / "runs") / "result.json").read_text(encoding="ascii"))["feeds"]
    figures = feed["iso230_4"]["figures"]
    assert figures["F_max_XY"]["value"] is None and "full circle" in figures["F_max_XY"]["reason"]
    assert figures["G_b"]["value"] is None and figures["G_XY"]["value"] is not None
