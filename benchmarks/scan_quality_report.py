"""The report of a scan-quality test."""

from __future__ import annotations

from typing import Any

from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.scan_charts import exposure_chart, moving_chart
from precision.report.spectrum_charts import cumulative_chart
from precision.runs.manifest import Manifest
from precision.standards import cumulative_spectrum, psd
from precision.units import text

from .report_head import head, provenance, stopped_early, verdict_dict
from .scan_quality_evaluation import Analysis, FieldTrace
from .scan_quality_plan import Parameters, Recorded

HEADLINES = ("MA_y_max", "MSD_y_max", "MA_y_m3s", "MA_y_997")
MOST_LISTED = 100
_ENDS = ("_up", "_down")
_BRIEF = ("_max", "_up_down", "t_settle_mean", "t_settle_sd")
"""Of the terminal: the largest of each, how up differs from down, and what has a limit."""


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    figures = analysis.figures
    judged = {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}
    present = {key: limit for key, limit in judged.items() if key in figures}
    tables = []
    for words, unit, chosen in (
        ("Lengths, all fields", None, [f for f in figures.values() if f.unit == "m" and not f.key.endswith(_ENDS)]),
        ("Angles, all fields", "nrad", [f for f in figures.values() if f.unit == "rad" and not f.key.endswith(_ENDS)]),
        ("By scan direction", None, [f for f in figures.values() if f.unit == "m" and f.key.endswith(_ENDS)]),
        ("Time until MA and MSD of y stay within their limits", None, [f for f in figures.values() if f.unit == "s"]),
    ):
        if chosen:
            keys = {figure.key for figure in chosen}
            tables.append(FigureTable.of(
                words, chosen, limits={k: v for k, v in present.items() if k in keys}, headline=[k for k in HEADLINES if k in keys], unit=unit,
                brief=[key for key in keys if key.endswith(_BRIEF)],
            ))  # fmt: skip
    result = analysis.result
    lost = sorted(set(judged) - set(present))
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    if analysis.uncertainty_reason:
        notes.append(Note(text=f"No uncertainty is stated: {analysis.uncertainty_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if lost:
        notes.append(Note(text=f"Limits for {', '.join(lost)} were given, but the log has no such axis.", kind="caution"))
    notes += [Note(text=sentence) for sentence in result.stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    scan = plan.scan
    test = (
        ("Method", "MA and MSD over the exposure slit (definitions from memory of Butler 2011)"), ("Fields", str(len(result.fields))),
        ("Scan", f"{scan.field_length * 1e3:g} mm at {scan.speed * 1e3:g} mm/s, exposed from {scan.settle * 1e3:g} ms after acceleration"),
        ("Slit", result.slit.stated), ("Error", analysis.error + (f", M = {scan.reduction:g}" if analysis.error == "synchronisation" else "")),
        ("Sampling", f"{analysis.rate_hz:.6g} Hz"),
    )  # fmt: skip
    worst = analysis.worst
    ma, msd = figures["MA_y_max"], figures["MSD_y_max"]
    drawn = "" if len(analysis.traces) == len(result.fields) else f"; {len(analysis.traces)} of {len(result.fields)} fields, the worst among them"
    key = f"largest |MA| {text(ma.value or 0.0, 'm', digits=3)}, largest MSD {text(msd.value or 0.0, 'm', digits=3)} in y{drawn}"
    return Document(
        title=plan.title,
        subtitle=f"{len(result.fields)} fields, slit of {plan.slit.height * 1e3:g} mm" + (", virtual scanner" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=[moving_chart(analysis.traces, limits_m=(plan.limits.MA_y_max, plan.limits.MSD_y_max), key_numbers=key), exposure_chart(worst), *_cumulative(analysis, worst)],
        tables=[_fields(analysis)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "fields": analysis.result.to_dict()["fields"],
        "slit": analysis.result.slit.stated,
        "error": analysis.error,
        "flags": list(analysis.flags),
        "limits": {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()},
        "verdict": verdict_dict(report),
        "uncertainty_reason": analysis.uncertainty_reason,
    }


def _cumulative(analysis: Analysis, trace: FieldTrace) -> list[Chart]:
    """Cumulative spectrum of the error of y while the worst field was exposed, where the exposure is long enough for one."""
    inside = (trace.time_s >= trace.begin_s) & (trace.time_s <= trace.end_s)
    if inside.sum() < 512:
        return []
    found = cumulative_spectrum.evaluate(psd.evaluate(trace.error_m[inside], rate_hz=analysis.rate_hz, unit="m", segment=int(inside.sum()) // 2))
    rms = found.figures["rms"].value or 0.0
    return [cumulative_chart(
        "error in y", "m", found.frequency_hz, found.amplitude_upwards, found.amplitude_downwards, title=f"Cumulative spectrum of field {trace.field}",
        key_numbers=f"rms {text(rms, 'm', digits=3)} while exposing; half of the variance below {(found.figures['f_50'].value or 0.0):.3g} Hz",
    )]  # fmt: skip


def _fields(analysis: Analysis) -> Table:
    """The largest MA and MSD of y in each field, and when; of many fields the worst ones."""
    columns = [
        Column(name="Field"), Column(name="Scanned"), Column(name="Largest |MA| in y", unit="m", family="nm"), Column(name="at", unit="s", family="s"),
        Column(name="Largest MSD in y", unit="m", family="nm"), Column(name="at", unit="s", family="s"), Column(name="Settled", unit="s", family="s"), Column(name="Windows"),
    ]  # fmt: skip
    fields = list(zip(analysis.result.fields, analysis.moments, strict=True))
    worst = sorted(range(len(fields)), key=lambda k: -abs(fields[k][0].extremes["y"].ma))[:MOST_LISTED]
    rows: list[list[Cell]] = []
    for field, moments in (fields[k] for k in sorted(worst)):
        y = field.extremes["y"]
        rows.append([field.field, field.direction, y.ma, moments.ma_at_s, y.msd, moments.msd_at_s, None if moments.settled is None else moments.settled.time_s, field.windows])
    some = f" The {MOST_LISTED} of {len(fields)} fields with the largest |MA|; result.json holds all." if len(fields) > MOST_LISTED else ""
    settled = next((f" Settled: {one.settled.stated}." for one in analysis.moments if one.settled is not None), "")
    return Table(title="Field by field", columns=columns, rows=rows, note=f"Times count from the end of acceleration, at the centre of the window.{settled}{some}")
