"""Spectra: every library gives the definition's numbers, blocks give the whole, and the same error for the same mistake.

SciPy's `welch`, `csd` and `coherence` are written by others from the same definition; lines at 0 and the last one included.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import spectrum
from precision.kernels.spectrum import cross_spectrum, cumulative_power, power_spectrum

DETRENDS: dict[str, Any] = {"none": False, "constant": "constant", "linear": "linear"}


def near(ours: np.ndarray, theirs: np.ndarray, scale: float = 0.0) -> None:
    # a transform of n samples rounds each line to log₂ n · 2⁻⁵³ of the rms of all, before what is taken off the segment
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14 * max(scale, np.abs(theirs).max(initial=0.0)))


@pytest.mark.parametrize(
    ("segment", "overlap"), [(64, 32), (64, 0), (64, 48), (64, 63), (50, 17), (33, None), (2, None), (997, None)]
)
@pytest.mark.parametrize("detrend", DETRENDS)
@pytest.mark.parametrize("window", ["hann", "rectangular"])
def test_every_library_gives_scipys_densities(
    xp: Any, segment: int, overlap: int | None, detrend: Any, window: str
) -> None:
    x = 3.0 + np.random.default_rng(0).normal(size=997) + 0.01 * np.arange(997)
    found = power_spectrum(
        xp.asarray(x), rate_hz=25.0, segment=segment, overlap=overlap, window=window, detrend=detrend
    )
    w = scipy.signal.get_window("boxcar" if window == "rectangular" else window, segment)
    f, density = scipy.signal.welch(
        x, fs=25.0, window=w, noverlap=segment // 2 if overlap is None else overlap, detrend=DETRENDS[detrend]
    )
    near(xp.numbers(found.frequency_hz), f)
    near(xp.numbers(found.density), density, scale=float(np.mean(x**2)) / 25.0)
    assert found.enbw_hz == pytest.approx(25.0 * (w**2).sum() / w.sum() ** 2, rel=1e-13)


@pytest.mark.parametrize(("segment", "overlap"), [(64, 32), (50, 17)])
def test_every_library_gives_scipys_cross_densities_and_coherence(xp: Any, segment: int, overlap: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    y = np.roll(x, 3) + 0.5 * rng.normal(size=2000)
    found = cross_spectrum(xp.asarray(x), xp.asarray(y), rate_hz=25.0, segment=segment, overlap=overlap)
    arguments = {"fs": 25.0, "nperseg": segment, "noverlap": overlap}
    near(xp.numbers(found.density), scipy.signal.csd(x, y, **arguments)[1])
    near(xp.numbers(found.density_x), scipy.signal.welch(x, **arguments)[1])
    near(xp.numbers(found.density_y), scipy.signal.welch(y, **arguments)[1])
    near(xp.numbers(found.coherence), scipy.signal.coherence(x, y, **arguments)[1])
    delay = -np.angle(xp.numbers(found.density)[1:10]) / (2 * math.pi * xp.numbers(found.frequency_hz)[1:10])
    assert np.median(delay) == pytest.approx(3 / 25.0, rel=0.05)  # y comes later: its phase falls


def test_where_there_is_nothing_there_is_no_coherence(xp: Any) -> None:
    zero = xp.asarray(np.zeros(100))
    assert np.isnan(xp.numbers(cross_spectrum(zero, zero, rate_hz=1.0, segment=10).coherence)).all()


@pytest.mark.parametrize(("segment", "overlap"), [(1024, None), (1000, 300), (100_000, None)])
@pytest.mark.parametrize("detrend", DETRENDS)
def test_blocks_give_the_array_to_the_last_bit(segment: int, overlap: int | None, detrend: Any) -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 300_001))
    edges = [0, 1, 1, 900, 150_000, 299_000, 300_001]
    buffers = np.empty((2, 300_001))

    def pieces(data: np.ndarray, buffer: np.ndarray) -> Any:
        for a, b in itertools.pairwise(edges):
            buffer[: b - a] = data[a:b]  # the source reuses its buffer
            yield buffer[: b - a]

    arguments = {"rate_hz": 1.0, "segment": segment, "overlap": overlap, "detrend": detrend}
    whole, parts = power_spectrum(x, **arguments), power_spectrum(pieces(x, buffers[0]), **arguments)
    np.testing.assert_array_equal(parts.density, whole.density)
    assert parts.averages == whole.averages and parts.effective_averages == whole.effective_averages
    both, parted = (
        cross_spectrum(x, y, **arguments),
        cross_spectrum(pieces(x, buffers[0]), pieces(y, buffers[1]), **arguments),
    )
    np.testing.assert_array_equal(parted.density, both.density)
    np.testing.assert_array_equal(parted.coherence, both.coherence)


def test_an_offset_does_not_leak(xp: Any) -> None:
    """A metre of offset over a nanometre of noise: the mean goes before the window."""
    noise = 1e-9 * np.random.default_rng(3).normal(size=20_000)
    plain = power_spectrum(xp.asarray(noise), rate_hz=1.0, segment=1000)
    moved = power_spectrum(xp.asarray(noise + 1.0), rate_hz=1.0, segment=1000)
    # samples near 1 m are rounded to 1.1e-16 m, 1e-7 of the noise; a line that is small by chance shows more of it
    np.testing.assert_allclose(xp.numbers(moved.density)[2:], xp.numbers(plain.density)[2:], rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (np.zeros(9), {}, "segment is 10 samples and data has 9; expected a segment no longer"),
        (np.zeros(0), {}, "segment is 10 samples and data has 0"),
        (np.zeros((9, 2)), {}, r"data has shape \(9, 2\); expected \(n,\)"),
        (np.zeros(20), {"segment": 1}, "segment is 1 samples; expected at least 2"),
        (np.zeros(20), {"segment": 9.5}, "segment is 9.5"),
        (np.zeros(20), {"overlap": 10}, r"overlap is 10 samples; expected 0 … 9"),
        (np.zeros(20), {"overlap": -1}, "overlap is -1 samples"),
        (np.zeros(20), {"rate_hz": 0.0}, "rate_hz is 0.0; expected samples a second"),
        (np.zeros(20), {"window": "kaiser"}, r"window is 'kaiser'; expected one of rectangular, hann"),
        (np.zeros(20), {"detrend": "mean"}, "detrend is 'mean'"),
        (np.full(20, np.nan), {}, "data has 20 samples and holds NaN"),
    ],
)
def test_a_mistake_is_named(xp: Any, data: np.ndarray, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_spectrum(xp.asarray(data), **{"rate_hz": 1.0, "segment": 10, **arguments})


def test_mistakes_with_windows_and_pairs_are_named(xp: Any) -> None:
    x = xp.asarray(np.ones(20))
    with pytest.raises(ValueError, match=r"window has shape \(9,\); expected \(10,\)"):
        power_spectrum(x, rate_hz=1.0, segment=10, window=xp.asarray(np.ones(9)))
    with pytest.raises(ValueError, match="expected finite weights whose sum is not 0"):
        power_spectrum(x, rate_hz=1.0, segment=10, window=xp.asarray(np.zeros(10)))
    with pytest.raises(ValueError, match=r"x has shape \(20,\) and y has shape \(19,\)"):
        cross_spectrum(x, x[1:], rate_hz=1.0, segment=10)
    with pytest.raises(ValueError, match=r"density has shape \(19,\) and frequency_hz has shape \(20,\)"):
        cumulative_power(x, x[1:])
    with pytest.raises(ValueError, match="expected ascending, equal steps"):
        cumulative_power(x, x)
    with pytest.raises(ValueError, match="data is a float"):
        power_spectrum(3.0, rate_hz=1.0, segment=10)


def test_infinite_data_are_refused_without_a_warning() -> None:
    with pytest.raises(ValueError, match="holds NaN, infinities"):
        power_spectrum(np.full(20, np.inf), rate_hz=1.0, segment=10)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(2, 300), data=st.data())
def test_the_power_of_any_segmentation_is_scipys(xp: Any, n: int, data: st.DataObject) -> None:
    segment = data.draw(st.integers(2, n))
    overlap = data.draw(st.integers(0, segment - 1))
    x = np.random.default_rng(n).normal(size=n)
    found = power_spectrum(xp.asarray(x), rate_hz=1.0, segment=segment, overlap=overlap, window="rectangular")
    near(xp.numbers(found.density), scipy.signal.welch(x, window="boxcar", nperseg=segment, noverlap=overlap)[1])


def test_small_batches_add_up_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(4).normal(size=5000)
    whole = power_spectrum(x, rate_hz=1.0, segment=100)
    monkeypatch.setattr(spectrum, "_BATCH", 300)
    np.testing.assert_allclose(power_spectrum(x, rate_hz=1.0, segment=100).density, whole.density, rtol=1e-13)
