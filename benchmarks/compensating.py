"""From a positioning test to the file that a controller loads, and what the axis is predicted to do with it.

The prediction uses the table as the controller will hold it: the file is written, read back by our reader, and added to the readings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from precision import __version__, units
from precision.compensation.formats import Format
from precision.compensation.table import (
    SAME_POINT,
    Table,
    evenly,
    expected_range,
    fewest_even_points,
    fewest_points,
    from_means,
)
from precision.errors import DataError, PlanError
from precision.recording import DOWN, UP, Positioning
from precision.report.compensation_chart import State, states_chart
from precision.report.document import Cell, Chart, Column
from precision.report.document import Table as ReportTable
from precision.standards import iso230_2
from precision.standards.positioning import Statistics, statistics

from .execution import Outcome
from .positioning_evaluation import Analysis
from .positioning_plan import Parameters

AUTOMATIC_TOLERANCE: Final = 0.02
"""Share of the correction's range within which points at even distances must follow it, where neither spacing nor tolerance is given."""
COMPARED: Final = ("A", "E", "M", "R", "B", "B_mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person asks of the table.

    averaged : the same correction for both directions; None: as the format needs. spacing : even distances, m or rad. tolerance : as few points as keep
    the interpolation within it. reference : position (controller's coordinates) where the correction is 0. offset : controller's coordinate of the run's
    zero. onto : the table that was active during the run. options : of the format.
    """

    averaged: bool | None = None
    spacing: float | None = None
    tolerance: float | None = None
    reference: float | None = None
    offset: float = 0.0
    onto: Table | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A table, ready to be loaded.

    name, format : the controller's. text : the file. loaded : the table in it, in the controller's coordinates. added : what it changes, in the run's.
    measured, predicted : figures of the readings as they are, and with `added`. stats, after : means behind the two.
    interpolation : largest difference to a table with a point at each target. scatter_range : E that scatter alone makes of a new test, or None.
    notes : one sentence each that a person must know.
    """

    name: str
    format: Format
    text: str
    loaded: Table
    added: Table
    measured: iso230_2.Result
    predicted: iso230_2.Result
    interpolation: float
    scatter_range: float | None
    notes: tuple[str, ...]


def analysis_of(outcome: Outcome) -> Analysis:
    """The positioning test that the run is; raises `DataError` where it is another."""
    return outcome.analysis_as(Analysis, "a table for a controller comes from a positioning test, it is not made")


def propose(outcome: Outcome, name: str, format: Format, wishes: Wishes) -> Proposal:
    """The file for a controller from an evaluated run, with its prediction.

    Raises
    ------
    DataError       the run is not complete, a mean is missing, or the table does not fit the format
    PlanError       wishes that contradict each other or the format
    """
    if outcome.run.manifest.status != "COMPLETE":
        raise DataError(f"{outcome.run.name} is {outcome.run.manifest.status}; a controller is not corrected with a part of a test: measure the axis again")
    recording = analysis_of(outcome).recording
    stats = statistics(recording)
    if recording.kind not in format.kinds:
        raise PlanError(f"{format.title}: holds {' and '.join(format.kinds)} axes; {recording.axis} is {recording.kind}")
    _contradictions(format, wishes)
    exact = from_means(axis=recording.axis, kind=recording.kind, target=recording.target, mean=stats.mean)
    wanted = exact.shifted(wishes.offset)
    if wishes.onto is not None:
        wanted = wanted.plus(wishes.onto)
    if wishes.averaged or format.directions == "one":
        wanted = wanted.as_averaged()
    spaced, interpolation = _spaced(wanted, format, wishes)
    reference = 0.0 if format.zero_at_origin else wishes.reference
    if reference is not None:
        spaced = spaced.zero_at(reference)
    text = format.write(spaced, wishes.options)
    loaded = format.read(text, axis=recording.axis, kind=recording.kind, options=wishes.options)
    added = (loaded if wishes.onto is None else loaded.plus(wishes.onto.negative())).shifted(-wishes.offset)
    proposal = Proposal(
        name=name, format=format, text=text, loaded=loaded, added=added, interpolation=interpolation,
        measured=iso230_2.evaluate(recording, uncertainty=outcome.analysis.budget), predicted=iso230_2.evaluate(corrected(recording, added), uncertainty=outcome.analysis.budget),
        scatter_range=_scatter_range(stats), notes=(),
    )  # fmt: skip
    return replace(proposal, notes=tuple(_notes(outcome, stats, proposal, wishes)))


def _contradictions(format: Format, wishes: Wishes) -> None:
    if wishes.spacing is not None and wishes.tolerance is not None:
        raise PlanError("--spacing and --tolerance both choose the points; give one of them")
    if wishes.averaged is False and format.directions == "one":
        raise PlanError(f"{format.title}: has one value for both directions; leave --bidirectional out")
    if format.directions == "reversal" and (wishes.averaged or wishes.spacing or wishes.tolerance or wishes.onto):
        raise PlanError(f"{format.title}: holds one number, the mean reversal; --averaged, --spacing, --tolerance and --onto mean nothing there")
    if format.zero_at_origin and wishes.reference not in (None, 0.0):
        raise PlanError(f"{format.title}: its reference point is the controller's zero; leave --reference out, and give --offset where the run's zero is another")


def _spaced(wanted: Table, format: Format, wishes: Wishes) -> tuple[Table, float]:
    """The table with the points that the format and the wishes ask for, and how far it then is from the one with all points."""
    if format.directions == "reversal":
        return wanted, 0.0
    full = wanted
    if format.zero_at_origin and not wanted.nominal[0] <= 0 <= wanted.nominal[-1]:
        full = wanted.resampled(np.union1d(wanted.nominal, [0.0]))
    if wishes.spacing is not None:
        if wishes.spacing > (length := float(np.ptp(full.nominal))):
            span, step = (units.text(value, full.unit, digits=6) for value in (length, wishes.spacing))
            raise PlanError(f"--spacing: {step} is more than the {span} that were measured; a smaller one is expected")
        spaced = evenly(full, wishes.spacing)
    elif format.spacing == "even":
        correction = np.concatenate([full.forward, full.reverse])
        tolerance = wishes.tolerance or max(AUTOMATIC_TOLERANCE * float(np.ptp(correction)), 1e-12)
        spaced = fewest_even_points(full, tolerance)
    elif wishes.tolerance is not None:
        spaced = fewest_points(full, wishes.tolerance)
    else:
        spaced = full
    return spaced, spaced.interpolation_error(full)


def _scatter_range(stats: Statistics) -> float | None:
    """E of a new test of the same kind on a perfectly corrected axis: its means and those that made the table scatter by s/√n each."""
    known = np.isfinite(stats.s)
    if not known.any():
        return None
    pooled = float(np.sqrt(np.mean(stats.s[known] ** 2)))
    runs = float(np.mean(stats.count[stats.count > 0]))
    return expected_range(stats.mean.size) * pooled * math.sqrt(2 / runs)


def _notes(outcome: Outcome, stats: Statistics, proposal: Proposal, wishes: Wishes) -> list[str]:
    plan, unit = outcome.plan, proposal.added.unit
    notes = []
    if proposal.format.experimental:
        notes.append(f"EXPERIMENTAL: {proposal.format.experimental}. Load it with the axis disabled or a tenth of the values first, and measure before you trust it.")
    if outcome.analysis.missing:
        notes.append(f"{outcome.analysis.missing} approaches are missing; the means at their targets are of fewer readings.")
    notes += list(proposal.measured.flags)
    if proposal.scatter_range is None:
        notes.append("One approach from each side: what scatters is corrected as if it were systematic. Measure several runs.")
    elif proposal.measured.E is not None and proposal.measured.E < 2 * proposal.scatter_range:
        notes.append(
            f"E is {units.text(proposal.measured.E, unit)}, scatter of the means alone would make {units.text(proposal.scatter_range, unit)}: there is little to correct."
        )
    low, high = (float(end) for end in proposal.loaded.nominal[[0, -1]])
    if wishes.reference is not None and not low <= wishes.reference <= high:
        place, first, last = (units.text(value, unit, digits=6) for value in (wishes.reference, low, high))
        notes.append(f"--reference {place} lies outside the table, {first} … {last}: the correction is 0 at the nearer end.")
    # A controller without a table has one point that adds nothing: no table that could be the wrong one.
    if wishes.onto is not None and (wishes.onto.nominal.size > 1 or np.any(wishes.onto.forward) or np.any(wishes.onto.reverse)):
        begins, ends = (float(end) for end in wishes.onto.nominal[[0, -1]])
        start, stop = (float(place) + wishes.offset for place in proposal.measured.target[[0, -1]])
        if begins > start + SAME_POINT or ends < stop - SAME_POINT:
            notes.append(
                f"The table of --onto covers {units.text_range(begins, ends, unit)}, the test {units.text_range(start, stop, unit)}: beyond its ends its last value "
                "was taken to act, as this sum has it. Is it the table that was active?"
            )
    figure = proposal.measured.figures["E"]
    if figure.value is not None and figure.uncertainty is not None and figure.uncertainty >= figure.value:
        notes.append(f"U of E is {units.text(figure.uncertainty, unit, digits=2)}, as large as E itself: the table may correct the measurement, not the machine.")
    if isinstance(plan, Parameters) and plan.evaluation.normalise_to_20_degrees:
        notes.append("The readings were corrected to 20 °C, so the table is that of the axis at 20 °C; growth with temperature remains.")
    active = plan.machine.compensations_active
    if wishes.onto is None and (getattr(plan, "compensation", None) is not None or (active and active.strip().lower() not in ("none", "no", "off", "keine"))):
        notes.append(f"A compensation was active during the run ({active or 'in the plan'}): this table holds what it left. Add it to that one (--onto FILE), or measure without.")
    if wishes.offset == 0:
        notes.append("Positions are those of the run; where the controller's own zero is elsewhere, give --offset.")
    notes.append("The prediction is made from the readings that made the table; only a new measurement shows what scatter, drift and errors between the targets leave.")
    return notes


def report_table(proposal: Proposal) -> ReportTable:
    """ "At target … the machine was … so the controller adds …", one row a target."""
    measured, after, table = proposal.measured, proposal.predicted, proposal.added
    # A ten thousandth of the largest deviation: what the table writes on paper, not what float64 left of a difference.
    step = 10.0 ** (math.floor(math.log10(max(float(np.nanmax(np.abs(measured.mean))), 1e-12))) - 4)

    def shown(value: float) -> float:
        return round(value / step) * step

    rows: list[list[Cell]] = []
    for i, target in enumerate(measured.target):
        adds = [shown(float(table.correction(target, way))) for way in (UP, DOWN)]
        rows.append([float(target), *(shown(float(measured.mean[way, i])) for way in (UP, DOWN)), *adds, *(shown(float(after.mean[way, i])) for way in (UP, DOWN))])
    unit = table.unit
    names = ("machine was ↑", "machine was ↓", "controller adds ↑", "controller adds ↓", "then ↑", "then ↓")
    return ReportTable(
        title=f"Axis {measured.axis}: at target … the machine was … so the controller adds …",
        columns=[Column(name="at target", unit=unit, family="target"), *(Column(name=name, unit=unit) for name in names)],
        rows=rows,
        note="Machine was: mean deviation, actual − target (positive: too far). Then: the deviation that is predicted with the table.",
    )


def worst_sentence(proposal: Proposal) -> str:
    """The largest deviation as a sentence, so that the sign cannot be misread."""
    measured = proposal.measured
    way, index = (int(part) for part in np.unravel_index(int(np.nanargmax(np.abs(measured.mean))), measured.mean.shape))
    deviation, target = float(measured.mean[way, index]), float(measured.target[index])
    place = f"{target / proposal.added.file_unit:.6g} {'mm' if measured.kind == 'linear' else '°'}"
    adds = float(proposal.added.correction(target, way))
    unit = units.display_unit(max(abs(deviation), abs(adds)), proposal.added.unit)
    shown, sign = units.text(abs(deviation), proposal.added.unit, unit=unit), "+" if adds >= 0 else "−"
    return (
        f"At {place}, moving in the {('positive', 'negative')[way]} direction, the machine was {shown} too {'far' if deviation > 0 else 'short'}, "
        f"so the controller adds {sign}{units.text(abs(adds), proposal.added.unit, unit=unit)}."
    )


def figures_table(proposal: Proposal) -> ReportTable:
    """The figures as measured and as predicted."""
    rows: list[list[Cell]] = [
        [proposal.measured.figures[key].symbol, proposal.measured.figures[key].value, proposal.predicted.figures[key].value] for key in COMPARED
    ]
    unit = proposal.added.unit
    scatter = "" if proposal.scatter_range is None else f" Scatter of the means alone would make E {units.text(proposal.scatter_range, unit)} in a new test."
    return ReportTable(
        title="ISO 230-2:2014, measured and predicted",
        columns=[Column(name="Figure"), Column(name="measured", unit=unit), Column(name="predicted", unit=unit)],
        rows=rows,
        note=f"Predicted: the same readings with the table added.{scatter}",
    )


def chart(proposal: Proposal, again: iso230_2.Result | None = None) -> Chart:
    """Measured, predicted and, where the axis was measured again with the table, that too."""
    states = [
        State(name="measured", target=proposal.measured.target, mean=proposal.measured.mean),
        State(name="predicted", target=proposal.predicted.target, mean=proposal.predicted.mean),
        *([State(name="measured again", target=again.target, mean=again.mean)] if again is not None else []),
    ]
    unit = proposal.added.unit
    results = [("measured", proposal.measured), ("predicted", proposal.predicted), *([("measured again", again)] if again is not None else [])]
    numbers = "   ·   ".join(f"E {label} {units.text(result.E, unit, digits=3)}" for label, result in results if result.E is not None)
    return states_chart(states, axis=proposal.measured.axis, unit=unit, title=f"Compensation of axis {proposal.measured.axis}", key_numbers=numbers)


def about(outcome: Outcome, proposal: Proposal, wishes: Wishes) -> dict[str, Any]:
    """What the file is, for the file beside it: where it comes from, what its signs mean, and the table in SI units."""
    manifest = outcome.run.manifest
    return {
        "schema": 1,
        "format": proposal.name,
        "title": proposal.format.title,
        "experimental": proposal.format.experimental,
        "sign": "correction = -(actual - target), added to the commanded position",
        "file_holds": proposal.format.file_holds,
        "load": proposal.format.load,
        "run": manifest.run_id,
        "plan_sha256": manifest.plan_sha256,
        "capture_sha256": manifest.capture_sha256,
        "software": f"precision {__version__}",
        "axis": proposal.loaded.axis,
        "unit": proposal.loaded.unit,
        "coordinates": {"offset_of_the_runs_zero": wishes.offset},
        "options": dict(wishes.options),
        "table": {name: getattr(proposal.loaded, name).tolist() for name in ("nominal", "forward", "reverse")},
        "interpolation": proposal.interpolation,
        "figures": {
            state: {key: getattr(proposal, state).figures[key].value for key in COMPARED} for state in ("measured", "predicted")
        },
        "scatter_range": proposal.scatter_range,
        "notes": list(proposal.notes),
    }  # fmt: skip


def corrected(recording: Positioning, table: Table) -> Positioning:
    """The recording as it would have been with `table` active: its corrections added to the actual positions."""
    return replace(recording, actual=recording.actual + np.stack([table.correction(recording.target, way) for way in (UP, DOWN)])[:, :, None])
