"""The Numba bodies of `positioning`: many trials side by side, so that every formula fills vector registers.

Same formulas as the generic implementation in `positioning.py`. Threads share out the groups of trials; each has its own
scratch rows: the readings of a group, turned so that trials are the last axis, then means and doubled standard deviations.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

LANES = 32
"""Trials in a group: four registers of the widest kind; the readings of 11 targets and 5 runs fill 28 kB."""

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


def _evaluate(rows: Any, m: int, n: int, out: Any, first: int, lanes: int) -> None:
    """The figures of the readings in rows 0 … 2mn − 1 (order d, i, j), into out[:, first : first + lanes].

    Lanes are always the innermost loop, over rows of one array: only such loops fill vector registers.
    """
    width = rows.shape[1]  # LANES; as a constant it would be unrolled, and the roots taken one by one
    mean, spread = 2 * m * n, 2 * m * n + 2 * m  # where these rows begin
    extreme = spread + 2 * m
    rest = extreme + 10  # middle's top and bottom, largest R_i, largest |B_i|, sum of B_i, sum of everything
    factor = 4.0 / (n - 1)
    for place in range(2 * m):
        average, twice = mean + place, spread + place
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
    for d in range(2):
        peak, valley, top, bottom, widest = (
            extreme + d,
            extreme + 2 + d,
            extreme + 4 + d,
            extreme + 6 + d,
            extreme + 8 + d,
        )
        for t in range(width):
            rows[peak, t] = rows[top, t] = -math.inf
            rows[valley, t] = rows[bottom, t] = math.inf
            rows[widest, t] = 0.0
        for i in range(d * m, d * m + m):
            for t in range(width):
                average_t, twice_t = rows[mean + i, t], rows[spread + i, t]
                high, low = average_t + twice_t, average_t - twice_t
                rows[peak, t] = high if high > rows[peak, t] else rows[peak, t]
                rows[valley, t] = low if low < rows[valley, t] else rows[valley, t]
                rows[top, t] = average_t if average_t > rows[top, t] else rows[top, t]
                rows[bottom, t] = average_t if average_t < rows[bottom, t] else rows[bottom, t]
                rows[widest, t] = twice_t if twice_t > rows[widest, t] else rows[widest, t]
    for t in range(width):
        rows[rest, t], rows[rest + 1, t] = -math.inf, math.inf
        rows[rest + 2, t] = rows[rest + 3, t] = rows[rest + 4, t] = rows[rest + 5, t] = 0.0
    for i in range(m):
        for t in range(width):
            up, down, a, b = rows[mean + i, t], rows[mean + m + i, t], rows[spread + i, t], rows[spread + m + i, t]
            reversal, middle = up - down, (up + down) / 2
            size = abs(reversal)
            repeatability, larger = a + b + size, 2 * (a if a > b else b)
            repeatability = repeatability if repeatability > larger else larger
            rows[rest, t] = middle if middle > rows[rest, t] else rows[rest, t]
            rows[rest + 1, t] = middle if middle < rows[rest + 1, t] else rows[rest + 1, t]
            rows[rest + 2, t] = repeatability if repeatability > rows[rest + 2, t] else rows[rest + 2, t]
            rows[rest + 3, t] = size if size > rows[rest + 3, t] else rows[rest + 3, t]
            rows[rest + 4, t] += reversal
            rows[rest + 5, t] += up + down
    for t in range(lanes):
        lost = rows[rest + 5, t] - rows[rest + 5, t]  # NaN where a deviation is not finite, else 0
        k = first + t
        out[0, k] = max(rows[extreme, t], rows[extreme + 1, t]) - min(rows[extreme + 2, t], rows[extreme + 3, t]) + lost
        out[3, k] = (
            max(rows[extreme + 4, t], rows[extreme + 5, t]) - min(rows[extreme + 6, t], rows[extreme + 7, t]) + lost
        )
        for d in range(2):
            out[1 + d, k] = rows[extreme + d, t] - rows[extreme + 2 + d, t] + lost
            out[4 + d, k] = rows[extreme + 4 + d, t] - rows[extreme + 6 + d, t] + lost
            out[8 + d, k] = 2 * rows[extreme + 8 + d, t] + lost
        out[6, k] = rows[rest, t] - rows[rest + 1, t] + lost
        out[7, k] = rows[rest + 2, t] + lost
        out[10, k] = rows[rest + 3, t] + lost
        out[11, k] = rows[rest + 4, t] / m + lost


@functools.cache
def figures(parallel: bool) -> Callable[..., None]:
    """body(x (t, 2, m, n), scratch (threads, rows, LANES), out (12, t))."""
    from numba import prange

    turn, evaluate = (
        compiled.inline(_turn),
        compiled.inline(_evaluate),
    )  # functions of their own fill the registers better

    def body(x, scratch, out):  # type: ignore[no-untyped-def]
        count, m, n = x.shape[0], x.shape[2], x.shape[3]
        groups, threads = (count + LANES - 1) // LANES, scratch.shape[0]
        flat = x.reshape(count, 2 * m * n)
        for thread in prange(threads):
            rows = scratch[thread]
            for group in range(groups * thread // threads, groups * (thread + 1) // threads):
                first = group * LANES
                lanes = min(LANES, count - first)
                turn(flat, first, lanes, rows)
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

    evaluate, words, box_muller = compiled.inline(_evaluate), _words(), compiled.inline(_box_muller)

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
                evaluate(rows, m, n, out, first, min(LANES, count - first))

    read, write, real, whole = compiled.frozen, compiled.writable, compiled.scalar("float64"), compiled.scalar("int64")
    signature = (read(3), read(1), real, real, compiled.scalar("uint64"), whole, write(3), write(3, "int64"), write(2))
    return compiled.jit(body, signature, parallel=parallel)
