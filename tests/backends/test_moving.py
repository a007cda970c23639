"""Moving mean and standard deviation: every tier gives the definition's numbers, and the same error for the same mistake."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import compiled, moving
from precision.kernels.moving import moving_mean_std, moving_mean_std_blocks, trapezoidal_window


def by_definition(error: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two passes over each window, in extended precision."""
    weights = weights.astype(np.longdouble) / weights.astype(np.longdouble).sum()
    windows = np.lib.stride_tricks.sliding_window_view(error.astype(np.longdouble), weights.size, axis=-1)
    with np.errstate(invalid="ignore"):
        mean = (windows * weights).sum(-1)
        std = np.sqrt((weights * (windows - mean[..., None]) ** 2).sum(-1))
    return mean.astype(float), std.astype(float)


def agree(result: tuple[Any, Any], error: np.ndarray, weights: np.ndarray) -> None:
    mean, std = by_definition(error, weights)
    finite = error[np.isfinite(error)]
    largest = np.abs(finite).max() if finite.size else 0.0
    uneven = not (weights == weights[0]).all()
    spread = np.ptp(finite) if finite.size else 0.0
    # mean: a few roundings of the largest value, one a sample where weights are added one by one. std: the sums of deviations from a pivot are rounded to spread·2⁻⁵³·log₂ w,
    # which is all that is left where the window itself is constant, beside the definition's own rounding, largest·2⁻⁶³; Q − S²/w is used up to 1e6·2⁻⁵³ of the variance.
    np.testing.assert_allclose(result[0], mean, rtol=0, atol=(4 + 0.5 * uneven * weights.size) * np.spacing(largest))
    np.testing.assert_allclose(result[1], std, rtol=1e-9, atol=16 * np.spacing(spread) + largest * 2.0**-62 + 1e-160)


CASES = {
    "one sample": (np.array([3.0]), 1),
    "window of one": (np.linspace(-1, 1, 40), 1),
    "whole record": (np.arange(17.0) ** 2, 17),
    "no power of two": (np.sin(np.arange(3000.0)), 100),
    "power of two": (np.sin(np.arange(3000.0)), 64),
    "all bits set": (np.sin(np.arange(3000.0)), 127),
    "longer than a block": (np.sin(np.arange(40_000.0)), 5001),
    "a spike": (np.where(np.arange(9000) == 500, 1e6, np.sin(np.arange(9000.0))), 100),
    "a step": (np.where(np.arange(9000) < 5000, 0.0, 1e3) + np.sin(np.arange(9000.0)), 33),
    "at rest, then noise": (np.where(np.arange(9000) < 5000, 0.25, np.sin(np.arange(9000.0))), 40),
    "hardly longer than the window": (np.sin(np.arange(130.0)), 100),
    "rows": (np.sin(np.arange(3 * 4 * 50.0)).reshape(3, 4, 50), 7),
    "no rows": (np.zeros((0, 9)), 4),
    "offset and drift": (0.3 + 1e-9 * np.sin(np.arange(20_000.0) ** 2), 10),
    "trapezoid": (np.sin(np.arange(5000.0)), trapezoidal_window(40, 8)),
    "uneven weights": (1e6 + np.sin(np.arange(500.0)), (1.0, 0.0, 5.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_library_gives_the_definition(xp: Any, name: str) -> None:
    error, window = CASES[name]
    weights = np.ones(window) if isinstance(window, int) else np.array(window)
    agree(tuple(xp.numbers(part) for part in moving_mean_std(xp.asarray(error), window)), error, weights)


def test_a_nan_or_an_infinity_spoils_only_its_own_windows(xp: Any) -> None:
    error = np.sin(np.arange(20_000.0))
    error[[5000, 9000, 10_000]] = np.nan, np.inf, -np.inf
    mean, std = (xp.numbers(part) for part in moving_mean_std(xp.asarray(error), 50))
    spoilt = np.zeros(mean.size, bool)
    for at in (5000, 9000, 10_000):
        spoilt[at - 49 : at + 1] = True
    assert np.isnan(std[spoilt]).all() and np.isnan(mean[spoilt]).all()
    clean = np.nan_to_num(error, nan=0.0, posinf=0.0, neginf=0.0)
    ours, theirs = (mean[~spoilt], std[~spoilt]), by_definition(clean, np.ones(50))
    np.testing.assert_allclose(ours[0], theirs[0][~spoilt], rtol=0, atol=1e-15)
    np.testing.assert_allclose(ours[1], theirs[1][~spoilt], rtol=1e-9)


def test_offset_and_drift_cost_no_digits(xp: Any) -> None:
    n = 100_000
    noise = 1e-3 * np.random.default_rng(4).normal(size=n)
    error = 1e6 + 1e3 * np.arange(n) / n + noise
    _, std = by_definition(error, np.ones(10))
    ours = xp.numbers(moving_mean_std(xp.asarray(error), 10)[1])
    # blocks: sums about a pivot are kept to 2⁻⁵³ of the drift inside a block (160 of 1e3), 2e-14 of 1e-2;
    # the unblocked definition: of the whole drift, 1e3·2⁻⁵³·log₂ 10 = 4e-13 of 1e-2
    np.testing.assert_allclose(ours, std, rtol=1e-9)


def test_constant_data_have_no_spread(xp: Any) -> None:
    mean, std = (xp.numbers(part) for part in moving_mean_std(xp.asarray(np.full(30_000, 0.1)), 77))
    assert (std == 0.0).all() and (mean == 0.1).all()


@pytest.mark.parametrize(
    ("error", "window", "message"),
    [
        (np.zeros(5), 6, r"window has 6 samples and error has shape \(5,\)"),
        (np.zeros(0), 1, r"window has 1 samples and error has shape \(0,\)"),
        (np.zeros(5), 0, "window is 0 samples; expected at least 1"),
        (np.zeros(5), -3, "window is -3 samples"),
        (np.zeros(5), 2.5, "window is 2.5; expected a number of samples, or weights"),
        (np.zeros(5), True, "window is True"),
        (np.zeros(5), (1.0, -1.0), r"window has shape \(2,\); expected finite weights ≥ 0"),
        (np.zeros(5), (0.0, 0.0), "expected finite weights ≥ 0, not all of them 0"),
        (np.zeros(5), (1.0, math.nan), "expected finite weights"),
        (np.zeros(5), (), "expected finite weights"),
        (np.zeros(5, complex), 2, r"error has shape \(5,\) and dtype complex128; expected real numbers"),
        (np.zeros(()), 1, r"error has shape \(\); expected \(..., n\)"),
    ],
)
def test_a_mistake_is_named(xp: Any, error: np.ndarray, window: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        moving_mean_std(xp.asarray(error, error.dtype), window)


def test_a_list_is_no_array() -> None:
    with pytest.raises(ValueError, match="error is a list; expected an array"):
        moving_mean_std([1.0, 2.0], 2)


@pytest.mark.parametrize("window", [1, 100, 40_000, trapezoidal_window(30, 5)])
@pytest.mark.parametrize("tier", ["0", "1"])
def test_blocks_give_the_whole_array_to_the_last_bit(window: Any, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, tier)
    error = 0.3 + 1e-9 * np.random.default_rng(1).normal(size=300_001)
    edges = [0, 1, 1, 70_000, 70_001, 250_000, 300_001]
    buffer = np.empty(error.size)

    def pieces() -> Any:
        for a, b in itertools.pairwise(edges):
            buffer[: b - a] = error[a:b]  # the source reuses its buffer
            yield buffer[: b - a]

    joined = [np.concatenate(parts) for parts in zip(*moving_mean_std_blocks(pieces(), window), strict=True)]
    for ours, whole in zip(joined, moving_mean_std(error, window), strict=True):
        np.testing.assert_array_equal(ours, whole)


def test_blocks_shorter_than_the_window_give_nothing() -> None:
    assert list(moving_mean_std_blocks([np.zeros(3), np.zeros(4)], 8)) == []


def test_strided_and_integer_data_are_taken_as_they_are(xp: Any) -> None:
    data = np.arange(2000).reshape(1000, 2)
    agree(
        tuple(xp.numbers(v) for v in moving_mean_std(xp.asarray(data)[:, 1], 9)), data[:, 1].astype(float), np.ones(9)
    )
    agree(
        tuple(xp.numbers(v) for v in moving_mean_std(xp.asarray(data[:, 1].astype(float))[::-3], 9)),
        data[::-3, 1].astype(float),
        np.ones(9),
    )


@pytest.mark.parametrize("window", [1, 64, 99, 600, (1.0, 2.0, 0.5)])
def test_the_cuda_kernel_gives_the_definition(cuda_on_cpu: Any, window: Any) -> None:
    n = 90 if cuda_on_cpu.tiny else 5003
    count = min(window if isinstance(window, int) else len(window), n)
    error = 1e3 + np.random.default_rng(2).normal(size=(2, n))
    error[1, n // 2] = np.nan
    weights = None if isinstance(window, int) else tuple(w / sum(window) for w in window)
    result = np.full((2, 2, n - count + 1), np.nan)
    moving._cuda(cuda_on_cpu.xp.asarray(error), count, weights, *result, xp=cuda_on_cpu.xp)
    agree((result[0], result[1]), error, np.ones(count) if weights is None else np.array(weights))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.floats(-1e6, 1e6, width=32) | st.just(math.nan), min_size=1, max_size=200),
    window=st.integers(1, 200),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_tiers_agree_on_any_data(xp: Any, data: list[float], window: int, offset: float) -> None:
    error = np.array(data) + offset
    window = min(window, error.size)
    agree(tuple(xp.numbers(part) for part in moving_mean_std(xp.asarray(error), window)), error, np.ones(window))
