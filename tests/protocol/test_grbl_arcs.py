"""Arcs: G2 and G3 as the simulated controller runs them, and a driver that follows lines and arcs without waiting in between."""

from __future__ import annotations

import math

import pytest

from precision.drivers.grbl.driver import Grbl
from precision.drivers.grbl.path import chunks, program
from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.lab.twin import Twin
from precision.drivers.roles import Arc, Line, PathController
from precision.drivers.testing import SimulatedTransport, UniformMachine
from precision.errors import PlanError, SafetyStop

FREE = {20: 0, 22: 0}
LIMITS = {20: 1, 22: 1, 23: 7, 110: 15_000, 111: 15_000, 112: 15_000, 130: 1000, 131: 600, 132: 500}


def simulator(settings: dict[int, float], **options: object) -> tuple[UniformMachine, GrblSimulator]:
    machine = UniformMachine(home_m=0.0)
    grbl = GrblSimulator(machine, settings=settings, **options)  # type: ignore[arg-type]
    grbl.poll(0.0)
    return machine, grbl


def driver() -> tuple[UniformMachine, Grbl]:
    machine, grbl = simulator(LIMITS, options="VZ")
    controller = Grbl(SimulatedTransport(grbl), sleep=lambda s: None)
    controller.home()
    return machine, controller


@pytest.mark.parametrize(
    ("line", "end", "sweep"),
    [
        ("G17G3X0Y20I-10J10", (0.0, 20.0), math.pi / 2), ("G17G2X0Y20I-10J10", (0.0, 20.0), -3 * math.pi / 2), ("G3X10Y0I-10", (10.0, 0.0), 2 * math.pi),
        ("G3X0Y10R10", (0.0, 10.0), math.pi / 2), ("G3X0Y10R-10", (0.0, 10.0), 3 * math.pi / 2), ("G2X0Y10R10", (0.0, 10.0), -math.pi / 2),
    ],
)  # fmt: skip
def test_the_sense_and_the_centre_are_those_of_the_code(line: str, end: tuple[float, float], sweep: float) -> None:
    # Start: X10 Y0. The first two arcs are about (0, 10), the third about the origin; R = 10 mm takes the short way, −10 mm the long one.
    machine, grbl = simulator(FREE)
    grbl.receive(b"G1X10F600\n", 0.0)
    if "J10" in line:
        grbl.receive(b"G1X10Y10\n", 0.0)
        line = line.replace("I-10J10", "I-10J0")
    assert grbl.receive(f"{line}F600\n".encode(), 1.0) == b"ok\r\n"
    grbl.poll(100.0)
    assert (machine.position_m["X"] * 1e3, machine.position_m["Y"] * 1e3) == pytest.approx(end, abs=1e-3)
    assert machine.arcs == [pytest.approx(sweep, abs=1e-6)]


def test_planes_turn_from_their_first_axis_to_their_second() -> None:
    machine, grbl = simulator(FREE)
    # G18 is Z-X: counter-clockwise (G3) goes from +Z to +X. Start at X0 Z0, centre at Z −10: a quarter leads to X 10, Z −10.
    grbl.receive(b"G18G3X10Z-10K-10F600\n", 0.0)
    grbl.poll(100.0)
    assert (machine.position_m["X"], machine.position_m["Z"]) == pytest.approx((0.01, -0.01), abs=1e-9)
    assert machine.arcs == [pytest.approx(math.pi / 2)]


def test_arcs_that_arrive_together_are_one_motion_and_later_ones_are_not() -> None:
    machine, grbl = simulator(FREE)
    grbl.receive(b"G1X10F600\n", 0.0)
    assert grbl.receive(b"G3X-10Y0I-10\nG3X10Y0I10\n", 0.0) == b"ok\r\nok\r\n"
    grbl.receive(b"G3X-10Y0I-10\n", 100.0)
    assert machine.arcs == [pytest.approx(2 * math.pi), pytest.approx(math.pi)]


def test_a_held_arc_goes_on_to_its_end_over_whole_turns() -> None:
    machine, grbl = simulator(FREE, time_scale=1.0)
    grbl.receive(b"G1X10F600\n", 0.0)
    grbl.receive(b"G3X-10Y0I-10F300\nG3X10Y0I10\nG3X-10Y0I-10\n", 2.0)  # 540° of 10 mm radius at 5 mm/s: 18.85 s
    whole_s = 6 * math.pi
    grbl.receive(b"!", 2.0 + 0.75 * whole_s)
    held = dict(machine.position_m)
    assert (held["X"], held["Y"]) == pytest.approx((0.01 * math.cos(math.radians(405)), 0.01 * math.sin(math.radians(405))), abs=1e-5)
    grbl.receive(b"~", 50.0)
    grbl.poll(50.0 + 0.25 * whole_s + 0.01)
    assert (machine.position_m["X"], machine.position_m["Y"]) == pytest.approx((-0.01, 0.0), abs=1e-6)
    assert machine.lab_s == pytest.approx(1.2 + whole_s, rel=1e-3)  # the first 10 mm at 500 mm/min


def test_soft_limits_hold_over_the_whole_arc_not_only_at_its_end() -> None:
    _, grbl = simulator(LIMITS, options="VZ")
    grbl.receive(b"$H\n", 0.0)
    grbl.poll(100.0)
    grbl.receive(b"G1X20Y5F600\n", 100.0)
    assert b"ALARM:2" in grbl.receive(b"G2X40Y5I10\nG3X20Y5I-10\nG3X40Y5I10\n", 200.0)  # the last passes Y −5


def test_the_driver_follows_a_run_in_a_turn_and_a_half_and_a_run_out() -> None:
    machine, controller = driver()
    assert isinstance(controller, PathController)
    controller.move_to({"X": 0.35, "Y": 0.3}, feed_m_per_s=0.05)
    path = [Line(end_m={"X": 0.349, "Y": 0.3}), Arc(axes=("X", "Y"), centre_m=(0.25, 0.3), sweep_rad=math.radians(-450)), Line(end_m={"X": 0.25, "Y": 0.2})]
    controller.follow(path, feed_m_per_s=0.02)
    assert machine.arcs == [pytest.approx(math.radians(-450), abs=1e-6)]
    assert (machine.position_m["X"], machine.position_m["Y"]) == pytest.approx((0.25, 0.2), abs=1e-6)


def test_the_driver_refuses_an_arc_that_leaves_the_travel_before_anything_moves() -> None:
    machine, controller = driver()
    controller.move_to({"X": 0.05, "Y": 0.1}, feed_m_per_s=0.05)
    with pytest.raises(SafetyStop, match=r"X = -50 mm is outside the soft limits"):
        controller.follow([Arc(axes=("X", "Y"), centre_m=(0.0, 0.1), sweep_rad=3.5), Line(end_m={"X": 0.1})], feed_m_per_s=0.02)
    assert machine.arcs == []


def test_a_path_that_ends_where_it_begins_is_refused() -> None:
    machine, controller = driver()
    controller.move_to({"X": 0.3, "Y": 0.3}, feed_m_per_s=0.05)
    with pytest.raises(PlanError, match="ends where it begins"):
        controller.follow([Arc(axes=("X", "Y"), centre_m=(0.25, 0.3), sweep_rad=2 * math.pi)], feed_m_per_s=0.02)
    assert machine.arcs == []


def test_lines_and_arcs_of_a_run_fit_into_one_piece_of_the_receive_buffer() -> None:
    start = {"X": 0.6516, "Y": 0.3516, "Z": -0.25}
    ready = program([Line(end_m={"X": 0.6506, "Y": 0.3506}), Arc(axes=("X", "Y"), centre_m=(0.5, 0.3), sweep_rad=math.radians(450))], start, 1 / 60)
    (chunk,) = chunks(ready.lines, 127)
    assert len(chunk) == 3


def test_the_twin_on_a_circle_takes_up_its_play_at_each_turning() -> None:
    twin = Twin(3)
    machine = twin.mechanics
    for axes_m in ({"X": 0.5, "Y": 0.3}, {"X": 0.6}):
        machine.begin_move(axes_m, 0.1)
        machine.complete()
    assert machine.carriages[0].direction == 1
    duration_s = machine.begin_arc(("X", "Y"), (0.5, 0.3), math.radians(450), 0.02)
    assert duration_s == pytest.approx(math.radians(450) * 0.1 / 0.02 + 0.02 / 1.5)
    half = machine.commanded_position(0.5)
    assert (half["X"], half["Y"]) == pytest.approx((0.5 + 0.1 * math.cos(math.radians(225)), 0.3 + 0.1 * math.sin(math.radians(225))), abs=1e-9)
    machine.complete()
    x, y, _ = machine.carriages
    # At 450° the circle ends at its top: X came from +, Y from below, each half a play behind.
    assert (x.direction, y.direction) == (-1, 1)
    assert x.load_m - x.commanded_m == pytest.approx(machine.axes[0].backlash_m(x.commanded_m) / 2)
    assert y.load_m - y.commanded_m == pytest.approx(-machine.axes[1].backlash_m(y.commanded_m) / 2)
