"""Motion along a straight line with a trapezoidal speed profile."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trapezoid:
    """Speed up, cruise, slow down; a triangle where the way is too short to reach the feed."""

    distance_m: float
    peak_m_per_s: float
    acceleration_m_per_s2: float
    duration_s: float

    @classmethod
    def over(cls, distance_m: float, *, feed_m_per_s: float, acceleration_m_per_s2: float) -> Trapezoid:
        """The quickest profile over `distance_m` ≥ 0 within this feed and acceleration."""
        if distance_m == 0:
            return cls(distance_m=0.0, peak_m_per_s=0.0, acceleration_m_per_s2=acceleration_m_per_s2, duration_s=0.0)
        peak = min(feed_m_per_s, math.sqrt(distance_m * acceleration_m_per_s2))
        duration = distance_m / peak + peak / acceleration_m_per_s2
        return cls(distance_m=distance_m, peak_m_per_s=peak, acceleration_m_per_s2=acceleration_m_per_s2, duration_s=duration)

    def travelled_m(self, t_s: float) -> float:
        """Way covered `t_s` after the start."""
        if t_s <= 0:
            return 0.0
        if t_s >= self.duration_s:
            return self.distance_m
        ramp_s = self.peak_m_per_s / self.acceleration_m_per_s2
        if t_s < ramp_s:
            return 0.5 * self.acceleration_m_per_s2 * t_s**2
        if t_s > self.duration_s - ramp_s:
            return self.distance_m - 0.5 * self.acceleration_m_per_s2 * (self.duration_s - t_s) ** 2
        return self.peak_m_per_s * (t_s - 0.5 * ramp_s)
