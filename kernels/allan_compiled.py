"""The Numba tier of the Allan deviations: see allan.py for what it computes.

Sums of squares may be added up in any order (`reassoc`), and so run side by side in the registers; differences and moving
sums may not: they keep the order in which they are written (`in_order`), or an offset would cost digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from precision.kernels import compiled

Array = Any

TILE = 8192
"""Terms of a tile: what a worker takes at a time."""

WIDTH = 2048
"""Terms of a loop: their squares are one partial sum, and its operands stay in the first-level cache from one m to the next."""

LEVELS = 12
"""Octaves whose moving sums are doubled chunk by chunk: up to m = 2048."""

CHUNK = 32_768

COLUMNS = 32
"""Longer sums are multiples of 2^LEVELS apart: phases of so many neighbouring residues stay in the cache for all octaves."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """differences : of the data, over any m.  chunks : modified, octaves below `LEVELS`.  columns : the octaves from there on."""

    differences: Callable[..., None]
    chunks: Callable[..., None]
    columns: Callable[..., None]


@functools.cache
def bodies(parallel: bool) -> Bodies:
    """Compiled, over threads or in one."""
    from numba import prange

    add_terms, (less_line, climb) = _differing(), _climbing()
    tile, chunk, block = TILE, CHUNK, COLUMNS

    def differences(x, samples, terms, order, partial):  # type: ignore[no-untyped-def]
        """partial[tile, i]: sum of squares of the terms over samples[i]."""
        for t in prange(partial.shape[0]):
            add_terms(x, t * tile, (t + 1) * tile, samples, terms, order, partial[t])

    def chunks(x, slope, terms, partial, sums, scratch):  # type: ignore[no-untyped-def]
        """m = 1, 2, 4 …, one a column of `partial`, for chunk after chunk less the line of `slope`; `sums` of twice the last m."""
        count, levels = partial.shape
        workers = scratch.shape[0]
        for worker in prange(workers):
            for c in range(count * worker // workers, count * (worker + 1) // workers):
                start = c * chunk
                y = scratch[worker, : min(x.shape[0] - start, chunk + 3 * (1 << (levels - 1)))]
                less_line(x[start : start + y.shape[0]], x[0], slope, start, y)
                length = climb(y, 1, terms - start, chunk, partial[c])
                kept = min(length, chunk, sums.shape[0] - start)
                if kept > 0:
                    sums[start : start + kept] = y[:kept]

    def columns(sums, m, terms, partial, scratch):  # type: ignore[no-untyped-def]
        """m, 2 m, 4 m …, one a column of `partial`, from `sums` of m phases, for block after block of residues modulo m."""
        count, workers = partial.shape[0], scratch.shape[0]
        for worker in prange(workers):
            limits = terms.copy()
            for c in range(count * worker // workers, count * (worker + 1) // workers):
                first = c * block
                # residues side by side, one multiple of m after the other: m apart in `sums` is `block` apart here
                y, length = scratch[worker], 0
                for start in range(first, sums.shape[0], m):
                    width = min(block, sums.shape[0] - start)
                    y[length : length + width] = sums[start : start + width]
                    length += width
                for level in range(terms.shape[0]):
                    whole, rest = terms[level] // m, terms[level] % m
                    limits[level] = whole * block + min(max(rest - first, 0), block)
                climb(y[:length], block, limits, length, partial[c])

    frozen, writable, integer = compiled.frozen, compiled.writable, compiled.scalar("int64")
    integers, number = frozen(1, "int64"), compiled.scalar("float64")

    def built(body: Callable[..., Any], *signature: Any) -> Callable[..., None]:
        return compiled.jit(body, signature, parallel=parallel, fastmath={"contract", "reassoc"})

    return Bodies(
        differences=built(differences, frozen(1), integers, integers, integer, writable(2)),
        chunks=built(chunks, frozen(1), number, integers, writable(2), writable(1), writable(2)),
        columns=built(columns, frozen(1), integer, integers, writable(2), writable(2)),
    )


def _differing() -> Callable[..., None]:
    """Sums of squared differences of the data, three octaves from one reading where they follow each other."""
    width, squares = WIDTH, _squaring()
    second, third = compiled.in_order(_second), compiled.in_order(_third)

    @compiled.inline
    def squares_of_third(x0, x1, x2, x3):  # type: ignore[no-untyped-def]
        found = 0.0
        for k in range(x0.shape[0]):
            d = third(x0[k], x1[k], x2[k], x3[k])
            found += d * d
        return found

    @compiled.inline
    def squares_of_three(x0, x1, x2, x4, x8):  # type: ignore[no-untyped-def]
        """Over m, 2 m and 4 m: five phases instead of nine."""
        once = twice = fourfold = 0.0
        for k in range(x0.shape[0]):
            a, c, e = x0[k], x2[k], x4[k]
            d = second(a, x1[k], c)
            once += d * d
            d = second(a, c, e)
            twice += d * d
            d = second(a, e, x8[k])
            fourfold += d * d
        return once, twice, fourfold

    @compiled.inline
    def add_terms(x, start, stop, samples, terms, order, found):  # type: ignore[no-untyped-def]
        """The terms that begin at start … stop − 1, to found[i] for each m."""
        many, i = samples.shape[0], 0
        while i < many:
            m, together = samples[i], 1
            begin = start
            if order == 2 and i + 2 < many and samples[i + 1] == 2 * m and samples[i + 2] == 4 * m:
                together = 3
                for at in range(start, min(stop, terms[i + 2]), width):
                    w = min(width, terms[i + 2] - at, stop - at)
                    a, b, c = squares_of_three(
                        x[at : at + w], x[at + m : at + m + w], x[at + 2 * m : at + 2 * m + w],
                        x[at + 4 * m : at + 4 * m + w], x[at + 8 * m : at + 8 * m + w],
                    )  # fmt: skip
                    found[i] += a
                    found[i + 1] += b
                    found[i + 2] += c
                begin = max(start, min(stop, terms[i + 2]))
            for j in range(i, i + together):  # what only the shorter have, or all there is
                m = samples[j]
                for at in range(begin, min(stop, terms[j]), width):
                    w = min(width, terms[j] - at, stop - at)
                    a, b, c = x[at : at + w], x[at + m : at + m + w], x[at + 2 * m : at + 2 * m + w]
                    found[j] += (
                        squares(a, b, c) if order == 2 else squares_of_third(a, b, c, x[at + 3 * m : at + 3 * m + w])
                    )
            i += together

    return add_terms


def _climbing() -> tuple[Callable[..., None], Callable[..., int]]:
    """The data less a line, and sums of squared differences of moving sums that double from octave to octave."""
    import numpy as np

    width, squares = WIDTH, _squaring()
    above_line, second, plus = compiled.in_order(_above_line), compiled.in_order(_second), compiled.in_order(_plus)

    @compiled.inline
    def less_line(x, offset, slope, start, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = above_line(x[k], offset, slope, start + k)

    @compiled.inline
    def squares_and_sums(y0, y1, y2, y3, y4, y5, sums):  # type: ignore[no-untyped-def]
        """Over m and, of the sums of 2 m, over 2 m; into `sums` those of 4 m."""
        once = twice = 0.0
        for k in range(sums.shape[0]):
            a, b, c, d = y0[k], y1[k], y2[k], y3[k]
            difference = second(a, b, c)
            once += difference * difference
            first, next_ = plus(a, b), plus(c, d)
            difference = second(first, next_, plus(y4[k], y5[k]))
            twice += difference * difference
            sums[k] = plus(first, next_)
        return once, twice

    @compiled.inline
    def sum_of_four(y0, y1, y2, y3, sums):  # type: ignore[no-untyped-def]
        for k in range(sums.shape[0]):
            sums[k] = plus(plus(y0[k], y1[k]), plus(y2[k], y3[k]))

    @compiled.inline
    def sum_of_two(y0, y1, sums):  # type: ignore[no-untyped-def]
        for k in range(sums.shape[0]):
            sums[k] = plus(y0[k], y1[k])

    @compiled.inline
    def climb(y, m, terms, most, found):  # type: ignore[no-untyped-def]
        """Squares over m, 2 m, 4 m …, of the first terms[level] terms but no more than `most`, two octaves a pass.

        y : sums of m phases, replaced by those of twice the last octave. Returns how many these are.
        """
        length, levels, level = y.shape[0], terms.shape[0], 0
        held = np.empty(width)  # new sums, until their operands have been read
        while level < levels:
            pair = level + 1 < levels
            n = min(terms[level + 1], most) if pair else 0
            for at in range(0, n, width):
                w = min(width, n - at)
                once, twice = squares_and_sums(
                    y[at : at + w], y[at + m : at + m + w], y[at + 2 * m : at + 2 * m + w],
                    y[at + 3 * m : at + 3 * m + w], y[at + 4 * m : at + 4 * m + w], y[at + 5 * m : at + 5 * m + w], held[:w],
                )  # fmt: skip
                found[level] += once
                found[level + 1] += twice
                y[at : at + w] = held[:w]
            n = max(n, 0)
            for at in range(n, min(terms[level], most), width):
                w = min(width, min(terms[level], most) - at)
                found[level] += squares(y[at : at + w], y[at + m : at + m + w], y[at + 2 * m : at + 2 * m + w])
            length -= 3 * m if pair else m
            for at in range(n, length, width):
                w = min(width, length - at)
                if pair:
                    sum_of_four(
                        y[at : at + w], y[at + m : at + m + w], y[at + 2 * m : at + 2 * m + w],
                        y[at + 3 * m : at + 3 * m + w], held[:w],
                    )  # fmt: skip
                else:
                    sum_of_two(y[at : at + w], y[at + m : at + m + w], held[:w])
                y[at : at + w] = held[:w]
            level += 2
            m *= 4
        return length

    return less_line, climb


def _squaring() -> Callable[..., float]:
    """The sum of the squares of second differences."""
    second = compiled.in_order(_second)

    @compiled.inline
    def squares(x0, x1, x2):  # type: ignore[no-untyped-def]
        found = 0.0
        for k in range(x0.shape[0]):
            d = second(x0[k], x1[k], x2[k])
            found += d * d
        return found

    return squares


def _above_line(x: float, offset: float, slope: float, k: float) -> float:
    return (x - offset) - slope * k


def _second(a: float, b: float, c: float) -> float:
    return (c - b) - (b - a)


def _third(a: float, b: float, c: float, d: float) -> float:
    return ((d - c) - (c - b)) - ((c - b) - (b - a))


def _plus(a: float, b: float) -> float:
    return a + b
