"""Bytes to a device and back, each operation with its own deadline: serial port, TCP socket, VISA resource.

An address chooses:

    serial:///dev/ttyUSB0?baud=115200      serial://COM3      also parity=N|E|O, bits=7|8, stop=1|2
    tcp://192.168.1.1:9090                 tcp://[::1]:9090
    visa://TCPIP::192.168.1.2::5025::SOCKET

After a deadline has passed the answer may still come, and would be taken for the answer to the next question. The link is then `dirty`: a driver
brings it back in step with a question whose answer cannot be mistaken, or opens it anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlsplit

from precision.errors import LinkLost, PlanError, PrecisionError, ProtocolError

ALLOWED: Final = (
    "serial:///dev/ttyUSB0?baud=115200",
    "serial://COM3",
    "tcp://host:port",
    "visa://TCPIP::host::port::SOCKET",
)
_SLICE_S: Final = 0.05
"""How long one read of a port may block; deadlines are kept to within this."""
_LOOK_S: Final = 0.1
"""How long one look at any link may last: between two looks the waiting thread gives a sign of life."""
_CHUNK: Final = 4096
_QUIET_S: Final = 0.05
_DRAIN_S: Final = 1.0
_NEXT: Final = "Check power and cable, then connect again"


class Transport(Protocol):
    """A byte link. No method blocks past its deadline; a lost link is `LinkLost`."""

    @property
    def address(self) -> str:
        """Where it leads."""
        ...

    @property
    def dirty(self) -> bool:
        """Whether a deadline passed since the last `drain`: what comes next may be a late answer."""
        ...

    def write(self, data: bytes, *, timeout_s: float) -> None:
        """Send all of `data`."""
        ...

    def read_until(self, terminator: bytes, *, timeout_s: float, limit: int = 65536) -> bytes:
        """The bytes before the next `terminator`, which is removed. Never a part of them.

        Raises
        ------
        LinkLost        not complete within `timeout_s`
        ProtocolError   more than `limit` bytes without a terminator
        """
        ...

    def read_available(self, timeout_s: float) -> bytes:
        """What has come, or comes first within `timeout_s`; empty if nothing does."""
        ...

    def drain(self) -> None:
        """Throw away what has come, until the line is quiet or a second is over."""
        ...

    def close(self) -> None:
        """Let go. Safe to call twice."""
        ...


@runtime_checkable
class SharedLink(Protocol):
    """A link that a second process can hold too, with a hook for the waiting thread's signs of life."""

    alive: Callable[[], None]

    def fileno(self) -> int | None:
        """Its descriptor; None where it has none."""
        ...


def _nobody_asks() -> None:
    """No sign of life is owed to anybody."""


class _Link(ABC):
    """What the three kinds share: the buffer, the deadlines, `dirty`.

    alive : called by the waiting thread before each look at the link, at least every tenth of a second.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.dirty = False
        self.alive: Callable[[], None] = _nobody_asks
        self._buffer = bytearray()
        self._open = True

    def fileno(self) -> int | None:
        """The descriptor of the open link, for a second process that may have to stop the device; None where there is none."""
        return None

    def write(self, data: bytes, *, timeout_s: float) -> None:
        if not self._open:
            raise LinkLost(f"{self.address}: the link is closed. Connect again")
        try:
            self._send(data, timeout_s)
        except LinkLost:
            self.dirty = True
            raise

    def read_until(self, terminator: bytes, *, timeout_s: float, limit: int = 65536) -> bytes:
        deadline = time.monotonic() + timeout_s
        searched = 0
        while True:
            at = self._buffer.find(terminator, searched)
            if 0 <= at <= limit:
                line = bytes(self._buffer[:at])
                del self._buffer[: at + len(terminator)]
                return line
            if len(self._buffer) > limit:
                self.dirty = True
                head = bytes(self._buffer[:40])
                self._buffer.clear()
                raise ProtocolError(
                    f"{self.address}: more than {limit} bytes without an end of line ({head!r}...); check baud rate and address"
                )
            searched = max(0, len(self._buffer) - len(terminator) + 1)
            left = deadline - time.monotonic()
            if left <= 0:
                self.dirty = True
                seen = f"{len(self._buffer)} bytes without their end ({bytes(self._buffer[:40])!r})" if self._buffer else "nothing"
                raise LinkLost(f"{self.address}: no answer within {timeout_s:g} s, seen: {seen}. {_NEXT}")
            self._buffer += self._checked_receive(left)

    def read_available(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while not self._buffer and (left := deadline - time.monotonic()) > 0:
            self._buffer += self._checked_receive(left)
        found = bytes(self._buffer)
        self._buffer.clear()
        return found

    def drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        self._buffer.clear()
        quiet_until = time.monotonic() + _QUIET_S
        while (now := time.monotonic()) < min(deadline, quiet_until):
            if self._checked_receive(quiet_until - now):
                quiet_until = time.monotonic() + _QUIET_S
        self.dirty = False

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(Exception):  # a link that is gone cannot be closed properly, and need not be
                self._close()

    def _checked_receive(self, timeout_s: float) -> bytes:
        if not self._open:
            raise LinkLost(f"{self.address}: the link is closed. Connect again")
        self.alive()
        try:
            return self._receive(min(timeout_s, _LOOK_S))
        except LinkLost:
            self.dirty = True
            raise

    @abstractmethod
    def _send(self, data: bytes, timeout_s: float) -> None:
        """All of `data` within `timeout_s`, or LinkLost."""

    @abstractmethod
    def _receive(self, timeout_s: float) -> bytes:
        """Some bytes, or none after at most `timeout_s` or one slice; LinkLost when the link is gone."""

    @abstractmethod
    def _close(self) -> None: ...


class TcpTransport(_Link):
    """A TCP connection, without Nagle's delay."""

    def __init__(self, address: str, host: str, port: int, *, timeout_s: float) -> None:
        super().__init__(address)
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as lost:
            raise LinkLost(f"{address}: no connection ({lost}). Check host, port, and that the device is on and serves no one else") from lost

    def _send(self, data: bytes, timeout_s: float) -> None:
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except TimeoutError as late:
            raise LinkLost(f"{self.address}: {len(data)} bytes not taken within {timeout_s:g} s: the device does not read. {_NEXT}") from late
        except OSError as lost:
            raise LinkLost(f"{self.address}: the connection is gone ({lost}). {_NEXT}") from lost

    def _receive(self, timeout_s: float) -> bytes:
        try:
            self._socket.settimeout(max(timeout_s, 1e-3))
            data = self._socket.recv(_CHUNK)
        except TimeoutError:
            return b""
        except OSError as lost:
            raise LinkLost(f"{self.address}: the connection is gone ({lost}). {_NEXT}") from lost
        if not data:
            raise LinkLost(f"{self.address}: the device closed the connection. {_NEXT}")
        return data

    def fileno(self) -> int | None:
        return self._socket.fileno()

    def _close(self) -> None:
        self._socket.close()


class SerialTransport(_Link):
    """A serial port, for this program alone. Opening it may reset the device (DTR): read its banner first."""

    def __init__(
        self, address: str, port: str, *, baud: int = 115200, parity: str = "N", bits: int = 8, stop: int = 1, timeout_s: float,
    ) -> None:
        super().__init__(address)
        import serial

        # A pseudo terminal has neither parity nor modem lines; the error it gives for parity is not an OSError.
        self._failures: tuple[type[Exception], ...] = (OSError, TypeError, ValueError)
        if sys.platform != "win32":
            import termios

            self._failures = (*self._failures, termios.error)

        def opened(parity: str, bits: int) -> Any:
            return serial.Serial(
                port, baud, bytesize=bits, parity=parity, stopbits=stop, timeout=_SLICE_S, write_timeout=timeout_s, exclusive=True,
            )

        try:
            try:
                self._port = opened(parity, bits)
            except self._failures:
                if (parity, bits) == ("N", 8) or not _is_pseudo_terminal(port):
                    raise
                self._port = opened("N", 8)
        except self._failures as lost:
            raise LinkLost(
                f"{address}: the port cannot be opened ({lost}). Check that the device is plugged in, that you may use the port "
                "(on Linux: group dialout), and that no other program has it open"
            ) from lost

    def _send(self, data: bytes, timeout_s: float) -> None:
        import serial

        try:
            if self._port.write_timeout != timeout_s:
                self._port.write_timeout = timeout_s
            self._port.write(data)
        except serial.SerialTimeoutException as late:
            raise LinkLost(f"{self.address}: {len(data)} bytes not taken within {timeout_s:g} s: the device does not read. {_NEXT}") from late
        except self._failures as lost:
            raise LinkLost(f"{self.address}: the port is gone ({lost}). {_NEXT}") from lost

    def _receive(self, timeout_s: float) -> bytes:
        try:
            waiting = self._port.in_waiting
            # The first byte may be waited for, one slice at most; what is there is taken at once.
            return bytes(self._port.read(min(max(waiting, 1), _CHUNK)))
        except self._failures as lost:
            raise LinkLost(f"{self.address}: the port is gone ({lost}). {_NEXT}") from lost

    def fileno(self) -> int | None:
        return int(self._port.fileno()) if sys.platform != "win32" else None

    def _close(self) -> None:
        self._port.close()


class VisaTransport(_Link):
    """A VISA resource through pyvisa with its pure Python backend."""

    def __init__(self, address: str, resource: str, *, timeout_s: float) -> None:
        super().__init__(address)
        import pyvisa

        self._failures: tuple[type[Exception], ...] = (pyvisa.errors.Error, OSError, ValueError, AttributeError)
        self._timed_out = pyvisa.constants.StatusCode.error_timeout
        try:
            manager: Any = pyvisa.ResourceManager("@py")
            self._resource: Any = manager.open_resource(resource, open_timeout=int(timeout_s * 1e3))
        except PrecisionError:  # a signal that came meanwhile
            raise
        except Exception as lost:  # the backend raises bare Exception where it cannot connect
            raise LinkLost(f"{address}: the resource cannot be opened ({lost}). Check its name, and that the instrument is on") from lost
        interface = getattr(manager.visalib.sessions[self._resource.session], "interface", None)
        self._socket = interface if isinstance(interface, socket.socket) else None
        self._serial = resource.upper().startswith("ASRL")
        try:
            self._resource.read_termination = None
            self._resource.write_termination = ""
            if self._socket is not None:
                self._socket.getpeername()  # the backend does not notice a refused connection
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except self._failures as lost:
            self.close()
            raise LinkLost(f"{address}: no connection ({lost}). Check host and port, and that the instrument is on") from lost

    def _send(self, data: bytes, timeout_s: float) -> None:
        try:
            if self._socket is not None:  # the backend's own write has no deadline
                self._socket.settimeout(timeout_s)
                try:
                    self._socket.sendall(data)
                finally:
                    self._socket.settimeout(None)
            else:
                self._resource.timeout = timeout_s * 1e3
                self._resource.write_raw(data)
        except self._failures as lost:
            raise LinkLost(f"{self.address}: {len(data)} bytes not taken ({lost}). {_NEXT}") from lost

    def _receive(self, timeout_s: float) -> bytes:
        import pyvisa

        try:
            count = self._waiting(timeout_s)
            if count == 0:
                return b""
            self._resource.timeout = max(min(timeout_s, _SLICE_S), 1e-3) * 1e3
            with self._resource.ignore_warning(pyvisa.constants.StatusCode.success_max_count_read):
                data, _ = self._resource.visalib.read(self._resource.session, count)
            return bytes(data)
        except pyvisa.errors.VisaIOError as late:
            if late.error_code == self._timed_out:
                return b""
            raise LinkLost(f"{self.address}: the link is gone ({late}). {_NEXT}") from late
        except self._failures as lost:
            raise LinkLost(f"{self.address}: the link is gone ({lost}). {_NEXT}") from lost

    def _waiting(self, timeout_s: float) -> int:
        """How many bytes to ask for. A stream is asked for what is there: the backend loses what came before its own deadline passed."""
        if self._socket is not None:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return 0
            count = len(self._socket.recv(_CHUNK, socket.MSG_PEEK))
            if count == 0:
                raise LinkLost(f"{self.address}: the device closed the connection. {_NEXT}")
            return count
        return max(1, min(self._resource.bytes_in_buffer, _CHUNK)) if self._serial else _CHUNK

    def fileno(self) -> int | None:
        return None if self._socket is None else self._socket.fileno()

    def _close(self) -> None:
        self._resource.close()


def open_transport(address: str, *, timeout_s: float = 5.0) -> Transport:
    """Open the link that `address` names.

    Raises
    ------
    PlanError       the address is malformed
    LinkLost        nobody answers there
    """
    scheme, separator, rest = address.partition("://")
    if not separator or len(address) > 300 or not rest or any(ord(character) < 0x21 for character in address):
        raise _malformed(address, "it has no scheme, or blanks, or no end")
    match scheme:
        case "serial":
            return _serial(address, timeout_s)
        case "tcp":
            return _tcp(address, timeout_s)
        case "visa":
            if "::" not in rest:
                raise _malformed(address, "a VISA resource has parts between ::")
            return VisaTransport(address, rest, timeout_s=timeout_s)
        case _:
            raise _malformed(address, f"the scheme {scheme[:20]!r} is none of serial, tcp, visa")


def _malformed(address: str, why: str) -> PlanError:
    return PlanError(f"address {address[:80]!r}: {why}; allowed are {', '.join(ALLOWED)}")


def _tcp(address: str, timeout_s: float) -> Transport:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as wrong:
        raise _malformed(address, str(wrong)) from None
    if not host or not port or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise _malformed(address, "a TCP address is a host and a port 1 ... 65535, nothing more")
    try:
        host.encode("idna")
    except UnicodeError:
        raise _malformed(address, "the parts of a host's name have 1 to 63 characters each") from None
    return TcpTransport(address, host, port, timeout_s=timeout_s)


_SERIAL_OPTIONS: Final = {"baud": r"[1-9][0-9]{1,6}", "parity": r"[NEO]", "bits": r"[78]", "stop": r"[12]"}


def _serial(address: str, timeout_s: float) -> Transport:
    rest, _, query = address.partition("://")[2].partition("?")
    if not re.fullmatch(r"/dev/[\w./-]{1,200}|COM[0-9]{1,3}", rest, re.ASCII):
        raise _malformed(address, "the port is not /dev/... or COM1 ... COM999")
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise _malformed(address, f"after ? come name=value pairs, of {', '.join(_SERIAL_OPTIONS)}") from None
    options = dict(pairs)
    for name, value in pairs:
        pattern = _SERIAL_OPTIONS.get(name)
        if pattern is None or not re.fullmatch(pattern, value, re.ASCII) or len(options) != len(pairs):
            raise _malformed(address, f"{name[:20]}={value[:20]} is not allowed; of {', '.join(_SERIAL_OPTIONS)} each once, as in baud=115200&parity=N")
    return SerialTransport(
        address, rest, baud=int(options.get("baud", "115200")), parity=options.get("parity", "N"),
        bits=int(options.get("bits", "8")), stop=int(options.get("stop", "1")), timeout_s=timeout_s,
    )


def _is_pseudo_terminal(port: str) -> bool:
    return os.path.realpath(port).startswith("/dev/pts/")
