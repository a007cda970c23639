"""Threads for the plain NumPy tier: NumPy lets the interpreter go while it computes, so blocks can be worked on side by side.

    def share(worker, workers):
        rows = scratch(...)                                  # each worker has its own
        for read, write in blocks(n)[worker::workers]: ...

    side_by_side(share, workers_for(n))

What a thread computes must not depend on how many there are: then results are the same, to the last bit, on every machine.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FROM = 1 << 20
"""Elements above which threads pay. Each call of NumPy takes the interpreter back, for which threads wait: with blocks of 65 536
samples two of them take 0.6 of the time of one, and more than its time where blocks are short (measured)."""

SWITCH = "PRECISION_THREADS"
"""Environment variable: most threads of the plain NumPy tier; 1 for none beside the caller's."""

MOST = 8
"""Threads: more do not find the memory any faster, and wait for the interpreter."""


def workers_for(elements: int) -> int:
    """Threads that pay for this many elements: 1 for few, else one for each core that this process may use."""
    return 1 if elements < FROM else _wanted(os.environ.get(SWITCH, ""))


@functools.cache
def _wanted(text: str) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.strip():
        return min(cores, MOST)
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"{SWITCH} is {text!r}; expected a number of threads, 1 or more")
    return number


def side_by_side(share: Callable[[int, int], T], workers: int) -> list[T]:
    """[share(0, workers), …, share(workers − 1, workers)], each in a thread of its own, the first in the caller's.

    Threads last for the call, so that nothing waits, and nothing is lost where the process forks. What a share raises is raised
    here, once all have ended.
    """
    if workers == 1:
        return [share(0, 1)]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers - 1) as pool:
        others = [pool.submit(share, worker, workers) for worker in range(1, workers)]
        return [share(0, workers), *(other.result() for other in others)]
