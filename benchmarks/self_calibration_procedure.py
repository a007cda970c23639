"""The self-calibration as a procedure: how the stage is opened, and what the report says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from precision.errors import DataError, PlanError
from precision.report.document import Cell, Chart, Column, Document, FigureTable, Note, Table
from precision.report.stage_map_charts import StageMap, stage_maps
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest
from precision.standards.reported import plain
from precision.units import text

from .importing_signals import Wanted, import_signals
from .procedure import Connected, Procedure, block, judged_by
from .report_head import head, provenance, stopped_early, verdict_dict
from .self_calibration import COLUMNS, Analysis, Rig, acquire, check, evaluated, preview, recipe
from .self_calibration_plan import Parameters, Recorded
from .streaming_bench import opened


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "stage", "marks_serve", "plate", json.dumps(recipe(plan))) as (stream, instruments, simulated):
        yield Connected(rig=Rig(stage=stream), instruments=instruments, moving=(), lab=simulated)


def _limits(plan: Parameters | Recorded) -> dict[str, float]:
    given = {"stage_max": plan.limits.stage_max, "stage_orthogonality": plan.limits.stage_orthogonality}
    return {key: limit for key, limit in given.items() if limit is not None}


def document(plan: Parameters | Recorded, analysis: Analysis, manifest: Manifest, *, stopped: str | None = None) -> Document:
    """The report, before any format. Pure."""
    result, judged = analysis.result, _limits(plan)
    tables = []
    for title, keys, unit in (
        ("Stage", [key for key in result.figures if key.startswith("stage_") and result.figures[key].unit == "m"], None),
        ("Angle of the axes", ["stage_orthogonality"], "µrad"),
        ("Scales of the stage", ["stage_scale_difference", "stage_scale"], None),
        ("Plate", [key for key in result.figures if key.startswith("plate_")], None),
        ("Noise", ["noise"], None),
        ("Noise gain of the views", ["gain_rms", "gain_max"], None),
    ):
        own = {key: limit for key, limit in judged.items() if key in keys}
        tables.append(
            FigureTable.of(
                title,
                [result.figures[key] for key in keys],
                limits=own,
                unit=unit,
                headline=[key for key in ("stage_max", "stage_orthogonality") if key in keys],
            )
        )
    notes = [Note(text=flag, kind="flag") for flag in result.flags]
    notes.append(
        Note(
            text="U of a point of the maps covers the noise of the readings, multiplied by the gain of the views; it takes stage and "
            "plate as steady from view to view, and the plate as flat and well placed."
        )
    )
    if plan.evaluation.known_length is None:
        notes.append(
            Note(
                text="The mean scale of the stage is not determined: no view can see it. A known length on the plate gives it.",
                kind="caution",
            )
        )
    if plan.test.remarks:
        notes.append(Note(text=plan.test.remarks))
    repeat = (
        "not known: one reading of each place"
        if analysis.repeatability_m is None
        else f"{text(analysis.repeatability_m, 'm', digits=3)} (one reading, over the repeats)"
    )
    test = (
        ("Grid", f"{plan.grid.places} × {plan.grid.places} places, {plan.grid.pitch * 1e3:g} mm apart"),
        ("Views", "; ".join(map(str, result.views))),
        ("Readings of a place", str(plan.grid.repeats)),
        ("Repeatability", repeat),
        ("Degrees of freedom", str(result.degrees_of_freedom)),
    )
    return Document(
        title=plan.title,
        subtitle=f"{plan.grid.places} × {plan.grid.places} places, {len(result.views)} views"
        + (", virtual lab" if manifest.simulated else ""),
        header=head(plan, manifest, test=test),
        figures=tables,
        charts=_charts(plan, analysis),
        tables=[_placements(analysis)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )


def result_dict(plan: Parameters | Recorded, analysis: Analysis, report: Document) -> dict[str, Any]:
    """result.json: figures and both maps with their U; the correction of the stage is minus its map."""
    result = analysis.result
    return {
        "schema": 1,
        "procedure": plan.procedure,
        "pitch_m": result.pitch_m,
        "views": [[view.turns, *view.shift] for view in result.views],
        "figures": {key: figure.to_dict() for key, figure in result.figures.items()},
        "stage_m": plain(result.stage_m),
        "stage_u_m": plain(result.stage_u_m),
        "plate_m": plain(result.plate_m),
        "plate_u_m": plain(result.plate_u_m),
        "placement": plain(result.placement),
        "repeatability_m": analysis.repeatability_m,
        "flags": list(result.flags),
        "limits": _limits(plan),
        "verdict": verdict_dict(report),
    }


def _placements(analysis: Analysis) -> Table:
    result = analysis.result
    rows: list[list[Cell]] = []
    for number, (view, (x, y, angle)) in enumerate(zip(result.views, result.placement, strict=True)):
        residual = result.residual_m[number]
        some = residual[np.isfinite(residual)]
        rows.append([str(view), float(x), float(y), float(angle), float(np.sqrt(np.mean(some**2))) if some.size else None])
    return Table(
        title="How the plate lay in each view",
        columns=[
            Column(name="view"),
            Column(name="x", unit="m", family="place"),
            Column(name="y", unit="m", family="place"),
            Column(name="angle", unit="rad"),
            Column(name="residual", unit="m", family="residual"),
        ],
        rows=rows,
        note="residual: root mean square of what the model leaves over in that view; one view with much more than the others was disturbed",
    )


def _charts(plan: Parameters | Recorded, analysis: Analysis) -> list[Chart]:
    result = analysis.result

    def numbers(which: str) -> str:
        return f"rms {text(result[f'{which}_rms'] or 0.0, 'm', digits=3)}, largest {text(result[f'{which}_max'] or 0.0, 'm', digits=3)}"

    def wide(u: Any) -> float | None:
        some = u[np.isfinite(u)]
        return float(np.sqrt(np.mean(some**2))) if some.size else None

    maps = [
        StageMap(error_m=result.stage_m, name="stage", numbers=numbers("stage"), u_m=wide(result.stage_u_m)),
        StageMap(error_m=result.plate_m, name="plate", numbers=numbers("plate"), u_m=wide(result.plate_u_m)),
    ]
    return [stage_maps(maps, pitch_m=plan.grid.pitch, heading="Errors of stage and plate")]


def _read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A table with the columns view, column, row (from 0), dx, dy, and repeat where there is one, into a new run. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: write it in the column names, dx_nm or dx [nm]")

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        for name, its in found.items():
            expected = "m" if name in ("dx", "dy") else ""
            if its != expected:
                what = f"a length is expected: write it in the name, {name}_nm or {name} [nm]" if expected else "a plain number is expected"
                raise DataError(f"{file.name}: column {name} is in {its or 'no unit'}; {what}")
        return {}

    def rows(_: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"repeat": 0, "dx_m": signals["dx"], "dy_m": signals["dy"]}
        for name in ("view", "repeat", "column", "row"):
            if name in signals:
                bad = np.flatnonzero(~(np.rint(signals[name]) == signals[name]) | ~(np.abs(signals[name]) < 1e6))
                if bad.size:
                    raise DataError(f"{file.name}: {name} of reading {bad[0] + 1} is {signals[name][bad[0]]:g}; a whole number from 0 is expected")
                made[name] = signals[name].astype(np.int64)
        return block(COLUMNS, **made)

    wanted = [Wanted(name=name, needed=name != "repeat") for name in ("view", "repeat", "column", "row", "dx", "dy")]
    return import_signals(file, out, Recorded, COLUMNS, wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns, timed=False)


PROCEDURE = Procedure(
    name="self-calibration",
    title="errors of an XY stage and of the plate that it is calibrated with",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(evaluated, document, result_dict),
    recorded=Recorded,
    read_file=_read_file,
)
