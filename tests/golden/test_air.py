"""Refractive index of air and saturation vapour pressure against published numbers.

Sources: IAPWS-IF97 equation 30 (check table of the release); NIST Engineering Metrology Toolbox, wavelength calculator (modified Edlén), 20 °C,
101 325 Pa, 50 % RH, 450 ppm; P. E. Ciddor, Applied Optics 35 (1996), table of dry air at 633 nm, and measured moist laboratory air.
"""

import numpy as np
import pytest

from precision.models.air import ciddor, edlen, saturation_vapour_pressure
from precision.models.interferometer import abbe_error, cosine_error, geometric_displacement
from precision.models.thermal import length_at_20_c
from precision.units import ARCSEC

LABORATORY = {"temperature_k": 293.15, "pressure_pa": 101325.0, "relative_humidity": 0.5, "co2_ratio": 450e-6, "wavelength_m": 633e-9}


@pytest.mark.parametrize(
    ("temperature_k", "pressure_pa", "last_digit"),
    [(300.0, 3.53658941e3, 1e-5), (500.0, 2.63889776e6, 1e-2), (600.0, 12.3443146e6, 1e-1), (293.15, 2339.2148, 1e-4)],
)
def test_saturation_vapour_pressure_has_the_published_digits(temperature_k: float, pressure_pa: float, last_digit: float) -> None:
    assert float(saturation_vapour_pressure(temperature_k)) == pytest.approx(pressure_pa, abs=last_digit / 2)


def test_saturation_over_ice_meets_saturation_over_water_at_the_triple_point() -> None:
    below, above = saturation_vapour_pressure([273.16 - 1e-9, 273.16])
    assert below == pytest.approx(611.657, abs=1e-3)
    # IF97 gives 611.655 Pa at the triple point where the ice equation has 611.657 by construction.
    assert above == pytest.approx(below, abs=5e-3)
    assert saturation_vapour_pressure(263.15) == pytest.approx(259.9, abs=0.1)  # over ice; over supercooled water it would be 286.5 Pa


@pytest.mark.parametrize(("wavelength_m", "n"), [(633e-9, 1.000271374), (350e-9, 1.000280826), (400e-9, 1.000277516)])
def test_edlen_gives_the_numbers_of_the_nist_calculator(wavelength_m: float, n: float) -> None:
    # Nine printed decimals: within half a unit of the last, 0.5e-9.
    assert float(edlen(temperature_k=293.15, pressure_pa=101325.0, relative_humidity=0.5, wavelength_m=wavelength_m)) == pytest.approx(n, abs=0.5e-9)


def test_edlen_in_dry_air_gives_the_nist_table() -> None:
    assert float(edlen(temperature_k=293.15, pressure_pa=101325.0, relative_humidity=0.0, wavelength_m=633e-9)) == pytest.approx(1.000271799, abs=0.5e-9)


@pytest.mark.parametrize(
    ("celsius", "pressure_pa", "refractivity_e8"),
    [(20, 80e3, 21458.0), (20, 100e3, 26824.4), (20, 120e3, 32191.6), (10, 100e3, 27774.7), (30, 100e3, 25937.2)],
)
def test_ciddor_in_dry_air_gives_his_table(celsius: float, pressure_pa: float, refractivity_e8: float) -> None:
    n = ciddor(temperature_k=celsius + 273.15, pressure_pa=pressure_pa, relative_humidity=0.0, wavelength_m=633e-9)
    # One printed decimal: half a unit of the last, 0.05e-8.
    assert (float(n) - 1) * 1e8 == pytest.approx(refractivity_e8, abs=0.05)


@pytest.mark.parametrize(
    ("celsius", "pressure_pa", "vapour_pa", "co2_ppm", "measured_e8", "computed_e8"),
    [
        (19.526, 102094.8, 1065, 510, 27392.3, 27392.9),
        (19.173, 102993.0, 641, 450, 27682.2, 27682.5),
        (19.188, 102918.8, 706, 450, 27658.6, 27658.7),
        (19.532, 103603.2, 986, 600, 27802.1, 27802.0),
    ],
)
def test_ciddor_agrees_with_measured_laboratory_air(
    celsius: float, pressure_pa: float, vapour_pa: float, co2_ppm: float, measured_e8: float, computed_e8: float
) -> None:
    humidity = vapour_pa / saturation_vapour_pressure(celsius + 273.15)
    n = ciddor(temperature_k=celsius + 273.15, pressure_pa=pressure_pa, relative_humidity=humidity, co2_ratio=co2_ppm * 1e-6, wavelength_m=633e-9)
    refractivity_e8 = (float(n) - 1) * 1e8
    assert refractivity_e8 == pytest.approx(measured_e8, abs=1.0)  # the measurements are good to 1e-8
    assert refractivity_e8 == pytest.approx(computed_e8, abs=0.06)  # an independent computation, printed to 0.1


@pytest.mark.parametrize(
    ("name", "step", "derivative", "last_digit"),
    [
        ("temperature_k", 0.1, -0.955e-6, 0.001e-6),
        ("pressure_pa", 100.0, 2.683e-9, 0.001e-9),
        ("relative_humidity", 0.01, -8.50e-7, 0.01e-7),  # −8.50e-9 per per cent
        ("co2_ratio", 10e-6, 1.43e-4, 0.01e-4),  # 1.43e-10 per ppm
    ],
)
def test_ciddor_has_the_published_sensitivities(name: str, step: float, derivative: float, last_digit: float) -> None:
    up = float(ciddor(**(LABORATORY | {name: LABORATORY[name] + step})))
    down = float(ciddor(**(LABORATORY | {name: LABORATORY[name] - step})))
    assert (up - down) / (2 * step) == pytest.approx(derivative, abs=last_digit / 2)


def test_ciddor_and_edlen_agree_in_a_laboratory() -> None:
    air = {"temperature_k": np.linspace(288.15, 303.15, 7)[:, None], "pressure_pa": np.array([95e3, 101325.0, 105e3]), "relative_humidity": 0.5}
    # NIST: the two differ by less than about 2e-8 in ordinary laboratory air; equality here would mean that one had been written twice.
    difference = ciddor(**air, wavelength_m=633e-9) - edlen(**air, wavelength_m=633e-9)
    assert difference.shape == (7, 3)
    assert 0 < np.max(np.abs(difference)) < 2e-8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature_k", 20.0),
        ("pressure_pa", 1013.25),
        ("relative_humidity", 50.0),
        ("co2_ratio", 450.0),
        ("wavelength_m", 633.0),
        ("temperature_k", float("nan")),
    ],
)
def test_a_value_in_another_unit_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} is .*expected"):
        ciddor(**(LABORATORY | {name: value}))


def test_dead_path_and_index_are_undone_exactly() -> None:
    # The beam as it is: optical path before and after, with nothing from the function under test.
    dead, moved, n0, n = 0.1, 0.75, 1.000270, 1.000271
    optical = n * (dead + moved) - n0 * dead
    # 2e-16 relative on terms of about 1 m.
    assert float(geometric_displacement(optical, index=n, index_at_zero=n0, dead_path_m=dead)) == pytest.approx(moved, abs=5e-16)
    uncorrected = optical / n - moved
    assert uncorrected == pytest.approx(0.1e-6, rel=1e-3)  # 0.1 m and 1e-6: 0.1 µm, read as motion away


def test_a_laser_out_of_line_reads_short_by_half_a_micrometre_per_metre_and_millimetre() -> None:
    assert float(cosine_error(1.0, angle_rad=1e-3)) == pytest.approx(-0.5e-6, rel=1e-6)


def test_abbe_error_of_a_hundred_millimetres_and_an_arc_second() -> None:
    assert float(abbe_error(0.1, angle_rad=ARCSEC)) == pytest.approx(0.4848e-6, abs=0.00005e-6)
    assert float(abbe_error(-0.1, angle_rad=ARCSEC)) < 0


def test_a_warm_steel_scale_is_shorter_at_20_c() -> None:
    assert float(length_at_20_c(1.0, expansion_per_k=11.7e-6, temperature_k=293.15 + 3)) == pytest.approx(1 - 35.1e-6, abs=1e-15)
    assert float(length_at_20_c(1.0, expansion_per_k=11.7e-6, temperature_k=293.15)) == 1.0
    with pytest.raises(ValueError, match="20 °C is"):
        length_at_20_c(1.0, expansion_per_k=11.7e-6, temperature_k=23.0)


@pytest.mark.parametrize("index", [0.000271, 1.5])
def test_an_index_that_is_not_of_air_is_refused(index: float) -> None:
    with pytest.raises(ValueError, match="index is"):
        geometric_displacement(1.0, index=index)
