"""Reading a capture, whole, torn, damaged or still being written: what passes its checks is returned, everything else is named.

Nothing is interpolated and nothing is changed. A record is whole when its framing, its metadata and its CRC-32 fit and its number follows the last.
After damage in the middle the next whole record is looked for, so that one bad sector costs one block.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import DataError
from ..regular_file import open_regular
from . import canonical
from .columns import Column, arrow_schema, checked, from_arrow, schema_sha256
from .records import NUMPY_DTYPES, Record, decoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Message = Callable[[int], tuple[int, Any, Any]]
_MARKER = b"\xff\xff\xff\xff"
_END = _MARKER + bytes(4)
_LONGEST_METADATA = 1 << 20
ON_DISK_BYTES: Final = 2 << 30
"""Captures beyond this are held in files and not in memory: an hour of 12 channels at 20 kHz is 9 GB."""
UNMARKED_END = "the writer did not mark the end: it still runs, or it died"
CHANGED_SINCE = "its SHA-256 is not the one taken when it was closed; the file was changed since"
CUT_SINCE = "the mark of its end is missing, and its SHA-256 is not the one taken when it was closed; the file was cut or overwritten since"


@dataclass(frozen=True, slots=True)
class Gap:
    """Readings that the writer knew to be missing: `samples` of them after row `row` of the columns, and why."""

    row: int
    samples: int
    reason: str
    t_mono_ns: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of the file that does not pass. What was lost is None where nothing tells.

    offset, size : bytes.  blocks : records.  samples : readings of each column.  seconds : between the whole records on both sides.
    tail : whether nothing whole follows (a torn end).
    """

    offset: int
    size: int
    reason: str
    blocks: int | None
    samples: int | None
    seconds: float | None
    tail: bool

    def __str__(self) -> str:
        if self.tail:
            return f"the last {self.size} bytes (from byte {self.offset}) are no whole record: {self.reason}"
        return f"bytes {self.offset} to {self.offset + self.size} are damaged ({self.reason}): {self.blocks} records, {self.samples} samples, {self.seconds:.3f} s are lost"


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a block stands: `rows` rows of the columns from row `row`."""

    seq: int
    t_mono_ns: int
    row: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """A capture in memory.

    schema : the columns in their order.
    columns : name -> (n,) float64 or int64, only readings that passed every check.
    batches : the blocks they came in.
    gaps : what the writer knew to be missing.
    damage : what does not pass; empty in a good file.
    closed : whether the writer marked the end. False: it still runs, or died.
    tail : what is wrong with the end of the file, or None.
    """

    schema: tuple[Column, ...]
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]]
    batches: tuple[Batch, ...]
    gaps: tuple[Gap, ...]
    damage: tuple[Damage, ...]
    closed: bool

    @property
    def rows(self) -> int:
        """Rows that are whole."""
        return sum(batch.rows for batch in self.batches)

    @property
    def tail(self) -> str | None:
        """What is wrong with the end of the file; None where it was closed in order."""
        torn = [str(damage) for damage in self.damage if damage.tail]
        if torn:
            return torn[0]
        return None if self.closed else UNMARKED_END

    @property
    def whole(self) -> bool:
        """Whether the file is closed and undamaged. Gaps that the writer recorded are part of a whole file."""
        return self.closed and not self.damage


class CaptureReader:
    """One pass over the records of a capture, without holding it in memory.

    columns : what the manifest says. Then names and units come from there, and a damaged schema in the file does not cost the readings.

    Iterating yields the whole records; afterwards `damage`, `closed` (the end is marked) and `ended` (the last record is there: no reading followed) are complete.

    Raises
    ------
    DataError       the file cannot be opened, or its schema cannot be read and `columns` is not given
    """

    def __init__(self, path: Path, columns: Sequence[Column] | None = None) -> None:
        import pyarrow as pa

        self.path = Path(path)
        self.damage: list[Damage] = []
        self.closed = self.ended = False
        try:
            with open_regular(self.path) as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else None
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path.name} cannot be read: {error}") from None
        self._buffer = pa.py_buffer(self._map if self._map is not None else b"")
        self.size = int(self._buffer.size)
        self.schema_problem: str | None = None
        try:
            found = self._columns_in_file()
        except DataError as error:
            if columns is None:
                raise DataError(f"{self.path.name}: {error}; `precision runs recover` uses the copy of the schema in the manifest") from None
            found, self.schema_problem = (), str(error)
        self.columns = found if columns is None else checked(columns)
        if self.columns != found and self.schema_problem is None:
            self.schema_problem = "the columns in the file are not those of the manifest"
        self.schema_sha256 = schema_sha256(self.columns)

    def _columns_in_file(self) -> tuple[Column, ...]:
        import pyarrow as pa

        if self.size == 0:
            raise DataError("the file is empty: the writer died before it wrote anything")
        try:
            return from_arrow(pa.ipc.read_schema(pa.BufferReader(self._buffer)))
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise DataError(f"the file does not begin with the schema of a capture ({_short(error)})") from None

    def __iter__(self) -> Iterator[Record]:
        self.damage, self.closed, self.ended = [], False, False
        seq, sample, t_mono_ns = 0, 0, None  # what the next record must have; when the last was handed over
        good_end, wrong = self._schema_end(), None
        for start, end, found in self._frames(good_end):
            if found is None and self.ended and start == good_end:
                self.closed, good_end = True, end
                continue
            if not isinstance(found, Record) or self.ended or found.seq < seq:
                wrong = wrong or (found if isinstance(found, str) else "a record or a mark of the end where none belongs")
                continue
            if wrong or found.seq != seq or found.sample != sample or start != good_end:
                seconds = (found.t_mono_ns - t_mono_ns) / 1e9 if t_mono_ns is not None else 0.0
                reason = wrong or "records are missing"
                self.damage.append(Damage(good_end, start - good_end, reason, found.seq - seq, found.sample - sample, seconds, tail=False))
            yield found
            self.ended = found.kind == "end"
            seq, sample, t_mono_ns = found.seq + 1, found.sample + found.rows + found.missing, found.t_mono_ns
            good_end, wrong = end, None
        if wrong or good_end != self.size:
            self.damage.append(Damage(good_end, self.size - good_end, wrong or "bytes follow the end", None, None, None, tail=True))

    def _schema_end(self) -> int:
        """Where the schema's message ends, by its length; 8 when that makes no sense (the search then begins there)."""
        length = int.from_bytes(self._buffer[4:8].to_pybytes(), "little") if self.size >= 8 else 0
        return 8 + length if 0 < length <= _LONGEST_METADATA and length % 8 == 0 and 8 + length <= self.size else min(8, self.size)

    def _frames(self, offset: int) -> Iterator[tuple[int, int, Record | str | None]]:
        """(first byte, byte after, record or what is wrong or None for the end mark) of one message after the other, from `offset`."""
        import pyarrow as pa

        message = self._single if self.schema_problem else self._streamed()
        while offset < self.size:
            try:
                end, batch, metadata = message(offset)
            except (StopIteration, EOFError):
                wrong = "the file stops in the middle of a record, or zeros follow"
            except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
                wrong = _short(error)
            else:
                try:
                    yield offset, end, None if batch is None else decoded(batch, metadata, self.columns, self.schema_sha256)
                except ValueError as error:
                    yield offset, end, str(error)
                offset = end
                continue
            yield offset, offset, wrong
            message = self._single
            offset = self._next_message(offset + 8)

    def _streamed(self) -> Message:
        """Messages by one Arrow reader over the whole file: the fast way, as long as nothing is wrong."""
        import pyarrow as pa

        source = pa.BufferReader(self._buffer)
        stream = pa.ipc.open_stream(source)

        def message(offset: int) -> tuple[int, Any, Any]:
            if self._slice(offset, 8) == _END:
                return offset + 8, None, None
            batch, metadata = stream.read_next_batch_with_custom_metadata()
            return int(source.tell()), batch, metadata

        return message

    def _single(self, offset: int) -> tuple[int, Any, Any]:
        """The message at `offset` alone, behind a schema of our own: the way after damage."""
        import pyarrow as pa

        if self._slice(offset, 8) == _END:
            return offset + 8, None, None
        source = pa.BufferReader(self._buffer[offset:])
        pa.ipc.read_message(source)
        end = offset + source.tell()
        head = arrow_schema(self.columns).serialize().to_pybytes()
        stream = pa.ipc.open_stream(pa.BufferReader(head + self._slice(offset, end - offset)))
        return end, *stream.read_next_batch_with_custom_metadata()

    def _slice(self, offset: int, length: int) -> bytes:
        return bytes(self._map[offset : offset + length]) if self._map is not None else b""

    def _next_message(self, offset: int) -> int:
        """Where the next thing stands that could be a record, or the end of the file; messages begin at multiples of 8 bytes."""
        while self._map is not None and (offset := self._map.find(_MARKER, offset)) >= 0:
            length = int.from_bytes(self._slice(offset + 4, 4), "little")
            if offset % 8 == 0 and length <= _LONGEST_METADATA and length % 8 == 0 and self._is_record(offset):
                return offset
            offset += 1
        return self.size

    def _is_record(self, offset: int) -> bool:
        import pyarrow as pa

        try:
            return bool(pa.ipc.read_message(pa.BufferReader(self._buffer[offset:])).type == "record batch")
        except (pa.ArrowException, OSError, ValueError, EOFError, MemoryError):
            return False


def read(path: Path, columns: Sequence[Column] | None = None) -> Capture:
    """A capture in memory, also one that is torn, damaged or still being written: look at `whole`, `tail`, `damage` and `gaps`.

    columns : what the manifest says; see `CaptureReader`, also for what it raises.
    """
    import numpy as np

    reader = CaptureReader(path, columns)
    parts: list[list[Any]] = [[] for _ in reader.columns]
    batches, gaps, row = [], [], 0
    for record in reader:
        if record.kind == "gap":
            gaps.append(Gap(row, record.missing, record.reason, record.t_mono_ns))
        elif record.kind == "block":
            batches.append(Batch(record.seq, record.t_mono_ns, row, record.rows))
            row += record.rows
            for part, readings in zip(parts, record.readings, strict=True):
                part.append(readings)
    arrays = {}
    large = row * sum(np.dtype(NUMPY_DTYPES[column.dtype]).itemsize for column in reader.columns) > ON_DISK_BYTES
    for column, part in zip(reader.columns, parts, strict=True):
        array = _on_disk(part, row, NUMPY_DTYPES[column.dtype]) if large else np.concatenate(part) if part else np.empty(0, dtype=NUMPY_DTYPES[column.dtype])
        part.clear()
        array.flags.writeable = False
        arrays[column.name] = array
    return Capture(reader.columns, arrays, tuple(batches), tuple(gaps), tuple(reader.damage), reader.closed)


def _on_disk(parts: Sequence[Any], rows: int, dtype: str) -> NDArray[Any]:
    """A column in a file without a name, mapped: its pages are read when they are looked at, and given back when memory is short."""
    import numpy as np

    try:
        with tempfile.TemporaryFile() as file:
            for part in parts:
                file.write(part.data)
            file.flush()
            column: NDArray[Any] = np.memmap(file, dtype=dtype, mode="r", shape=(rows,))
    except OSError as error:
        raise DataError(
            f"the {rows} readings of a column do not fit into {tempfile.gettempdir()}: {error}; free {rows * 8 >> 20} MB a column there, or set TMPDIR to another folder"
        ) from None
    return column


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a check of a capture found. `problems` is empty when everything fits."""

    problems: tuple[str, ...]
    blocks: int
    samples: int
    gaps: int
    missing: int
    closed: bool

    def __bool__(self) -> bool:
        return not self.problems


def verify(path: Path, schema_sha256: str | None = None, *, columns: Sequence[Column] | None = None, sha256: str | None = None) -> Verification:
    """Check every record of a capture, its schema against the hash in the manifest, and its bytes against the hash taken when it was closed."""
    try:
        reader = CaptureReader(path, columns)
    except DataError as error:
        return Verification(problems=(str(error),), blocks=0, samples=0, gaps=0, missing=0, closed=False)
    problems = [f"{path.name}: {reader.schema_problem}"] if reader.schema_problem else []
    if schema_sha256 is not None and reader.schema_sha256 != schema_sha256:
        problems.append(f"{path.name}: the hash of its columns is {reader.schema_sha256[:12]}…; the manifest says {schema_sha256[:12]}…")
    blocks = samples = gaps = missing = 0
    for record in reader:
        blocks += record.kind == "block"
        gaps += record.kind == "gap"
        samples, missing = samples + record.rows, missing + record.missing
    problems += [f"{path.name}: {damage}" for damage in reader.damage]
    changed = sha256 is not None and canonical.sha256_of_file(path) != sha256
    if changed or not reader.closed:
        problems.append(f"{path.name}: {end_problem(closed=reader.closed, changed=changed)}")
    return Verification(problems=tuple(problems), blocks=blocks, samples=samples, gaps=gaps, missing=missing, closed=reader.closed)


def end_problem(*, closed: bool, changed: bool) -> str:
    """What is wrong with a capture whose end is not marked (`closed` False) or whose bytes are not those that were hashed when it was closed."""
    if not changed:
        return UNMARKED_END
    return CHANGED_SINCE if closed else CUT_SINCE


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
