"""Weighted linear least squares that says what it can tell: solution, covariance, rank, condition, and which unknowns the data do not determine.

y = J·x + e, e independent with standard deviations σ. Rows are divided by σ and columns by their norms, QR, then the singular values of R: unknowns that have
a part in a direction whose singular value is below `SMALLEST` of the largest are not determined. Nothing is regularised.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.kernels.blocks import one_blas_thread

Array = NDArray[np.float64]

SMALLEST: Final = 1e-9
"""Of the largest singular value, columns of norm 1. Rounding leaves about 1e-15; a real measurement that is worse than 1e-9 determines nothing."""
PART: Final = 1e-6
"""An unknown takes part in an undetermined direction (a unit vector) if its component is larger."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """A least-squares estimate.

    solution : (p,), of least norm where it is not unique.
    root : (p, r), covariance = root·rootᵀ, in squared units of the unknowns.
    singular_values : (p,) of R, columns of norm 1, descending. condition : largest to smallest; infinite where rank < unknowns.
    undetermined : (p, p − r), orthonormal directions that the data do not see, in scaled unknowns.
    residual : (n,), y − J·x. chi_square : Σ(residual/σ)². degrees : n − r.
    """

    solution: Array
    root: Array
    singular_values: Array
    undetermined: Array
    residual: Array
    chi_square: float
    degrees: int

    @property
    def unknowns(self) -> int:
        """p."""
        return int(self.solution.size)

    @property
    def rank(self) -> int:
        """r."""
        return int(self.root.shape[1])

    @property
    def condition(self) -> float:
        """Largest to smallest singular value."""
        return float(self.singular_values[0] / self.singular_values[-1]) if self.rank == self.unknowns else float("inf")

    @property
    def determined(self) -> NDArray[np.bool_]:
        """(p,) whether each unknown is determined."""
        return np.asarray(np.linalg.norm(self.undetermined, axis=1) <= PART if self.undetermined.size else np.ones(self.unknowns, dtype=bool))

    @property
    def covariance(self) -> Array:
        """(p, p)."""
        return np.asarray(self.root @ self.root.T)

    @property
    def excess(self) -> float:
        """√(χ²/degrees): 1 where the residuals are as large as σ says; at least 1 is what an uncertainty is to be multiplied by. 1 without redundancy."""
        return float(np.sqrt(self.chi_square / self.degrees)) if self.degrees > 0 else 1.0


def solve(blocks: Iterable[tuple[Array, Array, Array]], unknowns: int) -> Estimate:
    """Least squares from blocks of equations (J, y, σ): (n_b, p), (n_b,), (n_b,). Memory holds R and all blocks as they are given.

    Raises
    ------
    ValueError      no unknowns, shapes, σ not above zero, or numbers that are not finite
    """
    parts = [_checked(block, unknowns) for block in blocks]
    if unknowns < 1 or not parts:
        raise ValueError(f"{unknowns} unknowns and {len(parts)} blocks of equations; expected at least one of each")
    with one_blas_thread():  # hundreds of unknowns: threads cost more than they bring
        return _solved(parts, unknowns)


def _solved(parts: list[tuple[Array, Array, Array]], unknowns: int) -> Estimate:
    triangle = np.zeros((0, unknowns + 1))
    for rows, values, sigma in parts:
        white = np.column_stack([rows, values]) / sigma[:, None]
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, white]), mode="r"))
    if triangle.shape[0] < unknowns + 1:
        triangle = np.vstack([triangle, np.zeros((unknowns + 1 - triangle.shape[0], unknowns + 1))])
    r, projected = triangle[:unknowns, :unknowns], triangle[:unknowns, unknowns]
    norms = np.linalg.norm(r, axis=0)
    scale = np.where(norms > 0, norms, 1.0)
    left, singular, right = np.linalg.svd(r / scale)
    rank = int(np.count_nonzero(singular > SMALLEST * max(float(singular[0]), np.finfo(np.float64).tiny)))
    root = (right[:rank].T / singular[:rank]) / scale[:, None]
    solution = root @ (left[:, :rank].T @ projected)
    residual = np.concatenate([values - rows @ solution for rows, values, _ in parts])
    sigma = np.concatenate([s for _, _, s in parts])
    return Estimate(
        solution=solution, root=root, singular_values=singular, undetermined=right[rank:].T, residual=residual,
        chi_square=float(((residual / sigma) ** 2).sum()), degrees=residual.size - rank,
    )  # fmt: skip


def _checked(block: tuple[Array, Array, Array], unknowns: int) -> tuple[Array, Array, Array]:
    rows, values, sigma = block
    if rows.ndim != 2 or rows.shape[1] != unknowns or values.shape != rows.shape[:1] or sigma.shape != values.shape:
        raise ValueError(f"a block has shapes {rows.shape}, {values.shape}, {sigma.shape}; expected (n, {unknowns}), (n,), (n,)")
    if not (np.all(np.isfinite(rows)) and np.all(np.isfinite(values)) and np.all(np.isfinite(sigma)) and np.all(sigma > 0)):
        raise ValueError("a block holds numbers that are not finite, or a standard deviation that is not above zero")
    return rows, values, sigma
