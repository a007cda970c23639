"""A positioning test small enough to check by hand: three targets, five runs, every s = √0.5 µm.

Computed by hand from the formulas of ISO 230-2 and VDI/DGQ 3441 (from memory of the standards).
"""

import math

import numpy as np
import pytest

from precision.recording import Positioning
from precision.standards import iso230_2, vdi3441

UP_UM = [[0, 1, 2, 1, 1], [3, 3, 4, 2, 3], [5, 6, 4, 5, 5]]
DOWN_UM = [[-2, -1, -3, -2, -2], [1, 0, 2, 1, 1], [3, 4, 2, 3, 3]]
S = math.sqrt(0.5)
# Targets up to 0.2 m carry a rounding of 3e-17 m; sums and roots of a few of them stay far below 1e-15 m = 1e-9 µm.
UM = {"rel": 0, "abs": 1e-9}


@pytest.fixture
def recording() -> Positioning:
    target = np.array([0.0, 0.1, 0.2])
    deviation = np.array([UP_UM, DOWN_UM]) * 1e-6
    return Positioning(axis="X", target=target, actual=target[None, :, None] + deviation, valid=np.ones((2, 3, 5), dtype=bool))


def um(values: object) -> object:
    return pytest.approx(np.asarray(values, dtype=float), **UM)


def test_figures_at_each_target(recording: Positioning) -> None:
    result = iso230_2.evaluate(recording)
    assert result.mean * 1e6 == um([[1, 3, 5], [-2, 1, 3]])
    assert result.mean_bidirectional * 1e6 == um([-0.5, 2, 4])
    assert result.reversal * 1e6 == um([3, 2, 2])
    assert result.estimator * 1e6 == um(np.full((2, 3), S))
    assert result.repeatability * 1e6 == um(np.full((2, 3), 4 * S))
    assert result.repeatability_bidirectional * 1e6 == um([4 * S + 3, 4 * S + 2, 4 * S + 2])
    assert result.count.tolist() == [[5, 5, 5], [5, 5, 5]]


@pytest.mark.parametrize("edition", ["2014", "2006", "1997"])
def test_figures_of_the_axis_since_1997(recording: Positioning, edition: iso230_2.Edition) -> None:
    result = iso230_2.evaluate(recording, edition=edition)
    expected = {
        "A": 9.8284, "A_up": 6.8284, "A_down": 7.8284, "E": 7, "E_up": 4, "E_down": 5, "M": 4.5,
        "R": 5.8284, "R_up": 2.8284, "R_down": 2.8284, "B": 3, "B_mean": 2.3333,
    }  # fmt: skip
    assert result.coverage_factor == 2
    # Printed to four decimals: half a unit of the last.
    assert {key: figure.value * 1e6 for key, figure in result.figures.items()} == pytest.approx(expected, rel=0, abs=0.5e-4)  # type: ignore[operator]
    for key, value in expected.items():
        assert getattr(result, key) * 1e6 == pytest.approx(value, abs=0.5e-4)


def test_figures_of_the_axis_in_1988_have_three_s(recording: Positioning) -> None:
    result = iso230_2.evaluate(recording, edition="1988")
    expected = {"A": 11.2426, "A_up": 8.2426, "A_down": 9.2426, "E": 7, "M": 4.5, "R": 7.2426, "R_up": 6 * S, "R_down": 6 * S, "B": 3}
    assert result.coverage_factor == 3
    assert {key: getattr(result, key) * 1e6 for key in expected} == pytest.approx(expected, rel=0, abs=0.5e-4)


def test_editions_have_their_own_words(recording: Positioning) -> None:
    assert iso230_2.evaluate(recording, edition="2014").figures["B"].name == "reversal error of an axis"
    assert iso230_2.evaluate(recording, edition="2006").figures["B"].name == "reversal value of an axis"


def test_vdi_figures(recording: Positioning) -> None:
    result = vdi3441.evaluate(recording)
    assert result.reversal_span * 1e6 == um([3, 2, 2])
    assert result.positional_scatter * 1e6 == um(np.full(3, 6 * S))
    expected = {"P": 11.2426, "P_a": 4.5, "P_s_max": 4.2426, "P_s_mean": 4.2426, "U_max": 3, "U_mean": 2.3333}
    assert {key: getattr(result, key) * 1e6 for key in expected} == pytest.approx(expected, rel=0, abs=0.5e-4)
    # Equal s everywhere make P the accuracy of 1988.
    assert result.P == pytest.approx(iso230_2.evaluate(recording, edition="1988").A, rel=1e-12)


def test_vdi_scatter_from_the_range(recording: Positioning) -> None:
    # Every range is 2 µm: s = 2/2.326 µm.
    assert vdi3441.evaluate(recording, scatter="range").P_s_max == pytest.approx(6 * 2e-6 / 2.326, rel=1e-9)
    with pytest.raises(ValueError, match="scatter is"):
        vdi3441.evaluate(recording, scatter="mean range")  # type: ignore[arg-type]


def test_the_result_prints_itself_with_units_and_says_why_u_is_missing(recording: Positioning) -> None:
    text = str(iso230_2.evaluate(recording))
    assert "A       9.828 µm" in text
    assert "B̄       2.333 µm" in text
    assert "U not stated: no uncertainty budget was given" in text
    assert "not conforming: 3 targets over 200 mm; at least 5" in text
