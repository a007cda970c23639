"""Indices of symbols: subscripts for readers, never an underscore, and nothing of a name taken for an index."""

from __future__ import annotations

import io
import re

import pytest

from precision.figures import Figure
from precision.report import symbols, terminal
from precision.report.document import Budget, BudgetRow, Column, Document, FigureTable, Table
from precision.report.html import html
from precision.report.markdown import markdown
from precision.units import UM


@pytest.mark.parametrize(
    ("written", "printed", "page"),
    [
        ("x̄_i↑", "x̄ᵢ↑", "x̄<sub>i</sub>↑"),
        ("Target P_i", "Target Pᵢ", "Target P<sub>i</sub>"),
        ("P_s max", "Pₛ max", "P<sub>s max</sub>"),
        ("U_max", "Uₘₐₓ", "U<sub>max</sub>"),
        ("U_DEVICE", "U(DEVICE)", "U<sub>DEVICE</sub>"),
        ("R_mis²/(2√3·L)", "Rₘᵢₛ²/(2√3·L)", "R<sub>mis</sub>²/(2√3·L)"),
        ("E_VE/√3", "E(VE)/√3", "E<sub>VE</sub>/√3"),
        ("F_XY,max", "F(XY,max)", "F<sub>XY,max</sub>"),
        ("d_∞(u)", "d(∞)(u)", "d<sub>∞</sub>(u)"),
        ("B_i = x̄_i↑ − x̄_i↓.", "Bᵢ = x̄ᵢ↑ − x̄ᵢ↓.", "B<sub>i</sub> = x̄<sub>i</sub>↑ − x̄<sub>i</sub>↓."),
        ("a_<b>", "a_<b>", "a_&lt;b&gt;"),
    ],
)
def test_an_index_is_printed_as_a_subscript(written: str, printed: str, page: str) -> None:
    assert symbols.plain(written) == printed
    figure = Figure(symbol=written, key="A", name="n", unit="m", value=1 * UM)
    assert f'class="symbol">{page}</th>' in html(Document(title="t", figures=[FigureTable.of("f", [figure])]))


@pytest.mark.parametrize("name", ["mean_material_temperature", "x_y_z", "runs/a_b", "file.x_1", "A__b", "_i", "B_", "HP_5529A", "$x_{$", "2x_1"])
def test_names_are_left_as_they_are(name: str) -> None:
    assert symbols.plain(name) == name and symbols.parts(name) == [(name, "")]


def test_no_reader_sees_an_underscore() -> None:
    from rich.console import Console

    made = Document(
        title="t",
        figures=[FigureTable.of("f", [Figure(symbol=s, key=s, name="n", unit="m", value=1 * UM, uncertainty=0.1 * UM) for s in ("P_s max", "U_max", "P_a")], limits={"P_a": 3 * UM})],
        tables=[Table(title="t", columns=[Column(name="x̄_i↑", unit="m")], rows=[[1e-6]], note="B_i")],
        budgets=[Budget(title="b", rows=[BudgetRow(symbol="U_CAL", name="n", formula="U_CAL·L", uncertainty=1e-6)], total=1e-6, note="see U_M")],
    )
    output = io.StringIO()
    console = Console(file=output, width=120, color_system=None)
    console.print(terminal.summary(made), terminal.table(made.tables[0]))
    page = re.sub(r"<[^>]+>", "", html(made).partition("<body>")[2])
    for text in (page, markdown(made), output.getvalue()):
        assert "_" not in text
        assert "Pₐ within the limit" in text


def test_the_total_of_a_budget_stands_under_its_contributors() -> None:
    budget = Budget(title="b", rows=[BudgetRow(symbol=s, name="n", formula="f", uncertainty=u) for s, u in (("a", 3.1e-6), ("b", 5.8e-10))], total=3.5e-6)
    page = html(Document(title="t", budgets=[budget]))
    numbers = re.findall(r'<span class="num">([\d.]+)<span class="pad" aria-hidden="true">([\d.]*)</span>', page)
    assert [a for a, _ in numbers] == ["3.1", "0.00058", "3.5"]
    assert len({len((a + pad).partition(".")[2]) for a, pad in numbers}) == 1
