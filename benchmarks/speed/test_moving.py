"""Moving mean and standard deviation: against bottleneck and pandas, on what both do right (no offset, no drift)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed.paired import Paired, peer
from precision.kernels import moving_mean_std

WINDOW = 100


def same(ours: Any, theirs: Any) -> None:
    """Means and standard deviations; the peers fill the windows that are not full with NaN."""
    # running sums over 3e7 samples of unit noise: √3e7 · 2⁻⁵³ · 100 at the worst
    np.testing.assert_allclose(ours[0], np.asarray(theirs[0])[WINDOW - 1 :], atol=1e-9)
    np.testing.assert_allclose(ours[1], np.asarray(theirs[1])[WINDOW - 1 :], atol=1e-9)


@pytest.mark.parametrize("n", [10_000, 30_000_000], ids=["1e4", "3e7"])
def test_moving_mean_and_std_against_bottleneck(paired: Paired, n: int) -> None:
    bottleneck = peer("bottleneck")
    x = np.random.default_rng(0).normal(size=n)
    large = n > 1_000_000
    paired(
        lambda: moving_mean_std(x, WINDOW),
        lambda: (bottleneck.move_mean(x, WINDOW), bottleneck.move_std(x, WINDOW)),
        kernel="moving mean + std", size=f"{n:.0e}, w = {WINDOW}", peer="bottleneck",
        floor_bytes=3 * x.nbytes if large else None,
        goal={"numpy": 0.8, "fast": 2.0} if large else None, floor_goal={"fast": 2.0} if large else None,
        at_least={"numpy": 0.5, "fast": 1.0} if large else None, agree=same,
    )  # fmt: skip


def test_moving_mean_and_std_against_pandas(paired: Paired) -> None:
    pandas = peer("pandas")
    x = np.random.default_rng(0).normal(size=30_000_000)
    series = pandas.Series(x)
    paired(
        lambda: moving_mean_std(x, WINDOW),
        lambda: (series.rolling(WINDOW).mean(), series.rolling(WINDOW).std(ddof=0)),
        kernel="moving mean + std", size=f"3e+07, w = {WINDOW}", peer="pandas rolling", floor_bytes=3 * x.nbytes,
        goal={"numpy": 6.0, "fast": 15.0}, at_least={"numpy": 4.0, "fast": 7.0}, agree=same, rounds=3,
    )  # fmt: skip
