"""A machine whose axes are not square moves squarely once its controller corrects the skew that was measured: signs, in all planes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import skew
from precision.compensation import klipper
from precision.errors import PlanError
from precision.figures import Figure

C, B, A = 200e-6, -120e-6, 70e-6


def outcome(procedure: str = "diagonals", sign: str = "rotation", **values: float) -> Any:
    figures = [Figure(symbol=key, key=key, name=key, unit="rad", value=value, uncertainty=1e-6) for key, value in values.items()]
    return SimpleNamespace(
        run=SimpleNamespace(name="one", manifest=SimpleNamespace(procedure=procedure)),
        document=SimpleNamespace(rows=[SimpleNamespace(figure=figure) for figure in figures]),
        plan=SimpleNamespace(evaluation=SimpleNamespace(sign=sign)),
    )


def commanded(point: np.ndarray, factors: dict[str, float]) -> np.ndarray:
    """What Klipper sends to the axes: x' = x − y·xy − z·(xz − xy·yz), y' = y − z·yz."""
    x, y, z = point
    xy, xz, yz = (factors.get(plane, 0.0) for plane in ("XY", "XZ", "YZ"))
    return np.array([x - y * xy - z * (xz - xy * yz), y - z * yz, z])


def moved(axes: np.ndarray) -> np.ndarray:
    """Where the tool is: the true directions of Y and Z, turned by right-handed rotations."""
    x, y, z = axes
    return x * np.array([1.0, 0, 0]) + y * np.array([-np.sin(C), np.cos(C), 0]) + z * np.array([np.sin(B), -np.sin(A), 1.0])


def test_the_tool_goes_where_it_is_sent() -> None:
    found = skew.of(outcome(E_C0Y=C, E_B0Z=B, E_A0Z=A))
    factors = {plane: one.factor for plane, one in klipper.read(found.text).items()}
    for point in np.random.default_rng(1).uniform(-0.2, 0.2, (20, 3)):
        error = moved(commanded(point, factors)) - point
        # Second order: 0.2 m × (200 µrad)² = 8 nm; and six decimals of a millimetre over 100 mm, 0.2 m × 2e-8 = 4 nm.
        assert np.abs(error).max() < 15e-9
        assert np.abs(moved(point) - point).max() > 10 * np.abs(error).max() or np.abs(point[1:]).max() < 1e-3


@pytest.mark.parametrize(("plane", "key", "value"), [("XY", "E_C0Y", C), ("XZ", "E_B0Z", B), ("YZ", "E_A0Z", A)])
def test_an_angle_above_ninety_degrees_is_corrected_as_the_rotation_that_it_is(plane: str, key: str, value: float) -> None:
    by_rotation = skew.of(outcome("squareness", **{key: value})).factors[plane]
    above = -value if plane == "XZ" else value  # Z towards +X closes the angle of +X and +Z
    assert skew.of(outcome("squareness", "larger than 90°", **{key: above})).factors[plane] == pytest.approx(by_rotation)


def test_another_run_has_no_skew() -> None:
    with pytest.raises(PlanError, match="skew comes from"):
        skew.of(outcome("thermal", E_C0Y=C))
