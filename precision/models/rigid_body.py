"""The 21 geometric errors of a machine with three linear axes, named, and what they make of the tool's place: rigid bodies, first order.

Every error is that of the tool relative to the workpiece (ISO 230-1:2012 notation, from memory of the standard). Of each axis a: E_Xa, E_Ya, E_Za
(positioning where the letters agree, straightness elsewhere), E_Aa, E_Ba, E_Ca (roll, pitch, yaw); and the squareness errors E_C0Y, E_B0Z, E_A0Z. Files
write them without the underscore: EXX, C0Y.

What no measurement of the tool against the workpiece can see is fixed by convention (`RigidBody.normalised`): where the workpiece lies (3 + 3), which axis
a constant shift belongs to (6), and constant angles of an axis, which are squareness by another name (9). The convention:

    every function is zero at the axis' reference position;
    straightness has no slope (least squares over its samples): the slopes of X and of Y towards Z are the workpiece's frame, the others are squareness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precision.errors import DataError
from precision.kernels.volumetric import (
    CROSS,
    AxisErrors,
    GeometricErrors,
    lever_arms,
    volumetric_compensation,
    volumetric_error,
    volumetric_error_grid,
)

Array = NDArray[np.float64]

AXES: Final = ("X", "Y", "Z")
LETTERS: Final = ("X", "Y", "Z", "A", "B", "C")
"""Of the error, in the order of the tables: three translations, three rotations."""
FUNCTIONS: Final = tuple(f"E{letter}{axis}" for axis in AXES for letter in LETTERS)
SQUARENESS: Final = ("C0Y", "B0Z", "A0Z")
NAMES: Final = (*FUNCTIONS, *SQUARENESS)
"""All 21, as files write them."""
NO_TOOL: Final = (0.0, 0.0, 0.0)
SAME_POINT_M: Final = 1e-9


def is_rotation(name: str) -> bool:
    """Whether an error is an angle (rad) and not a length (m)."""
    return name in SQUARENESS or name[1] in "ABC"


def is_straightness(name: str) -> bool:
    """Whether an error is a straightness: a translation across the axis.

    >>> [name for name in FUNCTIONS if is_straightness(name)]
    ['EYX', 'EZX', 'EXY', 'EZY', 'EXZ', 'EYZ']
    """
    return name in FUNCTIONS and name[1] in "XYZ" and name[1] != name[2]


def symbol(name: str) -> str:
    """As ISO 230-1 writes it: "E_XX", "E_C0Y"."""
    return f"E_{name[1:]}" if name in FUNCTIONS else f"E_{name}"


@dataclass(frozen=True, kw_only=True, eq=False)
class RigidBody:
    """A machine by its 21 errors.

    chain : from workpiece to tool, the letters X, Y, Z and F (frame) once each: "XYFZ".
    errors : the kernels' tables; linear between samples, held beyond them. Lever arms of the axes (`AxisErrors.lever_m`) are allowed.

    Raises
    ------
    DataError       a chain or tables that the kernels refuse
    """

    chain: str
    errors: GeometricErrors

    def __post_init__(self) -> None:
        try:
            volumetric_error(self.errors, np.zeros(3), chain=self.chain)
        except ValueError as error:
            raise DataError(f"machine of 21 errors: {error}") from error

    @classmethod
    def from_curves(cls, chain: str, curves: Mapping[str, tuple[ArrayLike, ArrayLike]], constants: Mapping[str, float] | None = None) -> RigidBody:
        """A machine from named errors; those that are missing are zero.

        curves : "EXX" -> positions (k,) ascending, m, and errors (k,), m or rad; different positions for the functions of one axis are merged.
        constants : "C0Y" -> rad.

        Raises
        ------
        DataError       an unknown name, or shapes that do not fit
        """
        constants = constants or {}
        unknown = (set(curves) - set(FUNCTIONS)) | (set(constants) - set(SQUARENESS))
        if unknown:
            raise DataError(f"machine of 21 errors: {', '.join(sorted(unknown)[:5])} is none of them; expected {', '.join(NAMES)}")
        tables = {name: _curve(name, *curve) for name, curve in curves.items()}
        x, y, z = (_axis(axis, tables) for axis in AXES)
        c0y, b0z, a0z = (float(constants.get(name, 0.0)) for name in SQUARENESS)
        return cls(chain=chain, errors=GeometricErrors(x, y, z, c0y, b0z, a0z))

    def curve(self, name: str) -> tuple[Array, Array]:
        """Positions (k,) in m and values (k,) in m or rad of one of the 18 functions."""
        axis = self._axis(name[2])
        row = LETTERS.index(name[1])
        table = axis.translation_m if row < 3 else axis.rotation_rad
        return np.asarray(axis.position_m, dtype=np.float64), np.asarray(table, dtype=np.float64)[row % 3]

    def value(self, name: str, position_m: ArrayLike = 0.0) -> Array:
        """One of the 21 at positions along its axis, m or rad."""
        at = np.asarray(position_m, dtype=np.float64)
        if name in SQUARENESS:
            return np.full(at.shape, self.constants[name])
        return np.interp(at, *self.curve(name))

    @property
    def constants(self) -> dict[str, float]:
        """The three squareness errors, rad."""
        return dict(zip(SQUARENESS, (float(v) for v in self.errors[3:]), strict=True))

    @property
    def travel_m(self) -> tuple[tuple[float, float], ...]:
        """(lowest, highest) position of the tables of X, Y, Z, m."""
        return tuple((float(axis.position_m[0]), float(axis.position_m[-1])) for axis in self.errors[:3])

    def error(self, position_m: ArrayLike, tool_m: Sequence[float] = NO_TOOL) -> Array:
        """Deviation Δ of the tool from where the axes say it is: (3, …) m at (3, …) m."""
        return np.asarray(volumetric_error(self.errors, np.asarray(position_m, dtype=np.float64), chain=self.chain, tool_m=tool_m))

    def turn(self, position_m: ArrayLike) -> Array:
        """Rotation A, B, C of the tool against the workpiece: (3, …) rad at (3, …) m, first order. Squareness turns the motion, not the tool."""
        at = np.asarray(position_m, dtype=np.float64)
        return np.stack([sum((self.value(f"E{letter}{axis}", at[k]) for k, axis in enumerate(AXES)), np.zeros(at.shape[1:])) for letter in "ABC"])

    def grid(self, x_m: ArrayLike, y_m: ArrayLike, z_m: ArrayLike, tool_m: Sequence[float] = NO_TOOL) -> Array:
        """Δ on a grid: (3, nx, ny, nz) m."""
        x, y, z = (np.asarray(values, dtype=np.float64) for values in (x_m, y_m, z_m))
        return np.asarray(volumetric_error_grid(self.errors, x, y, z, chain=self.chain, tool_m=tool_m))

    def correction(self, position_m: ArrayLike, tool_m: Sequence[float] = NO_TOOL, *, passes: int = 2) -> Array:
        """What to add to commands so that the tool arrives there: −Δ, (3, …) m."""
        return np.asarray(
            volumetric_compensation(self.errors, np.asarray(position_m, dtype=np.float64), chain=self.chain, tool_m=tool_m, passes=passes)
        )

    def without(self, *names: str) -> RigidBody:
        """The machine with some of the 21 set to zero."""
        return self.only(*(name for name in NAMES if name not in names))

    def only(self, *names: str) -> RigidBody:
        """The machine with all but some of the 21 set to zero."""
        axes = []
        for axis, table in zip(AXES, self.errors[:3], strict=True):
            keep = np.array([[f"E{letter}{axis}" in names] for letter in LETTERS], dtype=np.float64)
            axes.append(
                table._replace(translation_m=np.asarray(table.translation_m) * keep[:3], rotation_rad=np.asarray(table.rotation_rad) * keep[3:])
            )
        x, y, z = axes
        c0y, b0z, a0z = (value if name in names else 0.0 for name, value in self.constants.items())
        return replace(self, errors=GeometricErrors(x, y, z, c0y, b0z, a0z))

    def plus(self, other: RigidBody) -> RigidBody:
        """The machine whose errors are the sums of both, at the samples of both. Raises `DataError` where the chains differ, or a lever arm is not zero."""
        if self.chain != other.chain:
            raise DataError(f"machines of the chains {self.chain} and {other.chain} have no sum")
        if any(value != 0.0 for machine in (self, other) for axis in machine.errors[:3] for value in axis.lever_m):
            raise DataError("machines with lever arms have no sum; normalise them first")
        curves = {}
        for name in FUNCTIONS:
            at = _distinct(np.concatenate([self.curve(name)[0], other.curve(name)[0]]))
            curves[name] = (at, self.value(name, at) + other.value(name, at))
        return RigidBody.from_curves(self.chain, curves, {name: self.constants[name] + other.constants[name] for name in SQUARENESS})

    def normalised(self, reference_m: Sequence[float] = NO_TOOL) -> RigidBody:
        """The same machine after the convention of this module: Δ differs by a rigid motion of the workpiece (first order), and a shift for each tool.

        reference_m : positions of X, Y, Z where every function is zero; beyond a table its last value counts.

        Notes
        -----
        A constant angle e of axis a turns every position b in its lever arm: it adds (e × û_b)_i to the slope of E_ib. So the slopes L_ib of all sum up,

            L_ib = slope(E_ib) + Σ_{a: b in r_a} (e_a × û_b)_i + squareness,
            E_C0Y = −(L_XY + L_YX),   E_B0Z = L_XZ + L_ZX,   E_A0Z = −(L_YZ + L_ZY),

        and what is antisymmetric in L is the workpiece's orientation.
        """
        arms = lever_arms(self.chain)
        c0y, b0z, a0z = self.constants.values()
        slope = np.array([[0.0, -c0y, b0z], [0.0, 0.0, -a0z], [0.0, 0.0, 0.0]])  # [i, b]
        axes = []
        for a, axis in enumerate(self.errors[:3]):
            node = np.asarray(axis.position_m, dtype=np.float64)
            at = float(np.clip(reference_m[a], node[0], node[-1]))
            turn = np.asarray(axis.rotation_rad, dtype=np.float64)
            constant = np.array([np.interp(at, node, row) for row in turn])
            move = np.array(axis.translation_m, dtype=np.float64)
            for rotation, b, component, sign in CROSS:
                move[component] += sign * axis.lever_m[b] * (turn[rotation] - constant[rotation])
                if arms[a][b]:
                    slope[component, b] += sign * constant[rotation]
            centred = node - node.mean()
            for component in range(3):
                if component != a:
                    steep = float(centred @ move[component] / (centred @ centred))
                    slope[component, a] += steep
                    move[component] -= steep * node
                move[component] -= np.interp(at, node, move[component])
            axes.append(AxisErrors(node, move, turn - constant[:, None]))
        x, y, z = axes
        c0y, b0z, a0z = -float(slope[0, 1] + slope[1, 0]), float(slope[0, 2] + slope[2, 0]), -float(slope[1, 2] + slope[2, 1])
        return replace(self, errors=GeometricErrors(x, y, z, c0y, b0z, a0z))

    def values(self) -> Iterator[tuple[str, Array]]:
        """All 21 in order: name, values at the samples ((k,), or (1,) for squareness)."""
        for name in FUNCTIONS:
            yield name, self.curve(name)[1]
        for name, value in self.constants.items():
            yield name, np.array([value])

    def _axis(self, letter: str) -> AxisErrors:
        return self.errors[AXES.index(letter)]  # type: ignore[return-value]


def rigid_motion_removed(delta_m: ArrayLike, position_m: ArrayLike) -> Array:
    """Deviations without the small rigid motion of the workpiece that fits them best (least squares): (3, …) m at (3, …) m.

    Two machines that differ only by convention have the same remainder.

    Raises
    ------
    DataError       fewer than three points, or all on one line
    """
    points = np.asarray(position_m, dtype=np.float64).reshape(3, -1)
    delta = np.asarray(delta_m, dtype=np.float64)
    flat = delta.reshape(3, -1)
    centred = points - points.mean(axis=1, keepdims=True)
    design = np.zeros((3, points.shape[1], 6))
    for component in range(3):
        design[component, :, component] = 1.0
    for rotation, b, component, sign in CROSS:
        design[component, :, 3 + rotation] += sign * centred[b]
    matrix: Any = design.reshape(-1, 6)
    solution, _, rank, _ = np.linalg.lstsq(matrix, flat.reshape(-1), rcond=1e-12)
    if rank < 6:
        raise DataError(f"{points.shape[1]} points on one line or fewer than three: a rigid motion cannot be found from them")
    return np.asarray(delta - (matrix @ solution).reshape(delta.shape))


def _curve(name: str, position_m: ArrayLike, error: ArrayLike) -> tuple[Array, Array]:
    at, values = np.array(position_m, dtype=np.float64), np.array(error, dtype=np.float64)
    if (
        at.ndim != 1
        or at.size < 1
        or values.shape != at.shape
        or not np.all(np.diff(at) > 0)
        or not (np.all(np.isfinite(at)) and np.all(np.isfinite(values)))
    ):
        raise DataError(f"{symbol(name)}: positions have shape {at.shape}, errors {values.shape}; expected (k,) twice, finite, positions ascending")
    return at, values


def _distinct(positions: Array) -> Array:
    """Ascending, without those that are the same but for rounding in a file."""
    ordered = np.sort(positions)
    return np.asarray(ordered[np.concatenate([[True], np.diff(ordered) > SAME_POINT_M])])


def _axis(axis: str, tables: Mapping[str, tuple[Array, Array]]) -> AxisErrors:
    here = {name: curve for name, curve in tables.items() if name[2] == axis}
    node = _distinct(np.concatenate([at for at, _ in here.values()])) if here else np.array([0.0, 1.0])
    if node.size < 2:
        node = np.array([node[0], node[0] + 1.0])
    rows = np.zeros((6, node.size))
    for name, (at, values) in here.items():
        rows[LETTERS.index(name[1])] = np.interp(node, at, values)
    return AxisErrors(node, rows[:3], rows[3:])
