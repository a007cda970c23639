"""Input shapers against printed trains, insensitivities and smoothing (stages_and_control.md §5.7)."""

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards.input_shaper import KINDS, Kind, recommend, shaper

TRAINS: list[tuple[Kind, list[float], list[float], float]] = [
    ("ZV", [0.578286, 0.421714], [0, 10.05038], 0.0),
    ("MZV", [0.365128, 0.407489, 0.227383], [0, 7.53778, 15.07557], 0.0),
    ("ZVD", [0.334415, 0.487743, 0.177843], [0, 10.05038, 20.10076], 0.0),
    ("EI", [0.354881, 0.452998, 0.192121], [0, 10.1448, 20.10076], 0.05062),
]
# Printed to two or three digits.
INSENSITIVITY: list[tuple[Kind, float, float]] = [
    ("ZV", 0.065, 0.001),
    ("MZV", 0.106, 0.001),
    ("ZVD", 0.29, 0.005),
    ("EI", 0.40, 0.005),
    ("2HEI", 0.51, 0.005),
    ("3HEI", 0.80, 0.005),
]
SMOOTHING: list[tuple[Kind, float, float]] = [
    ("ZV", 0.067696, 9743),
    ("MZV", 0.081468, 7365),
    ("ZVD", 0.123167, 4871),
    ("EI", 0.131798, 4552),
    ("2HEI", 0.226502, 2649),
    ("3HEI", 0.361658, 1533),
]


@pytest.mark.parametrize(("kind", "amplitude", "time_ms", "v"), TRAINS)
def test_trains_for_50_hz_and_a_tenth_of_damping(kind: Kind, amplitude: list[float], time_ms: list[float], v: float) -> None:
    found = shaper(kind, frequency_hz=50.0, damping=0.1)
    assert found.amplitude == pytest.approx(amplitude, abs=6e-7)
    assert found.time_s * 1e3 == pytest.approx(time_ms, abs=6e-5 if kind == "EI" else 6e-6)
    assert found.vibration(50.0, 0.1) == pytest.approx([v], abs=6e-6)


@pytest.mark.parametrize(("kind", "width", "digit"), INSENSITIVITY)
def test_insensitivity_without_damping(kind: Kind, width: float, digit: float) -> None:
    assert shaper(kind, frequency_hz=50.0, damping=0.0).insensitivity(limit=0.0515) == pytest.approx(width, abs=digit)


@pytest.mark.parametrize(("kind", "smoothing", "acceleration"), SMOOTHING)
def test_smoothing_at_5_m_per_s2_and_the_acceleration_for_120_um(kind: Kind, smoothing: float, acceleration: float) -> None:
    found = shaper(kind, frequency_hz=50.0, damping=0.1)
    assert found.smoothing(acceleration=5000, corner_velocity=5) == pytest.approx(smoothing, abs=6e-7)
    assert found.greatest_acceleration(smoothing=0.12, corner_velocity=5) == pytest.approx(acceleration, abs=0.6)


def test_a_corner_passed_too_fast_leaves_no_acceleration() -> None:
    assert shaper("3HEI", frequency_hz=5.0, damping=0.1).greatest_acceleration(smoothing=0.12, corner_velocity=5) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_vibration_is_that_of_a_mode_integrated_in_time(kind: Kind) -> None:
    """A mode's ring after the train, over its ring after one impulse at the train's end, by the state's exact rotation; nothing of the formula is used."""
    found = shaper(kind, frequency_hz=50.0, damping=0.1)
    for f, zeta in ((43.0, 0.1), (50.0, 0.05), (61.0, 0.0)):
        omega = 2 * np.pi * f
        eigenvalue = complex(-zeta * omega, omega * np.sqrt(1 - zeta**2))
        state, at = 0j, 0.0
        for a, t in zip(found.amplitude, found.time_s, strict=True):
            state = state * np.exp(eigenvalue * (t - at)) + a
            at = t
        assert found.vibration(f, zeta)[0] == pytest.approx(abs(state), rel=1e-10)


@pytest.mark.parametrize(("kind", "highest", "width"), [("EI", 0.051, 0.38), ("2HEI", 0.054, 0.48), ("3HEI", 0.058, 0.62)])
@pytest.mark.parametrize("zeta", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_humps_stay_near_five_percent_up_to_the_damping_of_the_fits(kind: Kind, highest: float, width: float, zeta: float) -> None:
    around = np.linspace(1 - width / 2, 1 + width / 2, 201)
    assert shaper(kind, frequency_hz=1.0, damping=zeta).vibration(around, zeta).max() <= highest


def test_no_insensitivity_where_the_design_itself_exceeds_the_limit() -> None:
    assert shaper("EI", frequency_hz=50.0, damping=0.1).insensitivity(limit=0.01, damping=0.1) is None


def test_remaining_of_a_single_line_is_v_there() -> None:
    found = shaper("ZV", frequency_hz=50.0, damping=0.1)
    assert found.remaining([40.0, 60.0], [0.0, 3.0]) == pytest.approx(found.vibration(60.0, 0.1)[0])


def test_a_narrow_band_gets_the_short_shaper_and_a_wide_one_the_insensitive_one() -> None:
    narrow = recommend(49.5, 50.5, damping=(0.0,))
    assert narrow.shaper is not None and narrow.shaper.kind == "ZV"
    wide = recommend(42.0, 58.0, damping=(0.0,), limit=0.052)
    assert wide.shaper is not None and wide.shaper.kind == "EI"
    assert "shortest" in wide.reason and wide.worst["ZVD"] > 0.052
    assert wide.shaper.vibration(np.linspace(42, 58, 999), 0.0).max() <= 0.052 + 1e-4  # between the 201 frequencies looked at


def test_a_band_too_wide_is_said_so() -> None:
    none = recommend(10.0, 100.0)
    assert none.shaper is None
    assert "no shaper keeps" in none.reason


@pytest.mark.parametrize(
    ("kind", "frequency", "zeta", "words"), [("ZVX", 50, 0.1, "no input shaper"), ("ZV", 0, 0.1, "frequency_hz"), ("ZV", 50, 1.0, "damping"), ("EI", 50, 0.5, "0.3")]
)
def test_bad_input_is_named(kind: Kind, frequency: float, zeta: float, words: str) -> None:
    with pytest.raises(DataError, match=words):
        shaper(kind, frequency_hz=frequency, damping=zeta)


def test_bad_bands_are_named() -> None:
    with pytest.raises(DataError, match="high_hz"):
        recommend(50.0, 40.0)
    with pytest.raises(DataError, match="psd"):
        shaper("ZV", frequency_hz=50.0, damping=0.1).remaining([1.0, 2.0], [0.0, 0.0])
