"""Charts of learning: the error of some trials over time, its norm over the trials, the learned signal, and by what the law shortens the error
at each frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import units

from . import drawing
from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, REST_COLOR, SOFT, UP_COLOR
from .logarithmic_axes import logarithmic, plain_number
from .visible_text import visible

Floats = NDArray[np.float64]
MOST_POINTS: Final = 2400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """One trial over time. name : in the legend.  values : (n,)."""

    name: str
    values: Floats


def course_chart(
    time_s: Floats,
    courses: Sequence[Course],
    *,
    unit: str,
    what: str,
    title: str,
    key_numbers: str,
    how_to_read: str,
    reference: Floats | None = None,
) -> Chart:
    """Curves of several trials over the time of a trial, from pale (early) to dark (late); `reference` (n,) as a narrow drawing below.

    Raises
    ------
    ValueError      no curve, or lengths that differ
    """
    if not courses or any(one.values.shape != time_s.shape for one in courses) or (reference is not None and reference.shape != time_s.shape):
        raise ValueError(
            f"{len(courses)} curves of {[one.values.shape for one in courses][:4]} over a time of {time_s.shape}; at least one, all of the same (n,), is expected"
        )
    largest = max(float(np.abs(one.values).max()) for one in courses)
    shown, factor = _scale(largest, unit)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.4 if reference is not None else 4.4, rows=(1.0, 0.28) if reference is not None else (1.0,))
        upper: Any = axes[0] if reference is not None else axes
        handles = []
        for one, color in zip(courses, _shades(len(courses)), strict=True):
            upper.plot(*_thin(time_s, one.values * factor), color=color, linewidth=1.3)
            handles.append(_line(visible(one.name, longest=40), color))
        upper.axhline(0, color=INK, linewidth=0.6)
        upper.set_ylabel(f"{what} ({shown})" if shown else what)
        upper.set_xlim(float(time_s[0]), float(time_s[-1]))
        bottom = upper
        if reference is not None:
            bottom = axes[1]
            name, scale = _scale(float(np.abs(reference).max()), unit)
            bottom.plot(*_thin(time_s, reference * scale), color=SOFT, linewidth=1.3)
            bottom.set_ylabel(f"Motion ({name})" if name else "Motion")
            figure.align_ylabels([upper, bottom])
        drawing.few_ticks(bottom.xaxis)
        bottom.set_xlabel("Time in the trial (s)")
        drawing.title(upper, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(upper, handles)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.81, bottom=0.1 if reference is not None else 0.13, hspace=0.12)
        svg = drawing.svg(figure, salt=f"course {what}")
    return Chart(
        svg=svg,
        title=title,
        wide=True,
        how_to_read=how_to_read,
        alt=f"{what} of {len(courses)} trials over {time_s[-1] - time_s[0]:.4g} s. {key_numbers}",
    )


def norm_chart(
    number: Sequence[int], rms: Floats, rms_u: Floats, peak: Floats, *, foretold: Sequence[tuple[int, float]], first: int, last: int, noise: float, unit: str, title: str,
    key_numbers: str,
) -> Chart:  # fmt: skip
    """rms and largest error of each trial, on a logarithmic scale, with U, what the response foretold, and the level of what does not repeat.

    Parameters
    ----------
    number, rms, rms_u, peak : of each trial, U (k = 2).  foretold : (trial, rms).  first, last : the trials with learning.  noise : rms of the
    non-repeatable part
    """
    trials = np.asarray(number, dtype=np.float64)
    if not (trials.shape == rms.shape == rms_u.shape == peak.shape and trials.size >= 2):
        raise ValueError(f"trials {trials.shape}, rms {rms.shape}, U {rms_u.shape}, peak {peak.shape}; the same (m,) with m ≥ 2 is expected")
    shown, factor = _scale(float(rms.max()), unit)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=4.8)
        if last >= first:
            axes.axvspan(first - 0.5, last + 0.5, color=FAINT, alpha=0.55, linewidth=0)
        axes.plot(trials, peak * factor, color=DOWN_COLOR, linewidth=1.0, marker="^", markersize=4.5)
        low = np.minimum(rms_u, 0.95 * rms)
        axes.errorbar(
            trials,
            rms * factor,
            yerr=np.stack([low, rms_u]) * factor,
            color=UP_COLOR,
            linewidth=1.4,
            marker="o",
            markersize=5,
            elinewidth=1.1,
            capsize=2.5,
        )
        handles = [_line("rms, with U (k = 2)", UP_COLOR, "o"), _line("largest", DOWN_COLOR, "^")]
        if foretold:
            axes.plot(
                [at for at, _ in foretold],
                [value * factor for _, value in foretold],
                color=INK,
                linewidth=0,
                marker="x",
                markersize=7,
                markeredgewidth=1.4,
                zorder=5,
            )
            handles.append(_line("rms foretold from the response", INK, "x", line=False))
        if noise > 0:
            axes.axhline(noise * factor, color=REST_COLOR, linewidth=1.2, linestyle=(0, (5, 3)))
            handles.append(_line("what does not repeat, rms", REST_COLOR, style=(0, (5, 3))))
        floor = min(float(rms.min()), noise if noise > 0 else float(rms.min()))
        axes.set_ylim(0.5 * floor * factor, 2 * float(peak.max()) * factor)
        logarithmic(axes, "y")
        axes.set_xlim(float(trials[0]) - 0.5, float(trials[-1]) + 0.5)
        axes.set_xlabel("Trial (with learning: shaded)")
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(nbins=16, integer=True))
        axes.set_ylabel(f"Error ({shown})" if shown else "Error")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(axes, handles)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.79, bottom=0.12)
        svg = drawing.svg(figure, salt="norm")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "Each point is a trial. Learning takes away what repeats, by about the same factor each time (a straight line), until what remains is the filter's share and, dashed, what "
            "differs from trial to trial, which nothing that learns can take away. Crosses are what the measured response foretold; they are no fit to the points."
        ),
        alt=f"Error of {trials.size} trials. {key_numbers}",
    )  # fmt: skip


def contraction_chart(frequency_hz: Floats, contraction: Floats, u: Floats, filter: Floats, *, title: str, key_numbers: str) -> Chart:
    """|Q (1 − L J)| with U (k = 2), the filter Q, and the bound 1, over frequency; all (m,)."""
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=4.2)
        # Below the drawn range the values say nothing more.
        lowest = 1e-3
        axes.fill_between(
            frequency_hz, np.maximum(contraction - 2 * u, lowest), np.maximum(contraction + 2 * u, lowest), color=UP_COLOR, alpha=0.18, linewidth=0
        )
        axes.plot(frequency_hz, np.maximum(contraction, lowest), color=UP_COLOR, linewidth=1.5)
        axes.plot(frequency_hz, np.maximum(filter, lowest), color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.axhline(1.0, color=DOWN_COLOR, linewidth=1.3)
        axes.annotate(
            "1: above it trials become worse",
            (1, 1.0),
            (-4, 4),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",
            fontsize=9.5,
            color=DOWN_COLOR,
            gid="halo",
        )
        axes.set_xlim(float(frequency_hz[0]), float(frequency_hz[-1]))
        axes.set_ylim(max(lowest, 0.5 * float(np.clip(contraction, lowest, None).min())), 2.0 * max(1.0, float((contraction + 2 * u).max())))
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        axes.set_xlabel("Frequency (Hz)")
        axes.set_ylabel("Part of the error left")
        drawing.title(axes, visible(title, longest=90), visible(key_numbers, longest=160))
        drawing.legend(axes, [_line("|Q (1 − L J)|, with U (k = 2)", UP_COLOR), _line("filter Q", SOFT, style=(0, (4, 3)))])
        figure.subplots_adjust(left=0.085, right=0.985, top=0.77, bottom=0.135)
        svg = drawing.svg(figure, salt="contraction")
    return Chart(
        svg=svg, title=title, wide=True,
        how_to_read=(
            "At each frequency, what one trial leaves of the error that can be learned, from the measured response J, the learning filter L and the robustness filter Q. Below 1 everywhere, "
            "no trial is worse than the one before. Where Q falls, less is learned: what it takes away stays in the error."
        ),
        alt=f"Part of the error that a trial leaves, {plain_number(float(frequency_hz[0]))} to {frequency_hz[-1]:.4g} Hz. {key_numbers}",
    )  # fmt: skip


def _scale(largest: float, unit: str) -> tuple[str, float]:
    shown = units.display_unit(largest, unit) if largest > 0 else unit
    return shown, units.in_unit(1.0, shown)


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest of each of many pieces, so that spikes stay."""
    if x.size <= MOST_POINTS:
        return x, y
    length = -(-x.size // (MOST_POINTS // 2))
    whole = x.size // length * length
    pieces = y[:whole].reshape(-1, length)
    start = np.arange(0, whole, length)
    places = np.unique(np.concatenate([start + pieces.argmin(axis=1), start + pieces.argmax(axis=1), np.arange(whole, x.size), [0, x.size - 1]]))
    return x[places], y[places]


def _shades(count: int) -> list[Any]:
    """From orange, without learning, through pale blue to the darkest for the last."""
    from matplotlib.colors import to_rgb

    pale, dark = np.array(to_rgb("#9ecbe8")), np.array(to_rgb("#00314f"))
    steps = np.linspace(0, 1, max(2, count - 1))
    return [DOWN_COLOR, *[tuple(pale + (dark - pale) * step) for step in steps]][:count]


def _line(label: str, color: Any, marker: str = "", *, line: bool = True, style: Any = "-") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=1.6 if line else 0, label=label, marker=marker, linestyle=style, markersize=6)
