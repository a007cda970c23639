"""Overlay fit: one linear model, thousands of wafers; some marks missing, some weighted, some wrong.

Any unit: coefficients come in the unit of the overlay over that of the design's column. A wafer (or one component of it) is
the last axis of `overlay`; axes in front are the batch.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from array_api_compat import device, is_numpy_namespace

from precision.kernels import blocks
from precision.kernels.real_array import real_array

Array = Any

TUNING = {"huber": 1.345, "tukey": 4.685}
"""Residuals in standard deviations at which a weight begins to fall (Huber) or has become 0 (Tukey): 95 % efficiency each."""

MOST_PASSES = 50
SETTLED = 1e-10
"""Reweighting ends when no weight moves by more."""

AT_A_TIME = 8 * blocks.BLOCK
"""Values of overlay in a block: products want many rows, what is between them a cache (measured)."""

LEFT = 1e-3
"""Where residuals hold more of the overlay's sum of squares, theirs is taken as a difference of sums, which costs 3 of 16 digits."""

NEAR = 0.9
"""A matrix that differs from a multiple of the identity by less, of that multiple, in the Frobenius norm has no eigenvalue below a
tenth of it: any solver will do."""

EPS = 2.0**-52


class OverlayFit(NamedTuple):
    """coefficients : (..., p). NaN where the marks of a wafer do not determine them, or one that is used is not finite.
    residual_sum_of_squares : (...), Σ w_k r_k² over the marks used, at the last weights.
    marks : (...) int64, how many marks have a weight above 0.
    robust_weight : (..., n), 0 … 1, the last weights of a robust fit; None otherwise.
    """

    coefficients: Array
    residual_sum_of_squares: Array
    marks: Array
    robust_weight: Array | None


def overlay_fit(
    design: Array,
    overlay: Array,
    /,
    *,
    valid: Array | None = None,
    weights: Array | None = None,
    robust: str | None = None,
    tuning: float | None = None,
) -> OverlayFit:
    """Least-squares coefficients of one linear model on many wafers.

    Parameters
    ----------
    design : (n, p) float, n ≥ p ≥ 1
        Value of each term at each mark. Components that share terms (a rotation) are stacked: rows of dx, then rows of dy.
    overlay : (..., n) float
        Measured at the marks. Any unit.
    valid : (..., n) bool, optional
        Marks to use; broadcast against `overlay`. Values of the others may be NaN. Without it all are used.
    weights : (..., n) float ≥ 0, optional
        Inverse squares of the marks' noise, up to a factor; broadcast against `overlay`.
    robust : {"huber", "tukey"}, optional
        Reweight by the size of the residuals, in units of 1.4826 times the median of their absolute values (a wafer has its
        own). Tukey's starts from the result of Huber's.
    tuning : float, optional
        Where the weights change; default 1.345 (Huber), 4.685 (Tukey).

    Returns
    -------
    OverlayFit

    Raises
    ------
    ValueError
        Shapes that do not fit, not real numbers, a design whose columns depend on each other (the rank is named), weights that
        are negative or not finite, an unknown `robust`.

    References
    ----------
    Golub, Van Loan, Matrix Computations, 5.3. P. J. Huber (1964); J. W. Tukey's biweight.

    Notes
    -----
    QR once: the columns are scaled to length 1 and A = QR. Without weights of its own a wafer costs one row of the product d Q.
    With them, the normal equations are formed in the basis Q: (Qᵀ W Q) c = Qᵀ W d. Q is orthonormal, so Qᵀ W Q is near the
    identity while few marks are missing, and no digits are lost; AᵀWA would have the square of A's condition.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([-1.0, 0.0, 1.0, 2.0])
    >>> fit = overlay_fit(np.stack([np.ones(4), x], axis=1), 3.0 + 0.5 * x)
    >>> [round(float(c), 12) for c in fit.coefficients]
    [3.0, 0.5]
    """
    design, xp = real_array("design", design, "(n, p) with n ≥ p ≥ 1", ndim=2)
    n, p = design.shape
    if not n >= p >= 1:
        raise ValueError(f"design has shape {(n, p)}; expected (n, p) with n ≥ p ≥ 1: at least as many marks as terms")
    overlay, _ = real_array("overlay", overlay, f"(..., {n}), a value for each row of design")
    if overlay.shape[-1] != n:
        raise ValueError(
            f"overlay has shape {tuple(overlay.shape)}; expected (..., {n}), a value for each row of design {(n, p)}"
        )
    if robust not in (None, *TUNING):
        raise ValueError(f"robust is {robust!r}; expected None, {', '.join(map(repr, TUNING))}")
    reach = TUNING.get(robust or "", 1.0) if tuning is None else float(tuning)
    if not 0 < reach < math.inf:
        raise ValueError(f"tuning is {tuning!r}; expected a number above 0")
    basis, to_terms = _basis(design, xp)
    weight = _weight(overlay, valid, weights, xp)
    fit = (_blocked if is_numpy_namespace(xp) else _generic)(basis, to_terms, overlay, weight, robust, reach, xp=xp)
    return fit._replace(residual_sum_of_squares=xp.asarray(fit.residual_sum_of_squares))


def _basis(design: Array, xp: Any) -> tuple[Array, Array]:
    """Q (n, p), orthonormal, and the matrix (p, p) that takes coefficients in Q, as rows, to those of the design's columns."""
    n, p = design.shape
    if not bool(xp.all(xp.isfinite(design))):
        raise ValueError(f"design of shape {(n, p)} holds a NaN or an infinity; expected finite numbers")
    length = xp.sqrt(xp.sum(design * design, axis=0))
    length = xp.where(length > 0, length, 1.0)
    q, r = xp.linalg.qr(design / length)
    singular = xp.linalg.svdvals(r)
    rank = int(xp.sum(xp.astype(singular > max(n, p) * EPS * singular[0], xp.int64)))
    if rank < p:
        raise ValueError(
            f"design of shape {(n, p)} has rank {rank}; expected {p} independent columns: leave out {p - rank} of the terms"
        )
    return q, xp.linalg.inv(r).T / length


def _weight(overlay: Array, valid: Array | None, weights: Array | None, xp: Any) -> Array | None:
    """One weight a mark, broadcastable to `overlay`; bool where marks are only used or not, None where all are used."""
    weight = None
    fits = f"a shape that broadcasts to that of overlay, {tuple(overlay.shape)}"
    if weights is not None:
        weight, _ = real_array("weights", weights, fits)
        _check_broadcast("weights", weight, overlay, fits)
        if not bool(xp.all((weight >= 0) & (weight < xp.inf))):
            raise ValueError(
                f"weights of shape {tuple(weight.shape)} hold one that is negative or not finite; expected numbers ≥ 0"
            )
    if valid is not None:
        dtype, shape = getattr(valid, "dtype", type(valid).__name__), tuple(getattr(valid, "shape", ()))
        if dtype != xp.bool:
            raise ValueError(
                f"valid has shape {shape} and dtype {str(dtype).rpartition('.')[2]}; expected bool, {fits}"
            )
        _check_broadcast("valid", valid, overlay, fits)
        weight = valid if weight is None else xp.where(valid, weight, 0.0)
    return weight


def _check_broadcast(name: str, array: Array, overlay: Array, fits: str) -> None:
    mine, theirs = array.shape, overlay.shape
    shape_fits = 1 <= len(mine) <= len(theirs) and mine[-1] == theirs[-1]
    if not (shape_fits and all(a in (1, b) for a, b in zip(mine[::-1], theirs[::-1], strict=False))):
        raise ValueError(f"{name} has shape {tuple(mine)}; expected {fits}")


def _blocked(
    basis: Array, to_terms: Array, overlay: Array, weight: Array | None, robust: str | None, reach: float, *, xp: Any
) -> OverlayFit:
    """The definition over so many wafers at a time that their marks stay in the cache, BLAS on one thread."""
    with blocks.one_blas_thread():
        if overlay.ndim < 2 or overlay.size == 0:
            return _generic(basis, to_terms, overlay, weight, robust, reach, xp=xp)
        per_wafer = weight is not None and weight.ndim == overlay.ndim and weight.shape[0] > 1
        at_a_time = max(1, AT_A_TIME // math.prod(overlay.shape[1:]))
        scratch = xp.empty((2, min(at_a_time, overlay.shape[0]), *overlay.shape[1:]))
        products = None if weight is None or weight.dtype == xp.bool else _products(basis, xp)
        normal = None if weight is None or per_wafer else _normal(weight, basis, xp, products)
        fits = []
        for _, part in blocks.blocks(overlay.shape[0], at_a_time):
            some = weight[part] if per_wafer else weight  # type: ignore[index]
            if robust is None:
                here = scratch[:, : part.stop - part.start]
                fits.append(_in_place(basis, to_terms, overlay[part], some, normal, products, here, xp=xp))
            else:
                fits.append(_generic(basis, to_terms, overlay[part], some, robust, reach, xp=xp))
        return OverlayFit(*(None if column[0] is None else xp.concat(column) for column in zip(*fits, strict=True)))


def _in_place(
    basis: Array, to_terms: Array, overlay: Array, weight: Array | None, normal: Array | None, products: Array | None, scratch: Array,
    *, xp: Any,
) -> OverlayFit:  # fmt: skip
    """The definition without a robust law, in buffers: a fresh array of a block costs as much as the product with the basis.

    The few marks that are not used are set to 0 by their numbers. `normal` is Qᵀ W Q where all wafers share it.
    """
    n, p = basis.shape
    kept, residual = scratch
    if weight is None:
        kept, marks = overlay, n
        right = coefficients = _product(overlay, basis, xp)
    else:
        used = _used(weight, xp)
        unused = xp.flatnonzero(~used)
        every = (slice(None),) * (overlay.ndim - weight.ndim)
        along = zip(weight.shape, xp.unravel_index(unused, weight.shape), strict=True)
        gaps = *every, *(slice(None) if size == 1 else number for size, number in along)
        xp.copyto(kept, overlay)
        kept[gaps] = 0.0
        if normal is None:
            few = used is weight and 2 * unused.size < used.size
            normal = _normal_of_most(unused, used, basis, xp) if few else _normal(weight, basis, xp, products)
        right = _product(_weighted(kept, weight, xp), basis, xp)
        coefficients = _solved(normal, right, xp)
        marks = n - xp.diff(_edges(unused, weight, xp)).reshape(weight.shape[:-1])
    total = xp.vecdot(kept if weight is None else _weighted(kept, weight, xp), kept)
    squares = total - xp.vecdot(coefficients, right)
    if not (squares > LEFT * total).all():
        xp.matmul(coefficients.reshape(-1, p), basis.T, out=residual.reshape(-1, n))
        xp.subtract(kept, residual, out=residual)
        if weight is not None:
            residual[gaps] = 0.0
        squares = xp.vecdot(residual if weight is None else _weighted(residual, weight, xp), residual)
    return OverlayFit(_product(coefficients, to_terms, xp), squares, marks + xp.zeros(overlay.shape[:-1], dtype=xp.int64), None)


def _edges(numbers: Array, rows: Array, xp: Any) -> Array:
    """Where those of each row begin among the sorted numbers of elements; and the end of the last."""
    n = rows.shape[-1]
    return xp.searchsorted(numbers, xp.arange(rows.size // n + 1) * n)


def _generic(
    basis: Array, to_terms: Array, overlay: Array, weight: Array | None, robust: str | None, reach: float, *, xp: Any
) -> OverlayFit:
    overlay = _masked(overlay, weight, xp)
    coefficients, squares, residual = _solve(basis, overlay, weight, xp)
    if robust is None:
        return OverlayFit(_product(coefficients, to_terms, xp), squares, _marks(overlay, weight, xp), None)
    huber = reach if robust == "huber" else TUNING["huber"]
    coefficients, squares, residual, trust = _reweighted(basis, overlay, weight, residual, _huber, huber, xp)
    if robust == "tukey":
        coefficients, squares, residual, trust = _reweighted(basis, overlay, weight, residual, _tukey, reach, xp)
    marks = _marks(overlay, _times(weight, trust, xp), xp)
    return OverlayFit(_product(coefficients, to_terms, xp), squares, marks, trust)


def _used(weight: Array, xp: Any) -> Array:
    return weight if weight.dtype == xp.bool else weight > 0


def _masked(overlay: Array, weight: Array | None, xp: Any) -> Array:
    """0 where a mark is not used: a NaN may stand there."""
    return overlay if weight is None else xp.where(_used(weight, xp), overlay, 0.0)


def _weighted(values: Array, weight: Array, xp: Any) -> Array:
    """Weight times values that are 0 where a mark is not used."""
    return values if weight.dtype == xp.bool else weight * values


def _marks(overlay: Array, weight: Array | None, xp: Any) -> Array:
    shape = overlay.shape[:-1]
    if weight is None:
        return xp.full(shape, overlay.shape[-1], dtype=xp.int64, device=device(overlay))
    return xp.broadcast_to(xp.astype(xp.count_nonzero(_used(weight, xp), axis=-1), xp.int64), shape) + xp.zeros(
        shape, dtype=xp.int64, device=device(overlay)
    )


def _solve(basis: Array, overlay: Array, weight: Array | None, xp: Any) -> tuple[Array, Array, Array]:
    """Coefficients in the basis, the weighted sum of squared residuals, and the residuals."""
    if weight is None:
        coefficients = _product(overlay, basis, xp)
    else:
        right = _product(_weighted(overlay, weight, xp), basis, xp)
        coefficients = _solved(_normal(weight, basis, xp), right, xp)
    return coefficients, *_residual(overlay, weight, basis, coefficients, xp)


def _residual(overlay: Array, weight: Array | None, basis: Array, coefficients: Array, xp: Any) -> tuple[Array, Array]:
    """The weighted sum of squared residuals, and the residuals, also of marks that are not used."""
    residual = overlay - _product(coefficients, basis.T, xp)
    if weight is None:
        return xp.vecdot(residual, residual), residual
    counted = xp.where(_used(weight, xp), residual, 0.0)
    return xp.vecdot(_weighted(counted, weight, xp), counted), residual


def _products(basis: Array, xp: Any) -> Array:
    """Of every column with itself and those behind it."""
    return xp.concat([basis[:, k : k + 1] * basis[:, k:] for k in range(basis.shape[1])], axis=1)


def _normal(weight: Array, basis: Array, xp: Any, products: Array | None = None) -> Array:
    """Qᵀ W Q, (..., p, p), for each row of `weight`. `products` are those of the basis, where they are known."""
    p = basis.shape[1]
    products = _products(basis, xp) if products is None else products
    triangle = _product(weight if weight.dtype == xp.float64 else xp.astype(weight, xp.float64), products, xp)
    begin = [k * p - k * (k - 1) // 2 for k in range(p)]  # of row k, from its diagonal on
    place = [begin[min(i, j)] + abs(i - j) for i in range(p) for j in range(p)]
    full = xp.take(triangle, xp.asarray(place, device=device(basis)), axis=-1)
    return xp.reshape(full, (*weight.shape[:-1], p, p))


def _normal_of_most(unused: Array, used: Array, basis: Array, xp: Any) -> Array:
    """The same where few marks are not used, and the others weigh 1: Qᵀ Q is the identity, less what those would have brought."""
    n, p = basis.shape
    edges = _edges(unused, used, xp)
    count = xp.diff(edges)
    row = xp.repeat(xp.arange(count.size), count)
    # Each row's marks side by side, filled up with one that counts nothing, so that one call takes all products
    marks = xp.full((count.size, int(count.max(initial=0))), n)
    marks[row, xp.arange(unused.size) - edges[row]] = unused - n * row
    some = xp.concat([basis, xp.zeros((1, p))]).take(marks, axis=0)
    normal = xp.matmul(some.transpose(0, 2, 1), some)
    return xp.subtract(xp.eye(p), normal, out=normal).reshape(*used.shape[:-1], p, p)


def _product(rows: Array, matrix: Array, xp: Any) -> Array:
    """Rows times matrix as one product: a product for each wafer would be too small to be fast."""
    return xp.reshape(xp.matmul(xp.reshape(rows, (-1, rows.shape[-1])), matrix), (*rows.shape[:-1], matrix.shape[1]))


def _solved(normal: Array, right: Array, xp: Any) -> Array:
    """Solve p equations for every wafer; NaN where they are singular. Axes that share a matrix are columns of one system."""
    p, batch = right.shape[-1], right.shape[:-1]
    own = (1,) * (len(batch) + 2 - normal.ndim) + normal.shape[:-2]
    last = next((k for k in range(len(own), 0, -1) if own[k - 1] != 1), 0)
    normal = xp.reshape(normal, (*own[:last], p, p))
    right = xp.reshape(right, (*batch[:last], math.prod(batch[last:]), p))
    scale = xp.linalg.trace(normal) / p
    flat = xp.reshape(normal, (*normal.shape[:-2], p * p))
    near = xp.vecdot(flat, flat) - p * scale * scale < (NEAR * scale) ** 2  # ‖A − sI‖² = ‖A‖² − p s² with s the mean of the diagonal
    if bool(xp.all(near)):
        solution = xp.matrix_transpose(xp.linalg.solve(normal, xp.matrix_transpose(right)))
    else:
        solution = _cholesky_solve(normal[..., None, :, :], right, xp)
    return xp.reshape(solution, (*batch, p))


def _cholesky_solve(normal: Array, right: Array, xp: Any) -> Array:
    """Solve p equations for every wafer at once; NaN where they are singular.

    Steps run over the few terms, each on the whole batch, which is the last axis here. A pivot counts as 0 below p units of
    rounding of its diagonal.
    """
    p = right.shape[-1]
    row = [xp.moveaxis(normal[..., k, k:], -1, 0) for k in range(p)]
    right = xp.moveaxis(right, -1, 0)
    solved: list[Array] = []
    for k in range(p):
        diagonal, value = row[k][:1, ...], right[k : k + 1, ...]
        for j in range(k):
            factor = row[j][k - j : k - j + 1, ...]
            row[k] = row[k] - factor * row[j][k - j :, ...]
            value = value - factor * solved[j]
        pivot = row[k][:1, ...]
        root = xp.sqrt(xp.where(pivot > p * EPS * diagonal, pivot, xp.nan))
        row[k] = row[k] / root
        solved.append(value / root)
    for k in reversed(range(p)):
        for j in range(k + 1, p):
            solved[k] = solved[k] - row[k][j - k : j - k + 1, ...] * solved[j]
        solved[k] = solved[k] / row[k][:1, ...]
    return xp.moveaxis(xp.concat(solved, axis=0), 0, -1)


def _times(weight: Array | None, trust: Array | None, xp: Any) -> Array:
    if weight is None or trust is None:
        return trust if weight is None else weight
    return xp.where(weight, trust, 0.0) if weight.dtype == xp.bool else weight * trust


def _huber(size: Array, reach: float, xp: Any) -> Array:
    return xp.where(size <= reach, 1.0, reach / xp.maximum(size, reach + 0 * size))


def _tukey(size: Array, reach: float, xp: Any) -> Array:
    return xp.where(size < reach, (1 - (size / reach) ** 2) ** 2, 0.0)


def _reweighted(
    basis: Array, overlay: Array, weight: Array | None, residual: Array, law: Any, reach: float, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """Weights from residuals and residuals from weights, until the weights rest. A wafer that rests is left as it is."""
    trust = xp.ones_like(overlay)
    moving = xp.isfinite(xp.sum(residual, axis=-1, keepdims=True))
    for _ in range(MOST_PASSES):
        scale = 1.4826 * _median_size(residual, weight, xp)
        size = xp.abs(residual) / xp.where(scale > 0, scale, 1.0)
        new = xp.where(
            scale > 0, law(size, reach, xp), 1.0
        )  # half of the marks or more fit exactly: nothing to judge by
        new = xp.where(moving, new, trust)
        moving = moving & (xp.max(xp.abs(new - trust), axis=-1, keepdims=True) > SETTLED)
        trust = new
        coefficients, squares, residual = _solve(basis, overlay, _times(weight, trust, xp), xp)
        if not bool(xp.any(moving)):
            break
    return coefficients, squares, residual, trust


def _median_size(residual: Array, weight: Array | None, xp: Any) -> Array:
    """Median of the absolute residuals of the marks that are used."""
    size = xp.abs(residual)
    if weight is None:
        count = xp.full((*size.shape[:-1], 1), size.shape[-1], dtype=xp.int64, device=device(size))
    else:
        used = xp.broadcast_to(_used(weight, xp), size.shape)
        count = xp.maximum(
            xp.sum(xp.astype(used, xp.int64), axis=-1, keepdims=True), xp.ones_like(size[..., :1], dtype=xp.int64)
        )
        size = xp.where(used, size, xp.inf)
    ordered = xp.sort(size, axis=-1)
    low, high = (count - 1) // 2, count // 2
    return (xp.take_along_axis(ordered, low, axis=-1) + xp.take_along_axis(ordered, high, axis=-1)) / 2
