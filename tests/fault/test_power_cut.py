"""Power loss: what followed the last fdatasync may be there, partly there or gone, in any order; everything before it is there.

Twice: with every sequence of writes and synchronisations that a capture makes, cut at every point, what was not synchronised being shuffled sector by
sector; and with a real file system on a disk of its own that stops between two moments (where this computer lets us mount one).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.errors import DataError
from precision.runs import durable
from precision.runs.capture import CaptureWriter, Column, read
from precision.runs.directory import RunDirectory, run_folders
from precision.runs.recover import recover, verify_run

VICTIM = Path(__file__).with_name("power_victim.py")
COLUMNS = [Column("n", "i8", ""), Column("x_m", "f8", "m")]
ROWS = 100
SECTOR = 512
SCHEDULING_S = 0.75
"""By so much a loaded computer may wake the writing thread late."""


@dataclass
class Disk:
    """Records what a capture asks of its file, in order: ("write", bytes, s), ("sync", how long it took, s), ("acknowledged", number, s)."""

    steps: list[tuple[str, Any, float]] = field(default_factory=list)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    recorded = Disk()
    write, sync, acknowledge = durable.write_all, durable.sync, CaptureWriter._acknowledge

    def write_all(descriptor: int, data: bytes) -> None:
        write(descriptor, data)
        recorded.steps.append(("write", bytes(data), time.monotonic()))

    def synchronise(descriptor: int) -> None:
        began = time.monotonic()
        sync(descriptor)
        recorded.steps.append(("sync", time.monotonic() - began, time.monotonic()))

    def acknowledged(self: CaptureWriter, seq: int, *, synced: bool = False) -> None:
        recorded.steps.append(("acknowledged", seq, time.monotonic()))
        acknowledge(self, seq, synced=synced)

    monkeypatch.setattr(durable, "write_all", write_all)
    monkeypatch.setattr(durable, "sync", synchronise)
    monkeypatch.setattr(CaptureWriter, "_acknowledge", acknowledged)
    return recorded


def block(number: int) -> dict[str, Any]:
    n = np.arange(number * ROWS, (number + 1) * ROWS)
    return {"n": n, "x_m": n / 7.0}


def after_the_cut(steps: list[tuple[str, Any, float]], chance: random.Random) -> Iterator[bytes]:
    """What the file may hold when the power went after these steps: the synchronised part, then nothing, all, zeros, or any sectors in place of the rest."""
    synchronised = max((number for number, (kind, _, _) in enumerate(steps) if kind == "sync"), default=-1)
    safe = b"".join(data for kind, data, _ in steps[: synchronised + 1] if kind == "write")
    loose = b"".join(data for kind, data, _ in steps[synchronised + 1 :] if kind == "write")
    yield safe
    if not loose:
        return
    yield safe + loose
    yield safe + bytes(len(loose))
    for _ in range(3):
        # The first sector of the loose part shares its place with the end of the safe part: what was safe stays.
        torn = bytearray(loose[: chance.randrange(1, len(loose) + 1)])
        for start in range(-(len(safe) % SECTOR), len(torn), SECTOR):
            if chance.random() < 0.5:
                first, last = max(0, start), min(len(torn), start + SECTOR)
                torn[first:last] = bytes(last - first)
        yield safe + bytes(torn)


def check(path: Path, at_least: int) -> int:
    """Every record up to `at_least` is there, every row is right, and only the end may be damaged; the highest record."""
    if at_least < 0:
        return -1
    capture = read(path, COLUMNS)
    assert all(damage.tail for damage in capture.damage) or capture.batches[-1].seq >= at_least
    expected = np.concatenate([np.arange((batch.seq - 1) * ROWS, batch.seq * ROWS) for batch in capture.batches] or [np.empty(0, dtype=np.int64)])
    assert np.array_equal(capture.columns["n"], expected), "a row is wrong"
    assert np.array_equal(capture.columns["x_m"], expected / 7.0), "a row is wrong"
    there = {batch.seq for batch in capture.batches}
    assert set(range(1, at_least + 1)) <= there, f"{at_least} was safe; {sorted(set(range(1, at_least + 1)) - there)} are lost"
    return max(there, default=0)


def test_with_synchronisation_of_each_block_a_cut_at_any_point_loses_nothing_acknowledged(tmp_path: Path, disk: Disk) -> None:
    chance = random.Random(1)
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS) as writer:
        for number in range(12):
            (writer.append_and_wait if number % 3 else writer.append)(block(number))
    cut = tmp_path / "cut.arrows"
    tried = 0
    for end in range(len(disk.steps) + 1):
        told = max((what for kind, what, _ in disk.steps[:end] if kind == "acknowledged"), default=-1)
        for content in after_the_cut(disk.steps[:end], chance):
            cut.write_bytes(content)
            check(cut, min(told, 12))  # the 13th record is the mark of the end
            tried += 1
    assert tried > 100 and (tmp_path / "capture.arrows").read_bytes() == b"".join(data for kind, data, _ in disk.steps if kind == "write")


def test_with_a_time_between_synchronisations_a_cut_loses_no_more_than_that_time(tmp_path: Path, disk: Disk) -> None:
    pause_s, chance = 0.2, random.Random(2)
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS, sync=pause_s) as writer:
        for number in range(100):
            writer.append_and_wait(block(number))
            time.sleep(0.008)
    steps, cut, lost = disk.steps, tmp_path / "cut.arrows", 0
    slowest_s = max(what for kind, what, _ in steps if kind == "sync")
    assert 3 <= sum(kind == "sync" for kind, _, _ in steps) < 30, "it is neither synchronised each time nor never"
    for end in range(0, len(steps) + 1, 3):
        told = [(what, moment) for kind, what, moment in steps[:end] if kind == "acknowledged"]
        now = steps[end - 1][2] if end else 0.0
        old = max((what for what, moment in told if moment < now - pause_s - slowest_s - SCHEDULING_S), default=-1)
        for content in after_the_cut(steps[:end], chance):
            cut.write_bytes(content)
            highest = check(cut, old)
            lost = max(lost, (told[-1][0] if told else 0) - max(highest, 0))
    assert lost > 3, "what followed the last synchronisation is lost in some cut: otherwise nothing was tried"


def test_nothing_is_acknowledged_before_the_names_are_on_the_disk(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []
    whole = durable.sync_directory
    monkeypatch.setattr(durable, "sync_directory", lambda path: (folders.append(Path(path)), whole(path)))
    with RunDirectory.create(tmp_path / "new" / "runs", "positioning", columns=COLUMNS) as run:
        writer = run.start_capture()
        assert {run.path, run.path.parent, tmp_path / "new", tmp_path} <= set(folders)
        writer.append_and_wait(block(0))
        run.finish("COMPLETE")


def test_the_guarantee_is_printed_in_these_words() -> None:
    page = Path(__file__).parents[2] / "docs" / "reliability.md"
    assert (
        "process death loses no acknowledged block; power loss loses at most what followed the last fdatasync (nothing with per-block sync, the default; "
        "at most 1 s with `--sync 1s`); a torn tail is detected and dropped, never interpolated; gaps are explicit; recovery never changes the original."
    ) in page.read_text(encoding="utf-8")


# -- a real file system on a disk that stops ------------------------------------------------------------------------------------------------------------


def mounted(image: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk of its own can be mounted here: {done.stderr.strip()[:100]}")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("a disk of its own needs root on Linux and mkfs.ext4")
    path = tmp_path / "empty.img"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True)
    return path


@pytest.mark.parametrize("sync", ["block", "1.0"])
def test_a_disk_whose_power_is_cut_holds_what_was_promised(sync: str, image: Path, tmp_path: Path, slow: bool, seen: Any, capsys: Any) -> None:
    cuts, chance = (25 if slow else 3), random.Random(3)
    promised = found = 0
    longest_s = 0.0
    for number in range(cuts):
        # Files of their own each time: a loop device is let go of late, and the same file would be given the old one with what it remembers.
        folder, notes, disk, cut = tmp_path / "disk", tmp_path / f"{number}.notes", tmp_path / f"{number}.img", tmp_path / f"{number}-cut.img"
        shutil.copyfile(image, disk)
        mounted(disk, folder)
        victim = subprocess.Popen([sys.executable, str(VICTIM), str(folder), sync, str(notes)])
        try:
            deadline = time.monotonic() + 60
            while not notes.exists() or not notes.read_bytes():
                assert victim.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(chance.uniform(0.05, 0.4) + (0.0 if sync == "block" else 1.2))
            victim.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            shutil.copyfile(disk, cut)  # what has reached the disk, and nothing of what the system still holds back
        finally:
            victim.kill()
            victim.wait()
            subprocess.run(["umount", str(folder)], check=True)
        told = [(int(seq), float(moment)) for seq, moment in (line.split() for line in notes.read_text().splitlines() if len(line.split()) == 2)]
        mounted(cut, folder)  # the journal is replayed, as after a power cut
        try:
            highest, run_folder = on(folder)
            old_s = 0.0 if sync == "block" else 1.0 + SCHEDULING_S
            safe = max((seq for seq, moment in told if moment <= stopped - old_s), default=0)
            assert highest >= safe, f"{safe} was promised, {highest} is the last one there"
            lost = [moment for seq, moment in told if seq > highest]
            longest_s = max([longest_s, *(stopped - moment for moment in lost[:1])])
            promised, found = promised + told[-1][0], found + highest
            assert not verify_run(run_folder)
            recovered = recover(run_folder).run
            assert recovered.readings().rows == 200 * highest and recovered.manifest.status == "RECOVERED"
        finally:
            subprocess.run(["umount", str(folder)], check=True)
            disk.unlink()
            cut.unlink()
    with capsys.disabled():
        print(f"\n{cuts} power cuts with sync {sync}: {promised} blocks acknowledged, {max(0, promised - found)} lost, at most {longest_s:.2f} s")
    assert promised > cuts
    if sync == "block":
        assert found >= promised
        seen(23, f"power cut, synchronised each block, {cuts} times (ext4 on a disk of its own)", "the torn end is dropped and said; recovered", "no motion", f"{max(0, promised - found)} of {promised} blocks")
    else:
        seen(24, f"power cut, `--sync 1s`, {cuts} times", "the torn end is dropped and said; recovered", "no motion", f"{max(0, promised - found)} of {promised} blocks, at most {longest_s:.2f} s")


def on(folder: Path) -> tuple[int, Path]:
    """The highest record of the one run on a disk, whose rows are all right, and its folder."""
    (path,) = run_folders(folder / "new" / "runs")
    try:
        capture = RunDirectory.open(path).readings(unfinished=True)
    except DataError:
        return 0, path
    n = np.arange(capture.rows)
    assert np.array_equal(capture.columns["n"], n) and np.array_equal(capture.columns["x_m"], n / 7.0)
    return (capture.batches[-1].seq if capture.batches else 0), path
