"""Where the time goes where a goal is missed: one sentence a figure, with the arithmetic, for the table of results.

The floor copies into memory that is there already; a kernel returns fresh memory, which the system hands out page by page. The figures
were measured once, on two cores of an AMD Zen 5 (Linux, huge pages by madvise) that others used too; elsewhere they differ.
"""

from __future__ import annotations

from typing import Final

from .paired import Pair

REMARKS: Final[dict[tuple[str, str, str], str]] = {
    ("quadrature correct + unwrap", "fast", "numpy"): (
        "into a new array: 30 × the peer's 645 ms is 43 ms of two cores; first touch of 240 MB of fresh output takes 11, the kernel itself 34 "
        "(two cores, into an array that is there)."
    ),
    ("volumetric grid", "fast", "numpy"): (
        "into a new array: all 192 MB are fresh output, whose first touch takes 11 ms of the kernel's 15 ms of processor time; a hundredth of the "
        "peer's 680 ms is 7."
    ),
}
"""Of results in new arrays: by kernel, tier and first word of the peer."""


def remark(pair: Pair) -> str:
    """Why this pair misses what it misses; a dash where it misses nothing, or nobody knows why."""
    missed = pair.goal is not None and pair.wall_ratio < pair.goal and ", new array" in pair.size
    return (missed and REMARKS.get((pair.kernel, pair.tier, pair.peer.split()[0]))) or "–"
