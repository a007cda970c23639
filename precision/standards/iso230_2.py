"""ISO 230-2: accuracy and repeatability of positioning of numerically controlled axes; editions 2014, 2006, 1997 and 1988.

Formulas from memory of the standard, confirmed on published data sets. GB/T 17421.2, JIS B 6190-2 and GOST ISO 230-2 are identical adoptions;
GOST 27843-88 and GB 10931-89 follow the 1988 edition.

Targets i = 1 … m, runs j = 1 … n, deviation x_ij = actual − target, approach ↑ or ↓; k = 2, in 1988 k = 3:

    x̄_i↑ = Σ_j x_ij↑ / n          s_i↑ = √(Σ_j (x_ij↑ − x̄_i↑)² / (n − 1))          R_i↑ = 2k·s_i↑
    x̄_i = (x̄_i↑ + x̄_i↓)/2         B_i = x̄_i↑ − x̄_i↓          R_i = max(k·s_i↑ + k·s_i↓ + |B_i|; R_i↑; R_i↓)
    B = max |B_i|     B̄ = Σ B_i / m     R = max R_i     R↑ = max R_i↑     M = max x̄_i − min x̄_i
    E↑ = max x̄_i↑ − min x̄_i↑                          E = max(x̄_i↑, x̄_i↓) − min(x̄_i↑, x̄_i↓)
    A↑ = max(x̄_i↑ + k·s_i↑) − min(x̄_i↑ − k·s_i↑)      A = the same over both directions
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..figures import Figure
from ..recording import DOWN, UP, Kind, Positioning
from ..uncertainty.positioning import Budget
from . import iso230_2_rules as rules
from .positioning import Array, Statistics, missing, statistics
from .table import html_table, text_table

Edition = Literal["2014", "2006", "1997", "1988"]

COVERAGE_FACTOR: Final[Mapping[Edition, float]] = MappingProxyType({"2014": 2.0, "2006": 2.0, "1997": 2.0, "1988": 3.0})

BOTH: Final = (UP, DOWN)

# key, symbol, name since 2014, name before, directions that it needs, approaches that it needs at each target (two for anything with s)
_FIGURES: Final = (
    ("A", "A", "bidirectional positioning accuracy of an axis", "bidirectional accuracy of positioning of an axis", BOTH, 2),
    ("A_up", "A↑", "unidirectional positioning accuracy of an axis, positive approach", "unidirectional accuracy of positioning of an axis, positive approach", (UP,), 2),
    ("A_down", "A↓", "unidirectional positioning accuracy of an axis, negative approach", "unidirectional accuracy of positioning of an axis, negative approach", (DOWN,), 2),
    ("E", "E", "bidirectional systematic positioning error of an axis", "bidirectional systematic positional deviation of an axis", BOTH, 1),
    ("E_up", "E↑", "unidirectional systematic positioning error of an axis, positive approach", "unidirectional systematic positional deviation of an axis, positive approach", (UP,), 1),
    ("E_down", "E↓", "unidirectional systematic positioning error of an axis, negative approach", "unidirectional systematic positional deviation of an axis, negative approach", (DOWN,), 1),
    ("M", "M", "mean bidirectional positioning error of an axis", "mean bidirectional positional deviation of an axis", BOTH, 1),
    ("R", "R", "bidirectional positioning repeatability of an axis", "bidirectional repeatability of positioning of an axis", BOTH, 2),
    ("R_up", "R↑", "unidirectional positioning repeatability of an axis, positive approach", "unidirectional repeatability of positioning of an axis, positive approach", (UP,), 2),
    ("R_down", "R↓", "unidirectional positioning repeatability of an axis, negative approach", "unidirectional repeatability of positioning of an axis, negative approach", (DOWN,), 2),
    ("B", "B", "reversal error of an axis", "reversal value of an axis", BOTH, 1),
    ("B_mean", "B̄", "mean reversal error of an axis", "mean reversal value of an axis", BOTH, 1),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Figures of one axis. Lengths in m, angles in rad (`unit`); arrays are read-only, with NaN where a quantity is not defined at a target
    (the figures that would need it are then None, with the reason).

    axis, kind, unit : as recorded; "m" or "rad".
    edition, coverage_factor : edition of ISO 230-2, and the k by which s is multiplied.
    target : (m,) float64.
    count : (2, m) int64, approaches n_i ↑ and ↓.
    mean : (2, m) float64, mean unidirectional deviation x̄_i↑, x̄_i↓.
    mean_bidirectional : (m,) float64, x̄_i.
    reversal : (m,) float64, B_i, signed: positive where the positive approach ends further on.
    estimator : (2, m) float64, s_i↑, s_i↓, divisor n_i − 1.
    repeatability : (2, m) float64, R_i↑, R_i↓.
    repeatability_bidirectional : (m,) float64, R_i.
    figures : key ("A", "A_up", … "B_mean") -> `Figure`, with its uncertainty or the reason why there is none; also as attributes, float or None.
    flags : one sentence for each departure from the test that the standard describes.
    """

    axis: str
    kind: Kind
    unit: str
    edition: Edition
    coverage_factor: float
    target: Array
    count: NDArray[np.int64]
    mean: Array
    mean_bidirectional: Array
    reversal: Array
    estimator: Array
    repeatability: Array
    repeatability_bidirectional: Array
    figures: Mapping[str, Figure]
    flags: tuple[str, ...]

    @property
    def conforming(self) -> bool:
        """Whether the recording shows no departure from the test that the standard describes."""
        return not self.flags

    @property
    def A(self) -> float | None:
        """Bidirectional accuracy."""
        return self.figures["A"].value

    @property
    def A_up(self) -> float | None:
        """Unidirectional accuracy A↑."""
        return self.figures["A_up"].value

    @property
    def A_down(self) -> float | None:
        """Unidirectional accuracy A↓."""
        return self.figures["A_down"].value

    @property
    def E(self) -> float | None:
        """Bidirectional systematic error."""
        return self.figures["E"].value

    @property
    def E_up(self) -> float | None:
        """Unidirectional systematic error E↑."""
        return self.figures["E_up"].value

    @property
    def E_down(self) -> float | None:
        """Unidirectional systematic error E↓."""
        return self.figures["E_down"].value

    @property
    def M(self) -> float | None:
        """Mean bidirectional positioning error."""
        return self.figures["M"].value

    @property
    def R(self) -> float | None:
        """Bidirectional repeatability: the largest R_i, not the larger of R↑ and R↓."""
        return self.figures["R"].value

    @property
    def R_up(self) -> float | None:
        """Unidirectional repeatability R↑."""
        return self.figures["R_up"].value

    @property
    def R_down(self) -> float | None:
        """Unidirectional repeatability R↓."""
        return self.figures["R_down"].value

    @property
    def B(self) -> float | None:
        """Reversal error: the largest |B_i|."""
        return self.figures["B"].value

    @property
    def B_mean(self) -> float | None:
        """Mean reversal error B̄, signed."""
        return self.figures["B_mean"].value

    def _title(self) -> str:
        runs = self.count.max(axis=1)
        return (
            f"ISO 230-2:{self.edition}, {self.kind} axis {self.axis}: {self.target.size} targets, {runs[UP]} runs ↑, {runs[DOWN]} runs ↓, "
            f"coverage factor k = {self.coverage_factor:g}"
        )

    def __str__(self) -> str:
        return text_table(self._title(), tuple(self.figures.values()), self.flags)

    def _repr_html_(self) -> str:
        return html_table(self._title(), tuple(self.figures.values()), self.flags)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; SI values in full; None where a quantity is not defined."""
        arrays = ("mean", "mean_bidirectional", "reversal", "estimator", "repeatability", "repeatability_bidirectional")
        return {
            "standard": "ISO 230-2",
            "edition": self.edition,
            "coverage_factor": self.coverage_factor,
            "axis": self.axis,
            "kind": self.kind,
            "unit": self.unit,
            "target": self.target.tolist(),
            "count": self.count.tolist(),
            **{name: plain(getattr(self, name)) for name in arrays},
            "figures": {key: figure.to_dict() for key, figure in self.figures.items()},
            "conforming": self.conforming,
            "flags": list(self.flags),
        }


def plain(array: Array) -> list[Any]:
    """An array as nested lists of floats, None for NaN."""
    return [plain(row) for row in array] if array.ndim > 1 else [None if math.isnan(value) else value for value in array.tolist()]


def evaluate(recording: Positioning, *, edition: Edition = "2014", uncertainty: Budget | None = None) -> Result:
    """Evaluate a positioning test.

    Parameters
    ----------
    recording : Positioning
        (2, m, n) actual positions in m or rad; approaches may be missing. n_i is counted for each target and direction.
    edition : "2014", "2006", "1997" (k = 2, other names) or "1988" (k = 3)
    uncertainty : Budget, optional
        U (k = 2) of every figure, from `precision.uncertainty.positioning.budget`. A budget made for more runs, fewer targets or a shorter length
        than recorded would claim too little; then U is None with that reason.

    Returns
    -------
    Result
        A figure that cannot be evaluated is None with its reason: no s with fewer than two approaches at a target, no bidirectional figure with one
        direction only. With n = 1 on an axis beyond 2000 mm or 360°, as the standard asks there, only B, B̄, E and M exist.

    Raises
    ------
    ValueError      an unknown edition, or a budget for the other kind of axis
    DataError       a rotary recording whose deviations lie on both sides of ±180°

    Examples
    --------
    >>> from precision.recording import Positioning
    >>> recording = Positioning.from_rows(axis="X", target=[0, 0, 0, 0], run=[1, 2, 1, 2], direction=[0, 0, 1, 1], actual=[3e-6, 3e-6, 1e-6, 1e-6])
    >>> f"{evaluate(recording).B:.6f}"
    '0.000002'
    """
    if edition not in COVERAGE_FACTOR:
        raise ValueError(f"edition is {edition!r}; expected one of {', '.join(COVERAGE_FACTOR)}")
    factor = COVERAGE_FACTOR[edition]
    stats = statistics(recording)
    unidirectional = 2 * factor * stats.s
    bidirectional = np.maximum(factor * (stats.s[UP] + stats.s[DOWN]) + np.abs(stats.reversal), unidirectional.max(axis=0))
    for array in (unidirectional, bidirectional):
        array.flags.writeable = False
    return Result(
        axis=recording.axis,
        kind=recording.kind,
        unit=recording.unit,
        edition=edition,
        coverage_factor=factor,
        target=recording.target,
        count=stats.count,
        mean=stats.mean,
        mean_bidirectional=stats.mean_bidirectional,
        reversal=stats.reversal,
        estimator=stats.s,
        repeatability=unidirectional,
        repeatability_bidirectional=bidirectional,
        figures=_figures(recording, stats, unidirectional, bidirectional, edition, uncertainty),
        flags=tuple(rules.departures(recording, stats)),
    )


def _figures(
    recording: Positioning, stats: Statistics, unidirectional: Array, bidirectional: Array, edition: Edition, budget: Budget | None
) -> Mapping[str, Figure]:
    factor = COVERAGE_FACTOR[edition]
    low, high = stats.mean - factor * stats.s, stats.mean + factor * stats.s
    formulas: dict[str, Callable[[], float]] = {
        "A": lambda: high.max() - low.min(),
        "A_up": lambda: high[UP].max() - low[UP].min(),
        "A_down": lambda: high[DOWN].max() - low[DOWN].min(),
        "E": lambda: stats.mean.max() - stats.mean.min(),
        "E_up": lambda: stats.mean[UP].max() - stats.mean[UP].min(),
        "E_down": lambda: stats.mean[DOWN].max() - stats.mean[DOWN].min(),
        "M": lambda: stats.mean_bidirectional.max() - stats.mean_bidirectional.min(),
        "R": lambda: bidirectional.max(),
        "R_up": lambda: unidirectional[UP].max(),
        "R_down": lambda: unidirectional[DOWN].max(),
        "B": lambda: np.abs(stats.reversal).max(),
        "B_mean": lambda: stats.reversal.mean(),
    }
    no_budget = budget_does_not_fit(recording, stats, budget)
    figures = {}
    for key, symbol, name, older_name, directions, approaches in _FIGURES:
        reason = _not_evaluated(recording, stats, directions, approaches, edition)
        uncertainty: float | None = None
        why_not = "the figure is not evaluated" if reason else no_budget
        if budget is not None and why_not is None:
            uncertainty, why_not = budget.for_figure(key, spread_factor=factor)
        figures[key] = Figure(
            symbol=symbol,
            key=key,
            name=name if edition == "2014" else older_name,
            unit=recording.unit,
            value=None if reason else float(formulas[key]()),
            reason=reason,
            uncertainty=uncertainty,
            uncertainty_reason=why_not,
        )
    return MappingProxyType(figures)


def _not_evaluated(recording: Positioning, stats: Statistics, directions: tuple[int, ...], approaches: int, edition: Edition) -> str | None:
    reasons = [reason for direction in directions if (reason := missing(recording, stats, direction, approaches))]
    if not reasons:
        return None
    if approaches == 2 and rules.is_long(recording) and all(np.all(stats.count[direction] == 1) for direction in directions):
        clauses = " clause 6.2, which leaves out 3.18 to 3.22, 3.26 and 3.27" if edition == "2014" else ""
        axis = "2000 mm" if recording.kind == "linear" else "360°"
        return f"one approach each way (n = 1), as for an axis beyond {axis}: no s, no repeatability, no accuracy (ISO 230-2:{edition}{clauses})"
    return "; ".join(reasons)


def budget_does_not_fit(recording: Positioning, stats: Statistics, budget: Budget | None) -> str | None:
    """Why this budget would claim too little for this recording; None if it fits. ValueError if it is for the other kind of axis."""
    if budget is None:
        return "no uncertainty budget was given"
    if budget.kind != recording.kind:
        raise ValueError(f"uncertainty is a budget for a {budget.kind} axis, the recording is of a {recording.kind} one; make it from the matching contributors")
    fewest = int(stats.count[stats.count > 0].min(initial=budget.runs))
    span = float(recording.target[-1] - recording.target[0])
    if budget.runs > fewest:
        return f"the uncertainty budget is for {budget.runs} runs, but a target has only {fewest}"
    if budget.targets < recording.target.size:
        return f"the uncertainty budget is for {budget.targets} targets, but {recording.target.size} were measured"
    if budget.measured_length_m is not None and span > budget.measured_length_m * (1 + 1e-9):
        return f"the uncertainty budget is for {budget.measured_length_m:g} m, but the targets span {span:g} m"
    return None
