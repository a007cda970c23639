"""The report of a thermal test."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from precision.report.document import Chart, Document, FigureTable, Note
from precision.report.thermal_charts import Drift, drift_chart
from precision.runs.manifest import Manifest
from precision.units import CELSIUS_ZERO_K, text

from .report_head import head, provenance, stopped_early, verdict_dict
from .thermal_evaluation import Analysis
from .thermal_plan import Parameters

HEADLINES: Final = {
    "environment": ("X1", "Y1", "Z", "combined"), "spindle": ("X1_end", "Y1_end", "Z_end", "Z_tau"), "axis": ("near", "far", "expansion", "strain"),
}  # fmt: skip
_NAMES: Final = {"environment": "ETVE", "spindle": "rotating spindle", "axis": "moving axis"}


def limits(plan: Parameters) -> dict[str, float]:
    """Figure -> its limit, m."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}


def document(plan: Parameters, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    figures, judged = analysis.figures, limits(plan)
    present = {key: limit for key, limit in judged.items() if key in figures}
    lost = sorted(set(judged) - set(present))
    groups = {"m": "Drift", "rad": "Tilt", "": "Expansion", "s": "Time constants", "K": "Temperatures"}
    tables = []
    for unit, words in groups.items():
        own = [figure for figure in figures.values() if figure.unit == unit]
        if own:
            keys = {figure.key for figure in own}
            tables.append(
                FigureTable.of(words, own, limits={k: v for k, v in present.items() if k in keys}, headline=[k for k in HEADLINES[plan.thermal.test] if k in keys])
            )
    notes = [Note(text=flag, kind="flag") for flag in analysis.result.flags]
    if analysis.uncertainty_reason:
        notes.append(Note(text=f"No uncertainty is stated: {analysis.uncertainty_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if lost:
        notes.append(Note(text=f"Limits for {', '.join(lost)} were given, but the test {plan.thermal.test!r} has no such figures.", kind="caution"))
    notes += [Note(text=sentence) for sentence in analysis.result.stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    hours = float(analysis.result.time_s[-1] - analysis.result.time_s[0]) / 3600
    test = (
        ("Standard", "ISO 230-3 (from memory of the standard)"), ("Test", _NAMES[plan.thermal.test]), ("Record", f"{hours:.3g} h"),
        ("Reading", f"mean of {plan.thermal.interval:g} s"), ("Running", f"{plan.thermal.running / 3600:g} h"),
    )  # fmt: skip
    rooms = [(name, f"{values.min() - CELSIUS_ZERO_K:.2f} … {values.max() - CELSIUS_ZERO_K:.2f} °C") for name, values in analysis.temperature_k.items()]
    return Document(
        title=plan.title,
        subtitle=f"{_NAMES[plan.thermal.test]}, ISO 230-3" + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test, environment=rooms),
        figures=tables,
        charts=_charts(plan, analysis),
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures in full and the drift curves."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "test": plan.thermal.test,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "time_s": analysis.result.time_s.tolist(),
        "series": {name: values.tolist() for name, values in analysis.result.series.items()},
        "steady": analysis.result.steady,
        "flags": list(analysis.result.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
        "uncertainty_reason": analysis.uncertainty_reason,
    }


def _charts(plan: Parameters, analysis: Analysis) -> list[Chart]:
    result = analysis.result
    lengths = [name for name in ("X1", "Y1", "Z", "X2", "Y2", "near", "far") if name in result.series]
    tilts = [name for name in ("A", "B") if name in result.series]
    running = None if plan.thermal.test == "environment" else plan.thermal.running
    charts = []
    for names, unit, words in ((lengths, "m", "Drift of the tool against the workpiece"), (tilts, "rad", "Tilt of the tool against the workpiece")):
        if not names:
            continue
        fitted = {name: result.responses[name].fitted - result.responses[name].start for name in names if name in result.responses}
        drift = Drift(
            time_s=result.time_s, series={name: result.series[name] for name in names}, fitted=fitted, unit=unit, running_s=running,
            temperature_k={name: np.asarray(values) for name, values in analysis.temperature_k.items()} if unit == "m" else {},
        )  # fmt: skip
        charts.append(drift_chart(drift, heading=words, key_numbers=_key_numbers(analysis, names)))
    return charts


def _key_numbers(analysis: Analysis, names: list[str]) -> str:
    """The largest response with its time constant, or the largest range."""
    found = {name: analysis.result.responses[name] for name in names if name in analysis.result.responses}
    unit = "rad" if names[0] in ("A", "B") else "m"
    if found:
        name = max(found, key=lambda one: abs(found[one].final))
        return f"{name}: final drift {text(found[name].final, unit, digits=3)}, time constant {found[name].time_constant_s / 60:.3g} min"
    ranges = {name: float(np.ptp(analysis.result.series[name])) for name in names}
    name = max(ranges, key=lambda one: ranges[one])
    return f"largest range: {name} {text(ranges[name], unit, digits=3)}"
