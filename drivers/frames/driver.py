"""A device that speaks frames (see `codec`), on any link."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from precision.drivers.roles import Block, Channel
from precision.drivers.transport import Transport
from precision.errors import DeviceFault, LinkLost, ProtocolError

from . import codec

_MOST_MESSAGES: Final = 1000
"""Messages between two frames of samples: more is a flood."""


class FrameStream:
    """A stream of frames on an open link.

    timeout_s : for the header, and for the answer to a control line.
    clock : seconds; the tests bring their own.
    """

    def __init__(self, transport: Transport, *, timeout_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._link, self._timeout_s, self._clock = transport, timeout_s, clock
        self._buffer = bytearray()
        self._expected = 0
        self._last_t_ns: int | None = None
        self._running = self._ended = False
        try:
            self._header = codec.decode_header(self._line())
        except BaseException:
            transport.close()
            raise

    @property
    def identity(self) -> str:
        """What the device says it is."""
        return self._header.identity

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What a row holds, in order."""
        return self._header.channels

    @property
    def rate_hz(self) -> float:
        """Samples per second of the device's own time."""
        return self._header.rate_hz

    @property
    def simulated(self) -> bool:
        """Whether the device says that a simulator made its samples."""
        return self._header.simulated

    def close(self) -> None:
        """Let go of the link. Safe to call twice."""
        self._link.close()

    def start(self) -> None:
        """Let samples come; returns when the device says that they do."""
        self._begin("start")

    def arm(self) -> None:
        """Let samples come from the device's own trigger on; until then `read` gives blocks of no rows. Raises `DeviceFault` where there is no trigger."""
        self._begin("arm")

    def read(self, timeout_s: float) -> Block | None:
        """The next block; None once the device has ended its stream; see `roles.Stream`."""
        if self._ended:
            return None
        deadline = self._clock() + timeout_s
        for _ in range(_MOST_MESSAGES):
            head, payload = self._frame(deadline, timeout_s)
            if head.kind == codec.MESSAGE:
                self._said(codec.decode_message(head, payload))
                continue
            block = self._block(head, payload)
            if head.kind == codec.END:
                self._ended, self._running = True, False
                return block if block.lost else None
            return block
        raise ProtocolError(f"{self._link.address}: {_MOST_MESSAGES} messages and no samples; the device floods the link. Restart it")

    def stop(self) -> None:
        """End the samples; what was under way is thrown away. Safe to call twice."""
        if self._running:
            self._running = False
            self.ask("stop")

    def ask(self, line: str, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Send a control line and return the device's answer; samples that come before it are thrown away.

        Raises
        ------
        DeviceFault     the device refuses, in its own words
        LinkLost, ProtocolError     as `read`
        """
        if not line.isprintable() or not 1 <= len(line) < codec.HEADER_BYTES:
            raise ValueError(f"control line {line[:80]!r}: 1 to {codec.HEADER_BYTES - 1} printable characters are expected")
        allowed_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = self._clock() + allowed_s
        self._link.write(line.encode("utf-8") + b"\n", timeout_s=allowed_s)
        word = line.split(" ", 1)[0]
        while True:
            head, payload = self._frame(deadline, allowed_s)
            if head.kind != codec.MESSAGE:
                codec.check_payload(head, payload)
                continue
            said = codec.decode_message(head, payload)
            if said.get("answer") == word:
                if "error" in said:
                    raise DeviceFault(f"{self._link.address} refuses {word!r}: {str(said['error'])[:500]}")
                return said
            self._said(said)

    def _begin(self, word: str) -> None:
        self._expected, self._last_t_ns, self._ended = 0, None, False
        self.ask(word)
        self._running = True

    def _block(self, head: codec.Head, payload: bytes) -> Block:
        """The block of a frame. Numbers rise, and the time of rows never runs backwards."""
        values = codec.decode_samples(head, payload, len(self.channels))
        if head.first_sample < self._expected:
            raise ProtocolError(f"{self._link.address}: a frame begins at sample {head.first_sample}; {self._expected} or more is expected. Connect again")
        if self._last_t_ns is not None and head.count and head.t_ns < self._last_t_ns:
            raise ProtocolError(f"{self._link.address}: sample {head.first_sample} is at {head.t_ns} ns, earlier than the one before ({self._last_t_ns} ns)")
        lost, self._expected = head.first_sample - self._expected, head.first_sample + head.count
        self._last_t_ns = head.t_ns if head.count else self._last_t_ns
        reason = "" if not lost else "the device was overrun" if head.flags & codec.OVERRUN else "frames were lost on the way"
        return Block(first_sample=head.first_sample, t_ns=head.t_ns, values=values, lost=lost, reason=reason)

    def _said(self, said: dict[str, Any]) -> None:
        if "fault" in said:
            raise DeviceFault(f"{self._link.address} says: {str(said['fault'])[:500]}")

    def _frame(self, deadline: float, timeout_s: float) -> tuple[codec.Head, bytes]:
        self._fill(codec.HEAD_BYTES, deadline, timeout_s)
        head = codec.decode_head(bytes(self._buffer[: codec.HEAD_BYTES]), len(self.channels))
        self._fill(codec.HEAD_BYTES + head.payload_bytes, deadline, timeout_s)
        payload = bytes(self._buffer[codec.HEAD_BYTES : codec.HEAD_BYTES + head.payload_bytes])
        del self._buffer[: codec.HEAD_BYTES + head.payload_bytes]
        return head, payload

    def _fill(self, size: int, deadline: float, timeout_s: float) -> None:
        """Until the buffer holds `size` bytes. It never holds more than a frame and what one look at the link brought."""
        while len(self._buffer) < size:
            left = deadline - self._clock()
            came = self._link.read_available(left) if left > 0 else b""
            if not came:
                raise LinkLost(f"{self._link.address}: no samples and no sign of life within {timeout_s:g} s. Check that the device measures, then connect again")
            self._buffer += came

    def _line(self) -> bytes:
        deadline = self._clock() + self._timeout_s
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > codec.HEADER_BYTES:
                raise ProtocolError(f"{self._link.address}: {searched} bytes without an end of line; the header of a stream is expected. Is this the stream's port?")
            left = deadline - self._clock()
            came = self._link.read_available(left) if left > 0 else b""
            if not came:
                raise LinkLost(f"{self._link.address}: no header of a stream within {self._timeout_s:g} s. Is this the stream's port?")
            self._buffer += came
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        return line
