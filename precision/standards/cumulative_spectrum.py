"""Cumulative spectra: how much of a vibration lies below a frequency, and how much above it.

    CPS(f) = ∫₀ᶠ S df        CAS = √CPS        backwards: from the highest frequency down

The last value of the one and the first of the other are the variance (Parseval). A line of amplitude A is a step of A²/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..kernels.spectrum import cumulative_power
from . import psd
from .arrays import Array, frozen
from .reported import Reported, figure, keyed


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "rms", "rms_time", "f_50", "f_90" (Hz: half, and nine tenths, of the variance lie below), and "band_1" … for the bands asked for.

    frequency_hz : (m,).  upwards, downwards : (m,) unit², CPS from low and from high frequencies, each with the line itself.
    """

    unit: str
    frequency_hz: Array
    upwards: Array
    downwards: Array

    @property
    def amplitude_upwards(self) -> Array:
        """(m,) CAS from low frequencies, unit."""
        return np.sqrt(self.upwards)

    @property
    def amplitude_downwards(self) -> Array:
        """(m,) CAS from high frequencies, unit."""
        return np.sqrt(self.downwards)


def evaluate(spectrum: psd.Result, *, bands_hz: Sequence[tuple[float, float]] = ()) -> Result:
    """Cumulative power and amplitude spectra of a density.

    Parameters
    ----------
    spectrum : psd.Result
    bands_hz : (low, high) of bands whose rms is wanted

    Returns
    -------
    Result          with a flag where the integral of the density misses the variance of the samples by more than its own uncertainty and 1 %

    Raises
    ------
    DataError       a band outside the spectrum
    """
    up, down = (np.asarray(part) for part in cumulative_power(spectrum.frequency_hz, spectrum.psd))
    total = float(up[-1])
    if not total > 0:
        raise DataError("the density is 0 at all frequencies; there is nothing to add up")
    rms = spectrum.figures["rms"]
    flags = list(spectrum.flags)
    spread = 2 * (rms.uncertainty or 0.0) / math.sqrt(total)
    difference = total / spectrum.variance - 1
    if spectrum.detrend != "none" and abs(difference) > spread + 0.01:
        flags.append(
            f"the integral of the density is {100 * difference:+.1f} % off the variance of the samples: the signal drifts, or changes over the record, so that segments of "
            f"{spectrum.segment / spectrum.rate_hz:g} s and the whole record do not show the same; use longer segments"
        )
    inside = "the part of the spectrum below it is known only as well as the densities: read it with their interval"
    figures = [
        figure("rms", rms.name, math.sqrt(total), spectrum.unit, rms.uncertainty),
        figure(
            "rms_time",
            "root mean square of the samples about what was detrended",
            math.sqrt(spectrum.variance),
            spectrum.unit,
            "compare it with the one of the spectrum",
            symbol="rms(t)",
        ),
        *(
            figure(
                f"f_{round(100 * share)}",
                f"{share:.0%} of the variance lies below",
                float(np.interp(share * total, up, spectrum.frequency_hz)),
                "Hz",
                inside,
                symbol=f"f{round(100 * share)}",
            )
            for share in (0.5, 0.9)
        ),
    ]
    for number, (low, high) in enumerate(bands_hz, start=1):
        power = psd.band_power(spectrum.frequency_hz, spectrum.psd, low, high)
        lines = max(1.0, (high - low) / (spectrum.step_hz * spectrum.correlated_lines))
        u = math.sqrt(power / (spectrum.effective_averages * lines))  # U(√P) = 2·P/√(K·lines)/(2√P), for a flat density in the band
        figures.append(
            figure(f"band_{number}", f"rms from {low:g} to {high:g} Hz ({power / total:.1%} of the variance)", math.sqrt(power), spectrum.unit, u)
        )
    return Result(
        title=spectrum.title.replace("Spectral density", "Cumulative spectrum"),
        stated=spectrum.stated,
        figures=keyed(figures),
        flags=tuple(flags),
        unit=spectrum.unit,
        frequency_hz=spectrum.frequency_hz,
        upwards=frozen(up),
        downwards=frozen(down),
    )
