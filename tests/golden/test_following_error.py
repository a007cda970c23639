"""Following error against motions whose shift, lag and ripple are known (stages_and_control.md §1.4, §5.5)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.trajectory import Limits, plan
from precision.standards.following_error import Result, evaluate

RATE_HZ = 10_000.0
MOVE = plan(0.2, Limits(velocity=0.5, acceleration=10, jerk=800, snap=64000), sampling_s=1 / RATE_HZ)
REST_S = 0.05
LEG_S = MOVE.duration_s + REST_S
TIME_S = np.arange(int((2 * LEG_S + REST_S) * RATE_HZ)) / RATE_HZ


def there_and_back(time_s: np.ndarray) -> np.ndarray:
    return MOVE.at(time_s - REST_S).position - MOVE.at(time_s - REST_S - LEG_S).position


SET_POINT = there_and_back(TIME_S)


def part(found: Result, phase: str, direction: str):  # type: ignore[no-untyped-def]
    return next(one for one in found.parts if (one.phase, one.direction) == (phase, direction))


def test_an_offset_of_one_sample_is_50_um_at_half_a_metre_per_second() -> None:
    found = evaluate(SET_POINT, there_and_back(TIME_S - 1 / RATE_HZ), rate_hz=RATE_HZ)
    # The phase holds the samples with less than 1 % of the acceleration: a little slower at its ends.
    assert part(found, "constant velocity", "forward").largest == pytest.approx(50e-6, rel=1e-9)
    assert part(found, "constant velocity", "forward").mean == pytest.approx(50e-6, rel=1e-6)
    assert part(found, "constant velocity", "backward").mean == pytest.approx(-50e-6, rel=1e-6)
    assert found["time_shift"] == pytest.approx(1e-4, abs=1e-9)
    assert found["e_max_without_shift"] == pytest.approx(0, abs=1e-9)
    assert any("1 samples apart" in flag for flag in found.flags)


@pytest.mark.parametrize("samples", [0.37, -2.6, 25.0])
def test_a_time_shift_of_parts_of_a_sample_comes_back_also_with_noise_and_offset(samples: float) -> None:
    noise = np.random.default_rng(5).normal(scale=1e-7, size=TIME_S.size)
    found = evaluate(SET_POINT, there_and_back(TIME_S - samples / RATE_HZ) + noise + 3e-6, rate_hz=RATE_HZ)
    shift = found.figures["time_shift"]
    assert shift.value is not None and shift.uncertainty is not None
    assert abs(shift.value - samples / RATE_HZ) < 1.5 * shift.uncertainty  # 3σ
    assert shift.uncertainty < 1e-7


def test_a_velocity_loop_lags_by_velocity_over_its_gain() -> None:
    """y' = K_v (r − y), K_v = 50 /s at 2 m/min: e = 666.67 µm."""
    from scipy.signal import lfilter

    move = plan(0.05, Limits(velocity=2 / 60, acceleration=1, jerk=100))
    t = np.arange(0, 2 * move.duration_s + 0.6, 1e-3)
    r = move.at(t).position - move.at(t - move.duration_s - 0.3).position
    pole = np.exp(-50 * 1e-3)
    # Response to a ramp between samples: e_{k+1} = p e_k + (1 − p)/K_v·Δr/Ts.
    e = lfilter([(1 - pole) / 50 / 1e-3], [1, -pole], np.diff(r, prepend=r[0]))
    found = evaluate(r, r - e, rate_hz=1000.0)
    assert part(found, "constant velocity", "forward").largest == pytest.approx(666.667e-6, rel=1e-5)
    assert found["k_v"] == pytest.approx(50, rel=0.02)  # the first 20 ms after the acceleration still settle
    assert found["e_max"] == pytest.approx(666.667e-6, rel=1e-4)


def test_phases_are_told_apart_by_direction() -> None:
    found = evaluate(SET_POINT, SET_POINT, rate_hz=RATE_HZ)
    assert {(one.phase, one.direction) for one in found.parts} == {
        (phase, direction) for phase in ("acceleration", "constant velocity", "deceleration") for direction in ("forward", "backward")
    } | {("standstill", "none")}
    assert sum(one.samples for one in found.parts) == SET_POINT.size
    assert abs(part(found, "constant velocity", "forward").samples - MOVE.times_s[-1] * RATE_HZ) < 0.05 * MOVE.times_s[-1] * RATE_HZ + 40
    assert found["e_max"] == 0 and found["k_v"] is None


def test_an_error_only_while_decelerating_backward_shows_there_alone() -> None:
    error = np.zeros_like(SET_POINT)
    clean = evaluate(SET_POINT, SET_POINT, rate_hz=RATE_HZ)
    velocity, acceleration = np.gradient(SET_POINT), np.gradient(np.gradient(SET_POINT))
    error[(velocity < -1e-5) & (acceleration > 1e-7)] = 2e-6
    found = evaluate(SET_POINT, SET_POINT - error, rate_hz=RATE_HZ)
    assert len(clean.parts) == len(found.parts)
    assert part(found, "deceleration", "backward").largest == pytest.approx(2e-6)
    assert part(found, "acceleration", "backward").largest == 0
    assert part(found, "deceleration", "forward").largest == 0


def test_ripple_along_the_travel_has_its_period_in_both_directions() -> None:
    found = evaluate(SET_POINT, SET_POINT + 4e-7 * np.sin(2 * np.pi * SET_POINT / 2e-3), rate_hz=RATE_HZ)
    for direction in ("forward", "backward"):
        ripple = found.ripple[direction]
        assert ripple is not None
        assert ripple.waves[0].period == pytest.approx(2e-3, rel=0.02)  # lines of the spectrum lie 1/travel apart
        assert ripple.waves[0].amplitude == pytest.approx(4e-7, rel=0.16)  # a Hann window loses up to 1.42 dB between lines


def test_one_direction_only_is_flagged() -> None:
    one_way = MOVE.at(TIME_S - REST_S).position
    assert any("both directions" in flag for flag in evaluate(one_way, one_way - 1e-6, rate_hz=RATE_HZ).flags)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="set-point stays"):
        evaluate(np.ones(100), np.ones(100), rate_hz=1000.0)
    with pytest.raises(DataError, match="actual has shape"):
        evaluate(SET_POINT, SET_POINT[:-1], rate_hz=1000.0)


def test_what_an_axis_still_answers_counts_as_acceleration_and_as_settling() -> None:
    """A loop of 200 /s takes 8/200 s to settle to e⁻⁸; v/K_v is then met to that part, where without settling the first samples spoil it."""
    from scipy.signal import lfilter

    pole = np.exp(-200 / RATE_HZ)
    e = lfilter([(1 - pole) / 200 * RATE_HZ], [1, -pole], np.diff(SET_POINT, prepend=SET_POINT[0]))
    found = evaluate(SET_POINT, SET_POINT - e, rate_hz=RATE_HZ, settle_s=0.04)
    assert found["velocity_lag"] == pytest.approx(1 / 200, rel=2e-4)
    bare = evaluate(SET_POINT, SET_POINT - e, rate_hz=RATE_HZ)
    assert abs(bare["velocity_lag"] - 1 / 200) > 5 * abs(found["velocity_lag"] - 1 / 200)  # type: ignore[operator]
    assert {(one.phase, one.direction) for one in found.parts if one.phase == "settling"} == {("settling", "forward"), ("settling", "backward")}
    assert part(found, "settling", "forward").samples == 400 and part(found, "settling", "forward").mean > 0 > part(found, "settling", "backward").mean
    assert abs(found.error[-1]) < math.exp(-8) * part(found, "settling", "backward").largest
    assert sum(one.samples for one in found.parts) == SET_POINT.size


def test_what_comes_before_its_cause_counts_with_it() -> None:
    """A centred shaper of two equal impulses 10 ms apart: before and after each acceleration, by 5 ms, it does already what is to come; e = −a/2·(5 ms)² within."""
    reach = 5e-3
    shaped = (there_and_back(TIME_S - reach) + there_and_back(TIME_S + reach)) / 2
    found = evaluate(SET_POINT, shaped, rate_hz=RATE_HZ, settle_s=reach, lead_s=reach)
    bare = evaluate(SET_POINT, shaped, rate_hz=RATE_HZ, settle_s=reach)
    assert found["e_max"] == pytest.approx(10 / 2 * reach**2, rel=0.02)  # the acceleration of 10 m/s² holds for little longer than 10 ms
    # up to 1 % of the largest acceleration counts as none, and up to 0.1 % of the largest velocity as standing: 0.5 mm/s that is reached within 1 ms
    assert found["max_constant_velocity_forward"] < 0.01 * found["e_max"] < bare["max_constant_velocity_forward"]  # type: ignore[operator]
    assert found["max_standstill"] < 0.5e-6  # type: ignore[operator]
    assert part(found, "constant velocity", "backward").samples == part(bare, "constant velocity", "backward").samples - 50
    assert part(found, "acceleration", "forward").samples == part(bare, "acceleration", "forward").samples + 50
    assert sum(one.samples for one in found.parts) == SET_POINT.size


def test_a_stretch_at_constant_velocity_that_is_too_short_is_none() -> None:
    whole = evaluate(SET_POINT, SET_POINT - 1e-6 * np.gradient(SET_POINT) * RATE_HZ, rate_hz=RATE_HZ)
    length_s = part(whole, "constant velocity", "forward").samples / RATE_HZ
    none = evaluate(SET_POINT, SET_POINT - 1e-6 * np.gradient(SET_POINT) * RATE_HZ, rate_hz=RATE_HZ, shortest_s=length_s + 1e-3)
    assert all(one.phase != "constant velocity" for one in none.parts)
    assert none["velocity_lag"] is None and none.ripple == {"forward": None, "backward": None}
    assert sum(one.samples for one in none.parts) == SET_POINT.size
