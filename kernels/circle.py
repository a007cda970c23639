"""Circles: the four reference circles of roundness, for batches of measured circles.

Any unit: results come in the unit of the coordinates. A circle is the last axis, so `(..., n)` is a batch of circles with n
points each; their order does not matter. A circle with a NaN or infinite coordinate has NaN for a result and leaves its
neighbours alone.

Every fit starts from the algebraic circle in coordinates about the points' own mean, so that a place far from the origin costs
no digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from array_api_compat import is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks, compiled, cuda
from precision.kernels.circle_generic import (
    MOST_STEPS,
    TOLERANCE,
    algebraic_centre,
    circumscribed,
    in_order,
    inscribed,
    least_squares,
    minimum_zone,
)
from precision.kernels.circle_tied import Wanted, by_cuts
from precision.kernels.real_array import real_array

Array = Any

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
    return Circle(*_fit("least_squares_circle", least_squares, x, y, fewest=3, results=3))


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
    return Zone(*_fit("minimum_zone_circle", minimum_zone, x, y, fewest=4, results=4))


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
    return Circle(*_fit("minimum_circumscribed_circle", circumscribed, x, y, fewest=2, results=3))


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
    return Circle(*_fit("maximum_inscribed_circle", inscribed, x, y, fewest=3, results=3))


def _fit(
    name: str, generic: Callable[..., tuple[Array, ...]], x: Array, y: Array, *, fewest: int, results: int
) -> tuple[Array, ...]:
    """Check, choose the tier by the library of the arrays, and bring the results into the shape of the batch."""
    x, y, xp = _points(x, y, fewest)
    shape = x.shape[:-1]
    if len(shape) != 1:
        x, y = (xp.reshape(v, (-1, v.shape[-1])) for v in (x, y))
    if is_cupy_namespace(xp):
        found = _cuda(name, x, y, xp=xp, results=results)
    elif not is_numpy_namespace(xp):
        found = xp.stack(generic(x, y, xp=xp))
    elif compiled.numba_or_none():
        found = _numba(name, x, y, xp=xp, results=results)
    else:
        with blocks.one_blas_thread(), blocks.short_buffers():
            found = xp.stack(generic(x, y, xp=xp))
    if name in TIED:
        found = _settled(found, x, y, TIED[name], xp=xp)
    rows = tuple(found[k, ...] for k in range(results))
    return rows if len(shape) == 1 else tuple(xp.reshape(row, shape) for row in rows)


def _points(x: Array, y: Array, fewest: int) -> tuple[Array, Array, Any]:
    """The coordinates as every reference circle takes them, and their library."""
    expected = f"(..., n) with n ≥ {fewest} points a circle"
    x, xp = real_array("x", x, expected)
    y, _ = real_array("y", y, expected)
    if x.shape != y.shape:
        raise ValueError(f"y has shape {tuple(y.shape)}, x has shape {tuple(x.shape)}; expected the same, {expected}")
    if x.shape[-1] < fewest:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected {expected}")
    return x, y, xp


TIED: dict[str, Wanted] = {
    "minimum_zone_circle": "zone",
    "minimum_circumscribed_circle": "circumscribed",
    "maximum_inscribed_circle": "inscribed",
}


def _settled(found: Array, x: Array, y: Array, wanted: Wanted, *, xp: Any) -> Array:
    """With the circles whose points are tied, so that no exchange has proven an optimum: NaN so far."""
    open_ones = xp.isnan(found[0, :])
    if not bool(xp.any(open_ones)):
        return found
    for i in (int(k) for k in xp.nonzero(open_ones)[0]):
        row_x, row_y = x[i, :], y[i, :]
        mx, my = float(xp.mean(row_x)), float(xp.mean(row_y))
        if not (math.isfinite(mx) and math.isfinite(my)):
            continue
        if wanted != "circumscribed":  # about the algebraic circle, if there is one
            mx, my = algebraic_centre(row_x, row_y, xp=xp)
            if not (math.isfinite(mx) and math.isfinite(my)):
                continue
        best = by_cuts(row_x - mx, row_y - my, wanted, tolerance=TOLERANCE, xp=xp)
        if best is None:
            continue
        a, b, inner, outer = best
        radii = {"zone": (inner, outer), "circumscribed": (outer,), "inscribed": (inner,)}[wanted]
        for k, value in enumerate((a + mx, b + my, *radii)):
            found[k, i] = value
    return found


def _numba(name: str, x: Array, y: Array, *, xp: Any, results: int) -> Array:
    from precision.kernels import circle_compiled

    x, y = xp.ascontiguousarray(x), xp.ascontiguousarray(y)
    count, n = x.shape
    parallel = compiled.parallel_pays(x.size)
    threads = max(1, min(count, compiled.numba_or_none().get_num_threads())) if parallel else 1  # type: ignore[union-attr]
    body, out = getattr(circle_compiled, name)(parallel), xp.empty((count, results))
    if name == "least_squares_circle":
        body(x, y, threads, MOST_STEPS, out)
        return out.T
    scratch = xp.empty((threads, 3, n))
    if name == "maximum_inscribed_circle":
        body(x, y, scratch, MOST_STEPS, TOLERANCE, out)
    elif name == "minimum_circumscribed_circle":
        body(x, y, scratch, xp.empty((threads, 3, 2)), MOST_STEPS, TOLERANCE, out)
    else:
        status = xp.empty(count, dtype=xp.int64)
        body(x, y, scratch, MOST_STEPS, TOLERANCE, False, status, out)
        for i in xp.nonzero(status == circle_compiled.NOT_IN_ORDER)[0]:
            row_x, row_y = in_order(x[i : i + 1], y[i : i + 1], xp=xp)
            body(row_x, row_y, scratch[:1], MOST_STEPS, TOLERANCE, True, status[:1], out[i : i + 1])
    return out.T


def _cuda(name: str, x: Array, y: Array, *, xp: Any, results: int) -> Array:
    if name == "minimum_zone_circle":
        x, y = in_order(x, y, xp=xp)
    out = xp.empty((x.shape[0], results), dtype=xp.float64)
    stop = () if name == "least_squares_circle" else (TOLERANCE,)
    points = (xp.ascontiguousarray(x), xp.ascontiguousarray(y), x.shape[1])
    cuda.launch("circle", name, (*points, MOST_STEPS, *stop, x.shape[0], out), grid=min(x.shape[0], 65_535), block=256)
    return out.T
