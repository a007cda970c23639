"""Settling time after a move: three definitions that give different numbers, so each result says which it is.

    last exit      first time after which |e| stays within ±b for the rest of the record
    first entry    first time at which |e| has come within ±b and then stays there for at least T_dwell
    moving         first time from which every later window satisfies the limits of its moving mean (MA) and moving standard deviation (MSD)

Time counts from where the caller puts zero: the end of the reference for a step, the end of acceleration for a scan. The crossing of the band is
interpolated linearly between samples. A record that never settles has no settling time; its length is not one.

Noise of standard deviation σ (that of the last quarter of the record about its mean) may put the crossing of an error of slope e' off by as much as it takes
the error to pass 4σ: U = Ts + 4σ/|e'|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..units import display_unit, in_unit
from .arrays import Array, positive, vector
from .reported import figure

Definition = Literal["last exit", "first entry", "moving"]

_TAIL: Final = 0.25
"""Share of the record, its end, in which the noise floor is looked for."""
_FEWEST_AFTER: Final = 3
"""Samples that must lie inside the band after the crossing before it counts as settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """When an error had settled.

    time_s : s from time zero, 0 where it was inside the band from there on, or None with `reason`.
    resolution_s : sampling interval; the crossing lies between two samples this far apart.
    noise_s : what noise may put the crossing off by.
    definition : which of the three. stated : band, dwell or limits in words.
    """

    time_s: float | None
    reason: str | None
    resolution_s: float
    noise_s: float
    definition: Definition
    stated: str

    def figure(self, key: str = "t_s", symbol: str = "t_s") -> Figure:
        """The settling time with its U: the sampling interval, within which the crossing lies, and what noise does."""
        name = f"settling time, {self.definition}, {self.stated}"
        return figure(key, name, self.time_s if self.time_s is not None else str(self.reason), "s", self.resolution_s + self.noise_s, symbol=symbol)


def last_exit(time_s: ArrayLike, error: ArrayLike, *, band: float, unit: str = "") -> Settled:
    """First time after which the error stays within ±`band` for the rest of the record.

    Parameters
    ----------
    time_s : (n,) float64 s, ascending; 0 is the end of the reference
    error : (n,) float64, m or rad, its mean at rest already taken off where that is meant
    band : b > 0, unit of `error`
    unit : SI unit of `error` ("m", "rad"), for the words of the result

    Raises
    ------
    DataError       shapes, values that are not finite, a band that is not above zero, no sample at or after time zero

    Examples
    --------
    >>> last_exit([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [4.0, 2.0, 0.0, 0.0, 0.0, 0.0], band=1.0).time_s
    1.5
    """
    time, values, stated = _checked(time_s, error, band, unit)
    outside = np.flatnonzero(np.abs(values) > band)
    if not outside.size:
        return _settled(0.0, time, "last exit", stated)
    last = int(outside[-1])
    if time.size - 1 - last < _FEWEST_AFTER:
        return _unsettled(values, band, time, "last exit", stated, unit)
    return _settled(_crossing(time, values, last, band), time, "last exit", stated, noise_s=_noise_s(time, values, last, band))


def first_entry(time_s: ArrayLike, error: ArrayLike, *, band: float, dwell_s: float, unit: str = "") -> Settled:
    """First time at which the error comes within ±`band` and then stays for at least `dwell_s`.

    Parameters and errors as `last_exit`; dwell_s ≥ 0 s. With `dwell_s` = 0 the first passage through the band counts.
    """
    time, values, stated = _checked(time_s, error, band, unit)
    if not (np.isfinite(dwell_s) and dwell_s >= 0):
        raise DataError(f"dwell_s is {dwell_s:g}; expected zero or more, in s")
    stated = f"{stated}, for at least {dwell_s:g} s"
    inside = np.abs(values) <= band
    edges = np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8))
    for entry, leave in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        came = 0.0 if entry == 0 else _crossing(time, values, int(entry) - 1, band)
        if time[leave - 1] - came >= dwell_s:
            noise_s = 0.0 if entry == 0 else _noise_s(time, values, int(entry) - 1, band)
            return _settled(came, time, "first entry", stated, noise_s=noise_s)
    return _unsettled(values, band, time, "first entry", stated, unit)


def moving(centre_s: ArrayLike, mean: ArrayLike, std: ArrayLike, *, mean_limit: float, std_limit: float, unit: str = "") -> Settled:
    """First time from which every window has |MA| ≤ `mean_limit` and MSD ≤ `std_limit`.

    Parameters
    ----------
    centre_s : (k,) float64 s, ascending: centres of the windows; 0 is the end of acceleration
    mean, std : (k,) float64, MA and MSD of the windows (`precision.kernels.moving.moving_mean_std`)

    Raises
    ------
    DataError       as `last_exit`
    """
    time = vector("centre_s", centre_s, fewest=2, ascending=True, largest=1e12)
    ma, msd = vector("mean", mean, size=time.size), vector("std", std, size=time.size)
    positive("mean_limit", mean_limit, "unit of the error")
    positive("std_limit", std_limit, "unit of the error")
    stated = f"|MA| ≤ {_said(mean_limit, unit)} and MSD ≤ {_said(std_limit, unit)}"
    after = time >= 0
    if not after.any():
        raise DataError("no window after time zero; the record ends before the move does")
    time, excess = time[after], np.maximum(np.abs(ma) / mean_limit, msd / std_limit)[after]
    outside = np.flatnonzero(excess > 1)
    if not outside.size:
        return _settled(0.0, time, "moving", stated)
    last = int(outside[-1])
    if last == time.size - 1:
        reason = f"never within the limits: the last window is still {excess[-1]:.3g} times a limit"
        return Settled(time_s=None, reason=reason, resolution_s=_interval(time), noise_s=0.0, definition="moving", stated=stated)
    return _settled(_crossing(time, excess, last, 1.0), time, "moving", stated, noise_s=_noise_s(time, excess, last, 1.0))


def _checked(time_s: ArrayLike, error: ArrayLike, band: float, unit: str) -> tuple[Array, Array, str]:
    """Samples at and after time zero, and the band in words."""
    time = vector("time_s", time_s, fewest=2, ascending=True, largest=1e12)
    values = vector("error", error, size=time.size)
    positive("band", band, "unit of the error")
    after = time >= 0
    if after.sum() < 2:
        raise DataError(f"{int(after.sum())} samples at or after time zero, the end of the reference; record longer")
    return time[after], values[after], f"band ±{_said(band, unit)}"


def _said(value: float, unit: str) -> str:
    """1e-8, "m" -> "10 nm"; to three digits."""
    shown = display_unit(value, unit)
    return f"{in_unit(value, shown):.3g} {shown}".strip()


def _crossing(time: Array, values: Array, outside: int, band: float) -> float:
    """Where the line from sample `outside` to the next comes into the band."""
    edge = np.copysign(band, values[outside])
    share = (values[outside] - edge) / (values[outside] - values[outside + 1])
    return float(time[outside] + share * (time[outside + 1] - time[outside]))


def _interval(time: Array) -> float:
    return float(np.max(np.diff(time))) if time.size > 1 else 0.0


def _noise_s(time: Array, values: Array, outside: int, band: float) -> float:
    """4σ/|e'|: σ of the differences of neighbouring samples at the end of the record, e' of the line through the samples around the crossing."""
    tail = values[-max(4, int(_TAIL * values.size)) :]
    sigma = float(np.diff(tail).std() / np.sqrt(2))
    low, high = outside, outside + 1
    while low > 0 and abs(values[low - 1]) < 2 * band and np.sign(values[low - 1]) == np.sign(values[outside]):
        low -= 1
    while high < values.size - 1 and abs(values[high + 1]) > band / 2 and np.sign(values[high + 1]) == np.sign(values[outside]):
        high += 1
    # A lobe that only just left the band rises and falls between `low` and the crossing: the line is that of the falling flank.
    low += int(np.argmax(np.abs(values[low : outside + 1])))
    t = time[low : high + 1] - time[low : high + 1].mean()
    slope = abs(float(t @ values[low : high + 1] / (t @ t)))
    return min(4 * sigma / slope, float(time[outside + 1] - time[0])) if slope > 0 else float(time[outside + 1] - time[0])


def _settled(when_s: float, time: Array, definition: Definition, stated: str, *, noise_s: float = 0.0) -> Settled:
    return Settled(time_s=when_s, reason=None, resolution_s=_interval(time), noise_s=noise_s, definition=definition, stated=stated)


def _unsettled(values: Array, band: float, time: Array, definition: Definition, stated: str, unit: str) -> Settled:
    """Why there is no settling time: the band lies below the noise at the end of the record, or the error is still on its way."""
    tail = values[-max(2, int(_TAIL * values.size)) :]
    noise = float(tail.std())
    if 3 * noise > band:
        reason = f"band below noise: the last quarter of the record has a standard deviation of {_said(noise, unit)} about its mean, the band is ±{_said(band, unit)}"
    else:
        reason = f"never settled: at the end of the record the error is {_said(float(values[-1]), unit)}, the band ±{_said(band, unit)}"
    return Settled(time_s=None, reason=reason, resolution_s=_interval(time), noise_s=0.0, definition=definition, stated=stated)
