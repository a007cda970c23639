"""The lab's recorder: what the controller commands, what the motors' encoders see and where the tool is, of all three axes on one clock, while the machine moves.

    cmd    machine coordinates that the controller asks for
    fb     the motors' encoders, behind their loops: screw without lead error and play, in whole counts
    tool   the tool point in the workpiece's frame less the tool's length, as a grid encoder between table and spindle reads it:
           true + set-up offset + grid error + noise, rounded to its resolution

The machine is sampled as in `trajectory`; what the samples are depends on its activities alone.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from .machine import Activity, Carriages, Machine
from .machine_stream import RATE_HZ, Floats, MachineStream
from .noise import Channel
from .parameters import AXES, Parameters
from .trajectory import Trajectory
from .workshop import Workshop

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

class Recorder(MachineStream):
    """One recorder and its one listener."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        super().__init__(machine, workshop, identity="precision virtual recorder, 1 kHz", channels=CHANNELS)
        self._parameters, self._seed = parameters, seed
        self._runs: list[dict[str, Any]] = []
        self._zero_m = np.array([Channel(seed, f"recorder/zero/{axis}").within(SET_UP_RANGE_M / 2) for axis in AXES])
        self._phase = 2 * math.pi * np.array([Channel(seed, f"recorder/grid/{axis}").uniform(0) for axis in AXES])

    def _begin(self) -> None:
        self._runs.append({"start_ns": self._machine.now_ns, "true_tool_m": []})

    def _sampled(self, trajectory: Trajectory, activity: Activity, before: Carriages, first: int) -> Floats:
        command, screw, point = trajectory.positions_m(activity, before, self._parameters.tool_m)
        true = point - np.array(self._parameters.tool_m)
        every = np.arange(first, first + len(true)) % PUBLISHED_EVERY == 0
        self._runs[-1]["true_tool_m"] += true[every].tolist()
        counted = np.round(screw / ENCODER_M) * ENCODER_M
        return np.concatenate([command, counted, self._seen(true, first)], axis=1)

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
