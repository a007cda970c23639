"""Accuracy of the contour error where a path crosses itself, against exact rationals; trees that know no window beside it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from precision.kernels import Toolpath, contour_error

from .accuracy import Accuracy
from .tiers import each_tier, installed

SEGMENTS, SAMPLES = 10_000, 100_000


def logged() -> tuple[Any, Any, Any, Any]:
    """A Lissajous path of 1.9 m that crosses itself 17 times. Every sample lies 5 µm off the middle half of a segment, which
    is about 0.19 mm long, so that its foot on the commanded pass is on that segment: bends are some hundredths of a radian."""
    t = np.linspace(0.0, 2.0 * np.pi, SEGMENTS + 1)
    point = np.stack([0.1 * np.sin(3.0 * t), 0.08 * np.sin(4.0 * t + 0.3)])
    rng = np.random.default_rng(5)
    k, fraction = rng.integers(0, SEGMENTS, SAMPLES), rng.uniform(0.25, 0.75, SAMPLES)
    chord = np.diff(point, axis=1)
    length = np.hypot(*chord)
    left = np.stack([-chord[1], chord[0]]) / length
    off = rng.choice([-5e-6, 5e-6], SAMPLES)
    position = point[:, k] + chord[:, k] * fraction + left[:, k] * off
    commanded = np.concatenate([[0.0], np.cumsum(length)])[k] + fraction * length[k]
    return point, position, commanded, k


def exact_distance(point: Any, position: Any, k: Any) -> Any:
    """To the line of segment k: the cross product in rationals, one square root of a rational to 60 digits."""
    import mpmath

    distance = np.empty(k.size)
    with mpmath.workdps(60):
        for i, segment in enumerate(k):
            ax, ay, bx, by = (Fraction(float(v)) for v in (*point[:, segment], *point[:, segment + 1]))
            ux, uy, dx, dy = (
                bx - ax,
                by - ay,
                Fraction(float(position[0, i])) - ax,
                Fraction(float(position[1, i])) - ay,
            )
            squared = (ux * dy - uy * dx) ** 2 / (ux * ux + uy * uy)
            distance[i] = float(mpmath.sqrt(mpmath.mpf(squared.numerator) / squared.denominator))
    return distance


def rows() -> Iterator[Accuracy]:
    """Of samples near other passes of the path, and of some from anywhere."""
    point, position, commanded, k = logged()
    # where another pass is within 50 µm, and a thousand samples from anywhere
    near_crossing = _near_another_pass(point, position, k)
    chosen = np.unique(np.concatenate([np.flatnonzero(near_crossing)[:4000], np.arange(1000)]))
    position, commanded, k = position[:, chosen], commanded[chosen], k[chosen]
    true_m = exact_distance(point, position, k)

    def error(distance: Any) -> float:
        return float(np.max(np.abs(np.abs(distance) - true_m)))

    path = Toolpath(point)
    ours = dict(each_tier(lambda: error(contour_error(path, position, commanded, window_m=2e-3).deviation_m)))
    peers = {}
    if shapely := installed("shapely"):
        tree = shapely.STRtree(shapely.linestrings(np.stack([point[:, :-1].T, point[:, 1:].T], axis=1)))
        nearest = tree.query_nearest(shapely.points(position.T), return_distance=True, all_matches=False)
        peers["shapely STRtree"] = error(nearest[1])
    if spatial := installed("scipy.spatial"):
        _, vertex = spatial.cKDTree(point.T).query(position.T)
        beside = [np.clip(vertex + step, 0, SEGMENTS - 1) for step in (-1, 0)]
        peers["scipy cKDTree, two segments"] = error(np.minimum(*(_to_segment(point, position, s) for s in beside)))
    yield Accuracy(
        kernel="contour",
        case=f"a path that crosses itself, 5 µm beside it, {chosen.size} samples",
        reference="exact rationals",
        measure="largest error of the distance, m",
        ours=ours,
        peers=peers,
        # coordinates of 0.1 m: a dozen roundings of 2⁻⁵³ · 0.1 m
        limit=2e-16,
    )


def _near_another_pass(point: Any, position: Any, k: Any) -> Any:
    """Whether a segment that is far along the path is within 50 µm; candidates from the middles of the segments."""
    from scipy.spatial import cKDTree

    middle = (point[:, 1:] + point[:, :-1]) / 2
    found = cKDTree(middle.T).query_ball_point(position.T, 1.5e-4)
    return np.array(
        [any(min(abs(j - s), SEGMENTS - abs(j - s)) > 20 for j in js) for js, s in zip(found, k, strict=True)]
    )


def _to_segment(point: Any, position: Any, s: Any) -> Any:
    start, chord = point[:, s], point[:, s + 1] - point[:, s]
    t = np.clip(np.sum((position - start) * chord, axis=0) / np.sum(chord * chord, axis=0), 0.0, 1.0)
    return np.hypot(*(position - start - t * chord))
