"""What must hold for any data: moving statistics, Allan deviations, spectra and quadrature phases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from precision.kernels import (
    Ellipse,
    allan_deviation,
    compiled,
    cross_spectrum,
    cumulative_power,
    fit_ellipse,
    moving_mean_std,
    power_spectrum,
    unwrapped_phase,
)

signals = arrays(np.float64, st.integers(8, 120), elements=st.floats(-1e3, 1e3, width=32))


@pytest.fixture(params=["0", "1"], autouse=True, scope="module")
def tier(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.SWITCH, request.param)
        yield


@settings(deadline=None)
@given(error=signals, window=st.integers(1, 8))
def test_moving_statistics_stay_within_the_samples(error: np.ndarray, window: int) -> None:
    ma, msd = moving_mean_std(error, window)
    windows = np.lib.stride_tricks.sliding_window_view(error, window)
    rounding = 4 * np.spacing(np.abs(error).max())
    assert (ma >= windows.min(-1) - rounding).all() and (ma <= windows.max(-1) + rounding).all()
    # of all data between two values, half at each has the largest deviation
    assert (msd >= 0).all() and (msd <= np.ptp(windows, axis=-1) / 2 * (1 + 1e-12) + rounding).all()


@settings(deadline=None)
@given(error=signals, window=st.integers(1, 8), scale=st.sampled_from([2.0**-40, -4.0]))
def test_moving_statistics_scale_and_do_not_see_the_direction_of_time(
    error: np.ndarray, window: int, scale: float
) -> None:
    ma, msd = moving_mean_std(error, window)
    scaled = moving_mean_std(scale * error, window)
    np.testing.assert_array_equal(scaled[0], scale * ma)  # a power of two changes no digit
    np.testing.assert_array_equal(scaled[1], abs(scale) * msd)
    back = moving_mean_std(error[::-1], window)
    rounding = 16 * np.spacing(np.ptp(error) + np.abs(error).max())
    np.testing.assert_allclose(back[0][::-1], ma, rtol=0, atol=rounding)
    # the sums are of deviations from a pivot: what is left of a constant window is their rounding, once under a root of its square
    np.testing.assert_allclose(back[1][::-1], msd, rtol=1e-9, atol=rounding)


@settings(deadline=None)
@given(
    phase=signals,
    kind=st.sampled_from(["oadev", "mdev", "tdev", "ohdev"]),
    offset=st.integers(-(2**20), 2**20),
    slope=st.integers(-64, 64),
)
def test_allan_deviations_do_not_see_offset_and_slope(phase: np.ndarray, kind: Any, offset: int, slope: int) -> None:
    phase = np.round(phase * 64) / 64  # so that the sum with offset and slope is exact
    if np.ptp(phase) == 0:
        return
    plain = allan_deviation(phase, interval_s=1.0, data_type="phase", kind=kind)
    moved = allan_deviation(
        phase + offset + slope * np.arange(phase.size), interval_s=1.0, data_type="phase", kind=kind
    )
    # the line is rounded to 2⁻⁵³ of 64·120; a deviation that vanishes keeps that much of it
    np.testing.assert_allclose(moved.deviation, plain.deviation, rtol=1e-9, atol=1e-11)


@settings(deadline=None)
@given(phase=signals, kind=st.sampled_from(["adev", "oadev", "mdev", "hdev", "ohdev"]))
def test_a_phase_and_its_rates_have_the_same_deviation(phase: np.ndarray, kind: Any) -> None:
    phase = np.round(phase * 64) / 64
    rate = np.diff(phase)
    by_phase = allan_deviation(phase, interval_s=0.5, data_type="phase", kind=kind)
    by_rate = allan_deviation(rate / 0.5, interval_s=0.5, data_type="rate", kind=kind)
    assert by_phase.samples == by_rate.samples
    np.testing.assert_allclose(by_rate.deviation, by_phase.deviation, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(by_rate.terms, by_phase.terms)


@settings(deadline=None)
@given(data=signals)
def test_the_power_of_all_lines_is_the_mean_square(data: np.ndarray) -> None:
    found = power_spectrum(data, rate_hz=7.0, segment=data.size, window="rectangular", detrend="none")
    up, down = cumulative_power(found.frequency_hz, found.density)
    assert up[-1] == pytest.approx(np.mean(data**2), rel=1e-12, abs=1e-200)
    assert down[0] == pytest.approx(up[-1], rel=1e-12)
    assert (np.diff(up) >= 0).all() and (np.diff(down) <= 0).all()


@settings(deadline=None)
@given(x=signals, seed=st.integers(0, 99))
def test_coherence_lies_between_nothing_and_all(x: np.ndarray, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=x.size)
    found = cross_spectrum(x, y, rate_hz=1.0, segment=max(2, x.size // 3))
    some = ~np.isnan(found.coherence)
    assert (found.coherence[some] >= 0).all() and (found.coherence[some] <= 1 + 1e-12).all()
    other = cross_spectrum(y, x, rate_hz=1.0, segment=max(2, x.size // 3))
    np.testing.assert_allclose(
        other.density, np.conj(found.density), rtol=1e-12, atol=1e-12 * np.abs(found.density).max()
    )


@settings(deadline=None)
@given(
    steps=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=60),
    p=st.floats(-2, 2), q=st.floats(-2, 2), ratio=st.floats(0.5, 2), alpha=st.floats(-0.7, 0.7),
)  # fmt: skip
def test_any_ellipse_is_found_and_its_phase_followed(
    steps: list[float], p: float, q: float, ratio: float, alpha: float
) -> None:
    truth = Ellipse(p=p, q=q, radius=1.5, ratio=ratio, alpha_rad=alpha)

    def drawn(theta: Any) -> tuple[Any, Any]:
        return p + 1.5 * np.cos(theta), q + 1.5 / ratio * np.sin(theta - alpha)

    found = fit_ellipse(*drawn(np.arange(100) * 2 * math.pi / 100))
    for name in ("p", "q", "radius", "ratio", "alpha_rad"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), abs=1e-11)
    theta = np.cumsum(steps)
    theta -= 2 * math.pi * round(theta[0] / (2 * math.pi))
    phase, _ = unwrapped_phase(*drawn(theta), ellipse=truth)
    # signals to 2⁻⁵³ of 3.5, stretched by up to ratio/cos α < 3
    np.testing.assert_allclose(phase, theta, rtol=0, atol=1e-14 + 1e-15 * np.abs(theta).max())
