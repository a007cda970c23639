"""The lab's recorder: what the controller commands, what the motors' encoders see and where the tool is, of all three axes on one clock, while the machine moves.

    cmd    machine coordinates that the controller asks for
    fb     the motors' encoders, behind their loops: screw without lead error and play, in whole counts
    tool   the tool point in the workpiece's frame less the tool's length, as a grid encoder between table and spindle reads it:
           true + set-up offset + grid error + noise, rounded to its resolution

The machine is sampled as in `trajectory`; what the samples are depends on its activities alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames import codec
from precision.drivers.frames.simulator import FrameSession
from precision.drivers.roles import Channel as StreamChannel

from .machine import Activity, Carriages, Machine
from .noise import Channel
from .parameters import AXES, Parameters
from .trajectory import Trajectory
from .workshop import Workshop

RATE_HZ: Final = 1000.0
CHANNELS: Final = tuple(f"{axis.lower()}_{source}" for source in ("cmd", "fb", "tool") for axis in AXES)
ENCODER_M: Final = 0.1e-6
"""One count of the motors' encoders, at the screw."""
GRID_RESOLUTION_M: Final = 5e-9
GRID_NOISE_M: Final = 20e-9
GRID_RANGE_M: Final = 0.2e-6
"""Full range of the grid's error in each direction."""
SET_UP_RANGE_M: Final = 30e-6
"""Full range of each coordinate of the zero of the grid."""
PUBLISHED_EVERY: Final = 10
"""One true position in so many samples stands in the truth."""
_GRID_PERIOD_M: Final = 37e-3
_FRAME_ROWS: Final = 16_384
_ALIVE_S: Final = 0.4

Floats = NDArray[np.float64]


class Recorder:
    """One recorder and its one listener; `answer` and `poll` are its side of the link."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        self._parameters, self._seed, self._machine, self._workshop = parameters, seed, machine, workshop
        self._trajectory: Trajectory | None = None
        self._out = b""
        self._spoke_s = -math.inf
        self._runs: list[dict[str, Any]] = []
        self._zero_m = np.array([Channel(seed, f"recorder/zero/{axis}").within(SET_UP_RANGE_M / 2) for axis in AXES])
        self._phase = 2 * math.pi * np.array([Channel(seed, f"recorder/grid/{axis}").uniform(0) for axis in AXES])
        self._header = codec.Header(
            identity="precision virtual recorder, 1 kHz", rate_hz=RATE_HZ, channels=tuple(StreamChannel(name, "m") for name in CHANNELS), simulated=True
        )
        self.session = self._new_session()
        machine.listeners.append(self._moved)

    # -- the link -----------------------------------------------------------------------------------------------------------------------

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
            trajectory = self._trajectory
            out = self.session.alive(0 if trajectory is None else round(trajectory.next_sample * 1e9 / RATE_HZ))
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
        self._trajectory = Trajectory(self._machine, self._workshop, start_ns=self._machine.now_ns, rate_hz=RATE_HZ)
        self._runs.append({"start_ns": self._machine.now_ns, "true_tool_m": []})
        self.session.state, self.session.next_sample = "running", 0
        return {}

    # -- physics ------------------------------------------------------------------------------------------------------------------------

    def _moved(self, activity: Activity, before: Carriages) -> None:
        trajectory = self._trajectory
        if trajectory is None or self.session.state != "running":
            return
        first = trajectory.next_sample
        command, screw, point = trajectory.positions_m(activity, before, self._parameters.tool_m)
        if not len(point):
            return
        true = point - np.array(self._parameters.tool_m)
        every = np.arange(first, first + len(true)) % PUBLISHED_EVERY == 0
        self._runs[-1]["true_tool_m"] += true[every].tolist()
        counted = np.round(screw / ENCODER_M) * ENCODER_M
        rows = np.concatenate([command, counted, self._seen(true, first)], axis=1)
        for start in range(0, len(rows), _FRAME_ROWS):
            self._out += self.session.rows(rows[start : start + _FRAME_ROWS], round((first + start) * 1e9 / RATE_HZ))

    def _seen(self, true_m: Floats, first: int) -> Floats:
        noise = np.stack([Channel(self._seed, f"recorder/noise/{len(self._runs)}/{axis}").normals(first, len(true_m)) for axis in AXES], axis=-1)
        grid = GRID_RANGE_M / 2 * np.sin(2 * math.pi * true_m / _GRID_PERIOD_M + self._phase)
        return np.asarray(np.round((true_m + self._zero_m + grid + GRID_NOISE_M * noise) / GRID_RESOLUTION_M) * GRID_RESOLUTION_M)

    def truth(self) -> dict[str, Any] | None:
        """Zero of the grid and true tool positions of each run, every `PUBLISHED_EVERY` samples; None before the first run."""
        if not self._runs:
            return None
        bounds = {"range_m": GRID_RANGE_M, "noise_m": GRID_NOISE_M, "resolution_m": GRID_RESOLUTION_M, "encoder_m": ENCODER_M}
        return {"rate_hz": RATE_HZ / PUBLISHED_EVERY, "zero_m": self._zero_m.tolist(), "bounds": bounds, "runs": self._runs}
