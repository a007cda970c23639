"""Threads of the plain NumPy tier: results do not depend on how many there are, and none waits for one that has failed."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from precision.kernels import compiled, quadrature, threads
from precision.kernels.allan import allan_deviation
from precision.kernels.moving import moving_mean_std
from precision.kernels.quadrature import PhaseState, unwrapped_phase
from precision.kernels.volumetric import AxisErrors, GeometricErrors, volumetric_error_grid

MANY = 700_003


@pytest.fixture
def with_threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """with_threads(n, run): what `run()` gives in the plain tier with n threads, whatever the size."""
    monkeypatch.setenv(compiled.SWITCH, "off")
    monkeypatch.setattr(threads, "FROM", 1)

    def run_with(n: int, run: Any) -> Any:
        monkeypatch.setenv(threads.SWITCH, str(n))
        return run()

    return run_with


def signals(n: int) -> tuple[np.ndarray, np.ndarray]:
    theta = np.cumsum(np.random.default_rng(1).uniform(-2.0, 2.2, n))
    return np.cos(theta), np.sin(theta)


def grid() -> np.ndarray:
    node, rng = np.linspace(0.0, 1.0, 11), np.random.default_rng(4)
    x, y, z = (AxisErrors(node, *rng.normal(size=(2, 3, 11))) for _ in range(3))
    found: np.ndarray = volumetric_error_grid(GeometricErrors(x, y, z, 1.0, 2.0, 3.0), *(np.linspace(0, 1, 70),) * 3, chain="FXYZ")
    return found


RUNS: dict[str, Any] = {
    "moving": lambda: moving_mean_std(np.random.default_rng(0).normal(size=(3, MANY // 3)) + 5.0, 100),
    "moving, weighted": lambda: moving_mean_std(np.random.default_rng(0).normal(size=MANY), (1.0, 2.0, 1.0)),
    "phase": lambda: (unwrapped_phase(*signals(MANY))[0],),
    "overlapping Allan": lambda: (allan_deviation(np.random.default_rng(2).normal(size=MANY), interval_s=1.0, data_type="phase").deviation,),
    "modified Allan": lambda: (allan_deviation(np.random.default_rng(2).normal(size=MANY), interval_s=1.0, data_type="rate", kind="mdev").deviation,),
    "grid": lambda: (grid(),),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_results_are_the_same_bits_with_any_number_of_threads(with_threads: Any, name: str) -> None:
    alone = with_threads(1, RUNS[name])
    for workers in (2, 3, 7):
        for one, other in zip(alone, with_threads(workers, RUNS[name]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_gaps_are_counted_once_whatever_thread_they_are_in(with_threads: Any) -> None:
    x = np.random.default_rng(3).normal(size=MANY)
    x[[5, 65_535, 65_536, 400_000]] = np.nan
    alone, shared = (with_threads(n, lambda: allan_deviation(x, interval_s=1.0, data_type="rate", averages=[1, 3, 1000])) for n in (1, 3))
    np.testing.assert_array_equal(alone.deviation, shared.deviation)
    np.testing.assert_array_equal(alone.terms, shared.terms)
    assert alone.terms[0] == MANY - 1 - (2 + 3 + 2)  # a gap takes the two differences that it is in; two neighbours share one


@pytest.mark.parametrize("lost", [0, 131_071, 131_072, 300_000, MANY - 1])
def test_a_lost_signal_stays_lost_in_the_blocks_of_other_threads(with_threads: Any, lost: int) -> None:
    s, c = signals(MANY)
    s[lost] = np.nan
    phase, state = with_threads(3, lambda: unwrapped_phase(s, c, state=PhaseState(0.0, 5)))
    assert np.isnan(phase[lost:]).all() and np.isfinite(phase[:lost]).all()
    assert np.isnan(state.angle_rad) and state.turns == 5
    again, _ = with_threads(3, lambda: unwrapped_phase(s, c, state=state))
    assert np.isnan(again).all()


def test_a_block_that_fails_ends_all_threads_with_its_error(with_threads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    original = quadrature._half_turns

    def failing(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == 3:
            raise RuntimeError("of the third block")
        return original(*arguments, **named)

    monkeypatch.setattr(quadrature, "_half_turns", failing)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="of the third block"):
        with_threads(3, lambda: unwrapped_phase(*signals(MANY)))
    assert threading.active_count() == before


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused_by_name(with_threads: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"PRECISION_THREADS is '{text}'; expected a number of threads, 1 or more"):
        with_threads(text, RUNS["phase"])


def test_few_elements_stay_in_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.SWITCH, "4")
    assert threads.workers_for(threads.FROM - 1) == 1
    assert threads.workers_for(threads.FROM) == 4
    assert threads.side_by_side(lambda worker, workers: (worker, workers, threading.current_thread()), 1) == [(0, 1, threading.current_thread())]
