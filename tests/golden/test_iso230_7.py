"""ISO 230-7: the vectors of section 4.2 of the machine-tool reference (spindle signal, multiprobe weights), reversal, resampling.

Values computed independently and printed to six decimals (in arbitrary units; here µm on a chart of 1 mm).
"""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from precision.errors import DataError
from precision.standards.error_separation import donaldson_reversal, form, multiprobe
from precision.standards.iso230_7 import (
    Centre,
    axial,
    radial_fixed,
    radial_rotating,
    resampled_by_encoder,
    resampled_by_index,
    tilt,
)
from precision.uncertainty.readings import Readings

N, SAMPLES = 100, 360
UM = 1e-6
TURNS = np.arange(N * SAMPLES).reshape(N, SAMPLES) * 2 * np.pi / SAMPLES
ANGLE = TURNS[0]
PRINTED = 0.5e-12  # six decimals of a µm


def signal(angle: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    m = 2 + 10 * np.cos(angle - np.pi / 6) + 0.8 * np.cos(2 * angle + np.pi / 12) + 0.3 * np.cos(3 * angle) + 0.2 * np.sin(2.37 * angle)
    return np.asarray(m * UM)


def test_4_2_vector_of_a_radial_error_motion() -> None:
    result = radial_fixed(signal(TURNS))
    assert result.offset == pytest.approx(2 * UM, abs=PRINTED)
    assert result["fundamental"] == pytest.approx(10 * UM, abs=PRINTED)
    assert math.degrees(result.fundamental_phase_rad) == pytest.approx(30, abs=0.5e-4)
    assert result["synchronous"] == pytest.approx(2.077051 * UM, abs=PRINTED)
    assert np.sqrt(np.mean(result.synchronous**2)) == pytest.approx(0.604152 * UM, abs=PRINTED)
    assert result["asynchronous"] == pytest.approx(0.4 * UM, abs=PRINTED)
    assert result["total"] == pytest.approx(2.476985 * UM, abs=PRINTED)
    assert result.conforming


@pytest.mark.parametrize(("centre", "expected"), [(Centre.LEAST_SQUARES, 2.065429), (Centre.MINIMUM_ZONE, 1.790914)])
def test_4_2_circles_on_the_chart_see_the_limacon(centre: Centre, expected: float) -> None:
    result = radial_fixed(signal(TURNS), centre=centre, chart_radius_m=1e-3)
    assert result["synchronous"] == pytest.approx(expected * UM, abs=PRINTED)
    assert centre.value in str(result)
    # On a chart a hundred times as large the limaçon is a hundredth: the least-squares circle is then the Fourier value to 10²/(2·1e5) = 0.0005.
    large = radial_fixed(signal(TURNS), centre=Centre.LEAST_SQUARES, chart_radius_m=0.1)
    assert large["synchronous"] == pytest.approx(2.077051 * UM, abs=0.0005 * UM)


def test_an_axial_motion_keeps_its_fundamental() -> None:
    result = axial(UM * np.tile(3 * np.cos(ANGLE) + np.cos(4 * ANGLE), (20, 1)))
    assert result["fundamental"] == pytest.approx(6 * UM)
    assert result["residual_synchronous"] == pytest.approx(2 * UM)
    assert result["synchronous"] == pytest.approx(np.ptp(3 * np.cos(ANGLE) + np.cos(4 * ANGLE)) * UM)
    assert result["asynchronous"] == pytest.approx(0.0, abs=1e-20)


def test_tilt_is_the_difference_over_the_distance() -> None:
    near, far = UM * np.tile(np.cos(2 * ANGLE), (20, 1)), UM * np.tile(3 * np.cos(2 * ANGLE) + np.cos(ANGLE), (20, 1))
    result = tilt(near, far, distance_m=0.05)
    assert result["synchronous"] == pytest.approx(4 * UM / 0.05)
    assert result["fundamental"] == pytest.approx(UM / 0.05)
    assert result.figures["total"].unit == "rad"


def test_the_rotating_direction_sees_neither_eccentricity_nor_the_zeros_of_the_probes() -> None:
    e, phase = 12 * UM, 0.7
    x = np.tile(5 * UM + e * np.cos(ANGLE + phase), (20, 1))
    y = np.tile(-3 * UM + e * np.sin(ANGLE + phase), (20, 1))
    result = radial_rotating(x, y)
    assert result["synchronous"] == pytest.approx(0.0, abs=1e-19)
    assert result["fundamental"] == pytest.approx(e)
    assert result.fundamental_phase_rad == pytest.approx(phase)
    # A motion in X alone, once per revolution, is half as large and twice per revolution in the rotating direction.
    moved = radial_rotating(np.tile(2 * UM * np.cos(ANGLE), (20, 1)), np.zeros((20, SAMPLES)))
    assert moved["synchronous"] == pytest.approx(2 * UM)


def test_4_2_weights_of_the_three_probes() -> None:
    result = multiprobe(np.zeros((3, SAMPLES)), np.radians([0, 99.844, 202.5]), highest=59)
    assert result.weights == pytest.approx([1, 0.392213, 1.009812], abs=0.5e-6)
    size = np.abs(result.transfer)
    assert size[2:].min() == pytest.approx(0.300, abs=0.5e-3)
    assert int(np.argmin(size[2:])) + 2 == 33
    assert size[1] < 1e-12
    assert result.suppressed == ()


def three(part, x: np.ndarray, y: np.ndarray, phi: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def,type-arg]
    return np.stack([part(ANGLE - p) + x * np.cos(p) + y * np.sin(p) for p in phi])


def test_three_probes_separate_part_and_motion() -> None:
    def part(a: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.asarray(UM * (0.5 * np.cos(2 * a) + 0.3 * np.cos(5 * a + 1) + 0.1 * np.cos(33 * a)))

    x, y = UM * (0.2 * np.cos(2 * ANGLE) + 0.1 * np.sin(7 * ANGLE)), UM * 0.3 * np.cos(3 * ANGLE + 0.4)
    phi = np.radians([0, 99.844, 202.5])
    result = multiprobe(three(part, x, y, phi), phi)
    assert result.part_m == pytest.approx(part(ANGLE), rel=0, abs=1e-19)
    assert result.x_m == pytest.approx(x, rel=0, abs=1e-19)
    assert result.y_m == pytest.approx(y, rel=0, abs=1e-19)


def test_4_2_equal_spacing_loses_every_harmonic_beside_a_multiple_of_three() -> None:
    phi = np.radians([0, 120, 240])
    result = multiprobe(three(lambda a: UM * np.cos(2 * a) + UM * np.cos(3 * a), 0 * ANGLE, 0 * ANGLE, phi), phi, highest=12)
    assert result.suppressed == (2, 4, 5, 7, 8, 10, 11)
    # What is suppressed is missing in the part; what is not is there.
    assert result.part_m == pytest.approx(UM * np.cos(3 * ANGLE), rel=0, abs=1e-19)
    assert "2, 4, 5, 7" in result.flags[0]
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["suppressed"] == [2, 4, 5, 7, 8, 10, 11]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, 64, elements=st.floats(-1e-5, 1e-5, allow_subnormal=False)), hnp.arrays(np.float64, 64, elements=st.floats(-1e-5, 1e-5, allow_subnormal=False)))
def test_reversal_gives_back_part_and_spindle(part: np.ndarray, spindle: np.ndarray) -> None:  # type: ignore[type-arg]
    result = donaldson_reversal(part + spindle, part - spindle)
    assert result.part_m == pytest.approx(part, abs=1e-20)
    assert result.spindle_m == pytest.approx(spindle, abs=1e-20)
    assert result["spindle"] == pytest.approx(np.ptp(form(spindle)), abs=1e-19)


def test_an_encoder_takes_out_a_changing_speed_and_an_index_does_not() -> None:
    time = np.arange(0, 30, 1 / 4000)
    angle = 2 * np.pi * (time + 0.02 * np.sin(2 * np.pi * 0.31 * time))  # about 60 rpm, ±4 %
    reading = UM * np.cos(2 * angle)
    by_encoder = radial_fixed(resampled_by_encoder(angle, reading, samples=180))
    # Linear between readings 1/4000 of a turn apart: (2·2π/4000)²/8 of an amplitude.
    assert by_encoder["synchronous"] == pytest.approx(2 * UM, abs=UM * (4 * np.pi / 4000) ** 2)
    assert by_encoder["asynchronous"] < UM * (4 * np.pi / 4000) ** 2  # type: ignore[operator]
    pulses = np.interp(np.arange(1, 30) * 2 * np.pi, angle, time)
    by_index, flags = resampled_by_index(time, reading, pulses, samples=180)
    assert by_index.shape == (28, 180)
    assert radial_fixed(by_index)["asynchronous"] > 0.01 * UM  # type: ignore[operator]
    assert "use an encoder" in flags[0]
    _, flags = resampled_by_index(time, reading, np.delete(pulses, 7), samples=180)
    assert "pulse is missing" in flags[0]


def test_a_steady_speed_needs_no_encoder() -> None:
    time = np.arange(0, 25, 1 / 3600)
    angle = 2 * np.pi * time + 0.3
    values, flags = resampled_by_index(time, UM * np.cos(3 * angle), (np.arange(1, 25) * 2 * np.pi - 0.3) / (2 * np.pi), samples=360)
    assert flags == []
    assert values[0] == pytest.approx(UM * np.cos(3 * ANGLE), abs=UM * (6 * np.pi / 3600) ** 2)
    backwards = resampled_by_encoder(-angle, UM * np.cos(3 * angle), samples=360)
    assert backwards[0] == pytest.approx(UM * np.cos(3 * ANGLE), abs=UM * (6 * np.pi / 3600) ** 2)


def test_whole_revolutions_end_a_step_before_the_next_begins() -> None:
    angle = np.arange(3 * 360) * 2 * np.pi / 360
    assert resampled_by_encoder(angle, np.cos(angle), samples=360).shape == (3, 360)


def test_few_revolutions_and_few_samples_are_flagged_with_the_figure_that_suffers() -> None:
    result = radial_fixed(signal(TURNS)[:3, ::6])
    assert any("asynchronous value would grow" in flag for flag in result.flags)
    assert any("8 undulations" in flag and "synchronous" in flag for flag in result.flags)
    one = radial_fixed(signal(TURNS)[:1])
    assert one["asynchronous"] is None
    assert "one revolution" in (one.figures["asynchronous"].reason or "")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: radial_fixed(signal(ANGLE)), "shape"),
        (lambda: radial_fixed(signal(TURNS)[:, :12]), "n ≥ 16"),
        (lambda: radial_fixed(np.full((3, 32), np.nan)), "nan"),
        (lambda: radial_fixed(signal(TURNS), centre=Centre.LEAST_SQUARES), "needs chart_radius_m"),
        (lambda: radial_fixed(signal(TURNS), centre=Centre.LEAST_SQUARES, chart_radius_m=1e-6), "a larger chart"),
        (lambda: radial_rotating(signal(TURNS), signal(TURNS)[:3]), "the same revolutions"),
        (lambda: tilt(signal(TURNS), signal(TURNS), distance_m=0), "distance_m"),
        (lambda: resampled_by_encoder([0, 1, 0.5, 7], [0, 0, 0, 0], samples=16), "turns back after reading 2"),
        (lambda: resampled_by_encoder(np.linspace(0, 5, 100), np.zeros(100), samples=16), "0.80 revolutions"),
        (lambda: resampled_by_encoder(np.linspace(0, 40, 100), np.zeros(100), samples=64), "read faster"),
        (lambda: resampled_by_index(np.arange(100.0), np.zeros(100), [1, 2000], samples=16), "1 of 2 index pulses"),
        (lambda: multiprobe(np.zeros((3, 64)), np.radians([0, 180, 90])), "parallel"),
        (lambda: multiprobe(np.zeros((3, 64)), np.radians([0, 100, 200]), highest=40), "2 to 31"),
        (lambda: donaldson_reversal(np.zeros(64), np.zeros(63)), "reversed_m"),
    ],
)
def test_bad_input_is_refused_in_words(fault, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        fault()


revolutions = hnp.arrays(np.float64, (5, 32), elements=st.floats(-1e-5, 1e-5, allow_subnormal=False))


@settings(max_examples=40, deadline=None)
@given(revolutions, st.floats(-1e-3, 1e-3), st.floats(0, 1e-4), st.floats(-4, 4))
def test_offset_and_eccentricity_do_not_matter(values: np.ndarray, offset: float, eccentricity: float, phase: float) -> None:  # type: ignore[type-arg]
    angle = np.arange(32) * 2 * np.pi / 32
    before, after = radial_fixed(values), radial_fixed(values + offset + eccentricity * np.cos(angle - phase))
    # Readings of 1 mm are rounded by 1e-19 m; sums of 160 of them by less than 1e-17.
    for key in ("synchronous", "asynchronous", "total"):
        assert after[key] == pytest.approx(before[key], abs=1e-17)


@settings(max_examples=40, deadline=None)
@given(revolutions)
def test_the_total_is_between_its_parts_and_their_sum(values: np.ndarray) -> None:  # type: ignore[type-arg]
    result = radial_fixed(values)
    total, synchronous, asynchronous = (result[key] or 0.0 for key in ("total", "synchronous", "asynchronous"))
    assert total >= synchronous - 1e-19
    assert total >= asynchronous - 1e-19
    assert total <= synchronous + 2 * asynchronous + 1e-19


def test_u_is_stated_for_every_figure_of_a_known_probe() -> None:
    readings = Readings(device=10e-9, noise=2e-9)
    for result in (radial_fixed(signal(TURNS), readings=readings), axial(signal(TURNS), readings=readings), radial_rotating(signal(TURNS), signal(TURNS), readings=readings)):
        assert all(item.uncertainty for item in result.figures.values()), str(result)
    assert "nothing was said" in str(radial_fixed(signal(TURNS)))
