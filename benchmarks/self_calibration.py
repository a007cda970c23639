"""The self-calibration of a stage: all places of all views of a plate, as the stage reads them.

`acquire` is the only code here that touches a device; `evaluated` judges what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.runs.capture import Column
from precision.standards import self_calibration
from precision.standards.self_calibration import SelfCalibration
from precision.standards.self_calibration_views import mark_at, rank

from .procedure import Outlook, Readings, Sink, block
from .self_calibration_plan import Parameters, Recorded

COLUMNS: Final = (
    Column("view", "i8", ""),
    Column("repeat", "i8", ""),
    Column("column", "i8", ""),
    Column("row", "i8", ""),
    Column("dx_m", "f8", "m"),
    Column("dy_m", "f8", "m"),
)
"""dx, dy: stage position of the mark less the place; NaN where no mark stands or none was found."""
NEEDED: Final = {"view": "", "repeat": "", "column": "", "row": "", "dx": "m", "dy": "m"}
PLACES_PER_SECOND: Final = 1.0
_QUIET_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The stage, as a stream with the channels of `NEEDED`, and found (0: no mark there) where it has it."""

    stage: Stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """result : the maps. repeatability_m : standard deviation of one reading over the repeats, or None. readings_m : (V, n, n, 2) means
    over the repeats."""

    result: SelfCalibration
    repeatability_m: float | None
    readings_m: NDArray[np.float64]


def preview(plan: Parameters) -> Outlook:
    """What will be measured. Pure. PlanError for views that leave errors undetermined: it says which, and what to add."""
    grid = plan.grid
    views = grid.view_list
    for view in views:
        if max(map(abs, view.shift)) >= grid.places:
            raise PlanError(f"grid.views: {view} leaves no mark on {grid.places} × {grid.places} places; shift by less")
    found = rank(views, grid.places)
    if found.open:
        raise PlanError(
            f"grid.views: {found.open} combinations of errors would stay free on {found.exact_for} × {found.exact_for} places: "
            f"{'; '.join(found.reasons)}"
        )
    known = plan.evaluation.known_length
    if known is not None and max(*known.first, *known.second) >= grid.places:
        raise PlanError(f"evaluation.known_length: marks have columns and rows from 0 to {grid.places - 1}")
    total = len(views) * grid.repeats * grid.places**2
    remarks = (
        [] if plan.devices.simulated else ["lay the plate down again between the views as the list says; the stage's program waits for it"]
    )
    return Outlook(
        lines=(
            ("grid", f"{grid.places} × {grid.places} places, {grid.pitch * 1e3:g} mm apart"),
            ("views", "; ".join(map(str, views))),
            ("readings", f"{total}, each place {grid.repeats} times a view"),
            ("mean scale", "from a known length" if known is not None else "stays unknown: no known length is given"),
        ),
        uncertainty="from the residuals of the views",
        envelope_m={},
        duration_s=total / PLACES_PER_SECOND,
        points=total,
        rounds=len(views),
        bytes=total * 120 + 1_000_000,
        remarks=tuple(remarks),
    )


def recipe(plan: Parameters) -> dict[str, Any]:
    """What the virtual stage is told."""
    grid = plan.grid
    return {
        "places": grid.places,
        "pitch_m": grid.pitch,
        "repeats": grid.repeats,
        "views": [[view.turns, *view.shift] for view in grid.view_list],
    }


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be evaluated, before anything is recorded. PlanError names the channel."""
    channels = {channel.name: channel.unit for channel in rig.stage.channels}
    if missing := [name for name in NEEDED if name not in channels]:
        raise PlanError(
            f"the stage's stream has the channels {', '.join(channels)}; {', '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing"
        )
    if wrong := [name for name, unit in NEEDED.items() if channels[name] != unit]:
        raise PlanError(
            f"channel {wrong[0]} of the stage is in {channels[wrong[0]] or 'no unit'}; {NEEDED[wrong[0]] or 'a number without unit'} is expected"
        )


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Read all places of all views.

    Raises
    ------
    DataError       the stream ended early
    DeviceError     as the driver says
    """
    stage = rig.stage
    names = [channel.name for channel in stage.channels]
    wanted = len(plan.grid.view_list) * plan.grid.repeats * plan.grid.places**2
    taken = 0
    stage.start()
    log("stage", channels=names, readings=wanted)
    while taken < wanted:
        got = stage.read(_QUIET_S)
        if got is None:
            raise DataError(f"the stage ended after {taken} of {wanted} readings; measure the views again")
        if got.lost:
            sink.gap(got.reason or "lost", got.lost)
            taken += got.lost
        rows = got.values[: max(0, wanted - taken)]
        if not len(rows):
            continue
        found = rows[:, names.index("found")] != 0 if "found" in names else np.ones(len(rows), dtype=bool)
        given: dict[str, Any] = {name: np.rint(rows[:, names.index(name)]).astype(np.int64) for name in ("view", "repeat", "column", "row")}
        given |= {f"{name}_m": np.where(found, rows[:, names.index(name)], np.nan) for name in ("dx", "dy")}
        sink.append_and_wait(block(COLUMNS, **given))
        taken += len(rows)
        progress(min(taken, wanted), wanted)
    stage.stop()


def evaluated(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """The maps of stage and plate from the rows of a capture. Pure.

    Raises
    ------
    DataError       a place or view that the plan does not have, missing readings that leave errors undetermined
    """
    grid = plan.grid
    views, n = grid.view_list, grid.places
    view, column, row = (np.asarray(readings[name]) for name in ("view", "column", "row"))
    if view.size == 0:
        raise DataError("the capture holds no reading; measure the views")
    for name, values, most in (("view", view, len(views)), ("column", column, n), ("row", row, n)):
        bad = np.flatnonzero((values < 0) | (values >= most))
        if bad.size:
            key = "grid.views" if name == "view" else "grid.places"
            raise DataError(f"reading {bad[0]} is of {name} {values[bad[0]]}; the plan has 0 to {most - 1}: numbers begin with 0; correct it, or {key}")
    place = (view * n + row) * n + column
    d = np.stack([np.asarray(readings["dx_m"]), np.asarray(readings["dy_m"])], axis=1)
    seen = np.isfinite(d).all(axis=1)
    size = len(views) * n * n
    count = np.bincount(place[seen], minlength=size)
    # Deviations of nanometres in readings of micrometres: the mean is taken off before squares are.
    mean = (
        np.stack([np.bincount(place[seen], weights=d[seen, axis], minlength=size) for axis in (0, 1)], axis=1)
        / np.maximum(count, 1)[:, None]
    )
    rest = d[seen] - mean[place[seen]]
    freedom = 2 * int(np.maximum(count - 1, 0).sum())
    repeatability = float(np.sqrt((rest * rest).sum() / freedom)) if freedom else None
    means = np.where(count[:, None] > 0, mean, np.nan).reshape(len(views), n, n, 2)
    known = plan.evaluation.known_length
    length = (
        None
        if known is None
        else self_calibration.KnownLength(
            first=known.first, second=known.second, deviation_m=known.deviation, uncertainty_m=known.uncertainty
        )
    )
    noise = None if repeatability is None else repeatability / float(np.sqrt(max(1.0, count[count > 0].mean())))
    result = self_calibration.evaluate(views, _where_marks_are(means, views, n), pitch_m=grid.pitch, noise_m=noise, known_length=length)
    return Analysis(result=result, repeatability_m=repeatability, readings_m=means)


def _where_marks_are(means: NDArray[np.float64], views: Any, n: int) -> NDArray[np.float64]:
    there = np.stack([mark_at(view, n) >= 0 for view in views]).reshape(len(views), n, n, 1)
    return np.where(there, means, np.nan)
