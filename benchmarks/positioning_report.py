"""The report of a positioning test: what ISO 230-2 wants stated, the figures against their limits, the charts, and what U is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.report.document import (
    Budget,
    BudgetRow,
    Cell,
    Chart,
    Column,
    Document,
    FigureTable,
    Note,
    Provenance,
    Table,
)
from precision.report.iso230_header import header
from precision.report.positioning_charts import (
    PositioningCurves,
    TemperatureTrace,
    drift_chart,
    main_chart,
    reversal_chart,
    trend_chart,
)
from precision.report.positioning_tables import reading_table, target_table
from precision.runs.manifest import Manifest
from precision.standards import iso230_2, vdi3441
from precision.standards.positioning import statistics
from precision.standards.positioning_standards import STANDARDS, adoptions
from precision.uncertainty.positioning import Budget as UncertaintyBudget
from precision.units import CELSIUS_ZERO_K, text, text_range

from .positioning import APPROACH, MEASURED, preview
from .positioning_evaluation import Analysis, Readings, analyse, attempts
from .positioning_plan import Evaluated, Parameters
from .report_head import verdict_dict

HEADLINES: Final = ("A", "E", "R", "B", "P", "P_a", "P_s_max", "U_max")


def document(plan: Evaluated, analysis: Analysis, readings: Readings, manifest: Manifest) -> Document:
    """The report, before any format. Pure: the same run gives the same document."""
    result = analysis.result
    figures = {key: figure for key, figure in result.figures.items()}
    limits = {key: limit for key, limit in plan.limits.in_si(plan.axis.kind).items() if key in figures}
    unused = sorted(set(plan.limits.in_si(plan.axis.kind)) - set(limits))
    results = FigureTable.of(
        f"Results after {STANDARDS[analysis.standard].title}",
        figures.values(),
        limits=limits,
        headline=[key for key in HEADLINES if key in figures],
    )
    return Document(
        title=plan.title,
        subtitle=f"Axis {plan.axis.name}, {STANDARDS[analysis.standard].title}" + (", virtual machine" if manifest.simulated else ""),
        header=header(_header_fields(plan, analysis, readings, manifest)),
        figures=(results,),
        charts=tuple(_charts(plan, analysis, readings, manifest)),
        tables=tuple(_tables(analysis)),
        budgets=tuple(_budgets(analysis)),
        not_for_acceptance=analysis.not_for_acceptance,
        limits_given=bool(plan.limits.in_si(plan.axis.kind)),
        notes=tuple(_notes(plan, analysis, readings, unused)),
        provenance=Provenance(
            software=", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items(), key=lambda item: (item[0] != "precision", item[0]))),
            run_id=manifest.run_id,
            plan_sha256=manifest.plan_sha256,
            data_sha256=manifest.capture_sha256,
            backend="NumPy on the CPU, float64",
        ),
    )


def side_by_side(plan: Evaluated, readings: Readings, standards: tuple[str, ...]) -> Table:
    """Every figure after every one of `standards`, for `--standard all`."""
    results = {name: analyse(plan, readings, standard=name).result for name in standards}
    keys = list(dict.fromkeys(key for result in results.values() for key in result.figures))
    unit = next(iter(results.values())).unit
    rows: list[list[Cell]] = []
    for key in keys:
        found = [result.figures.get(key) for result in results.values()]
        symbol = next(figure.symbol for figure in found if figure is not None)
        rows.append([symbol, *(figure.value if figure else None for figure in found)])
    return Table(
        title="The same readings after several standards",
        columns=[Column(name="Figure"), *(Column(name=STANDARDS[name].title, unit=unit) for name in standards)],
        rows=rows,
        note="k = 2 except ISO 230-2:1988 (k = 3). A dash: the standard has no such figure, or it cannot be evaluated from these readings. "
        + " ".join(f"The figures of {STANDARDS[name].title} are also those of {', '.join(same)}." for name in standards if (same := adoptions(name)))
        + " Adoptions from memory of the standards.",
    )


def result_dict(plan: Evaluated, analysis: Analysis, document: Document) -> dict[str, Any]:
    """result.json: the figures in full, without anything that depends on when or where they were computed."""
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "result": analysis.result.to_dict(),
        "limits": plan.limits.in_si(plan.axis.kind),
        "verdict": verdict_dict(document),
        "corrections": [text for text, _ in analysis.corrections],
        "uncertainty": None if analysis.budget is None else analysis.budget.to_dict(),
        "uncertainty_reason": analysis.budget_reason,
    }


def _curves(analysis: Analysis) -> PositioningCurves:
    recording, result = analysis.recording, analysis.result
    stats = statistics(recording)
    factor = result.coverage_factor if isinstance(result, iso230_2.Result) else 3.0
    return PositioningCurves(
        axis=recording.axis,
        unit="m" if recording.kind == "linear" else "rad",
        target=recording.target,
        deviation=recording.deviation,
        mean=stats.mean,
        s=stats.s,
        reversal=stats.reversal,
        coverage_factor=factor,
    )


def main_picture(analysis: Analysis) -> bytes:
    """The chart of the axis as PNG."""
    return main_chart(_curves(analysis), analysis.result.figures, format="png")


def _charts(plan: Evaluated, analysis: Analysis, readings: Readings, manifest: Manifest) -> list[Chart]:
    curves, figures = _curves(analysis), analysis.result.figures
    time_s, traces = _times(plan, analysis, readings, manifest)
    charts = [
        main_chart(curves, figures),
        trend_chart(curves) if curves.target.size >= 3 else None,
        reversal_chart(curves, figures),
        drift_chart(curves, time_s=time_s, temperatures=traces, cycle=analysis.recording.cycle) if _order_is_known(plan, readings) else None,
    ]
    return [chart for chart in charts if chart is not None]


def _order_is_known(plan: Evaluated, readings: Readings) -> bool:
    """Whether the readings' order in time is known: they were taken here, or the rows of a file follow the cycle."""
    if isinstance(plan, Parameters):
        return True
    rows = list(zip(readings["run"].tolist(), readings["direction"].tolist(), readings["target"].tolist(), strict=True))
    if plan.cycle.type == "step":
        return rows == sorted(rows, key=lambda row: (row[2], row[0], row[1]))
    return rows == sorted(rows, key=lambda row: (row[0], row[1], row[2] if row[1] == 0 else -row[2]))


def _times(
    plan: Evaluated, analysis: Analysis, readings: Readings, manifest: Manifest
) -> tuple[NDArray[np.float64] | None, tuple[TemperatureTrace, ...]]:
    """When each reading was taken: the computer's clock on a real machine; on the virtual lab, which does not wait, the time of the plan."""
    if not isinstance(plan, Parameters):
        return None, ()
    recording = analysis.recording
    rows = np.flatnonzero((readings["phase"] == APPROACH) & (readings["outcome"] == MEASURED))
    if manifest.simulated:
        planned = {(a.direction, a.target_index, a.run): t for a, t in preview(plan).schedule_s}
        taken_s = np.array([planned[int(readings["direction"][r]), int(readings["target_index"][r]), int(readings["run"][r])] for r in rows])
    else:
        stamps = readings["t_mono_ns"]
        taken_s = (stamps[rows] - stamps.min()) / 1e9
    runs = {int(run): column for column, run in enumerate(np.unique(readings["run"][rows]))}
    time_s = np.full(recording.actual.shape, np.nan)
    index = np.searchsorted(recording.target, readings["target_m"][rows])
    for row, i, when in zip(rows, index, taken_s, strict=True):
        time_s[int(readings["direction"][row]), i, runs[int(readings["run"][row])]] = when
    order = np.argsort(taken_s)
    traces = tuple(
        TemperatureTrace(name=name, time_s=taken_s[order], temperature_k=readings[column][rows][order])
        for name, column in (("air", "air_temperature_k"), ("material", "material_temperature_k"))
    )
    return time_s, traces


def _tables(analysis: Analysis) -> list[Table]:
    curves = _curves(analysis)
    repeatability = analysis.result.repeatability_bidirectional if isinstance(analysis.result, iso230_2.Result) else None
    tables = [target_table(curves, repeatability=repeatability), reading_table(curves)]
    if analysis.budget is not None:
        tables.append(_combination(analysis, analysis.budget))
    return tables


def _combination(analysis: Analysis, made: UncertaintyBudget) -> Table:
    """What U of each figure is the sum of, so that a reader can add it up."""
    rows: list[list[Cell]] = []
    for key, figure in analysis.result.figures.items():
        if figure.uncertainty is None:
            continue
        if isinstance(analysis.result, iso230_2.Result):
            parts = made.parts(key, spread_factor=analysis.result.coverage_factor)
        else:
            parts = {}
        rows.append([figure.symbol, *(parts.get(name) for name in _PARTS), figure.uncertainty])
    return Table(
        title="How U of each figure is put together",
        columns=[Column(name="Figure"), *(Column(name=label, unit=made.unit) for label in _PARTS.values()), Column(name="U (k = 2)", unit=made.unit)],
        rows=rows,
        note=(
            "U is the sum of the parts of its row. U_g: root of the sum of squares of the contributors that are the same in every run, misalignment, whose error has "
            "one sign, at √3 times its U. ΔL: known expansion and refractive index that were not corrected. Means, s and reversal: the largest effect of E_VE and resolution on as many "
            "means, standard deviations and reversals as compete for the extreme (formulas: precision.uncertainty.positioning)."
        ),
    )


_PARTS: Final = {"systematic": "U_g", "uncorrected": "ΔL", "mean": "in the means", "spread": "in s", "reversal": "in the reversal"}


def _budgets(analysis: Analysis) -> list[Budget]:
    made = analysis.budget
    if made is None:
        return []
    return [
        Budget(
            title="Contributors to the uncertainty",
            rows=[
                BudgetRow(symbol=row.symbol, name=row.name, formula=row.formula, uncertainty=row.uncertainty, note=_ROW_KINDS[row.kind])
                for row in made.rows
                if row.uncertainty > 0
            ],
            unit=made.unit,
            note=(
                f"U with k = 2, for {made.targets} targets and {made.runs} runs, after ISO 230-2:2014, annex A, and ISO/TR 230-9 (from memory of the standards). "
                "U of each figure covers the figure computed from the true positions of the same stops; how it is combined stands in the table "
                "\"How U of each figure is put together\"."
            ),
        )
    ]


_ROW_KINDS: Final = {
    "length-proportional": "grows with length; cancels in B and R",
    "systematic": "the same in every reading; cancels in B and R",
    "per-reading": "changes from reading to reading",
    "uncorrected": "known error, not corrected: added, not combined in quadrature",
}


def _notes(plan: Evaluated, analysis: Analysis, readings: Readings, unused_limits: list[str]) -> list[Note]:
    notes = [Note(text=flag, kind="flag") for flag in analysis.result.flags]
    if repeated := attempts(readings):
        notes.append(Note(text=f"{repeated} approaches gave no valid reading and were repeated; they are kept in the raw data and not evaluated.", kind="caution"))
    if remark := STANDARDS[analysis.standard].remark:
        notes.append(Note(text=remark))
    if unused_limits:
        notes.append(Note(text=f"Limits for {', '.join(unused_limits)} were given, but {STANDARDS[analysis.standard].title} has no such figures.", kind="caution"))
    if analysis.budget is None and analysis.budget_reason:
        notes.append(Note(text=f"No uncertainty is stated: {analysis.budget_reason}. Without U a decision on a limit is none after ISO 14253-1.", kind="caution"))
    uncorrected = {row.symbol for row in analysis.budget.rows if row.kind == "uncorrected" and row.uncertainty > 0} if analysis.budget is not None else set()
    if "ΔL_n" in uncorrected:
        notes.append(Note(text="The refractive index of the air is not corrected: what it makes lengths too long by, ΔL_n, is added to U.", kind="caution"))
    if "ΔL" in uncorrected:
        hint = "" if isinstance(plan, Parameters) else " If the readings were corrected when they were taken, set uncertainty.already_corrected_to_20_degrees = true."
        notes.append(Note(text=f"Lengths are not corrected to 20 °C: the known expansion ΔL is added to U.{hint}", kind="caution"))
    notes += [Note(text=text, kind="correction" if applied else "statement") for text, applied in analysis.corrections]
    if isinstance(analysis.result, vdi3441.Result):
        notes.append(Note(text="In VDI/DGQ 3441 the letter U is the reversal span; the measurement uncertainty is the column U (k = 2)."))
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    return notes


def _header_fields(plan: Evaluated, analysis: Analysis, readings: Readings, manifest: Manifest) -> Mapping[str, str | None]:
    recording = analysis.recording
    span = text_range(float(recording.target[0]), float(recording.target[-1]), recording.unit)
    machine = " ".join(part for part in (plan.machine.manufacturer, plan.machine.type) if part)
    offset = "; ".join(f"{name} {value}" for name, value in (("tool", plan.machine.offset_tool), ("workpiece", plan.machine.offset_workpiece)) if value)
    fields: dict[str, str | None] = {
        "standard": STANDARDS[analysis.standard].title,
        "date": plan.test.date or manifest.created_utc.replace("T", " ")[:16] + " UTC" * (not plan.test.date) if isinstance(plan, Parameters) else plan.test.date,
        "operator": plan.test.operator,
        "site": plan.machine.location,
        "cycle": f"{plan.cycle.type} cycle",
        "targets": f"{recording.target.size}, {span}",
        "runs": " and ".join(f"{int(n)} {arrow}" for n, arrow in zip(recording.valid.any(axis=1).sum(axis=-1), "↑↓", strict=True)),
        "warm_up": plan.machine.warm_up,
        "machine": machine or None,
        "serial": plan.machine.serial_number,
        "axis": f"{plan.axis.name} ({plan.axis.kind})",
        "chain": plan.machine.kinematic_chain,
        "other_axes": plan.machine.other_axes,
        "offset": offset or None,
        "scale": plan.machine.feedback,
        "compensations": _compensations(plan),
        "instrument": plan.test.instrument,
        "instrument_serial": "; ".join(f"{role}: {device.identity}" for role, device in sorted(manifest.instruments.items()) if device.identity) or None,
        "certificate": plan.test.certificate,
        "sensor_positions": plan.test.sensor_positions,
        "nde": _corrected_to_20(plan),
        "expansion": None if (alpha := plan.evaluation.expansion_coefficient) is None else f"{alpha * 1e6:.2f} µm/(m·K)",
        "travel": plan.machine.travel,
    }
    if isinstance(plan, Parameters):
        fields |= {
            "feed": f"{plan.axis.feed * 60e3:g} mm/min",
            "dwell": f"{plan.cycle.dwell:g} s, settled within {text(plan.cycle.settling_tolerance, 'm', digits=2)}, averaged over {plan.cycle.averaging:g} s",
            **_environment_fields(readings),
        }
    elif (temperature_k := plan.uncertainty.mean_material_temperature) is not None:
        fields["temperature_start"] = f"machine {temperature_k - CELSIUS_ZERO_K:.2f} °C on average, as stated"
    return fields


def _corrected_to_20(plan: Evaluated) -> str | None:
    if isinstance(plan, Parameters):
        return "yes" if plan.evaluation.normalise_to_20_degrees else "no"
    return "yes, when they were taken (as stated)" if plan.uncertainty.already_corrected_to_20_degrees else None


def _compensations(plan: Evaluated) -> str | None:
    """What was active in the controller, and what the plan itself added."""
    added = plan.compensation.sentence if isinstance(plan, Parameters) and plan.compensation is not None else None
    stated = plan.machine.compensations_active
    return "; ".join(part for part in (f"controller: {stated}" if added and stated else stated, added) if part) or None


def _environment_fields(readings: Readings) -> dict[str, str]:
    air, material = readings["air_temperature_k"] - CELSIUS_ZERO_K, readings["material_temperature_k"] - CELSIUS_ZERO_K
    pressure, humidity = readings["air_pressure_pa"] / 100, readings["relative_humidity"] * 100
    return {
        "temperature_start": f"{material[0]:.2f} °C and {air[0]:.2f} °C",
        "temperature_end": f"{material[-1]:.2f} °C and {air[-1]:.2f} °C",
        "pressure": f"{pressure.min():.2f} … {pressure.max():.2f} hPa",
        "humidity": f"{humidity.min():.1f} … {humidity.max():.1f} %",
    }
