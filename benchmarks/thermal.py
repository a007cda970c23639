"""The thermal tests of ISO 230-3: gauges and thermometers, averaged over each interval and kept for hours.

`acquire` is the only code here that touches a device; `thermal_evaluation.analyse` judges what it left behind.
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
from .thermal_plan import Parameters

MANDREL: Final = ("X1", "Y1", "Z", "X2", "Y2")
TARGETS: Final = ("near", "far")
THERMOMETERS: Final = ("ambient", "nose", "screw")
COLUMNS: Final = (
    Column("t_s", "f8", "s"),
    Column("samples", "i8", ""),
    *(Column(f"{name}_m", "f8", "m") for name in (*MANDREL, *TARGETS)),
    *(Column(f"{name}_k", "f8", "K") for name in THERMOMETERS),
)
_QUIET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The gauges, as a stream with channels X1, Y1, Z, X2, Y2 (any of them), or near and far (m), and ambient, nose, screw (K; any of them)."""

    gauges: Stream


def duration_s(plan: Parameters) -> float:
    """Of the whole record."""
    return plan.thermal.running + plan.thermal.cooling


def gauges_of(plan: Parameters) -> tuple[str, ...]:
    """The gauges that the test is about."""
    return TARGETS if plan.thermal.test == "axis" else MANDREL


def lacks(plan: Parameters) -> list[str]:
    """Contributors to U that the plan does not state."""
    return [name for name in ("gauge_calibration", "gauge_noise", "fixture_drift") if getattr(plan.uncertainty, name) is None]


def preview(plan: Parameters) -> Outlook:
    """What will be recorded. Pure."""
    thermal, hours = plan.thermal, duration_s(plan) / 3600
    points = math.ceil(duration_s(plan) / thermal.interval)
    remarks = [] if hours >= 4 else [f"{hours:.3g} h; ISO 230-3 asks for at least 4 h"]
    moving = {"environment": "nothing runs", "spindle": "the spindle runs", "axis": "the axis goes back and forth"}[thermal.test]
    if not plan.devices.simulated and thermal.test != "environment":
        remarks.append(f"start the {thermal.test} when the recording begins, and stop it after {thermal.running / 3600:g} h; this program does not drive it")
    return Outlook(
        lines=(
            ("test", {"environment": "environmental temperature variation error (ETVE)", "spindle": "distortion by the rotating spindle", "axis": "distortion by a moving axis"}[thermal.test]),
            ("duration", f"{thermal.running / 3600:g} h while {moving}, then {thermal.cooling / 3600:g} h at rest"),
            ("readings", f"{points}, each the mean of {thermal.interval:g} s"),
            ("gauges", ", ".join(gauges_of(plan))),
            ("standard", "ISO 230-3"),
        ),
        uncertainty="stated" if not (lacking := lacks(plan)) else f"not stated: {', '.join(lacking)}",
        envelope_m={},
        duration_s=duration_s(plan),
        points=points,
        bytes=1024 * (points + 1000),
        rounds=8,
        remarks=tuple(remarks),
    )


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be evaluated, before anything is recorded.

    Raises
    ------
    PlanError       no gauge of this test, wrong units, slower than the interval
    """
    channels = {channel.name: channel.unit for channel in rig.gauges.channels}
    wanted = gauges_of(plan)
    present = [name for name in wanted if name in channels]
    if not present or (plan.thermal.test == "axis" and len(present) < 2):
        needed = "near and far" if plan.thermal.test == "axis" else f"at least one of {', '.join(MANDREL)}"
        raise PlanError(f"the stream has the channels {', '.join(channels)}; thermal.test = {plan.thermal.test!r} needs {needed}")
    for name, unit in channels.items():
        expected = "m" if name in (*MANDREL, *TARGETS) else "K" if name in THERMOMETERS else unit
        if unit != expected:
            raise PlanError(f"channel {name} of the stream is in {unit or 'no unit'}; {expected} is expected")
    if rig.gauges.rate_hz * plan.thermal.interval < 1 - 1e-9:
        raise PlanError(f"the stream gives a sample every {1 / rig.gauges.rate_hz:g} s, thermal.interval is {plan.thermal.interval:g} s; set it to that or longer")


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Record the time of the plan; each interval is one row, the mean of its samples, on disk before the next.

    Raises
    ------
    DataError       the stream ends early
    DeviceError     as the driver says
    """
    stream, thermal = rig.gauges, plan.thermal
    names = [channel.name for channel in stream.channels]
    each = max(1, round(thermal.interval * stream.rate_hz))
    wanted = max(1, math.floor(duration_s(plan) * stream.rate_hz / each + 1e-9))
    columns = [f"{name}_m" if name in (*MANDREL, *TARGETS) else f"{name}_k" if name in THERMOMETERS else None for name in names]
    held = np.empty((0, len(names)))
    done, at = 0, 0
    stream.start()
    log("stream", rate_hz=stream.rate_hz, channels=names, samples_each=each)
    while done < wanted:
        got = stream.read(_QUIET_S)
        if got is None:
            raise DataError(f"the stream ended after {done} of {wanted} readings; what was taken is kept. Start it again, and the test with it")
        if got.lost:
            sink.gap(got.reason or "lost", got.lost)
            at, held = got.first_sample, held[:0]  # an interval with a hole in it is not averaged over
        held = np.concatenate([held, got.values])
        whole = min(len(held) // each, wanted - done)
        if not whole:
            continue
        means = held[: whole * each].reshape(whole, each, len(names)).mean(axis=1)
        time_s = (at + (np.arange(whole) + 0.5) * each - 0.5) / stream.rate_hz
        held, at = held[whole * each :], at + whole * each
        sink.append_and_wait(block(COLUMNS, t_s=time_s, samples=each, **{column: means[:, k] for k, column in enumerate(columns) if column is not None}))
        done += whole
        progress(done, wanted)
    stream.stop()
