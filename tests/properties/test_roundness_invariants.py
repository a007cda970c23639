"""What holds for roundness whatever the profile."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from precision.standards.roundness import evaluate

R, N = 0.02, 72
ANGLE = np.arange(N) * 2 * np.pi / N
# Coordinates of 20 mm carry a rounding of 3.5e-18 m; a circle fitted to them a few dozen of them.
EPS = 1e-15

profiles = hnp.arrays(np.float64, N, elements=st.floats(-10e-6, 10e-6, allow_subnormal=False))


@settings(max_examples=50, deadline=None)
@given(profiles)
def test_the_minimum_zone_is_the_least_of_all_and_lsq_rms_the_least_rms(profile: Any) -> None:
    result = evaluate(profile, base_radius_m=R)
    least = result["RONt_MZC"]
    for name in ("LSC", "MCC", "MIC"):
        assert least <= result[f"RONt_{name}"] + EPS  # type: ignore[operator]
    for name in ("MZC", "MCC", "MIC"):
        assert result["RONq_LSC"] <= result[f"RONq_{name}"] + EPS  # type: ignore[operator]
    for name in ("LSC", "MZC", "MCC", "MIC"):
        assert result[f"RONp_{name}"] + result[f"RONv_{name}"] == pytest.approx(result[f"RONt_{name}"], abs=EPS)  # type: ignore[operator]


@settings(max_examples=30, deadline=None)
@given(profiles, st.integers(0, N - 1))
def test_the_start_of_the_trace_does_not_matter(profile: Any, start: int) -> None:
    before, after = evaluate(profile, base_radius_m=R, low_pass_upr=15), evaluate(np.roll(profile, start), base_radius_m=R, low_pass_upr=15)
    for name in ("LSC", "MZC", "MCC"):
        assert after[f"RONt_{name}"] == pytest.approx(before[f"RONt_{name}"], abs=EPS)
    assert after.amplitude_m == pytest.approx(before.amplitude_m, abs=EPS)


@settings(max_examples=30, deadline=None)
@given(profiles, st.floats(-1e-4, 1e-4), st.floats(-10, 10))
def test_the_zero_of_the_instrument_and_the_turn_of_the_part_do_not_matter(profile: Any, zero: float, turn: float) -> None:
    before = evaluate(profile, base_radius_m=R)
    after = evaluate(profile + zero, base_radius_m=R, angle_rad=ANGLE + turn)
    # Another radius bends eccentric parts of the profile (20 µm) by e²·|δ|/R² at most.
    assert after["RONt_MZC"] == pytest.approx(before["RONt_MZC"], abs=EPS + (20e-6) ** 2 * abs(zero) / R**2)


@settings(max_examples=30, deadline=None)
@given(profiles)
def test_a_low_pass_never_adds_to_the_harmonics(profile: Any) -> None:
    raw, smooth = evaluate(profile, base_radius_m=R), evaluate(profile, base_radius_m=R, low_pass_upr=15)
    assert np.all(smooth.amplitude_m <= raw.amplitude_m + EPS)
