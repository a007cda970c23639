"""Rows of a fast stream, gathered into blocks that are worth writing to the disk at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from precision.runs.capture import Column

from .procedure import Sink, block

ROWS: Final = 20_000


class Gathered:
    """Columns of a stream of `rate_hz` on their way to `sink`, a second of them at a time but at most `ROWS`; `flush` before a gap and at the end."""

    def __init__(self, columns: Sequence[Column], sink: Sink, *, rate_hz: float) -> None:
        self._columns, self._sink = columns, sink
        self._most = min(ROWS, max(1, round(rate_hz)))
        self._held: dict[str, list[Any]] = {}
        self._count = 0

    def add(self, **columns: Any) -> None:
        """Rows, (n,) each; written with the others once there are enough."""
        for name, values in columns.items():
            self._held.setdefault(name, []).append(np.array(values))  # the driver may fill its buffer again
        self._count += len(next(iter(columns.values())))
        if self._count >= self._most:
            self.flush()

    def gap(self, reason: str, samples: int) -> None:
        """`samples` are missing here."""
        self.flush()
        self._sink.gap(reason, samples)

    def flush(self) -> None:
        """Write what is held. Rows that fail to be written are not tried again: they would perhaps stand there twice."""
        if self._count:
            held, self._held, self._count = self._held, {}, 0
            self._sink.append_and_wait(block(self._columns, **{name: np.concatenate(parts) for name, parts in held.items()}))
