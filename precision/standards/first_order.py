"""First-order response of a machine that warms up: d(t) = d_0 + d_∞·(1 − e^{−(t − t_0)/τ}), fitted to a record of drift.

For a given τ the model is linear in d_0 and d_∞; τ is found by least squares in its logarithm. U (k = 2) of d_∞ and of ln τ are from the covariance of the fit
with the measured correlation of the residuals. d_∞ is an extrapolation: a record shorter than 1.5 τ does not determine it, and the fit is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..uncertainty.least_squares import correlated_covariance
from .arrays import Array, frozen

FEWEST_POINTS: Final = 10
SHORTEST_RECORD: Final = 1.5
"""In units of τ: after 1.5 τ 78 % of the final drift is there."""
LARGEST_RELATIVE_U: Final = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstOrder:
    """The fitted response.

    final : d_∞, drift from t_0 until it comes to rest, unit of the record.
    final_uncertainty : U (k = 2).
    time_constant_s : τ.
    time_constant_interval_s : interval (95 %) of τ, not symmetrical: τ·e^{±U(ln τ)}.
    time_constant_uncertainty_s : U (k = 2), the larger half of that interval.
    start : d_0.
    fitted : (n,) float64, d(t).
    residual_rms : divisor n − 3.
    disturbance_gain : most that d_∞ and ln τ can change by for a bounded disturbance of range 1 in the record (drift of the room), per unit of the record; linear.
    """

    final: float
    final_uncertainty: float
    time_constant_s: float
    time_constant_interval_s: tuple[float, float]
    start: float
    fitted: Array
    residual_rms: float
    disturbance_gain: tuple[float, float]

    def disturbed_by(self, spread: float) -> FirstOrder | str:
        """The same response, with intervals that hold for any other drift in the record of range up to `spread` too; or why it is then not determined."""
        gain_final, gain_log = self.disturbance_gain
        u_final = self.final_uncertainty + gain_final * spread
        u_log = math.log(self.time_constant_interval_s[1] / self.time_constant_s) + gain_log * spread
        if u_final > LARGEST_RELATIVE_U * abs(self.final) or u_log > math.log(2):
            return (
                f"the drift does not stand out of what the room may add: d_∞ would be known to {u_final / abs(self.final) * 100:.0f} %, "
                f"τ to a factor of {math.exp(min(u_log, 20)):.2g}"
            )
        interval = (self.time_constant_s * math.exp(-u_log), self.time_constant_s * math.exp(u_log))
        return replace(self, final_uncertainty=u_final, time_constant_interval_s=interval)

    @property
    def time_constant_uncertainty_s(self) -> float:
        """U (k = 2) of τ."""
        return max(abs(edge - self.time_constant_s) for edge in self.time_constant_interval_s)


def fit(time_s: Array, drift: Array) -> FirstOrder | str:
    """The response of (n,) readings at (n,) ascending times, or the sentence that says why it is not determined."""
    from scipy.optimize import minimize_scalar

    if time_s.size < FEWEST_POINTS:
        return f"{time_s.size} readings; a first-order fit needs at least {FEWEST_POINTS}"
    t = time_s - time_s[0]
    length = float(t[-1])
    y = drift - drift[0]
    if np.ptp(y) == 0:
        return "nothing drifted"

    def solved(log_tau: float) -> tuple[Array, Array]:
        columns = np.stack([np.ones_like(t), -np.expm1(-t / math.exp(log_tau))], axis=-1)
        solution, *_ = np.linalg.lstsq(columns, y, rcond=None)
        return solution, y - columns @ solution

    def squares(log_tau: float) -> float:
        residual = solved(log_tau)[1] / np.ptp(y)
        return float(residual @ residual)

    shortest, longest = math.log(float(np.diff(t).min()) / 2), math.log(20 * length)
    grid = np.linspace(shortest, longest, 60)
    best = int(np.argmin([squares(value) for value in grid]))
    step = grid[1] - grid[0]
    found = minimize_scalar(squares, bounds=(grid[best] - step, grid[best] + step), method="bounded", options={"xatol": 1e-10})
    log_tau = float(found.x)
    tau = math.exp(log_tau)
    if length < SHORTEST_RECORD * tau:
        return f"the record of {_duration(length)} is shorter than {SHORTEST_RECORD:g} time constants (τ would be {_duration(tau) if best < 58 else 'longer than can be seen'}); record longer"
    (start, final), residual = solved(log_tau)
    if t.size <= 3:
        return "too few readings"
    decay = np.exp(-t / tau)
    jacobian = np.stack([np.ones_like(t), 1 - decay, -final * decay * t / tau], axis=-1)
    if tau < float(np.diff(t).max()) or np.linalg.matrix_rank(jacobian / np.abs(jacobian).max(axis=0)) < 3:
        return f"the readings, up to {_duration(float(np.diff(t).max()))} apart, are too far apart for a time constant of {_duration(tau)}"
    covariance = correlated_covariance(jacobian, residual)
    u_final, u_log = 2 * math.sqrt(max(0.0, covariance[1, 1])), 2 * math.sqrt(max(0.0, covariance[2, 2]))
    if u_final > LARGEST_RELATIVE_U * abs(final) or u_log > math.log(2):
        return f"the drift does not stand out of its noise: d_∞ would be known to {u_final / abs(final) * 100:.0f} %, τ to a factor of {math.exp(min(u_log, 20)):.2g}"
    return FirstOrder(
        final=float(final),
        final_uncertainty=u_final,
        time_constant_s=tau,
        time_constant_interval_s=(tau * math.exp(-u_log), tau * math.exp(u_log)),
        start=float(start + drift[0]),
        fitted=frozen(drift[0] + y - residual),
        residual_rms=float(np.sqrt(residual @ residual / (t.size - 3))),
        disturbance_gain=_disturbance_gain(jacobian),
    )


def _disturbance_gain(jacobian: Array) -> tuple[float, float]:
    """½·Σ|rows of the pseudo-inverse|: errors anywhere within ±½, of whatever course. A constant is the start's."""
    rows = np.linalg.pinv(jacobian)
    return float(np.abs(rows[1]).sum() / 2), float(np.abs(rows[2]).sum() / 2)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"
