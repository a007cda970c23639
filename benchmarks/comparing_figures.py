"""Two runs of one procedure side by side, figure by figure: what `precision compare` says where a procedure has no comparison of its own.

A difference means something when it is larger than its U. That of both figures is combined as if they were independent; with one instrument and one set-up much
is common and cancels, so U errs on the large side. It is about these two tests: what scatters from test to test is in it only as far as U of a figure has it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from precision.errors import DataError
from precision.figures import Figure
from precision.report.difference_chart import Difference, difference_chart
from precision.report.document import Cell, Column, Document, FigureRow, HeaderGroup, Note, Table
from precision.units import display_unit, text

if TYPE_CHECKING:
    from .execution import Outcome

Verdict = Literal["better", "worse", "no change within U", "not comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure before and after. All SI.

    difference : after − before, of magnitudes. uncertainty : its U (k = 2), or None. scatter_only : whether U is that of the scatter alone.
    ratio : after / before, or None. reason : why it is not comparable.
    """

    before: Figure
    after: Figure
    difference: float | None
    uncertainty: float | None
    scatter_only: bool
    ratio: float | None
    verdict: Verdict
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison, ready to be printed. changes : figure's key -> change. judged : keys that decide where none are named. notes : what a reader must know."""

    changes: Mapping[str, Change]
    judged: tuple[str, ...]
    notes: tuple[str, ...]
    table: Table
    document: Document


def worse(changes: Mapping[str, Change], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The figures among `keys` that are worse, or that only the first run has."""
    return tuple(
        key for key in keys
        if changes[key].verdict == "worse" or (changes[key].before.value is not None and changes[key].after.value is None)
    )  # fmt: skip


def compare(before: Outcome, after: Outcome, *, larger_is_better: Collection[str] = (), neither: Collection[str] = ()) -> Compared:
    """The figures of two runs of one procedure, by their keys.

    larger_is_better : keys of margins and the like; of all others the smaller magnitude is the better. neither : keys whose size is no merit.

    Raises
    ------
    DataError       runs of different procedures, or without a figure in common
    """
    kinds = [one.run.manifest.procedure for one in (before, after)]
    if kinds[0] != kinds[1]:
        raise DataError(f"{before.run.name} is a run of {kinds[0]!r}, {after.run.name} of {kinds[1]!r}; runs of one procedure are compared")
    first, second = ({row.figure.key: row for row in one.document.rows} for one in (before, after))
    common = [key for key in first if key in second and first[key].figure.unit == second[key].figure.unit]
    if not common:
        raise DataError(f"{before.run.name} and {after.run.name} have no figure in common; they cannot be compared")
    changes = {key: _change(first[key].figure, second[key].figure, larger=key in larger_is_better, neither=key in neither) for key in common}
    notes = tuple(_notes(before, after, first, second))
    judged = tuple(key for key in common if first[key].headline) or tuple(common)
    title = f"{before.document.title}: before and after"
    table = _table(title, changes)
    return Compared(changes=changes, judged=judged, notes=notes, table=table, document=_document(before, after, title, table, changes, notes))


def _change(before: Figure, after: Figure, *, larger: bool = False, neither: bool = False) -> Change:
    if before.value is None or after.value is None:
        which, missing = ("before", before) if before.value is None else ("after", after)
        return Change(before=before, after=after, difference=None, uncertainty=None, scatter_only=False, ratio=None, verdict="not comparable", reason=f"{which}: {missing.reason}")
    size = abs(before.value)
    difference = abs(after.value) - size
    uncertainty = None if before.uncertainty is None or after.uncertainty is None else math.hypot(before.uncertainty, after.uncertainty)
    verdict: Verdict = "worse" if (difference < 0 if larger else difference > 0) else "better"
    if uncertainty is None or neither:
        verdict = "not comparable"
    elif abs(difference) <= uncertainty:
        verdict = "no change within U"
    return Change(
        before=before, after=after, difference=difference, uncertainty=uncertainty, scatter_only=False, ratio=abs(after.value) / size if size else None,
        verdict=verdict, reason=None if uncertainty is not None else "it has no U, and so has the difference: what chance alone would change is not known",
    )  # fmt: skip


def _notes(before: Outcome, after: Outcome, first: Mapping[str, FigureRow], second: Mapping[str, FigureRow]) -> list[str]:
    notes = [f"{one.run.name} is {one.run.manifest.status}: its figures are of a part of the test." for one in (before, after) if one.run.manifest.status != "COMPLETE"]
    for one, rows, others in ((before, first, second), (after, second, first)):
        if only := [rows[key].figure.symbol for key in rows if key not in others]:
            notes.append(f"Only {one.run.name} has {', '.join(only)}.")
    where = ["the virtual machine" if one.run.manifest.simulated else "a machine" for one in (before, after)]
    if where[0] != where[1]:
        notes.append(f"The tests differ in measured on: {where[0]} and {where[1]}.")
    serial = [getattr(getattr(one.plan, "machine", None), "serial_number", None) for one in (before, after)]
    if serial[0] != serial[1]:
        notes.append(f"The tests differ in machine: {serial[0]} and {serial[1]}.")
    if any(before.run.manifest.plan.get(section) != after.run.manifest.plan.get(section) for section in before.run.manifest.plan.keys() - _MAY_DIFFER):
        notes.append("The tests were made with different plans; what moved or was read may differ.")
    return notes


_MAY_DIFFER = {"title", "machine", "test", "devices", "simulation", "limits", "seed"}


def _table(title: str, changes: Mapping[str, Change]) -> Table:
    rows: list[list[Cell]] = []
    for change in changes.values():
        numbers = [None if value is None else abs(value) for value in (change.before.value, change.after.value)] + [change.difference, change.uncertainty]
        unit = display_unit(max((abs(value) for value in numbers if value is not None), default=0.0), change.before.unit)
        shown: list[Cell] = ["—" if value is None else text(value, change.before.unit, unit=unit, digits=3).removesuffix(unit).strip().replace("-", "−") for value in numbers]
        rows.append([change.before.symbol, *shown, unit, "—" if change.ratio is None else f"{change.ratio:.3g}", "no change" if change.verdict == "no change within U" else change.verdict])
    return Table(
        title=title,
        columns=[Column(name=name) for name in ("Figure", "before", "after", "after − before", "U (k = 2)", "unit", "ratio", "verdict")],
        rows=rows,
        note="Magnitudes. U of the difference: that of both figures, taken as independent; a difference within it is no change.",
    )


def _document(before: Outcome, after: Outcome, title: str, table: Table, changes: Mapping[str, Change], notes: tuple[str, ...]) -> Document:
    rows = [(label, one.run.name) for label, one in (("Before", before), ("After", after))]
    pairs = [
        Difference(symbol=one.before.symbol, unit=one.before.unit, before=abs(one.before.value), after=abs(one.after.value), uncertainty=one.uncertainty, verdict=one.verdict)
        for one in changes.values() if one.before.value is not None and one.after.value is not None
    ]  # fmt: skip
    return Document(
        title=f"Comparison: {title}",
        header=(HeaderGroup(title="Runs", rows=rows),),
        charts=(difference_chart(pairs),) if any(one.before for one in pairs) else (),
        tables=(table,),
        notes=[Note(text=note, kind="flag") for note in notes]
        + [Note(text=f"{change.before.symbol}: {change.reason}.") for change in changes.values() if change.reason],
    )
