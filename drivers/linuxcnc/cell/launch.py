"""Start a private controller, reach it from here, and take it down without a trace.

Where the user may (root; others where user namespaces are allowed), a cell has network, System V, process and mount namespaces of its own: any number run side by side, nothing of them can be reached
from elsewhere than the two loopback ports of this process' own, and the kernel ends the last process of a cell with the first. Elsewhere there is one plain
controller at a time. Files are written only inside; when this process dies, however it dies, its cells go too.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from importlib.resources import as_file, files
from types import TracebackType
from typing import Any, Final, Self

from precision.errors import DeviceError, LinkLost, PlanError

from . import mechanics
from .configuration import configuration, helper

SYSTEM_PYTHON: Final = "/usr/bin/python3"
_ORDER_S: Final = 60.0
_LEAVE_S: Final = 15.0


def missing() -> str:
    """What a cell needs and this computer lacks, in words; empty when nothing is missing."""
    if not sys.platform.startswith("linux"):
        return "LinuxCNC runs on Linux"
    if shutil.which("linuxcnc") is None:
        return "LinuxCNC is not installed (Debian: linuxcnc-uspace)"
    if not os.path.exists(SYSTEM_PYTHON):
        return f"there is no {SYSTEM_PYTHON}, which the controller's modules are made for"
    return ""


class Cell:
    """A running controller with simulated mechanics. As a context manager it is closed at the end.

    address : "linuxcnc://127.0.0.1:PORT?stream=PORT". private : whether it has namespaces of its own.
    """

    def __init__(self, rig: str, speed: float, servo_period_s: float, *, private: bool, pins: tuple[str, ...] = ()) -> None:
        self.rig, self.speed, self.private = rig, speed, private
        self._lock = threading.Lock()
        self._control, self._stream = (socket.create_server(("127.0.0.1", 0), backlog=16) for _ in range(2))
        self.address = f"linuxcnc://127.0.0.1:{self._control.getsockname()[1]}?stream={self._stream.getsockname()[1]}"
        with as_file(files("precision.drivers.linuxcnc.cell").joinpath("inside.py")) as program:
            own = namespaces() if private else []
            ends = (self._control.fileno(), self._stream.fileno())
            command = [*own, SYSTEM_PYTHON, "-I", str(program), *map(str, ends)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=ends, start_new_session=True
            )
            self._said = b""
            try:
                wanted = [*(["--only"] if pins else []), *(word for pin in pins for word in ("--pin", pin))]
                texts = {**configuration(rig, servo_period_s=servo_period_s), **helper()}
                self._order({"speed": speed, "private": private, "files": texts, "stream": wanted})
                self._order({"do": "start"})
            except BaseException:
                self.close()
                raise

    @property
    def alive(self) -> bool:
        """Whether the cell's first process still runs."""
        return self._process.poll() is None

    def truth(self) -> dict[str, Any]:
        """What the mechanics are made of."""
        return mechanics.truth(self.rig)

    def stop(self) -> bool:
        """Stop the controller (not the cell); whether it went by itself."""
        return bool(self._order({"do": "stop"})["clean"])

    def start(self) -> None:
        """Start the controller again; raises `DeviceError` with its last words."""
        self._order({"do": "start"})

    def restart(self) -> None:
        """Stop and start, with the files as they are now."""
        self.stop()
        self.start()

    def hal(self, *words: str) -> str:
        """What `halcmd` answers."""
        return str(self._order({"do": "hal", "words": list(words)})["said"])

    def correct(self, *words: str) -> str:
        """Start `correction.py` with these words (the name of a file that was written with `write`, and options); what it says until it corrects or waits.

        Raises
        ------
        DeviceError     it refuses: why
        """
        return str(self._order({"do": "correct", "words": list(words)})["said"])

    def uncorrect(self) -> str:
        """End the correction and wait until its offsets are taken back; what it said."""
        return str(self._order({"do": "uncorrect"})["said"])

    def signal(self, process: str, number: int) -> None:
        """Send a signal to the cell's processes of that name ("rtapi_app", "milltask", "linuxcncrsh")."""
        self._order({"do": "signal", "process": process, "number": number})

    def read(self, name: str) -> str:
        """A file of the configuration as it is now."""
        return str(self._order({"do": "read", "name": name})["text"])

    def write(self, name: str, text: str) -> None:
        """Replace a file of the configuration; it counts from the next start on."""
        self._order({"do": "write", "name": name, "text": text})

    def remove(self, name: str) -> None:
        """Remove a file of the configuration."""
        self._order({"do": "remove", "name": name})

    def processes(self) -> list[str]:
        """Names of all that runs in the cell, without its first process."""
        return list(self._order({"do": "processes"})["names"])

    def close(self) -> None:
        """Take everything down. Safe to call twice."""
        for pipe in (self._process.stdin,):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue  # it has gone already
        try:
            self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for end in (self._process.stdout, self._process.stderr, self._control, self._stream):
            if end is not None:
                end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            answer = self._asked(order)
        if "error" in answer:
            raise DeviceError(f"LinuxCNC cell: {answer['error']}")
        return answer

    def _asked(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as lost:
            raise self._gone() from lost
        deadline = time.monotonic() + _ORDER_S
        while b"\n" not in self._said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise LinkLost(f"LinuxCNC cell: no answer to {order.get('do', 'the first order')!r} within {_ORDER_S:g} s; close it and start another")
            came = os.read(self._process.stdout.fileno(), 65536)
            if not came:
                raise self._gone()
            self._said += came
        line, _, self._said = self._said.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _gone(self) -> LinkLost:
        said = b""
        if self._process.stderr is not None and self._process.poll() is not None:
            said = self._process.stderr.read()
        text = said.decode(errors="replace").strip()[-800:]
        return LinkLost(f"LinuxCNC cell: its first process has ended ({text or 'without a word'}); start another")


def start(*, rig: str = "router", speed: float = 1.0, servo_period_s: float = 1e-3, private: bool | None = None, pins: tuple[str, ...] = ()) -> Cell:
    """Start a cell and wait until its controller is ready.

    rig : a machine of `mechanics.RIGS`. speed : how many times faster than the clock, 1 … 30 (other than 1 needs libfaketime).
    private : namespaces of its own; None: where the user may. pins : "name=pin:unit:factor" of HAL pins or signals to stream beside the commands, instead of the usual channels.

    Raises
    ------
    PlanError       no such rig, or a speed or period that makes no sense
    DeviceError     LinuxCNC is not installed, or does not start: why
    """
    if rig not in mechanics.RIGS:
        raise PlanError(f"there is no simulated machine {rig[:40]!r}; there are {', '.join(mechanics.RIGS)}")
    if not 0.1 <= speed <= 30:
        raise PlanError(f"speed is {speed:g}; 0.1 … 30 times the clock is expected")
    if not 50e-6 <= servo_period_s <= 10e-3:
        raise PlanError(f"the servo period is {servo_period_s:g} s; 50 µs … 10 ms is expected")
    if lacking := missing():
        raise DeviceError(f"no LinuxCNC can be started: {lacking}")
    return Cell(rig, speed, servo_period_s, private=namespaces_allowed() if private is None else private, pins=pins)


def namespaces() -> list[str]:
    """The command that makes the namespaces of a cell; who is not root makes a user namespace first."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    return ["unshare", *user, "--net", "--ipc", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "--"]


def namespaces_allowed() -> bool:
    """Whether this user may make the namespaces of a cell; tried, not guessed."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*namespaces(), "mount", "-t", "tmpfs", "tmpfs", "/tmp"], capture_output=True, check=False).returncode == 0
