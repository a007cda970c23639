"""A run from plan to report: devices, run directory, acquisition under guard, evaluation. What `precision run` and `precision reproduce` do.

The same for every procedure; what a procedure is stands in `procedure`.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from precision import plan as plans
from precision.drivers.supervisor import NO_SUPERVISOR
from precision.errors import DataError, PlanError, PrecisionError
from precision.report.document import Document
from precision.report.writers import write
from precision.runs.directory import RunDirectory
from precision.runs.recover import UNKNOWN_PROCEDURE

from .computing import CPU, Computing, computing_on
from .guard import Interrupted, machine_stops, signals_become_exceptions
from .procedure import Beginning, Connected, Evaluation, Procedure, Readings, procedure_named

AnalysisT = TypeVar("AnalysisT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that has been evaluated."""

    run: RunDirectory
    plan: Any
    """the procedure's own"""
    readings: Readings
    evaluation: Evaluation
    report: Path | None = None
    """where the report was written"""

    @property
    def document(self) -> Document:
        """The report."""
        return self.evaluation.document

    @property
    def result(self) -> Mapping[str, Any]:
        """What stands in result.json."""
        return self.evaluation.result

    @property
    def analysis(self) -> Any:
        """The procedure's own object."""
        return self.evaluation.analysis

    def analysis_as(self, kind: type[AnalysisT], purpose: str) -> AnalysisT:
        """The analysis of one kind of procedure, for what only that can do; `purpose` begins the sentence of the refusal.

        Raises
        ------
        DataError       the run is of another procedure
        """
        if not isinstance(self.analysis, kind):
            raise DataError(f"{self.run.name} is a run of {self.run.manifest.procedure!r}; {purpose} from a run of another procedure. `precision runs list` shows the runs")
        return self.analysis


def execute(
    plan: Any,
    out: Path,
    *,
    sync: float | Literal["block"] = "block",
    progress: Callable[[int, int], None] = lambda done, total: None,
    started: Callable[[RunDirectory], None] = lambda run: None,
    resume: RunDirectory | None = None,
    remark: Callable[[str], None] = lambda sentence: None,
) -> Outcome:
    """Run a plan: connect, create the run directory in `out`, measure, evaluate, write result and report.

    resume : an interrupted run of this plan to go on with, where the procedure can; it stays as it is, and the new run holds its readings too.

    remark : gets what the person should know before anything moves, a sentence each.

    Whatever fails or interrupts stops the machine, keeps the readings taken so far and marks the run ABORTED with the reason.

    Raises
    ------
    PrecisionError      as the devices, the guard and the evaluation say; with a note where the data are
    """
    procedure = procedure_named(plan.procedure)
    if procedure.preview is None or procedure.acquire is None:
        raise PlanError(f"{procedure.name} measures nothing itself; `precision analyze FILE` evaluates recordings of it")
    plan = procedure.prepare(plan)
    beginning = None if resume is None else first_part(procedure, plan, resume)
    made: list[RunDirectory] = []
    with _complete(made), ExitStack() as stack:
        mask = stack.enter_context(signals_become_exceptions())
        connected = stack.enter_context(_connected(plan))
        procedure.check(plan, connected.rig)  # a plan that the machine refuses leaves no run behind
        run = RunDirectory.create(
            out,
            plan.procedure,
            label=procedure.label(plan),
            plan=plans.dump(plan),
            columns=tuple(procedure.columns(plan)),
            instruments=connected.instruments,
            seed=plan.seed,
            simulated=connected.lab is not None,
            origin=None if beginning is None else beginning.origin,
        )
        made.append(run)
        started(run)
        try:
            capture = run.start_capture(sync=sync, reserve_bytes=procedure.preview(plan).bytes)
            with ExitStack() as guards:
                for number, controller in enumerate(connected.moving, start=1):
                    record = run.path / ("supervisor.json" if number == 1 else f"supervisor-{number}.json")
                    guards.enter_context(machine_stops(controller, _telling(run, remark), mask, record=record))
                going_on: dict[str, Any] = {} if beginning is None else {"beginning": beginning}
                procedure.acquire(plan, connected.rig, capture, log=run.event, progress=progress, **going_on)
            if connected.lab is not None and beginning is None:  # this lab knows nothing of the first part
                run.write_truth(connected.lab.truth())
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


def _telling(run: RunDirectory, remark: Callable[[str], None]) -> Callable[..., None]:
    """The run's log, and the person too where nobody would stop the machine for a program that dies."""

    def log(event: str, **details: Any) -> None:
        run.event(event, **details)
        if event == NO_SUPERVISOR:
            remark(
                f"no supervisor: {details.get('reason', '')}. Should this program die, nothing stops the machine but the end of the one motion that it was given: "
                "keep the emergency stop in reach"
            )

    return log


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


def _keep_what_there_is(run: RunDirectory, reason: str) -> None:
    """Result and report of a stopped run, as far as its readings go; the error that stopped it stays the one that is told."""
    try:
        evaluate(run, stopped=reason)
    except PrecisionError as error:
        (run.path / "report.txt").write_text(f"No report could be made of this stopped run.\n{error}\n", encoding="utf-8")


def _connected(plan: Any) -> AbstractContextManager[Connected[Any]]:
    """The plan's devices, opened, as its procedure does it."""
    connect = procedure_named(plan.procedure).connect
    if connect is None:
        raise PlanError(f"{plan.procedure} has no devices; `precision analyze FILE` evaluates recordings of it")
    return connect(plan)


def first_part(procedure: Procedure[Any, Any], plan: Any, run: RunDirectory) -> Beginning:
    """What an interrupted run has of the test that `plan` describes; raises `PlanError` where the procedure cannot go on, and as it says."""
    if procedure.resume is None:
        raise PlanError(f"a {procedure.name} test is not resumed: what it measures has to be recorded in one piece. Leave --resume out; {run.name} stays as it is")
    return procedure.resume(plan, run)


def plan_of(run: RunDirectory, settings: tuple[str, ...] = ()) -> Any:
    """The plan in a run's manifest, with "key=value" settings applied, checked.

    Raises
    ------
    DataError       the run was recovered without its plan
    PlanError       a setting of what has been measured already, or a fault in the plan
    """
    if run.manifest.procedure == UNKNOWN_PROCEDURE:
        raise DataError(
            f"{run.name} was recovered from a run whose manifest was damaged: its plan is unknown, so it cannot be evaluated. Its readings are whole: "
            f"`precision export {run.name} --to csv` writes them; or restore the original's manifest.json from a copy and recover that again"
        )
    procedure = procedure_named(run.manifest.plan.get("procedure"))
    late = [setting for setting in settings if setting.split("=")[0].split(".")[0].strip() not in procedure.changeable]
    if late:
        raise PlanError(
            f"{run.name} has been measured: {', '.join(setting.split('=')[0] for setting in late)} cannot be changed after the fact. "
            f"What can: {', '.join(procedure.changeable)}"
        )
    raw = plans.with_settings(run.manifest.plan, settings)
    recorded = run.manifest.origin is not None and "devices" not in raw
    model = procedure.recorded if recorded and procedure.recorded is not None else procedure.model
    return plans.check(model, raw, name=f"the plan of {run.name}")


def evaluated(run: RunDirectory, *, settings: tuple[str, ...] = (), standard: str | None = None, stopped: str | None = None) -> Outcome:
    """The readings of a run, judged again from its raw data; nothing is written.

    Raises
    ------
    DataError       the capture is damaged, or holds no valid reading
    PlanError       the settings, or a standard that the procedure does not have
    """
    plan = plan_of(run, settings)
    procedure = procedure_named(plan.procedure)
    if standard is not None and standard not in procedure.standards:
        allowed = f"allowed: {', '.join(procedure.standards)}" if procedure.standards else "it has one evaluation: leave --standard out"
        raise PlanError(f"{procedure.name} is not evaluated after {standard[:40]!r}; {allowed}")
    unfinished = stopped is not None or run.manifest.status != "COMPLETE"
    readings = run.readings(unfinished=unfinished).columns
    reason = (stopped or run.manifest.reason or f"status {run.manifest.status}").splitlines()[0] if unfinished else None
    with computing_on() as computing:
        evaluation = procedure.evaluate(plan, readings, run.manifest, standard=standard, stopped=reason)
    return Outcome(run=run, plan=plan, readings=readings, evaluation=_with_tier(evaluation, computing))


def _with_tier(evaluation: Evaluation, computing: Computing) -> Evaluation:
    """Where it was computed, in the report and in the result."""
    document = evaluation.document
    tier = "; ".join(computing.tiers) or document.provenance.backend or CPU
    document = replace(document, provenance=replace(document.provenance, backend=tier))
    return replace(evaluation, document=document, result={**evaluation.result, "computed_on": tier})


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
    run.write_result(outcome.result, result)
    write(outcome.document, report)
    return replace(outcome, report=report)
