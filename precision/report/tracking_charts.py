"""The charts of a tracking test: the error over time with the phases of the motion, over the travel in both directions, and its waves along the travel.

Forward is blue, backward vermilion and dashed where both are in one drawing (Okabe and Ito's palette); phases differ in lightness and are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, in_unit, text

from .document import Chart
from .drawing import DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR, few_ticks, legend, sheet, style, svg, title
from .logarithmic_axes import logarithmic
from .visible_text import visible

Floats = NDArray[np.float64]

_SHADES: Final = {
    "acceleration": "#bcd9ea",
    "constant velocity": "#ffffff",
    "deceleration": "#f3cdb3",
    "standstill": "#dfe3e7",
    "settling": "#f6e7a8",
}
"""Blue and vermilion diluted, white, grey and yellow: told apart by every eye, and by their order in the motion."""
_MOST_POINTS: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Travelled:
    """One traverse at constant velocity. direction : +1 or −1. position, error : (n,), unit of the axis."""

    direction: int
    position: Floats
    error: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Amplitudes of the ripple in one direction. period, amplitude : (p,). waves : (period, amplitude) to mark."""

    direction: int
    period: Floats
    amplitude: Floats
    waves: Sequence[tuple[float, float]]


def time_chart(
    time_s: Floats,
    command: Floats,
    error: Floats,
    phases: NDArray[np.int64],
    names: Sequence[str],
    *,
    rate_hz: float,
    unit: str,
    heading: str,
    key_numbers: str,
) -> Chart:
    """Velocity of the set-point above, the error below, the phases shaded behind both."""
    from matplotlib.patches import Patch

    velocity = np.gradient(command) * rate_hz
    shown, speed = display_unit(float(np.abs(error).max()) or 1e-9, unit), display_unit(float(np.abs(velocity).max()), f"{unit}/s")
    with style():
        figure, (above, below) = sheet(width=10.6, height=5.6, rows=(1.0, 2.6))
        figure.subplots_adjust(left=0.085, right=0.985, top=0.80, bottom=0.10, hspace=0.10)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(phases)) + 1, [phases.size]])
        used: list[str] = []
        for begin, end in pairwise(edges.tolist()):
            name = names[int(phases[begin])]
            if name not in used:
                used.append(name)
            for plot in (above, below):
                plot.axvspan(time_s[begin], time_s[min(end, time_s.size - 1)], color=_SHADES[name], linewidth=0, zorder=0)
        for plot, values, own in ((above, velocity, speed), (below, error, shown)):
            plot.axhline(0, color=SOFT, linewidth=0.8, zorder=1)
            x, y = _envelope(time_s, values)
            plot.plot(x, in_unit(1.0, own) * y, color=INK if plot is above else UP_COLOR, linewidth=1.1, zorder=3)
            plot.grid(visible=False)
        above.set_ylabel(f"set velocity\n({speed})")
        below.set_ylabel(f"error ({shown})")
        below.set_xlabel("time (s)")
        below.set_xlim(time_s[0], time_s[-1])
        above.tick_params(axis="x", length=0, labelbottom=False)
        title(above, visible(heading, longest=80), visible(key_numbers, longest=140))
        legend(above, [Patch(facecolor=_SHADES[name], edgecolor=REST_COLOR, linewidth=0.6, label=name) for name in names if name in used])
        drawing = svg(figure, salt="tracking time")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Command − feedback of equal rows. At constant velocity a loop without feed-forward lags by velocity over gain: a plateau, of the other sign backwards. What rises and falls only "
            "while the axis accelerates is mass that the loop does not know of; a step just after a reversal is friction or play; what decays after the motion has ended is settling."
        ),
        alt=f"{key_numbers}. Phases: {', '.join(used)}.",
        wide=True,
    )


def position_chart(
    position: Floats, error: Floats, sense: NDArray[np.int64], ways: Sequence[Travelled], *, unit: str, heading: str, key_numbers: str
) -> Chart:
    """The whole error over the position above, in both directions (`sense`); below, of the traverses at constant velocity, what is left of it without their straight lines."""
    from matplotlib.lines import Line2D

    shown, along = display_unit(float(np.abs(error).max()) or 1e-9, unit), display_unit(float(np.ptp(position)), unit)
    left = [(one, _straightened(one.error)) for one in ways]
    small = display_unit(max(float(np.abs(rest).max()) for _, rest in left) or 1e-9, unit)
    with style():
        figure, (above, below) = sheet(width=10.6, height=6.2, rows=(1.0, 1.15))
        figure.subplots_adjust(left=0.085, right=0.985, top=0.82, bottom=0.09, hspace=0.12)
        for direction, color in ((1, UP_COLOR), (-1, DOWN_COLOR)):
            here = np.where(sense == direction, error, np.nan)
            step = max(1, here.size // (3 * _MOST_POINTS))
            above.plot(in_unit(1.0, along) * position[::step], in_unit(1.0, shown) * here[::step], color=color, linewidth=1.0)
        for one, rest in left:
            step = max(1, rest.size // _MOST_POINTS)
            below.plot(
                in_unit(1.0, along) * one.position[::step], in_unit(1.0, small) * rest[::step], color=UP_COLOR if one.direction > 0 else DOWN_COLOR,
                linewidth=0.7, alpha=0.75,
            )  # fmt: skip
        for plot in (above, below):
            plot.axhline(0, color=SOFT, linewidth=0.8, zorder=1)
            plot.margins(x=0.01)
        above.set_ylabel(f"error ({shown})")
        below.set_ylabel(f"ripple ({small})")
        below.set_xlabel(f"position of the feedback ({along})")
        above.tick_params(axis="x", length=0, labelbottom=False)
        title(above, visible(heading, longest=80), visible(key_numbers, longest=140))
        legend(
            above,
            [Line2D([], [], color=UP_COLOR, linewidth=2, label="forward ↑"), Line2D([], [], color=DOWN_COLOR, linewidth=2, label="backward ↓")],
        )
        drawing = svg(figure, salt="tracking position")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Above the whole error; the two directions are apart by twice the velocity lag, and by friction. Below only constant velocity, without the straight line of each traverse: what repeats "
            "at the same places in both directions comes from poles, screw or scale; what repeats in time and not in place differs from traverse to traverse."
        ),
        alt=key_numbers,
        wide=True,
    )


def ripple_chart(spectra: Sequence[Spectrum], *, unit: str, heading: str, key_numbers: str) -> Chart:
    """Amplitude over the period along the travel, the strongest wave of each direction marked."""
    from matplotlib.lines import Line2D

    longest, shortest = max(float(one.period[0]) for one in spectra), min(float(one.period[-1]) for one in spectra)
    along = display_unit(longest / 10, unit)
    shown = display_unit(max(float(one.amplitude[2:].max(initial=0.0)) for one in spectra) or 1e-9, unit)
    with style():
        figure, axes = sheet(width=10.6, height=4.4)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.76, bottom=0.14)
        plot: Any = axes
        highest = 0.0
        for one in spectra:
            color, dash = (UP_COLOR, "-") if one.direction > 0 else (DOWN_COLOR, (0, (5, 1.6)))
            periods, amplitudes = _peaks(in_unit(1.0, along) * one.period[2:], in_unit(1.0, shown) * one.amplitude[2:])
            plot.plot(periods, amplitudes, color=color, linewidth=1.1, linestyle=dash)
            highest = max(highest, float(amplitudes.max(initial=0.0)))
        marked: list[float] = []
        for one in spectra:
            for period, size in one.waves:
                x, y = in_unit(1.0, along) * period, in_unit(1.0, shown) * size
                highest = max(highest, y)
                plot.plot(
                    [x],
                    [y],
                    marker="o" if one.direction > 0 else "s",
                    markersize=6.5,
                    color=UP_COLOR if one.direction > 0 else DOWN_COLOR,
                    markerfacecolor="white",
                    markeredgewidth=1.6,
                )
                if not any(abs(period / other - 1) < 0.05 for other in marked):
                    plot.annotate(
                        text(period, unit, digits=4),
                        (x, y),
                        (9, 4),
                        textcoords="offset points",
                        fontsize=10,
                        fontweight="bold",
                        color=INK,
                        gid="halo",
                    )
                    marked.append(period)
        plot.set_xlim(in_unit(1.0, along) * shortest, in_unit(1.0, along) * longest / 2)
        plot.set_ylim(0, highest * 1.18 or 1.0)
        logarithmic(plot, "x")
        plot.set_xlabel(f"period along the travel ({along})")
        plot.set_ylabel(f"amplitude ({shown})")
        few_ticks(plot.yaxis)
        title(plot, visible(heading, longest=80), visible(key_numbers, longest=140))
        legend(
            plot,
            [
                Line2D([], [], color=UP_COLOR, linewidth=2, label="forward ↑"),
                Line2D([], [], color=DOWN_COLOR, linewidth=2, linestyle="dashed", label="backward ↓"),
            ],
        )
        drawing = svg(figure, salt="tracking ripple")
    return Chart(
        svg=drawing,
        title=heading,
        how_to_read=(
            "Amplitudes of the longest traverse at constant velocity (Hann window). Compare the marked period with pole pitch, lead of the screw, pitch of the scale and their halves: that part makes it, "
            "whatever the speed. The mark is the wave fitted to all traverses, so it may lie between the lines of the spectrum and above them."
        ),
        alt=key_numbers,
        wide=True,
    )


def _straightened(error: Floats) -> Floats:
    """Without its straight line over the samples."""
    number = np.arange(error.size) - (error.size - 1) / 2
    slope = float(number @ error) / float(number @ number) if error.size > 1 else 0.0
    return np.asarray(error - error.mean() - slope * number)


def _envelope(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """For a drawing: the lowest and the highest point of each of many pieces, in their order."""
    if x.size <= _MOST_POINTS:
        return x, y
    edges = np.linspace(0, x.size, _MOST_POINTS // 2 + 1).astype(np.int64)
    chosen = sorted(
        {int(begin + place) for begin, end in pairwise(edges.tolist()) for place in (np.argmin(y[begin:end]), np.argmax(y[begin:end]))}
        | {0, x.size - 1}
    )
    return x[chosen], y[chosen]


def _peaks(period: Floats, amplitude: Floats) -> tuple[Floats, Floats]:
    """Where a logarithmic axis holds many lines in a dot, the highest of them."""
    if period.size <= 2000:
        return period, amplitude
    place = np.floor(np.log10(period / period[-1]) / np.log10(period[0] / period[-1]) * 1500).astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(place) != 0]))
    chosen = [int(begin + np.argmax(amplitude[begin:end])) for begin, end in zip(starts, np.append(starts[1:], period.size), strict=True)]
    return period[chosen], amplitude[chosen]
