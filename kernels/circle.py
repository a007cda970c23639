"""Circles: the four reference circles of roundness, for batches of measured circles.

Any unit: results come in the unit of the coordinates. A circle is the last axis, so `(..., n)` is a batch of circles with n
points each; their order does not matter. A circle with a NaN or infinite coordinate has NaN for a result and leaves its
neighbours alone.

Every fit starts from the algebraic circle in coordinates about the points' own mean, so that a place far from the origin costs
no digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks, compiled, cuda
from precision.kernels.real_array import real_array

Array = Any

MOST_STEPS = 100
"""Steps before a fit is given up: Newton needs 2 to 6, an exchange 3 to 30."""

EPS = 2.0**-52

TOLERANCE = 8 * EPS
"""Two radii are the same when they differ by less, relative to their size: each is the root of a sum of two squares of
differences, off by up to 2.5 units of rounding."""


class Circle(NamedTuple):
    """Centre and radius, each of the batch's shape."""

    x: Array
    y: Array
    radius: Array


class Zone(NamedTuple):
    """Common centre of two circles that hold every point between them, each of the batch's shape."""

    x: Array
    y: Array
    inner_radius: Array
    outer_radius: Array


def least_squares_circle(x: Array, y: Array, /) -> Circle:
    """Geometric least-squares reference circle (LSC).

    Parameters
    ----------
    x, y : (..., n) float, n ≥ 3
        Coordinates of the points. Any unit.

    Returns
    -------
    Circle
        x, y, radius : (...). NaN where no circle fits best: points on a line, or all in one place.

    Raises
    ------
    ValueError
        Shapes differ, fewer than 3 points, or not an array of real numbers.

    References
    ----------
    ISO 12181-1 (from memory of the standard); checked against NIST's algorithm-testing circles.

    Notes
    -----
    Minimises Σ (r_k − R)², r_k the distance of point k from the centre, over centre and R. R = mean(r_k) is put in, and the
    centre is found by Newton's method: gradient −Σ (r_k − R) u_k, second derivative Σ (u_k − ū)(u_k − ū)ᵀ + Σ (r_k − R)/r_k
    (I − u_k u_kᵀ), u_k the unit vector from the centre to point k; the last sum is left out (Gauss–Newton) where it would make
    the matrix indefinite. Steps end when the next would be lost in rounding.

    Examples
    --------
    >>> import numpy as np
    >>> [float(v) for v in least_squares_circle(np.array([1.0, 3.0, 1.0, -1.0]), np.array([2.0, 0.0, -2.0, 0.0]))]
    [1.0, 0.0, 2.0]
    """
    return Circle(*_fit("least_squares_circle", _least_squares, x, y, fewest=3, results=3))


def minimum_zone_circle(x: Array, y: Array, /) -> Zone:
    """Minimum-zone reference circles (MZC): two concentric circles, least apart, with every point between them.

    Parameters
    ----------
    x, y : (..., n) float, n ≥ 4
        Coordinates of the points. Any unit.

    Returns
    -------
    Zone
        x, y, inner_radius, outer_radius : (...). RONt(MZC) is their difference. NaN for points on a line.

    Raises
    ------
    ValueError
        Shapes differ, fewer than 4 points, or not an array of real numbers.

    References
    ----------
    ISO 12181-1 (from memory of the standard). Exchange: Remez's second algorithm on the basis 1, cos, sin.

    Notes
    -----
    At the optimum two points on the outer circle and two on the inner alternate around the centre. Such four points determine
    the centre exactly, as the intersection of two perpendicular bisectors. Each pass takes as outer points the farthest on
    either side of the line through the inner ones, then as inner points the nearest on either side of the line through the new
    outer ones: they alternate, and they include the farthest and nearest of all. The zone of the four grows until no point
    lies outside it.

    The points are taken in the order of their angle around the algebraic centre, so the form error has to be small beside the
    radius and, on an arc, beside its sagitta: from about half of it on, the optimum may be missed.
    """
    return Zone(*_fit("minimum_zone_circle", _minimum_zone, x, y, fewest=4, results=4))


def minimum_circumscribed_circle(x: Array, y: Array, /) -> Circle:
    """Minimum circumscribed circle (MCC): the smallest that encloses every point; the reference of outer features.

    Parameters
    ----------
    x, y : (..., n) float, n ≥ 2
        Coordinates of the points. Any unit.

    Returns
    -------
    Circle
        x, y, radius : (...).

    Raises
    ------
    ValueError
        Shapes differ, fewer than 2 points, or not an array of real numbers.

    References
    ----------
    ISO 12181-1 (from memory of the standard).

    Notes
    -----
    The circle is determined by two points (its diameter) or three. While a point lies outside, the farthest one joins them and
    the smallest circle through it that encloses all four takes over; its radius grows with each pass.
    """
    return Circle(*_fit("minimum_circumscribed_circle", _circumscribed, x, y, fewest=2, results=3))


def maximum_inscribed_circle(x: Array, y: Array, /) -> Circle:
    """Maximum inscribed circle (MIC): the largest that no point lies inside of; the reference of inner features.

    Parameters
    ----------
    x, y : (..., n) float, n ≥ 3
        Coordinates of the points. Any unit.

    Returns
    -------
    Circle
        x, y, radius : (...). NaN where the points leave half a turn open: no circle is the largest then.

    Raises
    ------
    ValueError
        Shapes differ, fewer than 3 points, or not an array of real numbers.

    References
    ----------
    ISO 12181-1 (from memory of the standard).

    Notes
    -----
    Three points around the centre determine it. The plane is divided into the three sectors that each may hand over to another
    point without the three leaving half a turn open; the nearest of each sector takes over until none is nearer. The result is
    the largest circle reached from the algebraic one, which is the largest of all while the form error is small beside the
    radius; a profile far from round may have several largest circles, of which this is one.
    """
    return Circle(*_fit("maximum_inscribed_circle", _inscribed, x, y, fewest=3, results=3))


def _fit(
    name: str, generic: Callable[..., tuple[Array, ...]], x: Array, y: Array, *, fewest: int, results: int
) -> tuple[Array, ...]:
    """Check, choose the tier by the library of the arrays, and bring the results into the shape of the batch."""
    expected = f"(..., n) with n ≥ {fewest} points a circle"
    x, xp = real_array("x", x, expected)
    y, _ = real_array("y", y, expected)
    if x.shape != y.shape:
        raise ValueError(f"y has shape {tuple(y.shape)}, x has shape {tuple(x.shape)}; expected the same, {expected}")
    n = x.shape[-1]
    if n < fewest:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected {expected}")
    flat_x, flat_y = xp.reshape(x, (-1, n)), xp.reshape(y, (-1, n))
    if is_cupy_namespace(xp):
        found = _cuda(name, flat_x, flat_y, xp=xp, results=results)
    elif is_numpy_namespace(xp) and compiled.numba_or_none():
        found = _numba(name, flat_x, flat_y, xp=xp, results=results)
    elif is_numpy_namespace(xp):
        found = _blocked(generic, flat_x, flat_y, xp=xp)
    else:
        found = xp.stack(generic(flat_x, flat_y, xp=xp))
    return tuple(xp.reshape(found[k, ...], x.shape[:-1]) for k in range(results))


def _blocked(generic: Callable[..., tuple[Array, ...]], x: Array, y: Array, *, xp: Any) -> Array:
    """The definition over so many circles at a time that their points stay in the cache."""
    at_a_time = max(1, blocks.BLOCK // x.shape[-1])
    parts = [(slice(0, 0), slice(0, 0))] if x.shape[0] == 0 else blocks.blocks(x.shape[0], at_a_time)
    with blocks.one_blas_thread():
        return xp.concat([xp.stack(generic(x[part, :], y[part, :], xp=xp)) for part, _ in parts], axis=-1)


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


def _least_squares(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    n = x.shape[-1]
    radius = xp.sqrt(a * a + b * b + (_sum(x, x, xp) + _sum(y, y, xp)) / n)
    before, running = radius, xp.isfinite(radius)
    for _ in range(MOST_STEPS):
        ux, uy = x - a, y - b
        r = xp.sqrt(ux * ux + uy * uy)
        reciprocal = 1 / r
        ux, uy = ux * reciprocal, uy * reciprocal
        mean_r, mean_ux, mean_uy = (xp.mean(v, axis=-1, keepdims=True) for v in (r, ux, uy))
        d = r - mean_r
        bend = d * reciprocal
        vx, vy = ux - mean_ux, uy - mean_uy
        gx, gy = _sum(d, vx, xp), _sum(d, vy, xp)
        hxx, hxy, hyy = _sum(vx, vx, xp), _sum(vx, vy, xp), _sum(vy, vy, xp)
        bend_x, bend_y = bend * ux, bend * uy
        bxx, bxy, byy = _sum(bend_y, uy, xp), -_sum(bend_x, uy, xp), _sum(bend_x, ux, xp)
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
    return xp.take_along_axis(values, index, axis=-1)


def _minimum_zone(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    around = xp.argsort(xp.atan2(y - b, x - a), axis=-1)
    x, y = _at(x, around, xp), _at(y, around, xp)
    nan = a * xp.nan
    best_a, best_b, best_inner, best_outer = nan, nan, nan, nan + xp.inf
    reference, running = nan, xp.isfinite(a)
    in_1, in_2 = _to_begin_with(x - a, y - b, xp)
    for _ in range(MOST_STEPS):
        dx, dy = x - a, y - b
        square = dx * dx + dy * dy
        out_1, out_2 = _between(square, in_1, in_2, xp)
        in_1, in_2 = _between(-square, out_1, out_2, xp)
        outer = xp.sqrt(xp.max(square, axis=-1, keepdims=True))
        inner = xp.sqrt(xp.min(square, axis=-1, keepdims=True))
        better = running & ~(outer - inner >= best_outer - best_inner)
        best_a, best_b = xp.where(better, a, best_a), xp.where(better, b, best_b)
        best_inner, best_outer = xp.where(better, inner, best_inner), xp.where(better, outer, best_outer)
        running = running & ~(best_outer - best_inner - reference <= TOLERANCE * outer)
        if not xp.any(running):
            break
        step_x, step_y, level = _equidistant(dx, dy, (out_1, out_2, in_1, in_2), xp)
        a, b, reference = a + step_x, b + step_y, xp.where(running, xp.abs(level), reference)
        in_1, in_2 = (
            xp.where(level < 0, out_1, in_1),
            xp.where(level < 0, out_2, in_2),
        )  # the four are the other way round
    unproven = xp.where(running, xp.nan, 0 * mx)
    best_x, best_y = best_a + mx + unproven, best_b + my + unproven
    return best_x[..., 0], best_y[..., 0], (best_inner + unproven)[..., 0], (best_outer + unproven)[..., 0]


def _to_begin_with(dx: Array, dy: Array, xp: Any) -> tuple[Array, Array]:
    """Of points in order around the centre, the nearest of the second quarter and of the fourth."""
    n = dx.shape[-1]
    square = dx * dx + dy * dy
    second, fourth = square[..., n // 4 : n // 2], square[..., 3 * n // 4 :]
    return xp.argmin(second, axis=-1, keepdims=True) + n // 4, xp.argmin(fourth, axis=-1, keepdims=True) + 3 * n // 4


def _between(height: Array, first: Array, second: Array, xp: Any) -> tuple[Array, Array]:
    """Of points in order around the centre, the highest of those between two, on the one way round and on the other."""
    k = xp.arange(height.shape[-1], device=device(height))
    low, high = xp.minimum(first, second), xp.maximum(first, second)
    inside, outside = (k > low) & (k < high), (k < low) | (k > high)
    return (
        xp.argmax(xp.where(inside, height, -xp.inf), axis=-1, keepdims=True),
        xp.argmax(xp.where(outside, height, -xp.inf), axis=-1, keepdims=True),
    )


def _equidistant(dx: Array, dy: Array, four: tuple[Array, ...], xp: Any) -> tuple[Array, Array, Array]:
    """Step to the centre as far from the first point as from the second and from the third as from the fourth; the zone there."""
    (ax, bx, cx, ex), (ay, by, cy, ey) = ([_at(d, k, xp) for k in four] for d in (dx, dy))
    px, py, qx, qy = bx - ax, by - ay, ex - cx, ey - cy
    p, q = (px * (ax + bx) + py * (ay + by)) / 2, (qx * (cx + ex) + qy * (cy + ey)) / 2
    determinant = px * qy - py * qx
    determinant = xp.where(determinant == 0, xp.nan, determinant)
    sx, sy = (p * qy - q * py) / determinant, (q * px - p * qx) / determinant
    return sx, sy, xp.sqrt((ax - sx) ** 2 + (ay - sy) ** 2) - xp.sqrt((cx - sx) ** 2 + (cy - sy) ** 2)


def _circumscribed(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
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


def _inscribed(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array, Array]:
    x, y, mx, my, a, b = _algebraic(x, y, xp=xp)
    three = _around(x - a, y - b, xp)
    running = xp.isfinite(a) & _surround(x - a, y - b, three, xp)
    closed, radius = running, a * xp.nan
    for _ in range(MOST_STEPS):
        dx, dy = x - a, y - b
        square = dx * dx + dy * dy
        nearest = xp.min(square, axis=-1, keepdims=True)
        running = running & ~(nearest >= (radius * (1 - TOLERANCE)) ** 2)
        if not xp.any(running):
            break
        taken = _take_over(dx, dy, square, nearest, three, xp)
        three = [xp.where(running, new, old) for new, old in zip(taken, three, strict=True)]
        (ax, bx, cx), (ay, by, cy) = ([_at(v, k, xp) for k in three] for v in (dx, dy))
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


def _surround(dx: Array, dy: Array, three: list[Array], xp: Any) -> Array:
    """Whether three points leave no half turn open, counter-clockwise."""
    (ax, bx, cx), (ay, by, cy) = ([_at(d, k, xp) for k in three] for d in (dx, dy))
    return (ax * by - ay * bx > 0) & (bx * cy - by * cx > 0) & (cx * ay - cy * ax > 0)


def _take_over(dx: Array, dy: Array, square: Array, nearest: Array, three: list[Array], xp: Any) -> list[Array]:
    """The nearest point of each sector: between the directions opposite to the other two, a point may take the third one's place."""
    left = [_at(dx, k, xp) * dy - _at(dy, k, xp) * dx > 0 for k in three]
    sectors = [~left[1] & left[2], ~left[2] & left[0], ~left[0] & left[1]]
    taken = [xp.argmin(xp.where(sector, square, xp.inf), axis=-1, keepdims=True) for sector in sectors]
    together = _surround(dx, dy, taken, xp)
    return [
        xp.where(together | (_at(square, new, xp) == nearest), new, old) for new, old in zip(taken, three, strict=True)
    ]


def _numba(name: str, x: Array, y: Array, *, xp: Any, results: int) -> Array:
    from precision.kernels import circle_compiled

    x, y = xp.ascontiguousarray(x), xp.ascontiguousarray(y)
    count, n = x.shape
    parallel = compiled.parallel_pays(x.size)
    threads = max(1, min(count, compiled.numba_or_none().get_num_threads())) if parallel else 1  # type: ignore[union-attr]
    body, scratch, out = getattr(circle_compiled, name)(parallel), xp.empty((threads, 3, n)), xp.empty((count, results))
    if name == "least_squares_circle":
        body(x, y, scratch, MOST_STEPS, out)
    elif name == "maximum_inscribed_circle":
        body(x, y, scratch, MOST_STEPS, TOLERANCE, out)
    elif name == "minimum_circumscribed_circle":
        body(x, y, scratch, xp.empty((threads, 3, 2)), MOST_STEPS, TOLERANCE, out)
    else:
        status = xp.empty(count, dtype=xp.int64)
        body(x, y, scratch, MOST_STEPS, TOLERANCE, False, status, out)
        for i in xp.nonzero(status == circle_compiled.NOT_IN_ORDER)[0]:
            row_x, row_y = _in_order(x[i : i + 1], y[i : i + 1], xp=xp)
            body(row_x, row_y, scratch[:1], MOST_STEPS, TOLERANCE, True, status[:1], out[i : i + 1])
    return out.T


def _cuda(name: str, x: Array, y: Array, *, xp: Any, results: int) -> Array:
    if name == "minimum_zone_circle":
        x, y = _in_order(x, y, xp=xp)
    out = xp.empty((x.shape[0], results), dtype=xp.float64)
    stop = () if name == "least_squares_circle" else (TOLERANCE,)
    points = (xp.ascontiguousarray(x), xp.ascontiguousarray(y), x.shape[1])
    cuda.launch("circle", name, (*points, MOST_STEPS, *stop, x.shape[0], out), grid=min(x.shape[0], 65_535), block=256)
    return out.T


def _in_order(x: Array, y: Array, *, xp: Any) -> tuple[Array, Array]:
    """The points in order of their angle around the algebraic centre."""
    dx, dy, _, _, a, b = _algebraic(x, y, xp=xp)
    around = xp.argsort(xp.atan2(dy - b, dx - a), axis=-1)
    return _at(x, around, xp), _at(y, around, xp)
