"""The Numba tier of the unwrapped phase: see quadrature.py for what it computes.

Angles take a polynomial instead of a library's arctangent, which is called sample by sample; the running count of turns, in
which every sample waits for the one before, is added up eight samples at a time in the bytes of a word.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

PART = 1 << 19
"""Samples whose angles are found before their turns are added: long, so that threads seldom wait for each other, and still in the
last-level cache when the turns come."""

TILE = 65_536
"""Samples whose angles are found, then compared, while they are in the second-level cache: whole groups."""

GROUP = 64
"""Samples whose turns are counted in bytes: one and a jump each, so 0 … 128 (the first in the lowest byte of a word, as on every
processor that Numba compiles for)."""

_EACH_BYTE = 0x0101010101010101


@functools.cache
def body(parallel: bool) -> Callable[..., Any]:
    """body(s, c, p, q, gain, tangent, begins, last, turns, counted, found, out) → last angle (NaN once lost), turns.

    counted : (2, samples of a part) bytes. found : two numbers for each worker.
    """
    from numba import prange

    angles, (count, turn, lose) = _angles(), _turns()
    tile, group, half_turn = TILE, GROUP, math.pi

    @compiled.inline
    def share(n, worker, workers):  # type: ignore[no-untyped-def]
        """Where the samples of a worker begin: whole groups."""
        return n if worker == workers else n * worker // workers // group * group

    def unwrap(s, c, p, q, gain, tangent, begins, last, turns, counted, found, out):  # type: ignore[no-untyped-def]
        workers, part = found.shape[0], counted.shape[1]
        start, before, row, end = 0, 0, 0, out.shape[0]
        while start < end or before > 0:
            n = min(part, end - start)
            here, there = out[start : start + n], out[start - before : start]
            for worker in prange(workers):  # turns of the part before, angles of this one: half as many hand-overs
                a, b = share(before, worker, workers), share(before, worker + 1, workers)
                turn(there[a:b], counted[1 - row, a:b], int(found[worker, 0]))
                a, b = share(n, worker, workers), share(n, worker + 1, workers)
                total = gained = 0.0
                for t in range(a, b, tile):
                    stop = min(t + tile, b)
                    x, y = s[start + t : start + stop], c[start + t : start + stop]
                    total += angles(x, y, p, q, gain, tangent, here[t:stop])
                    gained += count(here, t, t == a, counted[row, t:stop])
                found[worker, 0], found[worker, 1] = gained, total
            if begins and start == 0:
                last = here[0]
            entered, lost = last, False
            for worker in range(workers):  # what each begins with: the step from the one before is still to be counted
                a, b = share(n, worker, workers), share(n, worker + 1, workers)
                if b > a:
                    step = here[a] - last
                    begun = turns + (step < -half_turn) - (step > half_turn)
                    turns = begun + int(found[worker, 0])
                    lost = lost or math.isnan(step + found[worker, 1])
                    found[worker, 0] = begun
                    last = here[b - 1]
            if lost:
                lose(here, entered)
                out[start + n :] = math.nan
                last, end = math.nan, start + n
            start, before, row = start + n, n, 1 - row
        return last, turns

    frozen, writable, number = compiled.frozen(1), compiled.writable, compiled.scalar("float64")
    return compiled.jit(
        unwrap,
        (frozen, frozen, number, number, number, number, compiled.scalar("boolean"), number, compiled.scalar("int64"),
         writable(2, "uint8"), writable(2), writable(1)),
        parallel=parallel, fastmath={"contract", "reassoc"},
    )  # fmt: skip


def _angles() -> Callable[..., Any]:
    """Angles of neighbouring samples, free of branches, so that the processor takes several at a time."""
    half_turn, narrow, least = math.pi, math.tan(math.pi / 8), 5e-324
    arctangent = compiled.in_order(_arctangent)

    @compiled.in_order
    def angle_of(x, y):  # type: ignore[no-untyped-def]
        """atan2(y, x) as the nearest multiple of 45° and the arctangent of what is left. NaN where y is NaN or infinite."""
        ax, ay = abs(x), abs(y)
        wide, steep, left = ay > ax * narrow, ax < ay * narrow, x < 0.0
        up = ay - ax if wide else ay
        up = -ax if steep else up
        down = ay + ax if wide else ax
        down = ay if steep else down
        quotient = up / (down if down > least else least)  # 0 where both are
        nearest = half_turn / 4 if wide else 0.0
        nearest = half_turn / 2 if steep else nearest
        nearest = half_turn - nearest if left else nearest
        return (math.copysign(nearest, y) + (y - y)) + arctangent(-quotient if left != (y < 0.0) else quotient)

    @compiled.in_order
    def corrected(s, c, p, q, gain, tangent):  # type: ignore[no-untyped-def]
        """The second holds the first too: an infinity times a tangent of 0 is NaN."""
        x = s - p
        return x, (c - q) * gain + x * tangent

    @compiled.inline
    def angles(s, c, p, q, gain, tangent, out):  # type: ignore[no-untyped-def]
        """atan2 of the corrected signals. Error below 5e-16 rad. NaN where either signal is NaN or infinite. Returns their sum."""
        total = 0.0
        for k in range(out.shape[0]):
            x, y = corrected(s[k], c[k], p, q, gain, tangent)
            angle = angle_of(x, y)
            out[k] = angle
            total += angle
        return total

    return angles


def _arctangent(t: float) -> float:
    """For |t| ≤ tan(π/8). (atan √z/√z − 1)/z is a Chebyshev fit of degree 10, good for 6e-18 of the angle; in pairs,
    which wait for each other less than one coefficient after the other."""
    z = t * t
    z2 = z * z
    z4 = z2 * z2
    low = (0.1999999999999552 * z - 0.3333333333333333) + (0.11111111015256361 * z - 0.14285714284666542) * z2
    middle = (0.07692183190826087 * z - 0.09090904578123903) + (0.0585814891280221 * z - 0.06664511447381948) * z2
    high = (0.03923165829558719 * z - 0.0508544973794026) - 0.01917688711906226 * z2
    return t + t * z * (low + (middle + high * z4) * z4)


def _turns() -> tuple[Callable[..., Any], ...]:
    """The turns of neighbouring samples: counted, added, and what is left of them where a signal is lost."""
    import numpy as np

    half_turn, whole_turn = math.pi, 2 * math.pi
    group, each_byte, top = GROUP, np.uint64(_EACH_BYTE), np.uint64(56)

    @compiled.in_order
    def jumps(a, b, counted):  # type: ignore[no-untyped-def]
        """1 and the turn gained from each a to each b."""
        for k in range(a.shape[0]):
            step = b[k] - a[k]
            counted[k] = 1 + (step < -half_turn) - (step > half_turn)

    @compiled.inline
    def count(angle, start, first, counted):  # type: ignore[no-untyped-def]
        """Jumps to the samples from `start` on, added up within each group; none to the `first` of all. Returns the turns.

        Of a word of eight bytes times 0x0101…, each byte is the sum of those up to it.
        """
        n = counted.shape[0]
        if first:
            counted[0] = 1
        jumps(angle[start + first - 1 : start + n - 1], angle[start + first : start + n], counted[first:])
        whole = n // group * group
        words, turns = counted[:whole].view(np.uint64), np.int64(0)
        for at in range(0, whole // 8, group // 8):
            carry = np.uint64(0)
            for k in range(at, at + group // 8):
                words[k] = (words[k] + carry) * each_byte
                carry = words[k] >> top
            turns += np.int64(carry) - group
        for k in range(whole, n):
            turns += np.int64(counted[k]) - 1
        return turns

    @compiled.inline
    def turn(out, counted, turns):  # type: ignore[no-untyped-def]
        """Adds the turns so far."""
        n = out.shape[0]
        whole = n // group * group
        for start in range(0, whole, group):
            here, up_to = out[start : start + group], counted[start : start + group]
            for k in range(group):
                here[k] += whole_turn * (turns + (np.int64(up_to[k]) - (k + 1)))
            turns += np.int64(up_to[group - 1]) - group
        for k in range(whole, n):
            turns += np.int64(counted[k]) - 1
            out[k] += whole_turn * turns

    @compiled.inline
    def lose(out, last):  # type: ignore[no-untyped-def]
        """NaN from the first step on that is NaN."""
        lost = False
        for k in range(out.shape[0]):
            angle = out[k]
            lost = lost or math.isnan(angle - last)
            if lost:
                out[k] = math.nan
            last = angle

    return count, turn, lose
