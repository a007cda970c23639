"""Links for tests: a recorded conversation, and a simulator in the same process. Neither waits: time is a number that they move.

The same turns can drive a driver through `expected_dialogue` and the simulator through its `receive`, so that the fake is checked too.
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from precision.errors import LinkLost, ProtocolError


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that comes only after a deadline has passed."""

    answer: bytes


Turn = tuple[bytes, bytes | Late]
"""(what the driver sends, what the device answers); either may be empty."""


class _TestLink(ABC):
    """What both links share: a buffer, a clock that only they move."""

    address = "test://"

    def __init__(self) -> None:
        self.dirty = False
        self.now_s = 0.0
        self._incoming = bytearray()
        self._open = True

    def clock(self) -> float:
        """Seconds; moved by `sleep` and by waiting for an answer."""
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        """Let time pass."""
        self.now_s += duration_s

    def read_until(self, terminator: bytes, *, timeout_s: float, limit: int = 65536) -> bytes:
        deadline = self.now_s + timeout_s
        while True:
            at = self._incoming.find(terminator)
            if 0 <= at <= limit:
                line = bytes(self._incoming[:at])
                del self._incoming[: at + len(terminator)]
                return line
            if len(self._incoming) > limit:
                self.dirty = True
                self._incoming.clear()
                raise ProtocolError(f"{self.address}: more than {limit} bytes without an end of line")
            if not self._wait(deadline):
                self.dirty = True
                raise LinkLost(f"{self.address}: no answer within {timeout_s:g} s")

    def read_available(self, timeout_s: float) -> bytes:
        deadline = self.now_s + timeout_s
        while not self._incoming and self._wait(deadline):
            pass
        found = bytes(self._incoming)
        self._incoming.clear()
        return found

    def drain(self) -> None:
        self._wait(self.now_s)
        self._incoming.clear()
        self.dirty = False

    def close(self) -> None:
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise LinkLost(f"{self.address}: the link is closed")

    @abstractmethod
    def _wait(self, deadline_s: float) -> bool:
        """Wait for more bytes until `deadline_s`; False when it has passed."""


class ExpectedDialogue(_TestLink):
    """A link that plays recorded turns and refuses everything else."""

    address = "dialogue://"

    def __init__(self, turns: Sequence[Turn]) -> None:
        super().__init__()
        self._turns = list(turns)
        self._sent = b""
        self._late = b""
        self._begin_turn()

    def write(self, data: bytes, *, timeout_s: float) -> None:
        """Must be what the next turn says."""
        self._check_open()
        self._sent += data
        while self._sent:
            if not self._turns:
                raise AssertionError(f"sent {self._sent!r} after the last turn")
            expected, answer = self._turns[0]
            if not (expected.startswith(self._sent) or self._sent.startswith(expected)):
                raise AssertionError(f"sent {self._sent!r}, expected {expected!r}")
            if len(self._sent) < len(expected):
                return
            self._sent = self._sent[len(expected) :]
            del self._turns[0]
            self._answer(answer)
            self._begin_turn()

    def _begin_turn(self) -> None:
        """What the device says without being asked."""
        while self._turns and self._turns[0][0] == b"":
            self._answer(self._turns.pop(0)[1])

    def _answer(self, answer: bytes | Late) -> None:
        if isinstance(answer, Late):
            self._late += answer.answer
        else:
            self._incoming += answer

    def _wait(self, deadline_s: float) -> bool:
        if self.now_s >= deadline_s:
            return False
        self.now_s = deadline_s
        # Too late for this question: it stays for the next one.
        self._incoming += self._late
        self._late = b""
        return False

    def finish(self) -> None:
        """All turns were taken and read.

        Raises
        ------
        AssertionError      naming what was not
        """
        if self._turns or self._sent:
            raise AssertionError(f"not sent: {[turn[0] for turn in self._turns]}; begun: {self._sent!r}")
        if self._incoming or self._late:
            raise AssertionError(f"not read: {bytes(self._incoming)!r} {self._late!r}")


@contextlib.contextmanager
def expected_dialogue(turns: Sequence[Turn]) -> Iterator[ExpectedDialogue]:
    """A link that plays `turns`; leaving the block checks that every turn was sent and read."""
    link = ExpectedDialogue(turns)
    yield link
    link.finish()


class Responder(Protocol):
    """A simulator without time."""

    def receive(self, data: bytes) -> bytes: ...


@runtime_checkable
class TimedResponder(Protocol):
    """A simulator with time."""

    def receive(self, data: bytes, now_wall_s: float) -> bytes: ...
    def poll(self, now_wall_s: float) -> bytes: ...
    def next_event_wall_s(self) -> float | None: ...


class SimulatedTransport(_TestLink):
    """A simulator in this process as a link. Waiting moves its clock to the next event at once."""

    address = "simulated://"

    def __init__(self, simulator: Responder | TimedResponder) -> None:
        super().__init__()
        self._simulator = simulator

    def write(self, data: bytes, *, timeout_s: float) -> None:
        """Hand `data` over; what is answered can be read at once."""
        self._check_open()
        if isinstance(self._simulator, TimedResponder):
            self._incoming += self._simulator.receive(data, self.now_s)
        else:
            self._incoming += self._simulator.receive(data)

    def _wait(self, deadline_s: float) -> bool:
        self._check_open()
        if isinstance(self._simulator, TimedResponder):
            if came := self._simulator.poll(self.now_s):
                self._incoming += came
                return True
            event_s = self._simulator.next_event_wall_s()
            if event_s is not None and event_s <= deadline_s:
                self.now_s = max(self.now_s, event_s)
                self._incoming += self._simulator.poll(self.now_s)
                return True
        self.now_s = max(self.now_s, deadline_s)
        return False


class UniformMachine:
    """The plainest mechanics for `GrblSimulator`: axes that move at the feed, without ramps. `lab_s` is its own clock."""

    def __init__(self, axes: Sequence[str] = ("X", "Y", "Z"), *, home_m: float = -1e-3, homing_s: float = 5.0) -> None:
        self.position_m = dict.fromkeys(axes, 0.0)
        self.lab_s = 0.0
        self._home_m, self._homing_s = home_m, homing_s
        self._under_way: tuple[dict[str, float], float] | None = None
        self._arc: tuple[tuple[str, str], tuple[float, float], float] | None = None
        self.arcs: list[float] = []
        """Sweeps of the arcs that were begun, rad."""

    def begin_move(self, target_steps_m: Mapping[str, float], feed_m_per_s: float) -> float:
        """Duration = length / feed."""
        length_m = math.dist(list(target_steps_m.values()), [self.position_m[axis] for axis in target_steps_m])
        return self._begin({**self.position_m, **target_steps_m}, length_m / feed_m_per_s)

    def begin_arc(self, axes: tuple[str, str], centre_m: tuple[float, float], sweep_rad: float, feed_m_per_s: float) -> float:
        """Duration = length / feed."""
        radius_m = math.dist([self.position_m[axis] for axis in axes], centre_m)
        self._arc = (axes, centre_m, sweep_rad)
        self.arcs.append(sweep_rad)
        self._under_way = (self._on_arc(1.0), abs(sweep_rad) * radius_m / feed_m_per_s)
        return self._under_way[1]

    def _on_arc(self, fraction: float) -> dict[str, float]:
        assert self._arc is not None
        axes, centre_m, sweep_rad = self._arc
        x, y = (self.position_m[axis] - centre for axis, centre in zip(axes, centre_m, strict=True))
        cos, sin = math.cos(sweep_rad * fraction), math.sin(sweep_rad * fraction)
        return {**self.position_m, axes[0]: centre_m[0] + x * cos - y * sin, axes[1]: centre_m[1] + x * sin + y * cos}

    def begin_dwell(self, duration_s: float) -> float:
        """Stand."""
        return self._begin(dict(self.position_m), duration_s)

    def home(self) -> float:
        """All axes to `home_m`."""
        return self._begin(dict.fromkeys(self.position_m, self._home_m), self._homing_s)

    def commanded_position(self, fraction: float) -> Mapping[str, float]:
        """Linear in the fraction."""
        if self._under_way is None:
            return dict(self.position_m)
        if self._arc is not None:
            return self._on_arc(fraction)
        target = self._under_way[0]
        return {axis: start + (target[axis] - start) * fraction for axis, start in self.position_m.items()}

    def hold(self, fraction: float) -> None:
        """End here."""
        if self._under_way is not None:
            self.position_m = dict(self.commanded_position(fraction))
            self.lab_s += self._under_way[1] * fraction
            self._under_way = self._arc = None

    def complete(self) -> None:
        """Be there."""
        self.hold(1.0)

    def _begin(self, target_m: dict[str, float], duration_s: float) -> float:
        self._under_way = (target_m, duration_s)
        return duration_s
