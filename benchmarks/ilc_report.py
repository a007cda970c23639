"""The report of a learning test."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from precision import units
from precision.report import frf_charts, learning_charts
from precision.report.document import Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest

from . import ilc
from .ilc_evaluation import Analysis, Trial
from .ilc_plan import Parameters
from .report_head import head, provenance, stopped_early, verdict_dict

PHASES: Final = {ilc.BEFORE: "without signal", ilc.LEARNING: "learning", ilc.AFTER: "signal as learned"}
MOST_ROWS: Final = 60


def limits(plan: Parameters) -> dict[str, float]:
    """Figure -> its upper limit."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged, figures = limits(plan), analysis.figures
    errors = {prefix: [figure for key, figure in figures.items() if key.startswith(prefix)] for prefix in ("before_", "after_")}
    learned = [figure for key, figure in figures.items() if not key.startswith(("before_", "after_"))]
    heads = [key for key in ("before_rms", "after_rms", "after_peak") if figures[key].value is not None]
    law = analysis.law
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    notes += [Note(text=f"{remark[0].upper()}{remark[1:]}.") for remark in analysis.remarks]
    notes.append(Note(text=f"Law: {law.stated}."))
    notes.append(
        Note(
            text=f"The last {law.samples - law.judged} of {law.samples} samples of a trial are not judged: there learning fades out, so that the end of the trial is no step."
        )
    )
    notes.append(
        Note(
            text="U holds what differs from trial to trial, in its real correlation; not the error of the sensor, by which reference and output are compared."
        )
    )
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    count = {phase: sum(trial.phase == phase for trial in analysis.trials) for phase in PHASES}
    test = (
        ("Trials", ", ".join(f"{count[phase]} {words}" for phase, words in PHASES.items())),
        ("A trial", f"{law.samples} samples, {law.samples * (analysis.time_s[1] - analysis.time_s[0]):.4g} s"),
        ("Learning law", law.stated.split(";")[0]), ("Robustness filter Q", law.stated.split("; ")[1]),
    )  # fmt: skip
    return Document(
        title=plan.title,
        subtitle=f"{count[ilc.LEARNING]} trials with learning" + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=[
            FigureTable.of("Error without signal", errors["before_"], headline=heads[:1]),
            FigureTable.of(
                "Error with the learned signal",
                errors["after_"],
                limits={key: value for key, value in judged.items() if key in figures},
                headline=heads[1:],
            ),
            FigureTable.of("Learning", learned),
        ],
        charts=_charts(plan, analysis),
        tables=[_table(plan, analysis)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures, trials, the law by frequency, and the learned signal."""
    law, known = analysis.law, analysis.law.measured
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "trials": [
            {"trial": one.number, "phase": PHASES[one.phase], "rms": one.rms, "rms_u": one.rms_u, "peak": one.peak, "peak_u": one.peak_u, "signal_peak": one.signal_peak,
             "foretold_rms": one.foretold}
            for one in analysis.trials
        ],
        "law": {
            "stated": law.stated, "frequency_hz": law.frequency_hz[known].tolist(), "response_real": law.plant[known].real.tolist(),
            "response_imaginary": law.plant[known].imag.tolist(), "response_u": law.plant_u[known].tolist(), "filter": law.filter[known].tolist(),
            "contraction": np.abs(law.contraction[known]).tolist(), "contraction_u": law.contraction_u[known].tolist(),
        },
        "signal": {"unit": plan.units.input, "values": analysis.signal[-1].tolist()},
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def _charts(plan: Parameters, analysis: Analysis) -> list[Chart]:
    law, trials, unit = analysis.law, analysis.trials, plan.units.output
    taught = [k for k, trial in enumerate(trials) if trial.phase == ilc.LEARNING]
    after = [k for k, trial in enumerate(trials) if trial.phase == ilc.AFTER]
    noted = analysis.figures
    shown = _few(taught)
    charts = []
    first = next(k for k, trial in enumerate(trials) if trial.phase == ilc.BEFORE)
    ends = "   ·   ".join(
        f"{words} {units.text(float(noted[key].value or 0), unit)} rms"
        for key, words in (("before_rms", "without signal"), ("after_rms", "learned"))
        if noted[key].value
    )
    courses = [learning_charts.Course(name="without signal", values=analysis.error[first])]
    courses += [learning_charts.Course(name=f"trial {trials[k].number}", values=analysis.error[k]) for k in shown]
    charts.append(learning_charts.course_chart(
        analysis.time_s, courses, unit=unit, what="Error", title="Error over time, trial by trial", key_numbers=ends, reference=analysis.reference,
        how_to_read="What the output lacks of the reference, in some of the trials: orange without signal, then the darker the later. Below, the motion.",
    ))  # fmt: skip
    rate = "   ·   ".join(
        f"{words} {noted[key].value:.3g} ± {noted[key].uncertainty:.2g} a trial" for key, words in (("rate", "found"), ("rate_foretold", "foretold"))
        if noted[key].value is not None
    )  # fmt: skip
    charts.append(learning_charts.norm_chart(
        [trial.number for trial in trials], *(np.array([getattr(trial, name) for trial in trials]) for name in ("rms", "rms_u", "peak")),
        foretold=[(trial.number, trial.foretold) for trial in trials if trial.foretold is not None],
        first=trials[taught[0]].number if taught else 0, last=trials[taught[-1]].number if taught else -1, noise=analysis.noise, unit=unit,
        title="Error of each trial", key_numbers=rate or "no rate of convergence was found",
    ))  # fmt: skip
    late = [k for k in ([*shown, *after[:1]] if after else shown)]
    if late:
        peak = max(trials[k].signal_peak for k in late)
        signals = [
            learning_charts.Course(name="without", values=analysis.signal[first]),
            *[learning_charts.Course(name=f"trial {trials[k].number}", values=analysis.signal[k]) for k in shown],
        ]
        charts.append(learning_charts.course_chart(
            analysis.time_s, signals, unit=plan.units.input, what="Feed-forward", title="Learned signal", key_numbers=f"peak {units.text(peak, plan.units.input)} of {plan.safety.peak:g} allowed",
            how_to_read="What was added to the controller's output in these trials. A signal that settles in shape while the error falls is the force that the motion needs.",
        ))  # fmt: skip
    known = law.measured
    worst, u, at = law.worst
    charts.append(learning_charts.contraction_chart(
        law.frequency_hz[known], np.abs(law.contraction[known]), law.contraction_u[known], law.filter[known], title="What a trial leaves of the error, by frequency",
        key_numbers=f"largest {worst:.3g} ± {u:.2g} at {at:.4g} Hz",
    ))  # fmt: skip
    response = frf_charts.Curve(
        name="output over feed-forward", frequency_hz=law.frequency_hz[known], response=law.plant[known], u=law.plant_u[known]
    )
    pair = f"{unit}/{plan.units.input}" if unit != plan.units.input else ""
    charts.append(
        frf_charts.bode_chart(
            [response], unit=pair, title="Response J: output over feed-forward, in the closed loop", key_numbers=f"{int(known.sum())} lines"
        )
    )
    return charts


def _few(taught: list[int]) -> list[int]:
    """Of the trials with learning: the first three, one between, and the last."""
    if len(taught) <= 5:
        return taught
    return [*taught[:3], taught[(len(taught) + 2) // 2], taught[-1]]


def _table(plan: Parameters, analysis: Analysis) -> Table:
    unit, before = plan.units.output, None
    rows: list[tuple[str | int | float | None, ...]] = []
    for trial in analysis.trials[:MOST_ROWS]:
        rows.append((trial.number, PHASES[trial.phase], *_numbers(trial), None if before is None else f"{trial.rms / before:.3f}", trial.signal_peak))
        before = trial.rms if trial.rms > 0 else None
    more = f"; the first {MOST_ROWS} of {len(analysis.trials)}" if len(analysis.trials) > MOST_ROWS else ""
    columns = [
        Column(name="Trial"), Column(name="Kind"), Column(name="rms error", unit=unit, family="rms"), Column(name="U", unit=unit, family="rms"), Column(name="Foretold", unit=unit, family="rms"),
        Column(name="Largest error", unit=unit, family="peak"), Column(name="U", unit=unit, family="peak"), Column(name="Ratio"), Column(name="Peak of the signal", unit=plan.units.input, family="signal"),
    ]  # fmt: skip
    return Table(
        title="Trials" + more,
        columns=columns,
        rows=rows,
        note="Ratio: rms error over that of the trial before. U: k = 2. Foretold: from the measured response and the error without signal.",
    )


def _numbers(trial: Trial) -> tuple[float | None, ...]:
    return trial.rms, trial.rms_u, trial.foretold, trial.peak, trial.peak_u
