"""The drives' own record of the lab: command, motor feedback and following error of all three axes in every servo cycle, as a controller keeps it for its tuner.

    cmd    machine coordinates that the controller asks for
    fb     the motors' encoders, read `late_s` before the command of the same row, in whole counts:
           screw + ripple · sin(2π screw/period + phase) + noise
    ferr   the drive's own following error: command − feedback of one row
    tool   the tool point in the workpiece's frame less the tool's length, true but for its resolution

The screw follows the command with the position loop's lag (1/K_v of `parameters`). Delay, ripple and noise are those of this record: the motors' torque ripples
with the poles, by less than the other instruments of the lab can see.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .clock import NS_PER_S
from .machine import Activity, Carriages, Machine
from .machine_stream import RATE_HZ, Floats, MachineStream
from .noise import Channel
from .parameters import AXES, Parameters
from .trajectory import Trajectory, commanded
from .workshop import Workshop

CHANNELS: Final = tuple(f"{axis.lower()}_{source}" for source in ("cmd", "fb", "ferr", "tool") for axis in AXES)
COUNT_M: Final = 10e-9
NOISE_M: Final = 20e-9
"""Standard deviation of one reading of a motor's encoder."""
LATE_S: Final = 1e-3
"""The middle of what the feedback may be late by; the seed says how much, within ±60 %."""
RIPPLE_M: Final = 120e-9
RIPPLE_PERIOD_M: Final = 16e-3
"""Pole pitch; both within ±10 % by the seed, other for each axis."""
_TOOL_RESOLUTION_M: Final = 5e-9


class ServoRecord(MachineStream):
    """One record and its one listener."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        super().__init__(machine, workshop, identity="precision virtual drives, 1 kHz", channels=CHANNELS)
        self._parameters, self._seed, self._starts = parameters, seed, 0
        self._delayed: list[_Delayed] = []
        self.late_s = LATE_S * (1 + Channel(seed, "servo record/late").within(0.6))
        drawn = [
            (
                Channel(seed, f"servo record/ripple/{axis}"),
                Channel(seed, f"servo record/period/{axis}"),
                Channel(seed, f"servo record/phase/{axis}"),
            )
            for axis in AXES
        ]
        self.ripple_m = np.array([RIPPLE_M * (1 + size.within(0.1)) for size, _, _ in drawn])
        self.period_m = np.array([RIPPLE_PERIOD_M * (1 + period.within(0.1)) for _, period, _ in drawn])
        self._phase = np.array([2 * math.pi * phase.uniform(0) for _, _, phase in drawn])

    def _begin(self) -> None:
        machine = self._machine
        self._delayed = [
            _Delayed(carriage.commanded_m, axis.parameters.servo_lag_s) for axis, carriage in zip(machine.axes, machine.carriages, strict=True)
        ]
        self._starts += 1
        self._before: Activity | None = None

    def _sampled(self, trajectory: Trajectory, activity: Activity, before: Carriages, first: int) -> Floats:
        command, _, point = trajectory.positions_m(activity, before, self._parameters.tool_m)
        earlier, self._before = self._before, activity
        if not len(point):
            return np.empty((0, len(CHANNELS)))
        t_ns = np.array([trajectory.time_ns(number) for number in range(first, first + len(point))])
        screw = np.stack(
            [one.along(given) for one, given in zip(self._delayed, self._commanded_before(activity, earlier, t_ns).T, strict=True)], axis=-1
        )
        noise = np.stack([Channel(self._seed, f"servo record/noise/{self._starts}/{axis}").normals(first, len(point)) for axis in AXES], axis=-1)
        seen = screw + self.ripple_m * np.sin(2 * math.pi * screw / self.period_m + self._phase) + NOISE_M * noise
        counted = np.round(seen / COUNT_M) * COUNT_M
        tool = np.round((point - np.array(self._parameters.tool_m)) / _TOOL_RESOLUTION_M) * _TOOL_RESOLUTION_M
        return np.concatenate([command, counted, command - counted, tool], axis=1)

    def _commanded_before(self, activity: Activity, earlier: Activity | None, t_ns: NDArray[np.int64]) -> Floats:
        """Command `late_s` before each time, (n, 3) × `_FINER` times within each sample."""
        step_ns = NS_PER_S / RATE_HZ
        fine_ns = (
            t_ns[:, None] - round(self.late_s * NS_PER_S) - np.round(step_ns * np.arange(_FINER - 1, -1, -1) / _FINER).astype(np.int64)
        ).ravel()
        found = commanded(activity, fine_ns)
        if earlier is not None:
            old = fine_ns < activity.start_ns
            found[old] = commanded(earlier, fine_ns[old])
        return found

    def truth(self) -> dict[str, Any] | None:
        """What was planted into the record; None before the first start. Gains of the loops are among the axes' `parameters` (`servo_lag_s`)."""
        if not self._starts:
            return None
        ripple = {axis: {"amplitude_m": float(a), "period_m": float(p)} for axis, a, p in zip(AXES, self.ripple_m, self.period_m, strict=True)}
        return {"late_s": self.late_s, "ripple": ripple, "count_m": COUNT_M, "noise_m": NOISE_M}


_FINER: Final = 16
"""Steps of the loop within a sample: a command that accelerates by a is then straight between them to a·(h/16)²/8, below a nanometre."""


class _Delayed:
    """A position loop of first order, exact for a command that is straight between its steps; keeps its state from activity to activity."""

    def __init__(self, at_m: float, lag_s: float) -> None:
        self._lag_s, self._command_m, self._behind_m = lag_s, at_m, 0.0

    def along(self, command_m: Floats) -> Floats:
        """Where the screw is at the last step of each sample, (n,); command : (n·`_FINER`,)."""
        from scipy.signal import lfilter

        if self._lag_s == 0:
            return command_m[_FINER - 1 :: _FINER]
        step_s = 1 / RATE_HZ / _FINER
        kept = math.exp(-step_s / self._lag_s)
        fed = np.diff(command_m, prepend=self._command_m) * (self._lag_s / step_s) * (1 - kept)
        behind_m, _ = lfilter([1.0], [1.0, -kept], fed, zi=[kept * self._behind_m])
        self._command_m, self._behind_m = float(command_m[-1]), float(behind_m[-1])
        return np.asarray((command_m - behind_m)[_FINER - 1 :: _FINER])
