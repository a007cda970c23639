"""Overlay fit: every library gives what a least-squares solver gives for each wafer by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.kernels.overlay_fit import overlay_fit


def wafer(marks: int = 60, terms: int = 6, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A polynomial design in mm (condition about 1e6) and 7 × 2 overlays on it."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-150, 150, (2, marks))
    design = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=1)[:, :terms]
    return design, rng.normal(size=(7, 2, marks))


def one_by_one(design: np.ndarray, overlay: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    coefficients, squares = np.empty((*overlay.shape[:-1], design.shape[1])), np.empty(overlay.shape[:-1])
    weight = np.broadcast_to(weight, overlay.shape)
    length = np.linalg.norm(design, axis=0)
    for k in np.ndindex(overlay.shape[:-1]):
        use = weight[k] > 0
        root = np.sqrt(weight[k][use])
        scaled = (design / length)[use] * root[:, None]
        coefficients[k] = np.linalg.lstsq(scaled, root * overlay[k][use], rcond=None)[0] / length
        squares[k] = (weight[k][use] * (overlay[k][use] - design[use] @ coefficients[k]) ** 2).sum()
    return coefficients, squares


def agree(xp: Any, fit: Any, design: np.ndarray, overlay: np.ndarray, weight: np.ndarray) -> None:
    coefficients, squares = one_by_one(design, overlay, weight)
    length = np.linalg.norm(design, axis=0)
    # columns of length 1 have a condition of some tens here: errors of some hundred roundings of numbers of size 10
    np.testing.assert_allclose(xp.numbers(fit.coefficients) * length, coefficients * length, rtol=0, atol=1e-12)
    np.testing.assert_allclose(xp.numbers(fit.residual_sum_of_squares), squares, rtol=1e-11)
    np.testing.assert_array_equal(xp.numbers(fit.marks), (np.broadcast_to(weight, overlay.shape) > 0).sum(axis=-1))


def test_every_wafer_is_its_own_least_squares_fit(xp: Any) -> None:
    design, overlay = wafer()
    agree(xp, overlay_fit(xp.asarray(design), xp.asarray(overlay)), design, overlay, np.ones(60))
    alone = overlay_fit(xp.asarray(design), xp.asarray(overlay[0, 0]))
    agree(xp, alone, design, overlay[0, 0], np.ones(60))


@pytest.mark.parametrize("shape", [(7, 2, 60), (7, 1, 60), (1, 60), (60,), (2, 60)])
def test_missing_marks_are_left_out_whatever_stands_there(xp: Any, shape: tuple[int, ...]) -> None:
    design, overlay = wafer()
    valid = np.random.default_rng(2).uniform(size=shape) > 0.2
    holes = np.where(np.broadcast_to(valid, overlay.shape), overlay, np.nan)
    fit = overlay_fit(xp.asarray(design), xp.asarray(holes), valid=xp.asarray(valid))
    agree(xp, fit, design, overlay, valid.astype(float))


def test_mostly_missing_marks(xp: Any) -> None:
    design, overlay = wafer()
    valid = np.random.default_rng(3).uniform(size=(7, 1, 60)) > 0.7
    agree(xp, overlay_fit(xp.asarray(design), xp.asarray(overlay), valid=xp.asarray(valid)), design, overlay, valid.astype(float))


@pytest.mark.parametrize("shape", [(60,), (7, 1, 60), (7, 2, 60)])
def test_weights_count(xp: Any, shape: tuple[int, ...]) -> None:
    design, overlay = wafer()
    rng = np.random.default_rng(4)
    weights, valid = rng.uniform(0.1, 2, shape), rng.uniform(size=(7, 1, 60)) > 0.1
    fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), weights=xp.asarray(weights))
    agree(xp, fit, design, overlay, weights)
    fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), weights=xp.asarray(weights), valid=xp.asarray(valid))
    agree(xp, fit, design, overlay, weights * valid)


def test_a_wafer_with_too_few_marks_has_no_coefficients(xp: Any) -> None:
    design, overlay = wafer()
    valid = np.ones((7, 1, 60), bool)
    valid[3, 0, 5:] = False
    valid[4, 0, :] = False
    with np.errstate(invalid="ignore"):
        fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), valid=xp.asarray(valid))
    lost = np.isnan(xp.numbers(fit.coefficients)).all(axis=(1, 2))
    assert lost.tolist() == [False, False, False, True, True, False, False]
    assert xp.numbers(fit.marks)[3, 0] == 5


def test_marks_on_a_line_do_not_determine_a_plane(xp: Any) -> None:
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    design = np.stack([np.ones(20), x.ravel(), y.ravel()], axis=1)
    fit = overlay_fit(xp.asarray(design), xp.asarray(np.ones((2, 20))), valid=xp.asarray(np.stack([y.ravel() == 1, y.ravel() > 1])))
    assert np.isnan(xp.numbers(fit.coefficients)).all(axis=1).tolist() == [True, False]


@pytest.mark.parametrize("missing", [False, True])
def test_residuals_of_a_millionth_of_the_overlay_keep_their_digits(xp: Any, missing: bool) -> None:
    """A difference of sums of squares would be off by 2⁻⁵² · 1e12 of it, 2e-4: every residual is taken by itself."""
    design, noise = wafer()
    design = design / np.linalg.norm(design, axis=0)
    noise[4] *= 1e6  # one wafer of the block would do with the difference
    overlay = noise + 1e6 * design @ np.arange(1.0, 7.0)
    valid = np.random.default_rng(9).uniform(size=(7, 1, 60)) > (0.1 if missing else -1)
    how = {"valid": xp.asarray(valid)} if missing else {}
    squares = xp.numbers(overlay_fit(xp.asarray(design), xp.asarray(overlay), **how).residual_sum_of_squares)
    expected = one_by_one(design, noise, valid.astype(float))[1]
    # the model of size 2e6 is rounded to 2e-10 at a mark, where residuals are 1: a few times that of the sum
    np.testing.assert_allclose(squares, expected, rtol=4e-9)


@pytest.mark.parametrize("robust", ["huber", "tukey"])
def test_wrong_marks_do_not_carry_a_robust_fit_away(xp: Any, robust: str) -> None:
    rng = np.random.default_rng(6)
    design, _ = wafer(200, 3)
    design = design / np.abs(design).max(axis=0)
    overlay = rng.normal(size=(5, 200)) + design @ np.array([3.0, -2.0, 1.0])
    overlay[:, ::20] += 1000.0
    fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), robust=robust)
    # the plain fit is off by tens; a robust one by its standard error (about 0.15) and Huber's bias of 1.4 × 5 %
    assert np.abs(xp.numbers(fit.coefficients) - [3.0, -2.0, 1.0]).max() < 0.8
    trust = xp.numbers(fit.robust_weight)
    assert trust[:, ::20].max() < 0.01 and np.median(trust) > 0.8
    if robust == "tukey":
        assert (trust[:, ::20] == 0).all()
        assert (xp.numbers(fit.marks) <= 190).all()


@pytest.mark.parametrize("robust", ["huber", "tukey"])
def test_a_robust_fit_solves_its_own_equations(xp: Any, robust: str) -> None:
    """At rest the weights belong to the residuals, and the weighted residuals are orthogonal to the design."""
    design, overlay = wafer(80, 4)
    valid = np.random.default_rng(8).uniform(size=overlay.shape) > 0.1
    fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), robust=robust, valid=xp.asarray(valid))
    trust = xp.numbers(fit.robust_weight) * valid
    residual = overlay - xp.numbers(fit.coefficients) @ design.T
    length = np.linalg.norm(design, axis=0)
    assert np.abs((trust * residual) @ (design / length)).max() < 1e-11
    for k in np.ndindex(7, 2):
        scale = 1.4826 * np.median(np.abs(residual[k][valid[k]]))
        size = np.abs(residual[k]) / scale
        law = np.minimum(1, 1.345 / size) if robust == "huber" else np.where(size < 4.685, (1 - (size / 4.685) ** 2) ** 2, 0)
        np.testing.assert_allclose(trust[k][valid[k]], law[valid[k]], atol=1e-8)  # the last step moved no weight by more than 1e-10


def test_an_exact_fit_stays_exact_when_robust(xp: Any) -> None:
    design, _ = wafer(30, 3)
    overlay = np.tile(design @ np.array([1.0, 0.0, 0.0]), (2, 1))
    fit = overlay_fit(xp.asarray(design), xp.asarray(overlay), robust="tukey")
    np.testing.assert_allclose(xp.numbers(fit.coefficients), [[1.0, 0.0, 0.0]] * 2, atol=1e-13)


def test_no_wafers_give_no_fits(xp: Any) -> None:
    design, _ = wafer()
    assert overlay_fit(xp.asarray(design), xp.asarray(np.zeros((0, 60)))).coefficients.shape == (0, 6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_nan_at_a_mark_in_use_spoils_its_wafer_only(xp: Any) -> None:
    design, overlay = wafer()
    overlay[2, 1, 7] = np.nan
    for how in ({}, {"valid": xp.asarray(np.ones((7, 1, 60), bool))}):
        coefficients = xp.numbers(overlay_fit(xp.asarray(design), xp.asarray(overlay), **how).coefficients)
        assert np.isnan(coefficients[2, 1]).all()
        assert np.isnan(coefficients).sum() == 6


DESIGN = np.stack([np.ones(5), np.arange(5.0)], axis=1)


@pytest.mark.parametrize(
    ("design", "overlay", "how", "message"),
    [
        (DESIGN[:1], np.zeros(1), {}, r"design has shape \(1, 2\); expected \(n, p\) with n ≥ p ≥ 1"),
        (DESIGN, np.zeros((3, 4)), {}, r"overlay has shape \(3, 4\); expected \(..., 5\), a value for each row of design \(5, 2\)"),
        (np.ones((5, 2)), np.zeros(5), {}, r"design of shape \(5, 2\) has rank 1; expected 2 independent columns: leave out 1"),
        (DESIGN * np.nan, np.zeros(5), {}, "holds a NaN or an infinity"),
        (DESIGN, np.zeros(5), {"robust": "cauchy"}, "robust is 'cauchy'; expected None, 'huber', 'tukey'"),
        (DESIGN, np.zeros(5), {"robust": "huber", "tuning": 0}, "tuning is 0; expected a number above 0"),
        (DESIGN, np.zeros(5), {"weights": -np.ones(5)}, "weights of shape \\(5,\\) hold one that is negative"),
        (DESIGN, np.zeros((3, 5)), {"weights": np.ones((2, 5))}, r"weights has shape \(2, 5\); expected a shape that broadcasts"),
        (DESIGN, np.zeros(5), {"valid": np.ones(5)}, r"valid has shape \(5,\) and dtype float64; expected bool"),
        (DESIGN, np.zeros(5), {"valid": np.ones((2, 5), bool)}, r"valid has shape \(2, 5\); expected a shape that broadcasts"),
    ],
)
def test_a_mistake_is_named(xp: Any, design: Any, overlay: Any, how: dict[str, Any], message: str) -> None:
    how = {name: xp.asarray(value) if isinstance(value, np.ndarray) else value for name, value in how.items()}
    with pytest.raises(ValueError, match=message):
        overlay_fit(xp.asarray(design), xp.asarray(overlay), **how)
