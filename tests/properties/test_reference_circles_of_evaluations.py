"""Reference circles of an evaluation, also of tied points, against a linear program written independently."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from precision.errors import DataError
from precision.kernels.circle import Zone, least_squares_circle
from precision.standards.reference_circles import (
    maximum_inscribed,
    minimum_circumscribed,
    minimum_zone,
)

COST = {"zone": (0, 0, -1, 1), "circumscribed": (0, 0, 0, 1), "inscribed": (0, 0, -1, 0)}


def about(x: Any, y: Any, a: float, b: float) -> Zone:
    radius = np.hypot(x - a, y - b)
    return Zone(a, b, radius.min(), radius.max())


def size(zone: Zone, wanted: str) -> float:
    """What is made as small as possible."""
    return float({"zone": zone.outer_radius - zone.inner_radius, "circumscribed": zone.outer_radius, "inscribed": -zone.inner_radius}[wanted])


def by_linear_program(x: Any, y: Any, wanted: str) -> Zone:
    """Minimise h − g (h; −g) subject to g ≤ r_k − u_k·δ ≤ h, linear about the present centre, and again about the next one."""
    circle = least_squares_circle(x, y)
    best, reach = about(x, y, float(circle.x), float(circle.y)), 1.0
    for _ in range(40):
        scale = best.outer_radius - best.inner_radius
        if scale <= 1e-12 * best.outer_radius or reach < 1e-4:
            break
        dx, dy = x - best.x, y - best.y
        radius = np.hypot(dx, dy)
        height = (radius - best.inner_radius) / scale
        ux, uy, one, none = dx / radius, dy / radius, np.ones(x.size), np.zeros(x.size)
        rows = np.vstack([np.stack([-ux, -uy, none, -one], axis=-1), np.stack([ux, uy, one, none], axis=-1)])
        limits = [(-reach, reach), (-reach, reach), (-3, 3), (-3, 3)]
        found = linprog(COST[wanted], A_ub=rows, b_ub=np.concatenate([-height, height]), bounds=limits, method="highs")
        now = about(x, y, best.x + found.x[0] * scale, best.y + found.x[1] * scale)
        gained = size(best, wanted) - size(now, wanted)
        best = now if gained > 0 else best
        reach = reach / 4 if gained <= 1e-9 * scale else reach
    return best


R, N = 0.15, 3600
THETA = (np.arange(N) + 0.5) * 2 * np.pi / N
SIN, COS = np.sin(THETA), np.cos(THETA)


def points(deviation: Any, angle: Any = THETA) -> tuple[Any, Any]:
    return (R + deviation) * np.cos(angle), (R + deviation) * np.sin(angle)


def width(zone: Any) -> float:
    return float(zone.outer_radius - zone.inner_radius)


TWICE = np.concatenate([THETA, THETA[::-1]])
PLAY = 1.5e-6 * np.abs(SIN)
CASES = {
    "lateral play, both directions": (np.concatenate([-PLAY, PLAY[::-1]]), TWICE, 3e-6),
    "backlash, both directions": (np.concatenate([2e-6 * np.sign(SIN) * COS, -(2e-6 * np.sign(SIN) * COS)[::-1]]), TWICE, 4e-6),
    "ellipse": (1e-6 * np.cos(2 * THETA), THETA, 2e-6),
    "150 lobes": (0.5e-6 * np.cos(150 * (THETA - THETA[0])), THETA, 1e-6),
    "one spike": (np.where(THETA < 0.01, 2e-6, 0.0), THETA, None),
    "picometres": (1e-12 * np.cos(2 * THETA), THETA, None),
    "round": (0 * THETA, THETA, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_symmetrical_and_repeated_paths_have_their_zone(name: str) -> None:
    deviation, angle, expected = CASES[name]
    x, y = points(deviation, angle)
    zone = minimum_zone(x, y)
    radius = np.hypot(x - zone.x, y - zone.y)
    # The two circles enclose every point, to the rounding of a radius of 0.15 m.
    assert radius.max() <= zone.outer_radius + 1e-16
    assert radius.min() >= zone.inner_radius - 1e-16
    assert width(zone) <= np.ptp(deviation) + 1e-15
    if expected is not None:
        # Steps and crests lie up to half a sample from a point (0.05°): 4 µm·(1 − cos 0.05°) and the like.
        assert width(zone) == pytest.approx(expected, rel=2e-6, abs=1e-15)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float64, 40, elements=st.integers(-50, 50).map(lambda v: v * 0.1e-6)))
def test_program_and_exchange_agree(profile: Any) -> None:
    angle = np.arange(40) * 2 * np.pi / 40
    x, y = points(profile, angle)
    # To 1e-7 of at most 10 µm, and the rounding of 0.15 m.
    assert width(by_linear_program(x, y, "zone")) == pytest.approx(width(minimum_zone(x, y)), rel=0, abs=2e-12)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float64, 40, elements=st.integers(-50, 50).map(lambda v: v * 0.1e-6)))
def test_circumscribed_and_inscribed_by_program_and_exchange_agree(profile: Any) -> None:
    angle = np.arange(40) * 2 * np.pi / 40
    x, y = points(profile, angle)
    assert by_linear_program(x, y, "circumscribed").outer_radius == pytest.approx(float(minimum_circumscribed(x, y).radius), rel=0, abs=2e-12)
    # The largest inscribed circle is one of several that differ in second order, (5 µm)²/(2R).
    assert by_linear_program(x, y, "inscribed").inner_radius == pytest.approx(float(maximum_inscribed(x, y).radius), rel=0, abs=2e-12 + (5e-6) ** 2 / (2 * R))


def test_a_notch_and_many_lobes_have_their_inscribed_circle() -> None:
    notch = points(np.where(THETA < 0.002, -5e-6, 0.0))
    # All but two points at R: the largest circle that stays above the notch touches it and leaves the others; it is at least R − 5 µm, and below R.
    assert R - 5e-6 <= maximum_inscribed(*notch).radius < R
    lobes = points(0.5e-6 * np.cos(150 * (THETA - THETA[0])))
    assert maximum_inscribed(*lobes).radius == pytest.approx(R - 0.5e-6, rel=0, abs=1e-13)
    assert minimum_circumscribed(*lobes).radius == pytest.approx(R + 0.5e-6, rel=0, abs=1e-13)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_program_and_exchange_agree_on_a_measured_path(seed: int) -> None:
    rng = np.random.default_rng(seed)
    deviation = 2e-6 * np.cos(3 * THETA + seed) + 5e-6 * COS + rng.normal(0, 0.2e-6, N)
    x, y = points(deviation)
    assert width(by_linear_program(x, y, "zone")) == pytest.approx(width(minimum_zone(x, y)), rel=1e-6)


def test_a_line_has_no_zone() -> None:
    with pytest.raises(DataError, match="on a line"):
        minimum_zone(np.linspace(0, 1, 50), np.linspace(0, 2, 50))
