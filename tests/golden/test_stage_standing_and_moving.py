"""In-position stability, step and settle, incremental motion and velocity ripple against closed forms (stages_and_control.md §1.4, §4.6)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import in_position, incremental_motion, step_and_settle, velocity_ripple
from precision.uncertainty.readings import Readings

RATE_HZ = 1000.0


def test_white_noise_and_drift_of_a_standing_axis() -> None:
    rng = np.random.default_rng(2)
    time = np.arange(20_000) / RATE_HZ
    x = rng.normal(scale=2e-9, size=time.size) + 0.5e-9 * time
    result = in_position.evaluate(x, rate_hz=RATE_HZ, detrend="line", bandwidth_hz=500.0)
    assert result["six_sigma"] == pytest.approx(12e-9, rel=0.02)  # sd of an rms of 20 000: 0.5 %
    drift = result.figures["drift"]
    assert drift.uncertainty is not None
    assert abs(drift.value - 0.5e-9) < drift.uncertainty < 0.02e-9  # type: ignore[operator]
    assert result.allan[0] == pytest.approx(2e-9, rel=0.02)


def test_the_rule_for_drift_decides_whether_it_counts() -> None:
    time = np.arange(10_000) / RATE_HZ
    ramp = 1e-9 * time
    kept, off = (in_position.evaluate(ramp, rate_hz=RATE_HZ, detrend=rule, bandwidth_hz=500.0) for rule in ("mean", "line"))
    assert kept["rms"] == pytest.approx(10e-9 / math.sqrt(12), rel=1e-4)
    assert off["rms"] == pytest.approx(0.0, abs=1e-20)


def test_allan_deviation_of_a_drift_rises_as_it_must() -> None:
    time = np.arange(4000) / 10.0
    result = in_position.evaluate(0.01 * 1e-6 * time, rate_hz=10.0, bandwidth_hz=5.0)
    where = int(np.argmin(np.abs(result.tau_s - 102.4)))
    assert result.allan[where] == pytest.approx(0.01e-6 * result.tau_s[where] / math.sqrt(2), rel=1e-6)


def test_uncertainty_of_rms_covers_the_noise_of_the_sensor() -> None:
    rng = np.random.default_rng(4)
    still = 1e-9 * np.sin(2 * np.pi * 7 * np.arange(5000) / RATE_HZ)
    result = in_position.evaluate(still + rng.normal(scale=2e-9, size=5000), rate_hz=RATE_HZ, readings=Readings(device=0, noise=2e-9))
    figure = result.figures["rms"]
    assert abs(figure.value - 1e-9 / math.sqrt(2)) < figure.uncertainty  # type: ignore[operator]
    assert any("bandwidth" in flag for flag in result.flags)


def test_a_sensor_that_shows_a_few_values_only_is_flagged() -> None:
    result = in_position.evaluate(np.tile([0.0, 1e-9], 500), rate_hz=RATE_HZ, bandwidth_hz=100.0)
    assert any("only 2 values" in flag for flag in result.flags)


def steps(count: int = 6) -> tuple[np.ndarray, np.ndarray, list[float]]:
    time = np.arange(5000 * count) / 10_000.0
    within = time % 0.5
    return time, 1000e-9 * np.exp(-40 * within) * np.cos(2 * np.pi * 60 * within), [0.5 * k for k in range(count)]


def test_every_step_settles_after_each_definition() -> None:
    time, error, ends = steps()
    limits = step_and_settle.Limits(band=10e-9, dwell_s=0.001, window_s=0.01, mean=5e-9, std=5e-9)
    result = step_and_settle.evaluate(time, error, ends, limits)
    assert 0.1099 <= result["t_exit_mean"] <= 0.1100  # type: ignore[operator]
    assert result["t_entry_max"] < result["t_moving_max"] < result["t_exit_max"] + 0.05  # type: ignore[operator]
    assert result["t_exit_sd"] == pytest.approx(0.0, abs=1e-9)


def test_a_step_that_never_settles_is_named_and_leaves_no_mean() -> None:
    time, error, ends = steps()
    error[-5000:] = 1e-6
    result = step_and_settle.evaluate(time, error, ends, step_and_settle.Limits(band=10e-9, dwell_s=0.001))
    assert result["t_exit_mean"] is None
    assert "step 6 of 6" in str(result.figures["t_exit_mean"].reason)


def staircase(step: float, noise: float, count: int = 10, each: int = 50) -> tuple[np.ndarray, np.ndarray]:
    number = np.repeat(np.arange(count + 1), each)
    return step * number + np.random.default_rng(6).normal(scale=noise, size=number.size), number


def test_steps_above_the_noise_are_monotonic_with_their_mean_inside_its_uncertainty() -> None:
    x, number = staircase(1e-9, 0.5e-9)
    result = incremental_motion.evaluate(x, number, commanded_step=1e-9)
    figure = result.figures["mean_step"]
    assert result.monotonic
    assert abs(figure.value - 1e-9) < figure.uncertainty  # type: ignore[operator]
    assert result["sd_step"] == pytest.approx(0.5e-9 * math.sqrt(2 / 50), rel=0.5)


def test_the_uncertainty_of_the_mean_of_six_steps_covers_it() -> None:
    """Steps with independent deviations, as of a mechanism that slips: 95.45 % of 2000 means lie within U (sd of the share 0.47 %; k = 2 covers 90 %)."""
    rng = np.random.default_rng(11)
    number = np.repeat(np.arange(7), 2)
    inside = 0
    for _ in range(2000):
        x = np.repeat(np.concatenate([[0.0], np.cumsum(rng.normal(1e-9, 0.2e-9, size=6))]), 2)
        found = incremental_motion.evaluate(x, number, commanded_step=1e-9).figures["mean_step"]
        inside += abs(found.value - 1e-9) <= found.uncertainty  # type: ignore[operator]
    assert inside / 2000 == pytest.approx(0.9545, abs=0.0145)


def test_steps_below_the_noise_are_flagged() -> None:
    x, number = staircase(1e-11, 5e-9)
    result = incremental_motion.evaluate(x, number, commanded_step=1e-11)
    assert not result.monotonic
    assert "not monotonic" in result.flags[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_periodic_error_comes_back_with_period_and_amplitude(sign: int) -> None:
    time = np.arange(20_000) / 10_000.0
    place = sign * 0.01 * time  # 20 mm
    x = place + 20e-9 * np.sin(2 * np.pi * place / 20e-6)
    result = velocity_ripple.evaluate(x, rate_hz=10_000.0, set_velocity=sign * 0.01)
    wave = result.waves[0]
    assert wave.period == pytest.approx(20e-6, rel=1e-3)
    assert wave.amplitude == pytest.approx(20e-9, rel=0.02)
    omega = 2 * math.pi * 500 / 10_000.0  # the slope of five samples passes this share of a sine of 500 Hz
    passed = (math.sin(omega) + 2 * math.sin(2 * omega)) / (omega * 5)
    assert result["ripple_rms"] == pytest.approx(passed * 2 * math.pi * 20e-9 / 20e-6 / math.sqrt(2), rel=1e-3)


def test_the_slope_of_three_samples_is_the_central_difference_with_its_bandwidth() -> None:
    result = velocity_ripple.evaluate(np.arange(100) * 1e-6, rate_hz=1000.0, set_velocity=1e-3, half_width=1)
    f = result.bandwidth_hz
    assert math.sin(2 * math.pi * f / 1000) / (2 * math.pi * f / 1000) == pytest.approx(math.sqrt(0.5), rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: in_position.evaluate(np.zeros(5), rate_hz=1.0),
        lambda: in_position.evaluate(np.zeros(100), rate_hz=1.0, bandwidth_hz=2.0),
        lambda: incremental_motion.evaluate(np.zeros(10), np.repeat([0, 1], 5), commanded_step=1.0),
        lambda: velocity_ripple.evaluate(np.zeros(100), rate_hz=1.0, set_velocity=1.0),
        lambda: velocity_ripple.evaluate(np.arange(100.0), rate_hz=1.0, set_velocity=-1.0),
        lambda: step_and_settle.evaluate([0, 1, 2, 3, 4], [0, 0, 0, 0, 0], [0.0, 3.0], step_and_settle.Limits(band=1.0, dwell_s=0.0)),
        lambda: step_and_settle.evaluate(*steps(), step_and_settle.Limits(band=1e-8, dwell_s=0.0, window_s=0.01)),
    ],
)
def test_what_cannot_be_judged_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError):
        make()
