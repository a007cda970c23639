"""Overlay and self-calibration as a user runs them: ready plans, changed plans, recordings, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.models.overlay import TEN_PARAMETER
from precision.models.overlay_marks import field_grid, full_fields, layout

Run = Callable[..., Any]
P = 1e-9 * np.array([5, -3, 100, -50, 200, 250, 1000, -500, 800, 400])


def result_of(folder: Path) -> dict[str, Any]:
    runs = sorted((folder / "runs").iterdir())
    found: dict[str, Any] = json.loads((runs[-1] / "result.json").read_text())
    return found


def test_the_ready_overlay_plan_measures_reports_and_reproduces(precision: Run, tmp_path: Path) -> None:
    said = precision("run", "overlay").stdout
    assert "Overlay of a lot" in said and "left |m|+3σ x" in said and "conforms" in said
    result = result_of(tmp_path)
    assert result["figures"]["mean_Tx"]["uncertainty"] > 0 and len(result["wafers"]) == 3
    assert [step["step"] for step in result["decomposition"]] == ["raw", "inter", "intra", "higher order", "per field"]
    run = next((tmp_path / "runs").iterdir())
    truth = json.loads((run / "truth.json").read_text())
    for number, wafer in enumerate(truth["wafers"]):
        rejected = {one["mark"] for one in result["rejected"][str(number)]}
        # Damaged marks are read 15 nm wrongly and more, where they were found at all; the model leaves 1.8 nm over.
        assert rejected <= set(wafer["damaged_marks"])
    report = (run / "report.html").read_text()
    for title in (
        "Overlay of the mean of 3 wafers",
        "What the model leaves over",
        "Fingerprint of the field",
        "Variance decomposition",
        "Scan directions",
    ):
        assert title in report
    assert "bit for bit" in precision("reproduce", "last").stdout


@pytest.mark.parametrize("dry", [("--dry-run",), ()])
def test_a_layout_that_cannot_tell_terms_apart_is_refused_before_anything_is_measured(precision: Run, tmp_path: Path, dry: tuple[str, ...]) -> None:
    said = precision("run", "overlay", *dry, "--set", "layout.columns=1", "--set", "layout.rows=1", code=2).stderr
    assert "determine 6 of the 10 terms" in said and "mx: no reading depends on it" in said
    assert 'evaluation.without = ["mx", "my", "rx", "ry"]' in said
    assert not (tmp_path / "runs").exists()


def test_a_layout_is_taken_without_the_terms_that_it_leaves_free(precision: Run) -> None:
    precision("run", "overlay", "--dry-run", "--set", "layout.columns=1", "--set", "layout.rows=1", "--set", 'evaluation.without=["mx", "my", "rx", "ry"]')


def test_terms_that_are_not_in_the_model_are_refused(precision: Run) -> None:
    said = precision("run", "overlay", "--dry-run", "--set", 'evaluation.without=["k20"]', code=2).stderr
    assert "has no term k20" in said


@pytest.mark.parametrize(
    ("setting", "says"),
    [('layout.mark_width="0 mm"', "columns: 3 of them over 0 mm"), ('layout.mark_height="40 mm"', "rows: 3 of them over 40 mm"), ('layout.within_radius="160 mm"', "160 mm on a wafer of 150 mm"),
     ('layout.within_radius="10 mm"', "no field of 26 mm × 33 mm lies within 10 mm"), ("layout.wafers=10000", "take fewer wafers")],
)  # fmt: skip
def test_layouts_that_cannot_be_are_refused(precision: Run, setting: str, says: str) -> None:
    assert says in precision("run", "overlay", "--dry-run", "--set", setting, code=2).stderr


def csv(path: Path, *, rows: slice = slice(None), text: str = "") -> None:
    marks = layout(full_fields(), field_grid(2, 2), meander=True)
    moved = TEN_PARAMETER.overlay(marks, P)
    lines = ["# machine: scanner 7", "field_x_mm,field_y_mm,mark_x_mm,mark_y_mm,scan,dx_nm,dy_nm"]
    for n in range(marks.count)[rows]:
        centre, inside = marks.field_centre_m[n] * 1e3, marks.in_field_m[n] * 1e3
        scan = "up" if marks.scan_up is not None and marks.scan_up[n] else "down"
        lines.append(
            f"{centre[0]:.3f},{centre[1]:.3f},{inside[0]:.3f},{inside[1]:.3f},{scan},{moved[n, 0] * 1e9:.6f},{moved[n, 1] * 1e9:.6f}"
        )
    path.write_text("\n".join(lines) + "\n" + text)


def test_a_table_of_marks_is_recognised_and_evaluated(precision: Run, tmp_path: Path) -> None:
    csv(tmp_path / "marks.csv")
    said = precision("analyze", "marks.csv").stdout
    assert "Overlay" in said
    result = result_of(tmp_path)
    for key, value in zip(TEN_PARAMETER.keys, P, strict=True):
        # dx, dy are written to 1e-6 nm.
        assert result["figures"][key]["value"] == pytest.approx(value, abs=2e-14)
    assert set(result["by_scan_direction"]) == {"up", "down"}
    # The same run judged with another model: only translations.
    precision("analyze", "last", "--set", 'evaluation.model="2"')


def test_a_rejected_mark_of_which_one_component_was_read_is_listed_with_a_dash(precision: Run, tmp_path: Path) -> None:
    csv(tmp_path / "marks.csv")
    lines = (tmp_path / "marks.csv").read_text().splitlines()
    cells = lines[50].split(",")
    cells[-2], cells[-1] = "", f"{float(cells[-1]) + 500:.6f}"
    random = np.random.default_rng(1)
    noisy = [",".join([*row.split(",")[:-2], *(f"{float(value) + random.normal(0, 0.3):.6f}" for value in row.split(",")[-2:])]) for row in lines[2:]]
    noisy[48] = ",".join(cells)
    (tmp_path / "marks.csv").write_text("\n".join([*lines[:2], *noisy]) + "\n")
    precision("analyze", "marks.csv")
    ((listed,),) = result_of(tmp_path)["rejected"].values()
    assert listed["residual_m"][0] is None and abs(listed["residual_m"][1]) > 4e-7


def test_places_in_a_wrong_unit_are_flagged_where_fields_then_overlap(precision: Run, tmp_path: Path) -> None:
    csv(tmp_path / "marks.csv")
    precision("analyze", "marks.csv")
    assert not any("overlap" in flag for flag in result_of(tmp_path)["flags"])
    (tmp_path / "wrong.csv").write_text((tmp_path / "marks.csv").read_text().replace("field_x_mm", "field_x_um"))
    said = " ".join(precision("analyze", "wrong.csv").stdout.split())
    assert "overlap: their centres are 0.026 mm and 0 mm apart in x and y, but the marks of a field span 24 mm × 30 mm; check the units" in said


def test_too_few_marks_are_refused_with_the_terms(precision: Run, tmp_path: Path) -> None:
    csv(tmp_path / "marks.csv", rows=slice(0, 4))
    said = precision("analyze", "marks.csv", code=6).stderr
    assert "determines 6 of 10 terms" in said and "the fields' centres are all the same" in said


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("-52,-99,-12,-15,up,1,2\n", "two readings of mark 0 (field 0"),
        ("52,99,12,15,sideways,1,2\n", "'sideways' is no scan direction"),
        ("99,99,12,15,up,1e9,2\n", "correct the unit"),
        ("52,99,12,15,up,wide,2\n", "'wide' is not a number"),
        ("9e9,99,12,15,up,1,2\n", "expected finite coordinates in m"),
    ],
)
def test_bad_tables_of_marks_are_refused_by_place(precision: Run, tmp_path: Path, extra: str, says: str) -> None:
    csv(tmp_path / "marks.csv", text=extra)
    said = precision("analyze", "marks.csv", code=6)
    assert says in said.stderr + said.stdout


def test_marks_that_were_not_found_are_left_out(precision: Run, tmp_path: Path) -> None:
    csv(tmp_path / "marks.csv", rows=slice(0, 200), text="52.0,99.0,12.0,15.0,up,,nan\n")
    precision("analyze", "marks.csv")
    result = result_of(tmp_path)
    assert result["figures"]["mx"]["value"] == pytest.approx(1e-6, abs=1e-13)


def test_a_column_without_unit_is_refused_with_the_way_out(precision: Run, tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text("field_x_mm,field_y_mm,mark_x_mm,mark_y_mm,dx,dy_nm\n0,0,0,0,1,1\n")
    assert "column dx has no unit; write it into the name (dx_nm)" in precision("analyze", "marks.csv", code=6).stderr


def test_the_ready_self_calibration_plan_finds_the_stage(precision: Run, tmp_path: Path) -> None:
    said = precision("run", "self-calibration").stdout
    assert "90° − angle" in said and "conforms" in said
    result = result_of(tmp_path)
    truth = json.loads((next((tmp_path / "runs").iterdir()) / "truth.json").read_text())
    true, found, u = (np.array(values) for values in (truth["stage_error_m"], result["stage_m"], result["stage_u_m"]))
    n = true.shape[0]
    steps = (np.arange(n) - (n - 1) / 2) * result["pitch_m"]
    x, y = np.meshgrid(steps, steps)
    shapes = np.stack([np.stack(pair, axis=-1).ravel() for pair in ((x * 0 + 1, y * 0), (x * 0, y * 0 + 1), (-y, x), (x, y))], axis=1)
    flat = true.ravel()
    gauged = (flat - shapes @ np.linalg.lstsq(shapes, flat, rcond=None)[0]).reshape(true.shape)
    # 95.45 % of some 240 values, correlated: two thirds are independent, sd 1.6 %; and the plate lies up to 2 µm off the places.
    assert np.mean(np.abs(found - gauged) <= u) > 0.9
    assert np.abs(found - gauged).max() < 3 * u.max()


def test_views_that_leave_errors_free_are_refused_before_anything_is_measured(precision: Run) -> None:
    said = precision("run", "self-calibration", "--set", "grid.views=[[0,0,0],[0,1,0],[0,0,1]]", code=2).stderr
    assert "2 combinations of errors would stay free" in said and "turned by 90°" in said


def test_a_table_of_marks_that_lacks_a_column_is_told_which_not_taken_for_positioning(precision: Run, tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text("field_x_mm,field_y_mm,mark_x_mm,mark_y_mm,dx_nm\n0,0,0,0,1\n")
    said = precision("analyze", "marks.csv", code=6).stderr
    assert "no column for dy" in said and "--column dy=NAME" in said and "actual" not in said


def test_a_layout_that_leaves_terms_free_is_answered_in_words_of_the_plan(precision: Run, tmp_path: Path) -> None:
    rows = "\n".join(f"{x},{y},-5,-5,1,1\n{x},{y},5,5,1,1" for x, y in ((0, -30), (0, 0), (0, 30)))
    (tmp_path / "marks.csv").write_text(f"field_x_mm,field_y_mm,mark_x_mm,mark_y_mm,dx_nm,dy_nm\n{rows}\n")
    assert "evaluation.without" in precision("analyze", "marks.csv", code=6).stderr


def test_a_model_may_be_written_as_a_number(precision: Run) -> None:
    assert "6-parameter" in precision("run", "overlay", "--dry-run", "--set", "evaluation.model=6").stdout
