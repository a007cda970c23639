"""Heydemann's fit and correction on real signals of a nano-measuring machine, and on signals made to measure.

Data: X axis of an NMM-1, homodyne interferometer, 16 511 samples, from matusm/NmmQuad (MIT). Figures (p, q, α, r, radii): least
squares of the conic on the same counts; radii and phases equal those of the corrected files published by BEV to their rounding.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.ellipse import Ellipse, fit_ellipse
from precision.kernels.quadrature import corrected, unwrapped_phase

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "quadrature" / "nmm1_X_counts.csv.gz"


@pytest.fixture(params=["numpy", "fast"], autouse=True)
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(compiled.SWITCH, "on" if request.param == "fast" else "off")
    if request.param == "fast" and compiled.numba_or_none() is None:
        pytest.skip("numba is not installed")
    yield


@pytest.fixture
def counts() -> tuple[np.ndarray, np.ndarray]:
    if not DATA.exists():
        pytest.skip(f"{DATA.name} is not there: real quadrature signals are kept beside the repository")
    with gzip.open(DATA, "rt") as file:
        cosine, sine = np.loadtxt(file, delimiter=",", skiprows=2).T
    return cosine, sine


def test_the_nmm_signals_give_the_published_ellipse(counts: tuple[np.ndarray, np.ndarray]) -> None:
    found = fit_ellipse(*counts)
    assert (found.samples, found.octants) == (16511, 8)
    assert math.degrees(found.alpha_rad) == pytest.approx(0.52494, abs=5e-6)
    assert found.ratio == pytest.approx(1.007386, abs=5e-7)
    # The conic's constant term is 1 about the mean of the signals, so that the fit does not change with their zero; the
    # published fit has it about zero. The weights of the samples then differ by 2 p/R = 1 %, and that much of the fit's own
    # standard error, 2 counts of noise/√16511 = 0.016, is the most that the offsets may differ.
    assert found.p == pytest.approx(2.4610, abs=1.6e-4)
    assert found.q == pytest.approx(-0.4050, abs=1.6e-4)


def test_about_the_same_zero_the_published_offsets_come_out(counts: tuple[np.ndarray, np.ndarray]) -> None:
    """The published figures themselves, from the textbook's equations, so that the difference above is understood."""
    s, c = counts
    a, b, k, d, e = np.linalg.lstsq(np.stack([s * s, c * c, s * c, s, c], 1), np.ones(s.size), rcond=None)[0]
    assert (2 * b * d - e * k) / (k * k - 4 * a * b) == pytest.approx(2.4610, abs=5e-5)
    assert (2 * a * e - d * k) / (k * k - 4 * a * b) == pytest.approx(-0.4050, abs=5e-5)


def test_the_correction_gives_the_published_radii(counts: tuple[np.ndarray, np.ndarray]) -> None:
    radius = np.hypot(*corrected(*counts, fit_ellipse(*counts)))
    assert np.hypot(*counts).mean() == pytest.approx(499.339, abs=5e-4)
    assert radius.mean() == pytest.approx(501.182, abs=5e-4 + 1.6e-4)
    assert np.hypot(*counts).std() == pytest.approx(3.387, abs=5e-4)
    assert radius.std() == pytest.approx(2.021, abs=5e-4)


def test_the_correction_takes_off_a_nanometre_of_periodic_error(counts: tuple[np.ndarray, np.ndarray]) -> None:
    """0.957 nm peak to peak, of a signal period of 316.409754 nm."""
    plain, _ = unwrapped_phase(*counts)
    better, _ = unwrapped_phase(*counts, ellipse=fit_ellipse(*counts))
    difference = np.angle(np.exp(1j * (better - plain))) * 316.409754 / (2 * math.pi)
    assert np.ptp(difference) == pytest.approx(0.957, abs=1e-3)


@pytest.mark.parametrize(
    ("ellipse", "harmonic", "amplitude_nm"),
    [
        (Ellipse(p=0.01, q=0.0, radius=1.0, ratio=1.0, alpha_rad=0.0), 1, 0.5036),
        (Ellipse(p=0.0, q=0.0, radius=1.0, ratio=1.01, alpha_rad=0.0), 2, 0.2505),
        (Ellipse(p=0.0, q=0.0, radius=1.0, ratio=1.0, alpha_rad=math.radians(1.0)), 2, 0.4395),
    ],
)
def test_an_uncorrected_term_has_the_published_size(ellipse: Ellipse, harmonic: int, amplitude_nm: float) -> None:
    """1 % offset, 1 % gain mismatch, 1° of phase, at λ = 632.8 nm and a period of λ/2."""
    theta = np.arange(100_000) * 2 * math.pi / 1000
    s = ellipse.p + ellipse.radius * np.cos(theta)
    c = ellipse.q + ellipse.radius / ellipse.ratio * np.sin(theta - ellipse.alpha_rad)
    error = (unwrapped_phase(s, c)[0] - theta) * 632.8 / 2 / (2 * math.pi)
    assert 2 * abs(np.mean(error * np.exp(-1j * harmonic * theta))) == pytest.approx(amplitude_nm, abs=6e-5)
    better, _ = unwrapped_phase(s, c, ellipse=ellipse)
    # rounding of the signals, 1e-16, of sin and cos at arguments to 628 (1e-13), and of the phase itself (1e-13)
    np.testing.assert_allclose(better, theta, rtol=0, atol=4e-13)
    found = fit_ellipse(s, c)
    for name in ("p", "q", "radius", "ratio", "alpha_rad"):
        assert getattr(found, name) == pytest.approx(getattr(ellipse, name), abs=1e-12)


def test_a_million_turns_accumulate_no_error() -> None:
    """A million turns in quarters, whose true phase is known exactly."""
    per_turn, turns = 4, 1_000_000
    k = np.arange(per_turn * turns)
    quarter = k % per_turn
    phase, state = unwrapped_phase(np.array([1.0, 0.0, -1.0, 0.0])[quarter], np.array([0.0, 1.0, 0.0, -1.0])[quarter])
    assert state.turns == turns
    # a quarter of 2π times an integer, rounded once for 2π itself (4e-17 of the phase) and twice at the end
    exact = k.astype(np.longdouble) * (np.longdouble("3.14159265358979323846264338327950288") / 2)
    assert float(np.max(np.abs(phase - exact))) <= 1.5 * np.spacing(2 * math.pi * turns)
