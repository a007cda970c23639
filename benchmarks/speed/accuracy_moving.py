"""Accuracy of the moving standard deviation: offset 1e6, drift 1e3, noise 1e-3; and a metre-sized offset over a nanometre."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from precision.kernels import moving_mean_std

from .accuracy import Accuracy
from .tiers import each_tier, installed


def exact_std(data: Any, window: int, at: Any) -> Any:
    """Of the windows that begin at `at`, in rationals; rounded once, at the root."""
    found = []
    for start in at:
        values = [Fraction(float(v)) for v in data[start : start + window]]
        mean = sum(values) / window
        found.append(float(sum((v - mean) ** 2 for v in values) / window) ** 0.5)
    return np.array(found)


def rows() -> Iterator[Accuracy]:
    """Of windows of 10 and 100 samples, with offsets and drifts that are large against the noise."""
    n = 1_000_000
    noise = np.random.default_rng(11).normal(size=n)
    ramp = np.arange(n) / n
    for case, window, data, limit in (
        ("offset 1e6, noise 1e-3", 10, 1e6 + 1e-3 * noise, 1e-9),
        ("offset 1e6, drift 1e3, noise 1e-3", 10, 1e6 + 1e3 * ramp + 1e-3 * noise, 1e-9),
        ("offset 1e9, drift 1e3, noise 1e-3", 10, 1e9 + 1e3 * ramp + 1e-3 * noise, 1e-9),
        ("0.3 m, noise 1 nm", 10, 0.3 + 1e-9 * noise, 1e-9),
        ("offset 1e6, noise 1e-3", 100, 1e6 + 1e-3 * noise, 1e-9),
        ("offset 1e6, drift 1e3, noise 1e-3", 100, 1e6 + 1e3 * ramp + 1e-3 * noise, 1e-9),
    ):
        at = np.unique(np.concatenate([np.arange(0, n - window, 997), np.arange(n - 500, n - window)]))
        true = exact_std(data, window, at)
        # where rounding of the data has made all samples of a window alike, there is no relative error to speak of
        some = true > 0.1 * np.median(true)

        def error(std: Any, true: Any = true, some: Any = some, at: Any = at) -> float:
            return float(np.max(np.abs(std[at][some] / true[some] - 1)))

        peers = {}
        if (bottleneck := installed("bottleneck")) is not None:
            peers["bottleneck"] = error(bottleneck.move_std(data, window)[window - 1 :])
        if (pandas := installed("pandas")) is not None:
            peers["pandas"] = error(pandas.Series(data).rolling(window).std(ddof=0).to_numpy()[window - 1 :])
        yield Accuracy(
            kernel="moving std",
            case=f"{case}, w = {window}, n = 1e6",
            reference="exact rationals of the same float64 samples, 1500 windows",
            measure="largest relative error",
            ours={tier: error(std) for tier, (_, std) in each_tier(partial(moving_mean_std, data, window))},
            peers=peers,
            limit=limit,
        )
