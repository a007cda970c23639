"""Symmetric set-points against the printed times (stages_and_control.md §5.6) and their bounds."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.trajectory import Limits, SetPoint, plan

FOURTH = [
    ((1, 0.5, 0.75, 2, 20), (0.1, 0.275, 0.191666667, 0.858333333), 3.141666667),
    ((0.06, 0.6, 30, 5000, 1e6), (0.005, 0.001, 0.009, 0.069), 0.131),
    ((0.001, 0.25, 10, 800, 64000), (0.006647870, 0, 0, 0), 0.053182959),
]
THIRD = [
    ((1, 0.5, 0.75, 2), (0.375, 0.291666667, 0.958333333), 3.041666667),
    ((0.1, 0.5, 5, 100), (0.05, 0.05, 0.05), 0.35),
    ((0.001, 0.5, 5, 100), (0.017099759, 0, 0), 0.068399038),
]


def limits_of(given: tuple[float, ...]) -> Limits:
    return Limits(velocity=given[1], acceleration=given[2], jerk=given[3], snap=given[4] if len(given) == 5 else None)


def kept(move: SetPoint, limits: Limits) -> bool:
    """Bounds hold up to the rounding of a dozen multiplications and a root solved to 1e-15."""
    pairs = [(move.peak.velocity, limits.velocity), (move.peak.acceleration, limits.acceleration), (move.peak.jerk, limits.jerk)]
    if move.peak.snap is not None and limits.snap is not None:
        pairs.append((move.peak.snap, limits.snap))
    return all(reached <= bound * (1 + 1e-12) for reached, bound in pairs)


@pytest.mark.parametrize(("given", "times", "total"), FOURTH + THIRD)
def test_times_are_the_printed_ones(given: tuple[float, ...], times: tuple[float, ...], total: float) -> None:
    move = plan(given[0], limits_of(given))
    assert move.times_s == pytest.approx(times, abs=6e-10)  # printed to 9 decimals
    assert move.duration_s == pytest.approx(total, abs=6e-10)
    assert kept(move, limits_of(given))


def test_peaks_of_a_short_move_are_the_printed_ones() -> None:
    peak = plan(0.001, limits_of(FOURTH[2][0])).peak
    assert peak.velocity == pytest.approx(0.037606, abs=5e-7)
    assert peak.acceleration == pytest.approx(2.82843, abs=5e-6)
    assert peak.jerk == pytest.approx(425.464, abs=5e-4)


@pytest.mark.parametrize("given", [row[0] for row in FOURTH])
def test_the_distance_is_the_published_polynomial_of_the_times(given: tuple[float, ...]) -> None:
    move = plan(given[0], limits_of(given))
    t1, t2, t3, t4 = move.times_s
    c1, c2 = t1**2 + t1 * t2, 6 * t1**3 + 9 * t1**2 * t2 + 3 * t1 * t2**2
    c3 = 8 * t1**4 + 16 * t1**3 * t2 + 10 * t1**2 * t2**2 + 2 * t1 * t2**3
    speed = 2 * t1**3 + 3 * t1**2 * t2 + t1 * t2**2 + t1**2 * t3 + t1 * t2 * t3
    assert move.highest * (c1 * t3**2 + c2 * t3 + c3 + t4 * speed) == pytest.approx(given[0], rel=1e-12)


@pytest.mark.parametrize("given", [row[0] for row in FOURTH + THIRD])
def test_integrating_the_highest_derivative_gives_every_lower_one(given: tuple[float, ...]) -> None:
    """Between switching instants everything is a polynomial, so Taylor steps between dense instants are exact; no use is made of the symmetry."""
    move = plan(given[0], limits_of(given))
    boxes = [move.times_s[0]]
    for t in move.times_s[1:]:
        boxes.append(t + sum(boxes))
    edges = np.array([0.0])
    for box in boxes:  # switching instants of a pulse train convolved with boxes
        edges = np.unique(np.concatenate([edges, edges + box]))
    dense = np.unique(np.concatenate([edges, np.linspace(0, move.duration_s, 301)]))
    found = move.at(dense)
    rows = [found.position, found.velocity, found.acceleration, found.jerk] + ([] if found.snap is None else [found.snap])
    middle = move.at((dense[:-1] + dense[1:]) / 2)
    top = middle.jerk if middle.snap is None else middle.snap
    step = np.diff(dense)
    state = np.zeros(len(rows) - 1)
    for k, h in enumerate(step):
        full = np.append(state, top[k])
        state = np.array([sum(full[i + q] * h**q / math.factorial(q) for q in range(full.size - i)) for i in range(state.size)])
        for i, scale in enumerate([given[0], move.peak.velocity, move.peak.acceleration, move.peak.jerk][: state.size]):
            assert state[i] == pytest.approx(rows[i][k + 1], abs=1e-11 * scale)  # 300 sums of float64
    assert state[0] == pytest.approx(given[0], abs=1e-12)
    assert float(np.abs(found.velocity).max()) <= given[1] * (1 + 1e-12)
    assert float(np.abs(found.acceleration).max()) <= given[2] * (1 + 1e-12)
    assert float(np.abs(found.jerk).max()) <= given[3] * (1 + 1e-12)


@pytest.mark.parametrize("given", [row[0] for row in FOURTH + THIRD])
@pytest.mark.parametrize("sampling_s", [1e-4, 1 / 3000, 0.0013])
def test_on_samples_bounds_are_kept_and_the_highest_derivative_is_lowered(given: tuple[float, ...], sampling_s: float) -> None:
    free, move = plan(given[0], limits_of(given)), plan(given[0], limits_of(given), sampling_s=sampling_s)
    counts = np.array(move.times_s) / sampling_s
    assert counts == pytest.approx(np.rint(counts), abs=1e-6)
    assert kept(move, limits_of(given))
    assert move.highest <= free.highest * (1 + 1e-12)
    assert free.duration_s - 1e-12 <= move.duration_s <= free.duration_s + 2 ** (move.order) * sampling_s
    found = move.sampled()
    assert found.time_s.size == round(move.duration_s / sampling_s) + 1
    assert found.position[-1] == given[0]
    assert found.velocity[-1] == 0
    anywhere = move.at(found.time_s)
    assert found.position == pytest.approx(anywhere.position, abs=1e-12)
    # The highest derivative is constant between samples, so its sum over samples ends where it began.
    top = found.jerk if found.snap is None else found.snap
    assert abs(top.sum()) <= 1e-9 * move.highest
    lower = found.acceleration if found.snap is None else found.jerk
    assert np.diff(lower) == pytest.approx(top[:-1] * sampling_s, abs=1e-9 * move.highest * sampling_s + 1e-15)


def test_times_that_are_whole_samples_already_stay() -> None:
    given = FOURTH[1][0]
    move = plan(given[0], limits_of(given), sampling_s=1e-3)
    assert [round(t * 1e3) for t in move.times_s] == [5, 1, 9, 69]
    assert move.highest == pytest.approx(1e6, rel=1e-9)


def test_a_move_backward_is_the_move_forward_with_the_other_sign() -> None:
    limits = limits_of(FOURTH[0][0])
    there, back = plan(1.0, limits), plan(-1.0, limits)
    instants = np.linspace(-0.1, 3.3, 57)
    assert back.at(instants).position == pytest.approx(-there.at(instants).position)
    assert back.at(instants).jerk == pytest.approx(-there.at(instants).jerk)


def test_before_and_after_it_stands() -> None:
    found = plan(0.1, limits_of(THIRD[1][0])).at([-1.0, 0.0, 0.35, 2.0])
    assert found.position.tolist() == [0.0, 0.0, 0.1, 0.1]
    assert found.velocity[[0, 1, 3]].tolist() == [0.0] * 3
    assert abs(found.velocity[2]) < 1e-15  # the duration, a sum of times, may end a unit in the last place after 0.35
    assert found.jerk.tolist()[0] == 0.0 and found.jerk.tolist()[3] == 0.0


@pytest.mark.parametrize(
    ("distance", "limits", "words"),
    [
        (0.0, Limits(velocity=1, acceleration=1, jerk=1), "distance"),
        (float("nan"), Limits(velocity=1, acceleration=1, jerk=1), "distance"),
        (1.0, Limits(velocity=0, acceleration=1, jerk=1), "velocity"),
        (1.0, Limits(velocity=1, acceleration=1, jerk=1, snap=float("inf")), "snap"),
    ],
)
def test_bad_bounds_are_named(distance: float, limits: Limits, words: str) -> None:
    with pytest.raises(DataError, match=words):
        plan(distance, limits)


def test_samples_need_a_sampling_interval() -> None:
    with pytest.raises(DataError, match="sampling_s"):
        plan(1.0, limits_of(THIRD[0][0]), sampling_s=-1.0)
    with pytest.raises(DataError, match="sampling interval"):
        plan(1.0, limits_of(THIRD[0][0])).sampled()
