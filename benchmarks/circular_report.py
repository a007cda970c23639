"""The report of a circular test: figures against their limits, the magnified paths, and the errors behind them in the order of what they do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import units
from precision.figures import Figure
from precision.kernels.circle import least_squares_circle
from precision.report.circular_charts import Cause, DrawnPath, cause_chart, polar_chart
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.rounding import typographic, value_and_uncertainty
from precision.report.symbols import plain
from precision.runs.manifest import Manifest
from precision.standards.iso230_4 import Path, Sense
from precision.standards.reference_circles import minimum_zone

from .circular_evaluation import Analysis, Feed
from .circular_plan import Evaluated, Parameters, RecordedCircle
from .report_head import head, provenance, stopped_early, verdict_dict

HEADLINES: Final = ("G_XY", "G_YX", "G_b", "D")
_LIMITED: Final = {"G": ("G_XY", "G_YX"), "G_b": ("G_b",), "F_max": ("F_max_XY", "F_max_YX"), "F_min": ("F_min_XY", "F_min_YX"), "D": ("D",)}
"""Limit of the plan -> the figures that it is for."""


def document(plan: Evaluated, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    tables: list[FigureTable] = []
    charts: list[Chart] = []
    details: list[Table] = []
    notes: list[Note] = []
    for one in analysis.feeds:
        suffix = _suffix(analysis, one)
        figures, limits = _figures(one, suffix), _limits(plan, one, suffix)
        tables.append(FigureTable.of(f"ISO 230-4, {one.name}", figures, limits=limits, headline=[f"{key}{suffix}" for key in HEADLINES if f"{key}{suffix}" in {f.key for f in figures}]))
        charts += _charts(analysis, one)
        details += _tables(one)
        about = f"{one.name}: " if len(analysis.feeds) > 1 else ""
        notes += [Note(text=f"{about}{flag}", kind="flag") for flag in one.flags]
        if one.diagnosis is not None and (absent := [name for name in plan.evaluation.fix if not any(key == name or key.startswith(f"{name}_") for key in one.fixed)]):
            notes.append(Note(text=f"{about}{', '.join(absent)} was not found in this circle, so there is nothing of it to repair.", kind="caution"))
        if one.diagnosis is None:
            notes.append(Note(text=f"{about}No error could be told from the circle: {one.reason}", kind="caution"))
    if analysis.uncertainty_reason:
        notes.append(Note(text=f"No uncertainty of G is stated: {analysis.uncertainty_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if isinstance(plan.circle, RecordedCircle) and not plan.circle.stated:
        notes.append(Note(kind="caution", text=_assumed(plan.circle)))
    notes.append(Note(text="The constant part of the radius and the scales are told with the bar's calibrated length; the lag that both axes have in common makes the circle smaller and stands in the radius."))
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    plane = plan.circle.plane
    return Document(
        title=plan.title,
        subtitle=f"{plane}, radius {plan.circle.radius * 1e3:g} mm, ISO 230-4" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=_test_rows(plan, analysis)),
        figures=tables,
        charts=charts,
        tables=details,
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(plan.limits.model_dump(exclude_none=True)),
    )


def result_dict(plan: Evaluated, analysis: Analysis, document: Document) -> dict[str, Any]:
    """result.json: the figures in full, without anything that depends on when or where they were computed."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "feeds": [
            {
                "feed_m_per_s": one.feed_m_per_s,
                "calculated_feed_m_per_s": dict(one.calculated),
                "iso230_4": one.test.to_dict(),
                "diagnosis": None if one.diagnosis is None else one.diagnosis.to_dict(),
                "diagnosis_reason": one.reason or None,
                "what_if": None if one.remaining is None else {"fixed": list(one.fixed), "remaining": one.remaining.to_dict()},
                "flags": list(one.flags),
            }
            for one in analysis.feeds
        ],
        "limits": {key: value for key in _LIMITED if (value := getattr(plan.limits, key)) is not None},
        "verdict": verdict_dict(document),
        "uncertainty_reason": analysis.uncertainty_reason or None,
    }


def _suffix(analysis: Analysis, one: Feed) -> str:
    """What makes the keys of several feeds differ."""
    return "" if len(analysis.feeds) == 1 else f"_f{one.feed_m_per_s * 60e3:g}"


def _figures(one: Feed, suffix: str) -> list[Figure]:
    figures = [*one.test.figures.values(), *([one.remaining] if one.remaining else [])]
    if one.diagnosis is not None:
        figures += [figure for key, figure in one.diagnosis.figures.items() if key in one.diagnosis.errors]
    feed = f" @ {one.feed_m_per_s * 60e3:g}" if suffix else ""
    return [replace(figure, key=f"{figure.key}{suffix}", symbol=f"{figure.symbol}{feed}") for figure in figures]


def _limits(plan: Evaluated, one: Feed, suffix: str) -> dict[str, float]:
    return {f"{key}{suffix}": limit for name, keys in _LIMITED.items() if (limit := getattr(plan.limits, name)) is not None for key in keys if key in one.test.figures}


def _charts(analysis: Analysis, one: Feed) -> list[Chart]:
    first, second = analysis.axes
    paths, zone = _drawn(one.paths, analysis.radius_m)
    figures = one.test.figures
    numbers = "   ·   ".join(
        f"{plain(figure.symbol)} {units.text(figure.value, 'm', digits=3)}" for key in HEADLINES if (figure := figures[key]).value is not None
    )
    charts = [polar_chart(paths, axes=(first, second), heading=f"{first}{second}, radius {analysis.radius_m * 1e3:g} mm, {one.name}", key_numbers=numbers, zone_m=zone)]
    if one.diagnosis is not None:
        causes = [
            Cause(
                name=_name(key, error.size.name),
                size=_size(error.size), circularity_m=error.circularity_m, share=error.share, repaired=key in one.fixed,
            )
            for key, error in one.diagnosis.errors.items() if error.share is not None
        ]  # fmt: skip
        what_if = f"   ·   without {', '.join(one.fixed)}: {units.text(one.remaining.value, 'm', digits=3)}" if one.remaining is not None and one.remaining.value is not None else ""
        circularity = one.diagnosis["circularity"]
        total = f"{one.diagnosis.figures['circularity'].symbol} {units.text(circularity, 'm', digits=3)}" if circularity is not None else ""
        charts.append(cause_chart(causes, heading=f"What makes the circle not round, {one.name}", key_numbers=total + what_if))
    return charts


def _name(key: str, words: str) -> str:
    """The error without what else its figure's name says: "squareness of X and Y, positive: …" → "squareness of X and Y"."""
    if key.startswith("spike"):
        _, axis, side, sense = key.split("_")
        return f"spike at {'+' if side == 'plus' else '−'}{axis.upper()}, {'counter-clockwise' if sense == 'xy' else 'clockwise'}"
    return words.split(", ")[0]


def _drawn(paths: tuple[Path, ...], radius_m: float) -> tuple[list[DrawnPath], tuple[float, float] | None]:
    """The paths about the least-squares centre of all of them, and the zone around both; about the centre of the set-up where the circle is not whole."""
    angle = np.concatenate([path.angle_rad for path in paths])
    radius = radius_m + np.concatenate([path.deviation_m for path in paths])
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    whole = all(path.arc_rad == 2 * math.pi for path in paths)
    zone = None
    a = b = 0.0
    if whole:
        rings = minimum_zone(x, y)
        a, b = float(rings.x), float(rings.y)
        zone = (float(rings.inner_radius) - radius_m, float(rings.outer_radius) - radius_m)
    drawn = [DrawnPath(counter_clockwise=path.sense is Sense.XY, angle_rad=path.angle_rad, deviation_m=_about(path, radius_m, a, b)) for path in paths]
    # Magnified about the reference circle of both, not about the nominal radius: a bar that is a micrometre long would hide the rest.
    circle = least_squares_circle(x, y) if whole else None
    middle = 0.0 if circle is None else float(circle.radius) - radius_m
    drawn = [replace(path, deviation_m=path.deviation_m - middle) for path in drawn]
    return drawn, None if zone is None else (zone[0] - middle, zone[1] - middle)


def _about(path: Path, radius_m: float, a: float, b: float) -> NDArray[np.float64]:
    radius = radius_m + path.deviation_m
    return np.asarray(np.hypot(radius * np.cos(path.angle_rad) - a, radius * np.sin(path.angle_rad) - b) - radius_m)


def _size(figure: Figure) -> str:
    """ "3.90 ± 0.11 µm": U with k = 2; without U the size alone."""
    if figure.value is None:
        return figure.reason or ""
    unit = units.display_unit(abs(figure.value), figure.unit)
    if figure.uncertainty is None:
        return units.text(figure.value, figure.unit, unit=unit, digits=3)
    value, uncertainty = value_and_uncertainty(units.in_unit(figure.value, unit), units.in_unit(figure.uncertainty, unit))
    return f"{typographic(value)} ± {uncertainty} {unit}".strip()


def _tables(one: Feed) -> list[Table]:
    if one.diagnosis is None:
        return []
    rows: list[list[Cell]] = []
    for key, error in one.diagnosis.errors.items():
        share = "—" if error.share is None else f"{error.share * 100:.1f} %"
        rows.append([key, error.size.symbol, _size(error.size), error.detail or "—", error.circularity_m, share])
    rest = one.diagnosis["residual"]
    return [
        Table(
            title=f"Errors behind the circle, {one.name}",
            columns=[Column(name="name for --fix"), Column(name="Symbol"), Column(name="Size ± U (k = 2)"), Column(name="Detail"), Column(name="alone makes a circularity of", unit="m"), Column(name="share")],
            rows=rows,
            note=(
                f"Both directions fitted together, without the angles just after reversals; the model leaves {units.text(rest or 0.0, 'm', digits=2)} rms. Centre, radius and single scales have no share: "
                "centring takes them off, and scales count as their mismatch. Signs: precision.standards.ballbar."
            ),
        )
    ]


def _test_rows(plan: Evaluated, analysis: Analysis) -> list[tuple[str, str | None]]:
    circle = plan.circle
    rows: list[tuple[str, str | None]] = [
        ("Standard", "ISO 230-4 (from memory of the standard)"), ("Plane", circle.plane), ("Radius", f"{circle.radius * 1e3:g} mm"),
        ("Feed", ", ".join(one.name for one in analysis.feeds)), ("Reference circles", f"G: {plan.evaluation.zone}; F and D: {plan.evaluation.centring}"),
    ]  # fmt: skip
    calculated = [f"{value * 60e3:.5g}" for one in analysis.feeds for value in one.calculated.values()]
    if calculated:
        rows.append(("Feed from the duration", f"{', '.join(calculated)} mm/min, ramps included"))
    if isinstance(plan, Parameters):
        driven = plan.circle
        first, second = analysis.axes
        rows += [("Centre", f"{first} {driven.centre[0] * 1e3:g} mm, {second} {driven.centre[1] * 1e3:g} mm, at {driven.height * 1e3:g} mm"),
                 ("Start and overshoot", f"{math.degrees(driven.start):g}°, {math.degrees(driven.overshoot):g}° before and after")]  # fmt: skip
    return rows


def _assumed(circle: RecordedCircle) -> str:
    return (
        f"The file does not say feed, radius, start, arc and unit: taken are {circle.feed * 60e3:g} mm/min, {circle.radius * 1e3:g} mm, {math.degrees(circle.start):g}°, {math.degrees(circle.arc):g}° and "
        f"{units.text(circle.unit, 'm', digits=2)} a count. Set what differs (--set circle.feed=..., circle.start=..., circle.arc=..., circle.unit=...) and circle.stated = true."
    )
