"""Exposure slits, and what moving blur costs in contrast and line width (stages_and_control.md §1.1, §1.3)."""

import pytest

from precision.errors import DataError
from precision.models.fading import contrast_gaussian, contrast_sinusoidal, line_width
from precision.standards import slit


@pytest.mark.parametrize(
    ("msd_nm", "pitch_nm", "gaussian", "sinusoidal"), [(7, 80, 0.859737, 0.854487), (3, 80, 0.972623, 0.972434), (10, 90, 0.783727, 0.770757)]
)
def test_contrast_factor_of_gaussian_and_sinusoidal_blur(msd_nm: float, pitch_nm: float, gaussian: float, sinusoidal: float) -> None:
    assert abs(contrast_gaussian(msd_nm * 1e-9, pitch_m=pitch_nm * 1e-9) - gaussian) < 5e-7
    assert abs(contrast_sinusoidal(msd_nm * 1e-9, pitch_m=pitch_nm * 1e-9) - sinusoidal) < 5e-7


@pytest.mark.parametrize(
    ("threshold", "contrast", "cd_nm"), [(0.9, 1.0, 43.1914), (0.9, 0.859737, 43.7156), (1.1, 1.0, 36.8086), (1.1, 0.859737, 36.2844), (1.0, 0.859737, 40.0)]
)
def test_line_width_through_a_constant_threshold(threshold: float, contrast: float, cd_nm: float) -> None:
    assert abs(line_width(contrast, pitch_m=80e-9, modulation=0.8, threshold=threshold) * 1e9 - cd_nm) < 5e-5


def test_a_threshold_outside_the_image_prints_nothing() -> None:
    with pytest.raises(DataError, match="no line prints"):
        line_width(0.1, pitch_m=80e-9, modulation=0.8, threshold=0.9)


def test_a_whole_number_of_samples_is_a_plain_window_also_where_the_division_rounds() -> None:
    made = slit.rectangular(0.008 / 0.3, 30_000.0)  # 800 samples
    assert (made.samples, made.weights) == (800, None)


def test_a_fractional_window_is_stated() -> None:
    made = slit.rectangular(0.008 / 0.3, 20_000.0)  # 533.33 samples
    assert made.weights is not None
    assert abs(sum(made.weights) - 1) < 1e-12
    assert "533.333 samples" in made.stated
    assert "fraction" in made.stated


def test_a_measured_rectangle_is_the_rectangle() -> None:
    made = slit.measured([0.0, 0.01], [3.0, 3.0], 250.0)  # 2.5 samples
    assert made.weights == pytest.approx((1 / 4.0 * 0.0 + 0.3, 0.4, 0.3))  # 3 samples over 2.5 intervals: ends hold 0.75 of one


def test_a_measured_trapezoid_weighs_like_the_trapezoid() -> None:
    made = slit.measured([0.0, 0.002, 0.008, 0.010], [0.0, 1.0, 1.0, 0.0], 20_000.0)
    reference = slit.trapezoidal(0.010, 0.002, 20_000.0)
    assert made.weights == pytest.approx(reference.weights, rel=1e-9)


def test_pulses_on_samples_weigh_equally_and_others_share_by_distance() -> None:
    assert slit.pulsed(0.004, 1000.0, 2000.0).weights == pytest.approx((0.25, 0, 0.25, 0, 0.25, 0, 0.25))
    assert slit.pulsed(0.002, 1000.0, 1000.0).weights == pytest.approx((0.25, 0.5, 0.25))  # pulses half-way between samples


@pytest.mark.parametrize("make", [lambda: slit.rectangular(1e-5, 20e3), lambda: slit.pulsed(1e-3, 100.0, 20e3), lambda: slit.measured([0, 1e-2], [1, -1], 20e3)])
def test_a_slit_that_is_none_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError):
        make()
