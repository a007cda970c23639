"""Paths of part programs, and the contour error on them (stages_and_control.md §5.5)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.kernels.contour import contour_error
from precision.models.gcode_path import parse


def test_lines_absolute_incremental_and_in_inches() -> None:
    path = parse("%\nN10 G21 G90 (mm) G0 X10 Y20 ; go\nG1 X15\nG91 Y5 F600\nG20 X1\nM30\n%")
    assert path.point_m.T == pytest.approx(np.array([[0, 0], [10, 20], [15, 20], [15, 25], [40.4, 25]]) * 1e-3)
    assert path.line.tolist() == [2, 3, 4, 5]
    assert path.rapid.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("arc", "centre_mm", "quarters"),
    [
        ("G3 X0 Y10 I-10", (0, 0), 1),
        ("G2 X0 Y10 I-10", (0, 0), -3),
        ("G3 X0 Y10 R10", (0, 0), 1),
        ("G2 X0 Y10 R10", (10, 10), -1),
        ("G3 X0 Y10 R-10", (10, 10), 3),
        ("G90.1 G3 X0 Y10 I0 J0", (0, 0), 1),
        ("G91 G3 X-10 Y10 I-10", (0, 0), 1),
        ("G3 I-10", (0, 0), 4),
        ("G3 X0 Y10 Z5 I-10", (0, 0), 1),
    ],
)
def test_arcs_by_centre_and_radius(arc: str, centre_mm: tuple[float, float], quarters: int) -> None:
    path = parse(arc, start_m=(0.01, 0.0))
    assert path.centre_m[:, 0] * 1e3 == pytest.approx(centre_mm, abs=1e-12)
    assert path.sweep_rad[0] == pytest.approx(quarters * math.pi / 2, abs=1e-12)
    assert path.length_m[0] == pytest.approx(0.01 * abs(quarters) * math.pi / 2)


def test_a_centre_rounded_to_a_micrometre_is_accepted_by_the_contour_error() -> None:
    path = parse("G1 X7.071 Y7.071\nG3 X-7.071 Y7.071 I-7.071 J-7.072")
    found = contour_error(path.toolpath, np.array([[0.0], [0.0100035]]), np.array([0.01 + 0.00785]), window_m=0.001)
    # Counter-clockwise, outside is to the right. The rounded centre moves the top of the arc by a micrometre at most.
    assert found.deviation_m[0] == pytest.approx(-3.5e-6, abs=1.5e-6)


def test_the_error_at_a_line_at_30_degrees_is_the_printed_one() -> None:
    path = parse("G1 X86.60254037844386 Y50")
    # e = command − actual = (12, 5) µm, the printed ε is that of e; the actual position lies on the other side.
    actual = path.point_m[:, 1:] / 2 - np.array([[12e-6], [5e-6]])
    assert contour_error(path.toolpath, actual, np.array([0.05]), window_m=0.01).deviation_m[0] == pytest.approx(1.669873e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("G1 X1\nG18", "line 2: G18"),
        ("G41 X1", "G41"),
        ("G1 X1 A3", "word A"),
        ("G1 X1 ?", "no word"),
        ("X1", "before any"),
        ("G2 X5", "needs I and J"),
        ("G3 X10 Y0 I4", "one radius"),
        ("G3 X10 R4", "R is"),
        ("G3 R4", "no one centre"),
        ("G3 I5 P2", "turns"),
        ("M3 S1000", "no motion"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(program: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parse(program)
