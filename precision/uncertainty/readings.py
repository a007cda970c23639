"""Expanded uncertainty of figures that are computed from many readings of one gauge: a range, an extreme, a mean.

Reading − truth is modelled as e_k = g_k + v_k: g bounded (calibration of the gauge, drift, rounding to its step), v independent normal noise. The measurand
is the figure computed from the *true* values of the same places, so the triangle inequality covers the error whatever they are:

    range of residuals      |Δ| ≤ c_g·range(g) + 2·c_v·max|v|
    extreme                 |Δ| ≤ max|g| + max|v|
    mean                    normal combination: √(U_device² + (2σ/√n)² + drift²/3 + r²/3)

c_g and c_v say how much the reference line or circle, which moves with the errors, adds. For a minimum zone c = 1: its value is the least of all ranges.
For a line or circle that is fitted they are worst cases, worked out where they are used. The largest of N |normal values| is taken at the probability of
k = 2 (95.45 %). These bounds are safe and not narrow. The same approach as in `precision.uncertainty.positioning`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .positioning import PROBABILITY

CIRCLE_GAIN: Final = 1 + 4 / math.pi
"""c_g of a least-squares circle over a full turn: errors within ±w/2 have a fundamental of at most 4/π·w/2, which is taken off."""
END_POINT_GAIN: Final = 2.0
"""c_g of a line through the end points: it rises by at most range(g)."""
LINE_GAIN: Final = 2.5
"""c_g of a least-squares line through many equally spaced points: it rises by at most 1.5·range(g) over the length, for errors that step in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What is known about the readings of one gauge during one test; all in the unit of the readings (m or rad).

    device : expanded uncertainty (k = 2) of the difference between any two readings, from the gauge's calibration.
    noise : standard deviation of one reading, independent from reading to reading.
    drift_range : E_VE, range of the reading on an unmoving object over the time of the test.
    resolution : step of the display or of the digital output.
    """

    device: float
    noise: float
    drift_range: float = 0.0
    resolution: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{field.name} is {value}; expected a finite number, zero or more, in the unit of the readings")

    def of_range(self, count: int, *, bounded: float = 1.0, random: float = 1.0) -> float:
        """U of largest − smallest of `count` residuals; `bounded` is c_g, `random` is c_v."""
        return bounded * (self.device + self.drift_range + self.resolution) + 2 * random * largest_normal(count) * self.noise

    def of_extreme(self, count: int) -> float:
        """U of the largest (or smallest) of `count` readings."""
        return self.device + self.drift_range + self.resolution / 2 + largest_normal(count) * self.noise

    def of_mean(self, count: int) -> float:
        """U of the mean of `count` readings."""
        return math.hypot(self.device, 2 * self.noise / math.sqrt(count), self.drift_range / math.sqrt(3), self.resolution / math.sqrt(3))

    def of_slope(self, position: NDArray[np.float64]) -> float:
        """U of the slope of a least-squares line through points at `position`, (n,)."""
        squares = float(((position - position.mean()) ** 2).sum())
        return largest_slope(position) * (self.device + self.drift_range + self.resolution) + 2 * self.noise / math.sqrt(squares)


def largest_slope(position: NDArray[np.float64]) -> float:
    """Slope of a least-squares line through errors within ±½ at worst: Σ|x − x̄| / (2·Σ(x − x̄)²); 1.5/length for many equally spaced points."""
    centred = position - position.mean()
    return float(abs(centred).sum() / (2 * (centred**2).sum()))


def line_gain(position: NDArray[np.float64]) -> float:
    """c_g of a least-squares line through points at `position`, (n,): 1 + its largest rise over the length."""
    return 1 + largest_slope(position) * float(position.max() - position.min())


def largest_normal(count: int) -> float:
    """z_N: quantile, at the probability of k = 2, of the largest of N independent |standard normal| values; 2 for N = 1."""
    return NormalDist().inv_cdf((1 + PROBABILITY ** (1 / count)) / 2)
