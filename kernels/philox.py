"""Philox: random numbers as a pure function of seed, trial and place, the same in every tier and on any number of threads.

Philox4x32-10 enciphers a counter (place, trial) under a key (seed). There is no state to hand on, so a trial can be drawn
again, in any order, on a GPU as on a CPU. Two normal numbers come from one counter by the transform of Box and Muller, from
53-bit uniform numbers.
"""

from __future__ import annotations

import math
from typing import Any

Array = Any

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
MASK = 0xFFFFFFFF


def philox4x32(
    counter: tuple[Array, Array, Array, Array], key: tuple[int, int], *, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """Four random 32-bit words for each counter.

    Parameters
    ----------
    counter : four arrays of uint64, of one shape
        Words 0 … 3, each below 2³².
    key : two int
        Each below 2³².

    Returns
    -------
    four arrays of uint64
        Words below 2³².

    References
    ----------
    J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11), section 4.3; its library's known answers.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


def standard_normal(seed: int, trial: Array, count: int, *, xp: Any) -> Array:
    """`count` standard normal numbers for each trial.

    Parameters
    ----------
    seed : int
        0 … 2⁶⁴ − 1: the key.
    trial : (t,) uint64
        Numbers of the trials: words 2 and 3 of the counter.
    count : int
        Numbers per trial. Numbers 2b and 2b + 1 come from the counter whose words 0 and 1 are b.

    Returns
    -------
    (count, t) float64

    Notes
    -----
    u = (2²⁶·⌊w₀/32⌋ + ⌊w₁/64⌋ + 1)·2⁻⁵³ in (0, 1], v = the same of w₂ and w₃ without the 1, in [0, 1);
    z = √(−2 ln u)·(cos 2πv, sin 2πv). The largest is 8.57.
    """
    from array_api_compat import device

    pairs = (count + 1) // 2
    block = xp.arange(pairs, dtype=xp.uint64, device=device(trial))[:, None] + 0 * trial
    low, high = (trial & MASK) + 0 * block, (trial >> 32) + 0 * block
    w = philox4x32((block & MASK, block >> 32, low, high), (seed & MASK, seed >> 32), xp=xp)
    u = (xp.astype((w[0] >> 5) * 2**26 + (w[1] >> 6), xp.float64) + 1.0) * 2.0**-53
    v = xp.astype((w[2] >> 5) * 2**26 + (w[3] >> 6), xp.float64) * (2.0**-53 * 2 * math.pi)
    radius = xp.sqrt(-2.0 * xp.log(u))
    both = xp.stack([radius * xp.cos(v), radius * xp.sin(v)], axis=1)
    return xp.reshape(both, (2 * pairs, *trial.shape))[:count, ...]
