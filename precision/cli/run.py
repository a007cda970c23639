"""`precision run`: move, measure, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click

from precision.cli.completion import plan_names
from precision.cli.device import DEVICE, computing

if TYPE_CHECKING:
    from rich.console import Console

    from precision.benchmarks.computing import Choice
    from precision.benchmarks.execution import Outcome
    from precision.benchmarks.procedure import Outlook, Plan


@click.command()
@click.argument("plan", shell_complete=plan_names)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the plan, for example --set cycle.runs=3.")
@click.option("--machine", metavar="ADDRESS", help="Run it on the machine at linuxcnc://HOST, with the ready plan's variant for that controller.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the targets' random offsets and of the virtual lab (the same as --set seed=N).")
@click.option("--time-scale", type=click.FloatRange(0), help="Virtual lab: lab seconds per second; 0 as fast as possible, 1 in real time.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder that gets the run directory.")
@click.option("--dry-run", is_flag=True, help="Print the plan and every target; connect to nothing and move nothing.")
@click.option("--sync", default="block", show_default=True, metavar="block|TIME",
              help="When readings are forced to the disk: after each block, or at most TIME apart (for SD cards), for example 1s.")  # fmt: skip
@DEVICE
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run of this plan (name, path or 'last'), in a new run directory.")
@click.option("--fix", "fixes", multiple=True, metavar="ERROR", help="Also say what would remain without this error (circular: backlash_x, squareness ...).")
@click.option("--yes", is_flag=True, help="Do not ask before a real machine moves.")
def run(
    plan: str, settings: tuple[str, ...], machine: str | None, seed: int | None, time_scale: float | None, out: str, dry_run: bool, sync: str, device: Choice, resume: str | None,
    fixes: tuple[str, ...], yes: bool,
) -> None:
    """Run PLAN: a ready plan's name (precision plan list) or a .toml file.

    \b
    precision run positioning                     on the virtual machine, no hardware
    precision run positioning --seed 7 --dry-run  what would be done
    precision run my-axis.toml                    on your machine; asks before it moves
    precision run my-axis.toml --resume last      homes, finds the last target again, goes on after it

    Exit codes: 0 within limits (or no limits), 1 out of limits or undecided, 2 wrong plan, 3 device fault, 5 stopped for safety,
    6 bad data, 130 stopped by Ctrl-C, 143 by SIGTERM (machine at standstill, data kept).

    None of this replaces a hardware emergency stop.
    """
    from pathlib import Path

    from rich.console import Console

    from precision.benchmarks.plan_files import runnable

    extra = [*settings]
    if machine is not None:
        from precision.benchmarks.machine_address import at_machine

        plan, found_there = at_machine(plan, machine)
        extra = [*found_there, *extra]
    if seed is not None:
        extra.append(f"seed={seed}")
    if time_scale is not None:
        extra.append(f"simulation.time_scale={time_scale!r}")
    extra += fix_settings(fixes)
    pace = _sync(sync)
    good, ahead = runnable(plan, extra)
    first = None
    if resume is not None:
        from precision.benchmarks.execution import first_part
        from precision.benchmarks.procedure import procedure_named
        from precision.cli.runs import found

        first = found(resume, out)
        known = first_part(procedure_named(good.procedure), good, first)
    console = Console()
    _print_plan(console, good, ahead)
    if first is not None:
        console.print(f"resume  {known.sentence}", markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        console.print()
        for line in ahead.details:
            console.print(line, highlight=False, markup=False)
        console.print("dry run: nothing was connected and nothing moved", highlight=False)
        return
    from precision.benchmarks.machine_address import private

    if ahead.envelope_m and not good.devices.simulated and not private(good.devices) and not yes:
        _ask(good, ahead)

    from precision.benchmarks.execution import execute

    with progress_line(console, ahead) as progress:
        with computing(device):
            outcome = execute(good, Path(out), sync=pace, progress=progress, resume=first, remark=_remark)
    finish(outcome)


def _remark(sentence: str) -> None:
    from precision.report.visible_text import visible

    click.echo(f"note: {visible(sentence)}", err=True)


def fix_settings(fixes: tuple[str, ...]) -> list[str]:
    """`--fix` as a setting of the plan: `evaluation.fix`, of a procedure that has it."""
    import json

    return [f"evaluation.fix={json.dumps(list(fixes))}"] if fixes else []


def _sync(text: str) -> float | Literal["block"]:
    from precision import units
    from precision.errors import PlanError

    if text == "block":
        return "block"
    try:
        seconds = units.quantity(text, "time")
        if not 0 < seconds <= 60:
            raise ValueError(f"{text} is not between 0 and 60 s")
    except ValueError as error:
        raise PlanError(f"--sync: {error}; give block, or a time such as 1s") from error
    return seconds


def finish(outcome: Outcome) -> None:
    """Print the table of results and where everything is; leave with 1 unless the verdict is "conforms" or there is no limit."""
    from rich.console import Console

    from precision.errors import OUT_OF_LIMITS
    from precision.report.decision import Outcome as Decided
    from precision.report.terminal import summary

    console = Console()
    console.print()
    console.print(summary(outcome.document))
    console.print(f"run     {outcome.run.path}", markup=False, soft_wrap=True, highlight=False)
    console.print(f"report  {outcome.report or outcome.run.report_path}", markup=False, soft_wrap=True, highlight=False)
    verdict = outcome.document.verdict
    if verdict is not None and verdict.outcome is not Decided.CONFORMS:
        click.get_current_context().exit(OUT_OF_LIMITS)


def _print_plan(console: Console, plan: Plan, ahead: Outlook) -> None:
    from rich.table import Table
    from rich.text import Text

    from precision.report.visible_text import visible

    devices = plan.devices.by_role
    machine = devices.get("controller", next(iter(devices.values())))
    where = "virtual lab" if plan.devices.simulated else f"{machine.driver} at {machine.address}"
    pace = ""
    if plan.devices.simulated:
        scale = plan.simulation.time_scale
        pace = " (simulated as fast as this computer allows)" if scale == 0 else f" (simulated {scale:g} times as fast)"
    minutes, seconds = divmod(round(ahead.duration_s), 60)
    table = Table.grid(padding=(0, 2))
    for label, value in (
        ("plan", plan.title),
        ("machine", where),
        *ahead.lines,
        ("devices", "; ".join(f"{role} {device.driver} at {device.address}" for role, device in devices.items())),
        *([("uncertainty", ahead.uncertainty)] if ahead.uncertainty else []),
        ("seed", str(plan.seed)),
        ("expected time", f"{minutes} min {seconds:02d} s on the machine{pace}"),
    ):
        table.add_row(Text(label, "dim"), Text(visible(value)))
    console.print(table)
    for remark in ahead.remarks:
        console.print(Text(f"note: {remark}", "yellow"))


def _ask(plan: Plan, ahead: Outlook) -> None:
    import sys

    from precision.errors import PlanError

    if not sys.stdin.isatty():
        raise PlanError("a real machine would move, and there is nobody to ask; check with --dry-run, then add --yes")
    machine = plan.devices.by_role.get("controller")
    ways = [f"{low * 1e3:.3f} and {high * 1e3:.3f} mm" for low, high in ahead.envelope_m.values()]
    where = ways[0] if len(ways) == 1 else "; ".join(f"{axis} {way}" for axis, way in zip(ahead.envelope_m, ways, strict=True))
    click.confirm(
        f"{', '.join(ahead.envelope_m)} of the machine{f' at {machine.address}' if machine else ''} will home and then move between {where}. "
        "Is the way free, and the emergency stop in reach?",
        abort=True,
    )


@contextmanager
def progress_line(console: Console, ahead: Outlook) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on a terminal; elsewhere one line a round."""
    if console.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TextColumn("points, left"), TimeRemainingColumn(), TextColumn("elapsed"), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("measuring", total=ahead.points)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    import time

    began, said = 0.0, -1

    def line(done: int, total: int) -> None:
        nonlocal said, began
        began = began or time.monotonic()
        run = done * ahead.rounds // total
        if run > said and done:
            said = run
            left = (time.monotonic() - began) / done * (total - done) if done else None
            ending = f", about {left:.0f} s left" if left is not None and done < total else ""
            click.echo(f"measuring: {done} of {total} points{ending}")

    yield line
