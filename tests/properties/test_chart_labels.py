"""Numbers in the charts of a positioning test neither overprint each other nor run off the sheet, however the targets lie; measured by the layout engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from precision.figures import Figure
from precision.report import drawing, sparse_labels
from precision.report.positioning_charts import PositioningCurves, main_chart, reversal_chart, trend_chart

Floats = NDArray[np.float64]
RANDOM = np.random.Generator(np.random.Philox(key=11))
SPACINGS: dict[str, Floats] = {
    "two": np.array([0.0, 100.0]),
    "two, far off": np.array([-99999.5, -99999.25]),
    "one": np.array([5.0]),
    "even 11": np.linspace(0, 500, 11),
    "close pair first": np.array([31.88, 95.97, 100.0, 250.0, 400.0, 500.0]),
    "clusters": np.array([0.0, 1, 2, 3, 500, 999, 1000]),
    "nearly equal": np.array([0.0, 999.9991, 999.9992, 999.9993]),
    "negative": np.array([-1234.567, -1233.9, -600.25, -0.001, 0.0, 0.001]),
    "30 random": np.sort(RANDOM.uniform(0, 1000, 30)),
    "41 random": np.sort(RANDOM.uniform(-1e4, 1e4, 41)),
    "200 even": np.linspace(0, 1990, 200),
    "200 in 1 mm": 1000 + np.sort(RANDOM.uniform(0, 1, 200)),
}


def curves(target_mm: Floats, reversal_um: Floats) -> PositioningCurves:
    deviation = np.zeros((2, target_mm.size, 2))
    deviation[0] = 1e-6 * reversal_um[:, None]
    mean = deviation.mean(axis=2)
    return PositioningCurves(axis="X", target=target_mm * 1e-3, deviation=deviation, mean=mean, s=np.full_like(mean, 1e-7), reversal=mean[0] - mean[1])


def drawn(monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]) -> Any:
    """The figure behind a chart."""
    figures: list[Any] = []
    real = drawing.svg

    def kept(figure: Any, *, salt: str) -> str:
        figures.append(figure)
        return real(figure, salt=salt)

    monkeypatch.setattr(drawing, "svg", kept)
    assert make() is not None
    return figures[0]


def boxes(texts: list[Any]) -> list[Any]:
    return [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]


def assert_apart_and_inside(found: list[Any], sheet: Any) -> None:
    for one, other in itertools.combinations(found, 2):
        assert not one.overlaps(other)
    for one in found:
        assert sheet.x0 - 0.5 <= one.x0 and one.x1 <= sheet.x1 + 0.5
        assert sheet.y0 - 0.5 <= one.y0 and one.y1 <= sheet.y1 + 0.5


@pytest.mark.parametrize("name", SPACINGS)
@pytest.mark.parametrize("worst", ["first", "middle", "last"])
def test_numbers_at_targets_and_bars_stay_apart_and_on_the_sheet(name: str, worst: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = SPACINGS[name]
    m = target.size
    at = {"first": 0, "middle": m // 2, "last": m - 1}[worst]
    reversal = -3 + 0.3 * np.sin(7 * np.arange(m))
    reversal[at] = -4.19
    made = curves(target, reversal)
    figures = {"B": Figure(symbol="B", key="B", name="Reversal", unit="m", value=4.19e-6)}
    makes: list[Callable[[], object]] = [lambda: main_chart(made, figures), lambda: reversal_chart(made, figures)]
    for make in [*makes, lambda: trend_chart(made)][: 3 if m >= 3 else 2]:
        with monkeypatch.context() as patch:
            figure = drawn(patch, make)
        axes = figure.axes[0]
        with drawing.style():
            ticks = boxes(axes.get_xticklabels())
            assert_apart_and_inside(ticks, figure.bbox)
            # The target of the largest reversal has its number, printed at its place.
            shown = [tick for tick, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True) if text.get_text()]
            assert min(abs(np.array(shown) - target[at])) <= 1e-9 * max(1.0, abs(target[at]))
            assert len(shown) >= min(2, m)
            assert_apart_and_inside(boxes([text for text in axes.texts if text.get_gid() == "halo"]), figure.bbox)
            if "Reversal" in axes.get_ylabel():
                assert "−4.19" in [text.get_text() for text in axes.texts]


def test_targets_that_differ_read_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    made = curves(np.array([1000.01, 1000.02]), np.array([1.0, 2.0]))
    figure = drawn(monkeypatch, lambda: main_chart(made, {}))
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["1000.01", "1000.02"]


def test_bars_hide_no_neighbour_where_targets_are_even() -> None:
    with drawing.style():
        _, axes = drawing.sheet(width=5.2, height=3.8)
        for m in (2, 5, 11, 30, 200):
            x = np.linspace(0, 500, m)
            axes.set_xlim(-25, 525)
            assert 0 < sparse_labels.bar_width(axes, x) <= 0.62 * 500 / (m - 1) + 1e-9
