"""`precision simulate`: the virtual lab for other programs."""

from __future__ import annotations

from typing import Literal

import click


@click.command()
@click.argument("what", type=click.Choice(["lab", "linuxcnc"]), default="lab")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which machine: everything about it follows from the seed.")
@click.option("--time-scale", type=click.FloatRange(0), default=1.0, show_default=True, help="Pace of motion and dwell, lab seconds per second; 0 as fast as possible. Standing still takes no lab time.")
@click.option("--controller", type=click.Choice(["auto", "pty", "tcp"]), default="auto", show_default=True, help="Transport of the controller.")
@click.option("--truth", type=click.Path(dir_okay=False), help="Write what the machine is made of, and every true position, here at the end.")
@click.option("--speed", type=click.FloatRange(0.1, 30), default=1.0, show_default=True, help="linuxcnc: times faster than the clock (other than 1 needs libfaketime).")
@click.option("--rig", default="router", show_default=True, help="linuxcnc: the simulated mechanics, router, worn or volumetric.")
@click.option("--correction", metavar="FILE", type=click.Path(dir_okay=False), help="linuxcnc, rig volumetric: an error map (compensate --for linuxcnc-volumetric) that is taken off its commands.")
@click.option("--servo-period", default="1 ms", show_default=True, help="linuxcnc: of the controller, 50 µs … 10 ms.")
def simulate(what: str, seed: int, time_scale: float, controller: str, truth: str | None, speed: float, rig: str, correction: str | None, servo_period: str) -> None:
    """Serve the virtual lab: a GRBL controller, an IDS3010 interferometer and an SCPI environment instrument, one machine behind them.

    Prints their addresses, ready for a plan's [devices] or for any other program, and serves until Ctrl-C. Loopback only.

    `precision simulate linuxcnc` starts a private LinuxCNC (Debian: linuxcnc-uspace) with simulated mechanics behind its servo output instead: the real
    controller, for `precision run positioning --machine ADDRESS` and `precision capture --from ADDRESS`.
    """
    if what == "linuxcnc":
        from precision.cli.simulate_linuxcnc import serve

        serve(rig=rig, speed=speed, servo_period=servo_period, truth=truth, correction=correction)
        return
    import json
    import math
    import signal
    import tempfile
    import threading
    from pathlib import Path

    from precision.drivers.lab import process
    from precision.errors import DataError
    from precision.regular_file import refuse_to_replace
    from precision.runs import durable

    if truth:
        refuse_to_replace(Path(truth))
        try:  # now: at the end the truth would be lost
            tempfile.TemporaryFile(dir=Path(truth).absolute().parent).close()
        except OSError as error:
            raise DataError(f"{truth}: cannot be written ({error.strerror}); give another file with --truth") from error
    ended = threading.Event()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: ended.set())
    transport: Literal["pty", "tcp"] | None = "pty" if controller == "pty" else "tcp" if controller == "tcp" else None
    with process.start(seed=seed, time_scale=time_scale or math.inf, controller=transport) as lab:
        for role, address in lab.addresses.items():
            click.echo(f"{role:<16}{address}")
        click.echo("serving until Ctrl-C")
        try:
            while not ended.wait(0.5):
                if not lab.alive:
                    click.echo("the virtual lab has ended", err=True)
                    click.get_current_context().exit(3)
        except KeyboardInterrupt:
            click.echo("stopped")
        if truth:
            try:
                durable.replace(Path(truth), (json.dumps(lab.truth(), indent=2, allow_nan=False) + "\n").encode())
            except OSError as error:
                raise DataError(f"{truth}: the truth cannot be written ({error.strerror}); the same seed makes the same machine again") from error
            click.echo(f"truth           {truth}")
