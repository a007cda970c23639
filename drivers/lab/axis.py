"""One axis of the machine: from where the controller believes it is to where its carriage is.

A motor turns a ball screw and its encoder sits on the motor (semi-closed loop), so lead error, backlash and the growth of the screw all reach the
carriage. Backlash is a play of width b between screw and nut: the carriage stays where it is until the screw has taken up the play, so after a
positive motion it stands b/2 behind and after a negative one b/2 ahead. Hence, with deviation = actual − target,

    deviation ↑ − deviation ↓ = −b        (the reversal error B of ISO 230-2 is −b).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .kinematics import SixErrors
from .noise import Channel
from .parameters import AxisParameters
from .servo import STILL, Settling
from .waves import Waves


class Axis:
    """Screw and guideway of one axis; its errors are seeded functions of position."""

    def __init__(self, name: str, parameters: AxisParameters, seed: int) -> None:
        self.name = name
        self.parameters = p = parameters
        travel_m = p.highest_m - p.lowest_m

        def waves(what: str, bound: float, fractions: tuple[float, ...]) -> Waves:
            return Waves.drawn(Channel(seed, f"{name}/{what}"), bound=bound, periods=[travel_m * fraction for fraction in fractions])

        bow = (2.0, 1.0, 0.45)
        self.lead = waves("lead", p.lead_wander_m, (1.3, 0.7, 0.37, 0.21, 0.11))
        self.play_along = waves("backlash", p.backlash_variation, (1.6, 0.6))
        letters = [axis for axis in "XYZ" if axis != name]
        self.straightness = {letter: waves(f"E_{letter}{name}", p.straightness_m, bow) for letter in letters}
        self.angles = tuple(waves(f"E_{letter}{name}", p.angle_rad, bow) for letter in "ABC")
        turn, scale = (2 * math.pi * Channel(seed, f"{name}/{what}").uniform(0) for what in ("cyclic", "scale"))
        self.periodic = Waves.of([(p.cyclic_m, p.pitch_m, turn), (0.2 * p.cyclic_m, p.pitch_m / 2, 2 * turn), (p.scale_error_m, p.scale_period_m, scale)])
        self._scatter = Channel(seed, f"{name}/scatter")
        self._home_scatter = Channel(seed, f"{name}/home")

    def lead_error_m(self, position_m: float) -> float:
        """Cumulative and periodic error of screw and scale at 20 °C."""
        p = self.parameters
        return p.lead_slope * (position_m - p.lowest_m) + self.lead(position_m) + self.periodic(position_m)

    def backlash_m(self, position_m: float) -> float:
        """Width of the play between screw and nut."""
        return self.parameters.backlash_m * (1 + self.play_along(position_m))

    def lead_errors_m(self, position_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """`lead_error_m` of many positions, (n,)."""
        p = self.parameters
        return p.lead_slope * (position_m - p.lowest_m) + self.lead.at(position_m) + self.periodic.at(position_m)

    def backlashes_m(self, position_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """`backlash_m` of many positions, (n,)."""
        return self.parameters.backlash_m * (1 + self.play_along.at(position_m))

    def guideways(self, position_m: NDArray[np.float64], along_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """`guideway` of many positions: (n, 6), translations along X, Y, Z, then rotations about them."""
        columns = [along_m if letter == self.name else self.straightness[letter].at(position_m) for letter in "XYZ"]
        return np.stack([*columns, *(wave.at(position_m) for wave in self.angles)], axis=-1)

    def carried(self, load_m: float, commanded_m: float) -> float:
        """Where the carriage ends after the screw moved straight to `commanded_m`, from `load_m` (play operator)."""
        half = 0.5 * self.backlash_m(commanded_m)
        return max(commanded_m - half, min(commanded_m + half, load_m))

    def growth_m(self, position_m: float, above_reference_k: float, expansion_per_k: float) -> float:
        """Growth of the screw between its fixed bearing (at the lowest coordinate) and the nut; warmer is further in the positive direction."""
        return expansion_per_k * above_reference_k * (position_m - self.parameters.lowest_m)

    def guideway(self, position_m: float, along_m: float) -> SixErrors:
        """The six errors with the carriage at `position_m`; `along_m` is its positioning error."""
        straight = {letter: wave(position_m) for letter, wave in self.straightness.items()}
        straight[self.name] = along_m
        a, b, c = (wave(position_m) for wave in self.angles)
        return SixErrors(straight["X"], straight["Y"], straight["Z"], a, b, c)

    def scatter_m(self, t_ns: int) -> float:
        """Random part of where a motion that ends at `t_ns` stops."""
        return self.parameters.scatter_m * self._scatter.normal(t_ns)

    def home_scatter_m(self, t_ns: int) -> float:
        """Random part of where referencing at `t_ns` puts the machine's zero."""
        return self.parameters.home_scatter_m * self._home_scatter.normal(t_ns)

    def settling(self, direction: int, peak_m_per_s: float) -> Settling:
        """What a motion in `direction` leaves to settle; nothing if the axis did not move."""
        p = self.parameters
        if direction == 0:
            return STILL
        share = -direction * min(1.0, peak_m_per_s / p.settling_feed_m_per_s)
        return Settling(creep_m=share * p.creep_m, creep_time_s=p.creep_time_s, ringing_m=share * p.ringing_m, ringing_hz=p.ringing_hz,
                        damping_ratio=p.damping_ratio)
