"""The 21 errors from lines: positioning, straightness and angles along X, Y and Z, and squareness. Names of ISO 230-1:2012 (from memory of the standard).

What an instrument sees on a line is not the error of the axis alone: its measuring point has lever arms (tool offset, positions of the other axes) through
which the angles of all axes act. They are taken off by the model: each reading is an equation

    translation: reading = u·Δ(p; tool) + zero [+ slope·p_a]          rotation: reading = Σ_a ε_ra(p_a) + zero

with a zero for each line, and a slope where the straightedge's or beam's direction is not known. Two straightness lines against the same square share its
unknown orientation φ; what is left of their slopes is the squareness of the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels.volumetric import CROSS
from ..models.error_basis import Basis
from ..models.rigid_body import AXES, FUNCTIONS, NO_TOOL, SQUARENESS, is_rotation, is_straightness, symbol
from .arrays import Array, positive, vector
from .volumetric import Equations, Identified, Telling, identify, telling

_NORMAL = {frozenset("XY"): 2, frozenset("XZ"): 1, frozenset("YZ"): 0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One error along one axis, as measured.

    name : which of the 18, "EYX": what was measured (Y), on the motion of which axis (X).
    position_m : (n,) positions of the moving axis, any order.
    value : (n,) m or rad, positive as the error is (tool relative to workpiece).
    noise : standard deviation of one value, m or rad.
    at_m : where the other axes stood (the moving axis' own entry means nothing).
    tool_m : the measuring point as a tool offset from the spindle's reference point: reflector, probe, optics.
    square : name of the square (or straightedge) whose direction is the reference of a straightness; None: its direction is not known.
    label : tells lines of the same error apart.

    Raises
    ------
    DataError       a name that is none of the 18, shapes, noise not above zero, or a square where nothing is straight
    """

    name: str
    position_m: Array
    value: Array
    noise: float
    at_m: tuple[float, float, float] = NO_TOOL
    tool_m: tuple[float, float, float] = NO_TOOL
    square: str | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if self.name not in FUNCTIONS:
            raise DataError(f"line of {self.name[:20]!r}; expected one of {', '.join(FUNCTIONS)}")
        x = vector(f"positions of {symbol(self.name)}", self.position_m, fewest=2)
        object.__setattr__(self, "position_m", x)
        object.__setattr__(self, "value", vector(f"values of {symbol(self.name)}", self.value, size=x.size))
        positive(f"noise of {symbol(self.name)}", self.noise, "rad" if is_rotation(self.name) else "m")
        if self.square is not None and not is_straightness(self.name):
            raise DataError(f"{symbol(self.name)} with the square {self.square!r}; a square is a reference of straightness")

    @property
    def key(self) -> str:
        """Name in residuals and messages."""
        return f"{'angle ' if is_rotation(self.name) else ''}{symbol(self.name)}{' ' + self.label if self.label else ''}"

    @property
    def points_m(self) -> Array:
        """(3, n) positions of X, Y, Z."""
        points = np.repeat(np.array(self.at_m, dtype=np.float64)[:, None], self.position_m.size, axis=1)
        points[AXES.index(self.name[2])] = self.position_m
        return points


@dataclass(frozen=True, slots=True, kw_only=True)
class Squareness:
    """A squareness error from elsewhere (diagonals, a ball bar): value and standard uncertainty, rad, after the conventions (reference position, ISO 230-1)."""

    value: float
    standard_uncertainty: float


def identify_lines(
    lines: Sequence[Line],
    basis: Basis,
    *,
    squareness: Mapping[str, Squareness] | None = None,
    square_u_rad: float = 0.0,
    scale_u: float = 0.0,
    direct: Mapping[str, Array] | None = None,
    assumed_zero: Sequence[str] = (),
    curved: bool = False,
) -> Identified:
    """The 21 errors from lines.

    Parameters
    ----------
    lines : each of the 18 once or more often, in any order
    basis : chain, nodes, reference
    squareness : "C0Y" -> value from elsewhere; else two lines against one square give it
    square_u_rad : standard uncertainty of the right angle of the squares, rad
    scale_u : standard uncertainty of the length scale of positioning lines, m/m (wavelength, air)
    direct : effect -> one standard uncertainty's effect on θ (`precision.models.error_basis`), for corrections of expansion
    assumed_zero : errors that are not measured and taken as zero, named in the flags
    curved : as `volumetric.identify`

    Raises
    ------
    DataError       errors that the lines do not determine, by name, with the rank

    Notes
    -----
    Nodes closer than the measured positions cannot be determined; as many as positions, or fewer.
    """
    equations = _equations(lines, basis, squareness or {})
    common: dict[str, Callable[[Equations], Array]] = {}
    if scale_u > 0:
        common["scale"] = _by_name(
            equations, {line.key: scale_u * (line.position_m - line.position_m[0]) for line in lines if line.name[1] == line.name[2]}
        )
    if square_u_rad > 0:
        for square in dict.fromkeys(line.square for line in lines if line.square):
            pair = [line for line in lines if line.square == square]
            # The error of the angle lies between the two sides: half of it on each, against the mean orientation.
            effect = {line.key: 0.5 * square_u_rad * _turned(line) * (1.0 if line.name[2] == pair[0].name[2] else -1.0) for line in pair}
            common[f"square {square}"] = _by_name(equations, effect)
    return identify(
        basis, equations, title=f"21 errors from {len(lines)} lines", assumed_zero=assumed_zero, common=common, direct=direct, curved=curved,
        advice="measure those lines too (rotations about the axis, too, and two straightness lines against a square), or name errors to be taken as zero",
    )  # fmt: skip


def lines_tell(lines: Sequence[Line], basis: Basis, *, squareness: Sequence[str] = (), assumed_zero: Sequence[str] = ()) -> Telling:
    """What lines can tell, whatever their values."""
    given = {name: Squareness(value=0.0, standard_uncertainty=1e-6) for name in squareness}
    return telling(basis, _equations(lines, basis, given), assumed_zero=assumed_zero)


def _equations(lines: Sequence[Line], basis: Basis, squareness: Mapping[str, Squareness]) -> list[Equations]:
    equations = []
    for line in lines:
        own = {f"zero of {line.key}": np.ones(line.position_m.size)}
        if is_rotation(line.name):
            rows = basis.rotation(line.points_m, line.name[1])
        else:
            rows = basis.displacement(line.points_m, np.eye(3)[AXES.index(line.name[1])], line.tool_m)
        if is_straightness(line.name):
            column = f"orientation of {line.square}" if line.square else f"alignment of {line.key}"
            own[column] = _turned(line)
        equations.append(Equations(name=line.key, rows=rows, values=np.asarray(line.value), sigma=np.full(line.value.size, line.noise), own=own))
    for name, given in squareness.items():
        if name not in SQUARENESS:
            raise DataError(f"squareness {name[:20]!r}; expected {', '.join(SQUARENESS)}")
        positive(f"standard uncertainty of {symbol(name)}", given.standard_uncertainty, "rad")
        row = np.zeros((1, basis.size))
        row[0, basis.columns[name]] = 1.0
        equations.append(
            Equations(name=f"angle {symbol(name)}", rows=row, values=np.array([given.value]), sigma=np.array([given.standard_uncertainty]))
        )
    return equations


def _turned(line: Line) -> Array:
    """(n,) displacement that a reference seems to show when it is turned by +1 rad about the normal of its plane."""
    moving, across = AXES.index(line.name[2]), AXES.index(line.name[1])
    normal = _NORMAL[frozenset((line.name[1], line.name[2]))]
    sign = next(s for rotation, b, component, s in CROSS if (rotation, b, component) == (normal, moving, across))
    return np.asarray(-sign * (line.position_m - line.position_m.mean()))


def _by_name(equations: Sequence[Equations], effects: Mapping[str, Array]) -> Callable[[Equations], Array]:
    return lambda one: effects.get(one.name, np.zeros(one.values.size))


def line(name: str, position_m: ArrayLike, value: ArrayLike, *, noise: float, **where: object) -> Line:
    """A `Line` from anything array-like."""
    return Line(name=name, position_m=np.array(position_m, dtype=np.float64), value=np.array(value, dtype=np.float64), noise=noise, **where)  # type: ignore[arg-type]
