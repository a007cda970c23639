"""`precision improve`: measure an axis, correct the controller's table, measure again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from precision.benchmarks.compensating import Proposal


@click.command()
@click.option("--machine", required=True, metavar="ADDRESS", help="linuxcnc://HOST, or linuxcnc://cell?speed=10 for a private one.")
@click.option("--axis", required=True, metavar="AXIS", help="X, Y or Z.")
@click.option("--plan", default="positioning", show_default=True, help="Positioning plan: a ready plan's name or a .toml file.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the plan, for example --set cycle.runs=3.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder that gets the runs.")
@click.option("--restore", "undo", is_flag=True, help="Put back the table that the last improvement of this axis replaced; nothing is measured.")
@click.option("--yes", is_flag=True, help="Do not ask before the machine moves and before the controller is written to.")
def improve(machine: str, axis: str, plan: str, settings: tuple[str, ...], out: str, undo: bool, yes: bool) -> None:
    """Measure an axis, make its compensation table, load it into the controller, restart that, prove that it is in effect, and measure again.

    \b
    precision improve --machine linuxcnc://192.168.0.20 --axis X
    precision improve --machine linuxcnc://192.168.0.20 --axis X --restore

    Asks before the machine moves and before the controller is written to. The old table is kept in the first run's folder.
    """
    from pathlib import Path

    from rich.console import Console

    from precision.benchmarks import comparing, improving
    from precision.benchmarks.machine_address import private
    from precision.report.terminal import table

    console = Console()
    if undo:
        run, text = improving.old_table(Path(out), axis)
        _ask(f"The table of {axis} at {machine} is replaced by that of {run.name}, the controller restarted, and {axis} swept over it. Does the machine stand still, and is the way free?", yes=yes)
        installed = improving.restore(machine, axis, run, text)
        click.echo(f"the table of {axis} that {run.name} was measured with is back; the controller adds it to within {installed.verified.worst_m * 1e9:.3g} nm")
        return
    good, ahead = improving.plan_for(axis, machine, settings, plan=plan)
    yes = yes or private(good.devices)
    low, high = ahead.envelope_m[axis]
    _ask(f"{axis} at {machine} will home and move between {low * 1e3:.3f} and {high * 1e3:.3f} mm. Is the way free, and the emergency stop in reach?", yes=yes)

    def agreed(proposal: Proposal) -> bool:
        from precision.benchmarks import compensating

        console.print(table(compensating.figures_table(proposal)))
        console.print(compensating.worst_sentence(proposal))
        for note in proposal.notes:
            console.print(f"note: {note}", style="yellow", markup=False)
        if yes:
            return True
        return _confirmed(f"Write this table of {proposal.loaded.nominal.size} points to the controller at {machine}, restart it, and sweep {axis} over the table?")

    found = improving.improve(good, Path(out), agreed=agreed, step=lambda what: click.echo(f"{what} ..."))
    verified = found.installed.verified
    click.echo(f"table    in effect: over {verified.cycles} servo cycles the controller adds it to within {verified.worst_m * 1e9:.3g} nm")
    console.print(table(comparing.report_table(found.comparison)))
    for label, outcome in (("before", found.before), ("after", found.after)):
        console.print(f"{label:<8} {outcome.run.path}", markup=False, soft_wrap=True, highlight=False)
    click.echo(f"precision improve --machine {machine} --axis {axis} --restore    puts the old table back")


def _ask(question: str, *, yes: bool) -> None:
    if not yes and not _confirmed(question):
        raise click.Abort()


def _confirmed(question: str) -> bool:
    import sys

    from precision.errors import PlanError

    if not sys.stdin.isatty():
        raise PlanError("a machine would move or a controller be written to, and there is nobody to ask; add --yes")
    return click.confirm(question)
