"""`precision capture` as a user types it: what a stream gave is in the run, what it lost is a gap there, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks.capturing import record
from precision.drivers.frames import codec
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel
from precision.drivers.transport import open_transport
from precision.errors import LinkLost, PlanError
from precision.runs.directory import RunDirectory

HEADER = codec.Header(identity="gauge\x1b[31m 7", rate_hz=1000.0, channels=(Channel("x", "m"), Channel("trigger", "")), simulated=True)


def rows(first: int, count: int) -> np.ndarray:
    index = np.arange(first, first + count)
    return np.stack([np.sin(index * 0.01) * 1e-6, index % 2], axis=1)


def capture(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "precision", "capture", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def the_run(folder: Path) -> RunDirectory:
    (path,) = (folder / "runs").iterdir()
    return RunDirectory.open(path)


def test_a_stream_with_a_loss_becomes_a_run_with_a_gap(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows, total=5000, time_scale=np.inf, lost=range(1234, 1300))) as server:
        process = capture("--from", server.address, "--duration", "4 s", folder=tmp_path)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "3934 samples, 4 s of the device's time, with gaps; ended by --duration" in said and "66 samples are missing in 1 places" in said and "\x1b" not in said
    run = the_run(tmp_path)
    assert (run.manifest.status, run.manifest.procedure, run.manifest.simulated) == ("COMPLETE", "capture", True)
    readings = run.readings()
    kept = np.r_[0:1234, 1300:4000]
    assert np.array_equal(readings.columns["sample"], kept)
    assert np.array_equal(readings.columns["t_ns"], kept * 1_000_000)
    assert np.array_equal(np.stack([readings.columns["x"], readings.columns["trigger"]], axis=1), rows(0, 4000)[kept])
    assert [(gap.samples, gap.reason) for gap in readings.gaps] == [(66, "the device was overrun")]
    assert [(column.name, column.unit) for column in run.manifest.columns] == [("sample", ""), ("t_ns", "ns"), ("x", "m"), ("trigger", "")]


def test_ctrl_c_ends_a_recording_without_duration_cleanly(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows)) as server:
        process = capture("--from", server.address, folder=tmp_path)
        assert process.stdout is not None
        while not process.stdout.readline().startswith("run"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    run = the_run(tmp_path)
    if "nothing was recorded" not in errors:  # it came before the first frame
        assert process.returncode == 0 and "stopped by SIGINT" in said
    assert run.manifest.status == "COMPLETE" and "SIGINT" in run.manifest.reason


def test_ctrl_c_aborts_a_recording_with_a_duration_and_keeps_it(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows)) as server:
        process = capture("--from", server.address, "--duration", "1 h", folder=tmp_path)
        assert process.stdout is not None
        while not process.stdout.readline().startswith("run"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "is kept in" in errors
    assert the_run(tmp_path).manifest.status == "ABORTED"


def test_a_device_that_goes_away_leaves_what_it_gave(tmp_path: Path) -> None:
    server = FrameServer(lambda: FrameSimulator(HEADER, rows, time_scale=10.0))
    stream = FrameStream(open_transport(server.address))

    def gone(duration_s: float, samples: int, lost: int) -> None:
        if samples > 100:
            server.close()

    with pytest.raises(LinkLost) as caught:
        record(stream, tmp_path, driver="frames", address=server.address, progress=gone)
    stream.close()
    assert any("kept" in note for note in caught.value.__notes__)
    (path,) = tmp_path.iterdir()
    run = RunDirectory.open(path)
    assert run.manifest.status == "ABORTED"
    assert len(run.readings().columns["x"]) > 100


def test_the_end_of_the_stream_ends_the_recording_and_losses_at_the_end_count(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows, total=500, time_scale=np.inf, lost=range(450, 500))) as server:
        stream = FrameStream(open_transport(server.address))
        recorded = record(stream, tmp_path, driver="frames", address=server.address)
        stream.close()
    assert (recorded.samples, recorded.lost, recorded.gaps, recorded.duration_s) == (450, 50, 1, 0.5)
    assert recorded.ended == "the device ended its stream"


@pytest.mark.parametrize("name", ["sample", "t_ns"])
def test_a_channel_named_as_one_of_our_columns_is_refused(tmp_path: Path, name: str) -> None:
    header = codec.Header(identity="a", rate_hz=1000.0, channels=(Channel(name, "m"), Channel("y", "m")))
    with FrameServer(lambda: FrameSimulator(header, rows)) as server:
        stream = FrameStream(open_transport(server.address))
        with pytest.raises(PlanError, match=name):
            record(stream, tmp_path, driver="frames", address=server.address)
        stream.close()
    assert not list(tmp_path.iterdir())


def test_nobody_there_and_no_stream_there_are_told_apart(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows)) as server:
        address = server.address
    process = capture("--from", address, folder=tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3 and re.search("LinkLost: .*no connection", errors)
    assert not (tmp_path / "runs").exists()


def test_the_other_commands_know_a_recording(tmp_path: Path) -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows, total=100, time_scale=np.inf)) as server:
        stream = FrameStream(open_transport(server.address))
        recorded = record(stream, tmp_path / "runs", driver="frames", address=server.address)
        stream.close()

    def said(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-P", "-m", "precision", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    name = recorded.run.name
    assert said("runs", "list")[0] == 0
    assert said("runs", "verify", name)[0] == 0
    assert said("export", name, "--to", "csv", "-o", "readings.csv")[0] == 0
    assert (tmp_path / "readings.csv").read_text(encoding="utf-8").count("\n") > 100
    code, text = said("analyze", name)
    assert code == 2 and "recording of a stream" in text and "--column time=t_ns" in text and "Traceback" not in text
    assert json.loads((recorded.run.path / "manifest.json").read_text(encoding="utf-8"))["plan"]["rate_hz"] == 1000.0
