"""The definition of the four reference circles, in the array API alone; `circle.py` says what they are.

Points are (circles, n), everything else is a column, (circles, 1); a result is one number a circle. What looks at every point
is a function from points and columns to columns, so that on NumPy it can walk over blocks that stay in the cache, and leave out
the circles that are finished, while the arithmetic of a step is done for all circles at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import device, is_numpy_namespace

from precision.kernels import blocks

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


AT_A_TIME = blocks.BLOCK
"""Points in a block: a temporary of 128 kB is reused by the allocator, a larger one is fetched from the system each time (three
times as slow in a fresh process, measured; a process that has freed larger arrays before hides it)."""


def _of_points(look: Callable[..., tuple[Array, ...]], *rows: Array, xp: Any, running: Array | None = None) -> tuple[Array, ...]:
    """`look(*rows, xp=xp)`, columns of what `rows` (circles, …) hold; only `running` circles matter, others may come out as 0."""
    if not is_numpy_namespace(xp):
        return look(*rows, xp=xp)
    at_a_time = max(1, AT_A_TIME // rows[0].shape[1])
    wanted = None if running is None or running.all() or not running.any() else xp.flatnonzero(running)
    count = rows[0].shape[0] if wanted is None else wanted.size
    if wanted is None and count <= at_a_time:
        return look(*rows, xp=xp)
    parts = [part if wanted is None else wanted[part] for _, part in blocks.blocks(count, at_a_time)]
    found = [xp.concat(column) for column in zip(*(look(*(row[part] for row in rows), xp=xp) for part in parts), strict=True)]
    if wanted is None:
        return tuple(found)
    columns = tuple(xp.zeros((rows[0].shape[0], *column.shape[1:]), dtype=column.dtype) for column in found)
    for column, some in zip(columns, found, strict=True):
        column[wanted] = some
    return columns


def _sum(a: Array, b: Array, xp: Any) -> Array:
    return xp.vecdot(a, b)[..., None]


def _ones(x: Array, xp: Any) -> Array:
    """A row whose product with others is their sum: faster than the sum itself."""
    return xp.ones((1, x.shape[-1]), dtype=xp.float64, device=device(x))


def _about(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Points about a centre that is given about their mean: two differences, so that a place far away costs no digits."""
    dx, dy = x - mx, y - my
    dx -= a
    dy -= b
    return dx, dy


def _squares(dx: Array, dy: Array) -> Array:
    square = dx * dx
    square += dy * dy  # in place: a fresh array costs as much as the sum
    return square


def _squared(dx: Array, dy: Array) -> Array:
    """`_squares` of what nobody needs any more, in its place."""
    dx *= dx
    dy *= dy
    dx += dy
    return dx


def _mean(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array]:
    n, ones = x.shape[-1], _ones(x, xp)
    return _sum(x, ones, xp) / n, _sum(y, ones, xp) / n


def _moments(x: Array, y: Array, mx: Array, my: Array, *, xp: Any) -> tuple[Array, ...]:
    dx, dy = x - mx, y - my
    square = _squares(dx, dy)
    return _sum(dx, dx, xp), _sum(dx, dy, xp), _sum(dy, dy, xp), _sum(dx, square, xp) / 2, _sum(dy, square, xp) / 2


def _algebraic(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array, Array, Array]:
    """Mean of the points, the centre that minimises Σ (r_k² − R²)² about it (NaN on a line), and their mean square distance from it.

    The determinant of points on a line vanishes only up to rounding, 16 units of which cover the three sums.
    """
    mx, my = _of_points(_mean, x, y, xp=xp)
    xx, xy, yy, xz, yz = _of_points(_moments, x, y, mx, my, xp=xp)
    determinant = xx * yy - xy * xy
    round_enough = determinant > 16 * EPS * (xx + yy) ** 2
    determinant = xp.where(round_enough, determinant, xp.nan)
    return mx, my, (yy * xz - xy * yz) / determinant, (xx * yz - xy * xz) / determinant, (xx + yy) / x.shape[-1]


def algebraic_centre(x: Array, y: Array, *, xp: Any) -> tuple[float, float]:
    """Of one circle, (n,); NaN on a line."""
    mx, my, a, b, _ = _algebraic(x[None, :], y[None, :], xp=xp)
    return float((a + mx)[0, 0]), float((b + my)[0, 0])


def least_squares(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    """x, y of the centre and radius, (circles,) each: Newton's steps from the algebraic circle, Gauss's where the curvature is not
    positive. NaN where they do not settle."""
    mx, my, a, b, mean_square = _algebraic(x, y, xp=xp)
    radius = xp.sqrt(a * a + b * b + mean_square)
    before, running = radius, xp.isfinite(radius)
    for _ in range(MOST_STEPS):
        mean_r, mean_ux, mean_uy, gx, gy, hxx, hxy, hyy, bxx, bxy, byy = _of_points(
            _newton_sums, x, y, mx, my, a, b, xp=xp, running=running
        )
        newton = ((hxx + bxx) * (hyy + byy) > (hxy + bxy) ** 2) & (hxx + hyy + bxx + byy > 0)
        hxx, hxy, hyy = (xp.where(newton, h + more, h) for h, more in ((hxx, bxx), (hxy, bxy), (hyy, byy)))
        determinant = xp.where(running, hxx * hyy - hxy * hxy, xp.nan)
        step_x, step_y = (hyy * gx - hxy * gy) / determinant, (hxx * gy - hxy * gx) / determinant
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
        radius = xp.where(running, mean_r - mean_ux * step_x - mean_uy * step_y, radius)
        step = xp.sqrt(step_x * step_x + step_y * step_y)
        running = running & (step * step > EPS * radius * before)
        before = xp.where(step > 0, step, before)
        if not xp.any(running):
            break
    return (a + mx)[..., 0], (b + my)[..., 0], radius[..., 0]


def _newton_sums(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, *, xp: Any) -> tuple[Array, ...]:
    """Means of r and u, Σ (r − R)(u − ū), Σ (u − ū)(u − ū)ᵀ and Σ (r − R)/r (I − uuᵀ)."""
    ux, uy = _about(x, y, mx, my, a, b)
    r = xp.sqrt(_squares(ux, uy))
    reciprocal = 1.0 / r
    ux *= reciprocal
    uy *= reciprocal
    n, ones = x.shape[-1], _ones(x, xp)
    mean_r, mean_ux, mean_uy = (_sum(v, ones, xp) / n for v in (r, ux, uy))
    r -= mean_r
    reciprocal *= r  # (r − R)/r
    bend = _sum(reciprocal, ones, xp)
    reciprocal *= ux
    byy, bxy = _sum(reciprocal, ux, xp), -_sum(reciprocal, uy, xp)
    ux -= mean_ux
    uy -= mean_uy
    gx, gy = _sum(r, ux, xp), _sum(r, uy, xp)
    return mean_r, mean_ux, mean_uy, gx, gy, _sum(ux, ux, xp), _sum(ux, uy, xp), _sum(uy, uy, xp), bend - byy, bxy, byy


def _at(values: Array, index: Array, xp: Any) -> Array:
    if is_numpy_namespace(xp):  # what `take_along_axis` does, without what it costs to find out
        return values[xp.arange(values.shape[0])[:, None], index]
    return xp.take_along_axis(values, index, axis=-1)


def _chosen(x: Array, y: Array, index: list[Array], mx: Array, my: Array, a: Array, b: Array, xp: Any) -> tuple[Array, Array]:
    """The points at several columns of indices, about a centre: (circles, len(index)) each."""
    which = xp.concat(index, axis=-1)
    return _about(_at(x, which, xp), _at(y, which, xp), mx, my, a, b)


def _columns(values: Array) -> list[Array]:
    return [values[..., k : k + 1] for k in range(values.shape[-1])]


def minimum_zone(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array, Array]:
    """x, y of the centre, inner and outer radius, (circles,) each: two outer and two inner points are exchanged until no point lies
    outside their ring. NaN where no exchange proves a ring."""
    mx, my, a, b, _ = _algebraic(x, y, xp=xp)
    around, in_1, in_2 = _of_points(_surveyed, x, y, mx, my, a, b, xp=xp)
    sorted_here = not bool(xp.all(around))  # only then points may share a direction
    if sorted_here:
        x, y = in_order(x, y, xp=xp)
        _, in_1, in_2 = _of_points(_surveyed, x, y, mx, my, a, b, xp=xp)
    nan = a * xp.nan
    best_a, best_b, best_inner, best_outer = nan, nan, nan, nan + xp.inf
    reference, running = nan, xp.isfinite(a)
    tied = ~running & running
    for _ in range(MOST_STEPS):
        before = in_1, in_2
        out_1, out_2, in_1, in_2 = _of_points(_exchanged, x, y, mx, my, a, b, in_1, in_2, xp=xp, running=running)
        dx, dy = _chosen(x, y, [out_1, out_2, in_1, in_2, *before], mx, my, a, b, xp)
        square = _squares(dx, dy)  # all extremes
        outer, inner = xp.sqrt(xp.max(square, axis=-1, keepdims=True)), xp.sqrt(xp.min(square, axis=-1, keepdims=True))
        better = running & ~(outer - inner >= best_outer - best_inner)
        best_a, best_b = xp.where(better, a, best_a), xp.where(better, b, best_b)
        best_inner, best_outer = xp.where(better, inner, best_inner), xp.where(better, outer, best_outer)
        gap = best_outer - best_inner - reference
        tied = tied | (running & (gap < -FLAT * outer))  # the four bound nothing: terms of second order decide
        running = running & ~(gap <= TOLERANCE * outer)
        if not xp.any(running):
            break
        step_x, step_y, level = _equidistant(dx, dy, xp)
        if sorted_here:
            tied = xp.where(running, ~_alternate(dx - step_x, dy - step_y, xp), tied)
        a, b, reference = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b), xp.where(running, xp.abs(level), reference)
        turned = level < 0  # the four are the other way round
        in_1, in_2 = xp.where(turned, out_1, in_1), xp.where(turned, out_2, in_2)
    unproven = xp.where(running | tied, xp.nan, 0 * mx)
    best_x, best_y = best_a + mx + unproven, best_b + my + unproven
    return best_x[..., 0], best_y[..., 0], (best_inner + unproven)[..., 0], (best_outer + unproven)[..., 0]


def _surveyed(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    """Whether the points follow each other around the centre, counter-clockwise, without passing their own beginning; if so, which
    are the nearest of the second quarter and of the fourth, to begin with."""
    dx, dy = _about(x, y, mx, my, a, b)
    ahead = xp.all(dx[..., :-1] * dy[..., 1:] > dy[..., :-1] * dx[..., 1:], axis=-1, keepdims=True)
    below = dy < 0
    changes = xp.count_nonzero(below[..., 1:] != below[..., :-1], axis=-1, keepdims=True)
    closing = dx[..., -1:] * dy[..., :1] > dy[..., -1:] * dx[..., :1]
    n, square = x.shape[-1], _squared(dx, dy)
    second, fourth = square[..., n // 4 : n // 2], square[..., 3 * n // 4 :]
    return (
        ahead & ((closing & (changes <= 2)) | (changes <= 1)),
        xp.argmin(second, axis=-1, keepdims=True) + n // 4,
        xp.argmin(fourth, axis=-1, keepdims=True) + 3 * n // 4,
    )


def _exchanged(
    x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, in_1: Array, in_2: Array, *, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """The farthest points on either side of the line through the inner ones, then the nearest on either side of these."""
    square = _squared(*_about(x, y, mx, my, a, b))
    if is_numpy_namespace(xp) and x.shape[-1] >= SLICED:
        inner = zip(square, in_1[:, 0].tolist(), in_2[:, 0].tolist(), strict=True)
        found = [_exchanged_in(row, i, j) for row, i, j in inner]
        out_1, out_2, in_1, in_2 = _columns(xp.asarray(found, dtype=xp.int64).reshape(-1, 4))
        return out_1, out_2, in_1, in_2
    out_1, out_2 = _between(square, in_1, in_2, "argmax", xp)
    return out_1, out_2, *_between(square, out_1, out_2, "argmin", xp)


def _between(square: Array, first: Array, second: Array, extreme: str, xp: Any) -> tuple[Array, Array]:
    """Of points in order around the centre, the "argmax" or "argmin" between two, on the one way round and on the other."""
    low, high = xp.minimum(first, second), xp.maximum(first, second)
    pick, none = getattr(xp, extreme), -xp.inf if extreme == "argmax" else xp.inf
    k = xp.arange(square.shape[-1], device=device(square))
    inside, outside = (k > low) & (k < high), (k < low) | (k > high)
    return (
        pick(xp.where(inside, square, none), axis=-1, keepdims=True),
        pick(xp.where(outside, square, none), axis=-1, keepdims=True),
    )


def _exchanged_in(square: Array, i: int, j: int) -> tuple[int, int, int, int]:
    """The same in one circle, by slices: nothing is copied and no mask is made."""
    farthest, nearest = type(square).argmax, type(square).argmin
    low, high = (i, j) if i < j else (j, i)
    out_1, out_2 = low + 1 + int(farthest(square[low + 1 : high])), _outside(square, low, high, farthest)
    low, high = (out_1, out_2) if out_1 < out_2 else (out_2, out_1)
    return out_1, out_2, low + 1 + int(nearest(square[low + 1 : high])), _outside(square, low, high, nearest)


def _outside(square: Array, low: int, high: int, pick: Callable[[Array], Any]) -> int:
    """Of the points before `low` and after `high`, the one that `pick` picks; the earlier of two alike."""
    after = high + 1
    if low == 0:
        return after + int(pick(square[after:]))
    before = int(pick(square[:low]))
    if after == square.shape[0]:
        return before
    behind = after + int(pick(square[after:]))
    return (before, behind)[int(pick(square[before : behind + 1 : behind - before]))]


def _alternate(dx: Array, dy: Array, xp: Any) -> Array:
    """Whether the first two points and the next two alternate, seen from the centre."""
    (ax, bx, cx, ex), (ay, by, cy, ey) = _columns(dx)[:4], _columns(dy)[:4]
    square = ax * ax + ay * ay
    longer = xp.sqrt(square / (cx * cx + cy * cy))  # brings all four onto one circle
    px, py = bx - ax, by - ay
    one, other = (px * (longer * qy - ay) - py * (longer * qx - ax) for qx, qy in ((cx, cy), (ex, ey)))
    return ((one > FLAT * square) & (other < -FLAT * square)) | ((one < -FLAT * square) & (other > FLAT * square))


def _equidistant(dx: Array, dy: Array, xp: Any) -> tuple[Array, Array, Array]:
    """Step to the centre as far from the first point as from the second and from the third as from the fourth; the zone there."""
    (ax, bx, cx, ex), (ay, by, cy, ey) = _columns(dx)[:4], _columns(dy)[:4]
    px, py, qx, qy = bx - ax, by - ay, ex - cx, ey - cy
    p, q = (px * (ax + bx) + py * (ay + by)) / 2, (qx * (cx + ex) + qy * (cy + ey)) / 2
    determinant = px * qy - py * qx
    determinant = xp.where(determinant == 0, xp.nan, determinant)
    sx, sy = (p * qy - q * py) / determinant, (q * px - p * qx) / determinant
    return sx, sy, xp.sqrt((ax - sx) ** 2 + (ay - sy) ** 2) - xp.sqrt((cx - sx) ** 2 + (cy - sy) ** 2)


def circumscribed(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    """x, y of the centre and radius, (circles,) each: the point farthest out is exchanged in until none lies outside."""
    mx, my = _of_points(_mean, x, y, xp=xp)
    none = xp.zeros_like(mx)
    first, _ = _of_points(_farthest, x, y, mx, my, none, none, xp=xp)
    px, py = _chosen(x, y, [first], mx, my, none, none, xp)
    second, _ = _of_points(_farthest, x, y, mx, my, px, py, xp=xp)
    qx, qy = _chosen(x, y, [second], mx, my, none, none, xp)
    a, b = (px + qx) / 2, (py + qy) / 2
    radius = xp.sqrt((px - qx) ** 2 + (py - qy) ** 2) / 2
    held_x, held_y = xp.concat([px, qx, qx], axis=-1), xp.concat([py, qy, qy], axis=-1)
    running = xp.isfinite(radius)
    for _ in range(MOST_STEPS):
        farthest, square = _of_points(_farthest, x, y, mx, my, a, b, xp=xp, running=running)
        running = running & (square > (radius * (1 + TOLERANCE)) ** 2)
        if not xp.any(running):
            break
        px, py = _chosen(x, y, [farthest], mx, my, a, b, xp)
        step_x, step_y, new_radius, hx, hy = _smallest_through(px, py, held_x - a, held_y - b, xp)
        held_x, held_y = xp.where(running, hx + a, held_x), xp.where(running, hy + b, held_y)
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
        radius = xp.where(running, new_radius, radius)
    unproven = xp.where(running, xp.nan, 0 * mx)
    return (a + mx + unproven)[..., 0], (b + my + unproven)[..., 0], (radius + unproven)[..., 0]


def _farthest(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, *, xp: Any) -> tuple[Array, Array]:
    """Which point is the farthest, and its square distance."""
    square = _squared(*_about(x, y, mx, my, a, b))
    farthest = xp.argmax(square, axis=-1, keepdims=True)
    return farthest, _at(square, farthest, xp)


def _smallest_through(px: Array, py: Array, hx: Array, hy: Array, xp: Any) -> tuple[Array, Array, Array, Array, Array]:
    """The smallest circle through p that encloses three held points: its centre, radius, and the three that determine it."""
    # six candidates: p with one (a diameter) or with two of the held
    second = xp.asarray([0, 1, 2, 0, 0, 1], device=device(px))
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
    """x, y of the centre and radius, (circles,) each: the nearest point is exchanged in until none lies inside, with three points
    that leave no half turn open. NaN where there are none such."""
    mx, my, a, b, _ = _algebraic(x, y, xp=xp)
    three = list(_of_points(_around, x, y, mx, my, a, b, xp=xp))
    running = xp.isfinite(a) & _surround(*_chosen(x, y, three, mx, my, a, b, xp))
    closed, radius = running, a * xp.nan
    for _ in range(MOST_STEPS):
        *taken, nearest = _of_points(_nearest_of_sectors, x, y, mx, my, a, b, *three, xp=xp, running=running)
        proven = nearest >= (radius * (1 - TOLERANCE)) ** 2
        still = _surround(*_chosen(x, y, three, mx, my, a, b, xp), FLAT * nearest)
        closed = closed & ~(running & proven & ~still)
        running = running & ~proven
        if not xp.any(running):
            break
        three = _taken_over(three, taken, nearest, *_chosen(x, y, taken, mx, my, a, b, xp), running, xp)
        dx, dy = _chosen(x, y, three, mx, my, a, b, xp)
        (ax, bx, cx), (ay, by, cy) = _columns(dx), _columns(dy)
        step_x, step_y = _circumcentre(ax, ay, bx, by, cx, cy, xp)
        radius = xp.where(running, xp.sqrt((ax - step_x) ** 2 + (ay - step_y) ** 2), radius)
        a, b = xp.where(running, a + step_x, a), xp.where(running, b + step_y, b)
    unproven = xp.where(running | ~closed, xp.nan, 0 * mx)
    return (a + mx + unproven)[..., 0], (b + my + unproven)[..., 0], (radius + unproven)[..., 0]


def _around(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    """Three points around the centre, if any are: the nearest of all, and on either side the one most nearly opposite to it."""
    dx, dy = _about(x, y, mx, my, a, b)
    square = _squares(dx, dy)
    first = xp.argmin(square, axis=-1, keepdims=True)
    ux, uy = _at(dx, first, xp), _at(dy, first, xp)
    along = (ux * dx + uy * dy) / xp.sqrt(xp.where(square > 0, square, 1.0))
    left = ux * dy - uy * dx >= 0
    second = xp.argmin(xp.where(left, along, xp.inf), axis=-1, keepdims=True)
    third = xp.argmin(xp.where(left, xp.inf, along), axis=-1, keepdims=True)
    return first, second, third


def _surround(dx: Array, dy: Array, least: Any = 0.0) -> Array:
    """Whether three points leave no half turn open, counter-clockwise: the products of neighbours are above `least`."""
    (ax, bx, cx), (ay, by, cy) = _columns(dx), _columns(dy)
    return (ax * by - ay * bx > least) & (bx * cy - by * cx > least) & (cx * ay - cy * ax > least)


def _nearest_of_sectors(
    x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, i: Array, j: Array, k: Array, *, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """The nearest point of each sector, and the smallest square distance of all.

    Between the directions opposite to the other two, a point may take the third one's place.
    """
    dx, dy = _about(x, y, mx, my, a, b)
    square = _squares(dx, dy)
    left_i, left_j, left_k = (_at(dx, one, xp) * dy - _at(dy, one, xp) * dx > 0 for one in (i, j, k))
    sectors = ~left_j & left_k, ~left_k & left_i, ~left_i & left_j
    new_i, new_j, new_k = (xp.argmin(xp.where(sector, square, xp.inf), axis=-1, keepdims=True) for sector in sectors)
    return new_i, new_j, new_k, xp.min(square, axis=-1, keepdims=True)


def _taken_over(three: list[Array], taken: list[Array], nearest: Array, dx: Array, dy: Array, running: Array, xp: Any) -> list[Array]:
    """The three after the exchange: all new ones where these surround the centre, else the one that is the nearest of all."""
    new = _surround(dx, dy) | (_squares(dx, dy) == nearest)
    return [xp.where(running & new[..., k : k + 1], taken[k], three[k]) for k in range(3)]


def in_order(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array]:
    """The points in order of their angle around the algebraic centre."""
    mx, my, a, b, _ = _algebraic(x, y, xp=xp)
    (around,) = _of_points(_by_angle, x, y, mx, my, a, b, xp=xp)
    return _at(x, around, xp), _at(y, around, xp)


def _by_angle(x: Array, y: Array, mx: Array, my: Array, a: Array, b: Array, *, xp: Any) -> tuple[Array]:
    dx, dy = _about(x, y, mx, my, a, b)
    return (xp.argsort(xp.atan2(dy, dx), axis=-1),)
