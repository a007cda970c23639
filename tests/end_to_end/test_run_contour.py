"""`precision run contour` and `precision analyze --as contour`, as a user types them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from precision.cli import _exit_code
from precision.models.part_program import in_plane, motions

PROGRAM = "( a part )\nG21 G90\nG0 X450 Y300\nF3000\nG1 X470 Y300\nG1 X490 Y320\nG3 X450 Y320 I-20\nG1 X450 Y300\nM2\n"


def recording(path: Path, *, columns: tuple[str, ...] = ("cmd", "fb", "tool"), unit: str = "mm", factor: float = 1e3, rows: int = 4000, shift: float = 0.0) -> None:
    """Positions along PROGRAM but for its first way; feedback 2 µm, tool 5 µm to the left of it."""
    path_of = in_plane(motions(PROGRAM)[1:], "XY")
    ends = np.concatenate([[0.0], np.cumsum(path_of.length_m)])
    lines = [",".join(["t_s", *(f"{axis}_{one} [{unit}]" if unit else f"{axis}_{one}" for one in columns for axis in "xy")])]
    offset = {"cmd": 0.0, "fb": 2e-6, "tool": 5e-6}
    for k, s in enumerate(np.linspace(0, ends[-1], rows)):
        j = min(int(np.searchsorted(ends, s, side="right")) - 1, path_of.line.size - 1)
        share = (s - ends[j]) / path_of.length_m[j]
        if path_of.sweep_rad[j]:
            arm = path_of.point_m[:, j] - path_of.centre_m[:, j]
            angle = math.atan2(arm[1], arm[0]) + share * path_of.sweep_rad[j]
            place = path_of.centre_m[:, j] + math.hypot(*arm) * np.array([math.cos(angle), math.sin(angle)])
            heading = angle + math.copysign(math.pi / 2, path_of.sweep_rad[j])
        else:
            chord = path_of.point_m[:, j + 1] - path_of.point_m[:, j]
            place, heading = path_of.point_m[:, j] + share * chord, math.atan2(chord[1], chord[0])
        left = np.array([-math.sin(heading), math.cos(heading)])
        cells = [f"{value * factor:.7f}" for one in columns for value in place + offset[one] * left + shift]
        lines.append(",".join([f"{k * 1e-3:.3f}", *cells]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line without a process of its own, where there are many of them: what it said, the exit code must be `code`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        found = _exit_code(list(arguments))
        said = capsys.readouterr()
        assert found == code, said.out + said.err
        return said.out + said.err

    return run


@pytest.fixture
def part(tmp_path: Path) -> Path:
    file = tmp_path / "part.ngc"
    file.write_text(PROGRAM, encoding="utf-8")
    return file


def result_of(tmp_path: Path) -> dict:  # type: ignore[type-arg]
    (found,) = sorted((tmp_path / "runs").glob("*/result.json"))[-1:]
    return dict(json.loads(found.read_text(encoding="utf-8")))


def test_a_program_of_ones_own_is_driven_and_judged_and_judged_again(precision, tmp_path: Path, part: Path) -> None:
    said = precision("run", "contour", "--set", "program=part.ngc", "--dry-run").stdout
    assert "part.ngc: 5 motions (1 arcs) on lines 3 … 8" in said
    assert "line 7: arc ccw" in said
    assert not (tmp_path / "runs").exists()
    # the start is where the machine stands before the first line
    settings = ("--set", "program.file=part.ngc", "--set", 'program.start=["440 mm", "300 mm", "-250 mm"]')
    done = precision("run", "contour", *settings, "--set", "limits.contour=1 µm", code=1)
    assert "Does not conform" in done.stdout
    result = result_of(tmp_path)
    assert [one["line"] for one in result["lines"]] == [3, 5, 6, 7, 8]
    assert [one["kind"] for one in result["lines"]] == ["rapid", "line", "line", "arc ccw", "line"]
    assert result["lines"][0]["samples"] == 0  # rapids do not count
    assert 0 < result["sources"]["command"]["figures"]["e_max"]["value"] < 1.5e-6
    assert result["sources"]["tool"]["figures"]["e_max"]["uncertainty"] > 0
    part.unlink()  # the run keeps the program
    again = precision("analyze", "last", "--set", "limits.contour=100 µm")
    assert "Conforms" in again.stdout
    (report,) = (tmp_path / "runs").glob("*/report.html")
    page = report.read_text(encoding="utf-8")
    for words in ("Worst places of the tool", "Lines of the program", "G3 X450 Y320 I-20", "Causes", "times as large", "How to read it"):
        assert words in page, words


def test_a_way_outside_the_limits_is_refused_with_its_line_and_nothing_moves(at_once: Callable[..., str], tmp_path: Path, part: Path) -> None:
    plan = tmp_path / "mine.toml"
    shown = at_once("plan", "show", "contour")
    plan.write_text(shown.replace('piece = "circle-diamond-square"', 'file = "part.ngc"\n#'), encoding="utf-8")
    # both ends of the arc are inside; its bulge is not
    part.write_text("G21 G90\nG0 X10 Y300\nG1 X985 Y300 F3000\nG3 X985 Y340 J20\nM2\n", encoding="utf-8")
    done = at_once("run", "mine.toml", "--set", 'program.start=["0 mm", "300 mm", "-250 mm"]', code=5)
    assert "G-code line 4 leads to X 1005.000 mm" in done
    assert not (tmp_path / "runs").exists()
    for text, said in (
        ("G21 G90\nG41 D1\nG1 X10 F600\n", "G-code line 2: G41 is not supported"),
        ("G21 G90\nM3 S1000\nG1 X10 F600\n", "G-code line 2: M3 turns the spindle"),
        ("G21 G90\nM0\nG1 X10 F600\n", "G-code line 2: M0 waits for a person"),
        ("G21 G90\nG1 X10\n", "G-code line 2: a motion at no feed"),
        ("G1 X10 F600\n", "before G20 or G21"),
        ("G21\nG0 X10\n", "rapid motions only"),
        ("", "is empty"),
        ("G21\nG1 X#1 F1", "is no word"),
        ("\0\0\0", "NUL bytes"),
    ):
        part.write_text(text, encoding="utf-8")
        done = at_once("run", "mine.toml", code=2 if "M" in said or "feed" in said or "only" in said else 6)
        assert said in done, (text, done)


def test_a_helix_is_refused_by_a_controller_that_drives_plane_arcs(at_once: Callable[..., str], tmp_path: Path, part: Path) -> None:
    plan = tmp_path / "mine.toml"
    plan.write_text(at_once("plan", "show", "contour").replace('piece = "circle-diamond-square"', 'file = "part.ngc"\nstart = ["450 mm", "300 mm", "-250 mm"]\n#'), encoding="utf-8")
    part.write_text("G21 G90\nG3 X450 Y300 Z-245 I10 F600\nM2\n", encoding="utf-8")
    done = at_once("run", "mine.toml", code=2)
    assert "G-code line 2: a helix" in done


def test_a_recording_and_its_program_are_evaluated(precision, tmp_path: Path, part: Path) -> None:
    recording(tmp_path / "log.csv")
    done = precision("analyze", "log.csv", "--as", "contour", "--set", "program=part.ngc", "--set", "uncertainty.feedback_resolution=0.1 µm")
    assert "begins after the first 1 rapid motions" in done.stdout
    result = result_of(tmp_path)
    for source, left in (("command", 0.0), ("feedback", 2e-6), ("tool", 5e-6)):
        figures = result["sources"][source]["figures"]
        assert figures["e_mean"]["value"] == pytest.approx(left, abs=0.02e-6)  # a corner is passed at a distance
    assert result["parts"]["mechanics_rms"]["value"] == pytest.approx(3e-6, abs=0.05e-6)
    assert result["following"]["following_max"]["value"] == pytest.approx(2e-6, abs=1e-9)
    assert [one["line"] for one in result["lines"]] == [5, 6, 7, 8]
    assert all(one["following_rms_m"] == pytest.approx(2e-6, abs=1e-9) for one in result["lines"])
    # U: the feedback's is half a count in each axis, the tool's is not stated without its calibration
    assert result["sources"]["feedback"]["figures"]["e_max"]["uncertainty"] == pytest.approx(math.sqrt(2) * 0.05e-6, rel=1e-3)
    assert "tool_sensor, drift" in result["sources"]["tool"]["figures"]["e_max"]["uncertainty_reason"] or "tool_sensor, drift" in result["uncertainty_reason"]


def test_positions_alone_are_followed_along_the_program(precision, tmp_path: Path, part: Path) -> None:
    recording(tmp_path / "log.csv", columns=("tool",))
    precision("analyze", "log.csv", "--as", "contour", "--set", "program=part.ngc", "--set", "uncertainty.tool_sensor=0.1 µm", "--set", "uncertainty.drift=0 µm")
    result = result_of(tmp_path)
    tool = result["sources"]["tool"]["figures"]["e_mean"]
    assert abs(tool["value"] - 5e-6) < tool["uncertainty"]
    assert result["causes"] is None and "only tool was recorded" in result["causes_reason"]


def test_recordings_that_do_not_fit_are_refused_in_words(at_once: Callable[..., str], tmp_path: Path, part: Path) -> None:
    def refused(*more: str, code: int = 6) -> str:
        return " ".join(at_once("analyze", "log.csv", "--as", "contour", *more, code=code).split())

    with_program = ("--set", "program=part.ngc")
    recording(tmp_path / "log.csv")
    assert "without its part program" in refused()
    assert "cannot be read" in refused("--set", "program=absent.ngc")
    recording(tmp_path / "log.csv", unit="mm", factor=1e3 / 25.4)
    assert "inches taken for millimetres" in refused(*with_program)
    recording(tmp_path / "log.csv", unit="", factor=1e3)
    assert "states no unit" in refused(*with_program)
    recording(tmp_path / "log.csv", shift=7e-3)
    assert "never reaches the begin of the path" in refused(*with_program)
    assert not (tmp_path / "runs").exists()  # nothing was made of what does not fit
    at_once("analyze", "log.csv", "--as", "contour", "--set", "program.file=part.ngc", "--set", 'program.start=["450 mm", "300 mm", "0 mm"]', "--set", "program.origin=first sample")
    recording(tmp_path / "log.csv", rows=4000)
    text = (tmp_path / "log.csv").read_text(encoding="utf-8").split("\n")
    (tmp_path / "log.csv").write_text("\n".join(text[:1500]), encoding="utf-8")
    done = at_once("analyze", "log.csv", "--as", "contour", *with_program)
    assert "the recording ends on line" in " ".join(done.split())
    (tmp_path / "log.csv").write_text("\n".join(",".join(row.split(",")[:2]) for row in text), encoding="utf-8")
    assert "X but not Y of the command" in refused(*with_program)
    (tmp_path / "log.csv").write_text("\n".join([text[0], *text[1:60], "0.06,1,2,x,4,5,6"]), encoding="utf-8")
    assert "line 61: 'x' is not a number" in refused(*with_program)
    (tmp_path / "log.csv").write_bytes(bytes(range(256)) * 40)
    assert "NUL bytes" in refused(*with_program) or "columns" in refused(*with_program)
    (tmp_path / "log.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "no column 'time'" in refused(*with_program)
    (tmp_path / "log.csv").write_text("t_s,a\n1,2\n", encoding="utf-8")
    assert "positions are expected as x_cmd" in refused(*with_program)
