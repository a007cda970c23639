"""What holds for a circular test whatever the path."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from precision.standards.iso230_4 import Path, Sense, Zone, circularity, evaluate

R, N = 0.15, 96
THETA = np.arange(N) * 2 * np.pi / N
# Coordinates of 0.15 m carry a rounding of 2.8e-17 m, a circle that is fitted to them a few dozen of them.
EPS = 1e-14

profiles = hnp.arrays(np.float64, N, elements=st.floats(-50e-6, 50e-6, allow_subnormal=False))


def path(deviation: Any, sense: Sense = Sense.XY, angle: Any = THETA) -> Path:
    return Path(sense=sense, angle_rad=angle, deviation_m=deviation)


@settings(max_examples=40, deadline=None)
@given(profiles, profiles)
def test_g_b_encloses_both_paths(forth: Any, back: Any) -> None:
    result = evaluate([path(forth), path(back, Sense.YX)], radius_m=R)
    both = result["G_b"]
    assert both is not None
    assert both >= max(result["G_XY"], result["G_YX"]) - EPS  # type: ignore[type-var]


@settings(max_examples=40, deadline=None)
@given(profiles)
def test_the_minimum_zone_is_at_most_the_range_from_any_circle(deviation: Any) -> None:
    least = circularity([path(deviation)], R, Zone.MINIMUM_ZONE)
    assert least <= circularity([path(deviation)], R, Zone.LEAST_SQUARES) + EPS
    assert least <= np.ptp(deviation) + EPS


@settings(max_examples=40, deadline=None)
@given(profiles, st.floats(-7, 7), st.floats(-1e-3, 1e-3))
def test_turning_the_path_or_lengthening_the_bar_leaves_g(deviation: Any, turn: float, longer: float) -> None:
    before = circularity([path(deviation)], R)
    # An angle of 7 rad is rounded by 9e-16, which moves a point of 0.15 m by 1.3e-16 m.
    assert circularity([path(deviation, angle=THETA + turn)], R) == pytest.approx(before, abs=EPS)
    # The longer circle has another curvature: eccentric parts of the profile, up to 100 µm, count as e²/2·(1/R − 1/(R + δ)).
    assert circularity([path(deviation + longer)], R) == pytest.approx(before, abs=EPS + (100e-6) ** 2 * abs(longer) / R**2)


@settings(max_examples=40, deadline=None)
@given(profiles, st.floats(-1e-4, 1e-4), st.floats(-1e-4, 1e-4))
def test_a_shift_of_the_whole_path_leaves_g(deviation: Any, x: float, y: float) -> None:
    px, py = (R + deviation) * np.cos(THETA), (R + deviation) * np.sin(THETA)
    moved = Path.from_positions(Sense.XY, px + x, py + y, radius_m=R)
    assert circularity([moved], R) == pytest.approx(circularity([path(deviation)], R), abs=EPS)


@settings(max_examples=30, deadline=None)
@given(profiles, st.floats(0.0, 2e-6))
def test_bounded_errors_move_g_by_no_more_than_their_range(deviation: Any, width: float) -> None:
    error = width * np.sign(np.sin(17 * THETA + 1)) / 2
    change = circularity([path(deviation + error)], R) - circularity([path(deviation)], R)
    # To first order; the second order is (50 µm)·(width)/R.
    assert abs(change) <= width * (1 + 1e-3) + EPS


def test_a_perfect_circle_has_no_circular_error() -> None:
    result = evaluate([path(0 * THETA), path(0 * THETA, Sense.YX)], radius_m=R)
    for key in ("G_XY", "G_YX", "G_b", "D"):
        assert math.isclose(result[key] or 0.0, 0.0, abs_tol=EPS)
