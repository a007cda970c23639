"""Two positioning tests of an axis side by side: before and after a compensation, a repair, a year.

A difference means something when it is larger than its U: that of both figures, and the scatter of readings. The U of a figure is about the very stops
that were measured; another test makes other stops. What that alone changes is found by drawing tests with the measured means and the pooled s (1000
trials, k = 2). The two U are taken as independent: with one instrument and one set-up much is common and cancels, so U errs on the large side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from precision.errors import DataError
from precision.figures import Figure
from precision.kernels.positioning import FIGURES, positioning_figures
from precision.report.compensation_chart import State, states_chart
from precision.report.document import Cell, Chart, Column, Document, HeaderGroup, Note, Table
from precision.runs.manifest import Manifest
from precision.standards import iso230_2
from precision.standards.positioning import statistics
from precision.units import text

from .comparing_figures import Change, Compared, Verdict, worse
from .computing import compute
from .execution import Outcome
from .positioning_evaluation import Analysis
from .positioning_plan import Parameters

JUDGED: Final = ("A", "E", "M", "R", "B")
"""Figures that decide `--fail-worse` where none are named."""
TRIALS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Two runs of an axis. changes : figure's key -> change. notes : what differs between the tests beside the machine."""

    before: Outcome
    after: Outcome
    results: tuple[iso230_2.Result, iso230_2.Result]
    changes: dict[str, Change]
    notes: tuple[str, ...]

    def worse(self, keys: tuple[str, ...] = JUDGED) -> tuple[str, ...]:
        """The figures among `keys` that are worse, or that only the first run has."""
        return worse(self.changes, keys)


def compare(before: Outcome, after: Outcome) -> Comparison:
    """Compare two evaluated runs after ISO 230-2:2014.

    Raises
    ------
    DataError       a linear and a rotary axis
    """
    first, second = (one.analysis_as(Analysis, "the comparison of positioning tests is not made").recording for one in (before, after))
    if first.kind != second.kind:
        raise DataError(f"{before.run.name} is of a {first.kind} axis, {after.run.name} of a {second.kind} one; they cannot be compared")
    results = tuple(iso230_2.evaluate(one.analysis.recording, uncertainty=one.analysis.budget) for one in (before, after))
    scatter = [_scatter(one) for one in (before, after)]
    changes = {key: _change(key, results[0].figures[key], results[1].figures[key], scatter) for key in results[0].figures}
    return Comparison(before=before, after=after, results=(results[0], results[1]), changes=changes, notes=tuple(_differences(before, after)))


def _scatter(outcome: Outcome) -> dict[str, float] | None:
    """Standard deviation of each figure from one test to the next on an unchanged machine; None where the scatter is not known."""
    stats = statistics(outcome.analysis.recording)
    runs = int(stats.count.min())
    if runs < 2 or not np.all(np.isfinite(stats.mean)):
        return None
    pooled = math.sqrt(float(np.mean(stats.s**2)))
    generator = np.random.Generator(np.random.Philox(key=230_2))  # drawn the same every time: a comparison does not change by being repeated
    trials = stats.mean[None, :, :, None] + pooled * generator.standard_normal((TRIALS, *stats.mean.shape, runs))
    drawn = compute(positioning_figures, trials)
    return {key: float(np.std(getattr(drawn, key), ddof=1)) for key in FIGURES}


def _change(key: str, before: Figure, after: Figure, scatter: list[dict[str, float] | None]) -> Change:
    if before.value is None or after.value is None:
        which, missing = ("before", before) if before.value is None else ("after", after)
        return Change(before=before, after=after, difference=None, uncertainty=None, scatter_only=False, ratio=None, verdict="not comparable",
                      reason=f"{which}: {missing.reason}")  # fmt: skip
    size = abs(before.value)
    difference = abs(after.value) - size
    stated = [figure.uncertainty for figure in (before, after) if figure.uncertainty is not None]
    spread = [2 * one[key] for one in scatter if one is not None]
    uncertainty = math.hypot(*stated, *spread) if len(spread) == 2 else None
    verdict: Verdict
    if uncertainty is None:
        verdict = "not comparable"
    else:
        verdict = "no change within U" if abs(difference) <= uncertainty else "worse" if difference > 0 else "better"
    return Change(
        before=before, after=after, difference=difference, uncertainty=uncertainty, scatter_only=uncertainty is not None and len(stated) < 2,
        ratio=abs(after.value) / size if size else None, verdict=verdict,
        reason=None if uncertainty is not None else "one approach to a target: the scatter is not known, and the difference has no U",
    )  # fmt: skip


def _differences(before: Outcome, after: Outcome) -> list[str]:
    """What a reader must know before believing that the machine made the difference."""
    notes = []
    for one in (before, after):
        if one.run.manifest.status != "COMPLETE":
            notes.append(f"{one.run.name} is {one.run.manifest.status}: its figures are of a part of the test.")
        if one.analysis.missing:
            notes.append(f"{one.run.name}: {one.analysis.missing} approaches are missing.")
    a, b = before.analysis.recording, after.analysis.recording
    pairs = (
        ("axis", a.axis, b.axis),
        ("targets", _targets(before), _targets(after)),
        ("runs", a.actual.shape[2], b.actual.shape[2]),
        ("machine", before.plan.machine.serial_number, after.plan.machine.serial_number),
        ("measured on", _where(before.run.manifest), _where(after.run.manifest)),
        ("compensation", _compensation(before), _compensation(after)),
        ("correction to 20 °C", _normalised(before), _normalised(after)),
    )
    notes += [f"The tests differ in {name}: {first} and {second}." for name, first, second in pairs if first != second]
    if a.target.shape == b.target.shape and np.array_equal(a.target, b.target):
        notes.append("Both tests have the same targets; what the axis does between them stays unseen.")
    return notes


def _targets(outcome: Outcome) -> str:
    target, unit = outcome.analysis.recording.target, outcome.analysis.recording.unit
    return f"{target.size} from {text(float(target[0]), unit, digits=6)} to {text(float(target[-1]), unit, digits=6)}"


def _where(manifest: Manifest) -> str:
    return "the virtual machine" if manifest.simulated else "a machine"


def _compensation(outcome: Outcome) -> str:
    plan = outcome.plan
    own = plan.compensation.sentence if isinstance(plan, Parameters) and plan.compensation is not None else ""
    return "; ".join(part for part in (plan.machine.compensations_active, own) if part) or "not recorded"


def _normalised(outcome: Outcome) -> str:
    plan = outcome.plan
    return ("yes" if plan.evaluation.normalise_to_20_degrees else "no") if isinstance(plan, Parameters) else "as recorded"


def report_table(comparison: Comparison) -> Table:
    """Figures before and after, their difference with its U, and the ratio."""
    unit = comparison.results[0].unit
    rows: list[list[Cell]] = [
        [
            change.before.symbol, _size(change.before), _size(change.after), change.difference, change.uncertainty,
            "—" if change.ratio is None else f"{change.ratio:.3g}", change.verdict,
        ]
        for change in comparison.changes.values()
    ]  # fmt: skip
    partly = any(change.scatter_only for change in comparison.changes.values())
    return Table(
        title=f"Axis {comparison.results[0].axis}, ISO 230-2:2014: before and after",
        columns=[Column(name="Figure"), *(Column(name=name, unit=unit) for name in ("before", "after", "after − before", "U (k = 2)")), Column(name="ratio"), Column(name="verdict")],
        rows=rows,
        note=(
            "Magnitudes. U of the difference: that of both figures, taken as independent, and what the scatter of the readings changes from test to test."
            + (" Where a run states no U, that of the scatter alone: the instrument and the temperature are not in it." if partly else "")
        ),
    )


def _size(figure: Figure) -> float | None:
    return None if figure.value is None else abs(figure.value)


def chart(comparison: Comparison) -> Chart:
    """The means of both runs on one scale, the second alone below where it is much smaller."""
    first, second = comparison.results
    unit = first.unit
    numbers = "   ·   ".join(f"E {label} {text(result.E, unit, digits=3)}" for label, result in (("before", first), ("after", second)) if result.E is not None)
    states = [State(name=name, target=result.target, mean=result.mean) for name, result in (("before", first), ("after", second))]
    return states_chart(states, axis=first.axis, unit=unit, title=f"Axis {first.axis} before and after", key_numbers=numbers)


def document(comparison: Comparison) -> Document:
    """The comparison as a report."""
    rows = [(label, one.run.name) for label, one in (("Before", comparison.before), ("After", comparison.after))]
    finite = all(np.any(np.isfinite(result.mean)) for result in comparison.results)
    return Document(
        title=f"Comparison of two tests of axis {comparison.results[0].axis}",
        subtitle="ISO 230-2:2014",
        header=(HeaderGroup(title="Runs", rows=rows),),
        charts=(chart(comparison),) if finite else (),
        tables=(report_table(comparison),),
        notes=[Note(text=note, kind="flag") for note in comparison.notes]
        + [Note(text=f"{change.before.symbol}: {change.reason}.") for change in comparison.changes.values() if change.reason],
    )


def compared(before: Outcome, after: Outcome) -> Compared:
    """`compare`, as `precision compare` prints and writes it."""
    comparison = compare(before, after)
    return Compared(changes=comparison.changes, judged=JUDGED, notes=comparison.notes, table=report_table(comparison), document=document(comparison))
