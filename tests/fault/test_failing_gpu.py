"""A GPU that has no memory, is lost, or is not there: the CPU takes over, the numbers are the same, and the result says where they were computed.

No GPU is needed: an array module that keeps NumPy arrays stands for CuPy and fails as the real one does, with exceptions of CuPy's own packages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import computing
from precision.benchmarks.computing import CPU, Computing, compute, computing_on
from precision.kernels.gpu import Gpu
from precision.kernels.positioning import positioning_figures

CSV = "run,direction,target_mm,actual_mm\n" + "".join(
    f"{run},{direction},{target},{target + 1e-4 * ((7 * run + 3 * target + (5 if direction == '+' else 0)) % 11):.6f}\n"
    for run in (1, 2, 3, 4, 5) for direction in "+-" for target in (0, 50, 100, 150, 200)
)  # fmt: skip


def of_cupy(name: str, module: str, *bases: type[Exception]) -> type[Exception]:
    return type(name, bases, {"__module__": module})


OutOfMemoryError = of_cupy("OutOfMemoryError", "cupy.cuda.memory", MemoryError)
CUDARuntimeError = of_cupy("CUDARuntimeError", "cupy_backends.cuda.api.runtime", RuntimeError)


@dataclass
class Device:
    """Stands for CuPy: `room` bytes an array may have; after `calls` calls the device is lost for good."""

    room: float = float("inf")
    calls: float = float("inf")
    freed: int = 0
    moved: list[int] = field(default_factory=list)
    lost: bool = False

    def _alive(self) -> None:
        self.calls -= 1
        if self.calls < 0 or self.lost:
            self.lost = True
            raise CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    def asarray(self, array: Any) -> Any:
        self._alive()
        if array.nbytes > self.room:
            raise OutOfMemoryError(f"Out of memory allocating {array.nbytes} bytes")
        self.moved.append(array.nbytes)
        return np.array(array)

    def asnumpy(self, array: Any) -> Any:
        self._alive()
        return np.array(array)

    def get_default_memory_pool(self) -> Device:
        return self

    def free_all_blocks(self) -> None:
        self._alive()
        self.freed += 1


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Device]:
    def made(**properties: Any) -> Device:
        device = Device(**properties)
        monkeypatch.setattr(computing, "_array_module", lambda: device)
        monkeypatch.setattr(computing, "usable_gpu", lambda: Gpu(True, "Test GPU"))
        return device

    return made


TRIALS = np.random.Generator(np.random.Philox(key=5)).standard_normal((999, 2, 3, 4))
EXPECTED = positioning_figures(TRIALS)


def same(found: Any) -> bool:
    return type(found) is type(EXPECTED) and all(isinstance(a, np.ndarray) and np.array_equal(a, b) for a, b in zip(found, EXPECTED, strict=True))


def test_a_gpu_that_works_is_used_once_and_named(gpu: Callable[..., Device]) -> None:
    device, used = gpu(), Computing("gpu")
    assert same(used(positioning_figures, TRIALS))
    assert device.moved == [TRIALS.nbytes] and list(used.tiers) == ["CuPy on the GPU Test GPU, float64"] and not used.remarks


def test_memory_that_is_exhausted_halves_the_batch_until_it_fits(gpu: Callable[..., Device]) -> None:
    device, used = gpu(room=TRIALS.nbytes / 5), Computing("gpu")
    assert same(used(positioning_figures, TRIALS))
    assert device.freed == 3 and len(device.moved) == 8 and list(used.tiers) == ["CuPy on the GPU Test GPU, float64, in 8 parts for lack of memory"]


def test_memory_that_is_never_enough_ends_on_the_cpu_and_says_so(gpu: Callable[..., Device]) -> None:
    device, used = gpu(room=8), Computing("gpu")
    assert same(used(positioning_figures, TRIALS))
    (remark,) = used.remarks
    assert "not enough memory" in remark and "Out of memory allocating" in remark and remark.endswith("computed on the CPU")
    assert all("CPU" in tier for tier in used.tiers) and len(used.tiers) == 1
    before = device.calls
    assert same(used(positioning_figures, TRIALS)) and device.calls == before, "it is not asked again"


@pytest.mark.parametrize("calls", range(14))
def test_a_gpu_lost_at_any_call_costs_no_number(gpu: Callable[..., Device], calls: int) -> None:
    device, used = gpu(calls=calls), Computing("gpu")
    assert same(used(positioning_figures, TRIALS))
    assert device.lost == bool(used.remarks) == any("CPU" in tier for tier in used.tiers)
    assert all("the GPU failed (CUDARuntimeError: cudaErrorIllegalAddress" in remark for remark in used.remarks)


def test_a_gpu_lost_while_its_memory_is_freed_costs_no_number(gpu: Callable[..., Device]) -> None:
    gpu(room=TRIALS.nbytes / 5, calls=1)
    used = Computing("gpu")
    assert same(used(positioning_figures, TRIALS)) and used.remarks


def test_a_fault_of_the_caller_is_not_taken_for_one_of_the_gpu(gpu: Callable[..., Device]) -> None:
    gpu()
    used = Computing("gpu")
    with pytest.raises(ValueError, match="deviation has shape"):
        used(positioning_figures, TRIALS[:, 0])
    assert not used.remarks and not used.failed


def test_auto_leaves_small_batches_on_the_cpu(gpu: Callable[..., Device], monkeypatch: pytest.MonkeyPatch) -> None:
    device, used = gpu(), Computing("auto")
    assert same(used(positioning_figures, TRIALS)) and not device.moved
    monkeypatch.setattr(computing, "AUTO_BYTES", TRIALS.nbytes)
    assert same(used(positioning_figures, TRIALS)) and device.moved
    assert [name.partition(" on")[0] for name in used.tiers][-1] == "CuPy"


def test_one_that_failed_inside_a_command_is_not_asked_again_by_it(gpu: Callable[..., Device]) -> None:
    device = gpu(calls=0)
    with computing_on("gpu") as command:
        for _ in range(3):
            with computing_on() as evaluation:
                assert same(compute(positioning_figures, TRIALS))
            assert evaluation.choice == "gpu"
    assert len(command.remarks) == 1 and device.calls == -1


def test_a_gpu_that_is_not_there_is_said_once_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "usable_gpu", lambda: Gpu(False, "no CUDA driver: libcuda.so.1 is not there"))
    asked, not_asked = Computing("gpu"), Computing("auto")
    monkeypatch.setattr(computing, "AUTO_BYTES", 0)
    for used in (asked, not_asked):
        assert same(used(positioning_figures, TRIALS)) and same(used(positioning_figures, TRIALS))
    assert list(asked.remarks) == ["no GPU can be used: no CUDA driver: libcuda.so.1 is not there; computed on the CPU"] and not not_asked.remarks


@pytest.mark.parametrize("fault", [{}, {"room": 8}, {"calls": 2}], ids=["works", "no memory", "lost"])
def test_a_comparison_with_a_failing_gpu_has_the_same_figures_and_says_where_they_come_from(
    fault: dict[str, Any], gpu: Callable[..., Device], tmp_path: Path, capfd: pytest.CaptureFixture[str], seen: Any
) -> None:
    from precision.cli import _exit_code

    (tmp_path / "x.csv").write_text(CSV, encoding="ascii")
    out = str(tmp_path / "runs")
    for _ in range(2):
        assert _exit_code(["analyze", str(tmp_path / "x.csv"), "--out", out]) == 0
    first, second = sorted(path.name for path in (tmp_path / "runs").iterdir() if path.is_dir())
    for device in ("cpu", "gpu"):
        if device == "gpu":
            gpu(**fault)
        assert _exit_code(["compare", first, second, "--runs", out, "--device", device, "--out", str(tmp_path / f"{device}.json")]) == 0
    reports = [json.loads((tmp_path / f"{device}.json").read_text()) for device in ("cpu", "gpu")]
    tiers = [report["provenance"].pop("backend") for report in reports]
    assert reports[0] == reports[1]
    assert "CPU" in tiers[0] and ("CPU" in tiers[1] if fault else tiers[1] == "CuPy on the GPU Test GPU, float64")
    assert ("computed on the CPU" in capfd.readouterr().err) == bool(fault)
    if fault:
        what = "memory of the graphics processor exhausted" if "room" in fault else "graphics processor lost"
        seen(98 if "room" in fault else 99, f"{what} (injected)", "computed on the CPU, said; the same figures, the tier in the result", "no motion", "–")


def test_the_result_of_a_run_says_where_it_was_computed_and_verification_does_not_mind_another_place(tmp_path: Path) -> None:
    from precision.cli import _exit_code

    (tmp_path / "x.csv").write_text(CSV, encoding="ascii")
    out = ["--out", str(tmp_path / "runs")]
    assert _exit_code(["analyze", str(tmp_path / "x.csv"), "--device", "gpu", *out]) == 0
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["computed_on"] == CPU
    elsewhere = "CuPy on the GPU Test GPU, float64"
    (run / "result.json").write_text(json.dumps({**result, "computed_on": elsewhere}), encoding="utf-8")
    page = (run / "report.html").read_text(encoding="utf-8")
    (run / "report.html").write_text(page.replace(CPU, elsewhere), encoding="utf-8")
    assert _exit_code(["runs", "verify", "last", *out]) == 0
    figure = result["result"]["figures"]["A"]
    figure["value"] *= 1 + 1e-6
    (run / "result.json").write_text(json.dumps({**result, "computed_on": elsewhere}), encoding="utf-8")
    assert _exit_code(["runs", "verify", "last", *out]) == 6
