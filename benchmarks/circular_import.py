"""A ball bar's file, or a controller's recording of circles, becomes a run: kept with its plan and hashes like any other, judged by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from precision import plan as plans
from precision.drivers.files import ballbar_b5r, linuxcnc_circle
from precision.drivers.files.recognise import recognised
from precision.errors import DataError, PlanError
from precision.runs.canonical import sha256_of_file
from precision.runs.directory import RunDirectory

from .circular_evaluation import IMPORTED_COLUMNS
from .circular_plan import Imported
from .plan_files import read_plan
from .procedure import block

_COUNT_M = 1e-6


def read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """Read a recording of circles into a new run directory in `out`.

    plan : name or path of a plan whose sections on circle, machine, limits, uncertainty ... apply. What the file says of the circle goes before it.

    Raises
    ------
    DataError       the file, with its line; or that it holds no circles
    PlanError       the plan or the settings
    """
    if unit or columns:
        raise PlanError(f"{file.name}: --unit and --column are for tables; say circle.unit, circle.radius, circle.feed and circle.start with --set")
    kind = recognised(file)
    said, blocks = _servo(file) if kind is not None and kind.name.startswith("LinuxCNC servo") else _ballbar(file)
    raw: dict[str, Any] = {}
    name = file.name
    if plan is not None:
        raw, name = read_plan(plan)
        raw = {key: value for key, value in raw.items() if key in Imported.model_fields}
        driven = raw.get("circle", {})
        raw["circle"] = {key: driven[key] for key in ("plane", "radius", "start") if key in driven} if isinstance(driven, dict) else driven
    raw["circle"] = {**raw.get("circle", {}), **said}
    checked = plans.check(Imported, plans.with_settings(raw, settings), name=name, consequence="nothing was evaluated")
    run = RunDirectory.create(
        out,
        checked.procedure,
        label=f"{checked.circle.plane.lower()}-imported",
        plan=plans.dump(checked),
        columns=IMPORTED_COLUMNS,
        simulated=False,
        origin=f"{file.name} (SHA-256 {sha256_of_file(file)})",
    )
    with run:
        capture = run.start_capture()
        for rows in blocks:
            capture.append_and_wait(rows)
        run.finish("COMPLETE")
    return run


def _ballbar(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    arcs = ballbar_b5r.read(file).arcs
    return {}, [
        block(IMPORTED_COLUMNS, circle=number, direction=1 if arc.direction == "CCW" else -1, sample=np.arange(arc.reading.size), reading=arc.reading)
        for number, arc in enumerate(arcs)
    ]


def _servo(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    circles = linuxcnc_circle.read(file)
    one = circles[0]
    if any(other.axes != one.axes or abs(other.radius_m - one.radius_m) > 1e-6 for other in circles):
        raise DataError(f"{file.name}: holds circles of different planes or radii; give one circle a file, in one or both directions")
    said = {
        "plane": "".join(one.axes), "radius": f"{round(one.radius_m, 9)!r} m", "feed": f"{one.feed_m_per_s:.6g} m/s", "unit": "1 µm", "stated": True,
    }  # fmt: skip
    return said, [
        block(IMPORTED_COLUMNS, circle=number, direction=circle.direction, sample=np.arange(circle.angle_rad.size), reading=circle.deviation_m / _COUNT_M, angle_rad=circle.angle_rad)
        for number, circle in enumerate(circles)
    ]
