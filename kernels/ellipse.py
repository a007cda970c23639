"""The ellipse that two signals in quadrature draw: offsets, gains and the phase error, from running sums of one pass."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from array_api_compat import is_cupy_namespace, is_numpy_namespace

from precision.kernels import blocks as _blocks
from precision.kernels import compiled, cuda
from precision.kernels.real_array import real_array

Array = Any

CHUNK = 65_536
"""Samples of a step of the streaming fit, whatever the lengths of the blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """s = p + R cos θ and c = q + (R/r) sin(θ − α).

    p, q : offsets, unit of the signals.  radius : R, unit of the signals.  ratio : r, amplitude of s over that of c.
    alpha_rad : α, departure from quadrature, rad.  samples : in the fit.
    octants : eighths of the turn that the samples cover (0 … 8). Below 8 the fit extrapolates, and noise biases it.
    """

    p: float
    q: float
    radius: float
    ratio: float
    alpha_rad: float
    samples: int = 0
    octants: int = 8

    @staticmethod
    def ideal() -> Ellipse:
        """A circle about the origin: signals that need no correction."""
        return Ellipse(p=0.0, q=0.0, radius=1.0, ratio=1.0, alpha_rad=0.0)

    def correction(self) -> tuple[float, float, float, float]:
        """p, q, gain, tangent of s' = s − p, c' = gain (c − q) + tangent s'.

        Raises
        ------
        ValueError
            A value that is not finite; a ratio or radius not above 0; a phase error of a quarter turn or more.
        """
        values = (self.p, self.q, self.radius, self.ratio, self.alpha_rad)
        if (
            not all(map(math.isfinite, values))
            or self.ratio <= 0
            or self.radius <= 0
            or abs(self.alpha_rad) >= math.pi / 2
        ):
            raise ValueError(
                f"ellipse is {self}; expected finite values, ratio and radius above 0, and |alpha_rad| below π/2"
            )
        return self.p, self.q, self.ratio / math.cos(self.alpha_rad), math.tan(self.alpha_rad)


def fit_ellipse(cosine: Array, sine: Array, /, *, short_arc: bool = False) -> Ellipse:
    """The ellipse of two signals in quadrature: least squares of the conic (Heydemann).

    Parameters
    ----------
    cosine, sine : (n,) float
        Samples of s and c. Any unit, both the same. At least five, and a whole turn of them.
    short_arc : bool
        Accept samples that do not go all around. `Ellipse.octants` then says how far they go.

    Returns
    -------
    Ellipse

    Raises
    ------
    ValueError
        Shapes differ; fewer than five samples; NaN or infinities; no ellipse (hyperbola, line, point); a short arc.

    References
    ----------
    P. L. M. Heydemann, Applied Optics 20 (1981) 3382.

    Notes
    -----
    A s² + B c² + C s c + D s + E c = 1 by least squares, from the 14 sums of s^i c^j with 1 ≤ i + j ≤ 4, after a shift and a
    scaling that make them well conditioned. Then sin α = C/√(4AB), r = √(B/A), p = (2BD − EC)/(C² − 4AB),
    q = (2AE − DC)/(C² − 4AB).

    The fit is algebraic: noise of σ biases the radius by about σ²/R.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.arange(12) * np.pi / 6
    >>> found = fit_ellipse(3 + 2 * np.cos(theta), 1 + np.sin(theta))
    >>> round(found.p, 9), round(found.q, 9), round(found.radius, 9), round(found.ratio, 9)
    (3.0, 1.0, 2.0, 2.0)
    """
    fit = EllipseFit()
    fit.add(cosine, sine)
    ellipse = fit.result(short_arc=True)
    if ellipse.octants == 8:
        return ellipse
    fit.cover(cosine, sine, ellipse)  # judged while the ellipse was not known well: look again
    return fit.result(short_arc=short_arc)


def fit_ellipse_blocks(blocks: Iterable[tuple[Array, Array]], /, *, short_arc: bool = False) -> Ellipse:
    """`fit_ellipse` of signals that come in blocks.

    Parameters
    ----------
    blocks : iterable of ((m,) float, (m,) float)
        Consecutive pieces of cosine and sine, of any lengths. 65 536 samples are held.

    Returns
    -------
    Ellipse
        That of the whole arrays, to the last bit on NumPy. How far the samples go around is counted from the sample on at which
        the ellipse is determined at all.

    Raises
    ------
    ValueError
        As for `fit_ellipse`.
    """
    fit = EllipseFit()
    for cosine, sine in blocks:
        fit.add(cosine, sine)
    return fit.result(short_arc=short_arc)


def signal_pair(cosine: Any, sine: Any) -> tuple[Array, Array, Any]:
    """Both signals as float64 of one shape (n,), and their library.

    Raises
    ------
    ValueError
        Another number of axes; shapes that differ.
    """
    s, xp = real_array("cosine", cosine, "(n,)", ndim=1)
    c, _ = real_array("sine", sine, "(n,)", ndim=1)
    if s.shape != c.shape:
        raise ValueError(f"sine has shape {c.shape} and cosine has shape {s.shape}; expected the same")
    return s, c, xp


class EllipseFit:
    """The running sums of `fit_ellipse`: `add` the blocks, then ask for the `result`."""

    def __init__(self) -> None:
        self.samples = 0
        self._sums = [0.0] * len(_POWERS)
        self._frame: tuple[float, float, float] | None = None  # centre of s, centre of c, scale
        self._held: list[tuple[Array, Array]] = []
        self._octants = 0  # one bit an octant

    def add(self, cosine: Array, sine: Array) -> None:
        """The next samples of both signals, (m,) each.

        Raises
        ------
        ValueError
            Shapes differ; NaN or infinities.
        """
        s, c, xp = signal_pair(cosine, sine)
        n, start = s.shape[0], 0
        chunk = CHUNK if is_numpy_namespace(xp) else max(CHUNK, n)
        self.samples += n
        held = sum(part.shape[0] for part, _ in self._held)
        if held or n < chunk:
            start = min(n, chunk - held)
            self._held.append((xp.asarray(s[:start], copy=True), xp.asarray(c[:start], copy=True)))
            if held + start < chunk:
                return
            self._add_held(xp)
        while n - start >= chunk:
            many = (n - start) // chunk if self._octants == 0xFF else 1  # until then, looked at one by one
            stop = start + many * chunk
            self._add_chunks(s[start:stop], c[start:stop], chunk, xp)
            start = stop
        if start < n:
            self._held = [(xp.asarray(s[start:], copy=True), xp.asarray(c[start:], copy=True))]

    def result(self, *, short_arc: bool = False) -> Ellipse:
        """The ellipse of all samples so far.

        Raises
        ------
        ValueError
            Fewer than five samples; no ellipse; a short arc.
        """
        if self.samples < 5:
            raise ValueError(
                f"cosine and sine have {self.samples} samples; expected at least 5, spread over a whole turn"
            )
        if self._held:
            self._add_held(signal_pair(*self._held[0])[2])
        ellipse = replace(self._ellipse(), samples=self.samples, octants=self._octants.bit_count())
        if ellipse.octants < 8 and not short_arc:
            raise ValueError(
                f"cosine and sine have {self.samples} samples that cover {ellipse.octants} of 8 octants; expected a whole turn: "
                "move further, or accept a biased fit with short_arc=True"
            )
        return ellipse

    def cover(self, cosine: Array, sine: Array, ellipse: Ellipse) -> None:
        """Note which octants of `ellipse` these samples reach."""
        s, c, xp = signal_pair(cosine, sine)
        p, q, gain, tangent = ellipse.correction()
        start, size = 0, 1024 if is_numpy_namespace(xp) else max(1, s.shape[0])  # a turn is often soon around
        while start < s.shape[0] and self._octants != 0xFF:
            read = slice(start, min(start + size, s.shape[0]))
            start, size = start + size, min(4 * size, max(size, _blocks.BLOCK))
            x = s[read] - p
            y = (c[read] - q) * gain + x * tangent
            if self.samples < FEW:
                self._octants |= _octants_of_few(xp.sort(xp.atan2(y, x)), xp)
            code = (
                xp.astype(x > 0, xp.int64)
                + 2 * xp.astype(y > 0, xp.int64)
                + 4 * xp.astype(xp.abs(x) > xp.abs(y), xp.int64)
            )
            for octant in range(8):
                if not self._octants >> octant & 1 and bool(xp.any(code == octant)):
                    self._octants |= 1 << octant

    def _add_held(self, xp: Any) -> None:
        s = xp.concat([part for part, _ in self._held])
        c = xp.concat([part for _, part in self._held])
        self._held = []
        self._add_chunks(s, c, s.shape[0], xp)

    def _add_chunks(self, s: Array, c: Array, chunk: int, xp: Any) -> None:
        """Chunks of so many samples, added one after the other; one of them while octants are still looked for."""
        if self._frame is None:
            low_s, high_s, low_c, high_c = (float(v) for v in (xp.min(s), xp.max(s), xp.min(c), xp.max(c)))
            half = max(high_s - low_s, high_c - low_c) / 2
            self._frame = ((low_s + high_s) / 2, (low_c + high_c) / 2, half if half > 0 else 1.0)
        for sums in _sums(s, c, chunk, self._frame, xp=xp):
            if not all(map(math.isfinite, sums)):
                raise ValueError(
                    f"cosine and sine have shape {s.shape} and hold NaN or infinities; expected finite samples: leave the others out"
                )
            self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)]
        if self._octants != 0xFF:
            try:
                ellipse = self._ellipse()
            except ValueError:  # not determined yet; the samples to come may
                return
            self.cover(s, c, ellipse)

    def _ellipse(self) -> Ellipse:
        """Solve for the conic about the mean of the samples, and read the ellipse from it."""
        assert self._frame is not None
        centre_s, centre_c, scale = self._frame
        moments: dict[tuple[int, int], float] = dict(zip(_POWERS, self._sums, strict=True))
        n = moments[0, 0]
        mean_u, mean_v = moments[1, 0] / n, moments[0, 1] / n
        gram = _about((mean_u, mean_v), moments)
        a, b, c, d, e = _solved([row[:5] for row in gram[:5]], [row[5] for row in gram[:5]])
        discriminant = 4 * a * b - c * c
        if not (a * b > 0 and discriminant > 0):
            raise ValueError(
                f"cosine and sine have {self.samples} samples that lie on no ellipse (4AB − C² is {discriminant:.3g} in units of the signals' range)"
            )
        p, q = (e * c - 2 * b * d) / discriminant, (d * c - 2 * a * e) / discriminant
        level = 1 + a * p * p + b * q * q + c * p * q
        alpha = math.asin(math.copysign(c, c * a) / math.sqrt(4 * a * b))
        if not level / a > 0:
            raise ValueError(f"cosine and sine have {self.samples} samples that lie on no real ellipse")
        return Ellipse(
            p=centre_s + scale * (mean_u + p),
            q=centre_c + scale * (mean_v + q),
            radius=scale * math.sqrt(level / a) / math.cos(alpha),
            ratio=math.sqrt(b / a),
            alpha_rad=alpha,
        )


FEW = 64
"""Below this number of samples the largest gap between neighbours tells how far they go around, not the octants they hit."""

_POWERS = (
    (4, 0),
    (3, 1),
    (2, 2),
    (1, 3),
    (0, 4),
    (3, 0),
    (2, 1),
    (1, 2),
    (0, 3),
    (2, 0),
    (1, 1),
    (0, 2),
    (1, 0),
    (0, 1),
    (0, 0),
)
"""Exponents of the sums over u^i v^j."""

_MONOMIALS = ((2, 0), (0, 2), (1, 1), (1, 0), (0, 1), (0, 0))
"""Of the conic A u² + B v² + C u v + D u + E v = 1."""

_UNDETERMINED = 1e-10
"""Smallest pivot, of the equations scaled to a unit diagonal, at which they are solved. A quarter turn has 4e-7; sums of
rounding error 1e-16 leave five digits of it."""


def _octants_of_few(angles: Array, xp: Any) -> int:
    """As many octants as there are outside the largest gap between sorted angles; all, where it is no more than a quarter turn."""
    n = angles.shape[0]
    gap = float(angles[0] - angles[n - 1]) + 2 * math.pi
    if n > 1:
        gap = max(gap, float(xp.max(angles[1:] - angles[:-1])))
    return (
        0xFF if gap <= math.pi / 2 * (1 + 1e-9) else (1 << max(1, math.ceil((2 * math.pi - gap) / (math.pi / 4)))) - 1
    )


def _about(mean: tuple[float, float], moments: dict[tuple[int, int], float]) -> list[list[float]]:
    """Sums of products of the six monomials of u − mean, from the sums of u^i v^j."""
    mu, mv = mean
    shift: list[list[float]] = [  # row: monomial of the shifted coordinates; column: of the old ones
        [1, 0, 0, -2 * mu, 0, mu * mu],
        [0, 1, 0, 0, -2 * mv, mv * mv],
        [0, 0, 1, -mv, -mu, mu * mv],
        [0, 0, 0, 1, 0, -mu],
        [0, 0, 0, 0, 1, -mv],
        [0, 0, 0, 0, 0, 1],
    ]
    gram = [[moments[i + k, j + m] for k, m in _MONOMIALS] for i, j in _MONOMIALS]
    terms = [[(k, factor) for k, factor in enumerate(row) if factor] for row in shift]
    half = [[math.fsum(factor * gram[k][j] for k, factor in row) for j in range(6)] for row in terms]
    return [[math.fsum(line[k] * factor for k, factor in row) for row in terms] for line in half]


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solution of a symmetric system, scaled to a unit diagonal, by elimination with complete pivoting on the diagonal."""
    n = len(right)
    size = [math.sqrt(matrix[i][i]) if matrix[i][i] > 0 else 0.0 for i in range(n)]
    if min(size) == 0.0:
        raise _undetermined()
    rows = [[matrix[i][j] / (size[i] * size[j]) for j in range(n)] + [right[i] / size[i]] for i in range(n)]
    order: list[int] = []
    for _ in range(n):
        at = max((i for i in range(n) if i not in order), key=lambda i: rows[i][i])
        if not rows[at][at] > _UNDETERMINED:
            raise _undetermined()
        order.append(at)
        for i in range(n):
            if i not in order:
                factor = rows[i][at] / rows[at][at]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[at], strict=True)]
    found = [0.0] * n
    for at in reversed(order):
        found[at] = (rows[at][n] - math.fsum(rows[at][j] * found[j] for j in range(n) if j != at)) / rows[at][at]
    return [x / s for x, s in zip(found, size, strict=True)]


def _undetermined() -> ValueError:
    return ValueError(
        "cosine and sine leave the ellipse undetermined (a short arc, a line, or a point); expected samples of a whole turn"
    )


# --- sums -----------------------------------------------------------------------------------------------------------


def _sums(s: Array, c: Array, chunk: int, frame: tuple[float, float, float], *, xp: Any) -> list[list[float]]:
    """Of each chunk, the sums of u^i v^j in the order of `_POWERS`, of u = (s − centre)/scale and v likewise."""
    chunks = [slice(start, start + chunk) for start in range(0, s.shape[0], chunk)]
    if is_cupy_namespace(xp):
        return [_cuda(s[part], c[part], frame, xp=xp) for part in chunks]
    if is_numpy_namespace(xp):
        if compiled.numba_or_none():
            out = xp.empty((len(chunks), len(_POWERS)))
            body = _compiled(len(chunks) > 1 and compiled.parallel_pays(s.shape[0]))
            body(xp.ascontiguousarray(s), xp.ascontiguousarray(c), *frame, chunk, out)
            found: list[list[float]] = out.tolist()
            return found
        with _blocks.one_blas_thread():
            return [_blocked(s[part], c[part], frame, xp=xp) for part in chunks]
    return [_generic(s[part], c[part], frame, xp=xp) for part in chunks]


def _generic(s: Array, c: Array, frame: tuple[float, float, float], *, xp: Any) -> list[float]:
    """All sums as one product of the six monomials with themselves."""
    u, v = (s - frame[0]) / frame[2], (c - frame[1]) / frame[2]
    monomials = xp.stack((u * u, v * v, u * v, u, v, xp.ones_like(u)))
    gram = xp.matmul(monomials, monomials.T)
    found = {}
    for a, (i, j) in enumerate(_MONOMIALS):
        for b, (k, m) in enumerate(_MONOMIALS):
            found[i + k, j + m] = float(gram[a, b])
    return [found[power] for power in _POWERS]


def _blocked(s: Array, c: Array, frame: tuple[float, float, float], *, xp: Any) -> list[float]:
    """Each sum as one product of two of the five monomials u², uv, v², u, v."""
    centre_s, centre_c, per = frame[0], frame[1], 1.0 / frame[2]
    scratch = xp.empty((5, min(s.shape[0], _blocks.BLOCK)))
    found = xp.zeros(len(_POWERS))
    with xp.errstate(invalid="ignore", over="ignore"):  # NaN and infinities come out, and are refused, in the sums
        for read, _ in _blocks.blocks(s.shape[0]):
            uu, uv, vv, u, v = scratch[:, : read.stop - read.start]
            for signal, centre, out in ((s, centre_s, u), (c, centre_c, v)):
                xp.subtract(signal[read], centre, out=out)
                xp.multiply(out, per, out=out)
            xp.multiply(u, u, out=uu)
            xp.multiply(u, v, out=uv)
            xp.multiply(v, v, out=vv)
            pairs = (
                (uu, uu),
                (uu, uv),
                (uu, vv),
                (uv, vv),
                (vv, vv),
                (uu, u),
                (uu, v),
                (u, vv),
                (vv, v),
                (u, u),
                (u, v),
                (v, v),
            )
            found += [*(xp.dot(a, b) for a, b in pairs), xp.sum(u), xp.sum(v), u.shape[0]]
    result: list[float] = found.tolist()
    return result


@functools.cache
def _compiled(parallel: bool) -> Callable[..., None]:
    from numba import prange

    @compiled.inline
    def sums(s, c, centre_s, centre_c, scale, out):  # type: ignore[no-untyped-def]
        per = 1.0 / scale
        s40 = s31 = s22 = s13 = s04 = s30 = s21 = s12 = s03 = s20 = s11 = s02 = s10 = s01 = 0.0
        for k in range(s.shape[0]):
            u, v = (s[k] - centre_s) * per, (c[k] - centre_c) * per
            uu, uv, vv = u * u, u * v, v * v
            s40 += uu * uu
            s31 += uu * uv
            s22 += uu * vv
            s13 += uv * vv
            s04 += vv * vv
            s30 += uu * u
            s21 += uu * v
            s12 += u * vv
            s03 += vv * v
            s20 += uu
            s11 += uv
            s02 += vv
            s10 += u
            s01 += v
        for i, value in enumerate((s40, s31, s22, s13, s04, s30, s21, s12, s03, s20, s11, s02, s10, s01)):
            out[i] = value
        out[14] = s.shape[0]

    def sums_of_chunks(s, c, centre_s, centre_c, scale, chunk, out):  # type: ignore[no-untyped-def]
        for i in prange(out.shape[0]):
            a, b = i * chunk, min((i + 1) * chunk, s.shape[0])
            sums(s[a:b], c[a:b], centre_s, centre_c, scale, out[i])

    frozen, number, integer = compiled.frozen, compiled.scalar("float64"), compiled.scalar("int64")
    return compiled.jit(
        sums_of_chunks,
        (frozen(1), frozen(1), number, number, number, integer, compiled.writable(2)),
        parallel=parallel, fastmath={"reassoc", "contract"},
    )  # fmt: skip


_THREADS = 256
_BLOCKS = 256


def _cuda(s: Array, c: Array, frame: tuple[float, float, float], *, xp: Any) -> list[float]:
    partial = xp.empty((14, _BLOCKS), dtype=xp.float64)
    cuda.launch(
        "quadrature",
        "quadrature_sums",
        (xp.ascontiguousarray(s), xp.ascontiguousarray(c), *frame, partial, s.shape[0]),
        grid=_BLOCKS,
        block=_THREADS,
    )
    totals = xp.sum(partial, axis=1)
    return [*(float(totals[i]) for i in range(14)), float(s.shape[0])]
