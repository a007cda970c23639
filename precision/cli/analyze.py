"""`precision analyze`: a recording becomes a run and a report; a run is evaluated again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from precision.cli.completion import run_names
from precision.cli.device import DEVICE, computing
from precision.standards.positioning_standards import STANDARDS

if TYPE_CHECKING:
    from pathlib import Path

    from precision.benchmarks.computing import Choice
    from precision.benchmarks.execution import Outcome
    from precision.benchmarks.procedure import Procedure


@click.command()
@click.argument("file", shell_complete=run_names)
@click.option(
    "--standard", metavar="NAME", help=f"Evaluate after this standard ({', '.join(STANDARDS)}); all: side by side."
)
@click.option("--unit", metavar="UNIT", help="Unit of columns whose name states none: mm, µm, in, deg ...")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Map a column: target, actual, deviation, direction or run.")
@click.option("--plan", metavar="PLAN", help="Take machine, limits and uncertainty from this plan (name or .toml).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help='Change a value, for example --set limits.A="20 µm".')
@click.option("--fix", "fixes", multiple=True, metavar="ERROR", help="Also say what would remain without this error (circular: backlash_x, squareness ...).")
@click.option("--as", "procedure", metavar="PROCEDURE", help="Read FILE for this procedure (precision plan procedures); by default the one of --plan, or what the file holds.")
@click.option("--resample", is_flag=True, help="Bring the uneven samples of a log to even steps; the same as --set evaluation.resample=true.")
@DEVICE
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def analyze(
    file: str, standard: str | None, unit: str | None, columns: tuple[str, ...], plan: str | None, settings: tuple[str, ...], fixes: tuple[str, ...],
    procedure: str | None, resample: bool, device: Choice, out: str
) -> None:
    """Evaluate FILE, a CSV of readings, or a run (its name, a part of it, its folder, or "last").

    \b
    precision analyze readings.csv --unit mm
    precision analyze readings.csv --set limits.A="20 µm" --set machine.serial_number=4711
    precision analyze last --standard vdi3441
    precision analyze mill.b5r --fix backlash_x
    precision analyze log.csv --as scan-quality --plan scan-quality

    A CSV has one row an approach, with the columns run, direction (+ or -), target and actual (or deviation), units in the names:

    \b
    # axis: X
    run,direction,target_mm,actual_mm
    1,+,100.000,100.0012

    Semicolons and decimal commas are understood. Recognised by their content: Renishaw .rtl (experimental), ecmc ISO 230-2 .dat, LinuxCNC stops and servo
    recordings (.csv, .csv.gz). Raw data are never changed.
    """
    import os
    from pathlib import Path

    from precision.benchmarks.execution import evaluate
    from precision.cli.run import finish, fix_settings
    from precision.errors import DataError, PlanError

    settings = (*settings, *fix_settings(fixes))
    settings = (*settings, *(["evaluation.resample=true"] if resample else []))
    mapping = {}
    for column in columns:
        ours, equals, theirs = column.partition("=")
        if not equals:
            raise PlanError(f"--column {column!r}: write OURS=THEIRS, for example --column target=Soll")
        mapping[ours.strip()] = theirs.strip()
    path = Path(file)
    if os.path.isfile(path):
        chosen = _procedure_of(path, procedure, plan)
        if chosen.read_file is None:
            raise PlanError(f"{file}: {chosen.name} reads no files; its runs are made by `precision run`")
        _refuse_unknown_standard(standard, chosen)
        own = () if standard in (None, "all") else (f"evaluation.standard={standard}",)
        run = chosen.read_file(path, Path(out), plan=plan, settings=(*own, *settings), unit=unit, columns=mapping)
        settings, another = (), None
    else:
        from precision.cli.runs import found

        if path.suffix.lower() in {".csv", ".tsv", ".txt", ".dat", ".rtl", ".rtx", ".b5r"}:
            raise DataError(f"{file}: there is no such file")
        if plan or mapping or unit or procedure:
            raise PlanError(f"{file}: --plan, --unit, --column and --as are for files; a run has its own plan (change it with --set)")
        run, another = found(file, out), None if standard == "all" else standard
    with computing(device):
        outcome = evaluate(run, settings=settings, standard=another)
    finish(_side_by_side(outcome) if standard == "all" else outcome)


def _procedure_of(path: Path, named: str | None, plan: str | None) -> Procedure[Any, Any]:
    """Whose recording a file is: as the person says, as the plan says, or as the file begins."""
    from precision.benchmarks.plan_files import read_plan
    from precision.benchmarks.procedure import procedure_named
    from precision.drivers.files.recognise import recognised

    if named is None and plan is not None:
        named = read_plan(plan)[0].get("procedure", "positioning")
    if named is None:
        kind = recognised(path)
        named = "positioning" if kind is None else kind.procedure
    return procedure_named(named)


def _refuse_unknown_standard(standard: str | None, procedure: Procedure[Any, Any]) -> None:
    from precision.errors import PlanError

    allowed = (*procedure.standards, *(["all"] if procedure.side_by_side else []))
    if standard is not None and standard not in allowed:
        ways = f"can be evaluated after {', '.join(allowed)}" if allowed else "has one evaluation; leave --standard out"
        raise PlanError(f"--standard {standard[:40]!r}: {procedure.name} {ways}")


def _side_by_side(outcome: Outcome) -> Outcome:
    """Print the figures after every standard, and put them into a report of their own."""
    from dataclasses import replace

    from rich.console import Console

    from precision.benchmarks.procedure import procedure_named
    from precision.errors import PlanError
    from precision.report.terminal import table
    from precision.report.writers import write

    procedure = procedure_named(outcome.plan.procedure)
    if procedure.side_by_side is None:
        raise PlanError(f"--standard all: {procedure.name} has one evaluation; leave --standard out")
    compared = procedure.side_by_side(outcome.plan, outcome.readings)
    Console().print(table(compared))
    document = replace(outcome.document, tables=(compared, *outcome.document.tables))
    report = outcome.run.path / "report-all-standards.html"
    write(document, report)
    return replace(outcome, evaluation=replace(outcome.evaluation, document=document), report=report)
