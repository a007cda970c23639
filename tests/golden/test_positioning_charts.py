"""The charts of a positioning test show the numbers they are given: read back from the drawing, against the arrays and a real recording.

The real recording and its independently computed results are `shared/data/iso230_2/ess_target_x` (see SOURCES.md there).
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from precision.figures import Figure
from precision.recording import Positioning
from precision.report.document import Chart
from precision.report.drawing import DARK, DOWN_COLOR, INK, UP_COLOR
from precision.report.positioning_charts import (
    PositioningCurves,
    TemperatureTrace,
    drift_chart,
    main_chart,
    reversal_chart,
    trend_chart,
)
from precision.report.positioning_tables import reading_table, target_table
from precision.report.presentation import shown_table
from precision.units import ARCSEC, MM, UM

Floats = NDArray[np.floating[Any]]
SVG = "{http://www.w3.org/2000/svg}"
PIXEL = 1e-5  # drawings are written with six decimals; a sum of two roundings stays below


def curves(deviation: Floats, target: Floats, **more: Any) -> PositioningCurves:
    measured = np.isfinite(deviation)
    count = measured.sum(axis=2)
    mean = np.where(count > 0, np.where(measured, deviation, 0).sum(axis=2) / np.maximum(count, 1), np.nan)
    squares = np.where(measured, (deviation - mean[:, :, None]) ** 2, 0).sum(axis=2)
    s = np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)
    return PositioningCurves(**{"axis": "X", "target": target, "deviation": deviation, "mean": mean, "s": s, "reversal": mean[0] - mean[1], **more})


def figures(values: dict[str, float], unit: str = "m") -> dict[str, Figure]:
    return {key: Figure(symbol=key, key=key, name=key, unit=unit, value=value) for key, value in values.items()}


def marks(chart: Chart, color: str) -> Floats:
    """(count, 2) positions of the marks of one fill colour, in drawing order; y grows downwards."""
    found = [element for element in ElementTree.fromstring(chart.svg).iter(f"{SVG}use") if f"fill: {color.lower()}" in element.get("style", "").lower()]
    return np.array([[float(element.get("x", "nan")), float(element.get("y", "nan"))] for element in found]).reshape(-1, 2)


def words(chart: Chart) -> str:
    return " | ".join("".join(element.itertext()) for element in ElementTree.fromstring(chart.svg).iter(f"{SVG}text"))


def written_at(element: ElementTree.Element) -> Floats:
    """Where a text stands, from x and y or from its translation."""
    moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)", element.get("transform", ""))
    return np.array([float(one) for one in (moved.groups() if moved else (element.get("x", "nan"), element.get("y", "nan")))])


def readings(chart: Chart, direction: int) -> Floats:
    return marks(chart, DARK[(UP_COLOR, DOWN_COLOR)[direction]])


def straight(pixel: Floats, value: Floats) -> tuple[float, float]:
    """Pixels = a + b·value for all of them, or it fails; returns a, b."""
    b, a = np.polyfit(value, pixel, 1)
    assert np.max(np.abs(pixel - (a + b * value))) < PIXEL
    return float(a), float(b)


@pytest.fixture
def wavy() -> PositioningCurves:
    target = np.array([0.0, 0.05, 0.12, 0.2, 0.31, 0.4])
    noise = np.random.Generator(np.random.Philox(key=5)).normal(0, 0.3 * UM, (2, 6, 4))
    return curves(5 * UM * np.sin(20 * target)[None, :, None] + np.array([0, -2 * UM])[:, None, None] + noise, target)


def test_every_reading_stands_at_its_target_and_deviation(wavy: PositioningCurves) -> None:
    chart = main_chart(wavy, {})
    pixel = np.concatenate([readings(chart, 0), readings(chart, 1)])
    assert len(pixel) == 2 * 6 * 4
    # Drawn direction by direction, run by run.
    x = np.tile(wavy.target, 8)
    y = wavy.deviation.transpose(0, 2, 1).ravel()
    assert straight(pixel[:, 0], x / MM)[1] > 0
    # Up on the chart is a positive deviation; a swapped direction or sign would break the line.
    assert straight(pixel[:, 1], y / UM)[1] < 0


def test_a_reading_that_is_missing_is_not_drawn_and_the_others_are(wavy: PositioningCurves) -> None:
    deviation = wavy.deviation.copy()
    deviation[0, 2, 1] = np.nan
    deviation[1, 4, :] = np.nan
    chart = main_chart(curves(deviation, wavy.target), figures({"A": 1e-5, "B": 2e-6, "E": 9e-6, "M": 8e-6}))
    assert len(readings(chart, 0)) == 23
    assert len(readings(chart, 1)) == 20


def test_dimensions_span_what_their_symbols_mean(wavy: PositioningCurves) -> None:
    low, high = wavy.bands
    worst = int(np.argmax(np.abs(wavy.reversal)))
    expected = {
        "M": np.ptp(wavy.centre), "E": np.ptp(wavy.mean), "A": high.max() - low.min(), "B": abs(wavy.reversal[worst]),
    }  # fmt: skip
    chart = main_chart(wavy, figures({key: float(value) for key, value in expected.items()}))
    a, b = straight(readings(chart, 0)[:, 1], wavy.deviation[0].T.ravel() / UM)
    ends = (marks(chart, INK)[:, 1] - a) / b * UM  # the ticks of M, E, A, then of B, lower end first
    lower = [wavy.centre.min(), wavy.mean.min(), low.min(), wavy.mean[:, worst].min()]
    upper = [wavy.centre.max(), wavy.mean.max(), high.max(), wavy.mean[:, worst].max()]
    assert ends == pytest.approx(np.ravel([lower, upper], order="F"), abs=abs(PIXEL / b) * UM * 2)
    # B stands at the target where the reversal is largest.
    a, b = straight(readings(chart, 0)[:6, 0], wavy.target)
    assert marks(chart, INK)[-1, 0] == pytest.approx(a + b * wavy.target[worst], abs=PIXEL)
    for key, value in expected.items():
        assert f"{key} {value / UM:.3f}"[:5] in words(chart)


def test_the_real_axis_shows_the_published_figures() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "iso230_2"
    if not folder.is_dir():
        pytest.skip("the folder of real recordings is not beside this checkout")
    with (folder / "ess_target_x.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = json.loads((folder / "ess_target_x.expected.json").read_text())["expected"]
    recording = Positioning.from_rows(
        axis="X", target=[float(row["target_mm"]) * MM for row in rows], run=[int(row["run"]) for row in rows],
        direction=["+-".index(row["direction"]) for row in rows], actual=[float(row["actual_mm"]) * MM for row in rows],
    )  # fmt: skip
    real = curves(recording.deviation, recording.target)
    chart = main_chart(real, figures({key: expected[key] * MM for key in ("A", "E", "R", "B", "M") if key in expected}))
    assert len(readings(chart, 0)) == len(readings(chart, 1)) == 45
    for text in ("A 135.3 µm", "B 33.6 µm", "M 93.7 µm"):
        assert text in words(chart)
    table = shown_table(target_table(real, repeatability=np.array(expected["Ri"]) * MM if "Ri" in expected else None))
    assert [row[2] for row in table.rows] == [f"{value * 1e3:.2f}" for value in expected["xu"]]
    assert [row[5] for row in table.rows] == [f"{value * 1e3:.2f}" for value in expected["Bi"]]
    assert len(shown_table(reading_table(real)).rows) == 9 and len(shown_table(reading_table(real)).names) == 11


def test_the_slope_of_a_scale_error_is_named_and_taken_away() -> None:
    target = np.linspace(0, 1, 6)
    chart = trend_chart(curves(np.broadcast_to(17.3e-6 * target[None, :, None] + 3e-6, (2, 6, 3)).copy() + np.array([-1e-7, 0, 1e-7]), target))
    assert chart is not None
    assert "slope 17.3 µm/m" in words(chart)
    y = readings(chart, 0)[:, 1].reshape(3, 6)
    assert np.max(np.ptp(y, axis=1)) < 0.001 * np.ptp(y)
    angle = trend_chart(curves(np.broadcast_to(2 * ARCSEC / (2 * np.pi) * target[None, :, None], (2, 6, 3)).copy(), target, unit="rad"))
    assert angle is not None and "slope 2.00 arcsec per turn" in words(angle)


def test_reversal_bars_keep_their_sign() -> None:
    deviation = np.zeros((2, 4, 2))
    deviation[0] = np.array([3, -2, 1, 0])[:, None] * UM
    chart = reversal_chart(curves(deviation, np.arange(4) * 0.1), figures({"B": 3 * UM}))
    assert chart is not None
    for number in ("3.00", "−2.00", "1.00", "B 3.000 µm"):
        assert number in words(chart)
    bars = [element.get("d", "") for element in ElementTree.fromstring(chart.svg).iter(f"{SVG}path") if "fill: #9aa7b4" in element.get("style", "") or "fill: #16202c" in element.get("style", "")]
    corners = sorted(list(map(float, numbers)) for bar in bars if len(numbers := re.findall(r"-?[\d.]+", bar)) == 8)  # from the left; the worst is drawn last
    heights = [numbers[5] - numbers[1] for numbers in corners]
    # Height upwards is negative in the drawing's coordinates.
    assert [np.sign(round(height, 3)) for height in heights] == [-1, 1, -1, 0]
    assert heights[0] / heights[1] == pytest.approx(-1.5, rel=1e-4)


def test_drift_is_drawn_in_the_order_of_the_cycle() -> None:
    target = np.linspace(0, 0.4, 5)
    drift = np.broadcast_to(np.arange(3.0) * UM, (2, 5, 3)).copy()
    chart = drift_chart(curves(drift, target))
    assert chart is not None and "wander by 2.00 µm" in words(chart)
    up, down = marks(chart, UP_COLOR)[:15, 0].reshape(5, 3), marks(chart, DOWN_COLOR)[:15, 0].reshape(5, 3)
    # One run: targets upwards, then downwards, then the next run.
    one_run = np.concatenate([up[:, 0], down[::-1, 0], up[:, 1]])
    assert np.all(np.diff(one_run) > 0)
    assert np.ptp(np.diff(one_run)) < 10 * PIXEL
    step = drift_chart(curves(drift, target), cycle="step")
    assert step is not None
    up, down = marks(step, UP_COLOR)[:15, 0].reshape(5, 3), marks(step, DOWN_COLOR)[:15, 0].reshape(5, 3)
    assert np.all(np.diff(np.ravel([up[0], down[0]], order="F")) > 0) and up[1, 0] > down[0, -1]


def test_temperatures_stand_in_degrees_celsius_on_the_clock_of_the_readings() -> None:
    target = np.linspace(0, 0.4, 5)
    deviation = np.broadcast_to(np.arange(3.0) * UM, (2, 5, 3)).copy()
    time_s = np.arange(30.0).reshape(2, 5, 3) * 60
    trace = TemperatureTrace(name="air", time_s=np.array([0.0, 1740.0]), temperature_k=np.array([293.15, 294.4]))
    chart = drift_chart(curves(deviation, target), time_s=time_s, temperatures=[trace])
    assert chart is not None
    assert "air 20.00 → 21.25 °C" in words(chart) and "Time (min)" in words(chart)
    with pytest.raises(ValueError, match=r"time_s has shape \(3,\)"):
        drift_chart(curves(deviation, target), time_s=np.zeros(3))


def test_temperatures_that_end_alike_have_their_names_above_each_other() -> None:
    deviation = np.broadcast_to(np.arange(3.0) * UM, (2, 5, 3)).copy()
    time_s = np.arange(30.0).reshape(2, 5, 3) * 60
    ends = {"air": 293.15, "material": 293.151, "room": 295.0}
    traces = [TemperatureTrace(name=name, time_s=np.array([0.0, 1740.0]), temperature_k=np.array([293.15, end])) for name, end in ends.items()]
    chart = drift_chart(curves(deviation, np.linspace(0, 0.4, 5)), time_s=time_s, temperatures=traces)
    assert chart is not None
    names = [element for element in ElementTree.fromstring(chart.svg).iter(f"{SVG}text") if "→" in "".join(element.itertext())]
    heights = sorted(written_at(element)[1] for element in names)
    assert len(heights) == 3 and min(np.diff(heights)) >= 9.5  # the size of the letters


def test_charts_that_would_say_nothing_are_none() -> None:
    target = np.linspace(0, 0.4, 5)
    once = curves(np.ones((2, 5, 1)) * UM, target)
    assert drift_chart(once) is None
    one_way = np.ones((2, 5, 3)) * UM
    one_way[1] = np.nan
    assert reversal_chart(curves(one_way, target), {}) is None
    assert trend_chart(curves(np.ones((2, 2, 3)) * UM, target[:2])) is None


@pytest.mark.parametrize(
    "deviation",
    [
        np.zeros((2, 5, 3)),
        np.full((2, 5, 3), 1.0),
        np.ones((2, 5, 1)) * UM,
        np.where(np.arange(30).reshape(2, 5, 3) == 7, 1 * UM, np.nan),
        np.arange(30).reshape(2, 5, 3) * 1e-15,
    ],
    ids=["all zero", "a metre off", "one run", "one reading", "femtometres"],
)
def test_poor_data_are_drawn_all_the_same(deviation: Floats) -> None:
    poor = curves(deviation, np.linspace(0, 0.4, 5))
    given = figures({key: 1e-9 for key in ("A", "E", "M", "R", "B", "B_mean")})
    for chart in (main_chart(poor, given), trend_chart(poor), reversal_chart(poor, given), drift_chart(poor)):
        assert chart is None or "nan" not in words(chart).lower()
    assert main_chart(poor, given, format="png").startswith(b"\x89PNG")


def test_one_target_and_a_far_offset_are_drawn() -> None:
    single = curves(np.array([[[1.0, 2.0, 3.0]], [[0.0, 1.0, 2.0]]]) * UM, np.array([0.1]))
    assert len(readings(main_chart(single, figures({"B": 1 * UM})), 0)) == 3
    deviation = 1 * MM + np.arange(30).reshape(2, 5, 3) * 0.1 * UM
    chart = main_chart(curves(deviation, np.linspace(0, 0.4, 5)), figures({"A": 3 * UM}))
    assert "zero lies below the chart" in words(chart)
    assert np.ptp(readings(chart, 0)[:, 1]) > 50  # points: the zero line a millimetre away does not flatten the readings


def test_arrays_that_do_not_fit_are_named() -> None:
    good: dict[str, Any] = {"target": np.arange(3.0), "deviation": np.zeros((2, 3, 2)), "mean": np.zeros((2, 3)), "s": np.zeros((2, 3)), "reversal": np.zeros(3)}
    PositioningCurves(axis="X", **good)
    for name, wrong in (
        ("deviation", np.zeros((3, 2))), ("mean", np.zeros(3)), ("s", np.zeros((3, 2))), ("reversal", np.zeros(2)),
        ("target", np.array([0.0, 2.0, 1.0])), ("target", np.array([])), ("deviation", np.full((2, 3, 2), np.nan)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"target|deviation|mean|s has|reversal"):
            PositioningCurves(axis="X", **{**good, name: wrong})
