"""Lost motion between a drive and what it moves, told apart: backlash, which no force changes, and windup, which
friction puts into what is compliant.

Between motor position q and load position y stand a stiffness k and a backlash b; the load's guide holds it with F_g,
the drive has a friction F_m of its own:

    δ = q − y,     F = F_0 + F_m sgn q̇ + k·s(δ − δ_0),     s(x) = sgn x·max(|x| − b/2, 0),     |k·s| ≤ F_g

While the load moves, δ stands at one of two ends, 2F_g/k + b apart: the lost motion L. At a reversal δ crosses from one
to the other: the spring lets go, the backlash is crossed at no force but the drive's own, and the spring winds up again.
So the force on the way through tells backlash and windup apart; the jump L alone does not. δ_0 lies midway between the
ends, as F_g holds in both directions alike. Least squares in F_0, F_m, k, for the best b; intervals are ±2 standard
uncertainties with divisor n − p, widened by √((1 + ρ)/(1 − ρ)) for residuals of lag-1 correlation ρ > 0. The motion is
to be slow: inertia and viscous friction are taken as nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from .arrays import Array, frozen, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

FEWEST: Final = 64
_BLOCKS: Final = 40
"""Averages of neighbouring samples on the way through the lost motion: their noise is less, and what they blur is a
fortieth of it."""
_ENOUGH: Final = 6
"""Averages between the ends in each direction, of a reversal, below which backlash and windup are not told apart."""
_LARGEST: Final = 1e12


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Lost motion. Figures "lost_motion", "backlash", "windup", "stiffness", "load_friction", "drive_friction",
    "force_offset", "residual".

    deflection, force, model, direction : (m,) averages of δ − δ_0, F, the fitted F, and +1 or −1. reversals : how often
    the direction changed. force may be empty.
    """

    deflection: Array
    force: Array
    model: Array
    direction: NDArray[np.int64]
    reversals: int


def evaluate(
    motor: ArrayLike,
    load: ArrayLike,
    direction: ArrayLike,
    force: ArrayLike | None = None,
    *,
    unit: str = "m",
    force_unit: str = "N",
) -> Result:
    """Lost motion of a slow motion to and fro.

    Parameters
    ----------
    motor, load : (n,) float64, n ≥ 64, m or rad, at the same instants
    direction : (n,) of the motor's motion: > 0, < 0, or 0 where it stands or turns, which is left out
    force : (n,) float64, of the motor, N, A or V; without it the lost motion is found, but not what it consists of

    Raises
    ------
    DataError       shapes, one direction only, fewer than two reversals, a load that does not move
    """
    q = vector("motor", motor, fewest=FEWEST)
    y = vector("load", load, size=q.size)
    sense = np.sign(vector("direction", direction, size=q.size, largest=_LARGEST)).astype(np.int64)
    pushed = None if force is None else vector("force", force, size=q.size, largest=_LARGEST)
    _both(sense)
    if float(np.ptp(y)) < 1e-3 * float(np.ptp(q)):
        raise DataError(
            f"the load moves by {np.ptp(y):.3g} {unit} while the motor moves by {np.ptp(q):.3g} {unit}: it does not "
            "follow. Move farther than the lost motion"
        )
    stretches = _stretches(sense)
    delta = q - y
    ends, spread, counts = _ends(delta, stretches)
    lost = ends[1] - ends[0]
    u_lost = math.hypot(*(coverage_factor(max(1, count - 1)) * one for one, count in zip(spread, counts, strict=True)))
    middle = (ends[0] + ends[1]) / 2
    figures = [figure("lost_motion", "lost motion: distance of the ends of motor − load", lost, unit, u_lost, symbol="L")]
    stated = [
        f"{len(stretches) - 1} reversals",
        "slow motion: no inertia, no viscous friction",
        "intervals: 2 standard uncertainties, widened for correlated residuals",
    ]
    x, f, d = _averaged(delta - middle, pushed, sense, stretches, lost)
    parts, model, flags = _parts(x, f, d, lost, u_lost, len(stretches) - 1, unit, force_unit)
    return Result(
        title="Lost motion",
        stated=tuple(stated),
        figures=keyed([*figures, *parts]),
        flags=tuple(flags),
        deflection=frozen(x),
        force=frozen(f),
        model=frozen(model),
        direction=d,
        reversals=len(stretches) - 1,
    )


def _both(sense: NDArray[np.int64]) -> None:
    up, down = int((sense > 0).sum()), int((sense < 0).sum())
    if min(up, down) < FEWEST // 4:
        raise DataError(
            f"{up} samples go up and {down} go down; a lost motion needs both directions, at least {FEWEST // 4} samples "
            "each"
        )


def _stretches(sense: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """(first, last + 1, direction) of the stretches of one direction; what stands between two of the same joins them."""
    going = np.flatnonzero(sense)
    turns = np.flatnonzero(np.diff(sense[going]) != 0) + 1
    bounds = [0, *turns.tolist(), going.size]
    found = [(int(going[a]), int(going[b - 1]) + 1, int(sense[going[a]])) for a, b in pairwise(bounds)]
    if len(found) < 3:
        raise DataError(f"{len(found) - 1} reversal; at least two are needed: go to and fro at least once")
    return found


def _ends(
    delta: Array, stretches: list[tuple[int, int, int]]
) -> tuple[tuple[float, float], tuple[float, float], tuple[int, int]]:
    """Mean of δ at its lower and upper end, over the last quarter of each stretch, where the load moves; standard
    uncertainties of the means, and of how many."""
    found: dict[int, list[float]] = {-1: [], 1: []}
    for first, last, direction in stretches:
        found[direction].append(float(delta[last - max(2, (last - first) // 4) : last].mean()))
    means = {direction: float(np.mean(values)) for direction, values in found.items()}
    inner = {
        direction: float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        for direction, values in found.items()
    }
    known = [value for value in inner.values() if math.isfinite(value)]
    spread = {direction: value if math.isfinite(value) else max(known, default=0.0) for direction, value in inner.items()}
    return (means[-1], means[1]), (spread[-1], spread[1]), (len(found[-1]), len(found[1]))


def _averaged(
    x: Array, force: Array | None, sense: NDArray[np.int64], stretches: list[tuple[int, int, int]], lost: float
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Averages over so many samples that the way through the lost motion has some forty of them. Ascending in time,
    stretch by stretch, without the first one."""
    crossing = []
    for first, last, _ in stretches[1:]:
        inside = np.abs(x[first:last]) < 0.45 * abs(lost)
        crossing.append(int(inside.sum()))
    width = max(1, int(np.median(crossing)) // _BLOCKS)
    parts_x, parts_f, parts_d = [], [], []
    for first, last, direction in stretches[1:]:
        count = (last - first) // width
        if not count:
            continue
        parts_x.append(x[first : first + count * width].reshape(count, width).mean(axis=1))
        parts_d.append(np.full(count, direction))
        if force is not None:
            parts_f.append(force[first : first + count * width].reshape(count, width).mean(axis=1))
    empty: Array = np.zeros(0)
    return np.concatenate(parts_x), np.concatenate(parts_f) if parts_f else empty, np.concatenate(parts_d).astype(np.int64)


def _parts(
    x: Array, f: Array, d: NDArray[np.int64], lost: float, u_lost: float, turns: int, unit: str, force_unit: str
) -> tuple[list[Figure], Array, list[str]]:
    """Backlash, windup and forces from the averages; reasons instead where the force is missing or does not tell."""
    if reason := _untellable(x, f, d, lost, u_lost, turns, unit):
        return _untold(reason, unit, force_unit), np.full(f.size, np.nan), []
    backlash = _gap(x, f, d, lost)
    columns = _columns(x, d, backlash)
    theta = np.asarray(np.linalg.lstsq(columns, f, rcond=None)[0], dtype=np.float64)
    model = np.asarray(columns @ theta, dtype=np.float64)
    offset, drive, k = (float(value) for value in theta)
    slopes = np.column_stack([columns, -0.5 * k * np.sign(x) * (np.abs(x) > backlash / 2)])
    covariance = _covariance(slopes, f - model)
    u = 2 * np.sqrt(np.diag(covariance))
    blur = _blur(x, d, lost)
    u_b = math.hypot(float(u[3]), blur)
    u_k = math.hypot(float(u[2]), 2 * k * blur / (lost - backlash)) if lost > backlash else math.inf
    windup = lost - backlash
    u_windup = math.hypot(u_lost, u_b)
    holds = k * windup / 2
    # F_g = k (L − b)/2: k and b hang together in the fit, L is its own.
    gradient = np.array([0.0, 0.0, windup / 2, -k / 2])
    # Rounded corners move b and k against each other; where b is at its least, they cannot.
    alone = k * blur / 2 if backlash < 2 * blur else 0.0
    u_holds = math.hypot(alone, 2 * math.sqrt(max(0.0, float(gradient @ covariance @ gradient))), k * u_lost / 2)
    stiff: float | str = (
        k
        if k > u_k and windup > u_windup
        else f"no windup beyond its U: L − b is {windup:.3g} {unit}, its U {u_windup:.3g} {unit}"
    )
    flags = []
    residual = f - model
    if holds > 0 and float(np.sqrt(np.mean(residual**2))) > 0.5 * holds:
        flags.append(
            "the force does not follow the model: what is left is more than half of what the compliance holds; reverse "
            "more slowly, or smooth the force"
        )
    known: dict[str, tuple[float | str, float | None]] = {
        "backlash": (backlash, u_b),
        "windup": (windup, u_windup),
        "stiffness": (stiff, u_k if math.isfinite(u_k) else None),
        "load_friction": (holds, u_holds),
        "drive_friction": (drive, float(u[1])),
        "force_offset": (offset, float(u[0])),
        "residual": (float(np.sqrt(np.mean(residual**2))), None),
    }
    units = {"backlash": unit, "windup": unit, "stiffness": f"{force_unit}/{unit}"}
    figures = [
        figure(key, name, known[key][0], units.get(key, force_unit), known[key][1], symbol=symbol)
        for key, name, symbol in _NAMED
    ]
    return figures, model, flags


_NAMED: Final = (
    ("backlash", "backlash: the part that needs no force", "b"),
    ("windup", "windup: the part that friction puts into the compliance, L − b", "L − b"),
    ("stiffness", "stiffness between motor and load", "k"),
    ("load_friction", "friction that holds the load, k (L − b)/2", "F_g"),
    ("drive_friction", "friction of the drive before the compliance", "F_m"),
    ("force_offset", "part of the force that does not change sign", "F_0"),
    ("residual", "rms of force − model", "rms"),
)


def _untellable(x: Array, f: Array, d: NDArray[np.int64], lost: float, u_lost: float, turns: int, unit: str) -> str:
    """Why the lost motion cannot be told apart; "" where it can."""
    if not f.size:
        return "no force was recorded: a jump of the position alone does not say what it consists of"
    if lost <= 2 * u_lost:
        return f"the lost motion of {lost:.3g} {unit} is not larger than twice its U of {u_lost:.3g} {unit}"
    between = min(int(((np.abs(x) < 0.45 * abs(lost)) & (d == direction)).sum()) for direction in (1, -1))
    if between < _ENOUGH * max(1, turns // 2):
        return (
            f"{between} averages lie between the ends in {turns} reversals, at least {_ENOUGH} a reversal are needed: "
            "reverse more slowly, or sample faster"
        )
    return ""


def _untold(reason: str, unit: str, force_unit: str) -> list[Figure]:
    units = {"backlash": unit, "windup": unit, "stiffness": f"{force_unit}/{unit}"}
    return [figure(key, name, reason, units.get(key, force_unit), symbol=symbol) for key, name, symbol in _NAMED]


def _columns(x: Array, d: NDArray[np.int64], backlash: float) -> Array:
    """1, sgn q̇ and s(δ − δ_0)."""
    wound = np.sign(x) * np.maximum(np.abs(x) - backlash / 2, 0.0)
    return np.column_stack([np.ones(x.size), d.astype(np.float64), wound])


def _gap(x: Array, f: Array, d: NDArray[np.int64], lost: float) -> float:
    """b with the smallest sum of squares, between 0 and the lost motion: on a grid, then refined."""
    from scipy.optimize import minimize_scalar

    def left(share: float) -> float:
        columns = _columns(x, d, share * lost)
        rest = f - columns @ np.linalg.lstsq(columns, f, rcond=None)[0]
        return float(rest @ rest)

    grid = np.linspace(0.0, 0.995, 200)
    best = int(np.argmin([left(float(one)) for one in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, grid.size - 1)])
    refined = float(minimize_scalar(left, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x)
    return min((low, refined, high), key=left) * lost


def _blur(x: Array, d: NDArray[np.int64], lost: float) -> float:
    """What the noise of an average of δ, and its length, round the corners of the spring's force by: noise from
    neighbours where the load moves."""
    moving = (np.abs(x) >= 0.45 * abs(lost)) & (x * d > 0)
    pairs = moving[1:] & moving[:-1]
    sigma = float(np.median(np.abs(np.diff(x)[pairs]))) / 0.6745 / math.sqrt(2) if pairs.sum() >= 4 else 0.0
    return math.hypot(sigma, lost / _BLOCKS / math.sqrt(12))


def _covariance(design: Array, residual: Array) -> Array:
    """σ² (XᵀX)⁻¹ with divisor n − p, widened for residuals that follow one another."""
    power = float(residual @ residual)
    rho = float(residual[1:] @ residual[:-1] / power) if power > 0 else 0.0
    rho = min(max(rho, 0.0), 1 - 1 / residual.size)
    length = np.linalg.norm(design, axis=0)
    length[length == 0] = 1.0
    inverse = np.linalg.pinv(design / length)
    variance = power / max(1, residual.size - design.shape[1]) * (1 + rho) / (1 - rho)
    return np.asarray(variance * (inverse @ inverse.T) / np.outer(length, length), dtype=np.float64)
