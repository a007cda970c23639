"""Ripple of a motion at constant velocity: in velocity with a stated differentiator, and in position along the travel.

    v_k = Σ_j j·x_{k+j} / (Ts·Σ_j j²),  j = −h … h          least-squares slope of 2h + 1 samples; ripple = (v − v_set)/v_set
    v_k of a sine is Σ_{j=1}^{h} j·sin(2π f j Ts) / (2π f Ts·Σ_{j=1}^{h} j²) of its velocity; `bandwidth_hz` is where that falls to 1/√2

The position ripple is the residual from the straight line of the motion, resampled to equal steps of position and taken apart into sine waves: encoder period,
magnet pitch and screw lead show there whatever the speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels.resample import resample
from ..uncertainty.readings import Readings
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

FEWEST: Final = 64
LINES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One period of the position ripple. period, amplitude : unit of the position; amplitude of the sine."""

    period: float
    amplitude: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Constant-velocity ripple. Figures "velocity", "ripple_rms", "ripple_pp" (ratios), "position_ripple_pp".

    velocity : (k,) of the differentiator. residual : (n,) position without the straight line. period, amplitude : (p,) spectrum along the position.
    waves : the strongest periods, strongest first. bandwidth_hz : −3 dB of the differentiator.
    """

    velocity: Array
    residual: Array
    period: Array
    amplitude: Array
    waves: tuple[Wave, ...]
    bandwidth_hz: float


def evaluate(position: ArrayLike, *, rate_hz: float, set_velocity: float, half_width: int = 2, unit: str = "m", readings: Readings | None = None) -> Result:
    """Ripple of the constant-velocity part of one motion.

    Parameters
    ----------
    position : (n,) float64, n ≥ 64, m or rad, equally spaced, of the constant-velocity phase only
    set_velocity : v_set with its sign, unit per second
    half_width : h, samples on each side in the slope
    readings : of the sensor, for U of the position ripple

    Raises
    ------
    DataError       shape, too few samples, a set velocity of zero, an axis that stands or moves the other way
    """
    x = vector("position", position, fewest=FEWEST)
    positive("rate_hz", rate_hz, "Hz")
    if not (math.isfinite(set_velocity) and set_velocity != 0):
        raise DataError(f"set_velocity is {set_velocity:g}; expected the commanded velocity with its sign, {unit}/s")
    if not 1 <= half_width <= x.size // 4:
        raise DataError(f"half_width is {half_width}; expected 1 to {x.size // 4}, a quarter of the record")
    time: Array = np.asarray((np.arange(x.size) - (x.size - 1) / 2) / rate_hz, dtype=np.float64)
    centred = x - x.mean()
    mean_velocity = float(time @ centred / (time @ time))
    if mean_velocity / set_velocity < 0.5:
        raise DataError(f"the axis moved at {mean_velocity:.4g} {unit}/s, {set_velocity:g} were set; give the constant-velocity phase alone, with the right sign")
    j = np.arange(-half_width, half_width + 1)
    velocity = np.convolve(centred, j[::-1], mode="valid") * rate_hz / float((j * j).sum())
    ripple = velocity / set_velocity - 1
    residual = centred - mean_velocity * time
    period, amplitude = _along_position(mean_velocity * time, residual)
    strongest = _strongest(amplitude)
    bandwidth = _bandwidth(half_width, rate_hz)
    travel = abs(mean_velocity) * x.size / rate_hz
    u_pp = None if readings is None else readings.of_range(x.size, bounded=2.5, random=2.5)
    figures = (
        figure("velocity", "mean velocity, least squares", mean_velocity, f"{unit}/s", None if readings is None else readings.of_slope(time), symbol="v̄"),
        figure("ripple_rms", "rms of (v − v_set)/v_set", float(np.sqrt(np.mean(ripple**2))), "", None, symbol="rms ripple"),
        figure("ripple_pp", "largest − smallest (v − v_set)/v_set", float(np.ptp(ripple)), "", None, symbol="p-p ripple"),
        figure("position_ripple_pp", "largest − smallest position off the straight line", float(np.ptp(residual)), unit, u_pp, symbol="p-p position"),
    )
    return Result(
        title="Constant-velocity ripple",
        stated=(
            f"{x.size / rate_hz:.4g} s over {travel:.4g} {unit} at {set_velocity:g} {unit}/s",
            f"velocity: slope of {2 * half_width + 1} samples, −3 dB at {bandwidth:.4g} Hz",
            "straight line taken off the position",
        ),
        figures=keyed(figures),
        flags=(),
        velocity=frozen(velocity),
        residual=frozen(residual),
        period=frozen(period),
        amplitude=frozen(amplitude),
        waves=tuple(Wave(period=float(period[k]), amplitude=float(amplitude[k])) for k in strongest),
        bandwidth_hz=bandwidth,
    )


def _along_position(place: Array, residual: Array) -> tuple[Array, Array]:
    """Periods (descending) and amplitudes of the residual along the travel: Hann window, amplitude of a sine at its line."""
    rising = place if place[-1] > place[0] else place[::-1]
    values = residual if place[-1] > place[0] else residual[::-1]
    even = np.linspace(rising[0], rising[-1], rising.size)
    window = np.hanning(even.size + 1)[:-1]
    spectrum = np.abs(np.fft.rfft(window * np.asarray(resample(rising, values, even, method="linear")))) * 2 / window.sum()
    step = float(even[1] - even[0])
    return even.size * step / np.arange(1, spectrum.size), spectrum[1:]


def _strongest(amplitude: Array) -> list[int]:
    """Local maxima of the spectrum, strongest first; the two longest periods are the trend that a window leaves."""
    inner = np.flatnonzero((amplitude[1:-1] >= amplitude[:-2]) & (amplitude[1:-1] > amplitude[2:])) + 1
    inner = inner[inner >= 2]
    return [int(k) for k in inner[np.argsort(amplitude[inner])[::-1][:LINES]]]


def _bandwidth(half_width: int, rate_hz: float) -> float:
    """Where the slope of 2h + 1 samples passes 1/√2 of the true derivative of a sine; at most half the sampling rate."""
    from scipy.optimize import brentq

    j = np.arange(1, half_width + 1)

    def share(f: float) -> float:
        omega = 2 * math.pi * f / rate_hz
        return float((j * np.sin(omega * j)).sum() / (omega * (j * j).sum()))

    f = np.linspace(1e-4, 0.5, 4000) * rate_hz
    below = np.flatnonzero(np.array([share(one) for one in f]) < math.sqrt(0.5))
    return float(brentq(lambda one: share(one) - math.sqrt(0.5), f[below[0] - 1], f[below[0]])) if below.size else rate_hz / 2
