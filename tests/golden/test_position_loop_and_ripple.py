"""A position loop with a dead time, and waves along the travel, against motions of which both are known in closed form."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import position_loop, position_ripple

RATE_HZ = 1000.0
ACCELERATION, FEED, STROKE = 1.5, 0.1, 0.12
RAMP_S = FEED / ACCELERATION
LEG_S = STROKE / FEED + RAMP_S
REST_S = 0.4
TIME_S = np.arange(0, 2 * (LEG_S + REST_S) + REST_S, 1 / RATE_HZ)
CORNERS = [(start + at, sign * size * ACCELERATION) for start, sign in ((REST_S, 1), (2 * REST_S + LEG_S, -1)) for at, size in ((0.0, 1), (RAMP_S, -1), (LEG_S - RAMP_S, -1), (LEG_S, 1))]
"""When the acceleration of the set-point changes, and by how much."""


def set_point(t: np.ndarray) -> np.ndarray:
    """A trapezoid of velocity up and one down: a sum of parabolas."""
    return np.asarray(sum(step / 2 * np.clip(t - at, 0, None) ** 2 for at, step in CORNERS))


def answer(t: np.ndarray, lag: float, dead: float) -> np.ndarray:
    """Of a loop of first order with a dead time to the parabolas: a/2 τ'² − a τ τ' + a τ² (1 − e^(−τ'/τ)), τ' the time since the corner."""
    total = np.zeros_like(t)
    for at, step in CORNERS:
        since = np.clip(t - at - dead, 0, None)
        total += step * (since**2 / 2 - lag * since + lag**2 * -np.expm1(-since / lag))
    return total


@pytest.mark.parametrize(("gain", "dead"), [(250.0, 0.7e-3), (250.0, 0.0), (50.0, 3.3e-3), (120.0, -1.6e-3)])
def test_gain_and_dead_time_are_told_apart(gain: float, dead: float) -> None:
    noise = np.random.default_rng(3).normal(scale=2e-8, size=TIME_S.size)
    found = position_loop.evaluate(set_point(TIME_S), answer(TIME_S, 1 / gain, dead) + noise, rate_hz=RATE_HZ)
    for key, true in (("loop_gain", gain), ("dead_time", dead)):
        figure = found.figures[key]
        assert figure.value is not None and figure.uncertainty is not None, figure
        assert abs(figure.value - true) <= figure.uncertainty
    assert found.figures["loop_gain"].uncertainty < 0.02 * gain  # type: ignore[operator]
    assert found.figures["dead_time"].uncertainty < 0.1e-3  # type: ignore[operator]


def test_a_loop_with_feed_forward_has_no_gain_here() -> None:
    """ÿ follows with 98 % of the velocity fed forward: the lag is (1 − f)/K_v, while the transients decay with K_v."""
    from scipy.signal import lfilter

    gain, pole = 60.0, math.exp(-60.0 / RATE_HZ)
    e = lfilter([0.02 * (1 - pole) / gain * RATE_HZ], [1, -pole], np.diff(set_point(TIME_S), prepend=0.0))
    e += 3e-3**2 * np.gradient(np.gradient(set_point(TIME_S))) * RATE_HZ**2
    found = position_loop.evaluate(set_point(TIME_S), set_point(TIME_S) - e, rate_hz=RATE_HZ)
    assert found["loop_gain"] is None and "feed-forward" in str(found.figures["loop_gain"].reason)


def test_no_error_has_no_gain_and_bad_input_is_named() -> None:
    same = position_loop.evaluate(set_point(TIME_S), set_point(TIME_S), rate_hz=RATE_HZ)
    assert same["loop_gain"] is None and "do not differ" in str(same.figures["loop_gain"].reason)
    with pytest.raises(DataError, match="actual has shape"):
        position_loop.evaluate(set_point(TIME_S), set_point(TIME_S)[:-1], rate_hz=RATE_HZ)


@pytest.mark.parametrize("seed", range(6))
def test_the_period_of_a_wave_comes_back_within_its_uncertainty(seed: int) -> None:
    rng = np.random.default_rng(seed)
    period, amplitude, phase = 16e-3 * (1 + 0.1 * rng.uniform(-1, 1)), 1e-7, rng.uniform(0, 6)
    places = [np.linspace(0.3, 0.49, 1900) + 1e-4 * k for k in range(3)]
    errors = [5e-4 + 1e-6 * k + amplitude * np.sin(2 * math.pi * x / period + phase) + 2e-8 * rng.normal(size=x.size) for k, x in enumerate(places)]
    found = position_ripple.wave(places, errors, period * 1.03)
    assert found.stands_out
    # U is k = 2: 1.5 U is 3σ.
    assert abs(found.period - period) < 1.5 * found.period_u < 20e-6
    assert abs(found.amplitude - amplitude) < 1.5 * found.amplitude_u < 4e-9


def test_the_strongest_line_of_noise_does_not_stand_out() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(0, 0.2, 2000)
    told = 0
    for _ in range(60):
        e = rng.normal(size=x.size)
        lines = np.abs(np.fft.rfft(e))[4:-1]
        told += position_ripple.wave([x], [e], 0.2 / (4 + int(np.argmax(lines)))).stands_out
    assert told <= 4  # one in a hundred; 5 of 60 would be one in 2500


def test_an_error_of_nothing_has_no_wave() -> None:
    x = np.linspace(0, 0.2, 2000)
    found = position_ripple.wave([x], [np.zeros_like(x)], 0.01)
    assert not found.stands_out and found.amplitude == 0


def test_waves_that_are_too_long_are_refused() -> None:
    x = np.linspace(0, 0.2, 2000)
    with pytest.raises(DataError, match="3 periods"):
        position_ripple.wave([x], [np.sin(x)], 0.1)
    with pytest.raises(DataError, match="one pair"):
        position_ripple.wave([x], [x[:-1]], 0.01)


@pytest.mark.parametrize("period_mm", [6.0, 7.3, 13.0])
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0, 3.0])
def test_a_wave_along_the_travel_is_in_the_uncertainty_of_the_loop(period_mm: float, phase: float) -> None:
    """A wave meets the accelerations at the same places each time: repeating does not average it, and residuals at constant velocity do not tell what it does there."""
    gain, dead = 50.0, 2.5e-3
    actual = answer(TIME_S, 1 / gain, dead)
    noise = np.random.default_rng(5).normal(scale=2e-7, size=actual.size)
    waved = actual + 4e-6 * np.sin(2 * np.pi * actual / (period_mm * 1e-3) + phase) + noise
    found = position_loop.evaluate(set_point(TIME_S), waved, rate_hz=RATE_HZ).figures
    for key, truth in (("loop_gain", gain), ("dead_time", dead)):
        value, u = found[key].value, found[key].uncertainty
        assert value is not None and u is not None
        assert abs(value - truth) <= u
    assert (found["loop_gain"].uncertainty or math.inf) < 0.03 * gain  # and still says something
