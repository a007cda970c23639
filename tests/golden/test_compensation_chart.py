"""The chart of an axis before and after: what is drawn is what was given, and the small is shown magnified."""

from xml.etree import ElementTree

import numpy as np
import pytest

from precision.report.compensation_chart import State, states_chart

TARGET = np.array([0.0, 0.1, 0.2])


def _state(name: str, size: float) -> State:
    return State(name=name, target=TARGET, mean=size * np.array([[0.0, 1.0, 0.5], [0.2, 1.2, 0.7]]))


def _texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]


def test_what_is_left_is_magnified_in_its_own_unit() -> None:
    chart = states_chart([_state("measured", 20e-6), _state("predicted", 20e-9)], axis="X", unit="m", title="Compensation of axis X", key_numbers="E 24 µm")
    texts = _texts(chart.svg)
    assert "Deviation (µm)" in texts
    assert "predicted alone (nm)" in texts
    assert "measured spans 24.0 µm, predicted spans 24.0 nm" in chart.alt
    assert "magnified" in chart.how_to_read


def test_what_is_as_large_as_before_needs_no_second_panel() -> None:
    chart = states_chart([_state("before", 20e-6), _state("after", 19e-6)], axis="X", unit="m", title="t", key_numbers="")
    assert not any("alone" in text for text in _texts(chart.svg))
    assert {"before ↑", "before ↓", "after ↑", "after ↓"} <= set(_texts(chart.svg))


def test_the_same_states_give_the_same_drawing() -> None:
    first, second = (states_chart([_state("a", 1e-6), _state("b", 1e-9), _state("c", 2e-9)], axis="X", unit="m", title="t", key_numbers="").svg for _ in range(2))
    assert first == second


def test_names_are_text_and_nothing_else() -> None:
    chart = states_chart([_state("<script>$x$\x1b[31m", 1e-6)], axis="X", unit="m", title="t", key_numbers="")
    assert "<script>" not in chart.svg
    assert any("<script>$x$\\x1b[31m" in text for text in _texts(chart.svg))


def test_states_that_cannot_be_drawn_are_named() -> None:
    with pytest.raises(ValueError, match="state 'a'"):
        State(name="a", target=TARGET, mean=np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="state 'a'"):
        State(name="a", target=TARGET, mean=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="4 states"):
        states_chart([_state("a", 1e-6)] * 4, axis="X", unit="m", title="t", key_numbers="")
    assert states_chart([_state("a", 1e-6)], axis="X", unit="m", title="t", key_numbers="", format="png").startswith(b"\x89PNG")
