"""The results on a terminal: one line a figure at 80 columns, and nothing cut in a narrow window."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from precision.figures import Figure
from precision.recording import Positioning
from precision.report import terminal
from precision.report.document import Column, Document, FigureTable, Table
from precision.standards import iso230_2
from precision.units import UM


def printed(made: Document, width: int) -> list[str]:
    from rich.console import Console

    output = io.StringIO()
    Console(file=output, width=width, color_system=None).print(terminal.summary(made))
    return output.getvalue().splitlines()


def results(limits: dict[str, float]) -> Document:
    """All figures of ISO 230-2 with the names that the standard gives them."""
    noise = np.random.Generator(np.random.Philox(key=3)).normal(0, 0.4 * UM, (2, 6, 5))
    deviation = noise + np.array([0, -14.4 * UM])[:, None, None] + 8 * UM * np.sin(np.arange(6))[None, :, None]
    target = np.linspace(0, 0.5, 6)
    index = [(d, i, r) for d in range(2) for i in range(6) for r in range(5)]
    recording = Positioning.from_rows(
        axis="X", target=[target[i] for _, i, _ in index], run=[r + 1 for _, _, r in index], direction=[d for d, _, _ in index],
        actual=[target[i] + deviation[d, i, r] for d, i, r in index],
    )  # fmt: skip
    figures = [replace(figure, uncertainty=0.31 * UM, uncertainty_reason=None) for figure in iso230_2.evaluate(recording).figures.values()]
    return Document(title="t", figures=[FigureTable.of("Results", figures, limits=limits)])


@pytest.mark.parametrize("limits", [{}, {"A": 40 * UM, "B": 1 * UM}])
def test_each_figure_takes_one_line_of_80_columns_and_keeps_its_name(limits: dict[str, float]) -> None:
    lines = printed(results(limits), 80)
    start = next(number for number, line in enumerate(lines) if line.startswith("Symbol"))
    assert "Figure" in lines[start] and ("Decision" in lines[start]) == bool(limits)
    rows = lines[start + 2 : start + 14]
    assert [row.split()[0] for row in rows] == ["A", "A↑", "A↓", "E", "E↑", "E↓", "M", "R", "R↑", "R↓", "B", "B̄"]
    assert "systematic error ↑" in rows[4] and "mean bidirectional error" in rows[6]
    assert max(map(len, lines)) <= 81  # the bar above B has no width
    if limits:
        assert "does not conform" in rows[10]


def test_a_wide_window_prints_the_whole_names() -> None:
    assert any("unidirectional systematic error ↑" in line for line in printed(results({}), 120))


@pytest.mark.parametrize("width", [1, 5, 20, 33, 40, 50, 60, 70, 79])
def test_no_number_and_no_word_is_cut_in_a_narrow_window(width: int) -> None:
    made = results({"A": 40 * UM, "B": 1 * UM})
    values = [line.split()[1] for line in printed(made, 40) if line.split()[0] in {"A", "E↑", "B̄"}]
    lines = printed(made, width)
    assert len(values) == 3
    if width < 20:
        return  # that it comes to an end is all that can be asked
    words = " ".join(lines).split()
    for value in values:
        assert value in words
    assert ("Figure" in words) == any("systematic error" in line for line in lines)
    assert not any("…" in word for word in words)


def test_a_reason_stands_once_with_the_figures_it_is_for() -> None:
    missing = [Figure(symbol=s, key=s, name="n", unit="m", value=None, reason="no approach ↓ was measured") for s in ("A", "B")]
    lines = printed(Document(title="t", figures=[FigureTable.of("f", [*missing, Figure(symbol="R", key="R", name="n", unit="m", value=1 * UM)])]), 80)
    assert [line for line in lines if "no approach" in line] == ["A, B: not evaluated: no approach ↓ was measured"]


def test_figures_of_several_units_each_have_theirs() -> None:
    mixed = [Figure(symbol="A", key="A", name="n", unit="m", value=3 * UM), Figure(symbol="T", key="T", name="n", unit="K", value=0.5)]
    lines = printed(Document(title="t", figures=[FigureTable.of("f", mixed)]), 80)
    assert any("Unit" in line for line in lines)
    assert any(line.startswith("A") and "µm" in line for line in lines) and any(line.startswith("T") and "K" in line for line in lines)


def test_a_number_of_a_table_is_not_broken_over_two_lines() -> None:
    """Nine columns under long heads, as of the worst places of a volume: −20.08 broken behind −20.0 is another number."""
    from rich.console import Console

    names = [f"Target {axis}" for axis in "XYZ"] + [f"was off in {axis}" for axis in "XYZ"] + [f"adds in {axis}" for axis in "XYZ"]
    columns = [Column(name=name, unit="m", family=name.split()[0]) for name in names]
    rows = [[72.5e-3, -145e-3, -75e-3, 53.52e-6, 27.43e-6, -32.68e-6, -20.08e-6, -77.84e-6, 33.1e-6]]
    output = io.StringIO()
    Console(file=output, width=80, color_system=None).print(terminal.table(Table(title="t", columns=columns, rows=rows)))
    assert "−20.08" in output.getvalue() and "−77.84" in output.getvalue()
