"""Sums of squares of the terms of an Allan deviation: of second or third differences over m samples, of phases or their sums.

allan.py says what is computed and makes the phases; here are the ways to add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import allan_compiled, compiled, cuda, threads
from precision.kernels import blocks as _blocks

Array = Any


@dataclass(frozen=True, slots=True)
class Statistic:
    """order: of the difference. modified: of moving sums. step: between terms, 1 or m samples."""

    order: int
    modified: bool = False
    overlapping: bool = True

    def span(self, m: int) -> int:
        """Samples from the first phase of a term to its last."""
        return self.order * m + (m - 1 if self.modified else 0)


def squares(
    phase: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: Statistic,
    start: int,
    gapped: bool,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    """Sum of squares, and number, of the terms over each number of samples.

    phase : (n,) float64; NaN is a gap.  breaks : (n,) int64 or None, gaps up to each phase; a term across one is left out.
    samples : ascending m.  terms : of each, how many phases begin one.  start : number of the first phase in the record.
    gapped : whether there are gaps.
    """
    if is_numpy_namespace(xp) and statistic.overlapping and not gapped and compiled.numba_or_none():
        return _numba(phase, samples, terms, statistic, xp=xp)
    if statistic.modified:
        phase = _without_line(phase, gapped and breaks is None, xp=xp)
    if is_cupy_namespace(xp):
        return _cuda(phase, breaks, samples, terms, statistic, start, xp=xp)
    if is_numpy_namespace(xp) and statistic.overlapping:
        return _blocked(phase, breaks, samples, terms, statistic, gapped, xp=xp)
    return _generic(phase, breaks, samples, terms, statistic, start, xp=xp)


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
    statistic: Statistic,
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

AT_A_TIME = 4 * _blocks.BLOCK
"""Terms of a block: with a quarter of it, the calls cost an eighth more, and threads wait for the interpreter (measured)."""

_FAR = 1 << 14
"""Spans that are a multiple of so many phases are taken from phases so far apart, put side by side, where they are near again."""

_COLUMNS = 32
"""Residues modulo `_FAR` that are taken together: for 1e7 phases, 160 kB."""


def _blocked(
    x: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: Statistic,
    gapped: bool,
    *,
    xp: Any,
) -> tuple[Array, Array]:
    totals, counts = xp.zeros(len(samples)), xp.asarray(terms, dtype=xp.int64)

    def add(x: Array, wanted: list[int]) -> None:
        _add_all(x, breaks, samples, terms, wanted, statistic, gapped, totals, counts, xp)

    with _blocks.one_blas_thread():
        if not statistic.modified:
            far = [] if gapped else [i for i, m in enumerate(samples) if m % _FAR == 0]
            add(x, [i for i in range(len(samples)) if i not in far])
            if far:
                _add_far(x, samples, terms, far, statistic, totals, xp)
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
            add(sums, [i])
    return totals, counts


def _add_all(
    x: Array, breaks: Array | None, samples: Any, terms: Any, wanted: list[int], statistic: Statistic, gapped: bool,
    totals: Array, counts: Array, xp: Any,
) -> None:  # fmt: skip
    """Add the squares over samples[i], for each i wanted: block by block, so that it is in the cache for all of them. What the
    blocks give is added up in their order, whatever thread they were in."""
    starts = [(read.start, read.stop) for read, _ in _blocks.blocks(max((terms[i] for i in wanted), default=0), AT_A_TIME)]
    squared, missing = xp.zeros((len(starts), len(samples))), xp.zeros((len(starts), len(samples)), dtype=xp.int64)

    def share(worker: int, workers: int) -> None:
        scratch = xp.empty((2, (statistic.order + 1) * AT_A_TIME))
        for block in range(len(starts) * worker // workers, len(starts) * (worker + 1) // workers):
            start, stop = starts[block]
            for i in wanted:
                count = min(stop, terms[i]) - start
                if count > 0:
                    squared[block, i], missing[block, i] = _of_block(x, breaks, start, count, samples[i], statistic, gapped, scratch, xp)

    threads.side_by_side(share, max(1, min(threads.workers_for(x.shape[0]), len(starts))))
    totals += xp.sum(squared, axis=0)
    counts -= xp.sum(missing, axis=0)


def _add_far(x: Array, samples: Any, terms: Any, far: list[int], statistic: Statistic, totals: Array, xp: Any) -> None:
    """The multiples of `_FAR`: a column of residues, row after row, is a record in which m phases are m/`_FAR` · `_COLUMNS`."""
    rows = x.shape[0] // _FAR
    grid, last = x[: rows * _FAR].reshape(rows, _FAR), x[rows * _FAR :]
    apart = [m // _FAR * _COLUMNS for m in samples]
    firsts = range(0, _FAR, _COLUMNS)
    squared = xp.zeros((len(firsts), len(samples)))

    def share(worker: int, workers: int) -> None:
        column, scratch = xp.empty((rows + 1) * _COLUMNS), xp.empty((2, (statistic.order + 1) * AT_A_TIME))
        for k in range(len(firsts) * worker // workers, len(firsts) * (worker + 1) // workers):
            first = firsts[k]
            column[: rows * _COLUMNS].reshape(rows, _COLUMNS)[...] = grid[:, first : first + _COLUMNS]
            there = last[first : first + _COLUMNS]
            column[rows * _COLUMNS : rows * _COLUMNS + there.shape[0]] = there
            for i in far:
                inside = terms[i] // _FAR * _COLUMNS + min(max(terms[i] % _FAR - first, 0), _COLUMNS)
                for read, _ in _blocks.blocks(inside, AT_A_TIME):
                    count = read.stop - read.start
                    squared[k, i] += _of_block(column, None, read.start, count, apart[i], statistic, False, scratch, xp)[0]

    threads.side_by_side(share, threads.workers_for(x.shape[0]))
    totals += xp.sum(squared, axis=0)


def _of_block(
    x: Array, breaks: Array | None, start: int, count: int, m: int, statistic: Statistic, gapped: bool, scratch: Array, xp: Any,
) -> tuple[float, int]:  # fmt: skip
    """Sum of the squares of the terms start … start + count − 1 over m samples; how many of them have a gap, and are left out."""
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
    gaps = 0
    if gapped:
        missing = xp.isnan(d)
        if breaks is not None:
            span = statistic.span(m)
            missing |= breaks[start + span : start + span + count] != breaks[start : start + count]
        d[missing] = 0.0
        gaps = int(missing.sum())
    return float(xp.dot(d, d)), gaps


# --- Numba ----------------------------------------------------------------------------------------------------------


def _numba(
    x: Array, samples: tuple[int, ...], terms: tuple[int, ...], statistic: Statistic, *, xp: Any
) -> tuple[Array, Array]:
    x = xp.ascontiguousarray(x)
    parallel = compiled.parallel_pays(x.shape[0] * len(samples))
    counts = xp.asarray(terms, dtype=xp.int64)
    if statistic.modified and samples == tuple(1 << i for i in range(len(samples))):
        return _numba_octaves(x, counts, parallel, xp=xp), counts
    add = allan_compiled.bodies(parallel).differences

    def total(data: Array, i: int, until: int) -> Array:
        partial = xp.zeros((-(-max(terms[i:until]) // allan_compiled.TILE), until - i))
        add(data, xp.asarray(samples[i:until], dtype=xp.int64), counts[i:until], statistic.order, partial)
        return xp.sum(partial, axis=0)

    if not statistic.modified:
        return total(x, 0, len(samples)), counts
    totals = xp.zeros(len(samples))
    x = sums = _without_line(x, False, xp=xp)
    summed = 1
    for i, m in enumerate(samples):
        if terms[i]:
            sums, summed = _window_sums(x, sums, summed, m), m
            totals[i] = total(sums, i, i + 1)[0]
    return totals, counts


def _numba_octaves(x: Array, counts: Array, parallel: bool, *, xp: Any) -> Array:
    """Modified, m = 1, 2, 4 …: the first octaves chunk by chunk, the others by residues, each from one pass through memory."""
    import numba

    fast, bodies = allan_compiled, allan_compiled.bodies(parallel)
    n, workers = x.shape[0], numba.get_num_threads() if parallel else 1
    used = int(xp.count_nonzero(counts))
    totals = xp.zeros(counts.shape[0])
    if used == 0:
        return totals
    short = min(used, fast.LEVELS)
    m = 1 << short
    sums = xp.empty(n - m + 1 if used > short else 0)
    slope = (x[-1] - x[0]) / max(1, n - 1)
    partial = xp.zeros((-(-n // fast.CHUNK), short))
    bodies.chunks(x, slope, counts[:short], partial, sums, xp.empty((workers, min(n, fast.CHUNK + 3 * m // 2))))
    totals[:short] = xp.sum(partial, axis=0)
    if used > short:
        partial = xp.zeros((m // fast.COLUMNS, used - short))
        scratch = xp.empty((workers, -(-n // m) * fast.COLUMNS))
        bodies.columns(sums, m, counts[short:used], partial, scratch)
        totals[short:used] = xp.sum(partial, axis=0)
    return totals


# --- CUDA -----------------------------------------------------------------------------------------------------------

_THREADS = 256
_BLOCKS = 256


def _cuda(
    x: Array,
    breaks: Array | None,
    samples: tuple[int, ...],
    terms: tuple[int, ...],
    statistic: Statistic,
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
