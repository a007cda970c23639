"""Blocks: walk a long array in pieces that stay in the cache, with BLAS held to one thread.

A fresh temporary of the length of the data costs half the memory bandwidth, and sometimes much more. A kernel on NumPy
arrays therefore allocates its scratch arrays once, of the length of one block, and walks:

    rows = scratch((3, min(n, BLOCK)), xp=xp)
    with one_blas_thread():
        for read, write in blocks(n_out, after=window - 1):
            a, b, c = rows[:, : write.stop - write.start]
            xp.multiply(x[read], ..., out=...)
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

BLOCK = 16_384
"""Elements in a block: 128 kB in float64, so that a few of them live in the second-level cache."""

_LINE = 8
"""Elements in a cache line of 64 bytes."""

SHORT_BUFFER = 256
"""Elements: shorter than the rows that matter, long enough for the conversions of a block (of bools, of integers)."""


def blocks(n: int, size: int = BLOCK, *, before: int = 0, after: int = 0) -> Iterator[tuple[slice, slice]]:
    """The pieces of a walk over `n` results.

    Parameters
    ----------
    n : int
        Number of results.
    size : int
        Results in a piece.
    before, after : int
        The halo: result i needs the inputs i … i + before + after of an input with n + before + after elements
        (a window of w has `after=w - 1`), so neighbouring pieces read before + after elements twice.

    Yields
    ------
    read, write : slice
        Of the input and of the result; `read` is longer than `write` by the halo. Nothing for n = 0.

    Examples
    --------
    >>> [(r.start, r.stop, w.start, w.stop) for r, w in blocks(5, 3, after=1)]
    [(0, 4, 0, 3), (3, 6, 3, 5)]
    """
    if size < 1 or before < 0 or after < 0:
        raise ValueError(f"size is {size}, before {before}, after {after}; expected size ≥ 1 and no negative halo")
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield slice(start, stop + before + after), slice(start, stop)


def scratch(shape: tuple[int, ...], *, xp: Any) -> Any:
    """Uninitialised float64 rows on NumPy, each of which begins with a cache line.

    Vector operations as wide as a line otherwise touch two with each load and store, since NumPy's own memory begins 16 bytes
    into one: a sum of two rows in the second-level cache took 0.16 ns a sample, and 0.12 from lines (AVX-512, NumPy 2.4).
    """
    row = -(-shape[-1] // _LINE) * _LINE
    size = math.prod(shape[:-1]) * row
    memory = xp.empty(size + _LINE)
    begin = -memory.__array_interface__["data"][0] // memory.itemsize % _LINE
    return memory[begin : begin + size].reshape(*shape[:-1], row)[..., : shape[-1]]


@contextlib.contextmanager
def short_buffers() -> Iterator[None]:
    """Hold the buffers of NumPy's operations shorter than the rows of a block while inside.

    A column joined to rows (`rows - column`) is otherwise copied into buffers first wherever rows fit into them, although
    nothing has to be converted: 4.5 µs in place of 1.8 for 4 rows of 3600 (NumPy 2.4). Results are the same. The setting
    belongs to the thread.
    """
    import numpy as np

    before = np.setbufsize(SHORT_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while inside: for block-sized products its threads cost far more than they bring.

    The limit belongs to the whole process, so threads that are inside at the same time share one: the first sets it,
    the last takes it back. Without threadpoolctl nothing is limited; results are the same.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


_lock = threading.Lock()
_inside = 0
_limit: Any = None


def _enter() -> None:
    global _inside, _limit
    with _lock:
        if _inside == 0:
            controller = _controller("scipy.linalg" in sys.modules)
            _limit = None if controller is None else controller.limit(limits=1, user_api="blas")
        _inside += 1


def _leave() -> None:
    global _inside, _limit
    with _lock:
        _inside -= 1
        if _inside == 0 and _limit is not None:
            _limit.restore_original_limits()
            _limit = None


@functools.cache
def _controller(scipy_is_loaded: bool) -> Any:
    """The loaded BLAS libraries; looked up again when SciPy, which may bring its own, has come in."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()
