"""Time interval error: how far phases (or positions) move within a window of τ, at most and in the mean square.

    TIE_i(τ) = x_{i+m} − x_i        TIE rms = √⟨TIE²⟩        MTIE = max over all windows of (largest − smallest x within m + 1 samples)

ITU-T G.810; W. J. Riley, NIST SP 1065 (2008), §5.2.15 to 5.2.17 (from memory). No mean is taken off.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from .arrays import Array
from .sampling import samples


def rms(phase: ArrayLike, *, samples_apart: int) -> float:
    """Root mean square of the moves over `samples_apart` samples, unit of the phase.

    >>> rms([0.0, 1.0, 2.0, 3.0], samples_apart=2)
    2.0
    """
    x = _checked(phase, samples_apart)
    moved = x[samples_apart:] - x[:-samples_apart]
    return math.sqrt(float(np.mean(moved * moved)))


def largest(phase: ArrayLike, *, samples_apart: int) -> float:
    """MTIE: largest peak-to-peak within any window of `samples_apart` + 1 samples, unit of the phase."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    x = _checked(phase, samples_apart)
    window = samples_apart + 1
    half = window // 2
    spans = maximum_filter1d(x, window) - minimum_filter1d(x, window)
    return float(spans[half : x.size - (window - 1 - half)].max())


def _checked(phase: ArrayLike, apart: int) -> Array:
    x = samples("phase", phase, fewest=2)
    if isinstance(apart, bool) or not 1 <= apart < x.size:
        raise DataError(f"samples_apart is {apart}; expected 1 … {x.size - 1}")
    return x
