"""Shape of a bar mirror from the two beams that read it while the stage moves along it.

    φ(y) = [m(y + d/2) − m(y − d/2)]/d + φ_0           d: distance of the beams; φ_0: zero of the angle, unknown

The mirror's heights m are found by least squares on a grid finer than d, with one or more beam distances. Two things no pair of beams can see: a straight line
(the mirror's own angle, which is the orthogonality of the axes) and any shape that repeats with d. Of the straight line the map is free by convention; of the
second it is free only with two distances, or is refused. With step h = d (m_{k+1} = m_k + d·φ_k) noise s of a beam grows to s·√(2N) after N steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from .arrays import Array, frozen, positive, vector
from .reported import Reported, figure, keyed


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamPair:
    """Readings of two beams `distance_m` apart. position_m : (n,) stage position of their middle. angle_rad : (n,) difference over distance."""

    distance_m: float
    position_m: ArrayLike
    angle_rad: ArrayLike


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """The map. Figures "range", "residual_rms", "noise_gain". place_m : (k,) along the mirror. height_m : (k,) without its straight line.
    uncertainty_m : (k,) U (k = 2) from the scatter of the angles, or NaN where nothing is left over to tell it."""

    place_m: Array
    height_m: Array
    uncertainty_m: Array


def evaluate(pairs: Sequence[BeamPair], *, step_m: float, angle_noise_rad: float | None = None) -> Result:
    """Heights of the mirror at equal steps.

    Parameters
    ----------
    pairs : one for each beam distance; all read the same mirror
    step_m : h, distance of the points of the map; each distance d must be a whole number of steps, and positions lie on the grid of half steps
    angle_noise_rad : standard deviation of one angle; by default from the residuals, where there are more angles than unknowns

    Raises
    ------
    DataError       distances or positions off the grid; a map that the beams do not determine, with the periods that stay open
    """
    positive("step_m", step_m, "m")
    if not pairs:
        raise DataError("no pair of beams was given")
    read = [_checked(number, pair, step_m) for number, pair in enumerate(pairs, 1)]
    low = min(int(ends[:, 0].min()) for ends, _, _ in read)
    count = max(int(ends[:, 1].max()) for ends, _, _ in read) - low + 1
    rows = sum(angle.size for _, angle, _ in read)
    design, right = np.zeros((rows, count + len(read))), np.empty(rows)
    at = 0
    for number, (ends, angle, distance) in enumerate(read):
        here = np.arange(at, at + angle.size)
        design[here, ends[:, 1] - low] += 1 / distance
        design[here, ends[:, 0] - low] -= 1 / distance
        design[here, count + number] = 1.0
        right[here] = angle
        at += angle.size
    place: Array = np.asarray((np.arange(count) + low) * step_m, dtype=np.float64)
    u = place - place.mean()
    scale = 1 / step_m
    gauge = np.zeros((2, design.shape[1]))
    gauge[0, :count], gauge[1, :count] = scale / math.sqrt(count), scale * u / math.sqrt(float(u @ u))
    full = np.concatenate([design, gauge])
    values = np.linalg.svd(full, compute_uv=False)
    lacking = full.shape[1] - int(np.sum(values > 1e-9 * values[0]))
    if lacking:
        distances = ", ".join(f"{distance * 1e3:g} mm" for _, _, distance in read)
        raise DataError(
            f"{lacking} shapes of the mirror are not seen by beams {distances} apart on a grid of {step_m * 1e3:g} mm: those that repeat with the distance. "
            "Read it with a second distance that has no common divisor with the first, or give step_m = the distance"
        )
    inverse = np.linalg.pinv(full)
    solution = inverse @ np.concatenate([right, [0.0, 0.0]])
    height = solution[:count]
    residual = right - design @ solution
    freedom = rows + 2 - design.shape[1]
    noise = angle_noise_rad if angle_noise_rad is not None else math.sqrt(float(residual @ residual) / freedom) if freedom > 0 else None
    gain = np.sqrt((inverse[:count, :rows] ** 2).sum(axis=1))
    uncertainty: Array = np.full(count, np.nan) if noise is None else np.asarray(2 * noise * gain, dtype=np.float64)
    reason = "no more angles than unknowns, and the noise of an angle was not given"
    figures = (
        figure("range", "largest − smallest height, straight line taken off", float(np.ptp(height)), "m", reason if noise is None else 2 * float(uncertainty.max())),
        figure("residual_rms", "angles that the map does not explain, rms", float(np.sqrt(np.mean(residual**2))), "rad", symbol="rms residual"),
        figure("noise_gain", "largest standard deviation of a height for an angle's noise of 1 rad", float(gain.max()), "m", 0.0, symbol="gain"),
    )
    return Result(
        title="Bar mirror",
        stated=(f"{count} points every {step_m * 1e3:g} mm", f"{rows} angles", "straight line and offset of the mirror are zero by convention"),
        figures=keyed(figures),
        flags=(),
        place_m=frozen(place),
        height_m=frozen(height),
        uncertainty_m=frozen(uncertainty),
    )


def _checked(number: int, pair: BeamPair, step_m: float) -> tuple[Array, Array, float]:
    """(n, 2) indices of the two points of each angle, the angles, and the distance."""
    distance = positive(f"distance_m of pair {number}", pair.distance_m, "m")
    place = vector(f"position_m of pair {number}", pair.position_m)
    angle = vector(f"angle_rad of pair {number}", pair.angle_rad, size=place.size)
    steps = distance / step_m
    if abs(steps - round(steps)) > 1e-6 or round(steps) < 1:
        raise DataError(f"pair {number}: {distance * 1e3:g} mm is no whole number of steps of {step_m * 1e3:g} mm; choose step_m as a divisor of every distance")
    first = (place - distance / 2) / step_m
    off = np.abs(first - np.rint(first))
    if off.max() > 1e-3:
        raise DataError(
            f"pair {number}, reading {int(off.argmax()) + 1}: position {place[off.argmax()] * 1e3:.6g} mm puts its beams between the points of the map; "
            f"move in steps of {step_m * 1e3:g} mm"
        )
    low = np.rint(first).astype(int)
    return np.stack([low, low + round(steps)], axis=1), angle, distance
