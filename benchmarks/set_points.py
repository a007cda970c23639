"""A set-point is handed to a controller, tried small, and run: what procedures share that let an axis follow a profile
of their own.

The device is a stream with channels input, output, set and perhaps state (not 0: switched off), that takes `limits` and
`set` as control lines. Nothing is moved before it has been asked for its travel; every block is looked at, and the
set-point is taken away where the output leaves the range that the plan allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.driver import FrameStream
from precision.errors import PlanError, SafetyStop
from precision.runs.capture import Column
from precision.standards import sampling

from . import exciting
from .gathering import Gathered
from .procedure import Sink

Array = NDArray[np.float64]
CHANNELS: Final = ("set", "input", "output")
MEMORY: Final = 1_000_000
"""Samples of a set-point at most; a device that holds fewer says so itself."""
_CLEAR: Final = ("set clear", "wave clear")
_ADVICE: Final = "Take smaller set-points"


@dataclass(frozen=True, slots=True)
class Rig:
    """The plant under its controller."""

    plant: FrameStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What the plan allows. travel : of the output, either side of 0.  probe : part of the set-point that is tried
    first.  unit : of the output."""

    travel: float
    probe: float
    unit: str


def check(plant: FrameStream, units: Mapping[str, str], allowed: Range, largest: float, samples: int) -> None:
    """Refuse what the device cannot do, before anything moves.

    units : channel -> unit that the plan says; each must be there.  largest : |set-point|.  samples : of the whole
    set-point.

    Raises
    ------
    PlanError       channels that lack, other units, a travel beyond the plan's or the device's own, too long a set-point
    """
    exciting.check_channels(plant, list(units.items()))
    _, said = exciting.limits(plant)
    if allowed.travel > said:
        raise PlanError(f"safety.travel is {allowed.travel:g} {allowed.unit}; the device allows {said:g}".rstrip())
    if largest > allowed.travel:
        raise PlanError(f"the set-point goes to ±{largest:g} {allowed.unit}; safety.travel is {allowed.travel:g}".rstrip())
    if samples > MEMORY:
        raise PlanError(
            f"the set-point has {samples} samples at {plant.rate_hz:g} Hz; at most {MEMORY} are expected: hold shorter, "
            "or fewer repeats"
        )


def run(
    plant: FrameStream, set_point: Array, first: Array, allowed: Range, columns: Sequence[Column], sink: Sink, *, log: Callable[..., None],
    progress: Callable[[int, int], None], rows: Callable[[int, int], dict[str, Any]] = lambda first, count: {}, names: Sequence[str] = CHANNELS,
) -> None:  # fmt: skip
    """Try a small part of the set-point, then run it whole and keep what happens.

    first : (m,) what is tried at `allowed.probe` of its size, a part of the set-point that goes as far as all of it.
    rows : (first sample, count) -> further columns.
    names : channels that are kept, each in the column of its name.

    Raises
    ------
    SafetyStop      the output would leave the allowed range, or left it, or the device switched off
    DataError       the stream ended early
    DeviceError     as the driver says
    """
    channels = [channel.name for channel in plant.channels]
    kept_names = [name for name in names if name in channels]
    kept = Gathered(columns, sink, rate_hz=plant.rate_hz)
    with exciting.excited(plant, kept, lines=_CLEAR):
        exciting.upload(plant, allowed.probe * first, word="set")
        seen = exciting.Watch(channels, travel=allowed.travel, unit=allowed.unit, advice=_ADVICE)
        for _, block, _, _ in exciting.streamed(plant, first.size):
            seen.look(block)
        plant.stop()
        farthest = abs(seen.middle) + seen.reach
        predicted = farthest / allowed.probe
        log("probe", part=allowed.probe, farthest=farthest, predicted=predicted)
        if predicted > allowed.travel:
            raise SafetyStop(
                f"at {allowed.probe:.0%} of the set-point the output went to {farthest:.4g} {allowed.unit} from 0; the "
                f"whole would go to {predicted:.4g}, "
                f"safety.travel is {allowed.travel:g}. Take smaller set-points, at most {allowed.travel / predicted:.2g} "
                "of these"
            )
        exciting.upload(plant, set_point, word="set")
        watch = exciting.Watch(channels, travel=allowed.travel, unit=allowed.unit, advice=_ADVICE)
        for start, block, reason, lost in exciting.streamed(plant, set_point.size):
            if lost:
                kept.gap(reason, lost)
            if not len(block):
                continue
            time_s = (start + np.arange(len(block))) / plant.rate_hz
            kept.add(t_s=time_s, **{name: block[:, channels.index(name)] for name in kept_names}, **rows(start, len(block)))
            watch.look(block)
            progress(100 * (start + len(block)) // set_point.size, 100)


def limited(values: Array, consequence: str) -> list[str]:
    """A sentence where an input stays at its limit, with what follows from it; else none."""
    cuts = sampling.clipping(values)
    if not cuts:
        return []
    levels = " and ".join(f"{cut.level:.6g}".replace("-", "−") for cut in sorted(cuts, key=lambda cut: cut.level))
    count = sum(cut.samples for cut in cuts)
    return [
        f"the input stays at {levels} for up to {max(cut.longest for cut in cuts)} samples in a row ({count} of "
        f"{values.size} samples): the drive is at its limit, and {consequence}"
    ]
