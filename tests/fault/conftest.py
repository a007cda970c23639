"""A machine to break: a lab of the test's own that outlives the run, the run as a child process, and a table of what was seen."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from precision.drivers.lab import process
from precision.drivers.lab.process import LabProcess
from precision.errors import DataError
from precision.runs.capture import read
from precision.runs.directory import RunDirectory, run_folders

WAIT_S = 60.0
"""For anything that happens at all, on a computer however loaded."""
APPROACH = 2
"""`phase` of an approach in a positioning capture."""


def eventually(happened: Callable[[], Any], what: str, *, within_s: float = WAIT_S, every_s: float = 0.005) -> Any:
    """The first true answer of `happened`."""
    deadline = time.monotonic() + within_s
    while not (answer := happened()):
        assert time.monotonic() < deadline, f"did not happen within {within_s:g} s: {what}"
        time.sleep(every_s)
    return answer


def settings_of(lab: LabProcess, *, interferometer_timeout_s: float = 0.5) -> list[str]:
    """A short test on this lab, as if it were a real machine: 3 targets, 2 runs, motions of 10 s of the lab's time."""
    addresses = [f"devices.{role}.address={lab.addresses[role]}" for role in ("controller", "interferometer", "environment")]
    return [
        *addresses, "devices.controller.options.settle_s=0.0", "devices.controller.options.timeout_s=0.5", "devices.controller.options.stop_timeout_s=1.0",
        f"devices.interferometer.options.timeout_s={interferometer_timeout_s}",
        "targets.count=3", "targets.random_offset=0 %", "cycle.runs=2", "axis.feed=3000 mm/min", "cycle.dwell=0.2 s", "cycle.settling_interval=0.2 s",
        "cycle.averaging=0.1 s",
    ]  # fmt: skip


@dataclass
class ChildRun:
    """`precision run positioning` as a process of its own, on a lab that it does not own."""

    lab: LabProcess
    out: Path
    settings: list[str]
    arguments: list[str] = field(default_factory=list)
    prepare: Callable[[], None] | None = None
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "precision", "run", "positioning", "--yes", "--out", str(self.out), *self.arguments]
        for setting in self.settings:
            command += ["--set", setting]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, preexec_fn=self.prepare, start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def folder(self) -> Path | None:
        if not self.out.exists():
            return None
        return next(iter(run_folders(self.out)), None)

    def approaches(self) -> int:
        """Approaches whose readings anybody can read now."""
        folder = self.folder()
        if folder is None or not (folder / "capture.arrows").exists():
            return 0
        try:
            return int((read(folder / "capture.arrows").columns["phase"] == APPROACH).sum())
        except DataError:
            return 0  # not even its schema yet

    def until_it_moves(self, *, approaches: int = 1) -> int:
        """Wait for that many approaches and then for the middle of a long motion, of which more than a second is left; the approaches seen."""
        eventually(lambda: self.approaches() >= approaches or self._gone(), "a reading", every_s=0.02)
        self.lab.set_time_scale(2.0)
        eventually(lambda: self._gone() or (self.lab.state()["moving"] and self.far_from_targets()), "a long motion", every_s=0.01)
        assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
        return self.approaches()

    def until_it_reads(self) -> int:
        """Wait for an approach; the approaches seen."""
        eventually(lambda: self.approaches() >= 1 or self._gone(), "a reading", every_s=0.02)
        assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
        return self.approaches()

    def far_from_targets(self) -> bool:
        """Whether the machine is where no motion of the plan ends."""
        x_m = self.lab.state()["position_m"]["X"]
        return all(abs(x_m - target_m) > 0.12 for target_m in (0.010, 0.500, 0.990))

    def _gone(self) -> bool:
        return self.process.poll() is not None

    def ended(self) -> tuple[int, str]:
        """Exit code and what it wrote on standard error."""
        _, said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, said

    def run(self) -> RunDirectory:
        folder = self.folder()
        assert folder is not None
        return RunDirectory.open(folder)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self.process.wait()


@pytest.fixture
def lab() -> Iterator[LabProcess]:
    """A lab 20 times as fast as reality: there is motion to stop."""
    with process.start(seed=3, time_scale=20.0) as started:
        yield started


@pytest.fixture
def child_run(lab: LabProcess, tmp_path: Path) -> Iterator[Callable[..., ChildRun]]:
    """Starts a run on `lab`; keyword arguments of `settings_of`, `arguments` and `prepare` as in `ChildRun`, `settings` beside the usual."""
    started: list[ChildRun] = []

    def start(*settings: str, arguments: list[str] | None = None, prepare: Callable[[], None] | None = None, out: str = "runs", **known: Any) -> ChildRun:
        child = ChildRun(lab, tmp_path / out, [*settings_of(lab, **known), *settings], arguments or [], prepare)
        started.append(child)
        return child

    yield start
    for child in started:
        child.close()


def standing(lab: LabProcess) -> float:
    """Wait until the lab's machine stands; how long that took in s."""
    began = time.perf_counter()
    eventually(lambda: not lab.state()["moving"], "standstill", every_s=0.0)
    return time.perf_counter() - began


@pytest.fixture
def until_standing() -> Callable[[LabProcess], float]:
    return standing


@pytest.fixture
def until() -> Callable[..., Any]:
    return eventually


# -- the table of docs/reliability.md ---------------------------------------------------------------------------------------------------------


BEGIN, END = "<!-- fault matrix: begin -->", "<!-- fault matrix: end -->"
_rows: list[tuple[int, str, str, str, str]] = []
_failed: set[int] = set()
PASSED_MEANS = {
    "test_transports.py::test_half_a_line_is_never_an_answer": (70, "half a line, never finished", "no answer within the deadline: LinkLost; never a shortened number"),
    "test_transports.py::test_a_slow_drip_does_not_stretch_the_deadline": (71, "answer byte by byte", "the deadline of the whole answer holds"),
    "test_transports.py::test_a_late_reply_is_drained_and_not_taken_for_the_next_answer": (72, "late reply", "thrown away; the next question gets its own answer"),
    "test_codec_fuzz.py::test_odd_numbers_are_no_readings": (73, "odd numbers (1_000, ١٢, 1e400, nan, 9.91E37) in every protocol", "ProtocolError"),
    "test_transports.py::test_a_flood_without_newline_ends_and_holds_little_memory": (74, "flood without a newline", "ProtocolError after 64 kB"),
    "test_transports.py::test_a_blocked_write_ends_at_its_deadline": (75, "device that does not read", "LinkLost at the deadline"),
    "test_transports.py::test_a_port_in_use_is_refused": (76, "port in use by another program", "refused, with what to check"),
    "test_invalid_readings.py::test_an_approach_that_does_not_settle_is_repeated_and_only_the_good_one_counts": (
        80, "reading that does not settle", "kept as invalid, approach repeated `cycle.repeats` times, then exit 3"),
    "test_invalid_readings.py::test_an_interferometer_that_freezes_over_its_real_link_stops_the_run": (81, "frozen instrument (the reading of another target to its last digit)", "kept as stale, repeated, then exit 3"),
    "test_capture.py::test_two_thousand_flipped_bits_and_none_is_silent": (90, "2000 single flipped bits in a capture", "each seen: 0 silent"),
    "test_capture.py::test_a_tail_torn_at_any_byte_is_dropped_and_said": (91, "capture torn at any byte", "the torn tail is dropped and said"),
    "test_capture.py::test_a_second_writer_is_refused_and_the_first_goes_on": (92, "second writer on a run", "refused; the first goes on"),
    "test_runs.py::test_a_clock_that_jumps_is_logged": (93, "wall clock jumps", "durations use the monotonic clock; the jump is logged"),
    "test_resumption.py::test_a_last_target_that_is_elsewhere_is_refused_and_nothing_more_is_measured": (94, "machine changed before `--resume`", "found at the last complete target; exit 5"),
    "test_hostile_devices.py::test_a_hostile_name_goes_through_a_whole_run_and_acts_nowhere[page]": (95, "hostile device names, in a whole run", "shown as text in every output"),
    "test_hostile_devices.py::test_a_capture_whose_header_claims_gigabytes_is_refused_with_little_memory": (96, "header that claims gigabytes", "refused with little memory"),
    "test_power_cut.py::test_with_synchronisation_of_each_block_a_cut_at_any_point_loses_nothing_acknowledged": (
        93, "power cut at every point of the written sequence, what was not synchronised lost or torn in any order", "nothing acknowledged is lost, no row is wrong"),
    "test_hostile_plans.py::test_a_plan_made_to_hang_is_refused_at_once": (100, "hostile plan (`9**9**9**9 mm`, endless words, deep keys, YAML bomb)", "PlanError at once, in little memory"),
    "test_every_parser.py::test_anything_is_taken_or_refused_in_words": (101, "any bytes to any parser (plan, importers, run, GRBL, SCPI, JSON-RPC, linuxcncrsh, frames)", "a result or an error in words; no hang"),
    "test_every_parser.py::test_good_inputs_changed_and_repeated_take_little_memory": (102, "large inputs to any parser", "less than 64 MB"),
    "test_runs.py::test_a_hostile_name_makes_nothing": (103, "path traversal in names", "refused; nothing is made"),
    "test_hostile_text.py::test_html_has_the_same_elements_whatever_the_text_is": (110, "hostile text in HTML", "shown as text; no script can run"),
    "test_hostile_text.py::test_drawings_are_well_formed_and_show_the_text_as_text": (111, "hostile text in drawings (SVG), `A$x_{$B` too", "shown as text"),
    "test_hostile_text.py::test_a_pdf_holds_the_text_and_nothing_that_acts": (112, "hostile text in PDF", "shown as text; no link, script, form, attachment"),
    "test_hostile_text.py::test_markdown_keeps_the_text_as_text": (113, "hostile text in Markdown", "shown as text"),
    "test_hostile_text.py::test_csv_holds_no_formula_and_reads_back": (114, "formula injection in CSV", "text gets an apostrophe, numbers stay numbers"),
    "test_hostile_text.py::test_a_workbook_holds_text_and_no_formula": (115, "formula injection in XLSX", "written as text; no formula, no link"),
    "test_hostile_text.py::test_junit_is_well_formed_and_shows_the_text_as_text": (116, "hostile text in JUnit", "well-formed XML, shown as text"),
    "test_hostile_text.py::test_json_keeps_the_text_whole_and_is_plain_ascii": (117, "hostile text in JSON", "kept whole, as ASCII escapes"),
    "test_hostile_text.py::test_the_terminal_shows_the_text_and_obeys_none_of_it": (118, "hostile text on the terminal", "escapes and markup are shown, not obeyed"),
    "test_hostile_text.py::test_files_are_written_where_the_caller_said_and_nowhere_else": (119, "hostile text in file names", "letters, digits and dashes; never elsewhere"),
    "test_hostile_devices.py::test_nothing_of_a_run_listens_beyond_the_loopback_interface": (97, "servers reachable from outside", "every listening socket of lab, run and supervisor is on 127.0.0.1"),
}  # fmt: skip
"""Tests without a motion: what their passing shows."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A row for each of these tests that passed, with all its parameters."""
    name = report.nodeid.rpartition("tests/")[2].rpartition("/")[2]
    known = PASSED_MEANS.get(name) or PASSED_MEANS.get(name.partition("[")[0])
    if known is None or report.when != "call":
        return
    if not report.passed:
        _failed.add(known[0])
    row = (*known, "no motion", "0" if 90 <= known[0] <= 93 and "clock" not in known[1] else "–")
    if row not in _rows:
        _rows.append(row)


@pytest.fixture
def seen() -> Callable[..., None]:
    """Note a row of the fault matrix: fault, reaction, time to standstill (text or s), readings lost."""

    def note(order: int, fault: str, reaction: str, standstill: float | str, lost: int | str) -> None:
        shown = standstill if isinstance(standstill, str) else "already stood" if math.isnan(standstill) else f"{standstill * 1e3:.1f} ms"
        _rows.append((order, fault, reaction, shown, str(lost)))

    return note


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With --write-matrix FILE, put the rows that were seen between its marks."""
    target = session.config.getoption("--write-matrix", default=None)
    if target is None or not _rows:
        return
    lines = ["| fault | reaction | time to standstill | acknowledged readings lost |", "|---|---|---|---|"]
    lines += [f"| {fault} | {reaction} | {shown} | {lost} |" for _, fault, reaction, shown, lost in sorted(row for row in _rows if row[0] not in _failed)]
    path = Path(target)
    if not path.exists():
        path.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    with contextlib.suppress(ValueError):
        head, rest = text.split(BEGIN)
        _, tail = rest.split(END)
        path.write_text("\n".join([head + BEGIN, *lines, END + tail]), encoding="utf-8")
