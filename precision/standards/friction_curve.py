"""Friction over velocity from runs at constant velocity: the Stribeck curve.

    F(v) = sgn v·(F_c + (F_s − F_c) e^{−(v/v_s)²}) + F_v v + F_0

F_0, what does not change sign with the direction (weight, a slope of the drive's torque), is fitted where both directions were run. Least squares in
F_c, F_s − F_c, F_v, F_0 for each v_s, and over v_s between the slowest and the fastest run; intervals are ±2 standard uncertainties, divisor n − p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from .arrays import Array, frozen, vector
from .reported import Reported, figure, keyed

FEWEST: Final = 6
_GRID: Final = 200
"""Stribeck velocities tried, evenly in logarithm, before the best one is refined."""
_FALL: Final = 2.0
"""Uncertainties by which F_s − F_c must differ from zero: v_s is chosen to make the most of noise, so that one would see a fall in every tenth flat curve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A friction curve. Figures "coulomb", "static", "stribeck_velocity", "viscous", "offset" where both directions were run, "residual".

    model, model_u : (n,) F(v) at the velocities given, and its expanded uncertainty (k = 2).
    """

    model: Array
    model_u: Array


def evaluate(velocity: ArrayLike, force: ArrayLike, *, force_u: ArrayLike | None = None, force_unit: str = "N", unit: str = "m") -> Result:
    """Fit a Stribeck curve to mean forces of runs at constant velocity.

    Parameters
    ----------
    velocity : (n,) float64, signed, unit per second, none zero, at least 6 different speeds
    force : (n,) float64, mean force of each run, N, A or V
    force_u : (n,) float64 > 0, its uncertainty: runs count by 1/U², those of less than half the median as of that; how large it is all in all does not matter, as the
        scatter about the curve decides. Without it all runs count alike

    Raises
    ------
    DataError       shapes, a velocity of zero, too few speeds
    """
    v = vector("velocity", velocity, fewest=FEWEST)
    f = vector("force", force, size=v.size, largest=1e12)
    speed = np.unique(np.abs(v))
    if speed[0] == 0:
        raise DataError("a run has velocity 0; friction at standstill is no point of the curve: leave it out")
    both = bool((v > 0).any() and (v < 0).any())
    if speed.size < FEWEST or v.size < 6 + both:
        raise DataError(f"{speed.size} speeds in {v.size} runs; at least {FEWEST} speeds, and more runs than the {5 + both - 1} coefficients and v_s, are needed")
    weight = _weights(force_u, v.size)
    v_s = _stribeck_velocity(v, f, weight, speed, both)
    columns = _columns(v, v_s, both)
    theta = np.linalg.lstsq(columns * weight[:, None], f * weight, rcond=None)[0]
    model: Array = np.asarray(columns @ theta, dtype=np.float64)
    slope = theta[1] * np.sign(v) * np.exp(-((v / v_s) ** 2)) * 2 * v**2 / v_s**3
    design = np.column_stack([columns, slope])
    covariance = _covariance(design * weight[:, None], (f - model) * weight)
    model_u: Array = np.asarray(2 * np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", design, covariance, design), 0.0)), dtype=np.float64)
    static = np.array([1.0, 1.0, *[0.0] * (theta.size - 1)])
    u = 2 * np.sqrt(np.diag(covariance))
    u_static = 2 * math.sqrt(max(float(static @ covariance @ static), 0.0))
    no_fall = bool(abs(theta[1]) <= _FALL * u[1])
    if no_fall:
        stribeck: float | str = f"no fall of friction: F_s − F_c is {theta[1]:.3g} {force_unit}, its uncertainty {u[1]:.3g} {force_unit}, {_FALL:g} times which it must exceed"
    else:
        stribeck = v_s
    figures = [
        figure("coulomb", "Coulomb friction", float(theta[0]), force_unit, float(u[0]), symbol="F_c"),
        figure("static", "static friction, the curve toward zero velocity", float(theta[0] + theta[1]), force_unit, u_static, symbol="F_s"),
        figure("stribeck_velocity", "Stribeck velocity", stribeck, f"{unit}/s", float(u[-1]), symbol="v_s"),
        figure("viscous", "viscous friction", float(theta[2]), f"{force_unit} s/{unit}", float(u[2]), symbol="F_v"),
        *([figure("offset", "part that does not change sign with the direction", float(theta[3]), force_unit, float(u[3]), symbol="F_0")] if both else []),
        figure("residual", "rms of force − curve", float(np.sqrt(np.mean((f - model) ** 2))), force_unit, symbol="rms"),
    ]
    flags = [] if both else ["one direction only: an offset of the force counts as friction"]
    if not no_fall and (v_s <= speed[0] * 1.01 or v_s >= speed[-1] * 0.99):
        flags.append(f"the Stribeck velocity lies at the end of the velocities run, {speed[0]:.3g} to {speed[-1]:.3g} {unit}/s; run slower or faster")
    return Result(
        title="Friction curve",
        stated=(f"{v.size} runs at constant velocity, {speed[0]:.3g} to {speed[-1]:.3g} {unit}/s", "both directions" if both else "one direction"),
        figures=keyed(figures),
        flags=tuple(flags),
        model=frozen(model),
        model_u=frozen(model_u),
    )


def _weights(force_u: ArrayLike | None, count: int) -> Array:
    """Of each run, 1 for the typical one."""
    if force_u is None:
        return np.ones(count)
    u = vector("force_u", force_u, size=count, largest=1e12)
    typical = float(np.median(u))
    if not typical > 0:
        return np.ones(count)
    return np.asarray(typical / np.maximum(u, typical / 2), dtype=np.float64)


def _columns(v: Array, v_s: float, both: bool) -> Array:
    """sgn v, sgn v·e^{−(v/v_s)²}, v and, for both directions, 1."""
    rows = [np.sign(v), np.sign(v) * np.exp(-((v / v_s) ** 2)), v]
    return np.column_stack([*rows, np.ones_like(v)] if both else rows)


def _stribeck_velocity(v: Array, f: Array, weight: Array, speed: Array, both: bool) -> float:
    """v_s with the smallest sum of squares, between the slowest and the fastest run."""
    from scipy.optimize import minimize_scalar

    def left(log_v_s: float) -> float:
        columns, values = _columns(v, math.exp(log_v_s), both) * weight[:, None], f * weight
        rest = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
        return float(rest @ rest)

    grid = np.linspace(math.log(speed[0]), math.log(speed[-1]), _GRID)
    best = int(np.argmin([left(float(one)) for one in grid]))
    found: Any = minimize_scalar(left, bounds=(grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]), method="bounded", options={"xatol": 1e-10})
    return math.exp(float(found.x))


def _covariance(design: Array, residual: Array) -> Array:
    """σ² (XᵀX)⁻¹ with σ² of divisor n − p."""
    length = np.linalg.norm(design, axis=0)
    length[length == 0] = 1.0
    inverse = np.linalg.pinv(design / length)
    variance = float(residual @ residual) / max(1, residual.size - design.shape[1])
    return np.asarray(variance * (inverse @ inverse.T) / np.outer(length, length), dtype=np.float64)
