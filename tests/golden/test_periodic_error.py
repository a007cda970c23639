"""Heydemann, fourth order and harmonics: real signals of a nano-measuring machine, and published sizes (stages_and_control.md §4.2, §4.3)."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.periodic_error import correct, harmonics, linearity

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "quadrature" / "nmm1_X_counts.csv.gz"
NMM_PERIOD_M = 316.409754e-9
HENE_M = 632.8e-9 / 2


@pytest.fixture
def counts() -> tuple[np.ndarray, np.ndarray]:
    if not DATA.exists():
        pytest.skip(f"{DATA.name} is not there: real quadrature signals are kept beside the repository")
    with gzip.open(DATA, "rt") as file:
        cosine, sine = np.loadtxt(file, delimiter=",", skiprows=2).T
    return cosine, sine


def test_real_signals_give_the_published_radii_and_fourth_order(counts: tuple[np.ndarray, np.ndarray]) -> None:
    found = correct(*counts, period_m=NMM_PERIOD_M)
    assert found["radius_raw"] == pytest.approx(499.339, abs=1e-3)
    assert found["radius"] == pytest.approx(501.182, abs=1e-3)
    assert found["radius_sd_raw"] == pytest.approx(3.387, abs=1e-3)
    assert found["radius_sd"] == pytest.approx(2.021, abs=1e-3)
    assert found["radius_sd_fourth"] == pytest.approx(0.738, abs=1e-3)
    assert found.fourth == pytest.approx(5.2387, abs=2e-3)  # bins are cut at 2°: single samples change sides with the last digits of p and q
    assert found["fourth"] == pytest.approx(0.0104527, abs=4e-6)
    assert found["fourth_length"] == pytest.approx(0.3191e-9, abs=2e-13)
    assert found["length_pp"] == pytest.approx(0.957e-9, abs=1e-12)


def sweep(*, offset: float = 0.0, gain: float = 1.0, alpha_rad: float = 0.0, noise: float = 0.0, turns: float = 40.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time = np.linspace(0, 1, 20_000)
    theta = 2 * math.pi * turns * time + 0.3
    rng = np.random.default_rng(1)
    s = offset + np.cos(theta) + rng.normal(scale=noise, size=time.size)
    c = np.sin(theta - alpha_rad) / gain + rng.normal(scale=noise, size=time.size)
    return time, s, c


@pytest.mark.parametrize(
    ("planted", "order", "amplitude_nm"), [({"offset": 0.01}, 1, 0.5036), ({"gain": 1.01}, 2, 0.2505), ({"alpha_rad": math.radians(1)}, 2, 0.4395)]
)
def test_an_uncorrected_term_has_its_published_harmonic_and_is_gone_after(planted: dict[str, float], order: int, amplitude_nm: float) -> None:
    found = linearity(*sweep(**planted), period_m=HENE_M)
    # Harmonics are over the corrected phase; that the smooth motion takes part of 40 periods up costs about 1/(π·40) of it.
    assert found[f"raw_h{order}"] == pytest.approx(amplitude_nm * 1e-9, rel=0.01)
    assert found[f"h{order}"] == pytest.approx(0.0, abs=1e-14)
    assert found["explained"] == pytest.approx(1.0, abs=1e-6)


def test_the_uncertainty_of_a_harmonic_covers_it_under_noise() -> None:
    found = linearity(*sweep(offset=0.01, noise=0.01), period_m=HENE_M).harmonics_raw[0]
    assert abs(found.amplitude_m - 0.5036e-9) < 2 * found.uncertainty_m  # 2: two coefficients, and one draw
    assert found.uncertainty_m < 0.05e-9


def test_a_third_harmonic_distortion_shows_as_fourth_order_and_is_reduced() -> None:
    time, s, c = sweep()
    theta = 2 * math.pi * 40.3 * time + 0.3
    found = linearity(time, s - 0.005 * np.cos(3 * theta), c + 0.005 * np.sin(3 * theta), period_m=HENE_M)
    assert found["raw_h4"] == pytest.approx(0.005 * HENE_M / (2 * math.pi), rel=0.01)
    assert found["h4"] < 0.3 * found["raw_h4"]  # type: ignore[operator]


def test_harmonics_come_back_with_amplitude_and_phase() -> None:
    phase = np.linspace(0, 2 * math.pi * 25, 4001)
    found = harmonics(phase, 2e-9 * np.sin(3 * phase + 0.7) + 1e-9)
    assert found[2].amplitude_m == pytest.approx(2e-9, rel=1e-9)
    assert found[2].phase_rad == pytest.approx(0.7, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: correct(np.cos(np.linspace(0, 1, 100)), np.sin(np.linspace(0, 1, 100)), period_m=HENE_M), "whole period"),
        (lambda: correct(np.linspace(0, 1, 100), np.linspace(0, 2, 100), period_m=HENE_M), "no correction"),
        (lambda: correct([1.0, 0.0, -1.0], [0.0, 1.0, 0.0], period_m=HENE_M), "cosine"),
        (lambda: correct(np.cos(np.arange(99)), np.sin(np.arange(98)), period_m=HENE_M), "as many"),
        (lambda: correct(np.cos(np.arange(99)), np.sin(np.arange(99)), period_m=0.0), "period_m"),
        (lambda: linearity(*sweep(turns=5.0), period_m=HENE_M), "5 periods"),
        (lambda: harmonics(np.repeat(np.arange(44) * math.pi / 2, 10), np.zeros(440)), "not covered evenly"),
    ],
)
def test_signals_that_give_no_correction_are_refused_with_the_reason(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words):
        make()
