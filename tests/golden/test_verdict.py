"""The verdict that a reader sees first, in every format: what a test may not be used for is said above its figures."""

from __future__ import annotations

import io
import json
import re

import pytest

from precision.figures import Figure
from precision.report import terminal
from precision.report.decision import Outcome
from precision.report.document import Document, FigureTable, Note
from precision.report.html import html
from precision.report.json_text import json_text
from precision.report.markdown import markdown
from precision.units import UM

A = Figure(symbol="A", key="A", name="Bidirectional accuracy", unit="m", value=9 * UM, uncertainty=1 * UM)
FLAG = Note(text="the targets are equally spaced", kind="flag")


def document(limit: float | None = 20 * UM, **more: object) -> Document:
    return Document(title="t", figures=[FigureTable.of("f", [A], limits={} if limit is None else {"A": limit})], **more)  # type: ignore[arg-type]


def on_terminal(made: Document) -> str:
    from rich.console import Console

    output = io.StringIO()
    Console(file=output, width=200, color_system=None).print(terminal.summary(made))
    return output.getvalue()


def everywhere(made: Document) -> dict[str, str]:
    """What each format says, without markup."""
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html(made).partition("<body>")[2]))
    return {"html": page, "markdown": markdown(made), "terminal": on_terminal(made), "json": json.dumps(json.loads(json_text(made)), ensure_ascii=False)}


def test_a_test_that_is_not_for_acceptance_accepts_nothing_although_its_figures_are_within_the_limits() -> None:
    made = document(not_for_acceptance="the run was stopped after 40 of 110 points")
    assert made.verdict is not None and made.verdict.outcome is Outcome.UNDECIDED
    for format, text in everywhere(made).items():
        assert "Not for acceptance" in text and "the run was stopped after 40 of 110 points" in text, format
        assert "A within the limit" not in text and "Conforms  " not in text and '"Conforms"' not in text, format
        # The decision on each figure stays.
        assert "conforms" in text, format
    assert "✓ Not" not in everywhere(made)["terminal"] and json.loads(json_text(made))["verdict"]["outcome"] == "undecided"


def test_what_is_beyond_its_limit_is_said_of_a_test_that_is_not_for_acceptance() -> None:
    verdict = document(3 * UM, not_for_acceptance="step cycle").verdict
    assert verdict is not None and verdict.headline == "Not for acceptance"
    assert verdict.detail == "step cycle; A: beyond the limit by more than U"


def test_without_limits_a_test_that_is_not_for_acceptance_says_so_and_states_no_rule() -> None:
    made = document(None, not_for_acceptance="step cycle")
    for format, text in everywhere(made).items():
        assert "Not for acceptance" in text and "step cycle" in text, format
        assert "Decision rule" not in text and "No limit was given" not in text, format
    assert json.loads(json_text(made))["verdict"]["rule"] is None


@pytest.mark.parametrize(
    ("limit", "plain", "departing", "outcome"),
    [
        (20 * UM, "Conforms", "Within the limit; the test departs from the standard", Outcome.CONFORMS),
        (9.5 * UM, "Undecided", "Undecided; the test departs from the standard", Outcome.UNDECIDED),
        (3 * UM, "Does not conform", "Beyond the limit; the test departs from the standard", Outcome.DOES_NOT_CONFORM),
    ],
)
def test_a_departure_from_the_standard_stands_in_the_headline(limit: float, plain: str, departing: str, outcome: Outcome) -> None:
    for notes, headline in (((), plain), ((Note(text="read this", kind="caution"),), plain), ((FLAG,), departing)):
        made = document(limit, notes=notes)
        assert made.verdict is not None and made.verdict.outcome is outcome
        for format, text in everywhere(made).items():
            assert headline in text, format


def test_cautions_stand_at_the_top_like_flags() -> None:
    texts = everywhere(document(notes=[Note(text="kept aside"), Note(text="read this", kind="caution")]))
    assert texts["html"].index("read this") < texts["html"].index("Decision rule") < texts["html"].index("kept aside")
    assert texts["markdown"].index("read this") < texts["markdown"].index("Decision rule") < texts["markdown"].index("kept aside")
    assert "⚑ read this" in texts["terminal"]


def test_no_limit_is_spoken_of_where_limits_were_given_for_other_figures() -> None:
    for format, text in everywhere(document(None)).items():
        assert ("No limit was given" in text) == (format != "json"), format
    for format, text in everywhere(document(None, limits_given=True)).items():
        assert "limit was given" not in text and ("Measured" in text) == (format != "json"), format
