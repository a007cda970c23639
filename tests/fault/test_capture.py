"""What the capture promises (docs/reliability.md), tried: death at any moment, a full disk, flipped bits, torn tails, two writers, a slow disk."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.errors import DataError, SafetyStop
from precision.runs import capture_reader, durable
from precision.runs.capture import Capture, CaptureReader, CaptureWriter, Column, read, schema_sha256, verify

VICTIM = Path(__file__).with_name("capture_victim.py")
COLUMNS = [Column("t_ns", "i8", "ns", wall_clock=True), Column("x_m", "f8", "m")]
ROWS = 16


def block(number: int, rows: int = ROWS) -> dict[str, object]:
    n = np.arange(number * rows, (number + 1) * rows)
    return {"t_ns": n * 1000, "x_m": n / 7.0}


def written(path: Path, blocks: int = 6, *, gap_after: int | None = 3) -> Capture:
    with CaptureWriter(path, COLUMNS) as writer:
        for number in range(blocks):
            writer.append_and_wait(block(number))
            if number == gap_after:
                writer.gap("beam lost", 5)
    return read(path)


def same(first: Capture, second: Capture) -> bool:
    return (
        first.schema == second.schema
        and first.gaps == second.gaps
        and first.batches == second.batches
        and all(np.array_equal(first.columns[name].view(np.int64), second.columns[name].view(np.int64)) for name in first.columns)
    )


def test_what_was_appended_comes_back_with_its_gaps_and_units(tmp_path: Path) -> None:
    capture = written(tmp_path / "capture.arrows")
    assert capture.whole and capture.tail is None and capture.schema == tuple(COLUMNS)
    assert np.array_equal(capture.columns["x_m"], np.arange(6 * ROWS) / 7.0)
    assert [(gap.row, gap.samples, gap.reason) for gap in capture.gaps] == [(4 * ROWS, 5, "beam lost")]
    assert [batch.seq for batch in capture.batches] == [1, 2, 3, 4, 6, 7]
    assert not capture.columns["x_m"].flags.writeable


def test_a_capture_larger_than_memory_should_hold_is_read_from_disk_with_the_same_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = written(tmp_path / "capture.arrows")
    monkeypatch.setattr(capture_reader, "ON_DISK_BYTES", 0)
    mapped = read(tmp_path / "capture.arrows")
    assert same(mapped, in_memory)
    assert all(isinstance(column, np.memmap) and not column.flags.writeable for column in mapped.columns.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_no_room_for_a_large_capture_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "capture.arrows")
    monkeypatch.setattr(capture_reader, "ON_DISK_BYTES", 0)
    monkeypatch.setattr(capture_reader.tempfile, "TemporaryFile", lambda: open("/dev/full", "r+b", buffering=0))
    with pytest.raises(DataError, match=r"do not fit into .*free .* MB a column there, or set TMPDIR"):
        read(tmp_path / "capture.arrows")


def test_any_arrow_reader_opens_the_file(tmp_path: Path) -> None:
    import pyarrow as pa

    written(tmp_path / "capture.arrows")
    with pa.memory_map(str(tmp_path / "capture.arrows")) as source:
        table = pa.ipc.open_stream(source).read_all()
        assert np.array_equal(table.column("x_m").to_numpy(), np.arange(6 * ROWS) / 7.0)
        assert table.schema.field("x_m").metadata[b"unit"] == b"m"
        del table


# -- death --------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the victims are forked")
def test_kill_9_loses_no_acknowledged_block(tmp_path: Path, slow: bool, seen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20261123)
    sys.path.insert(0, str(VICTIM.parent))
    try:
        from capture_victim import COLUMNS as VICTIM_COLUMNS
    finally:
        sys.path.remove(str(VICTIM.parent))
    kills = 1000 if slow else 40
    acknowledged_total = 0
    with subprocess.Popen([sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as zygote:
        assert zygote.stdin is not None and zygote.stdout is not None
        for number in range(kills):
            path = tmp_path / f"{number}.arrows"
            zygote.stdin.write(f"{path} {chance.choice(['block', '1.0'])}\n")
            victim = int(zygote.stdout.readline())
            if number % 2:  # half of them while they write, however slow the computer is
                deadline, note = time.monotonic() + 10, path.with_suffix(".acknowledged")
                while not (note.exists() and note.stat().st_size) and time.monotonic() < deadline:
                    time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.1 if number % 2 else 0.25))
            os.kill(victim, signal.SIGKILL)
            assert zygote.stdout.readline() == "dead\n"
            acknowledged_total += check_victim(path, VICTIM_COLUMNS)
            path.unlink(missing_ok=True)
        zygote.stdin.close()
    assert acknowledged_total > kills, "the victims died before they wrote anything: nothing was tested"
    with capsys.disabled():
        print(f"\n{kills} writers killed: {acknowledged_total} acknowledged blocks, 0 lost")
    seen(21, f"kill -9 of a writer at full speed, {kills} times", "the torn end is dropped and said", "no motion", f"0 of {acknowledged_total} blocks")


def check_victim(path: Path, columns: list[Column]) -> int:
    """Every acknowledged record is there, every reading is right, and missing samples stand in gaps; the number of acknowledged records."""
    note = path.with_suffix(".acknowledged")
    said = note.read_bytes() if note.exists() else b""
    acknowledged = struct.unpack("<q", said)[0] if said else -1
    if not path.exists():
        assert acknowledged < 0
        return 0
    reader = CaptureReader(path, columns)
    last = -1
    for record in reader:
        if record.kind == "block":
            expected = np.arange(record.sample, record.sample + record.rows)
            assert np.array_equal(record.readings[0], expected)
            for channel in range(8):
                assert np.array_equal(record.readings[1 + channel], expected / (7.0 + channel))
        assert record.seq == last + 1
        last = record.seq
    assert last >= acknowledged, f"{acknowledged} was acknowledged, {last} is the last one there"
    assert all(damage.tail for damage in reader.damage), "only the tail may be torn"
    assert not reader.closed
    return max(acknowledged, 0)


# -- disk full ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX")
def test_a_full_disk_raises_in_the_measuring_thread_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path, limit = tmp_path / "capture.arrows", 2_000_000
    done = subprocess.run([sys.executable, str(VICTIM), str(path), str(limit)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 6, done.stderr
    assert "are on the disk and kept" in done.stdout and "free some space" in done.stdout
    acknowledged = struct.unpack("<q", path.with_suffix(".acknowledged").read_bytes())[0]
    capture = read(path)
    assert 0 < acknowledged <= capture.batches[-1].seq + len(capture.gaps) and not capture.closed and capture.tail
    assert np.array_equal(capture.columns["n"][:2500], np.arange(2500))
    assert path.stat().st_size <= limit


def test_a_full_tmpfs_raises_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        writer = CaptureWriter(folder / "capture.arrows", COLUMNS)
        with pytest.raises(DataError, match=r"No space left.*are on the disk and kept"):
            for number in range(1000):
                writer.append_and_wait(block(number, 1000))
        kept = writer.acknowledged
        writer.close()  # has been told already: nothing more to raise
        capture = read(folder / "capture.arrows")
        assert capture.batches[-1].seq >= kept > 10
        assert np.array_equal(capture.columns["x_m"], np.arange(capture.rows) / 7.0)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_write_error_that_nobody_saw_is_raised_by_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = CaptureWriter(tmp_path / "capture.arrows", COLUMNS)
    monkeypatch.setattr(durable, "sync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    writer.append(block(0))
    with pytest.raises(DataError, match="Input/output error"):
        writer.close()
    writer.close()


def test_too_little_room_stops_before_anything_moves(tmp_path: Path) -> None:
    with pytest.raises(SafetyStop, match="twice that is required"):
        CaptureWriter(tmp_path / "capture.arrows", COLUMNS, reserve_bytes=1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, memoryview(data)[: max(1, len(data) // 3)]))
    capture = written(tmp_path / "capture.arrows")
    assert capture.whole and np.array_equal(capture.columns["x_m"], np.arange(6 * ROWS) / 7.0)


# -- damage -------------------------------------------------------------------------------------------------------------------------------------------


def test_two_thousand_flipped_bits_and_none_is_silent(tmp_path: Path) -> None:
    original = written(tmp_path / "capture.arrows")
    data = (tmp_path / "capture.arrows").read_bytes()
    chance = random.Random(7)
    flipped = tmp_path / "flipped.arrows"
    seen = silent = 0
    for _ in range(2000):
        bit = chance.randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        flipped.write_bytes(changed)
        # without the SHA-256 of the closed file: also in a run that died, only the CRCs and the schema are there to see it
        if verify(flipped, schema_sha256(COLUMNS), columns=COLUMNS):
            silent += not same(read(flipped, COLUMNS), original)  # a bit of padding: nothing that was measured changed
        else:
            seen += 1
    assert silent == 0
    assert seen > 1200, "most bits mean something"


def test_the_hash_of_the_closed_file_sees_even_padding(tmp_path: Path) -> None:
    import hashlib

    written(tmp_path / "capture.arrows")
    data = (tmp_path / "capture.arrows").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    for offset in range(0, len(data), 97):
        changed = bytearray(data)
        changed[offset] ^= 0x10
        (tmp_path / "changed.arrows").write_bytes(changed)
        assert verify(tmp_path / "changed.arrows", columns=COLUMNS, sha256=sha256).problems


def test_a_flipped_unit_is_seen_without_the_manifest(tmp_path: Path) -> None:
    written(tmp_path / "capture.arrows")
    data = (tmp_path / "capture.arrows").read_bytes()
    (tmp_path / "capture.arrows").write_bytes(data.replace(b"x_m", b"y_m", 1))
    capture = read(tmp_path / "capture.arrows")
    assert capture.rows == 0 and "CRC-32" in str(capture.damage[0])
    with_manifest = read(tmp_path / "capture.arrows", COLUMNS)
    assert with_manifest.rows == 6 * ROWS and with_manifest.schema == tuple(COLUMNS)
    assert not verify(tmp_path / "capture.arrows", columns=COLUMNS)


def test_a_tail_torn_at_any_byte_is_dropped_and_said(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    with CaptureWriter(path, COLUMNS) as writer:
        for number in range(3):
            writer.append_and_wait(block(number))
        before = path.stat().st_size
        writer.append_and_wait(block(3))
        after = path.stat().st_size
    data = path.read_bytes()
    torn = tmp_path / "torn.arrows"
    for end in range(before, after):
        for filling in (b"", bytes(64)):  # a torn tail, and one that the file system filled with zeros
            torn.write_bytes(data[:end] + filling)
            capture = read(torn)
            assert capture.rows == 3 * ROWS and capture.tail and not capture.closed, end
            assert np.array_equal(capture.columns["x_m"], np.arange(3 * ROWS) / 7.0)
            if end > before or filling:
                assert capture.damage[-1].tail and capture.damage[-1].offset == before
                assert capture.damage[-1].size == end - before + len(filling)


def test_one_bad_sector_costs_one_block(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    with CaptureWriter(path, COLUMNS) as writer:
        for number in range(20):
            writer.append_and_wait(block(number, 512))
    data = bytearray(path.read_bytes())
    data[40_960:41_472] = bytes(512)
    path.write_bytes(data)
    capture = read(path)
    assert capture.rows == 19 * 512 and capture.closed
    (damage,) = capture.damage
    assert (damage.blocks, damage.samples, damage.tail) == (1, 512, False)
    kept = np.delete(np.arange(20 * 512), np.arange(damage.blocks * 512) + capture.batches[[b.rows for b in capture.batches].index(512)].row + _lost_start(capture))
    assert np.array_equal(capture.columns["x_m"], kept / 7.0)


def _lost_start(capture: Capture) -> int:
    """Row at which numbers stop being consecutive."""
    seqs = [batch.seq for batch in capture.batches]
    return next(batch.row + batch.rows for batch, later in zip(capture.batches, seqs[1:], strict=False) if later != batch.seq + 1)


def test_blocks_that_were_exchanged_or_repeated_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    ends = []
    with CaptureWriter(path, COLUMNS) as writer:
        for number in range(4):
            ends.append(path.stat().st_size)
            writer.append_and_wait(block(number))
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    first, second = data[ends[1] : ends[2]], data[ends[2] : ends[3]]
    for changed in (data[: ends[1]] + second + first + data[ends[3] :], data[: ends[2]] + first + data[ends[2] :]):
        path.write_bytes(changed)
        found = verify(path)
        assert found.problems
        assert found.samples <= 4 * ROWS


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"not a capture at all", bytes(10_000), b"\xff" * 5000):
        (tmp_path / "other.arrows").write_bytes(content)
        with pytest.raises(DataError, match=r"other\.arrows"):
            read(tmp_path / "other.arrows")
        assert read(tmp_path / "other.arrows", COLUMNS).rows == 0
        assert verify(tmp_path / "other.arrows").problems


def test_a_wiped_schema_does_not_cost_the_readings_when_the_manifest_has_it(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    original = written(path)
    data = path.read_bytes()
    path.write_bytes(bytes(300) + data[300:])
    assert same(read(path, COLUMNS), original)
    assert verify(path, columns=COLUMNS).problems


# -- writers and readers ------------------------------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    writer = CaptureWriter(path, COLUMNS)
    writer.append_and_wait(block(0))
    with pytest.raises(DataError, match="is being written by another process"):
        CaptureWriter(path, COLUMNS)
    assert durable.is_locked(path)
    writer.append_and_wait(block(1))
    writer.close()
    assert not durable.is_locked(path)
    with pytest.raises(DataError, match="exists already"):
        CaptureWriter(path, COLUMNS)
    assert read(path).rows == 2 * ROWS


def test_the_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "capture.arrows"
    with CaptureWriter(path, COLUMNS) as writer:
        rows, stop = [0], threading.Event()
        wrong: list[str] = []

        def look() -> None:
            while not stop.is_set():
                capture = read(path)
                if capture.closed or capture.rows < rows[-1] or not np.array_equal(capture.columns["x_m"], np.arange(capture.rows) / 7.0):
                    wrong.append(f"{capture.rows} rows after {rows[-1]}, closed {capture.closed}")
                rows.append(capture.rows)

        reader = threading.Thread(target=look)
        reader.start()
        for number in range(200):
            writer.append_and_wait(block(number))
        stop.set()
        reader.join()
    assert not wrong and rows[-1] > 0
    assert read(path).rows == 200 * ROWS


class SlowDisk:
    """Holds the writing thread in its first fdatasync until `release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.busy, self.free = threading.Event(), threading.Event()
        whole = durable.sync

        def sync(descriptor: int) -> None:
            self.busy.set()
            assert self.free.wait(30)
            whole(descriptor)

        monkeypatch.setattr(durable, "sync", sync)


def test_a_full_queue_becomes_an_explicit_gap_with_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture.arrows"
    writer = CaptureWriter(path, COLUMNS, queue_blocks=3)
    disk = SlowDisk(monkeypatch)
    writer.append(block(0))
    assert disk.busy.wait(30)
    for number in range(1, 4):
        writer.append(block(number))
    lost = {writer.append(block(number)) for number in range(4, 9)}
    assert lost == {5} and writer.acknowledged == 0, "five blocks share the number of the gap that will stand for them"
    disk.free.set()
    writer.wait()
    writer.append(block(9))
    writer.close()
    capture = read(path)
    assert capture.whole
    ((row, samples, reason),) = [(gap.row, gap.samples, gap.reason) for gap in capture.gaps]
    assert (row, samples) == (4 * ROWS, 5 * ROWS) and "queue full" in reason
    assert np.array_equal(capture.columns["x_m"][row:], np.arange(9 * ROWS, 10 * ROWS) / 7.0)


def test_blocks_lost_at_the_very_end_are_a_gap_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = CaptureWriter(tmp_path / "capture.arrows", COLUMNS, queue_blocks=1)
    disk = SlowDisk(monkeypatch)
    writer.append(block(0))
    assert disk.busy.wait(30)
    writer.append(block(1))
    writer.append(block(2))
    disk.free.set()
    writer.close()
    assert [gap.samples for gap in read(tmp_path / "capture.arrows").gaps] == [ROWS]


def test_a_block_is_acknowledged_only_after_it_was_synchronised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = CaptureWriter(tmp_path / "capture.arrows", COLUMNS)
    disk = SlowDisk(monkeypatch)
    seq = writer.append(block(0))
    assert disk.busy.wait(30)
    assert writer.acknowledged == writer.synced == 0
    with pytest.raises(DataError, match="did not take a block within"):
        writer.append_and_wait(block(1), timeout_s=0.05)
    disk.free.set()
    assert writer.wait() > seq
    writer.close()


def test_with_a_time_between_synchronisations_death_and_power_loss_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronised = []
    whole = durable.sync
    monkeypatch.setattr(durable, "sync", lambda descriptor: (synchronised.append(time.monotonic()), whole(descriptor)))
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS, sync=0.2) as writer:
        start = time.monotonic()
        for number in range(20):
            writer.append_and_wait(block(number))
        assert writer.acknowledged == 20
        while writer.synced < 20 and time.monotonic() < start + 10:
            time.sleep(0.01)
        assert writer.synced == 20, "what waits is synchronised in time although nothing more is appended"
    # begin, one for each 0.2 s that passed, the end
    assert len(synchronised) <= 3 + (time.monotonic() - start) / 0.2


def test_the_caller_may_use_its_arrays_again(tmp_path: Path) -> None:
    x, t = np.zeros(ROWS), np.zeros(ROWS, dtype=np.int64)
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS) as writer:
        for number in range(50):
            x[:] = number
            writer.append({"t_ns": t, "x_m": x})
        writer.wait()
    capture = read(tmp_path / "capture.arrows")
    assert not capture.gaps and np.array_equal(capture.columns["x_m"], np.repeat(np.arange(50.0), ROWS))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"x_m": [1.0]}, "columns"),
        ({"t_ns": [1], "x_m": [1.0], "y": [1.0]}, "columns"),
        ({"t_ns": [1, 2], "x_m": [1.0]}, "lengths"),
        ({"t_ns": [1.5], "x_m": [1.0]}, "t_ns"),
        ({"t_ns": [1], "x_m": ["1.0"]}, "x_m"),
        ({"t_ns": [1], "x_m": [1 + 2j]}, "x_m"),
        ({"t_ns": [[1]], "x_m": [1.0]}, "t_ns"),
        ({"t_ns": np.array([1 << 63], dtype=np.uint64), "x_m": [1.0]}, "t_ns"),
    ],
)
def test_a_block_that_does_not_fit_is_refused_and_changes_nothing(tmp_path: Path, wrong: dict[str, object], named: str) -> None:
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS) as writer:
        with pytest.raises(ValueError, match=named):
            writer.append(wrong)
        writer.append(block(0))
    assert read(tmp_path / "capture.arrows").rows == ROWS


@pytest.mark.parametrize("columns", [[], [COLUMNS[0], COLUMNS[0]]])
def test_columns_need_names_of_their_own(tmp_path: Path, columns: list[Column]) -> None:
    with pytest.raises(ValueError, match="its own name"):
        CaptureWriter(tmp_path / "capture.arrows", columns)


def test_nothing_is_appended_after_close(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "capture.arrows", COLUMNS)
    writer.close()
    with pytest.raises(DataError, match="closed"):
        writer.append(block(0))


def test_the_schema_is_on_the_disk_before_the_first_block(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "capture.arrows", COLUMNS):
        capture = read(tmp_path / "capture.arrows")
        assert capture.schema == tuple(COLUMNS) and capture.rows == 0


def test_writing_does_not_import_pandas(tmp_path: Path) -> None:
    trap = tmp_path / "trap" / "pandas"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise SystemExit('pandas was imported while the machine moves')\n")
    program = (
        "import sys; from pathlib import Path; from precision.runs.capture import *\n"
        "with CaptureWriter(Path(sys.argv[1]), [Column('x', 'f8', 'm')]) as w:\n"
        "    w.append_and_wait({'x': [1.0, 2.0]})\n"
        "assert 'pandas' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(trap.parent)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "capture.arrows")], env=environment, check=True, timeout=60)
