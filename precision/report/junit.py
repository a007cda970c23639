"""The verdict as a JUnit file, which every CI system reads: the verdict is a test case, and so is each figure that has a limit.

"Conforms" passes; "does not conform" and "undecided" fail, as the exit code of `precision run` does; without limits the verdict is skipped. Figures
without a limit are properties of the suite. Text from outside is made visible first, so that XML can hold it, and escaped by the XML writer.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from . import symbols
from .decision import Outcome
from .document import Document
from .presentation import ShownFigure, shown_figures
from .rounding import NO_VALUE
from .visible_text import visible


def junit(document: Document) -> str:
    """The file as text, one `testsuite`; the same document gives the same bytes."""
    suite = Element("testsuite", name=visible(document.title, longest=200))
    properties = SubElement(suite, "properties")
    for label, value in (("subtitle", document.subtitle), *document.provenance.rows):
        if value:
            SubElement(properties, "property", name=visible(label), value=visible(value))
    _verdict(SubElement(suite, "testcase", classname="precision", name="verdict", time="0"), document)
    for table in document.figures:
        for row in shown_figures(table):
            name = visible(f"{symbols.plain(row.symbol)}: {row.name}", longest=400)
            if row.outcome is None:
                SubElement(properties, "property", name=name, value=_said(row))
                continue
            case = SubElement(suite, "testcase", classname=visible(f"precision.{table.title}", longest=400), name=name, time="0")
            if row.outcome is not Outcome.CONFORMS:
                SubElement(case, "failure", type=row.outcome.value, message=f"{row.outcome.value}: {_said(row)}").text = visible(row.reasons) or None
    for note in document.notes:
        if note.first:
            SubElement(properties, "property", name="flag", value=visible(note.text))
    cases = suite.findall("testcase")
    counts = {"tests": len(cases), "failures": len(suite.findall("testcase/failure")), "errors": 0, "skipped": len(suite.findall("testcase/skipped"))}
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", "0")
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _verdict(case: Element, document: Document) -> None:
    verdict = document.verdict
    if verdict is None:
        SubElement(case, "skipped", message=document.undecided_because or "no figure of this test has a limit")
    elif verdict.outcome is not Outcome.CONFORMS:
        failure = SubElement(case, "failure", type=verdict.outcome.value, message=visible(f"{verdict.headline}: {verdict.detail}"))
        failure.text = verdict.rule.statement if verdict.rule is not None else None


def _said(row: ShownFigure) -> str:
    """Value, U and limit on one line."""
    if row.value == NO_VALUE:
        return visible(row.reasons)
    uncertainty = f", U = {row.uncertainty} {row.unit} (k = {row.coverage_factor})" if row.uncertainty != NO_VALUE else ", U not stated"
    limit = f", limit {row.limit} {row.unit}" if row.limit != NO_VALUE else ""
    return visible(f"{row.value} {row.unit}{uncertainty}{limit}")
