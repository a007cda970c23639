"""Settling times of a decaying oscillation (stages_and_control.md §1.4)."""

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.settling import first_entry, last_exit, moving

RATE_HZ = 10_000.0
TIME_S = np.arange(4000) / RATE_HZ
ERROR_NM = 1000 * np.exp(-40 * TIME_S) * np.cos(2 * np.pi * 60 * TIME_S)


@pytest.mark.parametrize(("band_nm", "published_s"), [(100, 0.05180), (10, 0.11000), (1, 0.16830)])
def test_last_exit_lies_in_the_sample_before_the_first_one_that_stays_inside(band_nm: float, published_s: float) -> None:
    found = last_exit(TIME_S, ERROR_NM, band=band_nm).time_s
    assert found is not None
    assert published_s - 1 / RATE_HZ <= found <= published_s + 1e-12


@pytest.mark.parametrize(("band_nm", "published_s"), [(100, 0.00390), (10, 0.01250), (1, 0.01250)])
def test_first_entry_is_much_earlier_than_the_last_exit(band_nm: float, published_s: float) -> None:
    found = first_entry(TIME_S, ERROR_NM, band=band_nm, dwell_s=0.0).time_s
    assert found is not None
    assert published_s - 1 / RATE_HZ <= found <= published_s + 1e-12


def test_first_entry_with_a_dwell_as_long_as_the_oscillation_is_the_last_exit() -> None:
    assert first_entry(TIME_S, ERROR_NM, band=100.0, dwell_s=0.2).time_s == last_exit(TIME_S, ERROR_NM, band=100.0).time_s


def test_the_crossing_is_interpolated_also_where_the_error_changes_sign() -> None:
    assert last_exit([0, 1, 2, 3, 4], [3.0, -1.0, 0.0, 0.0, 0.0], band=2.0).time_s == 0.25


def test_inside_from_the_start_is_zero_and_time_before_zero_does_not_count() -> None:
    assert last_exit([-1.0, 0.0, 1.0], [9.0, 0.5, 0.2], band=1.0).time_s == 0.0


def test_a_band_below_the_noise_is_said_so_and_gives_no_time() -> None:
    noise = np.random.default_rng(1).normal(size=2000)
    found = last_exit(np.arange(2000) / 1e3, noise, band=0.5)
    assert found.time_s is None
    assert "band below noise" in str(found.reason)
    assert found.figure().value is None


def test_a_record_that_ends_outside_has_no_settling_time() -> None:
    found = last_exit(np.arange(100) / 1e3, np.full(100, 5.0), band=1.0)
    assert found.time_s is None
    assert "never settled" in str(found.reason)


def test_moving_settles_where_both_limits_hold_for_good() -> None:
    centre = np.arange(6.0)
    found = moving(centre, [4, 2, 0.5, 0.5, 0.5, 0.5], [0.1, 0.1, 3.0, 1.0, 0.2, 0.2], mean_limit=1.0, std_limit=2.0)
    assert found.time_s == 2.5  # MSD falls from 3 to 1 between windows 2 and 3, and is 2 halfway


@pytest.mark.parametrize(("keywords", "words"), [({"band": 0.0}, "band"), ({"band": float("nan")}, "band")])
def test_a_band_that_is_none_is_refused(keywords: dict[str, float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        last_exit(TIME_S, ERROR_NM, **keywords)


def test_a_reason_and_a_definition_name_their_unit() -> None:
    time_s = np.arange(2000) / 1e3
    still = last_exit(time_s, np.full(2000, 2.5e-7), band=1e-8, unit="m")
    assert still.reason == "never settled: at the end of the record the error is 250 nm, the band ±10 nm"
    noisy = last_exit(time_s, np.random.default_rng(1).normal(0, 8e-9, 2000), band=5e-9, unit="m")
    assert "nm about its mean, the band is ±5 nm" in str(noisy.reason)
    found = moving(np.arange(4.0), [3e-9, 0, 0, 0], [0, 0, 0, 0], mean_limit=2e-9, std_limit=2.5e-9, unit="m")
    assert found.stated == "|MA| ≤ 2 nm and MSD ≤ 2.5 nm"
    assert "band ±0.206 arcsec, for at least 0.01 s" in first_entry(time_s, np.zeros(2000), band=1e-6, dwell_s=0.01, unit="rad").stated


def test_a_lobe_that_just_leaves_the_band_does_not_blur_the_crossing_behind_it() -> None:
    """ζ = 0.5, ω = 40 1/s, 5 mm: the undershoot of 133 µm leaves the band of 100 µm by 16 times the noise. e' at the crossing is 3.4 mm/s, so 4σ/|e'| is 2.3 ms."""
    t, damping, omega = np.arange(1000) * 1e-3, 0.5, 40.0
    damped, phase = omega * np.sqrt(1 - damping**2), np.arccos(damping)
    error = 5e-3 * np.exp(-damping * omega * t) * np.sin(damped * t + phase) / np.sin(phase)
    exact = last_exit(t, error, band=1e-4).time_s
    found = last_exit(t, error + np.random.default_rng(1).normal(scale=2e-6, size=t.size), band=1e-4)
    assert exact is not None and found.time_s is not None
    assert abs(found.time_s - exact) < found.resolution_s + found.noise_s < 8e-3
