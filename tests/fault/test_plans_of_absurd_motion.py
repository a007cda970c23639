"""Plans of learning, steps and friction with sizes that no machine has: refused in words, at once."""

from __future__ import annotations

import pytest

from precision.benchmarks.plan_files import checked
from precision.benchmarks.procedure import procedure_named
from precision.errors import DataError, PlanError
from precision.models import trajectory


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("ilc", "trajectory.distance=1e-300"),
        ("ilc", "trajectory.velocity=1e-300"),
        ("ilc", "trajectory.acceleration=1e-300"),
        ("friction", "velocities.slowest=1e-300"),
        ("friction", "moves.acceleration=1e-300"),
        ("friction", "moves.acceleration=1e-9"),
        ("friction", "moves.jerk=1e-300"),
        ("friction", "reversal.amplitude=1e-300"),
        ("friction", "reversal.velocity=1e-300"),
        ("friction", "circle.radius=1e-300"),
        ("friction", "circle.radius=1e-6"),
    ],
)
def test_a_motion_of_no_machine_is_refused_in_words(name: str, setting: str) -> None:
    preview = procedure_named(name).preview
    assert preview is not None
    with pytest.raises(PlanError):
        preview(checked(name, [setting]))


def test_a_set_point_without_end_is_refused_before_it_is_made() -> None:
    move = trajectory.plan(1.0, trajectory.Limits(velocity=1e-9, acceleration=1.0, jerk=1.0), sampling_s=1e-3)
    with pytest.raises(DataError, match=r"1e\+12 samples"):
        move.sampled()
