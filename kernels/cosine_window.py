"""Windows for spectra, as sums of cosines."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

Array = Any

WINDOWS: dict[str, tuple[float, ...]] = {
    "rectangular": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman-harris": (0.35875, 0.48829, 0.14128, 0.01168),
    "hft70": (1.0, 1.90796, 1.07349, 0.18199),
    "hft95": (1.0, 1.9383379, 1.3045202, 0.4028270, 0.0350665),
    "hft116d": (1.0, 1.9575375, 1.4780705, 0.6367431, 0.1228389, 0.0066288),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
"""Windows as sums of cosines, w_j = Σ (−1)^k a_k cos(2πkj/N), periodic. "hft…" and "flattop" show the height of a line wherever
it lies between two frequencies (Heinzel et al. 2002, appendix C; "flattop" as in SciPy)."""


def cosine_window(name: str, n: int, like: Array, *, xp: Any) -> Array:
    """The window `name` of `WINDOWS`, (n,) float64, on the device of `like`."""
    j = xp.arange(n, dtype=xp.float64, device=device(like))
    w = xp.zeros_like(j)
    for k, a in enumerate(WINDOWS[name]):
        w = w + (-1) ** k * a * xp.cos((2 * math.pi * k / n) * j)
    return w
