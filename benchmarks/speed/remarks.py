"""Where the time goes where a goal is missed: one sentence a figure, with the arithmetic, for the table of results.

The floor copies into memory that is there already; a kernel returns fresh memory, which the system hands out page by page. The figures
were measured once, on two cores of an AMD Zen 5 (Linux, huge pages by madvise) that others used too; elsewhere they differ.
"""

from __future__ import annotations

from typing import Final

from .paired import Pair

FRESH: Final = "first touch of fresh output takes 0.06 ms a MB of one core, a copy onto old pages 0.015 ms a MB moved on two"

REMARKS: Final[dict[tuple[str, str, str, str], str]] = {
    ("quadrature correct + unwrap", "numpy", "numpy", "peer"): (
        "8 × the peer's 645 ms leaves 80 ms: arctan2 alone takes 41, and the dozen other passes over a block 85."
    ),
    ("quadrature correct + unwrap", "fast", "numpy", "peer"): (
        "30 × the peer's 645 ms is 21 ms, about as long as the copy of the 720 MB that must move (18 … 27 ms)."
    ),
    ("moving mean + std", "fast", "bottleneck", "floor"): f"480 MB of 720 are fresh output: {FRESH}; 14 ms of two cores and a floor of 11 are more than twice 11.",
    ("moving mean + std", "fast", "pandas", "floor"): f"480 MB of 720 are fresh output: {FRESH}; 14 ms of two cores and a floor of 11 are more than twice 11.",
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
