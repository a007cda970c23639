"""Lengths at temperatures other than 20 °C, the reference temperature of ISO 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..units import REFERENCE_TEMPERATURE_K

EXPANSION_PER_K = {
    "steel": 11.7e-6,
    "glass scale": 8e-6,
    "aluminium": 23.1e-6,
    "granite": 6e-6,
    "zerodur": 0.0,
}
"""Usual linear expansion coefficients α in 1/K, from memory of handbooks: starting values, not a certificate (steel varies by ±1e-6)."""


def length_at_20_c(length_m: ArrayLike, /, *, expansion_per_k: ArrayLike, temperature_k: ArrayLike) -> NDArray[np.float64]:
    """Length L20 that a body has at 20 °C, from its length L at its own temperature T: **L20 = L·[1 − α·(T − 293.15 K)]**.

    Positive α and a body warmer than 20 °C: L20 < L. This is the first-order form in which standards define the correction (nominal differential
    expansion, NDE); the exact inverse L/(1 + α·ΔT) differs by L·(α·ΔT)² (1.4e-8·L for steel at 30 °C).

    Parameters
    ----------
    length_m : (...) float, m; signed: a position relative to the point that does not move with temperature
    expansion_per_k : (...) float, 1/K, |α| ≤ 1e-3
    temperature_k : (...) float, K, 200 … 500

    Returns
    -------
    (...) float64, m (0-d for scalars).

    Raises
    ------
    ValueError      temperature or coefficient outside its range: most often °C or µm/m/K instead of SI

    >>> round(float(1 - length_at_20_c(1.0, expansion_per_k=11.7e-6, temperature_k=294.15)), 9)
    1.17e-05
    """
    length = np.asarray(length_m, dtype=np.float64)
    expansion = np.asarray(expansion_per_k, dtype=np.float64)
    temperature = np.asarray(temperature_k, dtype=np.float64)
    if not np.all(np.isfinite(length)):
        raise ValueError(f"length_m (shape {length.shape}) has a value that is not finite")
    if not np.all(np.abs(expansion) <= 1e-3):
        raise ValueError(f"expansion_per_k is {expansion}; expected 1/K, at most 1e-3 in size (steel is 11.7e-6)")
    if not np.all((temperature >= 200.0) & (temperature <= 500.0)):
        raise ValueError(f"temperature_k is {temperature}; expected K, 200 … 500 (20 °C is 293.15 K)")
    return np.asarray(length * (1 - expansion * (temperature - REFERENCE_TEMPERATURE_K)))
