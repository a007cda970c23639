"""A motion is learned through the stream that a real controller would send: response, convergence, what repeats and what does not are those of
the plant; what goes wrong stops."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import ilc
from precision.benchmarks.exciting import upload
from precision.benchmarks.ilc_evaluation import Analysis, analyse
from precision.benchmarks.ilc_plan import Parameters
from precision.benchmarks.testing import Kept
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.lab import trial_serve
from precision.drivers.transport import open_transport
from precision.errors import DataError, DeviceFault, PlanError, SafetyStop

PLANS = Path(ilc.__file__).parent / "plans"
SHORT: dict[str, dict[str, Any]] = {
    "trajectory": {"distance": 0.02, "velocity": 0.2, "acceleration": 2.0, "jerk": 100.0, "lead": "0.1 s", "dwell": "0.5 s"},
    "response": {"periods": 3},
    "learning": {"trials": 5, "repeats": 5},
}


def plan(**changes: dict[str, Any]) -> Parameters:
    raw = tomllib.loads((PLANS / "ilc.toml").read_text(encoding="utf-8"))
    for section in {*SHORT, *changes}:
        raw[section] = {**raw.get(section, {}), **SHORT.get(section, {}), **changes.get(section, {})}
    return Parameters.model_validate(raw)


def learned(
    plan: Parameters,
    *,
    seed: int = 1,
    wrap: Callable[[trial_serve.TrialSession], trial_serve.TrialSession] = lambda session: session,
    kept: Kept | None = None,
) -> Kept:
    """A run through the real driver against the simulated device; whatever happens, no signal is left in it."""

    def client() -> trial_serve.TrialSimulator:
        return trial_serve.TrialSimulator(wrap(trial_serve.TrialSession(trial_serve.device(plan.bench.plant, seed))), time_scale=math.inf)

    kept = kept or Kept()
    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            rig = ilc.Rig(plant=stream)
            ilc.check(plan, rig)
            try:
                ilc.acquire(plan, rig, kept, log=lambda *_, **__: None, progress=lambda *_: None)
            finally:
                assert stream.ask("hold")["samples"] == 0
        finally:
            stream.close()
    return kept


@pytest.fixture(scope="module", params=[1, 2, 3])
def run(request: pytest.FixtureRequest) -> tuple[Parameters, Analysis]:
    chosen = plan()
    return chosen, analyse(chosen, learned(chosen, seed=request.param).readings)


def test_the_response_that_the_law_stands_on_is_that_of_the_closed_loop(run: tuple[Parameters, Analysis]) -> None:
    """J = P/(1 + P C), sampled, within its own U."""
    law = run[1].law
    bench = trial_serve.bench("eighth-order", 1)
    f = law.frequency_hz[law.measured]
    truth = bench.plant_response(f) / (1 + bench.loop_response(f))
    off, u = np.abs(law.plant[law.measured] - truth), law.plant_u[law.measured]
    # two components of u each: |δ|² is exponential, with 3 periods Student's tails; and what is left of the beginning of the excitation
    assert np.mean(off <= 4 * u + 2e-3 * np.abs(truth)) > 0.95


def test_the_error_falls_as_the_response_foretells(run: tuple[Parameters, Analysis]) -> None:
    found = run[1]
    told = [trial for trial in found.trials if trial.foretold is not None]
    assert len(told) == 5
    for trial in told:
        # the noise of the trial, and of those before it, from which it was learned: √2 of U at a gain of 1/2; and the response's own beginning
        assert abs(trial.rms - float(trial.foretold or 0)) <= 2 * trial.rms_u + 0.02 * trial.rms, trial
    rate, expected = found.figures["rate"], found.figures["rate_foretold"]
    assert rate.value is not None and expected.value is not None and rate.uncertainty is not None
    assert expected.value == pytest.approx(0.5, abs=0.05)  # 1 − gain, less where Q falls
    assert abs(rate.value - expected.value) <= rate.uncertainty + 0.02 * expected.value
    assert not found.flags


def test_learning_takes_away_what_repeats_and_leaves_what_does_not(run: tuple[Parameters, Analysis]) -> None:
    chosen, found = run
    first, last = (float(found.figures[key].value or 0) for key in ("before_repeatable", "after_rms"))
    assert last < first / 20
    # what does not repeat is that of the plant: simulated 20 times over, it lies within U
    truth = []
    path = ilc.motion(chosen, 4000.0)
    for trial in range(20):
        advance = trial_serve.device("eighth-order", 77).begin(trial)
        truth.append(path - advance(path, np.zeros(path.size))[1])
    noise = math.sqrt(float(np.var(np.stack(truth)[:, : found.law.judged], axis=0, ddof=1).mean()))
    for key in ("before_non_repeatable", "after_non_repeatable"):
        one = found.figures[key]
        assert one.value is not None and one.uncertainty is not None
        assert abs(one.value - noise) <= 1.5 * one.uncertainty + 0.15 * noise, (
            key
        )  # the 20 know it to some 10 % themselves: slow noise has few degrees of freedom


def test_the_uncertainty_of_a_trials_rms_is_what_trials_differ_by() -> None:
    """The rms of 40 trials without signal scatters as U says (k = 2, few degrees of freedom: within a factor of 2 of Student's)."""
    chosen = plan(learning={"trials": 2, "repeats": 8})
    found = analyse(chosen, learned(chosen, seed=5).readings)
    path = ilc.motion(chosen, 4000.0)
    sizes = []
    for trial in range(40):
        advance = trial_serve.device("eighth-order", 9).begin(trial)
        sizes.append(math.sqrt(float(np.mean((path - advance(path, np.zeros(path.size))[1])[: found.law.judged] ** 2))))
    claimed = found.trials[0].rms_u / 2
    assert 0.5 < float(np.std(sizes, ddof=1)) / claimed < 2.0


def test_a_pd_law_learns_at_the_rate_of_its_own() -> None:
    chosen = plan(
        learning={"law": "PD", "kp": 10.0, "kd": 2.0, "cutoff": "4 Hz", "demand_convergence": True}, response={"high": "40 Hz", "peak": 10.0}
    )
    found = analyse(chosen, learned(chosen).readings)
    rate, expected = found.figures["rate"], found.figures["rate_foretold"]
    assert rate.value is not None and expected.value is not None and 0.55 < expected.value < 0.95
    assert abs(rate.value - expected.value) <= float(rate.uncertainty or 0) + 0.02 * expected.value


def test_a_law_that_would_diverge_is_refused_before_any_trial() -> None:
    kept = Kept()
    with pytest.raises(SafetyStop, match=r"the law would not converge: at .* less than 1 is expected; nothing was learned"):
        learned(plan(learning={"gain": 2.3}), kept=kept)
    assert set(kept.readings["phase"].tolist()) == {ilc.RESPONSE}


def test_learning_that_diverges_is_stopped_and_its_signal_taken_away() -> None:
    """By a factor of 1.3 a trial: the error without signal is passed soon, and the report is one of a stopped run."""
    kept, chosen = Kept(), plan(learning={"gain": 2.3, "demand_convergence": False, "trials": 20})
    with pytest.raises(SafetyStop, match=r"learning diverges: trial .* the learned signal was taken away"):
        learned(chosen, kept=kept)
    found = analyse(chosen, kept.readings)
    assert any("does not exclude that trials become worse" in flag for flag in found.flags)
    assert found.after is None and found.figures["after_rms"].value is None and found.figures["before_rms"].value is not None


def test_a_plant_that_changes_its_sign_is_noticed() -> None:
    """The response was measured with one sign of the drive and the trials run with the other: the error grows, and that ends it."""

    class Turned(trial_serve.TrialSession):
        def _simulate(self, at: int) -> None:
            held = self.feed_forward.values
            if self.reference.values.size:
                self.feed_forward.values = -held
            super()._simulate(at)
            self.feed_forward.values = held
            self._rows[-256:, 1] *= -1 if self.reference.values.size else 1

    with pytest.raises(SafetyStop, match="learning diverges"):
        learned(plan(), wrap=lambda session: Turned(session.device))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"response": {"peak": 300.0}}, r"response\.peak is 300 N; the device allows 200"),
        ({"safety": {"peak": 300.0}}, r"safety\.peak is 300 N; the device allows 200"),
        ({"safety": {"travel": 6.0}}, r"safety\.travel is 6 m; the device allows 5"),
        ({"units": {"input": "V"}}, "the plan says V"),
        ({"response": {"high": "2.5 kHz"}}, "2000 Hz are expected"),
    ],
)
def test_what_the_device_cannot_do_is_refused_before_anything_moves(changes: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        learned(plan(**changes))


def test_limits_of_travel_and_of_the_signal_hold_in_every_trial() -> None:
    with pytest.raises(SafetyStop, match=r"the whole would reach .* Lower response\.peak to"):
        learned(plan(safety={"travel": 0.05}, response={"peak": 40.0}))
    with pytest.raises(SafetyStop, match=r"the signal of trial 5 would reach .* safety\.peak is 0\.2"):
        learned(plan(safety={"peak": 0.2}))


def test_a_device_that_leaves_its_travel_takes_the_signal_away_itself() -> None:
    narrow = trial_serve.device("eighth-order", 1)
    session = trial_serve.TrialSession(trial_serve.Device(**{**{name: getattr(narrow, name) for name in narrow.__slots__}, "travel": 0.005}))
    session.reference.values = np.full(8000, 0.004)
    session.feed_forward.values = np.full(8000, 1.0)
    rows = session.rows(0, 8000)
    tripped = np.flatnonzero(rows[:, 4] > 0)
    assert tripped.size and np.all(rows[tripped, 1] == 0) and np.all(rows[: tripped[0], 1] == 1.0)
    assert np.abs(rows[: tripped[0], 3]).max() > 0.005


def test_the_device_refuses_tables_beyond_its_limits() -> None:
    session = trial_serve.TrialSession(trial_serve.device("eighth-order", 1))
    with FrameServer(lambda: trial_serve.TrialSimulator(session, time_scale=math.inf)) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            with pytest.raises(DeviceFault, match="beyond the limit of 200 N"):
                upload(stream, np.full(10, 201.0), word="feed_forward")
            with pytest.raises(DeviceFault, match="beyond the limit of 5 m"):
                upload(stream, np.full(10, 5.1), word="reference")
            with pytest.raises(DeviceFault, match="a whole number, 1"):
                stream.ask("repeat 0")
        finally:
            stream.close()


@pytest.mark.parametrize("said", [{}, {"peak": 0.0, "travel": 1.0}, {"peak": True, "travel": 1.0}, {"peak": "200", "travel": 1.0}])
def test_a_device_that_names_no_limits_is_not_driven(said: dict[str, object]) -> None:
    class Silent(trial_serve.TrialSession):
        @property
        def controls(self) -> dict[str, Any]:
            return {**super().controls, "limits": lambda rest: said}

    with pytest.raises(PlanError, match="Without its limits nothing is excited"):
        learned(plan(), wrap=lambda session: Silent(session.device))


def test_lost_samples_end_the_learning() -> None:
    class Leaky(trial_serve.TrialSimulator):
        pass

    chosen = plan()
    device = trial_serve.device("eighth-order", 1)

    def client() -> trial_serve.TrialSimulator:
        made = Leaky(trial_serve.TrialSession(device), time_scale=math.inf)
        made._lost = range(5000, 5100)
        return made

    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            with pytest.raises(DataError, match="100 samples of a trial were lost"):
                ilc.acquire(chosen, ilc.Rig(plant=stream), Kept(), log=lambda *_, **__: None, progress=lambda *_: None)
        finally:
            stream.close()


def test_a_capture_without_whole_trials_is_refused() -> None:
    chosen = plan()
    readings = learned(chosen).readings
    few = readings["phase"] <= ilc.RESPONSE
    with pytest.raises(DataError, match="0 whole trials without signal"):
        analyse(chosen, {name: values[few] for name, values in readings.items()})
    with pytest.raises(DataError, match="holds no response"):
        analyse(chosen, {name: values[~few] for name, values in readings.items()})
