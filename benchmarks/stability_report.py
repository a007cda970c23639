"""The report of a stability measurement."""

from __future__ import annotations

from typing import Any

from precision import units
from precision.report import spectrum_charts
from precision.report.document import Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest
from precision.standards import psd

from .report_head import head, provenance, stopped_early, verdict_dict
from .stability_evaluation import Analysis
from .stability_plan import Parameters, Recorded

MOST_ROWS = 25


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit, m."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged = limits(plan)
    spectrum, allan = analysis.spectrum, analysis.allan
    own = {key: value for key, value in judged.items() if key in analysis.noise}
    drifting = {key: value for key, value in judged.items() if key in allan.figures}
    tables = [
        FigureTable.of("Noise", list(analysis.noise.values()), limits=own, headline=("rms", "six_sigma")),
        FigureTable.of("Drift", list(allan.figures.values()), limits=drifting, headline=("sigma_min",)),
    ]
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    notes += [Note(text=f"{sentence[0].upper()}{sentence[1:]}.") for sentence in dict.fromkeys((*spectrum.stated, *allan.stated))]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    seconds = (len(spectrum.frequency_hz) - 1) * 2 / spectrum.rate_hz
    test = (
        ("Reading", plan.recording.unit or "no unit"), ("Sampling rate", f"{spectrum.rate_hz:.6g} Hz"), ("Spectrum", f"{spectrum.averages} segments of {seconds:.4g} s, {spectrum.window}"),
        ("Allan deviation", f"readings taken as {plan.evaluation.data_type}s"),
    )  # fmt: skip
    return Document(
        title=plan.title,
        subtitle="virtual bench" if manifest.simulated else "",
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
    """result.json: figures, lines and the Allan curve; the density in bands on a logarithmic axis, as the capture holds the samples."""
    frequency, density, lower, upper = psd.log_averaged(analysis.spectrum)
    curve = next(iter(analysis.allan.curves.values()))
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "density": {"frequency_hz": frequency.tolist(), "psd": density.tolist(), "lower": lower.tolist(), "upper": upper.tolist()},
        "lines": [] if analysis.lines is None else [
            {"frequency_hz": one.frequency_hz, "amplitude": one.amplitude, "u": one.amplitude_u, "order": one.order} for one in analysis.lines.lines[:MOST_ROWS]
        ],
        "allan": {
            "kind": curve.kind, "unit": curve.unit, "tau_s": curve.tau_s.tolist(), "deviation": curve.deviation.tolist(), "alpha": list(curve.alpha),
            "lower": [None if value != value else value for value in curve.lower.tolist()], "upper": [None if value != value else value for value in curve.upper.tolist()],
        },
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def _charts(analysis: Analysis) -> list[Chart]:
    spectrum, cumulative, allan = analysis.spectrum, analysis.cumulative, analysis.allan
    unit = spectrum.unit
    rms, sigma = spectrum.figures["rms"].value or 0.0, allan.figures["sigma_min"].value or 0.0
    named = [(one.frequency_hz, one.amplitude) for one in analysis.lines.lines] if analysis.lines else []
    density = spectrum_charts.Density(
        name="reading", unit=unit, frequency_hz=spectrum.frequency_hz, psd=spectrum.psd, lower=spectrum.lower, upper=spectrum.upper, lines=named
    )
    numbers = f"rms {units.text(rms, unit, digits=3)}   ·   {spectrum.averages} averages   ·   ENBW {spectrum.enbw_hz:.3g} Hz"
    curve = next(iter(allan.curves.values()))
    slopes = [
        (key, exponent, value * factor)
        for key, exponent, factor in (("N", -0.5, 1.0), ("K", 0.5, 3**-0.5), ("D", 1.0, 2**-0.5))
        if (value := allan.figures[key].value)
    ]
    stability = spectrum_charts.Stability(
        name="Allan deviation", unit=curve.unit, tau_s=curve.tau_s, deviation=curve.deviation, lower=curve.lower, upper=curve.upper, slopes=slopes
    )  # fmt: skip
    place = allan.figures["tau_min"].value or 0.0
    return [
        spectrum_charts.density_chart(density, title="Amplitude density", key_numbers=numbers),
        spectrum_charts.cumulative_chart(
            "reading", unit, cumulative.frequency_hz, cumulative.amplitude_upwards, cumulative.amplitude_downwards, title="Cumulative spectrum",
            key_numbers=f"rms {units.text(rms, unit, digits=3)}   ·   half of the variance below {cumulative['f_50'] or 0:.4g} Hz",
        ),
        spectrum_charts.stability_chart(
            [stability], title="Stability of the averaged reading" if allan.data_type == "rate" else "Stability of the rate of change",
            key_numbers=f"lowest {units.text(sigma, curve.unit, digits=3)} at τ = {place:.3g} s",
        ),
    ]  # fmt: skip


def _tables(analysis: Analysis) -> list[Table]:
    if analysis.lines is None or not analysis.lines.lines:
        return []
    unit, found = analysis.lines.unit, analysis.lines.lines
    ordered = found[0].order is not None
    columns = [Column(name="Frequency (Hz)"), Column(name="Amplitude", unit=unit or None), Column(name="U (k = 2)", unit=unit or None)]
    if ordered:
        columns.append(Column(name="Order"))
    rows = [
        (f"{one.frequency_hz:.6g}", one.amplitude, one.amplitude_u, *((f"{one.order:.4g}" if one.whole is None else f"{one.whole}",) if ordered else ()))
        for one in found[:MOST_ROWS]
    ]  # fmt: skip
    more = f", the {MOST_ROWS} strongest of {len(found)}" if len(found) > MOST_ROWS else ""
    return [Table(title=f"Lines{more}", columns=columns, rows=rows)]
