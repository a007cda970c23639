"""A second process that can stop the machine when this one cannot.

The supervisor inherits the open link of the controller (terminal or socket) and a pipe. When the pipe ends — kill -9, no memory left, a crash — it sends
the controller's stop. It does the same when something moves and the main thread has given no sign of life for `LATE_S`: the sign is given where the driver
waits for the machine, between two looks at the link, so that a thread of its own cannot pretend that the program lives. While nothing moves, none is owed.

After a stop the controller is left in feed hold, where no line that may still come moves anything; connecting anew resets it. While it is not needed the
supervisor touches neither the link nor a byte on its way. It needs POSIX: elsewhere, and with a link that has no descriptor, there is none.
None of this replaces a hardware emergency stop.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from precision.errors import SafetyStop

from . import supervisor_process as process

LATE_S: Final = 0.5
"""Without a sign of life for so long, with something moving, the machine is stopped."""
NO_SUPERVISOR: Final = "no supervisor"
"""The event that says that there is none, with the reason."""
_LINKS_CAN_BE_SHARED: Final = os.name == "posix"
_READY_S: Final = 10.0
_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyStop:
    """How a controller is stopped by bytes alone, whatever conversation was under way.

    hold : decelerate to a standstill, sent at once. ask : makes the controller tell its state.
    standing : regular expression of an answer that says that it stands. standstill_s : how long that is waited for.
    reset : stops at once, sent when it stands or its time is over. restarted : regular expression of what is said after it.
    latch : sent last; afterwards no line moves anything.
    """

    hold: bytes
    ask: bytes
    standing: bytes
    standstill_s: float
    reset: bytes
    restarted: bytes
    latch: bytes


@runtime_checkable
class Supervisable(Protocol):
    """A motion controller whose driver lets a supervisor watch it."""

    @property
    def emergency(self) -> EmergencyStop:
        """The bytes that stop it."""
        ...

    def stop_channel(self) -> int | None:
        """The descriptor of its open link, or None where it has none."""
        ...

    def watched_by(self, watch: Watch) -> None:
        """From now on tell `watch` when something moves, and give it signs of life."""
        ...


class Watch(Protocol):
    """What a driver tells a supervisor."""

    def begin_motion(self) -> None:
        """Something is about to move: signs of life are owed from now on."""
        ...

    def alive(self) -> None:
        """A sign of life from the thread that waits for the machine."""
        ...

    def end_motion(self) -> None:
        """The machine stands, as the controller says."""
        ...


class Nobody:
    """No supervisor."""

    def begin_motion(self) -> None:
        return None

    def alive(self) -> None:
        return None

    def end_motion(self) -> None:
        return None


class Supervisor:
    """A running supervisor of one link.

    channel : descriptor of the controller's open link. emergency : how it is stopped. record : file that it writes when it had to act.
    late_s : without a sign of life for so long, with something moving, it acts.
    """

    def __init__(self, channel: int, emergency: EmergencyStop, *, record: Path | None = None, late_s: float = LATE_S) -> None:
        self._late_ns = round(late_s * 1e9)
        self._moving = self._told = False
        with _shared_page() as page:
            self._page = mmap.mmap(page, process.PAGE_BYTES)
            self._cells = memoryview(self._page).cast("q")
            end, self._pipe = os.pipe()
            orders = {name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in asdict(emergency).items()}
            # Isolated and without site-packages: up in milliseconds. A session of its own: no Ctrl-C and no lost terminal reaches it.
            command = [sys.executable, "-I", "-S", process.__file__, str(channel), str(end), str(page), str(record.resolve()) if record else "", json.dumps(orders)]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    pass_fds=(channel, end, page), start_new_session=True,
                )
            finally:
                os.close(end)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def begin_motion(self) -> None:
        """Something is about to move.

        Raises
        ------
        SafetyStop      the supervisor is gone, or has stopped the machine: nothing was sent
        """
        self._refuse_if_it_acted()
        if self._cells[process.STATE] == process.STARTING:
            self._wait_until_it_watches()
        if self._process.poll() is not None:
            raise SafetyStop("the supervisor, which stops the machine should this program die, has ended; nothing was sent. Start again")
        self._moving = True
        self._cells[process.DEADLINE] = time.monotonic_ns() + self._late_ns

    def alive(self) -> None:
        """A sign of life; none is owed while nothing moves.

        Raises
        ------
        SafetyStop      once, when the supervisor has stopped the machine because of this program's silence
        """
        self._refuse_if_it_acted()
        if self._moving:
            self._cells[process.DEADLINE] = time.monotonic_ns() + self._late_ns

    def end_motion(self) -> None:
        """The machine stands."""
        self._moving = False
        self._cells[process.DEADLINE] = 0

    def release(self) -> None:
        """The machine stands and nobody moves it any more: the supervisor leaves without a stop. Safe to call twice."""
        if self._pipe >= 0:
            with contextlib.suppress(BrokenPipeError):  # it has acted and left
                os.write(self._pipe, b".")
            self._leave()

    def act(self) -> bool:
        """Let the supervisor stop the machine now; whether the controller said that it stands. Safe to call twice."""
        if self._pipe >= 0:
            self._leave()
        return bool(self._cells[process.STATE] == process.STOPPED)

    def _leave(self) -> None:
        self.end_motion()
        os.close(self._pipe)
        self._pipe = -1
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_it_watches(self) -> None:
        deadline = time.monotonic() + _READY_S
        while self._cells[process.STATE] == process.STARTING:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SafetyStop(f"the supervisor, which stops the machine should this program die, did not start within {_READY_S:g} s; nothing was sent")
            time.sleep(0.001)

    def _refuse_if_it_acted(self) -> None:
        if self._cells[process.STATE] < process.STOPPING or self._told:
            return
        self._told = True  # once: the stop that follows must be able to speak with the controller
        self._leave()  # it uses the link until it has left
        raise SafetyStop(
            f"this program was held up for more than {self._late_ns * 1e-9:g} s while the machine moved (suspended, or no processor time), and the supervisor stopped the "
            "machine. Nothing more was sent; look at the machine, and start again"
        )


@contextmanager
def _shared_page() -> Iterator[int]:
    """The descriptor of a page of memory for two processes, zeroed."""
    if hasattr(os, "memfd_create"):
        page = os.memfd_create("supervisor")
        try:
            os.truncate(page, process.PAGE_BYTES)
            yield page
        finally:
            os.close(page)
    else:
        with tempfile.TemporaryFile() as file:
            file.truncate(process.PAGE_BYTES)
            yield file.fileno()


def supervise(controller: object, *, record: Path | None = None, note: Callable[..., None] = lambda *_, **__: None) -> Supervisor | None:
    """Start a supervisor of `controller`; None, with the reason noted, where there can be none.

    record : file that it writes when it had to act. note : gets an event's name and details.
    """
    reason = ""
    if not _LINKS_CAN_BE_SHARED:
        reason = "this system cannot share an open link between processes"
    elif not isinstance(controller, Supervisable):
        reason = "the driver does not say how its controller is stopped by bytes alone"
    elif (channel := controller.stop_channel()) is None:
        reason = "the link has no descriptor that could be shared"
    else:
        supervisor = Supervisor(channel, controller.emergency, record=record)
        controller.watched_by(supervisor)
        note("supervisor", pid=supervisor.pid, late_s=LATE_S)
        return supervisor
    note(NO_SUPERVISOR, reason=reason)
    return None
