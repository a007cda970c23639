"""`precision compensate` of a volumetric run: what is shown and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from precision.benchmarks.execution import Outcome
    from precision.compensation.formats import Format


def make(outcome: Outcome, name: str, format: Format, *, axis: str | None, options: Mapping[str, Any], file: str | None, force: bool) -> None:
    """Show the proposal; write it to `file`, with FILE.svg and FILE.json, where one is given."""
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

    from precision.benchmarks import volumetric_compensating as compensating
    from precision.cli.compensate import write_all
    from precision.report.terminal import table
    from precision.report.visible_text import visible
    from precision.runs.canonical import dumps

    proposal = compensating.propose(outcome, name, format, axis=axis, options=options)
    console = Console()
    console.print(table(compensating.table_of_signs(proposal)))
    console.print(table(compensating.table_of_states(proposal)))
    console.print(f"format   {proposal.title}", highlight=False)
    console.print(f"holds    {proposal.holds}", highlight=False)
    console.print(f"load     {proposal.load}", highlight=False, markup=False)
    for note in proposal.notes:
        console.print(Text(f"note: {visible(note)}", "yellow"))
    if file is None:
        click.echo("nothing was written; --out FILE writes it")
        return
    target = Path(file)
    write_all(
        {
            target: proposal.text.encode("utf-8"),
            target.with_name(f"{target.name}.svg"): compensating.chart(proposal).svg.encode("utf-8"),
            target.with_name(f"{target.name}.json"): (dumps(compensating.about(outcome, proposal), indent=2) + "\n").encode("ascii"),
        },
        force=force,
    )
