"""The command line: `precision COMMAND`. One module a command; a command's module is imported when the command is used, not before."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Final

import click

from precision import __version__
from precision.errors import PrecisionError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("run", "Run a plan: move, measure, evaluate, report."),
    "capture": ("capture", "Record a stream of samples into a run."),
    "analyze": ("analyze", "Evaluate a recording (CSV) or a run again."),
    "report": ("report", "Write the report of a run: html, pdf, md, json, csv, xlsx or junit."),
    "compensate": ("compensate", "Make the table that corrects the axis, in a controller's format."),
    "import": ("import_", "Read a file of error parameters (Etalon, ISG CSV): show, draw, convert."),
    "improve": ("improve", "Measure an axis, correct the controller's table, measure again."),
    "compare": ("compare", "Set two runs side by side: what changed, and whether that is more than U."),
    "reproduce": ("reproduce", "Run a simulated run again and compare every reading and result."),
    "runs": ("runs", "List, show, verify and recover runs."),
    "export": ("export", "Write a run's raw data: hdf5, parquet, csv, mat, xlsx."),
    "plan": ("plan", "List, show and check plans; print their JSON Schema."),
    "devices": ("devices", "List ports and drivers."),
    "simulate": ("simulate", "Serve the virtual lab for other programs."),
    "bench": ("bench", "Measure how fast and how accurate the kernels are."),
    "doctor": ("doctor", "Say what is missing on this computer and what it costs."),
    "completion": ("completion", "Print the shell completion script."),
}
"""Command -> module and the line that `--help` shows, so that help and completion import nothing."""


class Commands(click.Group):
    """Sub-commands that are imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"precision.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, COMMANDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}.{hint} `precision --help` lists them.", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        items = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="precision")
def cli() -> None:
    """Measure how precisely machines move, with an uncertainty on every figure.

    \b
    precision run positioning           the ISO 230-2 test on a simulated machine
    precision analyze readings.csv      the same report from a recording
    precision runs list                 what has been measured
    precision doctor                    what is missing on this computer
    """


def main() -> None:
    """Entry point: run the command line and leave with the exit code that `precision.errors` gives."""
    from precision.cli.output import forgive

    forgive()
    code = _exit_code(sys.argv[1:])
    sys.stdout.flush()
    sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    try:
        code = cli.main(arguments, prog_name="precision", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except PrecisionError as error:
        _say(error)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        click.echo("This is a fault in precision itself; please report it with the lines above.", err=True)
        return 70


def _say(error: PrecisionError) -> None:
    """The message and its notes on standard error, without control characters: both may quote what a device or a file said."""
    from precision.report.visible_text import visible

    lines = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
    for line in "\n".join(lines).splitlines():
        indent = len(line) - len(line.lstrip(" "))
        click.echo(" " * indent + visible(line.strip()), err=True)
