"""Iterative learning: whether a learning law converges, before it runs; how it did, and what of the error repeats, after.

    lifted:  y = J u over one trial of n samples, J_{ik} = h_{i−k};   u_{j+1} = Q (u_j + L e_j),   e_j = r − J u_j;   with Q = I: e_{j+1} = (I − J L) e_j
    converges                      ρ(Q (I − L J)) < 1
    no trial is worse than before  σ_max(I − J L) < 1 for the error (Q = I),   σ_max(Q (I − L J)) < 1 for the input's distance from where it converges to

    of m trials:  ē = mean over trials at each sample;   non-repeatable² = mean over samples of the variance over trials, divisor m − 1
                  repeatable² = mean ē² − non-repeatable²/m      (what is left of the non-repeatable part in the mean is taken off)

ρ alone promises nothing about the first trials: with ρ < 1 < σ_max the error may grow by orders of magnitude before it falls.
Source: D. Bristow, M. Tharayil, A. Alleyne, IEEE Control Systems Magazine 26 (2006) 96, from memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from .arrays import Array, frozen, table, vector
from .reported import Reported, figure, keyed

FEWEST_TRIALS: Final = 2
NEAR_FLOOR: Final = 1.1
"""Times the floor at which a trial counts as having reached it."""
_LARGEST: Final = 1e12
_LARGEST_TRIAL: Final = 4000
"""Samples a trial; the lifted matrices are dense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """What a learning law promises.

    spectral_radius : ρ(Q (I − L J)). error_gain : σ_max(I − J L), None where Q is not the identity. input_gain : σ_max(Q (I − L J)).
    """

    spectral_radius: float
    error_gain: float | None
    input_gain: float

    @property
    def converges(self) -> bool:
        """ρ < 1: after enough trials."""
        return self.spectral_radius < 1

    @property
    def monotonic(self) -> bool:
        """No trial worse than the one before: of the error where Q = I, else of the input."""
        return (self.input_gain if self.error_gain is None else self.error_gain) < 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Trials that have run. Figures "first", "last", "ratio", "trials_to_floor", "floor", "repeatable", "non_repeatable".

    rms : (m,) of each trial. ratio : (m − 1,) rms over that of the trial before. repeatable : (n,) mean error over the last trials.
    """

    rms: Array
    ratio: Array
    repeatable: Array


def lifted(impulse_response: ArrayLike, samples: int) -> Array:
    """J (samples, samples), lower triangular: J_{ik} = h_{i−k}, zero beyond the given response.

    Parameters
    ----------
    impulse_response : (k,) float64 h_0 … from the first sample that the input reaches, so h_0 ≠ 0 (a dead time is left out)

    Raises
    ------
    DataError       shape, h_0 of zero, a number of samples not in 1 … 4000
    """
    from scipy.linalg import toeplitz

    h = vector("impulse_response", impulse_response, largest=_LARGEST)
    if h[0] == 0:
        raise DataError("impulse_response begins with 0; leave the dead time out, so that the first value is what the first input does")
    if not 1 <= samples <= _LARGEST_TRIAL:
        raise DataError(f"samples is {samples}; expected 1 to {_LARGEST_TRIAL}: the lifted matrices are dense")
    column = np.zeros(samples)
    column[: min(samples, h.size)] = h[:samples]
    return np.asarray(toeplitz(column, np.zeros(samples)), dtype=np.float64)


def convergence(plant: ArrayLike, learning: ArrayLike, *, filter: ArrayLike | None = None) -> Convergence:
    """Convergence measures of u_{j+1} = Q (u_j + L e_j).

    Parameters
    ----------
    plant, learning, filter : (n, n) float64 lifted J, L, Q; `filter` None: Q = I

    Raises
    ------
    DataError       shapes that differ or are not square, values that are not finite
    """
    j, law = _square("plant", plant, None), _square("learning", learning, plant)
    identity = np.eye(j.shape[0])
    q = identity if filter is None else _square("filter", filter, plant)
    step = q @ (identity - law @ j)
    return Convergence(
        spectral_radius=_spectral_radius(step),
        error_gain=float(np.linalg.norm(identity - j @ law, 2)) if filter is None else None,
        input_gain=float(np.linalg.norm(step, 2)),
    )


def predicted(plant: ArrayLike, learning: ArrayLike, first_error: ArrayLike, *, trials: int) -> Array:
    """(trials, n) errors e_j of Q = I, the first as given. DataError as `convergence`."""
    j, law = _square("plant", plant, None), _square("learning", learning, plant)
    error = vector("first_error", first_error, size=j.shape[0])
    if trials < 1:
        raise DataError(f"trials is {trials}; expected at least 1")
    step = np.eye(j.shape[0]) - j @ law
    rows = [error]
    for _ in range(trials - 1):
        rows.append(step @ rows[-1])
    return frozen(np.array(rows))


def evaluate(error: ArrayLike, *, converged: int | None = None, unit: str = "m") -> Result:
    """How trials of learning went, and what of the error repeats.

    Parameters
    ----------
    error : (m, n) float64, m ≥ 2 trials of the same n ≥ 2 samples, m or rad
    converged : how many of the last trials are taken as converged, for the floor and the split, at least 2; by default a quarter of them, at least 3 where
        there are as many. For trials without learning: all of them

    Raises
    ------
    DataError       shape, values that are not finite, `converged` out of range
    """
    e = table("error", error, (None, None))
    m, n = e.shape
    if m < FEWEST_TRIALS or n < 2:
        raise DataError(f"error has shape {e.shape}; expected at least {FEWEST_TRIALS} trials of at least 2 samples")
    count = min(m, max(3, m // 4)) if converged is None else converged
    if not FEWEST_TRIALS <= count <= m:
        raise DataError(f"converged is {count}; expected {FEWEST_TRIALS} to {m}, the number of trials")
    rms = np.sqrt(np.mean(e**2, axis=1))
    last = e[-count:]
    mean = last.mean(axis=0)
    noise2 = float(last.var(axis=0, ddof=1).mean())
    repeatable2 = float(np.mean(mean**2)) - noise2 / count
    floor = math.sqrt(float(np.mean(rms[-count:] ** 2)))
    above = np.flatnonzero(rms > NEAR_FLOOR * floor)
    reached = int(above[-1]) + 1 if above.size else 0
    ratio = np.divide(rms[1:], rms[:-1], out=np.full(m - 1, np.nan), where=rms[:-1] > 0)
    flags = [f"trial {k + 2} is worse than the one before, by a factor of {ratio[k]:.3g}" for k in range(min(reached, m - 1)) if ratio[k] > 1]
    if reached > m - count:
        flags.append(f"the last {count} trials still change: the floor and the split are not those of a converged law")
    return Result(
        title=f"Learning, {m} trials of {n} samples",
        stated=(f"floor and split from the last {count} trials", f"floor reached within {NEAR_FLOOR:g} times"),
        figures=keyed(_figures(rms, reached, floor, repeatable2, noise2, count, unit)),
        flags=tuple(flags),
        rms=frozen(rms),
        ratio=frozen(ratio),
        repeatable=frozen(mean),
    )


def _figures(rms: Array, reached: int, floor: float, repeatable2: float, noise2: float, count: int, unit: str) -> list[Figure]:
    m = rms.size
    per_trial: float | str = (
        float((rms[reached] / rms[0]) ** (1 / reached)) if 0 < reached < m else "no trial above the floor" if reached == 0 else "the last trial is not at the floor"
    )
    trials: float | str = float(reached) if reached < m else "the last trial is not at the floor"
    repeatable: float | str = (
        math.sqrt(repeatable2) if repeatable2 > 0 else f"not above what {count} trials leave of the non-repeatable part, {math.sqrt(noise2 / count):.3g} {unit}"
    )
    return [
        figure("first", "rms error of the first trial", float(rms[0]), unit, symbol="e_1"),
        figure("last", "rms error of the last trial", float(rms[-1]), unit, symbol="e_m"),
        figure("ratio", "ratio per trial until the floor, geometric mean", per_trial, "", symbol="γ"),
        figure("trials_to_floor", "trials of learning until the floor", trials, "", symbol="N"),
        figure("floor", f"rms error of the last {count} trials", floor, unit, symbol="e_floor"),
        figure("repeatable", "repeatable part, rms", repeatable, unit, symbol="e_rep"),
        figure("non_repeatable", "non-repeatable part, rms", math.sqrt(noise2), unit, symbol="e_nr"),
    ]


def _square(name: str, matrix: ArrayLike, like: ArrayLike | None) -> Array:
    size = None if like is None else np.shape(like)[0]
    checked = table(name, matrix, (size, size), largest=_LARGEST)
    if checked.shape[0] != checked.shape[1]:
        raise DataError(f"{name} has shape {checked.shape}; expected a square matrix")
    return checked


def _spectral_radius(matrix: Array) -> float:
    """Largest |eigenvalue|; read off the diagonal of a triangular matrix, whose equal eigenvalues rounding would scatter."""
    if not np.triu(matrix, 1).any() or not np.tril(matrix, -1).any():
        return float(np.abs(np.diag(matrix)).max())
    return float(np.abs(np.linalg.eigvals(matrix)).max())
