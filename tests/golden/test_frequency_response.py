"""Frequency responses against a real motor bench and closed forms.

Real data: WataruOhnishi/FdiTools_Python, MultisineTypeA.mat: a two-inertia bench, Schroeder multisine 11 … 250 Hz, 2500 Hz, 20 periods of 2500 samples; the values
were computed independently and agree with that toolbox to seven digits. Formulas: J. S. Bendat and A. G. Piersol; R. Pintelon and J. Schoukens.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from precision.drivers.lab.plants import disk_drive, eighth_order, nano_stage
from precision.drivers.lab.plants.linear_plant import Noise
from precision.errors import DataError
from precision.standards import (
    closed_loop,
    excitation,
    frequency_response,
    margins,
    mimo_response,
    modal_fit,
    nonlinear_distortion,
    sampling,
    transfer_function_fit,
)

MAT = Path(__file__).resolve().parents[3] / "shared" / "data" / "frf" / "MultisineTypeA.mat"
TABLE = {  # Hz: motor |G|, phase in degrees, coherence; load |G|
    11: (2.242463e-2, -169.486, 0.999961, 2.336594e-2),
    20: (6.183439e-3, -175.653, 0.999961, 7.153317e-3),
    100: (8.826809e-4, 176.566, 0.999622, 3.625249e-4),
}


@pytest.fixture(scope="module")
def bench() -> dict[str, frequency_response.Response]:
    if not MAT.exists():
        pytest.skip(f"{MAT.name} is not beside the repository (../shared/data/frf)")
    from scipy.io import loadmat

    data = loadmat(MAT)
    return {
        name: frequency_response.from_periods(
            data["iq_adx"].ravel(), data[column].ravel(), rate_hz=2500.0, period=2500, lines=np.arange(11, 251), input_unit="A", output_unit="rad"
        )
        for name, column in (("motor", "theta_mx"), ("load", "theta_my"))
    }


@pytest.mark.parametrize("hz", TABLE)
def test_the_motor_bench_gives_the_table_to_the_printed_digits(bench: dict[str, frequency_response.Response], hz: int) -> None:
    """5.2."""
    magnitude, phase, coherence, load = TABLE[hz]
    k = hz - 11
    motor = bench["motor"]
    assert motor.frequency_hz[k] == pytest.approx(hz, abs=1e-9)
    assert abs(motor.response[k]) == pytest.approx(magnitude, rel=5e-7 / (magnitude / 10 ** math.floor(math.log10(magnitude))))
    assert math.degrees(np.angle(motor.response[k])) == pytest.approx(phase, abs=5.1e-4)
    assert motor.coherence[k] == pytest.approx(coherence, abs=5.1e-7)
    assert abs(bench["load"].response[k]) == pytest.approx(load, rel=5e-7 / (load / 10 ** math.floor(math.log10(load))))


def test_coherence_and_scatter_of_the_motor_bench(bench: dict[str, frequency_response.Response]) -> None:
    """5.2: coherence min 0.97011, median 0.9992989 (motor), 0.28973, 0.9943896 (load); median relative standard deviation 6.24e-3, 1.77e-2."""
    motor, load = bench["motor"], bench["load"]
    assert (motor["coherence_min"], motor["coherence_median"]) == pytest.approx((0.97011, 0.9992989), abs=5e-6)
    assert (load["coherence_min"], load["coherence_median"]) == pytest.approx((0.28973, 0.9943896), abs=5e-6)
    assert np.median(motor.sd / np.abs(motor.response)) == pytest.approx(6.24e-3, abs=5e-6)
    assert np.median(load.sd / np.abs(load.response)) == pytest.approx(1.77e-2, abs=5e-5)
    assert motor.averages == 19
    assert any("coherence is below 0.8" in flag for flag in load.flags) and not any("coherence is below" in flag for flag in motor.flags)


def test_anti_resonance_and_resonance_of_the_motor_bench(bench: dict[str, frequency_response.Response]) -> None:
    """5.2: anti-resonance of the motor at 53 Hz, resonance at 77 Hz at both outputs; the modal fit has it between the lines."""
    motor = modal_fit.extremes(bench["motor"].frequency_hz, bench["motor"].response, prominence_db=6.0)
    assert [(one.kind, round(one.line_hz)) for one in motor[:2]] == [("anti-resonance", 53), ("resonance", 77)]
    load = modal_fit.extremes(bench["load"].frequency_hz, bench["load"].response, prominence_db=6.0)
    assert round(next(one.line_hz for one in load if one.kind == "resonance")) == 77
    fitted = modal_fit.fit(bench["motor"], modes=[77.0], band_hz=(30, 120))
    assert fitted["f_1"] == pytest.approx(77.0, abs=1.0)  # the lines are 1 Hz apart; 77 is the largest, next to the mode
    assert fitted["zeta_1"] is not None and 0.005 < fitted["zeta_1"] < 0.1


def test_noise_on_the_input_biases_h1_down_and_h2_not() -> None:
    """5.1: factor 1/(1 + 1/SNR), SNR 10: 0.909091; 800 averages of 100 lines."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=200_000)
    y = 3.0 * u
    seen = u + rng.normal(size=u.size) / math.sqrt(10)
    found = {name: frequency_response.from_signals(seen, y, rate_hz=1000.0, segment=500, estimator=name).response.real.mean() for name in ("H1", "H2", "Hv")}
    # one line of 760 averages: √((1 − γ²)/(2·760·γ²)) = 0.8 %, mean of 250 of which every other is independent: 0.1 %
    assert found["H1"] == pytest.approx(3 * 0.909091, rel=2e-3)
    assert found["H2"] == pytest.approx(3.0, rel=2e-3)
    assert found["Hv"] == pytest.approx(3 * math.sqrt(0.909091), rel=2e-3)


def test_coherence_of_nothing_is_one_over_the_averages() -> None:
    """5.1: 16 averages: 0.0625 (0.0614 by Monte Carlo, of which the bias of overlapping is none here)."""
    rng = np.random.default_rng(1)
    found = [
        frequency_response.from_signals(rng.normal(size=16 * 64), rng.normal(size=16 * 64), rate_hz=1.0, segment=64, overlap=0, window="rectangular").coherence.mean()
        for _ in range(200)
    ]
    # the standard deviation of one line is 1/16; of 200·31 lines 0.0008
    assert np.mean(found) == pytest.approx(0.0625, abs=0.0025)


def test_the_random_error_of_the_magnitude_is_what_its_scatter_is() -> None:
    """5.1: √((1 − γ²)/(2 n_d γ²)) with γ² = 0.9, n_d = 16: 0.058926."""
    rng = np.random.default_rng(2)
    magnitudes, claimed = [], []
    for _ in range(150):
        u = rng.normal(size=16 * 64)
        y = 2.0 * u + 2.0 / 3.0 * rng.normal(size=u.size)  # γ² = 4/(4 + 4/9) = 0.9
        found = frequency_response.from_signals(u, y, rate_hz=1.0, segment=64, overlap=0, window="rectangular")
        magnitudes.append(np.abs(found.response))
        claimed.append(np.median(found.component_u / np.abs(found.response)))
    assert math.sqrt((1 - 0.9) / (2 * 16 * 0.9)) == pytest.approx(0.058926, abs=5e-7)
    # 150·31 magnitudes: their standard deviation is known to 1 %; 1/S_uu of 16 averages adds 3 %
    assert np.std(magnitudes) / 2.0 == pytest.approx(0.058926, rel=0.08)
    assert np.mean(claimed) == pytest.approx(0.058926, rel=0.08)


def test_one_average_is_refused_with_the_reason() -> None:
    x = np.random.default_rng(0).normal(size=1000)
    with pytest.raises(DataError, match="one average"):
        frequency_response.from_signals(x, x, rate_hz=1.0, segment=1000)
    with pytest.raises(DataError, match="one average"):
        frequency_response.from_periods(x, x, rate_hz=1.0, period=500, drop=1)
    with pytest.raises(DataError, match="one average"):
        frequency_response.from_steps([(0.1, x[:35], x[:35])], rate_hz=1.0)


def test_direct_estimate_in_a_loop_is_biased_and_the_indirect_is_not() -> None:
    """5.1: direct → (P S_w − C* S_v)/(S_w + |C|² S_v); indirect P. A discrete loop, so that P and C are known at each line."""
    rng = np.random.default_rng(3)
    n, c = 400_000, 0.6
    w, v = rng.normal(size=n), 3.0 * rng.normal(size=n)
    u, y, x = np.empty(n), np.empty(n), 0.0
    for k in range(n):  # P = 0.5 z⁻¹/(1 − 0.8 z⁻¹)
        y[k] = x + v[k]
        u[k] = w[k] - c * y[k]
        x = 0.8 * x + 0.5 * u[k]
    found = closed_loop.indirect(w, u, y, rate_hz=1.0, segment=1000, band_hz=(0.02, 0.45))
    z = np.exp(2j * math.pi * found.plant.frequency_hz)
    p = 0.5 / (z - 0.8)
    biased = (p - c * 9.0) / (1 + c**2 * 9.0)
    for name, response, truth in (("plant", found.plant, p), ("direct", found.direct, biased), ("sensitivity", found.sensitivity, 1 / (1 + c * p)), ("loop", found.loop, c * p)):
        off = np.abs(response.response - truth)
        # E|δ|² = sd²: the mean square over 430 lines, of which every other is independent, is known to 7 %
        assert np.sqrt(np.mean(off**2 / response.sd**2)) == pytest.approx(1.0, rel=0.25), name
    assert np.mean(np.abs(found.direct.response - p)) > 5 * np.mean(np.abs(found.plant.response - p))
    assert any("−1/C" in flag for flag in found.direct.flags)


def test_crest_factors_of_multisines() -> None:
    """5.1: 100 flat lines: Schroeder 1.676, random phases about 3.24."""
    schroeder = excitation.multisine(np.arange(1, 101), period=4096, rate_hz=1000.0)
    assert schroeder.crest_factor == pytest.approx(1.676, abs=5e-4)
    random = [excitation.multisine(np.arange(1, 101), period=4096, rate_hz=1000.0, phases="random", seed=seed).crest_factor for seed in range(60)]
    assert np.mean(random) == pytest.approx(3.24, abs=0.12)  # scatter 0.25, of 60
    assert schroeder.peak == pytest.approx(1.0, rel=1e-12)
    spectrum = np.abs(np.fft.rfft(schroeder.values))
    assert np.ptp(spectrum[1:101]) < 1e-9 * spectrum.max() and spectrum[101:].max() < 1e-9 * spectrum.max()


def test_every_excitation_finds_the_nano_stage() -> None:
    """5.3: the stage in its loop, noise 1 nm: each of the signals gives the sampled plant within its own uncertainty."""
    stage = nano_stage.NanoStage().bench(loop_gain=3e3, noise=Noise(output=1e-9), seed=4)
    rate, period = 10_000.0, 5000
    signals = {
        "schroeder": excitation.multisine(np.arange(1, 60), period=period, rate_hz=rate, peak=5.0),
        "random": excitation.multisine(np.arange(1, 60), period=period, rate_hz=rate, peak=5.0, phases="random", seed=1),
        "chirp": excitation.chirp(2.0, 110.0, period=period, rate_hz=rate, peak=5.0),
        "prbs": excitation.prbs(10, rate_hz=rate, peak=5.0, hold=8),
    }
    for name, signal in signals.items():
        lines = signal.lines[(signal.frequencies_hz >= 4) & (signal.frequencies_hz <= 100)]
        # 14 periods of 0.5 s to settle: the slow pole of the loop is at −2.8 rad/s, e^−20
        trace = stage.run(signal.repeated(14 + 6))
        found = frequency_response.from_periods(trace.input, trace.output, rate_hz=rate, period=signal.period, drop=14, lines=lines)
        truth = stage.plant_response(found.frequency_hz)
        off = np.abs(found.response - truth) / np.abs(truth)
        assert np.median(off) < 2e-3, name
        # beside the noise what is left of the beginning, e^−20 of it
        assert np.mean(np.abs(found.response - truth) <= 2.5 * found.sd + 1e-6 * np.abs(truth)) > 0.85, name


def test_a_stepped_sine_finds_the_same_response() -> None:
    """0.1/(1 − 0.9 z⁻¹), time constant 9.5 samples, noise 1e-3; the dwells are no whole numbers of periods."""
    from scipy.signal import lfilter

    signal, steps = excitation.stepped_sine([5.0, 12.5, 20.0, 32.0, 60.0, 333.3], rate_hz=1000.0, peak=2.0, periods=20, shortest_s=1.0)
    y = np.asarray(lfilter([0.1], [1, -0.9], signal.values)) + 1e-3 * np.random.default_rng(0).normal(size=signal.period)
    dwells = [(one.frequency_hz, signal.values[one.start : one.stop], y[one.start : one.stop] + 5.0) for one in steps]
    found = frequency_response.from_steps(dwells, rate_hz=1000.0, settle_s=0.2)
    truth = 0.1 / (1 - 0.9 * np.exp(-2j * math.pi * found.frequency_hz / 1000))
    assert np.all(np.abs(found.response - truth) <= 3 * found.sd)
    assert np.all(found.sd < 2e-3 * np.abs(truth) + 1e-4)


def test_margins_of_a_loop_that_was_measured_closed() -> None:
    """The eighth-order plant under its published PID, excited at its input: crossing 1.61 Hz, PM 62.8°, as the sampled loop has them, within U."""
    bench = eighth_order.bench(noise=Noise(output=1e-6), seed=6)
    signal = excitation.multisine(np.unique(np.round(np.geomspace(1, 320, 120)).astype(int)), period=20_000, rate_hz=4000.0, peak=10.0)
    trace = bench.run(signal.repeated(7))
    found = closed_loop.indirect(trace.excitation, trace.input, trace.output, rate_hz=4000.0, period=20_000, drop=3, lines=signal.lines)
    measured = margins.of_response(found.loop)
    f = np.logspace(-0.5, 1.8, 2001)
    truth = margins.evaluate(f, bench.loop_response(f))
    for key in ("f_PM", "PM", "MM", "Ms", "f_GM", "GM_up"):
        value, u, true = measured[key], measured.figures[key].uncertainty, truth[key]
        assert value is not None and u is not None and true is not None, key
        assert abs(value - true) <= 1.5 * u + 2e-3 * abs(true), (key, value, u, true)  # and between two lines of 120 the interpolation's share
    assert truth["f_PM"] == pytest.approx(1.6095, rel=2e-3)  # the sampled loop beside the continuous one
    with pytest.raises(DataError, match="no unit"):
        margins.of_response(found.plant)


def test_two_inputs_of_the_disk_drive_are_told_apart() -> None:
    """6.4: voice coil and piezo excited by orthogonal multisines in two experiments, and by noise in one."""
    drive = disk_drive.DiskDrive(noise=1e-6, seed=2)
    base = excitation.multisine(np.arange(8, 400, 8), period=2000, rate_hz=disk_drive.RATE_HZ, peak=0.05, phases="random", seed=3)
    experiments = excitation.orthogonal(base, 2)
    inputs, outputs = [], []
    for one in experiments:
        trace = drive.run(np.tile(one, (1, 6)))
        inputs.append(trace.input)
        outputs.append(trace.output[None])
    found = mimo_response.from_experiments(inputs, outputs, rate_hz=disk_drive.RATE_HZ, period=2000, drop=3, lines=base.lines)
    truth = drive.plant.held(1 / disk_drive.RATE_HZ).response(found.frequency_hz)
    assert found.response.shape == truth.shape == (49, 1, 2)
    off = np.abs(found.response - truth) / np.abs(truth)
    assert off.max() < 0.01
    assert np.mean(np.abs(found.response - truth) <= 3 * found.sd + 1e-4 * np.abs(truth)) > 0.9
    assert found["condition_max"] is not None and found["condition_max"] < 60
    rng = np.random.default_rng(0)
    trace = drive.run(0.02 * rng.normal(size=(2, 40_000)))
    noisy = mimo_response.from_signals(trace.input, trace.output[None], rate_hz=disk_drive.RATE_HZ, segment=2000, band_hz=(1000, 20_000))
    truth = drive.plant.held(1 / disk_drive.RATE_HZ).response(noisy.frequency_hz)
    assert np.median(np.abs(noisy.response - truth) / np.abs(truth)) < 0.1
    assert np.all(noisy.multiple_coherence <= 1) and np.median(noisy.multiple_coherence) > 0.95
    assert np.all((noisy.partial_coherence >= 0) & (noisy.partial_coherence <= 1))


def test_inputs_that_go_together_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(2, 1, 4000))
    same = np.concatenate([x, 2 * x], axis=1)
    with pytest.raises(DataError, match="one cannot be told from the other"):
        mimo_response.from_signals(same[0], x[0], rate_hz=1.0, segment=200)
    with pytest.raises(DataError, match="1 experiments for 2 inputs"):
        mimo_response.from_experiments(same[:1], x[:1], rate_hz=1.0, period=400)


@pytest.mark.parametrize(("even", "odd"), [(0.02, 0.0), (0.0, 0.02), (0.0, 0.0)])
def test_even_and_odd_distortion_are_told_apart(even: float, odd: float) -> None:
    """y = u + e u² + o u³ through a first-order lag, noise 1e-4."""
    lines = excitation.odd_odd_lines(1.0, 60.0, period=2000, rate_hz=1000.0)
    assert np.all(lines % 4 == 1)
    signal = excitation.multisine(lines, period=2000, rate_hz=1000.0, phases="random", seed=1)
    u = signal.repeated(9)
    x = u + even * u**2 + odd * u**3
    from scipy.signal import lfilter

    y = np.asarray(lfilter([0.1], [1, -0.9], x)) + 1e-4 * np.random.default_rng(0).normal(size=x.size)
    found = nonlinear_distortion.evaluate(u, y, rate_hz=1000.0, period=2000, lines=lines)
    assert (found["even"] is not None) == (even > 0)
    assert (found["odd"] is not None) == (odd > 0)
    for key in ("even", "odd"):
        if found[key] is None:
            assert "not seen above the noise" in (found.figures[key].reason or "")
    with pytest.raises(DataError, match="is even"):
        nonlinear_distortion.evaluate(u, y, rate_hz=1000.0, period=2000, lines=[3, 4, 5])
    with pytest.raises(DataError, match="every odd line"):
        nonlinear_distortion.evaluate(u, y, rate_hz=1000.0, period=2000, lines=lines[:1])


def _noisy(f: np.ndarray, g: np.ndarray, relative: float, seed: int) -> frequency_response.Response:
    rng = np.random.default_rng(seed)
    sd = relative * math.sqrt(2) * np.abs(g)
    noisy = g + relative * np.abs(g) * (rng.normal(size=f.size) + 1j * rng.normal(size=f.size))
    return frequency_response.respond(
        f, noisy, sd, np.full(f.size, 0.99), averages=16, effective=16.0, units=("N", "m"), rate_hz=None, estimator="test", how="made up", flags=[]
    )


def test_modes_come_back_within_their_uncertainty() -> None:
    f = np.linspace(5, 120, 400)
    w = 2 * math.pi * f
    true = ((20.0, 0.02, 3.0), (55.0, 0.01, -1.5), (90.0, 0.03, 2.0))
    g = -2.0 / w**2 + 1e-7 + sum(r / ((2 * math.pi * fn) ** 2 - w**2 + 2j * z * 2 * math.pi * fn * w) for fn, z, r in true)
    inside = []
    for seed in range(12):
        found = modal_fit.fit(_noisy(f, g, 0.01, seed), modes=[20, 55, 90])
        for number, values in enumerate(true, start=1):
            for key, value in zip(("f", "zeta", "r"), values, strict=True):
                figure = found.figures[f"{key}_{number}"]
                assert figure.value is not None and figure.uncertainty is not None
                inside.append(abs(figure.value - value) <= figure.uncertainty)
        assert found["misfit"] == pytest.approx(1.0, rel=0.15)  # 790 degrees of freedom: 2.5 %, the noise's own level is known
        assert found.mass_term == pytest.approx(2.0, rel=0.05)
    assert np.mean(inside) > 0.88  # 95 % of 108, in groups


def test_single_modes_by_half_power_and_by_the_circle() -> None:
    """ζ = 0.02 at 40 Hz with lines 0.05 Hz apart: half power to ζ² and the parabola between lines, the circle to ζ² for viscous damping."""
    f = np.arange(30, 50, 0.05)
    r = f / 40.0
    g = 1 / (1 - r**2 + 2j * 0.02 * r)
    frequency, zeta = modal_fit.half_power(f, g, near_hz=41.0)
    assert frequency == pytest.approx(40.0 * math.sqrt(1 - 2 * 0.02**2), rel=1e-4)
    assert zeta == pytest.approx(0.02, rel=5e-3)
    frequency, zeta, diameter = modal_fit.circle(f, g, band_hz=(38.5, 41.5))
    assert frequency == pytest.approx(40.0, rel=5e-4)
    assert zeta == pytest.approx(0.02, rel=0.01)
    assert diameter == pytest.approx(25.0, rel=0.02)  # 1/(2ζ)
    with pytest.raises(DataError, match="does not fall"):
        modal_fit.half_power(f[190:], g[190:], near_hz=40.0)


@pytest.mark.parametrize("relative", [0.0, 0.01])
def test_a_transfer_function_comes_back_from_its_response(relative: float) -> None:
    """The nano stage, with an integrator and a delay of 0.3 ms."""
    stage = nano_stage.NanoStage()
    f = np.geomspace(1, 200, 300)
    s = 2j * math.pi * f
    g = np.polyval(stage.numerator, s) / np.polyval(stage.denominator, s) * np.exp(-s * 3e-4)
    response = _noisy(f, g, relative or 1e-9, 1)
    found = transfer_function_fit.fit(response, zeros=2, poles=3, integrators=1, delay=True)
    tolerance = 1e-5 if not relative else 0.02
    assert found["delay"] == pytest.approx(3e-4, rel=tolerance * 3)
    pair = next(one for one in found.poles if one.damping is not None)
    assert pair.frequency_hz == pytest.approx(32.13905, rel=tolerance)
    assert pair.damping == pytest.approx(0.013923, rel=tolerance * 5)
    np.testing.assert_allclose(found.at(f), g, rtol=max(1e-5, 3 * relative))
    if relative:
        assert found["misfit"] == pytest.approx(1.0, rel=0.15)
        assert abs(pair.frequency_hz - 32.13905) <= 2.5 * pair.u_frequency_hz


def test_units_that_do_not_fit_are_refused() -> None:
    f = np.arange(1.0, 20.0)
    g = np.ones(19, dtype=complex)
    plant = _noisy(f, g, 0.01, 0)
    with pytest.raises(DataError, match="cannot follow each other"):
        frequency_response.series(plant, plant)
    with pytest.raises(DataError, match="no unit"):
        margins.of_response(plant)


def test_clipped_signals_are_named_and_quantised_ones_are_not() -> None:
    t = np.arange(20_000) / 1000
    sine = np.sin(2 * math.pi * 7.3 * t)
    assert sampling.clipping(np.clip(sine, -0.9, 2))[0].level == -0.9
    assert sampling.clipping(np.round(sine * 100)) == ()
    assert sampling.clipping(sine) == ()
    assert sampling.clipping(np.where(sine >= 0, 1.0, -1.0)) == ()  # two levels: a PRBS
    found = frequency_response.from_signals(np.random.default_rng(0).normal(size=20_000), np.clip(sine, -0.5, 0.5), rate_hz=1000.0, segment=1000)
    assert sum("saturated or clipped" in flag for flag in found.flags) == 2


def test_uneven_time_stamps_are_quantified_and_refused_unless_resampled() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(2000) / 1000.0
    x = np.sin(2 * math.pi * 20 * t)
    assert sampling.even_record(t, x).rate_hz == pytest.approx(1000.0, rel=1e-12)
    with pytest.raises(DataError, match="333 such places"):
        sampling.sampling(np.round(np.arange(2000) / 1200.0, 3))  # 0.83 ms, written to 1 ms: one in six stamps twice
    coarse = sampling.even_record(np.round(t / 1.7, 4), x)  # steps of 0.588 ms, written to 0.1 ms
    assert coarse.rate_hz == pytest.approx(1700.0, rel=1e-4) and "taken as evenly spaced" in coarse.flags[0]
    jittered = t + 2e-4 * rng.uniform(-1, 1, size=t.size)
    with pytest.raises(DataError, match="jitter"):
        sampling.even_record(jittered, np.sin(2 * math.pi * 20 * jittered))
    again = sampling.even_record(jittered, np.sin(2 * math.pi * 20 * jittered), resample_to_even=True)
    assert "resampled by cubics" in again.flags[0]
    # 3/128·h⁴·(2π20)⁴ with h up to 1.4 ms: 2e-5
    n = again.values.shape[1]
    assert np.abs(again.values[0] - np.sin(2 * math.pi * 20 * (jittered[0] + np.arange(n) / again.rate_hz))).max() < 1e-4
    gapped = np.delete(t, slice(500, 540))
    with pytest.raises(DataError, match="1 gaps, 40 samples missing"):
        sampling.even_record(gapped, np.sin(gapped))
    with pytest.raises(DataError, match=r"40 samples are missing after 0\.499 s"):
        sampling.even_record(gapped, np.sin(gapped), resample_to_even=True)
    with pytest.raises(DataError, match="ascending"):
        sampling.sampling([0.0, 1.0, 1.0, 2.0])


def test_the_hold_of_a_sampled_structure_is_found_as_its_delay() -> None:
    """Two modes behind a zero-order hold of 1 ms: half a millisecond, and with it the modes as they are."""
    from precision.drivers.lab.plants.linear_plant import of_modes

    omega = 2 * math.pi * np.array([20.0, 45.0])
    f = np.linspace(5, 80, 300)
    g = of_modes(omega, [0.02, 0.01], [3.0, 2.0]).held(1e-3).response(f)[:, 0, 0]
    response = _noisy(f, g, 0.005, 3)
    found = modal_fit.fit(response, modes=2, delay=True)
    assert found["delay"] == pytest.approx(0.5e-3, rel=0.02)
    for number, (hz, zeta) in enumerate(((20.0, 0.02), (45.0, 0.01)), start=1):
        assert abs((found[f"f_{number}"] or 0) - hz) <= 1.5 * (found.figures[f"f_{number}"].uncertainty or 0)
        assert abs((found[f"zeta_{number}"] or 0) - zeta) <= 1.5 * (found.figures[f"zeta_{number}"].uncertainty or 0)
    assert found["misfit"] == pytest.approx(1.0, rel=0.15)
    late = modal_fit.fit(response, modes=2)
    assert (late["misfit"] or 0) > 3 and any("a delay" in flag for flag in late.flags)


@pytest.mark.parametrize("seed", range(6))
def test_rational_fits_agree_with_python_control_on_random_systems(seed: int) -> None:
    """Poles of random stable systems of third and fourth order come back from their responses, to the noise of 1e-6."""
    control = pytest.importorskip("control")
    rng = np.random.default_rng(seed)
    poles, zeros = [-(10 ** rng.uniform(0, 1.5))] if seed % 2 else [], []
    for _ in range(2):
        wn, zeta = 10 ** rng.uniform(0.5, 2), rng.uniform(0.02, 0.4)
        poles += [complex(-zeta * wn, wn * math.sqrt(1 - zeta**2)), complex(-zeta * wn, -wn * math.sqrt(1 - zeta**2))]
    zeros = [-(10 ** rng.uniform(0.3, 1.8))]
    system = control.zpk(zeros, poles, 10 ** rng.uniform(0, 3))
    f = np.geomspace(0.05, 60, 250)
    g = np.squeeze(system(2j * math.pi * f))
    found = transfer_function_fit.fit(_noisy(f, g, 1e-6, seed), zeros=1, poles=len(poles))
    expected = sorted({round(abs(p) / (2 * math.pi), 12) for p in poles})
    assert [one.frequency_hz for one in found.poles] == pytest.approx(expected, rel=1e-3)
    assert found.zeros[0] == pytest.approx(zeros[0], rel=1e-3)
    np.testing.assert_allclose(found.at(f), g, rtol=1e-4)
