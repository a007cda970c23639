"""A position loop of first order with a dead time, fitted to set-point and actual position: the gain, and by how much one of the two was recorded late.

    ẏ = K_v (r(t − T) − y) + c·K_v        e = r − y = v (1/K_v + T) − c at constant velocity

At constant velocity 1/K_v and T cannot be told apart; while the set-point accelerates a lag rounds the corners that a dead time only moves. Between samples the
set-point is a cubic spline, shifted by T, its velocity v straight within a step h. With τ = 1/K_v and p = exp(−h/τ) the lag L = r(t − T) − y then obeys

    L_k = p L_{k−1} + (τ(1 − p) − c) v_{k−1} + c v_k,        c = τ − τ²(1 − p)/h

What the set-point did between its samples is not known: U holds half of what the answer changes by when it is taken as straight there (rectangular).
A wave along the travel (pole pitch, screw, scale) meets every acceleration at the same places, so that repeating the motion does not average it: U holds what the
strongest wave of the residuals, of any phase, can do to the answer (amplitude a, distribution of a sine: U = √2 a).
A loop with feed-forward, or with much else than a first order, is none of these: what the model leaves says so, and no gain is stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..uncertainty.least_squares import correlated_covariance
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

FEWEST: Final = 64
MISFIT: Final = 0.02
"""Largest rms that the model may leave, relative to the rms of the following error: beyond it the loop is another."""
_LEADS: Final = 2.0
"""Samples by which a record may have its set-point late; more is no matter of recording."""

_PLACES: Final = 4096
"""Places along the travel in which residuals are summed: waves of two places and longer are seen."""
_MOVING: Final = 0.05
"""Share of the largest velocity from which on the axis is on its way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures "loop_gain" (1/s), "dead_time" (s), "misfit" (ratio). residual : (n,) actual − model; all NaN where nothing was fitted."""

    residual: Array


def evaluate(set_point: ArrayLike, actual: ArrayLike, *, rate_hz: float) -> Result:
    """Gain and dead time of the loop; U (k = 2) from what the model leaves, its correlation, and from what is not known between the samples.

    Parameters
    ----------
    set_point, actual : (n,) float64, n ≥ 64, m or rad, equally spaced at the same instants, beginning at standstill or at constant velocity

    Raises
    ------
    DataError       shapes, rate
    """
    r = vector("set_point", set_point, fewest=FEWEST)
    y = vector("actual", actual, size=r.size)
    positive("rate_hz", rate_hz, "Hz")
    step_s = 1 / rate_hz
    error_rms = float(np.sqrt(np.mean((r - y - np.mean(r - y)) ** 2)))
    found = _fitted(r, y, step_s) if error_rms > 0 else None
    reason = "set-point and actual position do not differ"
    if found is not None:
        lag_s, dead_s, columns, residual = found
        misfit = float(np.sqrt(np.mean(residual**2))) / error_rms
        covariance = correlated_covariance(columns, residual)
        straight = _fitted(r, y, step_s, straight=True)
        moved = (0.0, 0.0) if straight is None else (abs(straight[0] - lag_s), abs(straight[1] - dead_s))
        waved = _by_waves(r, y, columns, residual)
        u_lag, u_dead = (
            math.hypot(2 * math.sqrt(max(0.0, float(covariance[k, k]))), moved[k - 1] / math.sqrt(3), math.sqrt(2) * waved[k - 1]) for k in (1, 2)
        )
        if misfit > MISFIT:
            reason = (
                f"a loop of first order with a dead time leaves {misfit:.1%} of the following error: it has feed-forward, or is of higher order"
            )
        elif lag_s <= max(u_lag, 0.1 * step_s):
            reason = f"the lag of {max(0.0, lag_s):.3g} s cannot be told from none (U = {u_lag:.2g} s, one sample every {step_s:.3g} s)"
        elif dead_s < -_LEADS * step_s - u_dead:
            reason = f"the actual position would lead the set-point by {-dead_s:.3g} s: the loop has velocity feed-forward"
        else:
            figures = [
                figure("loop_gain", "gain of the position loop, dead time taken off", 1 / lag_s, "1/s", u_lag / lag_s**2, symbol="K_loop"),
                figure("dead_time", "dead time between set-point and actual position, lag taken off", dead_s, "s", u_dead, symbol="T"),
                figure(
                    "misfit",
                    "what the model of the loop leaves, rms over rms following error",
                    misfit,
                    "",
                    "a measure of the model",
                    symbol="misfit",
                ),
            ]
            return Result(title="Position loop", stated=_STATED, figures=keyed(figures), flags=(), residual=frozen(residual))
    refused = [
        figure("loop_gain", "gain of the position loop, dead time taken off", reason, "1/s", symbol="K_loop"),
        figure("dead_time", "dead time between set-point and actual position, lag taken off", reason, "s", symbol="T"),
    ]
    return Result(title="Position loop", stated=_STATED, figures=keyed(refused), flags=(), residual=frozen(np.full(r.size, np.nan)))


_STATED: Final = (
    "loop: first order with a dead time, least squares",
    "U from the residuals, their correlation, their strongest wave along the travel, and the set-point between its samples",
)


def _fitted(r: Array, y: Array, step_s: float, *, straight: bool = False) -> tuple[float, float, Array, Array] | None:
    """Lag and dead time, s; the model's derivatives by offset, lag and dead time, (n, 3); what it leaves, (n,). None where they cannot be told apart."""
    from scipy.interpolate import CubicSpline
    from scipy.optimize import least_squares

    spline: Any = CubicSpline(np.arange(r.size), r)

    def model(lag: float, dead: float) -> Array:
        """Of lag and dead time in samples."""
        at = np.arange(r.size) - dead
        inside = (at >= 0) & (at <= r.size - 1)
        place = np.clip(at, 0, r.size - 1)
        if straight:
            given = np.interp(place, np.arange(r.size), r)
            return np.asarray(given - _lagging(np.diff(given, prepend=given[0]), lag, held=True))
        return np.asarray(spline(place) - _lagging(np.where(inside, spline(place, 1), 0.0), lag))

    def residual(place: Array) -> Array:
        rest = y - model(float(place[0]), float(place[1]))
        return np.asarray((rest - rest.mean()) / scale)

    scale = float(np.sqrt(np.mean((r - y) ** 2))) or 1.0
    slope = np.gradient(r)
    total = float(np.clip(slope @ (r - y) / (slope @ slope), -r.size / 4, r.size / 4))
    largest = r.size / 4
    begin = max(0.5, total / 2)
    solved = least_squares(
        residual,
        [begin, float(np.clip(total - begin, -0.99 * largest, largest))],
        bounds=([1e-3, -largest], [largest, largest]),
        x_scale=[1.0, 1.0],
        xtol=1e-12,
        ftol=1e-14,
    )
    lag, dead = (float(value) for value in solved.x)
    small = 1e-3
    by_lag = (model(lag + small, dead) - model(max(lag - small, 5e-4), dead)) / (small + lag - max(lag - small, 5e-4))
    by_dead = (model(lag, dead + small) - model(lag, dead - small)) / (2 * small)
    columns = np.stack([np.ones(r.size), by_lag / step_s, by_dead / step_s], axis=1)
    if np.linalg.matrix_rank(columns / np.linalg.norm(columns, axis=0).clip(1e-300)) < 3:
        return None
    rest = y - model(lag, dead)
    return lag * step_s, dead * step_s, columns, np.asarray(rest - rest.mean())


def _by_waves(r: Array, y: Array, columns: Array, residual: Array) -> tuple[float, float]:
    """What the strongest wave of the residual along the travel can do to lag and dead time, s; its phase, and its part in each direction, taken at their worst.

    residual, and what lag and dead time answer to it (the rows of the pseudo-inverse), are summed in places along the travel, forward and backward apart; their
    transforms are the wave's amplitude and the answer to a wave of amplitude 1.
    """
    velocity = np.gradient(r)
    span = float(np.ptp(y))
    if span == 0:
        return 0.0, 0.0
    place = np.minimum(((y - y.min()) * (_PLACES / span)).astype(np.int64), _PLACES - 1)
    rows = np.linalg.pinv(columns)[1:]
    moving = np.abs(velocity) > _MOVING * float(np.abs(velocity).max())
    # Where it stands, a wave is what it was when the axis came there.
    came = np.sign(velocity)[np.maximum.accumulate(np.where(moving, np.arange(r.size), 0))]

    def spectrum(chosen: NDArray[np.bool_], values: Array) -> Array:
        # Twice the length: waves that are no whole number over the travel are seen too.
        return np.asarray(np.abs(np.fft.rfft(np.bincount(place[chosen], values[chosen], minlength=_PLACES), 2 * _PLACES)))

    worst = np.zeros((2, _PLACES + 1))
    for sign in (1, -1):
        on_the_way = moving & (came == sign)
        if not on_the_way.any():
            continue
        amplitude = 2 * spectrum(on_the_way, residual - residual[on_the_way].mean()) / np.count_nonzero(on_the_way)
        worst += amplitude * np.stack([spectrum(came == sign, row) for row in rows])
    # Below two waves over the travel it is no wave, but what the model leaves.
    return float(worst[0, 4:].max()), float(worst[1, 4:].max())


def _lagging(velocity: Array, lag: float, *, held: bool = False) -> Array:
    """By how much a loop of first order is behind, (n,); `lag` in samples, velocity per sample, straight between the samples or `held` over the step before each.

    It begins in the steady state of its first velocity.
    """
    from scipy.signal import lfilter

    kept = math.exp(-1 / lag)
    now = lag * (1 - kept) if held else lag - lag * lag * (1 - kept)
    before = lag * (1 - kept) - now
    # The filter's state before the first sample is what makes its first output the steady state.
    lagging, _ = lfilter([now, before], [1.0, -kept], velocity, zi=[velocity[0] * (lag - now)])
    return np.asarray(lagging)
