"""Charts of friction: over velocity, in a motion, at a slow reversal, and after the reversals of a circle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, in_unit

from . import drawing
from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR
from .logarithmic_axes import logarithmic
from .visible_text import visible

Floats = NDArray[np.float64]
_POINTS: Final = 4000
_CURVE_READING: Final = (
    "Each point is the mean force of a run at constant velocity, blue forward and orange backward, with its U; "
    "the offset that does not change sign is taken off, so both "
    "directions lie on one curve where friction is the same. From the left it falls from static to Coulomb "
    "friction within the Stribeck velocity, then viscous friction "
    "rises: on this logarithmic scale a straight rise is bent upwards."
)


def _factor(unit: str) -> float:
    return 1 / in_unit(1.0, unit)


def curve_chart(
    velocity: Floats,
    force: Floats,
    force_u: Floats,
    model: Floats,
    model_u: Floats,
    *,
    offset: float,
    lines: Sequence[tuple[str, float]],
    unit: str,
    force_unit: str,
    key_numbers: str,
) -> Chart:
    """Friction (without `offset`, its direction's sign taken off) over |velocity|; points with U, the fitted curve with
    its band, `lines` (label, force) across."""
    shown = display_unit(float(np.median(np.abs(velocity))), f"{unit}/s")
    scale = 1 / _factor(shown)
    side = np.sign(velocity)
    order = np.argsort(np.abs(velocity), kind="stable")
    x = np.abs(velocity)[order] * scale
    y, fitted = (side * (values - offset) for values in (force, model))
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.4)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.79, bottom=0.125)
        dense, middle, half = _smooth(x, fitted[order], model_u[order])
        axes.fill_between(dense, middle - half, middle + half, color=REST_COLOR, alpha=0.45, linewidth=0)
        axes.plot(dense, middle, color=INK, linewidth=1.3)
        for positive, color, size in (
            (True, UP_COLOR, 9.5),
            (False, DOWN_COLOR, 4.5),
        ):  # a small mark within a large one: both are seen where they agree
            own = side > 0 if positive else side < 0
            axes.errorbar(
                np.abs(velocity[own]) * scale,
                y[own],
                yerr=force_u[own],
                fmt="o",
                markersize=size,
                color=color,
                markerfacecolor="none" if positive else color,
                markeredgewidth=1.5,
                elinewidth=1.2,
                capsize=2.5,
                zorder=5,
            )
        for label, level in lines:
            axes.axhline(level, color=SOFT, linewidth=0.9, linestyle=(0, (5, 3)))
            axes.annotate(
                label,
                (1.0, level),
                (-4, 4),
                xycoords=axes.get_yaxis_transform(),
                textcoords="offset points",
                ha="right",
                fontsize=9.5,
                color=SOFT,
                gid="halo",
            )
        axes.set_xscale("log")
        axes.set_xlim(float(x.min()) * 0.8, float(x.max()) * 1.25)
        logarithmic(axes, "x")
        axes.set_xlabel(f"|velocity| in {shown}")
        axes.set_ylabel(f"Friction in {force_unit}" if force_unit else "Friction")
        drawing.title(axes, "Friction over velocity", visible(key_numbers, longest=160))
        drawing.legend(
            axes, [_mark("forward", UP_COLOR), _mark("backward", DOWN_COLOR), _line("fitted curve, U (k = 2) pale", INK)]
        )
        svg = drawing.svg(figure, salt="friction")
    return Chart(
        svg=svg,
        title="Friction over velocity",
        wide=True,
        how_to_read=_CURVE_READING,
        alt=f"Friction at {velocity.size} velocities. {key_numbers}",
    )


def motion_chart(time_s: Floats, force: Floats, residual: Floats, *, force_unit: str, key_numbers: str) -> Chart:
    """Force of a motion and its model above, what is left below; `residual` is NaN where nothing was fitted."""
    step = max(1, time_s.size // _POINTS)
    t, f, left = time_s[::step], force[::step], residual[::step]
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.6, rows=(1.6, 1.0))
        above, below = axes
        figure.subplots_adjust(left=0.085, right=0.985, top=0.82, bottom=0.105, hspace=0.12)
        above.plot(t, f, color=UP_COLOR, linewidth=1.0)
        above.plot(t, f - left, color=DOWN_COLOR, linewidth=1.4, linestyle=(0, (4, 2)))
        below.plot(t, left, color=INK, linewidth=0.7)
        above.set_ylabel(f"Force in {force_unit}" if force_unit else "Force")
        below.set_ylabel("Force − model")
        below.set_xlabel("Time in s")
        above.set_xlim(float(t[0]), float(t[-1]))
        drawing.few_ticks(below.xaxis)
        drawing.title(above, "Feed-forward model of the moves", visible(key_numbers, longest=160))
        drawing.legend(
            above,
            [_line("measured", UP_COLOR), _line("mass, viscous and Coulomb friction, offset", DOWN_COLOR, (0, (4, 2)))],
        )
        figure.align_ylabels(list(axes))
        svg = drawing.svg(figure, salt="feedforward")
    return Chart(
        svg=svg,
        title="Feed-forward model of the moves",
        wide=True,
        how_to_read=(
            "What the drive pushed with, and what mass, friction and offset explain of it; there is no model near "
            "standstill, where friction is no matter of the velocity's sign. "
            "What is left below should look like noise: a pattern that repeats with the moves is something that the "
            "model lacks."
        ),
        alt=f"Force of {time_s[-1] - time_s[0]:.3g} s of moves and its model. {key_numbers}",
    )


def loop_chart(
    deflection: Floats,
    force: Floats,
    model: Floats,
    direction: NDArray[np.int64],
    *,
    backlash: float,
    unit: str,
    force_unit: str,
    key_numbers: str,
) -> Chart:
    """Force over motor − load at slow reversals, both directions, with the model; the backlash shaded."""
    shown = display_unit(float(np.abs(deflection).max()), unit)
    scale = 1 / _factor(shown)
    x = deflection * scale
    with drawing.style():
        figure, axes = drawing.sheet(width=6.4, height=5.2)
        figure.subplots_adjust(left=0.125, right=0.97, top=0.78, bottom=0.125)
        if backlash > 0:
            axes.axvspan(-backlash / 2 * scale, backlash / 2 * scale, color=REST_COLOR, alpha=0.22, linewidth=0)
        for sign, color in ((1, UP_COLOR), (-1, DOWN_COLOR)):
            own = direction == sign
            axes.plot(
                x[own],
                force[own],
                linestyle="none",
                marker="o",
                markersize=4.5,
                color=color,
                markerfacecolor="none",
                alpha=0.8,
            )
            order = np.argsort(x[own], kind="stable")
            axes.plot(x[own][order], model[own][order], color=INK, linewidth=0.9)
        if backlash > 0:
            axes.annotate(
                "backlash",
                (0, 0),
                (0, 8),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize=9.5,
                color=SOFT,
                gid="halo",
            )
        axes.set_xlabel(f"Motor − load in {shown}")
        axes.set_ylabel(f"Force of the motor in {force_unit}" if force_unit else "Force of the motor")
        drawing.few_ticks(axes.xaxis)
        drawing.title(axes, "Lost motion: force over motor − load", visible(key_numbers, longest=120))
        drawing.legend(axes, [_mark("forward", UP_COLOR), _mark("backward", DOWN_COLOR), _line("model", INK)])
        svg = drawing.svg(figure, salt="lostmotion")
    return Chart(
        svg=svg,
        title="Lost motion: force over motor − load",
        how_to_read=(
            "At a slow reversal the motor leaves the load behind. Flat in the middle: backlash, crossed with no force "
            "but the drive's own friction, which sets the two branches "
            "apart. Sloping at both ends: the compliance winds up until the load's friction gives way; its slope is the "
            "stiffness. No flat part means no backlash, only windup."
        ),
        alt=f"Force over the distance of motor and load at slow reversals. {key_numbers}",
    )


def branches_chart(x: Floats, there: Floats, back: Floats, *, unit: str, force_unit: str, key_numbers: str) -> Chart:
    """Force over motor position at slow reversals: (cycles, k) there and back."""
    shown = display_unit(float(np.abs(x).max()), unit)
    scale = 1 / _factor(shown)
    with drawing.style():
        figure, axes = drawing.sheet(width=6.4, height=5.2)
        figure.subplots_adjust(left=0.125, right=0.97, top=0.78, bottom=0.125)
        for rows, color in ((there, UP_COLOR), (back, DOWN_COLOR)):
            for row in rows:
                axes.plot(x * scale, row, color=color, linewidth=0.9, alpha=0.7)
        axes.fill_between(x * scale, there.mean(axis=0), back.mean(axis=0), color=REST_COLOR, alpha=0.18, linewidth=0)
        axes.set_xlabel(f"Motor position in {shown}")
        axes.set_ylabel(f"Force of the motor in {force_unit}" if force_unit else "Force of the motor")
        drawing.few_ticks(axes.xaxis)
        drawing.title(axes, "Hysteresis: force over position", visible(key_numbers, longest=120))
        drawing.legend(axes, [_line("forward", UP_COLOR), _line("backward", DOWN_COLOR)])
        svg = drawing.svg(figure, salt="hysteresis")
    return Chart(
        svg=svg,
        title="Hysteresis: force over position",
        how_to_read=(
            "The force on the way there and back, cycle by cycle. The branches stand twice the friction apart; the "
            "shaded area is the energy that a cycle costs. After a "
            "reversal (at both ends) the force needs a way to change over: that is compliance and backlash."
        ),
        alt=f"Force over motor position of {len(there)} cycles. {key_numbers}",
    )


def glitch_chart(circles: Sequence[tuple[str, Floats, Floats, Floats]], *, unit: str, key_numbers: str) -> Chart:
    """What is left of the error after reversals: (label, angle, upper, lower) of each circle, outward up."""
    largest = max(float(np.abs(rows).max()) for _, _, upper, lower in circles for rows in (upper, lower))
    shown = display_unit(largest, unit)
    scale = 1 / _factor(shown)
    with drawing.style():
        figure, axes = drawing.sheet(width=6.4, height=5.2)
        figure.subplots_adjust(left=0.125, right=0.97, top=0.78, bottom=0.125)
        axes.axhline(0, color=SOFT, linewidth=0.8)
        handles = []
        for number, (label, angle, upper, lower) in enumerate(circles[:5]):
            color = (UP_COLOR, DOWN_COLOR, *ACCENTS)[number]
            for rows, outward, line in ((upper, 1.0, "-"), (lower, -1.0, (0, (4, 2)))):
                axes.plot(np.degrees(angle), outward * rows.mean(axis=0) * scale, color=color, linewidth=1.4, linestyle=line)
            handles.append(_line(visible(label, longest=30), color))
        axes.set_xlim(0, float(np.degrees(circles[0][1][-1])))
        axes.set_xlabel("Angle on the circle after the reversal, in °")
        axes.set_ylabel(f"Outward deviation in {shown}")
        drawing.title(axes, "Quadrant glitches", visible(key_numbers, longest=120))
        drawing.legend(axes, [*handles, _line("lower reversal", INK, (0, (4, 2)))])
        svg = drawing.svg(figure, salt="glitch")
    return Chart(
        svg=svg,
        title="Quadrant glitches",
        how_to_read=(
            "What one axis of a circle does after it has turned, beside offset, lag and the step between its directions; "
            "solid at the upper, dashed at the lower reversal. A curve "
            "that begins away from zero is an axis that stays on its old side until friction is overcome. The same "
            "height at all speeds is lost motion; a height or width that changes with "
            "speed is friction."
        ),
        alt=f"Deviation after the reversals of {len(circles)} circles. {key_numbers}",
    )


def _smooth(x: Floats, y: Floats, u: Floats) -> tuple[Floats, Floats, Floats]:
    """Curve and band between the velocities run, by cubics over the logarithm that keep to their slopes."""
    from scipy.interpolate import PchipInterpolator

    at, first = np.unique(np.round(np.log(x), 3), return_index=True)
    if at.size < 2:
        return x, y, u
    dense = np.linspace(at[0], at[-1], 200)
    return (
        np.exp(dense),
        np.asarray(PchipInterpolator(at, y[first])(dense)),
        np.asarray(PchipInterpolator(at, u[first])(dense)),
    )


def _mark(label: str, color: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=color,
        marker="o",
        markersize=5.5,
        markerfacecolor="white",
        markeredgewidth=1.5,
        linestyle="none",
        label=label,
    )


def _line(label: str, color: str, line: Any = "-") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=1.6, linestyle=line, label=label)
