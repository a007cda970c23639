"""Rows of a fast stream, gathered into blocks that are worth writing to the disk at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from precision.runs.capture import Column

from .procedure import Sink, block

ROWS: Final = 20_000


class Gathered:
    """Columns of a stream on their way to `sink`; `flush` before a gap and at the end."""

    def __init__(self, columns: Sequence[Column], sink: Sink) -> None:
        self._columns, self._sink = columns, sink
        self._held: dict[str, list[Any]] = {}
        self._count = 0

    def add(self, **columns: Any) -> None:
        """Rows, (n,) each; written with the others once there are `ROWS`."""
        for name, values in columns.items():
            self._held.setdefault(name, []).append(np.array(values))  # the driver may fill its buffer again
        self._count += len(next(iter(columns.values())))
        if self._count >= ROWS:
            self.flush()

    def gap(self, reason: str, samples: int) -> None:
        """`samples` are missing here."""
        self.flush()
        self._sink.gap(reason, samples)

    def flush(self) -> None:
        """Write what is held."""
        if self._count:
            self._sink.append_and_wait(block(self._columns, **{name: np.concatenate(parts) for name, parts in self._held.items()}))
            self._held, self._count = {}, 0
