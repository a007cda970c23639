"""Robust overlay fit: marks that do not belong are found, listed, and left out with both of their components.

1. Reweighting (Huber or Tukey) gives coefficients that single marks do not move, and the scale of the residuals, 1.4826 times their median size.
2. A mark is rejected where |e| of dx or dy exceeds `reject_beyond` times that scale; never more than `most_rejected` of the marks, the largest first.
3. The marks that are left are fitted by reweighting again. Covariance of an M-estimate (Huber, Robust Statistics, 1981, 7.6), ψ(u) = u·w(u), u = e/scale:

       C = κ²·scale²·[Σ ψ² / (n − p)] / [Σ ψ′ / n]²·(AᵀA)⁻¹          κ = 1 + p/n·var ψ′ / (mean ψ′)²
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precision.kernels.overlay_fit import TUNING, overlay_fit

from ..errors import DataError
from ..models.overlay import OverlayModel, Sign
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .overlay import Errors, Fit, assembled, checked_overlay, solve
from .overlay_by_field import by_field
from .overlay_rank import rank_report, refuse_deficient

Law = Literal["huber", "tukey"]
REJECT_BEYOND: Final = TUNING["tukey"]
MOST_REJECTED: Final = 0.1
MASKING: Final = 2.0
"""A scale of the kept marks that is smaller than that of all by more than this factor: the rejected ones hid others, or are a population
of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A mark that was left out: its index, field, and name, its residual (dx, dy) to the robust fit in m, and the larger of them in units
    of the scale."""

    mark: int
    field: int
    name: str
    residual_m: tuple[float, float]
    size: float

    def __str__(self) -> str:
        x, y = (f"{value * 1e9:.3g}" for value in self.residual_m)
        return f"{self.name}: residual {x}, {y} nm, {self.size:.1f} times the scale"


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustFit(Fit):
    """A `Fit` of the marks that were kept. law, tuning : how weights fall. scale_m : 1.4826 times the median |residual| of the kept marks.
    weight : (n, 2) float64, 0 … 1, NaN where there is no reading, 0 for rejected marks. rejected : the marks that were left out, largest first."""

    law: Law
    tuning: float
    scale_m: float
    weight: Array
    rejected: tuple[Rejected, ...]


def robust_fit(
    marks: OverlayMarks,
    overlay_m: ArrayLike,
    model: OverlayModel,
    *,
    law: Law = "tukey",
    reject_beyond: float = REJECT_BEYOND,
    most_rejected: float = MOST_REJECTED,
    errors: Errors = "independent",
    sign: Sign = Sign.SECOND_MINUS_FIRST,
) -> RobustFit:
    """Fit a model to the marks of one wafer, whatever single marks say.

    Parameters
    ----------
    law : "huber" (tuning 1.345: large residuals count less) or "tukey" (4.685: they do not count at all)
    reject_beyond : residual, in units of the scale, at which a mark is rejected
    errors : as `overlay.fit`
    most_rejected : part of the marks that may be rejected at most; if more are beyond, a flag says that they mask one another

    Raises
    ------
    DataError       as `overlay.fit`; terms that only rejected marks determine
    ValueError      an unknown law, limits out of range
    """
    _check(law, reject_beyond, most_rejected)
    overlay, valid = checked_overlay(marks, overlay_m)
    refuse_deficient(rank_report(marks, model, valid=valid))
    design = model.design(marks)
    _, residual, scale, _ = _reweighted(design, overlay, valid, law)
    size, beyond, dropped = _beyond(residual, valid, scale, reject_beyond, most_rejected)
    kept = valid.copy()
    kept[dropped] = False
    rank = rank_report(marks, model, valid=kept)
    if not rank.full:
        first = marks.describe(int(dropped[0]))
        raise DataError(
            f"without {dropped.size} rejected marks (first {first}), terms stay free:\n{rank}\nRead more, or raise reject_beyond"
        )
    coefficients, residual, final_scale, weight = _reweighted(design, overlay, kept, law)
    used = kept.T.ravel()
    plain = solve(design[used], overlay.T.ravel()[used])
    e = residual.T.ravel()[used]
    factor, sd, pull = _variance_factor(e, final_scale, law, rank.rank)
    covariance, clusters, why = plain.unscaled * factor, None, []
    if errors == "by field":
        scatter = by_field(plain.basis, pull, np.tile(marks.field, 2)[used])
        if isinstance(scatter, str):
            why = [f"U takes marks as independent: {scatter}"]
        else:
            covariance, clusters = plain.from_basis @ scatter[0] @ plain.from_basis.T, scatter[1]
    rejected = _rejected(marks, dropped, residual, size)
    base = assembled(
        marks=marks,
        overlay=overlay,
        model=model,
        sign=sign,
        rank=rank,
        kept=np.arange(rank.rank),
        used=used,
        coefficients=coefficients,
        covariance=covariance,
        vif=np.diagonal(plain.unscaled) * plain.length**2,
        residual=e,
        leverage=plain.leverage,
        root_weight=frozen(np.sqrt(weight)),
        sd=sd,
        freedom=rank.readings - rank.rank,
        clusters=clusters,
        stated=(
            f"{law.capitalize()} weights, tuning {TUNING[law]:g}; {dropped.size} of {marks.count} marks rejected beyond {reject_beyond:g} scales",
        ),
        flags=[*_listed(rejected), *_flags(beyond.size, dropped.size, scale, final_scale), *why],
    )
    weight[dropped] = np.where(valid[dropped], 0.0, np.nan)
    own: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(base)}
    return RobustFit(**own, law=law, tuning=TUNING[law], scale_m=final_scale, weight=frozen(weight), rejected=rejected)


def _check(law: Law, reject_beyond: float, most_rejected: float) -> None:
    if law not in TUNING:
        raise ValueError(f"law is {law!r}; expected {', '.join(map(repr, TUNING))}")
    if not (reject_beyond >= 2 and 0 <= most_rejected < 0.5):
        raise ValueError(
            f"reject_beyond, most_rejected are {reject_beyond}, {most_rejected}; expected at least 2 standard deviations, and a part "
            f"from 0 to below 0.5"
        )


def _beyond(
    residual: Array, valid: NDArray[np.bool_], scale: float, reject_beyond: float, most_rejected: float
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """The larger residual of each mark in scales, the marks beyond the limit, and those of them that may be rejected, largest first."""
    size = np.where(valid, np.abs(residual), 0.0).max(axis=1) / scale if scale > 0 else np.zeros(residual.shape[0])
    beyond = np.flatnonzero(size > reject_beyond)
    allowed = math.floor(most_rejected * int(valid.any(axis=1).sum()))
    return size, beyond, beyond[np.argsort(-size[beyond], kind="stable")][:allowed]


def _rejected(marks: OverlayMarks, dropped: NDArray[np.int64], residual: Array, size: Array) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(
            mark=int(index),
            field=int(marks.field[index]),
            name=marks.describe(int(index)),
            size=float(size[index]),
            residual_m=(float(residual[index, 0]), float(residual[index, 1])),
        )
        for index in dropped
    )


def _reweighted(design: Array, overlay: Array, valid: NDArray[np.bool_], law: Law) -> tuple[Array, Array, float, Array]:
    """Coefficients (p,), residuals (n, 2) also of marks that are not used, scale, weights (n, 2)."""
    used = valid.T.ravel()
    found = overlay_fit(design[used], overlay.T.ravel()[used], robust=law)
    residual = overlay - (design @ found.coefficients).reshape(2, -1).T
    weight = np.full(used.size, np.nan)
    weight[used] = found.robust_weight
    scale = 1.4826 * float(np.median(np.abs(residual[valid])))
    return found.coefficients, residual, scale, np.ascontiguousarray(weight.reshape(2, -1).T)


def _variance_factor(residual: Array, scale: float, law: Law, terms: int) -> tuple[float, float | None, Array]:
    """Factor of (AᵀA)⁻¹, m², its square root, m (NaN and None without degrees of freedom), and by how much each residual pulls,
    κ·scale·ψ/mean ψ′, m."""
    n, c = residual.size, TUNING[law]
    if n <= terms:
        return math.nan, None, residual
    if scale == 0:
        rest = float(residual @ residual) / (n - terms)
        return rest, math.sqrt(rest), residual
    u = residual / scale
    if law == "huber":
        psi, slope = np.clip(u, -c, c), (np.abs(u) <= c).astype(np.float64)
    else:
        inside = 1 - np.minimum(np.abs(u) / c, 1.0) ** 2
        psi, slope = u * inside**2, inside**2 - 4 * (u / c) ** 2 * inside
    mean_slope = float(slope.mean())
    correction = 1 + terms / n * float(slope.var()) / mean_slope**2
    squares = float(psi @ psi) / (n - terms)
    factor = correction**2 * scale**2 * squares / mean_slope**2
    return factor, math.sqrt(factor), correction * scale / mean_slope * psi


def _listed(rejected: tuple[Rejected, ...]) -> list[str]:
    if not rejected:
        return []
    more = f"; and {len(rejected) - 5} more" if len(rejected) > 5 else ""
    return [f"rejected {'mark' if len(rejected) == 1 else 'marks'}: {'; '.join(map(str, rejected[:5]))}{more}"]


def _flags(beyond: int, dropped: int, scale: float, final_scale: float) -> list[str]:
    flags = []
    if beyond > dropped:
        flags.append(
            f"{beyond} marks are beyond the limit, only {dropped} may be rejected: they may mask one another; look at the map, or use "
            f"a model with more terms"
        )
    if final_scale > 0 and scale > MASKING * final_scale:
        flags.append(
            f"the scale falls from {scale * 1e9:.3g} to {final_scale * 1e9:.3g} nm without the rejected marks: they hid others; look at the map"
        )
    return flags
