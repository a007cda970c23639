"""Reference circles against the general solvers an engineer would call, one circle after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.testing import assert_allclose

from precision.benchmarks.speed.paired import Paired, peer
from precision.kernels.circle import Circle, Zone, least_squares_circle, minimum_zone_circle

POINTS = 3600


def profiles(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Roundness traces in mm: radius 20, a few low undulations and noise of some tenths of a micrometre, off centre by 20 µm."""
    rng = np.random.default_rng(1)
    angle = np.arange(POINTS) * 2 * np.pi / POINTS
    radius = 20 + 1e-4 * rng.standard_normal((count, POINTS))
    for k in range(2, 16):
        radius += rng.normal(0, 2e-3 / k, (count, 1)) * np.cos(k * angle + rng.uniform(0, 6.28, (count, 1)))
    return radius * np.cos(angle) + 0.01, radius * np.sin(angle) - 0.02


def one_by_one(x: np.ndarray, y: np.ndarray, *, exact: bool = False) -> np.ndarray:
    """scipy's least_squares on each circle, started at the mean: as it comes, or its fastest method with exact derivatives."""
    from scipy.optimize import least_squares

    def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        def residual(p: np.ndarray) -> np.ndarray:
            return np.asarray(np.hypot(x - p[0], y - p[1]) - p[2])

        def slope(p: np.ndarray) -> np.ndarray:
            r = np.hypot(x - p[0], y - p[1])
            return np.stack([(p[0] - x) / r, (p[1] - y) / r, np.full_like(r, -1.0)], axis=1)

        start = x.mean(), y.mean(), np.hypot(x - x.mean(), y - y.mean()).mean()
        found: Any = least_squares(residual, start, jac=slope, method="lm") if exact else least_squares(residual, start)
        return np.asarray(found.x)

    return np.array([fit(*circle) for circle in zip(x, y, strict=True)]).T


def agree_on_circles(ours: Circle, theirs: np.ndarray) -> None:
    """Centres and radii, in mm."""
    assert_allclose(np.array(ours), theirs, rtol=0, atol=1e-7)  # least_squares stops at 1e-8 of the sum of squares


def test_least_squares(tier: str, paired: Paired) -> None:
    peer("scipy.optimize")
    x, y = profiles(50)
    paired(
        lambda: least_squares_circle(x, y), lambda: one_by_one(x, y), kernel="circle least squares", size=f"50 × {POINTS}",
        peer="scipy least_squares", floor_bytes=2 * x.nbytes, goal={"numpy": 20, "fast": 300}, at_least={"numpy": 10, "fast": 100},
        agree=agree_on_circles,
    )  # fmt: skip


def test_least_squares_against_the_best_call(tier: str, paired: Paired) -> None:
    peer("scipy.optimize")
    x, y = profiles(50)
    paired(
        lambda: least_squares_circle(x, y), lambda: one_by_one(x, y, exact=True), kernel="circle least squares",
        size=f"50 × {POINTS}", peer="scipy least_squares (lm, exact derivatives)", floor_bytes=2 * x.nbytes, agree=agree_on_circles,
    )  # fmt: skip


def zone_by_linear_programming(optimize: Any, x: np.ndarray, y: np.ndarray) -> float:
    """The zone linearised about the mean of the points: width of the narrowest ring, to second order in the eccentricity."""
    start_x, start_y = x.mean(), y.mean()
    r = np.hypot(x - start_x, y - start_y)
    ux, uy = (x - start_x) / r, (y - start_y) / r
    one, none = np.ones_like(r), np.zeros_like(r)
    bounds = np.concatenate([np.stack([-ux, -uy, -one, none], axis=1), np.stack([ux, uy, none, one], axis=1)])
    found = optimize.linprog([0, 0, 1, -1], A_ub=bounds, b_ub=np.concatenate([-r, r]), bounds=[(None, None)] * 4, method="highs")
    return float(found.fun)


def test_minimum_zone(tier: str, paired: Paired) -> None:
    optimize: Any = peer("scipy.optimize")
    x, y = profiles(20)

    def agree(ours: Zone, theirs: list[float]) -> None:
        # linearised about a centre a micrometre off, and linprog keeps its bounds to 1e-7
        assert_allclose(ours.outer_radius - ours.inner_radius, theirs, rtol=0, atol=5e-7)

    paired(
        lambda: minimum_zone_circle(x, y),
        lambda: [zone_by_linear_programming(optimize, *circle) for circle in zip(x, y, strict=True)],
        kernel="circle minimum zone", size=f"20 × {POINTS}", peer="scipy linprog", floor_bytes=2 * x.nbytes,
        goal={"numpy": 150, "fast": 500}, at_least={"numpy": 50, "fast": 150}, agree=agree,
    )  # fmt: skip
