"""The report of a frequency response."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from precision.report import frf_charts
from precision.report.document import Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest
from precision.standards import margins, nonlinear_distortion

from .frf_evaluation import Analysis
from .frf_plan import Parameters, Recorded
from .report_head import head, provenance, stopped_early, verdict_dict

MOST_ROWS = 40
_FEW_MARKS = 4


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged = limits(plan)
    tables = [FigureTable.of("Response", list(analysis.plant.figures.values()))]
    if analysis.margin is not None:
        own = {key: value for key, value in judged.items() if key in analysis.margin.figures}
        heads = [key for key in ("PM", "GM_up", "Ms", "f_L_first") if analysis.margin.figures[key].value is not None]
        tables.insert(0, FigureTable.of("Margins of the loop", list(analysis.margin.figures.values()), limits=own, headline=heads))
    for title, result in (("Modes", analysis.modes), ("Distortion", analysis.distortion)):
        if result is not None:
            tables.append(FigureTable.of(title, list(result.figures.values())))
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    if analysis.no_margins:
        notes.append(Note(text=f"No margins: {analysis.no_margins}.", kind="caution" if judged else "statement"))
    stated = [*analysis.plant.stated, *(analysis.margin.stated if analysis.margin else ()), *(analysis.modes.stated if analysis.modes else ())]
    notes += [Note(text=f"{sentence[0].upper()}{sentence[1:]}.") for sentence in dict.fromkeys(stated)]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    plant = analysis.plant
    test = (
        ("Method", plant.estimator), ("Lines", f"{plant.frequency_hz.size}, {plant.frequency_hz[0]:.5g} … {plant.frequency_hz[-1]:.5g} Hz"),
        ("Averages", str(plant.averages)), ("Sampling rate", f"{plant.rate_hz:g} Hz" if plant.rate_hz else None), ("Loop", plan.evaluation.loop),
    )  # fmt: skip
    return Document(
        title=plan.title,
        subtitle=f"{plant.frequency_hz[0]:.4g} … {plant.frequency_hz[-1]:.4g} Hz" + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(analysis),
        tables=_tables(analysis),
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures and the response line by line."""
    plant = analysis.plant
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "response": _lines(plant.frequency_hz, plant.response, plant.sd, plant.coherence),
        "loop": None if analysis.loop is None else _lines(analysis.loop.frequency_hz, analysis.loop.response, analysis.loop.sd, analysis.loop.coherence),
        "crossings": None if analysis.margin is None else {
            name: [{"frequency_hz": one.frequency_hz, "margin": one.margin, "u": one.u, "rising": one.rising} for one in found]
            for name, found in (("gain", analysis.margin.gain_crossings), ("phase", analysis.margin.phase_crossings))
        },
        "extremes": [{"kind": one.kind, "frequency_hz": one.frequency_hz, "magnitude": one.magnitude} for one in analysis.extremes],
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def _lines(frequency_hz: Any, response: Any, sd: Any, coherence: Any) -> dict[str, Any]:
    return {
        "frequency_hz": frequency_hz.tolist(), "real": response.real.tolist(), "imaginary": response.imag.tolist(), "sd": sd.tolist(), "coherence": coherence.tolist(),
    }  # fmt: skip


def _charts(analysis: Analysis) -> list[Chart]:
    plant = analysis.plant
    if plant.frequency_hz.size < 2:
        return []
    numbers = f"{plant.frequency_hz.size} lines   ·   {plant.averages} averages   ·   median coherence {np.median(plant.coherence):.4g}"
    curve = frf_charts.Curve(name="plant", frequency_hz=plant.frequency_hz, response=plant.response, u=plant.component_u, coherence=plant.coherence)
    charts = [frf_charts.bode_chart([curve], unit=plant.unit, title="Plant: output over input", key_numbers=numbers)]
    split = [] if analysis.distortion is None else [_distortion(analysis.distortion)]
    if analysis.loop is None or analysis.margin is None:
        return charts + split
    loop, found = analysis.loop, analysis.margin
    curve = frf_charts.Curve(name="loop", frequency_hz=loop.frequency_hz, response=loop.response, u=loop.component_u, coherence=loop.coherence)
    marks, numbers = _marks(found), _numbers(found)
    charts.append(frf_charts.bode_chart([curve], unit="", title="Open loop", key_numbers=numbers, marks=marks))
    charts.append(frf_charts.nyquist_chart(curve, peak=found["Ms"], title="Nyquist plot", key_numbers=numbers, marks=marks))
    charts.append(frf_charts.nichols_chart(curve, title="Nichols plot", key_numbers=numbers, marks=marks))
    return charts + split


def _distortion(found: nonlinear_distortion.Result) -> Chart:
    levels = [
        frf_charts.Levels(name=name, frequency_hz=f, level=level, noise=noise)
        for name, f, level, noise in (
            ("excited lines", found.excited_hz, found.excited, found.excited_noise), ("even lines", found.even_hz, found.even, found.even_noise),
            ("odd lines left out", found.odd_hz, found.odd, found.odd_noise),
        )
    ]  # fmt: skip
    parts = [
        f"{name} {found[f'{name}_ratio']:.2%} of the linear answer" if found[f"{name}_ratio"] is not None else f"{name}: not seen above the noise"
        for name in ("even", "odd")
    ]
    return frf_charts.distortion_chart(
        levels, unit=found.unit, title="Distortion: what comes out where nothing was put in", key_numbers="   ·   ".join(parts)
    )


def _marks(found: margins.Result) -> list[frf_charts.Mark]:
    """The gain crossings, and the phase crossings that decide."""
    marks = [
        frf_charts.Mark(
            frequency_hz=one.frequency_hz,
            value=complex(np.exp(1j * (one.margin - math.pi))),
            label=f"PM {math.degrees(one.margin):.1f}°".replace("-", "−"),
        )
        for one in found.gain_crossings[:_FEW_MARKS]
    ]
    deciding = {found[key] for key in ("GM_up", "GM_down")}
    marks += [
        frf_charts.Mark(frequency_hz=one.frequency_hz, value=complex(-1 / one.margin, 0), label=f"GM {one.margin:.3g}")
        for one in found.phase_crossings
        if one.margin in deciding
    ]
    return marks


def _numbers(found: margins.Result) -> str:
    parts = []
    for key, text in (("PM", "PM {:.1f}°"), ("GM_up", "GM {:.3g}"), ("Ms", "Ms {:.3g}"), ("f_L_first", "crossing at {:.4g} Hz")):
        value = found[key]
        if value is not None:
            parts.append(text.format(math.degrees(value) if key == "PM" else value).replace("-", "−"))
    return "   ·   ".join(parts) or "no margin lies in the band"


def _tables(analysis: Analysis) -> list[Table]:
    tables = []
    if analysis.margin is not None:
        crossings = [("|L| = 1", one) for one in analysis.margin.gain_crossings] + [("−180°", one) for one in analysis.margin.phase_crossings]
        rows = [
            (kind, f"{one.frequency_hz:.6g}", f"{math.degrees(one.margin):.2f}°" if kind == "|L| = 1" else f"{one.margin:.4g}",
             "not stated" if one.u is None or not math.isfinite(one.u) else f"{math.degrees(2 * one.u):.2g}°" if kind == "|L| = 1" else f"{2 * one.u:.2g}",
             "rising" if one.rising else "falling", "—" if one.coherence is None else f"{one.coherence:.3f}")
            for kind, one in crossings[:MOST_ROWS]
        ]  # fmt: skip
        if rows:
            more = f"; the first {MOST_ROWS} of {len(crossings)}" if len(crossings) > MOST_ROWS else ""
            names = ("Crossing", "Frequency (Hz)", "Margin", "U (k = 2)", "Curve", "Coherence")
            tables.append(Table(title="All crossings" + more, columns=[Column(name=name) for name in names], rows=rows))
    if analysis.extremes:
        rows_of = [(one.kind, f"{one.frequency_hz:.5g}", f"{one.magnitude:.4g}", f"{one.prominence_db:.1f}") for one in analysis.extremes[:MOST_ROWS]]
        unit = f" ({analysis.plant.unit})" if analysis.plant.unit else ""
        names_of = ("Kind", "Frequency (Hz)", f"|G|{unit}", "Stands out by (dB)")
        tables.append(Table(title="Resonances and anti-resonances of the plant", columns=[Column(name=name) for name in names_of], rows=rows_of))
    return tables
