"""Charts of responses and spectra: well-formed, the same bytes twice, with the numbers that were given, and without mathematics made of names."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from precision.report import frf_charts, spectrum_charts
from precision.report.logarithmic_axes import plain_number, thinned


def _loop() -> frf_charts.Curve:
    f = np.logspace(0, 3, 120)
    s = 2j * math.pi * f
    wn = 2 * math.pi * 50
    loop = wn**2 / (s * (s + wn)) * np.exp(-s * 5e-4)
    return frf_charts.Curve(name="loop $x$", frequency_hz=f, response=loop, u=0.02 * np.abs(loop), coherence=np.full(f.size, 0.98))


def test_charts_of_a_loop_are_reproducible_and_show_their_marks() -> None:
    curve = _loop()
    marks = [frf_charts.Mark(frequency_hz=39.3, value=complex(-0.7, -0.7), label="PM 45.0°")]
    for chart in (
        lambda: frf_charts.bode_chart([curve], unit="", title="Loop & <b>", key_numbers="PM 45°", marks=marks),
        lambda: frf_charts.nyquist_chart(curve, peak=1.47, title="Loop", key_numbers="Ms 1.47", marks=marks),
        lambda: frf_charts.nichols_chart(curve, title="Loop", key_numbers="", marks=marks),
    ):
        one, two = chart(), chart()
        assert one.svg == two.svg
        assert "PM 45.0°" in one.svg
        assert "<b>" not in one.svg
    assert "Ms = 1.47" in frf_charts.nyquist_chart(curve, peak=1.47, title="Loop", key_numbers="").svg
    assert frf_charts.bode_chart([curve], unit="", title="t", key_numbers="", format="png").startswith(b"\x89PNG")


@pytest.mark.parametrize("coherence", [True, False])
def test_the_title_of_a_bode_plot_lies_on_the_sheet_with_and_without_coherence(coherence: bool) -> None:
    """Its baseline is further from the upper edge than a line is high."""
    loop = _loop()
    curve = frf_charts.Curve(name="x", frequency_hz=loop.frequency_hz, response=loop.response, coherence=np.ones(loop.frequency_hz.size) if coherence else None)
    svg = frf_charts.bode_chart([curve], unit="", title="Response J", key_numbers="k").svg
    found = re.search(r'font-size: ([\d.]+)px[^>]* y="([-\d.]+)"[^>]*>Response J<', svg)
    assert found is not None
    assert float(found[2]) > float(found[1])


def test_too_many_curves_and_arrays_of_other_lengths_are_refused() -> None:
    curve = _loop()
    with pytest.raises(ValueError, match="1 to 3"):
        frf_charts.bode_chart([curve] * 4, unit="", title="t", key_numbers="")
    with pytest.raises(ValueError, match="expected for all arrays"):
        frf_charts.Curve(name="x", frequency_hz=curve.frequency_hz, response=curve.response[:-1])
    with pytest.raises(ValueError, match=r"\(m, k\)"):
        frf_charts.singular_values_chart(curve.frequency_hz, np.ones((3, 2)), None, unit="", title="t", key_numbers="")


def test_spectra_and_stability_are_drawn_with_lines_and_slopes() -> None:
    f = np.arange(2049) * 0.5
    psd = 1e-20 / (1 + f)
    density = spectrum_charts.Density(name="x", unit="m", frequency_hz=f, psd=psd, lower=0.8 * psd, upper=1.3 * psd, lines=[(50.0, 3e-9), (51.0, 1e-9)])
    drawn = spectrum_charts.density_chart(density, title="Noise", key_numbers="rms 1 nm")
    assert "50 Hz" in drawn.svg and "51 Hz" not in drawn.svg  # too close to the stronger one for a label of its own
    assert drawn.svg == spectrum_charts.density_chart(density, title="Noise", key_numbers="rms 1 nm").svg
    tau = 2.0 ** np.arange(8)
    curve = spectrum_charts.Stability(name="Allan deviation", unit="m", tau_s=tau, deviation=1e-9 / np.sqrt(tau), lower=np.full(8, np.nan), upper=np.full(8, np.nan), slopes=[("N", -0.5, 1e-9)])
    assert "Averaging time" in spectrum_charts.stability_chart([curve], title="Stability", key_numbers="").svg
    with pytest.raises(ValueError, match="nothing to draw"):
        spectrum_charts.criteria_chart(np.ones(3), np.full(3, np.nan), {}, title="t", key_numbers="")
    up = np.sqrt(np.cumsum(psd) * 0.5)
    assert "all above" in spectrum_charts.cumulative_chart("x", "m", f, up, up[::-1], title="t", key_numbers="").svg


def test_numbers_on_logarithmic_axes_are_plain() -> None:
    assert [plain_number(value) for value in (1e-6, 0.001, 0.05, 1.0, 20.0, 10_000.0, 1e6, 2e-5)] == ["10⁻⁶", "0.001", "0.05", "1", "20", "10000", "10⁶", "2·10⁻⁵"]


def test_thinning_keeps_the_peaks() -> None:
    x = np.arange(1, 200_001, dtype=float)
    y = np.ones(x.size)
    y[123_456] = 50.0
    fewer_x, fewer_y = thinned(x, y)
    assert fewer_x.size < 2100
    assert fewer_y.max() == 50.0 and fewer_x[fewer_y.argmax()] == x[123_456]
