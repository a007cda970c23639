"""The Numba tier of the Allan deviations: see allan.py for what it computes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

Array = Any

TILE = 16_384
"""Terms of a tile: what a worker takes at a time."""

WIDTH = 512
"""Sums that are formed side by side."""

CHAINED = 4096
"""Up to this m, moving sums of a chunk are doubled while they stay in the cache."""

CHUNK = 32_768


@functools.cache
def bodies(parallel: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    from numba import prange

    tile, chunk = TILE, CHUNK

    @compiled.inline
    def add_second(x0, x1, x2, squares):  # type: ignore[no-untyped-def]
        for k in range(x0.shape[0]):
            d = (x2[k] - x1[k]) - (x1[k] - x0[k])
            squares[k] += d * d

    @compiled.inline
    def add_third(x0, x1, x2, x3, squares):  # type: ignore[no-untyped-def]
        for k in range(x0.shape[0]):
            middle = x2[k] - x1[k]
            d = ((x3[k] - x2[k]) - middle) - (middle - (x1[k] - x0[k]))
            squares[k] += d * d

    @compiled.inline
    def total(x, start, count, m, order, squares):  # type: ignore[no-untyped-def]
        """Into `squares`, one sum for each of its elements, which the processor adds side by side; then of these."""
        squares[:] = 0.0
        width = squares.shape[0]
        for at in range(start, start + count, width):
            w = min(width, start + count - at)
            if order == 2:
                add_second(x[at : at + w], x[at + m : at + m + w], x[at + 2 * m : at + 2 * m + w], squares)
            else:
                add_third(
                    x[at : at + w],
                    x[at + m : at + m + w],
                    x[at + 2 * m : at + 2 * m + w],
                    x[at + 3 * m : at + 3 * m + w],
                    squares,
                )
        found = 0.0
        for k in range(width):
            found += squares[k]
        return found

    @compiled.inline
    def add_neighbours(a, b, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = a[k] + b[k]

    @compiled.inline
    def without_line(x, offset, slope, start, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = (x[k] - offset) - slope * (start + k)

    def differences(x, samples, terms, order, partial, doubled, target, squares):  # type: ignore[no-untyped-def]
        """partial[tile, i]: sum of squares of the terms over samples[i]. target: the first `doubled` sums x[k] + x[k + samples[0]]."""
        tiles, workers = partial.shape[0], squares.shape[0]
        for worker in prange(workers):
            for t in range(tiles * worker // workers, tiles * (worker + 1) // workers):
                start = t * tile
                for i in range(samples.shape[0]):
                    count = min(tile, terms[i] - start)
                    if count > 0:
                        partial[t, i] = total(x, start, count, samples[i], order, squares[worker])
                stop = min(start + tile, doubled)
                if stop > start:
                    add_neighbours(x[start:stop], x[start + samples[0] : stop + samples[0]], target[start:stop])

    def chain(x, slope, terms, partial, sums, scratch, squares):  # type: ignore[no-untyped-def]
        """m = 1, 2, 4 …, one a column of `partial`, for chunk after chunk less the line of `slope`; `sums` of twice the last m."""
        chunks, levels = partial.shape
        workers = squares.shape[0]
        for worker in prange(workers):
            for c in range(chunks * worker // workers, chunks * (worker + 1) // workers):
                start, m, at = c * chunk, 1, 1
                length = min(x.shape[0] - start, chunk + 3 * (1 << (levels - 1)))
                current = scratch[worker, 0, :length]
                without_line(x[start : start + length], x[0], slope, start, current)
                for level in range(levels):
                    count = min(chunk, terms[level] - start)
                    if count > 0:
                        partial[c, level] = total(current, 0, count, m, 2, squares[worker])
                    length -= m
                    if length <= 0:
                        break
                    following = scratch[worker, at, :length]
                    add_neighbours(current[:length], current[m : m + length], following)
                    current = following
                    at, m = 1 - at, 2 * m
                if length > 0:
                    kept = min(length, chunk)
                    sums[start : start + kept] = current[:kept]

    frozen, writable, integer = compiled.frozen, compiled.writable, compiled.scalar("int64")
    return (
        compiled.jit(
            differences,
            (frozen(1), frozen(1, "int64"), frozen(1, "int64"), integer, writable(2), integer, writable(1), writable(2)),
            parallel=parallel, fastmath={"contract"},
        ),
        compiled.jit(chain, (frozen(1), compiled.scalar("float64"), frozen(1, "int64"), writable(2), writable(1), writable(3), writable(2)), parallel=parallel, fastmath={"contract"}),
    )  # fmt: skip
