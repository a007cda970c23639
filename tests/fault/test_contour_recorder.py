"""A recorder that fails while a part program runs: said in words, lost rows kept as a gap, nothing waited for without end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks.contour import Recording
from precision.benchmarks.execution import execute
from precision.benchmarks.plan_files import checked
from precision.drivers.lab import process
from precision.drivers.roles import Block, Channel
from precision.errors import DeviceError, DeviceFault, LinkLost
from precision.runs.directory import RunDirectory, run_folders


class Stream:
    """A recorder that says what it is given, then signs of life."""

    identity = "a recorder"
    channels = (Channel("x_cmd", "m"), Channel("y_cmd", "m"), Channel("x_fb", "m"), Channel("y_fb", "m"))
    rate_hz = 1000.0

    def __init__(self, says: list[Block | Exception | None]) -> None:
        self._says: Iterator[Block | Exception | None] = iter(says)
        self._next = 0

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...

    def read(self, timeout_s: float) -> Block | None:
        said = next(self._says, Block(first_sample=self._next, t_ns=0, values=np.empty((0, 4))))
        if isinstance(said, Exception):
            raise said
        if said is not None:
            self._next = said.first_sample + len(said.values)
        return said


def rows(first: int, count: int, *, speed: float, lost: int = 0, start: float = 0.0) -> Block:
    x = start + speed * 1e-3 * np.arange(1, count + 1)
    return Block(first_sample=first, t_ns=first * 1_000_000, values=np.stack([x, 0 * x, x, 0 * x], axis=1), lost=lost, reason="overrun" if lost else "")


class Kept:
    """What a recording wrote, in its order."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self.gaps: list[tuple[int, str, int]] = []

    def write(self, samples: np.ndarray, values: np.ndarray) -> None:
        assert len(samples) == len(values) > 0
        self.samples += samples.tolist()

    def gap(self, reason: str, count: int) -> None:
        self.gaps.append((len(self.samples), reason, count))


def recording(says: list[Block | Exception | None]) -> tuple[Recording, Kept]:
    kept = Kept()
    return Recording(Stream(says), kept.write, kept.gap, tail_s=0.1), kept


def test_what_is_kept_ends_half_a_dwell_after_the_last_motion() -> None:
    moving, standing = rows(0, 500, speed=0.05), rows(500, 400, speed=0.0, start=0.025)
    for pieces in ([moving, standing], [moving, rows(500, 150, speed=0.0, start=0.025), rows(650, 250, speed=0.0, start=0.025)]):
        listening, kept = recording(list(pieces))
        assert listening.ended() == []
        assert kept.samples == list(range(600))  # whatever blocks they came in


def test_lost_rows_are_a_gap_and_numbers_go_on() -> None:
    listening, kept = recording([rows(0, 300, speed=0.05), rows(340, 200, speed=0.05, start=0.017, lost=40), rows(540, 300, speed=0.0, start=0.027)])
    assert listening.ended() == [("overrun", 40)]
    assert kept.samples[299:301] == [299, 340]
    assert kept.gaps == [(300, "overrun", 40)]


def test_what_was_recorded_before_a_link_was_lost_is_written() -> None:
    listening, kept = recording([rows(1500 * k, 1500, speed=0.05, start=0.075 * k) for k in range(3)] + [LinkLost("the cable is out")])
    with pytest.raises(LinkLost):
        listening.ended()
    assert kept.samples == list(range(4500))


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ([rows(0, 100, speed=0.05), None], DeviceFault, "ended its stream while the program ran"),
        ([rows(0, 100, speed=0.05), LinkLost("the cable is out")], LinkLost, "the cable is out"),
        ([rows(0, 800, speed=0.0)], DeviceFault, "saw no motion"),
        ([], DeviceFault, "gave no sample"),
    ],
)
def test_a_recorder_that_fails_is_said_to_have(says: list[Block | Exception | None], error: type[DeviceError], words: str) -> None:
    with pytest.raises(error, match=words):
        recording(says)[0].ended()


def test_an_alarm_in_the_middle_of_the_program_stops_the_run_and_keeps_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = process.start
    monkeypatch.setattr(process, "start", lambda **given: begin(**given, faults=[{"device": "controller", "kind": "alarm", "after": 400}]))
    with pytest.raises(DeviceFault, match="ALARM:1"):
        execute(checked("contour", ["program.piece=square", "program.size=20 mm"]), tmp_path)
    (run,) = run_folders(tmp_path)
    kept = RunDirectory.open(run.name, tmp_path)
    assert kept.manifest.status == "ABORTED"
    assert "ALARM:1" in (kept.manifest.reason or "")
