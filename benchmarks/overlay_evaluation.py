"""From the rows of an overlay capture to terms, residuals and their decomposition. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.models.overlay import SIX_PARAMETER
from precision.models.overlay_marks import OverlayMarks
from precision.standards.overlay import fit
from precision.standards.overlay_decomposition import LINEAR_STEPS, Decomposition, decompose
from precision.standards.overlay_fingerprint import Fingerprint, field_fingerprint
from precision.standards.overlay_lot import LotFit, fit_lot
from precision.standards.overlay_rank import RankReport, rank_report
from precision.standards.overlay_robust import Rejected, robust_fit
from precision.standards.overlay_statistics import OverlayStatistics, by_group, figures, statistics

from .overlay_plan import Parameters, Recorded
from .procedure import Readings

Array = NDArray[np.float64]
SHIFTED: Final = ("Tx", "Ty", "k1", "k2", "mean_Tx", "mean_Ty", "mean_k1", "mean_k2")
"""Terms that the tool's shift moves; so it does every mean and |mean| + 3σ of what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """marks : of the layout, all wafers together. wafer : (w,) their numbers. measured, kept, left : (w, n, 2) m, NaN where missing;
    `kept` and `left` without rejected marks. mean : (n, 2) of the kept ones over the wafers. rejected : wafer number -> marks. terms,
    overlay : figures. by_scan : statistics of what the model leaves over by scan direction ("up", "down"). flags : what is wrong with the
    data. cautions : what to know of the steps. uncertainty_reason : why U of shifted figures is not stated, or None."""

    marks: OverlayMarks
    wafer: NDArray[np.int64]
    measured: Array
    kept: Array
    left: Array
    mean: Array
    rank: RankReport
    lot: LotFit
    decomposition: Decomposition
    fingerprint: Fingerprint
    rejected: Mapping[int, tuple[Rejected, ...]]
    terms: tuple[Figure, ...]
    overlay: tuple[Figure, ...]
    by_scan: Mapping[str, OverlayStatistics]
    flags: tuple[str, ...]
    cautions: tuple[str, ...]
    uncertainty_reason: str | None

    @property
    def figures(self) -> dict[str, Figure]:
        """All, by key."""
        return {figure.key: figure for figure in (*self.terms, *self.overlay)}


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate overlay.

    Raises
    ------
    DataError       no mark, one mark twice on a wafer, a layout that does not determine the model (terms named)
    """
    marks, wafer, measured = arranged(readings)
    asked = plan.evaluation
    model, sign = asked.overlay_model, asked.meaning
    kept, rejected, flags = measured.copy(), {}, []
    single = None
    for index, number in enumerate(wafer.tolist()):
        if asked.robust == "none":
            continue
        try:
            found = robust_fit(
                marks,
                measured[index],
                model,
                law=asked.robust,
                reject_beyond=asked.reject_beyond,
                most_rejected=asked.most_rejected,
                errors=asked.errors,
                sign=sign,
            )
        except DataError as error:
            flags.append(f"wafer {number}: outliers were not looked for: {str(error).splitlines()[0]}")
            continue
        kept[index, [one.mark for one in found.rejected]] = np.nan
        rejected[number] = found.rejected
        flags += [f"wafer {number}: {flag}" for flag in found.flags if not flag.startswith("rejected mark") and "heavy tails" not in flag]
        single = found if wafer.size == 1 else None
    lot = fit_lot(marks, kept, model, sign=sign)
    left = kept - np.stack([model.overlay(marks, row) for row in lot.coefficients])
    with np.errstate(invalid="ignore"):
        count = np.isfinite(kept).sum(axis=0)
        mean = np.where(count > 0, np.nansum(kept, axis=0) / np.maximum(count, 1), np.nan)
    steps = decompose(marks, mean, steps=LINEAR_STEPS, field_terms=_field_terms(plan), regularisation=asked.regularisation, sign=sign)
    inter = fit(marks, mean, SIX_PARAMETER, deficient="drop", sign=sign)
    one = single if single is not None else fit(marks, kept[0], model, errors=asked.errors, sign=sign) if wafer.size == 1 else None
    known = {term.key for term in model.terms} | {"M", "aM", "R", "N", "m", "am", "r", "n", "s"}
    terms = tuple(lot.figures.values()) if one is None else tuple(figure for key, figure in one.figures.items() if key in known)
    shift = plan.uncertainty.tool_induced_shift
    reason = None if shift is not None else "the plan's [uncertainty] lacks tool_induced_shift"
    overlay = (
        *figures(statistics(measured.reshape(-1, 2)), prefix="raw_", of="as measured"),
        *figures(statistics(left.reshape(-1, 2)), prefix="left_", of=f"after {model.name}"),
        *figures(steps.steps[-1].left, prefix="nce_", of="of the mean wafer, after every step"),
    )
    flags += [*_overlapping(marks), *lot.flags]
    return Analysis(
        marks=marks,
        wafer=wafer,
        measured=measured,
        kept=kept,
        left=left,
        mean=mean,
        rank=rank_report(marks, model),
        lot=lot,
        decomposition=steps,
        fingerprint=field_fingerprint(marks, inter.residual_m),
        rejected=MappingProxyType(rejected),
        terms=tuple(_with_shift(figure, shift, reason) if figure.key in SHIFTED else figure for figure in terms),
        overlay=tuple(
            _with_shift(figure, shift, reason) if figure.key.startswith(("raw_mean", "raw_m3s")) else figure for figure in overlay
        ),
        by_scan=_by_scan(marks, left),
        flags=tuple(dict.fromkeys(flags)),
        cautions=tuple(f"Decomposition, {flag}." for flag in steps.flags),
        uncertainty_reason=reason,
    )


def _overlapping(marks: OverlayMarks) -> list[str]:
    """A flag where the marks of two fields lie among one another: a column in a wrong unit looks so, and its terms are wrong by powers of ten."""
    first = [int(np.flatnonzero(marks.field == number)[0]) for number in marks.fields]
    centre = marks.field_centre_m[first]
    wide, high = np.ptp(marks.in_field_m, axis=0) * (1 - 1e-9)
    order = np.argsort(centre[:, 0], kind="stable")
    for at, one in enumerate(order):
        for other in order[at + 1 :]:
            apart = np.abs(centre[other] - centre[one])
            if apart[0] >= wide:
                break
            if apart[1] < high:
                return [
                    f"fields {marks.fields[one]} and {marks.fields[other]} overlap: their centres are {apart[0] * 1e3:.4g} mm and {apart[1] * 1e3:.4g} mm apart in x and y, "
                    f"but the marks of a field span {wide * 1e3:.4g} mm × {high * 1e3:.4g} mm; check the units of the fields' and the marks' places"
                ]
    return []


def _field_terms(plan: Parameters | Recorded) -> Any:
    from precision.models.overlay import PER_FIELD

    return PER_FIELD if plan.evaluation.per_field else None


def _with_shift(figure: Figure, shift: float | None, reason: str | None) -> Figure:
    """The figure with the tool's shift in its U; the shift is stated with k = 2."""
    if figure.uncertainty is None:
        return figure
    if shift is None:
        return replace(figure, uncertainty=None, uncertainty_reason=reason)
    return replace(figure, uncertainty=float(np.hypot(figure.uncertainty, shift * figure.coverage_factor / 2)))


def _by_scan(marks: OverlayMarks, left: Array) -> Mapping[str, OverlayStatistics]:
    if marks.scan_up is None:
        return MappingProxyType({})
    labels = np.tile(np.where(marks.scan_up, "up", "down"), left.shape[0])
    return by_group(left.reshape(-1, 2), labels)


def arranged(readings: Readings) -> tuple[OverlayMarks, NDArray[np.int64], Array]:
    """The layout of all wafers together, the wafers' numbers, and overlay (w, n, 2), NaN where a wafer lacks a mark. DataError for a mark
    that is there twice."""
    wafer = np.asarray(readings["wafer"])
    if wafer.size == 0:
        raise DataError("the capture holds no mark; measure at least one wafer")
    place = np.stack([np.asarray(readings[f"{name}_m"]) for name in ("field_x", "field_y", "mark_x", "mark_y")], axis=1)
    field = np.asarray(readings["field"])
    key = np.column_stack([field, np.rint(place * 1e9).astype(np.int64)])
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    mark, rows = rank[which.ravel()], first[order]
    numbers, index = np.unique(wafer, return_inverse=True)
    overlay = np.full((numbers.size, rows.size, 2), np.nan)
    pairs = index.ravel() * rows.size + mark
    twice = np.flatnonzero(np.bincount(pairs, minlength=numbers.size * rows.size) > 1)
    scan = np.asarray(readings["scan_up"])[rows]
    marks = OverlayMarks(
        field_centre_m=place[rows, :2],
        in_field_m=place[rows, 2:],
        field=field[rows] if (field >= 0).all() else np.empty(0, dtype=np.int64),
        scan_up=scan == 1 if (scan >= 0).all() else None,
    )
    if twice.size:
        number, which_mark = divmod(int(twice[0]), rows.size)
        raise DataError(f"wafer {numbers[number]} has two readings of {marks.describe(which_mark)}; number the wafers, or remove one")
    overlay[index.ravel(), mark] = np.stack([np.asarray(readings["dx_m"]), np.asarray(readings["dy_m"])], axis=1)
    return marks, numbers, overlay
