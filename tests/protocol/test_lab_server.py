"""The virtual lab as a process: real bytes over a pseudo terminal, TCP and VISA; faults when asked; gone when nobody holds it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from precision.drivers.lab.faults import Fault, spoiled
from precision.drivers.lab.process import LabProcess, start
from precision.drivers.transport import Transport, open_transport
from precision.errors import DeviceError, LinkLost

DEADLINE_S = 5.0
posix_only = pytest.mark.skipif(os.name != "posix", reason="there are no pseudo terminals here")


@pytest.fixture(scope="module")
def shared() -> Iterator[LabProcess]:
    """One lab for the tests that leave nothing behind."""
    with start(seed=7, controller="tcp") as lab:
        yield lab


@contextlib.contextmanager
def linked(address: str) -> Iterator[Transport]:
    link = open_transport(address)
    try:
        yield link
    finally:
        link.close()


def told(link: Transport, line: str, end: bytes = b"ok\r\n") -> str:
    """What Grbl says up to `end`."""
    link.write(line.encode(), timeout_s=DEADLINE_S)
    return link.read_until(end, timeout_s=DEADLINE_S).decode()


def asked(link: Transport, function: str, *parameters: object) -> list[Any]:
    request = {"jsonrpc": "2.0", "method": f"com.attocube.ids.{function}", "params": list(parameters), "id": 1, "api": 2}
    link.write(json.dumps(request).encode(), timeout_s=DEADLINE_S)
    return list(json.loads(link.read_until(b"\r\n", timeout_s=DEADLINE_S))["result"])


def measuring(link: Transport) -> None:
    asked(link, "system.startMeasurement")
    for _ in range(10):
        if asked(link, "system.getCurrentMode")[1] == "measurement running":
            asked(link, "displacement.setAverageN", 20)
            return
    raise AssertionError("the interferometer does not start")


def measured(lab: LabProcess, *, polls: int = 1) -> list[int]:
    """Home, zero, and read at four stops over the wire."""
    readings = []
    with linked(lab.addresses["controller"]) as controller, linked(lab.addresses["interferometer"]) as interferometer:
        told(controller, "$H\n")
        told(controller, "G21G90G1X10F12000\nG4P2\n", b"ok\r\nok\r\n")
        measuring(interferometer)
        asked(interferometer, "system.resetAxis", 0)
        for target in (200, 700, 990, 700):
            told(controller, f"G1X{target}F12000\nG4P2\n", b"ok\r\nok\r\n")
            for _ in range(polls):
                told(controller, "?", b">\r\n")
                warning, value = asked(interferometer, "displacement.getAxisDisplacement", 0)
                assert warning == 0
            readings.append(value)
    return readings


# -- the three links -------------------------------------------------------------------------------------------------------------------


@posix_only
def test_a_run_over_a_pty_tcp_and_visa_reads_what_the_truth_says() -> None:
    with start(seed=7) as lab:
        assert lab.addresses["controller"].startswith("serial:///dev/")
        readings = measured(lab)
        with linked(lab.addresses["environment"]) as environment:
            environment.write(b"MEAS:TEMP? (@101,102)\n", timeout_s=DEADLINE_S)
            air_c, material_c = map(float, environment.read_until(b"\n", timeout_s=DEADLINE_S).split(b","))
        truth = lab.truth()
        state = lab.state()
    assert [entry["reported_pm"] for entry in truth["readings"]] == readings
    for entry, nominal_m in zip(truth["readings"], (0.19, 0.69, 0.98, 0.69), strict=True):
        # 25 µm of this machine's errors and 4 µm/m of growth.
        assert entry["true_displacement_20c_m"] == pytest.approx(nominal_m, abs=50e-6)
        # The reading is optical: index, and the wavelength, beam and air within their bounds.
        assert entry["reported_pm"] * 1e-12 / (1 + entry["refractivity"]) == pytest.approx(entry["true_displacement_m"], abs=1e-6)
    p = truth["parameters"]
    assert air_c + 273.15 == pytest.approx(p["air_temperature_k"], abs=0.5)
    assert material_c + 273.15 == pytest.approx(truth["readings"][-1]["screw_temperature_k"] + p["material_sensor_offset_k"], abs=0.05)
    assert state["controller"] == "Idle" and not state["moving"] and state["position_m"]["X"] == pytest.approx(0.7)


def test_the_same_seed_gives_the_same_bytes_however_often_one_asks() -> None:
    with start(seed=3, controller="tcp") as plain, start(seed=3, controller="tcp") as busy:
        assert measured(plain) == measured(busy, polls=7)
        assert plain.truth()["readings"] == busy.truth()["readings"]


def test_nothing_listens_beyond_the_loopback_interface(shared: LabProcess) -> None:
    psutil = pytest.importorskip("psutil")
    listeners = [c.laddr.ip for c in psutil.Process(shared.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listeners) == 8
    assert set(listeners) == {"127.0.0.1"}


def test_clients_may_go_without_a_word_and_come_back(shared: LabProcess) -> None:
    for _ in range(3):
        with linked(shared.addresses["interferometer"]) as link:
            link.write(b'{"jsonrpc":"2.0","meth', timeout_s=DEADLINE_S)
        with linked(shared.addresses["environment"]) as link:
            link.write(b"MEAS:TE", timeout_s=DEADLINE_S)
        wait_until(lambda: shared.state()["clients"]["interferometer"] == shared.state()["clients"]["environment"] == 0)
    with linked(shared.addresses["interferometer"]) as link:
        assert asked(link, "system.getDeviceType") == [0, "IDS3010"]
    with linked(shared.addresses["environment"]) as link:
        link.write(b"SYST:ERR?\n", timeout_s=DEADLINE_S)
        assert link.read_until(b"\n", timeout_s=DEADLINE_S) == b'+0,"No error"'


@posix_only
def test_a_pty_is_raw_and_may_be_opened_again() -> None:
    with start(seed=1) as lab:
        for _ in range(2):
            with linked(lab.addresses["controller"]) as link:
                link.drain()
                link.write(b"\x18", timeout_s=DEADLINE_S)
                assert b"Grbl 1.1h" in link.read_until(b"to unlock]\r\n", timeout_s=DEADLINE_S)


@posix_only
def test_a_pty_can_be_unplugged() -> None:
    with start(seed=1) as lab, linked(lab.addresses["controller"]) as link:
        link.write(b"?", timeout_s=DEADLINE_S)
        link.read_until(b">\r\n", timeout_s=DEADLINE_S)
        lab.fault("controller", "close")
        with pytest.raises(LinkLost):
            told(link, "$I\n")
        assert lab.state()["clients"]["controller"] == 0


# -- time --------------------------------------------------------------------------------------------------------------------------------


def test_the_wall_clock_only_paces_the_lab() -> None:
    with start(seed=5, controller="tcp", time_scale=50.0) as lab, linked(lab.addresses["controller"]) as controller:
        told(controller, "$H\n")
        before_s = lab.state()["lab_time_s"]
        began = time.monotonic()
        told(controller, "G21G90G1X600F6000\nG4P1\n", b"ok\r\nok\r\n")
        wall_s = time.monotonic() - began
        lab_s = lab.state()["lab_time_s"] - before_s
        # 0.6 m at 0.1 m/s, 0.1/1.5 s of ramps, and a dwell of 1 s.
        assert lab_s == pytest.approx(6.0 + 0.1 / 1.5 + 1.0, abs=1e-6)
        assert wall_s >= lab_s / 50 * 0.99
        lab.set_time_scale(math.inf)
        began = time.monotonic()
        told(controller, "G4P1000\n")
        assert time.monotonic() - began < DEADLINE_S


def test_a_reading_within_a_motion_is_on_its_way() -> None:
    with start(seed=5, controller="tcp", time_scale=5.0) as lab, linked(lab.addresses["controller"]) as controller, \
            linked(lab.addresses["interferometer"]) as interferometer:
        lab.set_time_scale(math.inf)
        told(controller, "$H\n")
        measuring(interferometer)
        asked(interferometer, "displacement.setAverageN", 0)
        asked(interferometer, "system.resetAxis", 0)
        lab.set_time_scale(5.0)
        told(controller, "G21G90G1X500F6000\n")
        seen = []
        while lab.state()["moving"]:
            seen.append(asked(interferometer, "displacement.getAxisDisplacement", 0)[1] * 1e-12)
            time.sleep(0.05)
        on_the_way = [value for value in seen if 0.01 < value < 0.49]
        assert len(on_the_way) >= 3
        assert on_the_way == sorted(on_the_way)
        assert lab.truth()["readings"] == [], "a reading on the way has no place in the truth"


# -- faults ------------------------------------------------------------------------------------------------------------------------------


def identity(link: Transport, timeout_s: float = 0.3) -> bytes:
    link.write(b"*IDN?\n", timeout_s=DEADLINE_S)
    return link.read_until(b"\n", timeout_s=timeout_s)


IDENTITY = b"PRECISION,VIRTUAL-DAQ,SIM-0001,1.0"


@contextlib.contextmanager
def multimeter(lab: LabProcess) -> Iterator[Transport]:
    # As a plain socket: what VISA makes of a fault is tested elsewhere.
    host, port = lab.addresses["environment"].split("::")[1:3]
    with linked(f"tcp://{host}:{port}") as link:
        yield link


def test_silence_lasts_for_as_many_messages_as_asked_and_begins_after_as_many(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "silence", after=1, count=2)
        assert identity(link) == IDENTITY
        for _ in range(2):
            with pytest.raises(LinkLost):
                identity(link, 0.1)
        assert identity(link) == IDENTITY


def test_garbage_is_not_text_and_has_an_end(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "garbage")
        assert all(byte >= 0x80 or byte == 0x0D for byte in identity(link))
        assert identity(link) == IDENTITY


def test_half_a_line_is_never_finished(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "half_line")
        with pytest.raises(LinkLost, match="without their end"):
            identity(link, 0.1)


def test_a_late_answer_comes_late_and_keeps_the_order(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "late", seconds=0.2)
        began = time.monotonic()
        link.write(b"*IDN?\n*OPC?\n", timeout_s=DEADLINE_S)
        assert link.read_until(b"\n", timeout_s=DEADLINE_S) == IDENTITY
        assert time.monotonic() - began >= 0.2
        assert link.read_until(b"\n", timeout_s=DEADLINE_S) == b"1"


def test_a_slow_drip_arrives_whole(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "slow_drip", seconds=0.002)
        began = time.monotonic()
        assert identity(link, DEADLINE_S) == IDENTITY
        assert time.monotonic() - began >= 0.002 * len(IDENTITY)


def test_a_closed_connection_can_be_opened_again(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "close")
        with pytest.raises(LinkLost, match="closed the connection"):
            identity(link, DEADLINE_S)
    with multimeter(shared) as link:
        assert identity(link) == IDENTITY


def test_a_sensor_may_have_no_value(shared: LabProcess) -> None:
    with multimeter(shared) as link:
        shared.fault("environment", "nan")
        link.write(b"MEAS:TEMP? (@101,102)\n", timeout_s=DEADLINE_S)
        first, second = link.read_until(b"\n", timeout_s=DEADLINE_S).split(b",")
        assert float(second) == 9.91e37 and float(first) < 100


def test_an_interrupted_beam_is_reported_and_comes_back() -> None:
    with start(seed=2, controller="tcp", faults=[{"device": "interferometer", "kind": "beam_loss", "after": 6, "count": 2, "axis": 0}]) as lab, \
            linked(lab.addresses["interferometer"]) as link:
        asked(link, "system.startMeasurement")
        for _ in range(3):
            asked(link, "system.getCurrentMode")
        assert asked(link, "displacement.getAxisSignalQuality", 0)[1] > 500
        assert asked(link, "displacement.getAxisDisplacement", 0)[0] == 0
        assert asked(link, "displacement.getAxisSignalQuality", 0)[1] == 0
        assert asked(link, "displacement.getAxisDisplacement", 0)[0] != 0
        assert asked(link, "displacement.getAxisSignalQuality", 0)[1] > 500
        assert lab.state()["faults_waiting"]["interferometer"] == 0


def test_an_alarm_stops_the_machine_on_its_way() -> None:
    with start(seed=2, controller="tcp") as lab, linked(lab.addresses["controller"]) as link:
        told(link, "$H\n")
        lab.set_time_scale(2.0)
        told(link, "G21G90G1X900F6000\n")
        wait_until(lambda: "MPos:0.0" not in told(link, "?", b">\r\n"))  # it has moved by more than 0.1 mm
        lab.fault("controller", "alarm", after=2)
        for _ in range(2):
            assert told(link, "?", b">\r\n").startswith("<Run")
        link.read_until(b"ALARM:1\r\n", timeout_s=DEADLINE_S)
        state = lab.state()
        assert state["controller"] == "Alarm" and not state["moving"]
        assert 0 < state["position_m"]["X"] < 0.9


def test_a_reset_of_the_controller_in_motion_is_an_alarm() -> None:
    with start(seed=2, controller="tcp") as lab, linked(lab.addresses["controller"]) as link:
        told(link, "$H\n")
        lab.set_time_scale(2.0)
        told(link, "G21G90G1X900F6000\n")
        lab.fault("controller", "reset")
        assert b"ALARM:3" in link.read_until(b"to unlock]\r\n", timeout_s=DEADLINE_S)
        assert lab.state()["controller"] == "Alarm"


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"device": "toaster", "kind": "silence"}, "device is 'toaster'"),
        ({"device": "controller", "kind": "fire"}, "kind is 'fire'"),
        ({"device": "controller", "kind": "beam_loss"}, "expected interferometer for beam_loss"),
        ({"device": "controller", "kind": "late", "seconds": -1}, "seconds is -1"),
        ({"device": "controller", "kind": "silence", "after": 1.5}, "after is 1.5"),
        ({"device": "controller", "kind": "silence", "count": 0}, "count is 0"),
        ({"device": "controller", "kind": "silence", "colour": "red"}, "unknown 'colour'"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused_by_name(shared: LabProcess, fault: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        shared.fault(**fault)
    with pytest.raises(ValueError, match=complaint):
        Fault.from_request(fault)


def test_a_position_that_is_not_a_number_is_put_where_the_position_is() -> None:
    (piece,) = spoiled(Fault(device="controller", kind="nan"), b"<Idle|MPos:1.000,2.000,3.000|FS:0,0>\r\n")
    assert piece.data == b"<Idle|MPos:nan,2.000,3.000|FS:0,0>\r\n"
    (piece,) = spoiled(Fault(device="interferometer", kind="nan"), b'{"jsonrpc":"2.0","id":7,"result":[0,-5337]}\r\n')
    assert piece.data == b'{"jsonrpc":"2.0","id":7,"result":[0,NaN]}\r\n'


@pytest.mark.parametrize("line", [b"not json", b"[]", b'{"do":"dance"}', b'{"do":"time-scale","value":0}', b'{"do":"time-scale","value":"soon"}', b"\xff\xfe"])
def test_nonsense_on_the_control_channel_is_answered_and_survived(shared: LabProcess, line: bytes) -> None:
    with linked(shared.addresses["lab"]) as link:
        link.write(line + b'\n{"do":"state"}\n', timeout_s=DEADLINE_S)
        assert json.loads(link.read_until(b"\n", timeout_s=DEADLINE_S))["ok"] is False
        assert json.loads(link.read_until(b"\n", timeout_s=DEADLINE_S))["ok"] is True


# -- coming and going ----------------------------------------------------------------------------------------------------------------------


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_lab_that_is_closed_is_gone_and_may_be_closed_again() -> None:
    lab = start(seed=1, controller="tcp")
    lab.close()
    lab.close()
    port = int(lab.addresses["lab"].rpartition(":")[2])
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass
    with pytest.raises(LinkLost, match="Start it again"):
        lab.truth()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc to see whether a process is alive")
def test_the_lab_leaves_when_its_parent_is_killed() -> None:
    script = "import sys, time; from precision.drivers.lab.process import start; lab = start(seed=1); print(lab.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait()
        wait_until(lambda: not alive(pid))


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_lab_that_stays_leaves_cleanly_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "precision.drivers.lab.serve", "--seed", "1", "--stay"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as lab:
        assert lab.stdout is not None and lab.stderr is not None
        said = lab.stdout.readline()
        lab.send_signal(number)
        try:
            assert lab.wait(DEADLINE_S) == 0
        finally:
            lab.kill()
        assert set(json.loads(said)) >= {"controller", "interferometer", "environment", "lab"}
        assert lab.stderr.read() == b""


def test_ports_can_be_chosen_and_a_taken_one_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "precision.drivers.lab.serve", "--seed", "1", "--controller", "tcp", "--lab-port", str(port)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    assert done.returncode == 3
    assert b"choose other ports" in done.stderr


def test_a_lab_that_dies_at_once_is_reported_with_its_last_words() -> None:
    with pytest.raises(DeviceError, match=r"(?s)did not start.*time scale is 'nan'"):
        start(seed=1, time_scale=math.nan)


def test_the_lab_starts_without_the_heavy_libraries() -> None:
    code = "import precision.drivers.lab.serve, sys; print([m for m in ('scipy', 'matplotlib', 'pyarrow', 'pyvisa', 'serial', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.strip() == "[]"
