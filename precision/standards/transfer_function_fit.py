"""A rational transfer function with a delay, fitted to a measured frequency response.

    G(s) = e^{−sτ} (b_0 + b_1 s + … )/(s^k (a_0 + a_1 s + … + s^n))

First E. C. Levy's linear least squares (1959), re-weighted with the last denominator (C. K. Sanathanan, J. Koerner 1963), then maximum likelihood: Gauss–Newton on
(G − B/A)/u with the measured uncertainty u (R. Pintelon and J. Schoukens 2012). s is scaled by the geometric mean of the frequencies while it is fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import DataError
from ..figures import Figure
from .arrays import Array, frozen
from .frequency_response import Complex, Response
from .reported import Reported, figure, keyed

HIGHEST: Final = 16
ITERATIONS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Pole:
    """A real pole (damping None) or a pair: frequency_hz = |p|/2π, damping = −Re p/|p|, with standard uncertainties."""

    frequency_hz: float
    damping: float | None
    u_frequency_hz: float
    u_damping: float
    stable: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "misfit", "delay" (s), "gain" (of the lowest power of s), and "f_1", "zeta_1" … of the poles.

    numerator, denominator : coefficients of s, highest power first, in SI (rad/s); the denominator holds the integrators and begins with 1.
    delay_s : τ.  poles : of the denominator but for its integrators.  zeros : (k,) complex, rad/s.  fitted : (m,) complex.
    """

    numerator: Array
    denominator: Array
    delay_s: float
    poles: tuple[Pole, ...]
    zeros: Complex
    frequency_hz: Array
    fitted: Complex

    def at(self, frequency_hz: Array) -> Complex:
        """The fitted response at other frequencies."""
        s = 2j * math.pi * np.asarray(frequency_hz, dtype=np.float64)
        return np.asarray(np.polyval(self.numerator, s) / np.polyval(self.denominator, s) * np.exp(-s * self.delay_s))


def fit(response: Response, *, zeros: int, poles: int, integrators: int = 0, delay: bool | float = False) -> Result:
    """Fit a transfer function.

    Parameters
    ----------
    zeros, poles : orders of numerator and denominator, the integrators not counted
    integrators : poles at 0 that are known to be there
    delay : True: fitted; a number: s, known; False: none

    Raises
    ------
    DataError       orders beyond the lines, more zeros than poles by two or more
    """
    n, m = poles, zeros
    if not (0 <= m <= HIGHEST and 0 <= n <= HIGHEST and n + m > 0 and 0 <= integrators <= 4) or m > n + integrators + 1:
        raise DataError(
            f"orders are {m} zeros, {n} poles and {integrators} integrators; expected at most {HIGHEST} each, and not more zeros than poles + 1"
        )
    f, g = response.frequency_hz, response.response
    if 2 * f.size < n + m + 6:
        raise DataError(f"{f.size} lines for {n + m + 1} coefficients; expected at least {(n + m + 6) // 2 + 1}; measure finer, or lower the orders")
    known = bool(np.all(response.component_u > 0))
    u = np.maximum(response.component_u, 1e-6 * np.abs(g)) if known else np.abs(g)
    scale = 2 * math.pi * math.exp(float(np.mean(np.log(f))))
    s = np.asarray(2j * math.pi * f / scale, dtype=np.complex128)
    free = delay is True
    tau = 0.0 if isinstance(delay, bool) else float(delay) * scale
    target, weight = np.asarray(g * s**integrators, dtype=np.complex128), 1 / (u * np.abs(s) ** integrators)
    if free:
        tau = _first_delay(s, target, weight, n, m)
    start = _sanathanan_koerner(s, target * np.exp(s * tau), weight, n, m)
    p, spread, misfit = _maximum_likelihood(s, target, weight, start, tau, n, m, free, known)
    return _result(response, p, spread, misfit, scale, n, m, integrators, tau, free, known)


def _design(s: Complex, target: Complex, n: int, m: int) -> Complex:
    """Columns of b_0 … b_m and −G·(a_0 … a_{n−1})."""
    return np.stack([s**k for k in range(m + 1)] + [-target * s**k for k in range(n)], axis=1)


def _sanathanan_koerner(s: Complex, target: Complex, weight: Array, n: int, m: int) -> Array:
    """Coefficients [b_0 … b_m, a_0 … a_{n−1}]: the best of Levy's and the re-weighted iterations."""
    best, lowest = np.zeros(n + m + 1), math.inf
    last = np.ones_like(s)
    for _ in range(ITERATIONS):
        w = weight / np.abs(last)
        design = _design(s, target, n, m) * w[:, None]
        stacked = np.concatenate([design.real, design.imag])
        norm = np.linalg.norm(stacked, axis=0)
        right = target * s**n * w
        p, *_ = np.linalg.lstsq(stacked / norm, np.concatenate([right.real, right.imag]), rcond=None)
        p = p / norm
        numerator, denominator = _values(p, s, n, m)
        cost = float(np.sum(np.abs((numerator / denominator - target) * weight) ** 2))
        if cost < lowest:
            best, lowest = p, cost
        if np.allclose(np.abs(denominator), np.abs(last), rtol=1e-10):
            break
        last = denominator
    return best


def _values(p: Array, s: Complex, n: int, m: int) -> tuple[Complex, Complex]:
    return np.asarray(np.polyval(p[: m + 1][::-1], s)), np.asarray(np.polyval(np.concatenate([[1.0], p[m + 1 : m + 1 + n][::-1]]), s))


def _first_delay(s: Complex, target: Complex, weight: Array, n: int, m: int) -> float:
    """The delay with the least cost on a grid: up to one turn of the phase over the band."""
    grid = np.linspace(0.0, 2 * math.pi / float(np.abs(s[-1])), 41)
    costs = []
    for tau in grid:
        p = _sanathanan_koerner(s, target * np.exp(s * tau), weight, n, m)
        numerator, denominator = _values(p, s, n, m)
        costs.append(float(np.sum(np.abs((numerator / denominator - target * np.exp(s * tau)) * weight) ** 2)))
    return float(grid[int(np.argmin(costs))])


def _maximum_likelihood(
    s: Complex, target: Complex, weight: Array, start: Array, tau: float, n: int, m: int, free: bool, known: bool
) -> tuple[Array, Array, float]:
    """Coefficients (and τ), their covariance, and the root of the mean square of the weighted residual."""
    from scipy.optimize import least_squares

    def model(p: Array) -> Complex:
        numerator, denominator = _values(p, s, n, m)
        return numerator / denominator * np.exp(-s * (p[-1] if free else tau))

    def residual(p: Array) -> Array:
        left = (model(p) - target) * weight
        return np.concatenate([left.real, left.imag])

    def jacobian(p: Array) -> Array:
        numerator, denominator = _values(p, s, n, m)
        turn = np.exp(-s * (p[-1] if free else tau))
        columns = [s**k / denominator * turn for k in range(m + 1)] + [-numerator * s**k / denominator**2 * turn for k in range(n)]
        if free:
            columns.append(-s * numerator / denominator * turn)
        whole = np.stack(columns, axis=1) * weight[:, None]
        return np.concatenate([whole.real, whole.imag])

    first = np.append(start, tau) if free else start
    found = least_squares(residual, first, jac=jacobian, method="lm", x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=2000)
    count = 2 * s.size - first.size
    misfit = math.sqrt(2 * found.cost / count)
    slopes = jacobian(found.x)
    norm = np.linalg.norm(slopes, axis=0)
    norm = np.where(norm > 0, norm, 1.0)
    covariance = np.linalg.pinv((slopes / norm).T @ (slopes / norm)) / np.outer(norm, norm)
    return found.x, covariance * (max(1.0, misfit) if known else misfit) ** 2, misfit


def _result(
    response: Response,
    p: Array,
    covariance: Array,
    misfit: float,
    scale: float,
    n: int,
    m: int,
    integrators: int,
    tau: float,
    free: bool,
    known: bool,
) -> Result:
    b, a = p[: m + 1], np.append(p[m + 1 : m + 1 + n], 1.0)
    # In unscaled s: b_k/scale^k over a_k/scale^k, divided by the scaled leading one.
    lead = scale ** -(n + integrators)
    numerator = (b * scale ** -np.arange(m + 1.0) / lead)[::-1]
    denominator = np.concatenate([(a * scale ** -(np.arange(n + 1.0) + integrators) / lead)[::-1], np.zeros(integrators)])
    delay_s = float((p[-1] if free else tau) / scale)
    poles = _poles(a, covariance[m + 1 : m + 1 + n, m + 1 : m + 1 + n], scale)
    zeros = np.roots(b[::-1]) * scale if m else np.zeros(0)
    flags = list(response.flags)
    if known and misfit > 2:
        flags.append(
            f"the model misses the response by {misfit:.3g} times its uncertainty: raise the orders or allow a delay; U is widened by that much"
        )
    if any(not one.stable for one in poles):
        flags.append("the fitted function has a pole in the right half plane: the plant is unstable, or the orders are higher than the data carry")
    figures: list[Figure] = [
        figure("misfit", "residual over its uncertainty" if known else "residual over |G|", misfit, "", "a measure of the fit itself"),
        figure("delay", "delay", delay_s, "s", 2 * math.sqrt(max(0.0, covariance[-1, -1])) / scale if free else "it was given, not fitted", symbol="τ"),
        figure("gain", f"gain at low frequencies (times s^{-integrators})" if integrators else "gain at low frequencies", float(b[0] / a[0]) * scale**integrators if n else float(b[0]), response.unit, "see the poles and the misfit", symbol="K"),
    ]  # fmt: skip
    for number, one in enumerate(poles, start=1):
        figures.append(
            figure(
                f"f_{number}",
                "natural frequency of a pair of poles" if one.damping is not None else "corner of a real pole",
                one.frequency_hz,
                "Hz",
                2 * one.u_frequency_hz,
                symbol=f"f{number}",
            )
        )
        if one.damping is not None:
            figures.append(figure(f"zeta_{number}", "its damping ratio", one.damping, "", 2 * one.u_damping, symbol=f"ζ{number}"))
    s = 2j * math.pi * response.frequency_hz
    fitted = np.polyval(numerator, s) / np.polyval(denominator, s) * np.exp(-s * delay_s)
    return Result(
        title=f"Transfer function: {m} zeros, {n} poles, {integrators} integrators" + (", delay" if free or tau else ""),
        stated=("maximum likelihood with the measured uncertainty" if known else "least squares of relative residuals: the response came without an uncertainty", f"{response.frequency_hz.size} lines"),
        figures=keyed(figures), flags=tuple(flags), numerator=frozen(np.asarray(numerator, dtype=np.float64)), denominator=frozen(np.asarray(denominator, dtype=np.float64)),
        delay_s=delay_s, poles=poles, zeros=np.asarray(zeros, dtype=np.complex128), frequency_hz=response.frequency_hz, fitted=np.asarray(fitted, dtype=np.complex128),
    )  # fmt: skip


def _poles(a: Array, covariance: Array, scale: float) -> tuple[Pole, ...]:
    """Roots of a_0 + a_1 s + … + s^n; their uncertainty from δp = −Σ p^k δa_k/A'(p)."""
    if a.size < 2:
        return ()
    roots: Any = np.roots(a[::-1])
    slope = np.polyder(np.poly1d(a[::-1]))
    found = []
    for p in sorted(roots, key=abs):
        if p.imag < 0:
            continue
        rows = -np.array([p**k for k in range(a.size - 1)]) / slope(p)
        size = abs(p)
        real = p.imag == 0
        of_size = np.real(rows * np.conj(p)) / size
        of_damping = -(np.real(rows) / size - p.real / size**2 * of_size)
        u_size, u_damping = (math.sqrt(max(0.0, float(row @ covariance @ row))) for row in (of_size, of_damping))
        found.append(Pole(
            frequency_hz=float(size * scale / (2 * math.pi)), damping=None if real else float(-p.real / size), u_frequency_hz=u_size * scale / (2 * math.pi),
            u_damping=0.0 if real else u_damping, stable=bool(p.real <= 0),
        ))  # fmt: skip
    return tuple(found)
