"""Philox4x32-10 against the known answers of its authors (Random123, kat_vectors), and the normal numbers made of it."""

from __future__ import annotations

import array_api_compat.numpy as xp
import numpy as np
import pytest
from scipy import stats

from precision.kernels.philox import philox4x32, standard_normal

KNOWN = [  # counter, key, answer
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]) -> None:
    words = philox4x32(tuple(np.array([word], dtype=np.uint64) for word in counter), key, xp=xp)  # type: ignore[arg-type]
    assert tuple(int(word[0]) for word in words) == answer


def test_the_numbers_are_standard_normal_and_independent() -> None:
    z = standard_normal(7, np.arange(20_000, dtype=np.uint64), 10, xp=xp)
    # a right generator fails one in 1e4 times by chance; this seed was not chosen after the fact, and it is fixed
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    correlation = np.corrcoef(z)
    assert np.abs(correlation[~np.eye(10, dtype=bool)]).max() < 5 / np.sqrt(20_000)


def test_a_trial_does_not_depend_on_which_others_are_drawn() -> None:
    alone = standard_normal(3, np.array([2**33 + 5], dtype=np.uint64), 7, xp=xp)
    among = standard_normal(3, np.arange(2**33, 2**33 + 9, dtype=np.uint64), 9, xp=xp)
    np.testing.assert_array_equal(alone[:, 0], among[:7, 5])
