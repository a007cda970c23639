"""Start a simulated bench (one instrument that streams, in a process of its own) and let it go again."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from precision.errors import DeviceError

from .process import let_go

_START_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A running bench. address : of its stream. held : the truth it published when it started."""

    address: str
    held: dict[str, Any]

    def truth(self) -> dict[str, Any]:
        """What no measurement can know."""
        return self.held


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Bench]:
    """`python -m precision.drivers.lab.MODULE ARGUMENTS...`, until the end of the context.

    Raises
    ------
    DeviceError     it died or said nothing in time; with what it wrote on standard error
    """
    command: Sequence[str] = [sys.executable, "-P", "-m", f"precision.drivers.lab.{module}", *arguments]
    # A session of its own: Ctrl-C is for the program that measures, which must still be able to end the run in order.
    group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, **group)
        try:
            line = _first_line(process)
            try:
                spoken = json.loads(line)
                bench = Bench(address=str(spoken["stream"]), held=dict(spoken["truth"]))
            except (ValueError, KeyError, TypeError):
                said.seek(0)
                words = said.read()[-2000:].decode(errors="replace").strip()
                raise DeviceError(f"the simulated bench {module!r} did not start (said {line[:80]!r}). {words}".rstrip()) from None
            yield bench
        finally:
            let_go(process)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=lambda stdout: lines.put(stdout.readline()), args=(process.stdout,), daemon=True).start()
    try:
        return lines.get(timeout=_START_S)
    except queue.Empty:
        return b""
