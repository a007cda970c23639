"""One overlay model on many wafers against a least-squares call for each wafer."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from precision.benchmarks.speed.paired import Paired
from precision.kernels.overlay_fit import OverlayFit, overlay_fit

WAFERS, MARKS, TERMS = 1000, 2000, 20


def wafers() -> tuple[np.ndarray, np.ndarray]:
    """Twenty polynomial terms on a wafer of radius 1, and dx, dy of every mark in nanometres."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.7, 0.7, (2, MARKS))
    design = np.stack([x**i * y**j for i in range(6) for j in range(6 - i)], axis=1)[:, :TERMS]
    return design, rng.normal(0, 3, (WAFERS, 2, MARKS)) + design @ rng.normal(0, 5, TERMS)


def agree(ours: OverlayFit, theirs: np.ndarray) -> None:
    """Coefficients, of any unit."""
    assert_allclose(ours.coefficients, theirs, rtol=0, atol=1e-9 * np.abs(theirs).max())  # condition 1e3 of the terms, and lstsq's own error


def test_all_marks(tier: str, paired: Paired) -> None:
    design, overlay = wafers()
    paired(
        lambda: overlay_fit(design, overlay), lambda: np.array([np.linalg.lstsq(design, wafer.T)[0].T for wafer in overlay]),
        kernel="overlay fit", size=f"{TERMS} terms, {WAFERS} × 2 × {MARKS}", peer="numpy lstsq", floor_bytes=overlay.nbytes,
        goal={"numpy": 25, "fast": 25}, at_least={"numpy": 10, "fast": 10}, agree=agree,
    )  # fmt: skip


def test_missing_marks(tier: str, paired: Paired) -> None:
    design, overlay = wafers()
    valid = np.random.default_rng(2).uniform(size=(WAFERS, 1, MARKS)) > 0.05
    overlay = np.where(valid, overlay, np.nan)

    def one_by_one() -> np.ndarray:
        return np.array([np.linalg.lstsq(design[there[0]], wafer[:, there[0]].T)[0].T for wafer, there in zip(overlay, valid, strict=True)])

    paired(
        lambda: overlay_fit(design, overlay, valid=valid), one_by_one, kernel="overlay fit, 5 % missing",
        size=f"{TERMS} terms, {WAFERS} × 2 × {MARKS}", peer="numpy lstsq", floor_bytes=overlay.nbytes,
        goal={"numpy": 16, "fast": 16}, at_least={"numpy": 7, "fast": 7}, agree=agree,
    )  # fmt: skip
