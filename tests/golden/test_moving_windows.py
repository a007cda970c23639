"""Moving mean and standard deviation against certified data and closed forms.

NIST StRD, univariate summary statistics, NumAcc1 … NumAcc4: certified (exact) values of mean and standard deviation (divisor
n − 1); a window as long as the data is the whole set, so MSD √(n/(n−1)) is the certified value.
Closed forms of a sampled sine, ramp, parabola and a trapezoidal window: computed independently, with D_W(f) = sin(πfWTs)/(W sin(πfTs)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.moving import moving_mean_std, rectangular_window, trapezoidal_window

FS, W, A = 20_000.0, 200, 10.0


@pytest.fixture(params=["numpy", "fast"], autouse=True)
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(compiled.SWITCH, "on" if request.param == "fast" else "off")
    if request.param == "fast" and compiled.numba_or_none() is None:
        pytest.skip("numba is not installed")
    yield request.param


def alternating(first: float, low: float, high: float) -> np.ndarray:
    return np.array([first] + [low, high] * 500)


@pytest.mark.parametrize(
    ("name", "data", "mean", "sd"),
    [
        ("NumAcc1", np.array([10000001.0, 10000003.0, 10000002.0]), 10000002.0, 1.0),
        ("NumAcc2", alternating(1.2, 1.1, 1.3), 1.2, 0.1),
        ("NumAcc3", alternating(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1),
        ("NumAcc4", alternating(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1),
    ],
)
def test_a_window_over_all_of_nist_numacc_gives_the_certified_values(
    name: str, data: np.ndarray, mean: float, sd: float
) -> None:
    n = data.size
    ma, msd = moving_mean_std(data, n)
    assert ma.shape == msd.shape == (1,)
    # The certified value is that of the decimal data. In binary the samples of NumAcc4 differ by up to 9.3e-10 from them
    # (half a unit in the last place of 1e7): the best double-precision answer is 0.100000000558794.
    rounding = 0.5 * np.spacing(abs(mean))
    assert ma[0] == pytest.approx(mean, rel=0, abs=2 * rounding)
    assert msd[0] * math.sqrt(n / (n - 1)) == pytest.approx(sd, rel=0, abs=2 * rounding + 1e-15)


def test_numacc4_is_as_good_as_two_passes() -> None:
    _, msd = moving_mean_std(alternating(10000000.2, 10000000.1, 10000000.3), 1001)
    assert msd[0] * math.sqrt(1001 / 1000) == pytest.approx(0.100000000558794, rel=0, abs=1e-15)


def dirichlet(f: float, w: int = W) -> float:
    return math.sin(math.pi * f * w / FS) / (w * math.sin(math.pi * f / FS))


@pytest.mark.parametrize(
    ("f", "amplitude", "max_msd"),
    [(37.0, 7.895460, 5.858448), (100.0, 0.0, 7.071068), (150.0, 2.122262, 7.071048)],
)
def test_a_sine_keeps_the_sampled_closed_form(f: float, amplitude: float, max_msd: float) -> None:
    t = np.arange(40_000) / FS
    ma, msd = moving_mean_std(A * np.sin(2 * np.pi * f * t), W)
    turning = np.exp(-2j * np.pi * f * t[: ma.size])
    # six published decimals; all f go a whole number of times into one second
    assert 2 * abs(np.mean((ma * turning)[:20_000])) == pytest.approx(amplitude, abs=5e-7)
    assert msd.max() == pytest.approx(max_msd, abs=5e-7)
    centre = t[: ma.size] + (W - 1) / 2 / FS
    ma_formula = A * dirichlet(f) * np.sin(2 * np.pi * f * centre)
    var_formula = A**2 / 2 * (1 - dirichlet(2 * f) * np.cos(4 * np.pi * f * centre)) - ma_formula**2
    # sin() of arguments up to 2π·300 rad carries 1900 × 1.1e-16 = 2e-13 of phase, times A
    np.testing.assert_allclose(ma, ma_formula, rtol=0, atol=3e-12)
    np.testing.assert_allclose(msd**2, var_formula, rtol=0, atol=6e-11)


def test_a_ramp_blurs_by_its_length_over_root_12() -> None:
    rate, ts = 100.0, 1 / FS  # nm/s, 10 ms window
    ma, msd = moving_mean_std(rate * ts * np.arange(1000), W)
    np.testing.assert_allclose(msd, 0.288671526, rtol=0, atol=5e-10)
    np.testing.assert_allclose(msd, rate * ts * math.sqrt((W**2 - 1) / 12), rtol=1e-11)
    np.testing.assert_allclose(ma, rate * ts * (np.arange(801) + 99.5), rtol=1e-13)


def test_a_parabola_lifts_the_mean_by_a_t_squared_over_24() -> None:
    t = (np.arange(201) - 99.5) / FS  # centre of the first window at t = 0
    ma, _ = moving_mean_std(0.5 * 1000.0 * t**2, W)
    assert ma[0] == pytest.approx(4.166563e-3, abs=5e-10)


def test_a_trapezoidal_slit_lets_less_vibration_pass() -> None:
    t = np.arange(40_000) / FS
    ma, _ = moving_mean_std(A * np.sin(2 * np.pi * 100.0 * t), trapezoidal_window(W, 40))
    assert np.abs(ma).max() == pytest.approx(2.187491, abs=5e-7)  # a rectangle of this width lets nothing pass


def test_fractional_ends_stand_for_a_width_between_two_samples() -> None:
    weights = rectangular_window(10.5)
    assert len(weights) == 12 and math.fsum(weights) == pytest.approx(1.0, abs=1e-15)
    assert weights[0] == weights[-1] == pytest.approx(0.25 / 10.5)
    assert rectangular_window(7.0) == (1 / 7,) * 7


def test_white_noise_divides_as_one_over_root_w() -> None:
    noise = np.random.default_rng(8).normal(size=2_000_000)
    ma, msd = moving_mean_std(noise, 100)
    # sd(MA) = s/√W; 2e4 independent windows: its relative standard error is 1/√(2·2e4) = 0.5 %
    assert ma.std() == pytest.approx(0.1, rel=0.02)
    assert np.mean(msd**2) == pytest.approx(1 - 1 / 100, rel=0.005)
