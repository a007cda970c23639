"""Whatever bytes a stream sends: blocks that are whole and finite, or an error of the package's own; no hang, bounded memory."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.drivers.frames import codec
from precision.drivers.frames.driver import FrameStream
from precision.drivers.roles import Channel
from precision.drivers.testing import SimulatedTransport
from precision.errors import PrecisionError

HEADER = codec.Header(identity="a", rate_hz=1000.0, channels=(Channel("x", "m"), Channel("y", "m")))
GREETING = codec.encode_header(HEADER)
STARTED = codec.encode_message({"answer": "start"})
FRAMES = [
    codec.encode_samples(0, 0, np.zeros((3, 2))), codec.encode_samples(3, 3_000_000, np.ones((2, 2)), overrun=True), codec.encode_samples(9, 9_000_000, np.empty((0, 2))),
    codec.encode_message({"note": "x"}), codec.encode_message({"fault": "y"}), codec.encode_end(12, 12_000_000), codec.encode_samples(5, 0, np.zeros((1, 2))),
]  # fmt: skip


class _Sends:
    """A device that sends these bytes, piece by piece, whatever it is asked."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._pieces = [data[at : at + piece] for at in range(0, len(data), piece)][::-1]
        self.sent = 0

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        return STARTED if data == b"start\n" else b""

    def poll(self, now_wall_s: float) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    def next_event_wall_s(self) -> float | None:
        return 0.0 if self._pieces else None


def read_all(data: bytes, piece: int) -> int:
    """Rows that were given before the end or an error of ours."""
    link = SimulatedTransport(_Sends(data, piece))
    rows, expected = 0, 0
    with contextlib.suppress(PrecisionError):
        stream = FrameStream(link, clock=link.clock)
        stream.start()
        while (block := stream.read(1.0)) is not None:
            assert block.values.shape[1] == 2 and np.isfinite(block.values).all() and block.lost >= 0
            assert block.first_sample == expected + block.lost
            expected = block.first_sample + len(block.values)
            rows += len(block.values)
            assert len(stream._buffer) <= len(data)
    return rows


@given(st.binary(max_size=300), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_any_bytes_after_the_header(data: bytes, piece: int) -> None:
    assert read_all(GREETING + data, piece) == 0 or data.startswith(codec.MAGIC)


@given(st.binary(max_size=200) | st.text('{}[]":,0123456789.eE-truefalsn', max_size=120).map(lambda text: text.encode() + b"\n"), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_the_header(data: bytes, piece: int) -> None:
    assert read_all(data, piece) == 0


@given(st.lists(st.sampled_from(FRAMES), max_size=8).map(b"".join), st.data(), st.integers(1, 100))
@settings(max_examples=300, deadline=None)
def test_frames_in_any_order_with_any_bit_turned(frames: bytes, data: st.DataObject, piece: int) -> None:
    damaged = bytearray(frames)
    if damaged and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    read_all(GREETING + bytes(damaged), piece)
