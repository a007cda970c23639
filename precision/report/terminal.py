"""The figures of one run on the terminal. Text from outside enters as `rich.text.Text`, which is never read as markup, after it was made visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from .decision import Outcome
from .document import Document, FigureTable
from .document import Table as DocumentTable
from .presentation import ShownFigure, shared_reason, shown_figures, shown_table, split_at_decimals
from .rounding import NO_VALUE, typographic
from .symbols import plain
from .visible_text import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType
    from rich.table import Table
    from rich.text import Text

_STYLES: Final = {Outcome.CONFORMS: ("✓", "green"), Outcome.DOES_NOT_CONFORM: ("✗", "bold red"), Outcome.UNDECIDED: ("?", "yellow")}


def summary(document: Document) -> Group:
    """Title, verdict, flags and all figure tables, one line a figure, of long tables the brief form; print it with `rich.console.Console().print(...)`."""
    from rich.console import Group
    from rich.text import Text

    lines: list[ConsoleRenderable] = [_text(document.title, "bold")]
    verdict = document.verdict
    if verdict is None:
        lines.append(_text(f"Measured. {document.undecided_because}".rstrip(), "dim"))
    else:
        mark, style = _STYLES[verdict.outcome]
        lines.append(Text.assemble((f"{mark} {verdict.headline}", style), "  ", (visible(verdict.detail), "default")))
    lines += [_text(f"⚑ {note.text}", "yellow") for note in document.notes if note.first]
    for table in document.figures:
        brief = table.shortened
        lines.append(figure_table(brief))
        if len(brief.rows) < len(table.rows):
            lines.append(_text(f"{len(brief.rows)} of {len(table.rows)} figures; the report and result.json hold them all.", "dim"))
    if verdict is not None and verdict.rule is not None:
        lines.append(_text(verdict.rule.statement, "dim"))
    return Group(*lines)


def figure_table(table: FigureTable) -> ConsoleRenderable:
    """One line a figure: symbol, name, value, U, limit, decision; what is missing is a dash, and its reason stands below.

    Where the names do not fit they are left out, and where the columns do not, the figures are listed as sentences; no number is ever cut.
    """
    return _FigureTable(table)


class _FigureTable:
    def __init__(self, table: FigureTable) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        rows = shown_figures(self.table)
        yield _text(self.table.title, "bold")
        columns = _columns(rows)
        narrow = sum(2 + _width(column) for column in columns)
        room = options.max_width - narrow
        long, short = ([_text(cell) for cell in ("Figure", *(_short(row.name, brief=brief) for row in rows))] for brief in (False, True))
        names = long if room >= _width(long) else short
        if room >= min(_width(names), LONGEST_NAME):
            yield _grid([columns[0], names, *columns[1:]], named=True)
        elif narrow - 2 <= options.max_width:
            yield _grid(columns, named=False)
        else:
            yield from (_sentence(row) for row in rows)
        yield from _reasons(self.table, rows)


LONGEST_NAME: Final = 40
"""Cells of a figure's name beyond which it is broken between words."""


def _columns(rows: Sequence[ShownFigure]) -> list[list[Text]]:
    """Head and cells: symbol, value, U, unit where it is not the same in all, limit and decision where there are any."""
    units, factors = {row.unit for row in rows}, ", ".join(dict.fromkeys(row.coverage_factor for row in rows)) or "2"
    unit = f" ({next(iter(units))})" if len(units) == 1 and units != {""} else ""
    values, uncertainties, limits = ([typographic(number) + " " * len(padding) for number, padding in split_at_decimals(column)] for column in
                                     ([r.value for r in rows], [r.uncertainty for r in rows], [r.limit for r in rows]))
    columns = [
        [_text(cell, "bold") for cell in ("Symbol", *(plain(row.symbol) for row in rows))],
        [_text(f"Value{unit}"), *(_text(value, "bold") for value in values)],
        [_text(cell) for cell in (f"U (k={factors})", *uncertainties)],
    ]
    if not unit:
        columns.append([_text(cell) for cell in ("Unit", *(row.unit for row in rows))])
    if any(row.outcome for row in rows):
        columns += [[_text(cell) for cell in ("Limit", *limits)], [_text("Decision"), *(_decision(row) for row in rows)]]
    return columns


def _decision(row: ShownFigure) -> Text:
    mark, style = _STYLES[row.outcome] if row.outcome else ("", "dim")
    return _text(f"{mark} {row.outcome.value}" if row.outcome else NO_VALUE, style)


def _width(column: Sequence[Text]) -> int:
    return max(cell.cell_len for cell in column)


def _grid(columns: Sequence[Sequence[Text]], *, named: bool) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for position, (head, *_) in enumerate(columns):
        name = named and position == 1
        number = head.plain.startswith(("Value", "U (", "Limit"))
        shown.add_column(head, justify="right" if number else "left", no_wrap=not name, overflow="fold")
    for row in zip(*(column[1:] for column in columns), strict=True):
        shown.add_row(*row)
    return shown


def _sentence(row: ShownFigure) -> Text:
    """ "A 21.1 ± 3.5 µm (limit 40, ✓ conforms)"."""
    uncertainty = "" if row.uncertainty == NO_VALUE else f" ± {row.uncertainty}"
    limit = f", limit {row.limit}: " if row.outcome else ""
    sentence = _text(f"{plain(row.symbol)} {typographic(row.value)}{uncertainty} {row.unit}{limit}")
    return sentence.append_text(_decision(row)) if row.outcome else sentence


def _reasons(table: FigureTable, rows: Sequence[ShownFigure]) -> Iterator[Text]:
    """Why something is missing or undecided, each reason once with the figures it is for."""
    symbols_of: dict[str, list[str]] = {}
    for row in rows:
        if row.remark:
            symbols_of.setdefault(row.remark, []).append(plain(row.symbol))
    for remark, symbols in symbols_of.items():
        yield _text(f"{', '.join(symbols)}: {remark}", "dim")
    if shared := shared_reason(table):
        yield _text(f"Where U is a dash: {shared}.", "dim")


def _short(name: str, *, brief: bool) -> str:
    """The figure's name without the words that every row shares and, where it must be brief, without what its symbol says."""
    for words in (" of positioning", " of an axis", " positioning", " positional"):
        name = name.replace(words, "")
    name = name.replace(", positive approach", " ↑").replace(", negative approach", " ↓")
    for word in ("unidirectional ", "bidirectional ") if brief else ():
        if name.startswith(word) and len(name) > len(word):
            return name.removeprefix(word)
    return name


def table(data: DocumentTable) -> Table:
    """A table of a report: heads with their units, numbers to the right."""
    from rich import box
    from rich.table import Table

    cells = shown_table(data)
    shown = Table(box=box.SIMPLE_HEAD, title=_text(cells.title, "bold"), title_justify="left", caption=_text(plain(cells.note), "dim"), caption_justify="left", pad_edge=False)
    for position, (name, unit, numeric) in enumerate(zip(cells.names, cells.units, cells.numeric, strict=True)):
        # A head may be broken between its words, a number never: −20.08 over two lines reads as −20.0.
        whole = max((len(row[position]) for row in cells.rows), default=0) if numeric else None
        shown.add_column(_text(f"{plain(name)} ({unit})" if unit else plain(name)), justify="right" if numeric else "left", overflow="fold", min_width=whole)
    for row in cells.rows:
        shown.add_row(*(_text(typographic(cell) if numeric else cell) for cell, numeric in zip(row, cells.numeric, strict=True)))
    return shown


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(visible(text), style=style)
