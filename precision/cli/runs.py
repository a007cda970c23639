"""`precision runs`: what has been measured, and whether it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from precision.cli.completion import run_names

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
    # Names are for copying and a status for reading at a glance: neither is cut, whatever the terminal's width leaves for the rest.
    console = Console()
    fixed = [max((len(cell) for cell in cells), default=0) for cells in ([entry.name for entry in shown], [entry.status for entry in shown])]
    room = max(18, console.width - sum(fixed) - 6)
    for title, width in zip(("run", "status", "source", "result"), (*fixed, room // 2 - 1, room - room // 2), strict=True):
        table.add_column(title, overflow="ellipsis", no_wrap=True, min_width=width, max_width=width)
    for entry in shown:
        simulated = "a simulator" if entry.seed is None else f"virtual lab, seed {entry.seed}"
        source = simulated if entry.simulated else visible((entry.origin or "machine").split(" (SHA-256")[0], longest=60)
        said = entry.problem or entry.reason or _headline(Path(out) / entry.name)
        table.add_row(*(Text(cell) for cell in (entry.name, entry.status, source, visible(said.split("\n")[0], longest=120))))
    console.print(table)
    if len(shown) < len(entries):
        click.echo(f"{len(entries) - len(shown)} older runs; --all lists them")


def _headline(folder: Path) -> str:
    """What the run's own result says of its limits; "" where it has none."""
    from precision.errors import DataError
    from precision.regular_file import read_regular
    from precision.runs.canonical import loads

    try:
        verdict = loads(read_regular(folder / "result.json", 1 << 24), "result.json").get("verdict")
        return str(verdict["headline"]) if verdict else "measured, no limits"
    except (DataError, OSError, TypeError, KeyError):
        return ""


@runs.command()
@click.argument("run", default="last", shell_complete=run_names)
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
@click.argument("run", default="last", shell_complete=run_names)
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
@click.argument("run", default="last", shell_complete=run_names)
@OUT
def verify(run: str, out: str) -> None:
    """Check every record, hash and number of a run, and its result and report against its raw data. Exit 6 when something does not fit."""
    from precision.errors import DataError
    from precision.runs.recover import verify_run

    checked = verify_run(folder_of(run, out))
    if checked.problems:
        raise DataError(
            f"{checked.name}: {len(checked.problems)} problems:\n" + "\n".join(f"  {problem}" for problem in checked.problems)
            + f"\n`precision runs recover {checked.name}` copies out what is whole"
        )
    changed = _changed(found(run, out))
    if changed:
        raise DataError(
            f"{checked.name}: the raw data are whole, but {' and '.join(changed)} not what this program makes of them: edited, or written by another version. "
            f"`precision analyze {checked.name}` writes them again"
        )
    click.echo(f"{checked.name}: whole; {checked.blocks} blocks, {checked.samples} samples, every CRC and hash fits; result and report are those of the raw data")


def _changed(run: RunDirectory) -> list[str]:
    """Which of result.json and report.html differ from what the raw data give now."""
    from dataclasses import replace

    from precision.benchmarks.execution import evaluated
    from precision.report.html import html
    from precision.runs.canonical import plain
    from precision.runs.compare import BETWEEN_TIERS, differing_results

    if run.manifest.status == "RUNNING" or run.manifest.procedure == "capture":  # of a mere recording nothing has been made
        return []
    outcome = evaluated(run)
    changed = []
    document = outcome.document
    if run.result_path.exists():
        stored = run.read_result()
        where = str(stored.pop("computed_on", document.provenance.backend))
        expected_result = {key: value for key, value in plain(outcome.result).items() if key != "computed_on"}
        on_gpu = "GPU" in f"{where} {document.provenance.backend}"
        if differing_results(stored, expected_result, relative=BETWEEN_TIERS) if on_gpu else stored != expected_result:
            changed.append("result.json is")
        document = replace(document, provenance=replace(document.provenance, backend=where))
    expected = html(document).encode()
    if run.report_path.exists() and _beginning(run.report_path, len(expected) + 1) != expected:
        changed.append("report.html is")
    return changed


def _beginning(path: Path, number: int) -> bytes:
    from precision.errors import DataError
    from precision.regular_file import open_regular

    try:
        with open_regular(path) as file:
            return file.read(number)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


@runs.command()
@click.argument("run", shell_complete=run_names)
@OUT
def recover(run: str, out: str) -> None:
    """Copy what is whole in a run to a new run beside it, and say what was lost. The original is never changed."""
    from precision.report.visible_text import visible
    from precision.runs.recover import recover as copy

    for line in str(copy(folder_of(run, out))).splitlines():
        click.echo(visible(line))
