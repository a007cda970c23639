"""What goes wrong at a real controller is told, stops the test, and leaves a machine that can be taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from precision.cli import _exit_code
from precision.compensation import linuxcnc as format_
from precision.compensation.table import Table
from precision.drivers.linuxcnc import compensation
from precision.drivers.linuxcnc.cell import launch
from precision.drivers.linuxcnc.driver import LinuxCnc, connect
from precision.errors import DataError, DeviceError, DeviceFault
from precision.runs.columns import Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument

FEED = 0.1


def during_a_move(controller: LinuxCnc, what: Callable[[], object]) -> None:
    """Move X from −150 to 150 mm, and let `what` happen under way."""
    watcher = controller.another_beside()

    def wait_and_do() -> None:
        until = time.monotonic() + 20
        while watcher.row()["x_cmd"] < -0.14 and time.monotonic() < until:
            time.sleep(0.002)
        what()

    controller.move_to({"X": -0.15}, feed_m_per_s=FEED)
    thread = threading.Thread(target=wait_and_do)
    thread.start()
    try:
        controller.move_to({"X": 0.15}, feed_m_per_s=FEED)
    finally:
        thread.join()
        watcher.close()


def test_an_emergency_stop_under_way_is_a_fault(cell: launch.Cell, controller: LinuxCnc) -> None:
    with pytest.raises(DeviceFault, match="emergency stop"):
        during_a_move(controller, lambda: cell.hal("setp", "estop.in1", "0"))
    controller.stop()
    assert not controller.homed and "emergency stop" in controller.fault
    controller.acknowledge_fault()
    with pytest.raises(DeviceFault, match="switching"):  # the button is still pressed
        controller.home()
    cell.hal("setp", "estop.in1", "1")
    controller.acknowledge_fault()
    controller.home()
    controller.move_to({"X": 0.0}, feed_m_per_s=FEED)


def test_a_following_error_is_a_fault(cell: launch.Cell, controller: LinuxCnc) -> None:
    """The motor of X is held while its command goes on."""
    cell.hal("setp", "servo-x.maxoutput", "0.001")
    try:
        with pytest.raises(DeviceFault, match=r"following error|switched off"):
            controller.move_to({"X": controller.beside.row()["x_cmd"] + 0.05}, feed_m_per_s=FEED)
    finally:
        cell.hal("setp", "servo-x.maxoutput", "1000")
    controller.stop()
    controller.acknowledge_fault()
    controller.home()
    controller.move_to({"X": 0.0}, feed_m_per_s=FEED)


def test_a_computer_that_stalls_costs_no_servo_cycle(cell: launch.Cell, controller: LinuxCnc) -> None:
    """The servo thread is held for a second (ten of the controller's); COMM_TIMEOUT of the configuration is longer."""
    stream = controller.another_beside()
    stream.frames.start()

    def stall() -> None:
        cell.signal("rtapi_app", signal.SIGSTOP)
        time.sleep(1.0)
        cell.signal("rtapi_app", signal.SIGCONT)

    during_a_move(controller, stall)
    assert controller.beside.row()["x_cmd"] == pytest.approx(0.15, abs=1e-9)
    rows, last = 0, 0.0
    while last < 0.15 - 1e-9:
        block = stream.frames.read(5.0)
        assert block is not None and block.lost == 0
        rows, last = rows + len(block.values), block.values[-1, 0] if len(block.values) else last
    stream.close()
    assert rows > 3000


def test_a_table_is_installed_proven_and_put_back_where_it_fails(cell: launch.Cell, controller: LinuxCnc) -> None:
    nominal = np.linspace(-0.02, 0.02, 256)
    random = np.random.default_rng(1)
    table = Table(axis="X", nominal=nominal, forward=random.normal(size=256) * 0.2e-6, reverse=random.normal(size=256) * 0.2e-6)
    text = format_.write(table)
    installed = compensation.install(controller, "X", text)
    assert installed.verified.worst_m < 1e-11  # float32 trims of some µm
    assert installed.verified.cycles > 3000
    assert np.allclose(compensation.active(controller, "X").forward, table.forward, atol=1e-12)

    # What the controller's reader would lose points of is refused here.
    lines = text.splitlines()
    for bad in ([*lines[:10], "# said by hand", *lines[10:]], ["nominal,forward,reverse", *lines], [*lines, "200 200 200"], [lines[1], lines[0]]):
        with pytest.raises(DataError):
            compensation.install(controller, "X", "\n".join(bad) + "\n")
        assert cell.read("comp_x.txt") == text

    # A file that came to the controller another way, cut by a comment: what it adds is not the table.
    cell.write("comp_x.txt", "\n".join([*lines[:100], "# cut", *lines[100:]]) + "\n")
    controller.restart()
    controller.home()
    with pytest.raises(DataError, match="differs from the table"):
        compensation.verify(controller, "X", table)
    cell.write("comp_x.txt", text)


def test_a_controller_that_does_not_start_with_a_table_gets_the_old_one_back(
    cell: launch.Cell, controller: LinuxCnc, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = cell.read("comp_x.txt")
    restart = controller.restart

    def with_the_file_gone() -> None:
        if cell.read("comp_x.txt") != old:
            cell.remove("comp_x.txt")
        restart()

    monkeypatch.setattr(controller, "restart", with_the_file_gone)
    with pytest.raises(DeviceFault, match="did not start with the new table") as caught:
        compensation.install(controller, "X", "0 0.001 0.001\n")
    assert any("old table of X is back" in note for note in caught.value.__notes__)
    assert cell.read("comp_x.txt") == old
    controller.home()
    controller.move_to({"X": 0.01}, feed_m_per_s=FEED)


def test_a_controller_that_is_killed_is_a_lost_link_or_a_fault(linuxcnc: None) -> None:
    with launch.start(speed=10) as own:
        controller = connect(own.address)
        controller.home()
        began = time.monotonic()
        with pytest.raises(DeviceError):
            during_a_move(controller, lambda: [own.signal(name, signal.SIGKILL) for name in ("rtapi_app", "milltask", "linuxcncrsh")])
        assert time.monotonic() - began < 30
        with pytest.raises(DeviceError, match="Use the emergency stop"):
            controller.stop()
        controller.close()


def test_a_program_that_is_killed_in_motion_leaves_a_machine_that_stands(cell: launch.Cell, controller: LinuxCnc, tmp_path: Path) -> None:
    """Nobody is left to stop it but the supervisor, over the link that it inherited."""
    command = [sys.executable, "-P", "-m", "precision", "run", "positioning", "--machine", cell.address, "--yes", "--out", str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 40
    watcher = controller.another_beside()
    try:
        while not any(tmp_path.glob("*/capture.arrows")) or watcher.row()["vel"] < 0.05:
            assert run.poll() is None and time.monotonic() < until
            time.sleep(0.002)
    finally:
        run.kill()
        run.wait()
    where, since = watcher.row()["x_cmd"], time.monotonic()
    while time.monotonic() - since < 1.0 and time.monotonic() < until:
        now = watcher.row()["x_cmd"]
        where, since = (where, since) if abs(now - where) < 1e-7 else (now, time.monotonic())
        time.sleep(0.02)
    # With the machine off the command follows the feedback, and the mechanics still creep by some nanometres.
    assert watcher.row()["x_cmd"] == pytest.approx(where, abs=1e-7) and watcher.row()["vel"] == 0
    while not (records := list(tmp_path.glob("*/supervisor.json"))) and time.monotonic() < until:
        time.sleep(0.05)  # it writes when it has confirmed the standstill
    (record,) = records
    said = json.loads(record.read_text(encoding="utf-8"))
    assert said["standstill_confirmed"] and "MACHINE OFF" in said["last_heard"]
    watcher.close()
    controller.home()
    controller.move_to({"X": 0.0}, feed_m_per_s=FEED)


def test_an_emergency_stop_under_a_run_keeps_what_was_measured(cell: launch.Cell, controller: LinuxCnc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller.close()

    def press_when_it_measures() -> None:
        until = time.monotonic() + 30
        while not any(path.stat().st_size > 8000 for path in tmp_path.glob("*/capture.arrows")) and time.monotonic() < until:
            time.sleep(0.01)
        cell.hal("setp", "estop.in1", "0")

    hand = threading.Thread(target=press_when_it_measures)
    hand.start()
    code = _exit_code(["run", "positioning", "--machine", cell.address, "--yes", "--out", str(tmp_path)])
    hand.join()
    cell.hal("setp", "estop.in1", "1")
    said = capsys.readouterr().err
    assert code in (3, 5) and "emergency stop" in said and "confirms the standstill" in said
    (path,) = tmp_path.iterdir()
    run = RunDirectory.open(path)
    assert run.manifest.status == "ABORTED" and "emergency stop" in run.manifest.reason
    assert len(run.readings().columns["target_m"]) > 3


SHORT = ("--set", "cycle.runs=2", "--set", "targets.count=3")


def improving(cell: launch.Cell, folder: Path) -> list[str]:
    return ["improve", "--machine", cell.address, "--axis", "X", "--yes", "--out", str(folder), *SHORT]


def test_a_table_that_does_not_act_yet_is_not_built_upon(cell: launch.Cell, controller: LinuxCnc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a kill between writing and restarting leaves: on top of it, the next table would correct twice."""
    controller.close()
    old, written = cell.read("comp_x.txt"), "-100 -100.02 -100.02\n100 100.02 100.02\n"
    cell.write("comp_x.txt", written)
    try:
        assert _exit_code(improving(cell, tmp_path)) == 6
        said = capsys.readouterr().err
        assert "is not the one that acts" in said and "restart LinuxCNC" in said
        assert cell.read("comp_x.txt") == written
    finally:
        cell.write("comp_x.txt", old)


def test_an_interrupt_while_the_axis_is_swept_stops_it_and_puts_the_old_table_back(
    cell: launch.Cell, controller: LinuxCnc, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compensation.install(controller, "X", "0 0 0\n")
    controller.close()
    old, run_program = cell.read("comp_x.txt"), LinuxCnc.run_program

    def interrupted(self: LinuxCnc, text: str, *, name: str = "precision", look: Callable[[], None] | None = None) -> None:
        def look_and_end() -> None:
            if cell.read("comp_x.txt") != old and abs(self.beside.row()["vel"]) > 0.01:
                os.kill(os.getpid(), signal.SIGTERM)

        run_program(self, text, name=name, look=look_and_end)

    monkeypatch.setattr(LinuxCnc, "run_program", interrupted)
    was = signal.signal(signal.SIGTERM, lambda number, frame: None)  # where nobody handles it the test fails, not the whole session
    try:
        assert _exit_code(improving(cell, tmp_path)) == 143
    finally:
        signal.signal(signal.SIGTERM, was)
    said = capsys.readouterr().err
    assert "confirms the standstill" in said and "the old table of X is back, and the controller runs with it" in said
    assert cell.read("comp_x.txt") == old


def test_the_table_of_another_machine_or_axis_is_not_put_back(cell: launch.Cell, controller: LinuxCnc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller.close()
    run = RunDirectory.create(
        tmp_path / "runs", "positioning", plan={}, columns=(Column("x_m", "f8", "m"),), seed=1,
        instruments={"controller": Instrument(driver="linuxcnc", address="linuxcnc://mill", identity="LinuxCNC 2.9.4, machine mill")},
    )  # fmt: skip
    (run.path / "controller-table-before-X.txt").write_text("0 0.01 0.01\n", encoding="ascii")
    old = cell.read("comp_x.txt")
    restoring = ["improve", "--machine", cell.address, "--yes", "--restore", "--out", str(tmp_path / "runs"), "--axis"]
    assert _exit_code([*restoring, "X"]) == 6
    said = capsys.readouterr().err
    assert "'mill'" in said and "'precision-router'" in said and "nothing was written" in said
    assert _exit_code([*restoring, "../X"]) == 2
    assert cell.read("comp_x.txt") == old
