"""Where the time goes where a goal is missed: one sentence a figure, with the arithmetic, for the table of results.

The floor copies into memory that is there already; a kernel returns fresh memory, which the system hands out page by page. The figures
were measured once, on two cores of an AMD Zen 5 (Linux, huge pages by madvise) that others used too; elsewhere they differ.
"""

from __future__ import annotations

from typing import Final

from .paired import Pair

FRESH: Final = "first touch of fresh output takes 0.06 ms a MB of one core, a copy onto old pages 0.015 ms a MB moved on two"

MOVING_FLOOR: Final = (
    "480 MB of 720 are fresh output: reading 240 MB and writing 480 MB of it, with nothing computed, takes 41 ms of processor time "
    "where the copy onto old pages takes 22; twice the floor leaves 0.1 ns a sample for the statistics."
)
MOVING_NUMPY: Final = (
    "of 5.5 ns a sample on one core, the 16 additions of windows take 1.9, first touch of the output 1.2, square roots 1.0, seven more passes 0.8, "
    "and calls 0.4; a sixth of the peer leaves 4.9."
)

REMARKS: Final[dict[tuple[str, str, str, str], str]] = {
    ("quadrature correct + unwrap", "numpy", "numpy", "peer"): (
        "8 × the peer's 645 ms leaves 80 ms on one core; reading both signals and first touch of the output take 40, arctangents 20, quotients 9, "
        "the search for half turns and their addition 32, the six other passes over a block 22."
    ),
    ("quadrature correct + unwrap", "fast", "numpy", "peer"): (
        "30 × the peer's 645 ms is 43 ms of two cores, and takes both: first touch of 240 MB of fresh output takes 11, angles 0.7 ns a sample "
        "and turns 0.2 where the data are in the cache, 27 in all, reading 480 MB what they do not hide; where others keep a core busy, "
        "threads wait for each other 58 times."
    ),
    ("moving mean + std", "numpy", "pandas", "peer"): MOVING_NUMPY,
    ("moving mean + std", "fast", "bottleneck", "floor"): MOVING_FLOOR,
    ("moving mean + std", "fast", "pandas", "floor"): MOVING_FLOOR,
    ("volumetric grid", "fast", "numpy", "peer"): (
        "all 192 MB are fresh output, whose first touch takes 11 ms of the kernel's 15 ms of processor time; a hundredth of the peer's 680 ms is 7."
    ),
    ("volumetric grid", "fast", "numpy", "floor"): f"all 192 MB are fresh output: {FRESH}; 6 ms of two cores are twice the floor of 3 before anything is computed.",
}
"""By kernel, tier, first word of the peer, and which goal."""


def remark(pair: Pair) -> str:
    """Why this pair misses what it misses; a dash where it misses nothing, or nobody knows why."""
    missed = [
        ("peer", pair.goal is not None and pair.wall_ratio < pair.goal),
        ("floor", pair.floor_goal is not None and pair.over_floor is not None and pair.over_floor > pair.floor_goal),
    ]
    found = [REMARKS.get((pair.kernel, pair.tier, pair.peer.split()[0], which)) for which, is_missed in missed if is_missed]
    return " ".join(text for text in found if text) or "–"
