"""The report of a tracking test: errors by phase and direction, time shift and gain of the loop, ripple along the travel, lines of the part program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from precision import units
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.symbols import plain
from precision.report.tracking_charts import Spectrum, Travelled, position_chart, ripple_chart, time_chart
from precision.runs.manifest import Manifest
from precision.standards import following_error

from .report_head import head, provenance, stopped_early, verdict_dict
from .tracking_evaluation import Analysis, Judged
from .tracking_plan import Parameters, Recorded

MOST_LINES: Final = 60
MOST_TRAVERSES: Final = 24
_SHOWN_TRAVERSES: Final = 2
_SHOWN_WHOLE: Final = 12
"""Motions of a program or a log that are still told apart in one drawing."""
_FIGURES: Final = {
    "Following error": ("e_max", "e_rms", "e_constant"),
    "Without the time shift, and at standstill": ("e_max_without_shift", "e_rms_without_shift", "e_standstill"),
    "Time and gain": ("time_shift", "velocity_lag", "k_v", "loop_gain", "dead_time"),
    "Ripple along the travel": ("ripple_forward", "ripple_backward"),
    "Period of the ripple": ("ripple_period_forward", "ripple_period_backward"),
    "What the feedback does not see": ("mechanics",),
    "Beside the controller's own error": ("own_difference",),
}
"""Tables, each in one unit."""
_HEADLINES: Final = ("e_max", "k_v", "time_shift", "ripple_forward", "ripple_period_forward")
_HEADLINES_OF_SEVERAL: Final = ("e_max",)
"""Of each axis and feed, where there are several."""


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit, SI."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged = limits(plan)
    tables: list[FigureTable] = []
    charts: list[Chart] = []
    details: list[Table] = []
    for one in analysis.judged:
        tables += _figure_tables(one, judged, headlines=_HEADLINES if len(analysis.judged) == 1 else _HEADLINES_OF_SEVERAL)
        charts += _charts(one)
        details += _tables(one, plan.evaluation.lead)
    if analysis.lines:
        details.append(_lines(plan, analysis))
    notes = [Note(text=f"{flag}.", kind="flag") for one in analysis.judged for flag in one.flags]
    notes += [Note(text=text, kind="caution") for text in analysis.notes]
    if plan.uncertainty.synchronisation is None:
        notes.append(
            Note(
                text="Errors, shift and lag have no uncertainty: state in [uncertainty] synchronisation how far apart in time command and feedback of one row may be. "
                "Without U a decision on a limit is none after ISO 14253-1.",
                kind="caution",
            )
        )
    if isinstance(plan, Recorded):
        notes += [Note(text=sentence, kind="caution") for sentence in plan.recording.about]
    notes += [Note(text=f"{remark}.") for one in analysis.judged for remark in one.remarks]
    notes += [
        Note(text=f"{sentence[0].upper()}{sentence[1:]}.")
        for sentence in dict.fromkeys(s for one in analysis.judged for s in (one.result.stated[0], *one.result.stated[2:], *one.loop.stated))
    ]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    axes = ", ".join(dict.fromkeys(one.record.axis for one in analysis.judged))
    return Document(
        title=plan.title,
        subtitle=f"{axes}, following error" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=_test_rows(plan, analysis)),
        figures=tables,
        charts=charts,
        tables=details,
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures, phases, traverses, waves and lines; the capture holds the samples."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "series": [_series_dict(one) for one in analysis.judged],
        "lines": [
            {
                "line": one.line,
                "samples": one.samples,
                "rms": dict(one.rms),
                "largest": dict(one.largest),
                "total_rms": one.total_rms,
                "total_largest": one.total_largest,
            }
            for one in analysis.lines
        ],
        "unit": analysis.unit,
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }


def _series_dict(one: Judged) -> dict[str, Any]:
    return {
        "axis": one.record.axis,
        "feed_m_per_s": one.record.feed_m_per_s,
        "rate_hz": one.rate_hz,
        "samples": int(one.command.size),
        "settle_s": one.settle_s,
        "phases": [
            {
                "phase": each.part.phase, "direction": each.part.direction, "samples": each.part.samples, "stretches": each.stretches,
                "mean": each.part.mean, "mean_u": each.mean_u, "rms": each.part.rms, "rms_u": each.rms_u, "largest": each.part.largest, "largest_u": each.largest_u,
                "three_sigma": each.part.three_sigma, "without_shift_rms": each.part.without_shift_rms, "without_shift_largest": each.part.without_shift_largest,
            }
            for each in one.parts
        ],
        "traverses": [
            {"direction": each.direction, "begin_s": each.begin_s, "samples": each.samples, "velocity": each.velocity, "mean": each.mean, "ripple_rms": each.ripple}
            for each in one.traverses
        ],
        "waves": {
            direction: [{"period": wave.period, "period_u": wave.period_u, "amplitude": wave.amplitude, "amplitude_u": wave.amplitude_u} for wave in waves]
            for direction, waves in one.waves.items()
        },
        "own": None if one.own is None else {"rms": one.own.rms, "largest": one.own.largest, "difference_rms": one.own.difference, "cycles": one.own.cycles},
        "flags": list(one.flags),
    }  # fmt: skip


# -- figures and tables -----------------------------------------------------------------------------------------------------------------------


def _figure_tables(one: Judged, judged: dict[str, float], *, headlines: tuple[str, ...]) -> list[FigureTable]:
    about = f", {one.name}" if one.key else ""
    tables = []
    for title, keys in _FIGURES.items():
        chosen = [key for key in keys if key in one.figures]
        if chosen:
            own = {one.figures[key].key: value for key, value in judged.items() if key in chosen}
            headline = {one.figures[key].key for key in chosen if key in headlines and one.figures[key].value is not None}
            # A headline stands apart from its table: it says itself whose figure it is.
            figures = [replace(figure, name=f"{figure.name}{about}") if figure.key in headline else figure for figure in (one.figures[key] for key in chosen)]
            tables.append(FigureTable.of(f"{title}{about}", figures, limits=own, headline=headline))
    return tables


def _tables(one: Judged, lead_s: float) -> list[Table]:
    unit, about = one.unit, f", {one.name}" if one.key else ""
    columns = [
        Column(name="Phase"), Column(name="Direction"), Column(name="Times"), Column(name="Samples"),
        *(Column(name=name, unit=unit, family="error") for name in ("mean", "U", "rms", "U", "largest", "U", "3σ", "rms without shift")),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            each.part.phase, "—" if each.part.direction == "none" else each.part.direction, each.stretches, each.part.samples, each.part.mean, each.mean_u, each.part.rms, each.rms_u,
            each.part.largest, each.largest_u, each.part.three_sigma, each.part.without_shift_rms,
        ]
        for each in one.parts
    ]  # fmt: skip
    before = f"The last {units.text(lead_s, 's', digits=2)} before an acceleration or a motion count as it already. " if lead_s else ""
    found = [
        Table(
            title=f"Following error by phase{about}", columns=columns, rows=rows,
            note=f"Phases of the set-point. The first {units.text(one.settle_s, 's', digits=2)} after an acceleration still count as it, the first after the end of a motion as settling. "
            f"{before}U with k = 2: scatter of the repeats, simultaneity, noise and counts.",
        )
    ]  # fmt: skip
    if one.traverses:
        shown = one.traverses[:MOST_TRAVERSES]
        more = f", the first {MOST_TRAVERSES} of {len(one.traverses)}" if len(one.traverses) > MOST_TRAVERSES else ""
        found.append(
            Table(
                title=f"Traverses at constant velocity{about}{more}",
                columns=[
                    Column(name="Direction"), Column(name="begins", unit="s", family="time"), Column(name="velocity", unit=f"{unit}/s"), Column(name="mean error", unit=unit, family="error"),
                    Column(name="error over velocity", unit="s", family="lag"), Column(name="ripple, rms", unit=unit, family="ripple"),
                ],
                rows=[["forward" if each.direction > 0 else "backward", each.begin_s, each.velocity, each.mean, float(f"{each.mean / each.velocity:.5g}"), each.ripple] for each in shown],
            )
        )  # fmt: skip
    waves = [(direction, wave) for direction in ("forward", "backward") for wave in one.waves[direction]]
    if waves:
        found.append(
            Table(
                title=f"Waves along the travel{about}",
                columns=[Column(name="Direction"), Column(name="period", unit=unit, family="period"), Column(name="U", unit=unit, family="period"), Column(name="amplitude", unit=unit, family="wave"), Column(name="U", unit=unit, family="wave")],
                rows=[[direction, wave.period, wave.period_u, wave.amplitude, wave.amplitude_u] for direction, wave in waves],
                note="Of the following error at constant velocity, all traverses in a direction fitted together; those that noise alone would make in less than one case of a hundred.",
            )
        )  # fmt: skip
    return found


def _lines(plan: Parameters | Recorded, analysis: Analysis) -> Table:
    axes = [one.record.axis for one in analysis.judged if one.line is not None]
    text = plan.program.text.split("\n") if isinstance(plan, Parameters) and plan.program.text else []
    worst = sorted(analysis.lines, key=lambda one: -one.total_largest)[:MOST_LINES]
    several = len(axes) > 1
    columns = [Column(name="Line"), *([Column(name="G-code")] if text else []), Column(name="Samples")]
    for axis in axes:
        columns += [
            Column(name=f"{axis} rms", unit=analysis.unit, family="error"),
            Column(name=f"{axis} largest", unit=analysis.unit, family="error"),
        ]
    if several:
        columns += [
            Column(name="all axes rms", unit=analysis.unit, family="error"),
            Column(name="all axes largest", unit=analysis.unit, family="error"),
        ]
    rows: list[list[Cell]] = []
    for one in sorted(worst, key=lambda line: line.line):
        row: list[Cell] = [str(one.line), *([text[one.line - 1].strip()[:60] if one.line <= len(text) else "—"] if text else []), one.samples]
        for axis in axes:
            row += [one.rms[axis], one.largest[axis]]
        rows.append([*row, one.total_rms, one.total_largest] if several else row)
    left = (
        f" The {MOST_LINES} of {len(analysis.lines)} lines with the largest errors; result.json has all."
        if len(analysis.lines) > MOST_LINES
        else ""
    )
    return Table(
        title="Following error by line of G-code", columns=columns, rows=rows,
        note=f"Each sample counts for the line that was commanded then; the feedback still answers the line before for the time shift. Lines that move nothing are left out.{left}",
    )  # fmt: skip


def _test_rows(plan: Parameters | Recorded, analysis: Analysis) -> list[tuple[str, str | None]]:
    rows: list[tuple[str, str | None]] = []
    if isinstance(plan, Parameters) and plan.program.given:
        rows.append(
            (
                "Motion",
                f"part program{f' {plan.program.file}' if plan.program.file else ''}, {len((plan.program.text or '').splitlines())} lines",
            )
        )
    elif isinstance(plan, Parameters):
        motion = plan.motion
        ways = ", ".join(
            f"{axis} {low * 1e3:g} … {high * 1e3:g} mm" for axis, low, high in zip(motion.axes, motion.low, motion.high, strict=True)
        )
        rows += [
            ("Motion", f"{ways}, {motion.repeats} times to and fro"),
            ("Feeds", ", ".join(f"{feed * 60e3:g} mm/min" for feed in motion.feeds)),
            ("Rest", f"{motion.rest:g} s at each end"),
        ]
    else:
        log = "planned motion and steps of the motors" if plan.steps.planned is not None else "a log"
        rows.append(("Motion", f"{log} of {', '.join(one.record.axis for one in analysis.judged)}"))
    first = analysis.judged[0]
    ahead = plan.evaluation.command_ahead
    rows += [
        (
            "Sampling",
            f"{first.rate_hz:.6g} Hz"
            + (f", the command of a row is {ahead} cycle{'s' if ahead > 1 else ''} newer than its feedback: taken off" if ahead else ""),
        ),
        ("Settling time", ", ".join(dict.fromkeys(units.text(one.settle_s, "s", digits=2) for one in analysis.judged))),
    ]
    return rows


# -- charts -----------------------------------------------------------------------------------------------------------------------------------


def _charts(one: Judged) -> list[Chart]:
    unit, name, result = one.unit, one.name, one.result
    e_max, gain, shift = (one.figures[key] for key in ("e_max", "k_v", "time_shift"))
    said = [f"largest {units.text(e_max.value or 0.0, unit, digits=3)}"]
    if gain.value is not None:
        said.append(f"{plain('K_v')} {units.text(gain.value, '1/s', digits=4)}")
    if shift.value is not None:
        said.append(f"time shift {units.text(shift.value, 's', digits=3)}")
    end = _shown_until(one)
    found = [
        time_chart(
            one.time_s[:end], one.command[:end], result.error[:end], result.phases[:end], following_error.PHASES, rate_hz=one.rate_hz, unit=unit,
            heading=f"Following error, {name}", key_numbers="   ·   ".join(said),
        )
    ]  # fmt: skip
    ways = [
        Travelled(direction=sign, position=one.feedback[begin:stop], error=result.error[begin:stop])
        for begin, stop, sign in following_error.constant_stretches(result)[:MOST_TRAVERSES]
    ]
    if not ways:
        return found
    ripple = [f"{'↑' if direction == 'forward' else '↓'} {_wave_text(one, direction)}" for direction in ("forward", "backward")]
    if not any(one.waves.values()):
        ripple = ["no wave stands out of noise and counts"]
    found.append(
        position_chart(
            one.feedback,
            result.error,
            result.sense,
            ways,
            unit=unit,
            heading=f"Following error along the travel, {name}",
            key_numbers="   ·   ".join(ripple),
        )
    )
    spectra = [
        Spectrum(
            direction=sign,
            period=kept.period,
            amplitude=kept.amplitude,
            waves=[(wave.period, wave.amplitude) for wave in one.waves[direction][:1]],
        )
        for direction, sign in (("forward", 1), ("backward", -1))
        if (kept := result.ripple[direction]) is not None
    ]
    if spectra:
        found.append(ripple_chart(spectra, unit=unit, heading=f"Ripple along the travel, {name}", key_numbers="   ·   ".join(ripple)))
    return found


def _wave_text(one: Judged, direction: str) -> str:
    if not one.waves[direction]:
        return "no wave stands out"
    wave = one.waves[direction][0]
    return f"{units.text(wave.amplitude, one.unit, digits=3)} every {units.text(wave.period, one.unit, digits=4)}"


def _shown_until(one: Judged) -> int:
    """The first traverses with the rest after them: so much that phases are still seen. The whole of a record that never rests."""
    stand = following_error.STANDSTILL
    ends = [k for k in range(1, one.result.phases.size) if one.result.phases[k - 1] != stand and one.result.phases[k] == stand]
    if len(ends) < _SHOWN_TRAVERSES or (one.record.feed_m_per_s is None and len(ends) <= _SHOWN_WHOLE):
        return int(one.result.phases.size)
    begin = ends[_SHOWN_TRAVERSES - 1]
    leaves = np.flatnonzero(one.result.phases[begin:] != stand)
    return begin + (int(leaves[0]) if leaves.size else one.result.phases.size - begin)
