"""Drift and in-position stability: how far a reading that is averaged over τ is from the one after it (Allan deviations), and what kind of noise that is.

A record of positions can be taken in two ways, and the choice changes what the curve says:

    as rates    σ(τ) of the position averaged over τ, in the unit of position: white noise falls as 1/√τ, a drift D rises as D τ/√2. What drift curves show.
    as phases   the same of the velocity, in unit/s; its time deviation (TDEV) is again the instability of the averaged position.

The deviations are those of `kernels.allan` (W. J. Riley, NIST SP 1065), the intervals those of `allan_confidence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.allan import allan_deviation
from .allan_confidence import ALPHAS, degrees_of_freedom, interval, noise_type
from .arrays import Array, frozen, positive
from .reported import Reported, figure, keyed
from .sampling import samples, warnings_of

Kind = Literal["adev", "oadev", "mdev", "tdev", "hdev", "ohdev"]
DataType = Literal["rate", "phase"]

FLICKER: Final = 0.664
"""√(2 ln 2/π): a flicker floor B shows as 0.664 B."""
_TOGETHER: Final = 2.0
"""By which the uncertainty of a fit of independent points is widened: the scatter of N, K and D over simulated records of one noise (tests/physics) asks for it."""
NAMES: Final = {
    "adev": "Allan deviation without overlap", "oadev": "Allan deviation", "mdev": "modified Allan deviation", "tdev": "time deviation",
    "hdev": "Hadamard deviation without overlap", "ohdev": "Hadamard deviation",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One deviation over the averaging time. Arrays of (k,).

    samples : averaging factors m.  tau_s : averaging times.  deviation : in `unit`; lower, upper : its interval, NaN where the degrees of freedom are not known.
    alpha : kind of noise at each τ (`allan_confidence.ALPHAS`), None where it could not be told.  degrees_of_freedom : NaN where not known.
    """

    kind: Kind
    unit: str
    samples: tuple[int, ...]
    tau_s: Array
    deviation: Array
    lower: Array
    upper: Array
    alpha: tuple[int | None, ...]
    degrees_of_freedom: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "sigma_1" (deviation at the shortest τ), "sigma_min" and "tau_min" (lowest point), "N", "B", "K", "D" (white, flicker floor, random walk, drift,
    from a fit of σ²), "drift_rate" (slope of the record).

    curves : kind -> Curve.  Intervals hold with probability `confidence`.
    """

    data_type: DataType
    unit: str
    interval_s: float
    confidence: float
    curves: dict[Kind, Curve]


def evaluate(
    values: ArrayLike,
    *,
    rate_hz: float,
    data_type: DataType,
    unit: str = "m",
    name: str = "position",
    kinds: Sequence[Kind] = ("oadev",),
    averages: Literal["octave", "decade", "all"] | Sequence[int] = "octave",
    confidence: float = 0.95,
    flags: tuple[str, ...] = (),
) -> Result:
    """Evaluate the stability of a record.

    Parameters
    ----------
    values : (n,) float64, evenly sampled, n ≥ 16; what it is averaged over between samples is the interval itself (rates)
    data_type : "rate" or "phase" (module docstring): to be said, there is no default
    kinds : deviations wanted; the figures are those of the first
    averages : numbers of samples to average, as for `kernels.allan`; those with fewer than three terms are left out
    confidence : of the intervals

    Raises
    ------
    DataError       too short, no numbers, unknown kinds
    """
    if data_type not in ("rate", "phase"):
        raise DataError(
            f"data_type is {data_type!r}; expected 'rate' (stability of the averaged position) or 'phase' (stability of velocity; TDEV of the averaged position)"
        )
    unknown = [kind for kind in kinds if kind not in NAMES]
    if unknown or not kinds:
        raise DataError(f"kinds are {', '.join(map(repr, kinds)) or 'none'}; expected some of {', '.join(NAMES)}")
    if not 0 < confidence < 1:
        raise DataError(f"confidence is {confidence:g}; expected between 0 and 1, for example 0.95")
    x = samples(name, values, fewest=16)
    step = 1 / positive("rate_hz", rate_hz, "samples a second")
    curves = {kind: _curve(x, kind, step, data_type, unit, averages, confidence) for kind in dict.fromkeys(kinds)}
    first = curves[kinds[0]]
    notes = [*flags, *warnings_of(name, x)]
    if np.ptp(x) == 0:
        raise DataError(f"{name} never changes ({x[0]:g} in {x.size} samples): not connected, or nothing was measured")
    meaning = {
        "rate": f"taken as rates: the deviation is of the {name} averaged over τ",
        "phase": f"taken as phases: the deviation is of the rate of change of the {name}; TDEV of the {name} averaged over τ",
    }[data_type]
    return Result(
        title=f"{NAMES[first.kind]} of {name}: {x.size} samples at {rate_hz:g} Hz",
        stated=(
            meaning,
            f"intervals at {confidence:.4g}, noise by its lag-1 autocorrelation, degrees of freedom after Greenhall and Riley with phases as samples",
        ),
        figures=keyed(_figures(x, first, step, data_type, unit, confidence)),
        flags=tuple(notes),
        data_type=data_type,
        unit=unit,
        interval_s=step,
        confidence=confidence,
        curves=curves,
    )


def _curve(
    x: Array, kind: Kind, step: float, data_type: DataType, unit: str, averages: Literal["octave", "decade", "all"] | Sequence[int], confidence: float
) -> Curve:
    try:
        found = allan_deviation(x, interval_s=step, data_type=data_type, kind=kind, averages=averages)
    except ValueError as error:
        raise DataError(f"{NAMES[kind]} of {x.size} samples: {error}") from error
    terms = np.asarray(found.terms)
    kept = [k for k, m in enumerate(found.samples) if terms[k] >= (3 if kind in ("adev", "hdev") else m + 2)] or [0]
    modified, order = kind in ("mdev", "tdev"), 3 if kind in ("hdev", "ohdev") else 2
    phases = x.size + (data_type == "rate")
    alphas: list[int | None] = []
    freedom, low, high = (np.full(len(kept), np.nan) for _ in range(3))
    for place, k in enumerate(kept):
        m = found.samples[k]
        alpha = noise_type(x, m, data_type=data_type, previous=alphas[-1] if alphas else None)
        alpha = alpha if alpha is not None else (alphas[-1] if alphas else None)
        alphas.append(alpha)
        # A variance that does not converge for this noise has the degrees of freedom of the steepest noise for which it does.
        usable = None if alpha is None else max(alpha, 2 - 2 * order)
        edf = (
            None
            if usable is None
            else degrees_of_freedom(usable, phases=phases, samples=m, order=order, modified=modified, overlapping=kind not in ("adev", "hdev"))
        )
        if edf is not None:
            freedom[place] = edf
            low[place], high[place] = interval(float(found.deviation[k]), edf, confidence)
    own = {"rate": {"tdev": f"{unit}·s"}, "phase": {"tdev": unit}}[data_type].get(kind, unit if data_type == "rate" else f"{unit}/s")
    return Curve(
        kind=kind,
        unit=own,
        samples=tuple(found.samples[k] for k in kept),
        tau_s=frozen(np.array([found.tau_s[k] for k in kept])),
        deviation=frozen(np.asarray(found.deviation)[kept].astype(np.float64)),
        lower=frozen(low),
        upper=frozen(high),
        alpha=tuple(alphas),
        degrees_of_freedom=frozen(freedom),
    )


def _figures(x: Array, curve: Curve, step: float, data_type: DataType, unit: str, confidence: float) -> list[Figure]:
    lowest = int(np.argmin(curve.deviation))
    short = f"{NAMES[curve.kind]} at τ = {curve.tau_s[0]:.4g} s ({_noise(curve.alpha[0])})"
    at_low = f"lowest {NAMES[curve.kind]}, at τ = {curve.tau_s[lowest]:.4g} s ({_noise(curve.alpha[lowest])})"
    ends = "" if 0 < lowest < curve.tau_s.size - 1 else ": at the end of the curve, it may be lower beyond"
    figures = [
        figure("sigma_1", short, float(curve.deviation[0]), curve.unit, _half(curve, 0), symbol="σ(τ₀)"),
        figure("sigma_min", at_low + ends, float(curve.deviation[lowest]), curve.unit, _half(curve, lowest), symbol="σ_min"),
        figure(
            "tau_min",
            "averaging time of the lowest point" + ends,
            float(curve.tau_s[lowest]),
            "s",
            "the curve is known at some times only",
            symbol="τ_min",
        ),
    ]
    figures += _coefficients(curve, data_type)
    figures.append(_drift_rate(x, step, unit))
    return figures


def _half(curve: Curve, k: int) -> float | str:
    """U at k = 2: twice the standard uncertainty σ/√(2ν) of a deviation."""
    nu = curve.degrees_of_freedom[k]
    return (
        "too few averages to tell the kind of noise, and so the degrees of freedom"
        if math.isnan(nu)
        else float(2 * curve.deviation[k] / math.sqrt(2 * nu))
    )


def _noise(alpha: int | None) -> str:
    return "kind of noise not known" if alpha is None else ALPHAS[alpha]


_WORST_FIT: Final = 8.0
"""χ² for each degree of freedom up to which the sum of noises describes the curve. Averaging times share the record, so that it scatters more than 1 ± √(2/n)."""


def _coefficients(curve: Curve, data_type: DataType) -> list[Figure]:
    """N²/τ + (0.664 B)² + K² τ/3 + D² τ²/2 fitted to σ²(τ) with parts that are not negative, each point weighted with its degrees of freedom."""
    base = curve.unit
    rows = (
        ("N", "white noise (slope −1/2, read at τ = 1 s)", f"{base}·√s"),
        ("B", "flicker floor (lowest part of the curve over 0.664)", base),
        ("K", "random walk (slope +1/2, read at τ = 3 s)", f"{base}/√s"),
        ("D", "drift (slope +1, √2 times the reading at τ = 1 s)", f"{base}/s"),
    )
    usable = np.isfinite(curve.degrees_of_freedom) & (curve.deviation > 0)
    reason = ""
    if curve.kind not in ("adev", "oadev"):
        reason = f"defined by the Allan deviation, not by the {NAMES[curve.kind]}"
    elif data_type == "phase" and any(alpha is not None and alpha > 0 for alpha in curve.alpha):
        reason = "the record holds phase noise, which this model of rate noise has no part for; take the record as rates"
    elif np.count_nonzero(usable) < 5:
        reason = f"only {np.count_nonzero(usable)} averaging times have an interval; at least 5 are needed"
    if reason:
        return [figure(key, name, reason, unit) for key, name, unit in rows]
    tau, variance, nu = curve.tau_s[usable], curve.deviation[usable] ** 2, curve.degrees_of_freedom[usable]
    design = np.stack([1 / tau, np.full(tau.size, FLICKER**2), tau / 3, tau**2 / 2], axis=1)
    weight = np.sqrt(nu / 2) / variance
    active = [0, 1, 2, 3]
    while True:
        parts, u = _fit(design[:, active], variance, weight)
        # Weights of the fitted curve: those of the readings would favour the points that happen to be low.
        parts, u = _fit(design[:, active], variance, np.sqrt(nu / 2) / np.maximum(design[:, active] @ parts, 1e-3 * variance))
        weakest = int(np.argmin(parts / u))
        if parts[weakest] > 2 * u[weakest] or len(active) == 1:
            break
        del active[weakest]
    misfit = float(np.sum(nu / 2 * (variance / np.maximum(design[:, active] @ parts, 1e-30 * variance.max()) - 1) ** 2)) / max(1, tau.size - len(active))
    if misfit > _WORST_FIT:
        reason = f"the curve is no sum of these noises (χ² of {misfit:.3g} for each degree of freedom): a line, or a motion, stands in it; see the spectrum"
        return [figure(key, name, reason, unit) for key, name, unit in rows]
    found = {key: (float(parts[active.index(k)]), float(u[active.index(k)])) for k, (key, _, _) in enumerate(rows) if k in active}
    figures = []
    for key, name, unit in rows:
        if key not in found:
            figures.append(figure(key, name, "not seen beside the other noise", unit))
            continue
        value, spread = found[key]
        # U(√v) = 2 u(v)/(2 √v). The averaging times share the record, so their errors go together: see `_TOGETHER`.
        figures.append(figure(key, name, math.sqrt(value), unit, _TOGETHER * spread / math.sqrt(value)))
    return figures


def _fit(design: Array, variance: Array, weight: Array) -> tuple[Array, Array]:
    """Parts ≥ 0 by least squares, and the standard uncertainty of each where it is not held at 0."""
    from scipy.optimize import nnls

    weighted = design * weight[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    parts, _ = nnls(weighted / scale, variance * weight)
    spread = np.sqrt(np.diag(np.linalg.pinv((weighted / scale).T @ (weighted / scale))))
    return np.asarray(parts / scale, dtype=np.float64), np.asarray(spread / scale, dtype=np.float64)


def _drift_rate(x: Array, step: float, unit: str) -> Figure:
    """Slope of the line by least squares; its uncertainty counts only as many independent residuals as their autocorrelation leaves."""
    t = step * (np.arange(x.size) - (x.size - 1) / 2)
    slope = float((x - x.mean()) @ t / (t @ t))
    left = x - x.mean() - slope * t
    power = float(left @ left)
    name = "slope of the record, by least squares"
    if power == 0:
        return figure("drift_rate", name, slope, f"{unit}/s", 0.0, symbol="ẋ")
    r = min(0.9999, max(0.0, float(left[:-1] @ left[1:]) / power))
    independent = x.size * (1 - r) / (1 + r)
    if independent < 5:
        return figure(
            "drift_rate", name, slope, f"{unit}/s", "what is left of the line wanders: it holds fewer than 5 independent readings", symbol="ẋ"
        )
    u = math.sqrt(power / (independent - 2) / float(t @ t) * x.size / independent)
    return figure("drift_rate", name, slope, f"{unit}/s", 2 * u, symbol="ẋ")
