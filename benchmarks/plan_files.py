"""Find, read and check plans: the ready ones by name, anyone's by path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from precision import plan as plans
from precision.errors import PlanError

from .procedure import Outlook, Plan, procedure_named

READY: Final = Path(__file__).parent / "plans"


def ready_plans() -> list[str]:
    """Names of the plans that come with the package."""
    return sorted(path.stem for path in READY.glob("*.toml"))


def plan_path(name: str) -> Path:
    """The file of a ready plan by its name, or the path itself.

    Raises
    ------
    PlanError       no such plan, with the nearest names
    """
    if name in ready_plans():
        return READY / f"{name}.toml"
    path = Path(name)
    if path.suffix == ".toml" or os.path.exists(name):
        return path
    raise PlanError(f"there is no plan {name[:80]!r}; ready plans: {', '.join(ready_plans())}; or give the path of a .toml file")


def read_plan(name: str, settings: Sequence[str] = ()) -> tuple[dict[str, Any], str]:
    """The plan's dictionaries with "key=value" settings applied, and the name it is known by. Not yet checked."""
    path = plan_path(name)
    return plans.with_settings(plans.read(path), settings), str(name)


def model_of(procedure: object) -> type[plans.Strict]:
    """The plan model of a procedure; raises `PlanError` where there is no such procedure."""
    return procedure_named(procedure).model


def checked(name: str, settings: Sequence[str] = ()) -> plans.Strict:
    """The plan, checked.

    Raises
    ------
    PlanError       every fault at once
    """
    raw, known_as = read_plan(name, settings)
    return plans.check(model_of(raw.get("procedure", "positioning")), raw, name=known_as)


def runnable(name: str, settings: Sequence[str] = ()) -> tuple[Plan, Outlook]:
    """The checked plan of something that can be measured here, and what its run is going to do.

    Raises
    ------
    PlanError       as `checked`; a procedure that only evaluates recordings
    """
    good: Any = checked(name, settings)
    procedure = procedure_named(good.procedure)
    if procedure.preview is None:
        raise PlanError(f"{name}: {procedure.name} measures nothing itself; `precision analyze FILE --plan {name}` evaluates recordings with it")
    return good, procedure.preview(good)
