"""Allan deviations of 1e7 phases at all octaves: against allantools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from precision.benchmarks.speed.paired import Paired, peer
from precision.kernels import allan_deviation

GOALS = {"oadev": {"numpy": 6.0, "fast": 20.0}, "mdev": {"numpy": 3.0, "fast": 25.0}}
# threads of the plain tier, which wait for the interpreter, take a third more processor time than one
BOUNDS = {"oadev": {"numpy": 3.4, "fast": 12.0}, "mdev": {"numpy": 4.0, "fast": 14.0}}


@pytest.mark.parametrize("kind", GOALS)
def test_octaves_of_a_long_record_against_allantools(paired: Paired, kind: Any) -> None:
    allantools = peer("allantools")
    phase = np.random.default_rng(0).normal(size=10_000_000)

    def same(ours: Any, theirs: Any) -> None:
        np.testing.assert_allclose(ours.deviation[: theirs[1].size], theirs[1][: ours.deviation.size], rtol=1e-8)

    paired(
        lambda: allan_deviation(phase, interval_s=1.0, data_type="phase", kind=kind),
        lambda: getattr(allantools, kind)(phase, data_type="phase", taus="octave"),
        kernel=kind.upper(), size="1e7, octave", peer="allantools", floor_bytes=phase.nbytes,
        goal=GOALS[kind], at_least=BOUNDS[kind], agree=same, rounds=5,
    )  # fmt: skip
