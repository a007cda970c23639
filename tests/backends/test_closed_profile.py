"""Closed profiles: every library gives the known harmonics and transmissions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.kernels.closed_profile import gaussian_lowpass, harmonics


def waves(n: int, parts: dict[int, tuple[float, float]]) -> np.ndarray:
    """Σ amplitude · cos(k·angle − phase)."""
    angle = np.arange(n) * 2 * np.pi / n
    return sum(amplitude * np.cos(k * angle - phase) for k, (amplitude, phase) in parts.items())


@pytest.mark.parametrize("n", [33, 64, 3600])
def test_undulations_come_back_with_amplitude_and_phase(xp: Any, n: int) -> None:
    parts = {0: (20.0, 0.0), 1: (3.0, 1.0), 2: (0.5, -2.0), 15: (0.25, 3.0)}
    amplitude, phase_rad = (xp.numbers(v) for v in harmonics(xp.asarray(waves(n, parts)), highest=16))
    for k, (a, phase) in parts.items():
        assert amplitude[k] == pytest.approx(a, abs=1e-13)  # 20 · 2⁻⁵³ · log₂ n, and a little
        assert phase_rad[k] == pytest.approx(phase, abs=1e-12)
    assert amplitude[[3, 7, 14, 16]] == pytest.approx(0.0, abs=1e-13)


def test_a_batch_is_its_rows(xp: Any) -> None:
    batch = np.random.default_rng(1).normal(size=(3, 20, 1000))
    amplitude, phase_rad = (xp.numbers(v) for v in harmonics(xp.asarray(batch), highest=50))
    filtered = xp.numbers(gaussian_lowpass(xp.asarray(batch), cutoff_upr=15))
    assert amplitude.shape == phase_rad.shape == (3, 20, 51)
    row = xp.asarray(batch[2, 11])
    np.testing.assert_allclose(amplitude[2, 11], xp.numbers(harmonics(row, highest=50)[0]), rtol=1e-12)
    np.testing.assert_allclose(filtered[2, 11], xp.numbers(gaussian_lowpass(row, cutoff_upr=15)), atol=1e-14)


def test_no_profiles_give_no_results(xp: Any) -> None:
    assert gaussian_lowpass(xp.asarray(np.zeros((0, 8))), cutoff_upr=2).shape == (0, 8)
    assert harmonics(xp.asarray(np.zeros((0, 8))), highest=3)[0].shape == (0, 4)


@pytest.mark.parametrize("n", [721, 3600])
@pytest.mark.parametrize(("undulations", "transmission"), [(0, 1.0), (25, 0.8408964152537145), (50, 0.5), (100, 0.0625)])
def test_the_filter_has_its_published_transmissions(xp: Any, n: int, undulations: int, transmission: float) -> None:
    wave = waves(n, {undulations: (1.0, 0.7)})
    np.testing.assert_allclose(xp.numbers(gaussian_lowpass(xp.asarray(wave), cutoff_upr=50)), transmission * wave, atol=2e-15)


def test_a_radius_costs_no_digits_of_the_form(xp: Any) -> None:
    wave = waves(3600, {3: (1e-6, 0.2)})
    passed = xp.numbers(gaussian_lowpass(xp.asarray(0.25 + wave), cutoff_upr=1500)) - 0.25
    np.testing.assert_allclose(passed, wave * 2.0 ** -((3 / 1500) ** 2), atol=6e-17)  # one rounding of 0.25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: harmonics(p, highest=5), r"highest is 5 and profile has shape \(10,\); expected 0 to 4"),
        (lambda p: harmonics(p, highest=-1), "highest is -1"),
        (lambda p: harmonics(p, highest=2.0), "highest is 2.0; expected a number of undulations"),
        (lambda p: gaussian_lowpass(p, cutoff_upr=0), "cutoff_upr is 0; expected undulations per revolution, above 0"),
        (lambda p: gaussian_lowpass(p[:0], cutoff_upr=15), r"profile has shape \(0,\); expected"),
    ],
)
def test_a_mistake_is_named(xp: Any, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(xp.asarray(np.zeros(10)))
