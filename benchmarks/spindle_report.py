"""The report of a spindle test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from precision.report.document import Chart, Document, FigureTable, Note
from precision.report.spindle_charts import ErrorMotion, polar_chart
from precision.runs.manifest import Manifest
from precision.standards import iso230_7

from .report_head import head, provenance, stopped_early, verdict_dict
from .spindle_evaluation import MEASUREMENTS, Analysis
from .spindle_plan import Parameters

HEADLINES = ("radial_rotating_synchronous", "radial_rotating_asynchronous", "axial_residual_synchronous", "axial_asynchronous")


def limits(plan: Parameters) -> dict[str, float]:
    """Figure -> its limit, m. The radial limits are for the rotating sensitive direction where both gauges are there, else for X."""
    given = plan.limits.model_dump(exclude_none=True, mode="python")
    names = {
        "radial_synchronous": "radial_rotating_synchronous", "radial_asynchronous": "radial_rotating_asynchronous",
        "axial_synchronous": "axial_residual_synchronous", "axial_asynchronous": "axial_asynchronous",
    }  # fmt: skip
    return {names[key]: float(value) for key, value in given.items()}


def document(plan: Parameters, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    figures, judged = analysis.figures, limits(plan)
    tables = []
    for name, words in MEASUREMENTS.items():
        if name in analysis.results:
            keys = [f"{name}_{key}" for key in analysis.results[name].figures]
            own = {key: limit for key, limit in judged.items() if key in keys}
            tables.append(FigureTable.of(words[0].upper() + words[1:], [figures[key] for key in keys], limits=own, headline=[key for key in HEADLINES if key in keys]))
    lost = sorted(set(judged) - set(figures))
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    if analysis.uncertainty_reason:
        notes.append(Note(text=f"No uncertainty is stated: {analysis.uncertainty_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if lost:
        notes.append(Note(text=f"Limits for {', '.join(lost)} were given, but these figures are not there.", kind="caution"))
    notes.append(Note(text="The form of the artefact is in the synchronous figures and in their U; reversal or several probes would take it off."))
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    rpm = analysis.speed_rad_per_s * 30 / math.pi
    test = (
        ("Standard", "ISO 230-7 (from memory of the standard)"), ("Speed", f"{rpm:.5g} rpm"), ("Revolutions", str(analysis.revolutions)),
        ("Samples a revolution", str(plan.spindle.samples)), ("Angle from", plan.spindle.synchronisation), ("Centre", plan.evaluation.centre),
    )  # fmt: skip
    return Document(
        title=plan.title,
        subtitle=f"{rpm:.5g} rpm, ISO 230-7" + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(analysis),
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures in full and the mean contours, without the readings of each revolution, which the capture has."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "revolutions": analysis.revolutions,
        "speed_rad_per_s": analysis.speed_rad_per_s,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "mean_contour": {name: result.mean_contour.tolist() for name, result in analysis.results.items()},
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
        "uncertainty_reason": analysis.uncertainty_reason,
    }


def _charts(analysis: Analysis) -> list[Chart]:
    charts = []
    for names, heading in ((("radial_rotating", "radial_x", "axial"), "Error motion of the spindle"), (("tilt_b", "tilt_a"), "Tilt error motion")):
        motions = [_motion(name, analysis.results[name]) for name in names if name in analysis.results]
        if motions:
            charts.append(polar_chart(motions, heading=heading))
    return charts


def _motion(name: str, result: iso230_7.Result) -> ErrorMotion:
    synchronous = result.figures["residual_synchronous" if name == "axial" else "synchronous"]
    asynchronous = result.figures["asynchronous"]
    fundamental = result.fundamental_amplitude * np.cos(result.angle_rad - result.fundamental_phase_rad) if name == "axial" else 0.0
    mean = result.synchronous - fundamental
    short = {"radial_rotating": "radial, rotating", "radial_x": "radial, X", "axial": "axial", "tilt_b": "tilt about Y", "tilt_a": "tilt about X"}[name]
    return ErrorMotion(
        name=short, angle_rad=result.angle_rad, revolutions=result.asynchronous + mean, mean=np.asarray(mean), unit=synchronous.unit,
        synchronous=float(synchronous.value or 0.0), asynchronous=asynchronous.value,
    )  # fmt: skip
