"""Allan deviations: how stable a reading is when it is averaged over τ.

All of them are mean squares of second (Hadamard: third) differences of the phase over m samples; the modified ones, of its
moving sums. Differences are formed before anything is added up, and moving sums by doubling, after a straight line, to which
the statistic is blind, has been taken off. A phase offset of 10³ s then costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from array_api_compat import device, is_cupy_namespace

from precision.kernels.allan_terms import Statistic, squares
from precision.kernels.real_array import positive_number, real_array, whole_number

Array = Any
Kind = Literal["adev", "oadev", "mdev", "tdev", "hdev", "ohdev"]
DataType = Literal["rate", "phase"]


_STATISTICS: dict[str, Statistic] = {
    "adev": Statistic(2, overlapping=False),
    "oadev": Statistic(2),
    "mdev": Statistic(2, modified=True),
    "tdev": Statistic(2, modified=True),
    "hdev": Statistic(3, overlapping=False),
    "ohdev": Statistic(3),
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
    >>> found.samples, [round(float(v), 12) for v in found.deviation]
    ((1, 2), [0.707106781187, 0.0])
    """
    interval = positive_number("interval_s", interval_s, "the time between samples, s, above 0")
    if kind not in _STATISTICS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(_STATISTICS)}")
    if data_type not in ("rate", "phase"):
        raise ValueError(f"data_type is {data_type!r}; expected 'rate' or 'phase'")
    statistic = _STATISTICS[kind]
    wanted = "a time in s above 0, or None"
    longest = (
        None if longest_s is None else int(positive_number("longest_s", longest_s, wanted) / interval * (1 + 1e-12))
    )
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


def _averages(averages: Any, longest: int | None, phases: int | None, statistic: Statistic) -> tuple[int, ...]:
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


def _step(samples: tuple[int, ...], statistic: Statistic) -> int:
    """Terms of a step through the record: not few against the overlap, which is read twice."""
    return max(_STARTS, 1 << (4 * statistic.span(samples[-1]) - 1).bit_length())


def _of_array(
    x: Array, samples: tuple[int, ...], statistic: Statistic, data_type: str, stepped: bool, *, xp: Any
) -> tuple[Array, Array]:
    if not stepped or is_cupy_namespace(xp):
        return _sums(x, samples, statistic, data_type, 0, None, xp=xp)
    return _added(_in_steps(x, samples, statistic, data_type, 0, xp=xp))


def _in_steps(
    x: Array, samples: tuple[int, ...], statistic: Statistic, data_type: str, start: int, *, xp: Any
) -> list[tuple[Array, Array]]:
    """Step by step to the end of the record; `x` begins at its sample `start`."""
    step, extra = _step(samples, statistic), 1 if data_type == "rate" else 0
    need = step + statistic.span(samples[-1]) - extra
    terms = x.shape[0] + extra - statistic.span(1)
    return [
        _sums(x[at : min(at + need, x.shape[0])], samples, statistic, data_type, start + at, step, xp=xp)
        for at in range(0, max(1, terms), step)
    ]


def _of_blocks(
    data: Any, samples: tuple[int, ...], statistic: Statistic, data_type: str
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
    found += _in_steps(xp.concat(held), samples, statistic, data_type, start, xp=xp)
    return *_added(found), start + length + extra, xp


def _added(found: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    totals, counts = found[0]
    for more, further in found[1:]:
        totals, counts = totals + more, counts + further
    return totals, counts


def _sums(
    data: Array,
    samples: tuple[int, ...],
    statistic: Statistic,
    data_type: str,
    start: int,
    starts: int | None,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    """Sum of squares and number of the terms that begin in the first `starts` phases of `data`, which begin at sample `start`."""
    gapped = bool(xp.isnan(xp.sum(data)))  # or infinities of both signs; then the search below finds no gap
    gap = xp.isnan(data) if gapped or data.shape[0] == 0 else None
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
    return squares(phase, breaks, samples, terms, statistic, start, gapped, xp=xp)


def _centred(rate: Array, gap: Array, *, xp: Any) -> Array:
    """Less the mean of what is there; 0 in the gaps."""
    zero = xp.zeros_like(rate)
    there = max(1, int(xp.sum(xp.astype(~gap, xp.int64))))
    return xp.where(gap, zero, rate - xp.sum(xp.where(gap, zero, rate)) / there)
