"""The report of a diagonal test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from precision.report.diagonals_charts import diagonals_chart
from precision.report.document import Document, FigureTable, Note
from precision.runs.manifest import Manifest
from precision.units import text

from .diagonals_evaluation import Analysis, temperature_words
from .diagonals_plan import Parameters
from .report_head import head, provenance, stopped_early, verdict_dict

HEADLINES = ("E_D", "B_D", "E_C0Y", "E_B0Z", "E_A0Z")


def document(plan: Parameters, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    reason = analysis.uncertainty_reason
    figures = {
        key: replace(item, uncertainty_reason=reason) if reason and item.value is not None and item.uncertainty is None else item for key, item in analysis.result.figures.items()
    }
    judged = {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}
    machine = [item for key, item in figures.items() if key in HEADLINES]
    single = [item for key, item in figures.items() if key not in HEADLINES]
    sides = " × ".join(f"{side * 1e3:g}" for side in plan.diagonals.sides_m)
    test = (
        ("Standard", "ISO 230-6 (from memory of the standard)"), ("Volume", f"{sides} mm"), ("Diagonals", ", ".join(analysis.recordings)),
        ("Points", f"{plan.diagonals.points} on each"), ("Runs in each direction", str(plan.cycle.runs)), ("Feed", f"{plan.cycle.feed * 60e3:g} mm/min"),
        ("Corrected to 20 °C", "yes" if plan.evaluation.normalise_to_20_degrees else "no"),
    )  # fmt: skip
    notes = [Note(text=flag, kind="flag") for flag in analysis.result.flags]
    if reason:
        notes.append(Note(text=f"No uncertainty is stated: {reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    notes += [Note(text=sentence) for sentence in analysis.result.stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    e = figures["E_D"]
    key = f"E_D = {text(e.value, 'm', digits=3)}" if e.value is not None else "E_D not evaluated: " + str(e.reason)
    results = analysis.result.diagonals
    return Document(
        title=plan.title,
        subtitle=f"{plan.diagonals.kind} diagonals, ISO 230-6" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=test, environment=[("Material", temperature_words(analysis))]),
        figures=[
            FigureTable.of("The machine", machine, limits={k: v for k, v in judged.items() if k in figures}, headline=[k for k in HEADLINES if k in figures]),
            FigureTable.of("Each diagonal, after ISO 230-2", single),
        ],
        charts=[
            diagonals_chart(
                {name: result.target for name, result in results.items()}, {name: result.mean for name, result in results.items()},
                heading="Deviation along the diagonals", key_numbers=key,
            )
        ],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )  # fmt: skip


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {row.figure.key: row.figure.to_dict() for row in report.rows},
        "length_error_m": dict(analysis.result.length_error_m),
        "sides_m": list(analysis.result.sides_m),
        "flags": list(analysis.result.flags),
        "missing": list(analysis.missing),
        "limits": {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()},
        "verdict": verdict_dict(report),
        "uncertainty_reason": analysis.uncertainty_reason,
    }
