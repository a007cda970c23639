"""`precision capture`: record a stream of samples."""

from __future__ import annotations

from collections.abc import Callable

import click


@click.command()
@click.option("--from", "address", required=True, metavar="ADDRESS", help="tcp://host:port, serial:///dev/ttyACM0?baud=2000000, linuxcnc://host, ...")
@click.option("--driver", help="Which driver speaks to it; by default linuxcnc for linuxcnc://, else frames.")
@click.option("--duration", metavar="TIME", help="Of the device's time, for example 10s; without it, until Ctrl-C or the end of the stream.")
@click.option("--arm", is_flag=True, help="Wait for the device's own trigger.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder that gets the run directory.")
def capture(address: str, driver: str | None, duration: str | None, arm: bool, out: str) -> None:
    """Record a stream into a run directory: every sample with its number and the device's time, what is missing as a gap.

    \b
    precision capture --from tcp://192.168.1.7:9900 --duration 60s
    precision export last --to parquet

    Ctrl-C ends a recording cleanly; with --duration it is then marked ABORTED, and what was recorded is kept.
    """
    from pathlib import Path

    from precision import units
    from precision.benchmarks.capturing import record
    from precision.drivers import open_stream
    from precision.errors import DataError, PlanError
    from precision.report.visible_text import visible

    try:
        duration_s = None if duration is None else units.quantity(duration, "time")
    except ValueError as error:
        raise PlanError(f"--duration: {error}") from error
    chosen = driver or ("linuxcnc" if address.startswith("linuxcnc://") else "frames")
    stream = open_stream(chosen, address)
    try:
        names = ", ".join(f"{channel.name} in {channel.unit}" if channel.unit else channel.name for channel in stream.channels)
        click.echo(f"stream  {visible(stream.identity)}")
        click.echo(f"        {stream.rate_hz:g} samples/s of {visible(names, longest=1000)}")
        begin = None
        if arm:
            begin = getattr(stream, "arm", None)
            if begin is None:
                raise PlanError(f"driver {chosen} knows no trigger to wait for; leave out --arm")
        recorded = record(
            stream, Path(out), driver=chosen, address=address, duration_s=duration_s, begin=begin,
            simulated=bool(getattr(stream, "simulated", False)), progress=_line(), started=lambda run: click.echo(f"run     {run.path}"),
        )  # fmt: skip
    finally:
        stream.close()
    ended = "ended by --duration" if recorded.ended == "duration" else recorded.ended
    click.echo(f"{recorded.samples} samples, {recorded.duration_s:g} s of the device's time, {'with gaps' if recorded.lost else 'no gap'}; {ended}")
    if recorded.lost:
        click.echo(f"{recorded.lost} samples are missing in {recorded.gaps} places; they are gaps in the recording")
    if not recorded.samples:
        raise DataError("nothing was recorded: the stream gave no sample")


def _line() -> Callable[[float, int, int], None]:
    """Time, samples and rate: renewed in place on a terminal, a line every ten seconds elsewhere."""
    import sys
    import time

    terminal = sys.stdout.isatty()
    every_s = 0.25 if terminal else 10.0
    began = said = time.monotonic()
    before = 0

    def show(duration_s: float, samples: int, lost: int) -> None:
        nonlocal said, before
        now = time.monotonic()
        if now - said < every_s:
            return
        rate = (samples - before) / (now - said)
        said, before = now, samples
        text = f"{duration_s:9.1f} s  {samples} samples  {rate:.0f} samples/s  {lost} missing  ({now - began:.0f} s here)"
        click.echo(f"\r{text}\x1b[K" if terminal else text, nl=not terminal)

    return show
