"""ISO 230-6: squareness from body diagonals (vector of section 2 of the machine-tool reference), and exact geometry."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.errors import DataError
from precision.recording import Positioning
from precision.standards import iso230_2
from precision.standards.iso230_6 import (
    BODY,
    FACES,
    evaluate,
    squareness_from_body_diagonals,
    squareness_from_face_diagonals,
    step_diagonal,
)
from precision.uncertainty.positioning import Contributors, budget

SIDES = (0.5, 0.4, 0.3)


def body_errors(c: float, b: float, a: float, scales: tuple[float, float, float] = (0, 0, 0), sides: tuple[float, float, float] = SIDES) -> dict[str, float]:
    """Exact error of the length of each diagonal of a machine with squareness and scale errors."""
    lengths = {}
    for name, senses in BODY.items():
        x, y, z = (s * side for s, side in zip(senses, sides, strict=True))
        kx, ky, kz = scales
        lengths[name] = math.hypot(x * (1 + kx) - c * y + b * z, y * (1 + ky) - a * z, z * (1 + kz)) - math.hypot(*sides)
    return lengths


def test_2_lengths_of_the_four_diagonals_and_the_squareness_that_they_give() -> None:
    exact = body_errors(20e-6, -12e-6, 7e-6, (5e-6, -3e-6, 8e-6))
    # Printed in µm to four decimals.
    assert [exact[name] * 1e6 for name in ("PPP", "NPP", "PNP", "NNP")] == pytest.approx([-7.2832, 9.1218, 6.4064, 0.1839], rel=0, abs=0.5e-4)
    found = squareness_from_body_diagonals(exact, SIDES)
    assert [found[key] * 1e6 for key in ("E_C0Y", "E_B0Z", "E_A0Z")] == pytest.approx([20.0001, -12.0001, 6.9998], rel=0, abs=0.5e-4)


@pytest.mark.parametrize(("face", "angles"), [("XY", (20e-6, 0, 0)), ("XZ", (0, -12e-6, 0)), ("YZ", (0, 0, 7e-6))])
def test_2_face_diagonals_give_the_same_squareness(face: str, angles: tuple[float, float, float]) -> None:
    c, b, a = angles
    lengths = []
    for sense in (1, -1):
        point = [0.0, 0.0, 0.0]
        u, v = FACES[face]
        point[u], point[v] = sense * SIDES[u], SIDES[v]
        x, y, z = point
        lengths.append(math.hypot(x - c * y + b * z, y - a * z, z) - math.hypot(SIDES[u], SIDES[v]))
    # Second order: (20 µrad)².
    assert squareness_from_face_diagonals(*lengths, face=face, sides_m=SIDES) == pytest.approx(sum(angles), rel=0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-50e-6, 50e-6)] * 3), st.tuples(*[st.floats(-50e-6, 50e-6)] * 3), st.tuples(*[st.floats(0.2, 2.0)] * 3))
def test_squareness_comes_back_from_exact_geometry_whatever_the_scales(angles: tuple[float, float, float], scales: tuple[float, float, float], sides: tuple[float, float, float]) -> None:
    found = squareness_from_body_diagonals(body_errors(*angles, scales, sides), sides)
    # Products of two errors, (50 µrad)² = 2.5e-9, with factors up to D/side ≈ 10 and a few of them.
    assert [found[key] for key in ("E_C0Y", "E_B0Z", "E_A0Z")] == pytest.approx(angles, rel=0, abs=3e-7 / 2)


def recording(name: str, error: float, whole: float, reversal: float = 0.0, count: int = 7) -> Positioning:
    rng = np.random.default_rng(sum(map(ord, name)))
    target = whole * np.sort(np.concatenate([[0, 1], (np.arange(1, count - 1) + rng.uniform(-0.25, 0.25, count - 2)) / (count - 1)]))
    deviation = error * target / whole
    actual = np.stack([target + deviation + reversal / 2, target + deviation - reversal / 2])[:, :, None] * np.ones(5)
    return Positioning(axis=name, target=target, actual=actual, valid=np.ones(actual.shape, dtype=bool))


def four() -> dict[str, Positioning]:
    whole = math.hypot(*SIDES)
    return {name: recording(name, error, whole, 1e-6 * (k + 1)) for k, (name, error) in enumerate(body_errors(20e-6, -12e-6, 7e-6).items())}


def test_the_machine_has_the_largest_e_and_b_of_its_diagonals() -> None:
    result = evaluate(four(), sides_m=SIDES)
    each = {name: iso230_2.evaluate(item) for name, item in four().items()}
    assert result["E_D"] == max(item.E for item in each.values() if item.E is not None)
    assert result["B_D"] == pytest.approx(4e-6, abs=1e-15)
    assert result["B_NPP"] == pytest.approx(2e-6, abs=1e-15)
    assert result["R_PPP"] == each["PPP"].R
    assert result["E_C0Y"] == pytest.approx(20e-6, rel=0, abs=2e-9)
    assert "do not prove volumetric accuracy" in str(result)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["diagonals"]["PPP"]["standard"] == "ISO 230-2"


def test_a_missing_diagonal_takes_the_machine_figures_with_it() -> None:
    some = {name: item for name, item in four().items() if name != "NNP"}
    result = evaluate(some, sides_m=SIDES)
    for key in ("E_D", "E_C0Y"):
        assert result[key] is None
        assert "NNP" in (result.figures[key].reason or "")
    assert result["E_PPP"] is not None
    assert any("NNP" in flag for flag in result.flags)


def test_face_diagonals_of_one_face() -> None:
    whole = math.hypot(0.5, 0.4)
    result = evaluate({"PP XY": recording("PP XY", -4e-6, whole), "NP XY": recording("NP XY", 4e-6, whole)}, sides_m=SIDES)
    assert result["E_C0Y"] == pytest.approx(whole * 8e-6 / (2 * 0.5 * 0.4), rel=1e-9)
    assert result["E_B0Z"] is None
    assert result["E_D"] == pytest.approx(4e-6, abs=1e-15)


def test_u_of_squareness_comes_from_the_budgets_of_the_diagonals() -> None:
    whole = math.hypot(*SIDES)
    known = budget(Contributors(
        measured_length_m=whole, targets=7, device_relative=0.5e-6, device_resolution_m=0.0, misalignment_m=0.0, machine_expansion_per_k=11.7e-6,
        machine_expansion_range_per_k=0.0, machine_thermometer_range_k=0.1, machine_temperature_difference_k=0.0, drift_range_m=0.2e-6))  # fmt: skip
    result = evaluate(four(), sides_m=SIDES, uncertainty=dict.fromkeys(BODY, known))
    part = known.for_figure("M")[0]
    assert part is not None
    assert result.figures["E_C0Y"].uncertainty == pytest.approx(whole / (4 * 0.5 * 0.4) * 2 * part)
    assert result.figures["E_D"].uncertainty == known.for_figure("E")[0]
    assert "no uncertainty budget" in (evaluate(four(), sides_m=SIDES).figures["E_C0Y"].uncertainty_reason or "")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: evaluate({}, sides_m=SIDES), "none"),
        (lambda: evaluate(four() | {"PP XY": four()["PPP"]}, sides_m=SIDES), "not both"),
        (lambda: evaluate(four(), sides_m=(0.1, 0.1, 0.1)), "at most the diagonal's"),
        (lambda: evaluate(four(), sides_m=(0.5, 0.4, 0.0)), "travel in Z"),
        (lambda: squareness_from_body_diagonals({"PPP": 0.0}, SIDES), "NPP, PNP, NNP are missing"),
        (lambda: squareness_from_face_diagonals(0, 0, face="ZX", sides_m=SIDES), "'ZX'"),
        (lambda: step_diagonal({"PPP": np.zeros((4, 3))}, sides_m=SIDES), "a step diagonal needs"),
        (lambda: step_diagonal({name: np.zeros((4 + (name == "NNP"), 3)) for name in BODY}, sides_m=SIDES), "unequal grids"),
    ],
)
def test_bad_input_is_refused_in_words(fault, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        fault()


def step_readings(error: np.ndarray, yaw_rad: float = 0.0) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Step readings of a machine whose axes move with the errors (axis, direction, interval), projected on each diagonal; with yaw, X's error depends on Y."""
    n = error.shape[2]
    diagonal = np.array(SIDES) / math.hypot(*SIDES)
    readings = {}
    for name, senses in BODY.items():
        s = np.array(senses)
        rows = np.zeros((n, 3))
        for step in range(n):
            for axis in range(3):
                interval = step if s[axis] > 0 else n - 1 - step
                vector = error[axis, :, interval].copy()
                if axis == 0:
                    # Yaw that grows along X moves a point at height y by −y·Δyaw in x.
                    y = SIDES[1] * (step / n if s[1] > 0 else 1 - step / n)
                    vector[0] -= yaw_rad / n * y
                rows[step, axis] = (s * diagonal) @ (s[axis] * vector)
        readings[name] = rows
    return readings


def test_a_step_diagonal_separates_errors_that_do_not_depend_on_place() -> None:
    error = np.random.default_rng(3).normal(0, 1e-6, (3, 3, 5))
    result = step_diagonal(step_readings(error), sides_m=SIDES)
    assert result.error_m[:, :, 1:] == pytest.approx(np.cumsum(error, axis=2), rel=0, abs=1e-18)
    assert result["inconsistency"] == pytest.approx(0.0, abs=1e-18)
    assert result["E_YX"] == pytest.approx(np.ptp(np.concatenate([[0], np.cumsum(error[0, 1])])), abs=1e-18)


def test_a_step_diagonal_warns_and_is_wrong_where_an_axis_yaws() -> None:
    error = np.zeros((3, 3, 5))
    result = step_diagonal(step_readings(error, yaw_rad=20e-6), sides_m=SIDES)
    # Nothing but yaw, and yet errors of micrometres: that is what the warning is about.
    assert np.abs(result.error_m).max() > 1e-6
    assert "diagnostic only" in result.flags[0]
    assert "diagnostic only" in str(result)
    assert result.figures["E_XX"].uncertainty is None
