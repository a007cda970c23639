"""The 21 errors as coefficients: what a measured length or angle says of each of them, and which conventions they obey.

Each of the 18 functions is a sum of B-splines over nodes along its axis, of degree 1 (linear between the nodes) or 3; the squareness errors are three more
coefficients. To first order everything measured is linear in them: the displacement of the tool at p in direction u is J(p, u)·θ with

    J for E_ia:   u_i·B(p_a)          J for ε_ra:   u·(e_r × r_a)·B(p_a)          J for squareness:   −u_x·y,  +u_x·z,  −u_y·z

(`precision.kernels.volumetric` for the lever arms r_a). The conventions of `precision.models.rigid_body` are equations C·θ = 0, satisfied by θ = Z·φ with
free coefficients φ.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precision.errors import DataError
from precision.kernels.volumetric import CROSS, AxisErrors, GeometricErrors, lever_arms

from .rigid_body import AXES, FUNCTIONS, LETTERS, NAMES, NO_TOOL, SQUARENESS, RigidBody, is_straightness

Array = NDArray[np.float64]
Degree = Literal[1, 3]

FINER: Final = 8
"""Samples of a cubic function in one interval of its nodes, when it becomes a table: the error of the chord is then h²/8·|f″|/64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """B-splines for the 21 errors of a machine.

    chain : from workpiece to tool, X, Y, Z and F once each.
    nodes_m : of X, Y, Z, each (k,) ascending, k ≥ 2 (degree 3: k ≥ 4): ends of the travel and the knots between.
    degree : 1 or 3.
    reference_m : position where every function is zero.

    Raises
    ------
    DataError       the chain, or nodes that are too few or do not ascend
    """

    chain: str
    nodes_m: tuple[Array, Array, Array]
    degree: Degree = 1
    reference_m: tuple[float, float, float] = NO_TOOL

    def __post_init__(self) -> None:
        try:
            lever_arms(self.chain)
        except ValueError as error:
            raise DataError(str(error)) from error
        if self.degree not in (1, 3):
            raise DataError(f"degree is {self.degree!r}; expected 1 (linear between nodes) or 3 (cubic)")
        fewest = 2 if self.degree == 1 else 4
        for axis, nodes in zip(AXES, self.nodes_m, strict=True):
            if nodes.ndim != 1 or nodes.size < fewest or not np.all(np.diff(nodes) > 0) or not np.all(np.isfinite(nodes)):
                raise DataError(f"nodes of {axis} have shape {nodes.shape}; expected at least {fewest}, finite and ascending, m")
        object.__setattr__(self, "nodes_m", tuple(np.array(nodes, dtype=np.float64) for nodes in self.nodes_m))

    @classmethod
    def even(
        cls,
        chain: str,
        travel_m: Sequence[tuple[float, float]],
        count: int | Sequence[int],
        *,
        degree: Degree = 1,
        reference_m: Sequence[float] | None = None,
    ) -> Basis:
        """`count` nodes (of all axes, or of each) at equal distances over the travels (lowest, highest) of X, Y, Z; reference at the lowest corner."""
        counts = [count] * 3 if isinstance(count, int) else list(count)
        nodes = [np.linspace(low, high, n) for (low, high), n in zip(travel_m, counts, strict=True)]
        x, y, z = reference_m if reference_m is not None else [low for low, _ in travel_m]
        return cls(chain=chain, nodes_m=(nodes[0], nodes[1], nodes[2]), degree=degree, reference_m=(float(x), float(y), float(z)))

    @property
    def size(self) -> int:
        """Number of coefficients θ."""
        return 6 * sum(nodes.size for nodes in self.nodes_m) + 3

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Where each of the 21 has its coefficients in θ."""
        places, start = {}, 0
        for name in NAMES:
            count = self.nodes_m[AXES.index(name[2])].size if name in FUNCTIONS else 1
            places[name] = slice(start, start + count)
            start += count
        return places

    def splines(self, axis: int, position_m: ArrayLike) -> Array:
        """(n, k) values of the B-splines of an axis at (n,) positions; beyond the ends as at them."""
        from scipy.interpolate import BSpline

        knots = self._knots(axis)
        at = np.clip(np.asarray(position_m, dtype=np.float64), knots[0], knots[-1])
        return np.asarray(BSpline.design_matrix(at, knots, self.degree).toarray())

    def at(self, position_m: ArrayLike) -> Places:
        """The basis at (3, n) positions of X, Y, Z, m: its splines are worked out once."""
        points = np.asarray(position_m, dtype=np.float64)
        if points.ndim != 2 or points.shape[0] != 3:
            raise DataError(f"positions have shape {points.shape}; expected (3, n): rows X, Y, Z")
        return Places(basis=self, position_m=points, splines=tuple(self.splines(a, points[a]) for a in range(3)))

    def displacement(self, position_m: ArrayLike, direction: ArrayLike, tool_m: ArrayLike = NO_TOOL) -> Array:
        """J: what displacements of the tool say, (n, P); see `Places.displacement`."""
        return self.at(position_m).displacement(direction, tool_m)

    def rotation(self, position_m: ArrayLike, letter: str) -> Array:
        """J of the rotation of the tool about "A", "B" or "C": (n, P) at (3, n) m."""
        return self.at(position_m).rotation(letter)

    @cached_property
    def conventions(self) -> Array:
        """C: (24, P), zero at the reference (18 rows) and no slope of straightness (6 rows)."""
        rows = np.zeros((24, self.size))
        row = 18
        for number, name in enumerate(FUNCTIONS):
            axis = AXES.index(name[2])
            rows[number, self.columns[name]] = self.splines(axis, [self.reference_m[axis]])[0]
            if is_straightness(name):
                rows[row, self.columns[name]] = self._slope(axis)
                row += 1
        return rows

    @cached_property
    def free(self) -> Array:
        """Z: (P, P − 24), orthonormal in each function; θ = Z·φ obeys the conventions for every φ."""
        from scipy.linalg import block_diag

        return np.asarray(block_diag(*self._blocks.values()))

    @cached_property
    def free_columns(self) -> dict[str, slice]:
        """Where each of the 21 has its free coefficients in φ; none for a straightness over two nodes."""
        places, start = {}, 0
        for name, block in self._blocks.items():
            places[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return places

    @cached_property
    def _blocks(self) -> dict[str, Array]:
        from scipy.linalg import null_space

        blocks: dict[str, Array] = {}
        for name in FUNCTIONS:
            axis = AXES.index(name[2])
            bound = [self.splines(axis, [self.reference_m[axis]])[0]]
            if is_straightness(name):
                bound.append(self._slope(axis))
            blocks[name] = np.asarray(null_space(np.array(bound)))
        return blocks | {name: np.eye(1) for name in SQUARENESS}

    def machine(self, theta: ArrayLike) -> RigidBody:
        """The machine with these coefficients; cubic functions as tables, `FINER` times as fine as the nodes."""
        coefficients = np.asarray(theta, dtype=np.float64)
        if coefficients.shape != (self.size,):
            raise DataError(f"coefficients have shape {coefficients.shape}; expected ({self.size},)")
        axes = []
        for a, axis in enumerate(AXES):
            at = self.samples_m(a)
            six = np.stack([self.splines(a, at) @ coefficients[self.columns[f"E{letter}{axis}"]] for letter in LETTERS])
            axes.append(AxisErrors(at, six[:3], six[3:]))
        x, y, z = axes
        c0y, b0z, a0z = (float(coefficients[self.columns[name]][0]) for name in SQUARENESS)
        return RigidBody(chain=self.chain, errors=GeometricErrors(x, y, z, c0y, b0z, a0z))

    def coefficients(self, machine: RigidBody) -> Array:
        """θ of a machine: its functions at the nodes (degree 3: the splines through them), after the conventions.

        Beyond and between the nodes the machine may differ from its coefficients. Its lever arms (`AxisErrors.lever_m`) go into the translations. The chain has to be the same.
        """
        if machine.chain != self.chain:
            raise DataError(f"the machine's chain is {machine.chain}, the basis' {self.chain}; expected the same")
        theta = np.zeros(self.size)
        for _ in range(2):  # the second time the slopes are those of the splines, over their own samples
            machine = machine.normalised(self.reference_m)
            for name in FUNCTIONS:
                axis = AXES.index(name[2])
                nodes = self.nodes_m[axis]
                theta[self.columns[name]] = np.linalg.solve(self.splines(axis, nodes), machine.value(name, nodes))
            for name, value in machine.constants.items():
                theta[self.columns[name]] = value
            machine = self.machine(theta)
        return theta

    def samples_m(self, axis: int) -> Array:
        """Positions of the tables that `machine` makes: the nodes, or `FINER` in each interval of them."""
        nodes = self.nodes_m[axis]
        if self.degree == 1:
            return nodes
        return np.unique(np.concatenate([np.linspace(low, high, FINER + 1) for low, high in itertools.pairwise(nodes)]))

    def _knots(self, axis: int) -> Array:
        nodes = self.nodes_m[axis]
        inner = nodes if self.degree == 1 else np.concatenate([nodes[:1], nodes[2:-2], nodes[-1:]])  # not-a-knot: as many splines as nodes
        return np.concatenate([[inner[0]] * self.degree, inner, [inner[-1]] * self.degree])

    def _slope(self, axis: int) -> Array:
        """(k,) row: least-squares slope of the function over its samples, but for a factor."""
        at = self.samples_m(axis)
        centred = (at - at.mean()) / (at[-1] - at[0])
        return np.asarray(centred @ self.splines(axis, at)) / at.size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """A basis at points. position_m : (3, n). splines : of X, Y, Z, (n, k) each."""

    basis: Basis
    position_m: Array
    splines: tuple[Array, ...]

    def displacement(self, direction: ArrayLike, tool_m: ArrayLike = NO_TOOL) -> Array:
        """J of displacements, (n, P). direction : (3,) or (3, n), unit vectors. tool_m : (3,) tool offset, m."""
        p, columns = self.position_m, self.basis.columns
        u = np.broadcast_to(np.asarray(direction, dtype=np.float64).reshape(3, -1), p.shape)
        rows = np.empty((p.shape[1], self.basis.size))
        for axis, values, arm in zip(AXES, self.splines, self._arms(tool_m), strict=True):
            weight = np.zeros((6, p.shape[1]))
            weight[:3] = u
            for rotation, b, component, sign in CROSS:
                weight[3 + rotation] += sign * u[component] * arm[b]
            for letter, one in zip(LETTERS, weight, strict=True):
                np.multiply(one[:, None], values, out=rows[:, columns[f"E{letter}{axis}"]])
        for name, one in zip(SQUARENESS, (-u[0] * p[1], u[0] * p[2], -u[1] * p[2]), strict=True):
            rows[:, columns[name]] = one[:, None]
        return rows

    def rotation(self, letter: str) -> Array:
        """J of the rotation of the tool about "A", "B" or "C", (n, P)."""
        rows = np.zeros((self.position_m.shape[1], self.basis.size))
        for axis, values in zip(AXES, self.splines, strict=True):
            rows[:, self.basis.columns[f"E{letter}{axis}"]] = values
        return rows

    def error(self, theta: Array, tool_m: ArrayLike = NO_TOOL) -> Array:
        """Δ of the machine with coefficients θ, (3, n) m."""
        p, columns = self.position_m, self.basis.columns
        delta = np.zeros(p.shape)
        for axis, values, arm in zip(AXES, self.splines, self._arms(tool_m), strict=True):
            six = [values @ theta[columns[f"E{letter}{axis}"]] for letter in LETTERS]
            for component in range(3):
                delta[component] += six[component]
            for rotation, b, component, sign in CROSS:
                delta[component] += sign * six[3 + rotation] * arm[b]
        c0y, b0z, a0z = (float(theta[columns[name]][0]) for name in SQUARENESS)
        delta[0] += b0z * p[2] - c0y * p[1]
        delta[1] -= a0z * p[2]
        return delta

    def _arms(self, tool_m: ArrayLike) -> list[Array]:
        """The lever arm of each axis, (3, n) m."""
        tool = np.asarray(tool_m, dtype=np.float64).reshape(3, 1)
        return [tool + self.position_m * np.array(carried, dtype=np.float64)[:, None] for carried in lever_arms(self.basis.chain)]
