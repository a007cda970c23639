"""Positioning figures: every library and tier gives the same numbers, drawn trials included."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as plain
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import philox, positioning
from precision.kernels.positioning import FIGURES, drawn_positioning_figures, positioning_figures


def by_definition(x: np.ndarray) -> dict[str, float]:
    """One trial (2, m, n), formula by formula."""
    mean, s = x.mean(axis=-1), x.std(axis=-1, ddof=1)
    b, high, low = mean[0] - mean[1], mean + 2 * s, mean - 2 * s
    r = np.maximum.reduce([2 * s[0] + 2 * s[1] + np.abs(b), 4 * s[0], 4 * s[1]])
    return {
        "A": high.max() - low.min(), "A_up": high[0].max() - low[0].min(), "A_down": high[1].max() - low[1].min(),
        "E": np.ptp(mean), "E_up": np.ptp(mean[0]), "E_down": np.ptp(mean[1]), "M": np.ptp(mean.mean(axis=0)),
        "R": r.max(), "R_up": 4 * s[0].max(), "R_down": 4 * s[1].max(), "B": np.abs(b).max(), "B_mean": b.mean(),
    }  # fmt: skip


def deviations(*shape: int, seed: int = 1) -> np.ndarray:
    """Some micrometres."""
    return np.random.default_rng(seed).normal(3e-6, 1e-6, shape)


def agree(found: Any, trials: np.ndarray, xp: Any = None) -> None:
    values = [np.asarray(part) if xp is None else xp.numbers(part) for part in found]
    for k, trial in np.ndenumerate(np.empty(trials.shape[:-3])):
        del trial
        for name, value in zip(FIGURES, values, strict=True):
            # means of a few numbers below 1e-5, rounded to 8.5e-22 each; a standard deviation adds a root: a few tens of these
            assert value[k] == pytest.approx(by_definition(trials[k])[name], rel=1e-12, abs=4e-20), name


@pytest.mark.parametrize("shape", [(1, 2, 11, 5), (70, 2, 3, 2), (2, 3, 2, 1, 7), (200, 2, 11, 5), (2, 12, 5), (40, 2, 2, 9)])
def test_every_library_gives_the_definition(xp: Any, shape: tuple[int, ...]) -> None:
    trials = deviations(*shape)
    found = positioning_figures(xp.asarray(trials))
    assert all(part.shape == shape[:-3] for part in found)
    agree(found, trials, xp)


def test_a_parallel_batch_is_its_trials(xp: Any) -> None:
    trials = deviations(1003, 2, 6, 5)  # 60180 readings: threads are at work
    found = positioning_figures(xp.asarray(trials))
    for k in (0, 31, 32, 500, 1002):
        agree([part[k : k + 1] for part in found], trials[k : k + 1], xp)


def test_no_trials_give_no_figures(xp: Any) -> None:
    assert all(part.shape == (0,) for part in positioning_figures(xp.asarray(np.zeros((0, 2, 3, 5)))))


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_deviation_that_is_not_finite_spoils_all_figures_of_its_trial_only(xp: Any, poison: float) -> None:
    trials = deviations(40, 2, 3, 5)
    trials[17, 1, 2, 0] = poison
    values = np.stack([xp.numbers(part) for part in positioning_figures(xp.asarray(trials))])
    assert np.isnan(values[:, 17]).all()
    assert np.isfinite(np.delete(values, 17, axis=1)).all()


def test_strided_and_single_precision_data_are_taken_as_they_are(xp: Any) -> None:
    wide = deviations(9, 2, 4, 10)
    agree(positioning_figures(xp.asarray(wide)[..., ::2]), wide[..., ::2], xp)
    single = wide.astype(np.float32)
    agree(positioning_figures(xp.asarray(single, np.float32)), single.astype(float), xp)


@pytest.mark.parametrize("shape", [(2, 5), (3, 4, 5), (7, 1, 4, 5), (2, 4, 1), (2, 0, 5), ()])
def test_another_shape_is_named(xp: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"deviation has shape \(.*\); expected \(..., 2, m, n\) with m ≥ 1 targets and n ≥ 2 runs"):
        positioning_figures(xp.asarray(np.zeros(shape)))


# ---- drawn trials ------------------------------------------------------------------------------------------------------

DRAW: dict[str, Any] = {"trials": 300, "seed": 2**63 + 12345, "reading_std": 1e-6, "scale_std": 2e-6}


def drawn_by_definition(deviation: np.ndarray, position: np.ndarray, **how: Any) -> np.ndarray:
    """The readings (trials, 2, m, n) themselves."""
    _, m, n = deviation.shape
    first = how.get("first_trial", 0)
    number = np.arange(first, first + how["trials"], dtype=np.uint64)
    z = philox.standard_normal(how["seed"], number, 1 + 2 * m * n, xp=plain)
    trials = np.empty((how["trials"], 2, m, n))
    for d, i, j in np.ndindex(2, m, n):
        error = how["scale_std"] * z[0] * position[i] + how["reading_std"] * z[1 + (2 * i + d) * n + j]
        trials[:, d, i, j] = deviation[d, i, j] + error
    return trials


def test_drawn_trials_are_the_same_everywhere(xp: Any) -> None:
    deviation, position = deviations(2, 11, 5), np.linspace(0.0, 1.0, 11)
    found = drawn_positioning_figures(xp.asarray(deviation), xp.asarray(position), **DRAW)
    agree(found, drawn_by_definition(deviation, position, **DRAW), xp)


def test_many_drawn_trials_are_those_of_one_thread(xp: Any) -> None:
    deviation, position = deviations(2, 2, 3), np.array([0.1, 0.4])
    how = {**DRAW, "trials": 5003}  # 60036 readings: threads are at work
    found = drawn_positioning_figures(xp.asarray(deviation), xp.asarray(position), **how)
    last = drawn_positioning_figures(xp.asarray(deviation), xp.asarray(position), **{**how, "trials": 3, "first_trial": 5000})
    for whole, part in zip(found, last, strict=True):
        np.testing.assert_allclose(xp.numbers(whole)[5000:], xp.numbers(part), rtol=1e-12)


def test_no_drawn_trials_are_none(xp: Any) -> None:
    found = drawn_positioning_figures(xp.asarray(deviations(2, 3, 5)), xp.asarray(np.zeros(3)), **{**DRAW, "trials": 0})
    assert all(part.shape == (0,) for part in found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": -1}, "trials is -1; expected 0 ≤ trials"),
        ({"trials": 2.0}, "trials is 2.0; expected a number of trials"),
        ({"seed": 2**64}, "seed is 18446744073709551616; expected 0 ≤ seed < 2\\^64"),
        ({"seed": -1}, "seed is -1"),
        ({"reading_std": -1e-9}, "reading_std is -1e-09; expected a standard deviation ≥ 0"),
        ({"scale_std": float("nan")}, "scale_std is nan; expected a standard deviation ≥ 0"),
        ({"first_trial": -5}, "first_trial is -5"),
    ],
)
def test_a_number_outside_its_range_is_named(xp: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drawn_positioning_figures(xp.asarray(deviations(2, 3, 5)), xp.asarray(np.zeros(3)), **{**DRAW, **change})


def test_positions_that_do_not_fit_are_named(xp: Any) -> None:
    with pytest.raises(ValueError, match=r"position has shape \(4,\); expected \(3,\), one for each target"):
        drawn_positioning_figures(xp.asarray(deviations(2, 3, 5)), xp.asarray(np.zeros(4)), **DRAW)


def test_the_cuda_kernel_gives_the_definition(cuda_on_cpu: Any) -> None:
    for shape in [(5, 2, 2, 3)] if cuda_on_cpu.tiny else [(300, 2, 11, 5), (7, 2, 1, 2), (3, 2, 2000, 2)]:
        trials = deviations(*shape)
        agree(positioning._cuda(trials, xp=cuda_on_cpu.xp), trials)


def test_the_cuda_kernel_draws_the_same_trials(cuda_on_cpu: Any) -> None:
    deviation, position = deviations(2, 3, 5), np.array([0.0, 0.2, 0.3])
    how = {**DRAW, "trials": 9 if cuda_on_cpu.tiny else 300, "first_trial": 2**40}
    draw = positioning._Draw(deviation, position, how["reading_std"], how["scale_std"], how["seed"], how["first_trial"], how["trials"])
    agree(positioning._drawn_cuda(draw, xp=cuda_on_cpu.xp), drawn_by_definition(deviation, position, **how))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(m=st.integers(1, 6), n=st.integers(2, 8), count=st.integers(1, 70), seed=st.integers(0, 2**32 - 1), offset=st.sampled_from([0.0, 1e-3]))
def test_tiers_agree_on_any_trials(xp: Any, m: int, n: int, count: int, seed: int, offset: float) -> None:
    trials = deviations(count, 2, m, n, seed=seed) + offset
    found = positioning_figures(xp.asarray(trials))
    for k in {0, count - 1}:
        expected = by_definition(trials[k])
        for name, value in zip(FIGURES, found, strict=True):
            # an offset of 1 mm is rounded to 2.2e-19 m, a mean of n of them to a few units
            assert xp.numbers(value)[k] == pytest.approx(expected[name], rel=1e-12, abs=4e-20 + 16 * np.spacing(offset))
