"""CUDA: the `.cu` file beside a kernel, compiled through CuPy at its first use and launched.

A kernel's `_cuda(..., xp)` prepares its arrays with the array API alone and calls `launch`, looked up on this module
(`cuda.launch(...)`). So the same function, arguments and sizes run on a CPU in the tests, with `launch` exchanged for
the host shim.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

OPTIONS = ("--std=c++17",)


def launch(
    file: str,
    kernel: str,
    args: tuple[Any, ...],
    *,
    grid: int | tuple[int, ...],
    block: int | tuple[int, ...] = 256,
    shared: int = 0,
) -> None:
    """Launch `extern "C" __global__` function `kernel` of `<file>.cu` on the current stream.

    Parameters
    ----------
    file : str
        Name of the file in this folder, without `.cu`.
    kernel : str
        Name of the function.
    args : tuple
        Device arrays (C-contiguous, passed as pointers), int (passed as `long long`), float (passed as `double`).
    grid, block : int or tuple of up to three int
        Blocks and threads in a block. An empty grid launches nothing.
    shared : int
        Dynamic shared memory, bytes. Above 48 kB the kernel is asked for the larger carve-out.

    Raises
    ------
    ValueError
        An array is not C-contiguous.
    """
    grid = grid if isinstance(grid, tuple) else (grid,)
    block = block if isinstance(block, tuple) else (block,)
    checked = tuple(_argument(kernel, i, arg) for i, arg in enumerate(args))
    if 0 in grid:
        return
    function = _module(file).get_function(kernel)
    if shared > 48 * 1024:
        function.max_dynamic_shared_size_bytes = shared
    function(grid, block, checked, shared_mem=shared)


def grid_for(n: int, block: int = 256, most: int = 16_384) -> int:
    """Blocks for n elements, one a thread, capped (the kernel strides on by the whole grid); 0 for n = 0."""
    return min(-(-n // block), most)


def source(file: str) -> Path:
    """The path of `<file>.cu`."""
    return Path(__file__).with_name(f"{file}.cu")


def _argument(kernel: str, position: int, arg: Any) -> Any:
    if isinstance(arg, bool):
        raise TypeError(f"argument {position} of {kernel} is a bool; kernels take arrays, int and float")
    if isinstance(arg, int):
        import numpy

        return numpy.int64(arg)
    if isinstance(arg, float):
        import numpy

        return numpy.float64(arg)
    if not arg.flags.c_contiguous:
        raise ValueError(f"argument {position} of {kernel} has strides {arg.strides}; expected a C-contiguous array")
    return arg


@functools.cache
def _module(file: str) -> Any:
    import cupy

    return cupy.RawModule(code=source(file).read_text(encoding="utf-8"), options=OPTIONS)
