"""The memory-bound kernels on a GPU: bytes they have to move in a second, beside a copy there; from the device's memory and from the host's.

    python -m precision.benchmarks.speed.on_gpu        # a table in Markdown; without a usable GPU it says why and ends with 1
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from precision.kernels import (
    AxisErrors,
    Ellipse,
    GeometricErrors,
    moving_mean_std,
    unwrapped_phase,
    usable_gpu,
    volumetric_error,
)
from precision.kernels.positioning import FIGURES, positioning_figures

ROUNDS = 11
GOAL = 0.7
"""Of the bandwidth of a copy."""


class Device(Protocol):
    """Where kernels run: arrays go there and come back, and calls are timed to their end."""

    name: str

    def there(self, array: Any) -> Any:
        """The array on the device."""

    def back(self, array: Any) -> Any:
        """The array in the host's memory."""

    def seconds(self, call: Callable[[], object]) -> float:
        """How long a call takes, until the device has finished."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel on arrays of a size; `moved` bytes have to be read and written by any implementation."""

    kernel: str
    size: str
    arrays: tuple[Any, ...]
    run: Callable[..., Any]
    moved: int


@dataclass(frozen=True, slots=True)
class Row:
    """resident_s, hosted_s : medians of a call on arrays that are there already, and with the way there and back. copy_s : of a copy of as many bytes."""

    case: Case
    resident_s: float
    hosted_s: float
    copy_s: float

    @property
    def share(self) -> float:
        """Of the copy's bandwidth, device-resident."""
        return self.copy_s / self.resident_s


def cases(scale: float = 1.0) -> Iterator[Case]:
    """The memory-bound kernels, at `scale` times the sizes of the speed suite."""
    rng = np.random.default_rng(1)
    n = int(1e7 * scale)
    node, table = np.linspace(0.0, 1.0, 51), rng.uniform(-1e-5, 1e-5, (3, 2, 3, 51))
    yield Case("volumetric", f"{n:.0e} scattered", (rng.random((3, n)), node, table), _volumetric, 6 * 8 * n)
    n = int(3e7 * scale)
    yield Case("moving mean + std", f"{n:.0e}, w = 100", (rng.normal(size=n),), lambda x: moving_mean_std(x, 100), 3 * 8 * n)
    theta = np.cumsum(rng.uniform(0.1, 0.5, n))
    yield Case("quadrature correct + unwrap", f"{n:.0e}", (500 * np.cos(theta), 495 * np.sin(theta)), _phase, 3 * 8 * n)
    n = int(1e6 * scale)
    yield Case("ISO 230-2 figures", f"{n:.0e} × 2 × 11 × 5", (rng.normal(size=(n, 2, 11, 5)),), positioning_figures, (110 + len(FIGURES)) * 8 * n)


def _volumetric(position: Any, node: Any, table: Any) -> Any:
    x, y, z = (AxisErrors(node, table[a, 0], table[a, 1]) for a in range(3))
    return volumetric_error(GeometricErrors(x, y, z, 1e-5, -2e-5, 3e-5), position, chain="FXYZ")


def _phase(cosine: Any, sine: Any) -> Any:
    return unwrapped_phase(cosine, sine, ellipse=Ellipse(p=0.0, q=0.0, radius=500.0, ratio=500 / 495, alpha_rad=0.0))[0]


def measured(case: Case, device: Device, rounds: int = ROUNDS) -> Row:
    """One case: resident, from the host and back, and the copy, in turn."""
    there = [device.there(array) for array in case.arrays]
    source = device.there(np.ones(max(1, case.moved // 16)))

    def hosted() -> None:
        found = case.run(*(device.there(array) for array in case.arrays))
        for part in found if isinstance(found, tuple) else (found,):
            device.back(part)

    calls: list[Callable[[], object]] = [lambda: case.run(*there), hosted, source.copy]
    for call in calls:
        call()  # compiles, and takes memory from the system
    taken = [[device.seconds(call) for call in calls] for _ in range(rounds)]
    resident_s, hosted_s, copy_s = (statistics.median(column) for column in zip(*taken, strict=True))
    return Row(case, resident_s, hosted_s, copy_s)


def markdown(rows: Sequence[Row], device: Device) -> str:
    """The table, with the device it is of."""
    lines = [
        f"Device: {device.name}. “Share of copy” is the bandwidth beside that of a copy of as many bytes there; goal ≥ {GOAL:.0%}.",
        "",
        "| kernel | size | resident, ms | GB/s | share of copy | goal | from host memory and back, ms |",
        "|" + " --- |" * 7,
    ]
    for row in rows:
        verdict = "met" if row.share >= GOAL else "missed"
        lines.append(
            f"| {row.case.kernel} | {row.case.size} | {1e3 * row.resident_s:.3g} | {row.case.moved / row.resident_s / 1e9:.0f} | "
            f"{row.share:.0%} | {verdict} | {1e3 * row.hosted_s:.3g} |"
        )
    return "\n".join(lines) + "\n"


class Cuda:
    """The first CUDA device, through CuPy."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        runtime = cupy.cuda.runtime
        driver = runtime.driverGetVersion()
        self.name = f"{usable_gpu().reason}, driver for CUDA {driver // 1000}.{driver % 1000 // 10}"

    def there(self, array: Any) -> Any:
        return self._cupy.asarray(array)

    def back(self, array: Any) -> Any:
        return self._cupy.asnumpy(array)

    def seconds(self, call: Callable[[], object]) -> float:
        self._cupy.cuda.Device().synchronize()
        begun = time.perf_counter()
        call()
        self._cupy.cuda.Device().synchronize()
        return time.perf_counter() - begun


def main() -> int:
    """Measure and print."""
    gpu = usable_gpu()
    if not gpu:
        print(f"not measured: {gpu.reason}", file=sys.stderr)
        return 1
    device = Cuda()
    print(markdown([measured(case, device) for case in cases()], device), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
