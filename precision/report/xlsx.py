"""The report as a workbook: figures, tables, budgets, conditions and notes, a sheet each.

Numbers are numbers: SI and in full; the figures carry the printed value beside it. Text is written as text, never as a formula or a link, and what a
spreadsheet would take for a formula when the sheet is saved as CSV has a leading apostrophe. The charts are left out.
"""

from __future__ import annotations

import datetime
import importlib.util
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from precision.errors import PlanError

from .csv_text import HEADS, text_cell
from .document import NOT_RECORDED, Budget, Cell, Document
from .presentation import shown_budget, shown_figures
from .rounding import NO_VALUE

_OPTIONS: Final = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_CREATED: Final = datetime.datetime(1980, 1, 1)
"""The first day that a ZIP archive knows: the same document gives the same bytes."""
_SHEET_NAME: Final = 31
_SHEET_ROWS: Final = 1 << 20


def xlsx(document: Document) -> bytes:
    """The whole file.

    Raises
    ------
    PlanError       the library that writes it is not installed, or a table has more rows than a sheet
    """
    if importlib.util.find_spec("xlsxwriter") is None:
        raise PlanError('xlsx needs the library xlsxwriter, which is not installed: pip install "precision-bench[xlsx]"; or take csv')
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"created": _CREATED})
        head = book.add_format({"bold": True})
        names: set[str] = set()

        def sheet(title: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
            made = book.add_worksheet(_sheet_name(title, names))
            made.freeze_panes(1, 0)
            for place, text in enumerate(heads):
                made.write_string(0, place, text_cell(text), head)
                made.set_column(place, place, 14 if place else 24)
            for number, row in enumerate(rows, start=1):
                if number >= _SHEET_ROWS:
                    raise PlanError(f"table {title[:80]!r} has more rows than a workbook holds ({_SHEET_ROWS - 1}); take csv")
                for place, cell in enumerate(row):
                    _write(made, number, place, cell)

        sheet("Figures", HEADS, _figures(document))
        sheet("Report", ("what", "value"), _said(document))
        for table in document.tables:
            sheet(table.title, [f"{column.name} ({column.unit})" if column.unit else column.name for column in table.columns], table.rows)
        for budget in document.budgets:
            heads = ("symbol", "contributor", "from", "U", "unit", "share of U²", "note", "U_SI", "unit_SI")
            sheet(budget.title, heads, _budget_rows(budget))
    return buffer.getvalue()


def _sheet_name(title: str, taken: set[str]) -> str:
    """A name that a workbook accepts: at most 31 letters, digits, blanks and dashes, not given twice whatever the case."""
    plain = re.sub(r"[^\w \-]+", " ", title).strip().strip("'")[: _SHEET_NAME - 4].strip() or "Table"
    name, number = plain, 1
    while name.lower() in taken or name.lower() == "history":  # "History" is reserved
        number += 1
        name = f"{plain} {number}"
    taken.add(name.lower())
    return name


def _write(sheet: Any, row: int, place: int, cell: Cell) -> None:
    if isinstance(cell, str):
        sheet.write_string(row, place, text_cell(cell))
    elif cell is not None:
        sheet.write_number(row, place, cell)


def _figures(document: Document) -> Iterable[Sequence[Cell]]:
    for table in document.figures:
        for row, shown in zip(table.rows, shown_figures(table), strict=True):
            figure = row.figure
            yield (
                figure.key, figure.symbol, figure.name, _printed(shown.value), _printed(shown.uncertainty), shown.unit, _printed(shown.coverage_factor),
                _printed(shown.limit), shown.outcome.value if shown.outcome else "", shown.reasons, figure.value, figure.uncertainty, row.limit, figure.unit,
            )  # fmt: skip


def _said(document: Document) -> Iterable[Sequence[Cell]]:
    yield "title", document.title
    yield "subtitle", document.subtitle
    verdict = document.verdict
    yield "verdict", document.undecided_because or "measured" if verdict is None else f"{verdict.headline}: {verdict.detail}"
    if verdict is not None and verdict.rule is not None:
        yield "decision rule", verdict.rule.statement
    for note in document.notes:
        yield note.kind, note.text
    for group in document.header:
        for label, value in group.rows:
            yield f"{group.title}: {label}", NOT_RECORDED if value is None else value
    for label, value in document.provenance.rows:
        yield label, NOT_RECORDED if value is None else value


def _budget_rows(budget: Budget) -> Iterable[Sequence[Cell]]:
    si = {(row.symbol, row.name): row.uncertainty for row in budget.rows}
    contributors, total, unit = shown_budget(budget)
    for row in contributors:
        yield (row.symbol, row.name, row.formula, _printed(row.uncertainty), row.unit, row.share, row.note, si[row.symbol, row.name], budget.unit)
    yield "U", "Expanded uncertainty, k = 2", "", _printed(total), unit, None, budget.note, budget.total, budget.unit


def _printed(text: str) -> float | None:
    return None if text == NO_VALUE else float(text)
