"""`precision export`: a run's raw data in the formats that other programs open."""

from __future__ import annotations

import click

from precision.cli.completion import run_names

SUFFIXES = {"hdf5": ".h5", "parquet": ".parquet", "csv": ".csv", "mat": ".mat", "xlsx": ".xlsx"}


@click.command()
@click.argument("run", default="last", shell_complete=run_names)
@click.option("--to", "form", type=click.Choice(list(SUFFIXES)), required=True, help="Format.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="File to write; beside the run's raw data by default.")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="Decimal mark of CSV.")
@click.option("--separator", type=click.Choice([",", ";", "tab"]), help="Separator of CSV; a semicolon with a decimal comma.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def export(run: str, form: str, output: str | None, decimal: str, separator: str | None, force: bool, out: str) -> None:
    """Write the raw data of RUN in another format; the file is read back and compared before it gets its name.

    MATLAB and Octave read hdf5 and mat (dimensions come out reversed in MATLAB's h5read); pandas reads parquet; Excel reads xlsx,
    and csv with --decimal "," where the decimal mark is a comma.
    """
    from pathlib import Path

    from precision.cli.runs import found
    from precision.runs.export import CsvOptions
    from precision.runs.export import export as write

    directory = found(run, out)
    target = Path(output) if output else directory.path / f"readings{SUFFIXES[form]}"
    mark = {"tab": "\t", None: ";" if decimal == "," else ","}.get(separator, separator or ",")
    options = CsvOptions(separator=mark, decimal=decimal) if form == "csv" else None
    if force and target.is_file():
        target.unlink()
    click.echo(write(directory, target, form, csv=options, unfinished=directory.manifest.status != "COMPLETE"))
