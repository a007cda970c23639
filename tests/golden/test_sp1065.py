"""NIST Special Publication 1065 (W. J. Riley, Handbook of Frequency Stability Analysis, 2008), §12: the test suites.

The 1000-point set: n₀ = 1234567890, n_{i+1} = 16807 n_i mod 2147483647, y = n/2147483647, τ₀ = 1 s. Values of Table 31 for
averaging factors 1, 10, 100. The nine-point set NBS14 (NBS Monograph 140, Annex 8.E, p. 181) has the values of Table 30.
The published numbers have seven digits: relative tolerance 5e-7 of the largest rounding, 1e-6 where a last digit of 1 would be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.allan import allan_deviation

AFTER_RIDER: dict[str, tuple[float, float, float]] = {
    "adev": (2.922319e-1, 9.965736e-2, 3.897804e-2),
    "oadev": (2.922319e-1, 9.159953e-2, 3.241343e-2),
    "mdev": (2.922319e-1, 6.172376e-2, 2.170921e-2),
    "tdev": (1.687202e-1, 3.563623e-1, 1.253382e0),
    "hdev": (2.943883e-1, 1.052754e-1, 3.910860e-2),
    "ohdev": (2.943883e-1, 9.581083e-2, 3.237638e-2),
}
NBS14 = (892.0, 809.0, 823.0, 798.0, 671.0, 644.0, 883.0, 903.0, 677.0)
NBS14_TABLE: dict[str, tuple[float, float]] = {  # τ = 1 s and 2 s
    "adev": (91.22945, 115.8082),
    "oadev": (91.22945, 85.95287),
    "mdev": (91.22945, 74.78849),
    "tdev": (52.67135, 86.35831),
    "hdev": (70.80607, 116.7980),
    "ohdev": (70.80607, 85.61487),
}


@pytest.fixture(params=["numpy", "fast"], autouse=True)
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(compiled.SWITCH, "on" if request.param == "fast" else "off")
    if request.param == "fast" and compiled.numba_or_none() is None:
        pytest.skip("numba is not installed")
    yield


def thousand_points() -> np.ndarray:
    n, rates = 1234567890, []
    for _ in range(1000):
        rates.append(n / 2147483647)
        n = 16807 * n % 2147483647
    return np.array(rates)


def test_the_generator_makes_the_published_data() -> None:
    rates = thousand_points()
    assert rates[:3] == pytest.approx([0.57489047, 0.18418297, 0.56317577], abs=5e-9)
    assert rates.mean() == pytest.approx(0.48977446285950693, rel=1e-15)
    assert rates.std(ddof=1) == pytest.approx(0.2884663647, abs=5e-11)


@pytest.mark.parametrize("kind", AFTER_RIDER)
@pytest.mark.parametrize("data_type", ["rate", "phase"])
def test_the_thousand_point_set_gives_the_table(kind: Any, data_type: Any) -> None:
    data = thousand_points()
    if data_type == "phase":
        data = np.concatenate(([0.0], np.cumsum(data)))
    found = allan_deviation(data, interval_s=1.0, data_type=data_type, kind=kind, averages=(1, 10, 100))
    assert found.tau_s == (1.0, 10.0, 100.0)
    np.testing.assert_allclose(found.deviation, AFTER_RIDER[kind], rtol=5e-7)


@pytest.mark.parametrize("kind", NBS14_TABLE)
def test_nbs14_gives_the_table(kind: Any) -> None:
    found = allan_deviation(np.array(NBS14), interval_s=1.0, data_type="rate", kind=kind, averages=(1, 2))
    np.testing.assert_allclose(found.deviation, NBS14_TABLE[kind], rtol=1e-7)


def test_the_overlapping_deviation_gives_the_octaves_of_stable32() -> None:
    """Stable32 1.60, OADEV of PHASE.DAT, which is the sum of the same 1000 points less their mean; five digits."""
    found = allan_deviation(thousand_points(), interval_s=1.0, data_type="rate", averages="octave")
    assert found.samples[:8] == (1, 2, 4, 8, 16, 32, 64, 128)
    stable32 = (0.29223, 0.20102, 0.14479, 0.10570, 0.061915, 0.048082, 0.036237, 0.027674)
    np.testing.assert_allclose(found.deviation[:8], stable32, rtol=1e-4)


def test_white_noise_of_positions_reads_the_same_both_ways() -> None:
    """2 nm of white noise: 2.00, 0.63, 0.20 nm for m = 1, 10, 100, as OADEV of rates and as TDEV of phases."""
    positions = 2.0 * np.random.default_rng(3).normal(size=1_000_000)
    rate = allan_deviation(positions, interval_s=1.0, data_type="rate", averages=(1, 10, 100))
    phase = allan_deviation(positions, interval_s=1.0, data_type="phase", kind="tdev", averages=(1, 10, 100))
    # relative standard error of the largest m: about 1/√(2·1e4) for 1e4 independent averages, so 3 % is four of them
    np.testing.assert_allclose(rate.deviation, (2.0, 0.632, 0.2), rtol=0.03)
    np.testing.assert_allclose(phase.deviation, (2.0, 0.632, 0.2), rtol=0.03)


def test_a_drift_reads_its_rate_times_tau_over_root_2_and_hadamard_does_not_see_it() -> None:
    drift = 0.01 * np.arange(1000.0)
    assert allan_deviation(drift, interval_s=1.0, data_type="rate", averages=(100,)).deviation[0] == pytest.approx(
        0.707107, abs=5e-7
    )
    # sums reach 10·100 with 2⁻⁵³ each: 1e-13 of what is left
    assert allan_deviation(drift, interval_s=1.0, data_type="rate", kind="ohdev", averages=(100,)).deviation[
        0
    ] == pytest.approx(0.0, abs=1e-12)


def test_a_sine_reads_the_closed_form() -> None:
    """A sin²(π f τ)/(π f τ) for rates that are averages over the interval."""
    f, tau = 0.0317, 10
    t = np.arange(200_001.0)
    phase = -np.cos(2 * np.pi * f * t) / (2 * np.pi * f)
    found = allan_deviation(phase, interval_s=1.0, data_type="phase", averages=(tau,))
    # the mean over 200 000 samples of cos² misses ½ by at most 1/(2·2e5·sin 2πf): 1.3e-5
    assert found.deviation[0] == pytest.approx(np.sin(np.pi * f * tau) ** 2 / (np.pi * f * tau), rel=2e-5)
