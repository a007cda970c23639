"""Records that no axis makes, streams that end or fall silent: judged, or refused in words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.benchmarks.tracking import Listening
from precision.benchmarks.tracking_evaluation import analyse
from precision.benchmarks.tracking_plan import Recorded, Recording
from precision.benchmarks.tracking_procedure import PROCEDURE
from precision.drivers.roles import Block, Channel
from precision.errors import DataError, DeviceFault, LinkLost, PrecisionError

PLAN = Recorded(recording=Recording(axes=("X",), unit="m"))


def _readings(command: np.ndarray, feedback: np.ndarray, **more: np.ndarray) -> dict[str, np.ndarray]:
    n = command.size
    empty = {"tool": np.full(n, np.nan), "reported": np.full(n, np.nan), "line": np.full(n, -1)}
    return {"series": np.zeros(n, dtype=np.int64), "t_s": np.arange(n) * 1e-3, "command": command, "feedback": feedback, **empty, **more}


def _shapes(kind: str, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {
        "steps": np.repeat(rng.normal(size=n // 50 + 1), 50)[:n],
        "walk": np.cumsum(rng.normal(size=n)) * 1e-5,
        "noise": rng.normal(size=n) * 1e-9,
        "ramp": np.linspace(0, 0.1, n),
        "tiny": np.arange(n) * 1e-12,
        "jump": (np.arange(n) > n // 2) * 0.05,
        "huge": np.sin(np.arange(n) / 30) * 9e5,
        "still": np.full(n, 0.3),
        "saw": np.abs((np.arange(n) % 400) - 200) * 1e-5,
        "alternating": (-1.0) ** np.arange(n) * 1e-3,
    }
    return made[kind]


KINDS = ("steps", "walk", "noise", "ramp", "tiny", "jump", "huge", "still", "saw", "alternating")


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.integers(3, 1500), st.integers(0, 50), st.booleans())
def test_any_record_is_judged_or_refused(command: str, feedback: str, n: int, seed: int, lines: bool) -> None:
    more = {"line": np.arange(n) // 100, "reported": _shapes("noise", n, seed), "tool": _shapes("walk", n, seed)} if lines else {}
    readings = _readings(_shapes(command, n, seed), _shapes(feedback, n, seed + 1), **more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = analyse(PLAN, readings)
        except PrecisionError as error:
            assert len(str(error)) > 20
            return
    for one in found.figures.values():
        assert one.value is not None or (one.reason and len(one.reason) > 10)
        assert one.uncertainty is None or one.uncertainty >= 0


@pytest.mark.parametrize(("command", "feedback"), [("saw", "saw"), ("saw", "still"), ("walk", "noise"), ("jump", "ramp"), ("huge", "walk")])
def test_what_is_judged_has_a_report(command: str, feedback: str) -> None:
    readings = _readings(_shapes(command, 1200, 1), _shapes(feedback, 1200, 2), line=np.arange(1200) // 100)
    manifest: Any = SimpleNamespace(created_utc="2026-01-01T00:00:00Z", instruments={}, versions={}, run_id="x", plan_sha256="0", capture_sha256="0", simulated=False)
    evaluation = PROCEDURE.evaluate(PLAN, readings, manifest)
    assert evaluation.document.charts and evaluation.result["lines"]


def test_numbers_that_are_missing_are_a_gap_and_a_record_without_feedback_is_none() -> None:
    command = _shapes("saw", 1000, 0)
    holes = command.copy()
    holes[400:410] = np.nan
    with pytest.raises(DataError, match="10 samples missing"):
        analyse(PLAN, _readings(command, holes))
    with pytest.raises(DataError, match="holds no feedback"):
        analyse(PLAN, _readings(command, np.full(1000, np.nan)))


class Stream:
    """Blocks of command and feedback, then what is told: None, or an error."""

    channels = (Channel("x_cmd", "m"), Channel("x_fb", "m"))
    rate_hz = 1000.0
    identity = "a stream"

    def __init__(self, blocks: Sequence[np.ndarray], end: Exception | None = None, *, lost: int = 0, silent: bool = False) -> None:
        self._blocks, self._end, self._lost = iter(blocks), end, lost
        self._at, self._silent = 0, silent

    def start(self) -> None:
        self._at = 0

    def stop(self) -> None:
        self._at = 0

    def close(self) -> None:
        self._at = 0

    def read(self, timeout_s: float) -> Block | None:
        values = next(self._blocks, np.empty(0) if self._silent else None)
        if values is None:
            if self._end is not None:
                raise self._end
            return None
        self._at += self._lost
        block = Block(first_sample=self._at, t_ns=self._at * 1_000_000, values=np.stack([values, values], axis=1), lost=self._lost, reason="overrun" if self._lost else "")
        self._at += len(values)
        return block


def _to_and_fro(then_s: float = 1.0) -> np.ndarray:
    up, down = np.linspace(0, 0.1, 500), np.linspace(0.1, 0, 500)
    return np.concatenate([np.zeros(300), up, np.full(300, 0.1), down, np.zeros(round(then_s * 1000))])


def _heard(stream: Stream, traverses: int = 2) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int]]]:
    return Listening(stream, traverses=traverses, stroke_m=0.1, tail=100, commands=[0]).heard()


def _pieces(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (values[start : start + size] for start in range(0, values.size, size))


@pytest.mark.parametrize("size", [1, 7, 256, 5000])
def test_a_record_ends_where_its_readings_say_whatever_the_blocks_are(size: int) -> None:
    samples, values, lost = _heard(Stream(list(_pieces(_to_and_fro(), size))))
    # Down at sample 1600 (the last of the ramp is 0), and then 100 more that stand.
    assert samples.tolist() == list(range(1700)) and values.shape == (1700, 2) and not lost


def test_what_a_stream_loses_is_told_with_its_reason() -> None:
    samples, _, lost = _heard(Stream(list(_pieces(_to_and_fro(), 400)), lost=3))
    assert lost[0] == ("overrun", 3) and samples[0] == 3 and samples[400] == 406


def test_a_stream_that_ends_or_breaks_is_an_error() -> None:
    with pytest.raises(DeviceFault, match="ended within the motion"):
        _heard(Stream(list(_pieces(_to_and_fro(), 400))[:3]))
    with pytest.raises(LinkLost, match="gone"):
        _heard(Stream([np.zeros(10)], LinkLost("the link is gone; connect again")))


def test_a_stream_of_another_machine_is_told_by_its_command() -> None:
    with pytest.raises(DeviceFault, match=r"lacks 2 traverses past 50\.000 mm"):
        _heard(Stream([np.zeros(100)], silent=True))
    with pytest.raises(DeviceFault, match="no sample"):
        _heard(Stream([], silent=True))
