"""Volumetric error: the bodies that Numba compiles, over the tables that volumetric.py prepares."""

from __future__ import annotations

import functools
from collections.abc import Callable

from precision.kernels import compiled


@functools.cache
def scattered(levers: tuple[tuple[bool, bool, bool], ...], parallel: bool) -> Callable[..., None]:
    """For one chain: the lever arms are constants of the code, so that what a chain has not costs nothing."""
    from numba import prange, uint64

    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = levers
    # An unsigned index spares the check for a negative one: a third of the time
    q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11 = (uint64(q) for q in range(12))

    @compiled.inline
    def held(p, first, last):  # type: ignore[no-untyped-def]
        return first if p < first else (last if p > last else p)

    @compiled.inline
    def interval(p, first, per_metre, start, end):  # type: ignore[no-untyped-def]
        t = (p - first) * per_metre
        bucket = uint64(min(int(t if t >= 0.0 else 0.0), start.shape[0] - 1))  # NaN: 0, and NaN comes out of it
        return uint64(min(start[bucket] + (1 if p >= end[bucket] else 0), start[-1]))

    def volumetric(  # type: ignore[no-untyped-def]
        p, x0, x1, per_x, start_x, end_x, x, y0, y1, per_y, start_y, end_y, y, z0, z1, per_z, start_z, end_z, z,
        c0y, b0z, a0z, delta,
    ):  # fmt: skip
        for j in prange(p.shape[1]):
            px, py, pz = p[0, j], p[1, j], p[2, j]
            hx, hy, hz = held(px, x0, x1), held(py, y0, y1), held(pz, z0, z1)
            i = interval(hx, x0, per_x, start_x, end_x)
            k = interval(hy, y0, per_y, start_y, end_y)
            m = interval(hz, z0, per_z, start_z, end_z)
            dx = x[i, q0] + x[i, q6] * hx + y[k, q0] + y[k, q6] * hy + z[m, q0] + z[m, q6] * hz - c0y * py + b0z * pz
            dy = x[i, q1] + x[i, q7] * hx + y[k, q1] + y[k, q7] * hy + z[m, q1] + z[m, q7] * hz - a0z * pz
            dz = x[i, q2] + x[i, q8] * hx + y[k, q2] + y[k, q8] * hy + z[m, q2] + z[m, q8] * hz
            ax, bx, cx = x[i, q3] + x[i, q9] * hx, x[i, q4] + x[i, q10] * hx, x[i, q5] + x[i, q11] * hx
            ay, by, cy = y[k, q3] + y[k, q9] * hy, y[k, q4] + y[k, q10] * hy, y[k, q5] + y[k, q11] * hy
            az, bz, cz = z[m, q3] + z[m, q9] * hz, z[m, q4] + z[m, q10] * hz, z[m, q5] + z[m, q11] * hz
            if xx:
                dy, dz = dy + cx * px, dz - bx * px
            if xy:
                dx, dz = dx - cx * py, dz + ax * py
            if xz:
                dx, dy = dx + bx * pz, dy - ax * pz
            if yx:
                dy, dz = dy + cy * px, dz - by * px
            if yy:
                dx, dz = dx - cy * py, dz + ay * py
            if yz:
                dx, dy = dx + by * pz, dy - ay * pz
            if zx:
                dy, dz = dy + cz * px, dz - bz * px
            if zy:
                dx, dz = dx - cz * py, dz + az * py
            if zz:
                dx, dy = dx + bz * pz, dy - az * pz
            delta[0, j], delta[1, j], delta[2, j] = dx, dy, dz

    number, matrix = compiled.scalar("float64"), compiled.frozen(2)
    axis = (number, number, number, compiled.frozen(1, "int64"), compiled.frozen(1), matrix)
    signature = (matrix, *axis, *axis, *axis, number, number, number, compiled.writable(2))
    return compiled.jit(volumetric, signature, parallel=parallel, fastmath={"contract"})


@functools.cache
def grid(of_five: bool, parallel: bool) -> Callable[..., None]:
    from numba import prange

    def on_grid(left, right, delta):  # type: ignore[no-untyped-def]
        for i in prange(left.shape[1]):
            for c in range(3):
                level, tilt = left[c, i, 0], left[c, i, 1]
                z, of_z, row = right[c, 1], right[c, 2], delta[c, i]
                if of_five:
                    px, py, of_zx, of_zy = left[c, i, 3], left[c, i, 4], right[c, 3], right[c, 4]
                    for k in range(row.shape[0]):
                        row[k] = level + tilt * z[k] + of_z[k] + px * of_zx[k] + py * of_zy[k]
                else:
                    for k in range(row.shape[0]):
                        row[k] = level + tilt * z[k] + of_z[k]

    thin = compiled.frozen(3)
    return compiled.jit(on_grid, (thin, thin, compiled.writable(3)), parallel=parallel, fastmath={"contract"})
