"""Which overlay terms a layout can tell apart.

The columns of the design are scaled to length 1 and taken in the model's order; a column that the ones before it explain, up to
`TOLERANCE` of its length, adds no rank. It is written as their combination, in SI coefficients: a coefficient of the dropped term appears
in theirs, times that factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..models.overlay import Coordinates, OverlayModel, Term
from ..models.overlay_marks import OverlayMarks
from .arrays import Array
from .reported import plain

TOLERANCE: Final = 1e-9
"""What is left of a column of length 1 below this is rounding: coordinates of 0.15 m to a picometre are 1e-11, cubes of them 3e-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A term that the layout cannot tell from others. `equals` : key of the other term -> factor, empty where no reading depends on the
    term at all."""

    term: Term
    equals: Mapping[str, float]

    def __str__(self) -> str:
        if not self.equals:
            return f"{self.term.key}: no reading depends on it"
        parts = " ".join(f"{'−' if factor < 0 else '+'} {abs(factor):.4g}·{key}" for key, factor in self.equals.items())
        return f"{self.term.key} cannot be told from {parts.removeprefix('+ ')} (SI coefficients)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankReport:
    """Rank of a model on a layout.

    model : of all terms. readings : valid readings of dx and dy. rank : independent terms.
    kept : keys of the terms that span the model, the first ones in its order. aliases : one for each other term.
    undetermined : keys of all terms whose coefficient the readings leave open, aliases and what they mix with.
    condition, condition_scaled : 2-norm condition of the kept columns as they are in SI, and scaled to length 1.
    remark : what is wrong with the layout, where that can be said ("the fields' centres lie on one line").
    """

    model: OverlayModel
    readings: int
    rank: int
    kept: tuple[str, ...]
    aliases: tuple[Alias, ...]
    undetermined: tuple[str, ...]
    condition: float
    condition_scaled: float
    remark: str

    @property
    def full(self) -> bool:
        """Whether every term is determined."""
        return not self.aliases

    @property
    def reduced(self) -> OverlayModel:
        """The model less the aliased terms."""
        return self.model.without(*(alias.term.key for alias in self.aliases))

    def __str__(self) -> str:
        lines = [
            f"{self.model.name}: rank {self.rank} of {len(self.model.terms)} terms from {self.readings} readings, condition "
            f"{self.condition_scaled:.3g}"
        ]
        return "\n".join([*lines, *(f"  {alias}" for alias in self.aliases), *([f"  {self.remark}"] if self.remark else [])])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "model": self.model.to_dict(),
            "readings": self.readings,
            "rank": self.rank,
            "kept": list(self.kept),
            "aliases": [{"term": alias.term.key, "equals": dict(alias.equals)} for alias in self.aliases],
            "undetermined": list(self.undetermined),
            "condition": plain(self.condition),
            "condition_scaled": plain(self.condition_scaled),
            "remark": self.remark,
        }


def rank_report(
    marks: OverlayMarks, model: OverlayModel, *, valid: NDArray[np.bool_] | None = None, weights: Array | None = None
) -> RankReport:
    """Rank and aliases of a model on a layout.

    Parameters
    ----------
    valid : (n, 2) bool, optional
        Which of dx and dy are read at each mark; all by default.
    weights : (n, 2) float64 > 0, optional
        Square roots of the readings' weights.

    Examples
    --------
    >>> from precision.models import overlay, overlay_marks
    >>> one_field = overlay_marks.layout([[0, 0]], overlay_marks.field_grid(2, 2))
    >>> rank_report(one_field, overlay.TEN_PARAMETER).rank
    6
    """
    design = model.design(marks)
    used = np.ones(2 * marks.count, dtype=bool) if valid is None else valid.T.ravel()
    if weights is not None:
        design = design * weights.T.ravel()[:, None]
    columns = design[used]
    length = np.sqrt((columns * columns).sum(axis=0))
    largest = np.sqrt((design * design).sum(axis=0))  # of the whole layout: what is 0 up to rounding there has no length to be scaled by
    seen = length > TOLERANCE * np.maximum(largest, np.finfo(float).tiny)
    unit = np.where(seen, columns / np.where(seen, length, 1.0), 0.0)
    kept = _independent(unit, seen)
    dropped = [index for index in range(len(model.terms)) if index not in kept]
    factors = np.linalg.lstsq(unit[:, kept], unit[:, dropped], rcond=None)[0] if kept and dropped else np.zeros((len(kept), len(dropped)))
    aliases, mixed = [], set()
    for number, index in enumerate(dropped):
        # Factors of scaled columns are at most of the order 1; smaller ones than √TOLERANCE are what rounding leaves.
        parts = {
            kept[row]: float(value * length[index] / length[kept[row]])
            for row, value in enumerate(factors[:, number])
            if abs(value) > TOLERANCE**0.5 and seen[index]
        }
        aliases.append(Alias(term=model.terms[index], equals=MappingProxyType({model.keys[row]: value for row, value in parts.items()})))
        mixed |= {index, *parts}
    return RankReport(
        model=model,
        readings=int(used.sum()),
        rank=len(kept),
        kept=tuple(model.keys[index] for index in kept),
        aliases=tuple(aliases),
        undetermined=tuple(key for index, key in enumerate(model.keys) if index in mixed),
        condition=float(np.linalg.cond(columns[:, kept])) if kept else float("inf"),
        condition_scaled=float(np.linalg.cond(unit[:, kept])) if kept else float("inf"),
        remark=_remark(marks, model, used) if aliases else "",
    )


def refuse_deficient(rank: RankReport) -> None:
    """DataError that names the terms which the readings do not determine; nothing where all are."""
    if rank.full:
        return
    few = f"{rank.readings} valid readings for {len(rank.model.terms)} terms; " if rank.readings < len(rank.model.terms) else ""
    listed = "; ".join(str(alias) for alias in rank.aliases[:6]) + (f"; and {len(rank.aliases) - 6} more" if len(rank.aliases) > 6 else "")
    remark = f" ({rank.remark})" if rank.remark else ""
    raise DataError(
        f"{rank.model.name}: {few}this layout determines {rank.rank} of {len(rank.model.terms)} terms{remark}: {listed}. "
        "Leave these terms out (evaluation.without in a plan), choose a smaller model, or read more places; fit(..., deficient='drop') leaves them out by itself"
    )


def _independent(unit: Array, seen: NDArray[np.bool_]) -> list[int]:
    """Columns of length 1 that the ones before do not explain: Gram-Schmidt, each projection taken twice."""
    kept: list[int] = []
    basis = np.empty((unit.shape[0], 0))
    for index in np.flatnonzero(seen):
        rest = unit[:, index]
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left > TOLERANCE and len(kept) < unit.shape[0]:
            kept.append(int(index))
            basis = np.column_stack([basis, rest / left])
    return kept


def _remark(marks: OverlayMarks, model: OverlayModel, used: NDArray[np.bool_]) -> str:
    """What is wrong with the layout, in words."""
    read_x, read_y = used[: marks.count], used[marks.count :]
    if not used.any():
        return "no reading is valid"
    if not read_x.any() or not read_y.any():
        missing, kept = ("dx", "y") if not read_x.any() else ("dy", "x")
        return f"no mark has a valid {missing}: take the model's terms of the other component alone, model.of_component({kept!r})"
    some = marks.part(np.flatnonzero(read_x | read_y))
    at: dict[str, Array] = {
        "wafer": some.position_m if model.coordinates is Coordinates.MARK else some.field_centre_m,
        "field": some.in_field_m,
    }
    for level, what in (("wafer", "the fields' centres"), ("field", "the marks' places in their fields")):
        if any(term.level == level and any(a + b for _, a, b in term.dx + term.dy) for term in model.terms):
            spread = at[level] - at[level].mean(axis=0)
            size = np.linalg.svd(spread, compute_uv=False)
            if size[0] < 1e-9:
                return f"{what} are all the same"
            if size.size < 2 or size[1] < TOLERANCE * size[0]:
                return f"{what} lie on one line"
    return "too few different places for the terms of higher order"
