"""The tool point while the machine moves, sampled on a grid of lab time: servo lag, play, friction at reversals, screw, guideways, exact transforms.

What the controller commands reaches the screw through a first-order loop with the time constant τ = 1/K_v of its axis; the loop's answer is exact for a
command that is straight between two samples (off by h²·a/8 for an acceleration a: 2 nm at 1 kHz on a circle of 150 mm at 3000 mm/min). The carriage follows
through the play between screw and nut. Where it begins to move the other way, friction holds it for a moment beyond what the loop knows:

    spike(t) = −s h (t/T) exp(1 − t/T),    s the new direction, t since the play is taken up, h and T of the axis

so that on a circle it stands outside. Everything else is as at standstill (`machine.Machine.point_m`), with the error of the last stop. Samples follow from the machine's activities alone: it matters to nothing when anybody asks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from precision.units import REFERENCE_TEMPERATURE_K

from .axis import Axis
from .clock import NS_PER_S
from .kinematics import Vector, tool_points
from .machine import Activity, Carriages, Machine
from .workshop import Workshop

Floats = NDArray[np.float64]


class Trajectory:
    """Samples of the tool point from lab time `start_ns` on, every 1/`rate_hz`; begun while the machine stands still."""

    def __init__(self, machine: Machine, workshop: Workshop, *, start_ns: int, rate_hz: float) -> None:
        self._machine, self._workshop = machine, workshop
        self._start_ns, self._rate_hz = start_ns, rate_hz
        self._next = 0
        self._followers = [_Follower(axis, carriage.commanded_m, carriage.load_m, carriage.direction, 1 / rate_hz)
                           for axis, carriage in zip(machine.axes, machine.carriages, strict=True)]  # fmt: skip

    @property
    def next_sample(self) -> int:
        """Number of the sample that comes next."""
        return self._next

    def time_ns(self, sample: int) -> int:
        """Lab time of a sample."""
        return self._start_ns + round(sample * NS_PER_S / self._rate_hz)

    def points_m(self, activity: Activity, before: Carriages, tool_m: Vector) -> Floats:
        """Where the tool point was in the workpiece's frame at the samples that fall into an activity that has ended: (n, 3)."""
        return self.positions_m(activity, before, tool_m)[2]

    def positions_m(self, activity: Activity, before: Carriages, tool_m: Vector) -> tuple[Floats, Floats, Floats]:
        """Command, screw (where the motor's encoder sees it) and tool point at the samples that fall into an activity that has ended: (n, 3) each."""
        end_ns = activity.start_ns + activity.duration_ns
        last = math.floor((end_ns - self._start_ns) * self._rate_hz / NS_PER_S)
        samples = np.arange(self._next, last + 1)
        self._next = max(self._next, last + 1)
        if not samples.size:
            nothing = np.empty((0, 3))
            return nothing, nothing, nothing
        t_ns = self._start_ns + np.round(samples * (NS_PER_S / self._rate_hz)).astype(np.int64)
        command_m = commanded(activity, t_ns)
        machine, p = self._machine, self._machine.parameters
        screws, positions, errors = [], [], []
        for index, (axis, follower) in enumerate(zip(machine.axes, self._followers, strict=True)):
            screw_m, load_m, spike_m = follower.along(command_m[:, index])
            carriage = before[index]
            first_k, last_k = (machine.screw_temperature_k(axis, carriage, int(t)) - REFERENCE_TEMPERATURE_K for t in (t_ns[0], t_ns[-1]))
            warm_k = first_k + (last_k - first_k) * np.linspace(0.0, 1.0, t_ns.size)
            along_m = axis.lead_errors_m(load_m) + carriage.zero_m + carriage.scatter_m + spike_m
            along_m = along_m + p.expansion_per_k * warm_k * (load_m - axis.parameters.lowest_m)
            errors.append(axis.guideways(load_m, along_m))
            screws.append(screw_m)
            positions.append(load_m)
        point_m = tool_points(np.stack(positions, axis=-1), errors, tool_m, machine.directions) + self._workshop.structures_m(t_ns)
        return command_m, np.stack(screws, axis=-1), point_m


class _Follower:
    """One axis behind its loop: the screw, and the carriage in its play. Keeps its state from sample to sample."""

    def __init__(self, axis: Axis, screw_m: float, load_m: float, direction: int, step_s: float) -> None:
        self._axis, self._step_s = axis, step_s
        self._command_m = self._screw_m = screw_m
        self._load_m = load_m
        self._direction = direction
        self._since_s = math.inf

    def along(self, command_m: Floats) -> tuple[Floats, Floats, Floats]:
        """Screw, carriage and spike at samples of the command, (n,) m each."""
        screw_m = self._screw(command_m)
        half_m = 0.5 * self._axis.backlashes_m(screw_m)
        load_m, load = np.empty_like(screw_m), self._load_m
        for k, (screw, half) in enumerate(zip(screw_m.tolist(), half_m.tolist(), strict=True)):
            load = max(screw - half, min(screw + half, load))
            load_m[k] = load
        spike_m = self._spikes(load_m)
        self._load_m, self._screw_m, self._command_m = load, float(screw_m[-1]), float(command_m[-1])
        return screw_m, load_m, spike_m

    def _screw(self, command_m: Floats) -> Floats:
        """First-order loop, exact for a command that is straight between samples."""
        tau, step = self._axis.parameters.servo_lag_s, self._step_s
        if tau == 0:
            return command_m
        kept = math.exp(-step / tau)
        before_m = np.concatenate([[self._command_m], command_m[:-1]])
        # Of a ramp the screw is τ·speed behind: the lag e = u − y obeys e' = −e/τ + u'.
        fed = (command_m - before_m) * (tau / step) * (1 - kept)
        lag, lags = self._command_m - self._screw_m, np.empty_like(command_m)
        for k, more in enumerate(fed.tolist()):
            lag = kept * lag + more
            lags[k] = lag
        return command_m - lags

    def _spikes(self, load_m: Floats) -> Floats:
        """What friction adds after each reversal of the carriage."""
        p, step = self._axis.parameters, self._step_s
        moved = np.diff(load_m, prepend=self._load_m)
        # Below a picometre a sample the axis stands: the tail of the loop's answer is no motion.
        signs = np.where(np.abs(moved) < 1e-12, 0, np.sign(moved)).astype(np.int64)
        held, time_s = self._direction, self._since_s
        since, direction = np.empty(load_m.size), np.empty(load_m.size)
        for k, sign in enumerate(signs.tolist()):
            time_s += step
            if sign and sign != held:
                time_s = 0.0 if held else math.inf
                held = sign
            since[k], direction[k] = time_s, held
        self._direction, self._since_s = held, time_s
        ratio = np.minimum(since / p.spike_time_s, 60.0)
        return np.asarray(-direction * p.spike_m * ratio * np.exp(1 - ratio))


def commanded(activity: Activity, t_ns: NDArray[np.int64]) -> Floats:
    """Commanded position at lab times, (n, 3) m."""
    if activity.profile.distance_m == 0:
        return np.tile(np.array(activity.start_m), (t_ns.size, 1))
    share = activity.profile.travelled_at((t_ns - activity.start_ns) / NS_PER_S) / activity.profile.distance_m
    start, end = np.array(activity.start_m), np.array(activity.end_m)
    arc = activity.arc
    if arc is None:
        return np.asarray(start + share[:, None] * (end - start))
    at = np.tile(start, (t_ns.size, 1))
    angle = arc.start_rad + share * arc.sweep_rad
    at[:, arc.axes[0]] = arc.centre_m[0] + arc.radius_m * np.cos(angle)
    at[:, arc.axes[1]] = arc.centre_m[1] + arc.radius_m * np.sin(angle)
    return at
