"""Lines of a spectrum: what stands out of the noise, with frequency, amplitude and order of a shaft, a pitch or the mains.

A line is a local maximum of the density that noise alone would reach somewhere in the spectrum with a probability of `false_alarm`: the floor around it, times
χ²_{1 − p/M}(ν)/ν for M lines and ν degrees of freedom. The floor is a running median, corrected for being the median of χ² (ln 2 of the mean for one average).
The amplitude is that of the power above the floor within the main lobe, √(2 Σ (S − floor)·step): it needs no correction for where the line falls between two
frequencies; the frequency is the centroid of that power. Standard uncertainty of the amplitude, from the beats of line and noise and the noise alone:
√(N·step·(n Σw⁴/(Σw²)² + L N·step/A²)/K_eff), w the window, L lines summed; of the frequency
√(N Σ (f − f₀)²(2P + N)/K_eff)/Σ P with P the line's densities and N the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from . import psd
from .arrays import Array, frozen, positive
from .noise_density import chi_square_quantile
from .reported import Reported, figure, keyed

_HALF_LOBE: Final = {"hann": 2, "hamming": 2, "blackman-harris": 4, "hft70": 4, "hft95": 5, "hft116d": 6, "flattop": 5}
"""Lines from the middle of a main lobe to its first zero, on either side."""
_CENTROID: Final = {"hann": 2e-4, "hamming": 3e-3, "hft70": 2e-5}
"""Of a step, by which the centroid of the lines that are summed misses a sine between two lines; by less than 1e-6 where the window is not named."""
MOST: Final = 200
"""Lines that are reported, the strongest."""
FLOOR_SPAN: Final = 0.25
"""Of a frequency: the running median reaches this far to either side, at least 15 lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """frequency_hz, amplitude (of the sine, unit) with U (k = 2).  rms = amplitude/√2.  above_floor : density over floor.
    order : frequency over that of the shaft, None where none was given.  whole : the whole number it is within its uncertainty, or None."""

    frequency_hz: float
    frequency_u_hz: float
    amplitude: float
    amplitude_u: float
    above_floor: float
    order: float | None
    whole: int | None

    @property
    def rms(self) -> float:
        """Amplitude/√2."""
        return self.amplitude / math.sqrt(2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Lines. Figures: "lines" (their number), "rms_lines", "rms_floor", and "A_1" … of the ten strongest.

    lines : strongest first.  floor : (m,) density without them, unit²/Hz.
    """

    unit: str
    lines: tuple[Line, ...]
    floor: Array


def evaluate(spectrum: psd.Result, *, fundamental_hz: float | None = None, false_alarm: float = 0.001, lowest_hz: float | None = None) -> Result:
    """Find the lines of a spectrum.

    Parameters
    ----------
    spectrum : psd.Result
        By Welch, at least 2 averages.
    fundamental_hz : of the shaft, the pitch at this speed, or the mains; then each line has its order
    false_alarm : probability that noise alone shows a line anywhere
    lowest_hz : lines below it are not looked for; None: twice the main lobe of the window

    Raises
    ------
    DataError       a spectrum by multitaper, with a rectangular window (a line leaks over all of it), or of one average (peaks ten times its mean everywhere)
    """
    if spectrum.method == "welch" and spectrum.window not in _HALF_LOBE:
        raise DataError(
            f"lines are found in spectra with one of the windows {', '.join(_HALF_LOBE)}; this has a {spectrum.window} one, over which a line leaks"
        )
    if spectrum.method != "welch":
        raise DataError("lines are found in spectra by Welch's method; multitaper spreads a line over 2W: estimate again with method='welch'")
    if spectrum.averages < 2:
        raise DataError("the spectrum has one average: its noise alone has peaks ten times the mean; use shorter segments or a longer record")
    if not 0 < false_alarm < 0.5:
        raise DataError(f"false_alarm is {false_alarm:g}; expected a probability above 0 and below 0.5")
    if fundamental_hz is not None:
        positive("fundamental_hz", fundamental_hz, "Hz")
    f, s, step = spectrum.frequency_hz, spectrum.psd, spectrum.step_hz
    half = _HALF_LOBE[spectrum.window]
    first = max(1, 2 * half if lowest_hz is None else math.ceil(lowest_hz / step))
    floor = _floor(spectrum, half)
    threshold = floor * _quantile(spectrum.degrees_of_freedom, 1 - false_alarm / s.size)
    inner = np.arange(max(first, 1), s.size - 1)
    peaks = inner[(s[inner] > threshold[inner]) & (s[inner] >= s[inner - 1]) & (s[inner] > s[inner + 1])]
    lines: list[Line] = []
    taken = np.zeros(s.size, dtype=bool)
    wide = spectrum.correlated_lines
    for k in peaks[np.argsort(-s[peaks])][: 5 * MOST]:
        low, high = max(0, k - half), min(s.size, k + half + 1)
        if taken[k] or len(lines) == MOST:
            continue
        taken[low:high] = True
        # One line more on either side than the main lobe: the first side lobes of a line between two frequencies.
        around = slice(max(0, k - half - 1), k + half + 2)
        weights = s[around] - floor[around]
        amplitude = math.sqrt(2 * max(float(weights.sum()), float(s[k] - floor[k])) * step)
        noise = float(floor[k])
        u_amplitude = math.sqrt(noise * step * (wide + weights.size * noise * step / amplitude**2) / spectrum.effective_averages)
        frequency = float(weights @ f[around] / weights.sum())
        frequency = frequency if abs(frequency - f[k]) < step else float(f[k])
        u_frequency = math.hypot(
            _centroid_noise(f[around] - frequency, weights, noise, step, spectrum.effective_averages), _CENTROID.get(spectrum.window, 1e-6) * step
        )
        lines.append(_line(frequency, 2 * u_frequency, amplitude, 2 * u_amplitude, float(s[k] / floor[k]), fundamental_hz))
    return _result(spectrum, lines, floor, false_alarm, fundamental_hz)


def folded_hz(frequency_hz: float, rate_hz: float) -> float:
    """Where a line shows when it is sampled at `rate_hz`: |f − f_s·round(f/f_s)|.

    >>> folded_hz(1300.0, 1000.0)
    300.0
    """
    rate = positive("rate_hz", rate_hz, "samples a second")
    return abs(frequency_hz - rate * round(frequency_hz / rate))


def _line(frequency: float, u: float, amplitude: float, u_amplitude: float, above: float, fundamental: float | None) -> Line:
    order = None if fundamental is None else frequency / fundamental
    nearest = None if order is None else round(order)
    fits = nearest is not None and nearest > 0 and fundamental is not None and abs(frequency - nearest * fundamental) <= u
    return Line(
        frequency_hz=frequency,
        frequency_u_hz=u,
        amplitude=amplitude,
        amplitude_u=u_amplitude,
        above_floor=above,
        order=order,
        whole=nearest if fits else None,
    )


def _centroid_noise(off: Array, line: Array, floor: float, step: float, averages: float) -> float:
    """Standard uncertainty of the centroid of `line` (densities above `floor`), at `off` from it."""
    power = float(line.sum())
    spread = float(off * off @ (2 * np.clip(line, 0, None) + floor))
    return math.sqrt(floor * spread / averages) / power if power > 0 else step * off.size / 2


def _floor(spectrum: psd.Result, half: int) -> Array:
    """Running median over a quarter of the frequency on either side, or 15 lines, widened by the main lobe."""
    s = spectrum.psd
    # Median of χ²_ν over its mean.
    bias = _quantile(spectrum.degrees_of_freedom, 0.5)
    centres = np.unique(np.rint(np.geomspace(1, s.size - 1, min(s.size - 1, 400))).astype(np.int64))
    reach = np.maximum(15 + half, (FLOOR_SPAN * centres).astype(np.int64))
    medians = [float(np.median(s[max(1, k - r) : k + r + 1])) / bias for k, r in zip(centres, reach, strict=True)]
    return np.interp(np.arange(s.size), centres, np.maximum(medians, np.finfo(float).tiny))


def _quantile(nu: float, p: float) -> float:
    return chi_square_quantile(p, nu) / nu


def _result(spectrum: psd.Result, lines: list[Line], floor: Array, false_alarm: float, fundamental: float | None) -> Result:
    power = sum(line.rms**2 for line in lines)
    u_power = math.sqrt(sum((line.rms * line.amplitude_u / math.sqrt(2)) ** 2 for line in lines))
    rms = math.sqrt(power)
    total = float(spectrum.psd.sum()) * spectrum.step_hz
    figures = [
        figure("lines", "lines found", float(len(lines)), "", "a count", symbol="n"),
        figure("rms_lines", "root mean square of all lines", rms, spectrum.unit, u_power / rms if rms else "there is no line"),
        figure(
            "rms_floor", "root mean square of what is left", math.sqrt(max(0.0, total - power)), spectrum.unit, spectrum.figures["rms"].uncertainty
        ),
    ]
    for number, line in enumerate(lines[:10], start=1):
        order = "" if line.order is None else f", order {line.whole if line.whole is not None else f'{line.order:.4g}'}"
        figures.append(
            figure(
                f"A_{number}", f"amplitude at {line.frequency_hz:.6g} Hz{order}", line.amplitude, spectrum.unit, line.amplitude_u, symbol=f"A{number}"
            )
        )
    flags = list(spectrum.flags)
    if len(lines) == MOST:
        flags.append(f"the {MOST} strongest lines are listed; there are more")
    stated = f"lines that noise alone shows somewhere with a probability of {false_alarm:g}"
    if fundamental is not None:
        stated += f"; orders of {fundamental:g} Hz"
        last = math.floor(spectrum.rate_hz / 2 / fundamental)
        folded = [f"order {k} ({k * fundamental:g} Hz) shows at {folded_hz(k * fundamental, spectrum.rate_hz):.4g} Hz" for k in (last + 1, last + 2)]
        stated += f"; orders above {last} fold back: {', '.join(folded)} …"
    return Result(
        title=spectrum.title.replace("Spectral density", "Spectral lines"),
        stated=(*spectrum.stated, stated),
        figures=keyed(figures),
        flags=tuple(flags),
        unit=spectrum.unit,
        lines=tuple(lines),
        floor=frozen(floor),
    )
