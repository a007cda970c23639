"""A stream of frames on a TCP port of the loopback interface, from a thread of its own: simulated instruments for other programs and for tests."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from .simulator import FrameSimulator

_UNSENT_BYTES: Final = 1 << 20
"""A client that leaves so much untaken is sent nothing new; what its device cannot keep meanwhile is lost, and said to be."""
_LONGEST_WAIT_S: Final = 0.2


class FrameServer:
    """Serves one client at a time; each gets a device of its own from `device`.

    address : "tcp://127.0.0.1:PORT".
    """

    def __init__(self, device: Callable[[], FrameSimulator], *, port: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._device, self._clock = device, clock
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ended = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name=f"frames {self.address}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let the client and the port go. Safe to call twice."""
        if not self._ended.is_set():
            self._ended.set()
            self._wake.send(b"\0")
            self._thread.join()
            for sock in (self._listener, self._wake, self._woken):
                sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._woken, selectors.EVENT_READ)
            waiting.register(self._listener, selectors.EVENT_READ)
            while not self._ended.is_set():
                if any(key.fileobj is self._listener for key, _ in waiting.select()) and not self._ended.is_set():
                    client, _ = self._listener.accept()
                    with client:
                        self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        device, unsent = self._device(), bytearray()
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._woken, selectors.EVENT_READ)
            waiting.register(client, selectors.EVENT_READ)
            try:
                while not self._ended.is_set():
                    if len(unsent) < _UNSENT_BYTES:
                        unsent += device.poll(self._clock())
                    if unsent:
                        del unsent[: self._sent(client, unsent)]
                    # Who does not read is not listened to either: answers would pile up.
                    waiting.modify(client, (selectors.EVENT_READ if len(unsent) < _UNSENT_BYTES else 0) | (selectors.EVENT_WRITE if unsent else 0))
                    for key, events in waiting.select(self._wait_s(device, len(unsent))):
                        if key.fileobj is client and events & selectors.EVENT_READ:
                            if not (data := client.recv(65_536)):
                                return
                            unsent += device.receive(data, self._clock())
            except OSError:
                return  # the client has gone

    def _wait_s(self, device: FrameSimulator, unsent: int) -> float:
        moment = device.next_event_wall_s()
        if moment is None or unsent >= _UNSENT_BYTES:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, moment - self._clock()))

    @staticmethod
    def _sent(client: socket.socket, data: bytearray) -> int:
        try:
            return client.send(data)
        except BlockingIOError:
            return 0
