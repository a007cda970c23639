"""Find, read and check plans: the ready ones by name, anyone's by path."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from precision import plan as plans
from precision.benchmarks import ALL
from precision.errors import PlanError

READY: Final = Path(__file__).parent / "plans"
ENTRY_POINTS: Final = "precision.benchmarks"


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
    """The plan model of a procedure.

    Raises
    ------
    PlanError       there is no such procedure
    """
    if isinstance(procedure, str):
        if procedure in ALL:
            module, _, attribute = ALL[procedure].partition(":")
            model: type[plans.Strict] = getattr(importlib.import_module(module), attribute)
            return model
        from importlib.metadata import entry_points

        for point in entry_points(group=ENTRY_POINTS, name=procedure):
            third_party: type[plans.Strict] = point.load()
            return third_party
    raise PlanError(f"procedure: {procedure!r} is not a procedure; allowed: {', '.join(ALL)}")


def checked(name: str, settings: Sequence[str] = ()) -> plans.Strict:
    """The plan, checked.

    Raises
    ------
    PlanError       every fault at once
    """
    raw, known_as = read_plan(name, settings)
    return plans.check(model_of(raw.get("procedure", "positioning")), raw, name=known_as)
