"""The fixtures of the speed suite: `tier` and `paired` (see `paired.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from precision.benchmarks.speed.paired import Paired


@pytest.fixture(params=["numpy", "fast"])
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test in the plain NumPy install and with the Numba tier; the latter is skipped, with its reason, without Numba."""
    from precision.kernels import compiled

    name: str = request.param
    if name == "fast" and not compiled.available():
        pytest.skip("numba is not installed: pip install 'precision-bench[fast]'")
    with compiled.disabled() if name == "numpy" else compiled.enabled():
        yield name


@pytest.fixture
def paired(benchmark: Any, tier: str) -> Paired:
    """Measure a candidate against a reference, interleaved; see `precision.benchmarks.speed.paired`."""
    return Paired(benchmark, tier)
