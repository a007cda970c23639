"""`precision plan`: list, show and check plans; print their JSON Schema."""

from __future__ import annotations

import json

import click

from precision.cli.completion import plan_names


@click.group()
def plan() -> None:
    """List, show and check plans.

    A plan is a TOML file: what to move, how to read, which standard, which limits. Copy a ready one, change it, check it, run it:

    \b
    precision plan show positioning > my-axis.toml
    precision plan check my-axis.toml
    precision run my-axis.toml --dry-run
    """


@plan.command("list")
def list_() -> None:
    """List the ready plans."""
    from precision import plan as plans
    from precision.benchmarks.plan_files import plan_path, ready_plans

    for name in ready_plans():
        click.echo(f"{name:<25} {plans.read(plan_path(name)).get('title', '')}")


@plan.command()
@click.argument("name", shell_complete=plan_names)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value, for example cycle.runs=3.")
@click.option("--resolved", is_flag=True, help="Every value as it will be used, defaults included, in SI units (JSON).")
def show(name: str, settings: tuple[str, ...], resolved: bool) -> None:
    """Print a plan, as its file stands or resolved."""
    from precision import plan as plans
    from precision.benchmarks.plan_files import checked, plan_path

    if resolved or settings:
        click.echo(json.dumps(plans.dump(checked(name, settings)), indent=2, ensure_ascii=False))
    else:
        path = plan_path(name)
        plans.read(path)
        click.echo(path.read_text(encoding="utf-8"), nl=False)


@plan.command()
@click.argument("name", shell_complete=plan_names)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value before checking.")
def check(name: str, settings: tuple[str, ...]) -> None:
    """Check a plan: every fault at once, with its path and what is allowed. Nothing moves."""
    from precision import plan as plans
    from precision.benchmarks.plan_files import checked

    good = checked(name, settings)
    click.echo(f"{name}: in order (SHA-256 {plans.canonical_sha256(plans.dump(good))[:16]}…)")


@plan.command()
def procedures() -> None:
    """List the procedures: what can be measured or evaluated, and the ready plans of each."""
    from importlib.metadata import entry_points

    from precision import plan as plans
    from precision.benchmarks import ALL
    from precision.benchmarks.plan_files import plan_path, ready_plans
    from precision.benchmarks.procedure import ENTRY_POINTS, procedure_named

    ready = {name: plans.read(plan_path(name)).get("procedure", "positioning") for name in ready_plans()}
    for name in (*ALL, *sorted({point.name for point in entry_points(group=ENTRY_POINTS)} - set(ALL))):
        own = ", ".join(plan for plan, procedure in ready.items() if procedure == name)
        click.echo(f"{name:<25} {procedure_named(name).title if name in ALL else '(of another package)'}" + (f"; ready plans: {own}" if own else ""))


@plan.command()
@click.argument("procedure", default="positioning")
def schema(procedure: str) -> None:
    """Print the JSON Schema of a procedure's plan, for editors that complete and check TOML."""
    from precision import plan as plans
    from precision.benchmarks.plan_files import model_of

    click.echo(json.dumps(plans.json_schema(model_of(procedure)), indent=2, ensure_ascii=False))
