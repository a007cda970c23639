"""Streams of frames: what a device sends is what a program gets, and what is missing or damaged is said."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest

from precision.drivers.frames import codec
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSession, FrameSimulator
from precision.drivers.roles import Channel, Stream
from precision.drivers.testing import SimulatedTransport, expected_dialogue
from precision.drivers.transport import open_transport
from precision.errors import DeviceFault, LinkLost, ProtocolError

HEADER = codec.Header(identity="maker, type, 7", rate_hz=1000.0, channels=(Channel("x_tool", "m"), Channel("trigger", "")), simulated=True)
ANSWER = codec.encode_message({"answer": "start"})


def rows(first: int, count: int) -> np.ndarray:
    """Row i is (i, -i)."""
    index = np.arange(first, first + count, dtype=np.float64)
    return np.stack([index, -index], axis=1)


def stream_of(*frames: bytes):
    """A driver that has started, on a device that then sends `frames`."""
    return expected_dialogue([(b"", codec.encode_header(HEADER)), (b"start\n", ANSWER + b"".join(frames))])


def started(link) -> FrameStream:
    stream = FrameStream(link, clock=link.clock)
    stream.start()
    return stream


def test_the_bytes_are_those_of_the_description() -> None:
    frame = codec.encode_samples(7, 7_000_000, np.array([[1.0, -2.0]]), overrun=True)
    head = struct.pack("<4sBBHIIQq", b"\xf5PF1", 0, 1, 2, 1, 0, 7, 7_000_000)
    payload = struct.pack("<2d", 1.0, -2.0)
    assert frame == head + struct.pack("<II", zlib.crc32(head + payload), 0) + payload
    assert codec.HEAD_BYTES == 40
    assert codec.decode_header(
        b'{"precision-frames": 1, "identity": "maker, type, 7", "rate_hz": 1000, "simulated": true, '
        b'"channels": [{"name": "x_tool", "unit": "m"}, {"name": "trigger", "unit": ""}]}'
    ) == HEADER


def test_what_is_sent_arrives_to_the_last_bit() -> None:
    simulator = FrameSimulator(HEADER, rows, total=137, time_scale=1.0, frame_s=0.02)
    link = SimulatedTransport(simulator)
    stream = started(link)
    assert isinstance(stream, Stream)
    assert (stream.identity, stream.rate_hz, stream.channels, stream.simulated) == ("maker, type, 7", 1000.0, HEADER.channels, True)
    blocks = []
    while (block := stream.read(1.0)) is not None:
        blocks.append(block)
    assert np.array_equal(np.concatenate([block.values for block in blocks]), rows(0, 137))
    assert [block.first_sample for block in blocks] == [0, 20, 40, 60, 80, 100, 120]
    assert [block.t_ns for block in blocks] == [sample * 1_000_000 for sample in (0, 20, 40, 60, 80, 100, 120)]
    assert all(block.lost == 0 for block in blocks)
    assert stream.read(1.0) is None


def test_a_skipped_number_is_a_gap_of_that_size() -> None:
    with stream_of(codec.encode_samples(0, 0, rows(0, 3)), codec.encode_samples(5, 5_000_000, rows(5, 2), overrun=True), codec.encode_end(9, 9_000_000)) as link:
        stream = started(link)
        first, second, last = (stream.read(1.0) for _ in range(3))
        assert first is not None and second is not None and last is not None
        assert (first.lost, second.lost, last.lost) == (0, 2, 2)
        assert second.reason == "the device was overrun"
        assert last.values.shape == (0, 2)
        assert stream.read(1.0) is None


def test_rows_lost_before_the_first_frame_are_seen() -> None:
    with stream_of(codec.encode_samples(4, 4_000_000, rows(4, 1))) as link:
        block = started(link).read(1.0)
        assert block is not None and block.lost == 4 and block.reason == "frames were lost on the way"


def test_a_sign_of_life_is_a_block_without_rows() -> None:
    with stream_of(codec.encode_samples(0, 0, np.empty((0, 2)))) as link:
        block = started(link).read(1.0)
        assert block is not None and block.values.shape == (0, 2) and block.lost == 0


def damaged(position: int) -> bytes:
    frame = bytearray(codec.encode_samples(0, 0, rows(0, 3)))
    frame[position] ^= 0x10
    return bytes(frame)


def unchecked(head: bytes, payload: bytes) -> bytes:
    return head + struct.pack("<II", zlib.crc32(head + payload), 0) + payload


def of_rows(values: np.ndarray) -> bytes:
    return unchecked(struct.pack("<4sBBHIIQq", codec.MAGIC, 0, 0, 2, len(values), 0, 0, 0), values.tobytes())


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ((b"garbage " * 10,), "out of step"),
        ((damaged(41),), "CRC-32"),
        ((damaged(20),), "CRC-32"),
        ((of_rows(np.array([[1.0, np.nan]])),), "sample 0 is nan in channel 2"),
        ((of_rows(np.array([[1.0, 1.0], [np.inf, 0.0]])),), "sample 1 is inf in channel 1"),
        ((struct.pack("<4sBBHIIQqII", codec.MAGIC, 0, 0, 2, 1 << 30, 0, 0, 0, 0, 0),), "payload of"),
        ((struct.pack("<4sBBHIIQqII", codec.MAGIC, 1, 0, 0, 70_000, 0, 0, 0, 0, 0),), "payload of"),
        ((struct.pack("<4sBBHIIQqII", codec.MAGIC, 0, 0, 2, 1, 0, 1 << 63, 0, 0, 0),), "larger than any stream"),
        ((struct.pack("<4sBBHIIQqII", codec.MAGIC, 9, 0, 2, 1, 0, 0, 0, 0, 0),), "kind 9"),
        ((codec.encode_samples(0, 0, np.zeros((1, 3))),), "3 channels; 2 are expected"),
        ((codec.encode_samples(0, 0, rows(0, 5)), codec.encode_samples(3, 5_000_000, rows(3, 1))), "5 or more is expected"),
        ((codec.encode_samples(0, 10, rows(0, 1)), codec.encode_samples(1, 9, rows(1, 1))), "earlier than the one before"),
        ((codec.encode_message({"note": "x"}) * 1000,), "floods the link"),
        ((unchecked(struct.pack("<4sBBHIIQq", codec.MAGIC, 1, 0, 0, 4, 0, 0, 0), b"[NaN"),), "not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_frame_that_is_damaged_or_not_allowed_is_refused(frames: tuple[bytes, ...], said: str) -> None:
    link = SimulatedTransport(_Says(codec.encode_header(HEADER)))
    stream = started(link)
    link._incoming += b"".join(frames)
    with pytest.raises(ProtocolError, match=said):
        for _ in range(3):
            stream.read(1.0)


class _Says:
    """A device that greets, answers a start, and is silent."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        return ANSWER

    def poll(self, now_wall_s: float) -> bytes:
        header, self._header = self._header, b""
        return header

    def next_event_wall_s(self) -> float | None:
        return None


@pytest.mark.parametrize(
    "header",
    [
        b"x" * 70_000,
        b"HTTP/1.1 400 Bad Request\r\n",
        b"[" * 60_000 + b"\n",
        b'{"precision-frames": 2}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": NaN, "channels": []}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 1e999, "channels": [{"name": "x", "unit": "m"}]}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 0, "channels": [{"name": "x", "unit": "m"}]}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 1, "channels": []}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 1, "channels": [{"name": "x", "unit": "mm"}]}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 1, "channels": [{"name": "x\\u0007", "unit": "m"}]}\n',
        b'{"precision-frames": 1, "identity": "a", "rate_hz": 1, "channels": [{"name": "x", "unit": "m"}, {"name": "x", "unit": "m"}]}\n',
    ],
    ids=lambda header: header[:30].decode(),
)  # fmt: skip
def test_a_header_that_is_not_one_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameStream(SimulatedTransport(_Says(header)))


def test_silence_is_a_lost_link_and_says_so() -> None:
    with pytest.raises(LinkLost, match="no header"):
        link = SimulatedTransport(_Says(b""))
        FrameStream(link, clock=link.clock)
    link = SimulatedTransport(_Says(codec.encode_header(HEADER)))
    stream = started(link)
    link._incoming += codec.encode_samples(0, 0, rows(0, 5))[:-1]
    with pytest.raises(LinkLost, match="within 2 s"):
        stream.read(2.0)


def test_a_refusal_and_a_fault_are_told_in_the_devices_words() -> None:
    with expected_dialogue([(b"", codec.encode_header(HEADER)), (b"arm\n", codec.encode_message({"answer": "arm", "error": "no trigger input"}))]) as link:
        with pytest.raises(DeviceFault, match="no trigger input"):
            FrameStream(link, clock=link.clock).arm()
    with stream_of(codec.encode_message({"fault": "reference lost"})) as link:
        stream = started(link)
        with pytest.raises(DeviceFault, match="reference lost"):
            stream.read(1.0)


def test_a_late_answer_is_not_taken_for_another() -> None:
    late = ANSWER + codec.encode_samples(0, 0, rows(0, 2))
    with expected_dialogue([(b"", codec.encode_header(HEADER)), (b"stop\n", late + codec.encode_message({"answer": "stop"}))]) as link:
        assert FrameStream(link, clock=link.clock).ask("stop") == {"answer": "stop"}


def test_an_armed_stream_waits_for_its_trigger() -> None:
    simulator = FrameSimulator(HEADER, rows, total=20)
    link = SimulatedTransport(simulator)
    stream = FrameStream(link, clock=link.clock)
    stream.arm()
    waiting = stream.read(2.0)
    assert waiting is not None and waiting.values.shape == (0, 2)
    simulator.trigger(link.now_s)
    block = stream.read(2.0)
    assert block is not None and np.array_equal(block.values, rows(0, 20))


def test_a_device_whose_reader_is_late_says_what_it_lost() -> None:
    """1000 rows fall due; the device keeps 100."""
    simulator = FrameSimulator(HEADER, rows, frame_s=0.05, depth=100)
    link = SimulatedTransport(simulator)
    stream = started(link)
    link.now_s += 1.0
    block = stream.read(1.0)
    assert block is not None and (block.first_sample, block.lost, block.reason) == (900, 900, "the device was overrun")
    assert np.array_equal(block.values, rows(900, 50))


def test_a_sessions_own_control_lines_answer_or_refuse() -> None:
    def doubled(rest: str) -> dict[str, float]:
        return {"value": 2 * float(rest)}

    session = FrameSession(HEADER, controls={"double": doubled})
    assert b'"value": 8.0' in session.receive(b"double 4\n")
    assert b'"error"' in session.receive(b"double four\n")
    assert b'"error"' in session.receive(b"stapt\n")
    assert session.receive(b"sta") == b"" and b'"answer": "start"' in session.receive(b"rt\n")


def test_twelve_channels_at_20_khz_come_through_a_socket_whole() -> None:
    """As fast as the socket takes them, and in real time; the processor time of both sides together is a small part of the time they stand for."""
    header = codec.Header(identity="scanner", rate_hz=20_000.0, channels=tuple(Channel(f"c{index}", "m") for index in range(12)))

    def scan(first: int, count: int) -> np.ndarray:
        return np.arange(first, first + count, dtype=np.float64)[:, None] + np.arange(12) * 1e-3

    with FrameServer(lambda: FrameSimulator(header, scan, total=20_000, time_scale=np.inf)) as server:
        stream = FrameStream(open_transport(server.address))
        used = time.process_time()
        stream.start()
        blocks = []
        while (block := stream.read(5.0)) is not None:
            blocks.append(block)
        used = time.process_time() - used
        stream.close()
    assert sum(block.lost for block in blocks) == 0
    assert np.array_equal(np.concatenate([block.values for block in blocks]), scan(0, 20_000))
    assert used < 0.5  # of one second of samples


def test_stop_ends_the_samples_and_start_counts_from_0_again() -> None:
    with FrameServer(lambda: FrameSimulator(HEADER, rows, time_scale=np.inf)) as server:
        stream = FrameStream(open_transport(server.address))
        for _ in range(2):
            stream.start()
            block = stream.read(5.0)
            assert block is not None and block.first_sample == 0 and block.lost == 0
            stream.stop()
            stream.stop()
        stream.close()
