"""From what a displacement interferometer counts to what the target moved: refractive index, dead path, data age, cosine and Abbe errors.

Signs: displacement is positive in the positive direction of the axis, away from the interferometer; an *error* is reading − truth, so that
truth = reading − error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def geometric_displacement(
    optical_m: ArrayLike, /, *, index: ArrayLike, index_at_zero: ArrayLike | None = None, dead_path_m: ArrayLike = 0.0
) -> Array:
    """Displacement L of the target since zeroing, from the change of optical path d (displacement at the vacuum wavelength).

    At zero the beam ran through the dead path D in air of index n₀, now it runs through D + L in air of index n: d = n·(D + L) − n₀·D, hence
    **L = [d − (n − n₀)·D] / n**. Without the dead-path term the reading is wrong by D·(n − n₀)/n ≈ +D·(n − n₀): denser air reads as motion
    away (0.1 m and 1e-6: 0.1 µm).

    Parameters
    ----------
    optical_m : (...) float, m; change of optical path, counted at the vacuum wavelength, for one pass: N·λ_vac/2 of a retroreflector
    index : (...) float, refractive index n of the air at the reading (`precision.models.air`)
    index_at_zero : (...) float, n₀ when the count was set to zero; None: the same as `index`
    dead_path_m : (...) float, m ≥ 0; length of measuring arm without a counterpart in the reference arm when the count was set to zero

    Returns
    -------
    (...) float64, m (0-d for scalars).

    Raises
    ------
    ValueError      an index that is no index of air (1 … 1.001), or a dead path below zero

    >>> float(geometric_displacement(0.0, index=1.000271, index_at_zero=1.000270, dead_path_m=0.1)) < 0
    True
    """
    optical = _finite("optical_m", optical_m)
    n = _index("index", index)
    n0 = n if index_at_zero is None else _index("index_at_zero", index_at_zero)
    dead_path = _finite("dead_path_m", dead_path_m)
    if np.any(dead_path < 0):
        raise ValueError(f"dead_path_m is {dead_path}; a dead path is a length, zero or more")
    return np.asarray((optical - (n - n0) * dead_path) / n)


def cosine_error(displacement_m: ArrayLike, /, *, angle_rad: ArrayLike) -> Array:
    """Error of the reading (reading − truth) in m, with the beam at `angle_rad` to the direction of motion and a retroreflector as target.

    The beam sees the projection L·cos θ: **error = L·(cos θ − 1) = −2·L·sin²(θ/2)** ≈ −L·θ²/2, with the lateral run-out δ = L·θ: −δ²/(2L). A laser
    that is out of line reads short (1 mm on 1 m: −0.5 µm).

    Raises
    ------
    ValueError      not finite, or an angle of a quarter turn and more
    """
    angle = _finite("angle_rad", angle_rad)
    if np.any(np.abs(angle) >= np.pi / 2):
        raise ValueError(f"angle_rad is {angle}; expected less than a quarter turn")
    return np.asarray(-2 * _finite("displacement_m", displacement_m) * np.sin(angle / 2) ** 2)


def abbe_error(offset_m: ArrayLike, /, *, angle_rad: ArrayLike) -> Array:
    """Error of the reading (reading − truth) in m, with the measuring line `offset_m` beside the line where the displacement is wanted.

    A carriage that turns by θ carries a point that lies h beside it by h·sin θ along the axis: **error = h·sin θ** ≈ h·θ (100 mm and 1″: 0.4848 µm).
    Offset and angle share one sign convention: a positive rotation moves the point at positive offset (measuring line − line of interest) in
    the positive direction of the axis.

    Raises
    ------
    ValueError      not finite
    """
    return np.asarray(_finite("offset_m", offset_m) * np.sin(_finite("angle_rad", angle_rad)))


def data_age_error(speed_m_per_s: ArrayLike, /, *, age_s: ArrayLike) -> Array:
    """Error reading − truth, m, of a reading that is τ old when it is used: **−v·τ**; the target has moved on since. Two axes of ages τ₁ and τ₂ at one
    speed are apart by v·(τ₁ − τ₂), whatever both have in common.

    speed_m_per_s : (...) float, v with its sign. age_s : (...) float, s ≥ 0, from the light at the detector to the moment that the reading stands for.

    Raises
    ------
    ValueError      not finite, or an age below zero

    >>> float(data_age_error(0.5, age_s=100e-9))
    -5e-08
    """
    age = _finite("age_s", age_s)
    if np.any(age < 0):
        raise ValueError(f"age_s is {age}; an age is zero or more")
    return np.asarray(-_finite("speed_m_per_s", speed_m_per_s) * age)


def without_data_age(position_m: ArrayLike, /, *, age_s: float, rate_hz: float) -> Array:
    """Positions (n,) at the moments they stand for, from readings that are `age_s` old: **x + v·τ**, v the central difference of the readings (one-sided at
    the ends). What is left is a·τ²/2 of the acceleration, and the readings' noise grows by the factor √(1 + (τ·rate)²/2).

    Raises
    ------
    ValueError      fewer than three readings, not finite, an age below zero or a rate that is not above it

    >>> x = 0.5 * np.arange(5) / 1e4
    >>> bool(np.allclose(without_data_age(x - 0.5 * 1e-6, age_s=1e-6, rate_hz=1e4), x, atol=1e-15))
    True
    """
    x = _finite("position_m", position_m)
    if x.ndim != 1 or x.size < 3:
        raise ValueError(f"position_m has shape {x.shape}; expected (n,) with at least three readings")
    if not (rate_hz > 0 and age_s >= 0):
        raise ValueError(f"age_s is {age_s}, rate_hz {rate_hz}; an age of zero or more and a rate above zero are expected")
    return np.asarray(x - data_age_error(np.gradient(x) * rate_hz, age_s=age_s))


def _finite(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} (shape {array.shape}) has a value that is not a finite number")
    return array


def _index(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if not np.all((array >= 1.0) & (array <= 1.001)):
        raise ValueError(f"{name} is {array}; expected a refractive index of air or vacuum, 1 … 1.001 (n itself, not n − 1)")
    return array
