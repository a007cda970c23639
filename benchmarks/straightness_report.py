"""The reports of straightness and squareness tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from precision.figures import Figure
from precision.report.document import Document, FigureTable, Note
from precision.report.straightness_charts import Departures, square_chart, straightness_chart
from precision.runs.manifest import Manifest
from precision.standards.straightness import Result
from precision.units import text

from .lines_readings import LineReadings
from .report_head import head, provenance, stopped_early, verdict_dict
from .squareness_plan import PLANES
from .squareness_plan import Parameters as SquarenessParameters
from .straightness_evaluation import SquarenessAnalysis, StraightnessAnalysis
from .straightness_plan import Parameters as StraightnessParameters


def figures(found: dict[str, Figure], reason: str | None) -> dict[str, Figure]:
    """Figures by key; those that lack U for want of a statement in the plan say so."""
    return {
        key: replace(item, uncertainty_reason=reason) if reason and item.value is not None and item.uncertainty is None else item for key, item in found.items()
    }


def straightness_document(plan: StraightnessParameters, analysis: StraightnessAnalysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report of a straightness test, before any format. Pure."""
    found = figures(dict(analysis.result.figures), analysis.uncertainty_reason)
    judged = _limits(plan.limits.model_dump(exclude_none=True))
    wanted = plan.straightness
    departures = _departures(analysis.result, analysis.line)
    return Document(
        title=plan.title,
        subtitle=f"{wanted.axis} in {wanted.across}, ISO 230-1" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=_test(plan, f"{wanted.axis} {wanted.start * 1e3:g} … {wanted.end * 1e3:g} mm, {wanted.points} points")),
        figures=[FigureTable.of("Results after ISO 230-1", found.values(), limits=judged, headline=["E"])],
        charts=[straightness_chart(departures, reference=analysis.result.reference.value)],
        notes=_notes(plan, analysis.result.flags, analysis.uncertainty_reason, ("The slope is that of the straightedge against the motion; it is taken off.", *analysis.result.stated)),
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def squareness_document(plan: SquarenessParameters, analysis: SquarenessAnalysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report of a squareness test, before any format. Pure."""
    found = figures(dict(analysis.result.figures), analysis.uncertainty_reason)
    judged = _limits(plan.limits.model_dump(exclude_none=True))
    plane, (first, second) = plan.squareness.plane, PLANES[plan.squareness.plane]
    departures = [_departures(result, line) for result, line in zip(analysis.straightness, analysis.lines, strict=True)]
    slopes = (analysis.result.lines[0].slope, analysis.result.lines[1].slope)
    e = found["E"]
    u = "U not stated" if e.uncertainty is None else f"U = {text(e.uncertainty, 'rad', digits=2)} (k = 2)"
    key = f"E = {text(e.value or 0.0, 'rad', digits=3)}, {u}"
    by_products = [
        replace(figure, key=f"straightness_{line}", symbol=figure.symbol)
        for line, result in zip((f"{first}_in_{second}", f"{second}_in_{first}"), analysis.straightness, strict=True)
        for name, figure in figures(dict(result.figures), analysis.uncertainty_reason).items()
        if name == "E"
    ]
    return Document(
        title=plan.title,
        subtitle=f"plane {plane}, ISO 230-1" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=_test(plan, f"{first} and {second}, {plan.squareness.points} points each")),
        figures=[
            FigureTable.of("Squareness after ISO 230-1", [item for key, item in found.items() if key != "angle"], limits=judged, headline=["E"]),
            FigureTable.of("Angle between the axes", [found["angle"]]),
            FigureTable.of("Straightness of the two motions, a by-product", by_products),
        ],
        charts=[
            square_chart(departures[0], departures[1], slopes_rad=slopes, heading=f"Squareness {plane}", key_numbers=key),
            *(straightness_chart(one, reference=analysis.result.reference.value) for one in departures),
        ],
        notes=_notes(plan, analysis.result.flags, analysis.uncertainty_reason, analysis.result.stated),
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Any, result: Any, report: Document, reason: str | None) -> dict[str, Any]:
    """result.json of both tests."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "result": {**result.to_dict(), "figures": {row.figure.key: row.figure.to_dict() for row in report.rows}},
        "limits": _limits(plan.limits.model_dump(exclude_none=True)),
        "verdict": verdict_dict(report),
        "uncertainty_reason": reason,
    }


def _departures(result: Result, line: LineReadings) -> Departures:
    residual = np.asarray(result.residual_m)
    runs = line.displacement_m - line.displacement_m.mean(axis=2, keepdims=True) + residual[:, :, None]
    e = result.figures["E"]
    return Departures(
        axis=result.axis, across=result.across, position_m=result.position_m, residual_m=residual, runs_m=runs, error_m=e.value or 0.0, uncertainty_m=e.uncertainty
    )


def _limits(given: dict[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in given.items()}


def _test(plan: Any, line: str) -> list[tuple[str, str | None]]:
    cycle = plan.cycle
    return [
        ("Standard", "ISO 230-1 (from memory of the standard)"), ("Line", line), ("Runs in each direction", str(cycle.runs)),
        ("Feed", f"{cycle.feed * 60e3:g} mm/min"), ("Dwell at each point", f"{cycle.dwell:g} s, averaged over {cycle.averaging:g} s"),
        ("Reference line", plan.evaluation.reference),
    ]  # fmt: skip


def _notes(plan: Any, flags: tuple[str, ...], reason: str | None, stated: tuple[str, ...]) -> list[Note]:
    notes = [Note(text=flag, kind="flag") for flag in flags]
    if reason:
        notes.append(Note(text=f"No uncertainty is stated: {reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    notes += [Note(text=sentence) for sentence in stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return notes
