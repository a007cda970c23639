"""The spindle test of ISO 230-7: gauges around a turning mandrel, streamed for as many revolutions as the plan asks.

`acquire` is the only code here that touches a device; `spindle_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.runs.capture import Column

from .procedure import Outlook, Sink, block
from .spindle_plan import Parameters

GAUGES: Final = ("X1", "Y1", "Z", "X2", "Y2")
COLUMNS: Final = (
    Column("t_s", "f8", "s"),
    *(Column(f"{name}_m", "f8", "m") for name in GAUGES),
    Column("angle_rad", "f8", "rad"),
    Column("index", "f8", ""),
)
_SPARE_REVOLUTIONS: Final = 2
"""Recorded in addition: the first and the last are seldom whole."""
_QUIET_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The gauges, as a stream with channels X1, Y1, Z, X2, Y2 (any of them, m), and angle (rad, unwrapped) or index (not 0 once a revolution)."""

    gauges: Stream


def preview(plan: Parameters) -> Outlook:
    """What will be recorded. Pure."""
    spindle = plan.spindle
    duration_s = (spindle.revolutions + _SPARE_REVOLUTIONS) * 2 * math.pi / spindle.speed
    remarks = [] if spindle.revolutions >= 20 else [f"{spindle.revolutions} revolutions; ISO 230-7 asks for at least 20"]
    if not plan.devices.simulated:
        remarks.append(f"run the spindle at {spindle.speed * 30 / math.pi:.6g} rpm, warm and steady, before the test begins; this program does not drive it")
    return Outlook(
        lines=(
            ("spindle", f"{spindle.speed * 30 / math.pi:.6g} rpm, {spindle.revolutions} revolutions at {spindle.samples} angles"),
            ("angle from", spindle.synchronisation),
            ("gauges", f"{', '.join(GAUGES)}; the radial pairs {spindle.gauge_distance * 1e3:g} mm apart"),
            ("standard", f"ISO 230-7, centre: {plan.evaluation.centre}"),
        ),
        uncertainty="stated" if not (lacking := lacks(plan)) else f"not stated: {', '.join(lacking)}",
        envelope_m={},
        duration_s=duration_s,
        points=spindle.revolutions + _SPARE_REVOLUTIONS,
        bytes=64 * 1024 * 1024,
        remarks=tuple(remarks),
    )


def lacks(plan: Parameters) -> list[str]:
    """Contributors to U that the plan does not state."""
    return [name for name in ("gauge_calibration", "gauge_noise", "artefact_form") if getattr(plan.uncertainty, name) is None]


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be evaluated, before anything is recorded.

    Raises
    ------
    PlanError       no gauge, no angle, wrong units, too few samples in a revolution
    """
    channels = {channel.name: channel.unit for channel in rig.gauges.channels}
    gauges = [name for name in GAUGES if name in channels]
    needed = "angle" if plan.spindle.synchronisation == "encoder" else "index"
    if not gauges:
        raise PlanError(f"the stream has the channels {', '.join(channels)}; at least one of the gauges {', '.join(GAUGES)} is needed")
    if wrong := [name for name in gauges if channels[name] != "m"]:
        raise PlanError(f"channel {wrong[0]} of the stream is in {channels[wrong[0]] or 'no unit'}; gauges are read in m")
    if needed not in channels:
        raise PlanError(f"the stream has no channel {needed!r}; spindle.synchronisation = {plan.spindle.synchronisation!r} needs it")
    seen = rig.gauges.rate_hz * 2 * math.pi / plan.spindle.speed
    if seen < plan.spindle.samples:
        raise PlanError(
            f"the stream gives {seen:.4g} samples a revolution at this speed, spindle.samples asks for {plan.spindle.samples}; set it to {int(seen)} or less, or turn slower"
        )


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Record the revolutions of the plan.

    Raises
    ------
    DataError       the spindle stands, or turns at another speed than planned (by more than 2 %)
    DeviceError     as the driver says
    """
    stream = rig.gauges
    names = [channel.name for channel in stream.channels]
    total = plan.spindle.revolutions + _SPARE_REVOLUTIONS
    wanted = math.ceil(total * 2 * math.pi / plan.spindle.speed * stream.rate_hz)
    taken, begun = 0, None
    stream.start()
    log("stream", rate_hz=stream.rate_hz, channels=names, samples=wanted)
    while taken < wanted:
        got = stream.read(_QUIET_S)
        if got is None:
            raise DataError(f"the stream ended after {taken} of {wanted} samples; start it again, and the test with it")
        if got.lost:
            sink.gap(got.reason or "lost", got.lost)
            taken += got.lost
        if not len(got.values):
            continue
        begun = got.t_ns if begun is None else begun
        rows = got.values[: wanted - taken] if taken < wanted else got.values[:0]
        if not len(rows):
            break
        time_s = (got.t_ns - begun) / 1e9 + np.arange(len(rows)) / stream.rate_hz
        given = {f"{name}_m": rows[:, names.index(name)] for name in GAUGES if name in names}
        if "angle" in names:
            given["angle_rad"] = rows[:, names.index("angle")]
        if "index" in names:
            given["index"] = rows[:, names.index("index")]
        sink.append_and_wait(block(COLUMNS, t_s=time_s, **given))
        taken += len(rows)
        progress(min(total, taken * total // wanted), total)
    stream.stop()
