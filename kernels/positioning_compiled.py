"""The Numba bodies of `positioning`: many trials side by side, so that every formula fills vector registers.

Same formulas as the generic implementation in `positioning.py`. Threads share out the groups of trials; each has its own
scratch rows: the readings of a group, turned so that trials are the last axis, then means and doubled standard deviations.
Five runs, which the standard asks for, are averaged as they lie, and only the averages turned: a third of the readings.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

LANES = 32
"""Trials in a group: four registers of the widest kind; the readings of 11 targets and 5 runs fill 28 kB."""

RUNS = 5
"""Runs to a target that ISO 230-2 asks for (clause 4, from memory of the standard)."""

EXTREMES = 16
"""Rows of the extremes: five for ↑ and five for ↓, then six common ones."""

DRAWING = 4
"""Rows that drawing needs besides: two that turn from bits into normal numbers, one of exponents, one of the scale's error."""


def rows_needed(m: int, n: int) -> int:
    """Scratch rows of one thread."""
    return 2 * m * n + 4 * m + EXTREMES


def _turn(flat: Any, first: int, lanes: int, rows: Any) -> None:
    """Trials first … first + lanes − 1 of flat (t, readings) into the lanes of `rows`; the last fills the lanes left over.

    A trial is read from end to end, as memory likes it.
    """
    for t in range(rows.shape[1]):
        trial = first + min(t, lanes - 1)
        for k in range(flat.shape[1]):
            rows[k, t] = flat[trial, k]


def _spread_of_five(readings: Any, mean: Any, twice: Any) -> None:
    """Means and doubled standard deviations of five readings each, which lie side by side."""
    for k in range(mean.shape[0]):
        a, b, c, d, e = readings[5 * k], readings[5 * k + 1], readings[5 * k + 2], readings[5 * k + 3], readings[5 * k + 4]
        average = (a + b + c + d + e) / 5
        a, b, c, d, e = a - average, b - average, c - average, d - average, e - average
        mean[k], twice[k] = average, math.sqrt(a * a + b * b + c * c + d * d + e * e)  # 4/(n − 1) = 1


def _spread(rows: Any, m: int, n: int) -> None:
    """From the readings in rows 0 … 2mn − 1 (order d, i, j): 2m rows of means, then as many of doubled standard deviations.

    Lanes are always the innermost loop, over rows of one array: only such loops fill vector registers.
    """
    width = rows.shape[1]  # LANES; as a constant it would be unrolled, and the roots taken one by one
    factor = 4.0 / (n - 1)
    for place in range(2 * m):
        average, twice = 2 * m * n + place, 2 * m * n + 2 * m + place
        for t in range(width):
            rows[average, t] = rows[place * n, t]
        for k in range(place * n + 1, place * n + n):
            for t in range(width):
                rows[average, t] += rows[k, t]
        for t in range(width):
            rows[average, t] /= n
            rows[twice, t] = 0.0
        for k in range(place * n, place * n + n):
            for t in range(width):
                d = rows[k, t] - rows[average, t]
                rows[twice, t] += d * d
        for t in range(width):
            rows[twice, t] = math.sqrt(rows[twice, t] * factor)


def _extremes_of_one_way(mean: Any, spread: Any, extreme: Any, d: int) -> None:
    """Of ↑ (d = 0) or ↓ (1), into rows d, 2 + d, …: largest x̄ + 2s, smallest x̄ − 2s, largest and smallest x̄, largest 2s."""
    m, width = mean.shape[0] // 2, mean.shape[1]
    for t in range(width):
        extreme[d, t] = extreme[4 + d, t] = -math.inf
        extreme[2 + d, t] = extreme[6 + d, t] = math.inf
        extreme[8 + d, t] = 0.0
    for i in range(d * m, d * m + m):
        for t in range(width):
            average, twice = mean[i, t], spread[i, t]
            high, low = average + twice, average - twice
            extreme[d, t] = high if high > extreme[d, t] else extreme[d, t]
            extreme[2 + d, t] = low if low < extreme[2 + d, t] else extreme[2 + d, t]
            extreme[4 + d, t] = average if average > extreme[4 + d, t] else extreme[4 + d, t]
            extreme[6 + d, t] = average if average < extreme[6 + d, t] else extreme[6 + d, t]
            extreme[8 + d, t] = twice if twice > extreme[8 + d, t] else extreme[8 + d, t]


def _extremes_of_both_ways(mean: Any, spread: Any, extreme: Any) -> None:
    """Into rows 10 … 15: largest and smallest middle, largest R_i, largest |B_i|, sum of B_i, sum of everything."""
    m, width = mean.shape[0] // 2, mean.shape[1]
    for t in range(width):
        extreme[10, t], extreme[11, t] = -math.inf, math.inf
        extreme[12, t] = extreme[13, t] = extreme[14, t] = extreme[15, t] = 0.0
    for i in range(m):
        for t in range(width):
            up, down, a, b = mean[i, t], mean[m + i, t], spread[i, t], spread[m + i, t]
            reversal, middle = up - down, (up + down) / 2
            size = abs(reversal)
            repeatability, larger = a + b + size, 2 * (a if a > b else b)
            repeatability = repeatability if repeatability > larger else larger
            extreme[10, t] = middle if middle > extreme[10, t] else extreme[10, t]
            extreme[11, t] = middle if middle < extreme[11, t] else extreme[11, t]
            extreme[12, t] = repeatability if repeatability > extreme[12, t] else extreme[12, t]
            extreme[13, t] = size if size > extreme[13, t] else extreme[13, t]
            extreme[14, t] += reversal
            extreme[15, t] += up + down


def _figures(extreme: Any, m: int, out: Any, first: int, lanes: int) -> None:
    """The figures into out[:, first : first + lanes]."""
    for t in range(lanes):
        lost = extreme[15, t] - extreme[15, t]  # NaN where a deviation is not finite, else 0
        k = first + t
        out[0, k] = max(extreme[0, t], extreme[1, t]) - min(extreme[2, t], extreme[3, t]) + lost
        out[3, k] = max(extreme[4, t], extreme[5, t]) - min(extreme[6, t], extreme[7, t]) + lost
        for d in range(2):
            out[1 + d, k] = extreme[d, t] - extreme[2 + d, t] + lost
            out[4 + d, k] = extreme[4 + d, t] - extreme[6 + d, t] + lost
            out[8 + d, k] = 2 * extreme[8 + d, t] + lost
        out[6, k] = extreme[10, t] - extreme[11, t] + lost
        out[7, k] = extreme[12, t] + lost
        out[10, k] = extreme[13, t] + lost
        out[11, k] = extreme[14, t] / m + lost


def _evaluating() -> Callable[..., None]:
    """evaluate(rows, m, n, out, first, lanes): the figures of the means and deviations in the 4m rows behind the readings."""
    one_way, both_ways, figures = (
        compiled.inline(helper) for helper in (_extremes_of_one_way, _extremes_of_both_ways, _figures)
    )  # functions of their own fill the registers better

    def evaluate(rows: Any, m: int, n: int, out: Any, first: int, lanes: int) -> None:
        begin = 2 * m * n
        mean, spread = rows[begin : begin + 2 * m], rows[begin + 2 * m : begin + 4 * m]
        extreme = rows[begin + 4 * m : begin + 4 * m + EXTREMES]
        one_way(mean, spread, extreme, 0)
        one_way(mean, spread, extreme, 1)
        both_ways(mean, spread, extreme)
        figures(extreme, m, out, first, lanes)

    return compiled.inline(evaluate)


@functools.cache
def figures(parallel: bool) -> Callable[..., None]:
    """body(x (t, 2, m, n), scratch (threads, rows, LANES), out (12, t))."""
    from numba import prange

    turn, spread, spread_of_five = (compiled.inline(helper) for helper in (_turn, _spread, _spread_of_five))
    evaluate = _evaluating()

    def body(x, scratch, out):  # type: ignore[no-untyped-def]
        count, m, n = x.shape[0], x.shape[2], x.shape[3]
        groups, threads, readings = (count + LANES - 1) // LANES, scratch.shape[0], 2 * m * n
        flat, every = x.reshape(count, readings), x.reshape(count * readings)
        for thread in prange(threads):
            rows = scratch[thread]
            taken = rows[:readings].reshape(readings * LANES)
            for group in range(groups * thread // threads, groups * (thread + 1) // threads):
                first = group * LANES
                lanes = min(LANES, count - first)
                if n == RUNS:
                    places = lanes * 2 * m
                    mean, twice = taken[:places], taken[LANES * 2 * m : LANES * 2 * m + places]
                    spread_of_five(every[first * readings : (first + lanes) * readings], mean, twice)
                    turn(mean.reshape(lanes, 2 * m), 0, lanes, rows[readings:])
                    turn(twice.reshape(lanes, 2 * m), 0, lanes, rows[readings + 2 * m :])
                else:
                    turn(flat, first, lanes, rows)
                    spread(rows, m, n)
                evaluate(rows, m, n, out, first, lanes)

    return compiled.jit(body, (compiled.frozen(4), compiled.writable(3), compiled.writable(2)), parallel=parallel)


def _words() -> Callable[..., None]:
    """words(bits, block, first_trial, seed): Philox4x32-10 for every lane, into row 0 the whole number 2⁵³·u of `philox`, into
    row 1 2⁵³·v."""
    from numba import uint64

    low, shift, five, six, up = (
        uint64(0xFFFFFFFF),
        uint64(32),
        uint64(5),
        uint64(6),
        uint64(26),
    )  # no signed number: the sum would
    m0, m1, w0, w1 = uint64(0xD2511F53), uint64(0xCD9E8D57), uint64(0x9E3779B9), uint64(0xBB67AE85)  # be a float

    def words(bits: Any, block: int, first_trial: int, seed: int) -> None:
        u, v = bits[0], bits[1]
        for t in range(bits.shape[1]):
            trial = uint64(first_trial + t)
            c0, c1, c2, c3 = uint64(block) & low, uint64(block) >> shift, trial & low, trial >> shift
            k0, k1 = seed & low, seed >> shift
            for _ in range(10):
                p0, p1 = c0 * m0, c2 * m1
                c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ k0, p1 & low, (p0 >> shift) ^ c3 ^ k1, p0 & low
                k0, k1 = (k0 + w0) & low, (k1 + w1) & low
            u[t] = ((c0 >> five) << up) + (c1 >> six) + uint64(1)
            v[t] = ((c2 >> five) << up) + (c3 >> six)

    return compiled.inline(words)


def _box_muller(bits: Any, real: Any) -> None:
    """Rows 0 and 1 from whole numbers to normal numbers. `bits` and `real` are the same memory; row 2 is scratch.

    Logarithm, sine and cosine are written out, without a branch, so that lanes stay side by side: the polynomials of fdlibm
    (e_log.c, k_sin.c, k_cos.c; Sun Microsystems), good to a unit of rounding on the intervals they are used on.
    """
    width = bits.shape[1]
    for t in range(width):
        real[1, t] = bits[1, t] * 1.1102230246251565e-16  # v, in [0, 1)
        real[0, t] = bits[0, t] * 1.1102230246251565e-16  # u, in (0, 1]
    for t in range(width):  # u = (1 + f)·2ᵉ, 1 + f in (√½, √2]
        pattern = bits[0, t]
        exponent, mantissa = (pattern >> 52) - 1023, pattern & 0x000FFFFFFFFFFFFF
        above = 1 if mantissa > 0x6A09E667F3BCD else 0
        bits[0, t] = mantissa | ((1023 - above) << 52)
        bits[2, t] = exponent + above
    for t in range(width):
        real[2, t] = float(bits[2, t])
    for t in range(width):
        f, e = real[0, t] - 1.0, real[2, t]
        s = f / (2.0 + f)
        z = s * s
        w = z * z
        r = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
        r += z * (
            0.6666666666666735130
            + w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591))
        )
        half = 0.5 * f * f
        log = e * 6.93147180369123816490e-01 - ((half - (s * (half + r) + e * 1.90821492927058770002e-10)) - f)
        radius = math.sqrt(-2.0 * log)
        quarter = math.floor(4.0 * real[1, t] + 0.5)
        x = (real[1, t] - 0.25 * quarter) * 6.283185307179586  # in [−π/4, π/4]
        y = x * x
        sine = x + x * y * (
            -1.66666666666666324348e-01
            + y
            * (
                8.33333333332248946124e-03
                + y
                * (
                    -1.98412698298579493134e-04
                    + y
                    * (2.75573137070700676789e-06 + y * (-2.50507602534068634195e-08 + y * 1.58969099521155010221e-10))
                )
            )
        )
        cosine = (
            1.0
            - 0.5 * y
            + y
            * y
            * (
                4.16666666666666019037e-02
                + y
                * (
                    -1.38888888888741095749e-03
                    + y
                    * (
                        2.48015872894767294178e-05
                        + y
                        * (
                            -2.75573143513906633035e-07
                            + y * (2.08757232129817482790e-09 + y * -1.13596475577881948265e-11)
                        )
                    )
                )
            )
        )
        odd = quarter == 1.0 or quarter == 3.0
        a, b = (sine if odd else cosine), (cosine if odd else sine)
        real[0, t] = radius * (-a if quarter == 1.0 or quarter == 2.0 else a)
        real[1, t] = radius * (-b if quarter == 2.0 or quarter == 3.0 else b)


@functools.cache
def drawn(parallel: bool) -> Callable[..., None]:
    """body(deviation (2, m, n), position (m,), reading_std, scale_std, seed, first_trial, scratch, its bits, out (12, t)).

    `scratch` is (threads, rows, LANES) with `DRAWING` rows more than the evaluation needs, `bits` the same memory as int64.
    """
    from numba import prange

    spread, evaluate, words, box_muller = compiled.inline(_spread), _evaluating(), _words(), compiled.inline(_box_muller)

    def body(deviation, position, reading_std, scale_std, seed, first_trial, scratch, bits, out):  # type: ignore[no-untyped-def]
        count, m, n, threads = out.shape[1], deviation.shape[1], deviation.shape[2], scratch.shape[0]
        groups, numbers = (count + LANES - 1) // LANES, 1 + 2 * m * n
        for thread in prange(threads):
            rows, drawing, its_bits = scratch[thread], scratch[thread, -DRAWING:], bits[thread, -DRAWING:]
            for group in range(groups * thread // threads, groups * (thread + 1) // threads):
                first = group * LANES
                for block in range((numbers + 1) // 2):
                    words(its_bits, block, first_trial + first, seed)
                    box_muller(its_bits, drawing)
                    if block == 0:
                        for t in range(LANES):
                            drawing[3, t] = scale_std * drawing[0, t]
                    for half in range(2):
                        q = 2 * block + half
                        if 0 < q < numbers:
                            place, j = (q - 1) // n, (q - 1) % n
                            i, d = place // 2, place % 2
                            x, p, k = deviation[d, i, j], position[i], (d * m + i) * n + j
                            for t in range(LANES):
                                rows[k, t] = x + p * drawing[3, t] + reading_std * drawing[half, t]
                spread(rows, m, n)
                evaluate(rows, m, n, out, first, min(LANES, count - first))

    read, write, real, whole = compiled.frozen, compiled.writable, compiled.scalar("float64"), compiled.scalar("int64")
    signature = (read(3), read(1), real, real, compiled.scalar("uint64"), whole, write(3), write(3, "int64"), write(2))
    return compiled.jit(body, signature, parallel=parallel)
