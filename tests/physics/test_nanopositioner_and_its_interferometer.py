"""What the virtual nanopositioner does after a step, and the periodic error of its interferometer, come back within their uncertainty."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import linearity_procedure, step_settle_procedure, streaming
from precision.benchmarks.linearity_plan import Parameters as LinearityPlan
from precision.benchmarks.step_settle_plan import Parameters as StepPlan
from precision.drivers.lab import nanopositioner as lab
from precision.errors import DataError, PlanError
from precision.standards import settling

PLANS = Path(streaming.__file__).parent / "plans"


def plan(name: str, model: Any, seed: int, **sections: dict[str, Any]) -> Any:
    raw = tomllib.loads((PLANS / f"{name}.toml").read_text(encoding="utf-8"))
    raw["seed"] = seed
    for section, values in sections.items():
        raw[section] = {**raw[section], **values}
    return model.model_validate(raw)


class Memory:
    """A sink that keeps rows."""

    def __init__(self) -> None:
        self.rows: list[dict[str, np.ndarray]] = []

    def append_and_wait(self, block: dict[str, np.ndarray]) -> int:
        self.rows.append(block)
        return len(self.rows)

    def gap(self, reason: str, samples: int) -> int:
        raise AssertionError(reason)

    def columns(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate([row[name] for row in self.rows]) for name in self.rows[0]}


def measured(procedure: Any, wanted: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    sink = Memory()
    with procedure.connect(wanted) as devices:
        procedure.check(wanted, devices.rig)
        procedure.acquire(wanted, devices.rig, sink, log=lambda event, **details: None, progress=lambda done, total: None)
        return sink.columns(), devices.lab.truth()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_settling_of_every_step_is_that_of_the_true_position(seed: int) -> None:
    wanted = plan("step-settle", StepPlan, seed, staircase={"steps": 3, "hold": "0.25 s"})
    columns, _ = measured(step_settle_procedure.PROCEDURE, wanted)
    found = step_settle_procedure.analyse(wanted, columns)
    true, seen = lab.respond(lab.Stage.drawn(seed), seed, lab.staircase(3, 1e-6, 0.25))
    assert np.array_equal(seen, columns["position_m"])
    for k, end in enumerate(found.ends_s):
        until = found.ends_s[k + 1] if k + 1 < found.ends_s.size else np.inf
        part = (columns["t_s"] >= end) & (columns["t_s"] < until)
        exact = settling.last_exit(columns["t_s"][part] - end, (true - columns["set_m"])[part], band=10e-9)
        one = found.settled.settled["last exit"][k]
        assert exact.time_s is not None
        assert one.time_s is not None
        assert abs(one.time_s - exact.time_s) <= one.resolution_s + one.noise_s
    assert found.plateaus is not None or "steps" in found.no_plateaus


def test_the_axis_at_rest_is_pushed_by_the_other_as_much_as_it_is_said() -> None:
    wanted = plan("step-settle", StepPlan, 2, staircase={"steps": 3, "hold": "0.2 s"})
    columns, _ = measured(step_settle_procedure.PROCEDURE, wanted)
    found = step_settle_procedure.analyse(wanted, columns).cross
    stage = lab.Stage.drawn(2)
    true, _ = lab.respond(stage, 2, columns["set_m"])
    cross, _ = lab.other_axis(stage, 2, true)
    assert found is not None
    assert abs(found.value - np.abs(cross - np.median(cross)).max()) <= found.uncertainty  # type: ignore[operator]
    assert found.value > 1e-9  # a step of 1 µm and 0.2 to 0.6 % of it, before the controller takes it out  # type: ignore[operator]


def test_the_loop_is_stable_for_every_seed() -> None:
    for seed in range(50):
        stage = lab.Stage.drawn(seed)
        assert stage.integral_per_s < 2 * stage.damping * 2 * math.pi * stage.mode_hz


def test_a_hold_that_is_shorter_than_settling_leaves_no_settling_time() -> None:
    wanted = plan("step-settle", StepPlan, 1, staircase={"steps": 2, "hold": "0.03 s"})
    columns, _ = measured(step_settle_procedure.PROCEDURE, wanted)
    figure = step_settle_procedure.analyse(wanted, columns).settled.figures["t_exit_max"]
    assert figure.value is None
    assert "step 1" in str(figure.reason)


def test_a_log_without_a_step_is_refused() -> None:
    with pytest.raises(DataError, match="no step in the log"):
        step_settle_procedure.analyse(plan("step-settle", StepPlan, 1), {"t_s": np.arange(100) / 1e3, "set_m": np.zeros(100), "position_m": np.zeros(100)})


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_ellipse_of_the_signals_is_recovered_and_the_length_is_better_for_it(seed: int) -> None:
    wanted = plan("interferometer-linearity", LinearityPlan, seed)
    columns, truth = measured(linearity_procedure.PROCEDURE, wanted)
    found = linearity_procedure.analyse(wanted, columns)
    held, ellipse = truth["signals"], found.correction.ellipse
    # A third harmonic h is no part of an ellipse: it moves the fitted radius and gains by up to about h.
    for name, value in (("p", held["p"]), ("q", held["q"]), ("ratio", held["ratio"])):
        assert abs(getattr(ellipse, name) - value) < 2e-4 + 0.6 * held["third"], name
    displacement, theta = lab.sweep_phase(seed, columns["t_s"], wanted.sweep.speed)
    true_error = found.correction.length_m - (displacement - displacement[0]) - (found.correction.length_m[0])
    raw_error = found.correction.length_raw_m - (displacement - displacement[0]) - found.correction.length_raw_m[0]
    design = np.stack([np.ones_like(theta), *(f(k * theta) for k in (1, 2) for f in (np.sin, np.cos))], axis=1)
    amplitudes = []
    for error in (raw_error, true_error):
        c = np.linalg.lstsq(design, error, rcond=None)[0]
        amplitudes.append([math.hypot(c[1], c[2]), math.hypot(c[3], c[4])])
    assert max(amplitudes[1]) < 0.1 * max(amplitudes[0])
    for order in (1, 2):  # the reported harmonics are those of the true error
        harmonic = found.harmonics_raw[order - 1]
        assert abs(harmonic.amplitude_m - amplitudes[0][order - 1]) < 2 * harmonic.uncertainty_m + 0.01 * max(amplitudes[0])


def test_a_sweep_too_fast_to_count_is_refused_before_it_begins() -> None:
    wanted = plan("interferometer-linearity", LinearityPlan, 1, sweep={"speed": "0.7 mm/s"}, evaluation={"period": "150 nm"})
    with linearity_procedure._connect(wanted) as devices, pytest.raises(PlanError, match="neighbouring samples lie"):
        linearity_procedure._check(wanted, devices.rig)


def test_a_sweep_too_short_is_refused_in_the_dry_run() -> None:
    with pytest.raises(PlanError, match="at least 10 are needed"):
        linearity_procedure._outlook(plan("interferometer-linearity", LinearityPlan, 1, sweep={"duration": "0.1 s"}))


def test_many_steps_are_drawn_by_some_and_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_settle_procedure, "MOST_DRAWN", 2)
    wanted = plan("step-settle", StepPlan, 1, staircase={"steps": 3, "hold": "0.25 s"})
    columns, _ = measured(step_settle_procedure.PROCEDURE, wanted)
    found = step_settle_procedure.analyse(wanted, columns)
    times = [one.time_s or 0.0 for one in found.settled.settled["last exit"]]
    drawn = step_settle_procedure._drawn(found)
    assert {0, 5, int(np.argmax(times))} == set(drawn)


@pytest.mark.parametrize(
    ("name", "model", "section", "words"),
    [
        ("step-settle", StepPlan, {"staircase": {"steps": 101}}, "travels 100 µm"), ("step-settle", StepPlan, {"staircase": {"hold": "20 s"}}, "at most 200 s"),
        ("interferometer-linearity", LinearityPlan, {"sweep": {"speed": "100 mm/s"}}, "turns of the virtual interferometer can be counted up to 0.791 mm/s"),
    ],
)  # fmt: skip
def test_a_test_that_the_virtual_bench_cannot_make_is_refused_in_the_plans_words(name: str, model: Any, section: dict[str, Any], words: str) -> None:
    procedure = step_settle_procedure.PROCEDURE if name == "step-settle" else linearity_procedure.PROCEDURE
    with pytest.raises(PlanError, match=words):
        procedure.preview(plan(name, model, 1, **section))  # type: ignore[misc]
