"""Figures and tables as CSV, for a spreadsheet or a program.

Numbers are numbers: SI and in full, so that they read back equal; the figures carry the printed value beside it. A cell of text that a spreadsheet would
take for a formula ("=HYPERLINK(…)") is marked as text with a leading apostrophe; numbers never are, so −1 stays a number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from precision.errors import PlanError

from .document import Document, Table
from .presentation import shown_figures
from .rounding import NO_VALUE
from .visible_text import visible

DECIMALS: Final = (".", ",")
SEPARATORS: Final = (",", ";", "\t", "|")
_FORMULA_STARTS: Final = frozenset("=+-@＝＋－＠")

HEADS: Final = ("key", "symbol", "name", "value", "U", "unit", "k", "limit", "decision", "remark", "value_SI", "U_SI", "limit_SI", "unit_SI")


def figures_csv(document: Document, *, decimal: str = ".", separator: str = ",") -> str:
    """All figures of the report, one a line, heads as `HEADS`; lines end in CR LF (RFC 4180).

    Raises
    ------
    PlanError       a decimal mark or separator that is not offered, or the same for both
    """
    lines: list[Sequence[str]] = [HEADS]
    for table in document.figures:
        for row, shown in zip(table.rows, shown_figures(table), strict=True):
            figure = row.figure
            lines.append(
                [
                    text_cell(figure.key),
                    text_cell(figure.symbol),
                    text_cell(figure.name),
                    _printed(shown.value, decimal),
                    _printed(shown.uncertainty, decimal),
                    text_cell(shown.unit),
                    _printed(shown.coverage_factor, decimal),
                    _printed(shown.limit, decimal),
                    shown.outcome.value if shown.outcome else "",
                    text_cell(shown.reasons),
                    _number(figure.value, decimal),
                    _number(figure.uncertainty, decimal),
                    _number(row.limit, decimal),
                    text_cell(figure.unit),
                ]
            )
    return _csv(lines, decimal, separator)


def table_csv(table: Table, *, decimal: str = ".", separator: str = ",") -> str:
    """One table; heads carry the SI unit: "Target (m)". A cell without a value is empty."""
    lines = [[text_cell(f"{column.name} ({column.unit})" if column.unit else column.name) for column in table.columns]]
    for row in table.rows:
        lines.append([text_cell(cell) if isinstance(cell, str) else _number(cell, decimal) for cell in row])
    return _csv(lines, decimal, separator)


def text_cell(text: str) -> str:
    """`text` on one line, never a formula.

    >>> text_cell("=1+1"), text_cell("spindle")
    ("'=1+1", 'spindle')
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA_STARTS and shown.strip() else shown


def _number(number: float | None, decimal: str) -> str:
    return "" if number is None else repr(number).replace(".", decimal)


def _printed(number: str, decimal: str) -> str:
    return "" if number == NO_VALUE else number.replace(".", decimal)


def _csv(lines: Sequence[Sequence[str]], decimal: str, separator: str) -> str:
    if decimal not in DECIMALS:
        raise PlanError(f"decimal mark is {decimal!r}; '.' or ',' is expected")
    if separator not in SEPARATORS:
        raise PlanError(f"separator is {separator!r}; one of ',', ';', '|' or a tab is expected")
    if decimal == separator:
        raise PlanError(f"decimal mark and separator are both {decimal!r}; choose ';' as separator with a decimal comma")
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue()
