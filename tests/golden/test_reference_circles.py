"""Reference circles against published and independent numbers.

NIST Algorithm Testing System, 2-D circles: `.ds` points, `.fit` certified least-squares centre, normal, DIAMETER, in mm.
A real roundness trace of 3600 points (base radius 20 mm, micrometres), evaluated before by another implementation to four
decimals of a micrometre, and small sets that can be solved by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from precision.kernels.circle import (
    least_squares_circle,
    maximum_inscribed_circle,
    minimum_circumscribed_circle,
    minimum_zone_circle,
)
from precision.kernels.closed_profile import gaussian_lowpass

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NIST = DATA / "nist_circles"
TRACE = DATA / "roundness" / "profile.txt"
FORM_MM = {1: (0.266197, 0.262770), 17: (0.0142354, 0.0139537), 21: (3.72730, 3.29409)}  # LSC, MZC
ROUNDNESS_UM = {  # RONt of LSC, MZC, MCC, MIC, by the highest undulation left in the trace
    None: (23.1698, 22.2500, 22.2958, 22.9497),
    500: (22.5645, 21.7180, 21.7864, 22.4364),
    150: (17.8471, 17.3473, 17.4772, 17.9468),
    50: (8.7923, 8.3724, 8.5393, 8.9551),
    15: (3.1352, 2.6963, 2.7077, 3.2628),
}


def nist(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Coordinates in the circle's plane, certified centre in it, certified diameter, mm."""
    if not NIST.is_dir():
        pytest.skip(f"the NIST circles are not there: {NIST}")
    points = np.loadtxt(NIST / f"cir2d{number}.ds", skiprows=1)
    certified = [float(line) for line in (NIST / f"cir2d{number}.fit").read_text().split()]
    in_plane = [axis for axis in range(3) if axis != int(np.argmax(np.abs(certified[3:6])))]
    return points[:, in_plane[0]], points[:, in_plane[1]], np.array(certified)[in_plane], certified[6]


@pytest.mark.parametrize("tier", ["0", "1"])
@pytest.mark.parametrize("number", range(1, 30, 2))
def test_nist_circle_to_1e_8_mm(number: int, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECISION_NUMBA", tier)
    x, y, centre, diameter = nist(number)
    fit = least_squares_circle(x, y)
    assert abs(fit.x - centre[0]) < 1e-8
    assert abs(fit.y - centre[1]) < 1e-8
    assert abs(2 * fit.radius - diameter) < 1e-8


@pytest.mark.parametrize("number", FORM_MM)
def test_form_of_nist_circle(number: int) -> None:
    x, y, _, _ = nist(number)
    fit, zone = least_squares_circle(x, y), minimum_zone_circle(x, y)
    least_squares, minimum = FORM_MM[number]
    assert np.ptp(np.hypot(x - fit.x, y - fit.y)) == pytest.approx(least_squares, rel=4e-6)  # as many digits as are printed
    assert zone.outer_radius - zone.inner_radius == pytest.approx(minimum, rel=4e-6)


@pytest.mark.parametrize("highest", ROUNDNESS_UM)
def test_roundness_of_a_real_trace(highest: int | None) -> None:
    if not TRACE.exists():
        pytest.skip(f"the roundness trace is not there: {TRACE}")
    angle_deg, reading_um = np.loadtxt(TRACE).T
    if highest is not None:
        reading_um = gaussian_lowpass(reading_um, cutoff_upr=highest)
    radius, angle = 20_000.0 + reading_um, np.radians(angle_deg)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    fit, zone = least_squares_circle(x, y), minimum_zone_circle(x, y)
    around = minimum_circumscribed_circle(x, y)
    within = maximum_inscribed_circle(x, y)
    found = (
        np.ptp(np.hypot(x - fit.x, y - fit.y)),
        zone.outer_radius - zone.inner_radius,
        np.ptp(np.hypot(x - around.x, y - around.y)),
        np.ptp(np.hypot(x - within.x, y - within.y)),
    )
    assert found == pytest.approx(ROUNDNESS_UM[highest], abs=0.6e-4)  # half of the last printed digit, and a little of the next
    if highest is None:
        assert np.hypot(fit.x, fit.y) == pytest.approx(201.374, abs=0.6e-3)
        assert np.degrees(np.arctan2(fit.y, fit.x)) == pytest.approx(4.886, abs=0.6e-3)


def test_the_circle_around_an_obtuse_triangle_has_its_longest_side_for_diameter() -> None:
    around = minimum_circumscribed_circle(np.array([-2.0, 2.0, 0.5]), np.array([0.0, 0.0, 0.1]))
    assert (around.x, around.y, around.radius) == pytest.approx((0.0, 0.0, 2.0), abs=1e-15)


def test_the_zone_of_a_square_and_a_turned_square() -> None:
    """Eight points, four at 1 and four at 1.1 between them: concentric circles by symmetry, and no others are closer."""
    angle = np.arange(8) * np.pi / 4
    radius = np.where(np.arange(8) % 2 == 0, 1.0, 1.1)
    zone = minimum_zone_circle(5 + radius * np.cos(angle), radius * np.sin(angle) - 3)
    assert (zone.x, zone.y, zone.inner_radius, zone.outer_radius) == pytest.approx((5.0, -3.0, 1.0, 1.1), abs=2e-15)
