"""Local polynomials on short records (5.1): a lightly damped plant that is still ringing, against its closed form and against windows; its
uncertainty, and a closed loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.signal.windows import tukey

from precision.errors import DataError
from precision.standards import closed_loop, frequency_response, local_polynomial

RATE = 1000.0
RADIUS, TURN = 0.995, 2 * math.pi * 0.05  # a resonance at 50 Hz with ζ = 1.6 %, time constant 200 samples
A = [1.0, -2 * RADIUS * math.cos(TURN), RADIUS**2]
B = [0.0, 0.02, 0.01]


def response(f: np.ndarray) -> np.ndarray:
    z = np.exp(-2j * math.pi * f / RATE)
    return np.asarray((B[1] * z + B[2] * z**2) / (A[0] + A[1] * z + A[2] * z**2))


def ringing(n: int, seed: int, *, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A record cut out of a longer one: it begins and ends while the plant rings."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=n + 300)
    return u[300:], np.asarray(lfilter(B, A, u))[300:] + noise * rng.normal(size=n)


def test_a_ringing_record_gives_the_response_far_better_than_windows_do() -> None:
    """4000 samples, 20 time constants: without noise what is left is how well a parabola holds the response and the transient over 13 lines."""
    u, y = ringing(4000, 1)
    found = local_polynomial.from_signals(u, y, rate_hz=RATE)
    off = np.abs(found.response - response(found.frequency_hz)) / np.abs(response(found.frequency_hz))
    windowed = frequency_response.from_signals(u, y, rate_hz=RATE, segment=1000)
    off_windowed = np.abs(windowed.response - response(windowed.frequency_hz)) / np.abs(response(windowed.frequency_hz))
    near = (found.frequency_hz > 40) & (found.frequency_hz < 60)
    near_windowed = (windowed.frequency_hz > 40) & (windowed.frequency_hz < 60)
    assert np.median(off) < 1e-4 and np.median(off[near]) < 0.01
    # and the window's lines are four times as far apart
    assert np.median(off_windowed[near_windowed]) > 10 * np.median(off[near])


def test_its_uncertainty_is_what_noise_does_to_it() -> None:
    """E|δG|² = sd² at lines where the response is smooth over the window; 30 records."""
    ratios = []
    for seed in range(30):
        u, y = ringing(3000, seed, noise=0.05)
        found = local_polynomial.from_signals(u, y, rate_hz=RATE, band_hz=(100.0, 480.0))
        ratios.append(np.abs(found.response - response(found.frequency_hz)) ** 2 / found.sd**2)
    # 1/sd² of 7 complex degrees of freedom has the mean 7/6; the response itself is a parabola to 1e-4
    assert np.mean(ratios) == pytest.approx(7 / 6, rel=0.05)


def test_polynomials_come_back_exactly_at_the_middle_and_at_the_ends() -> None:
    """A response and a transient that are parabolas of the line number, without noise: to rounding, also at the first line."""
    n = 400
    rng = np.random.default_rng(3)
    u = rng.normal(size=n)
    k = np.arange(n // 2 + 1)
    g = (1 + 0.01 * k - 2e-5 * k**2) * np.exp(0.3j) + 0.2j * 1e-4 * k**2
    t = 3e1 * (1 + 1e-3 * k + 1e-5j * k**2)
    y = np.fft.irfft(np.where((k == 0) | (k == n // 2), 0, np.fft.rfft(u) * g + t), n)
    found = local_polynomial.from_signals(u, y, rate_hz=float(n))
    assert (found.frequency_hz[0], found.frequency_hz[-1]) == (1.0, n / 2 - 1)
    np.testing.assert_allclose(found.response, g[1:-1], rtol=1e-9)


def test_in_a_loop_the_plant_comes_back_by_way_of_the_excitation() -> None:
    """P = 0.5 z⁻¹/(1 − 0.8 z⁻¹), C = 0.6, disturbance as large as the excitation: the direct estimate is biased, the indirect is not."""
    rng = np.random.default_rng(7)
    n = 6000
    w, v = rng.normal(size=n), rng.normal(size=n)
    u, y, x = np.empty(n), np.empty(n), 0.0
    for k in range(n):
        y[k] = x + v[k]
        u[k] = w[k] - 0.6 * y[k]
        x = 0.8 * x + 0.5 * u[k]
    found = local_polynomial.indirect(w, u, y, rate_hz=1.0, band_hz=(0.02, 0.45), width=local_polynomial.Width(order=2, half_width=20))
    z = np.exp(2j * math.pi * found.plant.frequency_hz)
    p = 0.5 / (z - 0.8)
    for name, got, truth in (("plant", found.plant, p), ("sensitivity", found.sensitivity, 1 / (1 + 0.6 * p)), ("loop", found.loop, 0.6 * p)):
        # neighbouring lines share their windows: 2580 lines are some 100 independent ones; a ratio has long tails, so the median of |δ|²/sd², ln
        # 2 for a complex normal one
        assert np.median(np.abs(got.response - truth) ** 2 / got.sd**2) == pytest.approx(math.log(2), rel=0.3), name
    assert abs(np.mean(found.plant.response - p)) < 0.25 * abs(np.mean(found.direct.response - p))
    averaged = closed_loop.indirect(w, u, y, rate_hz=1.0, segment=600, band_hz=(0.02, 0.45))
    at = np.interp(averaged.plant.frequency_hz, found.plant.frequency_hz, np.abs(found.plant.response))
    assert np.median(np.abs(at / np.abs(averaged.plant.response) - 1)) < 0.15


def test_lines_that_were_not_excited_are_left_out() -> None:
    """A chirp of 50 … 150 Hz that swells and fades, so that it has no skirts: beyond its band there is no response to find."""
    t = np.arange(4000) / RATE
    u = np.sin(2 * math.pi * (50 * t + 12.5 * t**2)) * tukey(4000, 0.2)
    found = local_polynomial.from_signals(u, lfilter(B, A, u), rate_hz=RATE)
    assert 40 < found.frequency_hz[0] < 52 and 148 < found.frequency_hz[-1] < 160
    inside = (found.frequency_hz > 60) & (found.frequency_hz < 140)
    np.testing.assert_allclose(np.abs(found.response[inside]), np.abs(response(found.frequency_hz[inside])), rtol=0.02)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": local_polynomial.Width(order=3, half_width=3)}, "leave -1 degrees of freedom"),
        ({"width": local_polynomial.Width(order=2, half_width=3000)}, "are needed for polynomials"),
        ({"band_hz": (600.0, 700.0)}, "no line lies in"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changes: dict[str, object], words: str) -> None:
    u, y = ringing(2000, 0)
    with pytest.raises(DataError, match=words):
        local_polynomial.from_signals(u, y, rate_hz=RATE, **changes)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="never changes"):
        local_polynomial.from_signals(np.zeros(2000), y, rate_hz=RATE)
    with pytest.raises(DataError, match="expected the same"):
        local_polynomial.from_signals(u, y[:-1], rate_hz=RATE)
