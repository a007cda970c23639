"""Waves of an error along the travel, by least squares over the position: pole pitch, screw, encoder period, with the uncertainty of period and amplitude.

    d(x) = a sin(2πx/P) + b cos(2πx/P) + a line for each traverse        Gauss-Newton on P, all traverses in one direction together

A wave that is tied to the position has the same phase in every traverse, so that many traverses are one long record of it. It counts as found where its
amplitude is beyond what the strongest of m lines of noise alone reaches in one case of a hundred: A > σ_A √(2 ln(100 m)) (Rayleigh).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from ..uncertainty.least_squares import correlated_covariance
from .arrays import Array

_ROUNDS: Final = 40
FEWEST_PERIODS: Final = 3.0
"""A longer wave cannot be told from the bend of the traverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """period, amplitude : unit of the position, of the sine; each with its U (k = 2). stands_out : whether noise alone would not have made it."""

    period: float
    period_u: float
    amplitude: float
    amplitude_u: float
    stands_out: bool


def wave(place: Sequence[Array], error: Sequence[Array], period: float) -> Wave:
    """The wave nearest to a period.

    Parameters
    ----------
    place, error : position and error of each traverse, (n,) each, one direction
    period : to begin with, within half a line of the spectrum (P²/(2·travel))

    Raises
    ------
    DataError       traverses of different lengths of place and error, or a travel of fewer than three periods
    """
    if not place or any(a.shape != b.shape or a.ndim != 1 or a.size < 16 for a, b in zip(place, error, strict=True)):
        raise DataError("place and error: one pair of (n,) with n ≥ 16 is expected for each traverse")
    travel = max(float(np.ptp(one)) for one in place)
    if not 0 < period * FEWEST_PERIODS <= travel:
        raise DataError(f"a period of {period:g} over a travel of {travel:g}; at least {FEWEST_PERIODS:g} periods are expected")
    x, e = np.concatenate(place), np.concatenate([_straightened(one, value) for one, value in zip(place, error, strict=True)])
    sizes = tuple(one.size for one in place)
    centre = float(x.mean())
    k = 2 * math.pi / period
    widest = math.pi / travel
    lowest, highest = k - widest, k + widest
    for _ in range(_ROUNDS):
        columns, (a, b, c) = _fit(x - centre, e, k)
        by_k = (x - centre) * (a * columns[:, 1] - b * columns[:, 0])
        jacobian = np.column_stack([columns, by_k])
        rest = e - columns @ np.array([a, b, c])
        step = float(np.linalg.lstsq(jacobian, rest, rcond=None)[0][3])
        k = float(np.clip(k + step, lowest, highest))
        if abs(step) < 1e-10 * k:
            break
    columns, (a, b, c) = _fit(x - centre, e, k)
    rest = e - columns @ np.array([a, b, c])
    jacobian = np.column_stack([columns, (x - centre) * (a * columns[:, 1] - b * columns[:, 0])])
    amplitude = math.hypot(a, b)
    if amplitude <= 1e-14 * travel:  # rounding of the positions
        return Wave(period=2 * math.pi / k, period_u=math.inf, amplitude=amplitude, amplitude_u=0.0, stands_out=False)
    correlated = correlated_covariance(jacobian, rest, sizes)
    scale = np.linalg.norm(jacobian, axis=0)
    independent = np.linalg.inv((jacobian / scale).T @ (jacobian / scale)) / np.outer(scale, scale) * float(rest @ rest) / (x.size - 4)
    direction = np.array([a, b]) / amplitude
    # The correlation is estimated from one record: where it comes out as a gain, it is not taken as one.
    u_amplitude = 2 * math.sqrt(max(float(direction @ covariance[:2, :2] @ direction) for covariance in (correlated, independent)))
    u_k = 2 * math.sqrt(max(float(covariance[3, 3]) for covariance in (correlated, independent)))
    lines = max(2.0, min(sizes) / 2)
    white = math.sqrt(2 * float(rest @ rest) / (x.size - 4) / x.size)
    needed = max(u_amplitude / 2, white) * math.sqrt(2 * math.log(100 * lines))
    return Wave(
        period=2 * math.pi / k, period_u=2 * math.pi / k**2 * u_k, amplitude=amplitude, amplitude_u=u_amplitude, stands_out=amplitude > needed
    )


def _fit(x: Array, e: Array, k: float) -> tuple[Array, tuple[float, float, float]]:
    columns = np.stack([np.sin(k * x), np.cos(k * x), np.ones_like(x)], axis=1)
    a, b, c = np.linalg.lstsq(columns, e, rcond=None)[0].tolist()
    return columns, (a, b, c)


def _straightened(x: Array, e: Array) -> Array:
    """Without its straight line."""
    centred = x - x.mean()
    slope = float(centred @ (e - e.mean()) / (centred @ centred))
    return np.asarray(e - e.mean() - slope * centred)
