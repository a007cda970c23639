"""From excitation, input and output of a plant to its response, its loop and the margins, each with its uncertainty. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import (
    closed_loop,
    excitation,
    frequency_response,
    local_polynomial,
    margins,
    modal_fit,
    nonlinear_distortion,
    sampling,
)

from . import frf
from .frf_plan import Parameters, Recorded
from .procedure import Readings

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """plant : its response.  loop, margin : None in open loop, or where no excitation was recorded; then `no_margins` says why.  extremes :
    resonances and
    anti-resonances.  modes, distortion : where asked for, or an odd-odd multisine was used.  flags : sentences."""

    plant: frequency_response.Response
    loop: frequency_response.Response | None
    margin: margins.Result | None
    no_margins: str
    extremes: tuple[modal_fit.Extreme, ...]
    modes: modal_fit.Result | None
    distortion: nonlinear_distortion.Result | None
    flags: tuple[str, ...]

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by key; those of the response, of the margins, of the modes and of the distortion have keys of their own."""
        found: dict[str, Figure] = {}
        for prefix, result in (("", self.plant), ("", self.margin), ("mode_", self.modes), ("distortion_", self.distortion)):
            if result is not None:
                for key, figure in result.figures.items():
                    found[f"{prefix}{key}"] = replace(figure, key=f"{prefix}{key}")
        return found


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a frequency response.

    Raises
    ------
    DataError       too little was recorded, uneven samples, no excitation at the lines asked for
    """
    record, names = _signals(plan, readings)
    signals = dict(zip(names, record.values, strict=True))
    period, drop, lines, segment = _periods(plan, record.rate_hz)
    units: dict[str, Any] = {"input_unit": plan.units.input, "output_unit": plan.units.output}
    closed = plan.evaluation.loop == "closed" and "excitation" in signals and float(np.ptp(signals["excitation"])) > 0
    band, local = None, False
    estimator: frequency_response.Estimator = "H1"
    if isinstance(plan, Recorded):
        local = plan.evaluation.estimator == "LPM"
        estimator = "H1" if plan.evaluation.estimator == "LPM" else plan.evaluation.estimator
        band = (plan.evaluation.low, plan.evaluation.high) if plan.evaluation.low is not None and plan.evaluation.high is not None else None
        lines = _lines_in_band(lines, period, record.rate_hz, band, signals)
    loop: frequency_response.Response | None = None
    if plan_steps := _dwells(plan, signals, record.rate_hz):
        plant, loop = _stepped(plan, plan_steps, record.rate_hz, closed=closed, **units)
    elif local:
        plant, loop = _local(plan, signals, record.rate_hz, band, closed=closed, **units)
    elif closed:
        found = closed_loop.indirect(
            signals["excitation"], signals["input"], signals["output"], rate_hz=record.rate_hz, segment=segment, period=period, drop=drop, lines=lines, band_hz=band, **units
        )  # fmt: skip
        plant, loop = found.plant, found.loop
    elif period is not None:
        plant = frequency_response.from_periods(
            signals["input"], signals["output"], rate_hz=record.rate_hz, period=period, drop=drop, lines=lines, **units
        )
    else:
        assert segment is not None
        feedback = plan.evaluation.loop == "closed"
        plant = frequency_response.from_signals(
            signals["input"], signals["output"], rate_hz=record.rate_hz, segment=segment, estimator=estimator, band_hz=band, feedback=feedback, **units
        )  # fmt: skip
    margin, why = _margins(plan, loop)
    modes, no_modes = _modes(plan, plant)
    distortion = _distortion(plan, signals, record.rate_hz, period, drop, lines)
    extremes = modal_fit.extremes(plant.frequency_hz, plant.response, prominence_db=6.0) if plant.frequency_hz.size >= 5 else ()
    said = [
        *no_modes,
        *record.flags,
        *plant.flags,
        *(margin.flags if margin else ()),
        *(modes.flags if modes else ()),
        *(distortion.flags if distortion else ()),
    ]
    return Analysis(
        plant=plant, loop=loop, margin=margin, no_margins=why, extremes=extremes, modes=modes, distortion=distortion, flags=tuple(dict.fromkeys(said))
    )


def _dwells(plan: Parameters | Recorded, signals: dict[str, Array], rate_hz: float) -> list[tuple[excitation.Step, dict[str, Array]]]:
    """Each dwell of a stepped sine with its samples; none for another excitation. DataError where the last of them are missing."""
    if not isinstance(plan, Parameters) or plan.excitation.kind != "stepped-sine":
        return []
    _, steps = frf.stepped(plan, _nominal(rate_hz))
    have = signals["input"].size
    whole = [step for step in steps if step.stop <= have]
    if not whole:
        raise DataError(f"the capture holds {have} samples; the first dwell of the stepped sine takes {steps[0].stop}")
    return [(step, {name: values[step.start : step.stop] for name, values in signals.items()}) for step in whole]


def _stepped(
    plan: Parameters | Recorded,
    dwells: list[tuple[excitation.Step, dict[str, Array]]],
    rate_hz: float,
    *,
    closed: bool,
    input_unit: str,
    output_unit: str,
) -> tuple[frequency_response.Response, frequency_response.Response | None]:
    """Plant and loop from a stepped sine. The plant is the ratio of two answers to the same sine, so a loop does not bias it."""
    assert isinstance(plan, Parameters)
    settle: dict[str, Any] = {"rate_hz": rate_hz, "settle_periods": plan.excitation.settle, "settle_s": plan.excitation.dwell / 2}
    plant = frequency_response.from_steps(
        [(step.frequency_hz, part["input"], part["output"]) for step, part in dwells], input_unit=input_unit, output_unit=output_unit, **settle
    )
    if not closed:
        return plant, None
    s = frequency_response.from_steps(
        [(step.frequency_hz, part["excitation"], part["input"]) for step, part in dwells], input_unit=input_unit, output_unit=input_unit, **settle
    )
    return plant, closed_loop.loop_of_sensitivity(s)


def _local(
    plan: Parameters | Recorded,
    signals: dict[str, Array],
    rate_hz: float,
    band: tuple[float, float] | None,
    *,
    closed: bool,
    input_unit: str,
    output_unit: str,
) -> tuple[frequency_response.Response, frequency_response.Response | None]:
    """Plant and loop by local polynomials from one record."""
    settings: dict[str, Any] = {"rate_hz": rate_hz, "band_hz": band, "input_unit": input_unit, "output_unit": output_unit}
    if closed:
        found = local_polynomial.indirect(signals["excitation"], signals["input"], signals["output"], **settings)
        return found.plant, found.loop
    feedback = plan.evaluation.loop == "closed"
    return local_polynomial.from_signals(signals["input"], signals["output"], feedback=feedback, **settings), None


def _modes(plan: Parameters | Recorded, plant: frequency_response.Response) -> tuple[modal_fit.Result | None, list[str]]:
    """The modes asked for, or why there are none: that costs the rest of the evaluation nothing."""
    if not plan.evaluation.modes:
        return None, []
    try:
        return modal_fit.fit(plant, modes=plan.evaluation.modes, delay=True), []
    except DataError as error:
        return None, [f"the modes were not fitted: {error}"]


def _signals(plan: Parameters | Recorded, readings: Readings) -> tuple[sampling.Record, list[str]]:
    time = np.asarray(readings["t_s"], dtype=np.float64)
    if time.size < 16:
        raise DataError(f"the capture holds {time.size} samples; at least 16 are needed")
    names = [name for name in frf.CHANNELS if np.isfinite(readings[name]).any()]
    if missing := [name for name in ("input", "output") if name not in names]:
        raise DataError(f"no {' and no '.join(missing)} was recorded; a response is the output over the input")
    resample = isinstance(plan, Recorded) and plan.evaluation.resample
    record = sampling.even_record(time, np.stack([readings[name] for name in names]), resample_to_even=resample)
    for name, values in zip(names, record.values, strict=True):
        if name != "excitation" or np.ptp(values) > 0:  # a loop may be left as it is
            sampling.refuse_dead(name, values)
    return record, names


def _periods(plan: Parameters | Recorded, rate_hz: float) -> tuple[int | None, int, NDArray[np.int64] | None, int | None]:
    """Period in samples, periods to drop, excited lines; or a segment."""
    if isinstance(plan, Parameters):
        if plan.excitation.kind == "stepped-sine":
            return None, 0, None, None
        one = frf.signal(plan, _nominal(rate_hz))
        chosen = one.lines[(one.frequencies_hz >= plan.excitation.low * (1 - 1e-9)) & (one.frequencies_hz <= plan.excitation.high * (1 + 1e-9))]
        return one.period, plan.excitation.settle, chosen, None
    own = plan.evaluation
    if own.estimator == "LPM":
        return None, 0, None, None
    if own.period is not None:
        period = own.period * rate_hz
        if abs(period - round(period)) > 1e-3 * max(1.0, 1e-3 * period):
            raise DataError(
                f"evaluation.period of {own.period:g} s is {period:.6g} samples at {rate_hz:.6g} Hz; a whole number is expected: was the excitation periodic in the samples?"
            )
        return round(period), own.drop, None, None
    if own.segment is None:
        raise DataError(
            'evaluation: the log says nothing about its excitation; set evaluation.period (periodic), evaluation.segment (noise, chirps), for example "1 s", or evaluation.estimator=LPM (short records of noise)'
        )
    return None, 0, None, max(8, round(own.segment * rate_hz))


def _nominal(rate_hz: float) -> float:
    """The device's rate, without the last digits that time stamps in float64 cost."""
    return float(f"{rate_hz:.9g}")


def _lines_in_band(
    lines: NDArray[np.int64] | None, period: int | None, rate_hz: float, band: tuple[float, float] | None, signals: dict[str, Array]
) -> NDArray[np.int64] | None:
    """Of a recording with a period: the excited lines of its excitation (or input) within the band."""
    if period is None or band is None:
        return lines
    drive = signals.get("excitation", signals["input"])
    if drive.size < period:
        raise DataError(f"the recording has {drive.size} samples and a period {period}; at least two periods are needed")
    found = _excited(drive, period)
    at = found * rate_hz / period
    inside = found[(at >= band[0] * (1 - 1e-9)) & (at <= band[1] * (1 + 1e-9))]
    if not inside.size:
        raise DataError(
            f"the excitation has no line in {band[0]:g} … {band[1]:g} Hz; it has {found.size}, {at.min(initial=math.inf):.4g} … {at.max(initial=0):.4g} Hz"
        )
    return np.asarray(inside, dtype=np.int64)


def _excited(drive: Array, period: int) -> NDArray[np.int64]:
    mean = np.fft.rfft(drive[: drive.size // period * period].reshape(-1, period).mean(axis=0))
    return frequency_response.excited_lines(np.asarray(mean), None)


def _margins(plan: Parameters | Recorded, loop: frequency_response.Response | None) -> tuple[margins.Result | None, str]:
    if plan.evaluation.loop == "open":
        return None, "the plan says that the loop was open: there is no loop to have margins"
    if loop is None:
        return None, "no excitation was recorded beside the plant's input: the loop cannot be told from the plant"
    if loop.frequency_hz.size < 4:
        return None, f"the loop was measured at {loop.frequency_hz.size} frequencies; margins need at least 4"
    return margins.of_response(loop), ""


def _distortion(
    plan: Parameters | Recorded, signals: dict[str, Array], rate_hz: float, period: int | None, drop: int, lines: NDArray[np.int64] | None
) -> nonlinear_distortion.Result | None:
    if period is None or (isinstance(plan, Parameters) and plan.excitation.kind != "odd-odd multisine"):
        return None
    if isinstance(plan, Recorded):
        drive = signals.get("excitation", signals["input"])
        lines = _excited(drive, period)
        # Odd lines with odd ones left out between them, within the lines that are excited: what shows distortion.
        if lines.size < 3 or np.any(lines % 2 == 0) or np.all(np.diff(lines) <= 2):
            return None
    if lines is None:
        return None
    return nonlinear_distortion.evaluate(
        signals["input"], signals["output"], rate_hz=rate_hz, period=period, lines=lines, drop=drop, unit=plan.units.output
    )
