"""The adoptions of ISO 230-2 give the hand-checkable figures of the edition they took over (machine_tools.md §1.5, §1.6 a)."""

import numpy as np
import pytest

from precision.recording import Positioning
from precision.standards import iso230_2
from precision.standards.positioning_standards import ORIGINALS, STANDARDS, adoptions

UP = [[0, 1, 2, 1, 1], [3, 3, 4, 2, 3], [5, 6, 4, 5, 5]]
DOWN = [[-2, -1, -3, -2, -2], [1, 0, 2, 1, 1], [3, 4, 2, 3, 3]]
TARGET_M = np.array([0.0, 0.1, 0.2])


def hand_vector() -> Positioning:
    rows = [
        (direction, i, run, 1e-6 * value)
        for direction, table in enumerate((UP, DOWN))
        for i, runs in enumerate(table)
        for run, value in enumerate(runs)
    ]
    direction, i, run, deviation = (np.array(column) for column in zip(*rows, strict=True))
    return Positioning.from_rows(axis="X", target=TARGET_M[i], run=run, direction=direction, actual=TARGET_M[i] + deviation)


@pytest.mark.parametrize(
    ("name", "a_um"),
    [
        ("gbt17421.2:2016", 9.8284), ("gbt17421.2:2000", 9.8284), ("jisb6190-2:2016", 9.8284), ("jisb6190-2:2008", 9.8284),
        ("gost-iso230-2:2016", 9.8284), ("asme-b5.54:2005", 9.8284), ("gb10931:1989", 11.2426), ("gost27843:1988", 11.2426),
    ],
)  # fmt: skip
def test_an_adoption_has_the_accuracy_of_its_edition(name: str, a_um: float) -> None:
    edition = STANDARDS[name].edition
    assert edition is not None
    result = iso230_2.evaluate(hand_vector(), edition=edition)
    assert result.A is not None
    assert abs(result.A * 1e6 - a_um) < 5e-5  # printed to 1e-4 µm


def test_every_adoption_is_named_beside_the_original_whose_figures_it_has() -> None:
    named = [title for name in ORIGINALS for title in adoptions(name)]
    assert sorted(named) == sorted(standard.title for standard in STANDARDS.values() if standard.adopts)


def test_an_adoption_says_that_it_is_from_memory() -> None:
    assert all("from memory" in standard.remark for standard in STANDARDS.values() if standard.adopts)
