"""The report of a volumetric test: the numbers of the volume against their limits, the 21 errors, the stations, and the map drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from precision.figures import Figure
from precision.models.rigid_body import AXES, FUNCTIONS, SQUARENESS, is_rotation, symbol
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.volumetric_charts import Field, Function, functions_chart, share_chart, slices_chart, volume_chart
from precision.runs.manifest import Manifest
from precision.standards import volumetric_map

from .report_head import head, provenance, stopped_early, verdict_dict
from .volumetric_evaluation import Analysis, Judged
from .volumetric_plan import Parameters

HEADLINES: Final = ("V_X", "V_Y", "V_Z", "max")


def figures_of(analysis: Judged) -> dict[str, Figure]:
    """All figures, of the volume and of the 21 errors, that say something of the machine; without U, with the reason, where the plan does not say enough."""
    figures = {key: figure for key, figure in {**analysis.map.figures, **analysis.found.figures}.items() if key != "residual"}
    if not analysis.lacking:
        return figures
    reason = f"the plan does not say {', '.join(f'uncertainty.{name}' for name in analysis.lacking)}"
    return {
        key: replace(figure, uncertainty=None, uncertainty_reason=reason) if figure.value is not None else figure for key, figure in figures.items()
    }


def document(plan: Parameters, analysis: Analysis, manifest: Manifest) -> Document:
    """The report, before any format. Pure."""
    found, figures, limits = analysis.found, figures_of(analysis), plan.limits.in_si
    volume = [figures[key] for key in analysis.map.figures]
    errors = [figures[key] for key in found.figures if key in figures]
    spans = " × ".join(f"{(high - low) * 1e3:g}" for low, high in plan.volume.spans.values())
    tool = ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip(AXES, plan.evaluation.tool, strict=True))
    test = (
        ("Method", f"multilateration, {len(found.stations)} stations, {sum(values.size for values in found.residual.values())} distances"),
        ("Volume", f"{spans} mm"), ("Kinematic chain of the model", plan.volume.chain), ("Nodes", f"{' × '.join(map(str, plan.evaluation.nodes))}, {plan.evaluation.functions} between"),
        ("Tool of the map", f"{tool} mm"), ("Feed", f"{plan.volume.feed * 60e3:g} mm/min"), ("Approach", "positive direction of all axes"),
        ("Rank and condition", f"{found.rank} of {found.unknowns}, {found.condition:.3g}"),
        ("Residual of the fit", f"{(found['residual'] or 0.0) * 1e6:.2g} µm rms"),
        ("Compensation in the plan", next((one.sentence for one in (plan.compensation, plan.axis_tables) if one is not None), None)),
    )  # fmt: skip
    climate = [(f"Screw of {axis}", f"{value - 273.15:.2f} °C on average") for axis, value in zip(AXES, analysis.material_k, strict=True)]
    return Document(
        title=plan.title,
        subtitle=f"21 errors of {plan.volume.chain}, {spans} mm" + (", virtual machine" if manifest.simulated else ""),
        header=head(plan, manifest, test=[row for row in test if row[1] is not None], environment=climate),
        figures=(
            FigureTable.of(
                "The working volume (ISO 230-1, from memory of the standard)",
                volume,
                limits=limits,
                headline=[key for key in HEADLINES if key in analysis.map.figures],
            ),
            FigureTable.of(
                "The 21 errors", errors, note="Ranges over the travel; squareness signed, right-handed rotation of the second axis (ISO 230-1)."
            ),
        ),
        charts=charts(analysis),
        tables=(*(axis_table(analysis, axis) for axis in AXES), _station_table(plan, analysis)),
        notes=_notes(plan, analysis),
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(analysis.stopped),
        limits_given=bool(limits),
    )


def result_dict(plan: Parameters, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures in full, the 21 errors at their samples, and the stations."""
    found = analysis.found
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {key: figure.to_dict() for key, figure in figures_of(analysis).items()},
        "chain": plan.volume.chain,
        "errors": errors_dict(analysis),
        "squareness_rad": found.machine.constants,
        "stations": {name: {"place_m": placed.place_m.tolist(), "dead_m": {str(number): dead for number, dead in placed.dead_m.items()}} for name, placed in found.stations.items()},
        "rank": found.rank, "unknowns": found.unknowns, "condition": found.condition, "iterations": found.iterations,
        "residual_m": found["residual"], "worst_m": list(analysis.map.worst_m), "material_k": list(analysis.material_k),
        "flags": list(found.flags),
        "limits": plan.limits.in_si,
        "lacking": list(analysis.lacking),
        "verdict": verdict_dict(report),
    }  # fmt: skip


def errors_dict(analysis: Judged) -> dict[str, Any]:
    """The 18 functions of position at their samples, with U."""
    found = analysis.found
    return {
        name: {"position_m": at.tolist(), "value": values.tolist(), "u": None if analysis.lacking else (2 * found.standard_uncertainty(name)).tolist()}
        for name in FUNCTIONS
        for at, values in [found.machine.curve(name)]
    }


def field_of(result: volumetric_map.Result, name: str) -> Field:
    """A map as the charts take it."""
    return Field(name=name, x_m=result.x_m, y_m=result.y_m, z_m=result.z_m, delta_m=result.delta_m)


def charts(analysis: Judged) -> tuple[Chart, ...]:
    """The volume, slices, the share of the volume, and the functions."""
    found, field = analysis.found, field_of(analysis.map, "measured")
    squareness = ", ".join(
        f"{symbol(name).replace('_', ' ')} {found.machine.constants[name] * 1e6:.1f} µrad".replace("-", "\N{MINUS SIGN}") for name in SQUARENESS
    )
    functions = [
        Function(name=name, position_m=at, value=values, u=None if analysis.lacking else 2 * found.standard_uncertainty(name))
        for name in FUNCTIONS
        if name not in found.assumed
        for at, values in [found.machine.curve(name)]
    ]
    return (
        volume_chart(field, tool_m=analysis.map.tool_m),
        slices_chart([field]),
        functions_chart(functions, key_numbers=f"squareness: {squareness}"),
        share_chart([field]),
    )


def axis_table(analysis: Judged, axis: str) -> Table:
    """The six errors of one axis at the nodes."""
    found, letters = analysis.found, "XYZABC"
    names = [f"E{letter}{axis}" for letter in letters]
    at = found.machine.curve(names[0])[0]
    values = [found.machine.curve(name)[1] for name in names]
    rows: list[list[Cell]] = [[float(position), *(float(column[k]) for column in values)] for k, position in enumerate(at)]
    note = ""
    if not analysis.lacking:
        largest = [float(2 * found.standard_uncertainty(name).max()) for name in names]
        note = (
            "Largest U: "
            + ", ".join(f"{symbol(name)} {u * 1e6:.2g} {'µrad' if is_rotation(name) else 'µm'}" for name, u in zip(names, largest, strict=True))
            + "."
        )
    return Table(
        title=f"Errors of {axis}",
        columns=[Column(name=f"Position of {axis}", unit="m", family="position"), *(Column(name=symbol(name), unit="rad" if is_rotation(name) else "m", family="error") for name in names)],
        rows=rows, note=note,
    )  # fmt: skip


def _station_table(plan: Parameters, analysis: Analysis) -> Table:
    found, rows = analysis.found, []
    for station in plan.stations:
        if station.name not in found.stations:
            continue
        placed, residual = found.stations[station.name], found.residual[station.name]
        u = max(2 * found.own[f"{station.name} {axis}"][1] for axis in AXES)
        row: list[Cell] = [
            station.name,
            *(float(value) for value in placed.place_m),
            None if analysis.lacking else u,
            residual.size,
            float(np.sqrt(np.mean(residual**2))),
        ]
        rows.append(row)
    return Table(
        title="Stations, as found from the distances",
        columns=[
            Column(name="Station"), *(Column(name=axis, unit="m", family="place") for axis in AXES), Column(name="U, largest", unit="m", family="small"), Column(name="Distances"),
            Column(name="Residual (rms)", unit="m", family="small"),
        ],
        rows=rows, note="Places in work coordinates; an error of the reflector's offset is in them.",
    )  # fmt: skip


def _notes(plan: Parameters, analysis: Analysis) -> list[Note]:
    notes = [Note(text=flag, kind="caution") for flag in analysis.found.flags]
    if analysis.lacking:
        missing = ", ".join(f"uncertainty.{name}" for name in analysis.lacking)
        notes.append(
            Note(
                text=f"No uncertainty is stated: the plan does not say {missing}. Without U a decision on a limit is none after ISO 14253-1.",
                kind="caution",
            )
        )
    if not analysis.stopped and len(analysis.found.stations) < len(plan.stations):
        notes.append(Note(text="Stations with fewer than 8 readings were left out.", kind="caution"))
    notes += [Note(text=text, kind="correction" if made else "statement") for text, made in analysis.corrections]
    notes.append(
        Note(
            text="Points were approached in the positive direction only: reversal errors are not in these figures. Errors shorter than the nodes are apart are in the residuals."
        )
    )
    notes.append(
        Note(
            text="The errors are zero at the lowest corner of the volume; a part that is aligned otherwise sees other deviations, but the same squareness and straightness."
        )
    )
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return notes
