"""Motions of part programs in space: planes, helices, units, and words that are refused with their line."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.errors import DataError
from precision.kernels.contour import contour_error
from precision.models.part_program import envelope, in_plane, motions

NGC = Path(__file__).resolve().parents[3] / "shared" / "linuxcnc" / "ngc"
real = pytest.mark.skipif(not NGC.is_dir(), reason="the folder of real programs is not beside this checkout")


@pytest.mark.parametrize(
    ("plane", "arc", "centre_mm"),
    [
        ("G17", "G3 X0 Y10 I-10", (0, 0)),  # from +x to +y
        ("G18", "G3 X10 Z0 K-10", (0, 0)),  # from +z to +x
        ("G19", "G3 Y0 Z10 J-10", (0, 0)),  # from +y to +z
    ],
)
def test_counter_clockwise_is_from_the_first_axis_of_the_plane_to_the_second(plane: str, arc: str, centre_mm: tuple[float, float]) -> None:
    axes = {"G17": (0, 1), "G18": (2, 0), "G19": (1, 2)}[plane]
    start = [0.0, 0.0, 0.0]
    start[axes[0]] = 0.01
    (motion,) = motions(f"G21 {plane}\n{arc}", start_m=(start[0], start[1], start[2]))
    assert motion.plane == axes
    assert motion.sweep_rad == pytest.approx(math.pi / 2, abs=1e-12)
    assert motion.centre_m == pytest.approx(centre_mm, abs=1e-15)
    assert motion.end_m[axes[1]] == pytest.approx(0.01)


def test_a_helix_is_longer_than_its_circle_and_projects_to_it() -> None:
    program = motions("G21\nG1 X10 F600\nG2 X10 Z-3 I-10\nG1 Z5")[:2]
    assert program[1].length_m == pytest.approx(math.hypot(0.02 * math.pi, 0.003))
    path = in_plane(program)
    assert path.length_m[1] == pytest.approx(0.02 * math.pi)
    assert path.sweep_rad[1] == pytest.approx(-2 * math.pi)


def test_motions_along_the_third_axis_have_no_length_in_the_plane() -> None:
    program = motions("G21\nG1 X10 F600\nZ5\nY10")
    assert [motion.line for motion in program] == [2, 3, 4]
    assert in_plane(program).line.tolist() == [2, 4]
    assert in_plane(program, "YZ").line.tolist() == [3, 4]
    assert in_plane(program, "ZX").line.tolist() == [2, 3]


def test_inches_increments_and_feeds() -> None:
    first, second = motions("%\nN10 g20 g91 g1 x 1.0 f60 (an inch)\nX1 ; another\n%\nnot read")
    assert second.end_m == pytest.approx((0.0508, 0.0, 0.0))
    assert first.feed_m_per_s == pytest.approx(0.0254)
    assert (first.line, second.line) == (2, 3)


def test_what_follows_the_end_of_the_program_is_not_run() -> None:
    assert len(motions("G21\nG1 X1 F1\nM2\nG1 X2")) == 1


@pytest.mark.parametrize(
    ("arc", "sweep", "centre_mm"),
    [
        ("G3 X0 Y10 R10", math.pi / 2, (0, 0)),
        ("G2 X0 Y10 R10", -math.pi / 2, (10, 10)),
        ("G3 X0 Y10 R-10", 1.5 * math.pi, (10, 10)),
        ("G90.1 G3 X0 Y10 I0 J0", math.pi / 2, (0, 0)),
        ("G3 I-10", 2 * math.pi, (0, 0)),
        ("G3 X-10 R10", math.pi, (0, 0)),
    ],
)
def test_arcs_by_centre_and_by_radius(arc: str, sweep: float, centre_mm: tuple[float, float]) -> None:
    (motion,) = motions(f"G21\n{arc}", start_m=(0.01, 0.0, 0.0))
    assert motion.sweep_rad == pytest.approx(sweep, abs=1e-12)
    assert np.array(motion.centre_m) * 1e3 == pytest.approx(centre_mm, abs=1e-9)


def test_a_rounded_centre_gives_an_arc_that_the_kernel_takes() -> None:
    path = in_plane(motions("G21\nG3 X7.071 Y7.072 I-10 J0", start_m=(0.01, 0.0, 0.0)))
    found = contour_error(path.toolpath, np.array([[0.009], [0.005]]), np.array([0.005]), window_m=0.01)
    assert abs(found.deviation_m[0]) == pytest.approx(abs(math.hypot(9, 5) - 10) * 1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("G41 X1", "G41 is not supported"),
        ("G43 H1", "G43 is not supported"),
        ("G92 X0", "G92 is not supported"),
        ("G81 X1 Z-1 R2", "G81 is not supported"),
        ("M98 P100", "M98 is not supported"),
        ("M6 T1", "M6 is not supported"),
        ("G1 A90", "the word A90 is not supported"),
        ("G1 X#1", "is no word"),
        ("o100 call", "is no word"),
        ("/G1 X1", "is no word"),
        ("G1 X1 X2", "X stands twice"),
        ("G0 G1 X1", "exclude each other"),
        ("G1 X1 I2", "uses the word I"),
        ("G17 G3 X1 Z1 K1", "without R and without I or J"),
        ("G3 X10 Y0 I-3 J7", "radius is"),
        ("G3 X10 Y0 R4", "no such circle"),
        ("G3 X0 Y0 R4", "no one centre"),
        ("G3 X0 P2 I5 J0", "uses the word P"),
        ("G1 X1e5", "uses the word E"),
        ("G1 X99999999", "farther than"),
        ("G55 G1 X1", "another work system"),
        ("(open", "not closed"),
        ("G1 X١", "is no word"),
        ("G1 X1\x00", "is no word"),
        ("G4 P1 X1", "two lines"),
        ("G1 X5 F-1", "negative"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(DataError, match="G-code line 4: ") as refused:
        motions(f"G21 G54\n\n(a comment)\n{line}\nG1 X1")
    assert said in str(refused.value)


def test_a_length_without_a_unit_is_refused_and_may_be_given() -> None:
    with pytest.raises(DataError, match="line 1: a length before G20 or G21"):
        motions("G1 X1")
    assert motions("G1 X1", units="inch")[0].length_m == pytest.approx(0.0254)


def test_an_arc_in_another_plane_is_not_projected() -> None:
    with pytest.raises(DataError, match="line 2: an arc that does not lie in XY"):
        in_plane(motions("G21\nG18 G3 X0 Z0 I5"))


@settings(max_examples=200)
@given(st.text(alphabet="GMXYZIJKRFPNO0123456789.-+ ()%;#/\n\x00é", max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        program = motions(text, units="mm")
    except DataError as refused:
        assert str(refused)
        return
    for before, after in pairwise(program):
        assert before.end_m == after.start_m
    assert all(math.isfinite(motion.length_m) for motion in program)


@real
def test_a_program_with_parameters_is_refused_naming_the_line() -> None:
    with pytest.raises(DataError, match="G-code line 5: '#101"):
        motions((NGC / "iso230_2_x.ngc").read_text(encoding="ascii"))


# A helix of 10 mm about (0, 0) of its plane, a quarter turn, its third axis 3 mm up: by hand, half-way it is at 45° and 1.5 mm.
# G17 turns from X to Y, G18 from Z to X, G19 from Y to Z.
@pytest.mark.parametrize(
    ("plane", "arc", "begin", "half", "end"),
    [
        ("G17", "G3 X0 Y10 Z3 I-10", (10, 0, 0), (7.0710678, 7.0710678, 1.5), (0, 10, 3)),
        ("G17", "G2 X0 Y-10 Z3 I-10", (10, 0, 0), (7.0710678, -7.0710678, 1.5), (0, -10, 3)),
        ("G18", "G3 Z0 X10 Y3 K-10", (0, 0, 10), (7.0710678, 1.5, 7.0710678), (10, 3, 0)),
        ("G18", "G2 Z0 X-10 Y3 K-10", (0, 0, 10), (-7.0710678, 1.5, 7.0710678), (-10, 3, 0)),
        ("G19", "G3 Y0 Z10 X3 J-10", (0, 10, 0), (1.5, 7.0710678, 7.0710678), (3, 0, 10)),
        ("G19", "G2 Y0 Z-10 X3 J-10", (0, 10, 0), (1.5, 7.0710678, -7.0710678), (3, 0, -10)),
        ("G18", "G3 Z0 X10 Y3 R10", (0, 0, 10), (7.0710678, 1.5, 7.0710678), (10, 3, 0)),
        ("G19", "G91 G3 Y-10 Z10 X3 J-10", (0, 10, 0), (1.5, 7.0710678, 7.0710678), (3, 0, 10)),
    ],
)
def test_the_third_axis_of_a_helix_goes_evenly_in_every_plane(plane: str, arc: str, begin: tuple[float, ...], half: tuple[float, ...], end: tuple[float, ...]) -> None:
    start = (begin[0] * 1e-3, begin[1] * 1e-3, begin[2] * 1e-3)
    (motion,) = motions(f"G21 {plane}\n{arc} F600", start_m=start)
    for share, place in ((0.0, begin), (0.5, half), (1.0, end)):
        assert motion.at(share) == pytest.approx([value * 1e-3 for value in place], abs=6e-11)  # written with 0.1 nm
    assert motion.length_m == pytest.approx(math.hypot(0.005 * math.pi, 0.003))
    path = in_plane((motion,), {"G17": "XY", "G18": "ZX", "G19": "YZ"}[plane])
    assert path.third_m is not None
    assert path.third_m[:, 0].tolist() == pytest.approx([0.0, 3e-3])


def test_a_whole_turn_of_a_helix_in_the_other_planes_rises_all_the_way() -> None:
    (motion,) = motions("G21 G18\nG2 Z10 X0 Y-5 K-10 F600", start_m=(0.0, 0.0, 0.01))
    assert motion.at(0.25) == pytest.approx((-0.01, -0.00125, 0.0), abs=1e-15)
    assert motion.at(0.75) == pytest.approx((0.01, -0.00375, 0.0), abs=1e-15)


def test_the_envelope_holds_the_bulge_of_an_arc_and_the_rise_of_a_helix() -> None:
    program = motions("G21 G90\nG1 X10 F600\nG3 X-10 Y0 Z2 I-10\nG18 G2 X0 Z12 I10")
    ways = envelope(program)
    assert ways["X"] == pytest.approx((-0.01, 0.01))
    assert ways["Y"] == pytest.approx((0.0, 0.01))  # the top of the half circle, which is no end of a motion
    assert ways["Z"] == pytest.approx((-0.008, 0.012))  # clockwise from Z to X, so three quarters of a turn, below its begin
