"""What the picture of a comparison says."""

from __future__ import annotations

from precision.report.difference_chart import Difference, difference_chart


def one(symbol: str, before: float, after: float, verdict: str, u: float | None = 1e-7) -> Difference:
    return Difference(symbol=symbol, unit="m", before=before, after=after, uncertainty=u, verdict=verdict)


def test_every_figure_stands_in_the_chart_with_both_values() -> None:
    chart = difference_chart([one("E", 26.9e-6, 0.13e-6, "better"), one("R", 1e-6, 1.05e-6, "no change within U"), one("B", 1e-6, 2e-6, "worse", None)])
    assert "1 better, 1 worse, 1 without a change beyond U" in chart.svg
    assert "26.9 µm → 130 nm" in chart.svg
    assert all(f">{symbol}<" in chart.svg for symbol in "ERB")


def test_of_many_figures_those_with_the_largest_changes_are_drawn_and_all_are_counted() -> None:
    many = [one(f"F{k}", 1e-6, 1e-6 * (1 + k / 100), "worse") for k in range(40)]
    chart = difference_chart(many)
    assert ">F39<" in chart.svg
    assert ">F3<" not in chart.svg
    assert "40 worse" in chart.svg


def test_a_name_from_outside_is_text_and_nothing_else() -> None:
    assert "<script" not in difference_chart([one("<script>alert(1)</script>", 1.0, 2.0, "worse")]).svg
