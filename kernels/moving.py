"""Moving mean and moving standard deviation over a window (MA and MSD of a scanning stage).

How the sums are formed decides whether the answer is right: running sums of squares lose all digits where an offset or a
drift is large against the noise. Here windows are built by doubling: two neighbouring windows of m samples merge into one
of 2 m with Chan's formula, in which every term is positive. It needs ⌊log₂ w⌋ merges and one more for every further bit of
w, has no cancellation, and a NaN stays inside the windows that contain it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks as _blocks
from precision.kernels import compiled, cuda, moving_compiled, threads
from precision.kernels.real_array import positive_number, real_array, result_array, whole_number

Array = Any
Window = int | Sequence[float] | Array

_EMITTED = 65_536
"""Results a step of the block iterator; a multiple of every block size below, so that both ways see the same blocks."""

AT_A_TIME = _EMITTED
"""Fewest results in a block of the plain NumPy tier: so many that threads seldom wait for the interpreter (four times fewer cost
one thread 3 % less, and two threads 60 % more; measured)."""

_TRUSTED = 1e6
"""Largest ratio of mean square to variance at which Q − S²/w is used: it costs 1e6 × 2⁻⁵³ ≈ 1e-10 of the variance."""


def moving_mean_std(error: Array, window: Window, /, *, out: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """Moving mean (MA) and moving standard deviation (MSD), of the windows that lie fully inside the data.

    Parameters
    ----------
    error : (..., n) float
        Equally spaced samples. Any unit. Deviations from the target rather than positions: their digits are then the error's.
    window : int or (w,) float
        Number of samples w of a rectangular window, or the weights of any other: ≥ 0, of any scale (they are divided by their
        sum). `trapezoidal_window` and `rectangular_window` make weights.
    out : two arrays (..., n - w + 1) float64, or None
        For MA and MSD: of the data's library, C-contiguous, apart from the data and from each other, to be filled. None makes
        new ones.

    Returns
    -------
    ma, msd : (..., n - w + 1) float64
        `out`, or new arrays. Unit of `error`, its library and device. Element k belongs to samples k … k + w − 1, so to the time of their centre,
        t_k + (w − 1)/2 · Ts. The variance is the population's (divisor w, not w − 1): it is blur, not an estimate. A window
        that contains NaN or an infinity gives NaN.

    Raises
    ------
    ValueError
        The window is empty or longer than the data; weights negative, not finite or all zero; `out` is not like that.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37
    (1983) 242: merging two groups. MA and MSD as in H. Butler, "Position control in lithographic equipment", IEEE Control
    Systems 31(5) (2011) 28 (from memory of the paper).

    Notes
    -----
    MA_k = Σ w_i e_{k+i},  MSD_k² = Σ w_i (e_{k+i} − MA_k)²,  Σ w_i = 1.

    Examples
    --------
    >>> import numpy as np
    >>> ma, msd = moving_mean_std(np.array([1.0, 3.0, 5.0]), 2)
    >>> [float(v) for v in (*ma, *msd)]
    [2.0, 4.0, 1.0, 1.0]
    """
    x, xp = real_array("error", error, "(..., n)")
    count, weights = _window(window)
    if count > x.shape[-1]:
        raise ValueError(
            f"window has {count} samples and error has shape {x.shape}; expected a window no longer than the last axis"
        )
    mean, std = _results(out, (*x.shape[:-1], x.shape[-1] - count + 1), error, xp)
    if is_cupy_namespace(xp):
        _cuda(x, count, weights, mean, std, xp=xp)
    elif not is_numpy_namespace(xp):
        mean[...], std[...] = _generic(x, count, weights, xp=xp)
    elif compiled.numba_or_none():
        _numba(x, count, weights, mean, std, xp=xp)
    else:
        _blocked(x, count, weights, mean, std, xp=xp)
    return mean, std


def _results(out: Any, shape: tuple[int, ...], error: Array, xp: Any) -> tuple[Array, Array]:
    if out is None:
        out = (None, None)
    elif not isinstance(out, (tuple, list)) or len(out) != 2:
        raise ValueError(f"out is a {type(out).__name__}; expected two arrays of shape {shape}, for mean and standard deviation")
    mean = result_array("out[0]", out[0], shape, error, xp=xp)
    return mean, result_array("out[1]", out[1], shape, error, mean, xp=xp)


def moving_mean_std_blocks(blocks: Iterable[Array], window: Window, /) -> Iterator[tuple[Array, Array]]:
    """`moving_mean_std` of data that come in blocks: joined, its results are those of the whole array, to the last bit on NumPy.

    Parameters
    ----------
    blocks : iterable of (m,) float
        Consecutive pieces of one record, of any lengths. Only the window and about 65 536 samples are held.
    window : int or (w,) float
        As for `moving_mean_std`.

    Yields
    ------
    ma, msd : (k,) float64
        Consecutive pieces of the result. Nothing where the record ends before the first window is full.

    Raises
    ------
    ValueError
        As for `moving_mean_std`; a block that has not one axis.
    """
    count, _ = _window(window)
    step = max(_EMITTED, _piece(count))
    held: list[Array] = []
    length = 0
    xp: Any = None
    for block in blocks:
        x, xp = real_array("block", block, "(m,)", ndim=1)
        held.append(xp.asarray(x, copy=True))  # the source may fill the same buffer again
        length += x.shape[0]
        if length < step + count - 1:
            continue
        x = xp.concat(held)
        done = (length - count + 1) // step * step
        yield moving_mean_std(x[: done + count - 1], window)
        held, length = [xp.asarray(x[done:], copy=True)], length - done
    if length >= count:
        yield moving_mean_std(xp.concat(held), window)


def trapezoidal_window(base: int, ramp: float, /) -> tuple[float, ...]:
    """Weights of a trapezoid (an illumination slit with soft edges), taken at the centre of each sample.

    Parameters
    ----------
    base : int
        Full width at the foot, in samples: T fs.
    ramp : float
        Width of each ramp, in samples: above 0, up to base/2.

    Returns
    -------
    tuple of float, `base` of them, sum 1

    Examples
    --------
    >>> trapezoidal_window(4, 2)
    (0.125, 0.375, 0.375, 0.125)
    """
    base = whole_number("base", base, "an integer number of samples")
    ramp = positive_number("ramp", ramp, "a number of samples above 0")
    if ramp > base / 2:
        raise ValueError(f"ramp is {ramp} samples of a base of {base}; expected no more than half of it")
    heights = [min((i + 0.5) / ramp, 1.0, (base - i - 0.5) / ramp) for i in range(base)]
    return tuple(height / math.fsum(heights) for height in heights)


def rectangular_window(samples: float, /) -> tuple[float, ...]:
    """Weights of a rectangle of T fs samples where that is no integer: whole samples, and two equal fractions at the ends.

    Parameters
    ----------
    samples : float
        T fs ≥ 1.

    Returns
    -------
    tuple of float, sum 1

    Examples
    --------
    >>> rectangular_window(2.5)
    (0.1, 0.4, 0.4, 0.1)
    """
    width = positive_number("samples", samples, "a number of samples ≥ 1")
    whole = math.floor(width)
    if whole < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    end = (width - whole) / 2
    return tuple(part / width for part in ([end] * (end > 0) + [1.0] * whole + [end] * (end > 0)))


def _window(window: Any) -> tuple[int, tuple[float, ...] | None]:
    """Number of samples, and the weights divided by their sum (None for a rectangle)."""
    if hasattr(window, "__index__") and not getattr(window, "ndim", 0):
        count = whole_number("window", window, "a number of samples, or weights of shape (w,)")
        if count < 1:
            raise ValueError(f"window is {count} samples; expected at least 1")
        return count, None
    if isinstance(window, str) or not hasattr(window, "__len__") or getattr(window, "ndim", 1) != 1:
        shown = f"has shape {window.shape}" if hasattr(window, "shape") else f"is {window!r}"
        raise ValueError(f"window {shown}; expected a number of samples, or weights of shape (w,)")
    try:
        weights = [float(window[i]) for i in range(len(window))]
    except (TypeError, ValueError):
        raise ValueError(
            f"window is a {type(window).__name__}; expected a number of samples, or real weights of shape (w,)"
        ) from None
    total = math.fsum(weights)
    if not all(weight >= 0.0 and math.isfinite(weight) for weight in weights) or not 0.0 < total < math.inf:
        raise ValueError(f"window has shape ({len(weights)},); expected finite weights ≥ 0, not all of them 0")
    return len(weights), tuple(weight / total for weight in weights)


def _piece(count: int, shortest: int = 4096) -> int:
    """Results in a block: a power of two that is not small against the window, whose overlap is computed twice."""
    return max(shortest, 1 << (2 * count - 1).bit_length())


# --- the definition -------------------------------------------------------------------------------------------------


def _generic(x: Array, count: int, weights: tuple[float, ...] | None, *, xp: Any) -> tuple[Array, Array]:
    finite = xp.isfinite(x)
    zero = xp.zeros_like(x)
    known = xp.sum(xp.astype(finite, xp.float64), axis=-1, keepdims=True)
    pivot = xp.sum(xp.where(finite, x, zero), axis=-1, keepdims=True) / xp.where(known == 0, xp.ones_like(known), known)
    deviation = xp.where(finite, x - pivot, xp.full_like(x, xp.nan))
    if weights is not None:
        mean, square = _weighted(deviation, weights, xp=xp)
        return mean + pivot, xp.sqrt(square)
    total, square = _merged(deviation, count)
    return total / count + pivot, xp.sqrt(square / count)


def _weighted(d: Array, weights: tuple[float, ...], *, xp: Any) -> tuple[Array, Array]:
    """Weighted mean, then weighted mean square of the deviations from it: two passes, no cancellation."""
    n = d.shape[-1] - len(weights) + 1
    mean = xp.zeros((*d.shape[:-1], n), dtype=d.dtype, device=device(d))
    square = xp.zeros_like(mean)
    for i, weight in enumerate(weights):
        mean = mean + weight * d[..., i : i + n]
    for i, weight in enumerate(weights):
        square = square + weight * (d[..., i : i + n] - mean) ** 2
    return mean, square


def _merged(total: Array, count: int) -> tuple[Array, Array]:
    """Sum, and sum of squares about the mean, of all windows of `count` samples, from those of single samples, `total`.

    Merging a samples with the b that follow: Q = Qa + Qb + a b/(a + b) (Sb/b − Sa/a)².
    """
    square = total - total  # 0, or NaN
    found: tuple[Array, Array] | None = None
    have, m = 0, 1
    while True:
        if count & m:
            found = (total, square) if found is None else _merge(*found, have, total[..., have:], square[..., have:], m)
            have += m
        if have == count:
            assert found is not None
            return found
        total, square = _merge(total, square, m, total[..., m:], square[..., m:], m)
        m *= 2


def _merge(sa: Array, qa: Array, a: int, sb: Array, qb: Array, b: int) -> tuple[Array, Array]:
    n = min(sa.shape[-1], sb.shape[-1])
    sa, qa, sb, qb = sa[..., :n], qa[..., :n], sb[..., :n], qb[..., :n]
    return sa + sb, qa + qb + (a * b / (a + b)) * (sb / b - sa / a) ** 2


# --- NumPy, in blocks -----------------------------------------------------------------------------------------------


def _blocked(x: Array, count: int, weights: tuple[float, ...] | None, mean: Array, std: Array, *, xp: Any) -> None:
    """A single pass of sums about a pivot where it is provably accurate in the block, else the definition."""
    n = mean.shape[-1]
    size = _piece(count, AT_A_TIME)
    rows = list(zip(x.reshape(-1, x.shape[-1]), mean.reshape(-1, n), std.reshape(-1, n), strict=True))
    pieces = [(row, *at) for row in range(len(rows)) for at in _blocks.blocks(n, size, after=count - 1)]
    half = -(-(min(n, size) + count - 1) // 8) * 8  # both halves of a row begin with a cache line

    def share(worker: int, workers: int) -> None:
        scratch = _blocks.scratch((3, 2 * half), xp=xp)
        for row, read, write in pieces[len(pieces) * worker // workers : len(pieces) * (worker + 1) // workers]:
            data, ma, msd = rows[row]
            _block(data[read], count, weights, ma[write], msd[write], scratch, xp=xp)

    threads.side_by_side(share, min(threads.workers_for(x.size), max(1, len(pieces))))


def _block(piece: Array, count: int, weights: tuple[float, ...] | None, mean: Array, std: Array, scratch: Array, *, xp: Any) -> None:
    pivot = _pivot(piece, xp)
    if weights is not None:
        _weighted_block(piece, pivot, weights, mean, std, scratch, xp=xp)
    elif not _summed_block(piece, pivot, count, mean, std, scratch, xp=xp):
        total, square = _merged(xp.where(xp.isfinite(piece), piece - pivot, xp.nan), count)
        xp.add(total / count, pivot, out=mean)
        xp.sqrt(square / count, out=std)


def _pivot(piece: Array, xp: Any) -> float:
    """A finite sample of the block, its middle one if that is finite; 0 where none is."""
    middle = float(piece[piece.shape[0] // 2])
    if math.isfinite(middle):
        return middle
    finite = piece[xp.isfinite(piece)]
    return float(finite[finite.shape[0] // 2]) if finite.shape[0] else 0.0


def _summed_block(piece: Array, pivot: float, count: int, mean: Array, std: Array, scratch: Array, *, xp: Any) -> bool:
    """Q/w − (S/w)² about the pivot, sums by doubling; False where it would cost digits (or meets a NaN).

    scratch : (3, 2 L), L ≥ samples: sums of the deviations are formed in the first half of a row, of their squares in the second.
    What sums at the end of the first half take from the second is read by none that counts.
    """
    length, half = piece.shape[0], scratch.shape[1] // 2
    power, *free = scratch
    found: Array = None
    with xp.errstate(invalid="ignore", over="ignore"):  # infinities; the definition then gives NaN
        deviation = xp.subtract(piece, pivot, out=power[:length])
        xp.multiply(deviation, deviation, out=power[half : half + length])
        have, m = 0, 1
        while True:
            if count & m:
                if found is None:
                    found = power
                else:
                    xp.add(found[:-have], power[have:], out=found[:-have])
                have += m
            if have == count:
                break
            doubled = free.pop()
            xp.add(power[:-m], power[m:], out=doubled[:-m])
            if power is not found:
                free.append(power)
            power, m = doubled, 2 * m
        # a window touches no more than three of the stretches 0 … m − 1, m … 2 m − 1, …, or two and the last m samples
        square = power[half : half + length - m + 1]
        largest = 3.0 / count * max(float(square[::m].max()), float(square[-1]))
        k = length - count + 1
        average, variance = found[:k], found[half : half + k]
        xp.multiply(found[: half + k], 1.0 / count, out=found[: half + k])
        xp.add(average, pivot, out=mean)
        xp.multiply(average, average, out=average)
        xp.subtract(variance, average, out=variance)
        if not float(variance.min()) * _TRUSTED > largest:
            return False
        xp.sqrt(variance, out=std)
    return True


def _weighted_block(
    piece: Array, pivot: float, weights: tuple[float, ...], mean: Array, std: Array, scratch: Array, *, xp: Any
) -> None:
    """The two passes of `_weighted` with reused buffers. scratch : (≥ 2, ≥ samples)"""
    n = mean.shape[0]
    deviation, term = scratch[0, : piece.shape[0]], scratch[1, :n]
    with xp.errstate(invalid="ignore"):
        xp.subtract(piece, pivot, out=deviation)
        deviation[~xp.isfinite(deviation)] = xp.nan
        mean[...] = 0.0
        std[...] = 0.0
        for i, weight in enumerate(weights):
            xp.multiply(deviation[i : i + n], weight, out=term)
            xp.add(mean, term, out=mean)
        for i, weight in enumerate(weights):
            xp.subtract(deviation[i : i + n], mean, out=term)
            xp.multiply(term, term, out=term)
            xp.multiply(term, weight, out=term)
            xp.add(std, term, out=std)
        xp.add(mean, pivot, out=mean)
        xp.sqrt(std, out=std)


# --- Numba ----------------------------------------------------------------------------------------------------------


def _numba(x: Array, count: int, weights: tuple[float, ...] | None, mean: Array, std: Array, *, xp: Any) -> None:
    import numba

    n = mean.shape[-1]
    parallel = compiled.parallel_pays(x.size * (1 if weights is None else count))
    size = _piece(count)
    scratch = xp.empty((numba.get_num_threads() if parallel else 1, 6, size + count))
    rows = xp.ascontiguousarray(x).reshape(-1, x.shape[-1])
    moving_compiled.body(parallel)(
        rows, count, xp.asarray(weights or (), dtype=xp.float64), size, mean.reshape(-1, n), std.reshape(-1, n), scratch
    )


# --- CUDA -----------------------------------------------------------------------------------------------------------

_THREADS = 256
_SHARED_BYTES = 48 * 1024


def _cuda(x: Array, count: int, weights: tuple[float, ...] | None, mean: Array, std: Array, *, xp: Any) -> None:
    """Windows that fit into shared memory in one kernel; longer ones by one merge of whole arrays a launch."""
    n = mean.shape[-1]
    rows = xp.ascontiguousarray(x).reshape((-1, x.shape[-1]))
    if mean.size == 0:
        return
    tile = _SHARED_BYTES // 8 // (6 if weights is None else 1) - (count - 1)
    if tile < max(_THREADS, count // 2):
        mean[...], std[...] = _generic(x, count, weights, xp=xp)
        return
    tile = min(tile, 4 * _THREADS)
    tiles = -(-n // tile)
    shared = 8 * (6 if weights is None else 1) * (tile + count - 1)
    if weights is None:
        cuda.launch("moving", "moving_rectangle", (rows, mean, std, rows.shape[0], rows.shape[1], count, tile, tiles),
                    grid=cuda.grid_for(rows.shape[0] * tiles, 1), block=_THREADS, shared=shared)  # fmt: skip
    else:
        cuda.launch("moving", "moving_weighted", (rows, xp.asarray(weights, dtype=xp.float64), mean, std, rows.shape[0], rows.shape[1], count, tile, tiles),
                    grid=cuda.grid_for(rows.shape[0] * tiles, 1), block=_THREADS, shared=shared)  # fmt: skip
