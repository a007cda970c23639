"""Total, Thêo and parabolic deviations: what short records can still say about long averaging times.

    TOTDEV² = Σ_{i=2}^{N−1} (x*_{i−m} − 2 x*_i + x*_{i+m})²/(2 τ² (N − 2)),     x* the phases, mirrored through both their ends
    MTOTDEV, HTOTDEV    modified Allan and Hadamard deviations of each stretch of 3m samples, freed of its slope and reflected at both ends
    Thêo1²  = Σ_i Σ_{δ=0}^{m/2−1} [(x_i − x_{i−δ+m/2}) + (x_{i+m} − x_{i+δ+m/2})]²/(m/2 − δ)/(0.75 (N − m) m² τ₀²),     for τ = 0.75 m τ₀
    PDEV²   = 72/(m⁴ τ² (N − 2m)) Σ_i (Σ_{k=0}^{m−1} ((m − 1)/2 − k)(x_{i+k} − x_{i+k+m}))²

W. J. Riley, NIST SP 1065 (2008), §5.2.11 to 5.2.16; F. Vernotte et al., "The parabolic variance (PVAR)", IEEE Trans. UFFC 63 (2016) 611 (both from memory, checked
against the published suites). All are raw, without a correction of bias: SP 1065 prints MTOTDEV and TTOTDEV divided by √0.73, which is right for white rate noise only.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from .arrays import Array, positive
from .sampling import samples


def phases(values: ArrayLike, *, interval_s: float, data_type: Literal["rate", "phase"]) -> Array:
    """Phases of a record: rates summed up from 0 (n + 1 of them, their mean taken off, which changes no second difference), or the record itself."""
    x = samples("values", values, fewest=4)
    step = positive("interval_s", interval_s, "s")
    if data_type not in ("rate", "phase"):
        raise DataError(f"data_type is {data_type!r}; expected 'rate' or 'phase'")
    return x if data_type == "phase" else np.concatenate([[0.0], np.cumsum(x - x.mean())]) * step


def total_deviation(values: ArrayLike, *, interval_s: float, samples_averaged: int, data_type: Literal["rate", "phase"]) -> float:
    """TOTDEV at τ = m·interval, m up to N − 1. Unit of the values (rates) or of them per second (phases). DataError for other m."""
    x = phases(values, interval_s=interval_s, data_type=data_type)
    n, m = x.size, _averaged(samples_averaged, x.size - 1)
    mirrored = np.concatenate([2 * x[0] - x[1:-1][::-1], x, 2 * x[-1] - x[1:-1][::-1]])
    first = n - 2  # place of x[0]
    middle = np.arange(first + 1, first + n - 1)
    second = mirrored[middle - m] - 2 * mirrored[middle] + mirrored[middle + m]
    return math.sqrt(float(second @ second) / (2 * (m * interval_s) ** 2 * (n - 2)))


def parabolic_deviation(values: ArrayLike, *, interval_s: float, samples_averaged: int, data_type: Literal["rate", "phase"]) -> float:
    """PDEV at τ = m·interval, m up to (N − 1)/2: the difference of the slopes of two neighbouring lines by least squares. For m = 1 it is ADEV."""
    from scipy.signal import fftconvolve

    x = phases(values, interval_s=interval_s, data_type=data_type)
    n, m = x.size, _averaged(samples_averaged, (x.size - 1) // 2)
    tau = m * interval_s
    if m == 1:
        second = x[2:] - 2 * x[1:-1] + x[:-2]
        return math.sqrt(float(second @ second) / (2 * tau**2 * (n - 2)))
    ramp = (m - 1) / 2 - np.arange(m)
    weights = np.concatenate([ramp, -ramp])
    sums = fftconvolve(x - x.mean(), weights[::-1], mode="valid")[: n - 2 * m]
    return math.sqrt(72 * float(sums @ sums) / (m**4 * tau**2 * sums.size))


def modified_total_deviation(values: ArrayLike, *, interval_s: float, samples_averaged: int, data_type: Literal["rate", "phase"]) -> float:
    """MTOTDEV at τ = m·interval, m up to N/3. Every start is worked out: some N·m operations."""
    x = phases(values, interval_s=interval_s, data_type=data_type)
    m = _averaged(samples_averaged, x.size // 3)
    return math.sqrt(_reflected(x, m) / 2) / (m * interval_s)


def time_total_deviation(values: ArrayLike, *, interval_s: float, samples_averaged: int, data_type: Literal["rate", "phase"]) -> float:
    """TTOTDEV = τ MTOTDEV/√3."""
    modified = modified_total_deviation(values, interval_s=interval_s, samples_averaged=samples_averaged, data_type=data_type)
    return samples_averaged * interval_s * modified / math.sqrt(3)


def hadamard_total_deviation(rates: ArrayLike, *, samples_averaged: int) -> float:
    """HTOTDEV of rates averaged over m samples, 2 ≤ m ≤ n/3; blind to a drift of the rate. For m = 1 it is the Hadamard deviation."""
    y = samples("rates", rates, fewest=6)
    m = _averaged(samples_averaged, y.size // 3)
    if m == 1:
        third = np.diff(y, n=2)
        return math.sqrt(float(third @ third) / (6 * third.size))
    return math.sqrt(_reflected(y, m) / 6)


def theo1(values: ArrayLike, *, interval_s: float, samples_apart: int, data_type: Literal["rate", "phase"]) -> tuple[float, float]:
    """τ = 0.75 m·interval and Thêo1 there, m even, 10 ≤ m ≤ N − 1: it reaches to three quarters of the record."""
    x = phases(values, interval_s=interval_s, data_type=data_type)
    n, m = x.size, _averaged(samples_apart, x.size - 1)
    if m % 2 or m < 10:
        raise DataError(f"samples_apart is {m}; an even number of at least 10 is expected")
    half, total = m // 2, 0.0
    for d in range(half):
        part = (x[: n - m] - x[half - d : half - d + n - m]) + (x[m:] - x[half + d : half + d + n - m])
        total += float(part @ part) / (half - d)
    return 0.75 * m * interval_s, math.sqrt(total / (0.75 * (n - m) * m * m)) / interval_s


def _reflected(x: Array, m: int) -> float:
    """Mean square of the second differences of averages over m, in each stretch of 3m samples without its slope, reflected at both ends."""
    half = 3 * m // 2
    line = np.arange(3 * m)
    total = 0.0
    for start in range(x.size - 3 * m + 1):
        part = x[start : start + 3 * m]
        level = part - (part[-half:].mean() - part[:half].mean()) / (3 * m - half) * line
        sums = np.concatenate([[0.0], np.cumsum(np.concatenate([level[::-1], level, level[::-1]]))])
        average = (sums[m:] - sums[:-m]) / m
        second = (average[2 * m :] - 2 * average[m:-m] + average[: -2 * m])[: 6 * m]
        total += float(second @ second) / second.size
    return total / (x.size - 3 * m + 1)


def _averaged(m: int, most: int) -> int:
    if isinstance(m, bool) or not 1 <= m <= most:
        raise DataError(f"samples_averaged is {m}; expected 1 … {most} for this record")
    return m
