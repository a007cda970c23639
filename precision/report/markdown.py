"""The report as Markdown (CommonMark with tables): for a merge request, a wiki, a log.

Text from outside is made visible and then escaped, so that it stays text: no heading, link, image, HTML, formula or mention can come out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from .decision import Outcome
from .document import NOT_RECORDED, Document
from .presentation import shared_reason, shown_budget, shown_figures, shown_table
from .rounding import typographic
from .symbols import plain
from .visible_text import visible

_MARKS: Final = {Outcome.CONFORMS: "✓", Outcome.DOES_NOT_CONFORM: "✗", Outcome.UNDECIDED: "?"}
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "$": "&#36;"}


def markdown(document: Document, *, chart_files: Sequence[str] = ()) -> str:
    """The report as text.

    Parameters
    ----------
    chart_files : sequence of str
        Where the charts lie, relative to the Markdown file, in their order; a chart without a file is described in words.
    """
    blocks = [f"# {escaped(document.title)}"]
    if document.subtitle:
        blocks.append(escaped(document.subtitle))
    verdict = document.verdict
    if verdict is None:
        blocks.append(f"**Measured.** {document.undecided_because}".rstrip())
    else:
        blocks.append(f"**{_MARKS[verdict.outcome]} {verdict.headline}**: {escaped(verdict.detail)}")
    blocks += [f"> **Flag:** {escaped(note.text)}" for note in document.notes if note.first]

    for figures in document.figures:
        shown = shown_figures(figures)
        judged = any(row.outcome for row in shown)
        heads = ["Symbol", "Figure", "Value", "U", "Unit", *(["Limit", "Decision"] if judged else []), "Remark"]
        rows = []
        for row in shown:
            decision = f"{_MARKS[row.outcome]} {row.outcome.value}" if row.outcome else "no limit"
            rows.append([plain(row.symbol), row.name, typographic(row.value), row.uncertainty, row.unit, *([row.limit, decision] if judged else []), row.remark])
        blocks += [f"## {escaped(figures.title)}", _table(heads, rows, numeric=[2, 3, 5] if judged else [2, 3])]
        factors = ", ".join(dict.fromkeys(row.coverage_factor for row in shown)) or "2"
        shared = shared_reason(figures)
        missing = f" Where U is a dash: {shared}." if shared else ""
        blocks.append(escaped(f"U is the expanded uncertainty, k = {factors}.{missing} {figures.note}"))
    if verdict is not None and verdict.rule is not None:
        blocks.append(escaped(verdict.rule.statement))

    for number, chart in enumerate(document.charts):
        blocks.append(f"## {escaped(chart.title)}")
        if number < len(chart_files):
            blocks.append(f"![{escaped(chart.alt)}]({quote(chart_files[number])})")
        else:
            blocks.append(escaped(chart.alt))
        blocks.append(f"*How to read it.* {escaped(chart.how_to_read)}")

    for group in document.header:
        rows = [[label, NOT_RECORDED if value is None else value] for label, value in group.rows]
        blocks += [f"## {escaped(group.title)}", _table(["Field", "Value"], rows)]

    remarks = [note for note in document.notes if not note.first]
    if remarks:
        blocks += ["## Notes", "\n".join(f"- {'Correction applied: ' if note.kind == 'correction' else ''}{escaped(note.text)}" for note in remarks)]

    for budget in document.budgets:
        contributors, total, unit = shown_budget(budget)
        rows = [[plain(c.symbol), c.name, plain(c.formula), c.uncertainty, c.unit, "—" if c.share is None else f"{100 * c.share:.0f} %", c.note] for c in contributors]
        rows.append(["U", "Expanded uncertainty, k = 2", "", total, unit, "", ""])
        blocks += [f"## {escaped(budget.title)}", _table(["Symbol", "Contributor", "From", "U", "Unit", "Share of U²", "Note"], rows, numeric=[3, 5])]
        if budget.note:
            blocks.append(escaped(plain(budget.note)))

    for table in document.tables:
        cells = shown_table(table)
        heads = [f"{plain(name)} ({unit})" if unit else plain(name) for name, unit in zip(cells.names, cells.units, strict=True)]
        numeric = [position for position, is_numeric in enumerate(cells.numeric) if is_numeric]
        rows = [[typographic(cell) if position in numeric else cell for position, cell in enumerate(row)] for row in cells.rows]
        blocks += [f"## {escaped(cells.title)}", _table(heads, rows, numeric=numeric)]
        if cells.note:
            blocks.append(escaped(plain(cells.note)))

    rows = [[label, NOT_RECORDED if value is None else value] for label, value in document.provenance.rows]
    blocks += ["## Provenance", _table(["Field", "Value"], rows)]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """`text` so that Markdown prints it as it is, on one line."""
    text = visible(text).strip()
    text = re.sub(r"[\\`*_{}\[\]#|~!]", r"\\\g<0>", text)
    text = re.sub(r"[&<>@$]", lambda match: _ENTITIES[match[0]], text)
    # Bare addresses become links on many sites, and a line may not open a list, a rule or a quotation.
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")
    return re.sub(r"^([-+=])(?=[\s=-]|$)", r"\\\1", re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", text))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    rule = ["---:" if position in numeric else "---" for position in range(len(heads))]
    return "\n".join([line([escaped(head) for head in heads]), line(rule), *(line([escaped(cell) for cell in row]) for row in rows)])
