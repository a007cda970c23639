"""Self-calibration of a stage: ranks of view sets and noise gains.

Ranks: Qiao et al., Acta Optica Sinica 38(12) 1212001 (2018), table of ranks for n odd, the seven constraints counted; two further sets and
the noise gains: an independent dense least-squares computation with exact constraints.
"""

from collections.abc import Callable

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.self_calibration import KnownLength, evaluate
from precision.standards.self_calibration_views import (
    EIGHT_VIEWS,
    FOUR_VIEWS,
    THREE_VIEWS,
    View,
    coordinates,
    mark_at,
    rank,
)

V0, V90, V180, SX, SY, BACK = View(), View(turns=1), View(turns=2), View(shift=(1, 0)), View(shift=(0, 1)), View(shift=(-1, 0))

RANKS: dict[str, tuple[tuple[View, ...], Callable[[int], float]]] = {
    "0": ((V0,), lambda n: 2 * n * n + 7),
    "90": ((V90,), lambda n: 2 * n * n + 7),
    "180": ((V180,), lambda n: 2 * n * n + 7),
    "shift": ((SX,), lambda n: 2 * n * n - 2 * n + 7),
    "0+90": ((V0, V90), lambda n: 3.5 * n * n + 8.5),
    "0+180": ((V0, V180), lambda n: 3 * n * n + 9),
    "0+shift": ((V0, SX), lambda n: 4 * n * n - 2 * n + 7),
    "0+90+180": ((V0, V90, V180), lambda n: 3.5 * n * n + 11.5),
    "0+90+shift": (THREE_VIEWS, lambda n: 4 * n * n + 9),
    "0+180+shift": ((V0, V180, SX), lambda n: 4 * n * n - n + 10),
    "0+shift+x+shift-x": ((V0, SX, BACK), lambda n: 4 * n * n - 2 * n + 10),
    "0+shift x+shift y": ((V0, SX, SY), lambda n: 4 * n * n + 9 - 2),
    "0 + turned and shifted at once": ((V0, View(turns=1, shift=(1, 0))), lambda n: {3: 36, 5: 90, 7: 172}[n]),
}


@pytest.mark.parametrize("n", [3, 5, 7])
@pytest.mark.parametrize("name", RANKS)
def test_ranks_of_view_sets(name: str, n: int) -> None:
    views, formula = RANKS[name]
    found = rank(views, n)
    assert found.rank == formula(n)
    unseen = (
        4 * n if name == "shift" else 0
    )  # n places and n marks of a shifted view alone are not seen at all; the table counts them as unknowns
    assert found.unknowns == 4 * n * n + 3 * len(views) - unseen
    assert bool(found.reasons) == (found.open > 0)


GAINS = {
    5: ((0.8002, 0.9716), (0.6221, 0.8184), (0.3879, 0.4158)),
    7: ((0.8432, 1.0829), (0.6398, 0.8819), (0.3988, 0.4473)),
    9: ((0.8705, 1.1587), (0.6512, 0.9238), (0.4056, 0.4696)),
    11: ((0.8905, 1.2154), (0.6598, 0.9547), (0.4107, 0.4867)),
    21: ((0.9486, 1.3801), (0.6859, 1.0427), (0.4257, 0.5381)),
}


@pytest.mark.parametrize("n", GAINS)
@pytest.mark.parametrize(("row", "views"), [(0, THREE_VIEWS), (1, FOUR_VIEWS), (2, EIGHT_VIEWS)])
def test_noise_gains(n: int, row: int, views: tuple[View, ...]) -> None:
    result = evaluate(views, np.zeros((len(views), n, n, 2)), pitch_m=1e-3)
    # Half a unit of the last digit printed.
    assert result["gain_rms"] == pytest.approx(GAINS[n][row][0], abs=0.51e-4)
    assert result["gain_max"] == pytest.approx(GAINS[n][row][1], abs=0.51e-4)


def simulated(views: tuple[View, ...], stage: np.ndarray, plate: np.ndarray, placement: np.ndarray, *, pitch: float = 1e-3) -> np.ndarray:
    """Readings by the definition, one mark after the other."""
    n = stage.shape[0]
    readings = np.full((len(views), n, n, 2), np.nan)
    middle = (n - 1) / 2
    for v, view in enumerate(views):
        turn = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), view.turns)
        for row in range(n):
            for column in range(n):
                x, y = turn @ [column - middle, row - middle] + view.shift
                i, j = round(y + middle), round(x + middle)
                if 0 <= i < n and 0 <= j < n:
                    t = placement[v]
                    readings[v, i, j] = stage[i, j] + turn @ plate[row, column] + t[:2] + t[2] * pitch * np.array([-y, x])
    return readings


def in_gauge(stage: np.ndarray, plate: np.ndarray, pitch: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Maps with the sums, the rotation and (stage) the mean scale taken off; the plate grows by what the stage's scale loses."""
    n = stage.shape[0]
    place = coordinates(n)
    turned = np.stack([-place[:, 1], place[:, 0]], axis=1)
    squares = (place * place).sum()
    flat, marks = stage.reshape(-1, 2), plate.reshape(-1, 2)
    scale = (flat * place).sum() / squares
    flat = flat - flat.mean(axis=0) - turned * (flat * turned).sum() / squares - place * scale
    marks = marks + place * scale
    marks = marks - marks.mean(axis=0) - turned * (marks * turned).sum() / squares
    return flat.reshape(stage.shape), marks.reshape(plate.shape)


@pytest.mark.parametrize(("n", "views"), [(4, THREE_VIEWS), (7, THREE_VIEWS), (7, EIGHT_VIEWS), (30, FOUR_VIEWS)])
def test_errors_come_back_without_noise(n: int, views: tuple[View, ...]) -> None:
    random = np.random.default_rng(n)
    stage, plate = random.normal(0, 1e-7, (2, n, n, 2))
    placement = random.normal(0, 1e-6, (len(views), 3)) * [1, 1, 10]
    result = evaluate(views, simulated(views, stage, plate, placement), pitch_m=1e-3)
    expected_stage, expected_plate = in_gauge(stage, plate)
    # 1e-12 of the readings' size, some 1e-6 m.
    np.testing.assert_allclose(result.stage_m, expected_stage, rtol=0, atol=1e-18)
    np.testing.assert_allclose(result.plate_m, expected_plate, rtol=0, atol=1e-18)
    assert np.nanmax(np.abs(result.residual_m)) < 1e-18


def test_a_hundred_by_a_hundred_places() -> None:
    n = 100
    random = np.random.default_rng(1)
    stage, plate = random.normal(0, 1e-7, (2, n, n, 2))
    readings = np.full((3, n * n, 2), np.nan)
    for v, view in enumerate(THREE_VIEWS):
        mark = mark_at(view, n)
        there = mark >= 0
        readings[v, there] = stage.reshape(-1, 2)[there] + plate.reshape(-1, 2)[mark[there]] @ view.rotation.T
    result = evaluate(THREE_VIEWS, readings.reshape(3, n, n, 2), pitch_m=1e-3)
    np.testing.assert_allclose(result.stage_m, in_gauge(stage, plate)[0], rtol=0, atol=1e-19)
    assert result.sampled and "realisations" in (result.figures["gain_rms"].uncertainty_reason or "")


def test_moving_the_plate_in_any_view_changes_nothing() -> None:
    random = np.random.default_rng(3)
    stage, plate = random.normal(0, 1e-7, (2, 6, 6, 2))
    still = evaluate(FOUR_VIEWS, simulated(FOUR_VIEWS, stage, plate, np.zeros((4, 3))), pitch_m=1e-3)
    moved = evaluate(FOUR_VIEWS, simulated(FOUR_VIEWS, stage, plate, random.normal(0, 1e-5, (4, 3))), pitch_m=1e-3)
    np.testing.assert_allclose(moved.stage_m, still.stage_m, rtol=0, atol=1e-18)
    np.testing.assert_allclose(moved.plate_m, still.plate_m, rtol=0, atol=1e-18)


def test_orthogonality_and_scales_have_their_signs() -> None:
    n = 5
    place = coordinates(n).reshape(n, n, 2) * 1e-3
    x, y = place[..., 0], place[..., 1]
    # The y axis leans towards +x by 3 µrad, so the angle between the axes is 3 µrad less than 90°; x is 4 ppm too long.
    stage = np.stack([4e-6 * x + 3e-6 * y, 0 * y], axis=-1)
    result = evaluate(THREE_VIEWS, simulated(THREE_VIEWS, stage, np.zeros_like(stage), np.zeros((3, 3))), pitch_m=1e-3)
    assert result["stage_orthogonality"] == pytest.approx(3e-6, abs=1e-14)
    assert result["stage_scale_difference"] == pytest.approx(4e-6, abs=1e-14)
    assert result["stage_scale"] is None and "known length" in (result.figures["stage_scale"].reason or "")


def test_a_known_length_gives_the_scale() -> None:
    n = 5
    place = coordinates(n).reshape(n, n, 2) * 1e-3
    plate = 7e-6 * place
    readings = simulated(THREE_VIEWS, -2e-6 * place, plate, np.zeros((3, 3)))
    length = KnownLength(first=(0, 2), second=(4, 2), deviation_m=7e-6 * 4e-3, uncertainty_m=4e-12)
    result = evaluate(THREE_VIEWS, readings, pitch_m=1e-3, known_length=length)
    assert result["stage_scale"] == pytest.approx(-2e-6, abs=1e-14)
    np.testing.assert_allclose(result.plate_m, plate, rtol=0, atol=1e-18)
    # U of the length over the length: 4 pm over 4 mm. There is no noise.
    assert result.figures["stage_scale"].uncertainty == pytest.approx(1e-9, rel=1e-3)


def test_missing_marks_are_left_out_and_told() -> None:
    random = np.random.default_rng(5)
    stage, plate = random.normal(0, 1e-7, (2, 7, 7, 2))
    readings = simulated(FOUR_VIEWS, stage, plate, np.zeros((4, 3)))
    readings[0, 2, 3] = np.nan
    readings[1, 5, 1, 0] = np.nan
    readings[3, :, 6] = np.nan
    result = evaluate(FOUR_VIEWS, readings, pitch_m=1e-3)
    np.testing.assert_allclose(result.stage_m, in_gauge(stage, plate)[0], rtol=0, atol=1e-18)
    assert any(
        "8 of 182 marks were not read" in flag for flag in result.flags
    )  # the shifted view along y has 42 marks, and one of its column 6 is none


def test_a_place_that_no_view_sees_has_no_error() -> None:
    readings = np.zeros((4, 5, 5, 2))
    for v, view in enumerate(FOUR_VIEWS):
        readings[v].reshape(-1, 2)[mark_at(view, 5) < 0] = np.nan
    readings[:, 2, 2] = np.nan
    result = evaluate(FOUR_VIEWS, readings, pitch_m=1e-3)
    assert np.isnan(result.stage_m[2, 2]).all() and np.isfinite(np.delete(result.stage_m.reshape(25, 2), 12, axis=0)).all()


@pytest.mark.parametrize("n", [7, 20])
@pytest.mark.parametrize(
    ("views", "why"),
    [
        ((V0, V90), "only shifted against another"),
        ((V0, SX, SY), "turned by 90°"),
        ((V0,), "one view sees the sum"),
        ((V0, View(turns=1, shift=(1, 0))), "only shifted"),
    ],
)
def test_bad_sets_of_views_are_refused_with_the_reason(views: tuple[View, ...], why: str, n: int) -> None:
    with pytest.raises(DataError, match=why):
        evaluate(views, np.zeros((len(views), n, n, 2)), pitch_m=1e-3)


def test_shifts_by_two_pitches_leave_maps_of_that_period() -> None:
    with pytest.raises(DataError, match="multiples of 2 pitches"):
        evaluate((V0, V90, View(shift=(2, 0))), np.zeros((3, 20, 20, 2)), pitch_m=1e-3)


def test_half_of_the_marks_missing_is_refused() -> None:
    readings = np.zeros((3, 6, 6, 2))
    readings[:, :, 3:] = np.nan
    readings[1] = np.nan
    readings[1, 0, 0] = 0
    with pytest.raises(DataError, match="stay free"):
        evaluate(THREE_VIEWS, readings, pitch_m=1e-3)


def test_predicted_uncertainty_is_what_noise_does() -> None:
    n, noise = 5, 2e-9
    zero = np.zeros((n, n, 2))
    without = simulated(THREE_VIEWS, zero, zero, np.zeros((3, 3)))
    random = np.random.default_rng(6)
    results = [evaluate(THREE_VIEWS, without + random.normal(0, noise, without.shape), pitch_m=1e-3) for _ in range(300)]
    errors = np.array([result.stage_m for result in results])
    # The spread of 300 × 50 values of which some 40 a run are independent: 1/√(2·300·40) = 0.65 %; 3 of that.
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(0.8002 * noise, rel=0.02)
    covered = np.mean([np.abs(result.stage_m) <= result.stage_u_m for result in results])
    assert covered == pytest.approx(0.9545, abs=0.012)  # runs are independent: a run's mean varies by some 0.05, and 300 of them by 0.003
    orthogonality = [
        abs(result["stage_orthogonality"] or 0) <= (result.figures["stage_orthogonality"].uncertainty or 0) for result in results
    ]
    assert np.mean(orthogonality) == pytest.approx(0.9545, abs=0.036)  # 3·√(p(1 − p)/300)


def test_uncertainty_of_the_size_of_a_map() -> None:
    n, noise = 5, 1e-9
    random = np.random.default_rng(7)
    stage, plate = random.normal(0, 40e-9, (2, n, n, 2))
    true = evaluate(THREE_VIEWS, simulated(THREE_VIEWS, stage, plate, np.zeros((3, 3))), pitch_m=1e-3)
    keys = ("stage_rms", "stage_max", "stage_3s_x", "plate_rms", "plate_max", "plate_3s_y")
    hits = {key: 0 for key in keys}
    without = simulated(THREE_VIEWS, stage, plate, np.zeros((3, 3)))
    for _ in range(600):
        found = evaluate(THREE_VIEWS, without + random.normal(0, noise, without.shape), pitch_m=1e-3)
        for key in keys:
            hits[key] += abs((found[key] or 0) - (true[key] or 0)) <= (found.figures[key].uncertainty or 0)
    for key, count in hits.items():
        assert count / 600 == pytest.approx(0.9545, abs=0.026), key  # 3·√(p(1 − p)/600)


def test_a_map_in_positions_is_refused() -> None:
    readings = np.zeros((3, 5, 5, 2))
    readings[..., 0] = np.arange(5) * 0.02
    with pytest.raises(DataError, match="subtract the nominal places"):
        evaluate(THREE_VIEWS, readings, pitch_m=0.02)
