"""A file of readings gives the report; a bad one is refused with its row and column."""

import json
from pathlib import Path

import pytest

GOOD = """# axis: Y
# machine: mill 7
run,direction,target_mm,actual_mm
1,+,0,0.0000
1,+,100,100.0010
1,+,200,200.0020
1,-,200,200.0015
1,-,100,100.0004
1,-,0,-0.0006
2,+,0,0.0001
2,+,100,100.0012
2,+,200,200.0021
2,-,200,200.0016
2,-,100,100.0003
2,-,0,-0.0005
"""


def _result(tmp_path: Path) -> dict:
    (run,) = (tmp_path / "runs").glob("*positioning*")
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["psi_stage", "ess_target_x"])
def test_real_recordings_give_the_independent_results(precision, tmp_path: Path, real_recordings: Path, name: str) -> None:
    expected = json.loads((real_recordings / f"{name}.expected.json").read_text(encoding="utf-8"))["expected"]
    precision("analyze", str(real_recordings / f"{name}.csv"))
    figures = _result(tmp_path)["result"]["figures"]
    for ours, theirs in {"A": "A", "A_up": "Au", "A_down": "Ad", "E": "E", "E_up": "Eu", "E_down": "Ed", "M": "M", "R": "R", "R_up": "Ru", "R_down": "Rd", "B": "B", "B_mean": "Bmean"}.items():
        assert figures[ours]["value"] * 1e3 == pytest.approx(expected[theirs], abs=1e-9, rel=0), ours


def test_the_header_of_a_file_reaches_the_report(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv")
    (report,) = (tmp_path / "runs").glob("*/report.html")
    text = report.read_text(encoding="utf-8")
    assert "mill 7" in text
    assert "not recorded" in text
    assert "Axis Y" in text


def test_a_german_file_with_decimal_commas_reads_the_same(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv", "--out", "english")
    german = "\r\n".join(";".join(cell.replace(".", ",") for cell in line.split(",")) for line in GOOD.splitlines() if not line.startswith("#"))
    german = german.replace("run;direction;target_mm;actual_mm", "Lauf;Richtung;Soll [mm];Ist [mm]")
    (tmp_path / "x.csv").write_bytes(("# axis: Y\r\n" + german).encode("cp1252"))
    precision("analyze", "x.csv", "--out", "german")
    results = [json.loads(next((tmp_path / folder).glob("*/result.json")).read_text(encoding="utf-8")) for folder in ("english", "german")]
    assert results[0] == results[1]


def test_deviations_in_micrometres_beside_targets_in_millimetres(precision, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("Run;Direction;Target_mm;Deviation_um\n1;up;0;1.0\n1;up;100;3.0\n1;down;100;2.0\n1;down;0;0.5\n", encoding="utf-8")
    precision("analyze", "d.csv")
    figures = _result(tmp_path)["result"]["figures"]
    assert figures["E"]["value"] == pytest.approx(2.5e-6, rel=1e-9)  # 3.0 − 0.5
    assert figures["A"]["value"] is None
    assert "only one approach" in figures["A"]["reason"]


def test_a_rotary_axis_is_told_by_its_unit(precision, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("# axis: C\nrun,direction,target_deg,deviation_arcsec\n1,+,0,1\n1,+,90,3\n1,-,90,2\n1,-,0,0\n", encoding="utf-8")
    precision("analyze", "c.csv")
    result = _result(tmp_path)["result"]
    assert result["unit"] == "rad"
    assert result["figures"]["E"]["value"] == pytest.approx(3 * 4.84813681109536e-06, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1,+,100,100.0010", "1,+,100,nan"), ("line 5", "actual_mm", "'nan' is not a number")),
        (("1,+,100,100.0010", "1,+,100,1_000"), ("line 5", "actual_mm")),
        (("1,+,100,100.0010", "1,+,100,٣"), ("line 5", "actual_mm")),
        (("1,+,100,100.0010", "1,+,100,100.0010 mm"), ("line 5", "actual_mm")),
        (("1,+,100,100.0010", "1,+,100,"), ("line 5", "actual_mm")),
        (("1,+,100,100.0010", "1,+,100,1e400"), ("line 5", "actual_mm")),
        (("1,+,100,100.0010", "1,+,100"), ("line 5", "3 cells")),
        (("1,+,100,100.0010", "1,*,100,100.0010"), ("line 5", "'*' is not a direction")),
        (("1,+,100,100.0010", "one,+,100,100.0010"), ("line 5", "'run'")),
        (("1,+,100,100.0010", "1,+,0,0.5"), ("another reading",)),
        (("actual_mm", "actual_um"), ("different units",)),
        (("actual_mm", "actual_deg"), ("units are mixed",)),
        (("actual_mm", "gauge"), ("no column for actual (or deviation)", "gauge")),
        (("target_mm,actual_mm", "target,actual"), ("states no unit", "--unit mm")),
        (("# axis: Y", "# axis: ../../etc"), ("axis",)),
        (("run,direction", "run;direction"), ("line",)),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_a_bad_file_is_refused_with_row_and_column(precision, tmp_path: Path, change: tuple[str, str], said: tuple[str, ...]) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    done = precision("analyze", "bad.csv", code=6)
    for part in said:
        assert part in done.stderr
    assert not list((tmp_path / "runs").glob("*/manifest.json"))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"\n\n\n", b"run,direction,target_mm,actual_mm\n", b"\xff\xfe" + "run,direction".encode("utf-16-le"), b"just words\nmore words\n"])
def test_what_is_no_table_is_refused(precision, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    assert "bad.csv" in precision("analyze", "bad.csv", code=6).stderr


def test_a_file_that_is_not_there_and_is_no_run_is_said_so(precision) -> None:
    done = precision("analyze", "nothing.csv", code=6)
    assert "nothing.csv" in done.stderr


def test_all_standards_side_by_side(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    out = precision("analyze", "y.csv", "--standard", "all").stdout
    for name in ("ISO 230-2:2014", "ISO 230-2:1988", "VDI/DGQ 3441"):
        assert name in out
    assert "P_a" in out


def test_another_standard_leaves_the_runs_own_result_alone(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv")
    (run,) = (tmp_path / "runs").glob("*positioning*")
    before = (run / "result.json").read_bytes()
    precision("analyze", "last", "--standard", "vdi3441")
    assert (run / "result.json").read_bytes() == before
    assert (run / "report-vdi3441.html").exists()


@pytest.mark.parametrize("form", ["html", "pdf", "md", "json", "csv", "xlsx", "junit"])
def test_the_report_in_every_format(precision, tmp_path: Path, form: str) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv")
    out = precision("report", "last", "--to", form, "-o", f"mine.{form}").stdout
    assert f"mine.{form}" in out
    assert (tmp_path / f"mine.{form}").stat().st_size > 500


def test_the_suffix_of_the_file_says_the_format(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv")
    for name, begins in (("a.pdf", b"%PDF"), ("a.xlsx", b"PK"), ("a.xml", b"<?xml"), ("a.json", b"{"), ("a", b"<!doctype html>")):
        precision("report", "last", "-o", name)
        assert (tmp_path / name).read_bytes().startswith(begins), name
    assert ".pdf" in precision("report", "last", "-o", "a.other", code=2).stderr and not (tmp_path / "a.other").exists()


def test_the_ready_plan_serves_a_recording(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    precision("analyze", "y.csv", "--plan", "positioning", "--set", "uncertainty.mean_material_temperature=20.5 °C", "--set", "machine.serial_number=4711")
    (run,) = (tmp_path / "runs").glob("*positioning*")
    assert "4711" in (run / "report.html").read_text(encoding="utf-8")
    assert _result(tmp_path)["result"]["figures"]["A"]["uncertainty"] > 0
    notes = (run / "report.html").read_text(encoding="utf-8")
    assert "already_corrected_to_20_degrees" in notes, "the known expansion is in U, and the reader is told how to say that it was corrected"


def test_a_limit_decides_the_exit_code(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    settings = [f"uncertainty.{key}={value}" for key, value in {"device_calibration": "0.1 ppm", "device_resolution": "1 nm", "misalignment_range": "0 mm", "material_temperature_range": "0 K", "expansion_coefficient_range": "0 1/K", "environmental_variation": "0.01 µm", "mean_material_temperature": "20 °C"}.items()]
    settings.append("evaluation.expansion_coefficient=11.7 µm/m/K")
    given = [part for setting in settings for part in ("--set", setting)]
    precision("analyze", "y.csv", *given, "--set", "limits.A=20 µm", code=0)
    out = precision("analyze", "y.csv", *given, "--set", "limits.A=1 µm", code=1).stdout
    assert "does not conform" in out.lower()
