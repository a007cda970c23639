"""The report of a friction test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from precision.figures import Figure
from precision.report import friction_charts
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest
from precision.units import text

from .friction_evaluation import Analysis
from .friction_plan import Parameters, Recorded
from .report_head import head, provenance, stopped_early, verdict_dict

MOST_ROWS = 60
_TABLES = (
    ("Friction curve", ("coulomb", "static", "stribeck_velocity", "viscous", "offset", "residual")),
    (
        "Feed-forward",
        (
            "ff_mass",
            "ff_viscous",
            "ff_coulomb",
            "ff_offset",
            "ff_residual",
            "ff_r2",
            "ff_validated_residual",
            "ff_validated_r2",
        ),
    ),
    (
        "Lost motion, backlash and friction told apart",
        (
            "lost_motion",
            "backlash",
            "windup",
            "stiffness",
            "load_friction",
            "drive_friction",
            "force_offset",
            "lost_residual",
        ),
    ),
    ("Hysteresis of force over motor position", ("loop_width", "loop_width_largest", "loop_area")),
    ("Hysteresis of load over motor position", ("lag_width", "lag_width_largest", "lag_width_share")),
)
_HEADLINE = ("coulomb", "static", "viscous", "lost_motion", "backlash", "windup")


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged, figures = limits(plan), analysis.figures
    tables = [
        _table(title, [figures[key] for key in keys if key in figures], judged)
        for title, keys in _TABLES
        if any(key in figures for key in keys)
    ]
    for number, circle in enumerate(analysis.glitches, 1):
        tables.append(
            _table(
                f"Quadrant glitches at {_speed(plan, circle['speed'] or 0.0)}",
                [figures[f"glitch_{number}_{key}"] for key in circle.figures if key != "speed"],
                judged,
            )
        )
    runs = analysis.runs
    test = (
        (
            "Runs at constant velocity",
            f"{len(runs)}, {_speed(plan, min(abs(one.velocity) for one in runs))} … "
            f"{_speed(plan, max(abs(one.velocity) for one in runs))}"
            if runs
            else None,
        ),
        (
            "Force constant",
            f"{plan.drive.force_constant:g} N per {plan.units.input or 'unit'} of the input"
            if plan.drive.force_constant is not None
            else None,
        ),
        ("Sampling rate", f"{analysis.rate_hz:g} Hz"),
    )
    return Document(
        title=plan.title,
        subtitle=", ".join(
            [
                what
                for what, there in (
                    ("friction curve", analysis.curve),
                    ("feed-forward", analysis.fit),
                    ("reversals", analysis.loop),
                    ("circles", analysis.glitches),
                )
                if there
            ]
        )
        + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(plan, analysis),
        tables=_tables(plan, analysis),
        notes=_notes(plan, analysis, judged),
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def _notes(plan: Parameters | Recorded, analysis: Analysis, judged: dict[str, float]) -> list[Note]:
    notes = [Note(text=f"{flag[0].upper()}{flag[1:]}.", kind="flag") for flag in analysis.flags]
    lost = sorted(set(judged) - set(analysis.figures))
    notes += [
        Note(text=f"{title}: not evaluated; {why}.", kind="caution" if lost else "statement")
        for title, why in analysis.lacking.items()
    ]
    if lost:
        notes.append(
            Note(
                text=f"Limits for {', '.join(lost)} were given, but the record does not hold these figures.", kind="caution"
            )
        )
    results = [
        one
        for one in (analysis.curve, analysis.fit, analysis.lost, analysis.loop, *analysis.glitches[:1])
        if one is not None
    ]
    notes += [Note(text=f"{one.title}: {sentence}.") for one in results for sentence in one.stated]
    if plan.drive.force_constant is None:
        notes.append(Note(text="No drive.force_constant was given: forces are in the unit of the input."))
    elif plan.drive.force_constant_u is None:
        notes.append(Note(text="Nothing was said about the uncertainty of drive.force_constant: it is not in U."))
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return notes


def _table(title: str, figures: Iterable[Figure], judged: dict[str, float]) -> FigureTable:
    own = list(figures)
    keys = {figure.key for figure in own}
    return FigureTable.of(
        title,
        own,
        limits={key: value for key, value in judged.items() if key in keys},
        headline=[key for key in _HEADLINE if key in keys],
    )


def _speed(plan: Parameters | Recorded, value: float) -> str:
    return text(value, f"{plan.units.output}/s", digits=3)


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures, the points of the curve, the loop of the reversals and the mean glitches."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "force_unit": analysis.force_unit,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "curve": []
        if analysis.curve is None
        else [
            {"velocity": one.velocity, "force": one.force, "u": one.force_u, "model": model, "model_u": u}
            for one, model, u in zip(
                analysis.runs, analysis.curve.model.tolist(), analysis.curve.model_u.tolist(), strict=True
            )
        ],
        "loop": None
        if analysis.loop is None
        else {
            "position": analysis.loop.x.tolist(),
            "there": analysis.loop.there.mean(axis=0).tolist(),
            "back": analysis.loop.back.mean(axis=0).tolist(),
        },
        "glitches": [
            {
                "speed": one["speed"],
                "angle_rad": one.angle_rad.tolist(),
                "upper": one.upper.mean(axis=0).tolist(),
                "lower": one.lower.mean(axis=0).tolist(),
            }
            for one in analysis.glitches
        ],
        "lacking": dict(analysis.lacking),
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }


def _charts(plan: Parameters | Recorded, analysis: Analysis) -> list[Chart]:
    charts: list[Chart] = []
    unit, force_unit = plan.units.output, analysis.force_unit
    if analysis.curve is not None:
        charts.append(_curve_chart(analysis, unit, force_unit))
    if analysis.fit is not None and analysis.fitted is not None:
        force = np.asarray(analysis.fitted.force, dtype=np.float64)
        shown = _said(
            analysis,
            (
                ("ff_mass", "mass"),
                ("ff_viscous", "viscous"),
                ("ff_coulomb", "Coulomb"),
                ("ff_validated_r2", "R² on another motion"),
            ),
        )
        charts.append(
            friction_charts.motion_chart(
                np.arange(force.size) / analysis.fitted.rate_hz,
                force,
                analysis.fit.residual,
                force_unit=force_unit,
                key_numbers=shown,
            )
        )
    if analysis.lost is not None and analysis.lost.force.size and analysis.lost["backlash"] is not None:
        shown = _said(analysis, (("lost_motion", "lost motion"), ("backlash", "backlash"), ("stiffness", "stiffness")))
        charts.append(
            friction_charts.loop_chart(
                analysis.lost.deflection,
                analysis.lost.force,
                analysis.lost.model,
                analysis.lost.direction,
                backlash=analysis.lost["backlash"],
                unit=unit,
                force_unit=force_unit,
                key_numbers=shown,
            )
        )
    if analysis.loop is not None:
        shown = _said(analysis, (("loop_width", "width"), ("loop_area", "area")))
        charts.append(
            friction_charts.branches_chart(
                analysis.loop.x, analysis.loop.there, analysis.loop.back, unit=unit, force_unit=force_unit, key_numbers=shown
            )
        )
    if analysis.glitches:
        circles = [(_speed(plan, one["speed"] or 0.0), one.angle_rad, one.upper, one.lower) for one in analysis.glitches]
        heights = [
            f"{text(abs(one['height_upper'] or 0.0), unit, digits=3)} at {_speed(plan, one['speed'] or 0.0)}"
            for one in analysis.glitches[:4]
        ]
        charts.append(friction_charts.glitch_chart(circles, unit=unit, key_numbers="   ·   ".join(heights)))
    return charts


def _curve_chart(analysis: Analysis, unit: str, force_unit: str) -> Chart:
    assert analysis.curve is not None
    curve, runs = analysis.curve, analysis.runs
    lines = [
        (label, level)
        for key, label in (("coulomb", "Coulomb friction"), ("static", "static friction"))
        if (level := curve[key]) is not None and (key == "coulomb" or curve["stribeck_velocity"] is not None)
    ]
    shown = _said(
        analysis,
        (("coulomb", "Coulomb"), ("static", "static"), ("stribeck_velocity", "Stribeck velocity"), ("viscous", "viscous")),
    )
    velocity, force, force_u = (np.array([getattr(one, name) for one in runs]) for name in ("velocity", "force", "force_u"))
    return friction_charts.curve_chart(
        velocity,
        force,
        force_u,
        curve.model,
        curve.model_u,
        offset=curve["offset"] if "offset" in curve.figures and curve["offset"] is not None else 0.0,
        lines=lines,
        unit=unit,
        force_unit=force_unit,
        key_numbers=shown,
    )


def _said(analysis: Analysis, keys: tuple[tuple[str, str], ...]) -> str:
    """Key numbers below a chart's title."""
    parts = []
    for key, label in keys:
        figure = analysis.figures.get(key)
        if figure is not None and figure.value is not None:
            parts.append(f"{label} {text(figure.value, figure.unit, digits=4)}")
    return "   ·   ".join(parts)


def _tables(plan: Parameters | Recorded, analysis: Analysis) -> list[Table]:
    if analysis.curve is None:
        return []
    unit, force_unit = plan.units.output, analysis.force_unit or None
    columns = [
        Column(name="Velocity", unit=f"{unit}/s", family="velocity"),
        Column(name="Force", unit=force_unit, family="force"),
        Column(name="U (k = 2)", unit=force_unit, family="force"),
        Column(name="Curve", unit=force_unit, family="force"),
        Column(name="Force − curve", unit=force_unit, family="left"),
    ]
    rows: list[list[Cell]] = [
        [one.velocity, one.force, one.force_u, model, one.force - model]
        for one, model in zip(analysis.runs[:MOST_ROWS], analysis.curve.model.tolist()[:MOST_ROWS], strict=True)
    ]
    more = f", the first {MOST_ROWS} of {len(analysis.runs)}" if len(analysis.runs) > MOST_ROWS else ""
    return [
        Table(
            title=f"Runs at constant velocity{more}",
            columns=columns,
            rows=rows,
            note="Mean force of each run, less mass times what its velocity changed by.",
        )
    ]
