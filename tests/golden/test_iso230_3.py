"""ISO 230-3, thermal tests (section 4.1 of the machine-tool reference): drift, tilt and first-order response of records made by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.errors import DataError
from precision.standards.first_order import FirstOrder, fit
from precision.standards.iso230_3 import Record, axis_heating, environmental, largest_range, spindle_heating
from precision.uncertainty.readings import Readings

HOUR = 3600.0
TIME = np.arange(0, 4 * HOUR + 1, 60.0)
L = 0.1


def record(time: np.ndarray = TIME, **sensors: np.ndarray) -> Record:  # type: ignore[type-arg]
    return Record(time_s=time, displacement_m=sensors, sensor_distance_m=L, temperature_k={"ambient": 293.15 + 0.5 * np.sin(time / HOUR)})


def day(amplitude: float, phase: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    return amplitude * np.sin(2 * np.pi * TIME / (4 * HOUR) + phase)


def test_4_1_etve_is_the_range_of_each_sensor_and_of_the_tilts() -> None:
    result = environmental(record(X1=day(3e-6), Y1=day(2e-6), Z=day(5e-6), X2=day(1e-6), Y2=day(2e-6)))
    assert result["X1"] == pytest.approx(6e-6)
    assert result["Z"] == pytest.approx(10e-6)
    # A = (Y1 − Y2)/L = 0 and B = (X2 − X1)/L: 2·2 µm / 0.1 m.
    assert result["A"] == 0.0
    assert result["B"] == pytest.approx(40e-6)
    assert result.series["B"][60] == pytest.approx(-2e-6 / L)
    assert result["combined"] == pytest.approx(math.sqrt(9 + 4 + 25) * 1e-6)
    # Steepest hour of a sine with a period of 4 h: from −30 to +30 min, 2·sin 45°.
    assert result["X1_window"] == pytest.approx(2 * math.sin(math.pi / 4) * 3e-6)
    # The peak lies up to 30 s from a reading: 0.5 K·(30/3600)²/2.
    assert result["T_ambient"] == pytest.approx(0.5 * (1 - math.sin(4)), rel=0, abs=1.8e-5)
    assert result.conforming


def heating(final: float, tau: float, time: np.ndarray = TIME) -> np.ndarray:  # type: ignore[type-arg]
    return -final * np.expm1(-time / tau)


def test_4_1_spindle_heating_reports_end_first_hour_and_response() -> None:
    result = spindle_heating(record(X1=heating(8e-6, 0.8 * HOUR), Y1=heating(2e-6, HOUR), Z=heating(-30e-6, 0.5 * HOUR), X2=heating(4e-6, 0.8 * HOUR), Y2=heating(2e-6, HOUR)))
    assert result["Z_end"] == pytest.approx(-30e-6 * (1 - math.exp(-8)))
    assert result["Z_60"] == pytest.approx(-30e-6 * (1 - math.exp(-2)))
    assert result["Z_final"] == pytest.approx(-30e-6, rel=1e-6)
    assert result["Z_tau"] == pytest.approx(0.5 * HOUR, rel=1e-6)
    assert result["B_final"] == pytest.approx(-4e-6 / L, rel=1e-6)
    assert result["A_final"] is None
    assert result["Z_cooling"] is None
    assert result.steady


def test_cooling_down_begins_at_the_stop() -> None:
    stop = 2.5 * HOUR
    warm = heating(10e-6, 0.5 * HOUR)
    z = np.where(stop >= TIME, warm, heating(10e-6, 0.5 * HOUR, np.array([stop]))[0] * np.exp(-(TIME - stop) / HOUR))
    result = spindle_heating(record(Z=z), stop_s=stop)
    at_stop = 10e-6 * (1 - math.exp(-5))
    assert result["Z_end"] == pytest.approx(at_stop)
    assert result["Z_cooling"] == pytest.approx(at_stop * (math.exp(-1.5) - 1))
    assert result["Z_final"] == pytest.approx(10e-6, rel=1e-6)
    assert result["A_end"] is None
    assert "Y1 and Y2" in (result.figures["A_end"].reason or "")


def test_a_record_that_is_too_short_for_its_time_constant_is_refused_by_the_fit() -> None:
    short = TIME[:61]
    result = spindle_heating(record(short, Z=heating(30e-6, 1.2 * HOUR, short)))
    assert result["Z_end"] is not None
    assert result["Z_final"] is None
    assert "shorter than 1.5 time constants" in (result.figures["Z_final"].reason or "")
    assert "record longer" in (result.figures["Z_tau"].reason or "")
    assert any("neither 4 h nor until" in flag for flag in result.flags)
    assert isinstance(fit(TIME[:5], TIME[:5]), str)
    straight = fit(TIME, 1e-9 * TIME)
    assert isinstance(straight, str)
    assert "longer than can be seen" in straight


def test_drift_that_is_noise_has_no_response() -> None:
    noise = np.random.default_rng(0).normal(0, 1e-6, TIME.size)
    found = fit(TIME, noise)
    assert isinstance(found, str)


def test_the_response_is_covered_by_its_interval() -> None:
    """95.45 % nominal; 91 of 100 or fewer would be a coverage below 95 % with 95 % confidence. The residuals are correlated over some 5 readings."""
    inside_final = inside_tau = 0
    for seed in range(100):
        noise = np.convolve(np.random.default_rng(seed).normal(0, 0.4e-6, TIME.size + 4), np.ones(5) / math.sqrt(5), mode="valid")
        found = fit(TIME, heating(20e-6, 0.9 * HOUR) + noise)
        assert isinstance(found, FirstOrder)
        inside_final += abs(found.final - 20e-6) <= found.final_uncertainty
        inside_tau += found.time_constant_interval_s[0] <= 0.9 * HOUR <= found.time_constant_interval_s[1]
    assert min(inside_final, inside_tau) >= 88, (inside_final, inside_tau)


def test_4_1_axis_heating_separates_shift_and_expansion() -> None:
    near, far = heating(4e-6, 0.7 * HOUR), heating(16e-6, 0.7 * HOUR)
    result = axis_heating(TIME, near + 1e-3, far - 1e-3, distance_m=0.6, temperature_k={"ball screw": 300 + near})
    end = 1 - math.exp(-4 / 0.7)
    assert result["shift"] == pytest.approx(10e-6 * end)
    assert result["expansion"] == pytest.approx(12e-6 * end)
    assert result["expansion_final"] == pytest.approx(12e-6, rel=1e-5)
    assert result["strain"] == pytest.approx(20e-6 * end)
    assert "τ(expansion)" in str(result)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["responses"]["near"]["time_constant_s"] == pytest.approx(0.7 * HOUR)


def test_short_records_and_missing_sensors_are_flagged_with_what_suffers() -> None:
    result = environmental(record(TIME[:31], X1=day(1e-6)[:31]))
    text = " ".join(result.flags)
    for words in ("at least 4 h", "no sensor Y1, Z, X2, Y2"):
        assert words in text
    assert result["X1_window"] is None
    assert "shorter than the window" in (result.figures["X1_window"].reason or "")
    assert result["combined"] is None
    gap = np.concatenate([TIME[:50], TIME[120:]])
    assert any("a gap of 71 min" in flag for flag in environmental(record(gap, Z=gap * 1e-9)).flags)


def test_u_of_drift_and_tilt() -> None:
    readings = Readings(device=0.1e-6, noise=0.0)
    result = environmental(record(X1=day(3e-6), X2=day(1e-6)), readings=readings)
    assert result.figures["X1"].uncertainty == pytest.approx(0.1e-6)
    assert result.figures["B"].uncertainty == pytest.approx(2 * 0.1e-6 / L)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: record(X3=day(1e-6)), "X3"),
        (lambda: record(), "expected some of"),
        (lambda: record(TIME[::-1], X1=day(1e-6)), "does not ascend"),
        (lambda: record(X1=day(1e-6)[:-1]), "shape"),
        (lambda: Record(time_s=TIME, displacement_m={"Z": day(1e-6)}, sensor_distance_m=0.0, temperature_k={}), "sensor_distance_m"),
        (lambda: spindle_heating(record(Z=day(1e-6)), stop_s=9 * HOUR), "within the record"),
        (lambda: environmental(record(Z=day(1e-6)), window_s=0.0), "window_s"),
        (lambda: axis_heating(TIME, day(1e-6), day(1e-6)[1:]), "far_m"),
    ],
)
def test_bad_input_is_refused_in_words(fault, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        fault()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e-5, 1e-5), min_size=3, max_size=30), st.floats(1.0, 40.0))
def test_a_range_in_windows_is_at_most_the_range_and_grows_with_the_window(values: list[float], window: float) -> None:
    drift, time = np.array(values), np.arange(len(values), dtype=float)
    here = largest_range(time, drift, window)
    assert here <= np.ptp(drift)
    assert here <= largest_range(time, drift, 1.5 * window)
    assert largest_range(time, drift, 100.0) == np.ptp(drift)


@settings(max_examples=30, deadline=None)
@given(st.floats(-50e-6, 50e-6).filter(lambda v: abs(v) > 1e-7), st.floats(0.1, 2.4), st.floats(-1e-3, 1e-3))
def test_the_first_order_fit_finds_any_response_that_the_record_is_long_enough_for(final: float, tau_h: float, offset: float) -> None:
    found = fit(TIME, heating(final, tau_h * HOUR) + offset)
    assert isinstance(found, FirstOrder)
    # An offset of 1 mm is rounded by 1e-19 m, against 1e-7 m at least; τ is searched to 1e-10 in its logarithm.
    assert found.final == pytest.approx(final, rel=1e-5)
    assert found.time_constant_s == pytest.approx(tau_h * HOUR, rel=1e-5)
