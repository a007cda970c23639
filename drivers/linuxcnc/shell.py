"""A conversation with linuxcncrsh: one line, one answer, and the state looked at after each order."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from precision.drivers.transport import Transport
from precision.errors import DeviceFault, ProtocolError, SafetyStop

from . import codec

_SILENT: Final = ("set enable",)
"""What the server does not acknowledge before `set verbose on`."""
_POLL_S: Final = 0.005
_MOST_ERRORS: Final = 50
TAKEN: Final = "another program has taken the controls since. End it, then connect again"


class Shell:
    """linuxcncrsh on an open link, greeted and enabled.

    Raises
    ------
    DeviceFault     wrong password, wrong version, or not enabled
    ProtocolError   something else answers there
    LinkLost        nobody does
    """

    def __init__(
        self, transport: Transport, *, timeout_s: float = 5.0, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.link, self._timeout_s, self._clock, self._sleep = transport, timeout_s, clock, sleep
        self._sent = ""
        try:
            self.version = self._greet()
        except BaseException:
            transport.close()
            raise

    def set(self, what: str, *, timeout_s: float | None = None) -> None:
        """Send a `set` line; raises `DeviceFault` when it is refused, with what the controller says is wrong."""
        name = what.split()[0].upper()
        message = self._asked(f"set {what}", timeout_s)
        if not isinstance(message, codec.Acknowledged) or message.name not in ("", name):
            raise self._unexpected(message)
        if not message.taken:
            if not self.in_control():
                raise SafetyStop(f"LinuxCNC does not take {what[:80]!r}: {TAKEN}")
            said = "; ".join(self.errors()) or "it gives no reason: is it in emergency stop, off, or in another mode?"
            raise DeviceFault(f"LinuxCNC refuses {what[:80]!r}: {said}")

    def get(self, what: str) -> codec.Answer:
        """The answer to `get`."""
        message = self._asked(f"get {what}")
        if isinstance(message, codec.Answer) and message.name == what.split()[0].upper():
            return message
        raise self._unexpected(message)

    def until(self, what: str, wanted: Callable[[codec.Answer], bool], *, within_s: float, doing: str) -> codec.Answer:
        """Ask until the answer is as wanted; raises `DeviceFault` when it does not become so."""
        deadline = self._clock() + within_s
        while True:
            answer = self.get(what)
            if wanted(answer):
                return answer
            if self._clock() >= deadline:
                said = "; ".join(self.errors())
                raise DeviceFault(f"LinuxCNC: {doing}: after {within_s:g} s it still says {answer.name} {answer.text[:60]!r}{f' ({said})' if said else ''}")
            self._sleep(_POLL_S)

    def in_control(self) -> bool:
        """Whether orders of this connection are taken: of several, only those of the last that was enabled."""
        return codec.one_of(self.get("enable"), ("ON", "OFF")) == "ON"

    def take_control(self) -> None:
        """Make this connection the one whose orders are taken."""
        if not self.in_control():
            self.set(f"enable {codec.ENABLE}")

    def errors(self) -> list[str]:
        """What has waited on the controller's error channel, taken from it."""
        found = []
        for _ in range(_MOST_ERRORS):
            text = self.get("error").text
            if text in ("OK", ""):
                break
            found.append(text)
        return found

    def close(self) -> None:
        """Let go of the link. Safe to call twice."""
        self.link.close()

    def _greet(self) -> str:
        message = self._asked(f"hello {codec.PASSWORD} precision 1.0")
        if not isinstance(message, codec.Greeting):
            raise self._unexpected(message)
        if not message.taken:
            raise DeviceFault(f"LinuxCNC at {self.link.address} refuses the password; start linuxcncrsh without --connectpw, or with the usual one")
        if message.server != codec.SERVER or not re.fullmatch(r"1\.[0-9]{1,4}", message.version):
            raise DeviceFault(
                f"{self.link.address} is {message.server[:40]!r} {message.version[:20]!r}; {codec.SERVER} 1.x is expected, as LinuxCNC 2.8 and 2.9 have it"
            )
        self._send(f"set enable {codec.ENABLE}")
        for line in ("verbose on", "echo off"):
            self.set(line)
        return message.version

    def _asked(self, line: str, timeout_s: float | None = None) -> codec.Message:
        self._send(line)
        deadline = self._clock() + (self._timeout_s if timeout_s is None else timeout_s)
        for _ in range(1000):
            left = max(deadline - self._clock(), 0.0)
            text = self.link.read_until(b"\n", timeout_s=left, limit=codec.LINE_BYTES).strip(b"\r\n \0")
            # Its own lines come back until echo is off.
            if text and text.decode("ascii", "replace") not in (line, *(f"{silent} {codec.ENABLE}" for silent in _SILENT)):
                return codec.decode(text)
        raise ProtocolError(f"LinuxCNC at {self.link.address} answers {line[:40]!r} with a flood of empty lines; restart it")

    def _send(self, line: str) -> None:
        if self.link.dirty:
            self.link.drain()
        self.link.write(codec.encode(line), timeout_s=self._timeout_s)
        self._sent = line

    def _unexpected(self, message: codec.Message) -> ProtocolError | DeviceFault:
        if message == codec.Acknowledged("", False):
            return DeviceFault(f"LinuxCNC does not take {self._sent[:60]!r}: this connection is not enabled; start linuxcncrsh with the usual --enablepw")
        self.link.drain()
        return ProtocolError(f"LinuxCNC answers {self._sent[:60]!r} with {message}; an answer to that is expected. Connect again")
