"""Iterative learning: the response to the feed-forward is measured, then a motion is repeated while its error is turned into a signal, trial by
trial.

`acquire` is the only code here that touches a device; `ilc_evaluation.analyse` judges what it left behind, with the law that is designed here
from the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.driver import FrameStream
from precision.errors import DataError, PlanError, SafetyStop
from precision.models import trajectory
from precision.runs.capture import Column
from precision.standards import excitation, frequency_response, learning_law

from .exciting import Watch, check_channels, excited, limits, streamed, upload
from .gathering import Gathered
from .ilc_plan import Parameters
from .procedure import Outlook, Sink

Array = NDArray[np.float64]

RESPONSE, BEFORE, LEARNING, AFTER = range(4)
"""What a row is of: the response, trials without signal, trials with learning, trials with the last signal unchanged."""
CHANNELS: Final = ("reference", "feed_forward", "input", "output")
COLUMNS: Final = (
    Column("phase", "i8", ""), Column("trial", "i8", ""), Column("t_s", "f8", "s"), Column("reference", "f8", ""), Column("feed_forward", "f8", ""),
    Column("input", "f8", ""), Column("output", "f8", ""),
)  # fmt: skip
LONGEST: Final = 500_000
"""Samples of a trial."""
_PROBE_PERIODS: Final = 2
_ADVICE: Final = "Lower trajectory.distance or its bounds"
_CLEAR: Final = ("feed_forward clear", "reference clear")


@dataclass(frozen=True, slots=True)
class Rig:
    """The plant, as a stream with channels reference, feed_forward, input, output and perhaps state (not 0: switched off), that takes `limits`,
    `repeat`, `reference` and
    `feed_forward` as control lines; a trial from rest at each start."""

    plant: FrameStream


def motion(plan: Parameters, rate_hz: float) -> Array:
    """(n,) reference of a trial: at rest, there, at rest, back, at rest. An even number of samples. PlanError for one that is too short or too
    long."""
    own = plan.trajectory
    bounds = trajectory.Limits(velocity=own.velocity, acceleration=own.acceleration, jerk=own.jerk, snap=own.snap)
    try:
        there = trajectory.plan(own.distance, bounds, sampling_s=1 / rate_hz).sampled().position
    except DataError as error:
        raise PlanError(f"trajectory: {error}") from error
    dwell = round(own.dwell * rate_hz)
    whole = np.concatenate([np.zeros(round(own.lead * rate_hz)), there, np.full(dwell, there[-1]), there[-1] - there, np.zeros(dwell)])
    if whole.size % 2:
        whole = np.append(whole, 0.0)
    if not 64 <= whole.size <= LONGEST:
        raise PlanError(f"trajectory: a trial has {whole.size} samples at {rate_hz:g} Hz; 64 … {LONGEST} are expected")
    return np.asarray(whole)


def signal(plan: Parameters, rate_hz: float) -> excitation.Excitation:
    """One period, two trials long, of the multisine that measures the response: all its lines up to response.high. PlanError for a band that the
    rate does not carry."""
    period = 2 * motion(plan, rate_hz).size
    last = math.floor(plan.response.high * period / rate_hz + 1e-9)
    if plan.response.high >= rate_hz / 2 or last < 4:
        raise PlanError(
            f"response.high is {plan.response.high:g} Hz; the plant is sampled {rate_hz:g} times a second and a period of two trials takes {period / rate_hz:.4g} s: "
            f"{4 * rate_hz / period:.3g} … {rate_hz / 2:g} Hz are expected"
        )
    return excitation.multisine(np.arange(1, last + 1), period=period, rate_hz=rate_hz, peak=plan.response.peak)


def law(plan: Parameters, feed_forward: Array, output: Array, rate_hz: float) -> learning_law.Law:
    """The law, from the rows of the response. Pure; DataError as `learning_law.design`."""
    one, own = signal(plan, rate_hz), plan.learning
    found = frequency_response.from_periods(
        feed_forward,
        output,
        rate_hz=rate_hz,
        period=one.period,
        drop=plan.response.settle,
        lines=one.lines,
        input_unit=plan.units.input,
        output_unit=plan.units.output,
    )
    chosen = {"gain": own.gain} if own.law == "inverse" else {"pd": (own.kp, own.kd, own.ahead)}
    return learning_law.design(found, samples=one.period // 2, rate_hz=rate_hz, cutoff_hz=own.cutoff, order=own.order, **chosen)


def preview(plan: Parameters) -> Outlook:
    """What will be done. Pure."""
    own, path, safety = plan.learning, plan.trajectory, plan.safety
    unit_in, unit_out = plan.units.input, plan.units.output
    try:
        bounds = trajectory.Limits(velocity=path.velocity, acceleration=path.acceleration, jerk=path.jerk, snap=path.snap)
        once_s = path.lead + 2 * (path.dwell + trajectory.plan(path.distance, bounds).duration_s)
    except DataError as error:
        raise PlanError(f"trajectory: {error}") from error
    trials = 2 * own.repeats + own.trials
    total_s = once_s * (trials + 2 * (plan.response.periods + plan.response.settle + _PROBE_PERIODS))
    worded = f"{own.law}, " + (f"gain {own.gain:g}" if own.law == "inverse" else f"kp {own.kp:g}, kd {own.kd:g}, {own.ahead:g} s ahead")
    return Outlook(
        lines=(
            ("motion", f"0 → {path.distance:g} {unit_out} → 0 in {once_s:.3g} s".replace("  ", " ")),
            ("response", f"multisine up to {plan.response.high:g} Hz, peak {plan.response.peak:g} {unit_in}, tried at {safety.probe:.0%} first"),
            ("trials", f"{own.repeats} without signal, {own.trials} with learning, {own.repeats} with the last signal"),
            ("law", f"{worded}; Q {own.cutoff:g} Hz, order {own.order}"),
            ("limits", f"signal ±{safety.peak:g} {unit_in}, output ±{safety.travel:g} {unit_out}; stopped at {safety.worse:g} times the first error; the controller's own are asked for first"),
        ),
        uncertainty="from the scatter of the repeated trials",
        envelope_m={},
        duration_s=total_s,
        points=trials + 1,
        bytes=int(60 * 10_000 * total_s) + (1 << 20),
    )  # fmt: skip


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse what the device cannot do, before anything moves.

    Raises
    ------
    PlanError       channels that lack, other units than the plan's, a peak or a travel beyond the device's own limits
    """
    one, other = plan.units.input, plan.units.output
    check_channels(rig.plant, (("reference", other), ("feed_forward", one), ("input", one), ("output", other)))
    signal(plan, rig.plant.rate_hz)
    peak, travel = limits(rig.plant)
    for key, value in (("response.peak", plan.response.peak), ("safety.peak", plan.safety.peak)):
        if value > peak:
            raise PlanError(f"{key} is {value:g} {one}; the device allows {peak:g}".rstrip())
    if plan.safety.travel > travel:
        raise PlanError(f"safety.travel is {plan.safety.travel:g} {other}; the device allows {travel:g}".rstrip())


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Measure the response, then learn.

    Raises
    ------
    SafetyStop      the output left its travel, the signal would pass its peak, the law would not converge, or learning diverges: the signal is
    taken away
    DataError       the stream ended early
    DeviceError     as the driver says
    """
    kept = Gathered(COLUMNS, sink, rate_hz=rig.plant.rate_hz)
    with excited(rig.plant, kept, lines=_CLEAR):
        _learn(plan, rig.plant, kept, log=log, progress=progress)


def _learn(plan: Parameters, plant: FrameStream, kept: Gathered, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    own, rate = plan.learning, plant.rate_hz
    names = [channel.name for channel in plant.channels]
    path = motion(plan, rate)
    done, total = 1, 2 * own.repeats + own.trials + 1
    chosen = _response(plan, plant, kept, names, log)
    progress(done, total)
    upload(plant, path, word="reference")
    plant.ask("repeat 1")
    now, error, first, trial, before = np.zeros(path.size), np.zeros(path.size), math.inf, 0, [0.0]
    for phase, count in ((BEFORE, own.repeats), (LEARNING, own.trials), (AFTER, own.repeats)):
        for _ in range(count):
            if phase == LEARNING:
                now = chosen.next_signal(now, error)
                _refuse_large(plan, now, trial)
            upload(plant, now if trial >= own.repeats else np.zeros(0), word="feed_forward")
            rows = _trial(plan, plant, kept, names, path.size, phase=phase, trial=trial)
            error = rows[:, names.index("reference")] - rows[:, names.index("output")]
            size = float(np.sqrt(np.mean(error**2)))
            log("trial", trial=trial, phase=phase, rms=size, peak=float(np.abs(error).max()), signal_peak=float(np.abs(now).max()))
            if phase == BEFORE:
                before.append(size)
                first = max(before)
            elif size > plan.safety.worse * first:
                raise SafetyStop(
                    f"learning diverges: trial {trial} has an rms error of {size:.4g} {plan.units.output}, without signal it was {first:.4g}; the learned signal was taken away. "
                    "Lower learning.gain (or kp, kd), or learning.cutoff"
                )
            trial, done = trial + 1, done + 1
            progress(done, total)


def _response(plan: Parameters, plant: FrameStream, kept: Gathered, names: list[str], log: Callable[..., None]) -> learning_law.Law:
    """Try the multisine small, measure with it, and design the law. SafetyStop where it would go too far, or the law would not converge."""
    one, own, safety = signal(plan, plant.rate_hz), plan.response, plan.safety
    log("excitation", what=one.stated, period=one.period, crest_factor=one.crest_factor, rate_hz=plant.rate_hz)
    plant.ask("reference clear")
    advice = "Lower response.peak"
    plant.ask(f"repeat {_PROBE_PERIODS}")
    upload(plant, safety.probe * one.values, word="feed_forward")
    seen = Watch(names, travel=safety.travel, unit=plan.units.output, advice=advice)
    for _, rows, _, _ in streamed(plant, _PROBE_PERIODS * one.period):
        seen.look(rows)
    plant.stop()
    predicted = abs(seen.middle) + seen.reach / safety.probe
    log("probe", part=safety.probe, reach=seen.reach, middle=seen.middle, predicted=predicted)
    if predicted > safety.travel:
        raise SafetyStop(
            f"at {safety.probe:.0%} of its peak the multisine moved the output by ±{seen.reach:.4g} {plan.units.output}; the whole would reach ±{predicted:.4g}, safety.travel is "
            f"{safety.travel:g}. Lower response.peak to {own.peak * safety.travel / predicted:.3g} {plan.units.input}"
        )
    passes = own.settle + own.periods
    plant.ask(f"repeat {passes}")
    upload(plant, one.values, word="feed_forward")
    rows = _trial(plan, plant, kept, names, passes * one.period, phase=RESPONSE, trial=-1, advice=advice)
    found = law(plan, rows[:, names.index("feed_forward")], rows[:, names.index("output")], plant.rate_hz)
    worst, u, at = found.worst
    log("law", what=found.stated, worst=worst, u=u, at_hz=at)
    if worst + u >= 1 and plan.learning.demand_convergence:
        raise SafetyStop(
            f"the law would not converge: at {at:.4g} Hz the measured response gives |Q (1 − L J)| = {worst:.3g} ± {u:.2g} (k = 2), less than 1 is expected; nothing was learned. "
            "Lower learning.gain (or kp, kd) or learning.cutoff, or measure the response with more periods; learning.demand_convergence = false tries it all the same"
        )
    return found


def _trial(
    plan: Parameters, plant: FrameStream, kept: Gathered, names: Sequence[str], samples: int, *, phase: int, trial: int, advice: str = _ADVICE
) -> Array:
    """One trial, kept and watched; its rows (samples, channels)."""
    watch = Watch(names, travel=plan.safety.travel, unit=plan.units.output, advice=advice)
    parts = []
    for first, rows, reason, lost in streamed(plant, samples):
        if lost:
            kept.gap(reason, lost)
            raise DataError(f"{lost} samples of a trial were lost ({reason}); learning needs whole trials. Use a faster link or a slower rate")
        time_s = (first + np.arange(len(rows))) / plant.rate_hz
        whole = {name: rows[:, names.index(name)] for name in CHANNELS}
        kept.add(phase=np.full(len(rows), phase), trial=np.full(len(rows), trial), t_s=time_s, **whole)
        watch.look(rows)
        parts.append(np.array(rows))
    plant.stop()
    return np.concatenate(parts)


def _refuse_large(plan: Parameters, values: Array, trial: int) -> None:
    size = float(np.abs(values).max())
    if size > plan.safety.peak:
        raise SafetyStop(
            f"the signal of trial {trial} would reach {size:.4g} {plan.units.input}; safety.peak is {plan.safety.peak:g}. It was not sent, and the one before was taken away. "
            "Lower the bounds of the trajectory, learning.cutoff or learning.gain, or raise safety.peak within what the drive can do"
        )
