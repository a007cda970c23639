"""`precision import`: files of error parameters from measuring systems and controllers."""

from __future__ import annotations

import click


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--format", "form", type=click.Choice(["etalon", "isg-csv"]), help="Of FILE; recognised where it is left out.")
@click.option("--chain", metavar="CHAIN", help="From workpiece to tool, F the frame, for example XYFZ: then what the errors add up to is worked out.")
@click.option("--tool", nargs=3, default=("0 mm", "0 mm", "0 mm"), show_default=True, metavar="X Y Z", help="Tool offset for that.")
@click.option(
    "--report", "-o", "report", metavar="FILE", type=click.Path(dir_okay=False), help="Write a report with charts: .html, .md, .json or .csv."
)
@click.option("--plot", metavar="FILE", type=click.Path(dir_okay=False), help="Write the charts as SVG: FILE-1.svg, FILE-2.svg …")
@click.option(
    "--to", "target", metavar="FORMAT", help="Write the errors in another format: etalon, isg-csv, linuxcnc-volumetric, or a table of one axis (linuxcnc, sinumerik …)."
)
@click.option("--axis", type=click.Choice(["X", "Y", "Z"]), help="Whose table, for a format of single axes.")
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="File for --to; without it the text is printed.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Of the format of --to, for example machine_axis=X1.")
@click.option("--experimental", is_flag=True, help="Write a format whose sign or header is not confirmed.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def import_(
    file: str, form: str | None, chain: str | None, tool: tuple[str, str, str], report: str | None, plot: str | None, target: str | None, axis: str | None,
    out: str | None, options: tuple[str, ...], experimental: bool, force: bool,
) -> None:  # fmt: skip
    """Read FILE, error parameters in the Etalon exchange format or as ISG CSV; show, draw and convert them.

    \b
    precision import machine.etalon                             what is in it
    precision import machine.etalon --chain XYFZ --report m.html   what it does to the tool
    precision import machine.etalon --to isg-csv --out machine.csv
    precision import machine.etalon --chain XYFZ --to linuxcnc --axis X --out x.comp

    Errors are actual minus nominal. Recordings (CSV, controller logs) are read by `precision analyze`.
    """
    from pathlib import Path

    from rich.console import Console

    from precision import units
    from precision.benchmarks import error_files
    from precision.cli.compensate import write_all
    from precision.compensation.formats import format_named
    from precision.errors import DataError, PlanError
    from precision.report.terminal import table
    from precision.report.writers import write

    try:
        x, y, z = (units.quantity(text, "length") for text in tool)
    except ValueError as error:
        raise PlanError(f"--tool: {error}") from error
    if out is not None and target is None:
        raise PlanError("--out: which format? Give --to, for example --to isg-csv")
    opened = error_files.open_file(Path(file), format=form, chain=chain)
    console = Console()
    console.print(table(error_files.contents(opened)))
    console.print(f"format   {opened.format}", highlight=False)
    if opened.missing:
        console.print(f"missing  {', '.join(opened.missing)}: taken as zero", highlight=False)
    if opened.machine is None:
        console.print(f"volume   not worked out: {opened.why}; give --chain", highlight=False)
    else:
        click.echo(str(error_files.error_map(opened, (x, y, z))))
    if target is not None:
        format = format_named(target)
        if format.experimental and not experimental:
            raise PlanError(
                f"{format.title}: {format.experimental}; nothing was written. Give --experimental to write it all the same, and verify it on the machine"
            )
        text = error_files.converted(opened, target, format, axis=axis, options=format.parsed(options), tool_m=(x, y, z), chain=chain)
        if out is None:
            click.echo(text, nl=False)
        else:
            write_all({Path(out): text.encode("utf-8")}, force=force)
    if plot is not None:
        base = Path(plot)
        stem = base.with_suffix("") if base.suffix == ".svg" else base
        write_all(
            {stem.with_name(f"{stem.name}-{k}.svg"): one.svg.encode("utf-8") for k, one in enumerate(error_files.charts(opened, (x, y, z)), 1)},
            force=force,
        )
    if report is not None:
        if Path(report).exists() and not force:
            raise DataError(f"{report}: there already; give --force to replace it")
        try:
            for path in write(error_files.document(opened, (x, y, z)), Path(report)):
                click.echo(f"wrote    {path}")
        except OSError as error:
            raise DataError(f"{report}: cannot be written ({error.strerror}); give another file with --report") from error
