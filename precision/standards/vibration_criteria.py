"""Vibration criteria VC-A … VC-G: rms velocity of the floor in third octaves (IEST-RP-CC012, Gordon 1991; numbers from memory).

50, 25, 12.5, 6.25, 3.12, 1.56, 0.78 µm/s. VC-A and VC-B hold from 8 to 80 Hz, and from 4 to 8 Hz rise towards low frequencies as 8 Hz/f; VC-C to VC-G hold from
1 to 80 Hz. A place meets a criterion where no third octave passes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from ..errors import DataError
from . import psd
from .arrays import Array, frozen
from .noise_density import confidence_factors
from .reported import Reported, figure, keyed

LIMITS_M_PER_S: Final[Mapping[str, float]] = MappingProxyType(
    {"VC-A": 50e-6, "VC-B": 25e-6, "VC-C": 12.5e-6, "VC-D": 6.25e-6, "VC-E": 3.12e-6, "VC-F": 1.56e-6, "VC-G": 0.78e-6}
)
BANDS: Final = tuple(range(0, 20))
"""Third octaves 10^(n/10) Hz, n = 0 … 19: 1 to 80 Hz."""
FEWEST_LINES: Final = 3

Quantity = Literal["acceleration", "velocity", "displacement"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "v_max" (m/s, the largest third octave) and "margin" (limit over it, of the strictest criterion met; None where none is).

    criterion : "VC-A" … "VC-G", the strictest that is met; None where VC-A is not.
    frequency_hz : (b,) middles of the third octaves.  velocity, upper : (b,) m/s rms, and the upper end of its interval; NaN where the spectrum does not resolve a band.
    """

    criterion: str | None
    frequency_hz: Array
    velocity: Array
    upper: Array


def limit(criterion: str, frequency_hz: float) -> float | None:
    """Limit of a criterion (m/s rms) in the third octave around `frequency_hz`; None outside its range.

    >>> limit("VC-A", 4.0), limit("VC-C", 1.0)
    (0.0001, 1.25e-05)
    """
    if criterion not in LIMITS_M_PER_S:
        raise DataError(f"criterion is {criterion!r}; expected {', '.join(LIMITS_M_PER_S)}")
    level, relaxed = LIMITS_M_PER_S[criterion], criterion in ("VC-A", "VC-B")
    # Nominal frequencies 1 … 80 Hz stand for 10^(n/10): 3.98 for 4, 79.4 for 80.
    if not (3.9 if relaxed else 0.95) <= frequency_hz <= 81:
        return None
    return level * max(1.0, 8.0 / frequency_hz) if relaxed else level


def evaluate(spectrum: psd.Result, *, quantity: Quantity) -> Result:
    """Judge a floor.

    Parameters
    ----------
    spectrum : psd.Result
        Of acceleration (unit "m/s²"), velocity ("m/s") or displacement ("m"), in SI; segments long enough for three lines in each third octave.
    quantity : what was measured; a unit that does not belong to it is refused

    Raises
    ------
    DataError       unit and quantity do not agree; no third octave is resolved
    """
    expected = {"acceleration": ("m/s²", "m/s^2", "m/s2"), "velocity": ("m/s",), "displacement": ("m",)}
    if quantity not in expected:
        raise DataError(f"quantity is {quantity!r}; expected {', '.join(expected)}")
    if spectrum.unit not in expected[quantity]:
        raise DataError(f"the spectrum is of {spectrum.unit!r}, but {quantity} is in {expected[quantity][0]}; convert it or name what was measured")
    f = spectrum.frequency_hz
    omega = 2 * math.pi * np.where(f > 0, f, np.inf)
    density = (
        spectrum.psd * {"acceleration": omega**-2.0, "velocity": np.ones_like(f), "displacement": omega**2.0}[quantity]
        if quantity != "velocity"
        else spectrum.psd
    )
    density = np.where(f > 0, density, 0.0)
    middles = np.array([10 ** (n / 10) for n in BANDS])
    velocity, upper = np.full(middles.size, np.nan), np.full(middles.size, np.nan)
    for k, middle in enumerate(middles):
        low, high = middle * 10**-0.05, middle * 10**0.05
        lines = (high - low) / (spectrum.step_hz * spectrum.correlated_lines)
        if high > spectrum.rate_hz / 2 or (high - low) / spectrum.step_hz < FEWEST_LINES:
            continue
        velocity[k] = math.sqrt(psd.band_power(f, density, low, high))
        upper[k] = velocity[k] * math.sqrt(confidence_factors(spectrum.degrees_of_freedom * max(1.0, lines), spectrum.confidence)[1])
    if np.all(np.isnan(velocity)):
        raise DataError(
            f"no third octave of 1 … 80 Hz has {FEWEST_LINES} lines: they are {spectrum.step_hz:g} Hz apart; use segments of 15 s or more, sampled above 200 Hz"
        )
    met = next((name for name in reversed(tuple(LIMITS_M_PER_S)) if _meets(name, middles, velocity)), None)
    missing = [f"{middle:.3g}" for middle, value in zip(middles, velocity, strict=True) if math.isnan(value)]
    flags = list(spectrum.flags)
    if missing:
        flags.append(f"third octaves at {', '.join(missing)} Hz are not resolved by lines {spectrum.step_hz:g} Hz apart: nothing was judged there")
    worst = int(np.nanargmax(velocity))
    ratios = [
        allowed / v for middle, v in zip(middles, velocity, strict=True) if met and not math.isnan(v) and (allowed := limit(met, middle)) is not None
    ]
    u = float(upper[worst] - velocity[worst])
    return Result(
        title=f"Vibration criteria: {met or 'VC-A is not met'}",
        stated=("third octaves of base 10, rms velocity, IEST-RP-CC012 from memory", *spectrum.stated),
        figures=keyed([
            figure("v_max", f"largest third octave, at {middles[worst]:.3g} Hz", float(velocity[worst]), "m/s", u),
            figure("margin", f"limit of {met} over the velocity, where it is smallest", min(ratios) if ratios else "VC-A is not met", "", "see the upper ends of the third octaves"),
        ]),
        flags=tuple(flags),
        criterion=met,
        frequency_hz=frozen(middles),
        velocity=frozen(velocity),
        upper=frozen(upper),
    )  # fmt: skip


def _meets(criterion: str, middles: Array, velocity: Array) -> bool:
    pairs = [(limit(criterion, middle), v) for middle, v in zip(middles, velocity, strict=True) if not math.isnan(v)]
    return all(allowed is None or v <= allowed for allowed, v in pairs)
