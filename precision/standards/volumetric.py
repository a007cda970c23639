"""Volumetric errors: the 21 errors of a machine from whatever was measured, with covariance, rank and U.

A measurement is a set of equations, linear in the coefficients of the errors (`precision.models.error_basis`) and in unknowns of its own: zeros and
alignments of instruments, places of stations. Least squares gives the coefficients; what it cannot give is refused with the names of the errors.

    lines along the axes           `volumetric_lines`
    diagonals                      `volumetric_diagonals`
    distances from stations        `multilateration`

U (k = 2) is of the values at the samples after the conventions of `precision.models.rigid_body`: zero at the reference position, straightness without slope.
It holds random errors of the readings (enlarged by the residuals where these are larger than stated) and the common effects that were stated; and, for
errors that are curves and not polygons (`curved`), what polygons are off by at their corners: h²·f″/12 for a side h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..errors import DataError
from ..figures import Figure
from ..models.error_basis import Basis
from ..models.rigid_body import AXES, FUNCTIONS, NAMES, SQUARENESS, RigidBody, is_rotation, is_straightness, symbol
from ..uncertainty.linear_model import Estimate, solve
from ..uncertainty.positioning import PROBABILITY
from .arrays import Array, frozen
from .reported import Reported, figure, keyed

DRAWS: Final = 2000
"""Of the coefficients, for the U of ranges (JCGM 101): the quantile at 95.45 % is then known to 2 % or so."""
CONVENTIONS: Final = (
    "every error zero at the reference position, straightness without slope (least squares), squareness by ISO 230-1 (right-handed rotation)"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Equations:
    """Measured values of one kind: values = rows·θ + Σ column·unknown.

    name : what was measured.
    rows : (n, P) of the coefficients θ. values, sigma : (n,), m or rad; sigma is the standard deviation of independent errors.
    own : name of an unknown -> its column (n,). Equations that name the same unknown share it.
    """

    name: str
    rows: Array
    values: Array
    sigma: Array
    own: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Identified(Reported):
    """The 21 errors as identified. Figures: "E_XX" … (range of the function) and "E_C0Y" …, "residual" (rms), m and rad.

    machine : the errors. basis, theta : their coefficients.
    root : (P, q), covariance of θ = root·rootᵀ, common effects included.
    rank, unknowns, condition : of the equations.
    assumed : errors that were taken as zero, not measured.
    own : unknowns of the measurement (zeros, stations), with their standard uncertainties.
    residual : name of the equations -> (n,), measured − model.
    """

    machine: RigidBody
    basis: Basis
    theta: Array
    root: Array
    rank: int
    unknowns: int
    condition: float
    assumed: tuple[str, ...]
    own: Mapping[str, tuple[float, float]]
    residual: Mapping[str, Array]

    def standard_uncertainty(self, name: str) -> Array:
        """u of one of the 21 at the machine's samples, (k,) or (1,), m or rad."""
        return np.asarray(np.linalg.norm(_samples(self.basis, name) @ self.root[self.basis.columns[name]], axis=1))

    def draws(self, count: int = DRAWS, *, seed: int = 1) -> Array:
        """(count, P) coefficients, as the covariance scatters them about the estimate."""
        noise = np.random.default_rng(seed).standard_normal((count, self.root.shape[1]))
        return np.asarray(self.theta + noise @ self.root.T)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What equations can tell.

    rank, unknowns : of the errors and the measurement's own unknowns together. condition : infinite where the rank is short.
    determined, undetermined : names of errors. own_undetermined : of the measurement's unknowns.
    """

    rank: int
    unknowns: int
    condition: float
    determined: tuple[str, ...]
    undetermined: tuple[str, ...]
    own_undetermined: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether all unknowns are determined."""
        return self.rank == self.unknowns

    @property
    def sentence(self) -> str:
        """Rank, and what cannot be told apart."""
        if self.complete:
            return f"rank {self.rank} of {self.unknowns}, condition {self.condition:.3g}"
        lost = [symbol(name) for name in self.undetermined] + list(self.own_undetermined[:4])
        if len(self.own_undetermined) > 4:
            lost.append(f"{len(self.own_undetermined) - 4} more zeros, alignments and places")
        return f"rank {self.rank} of {self.unknowns}: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} not determined, or only together with one another"


class System:
    """Equations put together: which coefficients are free, which unknowns are the measurement's own."""

    def __init__(self, basis: Basis, equations: Sequence[Equations], assumed_zero: Sequence[str] = ()) -> None:
        unknown = sorted(set(assumed_zero) - set(NAMES))
        if unknown:
            raise DataError(f"{', '.join(unknown)}: not among the 21 errors ({', '.join(NAMES)})")
        names = [one.name for one in equations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"{twice[0]} a second time; give each line, diagonal or station a name of its own")
        self.basis, self.equations = basis, tuple(equations)
        self.names = tuple(name for name in NAMES if name not in assumed_zero)
        self.assumed = tuple(name for name in NAMES if name in assumed_zero)
        places = [np.arange(basis.free.shape[1])[basis.free_columns[name]] for name in self.names]
        self.free = basis.free[:, np.concatenate(places)] if places else np.zeros((basis.size, 0))
        self.of_free = [name for name, place in zip(self.names, places, strict=True) for _ in place]
        self.own = tuple(dict.fromkeys(name for one in equations for name in one.own))
        self.unknowns = self.free.shape[1] + len(self.own)

    def rows(self, one: Equations) -> Array:
        """(n, unknowns) of one set of equations."""
        own = [one.own.get(name, np.zeros(one.values.size)) for name in self.own]
        return np.column_stack([one.rows @ self.free, *own])

    def solve(self, values: Callable[[Equations], Array] | None = None) -> Estimate:
        """Least squares; `values` in place of the measured ones."""
        return solve(((self.rows(one), one.values if values is None else values(one), one.sigma) for one in self.equations), self.unknowns)

    def telling(self, estimate: Estimate) -> Telling:
        """What the estimate determines."""
        good = estimate.determined
        of_errors = good[: len(self.of_free)]
        lost = {name for name, one in zip(self.of_free, of_errors, strict=True) if not one}
        return Telling(
            rank=estimate.rank, unknowns=estimate.unknowns, condition=estimate.condition,
            determined=tuple(name for name in self.names if name not in lost), undetermined=tuple(name for name in self.names if name in lost),
            own_undetermined=tuple(name for name, one in zip(self.own, good[len(self.of_free) :], strict=True) if not one),
        )  # fmt: skip


def telling(basis: Basis, equations: Sequence[Equations], *, assumed_zero: Sequence[str] = ()) -> Telling:
    """What equations can tell, whatever their values: rank, condition, and the errors they determine."""
    system = System(basis, equations, assumed_zero)
    return system.telling(system.solve())


def identify(
    basis: Basis,
    equations: Sequence[Equations],
    *,
    title: str,
    stated: Sequence[str] = (),
    assumed_zero: Sequence[str] = (),
    common: Mapping[str, Callable[[Equations], Array]] | None = None,
    direct: Mapping[str, Array] | None = None,
    flags: Sequence[str] = (),
    curved: bool = False,
    advice: str = "measure more lines or stations, or name errors that are to be taken as zero",
) -> Identified:
    """The 21 errors from equations.

    Parameters
    ----------
    basis : nodes, chain and conventions
    equations : at least as many as unknowns
    assumed_zero : errors that are not asked for
    common : effect -> what one standard uncertainty of it adds to the values of equations, for effects that all readings share (wavelength, square)
    direct : effect -> what one standard uncertainty of it adds to θ, (P,), for effects that are corrected afterwards (expansion of scales)
    curved : the true errors are curves; U of a basis of degree 1 then holds what its polygons are off by
    advice : what to do where the equations do not determine all, for the message

    Raises
    ------
    DataError       errors that the equations do not determine, by name, with the rank
    """
    system = System(basis, equations, assumed_zero)
    estimate = system.solve()
    told = system.telling(estimate)
    if not told.complete:
        raise DataError(f"{title}: {told.sentence}; {advice}")
    errors = len(system.of_free)
    excess = max(1.0, estimate.excess)
    effects = {name: system.solve(effect).solution for name, effect in (common or {}).items()}
    root = np.column_stack([
        system.free @ (estimate.root[:errors] * excess),
        *(system.free @ solution[:errors] for solution in effects.values()),
        *(direct or {}).values(),
        *(_bends(basis, system.free @ estimate.solution[:errors]) if curved else ()),
    ])  # fmt: skip
    theta = system.free @ estimate.solution[:errors]
    own_u = np.sqrt(
        (estimate.root[errors:] ** 2).sum(axis=1) * excess**2 + sum((s[errors:] ** 2 for s in effects.values()), np.zeros(len(system.own)))
    )
    residual = _by_equations(equations, estimate.residual)
    notes = list(flags)
    if system.assumed:
        notes.append(
            f"{', '.join(symbol(name) for name in system.assumed)} taken as zero, not measured: U leaves {'it' if len(system.assumed) == 1 else 'them'} out"
        )
    if estimate.degrees == 0:
        notes.append("no redundancy: the residuals cannot show an error of the readings")
    elif estimate.excess > 1.5:
        notes.append(
            f"residuals are {estimate.excess:.1f} times as large as the readings' uncertainty says; U is enlarged by that. "
            "Nodes too far apart, drift, a wrong chain, or a correction that holds for another tool than the reflectors do this"
        )
    result = Identified(
        title=title, stated=(*stated, CONVENTIONS, f"chain {basis.chain}, {_nodes(basis)}", told.sentence), figures={}, flags=tuple(notes),
        machine=basis.machine(theta), basis=basis, theta=frozen(theta), root=frozen(root), rank=estimate.rank, unknowns=estimate.unknowns, condition=estimate.condition,
        assumed=system.assumed, own={name: (float(value), float(u)) for name, value, u in zip(system.own, estimate.solution[errors:], own_u, strict=True)}, residual=residual,
    )  # fmt: skip
    object.__setattr__(result, "figures", keyed(_figures(result)))
    return result


def _bends(basis: Basis, theta: Array) -> list[Array]:
    """What a polygon instead of a curve may be wrong by at each corner, (P,) each: the second difference of its corners, which is h²·f″, over 12."""
    if basis.degree != 1:
        return []
    keep = basis.free @ basis.free.T  # what the conventions leave of it
    columns = []
    for name in FUNCTIONS:
        place, nodes = basis.columns[name], basis.nodes_m[AXES.index(name[2])]
        rise = np.diff(theta[place]) / np.diff(nodes)
        side = (nodes[2:] - nodes[:-2]) / 2
        size = np.zeros(nodes.size)
        size[1:-1] = np.abs(np.diff(rise)) * side / 12
        if nodes.size > 2:
            size[0], size[-1] = size[1], size[-2]
        for k in np.flatnonzero(size):
            columns.append(keep[:, place.start + k] * size[k])
    return columns


def _figures(result: Identified) -> list[Figure]:
    basis, draws = result.basis, result.draws()
    figures = []
    for name in FUNCTIONS:
        if name in result.assumed:
            figures.append(figure(symbol(name), _long_name(name), "taken as zero, not measured", "rad" if is_rotation(name) else "m"))
            continue
        samples, columns = _samples(basis, name), basis.columns[name]
        value = float(np.ptp(samples @ result.theta[columns]))
        scattered = np.ptp(draws[:, columns] @ samples.T, axis=1)
        figures.append(figure(symbol(name), _long_name(name), value, "rad" if is_rotation(name) else "m", half_width(scattered, value)))
    for name in SQUARENESS:
        if name in result.assumed:
            figures.append(figure(symbol(name), _long_name(name), "taken as zero, not measured", "rad"))
        else:
            column = basis.columns[name]
            figures.append(
                figure(symbol(name), _long_name(name), float(result.theta[column][0]), "rad", 2 * float(result.standard_uncertainty(name)[0]))
            )
    # Residuals of lengths and of angles have no common unit: those of lengths speak for the measurement where there are any.
    lengths = [values for name, values in result.residual.items() if not name.startswith("angle")]
    unit = "m" if lengths else "rad"
    pooled = np.concatenate(lengths or list(result.residual.values()))
    figures.append(
        figure(
            "residual",
            "residual of the fit (rms)",
            float(np.sqrt(np.mean(pooled**2))),
            unit,
            "it describes the fit, and enters the other U",
            symbol="rms(v)",
        )
    )
    return figures


def half_width(draws: Array, value: float) -> float:
    """U of a figure from its Monte Carlo draws: half the width of the interval about the value that holds 95.45 % of them (k = 2 for a normal one)."""
    return float(np.quantile(np.abs(draws - value), PROBABILITY))


def _samples(basis: Basis, name: str) -> Array:
    """From the coefficients of one of the 21 to its values at the machine's samples."""
    if name in SQUARENESS:
        return np.eye(1)
    axis = AXES.index(name[2])
    return basis.splines(axis, basis.samples_m(axis))


def _by_equations(equations: Sequence[Equations], residual: Array) -> dict[str, Array]:
    ends = np.cumsum([one.values.size for one in equations])
    return {one.name: frozen(part.copy()) for one, part in zip(equations, np.split(residual, ends[:-1]), strict=True)}


def _nodes(basis: Basis) -> str:
    counts = " × ".join(str(nodes.size) for nodes in basis.nodes_m)
    return f"{counts} nodes, {'linear' if basis.degree == 1 else 'cubic'} between"


def _long_name(name: str) -> str:
    if name in SQUARENESS:
        return f"squareness of {name[2]} to {'Y' if name == 'A0Z' else 'X'}"
    if is_straightness(name):
        return f"straightness of {name[2]} in {name[1]} (range)"
    if is_rotation(name):
        return f"rotation of {name[2]} about {name[1]} (range)"
    return f"positioning of {name[2]} (range)"
