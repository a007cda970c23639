"""`precision simulate linuxcnc`: a private LinuxCNC for other programs."""

from __future__ import annotations

import json
import signal
import textwrap
import threading
from pathlib import Path

import click


def serve(*, rig: str, speed: float, servo_period: str, truth: str | None, correction: str | None = None) -> None:
    """Start it, print its address, and take it down at Ctrl-C or SIGTERM."""
    from precision import units
    from precision.compensation import error_map
    from precision.compensation.lines import text_of
    from precision.drivers.linuxcnc.cell import launch
    from precision.errors import PlanError
    from precision.regular_file import refuse_to_replace
    from precision.runs import durable

    try:
        period_s = units.quantity(servo_period, "time")
    except ValueError as error:
        raise PlanError(f"--servo-period: {error}") from error
    errors = None
    if correction:
        errors = text_of(Path(correction))
        error_map.read(errors)  # before anything is started
    if truth:
        refuse_to_replace(Path(truth))
    ended = threading.Event()
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda number, frame: ended.set())
    with launch.start(rig=rig, speed=speed, servo_period_s=period_s) as cell:
        if truth:
            durable.replace(Path(truth), (json.dumps(cell.truth(), indent=2, allow_nan=False) + "\n").encode())
            click.echo(f"truth   {truth}")
        click.echo(f"machine {cell.address}")
        click.echo(f"        {rig} mechanics, {speed:g} times the clock, {'namespaces of its own' if cell.private else 'plain, one at a time'}")
        if errors is not None:
            cell.write("machine.map", errors)
            click.echo(textwrap.indent(cell.correct("machine.map").strip(), "        "))
        click.echo("serving until Ctrl-C")
        try:
            while not ended.wait(0.5):
                if not cell.alive:
                    click.echo("the controller has ended", err=True)
                    click.get_current_context().exit(3)
        except KeyboardInterrupt:
            click.echo("stopped")
