"""Quadrature signals: the ellipse they draw (Heydemann), its correction, the phase, and the count of its turns.

The phase of a sample is its angle within the turn plus a whole number of turns times 2π. The turns are integers, so nothing
accumulates: after a metre of fringes the phase is as good as in the first one. (Adding up corrected differences, as
`numpy.unwrap` does, loses 0.02 nm in 0.9 m.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks as _blocks
from precision.kernels import compiled, cuda, quadrature_compiled, threads
from precision.kernels.ellipse import Ellipse, signal_pair
from precision.kernels.real_array import result_array

Array = Any


@dataclass(frozen=True, slots=True)
class PhaseState:
    """What the next block has to know of the last: its last angle (−π … π, rad; NaN once the signal was lost) and its turns."""

    angle_rad: float
    turns: int


def unwrapped_phase(
    cosine: Array, sine: Array, /, *, ellipse: Ellipse | None = None, state: PhaseState | None = None, out: Array | None = None
) -> tuple[Array, PhaseState]:
    """Corrected, unwrapped phase of two signals in quadrature, in one pass.

    Parameters
    ----------
    cosine, sine : (n,) float
        The signals p + R cos θ and q + R/r sin(θ − α). Any unit, both the same. Consecutive samples are less than half a turn
        apart: faster motion cannot be told from slower.
    ellipse : Ellipse or None
        From `fit_ellipse`; None takes the signals as they are (centred, equal, in quadrature).
    state : PhaseState or None
        From the block before; None begins with 0 turns, at an angle of −π … π.
    out : (n,) float64 or None
        For the phase: an array of the signals' library, C-contiguous, apart from them, to be filled. None makes a new one.

    Returns
    -------
    phase : (n,) float64
        `out`, or a new array; rad. Position = phase/2π times the signal period. From the first sample on that is NaN or infinite, NaN: how many
        turns were missed is not known.
    state : PhaseState
        For the block after.

    Raises
    ------
    ValueError
        Shapes differ; more than one axis; `out` is not like that.

    References
    ----------
    P. L. M. Heydemann, "Determination and correction of quadrature fringe measurement errors in interferometers", Applied
    Optics 20 (1981) 3382.

    Notes
    -----
    s' = s − p, c' = (s' sin α + r (c − q))/cos α with s = cosine and c = sine; θ = atan2(c', s') + 2π · turns. A turn is counted
    where the angle falls by more than π (one more), or rises by more than π (one less).

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    >>> phase, state = unwrapped_phase(np.cos(theta), np.sin(theta))
    >>> phase.round(9).tolist(), state.turns
    ([0.0, 2.0, 4.0, 6.0, 8.0], 1)
    """
    s, c, xp = signal_pair(cosine, sine)
    ellipse = Ellipse.ideal() if ellipse is None else ellipse
    phase = result_array("out", out, s.shape, cosine, sine, xp=xp)
    if s.shape[0] == 0:
        return phase, PhaseState(0.0, 0) if state is None else state
    correction = ellipse.correction()
    if is_cupy_namespace(xp):
        return phase, _cuda(s, c, correction, state, phase, xp=xp)
    if is_numpy_namespace(xp):
        if compiled.numba_or_none():
            return phase, _numba(s, c, correction, state, phase, xp=xp)
        return phase, _blocked(s, c, correction, state, phase, xp=xp)
    return phase, _generic(s, c, correction, state, phase, xp=xp)


def unwrapped_phase_blocks(
    blocks: Iterable[tuple[Array, Array]], /, *, ellipse: Ellipse | None = None, state: PhaseState | None = None
) -> Iterator[Array]:
    """`unwrapped_phase` of signals that come in blocks: joined, the phases are those of the whole arrays, to the last bit.

    Parameters
    ----------
    blocks : iterable of ((m,) float, (m,) float)
        Consecutive pieces of cosine and sine, of any lengths.

    Yields
    ------
    phase : (m,) float64, rad, one for each block

    Raises
    ------
    ValueError
        As for `unwrapped_phase`.
    """
    for cosine, sine in blocks:
        phase, state = unwrapped_phase(cosine, sine, ellipse=ellipse, state=state)
        yield phase


def corrected(cosine: Array, sine: Array, ellipse: Ellipse, /) -> tuple[Array, Array]:
    """The two signals on a circle about the origin.

    Parameters
    ----------
    cosine, sine : (n,) float
        As for `unwrapped_phase`. Any unit.
    ellipse : Ellipse
        From `fit_ellipse`.

    Returns
    -------
    x, y : (n,) float64
        R cos θ and R sin θ; unit, library and device of the signals.

    Raises
    ------
    ValueError
        Shapes differ; more than one axis.

    References
    ----------
    Heydemann (1981), in the exact form: [s' sin α + r (c − q)]/cos α. Dividing only the second term leaves s' α³/2.
    """
    s, c, _ = signal_pair(cosine, sine)
    p, q, gain, tangent = ellipse.correction()
    x = s - p
    return x, (c - q) * gain + x * tangent


AT_A_TIME = 8 * _blocks.BLOCK
"""Samples in a block of the plain NumPy tier: so many that threads seldom wait for the interpreter."""

Correction = tuple[float, float, float, float]

Handed = SimpleQueue[PhaseState | BaseException | None]
"""From the thread of one block to that of the next: the state in between, or what ended the first."""

_LOST = PhaseState(math.nan, 0)


# --- the definition -------------------------------------------------------------------------------------------------


def _generic(
    s: Array, c: Array, correction: Correction, state: PhaseState | None, out: Array, *, xp: Any
) -> PhaseState:
    p, q, gain, tangent = correction
    there = xp.isfinite(s) & xp.isfinite(c)
    x = s - p
    y = (c - q) * gain + x * tangent
    angle = xp.where(there, xp.atan2(y, x), xp.full_like(s, xp.nan))
    before = angle[:1] if state is None else xp.full((1,), state.angle_rad, dtype=xp.float64, device=device(s))
    step = angle - xp.concat((before, angle[:-1]))
    one, zero = xp.ones_like(step), xp.zeros_like(step)
    jumps = xp.where(step > math.pi, -one, zero) + xp.where(step < -math.pi, one, zero) + (step - step)  # NaN stays
    turns = xp.cumulative_sum(jumps) + (0.0 if state is None else float(state.turns))
    out[...] = angle + (2 * math.pi) * turns
    return _state(float(angle[-1]), float(turns[-1]), state)


def _state(angle: float, turns: float, before: PhaseState | None) -> PhaseState:
    if math.isnan(turns) or math.isnan(angle):
        return PhaseState(math.nan, 0 if before is None else before.turns)
    return PhaseState(angle, int(turns))


# --- NumPy, in blocks -----------------------------------------------------------------------------------------------


def _blocked(
    s: Array, c: Array, correction: Correction, state: PhaseState | None, out: Array, *, xp: Any
) -> PhaseState:
    """Angle = arctan(y/x) + π · half turns, which change by one wherever x changes its sign: up where the arctangent falls.

    An arctangent takes half the time of an atan2, and a quotient saves two passes of the correction. Threads take turns at the
    blocks; each hands the state after its block to the next as soon as the half turns are counted, before it adds them.
    """
    pieces = [read for read, _ in _blocks.blocks(s.shape[0], AT_A_TIME)]
    workers = min(threads.workers_for(s.shape[0]), len(pieces))
    handed: list[Handed] = [SimpleQueue() for _ in range(workers)]
    handed[0].put(state)

    def share(worker: int, workers: int) -> None:
        before, after = handed[worker], handed[(worker + 1) % workers]
        scratch = _blocks.scratch((2, min(s.shape[0], AT_A_TIME)), xp=xp)
        try:
            for read in pieces[worker::workers]:
                _block(s[read], c[read], correction, before, after, out[read], scratch, xp=xp)
        except BaseException as error:
            after.put(error)  # so that none waits for ever
            raise

    with _blocks.one_blas_thread():
        threads.side_by_side(share, workers)
    last = handed[len(pieces) % workers].get()
    assert isinstance(last, PhaseState)
    return _state(math.nan, math.nan, state) if math.isnan(last.angle_rad) else last


def _block(
    s: Array, c: Array, correction: Correction, before: Handed, after: Handed, out: Array, scratch: Array, *, xp: Any
) -> None:  # fmt: skip
    """The phases of one block into `out`, once the state before it is there; the state after it."""
    x, angle = _half_angles(s, c, correction, scratch[:, : s.shape[0]], xp=xp)
    n = x.shape[0]
    if n:
        first, last = (_whole_angle(float(s[i]), float(c[i]), correction) for i in (0, n - 1))
        begun, ended = round((first - float(angle[0])) / math.pi), round((last - float(angle[-1])) / math.pi)
        changes, gained = _half_turns(x, angle, xp=xp)
    state = before.get()
    if isinstance(state, BaseException):
        raise state
    if state is not None and math.isnan(state.angle_rad):
        n = 0
    if n < s.shape[0]:
        after.put(_LOST)
        out[n:] = xp.nan
    if n:
        half_turns = begun + (0 if state is None else 2 * (state.turns + _gained(first - state.angle_rad)))
        if n == s.shape[0]:
            after.put(PhaseState(last, (half_turns + gained - ended) // 2))
        _add_half_turns(angle[:n], half_turns, changes, out[:n], xp=xp)


def _half_angles(s: Array, c: Array, correction: Correction, scratch: Array, *, xp: Any) -> tuple[Array, Array]:
    """x and arctan(y/x) up to the first sample that is NaN or infinite, in `scratch`, (2, n)."""
    p, q, gain, tangent = correction
    x, angle = scratch
    undefined: list[str] = []
    with xp.errstate(divide="ignore", over="ignore", invalid="call", call=lambda kind, _: undefined.append(kind)):
        xp.subtract(s, p, out=x)
        xp.subtract(c, q, out=angle)
        if not math.isfinite(float(xp.dot(x, angle))):  # or an overflow, which then turns out to be none
            lost = xp.flatnonzero(~(xp.isfinite(x) & xp.isfinite(angle)))
            x, angle = scratch[:, : int(lost[0]) if lost.shape[0] else None]
        xp.divide(angle, x, out=angle)
        xp.multiply(angle, gain, out=angle)
        xp.add(angle, tangent, out=angle)
        xp.atan(angle, out=angle)
    if undefined:
        angle[xp.isnan(angle)] = 0.0  # both signals at the centre of the ellipse
    return x, angle


def _half_turns(x: Array, angle: Array, *, xp: Any) -> tuple[tuple[Array, Array] | None, int]:
    """Where x changes its sign, the half turns gained up to each change: (lengths between changes, half turns there), None
    without a change; and those of the last sample."""
    negative = x < 0
    at = xp.flatnonzero(negative[1:] != negative[:-1])
    changes = at.shape[0]
    if changes == 0:
        return None, 0
    following = at + 1
    counted, edges = xp.empty(changes + 1, dtype=xp.int64), xp.empty(changes + 2, dtype=xp.int64)
    counted[0] = 0
    falls = xp.cumulative_sum(xp.take(angle, following) < xp.take(angle, at), dtype=xp.int64)
    xp.subtract(2 * falls, xp.arange(1, changes + 1), out=counted[1:])
    edges[0], edges[-1] = 0, x.shape[0]
    edges[1:-1] = following
    return (edges[1:] - edges[:-1], counted), int(counted[-1])


def _add_half_turns(angle: Array, half_turns: int, changes: tuple[Array, Array] | None, out: Array, *, xp: Any) -> None:
    """`out`: angle + π · half turns, from those of the first sample on."""
    if changes is None:
        xp.add(angle, math.pi * half_turns, out=out)
        return
    lengths, counted = changes
    xp.add(angle, xp.repeat(math.pi * (counted + half_turns), lengths), out=out)


def _whole_angle(s: float, c: float, correction: Correction) -> float:
    p, q, gain, tangent = correction
    x = s - p
    return math.atan2((c - q) * gain + x * tangent, x)


def _gained(step: float) -> int:
    """Turns gained by a step from angle to angle."""
    return (step < -math.pi) - (step > math.pi)


# --- Numba ----------------------------------------------------------------------------------------------------------


def _numba(
    s: Array, c: Array, correction: Correction, state: PhaseState | None, out: Array, *, xp: Any
) -> PhaseState:
    import numba

    parallel = compiled.parallel_pays(s.shape[0])
    workers = numba.get_num_threads() if parallel else 1
    counted = xp.empty((2, min(quadrature_compiled.PART, s.shape[0])), dtype=xp.uint8)
    found = xp.empty((workers, 2))
    last = math.nan if state is None else state.angle_rad
    turns = 0 if state is None else state.turns
    last, turns = quadrature_compiled.body(parallel)(
        xp.ascontiguousarray(s), xp.ascontiguousarray(c), *correction, state is None, last, turns, counted, found, out
    )
    return _state(float(last), math.nan if math.isnan(last) else float(turns), state)


# --- CUDA -----------------------------------------------------------------------------------------------------------

_THREADS = 256
_TILE = 2048


def _cuda(s: Array, c: Array, correction: Correction, state: PhaseState | None, out: Array, *, xp: Any) -> PhaseState:
    """The turns of each tile, their running sum, then the phases."""
    s, c = xp.ascontiguousarray(s), xp.ascontiguousarray(c)
    n = s.shape[0]
    tiles = -(-n // _TILE)
    gained = xp.empty((tiles,), dtype=xp.float64)
    last = math.nan if state is None else state.angle_rad
    begun = 0.0 if state is None else float(state.turns)
    common = (s, c, *correction, int(state is None), last)
    cuda.launch(
        "quadrature",
        "quadrature_gained",
        (*common, gained, n, _TILE, tiles),
        grid=cuda.grid_for(tiles, 1),
        block=_THREADS,
    )
    turns = xp.cumulative_sum(gained) + begun
    before = xp.concat((xp.full((1,), begun, dtype=xp.float64), turns[:-1]))
    cuda.launch(
        "quadrature",
        "quadrature_phase",
        (*common, before, out, n, _TILE, tiles),
        grid=cuda.grid_for(tiles, 1),
        block=_THREADS,
    )
    last = _whole_angle(float(s[n - 1]), float(c[n - 1]), correction)
    return _state(last, float(turns[tiles - 1]), state)
