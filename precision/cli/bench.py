"""precision bench: how fast and how accurate the kernels are on this machine, and whether they became slower."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from precision.benchmarks.speed.results import Run

NOTHING_COLLECTED = 5  # pytest's exit code


@click.group
def bench() -> None:
    """How fast and how accurate the kernels are, as ratios measured in one run."""


@bench.command
@click.option("-k", "keyword", default="", metavar="EXPRESSION", help="Only tests whose name matches, as in pytest; the word also selects the accuracy lines.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON to write. Default: bench-<date and time>.json here.")
@click.option("--results", type=click.Path(dir_okay=False, path_type=Path), help="Also write the tables as Markdown (RESULTS.md).")
def run(keyword: str, out: Path | None, results: Path | None) -> None:
    """Run the suite, print the tables, and write pytest-benchmark's JSON with the ratios in it."""
    from precision.benchmarks.speed import accuracy
    from precision.benchmarks.speed import results as tables

    _require("pytest", "pytest_benchmark", "psutil")
    out = out or Path(f"bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    passed, skipped = _measure(keyword, out)
    shown = "precision bench run" + (f" -k {shlex.quote(keyword)}" if keyword else "") + (f" --results {results.name}" if results else "")
    measured = tables.complete(out, list(accuracy.table(keyword)), skipped, shown)
    _print(measured)
    if results is not None:
        results.write_text(tables.markdown(measured), encoding="utf-8")
    click.echo(f"written: {out}" + (f", {results}" if results else ""))
    if not (passed and all(line.holds for line in measured.accuracy)):
        raise SystemExit(1)


@bench.command
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--fail-slower", default="10%", metavar="PERCENT", show_default=True, help="Exit 1 where a kernel got slower by more than this.")
def compare(base: Path, new: Path, fail_slower: str) -> None:
    """Compare the JSON of two runs, by CPU time with the peer of each run as the yardstick."""
    from rich.console import Console
    from rich.table import Table

    from precision.benchmarks.speed import results as tables

    limit = _percent(fail_slower)
    changed, missing = tables.changes(tables.read(base), tables.read(new))
    if not changed:
        raise click.UsageError(f"{base} and {new} have no kernel in common; give two runs of the same suite")
    table = Table("kernel", "× peer, base", "× peer, new", "slower by")
    for change in changed:
        style = "red" if change.slower > limit else ""
        table.add_row(change.name, f"{change.base_ratio:.3g}", f"{change.new_ratio:.3g}", f"{100 * change.slower:+.1f} %", style=style)
    Console().print(table)
    for name in missing:
        click.echo(f"only in {base}: {name}")
    slower = [change for change in changed if change.slower > limit]
    if slower:
        click.echo(f"slower than {base} by more than {100 * limit:g} %:", err=True)
        for change in slower:
            click.echo(f"  {change.name}: {100 * change.slower:.1f} %", err=True)
        raise SystemExit(1)


@bench.command
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("bench.html"), show_default=True, help="HTML to write.")
@click.option("--results", type=click.Path(dir_okay=False, path_type=Path), help="Also write the newest run as Markdown (RESULTS.md).")
def report(runs: Sequence[Path], out: Path, results: Path | None) -> None:
    """Write one HTML page of the RUNS (JSON files, or folders of them): the newest in full, the others as its history."""
    from precision.benchmarks.speed import page
    from precision.benchmarks.speed import results as tables

    files = [file for given in runs for file in (sorted(given.glob("*.json")) if given.is_dir() else [given])]
    if not files:
        raise click.UsageError(f"no JSON of precision bench run in {', '.join(map(str, runs))}")
    held = [tables.read(file) for file in files]
    out.write_text(page.html(held), encoding="utf-8")
    if results is not None:
        results.write_text(tables.markdown(max(held, key=lambda one: one.begun)), encoding="utf-8")
    click.echo(f"written: {out}" + (f", {results}" if results else ""))


def _measure(keyword: str, out: Path) -> tuple[bool, list[str]]:
    """Run the suite in a process of its own: whether every test passed; what was skipped, with the reasons."""
    from precision.benchmarks import speed

    suite = Path(speed.__file__).parent
    with TemporaryDirectory() as folder:
        settings, verdicts = Path(folder, "pytest.ini"), Path(folder, "verdicts.xml")
        settings.write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")  # not those of a project around the installation
        command = [
            sys.executable, "-P", "-m", "pytest", str(suite), "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
            "-c", str(settings), f"--rootdir={suite}", f"--benchmark-json={out}", f"--junit-xml={verdicts}",
            "--benchmark-disable-gc", "--benchmark-columns=min", "--benchmark-quiet", *(["-k", keyword] if keyword else []),
        ]  # fmt: skip
        # Threads that wait for others burn no CPU time: spinning would be counted as ours wherever the machine is shared.
        code = subprocess.run(command, check=False, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ}).returncode
        if code == NOTHING_COLLECTED:
            raise click.UsageError(f"-k {keyword!r} matches no test of the speed suite")
        if code > 1 or not out.exists():
            raise click.ClickException(f"the speed suite did not run (pytest ended with {code}); its output above says why")
        return code == 0, _skipped(verdicts)


def _skipped(verdicts: Path) -> list[str]:
    from xml.etree import ElementTree

    cases = ElementTree.parse(verdicts).iter("testcase")
    return [f"{case.get('name')}: {skip.get('message')}" for case in cases for skip in case.iter("skipped")]


def _require(*modules: str) -> None:
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise click.ClickException(f"{', '.join(missing)}: not installed; the speed suite needs: pip install 'precision-bench[bench]'")


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 10:
        raise click.BadParameter(f"{text!r} is not a percentage; write for example 10%", param_hint="--fail-slower")
    return value


def _print(measured: Run) -> None:
    from rich.console import Console
    from rich.table import Table

    from precision.benchmarks.speed import results as tables

    console = Console()
    if not console.is_terminal:
        console.width = 180  # a file or a log has no width to fold the columns to
    speed = Table(*tables.SPEED_COLUMNS, title="Speed: ratios within this run")
    for pair in measured.pairs:
        speed.add_row(*tables.speed_row(pair))
    console.print(speed)
    precision = Table(*tables.ACCURACY_COLUMNS, title="Accuracy")
    for line in measured.accuracy:
        precision.add_row(*tables.accuracy_row(line))
    console.print(precision)
    for reason in measured.skipped:
        click.echo(f"left out: {reason}")
