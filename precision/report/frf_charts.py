"""Charts of frequency responses: Bode with coherence, Nyquist with the circle of Ms, Nichols, singular values. U (k = 2) is drawn, crossings are
marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from . import drawing
from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR
from .logarithmic_axes import logarithmic
from .visible_text import visible

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Format = Literal["svg", "png"]
DEGREES: Final = 180 / math.pi


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A response to draw. name : in the legend.  frequency_hz : (m,).  response : (m,) complex.  u : (m,) standard uncertainty of |response|, or
    None.
    coherence : (m,) or None."""

    name: str
    frequency_hz: Floats
    response: Complex
    u: Floats | None = None
    coherence: Floats | None = None

    def __post_init__(self) -> None:
        shape = self.frequency_hz.shape
        if (
            len(shape) != 1
            or shape[0] < 2
            or self.response.shape != shape
            or any(one is not None and one.shape != shape for one in (self.u, self.coherence))
        ):
            raise ValueError(
                f"curve {self.name!r}: frequency_hz has shape {shape}, response {self.response.shape}; the same (m,) with m ≥ 2 is expected for all arrays"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A crossing to mark: frequency_hz, L there, and a label ("PM 51.8°")."""

    frequency_hz: float
    value: complex
    label: str


@overload
def bode_chart(
    curves: Sequence[Curve], *, unit: str, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["svg"] = "svg"
) -> Chart: ...
@overload
def bode_chart(curves: Sequence[Curve], *, unit: str, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["png"]) -> bytes: ...
def bode_chart(
    curves: Sequence[Curve], *, unit: str, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Format = "svg"
) -> Chart | bytes:
    """Magnitude in dB (of 1 `unit`) and phase over frequency, U (k = 2) as bands, coherence below where the first curve has it. Up to three curves.

    Raises
    ------
    ValueError      no curve, or more than three
    """
    if not 1 <= len(curves) <= 3:
        raise ValueError(f"{len(curves)} curves; 1 to 3 are expected")
    coherent = curves[0].coherence is not None
    with drawing.style():
        height = 7.2 if coherent else 6.0
        figure, axes = drawing.sheet(width=10.6, height=height, rows=(1.5, 1.0, 0.55) if coherent else (1.5, 1.0))
        magnitude, phase = axes[0], axes[1]
        turns: list[float] = []
        for curve, color in zip(curves, _COLORS, strict=False):
            f, level, angle = curve.frequency_hz, _db(curve.response), _phase(curve.response)
            turns += [float(angle.min()), float(angle.max())]
            if curve.u is not None:
                share = np.clip(2 * curve.u / np.abs(curve.response), 0, 10)
                magnitude.fill_between(
                    f, level + 20 * np.log10(np.clip(1 - share, 0.05, 1)), level + 20 * np.log10(1 + share), color=color, alpha=0.18, linewidth=0
                )
                spread = np.clip(np.arctan(share) * DEGREES, 0, 90)
                phase.fill_between(f, angle - spread, angle + spread, color=color, alpha=0.18, linewidth=0)
            magnitude.plot(f, level, color=color, linewidth=1.4)
            phase.plot(f, angle, color=color, linewidth=1.4)
        _unity(magnitude, unit)
        _phase_ticks(phase, min(turns), max(turns))
        for number, mark in enumerate(marks[:6]):
            magnitude.plot(
                mark.frequency_hz, float(_db(np.array([mark.value]))[0]), marker="o", markersize=6, color=INK, markerfacecolor="white", zorder=6
            )
            magnitude.annotate(
                mark.label,
                (mark.frequency_hz, float(_db(np.array([mark.value]))[0])),
                (8, 10 + 14 * (number % 2)),
                textcoords="offset points",
                fontsize=9.5,
                color=INK,
                gid="halo",
            )
        if coherent:
            axes[2].plot(curves[0].frequency_hz, curves[0].coherence, color=_COLORS[0], linewidth=1.1)
            axes[2].set_ylim(0, 1.05)
            axes[2].set_yticks([0, 0.5, 1])
            axes[2].set_ylabel("Coherence")
        magnitude.set_xlim(min(curve.frequency_hz[0] for curve in curves), max(curve.frequency_hz[-1] for curve in curves))
        for one in axes:
            logarithmic(one, "x")
        magnitude.set_ylabel(f"Magnitude (dB of 1 {unit})" if unit else "Magnitude (dB)")
        phase.set_ylabel("Phase (°)")
        axes[-1].set_xlabel("Frequency (Hz)")
        drawing.title(magnitude, visible(title, longest=90), visible(key_numbers, longest=160))
        if len(curves) > 1:
            drawing.legend(magnitude, [_line(visible(curve.name, longest=40), color) for curve, color in zip(curves, _COLORS, strict=False)])
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.94 / height, bottom=0.54 / height, hspace=0.12)
        figure.align_ylabels(list(axes))
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="bode")
    first = curves[0]
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "Above, how much comes out for what goes in, below by how much it lags, at each frequency. The pale bands are the expanded uncertainty (k = 2): where they are "
            "wide, and the coherence low, the response is hardly known. Peaks are resonances, notches anti-resonances."
        ),
        alt=f"Bode plot of {visible(first.name, longest=40)} from {first.frequency_hz[0]:.4g} to {first.frequency_hz[-1]:.4g} Hz, {first.frequency_hz.size} lines.",
    )  # fmt: skip


@overload
def nyquist_chart(
    curve: Curve, *, peak: float | None, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["svg"] = "svg"
) -> Chart: ...
@overload
def nyquist_chart(curve: Curve, *, peak: float | None, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["png"]) -> bytes: ...
def nyquist_chart(
    curve: Curve, *, peak: float | None, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Format = "svg"
) -> Chart | bytes:
    """The loop in the complex plane around −1, with the circle of radius 1/Ms (`peak`) that it touches; circles of U (k = 2) at some lines.

    The frame holds −1, the unit circle and what lies near; the rest of the curve runs out of it.
    """
    loop = curve.response
    with drawing.style():
        figure, axes = drawing.sheet(width=6.4, height=6.6)
        axes.grid(True, axis="both")
        turn = np.linspace(0, 2 * math.pi, 361)
        axes.plot(np.cos(turn), np.sin(turn), color=REST_COLOR, linewidth=0.9, linestyle=(0, (4, 3)))
        if peak is not None:
            axes.fill(-1 + np.cos(turn) / peak, np.sin(turn) / peak, color=DOWN_COLOR, alpha=0.10, linewidth=0)
            axes.plot(-1 + np.cos(turn) / peak, np.sin(turn) / peak, color=DOWN_COLOR, linewidth=1.1)
            axes.annotate(
                f"Ms = {peak:.3g}",
                (-1 - math.sqrt(0.5) / peak, math.sqrt(0.5) / peak),
                (-4, 4),
                textcoords="offset points",
                ha="right",
                fontsize=9.5,
                color=DOWN_COLOR,
                gid="halo",
            )
        axes.plot(loop.real, loop.imag, color=UP_COLOR, linewidth=1.5)
        if curve.u is not None:
            near = np.flatnonzero(np.abs(loop) < 3)
            for k in near[:: max(1, near.size // 25)]:
                axes.add_patch(_circle(complex(loop[k]), 2 * float(curve.u[k])))
        for mark in marks[:8]:
            axes.plot(mark.value.real, mark.value.imag, marker="o", markersize=6, color=INK, markerfacecolor="white", zorder=6)
            axes.annotate(
                mark.label,
                (mark.value.real, mark.value.imag),
                (8, 6),
                textcoords="offset points",
                fontsize=9.5,
                color=INK,
                annotation_clip=True,
                gid="halo",
            )
        axes.plot(-1, 0, marker="+", markersize=11, markeredgewidth=1.8, color=DOWN_COLOR, zorder=6)
        axes.axhline(0, color=INK, linewidth=0.7)
        axes.axvline(0, color=INK, linewidth=0.7)
        reach = 1.25 if peak is None else max(1.25, 1 / peak + 0.25)
        axes.set_xlim(-1 - reach, 1.15)
        axes.set_ylim(-(2.15 + reach) / 2, (2.15 + reach) / 2)
        axes.set_aspect("equal")
        axes.set_xlabel("Real part")
        axes.set_ylabel("Imaginary part")
        drawing.title(axes, visible(title, longest=60), visible(key_numbers, longest=90))
        figure.subplots_adjust(left=0.12, right=0.975, top=0.86, bottom=0.09)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="nyquist")
    return Chart(
        svg=svg, title=title,
        how_to_read=(
            "The open loop at each frequency as a point in the plane. The nearer it comes to −1 (the cross), the more the closed loop rings; the orange circle around −1 is "
            "the largest that the curve leaves free, its radius is 1/Ms. Where it cuts the dashed unit circle the phase margin is read, on the negative real axis the gain margin."
        ),
        alt=f"Nyquist plot of {visible(curve.name, longest=40)}" + (f", peak of the sensitivity Ms = {peak:.3g}." if peak is not None else "."),
    )  # fmt: skip


@overload
def nichols_chart(curve: Curve, *, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["svg"] = "svg") -> Chart: ...
@overload
def nichols_chart(curve: Curve, *, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Literal["png"]) -> bytes: ...
def nichols_chart(curve: Curve, *, title: str, key_numbers: str, marks: Sequence[Mark] = (), format: Format = "svg") -> Chart | bytes:
    """Magnitude in dB over phase, with lines of constant |T| (6, 3, 1, 0, −3, −6, −12 dB)."""
    level, angle = _db(curve.response), _phase(curve.response)
    with drawing.style():
        figure, axes = drawing.sheet(width=6.4, height=6.2)
        axes.grid(True, axis="both")
        low, high = max(-60.0, float(level.min()) - 5), min(60.0, float(level.max()) + 5)
        left = (
            360 * math.floor((float(angle[(level >= low) & (level <= high)].min()) - 20) / 360) if np.any((level >= low) & (level <= high)) else -360
        )
        centres = [left + 180 + 360 * k for k in range(3)]
        for decibels in (6, 3, 1, 0, -3, -6, -12):
            _constant_closed_loop(axes, decibels, centres, low, high)
        axes.plot(angle, level, color=UP_COLOR, linewidth=1.6, zorder=4)
        for mark in marks[:8]:
            k = int(np.argmin(np.abs(curve.frequency_hz - mark.frequency_hz)))
            here = float(np.angle(mark.value)) * DEGREES
            here += 360 * round((float(angle[k]) - here) / 360)
            axes.plot(here, float(_db(np.array([mark.value]))[0]), marker="o", markersize=6, color=INK, markerfacecolor="white", zorder=6)
            axes.annotate(
                mark.label, (here, float(_db(np.array([mark.value]))[0])), (8, 6), textcoords="offset points", fontsize=9.5, color=INK, gid="halo"
            )
        for centre in centres:
            axes.plot(centre, 0, marker="+", markersize=11, markeredgewidth=1.8, color=DOWN_COLOR, zorder=6)
        inside = angle[(level >= low) & (level <= high)]
        ends = (float(inside.min()), float(inside.max())) if inside.size else (-270.0, 0.0)
        axes.set_xlim(min(ends[0] - 15, -200), max(ends[1] + 15, -80))
        axes.set_ylim(low, high)
        axes.axhline(0, color=INK, linewidth=0.7)
        _degree_ticks(axes.xaxis, *axes.get_xlim())
        axes.set_xlabel("Phase (°)")
        axes.set_ylabel("Magnitude (dB)")
        drawing.title(axes, visible(title, longest=60), visible(key_numbers, longest=90))
        figure.subplots_adjust(left=0.12, right=0.975, top=0.86, bottom=0.095)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="nichols")
    return Chart(
        svg=svg, title=title,
        how_to_read=(
            "The open loop's magnitude over its phase. The crosses are −1. The grey lines are where the closed loop has the magnitude written on them: between them one sees "
            "how much the closed loop peaks."
        ),
        alt=f"Nichols plot of {visible(curve.name, longest=40)}.",
    )  # fmt: skip


@overload
def singular_values_chart(
    frequency_hz: Floats, values: Floats, condition: Floats | None, *, unit: str, title: str, key_numbers: str, format: Literal["svg"] = "svg"
) -> Chart: ...
@overload
def singular_values_chart(
    frequency_hz: Floats, values: Floats, condition: Floats | None, *, unit: str, title: str, key_numbers: str, format: Literal["png"]
) -> bytes: ...
def singular_values_chart(
    frequency_hz: Floats, values: Floats, condition: Floats | None, *, unit: str, title: str, key_numbers: str, format: Format = "svg"
) -> Chart | bytes:
    """Singular values (m, k) of a plant of several inputs in dB, and below the condition number (m,) of the inputs that it was measured with."""
    if values.ndim != 2 or values.shape[0] != frequency_hz.size:
        raise ValueError(f"values has shape {values.shape} and frequency_hz {frequency_hz.shape}; (m, k) and (m,) are expected")
    values = np.maximum(values, 1e-12 * values.max())  # a plant of lower rank has values of 0, which have no decibels
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.6, rows=(1.6, 0.6) if condition is not None else (1.0,))
        upper = axes[0] if condition is not None else axes
        for k in range(values.shape[1]):
            upper.plot(frequency_hz, 20 * np.log10(np.maximum(values[:, k], 1e-300)), color=(_COLORS * 3)[k % 6], linewidth=1.4)
        upper.set_xlim(frequency_hz[0], frequency_hz[-1])
        bottom = upper
        if condition is not None:
            bottom = axes[1]
            bottom.plot(frequency_hz, condition, color=SOFT, linewidth=1.1)
            logarithmic(bottom, "y")
            bottom.set_ylabel("Condition")
            logarithmic(bottom, "x")
        logarithmic(upper, "x")
        upper.set_ylabel(f"Singular values (dB of 1 {unit})" if unit else "Singular values (dB)")
        bottom.set_xlabel("Frequency (Hz)")
        drawing.title(upper, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(upper, [_line(f"σ{'₁₂₃₄₅₆₇₈₉'[k]}", (_COLORS * 3)[k % 6]) for k in range(min(9, values.shape[1]))])
        figure.subplots_adjust(left=0.085, right=0.985, top=0.83, bottom=0.1, hspace=0.12)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="singular values")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "The largest and the smallest answer that can come to an input of one unit, in whatever direction it comes. Where they are far apart, one direction is hard to control."
            + (" Below, how far the inputs of the test differed: noise grows by that number." if condition is not None else "")
        ),
        alt=f"{values.shape[1]} singular values from {frequency_hz[0]:.4g} to {frequency_hz[-1]:.4g} Hz.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """Levels of the output at one kind of lines. name : in the legend.  frequency_hz, level, noise : (m,) rms, and that of the noise of the mean."""

    name: str
    frequency_hz: Floats
    level: Floats
    noise: Floats


def distortion_chart(levels: Sequence[Levels], *, unit: str, title: str, key_numbers: str) -> Chart:
    """Output at the excited, the even and the odd lines that were left out, in dB, each with the noise of its mean. ValueError for none, or more
    than three."""
    if not 1 <= len(levels) <= 3:
        raise ValueError(f"{len(levels)} kinds of lines; 1 to 3 are expected")
    colors = (UP_COLOR, DOWN_COLOR, ACCENTS[0])
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=4.8)
        for one, color in zip(levels, colors, strict=False):
            axes.plot(one.frequency_hz, _db(one.level.astype(np.complex128)), color=color, linewidth=0, marker="o", markersize=3.4)
            axes.plot(one.frequency_hz, _db(one.noise.astype(np.complex128)), color=color, linewidth=0.9, alpha=0.55)
        axes.set_xlim(min(float(one.frequency_hz[0]) for one in levels), max(float(one.frequency_hz[-1]) for one in levels))
        logarithmic(axes, "x")
        axes.set_xlabel("Frequency (Hz)")
        axes.set_ylabel(f"Output, rms (dB of 1 {unit})" if unit else "Output, rms (dB)")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(
            axes,
            [
                *[_dots(visible(one.name, longest=40), color) for one, color in zip(levels, colors, strict=False)],
                _line("lines: noise of the mean", REST_COLOR),
            ],
        )
        figure.subplots_adjust(left=0.085, right=0.985, top=0.79, bottom=0.12)
        svg = drawing.svg(figure, salt="distortion")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "The excitation had only every fourth line. What comes out at even lines the plant has made itself, from its even non-linearity (an offset of friction or force); at the odd lines "
            "between, from its odd one (friction, saturation, play). Points on their thin line are noise; points above it are distortion."
        ),
        alt=f"Levels at {', '.join(f'{one.frequency_hz.size} {one.name}' for one in levels)}.",
    )  # fmt: skip


_COLORS: Final = (UP_COLOR, DOWN_COLOR, ACCENTS[0])


def _db(response: Complex) -> Floats:
    return np.asarray(20 * np.log10(np.maximum(np.abs(response), 1e-300)))


def _phase(response: Complex) -> Floats:
    """Degrees, unwrapped, the first line in −360 … 0 as engineers read a lag (or up to 90 of lead)."""
    angle = np.unwrap(np.angle(response)) * DEGREES
    shift = 360 * math.ceil((float(angle[0]) - 95) / 360)
    return np.asarray(angle - shift)


def _unity(axes: Any, unit: str) -> None:
    low, high = axes.get_ylim()
    if not unit and low < 0 < high:
        axes.axhline(0, color=INK, linewidth=0.8, zorder=1)


def _phase_ticks(axes: Any, low: float, high: float) -> None:
    axes.set_ylim(max(low, high - 1440) - 20, high + 20)
    _degree_ticks(axes.yaxis, low - 20, high + 20)
    if low < -180 < high:
        axes.axhline(-180, color=INK, linewidth=0.8, zorder=1)


def _degree_ticks(axis: Any, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step = next(step for step in (15, 30, 45, 90, 180, 360, 720, 1440) if (high - low) / step <= 7 or step == 1440)
    axis.set_major_locator(MultipleLocator(step))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}".replace("-", "−")))


def _constant_closed_loop(axes: Any, decibels: float, centres: Sequence[float], low: float, high: float) -> None:
    """Where |L/(1 + L)| is so many dB: L = T/(1 − T) for T around a circle."""
    t = 10 ** (decibels / 20) * np.exp(1j * np.linspace(1e-3, 2 * math.pi - 1e-3, 721))
    loop = t / (1 - t)
    level, angle = _db(loop), np.mod(np.angle(loop) * DEGREES, 360) - 180
    if decibels <= 0:  # an open curve, from −180° to 180° around the centre; the others close around it
        order = np.argsort(angle)
        level, angle = level[order], angle[order]
    for centre in centres:
        x, y = angle + centre, level
        axes.plot(x, np.where((y > low - 20) & (y < high + 20), y, np.nan), color="#c9d1d9", linewidth=0.8, zorder=1)
    k = int(np.argmax(level)) if decibels > 0 else int(np.argmin(np.abs(angle - 90)))
    for centre in centres:
        if low < level[k] < high:
            axes.annotate(
                f"{decibels:+.0f} dB".replace("-", "−").replace("+0", "0"),
                (float(angle[k] + centre), float(level[k])),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=SOFT,
                annotation_clip=True,
            )


def _circle(centre: complex, radius: float) -> Any:
    from matplotlib.patches import Circle

    return Circle((centre.real, centre.imag), radius, facecolor=UP_COLOR, alpha=0.15, linewidth=0)


def _dots(label: str, color: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=0, marker="o", markersize=5, label=label)


def _line(label: str, color: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=1.6, label=label)
