"""The disk drive under its published controllers (5.3, 6.4): all nine cases of the benchmark are stable, the loop is the one that python-control
builds of the same
numbers, and its crossings and margins come back from the excitation of the running loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.drivers.lab.plants import disk_drive_control as drive
from precision.drivers.lab.plants.disk_drive import RATE_HZ, DiskDrive
from precision.standards import closed_loop, excitation, margins


def test_the_filters_pass_slow_signals_whole_and_keep_resonances_still() -> None:
    """The entries are printed with four digits, and a chain of twelve sections multiplies their rounding: 1e-3."""
    slow = [abs(one.response([1.0])[0, 0, 0]) for one in (drive.coil_filter(), drive.piezo_filter())]
    assert slow == pytest.approx([1.0, 1.0], abs=1e-3)
    # the voice coil's large resonances, 21 and 26 kHz (κ = 3 and −3.2), are taken down by more than 20 dB
    assert np.all(np.abs(drive.coil_filter().response([21_000, 26_000])[:, 0, 0]) < 0.1)
    # and the controller of the voice coil integrates
    assert np.min(np.abs(drive.coil_controller().poles() - 1)) < 1e-12


@pytest.mark.parametrize("case", range(1, 10))
def test_all_nine_cases_are_stable_with_room(case: int) -> None:
    """Ms ≤ 2.1 in every case: GM ≥ 1.9 and PM ≥ 27°; the fastest pole well inside the unit circle."""
    closed = drive.closed(case)
    assert np.abs(closed.poles()).max() < 0.995
    f = np.logspace(1, math.log10(0.499 * RATE_HZ), 6000)
    found = margins.evaluate(f, drive.loop_response(f, case))
    assert found["Ms"] is not None and found["Ms"] < 2.1
    np.testing.assert_allclose(closed.response(f)[:, 0, 0], 1 / (1 + drive.loop_response(f, case)), rtol=1e-7)
    # more gain of the piezo crosses later, less sooner
    assert found["f_L_first"] is not None
    assert 2700 < found["f_L_first"] < 3100


def test_python_control_builds_the_same_loop_and_finds_the_same_margins() -> None:
    """The same numbers through another program: c2d at twice the rate, series, every second sample, parallel, margins."""
    control = pytest.importorskip("control")
    fast, slow = 1 / (2 * RATE_HZ), 1 / RATE_HZ
    total = None
    for law, chain, plant in (
        (drive.coil_controller(), drive.coil_filter(), DiskDrive().voice_coil),
        (drive.piezo_controller(), drive.piezo_filter(), DiskDrive().piezo),
    ):
        sampled = control.sample_system(control.ss(plant.a, plant.b, plant.c, plant.d), fast, method="zoh")
        both = sampled * control.ss(chain.a, chain.b, chain.c, chain.d, fast)
        held = control.ss(both.A @ both.A, both.B + both.A @ both.B, both.C, both.D, slow)
        loop = held * control.ss(law.a, law.b, law.c, law.d, slow)
        total = loop if total is None else total + loop
    f = np.array([100.0, 1000.0, 2897.0, 5300.0, 9600.0, 13_011.0, 20_000.0])
    theirs = np.asarray(control.frequency_response(total, 2 * math.pi * f).complex).ravel()
    np.testing.assert_allclose(drive.loop_response(f), theirs, rtol=1e-7)
    grid = np.logspace(2, math.log10(0.499 * RATE_HZ), 8000)
    ours = margins.evaluate(grid, drive.loop_response(grid))
    # Its own margins of a sampled loop of this order are wrong (84 crossings), so its response is asked at ours.
    there = np.array([one.frequency_hz for one in ours.gain_crossings])
    at = np.asarray(control.frequency_response(total, 2 * math.pi * there).complex).ravel()
    np.testing.assert_allclose(np.abs(at), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.angle(-at), [one.margin for one in ours.gain_crossings], atol=1e-4)
    turned = np.array([one.frequency_hz for one in ours.phase_crossings])
    at = np.asarray(control.frequency_response(total, 2 * math.pi * turned).complex).ravel()
    np.testing.assert_allclose(at.imag / at.real, 0.0, atol=1e-4)
    np.testing.assert_allclose(-1 / at.real, [one.margin for one in ours.phase_crossings], rtol=1e-5)
    whole = np.asarray(control.frequency_response(total, 2 * math.pi * grid).complex).ravel()
    assert ours["MM"] == pytest.approx(np.abs(1 + whole).min(), rel=1e-5)


def test_the_margins_of_the_running_drive_come_back() -> None:
    """Excited at the error while it holds the track: crossing, PM, GM and Ms of the loop within U."""
    signal = excitation.multisine(np.unique(np.rint(np.geomspace(8, 900, 160)).astype(int)), period=2016, rate_hz=RATE_HZ, peak=1.0)
    loop = drive.DualLoop(noise=1e-4, seed=3)
    w = signal.repeated(8)
    given, seen = loop.advance(w, np.zeros(w.size))
    found = closed_loop.indirect(w, given, seen, rate_hz=RATE_HZ, period=2016, drop=4, lines=signal.lines, input_unit="", output_unit="")
    np.testing.assert_allclose(found.loop.response, drive.loop_response(found.loop.frequency_hz), rtol=0.02, atol=2e-3)
    measured = margins.of_response(found.loop)
    grid = np.logspace(2.3, math.log10(22_400), 8000)
    truth = margins.evaluate(grid, drive.loop_response(grid))
    for key in ("f_L_first", "PM", "GM_up", "Ms"):
        value, true = measured[key], truth[key]
        assert value is not None and true is not None, key
        # between two of 160 lines, 4 % apart, lies the interpolation's share
        assert abs(value - true) <= 1.5 * float(measured.figures[key].uncertainty or 0) + 0.01 * abs(true), (key, value, true)
