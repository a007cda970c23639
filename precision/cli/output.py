"""Standard output and error that cannot end a measurement: a reader that has gone, a full disk, a terminal without the characters."""

from __future__ import annotations

import contextlib
import io
import os
import sys


class Forgiving(io.TextIOWrapper):
    """Text output that drops what nobody can take any more (`precision run ... | head -1`), instead of raising into whatever printed it."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Nothing more is written: the descriptor leads nowhere from now on."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def forgive() -> None:
    """Make this process' standard output and error forgiving; characters that their encoding lacks are shown as escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        with contextlib.suppress(AttributeError, io.UnsupportedOperation, ValueError):  # no real stream: a test's, or none at all
            stream.fileno()
            encoding, lines = stream.encoding, stream.line_buffering or stream.isatty()
            setattr(sys, name, Forgiving(stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=lines))
