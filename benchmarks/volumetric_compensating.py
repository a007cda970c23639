"""From a volumetric test to the file that a controller loads, and what the machine is predicted to do with it.

A file of error parameters (Etalon, ISG CSV) or an error map (LinuxCNC) carries all 21: what remains is what the test did not see. A table of one axis takes off the mean of its
direction's error over the volume, and leaves what depends on the other axes: that bound is worked out and said. The file is written, read back by our reader,
and the prediction is made with what was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import __version__, units
from precision.compensation import error_map, volumetric
from precision.compensation.error_map import ErrorMap
from precision.compensation.formats import VOLUMETRIC, Format
from precision.compensation.table import Table
from precision.errors import DataError, PlanError
from precision.models.rigid_body import AXES, RigidBody
from precision.report.document import Cell, Chart, Column
from precision.report.document import Table as ReportTable
from precision.report.volumetric_charts import Field, slices_chart

from .execution import Outcome
from .volumetric_evaluation import Judged
from .volumetric_plan import Parameters

Array = NDArray[np.float64]

SHOWN: Final = 4
"""Worst places that the table of signs shows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A file, ready to be loaded.

    name, title : of the format. holds, load : what its numbers are, and how the controller takes it. text : the file. axis : of a table, or None for all 21.
    measured, predicted : fields of the deviations as they are, and with what the file holds. bound : of single axes, with tables on all three; else None.
    added : (3, nx, ny, nz), what the controller adds. notes : one sentence each that a person must know.
    """

    name: str
    title: str
    holds: str
    load: str
    text: str
    axis: str | None
    measured: Field
    predicted: Field
    bound: Field | None
    added: Array
    notes: tuple[str, ...]


def propose(outcome: Outcome, name: str, format: Format, *, axis: str | None, options: Mapping[str, Any]) -> Proposal:
    """The file for a controller from an evaluated volumetric run, with its prediction.

    Raises
    ------
    DataError       the run is not complete
    PlanError       a format of one axis without `axis`, or one of all errors with it
    """
    analysis, plan = analysis_of(outcome), outcome.plan
    if outcome.run.manifest.status != "COMPLETE":
        raise DataError(
            f"{outcome.run.name} is {outcome.run.manifest.status}; a controller is not corrected with a part of a test: measure the machine again"
        )
    found = analysis.found.machine
    if name in volumetric.FORMATS or name in VOLUMETRIC:
        if axis is not None:
            raise PlanError(f"{format.title}: holds the errors of all axes; leave --axis out")
        return _of_all(analysis, plan, name, format, found)
    if axis not in AXES:
        raise PlanError(
            f"{format.title}: holds the table of one axis; give --axis X, Y or Z (a file each), or --for etalon, isg-csv or linuxcnc-volumetric for all 21 errors"
        )
    return _of_one(analysis, plan, name, format, found, str(axis), options)


def analysis_of(outcome: Outcome) -> Judged:
    """The analysis of a run that found the 21 errors; `DataError` for another procedure's."""
    return outcome.analysis_as(Judged, "a file of the 21 errors comes from a volumetric test, it is not made")


def table_of_signs(proposal: Proposal) -> ReportTable:
    """At the worst places: where the machine was sent, where it went, and what the controller adds."""
    field = proposal.measured
    order = np.argsort(-field.length_m.ravel())
    rows: list[list[Cell]] = []
    taken: list[Array] = []
    apart = 0.2 * float(np.linalg.norm([np.ptp(line) for line in field.lines_m]))
    for flat in order:
        index = np.unravel_index(int(flat), field.length_m.shape)
        place = np.array([line[i] for line, i in zip(field.lines_m, index, strict=True)])
        if any(np.linalg.norm(place - other) < apart for other in taken):
            continue
        taken.append(place)
        rows.append(
            [*(float(v) for v in place), *(float(field.delta_m[k][index]) for k in range(3)), *(float(proposal.added[k][index]) for k in range(3))]
        )
        if len(rows) == SHOWN:
            break
    return ReportTable(
        title="At target … the machine was … so the controller adds …",
        columns=[
            *(Column(name=f"Target {axis}", unit="m", family="target") for axis in AXES), *(Column(name=f"was off in {axis}", unit="m", family="deviation") for axis in AXES),
            *(Column(name=f"adds in {axis}", unit="m", family="deviation") for axis in AXES),
        ],
        rows=rows,
        note="Was off: without the rigid motion of the workpiece that fits best, which no machine can be blamed for. What is added differs from it by that motion, which moves the "
        "whole workpiece and changes no distance in it.",
    )  # fmt: skip


def table_of_states(proposal: Proposal) -> ReportTable:
    """Largest, rms and 95 % of |Δ| as measured and predicted."""
    states = [proposal.measured, proposal.predicted, *([proposal.bound] if proposal.bound is not None else [])]
    first = float(states[0].length_m.max())
    rows: list[list[Cell]] = []
    for state in states:
        size = state.length_m
        rows.append(
            [
                state.name,
                float(size.max()),
                float(np.sqrt(np.mean(size**2))),
                float(np.quantile(size, 0.95)),
                f"{float(size.max()) / first * 100:.0f} %" if first > 0 else "—",
            ]
        )
    columns = [
        Column(name="State"),
        *(Column(name=name, unit="m", family="deviation") for name in ("Largest", "rms", "95 % within")),
        Column(name="Largest, of measured"),
    ]
    return ReportTable(title="Deviation in the volume", columns=columns, rows=rows)


def chart(proposal: Proposal) -> Chart:
    """Slices before and as predicted."""
    return slices_chart([proposal.measured, proposal.predicted])


def about(outcome: Outcome, proposal: Proposal) -> dict[str, Any]:
    """Where the file comes from, as plain JSON types, to be kept beside it."""
    return {
        "made_by": f"precision {__version__}",
        "run": outcome.run.name,
        "plan_sha256": outcome.run.manifest.plan_sha256,
        "data_sha256": outcome.run.manifest.capture_sha256,
        "format": proposal.name,
        "axis": proposal.axis,
        "chain": outcome.plan.volume.chain,
        "tool_m": list(outcome.plan.evaluation.tool),
        "sign": "errors are actual - nominal of the tool relative to the workpiece; the controller takes them off",
        "largest_m": {
            state.name: float(state.length_m.max())
            for state in (proposal.measured, proposal.predicted, *([proposal.bound] if proposal.bound else []))
        },
        "notes": list(proposal.notes),
    }


def _of_all(analysis: Judged, plan: Parameters, name: str, format: Format, found: RigidBody) -> Proposal:
    notes = []
    tool = plan.evaluation.tool
    before = None if plan.compensation is None else plan.compensation.errors(plan.volume.chain)
    text = _text_of_all(found, before, name, tool)
    if before is not None:
        notes.append("A compensation was active during the test: its errors are added, so that this file replaces the one that was active.")
    elif plan.axis_tables is not None:
        notes.append(
            "Tables of single axes were active during the test; this file holds what they left. Load it beside them, or measure without them."
        )
    loaded = error_map.read(text) if name in VOLUMETRIC else volumetric.machine_of(volumetric.read_parameters(text, name), plan.volume.chain).machine
    measured = _field(analysis, "measured", analysis.map.delta_m)
    grid = loaded.grid(*measured.lines_m, tool)
    active = 0.0 if before is None else before.grid(*measured.lines_m, tool)
    u = None if analysis.map.u_m is None or analysis.lacking else float(analysis.map.u_m.max())
    left = f"the U of the map says how much, up to {units.text(u, 'm', digits=2)}" if u is not None else "U is not stated, so nothing says how much"
    notes += [
        f"The prediction leaves nothing but the rounding of the file: what remains is what this test did not see ({left}), the machine's scatter and reversal.",
        f"The file's chain is {plan.volume.chain}, its positions are the run's work coordinates, and rotations are right-handed; controllers differ. Verify the sign of one straightness, one squareness and one angle."
        if name not in VOLUMETRIC else "The map's positions are the run's coordinates, and have to be the controller's machine coordinates (with a linuxcnc:// machine they are).",
        "Below and above the volume the errors stay what they are at its ends.",
    ]
    return Proposal(
        name=name, title=format.title, holds=format.file_holds if name in VOLUMETRIC else "all 21 errors, actual − nominal; the controller takes them off", load=format.load, text=text, axis=None, measured=measured,
        predicted=_field(analysis, "predicted", analysis.map.delta_m - (grid - active)), bound=None, added=-(grid - active), notes=tuple(notes),
    )  # fmt: skip


def _text_of_all(found: RigidBody, before: RigidBody | ErrorMap | None, name: str, tool: tuple[float, float, float]) -> str:
    """The file of what was found and of what was active meanwhile, together."""
    if isinstance(before, ErrorMap):
        if name not in VOLUMETRIC:
            raise PlanError("an error map was active during the test, and is no sum of 21 errors: make the new file with --for linuxcnc-volumetric, or measure without it")
        return error_map.write(error_map.map_of(found, tool).plus(before))
    whole = found if before is None else found.plus(before)
    return error_map.write(error_map.map_of(whole, tool)) if name in VOLUMETRIC else volumetric.write_parameters(whole, name)


def _of_one(analysis: Judged, plan: Parameters, name: str, format: Format, found: RigidBody, axis: str, options: Mapping[str, Any]) -> Proposal:
    spans, tool = plan.volume.spans, plan.evaluation.tool
    measured = _field(analysis, "measured", analysis.map.delta_m)
    tables = {letter: volumetric.axis_table(found, letter, spans, tool) for letter in AXES}
    text = format.write(tables[axis], options)
    loaded: Table = format.read(text, axis=axis, options=options)
    predicted = _field(analysis, f"with the table of {axis}", volumetric.after_axis_tables(found, {axis: loaded}, measured.lines_m, tool))
    bound = _field(analysis, "with tables of X, Y and Z", volumetric.after_axis_tables(found, tables | {axis: loaded}, measured.lines_m, tool))
    added = np.zeros_like(measured.delta_m)
    added[AXES.index(axis)] = predicted.delta_m[AXES.index(axis)] - measured.delta_m[AXES.index(axis)]
    share = float(bound.length_m.max()) / max(float(measured.length_m.max()), 1e-15)
    notes = [
        f"A table of one axis knows its own position alone. Straightness, squareness and what angles do elsewhere stay: with tables on all three axes {share * 100:.0f} % of the largest "
        "deviation remains, and no such table can do better in the mean over the volume.",
        f"The table is the mean over the volume, for the tool {', '.join(f'{value * 1e3:g}' for value in tool)} mm; one from a positioning test along a single line is exact on that line and worse elsewhere.",
        "Both directions get the same correction, and the reversal stays.",
    ]
    if plan.compensation is not None or plan.axis_tables is not None:
        notes.append("A compensation was active during the test: this table belongs on top of it.")
    return Proposal(
        name=name, title=format.title, holds=format.file_holds, load=format.load, text=text, axis=axis, measured=measured, predicted=predicted, bound=bound, added=added,
        notes=tuple(notes),
    )  # fmt: skip


def _field(analysis: Judged, name: str, delta: Array) -> Field:
    """Counted from the lowest corner, as a test counts it: a table may shift the whole machine, which nothing sees."""
    result = analysis.map
    return Field(name=name, x_m=result.x_m, y_m=result.y_m, z_m=result.z_m, delta_m=delta - delta[:, :1, :1, :1])
