"""Allan deviations with their intervals: NIST SP 1065 (W. J. Riley, 2008), §12, and Stable32 1.60; allantools as an independent peer.

The 1000-point set: n₀ = 1234567890, n_{i+1} = 16807 n_i mod 2147483647, y = n/2147483647. Its phases less the mean rate are Stable32's PHASE.DAT.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import drift, time_interval_error, total_deviation
from precision.standards.allan_confidence import degrees_of_freedom, interval, noise_type

STABLE32 = {  # m: lower, deviation, upper at 68.3 %, edf
    1: (0.28515, 0.29223, 0.29987, 782.03),
    2: (0.19520, 0.20102, 0.20738, 540.68),
    4: (0.13931, 0.14479, 0.15098, 306.09),
    8: (0.10038, 0.10570, 0.11198, 165.99),
    16: (0.057696, 0.061915, 0.067217, 86.37),
    32: (0.043654, 0.048082, 0.054202, 43.35),
    64: (0.031755, 0.036237, 0.043377, 21.24),
    128: (0.023045, 0.027674, 0.037027, 9.551),
}


def rates() -> np.ndarray:
    n, out = 1234567890, []
    for _ in range(1000):
        out.append(n / 2147483647)
        n = 16807 * n % 2147483647
    return np.array(out)


@pytest.mark.parametrize("m", STABLE32)
def test_intervals_of_the_thousand_points_are_those_of_stable32(m: int) -> None:
    """Stable32 takes Greenhall and Riley's filtered phases up to m = 32, and their limit of sampled phases (to 1 %) from m = 64 on."""
    low, deviation, high, edf = STABLE32[m]
    found = degrees_of_freedom(0, phases=1001, samples=m, filtered=m <= 32)
    assert found is not None
    assert found == pytest.approx(edf, rel=5e-4 if m > 32 else 3.5e-5)  # the limit against the exact sum; the digits printed
    curve = drift.evaluate(rates(), rate_hz=1.0, data_type="rate", unit="", averages=(m,)).curves["oadev"]
    assert curve.deviation[0] == pytest.approx(deviation, rel=1e-4)
    assert interval(float(curve.deviation[0]), found, 0.683) == pytest.approx((low, high), rel=1e-3)


@pytest.mark.parametrize(("m", "simple"), [(1, 665.8), (2, 569.9), (4, 346.0), (8, 182.0), (16, 91.3)])
def test_sampled_phases_have_the_degrees_of_freedom_of_the_older_closed_form(m: int, simple: float) -> None:
    """White rate noise: [3(N − 1)/2m − 2(N − 2)/N]·4m²/(4m² + 5), N = 1001, an approximation to 0.3 %."""
    found = degrees_of_freedom(0, phases=1001, samples=m)
    assert found == pytest.approx(simple, rel=3e-3)


def test_degrees_of_freedom_of_white_noise_are_those_of_its_differences() -> None:
    """Exactly: the second difference of a random walk over m has the autocovariance 2m − 3j up to m, then j − 2m; edf = M C₀²/(C₀² + 2Σ(1 − j/M)C_j²)."""
    n = 1001
    for m in (1, 7, 64, 128):
        terms = n - 2 * m
        j = np.arange(min(terms, 2 * m))
        c = np.where(j <= m, 2 * m - 3 * j, j - 2 * m).astype(float)
        exact = terms * c[0] ** 2 / (c[0] ** 2 + 2 * np.sum(((1 - j / terms) * c**2)[1:]))
        assert degrees_of_freedom(0, phases=n, samples=m) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("alpha", [2, 1, 0, -1, -2, -3, -4])
@pytest.mark.parametrize("m", [1, 4, 16])
def test_degrees_of_freedom_agree_with_allantools(alpha: int, m: int) -> None:
    allantools = pytest.importorskip("allantools")
    order = 3 if alpha < -2 else 2
    expected = allantools.edf_greenhall(alpha=alpha, d=order, m=m, N=1001, overlapping=True, modified=False)
    assert degrees_of_freedom(alpha, phases=1001, samples=m, order=order, filtered=True) == pytest.approx(expected, rel=1e-8)
    if m > 1:
        expected = allantools.edf_greenhall(alpha=alpha, d=order, m=m, N=1001, overlapping=True, modified=True)
        assert degrees_of_freedom(alpha, phases=1001, samples=m, order=order, modified=True) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_deviations_and_kinds_of_noise_agree_with_allantools(seed: int) -> None:
    allantools = pytest.importorskip("allantools")
    rng = np.random.default_rng(seed)
    white = rng.normal(size=4000)
    x = [white, np.cumsum(white), np.diff(white, append=0.0), np.cumsum(np.cumsum(white))][seed]
    found = drift.evaluate(x, rate_hz=2.0, data_type="rate", kinds=("oadev", "mdev", "tdev", "ohdev", "adev", "hdev"), averages=(1, 3, 10, 50))
    for kind, curve in found.curves.items():
        taus, deviation, *_ = getattr(allantools, kind)(x, rate=2.0, data_type="freq", taus=curve.tau_s)
        np.testing.assert_allclose(taus, curve.tau_s)
        # summed phases of the last record reach 10⁹, of which 2⁻⁵³ is 1e-7, beside differences of 36
        np.testing.assert_allclose(curve.deviation, deviation, rtol=1e-8)
    for m in (1, 3, 10):
        assert noise_type(x, m, data_type="rate") == max(-4, allantools.autocorr_noise_id(x, m, data_type="freq")[0])
        assert noise_type(x, m, data_type="phase") == min(2, allantools.autocorr_noise_id(x, m, data_type="phase")[0])


def test_the_choice_between_rate_and_phase_changes_the_curve_and_is_stated() -> None:
    """4.6: 2 nm of white noise: as rates 2.00, 0.63, 0.20 nm for m = 1, 10, 100; as phases TDEV the same. Drift 0.01/s, τ = 100 s: 0.707107, Hadamard 0."""
    x = 2e-9 * np.random.default_rng(3).normal(size=200_000)
    rate = drift.evaluate(x, rate_hz=1.0, data_type="rate", averages=(1, 10, 100))
    phase = drift.evaluate(x, rate_hz=1.0, data_type="phase", kinds=("tdev",), averages=(1, 10, 100))
    # 2000 independent averages at m = 100, overlapped: 2 %, of which three
    np.testing.assert_allclose(rate.curves["oadev"].deviation * 1e9, (2.0, 0.632, 0.2), rtol=0.06)
    np.testing.assert_allclose(phase.curves["tdev"].deviation * 1e9, (2.0, 0.632, 0.2), rtol=0.06)
    assert rate.curves["oadev"].alpha == (0, 0, 0) and phase.curves["tdev"].alpha == (2, 2, 2)
    assert "taken as rates" in rate.stated[0] and "taken as phases" in phase.stated[0]
    assert (rate.curves["oadev"].unit, phase.curves["tdev"].unit) == ("m", "m")
    ramp = drift.evaluate(0.01 * np.arange(1000.0), rate_hz=1.0, data_type="rate", kinds=("oadev", "ohdev"), averages=(100,))
    assert ramp.curves["oadev"].deviation[0] == pytest.approx(0.707107, abs=5e-7)
    assert ramp.curves["ohdev"].deviation[0] == pytest.approx(0.0, abs=1e-12)
    assert ramp["drift_rate"] == pytest.approx(0.01, rel=1e-12)
    with pytest.raises(DataError, match="data_type"):
        drift.evaluate(x, rate_hz=1.0, data_type="position")  # type: ignore[arg-type]


def test_intervals_hold_the_true_deviation_as_often_as_they_say() -> None:
    inside = []
    for seed in range(120):
        curve = drift.evaluate(np.random.default_rng(seed).normal(size=2000), rate_hz=1.0, data_type="rate").curves["oadev"]
        true = 1 / np.sqrt(curve.tau_s)
        inside.append((curve.lower <= true) & (true <= curve.upper))
    # 120 records of ten times that go together, and the noise is taken for another in one of twenty: 95 % to 4 %
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)


def test_noise_coefficients_come_back_with_an_honest_uncertainty() -> None:
    """White noise N = 1 nm·√s, drift D = 2 pm/s, random walk K of averaged steps."""
    misses = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        t = np.arange(4000.0)
        for key, true, x in (
            ("N", 1e-9, 1e-9 * rng.normal(size=t.size)),
            ("D", 2e-12, 1e-9 * rng.normal(size=t.size) + 2e-12 * t),
            ("K", 1e-9, 1e-9 * np.cumsum(rng.normal(size=16 * t.size)).reshape(-1, 16).mean(axis=1) / 4),
        ):
            figure = drift.evaluate(x, rate_hz=1.0, data_type="rate").figures[key]
            assert figure.value is not None and figure.uncertainty is not None, figure
            misses.append(abs(figure.value - true) <= figure.uncertainty)
    assert np.mean(misses) >= 0.85  # 95 % of 90 is 86 ± 2; a few coefficients share their part with a neighbour


def test_what_is_not_seen_is_not_given_a_number() -> None:
    found = drift.evaluate(np.random.default_rng(1).normal(size=4000), rate_hz=1.0, data_type="rate")
    assert found["N"] == pytest.approx(1.0, rel=0.05)
    assert found["D"] is None and "not seen" in (found.figures["D"].reason or "")
    phase = drift.evaluate(np.random.default_rng(1).normal(size=4000), rate_hz=1.0, data_type="phase")
    assert phase["N"] is None and "phase noise" in (phase.figures["N"].reason or "")


def test_a_sine_reads_its_closed_form_and_short_records_are_refused() -> None:
    """A sin²(πfτ)/(πfτ) of rates that are means over the interval: here of A sin(πfτ₀)/(πfτ₀)."""
    f, m = 0.0317, 10
    t = np.arange(100_000.0)
    averaged = np.sinc(f) * np.sin(2 * math.pi * f * t)
    found = drift.evaluate(averaged, rate_hz=1.0, data_type="rate", averages=(m,))
    assert found.curves["oadev"].deviation[0] == pytest.approx(math.sin(math.pi * f * m) ** 2 / (math.pi * f * m), rel=1e-3)
    with pytest.raises(DataError, match="16"):
        drift.evaluate(np.arange(10.0), rate_hz=1.0, data_type="rate")
    with pytest.raises(DataError, match="never changes"):
        drift.evaluate(np.ones(100), rate_hz=1.0, data_type="rate")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("total_deviation", (2.922319e-1, 9.134743e-2, 3.406530e-2)),
        ("modified_total_deviation", (2.418528e-1, 6.499161e-2, 2.287774e-2)),
        ("time_total_deviation", (1.396338e-1, 3.752293e-1, 1.320847e0)),
        ("parabolic_deviation", (2.9223188e-1, None, None)),
    ],
)
def test_total_deviations_of_the_thousand_points(name: str, expected: tuple[float | None, ...]) -> None:
    """4.7: SP 1065, tables 31 and 32. The modified ones are printed with the bias of white rate noise taken off: the variance over 0.73."""
    scale = 1 / math.sqrt(0.73) if "modified" in name or "time" in name else 1.0
    for m, value in zip((1, 10, 100), expected, strict=True):
        if value is not None:
            found = getattr(total_deviation, name)(rates(), interval_s=1.0, samples_averaged=m, data_type="rate")
            assert scale * found == pytest.approx(value, rel=5e-7 / min(9.9, value / 10 ** math.floor(math.log10(value))))


def test_hadamard_total_parabolic_and_theo1_of_the_thousand_points() -> None:
    """4.7: raw HTOTDEV, PDEV (SigmaTheta), Thêo1 (raw)."""
    for m, value in ((1, 2.943883e-1), (10, 9.590720e-2), (100, 3.050448e-2)):
        assert total_deviation.hadamard_total_deviation(rates(), samples_averaged=m) == pytest.approx(value, rel=2e-7)
    for m, value in ((1, 0.29223188), (2, 0.21445234), (4, 0.15618112), (8, 0.11709746), (16, 0.06902959), (32, 0.04974971)):
        assert total_deviation.parabolic_deviation(rates(), interval_s=1.0, samples_averaged=m, data_type="rate") == pytest.approx(value, abs=6e-9)
    for m, value in ((10, 1.0757e-1), (100, 3.1789e-2), (1000, 5.0524e-3)):
        tau, found = total_deviation.theo1(rates(), interval_s=1.0, samples_apart=m, data_type="rate")
        assert tau == 0.75 * m
        assert found == pytest.approx(value, rel=5e-5)
    with pytest.raises(DataError, match="even"):
        total_deviation.theo1(rates(), interval_s=1.0, samples_apart=11, data_type="rate")
    with pytest.raises(DataError, match="for this record"):
        total_deviation.total_deviation(rates(), interval_s=1.0, samples_averaged=2000, data_type="rate")


def test_time_interval_errors_of_the_thousand_points() -> None:
    """4.7: TIE rms and MTIE, of the sum of the rates less their mean (allantools)."""
    phase = np.concatenate([[0.0], np.cumsum(rates() - rates().mean())])
    for m, rms, most in ((1, 0.28832210, 0.50597083), (10, 0.87588296, 2.6988151), (100, 2.7484417, 6.7509086)):
        assert time_interval_error.rms(phase, samples_apart=m) == pytest.approx(rms, rel=2e-8)
        assert time_interval_error.largest(phase, samples_apart=m) == pytest.approx(most, rel=2e-8)
    allantools = pytest.importorskip("allantools")
    for m in (3, 7, 31):
        assert time_interval_error.largest(phase, samples_apart=m) == pytest.approx(allantools.mtie(phase, rate=1.0, data_type="phase", taus=[m])[1][0], rel=1e-12)


def test_a_line_in_the_record_is_no_noise_and_gives_no_coefficients() -> None:
    time = np.arange(20_000) / 1000.0
    noise = np.random.default_rng(4).normal(scale=0.5e-9, size=time.size)
    clean, moved = (drift.evaluate(x, rate_hz=1000.0, data_type="rate", kinds=("oadev",)) for x in (noise, noise + 0.4e-9 * np.sin(4 * np.pi * time)))
    assert clean["N"] == pytest.approx(0.5e-9 / math.sqrt(1000.0), rel=0.05)
    assert moved["N"] is None
    assert "no sum of these noises" in str(moved.figures["N"].reason)
