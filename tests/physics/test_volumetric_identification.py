"""The 21 errors found again from lines, diagonals and distances of a machine made of exact transforms (of the virtual lab, not of the estimator)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from precision.drivers.lab.kinematics import Directions, SixErrors, tool_point
from precision.errors import DataError
from precision.kernels import compiled
from precision.models.error_basis import Basis
from precision.models.rigid_body import (
    FUNCTIONS,
    LETTERS,
    NAMES,
    RigidBody,
    is_rotation,
    is_straightness,
    rigid_motion_removed,
)
from precision.standards import multilateration, volumetric_map
from precision.standards.multilateration import Instrument, Station, multilaterate
from precision.standards.station_plan import Planned, check_stations
from precision.standards.volumetric import half_width
from precision.standards.volumetric_diagonals import ASKED, Diagonal, body_diagonals, diagonals_tell, identify_diagonals
from precision.standards.volumetric_lines import Line, Squareness, identify_lines, lines_tell

CHAIN = "XYFZ"
TRAVEL = ((0.0, 1.0), (0.0, 0.6), (-0.5, 0.0))
PLACES = ((-0.2, -0.2, -0.7), (1.2, -0.1, -0.6), (0.5, 0.8, -0.75), (1.1, 0.7, 0.1))
TOOLS = ((0.10, 0.0, -0.12), (-0.10, 0.05, -0.15), (0.0, -0.10, -0.2), (0.05, 0.10, -0.1))
LASER = Instrument(noise_m=0.2e-6, noise_per_m=0.2e-6, scale_u=0.05e-6)


@pytest.fixture(autouse=True)
def without_numba(monkeypatch):
    """Numba compiles a kernel for each chain; the tiers are compared in tests/backends."""
    monkeypatch.setenv(compiled.SWITCH, "0")


def machine(seed: int, count: int = 7, size: float = 1e-5) -> tuple[Basis, RigidBody]:
    """Errors of 10 µm and 10 µrad or so, piecewise linear, after the conventions."""
    basis = Basis.even(CHAIN, TRAVEL, count)
    theta = basis.free @ np.random.default_rng(seed).normal(size=basis.free.shape[1]) * size
    return basis, basis.machine(theta)


def exact(body: RigidBody, points: np.ndarray, tool: tuple[float, float, float]) -> np.ndarray:
    """Where the tool is, (3, n), by the lab's homogeneous transforms (chain XYFZ)."""
    directions = Directions.from_squareness(**{f"{name.lower()}_rad": value for name, value in body.constants.items()})
    rows = [[SixErrors(*(float(body.value(f"E{letter}{axis}", p[k])) for letter in LETTERS)) for k, axis in enumerate("XYZ")] for p in points.T]
    return np.array([tool_point(tuple(p), tuple(six), tool, directions) for p, six in zip(points.T, rows, strict=True)]).T


def grid(count: int) -> np.ndarray:
    return np.stack(np.meshgrid(*(np.linspace(low, high, count) for low, high in TRAVEL), indexing="ij")).reshape(3, -1)


def stations(body: RigidBody, points: np.ndarray, *, seed: int, places=PLACES, tools=TOOLS, instrument: Instrument = LASER) -> list[Station]:
    rng, made = np.random.default_rng(seed), []
    for number, (place, tool) in enumerate(zip(places, tools, strict=True), 1):
        length = np.linalg.norm(exact(body, points, tool) - np.array(place)[:, None], axis=0)
        scale = rng.normal() * instrument.scale_u
        read = (length - length[0]) * (1 + scale) + rng.normal(size=length.size) * instrument.sigma(length)
        made.append(Station(name=f"station {number}", position_m=points, distance_m=read, tool_m=tool))
    return made


def fits(found, body: RigidBody) -> bool:
    """Whether estimate − truth lies within what its covariance allows: χ² over the free coefficients has the mean F and the standard deviation √(2F)."""
    free = found.basis.free
    off = free.T @ (found.theta - found.basis.coefficients(body))
    chi_square = float(off @ np.linalg.solve(free.T @ found.root @ found.root.T @ free, off))
    return abs(chi_square - off.size) < 4 * np.sqrt(2 * off.size)


# ---- conventions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chain", ["".join(p) for p in itertools.permutations("FXYZ")])
def test_normalised_is_the_same_machine_with_its_workpiece_laid_differently(chain: str) -> None:
    rng = np.random.default_rng(5)
    curves = {name: (np.linspace(-0.3, 0.3, 5), rng.normal(size=5) * 1e-5) for name in FUNCTIONS}
    body = RigidBody.from_curves(chain, curves, {"C0Y": 1e-5, "B0Z": -2e-5, "A0Z": 3e-5})
    same = body.normalised((0.1, 0.0, -0.1))
    points, tool = rng.uniform(-0.3, 0.3, (3, 60)), (0.1, -0.05, -0.2)
    # Sums of a hundred terms of 10 µm: rounding of 1e-19 m.
    assert np.abs(rigid_motion_removed(body.error(points, tool) - same.error(points, tool), points)).max() < 1e-18
    for name in FUNCTIONS:
        assert abs(float(same.value(name, {"X": 0.1, "Y": 0.0, "Z": -0.1}[name[2]]))) < 1e-20, name
        if is_straightness(name):
            assert abs(np.polyfit(*same.curve(name), 1)[0]) < 1e-18, name
    assert np.abs(np.array(list(same.normalised((0.1, 0.0, -0.1)).constants.values())) - list(same.constants.values())).max() < 1e-19


@pytest.mark.parametrize("degree", [1, 3])
def test_coefficients_and_machine_are_each_others_inverse(degree) -> None:
    basis = Basis.even(CHAIN, TRAVEL, 6, degree=degree)
    theta = basis.free @ np.random.default_rng(2).normal(size=basis.free.shape[1]) * 1e-5
    assert np.abs(basis.conventions @ theta).max() < 1e-19
    assert np.abs(basis.coefficients(basis.machine(theta)) - theta).max() < 1e-18


def test_the_basis_and_the_kernel_have_the_same_error() -> None:
    basis, body = machine(3)
    points = np.random.default_rng(1).uniform([[0], [0], [-0.5]], [[1], [0.6], [0]], (3, 40))
    theta = basis.coefficients(body)
    for tool in TOOLS:
        rows = np.stack([basis.displacement(points, axis, tool) @ theta for axis in np.eye(3)])
        assert np.abs(rows - body.error(points, tool)).max() < 1e-18
        assert np.abs(basis.at(points).error(theta, tool) - body.error(points, tool)).max() < 1e-18
    assert np.abs(np.stack([basis.rotation(points, letter) @ theta for letter in "ABC"]) - body.turn(points)).max() < 1e-19


# ---- lines ----------------------------------------------------------------------------------------------------------------


def measured_lines(body: RigidBody, *, seed: int, noise: float = 0.1e-6, square_error: float = 0.0, names=FUNCTIONS) -> list[Line]:
    """Each error on a line of its own place, with its zero; straightness against a square for each plane, laid crooked by 50 µrad."""
    rng, made = np.random.default_rng(seed), []
    at, tool = (0.15, 0.2, -0.35), (0.01, 0.02, -0.12)
    for name in names:
        axis = "XYZ".index(name[2])
        x = np.linspace(*TRAVEL[axis], 21)
        points = np.repeat(np.array(at)[:, None], x.size, axis=1)
        points[axis] = x
        square = None
        if is_rotation(name):
            value = body.turn(points)["ABC".index(name[1])]
        else:
            value = (exact(body, points, tool) - points - np.array(tool)[:, None])["XYZ".index(name[1])]
        if is_straightness(name):
            plane = "".join(sorted(name[1:]))
            square = f"square {plane}"
            normal = ({"X", "Y", "Z"} - set(plane)).pop()
            second = name[2] == plane[1]
            # A right-handed turn by φ moves the reference by φ×p; the reading falls by that. The error of the right angle turns the second side more.
            turn = np.cross(np.eye(3)["XYZ".index(normal)], np.eye(3)[axis])["XYZ".index(name[1])]
            value = value - turn * (50e-6 + (square_error if second else 0.0)) * x
        made.append(
            Line(name=name, position_m=x, value=value + 0.3e-3 + rng.normal(size=x.size) * noise, noise=noise, at_m=at, tool_m=tool, square=square)
        )
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_all_21_come_back_from_lines_through_their_lever_arms(seed: int) -> None:
    basis, body = machine(seed)
    found = identify_lines(measured_lines(body, seed=seed), basis)
    assert fits(found, body)
    assert found.rank == found.unknowns
    assert not found.flags


def test_without_noise_the_lines_give_the_errors_to_second_order() -> None:
    basis, body = machine(4)
    found = identify_lines(measured_lines(body, seed=1, noise=1e-12), basis)
    # Products of angles of 1e-5 over 1 m, and of angles with translations of 10 µm: below 2 nm.
    assert np.abs(found.theta - basis.coefficients(body)).max() < 2e-9


def test_u_of_squareness_holds_the_square() -> None:
    basis, body = machine(2)
    lines = measured_lines(body, seed=1, square_error=3e-6)
    blind, told = identify_lines(lines, basis), identify_lines(lines, basis, square_u_rad=2e-6)
    for name, value in body.constants.items():
        key = f"E_{name}"
        assert abs(blind[key] - value) > 2 * blind.figures[key].uncertainty
        assert abs(told[key] - value) < told.figures[key].uncertainty
        assert told.figures[key].uncertainty == pytest.approx(2 * 2e-6, rel=0.02)  # noise adds a little


def test_lines_that_miss_an_error_are_refused_by_its_name() -> None:
    basis, body = machine(1)
    lines = measured_lines(body, seed=1, names=[name for name in FUNCTIONS if name not in ("ECZ", "EAX")])
    told = lines_tell(lines, basis)
    assert {"ECZ", "EAX"} <= set(told.undetermined)
    assert told.rank < told.unknowns
    with pytest.raises(DataError, match=r"E_AX.*E_CZ.*not determined"):
        identify_lines(lines, basis)
    found = identify_lines(lines, basis, assumed_zero=["ECZ", "EAX"])
    assert found["E_CZ"] is None
    assert any("E_AX, E_CZ taken as zero" in flag for flag in found.flags)


def test_straightness_without_a_square_leaves_squareness_open_until_it_is_given() -> None:
    basis, body = machine(1)
    lines = [Line(**{**{f: getattr(line, f) for f in line.__dataclass_fields__}, "square": None}) for line in measured_lines(body, seed=1)]
    assert set(lines_tell(lines, basis).undetermined) == {"C0Y", "B0Z", "A0Z"}
    given = {name: Squareness(value=value, standard_uncertainty=1e-6) for name, value in body.constants.items()}
    assert lines_tell(lines, basis, squareness=tuple(given)).complete
    found = identify_lines(lines, basis, squareness=given)
    assert fits(found, body)


@pytest.mark.parametrize(("fault", "says"), [
    ({"name": "EXQ"}, "expected one of"), ({"value": np.zeros(4)}, "shape"), ({"noise": 0.0}, "more than zero"), ({"name": "EXX", "square": "s"}, "reference of straightness"),
    ({"value": np.array([0.0, np.nan, 0.0])}, "value 2 of 3"),
])  # fmt: skip
def test_a_line_that_cannot_be_is_refused(fault: dict, says: str) -> None:
    good = {"name": "EYX", "position_m": np.array([0.0, 0.5, 1.0]), "value": np.zeros(3), "noise": 1e-7}
    with pytest.raises(DataError, match=says):
        Line(**good | fault)


# ---- diagonals --------------------------------------------------------------------------------------------------------------


def diagonals(body: RigidBody, sides=(0.5, 0.4, 0.3), *, noise: float = 1e-7, faces: bool = False) -> list[Diagonal]:
    rng = np.random.default_rng(1)
    ends = dict(body_diagonals((0.0, 0.0, 0.0), sides))
    if faces:
        a, b, c = sides
        ends |= {"PP XY": ((0, 0, 0), (a, b, 0)), "PP XZ": ((0, 0, 0), (a, 0, c)), "PP YZ": ((0, 0, 0), (0, b, c))}
    made = []
    for name, (start, end) in ends.items():
        s = np.linspace(0, np.linalg.norm(np.subtract(end, start)), 11)
        way = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start))
        points = np.array(start, float)[:, None] + way[:, None] * s
        where = exact(body, points, (0.0, 0.0, 0.0))
        read = np.linalg.norm(where - where[:, :1], axis=0) - s
        made.append(Diagonal(name=name, start_m=start, end_m=end, distance_m=s, deviation_m=read + rng.normal(size=s.size) * noise, noise=noise))
    return made


SCALED = RigidBody.from_curves(
    CHAIN,
    {"EXX": ([0, 0.5], [0, 2.5e-6]), "EYY": ([0, 0.4], [0, -1.2e-6]), "EZZ": ([0, 0.3], [0, 2.4e-6])},
    {"C0Y": 20e-6, "B0Z": -12e-6, "A0Z": 7e-6},
)


def test_2_body_diagonals_tell_squareness_but_not_one_scale_from_another() -> None:
    # Section 2: a, b, c = 500, 400, 300 mm, C, B, A = 20, −12, 7 µrad, scales 5, −3, 8 ppm
    basis = Basis.even(CHAIN, ((0, 0.5), (0, 0.4), (0, 0.3)), 2)
    lines = diagonals(SCALED, noise=1e-10)
    lengths = [(d.deviation_m[-1] - d.deviation_m[0]) * 1e6 for d in lines]
    assert lengths == pytest.approx(
        [-7.2832, 9.1218, 6.4064, 0.1839], abs=2e-3
    )  # the published ones; 0.1 nm of noise, and nanometres of second order
    found = identify_diagonals(lines, basis)
    assert [found[key] for key in ("E_C0Y", "E_B0Z", "E_A0Z")] == pytest.approx([20e-6, -12e-6, 7e-6], abs=5e-9)
    assert (found.told.rank, found.told.unknowns, found.combinations) == (4, 6, 1)
    for scale, others in (("E_XX", "E_YY, E_ZZ"), ("E_YY", "E_XX, E_ZZ"), ("E_ZZ", "E_XX, E_YY")):
        assert found[scale] is None
        assert others in found.figures[scale].reason


def test_face_diagonals_tell_the_scales_too() -> None:
    basis = Basis.even(CHAIN, ((0, 0.5), (0, 0.4), (0, 0.3)), 2)
    found = identify_diagonals(diagonals(SCALED, faces=True), basis)
    assert found.told.complete
    truth = {"E_XX": 2.5e-6, "E_YY": -1.2e-6, "E_ZZ": 2.4e-6, "E_C0Y": 20e-6, "E_B0Z": -12e-6, "E_A0Z": 7e-6}
    for key, value in truth.items():
        assert abs(found[key] - value) < 1.5 * found.figures[key].uncertainty, key


def test_what_diagonals_cannot_tell_is_told_by_name() -> None:
    basis = Basis.even(CHAIN, ((0, 0.5), (0, 0.4), (0, 0.3)), 2)
    told = diagonals_tell(diagonals(SCALED), basis)
    assert not told.complete
    assert {"EXX", "C0Y", "EAX"} <= set(told.undetermined)  # with angles allowed, not even squareness is known
    with pytest.raises(DataError, match=r"rank 1 of 3.*no error can be told apart"):
        identify_diagonals(diagonals(SCALED), basis, asked=("EXX", "EYY", "EZZ"))
    with pytest.raises(DataError, match="EXQ"):
        identify_diagonals(diagonals(SCALED), basis, asked=("EXQ",))
    with pytest.raises(DataError, match="on it"):
        Diagonal(name="PPP", start_m=(0, 0, 0), end_m=(1, 1, 1), distance_m=np.array([0.0, 2.0]), deviation_m=np.zeros(2), noise=1e-7)


def test_angles_come_into_the_diagonals_and_go_with_known_lines() -> None:
    _, body = machine(6)
    sides = (1.0, 0.6, 0.5)
    inside = RigidBody(chain=CHAIN, errors=body.errors._replace(z=body.errors.z._replace(position_m=np.asarray(body.errors.z.position_m) + 0.5)))
    basis = Basis.even(CHAIN, ((0, 1), (0, 0.6), (0, 0.5)), 2)
    lines = diagonals(inside, sides)
    alone = identify_diagonals(lines, basis, asked=("C0Y", "B0Z", "A0Z"))
    helped = identify_diagonals(lines, basis, asked=("C0Y", "B0Z", "A0Z"), known=inside.without("C0Y", "B0Z", "A0Z"))
    off = [abs(alone[f"E_{name}"] - value) for name, value in body.constants.items()]
    assert max(off) > 3e-6  # angles of 10 µrad: several µrad of false squareness
    for name, value in body.constants.items():
        assert abs(helped[f"E_{name}"] - value) < 1.5 * helped.figures[f"E_{name}"].uncertainty


# ---- multilateration ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_all_21_and_the_stations_come_back_from_distances(seed: int) -> None:
    basis, body = machine(seed)
    found = multilaterate(stations(body, grid(7), seed=seed), basis, LASER)
    assert fits(found, body)
    for number, place in enumerate(PLACES, 1):
        u = np.array([found.own[f"station {number} {axis}"][1] for axis in "XYZ"])
        assert np.all(np.abs(found.stations[f"station {number}"].place_m - place) < 4.5 * u)
    assert found.condition < 1000


def test_u_of_the_map_covers_its_figures() -> None:
    basis, body = machine(3)
    found = multilaterate(stations(body, grid(7), seed=7), basis, LASER)
    lines = [np.linspace(low, high, 9) for low, high in TRAVEL]
    guess, truth = (volumetric_map.evaluate(what, *lines, tool_m=(0.0, 0.0, -0.12)) for what in (found, body))
    for key, one in guess.figures.items():
        assert one.uncertainty is not None
        assert abs(one.value - truth[key]) <= 1.3 * one.uncertainty, key  # nine figures with k = 2: 1.3·2σ is passed by one in a hundred
    assert truth.figures["max"].uncertainty is None
    inside = np.abs(guess.delta_m - truth.delta_m) <= guess.u_m + 2e-9
    assert inside.mean() > 0.85  # 2187 values, strongly correlated: most within k = 2


def test_the_map_has_the_figures_of_its_own_field() -> None:
    _, body = machine(5)
    x, y, z = (np.linspace(low, high, 5) for low, high in TRAVEL)
    found = volumetric_map.evaluate(body, x, y, z, tool_m=(0.0, 0.02, -0.1))
    points = np.stack(np.meshgrid(x, y, z, indexing="ij")).reshape(3, -1)
    delta = exact(body, points, (0.0, 0.02, -0.1)) - points - np.array([[0.0], [0.02], [-0.1]])
    delta -= delta[:, :1]  # counted from the lowest corner
    length = np.linalg.norm(delta, axis=0)
    for k, axis in enumerate("XYZ"):
        assert found[f"V_{axis}"] == pytest.approx(np.ptp(delta[k]), abs=5e-9)
    assert found["max"] == pytest.approx(length.max(), abs=5e-9)
    assert found["rms"] == pytest.approx(np.sqrt(np.mean(length**2)), abs=5e-9)
    worst, corner = (body.error(np.array(place), (0.0, 0.02, -0.1)) for place in (found.worst_m, [x[0], y[0], z[0]]))
    assert np.linalg.norm(worst - corner) == pytest.approx(found["max"], abs=1e-15)
    assert volumetric_map.evaluate(body, x, y, z, best_fit=True)["rms"] < volumetric_map.evaluate(body, x, y, z)["rms"]


def test_a_map_beyond_what_was_identified_is_refused() -> None:
    basis, body = machine(1)
    found = identify_lines(measured_lines(body, seed=1), basis)
    with pytest.raises(DataError, match=r"grid in X.*Nothing is extrapolated"):
        volumetric_map.evaluate(found, [0.0, 1.1], [0.0, 0.6], [-0.5, 0.0])
    with pytest.raises(DataError, match="coarser"):
        volumetric_map.evaluate(found, *(np.linspace(low, high, 40) for low, high in TRAVEL))


def test_the_analytic_jacobian_is_the_slope_of_the_model() -> None:
    basis, body = machine(1, count=4, size=1e-4)
    points = grid(3)
    station = multilateration.without_readings("s", PLACES[0], points, TOOLS[0])
    station = Station(name="s", position_m=points, distance_m=station.distance_m, tool_m=TOOLS[0], near_m=PLACES[0], zeroing=np.arange(27) // 14)
    placed = multilateration.placed_station(station, station.reflector_m)
    theta, at = basis.coefficients(body), basis.at(points)
    model = multilateration.distances(station, placed, at, theta)
    step = 1e-6  # central differences: relative error (step/length)² and rounding 1e-16/1e-6 = 1e-10 m/m
    for column in range(basis.size):
        shift = np.zeros(basis.size)
        shift[column] = step
        up, down = (multilateration.distances(station, placed, at, theta + sign * shift).reading_m for sign in (1, -1))
        assert np.abs((up - down) / (2 * step) - model.rows[:, column]).max() < 1e-8
    assert len(model.own) == 5
    for name, column in model.own.items():
        moved = []
        for sign in (1, -1):
            place, dead = placed.place_m.copy(), dict(placed.dead_m)
            if name.startswith("dead"):
                number = 1 if "(2)" in name else 0
                dead[number] += sign * step
            else:
                place["XYZ".index(name[-1])] += sign * step
            moved.append(multilateration.distances(station, multilateration.Placed(place_m=place, dead_m=dead), at, theta).reading_m)
        assert np.abs((moved[0] - moved[1]) / (2 * step) - column).max() < 1e-8, name


def test_a_plan_is_judged_as_the_measurement_then_is() -> None:
    basis, body = machine(2)
    planned = [Planned(name=f"station {k}", place_m=place, tool_m=tool) for k, (place, tool) in enumerate(zip(PLACES, TOOLS, strict=True), 1)]
    check = check_stations(planned, grid(7), basis, LASER)
    assert check.good
    found = multilaterate(stations(body, grid(7), seed=3), basis, LASER)
    assert (check.told.rank, check.told.unknowns) == (found.rank, found.unknowns)
    for name in NAMES:
        key = f"U_E_{name[1:] if name in FUNCTIONS else name}"
        # The same covariance but for the residuals' excess, a few percent of 1, and errors of 10 µm in the directions.
        assert check[key] == pytest.approx(2 * found.standard_uncertainty(name).max(), rel=0.1), key


@pytest.mark.parametrize(("tools", "says"), [([TOOLS[0]] * 4, "same reflector offset"), ([(0.05 * k, 0.0, -0.1) for k in range(4)], "on one line")])
def test_reflectors_at_one_offset_or_on_one_line_are_found_short_before_and_after(tools, says: str) -> None:
    basis, body = machine(1)
    planned = [Planned(name=f"station {k}", place_m=place, tool_m=tool) for k, (place, tool) in enumerate(zip(PLACES, tools, strict=True), 1)]
    check = check_stations(planned, grid(5), Basis.even(CHAIN, TRAVEL, 5), LASER)
    assert not check.good
    assert check.told.rank < check.told.unknowns
    assert any(says in flag for flag in check.flags)
    lost = next(name for name in check.told.undetermined if name in FUNCTIONS and is_rotation(name))
    assert check[f"U_E_{lost[1:]}"] is None
    with pytest.raises(DataError, match=says):
        multilaterate(stations(body, grid(5), seed=1, tools=tools), Basis.even(CHAIN, TRAVEL, 5), LASER)
    assert basis.size


def test_three_stations_are_refused_and_flagged() -> None:
    basis, body = machine(1)
    with pytest.raises(DataError, match="3 stations"):
        multilaterate(stations(body, grid(4), seed=1)[:3], basis, LASER)
    planned = [Planned(name=f"s{k}", place_m=place, tool_m=tool) for k, (place, tool) in enumerate(zip(PLACES[:3], TOOLS[:3], strict=True))]
    assert not check_stations(planned, grid(5), Basis.even(CHAIN, TRAVEL, 3), LASER).good


def test_more_nodes_than_measured_places_are_refused() -> None:
    _, body = machine(1)
    with pytest.raises(DataError, match=r"rank .* of .*fewer nodes"):
        multilaterate(stations(body, grid(4), seed=1), Basis.even(CHAIN, TRAVEL, 9), LASER)


def test_a_beam_that_was_interrupted_counts_from_a_new_zero() -> None:
    basis, body = machine(2, count=5)
    made = stations(body, grid(5), seed=3)
    first = made[0]
    broken = np.array(first.distance_m)
    broken[60:] += 0.123
    unaware = Station(name="station 1", position_m=first.position_m, distance_m=broken, tool_m=first.tool_m, near_m=PLACES[0])
    with pytest.raises(DataError, match=r"no convergence.*look for a station's readings"):
        multilaterate([unaware, *made[1:]], basis, LASER)
    aware = Station(
        name="station 1", position_m=first.position_m, distance_m=broken, tool_m=first.tool_m, zeroing=(np.arange(broken.size) >= 60).astype(float)
    )
    found = multilaterate([aware, *made[1:]], basis, LASER)
    assert fits(found, body)
    dead = found.stations["station 1"].dead_m
    assert dead[0] - dead[1] == pytest.approx(0.123, abs=5e-6)


def test_a_wrong_reading_is_named_and_a_missing_one_left_out() -> None:
    basis, body = machine(2, count=5)
    made = stations(body, grid(5), seed=3)
    read = np.array(made[2].distance_m)
    read[17] += 40e-6
    read[30] = np.nan
    made[2] = Station(name="station 3", position_m=grid(5), distance_m=read, tool_m=TOOLS[2])
    assert made[2].distance_m.size == 124
    assert any("station 3, reading 18" in flag for flag in multilaterate(made, basis, LASER).flags)


def test_cubic_splines_follow_a_smooth_machine_with_fewer_nodes() -> None:
    basis = Basis.even(CHAIN, TRAVEL, 11)
    x = [np.linspace(low, high, 11) for low, high in TRAVEL]
    curves = {
        name: (at, 5e-5 * np.sin(2.5 * (at - at[0]) / (at[-1] - at[0]) + k)) for k, name in enumerate(FUNCTIONS) for at in [x["XYZ".index(name[2])]]
    }
    body = RigidBody.from_curves(CHAIN, curves, {"C0Y": 1e-5}).normalised(basis.reference_m)
    quiet = Instrument(noise_m=20e-9)
    made = stations(body, grid(8), seed=2, instrument=quiet)
    rms = {}
    for degree in (1, 3):
        found = multilaterate(made, Basis.even(CHAIN, TRAVEL, 5, degree=degree), quiet)
        points = grid(13)
        rms[degree] = np.sqrt(np.mean(rigid_motion_removed(found.machine.error(points) - body.error(points), points) ** 2))
    assert rms[3] < 0.7 * rms[1]


def test_points_in_a_plane_with_a_station_are_refused_with_advice() -> None:
    points = grid(4).copy()
    points[2] = 0.0
    _, body = machine(1)
    made = stations(body, points, seed=1, places=[(-0.2, 0.1, -0.12), *PLACES[1:]], tools=[(0.0, 0.0, -0.12), *TOOLS[1:]])
    with pytest.raises(DataError, match=r"points all over the (volume|it)|not determined"):
        multilaterate(made, Basis.even(CHAIN, TRAVEL, 4), LASER)


def test_half_width_is_two_sigma_of_a_normal_scatter() -> None:
    draws = np.random.default_rng(1).normal(5.0, 0.3, 200_000)
    assert half_width(draws, 5.0) == pytest.approx(0.6, rel=0.01)


def test_asked_is_scales_and_squareness() -> None:
    assert set(ASKED) <= set(NAMES)
