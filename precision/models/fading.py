"""What moving blur does to an image: loss of contrast, and the line width that follows through a constant threshold.

Blur along the normal of lines of pitch p multiplies the modulation of the aerial image by C:

    Gaussian motion, standard deviation σ (MSD):      C = exp(−2 π² σ²/p²)
    sinusoidal motion, amplitude A (MSD = A/√2):      C = J₀(2 π A/p)

    I/I₀ = 1 + C m cos(2 π x/p),    CD = (p/π) arccos((θ − 1)/(C m))

with m the modulation without blur and θ the resist threshold over the mean intensity. At θ = 1 the width does not change: fading costs exposure
latitude before it costs width.
"""

from __future__ import annotations

import math

from ..errors import DataError


def contrast_gaussian(msd_m: float, *, pitch_m: float) -> float:
    """C of motion with a normal distribution, standard deviation `msd_m` (m), at pitch p (m).

    >>> round(contrast_gaussian(7e-9, pitch_m=80e-9), 6)
    0.859737
    """
    _sizes(msd_m, pitch_m)
    return math.exp(-2 * math.pi**2 * (msd_m / pitch_m) ** 2)


def contrast_sinusoidal(msd_m: float, *, pitch_m: float) -> float:
    """C of sinusoidal motion of amplitude √2·`msd_m` (m), at pitch p (m). Negative: the image is reversed.

    >>> round(contrast_sinusoidal(7e-9, pitch_m=80e-9), 6)
    0.854487
    """
    from scipy.special import j0

    _sizes(msd_m, pitch_m)
    return float(j0(2 * math.pi * math.sqrt(2) * msd_m / pitch_m))


def line_width(contrast: float, *, pitch_m: float, modulation: float, threshold: float) -> float:
    """CD (m) of lines of pitch p printed through a constant threshold.

    Parameters
    ----------
    contrast : C, factor on the modulation, 0 … 1
    modulation : m of the image without blur, 0 … 1
    threshold : θ, resist threshold over the mean intensity

    Raises
    ------
    DataError       the threshold lies outside the intensities of the blurred image: no line prints

    >>> round(line_width(1.0, pitch_m=80e-9, modulation=0.8, threshold=0.9) * 1e9, 4)
    43.1914
    """
    _sizes(0.0, pitch_m)
    depth = contrast * modulation
    if not (0 < depth <= 1):
        raise DataError(f"contrast × modulation is {depth:g}; expected above 0 and at most 1")
    if not abs(threshold - 1) <= depth:
        raise DataError(f"threshold {threshold:g} lies outside the intensities 1 ± {depth:.4g} of the blurred image: no line prints")
    return pitch_m / math.pi * math.acos((threshold - 1) / depth)


def _sizes(msd_m: float, pitch_m: float) -> None:
    if not (math.isfinite(msd_m) and msd_m >= 0):
        raise DataError(f"msd_m is {msd_m:g}; expected zero or more, in m")
    if not (math.isfinite(pitch_m) and pitch_m > 0):
        raise DataError(f"pitch_m is {pitch_m:g}; expected more than zero, in m")
