"""Step responses of second-order systems against closed forms (stages_and_control.md §5.4)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.step_response import evaluate


def second_order(t: np.ndarray, zeta: float, omega: float = 1.0) -> np.ndarray:
    """Unit step response of ω²/(s² + 2ζω s + ω²), ζ ≤ 1."""
    if zeta == 1:
        return 1 - (1 + omega * t) * np.exp(-omega * t)
    damped = omega * math.sqrt(1 - zeta**2)
    return 1 - np.exp(-zeta * omega * t) * (np.cos(damped * t) + zeta * omega / damped * np.sin(damped * t))


TIME_S = np.arange(20_001) * 5e-6
FAST = second_order(TIME_S, 0.5, 2 * math.pi * 50)


@pytest.fixture(scope="module", params=[1e-6, -3e-3])
def at_50_hz(request: pytest.FixtureRequest) -> tuple[float, object]:
    step = request.param
    return step, evaluate(TIME_S, 0.25 + step * FAST, initial=0.25, target=0.25 + step)


def test_overshoot_peak_rise_and_settling(at_50_hz: tuple[float, object]) -> None:
    _, found = at_50_hz
    # 0.25 m in float64 resolves 6e-17 m, 6e-11 of the smaller step.
    assert found["overshoot"] == pytest.approx(0.16303353, abs=1e-8)
    assert found["overshoot"] == pytest.approx(math.exp(-math.pi * 0.5 / math.sqrt(0.75)), abs=1e-8)
    assert found["t_peak"] == pytest.approx(11.54701e-3, abs=1e-7)
    assert found["t_rise"] == pytest.approx(5.2125e-3, abs=1e-6)  # printed on a grid of 0.5 µs
    assert found["t_s"] == pytest.approx(25.708e-3, abs=1e-6)
    assert found.conforming


@pytest.mark.parametrize(
    ("zeta", "iae", "ise", "itae", "itse"),
    [(0.5, 1.713137, 1.0, 2.941708, 0.75), (math.sqrt(0.5), 1.612336, 1.060660, 1.980118, 0.75), (1.0, 2.0, 1.25, 3.0, 1.125)],
)
def test_integrals_of_the_error(zeta: float, iae: float, ise: float, itae: float, itse: float) -> None:
    t = np.arange(0, 60, 5e-4)  # e^(−30) is left
    found = evaluate(t, second_order(t, zeta), initial=0.0, target=1.0)
    for key, printed in (("iae", iae), ("ise", ise), ("itae", itae), ("itse", itse)):
        assert found[key] == pytest.approx(printed, abs=6e-7), key
    assert found["ise"] == pytest.approx((1 + 4 * zeta**2) / (4 * zeta), rel=1e-6)
    assert found["itse"] == pytest.approx(zeta**2 + 1 / (8 * zeta**2), rel=1e-6)


def test_integrals_scale_with_the_step_and_its_square_and_carry_their_units() -> None:
    t = np.arange(0, 60, 1e-3)
    unit, small = (evaluate(t, size * second_order(t, 0.5), initial=0.0, target=size) for size in (1.0, 1e-3))
    assert small["iae"] == pytest.approx(1e-3 * unit["iae"])
    assert small["itse"] == pytest.approx(1e-6 * unit["itse"])
    assert [small.figures[key].unit for key in ("iae", "ise", "itae", "itse")] == ["m s", "m² s", "m s²", "m² s²"]
    assert "ITAE" in small.text()


def test_time_counts_from_the_step_not_from_the_record() -> None:
    t = np.arange(-1.0, 60.0, 1e-3)
    late = evaluate(t + 5.0, np.where(t < 0, 0.0, second_order(np.maximum(t, 0), 0.5)), initial=0.0, target=1.0, step_s=5.0)
    assert late["itae"] == pytest.approx(2.941708, abs=1e-5)
    assert late["t_peak"] == pytest.approx(math.pi / math.sqrt(0.75), abs=1e-5)


def test_the_end_of_the_integrals_is_honoured_and_stated() -> None:
    t = np.arange(0, 60, 1e-3)
    found = evaluate(t, second_order(t, 1.0), initial=0.0, target=1.0, end_s=2.0)
    # ∫₀² (1 + t) e^(−t) dt = 2 − 4 e^(−2)
    assert found["iae"] == pytest.approx(2 - 4 * math.exp(-2), abs=1e-6)
    assert any("2 s after" in sentence for sentence in found.stated)


def test_without_overshoot_there_is_no_peak_time() -> None:
    t = np.arange(0, 60, 1e-2)
    found = evaluate(t, second_order(t, 1.0), initial=0.0, target=1.0)
    assert found["overshoot"] == 0
    assert found["t_peak"] is None
    assert "never passes" in str(found.figures["t_peak"].reason)


def test_an_axis_that_stops_short_is_flagged_and_has_no_times() -> None:
    t = np.arange(0, 60, 1e-2)
    found = evaluate(t, 0.85 * second_order(t, 1.0), initial=0.0, target=1.0)
    assert found["t_rise"] is None and found["t_s"] is None
    assert found["remaining"] == pytest.approx(0.15, abs=1e-9)
    assert not found.conforming


def test_too_few_samples_in_the_rise_are_flagged() -> None:
    t = np.arange(0, 60, 0.5)
    assert any("sample faster" in flag for flag in evaluate(t, second_order(t, 0.5), initial=0.0, target=1.0).flags)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"target": 0.0}, "differ"), ({"target": 1.0, "step_s": 500.0}, "record runs"), ({"target": 1.0, "end_s": 99.0}, "record runs"), ({"target": 1.0, "end_s": 0.01}, "samples")],
)
def test_bad_input_is_named(keywords: dict[str, float], words: str) -> None:
    t = np.arange(0, 60, 1e-2)
    with pytest.raises(DataError, match=words):
        evaluate(t, second_order(t, 0.5), initial=0.0, **keywords)
