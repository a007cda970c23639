"""The error motions that the virtual spindle was given come back within their uncertainty, from the stream of its gauges."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import spindle
from precision.benchmarks.spindle_evaluation import Analysis, analyse
from precision.benchmarks.spindle_plan import Parameters
from precision.drivers.lab.gauges_serve import SPINDLE_RATE_HZ, SpindleBench
from precision.errors import DataError, PlanError

PLANS = Path(spindle.__file__).parent / "plans"
N, SAMPLES = 32, 360


def plan(**changes: dict[str, Any]) -> Parameters:
    raw = tomllib.loads((PLANS / "spindle.toml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        raw[section] = {**raw.get(section, {}), **values}
    return Parameters.model_validate(raw)


def readings(bench: SpindleBench, seconds: float = 0.7, skip: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    count = round(seconds * SPINDLE_RATE_HZ)
    rows, kept = bench.rows(0, count), np.ones(count, dtype=bool)
    if skip is not None:
        kept[skip[0] : skip[1]] = False
    time = np.arange(count) / SPINDLE_RATE_HZ
    columns = {f"{name}_m": rows[kept, k] for k, name in enumerate(spindle.GAUGES)}
    return {"t_s": time[kept], **columns, "angle_rad": rows[kept, 5], "index": rows[kept, 6]}


def without_once_per_turn(contour: np.ndarray, angle: np.ndarray) -> np.ndarray:
    design = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    return contour - design @ np.linalg.lstsq(design, contour, rcond=None)[0]


def truth(bench: SpindleBench) -> dict[str, float]:
    """Synchronous and asynchronous values of the rotor's own motion at the angles that are evaluated: the fundamental belongs to the artefact."""
    theta = 2 * math.pi * np.arange(N * SAMPLES) / SAMPLES
    motion = bench.spindle.axis_motion(theta)
    angle = theta[:SAMPLES]
    series = {"radial_x": motion["x"], "radial_y": motion["y"], "radial_rotating": motion["x"] * np.cos(theta) + motion["y"] * np.sin(theta), "axial": motion["z"]}
    found = {}
    for name, values in series.items():
        turns = values.reshape(N, SAMPLES)
        key = "residual_synchronous" if name == "axial" else "synchronous"
        found[f"{name}_{key}"] = float(np.ptp(without_once_per_turn(turns.mean(axis=0), angle)))
        found[f"{name}_asynchronous"] = float(np.ptp(turns, axis=0).max())
    for name, axis in (("tilt_a", "a"), ("tilt_b", "b")):
        found[f"{name}_synchronous"] = float(np.ptp(without_once_per_turn(motion[axis].reshape(N, SAMPLES).mean(axis=0), angle)))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_every_error_motion_lies_within_its_uncertainty(seed: int) -> None:
    bench = SpindleBench(seed)
    bench.speed_rad_per_s = plan().spindle.speed
    figures = analyse(plan(), readings(bench)).figures
    for key, value in truth(bench).items():
        figure = figures[key]
        assert figure.value is not None
        assert figure.uncertainty is not None
        assert abs(figure.value - value) <= figure.uncertainty, f"seed {seed}, {key}: {figure}, truth {value}"


def test_the_artefacts_eccentricity_is_the_fundamental() -> None:
    bench = SpindleBench(3)
    found = analyse(plan(), readings(bench)).figures["radial_rotating_fundamental"]
    assert abs(found.value - bench.spindle.eccentricity_m[0][0]) < found.uncertainty  # type: ignore[operator]


def test_the_index_gives_the_same_motion_with_its_coarser_angle() -> None:
    bench = SpindleBench(3)
    by_index = analyse(plan(spindle={"synchronisation": "index"}, uncertainty={"angle": "0.3 %"}), readings(bench)).figures
    for key, value in truth(bench).items():
        figure = by_index[key]
        assert abs(figure.value - value) <= figure.uncertainty, key  # type: ignore[operator]


def test_a_gap_costs_its_revolutions_and_nothing_else() -> None:
    bench = SpindleBench(5)
    whole: Analysis = analyse(plan(), readings(bench, 0.7))
    holed = analyse(plan(), readings(bench, 0.8, skip=(5000, 5100)))
    assert any("1 gap in the stream" in flag for flag in holed.flags)
    a, b = (one.figures["radial_x_synchronous"] for one in (whole, holed))
    assert abs(a.value - b.value) < 0.1 * a.uncertainty  # type: ignore[operator]


def test_a_spindle_at_another_speed_is_refused() -> None:
    bench = SpindleBench(1)
    bench.speed_rad_per_s = 4000 * math.pi / 30
    with pytest.raises(DataError, match=r"4000\.1 rpm, the plan says 3000 rpm"):
        analyse(plan(), readings(bench))


def test_a_standing_spindle_is_said_to_stand() -> None:
    seen = readings(SpindleBench(1), 0.1)
    seen["angle_rad"] = np.zeros_like(seen["angle_rad"])
    with pytest.raises(DataError, match="the spindle stands"):
        analyse(plan(), seen)


def test_missing_gauges_are_named_with_the_figures_they_cost() -> None:
    seen = readings(SpindleBench(1))
    for name in ("Y1", "Y2", "X2"):
        seen[f"{name}_m"] = np.full_like(seen["t_s"], np.nan)
    found = analyse(plan(), seen)
    assert set(found.results) == {"radial_x", "axial"}
    assert any("rotating sensitive direction (X1, Y1) is not evaluated: no gauge Y1" in flag for flag in found.flags)


def test_without_an_uncertainty_of_the_gauges_none_is_stated() -> None:
    raw = tomllib.loads((PLANS / "spindle.toml").read_text(encoding="utf-8"))
    del raw["uncertainty"]["artefact_form"]
    found = analyse(Parameters.model_validate(raw), readings(SpindleBench(1))).figures["radial_x_synchronous"]
    assert found.uncertainty is None
    assert "artefact_form" in str(found.uncertainty_reason)


def test_a_stream_that_is_too_slow_is_refused_before_anything_is_recorded() -> None:
    class Slow:
        channels = SpindleBench.header.channels
        rate_hz = 1000.0

    with pytest.raises(PlanError, match="20 samples a revolution"):
        spindle.check(plan(), spindle.Rig(gauges=Slow()))  # type: ignore[arg-type]
