"""What holds for any steps and reversals: no place, no sign and no unit decides; a stiffer coupling and a larger force are found as what they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.standards import hysteresis, lost_motion
from precision.standards.step_responses import Options, evaluate

OPTIONS = Options(dwell_s=0.005, window_s=0.002)
HOLD, RATE_HZ = 400, 2000.0


def record(zeta: float, sizes: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = np.arange(HOLD) / RATE_HZ
    omega = 300.0
    damped = omega * np.sqrt(1 - zeta**2)
    shape = 1 - np.exp(-zeta * omega * t) * (np.cos(damped * t) + zeta * omega / damped * np.sin(damped * t))
    levels = [0.0, sizes[0], 0.0, sizes[1], 0.0]
    y = np.concatenate([np.zeros(HOLD), *(a + (b - a) * shape for a, b in pairwise(levels))])
    return np.arange(y.size) / RATE_HZ, np.repeat(levels, HOLD), y


@settings(max_examples=25, deadline=None)
@given(zeta=st.floats(0.25, 0.9), small=st.floats(1e-6, 1e-3), ratio=st.floats(1.5, 50), place=st.floats(-1, 1), scale=st.floats(1e-3, 1e3))
def test_neither_place_nor_direction_nor_unit_changes_a_response(zeta: float, small: float, ratio: float, place: float, scale: float) -> None:
    time, r, y = record(zeta, (small, small * ratio))
    found, moved = evaluate(time, r, y, OPTIONS), evaluate(time, place * small + r, place * small + y, OPTIONS)
    mirrored, scaled = evaluate(time, -r, -y, OPTIONS), evaluate(time, scale * r, scale * y, OPTIONS)
    for number in (1, 2):
        for key in ("t_rise", "t_exit", "overshoot_ratio"):
            own = found[f"{key}_{number}_up"]
            assert own == pytest.approx(moved[f"{key}_{number}_up"], rel=1e-6, abs=1e-9)
            assert own == pytest.approx(mirrored[f"{key}_{number}_down"], rel=1e-9, abs=1e-12)
            assert own == pytest.approx(scaled[f"{key}_{number}_up"], rel=1e-9, abs=1e-12)
        assert scaled[f"iae_{number}_up"] == pytest.approx(scale * (found[f"iae_{number}_up"] or 0), rel=1e-9)
        assert scaled[f"itse_{number}_up"] == pytest.approx(scale**2 * (found[f"itse_{number}_up"] or 0), rel=1e-9)
        assert 0 <= (found[f"t_entry_{number}_up"] or 0) <= (found[f"t_exit_{number}_up"] or 0)
    # the last step begins where the one before had not quite come to
    assert found["departure_up"] == pytest.approx(0, abs=1e-9 + 4 * np.exp(-zeta * 300 * HOLD / RATE_HZ))


def play(backlash: float, stiffness: float, guide: float, drive: float, offset: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    half = guide / stiffness + backlash / 2
    phase = np.linspace(0, 2.5, 4000, endpoint=False)
    motor = 4 * half * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
    sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
    load, held = np.empty_like(motor), 0.0
    for k, at in enumerate(motor):
        held = min(max(held, at - half), at + half)
        load[k] = held
    x = motor - load
    return motor, load, sense, offset + drive * sense + stiffness * np.sign(x) * np.maximum(np.abs(x) - backlash / 2, 0)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.05, 0.9), stiffness=st.floats(1e5, 1e8), guide=st.floats(1, 100), drive=st.floats(0, 50), offset=st.floats(-20, 20))
def test_backlash_is_told_from_windup_whatever_holds_the_load(share: float, stiffness: float, guide: float, drive: float, offset: float) -> None:
    windup = 2 * guide / stiffness
    backlash = windup * share / (1 - share)
    lost = backlash + windup
    motor, load, sense, force = play(backlash, stiffness, guide, drive, offset)
    found = lost_motion.evaluate(motor, load, sense, force)
    assert found["lost_motion"] == pytest.approx(lost, rel=1e-6)
    # averages are a fortieth of the lost motion long, and round the corners by less
    assert found["backlash"] == pytest.approx(backlash, abs=0.02 * lost)
    assert found["windup"] == pytest.approx(windup, abs=0.02 * lost)
    assert found["drive_friction"] == pytest.approx(drive, abs=0.02 * guide + 0.01 * drive)
    moved = lost_motion.evaluate(motor + 0.5, load + 0.5, sense, force)
    assert moved["backlash"] == pytest.approx(found["backlash"], abs=1e-3 * lost + 1e-14)


@settings(max_examples=25, deadline=None)
@given(slope=st.floats(-1e6, 1e6), half=st.floats(1e-3, 100), reach=st.floats(1e-6, 1))
def test_a_loop_has_its_width_and_slope_wherever_it_lies(slope: float, half: float, reach: float) -> None:
    phase = np.linspace(0, 3, 1200, endpoint=False)
    x = reach * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
    sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
    found = hysteresis.evaluate(x, slope * x + half * sense, sense)
    size = abs(slope) * reach + half
    assert found["width"] == pytest.approx(2 * half, rel=1e-6, abs=1e-9 * size)
    assert (found["slope"] or 0) * reach == pytest.approx(slope * reach, abs=1e-6 * size)
    assert found["area"] == pytest.approx(2 * half * (found["range"] or 0), rel=1e-6, abs=1e-9 * size * reach)
