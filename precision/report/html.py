"""The report as one HTML file: no script, no network, nothing beside it. It opens the same in ten years.

Text from outside is made visible (`visible_text`) and then escaped, both for every expression of the template and not by its author's care. A content
security policy forbids whatever is not there anyway. Charts are embedded as images, so that nothing in a drawing can act on the page.
"""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING

from . import symbols
from .document import NOT_RECORDED, Document
from .presentation import shared_reason, shown_budget, shown_figures, shown_table, split_at_decimals
from .rounding import NO_VALUE, typographic
from .visible_text import visible

if TYPE_CHECKING:
    from jinja2 import Template


def html(document: Document) -> str:
    """The whole file as text; write it as UTF-8. The same document gives the same bytes."""
    return _template().render(
        document=document,
        figure_tables=[(table, shown_figures(table), shared_reason(table)) for table in document.figures],
        tables=[shown_table(table) for table in document.tables],
        budgets=[(budget, *shown_budget(budget)) for budget in document.budgets],
        flags=[note for note in document.notes if note.first],
        remarks=[note for note in document.notes if not note.first],
    )


@functools.cache
def _template() -> Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("precision.report"),
        autoescape=True,  # hard-wired: select_autoescape leaves the name report.html.j2 unescaped
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["indexed"] = _indexed
    environment.filters["number"] = typographic
    environment.filters["aligned"] = _aligned
    environment.globals.update(NOT_RECORDED=NOT_RECORDED, NO_VALUE=NO_VALUE)
    return environment.get_template("report.html.j2")


def _finalize(value: object) -> object:
    """Every expression of the template passes here before it is escaped."""
    from markupsafe import Markup

    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _indexed(text: str) -> object:
    """`text` made visible and escaped, its indices as subscripts."""
    from markupsafe import Markup, escape

    def index(letters: str) -> Markup:
        return Markup("<sub>") + escape(letters) + Markup("</sub>") if letters else Markup()

    return Markup().join(escape(letters) + index(lower) for letters, lower in symbols.parts(visible(text)))


def _data_uri(svg: str) -> object:
    from markupsafe import Markup

    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode())  # base64 has no character that HTML treats as special


def _aligned(column: list[str]) -> list[tuple[str, str]]:
    return [(typographic(text), padding) for text, padding in split_at_decimals(column)]
