"""What holds for the figures of ISO 230-2 and VDI/DGQ 3441 whatever the recording."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from precision.errors import DataError
from precision.recording import Kind, Positioning
from precision.standards import iso230_2, vdi3441
from precision.uncertainty.positioning import Contributors, RotaryContributors, budget

KEYS = ("A", "A_up", "A_down", "E", "E_up", "E_down", "M", "R", "R_up", "R_down", "B", "B_mean")
# Deviations up to 1 mm on targets up to 1 m: a position is rounded by 1.1e-16 m, a figure adds at most a few dozen of them (R: 4·√(Σ/(n − 1)) twice).
EPS = 5e-14


@st.composite
def deviations(draw: st.DrawFn) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(2, m, n) deviations, m."""
    m, n = draw(st.integers(1, 7)), draw(st.integers(2, 6))
    return draw(hnp.arrays(np.float64, (2, m, n), elements=st.floats(-1e-3, 1e-3, allow_subnormal=False)))


def recorded(deviation: np.ndarray[Any, np.dtype[np.float64]], kind: Kind = "linear", targets: Any = None, **more: Any) -> Positioning:
    target = np.linspace(0, 1, deviation.shape[1]) ** 1.1 if targets is None else np.asarray(targets, dtype=float)
    return Positioning(axis="X", kind=kind, target=target, actual=target[None, :, None] + deviation, valid=~np.isnan(deviation), **more)


def figures(deviation: np.ndarray[Any, np.dtype[np.float64]], edition: iso230_2.Edition = "2014") -> dict[str, float]:
    result = iso230_2.evaluate(recorded(deviation), edition=edition)
    return {key: float(figure.value) for key, figure in result.figures.items() if figure.value is not None}


@given(deviations(), st.floats(-1e-3, 1e-3))
def test_a_constant_offset_changes_nothing(x: Any, offset: float) -> None:
    assert figures(x + offset) == pytest.approx(figures(x), rel=0, abs=EPS)


@given(deviations(), st.floats(-3, 3))
def test_figures_scale_with_the_deviations(x: Any, c: float) -> None:
    expected = {key: value * (c if key == "B_mean" else abs(c)) for key, value in figures(x).items()}
    # For c < 0 only the sign of B̄ follows.
    assert figures(c * x) == pytest.approx(expected, rel=0, abs=3 * EPS)


@given(deviations())
def test_swapping_the_directions_swaps_their_figures_and_turns_the_reversal(x: Any) -> None:
    before, after = iso230_2.evaluate(recorded(x)), iso230_2.evaluate(recorded(x[::-1]))
    for key in ("A", "E", "M", "R", "B"):
        assert getattr(after, key) == getattr(before, key)
    for key in ("A", "E", "R"):
        assert getattr(after, f"{key}_up") == getattr(before, f"{key}_down")
    np.testing.assert_array_equal(after.reversal, -before.reversal)
    assert after.B_mean == -before.B_mean  # type: ignore[operator]


@given(deviations())
def test_mirroring_the_axis_leaves_the_bidirectional_figures(x: Any) -> None:
    before = iso230_2.evaluate(recorded(x))
    target = np.linspace(0, 1, x.shape[1]) ** 1.1
    mirrored = iso230_2.evaluate(recorded(-x[::-1, ::-1], targets=-target[::-1]))
    for key in ("A", "E", "M", "R", "B"):
        assert getattr(mirrored, key) == pytest.approx(getattr(before, key), rel=0, abs=EPS)
    assert mirrored.A_up == pytest.approx(before.A_down, rel=0, abs=EPS)


@given(deviations(), st.randoms(use_true_random=False))
def test_the_order_of_runs_changes_nothing(x: Any, random: Any) -> None:
    order = list(range(x.shape[2]))
    random.shuffle(order)
    assert figures(x[:, :, order]) == pytest.approx(figures(x), rel=0, abs=EPS)


@given(deviations(), st.randoms(use_true_random=False))
def test_the_order_of_targets_changes_nothing(x: Any, random: Any) -> None:
    order = list(range(x.shape[1]))
    random.shuffle(order)
    assert figures(x[:, order]) == pytest.approx(figures(x), rel=0, abs=EPS)


@given(deviations(), st.sampled_from(["2014", "2006", "1997", "1988"]))
def test_the_figures_keep_their_order(x: Any, edition: iso230_2.Edition) -> None:
    f = figures(x, edition)
    assert f["M"] <= f["E"] + EPS and f["E"] <= f["A"] + EPS
    assert f["E"] <= f["M"] + f["B"] + EPS
    assert f["A"] >= max(f["A_up"], f["A_down"]) - EPS
    assert f["R"] >= max(f["R_up"], f["R_down"], f["B"]) - EPS
    assert abs(f["B_mean"]) <= f["B"] + EPS
    assert all(value >= 0 for key, value in f.items() if key != "B_mean")


@given(deviations())
def test_the_figures_are_those_of_the_definition_written_out(x: Any) -> None:
    """The formulas once more, in plain Python loops over the deviations themselves."""
    _, m, n = x.shape
    mean = [[sum(x[d, i]) / n for i in range(m)] for d in (0, 1)]
    s = [[math.sqrt(sum((v - mean[d][i]) ** 2 for v in x[d, i]) / (n - 1)) for i in range(m)] for d in (0, 1)]
    both = [(d, i) for d in (0, 1) for i in range(m)]
    expected = {
        "E": max(mean[d][i] for d, i in both) - min(mean[d][i] for d, i in both),
        "A": max(mean[d][i] + 2 * s[d][i] for d, i in both) - min(mean[d][i] - 2 * s[d][i] for d, i in both),
        "M": max((mean[0][i] + mean[1][i]) / 2 for i in range(m)) - min((mean[0][i] + mean[1][i]) / 2 for i in range(m)),
        "B": max(abs(mean[0][i] - mean[1][i]) for i in range(m)),
        "B_mean": sum(mean[0][i] - mean[1][i] for i in range(m)) / m,
        "R": max(max(2 * s[0][i] + 2 * s[1][i] + abs(mean[0][i] - mean[1][i]), 4 * s[0][i], 4 * s[1][i]) for i in range(m)),
        "R_up": max(4 * v for v in s[0]),
        "R_down": max(4 * v for v in s[1]),
    }
    found = figures(x)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=0, abs=EPS)


@given(deviations())
def test_vdi_p_is_at_least_its_parts(x: Any) -> None:
    r = vdi3441.evaluate(recorded(x))
    assert r.P is not None and r.P_a is not None
    assert r.P >= r.P_a - EPS
    assert r.P >= np.max(r.reversal_span + r.positional_scatter) - EPS


@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.one_of(st.just(math.nan), st.floats(-1e-3, 1e-3))))
@settings(max_examples=200)
def test_whatever_is_missing_every_figure_has_a_value_or_a_reason(x: Any) -> None:
    for result in (iso230_2.evaluate(recorded(x)), vdi3441.evaluate(recorded(x)), vdi3441.evaluate(recorded(x), scatter="range")):
        for figure in result.figures.values():
            assert (figure.value is None) != (figure.reason is None)
            assert figure.value is None or math.isfinite(figure.value)
        json.dumps(result.to_dict(), allow_nan=False)
        assert str(result) and result._repr_html_()
    if np.isnan(x).any():
        assert not iso230_2.evaluate(recorded(x)).conforming


# The cases that the standard leaves open


def test_a_missing_approach_leaves_n_minus_one_at_that_target() -> None:
    x = np.arange(24.0).reshape(2, 3, 4) ** 2 * 1e-6
    x[0, 1, 2] = np.nan
    result = iso230_2.evaluate(recorded(x))
    assert result.count.tolist() == [[4, 3, 4], [4, 4, 4]]
    kept = x[0, 1, [0, 1, 3]]
    assert result.mean[0, 1] == pytest.approx(kept.mean(), abs=EPS)
    assert result.estimator[0, 1] == pytest.approx(kept.std(ddof=1), abs=EPS)
    assert result.A is not None
    assert any("target 2 at" in flag and "3 of 4 approaches ↑" in flag for flag in result.flags)


def test_one_approach_at_a_target_takes_s_away_and_says_where() -> None:
    x = np.zeros((2, 3, 5))
    x[1, 2, 1:] = np.nan
    result = iso230_2.evaluate(recorded(x, targets=[0.0, 0.11, 0.2]))
    for key in ("R", "A", "R_down", "A_down"):
        assert getattr(result, key) is None
        assert "only one approach ↓ at target 3 at 200 mm" in result.figures[key].reason  # type: ignore[operator]
    assert None not in (result.R_up, result.A_up, result.E, result.M, result.B)
    assert result.to_dict()["estimator"][1][2] is None


def test_no_approach_at_a_target_takes_the_mean_away_too() -> None:
    x = np.zeros((2, 3, 5))
    x[0, 0] = np.nan
    result = iso230_2.evaluate(recorded(x))
    assert result.E is None and result.M is None and result.B is None and result.E_up is None
    assert result.figures["E"].reason == "no approach ↑ at target 1 at 0 mm"
    assert result.E_down == pytest.approx(0, abs=EPS) and result.R_down == pytest.approx(0, abs=EPS)


def test_one_direction_has_the_figures_of_that_direction_only() -> None:
    x = np.random.default_rng(1).normal(0, 1e-6, (2, 5, 5))
    x[1] = np.nan
    result = iso230_2.evaluate(recorded(x))
    assert {key for key in KEYS if getattr(result, key) is not None} == {"A_up", "E_up", "R_up"}
    assert result.figures["B"].reason == "no approach ↓ was measured"
    assert not result.conforming


def test_runs_numbered_by_pass_are_not_missing_approaches() -> None:
    """Passes 1, 3, 5 … go up, 2, 4, 6 … down: ten run numbers, five runs each way."""
    rows = [(t, 2 * run + d, d, t + 1e-6 * run) for t in (0.0, 0.03, 0.045, 0.08, 0.1) for run in range(5) for d in (0, 1)]
    target, run, direction, actual = zip(*rows, strict=True)
    result = iso230_2.evaluate(Positioning.from_rows(axis="X", target=target, run=run, direction=direction, actual=actual))
    assert result.flags == () and result.count.tolist() == [[5] * 5, [5] * 5]


@pytest.mark.parametrize(
    ("targets", "n", "more", "expected"),
    [
        ([0, 0.03, 0.05, 0.08, 0.1], 5, {}, None),
        ([0, 0.05, 0.1, 0.16], 5, {}, "4 targets over 160 mm; at least 5"),
        ([0, 0.3, 0.7, 1.0, 1.4, 1.6], 5, {}, "6 targets over 1600 mm; at least 8"),
        ([0, 0.03, 0.05, 0.08, 0.1], 4, {}, "4 runs ↑ instead of 5"),
        ([0, 0.025, 0.05, 0.075, 0.1], 5, {}, "equally spaced (25 mm)"),
        ([0, 0.001, 0.05, 0.08, 0.1], 5, {}, "more than random offsets"),
        ([0, 0.03, 0.05, 0.08, 0.1], 5, {"cycle": "step"}, "step cycle"),
        (np.linspace(0, 3, 13), 1, {}, None),
        (np.linspace(0, 3, 12), 1, {}, "average spacing of targets is 272.7 mm"),
        (np.linspace(0, 3, 13), 3, {}, "3 runs ↑ instead of 1 or 5"),
        (np.radians([0, 40, 90]), 5, {"kind": "rotary"}, None),
        (np.radians([0, 60, 120, 180]), 5, {"kind": "rotary"}, "4 targets over 180°; at least 5"),
        (np.radians([0, 90, 180, 270]), 5, {"kind": "rotary"}, "4 targets over 270°; at least 8"),
        (np.radians(np.arange(0, 361, 45)), 5, {"kind": "rotary"}, None),
        (np.radians(np.arange(0, 1801, 45)), 1, {"kind": "rotary"}, None),
        (np.radians(np.arange(0, 1801, 60)), 1, {"kind": "rotary"}, "60°; at most 45°"),
    ],
)
def test_departures_from_the_test_are_named(targets: Any, n: int, more: dict[str, Any], expected: str | None) -> None:
    flags = iso230_2.evaluate(recorded(np.zeros((2, len(targets), n)), targets=targets, **more)).flags
    if expected is None:
        assert flags == ()
    else:
        assert any(expected in flag for flag in flags), flags


@pytest.mark.parametrize(("targets", "kind"), [(np.linspace(0, 2.5, 11), "linear"), (np.radians(np.arange(0, 721, 45)), "rotary")])
def test_a_long_axis_with_one_approach_each_way_has_means_only(targets: Any, kind: Kind) -> None:
    x = np.random.default_rng(2).normal(0, 1e-6, (2, len(targets), 1))
    result = iso230_2.evaluate(recorded(x, kind=kind, targets=targets))
    assert {key for key in KEYS if getattr(result, key) is not None} == {"E", "E_up", "E_down", "M", "B", "B_mean"}
    assert "clause 6.2" in result.figures["A"].reason  # type: ignore[operator]
    assert result.conforming and np.isnan(result.estimator).all()


def test_one_run_on_a_short_axis_is_no_test() -> None:
    result = iso230_2.evaluate(recorded(np.zeros((2, 5, 1))))
    assert "1 run ↑ instead of 5" in result.flags
    assert result.A is None and "clause" not in result.figures["A"].reason  # type: ignore[operator]


def test_different_numbers_of_runs_are_flagged_and_evaluated() -> None:
    x = np.zeros((2, 5, 5))
    x[1, :, 4] = np.nan
    result = iso230_2.evaluate(recorded(x))
    assert "5 runs ↑ but 4 runs ↓; both directions have the same number" in result.flags
    assert result.A == pytest.approx(0, abs=EPS)


def test_a_rotary_axis_is_evaluated_across_the_turn() -> None:
    target = np.radians(np.arange(0, 360, 45))
    x = np.random.default_rng(3).normal(0, 1e-5, (2, 8, 5))
    actual = np.mod(target[None, :, None] + x, 2 * math.pi)  # an encoder that jumps at 360°
    wrapped = Positioning(axis="C", kind="rotary", target=target, actual=actual, valid=np.ones_like(actual, dtype=bool))
    expected = iso230_2.evaluate(recorded(x, kind="rotary", targets=target))
    result = iso230_2.evaluate(wrapped)
    assert result.unit == "rad"
    # A turn is 6.28 rad: positions are rounded by up to 4.4e-16 rad.
    assert {key: getattr(result, key) for key in KEYS} == pytest.approx({key: getattr(expected, key) for key in KEYS}, rel=0, abs=EPS)
    assert "arcsec" in str(result)


def test_a_rotary_instrument_set_half_a_turn_off_is_refused() -> None:
    x = np.full((2, 3, 5), math.pi) + np.random.default_rng(4).normal(0, 1e-5, (2, 3, 5))
    with pytest.raises(DataError, match="both sides of ±180°"):
        iso230_2.evaluate(recorded(x, kind="rotary"))


def test_hostile_axis_names_stay_text() -> None:
    recording = recorded(np.zeros((2, 2, 2)))
    object.__setattr__(recording, "axis", "<script>alert(1)</script>\x1b[2J")
    result = iso230_2.evaluate(recording)
    assert "<script>" not in result._repr_html_() and "&lt;script&gt;" in result._repr_html_()
    assert "\x1b" not in str(result) and "\x1b" not in result._repr_html_()


def test_an_unknown_edition_is_refused() -> None:
    with pytest.raises(ValueError, match="edition is '2024'; expected one of 2014"):
        iso230_2.evaluate(recorded(np.zeros((2, 2, 2))), edition="2024")  # type: ignore[arg-type]


# The budget beside the figures


def contributors(**change: Any) -> Contributors:
    return Contributors(**({
        "measured_length_m": 1.0, "targets": 5, "runs": 5, "device_relative": 0.5e-6, "device_resolution_m": 0.0, "misalignment_m": 1e-3,
        "machine_expansion_per_k": 11.7e-6, "machine_expansion_range_per_k": 2e-6, "machine_thermometer_range_k": 0.4,
        "machine_temperature_difference_k": 3.0, "drift_range_m": 1e-6,
    } | change))  # fmt: skip


def test_every_figure_carries_the_uncertainty_of_a_budget_that_fits() -> None:
    fitting = budget(contributors())
    result = iso230_2.evaluate(recorded(np.zeros((2, 5, 5))), uncertainty=fitting)
    for key in KEYS:
        assert result.figures[key].uncertainty == fitting.for_figure(key)[0]
    assert "U with k = 2" in str(result)
    older = iso230_2.evaluate(recorded(np.zeros((2, 5, 5))), uncertainty=fitting, edition="1988")
    assert older.figures["R_up"].uncertainty == pytest.approx(1.5 * result.figures["R_up"].uncertainty)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"runs": 6}, "for 6 runs, but a target has only 5"), ({"targets": 4}, "for 4 targets, but 5"), ({"measured_length_m": 0.5}, "for 0.5 m, but the targets span 1 m")],
)
def test_a_budget_that_would_claim_too_little_is_not_used(change: dict[str, Any], reason: str) -> None:
    figure = iso230_2.evaluate(recorded(np.zeros((2, 5, 5))), uncertainty=budget(contributors(**change))).figures["E"]
    assert figure.uncertainty is None and reason in (figure.uncertainty_reason or "")


def test_a_budget_of_the_other_kind_of_axis_is_refused() -> None:
    rotary = budget(RotaryContributors(targets=8, device_rad=1e-6, device_resolution_rad=0.0, drift_range_rad=1e-6))
    for standard in (iso230_2, vdi3441):
        with pytest.raises(ValueError, match="budget for a rotary axis"):
            standard.evaluate(recorded(np.zeros((2, 5, 5))), uncertainty=rotary)
