"""The volumetric kernels: one answer on every array library, tier and thread order."""

from __future__ import annotations

import array_api_compat.numpy as compat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import compiled, volumetric
from precision.kernels.volumetric import AxisErrors, GeometricErrors, volumetric_error, volumetric_error_grid

CHAINS = ["FXYZ", "XFYZ", "YZFX", "ZYXF"]
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def nodes(rng, k, kind):
    if kind == "even":
        return np.linspace(-0.2, 0.9, k)
    if kind == "crowded":  # more buckets would be needed than are allowed: a search decides
        return np.sort(np.concatenate([rng.uniform(-0.2, 0.9, k - 1), [1e-6]])) if k > 2 else np.array([0.0, 1e-6])
    return np.linspace(-0.2, 0.9, k) + rng.uniform(-0.3, 0.3, k) * (1.1 / k)


def machine(seed, kind="uneven", make=np.asarray):
    rng = np.random.default_rng(seed)

    def axis():
        k = int(rng.integers(2, 40))
        tables = rng.uniform(-1e-5, 1e-5, (3, k)), rng.uniform(-2e-5, 2e-5, (3, k))
        return AxisErrors(make(nodes(rng, k, kind)), *map(make, tables), tuple(rng.uniform(-0.1, 0.1, 3)))

    return GeometricErrors(axis(), axis(), axis(), *rng.uniform(-2e-5, 2e-5, 3))


def reference(errors, p, chain, tool):
    """np.interp and np.cross, as the formula is written."""
    total = np.zeros(p.shape)
    for axis, position, arm in zip(errors[:3], p, volumetric.lever_arms(chain), strict=True):
        move = np.stack([np.interp(position, axis.position_m, row) for row in axis.translation_m])
        turn = np.stack([np.interp(position, axis.position_m, row) for row in axis.rotation_rad])
        lever = np.where(np.array(arm)[:, None], p, 0.0) + (np.array(tool) + axis.lever_m)[:, None]
        total += move + np.cross(turn, lever, axis=0)
    total[0] += -errors.c0y_rad * p[1] + errors.b0z_rad * p[2]
    total[1] += -errors.a0z_rad * p[2]
    return total


def tolerance_m(errors):
    """About 30 products of a line's value and a lever of up to 2 m; a line is offset + slope · x, |x| < 1.1 m, so that
    rounding is 2⁻⁵³ of the steepest slope times 1.1 m, not of the value: 60 · 2⁻⁵³ · (1.1 m · slope + 4e-5)."""
    slopes = [
        np.max(np.abs(np.diff(table, axis=1) / np.diff(axis.position_m)))
        for axis in errors[:3]
        for table in (axis.translation_m, axis.rotation_rad)
    ]
    return 60 * 2.0**-53 * (1.1 * max(slopes) + 4e-5)


def agree(ours, errors, p, chain, tool):
    expected = reference(errors, p.reshape(3, -1), chain, tool).reshape(p.shape)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance_m(errors))


def points(seed, n):
    return np.random.default_rng(seed).uniform(-0.4, 1.1, (3, n))


TOOL = (0.01, -0.02, -0.12)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("kind", ["even", "uneven", "crowded"])
def test_scattered_points_agree_with_interp_and_cross(xp, chain, kind):
    p = points(1, 1000)
    ours = volumetric_error(machine(5, kind, xp.asarray), xp.asarray(p), chain=chain, tool_m=TOOL)
    agree(xp.numbers(ours), machine(5, kind), p, chain, TOOL)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_grid_agrees_with_the_same_points_scattered(xp, chain):
    x, y, z = np.linspace(-0.3, 1, 7), np.linspace(1, -0.3, 5), np.linspace(0, 0.5, 11)
    ours = volumetric_error_grid(machine(6, make=xp.asarray), *map(xp.asarray, (x, y, z)), chain=chain, tool_m=TOOL)
    p = np.stack(np.meshgrid(x, y, z, indexing="ij"))
    agree(xp.numbers(ours), machine(6), p, chain, TOOL)


@MANY
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 70), kind=st.sampled_from(["even", "uneven", "crowded"]))
def test_any_machine_anywhere_agrees(xp, seed, n, kind):
    p = points(seed, n)
    ours = volumetric_error(machine(seed, kind, xp.asarray), xp.asarray(p), chain="XFYZ", tool_m=TOOL)
    agree(xp.numbers(ours), machine(seed, kind), p, "XFYZ", TOOL)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 1), (3, 2, 0), (3, 2, 5)])
def test_the_result_has_the_shape_of_the_points(xp, shape):
    p = np.random.default_rng(2).uniform(0, 1, shape)
    ours = xp.numbers(volumetric_error(machine(7, make=xp.asarray), xp.asarray(p), chain="FXYZ"))
    assert ours.shape == shape
    agree(ours, machine(7), p, "FXYZ", (0, 0, 0))


@pytest.mark.parametrize("view", [lambda a: a[:, ::-3], lambda a: a[::-1][:, 5:], lambda a: np.asfortranarray(a)])
@pytest.mark.parametrize("numba", ["0", "1"])
def test_strided_points_need_no_copy_by_the_caller(view, numba, monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, numba)
    p = view(points(3, 500))
    ours = volumetric_error(machine(8), p, chain="FXYZ")
    agree(ours, machine(8), p, "FXYZ", (0, 0, 0))


def test_an_integer_or_a_single_precision_position_is_taken_as_double(xp):
    p = np.array([[0, 1], [1, 0], [0, 1]])
    errors = machine(9, make=xp.asarray)
    for dtype in (np.int64, np.float32):
        ours = xp.numbers(volumetric_error(errors, xp.asarray(p, dtype), chain="FXYZ"))
        assert ours.dtype == np.float64
        agree(ours, machine(9), p.astype(float), "FXYZ", (0, 0, 0))


def test_a_missing_coordinate_gives_a_missing_error_at_that_point_alone(xp):
    p = points(4, 30)
    p[0, 3] = p[1, 11] = p[2, 29] = np.nan
    ours = xp.numbers(volumetric_error(machine(10, "even", xp.asarray), xp.asarray(p), chain="FXYZ"))
    missing = np.zeros(30, bool)
    missing[[3, 11, 29]] = True
    assert np.array_equal(np.isnan(ours), np.broadcast_to(missing, (3, 30)))


def test_many_points_over_threads_agree_with_few(xp):
    p = points(5, 60_001 if xp.name in {"numba", "numpy"} else 101)  # above the size where threads start, and odd
    errors = machine(12, make=xp.asarray)
    ours = xp.numbers(volumetric_error(errors, xp.asarray(p), chain="FXYZ", tool_m=TOOL))
    agree(ours, machine(12), p, "FXYZ", TOOL)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("n", [1, 255, 1003])
def test_the_cuda_kernel_agrees(cuda_on_cpu, chain, n):
    n = min(n, 70) if cuda_on_cpu.tiny else n
    p, xp = points(6, n), cuda_on_cpu.xp
    p[1, n // 2] = np.nan
    plan = volumetric._plan(machine(13), p, chain, TOOL, compat)
    ours, expected = np.full(p.shape, np.nan), volumetric._generic(plan, p, xp=compat)
    volumetric._cuda(plan, p, ours, xp=xp)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance_m(machine(13)))


def still(k=3, make=np.asarray):
    return AxisErrors(make(np.linspace(0.0, 1.0, k)), make(np.zeros((3, k))), make(np.zeros((3, k))))


@pytest.mark.parametrize(
    ("change", "points_shape", "chain", "tool", "what"),
    [
        ({}, (2, 5), "FXYZ", TOOL, r"position_m has shape \(2, 5\); expected \(3, \.\.\.\)"),
        ({}, (3, 5), "XYZ", TOOL, "chain is 'XYZ'; expected the letters X, Y, Z and F"),
        ({}, (3, 5), "FXYY", TOOL, "chain is 'FXYY'"),
        ({}, (3, 5), "FXYZ", (0.0, 0.0), r"tool_m is \(0.0, 0.0\); expected three numbers"),
        ({}, (3, 5), "FXYZ", (0.0, 0.0, float("nan")), "tool_m .* expected three finite numbers"),
        ({"position_m": np.array([0.0, 1.0, 1.0])}, (3, 5), "FXYZ", TOOL, r"errors\.x\.position_m .* increasing"),
        ({"position_m": np.array([0.0, np.nan, 1.0])}, (3, 5), "FXYZ", TOOL, r"errors\.x\.position_m .* increasing"),
        ({"position_m": np.array([0.0])}, (3, 5), "FXYZ", TOOL, r"errors\.x\.position_m has shape \(1,\)"),
        ({"translation_m": np.zeros((3, 4))}, (3, 5), "FXYZ", TOOL, r"errors\.x\.translation_m has shape \(3, 4\)"),
        ({"rotation_rad": np.full((3, 3), np.nan)}, (3, 5), "FXYZ", TOOL, r"errors\.x\.rotation_rad has a NaN"),
    ],
)
def test_bad_input_is_refused_in_every_tier_with_the_same_words(xp, change, points_shape, chain, tool, what):
    x = still(make=xp.asarray)._replace(**{k: xp.asarray(v) for k, v in change.items()})
    errors = GeometricErrors(x, still(make=xp.asarray), still(make=xp.asarray))
    with pytest.raises(ValueError, match=what):
        volumetric_error(errors, xp.asarray(np.zeros(points_shape)), chain=chain, tool_m=tool)


def test_lists_and_mixed_libraries_are_refused():
    with pytest.raises(ValueError, match="position_m is a list; expected an array"):
        volumetric_error(GeometricErrors(still(), still(), still()), [[0.0], [0.0], [0.0]], chain="FXYZ")
    strict = pytest.importorskip("array_api_strict")
    errors = GeometricErrors(still(make=strict.asarray), still(), still())
    with pytest.raises(ValueError, match="arrays of different libraries"):
        volumetric_error(errors, np.zeros((3, 2)), chain="FXYZ")
    elsewhere = strict.zeros((3, 2), device=strict.Device("device1"))
    with pytest.raises(ValueError, match="arrays on different devices"):
        volumetric_error(GeometricErrors(*[still(make=strict.asarray)] * 3), elsewhere, chain="FXYZ")


def test_the_number_of_passes_is_checked():
    with pytest.raises(ValueError, match="passes is 0; expected an integer of at least 1"):
        volumetric.volumetric_compensation(
            GeometricErrors(still(), still(), still()), np.zeros((3, 2)), chain="FXYZ", passes=0
        )
