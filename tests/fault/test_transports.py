"""What a link does when the far end misbehaves: pseudo terminals and loopback sockets with both ends in the test."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from precision.drivers.transport import Transport, open_transport
from precision.errors import LinkLost, PlanError, ProtocolError

pty = pytest.importorskip("pty", reason="no pseudo terminals on this system")


class FarEnd:
    """The device's side of a link."""

    def __init__(self, send, close, address):  # type: ignore[no-untyped-def]
        self.send, self.close, self.address = send, close, address

    def drip(self, data: bytes, every_s: float) -> None:
        def run() -> None:
            for byte in data:
                with contextlib.suppress(OSError):
                    self.send(bytes([byte]))
                time.sleep(every_s)

        threading.Thread(target=run, daemon=True).start()


@contextlib.contextmanager
def serial_pair() -> Iterator[tuple[Transport, FarEnd]]:
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    closed = []

    def close() -> None:
        if not closed:
            closed.append(True)
            os.close(master)

    far = FarEnd(lambda data: os.write(master, data), close, f"serial://{os.ttyname(slave)}?baud=115200")
    link = open_transport(far.address, timeout_s=1.0)
    try:
        yield link, far
    finally:
        link.close()
        close()
        os.close(slave)


@contextlib.contextmanager
def socket_pair(pattern: str) -> Iterator[tuple[Transport, FarEnd]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = pattern.format(port=server.getsockname()[1])
        link = open_transport(address, timeout_s=2.0)
        peer, _ = server.accept()
    try:
        yield link, FarEnd(peer.sendall, peer.close, address)
    finally:
        link.close()
        peer.close()


PAIRS = {
    "serial": serial_pair,
    "tcp": lambda: socket_pair("tcp://127.0.0.1:{port}"),
    "visa": lambda: socket_pair("visa://TCPIP::127.0.0.1::{port}::SOCKET"),
}


@pytest.fixture(params=list(PAIRS))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Transport, FarEnd]]:
    with PAIRS[request.param]() as both:
        yield both


def test_a_line_comes_without_its_end_and_the_next_one_waits(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    far.send(b"one\r\ntwo\r\nth")
    assert link.read_until(b"\r\n", timeout_s=1.0) == b"one"
    assert link.read_until(b"\r\n", timeout_s=1.0) == b"two"
    far.send(b"ree\r\n")
    assert link.read_until(b"\r\n", timeout_s=1.0) == b"three"
    assert not link.dirty


def test_half_a_line_is_never_an_answer(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    far.send(b"X:123.4")
    with pytest.raises(LinkLost, match=r"no answer within 0.2 s.*7 bytes without their end"):
        link.read_until(b"\n", timeout_s=0.2)
    assert link.dirty
    far.send(b"56\n")
    assert link.read_until(b"\n", timeout_s=1.0) == b"X:123.456"


def test_a_slow_drip_does_not_stretch_the_deadline(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    far.drip(b"123456789012345\n", 0.05)
    began = time.monotonic()
    with pytest.raises(LinkLost):
        link.read_until(b"\n", timeout_s=0.2)
    # One slice (50 ms) and a loaded machine's scheduling on top of 0.2 s; restarting per byte would take 0.8 s.
    assert time.monotonic() - began < 0.6


def test_a_late_reply_is_drained_and_not_taken_for_the_next_answer(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    link.write(b"first?\n", timeout_s=1.0)
    with pytest.raises(LinkLost):
        link.read_until(b"\n", timeout_s=0.05)
    assert link.dirty
    far.send(b"0\n")
    time.sleep(0.02)
    link.drain()
    assert not link.dirty
    link.write(b"second?\n", timeout_s=1.0)
    far.send(b"1\n")
    assert link.read_until(b"\n", timeout_s=1.0) == b"1"


def test_a_flood_without_newline_ends_and_holds_little_memory(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    stop = threading.Event()

    def flood() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                far.send(b"x" * 256)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    with pytest.raises(ProtocolError, match="more than 4096 bytes without an end of line"):
        link.read_until(b"\n", timeout_s=5.0, limit=4096)
    began = time.monotonic()
    link.drain()  # gives up on a line that is never quiet
    assert time.monotonic() - began < 2.0
    stop.set()
    while thread.is_alive():
        link.read_available(0.05)
        thread.join(0.01)


def test_any_bytes_pass(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    every = bytes(byte for byte in range(256) if byte != 0x0A)
    far.send(every + b"\n")
    assert link.read_until(b"\n", timeout_s=1.0) == every


def test_unplugging_is_a_lost_link_for_reading_and_writing(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    far.close()
    with pytest.raises(LinkLost, match=r"connect again|no answer"):
        link.read_until(b"\n", timeout_s=0.5)
    with pytest.raises(LinkLost):
        for _ in range(50):  # a socket takes a few writes before the reset comes back
            link.write(b"?" * 1000, timeout_s=0.2)
            time.sleep(0.005)
    link.close()
    link.close()
    with pytest.raises(LinkLost, match="closed"):
        link.write(b"?", timeout_s=0.1)


def test_a_blocked_write_ends_at_its_deadline(pair: tuple[Transport, FarEnd]) -> None:
    link, _ = pair
    began = time.monotonic()
    with pytest.raises(LinkLost, match="not taken"):
        for _ in range(400):
            link.write(b"x" * 65536, timeout_s=0.2)
    assert link.dirty
    assert time.monotonic() - began < 5.0


def test_nothing_available_is_empty_and_not_an_error(pair: tuple[Transport, FarEnd]) -> None:
    link, far = pair
    assert link.read_available(0.02) == b""
    assert not link.dirty
    far.send(b"Grbl")
    assert link.read_available(1.0)[:1] == b"G"


def test_a_port_in_use_is_refused() -> None:
    with serial_pair() as (_, far), pytest.raises(LinkLost, match="no other program"):
        open_transport(far.address)


def test_parity_on_a_pseudo_terminal_is_not_fatal() -> None:
    with serial_pair() as (link, far):
        link.close()
        again = open_transport(far.address + "&parity=E&bits=7", timeout_s=1.0)
        far.send(b"ok\n")
        assert again.read_until(b"\n", timeout_s=1.0) == b"ok"
        again.close()


def test_a_serial_port_through_visa_answers() -> None:
    with serial_pair() as (link, far):
        link.close()
        visa = open_transport(f"visa://ASRL{far.address.partition('://')[2].partition('?')[0]}::INSTR", timeout_s=1.0)
        far.send(b"+2.0E+01\nnext")
        assert visa.read_until(b"\n", timeout_s=1.0) == b"+2.0E+01"
        with pytest.raises(LinkLost, match="no answer"):
            visa.read_until(b"\n", timeout_s=0.1)
        visa.write(b"*IDN?\n", timeout_s=1.0)
        visa.close()


@pytest.mark.parametrize("pattern", ["tcp://127.0.0.1:{port}", "visa://TCPIP::127.0.0.1::{port}::SOCKET"])
def test_a_refused_connection_is_noticed_at_once(pattern: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LinkLost, match="no connection"):
        open_transport(pattern.format(port=port), timeout_s=1.0)


def test_a_port_that_is_not_there_says_what_to_check() -> None:
    with pytest.raises(LinkLost, match="plugged in"):
        open_transport("serial:///dev/ttyNOTHING0")


@pytest.mark.parametrize(
    "address",
    [
        "", "tcp", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:99999", "tcp://host:port", "tcp://host:1/path", "tcp://a@host:1",
        "tcp://[::1:5", "http://host:80", "serial://", "serial://ttyUSB0", "serial:///etc/passwd", "serial://COM3?baud=0",
        "serial://COM3?baud=1_000", "serial://COM3?speed=9600", "serial://COM3?baud=9600&baud=1200", "serial://COM3?baud",
        "serial://COM3?parity=X", "visa://", "visa://nonsense", "tcp://host:1\n", "tcp://ho st:1", "x" * 400 + "://y",
        "serial://COM3?baud=٩٦٠٠",
    ],
)
def test_a_malformed_address_is_refused_and_the_allowed_ones_are_named(address: str) -> None:
    with pytest.raises(PlanError, match="serial:///dev/ttyUSB0"):
        open_transport(address)


def test_write_then_query_does_not_wait_for_a_delayed_acknowledgement() -> None:
    """Two small writes and an answer: 44 ms with Nagle's algorithm, well under 1 ms without."""
    for pattern in ("tcp://127.0.0.1:{port}", "visa://TCPIP::127.0.0.1::{port}::SOCKET"):
        with socket_pair(pattern) as (link, far):
            link.write(b"warm?\n", timeout_s=1.0)
            far.send(b"1\n")
            link.read_until(b"\n", timeout_s=1.0)
            nodelay = link._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # type: ignore[attr-defined]
            assert nodelay == 1
