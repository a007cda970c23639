"""What holds for any signal: scale, shift, Parseval; for any loop: gain, order of lines; for any comparison: more margin is no harm."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.benchmarks.comparing_figures import _change, worse
from precision.benchmarks.frf_procedure import LARGER_IS_BETTER
from precision.figures import Figure
from precision.standards import drift, excitation, frequency_response, margins, psd, sampling

seeds = st.integers(0, 2**31)
scales = st.floats(1e-9, 1e6)


@given(seeds, scales, st.floats(-1e3, 1e3), st.sampled_from(["welch", "multitaper"]))
@settings(max_examples=25)
def test_a_density_scales_with_the_square_and_does_not_see_an_offset(seed: int, scale: float, offset: float, method: psd.Method) -> None:
    x = np.random.default_rng(seed).normal(size=1024)
    one = psd.evaluate(x, rate_hz=100.0, segment=256, method=method)
    other = psd.evaluate(scale * (x + offset), rate_hz=100.0, segment=256, method=method)
    # the offset costs digits: 2⁻⁵² of it beside 1, squared and small beside the densities, which are about 1/50
    np.testing.assert_allclose(other.psd[1:], scale**2 * one.psd[1:], rtol=1e-6, atol=scale**2 * 1e-12)
    assert other["rms"] == pytest.approx(scale * (one["rms"] or 0), rel=1e-6)


@given(seeds, st.integers(16, 512))
@settings(max_examples=25)
def test_a_rectangular_segment_as_long_as_the_record_obeys_parseval(seed: int, n: int) -> None:
    x = np.random.default_rng(seed).normal(size=n)
    found = psd.evaluate(x, rate_hz=7.0, segment=n, window="rectangular")
    assert (found["rms"] or 0) ** 2 == pytest.approx(found.variance, rel=1e-12)
    assert found.band_rms(0, 3.5) == pytest.approx(found["rms"], rel=1e-9)


@given(seeds)
@settings(max_examples=15)
def test_bands_add_up_to_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = psd.evaluate(rng.normal(size=2000), rate_hz=100.0, segment=200)
    edges = np.concatenate([[0.0], np.sort(rng.uniform(0.5, 49.0, 4)), [50.0]])
    parts = sum(found.band_rms(low, high) ** 2 for low, high in itertools.pairwise(edges.tolist()) if high > low)
    assert parts == pytest.approx((found["rms"] or 0) ** 2, rel=1e-9)


@given(seeds, scales)
@settings(max_examples=15)
def test_deviations_scale_and_their_noise_does_not(seed: int, scale: float) -> None:
    x = np.cumsum(np.random.default_rng(seed).normal(size=400))
    one, other = (drift.evaluate(factor * x, rate_hz=3.0, data_type="rate").curves["oadev"] for factor in (1.0, scale))
    np.testing.assert_allclose(other.deviation, scale * one.deviation, rtol=1e-9)
    assert other.alpha == one.alpha


@given(seeds, st.floats(0.2, 5.0))
@settings(max_examples=25)
def test_more_gain_takes_as_much_from_the_gain_margin(seed: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    w = np.geomspace(1e-2, 1e3, 400)
    s = 1j * w
    loop = rng.uniform(0.5, 3) / (s * (rng.uniform(0.05, 1) * s + 1) * (rng.uniform(0.01, 0.2) * s + 1))
    one, other = margins.evaluate(w, loop), margins.evaluate(w, gain * loop)
    assert [c.frequency_hz for c in other.phase_crossings] == pytest.approx([c.frequency_hz for c in one.phase_crossings], rel=1e-9)
    assert [c.margin * gain for c in other.phase_crossings] == pytest.approx([c.margin for c in one.phase_crossings], rel=1e-9)
    for found in (one, other):
        if found["Ms"] is not None and found["PM"] is not None and found["Ms"] > 1 and (found["PM"] or -1) > 0 and found["GM_up"] is not None:
            assert found["PM"] >= margins.phase_margin_from_peak(found["Ms"]) * (1 - 1e-6)
            assert found["GM_up"] >= margins.gain_margin_from_peak(found["Ms"]) * (1 - 1e-6)


@given(seeds, scales, scales)
@settings(max_examples=20)
def test_a_response_is_the_ratio_of_the_scales(seed: int, a: float, b: float) -> None:
    rng = np.random.default_rng(seed)
    u, y = rng.normal(size=(2, 1000))
    one = frequency_response.from_signals(u, y, rate_hz=10.0, segment=100)
    other = frequency_response.from_signals(a * u, b * y, rate_hz=10.0, segment=100)
    np.testing.assert_allclose(other.response, one.response * (b / a), rtol=1e-9)
    np.testing.assert_allclose(other.coherence, one.coherence, rtol=1e-9)


@given(seeds, st.integers(32, 2000), st.sampled_from(["schroeder", "random"]))
@settings(max_examples=25)
def test_a_multisine_has_its_lines_and_its_peak_and_no_more(seed: int, period: int, phases: str) -> None:
    rng = np.random.default_rng(seed)
    lines = np.unique(rng.integers(1, (period - 1) // 2 + 1, size=10))
    found = excitation.multisine(lines, period=period, rate_hz=1000.0, peak=3.0, phases=phases, seed=seed)  # type: ignore[arg-type]
    spectrum = np.abs(np.fft.rfft(found.values))
    assert found.peak == pytest.approx(3.0, rel=1e-12)
    assert np.flatnonzero(spectrum > 1e-9 * spectrum.max()).tolist() == lines.tolist()


@given(seeds, st.floats(0.05, 0.95))
@settings(max_examples=25)
def test_clipping_is_seen_at_whatever_level(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    x = 2 * np.sin(2 * math.pi * 0.01 * np.arange(2000) + rng.uniform(0, 6)) + 0.01 * rng.normal(size=2000)
    assert sampling.clipping(x) == ()
    found = sampling.clipping(np.clip(x, -2 * level, 2 * level))
    assert [one.level for one in found] == [-2 * level, 2 * level]


@pytest.mark.parametrize("key", ["PM", "Ms"])
def test_more_margin_is_better_and_more_peak_is_worse(key: str) -> None:
    small, large = (Figure(symbol=key, key=key, name=key, unit="", value=value, uncertainty=0.01) for value in (1.0, 2.0))
    change = _change(small, large, larger=key in LARGER_IS_BETTER)
    assert change.verdict == ("better" if key == "PM" else "worse")
    assert _change(small, large, neither=True).verdict == "not comparable"


@pytest.mark.parametrize("method", ["welch", "multitaper"])
def test_the_uncertainty_of_an_rms_covers_the_true_one(method: psd.Method) -> None:
    inside = []
    for seed in range(200):
        figure = psd.evaluate(np.random.default_rng(seed).normal(size=2000), rate_hz=1.0, segment=100, method=method).figures["rms"]
        inside.append(abs((figure.value or 0) - 1.0) <= (figure.uncertainty or 0))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.045)  # three of √(0.95·0.05/200)


def test_a_figure_whose_size_is_no_merit_does_not_fail_a_gate_and_one_that_vanished_does() -> None:
    small, large = (Figure(symbol="x", key="x", name="x", unit="m", value=value, uncertainty=0.1) for value in (1.0, 2.0))
    gone = Figure(symbol="x", key="x", name="x", unit="m", value=None, reason="no reading")
    changes = {"merit": _change(small, large), "neither": _change(small, large, neither=True), "gone": _change(small, gone), "came": _change(gone, small)}
    assert worse(changes, tuple(changes)) == ("merit", "gone")
