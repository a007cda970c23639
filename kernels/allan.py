"""Allan deviations: how stable a reading is when it is averaged over τ.

All of them are mean squares of second (Hadamard: third) differences of the phase over m samples; the modified ones, of its
moving sums. Differences are formed before anything is added up, and moving sums by doubling, after a straight line, to which
the statistic is blind, has been taken off. A phase offset of 10³ s then costs no digits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks as _blocks
from precision.kernels import compiled, cuda
from precision.kernels.real_array import positive_number, real_array, whole_number

Array = Any
Kind = Literal["adev", "oadev", "mdev", "tdev", "hdev", "ohdev"]
DataType = Literal["rate", "phase"]


@dataclass(frozen=True, slots=True)
class _Statistic:
    """order: of the difference. modified: of moving sums. step: between terms, 1 or m samples."""

    order: int
    modified: bool = False
    overlapping: bool = True

    def span(self, m: int) -> int:
        """Samples from the first phase of a term to its last."""
        return self.order * m + (m - 1 if self.modified else 0)


_STATISTICS: dict[str, _Statistic] = {
    "adev": _Statistic(2, overlapping=False),
    "oadev": _Statistic(2),
    "mdev": _Statistic(2, modified=True),
    "tdev": _Statistic(2, modified=True),
    "hdev": _Statistic(3, overlapping=False),
    "ohdev": _Statistic(3),
}

_STARTS = 1 << 20
"""Fewest terms of a step through a record in blocks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllanDeviation:
    """A deviation over the averaging time.

    samples : samples m that are averaged.  tau_s : m times the interval, s.
    deviation : (k,) float64; unit of the data (rate), of the data per second (phase), of the data (TDEV of phase), of the data
        times seconds (TDEV of rate). In the library and on the device of the data. NaN where `terms` is 0.
    terms : (k,) int64; number of differences in the mean square. Gaps make them fewer.
    """

    kind: Kind
    data_type: DataType
    samples: tuple[int, ...]
    tau_s: tuple[float, ...]
    deviation: Array
    terms: Array


def allan_deviation(
    data: Array | Iterable[Array],
    /,
    *,
    interval_s: float,
    data_type: DataType,
    kind: Kind = "oadev",
    averages: Literal["octave", "decade", "all"] | Sequence[int] = "octave",
    longest_s: float | None = None,
) -> AllanDeviation:
    """Allan deviation (ADEV, OADEV), its modified form (MDEV), time deviation (TDEV) or Hadamard deviation (HDEV, OHDEV).

    Parameters
    ----------
    data : (n,) float, or iterable of (m,) float
        Equally spaced samples, or consecutive pieces of them, of any lengths. NaN is a gap: terms that need it are left out.
        A gap in phase data leaves out the terms with one of its points; a gap in rate data, every term across it.
    interval_s : float
        Between samples, s.
    data_type : "rate" or "phase"
        What the samples are. A record of positions taken as "rate" gives the instability of the averaged position (what drift
        curves show); taken as "phase", OADEV is an instability of velocity and TDEV that of the averaged position.
    kind : str
        "adev" (without overlap), "oadev", "mdev", "tdev", "hdev" (without overlap), "ohdev".
    averages : str or sequence of int
        Samples to average: 1, 2, 4, 8 … ("octave"), 1, 2, 4, 10, 20, 40 … ("decade"), every number ("all"), or these.
    longest_s : float or None
        Longest averaging time, s; None for all that the record has terms for. Needed for blocks, of which about four times as
        much is held. An array gives the same bits as its blocks where both have the same `longest_s`.

    Returns
    -------
    AllanDeviation

    Raises
    ------
    ValueError
        Fewer samples than one term needs; an unknown kind; blocks without `longest_s`.

    References
    ----------
    W. J. Riley, Handbook of Frequency Stability Analysis, NIST SP 1065 (2008), §5.2.

    Notes
    -----
    With phase x, τ = m τ₀ and N phases: OADEV² = Σ (x_{i+2m} − 2 x_{i+m} + x_i)² / (2 τ² (N − 2m)),
    MDEV² = Σ_j (Σ_{i=j}^{j+m−1} (x_{i+2m} − 2 x_{i+m} + x_i))² / (2 m² τ² (N − 3m + 1)), TDEV = τ MDEV/√3,
    OHDEV² = Σ (x_{i+3m} − 3 x_{i+2m} + 3 x_{i+m} − x_i)² / (6 τ² (N − 3m)). Rates are summed to n + 1 phases.

    Examples
    --------
    >>> import numpy as np
    >>> found = allan_deviation(np.array([0.0, 1.0, 0.0, 1.0]), interval_s=1.0, data_type="rate")
    >>> found.samples, [float(v) for v in found.deviation]
    ((1, 2), [0.7071067811865476, 0.0])
    """
    interval = positive_number("interval_s", interval_s, "the time between samples, s, above 0")
    if kind not in _STATISTICS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(_STATISTICS)}")
    if data_type not in ("rate", "phase"):
        raise ValueError(f"data_type is {data_type!r}; expected 'rate' or 'phase'")
    statistic = _STATISTICS[kind]
    longest = None
    if longest_s is not None:
        longest = int(positive_number("longest_s", longest_s, "a time in s above 0, or None") / interval * (1 + 1e-12))
    if hasattr(data, "dtype") or (isinstance(data, (list, tuple)) and not any(hasattr(part, "dtype") for part in data)):
        x, xp = real_array("data", data, "(n,), or blocks of it", ndim=1)
        phases = x.shape[0] + (data_type == "rate")
        samples = _averages(averages, longest, phases, statistic)
        totals, counts = _of_array(x, samples, statistic, data_type, longest is not None, xp=xp)
    else:
        if longest is None:
            raise ValueError(
                "longest_s is None and data is an iterable of blocks; expected the longest averaging time, s: it bounds what is held"
            )
        samples = _averages(averages, longest, None, statistic)
        totals, counts, phases, xp = _of_blocks(data, samples, statistic, data_type)
        kept = [i for i, m in enumerate(samples) if statistic.span(m) < phases]
        _averages(averages, longest, phases, statistic)  # the same complaint as for an array
        samples, totals, counts = tuple(samples[i] for i in kept), totals[: len(kept)], counts[: len(kept)]
    return _result(kind, data_type, samples, interval, totals, counts, xp)


def _result(
    kind: Kind, data_type: DataType, samples: tuple[int, ...], interval: float, totals: Array, counts: Array, xp: Any
) -> AllanDeviation:
    """Mean squares to deviations."""
    statistic = _STATISTICS[kind]
    unit = 1.0 if data_type == "rate" else interval
    scale = [
        (math.sqrt(2.0) if statistic.order == 2 else math.sqrt(6.0)) * m * unit * (m if statistic.modified else 1)
        for m in samples
    ]
    if kind == "tdev":
        scale = [math.sqrt(3.0) * s / (m * interval) for s, m in zip(scale, samples, strict=True)]
    some = counts > 0
    mean = xp.where(some, totals, xp.full_like(totals, xp.nan)) / xp.astype(
        xp.where(some, counts, xp.ones_like(counts)), xp.float64
    )
    return AllanDeviation(
        kind=kind,
        data_type=data_type,
        samples=samples,
        tau_s=tuple(m * interval for m in samples),
        deviation=xp.sqrt(mean) / xp.asarray(scale, dtype=xp.float64, device=device(totals)),
        terms=counts,
    )


def _averages(averages: Any, longest: int | None, phases: int | None, statistic: _Statistic) -> tuple[int, ...]:
    """The m, ascending, that have at least one term (all, where the number of phases is not known yet)."""

    def has_terms(m: int) -> bool:
        return (phases is None or statistic.span(m) < phases) and (longest is None or m <= longest)

    if isinstance(averages, str):
        if averages not in ("octave", "decade", "all"):
            raise ValueError(f"averages is {averages!r}; expected 'octave', 'decade', 'all' or numbers of samples")
        found = []
        for m in _progression(averages):
            if not has_terms(m):
                break
            found.append(m)
        if not found:
            shown = "is below one interval" if longest == 0 else f"has {phases} phases"
            raise ValueError(
                f"{'longest_s' if longest == 0 else 'data'} {shown}; expected at least {statistic.span(1) + 1} phases and one interval"
            )
        return tuple(found)
    try:
        chosen = sorted({whole_number("averages", m, "numbers of samples ≥ 1") for m in averages})
    except TypeError:
        raise ValueError(
            f"averages is {averages!r}; expected 'octave', 'decade', 'all' or numbers of samples"
        ) from None
    if not chosen or chosen[0] < 1:
        raise ValueError(f"averages is {list(averages)!r}; expected numbers of samples ≥ 1")
    if not has_terms(chosen[-1]):
        limit = (
            f"longest_s allows {longest}"
            if longest is not None and chosen[-1] > longest
            else f"data has {phases} phases"
        )
        raise ValueError(
            f"averages asks for {chosen[-1]} samples, which needs {statistic.span(chosen[-1]) + 1} phases; {limit}"
        )
    return tuple(chosen)


def _progression(name: str) -> Iterator[int]:
    m = 1
    while True:
        if name == "decade":
            yield from (m, 2 * m, 4 * m)
            m *= 10
        else:
            yield m
            m = 2 * m if name == "octave" else m + 1


# --- from data to phases --------------------------------------------------------------------------------------------


def _step(samples: tuple[int, ...], statistic: _Statistic) -> int:
    """Terms of a step through the record: not few against the overlap, which is read twice."""
    return max(_STARTS, 1 << (4 * statistic.span(samples[-1]) - 1).bit_length())


def _of_array(
    x: Array, samples: tuple[int, ...], statistic: _Statistic, data_type: str, stepped: bool, *, xp: Any
) -> tuple[Array, Array]:
    n = x.shape[0]
    extra = 1 if data_type == "rate" else 0
    step = _step(samples, statistic) if stepped else n + 1
    if n + extra <= step + statistic.span(samples[-1]) or is_cupy_namespace(xp):
        return _sums(x, samples, statistic, data_type, 0, None, xp=xp)
    found = []
    for start in range(0, n + extra - statistic.span(1), step):
        read = x[start : start + step + statistic.span(samples[-1]) - extra]
        found.append(_sums(read, samples, statistic, data_type, start, step, xp=xp))
    return _added(found)


def _of_blocks(
    data: Any, samples: tuple[int, ...], statistic: _Statistic, data_type: str
) -> tuple[Array, Array, int, Any]:
    try:
        source = iter(data)
    except TypeError:
        raise ValueError(
            f"data is a {type(data).__name__}; expected an array of shape (n,), or an iterable of such blocks"
        ) from None
    step, extra = _step(samples, statistic), 1 if data_type == "rate" else 0
    need = step + statistic.span(samples[-1]) - extra
    held: list[Array] = []
    found: list[tuple[Array, Array]] = []
    length = start = 0
    xp: Any = None
    for block in source:
        x, xp = real_array("block", block, "(m,)", ndim=1)
        held.append(xp.asarray(x, copy=True))  # the source may fill the same buffer again
        length += x.shape[0]
        while length > need:
            joined = xp.concat(held)
            found.append(_sums(joined[:need], samples, statistic, data_type, start, step, xp=xp))
            held, length, start = [joined[step:]], length - step, start + step
    if xp is None:
        raise ValueError("data has no block; expected at least one")
    found.append(_sums(xp.concat(held), samples, statistic, data_type, start, step, xp=xp))
    return *_added(found), start + length + extra, xp


def _added(found: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    totals, counts = found[0]
    for more, further in found[1:]:
        totals, counts = totals + more, counts + further
    return totals, counts


def _sums(
    data: Array,
    samples: tuple[int, ...],
    statistic: _Statistic,
    data_type: str,
    start: int,
    starts: int | None,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    """Sum of squares and number of the terms that begin in the first `starts` phases of `data`, which begin at sample `start`."""
    gapped = bool(xp.isnan(xp.sum(data)))  # or infinities of both signs; then the search below finds no gap
    gap = xp.isnan(data) if gapped else None
    breaks = None
    if data_type == "rate":
        # less its mean, to which the statistic is blind, so that the sums stay small; a gap is put at the mean
        rate = data - xp.mean(data) if gap is None else _centred(data, gap, xp=xp)
        # xp.cumulative_sum(include_initial=True) is younger than the oldest array library supported
        zero = xp.zeros((1,), dtype=xp.float64, device=device(data))
        phase = xp.concat((zero, xp.cumulative_sum(rate)))
        if gapped:
            breaks = xp.concat((xp.astype(zero, xp.int64), xp.cumulative_sum(xp.astype(gap, xp.int64))))
    else:
        phase = data
    n = phase.shape[0]
    limit = n if starts is None else starts
    terms = tuple(max(0, min(limit, n - statistic.span(m))) for m in samples)
    if is_numpy_namespace(xp) and statistic.overlapping and not gapped and compiled.numba_or_none():
        return _numba(phase, samples, terms, statistic, xp=xp)
    if statistic.modified:
        phase = _without_line(phase, gapped and breaks is None, xp=xp)
    if is_cupy_namespace(xp):
        return _cuda(phase, breaks, samples, terms, statistic, start, xp=xp)
    if is_numpy_namespace(xp) and statistic.overlapping:
        return _blocked(phase, breaks, samples, terms, statistic, gapped, xp=xp)
    return _generic(phase, breaks, samples, terms, statistic, start, xp=xp)


def _centred(rate: Array, gap: Array, *, xp: Any) -> Array:
    """Less the mean of what is there; 0 in the gaps."""
    zero = xp.zeros_like(rate)
    there = max(1, int(xp.sum(xp.astype(~gap, xp.int64))))
    return xp.where(gap, zero, rate - xp.sum(xp.where(gap, zero, rate)) / there)


def _without_line(x: Array, gapped: bool, *, xp: Any) -> Array:
    """Less the straight line through the first and the last phase that are there: moving sums of it would cost digits."""
    first, last = 0, x.shape[0] - 1
    if gapped:
        there = xp.nonzero(~xp.isnan(x))[0]
        first, last = (int(there[0]), int(there[-1])) if there.shape[0] else (0, 0)
    slope = (x[last] - x[first]) / max(1, last - first)
    if not is_numpy_namespace(xp):
        return x - x[first] - slope * (xp.arange(x.shape[0], dtype=xp.float64, device=device(x)) - first)
    index, line = xp.arange(_blocks.BLOCK, dtype=xp.float64), xp.empty(_blocks.BLOCK)
    out = xp.empty(x.shape[0])
    for read, write in _blocks.blocks(x.shape[0]):
        part, step = out[write], line[: write.stop - write.start]
        xp.add(
            index[: step.shape[0]], float(read.start - first), out=step
        )  # rounded sample by sample, not a block at a time:
        xp.multiply(step, slope, out=step)  # a step between blocks would not average away
        xp.subtract(x[read], x[first], out=part)
        xp.subtract(part, step, out=part)
    return out


# --- the definition -------------------------------------------------------------------------------------------------


def _generic(
    x: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: _Statistic,
    start: int,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    totals, counts = [], []
    sums, summed = x, 1
    for m, n in zip(samples, terms, strict=True):
        if statistic.modified and n:
            sums, summed = _window_sums(x, sums, summed, m), m
        d = sums
        for _ in range(statistic.order):
            d = d[m:] - d[:-m] if d.shape[0] > m else d[:0]
        first = 0 if statistic.overlapping else -start % m
        step = 1 if statistic.overlapping else m
        d = d[first:n:step]
        there = ~xp.isnan(d)
        if breaks is not None and n:
            span = statistic.span(m)
            there = there & (breaks[span:] == breaks[:-span])[first:n:step]
        d = xp.where(there, d, xp.zeros_like(d))
        totals.append(xp.sum(d * d))
        counts.append(xp.sum(xp.astype(there, xp.int64)))
    return xp.stack(totals), xp.stack(counts)


def _window_sums(x: Array, sums: Array, summed: int, m: int) -> Array:
    """Sums of m neighbouring samples; `sums` are those of `summed`."""
    if summed == m:
        return sums
    if 2 * summed == m:
        return sums[:-summed] + sums[summed:]
    found, have, power, p = None, 0, x, 1
    while True:
        if m & p:
            if found is None:
                found = power
            else:
                n = x.shape[0] - have - p + 1
                found = found[:n] + power[have : have + n]
            have += p
        if have == m:
            return found
        power, p = power[:-p] + power[p:], 2 * p


# --- NumPy, in blocks -----------------------------------------------------------------------------------------------


def _blocked(
    x: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: _Statistic,
    gapped: bool,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    totals, counts = xp.zeros(len(samples)), xp.asarray(terms, dtype=xp.int64)
    scratch = xp.empty((2, (statistic.order + 1) * _blocks.BLOCK))
    with _blocks.one_blas_thread():
        if not statistic.modified:  # block by block, so that it is in the cache for every m
            for read, _ in _blocks.blocks(max(terms)):
                for i, (m, n) in enumerate(zip(samples, terms, strict=True)):
                    count = min(read.stop, n) - read.start
                    if count > 0:
                        _add_block(x, breaks, read.start, count, m, statistic, gapped, totals, counts, i, scratch, xp)
            return totals, counts
        sums, spare, summed = x, None, 1
        for i, (m, n) in enumerate(zip(samples, terms, strict=True)):
            if n == 0:
                break
            if 2 * summed == m:
                target = xp.empty_like(x) if spare is None else spare
                size = x.shape[0] - m + 1
                for read, _ in _blocks.blocks(size):
                    xp.add(sums[read], sums[read.start + summed : read.stop + summed], out=target[read])
                sums, spare = target, (None if sums is x else sums)
            else:
                sums, spare = _window_sums(x, sums, summed, m), None
            summed = m
            for read, _ in _blocks.blocks(n):
                _add_block(
                    sums,
                    breaks,
                    read.start,
                    read.stop - read.start,
                    m,
                    statistic,
                    gapped,
                    totals,
                    counts,
                    i,
                    scratch,
                    xp,
                )
    return totals, counts


def _add_block(
    x: Array, breaks: Array | None, start: int, count: int, m: int, statistic: _Statistic, gapped: bool,
    totals: Array, counts: Array, i: int, scratch: Array, xp: Any,
) -> None:  # fmt: skip
    """Add the terms start … start + count − 1 over m samples to totals[i]; take those with a gap from counts[i]."""
    order = statistic.order
    if m <= count // 2:  # differences of the block and of what follows it, once
        length = count + (order - 1) * m
        d = scratch[0, :length]
        xp.subtract(x[start + m : start + m + length], x[start : start + length], out=d)
        for k in range(order - 1):
            length -= m
            following = scratch[1 - k % 2, :length]
            xp.subtract(d[m : m + length], d[:length], out=following)
            d = following
    else:
        a = scratch[0].reshape(order + 1, -1)[:order, :count]
        for k in range(order):
            at = start + k * m
            xp.subtract(x[at + m : at + m + count], x[at : at + count], out=a[k])
        for k in range(order - 1):
            xp.subtract(a[1 : order - k], a[: order - k - 1], out=a[: order - k - 1])
        d = a[0]
    if gapped:
        missing = xp.isnan(d)
        if breaks is not None:
            span = statistic.span(m)
            missing |= breaks[start + span : start + span + count] != breaks[start : start + count]
        d[missing] = 0.0
        counts[i] -= missing.sum()
    totals[i] += xp.dot(d, d)


# --- Numba ----------------------------------------------------------------------------------------------------------

_TILE = 16_384
_WIDTH = 512
_CHAINED = 1024
"""Up to this m, moving sums of a chunk of `_CHUNK` are doubled while they stay in the cache."""
_CHUNK = 32_768


def _numba(
    x: Array, samples: tuple[int, ...], terms: tuple[int, ...], statistic: _Statistic, *, xp: Any
) -> tuple[Array, Array]:
    import numba

    x = xp.ascontiguousarray(x)
    parallel = compiled.parallel_pays(x.shape[0] * len(samples))
    workers = numba.get_num_threads() if parallel else 1
    differences, chain = _compiled(parallel)
    counts = xp.asarray(terms, dtype=xp.int64)
    scratch = xp.empty((workers, _WIDTH))
    if not statistic.modified:
        partial = xp.zeros((-(-max(terms) // _TILE), len(samples)))
        differences(x, xp.asarray(samples, dtype=xp.int64), counts, statistic.order, partial, 0, xp.empty(0), scratch)
        return xp.sum(partial, axis=0), counts
    totals = xp.zeros(len(samples))
    spare, done = None, 0
    if samples == tuple(1 << i for i in range(len(samples))):
        done = sum(1 for m, n in zip(samples, terms, strict=True) if m <= _CHAINED and n)
        partial = xp.zeros((-(-x.shape[0] // _CHUNK), done))
        sums, summed = xp.empty(x.shape[0]), 1 << done
        slope = (x[-1] - x[0]) / max(1, x.shape[0] - 1)
        chain(x, slope, counts[:done], partial, sums, xp.empty((workers, 2, _CHUNK + 4 * _CHAINED)), scratch)
        totals[:done] = xp.sum(partial, axis=0)
    else:
        x = sums = _without_line(x, False, xp=xp)
        summed = 1
    for i in range(done, len(samples)):
        m, n = samples[i], terms[i]
        if n == 0:
            break
        if summed != m:
            sums, spare, summed = _window_sums(x, sums, summed, m), None, m
        doubled = i + 1 < len(samples) and samples[i + 1] == 2 * m
        target = (xp.empty_like(x) if spare is None else spare) if doubled else xp.empty(0)
        partial = xp.zeros((-(-x.shape[0] // _TILE), 1))
        differences(
            sums,
            xp.asarray([m]),
            counts[i : i + 1],
            2,
            partial,
            x.shape[0] - 2 * m + 1 if doubled else 0,
            target,
            scratch,
        )
        totals[i] = xp.sum(partial)
        if doubled:
            sums, spare, summed = target, (None if sums is x else sums), 2 * m
    return totals, counts


@functools.cache
def _compiled(parallel: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    from numba import prange

    tile, chunk = _TILE, _CHUNK

    @compiled.inline
    def add_second(x0, x1, x2, squares):  # type: ignore[no-untyped-def]
        for k in range(x0.shape[0]):
            d = (x2[k] - x1[k]) - (x1[k] - x0[k])
            squares[k] += d * d

    @compiled.inline
    def add_third(x0, x1, x2, x3, squares):  # type: ignore[no-untyped-def]
        for k in range(x0.shape[0]):
            middle = x2[k] - x1[k]
            d = ((x3[k] - x2[k]) - middle) - (middle - (x1[k] - x0[k]))
            squares[k] += d * d

    @compiled.inline
    def total(x, start, count, m, order, squares):  # type: ignore[no-untyped-def]
        """Into `squares`, one sum for each of its elements, which the processor adds side by side; then of these."""
        squares[:] = 0.0
        width = squares.shape[0]
        for at in range(start, start + count, width):
            w = min(width, start + count - at)
            if order == 2:
                add_second(x[at : at + w], x[at + m : at + m + w], x[at + 2 * m : at + 2 * m + w], squares)
            else:
                add_third(
                    x[at : at + w],
                    x[at + m : at + m + w],
                    x[at + 2 * m : at + 2 * m + w],
                    x[at + 3 * m : at + 3 * m + w],
                    squares,
                )
        found = 0.0
        for k in range(width):
            found += squares[k]
        return found

    @compiled.inline
    def add_neighbours(a, b, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = a[k] + b[k]

    @compiled.inline
    def without_line(x, offset, slope, start, out):  # type: ignore[no-untyped-def]
        for k in range(out.shape[0]):
            out[k] = (x[k] - offset) - slope * (start + k)

    def differences(x, samples, terms, order, partial, doubled, target, squares):  # type: ignore[no-untyped-def]
        """partial[tile, i]: sum of squares of the terms over samples[i]. target: the first `doubled` sums x[k] + x[k + samples[0]]."""
        tiles, workers = partial.shape[0], squares.shape[0]
        for worker in prange(workers):
            for t in range(tiles * worker // workers, tiles * (worker + 1) // workers):
                start = t * tile
                for i in range(samples.shape[0]):
                    count = min(tile, terms[i] - start)
                    if count > 0:
                        partial[t, i] = total(x, start, count, samples[i], order, squares[worker])
                stop = min(start + tile, doubled)
                if stop > start:
                    add_neighbours(x[start:stop], x[start + samples[0] : stop + samples[0]], target[start:stop])

    def chain(x, slope, terms, partial, sums, scratch, squares):  # type: ignore[no-untyped-def]
        """m = 1, 2, 4 …, one a column of `partial`, for chunk after chunk less the line of `slope`; `sums` of twice the last m."""
        chunks, levels = partial.shape
        workers = squares.shape[0]
        for worker in prange(workers):
            for c in range(chunks * worker // workers, chunks * (worker + 1) // workers):
                start, m, at = c * chunk, 1, 1
                length = min(x.shape[0] - start, chunk + 3 * (1 << (levels - 1)))
                current = scratch[worker, 0, :length]
                without_line(x[start : start + length], x[0], slope, start, current)
                for level in range(levels):
                    count = min(chunk, terms[level] - start)
                    if count > 0:
                        partial[c, level] = total(current, 0, count, m, 2, squares[worker])
                    length -= m
                    if length <= 0:
                        break
                    following = scratch[worker, at, :length]
                    add_neighbours(current[:length], current[m : m + length], following)
                    current = following
                    at, m = 1 - at, 2 * m
                if length > 0:
                    kept = min(length, chunk)
                    sums[start : start + kept] = current[:kept]

    frozen, writable, integer = compiled.frozen, compiled.writable, compiled.scalar("int64")
    return (
        compiled.jit(
            differences,
            (frozen(1), frozen(1, "int64"), frozen(1, "int64"), integer, writable(2), integer, writable(1), writable(2)),
            parallel=parallel, fastmath={"contract"},
        ),
        compiled.jit(chain, (frozen(1), compiled.scalar("float64"), frozen(1, "int64"), writable(2), writable(1), writable(3), writable(2)), parallel=parallel, fastmath={"contract"}),
    )  # fmt: skip


# --- CUDA -----------------------------------------------------------------------------------------------------------

_THREADS = 256
_BLOCKS = 256


def _cuda(
    x: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: _Statistic,
    start: int,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    """All m in one launch; the moving sums of the modified forms one launch an m."""
    x = xp.ascontiguousarray(x)
    counts = xp.asarray(terms, dtype=xp.int64)
    every = xp.asarray(samples, dtype=xp.int64)
    jumps = xp.zeros((1,), dtype=xp.int64) if breaks is None else breaks
    partial = xp.empty((len(samples), _BLOCKS), dtype=xp.float64)
    found = xp.empty((len(samples), _BLOCKS), dtype=xp.int64)

    def launch(data: Array, i: int, many: int, spans: int) -> None:
        cuda.launch(
            "allan", "allan_terms",
            (data, jumps, every[i:], counts[i:], partial[i:], found[i:], statistic.order, int(statistic.overlapping), start, int(breaks is not None), spans),
            grid=(_BLOCKS, many), block=_THREADS,
        )  # fmt: skip

    if not statistic.modified:
        launch(x, 0, len(samples), 0)
    else:
        sums, summed = x, 1
        for i, m in enumerate(samples):
            if terms[i]:
                sums, summed = _device_sums(x, sums, summed, m, xp=xp), m
            launch(sums, i, 1, m - 1)
    return xp.sum(partial, axis=1), xp.sum(found, axis=1)


def _device_sums(x: Array, sums: Array, summed: int, m: int, *, xp: Any) -> Array:
    """`_window_sums` with one launch for a doubling."""
    if 2 * summed != m:
        return _window_sums(x, sums, summed, m)
    n = sums.shape[0] - summed
    out = xp.empty((n,), dtype=xp.float64)
    cuda.launch("allan", "allan_neighbours", (sums, out, summed, n), grid=cuda.grid_for(n, _THREADS), block=_THREADS)
    return out
