"""The report of an overlay measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

from precision.report.document import Chart, Column, Document, FigureTable, Note, Table
from precision.report.overlay_charts import VectorMap, Wafer, component_maps, fingerprint_chart, wafer_maps
from precision.runs.manifest import Manifest
from precision.standards.overlay_statistics import OverlayStatistics
from precision.standards.reported import plain
from precision.units import display_unit, text

from .overlay_evaluation import Analysis
from .overlay_plan import Parameters, Recorded
from .report_head import head, provenance, stopped_early, verdict_dict

MOST_LISTED = 40


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its limit, m."""
    given = plan.limits
    pairs = (("raw", given.measured), ("left", given.left))
    return {f"{name}_m3s_{axis}": limit for name, limit in pairs if limit is not None for axis in ("x", "y")}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged = limits(plan)
    model = plan.evaluation.overlay_model
    groups = [
        ("As measured, all marks", "raw_"),
        (f"After {model.name}, without rejected marks", "left_"),
        ("Mean wafer after every step: non-correctable", "nce_"),
    ]
    tables = [
        FigureTable.of(
            title,
            [figure for figure in analysis.overlay if figure.key.startswith(prefix)],
            limits={key: limit for key, limit in judged.items() if key.startswith(prefix)},
            headline=[f"{prefix}m3s_x", f"{prefix}m3s_y"] if prefix != "nce_" else [],
        )
        for title, prefix in groups
    ]
    what = (
        "Terms of the model"
        if analysis.wafer.size == 1
        else f"Terms of the model over {analysis.wafer.size} wafers: mean and standard deviation"
    )
    for title, unit, shown in (
        (what, "m", None),
        ("Magnifications", "", None),
        ("Rotations", "rad", "µrad"),
        ("Second order", "1/m", None),
        ("Third order", "1/m²", None),
    ):
        some = [figure for figure in analysis.terms if figure.unit == unit]
        if some:
            tables.append(FigureTable.of(title, some, unit=shown))
    rejected = sum(map(len, analysis.rejected.values()))
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    notes += [Note(text=caution) for caution in analysis.cautions]
    if analysis.uncertainty_reason:
        notes.append(Note(text=f"U of translations and means is not stated: {analysis.uncertainty_reason}.", kind="caution"))
    notes.append(Note(text=plan.evaluation.meaning.value[0].upper() + plan.evaluation.meaning.value[1:] + "."))
    notes.append(
        Note(
            text=f"U of terms covers noise of the marks and what the model leaves over; {rejected} marks were rejected, each with both "
            f"components. A layout of another kind would weigh the wafer's shape differently."
        )
    )
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    read = int(np.isfinite(analysis.measured).all(axis=2).sum())
    test = (
        ("Wafers", str(analysis.wafer.size)),
        ("Marks", f"{analysis.marks.count} a wafer in {analysis.marks.fields.size} fields, {read} read in both components"),
        ("Model", f"{model.name}, rank {analysis.rank.rank} of {len(model.terms)}"),
        ("Coordinates", model.coordinates.value),
        (
            "Outliers",
            "kept"
            if plan.evaluation.robust == "none"
            else f"{plan.evaluation.robust.capitalize()}, beyond {plan.evaluation.reject_beyond:g} scales: {rejected}",
        ),
    )
    return Document(
        title=plan.title,
        subtitle=f"{analysis.wafer.size} wafers, {model.name}" + (", virtual lab" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(plan, analysis),
        tables=_tables(analysis),
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures, terms of each wafer, the decomposition, and what was rejected; without the readings, which the capture has."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "model": plan.evaluation.overlay_model.to_dict(),
        "sign": plan.evaluation.meaning.value,
        "rank": analysis.rank.to_dict(),
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "wafers": [
            {"wafer": int(number), "coefficients": plain(row), "uncertainty": plain(u), "degrees_of_freedom": int(freedom)}
            for number, row, u, freedom in zip(
                analysis.wafer, analysis.lot.coefficients, analysis.lot.uncertainty, analysis.lot.degrees_of_freedom, strict=True
            )
        ],
        "decomposition": [
            {
                "step": s.name,
                "model": s.model,
                "terms": s.terms,
                "explained": s.explained,
                "sd_m": s.sd_m,
                "predicted_m": s.predicted_m,
                "f": s.f,
                "p": s.p_value,
                "left": s.left.to_dict(),
            }
            for s in analysis.decomposition.steps
        ],
        "rejected": {
            str(number): [{"mark": one.mark, "field": one.field, "size": one.size, "residual_m": plain(np.asarray(one.residual_m))} for one in marks]
            for number, marks in analysis.rejected.items()
        },
        "by_scan_direction": {name: found.to_dict() for name, found in analysis.by_scan.items()},
        "flags": list(analysis.flags),
        "cautions": list(analysis.cautions),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
        "uncertainty_reason": analysis.uncertainty_reason,
    }


def _tables(analysis: Analysis) -> list[Table]:
    metres = [Column(name=name, unit="m", family="overlay") for name in ("|mean|+3σ x", "99.7 % x", "|mean|+3σ y", "99.7 % y")]
    made = [
        Table(
            title="Variance decomposition of the mean wafer",
            columns=[
                Column(name="after"),
                Column(name="terms"),
                Column(name="explained"),
                *metres,
                Column(name="s", unit="m", family="overlay"),
                Column(name="predicted", unit="m", family="overlay"),
                Column(name="p"),
            ],
            rows=[
                [s.name, f"{s.terms:.4g}", f"{100 * s.explained:.2f} %", *_four(s.left), s.sd_m, s.predicted_m, _probability(s.p_value)]
                for s in analysis.decomposition.steps
            ],
            note="explained: part of the sum of squares about 0. s: per degree of freedom. predicted: root mean square of fields (last "
            "row: marks) that were left out of the fit. p: F test against the row above, which takes what is left as independent.",
        ),
        Table(
            title="Wafers, after the model",
            columns=[Column(name="wafer"), *metres, Column(name="s", unit="m", family="overlay"), Column(name="rejected marks")],
            rows=[
                [
                    str(number),
                    *(None if np.isnan(value) else float(value) for value in row),
                    None if np.isnan(s) else float(s),
                    str(len(analysis.rejected.get(int(number), ()))),
                ]
                for number, row, s in zip(analysis.wafer[:MOST_LISTED], analysis.lot.per_wafer, analysis.lot.sd_m, strict=False)
            ],
            note="" if analysis.wafer.size <= MOST_LISTED else f"the first {MOST_LISTED} of {analysis.wafer.size}",
        ),
    ]
    if analysis.by_scan:
        made.append(
            Table(
                title="Scan directions, after the model",
                columns=[
                    Column(name="direction"),
                    Column(name="mean x", unit="m", family="mean"),
                    Column(name="mean y", unit="m", family="mean"),
                    *metres,
                ],
                rows=[
                    [name, *(None if part is None else part.mean for part in (found.x, found.y)), *_four(found)]
                    for name, found in analysis.by_scan.items()
                ],
            )
        )
    made += _rejected_marks(analysis)
    if analysis.rank.aliases:
        made.append(
            Table(
                title="Terms that this layout cannot tell apart",
                columns=[Column(name="term"), Column(name="why")],
                rows=[[alias.term.key, str(alias)] for alias in analysis.rank.aliases],
            )
        )
    return made


def _rejected_marks(analysis: Analysis) -> list[Table]:
    marks = [(number, one) for number, several in analysis.rejected.items() for one in several]
    if not marks:
        return []
    return [
        Table(
            title="Rejected marks",
            columns=[
                Column(name="wafer"),
                Column(name="mark"),
                Column(name="dx", unit="m", family="overlay"),
                Column(name="dy", unit="m", family="overlay"),
                Column(name="scales"),
            ],
            rows=[
                [str(number), one.name, *(None if np.isnan(value) else value for value in one.residual_m), f"{one.size:.1f}"]
                for number, one in marks[:MOST_LISTED]
            ],
            note="dx, dy: residual to the robust fit" + ("" if len(marks) <= MOST_LISTED else f"; the first {MOST_LISTED} of {len(marks)}"),
        )
    ]


def _probability(p: float | None) -> str:
    return "" if p is None else "< 1e-15" if p < 1e-15 else f"{p:.2g}"


def _four(found: OverlayStatistics) -> list[float | None]:
    return [value for part in (found.x, found.y) for value in ((None, None) if part is None else (part.mean_plus_three_sigma, part.most))]


def _numbers(found: OverlayStatistics) -> str:
    parts = [part.mean_plus_three_sigma for part in (found.x, found.y) if part is not None and part.mean_plus_three_sigma is not None]
    if not parts:
        return ""
    unit = display_unit(max(parts), "m")
    return f"|mean|+3σ {' / '.join(text(part, 'm', unit=unit, digits=3).removesuffix(' ' + unit) for part in parts)} {unit}"


def _charts(plan: Parameters | Recorded, analysis: Analysis) -> list[Chart]:
    marks = analysis.marks
    first = [int(np.flatnonzero(marks.field == number)[0]) for number in marks.fields]
    outline: tuple[float, float] | None
    if isinstance(plan, Parameters):
        outline, radius = (plan.layout.field_width, plan.layout.field_height), plan.layout.wafer_radius
    else:
        outline, radius = _field_size(analysis), None
    wafer = Wafer(radius_m=radius, field_centres_m=marks.field_centre_m[first], field_size_m=outline)
    steps = {step.name: step for step in analysis.decomposition.steps}
    with np.errstate(invalid="ignore"):
        count = np.isfinite(analysis.left).sum(axis=0)
        left = np.where(count > 0, np.nansum(analysis.left, axis=0) / np.maximum(count, 1), np.nan)
    last = analysis.decomposition.steps[-1]
    crossed = np.unique([one.mark for several in analysis.rejected.values() for one in several]).astype(np.int64)
    who = f"wafer {analysis.wafer[0]}" if analysis.wafer.size == 1 else f"the mean of {analysis.wafer.size} wafers"
    from precision.standards.overlay_statistics import statistics

    charts = [
        wafer_maps(
            [
                VectorMap(
                    position_m=marks.position_m,
                    vector_m=analysis.mean,
                    name="measured",
                    numbers=_numbers(steps["raw"].left),
                    crossed=crossed if analysis.wafer.size == 1 else None,
                ),
                VectorMap(
                    position_m=marks.position_m,
                    vector_m=left,
                    name=f"after {plan.evaluation.model} parameters",
                    numbers=_numbers(statistics(left)),
                ),
                VectorMap(position_m=marks.position_m, vector_m=last.residual_m, name=f"after {last.name}", numbers=_numbers(last.left)),
            ],
            wafer,
            heading=f"Overlay of {who}",
        ),
        component_maps(
            marks.position_m,
            [("dx left over", left[:, 0]), ("dy left over", left[:, 1])],
            wafer,
            heading=f"What the model leaves over, {who}",
        ),
    ]
    found = analysis.fingerprint
    if found.in_field_m.shape[0] > 1 and outline is not None:
        charts.append(
            fingerprint_chart(
                found.in_field_m,
                found.mean_m,
                field_size_m=outline,
                numbers=f"mean of {marks.fields.size} fields, after the 6 wafer terms; {_numbers(found.common)}",
                standard_error_m=found.standard_error_m,
            )
        )
    return charts


def _field_size(analysis: Analysis) -> tuple[float, float] | None:
    """The pitch of the fields along x and y, where a recording has at least two columns and rows; else None."""
    sizes = []
    for axis in (0, 1):
        steps = np.diff(np.unique(np.rint(analysis.marks.field_centre_m[:, axis] * 1e9)))
        steps = steps[steps > 1e6]
        sizes.append(float(steps.min()) * 1e-9 if steps.size else 0.0)
    return (sizes[0], sizes[1]) if all(sizes) else None
