"""The lab's ball bar: a telescoping bar between a ball on the table and one in the spindle that streams how much longer it is than its certificate says.

    reading(t) = |p(t) − b| − (L + ΔL) + linearity + noise, rounded to the resolution,

p the true tool point while the machine moves (`trajectory`), b the table ball, L the certificate's length and ΔL what it is wrong by. The table ball stands
where the tool point was when it was set, but for the hand that set it. Beyond its travel the sensor shows its end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .kinematics import Vector
from .machine import Activity, Carriages, Machine, Stop
from .machine_stream import RATE_HZ, Floats, MachineStream
from .noise import Channel
from .parameters import AXES, Parameters
from .trajectory import Trajectory
from .workshop import Workshop

LENGTHS_M: Final = (0.02, 1.0)
"""The shortest and the longest bar there is."""
PUBLISHED_EVERY: Final = 10
"""One true deviation in so many samples stands in the truth."""
_LINEARITY_PERIOD_M: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """A bar that hangs between its balls. centre_m : machine coordinates where the table ball was set. length_m : of the certificate."""

    centre_m: Vector
    length_m: float
    number: int
    ball_m: Vector | None = None


class BallBar(MachineStream):
    """One bar and its one listener. `mount` is what the hand of an operator does."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        super().__init__(machine, workshop, identity="precision virtual ball bar, 1 kHz", channels=("extension",))
        self._parameters, self._seed = parameters, seed
        self._set_up: SetUp | None = None
        self._runs: list[dict[str, Any]] = []
        self._linearity = 2 * math.pi * Channel(seed, "ball bar/linearity").uniform(0)

    def mount(self, centre_m: Mapping[str, float], length_m: float) -> None:
        """Put the table ball where the tool ball is with the machine at `centre_m`, and hang in a bar of `length_m`.

        Raises
        ------
        ValueError      not all axes, or a length that no bar has
        """
        if set(centre_m) != set(AXES) or not all(isinstance(value, int | float) and math.isfinite(value) for value in centre_m.values()):
            raise ValueError(f"centre_m is {dict(centre_m)!r}; a finite position in m for each of {', '.join(AXES)} is expected")
        if not isinstance(length_m, int | float) or not LENGTHS_M[0] <= length_m <= LENGTHS_M[1]:
            raise ValueError(f"length_m is {length_m!r}; {LENGTHS_M[0]:g} … {LENGTHS_M[1]:g} m is expected")
        number = 1 if self._set_up is None else self._set_up.number + 1
        self._set_up = SetUp(centre_m=(centre_m["X"], centre_m["Y"], centre_m["Z"]), length_m=float(length_m), number=number)
        self._trajectory = None

    def _begin(self) -> None:
        if self._set_up is None:
            raise ValueError("no bar hangs between its balls; set it up first")
        if self._set_up.ball_m is None:
            self._set_up = replace(self._set_up, ball_m=self._set_down(self._set_up))
        self._runs.append({"set_up": self._set_up.number, "start_ns": self._machine.now_ns, "true_deviation_m": []})

    def _set_down(self, set_up: SetUp) -> Vector:
        """The table ball: the tool point at the centre without play, and an offset of the hand."""
        machine, half = self._machine, self._parameters.bounds.ball_bar_set_up_range_m / 2
        x, y, z = (replace(carriage, commanded_m=at, load_m=at) for carriage, at in zip(machine.carriages, set_up.centre_m, strict=True))
        at_m = machine.point_m(Stop(carriages=(x, y, z), settled_m=(0.0, 0.0, 0.0), t_ns=machine.now_ns), self._parameters.tool_m)
        hand = [Channel(self._seed, f"ball bar/set-up {set_up.number}/{axis}").within(half) for axis in AXES]
        return (at_m[0] + hand[0], at_m[1] + hand[1], at_m[2] + hand[2])

    def _sampled(self, trajectory: Trajectory, activity: Activity, before: Carriages, first: int) -> Floats:
        points = trajectory.points_m(activity, before, self._parameters.tool_m)
        if self._set_up is None or self._set_up.ball_m is None:
            return np.empty((0, 1))
        true_m = np.linalg.norm(points - np.array(self._set_up.ball_m), axis=-1) - self._set_up.length_m
        every = np.arange(first, first + true_m.size) % PUBLISHED_EVERY == 0
        self._runs[-1]["true_deviation_m"] += true_m[every].tolist()
        return self._seen(true_m, first)[:, None]

    def _seen(self, true_m: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        p, bounds = self._parameters, self._parameters.bounds
        noise = Channel(self._seed, f"ball bar/noise/{len(self._runs)}").normals(first, true_m.size)
        extension_m = true_m - p.ball_bar_length_error_m
        linearity_m = bounds.ball_bar_linearity_range_m / 2 * np.sin(2 * math.pi * extension_m / _LINEARITY_PERIOD_M + self._linearity)
        shown = np.round((extension_m + linearity_m + p.ball_bar_noise_m * noise) / bounds.ball_bar_resolution_m) * bounds.ball_bar_resolution_m
        return np.asarray(np.clip(shown, -p.ball_bar_travel_m, p.ball_bar_travel_m))

    def truth(self) -> dict[str, Any] | None:
        """Set-up and true deviations (|p − b| − certificate's length) of each run, every `PUBLISHED_EVERY` samples; None before the first run."""
        if not self._runs:
            return None
        set_up = self._set_up
        return {
            "rate_hz": RATE_HZ / PUBLISHED_EVERY,
            "length_m": None if set_up is None else set_up.length_m,
            "ball_m": None if set_up is None else set_up.ball_m,
            "runs": self._runs,
        }
