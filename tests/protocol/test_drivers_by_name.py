"""A driver is found by role and name, ours in a table, others' as entry points that are loaded only when asked for."""

from __future__ import annotations

import importlib.metadata
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import precision.drivers as drivers
from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.scpi.simulator import ScpiSimulator
from precision.drivers.testing import UniformMachine
from precision.errors import LinkLost, PlanError


class _Sensors:
    def read(self, channel: int) -> float:
        return {101: 20.0, 102: 21.0, 103: 4.0, 104: 2.0}[channel]


@pytest.fixture
def served() -> Iterator[Callable[[Callable[[bytes], bytes]], int]]:
    """Serve one client on a loopback port; returns the port."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(answer: Callable[[bytes], bytes]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            client, _ = server.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := client.recv(4096):
                    client.sendall(answer(data))

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield serve
    for thread in threads:
        thread.join(5.0)
    for server in servers:
        server.close()


def test_a_controller_over_tcp(served: Callable[[Callable[[bytes], bytes]], int]) -> None:
    machine = UniformMachine()
    simulator = GrblSimulator(machine)
    port = served(lambda data: simulator.receive(data, 0.0) + simulator.poll(0.0))
    grbl = drivers.open_controller("grbl", f"tcp://127.0.0.1:{port}", poll_interval_s=0.01)
    grbl.home()
    grbl.move_to({"X": -20e-3, "Y": -10e-3}, feed_m_per_s=5e-3)
    assert machine.position_m["X"] == pytest.approx(-20e-3)
    grbl.stop()
    grbl.close()


def test_sensors_over_visa(served: Callable[[Callable[[bytes], bytes]], int]) -> None:
    port = served(ScpiSimulator(_Sensors()).receive)
    sensors = drivers.open_environment("scpi", f"visa://TCPIP::127.0.0.1::{port}::SOCKET")
    assert sensors.read().air_temperature_k == pytest.approx(293.15)
    sensors.close()
    sensors.close()


def test_an_unknown_driver_or_option_is_a_plan_error_that_names_the_known_ones() -> None:
    with pytest.raises(PlanError, match="is not known; ours are grbl"):
        drivers.open_controller("marlin", "tcp://127.0.0.1:1")
    with pytest.raises(PlanError, match="ours are ids3010"):
        drivers.open_interferometer("grbl", "tcp://127.0.0.1:1")
    with pytest.raises(PlanError, match="unknown option speed; allowed are poll_interval_s"):
        drivers.open_controller("grbl", "tcp://127.0.0.1:1", speed=3)
    with pytest.raises(PlanError, match="serial:///dev"):
        drivers.open_controller("grbl", "nowhere")


def test_a_third_partys_driver_is_loaded_by_its_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sensors:
        identity = "theirs"

        def __init__(self, address: str, *, gain: float) -> None:
            self.address, self.gain = address, gain

        def read(self) -> None:
            return None

        def close(self) -> None:
            self.address = ""

    class Entry:
        def __init__(self, target: object) -> None:
            self.target = target

        def load(self) -> object:
            assert self.target is not None, "loaded without being asked for"
            return self.target

    offered = {"theirs": [Entry(Sensors)], "other": [Entry(None)], "twice": [Entry(None), Entry(None)]}

    def entry_points(*, group: str, name: str) -> list[Entry]:
        assert group == "precision.drivers"
        return offered.get(name, [])

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert drivers.open_environment("theirs", "usb:1", gain=2.0).identity == "theirs"
    with pytest.raises(PlanError, match="no motion controller"):
        drivers.open_controller("theirs", "usb:1", gain=2.0)
    with pytest.raises(PlanError, match="offered by 2 packages"):
        drivers.open_environment("twice", "usb:1")


def test_a_device_that_is_not_there_is_a_lost_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LinkLost, match="no connection"):
        drivers.open_interferometer("ids3010", f"tcp://127.0.0.1:{port}")


def test_importing_the_table_imports_no_driver_and_no_library() -> None:
    code = "import sys, precision.drivers; print(sorted({'numpy', 'serial', 'pyvisa', 'precision.drivers.grbl.driver'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
