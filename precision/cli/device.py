"""`--device`: where batches are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from precision.benchmarks.computing import Choice, Computing

DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True,
    help="Where large batches are computed; a GPU that is missing or fails is replaced by the CPU, and the result says so.",
)  # fmt: skip


@contextmanager
def computing(device: Choice) -> Iterator[Computing]:
    """Evaluate inside; afterwards it is said where something else happened than was asked for."""
    from precision.benchmarks.computing import computing_on
    from precision.report.visible_text import visible

    with computing_on(device) as used:
        yield used
    for remark in used.remarks:
        click.echo(f"note: --device {device}: {visible(remark, longest=300)}", err=True)
    if device == "gpu" and not used.tiers:
        click.echo("note: --device gpu: nothing in this is a batch that a GPU computes; computed on the CPU", err=True)
