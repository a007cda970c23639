"""Whatever ends a run, the machine stands afterwards, the run says why, and no acknowledged reading is lost.

The run is a process of its own; the lab is the test's, and is asked whether its machine moves.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from precision.drivers.lab.process import LabProcess

pytest.importorskip("pty", reason="no signals and no pseudo terminals on this system")


def aborted(child: Any, *, at_least: int, reason: str) -> None:
    """The run is closed with its reason, its capture is whole, and holds what could be read before."""
    run = child.run()
    assert run.manifest.status == "ABORTED"
    assert reason in run.manifest.reason
    readings = run.readings()
    assert readings.closed and not readings.damage
    assert int((readings.columns["phase"] == 2).sum()) >= at_least
    assert not run.running


SIGNALS = [
    (signal.SIGINT, 1, 130, "Ctrl-C"), (signal.SIGINT, 2, 130, "Ctrl-C twice"), (signal.SIGTERM, 1, 143, "SIGTERM"),
    (signal.SIGHUP, 1, 129, "SIGHUP (terminal gone)"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "times", "code", "name"), SIGNALS, ids=[case[3] for case in SIGNALS])
def test_a_signal_stops_the_machine_and_closes_the_run(
    number: signal.Signals, times: int, code: int, name: str, lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], seen: Any
) -> None:
    child = child_run()
    before = child.until_it_moves()
    began = time.perf_counter()
    for k in range(times):
        if k:
            time.sleep(0.01)  # within the clean-up
        os.kill(child.process.pid, number)
    until_standing(lab)
    stood = time.perf_counter() - began
    assert child.ended()[0] == code
    assert child.far_from_targets()  # stopped on its way, not arrived
    aborted(child, at_least=before, reason=number.name)
    # The handler runs at once, or when a look at the link is over (0.1 s at most); then the hold goes out. The rest is for a loaded computer.
    assert stood < 0.1 + 0.5
    seen(10, name, f"feed hold, standstill, reset; run ABORTED, exit {code}", stood, 0)


def test_a_run_that_is_killed_is_stopped_by_its_supervisor(
    lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], until: Any, seen: Any
) -> None:
    child = child_run()
    before = child.until_it_moves()
    child.process.kill()
    stood = until_standing(lab)
    run = child.run()
    until(lambda: (run.path / "supervisor.json").exists(), "the supervisor's record")
    assert not lab.state()["moving"] and child.far_from_targets()
    assert run.manifest.status == "RUNNING" and not run.running
    assert int((run.readings(unfinished=True).columns["phase"] == 2).sum()) >= before
    assert stood < 0.5
    seen(20, "kill -9 of the run, in motion (also: no memory left, crash)", "the supervisor stops; run listed as RUNNING (dead)", stood, 0)


def test_a_run_that_is_suspended_in_motion_is_stopped_by_its_supervisor_and_ends_itself_when_it_wakes(
    lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], until: Any, seen: Any
) -> None:
    child = child_run()
    before = child.until_it_moves()
    os.kill(child.process.pid, signal.SIGSTOP)
    stood = until_standing(lab)
    folder = child.folder()
    until(lambda: (folder / "supervisor.json").exists(), "the supervisor's record")
    os.kill(child.process.pid, signal.SIGCONT)
    code, said = child.ended()
    assert code == 5, said
    aborted(child, at_least=before, reason="held up for more than 0.5 s")
    assert not lab.state()["moving"] and child.far_from_targets()
    # Its patience (0.5 s), one look (0.02 s), and what a loaded computer adds; the last sign of life came before the signal.
    assert stood < 0.5 + 0.02 + 0.5
    seen(21, "the run is suspended or gets no processor in motion (SIGSTOP)", "the supervisor stops after 0.5 s of silence; run ABORTED when it wakes, exit 5", stood, 0)


DEVICE_FAULTS = [
    ("controller", {"kind": "alarm"}, "ALARM:1", "controller trips (ALARM:1)"),
    ("controller", {"kind": "reset"}, "", "controller restarts in mid-motion"),
    ("controller", {"kind": "garbage", "count": None}, "", "noise from the controller"),
    ("controller", {"kind": "half_line", "count": None}, "", "half lines from the controller"),
    ("controller", {"kind": "nan", "count": None}, "", "positions that are not numbers"),
    ("interferometer", {"kind": "silence", "count": None}, "no answer", "interferometer silent"),
    ("interferometer", {"kind": "close"}, "closed the connection", "interferometer closes its connection"),
    ("interferometer", {"kind": "garbage"}, "", "noise from the interferometer"),
    ("interferometer", {"kind": "nan"}, "", "a displacement that is not a number"),
    ("interferometer", {"kind": "beam_loss", "count": 3}, "no valid reading", "beam interrupted for a moment"),
    ("environment", {"kind": "garbage", "count": None}, "", "noise from the sensors"),
    ("environment", {"kind": "nan"}, "", "a sensor without a value (9.91E37)"),
]  # fmt: skip


@pytest.mark.parametrize(("device", "fault", "says", "name"), DEVICE_FAULTS, ids=[case[3] for case in DEVICE_FAULTS])
def test_a_failing_device_stops_the_machine_and_closes_the_run(
    device: str, fault: dict[str, Any], says: str, name: str, lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], seen: Any
) -> None:
    child = child_run()
    before = child.until_it_reads()
    lab.fault(device, **fault)
    code, said = child.ended()
    assert code == 3, said
    assert until_standing(lab) < 0.1  # it stood when the run had ended
    aborted(child, at_least=before, reason=says)
    events = {event["event"]: event["t_mono_ns"] for event in child.run().events()}
    when: float | str = math.nan
    if device == "controller":
        took_s = (events["standstill"] - events["stopping"]) * 1e-9 if "standstill" in events else None
        when = "it stood; not confirmed" if took_s is None else f"confirmed {took_s:.1f} s after the fault was seen"
    what = f"stop, run ABORTED, exit {code}" + ("" if "standstill" in events else ", told that the standstill is not confirmed")
    seen(30 if device == "controller" else 40, name, what, when, 0)


def test_a_controller_that_no_longer_answers_still_gets_the_stop_and_the_person_is_warned(
    lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], seen: Any
) -> None:
    child = child_run()
    before = child.until_it_moves()
    lab.fault("controller", "silence", count=None)
    stood = until_standing(lab)
    code, said = child.ended()
    assert code == 3 and "STANDSTILL COULD NOT BE CONFIRMED" in said and "emergency stop" in said
    aborted(child, at_least=before, reason="no answer")
    assert child.far_from_targets()
    assert stood < 0.5 + 0.5  # its deadline, then the hold; the rest is for a loaded computer
    seen(31, "controller silent", "hold and reset are sent without an answer; told that the standstill is not confirmed; exit 3", stood, 0)


def test_an_unplugged_controller_finishes_at_most_the_one_motion_it_was_given(
    lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], seen: Any
) -> None:
    child = child_run()
    before = child.until_it_moves()
    lab.fault("controller", "close")
    code, said = child.ended()
    assert code == 3 and "STANDSTILL COULD NOT BE CONFIRMED" in said
    aborted(child, at_least=before, reason="LinkLost")
    where = lab.state()
    until_standing(lab)
    # No second target was on its way: it stands where the one motion ended.
    assert any(math.isclose(lab.state()["position_m"]["X"], target, abs_tol=6e-3) for target in (0.010, 0.500, 0.990)), where
    seen(32, "link to the controller cut", "nothing can reach it: it ends the one motion that it was given; the person is told to use the emergency stop; exit 3",
         "rest of that motion", 0)


def test_a_full_disk_stops_the_machine_and_keeps_what_was_acknowledged(
    lab: LabProcess, child_run: Any, until_standing: Callable[[LabProcess], float], seen: Any
) -> None:
    limit = 14_000  # bytes in any one file: the capture gets some readings in, not all

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    child = child_run(prepare=prepare)
    code, said = child.ended()
    assert code == 6, said
    assert until_standing(lab) < 0.1
    run = child.run()
    assert not run.running
    assert int((run.readings(unfinished=True).columns["phase"] == 2).sum()) >= 1
    assert "Traceback" not in said
    seen(50, "disk full", "stop, run ABORTED with what was acknowledged, exit 6", math.nan, 0)


def test_an_error_in_a_procedure_stops_the_machine_too(lab: LabProcess, child_run: Any, tmp_path: Any, seen: Any) -> None:
    from precision.benchmarks.execution import execute
    from precision.benchmarks.plan_files import checked
    from precision.benchmarks.positioning_plan import Parameters
    from precision.runs.directory import RunDirectory, run_folders

    child = child_run(arguments=["--dry-run"])  # for its settings only
    assert child.ended()[0] == 0
    lab.set_time_scale(math.inf)
    plan = checked("positioning", child.settings)
    assert isinstance(plan, Parameters)

    def mistake(done: int, total: int) -> None:
        if done == 3:
            raise ZeroDivisionError("a mistake in a procedure")

    with pytest.raises(ZeroDivisionError) as caught:
        execute(plan, tmp_path / "mine", progress=mistake)
    assert any("kept in" in note for note in caught.value.__notes__)
    (folder,) = run_folders(tmp_path / "mine")
    run = RunDirectory.open(folder)
    assert run.manifest.status == "ABORTED" and "ZeroDivisionError" in run.manifest.reason
    assert int((run.readings().columns["phase"] == 2).sum()) == 3
    assert "standstill" in {event["event"] for event in run.events()}
    assert not lab.state()["moving"]
    seen(60, "an error in the program", "stop, run ABORTED", math.nan, 0)
