"""A Grbl controller on a pseudo terminal whose link breaks: the driver ends with an error of ours, and a stop tries everything."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from precision.drivers.grbl.driver import Grbl
from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.testing import UniformMachine
from precision.drivers.transport import open_transport
from precision.errors import DeviceError, LinkLost

pytest.importorskip("pty", reason="no pseudo terminals on this system")


class Board:
    """The simulator behind a pseudo terminal, in a thread; `mute` and `unplug` break it."""

    def __init__(self, time_scale: float) -> None:
        import tty

        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.address = f"serial://{os.ttyname(self._slave)}?baud=115200"
        self.machine = UniformMachine(homing_s=0.0)
        self.simulator = GrblSimulator(self.machine, time_scale=time_scale)
        self.mute = False
        self.received = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        import select

        while not self._over.is_set():
            data = b""
            if select.select([self._master], [], [], 0.005)[0]:
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 4096)
            self.received += data
            said = self.simulator.receive(data, time.monotonic()) + self.simulator.poll(time.monotonic())
            if said and not self.mute:
                os.write(self._master, said)

    def unplug(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            os.close(self._master)
            os.close(self._slave)


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board(time_scale=1.0)
    yield made
    made.unplug()


def opened(board: Board) -> Grbl:
    grbl = Grbl(open_transport(board.address, timeout_s=1.0), settle_s=0.05, timeout_s=0.5, stop_timeout_s=0.5, poll_interval_s=0.02)
    grbl.home()
    return grbl


def test_a_motion_over_a_serial_line_arrives(board: Board) -> None:
    grbl = opened(board)
    grbl.move_to({"X": -2e-3}, feed_m_per_s=8e-3)
    assert board.machine.position_m["X"] == pytest.approx(-2e-3)
    grbl.stop()
    grbl.close()


def test_unplugging_in_mid_motion_is_a_lost_link_and_the_stop_says_that_it_is_not_confirmed(board: Board) -> None:
    grbl = opened(board)
    threading.Timer(0.15, board.unplug).start()
    with pytest.raises(LinkLost):
        grbl.move_to({"X": -100e-3}, feed_m_per_s=8e-3)
    with pytest.raises(DeviceError, match="emergency stop"):
        grbl.stop()
    assert not grbl.homed
    grbl.close()


def test_a_controller_that_falls_silent_still_gets_hold_and_reset(board: Board) -> None:
    grbl = opened(board)
    threading.Timer(0.15, lambda: setattr(board, "mute", True)).start()
    with pytest.raises(LinkLost):
        grbl.move_to({"X": -100e-3}, feed_m_per_s=8e-3)
    with pytest.raises(DeviceError, match="not confirmed"):
        grbl.stop()
    sent = board.received
    assert sent.rindex(b"!") < sent.rindex(b"\x18")
    assert board.simulator.next_event_wall_s() is None  # it stands, whatever could be confirmed
    assert board.machine.position_m["X"] > -50e-3
    grbl.close()


def test_noise_on_the_line_ends_in_an_error_and_not_in_a_position(board: Board) -> None:
    grbl = opened(board)
    os.write(board._master, b"\xff\xfe<Idle|MPos:-100.000,\r\n")
    time.sleep(0.05)
    with pytest.raises(DeviceError):
        grbl.move_to({"X": -100e-3}, feed_m_per_s=8e-3)
    assert board.machine.position_m["X"] == pytest.approx(-1e-3)
    grbl.move_to({"X": -2e-3}, feed_m_per_s=8e-3)
    grbl.close()
