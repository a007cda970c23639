"""Contour error along a fine toolpath: against shapely's tree of segments, which knows no window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed.paired import Paired, peer
from precision.kernels import Toolpath, contour_error


def logged(segments: int, samples: int) -> tuple[Toolpath, Any, Any, float]:
    """A Lissajous path of 1.9 m that crosses itself; a log with 3 µm of noise and a command 5 µm ahead or behind."""
    t = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    point = np.stack([0.1 * np.sin(3.0 * t), 0.08 * np.sin(4.0 * t + 0.3)])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(point, axis=1)))])
    rng = np.random.default_rng(3)
    at = np.sort(rng.random(samples)) * along[-1]
    position = np.stack([np.interp(at, along, row) for row in point]) + rng.normal(0.0, 3e-6, (2, samples))
    return Toolpath(point), position, at + rng.normal(0.0, 5e-6, samples), 20.0 * along[-1] / segments


@pytest.mark.parametrize(("samples", "segments"), [(10_000, 1_000), (1_000_000, 100_000)], ids=["1e4", "1e6"])
def test_contour_error_against_a_tree_of_segments(paired: Paired, samples: int, segments: int) -> None:
    shapely = peer("shapely")
    path, position, commanded, window_m = logged(segments, samples)

    def nearest_in_tree() -> Any:
        ends = np.stack([path.point_m[:, :-1].T, path.point_m[:, 1:].T], axis=1)
        tree = shapely.STRtree(shapely.linestrings(ends))
        _, distance = tree.query_nearest(shapely.points(position.T), return_distance=True, all_matches=False)
        return distance

    def agree(ours: Any, theirs: Any) -> None:
        distance = np.abs(ours.deviation_m)
        # coordinates of 0.1 m; where the path crosses itself the tree finds the other pass, nearer and wrong
        assert np.all(theirs <= distance + 1e-15)
        assert np.mean(np.abs(theirs - distance) > 1e-15) < 1e-2

    large = samples == 1_000_000
    paired(
        lambda: contour_error(path, position, commanded, window_m=window_m),
        nearest_in_tree,
        kernel="contour",
        size=f"{samples:.0e} × {segments:.0e} segments".replace("e+0", "e"),
        peer="shapely STRtree",
        floor_bytes=(3 + 2) * 8 * samples + samples,
        goal={"numpy": 7.0, "fast": 40.0} if large else None,
        at_least={"numpy": 4.0, "fast": 15.0} if large else None,
        agree=agree,
        rounds=5,
    )
