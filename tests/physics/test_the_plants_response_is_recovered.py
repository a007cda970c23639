"""What the virtual plants were given comes back: response, loop, margins and noise within their uncertainty, from the stream that a real controller would send."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import frf, stability
from precision.benchmarks.exciting import upload
from precision.benchmarks.frf_evaluation import analyse
from precision.benchmarks.frf_plan import Parameters
from precision.benchmarks.stability_evaluation import analyse as analyse_stability
from precision.benchmarks.stability_plan import Parameters as StabilityPlan
from precision.benchmarks.testing import Kept
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.lab import plant_serve
from precision.drivers.lab.plants import eighth_order, emps
from precision.drivers.transport import open_transport
from precision.errors import DataError, DeviceFault, PlanError, SafetyStop

PLANS = Path(frf.__file__).parent / "plans"


def plan(**changes: dict[str, Any]) -> Parameters:
    raw = tomllib.loads((PLANS / "frf.toml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        raw[section] = {**raw.get(section, {}), **values}
    return Parameters.model_validate(raw)


def measured(plan: Parameters, *, seed: int = 1, wrap: Callable[[plant_serve.PlantSession], plant_serve.PlantSession] = lambda session: session) -> Kept:
    """A run through the real driver against the simulated device."""

    def client() -> FrameSimulator:
        session = wrap(plant_serve.PlantSession(plant_serve.device(plan.bench.plant, seed)))
        return FrameSimulator(session.header, session.rows, time_scale=math.inf, controls=session.controls)

    kept = Kept()
    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            rig = frf.Rig(plant=stream)
            frf.check(plan, rig)
            frf.acquire(plan, rig, kept, log=lambda *_, **__: None, progress=lambda *_: None)
            assert stream.ask("hold")["samples"] == 0  # whatever happened, nothing is left that would excite
        finally:
            stream.close()
    return kept


SHORT = {"resolution": "0.5 Hz", "periods": 4, "settle": 4, "lines": 120}


@pytest.mark.parametrize("kind", ["multisine", "chirp"])
def test_margins_of_the_published_loop_come_back_within_u(kind: str) -> None:
    """The eighth-order plant under its published PID: the sampled loop's own margins, and the published ones of the continuous loop beside them."""
    chosen = plan(excitation={**SHORT, "kind": kind})
    analysis = analyse(chosen, measured(chosen).readings)
    assert analysis.loop is not None and analysis.margin is not None
    bench = eighth_order.bench()
    truth = bench.loop_response(analysis.loop.frequency_hz)
    off = np.abs(analysis.loop.response - truth)
    strong = np.abs(truth) > 1e-3
    assert np.mean(off[strong] <= 2.5 * analysis.loop.sd[strong] + 1e-4 * np.abs(truth[strong])) > 0.85
    from precision.standards import margins

    exact = margins.evaluate(np.geomspace(0.5, 300, 4000), bench.loop_response(np.geomspace(0.5, 300, 4000)))
    for key in ("PM", "f_PM", "GM_up", "f_GM", "Ms", "delay"):
        figure, true = analysis.margin.figures[key], exact[key]
        assert figure.value is not None and figure.uncertainty is not None and true is not None
        assert abs(figure.value - true) <= 1.5 * figure.uncertainty, (key, figure, true)
    assert math.degrees(analysis.margin["PM"] or 0) == pytest.approx(62.828, abs=0.5)  # 5.3, and half a sample of hold
    resonances = [one.frequency_hz for one in analysis.extremes if one.kind == "resonance"]
    assert min(abs(one - 30.47) for one in resonances) < 1.0  # |p| = 191.4 rad/s; the lines are 5 % apart there


def test_a_stepped_sine_finds_response_and_margins_within_u() -> None:
    """25 frequencies, 1 … 40 Hz, one after the other: 10 of them close around the crossing, where the interpolation then counts for nothing."""
    chosen = plan(excitation={"kind": "stepped-sine", "low": "1 Hz", "high": "40 Hz", "lines": 25, "periods": 4, "settle": 2, "dwell": "2 s"})
    found = analyse(chosen, measured(chosen).readings)
    bench = eighth_order.bench()
    truth = bench.plant_response(found.plant.frequency_hz)
    assert found.plant.frequency_hz.size == 25
    # what is left after half of the dwell, 1 s: the loop's slow poles have 0.2 s … 0.6 s
    assert np.median(np.abs(found.plant.response - truth) / np.abs(truth)) < 5e-3
    assert found.margin is not None and math.degrees(found.margin["PM"] or 0) == pytest.approx(62.83, abs=0.3)
    assert found.margin["f_PM"] == pytest.approx(1.6095, rel=5e-3)


def test_an_odd_odd_multisine_sees_no_distortion_in_a_linear_plant_and_friction_in_the_drive() -> None:
    linear = plan(excitation={**SHORT, "kind": "odd-odd multisine", "high": "100 Hz"})
    found = analyse(linear, measured(linear).readings).distortion
    assert found is not None and found["linear"] is not None
    for key in ("even_ratio", "odd_ratio"):
        assert found[key] is None or found[key] < 2e-3
    drive = plan(
        bench={"plant": "emps"}, units={"input": "V"}, safety={"travel": 0.04},
        excitation={**SHORT, "kind": "odd-odd multisine", "low": "1 Hz", "high": "40 Hz", "peak": 3.0},
    )  # fmt: skip
    seen = analyse(drive, measured(drive).readings).distortion
    assert seen is not None and seen["odd_ratio"] is not None
    assert seen["odd_ratio"] > 0.02  # Coulomb friction is odd


def test_the_moving_mass_of_the_emps_is_in_its_response() -> None:
    """Well above the friction's corner |G| = g/(M ω²): gain and mass of the published drive, where it keeps moving."""
    chosen = plan(
        bench={"plant": "emps"}, units={"input": "V"}, safety={"travel": 0.04},
        excitation={**SHORT, "kind": "random multisine", "low": "4 Hz", "high": "60 Hz", "peak": 8.0, "lines": 40},
    )  # fmt: skip
    plant = analyse(chosen, measured(chosen).readings).plant
    one = emps.Emps()
    high = plant.frequency_hz > 25
    expected = one.gain_n_per_v / (one.mass_kg * (2 * math.pi * plant.frequency_hz[high]) ** 2)
    # friction takes the same part of the force at all speeds: some percent of 8 V · 35 N/V
    np.testing.assert_allclose(np.median(np.abs(plant.response[high]) / expected), 1.0, atol=0.12)


def test_a_peak_or_a_travel_beyond_the_devices_limits_is_refused_before_anything_moves() -> None:
    with pytest.raises(PlanError, match=r"excitation\.peak is 60 N; the device allows 50"):
        measured(plan(excitation={**SHORT, "peak": 60.0}))
    with pytest.raises(PlanError, match=r"safety\.travel is 6 m; the device allows 5"):
        measured(plan(excitation=SHORT, safety={"travel": 6.0}))
    with pytest.raises(PlanError, match="the plan says A"):
        measured(plan(excitation=SHORT, units={"input": "A"}))
    with pytest.raises(PlanError, match="less than 2000 Hz is expected"):
        measured(plan(excitation={**SHORT, "high": "3 kHz"}))


def test_the_small_try_foresees_that_the_whole_would_go_too_far() -> None:
    session: list[plant_serve.PlantSession] = []

    def remembered(one: plant_serve.PlantSession) -> plant_serve.PlantSession:
        session.append(one)
        return one

    with pytest.raises(SafetyStop, match="the whole would reach") as stopped:
        measured(plan(excitation=SHORT, safety={"travel": 0.05}), wrap=remembered)
    assert "Lower excitation.peak to" in str(stopped.value)


def test_a_device_that_switches_off_ends_the_run() -> None:
    class Nervous(plant_serve.PlantSession):
        def rows(self, first: int, count: int) -> np.ndarray:
            rows = super().rows(first, count).copy()
            if self._wave.size and np.abs(self._wave).max() > 10:  # the whole excitation, not the try
                rows[first + np.arange(count) > 9000, 3] = 1.0
            return rows

    with pytest.raises(SafetyStop, match="switched the excitation off"):
        measured(plan(excitation=SHORT), wrap=lambda session: Nervous(session.device))


def test_an_output_that_runs_away_ends_the_run() -> None:
    class Loose(plant_serve.PlantSession):
        def rows(self, first: int, count: int) -> np.ndarray:
            rows = super().rows(first, count).copy()
            if self._wave.size and np.abs(self._wave).max() > 10:
                rows[:, 2] += 1e-3 * (first + np.arange(count))
            return rows

    with pytest.raises(SafetyStop, match="the excitation was taken away"):
        measured(plan(excitation=SHORT), wrap=lambda session: Loose(session.device))


def test_the_device_itself_refuses_a_wave_beyond_its_limit() -> None:
    session = plant_serve.PlantSession(plant_serve.device("nano-stage", 1))
    with FrameServer(lambda: FrameSimulator(session.header, session.rows, time_scale=math.inf, controls=session.controls)) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            upload(stream, np.full(100, 19.0))
            assert stream.ask("hold") == {"answer": "hold", "samples": 100, "peak": 19.0}
            with pytest.raises(DeviceFault, match="beyond the limit of 20 N"):
                upload(stream, np.full(10, 21.0))
            with pytest.raises(DeviceFault, match="base64"):
                stream.ask("wave add §")
        finally:
            stream.close()


def test_lost_samples_are_refused_with_their_number() -> None:
    chosen = plan(excitation=SHORT)
    readings = measured(chosen).readings
    holed = {name: np.delete(values, slice(20_000, 20_100)) for name, values in readings.items()}
    with pytest.raises(DataError, match="100 samples missing"):
        analyse(chosen, holed)


def test_the_same_seed_gives_the_same_rows_in_any_pieces() -> None:
    one, two = (plant_serve.PlantSession(plant_serve.device("nano-stage", 5)) for _ in range(2))
    whole = one.rows(0, 9000)
    pieces = np.concatenate([two.rows(0, 100), two.rows(100, 5000), two.rows(5100, 3900)])
    np.testing.assert_array_equal(whole, pieces)
    np.testing.assert_array_equal(one.rows(0, 50), whole[:50])  # a new start begins at rest, with the same noise


def test_the_noise_of_the_stage_comes_back_as_rms_and_white_density() -> None:
    raw = tomllib.loads((PLANS / "stability.toml").read_text(encoding="utf-8"))
    chosen = StabilityPlan.model_validate(raw)
    session = plant_serve.PlantSession(plant_serve.device("nano-stage", 3))
    rows = session.rows(0, 120_000)
    readings = {"t_s": np.arange(120_000) / 10_000, "reading": rows[:, 2]}
    analysis = analyse_stability(chosen, readings)
    # the sensor's own 0.5 nm rms at 10 kHz is white: 0.5 nm/√(5 kHz); above 1 kHz nothing else is there
    high = (analysis.spectrum.frequency_hz > 1000) & (analysis.spectrum.frequency_hz < 4500)
    assert math.sqrt(float(analysis.spectrum.psd[high].mean())) == pytest.approx(0.5e-9 / math.sqrt(5000), rel=0.02)
    assert analysis.spectrum["rms"] == pytest.approx(float(rows[:, 2].std()), rel=0.1)
    # σ(τ₀) of white samples is their standard deviation
    assert analysis.allan["sigma_1"] == pytest.approx(0.5e-9, rel=0.03)
    assert stability.FEWEST < 1000


def test_the_emps_sticks_within_its_friction_and_moves_as_its_closed_form() -> None:
    one = emps.Emps()
    within = 0.9 * one.coulomb_n / one.gain_n_per_v + one.offset_n / one.gain_n_per_v
    assert one.moved(0.0, 0.0, within, 1.0) == (0.0, 0.0)
    # half a second at 2 V from rest: v = v∞(1 − e^(−λt)), in one step and in a thousand
    force = one.gain_n_per_v * 2.0 - one.offset_n - one.coulomb_n
    decay = one.viscous_n_s_per_m / one.mass_kg
    final = force / one.viscous_n_s_per_m
    q, v = one.moved(0.0, 0.0, 2.0, 0.5)
    assert v == pytest.approx(final * (1 - math.exp(-decay * 0.5)), rel=1e-12)
    assert q == pytest.approx(final * 0.5 - final / decay * (1 - math.exp(-decay * 0.5)), rel=1e-12)
    stepped = (0.0, 0.0)
    for _ in range(1000):
        stepped = one.moved(*stepped, 2.0, 5e-4)
    assert stepped == pytest.approx((q, v), rel=1e-12)
    # coasting: it comes to rest after the time of the closed form, and stays
    rest = math.log(1 + v / ((one.coulomb_n + one.offset_n) / one.viscous_n_s_per_m)) / decay
    assert one.moved(0.0, v, 0.0, rest * 0.999)[1] > 0
    assert one.moved(0.0, v, 0.0, rest * 1.001)[1] == 0.0
