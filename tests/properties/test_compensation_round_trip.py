"""What must hold for any table: write → read → apply gives the same corrections; a file that is cut, doubled or garbled never gives a silent table."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.compensation.formats import FORMATS
from precision.compensation.table import Table, evenly, fewest_points
from precision.errors import DataError
from precision.recording import DOWN, UP

NAMES = [name for name in FORMATS if name != "grblhal"]

# How far a correction may move by being written: half of the file's last digit (and for LinuxCNC single precision, 2⁻²⁴ of 20 µm).
ROUNDING = {"linuxcnc": 2e-12, "linuxcnc-type1": 2e-12, "sinumerik": 0.5e-9, "sinumerik-cec": 0.5e-9, "fanuc": 0.5e-6, "heidenhain": 5e-9, "twincat": 0.05e-6,
            "etalon": 1e-15, "isg-csv": 0.5e-12, "pmac": 1e-6 / 32}  # fmt: skip
# A position is rounded too; over that distance the correction changes by the slope, here at most 20 µm in 10 mm.
POSITION = {"twincat": 0.05e-6, "heidenhain": 5e-9, "etalon": 0.5e-9, "isg-csv": 0.5e-9, "sinumerik": 0.5e-9, "sinumerik-cec": 0.5e-9}


@st.composite
def tables(draw: st.DrawFn, *, even: bool, averaged: bool) -> Table:
    number = draw(st.integers(2, 40))
    correction = st.floats(-10e-6, 10e-6).map(lambda value: round(value, 9))
    if even:
        nominal = (np.arange(number) + draw(st.integers(-number + 1, 0))) * 0.01
    else:
        nominal = np.cumsum(draw(st.lists(st.integers(10, 500), min_size=number, max_size=number))) * 1e-3 - 0.5
    forward = np.array(draw(st.lists(correction, min_size=number, max_size=number)))
    reverse = forward if averaged else np.array(draw(st.lists(correction, min_size=number, max_size=number)))
    return Table(axis="X", nominal=nominal, forward=forward, reverse=reverse)


def _for(name: str, draw: st.DataObject) -> Table:
    one = FORMATS[name]
    table = draw.draw(tables(even=one.spacing == "even", averaged=one.directions == "one"))
    if name in ("fanuc", "pmac"):  # their correction is 0 at the reference point, and they hold whole units
        table = table.zero_at(0.0)
    return table


OPTIONS = {"fanuc": {"limit": 127}}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_write_read_apply_equals_the_table(name: str, data: st.DataObject) -> None:
    table = _for(name, data)
    again = FORMATS[name].read(FORMATS[name].write(table, OPTIONS.get(name, {})), axis="X")
    assert again.axis == "X"
    # 20 µm over the closest points, 10 mm, is the steepest.
    tolerance = ROUNDING[name] + 20e-6 / 0.01 * POSITION.get(name, 1e-12) + 1e-15
    at = np.concatenate([table.nominal, (table.nominal[1:] + table.nominal[:-1]) / 2])
    for way in (UP, DOWN):
        np.testing.assert_allclose(again.apply(at, way), table.apply(at, way), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["linuxcnc", "linuxcnc-type1", "sinumerik", "twincat", "heidenhain"])
def test_a_rotary_axis_is_written_in_degrees(name: str) -> None:
    table = Table(axis="C", kind="rotary", nominal=np.radians([0.0, 90.0, 180.0]), forward=np.radians([0.0, 0.001, -0.002]), reverse=np.radians([0.0, 0.001, -0.002]))
    text = FORMATS[name].write(table)
    again = FORMATS[name].read(text, axis="C", kind="rotary")
    assert "90" in text
    np.testing.assert_allclose(again.forward, table.forward, atol=math.radians(0.6e-4))
    np.testing.assert_allclose(again.nominal, table.nominal, atol=1e-9)


@given(tables(even=False, averaged=False), st.floats(1e-8, 5e-6))
@settings(max_examples=60, deadline=None)
def test_a_thinned_table_stays_within_its_tolerance_and_keeps_its_ends(table: Table, tolerance: float) -> None:
    thin = fewest_points(table, tolerance)
    assert thin.interpolation_error(table) <= tolerance * (1 + 1e-9)
    assert set(thin.nominal) <= set(table.nominal)
    assert thin.nominal[0] == table.nominal[0]
    assert thin.nominal[-1] == table.nominal[-1]


@given(tables(even=False, averaged=False), st.integers(1, 100))
@settings(max_examples=40, deadline=None)
def test_even_points_cover_the_table(table: Table, millimetres: int) -> None:
    even = evenly(table, millimetres * 1e-3)
    assert even.nominal[0] <= table.nominal[0] + 1e-12
    assert even.nominal[-1] >= table.nominal[-1] - 1e-12
    assert even.spacing == pytest.approx(millimetres * 1e-3)


def _example(name: str) -> str:
    nominal = np.arange(-3, 5) * 0.01
    forward = np.array([3, 2, 1, 0, 1, 2, 4, 5]) * 1e-6
    table = Table(axis="X", nominal=nominal, forward=forward, reverse=forward)
    if FORMATS[name].directions == "both":
        table = Table(axis="X", nominal=nominal, forward=forward, reverse=forward - 2e-6)
    return FORMATS[name].write(table)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("linuxcnc") and name != "isg-csv"])
def test_a_file_that_was_cut_off_is_refused(name: str) -> None:
    lines = _example(name).rstrip("\n").split("\n")
    for kept in range(len(lines)):
        if name == "pmac" and kept == len(lines) - 1:
            continue  # all but the line that switches the table on
        with pytest.raises(DataError):
            FORMATS[name].read("\n".join(lines[:kept]), axis="X")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("poison", ["nan", "inf", "1e999", "0x10", "1_0", "٣", "", "$(reboot)", "1,5", "\0", "9" * 2000])
def test_a_number_that_is_none_is_refused_with_its_line(name: str, poison: str) -> None:
    lines = _example(name).split("\n")
    # The last number of the file: a value in every format.
    number = max(index for index, line in enumerate(lines) if re.search(r"[\d.]+\s*$", line) and "I51" not in line and "MODULO" not in line)
    lines[number] = re.sub(r"-?[\d.]+\s*$", poison, lines[number])
    if name.startswith("linuxcnc") and poison == "":
        assert len(lines[number].split()) == 2
    with pytest.raises(DataError, match=r"line \d+|missing|entries"):
        FORMATS[name].read("\n".join(lines), axis="X")


@pytest.mark.parametrize("name", [*NAMES, "grblhal"])
@given(text=st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda data: data.decode("latin-1"))))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_a_table_or_a_data_error(name: str, text: str) -> None:
    try:
        table = FORMATS[name].read(text, axis="X")
    except DataError:
        return
    assert np.all(np.isfinite(table.forward))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_garbled_file_gives_a_table_or_a_data_error(name: str, data: st.DataObject) -> None:
    text = _example(name)
    at = data.draw(st.integers(0, len(text) - 1))
    garbled = text[:at] + data.draw(st.sampled_from(["", "-", "9", "\n", "[", "}", "#", " ", "é", "E", "."])) + text[at + data.draw(st.integers(0, 3)) :]
    try:
        table = FORMATS[name].read(garbled, axis="X")
    except DataError:
        return
    assert np.all(np.diff(table.nominal) > 0)


NOT_ASCENDING = {
    "linuxcnc": "0 0 0\n2 2 2\n1 1 1\n",
    "linuxcnc-type1": "0 0 0\n0 0 0\n",
    "heidenhain": "BEGIN X.COM MM\nNR AXISPOS BACKLASH X\n0 1.0 0 0\n1 0.5 0 0\n[END]\n",
    "twincat": "kw.ssfk.interval 0\nkw.ssfk.kw_nr_max 2\nkw.ssfk.unit 1\nkw.ssfk.table[0].setpoint 5\nkw.ssfk.table[1].setpoint 5\nkw.ssfk.table[0].pos 0\nkw.ssfk.table[1].pos 0\n",
    "etalon": "[EXX]\nGridpoints = {\n1 0\n0 0\n}\n",
    "isg-csv": "X EXX\n1 0\n0 0\n",
}
"""In the other formats positions follow from the number of a point."""


@pytest.mark.parametrize("name", NOT_ASCENDING)
def test_positions_that_do_not_ascend_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"line \d+: .*ascend"):
        FORMATS[name].read(NOT_ASCENDING[name], axis="X")


def test_a_correction_of_a_metre_is_an_error_of_units() -> None:
    with pytest.raises(DataError, match="check the units"):
        Table(axis="X", nominal=[0.0, 1.0], forward=[0.0, 1.0], reverse=[0.0, 0.0])
    with pytest.raises(DataError, match="check the units"):
        FORMATS["linuxcnc"].read("0 500 0\n", axis="X")


def test_a_table_is_checked_once_and_then_frozen() -> None:
    for bad in ({"nominal": [0.0, 0.0]}, {"nominal": [1.0, 0.0]}, {"forward": [0.0]}, {"reverse": [0.0, math.nan]}, {"nominal": [0.0, math.inf]}):
        with pytest.raises(DataError, match="compensation table"):
            Table(**({"axis": "X", "nominal": [0.0, 1.0], "forward": [0.0, 0.0], "reverse": [0.0, 0.0]} | bad))
    table = Table(axis="X", nominal=[0.0, 1.0], forward=[0.0, 0.0], reverse=[0.0, 0.0])
    with pytest.raises(ValueError, match="read-only"):
        table.forward[0] = 1.0
