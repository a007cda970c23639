"""The lab's side of a byte link: a TCP client or the master side of a pseudo terminal, never blocking."""

from __future__ import annotations

import os
import socket
import time
from collections import deque

from .faults import Piece

_CHUNK = 65_536
_UNREAD_BYTES = 65_536
"""What a serial line holds for nobody; a TCP client that stops reading its truth is given more."""


class Connection:
    """One open link. `send` queues; `flush` writes what is due; `closed` once it is gone."""

    def __init__(self, *, sock: socket.socket | None = None, fd: int = -1, unread_bytes: int = _UNREAD_BYTES) -> None:
        self._socket = sock
        self._fd = sock.fileno() if sock is not None else fd
        self._queue: deque[tuple[float, bytes, bool]] = deque()
        self._last_due_s = 0.0
        self._queued = 0
        self._unread_bytes = unread_bytes
        self.closed = False
        if sock is not None:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            os.set_blocking(fd, False)

    def fileno(self) -> int:
        """For the selector."""
        return self._fd

    def read(self) -> bytes | None:
        """What has come; empty if nothing has; None once the other side is gone."""
        try:
            data = self._socket.recv(_CHUNK) if self._socket is not None else os.read(self._fd, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            return None
        return data or None

    def send(self, pieces: list[Piece]) -> None:
        """Queue `pieces` in order; what is behind a late piece waits for it. A line that nobody reads loses its oldest bytes."""
        now = time.monotonic()
        for piece in pieces:
            due = max(now + piece.delay_s, self._last_due_s)
            self._last_due_s = due
            self._queue.append((due, piece.data, piece.close))
            self._queued += len(piece.data)
        while self._queued > self._unread_bytes and len(self._queue) > 1:
            self._queued -= len(self._queue.popleft()[1])
        self.flush()

    def flush(self) -> None:
        """Write what is due and taken."""
        while self._queue and not self.closed:
            due, data, close = self._queue[0]
            if due > time.monotonic():
                return
            if close:
                self._end()
                return
            try:
                sent = self._socket.send(data) if self._socket is not None else os.write(self._fd, data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._end()
                return
            self._queued -= sent
            if sent < len(data):
                self._queue[0] = (due, data[sent:], close)
                return
            self._queue.popleft()

    @property
    def due_s(self) -> float | None:
        """When (monotonic) the next piece is due; None if nothing waits."""
        return self._queue[0][0] if self._queue else None

    @property
    def wants_to_write(self) -> bool:
        """Whether something is due that the link did not take."""
        return bool(self._queue) and self._queue[0][0] <= time.monotonic()

    def _end(self) -> None:
        """Over; the descriptor is kept until `close`, so that no new link gets its number while a selector still knows it."""
        self.closed = True
        self._queue.clear()

    def close(self) -> None:
        """Let go, once."""
        self._end()
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._fd)


def listening(port: int = 0) -> socket.socket:
    """A listening socket on the loopback interface alone; port 0 lets the system choose."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(8)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def pseudo_terminal() -> tuple[Connection, int, str]:
    """A raw pseudo terminal: the master side, the slave (held open so that clients may come and go), and the slave's name."""
    import pty
    import tty

    master, slave = pty.openpty()
    tty.setraw(slave)
    return Connection(fd=master), slave, os.ttyname(slave)
