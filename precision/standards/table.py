"""A result as a table: plain text for a terminal, HTML for a notebook. Text from outside is made harmless in both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from unicodedata import combining

from .. import units
from ..figures import Figure


def text_table(title: str, figures: Sequence[Figure], flags: Iterable[str], *, angles: str | None = None) -> str:
    """Title, one line a figure (symbol, value, U, name), and the departures from the standard. `angles`: their unit, where one is customary."""
    shown = _units(figures) | ({"rad": angles} if angles else {})
    width = max(_width(figure.symbol) for figure in figures)
    lines = [_printable(title)]
    for figure in figures:
        value, uncertainty, note = _cells(figure, shown[figure.unit])
        lines.append(f"  {figure.symbol}{' ' * (width - _width(figure.symbol))}  {value:>12}  {uncertainty:<18}  {figure.name}{f': {note}' if figure.value is None else ''}".rstrip())
    lines += [f"  {note}" for note in _notes(figures)]
    lines += [f"  not conforming: {flag}" for flag in flags]
    return "\n".join(_printable(line) for line in lines)


def html_table(title: str, figures: Sequence[Figure], flags: Iterable[str]) -> str:
    """The same as an HTML table; everything that is text is escaped."""
    shown = _units(figures)
    rows = []
    for figure in figures:
        value, uncertainty, note = _cells(figure, shown[figure.unit])
        cells = (figure.symbol, value, uncertainty, figure.name + (f": {note}" if figure.value is None else ""))
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in _notes(figures)) + "".join(f"<li>not conforming: {escape(flag)}</li>" for flag in flags)
    head = "<tr><th>symbol</th><th>value</th><th>uncertainty</th><th>name</th></tr>"
    return f"<table><caption>{escape(_printable(title))}</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" + (f"<ul>{notes}</ul>" if notes else "")


def _units(figures: Sequence[Figure]) -> dict[str, str]:
    """For each SI unit in the table the unit in which its largest value reads well."""
    largest: dict[str, float] = {}
    for figure in figures:
        largest[figure.unit] = max(largest.get(figure.unit, 0.0), abs(figure.value or 0.0))
    return {unit: units.display_unit(value, unit) for unit, value in largest.items()}


def _cells(figure: Figure, unit: str) -> tuple[str, str, str]:
    if figure.value is None:
        return "–", "", figure.reason or ""
    if figure.uncertainty is None:
        return units.text(figure.value, figure.unit, unit=unit), "U not stated", ""
    return units.text(figure.value, figure.unit, unit=unit), f"U = {units.text(figure.uncertainty, figure.unit, unit=unit, digits=2)}", ""


def _notes(figures: Sequence[Figure]) -> list[str]:
    """Why U is not stated, each reason once, and the coverage factor of the U that are."""
    reasons = dict.fromkeys(figure.uncertainty_reason for figure in figures if figure.value is not None and figure.uncertainty is None)
    factors = dict.fromkeys(figure.coverage_factor for figure in figures if figure.uncertainty is not None)
    return [f"U with k = {factor:g}" for factor in factors] + [f"U not stated: {reason or 'no uncertainty was evaluated'}" for reason in reasons]


def _width(text: str) -> int:
    """Columns on a terminal: the macron of B̄ takes none."""
    return sum(not combining(character) for character in text)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
