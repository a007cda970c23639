"""Charts of spectra and of stability: density with its interval and lines, cumulative spectrum, third octaves with the vibration criteria, Allan deviation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from precision import units

from . import drawing
from .document import Chart
from .drawing import DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR
from .logarithmic_axes import logarithmic, thinned
from .visible_text import visible

Floats = NDArray[np.float64]
Format = Literal["svg", "png"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Density:
    """A density to draw. name : of the signal.  unit : SI.  frequency_hz, psd, lower, upper : (m,).  lines : (frequency Hz, amplitude) of the lines to name."""

    name: str
    unit: str
    frequency_hz: Floats
    psd: Floats
    lower: Floats
    upper: Floats
    lines: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stability:
    """A deviation over the averaging time. name : "Allan deviation".  unit : SI.  tau_s, deviation, lower, upper : (k,), the ends NaN where not known.
    slopes : (name, exponent, value at 1 s) of lines to draw: N with −0.5, K with 0.5."""

    name: str
    unit: str
    tau_s: Floats
    deviation: Floats
    lower: Floats
    upper: Floats
    slopes: Sequence[tuple[str, float, float]] = ()


@overload
def density_chart(density: Density, *, title: str, key_numbers: str, format: Literal["svg"] = "svg") -> Chart: ...
@overload
def density_chart(density: Density, *, title: str, key_numbers: str, format: Literal["png"]) -> bytes: ...
def density_chart(density: Density, *, title: str, key_numbers: str, format: Format = "svg") -> Chart | bytes:
    """Amplitude density (unit/√Hz) over frequency, its confidence interval as a band, and the strongest lines by name."""
    inside = (density.frequency_hz > 0) & (density.psd > 0)
    f, level, low, high = (np.asarray(part)[inside] for part in (density.frequency_hz, density.psd, density.lower, density.upper))
    if f.size < 2:
        raise ValueError(f"density {density.name!r} has {f.size} lines above 0 Hz; at least two are needed to draw it")
    f, level, low, high = thinned(f, level, low, high)
    shown = _scale(float(np.sqrt(np.median(level))), density.unit)
    factor = units.in_unit(1.0, shown)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.0)
        axes.fill_between(f, np.sqrt(low) * factor, np.sqrt(high) * factor, color=UP_COLOR, alpha=0.16, linewidth=0)
        axes.plot(f, np.sqrt(level) * factor, color=UP_COLOR, linewidth=1.2)
        axes.set_xlim(f[0], f[-1])
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        _name_lines(axes, density, f, np.sqrt(level) * factor)
        axes.set_xlabel("Frequency (Hz)")
        axes.set_ylabel(f"Amplitude density ({shown}/√Hz)")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        figure.subplots_adjust(left=0.085, right=0.985, top=0.82, bottom=0.12)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="density")
    lines = "; ".join(f"{at:.5g} Hz: {units.text(amplitude, density.unit)}" for at, amplitude in density.lines[:5])
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "How strong the signal is in a band 1 Hz wide around each frequency; squared and added up over a band it gives the mean square there. The pale band is the "
            "confidence interval. Peaks are lines: their height in this density depends on the resolution, the amplitudes printed beside them do not."
        ),
        alt=f"Amplitude density of {visible(density.name, longest=40)} from {f[0]:.4g} to {f[-1]:.4g} Hz." + (f" Lines: {lines}." if lines else ""),
    )  # fmt: skip


@overload
def cumulative_chart(
    name: str, unit: str, frequency_hz: Floats, upwards: Floats, downwards: Floats, *, title: str, key_numbers: str, format: Literal["svg"] = "svg"
) -> Chart: ...
@overload
def cumulative_chart(
    name: str, unit: str, frequency_hz: Floats, upwards: Floats, downwards: Floats, *, title: str, key_numbers: str, format: Literal["png"]
) -> bytes: ...
def cumulative_chart(
    name: str, unit: str, frequency_hz: Floats, upwards: Floats, downwards: Floats, *, title: str, key_numbers: str, format: Format = "svg"
) -> Chart | bytes:
    """Cumulative amplitude spectrum (unit) from low frequencies and from high ones; upwards, downwards : (m,) amplitudes."""
    inside = frequency_hz > 0
    f, up, down = thinned(frequency_hz[inside], upwards[inside], downwards[inside])
    shown = _scale(float(max(up.max(), down.max())), unit)
    factor = units.in_unit(1.0, shown)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=4.2)
        axes.plot(f, up * factor, color=UP_COLOR, linewidth=1.6)
        axes.plot(f, down * factor, color=DOWN_COLOR, linewidth=1.6, linestyle=(0, (5, 2)))
        axes.set_xlim(f[0], f[-1])
        logarithmic(axes, "x")
        axes.set_ylim(0, 1.08 * factor * float(max(up.max(), down.max())))
        drawing.few_ticks(axes.yaxis)
        axes.set_xlabel("Frequency (Hz)")
        axes.set_ylabel(f"rms ({shown})")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(axes, [_line("all below", UP_COLOR, "-"), _line("all above", DOWN_COLOR, (0, (5, 2)))])
        figure.subplots_adjust(left=0.085, right=0.985, top=0.78, bottom=0.14)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="cumulative")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "The root mean square of everything below a frequency (blue) and of everything above it (orange, dashed). A step is a line; where the curve rises, the "
            "vibration is. The blue curve ends, and the orange one begins, at the root mean square of the whole signal."
        ),
        alt=f"Cumulative amplitude spectrum of {visible(name, longest=40)}; the whole is {units.text(float(up.max()), unit)} rms.",
    )  # fmt: skip


@overload
def criteria_chart(
    frequency_hz: Floats,
    velocity: Floats,
    limits: Mapping[str, Sequence[float | None]],
    *,
    title: str,
    key_numbers: str,
    format: Literal["svg"] = "svg",
) -> Chart: ...
@overload
def criteria_chart(
    frequency_hz: Floats, velocity: Floats, limits: Mapping[str, Sequence[float | None]], *, title: str, key_numbers: str, format: Literal["png"]
) -> bytes: ...
def criteria_chart(
    frequency_hz: Floats, velocity: Floats, limits: Mapping[str, Sequence[float | None]], *, title: str, key_numbers: str, format: Format = "svg"
) -> Chart | bytes:
    """Velocity in third octaves as columns, with the vibration criteria as lines. limits : criterion -> (b,) m/s, None where it does not hold."""
    there = np.isfinite(velocity)
    if not there.any():
        raise ValueError("no third octave has a velocity; there is nothing to draw")
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=4.6)
        edges = frequency_hz[there]
        axes.bar(edges, velocity[there] * 1e6, width=edges * (10**0.045 - 10**-0.045), color=UP_COLOR, alpha=0.75, linewidth=0)
        for name, values in limits.items():
            known = [(f, v * 1e6) for f, v in zip(frequency_hz, values, strict=True) if v is not None]
            axes.plot([f for f, _ in known], [v for _, v in known], color=SOFT, linewidth=0.9)
            axes.annotate(name, known[-1], (4, 0), textcoords="offset points", va="center", fontsize=9, color=SOFT, annotation_clip=False)
        axes.set_xlim(frequency_hz[0] * 0.88, frequency_hz[-1] * 1.14)
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        axes.set_ylim(bottom=max(1e-3, 0.3 * float(velocity[there].min()) * 1e6))
        axes.set_xlabel("Third octave (Hz)")
        axes.set_ylabel("Velocity (µm/s rms)")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        figure.subplots_adjust(left=0.085, right=0.93, top=0.82, bottom=0.13)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="criteria")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read="Each column is the rms velocity in a third octave. The floor meets a criterion where no column stands above its line.",
        alt=f"Third octaves from {edges[0]:.3g} to {edges[-1]:.3g} Hz; the largest is {float(velocity[there].max()) * 1e6:.3g} µm/s.",
    )  # fmt: skip


@overload
def stability_chart(curves: Sequence[Stability], *, title: str, key_numbers: str, format: Literal["svg"] = "svg") -> Chart: ...
@overload
def stability_chart(curves: Sequence[Stability], *, title: str, key_numbers: str, format: Literal["png"]) -> bytes: ...
def stability_chart(curves: Sequence[Stability], *, title: str, key_numbers: str, format: Format = "svg") -> Chart | bytes:
    """Deviation over the averaging time, both logarithmic, intervals as bars, with the lines of the noise coefficients. One or two curves of one unit."""
    if not 1 <= len(curves) <= 2 or len({curve.unit for curve in curves}) > 1:
        raise ValueError(f"{len(curves)} curves in {', '.join(sorted({curve.unit for curve in curves}))}; one or two of one unit are expected")
    everything = np.concatenate([curve.deviation[curve.deviation > 0] for curve in curves])
    if not everything.size:
        raise ValueError("no deviation is above 0; there is nothing to draw")
    shown = _scale(float(np.median(everything)), curves[0].unit)
    factor = units.in_unit(1.0, shown)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.0)
        for curve, color, marker in zip(curves, (UP_COLOR, DOWN_COLOR), ("o", "s"), strict=False):
            known = curve.deviation > 0
            tau, y = curve.tau_s[known], curve.deviation[known] * factor
            low, high = (np.where(np.isfinite(part[known]), part[known] * factor, y) for part in (curve.lower, curve.upper))
            axes.errorbar(
                tau,
                y,
                yerr=[np.maximum(y - low, 0), np.maximum(high - y, 0)],
                color=color,
                marker=marker,
                markersize=5,
                linewidth=1.3,
                elinewidth=1.0,
                capsize=3,
            )
        axes.set_ylim(0.45 * factor * everything.min(), 2.2 * factor * everything.max())
        tau = np.concatenate([curve.tau_s for curve in curves])
        axes.set_xlim(tau.min() * 0.8, tau.max() * 1.3)
        for name, exponent, at_one in curves[0].slopes:
            ends = np.array([tau.min() * 0.8, tau.max() * 1.3])
            axes.plot(ends, at_one * factor * ends**exponent, color=REST_COLOR, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
            _label_slope(axes, name, exponent, at_one * factor, ends)
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        axes.set_xlabel("Averaging time τ (s)")
        axes.set_ylabel(f"{visible(curves[0].name, longest=40)} ({shown})")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        if len(curves) > 1:
            drawing.legend(
                axes, [_line(visible(curve.name, longest=40), color, "-") for curve, color in zip(curves, (UP_COLOR, DOWN_COLOR), strict=True)]
            )
        figure.subplots_adjust(left=0.085, right=0.985, top=0.82 if len(curves) == 1 else 0.79, bottom=0.12)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="stability")
    lowest = min(curves[0].deviation[curves[0].deviation > 0])
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "How far a reading averaged over τ is from the next one. While the curve falls, averaging longer helps; where it is flat or rises, drift has taken over and "
            "it does not. The bars are confidence intervals; the dashed lines are the noise coefficients of the fit."
        ),
        alt=f"{visible(curves[0].name, longest=40)} from {tau.min():.3g} to {tau.max():.3g} s; lowest {units.text(float(lowest), curves[0].unit)}.",
    )  # fmt: skip


def _name_lines(axes: Any, density: Density, f: Floats, level: Floats) -> None:
    """The strongest lines, as far apart as their labels need."""
    taken: list[float] = []
    low, high = (math.log10(value) for value in axes.get_xlim())
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top * (top / bottom) ** 0.12)
    for at, amplitude in density.lines[:8]:
        if not f[0] <= at <= f[-1]:
            continue
        place = (math.log10(at) - low) / (high - low)
        if any(abs(place - other) < 0.085 for other in taken):
            continue
        taken.append(place)
        k = int(np.argmin(np.abs(np.log(f / at))))
        near = slice(max(0, k - 3), k + 4)
        axes.annotate(
            f"{at:.5g} Hz\n{units.text(amplitude, density.unit, digits=3)}", (at, float(level[near].max())), (0, 5), textcoords="offset points", ha="center", va="bottom",
            fontsize=9, color=INK, linespacing=1.15, gid="halo",
        )  # fmt: skip


def _label_slope(axes: Any, name: str, exponent: float, at_one: float, ends: Floats) -> None:
    """The name of a dashed line, where it is inside the frame."""
    low, high = axes.get_ylim()
    for part in (0.9, 0.75, 0.6, 0.4, 0.25, 0.1):
        x = float(ends[0] * (ends[1] / ends[0]) ** part)
        y = at_one * x**exponent
        if low * 1.3 < y < high / 1.3:
            axes.annotate(name, (x, y), (0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=9.5, color=SOFT, gid="halo")
            return


def _scale(value: float, unit: str) -> str:
    shown = units.display_unit(value, unit) if value > 0 else unit
    return shown


def _line(label: str, color: str, dash: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linestyle=dash, linewidth=1.6, label=label)
