"""How well an Allan deviation is known: the kind of noise, the degrees of freedom, the interval.

Noise is identified by its lag-1 autocorrelation (W. J. Riley, C. A. Greenhall, "Power law noise identification using the lag 1 autocorrelation", EFTF 2004), and the
equivalent degrees of freedom follow C. A. Greenhall and W. J. Riley, "Uncertainty of stability variances based on finite differences", PTTI 2003 (both from
memory, checked against Stable32's tables). Their model takes each phase for a mean over the interval between samples; Stable32 uses it up to m = 32 or so and the
phases as samples beyond. Rates that are means over an interval have phases that are samples: for 1000 such rates the model gives 782 degrees of freedom at m = 1,
where 666 are right (and 665.8 in the older closed form of SP 1065). So phases are samples here unless `filtered` is asked for. α names the noise by the slope of the density of the rate, f^α:

    +2 white phase   +1 flicker phase   0 white rate   −1 flicker rate   −2 random walk of rate   −3, −4 drifting faster still
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from .arrays import Array
from .noise_density import chi_square_quantile

ALPHAS: Final = {
    2: "white phase noise",
    1: "flicker phase noise",
    0: "white noise (of rate)",
    -1: "flicker noise (of rate)",
    -2: "random walk (of rate)",
    -3: "flicker walk (of rate)",
    -4: "random run (of rate)",
}
FEWEST_FOR_NOISE: Final = 30
"""Averages below which the kind of noise is taken over from the next shorter averaging time (Riley and Greenhall)."""
_MOST_DIFFERENCES: Final = 3
_SAMPLES: Final = 0
"""Instead of a filter factor: phases are samples, F = ∞."""
_LARGEST_SUM: Final = 20_000
"""Averaging factors above it are computed for this one and as many times fewer samples: the sums depend on the ratio only, but for phase noise."""


def noise_type(data: Array, samples: int, *, data_type: Literal["rate", "phase"], previous: int | None = None) -> int | None:
    """α of the noise that dominates at an averaging factor; None with fewer than `FEWEST_FOR_NOISE` averages, or where the averages do not differ.

    data : (n,) finite.  The data are averaged (rate) or thinned out (phase) by `samples`, freed of a line, and differenced until they are stationary:
    δ = r₁/(1 + r₁) < 1/4; then the density of the data as they stand has the slope −2(δ + d). `previous`, the noise at the next shorter averaging time, stands
    where r₁ is within 2/√n of what it would be for it: with 30 averages a third of the verdicts would else be chance.
    """
    m = samples
    if data_type == "rate":
        count = data.size // m
        x = data[: count * m].reshape(count, m).mean(axis=1)
    else:
        x = data[::m]
    if x.size < FEWEST_FOR_NOISE:
        return None
    t = np.arange(x.size) - (x.size - 1) / 2
    x = x - x.mean()
    if data_type == "phase":
        x = x - (x @ t) / (t @ t) * t
        # A straight phase is a constant rate; what is left of it beside a drift of rate is taken off too.
        square = t * t - np.mean(t * t)
        x = x - (x @ square) / (square @ square) * square
    else:
        x = x - (x @ t) / (t @ t) * t
    for d in range(_MOST_DIFFERENCES + 1):
        power = float(x @ x)
        if power <= x.size * (1e-12 * float(np.abs(data).max())) ** 2:
            return None
        r = float(x[:-1] @ x[1:]) / power
        delta = r / (1 + r)
        if delta < 0.25 or d == _MOST_DIFFERENCES:
            shift = 2 if data_type == "phase" else 0
            if previous is not None:
                expected = -(previous - shift) / 2 - d
                if -1 < expected < 0.5 and abs(r - expected / (1 - expected)) < 2 / math.sqrt(x.size):
                    return previous
            alpha = round(-2 * (delta + d)) + shift
            return max(-4, min(2, alpha))
        x = np.diff(x)
        x = x - x.mean()
    return None


def degrees_of_freedom(
    alpha: int, *, phases: int, samples: int, order: int = 2, modified: bool = False, overlapping: bool = True, filtered: bool = False
) -> float | None:
    """Equivalent degrees of freedom of an Allan (order 2) or Hadamard (order 3) variance; None where the record is too short or the sums diverge.

    alpha : −4 … 2, above 1 − 2·order.  phases : N, number of phases.  samples : averaging factor m.
    filtered : phases are means over the interval, as Greenhall and Riley have it; else samples (white and flicker phase noise are filtered always).
    With modified ones the moving average is taken as continuous; for m = 1 they are the plain ones.
    """
    if alpha + 2 * order <= 1:
        return None
    m, n = samples, phases
    if not modified and m > _LARGEST_SUM:
        if alpha > 0:
            return _of_phase_noise(alpha, n, m)
        n, m = round(n * _LARGEST_SUM / m), _LARGEST_SUM
    elif modified and m > _LARGEST_SUM:
        n, m = round(n * _LARGEST_SUM / m), _LARGEST_SUM
    modified = modified and m > 1
    factor = 1 if modified else m if filtered or alpha > 0 else _SAMPLES
    stride = m if overlapping else 1
    length = (m if modified else 1) + m * order
    if n < length:
        return None
    terms = 1 + math.floor(stride * (n - length) / m)
    last = min(terms, (order + 1) * stride)
    j = np.arange(last + 1)
    z = _sz(j / stride, factor, alpha, order)
    weight = np.where(j < last, 2.0, 1.0)  # the sum is broken off there: its last term counts once
    total = z[0] ** 2 + float(np.sum((weight * (1 - j / terms) * z**2)[1:]))
    return float(terms * z[0] ** 2 / total) if total > 0 else None


def interval(deviation: float, edf: float, confidence: float) -> tuple[float, float]:
    """Ends of the confidence interval of a deviation: σ √(ν/χ²_{(1±p)/2}(ν))."""
    low, high = (chi_square_quantile(p, edf) for p in ((1 + confidence) / 2, (1 - confidence) / 2))
    return deviation * math.sqrt(edf / low), deviation * math.sqrt(edf / high)


def _sw(t: Array, alpha: int) -> Array:
    a = np.abs(t)
    if alpha in (1, -1, -3):
        log = np.log(np.where(a > 0, a, 1.0))
        return {1: a**2, -1: -(a**4), -3: a**6}[alpha] * log
    return {2: -a, 0: a**3, -2: -(a**5), -4: a**7}[alpha]


def _sx(t: Array, factor: int, alpha: int) -> Array:
    if factor == _SAMPLES:  # −d²/dt² of sw
        return {0: -6.0, -2: 20.0, -4: -42.0}[alpha] * np.abs(t) ** (1 - alpha) if alpha in (0, -2, -4) else _sx_log(t, alpha)
    return factor**2 * (2 * _sw(t, alpha) - _sw(t - 1 / factor, alpha) - _sw(t + 1 / factor, alpha))


def _sx_log(t: Array, alpha: int) -> Array:
    """−d²/dt² of −t⁴ ln t (α = −1) or t⁶ ln t (α = −3)."""
    a: Array = np.abs(t)
    log = np.log(np.where(a > 0, a, 1.0))
    return 12 * a**2 * log + 7 * a**2 if alpha == -1 else -(30 * a**4 * log + 11 * a**4)


def _sz(t: Array, factor: int, alpha: int, order: int) -> Array:
    weights = {2: (6, -4, 1), 3: (20, -15, 6, -1)}[order]
    total = weights[0] * _sx(t, factor, alpha)
    for k, weight in enumerate(weights[1:], start=1):
        total = total + weight * (_sx(t - k, factor, alpha) + _sx(t + k, factor, alpha))
    return total


def _of_phase_noise(alpha: int, n: int, m: int) -> float:
    """Closed forms for long averages (SP 1065, table 5): white and flicker phase noise."""
    if alpha == 2:
        return (n + 1) * (n - 2 * m) / (2 * (n - m))
    return math.exp(math.sqrt(math.log((n - 1) / (2 * m)) * math.log((2 * m + 1) * (n - 1) / 4)))
