"""`precision run`: move, measure, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click

from precision.cli.completion import plan_names

if TYPE_CHECKING:
    from rich.console import Console

    from precision.benchmarks.execution import Outcome
    from precision.benchmarks.positioning import Preview
    from precision.benchmarks.positioning_plan import Parameters


@click.command()
@click.argument("plan", shell_complete=plan_names)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the plan, for example --set cycle.runs=3.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the targets' random offsets and of the virtual lab (the same as --set seed=N).")
@click.option("--time-scale", type=click.FloatRange(0), help="Virtual lab: lab seconds per second; 0 as fast as possible, 1 in real time.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder that gets the run directory.")
@click.option("--dry-run", is_flag=True, help="Print the plan and every target; connect to nothing and move nothing.")
@click.option("--sync", default="block", show_default=True, metavar="block|TIME",
              help="When readings are forced to the disk: after each block, or at most TIME apart (for SD cards), for example 1s.")  # fmt: skip
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run of this plan (name, path or 'last'), in a new run directory.")
@click.option("--yes", is_flag=True, help="Do not ask before a real machine moves.")
def run(
    plan: str, settings: tuple[str, ...], seed: int | None, time_scale: float | None, out: str, dry_run: bool, sync: str, resume: str | None, yes: bool
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

    from precision.benchmarks.plan_files import checked
    from precision.benchmarks.positioning import preview
    from precision.benchmarks.positioning_plan import Parameters
    from precision.errors import PlanError

    extra = [*settings]
    if seed is not None:
        extra.append(f"seed={seed}")
    if time_scale is not None:
        extra.append(f"simulation.time_scale={time_scale!r}")
    pace = _sync(sync)
    good = checked(plan, extra)
    if not isinstance(good, Parameters):
        raise PlanError(f"{plan}: procedure {getattr(good, 'procedure', '?')!r} cannot be run by this command")
    ahead = preview(good)
    first = None
    if resume is not None:
        from precision.benchmarks.positioning_resumption import first_part
        from precision.cli.runs import found

        first = found(resume, out)
        known = first_part(good, first)
    console = Console()
    _print_plan(console, good, ahead)
    if first is not None:
        console.print(
            f"resume  {first.name} after {known.done} of {len(ahead.approaches)} points, once its last target is found again within {good.cycle.resume_tolerance * 1e6:g} µm",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if dry_run:
        _print_targets(console, good, ahead)
        return
    if not good.devices.simulated and not yes:
        _ask(good, ahead)

    from precision.benchmarks.execution import execute

    with progress_line(console, good.cycle.runs, len(ahead.approaches)) as progress:
        outcome = execute(good, Path(out), sync=pace, progress=progress, resume=first)
    finish(outcome)


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


def _print_plan(console: Console, plan: Parameters, ahead: Preview) -> None:
    from rich.table import Table
    from rich.text import Text

    from precision.benchmarks.positioning_plan import LENGTH_CONTRIBUTORS
    from precision.report.visible_text import visible

    where = "virtual lab" if plan.devices.simulated else f"{plan.devices.controller.driver} at {plan.devices.controller.address}"
    pace = ""
    if plan.devices.simulated:
        scale = plan.simulation.time_scale
        pace = " (simulated as fast as this computer allows)" if scale == 0 else f" (simulated {scale:g} times as fast)"
    minutes, seconds = divmod(round(ahead.duration_s), 60)
    table = Table.grid(padding=(0, 2))
    for label, value in (
        ("plan", plan.title),
        ("machine", where),
        ("axis", f"{plan.axis.name}, {ahead.target_m[0] * 1e3:.3f} … {ahead.target_m[-1] * 1e3:.3f} mm at {plan.axis.feed * 60e3:g} mm/min"),
        ("cycle", f"{plan.cycle.type} cycle: {ahead.target_m.size} targets × {plan.cycle.runs} runs × 2 directions = {len(ahead.approaches)} points"),
        ("envelope", f"{ahead.lowest_m * 1e3:.3f} … {ahead.highest_m * 1e3:.3f} mm with overshoot; checked against the controller's soft limits before motion"),
        ("each point", f"dwell {plan.cycle.dwell:g} s, settling within {plan.cycle.settling_tolerance * 1e6:g} µm, averaged over {plan.cycle.averaging:g} s"),
        ("standard", plan.evaluation.standard),
        ("instrument", f"axis {plan.instrument.axis}, sign {plan.instrument.sign}, {plan.instrument.vacuum_wavelength * 1e9:.8g} nm, dead path {plan.instrument.dead_path * 1e3:g} mm"),
        ("devices", "; ".join(f"{role} {device.driver} at {device.address}" for role, device in (
            ("controller", plan.devices.controller), ("interferometer", plan.devices.interferometer), ("environment", plan.devices.environment)))),
        ("uncertainty", "stated" if not (lacking := [k for k in LENGTH_CONTRIBUTORS if getattr(plan.uncertainty, k) is None]) else f"not stated: {', '.join(lacking)}"),
        ("seed", str(plan.seed)),
        ("expected time", f"{minutes} min {seconds:02d} s on the machine{pace}"),
    ):
        table.add_row(Text(label, "dim"), Text(visible(value)))
    console.print(table)
    for remark in ahead.remarks:
        console.print(Text(f"note: {remark}", "yellow"))


def _print_targets(console: Console, plan: Parameters, ahead: Preview) -> None:
    console.print()
    for i, target in enumerate(ahead.target_m, 1):
        console.print(f"target {i:>4}  {target * 1e3:12.4f} mm", highlight=False)
    order = "up, then down" if plan.cycle.type == "standard" else "each target up and down before the next"
    console.print(f"order: {order}; {plan.cycle.runs} runs; overshoot {plan.cycle.overshoot * 1e3:g} mm before each reversal", highlight=False)
    console.print("dry run: nothing was connected and nothing moved")


def _ask(plan: Parameters, ahead: Preview) -> None:
    import sys

    from precision.errors import PlanError

    if not sys.stdin.isatty():
        raise PlanError("a real machine would move, and there is nobody to ask; check with --dry-run, then add --yes")
    click.confirm(
        f"{plan.axis.name} of the machine at {plan.devices.controller.address} will home and then move between {ahead.lowest_m * 1e3:.3f} and "
        f"{ahead.highest_m * 1e3:.3f} mm. Is the way free, and the emergency stop in reach?",
        abort=True,
    )


@contextmanager
def progress_line(console: Console, runs: int, points: int) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on a terminal; elsewhere one line a run."""
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
            task = bar.add_task("measuring", total=points)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    import time

    began, said = 0.0, -1

    def line(done: int, total: int) -> None:
        nonlocal said, began
        began = began or time.monotonic()
        run = done * runs // total
        if run > said and done:
            said = run
            left = (time.monotonic() - began) / done * (total - done) if done else None
            ending = f", about {left:.0f} s left" if left is not None and done < total else ""
            click.echo(f"measuring: {done} of {total} points{ending}")

    yield line
