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


def results(n: int, result: str) -> Any:
    """`out`: None for new arrays."""
    return (np.empty(n - WINDOW + 1), np.empty(n - WINDOW + 1)) if result == "given" else None


@pytest.mark.parametrize(("n", "result"), [(10_000, "new"), (30_000_000, "new"), (30_000_000, "given")], ids=["1e4", "3e7-new", "3e7-given"])
def test_moving_mean_and_std_against_bottleneck(paired: Paired, n: int, result: str) -> None:
    bottleneck = peer("bottleneck")
    x, out = np.random.default_rng(0).normal(size=n), results(n, result)
    large = n > 1_000_000
    paired(
        lambda: moving_mean_std(x, WINDOW, out=out),
        lambda: (bottleneck.move_mean(x, WINDOW), bottleneck.move_std(x, WINDOW)),
        kernel="moving mean + std", size=f"{n:.0e}, w = {WINDOW}" + f", {result} arrays" * large, peer="bottleneck",
        floor_bytes=3 * x.nbytes if large else None,
        goal={"numpy": 0.8, "fast": 2.0} if large else None, floor_goal={"fast": 2.0} if result == "given" else None,
        at_least={"numpy": 0.5, "fast": 1.0} if large else None, agree=same,
    )  # fmt: skip


@pytest.mark.parametrize("result", ["new", "given"])
def test_moving_mean_and_std_against_pandas(paired: Paired, result: str) -> None:
    pandas = peer("pandas")
    x, out = np.random.default_rng(0).normal(size=30_000_000), results(30_000_000, result)
    series = pandas.Series(x)
    paired(
        lambda: moving_mean_std(x, WINDOW, out=out),
        lambda: (series.rolling(WINDOW).mean(), series.rolling(WINDOW).std(ddof=0)),
        kernel="moving mean + std", size=f"3e+07, w = {WINDOW}, {result} arrays", peer="pandas rolling", floor_bytes=3 * x.nbytes,
        goal={"numpy": 6.0, "fast": 15.0}, floor_goal={"fast": 2.0} if result == "given" else None, at_least={"numpy": 4.0, "fast": 7.0}, agree=same, rounds=3,
    )  # fmt: skip
