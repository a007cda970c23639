"""Learning against the printed first-order example (stages_and_control.md §5.8) and trials of known parts."""

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.learning import convergence, evaluate, lifted, predicted

N = 50
PLANT = lifted(0.1 * 0.9 ** np.arange(N), N)
LAW = 2 * np.eye(N)


def test_convergence_of_a_first_order_plant() -> None:
    found = convergence(PLANT, LAW)
    assert found.spectral_radius == pytest.approx(0.8, abs=1e-14)
    assert found.error_gain == pytest.approx(0.974035, abs=6e-7)
    assert found.converges and found.monotonic


def test_norms_of_the_error_over_trials() -> None:
    norms = np.linalg.norm(predicted(PLANT, LAW, np.ones(N), trials=8), axis=1)
    assert norms == pytest.approx([7.071068, 5.589071, 3.790835, 1.999669, 1.400387, 1.202573, 0.922908, 0.795978], abs=6e-7)


def test_a_law_may_converge_and_still_grow_first() -> None:
    found = convergence(PLANT, 15 * np.eye(N))
    assert found.converges and not found.monotonic
    norms = np.linalg.norm(predicted(PLANT, 15 * np.eye(N), np.ones(N), trials=4), axis=1)
    assert norms[1] > norms[0]


def test_the_inverse_of_the_plant_learns_in_one_trial() -> None:
    found = convergence(PLANT, np.linalg.inv(PLANT))
    assert found.spectral_radius < 1e-12
    assert np.abs(predicted(PLANT, np.linalg.inv(PLANT), np.ones(N), trials=2)[1]).max() < 1e-12


def test_a_filter_below_one_makes_a_law_that_diverges_converge() -> None:
    weak = convergence(PLANT, 21 * np.eye(N))
    filtered = convergence(PLANT, 21 * np.eye(N), filter=0.5 * np.eye(N))
    assert not weak.converges and filtered.converges
    assert filtered.error_gain is None and filtered.input_gain == pytest.approx(0.5 * weak.input_gain)


def test_repeatable_and_non_repeatable_parts_come_back() -> None:
    rng = np.random.default_rng(8)
    t = np.linspace(0, 1, 2000)
    shape = 3e-6 * np.sqrt(2) * np.sin(2 * np.pi * 3 * t)
    found = evaluate(shape + rng.normal(scale=2e-6, size=(12, t.size)), converged=12)
    # s² of 2000 × 11 degrees of freedom is good to √(2/22000) = 1 %, s to 0.5 %: 4σ is 2 %; the mean's cross term with noise is as small.
    assert found["non_repeatable"] == pytest.approx(2e-6, rel=0.02)
    assert found["repeatable"] == pytest.approx(3e-6, rel=0.02)
    assert found["trials_to_floor"] == 0


def test_noise_alone_has_no_repeatable_part_to_speak_of() -> None:
    found = evaluate(np.random.default_rng(3).normal(scale=1e-6, size=(4, 4000)), converged=4)
    # What the mean of 4 keeps, 0.5e-6, is taken off; its variance is known to √(2/4000) = 2.2 %, so at most √(4 × 2.2 %) of it stays.
    assert found["repeatable"] is None or found["repeatable"] < 0.5e-6 * np.sqrt(4 * 0.0224 + 4 * 0.013)


def test_ratio_per_trial_and_trials_to_the_floor() -> None:
    rng = np.random.default_rng(4)
    t = np.linspace(0, 1, 4000)
    amplitude = 1e-3 * 0.5 ** np.arange(30)
    found = evaluate(amplitude[:, None] * np.sin(2 * np.pi * 5 * t) + rng.normal(scale=1e-6, size=(30, t.size)))
    # 1e-3/√2·0.5^k falls under √(1.1² − 1) µm = 0.458 µm at k = 11 (0.345 µm), before that 0.69 µm.
    assert found["trials_to_floor"] == 11
    assert found["ratio"] == pytest.approx((1.058e-6 / (1e-3 / np.sqrt(2))) ** (1 / 11), rel=0.01)
    assert found["floor"] == pytest.approx(1e-6, rel=0.02)
    assert found.conforming


def test_trials_that_grow_or_have_not_come_to_rest_are_flagged() -> None:
    growing = evaluate(np.outer([1e-6, 3e-6, 2e-6, 1e-6, 0.5e-6, 0.25e-6], np.ones(10)))
    assert any("trial 2 is worse" in flag for flag in growing.flags)
    assert any("still change" in flag for flag in growing.flags)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="dead time"):
        lifted([0.0, 1.0], 5)
    with pytest.raises(DataError, match="samples"):
        lifted([1.0], 10**6)
    with pytest.raises(DataError, match="learning has shape"):
        convergence(PLANT, np.eye(N - 1))
    with pytest.raises(DataError, match="trials"):
        evaluate(np.ones((1, 10)))
    with pytest.raises(DataError, match="converged"):
        evaluate(np.ones((4, 10)), converged=9)
