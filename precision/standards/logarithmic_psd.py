"""Spectral density over decades: at each frequency of a logarithmic axis segments of their own length, long for low frequencies and short, and many, for high ones.

M. Tröbs, G. Heinzel, "Improved spectrum estimation from digitized time series on a logarithmic frequency axis" (LPSD), Measurement 39 (2006) 120 (from memory). The
resolution r(f) grows with f as the axis does, f (10^{1/n} − 1), and becomes finer or coarser where there would be fewer than `averages` segments or one segment
would be longer than the record. At f_j with L = f_s/r samples a segment and the window w:

    S(f_j) = 2/(f_s Σw²) ⟨|Σ_k w_k (x_k − x̄) e^{−2πi f_j k/f_s}|²⟩
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..kernels.cosine_window import WINDOWS, cosine_window
from .arrays import Array, frozen, positive
from .noise_density import confidence_factors
from .reported import Reported, figure, keyed
from .sampling import samples, warnings_of

FEWEST_PERIODS: Final = 4
"""Periods of f in a segment at least: with fewer the mean that is taken off takes some of the line with it."""
MOST_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "lines" and "rms" (of the band covered).

    frequency_hz, psd, lower, upper : (m,) as `psd.Result`.  enbw_hz : (m,) of each line; √(psd·enbw_hz) is the rms spectrum.  averages : (m,) segments of each.
    """

    unit: str
    frequency_hz: Array
    psd: Array
    lower: Array
    upper: Array
    enbw_hz: Array
    averages: NDArray[np.int64]

    @property
    def lsd(self) -> Array:
        """(m,) amplitude density √PSD, unit/√Hz."""
        return np.sqrt(self.psd)

    @property
    def ls(self) -> Array:
        """(m,) rms spectrum √(PSD·ENBW), unit."""
        return np.asarray(np.sqrt(self.psd * self.enbw_hz))


def evaluate(
    values: ArrayLike,
    *,
    rate_hz: float,
    unit: str = "m",
    name: str = "signal",
    per_decade: int = 50,
    averages: int = 20,
    window: str = "blackman-harris",
    confidence: float = 0.95,
) -> Result:
    """Estimate a density on a logarithmic axis.

    Parameters
    ----------
    values : (n,) float64, evenly sampled
    per_decade : frequencies a decade
    averages : half-overlapping segments that are wanted at each frequency; at the lowest ones there are fewer

    Raises
    ------
    DataError       too short a record for one frequency, a signal that never changes, unknown window
    """
    x = samples(name, values, fewest=64)
    rate = positive("rate_hz", rate_hz, "samples a second")
    if np.ptp(x) == 0:
        raise DataError(f"{name} never changes ({x[0]:g} in {x.size} samples): there is no spectrum of it")
    if window not in WINDOWS or window == "rectangular":
        raise DataError(f"window is {window!r}; expected one of {', '.join(key for key in WINDOWS if key != 'rectangular')}")
    if not 2 <= per_decade <= 1000 or not 2 <= averages <= 10_000:
        raise DataError(f"per_decade is {per_decade} and averages {averages}; expected 2 … 1000 and 2 … 10000")
    plan = _plan(x.size, rate, per_decade, averages)
    rows = [_line(x, rate, f, length, window) for f, length in plan]
    density, enbw, count, effective = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    frequency = np.array([f for f, _ in plan])
    factors = np.array([confidence_factors(2 * k, confidence) for k in effective])
    power = float(np.trapezoid(density, frequency))
    fewest = int(count.min())
    return Result(
        title=f"Spectral density of {name} on a logarithmic axis: {frequency.size} lines, {frequency[0]:.4g} … {frequency[-1]:.4g} Hz",
        stated=(f"LPSD, window {window}, half-overlapping segments of {min(length for _, length in plan)} … {max(length for _, length in plan)} samples, {fewest} … {int(count.max())} of them",),
        figures=keyed([
            figure("lines", "frequencies", float(frequency.size), "", "a count", symbol="n"),
            figure("rms", f"root mean square from {frequency[0]:.4g} to {frequency[-1]:.4g} Hz", math.sqrt(power), unit, "lines between the frequencies count with their resolution: use psd for it"),
        ]),
        flags=(*warnings_of(name, x), *((f"{fewest} segments at the lowest frequencies: read the density there with its interval",) if fewest < 8 else ())),
        unit=unit,
        frequency_hz=frozen(frequency),
        psd=frozen(density),
        lower=frozen(density * factors[:, 0]),
        upper=frozen(density * factors[:, 1]),
        enbw_hz=frozen(enbw),
        averages=count.astype(np.int64),
    )  # fmt: skip


def _plan(n: int, rate: float, per_decade: int, averages: int) -> list[tuple[float, int]]:
    """Frequencies and the lengths of their segments."""
    longest = 2 * n // 3  # two half-overlapping ones
    wanted = 2 * n // (averages + 1)
    ratio = 10 ** (1 / per_decade)
    found: list[tuple[float, int]] = []
    f = FEWEST_PERIODS * rate / longest
    while f < rate / 2 * (1 - 1e-3):
        own = rate / (f * (ratio - 1))
        # The segment that the axis asks for; a shorter one where there would be too few, as long as it holds the periods that a line needs.
        length = own if own <= wanted else max(wanted, min(own, FEWEST_PERIODS * rate / f))
        length = min(max(length, FEWEST_PERIODS * rate / f), longest)
        found.append((f, max(8, round(length))))
        f *= ratio
    if not found:
        raise DataError(f"{n} samples are too few for one frequency; record for longer")
    return found


def _line(x: Array, rate: float, f: float, length: int, window: str) -> tuple[float, float, int, float]:
    """Density, ENBW, segments, and as many independent ones, at one frequency."""
    w = np.asarray(cosine_window(window, length, np.zeros(1), xp=array_namespace(np.zeros(1))))
    turned = w * np.exp(-2j * math.pi * f / rate * np.arange(length))
    hop = max(1, length // 2)
    segments = np.lib.stride_tricks.sliding_window_view(x, length)[::hop]
    offset = turned.sum()
    total = 0.0
    for start in range(0, segments.shape[0], max(1, MOST_AT_ONCE // length)):
        part = segments[start : start + max(1, MOST_AT_ONCE // length)]
        line = part @ turned - part.mean(axis=1) * offset
        total += float(np.sum(np.abs(line) ** 2))
    squares, count = float(w @ w), segments.shape[0]
    rho = float(w[hop:] @ w[: length - hop]) / squares
    effective = count / (1 + 2 * (1 - 1 / count) * rho * rho) if count > 1 else 1.0
    return 2 * total / (count * rate * squares), rate * squares / float(w.sum()) ** 2, count, effective
