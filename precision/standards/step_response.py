"""Response of an axis to a step: overshoot, peak, rise, settling, and the integrals of the error.

    overshoot = (y_max − target)/(target − initial), in the sense of the step; peak time from the parabola through the three highest samples
    rise time = from the first passage through 10 % to the first through 90 % of the step, both interpolated linearly
    e = target − y,   IAE = ∫|e| dt,   ISE = ∫e² dt,   ITAE = ∫t|e| dt,   ITSE = ∫t e² dt   from the step, t = 0, to a stated end

The integrals keep their units (m s, m² s, m s², m² s²): none is a share of the step, and each depends on its start and end. Trapezoidal rule; settling is
the last exit of `settling`. Responses are compared with the commanded target; what remains at the end is a figure of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from . import settling
from .arrays import Array, vector
from .reported import Reported, figure, keyed
from .settling import Settled

FEWEST: Final = 16
_TAIL: Final = 0.1
"""Share of the record, its end, over which the remaining error is averaged."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A step response. Figures "overshoot", "t_peak", "t_rise", "t_s", "remaining", "iae", "ise", "itae", "itse"."""

    settled: Settled


def evaluate(
    time_s: ArrayLike, position: ArrayLike, *, initial: float, target: float, step_s: float = 0.0, end_s: float | None = None, band: float | None = None, unit: str = "m"
) -> Result:
    """Evaluate one step.

    Parameters
    ----------
    time_s : (n,) float64 s, ascending
    position : (n,) float64, m or rad
    initial, target : where the axis stood and where it was sent, m or rad
    step_s : when the command stepped; a sample there or before it is needed
    end_s : end of the integrals; by default of the record
    band : ±b of settling, m or rad; by default 2 % of the step

    Raises
    ------
    DataError       shapes, order, a step of zero, a record that begins after the step or ends before `end_s`, too few samples after the step
    """
    time = vector("time_s", time_s, fewest=FEWEST, ascending=True, largest=1e12)
    y = vector("position", position, size=time.size)
    step = target - initial
    if not (math.isfinite(step) and step != 0):
        raise DataError(f"initial is {initial:g} and target {target:g}; expected two finite positions that differ, in {unit}")
    last = float(time[-1]) if end_s is None else end_s
    interval = float(np.max(np.diff(time)))
    if not (time[0] <= step_s + interval and step_s < last <= time[-1]):
        raise DataError(f"the record runs from {time[0]:g} to {time[-1]:g} s, the step is at {step_s:g} s, the end at {last:g} s; expected the step and the end within it")
    inside = (time >= step_s) & (time <= last)
    if inside.sum() < FEWEST:
        raise DataError(f"{int(inside.sum())} samples between the step and the end; at least {FEWEST} are needed")
    t, response = time[inside] - step_s, (y[inside] - initial) / step
    half_width = abs(step) * 0.02 if band is None else band
    error = (1 - response) * step
    settled = settling.last_exit(t, error, band=half_width)
    remaining = float(error[-max(2, int(_TAIL * error.size)) :].mean())
    flags = [] if abs(remaining) <= half_width else [f"does not come to its target: at the end {remaining:.3g} {unit} are left, the band is ±{half_width:.3g} {unit}"]
    if t[0] > 1e-9 * interval:
        flags.append(f"the first sample lies {t[0]:.3g} s after the step; the integrals begin there")
    rise = _rise(t, response)
    if not isinstance(rise, str) and rise < 5 * interval:
        flags.append(f"the rise takes {rise / interval:.2g} samples; sample faster")
    return Result(
        title=f"Step response, {step:g} {unit}",
        stated=(
            "overshoot and rise in terms of the commanded step",
            "rise from 10 % to 90 %",
            f"integrals from the step to {t[-1]:g} s after it, time from the step",
            f"settling: {settled.definition}, {settled.stated} {unit}",
        ),
        figures=keyed(
            [
                *_shape(t, response, rise, interval),
                settled.figure(),
                figure("remaining", "target − position, mean over the last tenth", remaining, unit, symbol="e_∞"),
                *_integrals(t, error, unit),
            ]
        ),
        flags=tuple(flags),
        settled=settled,
    )


def _shape(t: Array, response: Array, rise: float | str, interval: float) -> list[Figure]:
    """Overshoot, peak time and rise time; times are good to the sampling interval."""
    when, height = _peak(t, response)
    over = height > 1
    none = "the response never passes its target"
    return [
        figure("overshoot", "overshoot over the commanded step", height - 1 if over else 0.0, "", symbol="M_p"),
        figure("t_peak", "time of the highest point", when if over else none, "s", interval, symbol="t_p"),
        figure("t_rise", "rise time, 10 % to 90 %", rise, "s", interval, symbol="t_r"),
    ]


def _peak(t: Array, response: Array) -> tuple[float, float]:
    """Vertex of the parabola through the highest sample and its neighbours; the sample itself at an end of the record."""
    k = int(np.argmax(response))
    if k in (0, t.size - 1):
        return float(t[k]), float(response[k])
    x, y = t[k - 1 : k + 2] - t[k], response[k - 1 : k + 2] - response[k]
    before, after = y[0] / x[0], y[2] / x[2]
    curvature = (after - before) / (x[2] - x[0])
    slope = before - curvature * x[0]
    if not curvature < 0:
        return float(t[k]), float(response[k])
    return float(t[k] - slope / (2 * curvature)), float(response[k] - slope**2 / (4 * curvature))


def _rise(t: Array, response: Array) -> float | str:
    times = []
    for level in (0.1, 0.9):
        above = np.flatnonzero(response >= level)
        if not above.size:
            return f"the response never reaches {level:.0%} of the step"
        k = int(above[0])
        if k == 0:
            return f"the response is above {level:.0%} of the step at its first sample; sample faster or check initial and step_s"
        times.append(float(t[k - 1] + (level - response[k - 1]) / (response[k] - response[k - 1]) * (t[k] - t[k - 1])))
    return times[1] - times[0]


def _integrals(t: Array, error: Array, unit: str) -> list[Figure]:
    size, square = np.abs(error), error**2
    rows = (
        ("iae", "integral of |e|", size, f"{unit} s"),
        ("ise", "integral of e²", square, f"{unit}² s"),
        ("itae", "integral of t·|e|", t * size, f"{unit} s²"),
        ("itse", "integral of t·e²", t * square, f"{unit}² s²"),
    )
    return [figure(key, name, float(np.trapezoid(values, t)), dimension, symbol=key.upper()) for key, name, values, dimension in rows]
