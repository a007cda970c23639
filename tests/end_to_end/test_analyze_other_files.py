"""`precision analyze` recognises the files of instruments and controllers and says what it cannot evaluate."""

import json
from pathlib import Path

import pytest

RTL = (
    "HEADER::\r\nFile type  : rtl\r\nTARGET DATA::\r\nTarget-count: 2\r\nTargets :\r\n 0.0 100.0\r\nFlags: 0 0 2 0\r\nUSER-TEXT::\r\nAxis: Y\r\nSerial No: 4711\r\nRUNS::\r\n"
    "Run-count: 2\r\nDEVIATIONS::\r\nRun Target Data:\r\n1 1 0.0\r\n1 2 3.0\r\n2 2 1.0\r\n2 1 -1.0\r\nEOF::\r\n"
)


def test_an_rtl_file_becomes_a_run(precision, tmp_path: Path) -> None:
    (tmp_path / "y.rtl").write_text(RTL, encoding="ascii", newline="")
    precision("analyze", "y.rtl")
    (result,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["result"]["figures"]["E"]["value"] == pytest.approx(4e-6)
    assert "4711" in result.with_name("report.html").read_text(encoding="utf-8")
    # It goes on like any other run.
    out = " ".join(precision("compensate", "last", "--for", "linuxcnc").stdout.split())
    assert "At 100 mm, moving in the positive direction, the machine was 3.000 µm too far, so the controller adds −3.000 µm." in out


def test_a_file_of_something_else_is_named_and_left_alone(precision, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("#time,accel_x,accel_y,accel_z\n0,0,0,0\n0.1,0,0,0\n0.2,0,0,0\n", encoding="ascii")
    done = precision("analyze", "raw.csv", code=6)
    assert "accelerations of 3 samples at 10 Hz" in done.stderr
    assert "holds no positioning test" in done.stderr
    assert not list((tmp_path / "runs").glob("*/manifest.json"))


def test_a_file_that_was_cut_off_is_refused_with_its_line(precision, tmp_path: Path) -> None:
    (tmp_path / "y.rtl").write_text(RTL.replace("2 2 1.0\r\n", ""), encoding="ascii", newline="")
    assert "y.rtl, line 17: run 2, target 1; run 2, target 2" in precision("analyze", "y.rtl", code=6).stderr
    assert "--unit" in precision("analyze", "y.rtl", "--unit", "mm", code=2).stderr
