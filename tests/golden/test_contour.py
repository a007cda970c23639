"""Contour error: closed forms of lines, circles, corners and a path that crosses itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.contour import Toolpath, contour_error


@pytest.fixture(autouse=True, params=["0", "1"], ids=["numpy", "numba"])
def tier(request, monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, request.param)


def deviation(path, points, commanded, window_m=1.0):
    points = np.atleast_2d(np.asarray(points, float)).T
    return contour_error(path, points, np.atleast_1d(np.asarray(commanded, float)), window_m=window_m)


def circle(radius, sweep=2 * math.pi, centre=(0.0, 0.0)):
    """From (radius, 0) of the centre onward by the sweep."""
    end = (centre[0] + radius * math.cos(sweep), centre[1] + radius * math.sin(sweep))
    return Toolpath(
        np.array([[centre[0] + radius, end[0]], [centre[1], end[1]]]),
        np.array([[centre[0]], [centre[1]]]),
        np.array([sweep]),
    )


def test_a_line_at_thirty_degrees_against_the_tangent_formula():
    # −e_x sin θ + e_y cos θ with e = (12, 5) µm: −1.669873 µm
    angle, length = math.radians(30), 0.1
    line = Toolpath(np.array([[0, length * math.cos(angle)], [0, length * math.sin(angle)]]))
    middle = np.array([length / 2 * math.cos(angle), length / 2 * math.sin(angle)])
    result = deviation(line, middle + np.array([12e-6, 5e-6]), 0.05)
    assert result.deviation_m[0] * 1e6 == pytest.approx(-1.669873, abs=5e-7)
    assert result.path_m[0] == pytest.approx(0.05 + 12e-6 * math.cos(angle) + 5e-6 * math.sin(angle), abs=1e-15)


@pytest.mark.parametrize(
    ("radius_mm", "lag_mm", "radial_mm"), [(5.0, 0.2, 0.0), (10.0, 0.3, 0.004), (10.0, 0.6, 0.02), (10.0, 0.6, -0.02)]
)
@pytest.mark.parametrize("turn", [1, -1])
def test_on_a_circle_the_lag_does_not_count_and_the_radial_error_does_whole(radius_mm, lag_mm, radial_mm, turn):
    radius, at = radius_mm * 1e-3, turn * 2.0
    angle = at - turn * lag_mm / radius_mm
    point = (radius + radial_mm * 1e-3) * np.array([math.cos(angle), math.sin(angle)])
    result = deviation(circle(radius, turn * 2 * math.pi), point, abs(at) * radius, window_m=0.005)
    # counter-clockwise, left is inside; differences of numbers of 10 mm: 4 · 2⁻⁵³ · 10 mm
    assert result.deviation_m[0] == pytest.approx(-turn * radial_mm * 1e-3, abs=5e-18)
    assert result.path_m[0] == pytest.approx(abs(at) * radius - lag_mm * 1e-3, abs=1e-16)


def test_at_a_corner_the_distance_is_to_the_corner_and_the_side_is_outside():
    # left by 135°: beyond the corner the plain side of the first line would be wrong
    c, s = math.cos(math.radians(135)), math.sin(math.radians(135))
    corner = Toolpath(np.array([[0.0, 1.0, 1.0 + c], [0.0, 0.0, s]]))
    outside = [(1.003, 0.0), (1.003, 0.001), (1.003, -0.004), (1.001, 0.0009)]
    for point in outside:
        for commanded in (0.99, 1.0, 1.01):
            result = deviation(corner, point, commanded, window_m=0.1)
            assert result.deviation_m[0] == pytest.approx(-math.hypot(point[0] - 1, point[1]), rel=1e-12)
            assert result.path_m[0] == pytest.approx(1.0) and not result.beyond_end[0]


def test_inside_a_corner_the_nearer_line_decides():
    corner = Toolpath(np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    result = deviation(corner, [(0.9, 0.02), (0.98, 0.1)], [0.95, 1.05], window_m=0.2)
    assert result.deviation_m == pytest.approx([0.02, 0.02], rel=1e-14)
    assert result.path_m == pytest.approx([0.9, 1.1], rel=1e-14)


def test_beyond_the_ends_the_distance_is_to_the_end_and_says_so():
    line = Toolpath(np.array([[0.0, 1.0], [0.0, 0.0]]))
    result = deviation(line, [(-0.3, 0.4), (1.3, -0.4), (0.5, -0.1)], [0.0, 1.0, 0.5])
    assert result.deviation_m == pytest.approx([0.5, -0.5, -0.1], rel=1e-15)
    assert result.path_m.tolist() == [0.0, 1.0, 0.5]
    assert result.beyond_end.tolist() == [True, True, False]


def figure_eight():
    """Two straight lines that cross in the origin, joined by two arcs of 270°."""
    r = 0.01
    a = r * math.sqrt(0.5)
    right, left = (2 * a, 0.0), (-2 * a, 0.0)
    points = np.array([[-a, a, a, -a, -a], [-a, a, -a, a, -a]])
    centres = np.array([[0, right[0], 0, left[0]], [0, right[1], 0, left[1]]])
    return Toolpath(points, centres, np.array([0.0, -1.5 * math.pi, 0.0, 1.5 * math.pi])), r


def test_where_a_path_crosses_itself_the_commanded_pass_counts():
    path, r = figure_eight()
    # near the crossing, on the first line, 3 µm to its right and nearer to the second line
    onward, right = np.array([1, 1]) / math.sqrt(2), np.array([1, -1]) / math.sqrt(2)
    point = 1e-6 * onward + 3e-6 * right
    first = deviation(path, point, r, window_m=r / 2)
    assert first.deviation_m[0] == pytest.approx(-3e-6, abs=1e-17)
    # the second line runs from (a, −a) to (−a, a): the same place, commanded there, lies 1 µm to its right
    second = deviation(path, point, r + r + 1.5 * math.pi * r + r, window_m=r / 2)
    assert second.deviation_m[0] == pytest.approx(-1e-6, abs=1e-17)


def test_an_arc_of_three_quarters_ends_in_its_end_points():
    # in the open quarter the nearest point is an end of the arc, not the circle
    result = deviation(circle(1.0, 1.5 * math.pi), [(0.9, -0.3), (0.3, -0.9)], [0.0, 1.5 * math.pi], window_m=10.0)
    assert abs(result.deviation_m) == pytest.approx([math.hypot(0.1, 0.3)] * 2, rel=1e-14)
    assert result.beyond_end.all()
    assert result.path_m == pytest.approx([0.0, 1.5 * math.pi])


def test_a_repeated_point_changes_nothing():
    plain = Toolpath(np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    repeated = Toolpath(np.array([[0.0, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0]]))
    points, at = [(0.5, 0.1), (1.2, -0.2), (0.9, 0.7)], [0.5, 1.0, 1.7]
    for a, b in zip(deviation(plain, points, at), deviation(repeated, points, at), strict=True):
        assert np.array_equal(a, b)


def test_the_window_hides_what_lies_outside_it():
    there_and_back = Toolpath(np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.01, 0.01]]))
    near_the_way_back = (0.5, 0.009)
    assert deviation(there_and_back, near_the_way_back, 0.5, window_m=0.1).deviation_m[0] == pytest.approx(0.009)
    # on the way back left is down
    assert deviation(there_and_back, near_the_way_back, 1.51, window_m=0.1).deviation_m[0] == pytest.approx(0.001)
