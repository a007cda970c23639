"""Rounding of results and uncertainties: JCGM 100:2008 (GUM), 7.2.6 and its numbers; ISO 80000-1, annex B, rule A (from memory); others by hand."""

from __future__ import annotations

import pytest

from precision.figures import Figure
from precision.report import rounding
from precision.report.decision import Outcome
from precision.report.document import Budget, BudgetRow, Column, Document, FigureRow, FigureTable, Table
from precision.report.html import html
from precision.report.markdown import markdown
from precision.report.presentation import shared_reason, shown_budget, shown_figures, shown_table, split_at_decimals
from precision.units import NM, UM


@pytest.mark.parametrize(
    ("value", "uncertainty", "expected"),
    [
        (10.05762, 0.027, ("10.058", "0.027")),  # GUM 7.2.6: y = 10.057 62 Ω with u = 27 mΩ is rounded to 10.058 Ω
        (100.02147, 0.00035, ("100.02147", "0.00035")),  # GUM 7.2.2: m = 100.021 47 g, u = 0.35 mg
        (28.05, 28.05, ("28", "28")),  # GUM 7.2.6: 28.05 is rounded down to 28
        (33.5757, 1.2345, ("33.6", "1.2")),
        (33.5757, 0.996, ("33.6", "1.0")),  # rounding carries into the next decade: still two digits
        (33.5757, 9.96, ("34", "10")),
        (1354.2, 123.0, ("1350", "120")),  # the same place, to the left of the point
        (-25.368, 1.6, ("-25.4", "1.6")),
        (0.004, 1.6, ("0.0", "1.6")),
        (-0.004, 1.6, ("0.0", "1.6")),  # never minus zero
        (0.0, 0.25, ("0.00", "0.25")),
        (2.5e-7, 3.14e-9, ("0.0000002500", "0.0000000031")),  # never an exponent
    ],
)
def test_u_has_two_digits_and_the_value_ends_at_the_same_place(value: float, uncertainty: float, expected: tuple[str, str]) -> None:
    assert rounding.value_and_uncertainty(value, uncertainty) == expected


def test_ties_go_to_the_even_digit() -> None:
    assert [rounding.rounded(number, 1) for number in (12.25, 12.35, 0.05, 0.15, -0.25)] == ["12.2", "12.4", "0.0", "0.2", "-0.2"]


def test_the_reader_s_number_is_rounded_not_its_binary_neighbour() -> None:
    # 1.735 µm comes back from SI as 1.7349999999999999; the tie is at an odd digit and goes up.
    in_micrometres = rounding.in_unit(1.735e-6, "µm")
    assert in_micrometres < 1.735
    assert rounding.rounded(in_micrometres, 2) == "1.74"


def test_an_uncertainty_is_never_understated_by_five_percent() -> None:
    for step in range(1, 2000):
        uncertainty = step * 0.00731
        shown = float(rounding.value_and_uncertainty(0.0, uncertainty)[1])
        assert shown > 0.95 * uncertainty


def test_machine_tools_are_reported_in_micrometres_and_nano_stages_in_nanometres() -> None:
    assert rounding.shared_unit([135e-6, 25e-6, None, -3e-7], "m") == "µm"
    assert rounding.shared_unit([88.8 * NM, 5 * NM], "m") == "nm"
    assert rounding.shared_unit([1e-5], "rad") == "arcsec"
    assert rounding.shared_unit([3e-6], "m/m") == "µm/m"
    assert rounding.in_unit(3e-6, "µm/m") == pytest.approx(3.0, rel=1e-15)
    assert rounding.shared_unit([], "m") == rounding.shared_unit([None], "m") == "nm"


def figure(key: str, value: float | None, uncertainty: float | None = None, **more: str) -> Figure:
    return Figure(symbol=key, key=key, name=key, unit="m", value=value, uncertainty=uncertainty, **more)  # type: ignore[arg-type]


def test_one_table_has_one_unit_and_the_limits_take_part_in_choosing_it() -> None:
    rows = shown_figures(FigureTable.of("f", [figure("A", 0.9 * UM, 21 * NM), figure("B", 31.25 * NM, 4 * NM)], limits={"A": 10 * UM}))
    assert [(row.value, row.uncertainty, row.unit) for row in rows] == [("0.900", "0.021", "µm"), ("0.0312", "0.0040", "µm")]
    assert [row.limit for row in rows] == ["10", "—"]
    assert rows[0].outcome is Outcome.CONFORMS and rows[1].outcome is None
    wished = shown_figures(FigureTable.of("f", [figure("A", 0.9 * UM, 21 * NM)], unit="nm"))
    assert (wished[0].value, wished[0].uncertainty, wished[0].unit) == ("900", "21", "nm")


def test_what_is_missing_is_a_dash_with_its_reason() -> None:
    table = FigureTable(
        title="f",
        rows=[
            FigureRow(figure=figure("A", None, reason="one run only"), limit=1 * UM),
            FigureRow(figure=figure("E", 4 * UM, uncertainty_reason="no drift test")),
            FigureRow(figure=figure("M", 4 * UM)),
            FigureRow(figure=figure("B", 4 * UM, 1 * UM), limit=4.5 * UM),
        ],
    )
    a, e, m, b = shown_figures(table)
    assert (a.value, a.uncertainty, a.remark, a.outcome) == ("—", "—", "not evaluated: one run only", Outcome.UNDECIDED)
    assert (e.value, e.uncertainty, e.remark) == ("4.000", "—", "U not stated: no drift test")
    assert m.remark == "U not stated: no uncertainty was evaluated"
    assert b.remark == "at the limit, within the uncertainty"


def test_one_reason_for_every_missing_u_is_printed_once_with_the_table_and_kept_with_each_figure() -> None:
    table = FigureTable.of("f", [figure(key, 4 * UM, uncertainty_reason="no budget") for key in "AER"], limits={"A": 9 * UM})
    assert shared_reason(table) == "no budget"
    rows = shown_figures(table)
    assert [row.remark for row in rows] == ["no uncertainty is stated, so the rule cannot decide", "", ""]
    assert all(row.reasons.startswith("U not stated: no budget") for row in rows)
    for written in (html(Document(title="t", figures=[table])), markdown(Document(title="t", figures=[table]))):
        assert written.count("no budget") == 1
    mixed = FigureTable.of("f", [figure("A", 4 * UM, uncertainty_reason="no budget"), figure("E", 4 * UM, uncertainty_reason="no drift test")])
    assert shared_reason(mixed) == "" and [row.remark for row in shown_figures(mixed)] == ["U not stated: no budget", "U not stated: no drift test"]


def test_the_decimal_points_of_a_column_stand_below_each_other() -> None:
    assert split_at_decimals(["135.3", "33.58", "4", "—", "-0.1"]) == [("135.3", "0"), ("33.58", ""), ("4", ".00"), ("—", ""), ("-0.1", "0")]


def test_columns_of_one_family_share_unit_and_decimals_and_small_columns_keep_their_digits() -> None:
    table = Table(
        title="t",
        columns=[Column(name="i"), Column(name="target", unit="m", family="position"), Column(name="x", unit="m"), Column(name="s", unit="m"), Column(name="text")],
        rows=[[1, -0.02, -50.78 * UM, 1.242 * UM, "a"], [2, 0.02, 1004.5 * UM, None, "b"]],
    )
    shown = shown_table(table)
    assert shown.units == ("", "mm", "mm", "mm", "")
    assert shown.rows[0] == ("1", "-20.00", "-0.0508", "0.0012", "a")
    assert shown.rows[1][3] == "—"
    assert shown.numeric == (True, True, True, True, False)


def test_a_spread_stays_visible_beside_a_large_offset() -> None:
    table = Table(title="t", columns=[Column(name="x", unit="m")], rows=[[500.000001e-6], [500.123e-6], [500.246e-6]])
    assert [row[0] for row in shown_table(table).rows] == ["500.000", "500.123", "500.246"]


def test_contributors_are_ranked_by_their_share_of_the_sum_of_squares() -> None:
    budget = Budget(
        title="A",
        rows=[
            BudgetRow(symbol="a", name="", formula="", uncertainty=3 * UM),
            BudgetRow(symbol="b", name="", formula="", uncertainty=None, note="not measured"),
            BudgetRow(symbol="c", name="", formula="", uncertainty=4 * UM),
        ],
        total=5 * UM,
    )
    rows, total, unit = shown_budget(budget)
    assert [(row.symbol, row.uncertainty, row.share) for row in rows] == [("c", "4.0", pytest.approx(0.64)), ("a", "3.0", pytest.approx(0.36)), ("b", "—", None)]
    assert (total, unit) == ("5.0", "µm")


def test_tables_refuse_nan_text_among_numbers_and_ragged_rows() -> None:
    columns = [Column(name="x", unit="m")]
    for row, message in (([float("nan")], "not a number"), (["12"], "text '12'"), ([1.0, 2.0], "2 cells")):
        with pytest.raises(ValueError, match=message):
            Table(title="t", columns=columns, rows=[row])
