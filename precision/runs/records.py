"""The records of a capture and their bytes: an Arrow IPC stream, one batch a record, with sequence number and CRC-32 in the batch's metadata.

    begin (seq 0) · block · block · gap · block · ... · end

Records without readings (begin, gap, end) are batches of no rows. The CRC runs over the hash of the schema, every number of the metadata and the
readings, so that a flipped bit in any of them is seen. Any Arrow reader opens the file; only this one checks it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .columns import Column, arrow_schema, schema_sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Readings = tuple[NDArray[np.float64] | NDArray[np.int64], ...]

Kind = Literal["begin", "block", "gap", "end"]
NUMPY_DTYPES = {"f8": "<f8", "i8": "<i8"}


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One batch of a capture.

    kind : "begin", "block" (readings), "gap" (readings that are known to be missing), "end" (the writer closed the capture).
    seq : consecutive number in the file, from 0.
    t_mono_ns : the computer's monotonic clock when the record was handed over.
    sample : number of samples before this record, recorded or known to be missing.
    readings : one (rows,) array a column; empty unless this is a block.
    missing : samples that a gap stands for.
    reason : why a gap is there.
    """

    kind: Kind
    seq: int
    t_mono_ns: int
    sample: int
    readings: Readings = field(default=())
    missing: int = 0
    reason: str = ""

    @property
    def rows(self) -> int:
        return len(self.readings[0]) if self.readings else 0

    def crc32(self, schema_hash: str) -> int:
        """CRC-32 of everything that this record says, beginning with the hash of the schema."""
        said = f"{schema_hash} {self.kind} {self.seq} {self.t_mono_ns} {self.sample} {self.rows} {self.missing} {self.reason}"
        crc = zlib.crc32(said.encode("utf-8"))
        for array in self.readings if self.rows else ():
            crc = zlib.crc32(array.data, crc)
        return crc

    def metadata(self, schema_hash: str) -> dict[str, str]:
        return {
            "kind": self.kind, "seq": str(self.seq), "t_mono_ns": str(self.t_mono_ns), "sample": str(self.sample), "missing": str(self.missing),
            "reason": self.reason, "crc32": f"{self.crc32(schema_hash):08x}",
        }


class Encoder:
    """Records to the bytes of an Arrow IPC stream, one after the other; the schema's message precedes the first."""

    def __init__(self, columns: Sequence[Column]) -> None:
        import numpy as np
        import pyarrow as pa

        self._schema = arrow_schema(columns)
        self._schema_hash = schema_sha256(columns)
        self._types = [field.type for field in self._schema]
        self._nothing = tuple(np.empty(0, dtype=NUMPY_DTYPES[column.dtype]) for column in columns)
        self._sink = io.BytesIO()
        self._stream = pa.ipc.new_stream(self._sink, self._schema)

    def encode(self, record: Record) -> bytes:
        import pyarrow as pa

        # `from_buffers`, because `pa.array(ndarray)` imports pandas where it is installed: seconds, with the machine moving.
        arrays = [
            pa.Array.from_buffers(type_, record.rows, [None, pa.py_buffer(array)], null_count=0)
            for type_, array in zip(self._types, record.readings or self._nothing, strict=True)
        ]
        self._stream.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema), custom_metadata=record.metadata(self._schema_hash))
        return self._taken()

    def finish(self) -> bytes:
        """The mark with which the stream ends."""
        self._stream.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data


def decoded(batch: Any, metadata: Any, columns: Sequence[Column], schema_hash: str) -> Record:
    """The record in an Arrow batch; its readings are views of the batch's memory.

    Raises
    ------
    ValueError      saying what is wrong with the batch, the CRC included
    """
    import numpy as np

    try:
        said = {key.decode("ascii"): value.decode("utf-8") for key, value in dict(metadata or {}).items()}
        kind, crc = said["kind"], int(said["crc32"], 16)
        seq, t_mono_ns, sample, missing = (int(said[key]) for key in ("seq", "t_mono_ns", "sample", "missing"))
        reason = said["reason"]
    except (KeyError, ValueError) as error:
        raise ValueError(f"its metadata are damaged ({error!r})") from None
    readings = []
    for column, array in zip(columns, batch.columns, strict=True):
        buffer = array.buffers()[1]
        if array.null_count or array.offset or (buffer is None and batch.num_rows) or (buffer is not None and buffer.size < 8 * batch.num_rows):
            raise ValueError(f"column {column.name!r} is damaged")
        dtype = NUMPY_DTYPES[column.dtype]
        readings.append(np.frombuffer(buffer, dtype=dtype, count=batch.num_rows) if batch.num_rows else np.empty(0, dtype=dtype))
    if kind not in ("begin", "block", "gap", "end") or (kind != "block" and batch.num_rows):
        raise ValueError(f"its kind is {kind!r} with {batch.num_rows} rows")
    record = Record(kind, seq, t_mono_ns, sample, tuple(readings), missing, reason)
    if record.crc32(schema_hash) != crc:
        raise ValueError("its CRC-32 does not fit")
    return record
