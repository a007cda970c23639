"""The circular test with a ball bar: drive circles in both directions at each feed, record the bar while they are driven.

One circle is one piece of motion: radially in onto the circle, over the run-in, once around, over the run-out, radially out again. The radial ways mark its
start and end in the readings, symmetrically, so that the middle of the recording is the middle of the arc whatever a computer's messages were late by
(`circular_evaluation.angles`). The next circle goes back the same way, so that the bar is never driven across.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import Arc, Block, Line, PathController, Stream
from precision.errors import DeviceFault, PlanError, SafetyStop
from precision.runs.capture import Column

from .circular_plan import Parameters
from .procedure import Outlook, Sink, block

COLUMNS: Final = (
    Column("circle", "i8", ""),
    Column("direction", "i8", ""),
    Column("feed_m_per_s", "f8", "m/s"),
    Column("sample", "i8", ""),
    Column("t_s", "f8", "s"),
    Column("extension_m", "f8", "m"),
)
"""circle : 0, 1, … in the order driven. direction : +1 counter-clockwise (first axis to second), −1 clockwise. t_s : of the bar's clock since its start.
extension_m : length of the bar less its calibrated length."""
CHANNEL: Final = "extension"
_ROWS: Final = 65_536
_SILENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices of a circular test, and what an operator's hands do."""

    controller: PathController
    ballbar: Stream
    operator: Callable[[str, Mapping[str, float], float], None]
    """(what to do, where the machine stands, length of the bar): returns when it is done."""


@dataclass(frozen=True, slots=True)
class Circle:
    """One circle of the plan. direction : +1 or −1. begin_rad : where the run-in begins."""

    number: int
    feed_m_per_s: float
    direction: int
    begin_rad: float
    sweep_rad: float


def circles(plan: Parameters) -> tuple[Circle, ...]:
    """In the order driven: each feed counter-clockwise, then clockwise back over the same way."""
    circle = plan.circle
    sweep = 2 * math.pi + 2 * circle.overshoot
    made: list[Circle] = []
    for feed in circle.feeds:
        for direction in (1, -1):
            made.append(Circle(len(made), feed, direction, circle.start - direction * circle.overshoot, direction * sweep))
    return tuple(made)


def axes_of(plane: str) -> tuple[str, str]:
    """The two axes, the first first."""
    return (plane[0], plane[1])


def third_axis(plane: str) -> str:
    """The axis that stands."""
    return next(axis for axis in "XYZ" if axis not in plane)


def point(plan: Parameters, angle_rad: float, radius_m: float) -> dict[str, float]:
    """Work position at an angle and distance from the centre."""
    first, second = axes_of(plan.circle.plane)
    return {first: plan.circle.centre[0] + radius_m * math.cos(angle_rad), second: plan.circle.centre[1] + radius_m * math.sin(angle_rad)}


def envelope(plan: Parameters) -> dict[str, tuple[float, float]]:
    """Axis -> lowest and highest work position that is driven to."""
    reach = plan.circle.radius + plan.circle.feed_in
    ways = {axis: (centre - reach, centre + reach) for axis, centre in zip(axes_of(plan.circle.plane), plan.circle.centre, strict=True)}
    return {**ways, third_axis(plan.circle.plane): (plan.circle.height, plan.circle.height)}


def preview(plan: Parameters) -> Outlook:
    """What a run is going to do. Pure."""
    circle, planned, ways = plan.circle, circles(plan), envelope(plan)
    first, second = axes_of(circle.plane)
    seconds = [circle.radius * abs(one.sweep_rad) / one.feed_m_per_s + 2 * circle.feed_in / one.feed_m_per_s + 2 * circle.dwell for one in planned]
    lacking = [name for name in ("bar_length", "bar_sensor", "bar_noise", "drift") if getattr(plan.uncertainty, name) is None]
    feeds = ", ".join(f"{feed * 60e3:g}" for feed in circle.feeds)
    remarks = [] if None not in (plan.evaluation.first_pitch, plan.evaluation.second_pitch) else ["the pitch of screws or scales is not stated: it is searched for, and a long wave may be taken for it"]
    if plan.evaluation.fix:
        remarks.append(f"the report also says what would remain without {', '.join(plan.evaluation.fix)}")
    return Outlook(
        lines=(
            ("circle", f"{circle.plane}, radius {circle.radius * 1e3:g} mm about {first} {circle.centre[0] * 1e3:g}, {second} {circle.centre[1] * 1e3:g} mm, "
                       f"{third_axis(circle.plane)} {circle.height * 1e3:g} mm"),
            ("feeds", f"{feeds} mm/min, each counter-clockwise and clockwise = {len(planned)} circles"),
            ("overshoot", f"{math.degrees(circle.overshoot):g}° before and after 360° from {math.degrees(circle.start):g}°; in and out radially by {circle.feed_in * 1e3:g} mm"),
            ("envelope", "; ".join(f"{axis} {low * 1e3:.3f} … {high * 1e3:.3f} mm" for axis, (low, high) in ways.items()) + "; checked against the controller's soft limits before motion"),
            ("standard", f"ISO 230-4, G: {plan.evaluation.zone}, F and D: {plan.evaluation.centring}"),
        ),
        envelope_m=ways,
        duration_s=math.fsum(seconds) + circle.radius / max(circle.feeds),
        points=len(planned),
        rounds=len(planned),
        bytes=round(math.fsum(seconds) * 4000 * 8 * len(COLUMNS)),
        uncertainty="stated" if not lacking else f"not stated: {', '.join(lacking)}",
        remarks=tuple(remarks),
        details=tuple(
            f"circle {one.number + 1}: {'counter-clockwise' if one.direction > 0 else 'clockwise'} at {one.feed_m_per_s * 60e3:g} mm/min, "
            f"{math.degrees(one.begin_rad):g}° to {math.degrees(one.begin_rad + one.sweep_rad):g}°" for one in planned
        ),
    )  # fmt: skip


def check(plan: Parameters, rig: Rig) -> None:
    """Compare the circle with what controller and bar can do now.

    Raises
    ------
    SafetyStop      no such axis, a way outside the soft limits, a feed above the maximum
    PlanError       a stream that has no channel "extension" in metres, or is too slow to see anything
    """
    limits, fastest = rig.controller.soft_limits(), rig.controller.max_feed()
    for axis, (low, high) in envelope(plan).items():
        if axis not in limits:
            raise SafetyStop(f"the controller has no axis {axis}; it reports soft limits for {', '.join(sorted(limits)) or 'none'}. Nothing was moved.")
        lowest, highest = limits[axis]
        if low < lowest or high > highest:
            raise SafetyStop(
                f"the circle needs {axis} from {low * 1e3:.3f} mm to {high * 1e3:.3f} mm, but the controller's soft limits are {lowest * 1e3:.3f} mm to "
                f"{highest * 1e3:.3f} mm. Nothing was moved; set circle.centre, circle.height or circle.radius."
            )
    for axis in axes_of(plan.circle.plane):
        if max(plan.circle.feeds) > fastest.get(axis, math.inf):
            raise SafetyStop(f"circle.feeds go up to {max(plan.circle.feeds) * 60e3:.0f} mm/min; the controller allows {fastest[axis] * 60e3:.0f} mm/min on {axis}. Nothing was moved.")
    channels = {channel.name: channel.unit for channel in rig.ballbar.channels}
    if channels.get(CHANNEL) != "m":
        raise PlanError(f"devices.ballbar has the channels {', '.join(f'{name} ({unit})' for name, unit in channels.items())}; \"{CHANNEL}\" in m is expected")
    around = 2 * math.pi * plan.circle.radius / max(plan.circle.feeds) * rig.ballbar.rate_hz
    if around < 64:
        raise PlanError(f"at {max(plan.circle.feeds) * 60e3:g} mm/min the bar gives {around:.0f} readings around; 64 at least are expected: set slower circle.feeds")


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Drive and record every circle of the plan.

    Raises
    ------
    SafetyStop, PlanError   as `check`, again after homing
    DeviceFault             the bar never came into its travel, or ended its stream
    DeviceError             as the drivers say
    """
    check(plan, rig)  # before homing, which is the first move
    if not rig.controller.homed:
        log("homing")
        rig.controller.home()
        check(plan, rig)
    circle, planned = plan.circle, circles(plan)
    fastest, (first, second) = max(circle.feeds), axes_of(circle.plane)
    centre = {first: circle.centre[0], second: circle.centre[1]}
    rig.controller.move_to({third_axis(circle.plane): circle.height}, feed_m_per_s=fastest)
    rig.controller.move_to(centre, feed_m_per_s=fastest)
    rig.operator("set the table ball at the spindle ball", {**centre, third_axis(circle.plane): circle.height}, circle.radius)
    rig.controller.move_to(point(plan, planned[0].begin_rad, circle.radius + circle.feed_in), feed_m_per_s=fastest)
    rig.operator("hang the bar between its balls", {}, circle.radius)
    for done, one in enumerate(planned):
        progress(done, len(planned))
        log("circle", number=one.number, direction=one.direction, feed_m_per_s=one.feed_m_per_s)
        _record(plan, rig, one, sink, log)
    progress(len(planned), len(planned))


def _record(plan: Parameters, rig: Rig, one: Circle, sink: Sink, log: Callable[..., None]) -> None:
    circle, rate_hz = plan.circle, rig.ballbar.rate_hz
    path = (
        Line(end_m=point(plan, one.begin_rad, circle.radius)),
        Arc(axes=axes_of(circle.plane), centre_m=circle.centre, sweep_rad=one.sweep_rad),
        Line(end_m=point(plan, one.begin_rad + one.sweep_rad, circle.radius + circle.feed_in)),
    )
    column = [channel.name for channel in rig.ballbar.channels].index(CHANNEL)
    rig.ballbar.start()
    listening = Listening(rig.ballbar, column, threshold_m=circle.feed_in / 2, tail=round(circle.dwell / 2 * rate_hz))
    # Whatever fails here goes straight to the guard, which stops the machine: nobody waits for the bar first.
    rig.controller.dwell(circle.dwell)
    rig.controller.follow(path, feed_m_per_s=one.feed_m_per_s)
    rig.controller.dwell(circle.dwell)
    samples, values, lost = listening.heard()
    rig.ballbar.stop()
    for reason, count in lost:
        log("samples lost", circle=one.number, count=count, reason=reason)
        sink.gap(reason, count)
    for start in range(0, values.size, _ROWS):
        part = slice(start, start + _ROWS)
        sink.append_and_wait(
            block(COLUMNS, circle=one.number, direction=one.direction, feed_m_per_s=one.feed_m_per_s, sample=samples[part], t_s=samples[part] / rate_hz, extension_m=values[part])
        )


class Listening:
    """Reads a bar in a thread of its own until it has come into its travel, left it again, and `tail` samples more have passed: so many that what is kept
    depends on the readings alone, not on when anybody looked."""

    def __init__(self, stream: Stream, column: int, *, threshold_m: float, tail: int) -> None:
        self._stream, self._column, self._threshold_m, self._tail = stream, column, threshold_m, tail
        self._blocks: list[Block] = []
        self._error: BaseException | None = None
        self._entered = self._left = False
        self._remaining = max(1, tail)
        self._last_call = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="ball bar", daemon=True)
        self._thread.start()

    def heard(self) -> tuple[NDArray[np.int64], NDArray[np.float64], list[tuple[str, int]]]:
        """The motion is over: what belongs to it comes now, or never. Numbers and values of the samples, (n,) each, and what is missing: (reason, samples).

        Raises
        ------
        DeviceError     what went wrong while reading; or the bar was not in its travel
        """
        self._last_call.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if not self._left:
            where = "came into its travel but did not leave it" if self._entered else "never came into its travel"
            raise DeviceFault(f"the ball bar {where}: is it hung in, is circle.radius its length, and does circle.feed_in lie within its travel?")
        samples = np.concatenate([one.first_sample + np.arange(len(one.values)) for one in self._blocks])
        values = np.concatenate([one.values[:, self._column] for one in self._blocks])
        lost = [(one.reason or "samples are missing", one.lost) for one in self._blocks if one.lost]
        return samples, values, lost

    def _listen(self) -> None:
        silent = 0
        try:
            while self._remaining > 0:
                read = self._stream.read(_SILENCE_S)
                if read is None:
                    raise DeviceFault("the ball bar ended its stream within the circle; start it again and repeat the test")
                self._blocks.append(self._within(read))
                # Once the machine stands, a sign of life without samples says that no more of them come.
                silent = silent + 1 if self._last_call.is_set() and not len(read.values) else 0
                if silent >= 3:
                    return
        except BaseException as error:
            self._error = error

    def _within(self, read: Block) -> Block:
        """The part of a block that is kept."""
        values = read.values[:, self._column]
        start = 0
        if not self._entered:
            inside = np.flatnonzero(values < self._threshold_m)
            if not inside.size:
                return read
            self._entered, start = True, int(inside[0])
        if not self._left:
            outside = np.flatnonzero(values[start:] >= self._threshold_m)
            if not outside.size:
                return read
            self._left, start = True, start + int(outside[0])
        kept = min(len(values), start + self._remaining)
        self._remaining -= kept - start
        return Block(first_sample=read.first_sample, t_ns=read.t_ns, values=read.values[:kept], lost=read.lost, reason=read.reason)


def operator_at_the_machine(what: str, position_m: Mapping[str, Any], length_m: float) -> None:
    """Ask the person at the terminal.

    Raises
    ------
    PlanError       there is nobody
    """
    import sys

    if not sys.stdin.isatty():
        raise PlanError(f"somebody has to {what}, and there is nobody to ask: run this test at a terminal")
    print(f"\nThe machine stands. Now {what} (bar of {length_m * 1e3:g} mm), step back, and press Enter.", flush=True)
    sys.stdin.readline()
