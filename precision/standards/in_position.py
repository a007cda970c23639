"""In-position stability: how still an axis stands, for a stated time, in a stated bandwidth, with a stated rule for its drift.

    rms = √(Σ(x − trend)²/n),   3σ,   6σ,   peak-to-peak (grows with the duration),   drift = least-squares slope with its interval

6σ is the resolution after A. J. Fleming (2014): two neighbouring positions are then told apart in 99.7 % of readings (from memory of the paper). An Allan
curve of the position as rate-type data tells noise from drift: white noise falls with √τ, a drift D rises as D·τ/√2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels.allan import allan_deviation
from ..uncertainty.least_squares import correlated_covariance
from ..uncertainty.readings import Readings, line_gain
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

Detrend = Literal["mean", "line"]

FEWEST: Final = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Stability of one axis at rest. Figures "rms", "three_sigma", "six_sigma", "peak_to_peak" (unit of the record), "drift" (unit per second).

    residual : (n,) record without its trend. duration_s : of the record.
    tau_s, allan : averaging times (s) and overlapping Allan deviation of the position as rate-type data; empty where the record is too short.
    """

    residual: Array
    duration_s: float
    tau_s: Array
    allan: Array


def evaluate(
    position: ArrayLike,
    *,
    rate_hz: float,
    detrend: Detrend = "mean",
    bandwidth_hz: float | None = None,
    unit: str = "m",
    readings: Readings | None = None,
) -> Result:
    """Stability of a standing axis.

    Parameters
    ----------
    position : (n,) float64, n ≥ 16, m or rad, equally spaced, taken at rest
    detrend : what counts as no motion: "mean" keeps the drift in rms and peak-to-peak, "line" takes a straight drift off
    bandwidth_hz : of the measuring chain, anti-alias and any filter; None is stated as half the sampling rate
    readings : of the sensor; U of the figures is a bound by the triangle inequality

    Raises
    ------
    DataError       shape, too few samples, values that are not finite, a bandwidth beyond half the sampling rate
    """
    x = vector("position", position, fewest=FEWEST)
    positive("rate_hz", rate_hz, "Hz")
    if detrend not in ("mean", "line"):
        raise DataError(f"detrend is {detrend!r}; expected mean or line")
    if bandwidth_hz is not None and not 0 < bandwidth_hz <= rate_hz / 2:
        raise DataError(f"bandwidth_hz is {bandwidth_hz:g}; expected above 0 and at most half of the sampling rate, {rate_hz / 2:g} Hz")
    n = x.size
    duration = n / rate_hz
    time: Array = np.asarray((np.arange(n) - (n - 1) / 2) / rate_hz, dtype=np.float64)
    centred = x - x.mean()
    slope = float(time @ centred / (time @ time))
    line = np.stack([np.ones(n), time], axis=1)
    off_line = centred - slope * time
    u_slope = 2 * math.sqrt(float(correlated_covariance(line, off_line)[1, 1]))
    residual = centred if detrend == "mean" else off_line
    rms = math.sqrt(float(np.mean(residual**2)))
    u_rms = u_range = None
    if readings is not None:
        gain = 1.0 if detrend == "mean" else line_gain(time)
        u_rms = gain * (readings.device + readings.drift_range + readings.resolution) / 2 + readings.noise * (1 + 2 / math.sqrt(2 * n))
        u_range = readings.of_range(n, bounded=gain, random=gain)
        u_slope = math.hypot(u_slope, readings.of_slope(time))
    names = (
        ("rms", "rms", "standard deviation about the trend, divisor n", rms, u_rms),
        ("three_sigma", "3σ", "three times the standard deviation", 3 * rms, None if u_rms is None else 3 * u_rms),
        ("six_sigma", "6σ", "resolution, six times the standard deviation", 6 * rms, None if u_rms is None else 6 * u_rms),
        ("peak_to_peak", "p-p", f"largest − smallest in {duration:.4g} s", float(np.ptp(residual)), u_range),
    )
    figures = [figure(key, name, value, unit, u, symbol=symbol) for key, symbol, name, value, u in names]
    figures.append(figure("drift", "drift rate, least squares", slope, f"{unit}/s", u_slope, symbol="drift"))
    tau, deviation = _allan(centred, rate_hz)
    return Result(
        title="In-position stability",
        stated=(
            f"{duration:.4g} s at {rate_hz:g} Hz",
            f"bandwidth {bandwidth_hz:g} Hz" if bandwidth_hz is not None else f"bandwidth not stated, at most {rate_hz / 2:g} Hz",
            "mean taken off, drift kept" if detrend == "mean" else "straight drift taken off",
        ),
        figures=keyed(figures),
        flags=tuple(_flags(bandwidth_hz, residual)),
        residual=frozen(residual),
        duration_s=duration,
        tau_s=frozen(tau),
        allan=frozen(deviation),
    )


def _flags(bandwidth_hz: float | None, residual: Array) -> list[str]:
    flags = []
    if bandwidth_hz is None:
        flags.append("the bandwidth is not stated: rms and peak-to-peak of another measuring chain cannot be compared with these")
    distinct = np.unique(residual).size
    if distinct < 8:
        flags.append(f"the record takes only {distinct} values: it shows the resolution of the sensor rather than the motion of the axis")
    return flags


def _allan(centred: Array, rate_hz: float) -> tuple[Array, Array]:
    found = allan_deviation(centred, interval_s=1 / rate_hz, data_type="rate", kind="oadev", averages="octave")
    known = np.isfinite(found.deviation)
    return np.array(found.tau_s)[known], np.array(found.deviation)[known]
