"""VDI/DGQ 3441: statistical testing of the operational and positional accuracy of machine tools.

Formulas from memory of the guideline. Targets j = 1 … m, mean deviations x̄_j↑, x̄_j↓ and standard deviations s_j↑, s_j↓ (divisor n − 1):

    x̿_j = (x̄_j↑ + x̄_j↓)/2      U_j = |x̄_j↑ − x̄_j↓|      s̄_j = (s_j↑ + s_j↓)/2      P_sj = 6·s̄_j
    P_a = max x̿_j − min x̿_j      P = max[x̿_j + ½(U_j + P_sj)] − min[x̿_j − ½(U_j + P_sj)]

In this guideline U is the reversal span (Umkehrspanne); a measurement uncertainty stands in `Figure.uncertainty`.
"""

from __future__ import annotations

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
from .iso230_2 import budget_does_not_fit, plain
from .positioning import Array, Statistics, missing, statistics
from .table import html_table, text_table

Scatter = Literal["standard deviation", "range"]

RANGE_DIVISOR: Final = (1.128, 1.693, 2.059, 2.326, 2.534, 2.704, 2.847, 2.970, 3.078)
"""d_n for n = 2 … 10: expected range of n standard normal values."""

# key, symbol, name, approaches needed at each target and direction, key of the bound in the uncertainty budget
_FIGURES: Final = (
    ("P", "P", "positional uncertainty", 2, "A"),
    ("P_a", "P_a", "positional deviation", 1, "M"),
    ("P_s_max", "P_s max", "largest positional scatter", 2, "R_up"),
    ("P_s_mean", "P̄_s", "mean positional scatter", 2, "R_up"),
    ("U_max", "U_max", "largest reversal span", 1, "B"),
    ("U_mean", "Ū", "mean reversal span", 1, "B"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Figures of one axis, in m or rad (`unit`); arrays are read-only, with NaN where a quantity is not defined at a target.

    scatter : how s was had, "standard deviation" or "range".
    target : (m,) float64.
    count : (2, m) int64, approaches ↑ and ↓.
    mean_bidirectional : (m,) float64, x̿_j.
    reversal_span : (m,) float64, U_j ≥ 0.
    positional_scatter : (m,) float64, P_sj.
    figures : key ("P", "P_a", "P_s_max", "P_s_mean", "U_max", "U_mean") -> `Figure`; also as attributes, float or None.
    flags : one sentence for each gap in the recording.
    """

    axis: str
    kind: Kind
    unit: str
    scatter: Scatter
    target: Array
    count: NDArray[np.int64]
    mean_bidirectional: Array
    reversal_span: Array
    positional_scatter: Array
    figures: Mapping[str, Figure]
    flags: tuple[str, ...]

    @property
    def conforming(self) -> bool:
        """Whether the recording has no gap."""
        return not self.flags

    @property
    def P(self) -> float | None:
        """Positional uncertainty."""
        return self.figures["P"].value

    @property
    def P_a(self) -> float | None:
        """Positional deviation."""
        return self.figures["P_a"].value

    @property
    def P_s_max(self) -> float | None:
        """Largest positional scatter."""
        return self.figures["P_s_max"].value

    @property
    def P_s_mean(self) -> float | None:
        """Mean positional scatter."""
        return self.figures["P_s_mean"].value

    @property
    def U_max(self) -> float | None:
        """Largest reversal span."""
        return self.figures["U_max"].value

    @property
    def U_mean(self) -> float | None:
        """Mean reversal span."""
        return self.figures["U_mean"].value

    def _title(self) -> str:
        runs = self.count.max(axis=1)
        return (
            f"VDI/DGQ 3441, {self.kind} axis {self.axis}: {self.target.size} targets, {runs[UP]} runs ↑, {runs[DOWN]} runs ↓, "
            f"s from the {self.scatter}"
        )

    def __str__(self) -> str:
        return text_table(self._title(), tuple(self.figures.values()), self.flags)

    def _repr_html_(self) -> str:
        return html_table(self._title(), tuple(self.figures.values()), self.flags)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; SI values in full; None where a quantity is not defined."""
        return {
            "standard": "VDI/DGQ 3441",
            "scatter": self.scatter,
            "axis": self.axis,
            "kind": self.kind,
            "unit": self.unit,
            "target": self.target.tolist(),
            "count": self.count.tolist(),
            **{name: plain(getattr(self, name)) for name in ("mean_bidirectional", "reversal_span", "positional_scatter")},
            "figures": {key: figure.to_dict() for key, figure in self.figures.items()},
            "conforming": self.conforming,
            "flags": list(self.flags),
        }


def evaluate(recording: Positioning, *, scatter: Scatter = "standard deviation", uncertainty: Budget | None = None) -> Result:
    """Evaluate a positioning test.

    Parameters
    ----------
    recording : Positioning
        (2, m, n) actual positions in m or rad; approaches may be missing.
    scatter : "standard deviation", or "range" for the shortcut s = w/d_n from the range w of the n approaches (d_5 = 2.326; n = 2 … 10)
    uncertainty : Budget, optional
        U (k = 2) of every figure: the bounds of A, M, R↑ and B of ISO 230-2, which hold for P, P_a, P_s and U with a factor 3 of s
        (not for s from the range).

    Returns
    -------
    Result
        A figure that cannot be evaluated is None with its reason.

    Raises
    ------
    ValueError      an unknown kind of scatter, or a budget for the other kind of axis
    DataError       a rotary recording whose deviations lie on both sides of ±180°
    """
    if scatter not in ("standard deviation", "range"):
        raise ValueError(f"scatter is {scatter!r}; expected 'standard deviation' or 'range'")
    stats = statistics(recording)
    unfit = budget_does_not_fit(recording, stats, uncertainty)
    s = stats.s if scatter == "standard deviation" else _s_from_range(stats)
    positional_scatter = 6 * (s[UP] + s[DOWN]) / 2
    span = np.abs(stats.reversal)
    half = (span + positional_scatter) / 2
    centre = stats.mean_bidirectional
    formulas: dict[str, Callable[[], float]] = {
        "P": lambda: (centre + half).max() - (centre - half).min(),
        "P_a": lambda: centre.max() - centre.min(),
        "P_s_max": positional_scatter.max,
        "P_s_mean": positional_scatter.mean,
        "U_max": span.max,
        "U_mean": span.mean,
    }
    figures = {}
    for key, symbol, name, approaches, bound in _FIGURES:
        reason = _not_evaluated(recording, stats, approaches, scatter)
        u: float | None = None
        why_not = "the figure is not evaluated" if reason else unfit
        if why_not is None and approaches == 2 and scatter == "range":
            why_not = "the uncertainty budget is for s as a standard deviation"
        if uncertainty is not None and why_not is None:
            u, why_not = uncertainty.for_figure(bound, spread_factor=3.0)
        figures[key] = Figure(
            symbol=symbol, key=key, name=name, unit=recording.unit, value=None if reason else float(formulas[key]()), reason=reason,
            uncertainty=u, uncertainty_reason=why_not,
        )  # fmt: skip
    for array in (span, positional_scatter):
        array.flags.writeable = False
    return Result(
        axis=recording.axis, kind=recording.kind, unit=recording.unit, scatter=scatter, target=recording.target, count=stats.count,
        mean_bidirectional=centre, reversal_span=span, positional_scatter=positional_scatter, figures=MappingProxyType(figures),
        flags=tuple(rules.incomplete(recording, stats)),
    )  # fmt: skip


def _s_from_range(stats: Statistics) -> Array:
    """(2, m): w/d_n; NaN where n is not 2 … 10."""
    divisor = np.full(max(int(stats.count.max()) + 1, 11), np.nan)
    divisor[2:11] = RANGE_DIVISOR
    return np.asarray(stats.spread / divisor[stats.count])


def _not_evaluated(recording: Positioning, stats: Statistics, approaches: int, scatter: Scatter) -> str | None:
    reasons = [reason for direction in (UP, DOWN) if (reason := missing(recording, stats, direction, approaches))]
    most = int(stats.count.max())
    if approaches == 2 and scatter == "range" and most > 10:
        reasons.append(f"{most} approaches at a target: s from the range is for 2 to 10; take the standard deviation")
    return "; ".join(reasons) or None
