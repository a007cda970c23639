"""Measure an axis, correct its table in the controller, and measure it again: what `precision improve` does.

Only LinuxCNC's screw compensation can be written from here. The old table is kept on the disk before anything is replaced, and put back where the new one
does not arrive whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from precision.compensation.formats import format_named
from precision.compensation.table import Table
from precision.drivers import open_controller
from precision.drivers.linuxcnc import compensation as controller_table
from precision.drivers.linuxcnc import driver as linuxcnc
from precision.drivers.linuxcnc.connection import Place
from precision.errors import Aborted, DataError, PlanError
from precision.runs import durable
from precision.runs.directory import RunDirectory, run_folders

from . import comparing, compensating
from .execution import Outcome, execute
from .guard import machine_stops, signals_become_exceptions
from .machine_address import at_machine
from .plan_files import runnable
from .positioning import preview
from .positioning_plan import Parameters
from .procedure import Outlook

OLD_TABLE: Final = "controller-table-before-{axis}.txt"
"""In the run that was measured with it."""
NEW_TABLE: Final = "controller-table-after-{axis}.txt"
_RECORD: Final = "supervisor-table.json"
"""What a supervisor writes when it had to stop the machine while a table was proven."""
_FORMATS: Final = {0: "linuxcnc", 1: "linuxcnc-type1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Improved:
    """The axis before and after, the table that was installed, and what the controller then added to its command."""

    before: Outcome
    after: Outcome
    proposal: compensating.Proposal
    installed: controller_table.Installed
    comparison: comparing.Comparison


def plan_for(axis: str, address: str, settings: tuple[str, ...] = (), *, plan: str = "positioning") -> tuple[Parameters, Outlook]:
    """The positioning test of an axis at a controller, and what it is going to do; raises `PlanError`."""
    name, there = at_machine(plan, address)
    number = _checked(axis)
    good, ahead = runnable(name, [*there, f"axis.name={axis}", f"instrument.axis={number}", *settings])
    if not isinstance(good, Parameters):
        raise PlanError(f"{name} is a plan of {good.procedure}; a table is made from a positioning test")
    return good, ahead


@contextmanager
def held(address: str) -> Iterator[None]:
    """Keep a private controller from being taken down between two runs (of others nothing is kept)."""
    place = Place(address)
    try:
        yield
    finally:
        place.release()


def improve(
    plan: Parameters, out: Path, *, agreed: Callable[[compensating.Proposal], bool], step: Callable[[str], Any] = lambda what: None,
) -> Improved:
    """Measure, propose, ask, install, measure again.

    agreed : shown the proposal, says whether it may be written to the controller. step : told what begins.

    Raises
    ------
    Aborted         not agreed; nothing was written
    DataError, DeviceError, SafetyStop      as the parts say; the old table is back then, or the error says that it is not
    """
    axis, address = plan.axis.name, plan.devices.controller.address
    with held(address):
        step("measuring as it is")
        before = execute(plan, out)
        controller = open_controller("linuxcnc", address, **plan.devices.controller.options)
        assert isinstance(controller, linuxcnc.LinuxCnc)
        try:
            old, kind, _ = controller.beside.table(axis)
            name = _FORMATS[kind]
            active = controller_table.active(controller, axis)
            step("proving that the table in the controller's file is the one that acts")
            ahead = preview(plan)
            _prove(controller, axis, active, (ahead.lowest_m, ahead.highest_m), record=before.run.path / _RECORD)
            proposal = compensating.propose(before, name, format_named(name), compensating.Wishes(onto=active))
            _keep(before.run.path / OLD_TABLE.format(axis=axis), old)
            _keep(before.run.path / NEW_TABLE.format(axis=axis), proposal.text)
            if not agreed(proposal):
                raise Aborted(f"nothing was written to the controller; the table is kept in {before.run.path / NEW_TABLE.format(axis=axis)}")
            if controller.beside.table(axis)[0] != old:
                raise DataError(f"the table of {axis} in the controller was replaced by somebody else meanwhile; nothing was written. See who works there, then begin again")
            step("installing the table and verifying what the controller adds")
            installed = _installed(controller, axis, proposal.text, record=before.run.path / _RECORD)
        finally:
            controller.close()
        step("measuring again")
        after = execute(plan, out)
    return Improved(before=before, after=after, proposal=proposal, installed=installed, comparison=comparing.compare(before, after))


def old_table(out: Path, axis: str) -> tuple[RunDirectory, str]:
    """The table that the newest improvement of an axis replaced, and the run that was measured with it; raises `DataError` where there is none."""
    _checked(axis)
    for folder in sorted(run_folders(out), reverse=True):
        path = folder / OLD_TABLE.format(axis=axis)
        if path.is_file():
            try:
                return RunDirectory.open(folder), path.read_text(encoding="latin-1")
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    raise DataError(f"no run in {out} kept an old table of {axis}; --out names the folder in which the axis was improved")


def restore(address: str, axis: str, run: RunDirectory, text: str) -> controller_table.Installed:
    """Install a table that `run` kept; raises as `drivers.linuxcnc.compensation.install`, and `DataError` where `run` was measured at another machine."""
    controller = linuxcnc.connect(address)
    try:
        measured = run.manifest.instruments.get("controller")
        theirs, here = (_machine_of(identity) for identity in ("" if measured is None else measured.identity, controller.identity))
        if theirs and theirs != here:
            raise DataError(
                f"{run.name} kept the table of {axis} of machine {theirs[:80]!r}; at {address} is {here[:80]!r}, and nothing was written to it. "
                "--out names the folder in which this machine was improved"
            )
        return _installed(controller, axis, text, record=run.path / _RECORD)
    finally:
        controller.close()


def _machine_of(identity: str) -> str:
    """The machine's name of "LinuxCNC VERSION, machine NAME": a newer version does not make another machine."""
    return identity.partition(", machine ")[2] or identity


def _installed(controller: linuxcnc.LinuxCnc, axis: str, text: str, *, record: Path) -> controller_table.Installed:
    """Install under guard: whatever ends it, the machine stands first, then the old table is put back."""
    with signals_become_exceptions() as mask:
        return controller_table.install(controller, axis, text, moving=lambda: _guarded(controller, mask, record), undoing=mask)


def _prove(controller: linuxcnc.LinuxCnc, axis: str, table: Table, within_m: tuple[float, float], *, record: Path) -> None:
    """A table that was written without a restart stands in the file and does not act: on top of it, the next would correct twice."""
    with signals_become_exceptions() as mask, _guarded(controller, mask, record):
        try:
            controller_table.verify(controller, axis, table, within_m=within_m)
        except DataError as differs:
            raise DataError(
                f"the table of {axis} in the controller's file is not the one that acts, so none can be made on top of it, and nothing was written: {differs}. "
                "If the file was replaced since LinuxCNC started, restart LinuxCNC (or put the old one back with --restore), then measure again"
            ) from differs


def _guarded(controller: linuxcnc.LinuxCnc, mask: Callable[[], None], record: Path) -> AbstractContextManager[None]:
    return machine_stops(controller, lambda event, **details: None, mask, record=record)


def _checked(axis: str) -> int:
    """The number of X, Y or Z."""
    number = "XYZ".find(axis)
    if len(axis) != 1 or number < 0:
        raise PlanError(f"--axis {axis[:20]!r}: X, Y or Z is expected")
    return number


def _keep(path: Path, text: str) -> None:
    try:
        durable.replace(path, text.encode("latin-1"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); nothing was written to the controller") from error
