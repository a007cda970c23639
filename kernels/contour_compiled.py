"""Contour error: the body that Numba compiles, over the tables that contour.py prepares."""

from __future__ import annotations

import functools
from collections.abc import Callable

from precision.kernels import compiled

GROUP = 8  # as in contour.py
TINY = 1e-300


def _segment_at() -> Callable[..., int]:
    from numba import uint64

    def segment_at(v, along, bucket, per_metre, with_equal):  # type: ignore[no-untyped-def]
        """How many inner joints lie before v, or at it too."""
        m = along.shape[0] - 1
        b = int(min(max(v * per_metre, 0.0), m - 1.0))
        low, high = bucket[b], bucket[b + 1]
        while low < high:
            middle = (low + high) // 2
            if along[uint64(middle + 1)] < v or (with_equal and along[uint64(middle + 1)] == v):
                low = middle + 1
            else:
                high = middle
        # the bucket's edge and v · per_metre are rounded: a joint that close to an edge may be on its other side
        while low > 0 and (along[uint64(low)] > v or (along[uint64(low)] == v and not with_equal)):
            low -= 1
        while low < m - 1 and (along[uint64(low + 1)] < v or (with_equal and along[uint64(low + 1)] == v)):
            low += 1
        return low

    return compiled.inline(segment_at)


@functools.cache
def contour(has_arcs: bool, parallel: bool) -> Callable[..., None]:
    """For a path of lines alone, or of lines and arcs."""
    import math

    from numba import prange, uint64

    segment_at = _segment_at()
    # An unsigned index spares the check for a negative one
    X, Y, UX, UY, SIZE, COS, SIDE, ALONG = (uint64(q) for q in range(8))

    @compiled.inline
    def to_point(px, py, point, v):  # type: ignore[no-untyped-def]
        dx, dy = px - point[v, X], py - point[v, Y]
        return dx * dx + dy * dy

    @compiled.inline
    def squared_distance(px, py, row, point, k):  # type: ignore[no-untyped-def]
        dx, dy = px - row[k, X], py - row[k, Y]
        along, across = dx * row[k, UX] + dy * row[k, UY], row[k, UX] * dy - row[k, UY] * dx
        if has_arcs and row[k, COS] <= 1.0:
            radius = math.sqrt(dx * dx + dy * dy)
            if along >= radius * row[k, COS]:
                return (radius - row[k, SIZE]) * (radius - row[k, SIZE])
            return min(to_point(px, py, point, k), to_point(px, py, point, k + uint64(1)))
        past = max(abs(along) - row[k, SIZE], 0.0)
        return across * across + past * past

    def contour_error(  # type: ignore[no-untyped-def]
        position, commanded, window, row, point, tangent, along, bucket, per_metre, group, deviation, path, beyond
    ):
        m = row.shape[0]
        for i in prange(commanded.shape[0]):
            px, py, s0 = position[0, i], position[1, i], commanded[i]
            if px != px or py != py or s0 != s0:
                deviation[i], path[i], beyond[i] = math.nan, math.nan, False
                continue
            first = segment_at(s0 - window, along, bucket, per_metre, False)
            last = segment_at(s0 + window, along, bucket, per_metre, True)
            nearest = uint64((first + last) // 2)
            # a bound that the middle segment itself beats: the search runs upwards, so that of equals the first stays
            best = squared_distance(px, py, row, point, nearest) * (1.0 + 1e-12) + TINY
            root = math.sqrt(best)
            for g in range(first // GROUP, last // GROUP + 1):
                dx, dy, reach = px - group[uint64(g), X], py - group[uint64(g), Y], root + group[uint64(g), UX]
                if dx * dx + dy * dy > reach * reach:
                    continue
                for j in range(max(first, g * GROUP), min(last, g * GROUP + GROUP - 1) + 1):
                    k = uint64(j)
                    squared = squared_distance(px, py, row, point, k)
                    if squared < best:
                        best, nearest = squared, k
                root = math.sqrt(best)
            k = nearest
            dx, dy = px - row[k, X], py - row[k, Y]
            onward, error = dx * row[k, UX] + dy * row[k, UY], row[k, UX] * dy - row[k, UY] * dx
            inside, at_end, foot = abs(onward) <= row[k, SIZE], onward > 0.0, row[k, ALONG] + (row[k, SIZE] + onward)
            if has_arcs and row[k, COS] <= 1.0:
                radius, side = math.hypot(dx, dy), row[k, SIDE]
                inside = onward >= radius * row[k, COS]
                at_end = to_point(px, py, point, k + uint64(1)) < to_point(px, py, point, k)
                foot = (row[k, ALONG] + along[k + uint64(1)]) / 2 + row[k, SIZE] * math.atan2(side * error, onward)
                error = side * (row[k, SIZE] - radius)
            if inside:
                deviation[i], path[i], beyond[i] = error, foot, False
                continue
            v = k + uint64(1) if at_end else k
            dx, dy = px - point[v, X], py - point[v, Y]
            left = tangent[v, X] * dy - tangent[v, Y] * dx >= 0.0
            deviation[i] = math.hypot(dx, dy) if left else -math.hypot(dx, dy)
            path[i], beyond[i] = along[v], v == uint64(0) or v == uint64(m)

    vector, matrix, number = compiled.frozen(1), compiled.frozen(2), compiled.scalar("float64")
    result = compiled.writable(1)
    signature = (
        *(matrix, vector, number, matrix, matrix, matrix, vector, compiled.frozen(1, "int64"), number, matrix),
        *(result, result, compiled.writable(1, "boolean")),
    )
    return compiled.jit(contour_error, signature, parallel=parallel, fastmath={"contract"})
