"""Contour error of recorded runs: every check value of stages_and_control.md §5.5, and the circles that a real LinuxCNC controller drove."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from precision.drivers.files import linuxcnc_log
from precision.errors import DataError
from precision.kernels.contour import Toolpath, contour_error
from precision.models.gcode_path import GcodePath
from precision.models.part_program import in_plane, motions
from precision.standards import recorded_contour as recorded
from precision.uncertainty.readings import Readings

Array = NDArray[np.float64]
SHARED = Path(__file__).resolve().parents[3] / "shared"
CIRCLE = SHARED / "data" / "linuxcnc" / "circle_xy_r50_f3000.csv.gz"
PROGRAM = SHARED / "linuxcnc" / "ngc" / "circle.ngc"
real = pytest.mark.skipif(not (CIRCLE.is_file() and PROGRAM.is_file()), reason="the folder of real recordings is not beside this checkout")


def parse(program: str, *, start_m: tuple[float, float] = (0.0, 0.0)) -> GcodePath:
    return in_plane(motions(program, start_m=(*start_m, 0.0)), "XY")


def line_at(degrees: float) -> tuple[GcodePath, Array]:
    """100 mm from the origin, and 1001 commands along it."""
    along = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    path = parse(f"G21\nG1 X{100 * along[0]:.12f} Y{100 * along[1]:.12f} F600")
    return path, np.linspace(0, 0.1, 1001) * along[:, None]


# ---- check values ---------------------------------------------------------------------------------------------------------------


def test_a_line_at_thirty_degrees() -> None:
    path, command = line_at(30)
    found = recorded.evaluate(path, recorded.follow_command(path, command), command + np.array([[12e-6], [5e-6]]))
    # printed to 1e-6 µm; the end of the line is written with 1e-12 mm
    assert found["e_mean"] == pytest.approx(-1.669873e-6, abs=5e-13)
    assert recorded.tangent_approximation(12.0, 5.0, math.radians(30)) == pytest.approx(-1.669873, abs=5e-7)


def test_a_ramp_with_unequal_gains() -> None:
    path, command = line_at(45)
    v = 0.05 / math.sqrt(2)
    found = recorded.evaluate(path, recorded.follow_command(path, command), command - np.array([[v / 40], [v / 42]]))
    assert found["e_max"] == pytest.approx(29.761905e-6, abs=5e-13)
    assert found["e_left"] == pytest.approx(0.05 / 2 * (1 / 40 - 1 / 42), rel=1e-9)  # x lags more: to the left


@pytest.mark.parametrize(
    ("radius", "lag", "radial", "tangent", "koren_lo"), [(5, 0.2, 0, 0.003999467, None), (10, 0.3, 0.004, 0.000501, 0.004001), (10, 0.6, 0.02, 0.001969, 0.020020)]
)
def test_on_a_circle_the_approximations_are_wrong_and_the_distance_is_not(radius: float, lag: float, radial: float, tangent: float, koren_lo: float | None) -> None:
    path = parse(f"G21\nG3 I-{radius} F600", start_m=(radius * 1e-3, 0.0))
    theta = np.linspace(0, 2 * math.pi, 2001)
    command = radius * 1e-3 * np.array([np.cos(theta), np.sin(theta)])
    place = (radius + radial) * 1e-3 * np.array([np.cos(theta - lag / radius), np.sin(theta - lag / radius)])
    found = recorded.evaluate(path, recorded.follow_command(path, command), place)
    assert found["e_left"] == pytest.approx(-radial * 1e-3, abs=1e-15)  # counter-clockwise, outside is to the right
    assert found["e_right"] == pytest.approx(-radial * 1e-3, abs=1e-15)
    error, heading = (place - command)[:, 700] * 1e3, theta[700] + math.pi / 2
    assert abs(recorded.tangent_approximation(*error, heading)) == pytest.approx(tangent, abs=6e-7 if radial else 6e-10)
    if koren_lo:
        assert recorded.circle_approximation(*-error, heading, radius) == pytest.approx(koren_lo, abs=6e-7)


def closest_on_ellipse(point: tuple[float, float]) -> tuple[float, float]:
    """Parameter and distance on (50 cos t, 30 sin t)."""
    return closest_on(lambda t: np.array([50 * np.cos(t), 30 * np.sin(t)]), point, (-math.pi, math.pi))


def closest_on(curve: Callable[[Array], Array], point: tuple[float, float], between: tuple[float, float]) -> tuple[float, float]:
    """Parameter and distance of the closest point of a curve, by polylines ever finer about the foot of the one before."""
    centre, half = (between[0] + between[1]) / 2, (between[1] - between[0]) / 2
    for _ in range(4):
        t = centre + np.linspace(-half, half, 2001)
        points = curve(t)
        length = float(np.hypot(*np.diff(points, axis=1)).sum())
        found = contour_error(Toolpath(points), np.array([[point[0]], [point[1]]]), np.array([length / 2]), window_m=length)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=1)))])
        centre, half = float(np.interp(found.path_m[0], along, t)), half / 100
    return centre, abs(float(found.deviation_m[0]))


@pytest.mark.parametrize(("point", "t", "distance"), [((40, 20), 0.674500569807, 1.581255729550), ((10, 0), 1.252972628775, 29.047375096556), ((0, 0), math.pi / 2, 30)])
def test_the_closest_point_on_an_ellipse(point: tuple[float, float], t: float, distance: float) -> None:
    # the last chords are 2e-9 rad long each: their sagitta is nothing; the foot of a distance d·(1 + 1e-16) is known to about 1e-8
    found_t, found_distance = closest_on_ellipse(point)
    assert abs(found_t) == pytest.approx(t, abs=3e-8)
    assert found_distance == pytest.approx(distance, abs=6e-13 if distance < 30 else 1e-12)


@pytest.mark.parametrize(("t", "distance"), [(2.0, 0.3), (2.0, -0.3), (9.0, 1e-3), (15.0, 2.5)])
def test_the_closest_point_on_a_spiral(t: float, distance: float) -> None:
    """The involute of a circle of 1 mm: its turns lie 2π mm apart, its tangent at t is (cos t, sin t), so a point at a distance to its left is known exactly."""
    foot = (math.cos(t) + t * math.sin(t), math.sin(t) - t * math.cos(t))
    point = (foot[0] - distance * math.sin(t), foot[1] + distance * math.cos(t))

    def involute(at: Array) -> Array:
        return np.array([np.cos(at) + at * np.sin(at), np.sin(at) - at * np.cos(at)])

    found_t, found_distance = closest_on(involute, point, (t - 3.0, t + 3.0) if t > 3 else (0.0, 2 * t))
    # the last chords are at most 3e-9 rad long; a foot on a curve of radius t is known to √(rounding·d)
    assert found_t == pytest.approx(t, abs=1e-7)
    assert found_distance == pytest.approx(abs(distance), abs=2e-12)


def test_a_tool_beside_a_spiral_of_g_code_has_that_contour_error_on_every_turn() -> None:
    """Half circles of 10, 11, 12 … mm, their centres 1 mm to and fro: a spiral whose parallel at 5 µm is half circles of the same centres."""
    lines, ends = ["G21 G90 F1200"], [(10.0, 0.0)]
    radii = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    centres = []
    for k, radius in enumerate(radii):
        side = 1.0 if k % 2 == 0 else -1.0
        centres.append(ends[-1][0] - side * radius)
        ends.append((centres[-1] - side * radius, 0.0))
        lines.append(f"G3 X{ends[-1][0]:g} Y0 I{-side * radius:g} J0")
    path = parse("\n".join(lines), start_m=(0.01, 0.0))
    turn = np.linspace(0, math.pi, 1001)[:-1]
    command, tool = [], []
    for k, (radius, centre) in enumerate(zip(radii, centres, strict=True)):
        angle = turn + (k % 2) * math.pi
        for out, to in ((0.0, command), (0.005, tool)):
            to.append(np.array([centre + (radius + out) * np.cos(angle), (radius + out) * np.sin(angle)]) * 1e-3)
    following = recorded.follow_command(path, np.concatenate(command, axis=1))
    found = recorded.evaluate(path, following, np.concatenate(tool, axis=1))
    assert found["e_left"] == pytest.approx(-5e-6, abs=1e-15)  # counter-clockwise, outside is to the right
    assert found["e_right"] == pytest.approx(-5e-6, abs=1e-15)
    assert [row.line for row in found.lines] == [2, 3, 4, 5, 6, 7]
    assert min(row.samples for row in found.lines) >= 999


def test_rapid_motions_may_be_left_out() -> None:
    path = parse("G21\nG0 X10\nG1 X20 F600")
    command = np.array([np.linspace(0, 0.02, 401), np.zeros(401)])
    place = command + np.where(command[0] < 0.01, 9e-6, 1e-6) * np.array([[0.0], [1.0]])
    following = recorded.follow_command(path, command)
    assert recorded.evaluate(path, following, place)["e_max"] == pytest.approx(9e-6)
    found = recorded.evaluate(path, following, place, rapids=False)
    assert found["e_max"] == pytest.approx(1e-6)
    assert found.lines[0].samples == 0


def lagging(gain_x: float, gain_y: float) -> tuple[recorded.Result, Array]:
    """R = 10 mm at 2 m/min, two turns, first-order axes in the steady state; the result and the following error."""
    radius, omega = 0.01, 2 / 60 / 0.01
    path = parse("G21\nG3 I-10 F2000\nG3 I-10", start_m=(radius, 0.0))
    theta = np.linspace(0, 4 * math.pi, 4001)
    command = radius * np.array([np.cos(theta), np.sin(theta)])
    x = radius * np.exp(1j * theta) / (1 + 1j * omega / gain_x)
    y = radius * np.exp(1j * theta) / (1 + 1j * omega / gain_y)
    place = np.array([x.real, y.imag])
    return recorded.evaluate(path, recorded.follow_command(path, command), place), np.hypot(*(place - command))


def test_equal_first_order_axes_make_a_circle_smaller() -> None:
    found, following = lagging(50, 50)
    assert found["e_mean"] == pytest.approx(22.148e-6, abs=5e-10)  # inside, to the left
    assert following.max() == pytest.approx(665.19e-6, abs=5e-9)
    assert found["e_max"] - found["e_mean"] < 1e-15
    assert found.counted.sum() < 4001  # at the begin the tool stands before the path


def test_unequal_first_order_axes_make_an_ellipse() -> None:
    found, _ = lagging(50, 52)
    second = found.deviation_m[2000:]  # one whole turn
    assert second.max() - second.min() == pytest.approx(25.5318e-6, abs=5e-10)


# ---- corners, ends, windows -------------------------------------------------------------------------------------------------------


def corner(place: list[tuple[float, float]]) -> recorded.Result:
    """10 mm along x, then 10 mm along y; the tool's way in mm, near the corner."""
    path = parse("G21 G90\nG1 X10 F600\n\nY10")
    steps = np.linspace(0, 10, 101)
    command = np.array([[*steps, *np.full(100, 10.0)], [*np.zeros(101), *steps[1:]]])
    tool = command.copy()
    tool[:, 100 - len(place) // 2 : 100 - len(place) // 2 + len(place)] = np.array(place).T
    return recorded.evaluate(path, recorded.follow_command(path, command * 1e-3), tool * 1e-3, window_m=1e-3)


def test_a_cut_corner_is_undershoot() -> None:
    found = corner([(9.95, 0.0), (9.97, 0.02), (10.0, 0.05)])  # a chamfer of 0.05 mm
    (only,) = found.corners
    assert (only.line, only.next_line) == (2, 4)
    assert only.turn_rad == pytest.approx(math.pi / 2)
    assert only.undershoot_m == pytest.approx(0.05e-3 / math.sqrt(2), abs=1e-16)
    assert only.overshoot_m == pytest.approx(0.0, abs=1e-16)


def test_running_past_a_corner_is_overshoot() -> None:
    found = corner([(10.0, 0.0), (10.03, 0.0), (10.01, 0.1)])
    assert found.corners[0].overshoot_m == pytest.approx(0.03e-3, abs=1e-16)
    assert found.corners[0].undershoot_m == pytest.approx(0.0, abs=1e-16)
    assert found["e_right"] == pytest.approx(-0.03e-3, abs=1e-16)  # outside of a left turn


def test_errors_belong_to_the_line_on_which_they_are() -> None:
    found = corner([(9.9, -0.002), (10.0, 0.0), (10.004, 0.1)])
    assert [(row.line, row.max_m) for row in found.lines] == [(2, pytest.approx(-2e-6)), (4, pytest.approx(-4e-6))]
    assert (found.worst[0].line, found.worst[0].deviation_m) == (4, pytest.approx(-4e-6))


def test_beyond_the_end_is_no_contour_error() -> None:
    path, command = line_at(0)
    place = command.copy()
    place[0, -1] += 7e-6
    place[1, 500] = 1e-6
    found = recorded.evaluate(path, recorded.follow_command(path, command), place)
    assert found["e_max"] == pytest.approx(1e-6)
    assert found["e_end"] == pytest.approx(7e-6)


def test_passes_of_the_same_place_are_told_apart() -> None:
    path = parse("G21\nG1 X10 F600\nX0\nX10")
    there, back = np.linspace(0, 0.01, 101), np.linspace(0.01, 0, 101)
    command = np.array([[*there, *back, *there], np.zeros(303)])
    offset = np.repeat([1e-6, 2e-6, 3e-6], 101)
    found = recorded.evaluate(path, recorded.follow_command(path, command), command + np.array([np.zeros(303), offset]))
    # about a reversal, within the window, both passes are equally near
    assert found.deviation_m[[50, 151, 252]] == pytest.approx([1e-6, -2e-6, 3e-6])
    assert found.foot_m[[50, 151, 252]] == pytest.approx([0.005, 0.015, 0.025])


@pytest.mark.parametrize("phase", np.linspace(0.0, 1.0, 21))
def test_a_short_way_out_and_back_over_itself_is_followed_wherever_a_stretch_ends(phase: float) -> None:
    """1.2 mm to and fro, five times, then on: stretches of 2 mm end at every distance from the turns; an arc there and back too."""
    path = parse("G21 F600\nG1 X5\n" + "X6.2\nX5\n" * 5 + "G3 X5 I-5\nG2 X5 I-5\nG1 X5 Y10")
    ends = np.concatenate([[0.0], np.cumsum(path.length_m)])
    s = np.minimum(np.arange(0.0, ends[-1] + 0.05e-3, 0.05e-3) + phase * 0.05e-3 * (np.arange(0.0, ends[-1] + 0.05e-3, 0.05e-3) > 0), ends[-1])
    k = np.clip(np.searchsorted(ends, s, side="left") - 1, 0, path.line.size - 1)
    share = (s - ends[k]) / path.length_m[k]
    arm = path.point_m[:, k] - path.centre_m[:, k]
    turned = share * path.sweep_rad[k]
    arc = path.centre_m[:, k] + np.array([np.cos(turned) * arm[0] - np.sin(turned) * arm[1], np.sin(turned) * arm[0] + np.cos(turned) * arm[1]])
    command = np.where(path.sweep_rad[k] != 0, arc, path.point_m[:, k] + share * (path.point_m[:, k + 1] - path.point_m[:, k]))
    found = recorded.follow_command(path, command)
    # a row that cuts a turn is behind by up to two steps of 0.05 mm, and beside a turn may be taken for one on the other side of it, once more as far away
    assert np.abs(found.path_m - s).max() <= 3 * 0.1e-3
    assert found.off_m.max() < 1e-9


def test_standing_samples_weigh_nothing() -> None:
    path, command = line_at(0)
    standing = np.concatenate([command, np.repeat(command[:, -1:], 5000, axis=1)], axis=1)
    place = standing + np.array([[0.0], [1e-6]])
    place[1, 3000:] = 9e-6
    found = recorded.evaluate(path, recorded.follow_command(path, standing), place)
    assert found["e_mean"] == pytest.approx(1e-6)
    assert found["e_rest"] == pytest.approx(9e-6)


def test_u_covers_an_offset_of_both_axes_and_is_not_stated_without_readings() -> None:
    path, command = line_at(45)
    commanded = recorded.follow_command(path, command)
    shifted = command + np.array([[-1e-6], [1e-6]])  # both axes at their worst, √2 µm across the path
    found = recorded.evaluate(path, commanded, shifted, readings=Readings(device=1e-6, noise=0.0))
    for key in ("e_max", "e_rms", "e_left"):
        assert found.figures[key].uncertainty == pytest.approx(math.sqrt(2) * 1e-6)
        assert abs(found[key] or 0.0) <= (found.figures[key].uncertainty or 0.0) + 1e-15
    bare = recorded.evaluate(path, commanded, shifted)
    assert bare.figures["e_max"].uncertainty is None and bare.figures["e_max"].uncertainty_reason


def test_a_recording_that_stops_early_says_on_which_line() -> None:
    path = parse("G21\nG1 X10 F600\nY10")
    command = np.array([np.linspace(0, 0.005, 50), np.zeros(50)])
    found = recorded.evaluate(path, recorded.follow_command(path, command), command)
    assert found.flags == ("the recording ends on line 2 of the program, after 25.0% of its path",)
    assert found.lines[1].samples == 0 and found.lines[1].max_m is None


def test_what_is_no_recording_of_the_program_is_refused() -> None:
    path, command = line_at(0)
    with pytest.raises(DataError, match="begins 5 mm from where the program begins"):
        recorded.follow_command(path, command + np.array([[0.0], [0.005]]))
    with pytest.raises(DataError, match=r"sample \d+: the command is .* near line 2 of the program"):
        recorded.follow_command(path, line_at(20)[1])
    with pytest.raises(DataError, match="value 8 of 2002 is nan"):
        recorded.follow_command(path, np.where(np.arange(1001) == 7, np.nan, command))
    commanded = recorded.follow_command(path, command)
    with pytest.raises(DataError, match="position_m has shape"):
        recorded.evaluate(path, commanded, command[:, :-1])
    with pytest.raises(DataError, match="widen it"):
        recorded.evaluate(path, commanded, command + 1e-3, window_m=1e-5)
    with pytest.raises(DataError, match="never moves"):
        recorded.evaluate(path, recorded.follow_command(path, np.zeros((2, 5))), np.zeros((2, 5)))


# ---- a real controller --------------------------------------------------------------------------------------------------------------


@cache
def driven() -> tuple[dict[str, Array], GcodePath, recorded.Commanded]:
    columns = linuxcnc_log.read(CIRCLE).columns
    path = parse(PROGRAM.read_text(encoding="ascii"))
    return columns, path, recorded.follow_command(path, _xy(columns, "cmd"), tolerance_m=1e-5)


def _xy(columns: dict[str, Array], source: str) -> Array:
    return np.array([columns[f"x_{source}"], columns[f"y_{source}"]]) * 1e-3


@real
def test_the_real_controller_was_on_the_line_that_it_says() -> None:
    columns, path, commanded = driven()
    ends = np.cumsum(path.length_m)
    ours = path.line[np.minimum(np.searchsorted(ends, commanded.path_m), ends.size - 1)]
    running = commanded.moving & (columns["line"] > 0)
    assert commanded.path_m[-1] == pytest.approx(ends[-1], abs=1e-9)
    assert np.mean(ours[running] == columns["line"][running]) > 0.998  # it changes the number a cycle early, and while it blends


@real
def test_tool_feedback_and_command_of_the_real_circles_are_told_apart() -> None:
    columns, path, commanded = driven()
    found = {source: recorded.evaluate(path, commanded, _xy(columns, source), source=source) for source in ("cmd", "fb", "tool")}
    # columns have 0.1 nm; the controller's points lie inside its circle by feed²·period²/(6 R) = 8.33 nm
    assert found["cmd"]["e_max"] < 8.5e-9
    assert found["tool"]["e_max"] > 2 * found["fb"]["e_max"] > 1000 * found["cmd"]["e_max"]
    window = columns["trig"] > 0
    ccw, cw = (window & (columns["line"] <= 13), window & (columns["line"] > 13))
    radial = -found["tool"].deviation_m[ccw]  # counter-clockwise, outside is to the right
    # the published F, about the programmed centre: −25.8 … +26.5 µm, printed to 0.1 µm
    assert radial.min() == pytest.approx(-25.8e-6, abs=0.051e-6)
    assert radial.max() == pytest.approx(26.5e-6, abs=0.051e-6)
    for source, turn, g in (("tool", ccw, 52.2), ("tool", cw, 52.0), ("fb", ccw, 19.1), ("cmd", ccw, 0.0)):
        assert _about_least_squares(_xy(columns, source)[:, turn]) == pytest.approx(g * 1e-6, abs=0.051e-6), source


def _about_least_squares(xy: Array) -> float:
    """G: range of the distance from the centre of the least-squares circle (from the algebraic one by Gauss and Newton)."""
    a, b, c = np.linalg.lstsq(np.column_stack([2 * xy.T, np.ones(xy.shape[1])]), (xy**2).sum(axis=0), rcond=None)[0]
    r = math.sqrt(c + a * a + b * b)
    for _ in range(5):
        d = np.hypot(xy[0] - a, xy[1] - b)
        jacobian = np.column_stack([-(xy[0] - a) / d, -(xy[1] - b) / d, -np.ones(d.size)])
        step = np.linalg.lstsq(jacobian, r - d, rcond=None)[0]
        a, b, r = a + step[0], b + step[1], r + step[2]
    d = np.hypot(xy[0] - a, xy[1] - b)
    return float(d.max() - d.min())


@real
def test_the_worst_places_lie_on_the_circles_and_the_reversal_overshoots() -> None:
    columns, path, commanded = driven()
    found = recorded.evaluate(path, commanded, _xy(columns, "tool"))
    assert {place.line for place in found.worst} <= {9, 11, 13, 16, 18, 20}
    assert found.worst[0].line == 18 and abs(found.worst[0].deviation_m) == found["e_max"]
    assert [(one.line, one.next_line) for one in found.corners] == [(5, 6), (6, 9), (13, 16), (20, 22)]


@real
def test_another_program_is_not_that_of_the_recording() -> None:
    columns, _, _ = driven()
    other = parse(PROGRAM.read_text(encoding="ascii").replace("50", "49.98"))  # 20 µm smaller
    with pytest.raises(DataError, match=r"near line \d+ of the program"):
        recorded.follow_command(other, _xy(columns, "cmd"), tolerance_m=1e-5)


def test_a_spiral_whose_turns_lie_nearer_than_the_following_error() -> None:
    """Archimedean, 2 mm and growing by 20 µm a turn, in chords; the tool 3 µm to the left on its normal while it lags by 0.5 mm."""
    t = np.linspace(0, 12 * math.pi, 6001)
    r, growth = 2e-3 + 20e-6 * t / (2 * math.pi), 20e-6 / (2 * math.pi)
    command = np.array([r * np.cos(t), r * np.sin(t)])
    heading = t + math.pi / 2 - np.arctan(growth / r)
    path = parse("G21\n" + "\n".join(f"G1 X{x:.9f} Y{y:.9f} F600" for x, y in (command * 1e3).T[1:]), start_m=(command[0, 0], command[1, 0]))
    tool = command + 3e-6 * np.array([-np.sin(heading), np.cos(heading)])
    lag = 40  # samples of 12.6 µm
    late = np.concatenate([np.repeat(tool[:, :1], lag, axis=1), tool[:, :-lag]], axis=1)
    found = recorded.evaluate(path, recorded.follow_command(path, command), late, window_m=1e-3)
    counted = found.deviation_m[lag + 5 :]
    # the samples lie on the normals of the joints, off those of the chords by half their angle: 3 µm · (Δt/2)²/2 = 1.5e-11 m
    assert counted == pytest.approx(np.full(counted.size, 3e-6), abs=3e-11)
    assert np.all(np.diff(found.foot_m) >= -1e-12)


def test_a_command_that_cuts_a_thousand_corners_is_not_lost() -> None:
    corners = [(x, y) for k in range(500) for x, y in ((k * 0.2, 1.0 * (k % 2)), (k * 0.2, 1.0 - k % 2))][1:]  # a hatch of 1 mm strokes
    path = parse("G21\n" + "\n".join(f"G1 X{x:.3f} Y{y:.0f} F3000" for x, y in corners))
    ends = np.concatenate([[0.0], np.cumsum(path.length_m)])
    s = np.append(np.arange(0.0, ends[-1], 50e-6 * math.pi / 3), ends[-1])  # never on a corner: each is cut by up to 15 µm
    command = np.array([np.interp(s, ends, row) for row in path.point_m])
    followed = recorded.follow_command(path, command)
    assert followed.path_m == pytest.approx(s, abs=1e-12)
    found = recorded.evaluate(path, followed, command + np.array([[0.0], [2e-6]]))
    assert len(found.corners) == len(corners) - 1
    assert {row.max_m is not None for row in found.lines} == {True}
