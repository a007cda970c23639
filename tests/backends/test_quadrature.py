"""Quadrature: every tier gives the definition's phases and sums, blocks give the whole, and the same error for the same mistake."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import compiled, ellipse, quadrature, quadrature_compiled
from precision.kernels.ellipse import Ellipse, EllipseFit, fit_ellipse, fit_ellipse_blocks
from precision.kernels.quadrature import PhaseState, corrected, unwrapped_phase, unwrapped_phase_blocks

TILTED = Ellipse(p=3.0, q=-2.0, radius=5.0, ratio=1.1, alpha_rad=0.05)


def signals(theta: np.ndarray, e: Ellipse = TILTED) -> tuple[np.ndarray, np.ndarray]:
    return e.p + e.radius * np.cos(theta), e.q + e.radius / e.ratio * np.sin(theta - e.alpha_rad)


def walk(n: int, seed: int = 0) -> np.ndarray:
    """Steps of up to a third of a turn, both ways, from within the first turn."""
    return np.cumsum(np.random.default_rng(seed).uniform(-2, 2.2, size=n))


def atol(phase: np.ndarray) -> float:
    """Signals to 1e-16 of their size twice over (offset, gain), the polynomial to 5e-16; the phase to one unit in its last place."""
    return 4e-15 + float(np.spacing(np.abs(phase).max(initial=1.0)))


@pytest.mark.parametrize("n", [1, 2, 5, 1000, 70_001])
def test_every_library_finds_the_phase_again(xp: Any, n: int) -> None:
    theta = walk(n)
    phase, state = unwrapped_phase(*(xp.asarray(v) for v in signals(theta)), ellipse=TILTED)
    np.testing.assert_allclose(xp.numbers(phase), theta, rtol=0, atol=atol(theta) + 1e-15 * np.abs(theta).max())
    assert state.turns == round((theta[-1] - state.angle_rad) / (2 * math.pi))


def test_all_angles_are_those_of_atan2(xp: Any) -> None:
    theta = np.linspace(-math.pi, math.pi, 100_001)
    radius = 10.0 ** np.linspace(-300, 300, theta.size)
    x, y = radius * np.cos(theta), radius * np.sin(theta)
    for i in range(0, 100_001, 9973):  # each on its own, so that nothing is unwrapped
        phase, _ = unwrapped_phase(xp.asarray(x[i : i + 1]), xp.asarray(y[i : i + 1]))
        assert xp.numbers(phase)[0] == pytest.approx(math.atan2(y[i], x[i]), rel=0, abs=5e-16)
    phase, _ = unwrapped_phase(xp.asarray(x), xp.asarray(y))
    np.testing.assert_allclose(xp.numbers(phase), np.arctan2(y, x), rtol=0, atol=5e-16)


def test_angles_are_good_to_two_units_in_the_last_place(xp: Any) -> None:
    """Of angles up to π/8, which are those of the polynomial alone."""
    theta = np.linspace(-math.pi, math.pi, 200_003)[1:-1]
    x, y = np.cos(theta), np.sin(theta)
    phase, _ = unwrapped_phase(xp.asarray(x), xp.asarray(y))
    error = np.abs(xp.numbers(phase) - np.arctan2(y.astype(np.longdouble), x.astype(np.longdouble)))
    small = np.abs(theta) < math.pi / 8
    assert (error[small] <= 2 * np.spacing(np.abs(theta[small]))).all()
    # elsewhere π/4, π/2 and π come in, each rounded once, and so does each sum: half a unit of π is 2.2e-16
    assert error.max() <= 5e-16


def test_signals_of_a_converter_cross_their_offsets_exactly(xp: Any) -> None:
    """Whole numbers: cosine is 0 at many a sample, and now and then both signals are."""
    theta = walk(70_000, seed=3)
    s, c = np.round(3 * np.cos(theta)), np.round(3 * np.sin(theta))
    s[[100, 33_000, 69_999]] = c[[100, 33_000, 69_999]] = 0.0
    s, c = s + 2048.0, c + 2048.0
    e = Ellipse(p=2048.0, q=2048.0, radius=3.0, ratio=1.0, alpha_rad=0.0)
    angle = np.arctan2(c - 2048.0, s - 2048.0)
    exact = np.abs(np.abs(np.diff(angle)) - math.pi) < 1e-9  # half a turn: either way is right
    keep = np.concatenate(([True], np.cumsum(exact) == 0))
    phase, _ = unwrapped_phase(xp.asarray(s), xp.asarray(c), ellipse=e)
    np.testing.assert_allclose(xp.numbers(phase)[keep], np.unwrap(angle)[keep], rtol=0, atol=1e-9)
    assert keep.sum() > 5
    turned = (xp.numbers(phase) - angle) / (2 * math.pi)
    np.testing.assert_allclose(turned, np.round(turned), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "axis",
    [
        (1.0, 0.0, 0.0),
        (0.0, 1.0, math.pi / 2),
        (-1.0, 0.0, math.pi),
        (0.0, -1.0, -math.pi / 2),
        (-1.0, -0.0, -math.pi),
        (0.0, 0.0, 0.0),
    ],
)
def test_the_axes_are_exact(xp: Any, axis: tuple[float, float, float]) -> None:
    x, y, expected = axis
    phase, _ = unwrapped_phase(xp.asarray(np.array([x])), xp.asarray(np.array([y])))
    assert xp.numbers(phase)[0] == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, 40_000, 69_999])
def test_after_a_lost_signal_there_is_no_phase(xp: Any, bad: float, at: int) -> None:
    theta = walk(70_000)
    s, c = signals(theta)
    c[at] = bad
    phase, state = unwrapped_phase(xp.asarray(s), xp.asarray(c), ellipse=TILTED)
    phase = xp.numbers(phase)
    assert np.isnan(phase[at:]).all() and np.isfinite(phase[:at]).all()
    assert math.isnan(state.angle_rad)
    further, state = unwrapped_phase(xp.asarray(s[:9]), xp.asarray(s[:9]), state=state)
    assert np.isnan(xp.numbers(further)).all() and math.isnan(state.angle_rad)


@pytest.mark.parametrize("tier", ["0", "1"])
def test_blocks_give_the_whole_to_the_last_bit(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, tier)
    s, c = signals(walk(200_001))
    s[[69_999, 70_000, 120_000]], c[[69_999, 70_000, 120_000]] = TILTED.p, TILTED.q
    edges = [0, 1, 1, 3, 70_000, 140_001, 200_001]
    parts = [(s[a:b], c[a:b]) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(
        np.concatenate(list(unwrapped_phase_blocks(parts, ellipse=TILTED))), unwrapped_phase(s, c, ellipse=TILTED)[0]
    )
    assert fit_ellipse_blocks(parts) == fit_ellipse(s, c)


@pytest.mark.parametrize("lost", [None, 4095, 4096, 33_333, 69_999])
def test_parts_of_a_compiled_record_join(monkeypatch: pytest.MonkeyPatch, lost: int | None) -> None:
    """Turns are added to a part while the angles of the next are found."""
    if compiled.numba_or_none() is None:
        pytest.skip("numba is not installed: extra fast")
    s, c = signals(walk(70_000))
    if lost is not None:
        c[lost] = math.nan
    whole, state = unwrapped_phase(s, c, ellipse=TILTED)
    for part in (64, 4096, 10_048):
        monkeypatch.setattr(quadrature_compiled, "PART", part)
        phase, after = unwrapped_phase(s, c, ellipse=TILTED)
        np.testing.assert_array_equal(phase, whole)
        assert np.isnan(phase[lost:]).all() if lost is not None else after == state
        assert np.isfinite(phase[:lost]).all()


def test_the_state_carries_turns_from_block_to_block(xp: Any) -> None:
    quarter = np.arange(-8, 9) * math.pi / 2.5
    first, state = unwrapped_phase(
        xp.asarray(np.cos(quarter[:7])), xp.asarray(np.sin(quarter[:7])), state=PhaseState(-math.pi * 0.9, -3)
    )
    second, state = unwrapped_phase(xp.asarray(np.cos(quarter[7:])), xp.asarray(np.sin(quarter[7:])), state=state)
    joined = np.concatenate([xp.numbers(first), xp.numbers(second)])
    np.testing.assert_allclose(np.diff(joined), math.pi / 2.5, rtol=0, atol=1e-14)
    assert joined[0] - quarter[0] == pytest.approx(-4 * math.pi, abs=1e-14)


def test_no_samples_leave_the_state_as_it_is(xp: Any) -> None:
    state = PhaseState(1.0, 5)
    empty = xp.asarray(np.zeros(0))
    phase, after = unwrapped_phase(empty, empty, state=state)
    assert xp.numbers(phase).shape == (0,) and after == state


@pytest.mark.parametrize("n", [5, 40, 70_000, 200_000])
def test_every_library_finds_the_ellipse_again(xp: Any, n: int) -> None:
    theta = 2 * math.pi * 17 * np.arange(n) / n if n > 5 else 2 * math.pi * np.arange(n) / n
    found = fit_ellipse(*(xp.asarray(v) for v in signals(theta)))
    assert (found.samples, found.octants) == (n, 8)
    for name in ("p", "q", "radius", "ratio", "alpha_rad"):
        # sums of n products, each to 1e-16 of the range, in equations of condition below 100
        assert getattr(found, name) == pytest.approx(getattr(TILTED, name), abs=5e-13)
    x, y = (xp.numbers(v) for v in corrected(*(xp.asarray(v) for v in signals(theta)), TILTED))
    np.testing.assert_allclose(np.hypot(x, y), 5.0, rtol=1e-14)


def test_offset_and_start_at_rest_do_not_spoil_the_fit(xp: Any) -> None:
    """70 000 samples at one place first, so that the first block shows a point; signals of an ADC without sign."""
    big = Ellipse(p=2048.0, q=2040.0, radius=900.0, ratio=0.95, alpha_rad=-0.1)
    theta = np.concatenate([np.full(70_000, 0.3), np.linspace(0.3, 40.0, 100_000)])
    found = fit_ellipse(*(xp.asarray(v) for v in signals(theta, big)))
    for name in ("p", "q", "radius", "ratio", "alpha_rad"):
        # sums about the resting point, in units of next to nothing, lose the digits of the ratio of the two spreads
        assert getattr(found, name) == pytest.approx(getattr(big, name), rel=1e-7)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.linspace(0, 1.5, 500), "cover 2 of 8 octants|undetermined"),
        (np.linspace(0.1, 4.0, 50_000), "cover 6 of 8 octants; expected a whole turn"),
        (np.linspace(0, 3.0, 20), "samples that cover . of 8 octants"),
        (np.zeros(100), "undetermined"),
        (np.zeros(4), "have 4 samples; expected at least 5"),
    ],
)
def test_a_short_arc_is_refused(xp: Any, theta: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_ellipse(*(xp.asarray(v) for v in signals(theta)))


def test_a_short_arc_is_flagged_where_it_is_accepted(xp: Any) -> None:
    found = fit_ellipse(*(xp.asarray(v) for v in signals(np.linspace(0.1, 4.0, 500))), short_arc=True)
    assert found.octants == 6 and found.radius == pytest.approx(5.0, rel=1e-9)


def test_a_hyperbola_and_a_line_are_no_ellipse(xp: Any) -> None:
    t = np.linspace(-1, 1, 101)
    u = np.concatenate([np.cosh(t), -np.cosh(t)])
    v = np.concatenate([np.sinh(t), np.sinh(t)])
    with pytest.raises(ValueError, match="lie on no ellipse"):
        fit_ellipse(xp.asarray(u), xp.asarray(v))
    with pytest.raises(ValueError, match="undetermined"):
        fit_ellipse(xp.asarray(t), xp.asarray(2 * t))


@pytest.mark.parametrize(
    ("s", "c", "message"),
    [
        (np.zeros(5), np.zeros(6), r"sine has shape \(6,\) and cosine has shape \(5,\); expected the same"),
        (np.zeros((5, 2)), np.zeros((5, 2)), r"cosine has shape \(5, 2\); expected \(n,\)"),
        (np.zeros(5, bool), np.zeros(5), "cosine has shape .* dtype bool; expected real numbers"),
    ],
)
def test_a_mistake_is_named(xp: Any, s: np.ndarray, c: np.ndarray, message: str) -> None:
    for kernel in (unwrapped_phase, fit_ellipse):
        with pytest.raises(ValueError, match=message):
            kernel(xp.asarray(s, s.dtype), xp.asarray(c))


def test_samples_that_are_no_numbers_are_no_fit(xp: Any) -> None:
    s, c = signals(walk(100))
    s[3] = np.nan
    with pytest.raises(ValueError, match=r"have shape \(100,\) and hold NaN or infinities"):
        fit_ellipse(xp.asarray(s), xp.asarray(c))


def test_an_impossible_ellipse_is_refused(xp: Any) -> None:
    bad = Ellipse(p=0.0, q=0.0, radius=1.0, ratio=0.0, alpha_rad=0.0)
    with pytest.raises(ValueError, match="ratio and radius above 0"):
        unwrapped_phase(xp.asarray(np.ones(3)), xp.asarray(np.ones(3)), ellipse=bad)


def test_the_cuda_kernels_find_the_phase(cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 101 if cuda_on_cpu.tiny else 5003
    if cuda_on_cpu.tiny:
        monkeypatch.setattr(quadrature, "_THREADS", 16)
        monkeypatch.setattr(quadrature, "_TILE", 40)
    theta = walk(n)
    s, c = signals(theta)
    phase = np.full(n, np.nan)
    state = quadrature._cuda(s, c, TILTED.correction(), None, phase, xp=cuda_on_cpu.xp)
    np.testing.assert_allclose(phase, theta, rtol=0, atol=atol(theta) + 1e-15 * np.abs(theta).max())
    quadrature._cuda(s[::-1], c[::-1], TILTED.correction(), state, phase, xp=cuda_on_cpu.xp)
    np.testing.assert_allclose(phase, theta[::-1], rtol=0, atol=atol(theta) + 1e-15 * np.abs(theta).max())
    s[60] = np.nan
    state = quadrature._cuda(s, c, TILTED.correction(), None, phase, xp=cuda_on_cpu.xp)
    assert np.isnan(phase[60:]).all() and np.isfinite(phase[:60]).all() and math.isnan(state.angle_rad)


def test_the_cuda_kernel_adds_up_the_sums(cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 101 if cuda_on_cpu.tiny else 5003
    if cuda_on_cpu.tiny:
        monkeypatch.setattr(ellipse, "_THREADS", 16)
        monkeypatch.setattr(ellipse, "_BLOCKS", 2)
    s, c = signals(walk(n))
    frame = (3.0, -2.0, 5.0)
    sums = ellipse._cuda(s, c, frame, xp=cuda_on_cpu.xp)
    np.testing.assert_allclose(sums, ellipse._generic(s, c, frame, xp=np), rtol=1e-12, atol=1e-11)


def test_the_running_fit_can_be_asked_at_any_time() -> None:
    fit = EllipseFit()
    for start in range(0, 200, 20):
        fit.add(*signals(0.1 * np.arange(start, start + 20)))
    assert fit.result().radius == pytest.approx(5.0, rel=1e-12)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.floats(-3.1, 3.1), min_size=1, max_size=80), start=st.floats(-3.0, 3.0))
def test_any_motion_below_half_a_turn_a_sample_is_followed(xp: Any, steps: list[float], start: float) -> None:
    theta = start + np.concatenate([[0.0], np.cumsum(steps)])
    phase, _ = unwrapped_phase(*(xp.asarray(v) for v in signals(theta)), ellipse=TILTED)
    np.testing.assert_allclose(xp.numbers(phase), theta, rtol=0, atol=2e-14 + 1e-15 * np.abs(theta).max())
