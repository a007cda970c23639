"""From numbers to the words and digits of a report: one unit a table, aligned decimals, a dash with its reason where there is no number.

What HTML, Markdown, CSV and the terminal print is decided here once; the writers only escape and lay out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from . import rounding
from .decision import Outcome
from .document import Budget, Cell, FigureRow, FigureTable, Table
from .rounding import NO_VALUE

NO_UNCERTAINTY = "no uncertainty was evaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFigure:
    """One figure as text.

    reasons : why there is no value, no U, no decision, all of them.
    remark : the same without the reason for a missing U that the whole table shares (`shared_reason`).
    """

    symbol: str
    key: str
    name: str
    value: str
    uncertainty: str
    coverage_factor: str
    unit: str
    limit: str
    outcome: Outcome | None
    reasons: str
    remark: str
    headline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTable:
    """A table as text: column heads with their units, rows of cells, and which columns hold numbers."""

    title: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownContributor:
    """One contributor as text; `share` is its part of the sum of squares, 0…1, None where its U is not stated."""

    symbol: str
    name: str
    formula: str
    uncertainty: str
    unit: str
    share: float | None
    note: str


def shown_figures(table: FigureTable) -> tuple[ShownFigure, ...]:
    """The rows of a figure table as text. Figures of one SI unit share one printed unit; U has two significant digits."""
    shared = shared_reason(table)
    unit_of: dict[str, str] = {}
    decimals_of: dict[str, int] = {}
    for si_unit in {row.figure.unit for row in table.rows}:
        figures = [row.figure for row in table.rows if row.figure.unit == si_unit]
        limits = [row.limit for row in table.rows if row.figure.unit == si_unit]
        unit = table.unit if table.unit and _converts(table.unit, si_unit) else rounding.shared_unit([figure.value for figure in figures] + limits, si_unit)
        unit_of[si_unit] = unit
        decimals_of[si_unit] = rounding.column_decimals(None if figure.value is None else rounding.in_unit(figure.value, unit) for figure in figures)

    shown = []
    for row in table.rows:
        figure, decision = row.figure, row.decision
        unit = unit_of[figure.unit]
        value = uncertainty = NO_VALUE
        remarks, without_u = [], ""
        if figure.value is None:
            remarks.append(f"not evaluated: {figure.reason}")
        elif figure.uncertainty is None:
            value = rounding.rounded(rounding.in_unit(figure.value, unit), decimals_of[figure.unit])
            without_u = f"U not stated: {_uncertainty_reason(row)}"
        else:
            value, uncertainty = rounding.value_and_uncertainty(rounding.in_unit(figure.value, unit), rounding.in_unit(figure.uncertainty, unit))
        if decision is not None and decision.outcome is Outcome.UNDECIDED and figure.value is not None:
            remarks.append(decision.reason)
        shown.append(
            ShownFigure(
                symbol=figure.symbol,
                key=figure.key,
                name=figure.name,
                value=value,
                uncertainty=uncertainty,
                coverage_factor=f"{figure.coverage_factor:g}",
                unit=unit,
                limit=NO_VALUE if row.limit is None else rounding.plain(rounding.in_unit(row.limit, unit)),
                outcome=decision.outcome if decision else None,
                reasons="; ".join([without_u, *remarks] if without_u else remarks),
                remark="; ".join([without_u, *remarks] if without_u and not shared else remarks),
                headline=row.headline,
            )
        )
    return tuple(shown)


def shared_reason(table: FigureTable) -> str:
    """Why U is missing, where it is missing from several figures and always for the same reason; else "". A table prints it once."""
    reasons = [_uncertainty_reason(row) for row in table.rows if row.figure.value is not None and row.figure.uncertainty is None]
    return reasons[0] if len(reasons) > 1 and len(set(reasons)) == 1 else ""


def _uncertainty_reason(row: FigureRow) -> str:
    return row.figure.uncertainty_reason or NO_UNCERTAINTY


def _converts(unit: str, si_unit: str) -> bool:
    """Whether a wish such as "µm" means anything for a figure in `si_unit`."""
    return unit in {"m": ("m", "mm", "µm", "nm", "pm"), "rad": ("rad", "mrad", "µrad", "nrad", "deg", "arcsec"), "s": ("s", "ms", "µs", "ns")}.get(si_unit, ())


def shown_table(table: Table) -> ShownTable:
    """A table as text: columns of one SI unit and family share the printed unit and the decimals."""
    families: dict[tuple[str, str], list[list[float]]] = {}
    for position, column in enumerate(table.columns):
        if column.unit is not None:
            values = [float(cell) for row in table.rows if isinstance(cell := row[position], (int, float))]
            families.setdefault((column.unit, column.family), []).append(values)
    unit_of = {key: rounding.shared_unit(itertools.chain(*columns), key[0]) for key, columns in families.items()}
    decimals_of = {
        key: rounding.family_decimals([[rounding.in_unit(value, unit_of[key]) for value in column] for column in columns]) for key, columns in families.items()
    }

    def cell_text(cell: Cell, unit: str | None, family: str) -> str:
        if cell is None:
            return NO_VALUE
        if unit is None:
            return f"{cell:g}" if isinstance(cell, float) else str(cell)
        return rounding.rounded(rounding.in_unit(float(cell), unit_of[unit, family]), decimals_of[unit, family])

    return ShownTable(
        title=table.title,
        names=tuple(column.name for column in table.columns),
        units=tuple("" if column.unit is None else unit_of[column.unit, column.family] for column in table.columns),
        numeric=tuple(_is_numeric(table, position) for position in range(len(table.columns))),
        rows=tuple(
            tuple(cell_text(cell, column.unit, column.family) for cell, column in zip(row, table.columns, strict=True)) for row in table.rows
        ),
        note=table.note,
    )


def _is_numeric(table: Table, position: int) -> bool:
    return table.columns[position].unit is not None or not any(isinstance(row[position], str) for row in table.rows)


def shown_budget(budget: Budget) -> tuple[tuple[ShownContributor, ...], str, str]:
    """Contributors, largest first, and the total U with the unit of all: (rows, total, unit)."""
    stated = [row.uncertainty for row in budget.rows if row.uncertainty is not None]
    unit = rounding.shared_unit([*stated, budget.total], budget.unit)
    sum_of_squares = sum(value * value for value in stated)
    rows = []
    for row in sorted(budget.rows, key=lambda row: -1.0 if row.uncertainty is None else row.uncertainty, reverse=True):
        share = None if row.uncertainty is None else (row.uncertainty**2 / sum_of_squares if sum_of_squares else 0.0)
        rows.append(
            ShownContributor(
                symbol=row.symbol, name=row.name, formula=row.formula, uncertainty=_two_digits(row.uncertainty, unit), unit=unit, share=share, note=row.note
            )
        )
    return tuple(rows), _two_digits(budget.total, unit), unit


def _two_digits(uncertainty: float | None, unit: str) -> str:
    if uncertainty is None:
        return NO_VALUE
    return rounding.value_and_uncertainty(0.0, rounding.in_unit(uncertainty, unit))[1]


def split_at_decimals(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Each number with the padding that aligns its decimal point with the others: "12.3", "4" -> ("12.3", ""), ("4", ".0").

    The padding is meant to be printed invisibly. Text that is no number gets none.
    """
    places = [len(text.partition(".")[2]) if _is_number(text) else None for text in texts]
    widest = max((count for count in places if count is not None), default=0)
    return [
        (text, "" if count is None or count == widest else ("" if "." in text else ".") + "0" * (widest - count))
        for text, count in zip(texts, places, strict=True)
    ]


def _is_number(text: str) -> bool:
    return bool(text) and text.lstrip("-").replace(".", "", 1).isdigit()
