"""Mask registration against a public data set and the cases of an independent program.

Data: Demo-4Point.csv of image-registration (Apache-2.0), a photomask's placement in µm. Expected values of the data set: an independent least-squares
computation of the same readings, to the digits given. Cases: the tests of that program for affine transforms (layouts in µm, displacements, results).
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import mask_registration
from precision.standards.mask_registration import evaluate

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mask_registration" / "Demo-4Point.csv"
NAN = float("nan")


def demo(*, information_too: bool) -> mask_registration.Registration:
    if not DATA.is_file():
        pytest.skip(f"the real data are not beside the repository ({DATA})")
    with DATA.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if information_too or row["type"] != "INFO_ONLY"]
    design = np.array([[float(row["refx"]), float(row["refy"])] for row in rows])
    measured = np.array([[float(row["posx"]), float(row["posy"])] for row in rows])
    return evaluate(design * 1e-6, measured * 1e-6)


# Half a unit of the last digit printed: 5e-5 nm and 5e-7 ppm. Positions of 0.15 m in float64 are rounded by 3e-17 m = 3e-8 nm.
NM, PPM = 0.51e-4, 0.51e-6


def test_eleven_marks_of_a_real_mask_to_the_printed_digits() -> None:
    result = demo(information_too=True)
    np.testing.assert_allclose(result.centre_m * 1e6, [74717.727273, 64326.136364], rtol=0, atol=0.51e-6)
    expected_nm = {"raw_mean_x": 16.6015, "raw_mean_y": -12.4693, "raw_3s_x": 28.5765, "raw_3s_y": 13.1301, "left_3s_x": 10.6846, "left_3s_y": 11.8182,
                   "left_3s_x_adjusted": 11.9457, "left_3s_y_adjusted": 13.2132}  # fmt: skip
    for key, value in expected_nm.items():
        assert result.figures[key].value * 1e9 == pytest.approx(value, abs=NM), key  # type: ignore[operator]
    expected_ppm = {
        "sx": 0.126934,
        "sy": 0.033158,
        "oy": -0.079268,
        "ox": -0.000804,
        "orthogonality": -0.078464,
        "magnification": 0.080046,
        "rotation": 0.040036,
    }
    for key, value in expected_ppm.items():
        assert result.figures[key].value * 1e6 == pytest.approx(value, abs=PPM), key  # type: ignore[operator]


def test_without_the_mark_for_information() -> None:
    result = demo(information_too=False)
    for key, value in {"raw_mean_x": 17.7592, "raw_mean_y": -12.9971, "left_3s_x": 7.7808, "left_3s_y": 9.2726}.items():
        assert result.figures[key].value * 1e9 == pytest.approx(value, abs=NM), key  # type: ignore[operator]
    for key, value in {"sx": 0.108074, "sy": 0.048094, "oy": -0.093888, "ox": -0.020074}.items():
        assert result.figures[key].value * 1e6 == pytest.approx(value, abs=PPM), key  # type: ignore[operator]


def plate(size_x: float, size_y: float, moved: list[list[float]]) -> mask_registration.Registration:
    """Four corners and a mark in the middle that was not read; µm."""
    design = np.array([[0, 0], [0, size_y], [size_x, size_y], [size_x, 0], [size_x / 2, size_y / 2]])
    return evaluate(design * 1e-6, (design + np.array([*moved, [NAN, NAN]])) * 1e-6)


CASES: dict[str, tuple[float, float, list[list[float]], dict[str, float]]] = {
    "nothing": (9000, 8000, [[0, 0]] * 4, {}),
    "scale x": (150000, 140000, [[-0.075, 0], [-0.075, 0], [0.075, 0], [0.075, 0]], {"sx": 1, "magnification": 0.5}),
    "scale y": (150000, 140000, [[0, 0.14], [0, -0.14], [0, -0.14], [0, 0.14]], {"sy": -2, "magnification": -1}),
    "scale x and y": (
        150000,
        140000,
        [[-0.075, 0.14], [-0.075, -0.14], [0.075, -0.14], [0.075, 0.14]],
        {"sx": 1, "sy": -2, "magnification": -0.5},
    ),
    "shear x": (150000, 150000, [[0, 0], [0.15, 0], [0.15, 0], [0, 0]], {"tx": 0.075, "oy": 1, "orthogonality": 1, "rotation": -0.5}),
    "shear y": (150000, 150000, [[0, 0], [0, 0], [0, 0.15], [0, 0.15]], {"ty": 0.075, "ox": -1, "orthogonality": 1, "rotation": 0.5}),
    "shear x and y": (
        150000,
        150000,
        [[0, 0], [0.15, 0], [0.15, 0.15], [0, 0.15]],
        {"tx": 0.075, "ty": 0.075, "ox": -1, "oy": 1, "orthogonality": 2},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_affine_cases_of_an_independent_program(case: str) -> None:
    size_x, size_y, moved, expected = CASES[case]
    result = plate(size_x, size_y, moved)
    np.testing.assert_allclose(result.centre_m * 1e6, [size_x / 2, size_y / 2], rtol=0, atol=1e-6)
    for key in ("tx", "ty", "sx", "sy", "ox", "oy", "magnification", "rotation", "orthogonality"):
        # µm for translations, ppm for the rest: both are 1e6 times SI. Positions of 0.15 m are rounded by 3e-17 m, over 0.07 m 4e-10 ppm.
        assert result.figures[key].value * 1e6 == pytest.approx(expected.get(key, 0.0), abs=1e-9), key  # type: ignore[operator]


def test_only_x_was_read_so_y_is_not_evaluated() -> None:
    design = np.array([[0, 0], [0, 0.14], [0.15, 0.14], [0.15, 0], [0.075, 0.07]])
    moved = np.array([[-75e-9, NAN], [-75e-9, NAN], [75e-9, NAN], [75e-9, NAN], [NAN, NAN]])
    result = evaluate(design, design + moved)
    assert result["sx"] == pytest.approx(1e-6, abs=1e-14)
    assert result["sy"] is None and result["ty"] is None and result["magnification"] is None
    assert "no mark has a valid dy" in " ".join(result.flags)
    assert result["raw_mean_y"] is None and "no mark" in (result.figures["raw_mean_y"].reason or "")


@pytest.mark.parametrize(
    ("along", "known", "unknown"), [(0, {"sx": 1.0, "ox": -1.0}, ("sy", "oy")), (1, {"sy": 1.0, "oy": -1.0}, ("sx", "ox"))]
)
def test_marks_along_one_line_determine_four_parameters(along: int, known: dict[str, float], unknown: tuple[str, str]) -> None:
    steps = np.arange(1, 8) * 0.02
    design = np.full((7, 2), 0.07)
    design[:, along] = steps
    slope = (steps - 0.08) * 1e-6
    moved = np.stack([slope, slope], axis=1) if along == 0 else np.stack([-slope, slope], axis=1)
    result = evaluate(design, design + moved + [0.1e-6, -0.01e-6])
    assert result["tx"] == pytest.approx(0.1e-6, abs=1e-15) and result["ty"] == pytest.approx(-0.01e-6, abs=1e-15)
    for key, value in known.items():
        assert result.figures[key].value * 1e6 == pytest.approx(value, abs=1e-8)
    for key in (*unknown, "magnification", "orthogonality"):
        assert result[key] is None
    assert any("lie on one line" in flag for flag in result.flags)


def test_one_mark_has_a_position_and_nothing_else() -> None:
    result = evaluate([[0.0045, 0.0045]], [[0.0045 + 75e-9, 0.0045 - 75e-9]], parameters=3)
    # A position of 4.5 mm is rounded by 9e-19 m.
    assert result["tx"] == pytest.approx(75e-9, abs=2e-18) and result["ty"] == pytest.approx(-75e-9, abs=2e-18)
    assert result["rotation"] is None and "no reading depends on it" in (result.figures["rotation"].reason or "")


def test_a_mark_without_y_at_all_gives_x_alone() -> None:
    result = evaluate([[0.0045, NAN]], [[0.0045 + 75e-9, NAN]], parameters=3)
    assert result["tx"] == pytest.approx(75e-9, abs=2e-18) and result["ty"] is None


def test_rigid_fit_leaves_scale_in_the_residual() -> None:
    design = np.array([[0, 0], [0, 0.1], [0.1, 0.1], [0.1, 0]])
    centred = design - 0.05
    moved = 1e-6 * centred + 2e-6 * np.stack([-centred[:, 1], centred[:, 0]], axis=1) + [3e-8, -4e-8]
    rigid, similar = (evaluate(design, design + moved, parameters=p) for p in (3, 4))  # type: ignore[arg-type]
    assert rigid["rotation"] == pytest.approx(2e-6, rel=1e-8) and similar["rotation"] == pytest.approx(2e-6, rel=1e-8)
    np.testing.assert_allclose(rigid.residual_m, 1e-6 * centred, rtol=0, atol=2e-16)
    assert similar["magnification"] == pytest.approx(1e-6, rel=1e-8) and np.abs(similar.residual_m).max() < 2e-16


def test_alignment_marks_alone_determine_the_model() -> None:
    design = np.array([[0, 0], [0, 0.1], [0.1, 0.1], [0.1, 0], [0.05, 0.05]])
    moved = np.zeros((5, 2))
    moved[4] = [50e-9, 0]
    result = evaluate(design, design + moved, fitted=[True, True, True, True, False])
    assert np.abs(result.fit.coefficients).max() < 1e-14
    np.testing.assert_allclose(result.residual_m[4], [50e-9, 0], rtol=0, atol=1e-16)


def test_no_reading_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="none of the 2 marks"):
        evaluate([[0, 0], [0.1, 0]], [[NAN, NAN], [NAN, NAN]])


def test_micrometres_taken_for_metres_are_refused() -> None:
    with pytest.raises(DataError, match="expected coordinates in m"):
        evaluate(np.array([[10980.0, 9012.5]]), np.array([[10980.014, 9012.48]]))
