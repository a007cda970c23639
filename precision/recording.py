"""Recordings: frozen arrays as an instrument gave them, checked once.

Sign, fixed here and nowhere else: **deviation = actual − target**; direction 0 is ↑ (approach in the positive direction), 1 is ↓.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import units
from .errors import DataError

UP, DOWN = 0, 1
Kind = Literal["linear", "rotary"]
Cycle = Literal["standard", "step"]

LARGEST_POSITION = 1e6
"""m or rad. A larger number is no position of a machine (and its square would overflow long before float64 ends)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positioning:
    """Actual positions of an axis at target positions, approached from both sides in several runs (ISO 230-2).

    axis : name of the axis ("X").
    kind : "linear" (metres) or "rotary" (radians).
    cycle : "standard", or "step" (all approaches at a target before the next; not for acceptance).
    target : (m,) float64, m or rad, strictly ascending.
    actual : (2, m, n) float64, m or rad — direction (↑, ↓), target, run. NaN where `valid` is False.
    valid : (2, m, n) bool — whether that approach was measured.
    """

    axis: str
    kind: Kind = "linear"
    cycle: Cycle = "standard"
    target: NDArray[np.float64]
    actual: NDArray[np.float64]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        target = np.array(self.target, dtype=np.float64)
        actual = np.array(self.actual, dtype=np.float64)
        valid = np.array(self.valid, dtype=np.bool_)
        if self.kind not in ("linear", "rotary") or self.cycle not in ("standard", "step"):
            raise DataError(f"kind is {self.kind!r} and cycle {self.cycle!r}; expected 'linear' or 'rotary', and 'standard' or 'step'")
        if target.ndim != 1 or target.size == 0:
            raise DataError(f"target has shape {target.shape}; expected (m,) with at least one target")
        if actual.ndim != 3 or actual.shape[:2] != (2, target.size) or valid.shape != actual.shape:
            raise DataError(f"actual has shape {actual.shape} and valid {valid.shape}; expected (2, {target.size}, n): direction, target, run")
        if not np.all(np.isfinite(target)) or not np.all(np.diff(target) > 0):
            raise DataError("targets must be finite and strictly ascending")
        if not np.all(np.isfinite(actual[valid])):
            raise DataError("a valid reading is not a finite number")
        largest = max(np.abs(target).max(), np.abs(actual[valid]).max(initial=0.0))
        if largest > LARGEST_POSITION:
            raise DataError(f"a position of {largest:g} is no position in {self.unit}; expected SI units, at most {LARGEST_POSITION:g}")
        actual[~valid] = np.nan
        for name, array in (("target", target), ("actual", actual), ("valid", valid)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def unit(self) -> str:
        """SI unit of `target` and `actual`: "m" or "rad"."""
        return _si_unit(self.kind)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(2, m, n) float64: actual − target, NaN where not measured; a rotary axis is wrapped into (−π, π]."""
        deviation = self.actual - self.target[None, :, None]
        if self.kind == "rotary":
            # Whole turns are taken off; what lies inside is left as it is, to the last bit.
            deviation = deviation - 2 * math.pi * np.ceil((deviation - math.pi) / (2 * math.pi))
        return deviation

    @classmethod
    def from_rows(
        cls,
        *,
        axis: str,
        target: ArrayLike,
        run: Sequence[int] | NDArray[np.int64],
        direction: Sequence[int] | NDArray[np.int64],
        actual: ArrayLike,
        kind: Kind = "linear",
        cycle: Cycle = "standard",
        tolerance: float = 0.0,
    ) -> Positioning:
        """A recording from one row an approach, in any order: target, run (any integers), direction (0 ↑, 1 ↓), actual.

        Targets within `tolerance` (m or rad) of each other are one target, the lowest of them. A (target, run, direction) that comes twice with the same reading is
        kept once; with different readings it is refused. A missing approach stays missing.

        Raises
        ------
        DataError       naming the row (counted from 1): not finite, wrong direction, a run that is no integer, a contradiction, or targets that
                        are close to each other in a chain longer than the tolerance
        """
        targets = np.asarray(target, dtype=np.float64)
        actuals = np.asarray(actual, dtype=np.float64)
        runs, directions = np.asarray(run), np.asarray(direction)
        if not targets.shape == actuals.shape == runs.shape == directions.shape or targets.ndim != 1 or targets.size == 0:
            raise DataError(
                f"a recording needs the same number of targets, runs, directions and readings, and at least one; "
                f"found {targets.shape}, {runs.shape}, {directions.shape} and {actuals.shape}"
            )
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise DataError(f"tolerance is {float(tolerance)}; expected a distance in m or rad, zero or more")
        if runs.dtype.kind not in "iu":
            raise DataError(f"run has values of type {runs.dtype}, first {runs.tolist()[0]!r}; expected integers")
        for name, values in (("target", targets), ("actual position", actuals)):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise DataError(f"row {bad[0] + 1}: {name} is {values[bad[0]]}, not a finite number; correct or remove the row")
        wrong = np.flatnonzero((directions != UP) & (directions != DOWN))
        if wrong.size:
            raise DataError(f"row {wrong[0] + 1}: direction is {directions[wrong[0]]}; 0 (positive approach) or 1 (negative) is expected")

        order = np.sort(targets)
        starts = np.flatnonzero(np.concatenate([[True], np.diff(order) > tolerance]))
        distinct = order[starts]
        index = np.searchsorted(distinct, targets, side="right") - 1
        chained = np.flatnonzero(targets - distinct[index] > tolerance)
        if chained.size:
            row = int(chained[0])
            raise DataError(
                f"row {row + 1}: target {' belongs to '.join(_told(kind, targets[row], distinct[index[row]]))} by steps within the tolerance of "
                f"{units.text(tolerance, _si_unit(kind))}, but that is further away; make the tolerance smaller than half the distance between targets"
            )
        run_numbers, column = np.unique(runs, return_inverse=True)
        if 2 * distinct.size * run_numbers.size > 20 * targets.size + 1_000_000:
            raise DataError(
                f"{targets.size} rows name {distinct.size} targets and {run_numbers.size} runs: nearly all of the {2 * distinct.size * run_numbers.size} approaches "
                "would be missing. A run visits every target from both sides; number the runs (not the rows), and give nominal targets (not measured positions)"
            )
        table = np.full((2, distinct.size, run_numbers.size), np.nan)
        for row in range(targets.size):
            place = (int(directions[row]), int(index[row]), int(column[row]))
            if not np.isnan(table[place]) and table[place] != actuals[row]:
                before, now = _told(kind, table[place], actuals[row])
                raise DataError(
                    f"row {row + 1}: target {_told(kind, distinct[index[row]])[0]} in run {runs[row]}, direction {'↑↓'[place[0]]}, was already given with another "
                    f"reading ({before}, now {now}); number the runs or remove one"
                )
            table[place] = actuals[row]
        return cls(axis=axis, kind=kind, cycle=cycle, target=distinct, actual=table, valid=~np.isnan(table))


def _si_unit(kind: Kind) -> str:
    return "rad" if kind == "rotary" else "m"


def _told(kind: Kind, *positions: float) -> list[str]:
    """Positions as a message shows them, to as many digits as tell them apart: in mm or degrees, as machines are commanded."""
    si_unit, shown = _si_unit(kind), "deg" if kind == "rotary" else "mm"
    for digits in (7, 10, 16):
        texts = [units.text(float(position), si_unit, unit=shown, digits=digits) for position in positions]
        if len(set(texts)) == len(texts):
            return texts
    return [f"{float(position)!r} {si_unit}" for position in positions]
