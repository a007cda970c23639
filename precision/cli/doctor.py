"""`precision doctor`: what is missing on this computer, and what that costs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

OK, NOTE, FAULT = "ok", "note", "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; `cost` says what does not work, and what to do, where the state is not ok."""

    state: str
    what: str
    seen: str
    cost: str = ""


@click.command()
def doctor() -> None:
    """Say what is missing on this computer and what it costs. Exit 1 if something needed is missing; notes are optional parts."""
    findings = [finding for examine in EXAMINATIONS for finding in examine()]
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = {OK: "ok   ", NOTE: "note ", FAULT: "FAULT"}[finding.state]
        click.echo(f"{mark} {finding.what:<{width}}  {finding.seen}")
        if finding.cost:
            click.echo(f"      {'':<{width}}  → {finding.cost}")
    faults = sum(finding.state == FAULT for finding in findings)
    click.echo(f"{faults} fault{'s' * (faults != 1)}, {sum(f.state == NOTE for f in findings)} notes" if faults else "everything that is needed is here")
    if faults:
        click.get_current_context().exit(1)


def _python() -> Iterator[Finding]:
    yield Finding(OK, "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores")


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, requires, version

    import precision

    try:
        needs = [line.split(";")[0] for line in requires("precision-bench") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        yield Finding(FAULT, "precision-bench", f"{precision.__version__}, not installed", "pip install . in the project's folder")
        return
    yield Finding(OK, "precision-bench", version("precision-bench"))
    for need in needs:
        name = "".join(c for c in need.split(">")[0].split("=")[0].split("<")[0] if c.isalnum() or c in "-_.")
        try:
            yield Finding(OK, name, version(name))
        except PackageNotFoundError:
            yield Finding(FAULT, name, "missing", f'pip install "{need.strip()}"')


def _accelerators() -> Iterator[Finding]:
    from importlib.util import find_spec

    if find_spec("numba"):
        yield Finding(OK, "numba", "installed: compiled kernels on all cores")
    else:
        yield Finding(NOTE, "numba", "not installed", 'kernels run as blocked NumPy, 2 to 8 times slower; pip install "precision-bench[fast]"')
    from precision.kernels import usable_gpu

    gpu = usable_gpu()
    if gpu:
        yield Finding(OK, "GPU", str(gpu))
    else:
        yield Finding(NOTE, "GPU", gpu.reason, 'kernels run on the CPU; with an NVIDIA GPU: pip install "precision-bench[cuda13]" (or cuda12)')


def _visa() -> Iterator[Finding]:
    from precision.cli.devices import visa_backends

    for name, state in visa_backends().items():
        missing = "missing" in state
        yield Finding(FAULT if missing else NOTE if "not installed" in state else OK, f"VISA {name}", state)


def _serial() -> Iterator[Finding]:
    if sys.platform == "win32":
        yield Finding(OK, "serial ports", "no permissions needed on Windows")
        return
    devices = [*Path("/dev").glob("ttyUSB*"), *Path("/dev").glob("ttyACM*"), *Path("/dev").glob("cu.usb*")]
    closed = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        group = closed[0].group()
        cost = f"sudo usermod -aG {group} {os.environ.get('USER', 'YOU')}, then log in again"
        yield Finding(FAULT, "serial permissions", f"no access to {', '.join(map(str, closed))}", cost)
    elif devices:
        yield Finding(OK, "serial permissions", f"{len(devices)} USB serial ports, all accessible")
    else:
        yield Finding(NOTE, "serial ports", "no USB serial port found", "nothing to do unless a machine should be connected; unplug and plug it, try another cable")


def _lab() -> Iterator[Finding]:
    try:
        import pty

        master, slave = pty.openpty()
        os.close(master)
        os.close(slave)
        yield Finding(OK, "virtual lab", "pseudo-terminals available: the simulated controller is a serial port")
    except (ImportError, OSError) as error:
        yield Finding(NOTE, "virtual lab", f"no pseudo-terminals ({error})", "the simulated controller is reached over TCP instead; nothing else changes")


def _linuxcnc() -> Iterator[Finding]:
    from precision.drivers.linuxcnc.cell.launch import missing

    if lacking := missing():
        yield Finding(NOTE, "LinuxCNC", lacking, "no private controller can be started here (precision simulate linuxcnc); one on another computer can be measured all the same")
    else:
        yield Finding(OK, "LinuxCNC", "installed: precision simulate linuxcnc starts a private controller")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(".").free
    if free < 500e6:
        yield Finding(FAULT, "disk", f"{free / 1e6:.0f} MB free here", "runs reserve twice their estimate before motion; free some space or use --out elsewhere")
    else:
        yield Finding(OK, "disk", f"{free / 1e9:.1f} GB free here")


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (_python, _packages, _accelerators, _visa, _serial, _lab, _linuxcnc, _disk)
