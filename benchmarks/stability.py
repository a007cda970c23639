"""In-position stability: a reading that should stand still is recorded, every sample. Nothing is moved.

`acquire` is the only code here that touches a device; `stability_evaluation.analyse` judges what it left behind.
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

from .gathering import Gathered
from .procedure import Outlook, Sink
from .stability_plan import Parameters

COLUMNS: Final = (Column("t_s", "f8", "s"), Column("reading", "f8", ""))
FEWEST: Final = 512
_QUIET_S: Final = 10.0
_STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class Rig:
    """The sensor's stream."""

    sensor: Stream


def preview(plan: Parameters) -> Outlook:
    """What will be recorded. Pure."""
    own = plan.recording
    return Outlook(
        lines=(
            ("reading", f"channel {own.channel} in {own.unit or 'no unit'}"),
            ("recorded", f"every sample of {own.duration:g} s, after {own.settle:g} s to settle; nothing is moved"),
            (
                "evaluation",
                f"spectrum ({plan.evaluation.window}), cumulative, lines; Allan deviation of the readings as {plan.evaluation.data_type}s",
            ),
        ),
        uncertainty="length of the record" + ("" if plan.uncertainty.calibration is not None else "; the sensor's calibration is not stated"),
        envelope_m={},
        duration_s=own.duration + own.settle,
        points=_STEPS,
        bytes=1 << 26,
    )


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be evaluated, before anything is recorded. PlanError: no such channel, another unit, too few samples."""
    channels = {channel.name: channel.unit for channel in rig.sensor.channels}
    own = plan.recording
    if own.channel not in channels:
        raise PlanError(f"recording.channel is {own.channel!r}; the stream has {', '.join(channels)}")
    if channels[own.channel] != own.unit:
        raise PlanError(
            f"channel {own.channel} of the stream is in {channels[own.channel] or 'no unit'}, recording.unit says {own.unit or 'no unit'}"
        )
    if rig.sensor.rate_hz * own.duration < FEWEST:
        raise PlanError(
            f"recording.duration of {own.duration:g} s holds {rig.sensor.rate_hz * own.duration:.4g} samples at {rig.sensor.rate_hz:g} Hz; at least {FEWEST} are expected"
        )


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Record the time of the plan.

    Raises
    ------
    DataError       the stream ends early
    DeviceError     as the driver says
    """
    stream, own = rig.sensor, plan.recording
    place = [channel.name for channel in stream.channels].index(own.channel)
    skipped, wanted = math.ceil(own.settle * stream.rate_hz), math.ceil(own.duration * stream.rate_hz)
    at, rows = 0, Gathered(COLUMNS, sink, rate_hz=stream.rate_hz)
    stream.start()
    log("stream", rate_hz=stream.rate_hz, channel=own.channel, samples=wanted)
    while at < skipped + wanted:
        got = stream.read(_QUIET_S)
        if got is None:
            rows.flush()
            raise DataError(
                f"the stream ended after {max(0, at - skipped)} of {wanted} samples; what was taken is kept. Start it again, and the test with it"
            )
        if got.lost and at + got.lost > skipped:
            rows.gap(got.reason or "lost", got.lost)
        first = at + got.lost
        begin, end = max(0, skipped - first), min(len(got.values), skipped + wanted - first)
        if end > begin:
            time_s = (first + np.arange(begin, end) - skipped) / stream.rate_hz
            rows.add(t_s=time_s, reading=got.values[begin:end, place])
        at = first + len(got.values)
        progress(max(0, min(_STEPS, (at - skipped) * _STEPS // wanted)), _STEPS)
    rows.flush()
    stream.stop()
