"""Modes of a structure from its frequency response: natural frequency, damping ratio, residue.

    G(jω) = e^{−jωτ} [Σ_k r_k/(ω_k² − ω² + 2jζ_k ω_k ω) + c − m/ω²]

with τ the delay of hold, drive and filters where it is asked for, c for the stiffness of the modes above the band and m for the rigid body and the modes below it. ω_k and ζ_k by non-linear least squares, the rest, linear, solved
for at each step (G. Golub and V. Pereyra 1973); starting from the peaks and their half-power widths. Residues are real: damping in proportion, sensor and actuator
without a delay between them. `half_power` and `circle` estimate a single mode by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from .arrays import Array, frozen
from .frequency_response import Complex, Response
from .reported import Reported, figure, keyed

PROMINENCE_DB: Final = 3.0
MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """frequency_hz : undamped natural frequency.  damping : ratio ζ.  residue : r (unit of the response times (rad/s)²).  u… : standard uncertainties."""

    frequency_hz: float
    damping: float
    residue: float
    u_frequency_hz: float
    u_damping: float
    u_residue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """A local peak ("resonance") or dip ("anti-resonance") of |G|, between the lines by a parabola through three levels in dB; `line_hz` is the line itself."""

    kind: str
    frequency_hz: float
    line_hz: float
    magnitude: float
    prominence_db: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "f_1", "zeta_1", "r_1" … of each mode, and "misfit", the root of the mean square of the residual over its standard uncertainty (1 where the model is right).

    modes : ascending.  stiffness_term, mass_term, delay_s : c, m and τ.  fitted : (m,) complex, the model on the lines used.
    """

    modes: tuple[Mode, ...]
    stiffness_term: float
    mass_term: float
    delay_s: float
    frequency_hz: Array
    fitted: Complex


def extremes(frequency_hz: ArrayLike, response: ArrayLike, *, prominence_db: float = PROMINENCE_DB) -> tuple[Extreme, ...]:
    """Resonances and anti-resonances, in order of frequency: peaks and dips of |G| by at least `prominence_db`."""
    from scipy.signal import find_peaks

    f, g = _checked(frequency_hz, response)
    level = 20 * np.log10(np.abs(g))
    found = []
    for kind, sign in (("resonance", 1.0), ("anti-resonance", -1.0)):
        peaks, properties = find_peaks(sign * level, prominence=prominence_db)
        for k, prominence in zip(peaks, properties["prominences"], strict=True):
            y = sign * level[k - 1 : k + 2]
            bend = y[0] - 2 * y[1] + y[2]
            shift = 0.5 * (y[0] - y[2]) / bend if bend < 0 else 0.0
            at = f[k] + shift * (f[k + 1] - f[k] if shift > 0 else f[k] - f[k - 1])
            found.append(
                Extreme(kind=kind, frequency_hz=float(at), line_hz=float(f[k]), magnitude=float(np.abs(g[k])), prominence_db=float(prominence))
            )
    return tuple(sorted(found, key=lambda one: one.line_hz))


def half_power(frequency_hz: ArrayLike, response: ArrayLike, *, near_hz: float) -> tuple[float, float]:
    """Frequency and damping ratio of the peak nearest to `near_hz`: ζ = (f₂² − f₁²)/(4 f_n²), f₁ and f₂ where |G| is 1/√2 of it; exact to ζ² for a single mode.

    Raises
    ------
    DataError       no peak, or the response does not fall to 1/√2 on both sides of it before the band ends or the next dip
    """
    f, g = _checked(frequency_hz, response)
    peaks = [one for one in extremes(f, g, prominence_db=0.1) if one.kind == "resonance"]
    if not peaks:
        raise DataError("the response has no peak; there is no mode in this band")
    peak = min(peaks, key=lambda one: abs(one.line_hz - near_hz))
    k = int(np.argmin(np.abs(f - peak.line_hz)))
    power = np.abs(g) ** 2
    # The power near a peak is the reciprocal of a parabola: through three lines that gives its height between them.
    y = 1 / power[k - 1 : k + 2]
    bottom = np.polyfit(f[k - 1 : k + 2] - f[k], y, 2)
    at = float(-bottom[1] / (2 * bottom[0])) if bottom[0] > 0 else 0.0
    height = 1 / float(np.polyval(bottom, at)) if bottom[0] > 0 else float(power[k])
    edges = []
    for step in (-1, 1):
        i = k
        while 0 <= i + step < f.size and power[i] > height / 2:
            i += step
        if power[i] > height / 2:
            raise DataError(
                f"around {peak.line_hz:.5g} Hz the response does not fall to 1/√2 of its peak within the band; measure a wider band, or use the modal fit"
            )
        one, other = 1 / power[i], 1 / power[i - step]
        share = (2 / height - other) / (one - other)
        edges.append(float(f[i - step] + share * (f[i] - f[i - step])))
    centre = f[k] + at
    return float(centre), float((edges[1] ** 2 - edges[0] ** 2) / (4 * centre**2))


def circle(frequency_hz: ArrayLike, response: ArrayLike, *, band_hz: tuple[float, float]) -> tuple[float, float, float]:
    """Frequency, damping ratio and diameter of the circle that a mode draws in the complex plane within `band_hz`, beside a constant rest (structural damping, D. J. Ewins).

    G = B + A/(ω² − p) with p = ω_r²(1 + jη) is a circle for real ω²; G ω² = p G + B ω² + C is linear in its constants. ζ = η/2, diameter |A|/|Im p|.

    Raises
    ------
    DataError       fewer than five lines in the band, or no circle there
    """
    f, g = _checked(frequency_hz, response)
    inside = (f >= band_hz[0]) & (f <= band_hz[1])
    if np.count_nonzero(inside) < 5:
        raise DataError(f"{np.count_nonzero(inside)} lines lie in {band_hz[0]:g} … {band_hz[1]:g} Hz; a circle needs at least 5 around the resonance")
    g = g[inside] / np.abs(g[inside]).max()
    size = float(np.abs(np.array(response, dtype=np.complex128)[inside]).max())
    squared = (f[inside] / f[inside].mean()) ** 2
    p, rest, constant = np.linalg.lstsq(np.stack([g, squared, np.ones_like(g)], axis=1), g * squared, rcond=None)[0]
    if not (p.real > 0 and p.imag != 0):
        raise DataError(f"the response draws no circle in {band_hz[0]:g} … {band_hz[1]:g} Hz; choose a band around one resonance")
    frequency = math.sqrt(p.real) * float(f[inside].mean())
    return frequency, abs(float(p.imag / p.real)) / 2, float(abs(constant + p * rest) / abs(p.imag)) * size


def fit(
    response: Response,
    *,
    modes: Sequence[float] | int,
    band_hz: tuple[float, float] | None = None,
    mass_line: bool = True,
    stiffness_line: bool = True,
    delay: bool = False,
) -> Result:
    """Fit modes to a measured response.

    Parameters
    ----------
    modes : starting frequencies (Hz), or how many: then the most prominent peaks
    band_hz : lines that are used; None: all
    mass_line, stiffness_line, delay : whether the model holds −m/ω², c and τ: a sampled plant has half a step of its hold, and what its drive takes

    Raises
    ------
    DataError       more modes than peaks or than the lines can carry
    """
    f, g, sd = response.frequency_hz, response.response, response.component_u
    inside = np.ones(f.size, dtype=bool) if band_hz is None else (f >= band_hz[0]) & (f <= band_hz[1])
    f, g, sd = f[inside], g[inside], sd[inside]
    start = _start(f, g, modes)
    if f.size < 2 * len(start) + 4:
        raise DataError(f"{f.size} lines for {len(start)} modes; expected at least {2 * len(start) + 4}: measure finer, or ask for fewer modes")
    known = bool(np.all(sd > 0))
    weight = 1 / (np.maximum(sd, 1e-3 * np.median(sd)) if known else np.abs(g))
    return _solve(response, f, g, weight, known, start, mass_line, stiffness_line, delay)


def _solve(
    response: Response, f: Array, g: Complex, weight: Array, known: bool, start: list[tuple[float, float]], mass: bool, stiffness: bool, delay: bool
) -> Result:
    from scipy.optimize import least_squares

    omega = 2 * math.pi * f
    n = len(start)
    scale = float(np.median(omega))

    def basis(p: Array) -> Complex:
        natural, zeta = scale * np.exp(p[:n]), np.exp(p[n : 2 * n])
        columns = [natural[k] ** 2 / (natural[k] ** 2 - omega**2 + 2j * zeta[k] * natural[k] * omega) for k in range(n)]
        columns += [np.ones_like(omega) + 0j] * stiffness + [-((scale / omega) ** 2) + 0j] * mass
        late = np.exp(-1j * omega * (p[-1] / scale)) if delay else np.ones_like(omega)
        return np.asarray(np.stack(columns, axis=1) * late[:, None], dtype=np.complex128)

    def linear(p: Array) -> tuple[Array, Complex]:
        design = basis(p) * weight[:, None]
        stacked = np.concatenate([design.real, design.imag])
        norm = np.linalg.norm(stacked, axis=0)
        parts, *_ = np.linalg.lstsq(stacked / norm, np.concatenate([(g * weight).real, (g * weight).imag]), rcond=None)
        return np.asarray(parts / norm), design @ (parts / norm)

    def residual(p: Array) -> Array:
        left = linear(p)[1] - g * weight
        return np.concatenate([left.real, left.imag])

    first = np.array([math.log(2 * math.pi * one / scale) for one, _ in start] + [math.log(zeta) for _, zeta in start] + [0.0] * delay)
    # A delay of up to two turns of the phase at the top of the band, and no lead.
    turns = 4 * math.pi * scale / float(omega[-1])
    low = np.concatenate([np.full(n, math.log(omega[0] / scale / 2)), np.full(n, math.log(1e-6)), np.full(int(delay), -1e-2 * turns)])
    high = np.concatenate([np.full(n, math.log(omega[-1] / scale * 2)), np.full(n, math.log(2.0)), np.full(int(delay), turns)])
    found = least_squares(
        residual, np.clip(first, low + 1e-9, high - 1e-9), bounds=(low, high), x_scale="jac", xtol=1e-13, ftol=1e-13, gtol=1e-13, max_nfev=500
    )
    parts, fitted = linear(found.x)
    count = 2 * f.size - found.x.size - parts.size
    misfit = math.sqrt(2 * found.cost / count)
    spread = _uncertainties(found.x, parts, basis, weight, 1.0 if known and misfit < 1 else misfit)
    modes = _modes(found.x, parts, spread, n, scale)
    flags = list(response.flags)
    if known and misfit > 2:
        flags.append(
            f"the model misses the response by {misfit:.3g} times its uncertainty: there are more modes, a delay, or the plant is not linear; U is widened by that much"
        )
    flags += [
        f"mode at {one.frequency_hz:.5g} Hz: the band holds fewer than three lines within its half-power width"
        for one in modes
        if _lines_within(f, one) < 3
    ]
    model = fitted / weight
    model.flags.writeable = False
    figures = _figures(modes, response.unit or "1")
    if delay:
        figures.append(figure("delay", "delay of hold, drive and filters", float(found.x[-1]) / scale, "s", 2 * float(spread[2 * n]) / scale, symbol="τ"))
    figures.append(figure("misfit", "residual over its uncertainty" if known else "residual over |G|", misfit, "", "a measure of the fit itself"))
    return Result(
        title=f"Modal fit: {n} modes from {f.size} lines, {f[0]:.5g} … {f[-1]:.5g} Hz",
        stated=(
            "real residues, " + " and ".join((["stiffness of the modes above"] if stiffness else []) + (["mass line"] if mass else []))
            if stiffness or mass
            else "real residues, no rest terms",
        ),
        figures=keyed(figures),
        flags=tuple(flags),
        modes=tuple(modes),
        stiffness_term=float(parts[n]) if stiffness else 0.0,
        mass_term=float(parts[-1]) * scale**2 if mass else 0.0,
        delay_s=float(found.x[-1]) / scale if delay else 0.0,
        frequency_hz=frozen(f.copy()),
        fitted=model,
    )


def _modes(p: Array, parts: Array, spread: Array, n: int, scale: float) -> list[Mode]:
    """The n modes by ascending frequency. p : (ln ω/scale, ln ζ, …). spread : standard uncertainties of p, then of parts."""
    modes = []
    for k in np.argsort(p[:n]):
        natural, zeta = scale * math.exp(p[k]), math.exp(p[n + k])
        residue = parts[k] * natural**2
        modes.append(
            Mode(
                frequency_hz=natural / (2 * math.pi),
                damping=zeta,
                residue=float(residue),
                u_frequency_hz=natural / (2 * math.pi) * spread[k],
                u_damping=zeta * spread[n + k],
                u_residue=math.hypot(spread[p.size + k] * natural**2, 2 * residue * spread[k]),
            )
        )
    return modes


def _figures(modes: Sequence[Mode], unit: str) -> list[Figure]:
    figures: list[Figure] = []
    for number, one in enumerate(modes, start=1):
        figures += [
            figure(f"f_{number}", f"natural frequency of mode {number}", one.frequency_hz, "Hz", 2 * one.u_frequency_hz, symbol=f"f{number}"),
            figure(f"zeta_{number}", f"damping ratio of mode {number}", one.damping, "", 2 * one.u_damping, symbol=f"ζ{number}"),
            figure(f"r_{number}", f"residue of mode {number}", one.residue, f"{unit}·rad²/s²", 2 * one.u_residue, symbol=f"r{number}"),
        ]
    return figures


def _uncertainties(p: Array, parts: Array, basis: object, weight: Array, factor: float) -> Array:
    """Standard uncertainties of ln ω, ln ζ, of τ in scaled time, and of the linear parts, from the derivatives of the whole model."""
    assert callable(basis)
    columns = []
    for k in range(p.size):
        h = 1e-6
        up, down = p.copy(), p.copy()
        up[k] += h
        down[k] -= h
        columns.append((basis(up) - basis(down)) @ parts / (2 * h) * weight)
    jacobian = np.concatenate([np.stack(columns, axis=1), basis(p) * weight[:, None]], axis=1)
    stacked = np.concatenate([jacobian.real, jacobian.imag])
    norm = np.linalg.norm(stacked, axis=0)
    norm = np.where(norm > 0, norm, 1.0)
    covariance = np.linalg.pinv((stacked / norm).T @ (stacked / norm))
    return np.asarray(factor * np.sqrt(np.diag(covariance)) / norm)


def _lines_within(f: Array, mode: Mode) -> int:
    half = mode.damping * mode.frequency_hz
    return int(np.count_nonzero(np.abs(f - mode.frequency_hz) <= half))


def _start(f: Array, g: Complex, modes: Sequence[float] | int) -> list[tuple[float, float]]:
    if isinstance(modes, int):
        if not 1 <= modes <= MOST:
            raise DataError(f"modes is {modes}; expected 1 … {MOST}, or their frequencies")
        peaks = sorted((one for one in extremes(f, g) if one.kind == "resonance"), key=lambda one: -one.prominence_db)
        if len(peaks) < modes:
            raise DataError(
                f"{len(peaks)} peaks stand out by {PROMINENCE_DB:g} dB, but {modes} modes are asked for; give their frequencies, or ask for fewer"
            )
        wanted = [one.frequency_hz for one in peaks[:modes]]
    else:
        wanted = [float(one) for one in modes]
        if not wanted or len(wanted) > MOST or not all(f[0] <= one <= f[-1] for one in wanted):
            raise DataError(f"modes are {wanted}; expected 1 … {MOST} frequencies in {f[0]:.5g} … {f[-1]:.5g} Hz")
    found = []
    for one in wanted:
        try:
            _, zeta = half_power(f, g, near_hz=one)
        except DataError:
            zeta = 0.02
        found.append((one, min(0.5, max(1e-4, zeta))))
    return found


def _checked(frequency_hz: ArrayLike, response: ArrayLike) -> tuple[Array, Complex]:
    f, g = np.array(frequency_hz, dtype=np.float64), np.array(response, dtype=np.complex128)
    if f.ndim != 1 or f.size < 5 or g.shape != f.shape:
        raise DataError(f"frequency_hz has shape {f.shape} and response {g.shape}; expected the same (m,) with m ≥ 5")
    if not (np.all(np.isfinite(f)) and np.all(np.diff(f) > 0) and np.all(np.isfinite(g)) and np.all(np.abs(g) > 0)):
        raise DataError("frequency_hz must ascend, and the response be finite and not 0; leave other lines out")
    return f, g
