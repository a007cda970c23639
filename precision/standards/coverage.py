"""The coverage factor k of an expanded uncertainty that comes from few readings."""

from __future__ import annotations

from typing import Final

from scipy.special import stdtrit

MANY: Final = 100
TWO_SIGMA: Final = 0.977249868
"""Φ(2): Student's factor of this probability is the k of the same 95.45 % that k = 2 has for many degrees of freedom (GUM, table G.2)."""


def coverage_factor(degrees_of_freedom: float) -> float:
    """k for 95.45 % from Student's distribution, to two decimals as in the GUM's table; 2 above 100 degrees of freedom, where it would be
    2.02 or less.

    >>> round(coverage_factor(1e9), 3), round(coverage_factor(10), 2)
    (2.0, 2.28)
    """
    return 2.0 if degrees_of_freedom > MANY else round(float(stdtrit(degrees_of_freedom, TWO_SIGMA)), 2)
