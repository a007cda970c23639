"""`precision completion`: the script that lets a shell complete commands, options and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


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
