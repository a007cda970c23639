"""Runs written by version 1 stay readable, verifiable, recoverable and exportable. The runs in v1/ are never made again (make_v1.py made them)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError
from precision.runs import index
from precision.runs.canonical import sha256_of_file
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument
from precision.runs.recover import recover, verify_run

V1 = Path(__file__).with_name("v1")
COLUMNS = (Column("t_mono_ns", "i8", "ns", wall_clock=True), Column("target_m", "f8", "m"), Column("displacement_m", "f8", "m"), Column("run", "i8", ""))


def test_a_run_of_version_1_is_read_bit_for_bit() -> None:
    run = RunDirectory.open("v1-complete", V1)
    manifest = run.manifest
    assert (manifest.run_id, manifest.procedure, manifest.status, manifest.seed, manifest.simulated) == ("v1-complete", "positioning", "COMPLETE", 20261123, True)
    assert manifest.plan == {"procedure": "positioning", "axis": {"name": "X", "targets_m": [0.0, 0.05, 0.1], "runs": 2}}
    assert manifest.instruments == {"controller": Instrument(driver="grbl", address="sim://lab", identity="Grbl 1.1h \x1b[31m</script>")}
    assert manifest.columns == COLUMNS
    assert manifest.capture_schema_sha256 == "e376756d9f962b9b70ad3de52790309ad2b0b9c5b3090ce8a67ba286509f1a0f"
    capture = run.readings()
    target = np.tile([0.0, 0.05, 0.1], 2)
    assert np.array_equal(capture.columns["target_m"], target)
    assert np.array_equal(capture.columns["displacement_m"], target + np.repeat([1e-6 / 3, 1e-6 * 2 / 3], 3))
    assert capture.columns["run"].tolist() == [1, 1, 1, 2, 2, 2]
    assert [(gap.row, gap.samples, gap.reason) for gap in capture.gaps] == [(6, 2, "beam lost")]
    assert [batch.t_mono_ns for batch in capture.batches] == [10**9, 2 * 10**9]
    assert run.read_result() == {"figures": [{"key": "A", "unit": "m", "value": 1e-6 / 3}]}
    assert run.read_truth() == {"pitch_error_m": 1e-6 / 3}
    assert [event["event"] for event in run.events()] == ["created", "beam lost", "finished"]
    assert verify_run(run.path)


def test_a_run_of_version_1_that_died_is_recovered(tmp_path: Path) -> None:
    shutil.copytree(V1 / "v1-died", tmp_path / "v1-died")
    assert len(verify_run(tmp_path / "v1-died").problems) == 3
    with pytest.raises(DataError, match="precision runs recover v1-died"):
        RunDirectory.open("v1-died", tmp_path).readings()
    recovery = recover(tmp_path / "v1-died")
    assert (recovery.blocks, recovery.samples) == (1, 3)
    assert recovery.run.readings().columns["displacement_m"].tolist() == [1e-6 / 3, 0.05 + 1e-6 / 3, 0.1 + 1e-6 / 3]
    assert verify_run(recovery.run.path)


def test_the_stored_runs_are_the_bytes_that_version_1_wrote() -> None:
    manifest = RunDirectory.open("v1-complete", V1).manifest
    assert manifest.capture_sha256 == sha256_of_file(V1 / "v1-complete" / "capture.arrows")


def test_old_runs_are_listed(tmp_path: Path) -> None:
    shutil.copytree(V1, tmp_path / "runs")
    assert {entry.name: entry.status for entry in index.listing(tmp_path / "runs")} == {"v1-complete": "COMPLETE", "v1-died": "RUNNING (dead)"}


def test_a_run_of_a_later_version_asks_for_a_newer_program(tmp_path: Path) -> None:
    shutil.copytree(V1 / "v1-complete", tmp_path / "later")
    manifest = tmp_path / "later" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(DataError, match=r"schema version 2.*newer"):
        RunDirectory.open(tmp_path / "later")
