"""The tables behind the charts of a positioning test: results at each target, and every reading."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .document import Cell, Column, Table
from .positioning_charts import PositioningCurves


def target_table(curves: PositioningCurves, *, repeatability: NDArray[np.float64] | None = None) -> Table:
    """One row a target: x̄_i↑, x̄_i↓, x̄_i, B_i, s_i↑, s_i↓ and, where given, R_i.

    Parameters
    ----------
    repeatability : (m,) float64, optional
        Bidirectional repeatability R_i, m or rad; NaN where it cannot be evaluated.

    Raises
    ------
    ValueError      repeatability has another shape than (m,)
    """
    unit = curves.unit
    columns = [Column(name="i"), Column(name="Target", unit=unit, family="position")]
    values = [curves.mean[0], curves.mean[1], curves.centre, curves.reversal, curves.s[0], curves.s[1]]
    columns += [Column(name=name, unit=unit) for name in ("x̄↑", "x̄↓", "x̄", "B", "s↑", "s↓")]
    if repeatability is not None:
        if np.shape(repeatability) != curves.target.shape:
            raise ValueError(f"repeatability has shape {np.shape(repeatability)}; {curves.target.shape} is expected, one a target")
        values.append(np.asarray(repeatability, dtype=np.float64))
        columns.append(Column(name="R", unit=unit))
    rows: list[list[Cell]] = [[index + 1, float(target), *(_cell(value[index]) for value in values)] for index, target in enumerate(curves.target)]
    return Table(title="Results at each target", columns=columns, rows=rows, note="x̄ mean deviation, B reversal, s estimator of the repeatability, R repeatability.")


def reading_table(curves: PositioningCurves) -> Table:
    """One row a target, one column a run and direction: the deviations as they were measured."""
    runs = curves.deviation.shape[2]
    columns = [Column(name="Target", unit=curves.unit, family="position")]
    columns += [Column(name=f"{run + 1}{arrow}", unit=curves.unit) for arrow in "↑↓" for run in range(runs)]
    rows: list[list[Cell]] = [
        [float(target), *(_cell(curves.deviation[direction, index, run]) for direction in (0, 1) for run in range(runs))] for index, target in enumerate(curves.target)
    ]
    return Table(title="Readings", columns=columns, rows=rows, note="Actual minus target, by run and direction of approach.")


def _cell(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
