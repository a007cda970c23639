"""Refractive index of air, for interferometers that count vacuum wavelengths: Ciddor 1996 and the modified Edlén equation.

Arguments are SI (K, Pa, ratios 0 … 1, vacuum wavelength in m), scalars or arrays that broadcast against each other; results are float64 arrays of the
broadcast shape (0-d for scalars). The stated standard uncertainty of either equation is about 1e-8 to 3e-8 in n (Ciddor 1996; Birch & Downs 1994).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..units import CELSIUS_ZERO_K

HENE_VACUUM_WAVELENGTH_M: Final = 632.9908e-9
"""A usual stabilised helium–neon laser; the certificate of the instrument has the number that counts."""

GAS_CONSTANT: Final = 8.314510
"""J/(mol K), as Ciddor 1996 used it (CODATA 1986). It cancels in the density ratios."""

Array = NDArray[np.float64]


def saturation_vapour_pressure(temperature_k: ArrayLike) -> Array:
    """Saturation vapour pressure p_sv in Pa, over water from the triple point upwards and over ice below it.

    Parameters
    ----------
    temperature_k : (...) float, K, 223.15 … 633.15 (−50 … 360 °C)

    Notes
    -----
    Over water IAPWS-IF97 equation 30, over ice IAPWS (Wagner 1994), both as in NIST's Engineering Metrology Toolbox, appendix A-I:
    Ω = T + K9/(T − K10), A = Ω² + K1·Ω + K2, B = K3·Ω² + K4·Ω + K5, C = K6·Ω² + K7·Ω + K8, X = −B + √(B² − 4AC), p_sv = 10⁶·(2C/X)⁴;
    ice: ϑ = T/273.16, p_sv = 611.657·exp[−13.928169·(1 − ϑ^−1.5) + 34.7078238·(1 − ϑ^−1.25)].

    Raises
    ------
    ValueError      outside the range

    >>> round(float(saturation_vapour_pressure(300.0)), 5)
    3536.58941
    """
    temperature = _within("temperature_k", temperature_k, 223.15, 633.15, "K (not °C)")
    k = (1.16705214528e3, -7.24213167032e5, -1.70738469401e1, 1.20208247025e4, -3.23255503223e6,
         1.49151086135e1, -4.82326573616e3, 4.05113405421e5, -2.38555575678e-1, 6.50175348448e2)  # fmt: skip
    omega = temperature + k[8] / (temperature - k[9])
    a = omega**2 + k[0] * omega + k[1]
    b = k[2] * omega**2 + k[3] * omega + k[4]
    c = k[5] * omega**2 + k[6] * omega + k[7]
    water = 1e6 * (2 * c / (-b + np.sqrt(b**2 - 4 * a * c))) ** 4
    theta = temperature / 273.16
    ice = 611.657 * np.exp(-13.928169 * (1 - theta**-1.5) + 34.7078238 * (1 - theta**-1.25))
    return np.asarray(np.where(temperature >= 273.16, water, ice))


def ciddor(
    *,
    temperature_k: ArrayLike,
    pressure_pa: ArrayLike,
    relative_humidity: ArrayLike,
    co2_ratio: ArrayLike = 450e-6,
    wavelength_m: ArrayLike = HENE_VACUUM_WAVELENGTH_M,
) -> Array:
    """Phase refractive index n of moist air by Ciddor's equation.

    Parameters
    ----------
    temperature_k : K, 233.15 … 373.15
    pressure_pa : Pa, 10 000 … 140 000
    relative_humidity : 0 … 1
    co2_ratio : mole fraction of carbon dioxide, 0 … 2000e-6
    wavelength_m : in vacuum, 300e-9 … 1690e-9 m

    Notes
    -----
    n − 1 = (ρ_a/ρ_axs)(n_axs − 1) + (ρ_w/ρ_ws)(n_ws − 1): dispersion of dry air and of water vapour, each scaled by its density; the reference
    densities are dry air at 15 °C, 101 325 Pa and pure vapour at 20 °C, 1333 Pa. ρ = p·M·x/(Z·R·T) with the BIPM compressibility Z.
    The mole fraction of vapour is x_w = f·RH·p_sv/p with the enhancement factor f and p_sv from `saturation_vapour_pressure`.

    References
    ----------
    P. E. Ciddor, Applied Optics 35 (1996) 1566–1573.

    Raises
    ------
    ValueError      an argument outside its range

    >>> air = dict(temperature_k=293.15, pressure_pa=101325.0, relative_humidity=0.5)
    >>> f"{float(ciddor(**air)):.9f}"
    '1.000271373'
    """
    temperature, pressure, humidity, co2 = _conditions(temperature_k, pressure_pa, relative_humidity, co2_ratio)
    wavelength = _within("wavelength_m", wavelength_m, 300e-9, 1690e-9, "m, in vacuum")
    t = temperature - CELSIUS_ZERO_K
    s2 = (1e-6 / wavelength) ** 2  # σ², µm⁻²

    enhancement = 1.00062 + 3.14e-8 * pressure + 5.6e-7 * t**2
    x_w = enhancement * humidity * saturation_vapour_pressure(temperature) / pressure

    n_as = 1e-8 * (5792105 / (238.0185 - s2) + 167917 / (57.362 - s2))
    n_axs = n_as * (1 + 0.534 * (co2 - 450e-6))
    n_ws = 1.022e-8 * (295.235 + 2.6422 * s2 - 0.03238 * s2**2 + 0.004028 * s2**3)

    molar_air = 1e-3 * (28.9635 + 12.011 * (co2 - 400e-6))
    molar_water = 0.018015
    rho_axs = _density(np.asarray(288.15), np.asarray(101325.0), np.asarray(0.0), molar_air)
    rho_ws = _density(np.asarray(293.15), np.asarray(1333.0), np.asarray(1.0), molar_water)
    rho_a = (1 - x_w) * _density(temperature, pressure, x_w, molar_air)
    rho_w = x_w * _density(temperature, pressure, x_w, molar_water)
    return np.asarray(1 + rho_a / rho_axs * n_axs + rho_w / rho_ws * n_ws)


def _density(temperature: Array, pressure: Array, x_w: Array, molar_mass: Array | float) -> Array:
    """p·M/(Z·R·T) in kg/m³ with the compressibility Z of moist air (BIPM 1981/91, as in Ciddor 1996 equation 12)."""
    t = temperature - CELSIUS_ZERO_K
    ratio = pressure / temperature
    linear = 1.58123e-6 - 2.9331e-8 * t + 1.1043e-10 * t**2 + (5.707e-6 - 2.051e-8 * t) * x_w + (1.9898e-4 - 2.376e-6 * t) * x_w**2
    compressibility = 1 - ratio * linear + ratio**2 * (1.83e-11 - 0.765e-8 * x_w**2)
    return np.asarray(pressure * molar_mass / (compressibility * GAS_CONSTANT * temperature))


def edlen(
    *,
    temperature_k: ArrayLike,
    pressure_pa: ArrayLike,
    relative_humidity: ArrayLike,
    wavelength_m: ArrayLike = HENE_VACUUM_WAVELENGTH_M,
) -> Array:
    """Phase refractive index n of moist air with 450 ppm carbon dioxide by the modified Edlén equation, in NIST's form.

    Parameters
    ----------
    temperature_k : K, 233.15 … 373.15
    pressure_pa : Pa, 10 000 … 140 000
    relative_humidity : 0 … 1
    wavelength_m : in vacuum, 350e-9 … 650e-9 m (the range of Birch & Downs; `ciddor` reaches the near infrared)

    Notes
    -----
    n_s − 1 = 10⁻⁸·[8342.54 + 2406147/(130 − σ²) + 15998/(38.9 − σ²)];
    n_tp − 1 = p·(n_s − 1)·[1 + 10⁻⁸·(0.601 − 0.00972·t)·p]/[96095.43·(1 + 0.003661·t)];
    n = n_tp − p_w·(292.75/T)·(3.7345 − 0.0401·σ²)·10⁻¹⁰, with p_w = RH·p_sv.
    Birch & Downs have no factor 292.75/T; NIST added it for temperatures away from 20 °C.

    References
    ----------
    K. P. Birch, M. J. Downs, Metrologia 30 (1993) 155 and 31 (1994) 315; J. A. Stone, J. H. Zimmerman, NIST Engineering Metrology Toolbox, A-IV.

    Raises
    ------
    ValueError      an argument outside its range

    >>> air = dict(temperature_k=293.15, pressure_pa=101325.0, relative_humidity=0.5)
    >>> f"{float(edlen(**air, wavelength_m=633e-9)):.9f}"
    '1.000271374'
    """
    temperature, pressure, humidity, _ = _conditions(temperature_k, pressure_pa, relative_humidity, 450e-6)
    wavelength = _within("wavelength_m", wavelength_m, 350e-9, 650e-9, "m, in vacuum (ciddor() covers 300 … 1690 nm)")
    t = temperature - CELSIUS_ZERO_K
    s2 = (1e-6 / wavelength) ** 2
    n_s = 1e-8 * (8342.54 + 2406147 / (130 - s2) + 15998 / (38.9 - s2))
    n_tp = pressure * n_s * (1 + 1e-8 * (0.601 - 0.00972 * t) * pressure) / (96095.43 * (1 + 0.003661 * t))
    vapour = humidity * saturation_vapour_pressure(temperature)
    return np.asarray(1 + n_tp - vapour * (292.75 / temperature) * (3.7345 - 0.0401 * s2) * 1e-10)


def _conditions(temperature_k: ArrayLike, pressure_pa: ArrayLike, relative_humidity: ArrayLike, co2_ratio: ArrayLike) -> tuple[Array, Array, Array, Array]:
    return (
        _within("temperature_k", temperature_k, 233.15, 373.15, "K (not °C)"),
        _within("pressure_pa", pressure_pa, 1e4, 1.4e5, "Pa (not hPa)"),
        _within("relative_humidity", relative_humidity, 0.0, 1.0, "as a ratio, not in per cent"),
        _within("co2_ratio", co2_ratio, 0.0, 2000e-6, "as a mole fraction, not in ppm"),
    )


def _within(name: str, value: ArrayLike, low: float, high: float, unit: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    outside = ~((array >= low) & (array <= high))  # true for NaN as well
    if np.any(outside):
        raise ValueError(f"{name} is {array[outside].flat[0]:g}; expected {low:g} … {high:g} {unit}")
    return array
