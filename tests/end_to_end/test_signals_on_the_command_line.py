"""Logs of signals, as they come from a controller: responses and stability from a CSV, what is wrong with it named, and the ready plans."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def _written(path: Path, header: str, *columns: np.ndarray, separator: str = ",", decimal: str = ".") -> Path:
    lines = [header] + [separator.join(f"{value:.9g}".replace(".", decimal) for value in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _result(tmp_path: Path, name: str) -> dict[str, Any]:
    (run,) = (tmp_path / "runs").glob(f"*{name}*")
    whole = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return whole.get("result", whole)


def _loop(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """P = 0.5 z⁻¹/(1 − 0.8 z⁻¹) with C = 0.6 at 1 kHz, excited by 20 lines a period of 500 samples."""
    rng = np.random.default_rng(seed)
    k = np.arange(n)
    w = sum(np.cos(2 * math.pi * line * k / 500 + phase) for line, phase in zip(range(2, 200, 8), rng.uniform(0, 6, 25), strict=True))
    u, y, x = np.empty(n), np.empty(n), 0.0
    noise = 1e-3 * rng.normal(size=n)
    for i in range(n):
        y[i] = x + noise[i]
        u[i] = w[i] - 0.6 * y[i]
        x = 0.8 * x + 0.5 * u[i]
    return k / 1000.0, np.asarray(w), u, y


def test_a_log_gives_the_response_and_the_margins(precision, tmp_path: Path) -> None:
    t, w, u, y = _loop(5000, 1)
    _written(tmp_path / "log.csv", "t_s,excitation [N],input [N],output_mm", t, w, u, 1e3 * y)
    out = precision("analyze", "log.csv", "--as", "frf", "--set", 'evaluation.period="0.5 s"', "--set", "title=Axis").stdout
    assert "Margins of the loop" in out
    result = _result(tmp_path, "frf-imported")
    f = np.array(result["response"]["frequency_hz"])
    z = np.exp(2j * math.pi * f / 1000)
    found = np.array(result["response"]["real"]) + 1j * np.array(result["response"]["imaginary"])
    assert f.tolist() == pytest.approx([2.0 * line for line in range(2, 200, 8)])
    np.testing.assert_allclose(found, 0.5 / (z - 0.8), rtol=5e-3)  # noise of 1e-3 beside lines of 1, 9 periods
    assert result["figures"]["PM"]["value"] is not None or "1 over" in result["figures"]["PM"]["reason"]


def test_a_short_log_that_still_rings_is_evaluated_by_local_polynomials(precision, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    w = rng.normal(size=1500)
    u, y, x = np.empty(1500), np.empty(1500), 3.0
    for i in range(1500):
        y[i] = x + 1e-3 * rng.normal()
        u[i] = w[i] - 0.6 * y[i]
        x = 0.8 * x + 0.5 * u[i]
    _written(tmp_path / "log.csv", "t_s,excitation [N],input [N],output [m]", np.arange(1500) / 1000.0, w, u, y)
    precision("analyze", "log.csv", "--as", "frf", "--set", "evaluation.estimator=LPM", "--set", "title=Short")
    result = _result(tmp_path, "frf-imported")
    z = np.exp(2j * math.pi * np.array(result["response"]["frequency_hz"]) / 1000)
    found = np.array(result["response"]["real"]) + 1j * np.array(result["response"]["imaginary"])
    np.testing.assert_allclose(np.abs(found - 0.5 / (z - 0.8)) / np.abs(found), 0, atol=0.05)
    assert np.median(np.abs(found - 0.5 / (z - 0.8)) / np.abs(found)) < 3e-3  # noise of 1e-3 beside an excitation of 1
    said = precision("analyze", "log.csv", "--as", "frf", "--set", "evaluation.estimator=LPM", "--set", 'evaluation.segment="0.1 s"', code=2).stderr
    assert "leave period and segment out" in said


def test_a_log_of_two_inputs_gives_the_matrix_and_its_singular_values(precision, tmp_path: Path) -> None:
    """Two delays that cross over, driven by two multisines in two experiments; `--as frf` sees by the columns that there are several."""
    from precision.standards import excitation

    one = excitation.multisine(np.arange(5, 180, 5), period=500, rate_hz=1000.0, peak=1.0, phases="random", seed=1)
    matrix = np.array([[1.0, 0.3], [-0.2, 0.5]])
    parts = []
    rng = np.random.default_rng(0)
    for number, waves in enumerate(excitation.orthogonal(one, 2), start=1):
        u = np.tile(waves, (1, 6))
        y = matrix @ np.roll(u, 1, axis=1) + 1e-4 * rng.normal(size=u.shape)
        parts.append(np.stack([np.full(u.shape[1], float(number)), np.arange(u.shape[1]) / 1000.0, *u, *y]))
    experiment, t, *columns = np.concatenate(parts, axis=1)
    header = "t_s,experiment,input_1 [V],input_2 [V],output_1 [mm],output_2 [mm]"
    _written(tmp_path / "two.csv", header, t, experiment, columns[0], columns[1], 1e3 * columns[2], 1e3 * columns[3])
    settings = ("--set", 'evaluation.period="0.5 s"', "--set", "evaluation.loop=open", "--set", "title=Two")
    out = precision("analyze", "two.csv", "--as", "frf", *settings).stdout
    assert "largest singular value of the plant over" in " ".join(out.split())
    result = _result(tmp_path, "frf-mimo-imported")
    f = np.array(result["response"]["frequency_hz"])
    found = np.array(result["response"]["real"]) + 1j * np.array(result["response"]["imaginary"])
    np.testing.assert_allclose(found, matrix * np.exp(-2j * math.pi * f / 1000)[:, None, None], atol=2e-3)
    np.testing.assert_allclose(np.array(result["response"]["singular_values"]), np.tile(np.linalg.svd(matrix, compute_uv=False), (f.size, 1)), atol=2e-3)
    (run,) = (tmp_path / "runs").glob("*frf-mimo-imported*")
    assert "Singular values of the plant" in (run / "report.html").read_text(encoding="utf-8")
    one_unit = _written(tmp_path / "units.csv", header.replace("input_2 [V]", "input_2 [N]"), t, experiment, *columns)
    assert "one unit is expected" in precision("analyze", one_unit.name, "--as", "frf", *settings, code=2).stderr
    same = _written(tmp_path / "same.csv", header, t, experiment, columns[0], columns[0], *columns[2:])
    assert "one cannot be told from the other" in precision("analyze", same.name, "--as", "frf-mimo", *settings, code=6).stderr


def test_the_ready_frf_mimo_runs(precision, tmp_path: Path) -> None:
    short = ("--set", "excitation.periods=3", "--set", "excitation.settle=2", "--set", 'excitation.resolution="1 Hz"', "--set", "excitation.lines=50")
    out = precision("run", "frf-mimo", *short, timeout_s=240).stdout
    assert "Ms within the limit" in " ".join(out.split())
    figures = _result(tmp_path, "frf-mimo-gantry")["figures"]
    assert figures["Ms"]["value"] == pytest.approx(1.312, abs=0.02) and figures["condition_max"]["value"] > 1
    (run,) = (tmp_path / "runs").glob("*frf-mimo-gantry*")
    assert (run / "truth.json").exists() and "Singular values of the sensitivity" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("several", [False, True])
def test_the_real_motor_bench_gives_its_table_from_the_command_line(precision, tmp_path: Path, several: bool) -> None:
    """5.2 (MultisineTypeA.mat, a real two-inertia bench): the rows at 11, 20 and 100 Hz to the printed digits; with both outputs at once as with one."""
    mat = Path(__file__).resolve().parents[3] / "shared" / "data" / "frf" / "MultisineTypeA.mat"
    if not mat.exists():
        pytest.skip(f"{mat.name} is not beside the repository (../shared/data/frf)")
    from scipy.io import loadmat

    data = loadmat(mat)
    motor, load, current = (data[name].ravel() for name in ("theta_mx", "theta_my", "iq_adx"))
    header = "t_s,input_1 [A],output_1 [rad],output_2 [rad]" if several else "t_s,input [A],output [rad]"
    columns = [np.arange(current.size) / 2500.0, current, motor, *([load] if several else [])]
    lines = [header, *[",".join(f"{value:.17g}" for value in row) for row in zip(*columns, strict=True)]]
    (tmp_path / "bench.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    band = ("--set", 'evaluation.low="11 Hz"', "--set", 'evaluation.high="250 Hz"')
    precision("analyze", "bench.csv", "--as", "frf", "--set", 'evaluation.period="1 s"', "--set", "evaluation.loop=open", "--set", "title=Bench", *band)
    result = _result(tmp_path, "frf-mimo-imported" if several else "frf-imported")["response"]
    f = np.array(result["frequency_hz"])
    found = (np.array(result["real"]) + 1j * np.array(result["imaginary"])).reshape(f.size, -1)
    assert (f.size, f[0], f[-1]) == (240, pytest.approx(11, abs=1e-6), pytest.approx(250, abs=1e-6))
    for hz, magnitude, phase, other in ((11, 2.242463e-2, -169.486, 2.336594e-2), (20, 6.183439e-3, -175.653, 7.153317e-3), (100, 8.826809e-4, 176.566, 3.625249e-4)):
        assert f"{abs(found[hz - 11, 0]):.6e}" == f"{magnitude:.6e}"
        assert math.degrees(np.angle(found[hz - 11, 0])) == pytest.approx(phase, abs=5.1e-4)
        if several:
            assert f"{abs(found[hz - 11, 1]):.6e}" == f"{other:.6e}"


def test_an_odd_odd_log_shows_its_distortion(precision, tmp_path: Path) -> None:
    """A cubic of 1 % behind a delay, driven at lines 1, 5, 9 …: seen as odd, and nothing as even."""
    rng = np.random.default_rng(2)
    k = np.arange(8 * 1000)
    u = sum(np.cos(2 * math.pi * line * k / 1000 + phase) for line, phase in zip(range(5, 200, 4), rng.uniform(0, 6, 60), strict=False)) / 7
    y = np.roll(u + 0.05 * u**3, 1) + 1e-5 * rng.normal(size=k.size)
    _written(tmp_path / "odd.csv", "t_s,input [V],output [m]", k / 1000.0, u, y)
    precision("analyze", "odd.csv", "--as", "frf", "--set", 'evaluation.period="1 s"', "--set", "evaluation.loop=open", "--set", "title=Odd")
    figures = _result(tmp_path, "frf-imported")["figures"]
    assert figures["distortion_odd_ratio"]["value"] > 0.01 and figures["distortion_even_ratio"]["value"] is None


def test_a_noise_log_needs_a_segment_and_units_that_fit(precision, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(size=8000)
    y = np.convolve(u, [0.0, 0.3, 0.2])[: u.size]
    t = np.arange(u.size) / 2000.0
    _written(tmp_path / "noise.csv", "time (ms);input (V);output (µm)", 1e3 * t, u, 1e6 * y, separator=";", decimal=",")
    said = precision("analyze", "noise.csv", "--as", "frf", code=6).stderr
    assert "evaluation.period" in said and "evaluation.segment" in said
    precision("analyze", "noise.csv", "--as", "frf", "--set", 'evaluation.segment="0.1 s"', "--set", "evaluation.loop=open", "--set", "title=Noise")
    folders = sorted((tmp_path / "runs").glob("*frf-imported*"), key=lambda path: path.stat().st_mtime)
    results = [json.loads((folder / "result.json").read_text(encoding="utf-8")) for folder in folders if (folder / "result.json").exists()]
    result = results[-1].get("result", results[-1])
    f = np.array(result["response"]["frequency_hz"])
    z = np.exp(2j * math.pi * f / 2000)
    found = np.array(result["response"]["real"]) + 1j * np.array(result["response"]["imaginary"])
    # the window's leakage of a response two samples long over 200: a percent
    np.testing.assert_allclose(found, 0.3 / z + 0.2 / z**2, atol=0.02)
    one = precision("analyze", "noise.csv", "--as", "frf", "--set", 'evaluation.segment="4 s"', code=6).stderr
    assert "one average" in one


@pytest.mark.parametrize(
    ("header", "shift", "said"),
    [
        ("t_s,input [N],output_m", 0.0004, "not evenly spaced"),
        ("t_s,input [furlong],output_m", 0.0, "furlong"),
        ("t_s,input [N],weight_m", 0.0, "no column 'output'"),
        ("1.0,2.0,3.0", 0.0, "numbers where column names are expected"),
    ],
)
def test_what_is_wrong_with_a_log_is_named(precision, tmp_path: Path, header: str, shift: float, said: str) -> None:
    t = np.arange(2000) / 1000.0
    t[1::2] += shift
    _written(tmp_path / "log.csv", header, t, np.sin(t), np.cos(t))
    assert said in precision("analyze", "log.csv", "--as", "frf", "--set", 'evaluation.segment="0.1 s"', code=6).stderr


def test_excitation_and_input_in_two_units_are_refused(precision, tmp_path: Path) -> None:
    t = np.arange(100) / 1000.0
    _written(tmp_path / "log.csv", "t_s,excitation_V,input_N,output_m", t, t, t, t)
    assert "excitation is in V and input in N" in precision("analyze", "log.csv", "--as", "frf", code=2).stderr


def test_uneven_samples_are_resampled_when_asked_for(precision, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    t = np.arange(6000) / 1000.0 + rng.uniform(-2e-4, 2e-4, size=6000)
    x = 5e-9 * np.sin(2 * math.pi * 20 * t) + 1e-10 * rng.normal(size=t.size)
    _written(tmp_path / "log.csv", "t_s,reading_nm", t, x * 1e9)
    assert "jitter" in precision("analyze", "log.csv", "--as", "stability", code=6).stderr
    out = precision("analyze", "log.csv", "--as", "stability", "--resample").stdout
    assert "resampled by cubics" in out.replace("\n", " ")
    results = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "runs").glob("*/result.json")]
    result = results[-1].get("result", results[-1])
    line = result["lines"][0]
    assert line["frequency_hz"] == pytest.approx(20.0, abs=0.1)
    assert abs(line["amplitude"] - 5e-9) < 0.1e-9


def test_a_log_without_as_says_what_can_be_done_with_it(precision, tmp_path: Path) -> None:
    _written(tmp_path / "log.csv", "t_s,input_N,output_m", np.arange(9.0), np.arange(9.0), np.arange(9.0))
    said = precision("analyze", "log.csv", code=6).stderr
    assert "--as frf" in said and "--as stability" in said


def test_a_cell_that_is_no_number_is_named_with_its_line(precision, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("t_s,reading_nm\n0,1\n1,two\n", encoding="utf-8")
    assert "line 3: 'two' is not a number" in precision("analyze", "log.csv", "--as", "stability", code=6).stderr
    (tmp_path / "log.csv").write_text("t_s,reading_nm\n0,1\n1,2,3\n", encoding="utf-8")
    assert "line 3: 3 cells" in precision("analyze", "log.csv", "--as", "stability", code=6).stderr


@pytest.mark.parametrize("name", ["frf", "stability", "ilc", "frf-mimo"])
def test_a_dry_run_says_what_would_be_done_and_nothing_is_connected(precision, tmp_path: Path, name: str) -> None:
    out = precision("run", name, "--dry-run").stdout
    assert ("5 % of the peak" in out or "5% of the peak" in out) if name.startswith("frf") else ("tried at 10% first" in out if name == "ilc" else "nothing is moved" in out)
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_the_ready_frf_runs_and_reproduces(precision, tmp_path: Path) -> None:
    short = ("--set", "excitation.periods=2", "--set", "excitation.settle=2", "--set", 'excitation.resolution="0.5 Hz"', "--set", "excitation.lines=60")
    out = precision("run", "frf", *short, timeout_s=240).stdout
    assert "Margins of the loop" in out
    result = _result(tmp_path, "frf-eighth-order")
    assert math.degrees(result["figures"]["PM"]["value"]) == pytest.approx(62.8, abs=1.0)
    (run,) = (tmp_path / "runs").glob("*frf-eighth-order*")
    assert (run / "truth.json").exists() and "Nyquist plot" in (run / "report.html").read_text(encoding="utf-8")


def test_the_ready_ilc_learns_says_how_and_reproduces(precision, tmp_path: Path) -> None:
    short = (
        "--set", "trajectory.distance=0.02", "--set", 'trajectory.dwell="0.5 s"', "--set", "learning.trials=6", "--set", "learning.repeats=3", "--set", "trajectory.velocity=0.2",
    )  # fmt: skip
    out = precision("run", "ilc", *short, timeout_s=240).stdout
    assert "convergence per trial, foretold from the" in " ".join(out.split()) and "repeatable part" in out
    result = _result(tmp_path, "ilc-eighth-order")
    figures = result["figures"]
    assert figures["after_rms"]["value"] < figures["before_rms"]["value"] / 15
    assert figures["rate"]["value"] == pytest.approx(figures["rate_foretold"]["value"], abs=0.05)
    assert "Q without phase, 80 Hz, order 4" in result["law"]["stated"]
    assert [one["phase"] for one in result["trials"]].count("learning") == 6
    (run,) = (tmp_path / "runs").glob("*ilc-eighth-order*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Error over time, trial by trial" in page and "Learned signal" in page and "What a trial leaves of the error" in page
    assert (run / "truth.json").exists()
    precision("analyze", run.name, "--set", "limits.after_rms=1e-3")


def test_an_ilc_that_diverges_ends_with_the_signal_taken_away_and_a_report(precision, tmp_path: Path) -> None:
    short = ("--set", "trajectory.distance=0.02", "--set", 'trajectory.dwell="0.5 s"', "--set", "learning.repeats=3", "--set", "trajectory.velocity=0.2", "--set", "learning.gain=2.5")
    said = precision("run", "ilc", *short, code=5, timeout_s=240).stderr
    assert "the law would not converge" in said and "nothing was learned" in said
    said = precision("run", "ilc", *short, "--set", "learning.demand_convergence=false", code=5, timeout_s=240).stderr
    assert "learning diverges" in said and "taken away" in said
    newest = max((tmp_path / "runs").glob("*ilc-eighth-order*"), key=lambda run: (run / "report.html").stat().st_mtime if (run / "report.html").exists() else 0)
    assert "stopped before its end" in (newest / "report.html").read_text(encoding="utf-8")


def test_a_signal_longer_than_the_devices_memory_is_refused_before_anything_is_excited(precision, tmp_path: Path) -> None:
    said = precision("run", "frf", "--set", "excitation.kind=stepped-sine", "--set", "excitation.dwell=5 s", code=2).stderr
    assert "the device holds 4000000" in said and "shorter dwell" in said
    assert not (tmp_path / "runs").exists()
