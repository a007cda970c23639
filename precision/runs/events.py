"""events.jsonl: what happened in a run, one JSON object a line, given to the operating system line by line.

    {"event": "move", "t_mono_ns": 81234567890, "t_wall": "2026-11-23T10:15:02.123456Z", "x_m": 0.1}

Control characters and everything outside ASCII are escaped, so that a line stays a line whatever a device says its name is.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..regular_file import read_regular
from . import canonical, durable
from .manifest import utc_text

_LONGEST_TEXT = 10_000
_MOST_BYTES = 1 << 28


class EventLog:
    """The log of a running run. Its lock says that the run lives. Any thread may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = durable.create(path)
        self._lock = threading.Lock()

    def write(self, event: str, **details: Any) -> None:
        """Append one line: the name of the event and plain JSON details. Long text is cut, what JSON cannot hold becomes its `repr`.

        Raises
        ------
        DataError       the disk is full or the log is closed
        """
        line = {**{key: _loggable(value) for key, value in details.items()}, "event": event}
        with self._lock:
            if self._descriptor is None:
                raise DataError(f"{self.path.name} is closed; the event {event!r} came after the end of the run")
            line |= {"t_mono_ns": time.monotonic_ns(), "t_wall": utc_text(time.time_ns())}
            try:
                durable.write_all(self._descriptor, (canonical.dumps(line) + "\n").encode("ascii"))
            except OSError as error:
                raise DataError(f"{self.path.name} cannot be written: {error}; free some space") from error

    def close(self) -> None:
        """Put the log on the disk and let go of it. Safe to call twice."""
        with self._lock:
            if self._descriptor is not None:
                descriptor, self._descriptor = self._descriptor, None
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a run, in order. A last line without its end is left out; a damaged line raises `DataError` naming it."""
    try:
        lines = read_regular(path, _MOST_BYTES).split(b"\n")
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error}") from None
    return [canonical.loads(line, f"{path.name}, line {number}") for number, line in enumerate(lines[:-1], start=1)]


def _loggable(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
    try:
        return canonical.plain(value)
    except DataError:
        return repr(value)[:_LONGEST_TEXT]
