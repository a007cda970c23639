"""Roundness (ISO 12181): a real trace, the filter's transmission, and NIST's form values.

The real trace is 3600 points of a roundness instrument (micrometres and a base radius of 20 mm assumed); its RONt were computed independently of this package
and are printed to 0.0001 µm, as are the tolerances: half a unit of the last digit.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.roundness import Result, evaluate
from precision.uncertainty.readings import Readings

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CIRCLES = ("LSC", "MZC", "MCC", "MIC")
BANDS = {
    None: (23.1698, 22.2500, 22.2958, 22.9497),
    500: (22.5645, 21.7180, 21.7864, 22.4364),
    150: (17.8471, 17.3473, 17.4772, 17.9468),
    50: (8.7923, 8.3724, 8.5393, 8.9551),
    15: (3.1352, 2.6963, 2.7077, 3.2628),
}
ANGLE = np.arange(720) * 2 * np.pi / 720


def trace() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    file = DATA / "roundness" / "profile.txt"
    if not file.is_file():
        pytest.skip(f"the real trace is not beside the repository ({file})")
    degrees, micrometres = np.loadtxt(file, unpack=True)
    return np.radians(degrees), micrometres * 1e-6


@pytest.mark.parametrize("cut_off", BANDS)
def test_3_3_real_trace_to_the_printed_digits(cut_off: float | None) -> None:
    angle, reading = trace()
    result = evaluate(reading, angle_rad=angle, base_radius_m=20e-3, low_pass_upr=cut_off)
    for name, expected in zip(CIRCLES, BANDS[cut_off], strict=True):
        # The published circles are by iterated linear programs, to 1e-10 of the radius: 2 pm.
        assert result[f"RONt_{name}"] == pytest.approx(expected * 1e-6, rel=0, abs=0.5e-10 + 2e-12), name
    if cut_off is None:
        assert result["eccentricity"] == pytest.approx(201.374e-6, rel=0, abs=0.5e-9)
        assert math.degrees(result.eccentricity_angle_rad) == pytest.approx(4.886, abs=0.5e-3)


@pytest.mark.parametrize(("number", "least_squares", "minimum_zone"), [(1, 0.266197, 0.262770), (17, 0.0142354, 0.0139537), (21, 3.72730, 3.29409)])
def test_3_3_form_of_nist_circles(number: int, least_squares: float, minimum_zone: float) -> None:
    """The reference circles behind this module, on NIST's points (mm), about their certified centre."""
    from precision.kernels.circle import least_squares_circle, minimum_zone_circle

    file = DATA / "nist_circles" / f"cir2d{number}.ds"
    if not file.is_file():
        pytest.skip(f"NIST's circles are not beside the repository ({file})")
    points, certified = np.loadtxt(file, skiprows=1), np.loadtxt(file.with_suffix(".fit")).ravel()
    # Coordinates in the certified plane: centre, normal.
    _, _, (_, u, v) = np.linalg.svd(certified[None, 3:6])
    x, y = np.ascontiguousarray(points @ u), np.ascontiguousarray(points @ v)
    fit, zone = least_squares_circle(x, y), minimum_zone_circle(x, y)
    # Six digits are printed.
    assert np.ptp(np.hypot(x - fit.x, y - fit.y)) == pytest.approx(least_squares, rel=5e-6)
    assert zone.outer_radius - zone.inner_radius == pytest.approx(minimum_zone, rel=5e-6)


@pytest.mark.parametrize(("upr", "transmission"), [(75, 0.840896), (150, 0.5), (300, 0.0625)])
def test_3_3_transmission_of_the_gaussian_filter(upr: int, transmission: float) -> None:
    angle = np.arange(3600) * 2 * np.pi / 3600
    result = evaluate(1e-6 * np.cos(upr * angle), base_radius_m=20e-3, low_pass_upr=150, harmonics=upr)
    assert result.amplitude_m[upr] == pytest.approx(transmission * 1e-6, rel=1e-6)


def test_a_band_keeps_the_eccentricity_and_the_form_between_the_cut_offs() -> None:
    form = 20e-6 * np.cos(ANGLE - 0.3) + 3e-6 * np.cos(2 * ANGLE) + 1e-6 * np.cos(50 * ANGLE + 0.2)
    result = evaluate(form, base_radius_m=20e-3, low_pass_upr=100, high_pass_upr=15, harmonics=60)
    low, high = 2.0 ** -((np.array([1, 2, 50]) / 100) ** 2), 1 - 2.0 ** -((np.array([1, 2, 50]) / 15) ** 2)
    assert result.amplitude_m[[1, 2, 50]] == pytest.approx([20e-6 * low[0], 3e-6 * low[1] * high[1], 1e-6 * low[2] * high[2]], rel=1e-9)
    assert result.phase_rad[[1, 50]] == pytest.approx([0.3, -0.2], abs=1e-9)
    # The least-squares centre of r = R + e cosθ is e to within e³/R².
    assert result["eccentricity"] == pytest.approx(20e-6 * low[0], rel=1e-6)
    assert any("100 UPR is not one of" in flag for flag in result.flags)


def test_a_pure_lobed_profile_by_hand() -> None:
    result = evaluate(2e-6 * np.cos(3 * ANGLE), base_radius_m=20e-3, low_pass_upr=50)
    loss = 2.0 ** -((3 / 50) ** 2)
    for name in ("LSC", "MZC"):
        assert result[f"RONt_{name}"] == pytest.approx(4e-6 * loss, rel=1e-4)
        assert result[f"RONp_{name}"] == pytest.approx(2e-6 * loss, rel=1e-4)
        assert result[f"RONv_{name}"] == pytest.approx(2e-6 * loss, rel=1e-4)
        assert result[f"RONq_{name}"] == pytest.approx(math.sqrt(2) * 1e-6 * loss, rel=1e-4)
    assert result["RONp_MCC"] == pytest.approx(0.0, abs=1e-15)
    assert result["RONv_MIC"] == pytest.approx(0.0, abs=1e-15)
    assert result.fits["MCC"].radius_m > result.fits["LSC"].radius_m > result.fits["MIC"].radius_m


def test_too_few_points_in_an_undulation_are_flagged_or_refused() -> None:
    flagged = evaluate(1e-6 * np.cos(3 * ANGLE), base_radius_m=0.02, low_pass_upr=150)
    assert any("4.8 in an undulation instead of 7" in flag and "RONt" in flag for flag in flagged.flags)
    with pytest.raises(DataError, match="fewer than 2 points in an undulation"):
        evaluate(1e-6 * np.cos(3 * ANGLE), base_radius_m=0.02, low_pass_upr=500.0, high_pass_upr=400.0)
    assert any("RONt depends on the bandwidth" in flag for flag in evaluate(0 * ANGLE, base_radius_m=0.02).flags)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"angle_rad": ANGLE / 2}, "partial profile"),
        ({"angle_rad": np.sort(np.random.default_rng(0).uniform(0, 6, 720))}, "equal steps"),
        ({"angle_rad": ANGLE[:-1]}, "shape"),
        ({"base_radius_m": 0.0}, "more than zero"),
        ({"base_radius_m": 1e-6}, "expected deviations"),
        ({"low_pass_upr": 15.0, "high_pass_upr": 50.0}, "nothing would be left"),
        ({"low_pass_upr": -1.0}, "more than zero"),
    ],
)
def test_bad_input_is_refused_in_words(change: dict, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(DataError, match=says):
        evaluate(**{"deviation_m": 1e-6 * np.cos(3 * ANGLE), "base_radius_m": 0.02} | change)


def test_a_clockwise_trace_and_a_repeated_end_point_give_the_same_roundness() -> None:
    form = 1e-6 * np.cos(3 * ANGLE + 0.5) + 5e-6 * np.cos(ANGLE - 1)
    forth = evaluate(form, base_radius_m=0.02, angle_rad=ANGLE)
    closed = evaluate(np.append(form, form[0]), base_radius_m=0.02, angle_rad=np.append(ANGLE, 2 * np.pi))
    back = evaluate(form[::-1], base_radius_m=0.02, angle_rad=ANGLE[::-1])
    for other in (closed, back):
        assert other["RONt_MZC"] == pytest.approx(forth["RONt_MZC"], abs=1e-16)
        assert other.eccentricity_angle_rad == pytest.approx(1.0, abs=1e-3)


def test_every_figure_has_its_u_or_the_reason() -> None:
    result: Result = evaluate(1e-6 * np.cos(3 * ANGLE), base_radius_m=0.02, low_pass_upr=50, readings=Readings(device=10e-9, noise=2e-9))
    assert result.figures["RONt_MZC"].uncertainty == pytest.approx(10e-9 + 2 * 4.0 * 2e-9, rel=0.02)
    assert "three points" in (result.figures["RONt_MCC"].uncertainty_reason or "")
    for item in result.figures.values():
        assert item.uncertainty is not None or item.uncertainty_reason
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["fits"]["LSC"]["radius_m"] == pytest.approx(0.02)
    assert "RONt(MZC)" in str(result)
