"""How linear a plant is: what an odd-odd multisine leaves at lines where nothing was put in (R. Pintelon and J. Schoukens 2012, §4.3).

With lines 1, 5, 9, … excited, an even non-linearity answers at even lines only, an odd one at odd lines only, of which 3, 7, 11, … were not excited. The mean over
the periods at those lines is distortion, the scatter is noise. What the drive itself puts there is taken off with the response: Y(k) − G(k) U(k).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive
from .frequency_response import Complex, excited_lines, ratio, spectra_of_periods
from .reported import Reported, figure, keyed
from .sampling import samples, warnings_of

SEEN: Final = 3.0
"""A level counts as seen where its power passes the noise's by this many standard deviations of the latter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "linear", "even", "odd", "noise" (rms of the output at excited lines, of the distortions per excited line, and of the noise of the mean), and
    "even_ratio", "odd_ratio" over the linear one.

    excited_hz, even_hz, odd_hz : frequencies of the three kinds of lines.  excited, even, odd : rms of the output there, unit.  excited_noise, … : rms of the noise of the mean.
    """

    unit: str
    excited_hz: Array
    excited: Array
    excited_noise: Array
    even_hz: Array
    even: Array
    even_noise: Array
    odd_hz: Array
    odd: Array
    odd_noise: Array


def evaluate(input: ArrayLike, output: ArrayLike, /, *, rate_hz: float, period: int, lines: ArrayLike, drop: int = 1, unit: str = "m") -> Result:
    """Split an output into linear answer, even and odd distortion, and noise.

    Parameters
    ----------
    input, output : (n,) float64, whole periods from the first sample on
    lines : the lines that were excited, all odd, with odd ones left out between them (`excitation.odd_odd_lines`)

    Raises
    ------
    DataError       even lines among them, none left out, fewer than two periods
    """
    u, y = samples("input", input), samples("output", output)
    if u.size != y.size:
        raise DataError(f"input has {u.size} samples and output {y.size}; expected the same, taken at the same times")
    rate = positive("rate_hz", rate_hz, "samples a second")
    (a, b), rest = spectra_of_periods((u, y), period=period, drop=drop)
    wanted = np.asarray(lines)
    if wanted.dtype.kind in "iu" and np.any(wanted % 2 == 0):
        raise DataError(
            f"line {wanted[wanted % 2 == 0][0]} is even; expected odd lines only: else even distortion falls on them and nothing is left to see it at"
        )
    used = excited_lines(a.mean(axis=0), lines)
    all_lines = np.arange(used[0], used[-1] + 1)
    even = all_lines[all_lines % 2 == 0]
    odd = np.setdiff1d(all_lines[all_lines % 2 == 1], used)
    if not odd.size or not even.size:
        raise DataError("every odd line is excited; expected some left out, where odd distortion shows (excitation.odd_odd_lines takes 1, 5, 9, …)")
    response, _, _ = ratio(a[:, used], b[:, used])
    levels: dict[str, tuple[Array, Array]] = {}
    for name, chosen in (("even", even), ("odd", odd)):
        g = _interpolated(used, response, chosen)
        levels[name] = _level(b[:, chosen] - g * a[:, chosen])
    levels["excited"] = _level(b[:, used])
    linear, noise = _rms(levels["excited"]), math.sqrt(float(np.sum(levels["excited"][1])))
    figures = [
        figure("linear", "output at the excited lines", linear, unit, 2 * noise),
        figure("noise", "noise of the mean, at the excited lines", noise, unit, "an uncertainty itself"),
    ]
    for name, words in (("even", "even distortion"), ("odd", "odd distortion")):
        power, variance = levels[name]
        per_line = used.size / power.size
        excess, floor = float(np.sum(power - variance)) * per_line, float(np.sum(variance)) * per_line
        # The power of a mean of noise has as its standard deviation its mean, so the sum over n lines is known to 1/√n.
        limit = SEEN * floor / math.sqrt(power.size)
        at = f"{words}, as rms over as many lines as were excited"
        if excess <= limit:
            why = f"not seen above the noise (below {math.sqrt(max(excess, 0) + limit):.3g} {unit})"
            figures += [figure(name, at, why, unit), figure(f"{name}_ratio", f"{words} over the linear answer", why, "")]
        else:
            value = math.sqrt(excess)
            u_value = 2 * math.sqrt(floor * (floor + 2 * excess) / power.size) / (2 * value)
            figures += [
                figure(name, at, value, unit, u_value),
                figure(f"{name}_ratio", f"{words} over the linear answer", value / linear, "", u_value / linear),
            ]
    flags = [*warnings_of("input", u), *warnings_of("output", y)]
    if rest:
        flags.append(f"{rest} samples at the end are no whole period and were left out")
    step = rate / period
    return Result(
        title=f"Non-linear distortion at {used.size} excited, {even.size} even and {odd.size} odd lines",
        stated=(
            f"{a.shape[0]} periods of {period} samples, {drop} dropped; what the input holds at the lines not excited is taken off with the response",
        ),
        figures=keyed(figures),
        flags=tuple(flags),
        unit=unit,
        **{f"{name}_hz": frozen(np.asarray(chosen * step, dtype=np.float64)) for name, chosen in (("excited", used), ("even", even), ("odd", odd))},
        **{name: frozen(np.sqrt(levels[name][0])) for name in levels},
        **{f"{name}_noise": frozen(np.sqrt(levels[name][1])) for name in levels},
    )


def _level(spectra: Complex) -> tuple[Array, Array]:
    """Mean-square of the mean over the periods at each line, and of its noise."""
    count = spectra.shape[0]
    mean = spectra.mean(axis=0)
    variance = np.sum(np.abs(spectra - mean) ** 2, axis=0) / (count - 1) / count
    return np.abs(mean) ** 2 / 2, variance / 2


def _rms(level: tuple[Array, Array]) -> float:
    return math.sqrt(float(np.sum(level[0])))


def _interpolated(lines: NDArray[np.int64], response: Complex, at: NDArray[np.int64]) -> Complex:
    x = lines.astype(np.float64)
    return np.interp(at, x, response.real) + 1j * np.interp(at, x, response.imag)
