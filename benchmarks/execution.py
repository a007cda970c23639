"""A run from plan to report: devices, run directory, acquisition under guard, evaluation. What `precision run` and `precision reproduce` do."""

from __future__ import annotations

import hashlib
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from precision import plan as plans
from precision.drivers import open_controller, open_environment, open_interferometer
from precision.drivers.lab import process as lab
from precision.errors import DataError, PlanError, PrecisionError
from precision.report.document import Document
from precision.report.writers import write
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument
from precision.runs.recover import UNKNOWN_PROCEDURE

from .guard import Interrupted, machine_stops, signals_become_exceptions
from .plan_files import model_of
from .positioning import COLUMNS, Rig, acquire, check_envelope, preview
from .positioning_evaluation import Analysis, Readings, analyse, incomplete
from .positioning_plan import Evaluated, Imported, Parameters
from .positioning_report import document, result_dict
from .positioning_resumption import first_part
from .software_compensation import Compensated

BYTES_PER_READING = 4096
"""Generous size of one row on the disk with its framing, for the reservation before motion."""


CHANGEABLE = ("title", "evaluation", "uncertainty", "limits", "machine", "test", "instrument")
"""Sections of a plan that may be judged differently after the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that has been evaluated."""

    run: RunDirectory
    plan: Evaluated
    readings: Readings
    analysis: Analysis
    document: Document
    report: Path | None = None
    """where the report was written"""


def execute(
    plan: Parameters,
    out: Path,
    *,
    sync: float | Literal["block"] = "block",
    progress: Callable[[int, int], None] = lambda done, total: None,
    started: Callable[[RunDirectory], None] = lambda run: None,
    resume: RunDirectory | None = None,
) -> Outcome:
    """Run a positioning plan: connect, create the run directory in `out`, measure, evaluate, write result and report.

    resume : an interrupted run of this plan to go on with; it stays as it is, and the new run holds its readings too (see `positioning_resumption`).

    Whatever fails or interrupts stops the machine, keeps the readings taken so far and marks the run ABORTED with the reason.

    Raises
    ------
    PrecisionError      as the devices, the guard and the evaluation say; with a note where the data are
    """
    if plan.compensation is not None:
        plan = plan.model_copy(update={"compensation": plan.compensation.read(plan.axis.name)})
    beginning = None if resume is None else first_part(plan, resume)
    made: list[RunDirectory] = []
    with _complete(made), ExitStack() as stack:
        mask = stack.enter_context(signals_become_exceptions())
        rig, instruments, simulated = stack.enter_context(_connected(plan))
        check_envelope(plan, preview(plan), rig.controller)  # a plan that the machine refuses leaves no run behind
        run = RunDirectory.create(
            out,
            plan.procedure,
            label=plan.axis.name.lower(),
            plan=plans.dump(plan),
            columns=COLUMNS,
            instruments=instruments,
            seed=plan.seed,
            simulated=simulated is not None,
            origin=None if beginning is None else beginning.origin,
        )
        made.append(run)
        started(run)
        try:
            expected = len(preview(plan).approaches) * (plan.cycle.repeats + 1) + 3
            capture = run.start_capture(sync=sync, reserve_bytes=expected * BYTES_PER_READING)
            with machine_stops(rig.controller, run.event, mask, record=run.path / "supervisor.json"):
                acquire(plan, _compensated(rig, plan, run), capture, log=run.event, progress=progress, beginning=beginning)
            if simulated is not None and beginning is None:  # this lab knows nothing of the first part
                run.write_truth(simulated.truth())
            run.finish("COMPLETE")
        except BaseException as error:
            mask()
            reason = f"{type(error).__name__}: {error}"
            try:  # the first error is the one to tell, also on a disk that has no room for its consequences
                run.finish("ABORTED", reason)
                _keep_what_there_is(run, reason)
            except (PrecisionError, OSError) as failed:
                error.add_note(f"the end of the run could not be written down: {failed}")
            error.add_note(f"what was measured so far is kept in {run.path} (marked ABORTED)")
            raise
    with _complete(made):
        return evaluate(run)


@contextmanager
def _complete(made: list[RunDirectory]) -> Iterator[None]:
    """A signal after the end of the run that was `made` says where it is."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as signalled:
        if not made or made[0].manifest.status != "COMPLETE":
            raise
        stopped = signalled if isinstance(signalled, Interrupted) else Interrupted(signal.SIGINT)
        stopped.add_note(f"the test itself is complete and kept in {made[0].path}; `precision analyze {made[0].path}` evaluates it")
        raise stopped from None


def _compensated(rig: Rig, plan: Parameters, run: RunDirectory) -> Rig:
    """The rig with the plan's compensation table between the procedure and the controller; the guard keeps the controller itself."""
    if plan.compensation is None:
        return rig
    run.event("software compensation", what=plan.compensation.sentence)
    return replace(rig, controller=Compensated(rig.controller, plan.compensation.table(plan.axis.name)))


def _keep_what_there_is(run: RunDirectory, reason: str) -> None:
    """Result and report of a stopped run, as far as its readings go; the error that stopped it stays the one that is told."""
    try:
        evaluate(run, stopped=reason)
    except PrecisionError as error:
        (run.path / "report.txt").write_text(f"No report could be made of this stopped run.\n{error}\n", encoding="utf-8")


@contextmanager
def _connected(plan: Parameters) -> Iterator[tuple[Rig, dict[str, Instrument], lab.LabProcess | None]]:
    """The plan's devices, opened; the virtual lab, where the plan asks for it. All links are closed at the end."""
    with ExitStack() as stack:
        addresses = {"controller": plan.devices.controller.address, "interferometer": plan.devices.interferometer.address,
                     "environment": plan.devices.environment.address}  # fmt: skip
        simulated: lab.LabProcess | None = None
        if plan.devices.simulated:
            simulated = stack.enter_context(
                lab.start(
                    seed=plan.seed,
                    time_scale=plan.simulation.time_scale or math.inf,
                    controller=None if plan.simulation.controller == "auto" else plan.simulation.controller,
                )
            )
            addresses = {role: simulated.addresses[role] for role in addresses}
        devices = plan.devices
        # The virtual lab is up before it is connected to; a real board may restart when its port is opened.
        at_once: dict[str, Any] = {"settle_s": 0.0} if simulated else {}
        controller = open_controller(devices.controller.driver, addresses["controller"], **{**at_once, **devices.controller.options})
        stack.callback(controller.close)
        options: dict[str, Any] = {"axis": plan.instrument.axis, **devices.interferometer.options}
        interferometer = open_interferometer(devices.interferometer.driver, addresses["interferometer"], **options)
        stack.callback(interferometer.close)
        environment = open_environment(devices.environment.driver, addresses["environment"], **devices.environment.options)
        stack.callback(environment.close)
        instruments = {
            role: Instrument(driver=getattr(devices, role).driver, address=addresses[role], identity=device.identity)
            for role, device in (("controller", controller), ("interferometer", interferometer), ("environment", environment))
        }
        yield Rig(controller, interferometer, environment), instruments, simulated


def plan_of(run: RunDirectory, settings: tuple[str, ...] = ()) -> Evaluated:
    """The plan in a run's manifest, with "key=value" settings applied, checked."""
    if run.manifest.procedure == UNKNOWN_PROCEDURE:
        raise DataError(
            f"{run.name} was recovered from a run whose manifest was damaged: its plan is unknown, so it cannot be evaluated. Its readings are whole: "
            f"`precision export {run.name} --to csv` writes them; or restore the original's manifest.json from a copy and recover that again"
        )
    late = [setting for setting in settings if setting.split("=")[0].split(".")[0].strip() not in CHANGEABLE]
    if late:
        raise PlanError(
            f"{run.name} has been measured: {', '.join(setting.split('=')[0] for setting in late)} cannot be changed after the fact. "
            f"What can: {', '.join(CHANGEABLE)}"
        )
    raw = plans.with_settings(run.manifest.plan, settings)
    model = Imported if run.manifest.origin is not None and "devices" not in raw else model_of(raw.get("procedure"))
    checked = plans.check(model, raw, name=f"the plan of {run.name}")
    if not isinstance(checked, Evaluated):
        raise TypeError(f"{type(checked).__name__} is not a plan of a positioning test")
    return checked


def evaluated(run: RunDirectory, *, settings: tuple[str, ...] = (), standard: str | None = None, stopped: str | None = None) -> Outcome:
    """The readings of a run, judged again from its raw data; nothing is written.

    Raises
    ------
    DataError       the capture is damaged, or holds no valid reading
    PlanError       the settings
    """
    plan = plan_of(run, settings)
    unfinished = stopped is not None or run.manifest.status != "COMPLETE"
    readings = run.readings(unfinished=unfinished).columns
    analysis = analyse(plan, readings, standard=standard)
    if unfinished:
        reason = stopped or run.manifest.reason or f"status {run.manifest.status}"
        analysis = incomplete(analysis, reason.splitlines()[0])
    return Outcome(run=run, plan=plan, readings=readings, analysis=analysis, document=document(plan, analysis, readings, run.manifest))


def evaluate(run: RunDirectory, *, settings: tuple[str, ...] = (), standard: str | None = None, stopped: str | None = None) -> Outcome:
    """Judge a run as `evaluated` does and write its result and report. The raw data are not touched.

    With another standard or changed settings the files get a name of their own (`report-vdi3441.html`), beside the run's own report: one for each question.
    """
    outcome = evaluated(run, settings=settings, standard=standard, stopped=stopped)
    if standard is not None or settings:
        changed = hashlib.sha256("\0".join(settings).encode()).hexdigest()[:6]
        suffix = "-".join(["", *([standard.replace(":", "-")] if standard else []), *([f"changed-{changed}"] if settings else [])])
        result, report = run.path / f"result{suffix}.json", run.path / f"report{suffix}.html"
    else:
        result, report = run.result_path, run.report_path
    run.write_result(result_dict(outcome.plan, outcome.analysis, outcome.document), result)
    write(outcome.document, report)
    return replace(outcome, report=report)
