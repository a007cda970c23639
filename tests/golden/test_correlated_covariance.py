"""Covariance of a fit with correlated residuals: against the sum of Newey and West (1987) written out, and against the textbook for white noise."""

import numpy as np
import pytest

from precision.uncertainty.least_squares import _lags, correlated_covariance


def written_out(columns: np.ndarray, residual: np.ndarray, lags: int) -> np.ndarray:  # type: ignore[type-arg]
    n, p = columns.shape
    scores = columns * residual[:, None]
    middle = scores.T @ scores
    for lag in range(1, lags + 1):
        product = sum(np.outer(scores[k], scores[k - lag]) for k in range(lag, n))
        middle = middle + (1 - lag / (lags + 1)) * (product + np.transpose(product))
    bread = np.linalg.inv(columns.T @ columns)
    return bread @ middle @ bread * (n / (n - p))


@pytest.mark.parametrize("n", [12, 60, 127])
def test_it_is_the_sum_of_newey_and_west(n: int) -> None:
    rng = np.random.default_rng(n)
    columns = np.stack([np.ones(n), np.linspace(0, 1e-6, n), rng.normal(0, 1e3, n)], axis=-1)
    residual = np.convolve(rng.normal(0, 1, n + 3), np.ones(4), mode="valid")
    np.testing.assert_allclose(correlated_covariance(columns, residual), written_out(columns, residual, _lags(residual)), rtol=1e-9)


def test_white_noise_gives_the_textbook_and_correlation_more() -> None:
    """Mean of n values: s²/n; for noise summed over m values the variance of the mean is m times as large."""
    rng = np.random.default_rng(5)
    ratios = []
    for width in (1, 8):
        found = []
        for _ in range(60):
            noise = np.convolve(rng.normal(0, 1, 2000 + width - 1), np.ones(width), mode="valid") / np.sqrt(width)
            found.append(correlated_covariance(np.ones((2000, 1)), noise - noise.mean())[0, 0] * 2000)
        ratios.append(np.mean(found))
    assert ratios[0] == pytest.approx(1.0, rel=0.1)
    # Bartlett's weights leave out a part of the correlation: at L lags the estimate is short by about width/L.
    assert 4 < ratios[1] < 9


def test_records_that_follow_one_another_share_no_correlation() -> None:
    rng = np.random.default_rng(2)
    columns, residual = rng.normal(size=(80, 2)), rng.normal(size=80)
    parted = correlated_covariance(columns, residual, (40, 40))
    bread = np.linalg.inv(columns.T @ columns)
    n, p = 80, 2
    middle = sum(np.linalg.inv(bread_k) @ cov @ np.linalg.inv(bread_k) / (40 / 38) for cov, bread_k in (
        (written_out(columns[s], residual[s], _lags(residual[s])), np.linalg.inv(columns[s].T @ columns[s])) for s in (slice(0, 40), slice(40, 80))))
    np.testing.assert_allclose(parted, bread @ middle @ bread * (n / (n - p)), rtol=1e-9)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="more rows than columns"):
        correlated_covariance(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="lengths that add up"):
        correlated_covariance(np.ones((9, 2)), np.ones(9), (4, 4))
