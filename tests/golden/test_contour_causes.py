"""Causes of a contour error, the instrument's zero and the test pieces, against motions whose errors are written down in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from precision.benchmarks.contour_alignment import aligned, path_normals
from precision.benchmarks.contour_program import prepared, stretches, system_of
from precision.drivers.roles import Arc, Line
from precision.errors import DataError
from precision.models.contour_pieces import PIECES, contour_piece
from precision.models.part_program import envelope, in_plane, motions
from precision.standards import contour_causes
from precision.standards.recorded_contour import evaluate, follow_command
from precision.uncertainty.readings import Readings

Array = NDArray[np.float64]
R, F, RATE = 0.05, 0.05, 1000.0
EXACT = Readings(device=0.0, noise=0.0)


def circles(senses: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Positions, velocities and normals to the left of circles driven one after another, (2, n) each."""
    turn = np.arange(int(2 * math.pi * R / F * RATE)) * F / R / RATE
    angle = [np.stack([np.cos(d * turn), np.sin(d * turn)]) for d in senses]
    way = [d * np.stack([-np.sin(d * turn), np.cos(d * turn)]) for d in senses]
    position, velocity = R * np.concatenate(angle, axis=1), F * np.concatenate(way, axis=1)
    return position, velocity, np.stack([-velocity[1], velocity[0]]) / F


def test_planted_lags_backlash_squareness_and_scales_come_back() -> None:
    fb, velocity, normal = circles((1, -1))
    lag, b, squareness, scale, structure = (4e-3, 4.5e-3), (5e-6, 8e-6), 20e-6, 30e-6, -0.7e-3
    command = fb + np.array(lag)[:, None] * velocity  # r − y = τ v
    q = np.stack([
        scale / 2 * fb[0] - squareness * fb[1] - b[0] / 2 * np.sign(velocity[0]) - structure * velocity[0], -scale / 2 * fb[1] - b[1] / 2 * np.sign(velocity[1]),
    ])  # fmt: skip
    found = contour_causes.evaluate(
        command, rate_hz=RATE, moving=np.ones(fb.shape[1], dtype=bool), feedback_m=fb, added_m=(normal * q).sum(axis=0), normal=normal, feedback=EXACT, tool=EXACT, synchronisation_s=1e-4,
    )  # fmt: skip
    # The direction of an axis is seen from five steps, so a sample about each reversal, one of 1571 in a quarter, may count for the other side: there a backlash
    # weighs most, and what of its column is its own is a third of it: 1/1571 · π/2 · 3 = 3e-3, and as much again where both quarters beside it are meant.
    expected = {
        "lag_X": lag[0], "lag_Y": lag[1], "servo_mismatch": lag[0] - lag[1], "backlash_X": b[0], "backlash_Y": b[1], "squareness": squareness, "scale_mismatch": scale,
        "structure_mismatch": structure,
    }  # fmt: skip
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=7e-3), key
    # a clock that is late by 0.1 ms is in each lag, and not in their difference
    for axis in "XY":
        assert found.figures[f"lag_{axis}"].uncertainty == pytest.approx(1e-4, rel=0.1)
    assert (found.figures["servo_mismatch"].uncertainty or 1.0) < 1e-5


def test_one_direction_does_not_tell_squareness_from_what_lags() -> None:
    fb, velocity, normal = circles((1,))
    added = 1e-6 * normal[0] * np.sign(velocity[0])
    found = contour_causes.evaluate(fb, rate_hz=RATE, moving=np.ones(fb.shape[1], dtype=bool), feedback_m=fb, added_m=added, normal=normal)
    for key in ("squareness", "structure_mismatch"):
        assert found[key] is None
        assert "drive it in both directions" in (found.figures[key].reason or "")
    assert found["backlash_X"] == pytest.approx(-2e-6, rel=0.05)
    assert found.figures["backlash_X"].uncertainty is None  # nothing was said of the readings


def test_the_sides_of_a_square_do_not_tell_backlash_from_scales() -> None:
    half = np.linspace(-1.0, 1.0, 1001)[:-1] * R
    one, back = np.full(1000, R), np.full(1000, -R)
    round_about = np.stack([np.concatenate([half, one, -half, back]), np.concatenate([back, half, one, -half])])
    fb = np.concatenate([round_about, round_about[:, ::-1]], axis=1)
    along = np.repeat([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]], 1000, axis=1)
    heading = np.concatenate([along, -along[:, ::-1]], axis=1)
    normal = np.stack([-heading[1], heading[0]])
    found = contour_causes.evaluate(fb, rate_hz=RATE, moving=np.ones(8000, dtype=bool), feedback_m=fb, added_m=1e-6 * normal[0] * fb[1] / R, normal=normal)
    assert found["backlash_X"] is None and found["scale_mismatch"] is None
    # q_x = 1 µm · y/R leans the axes towards each other
    assert found["squareness"] == pytest.approx(-1e-6 / R, rel=0.01)


def test_an_axis_that_stands_has_no_lag_and_too_little_motion_is_refused() -> None:
    fb = np.stack([np.linspace(0, 0.01, 500), np.zeros(500)])
    found = contour_causes.evaluate(fb, rate_hz=RATE, moving=np.ones(500, dtype=bool), feedback_m=fb)
    assert found["lag_X"] == pytest.approx(0.0, abs=1e-15)
    assert found.figures["lag_Y"].reason == "Y does not move"
    assert found.figures["backlash_X"].reason == "the tool's position was not recorded"
    with pytest.raises(DataError, match="moves in 10 samples; 64"):
        contour_causes.evaluate(fb, rate_hz=RATE, moving=np.arange(500) < 10, feedback_m=fb)


# ---- the instrument's zero -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotation", [False, True])
def test_the_zero_of_an_instrument_and_how_it_is_turned_are_taken_off(rotation: bool) -> None:
    text = contour_piece("circle-diamond-square", plane="XY", centre_m=(0.3, 0.2), size_m=0.1, feed_m_per_s=0.05, slow_feed_m_per_s=0.01)
    path = in_plane(motions(text, start_m=(0.347, 0.2, 0.0)), "XY")
    place, normal = path_normals(path, np.linspace(0, float(path.length_m.sum()), 20_001))
    commanded = follow_command(path, place)
    error = 2e-6 * np.sin(2.0 * np.arange(20_001))  # of no direction: a period is three samples
    angle = 30e-6 if rotation else 0.0
    about = np.array([[0.3], [0.2]])
    seen = place + error * normal - about
    seen = about + np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ seen + np.array([[11e-6], [-7e-6]])
    found = aligned(path, commanded, seen, rotation=rotation, window_m=None, rapids=True)
    assert found.rotation_rad == pytest.approx(angle, abs=1e-7)
    assert found.offset_m[1] == pytest.approx(-7e-6, abs=5e-6 if rotation else 0.1e-6)  # about the middle of the path, which is not that of the piece
    result = evaluate(path, commanded, found.position_m)
    assert result["e_rms"] == pytest.approx(2e-6 / math.sqrt(2), rel=0.02)
    # errors of size 1 across a path whose normals point everywhere move a fit by at most 4/π in each direction
    assert 1.0 <= found.gain < 4 / math.pi + 0.1


def test_a_straight_line_has_no_zero_along_itself() -> None:
    path = in_plane(motions("G21\nG1 X100 F600"), "XY")
    command = np.stack([np.linspace(0, 0.1, 1001), np.zeros(1001)])
    with pytest.raises(DataError, match="one direction only"):
        aligned(path, follow_command(path, command), command + 1e-6, rotation=False, window_m=None, rapids=True)


# ---- programs ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize(("plane", "third"), [("XY", "Z"), ("ZX", "Y"), ("YZ", "X")])
def test_every_piece_stays_within_its_size_and_is_driven_both_ways(name: str, plane: str, third: str) -> None:
    text = contour_piece(name, plane=plane, centre_m=(0.2, -0.1), size_m=0.08, feed_m_per_s=0.05, slow_feed_m_per_s=0.01)
    begin = {plane[0]: 0.2 + 0.04, plane[1]: -0.1}
    program = motions(text, start_m=tuple(begin.get(axis, 0.0) for axis in "XYZ"))  # type: ignore[arg-type]
    ways = envelope(program)
    for axis, centre in zip(plane, (0.2, -0.1), strict=True):
        assert ways[axis] == pytest.approx((centre - 0.04, centre + 0.04), abs=1e-7)
    assert ways[third] == (0.0, 0.0)
    turned = sum(motion.sweep_rad for motion in program)
    assert turned == pytest.approx(0.0, abs=1e-9)
    # the signed area of a contour driven both ways is none
    area = 0.0
    for motion in program:
        if not motion.rapid and motion.plane is None:
            (a, b), (c, d) = ((place["XYZ".index(axis)] - centre for axis, centre in zip(plane, (0.2, -0.1), strict=True)) for place in (motion.start_m, motion.end_m))
            area += (a * d - b * c) / 2
    assert area == pytest.approx(0.0, abs=1e-9)


def test_no_stretch_ends_where_it_begins_and_all_of_them_are_the_way() -> None:
    program = motions("G21 F600\nG1 X10\nG3 X10 I-10\nG2 X10 I-10\nG1 X0\nG3 I5\nF1200\nG1 Y5")
    found = list(stretches(program, 0.1))
    assert [feed for feed, _ in found] == [0.01, 0.01, 0.01, 0.01, 0.02]
    assert [len(pieces) for _, pieces in found] == [3, 1, 1, 1, 1]
    whole = [piece for _, pieces in found for piece in pieces if isinstance(piece, Arc)]
    assert math.fsum(piece.sweep_rad for piece in whole) == pytest.approx(2 * math.pi)
    assert found[-1][1] == [Line(end_m={"Y": 0.005})]


def test_a_program_for_a_controller_keeps_its_lines_and_ends() -> None:
    text = prepared("%\nG1 X1 F60 (w\u00fcrfel)\r\nM30\nG1 X2\n", "inch")
    lines = text.split("\n")
    assert lines[0] == "G20 G17 G40 G49 G80 G90 G91.1 G94"
    assert lines[1:] == ["", "G1 X1 F60", "M30", ""]  # line n of the program is line n + 1; what stands behind the end is left out
    assert prepared("G1 X1 F60", "mm").split("\n")[-2] == "M2"
    assert system_of("G0 X1 (G55)\n G 54 X2") is None or system_of("G54 X2") == "G54"
    assert system_of("G59 X0") == "G59"
    assert system_of("G0 X540") is None


def test_the_rounding_of_coordinates_is_no_contour_error_of_the_command() -> None:
    """Points of a straight line, to the last bit: what the distance's arithmetic leaves is 0 in the report, and 27 nm of a real controller's stay."""
    from precision.benchmarks.contour_report import _of_source
    from precision.standards.reported import figure

    shown = [_of_source(figure("e_max", "largest contour error, magnitude", value, "m", symbol="|ε|_max"), "cmd").value for value in (1e-17, 26.7e-9)]
    assert shown == [0.0, 26.7e-9]
