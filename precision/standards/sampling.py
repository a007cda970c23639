"""What spectra, frequency responses and drift need before anything is computed: samples at equal steps, complete, not clipped.

Time stamps are judged by the even grid that fits them best in least squares. They count as even where none is off its place by more than `EVEN` of a step, or by
more than half of the last digit they are written with (a logger that rounds its stamps samples evenly all the same). Anything else is refused with its
numbers, unless resampling is asked for; a gap is never filled with more than `BRIDGED` samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..kernels.resample import resample
from .arrays import Array, frozen

EVEN: Final = 0.01
"""Of a step. A signal at a tenth of the sampling rate is then off by at most 2π/10·0.01 = 0.6 % of its amplitude."""
BRIDGED: Final = 3
"""Most samples that resampling puts into a gap: over more, the cubic between its ends is an invention."""
LARGEST_SAMPLE: Final = 1e12
LONGEST: Final = 100_000_000
LONGEST_S: Final = 1e12
SHORTEST_S: Final = 1e-12
"""Largest time stamp, and smallest step between two: beyond them are other columns."""
SMALLEST: Final = 1e-100
"""Spread of a signal; spectra square it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """after_s : stamp of the last sample before it.  missing : samples that are not there."""

    after_s: float
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a record was sampled.

    rate_hz : of the even grid that fits the stamps.  count : samples.  jitter_s : rms of (stamp − grid).  worst_s : the largest |stamp − grid|.
    resolution_s : last decimal digit that all stamps are written with; None for stamps with more than nine of them.
    gaps : where whole samples are missing.  even : whether it counts as even (module docstring).
    """

    rate_hz: float
    count: int
    jitter_s: float
    worst_s: float
    resolution_s: float | None
    gaps: tuple[Gap, ...]
    even: bool

    def __str__(self) -> str:
        step = 1 / self.rate_hz
        gaps = f"{len(self.gaps)} gaps, {sum(gap.missing for gap in self.gaps)} samples missing" if self.gaps else "no gaps"
        return f"{self.count} samples at {self.rate_hz:.6g} Hz, jitter {self.jitter_s / step:.2g} of a step rms and {self.worst_s / step:.2g} at worst, {gaps}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """Signals at equal steps. values : (signals, n) float64, read-only.  rate_hz : samples a second.  flags : what was done to them, a sentence each."""

    values: Array
    rate_hz: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """level : the value that the signal does not pass.  samples : how many are at it.  longest : samples in its longest stay."""

    level: float
    samples: int
    longest: int


def refuse_dead(name: str, values: Array) -> None:
    """Raise `DataError` for a signal (n,) that stays where it is, or whose square float64 does not hold."""
    spread = float(np.max(values)) - float(np.min(values))
    if spread == 0:
        raise DataError(f"the {name} stays at {float(values[0]):g} in the whole record: nothing moved, or the sensor is not connected")
    if not SMALLEST <= spread <= 1 / SMALLEST:
        raise DataError(f"the {name} changes by {spread:.3g} in the whole record; {SMALLEST:g} … {1 / SMALLEST:g} is expected: is its unit right?")


def sampling(time_s: ArrayLike) -> Sampling:
    """Judge time stamps.

    Parameters
    ----------
    time_s : (n,) float64, s, strictly ascending, n ≥ 3

    Raises
    ------
    DataError       naming the stamp: not finite, not later than the one before it; fewer than three
    """
    t = np.array(time_s, dtype=np.float64)
    if t.ndim != 1 or t.size < 3:
        raise DataError(f"time_s has shape {t.shape}; expected (n,) with at least 3 time stamps")
    bad = np.flatnonzero(~np.isfinite(t))
    if bad.size:
        raise DataError(f"time stamp {bad[0] + 1} of {t.size} is {t[bad[0]]}; expected finite seconds; remove or correct the row")
    steps = np.diff(t)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        k = int(back[0])
        raise DataError(
            f"time stamp {k + 2} is {t[k + 1]:.9g} s after {t[k]:.9g} s ({back.size} such places); expected ascending stamps; the log repeats rows, joins recordings "
            "or its clock was set back: cut it there"
        )
    typical = float(np.median(steps))
    if not (SHORTEST_S <= typical and float(np.abs(t).max()) <= LONGEST_S):
        raise DataError(
            f"time stamps go up to {float(np.abs(t).max()):.4g} s in steps of {typical:.4g} s; at most {LONGEST_S:g} s in steps of {SHORTEST_S:g} s or more are expected: "
            "is the column the time, and its unit right?"
        )
    whole = np.maximum(1, np.rint(steps / typical).astype(np.int64))
    place = np.concatenate([[0], np.cumsum(whole)])
    gaps = tuple(Gap(after_s=float(t[k]), missing=int(whole[k] - 1)) for k in np.flatnonzero(whole > 1))
    u = place - place.mean()
    step = float(u @ (t - t.mean()) / (u @ u))
    off = (t - t.mean()) - step * u
    worst = float(np.abs(off).max())
    resolution = _resolution(t)
    limit = max(EVEN * step, 0.51 * resolution if resolution is not None and resolution < step else 0.0)
    return Sampling(
        rate_hz=1 / step,
        count=int(t.size),
        jitter_s=float(np.sqrt(np.mean(off * off))),
        worst_s=worst,
        resolution_s=resolution,
        gaps=gaps,
        even=not gaps and worst <= limit,
    )


def even_record(time_s: ArrayLike, values: ArrayLike, *, resample_to_even: bool = False) -> Record:
    """Signals with their time stamps as signals at equal steps.

    Parameters
    ----------
    time_s : (n,) s
    values : (n,) or (signals, n), any unit; NaN is a gap
    resample_to_even : bring uneven samples to an even grid by cubics; gaps of up to `BRIDGED` samples are filled, longer ones refused

    Raises
    ------
    DataError       uneven stamps, gaps or NaN, quantified, where resampling was not asked for; gaps too long for it
    """
    x = np.atleast_2d(np.array(values, dtype=np.float64))
    t = np.array(time_s, dtype=np.float64)
    if x.ndim != 2 or t.ndim != 1 or x.shape[1] != t.size:
        raise DataError(f"values has shape {x.shape} and time_s {t.shape}; expected (signals, n) and (n,)")
    there = ~np.any(np.isnan(x), axis=0)
    if np.count_nonzero(there) < 3:
        raise DataError(f"only {np.count_nonzero(there)} of {t.size} samples are numbers; expected at least 3")
    found = sampling(t[there])
    if found.even:
        notes: tuple[str, ...] = ()
        if found.worst_s > EVEN / found.rate_hz and found.resolution_s is not None:
            notes = (f"time stamps are written to {found.resolution_s:g} s only: the samples are taken as evenly spaced at {found.rate_hz:.6g} Hz",)
        return Record(values=frozen(np.ascontiguousarray(x[:, there])), rate_hz=found.rate_hz, flags=notes)
    if not resample_to_even:
        raise DataError(
            f"the samples are not evenly spaced: {found}; expected each within {EVEN:g} of a step; record with a fixed rate, cut the gaps away, or ask for resampling "
            "(--resample): it interpolates, and takes off what lies near half the sampling rate"
        )
    longest = max((gap.missing for gap in found.gaps), default=0)
    if longest > BRIDGED:
        place = next(gap for gap in found.gaps if gap.missing == longest)
        raise DataError(
            f"{longest} samples are missing after {place.after_s:.9g} s; resampling fills at most {BRIDGED}; cut the record there and evaluate the parts"
        )
    step = float(np.median(np.diff(t[there])))
    begin, end = float(t[there][0]), float(t[there][-1])
    grid = np.minimum(begin + step * np.arange(math.floor((end - begin) / step * (1 + 1e-12)) + 1), end)
    even = resample(t[there], x[:, there], grid, method="cubic" if np.count_nonzero(there) >= 4 else "linear")
    return Record(values=frozen(np.asarray(even)), rate_hz=1 / step, flags=(f"resampled by cubics: {found}",))


def samples(name: str, values: ArrayLike, *, fewest: int = 8) -> Array:
    """(n,) float64, finite, read-only: a signal that is said to be even already. DataError naming the first sample that is no number."""
    x = np.array(values, dtype=np.float64)
    if x.ndim != 1 or not fewest <= x.size <= LONGEST:
        raise DataError(f"{name} has shape {x.shape}; expected (n,) with {fewest} … {LONGEST} samples")
    bad = np.flatnonzero(~(np.abs(x) <= LARGEST_SAMPLE))
    if bad.size:
        raise DataError(
            f"{name}: sample {bad[0] + 1} of {x.size} is {x[bad[0]]} ({bad.size} such samples); expected finite SI values, at most {LARGEST_SAMPLE:g}; cut the gap away, or give "
            "time stamps and ask for resampling"
        )
    return frozen(x)


def clipping(values: ArrayLike) -> tuple[Clipping, ...]:
    """Levels at the top and at the bottom at which a signal is cut off.

    A level is taken for one where the signal stays at it, to the last bit, for three samples or more, and is there more than four times as often as at the next level
    inside: a sine that is only quantised is at its outermost level at most 1/(√2 − 1) = 2.4 times as often. Signals of two levels (PRBS) have none.
    """
    x = np.array(values, dtype=np.float64)
    levels, counts = np.unique(x, return_counts=True)
    found = []
    for outer, inner in ((0, 1), (-1, -2)):
        if levels.size < 3 or counts[outer] < 4 * counts[inner] + 1:
            continue
        longest = _longest_run(x == levels[outer])
        if longest >= 3:
            found.append(Clipping(level=float(levels[outer]), samples=int(counts[outer]), longest=longest))
    return tuple(found)


def warnings_of(name: str, values: Array) -> tuple[str, ...]:
    """Sentences about a signal that does not look as measured: clipped, or the same value throughout."""
    if np.ptp(values) == 0:
        return (f"{name} never changes ({values[0]:g}): not connected, or nothing was moved",)
    return tuple(
        f"{name} stays at {cut.level:.6g} for up to {cut.longest} samples in a row ({cut.samples} of {values.size} samples): saturated or clipped; spectra and responses "
        "of it are wrong"
        for cut in clipping(values)
    )


def _longest_run(there: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _resolution(t: Array) -> float | None:
    """The last decimal digit with which all stamps are written, down to 1 ns."""
    scale = np.abs(t).max(initial=1.0) * 2.0**-50
    for digits in range(10):
        unit = 10.0**-digits
        if float(np.abs(t - np.rint(t / unit) * unit).max()) <= scale:
            return unit
    return None
