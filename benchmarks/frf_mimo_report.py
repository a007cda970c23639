"""The report of a frequency response of several inputs and outputs."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from precision.report import frf_charts
from precision.report.document import Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest

from .frf_mimo_evaluation import Analysis
from .frf_mimo_plan import Parameters, Recorded
from .report_head import head, provenance, stopped_early, verdict_dict

MOST_ROWS: Final = 60
LOOP: Final = ("Ms", "f_Ms", "Mt", "f_Mt")
CURVES: Final = 3
"""Curves that a Bode plot holds."""


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged, plant = limits(plan), analysis.plant
    of_loop = [analysis.figures[key] for key in LOOP if key in analysis.figures]
    of_plant = [figure for key, figure in analysis.figures.items() if key not in LOOP]
    tables = [FigureTable.of("Plant", of_plant, limits={key: value for key, value in judged.items() if key == "condition_max"})]
    if of_loop:
        tables.insert(0, FigureTable.of("Loop", of_loop, limits={key: value for key, value in judged.items() if key == "Ms"}, headline=["Ms", "Mt"]))
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    if analysis.no_sensitivity:
        notes.append(Note(text=f"No sensitivity: {analysis.no_sensitivity}.", kind="caution" if "Ms" in judged else "statement"))
    notes += [Note(text=f"{sentence[0].upper()}{sentence[1:]}.") for sentence in plant.stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    outputs, inputs = plant.response.shape[1:]
    test = (
        ("Plant", f"{inputs} inputs, {outputs} outputs"), ("Lines", f"{plant.frequency_hz.size}, {plant.frequency_hz[0]:.5g} … {plant.frequency_hz[-1]:.5g} Hz"),
        ("Averages", str(plant.averages)), ("Loop", plan.evaluation.loop),
    )  # fmt: skip
    return Document(
        title=plan.title,
        subtitle=f"{outputs} × {inputs}, {plant.frequency_hz[0]:.4g} … {plant.frequency_hz[-1]:.4g} Hz"
        + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(plan, analysis),
        tables=[_coherences(analysis), *_extremes(plan, analysis)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures and the matrix line by line."""
    plant, s = analysis.plant, analysis.sensitivity
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "response": {
            "frequency_hz": plant.frequency_hz.tolist(), "real": plant.response.real.tolist(), "imaginary": plant.response.imag.tolist(), "sd": plant.sd.tolist(),
            "condition": plant.condition.tolist(), "multiple_coherence": plant.multiple_coherence.tolist(), "singular_values": analysis.singular.tolist(),
            "singular_values_u": analysis.singular_u.tolist(),
        },
        "sensitivity": None if s is None or analysis.sensitivity_singular is None else {
            "frequency_hz": s.frequency_hz.tolist(), "real": s.response.real.tolist(), "imaginary": s.response.imag.tolist(), "sd": s.sd.tolist(),
            "singular_values": analysis.sensitivity_singular.tolist(),
        },
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def _unit(plan: Parameters | Recorded) -> str:
    return "" if plan.units.input == plan.units.output else f"{plan.units.output}/{plan.units.input}"


def _charts(plan: Parameters | Recorded, analysis: Analysis) -> list[Chart]:
    plant, unit = analysis.plant, _unit(plan)
    if plant.frequency_hz.size < 2:
        return []
    f, worst = plant.frequency_hz, analysis.figures["condition_max"].value
    numbers = f"{f.size} lines   ·   {plant.averages} averages   ·   condition of the inputs up to {worst:.3g}"
    charts = [
        frf_charts.singular_values_chart(f, analysis.singular, plant.condition, unit=unit, title="Singular values of the plant", key_numbers=numbers)
    ]
    if analysis.sensitivity is not None and analysis.sensitivity_singular is not None:
        ms = analysis.figures["Ms"]
        charts.append(frf_charts.singular_values_chart(
            analysis.sensitivity.frequency_hz, analysis.sensitivity_singular, None, unit="", title="Singular values of the sensitivity",
            key_numbers=f"Ms {ms.value:.4g} ± {ms.uncertainty:.2g} at {analysis.figures['f_Ms'].value:.4g} Hz",
        ))  # fmt: skip
    for i in range(plant.response.shape[1]):
        for start in range(0, plant.response.shape[2], CURVES):
            curves = [
                frf_charts.Curve(
                    name=f"from input {k + 1}", frequency_hz=f, response=plant.response[:, i, k], u=plant.sd[:, i, k] / math.sqrt(2),
                    coherence=plant.multiple_coherence[:, i] if k == start else None,
                )
                for k in range(start, min(start + CURVES, plant.response.shape[2]))
            ]  # fmt: skip
            charts.append(
                frf_charts.bode_chart(
                    curves,
                    unit=unit,
                    title=f"Output {i + 1} over the inputs",
                    key_numbers=f"median multiple coherence {np.median(plant.multiple_coherence[:, i]):.4g}",
                )
            )
    return charts


def _coherences(analysis: Analysis) -> Table:
    plant = analysis.plant
    rows = []
    for i in range(plant.response.shape[1]):
        coherence = plant.multiple_coherence[:, i]
        worst = int(np.argmin(coherence))
        relative = np.median(2 * plant.sd[:, i] / math.sqrt(2) / np.abs(plant.response[:, i]), axis=0)
        rows.append(
            (
                f"{i + 1}",
                f"{np.median(coherence):.6f}",
                f"{coherence[worst]:.4f}",
                f"{plant.frequency_hz[worst]:.5g}",
                ", ".join(f"{value:.2%}" for value in relative),
            )
        )
    names = ("Output", "Multiple coherence, median", "lowest", "at (Hz)", "Median U/|P| from each input (k = 2)")
    return Table(title="What the inputs explain of each output", columns=[Column(name=name) for name in names], rows=rows)


def _extremes(plan: Parameters | Recorded, analysis: Analysis) -> list[Table]:
    rows = [
        (f"output {i + 1} over input {k + 1}", one.kind, f"{one.frequency_hz:.5g}", f"{one.magnitude:.4g}", f"{one.prominence_db:.1f}")
        for (i, k), found in analysis.extremes.items() for one in found
    ]  # fmt: skip
    if not rows:
        return []
    unit = f" ({_unit(plan)})" if _unit(plan) else ""
    names = ("Entry", "Kind", "Frequency (Hz)", f"|P|{unit}", "Stands out by (dB)")
    more = f"; the first {MOST_ROWS} of {len(rows)}" if len(rows) > MOST_ROWS else ""
    return [Table(title="Resonances and anti-resonances" + more, columns=[Column(name=name) for name in names], rows=rows[:MOST_ROWS])]
