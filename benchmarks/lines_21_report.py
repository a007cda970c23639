"""The report of the 21 errors from lines: the same figures, charts and tables as from distances, and the lines with what they leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from precision.models.rigid_body import AXES, symbol
from precision.report.document import Cell, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest

from .lines_21_evaluation import Analysis
from .lines_21_plan import Parameters
from .report_head import head, provenance, stopped_early, verdict_dict
from .volumetric_report import HEADLINES, axis_table, charts, errors_dict, figures_of


def document(plan: Parameters, analysis: Analysis, manifest: Manifest) -> Document:
    """The report, before any format. Pure."""
    found, figures, limits = analysis.found, figures_of(analysis), plan.limits.in_si
    spans = " × ".join(f"{(high - low) * 1e3:g}" for low, high in plan.volume.spans.values())
    tool = ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip(AXES, plan.evaluation.tool, strict=True))
    at = ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip(AXES, plan.volume.at_m, strict=True))
    tilt = ", ".join(f"{axis} {value * 1e6:.0f}" for axis, value in zip(AXES, analysis.beam_tilt_rad, strict=True))
    test = (
        ("Method", f"{len(analysis.lines)} lines, {len(plan.optics.reflectors)} places of the reflectors, squares in {', '.join(plan.optics.squares) or 'no plane'}"),
        ("Volume", f"{spans} mm"), ("Lines cross at", f"{at} mm"), ("Kinematic chain of the model", plan.volume.chain),
        ("Nodes", f"{' × '.join(map(str, plan.evaluation.nodes))}, {plan.evaluation.functions} between"), ("Tool of the map", f"{tool} mm"),
        ("Feed", f"{plan.cycle.feed * 60e3:g} mm/min"), ("Approach", f"both directions, {plan.cycle.runs} runs; their mean"),
        ("Beams to their axes", f"{tilt} µrad"), ("Rank and condition", f"{found.rank} of {found.unknowns}, {found.condition:.3g}"),
        ("Residual of the fit", f"{(found['residual'] or 0.0) * 1e6:.2g} µm rms"),
    )  # fmt: skip
    climate = [(f"Screw of {axis}", f"{value - 273.15:.2f} °C on average") for axis, value in zip(AXES, analysis.material_k, strict=True)]
    return Document(
        title=plan.title,
        subtitle=f"21 errors of {plan.volume.chain}, {spans} mm" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=test, environment=climate),
        figures=(
            FigureTable.of(
                "The working volume (ISO 230-1, from memory of the standard)", [figures[key] for key in analysis.map.figures], limits=limits,
                headline=[key for key in HEADLINES if key in analysis.map.figures],
            ),
            FigureTable.of(
                "The 21 errors", [figures[key] for key in found.figures if key in figures],
                note="Ranges over the travel; squareness signed, right-handed rotation of the second axis (ISO 230-1).",
            ),
        ),
        charts=charts(analysis),
        tables=(*(axis_table(analysis, axis) for axis in AXES), _line_table(analysis)),
        notes=_notes(plan, analysis),
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(analysis.stopped),
        limits_given=bool(limits),
    )  # fmt: skip


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures in full, the 21 errors at their samples, and the lines."""
    found = analysis.found
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in figures_of(analysis).items()},
        "chain": plan.volume.chain,
        "errors": errors_dict(analysis),
        "squareness_rad": found.machine.constants,
        "lines": [
            {
                "error": line.name, "label": line.label, "position_m": line.position_m.tolist(), "value_m": line.value.tolist(), "tool_m": list(line.tool_m),
                "residual_m": found.residual[line.key].tolist(),
            }
            for line in analysis.lines
        ],
        "missing": list(analysis.missing), "beam_tilt_rad": list(analysis.beam_tilt_rad),
        "rank": found.rank, "unknowns": found.unknowns, "condition": found.condition,
        "residual_m": found["residual"], "worst_m": list(analysis.map.worst_m), "material_k": list(analysis.material_k),
        "flags": list(found.flags),
        "limits": plan.limits.in_si,
        "lacking": list(analysis.lacking),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def _line_table(analysis: Analysis) -> Table:
    rows: list[list[Cell]] = []
    for line in analysis.lines:
        residual = analysis.found.residual[line.key]
        rows.append([symbol(line.name), line.label, *line.tool_m, line.value.size, float(np.ptp(line.value)), float(np.sqrt(np.mean(residual**2)))])
    return Table(
        title="Lines",
        columns=[
            Column(name="Read"), Column(name="Set-up"), *(Column(name=f"Tool {axis}", unit="m", family="place") for axis in AXES), Column(name="Points"),
            Column(name="Range", unit="m", family="range"), Column(name="Residual (rms)", unit="m", family="small"),
        ],
        rows=rows, note="Ranges of straightness lines hold the slope of the beam or of the square.",
    )  # fmt: skip


def _notes(plan: Parameters, analysis: Analysis) -> list[Note]:
    notes = [Note(text=flag, kind="caution") for flag in analysis.found.flags]
    if analysis.lacking:
        missing = ", ".join(f"uncertainty.{name}" for name in analysis.lacking)
        notes.append(Note(text=f"No uncertainty is stated: the plan does not say {missing}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if analysis.missing:
        notes.append(Note(text=f"Not read to the end, and left out: {', '.join(analysis.missing)}.", kind="caution"))
    notes += [Note(text=text, kind="correction" if made else "statement") for text, made in analysis.corrections]
    notes += [
        Note(text="The cosine of each beam's angle to its axis was taken off; the angle is the slope that the beam sees while the two other axes move.", kind="correction"),
        Note(text="Figures are of the mean of both directions: reversal errors are not in them. Errors shorter than the nodes are apart are in the residuals."),
        Note(text="Pitch, yaw and roll follow from lines with the reflectors at different places and the beams unmoved; squareness from two lines against one square."),
        Note(text="The errors are zero at the lowest corner of the volume; a part that is aligned otherwise sees other deviations, but the same squareness and straightness."),
    ]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return notes
