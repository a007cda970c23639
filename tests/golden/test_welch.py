"""Spectral densities against the literature: Heinzel, Rüdiger, Schilling, "Spectrum and spectral density estimation by the DFT"
(GEO 600, 2002): equivalent noise bandwidths, and the test signal of two lines over the noise of a digitiser."""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.kernels.cosine_window import WINDOWS
from precision.kernels.spectrum import cumulative_power, power_spectrum


@pytest.mark.parametrize(
    ("window", "nenbw"),
    [
        ("rectangular", 1.0),
        ("hann", 1.5),
        ("hamming", 1.3628),
        ("blackman-harris", 2.0044),
        ("hft70", 3.4129),
        ("hft95", 3.8112),
        ("hft116d", 4.2186),
        ("flattop", 3.7702),
    ],
)
def test_a_window_has_its_noise_bandwidth(window: str, nenbw: float) -> None:
    found = power_spectrum(np.random.default_rng(0).normal(size=5000), rate_hz=500.0, segment=1000, window=window)
    assert found.enbw_hz * 1000 / 500.0 == pytest.approx(nenbw, abs=5e-5)  # four published decimals
    assert window in WINDOWS


def test_kaiser_weights_can_be_given() -> None:
    found = power_spectrum(np.zeros(4096), rate_hz=1.0, segment=1024, window=np.kaiser(1024, 6.0))
    assert found.enbw_hz * 1024 == pytest.approx(1.4682, abs=5e-5)
    assert found.window == "given"


@pytest.mark.parametrize(("overlap", "segments"), [(500, 100), (750, 100), (750, 2000)])
def test_overlapping_segments_count_for_less(overlap: int, segments: int) -> None:
    """Autocorrelation of the Hann window at the fraction r of its length: (1 − r)(2 + cos 2πr)/3 + sin(2πr)/2π."""
    n = 1000 + (segments - 1) * (1000 - overlap)
    found = power_spectrum(np.zeros(n), rate_hz=1.0, segment=1000, overlap=overlap)
    hop = 1 - overlap / 1000
    repeated = 0.0
    for m in range(1, round(1 / hop)):
        r = m * hop
        rho = (1 - r) * (2 + math.cos(2 * math.pi * r)) / 3 + math.sin(2 * math.pi * r) / (2 * math.pi)
        repeated += 2 * (1 - m / segments) * rho**2
    assert found.averages == segments
    assert found.effective_averages / segments == pytest.approx(1 / (1 + repeated), rel=1e-5)  # sampled: to 1/N²


def test_a_hundred_half_overlapping_hann_segments_are_worth_94_79() -> None:
    found = power_spectrum(np.zeros(1000 + 99 * 500), rate_hz=1.0, segment=1000)
    assert found.effective_averages == pytest.approx(94.79, abs=5e-3)


def test_two_lines_over_the_noise_of_a_digitiser() -> None:
    """2.82843 sin(2π 1234 t) + sin(2π 2500.2157 t), rounded to 1 mV: lines of 2 and 0.7071 V rms, floor LSB/√(6 fs)."""
    fs, n = 10_000.0, 10_000
    t = np.arange(1_000_000) / fs
    u = np.round((2.82843 * np.sin(2 * math.pi * 1234.0 * t) + np.sin(2 * math.pi * 2500.2157 * t)) * 1e3) / 1e3
    found = power_spectrum(u, rate_hz=fs, segment=n, overlap=7500, window="hft95")
    height = np.sqrt(found.density * found.enbw_hz)
    assert height[1234] == pytest.approx(2.000002, abs=2e-6)
    assert height[2490:2511].max() == pytest.approx(0.707357, abs=2e-6)
    quiet = (found.frequency_hz > 3000) & (found.frequency_hz < 4800)
    floor = np.sqrt(found.density[quiet].mean())
    # 1800 lines of about 200 effective averages, of which a window of 3.8 lines leaves a quarter independent: 0.2 %, and
    # lines of the rounding itself
    assert floor == pytest.approx(1e-3 / math.sqrt(6 * fs), rel=0.01)


def test_a_line_is_a_step_of_half_its_square_in_the_cumulative_power() -> None:
    """5 nm at 120 Hz on 0.1 nm/√Hz: CPS(140 Hz) = 0.01 · 140 + 12.5 nm²."""
    fs, n = 1000.0, 2_000_000
    noise = 0.1 * math.sqrt(fs / 2) * np.random.default_rng(5).normal(size=n)
    x = 5.0 * np.sin(2 * math.pi * 120.0 * np.arange(n) / fs) + noise
    found = power_spectrum(x, rate_hz=fs, segment=1000)
    up, down = cumulative_power(found.frequency_hz, found.density)
    # noise below 140 Hz: 140 lines of 3800 effective averages, 0.14 % of 1.4; its beat with the line: 5·√(2·0.01·1.5/3800) = 0.014
    assert up[140] == pytest.approx(13.9, abs=0.06)
    assert up[100] == pytest.approx(1.0, rel=0.01)
    assert up[-1] == pytest.approx(np.var(x), rel=1e-3)  # Parseval, up to the record's two ends
    assert down[0] == pytest.approx(up[-1], rel=1e-12)
    assert down[141] + up[140] == pytest.approx(up[-1], rel=1e-12)
