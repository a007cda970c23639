"""The Numba tier of the unwrapped phase: see quadrature.py for what it computes.

Angles take a polynomial instead of a library's arctangent, which is called sample by sample; the running count of turns, in
which every sample waits for the one before, is added up eight samples at a time in the bytes of a word.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from precision.kernels import compiled

PART = 1 << 19
"""Samples whose angles are found, then turned, while they are still in the cache."""

TILE = 4096
"""Samples whose angles are found, then compared, while they are in the first-level cache."""

GROUP = 64
"""Samples whose turns are counted in bytes: one and a jump each, so 0 … 128 (the first in the lowest byte of a word, as on every
processor that Numba compiles for)."""

_EACH_BYTE = 0x0101010101010101


@functools.cache
def body(parallel: bool) -> Callable[..., Any]:
    import math

    import numpy as np
    from numba import prange

    angles, jumps, turn = _loops()
    tile, group, half_turn = TILE, GROUP, math.pi

    @compiled.inline
    def share(n, worker, workers):  # type: ignore[no-untyped-def]
        """Where the samples of a worker begin: whole groups."""
        return n if worker == workers else n * worker // workers // group * group

    @compiled.inline
    def lose(out, last):  # type: ignore[no-untyped-def]
        """NaN from the first step on that is NaN."""
        lost = False
        for k in range(out.shape[0]):
            angle = out[k]
            lost = lost or angle - last != angle - last
            if lost:
                out[k] = math.nan
            last = angle

    def unwrap(s, c, p, q, gain, tangent, begins, last, turns, counted, counts, out):  # type: ignore[no-untyped-def]
        """counted: bytes, a part of them. counts: a row a worker. Returns the last angle (NaN once lost) and the turns."""
        workers, part = counts.shape[0], counted.shape[0]
        words = counted.view(np.uint64)
        for start in range(0, out.shape[0], part):
            n = min(part, out.shape[0] - start)
            here = out[start : start + n]
            for worker in prange(workers):
                a, b = share(n, worker, workers), share(n, worker + 1, workers)
                gained = missed = 0
                for t in range(a, b, tile):
                    end = min(t + tile, b)
                    angles(s[start + t : start + end], c[start + t : start + end], p, q, gain, tangent, here[t:end])
                    second = max(t, a + 1)
                    more, further = jumps(here[second - 1 : end - 1], here[second:end], counted[second:end])
                    gained, missed = gained + more, missed + further
                counts[worker, 0], counts[worker, 1] = gained, missed
            if begins and start == 0:
                last = here[0]
            entered, missing = last, 0
            for worker in range(
                workers
            ):  # what each worker begins with: the step from the one before is still to be counted
                a, b = share(n, worker, workers), share(n, worker + 1, workers)
                if b > a:
                    step = here[a] - last
                    jump = (step < -half_turn) - (step > half_turn)
                    counted[a] = 1 + jump
                    gained, missed = counts[worker, 0], counts[worker, 1]
                    counts[worker, 0] = turns
                    turns += gained + jump
                    missing += missed + (step != step)
                    last = here[b - 1]
            if missing > 0:
                lose(here, entered)
                out[start + n :] = math.nan
                last = math.nan
            for worker in prange(workers):
                a, b = share(n, worker, workers), share(n, worker + 1, workers)
                turn(here[a:b], counted[a:b], words[a // 8 : b // 8], counts[worker, 0])
            if missing > 0:
                break
        return last, turns

    frozen, number, integers = compiled.frozen(1), compiled.scalar("float64"), compiled.writable(2, "int64")
    return compiled.jit(
        unwrap,
        (frozen, frozen, number, number, number, number, compiled.scalar("boolean"), number, compiled.scalar("int64"),
         compiled.writable(1, "uint8"), integers, compiled.writable(1)),
        parallel=parallel, fastmath={"contract"},
    )  # fmt: skip


def _loops() -> tuple[Callable[..., Any], ...]:
    """The loops over neighbouring samples, free of branches, so that the processor runs several at a time."""
    import math

    import numpy as np

    half_turn, whole_turn, eighth, narrow = math.pi, 2 * math.pi, math.pi / 4, math.tan(math.pi / 8)
    group, each_byte, top = GROUP, np.uint64(_EACH_BYTE), np.uint64(56)

    @compiled.inline
    def arctangent(t):  # type: ignore[no-untyped-def]
        """For |t| ≤ tan(π/8). (atan √z/√z − 1)/z is a Chebyshev fit of degree 10, good for 6e-18 of the angle; in pairs, which
        wait for each other less than one coefficient after the other."""
        z = t * t
        z2 = z * z
        z4 = z2 * z2
        low = (0.1999999999999552 * z - 0.3333333333333333) + (0.11111111015256361 * z - 0.14285714284666542) * z2
        middle = (0.07692183190826087 * z - 0.09090904578123903) + (0.0585814891280221 * z - 0.06664511447381948) * z2
        high = (0.03923165829558719 * z - 0.0508544973794026) - 0.01917688711906226 * z2
        return t + t * z * (low + (middle + high * z4) * z4)

    @compiled.inline
    def angles(s, c, p, q, gain, tangent, out):  # type: ignore[no-untyped-def]
        """atan2 of the corrected signals. Error below 5e-16 rad. NaN where either signal is NaN or infinite."""
        for k in range(out.shape[0]):
            x = s[k] - p
            y = (c[k] - q) * gain + x * tangent
            ax, ay = abs(x), abs(y)
            steep = ay > ax
            high = ay if steep else ax
            low = ax if steep else ay
            wide = low > high * narrow  # then 45° are taken off
            up = low - high if wide else low
            down = low + high if wide else high
            angle = arctangent(up / (down if down != 0.0 else 1.0))
            other = angle + eighth
            angle = other if wide else angle
            other = half_turn / 2 - angle
            angle = other if steep else angle
            other = half_turn - angle
            angle = other if x < 0.0 else angle
            out[k] = math.copysign(angle, y) + (y - y)  # y holds x too: an infinity times a tangent of 0 is NaN

    @compiled.inline
    def jumps(a, b, counted):  # type: ignore[no-untyped-def]
        """Into `counted`, 1 and the turn gained from each a to each b. The turns in all, and the number of steps that are NaN."""
        turns = missing = 0
        for k in range(a.shape[0]):
            step = b[k] - a[k]
            jump = (step < -half_turn) - (step > half_turn)
            counted[k] = 1 + jump
            turns += jump
            missing += step != step
        return turns, missing

    @compiled.inline
    def turn(out, counted, words, turns):  # type: ignore[no-untyped-def]
        """Adds the turns so far. Of a word of eight bytes times 0x0101…, each byte is the sum of those up to it."""
        n = out.shape[0]
        whole = n // group * group
        for start in range(0, whole, group):
            carry = np.uint64(0)
            for at in range(start // 8, (start + group) // 8):
                words[at] = (words[at] + carry) * each_byte
                carry = words[at] >> top
            here, up_to = out[start : start + group], counted[start : start + group]
            for k in range(group):
                here[k] += whole_turn * (turns + (np.int64(up_to[k]) - (k + 1)))
            turns += np.int64(carry) - group
        for k in range(whole, n):
            turns += np.int64(counted[k]) - 1
            out[k] += whole_turn * turns

    return angles, jumps, turn
