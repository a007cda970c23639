"""Whether a GPU is usable: decided by computing on it, cheaply, and never by an exception that a person sees."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from precision.kernels import gpu, usable_gpu

ASK = """
import sys, time
sys.path.insert(0, {folder!r})
from precision.kernels import usable_gpu
start = time.process_time()
answer = usable_gpu()
took = time.process_time() - start
print(int(bool(answer)), took, "cupy" in sys.modules, answer.reason, sep="|")
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.delenv(gpu.SWITCH, raising=False)
    gpu._self_test.cache_clear()
    yield
    gpu._self_test.cache_clear()


def test_without_a_driver_the_answer_is_no_within_50_ms_and_cupy_stays_out(tmp_path):
    if gpu._driver_fault() is None:
        pytest.skip("there is a driver with a device here")
    (tmp_path / "cupy.py").write_text("raise AssertionError('CuPy was imported')")
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(folder=str(tmp_path))], capture_output=True, text=True, timeout=60
    )
    usable, took, imported, reason = done.stdout.strip().split("|")
    assert (usable, imported) == ("0", "False")
    assert float(took) < 0.05
    assert reason


def test_without_cupy_the_reason_names_the_extra(monkeypatch):
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    answer = usable_gpu()
    assert not answer and "extra cuda12 or cuda13" in answer.reason


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(gpu.SWITCH, "off")
    assert not usable_gpu() and usable_gpu().reason == "switched off by PRECISION_GPU=off"


@pytest.mark.parametrize(
    "fault", [RuntimeError("cudaErrorMemoryAllocation: out of memory\nmore"), ImportError("libnvrtc"), OSError("x")]
)
def test_whatever_fails_in_the_self_test_is_a_no_with_a_reason(monkeypatch, fault):
    def fail(*args):
        raise fault

    present(monkeypatch, zeros=fail)
    answer = usable_gpu()
    assert not answer
    assert answer.reason == f"the self-test failed: {type(fault).__name__}: {str(fault).splitlines()[0]}"


def present(monkeypatch, zeros, kernel=lambda *args: lambda *launch: None):
    """A CuPy and a driver that claim to be there."""
    runtime = types.SimpleNamespace(getDeviceProperties=lambda i: {"name": b"Imaginary 9000"})
    device = types.SimpleNamespace(id=0)
    cupy = types.ModuleType("cupy")
    cupy.zeros, cupy.RawKernel = zeros, kernel
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=lambda: device)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(gpu, "_driver_fault", lambda: None)


def test_a_device_that_computes_wrong_is_not_usable(monkeypatch):
    present(monkeypatch, zeros=lambda n: [0.0] * n)
    answer = usable_gpu()
    assert not answer and "wrong numbers" in answer.reason


def test_a_device_that_computes_right_is_named(monkeypatch):
    present(monkeypatch, zeros=lambda n: [2.0 * i + 1.0 for i in range(n)])
    assert usable_gpu() and usable_gpu().reason == "Imaginary 9000"


def test_a_driver_that_reports_no_device_is_a_no(monkeypatch):
    driver = types.SimpleNamespace(cuInit=lambda flags: 0, cuDeviceGetCount=lambda count: 0)
    monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: driver)
    assert "reports no device" in str(gpu._driver_fault())


def test_a_driver_that_does_not_start_is_a_no(monkeypatch):
    driver = types.SimpleNamespace(cuInit=lambda flags: 100, cuDeviceGetCount=lambda count: 0)
    monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: driver)
    assert "cuInit answered 100" in str(gpu._driver_fault())
