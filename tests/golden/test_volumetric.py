"""Rigid-body error of a three-axis machine: one machine, four chains, worked out by exact homogeneous transforms.

Errors in µm and µrad: X (5, −3, 2; 8, −12, 20), Y (−4, 6, 1; −15, 5, 10), Z (2, −1, −7; 11, −9, 4); position 300, 200,
−150 mm; tool 10, −20, −120 mm. The figures are rounded to 0.01 µm; second-order terms are below 0.5 nm.
"""

from __future__ import annotations

import numpy as np
import pytest

from precision.kernels.volumetric import (
    AxisErrors,
    GeometricErrors,
    lever_arms,
    volumetric_compensation,
    volumetric_error,
    volumetric_error_grid,
)

TOOL_M = (0.010, -0.020, -0.120)
POSITION_M = np.array([0.300, 0.200, -0.150])


def constant(translation_um, rotation_urad):
    both = [np.repeat(np.array(v, float)[:, None] * 1e-6, 2, axis=1) for v in (translation_um, rotation_urad)]
    return AxisErrors(np.array([-1.0, 1.0]), *both)


MACHINE = GeometricErrors(
    constant((5, -3, 2), (8, -12, 20)), constant((-4, 6, 1), (-15, 5, 10)), constant((2, -1, -7), (11, -9, 4))
)


@pytest.mark.parametrize(
    ("chain", "delta_um"),
    [
        ("FXYZ", (2.65, 1.77, -2.32)),
        ("XFYZ", (2.65, 7.77, 1.28)),
        ("XYFZ", (0.65, 7.77, -1.72)),
        ("XYZF", (2.00, 9.42, -1.72)),
    ],
)
def test_each_chain_gives_the_worked_figures(chain, delta_um):
    scattered = volumetric_error(MACHINE, POSITION_M, chain=chain, tool_m=TOOL_M)
    grid = volumetric_error_grid(MACHINE, *POSITION_M[:, None], chain=chain, tool_m=TOOL_M)
    assert np.round(scattered * 1e6, 2) == pytest.approx(delta_um, abs=1e-12)
    assert np.round(grid[:, 0, 0, 0] * 1e6, 2) == pytest.approx(delta_um, abs=1e-12)


def test_fxyz_written_out_term_by_term():
    _, y, z = POSITION_M
    tx, ty, tz = TOOL_M
    sq = (3e-6, -4e-6, 5e-6)
    each = [(axis.translation_m[:, 0], axis.rotation_rad[:, 0]) for axis in MACHINE[:3]]
    (xt, (xa, xb, xc)), (yt, (ya, yb, yc)), (zt, (za, zb, zc)) = each
    base = xt + yt + zt
    expected = [
        base[0] - xc * (y + ty) + xb * (z + tz) - yc * ty + yb * (z + tz) - zc * ty + zb * tz - sq[0] * y + sq[1] * z,
        base[1] + xc * tx - xa * (z + tz) + yc * tx - ya * (z + tz) + zc * tx - za * tz - sq[2] * z,
        base[2] - xb * tx + xa * (y + ty) - yb * tx + ya * ty - zb * tx + za * ty,
    ]
    machine = GeometricErrors(*MACHINE[:3], *sq)
    # the same dozen terms of a few µm in another order: 12 · 2⁻⁵³ · 10 µm ≈ 1e-20 m
    assert volumetric_error(machine, POSITION_M, chain="FXYZ", tool_m=TOOL_M) == pytest.approx(expected, abs=2e-20)


def test_the_compensation_is_the_negative_of_the_error_at_the_command():
    delta = volumetric_error(MACHINE, POSITION_M, chain="XFYZ", tool_m=TOOL_M)
    assert np.array_equal(volumetric_compensation(MACHINE, POSITION_M, chain="XFYZ", tool_m=TOOL_M), -delta)


def test_the_lever_arms_of_a_table_under_two_carried_axes():
    # Y carries the workpiece, X the Z slide: Y turns about everything, X carries Z, Z carries the tool alone
    assert lever_arms("YFXZ") == ((False, False, True), (True, True, True), (False, False, False))


def test_values_between_samples_are_linear_and_beyond_them_held():
    position, zero = np.array([0.0, 0.1, 0.4]), np.zeros((3, 3))
    scale = np.array([[0.0, 2e-6, 8e-6], [0.0] * 3, [0.0] * 3])
    still = AxisErrors(position, zero, zero)
    machine = GeometricErrors(AxisErrors(position, scale, zero), still, still)
    points = np.zeros((3, 5))
    points[0] = [-1.0, 0.05, 0.1, 0.25, 9.0]
    assert volumetric_error(machine, points, chain="FXYZ")[0] == pytest.approx([0.0, 1e-6, 2e-6, 5e-6, 8e-6], abs=1e-20)


def test_the_lever_from_the_measuring_point_acts_as_a_longer_tool_for_that_axis_alone():
    x = MACHINE.x._replace(lever_m=(0.0, 0.5, 0.0))
    moved = volumetric_error(MACHINE._replace(x=x), POSITION_M, chain="FXYZ", tool_m=TOOL_M)
    there = volumetric_error(MACHINE, POSITION_M, chain="FXYZ", tool_m=TOOL_M)
    # E_CX = 20 µrad and E_AX = 8 µrad over 0.5 m
    assert moved - there == pytest.approx([-10e-6, 0.0, 4e-6], abs=1e-19)
