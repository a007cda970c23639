"""The exposure slit of a scanner, as weights over the samples of a log: what a die point sees while it passes through the slit.

T = s/v, with s the height of the slit in the scan direction at wafer level and v the scan speed of the wafer. Weights are ≥ 0 with sum 1. Where T fs is no
whole number, a rectangle gets two equal fractional weights at its ends; nothing is resampled, and the result says what was used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels.moving import rectangular_window, trapezoidal_window
from .arrays import positive, vector

_WHOLE = 1e-9
"""T fs closer than this share to a whole number is one: rounding of s/v·fs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slit:
    """Weights of an exposure.

    samples : width in samples. weights : `samples` of them with sum 1, or None for equal ones. rate_hz : fs they belong to.
    stated : shape, duration asked for and duration used, as a sentence for the report.
    """

    samples: int
    weights: tuple[float, ...] | None
    rate_hz: float
    stated: str

    @property
    def window(self) -> int | tuple[float, ...]:
        """As `precision.kernels.moving` takes it."""
        return self.samples if self.weights is None else self.weights

    @property
    def sum_of_squares(self) -> float:
        """Σ w²: the variance of the mean of independent noise of variance 1; 1/W for a rectangle."""
        return 1 / self.samples if self.weights is None else math.fsum(w * w for w in self.weights)


def rectangular(duration_s: float, rate_hz: float) -> Slit:
    """A slit with hard edges, foot to foot T = `duration_s`.

    >>> rectangular(0.01, 250.0)
    Slit(samples=4, weights=(0.1, 0.4, 0.4, 0.1), rate_hz=250.0, stated='rectangular slit, T = 10 ms = 2.5 samples, whole ones and a fraction at each end')
    """
    width = _width(duration_s, rate_hz)
    said = f"rectangular slit, T = {duration_s * 1e3:g} ms = {width:g} samples"
    if abs(width - round(width)) <= _WHOLE * width:
        return Slit(samples=round(width), weights=None, rate_hz=rate_hz, stated=said)
    weights = rectangular_window(width)
    return Slit(samples=len(weights), weights=weights, rate_hz=rate_hz, stated=f"{said}, whole ones and a fraction at each end")


def trapezoidal(duration_s: float, ramp_s: float, rate_hz: float) -> Slit:
    """A slit with soft edges: full base T = `duration_s`, each ramp `ramp_s`, up to T/2. The base is rounded to whole samples, and that is stated."""
    width = _width(duration_s, rate_hz)
    positive("ramp_s", ramp_s, "s")
    if ramp_s > duration_s / 2 * (1 + _WHOLE):
        raise DataError(f"ramp_s is {ramp_s:g} s; at most half of the slit's {duration_s:g} s")
    base = max(1, round(width))
    weights = trapezoidal_window(base, min(ramp_s * rate_hz, base / 2))
    said = f"trapezoidal slit, T = {duration_s * 1e3:g} ms with ramps of {ramp_s * 1e3:g} ms, {base} samples = {base / rate_hz * 1e3:g} ms"
    return Slit(samples=base, weights=weights, rate_hz=rate_hz, stated=said)


def measured(time_s: ArrayLike, intensity: ArrayLike, rate_hz: float) -> Slit:
    """A slit whose profile was measured: each sample gets the integral of the profile, linear between its points, over its own interval.

    Parameters
    ----------
    time_s : (k,) float64 s, ascending: position in the scan direction over scan speed. intensity : (k,) ≥ 0, any scale.

    Raises
    ------
    DataError       shapes, order, negative intensity, a profile without light or shorter than a sample
    """
    positive("rate_hz", rate_hz, "Hz")
    time = vector("time_s", time_s, fewest=2, ascending=True)
    light = vector("intensity", intensity, size=time.size, largest=1e30)
    if light.min() < 0:
        raise DataError(f"intensity: value {int(light.argmin()) + 1} is {light.min():g}; expected zero or more; take the dark signal off and cut it at zero")
    if not light.max() > 0:
        raise DataError("intensity is zero everywhere; a profile with light is expected")
    width = _width(float(time[-1] - time[0]), rate_hz)
    count = math.ceil(width * (1 - _WHOLE))
    edges = (time[0] + time[-1]) / 2 + (np.arange(count + 1) - count / 2) / rate_hz
    grid = np.union1d(time, np.clip(edges, time[0], time[-1]))
    heights = np.interp(grid, time, light)
    total = np.concatenate([[0.0], np.cumsum(np.diff(grid) * (heights[1:] + heights[:-1]) / 2)])
    parts = np.diff(np.interp(edges, grid, total))
    weights = tuple(float(part) for part in parts / parts.sum())
    return Slit(samples=count, weights=weights, rate_hz=rate_hz, stated=f"measured slit of {time.size} points, T = {width / rate_hz * 1e3:g} ms = {width:g} samples")


def pulsed(duration_s: float, pulse_rate_hz: float, rate_hz: float) -> Slit:
    """A pulsed source through a slit with hard edges: equal pulses at `pulse_rate_hz`, as many as fit into T, centred on it.

    A pulse between two samples gives each a weight by its distance (the error is taken as linear between samples).

    Raises
    ------
    DataError       no pulse within T
    """
    width = _width(duration_s, rate_hz)
    positive("pulse_rate_hz", pulse_rate_hz, "Hz")
    pulses = math.floor(duration_s * pulse_rate_hz * (1 + _WHOLE))
    if pulses < 1:
        raise DataError(f"no pulse of {pulse_rate_hz:g} Hz falls into a slit of {duration_s:g} s; expected at least one")
    place = (np.arange(pulses) - (pulses - 1) / 2) * rate_hz / pulse_rate_hz
    count = 2 * math.ceil(place[-1]) + 1
    place += count // 2
    low = np.minimum(np.floor(place + _WHOLE).astype(int), count - 1)
    share = np.clip(place - low, 0.0, 1.0)
    weights = np.bincount(low, 1 - share, count) + np.bincount(np.minimum(low + 1, count - 1), share, count)
    said = f"pulsed source, {pulses} pulses of {pulse_rate_hz:g} Hz in T = {duration_s * 1e3:g} ms = {width:g} samples; the error is linear between samples"
    return Slit(samples=count, weights=tuple(float(w) for w in weights / pulses), rate_hz=rate_hz, stated=said)


def _width(duration_s: float, rate_hz: float) -> float:
    """T fs, refused below one sample."""
    positive("duration_s", duration_s, "s")
    positive("rate_hz", rate_hz, "Hz")
    width = duration_s * rate_hz
    if width < 1 - _WHOLE:
        raise DataError(f"the slit takes {duration_s:g} s, less than one sample at {rate_hz:g} Hz; log faster")
    return width
