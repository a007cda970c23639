"""Closed profiles: harmonics and Gaussian filter of a trace once around, sampled at equal angles.

Any unit: results come in the unit of the profile. The Fourier transform is exact on a closed profile, so there is no start, no
end and nothing to be cut off; it is that of the array's own library, also on a GPU.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import is_numpy_namespace

from precision.kernels import blocks
from precision.kernels.real_array import positive_number, real_array, whole_number

Array = Any


def harmonics(profile: Array, /, *, highest: int) -> tuple[Array, Array]:
    """Amplitude and phase of the undulations of a closed profile.

    Parameters
    ----------
    profile : (..., n) float
        Radial deviation at angles 2πj/n, j = 0 … n − 1. Any unit.
    highest : int
        Highest number of undulations per revolution; at most (n − 1) // 2, so that each is told from its aliases.

    Returns
    -------
    amplitude, phase_rad : (..., highest + 1)
        profile_j = amplitude_0 cos(phase_0) + Σ_k amplitude_k cos(k·2πj/n − phase_k). Unit of the profile; rad, in (−π, π].
        k = 0 is the mean (its sign is in the phase), k = 1 the eccentricity.

    Raises
    ------
    ValueError
        Empty, not real numbers, or too high a harmonic.

    References
    ----------
    ISO 12181-2 (from memory of the standard): undulations per revolution, UPR.

    Notes
    -----
    c_k = (2/n) Σ_j profile_j exp(−2πi jk/n), without the factor 2 for k = 0; amplitude |c_k|, phase −arg c_k.

    Examples
    --------
    >>> import numpy as np
    >>> amplitude, phase_rad = harmonics(np.array([3.0, 0.0, -3.0, 0.0, 3.0, 0.0, -3.0, 0.0]), highest=3)
    >>> [round(float(a), 12) for a in amplitude]
    [0.0, 0.0, 3.0, 0.0]
    """
    profile, xp = _checked(profile)
    n = profile.shape[-1]
    highest = whole_number("highest", highest, "a number of undulations per revolution")
    if not 0 <= highest <= (n - 1) // 2:
        raise ValueError(
            f"highest is {highest} and profile has shape {tuple(profile.shape)}; "
            f"expected 0 to {(n - 1) // 2}, less than half of the samples"
        )
    if is_numpy_namespace(xp) and profile.ndim > 1:
        parts = [_harmonics(rows, highest, xp=xp) for rows in _rows(profile, xp)]
        shape = (*profile.shape[:-1], highest + 1)
        return tuple(xp.reshape(xp.concat([part[k] for part in parts]), shape) for k in (0, 1))
    return _harmonics(profile, highest, xp=xp)


def gaussian_lowpass(profile: Array, /, *, cutoff_upr: float) -> Array:
    """Closed profile through the phase-correct Gaussian filter: what has fewer undulations than the cut-off stays.

    Parameters
    ----------
    profile : (..., n) float
        Radial deviation at angles 2πj/n. Any unit.
    cutoff_upr : float
        Undulations per revolution of which half the amplitude passes (15, 50, 150, 500, 1500).

    Returns
    -------
    (..., n)
        Unit of the profile. The high-pass is `profile` minus this.

    Raises
    ------
    ValueError
        Empty, not real numbers, or a cut-off that is not above 0.

    References
    ----------
    ISO 12181-2, ISO 16610-21 (from memory of the standards).

    Notes
    -----
    Transmission T(k) = exp(−π (α k/k_c)²) = 2^(−(k/k_c)²), α = √(ln 2/π): 0.8409 at k_c/2, 0.5 at k_c, 0.0625 at 2 k_c.

    Examples
    --------
    >>> import numpy as np
    >>> angle = np.arange(200) * 2 * np.pi / 200
    >>> round(float(np.max(gaussian_lowpass(np.cos(15 * angle), cutoff_upr=15))), 12)
    0.5
    """
    profile, xp = _checked(profile)
    cutoff_upr = positive_number("cutoff_upr", cutoff_upr, "undulations per revolution, above 0")
    if is_numpy_namespace(xp) and profile.ndim > 1:
        filtered = xp.concat([_lowpass(rows, cutoff_upr, xp=xp) for rows in _rows(profile, xp)])
        return xp.reshape(filtered, profile.shape)
    return _lowpass(profile, cutoff_upr, xp=xp)


def _checked(profile: Array) -> tuple[Array, Any]:
    expected = "(..., n) with n ≥ 1 samples around"
    profile, xp = real_array("profile", profile, expected)
    if profile.shape[-1] == 0:
        raise ValueError(f"profile has shape {tuple(profile.shape)}; expected {expected}")
    return profile, xp


def _rows(profile: Array, xp: Any) -> list[Array]:
    """The profiles, so many at a time that they and their transform stay in the cache; one empty part where there are none."""
    n = profile.shape[-1]
    flat = xp.reshape(profile, (-1, n))
    if flat.shape[0] == 0:
        return [flat]
    return [flat[part, :] for part, _ in blocks.blocks(flat.shape[0], max(1, blocks.BLOCK // n))]


def _harmonics(profile: Array, highest: int, *, xp: Any) -> tuple[Array, Array]:
    spectrum = xp.fft.rfft(profile, axis=-1)[..., : highest + 1] * (2 / profile.shape[-1])
    mean = xp.mean(profile, axis=-1, keepdims=True)
    real = xp.concat([mean, xp.real(spectrum)[..., 1:]], axis=-1)
    minus_imaginary = xp.concat([0 * mean, -xp.imag(spectrum)[..., 1:]], axis=-1)
    return xp.sqrt(real * real + minus_imaginary * minus_imaginary), xp.atan2(minus_imaginary, real)


def _lowpass(profile: Array, cutoff_upr: float, *, xp: Any) -> Array:
    from array_api_compat import device

    n = profile.shape[-1]
    k = xp.astype(xp.arange(n // 2 + 1, device=device(profile)), profile.dtype) / cutoff_upr
    mean = xp.mean(profile, axis=-1, keepdims=True)  # set aside: a radius of 20 mm would cost digits of a nanometre
    passed = xp.fft.irfft(xp.fft.rfft(profile - mean, axis=-1) * xp.exp(-math.log(2) * k * k), n=n, axis=-1)
    return passed + mean
