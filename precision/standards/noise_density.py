"""Noise by closed forms: the rms of densities through filters, quantisation, and the degrees of freedom of estimates."""

from __future__ import annotations

import math
from typing import Final

from ..errors import DataError
from .arrays import positive

BUTTERWORTH_ORDERS: Final = 40


def noise_bandwidth_ratio(order: int) -> float:
    """Equivalent noise bandwidth of a Butterworth low-pass over its corner frequency: k = (π/2m)/sin(π/2m).

    >>> [round(noise_bandwidth_ratio(m), 7) for m in (1, 2, 3, 4)]
    [1.5707963, 1.1107207, 1.0471976, 1.0261722]
    """
    if not 1 <= order <= BUTTERWORTH_ORDERS:
        raise DataError(f"order is {order}; expected 1 … {BUTTERWORTH_ORDERS}")
    angle = math.pi / (2 * order)
    return angle / math.sin(angle)


def white_rms(density: float, corner_hz: float, *, order: int = 1) -> float:
    """rms of white noise of amplitude density `density` (unit/√Hz) behind a Butterworth low-pass: n √(k f_c)."""
    return positive("density", density, "unit/√Hz") * math.sqrt(noise_bandwidth_ratio(order) * positive("corner_hz", corner_hz, "Hz"))


def white_and_flicker_rms(level: float, corner_hz: float, low_hz: float, high_hz: float) -> float:
    """rms of S(f) = A(1 + f_nc/f) from f₁ to f₂: √(A [f_nc ln(f₂/f₁) + f₂ − f₁]); level A in unit²/Hz."""
    low, high = positive("low_hz", low_hz, "Hz"), positive("high_hz", high_hz, "Hz")
    if high <= low:
        raise DataError(f"high_hz is {high:g} and low_hz {low:g}; expected a band with high_hz above low_hz")
    return math.sqrt(positive("level", level, "unit²/Hz") * (positive("corner_hz", corner_hz, "Hz") * math.log(high / low) + high - low))


def quantisation(step: float, rate_hz: float) -> tuple[float, float]:
    """rms q/√12 and amplitude density q/√(6 f_s) (unit/√Hz) of rounding to steps of q, where each sample rounds as it happens (moves by more than a step).

    >>> [f"{v:.5g}" for v in quantisation(0.1, 10e3)]
    ['0.028868', '0.00040825']
    """
    q = positive("step", step, "the unit of the signal")
    return q / math.sqrt(12), q / math.sqrt(6 * positive("rate_hz", rate_hz, "Hz"))


def confidence_factors(degrees_of_freedom: float, confidence: float = 0.95) -> tuple[float, float]:
    """Factors that take an estimated density to the ends of its confidence interval: ν/χ²_{(1+p)/2}, ν/χ²_{(1−p)/2}.

    >>> [round(v, 4) for v in confidence_factors(2.0)]
    [0.2711, 39.4979]
    """
    if not 0 < confidence < 1:
        raise DataError(f"confidence is {confidence:g}; expected between 0 and 1, for example 0.95")
    nu = positive("degrees_of_freedom", degrees_of_freedom, "degrees of freedom")
    low, high = (chi_square_quantile(p, nu) for p in ((1 + confidence) / 2, (1 - confidence) / 2))
    return nu / low, nu / high


def chi_square_quantile(probability: float, degrees_of_freedom: float) -> float:
    """χ²_p(ν): 2 P⁻¹(ν/2, p) with the regularised incomplete gamma function P."""
    from scipy.special import gammaincinv  # scipy.stats would take a second to import

    return 2 * float(gammaincinv(degrees_of_freedom / 2, probability))
