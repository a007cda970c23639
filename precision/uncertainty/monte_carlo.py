"""Propagation of distributions by Monte Carlo (JCGM 101): draw the inputs, evaluate the model, take mean, standard deviation and a coverage interval.

Draws come from a Philox generator, one stream for each input by its name, so that adding an input does not change the draws of the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = Literal["normal", "t", "rectangular", "arcsine", "curvilinear trapezoid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An input's distribution (JCGM 101, 6.4).

    normal : `scale` is the standard uncertainty. t : scaled and shifted t of `freedom`, `scale` its factor S/√n (larger than the standard uncertainty would
    be for infinitely many). rectangular, arcsine : `scale` is the half width. curvilinear trapezoid : half width `scale`, itself known to ±`inexact`.
    """

    shape: Shape
    centre: float
    scale: float
    freedom: float = math.inf
    inexact: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.centre) and math.isfinite(self.scale) and self.scale >= 0 and self.freedom > 0 and 0 <= self.inexact <= self.scale):
            raise ValueError(f"{self.shape} about {self.centre} of scale {self.scale}, freedom {self.freedom}, inexact {self.inexact}: expected finite sizes, scale ≥ inexact ≥ 0")

    def draw(self, generator: np.random.Generator, count: int) -> Array:
        """(count,) independent draws."""
        if self.shape == "normal":
            return self.centre + self.scale * generator.standard_normal(count)
        if self.shape == "t":
            return self.centre + self.scale * generator.standard_t(self.freedom, count)
        if self.shape == "rectangular":
            return self.centre + self.scale * generator.uniform(-1, 1, count)
        if self.shape == "arcsine":
            return self.centre + self.scale * np.sin(2 * math.pi * generator.uniform(0, 1, count))
        half = self.scale + self.inexact * generator.uniform(-1, 1, count)
        return np.asarray(self.centre + half * generator.uniform(-1, 1, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """mean, u : of the draws of the model (u with divisor n − 1). interval : probabilistically symmetric or shortest, of `probability`. trials : how many."""

    mean: float
    u: float
    interval: tuple[float, float]
    probability: float
    trials: int


def run(
    model: Callable[..., Array], inputs: Mapping[str, Distribution], *, trials: int = 1_000_000, seed: int = 1, probability: float = 0.95, shortest: bool = False
) -> Result:
    """Monte Carlo of a model of arrays, called with the inputs' names as keywords; no array is longer than 100 000 but that of the results.

    Raises
    ------
    ValueError      fewer trials than JCGM 101, 7.2.1 note asks for (10⁴/(1 − p)), a probability outside 0 … 1, a model that gives numbers that are none

    >>> found = run(lambda a, b: a + b, {"a": Distribution(shape="normal", centre=0, scale=3), "b": Distribution(shape="normal", centre=0, scale=4)})
    >>> round(found.u, 1)
    5.0
    """
    if not 0 < probability < 1 or trials < 1e4 / (1 - probability) * (1 - 1e-12):
        raise ValueError(f"{trials} trials for a probability of {probability}; at least {math.ceil(1e4 / (1 - probability)) if 0 < probability < 1 else '10⁴/(1 − p)'} are expected")
    generators = {name: np.random.Generator(np.random.Philox(key=_key(seed, name))) for name in inputs}
    values = np.empty(trials)
    for first in range(0, trials, 100_000):
        count = min(100_000, trials - first)
        values[first : first + count] = model(**{name: inputs[name].draw(generators[name], count) for name in inputs})
    if not np.isfinite(values).all():
        raise ValueError(f"{int(np.sum(~np.isfinite(values)))} of {trials} draws of the model are no numbers; the inputs reach where it is not defined")
    mean, u = float(values.mean()), float(values.std(ddof=1))
    values.sort()
    inside = math.floor(probability * trials + 0.5)
    if shortest:
        start = int(np.argmin(values[inside:] - values[: trials - inside]))
    else:
        start = (trials - inside) // 2
    end = min(start + inside, trials - 1)
    return Result(mean=mean, u=u, interval=(float(values[start]), float(values[end])), probability=probability, trials=trials)


def _key(seed: int, name: str) -> NDArray[np.uint64]:
    return np.frombuffer(blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest(), dtype="<u8")
