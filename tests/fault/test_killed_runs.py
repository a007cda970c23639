"""Whole runs, killed with SIGKILL at random moments: no acknowledged reading is lost, and the machine stands every time."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from precision.drivers.lab import process
from precision.errors import DataError
from precision.runs.directory import RunDirectory

pytest.importorskip("pty", reason="no kill -9 on this system")

VICTIM = Path(__file__).with_name("run_victim.py")
PLAN = [
    "targets.count=2", "targets.random_offset=0 %", "cycle.runs=3", "cycle.dwell=0 s", "cycle.settling_interval=0.1 s", "cycle.averaging=0.1 s",
]  # fmt: skip
ROWS = 15
"""Of a whole run: 12 approaches, and the environment three times."""


LANES: Final = 2
"""Labs that runs are killed on side by side."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What was found after one kill. rows : acknowledged readings; lost : of them not on the disk; stopped : the supervisor has acted."""

    rows: int
    lost: int
    stopped: bool


def test_kill_9_of_a_run_loses_no_acknowledged_reading_and_leaves_the_machine_standing(
    tmp_path: Path, slow: bool, until: Any, seen: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = 1000 if slow else 200
    with ThreadPoolExecutor(LANES) as lanes:
        done = [lanes.submit(killed, tmp_path / f"lane{lane}", kills // LANES, random.Random(20261123 + lane), until) for lane in range(LANES)]
        found = [kill for lane in done for kill in lane.result()]
    acknowledged, lost, stopped = (sum(getattr(kill, what) for kill in found) for what in ("rows", "lost", "stopped"))
    with capsys.disabled():
        print(
            f"\n{kills} runs killed: {acknowledged} acknowledged readings, {lost} lost; {stopped} stops by the supervisor; "
            f"{sum(kill.rows > 0 for kill in found)} killed after the first reading"
        )
    assert len(found) == kills and lost == 0
    # The kills fell where something was at stake, not all before or after it.
    assert sum(0 < kill.rows < ROWS for kill in found) > kills / 5, [kill.rows for kill in found]
    assert stopped > kills / 5
    seen(22, f"kill -9 of a whole run at a random moment, {kills} times", "machine at standstill every time", "see above", f"{lost} of {acknowledged}")


def killed(folder: Path, kills: int, chance: random.Random, until: Any) -> list[Kill]:
    """Start and kill so many runs on a lab of their own, one after the other."""
    folder.mkdir()
    found: list[Kill] = []
    # TCP: a link that is gone when the supervisor has left, so that one can wait for that.
    with process.start(seed=2, time_scale=math.inf, controller="tcp") as lab:
        settings = [*(f"devices.{role}.address={lab.addresses[role]}" for role in ("controller", "interferometer", "environment")), *PLAN]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        with subprocess.Popen([sys.executable, str(VICTIM), json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment) as zygote:
            assert zygote.stdin is not None and zygote.stdout is not None
            whole_s, reading_s = durations(zygote, folder)
            until(lambda: lab.state()["clients"]["controller"] == 0, "the end of the first run")
            for number in range(kills):
                out, said = folder / f"{number}", folder / f"{number}.said"
                zygote.stdin.write(f"{out} {said}\n")
                victim = int(zygote.stdout.readline())
                began = time.monotonic()
                if number % 2:  # half of the kills while it reads, the others at any moment of the run
                    while not (said.exists() and said.read_bytes()) and time.monotonic() < began + 1.1 * whole_s:
                        time.sleep(0.001)
                    time.sleep(chance.uniform(0.0, 1.1 * reading_s))
                else:
                    time.sleep(chance.uniform(0.0, 1.1 * whole_s))
                os.kill(victim, signal.SIGKILL)
                zygote.stdout.readline()
                until(lambda: lab.state()["clients"]["controller"] == 0, "the supervisor's end")
                assert not lab.state()["moving"]
                kill = Kill(*examined(out, said))
                found.append(kill)
                # The computer may have become faster or slower since: about one kill in eleven shall come too late.
                change = 0.9 if kill.rows == ROWS else 1.01
                reading_s, whole_s = (reading_s * change, whole_s) if number % 2 else (reading_s, whole_s * change)
            zygote.stdin.close()
    return found


def durations(zygote: subprocess.Popen[str], folder: Path) -> tuple[float, float]:
    """Time from the start of a run to its last reading, and from its first reading to the last, here and now: kills are spread over them."""
    assert zygote.stdin is not None and zygote.stdout is not None
    for number in range(2):  # the first is slower
        said = folder / f"whole{number}.said"
        began = first = time.monotonic()
        zygote.stdin.write(f"{folder / f'whole{number}'} {said}\n")
        zygote.stdout.readline()
        while (lines := said.read_bytes().count(b"\n") if said.exists() else 0) < ROWS:
            assert time.monotonic() < began + 60
            first = first if lines else time.monotonic()
            time.sleep(0.002)
        ended = time.monotonic()
        assert zygote.stdout.readline() == "0\n"
    return ended - began, ended - first


def examined(out: Path, said: Path) -> tuple[int, int, bool]:
    """Acknowledged rows, how many of them the disk does not hold, and whether the supervisor has acted."""
    told = [json.loads(line) for line in said.read_bytes().split(b"\n")[:-1]] if said.exists() else []
    folders = list(out.iterdir()) if out.exists() else []
    if not folders:
        assert not told
        return 0, 0, False
    (folder,) = folders
    acted = (folder / "supervisor.json").exists()
    try:
        run = RunDirectory.open(folder)
        columns = run.readings(unfinished=True).columns
    except DataError:
        assert not told  # killed before the manifest or the capture began
        return 0, 0, acted
    assert not run.running
    present = len(columns["phase"])
    assert present <= len(told) + 1, "more rows than were handed over"
    missing = max(0, len(told) - present)
    for index, row in enumerate(told[:present]):
        for name, value in row.items():
            here = columns[name][index].item()
            assert (here.hex() if isinstance(here, float) else here) == value, (folder, index, name)
    return len(told), missing, acted
