"""Propagation of uncertainty (JCGM 100, GUM): first order with correlations, the second-order term of independent inputs, effective degrees of freedom.

    u_c² = Σ_i Σ_j c_i c_j u_i u_j r_ij,     c_i = ∂f/∂x_i
    second order, independent normal inputs:   u_c² + Σ_i Σ_j [½ f_ij² + f_i f_ijj] u_i² u_j²                     (JCGM 100, 5.1.2, note)
    ν_eff = u_c⁴ / Σ (c_i u_i)⁴/ν_i              (Welch–Satterthwaite, G.4; independent inputs)        U = t_p(ν_eff)·u_c

Derivatives are central differences, of steps of the inputs' own uncertainty divided by 10³ for the first and 10 for the higher ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Model = Callable[..., float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input quantity. value : best estimate. u : standard uncertainty. freedom : degrees of freedom of u, infinite for one that is known."""

    value: float
    u: float
    freedom: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagated:
    """value : of the model at the estimates. u : combined standard uncertainty, first order. u_second_order : with the second-order term, or None where inputs
    are correlated. components : input -> |c_i|·u_i. sensitivity : input -> c_i. freedom : ν_eff, or None where inputs are correlated."""

    value: float
    u: float
    u_second_order: float | None
    components: Mapping[str, float]
    sensitivity: Mapping[str, float]
    freedom: float | None

    def expanded(self, probability: float) -> float:
        """U = t_p(ν_eff)·u, ν_eff cut off to a whole number as JCGM 100, G.4.1 note 1, has it.

        Raises
        ------
        ValueError      inputs are correlated: there is no ν_eff
        """
        from scipy.stats import norm, t

        if self.freedom is None:
            raise ValueError("the inputs are correlated: the Welch–Satterthwaite formula does not hold; state U with k")
        if math.isinf(self.freedom):
            return float(norm.ppf((1 + probability) / 2)) * self.u
        return float(t.ppf((1 + probability) / 2, math.floor(self.freedom))) * self.u


def propagate(model: Model, inputs: Mapping[str, Input], *, correlation: Mapping[tuple[str, str], float] | None = None) -> Propagated:
    """Propagate the uncertainty of `inputs` through `model`, which is called with the inputs' names as keywords.

    correlation : (first, second) -> r; pairs that are left out are independent

    Raises
    ------
    ValueError      an uncertainty below zero or not finite, a correlation outside ±1 or of inputs that are not there

    >>> round(propagate(lambda a, b: a * b, {"a": Input(value=2.0, u=0.1), "b": Input(value=3.0, u=0.2)}).u, 6)
    0.5
    """
    names = list(inputs)
    for name, item in inputs.items():
        if not (math.isfinite(item.u) and item.u >= 0 and math.isfinite(item.value) and item.freedom > 0):
            raise ValueError(f"{name}: value {item.value}, u {item.u}, {item.freedom} degrees of freedom; expected finite values, u ≥ 0 and at least some freedom")
    r = np.eye(len(names))
    for (first, second), value in (correlation or {}).items():
        if first not in inputs or second not in inputs or not -1 <= value <= 1:
            raise ValueError(f"correlation of {first} and {second} is {value}; expected two of {', '.join(names)} and a number in −1 … 1")
        i, j = names.index(first), names.index(second)
        r[i, j] = r[j, i] = value
    u = np.array([item.u for item in inputs.values()])
    estimates = {name: item.value for name, item in inputs.items()}
    c = np.array([_first(model, estimates, name, item.u) for name, item in inputs.items()])
    combined = float(np.sqrt((c * u) @ r @ (c * u)))
    independent = not correlation
    freedom: float | None = None
    higher: float | None = None
    if independent:
        weak = sum((abs(c[k]) * u[k]) ** 4 / item.freedom for k, item in enumerate(inputs.values()))
        freedom = combined**4 / weak if weak > 0 else math.inf
        higher = math.sqrt(max(0.0, combined**2 + _second_order(model, estimates, names, c, u)))
    return Propagated(
        value=float(model(**estimates)), u=combined, u_second_order=higher, components=dict(zip(names, (np.abs(c) * u).tolist(), strict=True)),
        sensitivity=dict(zip(names, c.tolist(), strict=True)), freedom=freedom,
    )  # fmt: skip


def _first(model: Model, at: Mapping[str, float], name: str, u: float) -> float:
    if u == 0:
        return 0.0
    return _difference(model, at, {name: u * 1e-3})


def _difference(model: Model, at: Mapping[str, float], steps: Mapping[str, float]) -> float:
    """Central difference along one input, per unit."""
    ((name, step),) = steps.items()
    up, down = ({**at, name: at[name] + sign * step} for sign in (1.0, -1.0))
    return float((model(**up) - model(**down)) / (2 * step))


def _second_order(model: Model, at: Mapping[str, float], names: Sequence[str], c: Array, u: Array) -> float:
    """Σ_i Σ_j [½ f_ij² + f_i f_ijj] u_i² u_j², in units of u: each step is a tenth of an input's uncertainty."""
    h = 0.1
    moving = [k for k in range(len(names)) if u[k] > 0]

    def value(shifts: Mapping[int, float]) -> float:
        return float(model(**{name: at[name] + shifts.get(k, 0.0) * h * u[k] for k, name in enumerate(names)}))

    total = 0.0
    centre = value({})
    for i in moving:
        for j in moving:
            if i == j:
                mixed = (value({i: 1}) - 2 * centre + value({i: -1})) / h**2
                third = (value({i: 2}) - 2 * value({i: 1}) + 2 * value({i: -1}) - value({i: -2})) / (2 * h**3)
            else:
                mixed = (value({i: 1, j: 1}) - value({i: 1, j: -1}) - value({i: -1, j: 1}) + value({i: -1, j: -1})) / (4 * h**2)
                third = (
                    (value({i: 1, j: 1}) - 2 * value({i: 1}) + value({i: 1, j: -1})) - (value({i: -1, j: 1}) - 2 * value({i: -1}) + value({i: -1, j: -1}))
                ) / (2 * h**3)
            total += mixed**2 / 2 + c[i] * u[i] * third
    return total
