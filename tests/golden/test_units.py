"""Every factor of `precision.units` against pint, an independent unit library."""

import math

import pint
import pytest

from precision import units

SI = {
    "length": "m", "angle": "rad", "time": "s", "speed": "m/s", "angular speed": "rad/s", "temperature difference": "kelvin", "pressure": "Pa",
    "ratio": "", "expansion": "1/kelvin",
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
