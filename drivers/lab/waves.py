"""A smooth seeded function of one variable that never leaves a known bound: a sum of sinusoids.

Used over position (straightness, lead error) and over time (drift of a temperature), where it looks like a slow random walk but can be evaluated
anywhere without history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Channel


@dataclass(frozen=True, slots=True)
class Waves:
    """Σ a sin(2π x / p + φ).

    terms : (amplitude a, period p, phase φ in rad) each; amplitude in the unit of the value, period in the unit of x.
    """

    terms: tuple[tuple[float, float, float], ...]
    _angular: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, terms: Sequence[tuple[float, float, float]]) -> Waves:
        """The function with these (amplitude, period, phase)."""
        return cls(tuple(terms), tuple((amplitude, 2 * math.pi / period, phase) for amplitude, period, phase in terms))

    @classmethod
    def drawn(cls, channel: Channel, *, bound: float, periods: Sequence[float]) -> Waves:
        """Amplitudes that fall with the period (long waves are the large ones, as in a random walk), seeded phases and seeded periods near `periods`.

        Σ |a| = `bound`, so that the function stays within ±`bound` everywhere.
        """
        longest = max(periods)
        weights = [period / longest * (0.5 + channel.uniform(3 * k)) for k, period in enumerate(periods)]
        scale = bound / sum(weights)
        return cls.of([
            (scale * weight, period * (0.85 + 0.3 * channel.uniform(3 * k + 1)), 2 * math.pi * channel.uniform(3 * k + 2))
            for k, (weight, period) in enumerate(zip(weights, periods, strict=True))
        ])

    def __call__(self, x: float) -> float:
        """The value at `x`."""
        total = 0.0
        for amplitude, angular, phase in self._angular:
            total += amplitude * math.sin(angular * x + phase)
        return total

    def at(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values at `x`, (n,)."""
        total = np.zeros_like(x)
        for amplitude, angular, phase in self._angular:
            total += amplitude * np.sin(angular * x + phase)
        return total
