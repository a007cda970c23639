"""What diagonals say of the 21 errors, and what they cannot tell apart.

A displacement along a line through the volume is one number a point: u·Δ(p) + zero. Body diagonals see the squareness errors and the sum of the scales;
straightness and angles come into the same readings. Each error is reported where the readings determine it among those asked for, and refused by name where
they know it only together with others. The lengths of the four body diagonals are evaluated after ISO 230-6 in `iso230_6`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from ..figures import Figure
from ..models.error_basis import Basis
from ..models.rigid_body import NAMES, NO_TOOL, SQUARENESS, RigidBody, is_rotation, is_straightness, symbol
from .arrays import Array, positive, vector
from .reported import Reported, figure, keyed
from .volumetric import Equations, System, Telling

SCALES: Final = ("EXX", "EYY", "EZZ")
ASKED: Final = (*SCALES, *SQUARENESS)
"""Where nothing else is said: scales (positioning, linear over the travel) and squareness."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Diagonal:
    """Deviations along a straight line through the volume.

    name : "PPP", "XY NP" …, one of its own for each. start_m, end_m : positions of X, Y, Z at its ends; the positive sense of the reading is towards the end.
    distance_m : (n,) from the start. deviation_m : (n,) measured minus commanded displacement, zero anywhere.
    noise : standard deviation of one reading, m. tool_m : the reflector as a tool offset.

    Raises
    ------
    DataError       shapes, ends that are one point, distances beyond the line
    """

    name: str
    start_m: tuple[float, float, float]
    end_m: tuple[float, float, float]
    distance_m: Array
    deviation_m: Array
    noise: float
    tool_m: tuple[float, float, float] = NO_TOOL

    def __post_init__(self) -> None:
        s = vector(f"distances of diagonal {self.name}", self.distance_m, fewest=2)
        object.__setattr__(self, "distance_m", s)
        object.__setattr__(self, "deviation_m", vector(f"deviations of diagonal {self.name}", self.deviation_m, size=s.size))
        positive(f"noise of diagonal {self.name}", self.noise, "m")
        length = float(np.linalg.norm(np.subtract(self.end_m, self.start_m)))
        if not (length > 0 and np.all(s >= -1e-6) and np.all(s <= length + 1e-6)):
            raise DataError(
                f"diagonal {self.name}: distances from {s.min():g} m to {s.max():g} m on a line of {length:g} m; expected distances from its start, on it"
            )

    @property
    def direction(self) -> Array:
        """Unit vector from start to end, (3,)."""
        way = np.subtract(self.end_m, self.start_m)
        return np.asarray(way / np.linalg.norm(way))

    @property
    def points_m(self) -> Array:
        """(3, n) positions of X, Y, Z."""
        return np.asarray(np.array(self.start_m)[:, None] + self.direction[:, None] * self.distance_m)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Errors from diagonals. Figures: of each error asked for, its change over the travel ("E_XX", m or rad) or its value ("E_C0Y", rad), or why not.

    told : rank and names. combinations : how many independent combinations of the undetermined errors are known.
    """

    told: Telling
    combinations: int


def identify_diagonals(
    diagonals: Sequence[Diagonal], basis: Basis, *, asked: Sequence[str] = ASKED, known: RigidBody | None = None, scale_u: float = 0.0
) -> Result:
    """The errors that diagonals determine.

    Parameters
    ----------
    diagonals : any lines through the volume
    basis : chain, nodes (two for errors that are linear over the travel), reference
    asked : errors that may be there; all others are taken as zero, or as `known` has them
    known : errors measured otherwise (lines); taken off the readings
    scale_u : standard uncertainty of the length scale, m/m

    Raises
    ------
    DataError       an unknown name, or none of the errors asked for is determined
    """
    system = _system(diagonals, basis, asked, known)
    estimate = system.solve()
    told = system.telling(estimate)
    if not told.determined:
        raise DataError(
            f"{_title(diagonals)}: {told.sentence}; no error can be told apart. Ask for fewer, measure face diagonals in three planes, or lines"
        )
    lengths = {d.name: d.distance_m - d.distance_m[0] for d in diagonals}
    of_scale = system.solve(lambda one: scale_u * (lengths[one.name] - lengths[one.name].mean())).solution
    left = estimate.degrees - len(diagonals)  # a zero of each diagonal is taken off before
    excess = max(1.0, float(np.sqrt(estimate.chi_square / left))) if left > 0 else 1.0
    theta, errors = system.free @ estimate.solution[: len(system.of_free)], len(system.of_free)
    root = np.column_stack([system.free @ (estimate.root[:errors] * excess), system.free @ of_scale[:errors]])
    combinations = _combinations(system, estimate.undetermined, told)
    figures = []
    for name in (name for name in NAMES if name in asked):
        figures.append(_figure(name, basis, theta, root, told, combinations))
    flags = [
        f"{', '.join(symbol(name) for name in NAMES if name not in asked)} {'are as measured otherwise' if known else 'taken as zero'}: what they do goes into the errors above"
    ]
    if told.undetermined:
        flags.append(
            f"{', '.join(symbol(name) for name in told.undetermined)}: only {combinations} combination{'s' if combinations != 1 else ''} of their "
            f"{sum(name in told.undetermined for name in system.of_free)} coefficients {'are' if combinations != 1 else 'is'} known"
        )
    return Result(
        title=_title(diagonals),
        stated=(f"chain {basis.chain}", told.sentence),
        figures=keyed(figures),
        flags=tuple(flags),
        told=told,
        combinations=combinations,
    )


def diagonals_tell(diagonals: Sequence[Diagonal], basis: Basis, *, asked: Sequence[str] = NAMES) -> Telling:
    """What diagonals can tell of `asked`, whatever their values; by default of all 21 errors."""
    system = _system(diagonals, basis, asked, None)
    return system.telling(system.solve())


def body_diagonals(
    corner_m: Sequence[float], sides_m: Sequence[float]
) -> Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]]:
    """Start and end of PPP, NPP, PNP, NNP in the box from `corner_m` (lowest X, Y, Z) with `sides_m`."""
    ends = {}
    for name, senses in (("PPP", (1, 1, 1)), ("NPP", (-1, 1, 1)), ("PNP", (1, -1, 1)), ("NNP", (-1, -1, 1))):
        low = [c if s > 0 else c + side for c, side, s in zip(corner_m, sides_m, senses, strict=True)]
        high = [c + side if s > 0 else c for c, side, s in zip(corner_m, sides_m, senses, strict=True)]
        ends[name] = ((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return ends


def _system(diagonals: Sequence[Diagonal], basis: Basis, asked: Sequence[str], known: RigidBody | None) -> System:
    if not diagonals:
        raise DataError("no diagonal; expected at least one")
    unknown = sorted(set(asked) - set(NAMES))
    if unknown or not asked:
        raise DataError(f"asked for {', '.join(unknown) or 'nothing'}; expected some of the 21 errors ({', '.join(NAMES)})")
    equations = []
    for one in diagonals:
        values = np.array(one.deviation_m)
        if known is not None:
            values = values - one.direction @ known.error(one.points_m, one.tool_m)
        rows = basis.displacement(one.points_m, one.direction, one.tool_m)
        # Least squares with a zero for each diagonal is the same as without its means.
        equations.append(
            Equations(name=one.name, rows=rows - rows.mean(axis=0), values=values - values.mean(), sigma=np.full(values.size, one.noise))
        )
    return System(basis, equations, assumed_zero=[name for name in NAMES if name not in asked])


def _combinations(system: System, undetermined: Array, told: Telling) -> int:
    """Coefficients of undetermined errors, less the directions among them that are not seen."""
    count = sum(name in told.undetermined for name in system.of_free)
    return count - undetermined.shape[1] if count else 0


def _figure(name: str, basis: Basis, theta: Array, root: Array, told: Telling, combinations: int) -> Figure:
    unit = "rad" if is_rotation(name) else "m"
    long_name = "squareness" if name in SQUARENESS else "change over the travel" if not is_straightness(name) else "straightness"
    if name in told.undetermined:
        others = [symbol(other) for other in told.undetermined if other != name]
        return figure(
            symbol(name),
            long_name,
            f"not determined: only together with {', '.join(others[:6]) or 'the zero of the readings'}{' …' if len(others) > 6 else ''}",
            unit,
        )
    columns = basis.columns[name]
    if name in SQUARENESS:
        return figure(symbol(name), long_name, float(theta[columns][0]), unit, 2 * float(np.linalg.norm(root[columns])))
    axis = "XYZ".index(name[2])
    over = basis.splines(axis, basis.nodes_m[axis][[0, -1]])
    change = over[1] - over[0]
    return figure(symbol(name), long_name, float(change @ theta[columns]), unit, 2 * float(np.linalg.norm(change @ root[columns])))


def _title(diagonals: Sequence[Diagonal]) -> str:
    return f"errors from {len(diagonals)} diagonal{'s' if len(diagonals) != 1 else ''} ({', '.join(d.name for d in diagonals)[:80]})"
