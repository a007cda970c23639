"""Two inputs and two outputs through the stream that a real controller would send: matrix, singular values and sensitivity of the gantry come
back within their uncertainty."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import frf_mimo
from precision.benchmarks.exciting import upload
from precision.benchmarks.frf_mimo_evaluation import Analysis, analyse
from precision.benchmarks.frf_mimo_plan import Parameters, Recorded
from precision.benchmarks.testing import Kept
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.lab import gantry_serve
from precision.drivers.lab.plants.coupled_stage import STEP_S, Gantry, GantryLoop
from precision.drivers.lab.plants.linear_plant import Noise
from precision.drivers.transport import open_transport
from precision.errors import DataError, DeviceFault, PlanError, SafetyStop

PLANS = Path(frf_mimo.__file__).parent / "plans"


def plan(**changes: dict[str, Any]) -> Parameters:
    raw = tomllib.loads((PLANS / "frf-mimo.toml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        raw[section] = {**raw.get(section, {}), **values}
    return Parameters.model_validate(raw)


def measured(plan: Parameters, *, seed: int = 1, made: Callable[[int], gantry_serve.GantrySession] = gantry_serve.GantrySession) -> Kept:
    """A run through the real driver against the simulated device."""

    def client() -> FrameSimulator:
        session = made(seed)
        return FrameSimulator(session.header, session.rows, time_scale=math.inf, controls=session.controls)

    kept = Kept()
    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            rig = frf_mimo.Rig(plant=stream)
            frf_mimo.check(plan, rig)
            try:
                frf_mimo.acquire(plan, rig, kept, log=lambda *_, **__: None, progress=lambda *_: None)
            finally:
                assert stream.ask("hold")["samples"] == 0
        finally:
            stream.close()
    return kept


SHORT = {"resolution": "1 Hz", "periods": 4, "settle": 3, "lines": 60}


@pytest.fixture(scope="module", params=[1, 2, 3])
def found(request: pytest.FixtureRequest) -> Analysis:
    chosen = plan(excitation=SHORT)
    return analyse(chosen, measured(chosen, seed=request.param).readings)


def test_every_entry_of_the_matrix_comes_back_within_its_uncertainty(found: Analysis) -> None:
    truth = Gantry().plant_response(found.plant.frequency_hz)
    assert found.plant.response.shape == truth.shape == (found.plant.frequency_hz.size, 2, 2)
    off = np.abs(found.plant.response - truth)
    # 4 periods: |δ|²/sd² has the tails of 3 degrees of freedom; and what is left of the beginning after 3 s
    assert np.mean(off <= 3 * found.plant.sd + 2e-4 * np.abs(truth)) > 0.95
    assert np.all(found.plant.condition < 40)


def test_singular_values_and_relative_gain_hold_their_u(found: Analysis) -> None:
    """Entries go together where the inputs hardly differ: U from their covariance is far below what each by itself would give, and still holds."""
    truth = Gantry().plant_response(found.plant.frequency_hz)
    values = np.linalg.svd(truth, compute_uv=False)
    off = np.abs(found.singular - values)
    assert np.mean(off <= 3 * found.singular_u + 5e-4 * values) > 0.9
    gain = found.figures["rga_low"]
    g = truth[0]
    true = abs(g[0, 0] * g[1, 1] / np.linalg.det(g))
    assert gain.value is not None and gain.uncertainty is not None
    assert abs(gain.value - true) <= 2 * gain.uncertainty + 5e-3 * true
    assert gain.uncertainty < 0.1 * true


def test_the_sensitivity_and_its_peak_come_back(found: Analysis) -> None:
    assert found.sensitivity is not None and found.sensitivity_singular is not None
    f = found.sensitivity.frequency_hz
    truth = np.linalg.svd(Gantry().sensitivity(f), compute_uv=False)
    ms = found.figures["Ms"]
    assert ms.value is not None and ms.uncertainty is not None
    assert abs(ms.value - truth[:, 0].max()) <= 2 * ms.uncertainty + 2e-3
    np.testing.assert_allclose(found.sensitivity_singular[:, 0], truth[:, 0], rtol=0.01)
    mt = found.figures["Mt"]
    t = np.linalg.svd(np.eye(2) - Gantry().sensitivity(f), compute_uv=False)[:, 0].max()
    assert mt.value is not None and abs(mt.value - t) <= 2 * float(mt.uncertainty or 0) + 5e-3


def test_the_modes_show_in_the_entries(found: Analysis) -> None:
    """23.4 Hz, the yaw, in every entry; 52.4 Hz, the head on its mount, where the head is near: from the second drive to the second side. To the
    next line, 5 % away."""
    yaw, head = Gantry().truth()["modes_hz"]
    for entry, extremes in found.extremes.items():
        resonances = [one.frequency_hz for one in extremes if one.kind == "resonance"]
        assert min(abs(one - yaw) for one in resonances) < 0.06 * yaw, (entry, resonances)
        if entry == (1, 1):
            assert min(abs(one - head) for one in resonances) < 0.06 * head, resonances


def test_noise_in_one_record_gives_the_matrix_of_an_open_loop() -> None:
    """Segments: the sampled gantry without controllers, made stable by a weak spring to ground at each side."""
    rng = np.random.default_rng(0)
    held = Gantry(friction_n_s_per_m=600.0).plant.held(STEP_S)
    n = 60_000
    u = 20 * rng.normal(size=(2, n))
    x, y = np.zeros(held.a.shape[0]), np.empty((2, n))
    given = u.copy()
    for k in range(n):
        y[:, k] = held.c @ x
        given[:, k] -= 4e4 * y[:, k]
        x = held.a @ x + held.b @ given[:, k]
    y += 1e-7 * rng.normal(size=y.shape)
    readings = {
        "experiment": np.ones(n, dtype=np.int64), "t_s": np.arange(n) * STEP_S, "excitation_1": np.full(n, np.nan), "excitation_2": np.full(n, np.nan),
        "input_1": given[0], "input_2": given[1], "output_1": y[0], "output_2": y[1],
    }  # fmt: skip
    recorded = Recorded.model_validate({"evaluation": {"segment": "4 s", "loop": "open", "low": "3 Hz", "high": "100 Hz"}})
    found = analyse(recorded, readings)
    truth = held.response(found.plant.frequency_hz)
    # the window smears the two resonances (ζ of a few percent) over a line of 0.25 Hz
    assert np.median(np.abs(found.plant.response - truth) / np.abs(truth)) < 0.05
    assert found.sensitivity is None and "open" in found.no_sensitivity
    assert np.median(found.plant.multiple_coherence) > 0.95


def test_noise_in_the_loop_gives_the_matrix_by_way_of_the_excitations() -> None:
    """The running gantry under noise of 20 N at each drive: plant and sensitivity within what their covariance says, while the direct estimate of the same record is biased."""
    rng = np.random.default_rng(5)
    n = 80_000
    w = 20 * rng.normal(size=(2, n))
    given, seen = GantryLoop(Gantry(), noise=Noise(input=8.0, output=1e-7), seed=2).advance(w)
    readings = {
        "experiment": np.ones(n, dtype=np.int64), "t_s": np.arange(n) * STEP_S,
        **{f"{name}_{k + 1}": signal[k] for name, signal in (("excitation", w), ("input", given), ("output", seen)) for k in range(2)},
    }  # fmt: skip
    recorded = Recorded.model_validate({"evaluation": {"segment": "2 s", "low": "3 Hz", "high": "100 Hz"}})
    found = analyse(recorded, readings)
    assert found.sensitivity is not None and not any("direct" in flag for flag in found.flags)
    for got, truth in ((found.plant, Gantry().plant_response(found.plant.frequency_hz)), (found.sensitivity, Gantry().sensitivity(found.plant.frequency_hz))):
        # a complex normal error has the median ln 2 of |δ|²/sd²; windows of 2 s smear the resonances by some percent
        away = np.abs(found.plant.frequency_hz[:, None] - np.array(Gantry().truth()["modes_hz"])).min(axis=1) > 3
        assert np.median((np.abs(got.response - truth) ** 2 / got.sd**2)[away]) == pytest.approx(math.log(2), rel=0.35)
    direct = analyse(recorded, {**readings, **{f"excitation_{k}": np.full(n, np.nan) for k in (1, 2)}})
    assert any("direct estimate in a closed loop" in flag for flag in direct.flags) and direct.sensitivity is None
    truth = Gantry().plant_response(found.plant.frequency_hz)
    slow = found.plant.frequency_hz < 20
    assert np.abs(np.mean((direct.plant.response - truth)[slow] / truth[slow])) > 3 * np.abs(np.mean((found.plant.response - truth)[slow] / truth[slow]))


def test_its_covariance_is_that_of_repeated_measurements() -> None:
    """24 runs of two experiments: the scatter of the entries, and of the smallest singular value at 1 Hz, against what one run claims."""
    from precision.standards import excitation, mimo_response

    one = excitation.multisine(np.array([1, 2, 5, 10, 20, 40]), period=2000, rate_hz=1 / STEP_S, peak=50.0, phases="random", seed=1)
    runs = []
    for seed in range(24):
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        for waves in excitation.orthogonal(one, 2):
            pairs.append(GantryLoop(Gantry(), noise=Noise(input=0.05, output=2e-7), seed=1000 * seed + len(pairs)).advance(np.tile(waves, (1, 6))))
        runs.append(
            mimo_response.from_experiments([u for u, _ in pairs], [y for _, y in pairs], rate_hz=1 / STEP_S, period=2000, drop=3, lines=one.lines)
        )
    claimed = np.sqrt(np.mean([run.sd**2 for run in runs], axis=0))
    scatter = np.sqrt(np.var([run.response for run in runs], axis=0, ddof=1))
    # 24 complex values know a standard deviation to 10 %, four entries of six lines go together in part
    assert np.median(claimed / scatter) == pytest.approx(1.0, abs=0.15)
    values = np.array([run.singular_values for run in runs])
    known = np.sqrt(np.mean([run.singular_values_u**2 for run in runs], axis=0))
    assert np.median(known / values.std(axis=0, ddof=1)) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"excitation": {"peak": 300.0}}, r"excitation\.peak is 300 N; the device allows 200"),
        ({"safety": {"travel": 1.0}}, r"safety\.travel is 1 m; the device allows 0\.05"),
        ({"units": {"input": "A"}}, "the plan says A"),
        ({"size": {"inputs": 3}}, "excitation_3, input_3 is missing"),
        ({"excitation": {"high": "1.5 kHz"}}, "less than 1000 Hz is expected"),
    ],
)
def test_what_the_device_cannot_do_is_refused_before_anything_moves(changes: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        measured(plan(**changes))


def test_the_small_try_foresees_too_much_travel_and_the_device_refuses_too_large_a_wave() -> None:
    with pytest.raises(SafetyStop, match=r"experiment 1: .* Lower excitation\.peak to"):
        measured(plan(excitation=SHORT, safety={"travel": 1e-4}))
    session = gantry_serve.GantrySession(1)
    with FrameServer(lambda: FrameSimulator(session.header, session.rows, time_scale=math.inf, controls=session.controls)) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            with pytest.raises(DeviceFault, match="beyond the limit of 200 N"):
                upload(stream, np.full(10, 201.0), word="wave_2")
        finally:
            stream.close()


def test_a_device_that_switches_off_ends_the_run() -> None:
    class Nervous(gantry_serve.GantrySession):
        def rows(self, first: int, count: int) -> np.ndarray:
            rows = super().rows(first, count).copy()
            if np.abs(self.waves[0].values).max(initial=0) > 10:
                rows[first + np.arange(count) > 3000, 6] = 1.0
            return rows

    with pytest.raises(SafetyStop, match="switched the excitation off"):
        measured(plan(excitation=SHORT), made=Nervous)


def test_channels_that_lack_and_experiments_of_different_rates_are_refused() -> None:
    chosen = plan(excitation=SHORT)
    readings = measured(chosen).readings
    with pytest.raises(DataError, match="no output_2 was recorded"):
        analyse(chosen, {**readings, "output_2": np.full(readings["t_s"].size, np.nan)})
    stretched = np.where(readings["experiment"] == 2, 1.1 * readings["t_s"], readings["t_s"])
    with pytest.raises(DataError, match="one rate is expected"):
        analyse(chosen, {**readings, "t_s": stretched})
