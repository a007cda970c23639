"""Measure an axis, correct its table in the controller, and measure it again: what `precision improve` does.

Only LinuxCNC's screw compensation can be written from here. The old table is kept on the disk before anything is replaced, and put back where the new one
does not arrive whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from precision.compensation.formats import format_named
from precision.drivers.linuxcnc import compensation as controller_table
from precision.drivers.linuxcnc import driver as linuxcnc
from precision.drivers.linuxcnc.connection import Place
from precision.errors import Aborted, DataError, PlanError
from precision.runs import durable
from precision.runs.directory import RunDirectory, run_folders

from . import comparing, compensating
from .execution import Outcome, execute
from .machine_address import at_machine
from .plan_files import runnable
from .positioning_plan import Parameters
from .procedure import Outlook

OLD_TABLE: Final = "controller-table-before-{axis}.txt"
"""In the run that was measured with it."""
NEW_TABLE: Final = "controller-table-after-{axis}.txt"
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
    number = "XYZ".find(axis)
    if len(axis) != 1 or number < 0:
        raise PlanError(f"--axis {axis[:20]!r}: X, Y or Z is expected")
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
        controller = linuxcnc.connect(address)
        try:
            old, kind, _ = controller.beside.table(axis)
            name = _FORMATS[kind]
            active = controller_table.active(controller, axis)
            proposal = compensating.propose(before, name, format_named(name), compensating.Wishes(onto=active))
            _keep(before.run.path / OLD_TABLE.format(axis=axis), old)
            _keep(before.run.path / NEW_TABLE.format(axis=axis), proposal.text)
            if not agreed(proposal):
                raise Aborted(f"nothing was written to the controller; the table is kept in {before.run.path / NEW_TABLE.format(axis=axis)}")
            step("installing the table and verifying what the controller adds")
            installed = controller_table.install(controller, axis, proposal.text)
        finally:
            controller.close()
        step("measuring again")
        after = execute(plan, out)
    return Improved(before=before, after=after, proposal=proposal, installed=installed, comparison=comparing.compare(before, after))


def old_table(out: Path, axis: str) -> tuple[RunDirectory, str]:
    """The table that the newest improvement of an axis replaced, and the run that was measured with it; raises `DataError` where there is none."""
    for folder in sorted(run_folders(out), reverse=True):
        path = folder / OLD_TABLE.format(axis=axis)
        if path.is_file():
            try:
                return RunDirectory.open(folder), path.read_text(encoding="latin-1")
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    raise DataError(f"no run in {out} kept an old table of {axis}; --out names the folder in which the axis was improved")


def restore(address: str, axis: str, text: str) -> controller_table.Installed:
    """Install a table that was kept; raises as `drivers.linuxcnc.compensation.install`."""
    controller = linuxcnc.connect(address)
    try:
        return controller_table.install(controller, axis, text)
    finally:
        controller.close()


def _keep(path: Path, text: str) -> None:
    try:
        durable.replace(path, text.encode("latin-1"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); nothing was written to the controller") from error
