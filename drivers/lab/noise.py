"""Noise that is a pure function of (seed, channel, lab time): asking more often, or in another order, changes nothing.

A channel's key is a hash of the seed and the channel's name; the lab time is the counter of a Philox 4×64 generator (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"), so that a value at any time costs one block of it and needs no history.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

_STANDARD = NormalDist()
_RESOLUTION = 2.0**-53
"""A uniform number uses the 53 highest bits of a 64-bit word: all that a float64 in (0, 1) can hold evenly."""


class Channel:
    """One named source of independent noise.

    >>> a = Channel(7, "interferometer/X")
    >>> a.normal(1_000) == Channel(7, "interferometer/X").normal(1_000) != Channel(8, "interferometer/X").normal(1_000)
    True
    """

    __slots__ = ("_key", "name")

    def __init__(self, seed: int, name: str) -> None:
        self.name = name
        self._key = np.frombuffer(blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest(), dtype="<u8")

    def uniform(self, t_ns: int) -> float:
        """Uniform on the open interval (0, 1), at lab time `t_ns` ≥ 0."""
        word = int(Philox(key=self._key, counter=t_ns).random_raw())
        return ((word >> 11) + 0.5) * _RESOLUTION

    def normal(self, t_ns: int) -> float:
        """Standard normal deviate at lab time `t_ns`, by the inverse of the distribution function (Wichura 1988, AS 241)."""
        return _STANDARD.inv_cdf(self.uniform(t_ns))

    def normals(self, first: int, count: int) -> NDArray[np.float64]:
        """Standard normal deviates number `first` … `first + count − 1` of a stream of samples: (count,), whatever pieces it is asked for in.

        Four deviates come from one block of Philox, so these are other values than those of `normal`.
        """
        from scipy.special import ndtri

        block, skipped = divmod(first, 4)
        words = Philox(key=self._key, counter=block).random_raw(count + skipped)[skipped:]
        return np.asarray(ndtri(((words >> np.uint64(11)).astype(np.float64) + 0.5) * _RESOLUTION))

    def within(self, half_range: float, t_ns: int = 0) -> float:
        """Uniform in ±`half_range`: a value that is known only by its range, drawn once."""
        return half_range * (2 * self.uniform(t_ns) - 1)

    def averaged(self, sigma: float, correlation_s: float, window_s: float, t_ns: int) -> float:
        """Mean over the `window_s` that ends at `t_ns` of noise with standard deviation `sigma` and correlation time `correlation_s`.

        White beyond the correlation time, so the mean has standard deviation σ/√(window/τ) for window ≥ τ and σ below it. Means over windows that
        overlap without ending at the same time are drawn independently.
        """
        return sigma * math.sqrt(correlation_s / max(window_s, correlation_s)) * self.normal(t_ns)
