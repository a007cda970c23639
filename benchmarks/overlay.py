"""The overlay measurement: the marks of the plan's layout, wafer after wafer, as a tool reads them.

`acquire` is the only code here that touches a device; `overlay_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.models.overlay_marks import OverlayMarks, field_grid, full_fields, layout
from precision.runs.capture import Column
from precision.standards.overlay_rank import RankReport, rank_report

from .overlay_plan import Parameters
from .procedure import Outlook, Sink, block

COLUMNS: Final = (
    Column("wafer", "i8", ""),
    Column("field", "i8", ""),
    Column("field_x_m", "f8", "m"),
    Column("field_y_m", "f8", "m"),
    Column("mark_x_m", "f8", "m"),
    Column("mark_y_m", "f8", "m"),
    Column("scan_up", "i8", ""),
    Column("dx_m", "f8", "m"),
    Column("dy_m", "f8", "m"),
)
"""scan_up is 1, 0, or −1 where it is not known; dx, dy are NaN where a mark was not found."""
NEEDED: Final = {"wafer": "", "field": "", "field_x": "m", "field_y": "m", "mark_x": "m", "mark_y": "m", "dx": "m", "dy": "m"}
MARKS_PER_SECOND: Final = 2.0
MOST_MARKS: Final = 5_000_000
_QUIET_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The tool, as a stream with the channels of `NEEDED`, and scan_up, found_x, found_y (0: the mark was not found) where it has them."""

    tool: Stream


def planned(plan: Parameters) -> OverlayMarks:
    """The marks of one wafer."""
    place = plan.layout
    centres = full_fields(width_m=place.field_width, height_m=place.field_height, within_radius_m=place.within_radius)
    if not centres.size:
        raise PlanError(
            f"layout: no field of {place.field_width * 1e3:g} mm × {place.field_height * 1e3:g} mm lies within "
            f"{place.within_radius * 1e3:g} mm; make the fields smaller"
        )
    return layout(centres, field_grid(place.columns, place.rows, width_m=place.mark_width, height_m=place.mark_height), meander=True)


def recipe(plan: Parameters) -> dict[str, Any]:
    """What the virtual tool is told."""
    place = plan.layout
    marks = planned(plan)
    first = [int(np.flatnonzero(marks.field == number)[0]) for number in marks.fields]
    inside = field_grid(place.columns, place.rows, width_m=place.mark_width, height_m=place.mark_height)
    return {"wafers": place.wafers, "fields": marks.field_centre_m[first].tolist(), "marks": inside.tolist(), "meander": True}


def preview(plan: Parameters) -> Outlook:
    """What will be measured. Pure; PlanError for more marks than a run holds, and for a layout that leaves terms of the model free."""
    marks = planned(plan)
    total = plan.layout.wafers * marks.count
    if total > MOST_MARKS:
        raise PlanError(f"layout: {total} marks; at most {MOST_MARKS} are read in one run: take fewer wafers, or fewer marks a field")
    rank = rank_report(marks, plan.evaluation.overlay_model)
    if not rank.full:
        raise PlanError(f"layout: {_free(rank)}")
    return Outlook(
        lines=(
            (
                "layout",
                f"{plan.layout.wafers} wafers, {marks.fields.size} fields of {plan.layout.field_width * 1e3:g} mm × "
                f"{plan.layout.field_height * 1e3:g} mm, {plan.layout.columns} × {plan.layout.rows} marks each",
            ),
            ("marks", f"{total}, {marks.count} a wafer"),
            ("model", f"{rank.model.name}, rank {rank.rank} of {len(rank.model.terms)}, {plan.evaluation.coordinates} coordinates"),
            (
                "outliers",
                "kept"
                if plan.evaluation.robust == "none"
                else f"{plan.evaluation.robust.capitalize()}, beyond {plan.evaluation.reject_beyond:g} scales",
            ),
        ),
        uncertainty="stated" if plan.uncertainty.tool_induced_shift is not None else "not stated: tool_induced_shift",
        envelope_m={},
        duration_s=total / MARKS_PER_SECOND,
        points=total,
        rounds=plan.layout.wafers,
        bytes=total * 160 + 1_000_000,
    )


def _free(rank: RankReport) -> str:
    """Which terms a layout leaves free, and the three ways out."""
    listed = "; ".join(str(alias) for alias in rank.aliases[:6]) + (f"; and {len(rank.aliases) - 6} more" if len(rank.aliases) > 6 else "")
    without = ", ".join(f'"{alias.term.key}"' for alias in rank.aliases)
    return (
        f"the marks determine {rank.rank} of the {len(rank.model.terms)} terms of {rank.model.name}{f' ({rank.remark})' if rank.remark else ''}: {listed}. "
        f"Plan more places (layout.columns, layout.rows, more fields), choose a smaller evaluation.model, or leave terms out: evaluation.without = [{without}]"
    )


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be evaluated, before anything is recorded. PlanError names the channel."""
    channels = {channel.name: channel.unit for channel in rig.tool.channels}
    missing = [name for name in NEEDED if name not in channels]
    if missing:
        raise PlanError(
            f"the tool's stream has the channels {', '.join(channels)}; {', '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing"
        )
    if wrong := [name for name, unit in NEEDED.items() if channels[name] != unit]:
        raise PlanError(
            f"channel {wrong[0]} of the tool is in {channels[wrong[0]] or 'no unit'}; {NEEDED[wrong[0]] or 'a number without unit'} is expected"
        )


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Read the marks of all wafers.

    Raises
    ------
    DataError       the stream ended early; a row is lost
    DeviceError     as the driver says
    """
    tool = rig.tool
    names = [channel.name for channel in tool.channels]
    wanted = plan.layout.wafers * planned(plan).count
    taken = 0
    tool.start()
    log("overlay tool", channels=names, marks=wanted)
    while taken < wanted:
        got = tool.read(_QUIET_S)
        if got is None:
            raise DataError(f"the tool ended after {taken} of {wanted} marks; measure the wafers again")
        if got.lost:
            sink.gap(got.reason or "lost", got.lost)
            taken += got.lost
        rows = got.values[: max(0, wanted - taken)]
        if len(rows):
            sink.append_and_wait(block(COLUMNS, **_columns(rows, names)))
            taken += len(rows)
            progress(min(taken, wanted), wanted)
    tool.stop()


def _columns(rows: Any, names: list[str]) -> dict[str, Any]:
    def of(name: str) -> Any:
        return rows[:, names.index(name)]

    given: dict[str, Any] = {name: np.rint(of(name)).astype(np.int64) for name in ("wafer", "field")}
    given |= {f"{name}_m": of(name) for name in ("field_x", "field_y", "mark_x", "mark_y")}
    for name, found in (("dx", "found_x"), ("dy", "found_y")):
        given[f"{name}_m"] = np.where(of(found) != 0, of(name), np.nan) if found in names else of(name)
    if "scan_up" in names:
        given["scan_up"] = np.rint(of("scan_up")).astype(np.int64)
    return given
