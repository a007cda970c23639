#!/usr/bin/python3
"""Streams every servo cycle of the LinuxCNC that runs on this computer, over TCP, as frames (the format is described in precision.drivers.frames.codec).

A program of its own, run by the system's Python beside the controller: it alone loads the controller's modules, and it needs nothing else.

    /usr/bin/python3 stream.py                              serves on 127.0.0.1:5008 until Ctrl-C or the end of the controller
    /usr/bin/python3 stream.py --pin torque=joint.0.torque   also that pin; --only leaves the usual ones out
    /usr/bin/python3 stream.py --compensation                lets a client replace the tables that the INI file names as COMP_FILE

The usual channels: of every axis command, motor command, feedback and following error, and where a HAL signal tool-x is there also the tool's position;
velocity, program line, in position, and output 0 (the trigger). It adds a sampler to the running controller and takes it away again at the end.
There is no password: leave it on the loopback interface, and reach it through ssh -L 5008:localhost:5008 HOST.
"""

import argparse
import base64
import collections
import contextlib
import json
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib

VERSION = 1
MAGIC = b"\xf5PF1"
SAMPLES, MESSAGE, END = 0, 1, 2
KEPT_ROWS = 30000
RESTART_CODE = 75
UNSENT_BYTES = 8 << 20
LINE_BYTES = 1 << 16
TABLE_BYTES = 1 << 15
PROGRAM_BYTES = 1 << 15
LETTERS = "XYZABCUVW"
HAL_TYPES = {1: "b", 2: "f", 3: "s", 4: "u"}


class Refused(Exception):
    """What a client is told."""


def frame(kind, channels, count, first, t_ns, payload, overrun=False):
    """A frame of the protocol of drivers/frames/codec.py: head, its checksum with the payload's, payload."""
    head = struct.pack("<4sBBHIIQq", MAGIC, kind, 1 if overrun else 0, channels, count, 0, first, t_ns)
    return head + struct.pack("<II", zlib.crc32(payload, zlib.crc32(head)), 0) + payload


def message(said):
    """A dictionary as a frame."""
    payload = json.dumps(said).encode("ascii")
    return frame(MESSAGE, 0, len(payload), 0, 0, payload)


def halcmd(*words):
    """What halcmd says; `Refused` where it fails."""
    done = subprocess.run(("halcmd", "-s", *words), capture_output=True, text=True, timeout=10)
    if done.returncode:
        raise Refused("halcmd {}: {}".format(" ".join(words), (done.stderr or done.stdout).strip()[:300]))
    return done.stdout


class Machine:
    """What the controller says of itself."""

    def __init__(self, ready_s):
        import linuxcnc

        self.version = linuxcnc.version
        self.stat = linuxcnc.stat()
        deadline = time.monotonic() + ready_s
        while True:
            with contextlib.suppress(linuxcnc.error, SystemError):  # not up yet; the deadline says when it never will be
                self.stat.poll()
                if self.stat.task_state > 0:
                    break
            if time.monotonic() > deadline:
                raise SystemExit(f"the controller's task has not come up within {ready_s:g} s; its INI file or a table that it names may be wrong")
            time.sleep(0.02)
        self.ini_path = self.stat.ini_filename
        self.ini = linuxcnc.ini(self.ini_path)
        self.name = self.ini.find("EMC", "MACHINE") or "unnamed"
        self.unit_m = 1e-3 / self.stat.linear_units
        self.axes = [letter for index, letter in enumerate(LETTERS) if self.stat.axis_mask >> index & 1]
        coordinates = "".join((self.ini.find("TRAJ", "COORDINATES") or "".join(self.axes)).upper().split())
        # Joint n moves the n-th letter; of two joints of a gantry the first is looked at.
        self.joint = {letter: coordinates.index(letter) for letter in self.axes if letter in coordinates}
        thread = next((line.split() for line in halcmd("show", "thread").splitlines() if "motion-controller" in line), None)
        if thread is None:
            raise SystemExit("no thread runs motion-controller; is this LinuxCNC up?")
        self.period_ns, self.thread = int(thread[0]), thread[2]

    def state(self):
        """Emergency stop, on, homed, mode, interpreter, line, faults, offsets; positions in m."""
        self.stat.poll()
        s = self.stat
        scale = [1.0 if letter in "ABC" else self.unit_m for letter in LETTERS]
        position = {letter: s.position[LETTERS.index(letter)] * scale[LETTERS.index(letter)] for letter in self.joint}
        return {
            "estop": bool(s.estop), "on": s.task_state == 4, "homed": all(s.homed[: s.joints]), "mode": s.task_mode, "interpreter": s.interp_state,
            "line": s.motion_line, "position_m": position, "following_error_fault": any(s.joint[j]["fault"] for j in range(s.joints)),
            "system": s.g5x_index, "rotation_deg": s.rotation_xy,
            "offset_m": {
                letter: (s.g5x_offset[k] + s.g92_offset[k] + s.tool_offset[k]) * scale[k]
                for k, letter in enumerate(LETTERS) if letter in self.joint
            },
        }

    def limits(self):
        """Linear axis -> lowest and highest position in m, highest feed in m/s, highest acceleration in m/s²."""
        self.stat.poll()
        found = {}
        highest = float(self.ini.find("TRAJ", "MAX_LINEAR_VELOCITY") or "inf")
        # What LinuxCNC takes where the INI file says nothing: 1 unit/s² for an axis, no limit for the path.
        steepest = float(self.ini.find("TRAJ", "MAX_LINEAR_ACCELERATION") or "inf")
        for letter in self.joint:
            if letter in "ABC":
                continue
            index = LETTERS.index(letter)
            fastest = float(self.ini.find("AXIS_" + letter, "MAX_VELOCITY") or highest)
            acceleration = float(self.ini.find("AXIS_" + letter, "MAX_ACCELERATION") or 1.0)
            axis, joint = self.stat.axis[index], self.stat.joint[self.joint[letter]]
            low = max(axis["min_position_limit"], joint["min_position_limit"])
            high = min(axis["max_position_limit"], joint["max_position_limit"])
            found[letter] = [value * self.unit_m for value in (low, high, min(fastest, highest), min(acceleration, steepest))]
        return found

    def table_path(self, axis):
        """Path and type of the axis' COMP_FILE; `Refused` where the INI file names none."""
        if axis not in self.joint:
            raise Refused("there is no axis {!r}; there are {}".format(axis, ", ".join(self.joint)))
        section = f"JOINT_{self.joint[axis]}"
        name = self.ini.find(section, "COMP_FILE")
        if not name:
            raise Refused(f"[{section}] in {self.ini_path} has no COMP_FILE; add COMP_FILE = x.comp and COMP_FILE_TYPE = 0, restart, and try again")
        path = os.path.join(os.path.dirname(self.ini_path), name)
        return path, int(self.ini.find(section, "COMP_FILE_TYPE") or 0)


class Sampler:
    """Rows of HAL pins, one a servo cycle, from a sampler that is added to the running controller."""

    def __init__(self, machine, channels, depth):
        import hal

        self._hal, self._machine = hal, machine
        self.component = hal.component("precision-stream")
        self._signals, self._loaded = [], False
        try:
            self._types = self._kinds(channels)
            if hal.component_exists("sampler"):
                raise SystemExit("a sampler is loaded already; it belongs to somebody else's configuration, or to a stream.py that was killed: restart LinuxCNC")
            halcmd("loadrt", "sampler", f"depth={depth}", "cfg=" + self._types)
            self._loaded = True
            halcmd("setp", "sampler.0.enable", "0")
            for index, (_, pin, _, _) in enumerate(channels):
                self._link(index, pin)
            halcmd("addf", "sampler.0", machine.thread)
            self._stream = hal.stream(self.component, hal.sampler_base, self._types)
            self.component.ready()
            hal.set_p("sampler.0.enable", "1")
        except BaseException:
            self.close()
            raise
        self._last = None
        self.index = -1

    def _kinds(self, channels):
        pins = self.pins = {pin["NAME"]: pin["TYPE"] for pin in self._hal.get_info_pins()}
        signals = {one["NAME"]: one["TYPE"] for one in self._hal.get_info_signals()}
        kinds = ""
        for _, pin, _, _ in channels:
            kind = HAL_TYPES.get(pins.get(pin, signals.get(pin)))
            if kind is None:
                raise SystemExit(f"there is no HAL pin or signal {pin!r} of a type that can be sampled; halcmd show pin lists them")
            kinds += kind
        return kinds

    def _link(self, index, pin):
        signal_names = {one["NAME"] for one in self._hal.get_info_signals()}
        own = f"sampler.0.pin.{index}"
        if pin in signal_names:
            halcmd("net", pin, own)
            return
        shown = next((line.split() for line in halcmd("show", "pin", pin).splitlines() if pin in line.split()), [])
        linked = [word for word in shown[shown.index(pin) + 1 :] if word not in ("<==", "==>")] if shown else []
        if linked:
            halcmd("net", linked[0], own)
            return
        name = f"precision-{index}"
        self._signals.append(name)
        halcmd("net", name, pin, own)

    def rows(self):
        """[(index, row)] of what has come; index counts servo cycles, losses included."""
        found = []
        stream = self._stream
        while stream.readable:
            row = stream.read()
            number = stream.sampleno
            step = 1 if self._last is None else (number - self._last) & 0xFFFFFFFF
            self._last = number
            self.index += step
            found.append((self.index, row))
            if len(found) >= 20000:
                break
        return found

    def value(self, pin):
        """The value of a pin now, in the controller's unit."""
        return self._hal.get_value(pin)

    def close(self):
        """Leave the controller as it was."""
        steps = []
        if self._loaded:
            steps += [("delf", "sampler.0", self._machine.thread), ("unloadrt", "sampler")]
        steps += [("delsig", name) for name in self._signals]
        for step in steps:
            try:
                halcmd(*step)
            except (Refused, OSError, subprocess.TimeoutExpired):
                continue  # the controller may be gone, and takes its own with it
        self._loaded, self._signals = False, []
        try:
            self.component.exit()
        except Exception:
            return


class Client:
    """One connection: control lines in, frames out."""

    def __init__(self, sock, greeting):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.unsent, self.line = sock, bytearray(greeting), b""
        self.running = self.overrun = self.gone = False
        self.base = 0
        self.waiting = []
        self.spoke = time.monotonic()

    def send(self, data):
        """Hand over bytes; what the link does not take waits."""
        self.unsent += data
        self.spoke = time.monotonic()
        self.flush()

    def flush(self):
        """As much of what waits as the link takes."""
        if self.unsent and not self.gone:
            try:
                del self.unsent[: self.socket.send(self.unsent)]
            except BlockingIOError:
                return
            except OSError:  # the other side has gone; the server forgets it in its own time
                self.gone = True
                self.unsent.clear()


class Server:
    """Distributes rows to clients and answers their control lines."""

    def __init__(self, machine, sampler, channels, listener, arguments):
        self.machine, self.sampler, self.channels, self.listener = machine, sampler, channels, listener
        self.may_compensate, self.may_restart, self.code = arguments.compensation, arguments.restart, 0
        self.names = [name for name, _, _, _ in channels]
        self.scales = [scale for _, _, _, scale in channels]
        self.kept = collections.deque(maxlen=KEPT_ROWS)
        self.clients = {}
        self.selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ)
        self.programs = tempfile.TemporaryDirectory(prefix="precision-programs-")
        os.chmod(self.programs.name, 0o755)
        self.last_row = time.monotonic()
        self.ended = False
        identity = f"LinuxCNC {machine.version}, machine {machine.name}"
        said = {
            "precision-frames": VERSION, "identity": identity[:500], "rate_hz": 1e9 / machine.period_ns,
            "simulated": any(name.endswith("_tool") for name in self.names),
            "channels": [{"name": name, "unit": unit} for name, _, unit, _ in channels],
        }
        self.greeting = json.dumps(said).encode("ascii") + b"\n"
        self.commands = {
            "start": self.start, "stop": self.stop, "wait": self.wait, "mean": self.mean, "still": self.still, "row": self.row, "get": self.get,
            "state": self.state, "limits": self.limits, "table": self.table, "replace": self.replace, "program": self.program, "restart": self.restart,
        }

    def run(self):
        """Serve until told to end, or until the controller does."""
        pause = 0.002
        while not self.ended:
            for key, events in self.selector.select(pause):
                if key.fileobj is self.listener:
                    self.accept()
                elif events & selectors.EVENT_READ and key.data.socket.fileno() >= 0:
                    self.read(key.data)
            self.take_rows()
            now = time.monotonic()
            for client in list(self.clients.values()):
                if client.running and now - client.spoke > 0.5:
                    client.send(frame(SAMPLES, len(self.channels), 0, max(0, self.sampler.index + 1 - client.base), 0, b"", client.overrun))
                client.flush()
                if client.gone:
                    self.forget(client)
            if now - self.last_row > 1.0 and not controller_lives():
                self.leave("the controller has ended")

    def leave(self, why):
        """Tell all clients why this ends, and let them go."""
        for client in list(self.clients.values()):
            try:
                client.socket.settimeout(1.0)
                client.socket.sendall(bytes(client.unsent) + message({"fault": why}))
            except OSError:
                continue
        self.ended = True

    def accept(self):
        """Greet a client."""
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        if len(self.clients) >= 16:
            sock.close()
            return
        client = Client(sock, self.greeting)
        self.clients[sock] = client
        self.selector.register(sock, selectors.EVENT_READ, client)
        client.flush()

    def forget(self, client):
        """A client has gone."""
        if self.clients.pop(client.socket, None):
            self.selector.unregister(client.socket)
            client.socket.close()

    def read(self, client):
        """Take a client's lines and answer them."""
        try:
            data = client.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(client.unsent) > UNSENT_BYTES:
            self.forget(client)
            return
        lines = (client.line + data).split(b"\n")
        client.line = lines.pop()
        if len(client.line) > LINE_BYTES:
            self.forget(client)
            return
        for line in lines:
            self.answer(client, line.decode("utf-8", "replace").strip())

    def answer(self, client, line):
        """One control line: its command's answer, or why not."""
        if not line:
            return
        words = line.split(" ")
        command = self.commands.get(words[0])
        try:
            if command is None:
                raise Refused("expected is one of " + ", ".join(self.commands))
            said = command(client, *words[1:])
        except Refused as refused:
            said = {"error": str(refused)}
        except Exception as wrong:  # whatever a client asks for, the others are served on
            said = {"error": f"{type(wrong).__name__}: {str(wrong)[:300]}"}
        if said is not None:
            client.send(message(dict(said, answer=words[0])))

    def take_rows(self):
        """Rows that the sampler has, to the clients that stream and to the last seconds that are kept."""
        found = self.sampler.rows()
        if found:
            self.last_row = time.monotonic()
            self.kept.extend(found)
            start = 0
            for at in range(1, len(found) + 1):
                # Consecutive rows are one frame, of 4096 at most.
                if at == len(found) or found[at][0] != found[at - 1][0] + 1 or at - start == 4096:
                    self.distribute(found[start:at])
                    start = at
        for client in list(self.clients.values()):
            for waiter in list(client.waiting):
                said = waiter()
                if said is not None:
                    client.waiting.remove(waiter)
                    client.send(message(said))

    def distribute(self, rows):
        """Rows as frames of samples; a client that is too slow loses rows, and its next frame says so."""
        running = [client for client in self.clients.values() if client.running]
        if not running:
            return
        scales, first = self.scales, rows[0][0]
        flat = [value * scale for _, row in rows for value, scale in zip(row, scales, strict=True)]
        payload = struct.pack(f"<{len(flat)}d", *flat)
        for client in running:
            if len(client.unsent) > UNSENT_BYTES:
                client.overrun = True
                continue
            number = first - client.base
            client.send(frame(SAMPLES, len(scales), len(rows), number, number * self.machine.period_ns, payload, client.overrun))
            client.overrun = False

    # -- control lines ---------------------------------------------------------------------------------------------------------------------

    def start(self, client):
        """`start`: rows from the next servo cycle on."""
        self.take_rows()
        client.base, client.running, client.overrun = self.sampler.index + 1, True, False
        return {}

    def stop(self, client):
        """`stop`: no more rows."""
        client.running = False
        return {}

    def wait(self, client, cycles):
        """Answered when so many servo cycles have passed."""
        self.take_rows()
        until = self.sampler.index + counted(cycles, 10 ** 9)
        client.waiting.append(lambda: {"answer": "wait", "cycle": self.sampler.index} if self.sampler.index >= until else None)

    def still(self, client, cycles, longest, tolerance):
        """Answered when for so many cycles in a row all commands were constant, in position, and all feedbacks (linear: in m) within a tolerance;
        refused after `longest` cycles."""
        self.take_rows()
        wanted, since, tolerance = counted(cycles, KEPT_ROWS), self.sampler.index, float(tolerance)
        until = since + counted(longest, 10 ** 9)
        # A command that stands may still change by the rounding of its sums.
        within = [
            (index, scale, tolerance if name.endswith("_fb") else 1e-10)
            for index, (name, scale) in enumerate(zip(self.names, self.scales, strict=True)) if name.endswith(("_cmd", "_fb"))
        ]
        there = self.names.index("inpos")
        state = {"row": None, "count": 0, "seen": since}

        def waiter():
            for index, row in self.after(state["seen"]):
                first = state["row"]
                same = first is not None and row[there] and all(abs(row[k] - first[k]) * scale <= most for k, scale, most in within)
                state["seen"] = index
                if same:
                    state["count"] += 1
                else:
                    state["row"], state["count"] = row, 0
                if state["count"] >= wanted:
                    return {"answer": "still", "cycle": index, "after": index - since}
            if self.sampler.index > until:
                return {"answer": "still", "error": f"not at standstill within {longest} servo cycles"}
            return None

        client.waiting.append(waiter)

    def after(self, index):
        """Kept rows with a larger number."""
        found = []
        for one in reversed(self.kept):
            if one[0] <= index:
                break
            found.append(one)
        return reversed(found)

    def mean(self, client, channel, cycles):
        """Mean and extremes of a channel over the cycles that have just passed."""
        self.take_rows()
        wanted, column = counted(cycles, KEPT_ROWS), self.names.index(channel)
        rows = [self.kept[k] for k in range(max(0, len(self.kept) - wanted), len(self.kept))]
        if len(rows) < wanted or rows[-1][0] - rows[0][0] != wanted - 1:
            raise Refused(f"the last {wanted} servo cycles have not all been sampled")
        values = [row[column] * self.scales[column] for _, row in rows]
        # Deviations first: the sum of positions would lose digits.
        centre = values[0]
        mean = centre + sum(value - centre for value in values) / wanted
        return {"mean": mean, "low": min(values), "high": max(values), "cycle": rows[-1][0]}

    def row(self, client):
        """`row`: the last servo cycle."""
        self.take_rows()
        if not self.kept:
            raise Refused("no servo cycle has been sampled yet")
        index, row = self.kept[-1]
        return {"cycle": index, "values": {name: value * scale for name, value, scale in zip(self.names, row, self.scales, strict=True)}}

    def get(self, client, pin):
        """`get PIN`: its value now."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", pin):
            raise Refused("a pin's name is expected")
        return {"value": self.sampler.value(pin)}

    def state(self, client):
        """`state`: `Machine.state`, and external offsets in m."""
        # External offsets (LinuxCNC 2.8 and later) move the joints beside the commands of programs.
        pins = {letter: f"axis.{letter.lower()}.eoffset" for letter in self.machine.joint if letter not in "ABC"}
        external = {letter: self.sampler.value(pin) * self.machine.unit_m for letter, pin in pins.items() if pin in self.sampler.pins}
        return dict(self.machine.state(), external_m=external)

    def limits(self, client):
        """`limits`: `Machine.limits`."""
        return {"axes": self.machine.limits()}

    def table(self, client, axis):
        """`table AXIS`: the compensation file, its type and path."""
        path, kind = self.machine.table_path(axis)
        with open(path, "rb") as file:
            data = file.read(TABLE_BYTES + 1)
        if len(data) > TABLE_BYTES:
            raise Refused(f"{path} is larger than a table of 256 points")
        return {"path": path, "type": kind, "text": base64.b64encode(data).decode("ascii")}

    def replace(self, client, axis, text):
        """`replace AXIS BASE64`: another compensation file; the old one stands beside it."""
        if not self.may_compensate:
            raise Refused("tables may only be replaced where this program was started with --compensation")
        path, kind = self.machine.table_path(axis)
        data = base64.b64decode(text, validate=True)
        if not 0 < len(data) <= TABLE_BYTES:
            raise Refused(f"a table of 1 to {TABLE_BYTES} bytes is expected")
        with open(path, "rb") as file:
            write_whole(path + ".before", file.read(TABLE_BYTES))
        write_whole(path, data)
        return {"path": path, "type": kind}

    def restart(self, client):
        """The answer, and the end of this program with a code that asks for a restart."""
        if not self.may_restart:
            raise Refused("restart LinuxCNC by hand: this program was started without --restart")
        client.send(message({"answer": "restart"}))
        self.ended, self.code = True, RESTART_CODE

    def program(self, client, name, text):
        """`program NAME BASE64`: put it where the controller can open it."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
            raise Refused("a program's name is 1 to 40 of A-Z a-z 0-9 _ -")
        data = base64.b64decode(text, validate=True)
        if len(data) > PROGRAM_BYTES:
            raise Refused(f"a program of at most {PROGRAM_BYTES} bytes is expected")
        path = os.path.join(self.programs.name, name + ".ngc")
        write_whole(path, data)
        return {"path": path}

    def close(self):
        """Let all clients go."""
        for client in list(self.clients.values()):
            self.forget(client)
        self.listener.close()
        self.programs.cleanup()


def counted(text, most):
    """An integer from 1 to `most`; `Refused` otherwise."""
    number = int(text)
    if not 1 <= number <= most:
        raise Refused(f"{text}: 1 to {most} is expected")
    return number


def write_whole(path, data):
    """The new file or the old one, never a part of either."""
    descriptor, new = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def controller_lives():
    """Whether a LinuxCNC runs on this computer."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/comm") as file:
                    if file.read().startswith("rtapi_app"):
                        return True
            except OSError:
                continue
    return False


def usual_channels(machine, signals):
    """(name, pin or signal, SI unit, factor to it)."""
    channels = []
    unit_m = machine.unit_m
    for letter, joint in machine.joint.items():
        a = letter.lower()
        unit, scale = ("rad", 3.141592653589793 / 180) if letter in "ABC" else ("m", unit_m)
        pins = [("cmd", "pos-cmd"), ("mcmd", "motor-pos-cmd"), ("fb", "motor-pos-fb"), ("ferr", "f-error")]
        channels += [(f"{a}_{name}", f"joint.{joint}.{pin}", unit, scale) for name, pin in pins]
        if "tool-" + a in signals:
            channels.append((a + "_tool", "tool-" + a, unit, scale))
    channels += [
        ("vel", "motion.current-vel", "m/s", unit_m), ("line", "motion.program-line", "", 1.0), ("inpos", "motion.in-position", "", 1.0),
        ("trig", "motion.digital-out-00", "", 1.0),
    ]
    return channels


def arguments_of(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description="Streams the servo cycles of the LinuxCNC on this computer over TCP.")
    parser.add_argument("--port", type=int, default=5008)
    parser.add_argument("--bind", default="127.0.0.1", help="there is no password: leave this on the loopback interface")
    parser.add_argument("--listen-fd", type=int, help="a socket that listens already")
    parser.add_argument("--pin", action="append", default=[], metavar="NAME=PIN[:UNIT[:FACTOR]]", help="one more channel, of any HAL pin or signal")
    parser.add_argument("--only", action="store_true", help="only the pins that are named, and those needed to tell standstill")
    parser.add_argument("--compensation", action="store_true", help="let clients replace the tables named as COMP_FILE")
    parser.add_argument("--restart", action="store_true", help=f"let clients end this program with exit code {RESTART_CODE}, by which its caller restarts LinuxCNC")
    parser.add_argument("--ready", type=float, default=15.0, help="seconds in which the controller has to be up")
    parser.add_argument("--depth", type=int, default=60000, help="servo cycles that the sampler keeps for this program")
    return parser.parse_args(argv)


def channels_of(machine, arguments):
    """The channels to stream: the usual ones, and those of --pin."""
    import hal

    own = hal.component("precision-look")
    try:
        signals = {one["NAME"] for one in hal.get_info_signals()}
    finally:
        own.exit()
    channels = usual_channels(machine, signals)
    if arguments.only:
        channels = [channel for channel in channels if channel[0].endswith("_cmd") or channel[0] in ("inpos", "trig")]
    for given in arguments.pin:
        name, _, rest = given.partition("=")
        pin, unit, factor = [*rest.split(":"), "", "1"][:3] if rest.count(":") < 2 else rest.split(":", 2)
        channels.append((name, pin, unit, float(factor or 1)))
    if len(channels) > 20:
        raise SystemExit(f"{len(channels)} channels; a sampler takes 20. Use --only")
    return channels


def main(argv):
    """Stream until told to end; the exit code."""
    arguments = arguments_of(argv)
    machine = Machine(arguments.ready)
    channels = channels_of(machine, arguments)
    if arguments.listen_fd is not None:
        listener = socket.socket(fileno=os.dup(arguments.listen_fd))
    else:
        listener = socket.create_server((arguments.bind, arguments.port))
    sampler = Sampler(machine, channels, arguments.depth)
    server = Server(machine, sampler, channels, listener, arguments)

    def leave(number, frame_):
        server.ended = True

    signal.signal(signal.SIGTERM, leave)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    print("ready " + json.dumps(listener.getsockname()), flush=True)
    try:
        server.run()
    finally:
        server.close()
        sampler.close()
    return server.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
