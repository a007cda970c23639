"""`precision compensate`: the table that a controller loads, from a positioning test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from precision.benchmarks.compensating import Proposal
    from precision.recording import Kind


@click.command()
@click.argument("run", default="last")
@click.option("--for", "controller", required=True, metavar="FORMAT", help="linuxcnc, linuxcnc-type1, linuxcnc-volumetric, sinumerik, sinumerik-cec, fanuc, heidenhain, twincat, etalon, isg-csv, pmac, grblhal; klipper (skew, from a squareness or diagonal run).")
@click.option("--out", "-o", "file", metavar="FILE", type=click.Path(dir_okay=False), help="File to write; without it the table is only shown.")
@click.option("--averaged/--bidirectional", "averaged", default=None, help="One correction for both directions, or one each; by default as the format can.")
@click.option("--spacing", metavar="LENGTH", help="Points at equal distances, for example 25mm.")
@click.option("--tolerance", metavar="LENGTH", help="As few points as keep the interpolation within this, for example 0.5µm.")
@click.option("--reference", metavar="LENGTH", help="Position in the controller's coordinates where the correction is 0.")
@click.option("--offset", metavar="LENGTH", help="Where the run's zero is in the controller's coordinates; 0 by default.")
@click.option("--onto", type=click.Path(exists=True, dir_okay=False), help="The table that was active during the run, in the same format: it is added.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Of the format, for example machine_axis=X1, pulse=1µm.")
@click.option("--axis", type=click.Choice(["X", "Y", "Z"]), help="Of a volumetric run, in a format of single axes: whose table.")
@click.option("--experimental", is_flag=True, help="Write a format whose sign or header is not confirmed.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--runs", "folder", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def compensate(
    run: str, controller: str, file: str | None, averaged: bool | None, spacing: str | None, tolerance: str | None, reference: str | None, offset: str | None,
    onto: str | None, options: tuple[str, ...], axis: str | None, experimental: bool, force: bool, folder: str,
) -> None:  # fmt: skip
    """Make the compensation table of the axis that RUN (name, part of a name, folder, or "last") has measured, in a controller's format.

    \b
    precision compensate last --for linuxcnc                 show what the controller would add
    precision compensate last --for linuxcnc --out x.comp         and write it
    precision compensate last --for sinumerik --out x.ini --spacing 25mm
    precision compensate last --for etalon --out machine.etalon   all 21 errors, of a volumetric run
    precision compensate last --for linuxcnc-volumetric --out machine.map     the same, for LinuxCNC

    The sign is said in words: deviation = actual − target; the controller adds the opposite. The file is read back before it is written, and the
    prediction is made with what was read. Beside FILE stand FILE.svg (measured and predicted) and FILE.json (where it comes from).

    Nothing is sent to a controller. Keep its old table, and measure again after loading the new one.
    """
    from pathlib import Path

    from rich.console import Console

    from precision.benchmarks import compensating
    from precision.benchmarks.execution import evaluated
    from precision.cli.runs import found
    from precision.compensation.formats import VOLUMETRIC, format_named
    from precision.compensation.lines import text_of
    from precision.errors import PlanError

    if controller == "klipper":
        from precision.cli import compensate_skew

        compensate_skew.make(evaluated(found(run, folder)), file=file, force=force)
        return
    chosen = format_named(controller)
    if file is not None and chosen.experimental and not experimental:
        raise PlanError(f"{chosen.title}: {chosen.experimental}; nothing was written. Give --experimental to write it all the same, and verify it on the machine")
    parsed = chosen.parsed(options)
    outcome = evaluated(found(run, folder))
    if outcome.run.manifest.procedure in ("volumetric", "lines-21"):
        from precision.cli import compensate_volume

        given = {"--averaged": averaged, "--spacing": spacing, "--tolerance": tolerance, "--reference": reference, "--offset": offset, "--onto": onto}
        if unused := [name for name, value in given.items() if value is not None]:
            raise PlanError(f"{', '.join(unused)}: of no use for a run of all errors; its tables stand at the nodes of the errors")
        compensate_volume.make(outcome, controller, chosen, axis=axis, options=parsed, file=file, force=force)
        return
    if controller in VOLUMETRIC:
        raise PlanError(f"{chosen.title}: holds the errors of a whole volume; {outcome.run.name} measured {outcome.run.manifest.procedure}. Measure with `precision run volumetric` or `lines-21`")
    if axis is not None:
        raise PlanError(f"--axis: {outcome.run.name} measured one axis; leave it out")
    recording = compensating.analysis_of(outcome).recording
    kind = recording.kind
    wishes = compensating.Wishes(
        averaged=averaged, options=parsed, spacing=_extent("--spacing", spacing, kind, positive=True), tolerance=_extent("--tolerance", tolerance, kind, positive=True),
        reference=_extent("--reference", reference, kind), offset=_extent("--offset", offset, kind) or 0.0,
        onto=None if onto is None else chosen.read(text_of(Path(onto)), axis=recording.axis, kind=kind, options=parsed),
    )  # fmt: skip
    proposal = compensating.propose(outcome, controller, chosen, wishes)
    _show(Console(), proposal)
    if file is None:
        click.echo("nothing was written; --out FILE writes the table")
        return
    target = Path(file)
    drawing = target.with_name(f"{target.name}.svg")
    metadata = target.with_name(f"{target.name}.json")
    from precision.runs.canonical import dumps

    write_all(
        {
            target: proposal.text.encode("utf-8"),
            drawing: compensating.chart(proposal).svg.encode("utf-8"),
            metadata: (dumps(compensating.about(outcome, proposal, wishes), indent=2) + "\n").encode("ascii"),
        },
        force=force,
    )


def _extent(option: str, text: str | None, kind: Kind, *, positive: bool = False) -> float | None:
    """A length or an angle, as the axis needs it, in SI."""
    from precision import units
    from precision.errors import PlanError

    if text is None:
        return None
    try:
        value = units.quantity(text, "length" if kind == "linear" else "angle")
        if positive and value <= 0:
            raise ValueError(f"{text} is not above 0")
    except ValueError as error:
        raise PlanError(f"{option}: {error}") from error
    return value


def _show(console: Any, proposal: Proposal) -> None:
    from rich.text import Text

    from precision import units
    from precision.benchmarks import compensating
    from precision.report.terminal import table
    from precision.report.visible_text import visible

    console.print(table(compensating.report_table(proposal)))
    console.print(Text(compensating.worst_sentence(proposal), "bold"))
    console.print()
    console.print(table(compensating.figures_table(proposal)))
    loaded, unit = proposal.loaded, proposal.loaded.unit
    spacing = loaded.spacing
    points = f"{loaded.nominal.size} points" + (f", every {units.text(spacing, unit)}" if spacing and proposal.format.spacing == "even" else "")
    console.print(f"format   {proposal.format.title}", highlight=False)
    console.print(f"table    {points}; interpolation within {units.text(proposal.interpolation, unit, digits=2)}; {'averaged' if loaded.averaged else 'one for each direction'}", highlight=False)
    console.print(f"holds    {proposal.format.file_holds}", highlight=False)
    console.print(f"load     {proposal.format.load}", highlight=False, markup=False)
    for note in proposal.notes:
        console.print(Text(f"note: {visible(note)}", "yellow"))


def write_all(files: dict[Path, bytes], *, force: bool) -> None:
    """All files, each whole or not there; none where one would be replaced without `force`."""
    from precision.errors import DataError
    from precision.runs import durable

    there = [path for path in files if path.exists()]
    if there and not force:
        raise DataError(f"{', '.join(str(path) for path in there)}: there already; nothing was written. Keep the old table, or give --force to replace it")
    for path, data in files.items():
        try:
            durable.replace(path, data)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}); give another file with --out") from error
        click.echo(f"wrote    {path}")
