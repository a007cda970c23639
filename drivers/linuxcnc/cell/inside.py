"""The first process of a cell: it makes the surroundings, starts the controller and the program beside it, and takes everything down with itself.

Run by the system's Python; standard library only. Orders are lines of JSON on standard input, answers lines on standard output; the end of standard input is
the order to leave. Connections that arrive on the two sockets it inherited, which belong to the world outside, are led to the controller inside.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

FAKETIME = "/usr/lib/{}/faketime/libfaketimeMT.so.1"
CONTROL_PORT = 5007
READY_S = 20.0
STOP_S = 10.0
RESTART_CODE = 75


class Failed(Exception):
    """What the program outside is told."""


class Cell:
    """One controller, started and stopped any number of times in the same folder."""

    def __init__(self, order, control, stream):
        self.speed, self.private, self.stream = order["speed"], order["private"], stream
        self.options = order["stream"]
        self.control = socket.socket(fileno=control)
        if self.private:
            surroundings()
            self.folder = "/run/cell"
        else:
            self.folder = tempfile.mkdtemp(prefix="precision-cell-")
            os.chmod(self.folder, 0o755)
        for name, text in order["files"].items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        self.log_path = os.path.join(self.folder, "controller.log")
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.folder, "LANG": "C.UTF-8",
            "RTAPI_FIFO_PATH": os.path.join("/tmp" if self.private else self.folder, "rtapi.sock"),
        }
        if os.geteuid() == 0:
            self.environment["RTAPI_UID"] = "65534"
            if not self.private:
                os.chmod(self.folder, 0o777)
        self.controller = self.helper = self.correction = None
        self.failure = ""
        self.lock = threading.RLock()
        threading.Thread(target=self.accept, daemon=True).start()

    def start(self):
        """The controller, until its port is open, and the program beside it; `Failed` with its last words."""
        if not self.private:
            refuse_a_second()
        environment = dict(self.environment)
        if self.speed != 1:
            environment["LD_PRELOAD"] = FAKETIME.format(os.uname().machine + "-linux-gnu")
            environment["FAKETIME"] = f"+0 x{self.speed:g}"
            if not os.path.exists(environment["LD_PRELOAD"]):
                raise Failed("libfaketime is not installed (Debian: faketime); only speed 1 is possible")
        with open(self.log_path, "wb") as log:
            self.controller = subprocess.Popen(
                ["linuxcnc", "-r", os.path.join(self.folder, "rig.ini")], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_S
        while not self.listens():
            if self.controller.poll() is not None:
                raise Failed("the controller ended while it started: " + self.last_words())
            if time.monotonic() > deadline:
                raise Failed(f"the controller did not open its port within {READY_S:g} s: {self.last_words()}")
            time.sleep(0.01)
        self.start_helper()

    def start_helper(self):
        """stream.py, until it is ready."""
        self.helper = subprocess.Popen(
            [sys.executable, "-I", os.path.join(self.folder, "stream.py"), "--listen-fd", str(self.stream), "--compensation", "--restart", "--ready", "6",
             *self.options],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(self.stream,),
        )
        line = self.helper.stdout.readline()
        if not line.startswith(b"ready"):
            said = self.helper.communicate()[1].decode("utf-8", "replace").strip()
            self.helper = None
            raise Failed(said[-600:] or "the program that streams servo cycles ended at once")
        # Nobody reads what it may still say.
        for pipe in (self.helper.stdout, self.helper.stderr):
            threading.Thread(target=pipe.read, daemon=True).start()
        threading.Thread(target=self.restart_when_asked, args=(self.helper,), daemon=True).start()

    def restart_when_asked(self, helper):
        """A client's wish is the helper's exit code. A controller that does not start with a new table gets the old one back."""
        if helper.wait() != RESTART_CODE:
            return
        with self.lock:
            if self.helper is not helper:
                return
            self.stop()
            try:
                self.start()
            except Failed as failed:
                self.failure = str(failed)
                self.stop()
                for name in os.listdir(self.folder):
                    if name.endswith(".before"):
                        os.replace(self.inside(name), self.inside(name[: -len(".before")]))
                self.start()

    def correct(self, words):
        """Start the program that corrects the volume, and wait until it does."""
        self.uncorrect()
        self.correction = subprocess.Popen(
            [sys.executable, "-I", self.inside("correction.py"), *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        said, alarm = "", threading.Timer(READY_S, self.correction.kill)
        alarm.start()
        try:
            while not said.endswith(("correcting\n", "homed\n")):
                line = self.correction.stdout.readline()
                if not line:
                    said += self.correction.stderr.read()
                    self.correction = None
                    raise Failed(said.strip()[-600:] or f"the correction did not begin within {READY_S:g} s")
                said += line
        finally:
            alarm.cancel()
        return said

    def uncorrect(self):
        """End it, and wait until its offsets are taken back; what it said since it began."""
        if self.correction is None:
            return ""
        self.correction.terminate()
        try:
            said = self.correction.communicate(timeout=STOP_S)
        finally:
            self.correction = None
        return "".join(said)

    def stop(self):
        """As a person would: the programs beside it first, then the controller's display, which ends the rest."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.uncorrect()
        if self.helper is not None:
            self.helper.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.helper.wait(STOP_S)
            self.helper = None
        clean = False
        if self.controller is not None and self.controller.poll() is None:
            for pid in descendants("linuxcncrsh"):
                os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                clean = self.controller.wait(STOP_S) == 0
        self.controller = None
        self.sweep()
        return clean

    def sweep(self):
        """Whatever of the controller is still there goes; nobody else's does."""
        pids = {os.getpid()}
        while True:
            left = [pid for pid in descendants(None) if pid not in pids]
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            reap()
            time.sleep(0.01)
        if self.private:
            subprocess.run(["ipcrm", "--all=shm", "--all=sem", "--all=msg"], check=False, capture_output=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink("/tmp/linuxcnc.lock")
        for name in os.listdir("/dev/shm"):
            if self.private and "faketime" in name:
                os.unlink("/dev/shm/" + name)

    def close(self):
        """Everything down, and the folder away."""
        self.stop()
        if not self.private:
            shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self):
        """The end of what the controller wrote."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read().strip()[-1500:] or "(it said nothing)"

    def listens(self):
        """Whether the text server takes connections."""
        try:
            socket.create_connection(("127.0.0.1", CONTROL_PORT), 0.5).close()
        except OSError:
            return False
        return True

    # -- orders ------------------------------------------------------------------------------------------------------------------------------

    def obey(self, order):
        """One order (a dictionary with "do"); what is answered. `Failed` says why not."""
        what = order["do"]
        if what == "start":
            self.start()
        elif what == "stop":
            return {"clean": self.stop()}
        elif what == "hal":
            done = subprocess.run(["halcmd", "-s", *order["words"]], env=self.environment, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode:
                raise Failed("halcmd: " + (done.stderr or done.stdout).strip()[:500])
            return {"said": done.stdout}
        elif what == "signal":
            for pid in descendants(order["process"]):
                os.kill(pid, order["number"])
        elif what == "correct":
            return {"said": self.correct(order["words"])}
        elif what == "uncorrect":
            return {"said": self.uncorrect()}
        elif what == "read":
            with open(self.inside(order["name"]), encoding="utf-8") as file:
                return {"text": file.read()}
        elif what == "write":
            with open(self.inside(order["name"]), "w", encoding="utf-8") as file:
                file.write(order["text"])
        elif what == "remove":
            os.unlink(self.inside(order["name"]))
        elif what == "processes":
            return {"names": [comm(pid) for pid in descendants(None)]}
        else:
            raise Failed("no such order: " + what)
        return {}

    def inside(self, name):
        """The path of a file of the cell's folder, whatever folder the name pretends."""
        return os.path.join(self.folder, os.path.basename(name))

    # -- the way in --------------------------------------------------------------------------------------------------------------------------

    def accept(self):
        """Lead connections from outside to the text server, for ever."""
        while True:
            outside, _ = self.control.accept()
            try:
                inside = socket.create_connection(("127.0.0.1", CONTROL_PORT), 2)
            except OSError:
                outside.close()
                continue
            inside.settimeout(None)
            for one, other in ((outside, inside), (inside, outside)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(source, sink):
    """Bytes from one to the other until either ends; then both end."""
    with contextlib.suppress(OSError):  # one side is gone: so is the connection
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def surroundings():
    """Inside the namespaces: a loopback interface that is up, and private folders where names are fixed."""
    for target, options in (("/run", "mode=755"), ("/dev/shm", "mode=1777"), ("/tmp", "mode=1777")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", target], check=True, capture_output=True)
    os.makedirs("/run/cell")
    os.chdir("/run/cell")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as interface:
        import fcntl

        get_flags, set_flags, up = 0x8913, 0x8914, 1
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(interface, get_flags, request))[1]
        fcntl.ioctl(interface, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def refuse_a_second():
    """Without namespaces there is room for one controller on a computer, and a second one would end the first."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", CONTROL_PORT), 0.5).close()
        raise Failed(f"another LinuxCNC serves port {CONTROL_PORT} on this computer, and a second one would end it; namespaces of its own need root")
    if os.path.exists("/tmp/linuxcnc.lock"):
        raise Failed("/tmp/linuxcnc.lock is there: another LinuxCNC runs on this computer, or was killed")


def comm(pid):
    """The name of a process, "" where it has gone."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def descendants(name):
    """Process numbers of all that descend from this one (of the name, unless None); those that lost their parent belong to this one."""
    parent = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    parent[int(entry)] = int(fields[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, above in parent.items() if above in found} - found
        found |= more
        grown = bool(more)
    found.discard(os.getpid())
    return sorted(pid for pid in found if name is None or comm(pid).startswith(name))


def reap():
    """Take leave of processes that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def say(answer):
    """One line of JSON to the program outside."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main():
    """Orders until standard input ends; then the cell goes."""
    control, stream = int(sys.argv[1]), int(sys.argv[2])
    become_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(become_subreaper, 1, 0, 0, 0)
    # Ctrl-C is for the program outside; whatever is started here inherits that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    cell = None
    try:
        for line in sys.stdin:
            try:
                order = json.loads(line)
                if cell is None:
                    cell = Cell(order, control, stream)
                    say({})
                else:
                    with cell.lock:
                        answer = cell.obey(order)
                    say(answer)
            except (Failed, OSError, KeyError, ValueError, subprocess.SubprocessError) as failed:
                said = str(failed) if isinstance(failed, Failed) else f"{type(failed).__name__}: {failed}"
                say({"error": said})
    finally:
        if cell is not None:
            with cell.lock:
                cell.close()


if __name__ == "__main__":
    main()
