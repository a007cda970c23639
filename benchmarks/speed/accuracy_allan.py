"""Accuracy of MDEV where the phase has an offset, as every clock that was not set has."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from precision.kernels import allan_deviation

from .accuracy import Accuracy
from .tiers import each_tier, installed

SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def exact_mdev(phase: Any) -> Any:
    """From prefix sums in integers: every float64 is a whole number of 2⁻⁸⁰ s here."""
    unit = 2**80
    x = [int(Fraction(float(v)) * unit) for v in phase]
    sums = [0]
    for value in x:
        sums.append(sums[-1] + value)
    found = []
    for m in SAMPLES:
        terms = range(len(x) - 3 * m + 1)
        total = sum((sums[j + 3 * m] - 3 * sums[j + 2 * m] + 3 * sums[j + m] - sums[j]) ** 2 for j in terms)
        found.append(float(Fraction(total, len(terms) * 2 * m**4 * unit**2)) ** 0.5)
    return np.array(found)


def rows() -> Iterator[Accuracy]:
    """Of the modified deviation, with phases offset by up to 1e3 s and on a slope."""
    n = 20_000
    noise = 1e-9 * np.random.default_rng(12).normal(size=n)
    for case, phase, limit in (
        ("1 ns white phase noise, no offset", noise, 1e-12),
        ("1 ns white phase noise, offset 1 s", noise + 1.0, 1e-12),
        ("1 ns white phase noise, offset 1e3 s", noise + 1e3, 1e-12),
        ("1 ns white phase noise, offset 1e3 s, slope 1e-3", noise + 1e3 + 1e-3 * np.arange(n), 1e-7),
    ):
        true = exact_mdev(phase)

        def error(deviation: Any, true: Any = true) -> float:
            return float(np.max(np.abs(np.asarray(deviation) / true - 1)))

        peers = {}
        if (allantools := installed("allantools")) is not None:
            peers["allantools"] = error(allantools.mdev(phase, data_type="phase", taus=list(SAMPLES))[1])
        yield Accuracy(
            kernel="MDEV",
            case=f"{case}; m = 1 … 1024, n = 2e4",
            reference="exact integers of the same float64 phases",
            measure="largest relative error",
            ours={
                tier: error(found.deviation)
                for tier, found in each_tier(
                    partial(allan_deviation, phase, interval_s=1.0, data_type="phase", kind="mdev", averages=SAMPLES)
                )
            },
            peers=peers,
            limit=limit,
        )
