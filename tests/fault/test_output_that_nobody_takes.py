"""The reader of our output has gone, its disk is full, or it lacks our characters: the measurement goes on, and its verdict is the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["run", "positioning", "--set", "targets.count=5", "--set", "cycle.runs=2", "--set", "axis.end=300 mm"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and /dev/full of POSIX")


def _status(folder: Path) -> str:
    import json

    (manifest,) = (folder / "runs").glob("*/manifest.json")
    return str(json.loads(manifest.read_text(encoding="utf-8"))["status"])


def test_a_run_whose_output_is_cut_off_is_measured_to_its_end(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-P", "-m", "precision", *SMALL], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 0, said
    assert _status(tmp_path) == "COMPLETE"


def test_a_full_disk_behind_the_output_changes_no_verdict(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-P", "-m", "precision", *SMALL], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert _status(tmp_path) == "COMPLETE"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_output_without_our_characters_shows_escapes(tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-P", "-m", "precision", *SMALL], cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"COMPLETE" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"U (k = 2)" in done.stdout


def test_a_report_goes_to_standard_output_whole_or_is_refused(tmp_path: Path) -> None:
    import json

    command = [sys.executable, "-P", "-m", "precision"]
    assert subprocess.run([*command, *SMALL], cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode == 0
    said = subprocess.run([*command, "report", "last", "-o", "-"], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert said.returncode == 0 and json.loads(said.stdout)["title"]
    assert not (tmp_path / "-").exists()
    page = subprocess.run([*command, "report", "last", "-o", "-", "--to", "html"], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert page.stdout.lower().startswith(b"<!doctype html")
    several = subprocess.run([*command, "report", "last", "-o", "-", "--to", "csv"], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert several.returncode == 2 and b"csv is several files" in several.stderr
    with Path("/dev/full").open("wb") as full:
        lost = subprocess.run([*command, "report", "last", "-o", "-"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert lost.returncode == 6 and b"did not take the report" in lost.stderr and b"Traceback" not in lost.stderr
