"""Input shapers: trains of impulses that a command is convolved with so that a flexible mode is not left ringing.

    V(f, ζ) = |Σ A_i e^{ζω T_i} e^{jω_d T_i}| e^{−ζω T_n},   ω = 2π f,   ω_d = ω√(1 − ζ²),   Σ A_i = 1      residual vibration, of what one impulse leaves
    insensitivity    width of the frequencies around f₀ where V stays within a limit, over f₀
    smoothing        how far a corner is cut, with τ_i = T_i − Σ A_i T_i: the larger of
                     √2 Σ A_i (v_c + a τ_i/2) τ_i over τ_i ≥ 0, at a right angle passed at v_c, and Σ A_i a τ_i²/2 over all, at a reversal

With K = e^{−πζ/√(1 − ζ²)}; times in damped periods 1/(f√(1 − ζ²)), those of 2HEI and 3HEI in undamped ones, 1/f:

    ZV    [1, K]/(1 + K) at 0, ½                      N. Singer, W. Seering, J. Dyn. Sys. Meas. Control 112 (1990) 76
    ZVD   [1, 2K, K²]/(1 + K)² at 0, ½, 1             the same
    MZV   [1 − 1/√2, (√2 − 1) k, (1 − 1/√2) k²], k = K^¾, at 0, ⅜, ¾; V = 0 with a train of ¾ period
    EI, 2HEI, 3HEI    one, two, three humps of V = 5 %: polynomials in ζ fitted for ζ ≤ 0.3; W. Singhose, W. Seering, N. Singer, Trans. ASME
                      J. Mech. Design 116 (1994) 654 and Proc. Japan/USA Symp. Flexible Automation (1996), coefficients from memory of the papers;
                      as they stand here the humps reach 0.051 (EI), 0.054 (2HEI), 0.058 (3HEI) for ζ ≤ 0.3
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive

Kind = Literal["ZV", "MZV", "ZVD", "EI", "2HEI", "3HEI"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

HUMP: Final = 0.05
"""V that the EI family lets stand at its humps."""
MOST_DAMPED: Final = 0.3
"""ζ up to which the fits of the EI family hold."""

_TWO_HUMPS: Final = (
    ((0, 0, 0, 0), (0.49890, 0.16270, -0.54262, 6.16180), (0.99748, 0.18382, -1.58270, 8.17120), (1.49920, -0.09297, -0.28338, 1.85710)),
    ((0.16054, 0.76699, 2.26560, -1.22750), (0.33911, 0.45081, -2.58080, 1.73650), (0.34089, -0.61533, -0.68765, 0.42261), (0.15997, -0.60246, 1.00280, -0.93145)),
)
_THREE_HUMPS: Final = (
    (
        (0, 0, 0, 0),
        (0.49974, 0.23834, 0.44559, 12.4720),
        (0.99849, 0.29808, -2.36460, 23.3990),
        (1.49870, 0.10306, -2.01390, 17.0320),
        (1.99960, -0.28231, 0.61536, 5.40450),
    ),
    (
        (0.11275, 0.76632, 3.29160, -1.44380),
        (0.23698, 0.61164, -2.57850, 4.85220),
        (0.30008, -0.19062, -2.14560, 0.13744),
        (0.23775, -0.73297, 0.46885, -2.08650),
        (0.11244, -0.45439, 0.96382, -1.46000),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shaper:
    """An impulse train. amplitude : (n,) A_i, sum 1. time_s : (n,) T_i, from 0. frequency_hz, damping : f₀, ζ it was designed for."""

    kind: Kind
    frequency_hz: float
    damping: float
    amplitude: Array
    time_s: Array

    @property
    def duration_s(self) -> float:
        """By how much the shaper lengthens every move, s."""
        return float(self.time_s[-1])

    def vibration(self, frequency_hz: ArrayLike, damping: float) -> Array:
        """(k,) V(f, ζ), residual vibration at frequencies above zero, Hz, relative to what a single impulse leaves. DataError as `shaper`."""
        f = np.atleast_1d(np.array(frequency_hz, dtype=np.float64))
        if f.ndim != 1 or not (np.isfinite(f).all() and (f > 0).all()):
            raise DataError(f"frequency_hz has shape {f.shape}; expected finite frequencies above zero, in Hz, shape (k,)")
        zeta = _damping(damping)
        pole = 2 * np.pi * f[:, None] * complex(zeta, math.sqrt(1 - zeta * zeta))
        return np.asarray(np.abs((self.amplitude * np.exp(pole * (self.time_s - self.time_s[-1]))).sum(axis=1)), dtype=np.float64)

    def insensitivity(self, *, limit: float = HUMP, damping: float = 0.0) -> float | None:
        """Width of the frequencies around f₀ where V ≤ `limit`, over f₀; None where V exceeds it at f₀ itself.

        The edges are interpolated linearly on a grid of f₀/2000 from f₀/20 to 3 f₀; an edge beyond the grid counts at its end.
        """
        grid = np.arange(100, 6001) / 2000
        excess = self.vibration(grid * self.frequency_hz, damping) - positive("limit", limit, "ratio to one impulse")
        centre = 1900  # f₀
        if excess[centre] > 0:
            return None
        above = np.flatnonzero(excess > 0)
        left, right = above[above < centre], above[above > centre]
        low = _zero(grid, excess, int(left[-1])) if left.size else float(grid[0])
        high = _zero(grid, excess, int(right[0]) - 1) if right.size else float(grid[-1])
        return high - low

    def smoothing(self, *, acceleration: float, corner_velocity: float = 0.0) -> float:
        """How far a corner is cut, in the unit of position. acceleration : a > 0, position per s². corner_velocity : v_c at a right angle, ≥ 0."""
        positive("acceleration", acceleration, "position per s²")
        passing, turning, reversing = self._corner(corner_velocity)
        return max(passing + acceleration * turning, acceleration * reversing)

    def greatest_acceleration(self, *, smoothing: float, corner_velocity: float = 0.0) -> float | None:
        """Acceleration at which a corner is cut by `smoothing`; None where passing it at `corner_velocity` alone cuts more."""
        positive("smoothing", smoothing, "the unit of position")
        passing, turning, reversing = self._corner(corner_velocity)
        return min((smoothing - passing) / turning, smoothing / reversing) if passing < smoothing else None

    def _corner(self, corner_velocity: float) -> tuple[float, float, float]:
        """√2 Σ A v_c τ, √2 Σ A τ²/2 over τ ≥ 0, Σ A τ²/2 over all."""
        if not (math.isfinite(corner_velocity) and corner_velocity >= 0):
            raise DataError(f"corner_velocity is {corner_velocity:g}; expected zero or more, in position per s")
        tau = self.time_s - self.amplitude @ self.time_s
        late = np.maximum(tau, 0.0)
        passing, turning = corner_velocity * float(self.amplitude @ late), float(self.amplitude @ late**2) / 2
        return math.sqrt(2) * passing, math.sqrt(2) * turning, float(self.amplitude @ tau**2) / 2

    def remaining(self, frequency_hz: ArrayLike, psd: ArrayLike, *, damping: float | None = None) -> float:
        """√(Σ S V²/Σ S): rms of the vibration that remains of a measured spectrum S on equal steps of frequency, as a share. `damping` None: as designed."""
        f, power = np.array(frequency_hz, dtype=np.float64), np.array(psd, dtype=np.float64)
        if f.shape != power.shape or not (np.isfinite(power).all() and (power >= 0).all() and power.sum() > 0):
            raise DataError(f"psd has shape {power.shape}, frequency_hz {f.shape}; expected the same shape, values of zero or more, not all zero")
        v = self.vibration(f, self.damping if damping is None else damping)
        return float(np.sqrt((power * v**2).sum() / power.sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The shaper to use, why, and what the others would have done.

    shaper : or None where no candidate keeps the limit. worst : kind -> largest V over the band and the dampings, each at its best design frequency.
    """

    shaper: Shaper | None
    reason: str
    worst: dict[str, float]


def shaper(kind: Kind, *, frequency_hz: float, damping: float) -> Shaper:
    """The impulse train of a kind for one mode.

    Parameters
    ----------
    frequency_hz : f₀ > 0, undamped natural frequency
    damping : 0 ≤ ζ < 1; at most 0.3 for EI, 2HEI, 3HEI

    Raises
    ------
    DataError       a kind that there is not, f₀ or ζ out of range

    Examples
    --------
    >>> shaper("ZV", frequency_hz=50.0, damping=0.1).amplitude.round(6).tolist()
    [0.578286, 0.421714]
    """
    if kind not in KINDS:
        raise DataError(f"{kind!r} is no input shaper; there are {', '.join(KINDS)}")
    positive("frequency_hz", frequency_hz, "Hz")
    zeta = _damping(damping)
    if kind in ("EI", "2HEI", "3HEI") and zeta > MOST_DAMPED:
        raise DataError(f"damping is {zeta:g}; the fits of {kind} hold up to {MOST_DAMPED:g}: use ZVD")
    period_s = 1 / (frequency_hz * math.sqrt(1 - zeta * zeta))
    if kind in ("2HEI", "3HEI"):
        period_s = 1 / frequency_hz
    amplitude, periods = _train(kind, zeta)
    return Shaper(
        kind=kind, frequency_hz=float(frequency_hz), damping=zeta, amplitude=frozen(amplitude / amplitude.sum()), time_s=frozen(periods * period_s)
    )


def recommend(low_hz: float, high_hz: float, *, damping: tuple[float, ...] = (0.0, 0.1), limit: float = HUMP, kinds: tuple[Kind, ...] = KINDS) -> Recommendation:
    """The shortest shaper that keeps V ≤ `limit` for every mode between two frequencies.

    Parameters
    ----------
    low_hz, high_hz : band in which the modes lie over the whole travel, with its uncertainty; 0 < low ≤ high
    damping : the ζ that the modes may have, smallest first; the shaper is designed for their mean
    limit : tolerated V; the humps of the EI family are 0.05 by design and a little more by their fits (0.0506 at ζ = 0.1), which `limit` may have to allow for

    Raises
    ------
    DataError       as `shaper`, a band that is none, no damping, no kinds
    """
    positive("low_hz", low_hz, "Hz")
    positive("limit", limit, "ratio to one impulse")
    if not (math.isfinite(high_hz) and high_hz >= low_hz):
        raise DataError(f"high_hz is {high_hz:g} below low_hz {low_hz:g}; expected the band's upper end, in Hz")
    if not damping or not kinds:
        raise DataError("no damping or no kind of shaper given; at least one of each is needed")
    band = np.linspace(low_hz, high_hz, 201)
    candidates = [_best(kind, band, damping) for kind in kinds]
    worst: dict[str, float] = {found.kind: v for found, v in candidates}
    holding = sorted((found.duration_s, found.kind, found, v) for found, v in candidates if v <= limit)
    told = ", ".join(f"{kind} {v:.3g}" for kind, v in worst.items())
    where = f"between {low_hz:g} and {high_hz:g} Hz with ζ {', '.join(f'{zeta:g}' for zeta in damping)}"
    if not holding:
        return Recommendation(
            shaper=None, reason=f"no shaper keeps V ≤ {limit:g} {where} (largest V: {told}); narrow the band, raise the limit or stiffen the mode", worst=worst
        )
    duration_s, kind, found, v = holding[0]
    reason = (
        f"{kind} at {found.frequency_hz:.4g} Hz is the shortest, {duration_s * 1e3:.4g} ms, that keeps V ≤ {limit:g} {where}: "
        f"its largest is {v:.3g} (largest V of each: {told})"
    )
    return Recommendation(shaper=found, reason=reason, worst=worst)


def _best(kind: Kind, band: Array, damping: tuple[float, ...]) -> tuple[Shaper, float]:
    """The design frequency in the band with the smallest largest V."""
    from scipy.optimize import minimize_scalar

    zeta = float(np.mean([_damping(one) for one in damping]))

    def largest(f: float) -> float:
        train = shaper(kind, frequency_hz=f, damping=zeta)
        return max(float(train.vibration(band, one).max()) for one in damping)

    grid = np.linspace(band[0], band[-1], 21)
    at = int(np.argmin([largest(float(f)) for f in grid]))
    best, step = float(grid[at]), float(grid[1] - grid[0])
    if step > 0:
        found: Any = minimize_scalar(largest, bounds=(max(band[0], best - step), min(band[-1], best + step)), method="bounded", options={"xatol": 1e-6 * best})
        best = min((float(found.x), best), key=largest)
    return shaper(kind, frequency_hz=best, damping=zeta), largest(best)


def _train(kind: Kind, zeta: float) -> tuple[Array, Array]:
    """Amplitudes, not yet of sum 1, and times in damped periods; for 2HEI and 3HEI, whose fits hold the damping, in undamped ones."""
    k = math.exp(-math.pi * zeta / math.sqrt(1 - zeta * zeta))
    if kind == "ZV":
        return np.array([1, k]), np.array([0, 0.5])
    if kind == "ZVD":
        return np.array([1, 2 * k, k * k]), np.array([0, 0.5, 1])
    if kind == "MZV":
        side, k = 1 - 1 / math.sqrt(2), k**0.75
        return np.array([side, (math.sqrt(2) - 1) * k, side * k * k]), np.array([0, 0.375, 0.75])
    if kind == "EI":
        return _one_hump(zeta)
    times, amplitudes = _TWO_HUMPS if kind == "2HEI" else _THREE_HUMPS
    powers = zeta ** np.arange(4)
    return np.array(amplitudes) @ powers, np.array(times) @ powers


def _one_hump(zeta: float, v: float = HUMP) -> tuple[Array, Array]:
    first = 0.24968 + 0.24961 * v + (0.80008 + 1.23328 * v) * zeta + (0.49599 + 3.17316 * v) * zeta**2
    third = 0.25149 + 0.21474 * v + (-0.83249 + 1.41498 * v) * zeta + (0.85181 - 4.90094 * v) * zeta**2
    second_at = 0.49990 + (0.46159 + 8.57843 * v) * v * zeta + (4.26169 - 108.644 * v) * v * zeta**2 + (1.75601 + 336.989 * v) * v * zeta**3
    return np.array([first, 1 - first - third, third]), np.array([0.0, second_at, 1.0])


def _zero(x: NDArray[np.float64], y: NDArray[np.float64], k: int) -> float:
    """Zero of the line through points k and k + 1."""
    return float(x[k] - y[k] * (x[k + 1] - x[k]) / (y[k + 1] - y[k]))


def _damping(zeta: float) -> float:
    if not 0 <= zeta < 1:
        raise DataError(f"damping is {zeta:g}; expected a damping ratio ζ with 0 ≤ ζ < 1")
    return float(zeta)
