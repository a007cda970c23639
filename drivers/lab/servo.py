"""What is left of a motion after the controller calls it finished: the loop creeps in and the structure rings.

    e(t) = −s [ a_c exp(−t/τ) + a_r exp(−ζ ω t) cos(ω_d t) ],  ω_d = ω √(1 − ζ²),

with s the direction of the motion and t the time since it ended. Means over an averaging window are the closed-form integral, not samples of it.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Residual of one axis after one motion; amplitudes are signed (negative after a positive motion: the axis arrives short)."""

    creep_m: float
    creep_time_s: float
    ringing_m: float
    ringing_hz: float
    damping_ratio: float

    def residual_m(self, t_s: float) -> float:
        """e(t), `t_s` ≥ 0 after the motion ended."""
        omega = 2 * math.pi * self.ringing_hz
        ringing = math.exp(-self.damping_ratio * omega * t_s) * math.cos(omega * math.sqrt(1 - self.damping_ratio**2) * t_s)
        return self.creep_m * math.exp(-t_s / self.creep_time_s) + self.ringing_m * ringing

    def mean_m(self, start_s: float, end_s: float) -> float:
        """Mean of e(t) from `start_s` to `end_s`, both ≥ 0 after the motion ended."""
        if end_s <= start_s:
            return self.residual_m(end_s)
        window_s = end_s - start_s
        creep = self.creep_time_s * (math.exp(-start_s / self.creep_time_s) - math.exp(-end_s / self.creep_time_s))
        omega = 2 * math.pi * self.ringing_hz
        # ∫ exp(−ζωt) cos(ω_d t) dt is the real part of ∫ exp(−pole t) dt.
        pole = complex(self.damping_ratio * omega, omega * math.sqrt(1 - self.damping_ratio**2))
        ringing = ((cmath.exp(-pole * start_s) - cmath.exp(-pole * end_s)) / pole).real
        return (self.creep_m * creep + self.ringing_m * ringing) / window_s


STILL = Settling(creep_m=0.0, creep_time_s=1.0, ringing_m=0.0, ringing_hz=1.0, damping_ratio=0.1)
"""Nothing left to settle."""
