"""What holds for the reference circles of any round profile, and that each is the best of its kind."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.kernels.circle import (
    least_squares_circle,
    maximum_inscribed_circle,
    minimum_circumscribed_circle,
    minimum_zone_circle,
)

ROUND = {"seed": st.integers(0, 2**32 - 1), "n": st.integers(6, 60), "form": st.sampled_from([1e-6, 1e-4, 1e-2])}
NEAR = [(0.3**k * np.cos(a), 0.3**k * np.sin(a)) for k in range(1, 16) for a in np.arange(12) * np.pi / 6]


def points(seed: int, n: int, form: float) -> tuple[np.ndarray, np.ndarray]:
    """Around (3, −2) at radius 1, with no gap of half a turn."""
    rng = np.random.default_rng(seed)
    angle = (np.arange(n) + rng.uniform(0, 0.9, n)) * 2 * np.pi / n
    radius = 1 + form * rng.uniform(-1, 1, n)
    return 3 + radius * np.cos(angle), radius * np.sin(angle) - 2


def distances(x: np.ndarray, y: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    return np.hypot(x - centre[0], y - centre[1])


@settings(deadline=None, max_examples=60)
@given(**ROUND)
def test_no_centre_nearby_is_better(seed: int, n: int, form: float) -> None:
    x, y = points(seed, n, form)
    fit, zone = least_squares_circle(x, y), minimum_zone_circle(x, y)
    around, within = minimum_circumscribed_circle(x, y), maximum_inscribed_circle(x, y)
    slack = 4e-15  # coordinates near 4 are rounded to 4.4e-16, a distance to a few of these
    for dx, dy in NEAR:
        assert np.var(distances(x, y, (fit.x + dx, fit.y + dy))) >= np.var(distances(x, y, (fit.x, fit.y))) - slack * form
        assert np.ptp(distances(x, y, (zone.x + dx, zone.y + dy))) >= zone.outer_radius - zone.inner_radius - slack
        assert distances(x, y, (around.x + dx, around.y + dy)).max() >= around.radius - slack
        assert distances(x, y, (within.x + dx, within.y + dy)).min() <= within.radius + slack


@settings(deadline=None, max_examples=60)
@given(**ROUND)
def test_the_minimum_zone_is_the_narrowest_of_the_four(seed: int, n: int, form: float) -> None:
    x, y = points(seed, n, form)
    zone = minimum_zone_circle(x, y)
    for other in (least_squares_circle(x, y), minimum_circumscribed_circle(x, y), maximum_inscribed_circle(x, y)):
        assert zone.outer_radius - zone.inner_radius <= np.ptp(distances(x, y, (other.x, other.y))) + 4e-15


@settings(deadline=None, max_examples=60)
@given(**ROUND, turn=st.floats(0, 6.28), scale=st.sampled_from([1e-3, 1.0, 2.0**20]), far=st.sampled_from([0.0, 1e3]))
def test_a_circle_moves_turns_and_grows_with_its_points(
    seed: int, n: int, form: float, turn: float, scale: float, far: float
) -> None:
    x, y = points(seed, n, form)
    c, s = np.cos(turn), np.sin(turn)
    moved_x, moved_y = scale * (c * x - s * y + far), scale * (s * x + c * y - far)
    # a place `far` away is rounded to 1.1e-13 of 1e3; a form error of 1e-6 or more keeps the same points in charge unless two
    # compete to within the rounding, and then both circles are as good: compare what is minimised, and the centre of the best fit
    allowed = 100 * np.spacing(max(8.0, far))
    fit, other = least_squares_circle(x, y), least_squares_circle(moved_x, moved_y)
    assert abs(other.x / scale - (c * fit.x - s * fit.y + far)) < allowed
    assert abs(other.y / scale - (s * fit.x + c * fit.y - far)) < allowed
    assert abs(other.radius / scale - fit.radius) < allowed
    for reference in (minimum_circumscribed_circle, maximum_inscribed_circle):
        assert abs(reference(moved_x, moved_y).radius / scale - reference(x, y).radius) < allowed
    zone, other_zone = minimum_zone_circle(x, y), minimum_zone_circle(moved_x, moved_y)
    width, other_width = zone.outer_radius - zone.inner_radius, other_zone.outer_radius - other_zone.inner_radius
    assert abs(other_width / scale - width) < allowed
