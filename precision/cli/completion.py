"""`precision completion`: the script that lets a shell complete commands, options and values."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class


def plan_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ready plans, and files."""
    from precision.benchmarks.plan_files import ready_plans

    return [CompletionItem(name) for name in ready_plans() if name.startswith(incomplete)] + [CompletionItem(incomplete, type="file")]


def run_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """"last", the runs in the folder of --out, and files."""
    folder = Path(ctx.params.get("out") or "runs")
    names = ["last", *sorted((path.parent.name for path in folder.glob("*/manifest.json")), reverse=True)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)] + [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    \b
    bash:  precision completion bash >> ~/.bashrc
    zsh:   precision completion zsh >> ~/.zshrc
    fish:  precision completion fish > ~/.config/fish/completions/precision.fish
    """
    from precision.cli import cli

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(script(cli, {}, "precision", "_PRECISION_COMPLETE").source())
