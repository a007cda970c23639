"""Leave one field out: does an overlay model predict fields that it has not seen, or does it follow their noise?

Without field f the model would leave e_(f) = (I − H_ff)⁻¹·e_f there, H being the hat matrix of the fit: no refit is needed (Allen's PRESS,
by blocks).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from .arrays import Array, frozen
from .overlay import Fit
from .overlay_rank import rank_report
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, figure, keyed

OVERFITTED: Final = 1.5
ALONE: Final = 1e-9
"""An eigenvalue of I − H_ff below this: the field alone determines some combination of the terms."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossValidation(Reported):
    """Residuals of fields that were left out. Figures: mean, 3σ, |mean| + 3σ, 99.7 % maximum "predicted_…", and "ratio", the root mean square of the
    predicted residuals over that of the fitted ones.

    predicted_m : (n, 2) float64; NaN where there is no reading, or where a field cannot be left out.
    by_field_m : number of a field -> root mean square of its predicted residuals, m.
    needed : number of a field -> why it cannot be left out.
    """

    predicted_m: Array
    predicted: OverlayStatistics
    by_field_m: Mapping[int, float]
    needed: Mapping[int, str]


def leave_one_field_out(fit: Fit) -> CrossValidation:
    """Predict each field of a fit from the others (weights of a robust fit are kept as they are)."""
    marks = fit.marks
    read = np.isfinite(fit.residual_m)
    root = np.ones_like(fit.residual_m) if fit.root_weight is None else np.where(read, fit.root_weight, 0.0)
    used = read.T.ravel()
    kept = fit.model.only(*fit.rank.kept)
    design = kept.design(marks)
    rows = np.where(used, root.T.ravel(), 0.0)[:, None] * design
    q = np.linalg.qr(rows / np.sqrt((rows * rows).sum(axis=0)))[0]
    predicted = np.full(2 * marks.count, np.nan)
    by_field: dict[int, float] = {}
    needed: dict[int, str] = {}
    residual = fit.residual_m.T.ravel()
    weight = root.T.ravel()
    for number in marks.fields.tolist():
        inside = np.flatnonzero(np.tile(marks.field == number, 2) & used & (weight > 0))
        if inside.size == 0:
            needed[number] = "no valid reading"
            continue
        rest = np.eye(inside.size) - q[inside] @ q[inside].T
        values, vectors = np.linalg.eigh(rest)
        if values[0] < ALONE:
            others = np.flatnonzero(marks.field != number)
            open_terms = (
                [str(alias) for alias in rank_report(marks.part(others), kept, valid=read[others]).aliases]
                if others.size
                else ["there is no other field"]
            )
            needed[number] = (
                f"without it the others do not determine the model: {'; '.join(open_terms[:3]) or 'a term hangs on it almost alone'}"
            )
            continue
        predicted[inside] = (vectors @ ((vectors.T @ (weight[inside] * residual[inside])) / values)) / weight[inside]
        by_field[number] = math.sqrt(float(np.mean(predicted[inside] ** 2)))
    over_marks = np.ascontiguousarray(predicted.reshape(2, -1).T)
    both = np.isfinite(over_marks)
    none = "no field can be left out: " + "; ".join(f"field {number}: {reason}" for number, reason in list(needed.items())[:3])
    ratio: float | str = none
    flags = [f"field {number} cannot be left out: {reason}" for number, reason in needed.items()][:10]
    if both.any():
        fitted = float(np.sqrt(np.mean(fit.residual_m[both] ** 2)))
        ahead = float(np.sqrt(np.mean(over_marks[both] ** 2)))
        ratio = ahead / fitted if fitted > 0 else "the fit leaves nothing over"
        if not isinstance(ratio, str) and ratio > OVERFITTED:
            flags.append(
                f"fields left out are predicted {ratio:.2g} times worse than fitted ones: the model has too many terms for these marks"
            )
    found = statistics(over_marks)
    return CrossValidation(
        title=f"Overlay, leave one field out, {fit.model.name}: {marks.fields.size} fields",
        stated=("residuals of each field to the model of all the others",),
        figures=keyed(
            [
                *figures(found, prefix="predicted_", of="predicted"),
                figure(
                    "ratio", "predicted over fitted residuals, root mean squares", ratio, "", "it compares two residuals of the same marks"
                ),
            ]
        ),
        flags=tuple(flags),
        predicted_m=frozen(over_marks),
        predicted=found,
        by_field_m=MappingProxyType(by_field),
        needed=MappingProxyType(needed),
    )
