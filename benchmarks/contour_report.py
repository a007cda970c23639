"""The report of a contour test: figures of command, feedback and tool against their limits, the magnified path, worst places and every line of the program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import units
from precision.figures import Figure
from precision.models.gcode_path import GcodePath
from precision.report.contour_charts import Errors, Marked, along_chart, path_chart
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.symbols import plain
from precision.report.visible_text import visible
from precision.runs.manifest import Manifest

from .contour_alignment import path_normals
from .contour_evaluation import WORDS, Analysis, as_json
from .contour_plan import Evaluated
from .report_head import head, provenance, stopped_early, verdict_dict

Floats = NDArray[np.float64]
_LIMITED: Final = {"contour": "e_max", "contour_rms": "e_rms", "overshoot": "overshoot", "undershoot": "undershoot"}
"""Limit of the plan -> figure of the main source that it is for."""
_MOST_LINES: Final = 200
_TITLES: Final = {"cmd": "Command: what the controller asks for", "fb": "Feedback: what the motors do", "tool": "Tool: what the workpiece gets"}
_ROUND_OFF_M: Final = 1e-15
"""Below it a distance is the rounding of coordinates (2e-16 of 1 m), not what a controller asked for."""
_EXACT: Final = "a command is a number of the controller, not a measurement"


def document(plan: Evaluated, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    notes = [Note(text=flag, kind="flag") for flag in analysis.flags]
    if analysis.uncertainty_reason and "tool" in analysis.results:
        notes.append(Note(text=f"No uncertainty of the tool's figures is stated: {analysis.uncertainty_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    if analysis.causes is None:
        notes.append(Note(text=f"What makes the error could not be told: {analysis.reason}.", kind="caution" if len(analysis.results) > 1 else "statement"))
    notes += [Note(text=text) for text in _statements(plan, analysis)]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return Document(
        title=plan.title,
        subtitle=f"{plan.program.plane}, {_program_name(plan)}" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=_test_rows(plan, analysis)),
        figures=_figure_tables(plan, analysis),
        charts=_charts(analysis),
        tables=_tables(analysis),
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(plan.limits.model_dump(exclude_none=True)),
    )


def result_dict(plan: Evaluated, analysis: Analysis, document: Document) -> dict[str, Any]:
    """result.json: the figures in full, without anything that depends on when or where they were computed. Curves follow from the capture."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "plane": plan.program.plane,
        "main": WORDS[analysis.main],
        "sources": {
            WORDS[source]: {
                "figures": {key: one.to_dict() for key, one in result.figures.items()},
                "worst": [_plain(place) for place in (analysis.worst if source == analysis.main else result.worst)],
                "corners": [_plain(corner) for corner in result.corners],
                "window_m": result.window_m,
                "stated": list(result.stated),
            }
            for source, result in analysis.results.items()
        },
        "parts": {one.key: one.to_dict() for one in analysis.parts},
        "following": {one.key: one.to_dict() for one in analysis.following},
        "across": {one.key: one.to_dict() for one in analysis.across},
        "causes": None if analysis.causes is None else {key: one.to_dict() for key, one in analysis.causes.figures.items()},
        "causes_reason": analysis.reason or None,
        "alignment": None if analysis.alignment is None else {"offset_m": list(analysis.alignment.offset_m), "rotation_rad": analysis.alignment.rotation_rad, "gain": analysis.alignment.gain},
        "lines": [as_json(one) for one in analysis.segments],
        "flags": list(analysis.flags),
        "limits": plan.limits.model_dump(exclude_none=True),
        "verdict": verdict_dict(document),
        "uncertainty_reason": analysis.uncertainty_reason or None,
    }  # fmt: skip


def _plain(one: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value := getattr(one, name), tuple) else value for name in one.__slots__}


# ---- figures ---------------------------------------------------------------------------------------------------------------------------


def _figure_tables(plan: Evaluated, analysis: Analysis) -> list[FigureTable]:
    tables = []
    for source in reversed(list(analysis.results)):
        figures = [_of_source(one, source) for one in analysis.results[source].figures.values()]
        limits = {f"{key}_{source}": limit for name, key in _LIMITED.items() if source == analysis.main and (limit := getattr(plan.limits, name)) is not None}
        headline = [f"{key}_{source}" for key in ("e_max", "e_rms", "overshoot", "undershoot") if source == analysis.main and analysis.results[source][key] is not None]
        tables.append(FigureTable.of(_TITLES[source], figures, limits=limits, headline=headline))
    limits = {} if plan.limits.following is None else {"following_max": plan.limits.following}
    if len(analysis.results) > 1 or limits:
        tables.append(FigureTable.of("Following error", analysis.following, limits=limits))
    if len(analysis.results) > 1:
        tables.append(FigureTable.of("What each stage adds", analysis.parts))
    if analysis.causes is not None:
        tables.append(FigureTable.of("Causes", analysis.causes.figures.values()))
    if analysis.across:
        tables.append(FigureTable.of("Across the plane", analysis.across))
    return tables


def _of_source(one: Figure, source: str) -> Figure:
    """A key of its own for each source; a command has no uncertainty, and that is said."""
    reason = _EXACT if source == "cmd" and one.value is not None else one.uncertainty_reason
    bare = one.symbol.replace("|ε|", "ε")
    symbol = f"{bare},{source}" if "_" in bare else f"{bare} {source}"
    value = 0.0 if one.value is not None and abs(one.value) < _ROUND_OFF_M else one.value
    return replace(one, key=f"{one.key}_{source}", symbol=symbol, value=value, uncertainty_reason=reason)


# ---- charts ----------------------------------------------------------------------------------------------------------------------------


def _charts(analysis: Analysis) -> list[Chart]:
    main = analysis.result
    kept = main.counted
    foot, normal = path_normals(analysis.path, main.foot_m[kept])
    marked = _marked(analysis)
    errors = {
        source: Errors(source=source, name=f"{WORDS[source]}", path_m=result.foot_m[result.counted], deviation_m=result.deviation_m[result.counted])
        for source, result in analysis.results.items()
    }
    numbers = "   ·   ".join(f"{plain(_of_source(main.figures[key], analysis.main).symbol)} {units.text(value, 'm', digits=3)}" for key in ("e_max", "e_rms") if (value := main[key]) is not None)
    by_source = "   ·   ".join(f"{WORDS[source]} {units.text(result['e_max'] or 0.0, 'm', digits=3)}" for source, result in analysis.results.items())
    path = analysis.path
    return [
        path_chart(
            errors[analysis.main], foot_m=foot, normal=normal, axes=analysis.axes, worst=marked, outline_m=_outline(path), heading=f"Contour error of the {WORDS[analysis.main]}",
            key_numbers=numbers,
        ),
        along_chart(
            list(errors.values()), starts_m=[0.0, *np.cumsum(path.length_m).tolist()], lines=path.line.tolist(), worst=marked, heading="Contour error along the path",
            key_numbers=f"largest: {by_source}", rapid=path.rapid.tolist(),
        ),
    ]  # fmt: skip


def _marked(analysis: Analysis) -> list[Marked]:
    worst = analysis.worst
    feet, _ = path_normals(analysis.path, np.array([one.path_m for one in worst]))
    return [Marked(line=one.line, deviation_m=one.deviation_m, path_m=one.path_m, foot_m=(float(x), float(y))) for one, x, y in zip(worst, *feet, strict=True)]


def _outline(path: GcodePath) -> Floats:
    """(2, k) of the path without its rapids, arcs as chords of 2° at most, NaN between parts."""
    ends = np.concatenate([[0.0], np.cumsum(path.length_m)])
    count = 2 + np.ceil(np.abs(path.sweep_rad) / math.radians(2)).astype(np.int64)
    owner = np.repeat(np.arange(count.size), count)
    number = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
    share = np.clip(number / (count[owner] - 1), 1e-9, 1 - 1e-9)
    places, _ = path_normals(path, ends[owner] + share * (ends[owner + 1] - ends[owner]))
    return np.asarray(np.where(path.rapid[owner], np.nan, places))


# ---- tables ----------------------------------------------------------------------------------------------------------------------------


def _tables(analysis: Analysis) -> list[Table]:
    text = analysis.text.split("\n")
    tables = [_worst_table(analysis, text)]
    if any(result.corners for result in analysis.results.values()):
        tables.append(_corner_table(analysis))
    tables.append(_line_table(analysis, text))
    return tables


def _code(text: list[str], line: int) -> str:
    return visible(" ".join(text[line - 1].split()), longest=48) if 0 < line <= len(text) else ""


def _rounded(values: Sequence[float | None], largest: float) -> list[Cell]:
    """To a thousandth of the power of ten of the largest: beside it a rounding of 1e-17 is nothing, and no digits are printed for it."""
    places = 3 - math.floor(math.log10(largest)) if largest > 0 else 15
    return [None if value is None else round(value, min(places, 15)) + 0.0 for value in values]


def _worst_table(analysis: Analysis, text: list[str]) -> Table:
    others = [source for source in analysis.results if source != analysis.main]
    largest = analysis.result["e_max"] or 0.0
    rows: list[list[Cell]] = []
    for number, one in enumerate(analysis.worst, 1):
        beside = [float(analysis.results[source].deviation_m[one.sample]) for source in others]
        rows.append([number, one.line, _code(text, one.line), *_rounded([*one.at_m], 0.01), *_rounded([one.deviation_m, *beside], largest)])
    first, second = analysis.axes
    return Table(
        title=f"Worst places of the {WORDS[analysis.main]}",
        columns=[
            Column(name="No."), Column(name="line"), Column(name="G-code"), Column(name=f"at {first}", unit="m", family="place"), Column(name=f"at {second}", unit="m", family="place"),
            Column(name="contour error", unit="m", family="error"), *(Column(name=f"there in the {WORDS[source]}", unit="m", family="error") for source in others),
        ],
        rows=rows,
        note="The largest error of each motion, the largest first; positive to the left of the direction of travel. The numbers are those of the drawing.",
    )  # fmt: skip


def _corner_table(analysis: Analysis) -> Table:
    result = analysis.result
    largest = max([1e-12, *(max(one.overshoot_m, one.undershoot_m) for one in result.corners)])
    rows: list[list[Cell]] = [
        [f"{one.line} → {one.next_line}", f"{math.degrees(one.turn_rad):+.1f}°".replace("-", "−"), *_rounded([*one.at_m], 0.01), *_rounded([one.overshoot_m, one.undershoot_m], largest)]
        for one in result.corners[:_MOST_LINES]
    ]
    first, second = analysis.axes
    return Table(
        title=f"Corners, {WORDS[analysis.main]}",
        columns=[
            Column(name="lines"), Column(name="turn"), Column(name=f"at {first}", unit="m", family="place"), Column(name=f"at {second}", unit="m", family="place"),
            Column(name="overshoot", unit="m", family="error"), Column(name="undershoot", unit="m", family="error"),
        ],
        rows=rows,
        note="Overshoot: how far outside of the turn within a window about the corner. Undershoot: how far from the corner the track passes on the inside. A turn to the left is positive."
        + _shortened(len(result.corners)),
    )  # fmt: skip


def _line_table(analysis: Analysis, text: list[str]) -> Table:
    others = [source for source in analysis.results if source != analysis.main]
    lags = any(one.following_m is not None for one in analysis.segments)
    largest, behind = analysis.result["e_max"] or 0.0, max([0.0, *(one.following_m or 0.0 for one in analysis.segments)])
    rows: list[list[Cell]] = []
    for one in analysis.segments[:_MOST_LINES]:
        feed = "—" if one.feed_m_per_s is None else f"{one.feed_m_per_s * 60e3:g}"
        errors = _rounded([one.mean_m, one.rms_m, one.peak_m, *(one.peaks[source] for source in others)], largest)
        rows.append([one.line, _code(text, one.line), one.kind, feed, one.samples, *errors, *(_rounded([one.following_m, one.following_rms_m], behind) if lags else [])])
    return Table(
        title="Lines of the program",
        columns=[
            Column(name="line"), Column(name="G-code"), Column(name="kind"), Column(name="feed in mm/min"), Column(name="samples"), Column(name="mean", unit="m", family="error"),
            Column(name="rms", unit="m", family="error"), Column(name=f"peak, {WORDS[analysis.main]}", unit="m", family="error"),
            *(Column(name=f"peak, {WORDS[source]}", unit="m", family="error") for source in others),
            *([Column(name="following, peak", unit="m", family="following"), Column(name="following, rms", unit="m", family="following")] if lags else []),
        ],
        rows=rows,
        note=f"Contour error of the {WORDS[analysis.main]} where nothing else is said, signed, positive to the left; following error: distance of command and feedback." + _shortened(len(analysis.segments)),
    )  # fmt: skip


def _shortened(count: int) -> str:
    return f" The first {_MOST_LINES} of {count} are printed; all are in result.json." if count > _MOST_LINES else ""


# ---- words -----------------------------------------------------------------------------------------------------------------------------


def _program_name(plan: Evaluated) -> str:
    return plan.program.file or getattr(plan.program, "piece", None) or "part program"


def _test_rows(plan: Evaluated, analysis: Analysis) -> list[tuple[str, str | None]]:
    feeds = sorted({one.feed_m_per_s for one in analysis.segments if one.feed_m_per_s})
    path = analysis.path
    rows: list[tuple[str, str | None]] = [
        ("Program", _program_name(plan)), ("Plane", plan.program.plane), ("Path", f"{path.line.size} motions, {float(path.length_m.sum()) * 1e3:.5g} mm"),
        ("Feed", f"{', '.join(f'{feed * 60e3:g}' for feed in feeds[:6])} mm/min" if feeds else None),
        ("Recorded", f"{', '.join(WORDS[source] for source in analysis.results)} at {analysis.rate_hz:.5g} Hz"),
        ("Method", "closest distance to the programmed path, signed, positive to the left of the direction of travel"),
    ]  # fmt: skip
    if analysis.alignment is not None:
        x, y = analysis.alignment.offset_m
        turned = f", turned by {analysis.alignment.rotation_rad * 1e6:.1f} µrad" if plan.evaluation.alignment == "offset and rotation" else ""
        rows.append(("Taken off the tool's readings", f"{x * 1e6:.2f} µm, {y * 1e6:.2f} µm{turned}: least squares of the contour error"))
    return rows


def _statements(plan: Evaluated, analysis: Analysis) -> list[str]:
    main = analysis.result
    covered = []
    for source in ("fb", "tool"):
        known = analysis.known.get(source)
        if known is not None and source in analysis.results:
            parts = [f"resolution {units.text(known.resolution, 'm', digits=2)}", f"noise {units.text(known.noise, 'm', digits=2)} (as seen at standstill, or as stated where that is more)"]
            if known.device:
                parts.insert(0, f"calibration{' and timing' if plan.uncertainty.skew else ''} {units.text(known.device, 'm', digits=2)}")
            if known.drift_range:
                parts.append(f"drift {units.text(known.drift_range, 'm', digits=2)}")
            moved = analysis.alignment is not None and source == "tool"
            more = f" (the alignment moves with all but the noise, by at most {analysis.alignment.gain:.2g} times as much)" if moved and analysis.alignment is not None else ""
            covered.append(f"{WORDS[source]}: {', '.join(parts)}, of each axis{more}")
    sentences = [f"{'; '.join(main.stated)}."]
    if covered:
        sentences.append(
            f"U (k = 2) covers, for the {'; for the '.join(covered)}. It does not cover how the frame of the readings lies on that of the program where it is not aligned, "
            "nor, for the feedback, anything between motor and tool."
        )
    return sentences
