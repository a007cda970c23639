"""Phase refractive index of moist air after Ciddor 1996 (Appl. Opt. 35, 1566–1573): the index that the lab's light sees.

Written for the lab alone, with the vapour pressure of IAPWS-IF97 (region 4, eq. 30). What corrects readings for the air has its own equations;
if both came from one place an error in it would cancel and the truth would be the estimate.
"""

from __future__ import annotations

import math

GAS_CONSTANT = 8.314510
"""J/(mol K), the value of Ciddor's paper."""


def saturation_pressure_pa(temperature_k: float) -> float:
    """Saturation vapour pressure of water in Pa, 273.15 … 647 K (IAPWS-IF97 eq. 30).

    >>> round(saturation_pressure_pa(300.0), 5)
    3536.58941
    """
    theta = temperature_k + -2.38555575678e-1 / (temperature_k - 6.50175348448e2)
    a = theta * theta + 1.16705214528e3 * theta - 7.24213167032e5
    b = -1.70738469401e1 * theta * theta + 1.20208247025e4 * theta - 3.23255503223e6
    c = 1.49151086135e1 * theta * theta - 4.82326573616e3 * theta + 4.05113405421e5
    return float(1e6 * (2 * c / (math.sqrt(b * b - 4 * a * c) - b)) ** 4)


def _compressibility(celsius: float, pressure_pa: float, vapour_fraction: float) -> float:
    """Z of moist air (Ciddor 1996, eq. 12)."""
    ratio = pressure_pa / (celsius + 273.15)
    linear = 1.58123e-6 - 2.9331e-8 * celsius + 1.1043e-10 * celsius**2
    linear += (5.707e-6 - 2.051e-8 * celsius) * vapour_fraction + (1.9898e-4 - 2.376e-6 * celsius) * vapour_fraction**2
    return 1 - ratio * linear + ratio**2 * (1.83e-11 - 0.765e-8 * vapour_fraction**2)


def refractivity(*, wavelength_m: float, temperature_k: float, pressure_pa: float, relative_humidity: float, co2_ppm: float) -> float:
    """n − 1 at the vacuum wavelength `wavelength_m`; relative humidity 0 … 1.

    >>> round(refractivity(wavelength_m=633e-9, temperature_k=293.15, pressure_pa=1e5, relative_humidity=0.0, co2_ppm=450.0) * 1e8, 1)
    26824.4
    """
    celsius = temperature_k - 273.15
    squared_wavenumber = (1e-6 / wavelength_m) ** 2
    enhancement = 1.00062 + 3.14e-8 * pressure_pa + 5.6e-7 * celsius**2
    vapour_fraction = enhancement * relative_humidity * saturation_pressure_pa(temperature_k) / pressure_pa

    standard_air = 1e-8 * (5792105.0 / (238.0185 - squared_wavenumber) + 167917.0 / (57.362 - squared_wavenumber))
    standard_air *= 1 + 0.534e-6 * (co2_ppm - 450)
    polynomial = 295.235 + 2.6422 * squared_wavenumber - 0.03238 * squared_wavenumber**2 + 0.004028 * squared_wavenumber**3
    standard_vapour = 1.022e-8 * polynomial

    molar_air = 1e-3 * (28.9635 + 12.011e-6 * (co2_ppm - 400))
    molar_vapour = 0.018015
    density_standard_air = 101325.0 * molar_air / (_compressibility(15.0, 101325.0, 0.0) * GAS_CONSTANT * 288.15)
    density_standard_vapour = 1333.0 * molar_vapour / (_compressibility(20.0, 1333.0, 1.0) * GAS_CONSTANT * 293.15)
    amount = pressure_pa / (_compressibility(celsius, pressure_pa, vapour_fraction) * GAS_CONSTANT * temperature_k)
    density_air = amount * molar_air * (1 - vapour_fraction)
    density_vapour = amount * molar_vapour * vapour_fraction
    return density_air / density_standard_air * standard_air + density_vapour / density_standard_vapour * standard_vapour
