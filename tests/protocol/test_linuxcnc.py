"""linuxcncrsh as LinuxCNC 2.9 spoke it (recorded from 2.9.0~pre1+git20230208, Debian 12), its traps, addresses, and hostile answers."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.drivers import option_faults
from precision.drivers.frames import codec as frames
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.linuxcnc import codec
from precision.drivers.linuxcnc.address import Machine, Private, parsed
from precision.drivers.linuxcnc.beside import Beside
from precision.drivers.linuxcnc.cell import mechanics
from precision.drivers.linuxcnc.cell.configuration import configuration, helper
from precision.drivers.linuxcnc.shell import Shell
from precision.drivers.roles import Channel
from precision.drivers.testing import Late, SimulatedTransport, expected_dialogue
from precision.errors import DeviceFault, LinkLost, PlanError, PrecisionError, ProtocolError, SafetyStop

GREETING = [
    (b"hello EMC precision 1.0\r\n", b"HELLO ACK EMCNETSVR 1.1\r\n"),
    (b"set enable EMCTOO\r\n", b"set enable EMCTOO\r\n"),
    (b"set verbose on\r\n", b"set verbose on\r\nSET VERBOSE ACK\n\r"),
    (b"set echo off\r\n", b"set echo off\r\nSET ECHO ACK\n\r"),
]


def shell(link) -> Shell:
    return Shell(link, clock=link.clock, sleep=link.sleep)


def test_a_recorded_conversation_from_greeting_to_position() -> None:
    turns = [
        *GREETING,
        (b"get estop\r\n", b"ESTOP ON\r\n"),
        (b"set estop off\r\n", b"SET ESTOP ACK\n\r"),
        (b"get estop\r\n", b"ESTOP OFF\r\n"),
        (b"get joint_homed\r\n", b"JOINT_HOMED YES YES YES NO NO NO\r\n"),
        (b"get error\r\n", b"ERROR OK\r\n"),
        (b"set mdi G21 G90 G94 G61 G53 G1 X20.0000000 F1200.000000\r\n", b"SET MDI ACK\n\r"),
        (b"get abs_cmd_pos\r\n", b"ABS_CMD_POS 20.000000 0.000000 0.000000 0.000000 0.000000 0.000000\r\n"),
        (b"get error\r\n", b"ERROR Linear move on line 0 would exceed X's positive limit\r\n"),
        (b"get error\r\n", b"ERROR Linear move on line 0 would exceed joint 0's positive limit\r\n"),
        (b"get error\r\n", b"ERROR OK\r\n"),
    ]
    with expected_dialogue(turns) as link:
        one = shell(link)
        assert one.version == "1.1"
        assert codec.one_of(one.get("estop"), ("ON", "OFF")) == "ON"
        one.set("estop off")
        assert one.until("estop", lambda answer: answer.text == "OFF", within_s=1.0, doing="leaving emergency stop").text == "OFF"
        assert codec.flags(one.get("joint_homed"), 3) == (True, True, True)
        assert one.errors() == []
        one.set(codec.straight_line({"X": 20.0}, 1200.0)[4:])
        assert codec.positions(one.get("abs_cmd_pos"), 3) == (20.0, 0.0, 0.0)
        assert one.errors() == ["Linear move on line 0 would exceed X's positive limit", "Linear move on line 0 would exceed joint 0's positive limit"]


def test_an_acknowledgement_is_not_taken_for_done() -> None:
    """`set machine on` in emergency stop is acknowledged, and the machine stays off."""
    turns = [*GREETING, (b"set machine on\r\n", b"SET MACHINE ACK\n\r"), *[(b"get machine\r\n", b"MACHINE OFF\r\n")] * 3, (b"get error\r\n", b"ERROR OK\r\n")]
    with expected_dialogue(turns) as link:
        one = shell(link)
        one.set("machine on")
        with pytest.raises(DeviceFault, match=r"switching on: after 0\.01 s it still says MACHINE 'OFF'"):
            one.until("machine", lambda answer: answer.text == "ON", within_s=0.01, doing="switching on")


def test_a_refusal_says_why_or_who_has_the_controls() -> None:
    refused = (b"set mdi G1 X999 F600\r\n", b"SET MDI NAK\r\n\r\n")
    with expected_dialogue(
        [*GREETING, refused, (b"get enable\r\n", b"ENABLE ON\r\n"), (b"get error\r\n", b"ERROR would exceed X's positive limit\r\n"), (b"get error\r\n", b"ERROR OK\r\n")]
    ) as link, pytest.raises(DeviceFault, match="would exceed X's positive limit"):
        shell(link).set("mdi G1 X999 F600")
    with expected_dialogue([*GREETING, refused, (b"get enable\r\n", b"ENABLE OFF\r\n")]) as link, pytest.raises(SafetyStop, match="another program"):
        shell(link).set("mdi G1 X999 F600")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b"HELLO NAK\r\n", DeviceFault, "password"),
        (b"HELLO ACK EMCNETSVR 2.0\r\n", DeviceFault, "1.x is expected"),
        (b"HELLO ACK SOMETHING 1.1\r\n", DeviceFault, "SOMETHING"),
        (b"220 mail.example.org ESMTP\r\n", ProtocolError, "5007"),
        (b"\xff\xfe\r\n", ProtocolError, "5007"),
        (b"ESTOP ON\r\n", ProtocolError, "answer to that"),
        (b"\r\n" * 1200, ProtocolError, "flood"),
        (b"x" * 5000, ProtocolError, "without an end of line"),
        (b"", LinkLost, "no answer"),
    ],
)  # fmt: skip
def test_who_is_not_a_linuxcnc_of_this_kind_is_told_apart(answer: bytes, error: type[Exception], said: str) -> None:
    class Server:
        def receive(self, data: bytes) -> bytes:
            return answer

    link = SimulatedTransport(Server())
    with pytest.raises(error, match=said):
        shell(link)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    turns = [*GREETING, (b"get estop\r\n", Late(b"ESTOP ON\r\n")), (b"get machine\r\n", b"MACHINE OFF\r\n")]
    with expected_dialogue(turns) as link:
        one = shell(link)
        with pytest.raises(LinkLost):
            one.get("estop")
        assert one.get("machine").text == "OFF"


@pytest.mark.parametrize("text", ["20.000000", "nan nan nan", "1.0 2.0 x", "inf 0.0 0.0", "1e5 0.0 0.0", ""])
def test_positions_are_numbers_with_decimals_or_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        codec.positions(codec.Answer("ABS_CMD_POS", text), 3)


@given(st.binary(max_size=120) | st.text("SETGHLOACKN X\r1.", max_size=60).map(str.encode))
def test_any_line_is_a_message_or_an_error_of_ours(line: bytes) -> None:
    with contextlib.suppress(PrecisionError):
        codec.decode(line)


def test_a_line_that_would_be_two_is_not_sent() -> None:
    for line in ("get estop\r\nset estop off", "", "x" * 251, "set mdi G1 µ"):
        with pytest.raises(ValueError, match="printable"):
            codec.encode(line)
    assert codec.straight_line({"X": -0.1234567, "Y": 5.0}, 600.0) == "set mdi G21 G90 G94 G61 G53 G1 X-0.1234567 Y5.0000000 F600.000000"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("linuxcnc://mill", Machine("tcp://mill:5007", "tcp://mill:5008")),
        ("linuxcnc://127.0.0.1:6000?stream=6001", Machine("tcp://127.0.0.1:6000", "tcp://127.0.0.1:6001")),
        ("linuxcnc://[::1]", Machine("tcp://[::1]:5007", "tcp://[::1]:5008")),
        ("linuxcnc://cell", Private()),
        ("linuxcnc://cell?speed=10&rig=worn&period=100us", Private("worn", 10.0, 100e-6)),
    ],
)  # fmt: skip
def test_addresses(address: str, expected: Machine | Private) -> None:
    assert parsed(address) == expected


@pytest.mark.parametrize(
    "address",
    ["linuxcnc://", "linuxcnc:mill", "linuxcnc://mill?stream=0", "linuxcnc://mill?port=1", "linuxcnc://mill/x", "linuxcnc://mill:99999", "linuxcnc://cell?speed=fast",
     "linuxcnc://cell?stream=1", "linuxcnc://cell?speed=1&speed=2", "linuxcnc://a b", "tcp://mill", "linuxcnc://user@mill"],
)  # fmt: skip
def test_malformed_addresses_are_refused(address: str) -> None:
    with pytest.raises(PlanError):
        parsed(address)


HEADER = frames.Header(identity="LinuxCNC 2.9, machine x", rate_hz=1000.0, channels=(Channel("x_cmd", "m"), Channel("x_fb", "m"), Channel("inpos", "")), simulated=True)


def beside(**answers) -> Beside:
    controls = {name: (lambda rest, answer=answer: answer) for name, answer in answers.items()}
    return Beside(SimulatedTransport(FrameSimulator(HEADER, lambda first, count: np.zeros((count, 3)), controls=controls)))


def test_the_program_beside_it_is_believed_only_as_far_as_it_makes_sense() -> None:
    assert beside(limits={"axes": {"X": [-0.2, 0.2, 0.1, 1.5]}}).limits() == {"X": (-0.2, 0.2, 0.1, 1.5)}
    assert beside().axes == ("X",)
    for said in ({}, {"axes": []}, {"axes": {"X": [0.2, -0.2, 0.1, 1.0]}}, {"axes": {"X": [0.0, 1.0, 0.1]}}, {"axes": {"X": [0.0, "1", 0.1, 1.0]}}, {"axes": {"X": [0.0, 1.0, 0.0, 1.0]}}, {"axes": {"X": [0.0, 1.0, 0.1, 0.0]}}):
        with pytest.raises(ProtocolError):
            beside(limits=said).limits()
    for said in ({}, {"values": {"x_cmd": 0.0}}, {"values": {"x_cmd": 0.0, "x_fb": True, "inpos": 1.0}}):
        with pytest.raises(ProtocolError):
            beside(row=said).row()
    with pytest.raises(ProtocolError, match="homed"):
        beside(state={"estop": False, "on": True, "homed": "yes"}).state()
    with pytest.raises(DeviceFault, match=r"stream\.py"):
        Beside(SimulatedTransport(FrameSimulator(frames.Header(identity="a gauge", rate_hz=1.0, channels=HEADER.channels), lambda first, count: np.zeros((count, 3)))))


def test_the_drivers_options_are_checked_before_anything_is_opened() -> None:
    assert option_faults("controller", "linuxcnc", {"standstill_m": 1e-6, "timeout_s": 3}) == []
    assert option_faults("controller", "linuxcnc", {"standstill_m": 1.0}) and option_faults("controller", "linuxcnc", {"password": "x"})
    assert option_faults("interferometer", "linuxcnc", {"axis": 1}) == [] == option_faults("motion controller", "linuxcnc", {"max_feed_m_per_s": 0.02})
    assert "axis" in option_faults("controller", "linuxcnc", {"axis": 1})[0] and option_faults("environment", "linuxcnc", {"max_feed_m_per_s": 0.02})


@pytest.mark.parametrize("rig", sorted(mechanics.RIGS))
def test_the_configuration_holds_what_is_planted_and_a_table_for_each_axis(rig: str) -> None:
    files = configuration(rig, servo_period_s=1e-3)
    ini = files["rig.ini"]
    assert "SERVO_PERIOD = 1000000\n" in ini and "COMM_TIMEOUT = 60\n" in ini and ini.count("COMP_FILE_TYPE = 0") == 3
    for name, axis in mechanics.RIGS[rig].items():
        assert files[f"comp_{name.lower()}.txt"] == "0 0 0\n"
        assert 2 <= len(axis.at_m) == len(axis.screw_m) == len(axis.lost_m) <= 16 and min(axis.lost_m) > 0
        line = next(line for line in ini.splitlines() if line.startswith(f"SCREW_{name} = "))
        assert [float(word) * 1e-3 for word in line.split("=")[1].split()] == pytest.approx(list(axis.screw_m), abs=1e-15)
    assert "import linuxcnc" in helper()["stream.py"] and files["rig.tcl"].startswith("#")


def test_the_reversal_that_is_planted_is_the_lost_motion() -> None:
    axis = mechanics.RIGS["worn"]["X"]
    at = np.array([-0.02, 0.1])
    assert axis.deviation_m(at, 0) - axis.deviation_m(at, 1) == pytest.approx([-15e-6, -6e-6], abs=1e-12)
