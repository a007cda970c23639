"""The frequency response of a plant of several inputs and outputs: orthogonal multisines in as many experiments as inputs, each tried small first.

`acquire` is the only code here that touches a device; `frf_mimo_evaluation.analyse` judges what it left behind.
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

from .exciting import Watch, check_channels, excited, limits, streamed, upload
from .frf_mimo_plan import Parameters, Recorded, Size
from .gathering import Gathered
from .procedure import Outlook, Sink

Array = NDArray[np.float64]
_PROBE_PERIODS: Final = 2


@dataclass(frozen=True, slots=True)
class Rig:
    """The plant, as a stream with channels excitation_1 …, input_1 …, output_1 … and perhaps state (not 0: switched off), that takes `limits`
    and `wave_1` … as control lines."""

    plant: FrameStream


def channels(size: Size) -> tuple[str, ...]:
    """Names in order: excitations, inputs, outputs."""
    return (
        *[f"excitation_{k + 1}" for k in range(size.inputs)], *[f"input_{k + 1}" for k in range(size.inputs)], *[f"output_{k + 1}" for k in range(size.outputs)],
    )  # fmt: skip


def columns(plan: Parameters | Recorded) -> tuple[Column, ...]:
    """Of the capture; experiments count from 1."""
    return (Column("experiment", "i8", ""), Column("t_s", "f8", "s"), *[Column(name, "f8", "") for name in channels(plan.size)])


def signal(plan: Parameters, rate_hz: float) -> signals.Excitation:
    """One period of the multisine that the experiments are made of. Pure; PlanError for a band or a period that the rate does not carry."""
    own = plan.excitation
    if own.high >= rate_hz / 2:
        raise PlanError(
            f"excitation.high is {own.high:g} Hz; the plant is sampled {rate_hz:g} times a second, so less than {rate_hz / 2:g} Hz is expected"
        )
    period = round(rate_hz / own.resolution)
    step = rate_hz / max(period, 1)
    first, last = math.ceil(own.low / step - 1e-6), math.floor(own.high / step + 1e-6)
    try:
        lines = np.unique(np.rint(np.geomspace(first, max(first, last), own.lines)).astype(np.int64))
        return signals.multisine(lines, period=period, rate_hz=rate_hz, peak=own.peak, phases="random", seed=plan.seed)
    except DataError as error:
        raise PlanError(f"excitation: {error}") from error


def preview(plan: Parameters) -> Outlook:
    """What will be done. Pure."""
    own, safety, inputs = plan.excitation, plan.safety, plan.size.inputs
    total_s = inputs * (own.periods + own.settle + _PROBE_PERIODS) / own.resolution
    unit_in, unit_out = plan.units.input, plan.units.output
    return Outlook(
        lines=(
            ("excitation", f"{inputs} orthogonal multisines, {own.low:g} … {own.high:g} Hz, peak {own.peak:g} {unit_in} each".rstrip()),
            ("measured", f"{inputs} experiments of {own.periods} periods after {own.settle} to settle"),
            ("first", f"{_PROBE_PERIODS} periods of each at {safety.probe:.0%} of the peak; refused where the whole would pass ±{safety.travel:g} {unit_out}".rstrip()),
            ("limits", "those of the controller are asked for before anything moves"),
            ("evaluation", f"{plan.size.outputs} × {inputs} responses with U, singular values, conditioning" + (", sensitivity" if plan.evaluation.loop == "closed" else "")),
        ),
        uncertainty="from the scatter of the periods",
        envelope_m={},
        duration_s=total_s,
        points=inputs * (own.periods + own.settle),
        bytes=int(8 * (2 + 2 * inputs + plan.size.outputs) * 20_000 * total_s) + (1 << 20),
    )  # fmt: skip


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse what the device cannot do, before anything is excited. PlanError: channels that lack, other units, a peak or a travel beyond the
    device's own limits."""
    one, other = plan.units.input, plan.units.output
    check_channels(rig.plant, [(name, other if name.startswith("output") else one) for name in channels(plan.size)])
    signal(plan, rig.plant.rate_hz)
    peak, travel = limits(rig.plant)
    if plan.excitation.peak > peak:
        raise PlanError(f"excitation.peak is {plan.excitation.peak:g} {one}; the device allows {peak:g}".rstrip())
    if plan.safety.travel > travel:
        raise PlanError(f"safety.travel is {plan.safety.travel:g} {other}; the device allows {travel:g}".rstrip())


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Try each experiment small, then measure it.

    Raises
    ------
    SafetyStop      an output would pass, or passed, the plan's travel, or the device switched off
    DataError       the stream ended early
    DeviceError     as the driver says
    """
    plant, own, kept = rig.plant, plan.excitation, Gathered(columns(plan), sink, rate_hz=rig.plant.rate_hz)
    one = signal(plan, plant.rate_hz)
    words = [f"wave_{k + 1}" for k in range(plan.size.inputs)]
    log("excitation", what=one.stated, period=one.period, crest_factor=one.crest_factor, rate_hz=plant.rate_hz)
    total = (own.settle + own.periods) * one.period
    with excited(plant, kept, lines=[f"{word} clear" for word in words]):
        for number, waves in enumerate(signals.orthogonal(one, plan.size.inputs)):
            _probe(plan, plant, words, waves, number + 1, log)
            _upload(plant, words, waves)
            watch = _watch(plan, plant)
            names = [channel.name for channel in plant.channels]
            for first, rows, reason, lost in streamed(plant, total):
                if lost:
                    kept.gap(reason, lost)
                if not len(rows):
                    continue
                values = {name: rows[:, names.index(name)] for name in channels(plan.size)}
                kept.add(experiment=np.full(len(rows), number + 1), t_s=(first + np.arange(len(rows))) / plant.rate_hz, **values)
                watch.look(rows)
                each = own.settle + own.periods
                progress(number * each + (first + len(rows)) * each // total, plan.size.inputs * each)
            plant.stop()


def _watch(plan: Parameters, plant: FrameStream) -> Watch:
    outputs = [f"output_{k + 1}" for k in range(plan.size.outputs)]
    return Watch([channel.name for channel in plant.channels], travel=plan.safety.travel, unit=plan.units.output, outputs=outputs)


def _upload(plant: FrameStream, words: list[str], waves: Array) -> None:
    for word, values in zip(words, waves, strict=True):
        upload(plant, values, word=word)


def _probe(plan: Parameters, plant: FrameStream, words: list[str], waves: Array, number: int, log: Callable[..., None]) -> None:
    safety = plan.safety
    _upload(plant, words, safety.probe * waves)
    seen = _watch(plan, plant)
    for _, rows, _, _ in streamed(plant, _PROBE_PERIODS * waves.shape[1]):
        seen.look(rows)
    plant.stop()
    predicted = abs(seen.middle) + seen.reach / safety.probe
    log("probe", experiment=number, part=safety.probe, reach=seen.reach, middle=seen.middle, predicted=predicted)
    if predicted > safety.travel:
        raise SafetyStop(
            f"experiment {number}: at {safety.probe:.0%} of its peak the excitation moved an output by ±{seen.reach:.4g} {plan.units.output}; the whole would reach ±{predicted:.4g}, "
            f"safety.travel is {safety.travel:g}. Lower excitation.peak to {plan.excitation.peak * safety.travel / predicted:.3g} {plan.units.input}"
        )
