"""Whatever ends a procedure that hands a signal to a controller: the signal is taken away first, and what was recorded is written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.exciting import excited, let_go
from precision.benchmarks.gathering import Gathered
from precision.benchmarks.guard import Interrupted
from precision.benchmarks.plan_files import checked
from precision.benchmarks.procedure import procedure_named
from precision.errors import DataError, LinkLost, PrecisionError, SafetyStop
from precision.runs.capture import Column

COLUMNS = (Column("t_s", "f8", "s"),)


class Plant:
    """Takes control lines; `hinder` is called with each."""

    def __init__(self, hinder: Callable[[str], None] = lambda line: None) -> None:
        self.said: list[str] = []
        self._hinder = hinder

    def ask(self, line: str) -> dict[str, Any]:
        self._hinder(line)
        self.said.append(line)
        return {"answer": line}

    def stop(self) -> None:
        self.ask("stop")


class Sink:
    """A disk that is full after so many blocks."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.rows, self._room = 0, room

    def append_and_wait(self, block: Mapping[str, Any]) -> int:
        if self._room == 0:
            raise DataError("the disk is full")
        self._room -= 1
        self.rows += len(block["t_s"])
        return 0

    def gap(self, reason: str, samples: int) -> int:
        return 0


def test_a_disk_that_is_full_does_not_keep_the_signal_at_the_plant() -> None:
    plant, kept = Plant(), Gathered(COLUMNS, Sink(0), rate_hz=1e5)
    with pytest.raises(SafetyStop) as told, excited(plant, kept):  # type: ignore[arg-type]
        kept.add(t_s=np.zeros(10))
        raise SafetyStop("beyond its travel")
    assert plant.said == ["stop", "wave clear"]
    assert "the last rows could not be written: the disk is full" in "".join(told.value.__notes__)


def test_what_was_recorded_before_a_stop_is_written_after_the_signal_was_taken_away() -> None:
    plant, sink = Plant(), Sink()
    kept = Gathered(COLUMNS, sink, rate_hz=1e5)
    with pytest.raises(Interrupted), excited(plant, kept):  # type: ignore[arg-type]
        kept.add(t_s=np.zeros(10))
        raise Interrupted(signal.SIGINT)
    assert plant.said == ["stop", "wave clear"] and sink.rows == 10


def test_no_more_than_a_second_of_rows_waits_for_the_disk() -> None:
    sink = Sink()
    kept = Gathered(COLUMNS, sink, rate_hz=100.0)
    for _ in range(25):
        kept.add(t_s=np.zeros(10))
    assert sink.rows == 200


def test_rows_whose_writing_was_interrupted_are_not_written_twice() -> None:
    class Interrupting(Sink):
        def append_and_wait(self, block: Mapping[str, Any]) -> int:
            super().append_and_wait(block)
            raise Interrupted(signal.SIGINT)

    sink = Interrupting()
    kept = Gathered(COLUMNS, sink, rate_hz=10.0)
    with pytest.raises(Interrupted), excited(Plant(), kept):  # type: ignore[arg-type]
        kept.add(t_s=np.zeros(10))
    assert sink.rows == 10


@pytest.mark.parametrize("because", [None, SafetyStop("beyond its travel")])
@pytest.mark.parametrize("when", ["stop", "wave clear"])
def test_ctrl_c_while_the_signal_is_being_taken_away_takes_it_away_all_the_same(because: PrecisionError | None, when: str) -> None:
    once = [when]

    def hinder(line: str) -> None:
        if line in once:
            once.remove(line)
            raise Interrupted(signal.SIGINT)

    plant = Plant(hinder)
    if because is None:
        with pytest.raises(Interrupted):
            let_go(plant, None)  # type: ignore[arg-type]
    else:
        let_go(plant, because)  # type: ignore[arg-type]
    assert plant.said == ["stop", "wave clear"]


def test_a_lost_link_and_ctrl_c_together_still_say_that_the_signal_is_there() -> None:
    seen: list[str] = []

    def hinder(line: str) -> None:
        seen.append(line)
        raise Interrupted(signal.SIGINT) if len(seen) == 1 else LinkLost("gone")

    with pytest.raises(Interrupted) as told:
        let_go(Plant(hinder), None)  # type: ignore[arg-type]
    assert "Switch the drive off" in "".join(told.value.__notes__)


@pytest.mark.parametrize("name", ["frf", "frf-mimo", "ilc", "step-response", "friction"])
def test_a_full_disk_in_any_of_these_procedures_ends_without_a_signal_at_the_plant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "frf": ["excitation.low=5 Hz", "excitation.resolution=5 Hz", "safety.probe=50 %"],
        "frf-mimo": ["excitation.low=5 Hz", "excitation.resolution=5 Hz", "safety.travel=0.05"],
        "ilc": ["learning.trials=2", "trajectory.dwell=0.2 s"],
        "step-response": ["steps.repeats=1"],
        "friction": ["reversal.cycles=0", "circle.speeds=[]"],
    }[name]
    plan = checked(name, settings)
    procedure = procedure_named(name)
    assert procedure.connect is not None and procedure.acquire is not None
    with procedure.connect(plan) as connected:
        plant, said = connected.rig.plant, []
        ask = plant.ask

        def heard(line: str, **options: Any) -> dict[str, Any]:
            said.append(line)
            answer: dict[str, Any] = ask(line, **options)
            return answer

        monkeypatch.setattr(plant, "ask", heard)
        with pytest.raises(DataError, match="the disk is full"):
            procedure.acquire(plan, connected.rig, Sink(0), log=lambda event, **details: None, progress=lambda done, total: None)
    cleared = {
        "frf": ["wave clear"], "frf-mimo": ["wave_1 clear", "wave_2 clear"], "ilc": ["feed_forward clear", "reference clear"],
        "step-response": ["set clear", "wave clear"], "friction": ["set clear", "wave clear"],
    }[name]  # fmt: skip
    assert said[-len(cleared) :] == cleared and said[-len(cleared) - 1] == "stop"
