"""Volumetric error: the bodies that Numba compiles, over the tables that volumetric.py prepares."""

from __future__ import annotations

import functools
from collections.abc import Callable

from precision.kernels import compiled


@functools.cache
def scattered(levers: tuple[tuple[bool, bool, bool], ...], parallel: bool) -> Callable[..., None]:
    """For one chain: the lever arms are constants of the code, so that what a chain has not costs nothing.

    The tables hold what one interval needs in fours, (x, y, z, 0): offset and slope of E, then for every position in the
    lever arm offset and slope of ε × its unit vector. Written out for the four components, alike in each, the compiler
    turns them into one vector operation (`slp`); without, the loads of single numbers are what takes the time.
    """
    import numpy as np
    from numba import prange, uint64

    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = levers
    # An unsigned index spares the check for a negative one
    at = [[uint64(8 * (1 + sum(arm[:b]))) for b in range(3)] for arm in levers]
    (at_xx, at_xy, at_xz), (at_yx, at_yy, at_yz), (at_zx, at_zy, at_zz) = at
    width_x, width_y, width_z = (uint64(8 * (1 + sum(arm))) for arm in levers)
    zero, one, two, three, four, points = (uint64(v) for v in (0, 1, 2, 3, 4, 1024))

    @compiled.inline
    def held(p, first, last):  # type: ignore[no-untyped-def]
        return first if p < first else (last if p > last else p)

    @compiled.inline
    def interval(p, first, per_metre, start, end):  # type: ignore[no-untyped-def]
        t = (p - first) * per_metre
        bucket = uint64(min(int(t if t >= 0.0 else 0.0), start.shape[0] - 1))  # NaN: 0, and NaN comes out of it
        return uint64(min(start[bucket] + (1 if p >= end[bucket] else 0), start[-1]))

    @compiled.inline
    def line(table, i, h):  # type: ignore[no-untyped-def]
        return table[i] + table[i + four] * h

    @compiled.inline_always
    def component(c, x, i, hx, y, k, hy, z, m, hz, px, py, pz):  # type: ignore[no-untyped-def]
        delta = line(x, i + c, hx) + line(y, k + c, hy) + line(z, m + c, hz)
        if xx:
            delta += px * line(x, i + at_xx + c, hx)
        if xy:
            delta += py * line(x, i + at_xy + c, hx)
        if xz:
            delta += pz * line(x, i + at_xz + c, hx)
        if yx:
            delta += px * line(y, k + at_yx + c, hy)
        if yy:
            delta += py * line(y, k + at_yy + c, hy)
        if yz:
            delta += pz * line(y, k + at_yz + c, hy)
        if zx:
            delta += px * line(z, m + at_zx + c, hz)
        if zy:
            delta += py * line(z, m + at_zy + c, hz)
        if zz:
            delta += pz * line(z, m + at_zz + c, hz)
        return delta

    def volumetric(  # type: ignore[no-untyped-def]
        p, x0, x1, per_x, start_x, end_x, x, y0, y1, per_y, start_y, end_y, y, z0, z1, per_z, start_z, end_z, z,
        c0y, b0z, a0z, delta,
    ):  # fmt: skip
        n = p.shape[1]
        for b in prange((n + points - 1) // points):
            fours = np.empty(points * four)
            begin = b * points
            stop = min(begin + points, n)
            of_x, of_y, of_z = p[0, begin:stop], p[1, begin:stop], p[2, begin:stop]
            for j in range(stop - begin):
                px, py, pz = of_x[j], of_y[j], of_z[j]
                hx, hy, hz = held(px, x0, x1), held(py, y0, y1), held(pz, z0, z1)
                i = interval(hx, x0, per_x, start_x, end_x) * width_x
                k = interval(hy, y0, per_y, start_y, end_y) * width_y
                m = interval(hz, z0, per_z, start_z, end_z) * width_z
                dx = component(zero, x, i, hx, y, k, hy, z, m, hz, px, py, pz)
                dy = component(one, x, i, hx, y, k, hy, z, m, hz, px, py, pz)
                dz = component(two, x, i, hx, y, k, hy, z, m, hz, px, py, pz)
                none = component(three, x, i, hx, y, k, hy, z, m, hz, px, py, pz)
                to = uint64(j) * four
                fours[to], fours[to + one], fours[to + two], fours[to + three] = dx, dy, dz, none
            to_x, to_y, to_z = delta[0, begin:stop], delta[1, begin:stop], delta[2, begin:stop]
            for j in range(stop - begin):
                to_x[j] = fours[4 * j] - c0y * of_y[j] + b0z * of_z[j]
                to_y[j] = fours[4 * j + 1] - a0z * of_z[j]
                to_z[j] = fours[4 * j + 2]

    number, vector, matrix = compiled.scalar("float64"), compiled.frozen(1), compiled.frozen(2)
    axis = (number, number, number, compiled.frozen(1, "int64"), vector, vector)
    signature = (matrix, *axis, *axis, *axis, number, number, number, compiled.writable(2))
    return compiled.jit(volumetric, signature, parallel=parallel, fastmath={"contract"}, slp=True)


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
