"""The IDS3010 driver and simulator: JSON-RPC as the instrument's description and a published client show it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from precision.drivers.ids3010 import codec
from precision.drivers.ids3010.driver import Ids3010
from precision.drivers.ids3010.simulator import NOT_MEASURING, Ids3010Simulator
from precision.drivers.roles import Interferometer
from precision.drivers.testing import (
    ExpectedDialogue,
    Late,
    SimulatedTransport,
    Turn,
    expected_dialogue,
)
from precision.errors import BeamLost, DeviceFault, LinkLost, PlanError, ProtocolError

NOT_FOUND = {"error": {"code": -32601, "message": "Method not found"}}
Exchange = tuple[str, list[Any], list[Any] | dict[str, Any]]


class Optics:
    """A mirror that a test puts somewhere."""

    def __init__(self) -> None:
        self.position_pm, self.zero_pm, self.signal = 0, 0, (812, 498)
        self.averaged_s: list[float] = []

    def displacement_pm(self, axis: int, averaging_s: float) -> int:
        self.averaged_s.append(averaging_s)
        return self.position_pm - self.zero_pm

    def reset(self, axis: int) -> None:
        self.zero_pm = self.position_pm

    def quality(self, axis: int) -> tuple[int, int]:
        return self.signal


def turns(*exchanges: Exchange) -> list[Turn]:
    """Requests with ids 1, 2, 3 ..., as they go over the wire."""
    found: list[Turn] = []
    for number, (method, params, answer) in enumerate(exchanges, 1):
        sent = json.dumps(params, separators=(",", ":"))
        request = f'{{"jsonrpc":"2.0","method":"com.attocube.{method}","params":{sent},"id":{number},"api":2}}'
        body = {"result": answer} if isinstance(answer, list) else answer
        found.append((request.encode(), json.dumps({"jsonrpc": "2.0", "id": number, **body}, separators=(",", ":")).encode() + b"\r\n"))
    return found


CONNECT: list[Exchange] = [
    ("ids.displacement.getAverageN", [], [0, 0]),
    ("ids.system.getCurrentMode", [], [0, "system idle"]),
    ("ids.displacement.getAverageN", [], [0, 0]),
    ("ids.system.getDeviceType", [], [0, "IDS3010"]),
    ("system.getSerialNumber", [], [0, "SIM-IDS-0001"]),
    ("system.getFirmwareVersion", [], [0, "1.9.1"]),
]
START: list[Exchange] = [
    ("ids.system.getCurrentMode", [], [0, "system idle"]),
    ("ids.system.startMeasurement", [], [0]),
    ("ids.system.getCurrentMode", [], [0, "measurement starting"]),
    ("ids.system.getCurrentMode", [], [0, "measurement starting"]),
    ("ids.system.getCurrentMode", [], [0, "measurement running"]),
]
MEASURE: list[Exchange] = [
    ("ids.displacement.setAverageN", [18], [0]),
    ("ids.displacement.getAverageN", [], [0, 18]),
    ("ids.system.resetAxis", [1], [0]),
    ("ids.displacement.getAxisSignalQuality", [1], [0, 812, 498]),
    ("ids.displacement.getAxisDisplacement", [1], [0, -2313]),
    ("ids.displacement.getAxisSignalQuality", [1], [0, 812, 498]),
]


def connected(link: ExpectedDialogue | SimulatedTransport, **options: Any) -> Ids3010:
    return Ids3010(link, clock=link.clock, sleep=link.sleep, **options)


def simulated(**options: Any) -> tuple[Optics, SimulatedTransport, Ids3010]:
    optics = Optics()
    link = SimulatedTransport(Ids3010Simulator(optics, namespace=options.pop("namespace", "ids")))
    return optics, link, connected(link, **options)


def test_the_driver_has_this_conversation() -> None:
    with expected_dialogue(turns(*CONNECT, *START, *MEASURE)) as link:
        ids = connected(link, axis=1)
        assert isinstance(ids, Interferometer) and not ids.compensates_air
        assert ids.identity == "attocube IDS3010 SIM-IDS-0001 1.9.1"
        ids.start()
        assert ids.set_averaging(0.01) == pytest.approx(2**18 * 40e-9)
        ids.reset()
        reading = ids.displacement()
        assert reading.valid and reading.value == pytest.approx(-2313e-12, rel=1e-15) and reading.signal_quality == 0.812


def test_the_simulator_has_the_same_conversation() -> None:
    optics = Optics()
    simulator = Ids3010Simulator(optics, starting_polls=2)
    for sent, answer in turns(*CONNECT, *START, *MEASURE):
        if b"getAxisDisplacement" in sent:
            optics.position_pm = optics.zero_pm - 2313
        assert simulator.receive(sent) == answer
    assert optics.averaged_s == [2**18 * 40e-9]


def test_the_simulator_comes_up_by_readings_too() -> None:
    """A program that starts, sleeps and reads, and never asks for the mode."""
    optics = Optics()
    simulator = Ids3010Simulator(optics, starting_polls=2)
    read = ("ids.displacement.getAxisDisplacement", [1])
    conversation: list[Exchange] = [("ids.system.startMeasurement", [], [0]), (*read, [NOT_MEASURING, 0]), (*read, [NOT_MEASURING, 0]), (*read, [0, 0]), (*read, [0, 0])]
    for sent, answer in turns(*conversation):
        assert simulator.receive(sent) == answer


def test_both_name_spaces_are_found() -> None:
    for namespace in ("ids", "sen"):
        _, _, ids = simulated(namespace=namespace)
        ids.start()
        assert ids.displacement().value == 0.0
    # Firmware 1.9 calls only the displacement functions `sen`.
    mixed = [("ids.displacement.getAverageN", [], NOT_FOUND), ("sen.displacement.getAverageN", [], [0, 0]), CONNECT[1],
             ("sen.displacement.getAverageN", [], [0, 0]), *CONNECT[3:]]  # fmt: skip
    with expected_dialogue(turns(*mixed)) as link:
        connected(link)
    neither = turns(("ids.displacement.getAverageN", [], NOT_FOUND), ("sen.displacement.getAverageN", [], NOT_FOUND))
    with expected_dialogue(neither) as link, pytest.raises(DeviceFault, match="is this an IDS3010"):
        connected(link)


def test_the_averaging_time_is_the_settable_one_nearest() -> None:
    _, _, ids = simulated()
    for asked_s, n in ((0.0, 0), (40e-9, 0), (59e-9, 0), (61e-9, 1), (1e-3, 15), (0.5, 23), (0.51, 24), (100.0, 24)):
        assert ids.set_averaging(asked_s) == 2**n * 40e-9
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(PlanError, match="averaging"):
            ids.set_averaging(bad)


def test_starting_has_a_deadline_and_alignment_is_refused() -> None:
    forever = [("ids.system.getCurrentMode", [], [0, "measurement starting"])] * 4
    with expected_dialogue(turns(*CONNECT, *forever)) as link, pytest.raises(DeviceFault, match=r"still 'measurement starting' after 0\.5 s"):
        connected(link, start_timeout_s=0.5).start()
    aligning: Exchange = ("ids.system.getCurrentMode", [], [0, "optics alignment running"])
    with expected_dialogue(turns(*CONNECT, aligning)) as link, pytest.raises(DeviceFault, match="optics alignment running"):
        connected(link).start()


def test_a_lost_beam_is_invalid_until_it_is_referenced_again() -> None:
    optics, _, ids = simulated()
    ids.start()
    optics.position_pm = 1_000_000
    assert ids.displacement().value == pytest.approx(1e-6)
    optics.signal = (0, 500)
    reading = ids.displacement()
    assert not reading.valid and math.isnan(reading.value) and "beam was interrupted" in reading.reason
    with pytest.raises(BeamLost, match="has no valid signal"):
        ids.reset()
    optics.signal = (800, 500)
    assert not ids.displacement().valid  # fringes were missed
    ids.reset()
    reading = ids.displacement()
    assert reading.valid and reading.value == 0.0


def test_low_contrast_is_invalid_while_it_lasts() -> None:
    optics, _, ids = simulated(min_contrast=0.3)
    ids.start()
    optics.signal = (250, 500)
    assert "contrast 0.250 is below 0.300" in ids.displacement().reason
    optics.signal = (350, 500)
    assert ids.displacement().valid


def test_not_measuring_is_invalid_with_the_instruments_words() -> None:
    _, _, ids = simulated()
    assert "not running" in ids.displacement().reason
    with pytest.raises(DeviceFault, match="not running"):
        ids.reset()


def test_a_late_reply_is_thrown_away_by_its_id() -> None:
    conversation = turns(*CONNECT, MEASURE[0], MEASURE[0], MEASURE[1])
    conversation[6] = (conversation[6][0], Late(b'{"jsonrpc":"2.0","id":7,"result":[999]}\r\n'))
    with expected_dialogue(conversation) as link:
        ids = connected(link)
        with pytest.raises(LinkLost):
            ids.set_averaging(0.01)
        assert ids.set_averaging(0.01) == 2**18 * 40e-9


def test_a_reply_to_a_question_never_asked_is_refused() -> None:
    for wrong, error in ((b'"id":99', ProtocolError), (b'"id":null', ProtocolError), (b'"id":true', ProtocolError), (b'"id":"1"', ProtocolError)):
        ((sent, answer),) = turns(CONNECT[0])
        assert isinstance(answer, bytes)
        with expected_dialogue([(sent, answer.replace(b'"id":1', wrong))]) as link, pytest.raises(error):
            connected(link)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"[]", b"null", b"1", b'{"id":1}', b'{"id":1,"result":{}}', b'{"id":1,"result":[NaN]}', b'{"id":1,"result":[Infinity]}',
        b'{"id":1,"id":2,"result":[0]}', b'{"id":1,"result":' + b"[" * 9 + b"]" * 9 + b"}", b"[" * 100_000, b'{"id":1,"result":[1e999]}',
        b'{"id":1,"result":[' + b"9" * 5000 + b"]}", b'{"id":1,"error":"no"}', b'{"id":1,"error":{"code":"x","message":1}}', b"\xff\xfe{}",
        b'{"id":1.5,"result":[0]}', b'{"id":1,"result":[0]} x', b"x" * 70_000, b'{"id":1,"result":[0]',
    ],
)
def test_what_is_no_strict_reply_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode_reply(line)


@pytest.mark.parametrize("answer", [[], ["0", 1], [0], [0, 1.5], [0, True], [0, None], [0, "5"], [0, 2**63], [None, 1]])
def test_a_displacement_is_an_integer_of_64_bits(answer: list[Any]) -> None:
    conversation = turns(*CONNECT, ("ids.displacement.getAxisDisplacement", [0], answer), MEASURE[3])
    conversation[-1] = (conversation[-1][0].replace(b"[1]", b"[0]"), conversation[-1][1])
    with pytest.raises(ProtocolError):
        connected(ExpectedDialogue(conversation)).displacement()


def test_requests_may_come_in_any_pieces() -> None:
    request = codec.encode_request("com.attocube.ids.displacement.getAverageN", [], 7)
    both = request + codec.encode_request("com.attocube.system.errorNumberToString", [0, 402], 8)
    expected = Ids3010Simulator(Optics()).receive(both)
    assert expected.count(b"\r\n") == 2 and b"interrupted" in expected
    for cut in range(1, len(both)):
        simulator = Ids3010Simulator(Optics())
        assert simulator.receive(both[:cut]) + simulator.receive(both[cut:]) == expected
    simulator = Ids3010Simulator(Optics())
    assert b"-32700" in simulator.receive(b'{"\\"}{":1}')
    assert b"-32602" in simulator.receive(codec.encode_request("com.attocube.ids.system.resetAxis", ["x"], 1))
    assert b"-32601" in simulator.receive(codec.encode_request("no.such.method", [], 1))


def test_arguments_are_checked_before_anything_is_sent() -> None:
    for options in ({"axis": 3}, {"sample_period_s": 0.0}, {"min_contrast": 2.0}):
        with expected_dialogue([]) as link, pytest.raises(PlanError, match="expected axis 0, 1 or 2"):
            connected(link, **options)
