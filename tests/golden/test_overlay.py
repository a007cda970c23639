"""Overlay models: ranks of layouts, covariances, a forward vector, conditions; a tool's report.

Computed independently of this package: 57 full fields of 26 mm × 33 mm within 147 mm, marks at ±12, ±15 mm. Report: "Single Machine
Overlay" of a PAS 5500 stepper, public: mean 3.6 and −3.9 nm, sd 9.5 and 2.0, |mean| + 3σ 32.2 and 9.9, 99.7 % maximum 69.0 and 11.0.
"""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.models import overlay
from precision.models.overlay import (
    FULL_CUBIC,
    MODELS,
    SIX_PARAMETER,
    TEN_PARAMETER,
    WAFER_CUBIC,
    Coordinates,
    Sign,
    k_term,
    zernike,
)
from precision.models.overlay_marks import OverlayMarks, field_grid, full_fields, layout
from precision.standards.overlay import fit
from precision.standards.overlay_rank import rank_report
from precision.standards.overlay_statistics import spread, statistics

FIELDS = full_fields()
CORNERS = field_grid(2, 2)
LAYOUTS = {
    "57 fields × 4 corners": (layout(FIELDS, CORNERS), (6, 10, 20, 26)),
    "57 × 1 in the middle": (layout(FIELDS, [[0, 0]]), (6, 6, 20, 20)),
    "57 × 1 elsewhere": (layout(FIELDS, [[0.01, -0.007]]), (6, 6, 20, 20)),
    "57 × 2 on the diagonal": (layout(FIELDS, CORNERS[[0, 3]]), (6, 8, 20, 22)),
    "57 × 2 at the same y": (layout(FIELDS, CORNERS[[0, 1]]), (6, 8, 20, 22)),
    "1 field × 4": (layout([[0, 0]], CORNERS), (2, 6, 8, 8)),
    "1 field elsewhere × 4": (layout([[0.052, -0.033]], CORNERS), (2, 6, 8, 8)),
    "2 fields in a row × 4": (layout([[0, 0], [0.026, 0]], CORNERS), (4, 8, 14, 16)),
    "3 fields × 4": (layout([[0, 0], [0.026, 0], [0, 0.033]], CORNERS), (6, 10, 20, 22)),
    "2 fields × 1": (layout([[0, 0], [0.026, 0]], [[0, 0]]), (4, 4, 4, 4)),
    "3 fields × 1": (layout([[0, 0], [0.026, 0], [0, 0.033]], [[0, 0]]), (6, 6, 6, 6)),
}


# Cubic terms of the wafer take the mark itself where few fields are to determine them: of one field's centre they would only see a constant.
@pytest.mark.parametrize("name", LAYOUTS)
def test_ranks_of_layouts(name: str) -> None:
    marks, expected = LAYOUTS[name]
    six, ten = rank_report(marks, SIX_PARAMETER).rank, rank_report(marks, TEN_PARAMETER).rank
    twenty, all_of_them = rank_report(marks, WAFER_CUBIC.absolute()).rank, rank_report(marks, FULL_CUBIC.absolute()).rank
    assert (six, ten, twenty, all_of_them) == expected


def test_conditions_of_the_wafer_cubic() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]

    def condition(unit: float) -> float:
        x, y = (marks.position_m / unit).T
        return float(np.linalg.cond(np.stack([np.concatenate(term.at(x, y)) for term in WAFER_CUBIC.terms], axis=1)))

    assert condition(1e-3) == pytest.approx(1.38e6, rel=0.005) and condition(0.15) == pytest.approx(19.7, abs=0.05)
    assert rank_report(marks, WAFER_CUBIC.absolute()).condition_scaled < 19.7


P = 1e-9 * np.array([5, -3, 100, -50, 200, 250, 1000, -500, 800, 400])
"""Tx, Ty, Mx, My, Rx, Ry, mx, my, rx, ry in SI."""


def test_forward_vector_of_the_ten_parameter_model() -> None:
    marks = OverlayMarks(
        field_centre_m=1e-3 * np.array([[-52, -66], [0, 0], [52, 33], [78, -33]]),
        in_field_m=1e-3 * np.array([[-12, -15], [12, -15], [-12, 15], [12, 15]]),
    )
    moved = TEN_PARAMETER.overlay(marks, P) * 1e9
    np.testing.assert_allclose(moved, np.array([[13, 29, -20.4, 19.4], [-10, 9.3, -3.95, 15.45]]).T, rtol=0, atol=1e-12)


def test_covariances_of_unit_noise() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    random = np.random.default_rng(0)
    found = fit(marks, TEN_PARAMETER.overlay(marks, P) + random.normal(0, 1e-9, (228, 2)), TEN_PARAMETER)
    assert found.sd_m is not None
    relative = dict(zip(TEN_PARAMETER.keys, found.standard_uncertainty / found.sd_m, strict=True))
    assert relative["Tx"] == pytest.approx(1 / math.sqrt(228), rel=1e-9) == pytest.approx(0.066227, abs=0.51e-6)
    # Per unit noise in nm and ppm: 1/m in SI is 1e-3 per mm.
    expected = {
        "Mx": 0.001000,
        "Ry": 0.001000,
        "My": 0.001129,
        "Rx": 0.001129,
        "mx": 0.005519,
        "ry": 0.005519,
        "my": 0.004415,
        "rx": 0.004415,
    }
    for key, value in expected.items():
        assert relative[key] * 1e-3 == pytest.approx(value, abs=0.51e-6), key
    assert found.degrees_of_freedom == 2 * 228 - 10


def test_terms_come_back_exactly_without_noise() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    found = fit(marks, TEN_PARAMETER.overlay(marks, P), TEN_PARAMETER)
    # Overlay of 50 nm is rounded by 7e-24 m; over 57 fields of 0.1 m that is 1e-23.
    np.testing.assert_allclose(found.coefficients, P, rtol=0, atol=1e-20)
    assert (
        found["M"] == pytest.approx(25e-9)
        and found["aM"] == pytest.approx(75e-9)
        and found["R"] == pytest.approx(225e-9)
        and found["N"] == pytest.approx(50e-9)
    )


def test_aliases_are_named_with_their_factors() -> None:
    report = rank_report(layout(FIELDS, [[0.01, -0.007]]), TEN_PARAMETER)
    named = {alias.term.key: dict(alias.equals) for alias in report.aliases}
    # x = 10 mm everywhere: dx = mx·0.01 is a translation; rx: dx = −rx·(−0.007).
    assert named == {
        "mx": {"Tx": pytest.approx(0.01)},
        "my": {"Ty": pytest.approx(-0.007)},
        "rx": {"Tx": pytest.approx(0.007)},
        "ry": {"Ty": pytest.approx(0.01)},
    }
    assert set(report.undetermined) == {"Tx", "Ty", "mx", "my", "rx", "ry"}
    assert report.reduced.keys == SIX_PARAMETER.keys


def test_dropped_terms_have_no_value_and_their_partners_no_uncertainty() -> None:
    marks = layout(FIELDS, [[0.01, -0.007]])
    random = np.random.default_rng(1)
    found = fit(marks, random.normal(0, 1e-9, (57, 2)), TEN_PARAMETER, deficient="drop")
    assert found["mx"] is None and "cannot be told from 0.01·Tx" in (found.figures["mx"].reason or "")
    assert found.figures["Tx"].uncertainty is None and "holds that of" in (found.figures["Tx"].uncertainty_reason or "")
    assert found.figures["Mx"].uncertainty is not None


def test_collinear_fields_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"fields' centres lie on one line.*My: no reading depends on it"):
        fit(layout([[0, 0], [0.026, 0]], CORNERS), np.zeros((8, 2)), TEN_PARAMETER)


def test_too_few_marks_are_refused_with_numbers() -> None:
    with pytest.raises(DataError, match="6 valid readings for 10 terms"):
        fit(layout(FIELDS[:3], [[0, 0]]), np.zeros((3, 2)), TEN_PARAMETER)


def test_a_missing_component_is_refused_with_the_way_out() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    moved = TEN_PARAMETER.overlay(marks, P)
    moved[:, 1] = np.nan
    with pytest.raises(DataError, match=r"no mark has a valid dy.*Ty: no reading depends on it"):
        fit(marks, moved, TEN_PARAMETER)
    found = fit(marks, moved, TEN_PARAMETER.of_component("x"))
    np.testing.assert_allclose(found.coefficients, P[[0, 2, 4, 6, 8]], rtol=0, atol=1e-20)


def test_missing_marks_change_nothing_without_noise() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    moved = TEN_PARAMETER.overlay(marks, P)
    moved[::7, 0] = np.nan
    moved[3:9] = np.nan
    np.testing.assert_allclose(fit(marks, moved, TEN_PARAMETER).coefficients, P, rtol=0, atol=1e-20)


def test_nanometres_taken_for_metres_are_refused_with_the_mark() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    moved = np.zeros((228, 2))
    moved[5] = 3.0
    with pytest.raises(DataError, match=r"mark 5 \(field 1, x = 12 mm, y = −15 mm\).*correct the unit"):
        fit(marks, moved, SIX_PARAMETER)


def test_absolute_coordinates_give_other_field_terms() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    moved = TEN_PARAMETER.overlay(marks, P)
    found = fit(marks, moved, TEN_PARAMETER.absolute())
    assert found.model.coordinates is Coordinates.MARK
    # The wafer's terms now act in the field too, so the field's are what is left.
    by_key = dict(zip(TEN_PARAMETER.keys, P, strict=True))
    for field, wafer in (("mx", "Mx"), ("my", "My"), ("rx", "Rx"), ("ry", "Ry")):
        assert found[field] == pytest.approx(by_key[field] - by_key[wafer], abs=1e-18)


def test_the_correction_is_the_opposite_of_second_minus_first() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    moved = SIX_PARAMETER.overlay(marks, P[:6])
    np.testing.assert_allclose(fit(marks, moved, SIX_PARAMETER).corrections, -P[:6], rtol=0, atol=1e-20)
    np.testing.assert_allclose(fit(marks, -moved, SIX_PARAMETER, sign=Sign.FIRST_MINUS_SECOND).corrections, -P[:6], rtol=0, atol=1e-20)


@pytest.mark.parametrize(
    ("number", "dx", "dy"),
    [(1, (0, 0), None), (3, (1, 0), None), (5, (0, 1), None), (7, (2, 0), None), (9, (1, 1), None), (11, (0, 2), None), (13, (3, 0), None), (15, (2, 1), None),
     (17, (1, 2), None), (19, (0, 3), None), (2, None, (0, 0)), (4, None, (0, 1)), (6, None, (1, 0)), (8, None, (0, 2)), (10, None, (1, 1)), (12, None, (2, 0)),
     (14, None, (0, 3)), (16, None, (1, 2)), (18, None, (2, 1)), (20, None, (3, 0))],
)  # fmt: skip
def test_order_of_the_k_terms(number: int, dx: tuple[int, int] | None, dy: tuple[int, int] | None) -> None:
    term = k_term(number)
    assert [part[1:] for part in term.dx] == ([] if dx is None else [dx]) and [part[1:] for part in term.dy] == ([] if dy is None else [dy])


def test_models_have_as_many_terms_as_they_say() -> None:
    assert {name: len(model.terms) for name, model in MODELS.items()} == {name: int(name) for name in MODELS}


@pytest.mark.parametrize(("n", "m"), [(0, 0), (1, 1), (1, -1), (2, 0), (2, 2), (2, -2), (3, 1), (3, -3), (4, 0), (4, -2), (5, 3), (6, 0)])
def test_zernike_polynomials_are_those_of_the_disk(n: int, m: int) -> None:
    random = np.random.default_rng(0)
    rho, theta = np.sqrt(random.random(50)), random.uniform(0, 2 * np.pi, 50)
    k = abs(m)
    radial = sum(
        (-1) ** s
        * math.factorial(n - s)
        / (math.factorial(s) * math.factorial((n + k) // 2 - s) * math.factorial((n - k) // 2 - s))
        * rho ** (n - 2 * s)
        for s in range((n - k) // 2 + 1)
    )
    expected = radial * (np.cos(m * theta) if m >= 0 else np.sin(k * theta))
    found, other = zernike(n, m, "x", radius_m=0.15).at(0.15 * rho * np.cos(theta), 0.15 * rho * np.sin(theta))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert not other.any()


def test_zernike_terms_are_fitted_on_marks() -> None:
    marks = LAYOUTS["57 fields × 4 corners"][0]
    model = overlay.zernike_model(4)
    truth = np.random.default_rng(2).normal(0, 1e-9, len(model.terms))
    assert len(model.terms) == 30
    np.testing.assert_allclose(fit(marks, model.overlay(marks, truth), model).coefficients, truth, rtol=0, atol=1e-20)


def test_the_numbers_of_a_tool_report_belong_together() -> None:
    """|mean| + 3σ of the report follows from its mean and sd within their rounding."""
    for mean, sd, both in ((3.6, 9.5, 32.2), (3.9, 2.0, 9.9)):
        assert mean - 0.05 + 3 * (sd - 0.05) <= both + 0.05 and both - 0.05 <= mean + 0.05 + 3 * (sd + 0.05)
    # 500 marks with that mean and sd of which two are 69 nm: the 99.7 % maximum is theirs, |mean| + 3σ hides them.
    random = np.random.default_rng(3)
    d = np.concatenate([random.normal(3.6, 8.6, 498), [69.0, 69.0]])
    found = spread(d * 1e-9)
    assert found is not None and found.mean_plus_three_sigma is not None
    assert found.most == pytest.approx(69e-9) and found.mean_plus_three_sigma < 36e-9


def test_quantile_of_a_normal_law_is_2_97_sigma() -> None:
    found = spread(np.random.default_rng(4).normal(0, 1e-9, 400_000))
    # p(1 − p)/(n·f²) with f the density of |N| at 2.968: sd 0.009.
    assert found is not None and found.most == pytest.approx(2.968e-9, abs=0.03e-9)


def test_statistics_take_what_was_read() -> None:
    found = statistics(np.array([[1e-9, np.nan], [3e-9, np.nan], [np.nan, np.nan]]))
    assert found.y is None and found.vector is None and found.x is not None
    assert (found.x.count, found.x.mean, found.x.largest) == (2, pytest.approx(2e-9), 3e-9) and found.x.sd == pytest.approx(
        math.sqrt(2) * 1e-9
    )
