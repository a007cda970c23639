"""Is there a GPU that really computes? Decided once, by computing something on it.

The steps go from cheap to dear, and CuPy is imported only when a driver with a device is there:
environment → CuPy installed? → driver library → device count → one kernel compiled, launched and read back. The last
step is needed because a machine can have a device and a driver and still no run-time compiler, an architecture that
the compiler does not know, or no free memory.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
from dataclasses import dataclass

SWITCH = "PRECISION_GPU"
"""Environment variable: `0`, `off` or `no` says that no GPU is to be used, whatever is installed."""

_PROBE = 'extern "C" __global__ void probe(double *x) { x[threadIdx.x] = 2.0 * threadIdx.x + 1.0; }'


@dataclass(frozen=True, slots=True)
class Gpu:
    """What was found. True in a condition where the GPU is usable; `reason` says what was seen, either way."""

    usable: bool
    reason: str

    def __bool__(self) -> bool:
        return self.usable


def usable_gpu() -> Gpu:
    """Whether kernels can run on a GPU here, and the reason.

    Returns
    -------
    Gpu
        Truthy when a kernel was compiled, launched and read back with the right answer. `reason` is the device's
        name, or the sentence to show to a person.

    Notes
    -----
    The answer of the self-test is kept for the life of the process; the environment variable is read at every call.
    Without a driver the answer takes about a millisecond and CuPy is not imported.
    """
    if os.environ.get(SWITCH, "").strip().lower() in {"0", "off", "no", "false"}:
        return Gpu(False, f"switched off by {SWITCH}={os.environ[SWITCH]}")
    return _self_test()


@functools.cache
def _self_test() -> Gpu:
    if importlib.util.find_spec("cupy") is None:
        return Gpu(False, "CuPy is not installed (extra cuda12 or cuda13)")
    absent = _driver_fault()
    if absent is not None:
        return Gpu(False, absent)
    try:
        return _launch_and_read_back()
    except Exception as fault:  # CuPy raises many kinds here and their names vary with the driver: any of them is a no
        return Gpu(False, f"the self-test failed: {type(fault).__name__}: {str(fault).splitlines()[0]}")


def _driver_fault() -> str | None:
    """Why the CUDA driver cannot be used, asked of the driver itself; None when it reports a device."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"no CUDA driver: {name} is not there"
    code = driver.cuInit(0)
    if code != 0:
        return f"the CUDA driver does not start: cuInit answered {code}"
    count = ctypes.c_int(0)
    code = driver.cuDeviceGetCount(ctypes.byref(count))
    if code != 0 or count.value < 1:
        return f"the CUDA driver reports no device (count {count.value}, code {code})"
    return None


def _launch_and_read_back() -> Gpu:
    import cupy

    probe = cupy.zeros(32)
    cupy.RawKernel(_PROBE, "probe")((1,), (32,), (probe,))
    if [float(x) for x in probe] != [2.0 * i + 1.0 for i in range(32)]:
        return Gpu(False, "the self-test kernel came back with wrong numbers")
    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
    return Gpu(True, name.decode() if isinstance(name, bytes) else str(name))
