"""The volumetric test as a procedure: how its devices are opened, what a dry run says, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from precision.drivers import open_controller, open_environment, open_interferometer
from precision.errors import PlanError
from precision.models.rigid_body import AXES
from precision.runs.manifest import Manifest
from precision.standards.multilateration import FEWEST

from .connection import opened
from .lines_rig import SCREWS
from .procedure import Connected, Evaluation, Outlook, Procedure, Readings
from .volumetric import COLUMNS, Operator, Person, Rig, acquire, check_envelope, duration_s, envelope_m, points_m
from .volumetric_evaluation import analyse, check, lacking
from .volumetric_plan import Parameters
from .volumetric_report import document, result_dict

BYTES_PER_READING = 4096
"""Generous size of one row on the disk with its framing, for the reservation before motion."""


def _outlook(plan: Parameters) -> Outlook:
    judged = check(plan)
    if not judged.told.complete or len(plan.stations) < FEWEST:
        raise PlanError(f"this plan cannot tell the errors it asks for: {'; '.join(judged.flags)}. Nothing was moved", list(judged.flags))
    points = points_m(plan)
    missing = lacking(plan)
    predicted = f"U of a deviation in the volume up to {(judged['U_volume'] or 0.0) * 1e6:.2g} µm" if not missing else "no U is stated"
    remarks = [one.sentence for one in (plan.compensation, plan.axis_tables) if one is not None]
    return Outlook(
        lines=(
            (
                "volume",
                ", ".join(f"{axis} {low * 1e3:g} … {high * 1e3:g} mm" for axis, (low, high) in plan.volume.spans.items())
                + f", chain {plan.volume.chain}",
            ),
            (
                "stations",
                f"{len(plan.stations)} × {points.shape[1]} points at {plan.volume.feed * 60e3:g} mm/min, each approached in the positive direction",
            ),
            ("each point", f"dwell {plan.cycle.dwell:g} s, averaged over {plan.cycle.averaging:g} s"),
            ("this plan", f"{judged.told.sentence}; {predicted}"),
        ),
        uncertainty="stated" if not missing else f"not stated: {', '.join(missing)}",
        envelope_m=envelope_m(plan),
        duration_s=duration_s(plan),
        points=len(plan.stations) * points.shape[1],
        rounds=len(plan.stations),
        bytes=len(plan.stations) * (points.shape[1] + 2) * (plan.cycle.repeats + 1) * BYTES_PER_READING,
        remarks=tuple(remarks),
        details=(
            *(f"station {station.name}: at {_place(station.place)}, reflector at {_place(station.reflector)}" for station in plan.stations),
            *(f"point {k:>4}  {_place(point)}" for k, point in enumerate(points.T, 1)),
            *(str(figure) for figure in judged.figures.values() if figure.value is not None),
        ),
    )


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    roles = plan.devices.by_role
    openers: dict[str, Callable[..., Any]] = {
        role: open_controller if role == "controller" else open_interferometer if role == "tracker" else open_environment for role in roles
    }
    options = {role: {"material_channel": channel} for role, channel in SCREWS.items()} if plan.devices.simulated else {}
    options["tracker"] = {"axis": 0}
    with opened(plan, openers, options=options, lab={"errors": plan.virtual_machine.errors}) as devices:
        environments = tuple(devices.by_role[role] for role in roles if role.startswith("environment"))
        tracker = devices.by_role["tracker"]
        # A simulated one is where it is told to be.
        operator = devices.lab or (tracker if isinstance(tracker, Operator) else Person())
        rig = Rig(controller=devices.by_role["controller"], tracker=tracker, environments=environments, operator=operator)
        yield devices.connected(rig, moving=(devices.by_role["controller"],))


def _with_file(plan: Parameters) -> Parameters:
    """The plan with what its compensation files hold, once that is known to be a machine or tables."""
    if plan.axis_tables is not None:
        return plan.model_copy(update={"axis_tables": plan.axis_tables.read()})
    if plan.compensation is None:
        return plan
    compensation = plan.compensation.read()
    compensation.errors(plan.volume.chain)
    return plan.model_copy(update={"compensation": compensation})


def _evaluate(plan: Parameters, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    analysis = analyse(plan, readings, stopped=stopped)
    report = document(plan, analysis, manifest)
    return Evaluation(document=report, result=result_dict(plan, analysis, report), analysis=analysis)


def _place(point_m: Any) -> str:
    return ", ".join(f"{axis} {value * 1e3:.3f}" for axis, value in zip(AXES, point_m, strict=True)) + " mm"


PROCEDURE = Procedure(
    name="volumetric",
    title="21 geometric errors and the volumetric error map",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    label=lambda plan: plan.volume.chain.lower(),
    prepare=_with_file,
    connect=_connect,
    check=lambda plan, rig: check_envelope(plan, rig.controller),
    acquire=acquire,
    evaluate=_evaluate,
)
