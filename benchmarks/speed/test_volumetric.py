"""Volumetric error of a three-axis machine: against np.interp, which is what a map of an axis is looked up with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed.paired import Paired
from precision.kernels import AxisErrors, GeometricErrors, volumetric_error, volumetric_error_grid

TOOL_M = (0.01, -0.02, -0.12)
TRAVEL_M = np.array([[1.0], [0.8], [0.6]])
SAMPLES = 51


def machine(even: bool) -> GeometricErrors:
    """51 samples an axis, ±10 µm and ±20 µrad."""
    rng = np.random.default_rng(1)

    def axis(travel_m: float) -> AxisErrors:
        node = np.linspace(0.0, travel_m, SAMPLES)
        if not even:
            node[1:-1] += rng.uniform(-0.3, 0.3, SAMPLES - 2) * travel_m / SAMPLES
        return AxisErrors(node, rng.uniform(-1e-5, 1e-5, (3, SAMPLES)), rng.uniform(-2e-5, 2e-5, (3, SAMPLES)))

    x, y, z = (axis(float(t[0])) for t in TRAVEL_M)
    return GeometricErrors(x, y, z, 1e-5, -2e-5, 3e-5)


def by_interp(errors: GeometricErrors, x: Any, y: Any, z: Any) -> Any:
    """The chain FXYZ with eighteen np.interp, as it is written in textbooks."""
    (exx, eyx, ezx), (eax, ebx, ecx) = ([np.interp(x, errors.x.position_m, row) for row in t] for t in errors.x[1:3])
    (exy, eyy, ezy), (eay, eby, ecy) = ([np.interp(y, errors.y.position_m, row) for row in t] for t in errors.y[1:3])
    (exz, eyz, ezz), (eaz, ebz, ecz) = ([np.interp(z, errors.z.position_m, row) for row in t] for t in errors.z[1:3])
    tx, ty, tz = TOOL_M
    delta = np.empty((3, *x.shape))
    delta[0] = exx + exy + exz - ecx * (y + ty) + ebx * (z + tz) - ecy * ty + eby * (z + tz) - ecz * ty + ebz * tz
    delta[0] += -errors.c0y_rad * y + errors.b0z_rad * z
    delta[1] = eyx + eyy + eyz + ecx * tx - eax * (z + tz) + ecy * tx - eay * (z + tz) + ecz * tx - eaz * tz
    delta[1] -= errors.a0z_rad * z
    delta[2] = ezx + ezy + ezz - ebx * tx + eax * (y + ty) - eby * tx + eay * ty - ebz * tx + eaz * ty
    return delta


def agree(ours: Any, theirs: Any) -> None:
    """Errors in m."""
    # thirty terms below 4e-5 m, lines of a slope below 1e-3 over 1 m: 60 · 2⁻⁵³ · 1e-3 m
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=7e-18)


# Eighteen np.interp of 1e7 points take ten seconds: few rounds, and tables that are even alone
@pytest.mark.parametrize(
    ("n", "even", "result", "rounds"),
    [(10_000, True, "new", 7), (1_000_000, True, "new", 5), (1_000_000, False, "new", 3), (10_000_000, True, "new", 1), (10_000_000, True, "given", 2)],
    ids=["1e4-even", "1e6-even", "1e6-uneven", "1e7-even-new", "1e7-even-given"],
)  # fmt: skip
def test_scattered_points_against_eighteen_interp(paired: Paired, n: int, even: bool, result: str, rounds: int) -> None:
    errors, p = machine(even), np.random.default_rng(2).random((3, n)) * TRAVEL_M
    out = np.empty_like(p) if result == "given" else None
    asked = n >= 1_000_000 and even
    paired(
        lambda: volumetric_error(errors, p, chain="FXYZ", tool_m=TOOL_M, out=out),
        lambda: by_interp(errors, *p),
        kernel="volumetric",
        size=f"{n:.0e} scattered, {'even' if even else 'uneven'} tables".replace("e+0", "e") + f", {result} array" * (n == 10_000_000),
        peer="numpy interp, 18 times",
        floor_bytes=2 * p.nbytes,
        goal={"numpy": 14.0, "fast": 70.0} if asked else None,
        floor_goal={"fast": 3.0} if result == "given" else None,
        at_least={"numpy": 8.0, "fast": 20.0} if asked else None,
        agree=agree,
        rounds=rounds,
    )


@pytest.mark.parametrize("result", ["new", "given"])
def test_a_grid_against_meshgrid_and_interp(paired: Paired, result: str) -> None:
    errors = machine(True)
    x, y, z = (np.linspace(0.0, float(t[0]), 200) for t in TRAVEL_M)
    out = np.empty((3, 200, 200, 200)) if result == "given" else None
    paired(
        lambda: volumetric_error_grid(errors, x, y, z, chain="FXYZ", tool_m=TOOL_M, out=out),
        lambda: by_interp(errors, *np.meshgrid(x, y, z, indexing="ij")),
        kernel="volumetric grid",
        size=f"200³, {result} array",
        peer="numpy meshgrid + interp",
        floor_bytes=3 * 200**3 * 8,
        goal={"numpy": 40.0, "fast": 100.0},
        floor_goal={"fast": 2.0} if result == "given" else None,
        at_least={"numpy": 20.0, "fast": 20.0},
        agree=agree,
        rounds=5,
    )
