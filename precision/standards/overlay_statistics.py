"""Overlay in a few numbers: mean, 3σ, |mean| + 3σ and the 99.7 % maximum, always together.

    3σ = 3·√(Σ (d − d̄)² / (n − 1))        |mean| + 3σ = |d̄| + 3σ
    99.7 % maximum: the smallest |d| that at least 99.7 % of the marks do not exceed (no interpolation; the largest |d| of fewer than 334 marks)

For a normal law about 0 the 99.7 % maximum is 2.97σ. One that is well above |mean| + 3σ shows heavy tails, which 3σ alone hides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..figures import Figure
from .arrays import Array
from .coverage import coverage_factor
from .reported import figure

QUANTILE: Final = 0.997
ROUNDING: Final = 1e-9
"""A mean of residuals below this part of their standard deviation is 0 up to rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Statistics of one component, or of the vector's length; m.

    count : readings. mean : their mean. sd : divisor count − 1, None for one reading. three_sigma, mean_plus_three_sigma : 3σ, |mean| +
    3σ, None as sd.
    largest : max |d|. most : 99.7 % maximum.
    """

    count: int
    mean: float
    sd: float | None
    largest: float
    most: float

    @property
    def three_sigma(self) -> float | None:
        """3σ."""
        return None if self.sd is None else 3 * self.sd

    @property
    def mean_plus_three_sigma(self) -> float | None:
        """|mean| + 3σ."""
        return None if self.sd is None else abs(self.mean) + 3 * self.sd

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "count": self.count,
            "mean": self.mean,
            "sd": self.sd,
            "three_sigma": self.three_sigma,
            "mean_plus_three_sigma": self.mean_plus_three_sigma,
            "largest": self.largest,
            "most_99_7": self.most,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayStatistics:
    """Statistics of dx, dy and of the length √(dx² + dy²) of the marks with both; None for a component that was not read."""

    x: Spread | None
    y: Spread | None
    vector: Spread | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: None if part is None else part.to_dict() for name, part in (("x", self.x), ("y", self.y), ("vector", self.vector))}


def spread(values: Array) -> Spread | None:
    """Statistics of (n,) readings; NaN are left out, None if none is left."""
    d = values[np.isfinite(values)]
    if d.size == 0:
        return None
    size = np.sort(np.abs(d))
    return Spread(
        count=int(d.size),
        mean=float(d.mean()),
        sd=float(d.std(ddof=1)) if d.size > 1 else None,
        largest=float(size[-1]),
        most=float(size[max(0, math.ceil(QUANTILE * d.size - 1e-9) - 1)]),
    )


def statistics(overlay_m: Array) -> OverlayStatistics:
    """Statistics of (n, 2) overlay, m; NaN where a component was not read."""
    d = np.asarray(overlay_m, dtype=np.float64)
    if d.ndim != 2 or d.shape[1] != 2:
        raise DataError(f"overlay_m has shape {d.shape}; expected (n, 2): dx and dy of each mark in m")
    return OverlayStatistics(x=spread(d[:, 0]), y=spread(d[:, 1]), vector=spread(np.hypot(d[:, 0], d[:, 1])))


def by_group(overlay_m: Array, labels: NDArray[Any]) -> Mapping[Any, OverlayStatistics]:
    """Statistics of the marks of each label: wafer, lot, chuck, scan direction, field, place in the field."""
    if np.shape(labels) != np.shape(overlay_m)[:1]:
        raise DataError(f"labels have shape {np.shape(labels)}; expected {np.shape(overlay_m)[:1]}, one for each mark")
    return MappingProxyType({label: statistics(overlay_m[labels == label]) for label in np.unique(labels).tolist()})


_NAMES: Final = {"x": "dx", "y": "dy", "vector": "√(dx² + dy²)"}


def figures(found: OverlayStatistics, *, prefix: str, of: str) -> list[Figure]:
    """The figures of dx and dy, all four of each, and the vector's 99.7 % maximum.

    prefix, of : of their keys and symbols ("raw_", giving "raw_mean_x" and "raw mean x") and of their names ("as measured").

    U of mean, 3σ and |mean| + 3σ takes the marks as a sample of independent normal readings: k·s/√n, 3·s·k/√(2(n − 1)), and their root sum
    of squares.
    """
    parts: list[Figure] = []
    tag = prefix.replace("_", " ")
    for key, part in (("x", found.x), ("y", found.y)):
        k = 2.0
        none = "no mark has a valid reading of this component"
        one = none if part is None else "one reading has no standard deviation"
        mean, u_mean = (none, None) if part is None else (part.mean, "one reading has no standard deviation")
        sigma: float | str = one
        both: float | str = one
        u_sigma: float | str | None = None
        u_both: float | str | None = None
        if part is not None and part.sd is not None:
            k, n = coverage_factor(part.count - 1), part.count
            mean = part.mean if abs(part.mean) > ROUNDING * part.sd else 0.0
            u_mean = k * part.sd / math.sqrt(n)  # type: ignore[assignment]
            sigma, u_sigma = 3 * part.sd, 3 * part.sd * k / math.sqrt(2 * (n - 1))
            both, u_both = abs(part.mean) + 3 * part.sd, math.hypot(k * part.sd / math.sqrt(n), u_sigma)
        name = f"{_NAMES[key]}, {of}"
        parts += [
            figure(f"{prefix}mean_{key}", f"mean of {name}", mean, "m", u_mean, symbol=f"{tag}mean {key}", coverage_factor=k),
            figure(f"{prefix}3s_{key}", f"3σ of {name}", sigma, "m", u_sigma, symbol=f"{tag}3σ {key}", coverage_factor=k),
            figure(f"{prefix}m3s_{key}", f"|mean| + 3σ of {name}", both, "m", u_both, symbol=f"{tag}|m|+3σ {key}", coverage_factor=k),
            _most(prefix, key, part, name),
        ]
    return [*parts, _most(prefix, "vector", found.vector, f"{_NAMES['vector']}, {of}")]


def _most(prefix: str, key: str, part: Spread | None, name: str) -> Figure:
    value: float | str = "no mark has a valid reading" if part is None else part.most
    why = "the quantile of a sample whose tail is not known; it describes these marks"
    return figure(
        f"{prefix}most_{key}",
        f"99.7 % maximum of |{name.partition(',')[0]}|,{name.partition(',')[2]}",
        value,
        "m",
        why,
        symbol=f"{prefix.replace('_', ' ')}99.7 % {key if key != 'vector' else 'r'}",
    )
