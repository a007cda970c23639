"""The measurement that a machine with a GPU makes of the kernels: what it counts, and what it says where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed import on_gpu


class Stand:
    """A device that is the host; it counts what crosses."""

    name = "a stand-in"

    def __init__(self) -> None:
        self.sent = self.fetched = 0

    def there(self, array: Any) -> Any:
        self.sent += array.nbytes
        return array

    def back(self, array: Any) -> Any:
        self.fetched += array.nbytes
        return array

    def seconds(self, call: Callable[[], object]) -> float:
        begun = time.perf_counter()
        call()
        return time.perf_counter() - begun


@pytest.mark.parametrize("case", list(on_gpu.cases(1e-4)), ids=lambda case: case.kernel)
def test_what_has_to_move_is_what_goes_in_and_comes_out(case: on_gpu.Case) -> None:
    device = Stand()
    row = on_gpu.measured(case, device, rounds=1)
    assert 0 < row.resident_s and 0 < row.hosted_s and 0 < row.share
    large = sum(array.nbytes for array in case.arrays if array.size > 1000)  # a machine's tables stay in the cache
    # sent: resident, for the copy, and in the two calls from the host; fetched: after each of these two
    assert device.sent == 3 * sum(array.nbytes for array in case.arrays) + case.moved // 16 * 8
    assert case.moved == pytest.approx(large + device.fetched / 2, rel=0.04)  # a window of 100 in 3000 has 99 results fewer


def test_the_table_names_the_device_and_the_verdict() -> None:
    case = on_gpu.Case("copying", "8", (np.zeros(8),), np.copy, 128)
    text = on_gpu.markdown([on_gpu.Row(case, 2e-3, 5e-3, 1e-3), on_gpu.Row(case, 2e-3, 5e-3, 1.9e-3)], Stand())
    assert "Device: a stand-in" in text
    assert "| copying | 8 | 2 | 0 | 50% | missed | 5 |" in text
    assert "95% | met |" in text


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PRECISION_GPU", "off")
    assert on_gpu.main() == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("not measured: switched off")
