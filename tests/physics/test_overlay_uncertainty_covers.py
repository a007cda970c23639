"""U of overlay terms covers the truth in 95 % of simulated wafers."""

import numpy as np
import pytest

from precision.models.overlay import TEN_PARAMETER, WAFER_CUBIC
from precision.models.overlay_marks import field_grid, full_fields, layout
from precision.standards.overlay import fit
from precision.standards.overlay_lot import fit_lot
from precision.standards.overlay_robust import robust_fit

WAFERS = 2000
P = 1e-9 * np.array([5, -3, 100, -50, 200, 250, 1000, -500, 800, 400])


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_coverage_of_every_term_on_ten_lots_of_two_thousand_wafers(missing: float) -> None:
    """k = 2 with 432 degrees of freedom covers 95.39 %. Of one lot of 2000 wafers a share is known to 0.47 % (binomial): of 24 terms one is beyond 95 % ± 1.5 %
    in a quarter of all lots, by chance alone. Ten lots know it to 0.15 %, so that every single term has to be inside, and 95.39 % is 7 of these away."""
    marks = layout(full_fields(), field_grid(2, 2))
    model = TEN_PARAMETER.with_terms(WAFER_CUBIC.terms[6:], "10 parameters and k7 … k20")
    truth = np.concatenate([P, np.random.default_rng(1).normal(0, 1e-7, 14)])
    lots = []
    for number in range(10):
        random = np.random.default_rng([2, number])
        overlay = model.overlay(marks, truth) + random.normal(0, 1.3e-9, (WAFERS, marks.count, 2))
        overlay[random.random(overlay.shape) < missing] = np.nan
        lot = fit_lot(marks, overlay, model)
        assert np.nanmean(lot.sd_m) == pytest.approx(1.3e-9, rel=0.01)
        lots.append((np.abs(lot.coefficients - truth) <= lot.uncertainty).mean(axis=0))
    covered = np.mean(lots, axis=0)
    assert (np.abs(covered - 0.95) <= 0.015).all(), covered
    # The terms of all lots scatter as shares of 2000 do and no more: nothing but chance is in a single one. χ² of 240: σ of their spread is 4.6 %, three of that.
    assert np.std(lots) == pytest.approx(np.sqrt(0.9539 * 0.0461 / WAFERS), rel=0.14)
    # All together: 24 terms × 20 000 wafers, 0.03 %, and twice that since the terms of a wafer share its s; from 95.39 %.
    assert covered.mean() == pytest.approx(0.9539, abs=0.0018)


def test_coverage_where_fields_scatter_as_a_whole_on_a_thousand_wafers() -> None:
    """The plan's way, by fields: the six terms between fields, and the four inside. A term of 1000 wafers is known to 0.66 %, six to 0.27 %."""
    marks = layout(full_fields(), field_grid(2, 2))
    random = np.random.default_rng(7)
    hits = []
    for _ in range(1000):
        placed = random.normal(0, 0.7e-9, (57, 2))[marks.field]
        overlay = TEN_PARAMETER.overlay(marks, P) + placed + random.normal(0, 0.35e-9, (marks.count, 2))
        hits.append(fit(marks, overlay, TEN_PARAMETER, errors="by field").covers(P))
    covered = np.mean(hits, axis=0)
    assert covered[:6].mean() == pytest.approx(0.95, abs=0.015) and covered[6:].mean() == pytest.approx(0.95, abs=0.015)


def test_few_marks_take_students_factor() -> None:
    """Three fields with two marks: 2 degrees of freedom, for which k = 2 would cover 82 %."""
    marks = layout([[0, 0], [0.1, 0.01], [-0.02, 0.1]], field_grid(2, 1))
    random = np.random.default_rng(3)
    model = TEN_PARAMETER.without("my", "rx")
    overlay = random.normal(0, 1e-9, (WAFERS, marks.count, 2))
    lot = fit_lot(marks, overlay, model)
    assert (lot.degrees_of_freedom == 4).all()
    covered = (np.abs(lot.coefficients) <= lot.uncertainty).mean()
    assert covered == pytest.approx(0.9545, abs=0.01)
    one = fit(marks, overlay[0], model)
    assert one.figures["Tx"].coverage_factor == pytest.approx(2.87)  # GUM, table G.2: 4 degrees of freedom, 95.45 %


def test_fields_that_scatter_as_a_whole_are_covered_by_fields_only() -> None:
    marks = layout(full_fields(), field_grid(2, 2))
    random = np.random.default_rng(5)
    hits: dict[str, list[np.ndarray]] = {"independent": [], "by field": [], "robust": []}
    for _ in range(80):
        placed = random.normal(0, 0.7e-9, (57, 2))[marks.field]
        overlay = TEN_PARAMETER.overlay(marks, P) + placed + random.normal(0, 0.35e-9, (marks.count, 2))
        first = fit(marks, overlay, TEN_PARAMETER)
        assert any("belongs together" in flag for flag in first.flags)
        hits["independent"].append(first.covers(P))
        second = fit(marks, overlay, TEN_PARAMETER, errors="by field")
        assert second.clusters == 56 and not any("belongs together" in flag for flag in second.flags)
        hits["by field"].append(second.covers(P))
        hits["robust"].append(robust_fit(marks, overlay, TEN_PARAMETER, errors="by field").covers(P))
    # 800 terms: 0.74 %; three of that. Inter-field terms with U of independent marks: σ of a field's mean is 0.72 nm, taken for 0.78/√4.
    for kind in ("by field", "robust"):
        assert np.mean(hits[kind]) == pytest.approx(0.9545, abs=0.022), kind
    assert np.mean(hits["independent"], axis=0)[:6].mean() < 0.85


def test_few_fields_are_not_judged_by_fields() -> None:
    marks = layout(full_fields()[::12], field_grid(3, 3))
    found = fit(marks, np.random.default_rng(6).normal(0, 1e-9, (marks.count, 2)), TEN_PARAMETER, errors="by field")
    assert found.clusters is None and any("5 fields are too few to judge 10 terms by fields" in flag for flag in found.flags)


def test_robust_uncertainty_covers_with_outliers_among_the_marks() -> None:
    marks = layout(full_fields(), field_grid(2, 2))
    random = np.random.default_rng(4)
    hits = []
    for _ in range(100):
        overlay = TEN_PARAMETER.overlay(marks, P) + random.normal(0, 1e-9, (marks.count, 2))
        overlay[random.choice(marks.count, 8, replace=False)] += random.normal(0, 40e-9, (8, 2))
        hits.append(robust_fit(marks, overlay, TEN_PARAMETER).covers(P))
    # 1000 terms; those of one wafer are nearly independent: 0.66 %, three of that.
    assert np.mean(hits) == pytest.approx(0.9545, abs=0.02)
