"""Mean, standard deviation, largest size and an upper quantile of numbers that come in pieces, as if they had come at once."""

from __future__ import annotations

import math

import numpy as np

from .arrays import Array


class Distribution:
    """Statistics of `total` numbers, announced beforehand: only the share above the quantile is held.

    mean, std : divisor n. largest : largest |value|. quantile_value : of |value|, linear between neighbours as `numpy.quantile`.
    """

    def __init__(self, *, total: int, quantile: float) -> None:
        if total < 1 or not 0 <= quantile <= 1:
            raise ValueError(f"total is {total}, quantile is {quantile}; expected at least one number and a quantile in 0 … 1")
        self._place = quantile * (total - 1)
        self._keep = total - math.floor(self._place)
        self._top: list[Array] = []
        self._held = 0
        self.total = total
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, values: Array) -> None:
        """Take in (n,) numbers."""
        n = values.size
        if n == 0:
            return
        if self.count + n > self.total:
            raise ValueError(f"{self.count + n} numbers, but {self.total} were announced")
        mean = float(values.mean())
        shift = mean - self.mean
        self._squares += float(((values - mean) ** 2).sum()) + shift**2 * self.count * n / (self.count + n)
        self.mean += shift * n / (self.count + n)
        self.count += n
        size = np.abs(values)
        self._top.append(size)
        self._held += n
        if self._held > 2 * self._keep + 8192:
            self._thin()

    @property
    def std(self) -> float:
        """√(Σ(x − x̄)²/n)"""
        return math.sqrt(self._squares / self.count)

    @property
    def largest(self) -> float:
        """Largest |value|."""
        return float(max(part.max() for part in self._top))

    @property
    def quantile_value(self) -> float:
        """The quantile of |value|; of what has come, where fewer came than were announced."""
        self._thin()
        top = np.sort(self._top[0])
        low = math.floor(self._place)
        first = self.count - top.size
        here = max(0, min(low - first, top.size - 1))
        after = min(here + 1, top.size - 1)
        return float(top[here] + (self._place - low) * (top[after] - top[here]))

    def _thin(self) -> None:
        joined = np.concatenate(self._top)
        if joined.size > self._keep:
            joined = np.partition(joined, joined.size - self._keep)[joined.size - self._keep :]
        self._top, self._held = [joined.copy()], joined.size
