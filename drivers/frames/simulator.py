"""The device's side of a stream of frames: what it says, without a socket and without a clock of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from . import codec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LINE_BYTES: Final = codec.HEADER_BYTES
_ALIVE_S: Final = 0.5
"""Between two signs of life: half of what the protocol asks for."""


class FrameSession:
    """One client of a device: what to send it. Rows that are handed over while it has not started them are nobody's.

    controls : a device's own control lines: first word -> function of the rest of the line that returns what the answer says, or raises ValueError.
    """

    def __init__(self, header: codec.Header, *, controls: Mapping[str, Callable[[str], Mapping[str, Any]]] | None = None) -> None:
        self.header = header
        self.state: Literal["idle", "armed", "running"] = "idle"
        self.next_sample = 0
        self._controls = dict(controls or {})
        self._line = b""
        self._overrun = False

    def greeting(self) -> bytes:
        """What is said first."""
        return codec.encode_header(self.header)

    def receive(self, data: bytes) -> bytes:
        """The answers to the lines that end in `data`."""
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line if len(self._line) <= _LINE_BYTES else b""
        return b"".join(self._answer(line.decode("utf-8", "replace").strip()) for line in lines if line.strip())

    def trigger(self) -> None:
        """The event that an armed stream waits for."""
        if self.state == "armed":
            self.state = "running"

    def rows(self, values: NDArray[np.float64], t_ns: int) -> bytes:
        """The frame of the next rows, (n, channels); nothing unless running."""
        if self.state != "running":
            return b""
        frame = codec.encode_samples(self.next_sample, t_ns, values, overrun=self._overrun)
        self.next_sample += len(values)
        self._overrun = False
        return frame

    def lose(self, count: int) -> None:
        """So many rows could not be kept."""
        if self.state == "running" and count > 0:
            self.next_sample += count
            self._overrun = True

    def alive(self, t_ns: int) -> bytes:
        """A sign of life."""
        import numpy as np

        return codec.encode_samples(self.next_sample, t_ns, np.empty((0, len(self.header.channels))), overrun=self._overrun)

    def end(self, t_ns: int) -> bytes:
        """No more rows come."""
        self.state = "idle"
        return codec.encode_end(self.next_sample, t_ns)

    def fault(self, text: str) -> bytes:
        """Something is wrong; no more rows come."""
        self.state = "idle"
        return codec.encode_message({"fault": text})

    def _answer(self, line: str) -> bytes:
        word, _, rest = line.partition(" ")
        said: dict[str, Any] = {"answer": word[:80]}
        try:
            if word in self._controls:
                said |= self._controls[word](rest)
            elif word in ("start", "arm") and not rest:
                self.state = "running" if word == "start" else "armed"
                self.next_sample, self._overrun = 0, False
            elif word == "stop" and not rest:
                self.state = "idle"
            else:
                raise ValueError(f"expected is one of {', '.join(('start', 'stop', 'arm', *self._controls))}")
        except ValueError as refused:
            said["error"] = str(refused)
        return codec.encode_message(said)


class FrameSimulator:
    """A device that makes rows at its rate from the moment it is started; one client.

    rows : (first, count) -> (count, channels) float64, the rows from number `first` on; a pure function, so that a reader's pace changes nothing.
    total : how many rows there are before the stream ends; None: no end.
    time_scale : seconds of the device per second of whoever polls; infinite waits for nothing and loses nothing.
    frame_s : device time that a frame holds. depth : rows that the device can keep for a reader that is late; older ones are lost.
    lost : numbers of rows that the device loses by itself, for tests.
    """

    def __init__(
        self, header: codec.Header, rows: Callable[[int, int], NDArray[np.float64]], *, total: int | None = None, time_scale: float = 1.0,
        frame_s: float = 0.02, depth: int = 65_536, lost: range = range(0), controls: Mapping[str, Callable[[str], Mapping[str, Any]]] | None = None,
    ) -> None:  # fmt: skip
        self.session = FrameSession(header, controls=controls)
        self._rows, self._total, self._scale, self._depth, self._lost = rows, total, time_scale, depth, lost
        largest = codec.PAYLOAD_BYTES // (8 * len(header.channels))
        self._frame_rows = max(1, min(round(frame_s * header.rate_hz), largest, depth))
        self._greeted = False
        self._began_s = self._spoke_s = -math.inf

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        """Control lines; rows are counted from the moment of `start`."""
        before = self.session.state, self.session.next_sample
        answers = self._greeting() + self.session.receive(data)
        if self.session.state == "running" and (before[0] != "running" or self.session.next_sample < before[1]):
            self._began_s = now_wall_s
        return answers

    def trigger(self, now_wall_s: float) -> None:
        """The event that an armed stream waits for."""
        if self.session.state == "armed":
            self.session.trigger()
            self._began_s = now_wall_s

    def poll(self, now_wall_s: float) -> bytes:
        """What is due: the header, frames, signs of life, the end."""
        said = self._greeting()
        if self.session.state == "running":
            said += self._due(now_wall_s)
        if said:
            self._spoke_s = now_wall_s
        elif self.session.state != "idle" and now_wall_s - self._spoke_s >= _ALIVE_S:
            self._spoke_s = now_wall_s
            said = self.session.alive(self._t_ns(self.session.next_sample))
        return said

    def next_event_wall_s(self) -> float | None:
        """When `poll` has something to say; None while idle."""
        if not self._greeted:
            return self._spoke_s
        if self.session.state == "idle":
            return None
        alive_s = self._spoke_s + _ALIVE_S
        if self.session.state == "armed":
            return alive_s
        rows = self._frame_rows if self._total is None else min(self._frame_rows, self._total - self.session.next_sample)
        return min(alive_s, self._began_s + (self.session.next_sample + rows) / (self.session.header.rate_hz * self._scale))

    def _due(self, now_s: float) -> bytes:
        session = self.session
        if math.isinf(self._scale):
            due = session.next_sample + self._frame_rows
        else:
            due = math.floor((now_s - self._began_s) * self._scale * session.header.rate_hz + 1e-6)
        last = due if self._total is None else min(due, self._total)
        session.lose(last - self._depth - session.next_sample)
        said = []
        whole = last == self._total
        while (left := last - session.next_sample) >= self._frame_rows or (left > 0 and whole):
            first = session.next_sample
            if first in self._lost:
                session.lose(min(self._lost.stop, last) - first)
                continue
            count = min(left, self._frame_rows)
            if first < self._lost.start < first + count:
                count = self._lost.start - first
            said.append(session.rows(self._rows(first, count), self._t_ns(first)))
        if session.next_sample == self._total:
            said.append(session.end(self._t_ns(session.next_sample)))
        return b"".join(said)

    def _t_ns(self, sample: int) -> int:
        return round(sample * 1e9 / self.session.header.rate_hz)

    def _greeting(self) -> bytes:
        if self._greeted:
            return b""
        self._greeted = True
        return self.session.greeting()
