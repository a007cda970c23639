"""Accuracy of the unwrapped phase over most of a metre of fringes, against numpy.unwrap."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from precision.kernels import unwrapped_phase

from .accuracy import Accuracy
from .tiers import each_tier

PERIOD_M = 632.8e-9 / 2
"""Of an interferometer with one pass to a retro-reflector, at 632.8 nm."""


def rows() -> Iterator[Accuracy]:
    """Of the phase over 0.86 m of fringes."""
    mpmath = import_module("mpmath")

    # Samples a whole number of 271sts of a turn apart: phases repeat after 271 of them, and only these signals have to be found
    # in high precision.
    n, round_ = 10_000_000, 271
    advance = round(0.86 / PERIOD_M / n * round_)
    with mpmath.workdps(50):
        turn = [mpmath.mpf(advance * k % round_) / round_ for k in range(round_)]
        cosine = np.array([float(mpmath.cos(2 * mpmath.pi * t)) for t in turn])
        sine = np.array([float(mpmath.sin(2 * mpmath.pi * t)) for t in turn])
    k = np.arange(n)
    s, c = cosine[k % round_], sine[k % round_]
    # turns are k·advance/271: whole part and remainder in integers, then one rounding to long double
    whole, part = np.divmod(k * advance, round_)
    true_m = (whole.astype(np.longdouble) + part.astype(np.longdouble) / round_) * np.longdouble(PERIOD_M)

    pi = np.longdouble("3.14159265358979323846264338327950288")

    def error(phase: Any) -> float:
        position = phase.astype(np.longdouble) / (2 * pi) * np.longdouble(PERIOD_M)
        return float(np.max(np.abs((position - position[0]) - (true_m - true_m[0]))))

    yield Accuracy(
        kernel="quadrature unwrap",
        case=f"1e7 samples over {float(true_m[-1]):.2f} m at 632.8 nm/2",
        reference="integers (turns) and mpmath (signals), 50 digits",
        measure="largest error of position, m",
        ours={tier: error(phase) for tier, (phase, _) in each_tier(lambda: unwrapped_phase(s, c))},
        peers={"numpy.unwrap": error(np.unwrap(np.arctan2(c, s)))},
        limit=1e-15,
    )
