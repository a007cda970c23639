"""Resampling: values known at some times or angles, wanted at others.

Any unit. Nothing is extrapolated, and samples that go back in time (or angle) are refused: which of two values at one time
holds is not for an interpolation to say.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device, is_numpy_namespace

from precision.kernels import blocks
from precision.kernels.real_array import real_array, whole_number

Array = Any

METHODS = ("linear", "cubic", "band-limited")

EVEN = 1e-6
"""Samples count as evenly spaced when none is off its place by more than this part of a step: for a signal below half of the
sampling frequency that is an error below 3e-6 of its amplitude."""


def resample(x: Array, values: Array, at: Array, /, *, method: str = "linear", half_width: int = 32) -> Array:
    """Values at other times or angles.

    Parameters
    ----------
    x : (n,) float, strictly increasing or strictly decreasing
        Where the samples were taken: time, angle (unwrapped) or position. Any unit.
    values : (..., n) float
        The samples. Any unit.
    at : (k,) float
        Where values are wanted, in any order, within the range of `x`. Unit of `x`.
    method : {"linear", "cubic", "band-limited"}
        "linear": straight between neighbours (n ≥ 2). "cubic": the cubic through the four nearest samples (n ≥ 4), error
        3/128·h⁴·max|f⁗| between evenly spaced samples, h⁴/24·max|f⁗| in the first and last interval. "band-limited": for evenly spaced samples of a signal without content
        above 80 % of half the sampling frequency.
    half_width : int
        Of the band-limited kernel, in samples on either side; n ≥ 2·half_width. 16 is good to 1e-4 of the amplitude, 32 to
        4e-9. Within a half width of the ends the kernel is cut off and tenths of the amplitude are lost: give more data.

    Returns
    -------
    (..., k)
        Unit of `values`. A sample that is met exactly is returned exactly ("linear", "cubic") or to rounding.

    Raises
    ------
    ValueError
        Shapes that do not fit, too few samples, `x` not strictly monotonic or (band-limited) not even, `at` outside `x`.

    References
    ----------
    C. E. Shannon (1949). Window of the sinc: exp(β(√(1 − t²) − 1)), close to Kaiser's, A. Barnett et al. (2019).

    Notes
    -----
    Band-limited: Σ_j v_j w((u − j)/W) sinc(u − j), u the place in samples, |u − j| < W = half_width, β = 0.2π W, so that the
    window's main lobe ends where the pass band ends, at 80 % of half the sampling frequency; divided by Σ_j of the weights, so
    that a constant stays what it is.

    Examples
    --------
    >>> import numpy as np
    >>> [float(v) for v in resample(np.array([0.0, 1.0, 3.0]), np.array([0.0, 10.0, 30.0]), np.array([2.0, 0.5]))]
    [20.0, 5.0]
    """
    x, xp = real_array("x", x, "(n,), strictly monotonic", ndim=1)
    n = x.shape[0]
    values, _ = real_array("values", values, f"(..., {n}), one for each x")
    at, _ = real_array("at", at, "(k,)", ndim=1)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected {', '.join(map(repr, METHODS))}")
    half_width = whole_number("half_width", half_width, "a number of samples")
    if half_width < 1:
        raise ValueError(f"half_width is {half_width}; expected at least 1 sample")
    fewest = {"linear": 2, "cubic": 4, "band-limited": 2 * half_width}[method]
    if n < fewest:
        raise ValueError(f"x has shape {(n,)}; expected (n,) with n ≥ {fewest} for method {method!r}")
    if values.shape[-1] != n:
        raise ValueError(f"values has shape {tuple(values.shape)}; expected (..., {n}), one for each x")
    if bool(x[0] > x[-1]):
        x, values = xp.flip(x), xp.flip(values, axis=-1)
    _check_monotonic(x, xp)
    if at.shape[0] and not bool(xp.all((at >= x[0]) & (at <= x[-1]))):
        low, high = float(xp.min(at)), float(xp.max(at))
        raise ValueError(
            f"at has shape {tuple(at.shape)} and reaches from {low:g} to {high:g}; expected places within {float(x[0]):g} "
            f"to {float(x[-1]):g}, the range of x"
        )
    if method == "band-limited":
        at = _in_samples(x, at, xp)
    taps = {"linear": 2, "cubic": 4, "band-limited": 2 * half_width}[method]
    interpolate = {"linear": _linear, "cubic": _cubic, "band-limited": _band_limited}[method]
    if not is_numpy_namespace(xp) or at.shape[0] == 0:
        return interpolate(x, values, at, half_width, xp=xp)
    rows = max(1, math.prod(values.shape[:-1]))
    out = xp.empty((*values.shape[:-1], at.shape[0]))
    for _, part in blocks.blocks(at.shape[0], max(256, 4 * blocks.BLOCK // (taps * rows))):
        out[..., part] = interpolate(x, values, at[part], half_width, xp=xp)
    return out


def _check_monotonic(x: Array, xp: Any) -> None:
    rising = x[1:] > x[:-1]
    if bool(xp.all(rising)) and bool(xp.isfinite(x[0])) and bool(xp.isfinite(x[-1])):
        return
    first = int(xp.argmin(xp.astype(rising, xp.int64)))
    raise ValueError(
        f"x has shape {tuple(x.shape)} and goes from {float(x[first]):g} to {float(x[first + 1]):g} between neighbours "
        f"{first} and {first + 1} (in rising order); expected strictly monotonic, finite numbers"
    )


def _in_samples(x: Array, at: Array, xp: Any) -> Array:
    """`at` counted in samples from the first."""
    n = x.shape[0]
    step = (x[-1] - x[0]) / (n - 1)
    off = (x - x[0]) / step - xp.astype(xp.arange(n, device=device(x)), xp.float64)
    worst = float(xp.max(xp.abs(off)))
    if not worst <= EVEN:
        raise ValueError(
            f"x has shape {(n,)} and is off an even spacing of {float(step):g} by up to {worst:.3g} of it; "
            f"expected at most {EVEN:g} for method 'band-limited' (use 'cubic')"
        )
    return (at - x[0]) / step


def _interval(x: Array, at: Array, xp: Any) -> Array:
    """Index of the interval that holds each place: the last sample belongs to the last interval."""
    right = xp.searchsorted(x, at, side="right") - 1
    return xp.clip(xp.astype(right, xp.int64), 0, x.shape[0] - 2)


def _linear(x: Array, values: Array, at: Array, half_width: int, *, xp: Any) -> Array:
    i = _interval(x, at, xp)
    low, high = xp.take(x, i), xp.take(x, i + 1)
    share = (at - low) / (high - low)
    first, second = xp.take(values, i, axis=-1), xp.take(values, i + 1, axis=-1)
    between = first + share * (second - first)
    return xp.where(share == 1, second, between)


def _cubic(x: Array, values: Array, at: Array, half_width: int, *, xp: Any) -> Array:
    """Lagrange's polynomial through the samples before, at and after the interval; at the ends the four outermost."""
    first = xp.clip(_interval(x, at, xp) - 1, 0, x.shape[0] - 4)
    places = [xp.take(x, first + k) for k in range(4)]
    total = xp.zeros((*values.shape[:-1], at.shape[0]), dtype=xp.float64, device=device(values))
    for k in range(4):
        weight = xp.ones_like(at)
        for j in range(4):
            if j != k:
                weight = weight * ((at - places[j]) / (places[k] - places[j]))
        total = total + xp.where(weight == 0, 0.0, weight * xp.take(values, first + k, axis=-1))
    return total


def _band_limited(x: Array, values: Array, at: Array, half_width: int, *, xp: Any) -> Array:
    """`at` in samples. sin π(u − j) is the same for all j but for the sign, so one sine serves a place."""
    n = x.shape[0]
    whole = xp.floor(at)
    fraction = at - whole
    sine = xp.sin(math.pi * fraction) / math.pi
    total = xp.zeros((*values.shape[:-1], at.shape[0]), dtype=xp.float64, device=device(values))
    weights = xp.zeros_like(at)
    for k in range(1 - half_width, half_width + 1):
        index = xp.astype(whole, xp.int64) + k
        distance = fraction - k
        met = distance == 0
        sinc = xp.where(met, 1.0, (-1.0) ** k * sine / xp.where(met, 1.0, distance))
        t = distance / half_width
        window = xp.exp(0.2 * math.pi * half_width * (xp.sqrt(xp.clip(1 - t * t, 0.0, 1.0)) - 1))
        weight = xp.where((index >= 0) & (index < n), sinc * window, 0.0)
        weights = weights + weight
        sample = xp.take(values, xp.clip(index, 0, n - 1), axis=-1)
        total = total + xp.where(weight == 0, 0.0, weight * sample)
    return total / weights
