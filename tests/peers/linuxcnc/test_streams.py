"""Servo cycles into runs: every one of them, at 1 kHz and at 10 kHz, through the command a person types."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks.capturing import record
from precision.cli import _exit_code
from precision.drivers import open_stream
from precision.drivers.linuxcnc.cell import launch
from precision.drivers.linuxcnc.driver import connect
from precision.drivers.roles import Stream
from precision.drivers.transport import open_transport
from precision.errors import DeviceError
from precision.runs.directory import RunDirectory


def the_run(folder: Path) -> RunDirectory:
    (path,) = folder.iterdir()
    return RunDirectory.open(path)


def test_capture_records_every_servo_cycle(cell: launch.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["capture", "--from", cell.address, "--duration", "10 s", "--out", str(tmp_path)]) == 0
    assert "10000 samples, 10 s of the device's time, no gap" in capsys.readouterr().out
    run = the_run(tmp_path)
    readings = run.readings()
    assert not readings.gaps and run.manifest.simulated
    assert np.array_equal(readings.columns["sample"], np.arange(10_000))
    assert np.array_equal(readings.columns["t_ns"], np.arange(10_000) * 1_000_000)
    units = {column.name: column.unit for column in run.manifest.columns}
    assert units["x_tool"] == "m" and units["vel"] == "m/s" and units["trig"] == ""
    # The floor vibrates: a reading that stood still would not be the tool's.
    assert np.ptp(readings.columns["x_tool"]) > 10e-9


def test_a_servo_period_of_100_us_gives_10_khz_without_a_gap(linuxcnc: None, tmp_path: Path) -> None:
    """In real time: the sampler's 60 000 rows are 6 s, in which a busy computer can be late."""
    with launch.start(speed=1, servo_period_s=100e-6) as cell:
        stream = open_stream("linuxcnc", cell.address)
        assert isinstance(stream, Stream) and stream.rate_hz == pytest.approx(10_000)
        recorded = record(stream, tmp_path, driver="linuxcnc", address=cell.address, duration_s=3.0, simulated=True)
        stream.close()
    assert (recorded.samples, recorded.lost) == (30_000, 0)


def test_the_velocity_is_the_derivative_of_the_command(cell: launch.Cell) -> None:
    """Units and columns belong together: 0.05 m/s along X is 50 µm in each cycle of 1 ms."""
    controller = connect(cell.address)
    controller.home()
    controller.move_to({"X": 0.0}, feed_m_per_s=0.1)
    stream = controller.another_beside()
    stream.frames.start()
    controller.move_to({"X": 0.02}, feed_m_per_s=0.05)
    rows = []
    while not rows or rows[-1][-1, 0] < 0.02 - 1e-9:
        block = stream.frames.read(5.0)
        assert block is not None and block.lost == 0
        if len(block.values):
            rows.append(block.values)
    values = np.concatenate(rows)
    stream.close()
    controller.close()
    x, vel, feedback, error = (values[:, stream.names.index(name)] for name in ("x_cmd", "vel", "x_fb", "x_ferr"))
    steady = np.flatnonzero(vel > 0.05 - 1e-9)
    assert len(steady) > 200
    # The joint follows the path through its interpolator, some cycles of it at either end.
    assert np.diff(x)[steady[10:-10]] == pytest.approx(50e-6, abs=1e-9)
    # The following error is the command of the cycle before, less the feedback: as the controller computes it.
    assert error[1:] == pytest.approx(x[:-1] - feedback[1:], abs=60e-6)
    assert np.abs(feedback - x).max() < 1e-3


def test_any_pin_or_signal_can_be_streamed(linuxcnc: None) -> None:
    """A signal, a pin that is part of one, and a pin that nothing was connected to; and what is not there is told."""
    pins = ("motor=motor-x:m:0.001", "wanted=servo-x.output:m/s:0.001", "error=servo-x.error:m:0.001", "enabled=servo-x.enable")
    with launch.start(speed=10, pins=pins) as cell:
        stream = open_stream("linuxcnc", cell.address)
        names = [channel.name for channel in stream.channels]
        assert [(channel.name, channel.unit) for channel in stream.channels[-4:]] == [("motor", "m"), ("wanted", "m/s"), ("error", "m"), ("enabled", "")]
        controller = connect(cell.address)
        controller.home()
        stream.start()
        controller.move_to({"X": 0.03}, feed_m_per_s=0.1)
        rows = []
        while not rows or rows[-1][-1, names.index("motor")] < 0.03 - 1e-6:
            block = stream.read(5.0)
            assert block is not None and block.lost == 0
            if len(block.values):
                rows.append(block.values)
        values = dict(zip(names, np.concatenate(rows).T, strict=True))
        stream.close()
        controller.close()
        assert set(values["enabled"]) == {1.0}
        # The position loop: error = command − feedback, and a speed that carries the motor along.
        assert np.abs(values["error"] - (values["x_cmd"] - values["motor"])).max() < 0.2e-3
        assert values["wanted"].max() == pytest.approx(0.1, rel=0.2)
    with pytest.raises(DeviceError, match="no HAL pin or signal 'not-there'"):
        launch.start(speed=10, pins=("a=not-there",))


def test_a_client_that_goes_away_in_the_middle_takes_nobody_with_it(cell: launch.Cell) -> None:
    """With frames under way, a question unanswered, and the connection reset rather than closed."""
    for _ in range(20):
        gone = open_transport(cell.address.partition("stream=")[2].join(("tcp://127.0.0.1:", "")))
        gone.write(b"start\nwait 100000\nwait 3\n", timeout_s=1.0)
        gone.read_available(0.02)
        gone._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
    stream = open_stream("linuxcnc", cell.address)
    stream.start()
    assert (block := stream.read(5.0)) is not None and block.lost == 0
    stream.close()
