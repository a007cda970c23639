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

_STEP = 32
"""Samples by which running sums move on: independent sums side by side, and as many fewer roundings one after the other."""

_TRUSTED = 1e4
"""Largest ratio of mean square to variance at which running sums are used: 1e4 · √(samples/step) · 2⁻⁵³ ≈ 1e-11 of the variance."""


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
    """Sums of windows from those of the windows a step before."""
    import numpy as np

    step, trusted, sums_of_a_step = _STEP, _TRUSTED, _stepping()

    @compiled.inline
    def slide(piece, count, mean, std, scratch):  # type: ignore[no-untyped-def]
        """Running sums of deviations and squares, a step at a time. False where they would cost digits, or meet a NaN.

        S moves on from k to k + step by the sum of a step that begins at k + count, less that of the step that begins at k.
        """
        n, length, share = mean.shape[0], piece.shape[0], 1.0 / count
        pivot = 0.0
        for k in range(count):
            pivot += piece[k] * share
        rows, k = n // step, length - step + 1
        if rows == 0 or not math.isfinite(pivot):
            return False
        d, s, q = scratch[0, :length], scratch[1, :k], scratch[2, :k]
        for i in range(length):
            d[i] = piece[i] - pivot
        sums_of_a_step(d, scratch[3, : length - 3], scratch[4, : length - 3], s, q)
        total, square, least, most = np.empty(step), np.empty(step), np.full(step, math.inf), np.zeros(step)
        a = b = 0.0
        for i in range(count):
            a += d[i]
            b += d[i] * d[i]
        for j in range(step):
            total[j], square[j] = a, b
            if j + count < length:
                a += d[j + count] - d[j]
                b += d[j + count] * d[j + count] - d[j] * d[j]
        moves = (rows - 1) * step
        s_in, s_out = s[count : count + moves].reshape(rows - 1, step), s[:moves].reshape(rows - 1, step)
        q_in, q_out = q[count : count + moves].reshape(rows - 1, step), q[:moves].reshape(rows - 1, step)
        means, stds = mean[: rows * step].reshape(rows, step), std[: rows * step].reshape(rows, step)
        for row in range(rows):
            for j in range(step):
                average, mean_square = total[j] * share, square[j] * share
                variance = mean_square - average * average
                means[row, j] = average + pivot
                stds[row, j] = math.sqrt(variance)
                least[j] = variance if variance < least[j] else least[j]
                most[j] = mean_square if mean_square > most[j] else most[j]
            if row + 1 < rows:
                for j in range(step):
                    total[j] += s_in[row, j] - s_out[row, j]
                    square[j] += q_in[row, j] - q_out[row, j]
        for i in range(rows * step, n):  # less than a step
            j = i - rows * step
            total[j] += s[i - step + count] - s[i - step]
            square[j] += q[i - step + count] - q[i - step]
            average, mean_square = total[j] * share, square[j] * share
            variance = mean_square - average * average
            mean[i], std[i] = average + pivot, math.sqrt(variance)
            least[j], most[j] = min(least[j], variance), max(most[j], mean_square)
        low, high, there = math.inf, 0.0, True
        for j in range(step):
            low, high = min(low, least[j]), max(high, most[j])
            there = there and math.isfinite(square[j])  # a NaN or an infinity stays in the sums
        return there and low * trusted > high

    return slide


def _stepping() -> Callable[..., None]:
    """Sums of each `_STEP` samples, and of their squares."""

    @compiled.inline
    def sums_of_four(d0, d1, d2, d3, s, q):  # type: ignore[no-untyped-def]
        for k in range(s.shape[0]):
            a, b, c, d = d0[k], d1[k], d2[k], d3[k]
            s[k] = (a + b) + (c + d)
            q[k] = (a * a + b * b) + (c * c + d * d)

    @compiled.inline
    def sum_of_eight(x0, x1, x2, x3, x4, x5, x6, x7, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = ((x0[k] + x1[k]) + (x2[k] + x3[k])) + ((x4[k] + x5[k]) + (x6[k] + x7[k]))

    @compiled.inline
    def sums_of_a_step(d, s4, q4, s, q):  # type: ignore[no-untyped-def]
        n, k = s4.shape[0], s.shape[0]
        sums_of_four(d[:n], d[1 : 1 + n], d[2 : 2 + n], d[3 : 3 + n], s4, q4)
        for four, out in ((s4, s), (q4, q)):
            sum_of_eight(
                four[:k], four[4 : 4 + k], four[8 : 8 + k], four[12 : 12 + k],
                four[16 : 16 + k], four[20 : 20 + k], four[24 : 24 + k], four[28 : 28 + k], out,
            )  # fmt: skip

    return sums_of_a_step


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
