"""Feed-forward fits of forces with known coefficients (stages_and_control.md §5.9)."""

import numpy as np
import pytest

from precision.errors import DataError
from precision.models.trajectory import Limits, plan
from precision.standards.feed_forward_fit import Record, evaluate

RATE_HZ = 5000.0
MASS, VISCOUS, COULOMB, OFFSET, SNAP = 12.0, 30.0, 8.0, -1.5, 2e-4


def record(distance: float, *, limits: Limits, delay_s: float = 0.0, noise: float = 0.0, seed: int = 1, both: bool = True, with_snap: bool = True) -> Record:
    """A move there and back, its force `delay_s` before it."""
    move = plan(distance, limits)
    t = np.arange(-0.05, 2 * move.duration_s + 0.15, 1 / RATE_HZ)

    def motion(at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        there, back = move.at(at), move.at(at - move.duration_s - 0.05)
        assert there.snap is not None and back.snap is not None
        return there.velocity - both * back.velocity, there.acceleration - both * back.acceleration, there.snap - both * back.snap

    v, a, s = motion(t + delay_s)
    force = MASS * a + VISCOUS * v + COULOMB * np.sign(v) + OFFSET + (SNAP * s if with_snap else 0)
    v, a, s = motion(t)
    return Record(
        velocity=v, acceleration=a, snap=s if with_snap else None, force=force + np.random.default_rng(seed).normal(scale=noise, size=t.size) if noise else force, rate_hz=RATE_HZ
    )


SLOW = Limits(velocity=0.3, acceleration=5, jerk=200, snap=20_000)
FAST = Limits(velocity=0.6, acceleration=15, jerk=900, snap=90_000)


def test_coefficients_come_back_exactly_without_noise() -> None:
    found = evaluate(record(0.2, limits=SLOW), v_min=1e-3)
    assert found.coefficient == pytest.approx([MASS, VISCOUS, COULOMB, OFFSET, SNAP], rel=1e-9)
    assert found["r2"] == pytest.approx(1.0, abs=1e-12)
    assert [found.figures[key].unit for key in ("mass", "viscous", "coulomb", "snap")] == ["N s²/m", "N s/m", "N", "N s⁴/m"]


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = dict(zip(("mass", "viscous", "coulomb", "offset", "snap"), (MASS, VISCOUS, COULOMB, OFFSET, SNAP), strict=True))
    inside = []
    for seed in range(40):
        found = evaluate(record(0.2, limits=SLOW, noise=2.0, seed=seed), v_min=1e-3)
        for key, true in truth.items():
            shown = found.figures[key]
            assert shown.value is not None and shown.uncertainty is not None
            inside.append(abs(shown.value - true) <= shown.uncertainty)
    # 95.4 % of 200, standard deviation 3 if independent: 4σ below.
    assert sum(inside) >= 200 * 0.954 - 12


def test_a_delay_of_parts_of_a_sample_comes_back() -> None:
    found = evaluate(record(0.2, limits=SLOW, delay_s=0.73e-3, noise=0.2, with_snap=False), v_min=5e-3, max_delay_s=3e-3)
    shown = found.figures["delay"]
    assert shown.value is not None and shown.uncertainty is not None
    assert shown.value == pytest.approx(0.73e-3, abs=1.5 * shown.uncertainty)
    assert shown.uncertainty < 5e-5
    assert found["mass"] == pytest.approx(MASS, rel=0.01)


def test_another_motion_confirms_the_right_model_and_betrays_the_wrong_one() -> None:
    right = evaluate(record(0.2, limits=SLOW, noise=0.5), v_min=1e-3, validation=record(0.3, limits=FAST, noise=0.5, seed=2))
    assert right["validated_residual"] == pytest.approx(0.5, rel=0.1)
    assert right.conforming
    other = record(0.3, limits=FAST, noise=0.5, seed=2)
    drag = Record(velocity=other.velocity, acceleration=other.acceleration, snap=other.snap, force=np.asarray(other.force) + 40 * np.asarray(other.velocity) ** 3, rate_hz=RATE_HZ)
    wrong = evaluate(record(0.2, limits=SLOW, noise=0.5), v_min=1e-3, validation=drag)
    assert any("another motion" in flag for flag in wrong.flags)


def test_a_fit_that_was_not_validated_says_so() -> None:
    assert any("cross-validated" in flag for flag in evaluate(record(0.2, limits=SLOW), v_min=1e-3).flags)


def test_one_direction_cannot_tell_coulomb_friction_from_an_offset() -> None:
    with pytest.raises(DataError, match="Coulomb friction from offset"):
        evaluate(record(0.2, limits=SLOW, both=False), v_min=1e-3)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="samples with"):
        evaluate(record(0.2, limits=SLOW), v_min=10.0)
    with pytest.raises(DataError, match="velocity has shape"):
        evaluate(Record(velocity=np.ones(5), acceleration=np.ones(100), force=np.ones(100), rate_hz=1.0), v_min=0.0)
