"""`python -m precision.drivers.lab.serve`: the virtual lab as a process that speaks the real protocols.

A controller (Grbl) on a pseudo terminal or TCP, an interferometer and a tracking one (IDS3010) on TCP, a ball bar (frames) and a
recorder of command, feedback and tool (frames) on TCP, the drives' own record (frames) on TCP, a multimeter with the sensors (SCPI) on a raw socket, all on 127.0.0.1. The first line on standard output is JSON with their addresses; under "lab" is a control channel of JSON lines:

    {"do": "state"}   {"do": "truth"}   {"do": "fault", "device": ..., "kind": ..., ...} (see `faults`)   {"do": "time-scale", "value": 10 | "inf"}
    {"do": "mount", "device": "ballbar", "centre_m": {"X": ..., "Y": ..., "Z": ...}, "length_m": ...}: what an operator's hands do
    {"do": "mount", "device": "interferometer", "reflector_m": [x, y, z]}: the same, the reflectors of all three beams at one place on the tool
    {"do": "set-up", "what": "reflectors" | "square" | "line", "direction": [x, y, z]}: the operator mounts the interferometer (see `interferometer.Optics.set_up`)
    {"do": "station", "place_m": [x, y, z], "reflector_m": [x, y, z]}: the operator moves the tracking interferometer (see `tracker`)

Each is answered by one line with "ok", and "error" where it was refused. The process leaves when its standard input ends, so that nobody has to
remember to stop it; `--stay` keeps it until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.ids3010.simulator import Ids3010Simulator
from precision.drivers.scpi.simulator import ScpiSimulator

from .faults import Fault, Piece, spoiled
from .link import Connection, listening, pseudo_terminal
from .parameters import Parameters
from .sensors import CHANNELS
from .twin import Twin
from .worse_machine import with_errors

_LONGEST_WAIT_S = 0.5
_CONTROL_LINE_BYTES = 65_536
_TRUTH_BYTES = 1 << 30
_STREAM_BYTES = 1 << 28
"""What a stream keeps for a client that reads late."""


class Endpoint:
    """One device of the lab: its listeners, its clients, and the faults that wait for it."""

    def __init__(
        self, name: str, answer: Callable[[bytes, float], bytes], hang_up: Callable[[], None] | None = None, greeting: Callable[[], bytes] | None = None
    ) -> None:
        self.name = name
        self.greeting = greeting
        self.answer = answer
        self.hang_up = hang_up
        self.clients: list[Connection] = []
        self.faults: list[Fault] = []
        self.messages = 0

    def say(self, data: bytes, to: list[Connection], strike: Callable[[Fault], None]) -> None:
        """Send `data` to the clients, spoiled where a fault has its turn."""
        if not data:
            return
        if not self.faults:
            self.messages += data.count(b"\n")
            pieces = [Piece(data)]
        else:
            pieces = [piece for message in data.splitlines(keepends=True) for piece in self._through_faults(message, strike)]
        for client in to:
            client.send(pieces)

    def _through_faults(self, message: bytes, strike: Callable[[Fault], None]) -> list[Piece]:
        self.messages += 1
        spoiling = None
        for fault in list(self.faults):
            if fault.strikes_device and fault.acting:
                self._used(fault)
                if fault.count == 0:
                    strike(fault)
            elif fault.after > 0:
                fault.after -= 1
                if fault.strikes_device and fault.after == 0:
                    strike(fault)
            elif spoiling is None:
                spoiling = fault
        if spoiling is None:
            return [Piece(message)]
        self._used(spoiling)
        return spoiled(spoiling, message)

    def _used(self, fault: Fault) -> None:
        if fault.count is not None:
            fault.count -= 1
            if fault.count == 0:
                self.faults.remove(fault)


class LabServer:
    """All devices of one lab in one loop; the simulators are called from nowhere else."""

    def __init__(self, *, seed: int, time_scale: float, controller: str, ports: dict[str, int], errors: float = 1.0) -> None:
        self.twin = Twin(seed, with_errors(Parameters.drawn(seed), errors) if errors != 1.0 else None)
        self.grbl = GrblSimulator(self.twin.mechanics, settings=_settings(self.twin.parameters), time_scale=time_scale, options="VZ")
        self.interferometer = Ids3010Simulator(self.twin.optics, starting_polls=1)
        self.tracker = Ids3010Simulator(self.twin.tracker, axes=1, starting_polls=1, serial_number="SIM-TRK-0001")
        self.multimeter = ScpiSimulator(self.twin.sensors, channels=CHANNELS)
        bar, recorder, servo = self.twin.ball_bar, self.twin.recorder, self.twin.servo
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._slave = -1
        self.addresses: dict[str, str] = {}
        self.controller = Endpoint("controller", self.grbl.receive)
        self.endpoints = {
            "controller": self.controller,
            "interferometer": Endpoint("interferometer", self._seeing_the_machine(self.interferometer.receive), self.interferometer.hang_up),
            "environment": Endpoint("environment", self._seeing_the_machine(self.multimeter.receive), self.multimeter.hang_up),
            "tracker": Endpoint("tracker", self._seeing_the_machine(self.tracker.receive), self.tracker.hang_up),
            "ballbar": Endpoint("ballbar", self._seeing_the_machine(bar.answer), bar.hang_up, bar.greeting),
            "recorder": Endpoint("recorder", self._seeing_the_machine(recorder.answer), recorder.hang_up, recorder.greeting),
            "servo": Endpoint("servo", self._seeing_the_machine(servo.answer), servo.hang_up, servo.greeting),
        }
        self._control_lines: dict[Connection, bytes] = {}
        self._later = b""
        if controller in ("pty", "both"):
            master, self._slave, name = pseudo_terminal()
            self.addresses["controller"] = f"serial://{name}?baud=115200"
            self._add_client(self.controller, master)
        if controller in ("tcp", "both"):
            address = f"tcp://127.0.0.1:{self._listen(ports.get('controller', 0), self.controller)}"
            self.addresses["controller_tcp" if controller == "both" else "controller"] = address
        self.addresses["interferometer"] = f"tcp://127.0.0.1:{self._listen(ports.get('interferometer', 0), self.endpoints['interferometer'])}"
        self.addresses["environment"] = f"visa://TCPIP::127.0.0.1::{self._listen(ports.get('environment', 0), self.endpoints['environment'])}::SOCKET"
        self.addresses["tracker"] = f"tcp://127.0.0.1:{self._listen(ports.get('tracker', 0), self.endpoints['tracker'])}"
        # One scanner for all: whoever wants another screw's thermometer asks it for another channel.
        self.addresses |= {f"environment_{axis}": self.addresses["environment"] for axis in "yz"}
        self.addresses["ballbar"] = f"tcp://127.0.0.1:{self._listen(ports.get('ballbar', 0), self.endpoints['ballbar'])}"
        self.addresses["recorder"] = f"tcp://127.0.0.1:{self._listen(ports.get('recorder', 0), self.endpoints['recorder'])}"
        self.addresses["servo"] = f"tcp://127.0.0.1:{self._listen(ports.get('servo', 0), self.endpoints['servo'])}"
        self.addresses["lab"] = f"tcp://127.0.0.1:{self._listen(ports.get('lab', 0), None)}"
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    # -- the loop ---------------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until stopped."""
        while not self._stopping:
            for key, events in self._selector.select(self._wait_s()):
                if key.fileobj is self._woken:
                    self._woken.recv(64)
                elif isinstance(key.fileobj, socket.socket):
                    self._accept(key.fileobj, key.data[1])
                elif isinstance(key.fileobj, Connection):
                    self._serve(key.fileobj, key.data[1], events)
            self._speak()

    def stop(self) -> None:
        """Leave the loop; from a signal handler or another thread."""
        self._stopping = True
        try:
            self._wake.send(b"\0")
        except BlockingIOError:
            return  # so many wake-ups already wait that one more is not needed

    def _wait_s(self) -> float:
        now = time.monotonic()
        moments = [self.grbl.next_event_wall_s()]
        for connection in self._connections():
            moments.append(connection.due_s if not connection.wants_to_write else None)
        return max(0.0, min([_LONGEST_WAIT_S, *(moment - now for moment in moments if moment is not None)]))

    def _speak(self) -> None:
        """What the controller sends by itself, and what has become due on any link."""
        later, self._later = self._later, b""
        self._say(self.controller, later + self.grbl.poll(time.monotonic()), self.controller.clients)
        for name, streamed in (("ballbar", self.twin.ball_bar), ("recorder", self.twin.recorder), ("servo", self.twin.servo)):
            endpoint = self.endpoints[name]
            self._say(endpoint, streamed.poll(time.monotonic()), endpoint.clients)
        for connection in self._connections():
            connection.flush()
            if connection.closed:
                self._forget(connection)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_to_write else 0)
            if self._selector.get_key(connection).events != events:
                self._selector.modify(connection, events, self._selector.get_key(connection).data)

    def _serve(self, connection: Connection, endpoint: Endpoint | None, events: int) -> None:
        if connection.closed or not events & selectors.EVENT_READ:
            return
        data = connection.read()
        if data is None:
            self._forget(connection)
        elif endpoint is None:
            self._control(connection, data)
        elif data:
            now = time.monotonic()
            out = endpoint.answer(data, now)
            self._say(endpoint, out, endpoint.clients if endpoint is self.controller else [connection])

    def _say(self, endpoint: Endpoint, data: bytes, to: list[Connection]) -> None:
        endpoint.say(data, list(to), self._strike)

    # -- links ------------------------------------------------------------------------------------------------------------------------

    def _connections(self) -> list[Connection]:
        return [connection for endpoint in self.endpoints.values() for connection in endpoint.clients] + list(self._control_lines)

    def _listen(self, port: int, endpoint: Endpoint | None) -> int:
        sock = listening(port)
        self._selector.register(sock, selectors.EVENT_READ, ("listener", endpoint))
        return int(sock.getsockname()[1])

    def _accept(self, listener: socket.socket, endpoint: Endpoint | None) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # gone before it was accepted
        if endpoint is None:
            connection = Connection(sock=sock, unread_bytes=_TRUTH_BYTES)
            self._control_lines[connection] = b""
            self._selector.register(connection, selectors.EVENT_READ, ("client", None))
        else:
            connection = Connection(sock=sock) if endpoint.greeting is None else Connection(sock=sock, unread_bytes=_STREAM_BYTES)
            self._add_client(endpoint, connection)
            if endpoint.greeting is not None:
                self._say(endpoint, endpoint.greeting(), [connection])

    def _add_client(self, endpoint: Endpoint, connection: Connection) -> None:
        endpoint.clients.append(connection)
        self._selector.register(connection, selectors.EVENT_READ, ("client", endpoint))

    def _forget(self, connection: Connection) -> None:
        self._selector.unregister(connection)
        connection.close()
        self._control_lines.pop(connection, None)
        for endpoint in self.endpoints.values():
            if connection in endpoint.clients:
                endpoint.clients.remove(connection)
                if endpoint.hang_up is not None and not endpoint.clients:
                    endpoint.hang_up()

    # -- physics ----------------------------------------------------------------------------------------------------------------------

    def _seeing_the_machine(self, receive: Callable[[bytes], bytes]) -> Callable[[bytes, float], bytes]:
        """An instrument sees the machine where it is now: what is over is completed first, what is under way is at its fraction."""

        def answer(data: bytes, now_s: float) -> bytes:
            self._catch_up(now_s)
            return receive(data)

        return answer

    def _catch_up(self, now_s: float) -> Mapping[str, float]:
        """Complete what is over and put what is under way at its fraction; the commanded position there, m."""
        self._say(self.controller, self.grbl.poll(now_s), self.controller.clients)
        ends_s = self.grbl.next_event_wall_s()
        duration_s = self.twin.mechanics.activity_s
        fraction = 1 - (ends_s - now_s) * self.grbl.time_scale / duration_s if ends_s is not None and duration_s > 0 else 1.0
        return self.twin.mechanics.commanded_position(fraction)

    def _strike(self, fault: Fault) -> None:
        """A fault of a device begins, or (counted down to nothing) is over."""
        now = time.monotonic()
        axes = range(3) if fault.axis is None else (fault.axis,)
        if fault.kind == "beam_loss":
            for axis in axes:
                if fault.count == 0:
                    self.twin.optics.restore(axis)
                elif not fault.acting:
                    self.twin.optics.interrupt(axis)
            fault.acting = True
            return
        self.controller.faults.remove(fault)
        if fault.kind == "alarm":
            self.grbl.alarm(fault.code, now)
        else:
            # Said only after the message that is on its way now.
            self._later += self.grbl.receive(b"\x18", now)

    # -- control ----------------------------------------------------------------------------------------------------------------------

    def _control(self, connection: Connection, data: bytes) -> None:
        *lines, rest = (self._control_lines[connection] + data).split(b"\n")
        self._control_lines[connection] = rest if len(rest) <= _CONTROL_LINE_BYTES else b""
        for line in lines:
            try:
                answer = {"ok": True, **self._done(json.loads(line))}
            except (ValueError, TypeError) as wrong:
                answer = {"ok": False, "error": str(wrong)}
            connection.send([Piece(json.dumps(answer, allow_nan=False).encode() + b"\n")])

    def _done(self, request: Any) -> dict[str, Any]:
        match request:
            case {"do": "truth"}:
                return {"truth": self.twin.truth()}
            case {"do": "state"}:
                return {"state": self._state()}
            case {"do": "fault"}:
                waiting = Fault.from_request({name: value for name, value in request.items() if name != "do"})
                self.endpoints[waiting.device].faults.append(waiting)
                if waiting.strikes_device and waiting.after == 0:
                    self._strike(waiting)
                return {}
            case {"do": "station", "place_m": list(place), "reflector_m": list(reflector)}:
                self._catch_up(time.monotonic())
                self.twin.tracker.stand(place, reflector)
                return {}
            case {"do": "set-up", "what": str(what), **rest}:
                self._catch_up(time.monotonic())
                self.twin.optics.set_up(what, _vector(rest.get("direction")))
                return {}
            case {"do": "mount", "device": "ballbar", "centre_m": dict(centre_m), "length_m": length_m}:
                self.twin.ball_bar.mount(centre_m, length_m)
                return {}
            case {"do": "mount", "device": "interferometer", "reflector_m": list(reflector)}:
                self._catch_up(time.monotonic())
                self.twin.optics.mount(_vector(reflector) or [])
                return {}
            case {"do": "time-scale", "value": value}:
                self.grbl.time_scale = _time_scale(value)
                return {}
            case _:
                raise ValueError('expected {"do": "truth" | "state" | "fault" | "station" | "set-up" | "mount" | "time-scale", ...}')

    def _state(self) -> dict[str, Any]:
        position_m = self._catch_up(time.monotonic())
        mechanics = self.twin.mechanics
        return {
            "controller": self.grbl.state,
            "moving": mechanics.moving,
            "position_m": dict(position_m),
            "lab_time_s": self.twin.clock.now_ns * 1e-9,
            "time_scale": self.grbl.time_scale if math.isfinite(self.grbl.time_scale) else "inf",
            "clients": {name: len(endpoint.clients) for name, endpoint in self.endpoints.items()},
            "messages": {name: endpoint.messages for name, endpoint in self.endpoints.items()},
            "faults_waiting": {name: len(endpoint.faults) for name, endpoint in self.endpoints.items()},
        }


def _vector(value: object) -> list[float] | None:
    """Numbers of a control line; None for none."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(part, int | float) and not isinstance(part, bool) for part in value):
        raise ValueError(f"{str(value)[:40]!r} is no list of numbers; expected [x, y, z]")
    return [float(part) for part in value]


def _settings(parameters: Parameters) -> dict[int, float]:
    """Grbl's `$n` for this machine (mm, mm/min, mm/s²). $23: bit set, the axis is referenced at its negative end; with option Z that is 0."""
    towards = sum(1 << index for index, axis in enumerate(parameters.axes) if not axis.homes_upwards)
    settings = {20: 1.0, 22: 1.0, 23: float(towards), 25: parameters.x.homing_feed_m_per_s * 60e3, 27: parameters.home_pull_off_m * 1e3}
    for index, axis in enumerate(parameters.axes):
        settings[100 + index] = 1e-3 / parameters.step_m
        settings[110 + index] = axis.max_feed_m_per_s * 60e3
        settings[120 + index] = axis.acceleration_m_per_s2 * 1e3
        settings[130 + index] = (axis.highest_m - axis.lowest_m) * 1e3
    return settings


def _time_scale(value: object) -> float:
    try:
        scale = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        scale = math.nan
    if not scale > 0:
        raise ValueError(f"time scale is {value!r}; expected lab seconds per wall second, more than 0, or inf")
    return scale


def _time_scale_argument(text: str) -> float:
    try:
        return _time_scale(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m precision.drivers.lab.serve", description="The virtual lab on 127.0.0.1; prints its addresses as JSON.")
    parser.add_argument("--seed", type=int, required=True, help="which lab: same seed, same readings")
    parser.add_argument("--time-scale", type=_time_scale_argument, default=math.inf, help="lab seconds per wall second; inf (default) waits for nothing")
    parser.add_argument("--controller", choices=("pty", "tcp", "both"), default="pty" if os.name == "posix" else "tcp")
    parser.add_argument("--errors", type=float, default=1.0, help="factor of the machine's geometric errors (default 1, at most 100)")
    for name in ("controller", "interferometer", "environment", "tracker", "ballbar", "recorder", "servo", "lab"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 (default): any free one")
    parser.add_argument("--stay", action="store_true", help="do not leave at the end of standard input")
    return parser.parse_args(argv)


def _leave_with_standard_input(server: LabServer) -> None:
    while True:
        try:
            if not os.read(0, 4096):
                break
        except OSError:
            break  # no standard input at all: nobody holds this lab
    server.stop()


def main(argv: list[str] | None = None) -> int:
    """Serve until told to leave; 0."""
    arguments = _arguments(argv)
    ports = {name: getattr(arguments, f"{name}_port") for name in ("controller", "interferometer", "environment", "tracker", "ballbar", "recorder", "servo", "lab")}
    try:
        server = LabServer(seed=arguments.seed, time_scale=arguments.time_scale, controller=arguments.controller, ports=ports, errors=arguments.errors)
    except ValueError as wrong:
        print(f"--errors: {wrong}", file=sys.stderr)
        return 2
    except OSError as refused:
        print(f"the virtual lab cannot open its links: {refused}; choose other ports, or 0 for any free one", file=sys.stderr)
        return 3
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    if not arguments.stay:
        threading.Thread(target=_leave_with_standard_input, args=(server,), daemon=True).start()
    print(json.dumps(server.addresses), flush=True)
    server.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
