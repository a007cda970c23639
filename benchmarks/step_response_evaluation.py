"""From set-point and output of an axis to its step responses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import sampling, step_response, step_responses

from . import set_points
from .procedure import Readings
from .step_response_plan import Parameters, Recorded

_SLOWER: Final = "the response to larger steps is slower than a linear one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """found : the responses.  rate_hz : of the samples.  flags : sentences."""

    found: step_responses.Result
    rate_hz: float
    flags: tuple[str, ...]

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by key."""
        return dict(self.found.figures)


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a record of steps.

    Raises
    ------
    DataError       too little was recorded, uneven samples, gaps, no step or a profile
    """
    time = np.asarray(readings["t_s"], dtype=np.float64)
    if time.size < step_response.FEWEST:
        raise DataError(f"the capture holds {time.size} samples; a step and what follows it are needed")
    names = ["set", "output", *(["input"] if np.isfinite(readings["input"]).any() else [])]
    resample = isinstance(plan, Recorded) and plan.evaluation.resample
    record = sampling.even_record(time, np.stack([readings[name] for name in names]), resample_to_even=resample)
    signals = dict(zip(names, record.values, strict=True))
    said = [
        *record.flags,
        *(set_points.limited(signals["input"], _SLOWER) if "input" in signals else ()),
        *_cut_off(signals["output"]),
    ]
    set_point = signals["set"]
    if any(
        "resampled" in flag for flag in record.flags
    ):  # a cubic through a jump is no jump: the value before it holds up to the next sample
        there = np.isfinite(np.stack([readings[name] for name in names])).all(axis=0)
        grid = time[there][0] + np.arange(set_point.size) / record.rate_hz
        place = np.searchsorted(time[there], grid * (1 + 1e-12) + 1e-12, side="right") - 1
        set_point = np.asarray(readings["set"], dtype=np.float64)[there][np.clip(place, 0, None)]
    even_s = np.arange(set_point.size) / record.rate_hz
    own = plan.evaluation
    options = step_responses.Options(
        band=own.band,
        band_share=own.band_share,
        dwell_s=own.dwell,
        window_s=own.window,
        std_share=own.std_share,
        end_s=own.integrals,
    )
    found = step_responses.evaluate(even_s, set_point, signals["output"], options, unit=plan.units.output)
    return Analysis(found=found, rate_hz=record.rate_hz, flags=tuple(dict.fromkeys([*said, *found.flags])))


def _cut_off(values: np.ndarray) -> list[str]:
    if np.ptp(values) == 0:
        raise DataError(
            f"the output stays at {values[0]:g} in the whole record: the axis did not move, or the sensor is not connected"
        )
    return [
        f"the output stays at {cut.level:.6g} for up to {cut.longest} samples in a row ({cut.samples} of {values.size} "
        "samples): the sensor or the axis is at its end, "
        "and overshoot is cut off"
        for cut in sampling.clipping(values)
        if cut.longest > 3
    ]  # fmt: skip
