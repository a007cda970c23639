"""`precision compare`: two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from precision.cli.device import DEVICE, computing

if TYPE_CHECKING:
    from precision.benchmarks.computing import Choice


@click.command()
@click.argument("before")
@click.argument("after", default="last")
@click.option("--fail-worse", is_flag=True, help="Exit with 1 when a figure is worse by more than U, or can no longer be evaluated.")
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="Judge only these with --fail-worse: A, E, M, R, B, A_up, ... (default A, E, M, R, B).")
@click.option("--out", "-o", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write the comparison with its chart: .html, .pdf, .md, .json, .csv, .xlsx or .xml (JUnit).")
@DEVICE
@click.option("--runs", "folder", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def compare(before: str, after: str, fail_worse: bool, figures: tuple[str, ...], file: str | None, device: Choice, folder: str) -> None:
    """Compare the runs BEFORE and AFTER (names, parts of names, folders, or "last"): figures, their difference with its U, and the ratio.

    \b
    precision compare 2026-11-23T1015 last
    precision compare BEFORE AFTER --fail-worse --figure E --out after-repair.html

    "Worse" and "better" are said only of a difference larger than its U (k = 2). Exit 0, or 1 with --fail-worse when a figure is worse.
    """
    from dataclasses import replace
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

    from precision.benchmarks import comparing_figures
    from precision.benchmarks.execution import evaluated
    from precision.benchmarks.procedure import procedure_named
    from precision.cli.runs import found
    from precision.errors import OUT_OF_LIMITS, DataError, PlanError
    from precision.report.terminal import table
    from precision.report.visible_text import visible
    from precision.report.writers import write

    with computing(device) as used:
        first, second = evaluated(found(before, folder)), evaluated(found(after, folder))
        own = procedure_named(first.plan.procedure).compare if first.plan.procedure == second.plan.procedure else None
        comparison = (own or comparing_figures.compare)(first, second)
    report = replace(comparison.document, provenance=replace(comparison.document.provenance, backend="; ".join(used.tiers) or None))
    unknown = [name for name in figures if name not in comparison.changes]
    if unknown:
        raise PlanError(f"--figure {unknown[0]}: there is no such figure; there are {', '.join(comparison.changes)}")
    console = Console()
    console.print(table(comparison.table))
    for label, one in (("before", first), ("after", second)):
        console.print(f"{label:<8} {one.run.path}", markup=False, soft_wrap=True, highlight=False)
    for note in comparison.notes:
        console.print(Text(f"note: {visible(note)}", "yellow"))
    for change in comparison.changes.values():
        if change.reason:
            console.print(Text(visible(f"{change.before.symbol}: {change.reason}"), "dim"))
    if file is not None:
        try:
            for path in write(report, Path(file)):
                click.echo(f"wrote    {path}")
        except OSError as error:
            raise DataError(f"{file}: cannot be written ({error.strerror}); give another file with --out") from error
    worse = comparing_figures.worse(comparison.changes, figures or comparison.judged)
    if fail_worse and worse:
        click.echo(f"worse, or no longer evaluated: {', '.join(comparison.changes[key].before.symbol for key in worse)}", err=True)
        click.get_current_context().exit(OUT_OF_LIMITS)
