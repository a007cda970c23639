"""What a procedure is: the functions that `precision run`, `analyze`, `report`, `reproduce`, `compare` and `runs` call, by one name.

A procedure is a module with a `PROCEDURE` and a line in `benchmarks.ALL`; a third party's is an entry point of the group `precision.benchmarks` that names
its `Procedure`. Execution knows nothing else of it: `execution.execute` connects, checks, makes the run directory, guards the machine, captures, evaluates and
writes the report in the same way for all.

    plan ─ preview ─► what a dry run says
         ─ connect ─► rig ─ check ─► run directory ─ acquire ─► capture ─ evaluate ─► report, result.json

How readings are kept
---------------------
A capture has one table of rows, also where a procedure reads several things at several rates. It then has a column `phase` that says what a row is (a block of
the fast stream, an event, the environment), and the columns that such a row does not have hold NaN (float64) or −1 (int64). `block` makes such rows from
arrays and scalars. A stream is appended in whole blocks, `sink.append_and_wait(block(columns, phase=STREAM, radius_m=values, ...))`, some ten thousand rows each:
the instrument's driver buffers while the disk works. The times of the samples are a column (`t_s`, seconds of the instrument's clock from the start), never
made up from a row's number; a gap of the stream is `sink.gap(reason, samples)`.

Everything that `evaluate` returns has to follow from plan, readings and manifest alone: it runs again whenever anybody asks for the report.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from precision.errors import PlanError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from precision.drivers.roles import MotionController
    from precision.plan import DeviceSet, Simulation, Strict
    from precision.report.document import Document, Table
    from precision.runs.capture import Column
    from precision.runs.directory import RunDirectory
    from precision.runs.manifest import Instrument

    from .comparing_figures import Compared
    from .execution import Outcome

Readings = Mapping[str, "NDArray[Any]"]
ENTRY_POINTS: Final = "precision.benchmarks"
CHANGEABLE: Final = ("title", "evaluation", "uncertainty", "limits", "machine", "test", "instrument")
"""Sections of a plan that may be judged differently after the run."""


class Plan(Protocol):
    """What every plan that can be run has; see `runnable.Runnable`."""

    @property
    def procedure(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def devices(self) -> DeviceSet: ...
    @property
    def simulation(self) -> Simulation: ...


class Sink(Protocol):
    """Where rows go (`runs.capture.CaptureWriter`)."""

    def append_and_wait(self, block: Mapping[str, Any]) -> int:
        """Append rows and return when they are safe."""
        ...

    def gap(self, reason: str, samples: int) -> int:
        """Say that `samples` readings are missing here, and why."""
        ...


class Lab(Protocol):
    """A virtual lab: it can say what no measurement can know."""

    def truth(self) -> dict[str, Any]: ...


class Beginning(Protocol):
    """The first part of a run that was interrupted. `origin` stands in the new run's manifest; `sentence` says what is going to be done."""

    @property
    def origin(self) -> str: ...
    @property
    def sentence(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run is going to do, known before anything is connected.

    lines : (label, value), printed in this order between machine and devices. uncertainty : one such value, whether U can be stated; "" prints none.
    envelope_m : axis -> lowest and highest position that will be driven to, m; empty where nothing moves.
    duration_s : expected time on the machine. points : steps of the progress; rounds : how many of these say where it is, where there is no terminal.
    remarks : what departs from the standard, a sentence each. details : what --dry-run lists in addition, a line each.
    bytes : generous size of the capture, reserved before motion.
    """

    lines: tuple[tuple[str, str], ...]
    envelope_m: Mapping[str, tuple[float, float]]
    duration_s: float
    points: int
    bytes: int
    rounds: int = 5
    uncertainty: str = ""
    remarks: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


RigT = TypeVar("RigT")
PlanT = TypeVar("PlanT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Generic[RigT]):
    """Open devices.

    rig : what `acquire` is given. instruments : role -> what the manifest says of it. moving : the controllers that are stopped whatever ends the run;
    none for a procedure that moves nothing. lab : the virtual lab, whose truth is kept, or None.
    """

    rig: RigT
    instruments: Mapping[str, Instrument]
    moving: tuple[MotionController, ...]
    lab: Lab | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A run, judged. document : the report; its verdict decides the exit code. result : result.json, without anything that depends on when or where it
    was computed. analysis : the procedure's own object, for programs and for `compensate` and `compare`."""

    document: Document
    result: Mapping[str, Any]
    analysis: Any


def _as_it_is(plan: Any) -> Any:
    return plan


def _nothing_to_check(plan: Any, rig: Any) -> None:
    """Nothing to refuse before the run directory is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure(Generic[PlanT, RigT]):
    """A procedure. The first block is needed; the second has a default; the third is what not every procedure can do (None: refused, with a sentence).

    name : as in a plan's `procedure`. title : one line of what it measures. model : its plan, pydantic.

    preview(plan) -> Outlook                   pure; PlanError where the plan cannot be
    columns(plan) -> columns of the capture
    connect(plan) -> context manager of a Connected; closes every link at its end
    acquire(plan, rig, sink, *, log, progress) the only code that touches a device; with `beginning=...` where `resume` is given
    evaluate(plan, readings, manifest, *, standard, stopped) -> Evaluation      pure; readings : column -> (rows,); standard : another than the plan's or
                                               None; stopped : why the run ended early (its figures are then not for acceptance) or None

    label(plan) -> part of the run's name. prepare(plan) -> the plan with what it names read into it. check(plan, rig): refuses what the devices cannot do
    before a run directory exists. changeable : sections of the plan that may be set after the run.

    recorded : plan of a recording from elsewhere, which has no devices. read_file(path, out, *, plan, settings, unit, columns) -> RunDirectory makes a run
    of one. resume(plan, run) -> Beginning. standards : names for --standard; side_by_side(plan, readings) tabulates them for "--standard all".
    compare(before, after) -> comparing_figures.Compared, where figures and their U alone do not say enough.
    preview, connect and acquire are None where nothing can be measured here and only recordings are evaluated.
    """

    name: str
    title: str
    model: type[Strict]
    preview: Callable[[PlanT], Outlook] | None
    columns: Callable[[PlanT], Sequence[Column]]
    connect: Callable[[PlanT], AbstractContextManager[Connected[RigT]]] | None
    acquire: Callable[..., None] | None
    evaluate: Callable[..., Evaluation]

    label: Callable[[PlanT], str | None] = lambda plan: None
    prepare: Callable[[PlanT], PlanT] = _as_it_is
    check: Callable[[PlanT, RigT], None] = _nothing_to_check
    changeable: tuple[str, ...] = CHANGEABLE

    recorded: type[Strict] | None = None
    read_file: Callable[..., RunDirectory] | None = None
    resume: Callable[[PlanT, RunDirectory], Beginning] | None = None
    standards: tuple[str, ...] = ()
    side_by_side: Callable[[Any, Readings], Table] | None = None
    compare: Callable[[Outcome, Outcome], Compared] | None = None


def procedure_named(name: object) -> Procedure[Any, Any]:
    """The procedure of that name: ours, or the one package's that offers it as an entry point. Imported now.

    Raises
    ------
    PlanError       there is none
    """
    from . import ALL

    if isinstance(name, str):
        if name in ALL:
            ours: Procedure[Any, Any] = importlib.import_module(ALL[name]).PROCEDURE
            return ours
        from importlib.metadata import entry_points

        for point in entry_points(group=ENTRY_POINTS, name=name):
            theirs = point.load()
            if not isinstance(theirs, Procedure):
                raise PlanError(f"procedure: {name!r} of the package {point.value.split(':')[0]!r} is a {type(theirs).__name__}; a precision.benchmarks.procedure.Procedure is expected")
            return theirs
    if name == "capture":
        raise PlanError(
            "this run is a recording of a stream, no test: `precision export RUN --to csv -o log.csv`, then "
            "`precision analyze log.csv --as tracking --column time=t_ns` (or another test that reads files; --column OURS=THEIRS names the columns)"
        )
    raise PlanError(f"procedure: {str(name)[:80]!r} is not a procedure; allowed: {', '.join(ALL)}")


def judged_by(analyse: Callable[..., Any], document: Callable[..., Document], result: Callable[..., Mapping[str, Any]]) -> Callable[..., Evaluation]:
    """`Procedure.evaluate` from its three steps, for a procedure without other standards.

    analyse(plan, readings) -> analysis. document(plan, analysis, manifest, stopped=...) -> report. result(plan, analysis, report) -> result.json.
    """

    def evaluate(plan: Any, readings: Readings, manifest: Any, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
        analysis = analyse(plan, readings)
        report = document(plan, analysis, manifest, stopped=stopped)
        return Evaluation(document=report, result=result(plan, analysis, report), analysis=analysis)

    return evaluate


def block(columns: Sequence[Column], **given: ArrayLike) -> dict[str, NDArray[Any]]:
    """Rows for a capture with `columns`, from arrays of one length and scalars, which are repeated.

    A column that is not given holds NaN (float64) or −1 (int64); one that is marked as a wall clock holds the computer's monotonic clock now, in ns.

    Raises
    ------
    ValueError      a name that is no column; arrays of different lengths, or of more than one dimension
    """
    import numpy as np

    unknown = set(given) - {column.name for column in columns}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: no such column; there are {', '.join(column.name for column in columns)}")
    lengths = {name: np.asarray(value).shape for name, value in given.items()}
    if any(len(shape) > 1 for shape in lengths.values()) or len({shape for shape in lengths.values() if shape}) > 1:
        raise ValueError(f"the columns have the shapes {lengths}; scalars and one length are expected")
    rows = next((shape[0] for shape in lengths.values() if shape), 1)
    made: dict[str, NDArray[Any]] = {}
    for column in columns:
        absent: Any = time.monotonic_ns() if column.wall_clock and column.dtype == "i8" else -1 if column.dtype == "i8" else np.nan
        value = given.get(column.name, absent)
        made[column.name] = np.broadcast_to(np.asarray(value), (rows,))
    return made
