"""The report as PDF, for a customer and for the file: A4, fonts inside, no script, no link, no attachment.

It is set by Typst from a template of our own. What the report says goes there as one JSON string and is printed as strings: nothing in it is ever
markup, so nothing has to be escaped. The same document gives the same bytes on a computer with the same fonts; letters that the report's own font
lacks come from those of the system.
"""

from __future__ import annotations

import functools
import importlib.resources
import importlib.util
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from precision.errors import DataError, PlanError

from . import symbols
from .decision import Outcome
from .document import Chart, Document, FigureTable, Table
from .drawing import LAYOUT_FONT, SHOWN_FONTS
from .presentation import ShownFigure, shared_reason, shown_budget, shown_figures, shown_table
from .rounding import NO_VALUE, typographic
from .visible_text import visible

_COLUMNS: Final = 12
"""Columns that stand beside each other on a page; a table with more is set in parts, each with the first column."""


def pdf(document: Document) -> bytes:
    """The whole file.

    Raises
    ------
    PlanError       the library that sets it is not installed
    DataError       a drawing cannot be set
    """
    if importlib.util.find_spec("typst") is None:
        raise PlanError('PDF needs the library typst, which is not installed: pip install "precision-bench[pdf]"; or take html, and print that from a browser')
    import typst

    compiled: Any = typst.compile  # its types differ between releases
    # An empty folder is all that the template may look into.
    with tempfile.TemporaryDirectory() as nothing:
        try:
            made: bytes = compiled(_template(), root=nothing, font_paths=_fonts(), format="pdf", sys_inputs={"data": json.dumps(_shown(document))})
        except RuntimeError as error:
            raise DataError(f"the PDF cannot be made ({visible(str(error), longest=200)}); the other formats can: html, md, xlsx") from error
    return made


@functools.cache
def _template() -> bytes:
    return importlib.resources.files("precision.report").joinpath("templates/report.typ").read_bytes()


@functools.cache
def _fonts() -> list[str]:
    """DejaVu Sans, which comes with matplotlib: the font in which the drawings are laid out."""
    found = importlib.util.find_spec("matplotlib")
    return [str(Path(place) / "mpl-data" / "fonts" / "ttf") for place in (found.submodule_search_locations or ())] if found else []


def _shown(document: Document) -> dict[str, Any]:
    """Everything as the text that is printed."""
    verdict = document.verdict
    shown = [(table, shown_figures(table)) for table in document.figures]
    return {
        "title": visible(document.title),
        "subtitle": visible(document.subtitle),
        "footer": visible(" · ".join(filter(None, (document.title, document.provenance.run_id))), longest=100),
        "verdict": {"class": "measured", "headline": "Measured", "detail": document.undecided_because}
        if verdict is None
        else {**_outcome(verdict.outcome), "headline": verdict.headline, "detail": visible(verdict.detail)},
        "rule": verdict.rule.statement if verdict is not None and verdict.rule is not None else "",
        "flags": [visible(note.text) for note in document.notes if note.first],
        "remarks": [{"text": visible(note.text), "correction": note.kind == "correction"} for note in document.notes if not note.first],
        "tiles": [_tile(row, shared_reason(table)) for table, rows in shown for row in rows if row.headline],
        "figures": [_figures(table, rows) for table, rows in shown],
        "charts": _chart_rows(document.charts),
        "header": [{"title": visible(group.title), "rows": _rows(group.rows)} for group in document.header],
        "budgets": [_budget(budget.title, budget.note, *shown_budget(budget)) for budget in document.budgets],
        "tables": [_table(table) for table in document.tables],
        "provenance": _rows(document.provenance.rows),
    }


def _rows(rows: Iterable[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    return [(visible(label), None if value is None else visible(value)) for label, value in rows]


def _indexed(text: str) -> list[tuple[str, str]]:
    return symbols.parts(visible(text)) if text else []


def _outcome(outcome: Outcome) -> dict[str, str]:
    return {"class": outcome.value.replace(" ", "-"), "text": outcome.value}


def _chart_rows(charts: Sequence[Chart]) -> list[list[dict[str, Any]]]:
    """The first chart and each wide one for itself, the others two beside each other."""
    rows: list[list[dict[str, Any]]] = []
    for number, chart in enumerate(charts):
        alone = number == 0 or chart.wide
        # In the font that it was laid out in: the reader's own would have to be on this computer.
        svg = chart.svg.replace(SHOWN_FONTS, f"'{LAYOUT_FONT}'")
        one = {"svg": svg, "alt": visible(chart.alt), "how_to_read": visible(chart.how_to_read), "wide": alone}
        if rows and not alone and not rows[-1][0]["wide"] and len(rows[-1]) == 1:
            rows[-1].append(one)
        else:
            rows.append([one])
    return rows


def _tile(row: ShownFigure, shared: str) -> dict[str, Any]:
    has_value = row.value != NO_VALUE
    if row.uncertainty != NO_VALUE:
        below = f"U = {row.uncertainty} {row.unit} (k = {row.coverage_factor})"
    else:
        below = "U not stated" if shared and has_value else visible(row.reasons)
    return {
        "symbol": _indexed(row.symbol), "name": visible(row.name), "value": typographic(row.value), "unit": row.unit if has_value else "", "below": below,
        "limit": f"limit {row.limit} {row.unit}", "outcome": _outcome(row.outcome) if row.outcome else None,
    }  # fmt: skip


def _figures(table: FigureTable, rows: Iterable[ShownFigure]) -> dict[str, Any]:
    rows = list(rows)
    factors = ", ".join(dict.fromkeys(row.coverage_factor for row in rows)) or "2"
    shared = shared_reason(table)
    note = f"U is the expanded uncertainty, k = {factors}; value and U are rounded to the same place (JCGM 100, 7.2.6)."
    note += f" Where U is a dash: {visible(shared)}." if shared else ""
    return {
        "title": visible(table.title),
        "note": f"{note} {visible(table.note)}",
        "judged": any(row.outcome for row in rows),
        "rows": [
            {
                "symbol": _indexed(row.symbol), "name": visible(row.name), "remark": visible(row.remark), "value": typographic(row.value),
                "uncertainty": row.uncertainty, "unit": row.unit, "limit": row.limit, "outcome": _outcome(row.outcome) if row.outcome else None,
            }
            for row in rows
        ],
    }  # fmt: skip


def _budget(title: str, note: str, rows: Iterable[Any], total: str, unit: str) -> dict[str, Any]:
    return {
        "title": visible(title),
        "note": _indexed(note),
        "total": None if total == NO_VALUE else total,
        "unit": unit,
        "rows": [
            {
                "symbol": _indexed(row.symbol), "name": visible(row.name), "note": visible(row.note), "formula": _indexed(row.formula),
                "uncertainty": row.uncertainty, "unit": row.unit, "share": row.share, "percent": "" if row.share is None else f"{100 * row.share:.0f} %",
            }
            for row in rows
        ],
    }  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    """The table as text, in parts that fit beside each other on a page."""
    shown = shown_table(table)
    count = len(shown.names)
    heads = [f"{name} ({unit})" if unit else name for name, unit in zip(shown.names, shown.units, strict=True)]
    groups = [range(count)] if count <= _COLUMNS else [[0, *range(start, min(start + _COLUMNS - 1, count))] for start in range(1, count, _COLUMNS - 1)]
    return {
        "title": visible(shown.title),
        "note": _indexed(shown.note),
        "parts": [
            {
                "heads": [_indexed(heads[place]) for place in group],
                "numeric": [shown.numeric[place] for place in group],
                "rows": [[typographic(row[place]) if shown.numeric[place] else visible(row[place]) for place in group] for row in shown.rows],
            }
            for group in groups
        ],
    }
