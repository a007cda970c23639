"""Resampling: every library gives the known values, and refuses the same data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.kernels.resample import METHODS, resample


def uneven(n: int = 200, seed: int = 1) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).uniform(0.5, 1.5, n)) * 0.01


def places(x: np.ndarray, k: int, margin: float = 0.0) -> np.ndarray:
    span = x[-1] - x[0]
    return np.random.default_rng(2).uniform(x[0] + margin * span, x[-1] - margin * span, k)


@pytest.mark.parametrize("k", [1, 7, 70_000])
def test_linear_is_what_numpy_interpolates(xp: Any, k: int) -> None:
    x = uneven()
    values, at = np.random.default_rng(3).normal(size=x.size), places(x, k)
    found = xp.numbers(resample(xp.asarray(x), xp.asarray(values), xp.asarray(at)))
    np.testing.assert_allclose(found, np.interp(at, x, values), rtol=0, atol=2e-14)  # 200 steps: the place is rounded to 1e-14 of a step


def test_cubic_is_exact_on_cubics(xp: Any) -> None:
    x = uneven()
    cubic = np.polynomial.Polynomial([1.0, -2.0, 0.5, 3.0])
    at = np.append(places(x, 500), [x[0], x[-1], x[50]])
    found = xp.numbers(resample(xp.asarray(x), xp.asarray(cubic(x)), xp.asarray(at), method="cubic"))
    np.testing.assert_allclose(found, cubic(at), rtol=1e-13)


@pytest.mark.parametrize(("half_width", "error"), [(16, 1e-4), (32, 4e-9)])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.8])
def test_band_limited_follows_what_it_promises(xp: Any, half_width: int, error: float, part: float) -> None:
    x = 5.0 + 0.01 * np.arange(400)
    at = places(x, 300, margin=0.2)

    def wave(t: np.ndarray) -> np.ndarray:
        return np.cos(np.pi * part * 100 * t + 0.3)

    arrays = [xp.asarray(v) for v in (x, wave(x), at)]
    found = xp.numbers(resample(*arrays, method="band-limited", half_width=half_width))
    np.testing.assert_allclose(found, wave(at), rtol=0, atol=error)


@pytest.mark.parametrize("method", METHODS)
def test_samples_come_back_at_their_own_places(xp: Any, method: str) -> None:
    x = 0.01 * np.arange(100)
    values = np.random.default_rng(4).normal(size=(2, 3, 100))
    found = xp.numbers(resample(xp.asarray(x), xp.asarray(values), xp.asarray(x), method=method))
    # the place of a sample in samples is rounded to 1e-14; the slope of noise is a few per sample
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-12 if method == "band-limited" else 0)


@pytest.mark.parametrize("method", METHODS)
def test_axes_in_front_are_a_batch_and_a_constant_stays(xp: Any, method: str) -> None:
    x = np.linspace(0, 1, 80)
    values = np.random.default_rng(5).normal(size=(3, 2, 80))
    values[1, 1] = 7.0
    at = places(x, 500)
    found = xp.numbers(resample(xp.asarray(x), xp.asarray(values), xp.asarray(at), method=method))
    assert found.shape == (3, 2, 500)
    alone = xp.numbers(resample(xp.asarray(x), xp.asarray(values[2, 0]), xp.asarray(at), method=method))
    np.testing.assert_allclose(found[2, 0], alone, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found[1, 1], 7.0, rtol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_a_way_back_is_the_way_there_reversed(xp: Any, method: str) -> None:
    x, at = np.linspace(0, 1, 80), np.linspace(0.1, 0.9, 33)
    values = np.sin(9 * x)
    there = xp.numbers(resample(xp.asarray(x), xp.asarray(values), xp.asarray(at), method=method))
    back = resample(xp.asarray(x[::-1].copy()), xp.asarray(values[::-1].copy()), xp.asarray(at), method=method)
    np.testing.assert_array_equal(xp.numbers(back), there)


def test_a_nan_stays_with_its_neighbours(xp: Any) -> None:
    x = np.arange(20.0)
    values = np.where(x == 10, np.nan, x)
    found = xp.numbers(resample(xp.asarray(x), xp.asarray(values), xp.asarray(np.array([8.5, 9.5, 10.5, 11.5]))))
    assert np.isnan(found).tolist() == [False, True, True, False]


def test_nowhere_gives_nothing(xp: Any) -> None:
    for method in METHODS:
        found = resample(xp.asarray(np.arange(64.0)), xp.asarray(np.zeros((2, 64))), xp.asarray(np.zeros(0)), method=method)
        assert found.shape == (2, 0)


RISING = np.arange(100.0)


@pytest.mark.parametrize(
    ("x", "values", "at", "how", "message"),
    [
        (np.array([0.0, 2.0, 1.0, 3.0]), np.zeros(4), np.ones(1), {}, r"x has shape \(4,\) and goes from 2 to 1 between neighbours 1 and 2"),
        (np.array([0.0, 1.0, 1.0, 3.0]), np.zeros(4), np.ones(1), {}, "goes from 1 to 1"),
        (np.array([0.0, 1.0, np.nan, 3.0]), np.zeros(4), np.ones(1), {}, "goes from 1 to nan"),
        (np.array([0.0, 1.0, np.inf]), np.zeros(3), np.ones(1), {}, "expected strictly monotonic, finite"),
        (np.arange(3.0), np.zeros(3), np.array([2.5, 0.5]), {}, r"at has shape \(2,\) and reaches from 0.5 to 2.5; expected places within 0 to 2"),
        (np.arange(3.0), np.zeros(3), np.array([np.nan]), {}, "at has shape"),
        (np.arange(3.0), np.zeros((3, 4)), np.ones(1), {}, r"values has shape \(3, 4\); expected \(..., 3\), one for each x"),
        (np.arange(3.0), np.zeros(3), np.ones(1), {"method": "cubic"}, r"x has shape \(3,\); expected \(n,\) with n ≥ 4 for method 'cubic'"),
        (np.zeros(1), np.zeros(1), np.zeros(1), {}, "with n ≥ 2"),
        (np.zeros(0), np.zeros(0), np.zeros(0), {}, "with n ≥ 2"),
        (RISING, RISING, np.ones(1), {"method": "nearest"}, "method is 'nearest'; expected 'linear', 'cubic', 'band-limited'"),
        (RISING**1.01, RISING, np.ones(1), {"method": "band-limited"}, "off an even spacing of .* expected at most 1e-06"),
        (RISING, RISING, np.ones(1), {"method": "band-limited", "half_width": 51}, "n ≥ 102"),
        (RISING, RISING, np.ones(1), {"half_width": 0}, "half_width is 0; expected at least 1 sample"),
    ],
)
def test_a_mistake_is_named(xp: Any, x: Any, values: Any, at: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resample(xp.asarray(x), xp.asarray(values), xp.asarray(at), **how)
