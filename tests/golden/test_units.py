"""Every factor of `precision.units` against pint, an independent unit library."""

import math
from decimal import Decimal
from fractions import Fraction

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision import units

SI = {
    "length": "m", "angle": "rad", "time": "s", "speed": "m/s", "angular speed": "rad/s", "temperature difference": "kelvin", "pressure": "Pa",
    "ratio": "", "expansion": "1/kelvin", "frequency": "hertz",
}  # fmt: skip
# The same unit in pint's words where they differ from ours.
PINT_NAMES = {"in": "inch", "rpm": "revolution/minute", "": "dimensionless", "1": "dimensionless", "%": "percent", "ppb": "1e-9", "K": "kelvin",
              "mK": "millikelvin", "1/K": "1/kelvin", "µm/m/K": "µm/m/kelvin", "um/m/K": "um/m/kelvin", "ppm/K": "ppm/kelvin"}  # fmt: skip
REGISTRY = pint.UnitRegistry()


@pytest.mark.parametrize(("dimension", "unit"), [(dimension, unit) for dimension, table in units.DIMENSIONS.items() for unit in table])
def test_factor_is_that_of_an_independent_library(dimension: str, unit: str) -> None:
    expected = REGISTRY.Quantity(1.0, "") * REGISTRY.parse_expression(PINT_NAMES.get(unit, unit))
    # Both multiply a few rounded factors: some units in the last place.
    assert units.DIMENSIONS[dimension][unit] == pytest.approx(expected.to(SI[dimension]).magnitude, rel=1e-14)


def test_every_dimension_is_compared() -> None:
    assert SI.keys() == units.DIMENSIONS.keys()


def test_celsius_and_the_reference_temperature() -> None:
    assert units.quantity("20 °C", "temperature") == pytest.approx(REGISTRY.Quantity(20.0, "degC").to("kelvin").magnitude, rel=1e-15)
    assert units.REFERENCE_TEMPERATURE_K == units.quantity("20 °C", "temperature")


@given(st.integers(1 - 10**15, 10**15 - 1), st.integers(0, 15), st.sampled_from(["length", "time", "pressure", "expansion", "temperature difference"]), st.data())
def test_a_quantity_is_the_float_nearest_to_what_is_written(digits: int, decimals: int, dimension: str, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(units.DIMENSIONS[dimension])))
    number = f"{Decimal(digits).scaleb(-decimals):f}"
    factor = Fraction(repr(units.DIMENSIONS[dimension][unit]))
    assert units.quantity(f"{number} {unit}", dimension) == float(Fraction(number) * factor)


@pytest.mark.parametrize(("text", "dimension", "value"), [("11.7 µm/m/K", "expansion", 11.7e-6), ("0.3 mm", "length", 0.3e-3), ("3000 mm/min", "speed", 0.05), ("6 m/min", "speed", 0.1), ("12000 mm/min", "speed", 0.2), ("5. mm", "length", 0.005), (".5e1 mm", "length", 0.005), ("37.77 °C", "temperature", 310.92)])
def test_a_quantity_as_people_write_it_is_the_number_they_mean(text: str, dimension: str, value: float) -> None:
    assert units.quantity(text, dimension) == value


@pytest.mark.parametrize("number", ["9" * 15 + "." + "9" * 17 + "e999", "1e308"])
def test_a_quantity_too_large_for_a_float_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="too large for a number"):
        units.quantity(f"{number} kPa", "pressure")


@pytest.mark.parametrize(
    ("text", "dimension", "said"),
    [
        ("20,5 µm", "length", "write a decimal point"),
        ("0,5", "ratio", "write a decimal point"),
        ("1,234.5 mm", "length", "is not a number with a unit"),
        ("5 mm", "angle", "is not an angle"),
        ("5 mm", "expansion", "is not an expansion"),
        ("5 deg", "length", "is not a length"),
    ],
)
def test_a_quantity_that_is_refused_says_what_to_write(text: str, dimension: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        units.quantity(text, dimension)


@pytest.mark.parametrize("unit", ["pm", "nm", "µm", "mm", "m", "nrad", "µrad", "mrad", "rad", "arcsec", "deg", "ns", "µs", "ms", "s"])
def test_a_value_in_a_display_unit_is_that_of_an_independent_library(unit: str) -> None:
    si = REGISTRY.Quantity(1.0, unit).to_base_units().magnitude
    assert units.in_unit(si, unit) == pytest.approx(1.0, rel=1e-14)


def test_an_arc_second_is_the_3600th_part_of_a_degree() -> None:
    assert units.ARCSEC == pytest.approx(math.radians(1 / 3600), rel=1e-15)


def test_a_length_written_in_full_reads_back_whatever_its_digits() -> None:
    # Plans are stored with `repr`: 17 significant digits behind up to four zeros.
    for value in (0.031878000000000004, 0.00012345678901234567, 1.2345678901234567e-05, 31.878e-3):
        assert units.quantity(f"{value!r} m", "length") == value


@pytest.mark.parametrize(
    ("low", "high", "si_unit", "expected"),
    [
        (0.0, 0.5, "m", "0 … 500 mm"),
        (0.01, 0.975994, "m", "10 … 975.994 mm"),
        (0.035536, 0.984333, "m", "35.536 … 984.333 mm"),
        (0.0, 1e-13, "m", "0 … 0.1 pm"),
        (-10e-6, 5e-6, "m", "−10 … 5 µm"),
        (-1e-12, 0.5, "m", "0 … 500 mm"),  # not "-0"
        (0.1 + 0.2, 0.3, "m", "300 … 300 mm"),  # no digit of the conversion
        (0.0, 2.5, "m", "0 … 2.5 m"),
        (0.0, 2 * math.pi, "rad", "0 … 360 deg"),
        (0.0, 0.0, "m", "0 … 0 nm"),
        (0.1, 1.0, "m", "0.1 … 1 m"),
        (0.1, 0.25, "", "0.1 … 0.25"),
    ],
)
def test_a_range_has_one_unit_and_no_false_digits(low: float, high: float, si_unit: str, expected: str) -> None:
    assert units.text_range(low, high, si_unit) == expected


def test_a_range_in_a_given_unit_keeps_the_zeros_before_the_point() -> None:
    assert units.text_range(0.0, 20.0, "m", unit="mm") == "0 … 20000 mm"
    with pytest.raises(ValueError, match="two finite numbers"):
        units.text_range(0.0, math.nan, "m")


@pytest.mark.parametrize(
    ("value", "si_unit", "expected"),
    [(3e-12, "m/s", "3.000 pm/s"), (2.5576e-9, "m/√s", "2.558 nm/√s"), (-4e-7, "m·√s", "-400.0 nm·√s"), (0.05, "m/s", "50.00 mm/s"), (20.0, "m/s", "20.00 m/s")],
)
def test_small_rates_are_shown_in_a_unit_that_reads_well(value: float, si_unit: str, expected: str) -> None:
    assert units.text(value, si_unit) == expected
