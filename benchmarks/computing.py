"""Where batches are computed. A kernel follows its argument and never moves data; this edge chooses, moves once, and says where it was.

    cpu     NumPy, with Numba where that is installed
    gpu     the GPU; where there is none, or it fails, the CPU
    auto    the GPU for batches of at least `AUTO_BYTES` where one is usable, else the CPU

A GPU that has no memory left gets its pool freed and the batch in halves, then in quarters, down to `SMALLEST`; then the CPU takes over. One that fails
otherwise (lost, reset, a sticky error) is not asked again. Readings are on the disk before anything is computed: a GPU that fails costs time, no reading.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, TypeVar, get_args

import numpy as np

from precision.kernels import compiled
from precision.kernels.gpu import usable_gpu

Choice = Literal["auto", "cpu", "gpu"]
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)
AUTO_BYTES: Final = 256 << 20
"""Importing CuPy and making a context takes one to two seconds, in which a CPU core reads that much several times."""
SMALLEST: Final = 64
"""Into so many pieces a batch is cut before the CPU takes over."""
CPU: Final = "NumPy on the CPU, float64"

T = TypeVar("T")


class Computing:
    """One choice, and what became of it.

    choice : as asked for. tiers : where batches were computed, each once, in the order of their first use. remarks : what the person should know, a sentence each.
    failed : why the GPU is not asked any more, or "".
    """

    def __init__(self, choice: Choice = "auto") -> None:
        if choice not in CHOICES:
            raise ValueError(f"device is {choice!r}; one of {', '.join(CHOICES)} is expected")
        self.choice = choice
        self.tiers: dict[str, None] = {}
        self.remarks: dict[str, None] = {}
        self.failed = ""

    def __call__(self, kernel: Callable[..., T], batch: Any, /, *others: Any, **options: Any) -> T:
        """`kernel(batch, *others, **options)` with its result as NumPy arrays.

        batch : (n, ...) NumPy array of n independent trials, the kernel's first argument; the kernel's result is an array (n, ...) or a tuple of such.
        others : further NumPy arrays, the same for every trial.

        Raises what the kernel raises of its arguments; never because of the GPU.
        """
        if self._wants_gpu(batch):
            pieces = 1
            while pieces <= min(SMALLEST, max(1, len(batch))):
                try:
                    return self._on_gpu(kernel, batch, others, options, pieces)
                except Exception as error:
                    if not _of_the_gpu(error):
                        raise
                    short = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
                    if not isinstance(error, MemoryError):
                        self.failed = f"the GPU failed ({short})"
                        break
                    _free_pool()
                    pieces *= 2
            else:
                self.failed = f"the GPU has not enough memory, not even for a {pieces // 2}th of the batch ({short})"
            self.remarks[f"{self.failed}; computed on the CPU"] = None
        self.tiers[_cpu_tier()] = None
        return kernel(batch, *others, **options)

    def _wants_gpu(self, batch: Any) -> bool:
        if self.choice == "cpu" or self.failed or (self.choice == "auto" and batch.nbytes < AUTO_BYTES):
            return False
        gpu = usable_gpu()
        if not gpu and self.choice == "gpu":
            self.failed = f"no GPU can be used: {gpu.reason}"
            self.remarks[f"{self.failed}; computed on the CPU"] = None
        return bool(gpu)

    def _on_gpu(self, kernel: Callable[..., T], batch: Any, others: tuple[Any, ...], options: dict[str, Any], pieces: int) -> T:
        cupy = _array_module()
        moved = [cupy.asarray(other) for other in others]
        parts = []
        for piece in np.array_split(batch, pieces):
            found: Any = kernel(cupy.asarray(piece), *moved, **options)
            parts.append(tuple(cupy.asnumpy(array) for array in found) if isinstance(found, tuple) else cupy.asnumpy(found))
        self.tiers[f"CuPy on the GPU {usable_gpu().reason}, float64" + (f", in {pieces} parts for lack of memory" if pieces > 1 else "")] = None
        if not isinstance(parts[0], tuple):
            joined: Any = np.concatenate(parts)
            return joined  # type: ignore[no-any-return]
        arrays = [np.concatenate(column) for column in zip(*parts, strict=True)]
        kind: Any = type(found)
        return kind._make(arrays) if hasattr(kind, "_make") else kind(arrays)  # type: ignore[no-any-return]


_current: ContextVar[Computing | None] = ContextVar("computing", default=None)


@contextmanager
def computing_on(choice: Choice | None = None) -> Iterator[Computing]:
    """What `compute` uses inside; None takes the choice of the surrounding (of a command), else "auto". What was seen is told to the surrounding too."""
    outer = _current.get()
    inner = Computing(choice or (outer.choice if outer is not None else "auto"))
    inner.failed = outer.failed if outer is not None else ""
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)
        if outer is not None:
            outer.tiers.update(inner.tiers)
            outer.remarks.update(inner.remarks)
            outer.failed = outer.failed or inner.failed


def compute(kernel: Callable[..., T], batch: Any, /, *others: Any, **options: Any) -> T:
    """`kernel` on a batch, where the command or the caller wants it; see `Computing`."""
    return (_current.get() or Computing())(kernel, batch, *others, **options)


def _cpu_tier() -> str:
    return "Numba on the CPU, float64" if compiled.numba_or_none() else CPU


def _array_module() -> Any:
    return importlib.import_module("cupy")


def _of_the_gpu(error: BaseException) -> bool:
    """Whether an exception comes from the GPU's libraries, or is one of memory: not from the kernel's own checks."""
    return isinstance(error, MemoryError) or type(error).__module__.partition(".")[0] in {"cupy", "cupy_backends", "cupyx"}


def _free_pool() -> None:
    """Give back what the pool keeps. A GPU that is lost by then says so again at the next attempt."""
    try:
        _array_module().get_default_memory_pool().free_all_blocks()
    except Exception as error:
        if not _of_the_gpu(error):
            raise
