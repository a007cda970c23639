"""The Numba bodies of `circle`: one circle after the other, each in as few passes over its points as the mathematics allows.

Same formulas and the same order of decisions as the definition in `circle_generic.py`; `circle.py` says what they mean.
Threads share out the circles; each has its own scratch rows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled
from precision.kernels.circle_generic import FLAT

REORDERED = {"reassoc", "nsz", "arcp", "contract"}
"""Sums may be taken in any order, which vector units need; NaN and infinity keep their meaning."""

NOT_IN_ORDER = 1
"""Status of a circle whose points do not go around the centre once, in one sense."""


def _merged(helper: Callable[..., Any]) -> Callable[..., Any]:
    """A helper whose text becomes part of the body, so that the body's freedom to reorder sums holds in it too."""
    from numba.extending import register_jitable

    wrapped: Callable[..., Any] = register_jitable(inline="always")(helper)
    return wrapped


def _mean(x: Any, y: Any) -> tuple[float, float]:
    n = x.shape[0]
    sx = sy = 0.0
    for k in range(n):
        sx += x[k]
        sy += y[k]
    return sx / n, sy / n


def _algebraic_centre(x: Any, y: Any, mx: float, my: float) -> tuple[float, float, float]:
    """The algebraic centre about the mean (NaN on a line), and the mean square distance from the mean."""
    n = x.shape[0]
    xx = xy = yy = xz = yz = 0.0
    for k in range(n):
        u, v = x[k] - mx, y[k] - my
        z = u * u + v * v
        xx += u * u
        xy += u * v
        yy += v * v
        xz += u * z
        yz += v * z
    determinant = xx * yy - xy * xy
    if not determinant > 16 * 2.220446049250313e-16 * (xx + yy) ** 2:
        return math.nan, math.nan, math.nan
    a, b = (yy * xz - xy * yz) / (2 * determinant), (xx * yz - xy * xz) / (2 * determinant)
    return a, b, (xx + yy) / n


def _newton_sums(x: Any, y: Any, mx: float, my: float, a: float, b: float, radius: float) -> tuple[float, ...]:
    """Sums over the points for one step, with u about its value towards the mean and r about `radius`: no digits cancel."""
    n = x.shape[0]
    qx, qy = -a / radius, -b / radius
    e = ex = ey = vx = vy = vxx = vxy = vyy = w = wxy = wyy = 0.0
    for k in range(n):
        dx, dy = (x[k] - mx) - a, (y[k] - my) - b
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
        w += bend
        wxy += bend * uy * ux
        wyy += bend * uy * uy
    me, mvx, mvy = e / n, vx / n, vy / n
    return (
        radius + me, mvx + qx, mvy + qy, ex - me * vx, ey - me * vy,
        vxx - vx * mvx, vxy - vx * mvy, vyy - vy * mvy, wyy, -wxy, w - wyy,
    )  # fmt: skip


@functools.cache
def least_squares_circle(parallel: bool) -> Callable[..., None]:
    """body(x (c, n), y (c, n), threads, steps, out (c, 3)): x, y, radius."""
    from numba import prange

    mean, centre, sums = _merged(_mean), _merged(_algebraic_centre), _merged(_newton_sums)

    def body(x, y, threads, steps, out):  # type: ignore[no-untyped-def]
        count = x.shape[0]
        for t in prange(threads):
            for i in range(count * t // threads, count * (t + 1) // threads):
                mx, my = mean(x[i], y[i])
                a, b, mean_square = centre(x[i], y[i], mx, my)
                radius = math.sqrt(a * a + b * b + mean_square)
                before = radius
                for _ in range(steps):
                    mr, mux, muy, gx, gy, hxx, hxy, hyy, bxx, bxy, byy = sums(x[i], y[i], mx, my, a, b, radius)
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

    read, whole = compiled.frozen(2), compiled.scalar("int64")
    return compiled.jit(body, (read, read, whole, whole, compiled.writable(2)), parallel=parallel, fastmath=REORDERED)


def _centred(x: Any, y: Any, mx: float, my: float, dx: Any, dy: Any) -> None:
    for k in range(x.shape[0]):
        dx[k], dy[k] = x[k] - mx, y[k] - my


def _goes_around_once(dx: Any, dy: Any, a: float, b: float) -> bool:
    """Whether the points follow each other around (a, b) in one sense, without passing their own beginning."""
    n = dx.shape[0]
    against = changes = 0
    for k in range(n - 1):
        ux, uy, vx, vy = dx[k] - a, dy[k] - b, dx[k + 1] - a, dy[k + 1] - b
        turn = ux * vy - uy * vx
        against += 1 if turn <= 0.0 else 0
        changes += 1 if (uy < 0.0) != (vy < 0.0) else 0
    if against == n - 1:  # clockwise
        closing = (dx[0] - a) * (dy[n - 1] - b) - (dy[0] - b) * (dx[n - 1] - a)
    elif against == 0:
        closing = (dx[n - 1] - a) * (dy[0] - b) - (dy[n - 1] - b) * (dx[0] - a)
    else:
        return False
    return (closing > 0.0 and changes <= 2) or changes <= 1


def _highest_between(square: Any, sign: float, first: int, second: int) -> tuple[int, int]:
    """Index of the largest sign · square strictly between two indices, and of the largest outside them."""
    low, high = min(first, second), max(first, second)
    inside, outside = low + 1, (high + 1) % square.shape[0]
    best = sign * square[inside]
    for k in range(low + 1, high):
        value = sign * square[k]
        if value > best:
            best, inside = value, k
    best = sign * square[outside]
    for k in range(low):
        value = sign * square[k]
        if value > best or (value == best and k < outside):
            best, outside = value, k
    for k in range(high + 1, square.shape[0]):
        value = sign * square[k]
        if value > best:
            best, outside = value, k
    return inside, outside


def _inner_to_begin_with(square: Any) -> tuple[int, int]:
    """Of points in order around the centre, the nearest of the second quarter and of the fourth."""
    n = square.shape[0]
    in_1, in_2 = n // 4, 3 * n // 4
    for k in range(n // 4, n // 2):
        in_1 = k if square[k] < square[in_1] else in_1
    for k in range(3 * n // 4, n):
        in_2 = k if square[k] < square[in_2] else in_2
    return in_1, in_2


Four = tuple[float, float, float, float, float, float, float, float]


def _equidistant(four: Four) -> tuple[float, float, float]:
    """Step to the centre as far from a as from b and from c as from e, and the zone there; NaN where there is none."""
    ax, ay, bx, by, cx, cy, ex, ey = four
    px, py, qx, qy = bx - ax, by - ay, ex - cx, ey - cy
    p, q = (px * (ax + bx) + py * (ay + by)) / 2, (qx * (cx + ex) + qy * (cy + ey)) / 2
    determinant = px * qy - py * qx
    if determinant == 0.0:
        return math.nan, math.nan, math.nan
    sx, sy = (p * qy - q * py) / determinant, (q * px - p * qx) / determinant
    return sx, sy, math.sqrt((ax - sx) ** 2 + (ay - sy) ** 2) - math.sqrt((cx - sx) ** 2 + (cy - sy) ** 2)


def _alternate(four: Four, sx: float, sy: float) -> bool:
    """Whether a, b and c, e alternate, on one circle around the centre after the step."""
    ax, ay, bx, by, cx, cy, ex, ey = four
    px, py, ox, oy = bx - ax, by - ay, ax - sx, ay - sy
    size = ox * ox + oy * oy
    longer = math.sqrt(size / ((cx - sx) ** 2 + (cy - sy) ** 2))
    one = px * (longer * (cy - sy) - oy) - py * (longer * (cx - sx) - ox)
    other = px * (longer * (ey - sy) - oy) - py * (longer * (ex - sx) - ox)
    return min(one, other) < -FLAT * size and max(one, other) > FLAT * size


def _zone() -> Callable[..., Any]:
    """zone(dx, dy, square, a, b, steps, tolerance, trust): whether proven, then centre, inner and outer radius."""
    highest, equidistant, alternate = (compiled.inline(helper) for helper in (_highest_between, _equidistant, _alternate))
    begin = compiled.inline(_inner_to_begin_with)

    def zone(dx, dy, square, a, b, steps, tolerance, trust):  # type: ignore[no-untyped-def]
        for k in range(dx.shape[0]):
            square[k] = (dx[k] - a) ** 2 + (dy[k] - b) ** 2
        in_1, in_2 = begin(square)
        best_a, best_b, best_inner, best_outer, best_zone = a, b, math.nan, math.nan, math.inf
        reference, tied = -math.inf, False
        for _ in range(steps):
            out_1, out_2 = highest(square, 1.0, in_1, in_2)
            farthest = max(max(square[out_1], square[out_2]), max(square[in_1], square[in_2]))
            in_1, in_2 = highest(square, -1.0, out_1, out_2)
            nearest = min(min(square[out_1], square[out_2]), min(square[in_1], square[in_2]))
            outer, inner = math.sqrt(farthest), math.sqrt(nearest)
            if outer - inner < best_zone:
                best_a, best_b, best_inner, best_outer, best_zone = a, b, inner, outer, outer - inner
            if best_zone - reference <= tolerance * outer:
                proven = not tied and best_zone - reference >= -FLAT * outer  # else terms of second order decide
                return proven, best_a, best_b, best_inner, best_outer
            four = (
                dx[out_1] - a, dy[out_1] - b, dx[out_2] - a, dy[out_2] - b, dx[in_1] - a, dy[in_1] - b, dx[in_2] - a, dy[in_2] - b,
            )  # fmt: skip
            sx, sy, level = equidistant(four)
            if math.isnan(level):
                break
            tied = trust and not alternate(four, sx, sy)  # points may share a direction only where they had to be sorted
            a, b, reference = a + sx, b + sy, abs(level)
            if level < 0.0:
                in_1, in_2 = out_1, out_2
            for k in range(dx.shape[0]):
                square[k] = (dx[k] - a) ** 2 + (dy[k] - b) ** 2
        return False, best_a, best_b, best_inner, best_outer

    return compiled.inline(zone)


@functools.cache
def minimum_zone_circle(parallel: bool) -> Callable[..., None]:
    """body(x (c, n), y (c, n), scratch (t, 3, n), steps, tolerance, trust, status (c,), out (c, 4)): x, y, inner, outer radius.

    `trust` says that the points are known to be in order; otherwise a circle that is not gets the status `NOT_IN_ORDER`.
    """
    from numba import prange

    mean, centre, centred, zone = _merged(_mean), _merged(_algebraic_centre), compiled.inline(_centred), _zone()
    in_order = compiled.inline(_goes_around_once)

    def body(x, y, scratch, steps, tolerance, trust, status, out):  # type: ignore[no-untyped-def]
        count, threads = x.shape[0], scratch.shape[0]
        for t in prange(threads):
            dx, dy, square = scratch[t, 0], scratch[t, 1], scratch[t, 2]
            for i in range(count * t // threads, count * (t + 1) // threads):
                mx, my = mean(x[i], y[i])
                a, b, _ = centre(x[i], y[i], mx, my)
                status[i] = 0
                out[i, 0], out[i, 1], out[i, 2], out[i, 3] = math.nan, math.nan, math.nan, math.nan
                if not (math.isfinite(a) and math.isfinite(b)):
                    continue
                centred(x[i], y[i], mx, my, dx, dy)
                if not trust and not in_order(dx, dy, a, b):
                    status[i] = NOT_IN_ORDER
                    continue
                proven, a, b, inner, outer = zone(dx, dy, square, a, b, steps, tolerance, trust)
                if proven:
                    out[i, 0], out[i, 1], out[i, 2], out[i, 3] = a + mx, b + my, inner, outer

    read, write, whole, real = compiled.frozen(2), compiled.writable, compiled.scalar("int64"), compiled.scalar("float64")
    signature = (read, read, write(3), whole, real, compiled.scalar("boolean"), write(1, "int64"), write(2))
    return compiled.jit(body, signature, parallel=parallel, fastmath=REORDERED)


def _smallest_circle_through(px: float, py: float, h: Any, tolerance: float) -> tuple[float, float, float, int, int]:
    """The smallest circle through p that encloses the three points h (3, 2): centre, radius, and which of h determine it."""
    best_x = best_y = math.nan
    best, first, second = math.inf, 0, 0
    for candidate in range(6):
        j = candidate if candidate < 3 else (0 if candidate < 5 else 1)
        k = candidate if candidate < 3 else (1 if candidate == 3 else 2)
        ax, ay = h[j, 0], h[j, 1]
        if candidate < 3:
            cx, cy = (px + ax) / 2, (py + ay) / 2
        else:
            ux, uy, vx, vy = ax - px, ay - py, h[k, 0] - px, h[k, 1] - py
            p, q = (ux * (px + ax) + uy * (py + ay)) / 2, (vx * (px + h[k, 0]) + vy * (py + h[k, 1])) / 2
            determinant = ux * vy - uy * vx
            if determinant == 0.0:
                continue
            cx, cy = (p * vy - q * uy) / determinant, (q * ux - p * vx) / determinant
        radius = math.sqrt((px - cx) ** 2 + (py - cy) ** 2)
        encloses = True
        for m in range(3):
            encloses = encloses and math.sqrt((h[m, 0] - cx) ** 2 + (h[m, 1] - cy) ** 2) <= radius * (1 + tolerance)
        if encloses and radius < best:
            best_x, best_y, best, first, second = cx, cy, radius, j, k
    return best_x, best_y, best, first, second


def _farthest_from(dx: Any, dy: Any, a: float, b: float) -> tuple[int, float]:
    """Which point is the farthest, and its square distance."""
    farthest, largest = 0, -1.0
    for k in range(dx.shape[0]):
        away = (dx[k] - a) ** 2 + (dy[k] - b) ** 2
        if away > largest:
            largest, farthest = away, k
    return farthest, largest


def _enclosing() -> Callable[..., Any]:
    """enclosing(dx, dy, h, steps, tolerance): whether proven, then centre and radius; h (3, 2) is scratch."""
    smallest, farthest_from = compiled.inline(_smallest_circle_through), compiled.inline(_farthest_from)

    def enclosing(dx, dy, h, steps, tolerance):  # type: ignore[no-untyped-def]
        first, _ = farthest_from(dx, dy, 0.0, 0.0)
        second, largest = farthest_from(dx, dy, dx[first], dy[first])
        a, b, radius = (dx[first] + dx[second]) / 2, (dy[first] + dy[second]) / 2, math.sqrt(largest) / 2
        h[0, 0], h[0, 1], h[1, 0], h[1, 1] = dx[first], dy[first], dx[second], dy[second]
        h[2, 0], h[2, 1] = dx[second], dy[second]
        for _ in range(steps):
            first, largest = farthest_from(dx, dy, a, b)
            if not largest > (radius * (1 + tolerance)) ** 2:
                return True, a, b, radius
            for m in range(3):  # about the present centre, and back
                h[m, 0], h[m, 1] = h[m, 0] - a, h[m, 1] - b
            step_x, step_y, radius, j, m = smallest(dx[first] - a, dy[first] - b, h, tolerance)
            jx, jy, kx, ky = h[j, 0] + a, h[j, 1] + b, h[m, 0] + a, h[m, 1] + b
            h[0, 0], h[0, 1], h[1, 0], h[1, 1], h[2, 0], h[2, 1] = dx[first], dy[first], jx, jy, kx, ky
            a, b = a + step_x, b + step_y
        return False, a, b, radius

    return compiled.inline(enclosing)


@functools.cache
def minimum_circumscribed_circle(parallel: bool) -> Callable[..., None]:
    """body(x (c, n), y (c, n), scratch (t, 2, n), held (t, 3, 2), steps, tolerance, out (c, 3)): x, y, radius."""
    from numba import prange

    mean, centred, enclosing = _merged(_mean), compiled.inline(_centred), _enclosing()

    def body(x, y, scratch, held, steps, tolerance, out):  # type: ignore[no-untyped-def]
        count, threads = x.shape[0], scratch.shape[0]
        for t in prange(threads):
            dx, dy = scratch[t, 0], scratch[t, 1]
            for i in range(count * t // threads, count * (t + 1) // threads):
                mx, my = mean(x[i], y[i])
                out[i, 0], out[i, 1], out[i, 2] = math.nan, math.nan, math.nan
                if not (math.isfinite(mx) and math.isfinite(my)):
                    continue
                centred(x[i], y[i], mx, my, dx, dy)
                proven, a, b, radius = enclosing(dx, dy, held[t], steps, tolerance)
                if proven:
                    out[i, 0], out[i, 1], out[i, 2] = a + mx, b + my, radius

    read, write = compiled.frozen(2), compiled.writable
    signature = (read, read, write(3), write(3), compiled.scalar("int64"), compiled.scalar("float64"), write(2))
    return compiled.jit(body, signature, parallel=parallel, fastmath=REORDERED)


def _three_around(dx: Any, dy: Any, a: float, b: float) -> tuple[int, int, int]:
    """The point nearest to (a, b), and on either side of it the one most nearly opposite."""
    n = dx.shape[0]
    first = 0
    nearest = math.inf
    for k in range(n):
        away = (dx[k] - a) ** 2 + (dy[k] - b) ** 2
        if away < nearest:
            nearest, first = away, k
    ux, uy = dx[first] - a, dy[first] - b
    second = third = 0
    low_second = low_third = math.inf
    for k in range(n):
        vx, vy = dx[k] - a, dy[k] - b
        away = vx * vx + vy * vy
        along = (ux * vx + uy * vy) / math.sqrt(away if away > 0.0 else 1.0)
        if ux * vy - uy * vx >= 0.0:
            if along < low_second:
                low_second, second = along, k
        elif along < low_third:
            low_third, third = along, k
    return first, second, third


def _leave_no_half_turn(dx: Any, dy: Any, a: float, b: float, i: int, j: int, k: int, least: float) -> bool:
    ax, ay, bx, by, cx, cy = dx[i] - a, dy[i] - b, dx[j] - a, dy[j] - b, dx[k] - a, dy[k] - b
    return bool(ax * by - ay * bx > least and bx * cy - by * cx > least and cx * ay - cy * ax > least)


def _nearest_of_sectors(dx: Any, dy: Any, a: float, b: float, i: int, j: int, k: int) -> tuple[int, int, int, float]:
    """The nearest points of the sectors of i, j and k, and the smallest square distance of all."""
    ax, ay, bx, by, cx, cy = dx[i] - a, dy[i] - b, dx[j] - a, dy[j] - b, dx[k] - a, dy[k] - b
    new_i = new_j = new_k = 0
    near_i = near_j = near_k = nearest = math.inf
    for m in range(dx.shape[0]):
        ux, uy = dx[m] - a, dy[m] - b
        away = ux * ux + uy * uy
        nearest = min(nearest, away)
        left_a, left_b, left_c = ax * uy - ay * ux > 0.0, bx * uy - by * ux > 0.0, cx * uy - cy * ux > 0.0
        if not left_b and left_c and away < near_i:
            near_i, new_i = away, m
        if not left_c and left_a and away < near_j:
            near_j, new_j = away, m
        if not left_a and left_b and away < near_k:
            near_k, new_k = away, m
    return new_i, new_j, new_k, nearest


def _through(dx: Any, dy: Any, a: float, b: float, i: int, j: int, k: int) -> tuple[float, float, float]:
    """Step from (a, b) to the centre of the circle through three points, and its radius; NaN where they are on a line."""
    ax, ay = dx[i] - a, dy[i] - b
    px, py, qx, qy = dx[j] - dx[i], dy[j] - dy[i], dx[k] - dx[i], dy[k] - dy[i]
    p, q = (px * (2 * ax + px) + py * (2 * ay + py)) / 2, (qx * (2 * ax + qx) + qy * (2 * ay + qy)) / 2
    determinant = px * qy - py * qx
    if determinant == 0.0:
        return math.nan, math.nan, math.nan
    sx, sy = (p * qy - q * py) / determinant, (q * px - p * qx) / determinant
    return sx, sy, math.sqrt((ax - sx) ** 2 + (ay - sy) ** 2)


def _enclosed() -> Callable[..., Any]:
    """enclosed(dx, dy, a, b, steps, tolerance): whether proven, then centre and radius."""
    three, closed, sectors, through = (
        compiled.inline(helper) for helper in (_three_around, _leave_no_half_turn, _nearest_of_sectors, _through)
    )

    def enclosed(dx, dy, a, b, steps, tolerance):  # type: ignore[no-untyped-def]
        i, j, k = three(dx, dy, a, b)
        radius = math.nan
        if not closed(dx, dy, a, b, i, j, k, 0.0):
            return False, a, b, radius
        for _ in range(steps):
            new_i, new_j, new_k, nearest = sectors(dx, dy, a, b, i, j, k)
            if nearest >= (radius * (1 - tolerance)) ** 2:
                return closed(dx, dy, a, b, i, j, k, FLAT * nearest), a, b, radius
            together = closed(dx, dy, a, b, new_i, new_j, new_k, 0.0)
            if together or (dx[new_i] - a) ** 2 + (dy[new_i] - b) ** 2 <= nearest:
                i = new_i
            if together or (dx[new_j] - a) ** 2 + (dy[new_j] - b) ** 2 <= nearest:
                j = new_j
            if together or (dx[new_k] - a) ** 2 + (dy[new_k] - b) ** 2 <= nearest:
                k = new_k
            sx, sy, radius = through(dx, dy, a, b, i, j, k)
            if math.isnan(radius):
                break
            a, b = a + sx, b + sy
        return False, a, b, radius

    return compiled.inline(enclosed)


@functools.cache
def maximum_inscribed_circle(parallel: bool) -> Callable[..., None]:
    """body(x (c, n), y (c, n), scratch (t, 2, n), steps, tolerance, out (c, 3)): x, y, radius."""
    from numba import prange

    mean, centre, centred, enclosed = _merged(_mean), _merged(_algebraic_centre), compiled.inline(_centred), _enclosed()

    def body(x, y, scratch, steps, tolerance, out):  # type: ignore[no-untyped-def]
        count, threads = x.shape[0], scratch.shape[0]
        for t in prange(threads):
            dx, dy = scratch[t, 0], scratch[t, 1]
            for i in range(count * t // threads, count * (t + 1) // threads):
                mx, my = mean(x[i], y[i])
                a, b, _ = centre(x[i], y[i], mx, my)
                out[i, 0], out[i, 1], out[i, 2] = math.nan, math.nan, math.nan
                if not (math.isfinite(a) and math.isfinite(b)):
                    continue
                centred(x[i], y[i], mx, my, dx, dy)
                proven, a, b, radius = enclosed(dx, dy, a, b, steps, tolerance)
                if proven:
                    out[i, 0], out[i, 1], out[i, 2] = a + mx, b + my, radius

    read, write = compiled.frozen(2), compiled.writable
    signature = (read, read, write(3), compiled.scalar("int64"), compiled.scalar("float64"), write(2))
    return compiled.jit(body, signature, parallel=parallel, fastmath=REORDERED)
