"""Figures of ISO 230-2 for many trials against NumPy's reductions over the last axis, and drawing them against NumPy's generator."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from precision.benchmarks.speed.paired import Paired
from precision.kernels.positioning import FIGURES, drawn_positioning_figures, positioning_figures


def with_numpy(x: np.ndarray) -> np.ndarray:
    """The twelve figures, with reductions over the last axis."""
    mean, s = x.mean(axis=-1), x.std(axis=-1, ddof=1)
    up, down = mean[:, 0], mean[:, 1]
    b, high, low = up - down, mean + 2 * s, mean - 2 * s
    r = np.maximum(2 * s.sum(axis=1) + np.abs(b), 4 * s.max(axis=1))
    return np.stack([
        high.max(axis=(1, 2)) - low.min(axis=(1, 2)), *(high[:, d].max(axis=-1) - low[:, d].min(axis=-1) for d in (0, 1)),
        mean.max(axis=(1, 2)) - mean.min(axis=(1, 2)), *(mean[:, d].max(axis=-1) - mean[:, d].min(axis=-1) for d in (0, 1)),
        np.ptp((up + down) / 2, axis=-1), r.max(axis=-1), *(4 * s[:, d].max(axis=-1) for d in (0, 1)), np.abs(b).max(axis=-1), b.mean(axis=-1),
    ])  # fmt: skip


def test_figures_of_many_trials(tier: str, paired: Paired) -> None:
    x = np.random.default_rng(1).normal(0, 1e-6, (1_000_000, 2, 11, 5))
    paired(
        lambda: positioning_figures(x), lambda: with_numpy(x), kernel="ISO 230-2 figures", size="1e6 × 2 × 11 × 5", peer="numpy axis=-1",
        floor_bytes=x.nbytes + len(FIGURES) * 8 * len(x), goal={"numpy": 5, "fast": 40}, floor_goal={"fast": 3},
        at_least={"numpy": 3, "fast": 12}, agree=lambda ours, theirs: assert_allclose(np.array(ours), theirs, rtol=0, atol=1e-19), rounds=5,
    )  # fmt: skip


def test_drawing_trials(tier: str, paired: Paired) -> None:
    """Another generator draws other numbers: what has to agree is the distribution."""
    trials = 50_000
    deviation, position = np.random.default_rng(1).normal(0, 1e-6, (2, 11, 5)), np.linspace(0, 1, 11)

    def with_generator() -> np.ndarray:
        rng = np.random.default_rng(1)
        scale = 1e-6 * rng.standard_normal((trials, 1, 1, 1)) * position[:, None]
        return with_numpy(deviation + scale + 1e-6 * rng.standard_normal((trials, 2, 11, 5)))

    def agree(ours: np.ndarray, theirs: np.ndarray) -> None:
        ours = np.array(ours)
        scatter = np.sqrt((ours.var(axis=-1) + theirs.var(axis=-1)) / trials)  # of the difference of two means
        assert (np.abs(ours.mean(axis=-1) - theirs.mean(axis=-1)) < 5 * scatter).all()

    paired(
        lambda: drawn_positioning_figures(deviation, position, trials=trials, seed=1, reading_std=1e-6, scale_std=1e-6), with_generator,
        kernel="Monte Carlo of ISO 230-2", size="5e4 × 2 × 11 × 5", peer="numpy default_rng", agree=agree, rounds=5,
    )  # fmt: skip
