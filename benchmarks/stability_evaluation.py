"""From a reading that should stand still to its noise, its lines and its drift, each with its uncertainty. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import cumulative_spectrum, drift, psd, sampling, spectral_lines
from precision.standards.reported import figure

from .procedure import Readings
from .stability_plan import Parameters, Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """spectrum, cumulative, lines (None where the record is too short to tell lines from noise), allan.  six_sigma : a figure.  flags : sentences."""

    spectrum: psd.Result
    cumulative: cumulative_spectrum.Result
    lines: spectral_lines.Result | None
    allan: drift.Result
    six_sigma: Figure
    flags: tuple[str, ...]

    @property
    def noise(self) -> dict[str, Figure]:
        """Of the readings and their spectrum."""
        return {**self.spectrum.figures, "six_sigma": self.six_sigma, **{key: self.cumulative.figures[key] for key in ("f_50", "f_90")}}

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by key; those of the lines begin with "line_" but for A_1 …"""
        found = {**self.noise, **self.allan.figures}
        if self.lines is not None:
            found |= {key: one for key, one in self.lines.figures.items() if key not in found}
        return found


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a stability measurement.

    Raises
    ------
    DataError       too short, uneven samples, a reading that never changes
    """
    own, unit = plan.evaluation, plan.recording.unit
    time = np.asarray(readings["t_s"], dtype=np.float64)
    if time.size < 64:
        raise DataError(f"the capture holds {time.size} samples; at least 64 are needed")
    record = sampling.even_record(time, np.asarray(readings["reading"]), resample_to_even=own.resample)
    x, rate = record.values[0], record.rate_hz
    calibration = plan.uncertainty.calibration
    settings: dict[str, Any] = {"window": own.window, "detrend": own.detrend, "confidence": own.confidence}
    if own.segment is not None:
        settings["segment"] = min(x.size, max(8, round(own.segment * rate)))
    spectrum = psd.evaluate(
        x, rate_hz=rate, unit=unit, name="reading", filtered_below_hz=own.filtered_below, calibration=calibration, flags=record.flags, **settings
    )
    cumulative = cumulative_spectrum.evaluate(spectrum)
    lines = spectral_lines.evaluate(spectrum, fundamental_hz=own.fundamental) if spectrum.averages >= 2 else None
    allan = drift.evaluate(x, rate_hz=rate, data_type=own.data_type, unit=unit, name="reading", confidence=own.confidence)
    rms = spectrum.figures["rms"]
    u = rms.uncertainty if rms.uncertainty is not None else rms.uncertainty_reason
    six = figure("six_sigma", "six times the rms: two positions further apart hardly overlap, where the noise is normal", 6 * (rms.value or 0.0), unit,
                 6 * u if isinstance(u, float) else u, symbol="6σ")  # fmt: skip
    flags = [*spectrum.flags, *cumulative.flags, *(lines.flags if lines else ()), *allan.flags]
    return Analysis(spectrum=spectrum, cumulative=cumulative, lines=lines, allan=allan, six_sigma=replace(six), flags=tuple(dict.fromkeys(flags)))
