"""Logs of stages that somebody else has recorded: scan quality, steps and quadrature signals from CSV, and what is told where they cannot be judged."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.drivers.lab import nanopositioner, scanner

Run = Callable[..., Any]


def result_of(folder: Path) -> dict[str, Any]:
    run = max((folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    return found


@functools.cache
def scanned(fields: int = 2) -> dict[str, np.ndarray]:
    made = [scanner.Scanner(1).field(number) for number in range(fields)]
    found = {name: np.concatenate([one[name] for one in made]) for name in ("scanning", "y_set", *(f"{letter}_{axis}" for letter in "wr" for axis in scanner.AXES))}
    return {"t": np.arange(found["y_set"].size) / scanner.RATE_HZ, **found}


def written(path: Path, columns: dict[str, np.ndarray], *, separator: str = ",") -> None:
    np.savetxt(path, np.column_stack(list(columns.values())), fmt="%.12g", delimiter=separator, header=separator.join(columns), comments="")


def twelve() -> dict[str, np.ndarray]:
    log = scanned()
    return {"t_s": log["t"], "scanning": log["scanning"], "y_set [mm]": log["y_set"] * 1e3} | {
        f"{name} [{'urad' if 'R' in name else 'mm'}]": values * (1e6 if "R" in name else 1e3) for name, values in log.items() if name[:2] in ("w_", "r_")
    }


def test_twelve_axes_at_twenty_kilohertz_give_the_scan_quality_of_the_run(precision: Run, tmp_path: Path) -> None:
    written(tmp_path / "log.csv", twelve())
    said = precision("analyze", "log.csv", "--as", "scan-quality", "--plan", "scan-quality").stdout
    assert "Conforms" in said and "MA_y largest" in said
    found = result_of(tmp_path)
    precision("run", "scan-quality", "--set", "scan.fields=2")
    run = result_of(tmp_path)
    assert found["error"] == "synchronisation"
    for key in ("MA_y_max", "MSD_y_max", "MA_Rz_max", "MSD_z_m3s", "MA_y@+_max"):
        # Twelve digits of 75 mm are 0.1 pm.
        assert found["figures"][key]["value"] == pytest.approx(run["figures"][key]["value"], abs=2e-12), key
    # 0.1 pm where MA falls by 0.1 nm a millisecond is 1 µs.
    assert found["figures"]["t_settle_max"]["value"] == pytest.approx(run["figures"]["t_settle_max"]["value"], abs=1e-6)


def test_a_log_of_errors_with_decimal_commas_and_its_own_names(precision: Run, tmp_path: Path) -> None:
    log = scanned()
    path = tmp_path / "errors.csv"
    written(path, {"t_s": log["t"], "expo": log["scanning"], "y_set_mm": log["y_set"] * 1e3, "Fehler [nm]": (log["w_y"] - log["y_set"]) * 1e9}, separator=";")
    path.write_text(path.read_text().replace(".", ","))
    precision("analyze", "errors.csv", "--as", "scan-quality", "--column", "scanning=expo", "--column", "e_y=Fehler")
    given = result_of(tmp_path)
    assert given["error"] == "given" and any("no record of x, z, Rx, Ry, Rz" in flag for flag in given["flags"])
    written(tmp_path / "wafer.csv", {"t_s": log["t"], "scanning": log["scanning"], "y_set_m": log["y_set"], "w_y_m": log["w_y"]})
    precision("analyze", "wafer.csv", "--as", "scan-quality")
    assert result_of(tmp_path)["figures"]["MA_y_max"]["value"] == pytest.approx(given["figures"]["MA_y_max"]["value"], abs=2e-12)


def _scan_fault(change: Callable[[dict[str, np.ndarray]], None]) -> dict[str, np.ndarray]:
    log = scanned()
    columns = {"t_s": log["t"].copy(), "scanning": log["scanning"], "y_set_m": log["y_set"], "w_y_m": log["w_y"].copy()}
    change(columns)
    return columns


def _jitter(columns: dict[str, np.ndarray]) -> None:
    columns["t_s"] += np.random.default_rng(1).uniform(-5e-6, 5e-6, columns["t_s"].size)


def _empty_cell(columns: dict[str, np.ndarray]) -> None:
    columns["w_y_m"][3500] = np.nan


def _gap(columns: dict[str, np.ndarray]) -> None:
    for name, values in list(columns.items()):
        columns[name] = np.delete(values, slice(3500, 3520))


def _no_unit(columns: dict[str, np.ndarray]) -> None:
    columns["w_y"] = columns.pop("w_y_m")


def _seconds_for_length(columns: dict[str, np.ndarray]) -> None:
    columns["w_y_ms"] = columns.pop("w_y_m")


def _no_position(columns: dict[str, np.ndarray]) -> None:
    del columns["w_y_m"]


def _never_scanned(columns: dict[str, np.ndarray]) -> None:
    columns["scanning"] = np.zeros_like(columns["scanning"])


def _millimetres_as_metres(columns: dict[str, np.ndarray]) -> None:
    columns["y_set_m"], columns["w_y_m"] = columns["y_set_m"] * 1e3, columns["w_y_m"] * 1e3


def _repeated_stamp(columns: dict[str, np.ndarray]) -> None:
    columns["t_s"][100] = columns["t_s"][99]


def _wrapped(columns: dict[str, np.ndarray]) -> None:
    columns["w_y_m"] = np.mod(columns["w_y_m"], 0.010)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_jitter, "not evenly spaced: .*--resample"), (_empty_cell, "field 1: y is nan at sample .*gap cannot be averaged over"), (_gap, "field 1: samples are missing at"),
        (_no_unit, r"column w_y is in no unit; a length is expected: write it in the name, w_y_nm or w_y \[nm\]"), (_seconds_for_length, "column w_y is in s; a length is expected"),
        (_no_position, "no column w_y .*or e_y"), (_never_scanned, "no field was scanned"), (_millimetres_as_metres, "the set-point moves at 3e.05 mm/s while exposing, the plan says 300 mm/s"),
        (_repeated_stamp, "time stamp 101"), (_wrapped, "error in y reaches .* scan.encoder_wrap"),
    ],
)  # fmt: skip
def test_a_scan_that_cannot_be_judged_is_refused_and_says_what_to_do(precision: Run, tmp_path: Path, change: Any, words: str) -> None:
    import re

    written(tmp_path / "log.csv", _scan_fault(change))
    said = precision("analyze", "log.csv", "--as", "scan-quality", code=6).stderr
    assert re.search(words, said.replace("\n", " ")), said
    assert "Traceback" not in said


def test_uneven_stamps_are_resampled_on_request_and_the_report_says_so(precision: Run, tmp_path: Path) -> None:
    written(tmp_path / "log.csv", _scan_fault(_jitter))
    precision("analyze", "log.csv", "--as", "scan-quality", "--resample")
    assert any("resampled by cubics" in flag for flag in result_of(tmp_path)["flags"])


def steps(noise: float = 0.2e-9) -> dict[str, np.ndarray]:
    set_m = np.asarray(nanopositioner.staircase(7, 1e-6, 0.3))
    time = np.arange(set_m.size) / nanopositioner.RATE_HZ
    position = np.zeros_like(set_m)
    for k in np.flatnonzero(np.diff(set_m)):
        t = np.maximum(0.0, time - time[k + 1])
        position += (set_m[k + 1] - set_m[k]) * (t > 0) * (1 - np.exp(-t / 0.010))
    return {"t_s": time, "set_um": set_m * 1e6, "position_nm": (position + np.random.default_rng(1).normal(0, noise, time.size)) * 1e9}


def test_steps_of_a_log_settle_as_their_time_constant_says(precision: Run, tmp_path: Path) -> None:
    """1 µm with τ = 10 ms is inside ±10 nm after τ·ln(100) = 46.05 ms."""
    written(tmp_path / "steps.csv", steps())
    precision("analyze", "steps.csv", "--as", "step-settle", "--set", "limits.t_exit_max=60 ms")
    figure = result_of(tmp_path)["figures"]["t_exit_mean"]
    assert abs(figure["value"] - 0.010 * np.log(100)) <= figure["uncertainty"] < 1.5e-3
    assert result_of(tmp_path)["figures"]["plateau_mean_step"]["value"] == pytest.approx(1e-6, rel=1e-3)


def test_steps_without_a_unit_or_without_a_step_are_refused(precision: Run, tmp_path: Path) -> None:
    columns = steps()
    written(tmp_path / "a.csv", {"t_s": columns["t_s"], "set": columns["set_um"], "position_nm": columns["position_nm"]})
    assert "column set is in no unit" in precision("analyze", "a.csv", "--as", "step-settle", code=6).stderr
    written(tmp_path / "b.csv", columns | {"set_um": np.zeros_like(columns["set_um"])})
    assert "there is no step in the log" in precision("analyze", "b.csv", "--as", "step-settle", code=6).stderr


def quadrature(n: int = 40_000) -> dict[str, np.ndarray]:
    """An offset of 1 % of the amplitude: 0.5036 nm once a period of λ/2 (λ = 632.8 nm)."""
    time = np.arange(n) / 10_000.0
    theta = 2 * np.pi * 20e-6 * time / 316.4e-9
    noise = np.random.default_rng(1).normal(0, 1.0, (2, n))
    return {"t_s": time, "cosine": 5000 * np.cos(theta) + 50 + noise[0], "sine": 5000 * np.sin(theta) + noise[1]}


def test_quadrature_signals_in_counts_give_the_closed_form_of_their_offset(precision: Run, tmp_path: Path) -> None:
    written(tmp_path / "signals.csv", quadrature())
    said = precision("analyze", "signals.csv", "--as", "interferometer-linearity").stdout
    figures = result_of(tmp_path)["figures"]
    assert figures["raw_h1"]["value"] == pytest.approx(0.5036e-9, rel=0.005)
    assert figures["h1"]["value"] <= 2 * figures["h1"]["uncertainty"]
    assert figures["p"]["value"] == pytest.approx(50, abs=0.2) and figures["p"]["unit"] == ""
    assert "253 periods" not in said and "(deg)" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda c: c | {"sine": c["cosine"]}, "the signals give no correction"), (lambda c: {name: values[:60] for name, values in c.items()}, "no correction|periods"),
     (lambda c: {"t_s": c["t_s"], "cosine_V": c["cosine"], "sine_nm": c["sine"]}, "cosine is in V, sine in m"),
     (lambda c: {"t_s": c["t_s"], "cosine": c["cosine"]}, "no column 'sine'"),
     (lambda c: {name: np.delete(values, slice(500, 560)) for name, values in c.items()}, "not evenly spaced|missing")],
)  # fmt: skip
def test_signals_that_cannot_be_judged_are_refused(precision: Run, tmp_path: Path, change: Any, words: str) -> None:
    import re

    written(tmp_path / "signals.csv", change(quadrature()))
    said = precision("analyze", "signals.csv", "--as", "interferometer-linearity", code=6).stderr
    assert re.search(words, said), said


def test_a_log_without_a_procedure_is_told_which_ones_read_it(precision: Run, tmp_path: Path) -> None:
    written(tmp_path / "signals.csv", quadrature(100))
    said = precision("analyze", "signals.csv", code=6).stderr
    for name in ("scan-quality", "step-settle", "interferometer-linearity"):
        assert f"--as {name}" in said


@pytest.mark.parametrize(("content", "words"), [(b"\x1f\x8b\x08packed", "is packed (gzip); unpack it"), (b"t_s,a\0b\n1,2\n", "is no text; export it as CSV"), (b"", "no line of column names")])
def test_a_file_that_is_no_text_is_told_in_plain_words(precision: Run, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    for procedure in ("scan-quality", "step-settle", "interferometer-linearity"):
        assert words in precision("analyze", "log.csv", "--as", procedure, code=6).stderr


def plate_readings(n: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """(V, n, n, 2) readings of four views and the stage's error (n, n, 2), 50 nm; the plate is as bad."""
    from precision.standards.self_calibration_views import FOUR_VIEWS, mark_at

    random = np.random.default_rng(3)
    stage, plate = random.normal(0, 50e-9, (2, n * n, 2))
    readings = np.full((len(FOUR_VIEWS), n * n, 2), np.nan)
    for number, view in enumerate(FOUR_VIEWS):
        mark = mark_at(view, n)
        turned = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), view.turns)
        readings[number] = np.where(mark[:, None] >= 0, stage + plate[mark] @ turned.T, np.nan)
    return readings.reshape(len(FOUR_VIEWS), n, n, 2), stage.reshape(n, n, 2)


def plate_table(readings: np.ndarray) -> dict[str, np.ndarray]:
    view, row, column = (index.ravel() for index in np.indices(readings.shape[:3]))
    flat = readings.reshape(-1, 2)
    there = np.isfinite(flat).all(axis=1)
    return {"view": view[there], "column": column[there], "row": row[there], "dx_nm": flat[there, 0] * 1e9, "dy [um]": flat[there, 1] * 1e6}


def test_readings_of_a_plate_give_the_map_of_the_stage(precision: Run, tmp_path: Path) -> None:
    readings, stage = plate_readings()
    written(tmp_path / "plate.csv", plate_table(readings))
    precision("analyze", "plate.csv", "--as", "self-calibration", "--set", "grid.places=7", "--set", "grid.pitch=1 mm")
    found = np.array(result_of(tmp_path)["stage_m"])
    place = np.stack(np.meshgrid(*2 * [np.arange(7) - 3.0]), axis=-1)
    parts = [np.stack([np.ones((7, 7)), np.zeros((7, 7))], -1), np.stack([np.zeros((7, 7)), np.ones((7, 7))], -1), np.stack([-place[..., 1], place[..., 0]], -1), place]
    design = np.stack([part.ravel() for part in parts], axis=1)  # what no view can see, or is convention: position, rotation, mean scale

    def free(values: np.ndarray) -> np.ndarray:
        return values.ravel() - design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]

    assert np.abs(free(found) - free(stage)).max() < 1e-15  # readings are written to twelve digits of 100 nm


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t | {"view": t["view"] + 1}, "is of view 4; the plan has 0 to 3: numbers begin with 0"), (lambda t: {name: values for name, values in t.items() if name != "dx_nm"}, "no column 'dx'"),
        (lambda t: {("dx" if name == "dx_nm" else name): values for name, values in t.items()}, "column dx is in no unit"), (lambda t: t | {"row": t["row"] + 0.5}, "a whole number from 0 is expected"),
        (lambda t: {name: values[t["view"] != 1] for name, values in t.items()}, "view"), (lambda t: t | {"dx_nm": t["dx_nm"] * 1e6}, "m"),
    ],
)  # fmt: skip
def test_a_plate_that_cannot_be_judged_is_refused(precision: Run, tmp_path: Path, change: Any, words: str) -> None:
    written(tmp_path / "plate.csv", change(plate_table(plate_readings()[0])))
    said = precision("analyze", "plate.csv", "--as", "self-calibration", "--set", "grid.places=7", "--set", "grid.pitch=1 mm", code=6).stderr
    assert words in said and "Traceback" not in said, said
