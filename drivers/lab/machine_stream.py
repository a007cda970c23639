"""An instrument that watches the moving machine and streams to one listener: when it may start, how its samples leave, its signs of life.

What is sampled is the instrument's own (`ball_bar`, `recorder`, `servo_record`); what the samples are depends on the machine's activities alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames import codec
from precision.drivers.frames.simulator import FrameSession
from precision.drivers.roles import Channel

from .machine import Activity, Carriages, Machine
from .trajectory import Trajectory
from .workshop import Workshop

RATE_HZ: Final = 1000.0
_FRAME_ROWS: Final = 16_384
_ALIVE_S: Final = 0.4

Floats = NDArray[np.float64]


class MachineStream(ABC):
    """One instrument and its one listener; `answer` and `poll` are its side of the link."""

    def __init__(self, machine: Machine, workshop: Workshop, *, identity: str, channels: Sequence[str]) -> None:
        self._machine, self._workshop = machine, workshop
        self._trajectory: Trajectory | None = None
        self._out, self._spoke_s = b"", -math.inf
        self._header = codec.Header(identity=identity, rate_hz=RATE_HZ, channels=tuple(Channel(name, "m") for name in channels), simulated=True)
        self.session = self._new_session()
        machine.listeners.append(self._moved)

    # -- what an instrument says of itself ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _sampled(self, trajectory: Trajectory, activity: Activity, before: Carriages, first: int) -> Floats:
        """Rows (n, channels) for the samples from number `first` on that fall into an activity that has ended; n may be 0."""

    @abstractmethod
    def _begin(self) -> None:
        """The listener starts, while the machine stands; ValueError where the instrument cannot."""

    # -- the link -------------------------------------------------------------------------------------------------------------------------

    def greeting(self) -> bytes:
        """What is said first to who connects."""
        self.session, self._out, self._trajectory = self._new_session(), b"", None
        return self.session.greeting()

    def answer(self, data: bytes) -> bytes:
        """Control lines, answered after the samples that were made before them."""
        return self._taken() + self.session.receive(data)

    def poll(self, now_wall_s: float) -> bytes:
        """Samples that have been made, and a sign of life where there are none."""
        out = self._taken()
        if out:
            self._spoke_s = now_wall_s
        elif self.session.state == "running" and now_wall_s - self._spoke_s >= _ALIVE_S:
            self._spoke_s = now_wall_s
            out = self.session.alive(0 if self._trajectory is None else _sample_ns(self._trajectory.next_sample))
        return out

    def hang_up(self) -> None:
        """The listener has gone."""
        self.session.state, self._trajectory, self._out = "idle", None, b""

    def _new_session(self) -> FrameSession:
        return FrameSession(self._header, controls={"start": self._start})

    def _taken(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def _start(self, rest: str) -> Mapping[str, Any]:
        if rest:
            raise ValueError("start stands alone")
        if self._machine.busy:
            raise ValueError("the machine moves; start while it stands")
        self._begin()
        self._trajectory = Trajectory(self._machine, self._workshop, start_ns=self._machine.now_ns, rate_hz=RATE_HZ)
        self.session.state, self.session.next_sample = "running", 0
        return {}

    def _moved(self, activity: Activity, before: Carriages) -> None:
        trajectory = self._trajectory
        if trajectory is None or self.session.state != "running":
            return
        first = trajectory.next_sample
        rows = self._sampled(trajectory, activity, before, first)
        for start in range(0, len(rows), _FRAME_ROWS):
            self._out += self.session.rows(rows[start : start + _FRAME_ROWS], _sample_ns(first + start))


def _sample_ns(number: int) -> int:
    return round(number * 1e9 / RATE_HZ)
