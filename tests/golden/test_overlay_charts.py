"""Maps of wafers, fields and stages: what they say is what they draw, and the same bytes every time."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from precision.models.overlay_marks import field_grid, full_fields, layout
from precision.report import overlay_charts
from precision.report.document import Chart
from precision.report.overlay_charts import VectorMap, Wafer, component_maps, fingerprint_chart, wafer_maps
from precision.report.stage_map_charts import StageMap, stage_maps

MARKS = layout(full_fields(), field_grid(2, 2))
WAFER = Wafer(radius_m=0.15, field_centres_m=full_fields(), field_size_m=(0.026, 0.033))


def vectors(size: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (MARKS.count, 2))


def words(chart: Chart) -> list[str]:
    return ["".join(element.itertext()).strip() for element in ElementTree.fromstring(chart.svg).iter() if element.tag.endswith("}text")]


def test_before_and_after_share_a_scale_and_what_is_small_is_magnified() -> None:
    maps = [
        VectorMap(position_m=MARKS.position_m, vector_m=vectors(size), name=name)
        for size, name in ((20e-9, "before"), (10e-9, "after"), (1e-9, "rest"))
    ]
    said = words(wafer_maps(maps, WAFER, heading="Overlay"))
    assert "before" in said and "after" in said and "rest, arrows × 20" in said
    arrows = [word for word in said if word.endswith(" nm")]
    # One round length for the first two; that of the third is a 20th of it, rounded down to 1, 2, 5.
    assert arrows[0] == arrows[1] and float(arrows[0].split()[0]) / float(arrows[2].split()[0]) >= 20


def test_a_map_that_is_half_as_large_is_not_magnified() -> None:
    maps = [VectorMap(position_m=MARKS.position_m, vector_m=vectors(20e-9) * factor, name=f"map {factor:g}") for factor in (1, 0.5)]
    assert not any("×" in word for word in words(wafer_maps(maps, WAFER, heading="Overlay")))


def test_the_same_bytes_every_time() -> None:
    one = VectorMap(position_m=MARKS.position_m, vector_m=vectors(5e-9), name="measured", crossed=np.array([3, 7]))
    assert wafer_maps([one], WAFER, heading="Overlay").svg == wafer_maps([one], WAFER, heading="Overlay").svg
    errors = vectors(5e-9)[:100].reshape(10, 10, 2)
    first, second = (stage_maps([StageMap(error_m=errors, name="stage", u_m=1e-9)], pitch_m=1e-3, heading="Stage").svg for _ in range(2))
    assert first == second


def test_maps_of_many_marks_stay_small_show_the_longest_and_say_so() -> None:
    many = layout(full_fields(), field_grid(20, 20))
    moved = np.random.default_rng(1).normal(0, 1e-9, (many.count, 2))
    moved[12_345] = [60e-9, 0.0]  # in the place of no evenly chosen mark
    chart = wafer_maps([VectorMap(position_m=many.position_m, vector_m=moved, name="measured")], WAFER, heading="Overlay")
    assert f"1500 of {many.count} marks, and the longest" in " ".join(words(chart)) and len(chart.svg) < 1.5e6
    drawn = overlay_charts._drawn(moved, np.isfinite(moved).all(axis=1))
    assert drawn[12_345] and 1500 <= drawn.sum() <= 1530
    colours = [component_maps(many.position_m, [("dx", moved[:, 0])], WAFER, heading="left") for _ in range(2)]
    assert len(colours[0].svg) < 1.5e6 and colours[0].svg == colours[1].svg


def test_rejected_and_missing_marks_are_drawn_and_said() -> None:
    moved = vectors(5e-9)
    moved[10] = np.nan
    one = VectorMap(position_m=MARKS.position_m, vector_m=moved, name="measured", crossed=np.array([3]))
    assert "rejected" in wafer_maps([one], WAFER, heading="Overlay").how_to_read
    plain = VectorMap(position_m=MARKS.position_m, vector_m=moved, name="measured")
    assert "rejected" not in wafer_maps([plain], WAFER, heading="Overlay").how_to_read


def test_nothing_but_zeros_or_missing_marks_can_be_drawn() -> None:
    for moved in (np.zeros((MARKS.count, 2)), np.full((MARKS.count, 2), np.nan)):
        wafer_maps([VectorMap(position_m=MARKS.position_m, vector_m=moved, name="measured")], WAFER, heading="Overlay")
        component_maps(MARKS.position_m, [("dx", moved[:, 0])], WAFER, heading="dx")
    stage_maps([StageMap(error_m=np.zeros((4, 4, 2)), name="stage")], pitch_m=1e-3, heading="Stage")
    fingerprint_chart(field_grid(2, 2), np.zeros((4, 2)), field_size_m=(0.026, 0.033), numbers="")


def test_a_name_with_markup_stays_text() -> None:
    one = VectorMap(position_m=MARKS.position_m, vector_m=vectors(5e-9), name="<script>$x$</script>")
    chart = wafer_maps([one], WAFER, heading="<b>Overlay</b>")
    assert "<script>$x$</script>" in words(chart) and "<script" not in re.sub("&lt;script", "", chart.svg)


def test_colour_scale_covers_all_but_three_in_a_thousand() -> None:
    values = np.random.default_rng(2).normal(0, 2e-9, MARKS.count)
    values[5] = 1e-6
    chart = component_maps(MARKS.position_m, [("dx", values)], WAFER, heading="dx")
    limit = float(re.search(r"±([\d.]+) (nm|µm)", chart.alt)[1])  # type: ignore[index]
    assert "nm" in chart.alt and limit < 500


def test_more_than_three_maps_are_refused() -> None:
    one = VectorMap(position_m=MARKS.position_m, vector_m=vectors(5e-9), name="measured")
    with pytest.raises(ValueError, match="4 maps"):
        wafer_maps([one] * 4, WAFER, heading="Overlay")


def test_a_png_is_a_picture() -> None:
    one = VectorMap(position_m=MARKS.position_m, vector_m=vectors(5e-9), name="measured")
    assert wafer_maps([one], WAFER, heading="Overlay", format="png").startswith(b"\x89PNG")
