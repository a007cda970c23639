"""`precision reproduce`: the same plan and seed again, every number compared."""

from __future__ import annotations

import math
from typing import Any

import click

from precision.cli.completion import run_names


class Finite(click.FloatRange):
    """A number in a range; neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@click.command()
@click.argument("run", default="last", shell_complete=run_names)
@click.option("--tolerance", type=Finite(0), default=0.0, show_default=True,
              help="Relative tolerance of results, for a run from another computer; 0 compares bit for bit.")  # fmt: skip
@click.option("--time-scale", type=Finite(0, 1e6), help="Run the virtual lab at another speed; the readings must not care.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def reproduce(run: str, tolerance: float, time_scale: float | None, out: str) -> None:
    """Run the plan and seed of RUN again on the virtual lab and compare every reading and every result; print what differs.

    The second run is kept in the folder "reproductions" among the runs.

    Exit 0 when nothing differs, 1 otherwise. Wall-clock stamps are not compared.
    """
    from pathlib import Path

    from rich.console import Console

    from precision.benchmarks.execution import execute, plan_of
    from precision.benchmarks.procedure import procedure_named
    from precision.cli.run import progress_line
    from precision.cli.runs import found
    from precision.errors import OUT_OF_LIMITS, DataError
    from precision.runs.compare import difference

    first = found(run, out)
    plan = plan_of(first)
    preview = procedure_named(plan.procedure).preview
    if preview is None or not first.manifest.simulated:
        raise DataError(f"{first.name} was not measured on the virtual lab; a real machine cannot be made to repeat its readings. Measure again and compare the reports.")
    if first.manifest.status != "COMPLETE":
        raise DataError(f"{first.name} is {first.manifest.status}; only a complete run can be reproduced")
    if first.manifest.origin is not None:
        raise DataError(f"{first.name} was resumed after an interruption ({first.manifest.origin}); what happened between its parts cannot be repeated")
    first.readings()  # damaged ones are refused before the machine is run again
    if time_scale is not None:
        plan = plan.model_copy(update={"simulation": plan.simulation.model_copy(update={"time_scale": time_scale})})
    with progress_line(Console(), preview(plan)) as progress:
        second = execute(plan, Path(out) / "reproductions", progress=progress)
    found_differences = difference(first, second.run, relative=tolerance, ignored_sections=() if time_scale is None else ("simulation",))
    click.echo(str(found_differences))
    if not found_differences.identical:
        click.get_current_context().exit(OUT_OF_LIMITS)
