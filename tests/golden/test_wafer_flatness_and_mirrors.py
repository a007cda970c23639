"""Height maps of wafers and maps of bar mirrors (stages_and_control.md §2.8)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import bar_mirror, wafer_flatness
from precision.standards.bar_mirror import BeamPair
from precision.uncertainty.readings import Readings


def grid(width: float = 0.26, pitch: float = 2e-3) -> tuple[np.ndarray, np.ndarray]:
    line = np.arange(-width / 2, width / 2 + pitch / 2, pitch)
    x, y = np.meshgrid(line, line)
    return x.ravel(), y.ravel()


def test_a_tilt_is_all_gbir_and_no_sfqr() -> None:
    x, y = grid()
    found = wafer_flatness.flatness(x, y, 10e-6 * x + 5e-6 * y)
    assert found["gbir"] == pytest.approx(15e-6 * 0.26)
    assert found["sfqr_max"] == pytest.approx(0.0, abs=1e-18)
    assert found["warp_of_plane"] == pytest.approx(0.0, abs=1e-18)


def test_a_bow_leaves_its_sagitta_in_a_site() -> None:
    x, y = grid()
    curvature = 1e-3  # 1/m
    found = wafer_flatness.flatness(x, y, curvature * x**2 / 2)
    # 13 columns across a full site, −12 … 12 mm: the range of x²/2 is κ·(12 mm)²/2, and a plane does not change it.
    assert found["sfqr_max"] == pytest.approx(curvature * (12e-3) ** 2 / 2, rel=1e-6)


def test_a_site_with_too_few_points_is_said_so() -> None:
    x, y = np.array([0, 1e-3, 0, 1e-3, 0.1]), np.array([0, 0, 1e-3, 1e-3, 0.0])
    found = wafer_flatness.flatness(x, y, np.zeros(5))
    assert "1 of 2 sites are not judged" in found.flags[0]


def test_uncertainty_of_gbir_covers_the_noise_of_the_sensor() -> None:
    x, y = grid()
    rng = np.random.default_rng(3)
    found = wafer_flatness.flatness(x, y, 1e-6 * x + rng.normal(scale=1e-9, size=x.size), readings=Readings(device=0.0, noise=1e-9))
    assert abs(found["gbir"] - 0.26e-6) < found.figures["gbir"].uncertainty  # type: ignore[operator]


def test_levelling_follows_a_slow_wave_and_leaves_a_short_one() -> None:
    line_x, line_y = np.arange(-13e-3, 13.1e-3, 1e-3), np.arange(-16.5e-3, 16.6e-3, 0.5e-3)
    x, y = (part.ravel() for part in np.meshgrid(line_x, line_y))
    slow, short = 100e-9 * np.sin(2 * np.pi * y / 0.2), 20e-9 * np.sin(2 * np.pi * y / 2e-3)
    both = wafer_flatness.levelling(x, y, slow + short, slit_height_m=8e-3, step_m=0.5e-3)
    assert both["residual_3s"] == pytest.approx(3 * 20e-9 / math.sqrt(2), rel=0.25)
    assert both["residual_max"] < 30e-9  # type: ignore[operator]
    alone = wafer_flatness.levelling(x, y, slow, slit_height_m=8e-3, step_m=0.5e-3)
    k = int(np.argmin(np.abs(alone.y_m)))
    assert alone.rx_rad[k] == pytest.approx(100e-9 * 2 * np.pi / 0.2, rel=0.01)  # its slope falls by 1 − cos(2π·4/200) towards the slit's edges


def test_the_tilts_have_the_signs_of_right_handed_rotations() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(-5, 6) * 1e-3, np.arange(-10, 11) * 1e-3))
    found = wafer_flatness.levelling(x, y, 2e-6 * y - 3e-6 * x, slit_height_m=8e-3, step_m=1e-3)
    assert found.rx_rad == pytest.approx(2e-6)
    assert found.ry_rad == pytest.approx(3e-6)


def test_a_particle_under_every_wafer_is_a_chuck_spot_and_one_under_a_single_wafer_is_not() -> None:
    x, y = grid(0.2, 4e-3)
    rng = np.random.default_rng(9)
    bump = 80e-9 * np.exp(-((x - 0.04) ** 2 + (y + 0.02) ** 2) / (2 * 5e-3**2))
    wafers = [bump + 1e-6 * rng.normal() * x + rng.normal(scale=3e-9, size=x.size) for _ in range(6)]
    wafers[2] = wafers[2] + 300e-9 * np.exp(-((x + 0.06) ** 2 + y**2) / (2 * 5e-3**2))
    spots = wafer_flatness.chuck_spots(x, y, wafers, threshold_m=20e-9, neighbourhood_m=20e-3)
    assert len(spots) == 1
    assert math.hypot(spots[0].x_m - 0.04, spots[0].y_m + 0.02) < 6e-3
    assert spots[0].height_m == pytest.approx(80e-9, abs=spots[0].uncertainty_m + 10e-9)


def mirror(place: np.ndarray) -> np.ndarray:
    return 20e-9 * np.sin(2 * np.pi * place / 0.31) + 5e-9 * np.cos(2 * np.pi * place / 0.07)


def pair(distance: float, step: float, length: float, noise: float = 0.0, seed: int = 0) -> BeamPair:
    first = np.arange(0, length - distance + step / 2, step)
    rng = np.random.default_rng(seed)
    angle = (mirror(first + distance) - mirror(first)) / distance + 3e-6 + rng.normal(scale=noise, size=first.size)
    return BeamPair(distance_m=distance, position_m=first + distance / 2, angle_rad=angle)


def off_line(place: np.ndarray, height: np.ndarray) -> np.ndarray:
    return height - np.polyval(np.polyfit(place, height, 1), place)


def test_two_beam_distances_give_the_mirror_without_its_line() -> None:
    found = bar_mirror.evaluate([pair(0.02, 0.01, 0.4), pair(0.03, 0.01, 0.4)], step_m=0.01)
    assert found.height_m == pytest.approx(off_line(found.place_m, mirror(found.place_m)), abs=1e-16)


def test_one_distance_on_a_finer_grid_is_refused_with_the_shapes_it_cannot_see() -> None:
    with pytest.raises(DataError, match="repeat with the distance"):
        bar_mirror.evaluate([pair(0.02, 0.01, 0.4)], step_m=0.01)


def test_noise_grows_along_the_mirror_as_published() -> None:
    """Published: 1 nm a beam, N = 200 steps of d: after removal of a line 5.15 nm rms."""
    steps, d = 200, 0.01
    position = (np.arange(steps) + 0.5) * d
    found = bar_mirror.evaluate([BeamPair(distance_m=d, position_m=position, angle_rad=np.zeros(steps))], step_m=d, angle_noise_rad=math.sqrt(2) * 1e-9 / d)
    rms = math.sqrt(float(np.mean((found.uncertainty_m / 2) ** 2)))
    assert rms == pytest.approx(5.15e-9, rel=0.02)


def test_the_uncertainty_of_the_map_covers_it() -> None:
    inside = total = 0
    for seed in range(30):
        found = bar_mirror.evaluate([pair(0.02, 0.01, 0.4, 1e-8, seed), pair(0.03, 0.01, 0.4, 1e-8, seed + 100)], step_m=0.01)
        error = found.height_m - off_line(found.place_m, mirror(found.place_m))
        inside += int(np.sum(np.abs(error) <= found.uncertainty_m))
        total += error.size
    assert inside / total > 0.93  # k = 2 with some 35 degrees of freedom: 95 %


@pytest.mark.parametrize(
    "make",
    [
        lambda: wafer_flatness.flatness([0, 1, 2], [0, 1, 2], [0, 0, 0]),
        lambda: wafer_flatness.flatness([0, 1, 2, 3], [0, 1, 2, 3], [0, 0, np.nan, 0]),
        lambda: wafer_flatness.levelling([0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0], slit_height_m=5.0, step_m=1.0),
        lambda: wafer_flatness.chuck_spots([0, 1, 0, 1], [0, 0, 1, 1], [[0, 0, 0, 0]], threshold_m=1e-9, neighbourhood_m=1.0),
        lambda: bar_mirror.evaluate([], step_m=0.01),
        lambda: bar_mirror.evaluate([BeamPair(distance_m=0.025, position_m=[0.0], angle_rad=[0.0])], step_m=0.01),
        lambda: bar_mirror.evaluate([BeamPair(distance_m=0.02, position_m=[0.0033], angle_rad=[0.0])], step_m=0.01),
    ],
)
def test_maps_that_cannot_be_judged_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError):
        make()
