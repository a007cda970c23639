"""Symmetric point-to-point set-points of third and fourth order: as short as the bounds allow, evaluated exactly, also with switching times on samples.

The highest derivative D (jerk or snap) is +D, 0 or −D. Its pattern is a pulse convolved with boxes of lengths L_1 … L_n, n the order:

    L_k = t_k + L_1 + … + L_{k−1}          t_1 … t_n: times of constant snap (n = 4), jerk, acceleration, velocity
    peak of the derivative k orders below the highest = D·L_1·…·L_k,      distance = D·L_1·…·L_n,      duration = L_1 + … + L_n

which for n = 4 is the duration 8 t_1 + 4 t_2 + 2 t_3 + t_4 and the well-known polynomial of the distance. Each t_k in turn is the largest that keeps every bound
with the later ones zero. Source: P. Lambrechts, M. Boerlage, M. Steinbuch, Control Engineering Practice 13 (2005) 145; the box form is our own derivation.

With a sampling interval each t_k is rounded up to whole samples before the next is found, and D lowered to D = distance/(L_1·…·L_n). Every peak is then
distance/(product of the longer boxes), so rounding up can only lower it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Array = NDArray[np.float64]

LONGEST: Final = 10_000_000
"""Samples of a set-point."""
_WHOLE: Final = 1e-12
"""Share by which a time may exceed whole samples through rounding of float64 before it is taken to the next sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a set-point, SI units per s, s², s³, s⁴, all above zero. snap None: a third-order set-point."""

    velocity: float
    acceleration: float
    jerk: float
    snap: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """A set-point at instants, all (k,) float64; snap is None for a third-order set-point, whose jerk jumps.

    At a switching instant the derivative that jumps has its value after the jump.
    """

    time_s: Array
    position: Array
    velocity: Array
    acceleration: Array
    jerk: Array
    snap: Array | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoint:
    """One move from rest at 0 to rest at `distance`.

    distance : with its sign, m or rad.
    times_s : t_1 … t_n; constant jerk, acceleration, velocity for order 3, constant snap first for order 4.
    highest : D ≥ 0, magnitude of the highest derivative, jerk or snap.
    sampling_s : interval of which every switching time is a whole multiple, or None.
    """

    distance: float
    times_s: tuple[float, ...]
    highest: float
    sampling_s: float | None

    @property
    def order(self) -> int:
        """3 or 4."""
        return len(self.times_s)

    @property
    def duration_s(self) -> float:
        """From rest to rest, s."""
        return sum(_boxes(self.times_s))

    @property
    def peak(self) -> Limits:
        """Largest magnitudes that the move reaches."""
        boxes = _boxes(self.times_s)
        below = [self.highest * math.prod(boxes[:k]) for k in range(len(boxes))]  # highest derivative first, velocity last
        return Limits(velocity=below[-1], acceleration=below[-2], jerk=below[-3], snap=below[-4] if self.order == 4 else None)

    def at(self, time_s: ArrayLike) -> Motion:
        """The set-point at any instants (k,), s from its start: at rest at 0 before, at rest at `distance` after.

        Raises
        ------
        DataError       shape, an instant that is not finite
        """
        time = np.array(time_s, dtype=np.float64)
        if time.ndim != 1 or not np.isfinite(time).all():
            raise DataError(f"time_s has shape {time.shape} and {int((~np.isfinite(time)).sum())} values that are not finite; expected finite instants, (k,)")
        total = self.duration_s
        late = time >= total / 2
        inner = np.clip(np.where(late, total - time, time), 0.0, None)
        knots = np.concatenate([[0.0], np.cumsum(self._durations())])
        return self._motion(time, inner, late, knots, (time >= 0) & (time < total))

    def sampled(self) -> Motion:
        """The set-point at the samples 0, Ts … duration; switching falls on samples exactly.

        Raises
        ------
        DataError       the set-point was planned without a sampling interval, or has more than `LONGEST` samples
        """
        if self.sampling_s is None:
            raise DataError("this set-point has no sampling interval; plan it with sampling_s, or use at()")
        knots = np.concatenate([[0.0], np.cumsum(np.rint(np.array(self._durations()) / self.sampling_s))])
        total = 2 * knots[-1] - np.rint(self.times_s[-1] / self.sampling_s)
        if not total < LONGEST:
            raise DataError(f"the set-point takes {self.duration_s:.4g} s, {total:.3g} samples; less than {LONGEST:.0e} are expected: raise the bounds")
        count = np.arange(int(total) + 1, dtype=np.float64)
        late = 2 * count >= total
        return self._motion(count * self.sampling_s, np.where(late, total - count, count), late, knots, count < total, self.sampling_s)

    def _durations(self) -> list[float]:
        """Durations of the segments of the first half, with all of the constant velocity."""
        return [self.times_s[order] for order in _half(self.order)] + [self.times_s[-1]]

    def _motion(self, time_s: Array, inner: Array, late: NDArray[np.bool_], knots: Array, moving: NDArray[np.bool_], unit_s: float = 1.0) -> Motion:
        """First half from its polynomials, second half by symmetry; `inner` and `knots` in units of `unit_s`."""
        drive = np.array([*_signs(self.order), 0.0]) * self.highest
        states = _states(drive, np.diff(knots) * unit_s, self.order)
        # After a jump going forward is before it going backward.
        segment = np.where(late, np.searchsorted(knots, inner, side="left"), np.searchsorted(knots, inner, side="right")) - 1
        segment = np.clip(segment, 0, drive.size - 1)
        tau = (inner - knots[segment]) * unit_s
        derivative = np.stack([_taylor(states[segment], tau, k) for k in range(self.order + 1)])
        derivative[-1] = np.where(moving, derivative[-1], 0.0)
        sign = math.copysign(1.0, self.distance)
        mirrored = np.array([-1.0 if k % 2 == 0 else 1.0 for k in range(self.order + 1)])[:, None]
        derivative = sign * np.where(late, mirrored * derivative, derivative)
        derivative[0] = np.where(late, self.distance + derivative[0], derivative[0]) + 0.0
        for k in range(1, self.order + 1):
            derivative[k] = np.where(moving, derivative[k], 0.0) + 0.0  # + 0.0: no minus zero at rest
        derivative.flags.writeable = False
        snap = derivative[4] if self.order == 4 else None
        return Motion(time_s=time_s, position=derivative[0], velocity=derivative[1], acceleration=derivative[2], jerk=derivative[3], snap=snap)


def plan(distance: float, limits: Limits, *, sampling_s: float | None = None) -> SetPoint:
    """The shortest symmetric set-point of order 3 or 4 within bounds.

    Parameters
    ----------
    distance : m or rad, with its sign, not zero
    limits : bounds in the same unit; order 4 where `limits.snap` is given
    sampling_s : > 0; rounds every switching time up to whole samples and lowers the highest derivative

    Returns
    -------
    SetPoint
        All bounds kept, to a few units in the last place of float64.

    Raises
    ------
    DataError       a distance of zero, a bound or sampling interval that is not above zero, not finite numbers

    Examples
    --------
    >>> move = plan(0.06, Limits(velocity=0.6, acceleration=30, jerk=5000, snap=1e6))
    >>> [round(t, 9) for t in move.times_s], round(move.duration_s, 9)
    ([0.005, 0.001, 0.009, 0.069], 0.131)
    """
    if not (math.isfinite(distance) and distance != 0):
        raise DataError(f"distance is {distance:g}; expected a finite distance other than zero")
    bounds = [limits.jerk, limits.acceleration, limits.velocity, abs(distance)]
    if limits.snap is not None:
        bounds.insert(0, limits.snap)
    for name, value in (("velocity", limits.velocity), ("acceleration", limits.acceleration), ("jerk", limits.jerk), ("snap", limits.snap)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise DataError(f"the bound on {name} is {value:g}; expected a finite number above zero")
    if sampling_s is not None and not (math.isfinite(sampling_s) and sampling_s > 0):
        raise DataError(f"sampling_s is {sampling_s:g}; expected a finite interval above zero, in s")
    try:
        return _planned(distance, bounds, sampling_s)
    except (ArithmeticError, ValueError) as error:  # ValueError: of a search between numbers that are none
        stated = ", ".join(f"{value:g}" for value in bounds)
        raise DataError(f"bounds and distance ({stated}) are so far apart that no set-point can be worked out ({error}); expected are sizes of a machine") from error


def _planned(distance: float, bounds: list[float], sampling_s: float | None) -> SetPoint:
    times: list[float] = []
    highest = bounds[0]
    for _ in bounds[1:]:
        longest = min(_longest(times, highest, bound, depth) for depth, bound in enumerate(bounds) if depth > len(times))
        times.append(longest if sampling_s is None else sampling_s * math.ceil(longest / sampling_s * (1 - _WHOLE)))
        boxes = _boxes([*times, *[0.0] * (len(bounds) - 1 - len(times))])
        highest = min(bound / math.prod(boxes[:depth]) for depth, bound in enumerate(bounds))
    return SetPoint(distance=float(distance), times_s=tuple(times), highest=abs(distance) / math.prod(_boxes(times)), sampling_s=sampling_s)


def _boxes(times: list[float] | tuple[float, ...]) -> list[float]:
    """L_k = t_k + L_1 + … + L_{k−1}."""
    boxes: list[float] = []
    for time in times:
        boxes.append(time + sum(boxes))
    return boxes


def _longest(times: list[float], highest: float, bound: float, depth: int) -> float:
    """Largest next t that keeps D·L_1·…·L_depth ≤ bound with the later times zero; 0 where there is none."""
    known = _boxes(times)
    after = depth - len(known)  # boxes that the next time lengthens: t + S, t + 2 S …: with S = ΣL before, (t + S)·(t + 2 S)·(2 t + 4 S) …
    wanted = bound / (highest * math.prod(known))
    before = sum(known)

    def product(t: float) -> float:
        return math.prod(_boxes([*times, t, *[0.0] * (after - 1)])[len(known) :])

    if product(0.0) >= wanted:
        return 0.0
    if after == 1:
        return wanted - before
    from scipy.optimize import brentq

    upper = wanted ** (1 / after)  # each box is at least t, so the product is at least t^after
    return float(brentq(lambda t: product(t) / wanted - 1, 0.0, upper * (1 + 1e-9), xtol=1e-18, rtol=1e-15))


def _half(order: int) -> list[int]:
    """Which of t_1 … lasts in each segment up to the constant velocity: 0 1 0 for order 3, 0 1 0 2 0 1 0 for order 4; the last is added by the caller."""
    return [0] if order == 2 else [*_half(order - 1), order - 2, *_half(order - 1)]


def _signs(order: int) -> list[float]:
    """Sign of the highest derivative in the same segments: + 0 − for order 3, + 0 − 0 − 0 + for order 4."""
    return [1.0] if order == 2 else [*_signs(order - 1), 0.0, *[-sign for sign in _signs(order - 1)]]


def _states(drive: Array, durations: Array, order: int) -> Array:
    """(segments, order + 1) position and derivatives at the start of each segment, from rest at zero."""
    states = np.zeros((drive.size, order + 1))
    states[:, order] = drive
    for before, after in pairwise(range(drive.size)):
        for k in range(order):
            states[after, k] = _taylor(states[before], durations[before], k)
    return states


def _taylor(state: Array, tau: Array | float, derivative: int) -> Array:
    """d^k/dτ^k of the polynomial whose derivatives at τ = 0 are `state` (…, order + 1)."""
    value = np.zeros(np.broadcast_shapes(state.shape[:-1], np.shape(tau)))
    for power in range(state.shape[-1] - 1 - derivative, -1, -1):
        value = value * tau / (power + 1) + state[..., derivative + power]
    return value
