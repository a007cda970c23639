"""`precision runs`: what has been measured, and whether it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from precision.runs.directory import RunDirectory

OUT = click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")


def found(run: str, out: str) -> RunDirectory:
    """The run that a person means: a folder, a name in `out`, the beginning of one, or "last"."""
    import os
    from pathlib import Path

    from precision.runs.directory import RunDirectory

    # os.path says False of a name that the system refuses; pathlib raises.
    if os.path.exists(os.path.join(run, "manifest.json")):
        return RunDirectory.open(Path(run))
    return RunDirectory.open(folder_of(run, out))


def folder_of(run: str, out: str) -> Path:
    """The folder of a run that may be damaged; raises `DataError` when there is none."""
    import os
    from pathlib import Path

    from precision.errors import DataError
    from precision.runs.index import find

    if os.path.isdir(run):
        return Path(run)
    if not Path(out).is_dir():
        raise DataError(f"{run!r} is neither a file nor a run: there is no folder {out!r} with runs here; `precision run positioning` makes one, --out names another")
    return find(Path(out), run)


@click.group()
def runs() -> None:
    """List, show, verify and recover runs.

    A run is one folder: manifest.json (the plan, versions, instruments), capture.arrows (every reading), events.jsonl (what happened),
    result.json (the figures) and report.html. It can be copied as it is; the list is made from the folders.
    """


@runs.command("list")
@OUT
@click.option("--all", "everything", is_flag=True, help="All of them (the newest 50 otherwise).")
def list_(out: str, everything: bool) -> None:
    """List the runs, newest first."""
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from precision.report.visible_text import visible
    from precision.runs.index import listing

    if not Path(out).is_dir():
        click.echo(f"no runs yet in {out}; `precision run positioning` makes one")
        return
    entries = list(reversed(listing(out)))
    shown = entries if everything else entries[:50]
    table = Table(box=None, pad_edge=False)
    for title in ("run", "created", "status", "seed", "source", "remark"):
        table.add_column(title, overflow="fold", no_wrap=title == "run")
    for entry in shown:
        source = "virtual lab" if entry.simulated else visible(entry.origin or "machine", longest=60)
        cells = (entry.name, entry.created_utc[:19].replace("T", " "), entry.status, str(entry.seed if entry.seed is not None else ""), source,
                 visible((entry.problem or entry.reason).split("\n")[0], longest=120))  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    if len(shown) < len(entries):
        click.echo(f"{len(entries) - len(shown)} older runs; --all lists them")


@runs.command()
@click.argument("run", default="last")
@OUT
def show(run: str, out: str) -> None:
    """Show a run's figures, computed again from its raw data, and where it is."""
    from rich.console import Console

    from precision.benchmarks.execution import evaluated
    from precision.report.terminal import summary

    outcome = evaluated(found(run, out))
    console = Console()
    console.print(summary(outcome.document))
    manifest = outcome.run.manifest
    for label, value in (("run", outcome.run.path), ("status", manifest.status), ("created", manifest.created_utc), ("seed", manifest.seed)):
        console.print(f"{label:<8}{value}", markup=False, highlight=False, soft_wrap=True)


@runs.command()
@click.argument("run", default="last")
@OUT
def path(run: str, out: str) -> None:
    """Print a run's folder, for scripts: cd "$(precision runs path last)"."""
    click.echo(found(run, out).path)


@runs.command()
@OUT
def reindex(out: str) -> None:
    """Make the index of the runs again from their folders (it is a cache; nothing else is touched)."""
    from precision.runs.index import reindex as again

    click.echo(f"{again(out)} runs in {out}")


@runs.command()
@click.argument("run", default="last")
@OUT
def verify(run: str, out: str) -> None:
    """Check every record, hash and number of a run. Exit 6 when something does not fit."""
    from precision.errors import DataError
    from precision.runs.recover import verify_run

    checked = verify_run(folder_of(run, out))
    if checked.problems:
        raise DataError(
            f"{checked.name}: {len(checked.problems)} problems:\n" + "\n".join(f"  {problem}" for problem in checked.problems)
            + f"\n`precision runs recover {checked.name}` copies out what is whole"
        )
    click.echo(f"{checked.name}: whole; {checked.blocks} blocks, {checked.samples} samples, every CRC and hash fits")


@runs.command()
@click.argument("run")
@OUT
def recover(run: str, out: str) -> None:
    """Copy what is whole in a run to a new run beside it, and say what was lost. The original is never changed."""
    from precision.runs.recover import recover as copy

    click.echo(str(copy(folder_of(run, out))))
