"""Covariance of linear least-squares estimates whose residuals are correlated from sample to sample.

The textbook covariance s²·(JᵀJ)⁻¹ takes residuals as independent. What a model of a machine leaves over is not: it varies slowly along the path, and the
textbook formula then claims far too little. The heteroscedasticity and autocorrelation consistent estimate of Newey and West (1987) puts the measured
autocovariance in:

    cov = (JᵀJ)⁻¹ · [Γ_0 + Σ_{l=1}^{L} (1 − l/(L+1))·(Γ_l + Γ_lᵀ)] · (JᵀJ)⁻¹ · n/(n − p),      Γ_l = Σ_k e_k e_{k−l} j_k j_{k−l}ᵀ
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def correlated_covariance(columns: Array, residual: Array, series: tuple[int, ...] | None = None) -> Array:
    """Covariance matrix of the coefficients of a least-squares fit.

    Parameters
    ----------
    columns : (n, p) float64
        J, the derivatives of the model. Full rank.
    residual : (n,) float64
        e, measured − model, in the order of measurement.
    series : lengths of the records that follow one another in the rows; None for one record. No correlation is taken from one record to the next.

    Returns
    -------
    (p, p) float64, in squared units of the coefficients. L = ⌊4·(n/100)^{2/9}⌋ at least, and long enough to reach the first sign change of the residuals'
    autocorrelation (at most n/10).

    Raises
    ------
    ValueError      no more rows than columns, or lengths that do not add up
    """
    n, p = columns.shape
    lengths = (n,) if series is None else series
    if n <= p or sum(lengths) != n or residual.shape != (n,):
        raise ValueError(f"columns has shape {columns.shape}, residual {residual.shape}, series {lengths}; expected more rows than columns, and lengths that add up")
    scale = np.sqrt((columns**2).sum(axis=0))
    unit = columns / scale
    bread = np.linalg.inv(unit.T @ unit)
    scores = unit * residual[:, None]
    meat = np.zeros((p, p))
    start = 0
    for length in lengths:
        rows = scores[start : start + length]
        meat += rows.T @ _weighted(rows, _lags(residual[start : start + length]))
        start += length
    covariance: Array = bread @ meat @ bread * (n / (n - p)) / np.outer(scale, scale)
    return covariance


def _weighted(rows: Array, lags: int) -> Array:
    """Σ_l (1 − |l|/(L + 1))·rows[k − l] for every k: all lags at once, as a product of Fourier transforms."""
    n = rows.shape[0]
    size = 2 ** (n + lags).bit_length()
    weight = np.zeros(size)
    weight[: lags + 1] = 1 - np.arange(lags + 1) / (lags + 1)
    weight[size - lags :] = weight[lags:0:-1]
    spectrum = np.fft.rfft(rows, size, axis=0) * np.fft.rfft(weight)[:, None]
    return np.fft.irfft(spectrum, size, axis=0)[:n]


def _lags(residual: Array) -> int:
    n = residual.size
    fewest = int(4 * (n / 100) ** (2 / 9))
    power = np.abs(np.fft.rfft(residual - residual.mean(), 2 * n)) ** 2
    autocorrelation = np.fft.irfft(power)[: max(1, n // 10)]
    below = np.flatnonzero(autocorrelation <= 0)
    crossing = int(below[0]) if below.size else autocorrelation.size
    return int(min(max(fewest, crossing), max(0, n - 1)))
