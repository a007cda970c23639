"""A machine that stops: whatever ends a run, the controller is brought to a standstill before anything else happens.

None of this replaces a hardware emergency stop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from precision.drivers.roles import MotionController
from precision.drivers.supervisor import supervise
from precision.errors import Aborted, DeviceError, PrecisionError


class Interrupted(Aborted):
    """A signal asked for the end of the run; the exit code follows it (130 after SIGINT, 143 after SIGTERM)."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def _signals() -> list[signal.Signals]:
    return [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def signals_become_exceptions() -> Iterator[Callable[[], None]]:
    """SIGINT, SIGTERM and SIGHUP raise `Interrupted` in the main thread; the yielded function makes them wait for good, for a clean-up.

    (Python's default for SIGTERM and SIGHUP runs no `finally`; a second Ctrl-C would cut a clean-up short.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    masked = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal masked
        if not masked:
            masked = True
            raise Interrupted(number)

    def mask() -> None:
        nonlocal masked
        masked = True

    before = {number: signal.signal(number, interrupt) for number in _signals()}
    try:
        yield mask
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def machine_stops(controller: MotionController, log: Callable[..., None], mask: Callable[[], None], *, record: Path | None = None) -> Iterator[None]:
    """Whatever leaves this block by an exception or a signal stops the machine first: hold, standstill, reset.

    mask : from `signals_become_exceptions`; the stop cannot be interrupted. What goes wrong during it is logged and added to the error as a
    note; the error stays the first one. Should this process die or be held up, a supervisor stops the machine (see `drivers.supervisor`) and says so in
    the file `record`; it also tries where this process could not confirm its own stop.
    """
    supervisor = supervise(controller, record=record, note=log)
    try:
        yield
    except BaseException as error:
        mask()
        _log(log, error, "stopping", cause=f"{type(error).__name__}: {error}")
        try:
            controller.stop()
            _log(log, error, "standstill")
            error.add_note("the controller was told to stop and confirms the standstill")
        except DeviceError as failed:
            if supervisor is not None and supervisor.act():
                _log(log, error, "standstill", by="supervisor")
                error.add_note("the supervisor told the controller to stop and saw the standstill")
            else:
                _log(log, error, "stop not confirmed", cause=str(failed))
                error.add_note(f"THE STANDSTILL COULD NOT BE CONFIRMED: {failed} — use the emergency stop and check the machine")
        raise
    finally:
        if supervisor is not None:
            supervisor.release()


def _log(log: Callable[..., None], error: BaseException, event: str, **details: object) -> None:
    """Log on the way out: a full disk must not keep the machine moving."""
    try:
        log(event, **details)
    except (PrecisionError, OSError) as failed:
        error.add_note(f"the event {event!r} could not be logged: {failed}")
