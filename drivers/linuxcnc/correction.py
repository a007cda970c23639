#!/usr/bin/python3
"""Corrects the LinuxCNC that runs on this computer over its whole volume: takes the errors of a map off its commands, as external offsets.

A program of its own, run by the system's Python beside the controller: it alone loads the controller's modules, and it needs nothing else.

    /usr/bin/python3 correction.py machine.map             corrects until Ctrl-C or the end of the controller
    /usr/bin/python3 correction.py machine.map --check      says what is in the file, and touches nothing
    /usr/bin/python3 correction.py machine.map --active-tool     for the tool length that is active (G43), instead of the file's

The map is written by `precision compensate RUN --for linuxcnc-volumetric` (format: precision.compensation.error_map). The INI file needs OFFSET_AV_RATIO in
[AXIS_X], [AXIS_Y] and [AXIS_Z]: that share of velocity and acceleration LinuxCNC keeps for external offsets, whose motion it plans itself.

Sign: the map holds actual - nominal of the tool; the opposite is added. Positions are machine coordinates, and mean something only when the machine is homed: it
corrects while the machine is on and homed, begins at zero each time, and takes its offsets back at the end and at a fault. If it is killed the offsets stay as
they are until it is started again or the machine is switched off.
"""

import argparse
import bisect
import itertools
import math
import os
import re
import signal
import subprocess
import sys
import time

NAME = "precision-correction"
HEAD = "precision-error-map 1"
SIGN = "errors actual-minus-nominal"
UNITS = "unit mm um urad"
MOST_BYTES = 1 << 22
MOST_NODES = 25
NUMBER = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?", re.ASCII)
AXES = "xyz"
STEP_MM = 1e-6
"""Of the offsets; they are whole numbers of it."""
FADE = 10.0
"""Towards a soft limit the correction is at most this part of the distance that is left, or LinuxCNC would stop the axis there in its motion."""
AGREE_S = 0.5
"""How long LinuxCNC may take to begin at zero; it does in its next servo cycle."""
LOOKS = 500
"""In so many looks in a row LinuxCNC has not what was sent: somebody else moves the offsets. Looks, not seconds: a computer that stalls makes none."""


class Refused(Exception):
    """What the person is told."""


class Map:
    """Errors on a grid. lines : nodes along X, Y, Z in mm; rows : (dx, dy, dz in mm, a, b, c in rad) of each node, z fastest; tool in mm."""

    def __init__(self, text):
        self.lines, self.rows, self.tool, self.chain = [], [], (0.0, 0.0, 0.0), ""
        words = content(text)
        for expected in (HEAD, SIGN, UNITS):
            line, said = next(words, (0, ""))
            if said != expected:
                raise Refused(f"line {line}: {said[:60]!r}; {expected!r} is expected")
        line, said = next(words, (0, ""))
        if said.startswith("chain "):
            self.chain = said[6:]
            if sorted(self.chain) != sorted("FXYZ"):
                raise Refused(f"line {line}: chain {self.chain[:20]!r}; X, Y, Z and F, each once, are expected")
            line, said = next(words, (0, ""))
        self.tool = numbers(line, said, "tool", 3, 3)
        for axis in AXES:
            line, said = next(words, (0, ""))
            found = numbers(line, said, axis, 2, MOST_NODES)
            if any(not now > before for before, now in itertools.pairwise(found)):
                raise Refused(f"line {line}: positions of {axis} do not ascend")
            self.lines.append(found)
        nodes = math.prod(len(one) for one in self.lines)
        line, said = next(words, (0, ""))
        if said != f"points {nodes}":
            raise Refused(f"line {line}: {said[:60]!r}; 'points {nodes}' is expected")
        for line, said in words:
            if said == "end":
                break
            um = numbers(line, said, "", 6, 6)
            self.rows.append(tuple(value * 1e-3 for value in um[:3]) + tuple(value * 1e-6 for value in um[3:]))
            if len(self.rows) > nodes:
                raise Refused(f"line {line}: more than {nodes} rows")
        else:
            raise Refused(f"ends after {len(self.rows)} of {nodes} rows, without 'end'; it may be cut off")
        if len(self.rows) != nodes:
            raise Refused(f"line {line}: 'end' after {len(self.rows)} of {nodes} rows")
        rest = next(words, None)
        if rest is not None:
            raise Refused(f"line {rest[0]}: {rest[1][:60]!r} after 'end'")
        _, ny, nz = (len(one) for one in self.lines)
        self.stride = (ny * nz, nz, 1)

    def largest(self):
        """The largest translation of a node, mm."""
        return max(abs(value) for row in self.rows for value in row[:3])

    def steepest(self):
        """The largest change between neighbours by their distance, mm/mm."""
        most = 0.0
        for axis, line in enumerate(self.lines):
            for index, row in enumerate(self.rows):
                k = index // self.stride[axis] % len(line)
                if k + 1 < len(line):
                    other = self.rows[index + self.stride[axis]]
                    most = max(most, max(abs(b - a) for a, b in zip(row[:3], other[:3], strict=True)) / (line[k + 1] - line[k]))
        return most

    def error(self, position, tool=None):
        """(x, y, z) mm at a position in mm: linear between nodes in each direction, held beyond; for another tool, rigid bodies of first order."""
        corners = [(0, 1.0)]
        for line, stride, at in zip(self.lines, self.stride, position, strict=True):
            at = min(max(at, line[0]), line[-1])
            k = min(bisect.bisect_right(line, at) - 1, len(line) - 2)
            share = (at - line[k]) / (line[k + 1] - line[k])
            corners = [(base + (k + up) * stride, weight * part) for base, weight in corners for up, part in ((0, 1.0 - share), (1, share)) if part]
        x, y, z, a, b, c = (sum(weight * self.rows[index][column] for index, weight in corners) for column in range(6))
        if tool is not None:
            u, v, w = (now - then for now, then in zip(tool, self.tool, strict=True))
            x, y, z = x + b * w - c * v, y + c * u - a * w, z + a * v - b * u
        return x, y, z

    def inside(self, position):
        """Whether a position in mm lies within the grid."""
        return all(line[0] <= at <= line[-1] for line, at in zip(self.lines, position, strict=True))


def content(text):
    """(line number, text) of what is neither blank nor a comment; comments stand before the rows only."""
    rows = False
    for line, said in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if len(said) > 1000 or "\0" in said:
            raise Refused(f"line {line}: this is no text of an error map")
        said = said.strip(" \t")
        if said and (rows or not said.startswith("#")):
            rows = rows or said.startswith("points ")
            yield line, said


def numbers(line, said, name, fewest, most):
    """The finite numbers of a line that begins with `name`, `fewest` to `most` of them; `Refused` names the line."""
    parts = said.split()
    if name and (not parts or parts.pop(0) != name):
        raise Refused(f"line {line}: {said[:60]!r}; {name!r} and its numbers are expected")
    if not fewest <= len(parts) <= most:
        raise Refused(f"line {line}: {len(parts)} numbers; {fewest} to {most} are expected")
    found = tuple(float(part) if NUMBER.fullmatch(part) else math.nan for part in parts)
    if not all(math.isfinite(value) for value in found):
        raise Refused(f"line {line}: {said[:60]!r} holds what is no number")
    return found


def read(path, largest_mm, steepest):
    """The map in a file, checked against the limits of what may be corrected."""
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as wrong:
        raise Refused(f"{path}: cannot be read ({wrong})") from None
    if len(data) > MOST_BYTES:
        raise Refused(f"{path}: larger than {MOST_BYTES >> 20} MB")
    try:
        found = Map(text)
    except Refused as wrong:
        raise Refused(f"{path}, {wrong}") from None
    if found.largest() > largest_mm:
        raise Refused(f"{path}: the largest error is {found.largest() * 1e3:.1f} um; at most {largest_mm * 1e3:g} um is taken off. If it is right, give --largest")
    if found.steepest() > steepest:
        raise Refused(f"{path}: changes by {found.steepest() * 1e6:.0f} um/m between neighbours; at most {steepest * 1e6:g} um/m is taken off. If it is right, give --steepest")
    return found


class Controller:
    """The external offsets of the LinuxCNC that runs here."""

    def __init__(self):
        import hal
        import linuxcnc

        self._hal = hal
        stat = linuxcnc.stat()
        try:
            stat.poll()
        except linuxcnc.error as wrong:
            raise Refused(f"LinuxCNC does not run here, or is not up yet ({wrong})") from None
        self.mm = 1.0 / stat.linear_units
        ini = linuxcnc.ini(stat.ini_filename)
        self.component = hal.component(free_name())
        try:
            self.limits = [self._limits(stat, ini, index, axis) for index, axis in enumerate(AXES)]
        except BaseException:
            self.component.exit()
            raise
        self.component.newpin("active", hal.HAL_BIT, hal.HAL_OUT)
        for axis in AXES:
            self.component.newpin(f"{axis}-error", hal.HAL_FLOAT, hal.HAL_OUT)
        self.component.ready()
        self.sent = [0, 0, 0]

    def _limits(self, stat, ini, index, axis):
        """(lowest, highest) position in mm of an axis that external offsets may move, by this program alone."""
        section = f"AXIS_{axis.upper()}"
        if not stat.axis_mask >> index & 1:
            raise Refused(f"the machine has no axis {axis.upper()}; an error map is of three linear axes")
        ratio = ini.find(section, "OFFSET_AV_RATIO")
        if not ratio or float(ratio) <= 0:
            raise Refused(f"[{section}] in {stat.ini_filename} has no OFFSET_AV_RATIO; write OFFSET_AV_RATIO = 0.1 there, restart LinuxCNC, and try again")
        for pin in ("counts", "scale", "enable", "clear"):
            if self._hal.pin_has_writer(f"axis.{axis}.eoffset-{pin}"):
                raise Refused(f"axis.{axis}.eoffset-{pin} is linked: something else in this configuration moves the external offsets")
        return stat.axis[index]["min_position_limit"] * self.mm, stat.axis[index]["max_position_limit"] * self.mm

    def ready(self):
        """Whether the machine is on and homed."""
        value = self._hal.get_value
        return value("motion.motion-enabled") and value("motion.is-all-homed")

    def position(self):
        """Commanded, without the offsets, mm."""
        return tuple(self._hal.get_value(f"axis.{axis}.pos-cmd") * self.mm for axis in AXES)

    def tool(self):
        """From the spindle's reference point to the tip, mm: a tool of 100 mm is at Z -100."""
        return tuple(-self._hal.get_value(f"motion.tooloffset.{axis}") * self.mm for axis in AXES)

    def requested(self):
        """What LinuxCNC has taken over, mm."""
        return [self._hal.get_value(f"axis.{axis}.eoffset-request") * self.mm for axis in AXES]

    def applied(self):
        """What LinuxCNC has moved to, mm."""
        return [self._hal.get_value(f"axis.{axis}.eoffset") * self.mm for axis in AXES]

    def begin(self):
        """From zero, whatever was there: LinuxCNC adds up changes of the counts."""
        for axis in AXES:
            self._set(axis, "scale", STEP_MM / self.mm)
            self._set(axis, "enable", 1)
            self._set(axis, "clear", 1)
        until(lambda: not any(self.requested()), AGREE_S)
        time.sleep(0.02)
        for axis in AXES:
            self._set(axis, "counts", 0)
        time.sleep(0.02)  # a servo cycle, at least, with the new counts: their change is dropped
        for axis in AXES:
            self._set(axis, "clear", 0)
        self.sent = [0, 0, 0]

    def send(self, offsets, error):
        """Offsets in mm; changes are counted, so each counts once."""
        for k, axis in enumerate(AXES):
            counts = round(offsets[k] / STEP_MM)
            if counts != self.sent[k]:
                self._set(axis, "counts", counts)
                self.sent[k] = counts
            self.component[f"{axis}-error"] = error[k] / self.mm

    def agrees(self):
        """Whether LinuxCNC has what was sent."""
        return all(abs(now - sent * STEP_MM) < 1.5 * STEP_MM for now, sent in zip(self.requested(), self.sent, strict=True))

    def forget(self):
        """The machine is off or not homed: it drops its offsets, and does not count what changes now."""
        for axis in AXES:
            self._set(axis, "counts", 0)
        self.sent = [0, 0, 0]

    def close(self):
        """No offset is left, nor is anything of this program."""
        try:
            for axis in AXES:
                self._set(axis, "clear", 1)
            if self.ready():
                until(lambda: max(map(abs, self.applied())) < 2 * STEP_MM, 5.0)
            for axis in AXES:
                self._set(axis, "enable", 0)
                self._set(axis, "counts", 0)
            time.sleep(0.02)
            for axis in AXES:
                self._set(axis, "clear", 0)
        finally:
            self.component.exit()

    def _set(self, axis, pin, value):
        self._hal.set_p(f"axis.{axis}.eoffset-{pin}", repr(value))


def free_name():
    """For the HAL component; one of this kind may run, and one that was killed keeps its name until LinuxCNC ends."""
    done = subprocess.run(("halcmd", "-s", "show", "comp"), capture_output=True, text=True, timeout=10)
    words = [line.split() for line in done.stdout.splitlines()]
    there = {one[2]: one[3] for one in words if len(one) >= 4 and one[2].startswith(NAME)}
    for name, process in there.items():
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                if b"correction" in file.read():
                    raise Refused(f"process {process} corrects this machine already ({name})")
        except OSError:
            continue
    names = itertools.chain([NAME], (f"{NAME}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in there)


def until(done, within_s):
    """Wait for it, and say whether it came."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def wanted(map_, position, tool, limits):
    """(offsets, error) in mm: the opposite of the error, less of it next to a soft limit."""
    error = map_.error(position, tool)
    offsets = []
    for value, at, (low, high) in zip(error, position, limits, strict=True):
        room = max(0.0, min(at - low, high - at)) / FADE
        offsets.append(min(max(-value, -room), room))
    return offsets, error


class Correction:
    """What is done again and again."""

    def __init__(self, map_, controller, arguments):
        self.map, self.controller = map_, controller
        self.largest, self.rate, self.follow_tool = arguments.largest, arguments.rate, arguments.active_tool
        self.now = [0.0, 0.0, 0.0]
        self.correcting, self.said, self.outside = False, None, False
        self.disagreed, self.before = 0, time.monotonic()

    def step(self):
        """One look and one answer; raises `Refused` at a fault."""
        controller, moment = self.controller, time.monotonic()
        passed, self.before = moment - self.before, moment
        if not controller.ready():
            if self.correcting or self.said is None:
                controller.forget()
                self.say("waiting for the machine to be on and homed")
            self.correcting = controller.component["active"] = False
            return
        if not self.correcting:
            controller.begin()
            self.now, self.disagreed, self.correcting = [0.0, 0.0, 0.0], 0, True
            controller.component["active"] = True
            self.say("correcting")
            return
        position = controller.position()
        if not all(math.isfinite(value) for value in position):
            raise Refused(f"the commanded position is {position}")
        self.disagreed = 0 if controller.agrees() else self.disagreed + 1
        if self.disagreed > LOOKS and controller.ready():
            raise Refused(f"LinuxCNC has offsets {controller.requested()}, sent were {[one * STEP_MM for one in controller.sent]} mm; something else moves them")
        target, error = wanted(self.map, position, controller.tool() if self.follow_tool else None, controller.limits)
        if max(map(abs, error)) > self.largest:
            raise Refused(f"the error at {position} is {error} mm, more than --largest {self.largest:g} mm")
        most = self.rate * min(passed, 0.1)
        self.now = [old + min(max(new - old, -most), most) for old, new in zip(self.now, target, strict=True)]
        controller.send(self.now, error)
        if not self.outside and not self.map.inside(position):
            self.outside = True
            print(f"{' '.join(f'{at:.3f}' for at in position)} mm is outside the map; wherever it is, the value on its edge holds", flush=True)

    def say(self, what):
        """Print it, unless it was the last thing said."""
        if what != self.said:
            self.said = what
            print(what, flush=True)


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


def arguments_of(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description="Takes the errors of a map off the commands of the LinuxCNC on this computer.")
    parser.add_argument("file", help="written by precision compensate RUN --for linuxcnc-volumetric")
    parser.add_argument("--check", action="store_true", help="say what is in the file, and touch nothing")
    parser.add_argument("--active-tool", action="store_true", help="correct for the tool offset that is active, instead of the file's")
    parser.add_argument("--largest", type=float, default=0.2, metavar="MM", help="error that is taken off at most; 0.2")
    parser.add_argument("--steepest", type=float, default=1e-3, metavar="RATIO", help="change between neighbours by their distance; 0.001, 1 mm/m")
    parser.add_argument("--rate", type=float, default=2.0, metavar="MM/S", help="at which offsets change at most; 2")
    parser.add_argument("--period", type=float, default=0.002, metavar="S", help="between two looks at the position; 0.002")
    arguments = parser.parse_args(argv)
    for name, low, high in (("largest", 1e-4, 1.0), ("steepest", 1e-6, 1e-2), ("rate", 1e-3, 100.0), ("period", 2e-4, 0.1)):
        if not low <= getattr(arguments, name) <= high:
            parser.error(f"--{name}: {low:g} to {high:g} is expected")
    return arguments


def main(argv):
    """Correct until told to end, or until the controller does; the exit code."""
    arguments = arguments_of(argv)
    try:
        found = read(arguments.file, arguments.largest, arguments.steepest)
    except Refused as refused:
        raise SystemExit(f"{refused}\nNothing was changed.") from None
    spans = ", ".join(f"{axis.upper()} {line[0]:g} ... {line[-1]:g} mm" for axis, line in zip(AXES, found.lines, strict=True))
    print(f"{arguments.file}: {' x '.join(str(len(one)) for one in found.lines)} nodes, {spans}", flush=True)
    print(f"errors up to {found.largest() * 1e3:.1f} um and {found.steepest() * 1e6:.0f} um/m, of a tool at {' '.join(f'{one:g}' for one in found.tool)} mm; the opposite is added", flush=True)
    if arguments.check:
        return 0
    try:
        controller = Controller()
    except Refused as refused:
        raise SystemExit(f"{refused}\nNothing was changed.") from None
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append("it was told to end"))
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: ended.append("it was told to end"))
    code, looked = 0, time.monotonic()
    try:
        correction = Correction(found, controller, arguments)
        while not ended:
            correction.step()
            time.sleep(arguments.period)
            if time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                if not controller_lives():
                    ended.append("the controller has ended")
    except Refused as refused:
        ended.append(f"fault: {refused}")
        code = 1
    finally:
        controller.close()
    print(f"{ended[0]}; the offsets are taken back" if ended else "the offsets are taken back", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
