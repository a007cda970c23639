"""Covariance of overlay terms where the marks of a field belong together.

A stage places a whole field: what a wafer model leaves over is then much the same at all marks of a field, and s²·(AᵀA)⁻¹, which takes
every mark as independent, claims too little for inter-field terms. The covariance by fields (Liang and Zeger 1986, with the small-sample
form of Bell and McCaffrey 2002, "CR2") asks only that fields are independent of one another:

    C = (AᵀA)⁻¹·[Σ_f A_fᵀ·B_f·e_f·e_fᵀ·B_f·A_f]·(AᵀA)⁻¹            B_f = (I − H_ff)^{−1/2}

It has as many degrees of freedom as there are fields, less one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from .arrays import Array

FEWEST_FIELDS: Final = 10
"""More than there are terms and at least so many: with few fields the estimate scatters too much to be stated."""
ALONE: Final = 1e-9
TOGETHER: Final = 1e-3
"""Probability below which residuals of a field count as belonging together."""


def by_field(basis: Array, residual: Array, field: NDArray[np.int64]) -> tuple[Array, int] | str:
    """Σ_f of the outer products in an orthonormal basis, or the reason why there is none.

    Parameters
    ----------
    basis : (r, p) Q of the (weighted) design. residual : (r,) (weighted) residuals. field : (r,) field of each reading.

    Returns
    -------
    (p, p) the covariance of Qᵀd, and the degrees of freedom, fields − 1. Of c = R⁻¹·Qᵀd it is R⁻¹·C·R⁻ᵀ.
    """
    numbers = np.unique(field)
    p = basis.shape[1]
    if numbers.size < max(FEWEST_FIELDS, p + 1):
        return f"{numbers.size} fields are too few to judge {p} terms by fields; {max(FEWEST_FIELDS, p + 1)} are needed"
    total = np.zeros((p, p))
    for number in numbers.tolist():
        inside = np.flatnonzero(field == number)
        q = basis[inside]
        values, vectors = np.linalg.eigh(np.eye(inside.size) - q @ q.T)
        if values[0] < ALONE:
            return f"field {number} alone determines a term, so its scatter cannot be seen"
        score = q.T @ (vectors @ ((vectors.T @ residual[inside]) / np.sqrt(values)))
        total += np.outer(score, score)
    return total, int(numbers.size) - 1


def correlation_within_fields(residual_m: Array, field: NDArray[np.int64]) -> tuple[float, float]:
    """Intraclass correlation of residuals (n, 2) within fields, and the probability of so much by chance; (0, 1) where it cannot be judged."""
    between = within = 0.0
    groups = freedom = 0
    sizes: list[int] = []
    for axis in (0, 1):
        e: Any = residual_m[:, axis]
        there = np.isfinite(e)
        for number in np.unique(field[there]).tolist():
            values = e[there & (field == number)]
            between += values.size * float(values.mean()) ** 2
            within += float(((values - values.mean()) ** 2).sum())
            freedom += values.size - 1
            groups += 1
            sizes.append(values.size)
    if freedom < 2 or groups < 4 or within == 0:
        return 0.0, 1.0
    mean_between, mean_within = between / groups, within / freedom
    size = float(np.mean(sizes))
    correlation = (mean_between - mean_within) / (mean_between + (size - 1) * mean_within)
    return max(0.0, correlation), float(fdtrc(groups, freedom, mean_between / mean_within))
