"""The worked example of an uncertainty budget, and what the combination for each figure must satisfy.

Example computed by hand from the formulas of ISO 230-2 annex A (from memory of the standard): 1 m, device 0.5 µm/m, 1 mm out of line, thermometer range
0.4 K, steel, 3 K away from 20 °C, R(α) = 2e-6/K, drift 1 µm.
"""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from precision.uncertainty.positioning import FIGURES, Contributors, RotaryContributors, budget

EXAMPLE = Contributors(
    measured_length_m=1.0, targets=10, runs=5, device_relative=0.5e-6, device_resolution_m=0.0, misalignment_m=1e-3, machine_expansion_per_k=11.7e-6,
    machine_expansion_range_per_k=2e-6, machine_thermometer_range_k=0.4, machine_temperature_difference_k=3.0, drift_range_m=1e-6,
)  # fmt: skip
ROWS_UM = {"U_DEVICE": 0.50, "U_MIS": 0.29, "U_M": 2.70, "U_E": 3.46, "U_EVE": 0.58}


def test_the_rows_of_the_worked_example() -> None:
    rows = [row for row in budget(EXAMPLE).rows if row.uncertainty]
    # Printed to two decimals.
    assert {row.symbol: row.uncertainty * 1e6 for row in rows} == pytest.approx(ROWS_UM, abs=0.005)
    assert [row.kind for row in rows] == ["length-proportional"] * 4 + ["per-reading"]


def test_the_rule_of_thumb_of_the_worked_example() -> None:
    example = budget(EXAMPLE)
    per_reading, length = 1 / math.sqrt(3), math.hypot(0.5, 0.5 / math.sqrt(3), 11.7 * 0.4 / math.sqrt(3), 3 * 2 / math.sqrt(3))
    expected = {
        "mean": math.hypot(length, per_reading / math.sqrt(5)), "B": per_reading * math.sqrt(2 / 5), "B_mean": per_reading * math.sqrt(2 / 5),
        "R": 2 * per_reading, "E": math.hypot(length, per_reading / math.sqrt(5)), "M": math.hypot(length, per_reading / math.sqrt(10)),
        "A": math.hypot(length, 2 * per_reading),
    }  # fmt: skip
    assert {key: example.for_figure(key, rule="standard")[0] * 1e6 for key in expected} == pytest.approx(expected, rel=1e-3)  # type: ignore[operator]


def test_one_reversal_has_the_uncertainty_of_the_standard() -> None:
    u, reason = budget(EXAMPLE).for_figure("reversal")
    assert reason is None and u == pytest.approx(1e-6 / math.sqrt(3) * math.sqrt(2 / 5), rel=1e-12)


def test_temperature_device_and_alignment_cancel_in_reversal_and_repeatability() -> None:
    bare = replace(
        EXAMPLE, device_relative=0.0, misalignment_m=0.0, machine_thermometer_range_k=0.0, machine_expansion_range_per_k=0.0, compensated_to_20_c=True
    )
    for key in ("B", "B_mean", "R", "R_up", "reversal"):
        assert budget(bare).for_figure(key) == budget(EXAMPLE).for_figure(key)
    for key in ("E", "M", "A", "mean"):
        assert budget(bare).for_figure(key)[0] < budget(EXAMPLE).for_figure(key)[0]  # type: ignore[operator]


def test_a_perfect_set_up_has_no_uncertainty() -> None:
    perfect = budget(RotaryContributors(targets=8, device_rad=0.0, device_resolution_rad=0.0, drift_range_rad=0.0))
    assert {perfect.for_figure(key)[0] for key in FIGURES} == {0.0}


def test_expansion_that_was_not_corrected_is_added_in_full() -> None:
    corrected, raw = budget(EXAMPLE), budget(replace(EXAMPLE, compensated_to_20_c=False))
    for key in ("E", "M", "A", "A_up", "mean"):
        added = raw.for_figure(key)[0] - corrected.for_figure(key)[0]  # type: ignore[operator]
        assert added == pytest.approx(11.7e-6 * 3.0, rel=1e-9)
    # A steel scale beside a steel machine at the same temperature: nothing is left to correct.
    scale = replace(EXAMPLE, device_expansion_per_k=11.7e-6, device_temperature_difference_k=3.0, compensated_to_20_c=False)
    assert budget(scale).for_figure("E")[0] == pytest.approx(budget(replace(scale, compensated_to_20_c=True)).for_figure("E")[0], rel=1e-12)


def test_one_run_has_no_uncertainty_of_s() -> None:
    single = budget(replace(EXAMPLE, runs=1))
    for key in ("R", "R_up", "A", "A_down"):
        u, reason = single.for_figure(key)
        assert u is None and reason is not None and "one run" in reason
    assert single.for_figure("E")[0] is not None


def test_a_budget_prints_and_stores_itself() -> None:
    example = budget(EXAMPLE)
    assert "3.46 µm" in str(example)
    assert json.loads(json.dumps(example.to_dict(), allow_nan=False))["rows"][0]["symbol"] == "U_DEVICE"
    assert "rad" == budget(RotaryContributors(targets=8, device_rad=1e-6, device_resolution_rad=1e-7, drift_range_rad=1e-6)).unit


@pytest.mark.parametrize(
    "change",
    [{"device_relative": 0.5}, {"drift_range_m": -1e-6}, {"misalignment_m": math.nan}, {"measured_length_m": 0.0}, {"runs": 0},
     {"machine_expansion_per_k": 11.7}],
)  # fmt: skip
def test_a_contributor_that_cannot_be_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(EXAMPLE, **change)


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="figure 'G' has no uncertainty"):
        budget(EXAMPLE).for_figure("G")
