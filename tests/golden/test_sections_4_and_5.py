"""Check values of sections 4.1 to 5.4 that stand beside a formula rather than in a table, by their section, and two more comparisons with
python-control.

4.4: P. D. Welch 1967, averages of overlapping segments; 4.7: SP 1065 (raw and corrected totals); 5.3: University of Tokyo's stage.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.drivers.lab.plants import nano_stage
from precision.kernels.spectrum import power_spectrum
from precision.standards import excitation, mimo_response, step_response, total_deviation, velocity_ripple
from precision.standards.allan_confidence import degrees_of_freedom


def rates() -> np.ndarray:
    """The thousand points of SP 1065."""
    values, n = [], 1234567890
    for _ in range(1000):
        values.append(n / 2147483647)
        n = 16807 * n % 2147483647
    return np.array(values)


def test_4_1_an_encoder_of_512_nm_at_10_mm_per_s_ripples_at_19531_hz() -> None:
    """f = v/L = 19 531.25 Hz; 2 nm of amplitude are 1.4142 nm rms and 245.44 µm/s. Sampled at 200 f, where the slope of three samples is that of
    the sine to 2e-4."""
    f = 10e-3 / 512e-9
    assert f == 19531.25
    rate = 200 * f
    t = np.arange(20_000) / rate
    ripple = 2e-9 * np.sin(2 * math.pi * f * t)
    found = velocity_ripple.evaluate(10e-3 * t + ripple, rate_hz=rate, set_velocity=10e-3, half_width=1)
    assert found["ripple_pp"] == pytest.approx(2 * 245.44e-6 / 10e-3, rel=3e-4)
    assert found.waves[0].period == pytest.approx(512e-9, rel=1e-3)
    assert found.waves[0].amplitude == pytest.approx(2e-9, rel=5e-3)
    assert np.sqrt(np.mean(found.residual**2)) == pytest.approx(1.4142e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("segments", "overlap", "share", "digit"), [(20_000, 0.5, 0.9474, 1e-4), (100, 0.5, 0.9479, 1e-4), (200, 0.75, 0.5209, 1e-4)]
)
def test_4_4_overlapping_hann_segments_count_for_the_printed_share(segments: int, overlap: float, share: float, digit: float) -> None:
    """K_eff/K: 1/(1 + 2/36) = 0.9474 at half overlap, 0.9479 for K = 100; 0.5209 at three quarters for K = 200 (0.5196 for very many). The
    sampled window has its correlation to 1/N²."""
    length = 256
    hop = round(length * (1 - overlap))
    found = power_spectrum(np.zeros(length + (segments - 1) * hop), rate_hz=1.0, segment=length, overlap=length - hop)
    assert found.averages == segments
    assert found.effective_averages / segments == pytest.approx(share, abs=digit)


@pytest.mark.parametrize(("m", "simple"), [(1, 665.8), (2, 569.9), (4, 346.0), (8, 182.0), (16, 91.3), (32, 44.8), (64, 21.4), (128, 9.72)])
def test_4_7_the_older_closed_form_of_the_degrees_of_freedom(m: int, simple: float) -> None:
    """[3(N − 1)/2m − 2(N − 2)/N]·4m²/(4m² + 5), N = 1001 phases, as printed; ours, exact, lie within 2 % of it."""
    n = 1001
    assert (3 * (n - 1) / (2 * m) - 2 * (n - 2) / n) * 4 * m**2 / (4 * m**2 + 5) == pytest.approx(
        simple, abs=0.6 * 10.0 ** -(1 if simple > 10 else 2)
    )
    assert degrees_of_freedom(0, phases=n, samples=m) == pytest.approx(simple, rel=0.02)


def test_4_7_raw_and_corrected_totals_of_the_thousand_points() -> None:
    """Raw, as Stable32 and allantools print them: the published ones are larger by 1/√0.73, those of the Hadamard total by 1/√0.995 (white rate
    noise)."""
    options = {"interval_s": 1.0, "data_type": "rate"}
    for m, mtot, ttot in ((1, 2.0664e-1, 1.1930e-1), (10, 5.5529e-2, 3.2060e-1), (100, 1.9547e-2, 1.1285)):
        assert total_deviation.modified_total_deviation(rates(), samples_averaged=m, **options) == pytest.approx(mtot, rel=3e-5)  # type: ignore[arg-type]
        assert total_deviation.time_total_deviation(rates(), samples_averaged=m, **options) == pytest.approx(ttot, rel=5e-5)  # type: ignore[arg-type]
    for m, published in ((10, 9.614787e-2), (100, 3.058103e-2)):
        assert total_deviation.hadamard_total_deviation(rates(), samples_averaged=m) / math.sqrt(0.995) == pytest.approx(published, rel=2e-6)


def test_5_3_the_nano_stage_has_the_printed_poles() -> None:
    """T13: −2.811625 ± 201.916023j, −1.846222, 0."""
    poles = sorted(nano_stage.NanoStage().plant.poles().tolist(), key=lambda pole: (round(pole.real, 3), pole.imag))
    assert [pole.real for pole in poles] == pytest.approx([-2.811625, -2.811625, -1.846222, 0.0], abs=5.1e-7)
    assert [pole.imag for pole in poles] == pytest.approx([-201.916023, 201.916023, 0.0, 0.0], abs=5.1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_5_4_steps_of_random_systems_agree_with_python_control(seed: int) -> None:
    """Overshoot, peak time, rise and settling of stable systems of second to fourth order; its step_info reads them off its grid, so to a step
    of that."""
    control = pytest.importorskip("control")
    rng = np.random.default_rng(seed)
    order = 2 + seed % 3
    omega, zeta = rng.uniform(0.8, 1.2), rng.uniform(0.2, 0.7)
    denominator = np.array([1.0, 2 * zeta * omega, omega**2])
    for _ in range(order - 2):
        denominator = np.polymul(denominator, [1.0, rng.uniform(3, 8)])
    system = control.tf([denominator[-1]], denominator)
    t = np.linspace(0, 60, 60_001)
    theirs = control.step_info(system, T=t)
    _, y = control.step_response(system, T=t)
    ours = step_response.evaluate(t, y, initial=0.0, target=1.0)
    step = t[1]
    assert 100 * (ours["overshoot"] or 0) == pytest.approx(theirs["Overshoot"], abs=1e-3)
    for key, name in (("t_peak", "PeakTime"), ("t_rise", "RiseTime"), ("t_s", "SettlingTime")):
        assert ours[key] == pytest.approx(theirs[name], abs=2.1 * step), key


@pytest.mark.parametrize("seed", range(4))
def test_5_1_singular_values_of_random_plants_agree_with_python_control(seed: int) -> None:
    """Two to three inputs and outputs, sampled; measured with orthogonal multisines without noise: what is left of the beginning is below 1e-9."""
    control = pytest.importorskip("control")
    rng = np.random.default_rng(100 + seed)
    inputs, outputs, order, period = 2 + seed % 2, 2 + (seed // 2) % 2, 4, 400
    a = rng.normal(size=(order, order))
    a *= 0.9 / np.abs(np.linalg.eigvals(a)).max()
    b, c = rng.normal(size=(order, inputs)), rng.normal(size=(outputs, order))
    one = excitation.multisine(np.arange(3, 180, 7), period=period, rate_hz=100.0, phases="random", seed=seed)
    us, ys = [], []
    for waves in excitation.orthogonal(one, inputs):
        u = np.tile(waves, (1, 4))
        x, y = np.zeros(order), np.empty((outputs, u.shape[1]))
        for k in range(u.shape[1]):
            y[:, k] = c @ x
            x = a @ x + b @ u[:, k]
        us.append(u)
        ys.append(y)
    found = mimo_response.from_experiments(us, ys, rate_hz=100.0, period=period, drop=2, lines=one.lines)
    system = control.ss(a, b, c, np.zeros((outputs, inputs)), 0.01)
    theirs = np.asarray(control.singular_values_response(system, 2 * math.pi * found.frequency_hz).magnitude)
    theirs = theirs.reshape(-1, found.frequency_hz.size).T
    np.testing.assert_allclose(found.singular_values, theirs[:, : found.singular_values.shape[1]], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.condition, 1.0, rtol=1e-9)
