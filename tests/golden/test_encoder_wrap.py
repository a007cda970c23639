"""Counters that wrap."""

from __future__ import annotations

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.encoder import unwrapped


@pytest.mark.parametrize("sense", [1, -1])
def test_a_long_motion_comes_back_whole(sense: int) -> None:
    true = sense * np.linspace(0.3, 25.7, 400)
    found = unwrapped(np.mod(true, 2.0), wrap=2.0)
    assert found - found[0] == pytest.approx(true - true[0], abs=1e-12)


def test_missing_samples_stay_missing_and_break_nothing() -> None:
    true = np.linspace(0, 3, 31)
    seen = np.mod(true, 1.0)
    seen[7] = np.nan
    found = unwrapped(seen, wrap=1.0)
    assert np.isnan(found[7])
    assert np.delete(found, 7) == pytest.approx(np.delete(true, 7))


def test_a_step_of_half_a_wrap_is_refused_naming_the_sample() -> None:
    with pytest.raises(DataError, match=r"sample 3 lies 0\.50 of a wrap"):
        unwrapped([0.0, 0.1, 0.6], wrap=1.0)
