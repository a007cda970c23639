"""What must hold for any overlay: decompositions add up, predictions are refits, outliers are found, layouts keep their rules."""

import json

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.overlay import FIELD_CUBIC, PER_FIELD, SIX_PARAMETER, TEN_PARAMETER, TWO_PARAMETER, WAFER_CUBIC
from precision.models.overlay_marks import OverlayMarks, field_grid, full_fields, layout
from precision.standards import mask_registration, self_calibration
from precision.standards.overlay import fit
from precision.standards.overlay_cross_validation import leave_one_field_out
from precision.standards.overlay_decomposition import LINEAR_STEPS, decompose
from precision.standards.overlay_fingerprint import field_fingerprint, without_field_map
from precision.standards.overlay_lot import fit_lot
from precision.standards.overlay_matching import Exposures, compare
from precision.standards.overlay_per_field import per_field
from precision.standards.overlay_robust import robust_fit
from precision.standards.overlay_sampling import Rules, evaluate, optimal
from precision.standards.self_calibration_views import THREE_VIEWS

MARKS = layout(full_fields(), field_grid(3, 3), meander=True)
P = 1e-9 * np.array([5, -3, 100, -50, 200, 250, 1000, -500, 800, 400])


def wafer(seed: int, noise: float = 1e-9, marks: OverlayMarks = MARKS) -> np.ndarray:
    return TEN_PARAMETER.overlay(marks, P) + np.random.default_rng(seed).normal(0, noise, (marks.count, 2))


def test_every_result_prints_itself_and_is_plain_json() -> None:
    d = wafer(20)
    d[5] = np.nan
    found = fit(MARKS, d, TEN_PARAMETER)
    alone = Exposures(first_machine="A", first_chuck="1", second_machine="A", second_chuck="1")
    results = [
        found, robust_fit(MARKS, d, TEN_PARAMETER), per_field(found), leave_one_field_out(found), decompose(MARKS, d), fit_lot(MARKS, d[None], TEN_PARAMETER),
        compare(MARKS, d[None], [alone]), optimal(MARKS, SIX_PARAMETER, 20), mask_registration.evaluate(MARKS.position_m, MARKS.position_m + d),
        self_calibration.evaluate(THREE_VIEWS, np.zeros((3, 3, 3, 2)), pitch_m=1e-3),
    ]  # fmt: skip
    for result in results:
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["title"] == result.title
        assert result.title in str(result) and "<table>" in result._repr_html_()
        for key, figure in result.figures.items():
            # Each figure has U or says why not, and so it has a value.
            assert (figure.value is None) == (figure.reason is not None) and (figure.uncertainty is None) == (figure.uncertainty_reason is not None), key


def test_weights_are_those_of_generalised_least_squares() -> None:
    noise = np.random.default_rng(1).uniform(0.5e-9, 4e-9, (MARKS.count, 2))
    d = wafer(2)
    found = fit(MARKS, d, TEN_PARAMETER, noise_m=noise)
    a, w = TEN_PARAMETER.design(MARKS), 1 / noise.T.ravel()
    expected = np.linalg.lstsq(a * w[:, None] * 1e-9, d.T.ravel() * w * 1e-9, rcond=None)[0]
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-9)
    normal = np.linalg.inv((a * w[:, None]).T @ (a * w[:, None]))
    rest = (d.T.ravel() - a @ expected) * w
    expected_covariance = normal * (rest @ rest) / (2 * MARKS.count - 10)
    size = np.sqrt(np.diagonal(expected_covariance))
    np.testing.assert_allclose(found.covariance / np.outer(size, size), expected_covariance / np.outer(size, size), rtol=0, atol=1e-9)


def test_stated_noise_that_is_too_small_is_told() -> None:
    assert any("times the stated noise" in flag for flag in fit(MARKS, wafer(3), TEN_PARAMETER, noise_m=0.5e-9).flags)
    assert not fit(MARKS, wafer(3), TEN_PARAMETER, noise_m=1e-9).flags


def test_stated_noise_gives_the_uncertainty_where_no_freedom_is_left() -> None:
    marks = layout([[0, 0], [0.026, 0], [0, 0.033]], [[0, 0]])
    d = SIX_PARAMETER.overlay(marks, P[:6])
    assert fit(marks, d, SIX_PARAMETER).figures["Tx"].uncertainty is None
    assert fit(marks, d, SIX_PARAMETER, noise_m=2e-9).figures["Tx"].uncertainty == pytest.approx(4e-9)


def test_one_term_has_f_of_t_squared() -> None:
    found = fit(MARKS, wafer(4), TEN_PARAMETER)
    f, p = found.f_test("mx")
    assert f == pytest.approx(float(found.t[6]) ** 2, rel=1e-9) and p == pytest.approx(float(found.p_value[6]), abs=1e-12)


def test_f_of_several_terms_is_that_of_the_nested_fits() -> None:
    d = np.random.default_rng(5).normal(0, 1e-9, (MARKS.count, 2))
    large, small = fit(MARKS, d, TEN_PARAMETER), fit(MARKS, d, SIX_PARAMETER)
    rest_large, rest_small = (np.sum(one.residual_m**2) for one in (large, small))
    expected = (rest_small - rest_large) / 4 / (rest_large / large.degrees_of_freedom)
    f, p = large.f_test("mx", "my", "rx", "ry")
    assert f == pytest.approx(expected, rel=1e-9) and 0.001 < p < 1


def test_leverages_sum_to_the_terms() -> None:
    assert np.sum(fit(MARKS, wafer(6), TEN_PARAMETER).leverage) == pytest.approx(10, abs=1e-9)


@pytest.mark.parametrize("field", [0, 20, 56])
def test_leave_one_field_out_is_a_fit_without_it(field: int) -> None:
    d = wafer(7)
    found = leave_one_field_out(fit(MARKS, d, TEN_PARAMETER))
    others = np.flatnonzero(MARKS.field != field)
    refit = fit(MARKS.part(others), d[others], TEN_PARAMETER)
    inside = MARKS.field == field
    np.testing.assert_allclose(
        found.predicted_m[inside], (d - TEN_PARAMETER.overlay(MARKS, refit.coefficients))[inside], rtol=0, atol=1e-20
    )


def test_a_field_that_alone_determines_a_term_is_named() -> None:
    marks = layout([[0, 0], [0.026, 0], [0, 0.033]], field_grid(2, 2))
    found = leave_one_field_out(fit(marks, SIX_PARAMETER.overlay(marks, P[:6]), SIX_PARAMETER))
    assert set(found.needed) == {0, 1, 2} and "My" in found.needed[2] and found["ratio"] is None


def test_too_many_terms_predict_badly() -> None:
    marks = layout(full_fields()[::4], field_grid(2, 2))
    d = np.random.default_rng(8).normal(0, 1e-9, (marks.count, 2))
    found = leave_one_field_out(fit(marks, d, WAFER_CUBIC, deficient="drop"))
    assert found["ratio"] is not None and found["ratio"] > 1.5 and any("too many terms" in flag for flag in found.flags)


@pytest.mark.parametrize("regularisation", [0.0, 5.0])
def test_parts_of_the_decomposition_add_up(regularisation: float) -> None:
    d = wafer(9) + np.repeat(np.random.default_rng(9).normal(0, 3e-9, (57, 2)), 9, axis=0)
    d[4, 0] = np.nan
    found = decompose(MARKS, d, regularisation=regularisation)
    raw = float(np.nansum(d**2))
    explained = sum(step.explained for step in found.steps)
    assert explained * raw + found.steps[-1].sum_of_squares_m2 == pytest.approx(raw, rel=1e-12)
    assert [step.name for step in found.steps] == ["raw", "inter", "intra", "higher order", "per field"]
    assert found.steps[2].p_value is not None and found.steps[2].p_value < 1e-10
    # Fields that moved as a whole are what the last step takes away.
    assert found.steps[4].sd_m is not None and found.steps[3].sd_m is not None and found.steps[4].sd_m < 0.6 * found.steps[3].sd_m


def test_steps_that_are_not_nested_are_refused() -> None:
    with pytest.raises(ValueError, match="'intra' lacks"):
        decompose(MARKS, wafer(1), steps=(("inter", SIX_PARAMETER), ("intra", TWO_PARAMETER)))
    assert [name for name, _ in LINEAR_STEPS] == ["inter", "intra", "higher order"]


def test_fields_are_corrected_one_by_one() -> None:
    moved = np.random.default_rng(10).normal(0, 5e-9, (57, 2))
    moved -= moved.mean(axis=0)
    base = fit(MARKS, np.repeat(moved, 9, axis=0), TWO_PARAMETER)
    found = per_field(base)
    np.testing.assert_allclose(found.coefficients[:, :2], moved, rtol=0, atol=1e-20)
    assert np.abs(found.residual_m).max() < 1e-20 and found.effective_terms == pytest.approx(57 * 6)


def test_regularisation_holds_fields_to_the_wafer_model() -> None:
    base = fit(MARKS, wafer(11), TEN_PARAMETER)
    free, held, stiff = (per_field(base, regularisation=value) for value in (0.0, 9.0, 1e9))
    # Translations: the mean of 9 marks, of which λ = 9 readings leave half.
    np.testing.assert_allclose(held.coefficients[:, 0], free.coefficients[:, 0] / 2, rtol=1e-9)
    assert np.abs(stiff.residual_m - base.residual_m).max() < 1e-15
    assert free.effective_terms > held.effective_terms > stiff.effective_terms
    assert any("follow noise" in flag for flag in free.flags) and not any("follow noise" in flag for flag in stiff.flags)


def test_fields_with_few_marks_fall_back() -> None:
    d = wafer(12)
    for field, kept in ((4, []), (5, [0]), (6, [0, 1, 2]), (7, [0, 1, 3])):
        rows = np.flatnonzero(MARKS.field == field)
        d[np.delete(rows, kept)] = np.nan
    d[MARKS.field == 8, 1] = np.nan
    found = per_field(fit(MARKS, d, TEN_PARAMETER))
    assert set(found.fallback) == {4, 5, 6, 8}  # three marks that are not on one line are enough
    determined = np.isfinite(found.coefficients)
    assert not determined[4].any() and determined[5].sum() == 2 and determined[6].sum() == 2 and determined[7].all()
    assert [key for key, there in zip(PER_FIELD.keys, determined[8], strict=True) if there] == ["field_k1", "field_k3", "field_k5"]
    assert "lie on one line" in found.fallback[6] and "no valid dy" in found.fallback[8]


def test_higher_orders_per_field_fall_back_to_the_order_that_is_determined() -> None:
    found = per_field(fit(MARKS, wafer(13), TEN_PARAMETER), terms=FIELD_CUBIC.with_terms(PER_FIELD.terms, "all"))
    assert "up to order 2 only" in found.fallback[0]


@pytest.mark.parametrize("law", ["huber", "tukey"])
def test_planted_outliers_are_rejected_with_both_components(law: str) -> None:
    d = wafer(14)
    planted = [3, 77, 200, 400, 511]
    d[planted, 0] += 30e-9
    d[77, 0] = np.nan
    d[77, 1] -= 25e-9
    found = robust_fit(MARKS, d, TEN_PARAMETER, law=law)  # type: ignore[arg-type]
    assert sorted(one.mark for one in found.rejected) == planted
    assert not np.nansum(found.weight[planted]) and found.rank.readings == 2 * (MARKS.count - 5)
    assert found.covers(P).sum() >= 8
    clean = np.delete(np.arange(MARKS.count), planted)
    plain = fit(MARKS.part(clean), d[clean], TEN_PARAMETER)
    # Of 500 good marks the robust law uses 95 %: it differs by a part of the standard uncertainty.
    assert (np.abs(found.coefficients - plain.coefficients) < plain.standard_uncertainty).all()


def test_no_more_than_the_allowed_part_is_rejected() -> None:
    d = wafer(15)
    d[::5, 0] += 40e-9
    found = robust_fit(MARKS, d, TEN_PARAMETER)
    assert len(found.rejected) == MARKS.count // 10
    assert any("may mask one another" in flag for flag in found.flags)


def test_without_outliers_robust_agrees_with_least_squares() -> None:
    d = wafer(16)
    plain = fit(MARKS, d, TEN_PARAMETER)
    for law in ("huber", "tukey"):
        found = robust_fit(MARKS, d, TEN_PARAMETER, law=law)  # type: ignore[arg-type]
        assert (np.abs(found.coefficients - plain.coefficients) < plain.standard_uncertainty).all()
        np.testing.assert_allclose(found.standard_uncertainty, plain.standard_uncertainty, rtol=0.1)


def test_a_lot_is_the_same_as_its_wafers() -> None:
    d = np.stack([wafer(seed) for seed in range(6)])
    d[np.random.default_rng(1).random(d.shape) < 0.05] = np.nan
    d[4, 9:] = np.nan
    d[5, :, 1] = np.nan
    lot = fit_lot(MARKS, d, TEN_PARAMETER)
    assert set(lot.not_fitted) == {4, 5} and "Ty: no reading depends on it" in lot.not_fitted[5]
    for number in range(4):
        one = fit(MARKS, d[number], TEN_PARAMETER)
        np.testing.assert_allclose(lot.coefficients[number], one.coefficients, rtol=1e-9)
        np.testing.assert_allclose(lot.uncertainty[number], [one.figures[key].uncertainty for key in TEN_PARAMETER.keys], rtol=1e-7)
        assert lot.per_wafer[number, 0] == pytest.approx(one.left.x.mean_plus_three_sigma)  # type: ignore[union-attr]
    assert np.isnan(lot.coefficients[4:]).all()


def test_fingerprint_and_mask_map() -> None:
    places = field_grid(3, 3)
    mask = np.random.default_rng(2).normal(0, 4e-9, (9, 2))
    d = np.tile(mask, (57, 1))
    found = field_fingerprint(MARKS, d)
    np.testing.assert_allclose(found.in_field_m, places)
    np.testing.assert_allclose(found.mean_m, mask, rtol=0, atol=1e-20)
    assert found.rest.x is not None and found.rest.x.largest < 1e-20
    assert np.abs(without_field_map(MARKS, d, in_field_m=places, map_m=mask)).max() < 1e-20
    with pytest.raises(DataError, match="nothing at mark 4"):
        without_field_map(MARKS, d, in_field_m=places[[0, 1, 2, 3]], map_m=mask[:4])


def test_matching_classes_by_machine_and_chuck() -> None:
    a1, a2, b1 = ("A", "1"), ("A", "2"), ("B", "1")
    pairs = [(a1, a1), (a1, a1), (a1, a2), (a1, b1), (a2, b1)]
    exposures = [Exposures(first_machine=p[0], first_chuck=p[1], second_machine=q[0], second_chuck=q[1]) for p, q in pairs]
    random = np.random.default_rng(3)
    d = np.stack(
        [
            SIX_PARAMETER.overlay(MARKS, P[:6] * random.normal()) + random.normal(0, s, (MARKS.count, 2))
            for s in (1e-9, 1e-9, 2e-9, 4e-9, 4e-9)
        ]
    )
    found = compare(MARKS, d, exposures)
    assert found.wafers == {"DCO": (0, 1), "SMO": (0, 1, 2), "MMO": (3, 4)}
    # 6-parameter terms are gone; 3σ of what is left, known to 1/√(2·1026).
    assert found["DCO_m3s_x"] == pytest.approx(3e-9, rel=0.1) and found["MMO_m3s_y"] == pytest.approx(12e-9, rel=0.1)
    alone = compare(MARKS, d[3:], exposures[3:])
    assert alone["DCO_m3s_x"] is None and any("DCO: no wafer" in flag for flag in alone.flags)
    d[3] = np.nan
    with pytest.raises(DataError, match="wafer 3"):
        compare(MARKS, d, exposures)


def test_optimal_layouts_beat_chance_and_keep_the_rules() -> None:
    chosen = [optimal(MARKS, TEN_PARAMETER, 40, seed=seed) for seed in (0, 0, 1)]
    assert (chosen[0].chosen == chosen[1].chosen).all()
    assert chosen[0].counts["equal scan directions"] == (20, 20)
    assert max(chosen[0].counts["equal places in the field"]) - min(chosen[0].counts["equal places in the field"]) <= 1
    ring = np.minimum((3 * (np.hypot(*MARKS.position_m.T) / np.hypot(*MARKS.position_m.T).max()) ** 2).astype(int), 2)
    share = 40 * np.bincount(ring) / MARKS.count
    assert (np.abs(np.array(chosen[0].counts["radial coverage"]) - share) < 1).all()
    random = np.random.default_rng(4)
    by_chance = [evaluate(MARKS, TEN_PARAMETER, random.choice(MARKS.count, 40, replace=False))["D_efficiency"] or 0 for _ in range(50)]
    assert (chosen[0]["D_efficiency"] or 0) > max(by_chance)


def test_g_optimal_layout_has_the_lower_worst_prediction() -> None:
    free = Rules(equal_scan=False, equal_places=False, rings=0)
    d, g = (optimal(MARKS, TEN_PARAMETER, 40, criterion=criterion, rules=free) for criterion in ("D", "G"))  # type: ignore[arg-type]
    assert (g["worst"] or 1) <= (d["worst"] or 0) and (d["D_efficiency"] or 0) >= (g["D_efficiency"] or 0) - 1e-12
    # Kiefer and Wolfowitz: no design is better than 1.
    assert 0.8 < (g["G_efficiency"] or 0) <= 1 + 1e-12


def test_a_line_of_marks_is_d_optimal_at_its_ends() -> None:
    """For a + b·x the D-optimal design has half of its points at each end."""
    line = OverlayMarks(field_centre_m=np.stack([np.linspace(-0.1, 0.1, 21), np.zeros(21)], axis=1), in_field_m=np.zeros((21, 2)))
    found = optimal(line, SIX_PARAMETER.only("Tx", "Mx", "Ty", "Ry"), 2, rules=Rules(equal_scan=False, equal_places=False, rings=0))
    assert found.chosen.tolist() == [0, 20]


def test_rules_that_cannot_be_kept_are_named() -> None:
    with pytest.raises(DataError, match="'most marks per field'"):
        optimal(MARKS, TEN_PARAMETER, 100, rules=Rules(most_per_field=1))
    with pytest.raises(DataError, match="scan directions are not known"):
        optimal(layout(full_fields(), field_grid(3, 3)), TEN_PARAMETER, 40)
