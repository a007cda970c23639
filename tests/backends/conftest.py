"""The array libraries and tiers that every kernel has to agree on.

`xp` is one array library at a time, with `asarray` making its arrays and `numbers` bringing them back:

    def test_it_agrees(xp):
        result = kernel(xp.asarray(data))
        np.testing.assert_allclose(xp.numbers(result), expected)

`cuda_on_cpu` runs a kernel's `_cuda` on NumPy arrays, its `.cu` compiled for the CPU, once in each of three thread
orders and once under each sanitizer:

    def test_the_cuda_kernel_agrees(cuda_on_cpu):
        n = 70 if cuda_on_cpu.tiny else 1003
        result = module._cuda(data, ..., xp=cuda_on_cpu.xp)
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from precision.kernels import compiled, cuda, usable_gpu

HERE = Path(__file__).parent
TIERS = ["numpy", "numpy-readonly", "numba", "strict", "strict-device", pytest.param("cupy", marks=pytest.mark.gpu)]


class Library:
    """An array library as a kernel meets it."""

    def __init__(self, name: str, make: Callable[[np.ndarray], Any], back: Callable[[Any], np.ndarray]) -> None:
        self.name, self._make, self._back = name, make, back

    def __repr__(self) -> str:
        return self.name

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        """An array of the library with these numbers (float64 unless they are integers or bools already)."""
        data = np.asarray(data, dtype)
        return self._make(data)

    def numbers(self, array: Any) -> np.ndarray:
        """The numbers of an array of the library; fails where a kernel returned another library's array."""
        return self._back(array)


@pytest.fixture(params=TIERS)
def xp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """One array library and tier."""
    name = request.param
    monkeypatch.setenv(compiled.SWITCH, "1" if name == "numba" else "0")
    if name == "numba" and compiled.numba_or_none() is None:
        pytest.skip("Numba is not installed (extra fast)")
    if name == "cupy":
        return _cupy()
    if name.startswith("strict"):
        return _strict(name)
    return Library(name, _readonly if name == "numpy-readonly" else np.array, _numpy_only)


def _numpy_only(array: Any) -> np.ndarray:
    assert isinstance(array, np.ndarray), f"a NumPy array went in, {type(array)} came out"
    return array


def _readonly(data: np.ndarray) -> np.ndarray:
    data = data.copy()
    data.flags.writeable = False
    return data


def _strict(name: str) -> Library:
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    device = strict.Device("device1") if name == "strict-device" else strict.Device("CPU_DEVICE")

    def back(array: Any) -> np.ndarray:
        assert type(array).__module__.startswith("array_api_strict"), f"{type(array)} came out"
        assert array.device == device, f"the result lies on {array.device}, the data on {device}"
        return np.from_dlpack(strict.asarray(array, device=strict.Device("CPU_DEVICE"), copy=True))

    return Library(name, lambda data: strict.asarray(data, device=device, copy=True), back)


def _cupy() -> Library:
    gpu = usable_gpu()
    if not gpu:
        pytest.skip(f"no GPU: {gpu.reason}")
    import cupy

    return Library("cupy", cupy.asarray, cupy.asnumpy)


# ---- CUDA on the CPU ---------------------------------------------------------------------------------------------------


def _by_path(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / "cuda_on_cpu" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def cuda_shim() -> ModuleType:
    """The module cuda_shim; skips with the reason where kernels cannot run."""
    module = _by_path("cuda_shim")
    reason = module.unavailable()
    if reason is not None:
        pytest.skip(reason)
    return module


@pytest.fixture(scope="session")
def nvrtc() -> ModuleType:
    """The module nvrtc; skips with the reason where nothing can be compiled."""
    module = _by_path("nvrtc")
    reason = module.unavailable()
    if reason is not None:
        pytest.skip(reason)
    return module


class CudaOnCpu:
    """`cuda.launch` on the CPU, in one thread order or under one sanitizer."""

    def __init__(self, shim: ModuleType, way: str) -> None:
        self._shim = shim
        self.sanitize = way if way in {"address", "thread"} else None
        self.order = {"reverse": "reverse", "shuffled": 12345}.get(way, "forward")
        self.launched: list[str] = []

    @property
    def tiny(self) -> bool:
        """Every CUDA thread is a thread of the operating system: keep to a few hundred of them."""
        return self.sanitize == "thread"

    @property
    def xp(self) -> Any:
        """NumPy's array API whose fresh arrays are poisoned, so that an element left out shows."""
        return _Poisoned()

    def launch(
        self, file: str, kernel: str, args: tuple[Any, ...], *, grid: Any, block: Any = 256, shared: int = 0
    ) -> None:
        self.launched.append(kernel)
        if 0 in (grid if isinstance(grid, tuple) else (grid,)):
            return
        shim = self._shim.load(cuda.source(file), sanitize=self.sanitize)
        shim.launch(kernel, grid, block, args, shared=shared, order=self.order)


class _Poisoned:
    def __getattr__(self, name: str) -> Any:
        import array_api_compat.numpy as compat

        return getattr(compat, name)

    def empty(self, shape: Any, dtype: Any = np.float64, device: Any = None) -> np.ndarray:
        array = np.empty(shape, dtype)
        array.view(np.uint8 if array.ndim else array.dtype)[...] = 0xFF
        return array

    def empty_like(self, x: np.ndarray, dtype: Any = None, device: Any = None) -> np.ndarray:
        return self.empty(x.shape, x.dtype if dtype is None else dtype)


@pytest.fixture(params=["forward", "reverse", "shuffled", "address", "thread"])
def cuda_on_cpu(
    request: pytest.FixtureRequest, cuda_shim: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CudaOnCpu]:
    """A kernel's `_cuda` runs on NumPy arrays while this lives; at the end something must have been launched."""
    runner = CudaOnCpu(cuda_shim, request.param)
    monkeypatch.setattr(cuda, "launch", runner.launch)
    yield runner
    assert runner.launched, "the test did not launch a kernel"
