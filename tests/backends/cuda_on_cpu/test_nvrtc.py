"""Every `.cu` compiles for the architectures that are supported: no word from the compiler, no spill, nothing missing."""

from __future__ import annotations

from pathlib import Path

import pytest

import precision.kernels

FILES = sorted(Path(precision.kernels.__file__).parent.glob("*.cu"))
ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_cuda_file_compiles_in_silence_and_without_spills(nvrtc, cuda_shim, path, arch):
    compiled = nvrtc.compile_for(path, arch)
    assert compiled.complaints == ()
    assert set(compiled.entries) == set(cuda_shim.kernels_of(path))
    assert {name: bytes_ for name, bytes_ in compiled.spilled.items() if bytes_} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_cuda_file_is_run_on_the_cpu(path):
    tests = Path(__file__).parent.parent / f"test_{path.stem}.py"
    assert tests.exists() and "cuda_on_cpu" in tests.read_text(encoding="utf-8")


def test_a_warning_is_a_complaint(nvrtc, tmp_path):
    file = tmp_path / "warns.cu"
    file.write_text('extern "C" __global__ void warns(int *x) { int unused = 0; x[0] = 1; }')
    assert any("unused" in line for line in nvrtc.compile_for(file, "sm_90").complaints)


def test_an_include_is_a_complaint(nvrtc, tmp_path):
    file = tmp_path / "includes.cu"
    file.write_text('#include <cstdint>\nextern "C" __global__ void includes(int *x) { x[0] = 1; }')
    assert nvrtc.compile_for(file, "sm_80").complaints


def test_a_spill_is_counted(nvrtc, tmp_path):
    file = tmp_path / "spills.cu"
    sums = "\n".join(f"double a{i} = x[{i} * n + threadIdx.x];" for i in range(200))
    file.write_text(
        'extern "C" __global__ void __launch_bounds__(1024, 2) spills(double *x, int n) {'
        f"{sums} __syncthreads(); for (int k = 0; k < n; ++k) {{ "
        + " ".join(f"a{i} = a{i} * a{(i + 7) % 200} + k;" for i in range(200))
        + "} "
        + " ".join(f"x[{i} * n + threadIdx.x] = a{i};" for i in range(200))
        + "}"
    )
    assert nvrtc.compile_for(file, "sm_90").spilled["spills"] > 0
