"""The fixtures of the speed suite: `tier` and `paired` (see `paired.py`)."""

from __future__ import annotations

from typing import Any

import pytest

from precision.benchmarks.speed.paired import Paired
from precision.kernels import compiled


@pytest.fixture(params=["numpy", "fast"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test as in the plain NumPy install, then with the Numba tier (skipped, with its reason, without Numba)."""
    name: str = request.param
    monkeypatch.setenv(compiled.SWITCH, "on" if name == "fast" else "off")
    if name == "fast" and compiled.numba_or_none() is None:
        pytest.skip("numba is not installed: pip install 'precision-bench[fast]'")
    return name


@pytest.fixture
def paired(benchmark: Any, tier: str) -> Paired:
    """Measure a candidate against a reference, interleaved; see `precision.benchmarks.speed.paired`."""
    return Paired(benchmark, tier)
