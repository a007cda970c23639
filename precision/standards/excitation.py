"""Signals to excite a plant with: stepped sine, chirp, multisine (Schroeder's or random phases), odd-odd multisine, PRBS. Peak amplitude is what was asked for.

multisine        u = Σ a_k cos(2πkj/N + φ_k), Schroeder (1970): φ_k = −π k(k − 1)/K, k = 1 … K: crest factor 1.68 for a flat band, of random phases about 3.2
odd-odd          lines 1, 5, 9, … are excited; even lines then show even, lines 3, 7, 11, … odd distortion of the plant (R. Pintelon and J. Schoukens 2012)
orthogonal       n experiments with the phases of a DFT matrix from input to input, for plants of n inputs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive

Kind = Literal["stepped sine", "chirp", "multisine", "PRBS"]
LONGEST: Final = 10_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Excitation:
    """One period of a signal.

    kind : what it is.  values : (n,) one period, in the unit of the peak that was asked for.  rate_hz : samples a second.
    lines : (k,) excited multiples of rate/n, ascending; all of a chirp's band and of a PRBS.  stated : how it was made, a sentence.
    """

    kind: Kind
    values: Array
    rate_hz: float
    lines: NDArray[np.int64]
    stated: str

    @property
    def period(self) -> int:
        """Samples in a period."""
        return int(self.values.size)

    @property
    def peak(self) -> float:
        """Largest magnitude."""
        return float(np.abs(self.values).max())

    @property
    def crest_factor(self) -> float:
        """Peak over root mean square."""
        return self.peak / math.sqrt(float(np.mean(self.values**2)))

    @property
    def frequencies_hz(self) -> Array:
        """(k,) excited frequencies."""
        return np.asarray(self.lines * (self.rate_hz / self.period), dtype=np.float64)

    def repeated(self, periods: int) -> Array:
        """(periods·n,) the signal over and over."""
        if not 1 <= periods <= LONGEST // self.period:
            raise DataError(f"periods is {periods}; expected 1 … {LONGEST // self.period} of {self.period} samples")
        return np.tile(self.values, periods)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One dwell of a stepped sine: samples from `start` up to `stop`, at `frequency_hz`."""

    frequency_hz: float
    start: int
    stop: int


def multisine(
    lines: ArrayLike,
    *,
    period: int,
    rate_hz: float,
    peak: float = 1.0,
    amplitudes: ArrayLike | None = None,
    phases: Literal["schroeder", "random"] = "schroeder",
    seed: int = 0,
) -> Excitation:
    """Sum of cosines at whole multiples of rate/period.

    Parameters
    ----------
    lines : (k,) whole numbers, 1 … below period/2.  amplitudes : (k,) relative; None: all the same.  phases : Schroeder's (small crest) or random, from `seed`.
    """
    chosen = _lines(lines, period)
    weights = np.ones(chosen.size) if amplitudes is None else np.array(amplitudes, dtype=np.float64)
    if weights.shape != chosen.shape or not np.all(weights > 0):
        raise DataError(f"amplitudes has shape {weights.shape}; expected {chosen.shape} numbers above zero, one for each line")
    if phases == "schroeder":
        # Schroeder's general rule, for any power spectrum: φ_k = −2π Σ_{l<k} (k − l) p_l; for a flat one −π k(k − 1)/K.
        share = weights**2 / np.sum(weights**2)
        angle = -2 * math.pi * np.concatenate([[0.0], np.cumsum(np.cumsum(share))[:-1]])
    elif phases == "random":
        angle = np.random.Generator(np.random.Philox(seed)).uniform(0, 2 * math.pi, chosen.size)
    else:
        raise DataError(f"phases is {phases!r}; expected 'schroeder' or 'random'")
    spectrum = np.zeros(period // 2 + 1, dtype=np.complex128)
    spectrum[chosen] = weights * np.exp(1j * angle)
    return _excitation(
        "multisine",
        np.fft.irfft(spectrum, period),
        rate_hz,
        peak,
        chosen,
        f"multisine, {chosen.size} lines, {phases} phases" + (f", seed {seed}" if phases == "random" else ""),
    )


def odd_odd_lines(low_hz: float, high_hz: float, *, period: int, rate_hz: float) -> NDArray[np.int64]:
    """Lines 1, 5, 9, … times rate/period within a band."""
    step = positive("rate_hz", rate_hz, "samples a second") / period
    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise DataError(f"band {low_hz:g} … {high_hz:g} Hz; expected 0 < low < high < half the rate, {rate_hz / 2:g} Hz")
    first, last = math.ceil(low_hz / step - 1e-9), math.floor(high_hz / step + 1e-9)
    found = np.arange(first + (1 - first) % 4, last + 1, 4, dtype=np.int64)
    if not found.size:
        raise DataError(f"no line 1, 5, 9, … times {step:g} Hz lies in {low_hz:g} … {high_hz:g} Hz; use a longer period")
    return found


def orthogonal(one: Excitation, inputs: int) -> Array:
    """(inputs, inputs, n): experiment, input, sample. At each line the phases from experiment to experiment are those of a DFT matrix, so that U is as well conditioned as can be."""
    if not 1 <= inputs <= 16:
        raise DataError(f"inputs is {inputs}; expected 1 … 16")
    spectrum = np.fft.rfft(one.values)
    k = np.arange(inputs)
    turns = np.exp(2j * math.pi * np.outer(k, k) / inputs)
    signals = np.fft.irfft(turns[:, :, None] * spectrum, one.period, axis=2)
    return np.asarray(signals * (one.peak / np.abs(signals).max()))


def chirp(
    low_hz: float, high_hz: float, *, period: int, rate_hz: float, peak: float = 1.0, sweep: Literal["linear", "logarithmic"] = "linear"
) -> Excitation:
    """A sine whose frequency rises through the band once in a period; what it does in a second is stated."""
    from scipy.signal import chirp as swept

    rate = positive("rate_hz", rate_hz, "samples a second")
    step = rate / _checked_period(period)
    if not 0 < low_hz < high_hz < rate / 2:
        raise DataError(f"band {low_hz:g} … {high_hz:g} Hz; expected 0 < low < high < half the rate, {rate / 2:g} Hz")
    if sweep not in ("linear", "logarithmic"):
        raise DataError(f"sweep is {sweep!r}; expected 'linear' or 'logarithmic'")
    seconds = period / rate
    values = swept(np.arange(period) / rate, f0=low_hz, t1=seconds, f1=high_hz, method=sweep, phi=-90)
    speed = f"{(high_hz - low_hz) / seconds:.4g} Hz/s" if sweep == "linear" else f"{math.log10(high_hz / low_hz) / seconds:.4g} decades/s"
    lines = np.arange(max(1, math.ceil(low_hz / step - 1e-9)), min(math.floor(high_hz / step + 1e-9), (period - 1) // 2) + 1, dtype=np.int64)
    return _excitation("chirp", np.asarray(values, dtype=np.float64), rate, peak, lines, f"{sweep} chirp, {low_hz:g} … {high_hz:g} Hz at {speed}")


def prbs(order: int, *, rate_hz: float, peak: float = 1.0, hold: int = 1) -> Excitation:
    """Pseudo-random binary signal of maximum length, (2^order − 1)·hold samples, each value held `hold` samples. Lines beyond rate/(2.3·hold) get less than half the power."""
    from scipy.signal import max_len_seq

    if not 3 <= order <= 20:
        raise DataError(f"order is {order}; expected 3 … 20: 7 … 1 048 575 values")
    if not 1 <= hold <= 1000:
        raise DataError(f"hold is {hold} samples; expected 1 … 1000")
    bits, _ = max_len_seq(order)
    values = np.repeat(2.0 * bits - 1.0, hold)
    period = values.size
    lines = np.arange(1, (period - 1) // 2 + 1, dtype=np.int64)
    # The hold has zeros at the multiples of the clock.
    lines = lines[np.abs(np.sinc(lines * hold / period)) > 0.05]
    return _excitation(
        "PRBS",
        values,
        positive("rate_hz", rate_hz, "samples a second"),
        peak,
        lines,
        f"PRBS of order {order}, {period} samples, each value held {hold}",
    )


def stepped_sine(
    frequencies_hz: Sequence[float], *, rate_hz: float, peak: float = 1.0, periods: int = 10, shortest_s: float = 0.0
) -> tuple[Excitation, tuple[Step, ...]]:
    """Sines one after the other, each for at least `periods` periods and `shortest_s`; the phase goes on without a jump. Returns the signal and where each dwells."""
    rate = positive("rate_hz", rate_hz, "samples a second")
    f = np.array(frequencies_hz, dtype=np.float64)
    if f.ndim != 1 or not f.size or not np.all(np.diff(f) > 0) or not (f[0] > 0 and f[-1] < rate / 2):
        raise DataError(f"frequencies must ascend, above 0 and below half the rate, {rate / 2:g} Hz")
    if periods < 4:
        raise DataError(f"periods is {periods}; expected at least 4: two to settle and two to measure")
    counts = [max(math.ceil(periods * rate / one), math.ceil(shortest_s * rate)) for one in f]
    if sum(counts) > LONGEST:
        raise DataError(f"the stepped sine takes {sum(counts)} samples; expected at most {LONGEST}: fewer frequencies, or start higher")
    values, steps, phase = [], [], 0.0
    start = 0
    for one, count in zip(f, counts, strict=True):
        values.append(np.sin(phase + 2 * math.pi * one / rate * np.arange(count)))
        phase = (phase + 2 * math.pi * one / rate * count) % (2 * math.pi)
        steps.append(Step(frequency_hz=float(one), start=start, stop=start + count))
        start += count
    whole = np.concatenate(values)
    lines = np.unique(np.clip(np.rint(f * whole.size / rate).astype(np.int64), 1, None))
    return _excitation(
        "stepped sine", whole, rate, peak, lines, f"stepped sine, {f.size} frequencies, {f[0]:g} … {f[-1]:g} Hz, at least {periods} periods each"
    ), tuple(steps)


def _excitation(kind: Kind, values: Array, rate_hz: float, peak: float, lines: NDArray[np.int64], stated: str) -> Excitation:
    scaled = np.asarray(values * (positive("peak", peak, "the unit of the input") / np.abs(values).max()), dtype=np.float64)
    lines.flags.writeable = False
    return Excitation(kind=kind, values=frozen(scaled), rate_hz=positive("rate_hz", rate_hz, "samples a second"), lines=lines, stated=stated)


def _checked_period(period: int) -> int:
    if isinstance(period, bool) or not 8 <= period <= LONGEST:
        raise DataError(f"period is {period} samples; expected 8 … {LONGEST}")
    return int(period)


def _lines(lines: ArrayLike, period: int) -> NDArray[np.int64]:
    chosen = np.unique(np.asarray(lines))
    last = (_checked_period(period) - 1) // 2
    if chosen.ndim != 1 or not chosen.size or chosen.dtype.kind not in "iu" or chosen[0] < 1 or chosen[-1] > last:
        raise DataError(f"lines must be whole numbers from 1 to {last}, multiples of rate/period below half the rate; got {str(lines)[:80]}")
    return chosen.astype(np.int64)
