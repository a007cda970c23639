"""Volumetric error: the bodies that Numba compiles, over the tables that volumetric.py prepares."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

POINTS = 512
"""Points in a block, whose scratch stays in the first-level cache."""

SCRATCH = 10
"""Scratch rows of a thread: held positions and buckets of three axes, and the results in fours."""


def _place(position: Any, first: float, last: float, per_metre: float, most: float, held: Any, bucket: Any) -> None:
    """Positions held inside a table, and the bucket of each, from 0 to `most`."""
    for j in range(position.shape[0]):
        p = position[j]
        h = first if p < first else (last if p > last else p)
        t = (h - first) * per_metre
        held[j] = h
        bucket[j] = (t if t < most else most) if t >= 0.0 else 0.0  # NaN: 0, and NaN comes out of it


def _interval(even: bool) -> Callable[..., int]:
    from numba import uint64

    def interval(bucket, h, start, end):  # type: ignore[no-untyped-def]
        i = uint64(int(bucket))
        if even:
            return i
        return uint64(min(start[i] + (1 if h >= end[i] else 0), start[-1]))

    return compiled.inline(interval)


def _component(levers: tuple[tuple[bool, bool, bool], ...]) -> Callable[..., float]:
    """component(c, table, its place and the held position, of x, y and z, then the position): Δ_c, the squareness left out."""
    from numba import uint64

    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = levers
    # An unsigned index spares the check for a negative one
    at = [[uint64(8 * (1 + sum(arm[:b]))) for b in range(3)] for arm in levers]
    (at_xx, at_xy, at_xz), (at_yx, at_yy, at_yz), (at_zx, at_zy, at_zz) = at
    four = uint64(4)

    @compiled.inline
    def line(table, i, h):  # type: ignore[no-untyped-def]
        return table[i] + table[i + four] * h

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

    return compiled.inline_always(component)


@functools.cache
def scattered(levers: tuple[tuple[bool, bool, bool], ...], even: bool, parallel: bool) -> Callable[..., None]:
    """For one chain: the lever arms are constants of the code, so that what a chain has not costs nothing.

    The tables hold what one interval needs in fours, (x, y, z, 0): offset and slope of E, then for every position in the
    lever arm offset and slope of ε × its unit vector. Written out for the four components, alike in each, the compiler
    turns them into one vector operation (`slp`); without, the loads of single numbers are what takes the time. `even` says
    that in every table buckets are intervals, so that nothing has to be looked up but the lines.
    """
    from numba import prange, uint64

    width_x, width_y, width_z = (uint64(8 * (1 + sum(arm))) for arm in levers)
    zero, one, two, three, four = (uint64(v) for v in range(5))
    place, interval, component = compiled.inline(_place), _interval(even), _component(levers)

    def volumetric(  # type: ignore[no-untyped-def]
        p, x0, x1, per_x, start_x, end_x, x, y0, y1, per_y, start_y, end_y, y, z0, z1, per_z, start_z, end_z, z,
        c0y, b0z, a0z, scratch, delta,
    ):  # fmt: skip
        n, threads = p.shape[1], scratch.shape[0]
        most_x, most_y, most_z = float(start_x.shape[0] - 1), float(start_y.shape[0] - 1), float(start_z.shape[0] - 1)
        blocks = (n + POINTS - 1) // POINTS
        for thread in prange(threads):
            held, bucket, fours = scratch[thread, :3], scratch[thread, 3:6], scratch[thread, 6:].reshape(4 * POINTS)
            for b in range(blocks * thread // threads, blocks * (thread + 1) // threads):
                begin = b * POINTS
                stop = min(begin + POINTS, n)
                of_x, of_y, of_z = p[0, begin:stop], p[1, begin:stop], p[2, begin:stop]
                place(of_x, x0, x1, per_x, most_x, held[0], bucket[0])
                place(of_y, y0, y1, per_y, most_y, held[1], bucket[1])
                place(of_z, z0, z1, per_z, most_z, held[2], bucket[2])
                for j in range(stop - begin):
                    px, py, pz = of_x[j], of_y[j], of_z[j]
                    hx, hy, hz = held[0, j], held[1, j], held[2, j]
                    i = interval(bucket[0, j], hx, start_x, end_x) * width_x
                    k = interval(bucket[1, j], hy, start_y, end_y) * width_y
                    m = interval(bucket[2, j], hz, start_z, end_z) * width_z
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

    number, vector, matrix, write = compiled.scalar("float64"), compiled.frozen(1), compiled.frozen(2), compiled.writable
    axis = (number, number, number, compiled.frozen(1, "int64"), vector, vector)
    signature = (matrix, *axis, *axis, *axis, number, number, number, write(3), write(2))
    return compiled.jit(volumetric, signature, parallel=parallel, fastmath={"contract"}, slp=True)


@functools.cache
def grid(joins_all: bool, parallel: bool) -> Callable[..., None]:
    """body(x, y, z, of_x, of_y, of_z, delta (3, nx, ny, nz)): component after component, so that a thread writes from end to end.

    of_a (3, 3, n): what is multiplied by x, by y and by z, or, in its own place, by 1. `joins_all`: of_z[0] and of_z[1] count.
    """
    from numba import prange

    def on_grid(x, y, z, of_x, of_y, of_z, delta):  # type: ignore[no-untyped-def]
        nx = x.shape[0]
        for slab in prange(3 * nx):
            c, i = slab // nx, slab % nx
            px, alone, by_x, by_y = x[i], of_z[2, c], of_z[0, c], of_z[1, c]
            for j in range(y.shape[0]):
                py, row = y[j], delta[c, i, j]
                level = of_x[0, c, i] + of_y[1, c, j] + of_x[1, c, i] * py + of_y[0, c, j] * px
                tilt = of_x[2, c, i] + of_y[2, c, j]
                if joins_all:
                    for k in range(row.shape[0]):
                        row[k] = level + tilt * z[k] + alone[k] + px * by_x[k] + py * by_y[k]
                else:
                    for k in range(row.shape[0]):
                        row[k] = level + tilt * z[k] + alone[k]

    vector, table = compiled.frozen(1), compiled.frozen(3)
    signature = (vector, vector, vector, table, table, table, compiled.writable(4))
    return compiled.jit(on_grid, signature, parallel=parallel, fastmath={"contract"})
