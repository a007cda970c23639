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
MOVING_NUMPY: Final = "of 6 ns a sample on one core, square roots take 0.9, first touch of the output 1.2, the 16 additions of windows 2.4."

REMARKS: Final[dict[tuple[str, str, str, str], str]] = {
    ("quadrature correct + unwrap", "numpy", "numpy", "peer"): (
        "8 × the peer's 645 ms leaves 80 ms on one core; reading both signals and first touch of the output take 40, arctangents 20, quotients 9, "
        "the search for half turns and their addition 32, the six other passes over a block 22."
    ),
    ("quadrature correct + unwrap", "fast", "numpy", "peer"): (
        "30 × the peer's 645 ms is 43 ms of two cores; reading 480 MB and writing 240 MB of fresh output take 27 with nothing computed, "
        "angles 0.75 ns a sample more where the data are in the cache, and turns 0.3."
    ),
    ("moving mean + std", "numpy", "bottleneck", "peer"): MOVING_NUMPY,
    ("moving mean + std", "numpy", "pandas", "peer"): MOVING_NUMPY,
    ("moving mean + std", "fast", "bottleneck", "floor"): MOVING_FLOOR,
    ("moving mean + std", "fast", "pandas", "floor"): MOVING_FLOOR,
    ("ellipse fit", "fast", "lsq-ellipse", "peer"): (
        "1/80 of the peer's 25 ms is 0.31: the sums take 0.25 ms of one core, 0.13 of two, the conic twice 0.10, the octants 0.03, the rest is calls."
    ),
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
