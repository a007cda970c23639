"""The four charts of a positioning test: deviation, residual to the trend, reversal, drift.

Every chart shows the readings themselves, carries its key numbers and units, and is drawn the same, byte for byte, from the same data. ↑ is blue with
triangles up, ↓ vermilion with triangles down and a dashed line (Okabe and Ito's palette), so that they differ in print and for every eye.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from precision import units
from precision.figures import Figure

from . import drawing, positioning_captions, rounding, sparse_labels, symbols
from .document import Chart
from .drawing import DOWN_COLOR, INK, MEAN_COLOR, REST_COLOR, UP_COLOR
from .rounding import typographic
from .visible_text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_DIRECTIONS: Final[tuple[tuple[str, str, Any], ...]] = ((UP_COLOR, "^", "-"), (DOWN_COLOR, "v", (0, (5, 2))))
"""Colour, marker and dash of ↑ and ↓."""
_FLAT_K: Final = 0.05
"""Temperatures that change less count as this span where their names are placed."""
_MAIN_NUMBERS: Final = ("A", "E", "R", "B", "M", "P", "P_a", "P_s_max", "U_max")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositioningCurves:
    """What the charts of one axis are drawn from. NaN stands for what was not measured or could not be evaluated.

    axis : name of the axis ("X"), any text.
    unit : SI unit of all arrays, "m" or "rad".
    target : (m,) float64 — strictly ascending.
    deviation : (2, m, n) float64 — actual − target: direction (↑, ↓), target, run.
    mean : (2, m) float64 — mean deviation x̄_i↑, x̄_i↓.
    s : (2, m) float64 — estimator of the repeatability s_i↑, s_i↓ (divisor n − 1).
    reversal : (m,) float64 — B_i = x̄_i↑ − x̄_i↓.
    coverage_factor : half width of the bands in s: 2 (ISO 230-2 since 1997) or 3 (1988).

    Raises
    ------
    ValueError      naming the array, its shape and what was expected
    """

    axis: str
    unit: Literal["m", "rad"] = "m"
    target: Floats
    deviation: Floats
    mean: Floats
    s: Floats
    reversal: Floats
    coverage_factor: float = 2.0

    def __post_init__(self) -> None:
        for name in ("target", "deviation", "mean", "s", "reversal"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        m = self.target.size
        runs = self.deviation.shape[-1] if self.deviation.ndim == 3 else -1
        for name, shape in (("target", (m,)), ("deviation", (2, m, runs)), ("mean", (2, m)), ("s", (2, m)), ("reversal", (m,))):
            if getattr(self, name).shape != shape or m == 0:
                expected = "(2, m, n)" if name == "deviation" else str(shape)
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; {expected} is expected with m = {m} targets, at least one")
        if not np.all(np.isfinite(self.target)) or not np.all(np.diff(self.target) > 0):
            raise ValueError("target must be finite and strictly ascending")
        if not np.any(np.isfinite(self.deviation)):
            raise ValueError("deviation holds no finite reading; there is nothing to draw")

    @property
    def bands(self) -> tuple[Floats, Floats]:
        """Lower and upper edge, mean ∓ k·s, each (2, m); NaN where s is."""
        half = self.coverage_factor * self.s
        return self.mean - half, self.mean + half

    @property
    def centre(self) -> Floats:
        """(m,) mean bidirectional deviation x̄_i; NaN where a direction is missing."""
        mean: Floats = (self.mean[0] + self.mean[1]) / 2
        return mean


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TemperatureTrace:
    """One thermometer: name, time_s (n,) from the start of the run, temperature_k (n,)."""

    name: str
    time_s: Floats
    temperature_k: Floats


@overload
def main_chart(curves: PositioningCurves, figures: Mapping[str, Figure], *, format: Literal["svg"] = "svg") -> Chart: ...
@overload
def main_chart(curves: PositioningCurves, figures: Mapping[str, Figure], *, format: Literal["png"]) -> bytes: ...
def main_chart(curves: PositioningCurves, figures: Mapping[str, Figure], *, format: Literal["svg", "png"] = "svg") -> Chart | bytes:
    """Deviation against target: every reading, means with their bands, and the figures measured off as on an engineering drawing.

    Parameters
    ----------
    figures : Mapping
        Figures by key; "A", "E", "M", "B" (ISO 230-2) and "P_a", "U_max" (VDI/DGQ 3441) are dimensioned, "R", "P" and "P_s_max" named, where they have a
        value.

    Returns
    -------
    Chart, or the bytes of a PNG picture for `format="png"`.
    """
    x_unit, y_unit = _position_unit(curves), _deviation_unit(curves, figures)
    x, scale = _scaled(curves.target, x_unit), _factor(y_unit)
    shown = _shown(figures, y_unit)
    axis = visible(curves.axis, longest=40)
    with drawing.style():
        figure, axes = drawing.sheet(width=10.6, height=5.5)
        zero = _draw_zero(axes, curves, scale)
        _draw_readings_and_means(axes, curves, x, scale)
        if np.any(np.isfinite(curves.centre)):
            axes.plot(x, curves.centre / scale, color=MEAN_COLOR, linewidth=1.0, linestyle=(0, (1, 1.8)), zorder=3.2)
        drawing.title(axes, f"Deviation against target, axis {axis}", _key_numbers(figures, shown, _MAIN_NUMBERS) + zero)
        drawing.legend(axes, _legend_entries(curves))
        figure.subplots_adjust(left=0.065, right=0.985 - 0.035 * len(_dimensions(curves, shown)), top=0.825, bottom=0.1)
        _label_axes(axes, curves, x, x_unit, y_unit)
        _draw_dimensions(axes, curves, x, scale, figures, shown)
        _draw_reversal_dimension(axes, curves, x, scale, figures, shown)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="deviation")
    return Chart(
        svg=svg,
        title="Deviation against target",
        how_to_read=positioning_captions.deviation_caption(mean=curves.mean, s=curves.s, coverage_factor=curves.coverage_factor, symbols=_symbols(figures)),
        alt=_alt(f"Deviation of axis {axis} against target, {curves.target.size} targets.", _key_numbers(figures, shown, _MAIN_NUMBERS)),
        wide=True,
    )


def trend_chart(curves: PositioningCurves) -> Chart | None:
    """What is left of the means when their least-squares line over the targets is taken away, and the slope of that line.

    The line is fitted to the mean bidirectional deviation, or to the one direction that was measured; None with fewer than three targets.
    """
    x_unit = _position_unit(curves)
    fitted = max((curves.centre, curves.mean[0], curves.mean[1]), key=lambda mean: int(np.count_nonzero(np.isfinite(mean))))
    if np.count_nonzero(np.isfinite(fitted)) < 3:
        return None
    line, slope = _least_squares_line(curves.target, fitted)
    residual = curves.deviation - line[None, :, None]
    mean = curves.mean - line
    y_unit = units.display_unit(float(np.nanmax(np.abs(residual))), curves.unit)
    x, scale = _scaled(curves.target, x_unit), _factor(y_unit)
    flat = PositioningCurves(
        axis=curves.axis, unit=curves.unit, target=curves.target, deviation=residual, mean=mean, s=curves.s, reversal=curves.reversal,
        coverage_factor=curves.coverage_factor,
    )
    slope_text = _slope_text(slope, curves.unit)
    span = float(np.nanmax(fitted - line) - np.nanmin(fitted - line))
    span_text = f"{_three_digits(span / scale)} {y_unit}"
    with drawing.style():
        figure, axes = drawing.sheet(width=5.2, height=3.8)
        axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
        _draw_readings_and_means(axes, flat, x, scale)
        drawing.title(axes, "Residual to the trend", f"slope {slope_text}   ·   what is left spans {span_text}")
        drawing.legend(axes, _legend_entries(flat)[:3])
        figure.subplots_adjust(left=0.13, right=0.985, top=0.75, bottom=0.135)
        _label_axes(axes, flat, x, x_unit, y_unit)
        svg = drawing.svg(figure, salt="trend")
    return Chart(
        svg=svg,
        title="Residual to the trend",
        how_to_read=(
            f"The straight line that fits the means best, {slope_text}, is taken away. A slope points to scale, temperature or a tilted beam and is removed by one factor; "
            "what is left needs a compensation table."
        ),
        alt=f"Residual of the means to their least-squares line; slope {slope_text}, remaining span {span_text}.",
    )


def reversal_chart(curves: PositioningCurves, figures: Mapping[str, Figure]) -> Chart | None:
    """The signed reversal B_i at each target as bars, its mean B̄ as a line; None where no target has both directions."""
    measured = np.isfinite(curves.reversal)
    if not np.any(measured):
        return None
    x_unit = _position_unit(curves)
    y_unit = units.display_unit(float(np.nanmax(np.abs(curves.reversal))), curves.unit)
    x, scale = _scaled(curves.target, x_unit), _factor(y_unit)
    values = curves.reversal / scale
    worst = int(np.nanargmax(np.abs(values)))
    numbers = _key_numbers(figures, _shown(figures, y_unit), ("B", "B_mean", "U_max", "U_mean"))
    with drawing.style():
        from matplotlib.lines import Line2D

        figure, axes = drawing.sheet(width=5.2, height=3.8)
        figure.subplots_adjust(left=0.13, right=0.985, top=0.75, bottom=0.135)
        axes.margins(y=0.14)
        sparse_labels.place_targets(axes, x, keep=worst)
        width = sparse_labels.bar_width(axes, x)
        axes.axhline(0, color=INK, linewidth=0.8, zorder=3)
        bars = axes.bar(x[measured], values[measured], width=width, color=[INK if index == worst else REST_COLOR for index in np.flatnonzero(measured)], zorder=2)
        bars[int(np.count_nonzero(measured[:worst]))].set_zorder(2.5)
        axes.axhline(float(np.nanmean(values)), color=DOWN_COLOR, linewidth=1.3, linestyle=(0, (5, 2)), zorder=4)
        _label_axes(axes, curves, x, x_unit, y_unit, name="Reversal")
        sparse_labels.number_bars(axes, x, values, bar_width=width, worst=worst)
        drawing.title(axes, "Reversal at each target", numbers)
        drawing.legend(axes, [Line2D([], [], color=DOWN_COLOR, linewidth=1.3, linestyle=(0, (5, 2)), label="mean reversal")])
        svg = drawing.svg(figure, salt="reversal")
    return Chart(
        svg=svg,
        title="Reversal at each target",
        how_to_read=positioning_captions.reversal_caption(_symbols(figures)),
        alt=_alt(f"Reversal at {int(np.count_nonzero(measured))} targets of axis {visible(curves.axis, longest=40)}.", numbers),
    )


def drift_chart(
    curves: PositioningCurves, *, time_s: Floats | None = None, temperatures: Sequence[TemperatureTrace] = (), cycle: Literal["standard", "step"] = "standard"
) -> Chart | None:
    """Each reading minus the mean of its target and direction, in the order it was taken; temperatures below, where they were recorded.

    Parameters
    ----------
    time_s : (2, m, n) float64, optional
        When each reading was taken, from the start of the run; without it, the order of the cycle is used.
    temperatures : sequence of TemperatureTrace
        Drawn only with `time_s`, since they need its clock.
    cycle : "standard" or "step"
        Order of the approaches where `time_s` is missing.

    Returns
    -------
    Chart, or None where every target was approached once only, so that there is no mean to drift from.
    """
    if time_s is not None and np.shape(time_s) != curves.deviation.shape:
        raise ValueError(f"time_s has shape {np.shape(time_s)}; {curves.deviation.shape} is expected, as deviation")
    change = curves.deviation - curves.mean[:, :, None]
    shown = np.isfinite(change) & (np.count_nonzero(np.isfinite(curves.deviation), axis=2) >= 2)[:, :, None]
    if not np.any(shown):
        return None
    when = _order(curves.deviation.shape, cycle) if time_s is None else np.asarray(time_s, dtype=np.float64) / _minutes(time_s)
    shown &= np.isfinite(when)
    y_unit = units.display_unit(float(np.max(np.abs(change[shown]))), curves.unit)
    scale = _factor(y_unit)
    traces = [trace for trace in temperatures if time_s is not None]
    by_run = [float(np.mean(change[:, :, run][shown[:, :, run]])) / scale for run in range(change.shape[2]) if np.any(shown[:, :, run])]
    wander = f"{_three_digits(max(by_run) - min(by_run))} {y_unit}"
    with drawing.style():
        figure, panels = drawing.sheet(width=10.6, height=3.5 if not traces else 5.0, rows=(1.0,) if not traces else (1.7, 1.0))
        axes = panels[0] if traces else panels
        axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
        for direction, (color, marker, _) in enumerate(_DIRECTIONS):
            pick = shown[direction]
            axes.plot(when[direction][pick], change[direction][pick] / scale, linestyle="none", marker=marker, markersize=4, color=color, markeredgewidth=0, zorder=3)
        for run in range(change.shape[2]):
            pick = shown[:, :, run]
            if np.any(pick):
                moments = when[:, :, run][pick]
                axes.plot([moments.min(), moments.max()], [float(np.mean(change[:, :, run][pick])) / scale] * 2, color=INK, linewidth=1.8, zorder=4)
        axes.set_ylabel(f"Change ({y_unit})")
        drawing.few_ticks(axes.yaxis)
        drawing.title(axes, "Drift during the test", f"the means of the runs wander by {wander}")
        drawing.legend(axes, _drift_legend(shown))
        if traces:
            _draw_temperatures(panels[1], traces, _minutes(time_s))
        label = "Reading, in the order taken" if time_s is None else ("Time (min)" if _minutes(time_s) == 60 else "Time (s)")
        (panels[1] if traces else axes).set_xlabel(label)
        figure.subplots_adjust(left=0.065, right=0.985, top=0.73 if not traces else 0.81, bottom=0.145 if not traces else 0.105, hspace=0.14)
        svg = drawing.svg(figure, salt="drift")
    return Chart(
        svg=svg,
        title="Drift during the test",
        how_to_read=(
            "Each mark is one reading minus the mean of all readings at that target from that side, in the order taken; the dark lines are the means of the runs. "
            "Lines that climb or fall show the machine or the instrument warming up while it was measured" + ("; compare with the temperatures below." if traces else ".")
        ),
        alt=f"Change of the readings during the test; the means of the runs wander by {wander}.",
        wide=True,
    )


# --- drawing


def _draw_zero(axes: Axes, curves: PositioningCurves, scale: float) -> str:
    """The zero line, unless all readings are so far from it that it would flatten them; then the words that say so."""
    low, high = float(np.nanmin(curves.deviation)) / scale, float(np.nanmax(curves.deviation)) / scale
    if low - 2 * (high - low) <= 0 <= high + 2 * (high - low):
        axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
        return ""
    return f"   ·   zero lies {'below' if low > 0 else 'above'} the chart"


def _draw_readings_and_means(axes: Axes, curves: PositioningCurves, x: Floats, scale: float) -> None:
    low, high = curves.bands
    for direction, (color, marker, dash) in enumerate(_DIRECTIONS):
        mean = curves.mean[direction]
        axes.plot(x, mean / scale, color=color, linewidth=1.6, linestyle=dash, zorder=4)
        axes.fill_between(x, low[direction] / scale, high[direction] / scale, color=color, alpha=0.13, linewidth=0, zorder=2)
        for edge in (low, high):
            axes.plot(x, edge[direction] / scale, color=color, linewidth=0.6, alpha=0.65, zorder=2.5)
        for run in range(curves.deviation.shape[2]):
            axes.plot(x, curves.deviation[direction, :, run] / scale, linestyle="none", marker=marker, markersize=3.4, color=drawing.DARK[color], markeredgewidth=0, zorder=5)


def _legend_entries(curves: PositioningCurves) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = []
    for direction, (color, marker, dash) in enumerate(_DIRECTIONS):
        if np.any(np.isfinite(curves.deviation[direction])):
            entries.append(Line2D([], [], color=color, linewidth=1.6, linestyle=dash, marker=marker, markersize=4, markeredgewidth=0, label=f"{'↑↓'[direction]} mean"))
    if np.any(np.isfinite(curves.s)):
        entries.append(Patch(facecolor="#d5dbe1", edgecolor=REST_COLOR, linewidth=0.6, label=f"mean ± {curves.coverage_factor:g}s"))
    if np.any(np.isfinite(curves.centre)):
        entries.append(Line2D([], [], color=MEAN_COLOR, linewidth=1.0, linestyle=(0, (1, 1.8)), label="mean of both"))
    return entries


def _drift_legend(shown: NDArray[np.bool_]) -> list[Any]:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=color, linestyle="none", marker=marker, markersize=4, markeredgewidth=0, label="↑↓"[direction]) for direction, (color, marker, _) in
             enumerate(_DIRECTIONS) if np.any(shown[direction])]
    return [*marks, Line2D([], [], color=INK, linewidth=1.8, label="mean of the run")]


def _label_axes(axes: Axes, curves: PositioningCurves, x: Floats, x_unit: str, y_unit: str, *, name: str = "Deviation") -> None:
    """Names, ticks and final limits of both axes, which must have their final place; the target with the largest reversal keeps its number."""
    axes.set_xlabel(f"Target position ({x_unit})")
    axes.set_ylabel(f"{name} ({y_unit})")
    drawing.few_ticks(axes.yaxis)
    sparse_labels.place_targets(axes, x, keep=int(np.nanargmax(np.abs(curves.reversal))) if np.any(np.isfinite(curves.reversal)) else None)
    axes.set_ylim(axes.get_ylim())  # what is drawn after this is measured against the final limits


def _draw_reversal_dimension(axes: Axes, curves: PositioningCurves, x: Floats, scale: float, figures: Mapping[str, Figure], shown: Mapping[str, str]) -> None:
    """B (or U_max) between the two means where the reversal is largest, its number where it hides the least. The axes must have their final place."""
    key = next((key for key in ("B", "U_max") if key in shown), None)
    if key is None or not np.any(np.isfinite(curves.reversal)):
        return
    worst = int(np.nanargmax(np.abs(curves.reversal)))
    low, high = sorted((curves.mean[:, worst] / scale).tolist())
    axes.plot([x[worst]] * 2, [low, high], color=INK, linewidth=1.3, marker="_", markersize=9, markeredgewidth=1.3, zorder=6, solid_capstyle="butt")
    bands = [edge / scale for edge in curves.bands]
    ends = np.array([[low, high], *([band[0, worst], band[1, worst]] for band in bands)])
    drawing.label_near(axes, f"{_symbol(figures, key)} {shown[key]}", x=float(x[worst]), low=float(np.nanmin(ends)), high=float(np.nanmax(ends)),
                       lines=[(x, line) for line in (*(curves.mean / scale), *bands[0], *bands[1], curves.centre / scale)],
                       marks=[(x, curves.deviation[direction, :, run] / scale) for direction in (0, 1) for run in range(curves.deviation.shape[2])])


def _dimensions(curves: PositioningCurves, shown: Mapping[str, str]) -> dict[str, tuple[Floats, Floats]]:
    """Key -> the curves whose lowest and highest points make the figure, from the left: M (or P_a), E, A."""
    low, high = curves.bands
    heights = {"M": (curves.centre[None], curves.centre[None]), "P_a": (curves.centre[None], curves.centre[None]), "E": (curves.mean, curves.mean), "A": (low, high)}
    return {key: ends for key, ends in heights.items() if key in shown and all(np.any(np.isfinite(end)) for end in ends)}


def _draw_dimensions(axes: Axes, curves: PositioningCurves, x: Floats, scale: float, figures: Mapping[str, Figure], shown: Mapping[str, str]) -> None:
    """The heights at the right side, each with thin lines to the two points that make it."""
    left, right = axes.get_xlim()
    for slot, (key, (lower, upper)) in enumerate(_dimensions(curves, shown).items(), start=1):
        place = 0.998 + 0.036 * slot
        ends = []
        for values, extreme in ((lower, np.nanargmin), (upper, np.nanargmax)):
            flat = int(extreme(values))
            target, level = x[flat % x.size], float(values.flat[flat]) / scale
            ends.append(level)
            axes.plot([(target - left) / (right - left), place + 0.007], [level, level], transform=axes.get_yaxis_transform(), color=REST_COLOR, linewidth=0.6,
                      clip_on=False, zorder=1.5)
        drawing.dimension(axes, place, ends[0], ends[1], f"{_symbol(figures, key)} {shown[key]}")


def _draw_temperatures(axes: Axes, traces: Sequence[TemperatureTrace], seconds: float) -> None:
    # Traces that end at the same place have their names above each other.
    ends = [float(trace.temperature_k[-1]) for trace in traces]
    span_k = max(np.ptp(np.concatenate([np.asarray(trace.temperature_k) for trace in traces])), _FLAT_K) if traces else _FLAT_K
    for number, (trace, color) in enumerate(zip(traces, drawing.ACCENTS * (1 + len(traces) // len(drawing.ACCENTS)), strict=False)):
        above = sum(abs(end - ends[number]) < span_k / 4 for end in ends[:number])
        celsius = np.asarray(trace.temperature_k) - units.CELSIUS_ZERO_K
        axes.plot(np.asarray(trace.time_s) / seconds, celsius, color=color, linewidth=1.4)
        name = visible(trace.name, longest=30)
        axes.annotate(f"{name} {celsius[0]:.2f} → {celsius[-1]:.2f} °C", (1, float(celsius[-1])), (-2, 4 + 12 * above), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      ha="right", va="bottom", fontsize=9.5, color=color)
    axes.set_ylabel("Temperature (°C)")
    axes.margins(y=0.25)
    drawing.few_ticks(axes.yaxis)


# --- numbers


def _position_unit(curves: PositioningCurves) -> str:
    """Targets in mm or degrees, as machines are programmed; a travel below 1 mm in µm."""
    if curves.unit == "rad":
        return "deg"
    return "mm" if float(np.max(np.abs(curves.target))) >= units.MM else "µm"


def _deviation_unit(curves: PositioningCurves, figures: Mapping[str, Figure]) -> str:
    """The unit in which the largest of the figures reads well, as in their table; without figures, the span of the readings (an offset does not count)."""
    sizes = [abs(figure.value) for figure in figures.values() if figure.value is not None and figure.unit == curves.unit]
    return units.display_unit(max(sizes, default=float(np.nanmax(curves.deviation) - np.nanmin(curves.deviation))), curves.unit)


def _factor(unit: str) -> float:
    return 1.0 / units.in_unit(1.0, unit)


def _scaled(values: Floats, unit: str) -> Floats:
    scaled: Floats = values / _factor(unit)
    return scaled


def _shown(figures: Mapping[str, Figure], unit: str) -> dict[str, str]:
    """Key -> "135.3 µm", rounded as in the tables, for the figures that have a value."""
    values = {key: rounding.in_unit(figure.value, unit) for key, figure in figures.items() if figure.value is not None}
    decimals = rounding.column_decimals(values.values())
    shown = {}
    for key, value in values.items():
        uncertainty = figures[key].uncertainty
        if uncertainty is None:
            text = rounding.rounded(value, decimals)
        else:
            text, _ = rounding.value_and_uncertainty(value, rounding.in_unit(uncertainty, unit))
        shown[key] = f"{typographic(text)} {unit}"
    return shown


def _key_numbers(figures: Mapping[str, Figure], shown: Mapping[str, str], keys: Sequence[str]) -> str:
    """ "A 135.3 µm · E 122.8 µm": the figures that have a value."""
    return "   ·   ".join(f"{_symbol(figures, key)} {shown[key]}" for key in keys if key in shown)


def _symbol(figures: Mapping[str, Figure], key: str) -> str:
    return visible(symbols.plain(figures[key].symbol), longest=12)


def _symbols(figures: Mapping[str, Figure]) -> dict[str, str]:
    return {key: figure.symbol for key, figure in figures.items() if figure.value is not None}


def _alt(text: str, numbers: str) -> str:
    return f"{text} {numbers.replace('   ·   ', ', ')}.".replace(" .", "")


def _least_squares_line(x: Floats, y: Floats) -> tuple[Floats, float]:
    """The line through the finite (x, y), at least two, at every x, and its slope; centred before the sums so that nothing cancels."""
    known = np.isfinite(y)
    x_mean, y_mean = float(np.mean(x[known])), float(np.mean(y[known]))
    offset = x[known] - x_mean
    slope = float(np.sum(offset * (y[known] - y_mean)) / np.sum(offset**2))
    return y_mean + slope * (x - x_mean), slope


def _slope_text(slope: float, unit: str) -> str:
    """Slopes are ratios: µm/m for lengths, arcsec per turn for angles."""
    if unit == "rad":
        return f"{_three_digits(slope * 2 * math.pi / units.ARCSEC)} arcsec per turn"
    return f"{_three_digits(slope / 1e-6)} µm/m"


def _three_digits(number: float) -> str:
    """A number that is computed for a chart only."""
    return typographic(rounding.rounded(number, rounding.decimals_of(number, 3))) if number else "0"


def _order(shape: tuple[int, ...], cycle: Literal["standard", "step"]) -> Floats:
    """(2, m, n) place of each approach in the cycle, from 1: standard = all targets up, all down, run by run; step = all runs at a target first."""
    _, m, n = shape
    direction, target, run = np.meshgrid(np.arange(2), np.arange(m), np.arange(n), indexing="ij")
    along = np.where(direction == 0, target, m - 1 - target)
    place = run * 2 * m + direction * m + along if cycle == "standard" else target * 2 * n + run * 2 + direction
    order: Floats = place.astype(np.float64) + 1
    return order


def _minutes(time_s: Floats | None) -> float:
    """60 where the run is long enough to be shown in minutes, else 1."""
    return 60.0 if time_s is not None and float(np.nanmax(time_s)) > 300 else 1.0
