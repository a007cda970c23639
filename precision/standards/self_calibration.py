"""Self-calibration of a two-dimensional stage with a plate that is not known better than the stage: both are found from views of the plate
turned and shifted.

Model and gauge: `self_calibration_views`. References: Raugh 1985 and 1997; Takac, Ye, Raugh, Pease, Berglund, Owen 1996 (from memory).
Least squares with exact constraints replaces their Fourier algorithm, so that marks may be missing and any views may be used.

A reading is the stage's position of a mark minus the place where the mark should stand, M = G + R·A + placement: G is what the stage adds,
A where the plate's mark really is, less where it was designed. The correction of the stage is −G.

What no view can see: the mean scale of the stage (one known length on the plate gives it), and where the plate lies. Rotation and origin
of G are conventions. What the views assume: the plate stands on the nominal places. Misplaced by d, it is read where G is another, by
about d times the slope of G.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive
from .coverage import coverage_factor
from .overlay_statistics import statistics
from .reported import Reported, figure, keyed
from .self_calibration_solver import (
    EXACT_COVARIANCE_UP_TO,
    SAMPLES,
    Factorised,
    Singular,
    degrees_of_freedom,
    factorise,
)
from .self_calibration_views import (
    EXACT_RANK_UP_TO,
    GAUGE,
    View,
    coordinates,
    equations,
    mark_at,
    rank,
    unit_coordinates,
)

LARGEST_READING_M: Final = 1e-2
LARGEST_GRID: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLength:
    """A calibrated distance on the plate between two marks (column, row, from 0): by how much it is longer than designed, m, and U (k = 2)
    of that."""

    first: tuple[int, int]
    second: tuple[int, int]
    deviation_m: float
    uncertainty_m: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfCalibration(Reported):
    """Figures: "stage_…" and "plate_…" root mean square, largest vector, 3σ of x and y; "stage_orthogonality" (departure of the axes from
    90°, whole angle), "stage_scale_difference" (x less y), "stage_scale" (mean scale, with a known length), "noise" (of one reading),
    "gain_rms", "gain_max" (standard deviation of G per unit noise).

    pitch_m, views : as given. stage_m, plate_m : (n, n, 2) float64, G and A, [row, column]; NaN where no view sees the place or mark.
    stage_u_m, plate_u_m : (n, n, 2) their U (k of 95.45 %), NaN where there is none. placement : (V, 3) t_x, t_y in m and θ in rad of each view.
    residual_m : (V, n, n, 2). degrees_of_freedom : of the residuals. sampled : whether the U are from a sample of noise (9 %) and not exact.
    """

    pitch_m: float
    views: tuple[View, ...]
    stage_m: Array
    plate_m: Array
    stage_u_m: Array
    plate_u_m: Array
    placement: Array
    residual_m: Array
    degrees_of_freedom: int
    sampled: bool

    def __str__(self) -> str:
        return self.text(angles="µrad")

    @property
    def correction_m(self) -> Array:
        """(n, n, 2) what is to be added to the stage's positions, −G."""
        return -self.stage_m


def evaluate(
    views: Sequence[View], readings_m: ArrayLike, *, pitch_m: float, noise_m: float | None = None, known_length: KnownLength | None = None
) -> SelfCalibration:
    """Find the errors of stage and plate from views of the plate.

    Parameters
    ----------
    readings_m : (V, n, n, 2) stage position minus nominal place of the mark that stands there, m: view, row (y), column (x), component.
        NaN where no mark stands or one was not read; a mark with one coordinate missing is left out.
    pitch_m : distance of neighbouring marks
    noise_m : standard deviation of one reading; used for U only where the views leave no degree of freedom
    known_length : makes the mean scale known

    Raises
    ------
    DataError       shapes, units; views or missing marks that leave more open than the gauge: the message says what, and which view would help

    Examples
    --------
    >>> from precision.standards.self_calibration_views import THREE_VIEWS
    >>> result = evaluate(THREE_VIEWS, np.zeros((3, 5, 5, 2)), pitch_m=1e-3)
    >>> f"{result['gain_rms']:.4f} {result['gain_max']:.4f}"
    '0.8002 0.9716'
    """
    readings = _checked(views, readings_m)
    n = readings.shape[1]
    pitch = positive("pitch_m", pitch_m, "m")
    flat = readings.reshape(len(views), n * n, 2)
    there = np.stack([mark_at(view, n) >= 0 for view in views])
    present: NDArray[np.bool_] = np.asarray(np.isfinite(flat).all(axis=2) & there)
    _refuse_empty(views, present)
    system = equations(views, n, present)
    factors = _factorised(views, n, present, factorise_of=system)
    b = flat[system.view, system.place].ravel()
    u = factors.solve(b)
    rest = b - system.matrix @ u
    freedom = degrees_of_freedom(system)
    s = math.sqrt(float(rest @ rest) / freedom) if freedom > 0 else None
    unit = s if s is not None else noise_m
    k = coverage_factor(freedom) if freedom > 0 else 2.0
    sampled = n > EXACT_COVARIANCE_UP_TO
    covariance = None if sampled else factors.covariance()
    sd = factors.sampled() if covariance is None else np.sqrt(np.maximum(np.diagonal(covariance), 0))
    length = _Scale(known_length, n, pitch, u, covariance)
    u = length.applied(u)
    maps, gains = (np.where(system.seen, values, np.nan)[: 4 * n * n].reshape(2, n, n, 2) for values in (u, sd))
    wide = np.full_like(gains, np.nan) if unit is None else k * unit * gains
    residual = np.full((len(views), n * n, 2), np.nan)
    residual[system.view, system.place] = rest.reshape(-1, 2)
    placement = u[4 * n * n :].reshape(-1, 3) / [1, 1, max(1.0, (n - 1) / 2) * pitch]
    return SelfCalibration(
        title=f"Self-calibration of a stage: {n} × {n} places {pitch * 1e3:g} mm apart, {len(views)} views, {system.matrix.shape[0]} "
        f"readings, {freedom} degrees of freedom",
        stated=(
            f"views: {', '.join(map(str, views))}",
            f"{GAUGE} gauge constraints: sums and rotation of stage and plate are 0, mean scale of the stage "
            + ("from a known length" if known_length else "is 0"),
            "stage error is what the stage adds; its correction is the opposite",
        ),
        figures=keyed(
            [
                *_map_figures("stage", maps[0], unit, k, covariance),
                *_linear_figures("stage", maps[0], n, pitch, unit, k, covariance),
                length.figure(unit, k),
                *_map_figures("plate", maps[1], unit, k, covariance),
                *_noise_figures(s, noise_m, freedom, k, gains[0], sampled),
            ]
        ),
        flags=tuple(_flags(present, there, s, noise_m, freedom)),
        pitch_m=pitch,
        views=tuple(views),
        stage_m=frozen(maps[0]),
        plate_m=frozen(maps[1]),
        stage_u_m=frozen(wide[0]),
        plate_u_m=frozen(wide[1]),
        placement=frozen(placement),
        residual_m=frozen(residual.reshape(len(views), n, n, 2)),
        degrees_of_freedom=freedom,
        sampled=sampled,
    )


def _refuse_empty(views: Sequence[View], present: NDArray[np.bool_]) -> None:
    empty = [str(view) for view, some in zip(views, present, strict=True) if not some.any()]
    if empty:
        raise DataError(
            f"view {empty[0]} has no reading; leave the view out, or check the readings: place [row, column] of the stage, NaN only "
            f"where a mark was missed"
        )


def _checked(views: Sequence[View], readings_m: ArrayLike) -> Array:
    readings = np.array(readings_m, dtype=np.float64)
    if (
        readings.ndim != 4
        or readings.shape[0] != len(views)
        or readings.shape[1] != readings.shape[2]
        or readings.shape[3] != 2
        or not 2 <= readings.shape[1] <= LARGEST_GRID
    ):
        raise DataError(
            f"readings_m has shape {readings.shape}; expected ({len(views)}, n, n, 2): each view's readings by row, column and "
            f"component, n from 2 to {LARGEST_GRID}"
        )
    bad = np.argwhere(np.abs(readings) > LARGEST_READING_M)
    if bad.size:
        v, row, column, _ = bad[0]
        raise DataError(
            f"view {v} ({views[v]}), row {row}, column {column}: {readings[v, row, column].tolist()} m; expected the deviation from "
            f"the place, at most "
            f"{LARGEST_READING_M:g} m; subtract the nominal places, or correct the unit"
        )
    for i, view in enumerate(views):
        if max(map(abs, view.shift)) >= readings.shape[1]:
            raise DataError(f"view {i} ({view}) has no mark on a grid of {readings.shape[1]} × {readings.shape[1]}; shift by less")
    return readings


def _factorised(views: Sequence[View], n: int, present: NDArray[np.bool_], *, factorise_of: Any) -> Factorised:
    """The factors of a system that the views determine; DataError with the reason where they do not."""
    try:
        return factorise(factorise_of)
    except Singular:
        exact = rank(views, n, present) if n <= EXACT_RANK_UP_TO else rank(views, n)
    why = exact.reasons or ("missing marks cut the stage or the plate into parts that no view connects",)
    if exact.exact_for == n and exact.open:
        count = f"{exact.open} combinations of errors stay free ({exact.rank} of {exact.unknowns})"
    else:
        count = "more stays free than the gauge" + (
            f" ({exact.open} combinations of errors already on {exact.exact_for} × {exact.exact_for})" if exact.open else ""
        )
    raise DataError(
        f"views {', '.join(map(str, views))}: {count}: {'; '.join(why)}. Add such a view: 0°, 90° and a shift by one pitch are enough"
    ) from None


class _Scale:
    """The mean scale, from a known length on the plate."""

    def __init__(self, known: KnownLength | None, n: int, pitch: float, u: Array, covariance: Array | None) -> None:
        self.known, self.n, self.covariance = known, n, covariance
        self.half = max(1.0, (n - 1) / 2) * pitch
        self.value = 0.0
        if known is None:
            return
        marks = []
        for place in (known.first, known.second):
            if not all(0 <= part < n for part in place):
                raise DataError(f"known_length has mark {place}; expected column and row from 0 to {n - 1}")
            marks.append(n * place[1] + place[0])
        rho = unit_coordinates(n)
        apart = rho[marks[1]] - rho[marks[0]]
        self.distance = float(np.hypot(*apart))
        if self.distance == 0:
            raise DataError(f"known_length is from mark {known.first} to itself; expected two marks")
        self.weight = np.zeros(u.size)
        for sign, mark in ((-1, marks[0]), (1, marks[1])):
            at = 2 * n * n + 2 * mark
            self.weight[at : at + 2] = sign * apart / self.distance
        if not all(u[2 * n * n + 2 * mark] or u[2 * n * n + 2 * mark + 1] for mark in marks) and u.any():
            raise DataError(f"known_length: mark {known.first} or {known.second} is seen in no view; use two marks that are")
        self.value = (float(self.weight @ u) - known.deviation_m) / self.distance

    def applied(self, u: Array) -> Array:
        if self.known is None:
            return u
        n, rho = self.n, unit_coordinates(self.n).ravel()
        moved = u.copy()
        moved[: 2 * n * n] += self.value * rho
        moved[2 * n * n : 4 * n * n] -= self.value * rho
        return moved

    def figure(self, unit: float | None, k: float) -> Any:
        key, name = "stage_scale", "mean scale of the stage"
        if self.known is None:
            return figure(key, name, "no view can see it: both scales grow together; give a known length on the plate", "", symbol="scale")
        value = self.value / self.half
        if self.covariance is None or unit is None:
            return figure(key, name, value, "", "the covariance is sampled" if unit is not None else "no noise is known", symbol="scale")
        variance = float(self.weight @ self.covariance @ self.weight) * unit**2
        return figure(
            key,
            name,
            value,
            "",
            math.hypot(k * math.sqrt(variance), self.known.uncertainty_m) / (self.distance * self.half),
            symbol="scale",
            coverage_factor=k,
        )


def _map_figures(which: str, errors: Array, unit: float | None, k: float, covariance: Array | None) -> list[Any]:
    """Sizes of a map. U by their derivatives with respect to the map, which holds while the map is above its noise."""
    flat = errors.reshape(-1, 2)
    there: NDArray[np.bool_] = np.asarray(np.isfinite(flat).all(axis=1))
    d = np.where(there[:, None], flat, 0.0)
    length = np.hypot(d[:, 0], d[:, 1])
    worst = int(np.argmax(length))
    rms = float(np.sqrt((d * d).sum() / (2 * there.sum())))

    def u_of(weight: Array) -> float | str:
        if unit is None:
            return "no noise is known"
        if covariance is None:
            return "the covariance is sampled; U of each point stands beside the map"
        start = 0 if which == "stage" else flat.size
        own = covariance[start : start + flat.size, start : start + flat.size]
        u = k * unit * math.sqrt(max(0.0, float(weight.ravel() @ own @ weight.ravel())))
        noise = unit * math.sqrt(float(np.diagonal(own).sum()) / (2 * there.sum()))
        return u if rms > 2 * noise else "the map is hardly above the noise of the readings"

    direction = np.zeros_like(d)
    direction[worst] = d[worst] / (length[worst] or 1.0)
    made = [
        figure(
            f"{which}_rms",
            f"{which} error, root mean square of a component",
            rms,
            "m",
            u_of(d / (2 * there.sum() * (rms or 1.0))),
            symbol=f"{which} rms",
            coverage_factor=k,
        ),
        figure(
            f"{which}_max",
            f"{which} error, largest vector",
            float(length[worst]),
            "m",
            u_of(direction),
            symbol=f"{which} max",
            coverage_factor=k,
        ),
    ]
    found = statistics(flat)
    for axis, (key, part) in enumerate((("x", found.x), ("y", found.y))):
        if part is None or part.sd is None:
            made.append(figure(f"{which}_3s_{key}", f"{which} error, 3σ of {key}", "one place was read", "m", symbol=f"{which} 3σ {key}"))
            continue
        weight = np.zeros_like(d)
        weight[there, axis] = 3 * (d[there, axis] - part.mean) / ((part.count - 1) * (part.sd or 1.0))
        made.append(
            figure(
                f"{which}_3s_{key}",
                f"{which} error, 3σ of {key}",
                3 * part.sd,
                "m",
                u_of(weight),
                symbol=f"{which} 3σ {key}",
                coverage_factor=k,
            )
        )
    return made


def _linear_figures(which: str, errors: Array, n: int, pitch: float, unit: float | None, k: float, covariance: Array | None) -> list[Any]:
    """Least-squares O and S of Gx = O·y + S·x, Gy = O·x − S·y: both are linear in the map."""
    place = coordinates(n) * pitch
    flat = errors.reshape(-1, 2)
    there: NDArray[np.bool_] = np.asarray(np.isfinite(flat).all(axis=1))
    x, y = place.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    # With the translations, rotation and mean scale beside them, missing places do not mix them.
    shapes = np.array([[y, x], [x, -y], [one, zero], [zero, one], [-y, x], [x, y]]).transpose(2, 1, 0)
    weights = np.zeros((2, flat.size))
    weights[:, np.repeat(there, 2)] = 2 * np.linalg.pinv(shapes[there].reshape(-1, 6))[:2]
    made = []
    for weight, key, name, unit_of in (
        (weights[0], "orthogonality", "departure of the axes from 90°, positive where the angle is smaller", "rad"),
        (weights[1], "scale_difference", "scale of x less scale of y", ""),
    ):
        value = float(weight @ np.where(there[:, None], flat, 0.0).ravel())
        if unit is None:
            u: float | str = "no noise is known"
        elif covariance is None:
            u = "the covariance is sampled"
        else:
            u = k * unit * math.sqrt(max(0.0, float(weight @ covariance[: weight.size, : weight.size] @ weight)))
        made.append(
            figure(
                f"{which}_{key}",
                f"{which}: {name}",
                value,
                unit_of,
                u,
                symbol="90° − angle" if key == "orthogonality" else "scale x − y",
                coverage_factor=k,
            )
        )
    return made


def _noise_figures(s: float | None, noise_m: float | None, freedom: int, k: float, gains: Array, sampled: bool) -> list[Any]:
    some = gains[np.isfinite(gains)]
    noise: float | str = s if s is not None else "the views leave no degree of freedom; add a view"
    u = None if s is None else k * s / math.sqrt(2 * freedom)
    how = f"from {SAMPLES} realisations of noise" if sampled else "exact for these views"
    return [
        figure("noise", f"standard deviation of one reading, divisor {freedom}", noise, "m", u, coverage_factor=k),
        figure(
            "gain_rms",
            "noise gain: standard deviation of a stage error per unit noise, root mean square",
            float(np.sqrt(np.mean(some**2))),
            "",
            how,
            symbol="gain rms",
        ),
        figure("gain_max", "noise gain, largest", float(some.max()), "", how, symbol="gain max"),
    ]


def _flags(present: NDArray[np.bool_], there: NDArray[np.bool_], s: float | None, noise_m: float | None, freedom: int) -> list[str]:
    flags = []
    missed = int((there & ~present).sum())
    if missed:
        flags.append(f"{missed} of {int(there.sum())} marks were not read")
    if freedom < 10:
        flags.append(f"{freedom} degrees of freedom: the residuals say little about the noise")
    if s is not None and noise_m is not None and s > 1.5 * noise_m:
        flags.append(
            f"readings scatter by {s * 1e9:.3g} nm about the model, {noise_m * 1e9:.3g} nm were stated: drift between the views, or a "
            f"plate that is bent or misplaced"
        )
    return flags
