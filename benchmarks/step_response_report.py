"""The report of step responses."""

from __future__ import annotations

from typing import Any

import numpy as np

from precision.report import step_charts
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.runs.manifest import Manifest
from precision.standards.step_responses import Group
from precision.units import text

from .report_head import head, provenance, stopped_early, verdict_dict
from .step_response_evaluation import Analysis
from .step_response_plan import Parameters, Recorded

_WORST = ("t_exit_max", "t_entry_max", "t_moving_max", "overshoot_max", "overshoot_ratio_max", "steady_state_max")
_LINEARITY = ("departure_up", "departure_down", "departure_directions")
_CURVE = 500
"""Points of a mean response in result.json; the capture holds the samples."""


def limits(plan: Parameters | Recorded) -> dict[str, float]:
    """Figure -> its upper limit."""
    return {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True, mode="python").items()}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    judged, found, unit = limits(plan), analysis.found, plan.units.output
    tables = [
        FigureTable.of(
            "Worst of all sizes and directions",
            [found.figures[key] for key in _WORST],
            limits=judged,
            headline=("t_exit_max", "overshoot_ratio_max", "steady_state_max"),
        ),
        FigureTable.of(
            "Linearity",
            [found.figures[key] for key in _LINEARITY],
            note="Shares of the step; a linear axis answers all sizes and both directions with one normalised response.",
        ),
        *(
            FigureTable.of(
                f"Steps of {_size(group, unit)} {group.direction}, mean of {group.steps}"
                if group.steps > 1
                else f"Step of {_size(group, unit)} {group.direction}",
                list(group.figures.values()),
            )
            for group in found.groups
        ),
    ]
    notes = [Note(text=f"{flag[0].upper()}{flag[1:]}.", kind="flag") for flag in analysis.flags]
    notes += [Note(text=f"{sentence[0].upper()}{sentence[1:]}.") for sentence in found.stated]
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    sizes = ", ".join(dict.fromkeys(_size(group, unit) for group in found.groups))
    test = (
        ("Steps", f"{sum(group.steps for group in found.groups)}, of {sizes}"),
        ("Sampling rate", f"{analysis.rate_hz:g} Hz"),
        (
            "Band",
            f"±{plan.evaluation.band:g} {unit}".rstrip()
            if plan.evaluation.band is not None
            else f"±{100 * plan.evaluation.band_share:g} % of the step",
        ),
    )
    return Document(
        title=plan.title,
        subtitle=f"steps of {sizes}" + (", virtual bench" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(analysis, unit),
        tables=[_side_by_side(found.groups, unit)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures, and the mean normalised responses at some hundred instants."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in analysis.figures.items()},
        "responses": [_curve(group) for group in analysis.found.groups],
        "flags": list(analysis.flags),
        "limits": limits(plan),
        "verdict": verdict_dict(report),
    }


def _curve(group: Group) -> dict[str, Any]:
    step = max(1, -(-group.time_s.size // _CURVE))
    return {
        "size": group.size,
        "direction": group.direction,
        "steps": group.steps,
        "band": group.band,
        "time_s": group.time_s[::step].tolist(),
        "response": group.response[::step].tolist(),
        "spread": group.spread[::step].tolist(),
    }


def _size(group: Group, unit: str) -> str:
    return text(group.size, unit, digits=3)


def _charts(analysis: Analysis, unit: str) -> list[Chart]:
    groups = analysis.found.groups
    curves = [
        step_charts.Response(
            name=f"{_size(group, unit)} {group.direction}",
            up=group.direction == "up",
            time_s=group.time_s,
            response=group.response,
            spread=group.spread,
            band=group.band / group.size,
            settled_s=group.figures["t_exit"].value,
        )
        for group in groups
    ]
    figures = analysis.figures
    worst, over = figures["t_exit_max"], figures["overshoot_ratio_max"]
    numbers = [
        "not every step settles"
        if worst.value is None
        else f"settled after {text(worst.value, 's', digits=3)} at the latest (last exit)",
        f"overshoot {100 * (over.value or 0):.3g} %",
    ]
    departures = [value for key in _LINEARITY if (value := figures[key].value) is not None]
    if departures:
        numbers.append(f"responses alike within {100 * max(departures):.2g} % of the step")
    return [step_charts.step_chart(curves, title="Normalised step responses", key_numbers="   ·   ".join(numbers))]


def _side_by_side(groups: tuple[Group, ...], unit: str) -> Table:
    """Sizes below one another: what should be the same for all, as shares of the step where it grows with it."""
    columns = [
        Column(name="Step"),
        Column(name="Direction"),
        Column(name="Rise", unit="s", family="s"),
        Column(name="Overshoot (%)"),
        Column(name="Last exit", unit="s", family="s"),
        Column(name="First entry", unit="s", family="s"),
        Column(name="Moving", unit="s", family="s"),
        Column(name="IAE / step", unit="s", family="s"),
        Column(name="Steady-state error (%)"),
    ]
    rows: list[list[Cell]] = []
    for group in groups:
        own = {key: figure.value for key, figure in group.figures.items()}
        area = own["iae"]
        rows.append(
            [
                _size(group, unit),
                group.direction,
                own["t_rise"],
                _percent(own["overshoot_ratio"]),
                own["t_exit"],
                own["t_entry"],
                own["t_moving"],
                None if area is None else area / group.size,
                _percent(None if own["steady_state"] is None else own["steady_state"] / group.size),
            ]
        )
    return Table(
        title="Sizes side by side",
        columns=columns,
        rows=rows,
        note="What depends on size or direction is not linear: friction, a limit of the drive, backlash.",
    )


def _percent(share: float | None) -> str:
    return "—" if share is None or not np.isfinite(share) else f"{100 * share:.3g}".replace("-", "−")
