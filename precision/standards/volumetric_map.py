"""The error map of a working volume: Δ of the tool on a grid, its ranges, largest and worst place, with U.

After ISO 230-1:2012 (from memory of the standard) the volumetric accuracy V_XYZ of three linear axes is given by the ranges, over the volume, of the tool's
deviations in X, Y and Z and of its rotations A, B and C against the workpiece. Beside them, counted from the lowest corner of the grid: the largest |Δ|, its
rms and the value that 95 % of the points keep within.

The ranges in X, Y, Z depend on how the workpiece's frame is laid: here along X, with Y in its plane, as the errors' conventions say
(`precision.models.rigid_body`); `best_fit` lays it so that Σ|Δ|² is least, as a part would be aligned.

U (k = 2) is by Monte Carlo (JCGM 101): coefficients are drawn from their covariance and everything is evaluated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..models.rigid_body import AXES, NO_TOOL, RigidBody, rigid_motion_removed
from .arrays import Array, frozen, vector
from .reported import Reported, figure, keyed
from .volumetric import Identified, half_width

MOST_POINTS: Final = 20_000
"""Of a grid with U; without, memory is the limit."""
DRAWS: Final = 1000
_CHUNK: Final = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """An error map. Figures "V_X", "V_Y", "V_Z", "max", "rms", "p95" (m), "V_A", "V_B", "V_C" (rad).

    x_m, y_m, z_m : the grid. tool_m : tool offset. delta_m : (3, nx, ny, nz), Δ. turn_rad : (3, nx, ny, nz), rotations A, B, C.
    u_m : (3, nx, ny, nz) expanded uncertainty of Δ, or None. worst_m : where |Δ| is largest.
    """

    x_m: Array
    y_m: Array
    z_m: Array
    tool_m: tuple[float, float, float]
    delta_m: Array
    turn_rad: Array
    u_m: Array | None
    worst_m: tuple[float, float, float]

    @property
    def length_m(self) -> Array:
        """|Δ|, (nx, ny, nz)."""
        return np.asarray(np.linalg.norm(self.delta_m, axis=0))


def evaluate(
    found: Identified | RigidBody,
    x_m: ArrayLike,
    y_m: ArrayLike,
    z_m: ArrayLike,
    *,
    tool_m: Sequence[float] = NO_TOOL,
    best_fit: bool = False,
    seed: int = 1,
) -> Result:
    """Evaluate the map.

    Parameters
    ----------
    found : identified errors (with U), or a machine (without)
    x_m, y_m, z_m : ascending coordinates of the grid, at least 2 each
    tool_m : tool offset
    best_fit : lay the workpiece's frame so that Σ|Δ|² is least
    seed : of the Monte Carlo draws

    Raises
    ------
    DataError       a grid that does not ascend, lies outside the identified travel, or has more than 20 000 points with U
    """
    x, y, z = (vector(f"grid in {axis}", values, fewest=2, ascending=True) for axis, values in zip(AXES, (x_m, y_m, z_m), strict=True))
    machine = found.machine if isinstance(found, Identified) else found
    for axis, line, (low, high) in zip(AXES, (x, y, z), machine.travel_m, strict=True):
        slack = 1e-6 * (high - low)
        if isinstance(found, Identified) and (line[0] < low - slack or line[-1] > high + slack):
            raise DataError(
                f"grid in {axis} from {line[0] * 1e3:g} to {line[-1] * 1e3:g} mm; the errors are known from {low * 1e3:g} to {high * 1e3:g} mm. Nothing is extrapolated"
            )
    tool = (float(tool_m[0]), float(tool_m[1]), float(tool_m[2]))
    points = np.stack(np.meshgrid(x, y, z, indexing="ij"))
    delta = machine.grid(x, y, z, tool)
    delta = delta - delta[:, :1, :1, :1]
    if best_fit:
        delta = rigid_motion_removed(delta, points)
    turn = machine.turn(points)
    values = _numbers(delta.reshape(1, 3, -1)) | {f"V_{letter}": np.array([np.ptp(turn[k])]) for k, letter in enumerate("ABC")}
    u_field: Array | None = None
    u: dict[str, float | None] = dict.fromkeys(values)
    if isinstance(found, Identified):
        u_field, spread = _monte_carlo(found, points, tool, best_fit, seed)
        u = {key: half_width(spread[key], float(values[key][0])) for key in values}
    length = np.linalg.norm(delta, axis=0)
    place = np.unravel_index(int(np.argmax(length)), length.shape)
    worst = (float(x[place[0]]), float(y[place[1]]), float(z[place[2]]))
    names = {
        **{f"V_{axis}": (f"range of the deviation in {axis}", "m", f"V_XYZ,{axis}") for axis in AXES},
        **{f"V_{letter}": (f"range of the rotation about {about}", "rad", f"V_XYZ,{letter}") for letter, about in zip("ABC", AXES, strict=True)},
        "max": (f"largest deviation, at {_place(worst)}", "m", "max|Δ|"), "rms": ("rms of the deviation", "m", "rms|Δ|"), "p95": ("95 % of the volume keeps within", "m", "|Δ|₉₅"),
    }  # fmt: skip
    why = None if isinstance(found, Identified) else "the errors were given without uncertainty"
    flags = list(found.flags) if isinstance(found, Identified) else []
    return Result(
        title=f"volumetric errors, {' × '.join(f'{(line[-1] - line[0]) * 1e3:g}' for line in (x, y, z))} mm, {x.size} × {y.size} × {z.size} points",
        stated=(
            f"tool {_place(tool)}", f"chain {machine.chain}",
            "frame: least squares of Δ over the points" if best_fit else "frame: zero at the lowest corner, along X, Y in its plane",
        ),
        figures=keyed(figure(key, name, float(values[key][0]), unit, u[key] if why is None else why, symbol=mark) for key, (name, unit, mark) in names.items()),
        flags=tuple(flags), x_m=x, y_m=y, z_m=z, tool_m=tool, delta_m=frozen(np.array(delta)), turn_rad=frozen(np.array(turn)), u_m=u_field, worst_m=worst,
    )  # fmt: skip


def _numbers(delta: Array) -> dict[str, Array]:
    """(draws, 3, n) Δ to (draws,) figures."""
    length = np.sqrt((delta**2).sum(axis=1))
    ranges = np.ptp(delta, axis=2)
    return {f"V_{axis}": ranges[:, k] for k, axis in enumerate(AXES)} | {
        "max": length.max(axis=1), "rms": np.sqrt((length**2).mean(axis=1)), "p95": np.quantile(length, 0.95, axis=1)
    }  # fmt: skip


def _monte_carlo(found: Identified, points: Array, tool: tuple[float, float, float], best_fit: bool, seed: int) -> tuple[Array, dict[str, Array]]:
    """U of Δ at every point, and the figures of every draw."""
    flat = points.reshape(3, -1)
    count = flat.shape[1]
    if count > MOST_POINTS:
        raise DataError(f"{count} points; with U at most {MOST_POINTS} are evaluated: choose a coarser grid")
    at = found.basis.at(flat)
    translate = np.concatenate(
        [rows - rows[:1] for rows in (at.displacement(axis, tool) for axis in np.eye(3))]
    )  # the first point is the lowest corner
    rotate = np.concatenate([at.rotation(letter) for letter in "ABC"])
    u = 2 * np.linalg.norm(translate @ found.root, axis=1)
    draws = found.draws(DRAWS, seed=seed)
    spread: dict[str, list[Array]] = {}
    for start in range(0, DRAWS, max(1, _CHUNK // (3 * count))):
        some = draws[start : start + max(1, _CHUNK // (3 * count))]
        delta = (some @ translate.T).reshape(len(some), 3, count)
        if best_fit:
            delta = np.stack([rigid_motion_removed(one, flat) for one in delta])
        turn = (some @ rotate.T).reshape(len(some), 3, count)
        for key, value in (_numbers(delta) | {f"V_{letter}": np.ptp(turn[:, k], axis=1) for k, letter in enumerate("ABC")}).items():
            spread.setdefault(key, []).append(value)
    return frozen(u.reshape(points.shape)), {key: np.concatenate(parts) for key, parts in spread.items()}


def _place(point_m: Sequence[float]) -> str:
    return ", ".join(f"{axis} {value * 1e3:.4g}" for axis, value in zip(AXES, point_m, strict=True)) + " mm"
