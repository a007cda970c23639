"""Contour error by segment and line (stages_and_control.md §5.5)."""

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.gcode_path import parse
from precision.standards.contour_error import evaluate

CORNER = parse("G21\nG1 X100\n\nG1 Y50")


def test_errors_belong_to_the_line_on_which_they_happen() -> None:
    s = np.array([0.02, 0.05, 0.12, 0.14])
    actual = np.array([[0.02, 0.05, 0.1 + 4e-6, 0.1 - 1e-6], [2e-6, -3e-6, 0.02, 0.04]])
    found = evaluate(CORNER, actual, s, window_m=0.005)
    assert [(one.line, one.samples) for one in found.segments] == [(2, 2), (4, 2)]
    assert found.deviation_m == pytest.approx([2e-6, -3e-6, -4e-6, 1e-6], abs=1e-15)  # left is positive
    assert found["max"] == pytest.approx(4e-6, abs=1e-15)
    assert found["left"] == pytest.approx(2e-6, abs=1e-15)
    assert found.worst[0].line == 4
    assert "line 4" in found.figures["max"].name
    assert found.conforming


def test_lagging_axes_of_one_gain_are_small_by_a_known_amount_on_a_circle() -> None:
    """R = 10 mm, 2 m/min, K_v = 50 /s: −22.148 µm, with first-order axes in the steady state."""
    circle = parse("G3 I-10", start_m=(0.01, 0.0))
    radius, omega, gain = 0.01, 2 / 60 / 0.01, 50.0
    theta = np.linspace(0.5, 5.5, 500)
    response = 1 / (1 + 1j * omega / gain)
    point = radius * response * np.exp(1j * theta)
    found = evaluate(circle, np.array([point.real, point.imag]), theta * radius, window_m=0.003)
    assert found["mean"] == pytest.approx(22.148e-6, abs=1e-9)  # inside a counter-clockwise circle is to the left
    assert found.segments[0].arc


def test_beyond_the_ends_is_counted_and_left_out() -> None:
    found = evaluate(CORNER, np.array([[-0.001, 0.05], [0.0, 1e-6]]), np.array([0.0, 0.05]), window_m=0.005)
    assert any("1 samples" in flag for flag in found.flags)
    assert np.isnan(found.deviation_m[0]) and found["max"] == pytest.approx(1e-6, abs=1e-15)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="actual_m"):
        evaluate(CORNER, np.ones((3, 4)), np.ones(4), window_m=0.1)
    with pytest.raises(DataError, match="beyond an end"):
        evaluate(CORNER, np.array([[-0.001], [0.0]]), np.array([0.0]), window_m=0.005)
