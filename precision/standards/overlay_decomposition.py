"""Where overlay comes from: raw → inter-field → intra-field → higher order → per field, what each step explains and whether it is worth its terms.

Sums of squares are about 0, so that the translation counts: Σ d² = Σ_steps explained + Σ e² of the last step. The models are nested, hence
for each step

    F = (Σ e²_before − Σ e²_after)/(terms_after − terms_before) / s²_after         p from the F distribution

taking what is left as independent, and what is left after the last one is non-correctable (NCE) for these terms. Corrections per field are
judged by the same formulas with their effective number of terms, which is approximate where they are regularised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from ..models.overlay import FULL_CUBIC, PER_FIELD, SIX_PARAMETER, TEN_PARAMETER, OverlayModel, Sign, k_term
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .overlay import BELONG_TOGETHER, Fit, checked_overlay, fit
from .overlay_cross_validation import leave_one_field_out
from .overlay_per_field import PerFieldFit, per_field
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, figure, keyed

HIGHER_ORDER: Final = TEN_PARAMETER.with_terms(
    (*(k_term(k) for k in range(7, 21)), *(k_term(k, "field") for k in range(7, 21))),
    name="10-parameter with wafer and field terms k7 … k20",
)
"""The 38 terms of `FULL_CUBIC`, of which the first ten have the names of the linear model."""
LINEAR_STEPS: Final = (("inter", SIX_PARAMETER), ("intra", TEN_PARAMETER), ("higher order", HIGHER_ORDER))
assert len(HIGHER_ORDER.terms) == len(FULL_CUBIC.terms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One row of the decomposition.

    name : "raw", "inter", "intra", "higher order", "per field". terms : how many in all up to here (effective ones for fields).
    sum_of_squares_m2 : Σ e² that is left. explained : part of the raw sum of squares that this step took away.
    sd_m : per degree of freedom, None where none is left. predicted_m : root mean square of fields that are left out (of marks, for "per
    field"), or None.
    f, p_value : against the step before, or None. left : statistics. residual_m : (n, 2).
    """

    name: str
    model: str
    terms: float
    sum_of_squares_m2: float
    explained: float
    sd_m: float | None
    predicted_m: float | None
    f: float | None
    p_value: float | None
    left: OverlayStatistics
    residual_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Decomposition(Reported):
    """Variance decomposition of one wafer. Figures: "raw_…" and "nce_…" (after the last step), "explained_<step>" parts of the sum of squares.

    steps : in order. fits : of the linear steps. fields : of the corrections per field, or None.
    """

    steps: tuple[Step, ...]
    fits: tuple[Fit, ...]
    fields: PerFieldFit | None

    def rows(self) -> list[tuple[str, float, float, float | None, float | None, float | None, float | None, float | None]]:
        """The table: step, terms, explained, |mean| + 3σ of dx, of dy, sd, predicted, p."""

        def total(step: Step, name: str) -> float | None:
            part = getattr(step.left, name)
            return None if part is None else part.mean_plus_three_sigma

        return [(s.name, s.terms, s.explained, total(s, "x"), total(s, "y"), s.sd_m, s.predicted_m, s.p_value) for s in self.steps]


def decompose(
    marks: OverlayMarks,
    overlay_m: ArrayLike,
    *,
    steps: Sequence[tuple[str, OverlayModel]] = LINEAR_STEPS,
    field_terms: OverlayModel | None = PER_FIELD,
    regularisation: float = 0.0,
    sign: Sign = Sign.SECOND_MINUS_FIRST,
) -> Decomposition:
    """Take models away from the overlay of one wafer, one after the other.

    Parameters
    ----------
    steps : name and model of each step; each has the terms of the one before (by keys) and more. Terms that the layout cannot tell apart
        are dropped and named.
    field_terms, regularisation : of the corrections per field at the end; None for none.

    Raises
    ------
    ValueError      steps that are not nested
    DataError       as `overlay.fit`
    """
    _check_nested(steps)
    overlay, valid = checked_overlay(marks, overlay_m)
    total = float(np.sum(overlay[valid] ** 2))
    readings = int(valid.sum())
    made = [_step("raw", "as measured", 0, overlay, None, total, readings, None)]
    fits: list[Fit] = []
    flags: list[str] = []
    for name, model in steps:
        found = fit(marks, overlay, model, deficient="drop", sign=sign)
        fits.append(found)
        flags += [f"{name}: {flag}" for flag in found.flags if not flag.startswith(BELONG_TOGETHER)]  # no U of terms is given here
        predicted = _root_mean_square(leave_one_field_out(found).predicted_m)
        made.append(_step(name, model.name, found.rank.rank, found.residual_m, made[-1], total, readings, predicted))
    fields = None
    if field_terms is not None and fits:
        fields = per_field(fits[-1], terms=field_terms, regularisation=regularisation)
        flags += [f"per field: {flag}" for flag in fields.flags]
        terms = fits[-1].rank.rank + fields.effective_terms
        made.append(_step("per field", field_terms.name, terms, fields.residual_m, made[-1], total, readings, fields["s_predicted"]))
    why = "a part of the sum of squares of these marks"
    return Decomposition(
        title=f"Overlay, variance decomposition: {marks.count} marks in {marks.fields.size} fields, {readings} readings",
        stated=("sums of squares about 0", "sd with divisor n − 1", sign.value),
        figures=keyed(
            [
                *figures(made[0].left, prefix="raw_", of="as measured"),
                *(
                    figure(
                        f"explained_{step.name.replace(' ', '_')}",
                        f"part of the sum of squares explained by {step.name} ({step.model})",
                        step.explained,
                        "",
                        why,
                        symbol=step.name,
                    )
                    for step in made[1:]
                ),
                *figures(made[-1].left, prefix="nce_", of="non-correctable by these terms"),
            ]
        ),
        flags=tuple(dict.fromkeys(flags)),
        steps=tuple(made),
        fits=tuple(fits),
        fields=fields,
    )


def _check_nested(steps: Sequence[tuple[str, OverlayModel]]) -> None:
    for (_, smaller), (name, larger) in pairwise(steps):
        if not set(smaller.keys) <= set(larger.keys):
            lacking = ", ".join(sorted(set(smaller.keys) - set(larger.keys)))
            raise ValueError(f"step {name!r} lacks {lacking} of the step before; expected nested models")


def _step(
    name: str, model: str, terms: float, residual: Array, before: Step | None, total: float, readings: int, predicted: float | None
) -> Step:
    left: Any = residual[np.isfinite(residual)]
    squares = float(left @ left)
    freedom = readings - terms
    f = p_value = None
    if before is not None and terms > before.terms and freedom > 0.5 and squares > 0:
        added = terms - before.terms
        f = max(0.0, before.sum_of_squares_m2 - squares) / added / (squares / freedom)
        p_value = float(fdtrc(added, freedom, f))
    return Step(
        name=name,
        model=model,
        terms=terms,
        sum_of_squares_m2=squares,
        explained=0.0 if before is None or total == 0 else (before.sum_of_squares_m2 - squares) / total,
        sd_m=float(np.sqrt(squares / freedom)) if freedom > 0.5 else None,
        predicted_m=predicted,
        f=f,
        p_value=p_value,
        left=statistics(residual),
        residual_m=frozen(np.array(residual)),
    )


def _root_mean_square(values: Array) -> float | None:
    some: Any = values[np.isfinite(values)]
    return float(np.sqrt(some @ some / some.size)) if some.size else None
