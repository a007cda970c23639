"""`precision report`: the report of a run in another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from precision.cli.completion import run_names

if TYPE_CHECKING:
    from precision.report.document import Document


@click.command()
@click.argument("run", default="last", shell_complete=run_names)
@click.option("--format", "--to", "form", type=click.Choice(["html", "pdf", "md", "json", "csv", "xlsx", "junit"]),
              help="Format of the report; by default what the suffix of --output says, or html.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="File to write, - for standard output (json by default); the run's folder by default.")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="Decimal mark of CSV.")
@click.option("--separator", type=click.Choice([",", ";", "tab"]), help="Separator of CSV; a semicolon with a decimal comma.")
@click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Folder of the runs.")
def report(run: str, form: str | None, output: str | None, decimal: str, separator: str | None, out: str) -> None:
    """Write the report of RUN (name, part of a name, folder, or "last"), computed again from its raw data.

    \b
    precision report last --format md
    precision report last --format csv --decimal , --separator ";"
    precision report last --to pdf                  needs: pip install "precision-bench[pdf]"
    precision report last --to junit -o report.xml  the verdict and each limit as a test case, for a CI system
    """
    from pathlib import Path

    from precision.benchmarks.execution import evaluated
    from precision.cli.runs import found
    from precision.errors import PlanError
    from precision.report.writers import FORMATS, SUFFIXES, write

    directory = found(run, out)
    if output == "-":
        _to_standard_output(evaluated(directory).document, form or "json", decimal, separator)
        return
    if form is None:
        suffix = Path(output).suffix.lower().lstrip(".") if output else ""
        form = next((known for known in FORMATS if SUFFIXES[known] == suffix), "html" if not suffix else None)
        if form is None:
            raise PlanError(f"{output}: .{suffix} is no format of a report; {', '.join(dict.fromkeys(f'.{name}' for name in SUFFIXES.values()))} are, or name one with --to")
    chosen = next(known for known in FORMATS if known == form)
    target = Path(output) if output else directory.path / f"report.{SUFFIXES[form]}"
    for file in write(evaluated(directory).document, target, format=chosen, decimal=decimal, separator=_mark(decimal, separator)):
        click.echo(file)


def _mark(decimal: str, separator: str | None) -> str:
    return {"tab": "\t", None: ";" if decimal == "," else ","}.get(separator, separator or ",")


def _to_standard_output(document: Document, form: str, decimal: str, separator: str | None) -> None:
    """A report that is one file, to standard output; one that has pictures or tables beside it is refused."""
    import sys
    import tempfile
    from pathlib import Path

    from precision.errors import DataError, PlanError
    from precision.report.writers import FORMATS, SUFFIXES, write

    chosen = next(known for known in FORMATS if known == form)
    if chosen in ("md", "csv"):
        raise PlanError(f"-o -: {chosen} is several files, the report and its {'pictures' if chosen == 'md' else 'tables'}; name a file, or take --to json, html, junit, pdf or xlsx")
    with tempfile.TemporaryDirectory() as folder:
        file, *_ = write(document, Path(folder) / f"report.{SUFFIXES[chosen]}", format=chosen, decimal=decimal, separator=_mark(decimal, separator))
        out = sys.stdout.buffer
        try:
            out.write(file.read_bytes())
            out.flush()
        except BrokenPipeError:
            return  # its reader has what it wanted
        except OSError as error:
            raise DataError(f"standard output did not take the report ({error.strerror or error}); free some room there or name a file with -o") from error
