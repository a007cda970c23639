"""ISO 14253-1, decision rule with the guard band U for an upper limit (from memory of the standard); values worked by hand."""

from __future__ import annotations

import math

import pytest

from precision.figures import Figure
from precision.report.decision import Outcome, Rule, decide, verdict
from precision.report.document import Document, FigureRow, FigureTable
from precision.units import UM

CONFORMS, FAILS, UNDECIDED = Outcome.CONFORMS, Outcome.DOES_NOT_CONFORM, Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("value", "uncertainty", "limit", "expected"),
    [
        (7.9, 2.0, 10.0, CONFORMS),
        (8.0, 2.0, 10.0, CONFORMS),  # value + U equals the limit
        (8.001, 2.0, 10.0, UNDECIDED),
        (10.0, 2.0, 10.0, UNDECIDED),  # the value alone would pass
        (11.0, 2.0, 10.0, UNDECIDED),
        (12.0, 2.0, 10.0, UNDECIDED),  # value − U equals the limit: not beyond it
        (12.001, 2.0, 10.0, FAILS),
        (10.0, 0.0, 10.0, CONFORMS),
        (10.001, 0.0, 10.0, FAILS),
        (-7.9, 2.0, 10.0, CONFORMS),  # a signed figure counts by its magnitude
        (-8.5, 2.0, 10.0, UNDECIDED),
        (-12.1, 2.0, 10.0, FAILS),
        (1.0, 30.0, 10.0, UNDECIDED),  # an uncertainty that swallows the limit proves nothing
    ],
)
def test_the_guard_band_lies_on_both_sides_of_the_limit(value: float, uncertainty: float, limit: float, expected: Outcome) -> None:
    assert decide(value, uncertainty, limit).outcome is expected


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e-3, math.pi / 648_000])
def test_equality_in_the_printed_digits_survives_the_conversion_to_si(factor: float) -> None:
    # 0.1 + 0.2 is not 0.3 in binary; the plan's author wrote decimal digits.
    assert 0.1 + 0.2 > 0.3
    assert decide(0.1 * factor, 0.2 * factor, 0.3 * factor).outcome is CONFORMS
    assert decide(0.5 * factor, 0.2 * factor, 0.3 * factor).outcome is UNDECIDED
    # One part in 10¹² is a real difference, not rounding.
    assert decide(0.1 * factor * (1 + 1e-12), 0.2 * factor, 0.3 * factor).outcome is UNDECIDED


def test_without_an_uncertainty_nothing_is_decided() -> None:
    for value in (0.0, 5.0, 10.0, 1e6):
        decision = decide(value, None, 10.0)
        assert decision.outcome is UNDECIDED
        assert "no uncertainty" in decision.reason


def test_simple_acceptance_needs_no_uncertainty_and_says_that_the_risk_is_shared() -> None:
    outcomes = [decide(value, uncertainty, 10.0, rule=Rule.SIMPLE).outcome for value, uncertainty in ((9.9, None), (10.0, 5.0), (10.1, 5.0))]
    assert outcomes == [CONFORMS, CONFORMS, FAILS]
    assert "shared" in Rule.SIMPLE.statement and "ISO 14253-1" in Rule.GUARDED.statement


def test_a_figure_that_was_not_evaluated_is_undecided_under_every_rule() -> None:
    assert all(decide(None, None, 10.0, rule=rule).outcome is UNDECIDED for rule in Rule)


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 0.0), (1.0, 1.0, -5.0), (1.0, 1.0, math.nan), (math.nan, 1.0, 5.0), (1.0, -0.1, 5.0), (1.0, math.inf, 5.0)])
def test_numbers_that_are_no_numbers_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="is expected"):
        decide(*wrong)


def test_one_failure_decides_the_whole_and_one_doubt_keeps_it_open() -> None:
    good, doubt, bad = decide(1.0, 1.0, 10.0), decide(10.0, 1.0, 10.0), decide(20.0, 1.0, 10.0)
    whole = verdict([("A", good), ("R", good)])
    assert whole is not None and whole.outcome is CONFORMS and whole.detail == "A, R within the limits by at least U"
    whole = verdict([("A", good), ("R", doubt)])
    assert whole is not None and whole.outcome is UNDECIDED and "R" in whole.detail and "A" not in whole.detail
    whole = verdict([("A", doubt), ("R", bad), ("B", good)])
    assert whole is not None and whole.outcome is FAILS and whole.detail.startswith("R:")
    assert verdict([]) is None
    with pytest.raises(ValueError, match="one decision rule"):
        verdict([("A", good), ("R", decide(1.0, None, 10.0, rule=Rule.SIMPLE))])


def test_the_verdict_of_a_document_follows_from_its_rows() -> None:
    figure = Figure(symbol="A", key="A", name="accuracy", unit="m", value=9 * UM, uncertainty=2 * UM)
    assert Document(title="t", figures=[FigureTable.of("f", [figure])]).verdict is None
    for limit, expected in ((11 * UM, CONFORMS), (10 * UM, UNDECIDED), (6 * UM, FAILS)):
        document = Document(title="t", figures=[FigureTable.of("f", [figure], limits={"A": limit})])
        assert document.verdict is not None and document.verdict.outcome is expected
    mixed = [FigureRow(figure=figure, limit=1.0), FigureRow(figure=figure, limit=1.0, rule=Rule.SIMPLE)]
    with pytest.raises(ValueError, match="one decision rule"):
        Document(title="t", figures=[FigureTable(title="f", rows=mixed)])


def test_a_limit_for_a_figure_that_is_not_there_is_refused() -> None:
    figure = Figure(symbol="A", key="A", name="accuracy", unit="m", value=9 * UM)
    with pytest.raises(ValueError, match=r"limit for AA.*figures are A"):
        FigureTable.of("f", [figure], limits={"AA": 1 * UM})
    with pytest.raises(ValueError, match="headline for E"):
        FigureTable.of("f", [figure], headline=["E"])
