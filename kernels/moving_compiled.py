"""The Numba tier of the moving mean and standard deviation: see moving.py for what it computes.

Windows are merged (`rectangle`), or, where it provably costs no digits in the piece at hand, slid along (`slide`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

_SHORTEST = 16
"""Windows below this merge few pairs, and their variances scatter so much that running sums would seldom be trusted."""

_TRUSTED = 1e4
"""Largest ratio of mean square to variance at which running sums are used: √(samples/4) roundings one after the other, of 1e4 · 2⁻⁵³ of
the variance each: 4e-11 for windows up to 2048 samples, 3e-10 for 1e5."""


@functools.cache
def body(parallel: bool) -> Callable[..., None]:
    """body(x (rows, n), count, weights (w,) or (0,), results in a piece, mean, std (rows, n − w + 1), scratch (workers, 6, samples))."""
    from numba import prange

    shortest = _SHORTEST
    rectangle, slide, weighted = _merging(), _sliding(), _weighting()

    def moving(x, count, weights, size, mean, std, scratch):  # type: ignore[no-untyped-def]
        rows, n = mean.shape
        pieces = (n + size - 1) // size
        workers = scratch.shape[0]
        for worker in prange(workers):
            for unit in range(rows * pieces * worker // workers, rows * pieces * (worker + 1) // workers):
                row, start = unit // pieces, unit % pieces * size
                stop = min(start + size, n)
                piece = x[row, start : stop + count - 1]
                if weights.shape[0] > 0:
                    weighted(piece, weights, mean[row, start:stop], std[row, start:stop], scratch[worker])
                elif count < shortest or not slide(
                    piece, count, mean[row, start:stop], std[row, start:stop], scratch[worker]
                ):
                    rectangle(piece, count, mean[row, start:stop], std[row, start:stop], scratch[worker])

    frozen, writable, integer = compiled.frozen, compiled.writable, compiled.scalar("int64")
    return compiled.jit(
        moving, (frozen(2), integer, frozen(1), integer, writable(2), writable(2), writable(3)), parallel=parallel
    )


def _merging() -> Callable[..., None]:
    """Windows of twice as many samples from neighbours, and the window asked for from those."""
    pivot_of = compiled.inline(_pivot_of)

    @compiled.inline
    def double(s, q, sb, qb, m, s_out, q_out):  # type: ignore[no-untyped-def]
        factor = 0.5 / m
        for k in range(s_out.shape[0]):
            difference = sb[k] - s[k]
            s_out[k] = s[k] + sb[k]
            q_out[k] = q[k] + qb[k] + factor * difference * difference

    @compiled.inline
    def append(s, q, a, sb, qb, b):  # type: ignore[no-untyped-def]
        factor, per_a, per_b = a * b / (a + b), 1.0 / a, 1.0 / b
        for k in range(s.shape[0]):
            difference = sb[k] * per_b - s[k] * per_a
            s[k] += sb[k]
            q[k] += qb[k] + factor * difference * difference

    @compiled.inline
    def deviations(piece, pivot, d, zero):  # type: ignore[no-untyped-def]
        for k in range(d.shape[0]):
            deviation = piece[k] - pivot
            nothing = deviation - deviation  # NaN for a NaN or an infinity
            d[k] = deviation + nothing
            zero[k] = nothing

    @compiled.inline
    def copy(s, q, s_out, q_out):  # type: ignore[no-untyped-def]
        for k in range(s_out.shape[0]):
            s_out[k] = s[k]
            q_out[k] = q[k]

    @compiled.inline
    def finish(s, q, share, pivot, mean, std):  # type: ignore[no-untyped-def]
        for k in range(mean.shape[0]):
            mean[k] = s[k] * share + pivot
            std[k] = math.sqrt(q[k] * share)

    @compiled.inline
    def rectangle(piece, count, mean, std, scratch):  # type: ignore[no-untyped-def]
        length, n = piece.shape[0], mean.shape[0]
        pivot = pivot_of(piece)
        s, q, next_s, next_q = scratch[0], scratch[1], scratch[2], scratch[3]
        deviations(piece, pivot, s[:length], q[:length])
        have, m = 0, 1
        while m < count:
            if count & m:
                k = length - have - m + 1
                if have == 0:
                    copy(s[:k], q[:k], scratch[4, :k], scratch[5, :k])
                else:
                    append(scratch[4, :k], scratch[5, :k], have, s[have : have + k], q[have : have + k], m)
                have += m
            if have == count:
                break
            k = length - 2 * m + 1
            double(s[:k], q[:k], s[m : m + k], q[m : m + k], m, next_s[:k], next_q[:k])
            s, q, next_s, next_q, m = next_s, next_q, s, q, 2 * m
        if have == 0:  # a power of two
            finish(s[:n], q[:n], 1.0 / count, pivot, mean, std)
            return
        if have < count:
            append(scratch[4, :n], scratch[5, :n], have, s[have : have + n], q[have : have + n], m)
        finish(scratch[4, :n], scratch[5, :n], 1.0 / count, pivot, mean, std)

    return rectangle


def _sliding() -> Callable[..., bool]:
    """Sums of windows, each from that of the window a sample before: four runs of them side by side, which do not wait for each other."""
    import numpy as np

    trusted, infinite = _TRUSTED, int(np.float64(math.inf).view(np.int64))
    sums, finish, extremes = compiled.inline(_sums_of_first), compiled.inline(_finish), compiled.inline(_extremes)
    run = _running()

    @compiled.inline
    def slide(piece, count, mean, std, scratch):  # type: ignore[no-untyped-def]
        """False where it would cost digits, or meets a NaN."""
        n, length, share = mean.shape[0], piece.shape[0], 1.0 / count
        pivot = 0.0
        for k in range(count):
            pivot += piece[k] * share
        if n < 4 or not math.isfinite(pivot):
            return False
        d, s, q = scratch[0, : length + 1], scratch[1, :n], scratch[2, :n]
        for i in range(length):
            d[i] = piece[i] - pivot
        d[length] = 0.0
        j = n // 4
        run(d, count, sums(d[:count]), sums(d[j : j + count]), sums(d[2 * j : 2 * j + count]), sums(d[3 * j : 3 * j + count]), s, q)
        finish(s, q, share, pivot, mean, std)
        # numbers that are not negative have the order of their bits; an infinity comes last, a NaN behind it or, negative, first
        low, high = extremes(std.view(np.int64))
        _, largest = extremes(q.view(np.int64))
        if low < 0 or high >= infinite or largest >= infinite:
            return False
        bits = scratch[3, :2].view(np.int64)
        bits[0], bits[1] = low, largest
        least, most = scratch[3, 0], scratch[3, 1]
        return least * least * trusted > most * share

    return slide


def _sums_of_first(d: Any) -> tuple[float, float]:
    s = q = 0.0
    for k in range(d.shape[0]):
        s += d[k]
        q += d[k] * d[k]
    return s, q


def _running() -> Callable[..., None]:
    @compiled.inline
    def moved(s, q, enters, leaves):  # type: ignore[no-untyped-def]
        step = enters - leaves
        return s + step, q + step * (enters + leaves)

    @compiled.inline
    def run(d, count, first, second, third, fourth, s, q):  # type: ignore[no-untyped-def]
        """s, q : sums of the windows of `count`, and of their squares; those of the four quarters begin with the sums given."""
        n = s.shape[0]
        m = n // 4
        (s_1, q_1), (s_2, q_2), (s_3, q_3), (s_4, q_4) = first, second, third, fourth
        to_1, to_2, to_3, to_4 = s[:m], s[m : 2 * m], s[2 * m : 3 * m], s[3 * m : 4 * m]
        squares_1, squares_2, squares_3, squares_4 = q[:m], q[m : 2 * m], q[2 * m : 3 * m], q[3 * m : 4 * m]
        leaves_1, leaves_2, leaves_3, leaves_4 = d[:m], d[m : 2 * m], d[2 * m : 3 * m], d[3 * m : 4 * m]
        after = d[count:]
        enters_1, enters_2, enters_3, enters_4 = after[:m], after[m : 2 * m], after[2 * m : 3 * m], after[3 * m : 4 * m]
        for k in range(m):
            to_1[k], to_2[k], to_3[k], to_4[k] = s_1, s_2, s_3, s_4
            squares_1[k], squares_2[k], squares_3[k], squares_4[k] = q_1, q_2, q_3, q_4
            s_1, q_1 = moved(s_1, q_1, enters_1[k], leaves_1[k])
            s_2, q_2 = moved(s_2, q_2, enters_2[k], leaves_2[k])
            s_3, q_3 = moved(s_3, q_3, enters_3[k], leaves_3[k])
            s_4, q_4 = moved(s_4, q_4, enters_4[k], leaves_4[k])
        for k in range(4 * m, n):
            s[k], q[k] = s_4, q_4
            s_4, q_4 = moved(s_4, q_4, d[k + count], d[k])

    return run


def _finish(s: Any, q: Any, share: float, pivot: float, mean: Any, std: Any) -> None:
    for k in range(mean.shape[0]):
        average = s[k] * share
        mean[k] = average + pivot
        std[k] = math.sqrt(q[k] * share - average * average)


def _extremes(numbers: Any) -> tuple[int, int]:
    """Of whole numbers."""
    low = high = numbers[0]
    for k in range(numbers.shape[0]):
        low, high = min(low, numbers[k]), max(high, numbers[k])
    return low, high


def _weighting() -> Callable[..., None]:
    """Weighted windows: a pass for the mean, and one for the squares about it."""
    pivot_of = compiled.inline(_pivot_of)

    @compiled.inline
    def weighted(piece, weights, mean, std, scratch):  # type: ignore[no-untyped-def]
        n = mean.shape[0]
        pivot = pivot_of(piece)
        deviation, average, square = scratch[0], scratch[1, :n], scratch[2, :n]
        for k in range(piece.shape[0]):
            difference = piece[k] - pivot
            deviation[k] = difference + (difference - difference)  # NaN for an infinity too
        average[:] = 0.0
        square[:] = 0.0
        for i in range(weights.shape[0]):
            moved, weight = deviation[i : i + n], weights[i]
            for k in range(n):
                average[k] += weight * moved[k]
        for i in range(weights.shape[0]):
            moved, weight = deviation[i : i + n], weights[i]
            for k in range(n):
                difference = moved[k] - average[k]
                square[k] += weight * difference * difference
        for k in range(n):
            mean[k] = average[k] + pivot
            std[k] = math.sqrt(square[k])

    return weighted


def _pivot_of(piece: Any) -> Any:
    """A finite sample, of those as near to the middle as any that follow; 0 where none is."""
    n = piece.shape[0]
    for i in range(n):
        value = piece[(n // 2 + i) % n]
        if math.isfinite(value):
            return value
    return 0.0
