"""Positioning: the figures of ISO 230-2 for batches of trials, and trials drawn around one measurement.

Any unit: figures come in the unit of the deviations. The axes of one trial are approach (0 = ↑, 1 = ↓), target, run.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks, compiled, cuda, philox
from precision.kernels.real_array import real_array, whole_number

Array = Any


class PositioningFigures(NamedTuple):
    """The axis figures, each of the batch's shape. Signed: B_mean. All others are ≥ 0."""

    A: Array
    A_up: Array
    A_down: Array
    E: Array
    E_up: Array
    E_down: Array
    M: Array
    R: Array
    R_up: Array
    R_down: Array
    B: Array
    B_mean: Array


FIGURES = PositioningFigures._fields


def positioning_figures(deviation: Array, /) -> PositioningFigures:
    """Accuracy and repeatability of positioning (A, E, M, R, B and their unidirectional parts) of many trials.

    Parameters
    ----------
    deviation : (..., 2, m, n) float, m ≥ 1, n ≥ 2
        Actual minus target position x_ij: approach (0 = ↑, 1 = ↓), target, run. Any unit.

    Returns
    -------
    PositioningFigures
        Twelve arrays (...), in the unit of `deviation`. A trial with a NaN or infinite deviation has NaN for all twelve.

    Raises
    ------
    ValueError
        Another shape, or not an array of real numbers.

    References
    ----------
    ISO 230-2:2014, clause 3 (from memory of the standard; checked against published results).

    Notes
    -----
    x̄_i = Σ_j x_ij / n and s_i = √(Σ_j (x_ij − x̄_i)² / (n − 1)), for ↑ and ↓; B_i = x̄_i↑ − x̄_i↓; B = max |B_i|; B̄ = Σ B_i / m;
    R_i = max(2 s_i↑ + 2 s_i↓ + |B_i|, 4 s_i↑, 4 s_i↓); R = max R_i; R↑ = max 4 s_i↑; E = range of all x̄_i; M = range of
    (x̄_i↑ + x̄_i↓)/2; A = max(x̄_i + 2 s_i) − min(x̄_i − 2 s_i).

    Examples
    --------
    >>> import numpy as np
    >>> trial = np.array([[[1.0, 3.0], [4.0, 4.0]], [[0.0, 0.0], [2.0, 2.0]]])
    >>> figures = positioning_figures(trial)
    >>> float(figures.E), float(figures.B), float(figures.B_mean), float(figures.M)
    (4.0, 2.0, 2.0, 2.0)
    """
    expected = "(..., 2, m, n) with m ≥ 1 targets and n ≥ 2 runs"
    deviation, xp = real_array("deviation", deviation, expected)
    shape = tuple(deviation.shape)
    if len(shape) < 3 or shape[-3] != 2 or shape[-2] < 1 or shape[-1] < 2:
        raise ValueError(f"deviation has shape {shape}; expected {expected}")
    trials = xp.reshape(deviation, (-1, *shape[-3:])) if deviation.size else xp.reshape(deviation, (0, *shape[-3:]))
    if is_cupy_namespace(xp):
        found = _cuda(trials, xp=xp)
    elif is_numpy_namespace(xp) and compiled.numba_or_none():
        found = _numba(trials, xp=xp)
    elif is_numpy_namespace(xp):
        found = _blocked(trials, xp=xp)
    else:
        found = _generic(xp.moveaxis(trials, 0, -1), xp=xp)
    return PositioningFigures(*(xp.reshape(found[k, ...], shape[:-3]) for k in range(len(FIGURES))))


def drawn_positioning_figures(
    deviation: Array,
    position: Array,
    /,
    *,
    trials: int,
    seed: int,
    reading_std: float,
    scale_std: float = 0.0,
    first_trial: int = 0,
) -> PositioningFigures:
    """Figures of trials drawn around a measurement: a Monte Carlo of the readings' errors (JCGM 101).

    Parameters
    ----------
    deviation : (2, m, n) float, m ≥ 1, n ≥ 2
        Measured deviations: approach (0 = ↑, 1 = ↓), target, run. Any unit.
    position : (m,) float
        Target positions, from where the scale error counts. Same unit.
    trials : int
        How many trials, ≥ 0.
    seed : int
        0 … 2⁶⁴ − 1. The same seed gives the same trials in every tier, on any number of threads.
    reading_std : float
        Standard deviation of the error v of one reading. Same unit, ≥ 0.
    scale_std : float
        Standard deviation of the error of the scale, a ratio, common to a whole trial. ≥ 0.
    first_trial : int
        Number of the first trial, ≥ 0: trials 0 … 9 are trials 0 … 4 and then, with `first_trial=5`, 5 … 9.

    Returns
    -------
    PositioningFigures
        Twelve arrays (trials,).

    Raises
    ------
    ValueError
        Another shape, not real numbers, a number outside its range.

    References
    ----------
    J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11): Philox4x32-10. G. E. P. Box, M. E. Muller (1958).

    Notes
    -----
    Trial t: x_ij = deviation_ij + scale_std·z_t0·position_i + reading_std·z_tq, with standard normal z; q = 1 + (2i + d)n + j for
    approach d, target i, run j. z_tq is a pure function of seed, t and q (see `philox`).
    """
    expected = "(2, m, n) with m ≥ 1 targets and n ≥ 2 runs"
    deviation, xp = real_array("deviation", deviation, expected, ndim=3)
    if deviation.shape[0] != 2 or deviation.shape[1] < 1 or deviation.shape[2] < 2:
        raise ValueError(f"deviation has shape {tuple(deviation.shape)}; expected {expected}")
    targets = f"({deviation.shape[1]},), one for each target of deviation {tuple(deviation.shape)}"
    position, _ = real_array("position", position, targets, ndim=1)
    if position.shape[0] != deviation.shape[1]:
        raise ValueError(f"position has shape {tuple(position.shape)}; expected {targets}")
    trials, first_trial = (
        whole_number("trials", trials, "a number of trials"),
        whole_number("first_trial", first_trial, "a trial"),
    )
    seed = whole_number("seed", seed, "a whole number from 0 to 2⁶⁴ − 1")
    for name, number, end in (("trials", trials, 2**62), ("first_trial", first_trial, 2**62), ("seed", seed, 2**64)):
        if not 0 <= number < end:
            raise ValueError(f"{name} is {number}; expected 0 ≤ {name} < 2^{end.bit_length() - 1}")
    for name, value in (("reading_std", reading_std), ("scale_std", scale_std)):
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{name} is {value!r}; expected a standard deviation ≥ 0")
    draw = _Draw(deviation, position, float(reading_std), float(scale_std), seed, first_trial, trials)
    if is_cupy_namespace(xp):
        found = _drawn_cuda(draw, xp=xp)
    elif is_numpy_namespace(xp) and compiled.numba_or_none():
        found = _drawn_numba(draw, xp=xp)
    else:
        found = _drawn_generic(draw, xp=xp)
    return PositioningFigures(*(found[k, ...] for k in range(len(FIGURES))))


class _Draw(NamedTuple):
    deviation: Array
    position: Array
    reading_std: float
    scale_std: float
    seed: int
    first_trial: int
    trials: int


def _generic(x: Array, *, xp: Any) -> Array:
    """The definition: x (2, m, n, t) → (12, t). Trials are the last axis, so that sums over the few runs are sums of long rows."""
    n = x.shape[2]
    mean = xp.sum(x, axis=2) / n
    d = x - mean[:, :, None, :]
    twice_s = xp.sqrt(xp.sum(d * d, axis=2) * (4.0 / (n - 1)))
    high, low = mean + twice_s, mean - twice_s
    reversal = mean[0, ...] - mean[1, ...]
    size = xp.abs(reversal)
    middle = (mean[0, ...] + mean[1, ...]) / 2
    repeatability = xp.maximum(xp.sum(twice_s, axis=0) + size, 2 * xp.max(twice_s, axis=0))
    top, bottom = xp.max(mean, axis=1), xp.min(mean, axis=1)
    peak, valley = xp.max(high, axis=1), xp.min(low, axis=1)
    widest = 2 * xp.max(twice_s, axis=1)
    total = xp.sum(mean, axis=(0, 1))
    lost = total - total  # NaN where a deviation is not finite, else 0
    return lost + xp.stack([
        xp.max(peak, axis=0) - xp.min(valley, axis=0),
        peak[0, ...] - valley[0, ...],
        peak[1, ...] - valley[1, ...],
        xp.max(top, axis=0) - xp.min(bottom, axis=0),
        top[0, ...] - bottom[0, ...],
        top[1, ...] - bottom[1, ...],
        xp.max(middle, axis=0) - xp.min(middle, axis=0),
        xp.max(repeatability, axis=0),
        widest[0, ...],
        widest[1, ...],
        xp.max(size, axis=0),
        xp.mean(reversal, axis=0),
    ])  # fmt: skip


def _blocked(trials: Array, *, xp: Any) -> Array:
    count = trials.shape[0]
    readings = math.prod(trials.shape[1:])
    out = xp.empty((len(FIGURES), count))
    for _, part in blocks.blocks(count, max(1, 2 * blocks.BLOCK // readings)):
        out[:, part] = _generic(xp.ascontiguousarray(xp.moveaxis(trials[part], 0, -1)), xp=xp)
    return out


def _numba(trials: Array, *, xp: Any) -> Array:
    from precision.kernels import positioning_compiled as bodies

    trials = xp.ascontiguousarray(trials)
    count, _, m, n = trials.shape
    parallel = compiled.parallel_pays(trials.size)
    threads = compiled.numba_or_none().get_num_threads() if parallel else 1  # type: ignore[union-attr]
    out = xp.empty((len(FIGURES), count))
    scratch = xp.empty((threads, bodies.rows_needed(m, n), bodies.LANES))
    bodies.figures(parallel)(trials, scratch, out)
    return out


def _cuda(trials: Array, *, xp: Any) -> Array:
    count, _, m, n = trials.shape
    out = xp.empty((len(FIGURES), count), dtype=xp.float64)
    stride = (2 * m * n) | 1  # odd, so that the trials of a tile begin in different banks of shared memory
    tile = max(1, min(128, 48 * 1024 // (8 * stride)))
    grid = cuda.grid_for(count, tile)
    args = (xp.ascontiguousarray(trials), m, n, count, tile, stride, out)
    cuda.launch("positioning", "positioning_figures", args, grid=grid, block=128, shared=8 * stride * tile)
    return out


def _drawn_generic(draw: _Draw, *, xp: Any) -> Array:
    """The definition, over so many trials at a time that their readings stay in the cache."""
    _, m, n = draw.deviation.shape
    where = device(draw.deviation)
    parts = []
    for _, part in blocks.blocks(draw.trials, max(1, blocks.BLOCK // (2 * m * n))):
        number = xp.arange(draw.first_trial + part.start, draw.first_trial + part.stop, dtype=xp.uint64, device=where)
        z = philox.standard_normal(draw.seed, number, 1 + 2 * m * n, xp=xp)  # (1 + 2mn, t)
        readings = xp.permute_dims(xp.reshape(z[1:, ...], (m, 2, n, -1)), (1, 0, 2, 3))
        scale = draw.scale_std * draw.position[:, None, None] * z[0, ...]
        parts.append(_generic(draw.deviation[..., None] + scale[None, ...] + draw.reading_std * readings, xp=xp))
    return xp.concat(parts, axis=-1) if parts else xp.zeros((len(FIGURES), 0), dtype=xp.float64, device=where)


def _drawn_numba(draw: _Draw, *, xp: Any) -> Array:
    from precision.kernels import positioning_compiled as bodies

    _, m, n = draw.deviation.shape
    parallel = compiled.parallel_pays(draw.trials * 2 * m * n)
    threads = compiled.numba_or_none().get_num_threads() if parallel else 1  # type: ignore[union-attr]
    out = xp.empty((len(FIGURES), draw.trials))
    scratch = xp.empty((threads, bodies.rows_needed(m, n) + bodies.DRAWING, bodies.LANES))
    bodies.drawn(parallel)(
        xp.ascontiguousarray(draw.deviation), xp.ascontiguousarray(draw.position), draw.reading_std, draw.scale_std,
        xp.uint64(draw.seed), draw.first_trial, scratch, scratch.view(xp.int64), out,
    )  # fmt: skip
    return out


def _drawn_cuda(draw: _Draw, *, xp: Any) -> Array:
    _, m, n = draw.deviation.shape
    out = xp.empty((len(FIGURES), draw.trials), dtype=xp.float64)
    seed = draw.seed if draw.seed < 2**63 else draw.seed - 2**64  # the same 64 bits, signed
    args = (
        xp.ascontiguousarray(draw.deviation), xp.ascontiguousarray(draw.position), m, n, draw.reading_std, draw.scale_std,
        seed, draw.first_trial, draw.trials, out,
    )  # fmt: skip
    cuda.launch("positioning", "drawn_positioning_figures", args, grid=cuda.grid_for(draw.trials, 128), block=128)
    return out
