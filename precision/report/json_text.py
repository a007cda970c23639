"""The report as JSON: every number in SI and in full, keys sorted, no NaN. The charts are left out; they are drawn again from the data.

Text is kept whole, as it came: JSON escapes control characters itself, and everything outside ASCII is written as an escape, so that a file shown on a
terminal does nothing. "<", ">" and "&" are escaped too, so that the text may be embedded in a page.
"""

from __future__ import annotations

import json
from typing import Any

from .decision import Decision
from .document import Document

SCHEMA = 1


def json_text(document: Document) -> str:
    """The report as text ending in a line feed; the same document gives the same bytes."""
    text = json.dumps(to_dict(document), allow_nan=False, ensure_ascii=True, indent=1, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


def to_dict(document: Document) -> dict[str, Any]:
    """Plain JSON types; SI values."""
    verdict = document.verdict
    return {
        "schema": SCHEMA,
        "title": document.title,
        "subtitle": document.subtitle,
        "verdict": None
        if verdict is None
        else {
            "outcome": verdict.outcome.value,
            "rule": None if verdict.rule is None else verdict.rule.value,
            "headline": verdict.headline,
            "detail": verdict.detail,
        },
        "not_for_acceptance": document.not_for_acceptance or None,
        "header": [{"title": group.title, "rows": [{"label": label, "value": value} for label, value in group.rows]} for group in document.header],
        "figures": [
            {
                "title": table.title,
                "note": table.note,
                "rows": [{**row.figure.to_dict(), "limit": row.limit, "decision": _decision(row.decision)} for row in table.rows],
            }
            for table in document.figures
        ],
        "charts": [{"title": chart.title, "how_to_read": chart.how_to_read, "alt": chart.alt} for chart in document.charts],
        "tables": [
            {"title": table.title, "note": table.note, "columns": [{"name": c.name, "unit": c.unit} for c in table.columns], "rows": [list(row) for row in table.rows]}
            for table in document.tables
        ],
        "budgets": [
            {
                "title": budget.title,
                "unit": budget.unit,
                "total": budget.total,
                "note": budget.note,
                "rows": [{"symbol": r.symbol, "name": r.name, "formula": r.formula, "uncertainty": r.uncertainty, "note": r.note} for r in budget.rows],
            }
            for budget in document.budgets
        ],
        "notes": [{"kind": note.kind, "text": note.text} for note in document.notes],
        "provenance": {name: getattr(document.provenance, name) for name in document.provenance.__slots__},
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    return None if decision is None else {"outcome": decision.outcome.value, "rule": decision.rule.value, "reason": decision.reason}
