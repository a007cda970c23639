"""Contour error: the signed shortest distance from where the tool was to the path it should have followed.

    ε = ± min |P − R(s)|   over the segments that the window s₀ − w … s₀ + w of path parameter touches

s₀ is where the command was, along the path. The window is what keeps a path that crosses or passes itself right: the
nearest point of the whole path may belong to another pass. The sign is that of the left-hand normal of the direction of
travel: positive to the left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import is_cupy_namespace, is_numpy_namespace

from precision.kernels import compiled, contour_compiled, cuda
from precision.kernels.blocks import blocks
from precision.kernels.one_library import one_library
from precision.kernels.real_array import positive_number, real_array

BLOCK = 16_384  # measured: smaller blocks pay more calls, larger ones fall out of the cache
GROUP = 8  # segments under one bounding circle
TURN = 6.283185307179586
TINY = 1e-300


class Toolpath(NamedTuple):
    """Lines and arcs in a plane, end to end.

    Parameters
    ----------
    point_m : (2, m + 1) float
        Where the segments start and end, rows x and y, m.
    centre_m : (2, m) float or None
        Centres of the arcs, m; anything finite where the segment is a line. None: all lines.
    sweep_rad : (m,) float or None
        Angle of the arc, rad: positive counter-clockwise, up to a full turn; 0 is a line. None: all lines.
    """

    point_m: Any
    centre_m: Any = None
    sweep_rad: Any = None


class ContourError(NamedTuple):
    """The contour error and where on the path its foot is.

    `deviation_m` (n,): positive to the left of the direction of travel, m. `path_m` (n,): the foot's path parameter, m.
    `beyond_end` (n,) bool: the foot is an end of the whole path and the point lies beyond it: no contour error proper.
    """

    deviation_m: Any
    path_m: Any
    beyond_end: Any


def contour_error(path: Toolpath, position_m: Any, commanded_m: Any, /, *, window_m: float) -> ContourError:
    """Signed shortest distance to a toolpath, searched around the commanded place (ε).

    Parameters
    ----------
    path : Toolpath
        Arrays of the same library and device as `position_m`. Segments without length are left out.
    position_m : (2, n) float
        Where the tool was, rows x and y, m.
    commanded_m : (n,) float
        Path parameter (length along the path) of the command at the same time, m; beyond the path its ends hold.
    window_m : float
        How far to search along the path before and after the command: more than the following error, less than the length
        of path between two passes of the same place, m. Segments that it touches are searched whole.

    Returns
    -------
    ContourError
        Library and device of `position_m`. NaN in, NaN out, for that sample.

    Raises
    ------
    ValueError
        Wrong shape or dtype; a path without length, with NaN, or with an arc that does not end where it should.

    Notes
    -----
    Where the foot is a corner, the side is taken from the sum of the two tangents there: it is right for every corner
    less than a full reversal. Where two feet are equally near, the earlier one on the path counts.

    Examples
    --------
    >>> import numpy as np
    >>> corner = Toolpath(np.asarray([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    >>> contour_error(corner, np.asarray([[0.5, 1.1], [0.01, 0.5]]), np.asarray([0.5, 1.5]), window_m=0.2).deviation_m
    array([ 0.01, -0.1 ])
    """
    position, xp = real_array("position_m", position_m, "(2, n): rows x and y", ndim=2)
    commanded, _ = real_array("commanded_m", commanded_m, "(n,), one a position", ndim=1)
    if position.shape[0] != 2:
        raise ValueError(f"position_m has shape {position.shape}; expected (2, n): rows x and y")
    if commanded.shape[0] != position.shape[1]:
        n = position.shape[1]
        raise ValueError(f"commanded_m has shape {commanded.shape}; expected ({n},), one a position")
    window = positive_number("window_m", window_m, "a length above zero, m")
    segments = _segments(path, position, commanded, xp)
    if is_cupy_namespace(xp):
        return _cuda(segments, position, commanded, window, xp=xp)
    if is_numpy_namespace(xp):
        if compiled.numba_or_none():
            return _numba(segments, position, commanded, window, xp=xp)
        return _blocked(segments, position, commanded, window, xp=xp)
    return _generic(segments, position, commanded, window, xp=xp)


# ---- what is known before the samples are ---------------------------------------------------------------------------------


class _Segments(NamedTuple):
    """m segments. A line is its midpoint, unit direction and half length; an arc its centre, direction to its middle, radius."""

    point: Any  # (2, m + 1)
    anchor: Any  # (2, m): midpoint or centre
    towards: Any  # (2, m): unit vector along the line, or from the centre to the middle of the arc
    size: Any  # (m,): half length or radius
    cos_half: Any  # (m,): cosine of half the sweep; 2 for a line
    side: Any  # (m,): +1 counter-clockwise, −1 clockwise, 0 line
    along: Any  # (m + 1,): path parameter of the points
    tangent: Any  # (2, m + 1): sum of the tangents that meet in each point
    has_arcs: bool


def _segments(path: Toolpath, position: Any, commanded: Any, xp: Any) -> _Segments:
    point, _ = real_array("path.point_m", path.point_m, "(2, m + 1) with m ≥ 1", ndim=2)
    m = point.shape[1] - 1
    if point.shape[0] != 2 or m < 1:
        raise ValueError(f"path.point_m has shape {point.shape}; expected (2, m + 1) with m ≥ 1")
    if (path.centre_m is None) != (path.sweep_rad is None):
        raise ValueError(
            "path has one of centre_m and sweep_rad; expected both, or neither where all segments are lines"
        )
    if path.sweep_rad is None:
        sweep, centre = xp.zeros_like(point[0, 1:]), point[:, 1:]
    else:
        sweep, _ = real_array("path.sweep_rad", path.sweep_rad, f"({m},)", ndim=1)
        centre, _ = real_array("path.centre_m", path.centre_m, f"(2, {m})", ndim=2)
        if sweep.shape != (m,) or centre.shape != (2, m):
            raise ValueError(
                f"path.sweep_rad has shape {sweep.shape} and path.centre_m {centre.shape}; expected ({m},) and (2, {m})"
            )
    one_library({"position_m": position, "commanded_m": commanded, "path.point_m": point, "path.sweep_rad": sweep})
    one_library({"position_m": position, "path.centre_m": centre})
    for name, values in (("point_m", point), ("centre_m", centre), ("sweep_rad", sweep)):
        if not bool(xp.all(xp.isfinite(values))):
            raise ValueError(f"path.{name} has a NaN or an infinity; expected finite numbers")
    return _prepared(point, centre, sweep, xp)


def _prepared(point: Any, centre: Any, sweep: Any, xp: Any) -> _Segments:
    is_arc = sweep != 0.0
    has_arcs = bool(xp.any(is_arc))
    start, end = point[:, :-1], point[:, 1:]
    chord, arm, out = end - start, start - centre, end - centre
    length = xp.hypot(chord[0, :], chord[1, :])
    if has_arcs:
        radius = xp.where(is_arc, xp.hypot(arm[0, :], arm[1, :]), 0.0)
        length = xp.where(is_arc, radius * xp.abs(sweep), length)
        _check_arcs(arm, out, sweep, radius, is_arc, xp)
    has_length = length > 0.0
    if not bool(xp.all(has_length)):
        if not bool(xp.any(has_length)):
            raise ValueError(f"path has {sweep.shape[0]} segments and no length; expected at least one that moves")
        kept = xp.concat([point[:, :1], end[:, has_length]], axis=1)
        return _prepared(kept, centre[:, has_length], sweep[has_length], xp)
    none = xp.zeros_like(point[:, :1])
    along = xp.concat([none[0, :], xp.cumulative_sum(length)])
    along_chord = chord / xp.where(is_arc, 1.0, length)
    if not has_arcs:
        tangent = xp.concat([none, along_chord], axis=1) + xp.concat([along_chord, none], axis=1)
        two = xp.full_like(length, 2.0)
        return _Segments(point, (start + end) / 2, along_chord, length / 2, two, sweep, along, tangent, False)
    middle = _turned(arm, sweep / 2, xp) / xp.where(is_arc, radius, 1.0)
    side = xp.sign(sweep)
    leaving = xp.where(is_arc, _turned(arm, side * (TURN / 4), xp) / xp.where(is_arc, radius, 1.0), along_chord)
    arriving = xp.where(is_arc, _turned(out, side * (TURN / 4), xp) / xp.where(is_arc, radius, 1.0), along_chord)
    return _Segments(
        point=point,
        anchor=xp.where(is_arc, centre, (start + end) / 2),
        towards=xp.where(is_arc, middle, along_chord),
        size=xp.where(is_arc, radius, length / 2),
        cos_half=xp.where(is_arc, xp.cos(sweep / 2), 2.0),
        side=side,
        along=along,
        tangent=xp.concat([none, arriving], axis=1) + xp.concat([leaving, none], axis=1),
        has_arcs=True,
    )


def _check_arcs(arm: Any, out: Any, sweep: Any, radius: Any, is_arc: Any, xp: Any) -> None:
    gap = _turned(arm, sweep, xp) - out
    miss = xp.hypot(gap[0, :], gap[1, :])
    wrong = is_arc & ~((miss <= 1e-6 * radius) & (xp.abs(sweep) <= TURN * (1.0 + 1e-12)))
    if bool(xp.any(wrong)):
        k = int(xp.argmax(xp.astype(wrong, xp.int64)))
        raise ValueError(
            f"path segment {k} is an arc of radius {float(radius[k]):.6g} m that turns {float(sweep[k]):.6g} rad and misses "
            f"its end point by {float(miss[k]):.3g} m; expected at most 1e-6 of the radius and at most a full turn: take "
            "the centre from the end points and the sweep"
        )


def _turned(vector: Any, angle: Any, xp: Any) -> Any:
    cos, sin = xp.cos(angle), xp.sin(angle)
    return xp.stack([cos * vector[0, :] - sin * vector[1, :], sin * vector[0, :] + cos * vector[1, :]])


# ---- generic: the definition ----------------------------------------------------------------------------------------------


def _window(s: _Segments, commanded: Any, window: float, xp: Any) -> tuple[Any, Any]:
    """First and last segment that commanded ± window touches."""
    joint = s.along[1:-1]
    return (
        xp.searchsorted(joint, commanded - window, side="left"),
        xp.searchsorted(joint, commanded + window, side="right"),
    )


def _generic(s: _Segments, position: Any, commanded: Any, window: float, *, xp: Any) -> ContourError:
    px, py = position[0, :], position[1, :]
    first, last = _window(s, commanded, window, xp)
    nearest, best = first, xp.full_like(px, float("inf"))
    most = int(xp.max(last - first)) if px.shape[0] else -1
    for j in range(most + 1):
        k = xp.where(first + j < last, first + j, last)
        squared = _squared_distance(s, k, px, py, xp)
        nearer = squared < best
        nearest, best = xp.where(nearer, k, nearest), xp.where(nearer, squared, best)
    return _resolved(s, nearest, px, py, commanded, xp)


def _squared_distance(s: _Segments, k: Any, px: Any, py: Any, xp: Any) -> Any:
    """To segments k, one a sample."""
    dx, dy = px - xp.take(s.anchor[0, :], k), py - xp.take(s.anchor[1, :], k)
    ux, uy, size = xp.take(s.towards[0, :], k), xp.take(s.towards[1, :], k), xp.take(s.size, k)
    along, across = dx * ux + dy * uy, ux * dy - uy * dx
    past = xp.abs(along) - size
    past = xp.where(past > 0.0, past, 0.0)
    to_line = across * across + past * past
    if not s.has_arcs:
        return to_line
    cos_half, radius = xp.take(s.cos_half, k), xp.hypot(dx, dy)
    to_circle = (radius - size) * (radius - size)
    to_start, to_end = (_squared_to_point(s, k + e, px, py, xp) for e in (0, 1))
    to_arc = xp.where(along >= radius * cos_half, to_circle, xp.where(to_start <= to_end, to_start, to_end))
    return xp.where(cos_half > 1.0, to_line, to_arc)


def _squared_to_point(s: _Segments, v: Any, px: Any, py: Any, xp: Any) -> Any:
    dx, dy = px - xp.take(s.point[0, :], v), py - xp.take(s.point[1, :], v)
    return dx * dx + dy * dy


def _resolved(s: _Segments, k: Any, px: Any, py: Any, commanded: Any, xp: Any) -> ContourError:
    """Distance with its sign, foot and end, once the nearest segment is known."""
    dx, dy = px - xp.take(s.anchor[0, :], k), py - xp.take(s.anchor[1, :], k)
    ux, uy, size = xp.take(s.towards[0, :], k), xp.take(s.towards[1, :], k), xp.take(s.size, k)
    along, deviation = dx * ux + dy * uy, ux * dy - uy * dx
    at_end, inside = along > 0.0, xp.abs(along) <= size
    foot = xp.take(s.along, k) + (size + along)
    if s.has_arcs:
        cos_half, side, radius = xp.take(s.cos_half, k), xp.take(s.side, k), xp.hypot(dx, dy)
        is_arc = side != 0.0
        middle = (xp.take(s.along, k) + xp.take(s.along, k + 1)) / 2
        on_arc = middle + size * xp.atan2(side * deviation, along)
        nearer_end = _squared_to_point(s, k + 1, px, py, xp) < _squared_to_point(s, k, px, py, xp)
        foot = xp.where(is_arc, on_arc, foot)
        at_end = xp.where(is_arc, nearer_end, at_end)
        inside = xp.where(is_arc, along >= radius * cos_half, inside)
        deviation = xp.where(is_arc, side * (size - radius), deviation)
    v = k + xp.astype(at_end, k.dtype)
    vx, vy = px - xp.take(s.point[0, :], v), py - xp.take(s.point[1, :], v)
    left = xp.take(s.tangent[0, :], v) * vy - xp.take(s.tangent[1, :], v) * vx >= 0.0
    to_corner = xp.hypot(vx, vy)
    deviation = xp.where(inside, deviation, xp.where(left, to_corner, -to_corner))
    foot = xp.where(inside, foot, xp.take(s.along, v))
    beyond = ~inside & ((v == 0) | (v == s.along.shape[0] - 1))
    missing = xp.isnan(px) | xp.isnan(py) | xp.isnan(commanded)
    nan = float("nan")
    return ContourError(xp.where(missing, nan, deviation), xp.where(missing, nan, foot), beyond & ~missing)


# ---- bounding circles: most segments of a window need not be looked at ------------------------------------------------------


class _Groups(NamedTuple):
    """Circles that contain eight consecutive segments each."""

    x: Any  # (groups,)
    y: Any
    radius: Any


def _groups(s: _Segments, xp: Any) -> _Groups:
    m = s.size.shape[0]
    is_arc = s.side != 0.0
    middle = xp.where(is_arc, s.anchor + s.size * s.towards, s.anchor)
    reach = (s.along[1:] - s.along[:-1]) / 2  # no point of a segment is farther from its middle than half its length
    of_group = xp.minimum(xp.arange(-(-m // GROUP) * GROUP), m - 1)
    x, y, reach = (xp.reshape(xp.take(v, of_group), (-1, GROUP)) for v in (middle[0], middle[1], reach))
    cx, cy = xp.mean(x, axis=1), xp.mean(y, axis=1)
    radius = xp.max(xp.hypot(x - cx[:, None], y - cy[:, None]) + reach, axis=1)
    return _Groups(cx, cy, radius * (1.0 + 1e-12))


# ---- NumPy, in blocks -----------------------------------------------------------------------------------------------------------


def _blocked(s: _Segments, position: Any, commanded: Any, window: float, *, xp: Any) -> ContourError:
    n = commanded.shape[0]
    result = ContourError(xp.empty(n), xp.empty(n), xp.empty(n, dtype=xp.bool))
    groups = _groups(s, xp)
    with xp.errstate(invalid="ignore"):  # NaN samples
        for _, at in blocks(n, BLOCK):
            px, py, s0 = position[0, at], position[1, at], commanded[at]
            nearest = _nearest(s, groups, px, py, *_window(s, s0, window, xp), xp)
            for whole, part in zip(result, _resolved(s, nearest, px, py, s0, xp), strict=True):
                whole[at] = part
    return result


def _nearest(s: _Segments, groups: _Groups, px: Any, py: Any, first: Any, last: Any, xp: Any) -> Any:
    """As the generic search, with the groups left out whose circle is farther away than the best so far."""
    nearest = (first + last) // 2
    # a bound that the middle segment itself beats: the search runs upwards, so that of equals the first stays
    best = _squared_distance(s, nearest, px, py, xp) * (1.0 + 1e-12) + TINY
    group, last_group = first // GROUP, last // GROUP
    for _ in range(int(xp.max(last_group - group)) + 1):
        dx, dy = px - xp.take(groups.x, group, mode="clip"), py - xp.take(groups.y, group, mode="clip")
        reach = xp.sqrt(best) + xp.take(groups.radius, group, mode="clip")
        (near,) = xp.nonzero((dx * dx + dy * dy <= reach * reach) & (group <= last_group))
        if near.size:
            _look(s, group[near] * GROUP, near, px[near], py[near], first[near], last[near], nearest, best, xp)
        group = group + 1
    return nearest


def _look(
    s: _Segments, start: Any, near: Any, px: Any, py: Any, first: Any, last: Any, nearest: Any, best: Any, xp: Any
) -> None:
    """Replace `nearest` and `best` of the samples `near` where one of the eight segments from `start` is nearer."""
    now, least = nearest[near], best[near]
    for j in range(GROUP):
        k = xp.minimum(xp.maximum(start + j, first), last)
        squared = _squared_distance(s, k, px, py, xp)
        nearer = squared < least
        now, least = xp.where(nearer, k, now), xp.where(nearer, squared, least)
    nearest[near], best[near] = now, least


# ---- Numba ------------------------------------------------------------------------------------------------------------------------


def _numba(s: _Segments, position: Any, commanded: Any, window: float, *, xp: Any) -> ContourError:
    n, m = commanded.shape[0], s.size.shape[0]
    result = ContourError(xp.empty(n), xp.empty(n), xp.empty(n, dtype=xp.bool))
    groups = _groups(s, xp)
    # where a bucket of path parameter begins; the search for a segment starts there
    per_metre = m / float(s.along[-1])
    bucket = xp.searchsorted(s.along[1:-1], xp.arange(m + 1) / per_metre, side="left")
    body = contour_compiled.contour(s.has_arcs, compiled.parallel_pays(n))
    body(
        xp.ascontiguousarray(position),
        xp.ascontiguousarray(commanded),
        window,
        _rows(s, xp),
        xp.ascontiguousarray(s.point.T),
        xp.ascontiguousarray(s.tangent.T),
        s.along,
        xp.astype(bucket, xp.int64),
        per_metre,
        xp.ascontiguousarray(xp.stack(groups, axis=1)),
        *result,
    )
    return result


def _rows(s: _Segments, xp: Any) -> Any:
    """One row a segment: anchor, direction, size, cosine of half the sweep, side, path parameter of its start."""
    columns = [*s.anchor, *s.towards, s.size, s.cos_half, s.side, s.along[:-1]]
    return xp.ascontiguousarray(xp.stack(columns, axis=1))


# ---- CUDA -------------------------------------------------------------------------------------------------------------------------


def _cuda(s: _Segments, position: Any, commanded: Any, window: float, *, xp: Any) -> ContourError:
    n, m = commanded.shape[0], s.size.shape[0]
    deviation, path = xp.empty(n, dtype=xp.float64), xp.empty(n, dtype=xp.float64)
    beyond = xp.empty(n, dtype=xp.uint8)
    columns = [
        s.anchor[0, :],
        s.anchor[1, :],
        s.towards[0, :],
        s.towards[1, :],
        s.size,
        s.cos_half,
        s.side,
        s.along[:-1],
    ]
    row = xp.ascontiguousarray(xp.stack(columns, axis=1))
    point, tangent = xp.ascontiguousarray(s.point.T), xp.ascontiguousarray(s.tangent.T)
    args = (xp.ascontiguousarray(position), xp.ascontiguousarray(commanded), n, window, row, point, tangent, s.along, m)
    cuda.launch("contour", "contour", (*args, deviation, path, beyond), grid=cuda.grid_for(n))
    return ContourError(deviation, path, beyond != 0)
