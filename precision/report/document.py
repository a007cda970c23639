"""What a report says, before any format: a frozen document that the writers print as HTML, Markdown, JSON, CSV or on the terminal.

All numbers are SI (float64, k = 2 where an uncertainty is meant); the writers choose the unit and round. All text is taken as hostile and escaped
by each writer. A field that nobody filled is None and is printed as "not recorded".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from xml.etree import ElementTree

from precision.figures import Figure

from . import symbols
from .decision import Decision, Rule, Verdict, decide, verdict

NOT_RECORDED = "not recorded"

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderGroup:
    """A titled block of labels and values; the value None is printed as "not recorded"."""

    title: str
    rows: Sequence[tuple[str, str | None]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple((label, value) for label, value in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """A figure, the limit it is judged against (SI, upper limit of the magnitude) and whether it stands large at the top of the report."""

    figure: Figure
    limit: float | None = None
    rule: Rule = Rule.GUARDED
    headline: bool = False

    @property
    def decision(self) -> Decision | None:
        """None where no limit was given."""
        if self.limit is None:
            return None
        return decide(self.figure.value, self.figure.uncertainty, self.limit, rule=self.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """Figures that are printed together, in one unit (`unit`, or the one in which they read well).

    brief : keys of those that the terminal shows, beside the ones with a limit; None: all. Every other format has them all.
    """

    title: str
    rows: Sequence[FigureRow]
    unit: str | None = None
    note: str = ""
    brief: frozenset[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))

    @property
    def shortened(self) -> FigureTable:
        """The rows that the terminal shows."""
        if self.brief is None:
            return self
        return replace(self, rows=[row for row in self.rows if row.figure.key in self.brief or row.limit is not None or row.headline], brief=None)

    @classmethod
    def of(
        cls,
        title: str,
        figures: Iterable[Figure],
        *,
        limits: Mapping[str, float] | None = None,
        rule: Rule = Rule.GUARDED,
        headline: Iterable[str] = (),
        unit: str | None = None,
        note: str = "",
        brief: Iterable[str] | None = None,
    ) -> FigureTable:
        """A table of `figures`, with limits and the headline ones given by the figures' keys.

        Raises
        ------
        ValueError      a limit or headline that names no figure of the table: a limit must not get lost
        """
        figures, limits, headline = tuple(figures), dict(limits or {}), set(headline)
        known = {figure.key for figure in figures}
        for name, keys in (("limit", set(limits)), ("headline", headline)):
            if keys - known:
                raise ValueError(f"table {title!r}: {name} for {', '.join(sorted(keys - known))}, but its figures are {', '.join(sorted(known))}")
        rows = [FigureRow(figure=figure, limit=limits.get(figure.key), rule=rule, headline=figure.key in headline) for figure in figures]
        return cls(title=title, rows=rows, unit=unit, note=note, brief=None if brief is None else frozenset(brief))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of numbers in the SI unit `unit`, or of text and counts where `unit` is None.

    Columns of the same unit and `family` are printed in one unit with the same decimals (targets in mm beside deviations in µm: two families).
    """

    name: str
    unit: str | None = None
    family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of cells: SI numbers, counts or text; None is printed as "—"."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}, row {number}: {len(row)} cells, but there are {len(self.columns)} columns")
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, float) and not math.isfinite(cell):
                    raise ValueError(f"table {self.title!r}, row {number}, column {column.name!r}: {cell} is not a number; give None")
                if column.unit is not None and isinstance(cell, str):
                    raise ValueError(f"table {self.title!r}, row {number}, column {column.name!r}: text {cell!r} in a column of numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """One contributor: symbol, name, formula as text, its expanded uncertainty U (SI, k = 2) or None, and a note (source, or why U is missing)."""

    symbol: str
    name: str
    formula: str
    uncertainty: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The contributors to the uncertainty of one figure. `total` is the U of that figure as it was evaluated (SI, k = 2)."""

    title: str
    rows: Sequence[BudgetRow]
    unit: str = "m"
    total: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        for number in (*(row.uncertainty for row in self.rows), self.total):
            if number is not None and not (math.isfinite(number) and number >= 0):
                raise ValueError(f"budget {self.title!r}: U is {number}; a finite number, zero or more, is expected, or None with a note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing with its title, how to read it, and the text for those who cannot see it; `wide` ones take the whole width of a page.

    Raises
    ------
    ValueError      the SVG is not well-formed, or contains a script, an event handler, foreign markup, or a link to the outside
    """

    svg: str
    title: str
    how_to_read: str
    alt: str
    wide: bool = False

    def __post_init__(self) -> None:
        _refuse_active_svg(self.svg, self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something the reader must know.

    kind : "flag" — the test departs from the standard, which the verdict then says; "caution" — to be read first, as a flag, but no departure (a limit for a
    figure that the standard does not have); "correction" — one that was applied; "statement" — anything else.
    """

    text: str
    kind: Literal["flag", "caution", "correction", "statement"] = "statement"

    @property
    def first(self) -> bool:
        """Whether it stands at the top of the report."""
        return self.kind in {"flag", "caution"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What it takes to compute the report again. None is printed as "not recorded"."""

    software: str | None = None
    run_id: str | None = None
    plan_sha256: str | None = None
    data_sha256: str | None = None
    backend: str | None = None

    @property
    def rows(self) -> tuple[tuple[str, str | None], ...]:
        """Labels and values."""
        return (
            ("Software", self.software),
            ("Run", self.run_id),
            ("Plan (SHA-256)", self.plan_sha256),
            ("Raw data (SHA-256)", self.data_sha256),
            ("Computed with", self.backend),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One report. The verdict follows from the figures, their limits and the flags among the notes; it cannot be set.

    not_for_acceptance : why this test can prove no conformity, whatever its figures (a run that was stopped, a step cycle); "" where it can.
    limits_given : somebody gave limits, be it for figures that are not here; a report without a verdict then does not say that there were none.
    """

    title: str
    subtitle: str = ""
    header: Sequence[HeaderGroup] = ()
    figures: Sequence[FigureTable] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    budgets: Sequence[Budget] = ()
    notes: Sequence[Note] = ()
    provenance: Provenance = field(default_factory=Provenance)
    not_for_acceptance: str = ""
    limits_given: bool = False

    def __post_init__(self) -> None:
        for name in ("header", "figures", "charts", "tables", "budgets", "notes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _ = self.verdict  # two rules in one report are refused here, not when it is printed

    @property
    def rows(self) -> tuple[FigureRow, ...]:
        """The rows of all figure tables."""
        return tuple(row for table in self.figures for row in table.rows)

    @property
    def verdict(self) -> Verdict | None:
        """What the decisions amount to; None where no figure has a limit and nothing speaks against acceptance."""
        decisions = [(symbols.plain(row.figure.symbol), decision) for row in self.rows if (decision := row.decision) is not None]
        return verdict(decisions, departs=any(note.kind == "flag" for note in self.notes), not_for_acceptance=self.not_for_acceptance.strip())

    @property
    def undecided_because(self) -> str:
        """What stands in place of the verdict where there is none."""
        return "" if self.limits_given else "No limit was given, so nothing was decided."


_ACTIVE_ELEMENTS = {"script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "set", "animate", "animatetransform", "animatemotion"}


def _refuse_active_svg(svg: str, title: str) -> None:
    where = f"chart {title[:80]!r}"
    if "<!ENTITY" in svg:
        raise ValueError(f"{where}: the SVG declares an entity; a plain drawing is expected")
    try:
        root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>\[]*>", "", svg, count=1))
    except ElementTree.ParseError as error:
        raise ValueError(f"{where}: the SVG is not well-formed ({error})") from error
    if root.tag.rpartition("}")[2] != "svg":
        raise ValueError(f"{where}: the root element is {root.tag!r}; svg is expected")
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2].lower()
        if name in _ACTIVE_ELEMENTS:
            raise ValueError(f"{where}: the SVG contains <{name}>; a plain drawing is expected")
        for attribute, value in element.attrib.items():
            local = attribute.rpartition("}")[2].lower()
            inside = value.startswith("#") or value.startswith("data:image/png;base64,")
            if local.startswith("on") or (local in {"href", "src"} and not inside):
                raise ValueError(f"{where}: attribute {local!r} of <{name}> reaches outside the drawing")
