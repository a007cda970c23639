"""Start the virtual lab as a child process, and let it go again."""

from __future__ import annotations

import json
import math
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Literal, Self

from precision.errors import DeviceError, LinkLost

_START_S = 20.0
_ANSWER_S = 10.0
_LEAVE_S = 5.0
_DEVICES = ("controller", "interferometer", "environment", "lab")


class LabProcess:
    """A running lab. As a context manager it is closed at the end; it leaves by itself when this process dies.

    addresses : "controller", "interferometer", "environment", "ballbar", "recorder", "servo" and "lab" -> address.
    """

    def __init__(self, process: subprocess.Popen[bytes], addresses: dict[str, str], said: IO[bytes]) -> None:
        self._process, self._said = process, said
        self.addresses = addresses
        host, _, port = addresses["lab"].removeprefix("tcp://").rpartition(":")
        try:
            self._control = socket.create_connection((host, int(port)), timeout=_ANSWER_S)
        except OSError as lost:
            raise LinkLost(f"{addresses['lab']}: the virtual lab does not take a control connection ({lost}); start it again") from lost
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._control.makefile("rb")

    @property
    def pid(self) -> int:
        """Process number of the lab."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def truth(self) -> dict[str, Any]:
        """What no measurement can know (see `Twin.truth`)."""
        return dict(self._asked({"do": "truth"})["truth"])

    def state(self) -> dict[str, Any]:
        """Now: "controller" (as in its status report), "moving", "position_m", "lab_time_s", "clients", "messages", "faults_waiting"."""
        return dict(self._asked({"do": "state"})["state"])

    def fault(self, device: str, kind: str, *, after: int = 0, count: int | None = 1, **options: Any) -> None:
        """Let something go wrong (see `faults`): with `device`, after its next `after` messages, for `count` of them.

        Raises
        ------
        ValueError      there is no such fault
        """
        self._asked({"do": "fault", "device": device, "kind": kind, "after": after, "count": count, **options})

    def station(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        """The operator puts the tracking interferometer at `place_m` and mounts the reflector at `reflector_m` on the tool (see `tracker`), as well as he can.

        Raises
        ------
        ValueError      not three finite numbers each
        """
        self._asked({"do": "station", "place_m": list(place_m), "reflector_m": list(reflector_m)})

    def set_up(self, what: str, direction: Sequence[float] | None = None) -> None:
        """What an operator's hands do: mount the interferometer for "reflectors", a "square", or a "line" along `direction` (x, y, z). Counts are zero after it.

        Raises
        ------
        ValueError      there is no such set-up
        """
        request: dict[str, Any] = {"do": "set-up", "what": what}
        self._asked(request if direction is None else {**request, "direction": list(direction)})

    def mount_reflectors(self, reflector_m: Sequence[float]) -> None:
        """What an operator's hands do: the reflectors of all three beams at `reflector_m` on the tool (see `interferometer`). Counts are zero after it.

        Raises
        ------
        ValueError      not three numbers within 10 m
        """
        self._asked({"do": "mount", "device": "interferometer", "reflector_m": list(reflector_m)})

    def mount_ball_bar(self, centre_m: Mapping[str, float], length_m: float) -> None:
        """What an operator's hands do: the table ball where the tool ball is with the machine at `centre_m`, and a bar of `length_m` between the two."""
        self._asked({"do": "mount", "device": "ballbar", "centre_m": dict(centre_m), "length_m": length_m})

    def set_time_scale(self, time_scale: float) -> None:
        """Lab seconds per wall second, from the next activity on."""
        self._asked({"do": "time-scale", "value": time_scale if math.isfinite(time_scale) else "inf"})

    def close(self) -> None:
        """Tell the lab to leave and wait until it has. Safe to call twice."""
        self._answers.close()
        self._control.close()
        let_go(self._process)
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._control.sendall(json.dumps(request).encode() + b"\n")
            line = self._answers.readline()
        except (OSError, ValueError) as lost:
            raise LinkLost(f"{self.addresses['lab']}: the virtual lab does not answer ({lost}).{_last_words(self._said)} Start it again") from lost
        if not line.endswith(b"\n"):
            raise LinkLost(f"{self.addresses['lab']}: the virtual lab has gone.{_last_words(self._said)} Start it again")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise ValueError(answer["error"])
        return answer


def start(
    *, seed: int, time_scale: float = math.inf, controller: Literal["pty", "tcp"] | None = None, faults: Sequence[Mapping[str, Any]] = (),
    errors: float = 1.0,
) -> LabProcess:
    """Start a lab of its own and wait until it listens.

    seed : which lab. time_scale : lab seconds per wall second; infinite waits for nothing. controller : how the controller is reached; None is a
    pseudo terminal where there are any, else TCP. faults : arguments of `LabProcess.fault`, one mapping each.
    errors : factor of the machine's straightness, angles, lead errors and squareness.

    Raises
    ------
    DeviceError     it died or said nothing in time; with what it wrote on standard error
    ValueError      a fault that does not exist
    """
    link = controller or ("pty" if os.name == "posix" else "tcp")
    command = [sys.executable, "-P", "-m", "precision.drivers.lab.serve", "--seed", str(seed), "--time-scale", str(time_scale), "--controller", link, "--errors", str(errors)]
    said = tempfile.TemporaryFile()
    # A session of its own: Ctrl-C is for the program that drives the machine, which must still be able to stop it.
    new_group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, **new_group)
    try:
        lab = LabProcess(process, _addresses(process, said), said)
    except BaseException:
        let_go(process)
        said.close()
        raise
    try:
        for fault in faults:
            lab.fault(**fault)
    except BaseException:
        lab.close()
        raise
    return lab


def _addresses(process: subprocess.Popen[bytes], said: IO[bytes]) -> dict[str, str]:
    """The first line that the lab prints."""
    assert process.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=lambda stdout: lines.put(stdout.readline()), args=(process.stdout,), daemon=True).start()
    try:
        line = lines.get(timeout=_START_S)
    except queue.Empty:
        raise DeviceError(f"the virtual lab said nothing within {_START_S:g} s.{_last_words(said)} Is the computer overloaded? Start it again") from None
    try:
        addresses: dict[str, str] = json.loads(line)
    except ValueError:
        code = process.wait(_LEAVE_S) if not line else process.poll()
        raise DeviceError(f"the virtual lab did not start (exit code {code}, said {line[:80]!r}).{_last_words(said)}") from None
    if missing := [name for name in _DEVICES if name not in addresses]:
        raise DeviceError(f"the virtual lab gave no address for {', '.join(missing)}; it and this program are of different versions")
    return addresses


def let_go(process: subprocess.Popen[bytes]) -> None:
    """End of standard input is the lab's sign to leave; one that does not is terminated, then killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue  # a broken pipe: the lab has gone already
    for insist in (process.terminate, process.kill):
        try:
            process.wait(_LEAVE_S)
            return
        except subprocess.TimeoutExpired:
            insist()
    process.wait()


def _last_words(said: IO[bytes]) -> str:
    """The end of what the lab wrote on standard error, as a sentence; empty if nothing."""
    if said.closed:
        return ""
    end = said.seek(0, os.SEEK_END)
    said.seek(max(0, end - 2000))
    text = said.read().decode(errors="replace").strip()
    return f" It wrote: {text}" if text else ""
