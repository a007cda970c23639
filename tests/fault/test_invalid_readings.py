"""A reading that is none is kept with its reason, repeated or refused as the plan says, and never evaluated."""

from __future__ import annotations

import math
import re
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import (
    APPROACH,
    BEAM_LOST,
    MEASURED,
    NOT_SETTLED,
    STALE,
    Rig,
    acquire,
)
from precision.benchmarks.positioning_evaluation import analyse, attempts
from precision.benchmarks.positioning_plan import Parameters
from precision.cli import _exit_code
from precision.drivers.lab import process
from precision.drivers.roles import Environment, Reading
from precision.errors import BeamLost, DeviceFault
from precision.runs.directory import RunDirectory, run_folders


class Machine:
    """A perfect axis, an interferometer on it, and what is done to its readings."""

    identity = "a machine"
    compensates_air = False
    homed = True

    def __init__(self, spoil: Callable[[int, float], Reading]) -> None:
        self.x_m = self.zero_m = 0.0
        self.reads = 0
        self.spoil = spoil

    def close(self) -> None: ...
    def home(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def dwell(self, duration_s: float) -> None: ...

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        return {"X": (0.0, 1.0)}

    def max_feed(self) -> Mapping[str, float]:
        return {"X": 1.0}

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        self.x_m = position_m["X"]

    def position(self) -> Mapping[str, float]:
        return {"X": self.x_m}

    def set_averaging(self, duration_s: float) -> float:
        return duration_s

    def reset(self) -> None:
        self.zero_m = self.x_m

    def displacement(self) -> Reading:
        self.reads += 1
        return self.spoil(self.reads, self.x_m - self.zero_m)

    def read(self) -> Environment:
        return Environment(air_temperature_k=293.15, air_pressure_pa=101325.0, relative_humidity=0.5, material_temperature_k=293.15, t_mono_ns=0)


class Rows:
    """A capture in memory."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def append_and_wait(self, block: Mapping[str, Any]) -> int:
        self.rows.append(block)
        return len(self.rows)

    def columns(self) -> dict[str, Any]:
        return {name: np.concatenate([row[name] for row in self.rows]) for name in self.rows[0]}


def measured(spoil: Callable[[int, float], Reading], *settings: str) -> tuple[Parameters, Rows, list[str]]:
    """A test of 2 targets, 2 runs, on a machine whose readings are spoiled; each approach reads three times unless it has to wait or repeat."""
    plan = checked("positioning", ["targets.count=2", "targets.random_offset=0 %", "cycle.runs=2", "evaluation.refractive_index=off", *settings])
    assert isinstance(plan, Parameters)
    machine, rows, said = Machine(spoil), Rows(), []
    try:
        acquire(plan, Rig(machine, machine, machine), rows, log=lambda event, **details: said.append(f"{event} {details.get('reason', '')}"))
    finally:
        measured.rows = rows  # type: ignore[attr-defined]
    return plan, rows, said


BLIND = "cycle.plausible_deviation=2 m"
"""A plan that finds any reading plausible: a frozen instrument is then noticed by its digits alone."""


def good(value_m: float) -> Reading:
    return Reading(value=value_m, t_mono_ns=1)


def bad(reason: str) -> Reading:
    return Reading(value=math.nan, t_mono_ns=1, valid=False, reason=reason)


def test_an_approach_that_does_not_settle_is_repeated_and_only_the_good_one_counts() -> None:
    def wanders(number: int, value_m: float) -> Reading:
        return good(value_m + (1e-3 * number if 4 <= number <= 30 else 0.0))

    plan, rows, said = measured(wanders)
    columns = rows.columns()
    outcomes = columns["outcome"][columns["phase"] == APPROACH].tolist()
    assert outcomes.count(MEASURED) == 8 and outcomes.count(NOT_SETTLED) == 1 and outcomes.count(STALE) == 0
    assert sum("not settled" in line for line in said) == 1
    analysis = analyse(plan, columns)
    assert attempts(columns) == 1
    assert float(np.abs(analysis.recording.deviation).max()) < 1e-12 and analysis.missing == 0


def test_an_approach_that_never_settles_stops_the_run() -> None:
    with pytest.raises(DeviceFault, match="no settled reading in 3 approaches"):
        measured(lambda number, value_m: good(value_m + 1e-3 * number))
    with pytest.raises(DeviceFault, match="no settled reading in 1 approaches"):
        measured(lambda number, value_m: good(value_m + 1e-3 * number), "cycle.repeats=0")


@pytest.mark.parametrize("number", [4, 5, 6], ids=["before settling", "within settling", "the reading itself"])
def test_one_lost_beam_stops_the_run_since_the_zero_is_lost_with_it(number: int) -> None:
    with pytest.raises(BeamLost, match="zero is lost"):
        measured(lambda n, value_m: bad("beam lost") if n >= number else good(value_m))
    columns = measured.rows.columns()  # type: ignore[attr-defined]
    last = {name: column[-1] for name, column in columns.items()}
    assert last["outcome"] == BEAM_LOST and math.isnan(last["displacement_m"])
    assert int((columns["outcome"] == MEASURED).sum()) == 1


def test_a_beam_that_was_lost_between_two_good_readings_is_not_overlooked() -> None:
    """The driver holds a loss until the next reset; what a fake without that memory shows is that one bad look is enough for no MEASURED row."""
    try:
        measured(lambda n, value_m: bad("a moment without signal") if n == 5 else good(value_m))
    except (BeamLost, DeviceFault):
        pass
    columns = measured.rows.columns()  # type: ignore[attr-defined]
    second = columns["phase"] == APPROACH
    assert columns["outcome"][second][1] != MEASURED


def test_a_frozen_instrument_is_noticed_at_the_next_target() -> None:
    with pytest.raises(DeviceFault, match="reading of another target, to its last digit"):
        measured(lambda n, value_m: good(0.123456789012), BLIND)
    columns = measured.rows.columns()  # type: ignore[attr-defined]
    assert columns["outcome"][columns["phase"] == APPROACH].tolist() == [MEASURED, STALE, STALE, STALE]


def test_a_frozen_instrument_is_refused_by_the_ready_plan_too() -> None:
    with pytest.raises(DeviceFault, match="the interferometer saw"):
        measured(lambda n, value_m: good(0.123456789012))


def test_a_value_that_comes_back_at_the_same_target_is_a_reading() -> None:
    _, rows, _ = measured(lambda n, value_m: good(value_m))  # a perfect machine reads the same from both sides
    assert attempts(rows.columns()) == 0


def test_an_interferometer_that_freezes_over_its_real_link_stops_the_run(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    frozen: list[bytes] = []

    def freeze(data: bytes) -> bytes:
        """Every displacement is the one that was read when the third target had been reached."""
        def same(match: re.Match[bytes]) -> bytes:
            frozen.append(match[0])
            return match[0] if len(frozen) < 7 else frozen[6]

        return re.sub(rb"(?<=\[0,)-?[0-9]{10,}", same, data)

    with process.start(seed=1) as lab, socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            client, _ = server.accept()
            host, port = lab.addresses["interferometer"].removeprefix("tcp://").split(":")
            with client, socket.create_connection((host, int(port))) as device:
                while request := client.recv(65536):
                    device.sendall(request)
                    client.sendall(freeze(device.recv(65536)))

        thread = threading.Thread(target=serve)
        thread.start()
        addresses = {"controller": lab.addresses["controller"], "interferometer": "tcp://{}:{}".format(*server.getsockname()), "environment": lab.addresses["environment"]}
        command = ["run", "positioning", "--yes", "--out", str(tmp_path), "--set", "devices.controller.options.settle_s=0.0", "--set", BLIND]
        for role, address in addresses.items():
            command += ["--set", f"devices.{role}.address={address}"]
        code = _exit_code(command)
        thread.join(10)
    assert code == 3, capfd.readouterr()
    assert "to its last digit" in capfd.readouterr().err
    (folder,) = run_folders(tmp_path)
    run = RunDirectory.open(folder)
    assert run.manifest.status == "ABORTED"
    outcomes = run.readings().columns["outcome"].tolist()
    assert outcomes[-3:] == [STALE] * 3
