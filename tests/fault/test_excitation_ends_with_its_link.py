"""A program that excites a plant is killed: the plant's controller sees the link end, and takes the excitation away by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.lab.plant_serve import PlantSession, device
from precision.runs.directory import RunDirectory, run_folders

WITHIN_S = 60.0


class Watched(FrameSimulator):
    """The plant of a client; polled while its link is there, and nobody advances it afterwards."""

    made: list[tuple[PlantSession, Watched]] = []  # noqa: RUF012

    def __init__(self, session: PlantSession) -> None:
        super().__init__(session.header, self._rows_of(session), time_scale=1.0, controls=session.controls)
        self.excited = 0
        """Samples so far in which the excitation was not 0."""
        Watched.made.append((session, self))

    def _rows_of(self, session: PlantSession) -> Callable[[int, int], np.ndarray]:
        def rows(first: int, count: int) -> np.ndarray:
            found = session.rows(first, count)
            self.excited += int(np.count_nonzero(found[:, 0]))
            return found

        return rows


def eventually(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.01)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_kill_minus_nine_of_the_run_ends_the_excitation(tmp_path: Path) -> None:
    simulated = device("eighth-order", 1)
    Watched.made.clear()
    with FrameServer(lambda: Watched(PlantSession(simulated))) as plant:
        command = [sys.executable, "-m", "precision", "run", "frf", "--yes", "--out", str(tmp_path), "--set", f"devices.plant.address={plant.address}"]
        settings = ["excitation.low=2 Hz", "excitation.resolution=2 Hz", "excitation.settle=1", "excitation.periods=100"]
        run = subprocess.Popen([*command, *(part for one in settings for part in ("--set", one))], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            # well beyond the probe of 3 periods of 0.5 s: the whole excitation is on
            eventually(lambda: run.poll() is not None or (Watched.made and Watched.made[0][1].session.state == "running" and Watched.made[0][0]._wave.size
                                                         and np.abs(Watched.made[0][0]._wave).max() > 19 and Watched.made[0][1].excited > 1000), "the excitation began")  # fmt: skip
            assert run.poll() is None, run.communicate()[0]
            run.send_signal(signal.SIGKILL)
            run.wait()
            time.sleep(0.5)  # the server has seen the end of the link
            before = Watched.made[0][1].excited
            time.sleep(0.3)
            assert Watched.made[0][1].excited == before  # nothing is excited any more
        finally:
            run.kill()
            run.communicate()
        # Who connects next finds a plant at rest, without a signal.
        from precision.drivers import open_stream

        stream = open_stream("frames", plant.address)
        try:
            assert stream.ask("hold")["samples"] == 0  # type: ignore[attr-defined]
        finally:
            stream.close()
    (folder,) = run_folders(tmp_path)
    assert RunDirectory.open(folder).manifest.status == "RUNNING"  # as a dead run says: `precision runs recover` takes it from here
