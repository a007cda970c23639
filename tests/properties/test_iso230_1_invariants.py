"""What holds for straightness, squareness and flatness whatever was measured."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from precision.standards import straightness
from precision.standards.flatness import LineReference, Plane, evaluate, grid
from precision.standards.straightness import ReferenceLine, line
from precision.uncertainty.readings import Readings

micrometres = st.floats(-10, 10, allow_subnormal=False).map(lambda v: round(v, 3) * 1e-6)
profiles = st.integers(3, 24).flatmap(lambda n: st.tuples(hnp.arrays(np.float64, n, elements=micrometres), st.lists(st.floats(0.01, 0.3), min_size=n, max_size=n)))
# Heights of 10 µm carry a rounding of 2e-21 m, slopes of 1e-3 times positions of 7 m (with offsets of 1 mm) 1e-18 m.
EPS = 1e-17


def points(profile: Any) -> tuple[Any, Any]:
    y, steps = profile
    return np.cumsum(steps), y


@settings(max_examples=60, deadline=None)
@given(profiles)
def test_the_minimum_zone_is_at_most_every_other_line(profile: Any) -> None:
    x, y = points(profile)
    least = line(x, y, ReferenceLine.MINIMUM_ZONE).error
    assert least <= line(x, y, ReferenceLine.LEAST_SQUARES).error + EPS
    assert least <= line(x, y, ReferenceLine.END_POINT).error + EPS


@settings(max_examples=40, deadline=None)
@given(profiles)
def test_the_minimum_zone_is_that_of_a_linear_program(profile: Any) -> None:
    x, y = points(profile)
    z, one = y * 1e6, np.ones_like(x)
    program = linprog([0, 0, 1], A_ub=np.block([[-x[:, None], -one[:, None], -one[:, None]], [x[:, None], one[:, None], -one[:, None]]]), b_ub=np.concatenate([-z, z]), bounds=[(None, None)] * 3)
    # The program is solved to 1e-7 of its units, µm.
    assert line(x, y, ReferenceLine.MINIMUM_ZONE).error * 1e6 == pytest.approx(2 * program.fun, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(profiles, st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3), st.sampled_from(ReferenceLine))
def test_offset_and_tilt_of_the_straightedge_do_not_matter(profile: Any, offset: float, tilt: float, reference: ReferenceLine) -> None:
    x, y = points(profile)
    before, after = line(x, y, reference), line(x, y + offset + tilt * x, reference)
    # 7 mm of tilt are rounded by 9e-19 m, twice.
    assert after.error == pytest.approx(before.error, abs=EPS)


@settings(max_examples=40, deadline=None)
@given(profiles, st.floats(0, 1e-6), st.integers(0, 10_000), st.sampled_from(ReferenceLine))
def test_bounded_errors_stay_within_the_stated_u(profile: Any, width: float, seed: int, reference: ReferenceLine) -> None:
    """For errors that are anywhere in a range, steps included, the U of a gauge with that range covers what they do."""
    x, y = points(profile)
    rng = np.random.default_rng(seed)
    error = width * (rng.integers(0, 2, x.size) - 0.5)
    if seed % 2:
        error = width * (np.sign(x - rng.uniform(x[0], x[-1])) / 2)
    readings = Readings(device=width, noise=0.0)
    result = straightness.evaluate(x, y, reference=reference, readings=readings)
    u = result.figures["E"].uncertainty
    assert u is not None
    assert abs(line(x, y + error, reference).error - line(x, y, reference).error) <= u + EPS


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, (4, 5), elements=micrometres), st.floats(-1e-5, 1e-5), st.floats(-1e-5, 1e-5))
def test_flatness_ignores_the_tilt_of_the_plate_and_the_minimum_zone_is_the_least(z: Any, tilt_x: float, tilt_y: float) -> None:
    def lines(heights: Any) -> Any:
        return grid(np.arctan(np.diff(heights, axis=1) / 0.25), np.arctan(np.diff(heights, axis=0).T / 0.2), length_m=1.0, width_m=0.6)

    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 0.6, 4))
    flat = evaluate(lines(z), line_reference=LineReference.GRAVITY)
    tilted = evaluate(lines(z + tilt_x * x + tilt_y * y), line_reference=LineReference.GRAVITY)
    assert tilted["flatness"] == pytest.approx(flat["flatness"], abs=1e-16)
    least = evaluate(lines(z), line_reference=LineReference.GRAVITY, plane=Plane.MINIMUM_ZONE)
    # The linear program is solved to 1e-7 of the flatness.
    assert least["flatness"] <= flat["flatness"] * (1 + 1e-6) + 1e-18  # type: ignore[operator]
    assert flat["closure"] == pytest.approx(0.0, abs=1e-18)
