"""Power spectral densities (Welch): one-sided, of one signal or between two, in one pass over data of any length.

Segments are cut, freed of their mean or line, weighted and transformed a few at a time in buffers that are used again, so that
the memory needed is that of a few segments, however long the data.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from array_api_compat import array_namespace, device, is_numpy_namespace

from precision.kernels.cosine_window import WINDOWS, cosine_window
from precision.kernels.real_array import positive_number, real_array, whole_number

Array = Any
Detrend = Literal["none", "constant", "linear"]

_BATCH = 65_536
"""Samples that are transformed at a time: one segment at least."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """One-sided density and what has to be reported with it.

    frequency_hz : (m,) float64, 0 … rate/2.  density : (m,) float64, unit² / Hz; complex128 between two signals.
    rate_hz, segment, overlap : of the estimate; samples.  window : its name, or "given".  detrend : of each segment.
    averages : segments.  effective_averages : K_eff, as many independent ones; the estimate has 2 K_eff degrees of freedom.
    enbw_hz : equivalent noise bandwidth. √(density · enbw_hz) is the rms spectrum, in which the height of a line is its rms value.
    """

    frequency_hz: Array
    density: Array
    rate_hz: float
    segment: int
    overlap: int
    window: str
    detrend: Detrend
    averages: int
    effective_averages: float
    enbw_hz: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossSpectrum(Spectrum):
    """Spectrum between two signals: density is S_xy = ⟨X* Y⟩, with those of both.

    density_x, density_y : (m,) float64.  coherence : (m,) float64, |S_xy|²/(S_xx S_yy), 0 … 1; NaN where a density is 0.
        Identically 1 for a single segment, and biased by 1/averages.
    """

    density_x: Array
    density_y: Array
    coherence: Array


def power_spectrum(
    data: Array | Iterable[Array],
    /,
    *,
    rate_hz: float,
    segment: int,
    overlap: int | None = None,
    window: str | Array = "hann",
    detrend: Detrend = "constant",
) -> Spectrum:
    """Power spectral density (PSD), averaged over overlapping segments (Welch).

    Parameters
    ----------
    data : (n,) float, or iterable of (m,) float
        Equally spaced samples, or consecutive pieces of them, of any lengths; both give the same answer. Any unit. Samples
        behind the last whole segment are not used.
    rate_hz : float
        Samples a second.
    segment : int
        Samples in a segment: 2 … n. Resolution is rate_hz/segment times the window's width.
    overlap : int or None
        Samples that neighbouring segments share: 0 … segment − 1; None for half of them, rounded down.
    window : str or (segment,) float
        One of `WINDOWS`, or the weights themselves.
    detrend : str
        Taken off each segment before it is weighted: its mean ("constant"), a line by least squares ("linear"), "none".

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        A segment longer than the data; NaN or infinities in the data; an unknown window.

    References
    ----------
    G. Heinzel, A. Rüdiger, R. Schilling, "Spectrum and spectral density estimation by the DFT" (2002): windows, ENBW.
    P. D. Welch, IEEE Trans. Audio Electroacoustics 15 (1967) 70: averaging and its degrees of freedom.

    Notes
    -----
    S = 2/(fs Σ w²) ⟨|DFT(w x)|²⟩ (not doubled at 0 and fs/2), ENBW = fs Σ w²/(Σ w)²,
    K_eff = K/(1 + 2 Σ_m (1 − m/K) ρ_m²) with ρ_m the window's autocorrelation at m hops.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.cos(2 * np.pi * np.arange(64) / 8)
    >>> found = power_spectrum(tone, rate_hz=64.0, segment=32, window="rectangular")
    >>> float(found.frequency_hz[4]), round(float(found.density[4]) * found.enbw_hz, 9)
    (8.0, 0.5)
    """
    plan = _Plan.of(rate_hz, segment, overlap, window, detrend)
    sums, xp = _averaged(_pieces(data), plan, signals=1, reused=not hasattr(data, "dtype"))
    return Spectrum(**_described(plan, sums, xp), density=_one_sided(sums.totals[0], plan, sums, xp))


def cross_spectrum(
    x: Array | Iterable[Array],
    y: Array | Iterable[Array],
    /,
    *,
    rate_hz: float,
    segment: int,
    overlap: int | None = None,
    window: str | Array = "hann",
    detrend: Detrend = "constant",
) -> CrossSpectrum:
    """Cross spectral density (CSD) of two signals, their own densities, and the coherence.

    Parameters
    ----------
    x, y : (n,) float, or iterable of (m,) float
        Sampled at the same times. Any units. As blocks: both in pieces of the same lengths.
    rate_hz, segment, overlap, window, detrend
        As for `power_spectrum`.

    Returns
    -------
    CrossSpectrum

    Raises
    ------
    ValueError
        As for `power_spectrum`; lengths that differ.

    References
    ----------
    As for `power_spectrum`.

    Notes
    -----
    S_xy = 2/(fs Σ w²) ⟨DFT(w x)* DFT(w y)⟩: its phase is that of y against x, so S_xy/S_xx estimates the response from x to y.
    """
    plan = _Plan.of(rate_hz, segment, overlap, window, detrend)
    reused = not (hasattr(x, "dtype") and hasattr(y, "dtype"))
    sums, xp = _averaged(_paired(x, y), plan, signals=2, reused=reused)
    density_x, density_y, real, imag = (_one_sided(total, plan, sums, xp) for total in sums.totals)
    density = real + 1j * imag
    product = density_x * density_y
    some = product > 0
    square = real * real + imag * imag
    coherence = xp.where(some, square / xp.where(some, product, xp.ones_like(product)), xp.full_like(product, xp.nan))
    return CrossSpectrum(
        **_described(plan, sums, xp), density=density, density_x=density_x, density_y=density_y, coherence=coherence
    )


def cumulative_power(frequency_hz: Array, density: Array, /) -> tuple[Array, Array]:
    """Cumulative power spectrum (CPS), from low and from high frequencies. Its square root is the cumulative amplitude spectrum.

    Parameters
    ----------
    frequency_hz : (m,) float
        Ascending, equally spaced, Hz.
    density : (m,) float
        One-sided density, unit² / Hz.

    Returns
    -------
    upwards, downwards : (m,) float64
        Unit². Sums of density times spacing, of all lines up to each frequency and of all from it on, both with its own; the
        last of the one and the first of the other are the variance (Parseval).

    Raises
    ------
    ValueError
        Shapes differ; fewer than two lines; frequencies not ascending in equal steps.

    References
    ----------
    As for `power_spectrum`.

    Examples
    --------
    >>> import numpy as np
    >>> up, down = cumulative_power(np.array([0.0, 2.0, 4.0]), np.array([1.0, 0.5, 0.25]))
    >>> up.tolist(), down.tolist()
    ([2.0, 3.0, 3.5], [3.5, 1.5, 0.5])
    """
    f, xp = real_array("frequency_hz", frequency_hz, "(m,) with m ≥ 2", ndim=1)
    s, _ = real_array("density", density, "(m,)", ndim=1)
    if f.shape[0] < 2 or f.shape != s.shape:
        raise ValueError(
            f"density has shape {s.shape} and frequency_hz has shape {f.shape}; expected the same, with at least 2 lines"
        )
    step = float(f[-1] - f[0]) / (f.shape[0] - 1)
    spread = float(xp.max(xp.abs(f[1:] - f[:-1] - step)))
    if not (step > 0 and spread <= 1e-6 * step):
        raise ValueError(
            f"frequency_hz has shape {f.shape} and steps that differ by {spread:g} Hz from {step:g} Hz; expected ascending, equal steps"
        )
    upwards = xp.cumulative_sum(s) * step
    downwards = xp.flip(xp.cumulative_sum(xp.flip(s))) * step
    return upwards, downwards


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Checked parameters. weights: the window, in whatever it was given; None for one of `WINDOWS`."""

    rate_hz: float
    segment: int
    overlap: int
    window: str
    weights: Any
    detrend: Detrend

    @staticmethod
    def of(rate_hz: Any, segment: Any, overlap: Any, window: Any, detrend: Any) -> _Plan:
        rate = positive_number("rate_hz", rate_hz, "samples a second, above 0")
        length = whole_number("segment", segment, "a number of samples ≥ 2")
        if length < 2:
            raise ValueError(f"segment is {length} samples; expected at least 2")
        shared = length // 2 if overlap is None else whole_number("overlap", overlap, "a number of samples, or None")
        if not 0 <= shared < length:
            raise ValueError(f"overlap is {shared} samples; expected 0 … {length - 1}, less than the segment")
        if detrend not in ("none", "constant", "linear"):
            raise ValueError(f"detrend is {detrend!r}; expected 'none', 'constant' or 'linear'")
        if isinstance(window, str):
            if window not in WINDOWS:
                raise ValueError(
                    f"window is {window!r}; expected one of {', '.join(WINDOWS)}, or weights of shape ({length},)"
                )
            return _Plan(rate, length, shared, window, None, detrend)
        weights, wxp = real_array("window", window, f"({length},)", ndim=1)
        if weights.shape[0] != length:
            raise ValueError(f"window has shape {weights.shape}; expected ({length},), as long as the segment")
        if not bool(wxp.all(wxp.isfinite(weights))) or float(wxp.sum(weights)) == 0.0:
            raise ValueError(f"window has shape {weights.shape}; expected finite weights whose sum is not 0")
        return _Plan(rate, length, shared, "given", weights, detrend)

    def taper(self, xp: Any, like: Array) -> Array:
        """The window, (segment,), in the library and on the device of the data."""
        return cosine_window(self.window, self.segment, like, xp=xp) if self.weights is None else self.weights


def _described(plan: _Plan, sums: _Sums, xp: Any) -> dict[str, Any]:
    bandwidth = plan.rate_hz * sums.squares / sums.weight**2
    return {
        "frequency_hz": xp.arange(plan.segment // 2 + 1, dtype=xp.float64, device=device(sums.totals[0]))
        * (plan.rate_hz / plan.segment),
        "rate_hz": plan.rate_hz,
        "segment": plan.segment,
        "overlap": plan.overlap,
        "window": plan.window,
        "detrend": plan.detrend,
        "averages": sums.segments,
        "effective_averages": sums.effective,
        "enbw_hz": bandwidth,
    }


def _one_sided(total: Array, plan: _Plan, sums: _Sums, xp: Any) -> Array:
    """Sum of |DFT|² to density; twice, where the negative frequency is folded in."""
    scale = 1.0 / (sums.segments * plan.rate_hz * sums.squares)
    once, twice = (
        xp.ones((1,), dtype=xp.float64, device=device(total)),
        2 * xp.ones((total.shape[0] - 1,), dtype=xp.float64, device=device(total)),
    )
    if plan.segment % 2 == 0:
        twice[-1] = 1.0
    return total * (xp.concat((once, twice)) * scale)


# --- one pass over the data -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """totals: of |X|² (and |Y|², Re X*Y, Im X*Y) over the segments. weight: Σ w. squares: Σ w². effective: K_eff."""

    totals: tuple[Array, ...]
    weight: float
    squares: float
    segments: int
    effective: float


def _pieces(data: Any) -> Iterator[tuple[Array, ...]]:
    if hasattr(data, "dtype"):
        yield (real_array("data", data, "(n,), or blocks of it", ndim=1)[0],)
        return
    try:
        blocks = iter(data)
    except TypeError:
        raise ValueError(
            f"data is a {type(data).__name__}; expected an array of shape (n,), or an iterable of such blocks"
        ) from None
    for block in blocks:
        yield (real_array("block", block, "(m,)", ndim=1)[0],)


def _paired(x: Any, y: Any) -> Iterator[tuple[Array, ...]]:
    for one, other in itertools.zip_longest(_pieces(x), _pieces(y)):
        if one is None or other is None or one[0].shape != other[0].shape:
            shown = [None if part is None else part[0].shape for part in (one, other)]
            raise ValueError(f"x has shape {shown[0]} and y has shape {shown[1]}; expected the same, block by block")
        yield one + other


def _averaged(pieces: Iterable[tuple[Array, ...]], plan: _Plan, *, signals: int, reused: bool) -> tuple[_Sums, Any]:
    """All whole segments, `count` at a time from the first on, so that blocks and arrays add up in the same order.

    reused : the source may fill the buffer of a piece again, so that what is kept of it is copied.
    """

    def kept(parts: tuple[Array, ...], start: int) -> tuple[Array, ...]:
        return tuple(xp.asarray(part[start:], copy=True) if reused else part[start:] for part in parts)

    def joined_up() -> tuple[Array, ...]:
        return held[0] if len(held) == 1 else tuple(xp.concat(parts) for parts in zip(*held, strict=True))

    hop = plan.segment - plan.overlap
    xp: Any = None
    batch: _Buffered | _Unbuffered | None = None
    held: list[tuple[Array, ...]] = []
    length = seen = 0
    for piece in pieces:
        if batch is None:
            xp = real_array("data", piece[0], "(n,)")[1]
            batch = (_Buffered if is_numpy_namespace(xp) else _Unbuffered)(plan, signals, piece[0], xp)
        seen += piece[0].shape[0]
        length += piece[0].shape[0]
        held.append(piece)
        need = plan.segment + (batch.count - 1) * hop
        if length < need:
            held[-1] = kept(piece, 0)
            continue
        joined = joined_up()
        start = 0
        while length - start >= need:
            batch.add(tuple(part[start : start + need] for part in joined), batch.count)
            start += batch.count * hop
        held, length = [kept(joined, start)], length - start
    if batch is None or seen < plan.segment:
        raise ValueError(
            f"segment is {plan.segment} samples and data has {seen}; expected a segment no longer than the data"
        )
    rest = (length - plan.segment) // hop + 1 if length >= plan.segment else 0
    if rest:
        batch.add(tuple(part[: plan.segment + (rest - 1) * hop] for part in joined_up()), rest)
    totals = batch.totals()
    if not all(math.isfinite(float(xp.sum(total))) for total in totals):
        raise ValueError(
            f"data has {seen} samples and holds NaN, infinities or numbers near the largest; expected finite samples: fill gaps first"
        )
    w = batch.taper
    squares = float(xp.vecdot(w, w))
    return _Sums(
        totals, float(xp.sum(w)), squares, batch.segments, _independent(w, hop, batch.segments, squares, xp)
    ), xp


def _independent(w: Array, hop: int, segments: int, squares: float, xp: Any) -> float:
    """Number of independent averages: overlapping segments repeat each other by the window's autocorrelation."""
    n = w.shape[0]
    repeated = 0.0
    for m in range(1, min(segments, -(-n // hop))):
        rho = float(xp.vecdot(w[: n - m * hop], w[m * hop :])) / squares
        repeated += 2 * (1 - m / segments) * rho * rho
    return segments / (1 + repeated)


class _Unbuffered:
    """The definition: batches of segments by the array API alone; a large batch, for the devices it is used on."""

    def __init__(self, plan: _Plan, signals: int, like: Array, xp: Any) -> None:
        self._plan, self._xp = plan, xp
        self.count = max(1, 2**22 // plan.segment)
        self.taper = plan.taper(xp, like)
        self.segments = 0
        zero = xp.zeros((plan.segment // 2 + 1,), dtype=xp.float64, device=device(like))
        self._totals = [zero] * (1 if signals == 1 else 4)

    def add(self, signals: tuple[Array, ...], count: int) -> None:
        xp = self._xp
        transformed = [self._transformed(x, count) for x in signals]
        for i, x in enumerate(transformed):
            self._totals[i] = self._totals[i] + xp.sum(xp.real(x) ** 2 + xp.imag(x) ** 2, axis=0)
        if len(transformed) == 2:
            x, y = transformed
            self._totals[2] = self._totals[2] + xp.sum(xp.real(x) * xp.real(y) + xp.imag(x) * xp.imag(y), axis=0)
            self._totals[3] = self._totals[3] + xp.sum(xp.real(x) * xp.imag(y) - xp.imag(x) * xp.real(y), axis=0)
        self.segments += count

    def _transformed(self, x: Array, count: int) -> Array:
        xp, n = self._xp, self._plan.segment
        hop = n - self._plan.overlap
        inside = xp.arange(n, device=device(x))
        rows = xp.reshape(
            xp.take(x, xp.reshape(hop * xp.arange(count, device=device(x))[:, None] + inside[None, :], (-1,))),
            (count, n),
        )
        if self._plan.detrend != "none":
            rows = rows - xp.mean(rows, axis=1, keepdims=True)
        if self._plan.detrend == "linear":
            t = xp.astype(inside, xp.float64) - (n - 1) / 2
            rows = rows - xp.sum(rows * t, axis=1, keepdims=True) / xp.sum(t * t) * t
        return xp.fft.rfft(rows * self.taper, axis=1)

    def totals(self) -> tuple[Array, ...]:
        return tuple(self._totals)


class _Buffered:
    """The same for NumPy, in buffers that stay in the cache and are used again."""

    def __init__(self, plan: _Plan, signals: int, like: Array, xp: Any) -> None:
        self._plan, self._xp = plan, array_namespace(like, use_compat=False)  # NumPy as it is: with `out=`
        n, m = plan.segment, plan.segment // 2 + 1
        self.count = max(1, _BATCH // n)
        self.taper = xp.ascontiguousarray(plan.taper(xp, like))
        self.segments = 0
        self._rows = xp.empty((self.count, n))
        self._line = xp.arange(n, dtype=xp.float64) - (n - 1) / 2 if plan.detrend == "linear" else None
        self._spectra = [xp.empty((self.count, m), dtype=xp.complex128) for _ in range(signals)]
        self._squares = [xp.zeros(m) for _ in range(signals)]
        self._product = xp.zeros(m if signals == 2 else 0, dtype=xp.complex128)

    def add(self, signals: tuple[Array, ...], count: int) -> None:
        xp = self._xp
        with xp.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported at the end
            self._add(signals, count, xp)
        self.segments += count

    def _add(self, signals: tuple[Array, ...], count: int, xp: Any) -> None:
        for x, spectrum in zip(signals, self._spectra, strict=True):
            xp.fft.rfft(self._prepared(x, count), axis=1, out=spectrum[:count])
        if len(signals) == 2:
            x, y = self._spectra
            self._product += xp.vecdot(x[:count], y[:count], axis=0)  # conjugates the first
        for spectrum, total in zip(self._spectra, self._squares, strict=True):
            parts = spectrum[:count].view(xp.float64)
            xp.multiply(parts, parts, out=parts)
            both = parts[0] if count == 1 else xp.add.reduce(parts, axis=0)  # real and imaginary parts in turn
            total += both[0::2]
            total += both[1::2]

    def _prepared(self, x: Array, count: int) -> Array:
        """The segments, less their mean or line, times the window, as rows of the buffer."""
        xp, n, rows = self._xp, self._plan.segment, self._rows[:count]
        hop = n - self._plan.overlap
        if n % hop == 0:  # whole hops side by side: one copy for each hop of a segment
            for k in range(n // hop):
                rows[:, k * hop : (k + 1) * hop] = x[k * hop : (k + count) * hop].reshape(count, hop)
        else:
            for k in range(count):
                rows[k] = x[k * hop : k * hop + n]
        if self._plan.detrend != "none":
            xp.subtract(rows, rows.mean(axis=1, keepdims=True), out=rows)
        if self._line is not None:
            slopes = (rows @ self._line) / (self._line @ self._line)
            for row, slope in zip(rows, slopes, strict=True):
                row -= slope * self._line
        xp.multiply(rows, self.taper, out=rows)
        return rows

    def totals(self) -> tuple[Array, ...]:
        return tuple(self._squares) if len(self._squares) == 1 else (*self._squares, self._product.real, self._product.imag)
