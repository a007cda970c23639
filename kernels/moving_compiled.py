"""The Numba tier of the moving mean and standard deviation: see moving.py for what it computes."""

from __future__ import annotations

import functools
from collections.abc import Callable

from precision.kernels import compiled


@functools.cache
def body(parallel: bool) -> Callable[..., None]:
    import math

    from numba import prange

    @compiled.inline
    def pivot_of(piece):  # type: ignore[no-untyped-def]
        n = piece.shape[0]
        for i in range(n):
            value = piece[(n // 2 + i) % n]
            if math.isfinite(value):
                return value
        return 0.0

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
                else:
                    rectangle(piece, count, mean[row, start:stop], std[row, start:stop], scratch[worker])

    frozen, writable, integer = compiled.frozen, compiled.writable, compiled.scalar("int64")
    return compiled.jit(
        moving, (frozen(2), integer, frozen(1), integer, writable(2), writable(2), writable(3)), parallel=parallel
    )
