"""Check values of the volumetric model (5) and of laser interferometry (6), each named after its section.

5.2: one machine in four chains, worked out by exact homogeneous transforms. 5.3: first harmonics of an R-test. 6.1: IAPWS-IF97, check table. 6.2 and 6.6:
P. E. Ciddor, Applied Optics 35 (1996), dry air and measured laboratory air. 6.3 and 6.6: NIST Engineering Metrology Toolbox (modified Edlén). 6.4: Bönsch and
Potulski 1998, 6.5: the shop-floor formula of NIST, written out here as second opinions on the index. 6.7: cosine, Abbe, dead path, temperature.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.models.air import ciddor, edlen, saturation_vapour_pressure
from precision.models.interferometer import (
    abbe_error,
    cosine_error,
    data_age_error,
    geometric_displacement,
    without_data_age,
)
from precision.models.rigid_body import RigidBody
from precision.models.thermal import length_at_20_c
from precision.standards.location_errors import evaluate
from precision.units import ARCSEC

WAVELENGTH_M = 633e-9
LABORATORY = {"temperature_k": 293.15, "pressure_pa": 101_325.0, "relative_humidity": 0.5, "wavelength_m": WAVELENGTH_M}


def constant_machine(chain: str) -> RigidBody:
    values = {"X": (5, -3, 2, 8, -12, 20), "Y": (-4, 6, 1, -15, 5, 10), "Z": (2, -1, -7, 11, -9, 4)}
    curves = {
        f"E{letter}{axis}": ([-1.0, 1.0], [value * 1e-6] * 2) for axis, six in values.items() for letter, value in zip("XYZABC", six, strict=True)
    }
    return RigidBody.from_curves(chain, curves)


@pytest.mark.parametrize(
    ("chain", "delta_um"), [("FXYZ", (2.65, 1.77, -2.32)), ("XFYZ", (2.65, 7.77, 1.28)), ("XYFZ", (0.65, 7.77, -1.72)), ("XYZF", (2.00, 9.42, -1.72))]
)
def test_5_2_named_errors_add_up_as_worked_out_in_every_chain(chain: str, delta_um: tuple[float, float, float]) -> None:
    delta = constant_machine(chain).error([0.3, 0.2, -0.15], (0.010, -0.020, -0.120))
    assert np.round(delta * 1e6, 2) == pytest.approx(delta_um, abs=1e-12)


def test_5_2_rotations_of_all_axes_turn_the_tool() -> None:
    assert constant_machine("FXYZ").turn([0.3, 0.2, -0.15]) * 1e6 == pytest.approx([8 - 15 + 11, -12 + 5 - 9, 20 + 10 + 4], abs=1e-12)


def test_5_3_axial_reading_of_a_tilted_axis_has_the_first_harmonic() -> None:
    turn = np.radians(np.arange(0, 360, 30))
    x, y = 0.15 * np.cos(turn), 0.15 * np.sin(turn)
    found = evaluate(turn, np.stack([x, y, 20e-6 * y - (-10e-6) * x]), axis="C", noise_m=1e-8)
    assert (found["E_A0C"], found["E_B0C"]) == pytest.approx((20e-6, -10e-6), abs=1e-9)


@pytest.mark.parametrize(
    ("temperature_k", "pressure_pa", "digit"),
    [(300.0, 3536.58941, 1e-5), (500.0, 2_638_897.76, 1e-2), (600.0, 12_344_314.6, 0.1), (293.15, 2339.2148, 1e-4)],
)
def test_6_1_saturation_vapour_pressure(temperature_k: float, pressure_pa: float, digit: float) -> None:
    assert float(saturation_vapour_pressure(temperature_k)) == pytest.approx(pressure_pa, abs=digit / 2)


def test_6_1_ciddors_own_saturation_pressure_is_near() -> None:
    t = 293.15
    own = math.exp(1.2378847e-5 * t**2 - 1.9121316e-2 * t + 33.93711047 - 6343.1645 / t)
    assert own == pytest.approx(2339.163, abs=5e-4)
    assert own == pytest.approx(float(saturation_vapour_pressure(t)), rel=3e-5)


@pytest.mark.parametrize(
    ("celsius", "pressure_pa", "refractivity_e8"),
    [(20, 80e3, 21458.0), (20, 100e3, 26824.4), (20, 120e3, 32191.6), (10, 100e3, 27774.7), (30, 100e3, 25937.2)],
)
def test_6_6_ciddor_in_dry_air(celsius: float, pressure_pa: float, refractivity_e8: float) -> None:
    n = ciddor(temperature_k=celsius + 273.15, pressure_pa=pressure_pa, relative_humidity=0.0, wavelength_m=WAVELENGTH_M)
    assert (float(n) - 1) * 1e8 == pytest.approx(refractivity_e8, abs=0.05)


@pytest.mark.parametrize(("celsius", "pressure_pa", "vapour_pa", "co2_ppm", "computed_e8"), [
    (19.526, 102094.8, 1065, 510, 27392.9), (19.173, 102993.0, 641, 450, 27682.5), (19.188, 102918.8, 706, 450, 27658.7), (19.532, 103603.2, 986, 600, 27802.0),
])  # fmt: skip
def test_6_6_ciddor_in_measured_laboratory_air(celsius: float, pressure_pa: float, vapour_pa: float, co2_ppm: float, computed_e8: float) -> None:
    t = celsius + 273.15
    humidity = vapour_pa / float(saturation_vapour_pressure(t))
    n = ciddor(temperature_k=t, pressure_pa=pressure_pa, relative_humidity=humidity, wavelength_m=WAVELENGTH_M, co2_ratio=co2_ppm * 1e-6)
    assert (float(n) - 1) * 1e8 == pytest.approx(computed_e8, abs=0.06)  # an independent computation, printed to 0.1


@pytest.mark.parametrize(("wavelength_m", "n"), [(633e-9, 1.0002713745), (350e-9, 1.0002808256), (400e-9, 1.0002775158)])
def test_6_6_edlen_to_ten_decimals(wavelength_m: float, n: float) -> None:
    assert float(edlen(temperature_k=293.15, pressure_pa=101_325.0, relative_humidity=0.5, wavelength_m=wavelength_m)) == pytest.approx(
        n, abs=0.6e-10
    )


def test_6_6_edlen_in_dry_air() -> None:
    assert float(edlen(temperature_k=293.15, pressure_pa=101_325.0, relative_humidity=0.0, wavelength_m=WAVELENGTH_M)) == pytest.approx(
        1.0002717990, abs=0.6e-10
    )


@pytest.mark.parametrize(("name", "step", "derivative", "digit"), [
    ("temperature_k", 0.1, -0.955e-6, 1e-9), ("pressure_pa", 10.0, 2.683e-9, 1e-12), ("relative_humidity", 0.01, -8.50e-7, 1e-9), ("co2_ratio", 10e-6, 1.43e-4, 1e-6),
])  # fmt: skip
def test_6_6_sensitivities_of_the_index(name: str, step: float, derivative: float, digit: float) -> None:
    at = LABORATORY | {"co2_ratio": 450e-6}
    up, down = (float(ciddor(**(at | {name: at[name] + sign * step}))) for sign in (1, -1))
    assert (up - down) / (2 * step) == pytest.approx(derivative, abs=0.6 * digit)  # half a unit of the last printed digit


def boensch_potulski(celsius: float, pressure_pa: float, vapour_pa: float, co2_ppm: float) -> float:
    """Bönsch and Potulski 1998, from memory of the paper."""
    s = (1e-6 / WAVELENGTH_M) ** 2
    standard = 1e-8 * (8091.37 + 2333983 / (130 - s) + 15518 / (38.9 - s)) * (1 + 0.5327e-6 * (co2_ppm - 400))
    dry = standard * pressure_pa / 93214.60 * (1 + 1e-8 * (0.5953 - 0.009876 * celsius) * pressure_pa) / (1 + 0.003661 * celsius)
    return 1 + dry - vapour_pa * (3.8020 - 0.0384 * s) * 1e-10


def test_6_4_boensch_and_potulski_give_a_little_less_than_ciddor() -> None:
    ours = float(ciddor(**LABORATORY, co2_ratio=450e-6))
    theirs = boensch_potulski(20.0, 101_325.0, 0.5 * float(saturation_vapour_pressure(293.15)), 450.0)
    assert ours - theirs == pytest.approx(1.5e-8, abs=0.5e-8)


def test_6_5_the_shop_floor_formula_agrees_within_5e_8_from_15_to_30_degrees() -> None:
    def shop_floor(celsius: float) -> float:
        return 1 + 7.86e-4 * 101.325 / (273 + celsius) - 1.5e-11 * 50 * (celsius**2 + 160)

    assert shop_floor(20.0) - 1 == pytest.approx(2.71394e-4, abs=1e-9)
    assert float(ciddor(**LABORATORY, co2_ratio=450e-6)) - 1 == pytest.approx(2.71373e-4, abs=1e-9)
    for celsius in np.linspace(15, 30, 16):
        n = float(ciddor(**(LABORATORY | {"temperature_k": celsius + 273.15}), co2_ratio=450e-6))
        assert abs(shop_floor(float(celsius)) - n) < 5e-8


def test_6_7_a_laser_out_of_line_by_1_mm_on_1_m_reads_half_a_micrometre_short() -> None:
    assert float(cosine_error(1.0, angle_rad=1e-3)) == pytest.approx(-0.5e-6, rel=1e-5)


def test_6_7_abbe_error_of_100_mm_and_an_arc_second() -> None:
    assert float(abbe_error(0.1, angle_rad=ARCSEC)) == pytest.approx(0.4848e-6, abs=0.5e-10)


def test_6_7_dead_path_of_100_mm_and_a_change_of_the_index_by_1e_6() -> None:
    # e = D·(n₂/n₁ − 1) ≈ D·Δn = 0.1 µm
    n = 1.00027
    assert -float(geometric_displacement(0.0, index=n + 1e-6, index_at_zero=n, dead_path_m=0.1)) == pytest.approx(0.1e-6, rel=1e-3)


@pytest.mark.parametrize(("material_e6", "shorter_um"), [(11.7, 11.7), (8.0, 8.0), (23.1, 23.1), (6.0, 6.0), (0.0, 0.0)])
def test_6_7_a_metre_one_kelvin_above_20_degrees(material_e6: float, shorter_um: float) -> None:
    assert (1.0 - float(length_at_20_c(1.0, expansion_per_k=material_e6 * 1e-6, temperature_k=294.15))) * 1e6 == pytest.approx(shorter_um, abs=1e-9)


def test_data_age_is_speed_times_age_and_two_axes_differ_by_their_ages() -> None:
    # 0.5 m/s and 100 ns: 50 nm behind (stages_and_control.md §4.1: v·τ); two axes with 100 ns and 90 ns are 5 nm apart.
    assert float(data_age_error(0.5, age_s=100e-9)) == pytest.approx(-50e-9, rel=1e-12)
    assert float(data_age_error(0.5, age_s=90e-9) - data_age_error(0.5, age_s=100e-9)) == pytest.approx(5e-9, rel=1e-9)


def test_positions_without_their_data_age_are_those_of_the_moment_to_half_a_tau_squared() -> None:
    time, age = np.arange(2000) / 20e3, 1e-6
    true, read = (0.5 * t + 0.5 * 10.0 * t**2 for t in (time, time - age))  # 0.5 m/s and 10 m/s²
    left = without_data_age(read, age_s=age, rate_hz=20e3)[1:-1] - true[1:-1]
    assert np.abs(read - true).max() > 0.5e-6
    assert left == pytest.approx(-10.0 * age**2 / 2, abs=1e-15)  # v is taken at t − τ: −a·τ² + a·τ²/2


@pytest.mark.parametrize("call", [lambda: data_age_error(1.0, age_s=-1e-9), lambda: without_data_age([0.0, 1.0], age_s=0.0, rate_hz=1.0), lambda: without_data_age([0.0] * 3, age_s=0.0, rate_hz=0.0)])
def test_an_age_that_cannot_be_is_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"age_s|position_m"):
        call()
