"""Overlay of thousands of wafers with one layout and one model: coefficients, U and statistics of each, and what the lot has in common.

The coefficients come from one batched product (`precision.kernels.overlay_fit`); missing marks are left out wafer by wafer. A wafer whose
marks do not determine the model has NaN coefficients, and is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precision.kernels.overlay_fit import overlay_fit

from ..errors import DataError
from ..models.overlay import OverlayModel, Sign
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .coverage import coverage_factor
from .overlay import LARGEST_OVERLAY_M
from .overlay_rank import rank_report, refuse_deficient
from .overlay_statistics import OverlayStatistics, statistics
from .reported import Reported, figure, keyed

NEAR_SINGULAR: Final = 1e-10
"""Ratio of the eigenvalues of AᵀA below which the marks of a wafer are looked at one by one: A then has a condition above 1e5."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LotFit(Reported):
    """Overlay of w wafers. Figures: of each term its mean over the wafers ("mean_Tx", U from its spread) and that spread ("sd_Tx", divisor
    wafers − 1).

    coefficients, uncertainty : (w, p) float64, SI; U with k of 95.45 % from each wafer's own residuals. NaN for a wafer that could not be fitted.
    sd_m : (w,) residual standard deviation per degree of freedom. degrees_of_freedom : (w,) int64.
    left : statistics of the residuals of all wafers together; per_wafer : (w, 4) |mean| + 3σ and 99.7 % maximum of dx, of dy, m.
    mean_residual_m : (n, 2) mean over the wafers at each mark: the fingerprint that the model lacks; NaN where no wafer has the mark.
    not_fitted : index of a wafer -> the reason.
    """

    marks: OverlayMarks
    model: OverlayModel
    sign: Sign
    coefficients: Array
    uncertainty: Array
    sd_m: Array
    degrees_of_freedom: NDArray[np.int64]
    left: OverlayStatistics
    per_wafer: Array
    mean_residual_m: Array
    not_fitted: Mapping[int, str]

    def __str__(self) -> str:
        return self.text(angles="µrad")


def fit_lot(marks: OverlayMarks, overlay_m: ArrayLike, model: OverlayModel, *, sign: Sign = Sign.SECOND_MINUS_FIRST) -> LotFit:
    """Fit a model to every wafer of a lot.

    Parameters
    ----------
    overlay_m : (w, n, 2) dx, dy, m; NaN where a reading is missing

    Raises
    ------
    DataError       shapes, units, no wafer at all, or a model that the layout does not determine even with all marks that any wafer has
    """
    overlay = np.asarray(overlay_m, dtype=np.float64)
    if overlay.ndim != 3 or overlay.shape[1:] != (marks.count, 2) or overlay.shape[0] == 0:
        raise DataError(
            f"overlay_m has shape {overlay.shape}; expected (wafers, {marks.count}, 2) with at least one wafer, NaN where a reading is missing"
        )
    large = np.argwhere(np.abs(overlay) > LARGEST_OVERLAY_M)
    if large.size:
        wafer, mark, _ = large[0]
        raise DataError(
            f"wafer {wafer}: overlay of {marks.describe(int(mark))} is {overlay[wafer, mark].tolist()} m; expected at most "
            f"{LARGEST_OVERLAY_M:g} m; correct the unit"
        )
    valid = np.isfinite(overlay)
    ever: NDArray[np.bool_] = np.asarray(valid.any(axis=0))
    refuse_deficient(rank_report(marks, model, valid=ever))
    rows = ever.T.ravel()
    design = model.design(marks)[rows]
    stacked = np.moveaxis(overlay, 2, 1).reshape(overlay.shape[0], -1)[:, rows]
    read = np.isfinite(stacked)
    found = overlay_fit(design, stacked, valid=None if read.all() else read)
    coefficients = np.array(found.coefficients)
    variances, doubtful = _unscaled_variances(design, read)
    not_fitted: dict[int, str] = {}
    for wafer in np.flatnonzero(doubtful | ~np.isfinite(coefficients).all(axis=1)).tolist():
        own = rank_report(marks, model, valid=valid[wafer])
        if not own.full:
            coefficients[wafer] = np.nan
            not_fitted[wafer] = (
                f"{own.readings} readings determine {own.rank} of {len(model.terms)} terms: {'; '.join(map(str, own.aliases[:3]))}"
            )
    freedom = read.sum(axis=1) - len(model.terms)
    fitted = np.isfinite(coefficients).all(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(fitted & (freedom > 0), np.sqrt(found.residual_sum_of_squares / np.maximum(freedom, 1)), np.nan)
    k = np.array([coverage_factor(one) if one > 0 else np.nan for one in freedom.tolist()])
    uncertainty = (k * sd)[:, None] * np.sqrt(variances)
    residual = stacked - coefficients @ design.T
    spatial = np.full((overlay.shape[0], 2 * marks.count), np.nan)
    spatial[:, rows] = residual
    by_mark = np.moveaxis(spatial.reshape(-1, 2, marks.count), 1, 2)
    seen = np.isfinite(by_mark).sum(axis=0)
    mean_residual = np.where(seen > 0, np.nansum(by_mark, axis=0) / np.maximum(seen, 1), np.nan)
    return LotFit(
        title=f"Overlay of {overlay.shape[0]} wafers, {model.name}: {marks.count} marks in {marks.fields.size} fields",
        stated=(
            model.coordinates.value,
            sign.value,
            "U of one wafer takes its marks as independent; that of the mean is from the spread over the wafers",
        ),
        figures=keyed(_figures(model, coefficients[fitted])),
        flags=tuple(f"wafer {wafer} was not fitted: {reason}" for wafer, reason in list(not_fitted.items())[:20]),
        marks=marks,
        model=model,
        sign=sign,
        coefficients=frozen(coefficients),
        uncertainty=frozen(uncertainty),
        sd_m=frozen(sd),
        degrees_of_freedom=freedom,
        left=statistics(by_mark.reshape(-1, 2)),
        per_wafer=frozen(_per_wafer(by_mark)),
        mean_residual_m=frozen(mean_residual),
        not_fitted=not_fitted,
    )


def _unscaled_variances(design: Array, read: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """(w, p) diagonal of (AᵀA)⁻¹ over the readings of each wafer, and (w,) where that matrix is near to singular; wafers that miss the
    same readings share it."""
    length = np.sqrt((design * design).sum(axis=0))
    unit = design / length
    variances = np.full((read.shape[0], design.shape[1]), np.nan)
    doubtful = np.zeros(read.shape[0], dtype=bool)
    patterns, which = np.unique(np.packbits(read, axis=1), axis=0, return_inverse=True)
    first = np.unique(which.ravel(), return_index=True)[1]
    for pattern in range(patterns.shape[0]):
        members = which.ravel() == pattern
        rows = unit[read[first[pattern]]]
        values, vectors = np.linalg.eigh(rows.T @ rows)
        if values[0] < NEAR_SINGULAR * values[-1]:
            doubtful[members] = True
        with np.errstate(divide="ignore", invalid="ignore"):
            variances[members] = ((vectors * vectors) / np.maximum(values, 0)).sum(axis=1) / length**2
    return variances, doubtful


def _per_wafer(by_mark: Array) -> Array:
    table = np.full((by_mark.shape[0], 4), np.nan)
    for wafer, residual in enumerate(by_mark):
        found = statistics(residual)
        for column, part in ((0, found.x), (2, found.y)):
            if part is not None:
                table[wafer, column] = np.nan if part.mean_plus_three_sigma is None else part.mean_plus_three_sigma
                table[wafer, column + 1] = part.most
    return table


def _figures(model: OverlayModel, coefficients: Array) -> list[Any]:
    wafers = coefficients.shape[0]
    made = []
    for index, term in enumerate(model.terms):
        values = coefficients[:, index]
        few = f"{wafers} wafers were fitted; a spread needs two"
        sd = float(values.std(ddof=1)) if wafers > 1 else None
        k = coverage_factor(wafers - 1) if wafers > 1 else 2.0
        mean: float | str = float(values.mean()) if wafers else "no wafer was fitted"
        made += [
            figure(
                f"mean_{term.key}",
                f"{term.name}, mean of {wafers} wafers",
                mean,
                term.unit,
                few if sd is None else k * sd / wafers**0.5,
                symbol=f"mean {term.symbol}",
                coverage_factor=k,
            ),
            figure(
                f"sd_{term.key}",
                f"{term.name}, standard deviation over the wafers",
                few if sd is None else sd,
                term.unit,
                None if sd is None else k * sd / (2 * (wafers - 1)) ** 0.5,
                symbol=f"sd {term.symbol}",
                coverage_factor=k,
            ),
        ]
    return made
