"""Location errors of a rotary axis: where its axis of rotation lies against the linear axes (ISO 230-1:2012 notation, ISO 230-7, ISO 10791-6; from memory of
the standards), from an R-test or a ball on the table.

Of an axis C: E_X0C, E_Y0C (m), position of its axis average line; E_A0C, E_B0C (rad), its tilt; of A: E_Y0A, E_Z0A, E_B0A, E_C0A; of B: E_X0B, E_Z0B, E_A0B,
E_C0B. A ball on the table is brought to angles θ and its centre is measured in machine coordinates. Exact:

    p(θ) = o + e + T·R(θ)·b,       T = rotation by the tilts, R(θ) = rotation about the nominal axis, o nominal centre, b the ball on the table

b is unknown (it is clamped anywhere), so that E_C0C, the zero position of the axis itself, cannot be told from the ball's place. To first order this is what an
R-test shows: a tilt gives the axial reading a first harmonic, ΔZ = E_A0C·y − E_B0C·x, an offset moves the circle. Over less than a full turn offset and ball
are told apart less well: U says how well. e is where the axis passes the nominal centre o; a ball that is far above it shows it with the tilt times that
height, which U holds too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..uncertainty.linear_model import Estimate, solve
from .arrays import Array, frozen, positive, table, vector
from .reported import Reported, figure, keyed

ABOUT: Final[Mapping[str, int]] = MappingProxyType({"A": 0, "B": 1, "C": 2})
_LETTERS: Final = "XYZ"
_TURNS: Final = "ABC"
STEPS: Final = 20
CONVERGED: Final = 1e-13
"""m and rad; Gauss-Newton doubles the digits in each step."""
FEWEST_ANGLES: Final = 3
SHORT_ARC: Final = math.radians(180)
"""Below it offsets and the ball's place are hardly told apart; flagged with the figures that suffer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Location errors of one rotary axis. Figures: "E_X0C" … (m, rad), "residual" (largest |p − model|, m).

    axis : "A", "B" or "C". place_m : (3,) a point on the axis of rotation. direction : (3,) its unit vector.
    ball_m : ball -> (3,) its place on the table at θ = 0, from the centre. residual_m : (3, n). covariance : (4, 4) of the two offsets and two tilts.
    """

    axis: str
    place_m: Array
    direction: Array
    ball_m: Mapping[int, tuple[float, float, float]]
    residual_m: Array
    covariance: Array


def names(axis: str) -> tuple[str, str, str, str]:
    """The four location errors of an axis, offsets then tilts.

    >>> names("C")
    ('E_X0C', 'E_Y0C', 'E_A0C', 'E_B0C')
    """
    first, second = _across(_about(axis))
    return f"E_{_LETTERS[first]}0{axis}", f"E_{_LETTERS[second]}0{axis}", f"E_{_TURNS[first]}0{axis}", f"E_{_TURNS[second]}0{axis}"


def evaluate(
    angle_rad: ArrayLike,
    position_m: ArrayLike,
    *,
    axis: str,
    noise_m: float,
    centre_m: Sequence[float] = (0.0, 0.0, 0.0),
    ball: Sequence[int] | None = None,
    scale_u: float = 0.0,
) -> Result:
    """Location errors from ball centres.

    Parameters
    ----------
    angle_rad : (n,) commanded angles, right-handed about +X, +Y or +Z
    position_m : (3, n) ball centres in machine coordinates
    axis : "A", "B" or "C"
    noise_m : standard deviation of one coordinate of a centre (probe, linear axes, error motions of the axis)
    centre_m : nominal centre of rotation; offsets are counted from it, tilts turn about it
    ball : (n,) which of several balls; None: one
    scale_u : standard uncertainty of the length scale, m/m

    Raises
    ------
    DataError       shapes, another axis, fewer than 3 angles, a ball on the axis, an arc too short for the figures

    Examples
    --------
    >>> turn = np.radians([0, 90, 180, 270])
    >>> circle = np.stack([0.1 * np.cos(turn) + 5e-6, 0.1 * np.sin(turn), np.zeros(4)])
    >>> f"{evaluate(turn, circle, axis='C', noise_m=1e-7)['E_X0C']:.1e}"
    '5.0e-06'
    """
    about, sigma = _about(axis), positive("noise_m", noise_m, "m")
    angles, points, which = _readings(angle_rad, position_m, ball, axis)
    centre = vector("centre_m", centre_m, size=3)
    numbers, distinct = np.unique(which), _distinct(angles)
    turned = np.stack([_rotation(about, angle) for angle in angles])
    fit = _fit(points, centre, turned, np.searchsorted(numbers, which), numbers.size, about, sigma)
    if not np.all(fit.estimate.determined[:4]):
        raise DataError(
            f"axis {axis}: {distinct.size} angles over {math.degrees(_span(angles)):.3g}° do not tell its location errors from the place of the ball; "
            "turn it further, or mount the ball away from the axis"
        )
    of_scale = fit.solved(scale_u * (points - centre[:, None])).solution
    root = np.column_stack([fit.estimate.root * max(1.0, fit.estimate.excess), of_scale])
    covariance = (root @ root.T)[:4, :4]
    first, second = _across(about)
    values = fit.unknowns[:4]
    u = 2 * np.sqrt(np.diag(covariance))
    residual = fit.residual_m
    keys = names(axis)
    texts = (
        f"position of {axis} in {_LETTERS[first]}",
        f"position of {axis} in {_LETTERS[second]}",
        f"tilt of {axis} about {_LETTERS[first]}",
        f"tilt of {axis} about {_LETTERS[second]}",
    )
    place = centre.copy()
    place[[first, second]] += values[:2]
    span = _span(angles)
    flags = []
    if span < SHORT_ARC:
        flags.append(
            f"an arc of {math.degrees(span):.3g}°: {keys[0]} and {keys[1]} are told from the ball's place only over the rise of the arc, as their U says"
        )
    return Result(
        title=f"location errors of {axis}, {angles.size} ball centres over {math.degrees(span):.4g}°, {numbers.size} ball place{'s' if numbers.size > 1 else ''}",
        stated=(
            f"centre {', '.join(f'{value * 1e3:.4g}' for value in centre)} mm", "positive: right-handed rotation, and towards + of the linear axis (ISO 230-1)",
            f"E_{axis}0{axis} (zero position) cannot be told from the ball's place",
        ),
        figures=keyed([
            *(figure(key, text, float(value), unit, float(one)) for key, text, value, unit, one in zip(keys, texts, values, ("m", "m", "rad", "rad"), u, strict=True)),
            figure("residual", "largest distance of a ball centre from the model", float(np.linalg.norm(residual, axis=0).max()), "m", "it describes the fit, and enters the other U", symbol="max|v|"),
        ]),
        flags=tuple(flags), axis=axis, place_m=frozen(place), direction=frozen(_tilted(about, values[2:])[:, about].copy()),
        ball_m={int(number): (float(b[0]), float(b[1]), float(b[2])) for number, b in zip(numbers, fit.unknowns[4:].reshape(-1, 3), strict=True)}, residual_m=frozen(residual), covariance=frozen(covariance),
    )  # fmt: skip


def from_r_test(
    angle_rad: ArrayLike, radial_m: ArrayLike, tangential_m: ArrayLike, axial_m: ArrayLike, *, axis: str, radius_m: float, height_m: float = 0.0,
    start_rad: float = 0.0, centre_m: Sequence[float] = (0.0, 0.0, 0.0),
) -> Array:  # fmt: skip
    """Ball centres in machine coordinates, (3, n), from an R-test whose sensor nest turns with the table, for `evaluate`.

    radial_m, tangential_m, axial_m : (n,) displacement of the ball from its nominal place, outwards, in the sense of turning, along the axis.
    radius_m, height_m, start_rad : nominal ball on the table: distance from the axis, along it, and its angle at θ = 0 (from +Y for A, +Z for B, +X for C).

    Raises
    ------
    DataError       shapes, a radius not above zero
    """
    about = _about(axis)
    angles = vector("angle_rad", angle_rad)
    r, t, a = (
        vector(name, values, size=angles.size) for name, values in (("radial_m", radial_m), ("tangential_m", tangential_m), ("axial_m", axial_m))
    )
    radius = positive("radius_m", radius_m, "m")
    phase = angles + start_rad
    second, third = (about + 1) % 3, (about + 2) % 3
    points = np.empty((3, angles.size))
    points[about] = height_m + a
    points[second] = (radius + r) * np.cos(phase) - t * np.sin(phase)
    points[third] = (radius + r) * np.sin(phase) + t * np.cos(phase)
    return points + vector("centre_m", centre_m, size=3)[:, None]


def _readings(angle_rad: ArrayLike, position_m: ArrayLike, ball: Sequence[int] | None, axis: str) -> tuple[Array, Array, NDArray[np.int64]]:
    """Angles (n,), ball centres (3, n) and ball numbers (n,), checked."""
    angles = vector("angle_rad", angle_rad, fewest=FEWEST_ANGLES)
    points = table("position_m", position_m, (3, angles.size))
    which = np.zeros(angles.size, dtype=np.int64) if ball is None else np.asarray(ball)
    if which.shape != angles.shape or which.dtype.kind not in "iu":
        raise DataError(f"ball has shape {which.shape} and type {which.dtype}; expected ({angles.size},) integers")
    if _distinct(angles).size < FEWEST_ANGLES:
        raise DataError(f"{_distinct(angles).size} different angles of {axis}; at least {FEWEST_ANGLES} tell the axis of rotation from the place of the ball")
    return angles, points, which


def _distinct(angles: Array) -> Array:
    """Different angles within a turn."""
    return np.unique(np.round(np.mod(angles, 2 * math.pi), 9))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """unknowns : two offsets, two tilts, three coordinates of each ball. rows : (3n, p) at the end."""

    unknowns: Array
    estimate: Estimate
    rows: Array
    sigma: float
    residual_m: Array

    def solved(self, values: Array) -> Estimate:
        """What values (3, n) would make of the unknowns."""
        return solve([(self.rows, values.T.reshape(-1), np.full(values.size, self.sigma))], self.unknowns.size)


def _fit(points: Array, centre: Array, turned: Array, which: NDArray[np.int64], balls: int, about: int, sigma: float) -> _Fit:
    """Gauss-Newton from zero errors, with the balls where the mean of their turned-back centres is."""
    across = _across(about)
    back = np.einsum("nji,jn->ni", turned, points - centre[:, None])
    unknowns = np.concatenate([np.zeros(4), *(back[which == k].mean(axis=0) for k in range(balls))])
    for _ in range(STEPS):
        tilt = _tilted(about, unknowns[2:4])
        placed = unknowns[4:].reshape(-1, 3)
        arm = np.einsum("ij,njk,nk->ni", tilt, turned, placed[which])
        rows = np.zeros((len(which), 3, unknowns.size))
        for k, component in enumerate(across):
            rows[:, component, k] = 1.0
            rows[:, :, 2 + k] = np.cross(np.eye(3)[component], arm)
        for index, ball in enumerate(which):
            rows[index, :, 4 + 3 * ball : 7 + 3 * ball] = tilt @ turned[index]
        model = centre + arm
        model[:, across] += unknowns[:2]
        residual = points.T - model
        flat = rows.reshape(-1, unknowns.size)
        estimate = solve([(flat, residual.reshape(-1), np.full(residual.size, sigma))], unknowns.size)
        if float(np.abs(estimate.solution).max()) < CONVERGED * max(1.0, float(np.abs(points).max())):
            break
        unknowns = unknowns + estimate.solution
    return _Fit(unknowns=unknowns, estimate=estimate, rows=flat, sigma=sigma, residual_m=residual.T)


def _across(about: int) -> list[int]:
    return [k for k in range(3) if k != about]


def _about(axis: str) -> int:
    if axis not in ABOUT:
        raise DataError(f"axis is {axis!r}; expected 'A', 'B' or 'C'")
    return ABOUT[axis]


def _rotation(about: int, angle: float) -> Array:
    """Right-handed rotation about X, Y or Z (0, 1, 2), exact."""
    matrix, c, s = np.eye(3), math.cos(angle), math.sin(angle)
    second, third = (about + 1) % 3, (about + 2) % 3
    matrix[second, second] = matrix[third, third] = c
    matrix[third, second], matrix[second, third] = s, -s
    return matrix


def _tilted(about: int, tilt: Array) -> Array:
    """Rotation by the first tilt, then by the second, about fixed axes."""
    first, second = _across(about)
    return np.asarray(_rotation(second, float(tilt[1])) @ _rotation(first, float(tilt[0])))


def _span(angles: Array) -> float:
    """The arc that the angles cover: a full turn less the largest gap, but with the gap's own step where they are even around."""
    around = np.sort(np.mod(angles, 2 * math.pi))
    gaps = np.diff(np.concatenate([around, [around[0] + 2 * math.pi]]))
    return float(min(2 * math.pi, 2 * math.pi - gaps.max() + np.median(gaps[gaps > 1e-9])))
