"""The definition of the four reference circles, in the array API alone; `circle.py` says what they are.

Arrays are (circles, n); a result is one number a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from array_api_compat import device, is_numpy_namespace

Array = Any

EPS = 2.0**-52

MOST_STEPS = 100
"""Steps before a fit is given up: Newton needs 2 to 6, an exchange 3 to 30."""

TOLERANCE = 8 * EPS
"""Two radii are the same when they differ by less, relative to their size: each is the root of a sum of two squares of
differences, off by up to 2.5 units of rounding."""

FLAT = 64 * EPS
"""Sine of the angle, from half a turn or none, below which two directions are opposite or the same up to rounding: points tied
there are left to `circle_tied`."""

SLICED = 512
"""Points from which on slices of one circle after the other beat masks over the batch: measured."""


def _sum(a: Array, b: Array, xp: Any) -> Array:
    return xp.vecdot(a, b)[..., None]


def _algebraic(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Points about their mean, that mean, and the centre that minimises Σ (r_k² − R²)², about the mean too; NaN on a line.

    The determinant of points on a line vanishes only up to rounding, 16 units of which cover the three sums.
    """
    mx, my = xp.mean(x, axis=-1, keepdims=True), xp.mean(y, axis=-1, keepdims=True)
    x, y = x - mx, y - my
    square = x * x + y * y
    xx, xy, yy = _sum(x, x, xp), _sum(x, y, xp), _sum(y, y, xp)
    xz, yz = _sum(x, square, xp) / 2, _sum(y, square, xp) / 2
    determinant = xx * yy - xy * xy
    round_enough = determinant > 16 * EPS * (xx + yy) ** 2
    determinant = xp.where(round_enough, determinant, xp.nan)
    return x, y, mx, my, (yy * xz - xy * yz) / determinant, (xx * yz - xy * xz) / determinant


def algebraic_centre(x: Array, y: Array, *, xp: Any) -> tuple[float, float]:
    """Of one circle, (n,); NaN on a line."""
    _, _, mx, my, a, b = _algebraic(x[None, :], y[None, :], xp=xp)
    return float((a + mx)[0, 0]), float((b + my)[0, 0])


def least_squares(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    n = x.shape[-1]
    radius = xp.sqrt(a * a + b * b + (_sum(x, x, xp) + _sum(y, y, xp)) / n)
    before, running, ones = radius, xp.isfinite(radius), xp.ones_like(x)
    for _ in range(MOST_STEPS):
        ux, uy = x - a, y - b
        r = ux * ux
        r += uy * uy  # in place: a fresh array costs as much as the sum
        r = xp.sqrt(r)
        ux /= r
        uy /= r
        mean_r, mean_ux, mean_uy = (_sum(v, ones, xp) / n for v in (r, ux, uy))
        d = r - mean_r
        bend_x = d / r
        all_bend = _sum(bend_x, ones, xp)
        bend_x *= ux
        byy, bxy = _sum(bend_x, ux, xp), -_sum(bend_x, uy, xp)
        bxx = all_bend - byy
        ux -= mean_ux
        uy -= mean_uy
        gx, gy = _sum(d, ux, xp), _sum(d, uy, xp)
        hxx, hxy, hyy = _sum(ux, ux, xp), _sum(ux, uy, xp), _sum(uy, uy, xp)
        newton = ((hxx + bxx) * (hyy + byy) > (hxy + bxy) ** 2) & (hxx + hyy + bxx + byy > 0)
        hxx, hxy, hyy = (xp.where(newton, h + more, h) for h, more in ((hxx, bxx), (hxy, bxy), (hyy, byy)))
        determinant = hxx * hyy - hxy * hxy
        step_x, step_y = (hyy * gx - hxy * gy) / determinant, (hxx * gy - hxy * gx) / determinant
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
        radius = xp.where(running, mean_r - mean_ux * step_x - mean_uy * step_y, radius)
        step = xp.sqrt(step_x * step_x + step_y * step_y)
        running = running & (step * step > EPS * radius * before)
        before = xp.where(step > 0, step, before)
        if not xp.any(running):
            break
    return (a + mx)[..., 0], (b + my)[..., 0], radius[..., 0]


def _at(values: Array, index: Array, xp: Any) -> Array:
    if is_numpy_namespace(xp):  # what `take_along_axis` does, without what it costs to find out
        return values[xp.arange(values.shape[0])[:, None], index]
    return xp.take_along_axis(values, index, axis=-1)


def _coordinates(dx: Array, dy: Array, points: Sequence[Array], xp: Any) -> list[Array]:
    """dx of every point, then dy of every point."""
    index = xp.concat(list(points), axis=-1)
    both = _at(dx, index, xp), _at(dy, index, xp)
    return [values[..., k : k + 1] for values in both for k in range(len(points))]


def minimum_zone(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    sorted_here = not bool(xp.all(_go_around_once(x - a, y - b, xp)))  # only then points may share a direction
    if sorted_here:
        around = xp.argsort(xp.atan2(y - b, x - a), axis=-1)
        x, y = _at(x, around, xp), _at(y, around, xp)
    nan = a * xp.nan
    best_a, best_b, best_inner, best_outer = nan, nan, nan, nan + xp.inf
    reference, running = nan, xp.isfinite(a)
    tied = ~running & running
    in_1, in_2 = _to_begin_with(x - a, y - b, xp)
    for _ in range(MOST_STEPS):
        dx, dy = x - a, y - b
        square = dx * dx + dy * dy
        edges = _at(square, xp.concat([in_1, in_2], axis=-1), xp)
        out_1, out_2 = _between(square, in_1, in_2, "argmax", xp)
        in_1, in_2 = _between(square, out_1, out_2, "argmin", xp)
        four = xp.concat(
            [edges, _at(square, xp.concat([out_1, out_2, in_1, in_2], axis=-1), xp)], axis=-1
        )  # all extremes
        outer, inner = xp.sqrt(xp.max(four, axis=-1, keepdims=True)), xp.sqrt(xp.min(four, axis=-1, keepdims=True))
        better = running & ~(outer - inner >= best_outer - best_inner)
        best_a, best_b = xp.where(better, a, best_a), xp.where(better, b, best_b)
        best_inner, best_outer = xp.where(better, inner, best_inner), xp.where(better, outer, best_outer)
        gap = best_outer - best_inner - reference
        tied = tied | (running & (gap < -FLAT * outer))  # the four bound nothing: terms of second order decide
        running = running & ~(gap <= TOLERANCE * outer)
        if not xp.any(running):
            break
        four_points = out_1, out_2, in_1, in_2
        step_x, step_y, level = _equidistant(dx, dy, four_points, xp)
        if sorted_here:
            tied = xp.where(running, ~_alternate(dx, dy, four_points, step_x, step_y, xp), tied)
        a, b, reference = a + step_x, b + step_y, xp.where(running, xp.abs(level), reference)
        in_1, in_2 = (
            xp.where(level < 0, out_1, in_1),
            xp.where(level < 0, out_2, in_2),
        )  # the four are the other way round
    unproven = xp.where(running | tied, xp.nan, 0 * mx)
    best_x, best_y = best_a + mx + unproven, best_b + my + unproven
    return best_x[..., 0], best_y[..., 0], (best_inner + unproven)[..., 0], (best_outer + unproven)[..., 0]


def _go_around_once(dx: Array, dy: Array, xp: Any) -> Array:
    """Whether the points follow each other around the centre, counter-clockwise, without passing their own beginning."""
    ahead = xp.all(dx[..., :-1] * dy[..., 1:] > dy[..., :-1] * dx[..., 1:], axis=-1)
    below = dy < 0
    changes = xp.count_nonzero(below[..., 1:] != below[..., :-1], axis=-1)
    closing = dx[..., -1] * dy[..., 0] > dy[..., -1] * dx[..., 0]
    return ahead & ((closing & (changes <= 2)) | (changes <= 1))


def _to_begin_with(dx: Array, dy: Array, xp: Any) -> tuple[Array, Array]:
    """Of points in order around the centre, the nearest of the second quarter and of the fourth."""
    n = dx.shape[-1]
    square = dx * dx + dy * dy
    second, fourth = square[..., n // 4 : n // 2], square[..., 3 * n // 4 :]
    return xp.argmin(second, axis=-1, keepdims=True) + n // 4, xp.argmin(fourth, axis=-1, keepdims=True) + 3 * n // 4


def _between(square: Array, first: Array, second: Array, extreme: str, xp: Any) -> tuple[Array, Array]:
    """Of points in order around the centre, the "argmax" or "argmin" between two, on the one way round and on the other."""
    low, high = xp.minimum(first, second), xp.maximum(first, second)
    pick, none = getattr(xp, extreme), -xp.inf if extreme == "argmax" else xp.inf
    n = square.shape[-1]
    if is_numpy_namespace(xp) and n >= SLICED:
        found = [_between_in(row, i, j, extreme) for row, i, j in zip(square, low[:, 0], high[:, 0], strict=True)]
        both = xp.asarray(found, dtype=xp.int64).reshape(-1, 2)
        return both[:, :1], both[:, 1:]
    k = xp.arange(n, device=device(square))
    inside, outside = (k > low) & (k < high), (k < low) | (k > high)
    return (
        pick(xp.where(inside, square, none), axis=-1, keepdims=True),
        pick(xp.where(outside, square, none), axis=-1, keepdims=True),
    )


def _between_in(row: Array, low: int, high: int, extreme: str) -> tuple[int, int]:
    """The same in one circle, by slices: nothing is copied and no mask is made."""
    inside = low + 1 + int(getattr(row[low + 1 : high], extreme)())
    parts = [(start, row[start:stop]) for start, stop in ((0, low), (high + 1, len(row))) if start < stop]
    outside = [start + int(getattr(part, extreme)()) for start, part in parts]
    if len(outside) == 2 and (
        row[outside[1]] > row[outside[0]] if extreme == "argmax" else row[outside[1]] < row[outside[0]]
    ):
        return inside, outside[1]
    return inside, outside[0]


def _alternate(dx: Array, dy: Array, four: tuple[Array, ...], step_x: Array, step_y: Array, xp: Any) -> Array:
    """Whether the first two points and the last two alternate, seen from the centre after the step."""
    ax, bx, cx, ex, ay, by, cy, ey = _coordinates(dx - step_x, dy - step_y, four, xp)
    square = ax * ax + ay * ay
    longer = xp.sqrt(square / (cx * cx + cy * cy))  # brings all four onto one circle
    px, py = bx - ax, by - ay
    one, other = (px * (longer * qy - ay) - py * (longer * qx - ax) for qx, qy in ((cx, cy), (ex, ey)))
    return ((one > FLAT * square) & (other < -FLAT * square)) | ((one < -FLAT * square) & (other > FLAT * square))


def _equidistant(dx: Array, dy: Array, four: tuple[Array, ...], xp: Any) -> tuple[Array, Array, Array]:
    """Step to the centre as far from the first point as from the second and from the third as from the fourth; the zone there."""
    ax, bx, cx, ex, ay, by, cy, ey = _coordinates(dx, dy, four, xp)
    px, py, qx, qy = bx - ax, by - ay, ex - cx, ey - cy
    p, q = (px * (ax + bx) + py * (ay + by)) / 2, (qx * (cx + ex) + qy * (cy + ey)) / 2
    determinant = px * qy - py * qx
    determinant = xp.where(determinant == 0, xp.nan, determinant)
    sx, sy = (p * qy - q * py) / determinant, (q * px - p * qx) / determinant
    return sx, sy, xp.sqrt((ax - sx) ** 2 + (ay - sy) ** 2) - xp.sqrt((cx - sx) ** 2 + (cy - sy) ** 2)


def circumscribed(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    mx, my = xp.mean(x, axis=-1, keepdims=True), xp.mean(y, axis=-1, keepdims=True)
    x, y = x - mx, y - my
    px, py = _extreme(x, y, x * x + y * y, xp)
    qx, qy = _extreme(x, y, (x - px) ** 2 + (y - py) ** 2, xp)
    a, b = (px + qx) / 2, (py + qy) / 2
    radius = xp.sqrt((px - qx) ** 2 + (py - qy) ** 2) / 2
    held_x, held_y = xp.concat([px, qx, qx], axis=-1), xp.concat([py, qy, qy], axis=-1)
    running = xp.isfinite(radius)
    for _ in range(MOST_STEPS):
        dx, dy = x - a, y - b
        square = dx * dx + dy * dy
        running = running & (xp.max(square, axis=-1, keepdims=True) > (radius * (1 + TOLERANCE)) ** 2)
        if not xp.any(running):
            break
        px, py = _extreme(dx, dy, square, xp)
        step_x, step_y, new_radius, hx, hy = _smallest_through(px, py, held_x - a, held_y - b, xp)
        held_x, held_y = xp.where(running, hx + a, held_x), xp.where(running, hy + b, held_y)
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
        radius = xp.where(running, new_radius, radius)
    unproven = xp.where(running, xp.nan, 0 * mx)
    return (a + mx + unproven)[..., 0], (b + my + unproven)[..., 0], (radius + unproven)[..., 0]


def _extreme(x: Array, y: Array, square: Array, xp: Any) -> tuple[Array, Array]:
    """The point whose `square` is the largest."""
    farthest = xp.argmax(square, axis=-1, keepdims=True)
    return _at(x, farthest, xp), _at(y, farthest, xp)


def _smallest_through(px: Array, py: Array, hx: Array, hy: Array, xp: Any) -> tuple[Array, Array, Array, Array, Array]:
    """The smallest circle through p that encloses three held points: its centre, radius, and the three that determine it."""
    second = xp.asarray(
        [0, 1, 2, 0, 0, 1], device=device(px)
    )  # six candidates: p with one (a diameter) or with two of the held
    third = xp.asarray([0, 1, 2, 1, 2, 2], device=device(px))
    ax, ay, bx, by = (xp.take(v, which, axis=-1) for which in (second, third) for v in (hx, hy))
    cx, cy = _circumcentre(px + 0 * ax, py + 0 * ay, ax, ay, bx, by, xp)
    pairs = xp.asarray([True, True, True, False, False, False], device=device(px))
    cx, cy = xp.where(pairs, (px + ax) / 2, cx), xp.where(pairs, (py + ay) / 2, cy)
    radius = xp.sqrt((px - cx) ** 2 + (py - cy) ** 2)
    for k in range(3):
        away = xp.sqrt((hx[..., k : k + 1] - cx) ** 2 + (hy[..., k : k + 1] - cy) ** 2)
        radius = xp.where(away <= radius * (1 + TOLERANCE), radius, xp.inf)
    best = xp.argmin(radius, axis=-1, keepdims=True)
    held = [xp.concat([p, _at(a, best, xp), _at(b, best, xp)], axis=-1) for p, a, b in ((px, ax, bx), (py, ay, by))]
    return _at(cx, best, xp), _at(cy, best, xp), _at(radius, best, xp), held[0], held[1]


def _circumcentre(ax: Array, ay: Array, bx: Array, by: Array, cx: Array, cy: Array, xp: Any) -> tuple[Array, Array]:
    """Centre of the circle through three points; NaN where they are on a line."""
    px, py, qx, qy = bx - ax, by - ay, cx - ax, cy - ay
    p, q = (px * (ax + bx) + py * (ay + by)) / 2, (qx * (ax + cx) + qy * (ay + cy)) / 2
    determinant = px * qy - py * qx
    determinant = xp.where(determinant == 0, xp.nan, determinant)
    return (p * qy - q * py) / determinant, (q * px - p * qx) / determinant


def inscribed(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    three = _around(x - a, y - b, xp)
    running = xp.isfinite(a) & _surround(x - a, y - b, three, xp)
    closed, radius = running, a * xp.nan
    for _ in range(MOST_STEPS):
        dx, dy = x - a, y - b
        square = dx * dx + dy * dy
        nearest = xp.min(square, axis=-1, keepdims=True)
        proven = nearest >= (radius * (1 - TOLERANCE)) ** 2
        closed = closed & ~(running & proven & ~_surround(dx, dy, three, xp, FLAT * nearest))
        running = running & ~proven
        if not xp.any(running):
            break
        taken = _take_over(dx, dy, square, nearest, three, xp)
        three = [xp.where(running, new, old) for new, old in zip(taken, three, strict=True)]
        ax, bx, cx, ay, by, cy = _coordinates(dx, dy, three, xp)
        step_x, step_y = _circumcentre(ax, ay, bx, by, cx, cy, xp)
        radius = xp.where(running, xp.sqrt((ax - step_x) ** 2 + (ay - step_y) ** 2), radius)
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
    unproven = xp.where(running | ~closed, xp.nan, 0 * mx)
    return (a + mx + unproven)[..., 0], (b + my + unproven)[..., 0], (radius + unproven)[..., 0]


def _around(dx: Array, dy: Array, xp: Any) -> list[Array]:
    """Three points around the centre, if any are: the nearest of all, and on either side the one most nearly opposite to it."""
    square = dx * dx + dy * dy
    first = xp.argmin(square, axis=-1, keepdims=True)
    ux, uy = _at(dx, first, xp), _at(dy, first, xp)
    along = (ux * dx + uy * dy) / xp.sqrt(xp.where(square > 0, square, 1.0))
    left = ux * dy - uy * dx >= 0
    second = xp.argmin(xp.where(left, along, xp.inf), axis=-1, keepdims=True)
    third = xp.argmin(xp.where(left, xp.inf, along), axis=-1, keepdims=True)
    return [first, second, third]


def _surround(dx: Array, dy: Array, three: list[Array], xp: Any, least: Any = 0.0) -> Array:
    """Whether three points leave no half turn open, counter-clockwise: the products of neighbours are above `least`."""
    ax, bx, cx, ay, by, cy = _coordinates(dx, dy, three, xp)
    return (ax * by - ay * bx > least) & (bx * cy - by * cx > least) & (cx * ay - cy * ax > least)


def _take_over(dx: Array, dy: Array, square: Array, nearest: Array, three: list[Array], xp: Any) -> list[Array]:
    """The nearest point of each sector: between the directions opposite to the other two, a point may take the third one's place."""
    left = [_at(dx, k, xp) * dy - _at(dy, k, xp) * dx > 0 for k in three]
    sectors = [~left[1] & left[2], ~left[2] & left[0], ~left[0] & left[1]]
    taken = [xp.argmin(xp.where(sector, square, xp.inf), axis=-1, keepdims=True) for sector in sectors]
    together = _surround(dx, dy, taken, xp)
    return [
        xp.where(together | (_at(square, new, xp) == nearest), new, old) for new, old in zip(taken, three, strict=True)
    ]


def in_order(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array]:
    """The points in order of their angle around the algebraic centre."""
    dx, dy, _, _, a, b = _algebraic(x, y, xp=xp)
    around = xp.argsort(xp.atan2(dy - b, dx - a), axis=-1)
    return _at(x, around, xp), _at(y, around, xp)
