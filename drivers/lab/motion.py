"""Motion along a straight line with a trapezoidal speed profile."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    def travelled_at(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """`travelled_m` at many times, (n,)."""
        if self.distance_m == 0:
            return np.zeros_like(t_s)
        a, ramp_s = self.acceleration_m_per_s2, self.peak_m_per_s / self.acceleration_m_per_s2
        way = np.where(t_s > self.duration_s - ramp_s, self.distance_m - 0.5 * a * (self.duration_s - t_s) ** 2, self.peak_m_per_s * (t_s - 0.5 * ramp_s))
        way = np.where(t_s < ramp_s, 0.5 * a * t_s**2, way)
        return np.asarray(np.where(t_s <= 0, 0.0, np.where(t_s >= self.duration_s, self.distance_m, way)))
