"""`precision compensate --for klipper`: the command that corrects the skew of a machine, from a squareness or a diagonal run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from precision.benchmarks.execution import Outcome


def make(outcome: Outcome, *, file: str | None, force: bool) -> None:
    """Show what the controller would do, and write its command."""
    from rich.console import Console

    from precision.benchmarks import skew
    from precision.cli.compensate import write_all
    from precision.report.terminal import table

    found = skew.of(outcome)
    Console().print(table(skew.table(found)))
    click.echo(f"command  {found.text.strip()}")
    click.echo("load     run it on the printer, then SKEW_PROFILE SAVE=NAME and SAVE_CONFIG; it needs [skew_correction] in printer.cfg. Measure again afterwards")
    if file is None:
        click.echo("nothing was written; --out FILE writes the command")
        return
    write_all({Path(file): found.text.encode("ascii")}, force=force)
