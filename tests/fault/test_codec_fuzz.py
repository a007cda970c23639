"""Whatever bytes a device sends: an answer or an error of the package's own, no hang, bounded memory."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from precision.drivers.grbl import codec as grbl_codec
from precision.drivers.grbl.driver import Grbl
from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.ids3010 import codec as ids_codec
from precision.drivers.ids3010.driver import Ids3010
from precision.drivers.ids3010.simulator import Ids3010Simulator
from precision.drivers.linuxcnc import codec as linuxcnc_codec
from precision.drivers.scpi import codec as scpi_codec
from precision.drivers.scpi.driver import ScpiEnvironment
from precision.drivers.scpi.simulator import ScpiSimulator
from precision.drivers.testing import SimulatedTransport, UniformMachine
from precision.errors import PrecisionError

GRBL_BITS = st.sampled_from(
    [b"<Idle", b"|MPos:", b"0.000,", b"1", b"-", b".", b"|WCO:", b">", b"$", b"=", b"ok", b"error:", b"ALARM:", b"[G54:", b"]", b"Grbl 1.1h", b"\r", b"?"]
)
JSON_BITS = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"id":', b'"result":', b'"', b",", b":", b"1", b"-", b"NaN", b"null", b'"error":', b"\\", b"e9", b".", b" "]
)
SCPI_BITS = st.sampled_from([b"+", b"-", b"9.9E37", b"9.91E37", b"1", b".", b"E", b",", b'"', b"No error", b"(@", b")", b" ", b"\xff", b"MEAS:TEMP?", b"101"])


def lines_of(bits: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.one_of(st.binary(max_size=200), st.lists(st.one_of(bits, st.binary(max_size=3)), max_size=30).map(b"".join))


@given(lines_of(GRBL_BITS))
@example(b"<" + b"|" * 900 + b">")
@settings(max_examples=400, deadline=None)
def test_a_grbl_line_is_a_message_or_an_error_of_ours(line: bytes) -> None:
    with contextlib.suppress(PrecisionError):
        message = grbl_codec.decode(line)
        if isinstance(message, grbl_codec.Status):
            assert all(math.isfinite(value) for value in (*(message.machine or ()), *(message.work or ()), *(message.offset or ())))


@given(lines_of(JSON_BITS))
@example(b'{"id":1,"result":[' + b"-" * 200 + b"]}")
@settings(max_examples=400, deadline=None)
def test_an_ids_reply_is_a_message_or_an_error_of_ours(line: bytes) -> None:
    with contextlib.suppress(PrecisionError):
        reply = ids_codec.decode_reply(line)
        for index in range(3):
            ids_codec.integer(reply.result, index, "it")
    pieces, rest = ids_codec.split_objects(line)
    # Nothing is lost but blanks before a rest that has not begun an object.
    assert line.startswith(b"".join(pieces)) and line.endswith(rest) and not line[len(b"".join(pieces)) : len(line) - len(rest)].strip()


@given(lines_of(SCPI_BITS))
@settings(max_examples=400, deadline=None)
def test_a_scpi_line_is_numbers_or_an_error_of_ours(line: bytes) -> None:
    with contextlib.suppress(PrecisionError):
        assert all(math.isfinite(value) and abs(value) < 9.9e37 for value in scpi_codec.numbers(line, ["a", "b"]))
    with contextlib.suppress(PrecisionError):
        scpi_codec.error(line)


@pytest.mark.parametrize("text", ["1_000", "١٢", "１", "1e400", "nan", "NaN", "inf", "-Infinity", "0x10", "1,5,", "+-1", "1.2.3", "9.91E37", "9.9E+37", "", " "])
def test_odd_numbers_are_no_readings(text: str) -> None:
    said = text.encode()
    with pytest.raises(PrecisionError):
        scpi_codec.numbers(said + b",1", ["a", "b"])
    with pytest.raises(PrecisionError):
        status = grbl_codec.decode(b"<Idle|MPos:" + said + b",0.000,0.000>")
        assert not isinstance(status, grbl_codec.Status)
        raise PrecisionError("not taken for a status")
    with pytest.raises(PrecisionError):
        ids_codec.integer(ids_codec.decode_reply(b'{"id":1,"result":[0,' + said + b"]}").result, 1, "it")
    with pytest.raises(PrecisionError):
        answer = linuxcnc_codec.decode(b"ABS_ACT_POS " + said + b" 0.0 0.0")
        assert isinstance(answer, linuxcnc_codec.Answer)
        linuxcnc_codec.positions(answer, 3)


class Babble:
    """A device that answers any question with the next of its lines, then is silent."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self.asked = 0

    def receive(self, data: bytes) -> bytes:
        self.asked += 1
        assert self.asked < 1000, "a driver that never gives up"
        return self._answers.pop(0) if self._answers else b""


@given(st.lists(lines_of(st.one_of(GRBL_BITS, JSON_BITS, SCPI_BITS)).map(lambda line: line + b"\r\n"), max_size=15), st.sampled_from([Grbl, Ids3010, ScpiEnvironment]))
@settings(max_examples=300, deadline=None)
def test_a_driver_that_meets_babble_gives_up_with_an_error_of_ours(answers: list[bytes], driver: type) -> None:
    link = SimulatedTransport(Babble(answers))
    options = {} if driver is ScpiEnvironment else {"sleep": link.sleep}
    with contextlib.suppress(PrecisionError):
        driver(link, clock=link.clock, **options)
        raise AssertionError("babble was taken for a device")


def healthy(kind: type) -> object:
    """A simulator of each kind."""
    if kind is Grbl:
        return GrblSimulator(UniformMachine())
    if kind is Ids3010:
        return Ids3010Simulator(_Optics())
    return ScpiSimulator(_Sensors())


class _Optics:
    def displacement_pm(self, axis: int, averaging_s: float) -> int:
        return 1_000_000

    def reset(self, axis: int) -> None:
        return None

    def quality(self, axis: int) -> tuple[int, int]:
        return (800, 500)


class _Sensors:
    def read(self, channel: int) -> float:
        return {101: 20.0, 102: 21.0, 103: 4.0, 104: 2.0}[channel]


class Garbled(SimulatedTransport):
    """A link that breaks one byte of what the device says."""

    def __init__(self, simulator: object, at: int, byte: int) -> None:
        super().__init__(simulator)  # type: ignore[arg-type]
        self._at, self._byte, self._seen = at, byte, 0

    def write(self, data: bytes, *, timeout_s: float) -> None:
        before = len(self._incoming)
        super().write(data, timeout_s=timeout_s)
        new = len(self._incoming) - before
        if self._seen <= self._at < self._seen + new:
            self._incoming[before + self._at - self._seen] = self._byte
        self._seen += new


@given(st.integers(0, 4000), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_one_broken_byte_never_moves_the_machine_elsewhere(at: int, byte: int) -> None:
    machine = UniformMachine()
    link = Garbled(GrblSimulator(machine), at, byte)
    try:
        grbl = Grbl(link, clock=link.clock, sleep=link.sleep)
        grbl.home()
        grbl.move_to({"X": -20e-3}, feed_m_per_s=5e-3)
    except PrecisionError:
        pass
    assert abs(machine.position_m["X"]) in (0.0, 1e-3, 20e-3)


@given(st.integers(0, 1500), st.integers(0, 255), st.sampled_from([Ids3010, ScpiEnvironment]))
@settings(max_examples=200, deadline=None)
def test_one_broken_byte_is_an_answer_or_an_error_of_ours(at: int, byte: int, driver: type) -> None:
    link = Garbled(healthy(driver), at, byte)
    with contextlib.suppress(PrecisionError):
        if driver is Ids3010:
            ids = Ids3010(link, clock=link.clock, sleep=link.sleep)
            ids.start()
            ids.reset()
            ids.displacement()
        else:
            ScpiEnvironment(link, clock=link.clock).read()


@given(st.lists(st.binary(max_size=300), max_size=20))
@settings(max_examples=200, deadline=None)
def test_simulators_survive_any_bytes_and_keep_no_more_than_they_say(chunks: list[bytes]) -> None:
    grbl, ids, scpi = GrblSimulator(UniformMachine(), settings={22: 0, 20: 0}), Ids3010Simulator(_Optics()), ScpiSimulator(_Sensors())
    for chunk in chunks:
        grbl.receive(chunk, 0.0)
        ids.receive(chunk)
        scpi.receive(chunk)
    assert len(grbl._line) < 80 and len(grbl._rx) <= 128
    assert len(ids._buffer) <= 65_536 and len(scpi._buffer) <= 4096
