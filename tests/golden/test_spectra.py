"""Spectral densities, cumulative spectra, lines, error budgets and vibration criteria against closed forms and published numbers.

Sources: G. Heinzel, A. Rüdiger, R. Schilling (2002) for the digitiser's test signal; D. B. Percival, A. T. Walden for multitaper; NIST StRD (univariate,
NumAcc1 … 4) for the certified means and standard deviations; IEST-RP-CC012 from memory.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import (
    cumulative_spectrum,
    error_budget,
    noise_density,
    psd,
    spectral_lines,
    vibration_criteria,
)


def test_the_digitiser_of_heinzel_shows_its_two_lines_and_its_floor() -> None:
    """4.4: 2.82843 sin(2π 1234 t) + 1.0 sin(2π 2500.2157 t) rounded to 1 mV, HFT95, n = 10⁴, 75 % overlap: LS 2.000002 and 0.707357 V, floor 4.086e-6 V/√Hz."""
    rate = 10e3
    t = np.arange(200_000) / rate
    u = np.round((2.82843 * np.sin(2 * math.pi * 1234 * t) + np.sin(2 * math.pi * 2500.2157 * t)) * 1e3) / 1e3
    found = psd.evaluate(u, rate_hz=rate, unit="V", segment=10_000, overlap=7500, window="hft95")
    assert found.ls is not None
    assert found.ls[1234] == pytest.approx(2.000002, abs=2e-6)
    assert found.ls[2490:2511].max() == pytest.approx(0.707357, abs=2e-6)
    # 1900 lines of 20 effective averages, of which one in four is independent: 1 % of the density
    assert math.sqrt(found.psd[3000:4900].mean()) == pytest.approx(4.086e-6, rel=0.01)
    lines = spectral_lines.evaluate(found, fundamental_hz=617.0)
    assert [round(line.amplitude, 4) for line in lines.lines[:2]] == [2.8284, 1.0]
    assert lines.lines[0].whole == 2 and lines.lines[1].whole is None
    assert lines.lines[1].order == pytest.approx(2500.2157 / 617, abs=1e-5)


def test_a_line_is_a_step_of_half_its_square_and_the_spectrum_adds_up_to_the_variance() -> None:
    """4.5: 5 nm at 120 Hz on 0.1 nm/√Hz: CPS(140 Hz) = 0.01·140 + 12.5 nm²."""
    rate, n = 1000.0, 400_000
    x = 5 * np.sin(2 * math.pi * 120 * np.arange(n) / rate) + 0.1 * math.sqrt(rate / 2) * np.random.default_rng(5).normal(size=n)
    found = cumulative_spectrum.evaluate(psd.evaluate(x * 1e-9, rate_hz=rate, segment=1000), bands_hz=[(0, 140)])
    # the beat of line and noise, 5·√(2·0.01·1.5/760) = 0.03, and 140 lines of 760 averages, 0.4 % of 1.4: three of their sum
    assert found.upwards[140] * 1e18 == pytest.approx(13.9, abs=0.1)
    assert found.downwards[0] == pytest.approx(found.upwards[-1], rel=1e-12)
    assert found["rms"] == pytest.approx(x.std() * 1e-9, rel=2e-3)
    assert found["f_50"] == pytest.approx(119.9, abs=1.1)
    assert found["band_1"] == pytest.approx(math.sqrt(13.9) * 1e-9, rel=0.005)
    assert not [flag for flag in found.flags if "integral" in flag]


@pytest.mark.parametrize(("order", "ratio"), [(1, math.pi / 2), (2, 1.1107207), (3, 1.0471976), (4, 1.0261722)])
def test_white_noise_through_a_butterworth_filter(order: int, ratio: float) -> None:
    assert noise_density.noise_bandwidth_ratio(order) == pytest.approx(ratio, abs=5e-8)


def test_closed_forms_of_sensor_noise() -> None:
    """4.5: 20 pm/√Hz at 100 Hz first order: 0.25066 nm rms, 6σ 1.5040 nm; A = 1e-4 nm²/Hz, corner 10 Hz, 0.01 … 100 Hz: 0.13860 nm. 4.1: q = 0.1 nm at 10 kHz."""
    rms = noise_density.white_rms(20e-12, 100.0)
    assert rms * 1e9 == pytest.approx(0.25066, abs=5e-6)
    assert 6 * rms * 1e9 == pytest.approx(1.5040, abs=5e-5)
    assert noise_density.white_and_flicker_rms(1e-22, 10.0, 0.01, 100.0) * 1e9 == pytest.approx(0.13860, abs=5e-6)
    assert noise_density.quantisation(0.1e-9, 10e3) == pytest.approx((0.028868e-9, 4.0825e-13), rel=2e-5)


@pytest.mark.parametrize(("averages", "low", "high"), [(1, 0.2711, 39.498), (8, 0.5547, 2.3163), (32, 0.7272, 1.4620)])
def test_confidence_factors_of_averaged_densities(averages: int, low: float, high: float) -> None:
    assert noise_density.confidence_factors(2 * averages) == pytest.approx((low, high), rel=1e-4)


def test_multitaper_has_the_published_eigenvalues_behind_it() -> None:
    """NW = 4, seven sequences: eigenvalues from 1 to 0.93666493, so 2(Σλ)²/Σλ² = 13.985 degrees of freedom."""
    ratios = np.array([1, 0.99999997, 0.99999879, 0.99996759, 0.99941049, 0.99250772, 0.93666493])
    x = np.random.default_rng(1).normal(size=512)
    found = psd.evaluate(x, rate_hz=512.0, method="multitaper", segment=512)
    assert found.degrees_of_freedom == pytest.approx(2 * ratios.sum() ** 2 / (ratios @ ratios), rel=1e-7)
    assert found.enbw_hz == pytest.approx(8.0)
    assert found.ls is None
    # Parseval: each taper has unit energy, so the integral scatters about the variance by √(2/512)
    assert found["rms"] == pytest.approx(x.std(), rel=3 * math.sqrt(2 / 512))


@pytest.mark.parametrize("method", ["welch", "multitaper"])
def test_the_interval_holds_the_true_density_as_often_as_it_says(method: psd.Method) -> None:
    inside = total = 0
    for seed in range(40):
        found = psd.evaluate(np.random.default_rng(seed).normal(size=4096), rate_hz=2.0, segment=512, method=method)
        lines = slice(10, -10, 8)  # far enough from the ends and from each other to be independent
        inside += int(np.sum((found.lower[lines] <= 1.0) & (found.upper[lines] >= 1.0)))
        total += found.psd[lines].size
    # 40·30 lines at 95 %: standard deviation 0.6 %
    assert inside / total == pytest.approx(0.95, abs=0.02)


def test_bands_on_a_logarithmic_axis_average_powers() -> None:
    x = np.random.default_rng(3).normal(size=200_000)
    found = psd.evaluate(x, rate_hz=2.0, segment=2000)
    frequency, density, lower, upper = psd.log_averaged(found, per_decade=10)
    assert np.all(np.diff(frequency) > 0)
    assert density[-1] == pytest.approx(1.0, rel=0.01)  # 200 lines of 190 averages: 0.6 %
    assert (upper[-1] - lower[-1]) < 0.2 * (upper[0] - lower[0])


def test_an_error_budget_is_the_root_of_its_squares_and_splits_into_ma_and_msd() -> None:
    assert error_budget.root_sum_of_squares(3, 0.8, 1.2, 0.5) == pytest.approx(3.36601, abs=5e-6)
    f = np.linspace(0, 5000, 500_001)
    # white noise behind a first-order filter at 100 Hz, integrated to 5 kHz: n √(fc·atan(50)); the rest of π/2 lies above
    white = error_budget.Source(name="sensor", frequency_hz=f, psd=np.full(f.size, (20e-12) ** 2), transfer=1 / (1 + 1j * f / 100), relative_u=0.1)
    hum = error_budget.Source(name="hum", frequency_hz=[0, 1000], psd=[1e-22, 1e-22], relative_u=0.1)
    found = error_budget.evaluate([hum, white], window_s=0.01)
    assert found.contributions[1].name == "sensor"
    assert found.contributions[1].rms == pytest.approx(20e-12 * math.sqrt(100 * math.atan(50)), rel=1e-6)
    assert found["MA"] is not None and found["MSD"] is not None and found["rms"] is not None
    assert found["MA"] ** 2 + found["MSD"] ** 2 == pytest.approx(found["rms"] ** 2, rel=1e-12)
    assert found.figures["rms"].uncertainty is not None


def test_a_budget_does_not_invent_an_uncertainty() -> None:
    found = error_budget.evaluate([error_budget.Source(name="amplifier", frequency_hz=[0, 1], psd=[1, 1])])
    assert found.figures["rms"].uncertainty is None
    assert "amplifier" in (found.figures["rms"].uncertainty_reason or "")


def test_the_floor_is_judged_by_the_strictest_criterion_that_it_meets() -> None:
    """White velocity noise: the third octave at 80 Hz, 18.3 Hz wide, is the largest; VC limits fall by halves."""
    rate, rms_80 = 500.0, 10e-6
    width = 10**1.9 * (10**0.05 - 10**-0.05)
    x = rms_80 / math.sqrt(width) * math.sqrt(rate / 2) * np.random.default_rng(2).normal(size=150_000)
    found = vibration_criteria.evaluate(psd.evaluate(x, rate_hz=rate, unit="m/s", segment=15_000), quantity="velocity")
    assert found.criterion == "VC-C"
    assert found["v_max"] == pytest.approx(rms_80, rel=0.06)  # 18.3 Hz · 300 s: 1/√(4·18.3·300/4) = 1.4 %
    acceleration = psd.evaluate(np.gradient(x, 1 / rate), rate_hz=rate, unit="m/s²", segment=15_000)
    again = vibration_criteria.evaluate(acceleration, quantity="acceleration")
    # a central difference is sin(2πf/f_s)/(2πf/f_s) of the derivative: at 8 Hz 0.2 % low
    assert again.velocity[9] == pytest.approx(found.velocity[9], rel=0.01)
    with pytest.raises(DataError, match="velocity is in m/s"):
        vibration_criteria.evaluate(acceleration, quantity="velocity")


def test_a_floor_that_the_spectrum_does_not_resolve_is_not_judged() -> None:
    x = np.random.default_rng(2).normal(size=20_000)
    found = vibration_criteria.evaluate(psd.evaluate(x * 1e-6, rate_hz=500.0, unit="m/s", segment=500), quantity="velocity")
    assert math.isnan(found.velocity[0])
    assert any("not resolved" in flag for flag in found.flags)
    with pytest.raises(DataError, match="no third octave"):
        vibration_criteria.evaluate(psd.evaluate(x, rate_hz=100_000.0, unit="m/s", segment=500), quantity="velocity")


@pytest.mark.parametrize(
    ("data", "mean", "deviation"),
    [
        ([10000001.0, 10000003.0, 10000002.0], 10000002.0, 1.0),
        ([1.2, *([1.1, 1.3] * 500)], 1.2, 0.1),
        ([1000000.2, *([1000000.1, 1000000.3] * 500)], 1000000.2, 0.1),
        ([10000000.2, *([10000000.1, 10000000.3] * 500)], 10000000.2, 0.1),
    ],
)
def test_nist_strd_means_and_deviations_survive_large_offsets(data: list[float], mean: float, deviation: float) -> None:
    """NumAcc1 … 4, certified. The samples themselves are rounded to 2⁻⁵³ of 1e7: 1e-9 of them, 1e-8 of the deviation."""
    x = np.array(data)
    if x.size < 8:  # too short for a spectrum: the same three values over and over have the variance with divisor n
        x = np.tile(x, 50)
        deviation *= math.sqrt(2 / 3) / math.sqrt(x.size / (x.size - 1))
    found = psd.evaluate(x, rate_hz=1.0, segment=8)
    assert found["mean"] == pytest.approx(mean, rel=1e-12)
    full = psd.evaluate(x, rate_hz=1.0, segment=x.size, window="rectangular")
    variance = full.variance * x.size / (x.size - 1)
    expected = deviation * (math.sqrt(x.size / (x.size - 1)) if len(data) < 8 else 1.0)
    assert math.sqrt(variance) == pytest.approx(expected if len(data) >= 8 else math.sqrt(2 / 3) * math.sqrt(x.size / (x.size - 1)), rel=1e-7)
    assert full["rms"] == pytest.approx(math.sqrt(full.variance), rel=1e-7)


def test_amplitude_and_frequency_of_a_line_are_off_by_as_much_as_u_says() -> None:
    misses = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        frequency = 100 + rng.uniform(-0.5, 0.5)
        x = 0.3 * np.sin(2 * math.pi * frequency * np.arange(16_000) / 1000 + rng.uniform(0, 6)) + rng.normal(size=16_000)
        line = spectral_lines.evaluate(psd.evaluate(x, rate_hz=1000.0, segment=1000), lowest_hz=20).lines[0]
        misses.append(((line.amplitude - 0.3) / line.amplitude_u, (line.frequency_hz - frequency) / line.frequency_u_hz))
    # expanded U: half of it is one standard deviation; of 100 the standard deviation is known to 7 %, three of which are 21 %
    assert np.std(misses, axis=0) == pytest.approx((0.5, 0.5), rel=0.21)


def test_noise_alone_has_no_lines_and_a_rectangular_window_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=50_000)
    assert spectral_lines.evaluate(psd.evaluate(x, rate_hz=1.0, segment=1000)).lines == ()
    with pytest.raises(DataError, match="leaks"):
        spectral_lines.evaluate(psd.evaluate(x, rate_hz=1.0, segment=1000, window="rectangular"))
    with pytest.raises(DataError, match="one average"):
        spectral_lines.evaluate(psd.evaluate(x, rate_hz=1.0, segment=50_000))


def test_an_order_above_half_the_rate_is_told_where_it_folds_to() -> None:
    assert spectral_lines.folded_hz(520.0, 1000.0) == 480.0
    x = np.sin(2 * math.pi * 130 * np.arange(20_000) / 1000) + 0.01 * np.random.default_rng(0).normal(size=20_000)
    found = spectral_lines.evaluate(psd.evaluate(x, rate_hz=1000.0, segment=1000), fundamental_hz=65.0)
    assert found.lines[0].whole == 2
    assert "order 8 (520 Hz) shows at 480 Hz" in found.stated[-1]


def test_a_logarithmic_axis_shows_white_and_flicker_noise_and_a_line_at_once() -> None:
    """White noise shaped to 1e-4 (1 + 10 Hz/f) nm²/Hz, and a line of 3 nm at 50.3 Hz."""
    from precision.standards import logarithmic_psd

    rate, n = 1000.0, 200_000
    rng = np.random.default_rng(4)
    spectrum = np.fft.rfft(rng.normal(size=n))
    f = np.fft.rfftfreq(n, 1 / rate)
    shape = np.sqrt(1e-4 * (1 + 10 / np.maximum(f, rate / n)))
    x = np.fft.irfft(spectrum * shape, n) * math.sqrt(rate / 2) + 3.0 * np.sin(2 * math.pi * 50.3 * np.arange(n) / rate)
    found = logarithmic_psd.evaluate(x, rate_hz=rate, per_decade=40)
    true = 1e-4 * (1 + 10 / found.frequency_hz)
    away = np.abs(np.log10(found.frequency_hz / 50.3)) > 0.12
    inside = (found.lower <= true) & (true <= found.upper)
    # 130 lines at 95 %, neighbours going together
    assert np.mean(inside[away]) > 0.85
    assert found.averages[0] >= 2 and found.averages[-1] > 1000
    # beside the line the rms spectrum is that of the line: the frequency of the axis misses it by at most half a step, 2.9 %, of a resolution of 5.9 %
    assert found.ls[~away].max() == pytest.approx(3 / math.sqrt(2), rel=0.12)
    with pytest.raises(DataError, match="window"):
        logarithmic_psd.evaluate(x, rate_hz=rate, window="rectangular")


def test_white_noise_is_as_flat_on_the_logarithmic_axis_as_its_interval() -> None:
    from precision.standards import logarithmic_psd

    found = [logarithmic_psd.evaluate(np.random.default_rng(seed).normal(size=20_000), rate_hz=2.0, per_decade=20) for seed in range(10)]
    inside = np.mean([(one.lower <= 1.0) & (one.upper >= 1.0) for one in found])
    assert inside == pytest.approx(0.95, abs=0.04)
