"""ISO 230-1: straightness, angles, squareness, parallelism, flatness.

The straightness vector is from section 2 of the machine-tool reference (computed independently, six decimals printed); the rest is worked by hand.
"""

import json
import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import angular, flatness, straightness
from precision.standards.flatness import UNION_JACK, LevelLine, LineReference, Plane
from precision.standards.squareness import ParallelismSign, SquarenessSign, Trajectory, parallelism, squareness
from precision.standards.straightness import ReferenceLine, from_angles, readings_from_angles
from precision.uncertainty.readings import Readings
from precision.units import ARCSEC

X = np.arange(11) * 0.1
Y = np.array([0, 1.2, 2.1, 2.6, 3.2, 2.9, 3.4, 2.8, 2.5, 1.4, 0.5]) * 1e-6


@pytest.mark.parametrize(
    ("reference", "error", "slope"),
    [(ReferenceLine.END_POINT, 3.1, 0.5), (ReferenceLine.LEAST_SQUARES, 3.121818, 0.46363636), (ReferenceLine.MINIMUM_ZONE, 3.1, 0.5)],
)
def test_2_straightness_vector(reference: ReferenceLine, error: float, slope: float) -> None:
    result = straightness.evaluate(X, Y, reference=reference)
    assert result["E"] == pytest.approx(error * 1e-6, rel=0, abs=0.5e-12)
    # Slopes are printed as 4.6363636e-4 and 5.0e-4 µm/mm, which are 0.46363636 and 0.5 µrad.
    assert result["slope"] == pytest.approx(slope * 1e-6, rel=0, abs=0.5e-14)
    assert reference.value in str(result)
    if reference is ReferenceLine.LEAST_SQUARES:
        assert result.line.intercept == pytest.approx(1.8227273e-6, rel=0, abs=0.5e-13)


def test_straightness_of_two_directions_is_each_and_their_mean() -> None:
    result = straightness.evaluate(X, [Y + 1e-6 * X, Y * 0.5 - 3e-6], reference=ReferenceLine.END_POINT)
    assert result["E_up"] == pytest.approx(3.1e-6, abs=1e-18)
    assert result["E_down"] == pytest.approx(1.55e-6, abs=1e-18)
    assert result["E"] == pytest.approx(0.75 * 3.1e-6, abs=1e-18)
    one = straightness.evaluate(X, Y)
    assert one["E_up"] is None
    assert "one direction only" in one.flags[0]


def test_angles_of_a_carriage_sum_up_to_the_profile_they_came_from() -> None:
    angle = np.arctan(np.diff(Y) / 0.1)
    position, height = from_angles(angle, foot_spacing_m=0.1)
    assert position == pytest.approx(X)
    assert height == pytest.approx(Y, rel=0, abs=1e-20)
    # A tilt of the instrument by 1″ is a line, and no straightness.
    _, tilted = from_angles(angle + ARCSEC, foot_spacing_m=0.1)
    assert straightness.evaluate(position, tilted)["E"] == pytest.approx(3.121818e-6, abs=1e-12)


def test_u_of_straightness_from_angles_grows_with_the_number_of_steps() -> None:
    angle = Readings(device=1e-6, noise=0.5e-6)
    short, long = (readings_from_angles(angle, count, foot_spacing_m=0.1) for count in (4, 16))
    assert (short.device, short.noise) == pytest.approx((4 * 0.1 * 1e-6 / 4, 0.5e-6 * 0.1 * 2 / 2))
    assert (long.device, long.noise) == pytest.approx((4 * short.device, 2 * short.noise))


def test_roll_pitch_and_yaw_have_their_symbols_ranges_and_reversal() -> None:
    up = np.array([0, 2, 5, 3]) * ARCSEC
    down = np.array([1, 3, 6.5, 4]) * ARCSEC
    runs = np.stack([np.stack([row - ARCSEC, row + ARCSEC], axis=-1) for row in (up, down)])
    result = angular.evaluate([0, 0.1, 0.2, 0.3], runs, angle=angular.Angle.PITCH)
    assert result.figures["E"].symbol == "E_BX"
    assert [round((result[key] or 0) / ARCSEC, 9) for key in ("E", "E_up", "E_down", "B")] == [6.5, 5.0, 5.5, 1.5]
    symbols = [angular.evaluate([0, 1], [[[0], [0]]], angle=a, axis=x).figures["E"].symbol for x in "XYZ" for a in angular.Angle]
    assert symbols == ["E_AX", "E_BX", "E_CX", "E_BY", "E_AY", "E_CY", "E_CZ", "E_AZ", "E_BZ"]
    assert "arcsec" in str(result)


def trajectory(slope: float, bend: float = 0.0) -> Trajectory:
    return Trajectory(position_m=X, displacement_m=slope * X + bend * np.cos(2 * np.pi * X))


@pytest.mark.parametrize(
    ("axes", "rotation", "symbol"),
    [(("X", "Y"), 20e-6, "E_C0Y"), (("Y", "Z"), 20e-6, "E_A0Z"), (("X", "Z"), -20e-6, "E_B0Z")],
)
def test_2_squareness_and_its_two_sign_conventions(axes: tuple[str, str], rotation: float, symbol: str) -> None:
    """First axis climbs 10 µrad towards the second (b), the second leans 30 µrad away from the first (a = −30): angle = 90° + 20 µrad."""
    first, second = trajectory(10e-6), trajectory(-30e-6)
    by_rotation = squareness(first, second, sign=SquarenessSign.ROTATION, axes=axes)
    by_angle = squareness(first, second, sign=SquarenessSign.LARGER_THAN_90, axes=axes)
    # arctan of 30 µrad differs from it by 9e-15 rad.
    assert by_angle["E"] == pytest.approx(20e-6, rel=0, abs=2e-14)
    assert by_rotation["E"] == pytest.approx(rotation, rel=0, abs=2e-14)
    assert by_rotation.figures["E"].symbol == symbol
    assert by_rotation["angle"] == pytest.approx(math.pi / 2 + 20e-6, abs=1e-13)
    assert "right-handed" in str(by_rotation)
    assert "larger than 90°" in str(by_angle)


@pytest.mark.parametrize(("axes", "rotation_axis"), [(("X", "Y"), 2), (("Y", "Z"), 0), (("X", "Z"), 1)])
def test_the_rotation_convention_is_the_right_handed_rotation_of_the_second_axis(axes: tuple[str, str], rotation_axis: int) -> None:
    angle = 25e-6
    turn = np.eye(3)
    i, j = (rotation_axis + 1) % 3, (rotation_axis + 2) % 3
    turn[i, i] = turn[j, j] = math.cos(angle)
    turn[j, i], turn[i, j] = math.sin(angle), -math.sin(angle)
    u, v = ("XYZ".index(axis) for axis in axes)
    moved = np.outer(X, turn @ np.eye(3)[v])
    result = squareness(trajectory(0.0), Trajectory(position_m=X, displacement_m=moved[:, u]), sign=SquarenessSign.ROTATION, axes=axes)
    assert result["E"] == pytest.approx(angle, rel=1e-8)


def test_parallelism_and_its_two_sign_conventions() -> None:
    first, second = trajectory(5e-6), trajectory(17e-6)
    apart = parallelism(first, second, sign=ParallelismSign.DIVERGING, names=("rail", "Z"))
    assert apart["E"] == pytest.approx(12e-6, rel=1e-9)
    assert apart["over_length"] == pytest.approx(12e-6, rel=1e-9)
    assert parallelism(first, second, sign=ParallelismSign.CONVERGING)["E"] == pytest.approx(-12e-6, rel=1e-9)
    elsewhere = Trajectory(position_m=X + 2, displacement_m=X)
    with pytest.raises(DataError, match="share no travel"):
        parallelism(first, elsewhere, sign=ParallelismSign.DIVERGING)


def test_u_of_squareness_needs_the_square() -> None:
    readings = Readings(device=0.3e-6, noise=0.05e-6)
    without = squareness(trajectory(0), trajectory(0), sign=SquarenessSign.ROTATION, readings=readings)
    assert "square was not given" in (without.figures["E"].uncertainty_reason or "")
    known = squareness(trajectory(0), trajectory(0), sign=SquarenessSign.ROTATION, readings=readings, square_uncertainty_rad=2e-6)
    # Eleven points: Σ|x − x̄| = 3 m and Σ(x − x̄)² = 1.1 m², so that errors in a range of 0.3 µm turn the line by 3/2.2·0.3 µrad at most.
    slope = 3 / 2.2 * 0.3e-6 + 2 * 0.05e-6 / math.sqrt(float(((X - 0.5) ** 2).sum()))
    assert known.figures["E"].uncertainty == pytest.approx(math.hypot(slope, slope, 2e-6))


def surface(x: object, y: object) -> np.ndarray:  # type: ignore[type-arg]
    """A plate of 1 m by 0.6 m: twist, bowl and a wave."""
    x, y = np.asarray(x), np.asarray(y)
    return np.asarray(4e-6 * x * y + 3e-6 * (x - 0.5) ** 2 - 5e-6 * y**2 + 1e-6 * np.sin(7 * x + 3 * y))


def on_surface(name: str, start: tuple[float, float], end: tuple[float, float], n: int, tilt: float) -> np.ndarray:  # type: ignore[type-arg]
    share = np.linspace(0, 1, n + 1)
    x, y = start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
    step = math.hypot(end[0] - start[0], end[1] - start[1]) / n
    return np.arctan(np.diff(surface(x, y)) / step) + tilt


def jack(tilts: np.ndarray, n: int = 8) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: on_surface(name, (a[0], a[1] * 0.6), (b[0], b[1] * 0.6), n, tilt) for (name, (a, b)), tilt in zip(UNION_JACK.items(), tilts, strict=True)}


def expected_flatness(x: np.ndarray, y: np.ndarray) -> float:  # type: ignore[type-arg]
    design = np.stack([x, y, np.ones_like(x)], axis=-1)
    z = surface(x, y)
    return float(np.ptp(z - design @ np.linalg.lstsq(design, z, rcond=None)[0]))


def test_union_jack_of_an_autocollimator_finds_the_surface_whatever_the_tilt_of_each_line() -> None:
    lines = flatness.union_jack(jack(np.linspace(-30e-6, 40e-6, 8)), length_m=1.0, width_m=0.6)
    result = flatness.evaluate(lines, line_reference=LineReference.OWN)
    assert result.redundancy == 2  # Moody's two closures at the middle
    # arctan and the tilt meet in the third order: (4e-5)²·1e-5 m.
    assert result["flatness"] == pytest.approx(expected_flatness(result.x_m, result.y_m), abs=1e-13)
    assert result["closure"] == pytest.approx(0.0, abs=1e-13)
    assert result.conforming


def test_grid_of_a_level_finds_the_surface() -> None:
    nx, ny = 6, 4
    x, y = np.linspace(0, 1, nx), np.linspace(0, 0.6, ny)
    rows = [on_surface("", (0, v), (1, v), nx - 1, 0.0) for v in y]
    columns = [on_surface("", (u, 0), (u, 0.6), ny - 1, 0.0) for u in x]
    lines = flatness.grid(rows, columns, length_m=1.0, width_m=0.6)
    result = flatness.evaluate(lines, line_reference=LineReference.GRAVITY)
    assert result["flatness"] == pytest.approx(expected_flatness(result.x_m, result.y_m), abs=1e-14)
    least = flatness.evaluate(lines, line_reference=LineReference.GRAVITY, plane=Plane.MINIMUM_ZONE)
    assert least["flatness"] < result["flatness"]  # type: ignore[operator]
    assert result.redundancy == nx * (ny - 1) + ny * (nx - 1) - (nx * ny - 1)
    with pytest.raises(DataError, match="leave a twist open"):
        flatness.evaluate(lines, line_reference=LineReference.OWN)


def test_flatness_of_a_pure_twist_by_hand() -> None:
    """z = c·x·y on a square of side 1 about its centre: the plane is level, the corners are at ±c/4."""
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    heights = [0.0, 0.0, 8e-6, 0.0]
    lines = [
        LevelLine(name=f"side {k + 1}", x_m=[a[0], b[0]], y_m=[a[1], b[1]], height_m=[p, q])  # type: ignore[arg-type]
        for k, ((a, p), (b, q)) in enumerate(zip(zip(corners, heights, strict=True), zip(corners[1:] + corners[:1], heights[1:] + heights[:1], strict=True), strict=True))
    ]
    for plane in Plane:
        assert flatness.evaluate(lines, line_reference=LineReference.GRAVITY, plane=plane)["flatness"] == pytest.approx(4e-6, rel=1e-9)


def test_a_wrong_line_shows_in_the_closure_and_is_named() -> None:
    angles = jack(np.zeros(8))
    angles["middle along x"][:4] += 20e-6  # a bend of 20 µrad over half a metre: 5 µm at the middle
    result = flatness.evaluate(flatness.union_jack(angles, length_m=1.0, width_m=0.6), line_reference=LineReference.OWN, instrument_uncertainty_rad=0.5e-6)
    assert result["closure"] > 1e-6  # type: ignore[operator]
    assert any("measure it again" in flag for flag in result.flags)
    assert result.figures["flatness"].uncertainty > 1e-6  # type: ignore[operator]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: straightness.evaluate(X[:2], Y[:2]), "n ≥ 3"),
        (lambda: straightness.evaluate(X[::-1], Y), "does not ascend"),
        (lambda: straightness.evaluate(X, Y[:-1]), r"\(10,\)"),
        (lambda: straightness.evaluate(X, np.full(11, np.nan)), "nan"),
        (lambda: from_angles([0.5, 0.5], foot_spacing_m=0.1), "at most 0.17"),
        (lambda: angular.evaluate(X, Y[None, :, None], angle=angular.Angle.ROLL, axis="U"), "'U'"),
        (lambda: angular.evaluate(X, np.zeros((3, 11, 1)), angle=angular.Angle.ROLL), "1 or 2 directions"),
        (lambda: squareness(trajectory(0), trajectory(0), sign=SquarenessSign.ROTATION, axes=("Y", "X")), "in this order"),
        (lambda: flatness.grid(np.zeros((3, 4)), np.zeros((4, 2)), length_m=1, width_m=1), r"expected \(5, 2\)"),
        (lambda: flatness.union_jack({"south": [0, 0]}, length_m=1, width_m=1), "diagonal up"),
        (lambda: flatness.union_jack(jack(np.zeros(8), n=5), length_m=1, width_m=0.6), "an even number"),
    ],
)
def test_bad_input_is_refused_in_words(fault, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        fault()


def test_results_go_to_json() -> None:
    result = flatness.evaluate(flatness.union_jack(jack(np.zeros(8)), length_m=1.0, width_m=0.6), line_reference=LineReference.OWN)
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(document["line_closure_m"]) == set(UNION_JACK)
    assert json.loads(json.dumps(straightness.evaluate(X, Y).to_dict(), allow_nan=False))["line"]["slope"] == pytest.approx(0.46363636e-6)
