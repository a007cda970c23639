"""The virtual machine is what it says it is: signs, exactness, noise laws, and the same readings for the same seed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from precision.drivers.lab import air_index
from precision.drivers.lab.clock import LabClock
from precision.drivers.lab.kinematics import Directions, SixErrors, rotation, tool_point
from precision.drivers.lab.motion import Trapezoid
from precision.drivers.lab.noise import Channel
from precision.drivers.lab.parameters import AxisParameters, Parameters
from precision.drivers.lab.servo import Settling
from precision.drivers.lab.twin import Twin
from precision.drivers.lab.waves import Waves

PERFECT_X = AxisParameters(
    lowest_m=-1.0, highest_m=0.0, homes_upwards=True, lead_slope=0.0, lead_wander_m=0.0, cyclic_m=0.0, scale_error_m=0.0, backlash_m=0.0, backlash_variation=0.0,
    scatter_m=0.0, home_scatter_m=0.0, straightness_m=0.0, angle_rad=0.0, creep_m=0.0, ringing_m=0.0, screw_heating_k_s_per_m=0.0)
PERFECT = Parameters(
    x=PERFECT_X, y=replace(PERFECT_X, lowest_m=-0.6), z=replace(PERFECT_X, lowest_m=-0.5),
    squareness_c0y_rad=0.0, squareness_b0z_rad=0.0, squareness_a0z_rad=0.0, machine_temperature_k=293.15, machine_drift_k=0.0,
    structural_drift_m=0.0, air_temperature_drift_k=0.0, air_pressure_drift_pa=0.0, relative_humidity_drift=0.0, beam_tilt_rad=0.0,
    abbe_m=(0.0, 0.0), laser_scale=0.0, laser_noise_m=0.0, turbulence=0.0, periodic_m=0.0)
"""A machine without any error in air that does not change: each test gives it one."""
FLOOR_M = 2e-12
"""Readings are whole pm (± 0.5 at the zero and at the reading), over lengths of 1 m known to 2e-16."""


def go(twin: Twin, feed_m_per_s: float = 0.05, rest_s: float = 1.0, **target_m: float) -> None:
    twin.mechanics.begin_move(target_m, feed_m_per_s)
    twin.mechanics.complete()
    if rest_s:
        dwell(twin, rest_s)


def dwell(twin: Twin, duration_s: float = 3.0) -> None:
    twin.mechanics.begin_dwell(duration_s)
    twin.mechanics.complete()


def reading_m(twin: Twin, axis: int = 0) -> float:
    """Displacement with the vacuum wavelength taken out by the lab's own index."""
    pm = twin.optics.displacement_pm(axis, 0.1)
    refractivity = twin.optics.readings()[-1]["refractivity"]
    assert isinstance(refractivity, float)
    return pm * 1e-12 / (1 + refractivity)


def cycle(twin: Twin, *, polls: int = 1, sensors: tuple[int, ...] = ()) -> list[int]:
    """A short bidirectional test; returns what the interferometer reported at each stop."""
    twin.mechanics.home()
    twin.mechanics.complete()
    go(twin, X=0.1, Y=0.3, Z=-0.2)
    dwell(twin)
    twin.optics.reset(0)
    reported = []
    for target in (0.2, 0.5, 0.9, 0.95, 0.9, 0.5, 0.2):
        twin.mechanics.begin_move({"X": target}, 0.05)
        for _ in range(polls - 1):
            twin.mechanics.commanded_position(0.5)
            twin.optics.displacement_pm(0, 0.1)
        twin.mechanics.complete()
        dwell(twin, 1.0)
        for channel in sensors:
            twin.sensors.read(channel)
        for _ in range(polls):
            pm = twin.optics.displacement_pm(0, 0.1)
        reported.append(pm)
    return reported


# -- the same every time ----------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_readings_bit_for_bit() -> None:
    first, second = Twin(7), Twin(7)
    assert cycle(first) == cycle(second)
    assert json.dumps(first.truth()) == json.dumps(second.truth())


def test_another_seed_is_another_machine() -> None:
    assert cycle(Twin(7)) != cycle(Twin(8))
    assert Parameters.drawn(7) != Parameters.drawn(8)


def test_polling_more_often_or_reading_sensors_in_another_order_changes_nothing() -> None:
    plain, busy = Twin(7), Twin(7)
    expected = cycle(plain, sensors=(101, 102, 103, 104))
    assert cycle(busy, polls=10, sensors=(104, 102, 102, 101, 103)) == expected
    assert busy.truth() == plain.truth()
    assert [busy.sensors.read(n) for n in (104, 103, 102, 101)] == [plain.sensors.read(n) for n in (101, 102, 103, 104)][::-1]


def test_waiting_does_not_move_lab_time_and_a_dwell_does() -> None:
    twin = Twin(7)
    for _ in range(100):
        twin.optics.displacement_pm(0, 1.0)
        twin.sensors.read(101)
        twin.mechanics.commanded_position(1.0)
    assert twin.clock.now_ns == 0
    dwell(twin, 1.5)
    assert twin.clock.now_ns == 1_500_000_000
    with pytest.raises(ValueError, match="only moves forward"):
        LabClock().advance_ns(-1)


# -- the machine ----------------------------------------------------------------------------------------------------------------------------


def test_a_perfect_machine_in_still_air_goes_exactly_where_it_is_told() -> None:
    twin = Twin(1, PERFECT)
    go(twin, X=-0.9)
    twin.optics.reset(0)
    for target in (-0.7, -0.123456, -0.9):
        go(twin, X=target)
        dwell(twin)
        assert reading_m(twin) == pytest.approx(target + 0.9, abs=FLOOR_M)


def test_the_lead_error_is_the_one_that_the_truth_publishes() -> None:
    faulty = replace(PERFECT_X, lead_slope=12e-6, lead_wander_m=8e-6, cyclic_m=0.7e-6, scale_error_m=0.1e-6)
    twin = Twin(6, replace(PERFECT, x=faulty))
    shape = twin.truth()["axes"]["X"]
    assert sum(abs(a) for a, _, _ in shape["lead"]) == pytest.approx(8e-6)

    def error_m(x: float) -> float:
        return float(12e-6 * x + sum(a * math.sin(2 * math.pi * x / period + phase) for a, period, phase in shape["lead"] + shape["periodic"]))

    go(twin, X=-0.9)
    twin.optics.reset(0)
    for target in (-0.8975, -0.895, -0.5, -0.123457):
        go(twin, X=target)
        assert reading_m(twin) - (target + 0.9) == pytest.approx(error_m(target) - error_m(-0.9), abs=FLOOR_M)


def test_backlash_makes_the_positive_approach_fall_short_of_the_negative_one_by_its_width() -> None:
    """deviation ↑ − deviation ↓ = −backlash."""
    twin = Twin(1, replace(PERFECT, x=replace(PERFECT_X, backlash_m=5e-6)))
    go(twin, X=-0.9)
    go(twin, X=-0.5)
    twin.optics.reset(0)
    go(twin, X=-0.3)
    go(twin, X=-0.5)
    assert -reading_m(twin) == pytest.approx(-5e-6, abs=FLOOR_M)


def test_a_reversal_within_the_play_does_not_move_the_carriage() -> None:
    twin = Twin(1, replace(PERFECT, x=replace(PERFECT_X, backlash_m=5e-6)))
    go(twin, X=-0.9)
    go(twin, X=-0.5)
    twin.optics.reset(0)
    go(twin, X=-0.500003)
    assert reading_m(twin) == pytest.approx(0.0, abs=FLOOR_M)
    go(twin, X=-0.500007)
    assert reading_m(twin) == pytest.approx(-2e-6, abs=FLOOR_M)


def test_a_warmer_screw_is_longer_and_moves_the_carriage_in_the_positive_direction() -> None:
    warm = replace(PERFECT, machine_temperature_k=295.15, expansion_per_k=11.5e-6)
    twin = Twin(1, warm)
    go(twin, X=-1.0)
    twin.optics.reset(0)
    go(twin, X=-0.2)
    dwell(twin)
    assert reading_m(twin) - 0.8 == pytest.approx(0.8 * 2 * 11.5e-6, abs=FLOOR_M)
    truth = twin.optics.readings()[-1]
    assert truth["true_displacement_20c_m"] == pytest.approx(0.8, abs=FLOOR_M)
    assert truth["true_displacement_m"] == pytest.approx(0.8 * (1 + 2 * 11.5e-6), abs=FLOOR_M)


def test_motion_warms_the_screw_and_rest_cools_it() -> None:
    twin = Twin(1, replace(PERFECT, x=replace(PERFECT_X, screw_heating_k_s_per_m=20.0, screw_time_constant_s=600.0)))
    before = twin.sensors.read(102)
    for _ in range(20):
        go(twin, 0.2, 0.0, X=-0.9)
        go(twin, 0.2, 0.0, X=-0.1)
    hot = twin.sensors.read(102)
    dwell(twin, 600.0)
    cooled = twin.sensors.read(102)
    assert twin.sensors.read(105) < before + 0.1, "the other screws stay cold"
    # 3 mK of noise each: five of their standard deviations.
    assert hot - before > 0.3
    assert (cooled - before) == pytest.approx((hot - before) * math.exp(-1), abs=5 * 3e-3 * math.sqrt(2))


def test_one_motion_warms_its_screw_as_a_first_order_lag_does() -> None:
    twin = Twin(1, replace(PERFECT, x=replace(PERFECT_X, screw_heating_k_s_per_m=20.0, screw_time_constant_s=100.0)))
    go(twin, X=-0.9)
    before_k = twin.mechanics.carriages[0].screw_rise_k
    dwell(twin, 1e4)
    duration_s = twin.mechanics.begin_move({"X": -0.1}, 0.01)
    twin.mechanics.complete()
    # Rise = k v̄ (1 − exp(−T/τ)); what was left of before has decayed by exp(−100).
    assert before_k > 0
    assert twin.mechanics.carriages[0].screw_rise_k == pytest.approx(20.0 * 0.8 / duration_s * (1 - math.exp(-duration_s / 100.0)), rel=1e-8)


def test_the_structure_drifts_on_an_axis_that_does_not_move_but_not_at_20_degrees() -> None:
    twin = Twin(3, replace(PERFECT, structural_drift_m=0.25e-6))
    go(twin, X=-0.5)
    twin.optics.reset(0)
    seen = []
    for _ in range(60):
        dwell(twin, 10.0)
        seen.append(reading_m(twin))
        assert twin.optics.readings()[-1]["true_displacement_20c_m"] == 0.0
    drift = max(seen) - min(seen)
    assert 0.02e-6 < drift <= 0.5e-6 <= twin.parameters.bounds.structural_drift_range_m
    # The structure's own record starts at the first reading, not at the reset: both have the same range.
    assert twin.truth()["structural_drift_range_m"]["X"] == pytest.approx(drift, abs=FLOOR_M)


def test_each_motion_stops_with_its_own_scatter_of_the_given_size() -> None:
    sigma = 0.4e-6
    twin = Twin(5, replace(PERFECT, x=replace(PERFECT_X, scatter_m=sigma)))
    go(twin, X=-0.5)
    twin.optics.reset(0)
    zero = twin.mechanics.carriages[0].scatter_m
    stops = []
    for _ in range(400):
        go(twin, X=-0.6)
        go(twin, X=-0.5)
        stops.append(reading_m(twin) + zero)
    # Standard error of a mean of 400 is σ/20, of a standard deviation σ/√800: four of each.
    assert abs(np.mean(stops)) < 4 * sigma / 20
    assert abs(np.std(stops, ddof=1) - sigma) < 4 * sigma / math.sqrt(800)


def test_the_carriage_arrives_short_and_settles_in_the_direction_of_motion() -> None:
    creeping = replace(PERFECT, x=replace(PERFECT_X, creep_m=4e-6, creep_time_s=0.1, settling_feed_m_per_s=0.05))
    twin = Twin(1, creeping)
    go(twin, X=-0.5)
    dwell(twin)
    twin.optics.reset(0)
    go(twin, rest_s=0.0, X=-0.4)
    dwell(twin, 0.2)
    early = twin.optics.displacement_pm(0, 0.1) * 1e-12 / (1 + float(twin.optics.readings()[-1]["refractivity"]))  # type: ignore[arg-type]
    mean = -4e-6 * 0.1 * (math.exp(-1) - math.exp(-2)) / 0.1
    assert early - 0.1 == pytest.approx(mean, abs=FLOOR_M)
    dwell(twin, 5.0)
    assert reading_m(twin) == pytest.approx(0.1, abs=FLOOR_M)


def test_the_mean_of_what_settles_is_the_integral_of_it() -> None:
    settling = Settling(creep_m=-3e-6, creep_time_s=0.12, ringing_m=-1e-6, ringing_hz=35.0, damping_ratio=0.05)
    t = np.linspace(0.05, 0.35, 30_001)
    values = np.array([settling.residual_m(float(at)) for at in t])
    # The trapezoidal rule with h = 10 µs errs by h²/12 · f'(…) ≲ 1e-11/… · ω · amplitude, far below 1e-13 m.
    assert settling.mean_m(0.05, 0.35) == pytest.approx(float(np.trapezoid(values, t)) / 0.3, abs=1e-13)


def test_the_window_that_reaches_back_into_a_motion_sees_the_motion() -> None:
    twin = Twin(1, PERFECT)
    go(twin, X=-0.5)
    dwell(twin)
    twin.optics.reset(0)
    go(twin, rest_s=0.0, X=-0.4)
    assert reading_m(twin) < 0.1 - 1e-5
    dwell(twin, 0.1)
    assert reading_m(twin) == pytest.approx(0.1, abs=FLOOR_M)


def test_a_reading_within_a_motion_sees_the_machine_on_its_way_and_leaves_no_truth_behind() -> None:
    twin = Twin(1, PERFECT)
    go(twin, X=-0.5)
    twin.optics.reset(0)
    twin.mechanics.begin_move({"X": -0.3}, 0.05)
    half = twin.mechanics.commanded_position(0.5)["X"]
    # Durations are whole ns: half of it is within 0.5 ns of the middle, at 50 mm/s.
    assert half == pytest.approx(-0.4, abs=0.05 * 1e-9)
    assert twin.optics.displacement_pm(0, 0.0) * 1e-12 == pytest.approx(0.1, rel=3e-4)
    assert twin.optics.readings() == []
    twin.mechanics.complete()
    assert twin.mechanics.commanded_position(0.0)["X"] == pytest.approx(-0.3, abs=1e-15)


def test_a_hold_stands_where_the_machine_was_and_takes_only_the_time_until_then() -> None:
    twin = Twin(1, PERFECT)
    start = twin.clock.now_ns
    duration = twin.mechanics.begin_move({"X": -0.1}, 0.05)
    where = twin.mechanics.commanded_position(0.25)["X"]
    twin.mechanics.hold(0.25)
    assert twin.mechanics.commanded_position(1.0)["X"] == pytest.approx(where, abs=0.5e-6)
    assert twin.clock.now_ns - start == pytest.approx(0.25 * duration * 1e9, abs=1)
    twin.mechanics.begin_move({"X": -0.1}, 0.05)
    with pytest.raises(RuntimeError, match="busy"):
        twin.mechanics.home()


def test_a_motion_takes_as_long_as_its_profile_and_no_axis_is_driven_too_fast() -> None:
    # 0.1 m at 50 mm/s with 1.5 m/s²: 0.1/0.05 + 0.05/1.5.
    assert Twin(1, PERFECT).mechanics.begin_move({"X": -0.4}, 0.05) == pytest.approx(2 + 0.05 / 1.5, abs=1e-9)
    # From (−0.5, −0.3) by 0.3 and 0.2: at most 0.25 m/s on X, which has 0.3 of √0.13 m of the way.
    share = 0.3 / math.sqrt(0.13)
    expected = 0.3 / 0.25 + 0.25 / 1.5
    assert Twin(1, PERFECT).mechanics.begin_move({"X": -0.2, "Y": -0.1}, 9.0) == pytest.approx(expected, rel=1e-9), share
    triangle = Trapezoid.over(1e-3, feed_m_per_s=1.0, acceleration_m_per_s2=2.0)
    assert triangle.duration_s == pytest.approx(2 * math.sqrt(1e-3 / 2.0), rel=1e-12)
    assert triangle.travelled_m(triangle.duration_s / 2) == pytest.approx(5e-4, rel=1e-12)


@pytest.mark.parametrize("target", [{"X": math.nan}, {"A": 0.0}])
def test_an_impossible_target_is_refused(target: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="target_steps_m"):
        Twin(1, PERFECT).mechanics.begin_move(target, 0.05)


def test_homing_leaves_every_axis_at_zero_with_the_play_taken_up_off_the_switch() -> None:
    twin = Twin(7)
    twin.mechanics.home()
    twin.mechanics.complete()
    assert dict(twin.mechanics.commanded_position(1.0)) == {"X": 0.0, "Y": 0.0, "Z": 0.0}
    assert [carriage.direction for carriage in twin.mechanics.carriages] == [1, 1, -1]
    # Behind by half the play after a positive way, ahead after a negative one.
    assert [carriage.load_m < 0 for carriage in twin.mechanics.carriages] == [True, True, False]
    first = [carriage.zero_m for carriage in twin.mechanics.carriages]
    twin.mechanics.home()
    twin.mechanics.complete()
    assert [carriage.zero_m for carriage in twin.mechanics.carriages] != first


# -- exact geometry -------------------------------------------------------------------------------------------------------------------------


X, Y, Z = (SixErrors(5e-6, -3e-6, 2e-6, 8e-6, -12e-6, 20e-6), SixErrors(-4e-6, 6e-6, 1e-6, -15e-6, 5e-6, 10e-6), SixErrors(2e-6, -1e-6, -7e-6, 11e-6, -9e-6, 4e-6))
POSITION, TOOL = (0.3, 0.2, -0.15), (0.01, -0.02, -0.12)
SQUARE = Directions.from_squareness(c0y_rad=0.0, b0z_rad=0.0, a0z_rad=0.0)


def test_the_tool_point_agrees_with_the_worked_case_of_the_first_order_rule() -> None:
    """Chain XYFZ, worked case of the 21-error rule: Δ = (0.65, 7.77, −1.72) µm. First order leaves products of 20 µrad and 20 µm, 0.4 nm."""
    point = tool_point(POSITION, (X, Y, Z), TOOL, SQUARE)
    deviation = [(p - a - t) * 1e6 for p, a, t in zip(point, POSITION, TOOL, strict=True)]
    # Printed to 0.01 µm.
    assert deviation == pytest.approx([0.65, 7.77, -1.72], abs=0.0055)


def test_the_tool_point_is_the_product_of_homogeneous_matrices_even_for_large_angles() -> None:
    """Written out with 4 × 4 matrices and elementary rotations, and angles so large that anything of first order would be centimetres off."""
    def about(axis: int, angle: float) -> np.ndarray:
        matrix = np.eye(4)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        matrix[i, i] = matrix[j, j] = math.cos(angle)
        matrix[j, i], matrix[i, j] = math.sin(angle), -math.sin(angle)
        return matrix

    def shift(x: float, y: float, z: float) -> np.ndarray:
        matrix = np.eye(4)
        matrix[:3, 3] = x, y, z
        return matrix

    def frame(e: SixErrors) -> np.ndarray:
        placed: np.ndarray = shift(e.x_m, e.y_m, e.z_m) @ about(2, e.c_rad) @ about(1, e.b_rad) @ about(0, e.a_rad)
        return placed

    big = [SixErrors(0.01, -0.02, 0.03, 0.1, -0.2, 0.3), SixErrors(-0.02, 0.01, 0.04, -0.3, 0.2, 0.1), SixErrors(0.03, 0.02, -0.01, 0.2, 0.3, -0.1)]
    c0y, b0z, a0z = 0.05, -0.04, 0.03
    along_y = about(2, c0y) @ np.array([0.0, 0.2, 0.0, 0.0])
    along_z = about(1, b0z) @ about(0, a0z) @ np.array([0.0, 0.0, -0.15, 0.0])
    matrix = frame(big[0]) @ shift(0.3, 0, 0) @ frame(big[1]) @ shift(*along_y[:3]) @ shift(*along_z[:3]) @ frame(big[2])
    expected = matrix @ np.array([*TOOL, 1.0])
    point = tool_point(POSITION, (big[0], big[1], big[2]), TOOL, Directions.from_squareness(c0y_rad=c0y, b0z_rad=b0z, a0z_rad=a0z))
    # A dozen multiplications of numbers below 1.
    assert point == pytest.approx(expected[:3].tolist(), abs=1e-15)


def test_a_rotation_keeps_lengths_and_turns_right_handed() -> None:
    matrix = np.array(rotation(0.3, -0.7, 1.1))
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-15)
    assert np.array(rotation(0, 0, math.pi / 2)) @ np.array([1.0, 0, 0]) == pytest.approx(np.array([0.0, 1.0, 0.0]), abs=1e-15)


def test_squareness_leans_the_axes_as_iso_230_1_writes_them() -> None:
    """Δx = −E_C0Y y + E_B0Z z, Δy = −E_A0Z z."""
    still = SixErrors(0, 0, 0, 0, 0, 0)
    lean = Directions.from_squareness(c0y_rad=20e-6, b0z_rad=30e-6, a0z_rad=-10e-6)
    x, y, _ = tool_point((0.0, 0.2, -0.15), (still, still, still), (0.0, 0.0, 0.0), lean)
    # Second order: 0.2 m · (3e-5)² = 2e-10 m.
    assert x == pytest.approx(-20e-6 * 0.2 + 30e-6 * -0.15, abs=2e-10)
    assert y - 0.2 == pytest.approx(10e-6 * -0.15, abs=2e-10)


# -- the light ------------------------------------------------------------------------------------------------------------------------------


def test_a_tilted_beam_reads_short_by_the_cosine() -> None:
    twin = Twin(1, replace(PERFECT, beam_tilt_rad=1e-3))
    go(twin, X=-0.9)
    twin.optics.reset(0)
    go(twin, X=-0.1)
    dwell(twin)
    assert reading_m(twin) == pytest.approx(0.8 * math.cos(1e-3), abs=FLOOR_M)


def test_an_offset_reflector_sees_the_pitch_and_yaw_of_the_axis() -> None:
    angles = replace(PERFECT, x=replace(PERFECT_X, angle_rad=20e-6))
    beside = Twin(4, replace(angles, abbe_m=(0.1, -0.05)))
    go(beside, X=-0.9)
    beside.optics.reset(0)
    go(beside, X=-0.1)
    moved_m = reading_m(beside)
    truth = beside.truth()

    def angle(letter: str) -> float:
        wave = Waves.of(truth["axes"]["X"]["angles"][f"E_{letter}X"])
        return wave(-0.1) - wave(-0.9)

    # Δx = E_B z − E_C y for an offset (y, z); second order is 0.1 m · (20 µrad)².
    expected = angle("B") * -0.05 - angle("C") * 0.1
    assert abs(expected) > 0.5e-6
    entry = truth["readings"][-1]
    seen = entry["true_reflector_displacement_20c_m"] - entry["true_displacement_20c_m"]
    assert seen == pytest.approx(expected, abs=2e-10)
    assert moved_m == pytest.approx(entry["true_reflector_displacement_20c_m"], abs=FLOOR_M)


def test_the_dead_path_turns_a_change_of_the_air_into_a_displacement() -> None:
    twin = Twin(2, replace(PERFECT, air_pressure_drift_pa=500.0, dead_path_m=0.4))
    go(twin, X=-0.7)
    twin.optics.reset(0)
    first = twin.optics.displacement_pm(0, 0.1)
    n_first = float(twin.optics.readings()[-1]["refractivity"])  # type: ignore[arg-type]
    dwell(twin, 4000.0)
    second = twin.optics.displacement_pm(0, 0.1)
    n_second = float(twin.optics.readings()[-1]["refractivity"])  # type: ignore[arg-type]
    # The beam is the dead path and the 0.3 m from the lowest coordinate to the reset.
    assert abs(n_second - n_first) > 1e-8
    assert (second - first) * 1e-12 == pytest.approx((n_second - n_first) * 0.7, abs=FLOOR_M)


def test_the_wavelength_error_is_a_scale() -> None:
    exact, off = Twin(1, PERFECT), Twin(1, replace(PERFECT, laser_scale=1e-6))
    for twin in (exact, off):
        go(twin, X=-0.9)
        twin.optics.reset(0)
        go(twin, X=-0.1)
        dwell(twin)
    assert reading_m(off) - reading_m(exact) == pytest.approx(0.8e-6, abs=FLOOR_M)


def test_an_interrupted_beam_has_no_contrast_and_loses_what_moves_meanwhile() -> None:
    twin = Twin(1, PERFECT)
    go(twin, X=-0.9)
    twin.optics.reset(0)
    go(twin, X=-0.7)
    twin.optics.interrupt(0)
    assert twin.optics.quality(0)[0] == 0
    frozen = twin.optics.displacement_pm(0, 0.1)
    go(twin, X=-0.6)
    assert twin.optics.displacement_pm(0, 0.1) == frozen
    assert twin.optics.readings() == []
    twin.optics.restore(0)
    assert twin.optics.quality(0)[0] > 500
    go(twin, X=-0.5)
    assert reading_m(twin) == pytest.approx(0.3, abs=FLOOR_M)
    assert twin.optics.readings()[-1]["true_displacement_m"] == pytest.approx(0.4, abs=FLOOR_M)
    twin.optics.reset(0)
    go(twin, X=-0.4)
    assert reading_m(twin) == pytest.approx(0.1, abs=FLOOR_M)


def test_every_axis_has_its_beam_and_the_right_sign() -> None:
    twin = Twin(1, PERFECT)
    go(twin, X=-0.5, Y=-0.3, Z=-0.25)
    for axis in range(3):
        twin.optics.reset(axis)
    go(twin, X=-0.4, Y=-0.1, Z=-0.3)
    dwell(twin)
    readings = [twin.optics.displacement_pm(axis, 0.1) * 1e-12 for axis in range(3)]
    assert readings == pytest.approx([0.1, 0.2, -0.05], rel=4e-4)


@pytest.mark.parametrize(("celsius", "pressure_pa", "expected"), [(20, 8e4, 21458.0), (20, 1e5, 26824.4), (20, 1.2e5, 32191.6), (10, 1e5, 27774.7), (30, 1e5, 25937.2)])
def test_the_index_of_dry_air_is_that_of_ciddor_1996(celsius: float, pressure_pa: float, expected: float) -> None:
    """Table of Ciddor 1996 (633 nm, 450 ppm), from memory of the paper; printed to 0.1e-8."""
    found = air_index.refractivity(wavelength_m=633e-9, temperature_k=celsius + 273.15, pressure_pa=pressure_pa, relative_humidity=0.0, co2_ppm=450.0)
    assert found * 1e8 == pytest.approx(expected, abs=0.06)


def test_moist_air_agrees_with_the_published_calculator() -> None:
    """NIST's Edlén calculator at 20 °C, 101 325 Pa, 50 %, 633 nm: n = 1.000271374; the two equations agree within 1e-8."""
    found = air_index.refractivity(wavelength_m=633e-9, temperature_k=293.15, pressure_pa=101_325.0, relative_humidity=0.5, co2_ppm=450.0)
    assert found == pytest.approx(2.71374e-4, abs=1e-8)


# -- the noise ------------------------------------------------------------------------------------------------------------------------------


def test_noise_is_normal_with_the_stated_spread() -> None:
    channel = Channel(11, "a test")
    values = np.array([channel.normal(t) for t in range(4000)])
    # Kolmogorov–Smirnov: exceeded once in 10^5 at 2.47/√n.
    ordered = np.sort(values)
    distribution = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in ordered])
    steps = np.arange(len(values) + 1) / len(values)
    assert max(np.max(distribution - steps[:-1]), np.max(steps[1:] - distribution)) < 2.47 / math.sqrt(len(values))
    # Neighbouring moments and neighbouring channels are independent: a correlation of 4000 pairs has a standard deviation of 1/√4000.
    other = np.array([Channel(11, "another test").normal(t) for t in range(4000)])
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4.5 / math.sqrt(4000)
    assert abs(np.corrcoef(values, other)[0, 1]) < 4.5 / math.sqrt(4000)


def test_averaging_over_a_hundred_correlation_times_makes_the_noise_ten_times_smaller() -> None:
    channel = Channel(3, "averaged")
    short = np.array([channel.averaged(2.0, 0.01, 0.001, t) for t in range(2000)])
    long = np.array([channel.averaged(2.0, 0.01, 1.0, t) for t in range(2000)])
    # Relative standard error of a standard deviation of 2000 is 1/√4000.
    assert np.std(short) == pytest.approx(2.0, rel=4.5 / math.sqrt(4000))
    assert np.std(long) == pytest.approx(0.2, rel=4.5 / math.sqrt(4000))


def test_a_drift_keeps_its_bound_and_is_slow() -> None:
    wave = Waves.drawn(Channel(1, "drift"), bound=3.0, periods=(100.0, 400.0, 1600.0))
    values = np.array([wave(t) for t in np.linspace(0, 20_000, 40_001)])
    assert 1.0 < np.max(np.abs(values)) <= 3.0
    assert np.max(np.abs(np.diff(values))) / 0.5 <= sum(a * 2 * math.pi / p for a, p, _ in wave.terms)


@pytest.mark.parametrize("seed", range(25))
def test_every_drawn_lab_keeps_within_its_published_bounds(seed: int) -> None:
    p = Parameters.drawn(seed)
    b = p.bounds
    assert abs(p.material_sensor_offset_k) <= b.material_temperature_range_k / 2
    assert abs(p.expansion_per_k - b.expansion_nominal_per_k) <= b.expansion_range_per_k / 2
    assert 0 <= p.beam_tilt_rad <= b.misalignment_range
    assert abs(p.laser_scale) <= b.laser_scale_u
    assert max(abs(offset) for offset in p.abbe_m) <= b.abbe_offset_range_m / 2
    assert max(axis.angle_rad for axis in p.axes) <= b.angle_range_rad / 2
    assert 2 * p.structural_drift_m <= b.structural_drift_range_m
    assert abs(p.co2_ppm - b.co2_nominal_ppm) <= b.co2_range_ppm / 2


def test_sensors_say_what_is_true_within_their_data_sheets() -> None:
    for seed in range(10):
        twin = Twin(seed)
        dwell(twin, 100.0)
        p, b = twin.parameters, twin.parameters.bounds
        # Half the range, the bound of the drift, and six standard deviations of the noise.
        assert abs(twin.sensors.read(101) + 273.15 - p.air_temperature_k) <= b.air_temperature_range_k / 2 + p.air_temperature_drift_k + 6 * 3e-3
        assert abs(50_000.0 + 12_000.0 * twin.sensors.read(103) - p.air_pressure_pa) <= b.air_pressure_range_pa / 2 + p.air_pressure_drift_pa + 6 * 2.0
        assert abs(0.2 * twin.sensors.read(104) - p.relative_humidity) <= b.relative_humidity_range / 2 + p.relative_humidity_drift + 6 * 2e-3
        assert abs(twin.sensors.read(102) + 273.15 - p.machine_temperature_k) <= b.material_temperature_range_k / 2 + p.machine_drift_k + 6 * 3e-3
    with pytest.raises(ValueError, match="channel 7"):
        twin.sensors.read(7)
