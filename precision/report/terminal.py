"""The figures of one run on the terminal. Text from outside enters as `rich.text.Text`, which is never read as markup, after it was made visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .decision import Outcome
from .document import Document, FigureTable
from .document import Table as DocumentTable
from .presentation import shared_reason, shown_figures, shown_table, split_at_decimals
from .rounding import typographic
from .visible_text import visible

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_STYLES: Final = {Outcome.CONFORMS: ("✓", "green"), Outcome.DOES_NOT_CONFORM: ("✗", "bold red"), Outcome.UNDECIDED: ("?", "yellow")}


def summary(document: Document) -> Group:
    """Title, verdict, flags and all figure tables; print it with `rich.console.Console().print(...)`."""
    from rich.console import Group
    from rich.text import Text

    lines: list[Text | Table] = [_text(document.title, "bold")]
    verdict = document.verdict
    if verdict is None:
        lines.append(_text(f"Measured. {document.undecided_because}".rstrip(), "dim"))
    else:
        mark, style = _STYLES[verdict.outcome]
        lines.append(Text.assemble((f"{mark} {verdict.headline}", style), "  ", (visible(verdict.detail), "default")))
    lines += [_text(f"⚑ {note.text}", "yellow") for note in document.notes if note.first]
    lines += [figure_table(table) for table in document.figures]
    if verdict is not None and verdict.rule is not None:
        lines.append(_text(verdict.rule.statement, "dim"))
    return Group(*lines)


def figure_table(table: FigureTable) -> Table:
    """Symbol, name, value, U, unit, limit, decision; what is missing is a dash, and its reason stands under the name."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = shown_figures(table)
    judged = any(row.outcome for row in rows)
    factors = ", ".join(dict.fromkeys(row.coverage_factor for row in rows)) or "2"
    shown = Table(box=box.SIMPLE_HEAD, title=_text(table.title, "bold"), title_justify="left", pad_edge=False, padding=(0, 1))
    if shared := shared_reason(table):
        shown.caption, shown.caption_justify = _text(f"Where U is a dash: {shared}.", "dim"), "left"
    shown.add_column("Symbol", no_wrap=True, style="bold")
    shown.add_column("Figure", ratio=1, overflow="fold")
    for head in ("Value", f"U (k = {factors})"):
        shown.add_column(_text(head), justify="right", no_wrap=True)
    shown.add_column("Unit", no_wrap=True)
    if judged:
        shown.add_column("Limit", justify="right", no_wrap=True)
        shown.add_column("Decision", no_wrap=True)
    values, uncertainties, limits = ([typographic(number) + " " * len(padding) for number, padding in split_at_decimals(column)] for column in
                                     ([r.value for r in rows], [r.uncertainty for r in rows], [r.limit for r in rows]))
    for index, row in enumerate(rows):
        name = Text(_short(visible(row.name)))
        if row.remark:
            name.append("\n" + visible(row.remark), style="dim")
        cells = [_text(row.symbol), name, _text(values[index], "bold"), _text(uncertainties[index]), _text(row.unit)]
        if judged:
            mark, style = _STYLES[row.outcome] if row.outcome else ("", "dim")
            cells += [_text(limits[index]), _text(f"{mark} {row.outcome.value}" if row.outcome else "no limit", style)]
        shown.add_row(*cells)
    return shown


def _short(name: str) -> str:
    """The figure's name without the words that every row shares: a terminal has 80 columns, and the symbol stands beside it."""
    for words in (" of positioning", " of an axis", " positioning", " positional"):
        name = name.replace(words, "")
    return name.replace(", positive approach", " ↑").replace(", negative approach", " ↓")


def table(data: DocumentTable) -> Table:
    """A table of a report: heads with their units, numbers to the right."""
    from rich import box
    from rich.table import Table

    cells = shown_table(data)
    shown = Table(box=box.SIMPLE_HEAD, title=_text(cells.title, "bold"), title_justify="left", caption=_text(cells.note, "dim"), caption_justify="left", pad_edge=False)
    for name, unit, numeric in zip(cells.names, cells.units, cells.numeric, strict=True):
        shown.add_column(_text(f"{name} ({unit})" if unit else name), justify="right" if numeric else "left", overflow="fold")
    for row in cells.rows:
        shown.add_row(*(_text(typographic(cell) if numeric else cell) for cell, numeric in zip(row, cells.numeric, strict=True)))
    return shown


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(visible(text), style=style)
