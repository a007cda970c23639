"""Private controllers: several side by side, and nothing left of them, however they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from precision.drivers.linuxcnc.cell import launch
from precision.drivers.linuxcnc.driver import connect
from precision.errors import DeviceError

NAMES = ("linuxcnc", "linuxcncsvr", "linuxcncrsh", "rtapi_app", "milltask", "halcmd", "io")


def traces() -> tuple[frozenset[str], ...]:
    """Processes of a controller, System V segments, and files where one leaves any."""
    processes = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() in NAMES:
                    processes.add(entry.name)
            except OSError:
                continue  # it has just ended
    segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    files = [name for folder in ("/tmp", "/dev/shm") for name in os.listdir(folder) if any(word in name for word in ("linuxcnc", "rtapi", "faketime", "precision-cell", "precision-programs"))]
    return frozenset(processes), frozenset(segments), frozenset(files)


def gone(before: tuple[frozenset[str], ...], within_s: float = 20.0) -> bool:
    """Whether nothing is there, soon, that was not there before."""
    deadline = time.monotonic() + within_s
    while any(now - then for now, then in zip(traces(), before, strict=True)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_two_side_by_side_know_nothing_of_each_other(linuxcnc: None) -> None:
    before = traces()
    with launch.start(speed=10) as one, launch.start(speed=10, rig="worn") as other:
        first, second = connect(one.address), connect(other.address)
        first.home()
        second.home()
        first.move_to({"X": 0.02}, feed_m_per_s=0.1)
        second.move_to({"X": -0.03}, feed_m_per_s=0.1)
        assert first.position()["X"] == pytest.approx(0.02, abs=0.2e-6)
        assert second.position()["X"] == pytest.approx(-0.03, abs=0.2e-6)
        assert first.identity != second.identity
        # Nobody else can reach either: its ports are open on no interface of this computer.
        for port in (5005, 5007):
            with socket.socket() as sock:
                assert sock.connect_ex(("127.0.0.1", port)) != 0
        first.close()
        second.close()
    assert gone(before)


def test_one_after_the_other_nothing_is_left(linuxcnc: None, slow: bool) -> None:
    before = traces()
    for _ in range(10 if slow else 2):
        with launch.start(speed=10) as cell:
            assert "milltask" in cell.processes()
        assert gone(before)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_cell_goes_with_the_program_that_started_it(linuxcnc: None, how: signal.Signals) -> None:
    before = traces()
    process = subprocess.Popen([sys.executable, "-P", "-m", "precision", "simulate", "linuxcnc", "--speed", "10"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith("machine") and "linuxcnc://127.0.0.1:" in lines[0]
    assert traces() != before
    process.send_signal(how)
    process.communicate(timeout=30)
    assert gone(before)


def test_a_plain_cell_leaves_nothing_either_and_a_second_is_refused(linuxcnc: None) -> None:
    """Where a user may make no namespaces: one controller at a time, in the fixed places."""
    before = traces()
    with launch.start(speed=1, private=False) as cell:
        controller = connect(cell.address)
        controller.home()
        controller.close()
        with pytest.raises(DeviceError, match="another LinuxCNC"):
            launch.start(speed=1, private=False)
        with launch.start(speed=10) as beside:
            assert beside.alive
    assert gone(before)
