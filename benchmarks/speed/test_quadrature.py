"""Quadrature signals to unwrapped phase, and the ellipse fit: against NumPy and lsq-ellipse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed.paired import Paired, peer
from precision.kernels import Ellipse, fit_ellipse, unwrapped_phase

ELLIPSE = Ellipse(p=3.0, q=-2.0, radius=500.0, ratio=1.01, alpha_rad=0.02)


def signals(n: int) -> tuple[Any, Any]:
    """Motion at 0.3 rad a sample with vibration of as much again, in counts of a converter."""
    k = np.arange(n)
    theta = 0.3 * k + 5.0 * np.sin(0.07 * k)
    s = ELLIPSE.p + ELLIPSE.radius * np.cos(theta)
    c = ELLIPSE.q + ELLIPSE.radius / ELLIPSE.ratio * np.sin(theta - ELLIPSE.alpha_rad)
    return s, c


@pytest.mark.parametrize("result", ["new", "given"])
def test_correction_and_unwrapping_against_numpy(paired: Paired, result: str) -> None:
    s, c = signals(30_000_000)
    out = np.empty_like(s) if result == "given" else None

    def by_numpy() -> Any:
        x = s - ELLIPSE.p
        y = (x * math.sin(ELLIPSE.alpha_rad) + ELLIPSE.ratio * (c - ELLIPSE.q)) / math.cos(ELLIPSE.alpha_rad)
        return np.unwrap(np.arctan2(y, x))

    def same(ours: Any, theirs: Any) -> None:
        # numpy.unwrap adds up rounding over 1.4 million turns: that is what the accuracy table shows
        np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=1e-2)

    paired(
        lambda: unwrapped_phase(s, c, ellipse=ELLIPSE, out=out),
        by_numpy,
        kernel="quadrature correct + unwrap", size=f"3e7, {result} array", peer="numpy arctan2 + unwrap", floor_bytes=3 * s.nbytes,
        goal={"numpy": 8.0, "fast": 30.0}, floor_goal={"fast": 4.0} if result == "given" else None, at_least={"numpy": 4.0, "fast": 7.0}, agree=same, rounds=7,
    )  # fmt: skip


def test_ellipse_fit_against_lsq_ellipse(paired: Paired) -> None:
    ellipse = peer("ellipse")
    s, c = signals(1_000_000)

    def same(ours: Any, theirs: Any) -> None:
        np.testing.assert_allclose((ours.p, ours.q), theirs.as_parameters()[0], atol=1e-6)

    paired(
        lambda: fit_ellipse(s, c),
        lambda: ellipse.LsqEllipse().fit(np.stack([s, c], axis=1)),
        kernel="ellipse fit", size="1e6", peer="lsq-ellipse", floor_bytes=2 * s.nbytes,
        at_least={"numpy": 3.5, "fast": 15.0}, agree=same,
    )  # fmt: skip
