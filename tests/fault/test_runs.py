"""Run directories under bad conditions: hostile names and text, damaged files, dead processes, locked indexes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError
from precision.runs import durable, index
from precision.runs.capture import CaptureReader, Column
from precision.runs.compare import difference
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument, Manifest
from precision.runs.recover import recover, verify_run

COLUMNS = [Column("t_ns", "i8", "ns", wall_clock=True), Column("x_m", "f8", "m")]
HOSTILE = [
    "</script><script>alert(1)</script>", "\x1b[31mred\x1b[0m", "\x9b2J", "\x7f\x08", "\0", "a\nb\r\nc", "\u2028\u2029", "\u202egnp.exe", "\ud800", "\ufeff",
    "A$x_{$B", "[bold]x[/bold]", "=HYPERLINK(\"http://x\")", "@SUM(A1)", "{{7*7}}", "${HOME}", "%s%n", "../../etc/passwd", "'; DROP TABLE runs;--", "\\", "\"", "é̂" * 50,
    "x" * 100_000, "", " ", "𝔘", "٣", "NaN", "null", "1e999",
]


def finished(out: Path, name: str = "one", *, seed: int = 1, blocks: int = 5, result: dict[str, object] | None = None, values_seed: int | None = None) -> RunDirectory:
    chance = np.random.Generator(np.random.Philox(key=seed if values_seed is None else values_seed))
    with RunDirectory.create(out, "positioning", name=name, columns=COLUMNS, seed=seed, plan={"axis": "X", "step_m": 0.1}) as run:
        capture = run.start_capture()
        for _ in range(blocks):
            capture.append_and_wait({"t_ns": np.full(50, hash(name)), "x_m": chance.normal(size=50)})
        run.write_result(result if result is not None else {"run": name, "A": 1e-6 / 3, "targets": [0.0, 0.1], "passed": True})
        run.finish("COMPLETE")
    return run


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


# -- names --------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "run\n1", "run\0", ".hidden", "-rf", "x" * 81, "näme", "a b", "nul", "COM1.txt", "end.", "$(id)", "~", "*"],
)
def test_a_hostile_name_makes_nothing(tmp_path: Path, name: str) -> None:
    out = tmp_path / "runs"
    with pytest.raises(DataError, match="cannot name a run"):
        RunDirectory.create(out, "positioning", name=name)
    with pytest.raises(DataError):
        RunDirectory.open(name, out)
    assert not out.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_procedure_or_label_makes_nothing(tmp_path: Path) -> None:
    for arguments in ({"procedure": "../x"}, {"procedure": "positioning", "label": "../../x"}):
        with pytest.raises(DataError, match="cannot name a run"):
            RunDirectory.create(tmp_path / "runs", **arguments)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    finished(tmp_path / "elsewhere", "real")
    try:
        (out / "link").symlink_to(tmp_path / "elsewhere" / "real")
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(DataError, match="leads out"):
        RunDirectory.open("link", out)
    with pytest.raises(DataError, match="leads out"):
        RunDirectory.create(out, "positioning", name="link")


def test_names_say_when_and_what_and_never_collide(tmp_path: Path) -> None:
    import re

    runs = [RunDirectory.create(tmp_path, "positioning", label="x") for _ in range(20)]
    assert len({run.name for run in runs}) == 20
    for run in runs:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z-positioning-x-[0-9a-f]{4}", run.name)
        run.finish("ABORTED", "test")


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one")
    before = hashes(run.path)
    with pytest.raises(DataError, match="exists already"):
        RunDirectory.create(tmp_path, "positioning", name="one")
    assert hashes(run.path) == before
    run.finish("ABORTED")


def test_what_is_no_folder_holds_no_runs(tmp_path: Path) -> None:
    for place in (Path("/dev/null"), tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match="it is no folder; choose another"):
            RunDirectory.create(place, "positioning")


# -- what is on the disk, and when --------------------------------------------------------------------------------------------------------------------


def test_the_manifest_is_on_the_disk_before_the_first_reading(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one", columns=COLUMNS, seed=4, plan={"axis": "X"})
    manifest = Manifest.read(run.manifest_path)
    assert (manifest.status, manifest.seed, manifest.columns, manifest.plan) == ("RUNNING", 4, tuple(COLUMNS), {"axis": "X"})
    assert not run.capture_path.exists() and run.running and RunDirectory.open(run.path).running
    run.finish("ABORTED", "test")
    assert not RunDirectory.open(run.path).running


def test_a_file_is_replaced_in_the_order_that_survives_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "manifest.json"
    done: list[str] = []
    for name in ("write", "fsync", "replace"):
        whole = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _name=name, _whole=whole: (done.append(_name), _whole(*a))[1])
    whole_sync = durable.sync_directory
    monkeypatch.setattr(durable, "sync_directory", lambda folder: (done.append("directory"), whole_sync(folder)))
    durable.replace(path, b"new")
    assert [step for step in done if step != "fsync" or "replace" not in done[: done.index(step)]][:4] == ["write", "fsync", "replace", "directory"]
    assert path.read_bytes() == b"new"


def test_a_replacement_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "manifest.json"
    durable.replace(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        durable.replace(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_an_aborted_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="beam"), RunDirectory.create(tmp_path, "positioning", name="one", columns=COLUMNS) as run:
        run.start_capture().append({"t_ns": [1], "x_m": [0.5]})
        raise RuntimeError("beam lost")
    found = RunDirectory.open("one", tmp_path)
    assert (found.manifest.status, found.manifest.reason) == ("ABORTED", "RuntimeError: beam lost")
    assert found.readings().columns["x_m"].tolist() == [0.5], "what was measured is kept"


def test_a_procedure_that_forgets_to_finish_is_not_complete(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path, "positioning", name="one"):
        pass
    assert RunDirectory.open("one", tmp_path).manifest.status == "ABORTED"


def test_finish_comes_once_and_nothing_is_written_afterwards(tmp_path: Path) -> None:
    run = finished(tmp_path)
    before = hashes(run.path)
    assert run.finish("ABORTED", "again").status == "COMPLETE"
    for act in (lambda: run.event("late"), run.start_capture, lambda: RunDirectory.open(run.path).event("late")):
        with pytest.raises(DataError):
            act()
    assert hashes(run.path) == before


def test_a_run_with_a_damaged_capture_cannot_be_complete(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one", columns=COLUMNS)
    capture = run.start_capture()
    capture.append_and_wait({"t_ns": np.arange(100), "x_m": np.arange(100.0)})
    with run.capture_path.open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        file.write(b"\x55")
    with pytest.raises(DataError, match=r"cannot be complete.*CRC-32"):
        run.finish("COMPLETE")
    assert RunDirectory.open("one", tmp_path).manifest.status == "ABORTED"


def test_a_run_that_was_to_capture_and_did_not_cannot_be_complete(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one", columns=COLUMNS)
    with pytest.raises(DataError, match="nothing was captured"):
        run.finish("COMPLETE")


def test_a_clock_that_jumps_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    run = RunDirectory.create(tmp_path, "positioning", name="one")
    whole = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: whole() + 3_600_000_000_000)
    run.finish("ABORTED")
    (jump,) = [event["jump_s"] for event in run.events() if event["event"] == "clock jump"]
    assert abs(jump - 3600) < 1 and abs(RunDirectory.open("one", tmp_path).manifest.clock_jump_s - 3600) < 1


# -- text from outside --------------------------------------------------------------------------------------------------------------------------------


def test_hostile_text_comes_back_from_manifest_events_and_result_and_writes_no_control_character(tmp_path: Path) -> None:
    instruments = {f"role {number}": Instrument(driver="scpi", address=text[:200], identity=text) for number, text in enumerate(HOSTILE)}
    run = RunDirectory.create(tmp_path, "positioning", name="one", instruments=instruments, plan={"notes": HOSTILE, "keys": dict.fromkeys(HOSTILE, 1)})
    for text in HOSTILE:
        run.event("identity", text=text, **{"odd key " + text[:50]: 1})
    run.write_result({"names": HOSTILE})
    run.finish("ABORTED", HOSTILE[0] + HOSTILE[1])
    found = RunDirectory.open("one", tmp_path)
    assert found.manifest == run.manifest and found.manifest.instruments == instruments and found.manifest.plan["notes"] == HOSTILE
    assert found.read_result()["names"] == HOSTILE
    events = found.events()
    assert len(events) == 2 + len(HOSTILE) == found.events_path.read_bytes().count(b"\n")
    assert [event["text"][:10_000] for event in events[1:-1]] == [text[:10_000] for text in HOSTILE]
    for path in found.path.iterdir():
        data = path.read_bytes()
        assert data.isascii() and not any(byte < 32 and byte != 10 for byte in data) and b"\x7f" not in data, path.name


def test_an_event_cannot_forge_its_time_or_stop_the_run(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one")
    run.event("odd", t_mono_ns=1, t_wall="never", value=float("nan"), thing=object())
    event = run.events()[-1]
    assert event["t_mono_ns"] != 1 and event["t_wall"] != "never" and event["value"] == "nan"
    run.finish("ABORTED")


def test_a_plan_with_nan_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.step_m is nan"):
        RunDirectory.create(tmp_path, "positioning", name="one", plan={"step_m": float("nan")})
    with pytest.raises(DataError):
        RunDirectory.create(tmp_path, "positioning", name="one", instruments={"gauge": Instrument(driver="x", address=b"bytes")})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# -- damaged runs -------------------------------------------------------------------------------------------------------------------------------------


def test_a_changed_digit_in_the_manifest_is_seen(tmp_path: Path) -> None:
    run = finished(tmp_path, seed=7)
    text = run.manifest_path.read_text()
    for old, new in (('"seed": 7', '"seed": 8'), ('"step_m": 0.1', '"step_m": 0.2'), ('"unit": "m"', '"unit": "k"'), ("COMPLETE", "ABORTED")):
        assert old in text
        run.manifest_path.write_text(text.replace(old, new))
        with pytest.raises(DataError, match="was changed since it was written"):
            RunDirectory.open(run.path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}', b'{"a": NaN}', b"[" * 100_000, b" " * (9 << 20)])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    run = finished(tmp_path)
    run.manifest_path.write_bytes(content)
    with pytest.raises(DataError, match=r"one/manifest\.json"):
        RunDirectory.open(run.path)


def test_what_is_no_run_is_said_with_what_to_do(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", Path("nul\0")):
        with pytest.raises(DataError, match="precision runs"):
            RunDirectory.open(path)


def test_a_changed_capture_is_seen_by_its_hash(tmp_path: Path) -> None:
    run, other = finished(tmp_path, "one"), finished(tmp_path, "two", seed=2)
    shutil.copyfile(other.capture_path, run.capture_path)  # whole in itself, but not this run's
    with pytest.raises(DataError, match="SHA-256"):
        RunDirectory.open(run.path).readings()
    assert not verify_run(run.path)


def test_verify_names_every_damaged_file(tmp_path: Path) -> None:
    assert verify_run(finished(tmp_path, "good").path)
    for name, damage, said in (
        ("capture.arrows", lambda data: data[:-700], "capture.arrows"),
        ("manifest.json", lambda data: data.replace(b"X", b"Y"), "manifest.json was changed"),
        ("events.jsonl", lambda data: data.replace(b'"event"', b'"event', 1), "events.jsonl, line 1"),
        ("result.json", lambda data: data[:-5], "result.json is not whole"),
    ):
        run = finished(tmp_path, f"bad-{name}")
        (run.path / name).write_bytes(damage((run.path / name).read_bytes()))
        found = verify_run(run.path)
        assert any(said in problem for problem in found.problems), found


# -- recovery -----------------------------------------------------------------------------------------------------------------------------------------


def test_recovery_copies_what_is_whole_says_what_is_lost_and_leaves_the_original(tmp_path: Path) -> None:
    run = finished(tmp_path, blocks=10)
    values = run.readings().columns["x_m"]
    data = bytearray(run.capture_path.read_bytes())
    middle = data.index(values[125:126].tobytes())  # a reading of the third block
    data[middle] ^= 1
    last = data.index(values[450:451].tobytes())  # the first reading of the last block
    run.capture_path.write_bytes(data[: last + 8])
    before = hashes(run.path)

    recovery = recover(run.path)
    assert hashes(run.path) == before, "the original is never changed"
    assert (recovery.blocks, recovery.samples, recovery.blocks_lost, recovery.samples_lost) == (8, 400, 2, 100)
    assert recovery.seconds_lost is not None and recovery.seconds_lost > 0 and len(recovery.damage) == 3
    new = RunDirectory.open("one-recovered", tmp_path)
    assert (new.manifest.status, new.manifest.origin, new.manifest.seed) == ("RECOVERED", "one", run.manifest.seed)
    assert "2 blocks, 100 samples" in new.manifest.reason and new.manifest.plan == run.manifest.plan
    capture = new.readings()
    assert np.array_equal(capture.columns["x_m"], np.concatenate([values[:100], values[150:450]]))
    assert [(gap.row, gap.samples) for gap in capture.gaps] == [(100, 50), (400, 0)], "never interpolated: gaps are explicit"
    assert verify_run(new.path)
    assert (new.path / "original-manifest.json").read_bytes() == run.manifest_path.read_bytes()
    assert recover(run.path).run.name == "one-recovered-2"


def test_a_cut_complete_run_does_not_pretend_to_know_what_followed(tmp_path: Path) -> None:
    run = finished(tmp_path, blocks=20)
    data = run.capture_path.read_bytes()
    cut = data.index(run.readings().columns["x_m"][350:351].tobytes()) + 8  # in the eighth of twenty blocks
    run.capture_path.write_bytes(data[:cut])
    problems = "\n".join(verify_run(run.path).problems)
    assert "SHA-256" in problems and "says COMPLETE" in problems and "died" not in problems and "still runs" not in problems
    with pytest.raises(DataError, match="SHA-256") as refused:
        RunDirectory.open(run.path).readings()
    assert "died" not in str(refused.value)
    recovery = recover(run.path)
    assert (recovery.blocks, recovery.blocks_lost, recovery.open_end) == (7, 1, True)
    said = str(recovery)
    assert "lost: at least 1 blocks, 50 samples, " in said and "how many more followed the torn end cannot be told" in said
    assert "says COMPLETE: the capture was whole when it was closed, and its SHA-256 does not fit" in said
    assert "at least 1 blocks" in recovery.run.manifest.reason


def test_a_run_cut_between_two_blocks_does_not_say_that_nothing_is_lost(tmp_path: Path) -> None:
    run = finished(tmp_path, blocks=20)
    ends = [end for _, end, _ in CaptureReader(run.capture_path)._frames(CaptureReader(run.capture_path)._schema_end())]
    run.capture_path.write_bytes(run.capture_path.read_bytes()[: ends[7]])  # the beginning and seven blocks
    recovery = recover(run.path)
    assert (recovery.blocks, recovery.blocks_lost, recovery.open_end) == (7, 0, True)
    assert "how many blocks followed the last whole one cannot be told" in str(recovery) and "0 blocks" not in str(recovery)


def test_damage_before_a_whole_end_is_counted_exactly(tmp_path: Path) -> None:
    run = finished(tmp_path, blocks=20)
    data = bytearray(run.capture_path.read_bytes())
    data[data.index(run.readings().columns["x_m"][350:351].tobytes())] ^= 1
    run.capture_path.write_bytes(data)
    recovery = recover(run.path)
    assert (recovery.blocks_lost, recovery.samples_lost, recovery.open_end) == (1, 50, False)
    assert "at least" not in str(recovery) and "cannot be told" not in str(recovery)


def test_a_whole_run_is_not_copied(tmp_path: Path) -> None:
    run = finished(tmp_path)
    with pytest.raises(DataError, match="one is whole; nothing to recover"):
        recover(run.path)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_run_whose_process_was_killed_is_recovered(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, numpy as np\n"
        "from precision.runs.directory import RunDirectory\nfrom precision.runs.capture import Column\n"
        "run = RunDirectory.create(sys.argv[1], 'positioning', name='killed', columns=[Column('x', 'f8', 'm')])\n"
        "capture = run.start_capture()\n"
        "for k in range(20): capture.append_and_wait({'x': np.arange(k * 10.0, k * 10.0 + 10)})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [entry.status for entry in index.listing(tmp_path)] == ["RUNNING (dead)"]
    assert any("it died" in problem for problem in verify_run(tmp_path / "killed").problems)
    with pytest.raises(DataError, match="precision runs recover killed"):
        RunDirectory.open("killed", tmp_path).readings()
    assert recover(tmp_path / "killed").run.readings().columns["x"].tolist() == list(range(200))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"cause": "the process that drove the machine ended", "standstill_confirmed": true}', "ended); its standstill was confirmed; copied"),
        (b'{"cause": "late \\u001b[31m", "standstill_confirmed": false}', "late \\x1b[31m); its standstill was NOT confirmed: home it"),
        (b"{", "its note is damaged, and copied as it is"),
        (b'{"cause": [], "standstill_confirmed": 1}', "NOT confirmed"),
    ],
)
def test_what_the_supervisor_did_is_recovered_with_the_run_and_said(tmp_path: Path, content: bytes, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    from precision.cli import _exit_code

    with RunDirectory.create(tmp_path, "positioning", name="dead", columns=[Column("x_m", "f8", "m")]) as run:
        run.start_capture().append_and_wait({"x_m": [1.0, 2.0]})
        run.finish("ABORTED", "killed")
    (run.path / "capture.arrows").write_bytes((run.path / "capture.arrows").read_bytes()[:-4])
    (run.path / "supervisor.json").write_bytes(content)
    assert _exit_code(["runs", "recover", "dead", "--out", str(tmp_path)]) == 0
    told = capfd.readouterr().out
    assert said in told and "supervisor.json: the supervisor stopped the machine" in told and "\x1b" not in told
    assert (tmp_path / "dead-recovered" / "supervisor.json").read_bytes() == content


def test_a_run_that_still_runs_is_not_recovered(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "positioning", name="one", columns=COLUMNS)
    run.start_capture()
    with pytest.raises(DataError, match="still runs"):
        recover(run.path)
    run.finish("ABORTED")


def test_a_run_without_a_readable_manifest_is_recovered_from_the_capture(tmp_path: Path) -> None:
    run = finished(tmp_path)
    run.manifest_path.write_bytes(b"")
    recovery = recover(run.path)
    assert recovery.samples == 250 and recovery.run.manifest.procedure == "unknown"
    assert recovery.run.readings().schema == tuple(COLUMNS)


def test_a_run_whose_schema_was_wiped_is_recovered_from_the_manifest(tmp_path: Path) -> None:
    run = finished(tmp_path)
    data = run.capture_path.read_bytes()
    run.capture_path.write_bytes(bytes(200) + data[200:])
    assert recover(run.path).samples == 250
    run.manifest_path.unlink()
    with pytest.raises(DataError, match="schema"):
        recover(run.path)


# -- comparison ---------------------------------------------------------------------------------------------------------------------------------------


def test_two_runs_with_the_same_readings_are_the_same_whatever_the_clock_said(tmp_path: Path) -> None:
    found = difference(finished(tmp_path, "one"), finished(tmp_path, "two"))
    assert found.identical and found.readings == 250 and found.numbers == 3 and found.texts == 1
    assert found.left_out == ("column t_ns", "run")


def test_one_bit_of_one_reading_is_a_difference(tmp_path: Path) -> None:
    runs = []
    for name, value in (("one", 0.0), ("two", -0.0)):
        with RunDirectory.create(tmp_path, "positioning", name=name, columns=COLUMNS) as run:
            run.start_capture().append({"t_ns": [0, 0, 0], "x_m": [1.0, value, np.nan]})
            run.finish("COMPLETE")
        runs.append(run)
    found = difference(*runs)
    assert found.differences == ("column x_m: 1 of 3 readings, the first in row 1: 0.0 and -0.0",)
    assert difference(*runs, absolute=1e-300).identical


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"A": np.nextafter(1.0, 2.0)}, "result A"),
        ({"A": 1}, "result A"),
        ({"A": None}, "result A"),
        ({"A": 1.0, "B": 2}, "result B: only in the second"),
        ({}, "result A: only in the first"),
        ({"A": [1.0]}, "result A[0]: only in the second"),
    ],
)
def test_every_number_of_the_result_counts(tmp_path: Path, second: dict[str, object], said: str) -> None:
    found = difference(finished(tmp_path, "one", result={"A": 1.0}), finished(tmp_path, "two", result=second))
    assert not found.identical and any(said in line for line in found.differences)


def test_a_tolerance_is_stated_in_the_answer_and_covers_floats_only(tmp_path: Path) -> None:
    first = finished(tmp_path, "one", result={"A": 1.0, "n": 10})
    near = finished(tmp_path, "two", result={"A": 1.0 + 1e-13, "n": 10})
    assert not difference(first, near).identical
    assert difference(first, near, relative=1e-12).identical and "1e-12" in str(difference(first, near, relative=1e-12))
    other = finished(tmp_path, "three", result={"A": 1.0, "n": 11})
    assert difference(first, other, relative=0.5).differences == ("result n: 10 and 11",)


def test_another_seed_plan_or_length_is_named(tmp_path: Path) -> None:
    first = finished(tmp_path, "one")
    assert any(line.startswith("seed: 1 and 2") for line in difference(first, finished(tmp_path, "two", seed=2, values_seed=1)).differences)
    assert any("250 and 200 readings" in line for line in difference(first, finished(tmp_path, "short", blocks=4)).differences)
    with RunDirectory.create(tmp_path, "positioning", name="plan", seed=1, plan={"axis": "Y", "step_m": 0.1}) as run:
        run.finish("COMPLETE")
    lines = difference(first, run).differences
    assert "plan axis: 'X' and 'Y'" in lines and "capture.arrows: only one has one" in lines


def test_a_damaged_run_is_not_compared(tmp_path: Path) -> None:
    first, second = finished(tmp_path, "one"), finished(tmp_path, "two")
    second.capture_path.write_bytes(second.capture_path.read_bytes()[:-100])
    with pytest.raises(DataError, match="recover two"):
        difference(first, second)


# -- the index ----------------------------------------------------------------------------------------------------------------------------------------


def names(out: Path) -> list[str]:
    return [entry.name for entry in index.listing(out)]


def test_the_index_is_a_cache_and_the_manifests_are_the_truth(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    assert names(tmp_path) == ["one"] and (tmp_path / index.INDEX).exists()
    running = RunDirectory.create(tmp_path, "positioning", name="two")
    assert [entry.status for entry in index.listing(tmp_path)] == ["COMPLETE", "RUNNING"]
    running.finish("ABORTED", "enough")
    assert [entry.status for entry in index.listing(tmp_path)] == ["COMPLETE", "ABORTED"]
    shutil.rmtree(tmp_path / "one")
    assert names(tmp_path) == ["two"]
    (tmp_path / index.INDEX).unlink()
    assert names(tmp_path) == ["two"] and index.reindex(tmp_path) == 1


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_index_is_made_again(tmp_path: Path, damage: bytes) -> None:
    finished(tmp_path, "one")
    names(tmp_path)
    (tmp_path / index.INDEX).write_bytes(damage)
    assert names(tmp_path) == ["one"] and names(tmp_path) == ["one"]
    with sqlite3.connect(tmp_path / index.INDEX) as connection:
        assert connection.execute("SELECT name FROM runs").fetchall() == [("one",)]
    connection.close()


def test_an_index_of_another_program_is_replaced(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    with sqlite3.connect(tmp_path / index.INDEX) as connection:
        connection.execute("CREATE TABLE runs (something)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert names(tmp_path) == ["one"]


def test_a_locked_index_costs_no_run(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    names(tmp_path)
    finished(tmp_path, "two")
    connection = sqlite3.connect(tmp_path / index.INDEX, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        assert names(tmp_path) == ["one", "two"]
    finally:
        connection.close()


def test_a_run_with_a_damaged_manifest_is_listed_with_its_problem(tmp_path: Path) -> None:
    run = finished(tmp_path, "one")
    run.manifest_path.write_text("{")
    (entry,) = index.listing(tmp_path)
    assert entry.problem and "not whole JSON" in entry.problem


def test_many_runs_are_listed_from_the_index_without_reading_their_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished(tmp_path, "one")
    for number in range(300):
        shutil.copytree(run.path, tmp_path / f"copy-{number:03d}")
    assert len(names(tmp_path)) == 301
    monkeypatch.setattr(Manifest, "read", lambda path: pytest.fail(f"{path} was read"))
    assert len(names(tmp_path)) == 301


def test_a_run_is_found_by_name_beginning_or_last(tmp_path: Path) -> None:
    for name in ("alpha-1", "alpha-12", "beta"):
        finished(tmp_path, name)
    assert index.find(tmp_path, "last").name == "beta" and index.find(tmp_path, "b").name == "beta"
    assert index.find(tmp_path, "alpha-1").name == "alpha-1", "a whole name wins over being a beginning"
    with pytest.raises(DataError, match="begins 2 runs: alpha-1, alpha-12"):
        index.find(tmp_path, "alpha")
    for text in ("", "gamma", "../alpha-1"):
        with pytest.raises(DataError, match="there is no run"):
            index.find(tmp_path, text)


def test_a_run_is_found_by_the_short_end_of_its_name_or_any_part_that_fits_one(tmp_path: Path) -> None:
    for name in ("2026-11-23T101500Z-positioning-x-7f3a", "2026-11-23T101500Z-positioning-x-7f3a-recovered", "2026-11-24T101500Z-positioning-y-81bc"):
        finished(tmp_path, name)
    assert index.find(tmp_path, "7f3a").name == "2026-11-23T101500Z-positioning-x-7f3a", "not the copy that was recovered from it"
    assert index.find(tmp_path, "81bc").name == index.find(tmp_path, "g-y-").name == "2026-11-24T101500Z-positioning-y-81bc"
    with pytest.raises(DataError, match=r"'T101500Z' is part of 3 runs: .*7f3a, .*7f3a-recovered, .*81bc"):
        index.find(tmp_path, "T101500Z")
    with pytest.raises(DataError, match="there is no run"):
        index.find(tmp_path, "7f3b")


def test_last_does_not_skip_a_run_that_ended_badly(tmp_path: Path) -> None:
    finished(tmp_path, "2020-01-01T000000Z-positioning-x-0001")
    aborted = RunDirectory.create(tmp_path, "positioning", label="x")
    aborted.finish("ABORTED", "test")
    assert index.find(tmp_path, "last").name == aborted.name
    finished(tmp_path, "2199-01-01T000000Z-positioning-x-0002").manifest_path.write_text("{")
    assert index.find(tmp_path, "last").name == "2199-01-01T000000Z-positioning-x-0002", "its manifest is damaged, but it is the newest"


def test_the_run_directory_starts_fast() -> None:
    program = "import sys, precision.runs.directory; print([m for m in ('numpy', 'pyarrow', 'pydantic', 'sqlite3') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_manifest_is_the_same_text_for_the_same_run(tmp_path: Path) -> None:
    run = finished(tmp_path)
    value = json.loads(run.manifest_path.read_text())
    Manifest.from_dict(value).write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == run.manifest_path.read_bytes()


def test_the_list_cuts_no_name_and_no_status_at_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from precision.cli.runs import list_

    monkeypatch.setenv("COLUMNS", "80")
    long = "2026-11-23T171506Z-step-response-eighth-order-c17e"
    finished(tmp_path, long)
    RunDirectory.create(tmp_path, "positioning", name="two").finish("ABORTED", "enough of it, and a reason that is longer than the terminal is wide")
    said = CliRunner().invoke(list_, ["--out", str(tmp_path)]).output
    assert long in said and "COMPLETE" in said and "ABORTED" in said
    assert max(map(len, said.splitlines())) <= 80
