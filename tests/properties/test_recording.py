"""What holds for every recording, however its rows arrive."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import DataError
from precision.recording import Positioning

GOOD: dict[str, Any] = {"axis": "X", "target": [0.0, 0.1], "run": [1, 1], "direction": [0, 1], "actual": [0.0, 0.1]}

Row = tuple[float, int, int, float]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Distinct (target, run, direction), each with a reading."""
    positions = st.floats(-10, 10, allow_subnormal=False)
    places = draw(st.lists(st.tuples(positions, st.integers(-3, 9), st.integers(0, 1)), min_size=1, max_size=25, unique=True))
    return [(*place, draw(positions)) for place in places]


def recorded(table: list[Row], **more: Any) -> Positioning:
    target, run, direction, actual = zip(*table, strict=True)
    return Positioning.from_rows(axis="X", target=target, run=run, direction=direction, actual=actual, **more)


@given(rows())
def test_every_row_is_in_its_place_and_nothing_else_is(table: list[Row]) -> None:
    recording = recorded(table)
    targets, runs = sorted({row[0] for row in table}), sorted({row[1] for row in table})
    assert recording.target.tolist() == targets
    assert recording.actual.shape == (2, len(targets), len(runs))
    assert recording.valid.sum() == len(table)
    for target, run, direction, actual in table:
        place = (direction, targets.index(target), runs.index(run))
        assert recording.valid[place] and recording.actual[place] == actual
        assert recording.deviation[place] == actual - target
    assert np.isnan(recording.actual[~recording.valid]).all() and np.isnan(recording.deviation[~recording.valid]).all()


@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_repeated_rows_change_nothing(table: list[Row], random: Any) -> None:
    again = [*table, *random.sample(table, len(table) // 2)]
    random.shuffle(again)
    before, after = recorded(table), recorded(again)
    np.testing.assert_array_equal(after.target, before.target)
    np.testing.assert_array_equal(after.actual, before.actual)


@given(rows(), st.data())
def test_a_contradiction_is_refused_with_its_row(table: list[Row], data: st.DataObject) -> None:
    target, run, direction, actual = data.draw(st.sampled_from(table))
    with pytest.raises(DataError, match=f"row {len(table) + 1}: .*already given"):
        recorded([*table, (target, run, direction, actual + 1.0)])


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=20, unique=True), st.data())
def test_targets_within_the_tolerance_are_one(places: list[int], data: st.DataObject) -> None:
    """A grid of 1 mm, each target written a little differently in each direction."""
    table = [(place * 1e-3 + data.draw(st.floats(0, 0.9e-6)), 1, direction, place * 1e-3) for place in places for direction in (0, 1)]
    recording = recorded(table, tolerance=1e-6)
    assert recording.target.size == len(places) and recording.valid.all()
    np.testing.assert_allclose(recording.target, np.sort(places) * 1e-3, rtol=0, atol=1e-6)


def test_a_chain_of_close_targets_is_not_swallowed_into_one() -> None:
    with pytest.raises(DataError, match=r"row 3: target .* further away"):
        recorded([(0.0, 1, 0, 0.0), (0.9e-6, 2, 0, 0.0), (1.8e-6, 3, 0, 0.0)], tolerance=1e-6)


@pytest.mark.parametrize(
    ("kind", "first", "second", "said"),
    [
        ("linear", 0.100001, 0.1000012, "target 100.0000 mm in run 1, direction ↑, was already given with another reading (100.0010 mm, now 100.0012 mm)"),
        ("linear", 0.1, 0.1 + 1e-11, "(100.000000000 mm, now 100.000000010 mm)"),
        ("linear", 0.1, np.nextafter(0.1, 1), "(0.1 m, now 0.10000000000000002 m)"),
        ("rotary", math.pi / 2, math.pi / 3, "(90.00000 deg, now 60.00000 deg)"),
    ],
)
def test_a_contradiction_is_told_with_units_and_plain_numbers(kind: Any, first: float, second: float, said: str) -> None:
    with pytest.raises(DataError) as refused:
        recorded([(0.1, 1, 0, first), (0.1, 1, 0, second)], kind=kind)
    assert said in str(refused.value) and "np." not in str(refused.value)


def test_close_targets_are_told_with_units_and_plain_numbers() -> None:
    with pytest.raises(DataError) as refused:
        recorded([(0.1, 1, 0, 0.0), (0.1000009, 2, 0, 0.0), (0.1000018, 3, 0, 0.0)], tolerance=1e-6)
    assert "row 3: target 100.0018 mm belongs to 100.0000 mm by steps within the tolerance of 1.000 µm" in str(refused.value)
    with pytest.raises(DataError, match=r"first 1\.5;"):
        Positioning.from_rows(**(GOOD | {"run": np.array([1.5, 2.0])}))


@given(st.floats(-1e3, 1e3), st.floats(-10, 10))
def test_a_rotary_deviation_is_the_same_angle_within_half_a_turn(actual: float, target: float) -> None:
    deviation = float(recorded([(target, 1, 0, actual)], kind="rotary").deviation[0, 0, 0])
    # Positions up to 1e3 rad and their difference are rounded by up to 1.1e-13 rad.
    assert -math.pi - 1e-12 < deviation <= math.pi + 1e-12
    assert math.remainder(deviation - (actual - target), 2 * math.pi) == pytest.approx(0, abs=5e-13)
    if abs(actual - target) < math.pi:
        assert deviation == actual - target


def test_half_a_turn_is_positive() -> None:
    recording = recorded([(0.0, 1, 0, math.pi), (0.0, 1, 1, -math.pi)], kind="rotary")
    assert recording.deviation[:, 0, 0].tolist() == [math.pi, math.pi]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actual": [0.0, math.nan]}, "row 2: actual position is nan"),
        ({"target": [math.inf, 0.1]}, "row 1: target is inf"),
        ({"direction": [0, 2]}, "row 2: direction is 2"),
        ({"direction": ["+", "-"]}, "row 1: direction is [+]"),
        ({"direction": [0.0, math.nan]}, "row 2: direction is nan"),
        ({"run": [1.0, 2.0]}, "run has values of type float64"),
        ({"run": ["1", "2"]}, "expected integers"),
        ({"run": [1]}, r"the same number .* found \(2,\), \(1,\)"),
        ({name: [] for name in ("target", "run", "direction", "actual")}, "at least one"),
        ({"tolerance": math.nan}, "tolerance is nan"),
        ({"tolerance": -1e-6}, "tolerance is -1e-06"),
        ({"kind": "Linear"}, "kind is 'Linear'"),
        ({"cycle": "pilgrim"}, "cycle 'pilgrim'"),
        ({"actual": [0.0, 1e200]}, "no position in m"),
    ],
)
def test_rows_that_are_not_a_recording_are_refused_with_what_was_seen(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Positioning.from_rows(**(GOOD | change))


def test_a_recording_is_a_frozen_copy() -> None:
    actual = np.zeros((2, 1, 3))
    recording = Positioning(axis="X", target=np.zeros(1), actual=actual, valid=np.ones_like(actual, dtype=bool))
    actual[:] = 1.0
    assert not recording.actual.any()
    for array in (recording.target, recording.actual, recording.valid):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
