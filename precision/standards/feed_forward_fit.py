"""Feed-forward of an axis from a motion and its force: mass, viscous and Coulomb friction, offset, snap and delay, each with its interval.

    u(t) = m a + c v + F_c sgn v + F_0 + d s,   motion at t + τ;   τ > 0: the motion comes after the force;   d ≈ m₁ m₂/k of two masses on a spring k

Least squares over the samples with |v| ≥ v_min, as friction near standstill is no sgn v; τ by minimizing the same sum of squares. Intervals are ±2 standard
uncertainties from the residual variance, divisor n − p, widened by √((1 + ρ)/(1 − ρ)) for residuals that follow one another with lag-1 correlation ρ > 0.
A fit says how well it explains its own record; only another motion says whether the model holds: `validated`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed

FEWEST: Final = 64
_LARGEST: Final = 1e12
_ALIKE: Final = 1e6
"""Condition number of the columns, each of length 1, above which two terms cannot be told apart in float64 data of machines."""
_TERMS: Final = (
    ("mass", "m", "mass", " s²"),
    ("viscous", "c", "viscous friction", " s"),
    ("coulomb", "F_c", "Coulomb friction", ""),
    ("offset", "F_0", "offset", ""),
    ("snap", "d", "snap coefficient", " s⁴"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One motion, all (n,) float64 at equal intervals. velocity, acceleration, snap (optional) : of the set-point, or smooth ones of the axis. force : N, A or V."""

    velocity: ArrayLike
    acceleration: ArrayLike
    force: ArrayLike
    rate_hz: float
    snap: ArrayLike | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A fit. Figures "mass", "viscous", "coulomb", "offset", "snap" where asked, "delay" where asked, "residual", "r2", and "validated_residual", "validated_r2".

    coefficient : (p,) in that order. residual : (n,) u − model, NaN where |v| < v_min or the shifted motion lies outside the record.
    """

    coefficient: Array
    delay_s: float
    residual: Array


def evaluate(record: Record, *, v_min: float, max_delay_s: float = 0.0, validation: Record | None = None, force_unit: str = "N", unit: str = "m") -> Result:
    """Fit the model to one motion.

    Parameters
    ----------
    record : with `snap` the snap term is fitted
    v_min : velocity below which samples are left out, ≥ 0
    max_delay_s : τ is sought between ± this; 0: no delay is fitted
    validation : another motion, with the same terms; its force is predicted, nothing is fitted to it

    Raises
    ------
    DataError       shapes, too few samples, terms that this motion cannot tell apart (one direction only, no acceleration), naming them
    """
    motion, force = _checked(record)
    positive("rate_hz", record.rate_hz, "Hz")
    if not (v_min >= 0 and 0 <= max_delay_s * record.rate_hz < force.size / 4):
        raise DataError(f"v_min is {v_min:g} and max_delay_s {max_delay_s:g}; expected zero or more, the delay at most a quarter of the record")
    fixed, _ = _rows(motion, 0.0, v_min)
    _told_apart(fixed)
    delay = _delay(motion, force, max_delay_s * record.rate_hz, v_min) if max_delay_s > 0 else 0.0
    columns, used = _rows(motion, delay, v_min)
    coefficient: Array = np.asarray(np.linalg.lstsq(columns, force[used], rcond=None)[0], dtype=np.float64)
    residual = np.full(force.size, np.nan)
    residual[used] = force[used] - columns @ coefficient
    design = columns
    if max_delay_s > 0:
        design = np.column_stack([columns, _by_delay(motion, delay, used, coefficient)])
    uncertainty, correlation = _uncertainty(design, residual[used])
    rms, r2 = _explained(force[used], residual[used])
    figures = [
        figure(key, name, float(value), f"{force_unit}{power if not power else power + '/' + unit}".strip(), float(u), symbol=symbol)
        for (key, symbol, name, power), value, u in zip(_TERMS, coefficient, uncertainty, strict=False)
    ]
    flags = []
    if max_delay_s > 0:
        figures.append(figure("delay", "delay of the motion after the force", delay / record.rate_hz, "s", float(uncertainty[-1]) / record.rate_hz, symbol="τ"))
        if abs(delay) > 0.99 * max_delay_s * record.rate_hz:
            flags.append(f"the delay lies at the end of the range sought, ±{max_delay_s:g} s; give a larger max_delay_s")
    figures += [figure("residual", "rms of force − model", rms, force_unit, symbol="rms"), figure("r2", "share of the force's variance explained", r2, "", symbol="R²")]
    if validation is not None:
        v_rms, v_r2 = validated(coefficient, delay / record.rate_hz, validation, v_min=v_min)
        figures += [
            figure("validated_residual", "rms of force − model on another motion", v_rms, force_unit, symbol="rms_v"),
            figure("validated_r2", "share of variance explained on another motion", v_r2, "", symbol="R²_v"),
        ]
        if v_rms > 1.5 * rms:
            flags.append(f"on another motion the residual is {v_rms / rms:.3g} times as large; the model lacks something, or the fit followed noise")
    else:
        flags.append("not cross-validated: give another motion")
    if correlation > 0.5:
        flags.append(f"residuals follow one another (lag-1 correlation {correlation:.2g}); the model lacks something, the intervals are widened")
    return Result(
        title="Feed-forward fit",
        stated=(f"{int(used.sum())} of {force.size} samples, |v| ≥ {v_min:g} {unit}/s", "intervals: 2 standard uncertainties, widened for correlated residuals"),
        figures=keyed(figures),
        flags=tuple(flags),
        coefficient=frozen(coefficient),
        delay_s=delay / record.rate_hz,
        residual=frozen(residual),
    )


def validated(coefficient: ArrayLike, delay_s: float, record: Record, *, v_min: float) -> tuple[float, float]:
    """Residual rms and R² of a fitted model on another motion, nothing fitted to it. DataError as `evaluate`."""
    motion, force = _checked(record)
    columns, used = _rows(motion, delay_s * record.rate_hz, v_min)
    theta = vector("coefficient", coefficient, size=columns.shape[1], largest=_LARGEST)
    return _explained(force[used], force[used] - columns @ theta)


def _checked(record: Record) -> tuple[list[Array], Array]:
    force = vector("force", record.force, fewest=FEWEST, largest=_LARGEST)
    named = [("velocity", record.velocity), ("acceleration", record.acceleration)]
    if record.snap is not None:
        named.append(("snap", record.snap))
    return [vector(name, values, size=force.size, largest=_LARGEST) for name, values in named], force


def _rows(motion: list[Array], delay: float, v_min: float) -> tuple[Array, NDArray[np.bool_]]:
    """Columns a, v, sgn v, 1, s of the motion `delay` samples later, and which samples they are of. Linear between samples."""
    at = np.arange(motion[0].size) + delay
    v, a, *s = (np.interp(at, np.arange(at.size), values) for values in motion)
    used = (np.abs(v) >= v_min) & (at >= 0) & (at <= at.size - 1)
    if used.sum() < FEWEST:
        raise DataError(f"{int(used.sum())} samples with |v| ≥ {v_min:g}; at least {FEWEST} are needed: move faster or longer, or lower v_min")
    return np.column_stack([a, v, np.sign(v), np.ones_like(v), *s])[used], used


def _told_apart(columns: Array) -> None:
    """Refuse a motion that cannot tell its terms apart."""
    length = np.linalg.norm(columns, axis=0)
    names = [term[2] for term in _TERMS]
    if not length.all():
        raise DataError(f"{names[int(np.argmin(length))]} cannot be fitted: the motion has none of what it acts on")
    unit = columns / length
    if np.linalg.cond(unit) > _ALIKE:
        alike = np.abs(unit.T @ unit) - np.eye(unit.shape[1])
        i, j = np.unravel_index(int(np.argmax(alike)), alike.shape)
        raise DataError(f"this motion cannot tell {names[int(i)]} from {names[int(j)]}; record both directions, several speeds and accelerations")


def _delay(motion: list[Array], force: Array, most: float, v_min: float) -> float:
    """Delay in samples with the smallest mean square, over samples that every delay sought has."""
    from scipy.optimize import minimize_scalar

    inner = np.zeros(force.size, dtype=bool)
    edge = math.ceil(most)
    inner[edge : force.size - edge] = True

    def left(delay: float) -> float:
        columns, used = _rows(motion, delay, v_min)
        keep = inner[used]
        rest = force[used & inner] - columns[keep] @ np.linalg.lstsq(columns[keep], force[used & inner], rcond=None)[0]
        return float(rest @ rest) / rest.size

    grid = np.linspace(-most, most, max(9, 2 * edge + 1))
    best = float(grid[int(np.argmin([left(float(one)) for one in grid]))])
    step = float(grid[1] - grid[0])
    found: Any = minimize_scalar(left, bounds=(max(-most, best - step), min(most, best + step)), method="bounded", options={"xatol": 1e-6})
    return float(found.x)


def _by_delay(motion: list[Array], delay: float, used: NDArray[np.bool_], coefficient: Array) -> Array:
    """Derivative of the model with respect to the delay, per sample; sgn v does not change with it."""
    at = np.arange(motion[0].size) + delay
    slopes = [np.interp(at, np.arange(at.size), np.gradient(values))[used] for values in motion]
    rate: Array = coefficient[0] * slopes[1] + coefficient[1] * slopes[0]
    return rate + coefficient[4] * slopes[2] if len(slopes) == 3 else rate


def _uncertainty(design: Array, residual: Array) -> tuple[Array, float]:
    """Expanded uncertainties, k = 2, and the lag-1 correlation of the residuals."""
    power = float(residual @ residual)
    correlation = float(residual[1:] @ residual[:-1] / power) if power > 0 else 0.0
    rho = min(max(correlation, 0.0), 1 - 1 / residual.size)
    length = np.linalg.norm(design, axis=0)
    inverse = np.linalg.pinv(design / length)
    spread = np.sqrt(np.sum(inverse**2, axis=1)) / length
    sigma = math.sqrt(power / (residual.size - design.shape[1]) * (1 + rho) / (1 - rho))
    return np.asarray(2 * sigma * spread, dtype=np.float64), correlation


def _explained(force: Array, residual: Array) -> tuple[float, float]:
    total = float(np.mean((force - force.mean()) ** 2))
    left = float(np.mean(residual**2))
    if total == 0:
        raise DataError(f"the force stays at {force[0]:g}; nothing can be explained by the motion")
    return math.sqrt(left), 1 - left / total
