"""The lab's ball bar: exact transforms while the machine moves, and the closed forms of lag, play and spikes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from precision.drivers import open_stream
from precision.drivers.frames import codec
from precision.drivers.lab.kinematics import SixErrors, tool_point, tool_points
from precision.drivers.lab.machine import Activity
from precision.drivers.lab.motion import Trapezoid
from precision.drivers.lab.parameters import AxisParameters, Parameters
from precision.drivers.lab.process import start
from precision.drivers.lab.trajectory import Trajectory, commanded
from precision.drivers.lab.twin import Twin
from precision.drivers.lab.workshop import Workshop
from precision.errors import DeviceFault

R, F = 0.1, 0.05
IDEAL = {
    "lead_slope": 0.0, "lead_wander_m": 0.0, "cyclic_m": 0.0, "scale_error_m": 0.0, "backlash_m": 0.0, "backlash_variation": 0.0, "scatter_m": 0.0, "home_scatter_m": 0.0,
    "straightness_m": 0.0, "angle_rad": 0.0, "servo_lag_s": 0.0, "spike_m": 0.0, "screw_heating_k_s_per_m": 0.0,
}  # fmt: skip


def twin(**of_x: float) -> Twin:
    """A machine without errors but those named, of its X axis, at 20 °C."""
    ideal = Parameters()
    axes = {name: replace(getattr(ideal, name), **IDEAL) for name in "xyz"}
    axes["x"] = replace(axes["x"], **of_x)
    still = {"squareness_c0y_rad": 0.0, "squareness_b0z_rad": 0.0, "squareness_a0z_rad": 0.0, "machine_temperature_k": 293.15, "machine_drift_k": 0.0, "structural_drift_m": 0.0}
    return Twin(1, replace(ideal, **axes, **still))


def circle(machine_of: Twin, direction: int = 1) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Angle commanded and distance from the centre − R, of one circle with a quarter before it, sampled at 1 kHz."""
    machine = machine_of.mechanics
    for target, feed in (({"X": 0.5, "Y": 0.3, "Z": -0.25}, 0.1), ({"X": 0.5, "Y": 0.3 - direction * R}, 0.05)):
        machine.begin_move(target, feed)
        machine.complete()
    seen: list[tuple[Activity, np.ndarray]] = []  # type: ignore[type-arg]
    path = Trajectory(machine, Workshop(machine_of.parameters, 1), start_ns=machine.now_ns, rate_hz=1000.0)
    machine.listeners.append(lambda activity, before: seen.append((activity, path.points_m(activity, before, machine_of.parameters.tool_m))))
    begin_ns = machine.now_ns
    machine.begin_arc(("X", "Y"), (0.5, 0.3), direction * 2.5 * math.pi, F)
    machine.complete()
    (activity, points), = seen
    t_ns = begin_ns + (np.arange(len(points)) * 1_000_000)
    at = commanded(activity, t_ns.astype(np.int64)) - np.array([0.5, 0.3, -0.25])
    centre = np.array([0.5, 0.3, -0.25]) + np.array(machine_of.parameters.tool_m)
    return np.unwrap(np.arctan2(at[:, 1], at[:, 0])), np.linalg.norm(points - centre, axis=1) - R


def test_many_places_at_once_are_those_of_the_exact_transforms_one_by_one() -> None:
    machine = Twin(5).mechanics
    generator = np.random.default_rng(3)
    places, errors = generator.uniform(-0.4, 0.4, (50, 3)), [generator.uniform(-1e-3, 1e-3, (50, 6)) for _ in "XYZ"]
    tool = (0.01, -0.02, -0.12)
    together = tool_points(places, errors, tool, machine.directions)
    for k, place in enumerate(places.tolist()):
        alone = tool_point((place[0], place[1], place[2]), tuple(SixErrors(*row[k].tolist()) for row in errors), tool, machine.directions)  # type: ignore[arg-type]
        np.testing.assert_allclose(together[k], alone, rtol=0, atol=1e-15)  # a few roundings of numbers below 1


@pytest.mark.parametrize("distance_m", [1e-4, 0.5])
def test_a_trapezoid_at_many_times_is_the_same_as_at_each(distance_m: float) -> None:
    profile = Trapezoid.over(distance_m, feed_m_per_s=0.05, acceleration_m_per_s2=1.5)
    times = np.linspace(-0.1, profile.duration_s + 0.1, 400)
    np.testing.assert_allclose(profile.travelled_at(times), [profile.travelled_m(t) for t in times.tolist()], rtol=0, atol=1e-16)


def test_an_ideal_machine_drives_an_ideal_circle() -> None:
    _, deviation = circle(twin())
    assert np.abs(deviation[:-1]).max() < 1e-12  # the last sample stands on a whole step


@pytest.mark.parametrize("direction", [1, -1])
def test_lag_of_one_axis_makes_an_oval_that_turns_with_the_direction(direction: int) -> None:
    lag_s = 2e-3
    angle, deviation = circle(twin(servo_lag_s=lag_s), direction)
    # x = R (cosθ + d φ sinθ − φ² cosθ …), φ = ωτ: ΔR = d (F τ/2) sin 2θ and second-order parts of at most R φ² = 100 nm; the step's a·h²/8 is 3 nm.
    expected = direction * F * lag_s / 2 * np.sin(2 * angle)
    middle = slice(200, -200)
    np.testing.assert_allclose(deviation[middle], expected[middle], rtol=0, atol=103e-9)


@pytest.mark.parametrize("direction", [1, -1])
def test_play_is_an_outward_step_once_it_is_taken_up(direction: int) -> None:
    play_m = 4e-6
    angle, deviation = circle(twin(backlash_m=play_m), direction)
    # d (b/2) sgn(sinθ) cosθ away from reversals of X; until the play is taken up, over √(2b/R) = 0.51°, the carriage stands.
    away = np.abs(np.sin(angle)) > 0.02
    away[:200] = away[-1] = False
    np.testing.assert_allclose(deviation[away], (direction * play_m / 2 * np.sign(np.sin(angle)) * np.cos(angle))[away], rtol=0, atol=1e-9)


def test_a_spike_has_its_height_and_stands_outside() -> None:
    angle, deviation = circle(twin(spike_m=3e-6, spike_time_s=0.02))
    around = np.abs(np.sin(angle)) < 0.05
    assert deviation[around].max() == pytest.approx(3e-6, rel=1e-3)  # (t/T)·exp(1 − t/T) within a sample of its top
    assert deviation.min() > -1e-9


def test_a_cyclic_error_follows_the_axis() -> None:
    angle, deviation = circle(twin(cyclic_m=1e-6, pitch_m=0.01))
    x = R * np.cos(angle)
    columns = np.stack([np.cos(angle) * f(k * 2 * np.pi * (x + 0.5) / 0.01) for k in (1, 2) for f in (np.sin, np.cos)], axis=-1)[:-1]
    solution, *_ = np.linalg.lstsq(columns, deviation[:-1], rcond=None)
    # 1 µm a turn and a fifth of it twice a turn; the rest is second order, (1 µm)²/R.
    assert np.hypot(*solution[:2]) == pytest.approx(1e-6, abs=1e-10) and np.hypot(*solution[2:]) == pytest.approx(0.2e-6, abs=1e-10)


def test_the_bar_over_its_link_says_the_same_however_often_it_is_asked() -> None:
    heard = []
    for polls in (1, 6):
        machine_of = Twin(3)
        bar, machine = machine_of.ball_bar, machine_of.mechanics
        machine.begin_move({"X": 0.5, "Y": 0.3, "Z": -0.25}, 0.1)
        machine.complete()
        bar.mount({"X": 0.5, "Y": 0.3, "Z": -0.25}, R)
        machine.begin_move({"X": 0.5 + R}, 0.1)
        machine.complete()
        said = bar.greeting()
        header, rest = said.split(b"\n", 1)
        assert codec.decode_header(header).channels[0].unit == "m" and rest == b""
        bar.answer(b"start\n")
        for _ in range(3):
            machine.begin_arc(("X", "Y"), (0.5, 0.3), 0.2, F)
            machine.complete()
            heard.append(b"".join(bar.poll(0.0) for _ in range(polls)))
    assert b"".join(heard[:3]) == b"".join(heard[3:]) and len(heard[0]) > 3000


def test_a_bar_that_nobody_hung_in_refuses_to_start() -> None:
    with start(seed=1, controller="tcp") as lab:
        stream = open_stream("frames", lab.addresses["ballbar"])
        with pytest.raises(DeviceFault, match="no bar hangs between its balls"):
            stream.start()
        with pytest.raises(ValueError, match="length_m is 5"):
            lab.mount_ball_bar({"X": 0.5, "Y": 0.3, "Z": -0.25}, 5)
        lab.mount_ball_bar({"X": 0.5, "Y": 0.3, "Z": -0.25}, 0.15)
        stream.start()
        stream.close()
        assert "ball_bar" in lab.truth()


def test_defaults_of_an_axis_have_a_lag_and_a_spike() -> None:
    axis = AxisParameters(lowest_m=0.0, highest_m=1.0)
    assert axis.servo_lag_s > 0 and axis.spike_m > 0
