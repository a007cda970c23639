"""How a `.cu` is launched through CuPy: compiled once, arguments as the kernel takes them. CuPy is played by a stand-in."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from precision.kernels import cuda


@pytest.fixture
def cupy(monkeypatch):
    """Records what it is asked for."""
    record = types.SimpleNamespace(modules=[], launches=[], functions={})

    class Function:
        max_dynamic_shared_size_bytes = 0

        def __call__(self, grid, block, args, shared_mem):
            record.launches.append((grid, block, args, shared_mem))

    class RawModule:
        def __init__(self, code, options):
            record.modules.append((code, options))

        def get_function(self, name):
            return record.functions.setdefault(name, Function())

    module = types.ModuleType("cupy")
    module.RawModule = RawModule
    monkeypatch.setitem(sys.modules, "cupy", module)
    cuda._module.cache_clear()
    yield record
    cuda._module.cache_clear()


def test_a_file_is_compiled_once_and_numbers_become_what_the_kernel_takes(cupy):
    x = np.ones(4)
    for _ in range(2):
        cuda.launch("volumetric", "volumetric", (x, 4, 0.5), grid=2, block=(8, 2))
    assert len(cupy.modules) == 1 and 'extern "C" __global__ void volumetric' in cupy.modules[0][0]
    grid, block, (array, whole, real), shared = cupy.launches[0]
    assert (grid, block, shared) == ((2,), (8, 2), 0)
    assert array is x and type(whole) is np.int64 and type(real) is np.float64


def test_nothing_is_launched_for_no_elements(cupy):
    cuda.launch("volumetric", "volumetric", (np.ones(0), 0), grid=cuda.grid_for(0))
    assert cupy.launches == []


def test_large_shared_memory_is_asked_for(cupy):
    cuda.launch("volumetric", "volumetric", (), grid=1, shared=100_000)
    assert cupy.functions["volumetric"].max_dynamic_shared_size_bytes == 100_000
    assert cupy.launches[0][3] == 100_000


def test_arguments_that_a_kernel_would_misread_are_refused(cupy):
    with pytest.raises(ValueError, match="argument 0 of volumetric has strides"):
        cuda.launch("volumetric", "volumetric", (np.ones((4, 2)).T,), grid=1)
    with pytest.raises(TypeError, match="argument 1 of volumetric is a bool"):
        cuda.launch("volumetric", "volumetric", (np.ones(4), True), grid=1)


@pytest.mark.parametrize(("n", "grid"), [(0, 0), (1, 1), (256, 1), (257, 2), (10**9, 16_384)])
def test_the_grid_covers_the_elements_and_is_capped(n, grid):
    assert cuda.grid_for(n) == grid
