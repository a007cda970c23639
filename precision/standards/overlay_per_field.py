"""Overlay corrections per exposure (CPE): what the wafer model left over, fitted field by field, held towards the wafer model.

    min ‖e_f − A_f·δ_f‖² + λ·Σ_j (ℓ_j·δ_fj)²         ℓ_j² = mean square of column j of A_f over the readings of its component

δ_f is the field's departure from the wafer model. λ = 0 fits each field by itself; λ counts in readings of each component: with λ as large
as the number of marks in the field, half of a departure is believed.

A field whose marks do not determine a polynomial order of the terms falls back to the highest lower order that they do; one without marks keeps the
wafer model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..models.overlay import PER_FIELD, OverlayModel
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .overlay import Fit
from .overlay_rank import rank_report
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, figure, keyed


@dataclass(frozen=True, kw_only=True, eq=False)
class PerFieldFit(Reported):
    """Corrections of each field on top of a wafer model. Figures: mean, 3σ, |mean| + 3σ, 99.7 % maximum of what is left ("left_…"), "s" per degree of
    freedom, and "s_predicted", the standard deviation with which each field's terms predict a mark that was left out.

    fields : (f,) int64. coefficients : (f, p) float64, δ_f, SI; NaN for terms that a field's marks do not determine (its wafer model stays).
    terms : of one field. regularisation : λ. effective_terms : Σ of the traces of the hat matrices: what the fit costs in degrees of freedom.
    residual_m : (n, 2). fallback : number of a field -> why it has fewer terms.
    """

    marks: OverlayMarks
    fields: NDArray[np.int64]
    terms: OverlayModel
    regularisation: float
    coefficients: Array
    effective_terms: float
    residual_m: Array
    left: OverlayStatistics
    fallback: Mapping[int, str]


def per_field(fit: Fit, *, terms: OverlayModel = PER_FIELD, regularisation: float = 0.0) -> PerFieldFit:
    """Fit each field's departure from the wafer model of `fit`.

    Parameters
    ----------
    terms : field terms that a scanner can set for each exposure, k1 … k6 by default; leave out others with `without`
    regularisation : λ ≥ 0, in readings

    Raises
    ------
    ValueError      λ below 0, terms of the wafer's coordinates
    DataError       no field has a mark
    """
    if not 0 <= regularisation < math.inf:
        raise ValueError(f"regularisation is {regularisation}; expected 0 (none) or a number of readings")
    if any(term.level != "field" for term in terms.terms):
        raise ValueError(
            f"{terms.name}: a correction per field takes field terms; expected some of {', '.join(PER_FIELD.keys)} and higher orders"
        )
    marks, e = fit.marks, fit.residual_m
    # A reading without a residual, such as one of a rejected mark, tells nothing about its field.
    valid = np.isfinite(e)
    if not valid.any():
        raise DataError("the fit has no valid residual; there is nothing to correct field by field")
    residual = np.array(e)
    predicted = np.full_like(residual, np.nan)
    coefficients = np.full((marks.fields.size, len(terms.terms)), np.nan)
    fallback: dict[int, str] = {}
    cost = 0.0
    for row, number in enumerate(marks.fields.tolist()):
        inside = np.flatnonzero(marks.field == number)
        part, read = marks.part(inside), valid[inside]
        kept, why = _determined(part, terms, read)
        if why:
            fallback[number] = why
        if kept is None:
            continue
        used = read.T.ravel()
        values = e[inside].T.ravel()[used]
        index = [terms.keys.index(key) for key in kept.keys]
        read_x, read_y = read.sum(axis=0).tolist()
        moved = np.array([(read_x if term.dx else 0) + (read_y if term.dy else 0) for term in kept.terms])
        solution, left, hat = _ridge(kept.design(part)[used], values, moved, regularisation)
        coefficients[row, index] = solution
        cost += float(hat.sum())
        left_here, out_here = np.full((2, 2 * inside.size), np.nan)
        left_here[used] = left
        with np.errstate(divide="ignore", invalid="ignore"):
            out_here[used] = np.where(hat < 1 - 1e-9, left / (1 - hat), np.nan)
        residual[inside] = left_here.reshape(2, -1).T
        predicted[inside] = out_here.reshape(2, -1).T
    return _result(fit, terms, regularisation, coefficients, cost, residual, predicted, valid, fallback)


def _determined(part: OverlayMarks, terms: OverlayModel, read: NDArray[np.bool_]) -> tuple[OverlayModel | None, str]:
    """The terms of the highest polynomial order that the marks of one field determine, None for no reading; and why they are not all."""
    if not read.any():
        return None, "no valid mark; the wafer model stays"
    seen, missing = int(read.any(axis=1).sum()), ""
    for axis, other in (("x", "y"), ("y", "x")):
        if not read[:, 0 if other == "x" else 1].any():
            terms, missing = terms.of_component(axis), f"no valid d{other}; "  # type: ignore[arg-type]
    orders = [max(a + b for _, a, b in term.dx + term.dy) for term in terms.terms]
    for order in sorted(set(orders), reverse=True):
        some = terms.only(*(key for key, own in zip(terms.keys, orders, strict=True) if own <= order))
        if not rank_report(part, some, valid=read).full:
            continue
        if order == max(orders):
            return some, missing.removesuffix("; ")
        remark = rank_report(part, terms, valid=read).remark
        return some, f"{missing}{seen} marks determine terms up to order {order} only{f' ({remark})' if remark else ''}"
    return None, f"{missing}{seen} marks determine none of {', '.join(terms.keys)}; the wafer model stays"


def _ridge(design: Array, values: Array, moved: NDArray[np.int64], regularisation: float) -> tuple[Array, Array, Array]:
    """δ, residual and leverage, from the QR of the readings with λ's rows below. moved : (p,) how many readings each term moves."""
    size = np.sqrt((design * design).sum(axis=0) / moved)
    unit = design / size
    q, r = np.linalg.qr(np.vstack([unit, math.sqrt(regularisation) * np.eye(unit.shape[1])]) if regularisation else unit)
    top = q[: unit.shape[0]]
    solution = np.linalg.solve(r, top.T @ values)
    return solution / size, values - unit @ solution, (top * top).sum(axis=1)


def _result(
    fit: Fit,
    terms: OverlayModel,
    regularisation: float,
    coefficients: Array,
    cost: float,
    residual: Array,
    predicted: Array,
    valid: NDArray[np.bool_],
    fallback: dict[int, str],
) -> PerFieldFit:
    left = statistics(residual)
    readings = int(valid.sum())
    freedom = readings - fit.rank.rank - cost
    values: Any = residual[valid]
    none = f"{readings} readings, {fit.rank.rank} wafer terms and {cost:.3g} terms of fields leave no degree of freedom"
    s: float | str = math.sqrt(float(values @ values) / freedom) if freedom > 0.5 else none
    out = predicted[np.isfinite(predicted)]
    why = f"only {out.size} of {readings} marks can be left out of their field and still be predicted; read more marks a field"
    ahead: float | str = math.sqrt(float(out @ out) / out.size) if out.size > readings / 2 else why
    flags = []
    if fallback:
        first = "; ".join(f"field {number}: {reason}" for number, reason in list(fallback.items())[:5])
        flags.append(
            f"{len(fallback)} of {fit.marks.fields.size} fields have fewer terms: "
            f"{first}{f'; and {len(fallback) - 5} more' if len(fallback) > 5 else ''}"
        )
    if not isinstance(ahead, str) and fit.sd_m is not None and ahead > fit.sd_m:
        flags.append(
            f"marks left out are predicted with {ahead * 1e9:.3g} nm, by the wafer model alone with {fit.sd_m * 1e9:.3g} nm: the "
            f"fields' terms follow noise; raise the regularisation"
        )
    not_stated = "described for these marks and this λ"
    return PerFieldFit(
        title=f"Overlay corrections per field, {terms.name} on top of {fit.model.name}: {fit.marks.fields.size} fields",
        stated=(f"regularisation λ = {regularisation:g} readings towards the wafer model", f"effective terms {cost:.1f}", fit.sign.value),
        figures=keyed(
            [
                *figures(left, prefix="left_", of="left over"),
                figure("s", f"standard deviation of a reading, divisor {freedom:.1f}", s, "m", not_stated),
                figure(
                    "s_predicted",
                    "standard deviation of marks predicted from the others of their field",
                    ahead,
                    "m",
                    not_stated,
                    symbol="s pred",
                ),
            ]
        ),
        flags=tuple(flags),
        marks=fit.marks,
        fields=fit.marks.fields,
        terms=terms,
        regularisation=regularisation,
        coefficients=frozen(coefficients),
        effective_terms=cost,
        residual_m=frozen(residual),
        left=left,
        fallback=MappingProxyType(fallback),
    )
