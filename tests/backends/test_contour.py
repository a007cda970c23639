"""The contour kernels: one answer on every array library, tier and thread order."""

from __future__ import annotations

import math

import array_api_compat.numpy as compat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import compiled, contour
from precision.kernels.contour import Toolpath, contour_error

# Coordinates up to 2 m, a dozen operations each: 12 · 2⁻⁵³ · 2 m; the square of a distance d is off by 2⁻⁵² · d², d itself
# by as little; the path parameter is a sum of up to 40 lengths
TOLERANCE_M = 2e-14
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def random_path(seed, m, arcs):
    """Segments of 1 … 50 mm, each from where the last one ended."""
    rng = np.random.default_rng(seed)
    points, centres, sweeps = [rng.uniform(-0.2, 0.2, 2)], [], []
    for _ in range(m):
        start, heading, size = points[-1], rng.uniform(-math.pi, math.pi), rng.uniform(1e-3, 50e-3)
        if arcs and rng.random() < 0.5:
            sweep = rng.uniform(0.1, 2 * math.pi) * rng.choice([-1, 1])
            centre = start + size * np.array([math.cos(heading), math.sin(heading)])
            arm, c, s = start - centre, math.cos(sweep), math.sin(sweep)
            points.append(centre + np.array([c * arm[0] - s * arm[1], s * arm[0] + c * arm[1]]))
        else:
            sweep, centre = 0.0, np.zeros(2)
            points.append(start + size * np.array([math.cos(heading), math.sin(heading)]))
        centres.append(centre)
        sweeps.append(sweep)
    if arcs:
        return Toolpath(np.array(points).T, np.array(centres).T, np.array(sweeps))
    return Toolpath(np.array(points).T)


def of(path, make):
    return Toolpath(*(None if v is None else make(v) for v in path))


def lengths(path):
    chord = np.hypot(*np.diff(path.point_m, axis=1))
    if path.sweep_rad is None:
        return chord
    radius = np.hypot(*(path.point_m[:, :-1] - path.centre_m))
    return np.where(path.sweep_rad != 0, radius * np.abs(path.sweep_rad), chord)


def samples(seed, path, n):
    """Points near their command, as a controller's log has them, some far away."""
    rng = np.random.default_rng(seed + 1)
    total = lengths(path).sum()
    commanded = rng.uniform(-0.05 * total, 1.05 * total, n)
    joints = np.concatenate([[0.0], np.cumsum(lengths(path))])
    at = np.stack([np.interp(commanded, joints, row) for row in path.point_m])
    return at + rng.normal(size=(2, n)) * rng.choice([1e-6, 1e-3, 0.1], n), commanded


def brute(path, position, commanded, window):
    """Unsigned distance and path parameter, segment by segment, in plain Python and with angles."""
    joints = np.concatenate([[0.0], np.cumsum(lengths(path))])
    m, distance, foot = len(joints) - 1, [], []
    for p, s0 in zip(position.T, commanded, strict=True):
        candidates = []
        for k in range(m):
            if (k > 0 and joints[k] > s0 + window) or (k < m - 1 and joints[k + 1] < s0 - window):
                continue
            a, b = path.point_m[:, k], path.point_m[:, k + 1]
            ends = [(math.dist(p, a), joints[k]), (math.dist(p, b), joints[k + 1])]
            if path.sweep_rad is not None and path.sweep_rad[k] != 0:
                c, sweep = path.centre_m[:, k], path.sweep_rad[k]
                begin = math.atan2(*(a - c)[::-1])
                turned = ((math.atan2(*(p - c)[::-1]) - begin) * math.copysign(1, sweep)) % (2 * math.pi)
                if turned <= abs(sweep):
                    radius = math.dist(a, c)
                    candidates.append((abs(math.dist(p, c) - radius), joints[k] + radius * turned))
            else:
                t = np.dot(p - a, b - a) / np.dot(b - a, b - a)
                if 0 <= t <= 1:
                    candidates.append((math.dist(p, a + t * (b - a)), joints[k] + t * math.dist(a, b)))
            candidates += ends
        nearest = min(candidates)
        distance.append(nearest[0])
        foot.append(nearest[1])
    return np.array(distance), np.array(foot)


@pytest.mark.parametrize("arcs", [False, True])
@pytest.mark.parametrize("m", [1, 2, 7, 8, 9, 40])
def test_distance_and_foot_agree_with_a_search_by_hand(xp, arcs, m):
    path = random_path(m, m, arcs)
    position, commanded = samples(m, path, 60)
    window = 2.5 * lengths(path).mean()
    ours = contour_error(of(path, xp.asarray), xp.asarray(position), xp.asarray(commanded), window_m=window)
    distance, foot = brute(path, position, commanded, window)
    np.testing.assert_allclose(np.abs(xp.numbers(ours.deviation_m)), distance, rtol=0, atol=TOLERANCE_M)
    np.testing.assert_allclose(
        xp.numbers(ours.path_m), foot, rtol=0, atol=1e-7
    )  # near a centre the foot is ill-defined
    assert np.median(np.abs(xp.numbers(ours.path_m) - foot)) < 1e-15


def agree(ours, expected, numbers=np.asarray):
    for a, b in zip(ours[:2], expected[:2], strict=True):
        np.testing.assert_allclose(numbers(a), b, rtol=0, atol=TOLERANCE_M)
    assert np.array_equal(numbers(ours[2]), expected[2])


def generic(path, position, commanded, window):
    return contour._generic(
        contour._segments(path, position, commanded, compat), position, commanded, window, xp=compat
    )


@MANY
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 40), st.booleans(), st.floats(1e-6, 1.0))
def test_any_path_and_window_agree_with_the_definition(xp, seed, m, n, arcs, window):
    path = random_path(seed, m, arcs)
    position, commanded = samples(seed, path, n)
    ours = contour_error(of(path, xp.asarray), xp.asarray(position), xp.asarray(commanded), window_m=window)
    agree(ours, generic(path, position, commanded, window), xp.numbers)


def test_long_logs_on_a_fine_path_agree(monkeypatch):
    """Over many blocks and threads; 2000 segments, of which a window touches about 40."""
    t = np.linspace(0, 2 * np.pi, 2001)
    path = Toolpath(np.stack([0.1 * np.sin(2 * t), 0.08 * np.sin(3 * t)]))
    position, commanded = samples(3, path, 60_001)
    window = 20 * lengths(path).mean()
    expected = generic(path, position, commanded, window)
    for numba in "01":
        monkeypatch.setenv(compiled.SWITCH, numba)
        agree(contour_error(path, position, commanded, window_m=window), expected)


def test_segments_of_very_different_lengths_are_found(xp):
    """A million to one: most of the search table's buckets are empty, and one holds nearly every joint."""
    x = np.concatenate([np.linspace(0, 1e-6, 30), [1.0], 1.0 + np.linspace(1e-7, 1e-6, 9)])
    path = Toolpath(np.stack([x, np.zeros_like(x)]))
    position = np.stack([np.linspace(-0.1, 1.1, 50), np.full(50, 1e-3)])
    window = 1e-7
    ours = contour_error(of(path, xp.asarray), xp.asarray(position), xp.asarray(position[0]), window_m=window)
    agree(ours, generic(path, position, position[0], window), xp.numbers)
    middle = (position[0] > 0) & (position[0] < 1)
    assert xp.numbers(ours.deviation_m)[middle] == pytest.approx(1e-3, rel=1e-12)


def test_a_missing_sample_is_missing_in_the_result_alone(xp):
    path = random_path(1, 10, True)
    position, commanded = samples(1, path, 12)
    position[0, 3] = position[1, 7] = commanded[9] = np.nan
    ours = contour_error(of(path, xp.asarray), xp.asarray(position), xp.asarray(commanded), window_m=0.1)
    missing = np.isin(np.arange(12), [3, 7, 9])
    assert np.array_equal(np.isnan(xp.numbers(ours.deviation_m)), missing)
    assert np.array_equal(np.isnan(xp.numbers(ours.path_m)), missing)
    assert not xp.numbers(ours.beyond_end)[missing].any()


@pytest.mark.parametrize("n", [0, 1])
def test_no_sample_and_one_sample(xp, n):
    path = random_path(2, 5, True)
    position, commanded = samples(2, path, n)
    ours = contour_error(of(path, xp.asarray), xp.asarray(position), xp.asarray(commanded), window_m=0.1)
    assert [xp.numbers(v).shape for v in ours] == [(n,)] * 3


@pytest.mark.parametrize("numba", ["0", "1"])
def test_strided_logs_need_no_copy_by_the_caller(numba, monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, numba)
    path = random_path(4, 20, True)
    position, commanded = samples(4, path, 400)
    log = np.ascontiguousarray(np.vstack([position, commanded]).T)  # a row a sample
    ours = contour_error(path, log.T[:2, ::3], log.T[2, ::3], window_m=0.1)
    agree(ours, generic(path, position[:, ::3], commanded[::3], 0.1))


@pytest.mark.parametrize("arcs", [False, True])
@pytest.mark.parametrize("n", [1, 300, 1003])
def test_the_cuda_kernel_agrees(cuda_on_cpu, arcs, n):
    n = min(n, 70) if cuda_on_cpu.tiny else n
    path = random_path(5, 50, arcs)
    position, commanded = samples(5, path, n)
    position[0, n // 2] = np.nan
    segments = contour._segments(path, position, commanded, compat)
    ours = contour._cuda(segments, position, commanded, 0.05, xp=cuda_on_cpu.xp)
    agree(ours, generic(path, position, commanded, 0.05))


def line(make=np.asarray):
    return Toolpath(make(np.array([[0.0, 1.0], [0.0, 0.0]])))


ARC = {"centre_m": np.zeros((2, 1)), "sweep_rad": np.array([1.0])}


@pytest.mark.parametrize(
    ("path", "position", "commanded", "window", "what"),
    [
        ({}, np.zeros((3, 4)), np.zeros(4), 0.1, r"position_m has shape \(3, 4\); expected \(2, n\)"),
        ({}, np.zeros((2, 4)), np.zeros(5), 0.1, r"commanded_m has shape \(5,\); expected \(4,\)"),
        ({}, np.zeros((2, 4)), np.zeros(4), 0.0, "window_m is 0.0; expected a length above zero"),
        ({}, np.zeros((2, 4)), np.zeros(4), float("nan"), "window_m is nan"),
        ({"point_m": np.zeros((2, 1))}, np.zeros((2, 4)), np.zeros(4), 0.1, r"path\.point_m has shape \(2, 1\)"),
        ({"point_m": np.zeros((2, 3))}, np.zeros((2, 4)), np.zeros(4), 0.1, "path has 2 segments and no length"),
        ({"point_m": np.full((2, 3), np.nan)}, np.zeros((2, 4)), np.zeros(4), 0.1, r"path\.point_m has a NaN"),
        ({"sweep_rad": np.zeros(1)}, np.zeros((2, 4)), np.zeros(4), 0.1, "one of centre_m and sweep_rad"),
        (ARC | {"sweep_rad": np.zeros(2)}, np.zeros((2, 4)), np.zeros(4), 0.1, r"sweep_rad has shape \(2,\)"),
        (
            ARC,
            np.zeros((2, 4)),
            np.zeros(4),
            0.1,
            "path segment 0 is an arc of radius 0 m .* misses its end point by 1 m",
        ),
    ],
)
def test_bad_input_is_refused_in_every_tier_with_the_same_words(xp, path, position, commanded, window, what):
    bad = line(xp.asarray)._replace(**{name: xp.asarray(v) for name, v in path.items()})
    with pytest.raises(ValueError, match=what):
        contour_error(bad, xp.asarray(position), xp.asarray(commanded), window_m=window)


def test_mixed_libraries_are_refused():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ValueError, match="arrays of different libraries"):
        contour_error(line(strict.asarray), np.zeros((2, 3)), np.zeros(3), window_m=0.1)
