"""What holds for the figures of ISO 230-2 of any trial."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.kernels.positioning import PositioningFigures, positioning_figures

TRIAL = {"seed": st.integers(0, 2**32 - 1), "m": st.integers(1, 8), "n": st.integers(2, 6)}
EXACT = 1e-13  # of numbers of size 1, a few tens of roundings


def trial(seed: int, m: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, m, n))


def close(one: PositioningFigures, other: PositioningFigures) -> None:
    np.testing.assert_allclose(np.array(one), np.array(other), rtol=0, atol=EXACT)


@settings(deadline=None, max_examples=50)
@given(**TRIAL, shift=st.floats(-10, 10), factor=st.floats(-3, 3))
def test_figures_ignore_an_offset_and_scale_with_the_deviations(seed: int, m: int, n: int, shift: float, factor: float) -> None:
    x = trial(seed, m, n)
    figures = positioning_figures(x)
    close(positioning_figures(x + shift), figures)
    scaled = np.array(figures) * abs(factor)
    scaled[-1] = figures.B_mean * factor
    np.testing.assert_allclose(np.array(positioning_figures(factor * x)), scaled, rtol=0, atol=10 * EXACT)


@settings(deadline=None, max_examples=50)
@given(**TRIAL)
def test_swapping_the_approaches_swaps_their_figures_and_the_sign_of_the_mean_reversal(seed: int, m: int, n: int) -> None:
    x = trial(seed, m, n)
    f = positioning_figures(x)
    swapped = f._replace(
        A_up=f.A_down, A_down=f.A_up, E_up=f.E_down, E_down=f.E_up, R_up=f.R_down, R_down=f.R_up, B_mean=-f.B_mean
    )
    close(positioning_figures(x[::-1]), swapped)


@settings(deadline=None, max_examples=50)
@given(**TRIAL)
def test_neither_the_order_of_runs_nor_of_targets_matters(seed: int, m: int, n: int) -> None:
    x = trial(seed, m, n)
    rng = np.random.default_rng(seed)
    close(positioning_figures(x[:, rng.permutation(m)][..., rng.permutation(n)]), positioning_figures(x))


@settings(deadline=None, max_examples=100)
@given(**TRIAL)
def test_the_figures_are_ordered(seed: int, m: int, n: int) -> None:
    f = positioning_figures(trial(seed, m, n))
    assert f.M <= f.E + EXACT and f.E <= f.A + EXACT and f.E <= f.M + f.B + EXACT
    assert max(f.A_up, f.A_down) <= f.A + EXACT and max(f.R_up, f.R_down, f.B) <= f.R + EXACT
    assert abs(f.B_mean) <= f.B + EXACT


def test_one_target_without_scatter_has_reversal_only() -> None:
    f = positioning_figures(np.array([[[3.0, 3.0]], [[1.0, 1.0]]]))
    assert tuple(map(float, f)) == (2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 2.0)
