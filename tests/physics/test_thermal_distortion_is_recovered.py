"""What the virtual machine was given to grow, tilt and drift by comes back within its uncertainty, from hours of gauge readings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import thermal
from precision.benchmarks.thermal_evaluation import analyse
from precision.benchmarks.thermal_plan import Parameters
from precision.drivers.lab.gauges_serve import WARM_UP_RATE_HZ, WarmUpBench
from precision.drivers.lab.heating import GAUGE_DISTANCE_M, TARGETS_M
from precision.errors import DataError, PlanError

PLANS = Path(thermal.__file__).parent / "plans"
GAUGES = ("X1", "Y1", "Z")


def plan(test: str = "spindle", *, without: tuple[str, ...] = (), **thermals: Any) -> Parameters:
    raw = tomllib.loads((PLANS / "thermal.toml").read_text(encoding="utf-8"))
    raw["thermal"] |= {"test": test, **thermals}
    raw["limits"] = {}
    for name in without:
        del raw["uncertainty"][name]
    return Parameters.model_validate(raw)


def measured(seed: int, plan_: Parameters) -> tuple[WarmUpBench, dict[str, np.ndarray]]:
    bench = WarmUpBench(seed, axis=plan_.thermal.test == "axis")
    bench.running_s = 0.0 if plan_.thermal.test == "environment" else plan_.thermal.running
    each = round(plan_.thermal.interval * WARM_UP_RATE_HZ)
    count = int(thermal.duration_s(plan_) * WARM_UP_RATE_HZ // each)
    means = bench.rows(0, count * each).reshape(count, each, -1).mean(axis=1)
    seen = {column.name: np.full(count, np.nan) for column in thermal.COLUMNS}
    seen |= {"t_s": (np.arange(count) * each + (each - 1) / 2) / WARM_UP_RATE_HZ, "samples": np.full(count, each)}
    for k, channel in enumerate(bench.header.channels):
        seen[f"{channel.name}_{'m' if channel.unit == 'm' else 'k'}"] = means[:, k]
    return bench, seen


def true_gauges(bench: WarmUpBench, time_s: np.ndarray) -> np.ndarray:
    fine = (time_s[:, None] + np.arange(-25.0, 26.0, 10.0)).ravel()  # the six samples of each reading
    return bench.heating.gauges(fine, running_s=bench.running_s).reshape(time_s.size, 6, -1).mean(axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_drift_at_the_end_and_while_cooling_lie_within_their_uncertainty(seed: int) -> None:
    plan_ = plan()
    bench, seen = measured(seed, plan_)
    figures, true = analyse(plan_, seen).figures, true_gauges(bench, seen["t_s"])
    running = int(np.searchsorted(seen["t_s"], plan_.thermal.running, side="right"))
    for k, name in enumerate(GAUGES):
        for key, value in ((f"{name}_end", true[running - 1, k] - true[0, k]), (f"{name}_cooling", true[-1, k] - true[running - 1, k])):
            figure = figures[key]
            assert abs(figure.value - value) <= figure.uncertainty, f"{figure}, truth {value}"  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(8))
def test_final_drift_and_time_constant_cover_the_truth_though_the_room_drifts(seed: int) -> None:
    bench, seen = measured(seed, plan())
    figures, held = analyse(plan(), seen).figures, bench.heating
    found = 0
    for k, name in enumerate((*GAUGES, "A", "B")):
        for key, value in ((f"{name}_final", held.growth[k]), (f"{name}_tau", held.time_constant_s[k])):
            figure = figures[key]
            if figure.value is None:
                assert "does not stand out of what the room may add" in str(figure.reason)
                continue
            found += 1
            assert figure.uncertainty is not None
            assert abs(figure.value - value) <= figure.uncertainty, f"{figure}, truth {value}"
    assert found >= 2  # the spindle's growth along Z is always large enough


def test_without_a_word_about_the_room_a_response_has_no_uncertainty() -> None:
    plan_ = plan(without=("room_drift", "room_tilt"))
    figure = analyse(plan_, measured(1, plan_)[1]).figures["Z_tau"]
    assert figure.value is not None
    assert figure.uncertainty is None
    assert "room_drift" in str(figure.uncertainty_reason)


@pytest.mark.parametrize("seed", range(6))
def test_the_drift_of_the_room_is_the_environmental_error(seed: int) -> None:
    plan_ = plan("environment")
    bench, seen = measured(seed, plan_)
    figures, true = analyse(plan_, seen).figures, true_gauges(bench, seen["t_s"])
    for k, name in enumerate(GAUGES):
        assert abs(figures[name].value - np.ptp(true[:, k])) <= figures[name].uncertainty  # type: ignore[operator]
    tilt = np.ptp(true[:, 1] - true[:, 4]) / GAUGE_DISTANCE_M
    assert abs(figures["A"].value - tilt) <= figures["A"].uncertainty  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(6))
def test_the_screw_that_grows_gives_expansion_and_strain(seed: int) -> None:
    plan_ = plan("axis")
    bench, seen = measured(seed, plan_)
    figures = analyse(plan_, seen).figures
    running = seen["t_s"][seen["t_s"] <= plan_.thermal.running]
    true = bench.heating.axis(running, running_s=plan_.thermal.running)
    expansion = np.ptp(true[:, 1] - true[:, 0])
    assert abs(figures["expansion"].value - expansion) <= figures["expansion"].uncertainty  # type: ignore[operator]
    assert abs(figures["strain"].value - expansion / (TARGETS_M[1] - TARGETS_M[0])) <= figures["strain"].uncertainty  # type: ignore[operator]
    final = figures["expansion_final"]
    assert final.value is None or abs(final.value - bench.heating.screw_strain * 0.8) <= final.uncertainty  # type: ignore[operator]


def test_a_room_that_changes_more_than_agreed_is_flagged() -> None:
    raw = plan().model_copy(update={"evaluation": plan().evaluation.model_copy(update={"temperature_change": 0.1})})
    assert any("at most 0.1 K were agreed" in flag for flag in analyse(raw, measured(2, plan())[1]).result.flags)


def test_a_missing_gauge_costs_its_figures_and_says_so() -> None:
    plan_ = plan()
    _, seen = measured(2, plan_)
    seen["X2_m"] = np.full_like(seen["t_s"], np.nan)
    figures = analyse(plan_, seen).figures
    assert figures["B_end"].value is None
    assert "X2" in str(figures["B_end"].reason)


def test_an_axis_test_needs_both_targets() -> None:
    plan_ = plan("axis")
    _, seen = measured(2, plan_)
    seen["far_m"] = np.full_like(seen["t_s"], np.nan)
    with pytest.raises(DataError, match="near and far are needed"):
        analyse(plan_, seen)


def test_a_stream_slower_than_the_interval_is_refused() -> None:
    class Slow:
        channels = WarmUpBench(1, axis=False).header.channels
        rate_hz = 0.001

    with pytest.raises(PlanError, match=r"thermal\.interval is 60 s"):
        thermal.check(plan(), thermal.Rig(gauges=Slow()))  # type: ignore[arg-type]
