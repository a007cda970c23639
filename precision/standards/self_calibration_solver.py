"""Sparse least squares of self-calibration: H·u = M with the seven gauge constraints held exactly, and the covariance of u.

Seven unknowns are pinned to 0 (the first view's placement, and G at two places far apart), the plate's errors are eliminated (their block
of HᵀH is diagonal, as R_v is orthogonal), the rest is factorised once. Pinning is then undone: u − Z·(C·Z)⁻¹·C·u fulfils the constraints
and changes no reading. A step of iterative refinement removes what forming HᵀH lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .arrays import Array
from .self_calibration_views import GAUGE, Equations, gauge, unit_coordinates

EXACT_COVARIANCE_UP_TO: Final = 25
"""Grids up to this size get the covariance of all unknowns; that of larger ones is sampled."""
SAMPLES: Final = 64
"""Noise realisations for a sampled covariance: a standard deviation is then known to 1/√(2·64) = 9 %, its root mean square over the grid
far better."""
SMALLEST_PIVOT: Final = 1e-10
"""Relative to the largest: the smallest of a good set of views falls as 1/n², to 1e-5 at n = 100."""
REFINEMENTS: Final = 2


class Singular(Exception):
    """The views leave more open than the gauge."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factorised:
    """A system that is ready to be solved for any readings.

    z, c : gauge. free_plate, free_rest : columns of H that are solved for. plate_count : views that see each unknown of the plate. lu : of the rest.
    """

    system: Equations
    z: Array
    c: Array
    free_plate: NDArray[np.int64]
    free_rest: NDArray[np.int64]
    plate_count: Array
    h_plate: Any
    h_rest: Any
    reduced: Any
    lu: Any

    def solve(self, readings: Array) -> Array:
        """(4n² + 3V,) unknowns from readings (2r,); 0 for unknowns that no reading depends on."""
        u = np.zeros(self.z.shape[0])
        rest = readings
        for _ in range(1 + REFINEMENTS):
            u += self._step(rest)
            rest = readings - self.system.matrix @ u
        return self.in_gauge(u)

    def in_gauge(self, u: Array) -> Array:
        """The same readings, with the constraints fulfilled; u (4n² + 3V,) or with columns."""
        moved: Array = u - self.z @ np.linalg.solve(self.c @ self.z, self.c @ u)
        return moved

    def _step(self, readings: Array) -> Array:
        u = np.zeros(self.z.shape[0])
        plate, rest = self.h_plate.T @ readings, self.h_rest.T @ readings
        coupling = self.h_rest.T @ (self.h_plate @ (plate / self.plate_count))
        u[self.free_rest] = self.lu.solve(rest - coupling)
        u[self.free_plate] = (plate - self.h_plate.T @ (self.h_rest @ u[self.free_rest])) / self.plate_count
        return u

    def covariance(self) -> Array:
        """(4n² + 3V)² covariance for readings of variance 1, in the gauge; 0 for unknowns that no reading depends on."""
        size = self.z.shape[0]
        rest = np.linalg.inv(self.reduced.toarray())
        carried = -(self.h_plate.T @ self.h_rest).toarray() / self.plate_count[:, None]
        whole = np.zeros((size, size))
        cross = carried @ rest
        whole[np.ix_(self.free_rest, self.free_rest)] = rest
        whole[np.ix_(self.free_plate, self.free_rest)] = cross
        whole[np.ix_(self.free_rest, self.free_plate)] = cross.T
        whole[np.ix_(self.free_plate, self.free_plate)] = cross @ carried.T + np.diag(1 / self.plate_count)
        half = self.in_gauge(whole)
        return self.in_gauge(np.ascontiguousarray(half.T))

    def sampled(self, seed: int = 0) -> Array:
        """(4n² + 3V,) standard deviations for readings of standard deviation 1, from `SAMPLES` realisations of noise."""
        random = np.random.default_rng(seed)
        squares = np.zeros(self.z.shape[0])
        for _ in range(SAMPLES):
            squares += self.in_gauge(self._step(random.standard_normal(self.system.matrix.shape[0]))) ** 2
        result: Array = np.sqrt(squares / SAMPLES)
        return result


def factorise(system: Equations) -> Factorised:
    """Prepare a system for solving.

    Raises
    ------
    Singular        the views, or the marks that were read, leave more open than the gauge
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    n = system.n
    z, c = gauge(system)
    places = np.unique(system.place)
    rho = unit_coordinates(n)[places]
    first = places[np.argmin(rho.sum(axis=1))]
    second = places[np.argmax(np.hypot(*(rho - unit_coordinates(n)[first]).T))]
    if first == second or not system.seen[4 * n * n : 4 * n * n + 3].all():
        raise Singular
    pinned = np.zeros(z.shape[0], dtype=bool)
    pinned[[2 * first, 2 * first + 1, 2 * second, 2 * second + 1, *range(4 * n * n, 4 * n * n + 3)]] = True
    plate = np.zeros(z.shape[0], dtype=bool)
    plate[2 * n * n : 4 * n * n] = True
    free = system.seen & ~pinned
    free_plate, free_rest = np.flatnonzero(free & plate), np.flatnonzero(free & ~plate)
    columns = system.matrix.tocsc()
    h_plate, h_rest = columns[:, free_plate].tocsr(), columns[:, free_rest].tocsr()
    count = np.asarray((h_plate * h_plate).sum(axis=0)).ravel()
    coupling = (h_plate.T @ h_rest).tocsr()
    reduced = (h_rest.T @ h_rest - coupling.T @ (diags_array(1 / count) @ coupling)).tocsc()
    try:
        lu = splu(reduced, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:  # SuperLU's word for a pivot that is exactly 0
        raise Singular from error
    pivots = np.abs(lu.U.diagonal())
    if pivots.min() < SMALLEST_PIVOT * pivots.max():
        raise Singular
    return Factorised(
        system=system,
        z=z,
        c=c,
        free_plate=free_plate,
        free_rest=free_rest,
        plate_count=count,
        h_plate=h_plate,
        h_rest=h_rest,
        reduced=reduced,
        lu=lu,
    )


def degrees_of_freedom(system: Equations) -> int:
    """Readings less independent unknowns, of a system that leaves only the gauge open."""
    return int(system.matrix.shape[0]) - (int(system.seen.sum()) - GAUGE)
