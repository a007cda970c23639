"""Welch spectra of 3e7 samples: against SciPy. The extra `fast` has no part in it: both tiers run the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal

from precision.benchmarks.speed.paired import Paired
from precision.kernels import power_spectrum


@pytest.mark.parametrize(("segment", "goal"), [(1024, 4.0), (16_384, 2.0), (2**20, 1.5)])
def test_welch_against_scipy(paired: Paired, segment: int, goal: float) -> None:
    x = np.random.default_rng(0).normal(size=30_000_000)

    def same(ours: Any, theirs: Any) -> None:
        # the line at 0 is what the detrending leaves, rounding
        np.testing.assert_allclose(ours.density[1:], theirs[1][1:], rtol=1e-9, atol=1e-12)

    pair = paired(
        lambda: power_spectrum(x, rate_hz=1.0, segment=segment),
        lambda: scipy.signal.welch(x, nperseg=segment),
        kernel="Welch", size=f"3e7, segments of {segment}", peer="scipy signal.welch", floor_bytes=x.nbytes,
        goal={"numpy": goal, "fast": goal}, at_least={"numpy": 0.7 * goal, "fast": 0.7 * goal}, agree=same, rounds=3,
    )  # fmt: skip
    # beyond the input, as asked; the reading moves in steps of the allocator, so a tenth is left to it
    assert pair.candidate_peak_bytes is None or pair.candidate_peak_bytes <= 1.1 * 50e6
