"""Writing a capture: readings go to the disk block by block in a thread of their own, and what was acknowledged is kept.

    process death (kill -9, no memory, Ctrl-C)   loses no acknowledged block
    power loss                                   loses at most what followed the last fdatasync: nothing with `sync="block"`, 1 s with `sync=1.0`
    a full queue, a slow disk                    becomes an explicit gap with its number of samples
    a full disk                                  raises in the next `append`; what was acknowledged is kept

The thread that measures only copies and queues; it never waits for the disk unless it asks to (`append_and_wait`).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ..errors import DataError
from . import durable
from .capture_reader import Capture, CaptureReader, Damage, Gap, Verification, read, verify
from .columns import Column, checked, schema_sha256
from .records import NUMPY_DTYPES, Encoder, Kind, Record

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .records import Readings

__all__ = ["Capture", "CaptureReader", "CaptureWriter", "Column", "Damage", "Gap", "Verification", "read", "schema_sha256", "verify"]


class CaptureWriter:
    """The one writer of a capture.

    Parameters
    ----------
    path : a file that does not exist yet.
    columns : what each block holds.
    sync : "block" — fdatasync after each block (or after all that queued meanwhile); a number — at most that many seconds apart.
    queue_blocks : how many blocks may wait for the disk; one more becomes a gap.
    reserve_bytes : estimate of the whole capture; twice that must be free on the disk.

    When the constructor returns, the file, its name and the schema are on the disk and everything that is slow the first time has run once.

    Raises
    ------
    DataError       the file exists, or cannot be written
    SafetyStop      not enough room on the disk
    ValueError      columns or settings that make no sense
    """

    def __init__(
        self, path: Path, columns: Sequence[Column], *, sync: float | Literal["block"] = "block", queue_blocks: int = 64, reserve_bytes: int = 0
    ) -> None:
        if sync != "block" and not 0.0 < float(sync) <= 60.0:
            raise ValueError(f"sync is {sync!r}; \"block\" or a time between 0 and 60 s is expected")
        if queue_blocks < 1:
            raise ValueError(f"queue_blocks is {queue_blocks}; at least 1 is expected")
        self.path = Path(path)
        self.columns = checked(columns)
        self._sync_s = None if sync == "block" else float(sync)
        self._queue_blocks = queue_blocks
        durable.reserve(self.path.parent, reserve_bytes)
        self._warm_up()
        self._encoder = Encoder(self.columns)

        self._condition = threading.Condition()
        self._waiting: deque[Record] = deque()
        self._next_seq = self._next_sample = 0
        self._lost_samples, self._lost_reasons = 0, dict[str, None]()  # a gap that is not queued yet
        self._acknowledged = self._synced = -1
        self._error: BaseException | None = None
        self._error_told = self._closing = self._closed = False

        self._descriptor = durable.create(self.path)
        try:
            self._waiting.append(self._numbered("begin"))
            self._write_waiting()
            durable.sync(self._descriptor)
            durable.sync_directory(self.path.parent)
        except OSError as error:
            os.close(self._descriptor)
            raise DataError(f"{self.path.name} cannot be written: {error}; free some space or choose another folder") from error
        self._synced = self._acknowledged
        self._last_sync = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"capture {self.path.name}", daemon=True)
        self._thread.start()

    def append(self, block: Mapping[str, ArrayLike], *, t_mono_ns: int | None = None) -> int:
        """Queue one block, at once: column name -> (rows,) readings, copied here. Returns the sequence number of its record.

        When the queue is full, the block is lost and counted; the number returned is then that of the gap that will stand in its place.

        Raises
        ------
        ValueError      a column is missing, unknown, of another length, or of a type that does not fit
        DataError       the writer failed (disk full, ...) or is closed
        """
        readings = self._readings(block)
        with self._condition:
            self._check_alive()
            if len(self._waiting) >= self._queue_blocks:
                return self._lose(len(readings[0]), "the disk was slower than the readings (queue full)")
            return self._push("block", t_mono_ns, readings=readings)

    def append_and_wait(self, block: Mapping[str, ArrayLike], *, t_mono_ns: int | None = None, timeout_s: float = 30.0) -> int:
        """Queue one block, waiting for room, and return its sequence number when it is acknowledged. Raises as `append`."""
        readings = self._readings(block)
        with self._condition:
            self._wait_for(lambda: len(self._waiting) < self._queue_blocks, timeout_s)
            seq = self._push("block", t_mono_ns, readings=readings)
            self._wait_for(lambda: self._acknowledged >= seq, timeout_s)
        return seq

    def gap(self, reason: str, samples: int, *, t_mono_ns: int | None = None) -> int:
        """Record that `samples` readings are missing here, and why (beam lost, device overrun). Returns the sequence number of the gap."""
        if samples < 0:
            raise ValueError(f"a gap of {samples} samples; 0 or more is expected")
        with self._condition:
            self._check_alive()
            if len(self._waiting) >= self._queue_blocks:
                return self._lose(samples, reason)
            return self._push("gap", t_mono_ns, missing=samples, reason=reason[:500])

    @property
    def acknowledged(self) -> int:
        """Highest sequence number that process death cannot take any more (with `sync="block"`: nor can power loss). 0: the empty capture."""
        with self._condition:
            return self._acknowledged

    @property
    def synced(self) -> int:
        """Highest sequence number that power loss cannot take any more."""
        with self._condition:
            return self._synced

    def wait(self, timeout_s: float = 30.0) -> int:
        """Return the highest acknowledged number when nothing waits any more. Raises as `append`."""
        with self._condition:
            self._wait_for(lambda: self._acknowledged == self._next_seq - 1, timeout_s)
            return self._acknowledged

    def close(self) -> None:
        """Write what waits, mark the end, let go of the file. Safe to call twice.

        Raises
        ------
        DataError       something that was appended did not reach the disk (once: not again when `append` has said so already)
        """
        with self._condition:
            if not self._closing and self._error is None:
                self._settle()
                self._waiting.append(self._numbered("end"))
            self._closing = True
            self._condition.notify_all()
        self._thread.join()
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)
        if self._error is not None and not self._error_told:
            raise self._failure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(DataError):  # the first error is the one to tell
            self.close()

    # -- the measuring thread ---------------------------------------------------------------------------------------------------------------------

    def _readings(self, block: Mapping[str, ArrayLike]) -> Readings:
        import numpy as np

        if set(block) != {column.name for column in self.columns}:
            raise ValueError(f"a block has the columns {sorted(block)}; {[column.name for column in self.columns]} are expected")
        arrays: list[Any] = []
        for column in self.columns:
            given = np.asarray(block[column.name])
            if given.ndim != 1:
                raise ValueError(f"column {column.name!r} has shape {given.shape}; (rows,) is expected")
            fits = given.dtype.kind in ("fiub" if column.dtype == "f8" else "iub")
            if given.size and (not fits or (given.dtype == np.uint64 and column.dtype == "i8" and int(given.max()) >= 1 << 63)):
                raise ValueError(f"column {column.name!r} is given as {given.dtype}; values that {column.dtype} holds exactly are expected")
            arrays.append(given.astype(NUMPY_DTYPES[column.dtype], order="C", copy=True))
        lengths = {array.size for array in arrays}
        if len(lengths) != 1:
            raise ValueError(f"the columns of a block have the lengths {sorted(lengths)}; one length is expected")
        return tuple(arrays)

    def _numbered(self, kind: Kind, t_mono_ns: int | None = None, *, readings: Readings = (), missing: int = 0, reason: str = "") -> Record:
        now = time.monotonic_ns() if t_mono_ns is None else int(t_mono_ns)
        record = Record(kind, self._next_seq, now, self._next_sample, readings, missing, reason)
        self._next_seq += 1
        self._next_sample += record.rows + missing
        return record

    def _push(self, kind: Kind, t_mono_ns: int | None, *, readings: Readings = (), missing: int = 0, reason: str = "") -> int:
        self._settle()
        record = self._numbered(kind, t_mono_ns, readings=readings, missing=missing, reason=reason)
        self._waiting.append(record)
        self._condition.notify_all()
        return record.seq

    def _lose(self, samples: int, reason: str) -> int:
        self._lost_samples += samples
        self._lost_reasons[reason[:500]] = None
        return self._next_seq

    def _settle(self) -> None:
        """Queue the gap that stands for what was lost since."""
        if self._lost_reasons:
            reason = "; ".join(list(self._lost_reasons)[:4])
            self._waiting.append(self._numbered("gap", missing=self._lost_samples, reason=reason))
            self._lost_samples = 0
            self._lost_reasons.clear()

    def _wait_for(self, condition: Any, timeout_s: float) -> None:
        if not self._condition.wait_for(lambda: condition() or self._error is not None or self._closing, timeout_s):
            raise DataError(
                f"{self.path.name}: the disk did not take a block within {timeout_s:g} s; readings up to number {self._acknowledged} are kept; "
                "look at the disk (a sleeping drive, a lost network share)"
            )
        if not condition():
            self._check_alive()

    def _check_alive(self) -> None:
        if self._error is not None:
            raise self._failure()
        if self._closing:
            raise DataError(f"{self.path.name} is closed; nothing can be appended any more")

    def _failure(self) -> DataError:
        self._error_told = True
        failure = DataError(
            f"{self.path.name} cannot be written any more: {self._error}; records up to number {self._acknowledged} are on the disk and kept; "
            f"free some space and start a new run, or go on from `precision runs recover {self.path.parent.name}`"
        )
        failure.__cause__ = self._error
        return failure

    # -- the writing thread -----------------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._something_to_do():
                self._write_waiting()
                if self._sync_s is None or time.monotonic() - self._last_sync >= self._sync_s:
                    self._sync()
            self._finish()
        except BaseException as error:
            with self._condition:
                self._error = error
                self._waiting.clear()
                self._condition.notify_all()

    def _something_to_do(self) -> bool:
        """Wait for a record, or until it is time for the next fdatasync; False when all is written and the writer is to close."""
        with self._condition:
            while not self._waiting:
                if self._closing:
                    return False
                left = None if self._sync_s is None or self._synced == self._acknowledged else self._last_sync + self._sync_s - time.monotonic()
                if left is not None and left <= 0:
                    return True
                self._condition.wait(left)
            return True

    def _write_waiting(self) -> None:
        """Write what waits; acknowledge each record when the operating system has it, or after fdatasync when each block is synchronised."""
        with self._condition:
            records = list(self._waiting)
            self._waiting.clear()
            self._condition.notify_all()
        for record in records:
            durable.write_all(self._descriptor, self._encoder.encode(record))
            if self._sync_s is not None:
                self._acknowledge(record.seq)
        if self._sync_s is None and records:
            durable.sync(self._descriptor)
            self._acknowledge(records[-1].seq, synced=True)

    def _sync(self) -> None:
        if self._synced != self._acknowledged:
            durable.sync(self._descriptor)
            with self._condition:
                self._synced = self._acknowledged
        self._last_sync = time.monotonic()

    def _acknowledge(self, seq: int, *, synced: bool = False) -> None:
        with self._condition:
            self._acknowledged = seq
            if synced:
                self._synced = seq
            self._condition.notify_all()

    def _finish(self) -> None:
        durable.write_all(self._descriptor, self._encoder.finish())
        durable.sync(self._descriptor)
        with self._condition:
            self._synced = self._acknowledged

    def _warm_up(self) -> None:
        """Encode one row for nothing: what pyarrow does once, it does before the machine moves."""
        import numpy as np

        row = tuple(np.zeros(1, dtype=NUMPY_DTYPES[column.dtype]) for column in self.columns)
        Encoder(self.columns).encode(Record("block", 0, 0, 0, row))
