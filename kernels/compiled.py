"""Compiled: how a kernel reaches Numba (extra `fast`), and what keeps that safe.

A kernel's Numba tier is a function that imports Numba, defines the body and returns `jit(body, signature, ...)`, kept
with `functools.cache`:

    @functools.cache
    def _compiled(parallel: bool) -> Callable[..., None]:
        import math
        from numba import prange
        def squares(x, out):
            for i in prange(x.shape[0]):
                out[i] = x[i] * x[i]
        return jit(squares, (frozen(1), writable(1)), parallel=parallel)

    if is_numpy_namespace(xp) and numba_or_none():
        _compiled(parallel_pays(n))(x, out)

Helpers of a body are wrapped by `inline`. Three things go wrong with Numba if nothing is done, and are settled here:
its cache does not notice a change in another module (the cache folder is salted with the sources), it raises where no
folder can be written (then nothing is cached), and its last-resort threading layer aborts the process when two threads
use it (then everything runs serially).
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

SWITCH = "PRECISION_NUMBA"
"""Environment variable: `0`, `off` or `no` leaves Numba out although it is installed."""

CACHE = "PRECISION_CACHE_DIR"
"""Environment variable: the folder for compiled kernels, instead of the user's cache folder."""

PARALLEL_FROM = 50_000
"""Elements above which threads bring more than the 30 µs (much more on a busy machine) that waking them costs."""

_lock = threading.Lock()
_process = os.getpid()


def numba_or_none() -> ModuleType | None:
    """Numba, or None where it is not installed, does not load with this NumPy, or is switched off."""
    if os.environ.get(SWITCH, "").strip().lower() in {"0", "off", "no", "false"}:
        return None
    return _numba()


@functools.cache
def _numba() -> ModuleType | None:
    # Threads of OpenMP wait by spinning unless told otherwise, which on a busy machine takes cores from whoever has work (MDEV of
    # 1e7 phases, once, on two busy cores: 0.76 s spinning, 0.26 s asleep). Read when OpenMP starts; what the user set stays.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # GNU's OpenMP: asleep after some 20 µs rather than at once. A thread that is woken lands on the waker's core, and in a loop of
    # short calls both then share it (50 circles: 170 µs; 95 µs with this).
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    try:
        import numba
    except (ImportError, OSError):  # OSError: the compiler's shared library is there and does not load
        return None
    return numba


def frozen(ndim: int, dtype: str = "float64") -> Any:
    """The type of a C-contiguous array that the body only reads; read-only and writable arrays both fit."""
    from numba import types

    return types.Array(getattr(types, dtype), ndim, "C", readonly=True)


def writable(ndim: int, dtype: str = "float64") -> Any:
    """The type of a C-contiguous array that the body writes."""
    from numba import types

    return types.Array(getattr(types, dtype), ndim, "C")


def scalar(dtype: str) -> Any:
    """The type of a number: `int64`, `float64`, `boolean`."""
    from numba import types

    return getattr(types, dtype)


def inline(helper: Callable[..., Any]) -> Callable[..., Any]:
    """A helper that a compiled body may call."""
    from numba.extending import register_jitable

    wrapped: Callable[..., Any] = register_jitable(helper)
    return wrapped


def in_order(helper: Callable[..., Any]) -> Callable[..., Any]:
    """A helper whose operations stay in their order, for a body whose sums may be reordered (`reassoc`). Products may be fused."""
    from numba.extending import register_jitable

    wrapped: Callable[..., Any] = register_jitable(fastmath={"contract"})(helper)
    return wrapped


def inline_always(helper: Callable[..., Any]) -> Callable[..., Any]:
    """A helper that is written into the body before anything else happens: for `slp`, which sees no calls."""
    from numba.extending import register_jitable

    wrapped: Callable[..., Any] = register_jitable(inline="always")(helper)
    return wrapped


def jit(
    body: Callable[..., Any],
    signature: tuple[Any, ...],
    *,
    parallel: bool = False,
    fastmath: bool | set[str] = False,
    slp: bool = False,
) -> Callable[..., Any]:
    """Compile `body` for one signature, from the cache where it is there.

    Parameters
    ----------
    body : function
        In Numba's Python; `prange` runs over threads when `parallel`, as `range` otherwise.
    signature : tuple
        One type an argument, of `frozen`, `writable` and `scalar`. Only these are compiled; anything else raises
        TypeError at the call.
    parallel : bool
        Over threads. Compile both and choose with `parallel_pays`.
    fastmath : bool or set of str
        LLVM's flags. Never `nnan` or `ninf` where NaN can come in: the default True contains both.
    slp : bool
        Turn like operations on neighbouring numbers into vector operations, which Numba leaves out otherwise.
    """
    import numba

    folder = _cache_folder(f"{'parallel' if parallel else 'serial'}-{_flags(fastmath)}{'-slp' if slp else ''}")
    config: Any = numba.config
    with _lock:
        before = config.CACHE_DIR, config.SLP_VECTORIZE
        # The folder is taken over by the function at its decoration; nobody else's functions are affected. One folder
        # a set of flags: Numba's key does not contain them.
        config.CACHE_DIR = "" if folder is None else str(folder)
        config.SLP_VECTORIZE = int(slp)
        try:
            function: Callable[..., Any] = numba.njit(
                [signature],
                parallel=parallel,
                fastmath=fastmath,
                nogil=True,
                error_model="numpy",
                cache=folder is not None,
            )(body)
            return function
        finally:
            config.CACHE_DIR, config.SLP_VECTORIZE = before


def parallel_pays(n: int) -> bool:
    """Whether a kernel over `n` elements should use threads: enough work, and threads are safe here."""
    return n >= PARALLEL_FROM and _threads_are_safe()


def _threads_are_safe() -> bool:
    """Not in a forked child (OpenMP ends it, once the parent has run threads), and not where workqueue is all there is."""
    return os.getpid() == _process and _safe_layer()


@functools.cache
def _safe_layer() -> bool:
    """Whether Numba will choose OpenMP or TBB: workqueue aborts the process when two threads are inside."""
    import importlib

    import numba

    config: Any = numba.config
    wanted = str(config.THREADING_LAYER)
    pools = {"omp": ("omppool",), "tbb": ("tbbpool",), "workqueue": ()}.get(wanted, ("tbbpool", "omppool"))
    for pool in pools:
        try:
            importlib.import_module(f"numba.np.ufunc.{pool}")
        except ImportError:
            continue
        return True
    return False


def _flags(fastmath: bool | set[str]) -> str:
    return "-".join(sorted(fastmath)) if isinstance(fastmath, set) else ("fast" if fastmath else "exact")


@functools.cache
def _cache_folder(flags: str) -> Path | None:
    """A folder of our own for compiled kernels of the present sources; None where none can be had safely."""
    try:
        folder = _cache_root() / "kernels" / _salt() / flags
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}-{threading.get_ident()}"
        probe.touch()
        probe.unlink()
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None
    return folder if _is_ours(folder) else None


def _cache_root() -> Path:
    for name in (CACHE, "NUMBA_CACHE_DIR"):
        if os.environ.get(name):
            return Path(os.environ[name])
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "precision"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "precision"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "precision"


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can put code into the folder: what is loaded from it is executed."""
    if sys.platform == "win32":
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@functools.cache
def _salt() -> str:
    """Version and content: a helper changed in any kernel's file leaves every compiled kernel behind."""
    from precision import __version__

    content = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{__version__}-{content.hexdigest()[:16]}"
