"""Accuracy of the reference circles: a hard minimum zone and a short arc, against exact rationals and mpmath."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from precision.benchmarks.speed.accuracy import Accuracy
from precision.benchmarks.speed.tiers import each_tier
from precision.kernels.circle import least_squares_circle, minimum_zone_circle

Point = tuple[Fraction, Fraction]


def rows() -> Iterator[Accuracy]:
    """Of the minimum zone, and of a circle from a short arc."""
    yield _minimum_zone()
    yield _short_arc()


# ---- minimum zone ------------------------------------------------------------------------------------------------------


def trace() -> tuple[np.ndarray, np.ndarray]:
    """A trace in mm, 360 points, radius 20, form error some micrometres, off centre by 20 µm."""
    rng = np.random.default_rng(7)
    angle = np.arange(360) * 2 * np.pi / 360
    radius = 20 + 2e-3 * np.cos(3 * angle + 1) + 1e-3 * np.cos(7 * angle) + 3e-4 * rng.standard_normal(360)
    return radius * np.cos(angle) + 0.01, radius * np.sin(angle) - 0.02


def exact_zone(x: np.ndarray, y: np.ndarray) -> float:
    """Width of the minimum zone, decided in exact rationals: the widest of all sets of two outer and two inner points that
    alternate, among the points that can matter; proven by finding every point between the two circles."""
    points = [(Fraction(a), Fraction(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    rough = minimum_zone_circle(x, y)
    r = np.hypot(x - rough.x, y - rough.y)
    near = 1e-7  # mm: points that are not this close to either circle cannot be on it; the proof below would fail if they were
    outer = [points[k] for k in np.flatnonzero(r > rough.outer_radius - near)]
    inner = [points[k] for k in np.flatnonzero(r < rough.inner_radius + near)]
    for a, b in combinations(outer, 2):
        for c, d in combinations(inner, 2):
            centre = _equidistant(a, b, c, d)
            if centre is None or not _alternate(centre, (a, b), (c, d)):
                continue
            largest, smallest = _square(a, centre), _square(c, centre)
            if all(smallest <= _square(p, centre) <= largest for p in points):
                return float(_root(largest) - _root(smallest))
    return math.nan


def _equidistant(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    p, q = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1])
    determinant = p[0] * q[1] - p[1] * q[0]
    if determinant == 0:
        return None
    u, v = (b[0] ** 2 + b[1] ** 2 - a[0] ** 2 - a[1] ** 2) / 2, (d[0] ** 2 + d[1] ** 2 - c[0] ** 2 - c[1] ** 2) / 2
    return (u * q[1] - v * p[1]) / determinant, (v * p[0] - u * q[0]) / determinant


def _alternate(centre: Point, outer: tuple[Point, Point], inner: tuple[Point, Point]) -> bool:
    """Whether one inner point lies on the way round from one outer point to the other, and the other on the way back."""

    def angle(p: Point) -> float:
        return math.atan2(float(p[1] - centre[1]), float(p[0] - centre[0]))

    low, high = sorted(map(angle, outer))
    return sum(low < angle(p) < high for p in inner) == 1


def _square(p: Point, centre: Point) -> Fraction:
    return (p[0] - centre[0]) ** 2 + (p[1] - centre[1]) ** 2


def _root(square: Fraction) -> Fraction:
    """Square root to 60 digits."""
    scale = 10**120
    return Fraction(math.isqrt(square.numerator * scale // square.denominator), 10**60)


def _minimum_zone() -> Accuracy:
    x, y = trace()
    true = exact_zone(x, y)
    zones = each_tier(lambda: minimum_zone_circle(x, y))
    ours = {tier: abs(float(zone.outer_radius - zone.inner_radius) - true) for tier, zone in zones}
    return Accuracy(
        kernel="circle minimum zone", case="360 points, radius 20 mm, form 7 µm", reference="exact rationals", measure="mm, zone width",
        ours=ours, peers=_zone_peers(x, y, true), limit=1e-12,
    )  # fmt: skip


def _zone_peers(x: np.ndarray, y: np.ndarray, true: float) -> dict[str, float]:
    from scipy.optimize import linprog, minimize

    def zone(centre: np.ndarray) -> float:
        return float(np.ptp(np.hypot(x - centre[0], y - centre[1])))

    start = np.array([x.mean(), y.mean()])
    errors = {"Nelder–Mead": abs(minimize(zone, start, method="Nelder-Mead").fun - true)}
    centre, found = start, math.nan
    for _ in range(4):  # linearised anew about the last centre, so that only the solver's own tolerance is left
        r = np.hypot(x - centre[0], y - centre[1])
        ux, uy = (x - centre[0]) / r, (y - centre[1]) / r
        one, none = np.ones_like(r), np.zeros_like(r)
        bounds = np.concatenate([np.stack([-ux, -uy, -one, none], axis=1), np.stack([ux, uy, none, one], axis=1)])
        result: Any = linprog([0, 0, 1, -1], A_ub=bounds, b_ub=np.concatenate([-r, r]), bounds=[(None, None)] * 4, method="highs")
        centre, found = centre + result.x[:2], float(result.fun)
    errors["linprog"] = abs(found - true)
    return errors


# ---- least squares on a short arc --------------------------------------------------------------------------------------


def arc() -> tuple[np.ndarray, np.ndarray]:
    """Nine points on 3 mm of a circle of 100 mm, a metre from the origin, with noise of 10 nm."""
    rng = np.random.default_rng(3)
    angle = np.linspace(-0.015, 0.015, 9) + 0.8
    radius = 100 + 1e-5 * rng.standard_normal(9)
    return 1000 + radius * np.cos(angle), radius * np.sin(angle) - 500


def _short_arc() -> Accuracy:
    import mpmath

    x, y = arc()
    with mpmath.workdps(50):
        points = [(mpmath.mpf(a), mpmath.mpf(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]

        def slope(a: mpmath.mpf, b: mpmath.mpf) -> list[mpmath.mpf]:
            r = [mpmath.hypot(p - a, q - b) for p, q in points]
            mean = sum(r) / len(r)
            return [
                sum((d - mean) * (p - a) / d for d, (p, _) in zip(r, points, strict=True)),
                sum((d - mean) * (q - b) / d for d, (_, q) in zip(r, points, strict=True)),
            ]

        rough = least_squares_circle(x, y)
        a, b = mpmath.findroot(slope, (mpmath.mpf(float(rough.x)), mpmath.mpf(float(rough.y))), tol=mpmath.mpf(10) ** -60)
        true = float(sum(mpmath.hypot(p - a, q - b) for p, q in points) / len(points))
    ours = {tier: abs(float(fit.radius) - true) for tier, fit in each_tier(lambda: least_squares_circle(x, y))}
    from precision.benchmarks.speed.test_circle import one_by_one

    peers = {"least_squares": abs(float(one_by_one(x[None], y[None])[2, 0]) - true)}
    # differences from the mean are rounded to 1.1e-13 of 1000 mm; the radius answers to the sagitta of 11 µm with 2·(100/1.5)²
    return Accuracy(
        kernel="circle least squares", case="3 mm arc of radius 100 mm, 1 m away", reference="mpmath, 50 digits", measure="mm, radius",
        ours=ours, peers=peers, limit=1e-8,
    )  # fmt: skip
