"""The supervisor's own process: it stops a machine whose driving process has died or fallen silent.

Started by `supervisor`, by path and with the standard library alone, so that it is up within milliseconds and little can go wrong in it. It shares the
open link with the driver and leaves it alone until it is needed: then hold, wait for the standstill, reset, hold again. It leaves afterwards.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import select
import signal
import sys
import time

DEADLINE, STATE, HOLD_SENT = 0, 1, 2
"""Cells of the shared page, 64-bit each: when the driving process must have given its next sign of life (monotonic ns; 0 while nothing moves);
how this process stands; when it sent the hold (monotonic ns)."""
STARTING, WATCHING, STOPPING, STOPPED, NOT_CONFIRMED = 0, 1, 2, 3, 4
PAGE_BYTES = 4096

_POLL_MS = 20
_QUIET_S = 0.03
_RESTART_S = 1.0
_KEPT_BYTES = 4096


def watch(death: int, cells: memoryview) -> str:
    """Wait until the machine must be stopped, and say why; empty when the driving process has taken its leave."""
    poll = select.poll()
    poll.register(death, select.POLLIN)
    while True:
        if poll.poll(_POLL_MS):
            return "" if os.read(death, 1) else "the process that drove the machine ended without stopping it"
        deadline = cells[DEADLINE]
        if deadline and (late_ns := time.monotonic_ns() - deadline) > 0:
            return f"the process that drove the machine gave no sign of life in time ({late_ns * 1e-9:.3f} s past its deadline)"


class Link:
    """The shared link: what it says is kept, what cannot be sent is tried again for a second."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self.heard = b""
        self.trouble = ""

    def send(self, data: bytes) -> None:
        """All of `data`, or a trouble."""
        deadline = time.monotonic() + 1.0
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(self._channel, data) :]
            except BlockingIOError:
                time.sleep(0.001)
            except OSError as lost:
                self.trouble = str(lost)
                return
        if data:
            self.trouble = "the link takes no bytes"

    def listen(self, duration_s: float) -> bool:
        """Read what comes first within `duration_s`; whether anything came."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        if not poll.poll(duration_s * 1e3):
            return False
        try:
            data = os.read(self._channel, _KEPT_BYTES)
        except BlockingIOError:
            return False
        except OSError as lost:
            self.trouble = str(lost)
            time.sleep(duration_s)
            return False
        if not data:
            time.sleep(duration_s)  # the other side has closed: nothing will come
            return False
        self.heard = (self.heard + data)[-_KEPT_BYTES:]
        return True

    def asked(self, ask: bytes, answer: re.Pattern[bytes], within_s: float) -> bool:
        """Ask again and again until the answer has come."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if ask:
                self.send(ask)
            self.listen(0.05)
            if answer.search(self.heard):
                return True
        return False


def stop(link: Link, orders: dict[str, str], cells: memoryview) -> bool:
    """Hold, standstill or its time, reset, hold again; whether the controller said that it stands."""
    said = {name: value.encode("latin-1") for name, value in orders.items() if isinstance(value, str)}
    standing, restarted = re.compile(said["standing"]), re.compile(said["restarted"])
    link.send(said["hold"])
    cells[HOLD_SENT] = time.monotonic_ns()
    until = time.monotonic() + 0.2
    while time.monotonic() < until and link.listen(_QUIET_S):
        pass
    link.heard = b""  # an answer from before the hold must not be taken for the standstill
    link.asked(said["ask"], standing, float(orders["standstill_s"]))
    link.heard = b""
    link.send(said["reset"])
    link.asked(b"", restarted, _RESTART_S)
    link.send(said["latch"])
    link.heard = b""
    return link.asked(said["ask"], standing, _RESTART_S)


def main(argv: list[str]) -> int:
    """Arguments: descriptors of the link, of the pipe that ends with the driving process, of the shared page; where to write what was done; orders."""
    channel, death, page = (int(text) for text in argv[1:4])
    record, orders = argv[4], json.loads(argv[5])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # it leaves when the driving process does, not before
    cells = memoryview(mmap.mmap(page, PAGE_BYTES)).cast("q")
    cells[STATE] = WATCHING
    cause = watch(death, cells)
    if not cause:
        return 0
    cells[STATE] = STOPPING
    link = Link(channel)
    stands = stop(link, orders, cells)
    cells[STATE] = STOPPED if stands else NOT_CONFIRMED
    if record:
        said = {
            "cause": cause, "t_wall": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "hold_sent_mono_ns": cells[HOLD_SENT],
            "standstill_confirmed": stands, "trouble": link.trouble, "last_heard": link.heard[-200:].decode("latin-1"),
        }
        file = os.open(record + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(file, json.dumps(said, indent=2, sort_keys=True).encode("ascii") + b"\n")
        os.fsync(file)
        os.rename(record + ".part", record)  # whole or not there
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
