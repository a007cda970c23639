"""Following error of a motion, by phase and direction, with the time shift between set-point and actual position told apart from what the axis does.

    e = r − y at equal time stamps
    time shift τ:  y(t) ≈ r(t − τ) + c, least squares (Gauss-Newton on a cubic spline of r); τ > 0: the actual position comes later
    velocity lag:  e = v/K_v + c, least squares over the samples at constant velocity;   1/K_v in s

A delay of one sample in the recording alone makes e = v·Ts. At constant velocity a shift and a lag cannot be told apart: only phases with acceleration
do (`position_loop` fits both). So both are given, each phase has its figures with and without the shift, and neither is taken off quietly.

An axis goes on answering an acceleration after it has ended. With a settling time, the beginning of each stretch at constant velocity still counts as
acceleration, and the beginning of each standstill as settling, with the direction of the motion that ended. A controller that knows what is to come may answer
before: with a lead, the end of each stretch at constant velocity counts as what follows it, and the end of each standstill as the acceleration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.least_squares import correlated_covariance
from ..units import text
from . import velocity_ripple
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

Phase = Literal["acceleration", "constant velocity", "deceleration", "standstill", "settling"]
Direction = Literal["forward", "backward", "none"]

FEWEST: Final = 64
_STANDING: Final = 1e-3
"""Share of the largest set velocity below which the set-point stands."""
_STEADY: Final = 1e-2
"""Share of the largest set acceleration below which the velocity is constant."""
_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The error in one phase and direction, unit of the position. three_sigma : 3 × standard deviation, divisor n. `without_shift_*` : of r(t − τ) − y."""

    phase: Phase
    direction: Direction
    samples: int
    mean: float
    rms: float
    largest: float
    three_sigma: float
    without_shift_rms: float
    without_shift_largest: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Following error. Figures "time_shift", "velocity_lag", "k_v", "e_max", "e_rms", and for each part "max_…", "rms_…", "mean_…".

    error, without_shift : (n,) r − y and r(t − τ) − y; the latter NaN where r(t − τ) lies before or after the record. parts : phases and directions that occur.
    ripple : direction -> ripple of the longest stretch at constant velocity, its periods along the travel; None for a direction without 64 samples of it.
    phases : (n,) index into `PHASES`. sense : (n,) +1 forward, −1 backward, 0 at standstill.
    """

    error: Array
    without_shift: Array
    parts: tuple[Part, ...]
    ripple: dict[str, velocity_ripple.Result | None]
    phases: NDArray[np.int64]
    sense: NDArray[np.int64]


def evaluate(
    set_point: ArrayLike, actual: ArrayLike, *, rate_hz: float, unit: str = "m", standing: float | None = None, steady: float | None = None,
    settle_s: float = 0.0, lead_s: float = 0.0, shortest_s: float = 0.0,
) -> Result:  # fmt: skip
    """Following error of a record of set-point and actual position.

    Parameters
    ----------
    set_point, actual : (n,) float64, n ≥ 64, m or rad, equally spaced at the same instants
    standing : |velocity| of the set-point up to which it stands, unit per second; by default 0.1 % of its largest
    steady : |acceleration| up to which its velocity is constant, unit per s²; by default 1 % of its largest. A recorded set-point of coarse steps needs it
        larger: one step d makes d·rate² of acceleration
    settle_s : after each acceleration and after the set-point has come to rest; lead_s : before each of them and before it moves; see the module docstring
    shortest_s : a stretch at constant velocity that is shorter, settling taken off, counts as the acceleration or deceleration before it

    Raises
    ------
    DataError       shapes, rate, a set-point that never moves
    """
    r = vector("set_point", set_point, fewest=FEWEST)
    y = vector("actual", actual, size=r.size)
    positive("rate_hz", rate_hz, "Hz")
    velocity = np.gradient(r) * rate_hz
    fastest = float(np.abs(velocity).max())
    if fastest == 0:
        raise DataError(f"the set-point stays at {r[0]:g} {unit}; a following error needs a motion")
    phases, sense = phases_of(r, rate_hz=rate_hz, standing=standing, steady=steady, settle_s=settle_s, lead_s=lead_s, shortest_s=shortest_s)
    error = r - y
    shift_s, u_shift_s, without = _time_shift(r, y, rate_hz)
    parts = _parts(error, without, phases, sense)
    lag_figures, flags = _lag(error, velocity, phases == CONSTANT, fastest, unit)
    bare = without[np.isfinite(without)]
    figures = [
        figure("time_shift", "time by which the actual position comes later than the set-point", shift_s, "s", u_shift_s, symbol="τ"),
        *lag_figures,
        figure("e_max", "largest |following error|", float(np.abs(error).max()), unit, symbol="e_max"),
        figure("e_rms", "rms following error", float(np.sqrt(np.mean(error**2))), unit, symbol="e_rms"),
        figure("e_max_without_shift", "largest |following error| without the time shift", float(np.abs(bare).max()), unit, symbol="e_max,τ"),
        figure("e_rms_without_shift", "rms following error without the time shift", float(np.sqrt(np.mean(bare**2))), unit, symbol="e_rms,τ"),
        *(one for part in parts for one in _of_part(part, unit)),
    ]
    if abs(shift_s) * rate_hz > 0.05 and u_shift_s < abs(shift_s):
        flags.append(f"set-point and actual position are {shift_s * rate_hz:.3g} samples apart, worth {text(abs(shift_s) * fastest, unit, digits=3)} at the largest velocity")
    return Result(
        title="Following error",
        stated=("error: set-point − actual at equal time stamps", f"{r.size / rate_hz:.4g} s at {rate_hz:g} Hz", "phases from the set-point", "U of time shift and lag from the residuals and their correlation"),
        figures=keyed(figures),
        flags=tuple(flags),
        error=frozen(error),
        without_shift=frozen(without),
        parts=tuple(parts),
        ripple={name: _ripple(y, velocity, (phases == CONSTANT) & (sense == sign), rate_hz, unit) for name, sign in (("forward", 1), ("backward", -1))},
        phases=phases,
        sense=sense,
    )


PHASES: Final[tuple[Phase, ...]] = ("acceleration", "constant velocity", "deceleration", "standstill", "settling")
ACCELERATION, CONSTANT, DECELERATION, STANDSTILL, SETTLING = range(5)
_DIRECTIONS: Final[dict[int, Direction]] = {1: "forward", -1: "backward", 0: "none"}


def phases_of(
    set_point: Array, *, rate_hz: float, standing: float | None = None, steady: float | None = None, settle_s: float = 0.0, lead_s: float = 0.0, shortest_s: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) index into `PHASES` and direction of each sample, from the set-point's central differences; the parameters are those of `evaluate`."""
    velocity = np.gradient(set_point) * rate_hz
    acceleration = np.zeros_like(set_point)
    acceleration[1:-1] = np.diff(set_point, 2) * rate_hz**2
    acceleration[0], acceleration[-1] = acceleration[1], acceleration[-2]
    still = float(np.abs(velocity).max()) * _STANDING if standing is None else standing
    limit = float(np.abs(acceleration).max()) * _STEADY if steady is None else steady
    phases = np.where(acceleration * velocity > 0, ACCELERATION, DECELERATION)
    phases[np.abs(acceleration) <= limit] = CONSTANT
    phases[np.abs(velocity) <= still] = STANDSTILL
    sense = np.where(phases == STANDSTILL, 0, np.sign(velocity)).astype(np.int64)
    settling, leading, shortest = round(settle_s * rate_hz), math.ceil(lead_s * rate_hz), shortest_s * rate_hz
    if settling:
        for begin, end in _stretches(phases == STANDSTILL):
            if begin:
                phases[begin : min(end, begin + settling)] = SETTLING
                sense[begin : min(end, begin + settling)] = sense[begin - 1]
        for begin, end in _stretches(phases == CONSTANT):
            if begin:
                phases[begin : min(end, begin + settling)] = ACCELERATION
    if leading:
        for begin, end in _stretches(phases == STANDSTILL):
            if end < phases.size:
                phases[max(begin, end - leading) : end] = ACCELERATION
                sense[max(begin, end - leading) : end] = sense[end]
        for begin, end in _stretches(phases == CONSTANT):
            if end < phases.size:
                phases[max(begin, end - leading) : end] = phases[end] if phases[end] in (ACCELERATION, DECELERATION) else DECELERATION
    if shortest > 1:
        for begin, end in _stretches(phases == CONSTANT):
            if end - begin < shortest:
                # It belongs to what it follows.
                before = phases[begin - 1] if begin else phases[end] if end < phases.size else ACCELERATION
                phases[begin:end] = before if before in (ACCELERATION, DECELERATION) else ACCELERATION
    return phases, sense


def _stretches(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First sample and sample after the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def constant_stretches(found: Result) -> list[tuple[int, int, int]]:
    """Begin, end and direction of each stretch at constant velocity, in the order driven."""
    return sorted((begin, end, sign) for sign in (1, -1) for begin, end in _stretches((found.phases == CONSTANT) & (found.sense == sign)))


def _time_shift(r: Array, y: Array, rate_hz: float) -> tuple[float, float, Array]:
    """τ, its U from the residuals and their correlation, and r(t − τ) − y."""
    from scipy.interpolate import CubicSpline

    spline: Any = CubicSpline(np.arange(r.size), r)
    at = np.arange(r.size, dtype=np.float64)
    shift, u_shift = 0.0, math.inf
    for _ in range(_ROUNDS):
        inside = (at - shift >= 0) & (at - shift <= r.size - 1)
        slope = spline(at[inside] - shift, 1)
        residual = spline(at[inside] - shift) - y[inside]
        centred = slope - slope.mean()
        power = float(centred @ centred)
        if power == 0:  # a straight line: a shift is an offset
            break
        step = float(centred @ residual / power)
        rest = residual - residual.mean() - step * centred
        u_shift = 2 * math.sqrt(float(correlated_covariance(np.stack([np.ones_like(centred), centred], axis=1), rest)[1, 1]))
        shift = float(np.clip(shift + step, -(r.size // 4), r.size // 4))
        if abs(step) < 1e-10:
            break
    without = np.full(r.size, np.nan)
    inside = (at - shift >= 0) & (at - shift <= r.size - 1)
    without[inside] = spline(at[inside] - shift) - y[inside]
    return shift / rate_hz, u_shift / rate_hz, without


def _lag(error: Array, velocity: Array, constant: NDArray[np.bool_], fastest: float, unit: str) -> tuple[list[Figure], list[str]]:
    """1/K_v and K_v from the constant-velocity samples; through zero where all have one velocity, as an offset cannot then be told from a lag."""
    v, e = velocity[constant], error[constant]
    series = tuple(end - begin for begin, end in _stretches(constant))
    names = ("velocity_lag", "following error over velocity at constant velocity"), ("k_v", "velocity gain, inverse of the lag")
    flags: list[str] = []
    if v.size < 3:
        reason = f"{v.size} samples at constant velocity; at least 3 are needed"
        return [figure(names[0][0], names[0][1], reason, "s", symbol="e/v"), figure(names[1][0], names[1][1], reason, "1/s", symbol="K_v")], flags
    if float(np.ptp(v)) > 0.05 * fastest:
        centred = v - v.mean()
        lag = float(centred @ e / (centred @ centred))
        rest = e - e.mean() - lag * centred
        u_lag = 2 * math.sqrt(float(correlated_covariance(np.stack([np.ones_like(v), centred], axis=1), rest, series)[1, 1]))
    else:
        lag = float(v @ e / (v @ v))
        rest = e - lag * v
        u_lag = 2 * math.sqrt(float(correlated_covariance(v[:, None], rest, series)[0, 0]))
        flags.append(f"one velocity only, {float(v.mean()):.4g} {unit}/s: an offset of the error counts as velocity lag; run both directions")
    gain: float | str = 1 / lag if abs(lag) > u_lag else f"the lag of {lag:.3g} s is not larger than its uncertainty of {u_lag:.3g} s"
    u_gain = None if isinstance(gain, str) else u_lag / lag**2
    return [
        figure(names[0][0], names[0][1], lag, "s", u_lag, symbol="e/v"),
        figure(names[1][0], names[1][1], gain, "1/s", u_gain, symbol="K_v"),
    ], flags


def _parts(error: Array, without: Array, phases: NDArray[np.int64], sense: NDArray[np.int64]) -> list[Part]:
    parts = []
    for index, phase in enumerate(PHASES):
        for sign, direction in _DIRECTIONS.items():
            here = (phases == index) & (sense == sign)
            e, bare = error[here], without[here & np.isfinite(without)]
            if e.size and bare.size:
                parts.append(
                    Part(
                        phase=phase,
                        direction=direction,
                        samples=int(e.size),
                        mean=float(e.mean()),
                        rms=float(np.sqrt(np.mean(e**2))),
                        largest=float(np.abs(e).max()),
                        three_sigma=3 * float(e.std()),
                        without_shift_rms=float(np.sqrt(np.mean(bare**2))),
                        without_shift_largest=float(np.abs(bare).max()),
                    )
                )
    return parts


def _of_part(part: Part, unit: str) -> list[Figure]:
    where = part.phase if part.direction == "none" else f"{part.phase}, {part.direction}"
    key = where.replace(", ", "_").replace(" ", "_")
    return [
        figure(f"max_{key}", f"largest |e|, {where}", part.largest, unit, symbol="e_max"),
        figure(f"rms_{key}", f"rms e, {where}", part.rms, unit, symbol="e_rms"),
        figure(f"mean_{key}", f"mean e, {where}; 3σ {part.three_sigma:.3g} {unit}", part.mean, unit, symbol="ē"),
    ]


def _ripple(y: Array, velocity: Array, here: NDArray[np.bool_], rate_hz: float, unit: str) -> velocity_ripple.Result | None:
    """Of the longest stretch at constant velocity in one direction, if it is long enough and the axis follows there."""
    begin, end = max(_stretches(here), key=lambda one: one[1] - one[0], default=(0, 0))
    if end - begin < velocity_ripple.FEWEST:
        return None
    stretch = slice(begin, end)
    set_velocity = float(velocity[stretch].mean())
    moved = float(y[stretch][-1] - y[stretch][0]) * rate_hz / (y[stretch].size - 1)
    if moved / set_velocity < 0.75:
        return None
    return velocity_ripple.evaluate(y[stretch], rate_hz=rate_hz, set_velocity=set_velocity, unit=unit)
