"""The frequency response of a plant: an excitation is handed to its controller, tried small, and measured over whole periods.

`acquire` is the only code here that touches a device; `frf_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.driver import FrameStream
from precision.errors import DataError, PlanError, SafetyStop
from precision.runs.capture import Column
from precision.standards import excitation as signals

from .exciting import Watch, check_channels, check_memory, excited, limits, streamed, upload
from .frf_plan import Parameters
from .gathering import Gathered
from .procedure import Outlook, Sink

Array = NDArray[np.float64]

CHANNELS: Final = ("excitation", "input", "output")
COLUMNS: Final = (Column("t_s", "f8", "s"), Column("excitation", "f8", ""), Column("input", "f8", ""), Column("output", "f8", ""))
_PROBE_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class Rig:
    """The plant, as a stream with channels excitation, input, output and perhaps state (not 0: switched off), that takes `limits` and `wave` as
    control lines."""

    plant: FrameStream


def period_samples(plan: Parameters, rate_hz: float) -> int:
    """Samples of one period at a rate. PlanError where it does not fit."""
    if plan.excitation.kind == "PRBS":
        return signal(plan, rate_hz).period
    wanted = rate_hz / plan.excitation.resolution
    if not 8 <= round(wanted) <= signals.LONGEST:
        raise PlanError(
            f"excitation.resolution of {plan.excitation.resolution:g} Hz at {rate_hz:g} samples a second is a period of {wanted:.4g} samples; 8 … {signals.LONGEST} are expected"
        )
    return round(wanted)


def stepped(plan: Parameters, rate_hz: float) -> tuple[signals.Excitation, tuple[signals.Step, ...]]:
    """The stepped sine of a plan at the device's rate, and where it dwells. PlanError as `signal`."""
    own = plan.excitation
    try:
        frequencies = np.geomspace(own.low, own.high, own.lines)
        return signals.stepped_sine(
            frequencies.tolist(), rate_hz=rate_hz, peak=own.peak, periods=max(4, own.settle + own.periods), shortest_s=own.dwell
        )
    except DataError as error:
        raise PlanError(f"excitation: {error}") from error


def signal(plan: Parameters, rate_hz: float) -> signals.Excitation:
    """One period of the plan's excitation at the device's rate. Pure.

    Raises
    ------
    PlanError       a band that the rate does not carry
    """
    own = plan.excitation
    if own.high >= rate_hz / 2:
        raise PlanError(
            f"excitation.high is {own.high:g} Hz; the plant is sampled {rate_hz:g} times a second, so less than {rate_hz / 2:g} Hz is expected"
        )
    if own.kind == "stepped-sine":
        return stepped(plan, rate_hz)[0]
    try:
        if own.kind == "PRBS":
            # The clock at 2.5 times the highest frequency: down to 0.8 of the power there; the order for at least the resolution.
            hold = max(1, int(rate_hz / (2.5 * own.high)))
            order = min(20, max(3, math.ceil(math.log2(rate_hz / hold / own.resolution + 1))))
            return signals.prbs(order, rate_hz=rate_hz, peak=own.peak, hold=hold)
        period = period_samples(plan, rate_hz)
        if own.kind == "chirp":
            return signals.chirp(own.low, own.high, period=period, rate_hz=rate_hz, peak=own.peak)
        step = rate_hz / period
        if own.kind == "odd-odd multisine":
            lines = signals.odd_odd_lines(own.low, own.high, period=period, rate_hz=rate_hz)
        else:
            first, last = math.ceil(own.low / step - 1e-6), math.floor(own.high / step + 1e-6)
            lines = np.unique(np.rint(np.geomspace(first, max(first, last), own.lines)).astype(np.int64))
        # Schroeder's phases are small in crest for a band without holes only.
        whole = own.kind == "multisine" and lines.size == lines[-1] - lines[0] + 1
        return signals.multisine(lines, period=period, rate_hz=rate_hz, peak=own.peak, phases="schroeder" if whole else "random", seed=plan.seed)
    except DataError as error:
        raise PlanError(f"excitation: {error}") from error


def preview(plan: Parameters) -> Outlook:
    """What will be done. Pure."""
    own, safety = plan.excitation, plan.safety
    sweep = own.kind == "stepped-sine"
    if sweep:
        once_s = sum(max(own.dwell, (own.settle + own.periods) / f) for f in np.geomspace(own.low, own.high, own.lines).tolist())
        total_s, measured = (
            2 * once_s,
            f"{own.lines} frequencies, at each {own.periods} periods after {own.settle} to settle, at least {own.dwell:g} s",
        )
    else:
        total_s = (own.periods + own.settle + _PROBE_PERIODS) / own.resolution
        measured = f"{own.periods} periods after {own.settle} to settle"
    unit_in, unit_out = plan.units.input, plan.units.output
    return Outlook(
        lines=(
            (
                "excitation",
                f"{own.kind}, {own.low:g} … {own.high:g} Hz, {'' if sweep else f'lines {own.resolution:g} Hz apart or more, '}peak {own.peak:g} {unit_in}".rstrip(),
            ),
            ("measured", measured),
            (
                "first",
                f"{'once' if sweep else f'{_PROBE_PERIODS} periods'} at {safety.probe:.0%} of the peak; the whole is refused where it would pass ±{safety.travel:g} {unit_out}".rstrip(),
            ),
            ("limits", "those of the controller are asked for before anything moves"),
            ("evaluation", f"response with coherence and U, loop {plan.evaluation.loop}" + (", margins" if plan.evaluation.loop == "closed" else "")),
        ),
        uncertainty="from the scatter of the periods",
        envelope_m={},
        duration_s=total_s,
        points=own.periods + own.settle,
        bytes=int(40 * 60_000 * total_s) + (1 << 20),
        remarks=(f"{own.periods} periods: the uncertainty itself is known to {100 / math.sqrt(2 * (own.periods - 1)):.0f} %",)
        if own.periods < 6
        else (),
    )


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse what the device cannot do, before anything is excited.

    Raises
    ------
    PlanError       channels that lack, other units than the plan's, a peak or a travel beyond the device's own limits
    """
    one, other = plan.units.input, plan.units.output
    check_channels(rig.plant, (("excitation", one), ("input", one), ("output", other)))
    check_memory(rig.plant, signal(plan, rig.plant.rate_hz).values.size, "a shorter dwell, fewer lines or a narrower band")
    peak, travel = limits(rig.plant)
    if plan.excitation.peak > peak:
        raise PlanError(f"excitation.peak is {plan.excitation.peak:g} {plan.units.input}; the device allows {peak:g}".rstrip())
    if plan.safety.travel > travel:
        raise PlanError(f"safety.travel is {plan.safety.travel:g} {plan.units.output}; the device allows {travel:g}".rstrip())


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Try the excitation small, then measure it.

    Raises
    ------
    SafetyStop      the output would pass, or passed, the plan's travel, or the device switched off
    DataError       the stream ended early
    DeviceError     as the driver says
    """
    plant, own = rig.plant, plan.excitation
    one = signal(plan, plant.rate_hz)
    names = [channel.name for channel in plant.channels]
    log("excitation", what=one.stated, period=one.period, crest_factor=one.crest_factor, rate_hz=plant.rate_hz)
    kept = Gathered(COLUMNS, sink, rate_hz=plant.rate_hz)
    with excited(plant, kept):
        upload(plant, plan.safety.probe * one.values)
        seen = Watch(names, travel=plan.safety.travel, unit=plan.units.output)
        passes = (1, 1) if own.kind == "stepped-sine" else (_PROBE_PERIODS, own.settle + own.periods)
        for _, rows, _, _ in streamed(plant, passes[0] * one.period):
            seen.look(rows)
        plant.stop()
        predicted = abs(seen.middle) + seen.reach / plan.safety.probe
        log("probe", part=plan.safety.probe, reach=seen.reach, middle=seen.middle, predicted=predicted)
        if predicted > plan.safety.travel:
            raise SafetyStop(
                f"at {plan.safety.probe:.0%} of its peak the excitation moved the output by ±{seen.reach:.4g} {plan.units.output}; the whole would reach ±{predicted:.4g}, "
                f"safety.travel is {plan.safety.travel:g}. Lower excitation.peak to {own.peak * plan.safety.travel / predicted:.3g} {plan.units.input}"
            )
        upload(plant, one.values)
        total = passes[1] * one.period
        watch = Watch(names, travel=plan.safety.travel, unit=plan.units.output)
        for first, rows, reason, lost in streamed(plant, total):
            if lost:
                kept.gap(reason, lost)
            if not len(rows):
                continue
            time_s = (first + np.arange(len(rows))) / plant.rate_hz
            kept.add(t_s=time_s, **{name: rows[:, names.index(name)] for name in CHANNELS})
            watch.look(rows)
            progress((first + len(rows)) * (own.settle + own.periods) // total, own.settle + own.periods)
