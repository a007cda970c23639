"""Which marks to measure: D- and G-optimal layouts of a given number of marks, under the rules that metrology asks for.

    D-optimal: max det(AᵀA)                      G-optimal: min over layouts of max over candidates of a(x)ᵀ(AᵀA)⁻¹a(x)

    equal scan directions     marks in fields scanned up and down differ by at most 1
    equal places              every place in the field is used equally often, within 1
    radial coverage           every ring of equal area has its share of the marks, within 1, by the candidates in it

Exchange (Fedorov 1972, Mitchell 1974): one mark goes, the best one allowed comes, as long as that gains. The rules come first: a swap that
keeps them less is never made. The result is a good layout, not proven the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..models.overlay import OverlayModel
from ..models.overlay_marks import OverlayMarks
from .arrays import Array
from .overlay_rank import rank_report, refuse_deficient
from .reported import Reported, figure, keyed

Criterion = Literal["D", "G"]
MOST_PASSES: Final = 20
GAIN: Final = 1e-9
"""Of log det, or relative of the largest variance: less is rounding."""
WORST_PLACES: Final = 12
"""Candidates that are tried in a G exchange: those where the prediction is worst."""
HIGH_POWER: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Constraints of a layout. rings : of equal area within the largest radius of the candidates, 0 for no rule. most_per_field : marks,
    None for no limit."""

    equal_scan: bool = True
    equal_places: bool = True
    rings: int = 3
    most_per_field: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Margin:
    """Marks by class (n,), and between how many of each class are wanted."""

    name: str
    label: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def faults(self, count: NDArray[np.int64]) -> int:
        return int((np.maximum(self.low - count, 0) + np.maximum(count - self.high, 0)).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampling(Reported):
    """A layout. Figures: "D_efficiency" and "G_efficiency" (below), "worst" and "mean" prediction standard deviation over the candidates,
    per unit noise.

    chosen : (k,) int64, indices of the candidates, ascending. marks : the layout. counts : rule -> how many marks of each class.
    D_efficiency = (det(AᵀA/k)/det(CᵀC/n))^{1/p} against all n candidates C: above 1 where the marks stand better than the candidates on the whole.
    G_efficiency = p/(Σ rows · max variance): 1 for a G-optimal design of infinitely many marks.
    """

    criterion: Criterion
    chosen: NDArray[np.int64]
    marks: OverlayMarks
    counts: dict[str, tuple[int, ...]]


def optimal(
    candidates: OverlayMarks, model: OverlayModel, count: int, *, criterion: Criterion = "D", rules: Rules | None = None, seed: int = 0
) -> Sampling:
    """Choose `count` of the candidates, both components of each being read.

    Parameters
    ----------
    rules : `Rules()` by default; equal scan directions need `candidates.scan_up`
    seed : of the order in which marks are tried; the same seed gives the same layout

    Raises
    ------
    DataError       fewer candidates than `count`, too few marks for the terms, terms that even all candidates cannot tell apart, rules that
                    no layout of this size keeps (the rule is named), scan directions that are not known
    """
    rules = Rules() if rules is None else rules
    if criterion not in ("D", "G"):
        raise ValueError(f"criterion is {criterion!r}; expected 'D' or 'G'")
    refuse_deficient(rank_report(candidates, model))
    p = len(model.terms)
    if not p / 2 <= count <= candidates.count:
        raise DataError(
            f"count is {count}; expected at least {math.ceil(p / 2)} marks (two readings each, {p} terms) and at most the "
            f"{candidates.count} candidates"
        )
    design = model.design(candidates)
    unit = design / np.sqrt((design * design).sum(axis=0) / candidates.count)
    rows = np.stack([unit[: candidates.count], unit[candidates.count :]], axis=1)
    margins = _margins(candidates, count, rules)
    exchange = _Exchange(rows, margins, count, np.random.default_rng(seed))
    exchange.improve_d()
    if criterion == "G":
        exchange.improve_g()
    chosen = np.flatnonzero(exchange.inside)
    for margin, used in zip(margins, exchange.used, strict=True):
        if margin.faults(used):
            raise DataError(
                f"no layout of {count} marks was found that keeps the rule {margin.name!r}: {used.tolist()} marks of its classes, "
                f"{margin.low.tolist()} to "
                f"{margin.high.tolist()} are wanted; change the number of marks or the rules"
            )
    return _result(candidates, model, rows, chosen, criterion, margins, exchange.used)


def evaluate(candidates: OverlayMarks, model: OverlayModel, chosen: NDArray[np.int64]) -> Sampling:
    """The figures of a layout that somebody chose, to compare with an optimal one. DataError where it does not determine the terms."""
    refuse_deficient(rank_report(candidates.part(chosen), model))
    design = model.design(candidates)
    unit = design / np.sqrt((design * design).sum(axis=0) / candidates.count)
    rows = np.stack([unit[: candidates.count], unit[candidates.count :]], axis=1)
    return _result(candidates, model, rows, np.sort(chosen), None, [], [])


def _margins(marks: OverlayMarks, count: int, rules: Rules) -> list[_Margin]:
    found = []

    def equal(name: str, label: NDArray[np.int64]) -> _Margin:
        classes = int(label.max()) + 1
        return _Margin(name=name, label=label, low=np.full(classes, count // classes), high=np.full(classes, -(-count // classes)))

    if rules.equal_scan:
        if marks.scan_up is None:
            raise DataError("the candidates' scan directions are not known (scan_up); give them, or Rules(equal_scan=False)")
        found.append(equal("equal scan directions", marks.scan_up.astype(np.int64)))
    if rules.equal_places:
        found.append(equal("equal places in the field", marks.place))
    if rules.rings:
        radius = np.hypot(*marks.position_m.T)
        ring = np.minimum((rules.rings * (radius / radius.max()) ** 2).astype(np.int64), rules.rings - 1)
        share = count * np.bincount(ring, minlength=rules.rings) / marks.count
        found.append(
            _Margin(name="radial coverage", label=ring, low=np.floor(share).astype(np.int64), high=np.ceil(share).astype(np.int64))
        )
    if rules.most_per_field is not None:
        label = np.searchsorted(marks.fields, marks.field)
        found.append(
            _Margin(
                name="most marks per field",
                label=label,
                low=np.zeros(marks.fields.size, dtype=np.int64),
                high=np.full(marks.fields.size, rules.most_per_field),
            )
        )
    return found


class _Exchange:
    """A layout that is improved swap by swap. rows : (n, 2, p) of each candidate; inside : (n,) bool; used : marks of each class of each margin."""

    def __init__(self, rows: Array, margins: list[_Margin], count: int, random: np.random.Generator) -> None:
        self.rows, self.margins, self.random = rows, margins, random
        self.inside = np.zeros(rows.shape[0], dtype=bool)
        self.inside[random.permutation(rows.shape[0])[:count]] = True
        self.used = [np.bincount(margin.label[self.inside], minlength=margin.low.size) for margin in margins]
        self._invert()

    def _invert(self) -> None:
        some = self.rows[self.inside].reshape(-1, self.rows.shape[2])
        # A layout on the way may lack a term: a hair of all candidates keeps the inverse, and vanishes against a layout that has them all.
        everything = self.rows.reshape(-1, self.rows.shape[2])
        self.inverse: Array = np.asarray(np.linalg.inv(some.T @ some + 1e-9 * everything.T @ everything), dtype=np.float64)

    def _swap(self, out: int, come: int) -> None:
        self.inside[out], self.inside[come] = False, True
        for margin, used in zip(self.margins, self.used, strict=True):
            used[margin.label[out]] -= 1
            used[margin.label[come]] += 1
        self._invert()

    def _fault_change(self, out: int) -> NDArray[np.int64]:
        """(n,) by how much the faults of the rules change if `out` goes and each candidate comes."""
        change = np.zeros(self.rows.shape[0], dtype=np.int64)
        for margin, used in zip(self.margins, self.used, strict=True):
            without = used.copy()
            without[margin.label[out]] -= 1
            base = margin.faults(used)
            by_class = np.array([margin.faults(without + (np.arange(used.size) == one)) - base for one in range(used.size)])
            change += by_class[margin.label]
        return change

    def _gain_d(self, out: int) -> Array:
        """(n,) change of log det if `out` goes and each candidate comes."""
        inverse = self.inverse
        leaving = self.rows[out]
        carried = inverse @ leaving.T
        core = np.eye(2) - leaving @ carried
        without = inverse + carried @ np.linalg.solve(core, carried.T)
        x, y = self.rows[:, 0], self.rows[:, 1]
        x_carried, y_carried = x @ without, y @ without
        gained = np.log((1 + (x_carried * x).sum(axis=1)) * (1 + (y_carried * y).sum(axis=1)) - (x_carried * y).sum(axis=1) ** 2)
        result: Array = gained + math.log(max(float(np.linalg.det(core)), 1e-300))
        return result

    def improve_d(self) -> None:
        for _ in range(MOST_PASSES):
            better = False
            for out in self.random.permutation(np.flatnonzero(self.inside)).tolist():
                change = np.where(self.inside, np.iinfo(np.int64).max, self._fault_change(out))
                least = int(change.min())
                if least > 0:
                    continue
                gain = np.where(change == least, self._gain_d(out), -np.inf)
                come = int(np.argmax(gain))
                if least < 0 or gain[come] > GAIN:
                    self._swap(out, come)
                    better = True
            if not better:
                return

    def improve_g(self) -> None:
        """Bring in marks where the prediction is worst, for those that are missed least, as long as that gains.

        The largest variance stands at several places at once, so that no single swap may lower it: a high mean power of all is lowered,
        and the layout with the lowest maximum on the way is kept.
        """
        now = _variances(self.rows, self.inverse)
        kept, lowest, power = self.inside.copy(), float(now.max()), _power(now)
        for _ in range(MOST_PASSES * 10):
            best: tuple[float, int, int] | None = None
            outside = np.where(self.inside, -np.inf, _variances(self.rows, self.inverse))
            for come in np.argsort(-outside)[:WORST_PLACES].tolist():
                arriving = self.rows[come]
                carried = self.inverse @ arriving.T
                added = self.inverse - carried @ np.linalg.solve(np.eye(2) + arriving @ carried, carried.T)
                members = np.flatnonzero(self.inside)
                least_missed = members[np.argsort(_variances(self.rows[members], added))]
                allowed = [out for out in least_missed.tolist() if self._fault_change(out)[come] <= 0][:WORST_PLACES]
                for out in allowed:
                    leaving = self.rows[out]
                    carried = added @ leaving.T
                    core = np.eye(2) - leaving @ carried
                    if np.linalg.det(core) < 1e-9:
                        continue
                    reached = _power(_variances(self.rows, added + carried @ np.linalg.solve(core, carried.T)))
                    if best is None or reached < best[0]:
                        best = (reached, out, come)
            if best is None or best[0] >= power * (1 - GAIN):
                break
            self._swap(best[1], best[2])
            power = best[0]
            largest = float(_variances(self.rows, self.inverse).max())
            if largest < lowest:
                kept, lowest = self.inside.copy(), largest
        self.inside = kept
        self.used = [np.bincount(margin.label[kept], minlength=margin.low.size) for margin in self.margins]


def _variances(rows: Array, inverse: Array) -> Array:
    """(n,) larger prediction variance of the two components at each candidate."""
    largest: Array = ((rows @ inverse) * rows).sum(axis=2).max(axis=1)
    return largest


def _power(variances: Array) -> float:
    return float(np.mean(variances**HIGH_POWER) ** (1 / HIGH_POWER))


def _result(
    candidates: OverlayMarks,
    model: OverlayModel,
    rows: Array,
    chosen: NDArray[np.int64],
    criterion: Criterion | None,
    margins: list[_Margin],
    used: list[NDArray[np.int64]],
) -> Sampling:
    p, k, n = rows.shape[2], chosen.size, rows.shape[0]
    some, everything = rows[chosen].reshape(-1, p), rows.reshape(-1, p)
    log_det = float(np.linalg.slogdet(some.T @ some / k)[1] - np.linalg.slogdet(everything.T @ everything / n)[1])
    variance = ((rows @ np.linalg.inv(some.T @ some)) * rows).sum(axis=2)
    # The best continuous design has a worst total variance of both components of p/k (Kiefer and Wolfowitz 1960).
    exact = "exact, for marks whose noise is independent and equal"
    return Sampling(
        title=f"Overlay sampling, {model.name}: {k} of {n} marks" + (f", {criterion}-optimal by exchange" if criterion else ""),
        stated=(model.coordinates.value, *(f"rule: {margin.name}" for margin in margins)),
        figures=keyed(
            [
                figure("D_efficiency", "D-efficiency against all candidates", math.exp(log_det / p), "", exact, symbol="D eff"),
                figure(
                    "G_efficiency",
                    "G-efficiency, p/(k·max variance of both components)",
                    p / (k * float(variance.sum(axis=1).max())),
                    "",
                    exact,
                    symbol="G eff",
                ),
                figure(
                    "worst",
                    "largest standard deviation of a predicted component, per unit noise",
                    math.sqrt(float(variance.max())),
                    "",
                    exact,
                ),
                figure("mean", "root mean square of it over the candidates", math.sqrt(float(variance.mean())), "", exact),
            ]
        ),
        flags=(),
        criterion=criterion or "D",
        chosen=chosen,
        marks=candidates.part(chosen),
        counts={margin.name: tuple(count.tolist()) for margin, count in zip(margins, used, strict=True)},
    )
