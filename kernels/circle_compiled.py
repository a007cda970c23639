"""The Numba bodies of `circle`: one circle after the other, each in as few passes over its points as the mathematics allows.

Same formulas and the same order of decisions as the generic implementation in `circle.py`; see there for what they mean.
Threads share out the circles; each has its own scratch rows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

REORDERED = {"reassoc", "nsz", "arcp", "contract"}
"""Sums may be taken in any order, which vector units need; NaN and infinity keep their meaning."""

NOT_IN_ORDER = 1
"""Status of a circle whose points do not go around the centre once, in one sense."""


def _merged(helper: Callable[..., Any]) -> Callable[..., Any]:
    """A helper whose text becomes part of the body, so that the body's freedom to reorder sums holds in it too."""
    from numba.extending import register_jitable

    return register_jitable(inline="always")(helper)  # type: ignore[no-any-return]


def _algebraic_centre(x: Any, y: Any, dx: Any, dy: Any) -> tuple[float, float, float, float, float]:
    """Fill dx, dy with the points about their mean; mean, centre about it (NaN on a line), mean square distance."""
    n = x.shape[0]
    sx = sy = 0.0
    for k in range(n):
        sx += x[k]
        sy += y[k]
    mx, my = sx / n, sy / n
    xx = xy = yy = xz = yz = 0.0
    for k in range(n):
        u, v = x[k] - mx, y[k] - my
        dx[k], dy[k] = u, v
        z = u * u + v * v
        xx += u * u
        xy += u * v
        yy += v * v
        xz += u * z
        yz += v * z
    determinant = xx * yy - xy * xy
    if not determinant > 16 * 2.220446049250313e-16 * (xx + yy) ** 2:
        return mx, my, math.nan, math.nan, math.nan
    a, b = (yy * xz - xy * yz) / (2 * determinant), (xx * yz - xy * xz) / (2 * determinant)
    return mx, my, a, b, (xx + yy) / n


def _newton_sums(x: Any, y: Any, a: float, b: float, radius: float) -> tuple[float, ...]:
    """Sums over the points for one step, with u about its value towards the mean and r about `radius`: no digits cancel."""
    n = x.shape[0]
    qx, qy = -a / radius, -b / radius
    e = ex = ey = vx = vy = vxx = vxy = vyy = bxx = bxy = byy = 0.0
    for k in range(n):
        dx, dy = x[k] - a, y[k] - b
        r = math.sqrt(dx * dx + dy * dy)
        reciprocal = 1.0 / r
        ux, uy = dx * reciprocal, dy * reciprocal
        px, py, d = ux - qx, uy - qy, r - radius
        bend = d * reciprocal
        e += d
        ex += d * px
        ey += d * py
        vx += px
        vy += py
        vxx += px * px
        vxy += px * py
        vyy += py * py
        bxx += bend * uy * uy
        bxy -= bend * ux * uy
        byy += bend * ux * ux
    me, mvx, mvy = e / n, vx / n, vy / n
    return (
        radius + me, mvx + qx, mvy + qy, ex - me * vx, ey - me * vy,
        vxx - vx * mvx, vxy - vx * mvy, vyy - vy * mvy, bxx, bxy, byy,
    )  # fmt: skip


@functools.cache
def least_squares(parallel: bool) -> Callable[..., None]:
    """body(x (c, n), y (c, n), scratch (t, 2, n), steps, out (c, 3)): x, y, radius."""
    from numba import prange

    centre, sums = _merged(_algebraic_centre), _merged(_newton_sums)

    def body(x, y, scratch, steps, out):  # type: ignore[no-untyped-def]
        count, threads = x.shape[0], scratch.shape[0]
        for t in prange(threads):
            dx, dy = scratch[t, 0], scratch[t, 1]
            for i in range(count * t // threads, count * (t + 1) // threads):
                mx, my, a, b, mean_square = centre(x[i], y[i], dx, dy)
                radius = math.sqrt(a * a + b * b + mean_square)
                before = radius
                for _ in range(steps):
                    mr, mux, muy, gx, gy, hxx, hxy, hyy, bxx, bxy, byy = sums(dx, dy, a, b, radius)
                    if (hxx + bxx) * (hyy + byy) > (hxy + bxy) ** 2 and hxx + hyy + bxx + byy > 0:
                        hxx, hxy, hyy = hxx + bxx, hxy + bxy, hyy + byy
                    determinant = hxx * hyy - hxy * hxy
                    step_x, step_y = (hyy * gx - hxy * gy) / determinant, (hxx * gy - hxy * gx) / determinant
                    a, b, radius = a + step_x, b + step_y, mr - mux * step_x - muy * step_y
                    square = step_x * step_x + step_y * step_y
                    if not square > 2.220446049250313e-16 * radius * before:
                        break
                    before = math.sqrt(square)
                out[i, 0], out[i, 1], out[i, 2] = a + mx, b + my, radius

    read, write = compiled.frozen(2), compiled.writable
    return compiled.jit(body, (read, read, write(3), compiled.scalar("int64"), write(2)), parallel=parallel, fastmath=REORDERED)
